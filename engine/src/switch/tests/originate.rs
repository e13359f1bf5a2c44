//! Calls that nobody makes: Originate, and what ends or moves other calls.

use bstr::BString;
use diesis_dialplan::operation::{Destination, DialPlace, OriginateStatus, OriginateTarget};

use super::*;
use crate::{
    sip::HeaderName,
    switch::{CommandId, Completion, Originate, OriginateNews},
};

const PLAN: &str = "
[office]
exten => 100,1,Originate(PJSIP/bob,exten,inner,200,1,20,b(sub^s^1)c(555)n(Office)v(COLOUR=red^_SHAPE=round))
same => n,NoOp(status ${ORIGINATE_STATUS})
same => n,Wait(60)
exten => 101,1,Originate(PJSIP/bob,app,Playback,hello,,20)
same => n,NoOp(status ${ORIGINATE_STATUS})
same => n,Wait(60)
exten => 102,1,Originate(PJSIP/bob,exten,inner,200,1,20,a)
same => n,NoOp(status ${ORIGINATE_STATUS})
same => n,Wait(60)
exten => 103,1,Originate(PJSIP/nobody,exten,inner,200,1,20)
same => n,NoOp(status ${ORIGINATE_STATUS})
exten => 104,1,Originate(Local/300@inner,exten,inner,200,1,20,B(sub^before^1))
same => n,NoOp(status ${ORIGINATE_STATUS})
exten => 105,1,Originate(PJSIP/bob,exten,inner,200,1,20,C(g729))
same => n,NoOp(status ${ORIGINATE_STATUS})
exten => 106,1,Originate(PJSIP/bob,exten,inner,200,1,20,C(alaw))
exten => 110,1,Answer()
same => n,Wait(600)
exten => 111,1,ChannelRedirect(${DB(test/channel)},inner,400,here)
same => n,NoOp(redirect ${CHANNELREDIRECT_STATUS})
same => n,Wait(60)
exten => 112,1,Dial(PJSIP/bob,20,g)
same => n,NoOp(after ${DIALSTATUS})
same => n,Wait(60)
exten => 113,1,ChannelRedirect(PJSIP/none-1,inner,400,here)
same => n,NoOp(redirect ${CHANNELREDIRECT_STATUS})
exten => 114,1,SoftHangup(PJSIP/bob,a)
same => n,NoOp(still here)
same => n,SoftHangup(${CHANNEL})
same => n,NoOp(not here)
exten => h,1,NoOp(h of ${CHANNEL:0:9})

[inner]
exten => 200,1,NoOp(answered ${COLOUR} ${SHAPE} ${BEFORE} ${CALLERID(num)} ${CALLERID(name)})
same => n,Playback(hello)
exten => 300,1,NoOp(called by ${CALLERID(num)})
same => n,Hangup(17)
exten => 400,1,NoOp(not labelled)
same => n(here),NoOp(moved here)
same => n,Wait(60)
exten => failed,1,NoOp(failed ${REASON} for ${CALLERID(num)})

[followed]
exten => s,1,Set(LEFT=inside)
same => n,Wait(60)
exten => h,1,Set(LEFT=behind)

[sub]
exten => s,1,Set(BEFORE=${CHANNEL:0:9})
same => n,Set(PJSIP_HEADER(add,X-Colour)=${COLOUR})
same => n,Return()
exten => before,1,NoOp(before on ${CHANNEL:0:11})
same => n,Return()
";

