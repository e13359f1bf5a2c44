//! What offer and answer say of RTCP: its port (RFC 3605), or that it has none of its own (RFC 5761),
//! and the profile with feedback (RFC 4585), which is taken without giving or heeding any.

use std::net::{IpAddr, SocketAddr};

use super::description::{Attribute, MediaDescription};
use crate::media::{RtcpMux, RtcpPath};

/// The profiles we speak: a peer that offers feedback is answered in its words.
pub(super) fn is_spoken(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case(PROFILE) || protocol.eq_ignore_ascii_case(FEEDBACK_PROFILE)
}

/// Puts a stream of ours into the profile that is in use, and says whether RTCP shares its port.
pub(super) fn complete(
    mut ours: MediaDescription,
    profile: &str,
    shares: bool,
) -> MediaDescription {
    let known =
        if profile.eq_ignore_ascii_case(FEEDBACK_PROFILE) { FEEDBACK_PROFILE } else { PROFILE };
    known.clone_into(&mut ours.protocol);
    if shares {
        ours.attributes.push(Attribute::flag(MUX));
    }
    ours
}

/// Whether an offer or answer says that RTCP shares the port of the media.
pub(super) fn shares_port(media: &MediaDescription) -> bool {
    media.attribute(MUX).is_some()
}

/// Where the peer wants reports, given where it wants media. `muxed`: both agreed to share ports.
pub(super) fn path(media: &MediaDescription, remote: Option<SocketAddr>, muxed: bool) -> RtcpPath {
    if muxed {
        return RtcpPath::Muxed;
    }
    let Some(remote) = remote else { return RtcpPath::Separate };
    match media.attribute("rtcp").and_then(|text| named(text, remote)) {
        Some(address) if remote.port().checked_add(1) != Some(address.port()) => {
            RtcpPath::SeparateTo(address)
        }
        Some(address) if address.ip() != remote.ip() => RtcpPath::SeparateTo(address),
        _ => RtcpPath::Separate,
    }
}

/// `PORT [IN IP4|IP6 ADDRESS]`; what cannot be meant is as if it were not said.
fn named(text: &str, remote: SocketAddr) -> Option<SocketAddr> {
    let mut words = text.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|&port: &u16| port != 0)?;
    let Some(_network) = words.next() else { return Some(SocketAddr::new(remote.ip(), port)) };
    let ip: IpAddr = words.nth(1)?.parse().ok()?;
    let is_host = !ip.is_multicast() && !ip.is_unspecified() && ip.is_ipv6() == remote.is_ipv6();
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    (is_host && !is_broadcast).then_some(SocketAddr::new(ip, port))
}

/// Whether an offered sharing is taken.
pub(super) fn accepts(mux: RtcpMux) -> bool {
    mux != RtcpMux::Never
}

