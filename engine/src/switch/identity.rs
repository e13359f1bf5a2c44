//! Who calls, who is talked to and who diverted the call, as headers say it: P-Asserted-Identity
//! and Privacy (RFC 3325, RFC 3323), Remote-Party-ID, Diversion (RFC 5806), History-Info (RFC 7044).

use std::net::SocketAddr;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::channel::{Party, Reason, Redirecting};

use crate::{
    config::Peer,
    sip::{HeaderName, Headers, NameAddr, NameAddrRef, Uri},
};

/// What a message says of people, as far as its sender is believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Identity {
    /// Who sent it; `None` when nothing but From tells, or nothing else is believed.
    pub(super) party: Option<Party>,
    /// Who diverted the call.
    pub(super) redirecting: Option<Box<Redirecting>>,
    /// The sender does not want to be shown.
    pub(super) privacy: Privacy,
}

/// Whether a name and number may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Privacy {
    #[default]
    Shown,
    Withheld,
}

impl Privacy {
    /// The Q.931 presentation.
    pub(super) fn presentation(self) -> i32 {
        match self {
            Self::Shown => 0,
            Self::Withheld => WITHHELD,
        }
    }

    /// What a party wants.
    pub(super) fn of(party: &Party) -> Self {
        if party.presentation() & 0x60 == WITHHELD { Self::Withheld } else { Self::Shown }
    }
}

impl Identity {
    /// What the headers of a message of this peer say.
    pub(super) fn read(headers: &Headers, peer: &Peer) -> Self {
        let mut identity = Self { privacy: asked_privacy(headers), ..Self::default() };
        if peer.trust_id_inbound {
            identity.party = asserted(headers);
        }
        identity.redirecting = diverted(headers).map(Box::new);
        identity
    }
}

/// Whom the peer's network vouches for.
fn asserted(headers: &Headers) -> Option<Party> {
    let privacy = asked_privacy(headers);
    if let Some(address) = headers.addresses(HeaderName::PAssertedIdentity).next() {
        return Some(party(&address, privacy));
    }
    let address = headers.addresses(HeaderName::RemotePartyId).next()?;
    let withheld = ["full", "name", "uri", "user"];
    let privacy = match parameter(&address, "privacy") {
        Some(value) if withheld.iter().any(|it| value.eq_ignore_ascii_case(it.as_bytes())) => {
            Privacy::Withheld
        }
        _ => privacy,
    };
    Some(party(&address, privacy))
}

fn asked_privacy(headers: &Headers) -> Privacy {
    let words = headers.values(HeaderName::Privacy).flat_map(|value| value.split_str(";"));
    let asks = |word: &[u8]| {
        let word = word.trim_ascii();
        ["id", "user", "header"].iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes()))
    };
    if words.into_iter().any(asks) { Privacy::Withheld } else { Privacy::Shown }
}

fn party(address: &NameAddrRef<'_>, privacy: Privacy) -> Party {
    let number = address.uri().user_decoded().unwrap_or_default();
    let name = address.display_name().unwrap_or_default();
    Party {
        name_presentation: privacy.presentation(),
        number_presentation: privacy.presentation(),
        ..Party::new(name.into_owned(), number.into_owned())
    }
}

/// Diversion lists the latest first; History-Info the first one first.
fn diverted(headers: &Headers) -> Option<Redirecting> {
    let diversions: Vec<_> = headers.addresses(HeaderName::Diversion).take(MOST_READ).collect();
    if let (Some(latest), Some(first)) = (diversions.first(), diversions.last()) {
        return Some(Redirecting {
            from: diverter(latest),
            original: diverter(first),
            reason: reason_of(latest),
            original_reason: reason_of(first),
            count: i32::try_from(diversions.len()).unwrap_or(i32::MAX),
            ..Redirecting::default()
        });
    }
    let history: Vec<_> = headers.addresses(HeaderName::HistoryInfo).take(MOST_READ).collect();
    // The last entry is where the call goes now; those before it are where it was.
    let (_, been) = history.split_last()?;
    let (first, latest) = (been.first()?, been.last()?);
    let reason = |entry: &NameAddrRef<'_>| {
        let cause = entry.uri().headers().find_map(|(name, value)| {
            name.eq_ignore_ascii_case("Reason").then(|| value.to_owned())
        });
        let text = match cause.as_deref().map(str::to_ascii_lowercase) {
            Some(cause) if cause.contains("486") => "user-busy",
            Some(cause) if cause.contains("408") || cause.contains("480") => "no-answer",
            Some(cause) if cause.contains("302") => "unconditional",
            _ => "unknown",
        };
        reason_named(text.into())
    };
    Some(Redirecting {
        from: diverter(latest),
        original: diverter(first),
        reason: reason(latest),
        original_reason: reason(first),
        count: i32::try_from(been.len()).unwrap_or(i32::MAX),
        ..Redirecting::default()
    })
}

