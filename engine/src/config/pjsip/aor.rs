//! `type=aor`: addresses of record and how they are registered.

use std::time::Duration;

use super::{Objects, insert, keys};
use crate::config::codes;
use crate::config::named::Named;
use crate::config::notes::Notes;
use crate::config::settings::{Aor, Expiration, Qualify, WhenFull};
use crate::config::value::{list, parsed};
use crate::config::watching::Mailbox;

/// The most contacts that an address of record may have: all must fit in the response to a REGISTER,
/// which is one datagram. The registrar has the same bound.
const MAX_CONTACTS: u32 = 64;
/// The longest registration, in seconds: a day. Asterisk takes more; phones never ask for it.
const MAX_EXPIRATION: u32 = 86_400;

/// `usual` bounds what a section does not bound itself.
pub(super) fn read(objects: &Objects<'_>, usual: Expiration, notes: &mut Notes) -> Named<Aor> {
    let mut aors = Named::default();
    for section in objects.of("aor") {
        let mut aor = Aor {
            name: section.name().to_owned(),
            max_contacts: 0,
            when_full: WhenFull::Refuse,
            expiration: usual,
            contacts: vec![],
            qualify: Qualify::default(),
            remove_unavailable: false,
            support_path: false,
            mailboxes: vec![],
            voicemail_extension: None,
        };
        let mut remove_existing = false;
        section.each(&keys::AOR, notes, |name, setting| match name {
            b"type" => {}
            b"mailboxes" => {
                aor.mailboxes = list(setting.value()).map(|name| Mailbox::new(name)).collect();
            }
            b"voicemail_extension" => setting.optional_text(&mut aor.voicemail_extension),
            b"max_contacts" => setting.number(&mut aor.max_contacts, 0..=MAX_CONTACTS),
            b"remove_existing" => setting.yes_no(&mut remove_existing),
            b"minimum_expiration" => {
                setting.seconds(&mut aor.expiration.minimum, 1..=MAX_EXPIRATION);
            }
            b"default_expiration" => {
                setting.seconds(&mut aor.expiration.default, 1..=MAX_EXPIRATION);
            }
            b"maximum_expiration" => {
                setting.seconds(&mut aor.expiration.maximum, 1..=MAX_EXPIRATION);
            }
            b"qualify_frequency" => setting.seconds(&mut aor.qualify.frequency, 0..=MAX_EXPIRATION),
            b"qualify_timeout" => match parsed::<f64>(setting.value()) {
                Some(seconds) if (0.1..=32.0).contains(&seconds) => {
                    aor.qualify.timeout = Duration::from_secs_f64(seconds);
                }
                _ => setting.invalid("seconds from 0.1 to 32"),
            },
            b"qualify_2xx_only" => setting.yes_no(&mut aor.qualify.only_success),
            b"remove_unavailable" => setting.yes_no(&mut aor.remove_unavailable),
            b"support_path" => setting.yes_no(&mut aor.support_path),
            b"contact" => {
                let uri = setting.value().to_owned();
                let is_sip = [&b"sip:"[..], b"sips:"].iter().any(|scheme| {
                    uri.len() > scheme.len() && uri[..scheme.len()].eq_ignore_ascii_case(scheme)
                });
                if is_sip {
                    aor.contacts.push(uri);
                } else {
                    setting.invalid("a SIP URI, such as sip:192.0.2.7:5060");
                }
            }
            _ => setting.judge(),
        });
        if remove_existing {
            aor.when_full = WhenFull::ReplaceOldest;
        }
        let Expiration { minimum, default, maximum } = aor.expiration;
        if minimum > default || default > maximum {
            notes.error(
                codes::CONTRADICTION,
                section.header,
                format!(
                    "the expirations of aor [{}] are out of order: minimum {} s, default {} s, \
                     maximum {} s",
                    section.name(),
                    minimum.as_secs(),
                    default.as_secs(),
                    maximum.as_secs()
                ),
                "minimum_expiration must not exceed default_expiration, nor that \
                 maximum_expiration",
            );
        }
        // A value that is wrong has been named.
        let is_meant = section.value_of("max_contacts").is_none_or(|value| value == "0");
        if aor.max_contacts == 0 && is_meant && aor.contacts.is_empty() {
            notes.warn(
                codes::AOR_CLOSED,
                section.header,
                format!("nobody can register at aor [{}]: max_contacts is 0", section.name()),
                "add max_contacts=1 for a phone, or a contact for a trunk",
            );
        }
        insert(&mut aors, aor, &section, "aor", notes);
    }
    aors
}
