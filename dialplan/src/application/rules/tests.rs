use std::time::Duration;

use super::*;
use crate::channel::Channel;
use crate::conf::{self, MemoryFiles, Options};
use crate::executor::{Advance, Executor};
use crate::host::{ChannelState, Host, MemoryHost};
use crate::numbering::NumberingPlan;
use crate::operation::{DialEnd, DialResult};
use crate::plan::{LoadOptions, Plan};
use crate::rules::{Owner, Rulebook, Settings};

const DIALPLAN: &str = "[in]\nexten => _X.,1,Rules()\nsame => n,NoOp(went on)\n\
                        exten => h,1,NoOp(over)\n[vm]\nexten => _X.,1,Wait(7)\n";

/// A boss whose telephone is here, with these rules.
fn plan(settings: Settings, rules: &[&str]) -> Plan {
    let files = MemoryFiles::new().with("extensions.conf", DIALPLAN);
    let conf = conf::load("extensions.conf", &files, &Options::default());
    let (mut plan, _) = Plan::load(&conf, &LoadOptions::default());
    let mut boss = User {
        name: "boss".into(),
        numbers: vec!["1001".into()],
        device: Some("PJSIP/1001".into()),
        ..User::default()
    };
    for (index, text) in rules.iter().enumerate() {
        let number = index as u32 + 1;
        let owner = if text.contains("target=7") { Owner::User } else { Owner::Admin };
        let rule = Rule::parse(number, owner, text.as_bytes()).expect("a rule");
        boss.rules.insert(number, rule);
    }
    let mut grant = crate::rules::Grant::default();
    grant.beside_admin = Some(true);
    assert!(grant.set_forward(b"AuthorizedForward", true).is_some());
    boss.rights = crate::rules::Rights::of([&grant]);
    let mut book = Rulebook::new(settings);
    book.insert(boss);
    plan.set_rules(book);
    plan
}

fn verified(emergency: Option<&str>, times: u32) -> Settings {
    Settings {
        verification: Verification::Verified,
        emergency: emergency.map(BString::from),
        emergency_times: times,
        wait: Duration::from_secs(20),
        wait_pbx: Duration::from_secs(15),
        dial: "PJSIP/{number}@pbx".into(),
        ..Settings::default()
    }
}

/// How each number answers a call in turn; the last way holds on. Nothing is a number that rings.
type Answers<'a> = &'a [(&'a str, &'a [DialStatus])];

/// A call to the boss, operation by operation with the second at which it began, and what was decided
/// in the end.
fn called(plan: &Plan, answers: Answers<'_>, channel: Channel) -> (Vec<String>, String) {
    let mut host = MemoryHost::new("2026-11-12T10:00:00Z".parse().expect("a time"));
    host.state = ChannelState::Ring;
    let mut executor = Executor::new(channel, "in", "1001", 1);
    let mut asked: Vec<usize> = vec![0; answers.len()];
    let (mut met, mut seconds) = (vec![], 0);
    for _ in 0..100 {
        let operation = match executor.advance(plan, &mut host) {
            Advance::Operation(operation) => operation,
            Advance::Finished { .. } => break,
            _ => continue,
        };
        let (told, lasts, outcome) = match &operation {
            Operation::Answer { .. } => {
                host.state = ChannelState::Up;
                ("answer".to_owned(), 0, Result::Done)
            }
            Operation::Play { files, .. } => {
                (format!("play {}", bstr::join(" ", files).as_bstr()), 3, Result::Done)
            }
            Operation::Wait { duration } => ("wait".to_owned(), duration.as_secs(), Result::Done),
            Operation::Dial(dial) => {
                let resource = dial.destinations[0].resource.clone();
                let index =
                    answers.iter().position(|(number, _)| resource.starts_with(number.as_bytes()));
                let status = index.map(|index| {
                    let statuses = answers[index].1;
                    asked[index] += 1;
                    statuses[(asked[index] - 1).min(statuses.len() - 1)]
                });
                let status = status.unwrap_or(NoAnswer);
                let mut result = DialResult::unanswered(status, 0);
                let limit = dial.timeout.map(|it| it.as_secs());
                let lasts = match status {
                    NoAnswer => limit.unwrap_or(180),
                    Answer => {
                        result.ended_by = DialEnd::Callee;
                        4
                    }
                    _ => 0,
                };
                (format!("dial {resource}"), lasts, Result::Dialed(Box::new(result)))
            }
            Operation::ForwardByCaller { number, by } => {
                let does = answers.iter().any(|(who, _)| *who == "caller");
                let outcome = match (does, by) {
                    (false, _) => Result::Failed,
                    (true, ForwardBy::Refer) => Result::Done,
                    (true, ForwardBy::Redirect) => Result::HungUp { cause: 16 },
                };
                (format!("{by:?} {number}").to_lowercase(), 1, outcome)
            }
            other => (format!("{other:?}"), 0, Result::Done),
        };
        met.push(format!("{seconds}: {told}"));
        seconds += lasts;
        executor.handle_outcome(outcome);
    }
    let text = b"${RULESSTATUS} ${RULESRULE} ${RULESTARGET} at ";
    let status = executor.evaluate(plan, &mut host, text);
    (met, format!("{status}{seconds}"))
}

