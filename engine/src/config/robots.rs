//! `robots.conf`: ranges of numbers that register at a telephone system and take its calls.
//!
//! Each section is a range; templates and `(+)` work as in every file. Its calls are those of a
//! peer of the section's name, made from the endpoint it names, or from defaults. Ranges that name
//! the same application are its pool: see `settings`.

mod check;
mod mapping;
mod settings;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use bstr::{BString, ByteSlice};
use diesis_dialplan::plan::Plan;

use super::codes;
use super::keys;
use super::notes::Notes;
use super::registration::{EXPIRATIONS, INTERVALS, Line, Origin, RETRY_INTERVAL, Registration};
use super::secret::Secret;
use super::setting::{Block, Setting};
use super::settings::{AuthCredentials, AuthSecret, Peer, SipSettings};
use super::value;
use crate::sip::registration::AuthRejection;
use crate::sip::{NameAddr, Scheme, Uri};

pub(super) use check::unresolved;
use mapping::Mappings;
pub use settings::{AttributedBy, Numbering, RobotRange, WhenBusy, WhichDiverter};

/// Adds the ranges of the file to what `pjsip.conf` says. With a plan, their contexts must be in it.
pub(super) fn read(
    sections: &[Block<'_>],
    sip: &mut SipSettings,
    plan: Option<&Plan>,
    notes: &mut Notes,
) {
    let mut total = 0;
    let mut taken: HashMap<(String, BString), BString> = HashMap::new();
    let sections_of_pjsip: HashSet<BString> =
        sip.registrations.iter().map(|it| it.section.clone()).collect();
    let uses = plan.map(check::Uses::of);
    for section in sections {
        if section.is("general") {
            if !section.is_empty() {
                notes.warn(
                    codes::SECTION_UNKNOWN,
                    section.header,
                    "[general] of robots.conf is no range and has no effect".to_owned(),
                    "write what ranges share into a template: [all](!), then [robots](all)",
                );
            }
            continue;
        }
        let Some(range) = Range::read(section, sip, notes) else { continue };
        total += range.count;
        if total > MOST_ROBOTS {
            let message = format!("there are more than {MOST_ROBOTS} robots");
            let help = "spread them over several engines";
            notes.error(codes::VALUE_INVALID, section.place_of("count"), message, help);
            return;
        }
        if let Some(plan) = plan {
            check::warn_of_missing_steps(section, &range, plan, notes);
        }
        if let Some(uses) = &uses {
            uses.judge(section, &range, notes);
        }
        let name = section.name();
        if sip.peers.get(name).is_some() || sections_of_pjsip.contains(name) {
            notes.error(
                codes::DEFINED_TWICE,
                section.header,
                format!("[{name}] is the name of an endpoint or registration of pjsip.conf, too"),
                "give the range another name",
            );
            continue;
        }
        for number in &range.calls.numbers {
            let key = (range.registrar.as_str().to_ascii_lowercase(), number.clone());
            if let Some(other) = taken.insert(key, name.to_owned()) {
                notes.error(
                    codes::DEFINED_TWICE,
                    section.place_of("first"),
                    format!("robot {number} is in [{other}] already"),
                    "ranges at one registrar must not overlap",
                );
                break;
            }
            sip.registrations.extend(range.registration(number.clone()));
        }
        // The names are the peers'.
        let _ = sip.robots.insert(range.calls);
        if sip.peers.insert(range.peer).is_err() {
            let message = format!("there are two sections [{name}]");
            let help = "give one another name, or add to the first with [name](+)";
            notes.error(codes::DEFINED_TWICE, section.header, message, help);
        }
    }
}

/// One section.
struct Range {
    name: BString,
    count: u32,
    password: BString,
    username: Option<BString>,
    realm: Option<BString>,
    registrar: Uri,
    /// The domain of the numbers, where it is not the registrar's host.
    domain: Option<String>,
    proxy: Option<Uri>,
    transport: Option<BString>,
    expiration: Duration,
    retry_interval: Duration,
    line: Line,
    /// Whose calls are those for these numbers.
    peer: Peer,
    /// What becomes of them.
    calls: RobotRange,
}

impl Range {
    /// Reads a section; complains and gives `None` when it is of no use.
    fn read(section: &Block<'_>, sip: &SipSettings, notes: &mut Notes) -> Option<Self> {
        let (mut first, mut count): (Option<BString>, u32) = (None, 0);
        let mut password = BString::from(DEFAULT_PASSWORD);
        let (mut username, mut realm) = (None, None);
        let (mut registrar, mut domain, mut proxy) = (None, None, None);
        let (mut context, mut template, mut transport) = (None, None, None);
        let (mut expiration, mut retry) = (EXPIRATION, RETRY_INTERVAL);
        let mut has_line = true;
        let mut calls = RobotRange::new(section.name());
        let mut mappings = Mappings::default();
        section.each(&keys::ROBOTS, notes, |name, setting| match name {
            b"first" => match setting.value().iter().all(u8::is_ascii_digit) {
                true if (1..=MOST_DIGITS).contains(&setting.value().len()) => {
                    first = Some(setting.value().to_owned());
                }
                _ => setting.invalid("a number of digits alone, such as 6000"),
            },
            b"count" => setting.number(&mut count, 1..=MOST_ROBOTS),
            b"password" => setting.text(&mut password),
            b"username" => setting.optional_text(&mut username),
            b"realm" => setting.optional_text(&mut realm),
            b"registrar" => address(&mut registrar, setting),
            b"outbound_proxy" => address(&mut proxy, setting),
            b"domain" => {
                let text = setting.value().to_str().unwrap_or_default();
                match Uri::parse(&format!("sip:{text}")) {
                    Ok(uri) if uri.host_str() == text => domain = Some(text.to_owned()),
                    _ => setting.invalid("a domain, such as example.com"),
                }
            }
            b"context" => setting.optional_text(&mut context),
            b"endpoint" => {
                let name = setting.value();
                match sip.peers.get(name) {
                    Some(peer) => template = Some(peer.clone()),
                    None => {
                        let span = setting.span();
                        let message = format!("pjsip.conf has no endpoint [{name}]");
                        let help = "add the section, or correct the name";
                        setting.notes.error(codes::NAME_UNRESOLVED, span, message, help);
                    }
                }
            }
            b"transport" => {
                let name = setting.value();
                match sip.transports.iter().any(|it| it.name == name) {
                    true => setting.optional_text(&mut transport),
                    false => {
                        let span = setting.span();
                        let message = format!("pjsip.conf has no transport [{name}] to use");
                        let help = "add the section, or correct the name";
                        setting.notes.error(codes::NAME_UNRESOLVED, span, message, help);
                    }
                }
            }
            b"expiration" => setting.seconds(&mut expiration, EXPIRATIONS),
            b"retry_interval" => setting.seconds(&mut retry, INTERVALS),
            b"line" => setting.yes_no(&mut has_line),
            b"application" => match is_word(setting.value()) {
                true => calls.pool = setting.value().to_ascii_lowercase().into(),
                false => setting.invalid("the name of an application, such as rules"),
            },
            b"lines" => setting.number(&mut calls.lines, 1..=MOST_LINES),
            b"when_busy" => match setting.value().to_ascii_lowercase().as_slice() {
                b"next" => calls.when_busy = WhenBusy::Next,
                b"range" => calls.when_busy = WhenBusy::Range,
                b"refuse" => calls.when_busy = WhenBusy::Refuse,
                _ => setting.invalid(
                    "`next` (another robot of the range, else of the pool), `range` (of the range \
                     alone) or `refuse`",
                ),
            },
            b"attribution" => attribution(&mut calls.attribution, setting),
            b"diverter" => match setting.value().to_ascii_lowercase().as_slice() {
                b"first" => calls.diverter = WhichDiverter::First,
                b"last" => calls.diverter = WhichDiverter::Last,
                _ => setting.invalid("`first` or `last` of those that diverted the call"),
            },
            b"numbering" => match value::yes_no(setting.value()) {
                Some(true) => calls.numbering = Numbering::Applied,
                Some(false) => calls.numbering = Numbering::Left,
                None => setting.invalid("`yes` or `no`"),
            },
            b"map" => mappings.read(setting),
            _ => setting.judge(),
        });
        for (name, help) in [
            ("first", "add the first number, such as first=6000"),
            ("count", "add how many there are, such as count=500"),
            ("registrar", "add the telephone system, such as registrar=192.0.2.10"),
        ] {
            if !section.has(name) {
                let message = format!("[{}] has no `{name}`", section.name());
                notes.error(codes::SETTING_MISSING, section.header, message, help);
            }
        }
        if context.is_none() && !section.has("endpoint") {
            let message = format!("[{}] has no `context`", section.name());
            let help = "add the context that calls enter with the number as extension";
            notes.error(codes::SETTING_MISSING, section.header, message, help);
        }
        let (first, registrar) = (first?, registrar?);
        if count == 0 {
            return None;
        }
        let digits = first.len();
        let number: u128 = first.to_str().ok()?.parse().ok()?;
        if (number + u128::from(count - 1)).to_string().len() > digits {
            notes.error(
                codes::CONTRADICTION,
                section.place_of("count"),
                format!("{count} numbers from {first} on have not all {digits} digits"),
                "begin lower, write leading zeros, or take fewer",
            );
            return None;
        }
        let all = 0..u128::from(count);
        calls.numbers = all.map(|n| format!("{:0digits$}", number + n).into()).collect();
        calls.users = mappings.resolve(&calls.numbers, notes);
        let mut peer = template.unwrap_or_else(|| Peer::new(section.name()));
        peer.name = section.name().to_owned();
        peer.context = context.unwrap_or(peer.context);
        // It is recognised by the registration alone, and that is the proof.
        peer.identify_by.clear();
        peer.auth.clear();
        peer.aors.clear();
        Some(Self {
            name: section.name().to_owned(),
            count,
            password,
            username,
            realm,
            registrar,
            domain,
            proxy,
            transport,
            expiration,
            retry_interval: retry,
            line: if has_line { Line::Marked } else { Line::Unmarked },
            peer,
            calls,
        })
    }

    /// `None` can not be: the parts were read as parts of URIs.
    fn registration(&self, number: BString) -> Option<Registration> {
        let scheme = if self.registrar.scheme() == Scheme::Sips { "sips" } else { "sip" };
        let host = self.domain.as_deref().unwrap_or_else(|| self.registrar.host_str());
        let own = Uri::parse(&format!("{scheme}:{number}@{host}")).ok()?;
        let (registrar, next_hop) = match &self.domain {
            Some(domain) => {
                let registrar = Uri::parse(&format!("{scheme}:{domain}")).ok()?;
                (registrar, Some(self.registrar.clone()))
            }
            None => (self.registrar.clone(), None),
        };
        let proxies = self.proxy.iter().map(|proxy| match proxy.is_loose_router() {
            true => NameAddr::new(proxy.clone()),
            false => {
                let loose = proxy.with_parameter("lr", None);
                NameAddr::new(loose.unwrap_or_else(|_| proxy.clone()))
            }
        });
        let next_hop = next_hop.filter(|_| self.proxy.is_none());
        Some(Registration {
            section: self.name.clone(),
            origin: Origin::Robot,
            registrar,
            next_hop,
            address_of_record: NameAddr::new(own),
            contact_parameters: String::new(),
            proxies: proxies.collect(),
            transport: self.transport.clone(),
            credentials: vec![AuthCredentials {
                name: self.name.clone(),
                username: self.username.clone().unwrap_or_else(|| number.clone()),
                realm: self.realm.clone(),
                secret: AuthSecret::Password(Secret::new(self.password.clone())),
            }],
            number,
            expiration: self.expiration,
            retry_interval: self.retry_interval,
            // A telephone system may yet learn the numbers, and nobody watches five hundred of them.
            forbidden_retry_interval: Some(REFUSED_RETRY),
            fatal_retry_interval: Some(REFUSED_RETRY),
            max_retries: None,
            auth_rejection: AuthRejection::Permanent,
            peer: Some(self.name.clone()),
            line: self.line,
            extensions: vec![],
        })
    }
}

/// Takes an address to send to: a host with or without port, or a SIP URI.
fn address(field: &mut Option<Uri>, setting: Setting<'_>) {
    let text = setting.value().to_str().unwrap_or_default();
    let is_uri = ["sip:", "sips:"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let uri = match text.parse::<IpAddr>() {
        // A bare IPv6 address.
        Ok(ip @ IpAddr::V6(_)) => Uri::parse(&format!("sip:[{ip}]")),
        _ if is_uri => Uri::parse(text),
        _ => Uri::parse(&format!("sip:{text}")),
    };
    match uri {
        Ok(uri) if uri.user().is_none() && uri.as_ref().headers_str().is_empty() => {
            *field = Some(uri);
        }
        _ => setting.invalid("a host with or without port, or a URI such as sip:pbx.example.com"),
    }
}

/// Takes by what a call is attributed, in its order.
fn attribution(field: &mut Vec<AttributedBy>, setting: Setting<'_>) {
    let words: Vec<_> = setting.value().split_str(",").map(<[u8]>::trim_ascii).collect();
    let found: Option<Vec<_>> = match words.as_slice() {
        [word] if word.eq_ignore_ascii_case(b"none") => Some(vec![]),
        words => words.iter().map(|word| AttributedBy::named(word)).collect(),
    };
    let is_once = |found: &Vec<_>| found.iter().collect::<HashSet<_>>().len() == found.len();
    match found.filter(is_once) {
        Some(found) => *field = found,
        None => setting.invalid("some of diversion, history-info, to, mapping, each once; or none"),
    }
}

/// Whether it can be the name of an application.
fn is_word(text: &[u8]) -> bool {
    let is_fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    !text.is_empty() && text.len() <= MOST_NAME && text.iter().all(is_fit)
}

/// What the robots of TWS have.
const DEFAULT_PASSWORD: &str = "0000";
/// As softphones there: with it a lost registrar has all robots back within some two minutes.
const EXPIRATION: Duration = Duration::from_secs(120);
/// How often somebody who was refused asks again: each time is a line in the log of the other side.
const REFUSED_RETRY: Duration = Duration::from_secs(300);
/// Robots of one file. They begin 20 ms apart: the last after some three minutes.
const MOST_ROBOTS: u32 = 10_000;
/// The longest number.
const MOST_DIGITS: usize = 32;
/// Calls that a robot may take at a time.
const MOST_LINES: u32 = 1000;
/// The longest name of an application.
const MOST_NAME: usize = 64;