fn diverter(address: &NameAddrRef<'_>) -> Party {
    let withheld =
        parameter(address, "privacy").is_some_and(|value| value.eq_ignore_ascii_case(b"full"));
    party(address, if withheld { Privacy::Withheld } else { Privacy::Shown })
}

fn reason_of(address: &NameAddrRef<'_>) -> Reason {
    reason_named(parameter(address, "reason").unwrap_or_default().as_bstr())
}

fn reason_named(text: &BStr) -> Reason {
    let text = text.trim_with(|character| character == '"');
    let known = REASONS.iter().position(|name| text.eq_ignore_ascii_case(name.as_bytes()));
    match known {
        Some(code) => Reason { code: code as u8, text: BString::default() },
        None => Reason { code: 0, text: text.into() },
    }
}

fn parameter<'a>(address: &NameAddrRef<'a>, name: &str) -> Option<&'a [u8]> {
    address.params().get(name).map(str::as_bytes)
}

/// What an INVITE to a peer says of the caller.
pub(super) struct Outward {
    pub(super) from: NameAddr,
    pub(super) headers: Headers,
}

/// The From and the identity headers of a call to `peer` on behalf of `caller`, that asks for
/// `target`. `local` is our own address as the peer knows it.
pub(super) fn outward(
    caller: &Party,
    redirecting: Option<&Redirecting>,
    peer: &Peer,
    target: &Uri,
    local: SocketAddr,
) -> Option<Outward> {
    let mut headers = Headers::default();
    let privacy = Privacy::of(caller);
    let number: &BStr = caller.number.as_ref().map(AsRef::as_ref).unwrap_or_default();
    let name: &BStr = caller.name.as_ref().map(AsRef::as_ref).unwrap_or_default();
    let is_hidden = privacy == Privacy::Withheld && !peer.trust_id_outbound;
    let user: &BStr = match &peer.from_user {
        Some(user) => user.as_ref(),
        None if is_hidden || number.is_empty() => "anonymous".into(),
        None => number,
    };
    let uri = match &peer.from_domain {
        Some(domain) => Uri::sip(user, &domain.to_str_lossy(), None).ok()?,
        None if is_hidden => Uri::sip(user, "anonymous.invalid", None).ok()?,
        None => Uri::sip_at(user, local),
    };
    let from = NameAddr::new(uri);
    let shown = if is_hidden { "Anonymous".into() } else { name.to_str_lossy() };
    let from = if shown.is_empty() { from } else { from.with_display_name(&shown) };
    if privacy == Privacy::Withheld {
        headers.push(HeaderName::Privacy, "id");
    }
    write_identity(&mut headers, caller, peer, local, Role::Calling);
    // Who diverted and wants to be unknown is told to those alone who may know callers, too.
    let may_know =
        |it: &&Redirecting| peer.trust_id_outbound || Privacy::of(&it.from) == Privacy::Shown;
    if let Some(redirecting) = redirecting.filter(may_know) {
        if peer.send_diversion {
            write_diversion(&mut headers, redirecting, local);
        }
        if peer.send_history_info {
            write_history(&mut headers, redirecting, target, local);
        }
    }
    Some(Outward { from, headers })
}

/// Whose identity a Remote-Party-ID tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Calling,
    Called,
}

