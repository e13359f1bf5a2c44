//! Calls that an embedder takes and places.

use super::*;
use crate::{
    media::{Digit, Direction as MediaDirection},
    switch::{Completion, EndedBy, JoinRoom, OutboundCredentials, PlaceCall},
};

fn incoming() -> (Exchange, Phone, ChannelId) {
    let prompts = [("hello", 1000), ("menu", 5000)];
    let mut exchange = Exchange::new(embedded(), "", &prompts);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    assert_eq!(alice.statuses(), [100]);
    let call = exchange.first_call();
    assert!(exchange.events.iter().any(|event| matches!(
        event,
        SwitchEvent::IncomingCall { parties, .. }
            if parties.dialled == "100" && parties.caller_number == "alice"
    )));
    (exchange, alice, call)
}

fn answered() -> (Exchange, Phone, ChannelId) {
    let (mut exchange, mut alice, call) = incoming();
    let id = exchange.command(call, Verb::Answer);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    assert_eq!(exchange.completion(id), Some(Completion::Done));
    (exchange, alice, call)
}

fn cause_of(exchange: &Exchange, call: ChannelId) -> (u8, EndedBy) {
    match exchange.ended(call) {
        Some(SwitchEvent::CallEnded { cause, ended_by, .. }) => (cause.number(), *ended_by),
        _ => panic!("the call goes on"),
    }
}

