//! Provisional responses that are acknowledged (`100rel`), between phones and the dialplan.

use super::*;
use crate::sip::{HeaderName, Method, ReliableProvisional, Request, Response, StatusCode};

const PLAN: &str = "
[office]
exten => 100,1,Progress()
same => n,Playback(hello)
same => n,Answer()
same => n,Wait(60)
exten => 101,1,Ringing()
same => n,Wait(2)
same => n,Answer()
same => n,Wait(60)
exten => _2XX,1,Dial(PJSIP/bob,20)
";

fn exchange(alices: ReliableProvisional, bobs: ReliableProvisional) -> (Exchange, Phone, Phone) {
    let mut settings = SipSettings::default();
    for (name, reliable_provisional) in [("alice", alices), ("bob", bobs)] {
        let peer = Peer { reliable_provisional, ..peer(name, "office") };
        settings.peers.insert(peer).expect("a new name");
        settings.aors.insert(aor(name)).expect("a new name");
    }
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, PLAN, &[("hello", 100)]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    (exchange, alice(), bob)
}

fn requiring(mut phone: Phone) -> Phone {
    phone.extra.push(HeaderName::Require, "100rel");
    phone
}

/// Bob's reliable 183, and the PRACK that came for it, answered.
fn progress(exchange: &mut Exchange, bob: &mut Phone, invite: &Request, rseq: u32) -> String {
    let sdp = bob.sdp("sendrecv");
    let tag = crate::sip::Tag::parse("bobs").expect("a tag");
    let response = Response::to(invite, StatusCode::SESSION_PROGRESS)
        .with_to_tag(&tag)
        .with(HeaderName::Contact, "<sip:bob@127.0.1.2>")
        .with(HeaderName::Require, "100rel")
        .with(HeaderName::RSeq, rseq.to_string())
        .with_body("application/sdp", sdp);
    bob.received.clear();
    bob.reply(exchange, &response);
    let pracks = bob.received.iter().filter_map(|message| match message {
        Received::Request(request) if *request.method() == Method::Prack => Some(request.clone()),
        _ => None,
    });
    let prack = pracks.last().expect("a PRACK");
    bob.reply(exchange, &Response::to(&prack, StatusCode::OK));
    prack.text(HeaderName::RAck).unwrap_or_default().to_owned()
}