/// Adds who we vouch for, where the peer is to be told.
pub(super) fn write_identity(
    headers: &mut Headers,
    party: &Party,
    peer: &Peer,
    local: SocketAddr,
    role: Role,
) {
    let withheld = Privacy::of(party) == Privacy::Withheld;
    let Some(number) = party.number.as_ref().filter(|number| !number.is_empty()) else { return };
    if withheld && !peer.trust_id_outbound {
        return;
    }
    let uri = Uri::sip_at(number, local);
    let name = party.name.as_ref().map(|name| name.to_str_lossy()).unwrap_or_default();
    let address = NameAddr::new(uri);
    let address = if name.is_empty() { address } else { address.with_display_name(&name) };
    if peer.send_pai {
        headers.push(HeaderName::PAssertedIdentity, address.to_string());
    }
    if peer.send_rpid {
        let privacy = if withheld { "full" } else { "off" };
        let role = match role {
            Role::Calling => "calling",
            Role::Called => "called",
        };
        let value = format!("{address};party={role};privacy={privacy};screen=no");
        headers.push(HeaderName::RemotePartyId, value);
    }
}

fn write_diversion(headers: &mut Headers, redirecting: &Redirecting, local: SocketAddr) {
    let Some(number) = redirecting.from.number.as_ref().filter(|number| !number.is_empty()) else {
        return;
    };
    let uri = Uri::sip_at(number, local);
    let name = redirecting.from.name.as_ref().map(|name| name.to_str_lossy()).unwrap_or_default();
    let address = NameAddr::new(uri);
    let address = if name.is_empty() { address } else { address.with_display_name(&name) };
    let reason = &redirecting.reason;
    let is_token = |text: &BString| text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
    let reason = match reason.text.is_empty() || !is_token(&reason.text) {
        true => REASONS.get(usize::from(reason.code)).copied().unwrap_or("unknown").into(),
        false => reason.text.to_str_lossy(),
    };
    headers.push(HeaderName::Diversion, format!("{address};reason={reason}"));
}

/// Where a call was before, and where it goes now (RFC 7044 §5).
fn write_history(
    headers: &mut Headers,
    redirecting: &Redirecting,
    target: &Uri,
    local: SocketAddr,
) {
    let Redirecting { from, original, .. } = redirecting;
    let number = |party: &Party| party.number.clone().filter(|number| !number.is_empty());
    let Some(latest) = number(from) else { return };
    let first = number(original).filter(|first| *first != latest);
    let first = first.map(|number| (number, &redirecting.original_reason));
    let mut index = String::from("1");
    for (number, reason) in first.into_iter().chain([(latest, &redirecting.reason)]) {
        let uri = Uri::sip_at(&number, local);
        let cause = cause_of(reason);
        let entry = format!("<{uri}?Reason=SIP%3Bcause%3D{cause}>;index={index}");
        headers.push(HeaderName::HistoryInfo, entry);
        index.push_str(".1");
    }
    headers.push(HeaderName::HistoryInfo, format!("<{target}>;index={index}"));
}

/// The status that stands for a reason (RFC 4458 §3); 302 for what has none of its own.
fn cause_of(reason: &Reason) -> u16 {
    match REASONS.get(usize::from(reason.code)) {
        Some(&"user-busy") => 486,
        Some(&"no-answer") => 408,
        Some(&"deflection") => 480,
        Some(&"unavailable" | &"out-of-service") => 503,
        _ => 302,
    }
}

/// The reasons of RFC 5806 in the order of the dialplan's codes (unknown, cfb, cfnr, unavailable,
/// time_of_day, dnd, deflection, follow_me, out_of_order, away, cf_dte, cfu, send_to_vm).
const REASONS: [&str; 13] = [
    "unknown",
    "user-busy",
    "no-answer",
    "unavailable",
    "time-of-day",
    "do-not-disturb",
    "deflection",
    "follow-me",
    "out-of-service",
    "away",
    "forward-dte",
    "unconditional",
    "send-to-voicemail",
];

/// Diversions that are read of one message.
const MOST_READ: usize = 16;

