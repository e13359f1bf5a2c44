//! Calls that are answered by somebody else than they ring for.

use super::*;
use crate::{config::Groups, sip::Request};

const PLAN: &str = "
[office]
exten => 200,1,Set(__PICKUPMARK=blue)
same => n,Dial(PJSIP/bob,20,g)
same => n,NoOp(status ${DIALSTATUS} ${DIALEDPEERNAME:0:11})
same => n,Hangup()
exten => _*9.,1,Pickup(${EXTEN:2}@office)
same => n,NoOp(nobody)
same => n,Hangup(19)
exten => blue,1,Pickup(blue@PICKUPMARK)
exten => chan,1,PickupChan(PJSIP/bob)
exten => 500,1,Answer()
same => n,NoOp(line ${CHANNEL:0:11})
same => n,Wait(60)
";

struct Scene {
    exchange: Exchange,
    alice: Phone,
    bob: Phone,
    carol: Phone,
    to_bob: Request,
}

/// Alice calls Bob, who does not answer.
fn ringing() -> Scene {
    let mut settings = sip();
    settings.peers = Default::default();
    let group = Groups { numbers: 2, ..Groups::default() };
    let bob = Peer { call_groups: group.clone(), ..peer("bob", "office") };
    let carol = Peer { pickup_groups: group, ..peer("carol", "office") };
    for peer in [peer("alice", "office"), bob, carol] {
        settings.peers.insert(peer).expect("a new name");
    }
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::lenient(config, PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, "200");
    let to_bob = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &to_bob, 180);
    let carol = Phone::new("carol", "carol-password", 3);
    Scene { exchange, alice, bob, carol, to_bob }
}

impl Scene {
    fn has(&self, step: &str) -> bool {
        self.exchange.steps().iter().any(|taken| taken.contains(step))
    }

    /// Carol took the call, and Bob's phone stopped ringing.
    fn carol_talks(&mut self) {
        self.carol.pump(&mut self.exchange);
        assert_eq!(self.carol.last_status(), Some(200), "{:?}", self.exchange.steps());
        self.carol.ack(&mut self.exchange);
        self.alice.pump(&mut self.exchange);
        assert_eq!(self.alice.last_status(), Some(200));
        self.alice.ack(&mut self.exchange);
        assert_eq!(self.exchange.media.room_sizes(), [2]);
        let cancel = self.exchange.letters_to(self.bob.address());
        let text = String::from_utf8_lossy(&cancel[0]).into_owned();
        assert!(text.starts_with("CANCEL") && text.contains("cause=26"), "{text}");
        let ended = crate::sip::StatusCode::REQUEST_TERMINATED.code();
        self.bob.answer_call(&mut self.exchange, &self.to_bob.clone(), ended);
    }

    fn carol_hangs_up(mut self) {
        self.carol.bye(&mut self.exchange);
        self.alice.pump(&mut self.exchange);
        assert!(self.has("NoOp(status ANSWER PJSIP/carol)"), "{:?}", self.exchange.steps());
        assert!(self.alice.bye_received().is_some());
        self.exchange.assert_nothing_left();
    }
}

#[test]
fn the_group_is_answered_by_its_code() {
    let mut scene = ringing();
    scene.carol.dial(&mut scene.exchange, "*8");
    scene.carol_talks();
    scene.carol_hangs_up();
}

#[test]
fn who_is_in_no_group_answers_nobody() {
    let mut scene = ringing();
    let mut other = Phone::new("alice", "alice-password", 4);
    other.dial(&mut scene.exchange, "*8");
    assert_eq!(other.last_status(), Some(603));
    other.ack(&mut scene.exchange);
    scene.alice.cancel(&mut scene.exchange);
    scene.alice.ack(&mut scene.exchange);
    scene.bob.answer_call(&mut scene.exchange, &scene.to_bob.clone(), 487);
    scene.exchange.assert_nothing_left();
}

#[test]
fn an_extension_a_mark_or_a_channel_says_whose_call_is_answered() {
    for code in ["*9200", "blue", "chan"] {
        let mut scene = ringing();
        scene.carol.dial(&mut scene.exchange, code);
        scene.carol_talks();
        scene.carol_hangs_up();
    }
}

