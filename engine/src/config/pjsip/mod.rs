//! `pjsip.conf`: transports, peers, credentials, addresses of record, who is recognised by address,
//! and where we register.
//!
//! Sections of the same name and different `type` are different things, as in Asterisk: a phone is
//! usually an endpoint, an auth and an aor of one name.

mod aor;
mod auth;
mod codec;
mod endpoint;
mod identify;
mod keys;
mod registration;
mod system;
mod tls;
mod transport;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::conf::FileSource;
use diesis_dialplan::diagnostic::Diagnostic;
use diesis_dialplan::plan::Plan;

use super::acl::{Access, Lines, NamedLists, Verdict};
use super::codes;
use super::named::Named;
use super::network::IpNetwork;
use super::notes::Notes;
use super::setting::{Block, Setting};
use super::settings::{Expiration, Scanners, SipSettings};
use super::value::nearest;

/// Reads all sections of the file. With a plan, the contexts of peers must be in it.
pub(super) fn read(
    sections: &[Block<'_>],
    plan: Option<&Plan>,
    surroundings: Surroundings<'_>,
    notes: &mut Notes,
) -> SipSettings {
    let mut settings = SipSettings::default();
    let objects = Objects::sort(sections, notes);

    let mut redundant = false;
    for section in objects.of("global") {
        section.each(&keys::GLOBAL, notes, |name, setting| match name {
            b"type" => {}
            b"user_agent" => setting.text(&mut settings.user_agent),
            b"default_realm" => setting.text(&mut settings.default_realm),
            b"default_auth_algorithms_uas" => {
                auth::algorithms(&mut settings.digest_algorithms, setting);
            }
            b"ban_attempts" => setting.number(&mut settings.bans.attempts, 0..=1_000_000),
            b"ban_account_attempts" => {
                setting.number(&mut settings.bans.account_attempts, 0..=1_000_000);
            }
            b"ban_window" => setting.seconds(&mut settings.bans.window, 1..=86_400),
            b"ban_time" => setting.seconds(&mut settings.bans.time, 0..=31_536_000),
            b"ban_permit" => {
                let networks = super::value::list(setting.value());
                match networks
                    .map(|it| it.to_str().ok()?.parse::<IpNetwork>().ok())
                    .collect::<Option<Vec<_>>>()
                {
                    Some(networks) => settings.bans.permit.extend(networks),
                    None => setting.invalid("networks, such as 192.0.2.0/24,2001:db8::/32"),
                }
            }
            b"drop_scanners" => {
                let mut drops = false;
                setting.yes_no(&mut drops);
                settings.scanners = if drops { Scanners::Dropped } else { Scanners::Answered };
            }
            b"ha" => setting.yes_no(&mut redundant),
            _ => setting.judge(),
        });
    }
    for section in objects.of("acl") {
        let mut lines = AccessLines::default();
        section.each(&keys::ACL, notes, |name, setting| match name {
            b"type" => {}
            name if AccessLines::owns(name) => lines.add(name, surroundings.lists, setting),
            _ => setting.judge(),
        });
        let (sources, contacts) = lines.finish();
        settings.access.append(sources);
        settings.contact_access.append(contacts);
    }
    let expiration = match redundant {
        true => Expiration::HIGH_AVAILABILITY,
        false => Expiration::default(),
    };
    if redundant {
        warn_of_late_refreshes(sections, notes);
    }
    settings.stack = system::read(&objects, notes);
    let transports = transport::read(&objects, surroundings, notes);
    let auths = auth::read(&objects, notes);
    auth::settle_hashes(&objects, &auths, &mut settings.digest_algorithms, notes);
    settings.aors = aor::read(&objects, expiration, notes);
    settings.peers =
        endpoint::read(&objects, &transports, &auths, (&settings.aors, surroundings.lists), notes);
    settings.identify = identify::read(&objects, &settings.peers, notes);
    settings.registrations =
        registration::read(&objects, &transports, &auths, &settings.peers, notes);
    endpoint::warn_of_open(&objects, &settings, notes);
    if let Some(plan) = plan {
        endpoint::warn_of_missing_contexts(&objects, &settings, plan, notes);
    }
    if let Some(listening) = transports.listening() {
        settings.transports = listening;
    }
    settings
}

/// What settings refer to beyond their file.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Where certificates are read.
    #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "certificates belong to `net`"))]
    pub(super) files: &'a dyn FileSource,
    /// The time their validity is judged at; `None` does not judge it.
    #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "certificates belong to `net`"))]
    pub(super) now: Option<jiff::Timestamp>,
    /// `acl.conf`, when there is one.
    pub(super) lists: Option<&'a NamedLists>,
}

/// The lines of a section that say whom it is open to: where requests come from, and where contacts
/// are.
#[derive(Default)]
struct AccessLines {
    sources: Lines,
    contacts: Lines,
}

impl AccessLines {
    fn owns(name: &[u8]) -> bool {
        matches!(
            name,
            b"acl" | b"deny" | b"permit" | b"contact_acl" | b"contact_deny" | b"contact_permit"
        )
    }