fn exchange() -> (Exchange, Phone) {
    let mut exchange = Exchange::lenient(config(), PLAN, &[("hello", 2000)]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    (exchange, bob)
}

fn has(exchange: &Exchange, step: &str) -> bool {
    exchange.steps().iter().any(|taken| taken.contains(step))
}

#[track_caller]
fn assert_has(exchange: &Exchange, step: &str) {
    assert!(has(exchange, step), "{step} is not in {:#?}", exchange.steps());
}

fn originate(exchange: &mut Exchange, target: OriginateTarget) -> CommandId {
    let to = Destination { technology: "PJSIP".into(), resource: "bob".into() };
    let originate =
        Box::new(Originate { caller_number: "777".into(), ..Originate::new(to, target) });
    exchange.originate(originate)
}

#[test]
fn who_answers_an_originated_call_is_given_to_the_dialplan() {
    let (mut exchange, mut bob) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    let invite = bob.take_invite(&mut exchange);
    let from = invite.from_header().expect("a From");
    assert_eq!(from.uri().user(), Some("555"));
    assert_eq!(from.display_name().as_deref(), Some(&b"Office"[..]));
    assert_eq!(invite.headers().text(HeaderName::parse(b"X-Colour")), Some("red"));
    assert!(!has(&exchange, "NoOp(status"), "it waits for the answer");
    bob.answer_call(&mut exchange, &invite, 200);
    assert_has(&exchange, "NoOp(status SUCCESS)");
    assert_has(&exchange, "NoOp(answered red round PJSIP/bob 555 Office)");
    exchange.run_for(secs(3));
    assert!(bob.bye_received().is_none());
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some(), "its dialplan is over");
    alice.cancel(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn an_application_is_all_that_a_call_runs() {
    let (mut exchange, mut bob) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "101");
    let invite = bob.take_invite(&mut exchange);
    // From the caller's own number when nothing else is said.
    assert_eq!(invite.from_header().expect("a From").uri().user(), Some("alice"));
    bob.answer_call(&mut exchange, &invite, 200);
    assert_has(&exchange, "Playback(hello)");
    exchange.run_for(secs(1));
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_none());
    exchange.run_for(secs(2));
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some());
    alice.cancel(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn option_a_does_not_wait() {
    let (mut exchange, mut bob) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "102");
    assert_has(&exchange, "NoOp(status SUCCESS)");
    alice.cancel(&mut exchange);
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 200);
    assert_has(&exchange, "NoOp(answered");
    bob.hang_up_callee(&mut exchange, &invite);
    exchange.assert_nothing_left();
}

#[test]
fn a_caller_who_hangs_up_leaves_the_originated_call_alone() {
    let (mut exchange, mut bob) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "101");
    let invite = bob.take_invite(&mut exchange);
    alice.cancel(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 200);
    assert_has(&exchange, "Playback(hello)");
    bob.hang_up_callee(&mut exchange, &invite);
    exchange.assert_nothing_left();
}

