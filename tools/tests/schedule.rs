//! `diesis schedule` without an engine, and the opening hours of `examples/wazo` as callers meet them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use diesis_dialplan::simulation::Scenario;
use diesis_engine::config::Configuration;

fn wazo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/wazo")
}

fn schedule(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
    command.args(["schedule", "test", "-C"]).arg(wazo()).args(words).output().unwrap()
}

fn said(words: &[&str]) -> String {
    let output = schedule(words);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn sch_1_a_time_is_answered_with_the_reason_and_the_next_change() {
    let open = said(&["office", "--at", "2026-12-24T10:00"]);
    assert_eq!(
        open,
        "office is open at Thu 2026-12-24 10:00 CET\n\
         reason       hours\n\
         next change  closes Thu 2026-12-24 12:00 CET\n"
    );
    // By the schedule's clock, whatever the machine's; and on to Monday.
    let feast = said(&["OFFICE", "--at", "2026-12-25T09:00Z"]);
    assert_eq!(
        feast,
        "office is closed at Fri 2026-12-25 10:00 CET\n\
         reason       holidays\n\
         next change  opens Mon 2026-12-28 08:30 CET\n\
         callers hear ivr-example-exceptional\n\
         and then     Hangup()\n"
    );
    let meeting = said(&["office", "--at", "2026-12-07T16:30"]);
    assert!(meeting.contains("reason       calendar (Team meeting)\n"), "{meeting}");
    let json = said(&["office", "--at", "2026-12-31T13:00", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["state"], &json["reason"]), (&"closed".into(), &"inventory".into()));
    assert_eq!(json["action"], "Goto(my-ivr-destination-context,8000,1)");
    assert_eq!(json["next_change"], "2027-01-04T08:30:00+01:00");
}

#[test]
fn sch_1_a_week_is_seen_at_a_glance() {
    let week = said(&["office", "--calendar", "2026-W53"]);
    let lines: Vec<&str> = week.lines().map(str::trim_end).collect();
    assert_eq!(
        lines,
        [
            "day  date        open                      closed by",
            "Mon  2026-12-28  08:30-11:59, 13:30-17:59  -",
            "Tue  2026-12-29  08:30-11:59, 13:30-17:59  -",
            "Wed  2026-12-30  08:30-11:59, 13:30-17:59  -",
            "Thu  2026-12-31  08:30-11:59               inventory 12:00-24:00",
            "Fri  2027-01-01  -                         holidays",
            "Sat  2027-01-02  -                         -",
            "Sun  2027-01-03  -                         -",
        ],
    );
    assert_eq!(said(&["office", "--calendar", "2026-12"]).lines().count(), 32);
}

#[test]
fn a_question_that_has_no_answer_is_told_so() {
    for (words, wrong) in [
        (&["barn"][..], "there is no schedule \"barn\"; there are: office"),
        (&["office", "--at", "noon"], "`noon` is not a time"),
        (&["office", "--calendar", "december"], "`december` is no month, week or day"),
    ] {
        let output = schedule(words);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains(wrong), "{words:?}");
    }
}

/// What callers of a number hear at a time, sound by sound.
fn heard(context: &str, number: &str, time: &str) -> Vec<String> {
    let loaded = Configuration::load_directory(&wazo());
    let names = [
        "./ivr-example-welcome-sound",
        "./ivr-example-choices",
        "./ivr-example-invalid-choice",
        "./ivr-example-error",
        "ivr-example-closed",
        "ivr-example-exceptional",
        "auth-thankyou",
    ];
    let scenario = Scenario {
        start: time.parse().unwrap(),
        sounds: names.iter().map(|name| ((*name).into(), Duration::from_secs(1))).collect(),
        ..Scenario::new(context, number)
    };
    let steps = scenario.run(&loaded.configuration.plan).trace.into_iter();
    steps.map(|step| format!("{}({})", step.application, step.arguments)).collect()
}

#[test]
fn sch_1_the_menu_with_a_calendar_answers_in_opening_time_only() {
    for (context, number) in [("default", "8898"), ("from-trunk", "0155171889")] {
        let steps = |time| heard(context, number, time);
        let welcome = "Playback(./ivr-example-welcome-sound)".to_owned();
        let open = steps("2026-11-12T09:00:00Z");
        assert!(open.contains(&"Schedule(office)".to_owned()), "{open:?}");
        assert!(open.contains(&welcome), "{number}: {open:?}");
        // At night, at a feast, in the team's meeting.
        for time in ["2026-11-12T19:00:00Z", "2026-12-25T09:00:00Z", "2026-12-07T15:30:00Z"] {
            let closed = steps(time);
            assert_eq!(closed.last().unwrap(), "Schedule(office)", "{number} at {time}");
            assert!(!closed.contains(&welcome), "{number} at {time}");
        }
        // After the announcement the reception takes calls.
        let inventory = steps("2026-12-31T12:00:00Z");
        assert!(inventory.contains(&"SayDigits(8000)".to_owned()), "{inventory:?}");
    }
    let code = heard("default", "*32", "2026-11-12T09:00:00Z");
    assert_eq!(code[0], "Set(SCHEDULE(office)=closed until next)");
    assert_eq!(code[3], "Playback(auth-thankyou&ivr-example-closed)");
}
