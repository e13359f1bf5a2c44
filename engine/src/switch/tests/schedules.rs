//! Opening hours in front of incoming numbers.

use diesis_dialplan::conf::MemoryFiles;
use diesis_dialplan::timetable::Override;
use jiff::Timestamp;

use super::*;
use crate::config::Configuration;
use crate::switch::{Record, ScheduleError};

const DIALPLAN: &str = "[office]\nexten => 100,1,Answer()\nsame => n,Playback(welcome)\n\
                        same => n,Hangup()\nexten => 200,1,Dial(Local/100@office)\n\
                        [night]\nexten => s,1,Playback(night)\nsame => n,Hangup()\n";

const SCHEDULES: &str = "[house]\ntype=schedule\nopen=9:00-17:00,mon-fri\nclosed_sound=shut\n\
                         closures=feast\nincoming=office/100\n\
                         code_open=*31\ncode_closed=*32\ncode_back=*33\ncode_context=office\n\
                         sound_open=opened\n\
                         [feast]\ntype=closure\nperiod=*,*,25,dec\nsound=feast\n\
                         action=Goto(night,s,1)\n";

/// A switch at a time with these files, which must be without fault.
fn house(time: &str) -> Exchange {
    let files = MemoryFiles::new()
        .with("extensions.conf", DIALPLAN)
        .with("schedules.conf", SCHEDULES)
        .with("pjsip.conf", "");
    let loaded = Configuration::load(&files);
    assert!(!loaded.is_refused());
    let plan = Arc::into_inner(loaded.configuration.plan).expect("nobody else has it");
    let prompts = ["welcome", "shut", "feast", "night", "opened", "auth-thankyou"];
    let prompts = prompts.map(|name| (name, 1000));
    let mut exchange = Exchange::with_plan(config(), plan, &prompts);
    exchange.now.wall = time.parse::<Timestamp>().expect("a time");
    exchange
}

/// Alice calls; what she hears.
fn call(exchange: &mut Exchange, alice: &mut Phone, number: &str) -> Vec<String> {
    alice.forget_call();
    alice.dial(exchange, number);
    if alice.last_status() == Some(200) {
        alice.ack(exchange);
    }
    exchange.run_for(secs(10));
    alice.pump(exchange);
    let started = |event: &SwitchEvent| match event {
        SwitchEvent::CallStarted { call, .. } => Some(*call),
        _ => None,
    };
    let call = exchange.events.iter().rev().find_map(started).expect("it began");
    exchange.played(call)
}

/// What Alice hears who calls at a time.
fn heard(time: &str, number: &str) -> (Vec<String>, Vec<String>) {
    let mut exchange = house(time);
    let heard = call(&mut exchange, &mut alice(), number);
    let steps = exchange.steps();
    exchange.assert_nothing_left();
    (heard, steps)
}

#[test]
fn sch_1_an_incoming_number_asks_its_schedule_first() {
    let (heard_open, steps) = heard("2026-11-12T10:00:00Z", "100");
    assert_eq!(heard_open, ["welcome"]);
    assert_eq!(steps[..2], ["100,0 Schedule(house)", "100,1 Answer()"]);
    let (heard_closed, steps) = heard("2026-11-14T10:00:00Z", "100");
    assert_eq!(heard_closed, ["shut"]);
    assert_eq!(steps, ["100,0 Schedule(house)"]);
    let (heard_feast, _) = heard("2026-12-25T10:00:00Z", "100");
    assert_eq!(heard_feast, ["feast", "night"]);
    // A call that the house makes itself is none from outside.
    let (_, steps) = heard("2026-11-14T10:00:00Z", "200");
    assert!(steps.contains(&"100,1 Answer()".to_owned()), "{steps:?}");
}

/// What was told of overrides: what stands, and whether a call did it.
fn told(exchange: &Exchange) -> Vec<(Option<(Override, bool)>, bool)> {
    let told = exchange.events.iter().filter_map(|event| match event {
        SwitchEvent::ScheduleOverridden { name, standing, call } => {
            assert_eq!(name, "house");
            Some((standing.map(|it| (it.said, it.until.is_some())), call.is_some()))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn sch_1_a_key_code_opens_closes_and_goes_back() {
    // A Saturday.
    let mut exchange = house("2026-11-14T10:00:00Z");
    exchange.switch.restore_database([]);
    let mut alice = alice();
    assert_eq!(call(&mut exchange, &mut alice, "100"), ["shut"]);
    assert_eq!(call(&mut exchange, &mut alice, "*31"), ["opened"]);
    assert_eq!(call(&mut exchange, &mut alice, "100"), ["welcome"]);
    // It is kept.
    let kept = |exchange: &mut Exchange| match exchange.switch.poll_record() {
        Some(Record::Database { key, value }) => (key.to_string(), value.map(|it| it.to_string())),
        other => panic!("{other:?}"),
    };
    assert_eq!(kept(&mut exchange), ("schedule/house".to_owned(), Some("open".to_owned())));
    assert_eq!(call(&mut exchange, &mut alice, "*32"), ["auth-thankyou", "shut"]);
    assert_eq!(call(&mut exchange, &mut alice, "100"), ["shut"]);
    assert_eq!(call(&mut exchange, &mut alice, "*33"), ["auth-thankyou"]);
    assert_eq!(kept(&mut exchange), ("schedule/house".to_owned(), None));
    assert_eq!(call(&mut exchange, &mut alice, "100"), ["shut"]);
    let open = Some((Override::Open, false));
    let closed = Some((Override::Closed, false));
    assert_eq!(told(&exchange), [(open, true), (closed, true), (None, true)]);
    exchange.assert_nothing_left();
}

#[test]
fn sch_1_a_command_overrides_until_a_time_and_lists() {
    // A Thursday.
    let mut exchange = house("2026-11-12T10:00:00Z");
    let mut alice = alice();
    let now = exchange.now;
    let said = |exchange: &mut Exchange, words: &str| {
        let now = exchange.now;
        let done = exchange.switch.override_schedule(b"HOUSE", words.as_bytes(), now);
        exchange.settle();
        done.map(|view| (view.is_open, view.next.map(|next| next.to_string())))
            .map_err(|error| error.to_string())
    };
    let at = |time: &str| Some(format!("2026-11-12T{time}:00Z"));
    assert_eq!(said(&mut exchange, "closed until 12:00"), Ok((false, at("12:00"))));
    assert_eq!(call(&mut exchange, &mut alice, "100"), ["shut"]);
    exchange.run_for(secs(2 * 3600));
    assert_eq!(call(&mut exchange, &mut alice, "100"), ["welcome"]);
    assert_eq!(
        said(&mut exchange, "closed until next"),
        Ok((false, Some("2026-11-13T09:00:00Z".into())))
    );
    assert_eq!(said(&mut exchange, "back"), Ok((true, at("17:01"))));
    assert!(said(&mut exchange, "ajar").unwrap_err().contains("none of open"));
    let unknown = exchange.switch.override_schedule(b"barn", b"open", now);
    assert_eq!(unknown, Err(ScheduleError::Unknown("barn".into())));
    let closed = Some((Override::Closed, true));
    assert_eq!(told(&exchange), [(closed, false), (closed, false), (None, false)]);
    let views = exchange.switch.view_schedules(now);
    assert_eq!((views.len(), views[0].incoming.len()), (1, 1));
    assert_eq!(views[0].incoming[0], "office/100");
    exchange.assert_nothing_left();
}