#[test]
fn originate_status_tells_how_it_failed() {
    for (status, expected, reason) in [(486, "BUSY", "5"), (503, "CONGESTION", "8")] {
        let (mut exchange, mut bob) = exchange();
        let mut alice = alice();
        alice.dial(&mut exchange, "100");
        let invite = bob.take_invite(&mut exchange);
        bob.answer_call(&mut exchange, &invite, status);
        assert_has(&exchange, &format!("NoOp(status {expected})"));
        assert_has(&exchange, &format!("NoOp(failed {reason} for 555)"));
        alice.cancel(&mut exchange);
        exchange.assert_nothing_left();
    }
    let (mut exchange, mut bob) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 180);
    exchange.run_for(secs(19));
    assert!(!has(&exchange, "NoOp(status"));
    exchange.run_for(secs(2));
    assert_has(&exchange, "NoOp(status RINGING)");
    assert_has(&exchange, "NoOp(failed 3 for 555)");
    bob.answer_call(&mut exchange, &invite, 487);
    alice.cancel(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn nobody_and_unknown_codecs_fail_at_once() {
    for exten in ["103", "105"] {
        let (mut exchange, _) = exchange();
        let mut alice = alice();
        alice.dial(&mut exchange, exten);
        assert_has(&exchange, "NoOp(status FAILED)");
        alice.pump(&mut exchange);
        alice.ack(&mut exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn option_c_in_capitals_offers_these_codecs_alone() {
    let (mut exchange, mut bob) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "106");
    let invite = bob.take_invite(&mut exchange);
    let sdp = String::from_utf8_lossy(invite.body()).into_owned();
    assert!(sdp.contains("PCMA") && !sdp.contains("PCMU"), "{sdp}");
    bob.answer_call(&mut exchange, &invite, 486);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn option_b_in_capitals_runs_on_the_caller_first() {
    let (mut exchange, _) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "104");
    assert_has(&exchange, "NoOp(before on PJSIP/alice)");
    assert_has(&exchange, "NoOp(called by alice)");
    assert_has(&exchange, "NoOp(status BUSY)");
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_command_originates_and_hears_of_the_answer() {
    let (mut exchange, mut bob) = exchange();
    let place =
        OriginateTarget::Place { context: "inner".into(), extension: "200".into(), priority: 1 };
    let id = originate(&mut exchange, place);
    let invite = bob.take_invite(&mut exchange);
    assert_eq!(exchange.completion(id), None);
    bob.answer_call(&mut exchange, &invite, 200);
    assert_eq!(exchange.completion(id), Some(Completion::Originated(OriginateStatus::Success)));
    assert_has(&exchange, "NoOp(answered    777 )");
    bob.hang_up_callee(&mut exchange, &invite);
    exchange.assert_nothing_left();
}

/// What became of a followed call.
fn news(exchange: &Exchange, id: CommandId) -> Vec<OriginateNews> {
    let news = exchange.events.iter().filter_map(|event| match event {
        SwitchEvent::OriginateNews { command, news } if *command == id => Some(news.clone()),
        _ => None,
    });
    news.collect()
}

fn follow(exchange: &mut Exchange, keep: &[&str]) -> CommandId {
    let to = Destination { technology: "PJSIP".into(), resource: "bob".into() };
    let target =
        OriginateTarget::Place { context: "followed".into(), extension: "s".into(), priority: 1 };
    let follow = Some(keep.iter().map(|name| BString::from(*name)).collect());
    exchange.originate(Box::new(Originate { follow, ..Originate::new(to, target) }))
}

#[test]
fn a_followed_call_tells_its_channel_its_answer_its_keys_and_what_its_dialplan_left() {
    let (mut exchange, mut bob) = exchange();
    let id = follow(&mut exchange, &["LEFT", "NONE"]);
    let invite = bob.take_invite(&mut exchange);
    assert!(matches!(&news(&exchange, id)[..], [OriginateNews::Calling { .. }]));
    bob.answer_call(&mut exchange, &invite, 200);
    // The origination itself has the first id.
    exchange.press(ChannelId::new(2), "12#");
    exchange.run_for(secs(3));
    bob.hang_up_callee(&mut exchange, &invite);
    let all = news(&exchange, id);
    let [
        OriginateNews::Calling { channel },
        OriginateNews::Answered { channel: up },
        OriginateNews::Ended(report),
    ] = &all[..]
    else {
        panic!("{all:?}");
    };
    assert!(channel.starts_with(b"PJSIP/bob-") && channel == up);
    assert_eq!((report.status, report.cause), (OriginateStatus::Success, Cause::NORMAL_CLEARING));
    assert_eq!(report.keys, "12#");
    assert_eq!(report.variables, [("LEFT".into(), "behind".into())]);
    assert!(report.talked >= secs(3) && report.answered.is_some_and(|at| at < report.ended));
    exchange.assert_nothing_left();
}

#[test]
fn a_followed_call_that_nobody_answers_tells_why() {
    for (status, expected) in [
        (486, (OriginateStatus::Busy, Cause::USER_BUSY)),
        (603, (OriginateStatus::Failed, Cause::CALL_REJECTED)),
    ] {
        let (mut exchange, mut bob) = exchange();
        let id = follow(&mut exchange, &[]);
        let invite = bob.take_invite(&mut exchange);
        bob.answer_call(&mut exchange, &invite, status);
        let all = news(&exchange, id);
        let [_, OriginateNews::Ended(report)] = &all[..] else { panic!("{all:?}") };
        assert_eq!((report.status, report.cause), expected);
        assert_eq!(report.answered, None);
        exchange.assert_nothing_left();
    }
}

#[test]
fn a_call_that_rang_is_told_from_one_to_which_nobody_said_anything() {
    for (status, expected) in [
        (Some(100), Cause::NO_ANSWER),
        (Some(180), Cause::NO_ANSWER),
        (None, Cause::NO_USER_RESPONSE),
    ] {
        let (mut exchange, mut bob) = exchange();
        let id = follow(&mut exchange, &[]);
        let invite = bob.take_invite(&mut exchange);
        if let Some(status) = status {
            bob.answer_call(&mut exchange, &invite, status);
        }
        exchange.run_for(secs(31));
        let all = news(&exchange, id);
        let [_, OriginateNews::Ended(report)] = &all[..] else { panic!("{all:?}") };
        assert_eq!(
            (report.status, report.cause),
            (OriginateStatus::Ringing, expected),
            "{status:?}"
        );
    }
}

#[test]
fn an_engine_that_takes_no_calls_originates_none() {
    let (mut exchange, bob) = exchange();
    exchange.switch.drain();
    let target = OriginateTarget::Application { name: "Echo".into(), arguments: "".into() };
    let id = originate(&mut exchange, target);
    assert!(matches!(exchange.completion(id), Some(Completion::Failed(_))));
    assert!(exchange.letters_to(bob.address()).is_empty());
    exchange.assert_nothing_left();
}

/// Alice waits in the dialplan, and another call of hers is told of the channel's name.
fn waiting() -> (Exchange, Phone, String) {
    let (mut exchange, _) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "110");
    alice.ack(&mut exchange);
    let name = exchange.switch.view_calls(exchange.now)[0].channel.to_string();
    (exchange, alice, name)
}

fn to(priority: &str) -> DialPlace {
    DialPlace {
        context: Some("inner".into()),
        extension: Some("400".into()),
        priority: priority.into(),
    }
}

#[test]
fn a_call_goes_on_where_it_is_sent() {
    let (mut exchange, mut alice, name) = waiting();
    let now = exchange.now;
    exchange.switch.redirect(name.as_bytes(), &to("here"), now).expect("it is there");
    exchange.tick();
    assert_has(&exchange, "400,2 NoOp(moved here)");
    for (channel, place) in [("PJSIP/none-1", "here"), (name.as_str(), "nowhere"), (&name, "9")] {
        assert!(exchange.switch.redirect(channel.as_bytes(), &to(place), now).is_err());
    }
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn channel_redirect_tells_whether_there_was_one() {
    let (mut exchange, mut alice, name) = waiting();
    let mut carol = Phone::new("carol", "carol-password", 3);
    carol.dial(&mut exchange, "113");
    assert_has(&exchange, "NoOp(redirect NOCHANNEL)");
    carol.pump(&mut exchange);
    carol.ack(&mut exchange);
    carol.forget_call();
    let plan = PLAN.replace("${DB(test/channel)}", &name);
    let plan = crate::switch::plan::testing::faulty(&plan);
    exchange.switch.replace_plan(Arc::new(plan), exchange.now);
    carol.dial(&mut exchange, "111");
    assert_has(&exchange, "NoOp(redirect SUCCESS)");
    assert_has(&exchange, "400,2 NoOp(moved here)");
    carol.cancel(&mut exchange);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn whoever_talked_with_a_call_that_is_sent_elsewhere_is_left() {
    for caller_goes in [true, false] {
        let (mut exchange, mut bob) = exchange();
        let mut alice = alice();
        alice.dial(&mut exchange, "112");
        let invite = bob.take_invite(&mut exchange);
        bob.answer_call(&mut exchange, &invite, 200);
        alice.pump(&mut exchange);
        alice.ack(&mut exchange);
        exchange.run_for(secs(1));
        let calls = exchange.switch.view_calls(exchange.now);
        let goes = if caller_goes { "PJSIP/alice" } else { "PJSIP/bob" };
        let call = calls.iter().find(|call| call.channel.starts_with(goes.as_bytes()));
        let name = call.expect("it is there").channel.clone();
        exchange.switch.redirect(&name, &to("here"), exchange.now).expect("it goes");
        exchange.tick();
        assert_has(&exchange, "400,2 NoOp(moved here)");
        bob.pump(&mut exchange);
        alice.pump(&mut exchange);
        if caller_goes {
            assert!(bob.bye_received().is_some());
        } else {
            // The caller's Dial is over, as if the callee had hung up.
            assert_has(&exchange, "NoOp(after ANSWER)");
            assert!(bob.bye_received().is_none());
            bob.hang_up_callee(&mut exchange, &invite);
        }
        alice.bye(&mut exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn soft_hangup_ends_a_device_or_a_channel() {
    let (mut exchange, mut bob) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "112");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    let mut carol = Phone::new("carol", "carol-password", 3);
    carol.dial(&mut exchange, "114");
    assert_has(&exchange, "NoOp(still here)");
    assert_has(&exchange, "NoOp(h of PJSIP/car)");
    assert!(!has(&exchange, "NoOp(not here)"));
    bob.pump(&mut exchange);
    assert!(bob.bye_received().is_some());
    assert_has(&exchange, "NoOp(after ANSWER)");
    carol.pump(&mut exchange);
    carol.ack(&mut exchange);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}
