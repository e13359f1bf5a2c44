//! Local channels, and calls that the callee sends elsewhere.

use super::*;
use crate::sip::{HeaderName, Response, StatusCode};

const PLAN: &str = "
[office]
exten => 100,1,Dial(Local/200@inner/n,20,g)
same => n,NoOp(status ${DIALSTATUS})
same => n,Wait(60)
exten => 101,1,Dial(Local/300@inner,20)
same => n,NoOp(status ${DIALSTATUS} ${HANGUPCAUSE})
exten => 102,1,Dial(Local/102@office)
same => n,NoOp(status ${DIALSTATUS})
exten => 103,1,Set(__TALL=yes)
same => n,Set(_ONCE=maybe)
same => n,Dial(Local/201@inner)
exten => 104,1,Dial(Local/999@inner)
same => n,NoOp(status ${DIALSTATUS})
exten => 105,1,Dial(PJSIP/bob,20)
same => n,NoOp(status ${DIALSTATUS})
exten => 106,1,Dial(PJSIP/bob,20,i)
same => n,NoOp(status ${DIALSTATUS})
exten => 107,1,Dial(PJSIP/bob,20,f)
exten => 108,1,Dial(PJSIP/bob,20,f(0211555))
exten => 109,1,Dial(PJSIP/bob,20,f(0211555)u(prohib))
exten => carol,1,Dial(PJSIP/carol)

[inner]
exten => 200,1,Answer()
same => n,Playback(hello)
same => n,Hangup()
exten => 201,1,NoOp(tall ${TALL} once ${ONCE} from ${CALLERID(num)})
same => n,Dial(PJSIP/bob)
exten => 300,1,Hangup(17)
";

fn exchange() -> Exchange {
    Exchange::lenient(config(), PLAN, &[("hello", 2000)])
}

fn has(exchange: &Exchange, step: &str) -> bool {
    exchange.steps().iter().any(|taken| taken.contains(step))
}

#[test]
fn the_other_half_answers_plays_and_hangs_up() {
    let mut exchange = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    assert_eq!(alice.last_status(), Some(200), "{:?}", exchange.steps());
    alice.ack(&mut exchange);
    exchange.run_for(secs(5));
    assert!(has(&exchange, "NoOp(status ANSWER)"), "{:?}", exchange.steps());
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn causes_come_through() {
    let mut exchange = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "101");
    assert!(has(&exchange, "NoOp(status BUSY 17)"), "{:?}", exchange.steps());
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn channels_that_dial_themselves_end() {
    let mut exchange = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "102");
    exchange.run_for(secs(5));
    // Whichever bound is met first: hops, or ports.
    assert!(has(&exchange, "NoOp(status C"), "{:?}", exchange.steps());
    assert!(exchange.steps().len() < 30);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn variables_go_with_the_call_and_so_does_the_caller() {
    let mut exchange = exchange();
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.register(&mut exchange, "bob");
    let mut alice = alice();
    alice.dial(&mut exchange, "103");
    assert!(has(&exchange, "NoOp(tall yes once maybe from alice)"), "{:?}", exchange.steps());
    let invite = bob.take_invite(&mut exchange);
    assert_eq!(invite.from_header().expect("a From").uri().user(), Some("alice"));
    bob.answer_call(&mut exchange, &invite, 180);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(180));
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    exchange.run_for(secs(3));
    bob.hang_up_callee(&mut exchange, &invite);
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn an_extension_that_is_not_there_is_nobody() {
    let mut exchange = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "104");
    assert!(has(&exchange, "NoOp(status CHANUNAVAIL)"), "{:?}", exchange.steps());
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

/// Bob answers 302 with this user.
fn forwarded(exten: &str, user: &str) -> (Exchange, Phone, Phone) {
    let mut exchange = exchange();
    let mut bob = Phone::new("bob", "bob-password", 2);
    let mut carol = Phone::new("carol", "carol-password", 3);
    bob.register(&mut exchange, "bob");
    carol.register(&mut exchange, "carol");
    let mut alice = alice();
    alice.dial(&mut exchange, exten);
    let invite = bob.take_invite(&mut exchange);
    let tag = crate::sip::Tag::parse("moved").expect("a tag");
    let contact = format!("<sip:{user}@127.0.0.1>");
    let moved = Response::to(&invite, StatusCode::new(302).expect("a status"))
        .with_to_tag(&tag)
        .with(HeaderName::Contact, contact.as_str());
    bob.reply(&mut exchange, &moved);
    (exchange, alice, carol)
}

#[test]
fn a_forwarded_call_goes_where_the_callee_wants_it() {
    let (mut exchange, mut alice, mut carol) = forwarded("105", "carol");
    let invite = carol.take_invite(&mut exchange);
    carol.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    alice.bye(&mut exchange);
    carol.pump(&mut exchange);
    assert!(carol.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn i_ignores_forwards_and_no_forward_names_two() {
    for (exten, user) in [("106", "carol"), ("105", "carol%26PJSIP/bob")] {
        let (mut exchange, mut alice, carol) = forwarded(exten, user);
        assert!(exchange.letters_to(carol.address()).is_empty(), "{exten}");
        assert!(has(&exchange, "NoOp(status CHANUNAVAIL)"), "{:?}", exchange.steps());
        alice.pump(&mut exchange);
        alice.ack(&mut exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn f_tells_another_caller_to_all_or_to_those_a_call_is_forwarded_to() {
    let shown = |invite: &crate::sip::Request| {
        let from = invite.from_header().expect("a From");
        from.uri().user().map(str::to_owned)
    };
    let (mut exchange, mut alice, carol) = forwarded("107", "carol");
    assert_eq!(shown(&carol.take_invite(&mut exchange)).as_deref(), Some("107"));
    alice.cancel(&mut exchange);
    alice.ack(&mut exchange);
    for (exten, expected) in [("107", "alice"), ("108", "0211555"), ("109", "anonymous")] {
        let mut exchange = self::exchange();
        let mut bob = Phone::new("bob", "bob-password", 2);
        assert_eq!(bob.register(&mut exchange, "bob"), 200);
        let mut alice = super::alice();
        alice.dial(&mut exchange, exten);
        let invite = bob.take_invite(&mut exchange);
        assert_eq!(shown(&invite).as_deref(), Some(expected), "{exten}");
        bob.answer_call(&mut exchange, &invite, 486);
        alice.pump(&mut exchange);
        alice.ack(&mut exchange);
        exchange.assert_nothing_left();
    }
}
