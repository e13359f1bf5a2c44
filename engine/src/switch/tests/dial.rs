//! One phone calls another through the dialplan.

use super::*;
use crate::sip::Method;

const PLAN: &str = "
[office]
exten => _2XX,1,Dial(PJSIP/bob,20)
same => n,NoOp(${DIALSTATUS} ${HANGUPCAUSE})
same => n,Hangup()
exten => 300,1,Dial(PJSIP/bob&PJSIP/carol,20,g)
same => n,NoOp(${DIALSTATUS})
exten => h,1,NoOp(end)
";

/// Alice dials; Bob and Carol are registered.
fn ringing(exten: &str) -> (Exchange, Phone, Phone, Phone) {
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let mut carol = Phone::new("carol", "carol-password", 3);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    assert_eq!(carol.register(&mut exchange, "carol"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, exten);
    (exchange, alice, bob, carol)
}

fn has_step(exchange: &Exchange, step: &str) -> bool {
    exchange.steps().iter().any(|taken| taken.ends_with(step))
}

#[test]
fn two_phones_talk_until_the_caller_hangs_up() {
    let (mut exchange, mut alice, mut bob, _) = ringing("201");
    let invite = bob.take_invite(&mut exchange);
    let from = invite.from_header().expect("a From");
    assert_eq!(from.uri().user(), Some("alice"));
    bob.answer_call(&mut exchange, &invite, 180);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(180));
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    exchange.run_for(secs(5));
    assert_eq!(exchange.media.room_sizes(), [2]);
    exchange.press(ChannelId::new(1), "5");
    assert_eq!(exchange.media.sent_digits, 1, "passed on to Bob");
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some());
    assert!(has_step(&exchange, "NoOp(end)"));
    exchange.assert_nothing_left();
}

#[test]
fn when_the_callee_hangs_up_the_call_ends() {
    let (mut exchange, mut alice, mut bob, _) = ringing("201");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    bob.hang_up_callee(&mut exchange, &invite);
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn a_busy_callee_is_a_status_and_the_dialplan_goes_on() {
    let (mut exchange, mut alice, mut bob, _) = ringing("201");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 486);
    assert!(has_step(&exchange, "NoOp(BUSY 17)"), "{:?}", exchange.steps());
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(486), "a plain Hangup() sends the cause of the Dial");
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn nobody_answers_in_time() {
    let (mut exchange, mut alice, mut bob, _) = ringing("201");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 180);
    exchange.run_for(secs(21));
    assert!(exchange.steps().iter().any(|step| step.contains("NoOp(NOANSWER")));
    bob.pump(&mut exchange);
    let cancelled =
        |it: &Received| matches!(it, Received::Request(r) if *r.method() == Method::Cancel);
    assert!(bob.received.iter().any(cancelled));
    bob.answer_call(&mut exchange, &invite, 487);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn the_first_to_answer_wins_and_the_others_stop_ringing() {
    let (mut exchange, mut alice, mut bob, mut carol) = ringing("300");
    let to_bob = bob.take_invite(&mut exchange);
    let to_carol = carol.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &to_bob, 180);
    carol.answer_call(&mut exchange, &to_carol, 180);
    carol.answer_call(&mut exchange, &to_carol, 200);
    bob.pump(&mut exchange);
    let cancelled =
        |it: &Received| matches!(it, Received::Request(r) if *r.method() == Method::Cancel);
    assert!(bob.received.iter().any(cancelled));
    bob.answer_call(&mut exchange, &to_bob, 487);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    carol.hang_up_callee(&mut exchange, &to_carol);
    assert!(has_step(&exchange, "NoOp(ANSWER)"), "option g: {:?}", exchange.steps());
    alice.pump(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_phone_that_is_not_registered_can_not_be_called() {
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    let mut alice = alice();
    alice.dial(&mut exchange, "201");
    assert!(exchange.steps().iter().any(|step| step.contains("NoOp(CHANUNAVAIL")));
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let (mut exchange, mut alice, mut bob, _) = ringing("201");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 180);
    alice.pump(&mut exchange);
    alice.cancel(&mut exchange);
    alice.ack(&mut exchange);
    bob.pump(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 487);
    assert!(has_step(&exchange, "NoOp(end)"));
    exchange.assert_nothing_left();
}

#[test]
fn calls_begin_with_the_variables_and_the_account_of_their_peer() {
    let mut settings = sip();
    settings.peers = Default::default();
    let set = |name: &str, value: &str| (name.into(), value.into());
    let alice_peer = Peer {
        account_code: "sales".into(),
        variables: vec![set("LEVEL", "7"), set("CALLERID(name)", "Al")],
        ..peer("alice", "office")
    };
    let variables = vec![set("CHANNEL(language)", "fr"), set("SIDE", "called")];
    let bob_peer = Peer { variables, account_code: "shop".into(), ..peer("bob", "office") };
    for it in [alice_peer, bob_peer] {
        settings.peers.insert(it).expect("a new name");
    }
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let plan = "[office]
exten => 200,1,NoOp(${LEVEL} ${CALLERID(name)} ${CHANNEL(accountcode)})
same => n,Dial(PJSIP/bob,20,b(office^sub^1))
exten => sub,1,NoOp(${SIDE} ${CHANNEL(language)} ${CHANNEL(accountcode)} ${LEVEL})
same => n,Return()
";
    let mut exchange = Exchange::new(config, plan, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    alice().dial(&mut exchange, "200");
    assert!(has_step(&exchange, "NoOp(7 Al sales)"), "{:?}", exchange.steps());
    assert!(has_step(&exchange, "NoOp(called fr shop )"), "{:?}", exchange.steps());
}
