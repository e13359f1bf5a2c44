//! Many phones that hear one caller.

use super::*;
use crate::sip::Request;

const PLAN: &str = "
[office]
exten => 100,1,Page(PJSIP/bob&PJSIP/carol)
same => n,NoOp(never)
exten => 101,1,Page(PJSIP/bob&PJSIP/carol,dqb(auto^s^1),10)
exten => 102,1,Page(PJSIP/bob&PJSIP/carol,A(attention)n)
exten => 103,1,Page(PJSIP/bob,qiA(attention))
exten => 104,1,Page(PJSIP/bob&PJSIP/carol,sqB(auto^s^2))
exten => 105,1,Page(Local/300@office,q)
exten => 300,1,Answer()
same => n,Wait(60)
exten => h,1,NoOp(end of ${CHANNEL(name):6:5})

[auto]
exten => s,1,Set(PJSIP_HEADER(add,Alert-Info)=auto)
same => n,NoOp(before ${CHANNEL(name):6:5})
same => n,Return()
";

const PROMPTS: [(&str, u64); 2] = [("beep", 200), ("attention", 2000)];

struct World {
    exchange: Exchange,
    alice: Phone,
    bob: Phone,
    carol: Phone,
}

fn has(exchange: &Exchange, step: &str) -> bool {
    exchange.steps().iter().any(|taken| taken.contains(step))
}

/// Alice has begun to page.
fn paging(exten: &str) -> World {
    let mut exchange = Exchange::lenient(config(), PLAN, &PROMPTS);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let mut carol = Phone::new("carol", "carol-password", 3);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    assert_eq!(carol.register(&mut exchange, "carol"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, exten);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    World { exchange, alice, bob, carol }
}

impl World {
    /// Both phones answer.
    fn answer(&mut self) -> [Request; 2] {
        let to_bob = self.bob.take_invite(&mut self.exchange);
        let to_carol = self.carol.take_invite(&mut self.exchange);
        self.bob.answer_call(&mut self.exchange, &to_bob, 200);
        self.carol.answer_call(&mut self.exchange, &to_carol, 200);
        [to_bob, to_carol]
    }

    fn all_are_hung_up(&mut self) {
        self.alice.bye(&mut self.exchange);
        self.bob.pump(&mut self.exchange);
        self.carol.pump(&mut self.exchange);
        assert!(self.bob.bye_received().is_some() && self.carol.bye_received().is_some());
        assert!(has(&self.exchange, "NoOp(end of alice)"));
        assert!(!has(&self.exchange, "NoOp(never)"));
        self.exchange.assert_nothing_left();
    }
}

#[test]
fn paged_phones_hear_the_pager_and_are_not_heard() {
    let mut world = paging("100");
    assert_eq!(world.exchange.played(ChannelId::new(1)), ["beep"]);
    world.answer();
    assert_eq!(world.exchange.media.room_sizes(), [3]);
    assert_eq!(world.exchange.media.muted(), [false, true, true]);
    world.exchange.run_for(secs(600));
    assert_eq!(world.exchange.media.room_sizes(), [3]);
    // Keys are for nobody.
    world.exchange.press(ChannelId::new(1), "5");
    world.exchange.press(ChannelId::new(2), "5");
    assert_eq!(world.exchange.media.sent_digits, 0);
    world.all_are_hung_up();
}

#[test]
fn a_full_duplex_page_is_heard_both_ways_behind_a_subroutine_for_each() {
    let mut world = paging("101");
    assert!(world.exchange.played(ChannelId::new(1)).is_empty(), "quiet");
    assert!(
        has(&world.exchange, "NoOp(before bob-0)") && has(&world.exchange, "NoOp(before carol)")
    );
    let invites = world.answer();
    for invite in invites {
        let alert = invite.headers().values_named("Alert-Info").next();
        assert_eq!(alert, Some(&b"auto"[..]));
    }
    assert_eq!(world.exchange.media.muted(), [false, false, false]);
    world.all_are_hung_up();
}

#[test]
fn an_announcement_is_heard_by_the_paged_before_the_pager() {
    let mut world = paging("102");
    assert_eq!(world.exchange.played(ChannelId::new(1)), ["beep"], "not to the pager");
    world.answer();
    assert_eq!(world.exchange.media.room_sizes(), [1]);
    assert_eq!(world.exchange.played(ChannelId::new(2)), ["attention"]);
    world.exchange.run_for(secs(3));
    assert_eq!(world.exchange.media.room_sizes(), [3]);
    world.all_are_hung_up();

    let mut world = paging("103");
    assert_eq!(world.exchange.played(ChannelId::new(1)), ["attention"], "no beep");
    let to_bob = world.bob.take_invite(&mut world.exchange);
    world.bob.answer_call(&mut world.exchange, &to_bob, 200);
    world.exchange.run_for(secs(3));
    assert_eq!(world.exchange.media.room_sizes(), [2]);
    world.alice.bye(&mut world.exchange);
    world.bob.pump(&mut world.exchange);
    world.exchange.assert_nothing_left();
}

#[test]
fn who_does_not_answer_in_time_is_given_up_and_who_hangs_up_is_gone() {
    let mut world = paging("101");
    let to_bob = world.bob.take_invite(&mut world.exchange);
    world.bob.answer_call(&mut world.exchange, &to_bob, 200);
    let to_carol = world.carol.take_invite(&mut world.exchange);
    world.carol.answer_call(&mut world.exchange, &to_carol, 180);
    world.exchange.run_for(secs(10));
    world.carol.pump(&mut world.exchange);
    assert!(world.carol.latest(&crate::sip::Method::Cancel).is_some());
    assert_eq!(world.exchange.media.room_sizes(), [2]);
    world.bob.hang_up_callee(&mut world.exchange, &to_bob);
    world.exchange.run_for(secs(60));
    assert_eq!(world.exchange.media.room_sizes(), [1], "the pager stays");
    world.alice.bye(&mut world.exchange);
    world.exchange.assert_nothing_left();
}

#[test]
fn a_phone_that_is_busy_is_passed_over_where_the_option_says_so() {
    let mut exchange = Exchange::lenient(config(), PLAN, &PROMPTS);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let mut carol = Phone::new("carol", "carol-password", 3);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    assert_eq!(carol.register(&mut exchange, "carol"), 200);
    bob.dial(&mut exchange, "300");
    bob.ack(&mut exchange);
    let mut alice = alice();
    alice.dial(&mut exchange, "104");
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    assert!(has(&exchange, "NoOp(before alice)"), "{:?}", exchange.steps());
    let to_carol = carol.take_invite(&mut exchange);
    carol.answer_call(&mut exchange, &to_carol, 200);
    assert!(bob.latest(&crate::sip::Method::Invite).is_none());
    assert_eq!(exchange.media.room_sizes(), [2]);
    alice.bye(&mut exchange);
    bob.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn an_extension_can_be_paged() {
    let mut world = paging("105");
    assert_eq!(world.exchange.media.room_sizes(), [2]);
    world.alice.bye(&mut world.exchange);
    world.exchange.assert_nothing_left();
}
