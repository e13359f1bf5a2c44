//! Calls that are put together by Bridge and BridgeAdd.

use super::*;

const PLAN: &str = "
[office]
exten => 100,1,Answer()
same => n,Set(here=${CHANNEL})
same => n,MusicOnHold()
same => n,NoOp(waiting ${here} goes on)
same => n,Wait(60)
exten => 101,1,Wait(60)
exten => 200,1,Dial(PJSIP/bob,20,g)
same => n,NoOp(dial ${DIALSTATUS})
same => n,Wait(60)
exten => 300,1,Bridge(PJSIP/alice)
same => n,NoOp(bridge ${BRIDGERESULT} ${BRIDGEPEER})
same => n,Wait(60)
exten => 301,1,Bridge(PJSIP/alice,x)
same => n,NoOp(bridge ${BRIDGERESULT})
exten => 302,1,Bridge(PJSIP/alice,F(office^400^1))
exten => 303,1,Bridge(PJSIP/alice,S(10)p)
same => n,NoOp(bridge ${BRIDGERESULT})
same => n,Wait(60)
exten => 304,1,Bridge(PJSIP/bob)
same => n,NoOp(bridge ${BRIDGERESULT} ${BRIDGEPEER})
exten => 305,1,Bridge(PJSIP/nobody)
same => n,NoOp(bridge ${BRIDGERESULT})
same => n,Bridge(${CHANNEL})
same => n,NoOp(bridge ${BRIDGERESULT})
exten => 306,1,Bridge(PJSIP/alice,Hw)
same => n,NoOp(bridge ${BRIDGERESULT})
same => n,Wait(60)
exten => 310,1,BridgeAdd(PJSIP/bob)
same => n,NoOp(added ${BRIDGERESULT})
same => n,Wait(60)
exten => 311,1,BridgeAdd(PJSIP/alice)
same => n,NoOp(added ${BRIDGERESULT})
same => n,BridgeAdd(PJSIP/carol)
same => n,NoOp(added ${BRIDGERESULT})
exten => 400,1,NoOp(bridged party is here)
same => n,Wait(60)
exten => h,1,NoOp(end of ${CHANNEL(name):6:5})
";

const PROMPTS: [(&str, u64); 1] = [("beep", 200)];

fn exchange() -> Exchange {
    Exchange::lenient(config(), PLAN, &PROMPTS)
}

fn has(exchange: &Exchange, step: &str) -> bool {
    exchange.steps().iter().any(|taken| taken.contains(step))
}

fn carol() -> Phone {
    Phone::new("carol", "carol-password", 3)
}

/// Calls, and answers the answer.
fn call(exchange: &mut Exchange, mut phone: Phone, exten: &str) -> Phone {
    phone.dial(exchange, exten);
    assert_eq!(phone.last_status(), Some(200), "{exten}");
    phone.ack(exchange);
    phone
}

/// Alice hears music; Carol bridges with her.
fn bridged(exten: &str) -> (Exchange, Phone, Phone) {
    let mut exchange = exchange();
    let alice = call(&mut exchange, alice(), "100");
    exchange.run_for(secs(1));
    assert!(exchange.media.is_playing(1), "music");
    let carol = call(&mut exchange, carol(), exten);
    exchange.run_for(secs(1));
    assert_eq!(exchange.media.room_sizes(), [2]);
    assert!(!exchange.media.is_playing(1), "no music any more");
    (exchange, alice, carol)
}

/// Alice has called Bob, and they talk.
fn talking(exchange: &mut Exchange) -> (Phone, Phone, crate::sip::Request) {
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(exchange, "bob"), 200);
    let mut alice = alice();
    alice.dial(exchange, "200");
    let to_bob = bob.take_invite(exchange);
    bob.answer_call(exchange, &to_bob, 200);
    alice.pump(exchange);
    alice.ack(exchange);
    assert_eq!(exchange.media.room_sizes(), [2]);
    (alice, bob, to_bob)
}

#[test]
fn the_other_one_goes_on_in_its_dialplan_when_the_bridger_hangs_up() {
    let (mut exchange, mut alice, mut carol) = bridged("300");
    carol.bye(&mut exchange);
    exchange.run_for(secs(1));
    assert!(has(&exchange, "NoOp(waiting PJSIP/alice"), "{:?}", exchange.steps());
    assert!(has(&exchange, "NoOp(end of carol)"));
    assert!(!has(&exchange, "NoOp(end of alice)"));
    alice.bye(&mut exchange);
    assert!(has(&exchange, "NoOp(end of alice)"));
    exchange.assert_nothing_left();
}

