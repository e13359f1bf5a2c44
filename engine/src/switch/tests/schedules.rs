//! Opening hours in front of incoming numbers.

use diesis_dialplan::conf::MemoryFiles;
use jiff::Timestamp;

use super::*;
use crate::config::Configuration;

const DIALPLAN: &str = "[office]\nexten => 100,1,Answer()\nsame => n,Playback(welcome)\n\
                        same => n,Hangup()\nexten => 200,1,Dial(Local/100@office)\n\
                        [night]\nexten => s,1,Playback(night)\nsame => n,Hangup()\n";

const SCHEDULES: &str = "[house]\ntype=schedule\nopen=9:00-17:00,mon-fri\nclosed_sound=shut\n\
                         closures=feast\nincoming=office/100\n\
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
    let prompts = [("welcome", 1000), ("shut", 1000), ("feast", 1000), ("night", 1000)];
    let mut exchange = Exchange::with_plan(config(), plan, &prompts);
    exchange.now.wall = time.parse::<Timestamp>().expect("a time");
    exchange
}

/// What Alice hears who calls at a time.
fn heard(time: &str, number: &str) -> (Vec<String>, Vec<String>) {
    let mut exchange = house(time);
    let mut alice = alice();
    alice.dial(&mut exchange, number);
    if alice.last_status() == Some(200) {
        alice.ack(&mut exchange);
    }
    exchange.run_for(secs(10));
    alice.pump(&mut exchange);
    let call = exchange.first_call();
    let heard = exchange.played(call);
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
    // A call of the house itself is none from outside.
    let (_, steps) = heard("2026-11-14T10:00:00Z", "200");
    assert!(steps.contains(&"100,1 Answer()".to_owned()), "{steps:?}");
}