    fn add(&mut self, name: &[u8], lists: Option<&NamedLists>, setting: Setting<'_>) {
        match name {
            b"acl" => self.sources.add_named(lists, setting),
            b"deny" => self.sources.add(Verdict::Deny, setting),
            b"permit" => self.sources.add(Verdict::Permit, setting),
            b"contact_acl" => self.contacts.add_named(lists, setting),
            b"contact_deny" => self.contacts.add(Verdict::Deny, setting),
            _ => self.contacts.add(Verdict::Permit, setting),
        }
    }

    fn finish(self) -> (Access, Access) {
        (self.sources.finish(), self.contacts.finish())
    }
}

/// Complains about registrations of ours that a server which takes over would not see in time.
fn warn_of_late_refreshes(sections: &[Block<'_>], notes: &mut Notes) {
    let most = Expiration::HIGH_AVAILABILITY.maximum.as_secs();
    let is_ours = |section: &&Block<'_>| {
        section.kind().is_some_and(|kind| kind.value().eq_ignore_ascii_case(b"registration"))
    };
    for section in sections.iter().filter(is_ours) {
        let wish = section.last("expiration").and_then(super::value::parsed::<u64>);
        if wish.unwrap_or(3600) >= most {
            notes.error(
                codes::CONTRADICTION,
                section.place_of("expiration"),
                format!("with ha=yes, registration [{}] is refreshed too seldom", section.name()),
                "set expiration below 300, so that a server that takes over is registered soon",
            );
        }
    }
}

/// The sections, by type.
struct Objects<'a> {
    objects: Vec<(&'static str, Block<'a>)>,
}

/// The types that are read.
const KINDS: [&str; 9] =
    ["global", "system", "acl", "transport", "endpoint", "auth", "aor", "identify", "registration"];

impl<'a> Objects<'a> {
    fn sort(sections: &[Block<'a>], notes: &mut Notes) -> Self {
        let mut objects = vec![];
        for &section in sections {
            let kind = section.kind();
            let Some(kind) = kind else {
                notes.warn(
                    codes::SETTING_MISSING,
                    section.header,
                    format!("[{}] has no `type`", section.name()),
                    "the section is ignored; add type=endpoint, auth, aor, identify or transport",
                );
                continue;
            };
            let known = |known: &&str| kind.value().eq_ignore_ascii_case(known.as_bytes());
            if let Some(known) = KINDS.into_iter().find(known) {
                objects.push((known, section));
            } else if let Some((name, instead)) =
                keys::LATER_KINDS.iter().find(|(name, _)| known(name))
            {
                let message = format!("sections of type={name} are not supported yet");
                let diagnostic =
                    Diagnostic::warning(codes::SECTION_LATER, kind.value_span(), message);
                notes.once(diagnostic.with_help(*instead));
            } else {
                let kinds =
                    KINDS.into_iter().chain(keys::LATER_KINDS.iter().map(|(name, _)| *name));
                let help = match nearest(kind.value().as_bstr(), kinds) {
                    Some(nearest) => format!("did you mean type={nearest}? The section is ignored"),
                    None => "the section is ignored".to_owned(),
                };
                let message = format!("there is no section type `{}`", kind.value());
                notes.warn(codes::SECTION_UNKNOWN, kind.value_span(), message, &help);
            }
        }
        Self { objects }
    }

    /// The sections of a type, in order.
    fn of(&self, kind: &'static str) -> impl Iterator<Item = Block<'a>> + '_ {
        self.objects.iter().filter(move |(k, _)| *k == kind).map(|(_, section)| *section)
    }
}

/// Adds `item`, or complains that its name is taken.
fn insert<T: super::named::Name>(
    named: &mut Named<T>,
    item: T,
    section: &Block<'_>,
    kind: &str,
    notes: &mut Notes,
) {
    if named.insert(item).is_err() {
        notes.error(
            codes::DEFINED_TWICE,
            section.header,
            format!("there are two sections [{}] of type={kind}", section.name()),
            "give one another name, or add to the first with [name](+)",
        );
    }
}

/// The names in a list that `exists` knows; complains about the others.
fn resolved(
    names: &BStr,
    kind: &str,
    setting: &mut Setting<'_>,
    exists: impl Fn(&BStr) -> bool,
) -> Vec<BString> {
    let (known, unknown): (Vec<&BStr>, Vec<&BStr>) =
        super::value::list(names).partition(|name| exists(name));
    let span = setting.span();
    for name in unknown {
        setting.notes.error(
            codes::NAME_UNRESOLVED,
            span,
            format!("there is no section [{name}] with type={kind}"),
            "add the section, or correct the name",
        );
    }
    known.into_iter().map(ToOwned::to_owned).collect()
}

#[cfg(test)]
pub(super) const TABLES: [(&str, &super::key::KeyTable); 9] = [
    ("acl", &keys::ACL),
    ("global", &keys::GLOBAL),
    ("system", &keys::SYSTEM),
    ("transport", &keys::TRANSPORT),
    ("endpoint", &keys::ENDPOINT),
    ("auth", &keys::AUTH),
    ("aor", &keys::AOR),
    ("identify", &keys::IDENTIFY),
    ("registration", &keys::REGISTRATION),
];