#[test]
fn early_media_is_acknowledged_before_the_answer_goes_out_without_a_description() {
    let (mut exchange, alice, _) =
        exchange(ReliableProvisional::IfRequired, ReliableProvisional::Off);
    let mut alice = requiring(alice);
    alice.dial(&mut exchange, "100");
    let progress = alice.last_response().expect("a 183");
    assert_eq!(progress.status(), StatusCode::SESSION_PROGRESS);
    assert!(progress.requires("100rel") && !progress.body().is_empty());
    exchange.run_for(secs(1));
    alice.pump(&mut exchange);
    assert!(!alice.statuses().contains(&200), "{:?}", alice.statuses());
    assert_eq!(alice.prack(&mut exchange, None), 200);
    alice.pump(&mut exchange);
    let answer = alice.last_response().expect("a 200");
    assert_eq!(answer.cseq().map(|cseq| cseq.method), Some(Method::Invite));
    assert!(answer.status().is_success() && answer.body().is_empty());
    alice.ack(&mut exchange);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn caller_that_never_acknowledges_is_refused_with_504_and_nothing_is_left() {
    let (mut exchange, alice, _) =
        exchange(ReliableProvisional::IfRequired, ReliableProvisional::Off);
    let mut alice = requiring(alice);
    alice.dial(&mut exchange, "100");
    exchange.run_for(secs(40));
    alice.pump(&mut exchange);
    let repeats = alice.statuses().iter().filter(|status| **status == 183).count();
    assert!(repeats >= 6 && alice.last_status() == Some(504), "{:?}", alice.statuses());
    alice.ack(&mut exchange);
    exchange.run_for(secs(40));
    exchange.assert_nothing_left();
}

#[test]
fn caller_without_an_offer_gets_ours_in_the_180_and_answers_in_the_prack() {
    let (mut exchange, alice, _) =
        exchange(ReliableProvisional::IfRequired, ReliableProvisional::Off);
    let mut alice = requiring(alice);
    alice.dial_with(&mut exchange, "101", None);
    let ringing = alice.last_response().expect("a 180");
    assert!(ringing.requires("100rel") && !ringing.body().is_empty());
    let answer = alice.sdp("sendrecv");
    assert_eq!(alice.prack(&mut exchange, Some(answer)), 200);
    exchange.run_for(secs(3));
    alice.pump(&mut exchange);
    let answer = alice.last_response().expect("a 200");
    assert!(answer.status().is_success() && answer.body().is_empty());
    alice.ack(&mut exchange);
    exchange.run_for(secs(2));
    assert_eq!(exchange.media.streams(), 1);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn terms_of_the_peer_decide_on_420_and_421() {
    let (mut exchange, alice, _) = exchange(ReliableProvisional::Off, ReliableProvisional::Off);
    let mut alice = requiring(alice);
    alice.dial(&mut exchange, "100");
    let refusal = alice.last_response().expect("a refusal");
    assert_eq!(refusal.status(), StatusCode::BAD_EXTENSION);
    assert_eq!(refusal.text(HeaderName::Unsupported), Some("100rel"));
    exchange.assert_nothing_left();
    let (mut exchange, mut alice, _) =
        self::exchange(ReliableProvisional::Required, ReliableProvisional::Off);
    alice.dial(&mut exchange, "100");
    assert_eq!(alice.last_status(), Some(421));
    exchange.assert_nothing_left();
}

#[test]
fn both_legs_of_a_dial_acknowledge_early_media() {
    let supported = ReliableProvisional::IfSupported;
    let (mut exchange, mut alice, mut bob) = exchange(supported, supported);
    alice.extra.push(HeaderName::Supported, "100rel");
    alice.dial(&mut exchange, "201");
    let invite = bob.take_invite(&mut exchange);
    assert!(invite.supports("100rel"));
    let cseq = invite.cseq().map_or(0, |cseq| cseq.number);
    assert_eq!(progress(&mut exchange, &mut bob, &invite, 7), format!("7 {cseq} INVITE"));
    alice.pump(&mut exchange);
    let heard = alice.last_response().expect("a 183");
    assert_eq!(heard.status(), StatusCode::SESSION_PROGRESS);
    assert!(heard.requires("100rel") && !heard.body().is_empty());
    assert_eq!(alice.prack(&mut exchange, None), 200);
    // The caller changes its mind about the early session.
    assert_eq!(alice.update(&mut exchange, "sendonly"), 200);
    let tag = crate::sip::Tag::parse("bobs").expect("a tag");
    let answer = Response::to(&invite, StatusCode::OK)
        .with_to_tag(&tag)
        .with(HeaderName::Contact, "<sip:bob@127.0.1.2>");
    bob.reply(&mut exchange, &answer);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    exchange.run_for(secs(2));
    assert_eq!(exchange.media.room_sizes(), [2]);
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn the_fork_that_answers_decides_where_media_goes_whoever_was_heard_before() {
    let (mut exchange, mut alice, mut bob) =
        exchange(ReliableProvisional::Off, ReliableProvisional::Off);
    alice.dial(&mut exchange, "201");
    let invite = bob.take_invite(&mut exchange);
    let mut of_fork = |exchange: &mut Exchange, status, tag: &str, port: &str| {
        let sdp = bob.sdp("sendrecv").replace("4000", port);
        let tag = crate::sip::Tag::parse(tag).expect("a tag");
        let mut response = Response::to(&invite, status)
            .with_to_tag(&tag)
            .with(HeaderName::Contact, "<sip:bob@127.0.1.2>");
        if port != "0" {
            response.set_body("application/sdp", sdp);
        }
        bob.reply(exchange, &response);
        exchange.media.remotes().into_iter().find(|remote| remote.ip() == bob.address().ip())
    };
    let remote = |port: u16| std::net::SocketAddr::from(([127, 0, 1, 2], port));
    let early = StatusCode::SESSION_PROGRESS;
    assert_eq!(of_fork(&mut exchange, early, "one", "4100"), Some(remote(4100)));
    assert_eq!(of_fork(&mut exchange, early, "two", "4200"), Some(remote(4200)));
    // The first takes the call, and says no more than it did.
    let heard = of_fork(&mut exchange, StatusCode::OK, "one", "0");
    assert_eq!(heard, Some(remote(4100)));
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    exchange.assert_nothing_left();
}