fn caller() -> Channel {
    let mut channel = Channel::new("PJSIP/pbx-1");
    channel.caller.number = Some("0144000000".into());
    channel
}

/// A call that the boss's telephone diverted to a robot.
fn diverted(reason: u8) -> Channel {
    let mut channel = caller();
    let redirecting = &mut *channel.redirecting;
    redirecting.from.number = Some("1001".into());
    redirecting.reason.code = reason;
    redirecting.count = 1;
    channel
}

use DialStatus::{Answer, Busy, ChanUnavail, NoAnswer};

#[test]
fn rul_1_the_caller_hears_the_announcement_before_the_forward() {
    let plan = plan(verified(None, 0), &["announcement=away&beep;target=2000"]);
    let (met, end) = called(&plan, &[("2000", &[Answer])], caller());
    assert_eq!(met, ["0: answer", "0: play away beep", "3: dial 2000@pbx"]);
    assert_eq!(end, "FORWARDED 1 2000 at 7");
}

#[test]
fn rul_4_what_nobody_answers_goes_to_the_emergency_number_so_many_times() {
    let plan = plan(verified(Some("9"), 3), &["target=2000"]);
    // Rings for the time to wait; the emergency number is busy, rings, answers.
    let answers: Answers<'_> = &[("2000", &[NoAnswer]), ("9", &[Busy, NoAnswer, Answer])];
    let (met, end) = called(&plan, answers, caller());
    assert_eq!(
        met,
        [
            "0: dial 2000@pbx",
            "20: dial 9@pbx",
            "20: wait",
            "22: dial 9@pbx",
            "42: wait",
            "44: dial 9@pbx"
        ]
    );
    assert_eq!(end, "EMERGENCY 1 9 at 48");
    // Wrong numbers and busy ones count as not answered; tries have an end.
    for status in [ChanUnavail, Busy] {
        let answers: Answers<'_> = &[("2000", &[status]), ("9", &[NoAnswer])];
        let (met, end) = called(&plan, answers, caller());
        assert_eq!(met.iter().filter(|it| it.ends_with("dial 9@pbx")).count(), 3, "{met:?}");
        assert_eq!(end, "FAILED 1 9 at 64");
    }
}

#[test]
fn rul_4_without_verification_the_forward_is_blind() {
    let settings = Settings { verification: Verification::Blind, ..verified(Some("9"), 3) };
    let plan = plan(settings, &["target=2000"]);
    let (met, end) = called(&plan, &[("2000", &[NoAnswer])], caller());
    assert_eq!(met, ["0: dial 2000@pbx"]);
    assert_eq!(end, "FAILED 1 2000 at 180");
}

#[test]
fn rul_5_the_telephone_rings_as_long_as_its_rule_waits() {
    // A rule of an administrator: WAITTIMENOREPLY.
    let plan_of = |rule| plan(verified(None, 0), &[rule]);
    let plan = plan_of("forward=noanswer;target=2000");
    let (met, end) = called(&plan, &[("2000", &[Answer])], caller());
    assert_eq!(met, ["0: dial 1001", "20: dial 2000@pbx"]);
    assert_eq!(end, "FORWARDED 1 2000 at 24");
    // A rule of a user: WAITTIMENOREPLYPBX.
    let plan = plan_of("forward=noanswer;target=7000");
    let (met, _) = called(&plan, &[("7000", &[Answer])], caller());
    assert_eq!(met, ["0: dial 1001", "15: dial 7000@pbx"]);
    // None: it rings until somebody answers.
    let plan = plan_of("forward=busy;target=2000");
    let (met, end) = called(&plan, &[("1001", &[Answer])], caller());
    assert_eq!(met, ["0: dial 1001"]);
    assert_eq!(end, "STATION   at 4");
    let (met, _) = called(&plan, &[("1001", &[Busy]), ("2000", &[Answer])], caller());
    assert_eq!(met, ["0: dial 1001", "0: dial 2000@pbx"]);
}

#[test]
fn rul_1_a_diversion_tells_what_the_telephone_did() {
    let rules =
        ["target=2000", "forward=busy;target=2001", "forward=noanswer;announcement=x;target=2002"];
    let plan = plan(verified(None, 0), &rules);
    let answers: Answers<'_> = &[("200", &[Answer])];
    for (reason, dialled) in [(11, "2000"), (1, "2001"), (2, "2002")] {
        let (met, _) = called(&plan, answers, diverted(reason));
        assert!(
            met.last().is_some_and(|it| it.ends_with(&format!("dial {dialled}@pbx"))),
            "{met:?}"
        );
    }
}

#[test]
fn rul_3_a_call_on_a_circle_stays_on_its_own_telephone() {
    let plan = plan(verified(Some("9"), 1), &["target=1001"]);
    let (met, end) = called(&plan, &[("1001", &[Answer])], caller());
    assert_eq!(met, ["0: dial 1001"]);
    assert_eq!(end, "STATION   at 4");
    // Diverted here by that telephone: it goes on in the dialplan.
    let (met, end) = called(&plan, &[("1001", &[Answer])], diverted(11));
    assert_eq!((met.len(), end.as_str()), (0, "CIRCLE   at 0"));
}

