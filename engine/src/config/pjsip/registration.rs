//! `type=registration`: where we register.

use std::collections::HashSet;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};

use super::transport::{Reference, Transports};
use super::{Objects, keys, resolved};
use crate::config::codes;
use crate::config::named::Named;
use crate::config::notes::Notes;
use crate::config::registration::{
    EXPIRATIONS, INTERVALS, Line, Origin, RETRY_INTERVAL, Registration,
};
use crate::config::setting::Setting;
use crate::config::settings::{AuthCredentials, Peer};
use crate::sip::registration::AuthRejection;
use crate::sip::{NameAddr, Scheme, Uri};

pub(super) fn read(
    objects: &Objects<'_>,
    transports: &Transports,
    auths: &Named<AuthCredentials>,
    peers: &Named<Peer>,
    notes: &mut Notes,
) -> Vec<Registration> {
    // A reference to a section that was left out for an error of its own is no second error.
    let auth_sections: HashSet<&BStr> = objects.of("auth").map(|s| s.name()).collect();
    let mut names = HashSet::new();
    let mut registrations = vec![];
    for section in objects.of("registration") {
        let (mut registrar, mut address_of_record) = (None, None);
        let mut number = BString::from("s");
        let mut parameters = String::new();
        let mut proxies = vec![];
        let mut transport = None;
        let mut credentials = vec![];
        let (mut expiration, mut retry) = (Duration::from_secs(3600), RETRY_INTERVAL);
        let (mut forbidden, mut fatal) = (None, None);
        let mut max_retries = None;
        let (mut is_permanent, mut has_line, mut has_path) = (true, false, false);
        let mut peer = None;
        section.each(&keys::REGISTRATION, notes, |name, mut setting| match name {
            b"type" => {}
            b"server_uri" => uri(&mut registrar, setting),
            b"client_uri" => match NameAddr::parse(setting.value()) {
                Some(address) if is_sip(address.uri()) => address_of_record = Some(address),
                _ => setting.invalid("a SIP URI, such as sip:1001@sip.example.com"),
            },
            b"contact_user" => setting.text(&mut number),
            b"contact_header_params" => {
                // Read back as they will be written.
                let text = format!("<sip:a.invalid>;{}", setting.value());
                match NameAddr::parse(text.as_bytes()) {
                    _ if setting.value().is_empty() => parameters.clear(),
                    Some(_) => parameters = text["<sip:a.invalid>".len()..].to_owned(),
                    None => setting.invalid("parameters, such as name=value;other"),
                }
            }
            b"outbound_auth" => {
                let value = setting.value();
                let known = |name: &BStr| auth_sections.contains(name);
                let names = resolved(value, "auth", &mut setting, known);
                credentials = names.iter().filter_map(|n| auths.get(n.as_ref()).cloned()).collect();
            }
            b"outbound_proxy" => {
                let mut proxy = None;
                uri(&mut proxy, setting);
                proxies = proxy.map(|proxy| NameAddr::new(loose(proxy))).into_iter().collect();
            }
            b"transport" => match transports.find(setting.value()) {
                Reference::Listening => setting.optional_text(&mut transport),
                // Said at the transport already.
                Reference::LeftOut => {}
                Reference::Nothing => {
                    let value = setting.value();
                    resolved(value, "transport", &mut setting, |_| false);
                }
            },
            b"endpoint" => {
                let value = setting.value();
                let known = |name: &BStr| peers.get(name).is_some();
                peer = resolved(value, "endpoint", &mut setting, known).into_iter().next();
            }
            b"expiration" => setting.seconds(&mut expiration, EXPIRATIONS),
            b"retry_interval" => setting.seconds(&mut retry, INTERVALS),
            b"forbidden_retry_interval" => {
                setting.optional_seconds(&mut forbidden, *INTERVALS.end());
            }
            b"fatal_retry_interval" => setting.optional_seconds(&mut fatal, *INTERVALS.end()),
            b"max_retries" => {
                let mut retries = 0_u32;
                setting.number(&mut retries, 0..=1_000_000);
                // The first attempt is no retry.
                max_retries = Some(retries + 1);
            }
            b"auth_rejection_permanent" => setting.yes_no(&mut is_permanent),
            b"line" => setting.yes_no(&mut has_line),
            b"support_path" => setting.yes_no(&mut has_path),
            _ => setting.judge(),
        });
        let mut complain = |name: &str, help: &str| {
            if !section.has(name) {
                let message = format!("registration [{}] has no `{name}`", section.name());
                notes.error(codes::SETTING_MISSING, section.header, message, help);
            }
        };
        complain("server_uri", "add the registrar, such as server_uri=sip:sip.example.com");
        complain("client_uri", "add who registers, such as client_uri=sip:1001@sip.example.com");
        if has_line && !section.has("endpoint") {
            notes.error(
                codes::SETTING_MISSING,
                section.place_of("line"),
                format!("registration [{}] has `line` and no `endpoint`", section.name()),
                "add the endpoint that the registrar's calls are calls of",
            );
        }
        if !names.insert(section.name()) {
            notes.error(
                codes::DEFINED_TWICE,
                section.header,
                format!("there are two sections [{}] of type=registration", section.name()),
                "give one another name, or add to the first with [name](+)",
            );
        }
        let (Some(registrar), Some(address_of_record)) = (registrar, address_of_record) else {
            continue;
        };
        registrations.push(Registration {
            section: section.name().to_owned(),
            number,
            origin: Origin::Section,
            registrar,
            next_hop: None,
            address_of_record,
            contact_parameters: parameters,
            proxies,
            transport,
            credentials,
            expiration,
            retry_interval: retry,
            forbidden_retry_interval: forbidden,
            fatal_retry_interval: fatal,
            max_retries,
            auth_rejection: match is_permanent {
                true => AuthRejection::Permanent,
                false => AuthRejection::Temporary,
            },
            peer,
            line: if has_line { Line::Marked } else { Line::Unmarked },
            extensions: if has_path { vec!["path"] } else { vec![] },
        });
    }
    registrations
}

/// Takes the URI of somebody to send to.
fn uri(field: &mut Option<Uri>, setting: Setting<'_>) {
    match setting.value().to_str().ok().and_then(|text| Uri::parse(text).ok()) {
        Some(uri) if is_sip(&uri) && uri.as_ref().headers_str().is_empty() => *field = Some(uri),
        _ => setting.invalid("a SIP URI, such as sip:sip.example.com"),
    }
}

fn is_sip(uri: &Uri) -> bool {
    matches!(uri.scheme(), Scheme::Sip | Scheme::Sips)
}

/// A proxy of ours routes loosely, said or not (RFC 3261 §16.12.1.1).
fn loose(proxy: Uri) -> Uri {
    match proxy.is_loose_router() {
        true => proxy,
        false => proxy.with_parameter("lr", None).unwrap_or(proxy),
    }
}