const MUX: &str = "rtcp-mux";
const PROFILE: &str = "RTP/AVP";
const FEEDBACK_PROFILE: &str = "RTP/AVPF";

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        media::Direction,
        sdp::{Capabilities, NegotiationError, OfferAnswer, SessionDescription},
    };

    fn local() -> SocketAddr {
        "198.51.100.1:10000".parse().unwrap()
    }

    fn session(rtcp_mux: RtcpMux) -> OfferAnswer {
        OfferAnswer::new(Capabilities { rtcp_mux, ..Capabilities::default() }, 1000)
    }

    fn sdp(media: &str) -> SessionDescription {
        let head = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n";
        SessionDescription::parse(format!("{head}{media}").as_bytes()).unwrap()
    }

    fn read(bytes: &Bytes) -> MediaDescription {
        SessionDescription::parse(bytes).unwrap().media.remove(0)
    }

    fn answered(mux: RtcpMux, media: &str) -> (MediaDescription, RtcpPath) {
        let (answer, negotiated) =
            session(mux).handle_offer(&sdp(media), local(), Direction::SendReceive).unwrap();
        (read(&answer), negotiated.rtcp)
    }

    #[test]
    fn reports_go_to_the_port_above_or_where_the_offer_says() {
        let to = |address: &str| RtcpPath::SeparateTo(address.parse().unwrap());
        for (attribute, expected) in [
            ("", RtcpPath::Separate),
            ("a=rtcp:4001\n", RtcpPath::Separate),
            ("a=rtcp:53020\n", to("192.0.2.1:53020")),
            ("a=rtcp:53020 IN IP4 192.0.2.9\n", to("192.0.2.9:53020")),
            ("a=rtcp:4001 IN IP4 192.0.2.9\n", to("192.0.2.9:4001")),
            ("a=rtcp:0\n", RtcpPath::Separate),
            ("a=rtcp:70000\n", RtcpPath::Separate),
            ("a=rtcp\n", RtcpPath::Separate),
            ("a=rtcp:53020 IN\n", RtcpPath::Separate),
            // Never to a group, nor in another family than media.
            ("a=rtcp:53020 IN IP4 224.0.0.1\n", RtcpPath::Separate),
            ("a=rtcp:53020 IN IP4 255.255.255.255\n", RtcpPath::Separate),
            ("a=rtcp:53020 IN IP4 0.0.0.0\n", RtcpPath::Separate),
            ("a=rtcp:53020 IN IP6 2001:db8::1\n", RtcpPath::Separate),
            ("a=rtcp:53020 IN IP4 host.example\n", RtcpPath::Separate),
        ] {
            let (_, path) =
                answered(RtcpMux::IfOffered, &format!("m=audio 4000 RTP/AVP 8\n{attribute}"));
            assert_eq!(path, expected, "{attribute}");
        }
    }

    #[test]
    fn a_shared_port_is_taken_when_offered_unless_it_is_refused() {
        let offer = "m=audio 4000 RTP/AVP 8\na=rtcp-mux\na=rtcp:53020\n";
        for (mux, expected) in [
            (RtcpMux::IfOffered, RtcpPath::Muxed),
            (RtcpMux::Offer, RtcpPath::Muxed),
            (RtcpMux::Never, RtcpPath::SeparateTo("192.0.2.1:53020".parse().unwrap())),
        ] {
            let (answer, path) = answered(mux, offer);
            assert_eq!(path, expected);
            assert_eq!(shares_port(&answer), path == RtcpPath::Muxed);
        }
        // An answer never says what was not offered (RFC 5761 §5.1.1).
        let (answer, path) = answered(RtcpMux::Offer, "m=audio 4000 RTP/AVP 8\n");
        assert_eq!((shares_port(&answer), path), (false, RtcpPath::Separate));
    }

    #[test]
    fn our_offer_says_it_where_wanted_and_the_answer_decides() {
        for (mux, answer, offered, expected) in [
            (RtcpMux::Offer, "a=rtcp-mux\n", true, RtcpPath::Muxed),
            (RtcpMux::Offer, "", true, RtcpPath::Separate),
            (RtcpMux::IfOffered, "", false, RtcpPath::Separate),
            // Said though it was not offered: it means nothing.
            (RtcpMux::IfOffered, "a=rtcp-mux\n", false, RtcpPath::Separate),
        ] {
            let mut session = session(mux);
            let offer = session.offer(local(), Direction::SendReceive).unwrap();
            assert_eq!(shares_port(&read(&offer)), offered);
            let answer = sdp(&format!("m=audio 4000 RTP/AVP 8\n{answer}"));
            assert_eq!(session.handle_answer(&answer).unwrap().rtcp, expected);
        }
    }

    #[test]
    fn what_was_agreed_is_offered_again() {
        let mut session = session(RtcpMux::IfOffered);
        let offer = sdp("m=audio 4000 RTP/AVPF 8\na=rtcp-mux\na=rtcp-fb:* nack\n");
        let (answer, _) = session.handle_offer(&offer, local(), Direction::SendReceive).unwrap();
        let hold = session.offer(local(), Direction::SendOnly).unwrap();
        for ours in [read(&answer), read(&hold)] {
            assert!(shares_port(&ours));
            assert_eq!(ours.protocol, "RTP/AVPF");
            assert_eq!(ours.attribute("rtcp-fb"), None, "no feedback is promised");
        }
    }

    #[test]
    fn the_profile_of_the_offer_is_the_answers() {
        for (profile, expected) in [("RTP/AVP", "RTP/AVP"), ("rtp/avpf", "RTP/AVPF")] {
            let (answer, _) = answered(RtcpMux::IfOffered, &format!("m=audio 4000 {profile} 8\n"));
            assert_eq!(answer.protocol, expected);
        }
        let secure = sdp("m=audio 4000 RTP/SAVPF 8\n");
        let refused = session(RtcpMux::IfOffered).check_offer(&secure, local());
        assert_eq!(refused, Err(NegotiationError::NothingInCommon));
    }
}
