//! Who is let in.

use super::*;
use crate::{
    config::{DigestAlgorithm, DigestOffer},
    media::{LoadState, ShardId, ShardLoad},
    switch::{AuthenticationFailure, Limits, testing::noise},
};

fn exchange() -> Exchange {
    Exchange::new(config(), "[office]\nexten => 100,1,Hangup()\n", &[])
}

#[test]
fn a_phone_registers_with_its_password() {
    let (mut exchange, mut alice) = (exchange(), alice());
    assert_eq!(alice.register(&mut exchange, "alice"), 200);
    let contact = alice.last_response().and_then(|it| it.contact()).expect("the binding");
    assert_eq!(contact.expires(), Some(secs(600)));
    assert!(exchange.events.iter().any(|event| matches!(
        event,
        SwitchEvent::Registered { aor, expires, .. } if aor == "alice" && *expires == secs(600)
    )));
    exchange.run_for(secs(601));
    assert!(exchange.events.iter().any(|event| matches!(event, SwitchEvent::Unregistered { .. })));
    exchange.assert_nothing_left();
}

#[test]
fn a_wish_below_the_bounds_of_expiry_is_refused_and_one_above_is_cut() {
    let mut settings = sip();
    let bounds = Expiration::HIGH_AVAILABILITY;
    settings.aors.insert(Aor { expiration: bounds, ..aor("ha") }).expect("a new name");
    settings.peers.insert(peer("ha", "office")).expect("a new name");
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let (mut exchange, mut phone) =
        (Exchange::new(config, "", &[]), Phone::new("ha", "ha-password", 4));
    assert_eq!(phone.register_for(&mut exchange, "ha", 30), 423);
    let refusal = phone.last_response().expect("423");
    assert_eq!(refusal.number(crate::sip::HeaderName::MinExpires), Some(180));
    for (wish, granted) in [(180, 180), (200, 200), (3600, 300)] {
        assert_eq!(phone.register_for(&mut exchange, "ha", wish), 200);
        let contact = phone.last_response().and_then(|it| it.contact()).expect("the binding");
        assert_eq!(contact.expires(), Some(secs(granted)));
    }
    exchange.run_for(secs(301));
    exchange.assert_nothing_left();
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_answered_alike() {
    let mut exchange = exchange();
    let mut wrong = Phone::new("alice", "guess", 1);
    let mut stranger = Phone::new("mallory", "guess", 2);
    assert_eq!(wrong.register(&mut exchange, "alice"), 401);
    assert_eq!(stranger.register(&mut exchange, "alice"), 401);
    let length = |phone: &Phone| phone.last_response().map(|it| it.to_bytes().len());
    // The two names differ by two letters, once in From and once in a tag.
    assert!(length(&wrong).expect("401").abs_diff(length(&stranger).expect("401")) <= 4);
    let failures = exchange
        .events
        .iter()
        .filter(|event| matches!(event, SwitchEvent::AuthenticationFailed { .. }));
    assert_eq!(failures.count(), 2);
    exchange.assert_nothing_left();
}

#[test]
fn algorithms_are_offered_in_the_order_of_the_settings() {
    let listed = vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
    let (mut exchange, mut alice) = (offering(DigestOffer::Listed(listed)), alice());
    let offered = offered(&mut exchange, &mut alice, "baresip v1.0.0 (x86_64/linux)");
    assert!(offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"));
    assert_eq!(alice.options(&mut exchange), 200, "by the first of them");
}

#[test]
fn without_a_setting_md5_comes_first_and_clients_that_know_nothing_else_see_nothing_else() {
    let mut exchange = offering(DigestOffer::Suited);
    for (agent, algorithms) in [
        ("Linphone/5", &["algorithm=MD5", "algorithm=SHA-256"][..]),
        ("baresip v1.0.0 (x86_64/linux)", &["algorithm=MD5"]),
        ("baresip v0.6.6 (arm/linux)", &["algorithm=MD5"]),
        ("baresip v1.1.0 (x86_64/linux)", &["algorithm=MD5", "algorithm=SHA-256"]),
    ] {
        for name in ["alice", "mallory"] {
            let mut phone = Phone::new(name, "alice-password", 1);
            let offered = offered(&mut exchange, &mut phone, agent);
            assert_eq!(offered.len(), algorithms.len(), "{agent}");
            assert!(offered.iter().zip(algorithms).all(|(offer, it)| offer.contains(it)));
        }
    }
    assert_eq!(alice().options(&mut exchange), 200, "by the strongest");
    let mut exchange = offering(DigestOffer::OnlyMd5);
    assert_eq!(offered(&mut exchange, &mut alice(), "Linphone/5").len(), 1);
}

fn offering(offer: DigestOffer) -> Exchange {
    let mut settings = sip();
    settings.digest_algorithms = offer;
    Exchange::new(SwitchConfig { sip: Arc::new(settings), ..config() }, "", &[])
}

/// The challenges that a client of this name gets.
fn offered(exchange: &mut Exchange, phone: &mut Phone, agent: &str) -> Vec<String> {
    let request = phone.request(crate::sip::Method::Register, "sip:127.0.0.1");
    phone.send(exchange, request.with(crate::sip::HeaderName::UserAgent, agent));
    let challenge = phone.last_response().expect("401");
    let offered = challenge.values(crate::sip::HeaderName::WwwAuthenticate);
    offered.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

#[test]
fn nobody_registers_for_somebody_else() {
    let (mut exchange, mut alice) = (exchange(), alice());
    assert_eq!(alice.register(&mut exchange, "bob"), 403);
    assert_eq!(alice.register(&mut exchange, "nobody"), 404);
    assert!(!exchange.events.iter().any(|event| matches!(event, SwitchEvent::Registered { .. })));
}

#[test]
fn options_are_answered_for_those_who_prove_themselves() {
    let (mut exchange, mut alice) = (exchange(), alice());
    assert_eq!(alice.options(&mut exchange), 200);
    let response = alice.last_response().expect("200");
    assert!(response.has_token(crate::sip::HeaderName::Allow, "INVITE"));
    assert!(response.text(crate::sip::HeaderName::Accept).is_some());
    let mut stranger = Phone::new("mallory", "guess", 2);
    assert_eq!(stranger.options(&mut exchange), 401);
    exchange.assert_nothing_left();
}

#[test]
fn what_is_not_served_is_told_only_to_those_who_prove_themselves() {
    use crate::sip::Method;

    let (mut exchange, mut alice) = (exchange(), alice());
    let mut stranger = Phone::new("mallory", "guess", 2);
    for method in [Method::Message, Method::Subscribe, Method::Publish, Method::Refer] {
        for phone in [&mut alice, &mut stranger] {
            let request = phone.request(method.clone(), "sip:127.0.0.1");
            phone.send(&mut exchange, request);
            assert_eq!(phone.last_status(), Some(401), "{method:?}");
        }
    }
    exchange.assert_nothing_left();
}

#[test]
fn guessing_is_bounded_per_source_and_leaves_the_owner_alone() {
    let mut exchange = exchange();
    let mut thief = Phone::new("alice", "guess", 9);
    for _ in 0..20 {
        assert_eq!(thief.register(&mut exchange, "alice"), 401);
    }
    let mut lucky = Phone::new("alice", "alice-password", 9);
    assert_eq!(lucky.register(&mut exchange, "alice"), 401, "too late to guess right");
    assert_eq!(alice().register(&mut exchange, "alice"), 200, "from elsewhere");
    let bans = exchange.switch.view_bans(exchange.now);
    assert_eq!(bans[0].account, Some("alice".into()), "and the account is closed to it");
    exchange.run_for(secs(301));
    assert!(exchange.switch.view_bans(exchange.now).is_empty());
    assert_eq!(lucky.register(&mut exchange, "alice"), 200, "forgiven with time");
}

#[test]
fn a_peer_known_by_its_address_needs_no_password() {
    let mut settings = sip();
    let trunk = Peer { auth: vec![], ..peer("trunk", "office") };
    let index = settings.peers.insert(trunk).expect("a new name");
    settings.identify.insert("127.0.1.7".parse().expect("an address"), index);
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, "[office]\nexten => 100,1,Hangup()\n", &[]);
    let mut trunk = Phone::new("+33155171889", "", 7);
    assert_eq!(trunk.options(&mut exchange), 200);
    let mut elsewhere = Phone::new("+33155171889", "", 8);
    assert_eq!(elsewhere.options(&mut exchange), 401);
}

#[test]
fn an_invite_of_a_stranger_leaves_nothing_behind() {
    let mut exchange = exchange();
    let mut stranger = Phone::new("mallory", "guess", 2);
    let sdp = stranger.sdp("sendrecv");
    let request = stranger
        .request(crate::sip::Method::Invite, "sip:100@127.0.0.1")
        .with(crate::sip::HeaderName::Contact, "<sip:mallory@127.0.1.2>")
        .with_body("application/sdp", sdp);
    stranger.send(&mut exchange, request);
    assert_eq!(stranger.statuses(), [401]);
    assert!(exchange.switch.calls.is_empty());
    assert!(exchange.switch.endpoint.is_idle(), "a stateless answer");
}

#[test]
fn too_many_calls_are_told_to_come_again() {
    let limits = Limits { calls: 1, ..Limits::default() };
    let mut exchange = Exchange::new(SwitchConfig { limits, ..embedded() }, "", &[]);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    assert_eq!(alice.last_status(), Some(100));
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.dial(&mut exchange, "100");
    assert_eq!(bob.last_status(), Some(503));
    let refusal = bob.last_response().expect("503");
    assert_eq!(refusal.number(crate::sip::HeaderName::RetryAfter), Some(5));
}

#[test]
fn new_calls_are_refused_before_running_ones_lack_transactions() {
    let limits = Limits { transactions: 8, ..Limits::default() };
    let mut exchange = Exchange::new(SwitchConfig { limits, ..embedded() }, "", &[]);
    let mut phones: Vec<_> = (1..=8).map(|n| Phone::new("alice", "alice-password", n)).collect();
    let statuses = phones.iter_mut().map(|phone| {
        phone.dial(&mut exchange, "100");
        phone.last_status()
    });
    let statuses: Vec<_> = statuses.collect();
    assert_eq!(statuses, [[Some(100); 7].as_slice(), &[Some(503)]].concat());
    assert_eq!(alice().options(&mut exchange), 200, "there is room for others");
}

#[test]
fn new_calls_wait_while_every_shard_is_overloaded_and_running_ones_go_on() {
    let config = SwitchConfig { shards: 2, ..embedded() };
    let mut exchange = Exchange::new(config, "", &[]);
    let load = |busy, state| ShardLoad { busy, late: 0, state };
    let (calm, full) = (load(300, LoadState::Calm), load(900, LoadState::Overloaded));
    let tell = |exchange: &mut Exchange, loads: [ShardLoad; 2]| {
        for (shard, load) in (0..).map(ShardId).zip(loads) {
            exchange.switch.handle_media_load(shard, load, exchange.now);
        }
        exchange.settle();
    };
    tell(&mut exchange, [full, calm]);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    assert_eq!(alice.last_status(), Some(100), "one of them has room");
    tell(&mut exchange, [full, full]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.dial(&mut exchange, "100");
    assert_eq!(bob.last_status(), Some(503));
    let refusal = bob.last_response().expect("503");
    assert_eq!(refusal.number(crate::sip::HeaderName::RetryAfter), Some(5));
    assert_eq!(exchange.switch.call_count(), 1, "who is in stays in");
    tell(&mut exchange, [full, calm]);
    let mut bob = Phone::new("bob", "bob-password", 3);
    bob.dial(&mut exchange, "100");
    assert_eq!(bob.last_status(), Some(100));
}

#[test]
fn calls_move_from_an_overloaded_shard_to_one_with_room() {
    let config = SwitchConfig { shards: 2, ..config() };
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Echo()\n";
    let mut exchange = Exchange::new(config, plan, &[]);
    let calm = |busy| ShardLoad { busy, late: 0, state: LoadState::Calm };
    exchange.switch.handle_media_load(ShardId(1), calm(700), exchange.now);
    let mut phones: Vec<_> = (1..=10).map(|n| Phone::new("alice", "alice-password", n)).collect();
    for phone in &mut phones {
        phone.dial(&mut exchange, "100");
        phone.ack(&mut exchange);
    }
    let on = |exchange: &Exchange, shard| exchange.media.streams_on(ShardId(shard));
    assert_eq!((on(&exchange, 0), on(&exchange, 1)), (10, 0));
    exchange.switch.handle_media_load(ShardId(1), calm(100), exchange.now);
    let load = ShardLoad { busy: 900, late: 0, state: LoadState::Overloaded };
    exchange.switch.handle_media_load(ShardId(0), load, exchange.now);
    exchange.settle();
    assert_eq!((on(&exchange, 0), on(&exchange, 1)), (6, 4), "half of the difference");
    for phone in &mut phones {
        phone.bye(&mut exchange);
    }
    exchange.run_for(secs(40));
    exchange.assert_nothing_left();
}

#[test]
fn a_call_without_a_free_port_is_told_to_come_again() {
    let mut exchange = Exchange::new(embedded(), "", &[]);
    exchange.switch.ports = Default::default();
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    assert_eq!(alice.last_status(), Some(503));
    exchange.assert_nothing_left();
}

#[test]
fn a_call_whose_shard_takes_no_more_ends() {
    for (nth, answered) in [("open", false), ("play", true)] {
        let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Playback(hello)\n";
        let mut exchange = Exchange::new(config(), plan, &[("hello", 5000)]);
        exchange.media.refused = Some(nth);
        let mut alice = alice();
        alice.dial(&mut exchange, "100");
        alice.ack(&mut exchange);
        exchange.run_for(secs(2));
        alice.pump(&mut exchange);
        assert!(alice.bye_received().is_some_and(|reason| reason.contains("cause=42")), "{nth}");
        assert_eq!(
            exchange.events.iter().any(|event| matches!(event, SwitchEvent::PlayStarted { .. })),
            answered
        );
        exchange.assert_nothing_left();
        alice.forget_call();
        exchange.media.refused = None;
        alice.dial(&mut exchange, "100");
        assert_eq!(alice.last_status(), Some(200), "the port was given back");
    }
}

#[test]
fn noise_is_dropped() {
    let (mut exchange, mut alice) = (exchange(), alice());
    let flow = crate::sip::Flow::udp(([127, 0, 0, 1], 5060).into(), alice.address());
    exchange.receive(flow, noise());
    alice.pump(&mut exchange);
    assert!(alice.received.is_empty());
    exchange.assert_nothing_left();
}

#[test]
fn a_call_without_a_codec_in_common_is_488() {
    let mut exchange = Exchange::new(embedded(), "", &[]);
    let mut alice = alice();
    let sdp = alice.sdp("sendrecv").replace("RTP/AVP 0 8 101", "RTP/AVP 18");
    alice.dial_with(&mut exchange, "100", Some(sdp));
    assert_eq!(alice.last_status(), Some(488));
    alice.ack(&mut exchange);
    alice.forget_call();
    alice.dial_with(&mut exchange, "100", Some("nonsense".into()));
    assert_eq!(alice.last_status(), Some(400));
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_source_that_fails_everywhere_is_not_answered_and_its_neighbour_is() {
    let mut settings = sip();
    settings.bans.attempts = 20;
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, "", &[]);
    for n in 0..20 {
        let mut thief = Phone::new(&format!("user{n}"), "guess", 9);
        assert_eq!(thief.register(&mut exchange, "alice"), 401);
    }
    let banned = |event: &SwitchEvent| {
        matches!(event, SwitchEvent::Banned { source, account: None, .. }
            if source.to_string() == "127.0.1.9")
    };
    assert!(exchange.events.iter().any(banned));
    let mut thief = Phone::new("alice", "alice-password", 9);
    let register = thief.request(crate::sip::Method::Register, "sip:127.0.0.1");
    thief.send(&mut exchange, register);
    thief.dial(&mut exchange, "100");
    assert!(thief.received.is_empty());
    assert!(exchange.switch.endpoint.is_idle(), "nothing is kept either");
    assert_eq!(Phone::new("alice", "alice-password", 10).register(&mut exchange, "alice"), 200);
}

#[test]
fn options_are_answered_as_an_invite_would_be() {
    let (mut exchange, mut alice) = (exchange(), alice());
    let ask = |exchange: &mut Exchange, alice: &mut Phone, uri| {
        alice.request_alone(exchange, crate::sip::Method::Options, uri)
    };
    assert_eq!(ask(&mut exchange, &mut alice, "sip:127.0.0.1"), 200);
    assert_eq!(ask(&mut exchange, &mut alice, "sip:100@127.0.0.1"), 200);
    assert_eq!(ask(&mut exchange, &mut alice, "sip:999@127.0.0.1"), 404);
    // An embedder may take any number.
    let mut exchange = Exchange::new(embedded(), "[office]\nexten => 100,1,Hangup()\n", &[]);
    assert_eq!(ask(&mut exchange, &mut alice, "sip:999@127.0.0.1"), 200);
}

#[test]
fn scanners_are_not_answered_if_set() {
    let mut settings = sip();
    settings.scanners = crate::config::Scanners::Dropped;
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let (mut exchange, mut phone) = (Exchange::new(config, "", &[]), alice());
    for method in [crate::sip::Method::Options, crate::sip::Method::Register] {
        let request = phone.request(method, "sip:127.0.0.1");
        phone.send(
            &mut exchange,
            request.with(crate::sip::HeaderName::UserAgent, "Friendly-Scanner"),
        );
    }
    assert!(phone.received.is_empty() && exchange.switch.endpoint.is_idle());
    assert_eq!(phone.options(&mut exchange), 200);
}

#[test]
fn who_asks_for_many_names_without_proof_is_told_of() {
    let mut exchange = exchange();
    for n in 0..8 {
        let mut scanner = Phone::new(&format!("user{n}"), "", 9);
        let request = scanner.request(crate::sip::Method::Register, "sip:127.0.0.1");
        scanner.send(&mut exchange, request);
        assert_eq!(scanner.last_status(), Some(401));
    }
    let told = exchange.events.iter().filter(|event| {
        matches!(
            event,
            SwitchEvent::AuthenticationFailed { failure: AuthenticationFailure::UnknownPeer, .. }
        )
    });
    assert_eq!(told.count(), 3, "the first five may be mistakes");
    assert!(exchange.switch.view_bans(exchange.now).is_empty(), "the source may be forged");
}

#[test]
fn the_port_of_the_answer_tells_no_names() {
    let mut settings = sip();
    let quiet = Peer { force_rport: false, ..peer("quiet", "office") };
    settings.peers.insert(quiet).expect("a new name");
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, "", &[]);
    let sends = ([127, 0, 1, 9], 40_000).into();
    for name in ["quiet", "alice", "mallory"] {
        let mut probe = Phone::new(name, "guess", 9).sending_from(sends);
        let request = probe.request(crate::sip::Method::Options, "sip:127.0.0.1");
        probe.send(&mut exchange, request);
        assert_eq!(probe.last_status(), Some(401), "{name}: at the port of its Via");
        assert!(exchange.letters_to(sends).is_empty(), "{name}");
    }
}

/// An access list, of `allow` alone.
fn only(allow: &str) -> crate::config::Access {
    use crate::config::{Access, AccessList, Verdict};
    let mut list = AccessList::default();
    list.push(Verdict::Deny, "0.0.0.0/0".parse().expect("a network"));
    list.push(Verdict::Permit, allow.parse().expect("a network"));
    let mut access = Access::default();
    access.push(list);
    access
}

fn told_of_lists(exchange: &Exchange) -> usize {
    let failure = AuthenticationFailure::AccessList;
    let told = |event: &&SwitchEvent| matches!(event, SwitchEvent::AuthenticationFailed { failure: it, .. } if *it == failure);
    exchange.events.iter().filter(told).count()
}

#[test]
fn a_peer_from_where_it_may_not_come_is_nobody() {
    let mut settings = sip();
    settings.peers = Default::default();
    let bound = Peer { access: only("127.0.1.1"), ..peer("alice", "office") };
    settings.peers.insert(bound).expect("a new name");
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, "", &[]);
    assert_eq!(alice().register(&mut exchange, "alice"), 200);
    let mut thief = Phone::new("alice", "alice-password", 9);
    assert_eq!(thief.register(&mut exchange, "alice"), 401, "with the right password");
    let mut stranger = Phone::new("mallo", "alice-password", 9);
    assert_eq!(stranger.register(&mut exchange, "alice"), 401);
    let length = |phone: &Phone| phone.last_response().map(|it| it.to_bytes().len());
    assert_eq!(length(&thief), length(&stranger), "nothing tells that alice exists");
    assert!(told_of_lists(&exchange) > 0);
}

#[test]
fn nobody_is_let_in_from_beyond_the_list_of_all() {
    let settings = SipSettings { access: only("127.0.1.2/32"), ..sip() };
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, "", &[]);
    assert_eq!(alice().register(&mut exchange, "alice"), 403);
    assert_eq!(told_of_lists(&exchange), 1);
    assert!(
        exchange.switch.endpoint.is_idle() || exchange.switch.registrar.iter().next().is_none()
    );
}

#[test]
fn contacts_are_bound_only_where_they_may_be() {
    let mut settings = sip();
    settings.peers = Default::default();
    let bound = Peer { contact_access: only("192.0.2.0/24"), ..peer("alice", "office") };
    settings.peers.insert(bound).expect("a new name");
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, "", &[]);
    assert_eq!(alice().register(&mut exchange, "alice"), 403);
    assert!(exchange.switch.registrar.iter().next().is_none());
}