#[test]
fn rul_3_whatever_the_level_a_call_is_sent_on_ten_times_at_most() {
    let settings = Settings { circular_level: 0, ..verified(None, 0) };
    let plan = plan(settings, &["target=1001"]);
    let mut channel = caller();
    channel.redirecting.count = 11;
    let (met, end) = called(&plan, &[("1001", &[Answer])], channel);
    assert_eq!(met, ["0: dial 1001"]);
    assert_eq!(end, "STATION 1 1001 at 4");
}

#[test]
fn a_target_may_be_a_place_or_the_end() {
    let plan_of = |rule| plan(verified(None, 0), &[rule]);
    let place = plan_of("target=Goto(vm,${EXTEN},1)");
    let (met, end) = called(&place, &[], caller());
    assert_eq!(met, ["0: wait"]);
    assert_eq!(end, "FORWARDED 1 Goto(vm,${EXTEN},1) at 7");
    let (met, end) = called(&plan_of("announcement=bye;target=Hangup()"), &[], caller());
    assert_eq!(met, ["0: answer", "0: play bye"]);
    assert_eq!(end, "ENDED 1 Hangup() at 3");
}

#[test]
fn each_decision_is_a_line_of_the_log() {
    let plan = plan(verified(None, 0), &["presence=busy;target=2000", "target=2001"]);
    let mut host = MemoryHost::new("2026-11-12T10:00:00Z".parse().expect("a time"));
    let mut executor = Executor::new(caller(), "in", "1001", 1);
    let Advance::Operation(_) = executor.advance(&plan, &mut host) else { panic!("no operation") };
    let lines: Vec<String> = host.log.iter().map(|(_, line)| line.clone()).collect();
    let wanted = "Rules: boss: forward to 2001 by rule 2, all, any presence, immediate";
    assert!(lines.iter().any(|line| line == wanted), "{lines:?}");
    assert!(lines.iter().any(|line| line == "Rules: rule 1: the user's presence is another"));
    assert_eq!(host.world().database.len(), 0);
}

#[test]
fn rul_1_a_target_is_dialled_as_the_numbering_plan_makes_it() {
    let mut plan = plan(verified(Some("+33 1 12"), 1), &["target=+33 (0)1 55 17 18 89"]);
    let book = plan.rules().clone().with_numbering(NumberingPlan::default());
    plan.set_rules(book);
    let (met, end) = called(&plan, &[("00155171889", &[Busy]), ("00112", &[Answer])], caller());
    assert_eq!(met, ["0: dial 00155171889@pbx", "0: dial 00112@pbx"]);
    assert_eq!(end, "EMERGENCY 1 00112 at 4");
}

#[test]
fn rul_4_a_blind_forward_is_the_callers_by_refer_or_302_where_that_is_asked_for() {
    let blind = |blind, emergency| Settings {
        verification: Verification::Blind,
        blind,
        ..verified(emergency, 1)
    };
    let called_by = |how, emergency, announcement: &str, answers| {
        let rule = format!("{announcement}target=2000");
        called(&plan(blind(how, emergency), &[&rule]), answers, caller())
    };
    let does: Answers<'_> = &[("caller", &[Answer])];
    let (met, end) = called_by(BlindForward::Refer, None, "", does);
    assert_eq!(met, ["0: answer", "0: refer 2000"]);
    assert_eq!(end, "FORWARDED 1 2000 at 1");
    let (met, end) = called_by(BlindForward::Redirect, None, "", does);
    assert_eq!(
        (met.join(";").as_str(), end.as_str()),
        ("0: redirect 2000", "FORWARDED 1 2000 at 1")
    );
    // Behind an announcement there is an answer, and no 302 any more.
    for how in [BlindForward::Refer, BlindForward::Redirect] {
        let (met, _) = called_by(how, None, "announcement=away;", does);
        assert_eq!(met, ["0: answer", "0: play away", "3: refer 2000"]);
    }
    // Refused: the emergency number, or without one the target from here.
    let refuses: Answers<'_> = &[("2000", &[Answer]), ("9", &[Answer])];
    let (met, end) = called_by(BlindForward::Refer, Some("9"), "", refuses);
    assert_eq!(met, ["0: answer", "0: refer 2000", "1: dial 9@pbx"]);
    assert_eq!(end, "EMERGENCY 1 9 at 5");
    let (met, end) = called_by(BlindForward::Redirect, None, "", refuses);
    assert_eq!(met, ["0: redirect 2000", "1: dial 2000@pbx"]);
    assert_eq!(end, "FORWARDED 1 2000 at 5");
    // A verified forward stays ours.
    let settings = Settings { blind: BlindForward::Refer, ..verified(None, 0) };
    let (met, _) = called(&plan(settings, &["target=2000"]), refuses, caller());
    assert_eq!(met, ["0: dial 2000@pbx"]);
}
