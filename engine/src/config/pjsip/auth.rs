//! `type=auth`: what a peer must know.

use bstr::BStr;

use super::{Objects, insert, keys};
use crate::config::codes;
use crate::config::named::Named;
use crate::config::notes::Notes;
use crate::config::secret::Secret;
use crate::config::setting::Setting;
use crate::config::settings::{AuthCredentials, AuthSecret, DigestAlgorithm, DigestOffer};
use crate::config::value::list;

/// Reads the algorithms of challenges, in the order of the file.
pub(super) fn algorithms(field: &mut DigestOffer, setting: Setting<'_>) {
    let named = |word: &BStr| match word.to_ascii_uppercase().as_slice() {
        b"MD5" => Some(DigestAlgorithm::Md5),
        b"SHA-256" => Some(DigestAlgorithm::Sha256),
        b"SHA-512-256" => Some(DigestAlgorithm::Sha512_256),
        _ => None,
    };
    let mut algorithms = Vec::new();
    for word in list(setting.value()) {
        match named(word) {
            Some(algorithm) if algorithms.contains(&algorithm) => {}
            Some(algorithm) => algorithms.push(algorithm),
            None => return setting.invalid("any of MD5, SHA-256, SHA-512-256"),
        }
    }
    if algorithms.is_empty() {
        return setting.invalid("any of MD5, SHA-256, SHA-512-256");
    }
    *field = DigestOffer::Listed(algorithms);
}

pub(super) fn read(objects: &Objects<'_>, notes: &mut Notes) -> Named<AuthCredentials> {
    let mut auths = Named::default();
    for section in objects.of("auth") {
        let mut username = None;
        let mut realm = None;
        let mut password = None;
        let mut md5 = None;
        let mut wants_md5 = false;
        section.each(&keys::AUTH, notes, |name, setting| match name {
            b"type" => {}
            b"auth_type" => match setting.value().to_ascii_lowercase().as_slice() {
                // `digest` takes whichever of the two there is.
                b"userpass" | b"digest" => wants_md5 = false,
                b"md5" => wants_md5 = true,
                _ => setting.invalid("`userpass`, `md5` or `digest`"),
            },
            b"username" => setting.optional_text(&mut username),
            b"realm" => setting.optional_text(&mut realm),
            b"password" => setting.optional_text(&mut password),
            b"md5_cred" => setting.optional_text(&mut md5),
            _ => setting.judge(),
        });
        // All complaints point at the header: a line that is printed must not hold the secret.
        let mut complain = |code, message: &str, help: &str| {
            let message = format!("auth [{}] {message}", section.name());
            notes.error(code, section.header, message, help);
        };
        let Some(username) = username else {
            complain(
                codes::SETTING_MISSING,
                "has no `username`",
                "add the name the peer logs in with",
            );
            continue;
        };
        let secret = match (password, md5) {
            (Some(password), _) if !wants_md5 => AuthSecret::Password(Secret::new(password)),
            (_, Some(md5)) => {
                if md5.len() != 32 || !md5.iter().all(u8::is_ascii_hexdigit) {
                    let help = "expected the 32 hexadecimal digits of MD5(username:realm:password)";
                    complain(codes::VALUE_INVALID, "has an invalid `md5_cred`", help);
                    continue;
                }
                if realm.is_none() {
                    let help = "add the realm that md5_cred was made with";
                    complain(codes::SETTING_MISSING, "has `md5_cred` but no `realm`", help);
                    continue;
                }
                AuthSecret::Md5(Secret::new(md5.to_ascii_lowercase()))
            }
            _ => {
                let missing = if wants_md5 { "md5_cred" } else { "password" };
                let help = "without a secret anyone could be this peer";
                complain(codes::SETTING_MISSING, &format!("has no `{missing}`"), help);
                continue;
            }
        };
        let auth = AuthCredentials { name: section.name().to_owned(), username, realm, secret };
        insert(&mut auths, auth, &section, "auth", notes);
    }
    auths
}

/// Settles what challenges offer where secrets are stored as MD5 hashes, which serve MD5 alone.
pub(super) fn settle_hashes(
    objects: &Objects<'_>,
    auths: &Named<AuthCredentials>,
    offer: &mut DigestOffer,
    notes: &mut Notes,
) {
    let is_hash = |auth: &AuthCredentials| matches!(auth.secret, AuthSecret::Md5(_));
    let mut hashed = objects.of("auth").filter(|it| auths.get(it.name()).is_some_and(is_hash));
    match offer {
        DigestOffer::Listed(listed) if !listed.contains(&DigestAlgorithm::Md5) => {
            for section in hashed {
                notes.error(
                    codes::CONTRADICTION,
                    section.header,
                    format!("nobody can log in with auth [{}]: MD5 is not offered", section.name()),
                    "add MD5 to default_auth_algorithms_uas, or give the password",
                );
            }
        }
        DigestOffer::Listed(listed) if listed.len() > 1 => {
            for section in hashed {
                notes.warn(
                    codes::CONTRADICTION,
                    section.header,
                    format!(
                        "phones that choose SHA can not log in with auth [{}]: its `md5_cred` \
                         serves MD5 alone",
                        section.name()
                    ),
                    "give the password, or offer MD5 alone by default_auth_algorithms_uas=MD5",
                );
            }
        }
        DigestOffer::Listed(_) | DigestOffer::OnlyMd5 => {}
        DigestOffer::Suited => {
            let Some(section) = hashed.next() else { return };
            *offer = DigestOffer::OnlyMd5;
            notes.warn(
                codes::CONTRADICTION,
                section.header,
                format!(
                    "SHA-256 is offered to nobody: the `md5_cred` of auth [{}] serves MD5 alone",
                    section.name()
                ),
                "give passwords to offer SHA-256, or write default_auth_algorithms_uas=MD5",
            );
        }
    }
}
