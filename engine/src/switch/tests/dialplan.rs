//! Calls that the dialplan has.

use super::*;
use crate::switch::EndedBy;

const MENU: &str = "
[office]
exten => 8899,1,Answer()
same => n,Set(tries=0)
same => n,Playback(welcome)
same => n(again),Set(tries=$[${tries} + 1])
same => n,Background(choices)
same => n,WaitExten(5)
exten => 1,1,Goto(sales,s,1)
exten => 3,1,Goto(submenu,s,1)
exten => t,1,Goto(i,1)
exten => i,1,GotoIf($[${tries} >= 3]?error)
same => n,Playback(invalid)
same => n,Goto(8899,again)
same => n(error),Playback(error)
same => n,Hangup()

[sales]
exten => s,1,Playback(sales)
same => n,Hangup(17)

[submenu]
exten => s,1,Background(subchoices)
same => n,WaitExten(5)
exten => 2,1,Playback(two)
exten => 3,1,Goto(office,8899,again)
";

const PROMPTS: [(&str, u64); 8] = [
    ("welcome", 2000),
    ("choices", 4000),
    ("invalid", 1000),
    ("error", 1500),
    ("sales", 1000),
    ("subchoices", 3000),
    ("two", 500),
    ("conf-onlyperson", 1000),
];

/// Alice has dialled this number of this dialplan.
fn dialled(dialplan: &str, exten: &str) -> (Exchange, Phone, ChannelId) {
    let mut exchange = Exchange::new(config(), dialplan, &PROMPTS);
    let mut alice = alice();
    alice.dial(&mut exchange, exten);
    if alice.last_status() == Some(200) {
        alice.ack(&mut exchange);
    }
    let call = exchange.first_call();
    (exchange, alice, call)
}

fn cause_of(exchange: &Exchange, call: ChannelId) -> (u8, EndedBy) {
    match exchange.ended(call) {
        Some(SwitchEvent::CallEnded { cause, ended_by, .. }) => (cause.number(), *ended_by),
        _ => panic!("the call goes on"),
    }
}