/// Q.931: presentation restricted.
const WITHHELD: i32 = 0x20;

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted() -> Peer {
        Peer { trust_id_inbound: true, ..Peer::new("trunk") }
    }

    fn headers(list: &[(HeaderName, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in list {
            headers.push(*name, *value);
        }
        headers
    }

    #[test]
    fn an_asserted_identity_is_believed_only_of_a_trusted_peer() {
        let said = headers(&[
            (HeaderName::PAssertedIdentity, "\"Cullen\" <sip:+33123@192.0.2.1>"),
            (HeaderName::Privacy, "id;critical"),
        ]);
        let identity = Identity::read(&said, &trusted());
        let party = identity.party.expect("asserted");
        assert_eq!(party.number.as_ref().expect("a number"), "+33123");
        assert_eq!(party.name.as_ref().expect("a name"), "Cullen");
        assert_eq!(Privacy::of(&party), Privacy::Withheld);
        assert_eq!(Identity::read(&said, &Peer::new("phone")).party, None);
    }

    #[test]
    fn diversions_are_read_latest_first() {
        let said = headers(&[
            (HeaderName::Diversion, "<sip:2@a>;reason=user-busy"),
            (HeaderName::Diversion, "<sip:1@a>;reason=unconditional"),
        ]);
        let redirecting = Identity::read(&said, &trusted()).redirecting.expect("diverted");
        assert_eq!(redirecting.count, 2);
        assert_eq!(redirecting.from.number.as_ref().expect("a number"), "2");
        assert_eq!(redirecting.original.number.as_ref().expect("a number"), "1");
        assert_eq!((redirecting.reason.code, redirecting.original_reason.code), (1, 11));
    }

    #[test]
    fn a_withheld_number_leaves_only_towards_those_we_trust() {
        let caller = Party { number_presentation: WITHHELD, ..Party::new("Al", "100") };
        let peer = Peer { send_pai: true, ..Peer::new("trunk") };
        let said = outward(&caller, None, &peer, &target(), ([192, 0, 2, 9], 5060).into())
            .expect("an address");
        assert_eq!(said.from.uri().host_str(), "anonymous.invalid");
        assert_eq!(said.headers.text(HeaderName::Privacy), Some("id"));
        assert_eq!(said.headers.text(HeaderName::PAssertedIdentity), None);
        let peer = Peer { trust_id_outbound: true, ..peer };
        let said = outward(&caller, None, &peer, &target(), ([192, 0, 2, 9], 5060).into())
            .expect("an address");
        assert_eq!(said.from.uri().user(), Some("100"));
        let asserted = said.headers.text(HeaderName::PAssertedIdentity).expect("asserted");
        assert!(asserted.contains("sip:100@192.0.2.9"), "{asserted}");
    }

    fn target() -> Uri {
        Uri::parse("sip:300@192.0.2.1").expect("an address")
    }

    #[test]
    fn history_is_read_as_it_is_written() {
        let peer = Peer { send_history_info: true, send_diversion: false, ..Peer::new("trunk") };
        let reason = |code| Reason { code, text: BString::default() };
        let redirecting = Redirecting {
            from: Party::new("", "2"),
            original: Party::new("", "1"),
            reason: reason(1),
            original_reason: reason(11),
            ..Redirecting::default()
        };
        let said = |it: &Redirecting| {
            outward(&Party::new("", "9"), Some(it), &peer, &target(), ([192, 0, 2, 9], 5060).into())
                .expect("an address")
                .headers
        };
        let headers = said(&redirecting);
        assert_eq!(headers.text(HeaderName::Diversion), None);
        let entries: Vec<_> = headers.addresses(HeaderName::HistoryInfo).collect();
        let users: Vec<_> = entries.iter().filter_map(|entry| entry.uri().user()).collect();
        assert_eq!(users, ["1", "2", "300"]);
        assert_eq!(entries.last().and_then(|last| last.params().get("index")), Some("1.1.1"));
        let again = diverted(&headers).expect("diverted");
        assert_eq!(again.from.number, redirecting.from.number);
        assert_eq!(again.original.number, redirecting.original.number);
        assert_eq!((again.reason.code, again.original_reason.code), (1, 11));
        let hidden = Party { number_presentation: WITHHELD, ..Party::new("", "2") };
        let headers = said(&Redirecting { from: hidden, ..redirecting });
        assert_eq!(headers.text(HeaderName::HistoryInfo), None, "who wants to be unknown");
    }
}
