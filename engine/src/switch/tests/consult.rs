//! Transfers by keys.

use super::*;
use crate::{
    config::FeatureSettings,
    sip::{Request, StatusCode},
};

const PLAN: &str = "
[office]
exten => 200,1,Dial(PJSIP/bob,20,tTg)
same => n,NoOp(status ${DIALSTATUS})
same => n,Wait(1)
exten => 300,1,NoOp(to 300 ${BLINDTRANSFER:0:11} ${CALLERID(num)})
same => n,Dial(PJSIP/carol,20)
same => n,NoOp(carol ${DIALSTATUS})
exten => 3001,1,NoOp(longer)
same => n,Wait(60)
exten => h,1,NoOp(h of ${CHANNEL:0:11})
";

const PROMPTS: [(&str, u64); 4] =
    [("pbx-transfer", 1000), ("pbx-invalid", 1000), ("privacy-incorrect", 500), ("beeperr", 300)];

struct Scene {
    exchange: Exchange,
    alice: Phone,
    bob: Phone,
    carol: Phone,
    to_bob: Request,
}

const ALICE: ChannelId = ChannelId::new(1);
const BOB: ChannelId = ChannelId::new(2);

/// Alice has called Bob, and they talk.
fn scene() -> Scene {
    let features = FeatureSettings {
        attended_transfer: "*2".into(),
        disconnect: "*0".into(),
        ..FeatureSettings::default()
    };
    let config = SwitchConfig { features: Arc::new(features), ..config() };
    let mut exchange = Exchange::lenient(config, PLAN, &PROMPTS);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let mut carol = Phone::new("carol", "carol-password", 3);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    assert_eq!(carol.register(&mut exchange, "carol"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, "200");
    let to_bob = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &to_bob, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    assert_eq!(exchange.media.room_sizes(), [2]);
    Scene { exchange, alice, bob, carol, to_bob }
}

impl Scene {
    fn has(&self, step: &str) -> bool {
        self.exchange.steps().iter().any(|taken| taken.contains(step))
    }

    fn bob_types(&mut self, keys: &str) {
        self.exchange.press(BOB, keys);
    }

    /// Carol was called, and answers like this.
    fn carol_answers(&mut self, status: u16) -> Request {
        let invite = self.carol.take_invite(&mut self.exchange);
        self.carol.answer_call(&mut self.exchange, &invite, status);
        invite
    }

    fn bob_hangs_up(&mut self) {
        let invite = self.to_bob.clone();
        self.bob.hang_up_callee(&mut self.exchange, &invite);
    }

    fn alice_hangs_up(mut self) {
        self.alice.bye(&mut self.exchange);
        self.exchange.run_for(secs(3));
        for phone in [&mut self.bob, &mut self.carol] {
            phone.pump(&mut self.exchange);
        }
        self.exchange.assert_nothing_left();
    }
}

#[test]
fn the_callee_sends_the_caller_to_the_number_it_types() {
    let mut scene = scene();
    scene.bob_types("#");
    assert!(scene.exchange.media.is_playing(2), "Alice hears music");
    assert_eq!(scene.exchange.media.room_sizes(), [1]);
    assert_eq!(scene.exchange.played(BOB), ["pbx-transfer"]);
    scene.bob_types("300");
    assert!(!scene.has("to 300"), "3001 is a number as well");
    scene.exchange.run_for(secs(4));
    assert!(scene.has("NoOp(to 300 PJSIP/bob-0"), "{:?}", scene.exchange.steps());
    scene.bob.pump(&mut scene.exchange);
    assert!(scene.bob.bye_received().is_some());
    scene.carol_answers(200);
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    scene.alice_hangs_up();
}

#[test]
fn a_number_that_is_whole_needs_no_waiting_and_pound_ends_one() {
    for keys in ["3001", "300#"] {
        let mut scene = scene();
        scene.bob_types("#");
        scene.exchange.run_for(secs(2));
        scene.bob_types(keys);
        let step = if keys == "3001" { "NoOp(longer)" } else { "NoOp(to 300" };
        assert!(scene.has(step), "{:?}", scene.exchange.steps());
        if keys == "300#" {
            scene.carol_answers(486);
        }
        scene.alice_hangs_up();
    }
}

#[test]
fn the_caller_may_transfer_as_well() {
    let mut scene = scene();
    scene.exchange.press(ALICE, "#");
    scene.exchange.press(ALICE, "3001");
    assert!(scene.has("NoOp(longer)"), "{:?}", scene.exchange.steps());
    scene.alice.pump(&mut scene.exchange);
    assert!(scene.alice.bye_received().is_some(), "its dialplan is over");
    scene.bob_hangs_up();
    scene.exchange.assert_nothing_left();
}

#[test]
fn three_wrong_numbers_or_silence_lead_back() {
    for keys in [&["9", "9", "9"][..], &[]] {
        let mut scene = scene();
        scene.bob_types("#");
        scene.exchange.run_for(secs(2));
        for digit in keys {
            scene.bob_types(digit);
            scene.exchange.run_for(secs(2));
        }
        scene.exchange.run_for(secs(5));
        assert_eq!(scene.exchange.media.room_sizes(), [2], "they talk again");
        assert!(!scene.exchange.media.is_playing(2));
        // And may try again.
        scene.bob_types("#");
        assert_eq!(scene.exchange.media.room_sizes(), [1]);
        scene.alice_hangs_up();
    }
}

#[test]
fn whoever_is_asked_first_gets_the_call_when_the_transferrer_hangs_up() {
    let mut scene = scene();
    scene.bob_types("*2");
    scene.bob_types("300#");
    scene.carol_answers(200);
    assert_eq!(
        scene.exchange.media.room_sizes(),
        [1, 2, 2],
        "Alice waits, Bob asks through a Local"
    );
    scene.bob_hangs_up();
    assert_eq!(scene.exchange.media.room_sizes(), [2, 2]);
    scene.exchange.run_for(secs(30));
    assert_eq!(scene.exchange.media.room_sizes(), [2, 2]);
    assert!(!scene.exchange.media.is_playing(2));
    scene.alice_hangs_up();
}

#[test]
fn keys_complete_abort_and_swap() {
    let mut scene = scene();
    scene.bob_types("*2");
    scene.bob_types("300#");
    scene.carol_answers(200);
    scene.bob_types("*4");
    assert!(!scene.exchange.media.is_playing(2), "Bob talks to Alice");
    scene.bob_types("*4");
    assert!(scene.exchange.media.is_playing(2));
    scene.bob_types("*1");
    scene.carol.pump(&mut scene.exchange);
    assert!(scene.carol.bye_received().is_some());
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    // Once more, to the end.
    scene.carol.received.clear();
    scene.bob_types("*2");
    scene.bob_types("300#");
    scene.carol_answers(200);
    scene.bob_types("*2");
    scene.bob.pump(&mut scene.exchange);
    assert!(scene.bob.bye_received().is_some());
    assert_eq!(scene.exchange.media.room_sizes(), [2, 2]);
    scene.alice_hangs_up();
}

#[test]
fn the_caller_asks_and_hangs_up() {
    let mut scene = scene();
    scene.exchange.press(ALICE, "*2");
    scene.exchange.press(ALICE, "300#");
    let to_carol = scene.carol_answers(200);
    scene.alice.bye(&mut scene.exchange);
    assert_eq!(scene.exchange.media.room_sizes(), [2, 2]);
    scene.carol.hang_up_callee(&mut scene.exchange, &to_carol);
    scene.bob.pump(&mut scene.exchange);
    assert!(scene.bob.bye_received().is_some());
    scene.exchange.assert_nothing_left();
}

#[test]
fn who_is_asked_and_does_not_want_leads_back() {
    let mut scene = scene();
    scene.bob_types("*2");
    scene.bob_types("300#");
    scene.carol_answers(486);
    scene.exchange.run_for(secs(12));
    assert_eq!(scene.exchange.media.room_sizes(), [2], "{:?}", scene.exchange.steps());
    scene.alice_hangs_up();
}

#[test]
fn hanging_up_while_it_rings_sends_the_partner_there() {
    let mut scene = scene();
    scene.bob_types("*2");
    scene.bob_types("300#");
    let first = scene.carol_answers(180);
    scene.bob_hangs_up();
    scene.carol.answer_call(&mut scene.exchange, &first, StatusCode::REQUEST_TERMINATED.code());
    let steps = scene.exchange.steps();
    assert!(steps.iter().any(|it| it.contains("to 300 PJSIP/bob-0")), "{steps:?}");
    scene.alice_hangs_up();
}

#[test]
fn the_partner_may_give_up_at_any_time() {
    for keys in ["#", "#30", "*2", "*2300#"] {
        let mut scene = scene();
        for key in keys.split_inclusive(['#', '2']) {
            scene.bob_types(key);
        }
        scene.alice.bye(&mut scene.exchange);
        scene.bob.pump(&mut scene.exchange);
        assert!(scene.bob.bye_received().is_some(), "{keys}");
        scene.carol.answer_whatever_comes(&mut scene.exchange, 487);
        scene.exchange.assert_nothing_left();
    }
}

#[test]
fn whoever_is_asked_stays_when_the_partner_gives_up() {
    let mut scene = scene();
    scene.bob_types("*2");
    scene.bob_types("300#");
    let to_carol = scene.carol_answers(200);
    scene.alice.bye(&mut scene.exchange);
    scene.bob.pump(&mut scene.exchange);
    assert!(scene.bob.bye_received().is_none(), "Bob talks on");
    assert_eq!(scene.exchange.media.room_sizes(), [2, 2]);
    scene.carol.hang_up_callee(&mut scene.exchange, &to_carol);
    scene.bob.pump(&mut scene.exchange);
    assert!(scene.bob.bye_received().is_some());
    scene.exchange.assert_nothing_left();
}