#[test]
fn a_number_the_dialplan_does_not_know_is_404() {
    let (mut exchange, mut alice, _) = dialled(MENU, "777");
    assert_eq!(alice.last_status(), Some(404));
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn the_menu_leads_to_the_choice_and_the_dialplan_names_the_cause() {
    let (mut exchange, mut alice, call) = dialled(MENU, "8899");
    exchange.run_for(secs(3));
    assert_eq!(exchange.played(call), ["welcome", "choices"]);
    exchange.press(call, "1");
    assert_eq!(exchange.played(call), ["welcome", "choices", "sales"]);
    exchange.run_for(secs(2));
    alice.pump(&mut exchange);
    let reason = alice.bye_received().expect("BYE");
    assert!(reason.starts_with("Q.850;cause=17"), "{reason}");
    assert_eq!(cause_of(&exchange, call), (17, EndedBy::Us));
    exchange.assert_nothing_left();
}

#[test]
fn a_wrong_digit_and_silence_count_as_errors_until_the_third() {
    let (mut exchange, mut alice, call) = dialled(MENU, "8899");
    exchange.run_for(secs(3));
    exchange.press(call, "9");
    exchange.run_for(secs(2));
    assert_eq!(exchange.played(call), ["welcome", "choices", "invalid", "choices"]);
    // Choices, five seconds of silence, "invalid", choices and silence once more, "error".
    exchange.run_for(secs(4 + 5 + 1 + 4 + 5 + 2));
    alice.pump(&mut exchange);
    assert_eq!(exchange.played(call).last().map(String::as_str), Some("error"));
    assert!(alice.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn the_submenu_returns_to_a_label_of_its_parent() {
    let (mut exchange, mut alice, call) = dialled(MENU, "8899");
    exchange.run_for(secs(3));
    exchange.press(call, "3");
    exchange.run_for(secs(1));
    exchange.press(call, "3");
    exchange.run_for(secs(1));
    assert_eq!(exchange.played(call), ["welcome", "choices", "subchoices", "choices"]);
    exchange.press(call, "3");
    exchange.press(call, "2");
    assert_eq!(exchange.played(call).last().map(String::as_str), Some("two"));
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_digit_typed_during_the_welcome_is_lost_and_one_during_the_menu_is_not() {
    let (mut exchange, _, call) = dialled(MENU, "8899");
    exchange.run_for(secs(1));
    exchange.press(call, "1");
    exchange.run_for(secs(2));
    assert_eq!(exchange.played(call), ["welcome", "choices"]);
}

#[test]
fn every_step_is_told_when_asked_for() {
    let (exchange, ..) =
        dialled("[office]\nexten => 100,1,NoOp(${EXTEN})\nsame => n,Hangup()\n", "100");
    assert_eq!(exchange.steps(), ["100,1 NoOp(100)", "100,2 Hangup()"]);
}

#[test]
fn early_media_is_183_and_the_answer_comes_later() {
    let plan = "[office]\nexten => 100,1,Progress()\nsame => n,Playback(welcome,noanswer)\n\
                same => n,Answer()\nsame => n,Wait(1)\n";
    let (mut exchange, mut alice, call) = dialled(plan, "100");
    assert_eq!(alice.statuses().last(), Some(&183));
    assert_eq!(exchange.played(call), ["welcome"]);
    exchange.run_for(secs(2));
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    exchange.run_for(secs(2));
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn busy_is_486_and_congestion_503_before_the_answer() {
    for (application, status) in [("Busy()", 486), ("Congestion()", 503), ("Hangup(1)", 404)] {
        let plan = format!("[office]\nexten => 100,1,Ringing()\nsame => n,{application}\n");
        let (mut exchange, mut alice, _) = dialled(&plan, "100");
        assert!(alice.statuses().ends_with(&[180, status]), "{application}");
        alice.ack(&mut exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn busy_after_the_answer_is_a_tone_until_the_caller_goes() {
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Busy(20)\n";
    let (mut exchange, mut alice, call) = dialled(plan, "100");
    exchange.run_for(secs(10));
    assert!(alice.bye_received().is_none() && exchange.ended(call).is_none());
    exchange.run_for(secs(15));
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn extension_h_runs_whoever_hangs_up() {
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Wait(10)\nsame => n,Hangup()\n\
                exten => h,1,NoOp(after ${HANGUPCAUSE})\n";
    let (mut exchange, mut alice, call) = dialled(plan, "100");
    exchange.run_for(secs(1));
    alice.bye(&mut exchange);
    assert_eq!(exchange.steps().last().map(String::as_str), Some("h,1 NoOp(after 16)"));
    assert_eq!(cause_of(&exchange, call), (16, EndedBy::FarEnd));
    exchange.assert_nothing_left();
    let (mut exchange, mut alice, call) = dialled(plan, "100");
    exchange.run_for(secs(12));
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    assert_eq!(exchange.steps().last().map(String::as_str), Some("h,1 NoOp(after 16)"));
    assert_eq!(cause_of(&exchange, call), (16, EndedBy::Us));
    exchange.assert_nothing_left();
}

#[test]
fn a_caller_who_cancels_gets_487_and_h_runs() {
    let plan = "[office]\nexten => 100,1,Ringing()\nsame => n,Wait(60)\nexten => h,1,NoOp(gone)\n";
    let (mut exchange, mut alice, _) = dialled(plan, "100");
    alice.cancel(&mut exchange);
    assert!(alice.statuses().contains(&487));
    alice.ack(&mut exchange);
    assert_eq!(exchange.steps().last().map(String::as_str), Some("h,1 NoOp(gone)"));
    exchange.assert_nothing_left();
}

#[test]
fn an_unknown_application_ends_the_call() {
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Nonsense(1)\nsame => n,Wait(60)\n";
    let mut exchange = Exchange::lenient(config(), plan, &PROMPTS);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn a_dialplan_that_never_pauses_does_not_keep_others_waiting() {
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n(loop),NoOp()\nsame => n,Goto(loop)\n\
                exten => 200,1,Answer()\nsame => n,Playback(welcome)\n";
    let mut exchange =
        Exchange::new(SwitchConfig { trace_steps: StepTrace::Off, ..config() }, plan, &PROMPTS);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    for _ in 0..100 {
        exchange.tick();
    }
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.dial(&mut exchange, "200");
    assert_eq!(bob.last_status(), Some(200));
    bob.ack(&mut exchange);
    // The first packet does not come; the answer settles after half a second of it.
    exchange.now = exchange.now + secs(1);
    exchange.tick();
    exchange.tick();
    assert_eq!(exchange.played(ChannelId::new(2)), ["welcome"]);
    alice.bye(&mut exchange);
    bob.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_dialplan_that_never_stops_cleaning_up_is_stopped() {
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Wait(1)\n\
                exten => h,1,NoOp()\nsame => n,Goto(h,1)\n";
    let config = SwitchConfig { trace_steps: StepTrace::Off, ..config() };
    let mut exchange = Exchange::new(config, plan, &PROMPTS);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    alice.bye(&mut exchange);
    for _ in 0..50 {
        exchange.tick();
    }
    assert_eq!(exchange.switch.call_count(), 1);
    exchange.now = exchange.now + secs(31);
    exchange.tick();
    exchange.assert_nothing_left();
}

#[test]
fn confbridge_keeps_the_caller_until_it_hangs_up() {
    let plan = "[office]\nexten => 600,1,Answer()\nsame => n,ConfBridge(${EXTEN})\n\
                exten => h,1,NoOp(${CONFBRIDGE_RESULT})\n";
    let mut exchange = Exchange::new(config(), plan, &PROMPTS);
    let mut phones: Vec<_> = ["alice", "bob", "carol"]
        .iter()
        .zip(1..)
        .map(|(name, host)| Phone::new(name, &format!("{name}-password"), host))
        .collect();
    for phone in &mut phones {
        phone.dial(&mut exchange, "600");
        phone.ack(&mut exchange);
        exchange.run_for(secs(2));
    }
    assert_eq!(exchange.media.room_sizes(), [3]);
    assert_eq!(exchange.played(ChannelId::new(1)), ["conf-onlyperson"]);
    assert!(exchange.played(ChannelId::new(2)).is_empty());
    for phone in &mut phones {
        phone.bye(&mut exchange);
    }
    exchange.assert_nothing_left();
}

#[test]
fn a_room_on_another_shard_takes_the_stream_along() {
    let plan = "[office]\nexten => 600,1,Answer()\nsame => n,ConfBridge(${EXTEN})\n";
    let config = SwitchConfig { shards: 2, ..config() };
    let mut exchange = Exchange::new(config, plan, &PROMPTS);
    let mut alice = alice();
    let mut bob = Phone::new("bob", "bob-password", 2);
    for phone in [&mut alice, &mut bob] {
        phone.dial(&mut exchange, "600");
        phone.ack(&mut exchange);
        exchange.run_for(secs(2));
    }
    assert_eq!(exchange.media.room_sizes(), [2]);
    alice.bye(&mut exchange);
    bob.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_room_with_an_unknown_profile_fails() {
    let plan = "[office]\nexten => 600,1,Answer()\nsame => n,ConfBridge(1,nope)\n\
                exten => h,1,NoOp(${CONFBRIDGE_RESULT})\n";
    let (mut exchange, mut alice, _) = dialled(plan, "600");
    exchange.run_for(secs(1));
    assert!(exchange.steps().contains(&"h,1 NoOp(FAILED)".to_owned()), "{:?}", exchange.steps());
    alice.pump(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn the_absolute_time_limit_leads_to_extension_t_in_capitals() {
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Set(TIMEOUT(absolute)=5)\n\
                same => n,Wait(60)\nexten => T,1,Playback(error)\n";
    let (mut exchange, mut alice, call) = dialled(plan, "100");
    exchange.run_for(secs(6));
    assert_eq!(exchange.played(call), ["error"]);
    exchange.run_for(secs(3));
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn prompts_are_asked_for_in_the_channels_language() {
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Playback(welcome)\n\
                same => n,Set(CHANNEL(language)=fr)\nsame => n,SayNumber(21)\n";
    let (mut exchange, ..) = dialled(plan, "100");
    exchange.run_for(secs(5));
    let asked = |name: &str, language: &str| (name.to_owned(), language.to_owned());
    assert_eq!(exchange.asked[0], asked("welcome", "en"));
    assert_eq!(exchange.asked[1], asked("digits/20", "fr"));
    assert_eq!(exchange.asked[2], asked("digits/et", "fr"));
}

#[test]
fn globals_are_shared_by_calls() {
    let plan = "[globals]\nGREETING=hello\n[office]\nexten => 100,1,Set(GLOBAL(SEEN)=${GREETING})\n\
                same => n,Hangup()\nexten => 200,1,NoOp(${SEEN})\nsame => n,Hangup()\n";
    let (mut exchange, mut alice, _) = dialled(plan, "100");
    alice.ack(&mut exchange);
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.dial(&mut exchange, "200");
    assert!(exchange.steps().contains(&"200,1 NoOp(hello)".to_owned()));
}

#[test]
fn a_missing_prompt_fails_the_playback_and_not_the_call() {
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Playback(nope&welcome)\n\
                same => n,NoOp(${PLAYBACKSTATUS})\nsame => n,Wait(10)\n";
    let (mut exchange, _, call) = dialled(plan, "100");
    exchange.run_for(secs(4));
    assert!(exchange.steps().contains(&"100,3 NoOp(FAILED)".to_owned()));
    assert!(exchange.ended(call).is_none());
}

#[test]
fn echo_ends_with_the_hash() {
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,Echo()\nsame => n,Playback(two)\n";
    let (mut exchange, _, call) = dialled(plan, "100");
    exchange.run_for(secs(1));
    exchange.press(call, "12#");
    assert_eq!(exchange.media.sent_digits, 3);
    assert_eq!(exchange.played(call), ["two"]);
}
