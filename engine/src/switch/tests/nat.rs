//! Peers behind address translation, and an exchange behind it.

use std::net::SocketAddr;

use super::*;
use crate::{
    config::{TransportProtocol, TransportSettings},
    media::Latching,
    sip::{Message, Method, Request, Transport},
};

const PLAN: &str = "
[office]
exten => 100,1,Answer()
same => n,Wait(30)
exten => 102,1,Dial(PJSIP/bob,20)
";

/// An exchange where every peer is as `change` makes it.
fn exchange(change: impl Fn(&mut Peer)) -> Exchange {
    let mut settings = SipSettings::default();
    for name in ["alice", "bob"] {
        let mut peer = peer(name, "office");
        change(&mut peer);
        settings.peers.insert(peer).expect("a new name");
        settings.aors.insert(aor(name)).expect("a new name");
    }
    Exchange::new(SwitchConfig { sip: Arc::new(settings), ..config() }, PLAN, &[])
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The first request that was sent to this address.
fn request_to(exchange: &mut Exchange, to: SocketAddr) -> Option<Request> {
    exchange.letters_to(to).into_iter().find_map(|letter| {
        match Message::parse(letter, &Default::default()) {
            Ok(Message::Request(request)) => Some(request),
            _ => None,
        }
    })
}

#[test]
fn force_rport_answers_where_the_request_came_from_without_being_asked() {
    let mut exchange = exchange(|_| {});
    let mut alice = alice().behind_translator(address("203.0.113.7:40000"));
    assert_eq!(alice.options(&mut exchange), 200);
    assert_eq!(alice.register(&mut exchange, "alice"), 200);
    alice.dial(&mut exchange, "100");
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    alice.reinvite(&mut exchange, "sendonly");
    assert_eq!(alice.last_status(), Some(200));
    alice.bye(&mut exchange);
    assert_eq!(alice.last_status(), Some(200), "within the call as well");
    exchange.assert_nothing_left();
}

#[test]
fn a_stranger_behind_a_translator_hears_the_challenge() {
    let mut exchange = exchange(|_| {});
    let mut mallory =
        Phone::new("mallory", "guess", 9).behind_translator(address("203.0.113.9:40000"));
    assert_eq!(mallory.options(&mut exchange), 401);
}

#[test]
fn without_force_rport_answers_go_to_the_port_in_the_via() {
    let mut exchange = exchange(|peer| peer.force_rport = false);
    let sends = address("127.0.1.1:40000");
    let mut alice = alice().sending_from(sends);
    assert_eq!(alice.options(&mut exchange), 200);
    assert_eq!(alice.register(&mut exchange, "alice"), 200);
    alice.dial(&mut exchange, "100");
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    alice.bye(&mut exchange);
    assert_eq!(alice.last_status(), Some(200), "within the call as well");
    assert!(exchange.letters_to(sends).is_empty());
    exchange.assert_nothing_left();
}

/// A phone at 203.0.113.7 calls, telling to be reached at 198.51.100.1; where the BYE goes.
fn bye_goes_to(rewrite_contact: bool) -> SocketAddr {
    let (source, contact) = (address("203.0.113.7:40000"), address("198.51.100.1:5070"));
    let mut exchange = exchange(|peer| peer.rewrite_contact = rewrite_contact);
    let mut alice = alice().seen_at(source).calling_itself(contact);
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    exchange.run_for(secs(31));
    let to = [source, contact]
        .into_iter()
        .find(|to| request_to(&mut exchange, *to).is_some_and(|it| *it.method() == Method::Bye));
    to.expect("a BYE")
}

#[test]
fn rewrite_contact_sends_requests_within_a_call_to_the_source() {
    assert_eq!(bye_goes_to(true), address("203.0.113.7:40000"));
    assert_eq!(bye_goes_to(false), address("198.51.100.1:5070"));
}

#[test]
fn a_private_contact_seen_from_a_public_address_is_not_believed_in_any_case() {
    let mut exchange = exchange(|peer| peer.rewrite_contact = false);
    let public = address("203.0.113.7:40000");
    let mut alice = alice().behind_translator(public);
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    exchange.run_for(secs(31));
    assert!(request_to(&mut exchange, public).is_some_and(|it| *it.method() == Method::Bye));
}

/// Where the INVITE of a Dial goes to a phone that registered another address than it is seen at.
fn dialled_at(rewrite_contact: bool) -> SocketAddr {
    let (source, contact) = (address("203.0.113.8:40000"), address("198.51.100.1:5070"));
    let mut exchange = exchange(|peer| peer.rewrite_contact = rewrite_contact);
    let mut bob = Phone::new("bob", "bob-password", 2).seen_at(source).calling_itself(contact);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    alice().dial(&mut exchange, "102");
    let to = [source, contact].into_iter().find(|to| request_to(&mut exchange, *to).is_some());
    to.expect("an INVITE")
}

#[test]
fn rewrite_contact_calls_a_registered_phone_at_the_source_of_its_register() {
    assert_eq!(dialled_at(true), address("203.0.113.8:40000"));
    assert_eq!(dialled_at(false), address("198.51.100.1:5070"));
}

#[test]
fn phones_with_the_same_private_address_in_two_places_are_two_contacts() {
    for (rewrite_contact, contacts) in [(true, 2), (false, 1)] {
        let mut settings = sip();
        let bobs = Aor { max_contacts: 2, ..aor("home") };
        settings.aors.insert(bobs).expect("a new name");
        let home = Peer { rewrite_contact, ..peer("home", "office") };
        settings.peers.insert(home).expect("a new name");
        let config = SwitchConfig { sip: Arc::new(settings), ..config() };
        let mut exchange = Exchange::new(config, PLAN, &[]);
        for (host, public) in [(1, "203.0.113.7:40000"), (2, "203.0.113.8:40000")] {
            let phone = Phone::new("home", "home-password", host);
            let mut phone = phone.behind_translator(address(public));
            assert_eq!(phone.register(&mut exchange, "home"), 200);
        }
        let bound = exchange.switch.registrar.bindings("home".into(), exchange.now.instant);
        assert_eq!(bound.len(), contacts, "rewrite_contact={rewrite_contact}");
    }
}

#[test]
fn a_far_private_address_that_happens_to_be_ours_can_register_behind_a_translator() {
    let ours = address("127.0.0.1:5060");
    for (rewrite_contact, status) in [(true, 200), (false, 403)] {
        let mut exchange = exchange(|peer| peer.rewrite_contact = rewrite_contact);
        let bob = Phone::new("bob", "bob-password", 2).seen_at(address("203.0.113.8:40000"));
        let mut bob = bob.calling_itself(ours);
        assert_eq!(bob.register(&mut exchange, "bob"), status);
    }
}

#[test]
fn rtp_symmetric_lets_media_follow_the_signalling_host_only() {
    let public = address("203.0.113.7:40000");
    for (rtp_symmetric, latching) in [(true, Latching::Symmetric), (false, Latching::SignalledOnly)]
    {
        let mut exchange = exchange(|peer| peer.rtp_symmetric = rtp_symmetric);
        let mut alice = alice().behind_translator(public);
        alice.dial(&mut exchange, "100");
        alice.ack(&mut exchange);
        let settings = exchange.media.latest_settings();
        assert_eq!(settings.latching, latching);
        assert_eq!(settings.signalling_ip, public.ip(), "the only host to be followed");
        assert_eq!(settings.remote, Some(address("192.168.1.9:4000")));
        alice.bye(&mut exchange);
        exchange.assert_nothing_left();
    }
}

/// An exchange at 127.0.0.1, seen as 198.51.100.99, port 6000, from outside 127.0.1.0/24.
fn translated(local_net: &[&str]) -> Exchange {
    let mut settings = sip();
    settings.transports = vec![TransportSettings {
        name: "udp".into(),
        protocol: TransportProtocol::Udp,
        bind: address("0.0.0.0:5060"),
        external_media_address: Some(address("198.51.100.98:0").ip()),
        external_signaling_address: Some(address("198.51.100.99:0").ip()),
        external_signaling_port: Some(6000),
        local_net: local_net.iter().map(|net| net.parse().expect("a network")).collect(),
        tls: crate::config::TlsSettings::default(),
        options: crate::config::SocketOptions::default(),
    }];
    Exchange::new(SwitchConfig { sip: Arc::new(settings), ..config() }, PLAN, &[])
}

/// The Contact and the media address that a caller is told.
fn told(exchange: &mut Exchange, mut phone: Phone) -> (String, String) {
    phone.dial(exchange, "100");
    let answer = phone.last_response().expect("an answer");
    let contact = answer.contact().expect("a Contact").uri().as_str().to_owned();
    let sdp = String::from_utf8_lossy(answer.body()).into_owned();
    let media = sdp.lines().find_map(|line| line.strip_prefix("c=IN IP4 ")).expect("an address");
    phone.ack(exchange);
    phone.bye(exchange);
    assert_eq!(phone.last_status(), Some(200));
    (contact, media.to_owned())
}

#[test]
fn callers_outside_the_local_networks_are_told_the_external_addresses() {
    let mut exchange = translated(&["127.0.1.0/24"]);
    let (contact, media) = told(&mut exchange, alice().seen_at(address("203.0.113.7:5060")));
    assert_eq!((&contact[..], &media[..]), ("sip:100@198.51.100.99:6000", "198.51.100.98"));
    let (contact, media) = told(&mut exchange, Phone::new("bob", "bob-password", 2));
    assert_eq!((&contact[..], &media[..]), ("sip:100@127.0.0.1:5060", "127.0.0.1"));
    exchange.assert_nothing_left();
}

#[test]
fn without_local_networks_everybody_is_told_the_external_addresses() {
    let mut exchange = translated(&[]);
    let (contact, media) = told(&mut exchange, alice());
    assert_eq!((&contact[..], &media[..]), ("sip:100@198.51.100.99:6000", "198.51.100.98"));
}

#[test]
fn phones_called_outside_the_local_networks_are_told_the_external_addresses() {
    let mut exchange = translated(&["127.0.1.0/24"]);
    let outside = address("203.0.113.8:5060");
    for (listens, via, media) in [
        (address("127.0.1.2:5060"), "127.0.0.1:5060", "127.0.0.1"),
        (outside, "198.51.100.99:6000", "198.51.100.98"),
    ] {
        let mut bob = Phone::new("bob", "bob-password", 2).seen_at(listens).calling_itself(listens);
        bob.forget_call();
        bob.unregister(&mut exchange, "bob");
        assert_eq!(bob.register(&mut exchange, "bob"), 200);
        let mut alice = alice();
        alice.dial(&mut exchange, "102");
        let invite = request_to(&mut exchange, listens).expect("an INVITE");
        let sent_by = invite.via().and_then(|via| via.response_address());
        assert_eq!(sent_by, Some(address(via)));
        let contact = invite.contact().expect("a Contact").uri().as_str().to_owned();
        assert!(contact.ends_with(via), "{contact}");
        let sdp = String::from_utf8_lossy(invite.body()).into_owned();
        assert!(sdp.contains(&format!("c=IN IP4 {media}\r\n")), "{sdp}");
        alice.cancel(&mut exchange);
        exchange.run_for(secs(70));
    }
}

#[test]
fn nobody_registers_our_own_external_address() {
    let mut exchange = translated(&["127.0.1.0/24"]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob = bob.calling_itself(address("198.51.100.99:6000"));
    assert_eq!(bob.register(&mut exchange, "bob"), 403);
}

/// Where the INVITE to a trunk with this fixed contact leaves from, and by what.
fn trunk_called(contact: &str, transport: Option<&str>) -> (Transport, SocketAddr) {
    let mut settings = sip();
    let transport_of = |name: &str, protocol, bind| TransportSettings {
        name: name.into(),
        protocol,
        bind: address(bind),
        external_media_address: None,
        external_signaling_address: None,
        external_signaling_port: None,
        local_net: vec![],
        tls: crate::config::TlsSettings::default(),
        options: crate::config::SocketOptions::default(),
    };
    settings.transports = vec![
        transport_of("udp", TransportProtocol::Udp, "0.0.0.0:5060"),
        transport_of("tcp", TransportProtocol::Tcp, "0.0.0.0:5070"),
        transport_of("lan", TransportProtocol::Udp, "10.0.0.1:5080"),
    ];
    settings.aors.insert(Aor { contacts: vec![contact.into()], ..aor("bobs") }).expect("new");
    let trunk = Peer { aors: vec!["bobs".into()], auth: vec![], ..peer("trunk", "office") };
    let transport = transport.map(Into::into);
    settings.peers.insert(Peer { transport, ..trunk }).expect("a new name");
    let routes = [("192.0.2.7", "127.0.0.9"), ("10.0.0.7", "10.0.0.1"), ("0.0.0.0", "127.0.0.1")];
    let routes = routes.map(|(to, own)| (to.parse().expect("one"), own.parse().expect("one")));
    let config = SwitchConfig { sip: Arc::new(settings), routes: routes.into(), ..config() };
    let plan = "[office]\nexten => 100,1,Dial(PJSIP/0155171889@trunk,20)\n";
    let mut exchange = Exchange::new(config, plan, &[]);
    alice().dial(&mut exchange, "100");
    let to = crate::sip::Uri::parse(contact).expect("a URI").socket_addr().expect("an address");
    let invite = request_to(&mut exchange, to).expect("an INVITE");
    let via = invite.via().expect("a Via");
    let transport = Transport::parse(via.transport().as_bytes()).expect("a transport");
    (transport, via.response_address().expect("an address"))
}

#[test]
fn a_trunk_is_called_from_the_transport_that_leads_there() {
    use Transport::{Tcp, Udp};
    for (contact, transport, called) in [
        ("sip:192.0.2.7", None, (Udp, "127.0.0.9:5060")),
        ("sip:192.0.2.7;transport=tcp", None, (Tcp, "127.0.0.9:5070")),
        ("sip:192.0.2.7", Some("tcp"), (Tcp, "127.0.0.9:5070")),
        ("sip:192.0.2.7", Some("lan"), (Udp, "10.0.0.1:5080")),
        ("sip:10.0.0.7:5062", None, (Udp, "10.0.0.1:5060")),
        ("sip:10.0.0.7:5062", Some("lan"), (Udp, "10.0.0.1:5080")),
        ("sip:198.51.100.7", None, (Udp, "127.0.0.1:5060")),
    ] {
        let (protocol, local) = called;
        assert_eq!(trunk_called(contact, transport), (protocol, address(local)), "{contact}");
    }
}
