//! Who calls and who is talked to, as headers say it: P-Asserted-Identity and Privacy (RFC 3325,
//! RFC 3323), Remote-Party-ID. Who diverted the call: see `diversions`.

use std::net::SocketAddr;

use bstr::{BStr, ByteSlice};
use diesis_dialplan::channel::{Party, Redirecting};

use super::diversions;
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
        identity.redirecting = diversions::redirecting(headers).map(Box::new);
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

pub(super) fn party(address: &NameAddrRef<'_>, privacy: Privacy) -> Party {
    let number = address.uri().user_decoded().unwrap_or_default();
    let name = address.display_name().unwrap_or_default();
    Party {
        name_presentation: privacy.presentation(),
        number_presentation: privacy.presentation(),
        ..Party::new(name.into_owned(), number.into_owned())
    }
}

pub(super) fn parameter<'a>(address: &NameAddrRef<'a>, name: &str) -> Option<&'a [u8]> {
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
            diversions::write_diversion(&mut headers, redirecting, local);
        }
        if peer.send_history_info {
            diversions::write_history(&mut headers, redirecting, target, local);
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

/// Q.931: presentation restricted.
const WITHHELD: i32 = 0x20;

#[cfg(test)]
mod tests {
    use bstr::BString;
    use diesis_dialplan::channel::Reason;

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
        let again = diversions::redirecting(&headers).expect("diverted");
        assert_eq!(again.from.number, redirecting.from.number);
        assert_eq!(again.original.number, redirecting.original.number);
        assert_eq!((again.reason.code, again.original_reason.code), (1, 11));
        let hidden = Party { number_presentation: WITHHELD, ..Party::new("", "2") };
        let headers = said(&Redirecting { from: hidden, ..redirecting });
        assert_eq!(headers.text(HeaderName::HistoryInfo), None, "who wants to be unknown");
    }
}
