//! Applications that listen: what they tell the dialplan.

use super::*;
use crate::{
    config::MachineDetection,
    media::{Judgement, Noticed},
};

const PLAN: &str = "
[office]
exten => amd,1,Answer()
same => n,AMD()
same => n,NoOp(told ${AMDSTATUS} ${AMDCAUSE})
same => n,Wait(60)
exten => silence,1,Answer()
same => n,WaitForSilence(500,2,5)
same => n,NoOp(told ${WAITSTATUS})
same => n,Wait(60)
exten => noise,1,WaitForNoise(500)
same => n,NoOp(told ${WAITSTATUS})
same => n,Wait(60)
exten => wrong,1,WaitForNoise(-5)
same => n,NoOp(told wrong)
exten => detect,1,BackgroundDetect(hello)
same => n,NoOp(told nothing ${TALK_DETECTED})
same => n,Wait(60)
exten => talk,1,NoOp(told talk ${TALK_DETECTED})
same => n,Wait(60)
exten => 7,1,NoOp(told seven)
same => n,Wait(60)
exten => who,1,Set(TALK_DETECT(set)=700,200)
same => n,Answer()
same => n,Wait(5)
same => n,Set(TALK_DETECT(set)=)
same => n,Wait(5)
same => n,Set(TALK_DETECT(remove)=)
same => n,Wait(60)
exten => h,1,NoOp(told h ${AMDSTATUS}${WAITSTATUS} ${AMDCAUSE})
";

fn call(exten: &str) -> (Exchange, Phone) {
    let machines = MachineDetection { file: Some("hello".into()), ..Default::default() };
    let config = SwitchConfig { machines, ..config() };
    let mut exchange = Exchange::lenient(config, PLAN, &[("hello", 2000)]);
    let mut alice = alice();
    alice.dial(&mut exchange, exten);
    alice.ack(&mut exchange);
    // Answer waits for the caller's media.
    exchange.run_for(secs(1));
    (exchange, alice)
}

fn told(exchange: &Exchange) -> Vec<String> {
    let steps = exchange.steps();
    let told = steps.iter().filter_map(|step| step.split("NoOp(told ").nth(1));
    told.map(|told| told.trim_end_matches(')').to_owned()).collect()
}

fn notice(exchange: &mut Exchange, what: Noticed) {
    exchange.notice(exchange.first_call(), what);
    exchange.run_for(Duration::from_millis(100));
}

#[test]
fn who_answered_is_told_while_something_is_played() {
    let (mut exchange, mut alice) = call("amd");
    assert!(exchange.media.is_playing(1), "amd.conf names a file");
    let silence = Duration::from_millis(820);
    let wanted = Duration::from_millis(800);
    notice(&mut exchange, Noticed::Judged(Judgement::Greeted { silence, wanted }));
    assert_eq!(told(&exchange), ["HUMAN HUMAN-820-800"]);
    assert!(!exchange.media.is_playing(1));
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn who_hangs_up_meanwhile_is_told_in_h() {
    let (mut exchange, mut alice) = call("amd");
    exchange.run_for(secs(3));
    assert_eq!(told(&exchange), [""; 0], "the end of what is played ends nothing");
    alice.bye(&mut exchange);
    assert_eq!(told(&exchange), ["h HANGUP "]);
    exchange.assert_nothing_left();
    let (mut exchange, mut alice) = call("silence");
    alice.bye(&mut exchange);
    assert_eq!(told(&exchange), ["h HANGUP "]);
    exchange.assert_nothing_left();
}

#[test]
fn waiting_ends_with_the_sound_or_with_the_time() {
    for (exten, what, expected) in [
        ("silence", Some(Noticed::Enough), "SILENCE"),
        ("noise", Some(Noticed::Enough), "NOISE"),
        ("silence", None, "TIMEOUT"),
    ] {
        let (mut exchange, mut alice) = call(exten);
        match what {
            Some(what) => notice(&mut exchange, what),
            None => exchange.run_for(secs(5)),
        }
        assert_eq!(told(&exchange), [expected]);
        alice.bye(&mut exchange);
        exchange.assert_nothing_left();
    }
    let (exchange, _) = call("wrong");
    assert_eq!(told(&exchange)[..1], ["h  "], "a length below zero ends the call");
}

#[test]
fn talk_a_key_or_the_end_of_the_file_end_a_detection() {
    let (mut exchange, mut alice) = call("detect");
    let talked = Duration::from_millis(740);
    notice(&mut exchange, Noticed::Utterance { talked });
    assert_eq!(told(&exchange), ["talk 740"]);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();

    let (mut exchange, mut alice) = call("detect");
    let call_id = exchange.first_call();
    exchange.press(call_id, "17");
    assert_eq!(told(&exchange), ["seven"]);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();

    let (mut exchange, mut alice) = call("detect");
    exchange.run_for(secs(3));
    assert_eq!(told(&exchange), ["nothing "]);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn talk_is_told_as_long_as_it_is_asked_for() {
    let (mut exchange, mut alice) = call("who");
    let talked = Duration::from_millis(740);
    let heard = |exchange: &Exchange| {
        let told = exchange.events.iter().filter_map(|event| match event {
            SwitchEvent::TalkStarted { .. } => Some(None),
            SwitchEvent::TalkStopped { talked, .. } => Some(Some(*talked)),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    notice(&mut exchange, Noticed::TalkStarted);
    notice(&mut exchange, Noticed::TalkStopped { talked });
    assert_eq!(heard(&exchange), [None, Some(talked)]);
    exchange.run_for(secs(5));
    notice(&mut exchange, Noticed::TalkStarted);
    assert_eq!(heard(&exchange).len(), 3, "set again, it is told once");
    exchange.run_for(secs(5));
    notice(&mut exchange, Noticed::TalkStarted);
    assert_eq!(heard(&exchange).len(), 3, "removed, it is told no more");
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}
