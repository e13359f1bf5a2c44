//! What changes within an answered call: whom one is connected with, codecs, and challenges.

use super::*;
use crate::{
    config::{CallerId, ConnectedLineMethod},
    media::Codec,
    sip::{HeaderName, Method, Request, Response, StatusCode},
};

const PLAN: &str = "
[office]
exten => 500,1,Answer()
same => n,Dial(PJSIP/bob,20)
exten => 501,1,Dial(PJSIP/bob,20)
";

/// Alice is told in P-Asserted-Identity; Bob is believed.
fn exchange(method: ConnectedLineMethod) -> (Exchange, Phone, Phone) {
    let alices = Peer { send_pai: true, connected_line_method: method, ..peer("alice", "office") };
    let bobs = Peer {
        caller_id: Some(CallerId { name: "Bob".into(), number: "200".into() }),
        trust_id_inbound: true,
        outbound_auth: vec![AuthCredentials {
            name: "out".into(),
            username: "engine".into(),
            realm: Some("far".into()),
            // MD5 of engine:far:its-own.
            secret: AuthSecret::Md5(Secret::new("63e0e79fcf3d59cc70f78652240c2079")),
        }],
        ..peer("bob", "office")
    };
    let (exchange, bob) = exchange_of([alices, bobs], PLAN);
    let mut alice = alice();
    alice.extra.push(HeaderName::Allow, "INVITE, ACK, BYE, CANCEL, UPDATE");
    (exchange, alice, bob)
}

fn talk(exchange: &mut Exchange, alice: &mut Phone, bob: &mut Phone, exten: &str) -> Request {
    alice.dial(exchange, exten);
    if exten == "500" {
        alice.ack(exchange);
        exchange.run_for(secs(1));
    }
    let invite = bob.take_invite(exchange);
    alice.received.clear();
    bob.answer_call(exchange, &invite, 200);
    alice.pump(exchange);
    invite
}

fn asserted(request: &Request) -> String {
    request.text(HeaderName::PAssertedIdentity).unwrap_or_default().to_owned()
}

fn hang_up(mut exchange: Exchange, mut alice: Phone, mut bob: Phone) {
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    exchange.run_for(secs(40));
    exchange.assert_nothing_left();
}

#[test]
fn who_answered_before_hears_by_update_whom_it_is_connected_with_and_who_that_becomes() {
    let (mut exchange, mut alice, mut bob) = exchange(ConnectedLineMethod::Update);
    let invite = talk(&mut exchange, &mut alice, &mut bob, "500");
    let update = alice.latest(&Method::Update).expect("an UPDATE");
    assert!(update.body().is_empty());
    assert!(asserted(&update).starts_with("\"Bob\" <sip:200@"), "{}", asserted(&update));
    alice.reply(&mut exchange, &Response::to(&update, StatusCode::OK));
    alice.received.clear();
    bob.rename_callee(&mut exchange, &invite, "\"Carol\" <sip:300@127.0.0.1>");
    assert_eq!(bob.last_status(), Some(200));
    alice.pump(&mut exchange);
    let update = alice.latest(&Method::Update).expect("another UPDATE");
    assert!(asserted(&update).starts_with("\"Carol\" <sip:300@"), "{}", asserted(&update));
    alice.reply(&mut exchange, &Response::to(&update, StatusCode::OK));
    // What it knows is not said again.
    alice.received.clear();
    bob.rename_callee(&mut exchange, &invite, "\"Carol\" <sip:300@127.0.0.1>");
    alice.pump(&mut exchange);
    assert!(alice.latest(&Method::Update).is_none());
    hang_up(exchange, alice, bob);
}

#[test]
fn a_reinvite_tells_it_by_choice_and_to_phones_without_update() {
    for (method, allow) in
        [(ConnectedLineMethod::Reinvite, true), (ConnectedLineMethod::Update, false)]
    {
        let (mut exchange, mut alice, mut bob) = exchange(method);
        if !allow {
            alice.extra.remove(HeaderName::Allow);
        }
        talk(&mut exchange, &mut alice, &mut bob, "500");
        let again = alice.latest(&Method::Invite).expect("a re-INVITE");
        assert!(asserted(&again).starts_with("\"Bob\" <sip:200@"), "{}", asserted(&again));
        assert!(!again.body().is_empty());
        alice.answer_call(&mut exchange, &again, 200);
        exchange.run_for(secs(1));
        assert_eq!(exchange.media.room_sizes(), [2]);
        hang_up(exchange, alice, bob);
    }
}

#[test]
fn another_codec_on_one_side_leaves_the_other_side_as_it_is() {
    let (mut exchange, mut alice, mut bob) = exchange(ConnectedLineMethod::Update);
    talk(&mut exchange, &mut alice, &mut bob, "501");
    alice.ack(&mut exchange);
    assert_eq!(exchange.media.codecs(), [Codec::Pcmu, Codec::Pcmu]);
    let sdp = alice.sdp("sendrecv").replace("RTP/AVP 0 8 101", "RTP/AVP 8 101");
    bob.received.clear();
    alice.reinvite_with(&mut exchange, sdp);
    let answer = alice.last_response().expect("an answer");
    assert!(String::from_utf8_lossy(answer.body()).contains("RTP/AVP 8 101"));
    let mut codecs = exchange.media.codecs();
    codecs.sort_by_key(|codec| *codec == Codec::Pcmu);
    assert_eq!(codecs, [Codec::Pcma, Codec::Pcmu]);
    exchange.run_for(secs(1));
    assert_eq!(exchange.media.room_sizes(), [2]);
    bob.pump(&mut exchange);
    assert!(bob.latest(&Method::Invite).is_none(), "nothing changes for Bob");
    hang_up(exchange, alice, bob);
}

#[test]
fn a_challenged_bye_is_sent_again_with_the_hash_of_outbound_auth() {
    let (mut exchange, mut alice, mut bob) = exchange(ConnectedLineMethod::Update);
    talk(&mut exchange, &mut alice, &mut bob, "501");
    alice.ack(&mut exchange);
    alice.bye(&mut exchange);
    for letter in exchange.letters_to(bob.address()) {
        let message = crate::sip::Message::parse(letter, &Default::default());
        let Ok(crate::sip::Message::Request(request)) = message else { continue };
        if *request.method() == Method::Bye {
            bob.challenge_call(&mut exchange, &request, "n1");
        }
    }
    bob.pump(&mut exchange);
    let bye = bob.latest(&Method::Bye).expect("a second BYE");
    let proof = bye.text(HeaderName::Authorization).expect("credentials");
    assert!(proof.contains("username=\"engine\"") && proof.contains("realm=\"far\""), "{proof}");
    exchange.run_for(secs(40));
    exchange.assert_nothing_left();
}