#[test]
fn the_bridger_goes_on_in_its_dialplan_when_the_other_one_hangs_up() {
    let (mut exchange, mut alice, mut carol) = bridged("300");
    alice.bye(&mut exchange);
    exchange.run_for(secs(1));
    assert!(has(&exchange, "NoOp(bridge SUCCESS PJSIP/alice"), "{:?}", exchange.steps());
    // The other one's own dialplan hears of its end.
    assert!(has(&exchange, "NoOp(end of alice)"));
    carol.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn options_hang_the_other_one_up_or_send_it_to_a_place() {
    let (mut exchange, mut alice, mut carol) = bridged("301");
    carol.bye(&mut exchange);
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    assert!(!has(&exchange, "goes on)"));
    exchange.assert_nothing_left();

    let (mut exchange, mut alice, mut carol) = bridged("302");
    carol.bye(&mut exchange);
    exchange.run_for(secs(1));
    assert!(has(&exchange, "NoOp(bridged party is here)"), "{:?}", exchange.steps());
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_limit_lets_both_go_on_and_the_other_one_hears_a_beep_first() {
    let (mut exchange, mut alice, mut carol) = bridged("303");
    assert_eq!(exchange.played(ChannelId::new(1)).last().map(String::as_str), Some("beep"));
    exchange.run_for(secs(10));
    assert_eq!(exchange.media.room_sizes(), [0; 0]);
    assert!(has(&exchange, "NoOp(bridge SUCCESS)") && has(&exchange, "goes on)"));
    alice.bye(&mut exchange);
    carol.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn the_bridger_may_end_it_by_key_where_the_option_says_so() {
    let (mut exchange, mut alice, mut carol) = bridged("306");
    exchange.press(ChannelId::new(2), "*");
    exchange.run_for(secs(1));
    assert!(has(&exchange, "NoOp(bridge SUCCESS)") && has(&exchange, "goes on)"));
    alice.bye(&mut exchange);
    carol.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn one_who_was_called_leaves_the_caller_to_its_dialplan_and_is_hung_up_afterwards() {
    let mut exchange = exchange();
    let (mut alice, mut bob, _) = talking(&mut exchange);
    let mut carol = call(&mut exchange, carol(), "304");
    exchange.run_for(secs(1));
    assert!(has(&exchange, "NoOp(dial ANSWER)"), "{:?}", exchange.steps());
    assert_eq!(exchange.media.room_sizes(), [2]);
    carol.bye(&mut exchange);
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some());
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn one_who_called_leaves_the_callee_and_goes_on_behind_its_dial() {
    let mut exchange = exchange();
    let (mut alice, mut bob, _) = talking(&mut exchange);
    let mut carol = call(&mut exchange, carol(), "300");
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some());
    assert_eq!(exchange.media.room_sizes(), [2]);
    carol.bye(&mut exchange);
    exchange.run_for(secs(1));
    assert!(has(&exchange, "NoOp(dial "), "{:?}", exchange.steps());
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn nobody_can_be_bridged_with_who_is_not_there_or_is_oneself() {
    let mut exchange = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "305");
    assert!(has(&exchange, "305,2 NoOp(bridge NONEXISTENT)"), "{:?}", exchange.steps());
    assert!(has(&exchange, "305,4 NoOp(bridge LOOP)"), "{:?}", exchange.steps());
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_call_that_is_not_answered_yet_is_answered_and_one_that_rings_can_not_be_had() {
    let mut exchange = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "101");
    let mut carol = call(&mut exchange, carol(), "300");
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    assert_eq!(exchange.media.room_sizes(), [2]);
    carol.bye(&mut exchange);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();

    let mut exchange = self::exchange();
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    let mut alice = super::alice();
    alice.dial(&mut exchange, "200");
    let mut carol = self::carol();
    carol.dial(&mut exchange, "304");
    assert!(has(&exchange, "NoOp(bridge FAILURE"), "{:?}", exchange.steps());
    carol.ack(&mut exchange);
    alice.cancel(&mut exchange);
    alice.ack(&mut exchange);
    exchange.run_for(secs(40));
    exchange.assert_nothing_left();
}

#[test]
fn a_guest_hears_both_and_goes_on_when_they_are_gone() {
    let mut exchange = exchange();
    let (mut alice, mut bob, _) = talking(&mut exchange);
    let mut carol = call(&mut exchange, carol(), "310");
    exchange.run_for(secs(1));
    assert_eq!(exchange.media.room_sizes(), [3]);
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some());
    exchange.run_for(secs(1));
    assert!(has(&exchange, "NoOp(added SUCCESS)"), "{:?}", exchange.steps());
    assert_eq!(exchange.media.room_sizes(), [0; 0]);
    carol.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_guest_who_leaves_disturbs_nobody_and_nobody_joins_one_who_is_alone() {
    let mut exchange = exchange();
    let (mut alice, _bob, _) = talking(&mut exchange);
    let mut carol = call(&mut exchange, carol(), "310");
    assert_eq!(exchange.media.room_sizes(), [3]);
    carol.bye(&mut exchange);
    exchange.run_for(secs(1));
    assert_eq!(exchange.media.room_sizes(), [2]);
    alice.bye(&mut exchange);
    exchange.run_for(secs(70));

    let mut exchange = self::exchange();
    let mut alice = call(&mut exchange, super::alice(), "100");
    let mut carol = self::carol();
    carol.dial(&mut exchange, "311");
    assert!(has(&exchange, "311,2 NoOp(added FAILURE)"), "{:?}", exchange.steps());
    assert!(has(&exchange, "311,4 NoOp(added LOOP)"), "{:?}", exchange.steps());
    carol.ack(&mut exchange);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}
