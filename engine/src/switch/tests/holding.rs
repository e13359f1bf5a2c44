//! Calls that wait in a holding bridge.

use super::*;

const PLAN: &str = "
[office]
exten => 100,1,BridgeWait()
same => n,NoOp(nobody let it wait longer)
exten => 101,1,BridgeWait(lobby,participant,e(r)S(20))
same => n,NoOp(time is over)
same => n,Wait(60)
exten => 102,1,BridgeWait(lobby,participant,e(n))
exten => 103,1,BridgeWait(lobby,participant,e(s)n)
exten => 104,1,BridgeWait(lobby,guest)
exten => 105,1,BridgeWait(lobby,participant,S(soon))
exten => 200,1,BridgeWait(lobby,announcer,S(5))
same => n,NoOp(announced)
same => n,Wait(60)
exten => 300,1,Bridge(PJSIP/alice)
";

fn exchange() -> Exchange {
    Exchange::lenient(config(), PLAN, &[])
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
    exchange.run_for(secs(1));
    phone
}

#[test]
fn who_waits_hears_music_until_somebody_bridges_with_it() {
    let mut exchange = exchange();
    let mut alice = call(&mut exchange, alice(), "100");
    exchange.run_for(secs(600));
    assert!(exchange.media.is_playing(1));
    let mut carol = call(&mut exchange, carol(), "300");
    assert!(!exchange.media.is_playing(1));
    assert_eq!(exchange.media.room_sizes(), [2]);
    carol.bye(&mut exchange);
    assert!(has(&exchange, "NoOp(nobody let it wait longer)"), "{:?}", exchange.steps());
    alice.pump(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn an_announcer_is_heard_by_all_and_then_they_are_entertained_again() {
    let mut exchange = exchange();
    let mut alice = call(&mut exchange, alice(), "101");
    let mut bob = call(&mut exchange, Phone::new("bob", "bob-password", 2), "102");
    assert!(exchange.media.is_playing(1), "it rings");
    assert!(!exchange.media.is_playing(2), "no entertainment");
    assert_eq!(exchange.media.room_sizes(), [0; 0]);
    let mut carol = call(&mut exchange, carol(), "200");
    assert_eq!(exchange.media.room_sizes(), [3]);
    assert_eq!(exchange.media.muted(), [true, true, false]);
    assert!(!exchange.media.is_playing(1));
    exchange.run_for(secs(5));
    assert!(has(&exchange, "NoOp(announced)"));
    assert_eq!(exchange.media.room_sizes(), [0; 0]);
    assert!(exchange.media.is_playing(1) && !exchange.media.is_playing(2));
    exchange.run_for(secs(15));
    assert!(has(&exchange, "NoOp(time is over)"));
    assert!(!exchange.media.is_playing(1));
    for phone in [&mut alice, &mut bob, &mut carol] {
        phone.bye(&mut exchange);
    }
    exchange.assert_nothing_left();
}

#[test]
fn one_who_comes_while_somebody_announces_hears_it_and_is_entertained_when_that_one_hangs_up() {
    let mut exchange = exchange();
    let mut carol = call(&mut exchange, carol(), "200");
    let mut alice = call(&mut exchange, alice(), "101");
    assert_eq!(exchange.media.room_sizes(), [2]);
    carol.bye(&mut exchange);
    exchange.run_for(secs(1));
    assert_eq!(exchange.media.room_sizes(), [0; 0]);
    assert!(exchange.media.is_playing(2), "it rings");
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn without_an_answer_it_waits_all_the_same_and_what_can_not_be_read_ends_the_call() {
    let mut exchange = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "103");
    exchange.run_for(secs(5));
    assert_eq!(alice.last_status(), Some(100));
    alice.cancel(&mut exchange);
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
    for exten in ["104", "105"] {
        let mut exchange = self::exchange();
        let mut alice = super::alice();
        alice.dial(&mut exchange, exten);
        assert!(alice.last_status().is_some_and(|status| status >= 400), "{exten}");
        alice.ack(&mut exchange);
        exchange.assert_nothing_left();
    }
}
