//! Calls that wait in a slot.

use super::*;
use crate::{
    config::{FeatureSettings, ParkingLot},
    sip::Request,
};

const PLAN: &str = "
[office]
exten => 200,1,Dial(PJSIP/bob,20,kKg)
same => n,NoOp(status ${DIALSTATUS})
exten => 600,1,Park(,t(10))
same => n,NoOp(nobody came)
exten => 601,1,Park(small)
same => n,NoOp(no room)
exten => 602,1,Park(default,sc(inner,9,1)t(5))
include => parkedcalls

[inner]
exten => 9,1,NoOp(back from ${PARKINGSLOT})
same => n,Wait(60)

[parkedcalls]
exten => 700,1,Park(default)
exten => _7XX,1,ParkedCall(default,${EXTEN})
same => n,NoOp(parked call over)
exten => 799,1,ParkedCall()

[parkedcallstimeout]
exten => PJSIP_bob,1,NoOp(timeout of ${PARKINGSLOT} ${PARKER})
same => n,Wait(60)
";

const PROMPTS: [(&str, u64); 4] =
    [("digits/7", 300), ("digits/0", 300), ("digits/1", 300), ("pbx-invalidpark", 500)];

fn exchange_with(lot: ParkingLot) -> Exchange {
    let small = ParkingLot { name: "small".into(), slots: 801..=801, ..ParkingLot::default() };
    let features = FeatureSettings {
        park: "*3".into(),
        parking: vec![lot, small],
        ..FeatureSettings::default()
    };
    let config = SwitchConfig { features: Arc::new(features), ..config() };
    Exchange::lenient(config, PLAN, &PROMPTS)
}

fn lot() -> ParkingLot {
    ParkingLot { extension: "700".into(), ..ParkingLot::default() }
}

fn has(exchange: &Exchange, step: &str) -> bool {
    exchange.steps().iter().any(|taken| taken.contains(step))
}

/// Alice has called Bob, and they talk.
fn talking(exchange: &mut Exchange) -> (Phone, Phone, Request) {
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(exchange, "bob"), 200);
    let mut alice = alice();
    alice.dial(exchange, "200");
    let to_bob = bob.take_invite(exchange);
    bob.answer_call(exchange, &to_bob, 200);
    alice.pump(exchange);
    alice.ack(exchange);
    (alice, bob, to_bob)
}

#[test]
fn a_parked_caller_hears_its_slot_and_is_taken_from_it() {
    let mut exchange = exchange_with(lot());
    let mut alice = alice();
    alice.dial(&mut exchange, "600");
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    exchange.run_for(secs(2));
    assert_eq!(exchange.played(ChannelId::new(1)), ["digits/7", "digits/0", "digits/1"]);
    assert!(exchange.media.is_playing(1), "then music");
    let mut carol = Phone::new("carol", "carol-password", 3);
    carol.dial(&mut exchange, "701");
    assert_eq!(carol.last_status(), Some(200));
    carol.ack(&mut exchange);
    assert_eq!(exchange.media.room_sizes(), [2]);
    exchange.run_for(secs(60));
    assert_eq!(exchange.media.room_sizes(), [2]);
    alice.bye(&mut exchange);
    assert!(has(&exchange, "NoOp(parked call over)"), "{:?}", exchange.steps());
    carol.pump(&mut exchange);
    assert!(carol.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn nobody_comes_and_the_dialplan_goes_on() {
    let mut exchange = exchange_with(lot());
    let mut alice = alice();
    alice.dial(&mut exchange, "600");
    alice.ack(&mut exchange);
    exchange.run_for(secs(12));
    assert!(has(&exchange, "NoOp(nobody came)"), "{:?}", exchange.steps());
    let mut carol = Phone::new("carol", "carol-password", 3);
    carol.dial(&mut exchange, "602");
    carol.ack(&mut exchange);
    exchange.run_for(secs(6));
    assert!(has(&exchange, "NoOp(back from 701)"), "{:?}", exchange.steps());
    carol.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_full_lot_and_an_empty_slot_are_told() {
    let mut exchange = exchange_with(lot());
    let mut alice = alice();
    alice.dial(&mut exchange, "601");
    alice.ack(&mut exchange);
    let mut carol = Phone::new("carol", "carol-password", 3);
    carol.dial(&mut exchange, "601");
    assert!(carol.last_status().is_some_and(|status| status >= 400), "{:?}", carol.statuses());
    carol.ack(&mut exchange);
    carol.forget_call();
    carol.dial(&mut exchange, "744");
    carol.ack(&mut exchange);
    exchange.run_for(secs(1));
    carol.pump(&mut exchange);
    assert!(carol.bye_received().is_some(), "nobody is parked there");
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn keys_park_the_other_one_and_tell_the_slot() {
    let mut exchange = exchange_with(lot());
    let (mut alice, mut bob, _) = talking(&mut exchange);
    exchange.press(ChannelId::new(2), "*3");
    exchange.run_for(secs(2));
    assert_eq!(exchange.played(ChannelId::new(2)), ["digits/7", "digits/0", "digits/1"]);
    assert!(exchange.played(ChannelId::new(1)).is_empty());
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some());
    // Nobody comes: it rings at Bob again.
    exchange.run_for(secs(50));
    let back = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &back, 200);
    assert_eq!(exchange.media.room_sizes(), [2]);
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_caller_may_park_whom_it_called() {
    let mut exchange = exchange_with(lot());
    let (mut alice, mut bob, to_bob) = talking(&mut exchange);
    exchange.press(ChannelId::new(1), "*3");
    exchange.run_for(secs(2));
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    let mut carol = Phone::new("carol", "carol-password", 3);
    carol.dial(&mut exchange, "799");
    carol.ack(&mut exchange);
    assert_eq!(exchange.media.room_sizes(), [2]);
    bob.hang_up_callee(&mut exchange, &to_bob);
    carol.pump(&mut exchange);
    assert!(carol.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn a_call_that_a_phone_sends_to_the_lot_comes_back_as_the_lot_says() {
    let mut exchange = exchange_with(ParkingLot { comes_back_to_origin: false, ..lot() });
    let (mut alice, mut bob, to_bob) = talking(&mut exchange);
    assert_eq!(bob.refer(&mut exchange, Some(&to_bob), "<sip:700@127.0.0.1>"), 202);
    exchange.run_for(secs(1));
    bob.pump(&mut exchange);
    assert_eq!(bob.reports(), [(100, false), (200, true)]);
    exchange.run_for(secs(50));
    assert!(has(&exchange, "NoOp(timeout of 701 PJSIP/bob)"), "{:?}", exchange.steps());
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    exchange.assert_nothing_left();
}