#[test]
fn a_call_is_answered_played_to_and_hung_up_by_the_caller() {
    let (mut exchange, mut alice, call) = answered();
    let play = Verb::Play { parts: vec![PlayPart::Named("hello".into())], stop: DigitSet::NONE };
    let id = exchange.command(call, play);
    exchange.run_for(Duration::from_millis(999));
    assert_eq!(exchange.completion(id), None);
    exchange.run_for(Duration::from_millis(1));
    assert_eq!(exchange.completion(id), Some(Completion::Done));
    alice.bye(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    assert_eq!(cause_of(&exchange, call), (16, EndedBy::FarEnd));
    exchange.assert_nothing_left();
}

#[test]
fn hanging_up_says_bye_with_the_cause() {
    let (mut exchange, mut alice, call) = answered();
    exchange.command(call, Verb::Hangup(Cause::NORMAL_CLEARING));
    alice.pump(&mut exchange);
    assert_eq!(
        alice.bye_received().as_deref(),
        Some("Q.850;cause=16;text=\"Normal call clearing\"")
    );
    assert_eq!(cause_of(&exchange, call), (16, EndedBy::Us));
    exchange.assert_nothing_left();
}

#[test]
fn ringing_then_refusing_is_180_then_486() {
    let (mut exchange, mut alice, call) = incoming();
    exchange.command(call, Verb::Ring);
    exchange.command(call, Verb::Reject(Cause::USER_BUSY));
    alice.pump(&mut exchange);
    assert_eq!(alice.statuses(), [100, 180, 486]);
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_caller_who_gives_up_gets_487_and_its_commands_complete() {
    let (mut exchange, mut alice, call) = incoming();
    exchange.command(call, Verb::Progress);
    let play = Verb::Play { parts: vec![PlayPart::Named("menu".into())], stop: DigitSet::NONE };
    let id = exchange.command(call, play);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(183));
    alice.cancel(&mut exchange);
    assert!(alice.statuses().ends_with(&[200, 487]) || alice.statuses().ends_with(&[487, 200]));
    alice.ack(&mut exchange);
    assert_eq!(exchange.completion(id), Some(Completion::HungUp));
    let late = exchange.command(call, Verb::Answer);
    assert!(matches!(exchange.completion(late), Some(Completion::Failed(_) | Completion::HungUp)));
    exchange.assert_nothing_left();
}

#[test]
fn a_digit_stops_the_menu_and_the_next_ones_are_read() {
    let (mut exchange, _, call) = answered();
    let play = Verb::Play { parts: vec![PlayPart::Named("menu".into())], stop: DigitSet::ALL };
    let played = exchange.command(call, play);
    exchange.press(call, "1");
    let digit = |character| Digit::from_char(character).expect("a digit");
    assert_eq!(exchange.completion(played), Some(Completion::Digit(digit('1'))));
    exchange.press(call, "23#");
    let read = exchange.command(call, Verb::ReadDigits(ReadDigits::default()));
    let Some(Completion::Digits { digits, .. }) = exchange.completion(read) else {
        panic!("typed ahead")
    };
    assert_eq!(digits, [digit('2'), digit('3')]);
}

#[test]
fn a_digit_by_info_and_by_telephone_event_is_heard_once() {
    let (mut exchange, mut alice, call) = answered();
    exchange.press(call, "5");
    assert_eq!(
        alice.info(&mut exchange, "application/dtmf-relay", "Signal=5\r\nDuration=160"),
        200
    );
    assert_eq!(alice.info(&mut exchange, "application/dtmf", "7"), 200);
    exchange.press(call, "7");
    assert_eq!(alice.info(&mut exchange, "text/plain", "7"), 415);
    let heard: Vec<_> = exchange
        .events
        .iter()
        .filter_map(|event| match event {
            SwitchEvent::DigitHeard { digit, .. } => Some(digit.as_char()),
            _ => None,
        })
        .collect();
    assert_eq!(heard, ['5', '7']);
}

#[test]
fn hold_stops_our_audio_and_unhold_brings_it_back() {
    let (mut exchange, mut alice, _) = answered();
    alice.reinvite(&mut exchange, "sendonly");
    assert_eq!(alice.last_status(), Some(200));
    let answer = alice.last_response().expect("200").body().clone();
    assert!(String::from_utf8_lossy(&answer).contains("a=recvonly"));
    assert_eq!(exchange.media.latest_settings().direction, MediaDirection::ReceiveOnly);
    alice.reinvite(&mut exchange, "sendrecv");
    assert_eq!(exchange.media.latest_settings().direction, MediaDirection::SendReceive);
    assert_eq!(exchange.media.updates.len(), 2);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut exchange = Exchange::new(embedded(), "", &[]);
    let mut alice = alice();
    alice.dial_with(&mut exchange, "100", None);
    let call = exchange.first_call();
    let id = exchange.command(call, Verb::Answer);
    alice.pump(&mut exchange);
    let offer = alice.last_response().expect("200").body().clone();
    assert!(String::from_utf8_lossy(&offer).contains("m=audio"));
    assert_eq!(exchange.completion(id), None, "there is no media yet");
    let sdp = alice.sdp("sendrecv");
    alice.ack_with(&mut exchange, Some(sdp));
    assert_eq!(exchange.completion(id), Some(Completion::Done));
    assert_eq!(exchange.media.streams(), 1);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_two_hundred_never_acknowledged_ends_with_bye() {
    let (mut exchange, mut alice, call) = incoming();
    exchange.command(call, Verb::Answer);
    exchange.run_for(secs(33));
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    assert_eq!(cause_of(&exchange, call), (102, EndedBy::Failure));
    exchange.assert_nothing_left();
}

#[test]
fn three_in_a_room_and_the_room_goes_with_the_last() {
    let prompts = [("conf-onlyperson", 2000), ("confbridge-join", 300), ("confbridge-leave", 300)];
    let mut exchange = Exchange::new(embedded(), "", &prompts);
    let mut phones: Vec<_> = ["alice", "bob", "carol"]
        .iter()
        .zip(1..)
        .map(|(name, host)| Phone::new(name, &format!("{name}-password"), host))
        .collect();
    for (nth, phone) in phones.iter_mut().enumerate() {
        phone.dial(&mut exchange, "600");
        let call = ChannelId::new(nth as u64 + 1);
        exchange.command(call, Verb::Answer);
        phone.pump(&mut exchange);
        phone.ack(&mut exchange);
        exchange.run_for(secs(1));
        let room = JoinRoom { room: "600".into(), bridge_profile: None, user_profile: None };
        let id = exchange.command(call, Verb::JoinRoom(room));
        exchange.run_for(secs(3));
        assert_eq!(exchange.completion(id), Some(Completion::Done));
    }
    assert_eq!(exchange.media.room_sizes(), [3]);
    assert_eq!(exchange.played(ChannelId::new(1)), ["conf-onlyperson"]);
    assert_eq!(exchange.media.room_plays.len(), 3, "each one's coming is heard");
    phones[0].bye(&mut exchange);
    assert_eq!(exchange.media.room_sizes(), [2]);
    exchange.command(ChannelId::new(2), Verb::LeaveRoom);
    assert_eq!(exchange.media.room_sizes(), [1]);
    for phone in &mut phones[1..] {
        phone.bye(&mut exchange);
    }
    exchange.assert_nothing_left();
}

#[test]
fn a_call_is_placed_answered_and_hung_up_by_the_callee() {
    let mut exchange = Exchange::new(embedded(), "", &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let call = PlaceCall {
        target: format!("sip:bob@{}", bob.address()),
        flow: Some(crate::sip::Flow::udp(([127, 0, 0, 1], 5060).into(), bob.address())),
        from: "\"Diesis\" <sip:diesis@127.0.0.1>".into(),
        credentials: None,
        ring_timeout: secs(30),
    };
    let id = exchange.place(call);
    let call = exchange.first_call();
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 180);
    assert!(exchange.events.contains(&SwitchEvent::CallRinging { call }));
    bob.answer_call(&mut exchange, &invite, 200);
    assert!(exchange.events.contains(&SwitchEvent::CallAnswered { call }));
    assert_eq!(exchange.completion(id), Some(Completion::Placed(call)));
    assert_eq!(exchange.media.streams(), 1);
    exchange.command(call, Verb::Hangup(Cause::NORMAL_CLEARING));
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn a_placed_call_that_nobody_answers_is_cancelled() {
    let mut exchange = Exchange::new(embedded(), "", &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let call = PlaceCall {
        target: format!("sip:bob@{}", bob.address()),
        flow: Some(crate::sip::Flow::udp(([127, 0, 0, 1], 5060).into(), bob.address())),
        from: "<sip:diesis@127.0.0.1>".into(),
        credentials: None,
        ring_timeout: secs(20),
    };
    exchange.place(call);
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 180);
    exchange.run_for(secs(21));
    assert_eq!(cause_of(&exchange, exchange.first_call()).0, 19);
    bob.pump(&mut exchange);
    assert!(bob.received.iter().any(|it| matches!(
        it,
        Received::Request(request) if *request.method() == crate::sip::Method::Cancel
    )));
    bob.answer_call(&mut exchange, &invite, 487);
    exchange.assert_nothing_left();
}

#[test]
fn a_command_for_a_call_that_is_not_there_fails() {
    let mut exchange = Exchange::new(embedded(), "", &[]);
    let id = exchange.command(ChannelId::new(99), Verb::Answer);
    assert!(matches!(exchange.completion(id), Some(Completion::Failed(_))));
}

#[test]
fn every_command_completes_once() {
    let (mut exchange, mut alice, call) = answered();
    let play = || Verb::Play { parts: vec![PlayPart::Named("menu".into())], stop: DigitSet::NONE };
    let first = exchange.command(call, play());
    let second = exchange.command(call, play());
    assert_eq!(exchange.completion(first), Some(Completion::Replaced));
    exchange.command(call, Verb::StopPlay);
    assert_eq!(exchange.completion(second), Some(Completion::Replaced));
    let missing = Verb::Play { parts: vec![PlayPart::Named("nope".into())], stop: DigitSet::NONE };
    let missing = exchange.command(call, missing);
    assert!(matches!(exchange.completion(missing), Some(Completion::Failed(_))));
    alice.bye(&mut exchange);
    let mut completed: Vec<_> = exchange
        .events
        .iter()
        .filter_map(|event| match event {
            SwitchEvent::CommandCompleted { command, .. } => Some(command.number()),
            _ => None,
        })
        .collect();
    let all = completed.len();
    completed.sort_unstable();
    completed.dedup();
    assert_eq!(completed.len(), all);
}

#[test]
fn a_bug_in_one_call_ends_that_call_alone() {
    let (mut exchange, mut alice, call) = answered();
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.dial(&mut exchange, "100");
    let now = exchange.now;
    exchange.switch.with_call(call, now, |_, _| panic!("a bug, on purpose"));
    exchange.run_for(secs(1));
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    assert_eq!(cause_of(&exchange, call), (127, EndedBy::Failure));
    let other = ChannelId::new(2);
    exchange.command(other, Verb::Answer);
    bob.pump(&mut exchange);
    assert_eq!(bob.last_status(), Some(200));
    bob.ack(&mut exchange);
    bob.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_bug_before_the_answer_is_a_failure_status() {
    let (mut exchange, mut alice, call) = incoming();
    let now = exchange.now;
    exchange.switch.with_call(call, now, |_, _| panic!("a bug, on purpose"));
    exchange.run_for(secs(1));
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(500));
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_challenge_to_a_placed_call_is_answered_once() {
    let mut exchange = Exchange::new(embedded(), "", &[]);
    let bob = Phone::new("bob", "bob-password", 2);
    let call = PlaceCall {
        target: format!("sip:bob@{}", bob.address()),
        flow: Some(crate::sip::Flow::udp(([127, 0, 0, 1], 5060).into(), bob.address())),
        from: "<sip:diesis@127.0.0.1>".into(),
        credentials: Some(OutboundCredentials {
            username: "diesis".into(),
            password: "secret".into(),
            realm: None,
        }),
        ring_timeout: secs(20),
    };
    exchange.place(call);
    let first = bob.take_invite(&mut exchange);
    assert!(first.text(crate::sip::HeaderName::Authorization).is_none());
    bob.challenge_call(&mut exchange, &first, "n1");
    let second = bob.take_invite(&mut exchange);
    let proof = second.text(crate::sip::HeaderName::Authorization).expect("an answer");
    assert!(proof.contains("username=\"diesis\"") && proof.contains("nonce=\"n1\""), "{proof}");
    bob.challenge_call(&mut exchange, &second, "n2");
    assert_eq!(cause_of(&exchange, exchange.first_call()).0, 21);
    exchange.assert_nothing_left();
}