#[test]
fn without_a_ringing_call_the_dialplan_goes_on() {
    let mut scene = ringing();
    scene.carol.dial(&mut scene.exchange, "*9300");
    assert!(scene.has("NoOp(nobody)"), "{:?}", scene.exchange.steps());
    scene.carol.ack(&mut scene.exchange);
    let invite = scene.to_bob.clone();
    scene.bob.answer_call(&mut scene.exchange, &invite, 200);
    scene.alice.pump(&mut scene.exchange);
    scene.alice.ack(&mut scene.exchange);
    // Answered meanwhile: there is nothing to pick up any more.
    scene.carol.forget_call();
    scene.carol.dial(&mut scene.exchange, "*9200");
    assert_eq!(scene.carol.last_status(), Some(480));
    scene.carol.ack(&mut scene.exchange);
    scene.alice.bye(&mut scene.exchange);
    scene.bob.pump(&mut scene.exchange);
    scene.exchange.assert_nothing_left();
}

#[test]
fn the_caller_ends_a_call_that_was_picked_up() {
    let mut scene = ringing();
    scene.carol.dial(&mut scene.exchange, "*8");
    scene.carol_talks();
    scene.alice.bye(&mut scene.exchange);
    scene.carol.pump(&mut scene.exchange);
    assert!(scene.carol.bye_received().is_some());
    scene.exchange.assert_nothing_left();
}

#[test]
fn an_invite_with_replaces_answers_what_rings_elsewhere() {
    let mut scene = ringing();
    // As Bob's phone told Carol's: the tags as we see them, who receives the Replaces.
    let ours = scene.to_bob.from_tag().expect("a tag").to_owned();
    let call_id = scene.to_bob.call_id().expect("a Call-ID").to_owned();
    let replaces = format!("{call_id};to-tag={ours};from-tag=tag2;early-only");
    scene.carol.dial_replacing(&mut scene.exchange, &replaces);
    scene.carol_talks();
    scene.carol_hangs_up();
}

#[test]
fn an_invite_with_replaces_takes_the_place_of_a_call() {
    let mut scene = ringing();
    let invite = scene.to_bob.clone();
    scene.bob.answer_call(&mut scene.exchange, &invite, 200);
    scene.alice.pump(&mut scene.exchange);
    scene.alice.ack(&mut scene.exchange);
    let early = scene.alice.replaces(true);
    scene.carol.dial_replacing(&mut scene.exchange, &early);
    assert_eq!(scene.carol.last_status(), Some(486), "only while it rings");
    scene.carol.ack(&mut scene.exchange);
    scene.carol.forget_call();
    // Carol takes Alice's place, who called.
    let replaces = scene.alice.replaces(false);
    scene.carol.dial_replacing(&mut scene.exchange, &replaces);
    assert_eq!(scene.carol.last_status(), Some(200));
    scene.carol.ack(&mut scene.exchange);
    scene.alice.pump(&mut scene.exchange);
    assert!(scene.alice.bye_received().is_some());
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    scene.carol.bye(&mut scene.exchange);
    scene.bob.pump(&mut scene.exchange);
    assert!(scene.bob.bye_received().is_some());
    scene.exchange.assert_nothing_left();
}

#[test]
fn an_invite_with_replaces_goes_on_where_the_dialplan_is() {
    let mut exchange = Exchange::lenient(config(), PLAN, &[]);
    let mut alice = alice();
    alice.dial(&mut exchange, "500");
    alice.ack(&mut exchange);
    exchange.run_for(secs(2));
    let mut carol = Phone::new("carol", "carol-password", 3);
    carol.dial_replacing(&mut exchange, &alice.replaces(false));
    assert_eq!(carol.last_status(), Some(200));
    carol.ack(&mut exchange);
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    let calls = exchange.switch.call_count();
    exchange.run_for(secs(30));
    assert!(calls >= 1 && carol.bye_received().is_none(), "it waits where Alice did");
    carol.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn replaces_that_names_nothing_is_refused() {
    let mut scene = ringing();
    for (replaces, status) in
        [("no-such-call;to-tag=1;from-tag=2", 481), ("no-tags", 400), ("x;to-tag=1", 400)]
    {
        scene.carol.dial_replacing(&mut scene.exchange, replaces);
        assert_eq!(scene.carol.last_status(), Some(status), "{replaces}");
        scene.carol.ack(&mut scene.exchange);
        scene.carol.forget_call();
    }
    // Bob's own side of it is not ours to replace: he is the one called.
    let ours = scene.alice.replaces(false);
    scene.carol.dial_replacing(&mut scene.exchange, &ours);
    assert_eq!(scene.carol.last_status(), Some(481));
    scene.carol.ack(&mut scene.exchange);
    scene.alice.cancel(&mut scene.exchange);
    scene.alice.ack(&mut scene.exchange);
    scene.bob.answer_call(&mut scene.exchange, &scene.to_bob.clone(), 487);
    scene.exchange.assert_nothing_left();
}
