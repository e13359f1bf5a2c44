//! CDR(): what the dialplan reads and writes of its call's record, and what comes of it.

use jiff::SignedDuration;

use super::*;
use crate::cdr::{Disposition, Record};

const PLAN: &str = "
[office]
exten => 201,1,Set(CDR(userfield)=gold)
same => n,Set(CDR(accountcode)=sales)
same => n,Set(CDR(project)=x7)
same => n,NoOp(now ${CDR(disposition)} ${CDR(src)} ${CDR(dst)} ${CDR(project)} ${CDR(end)}.)
same => n,Dial(PJSIP/bob,20)
exten => 202,1,Answer()
same => n,NoCDR()
same => n,Wait(5)
exten => 203,1,Answer()
same => n,Set(CDR(project)=kept)
same => n,Wait(5)
same => n,NoOp(before ${CDR(duration)} ${CDR(billsec)})
same => n,ResetCDR(v)
same => n,Wait(3)
same => n,NoOp(after ${CDR(duration)} ${CDR(billsec)} ${CDR(project)})
exten => 204,1,Answer()
same => n,Wait(2)
same => n,ForkCDR(er)
same => n,Wait(3)
exten => 205,1,Dial(PJSIP/bob,5)
same => n,Answer()
same => n,Wait(4)
exten => 206,1,Answer()
same => n,Wait(3)
same => n,NoOp(before ${CDR(duration)})
same => n,Dial(PJSIP/bob,1,C)
same => n,NoOp(after ${CDR(duration)})
exten => h,1,NoOp(h ${CDR(disposition)} ${CDR(billsec)} ${CDR(dst)} ${CDR(lastapp)} ${CDR(lastdata)})
same => n,Set(CDR(userfield)=${CDR(userfield)} late)
";

fn dialled(exten: &str) -> (Exchange, Phone, Phone) {
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, exten);
    if alice.last_status() == Some(200) {
        alice.ack(&mut exchange);
    }
    (exchange, alice, bob)
}

fn records(exchange: &Exchange) -> Vec<&Record> {
    let records = exchange.events.iter().filter_map(|event| match event {
        SwitchEvent::CallRecorded { record } => Some(&**record),
        _ => None,
    });
    records.collect()
}

fn step(exchange: &Exchange, start: &str) -> String {
    let steps = exchange.steps();
    let found = steps.iter().find_map(|step| step.split_once(&format!("NoOp({start} ")));
    let (_, rest) = found.unwrap_or_else(|| panic!("{start}: {steps:?}"));
    rest.trim_end_matches(')').to_owned()
}

#[test]
fn a_dialled_call_is_recorded_with_what_the_dialplan_said_of_it() {
    let (mut exchange, mut alice, mut bob) = dialled("201");
    let invite = bob.take_invite(&mut exchange);
    exchange.run_for(secs(4));
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.run_for(secs(5));
    // Somebody sets the machine's clock back.
    exchange.now.wall -= SignedDuration::from_hours(3);
    exchange.run_for(secs(5));
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    exchange.run_for(secs(1));
    assert_eq!(step(&exchange, "now"), "NO ANSWER alice 201 x7 .");
    assert_eq!(step(&exchange, "h"), "ANSWERED 10 201 Dial PJSIP/bob,20");
    let records = records(&exchange);
    assert_eq!(records.len(), 1);
    let record = records[0];
    assert_eq!((record.duration, record.billable), (secs(14), secs(10)));
    assert_eq!(record.end.duration_since(record.start).as_secs(), 14);
    assert_eq!((&record.source, &record.destination), (&"alice".into(), &"201".into()));
    assert!(record.destination_channel.starts_with(b"PJSIP/bob-"), "{record:?}");
    assert_eq!((&record.account_code, &record.user_field), (&"sales".into(), &"gold late".into()));
    assert_eq!(record.fields, [("project".into(), "x7".into())]);
    assert_eq!((&record.context, &record.last_application), (&"office".into(), &"Dial".into()));
}

#[test]
fn nothing_is_recorded_of_a_call_that_is_not_to_be() {
    let (mut exchange, mut alice, _) = dialled("202");
    exchange.run_for(secs(6));
    alice.pump(&mut exchange);
    assert_eq!(records(&exchange).len(), 0);
    assert_eq!(step(&exchange, "h"), "ANSWERED 5 202 Wait 5");
}

#[test]
fn a_record_that_is_reset_counts_from_then_on() {
    let (mut exchange, mut alice, _) = dialled("203");
    exchange.run_for(secs(9));
    alice.pump(&mut exchange);
    assert_eq!(step(&exchange, "before"), "5 5");
    assert_eq!(step(&exchange, "after"), "3 3 kept");
    let records = records(&exchange);
    assert_eq!((records.len(), records[0].duration), (1, secs(3)));
}

#[test]
fn a_forked_record_is_one_more() {
    let (mut exchange, mut alice, _) = dialled("204");
    exchange.run_for(secs(6));
    alice.pump(&mut exchange);
    let lengths: Vec<_> = records(&exchange).iter().map(|it| it.billable.as_secs()).collect();
    assert_eq!(lengths, [2, 3]);
}

#[test]
fn a_dial_that_nobody_answers_and_what_follows_are_two_records() {
    let (mut exchange, mut alice, bob) = dialled("205");
    bob.take_invite(&mut exchange);
    exchange.run_for(secs(6));
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.run_for(secs(5));
    alice.pump(&mut exchange);
    let records = records(&exchange);
    let told: Vec<_> = records
        .iter()
        .map(|it| (it.disposition, it.duration.as_secs(), it.billable.as_secs()))
        .collect();
    assert_eq!(told, [(Disposition::NoAnswer, 5, 0), (Disposition::Answered, 4, 4),]);
    assert_eq!(records[1].last_application, "Wait");
}

#[test]
fn an_engine_that_stops_records_the_calls_in_progress() {
    let (mut exchange, _, _) = dialled("203");
    exchange.run_for(secs(2));
    let now = exchange.now;
    exchange.switch.close_records(now);
    exchange.tick();
    let records = records(&exchange);
    assert_eq!((records.len(), records[0].disposition), (1, Disposition::Answered));
    assert_eq!(records[0].duration, secs(2));
}

#[test]
fn option_c_of_a_dial_begins_the_record_anew() {
    let (mut exchange, mut alice, _bob) = dialled("206");
    exchange.run_for(secs(6));
    assert_eq!(step(&exchange, "before"), "3");
    assert_eq!(step(&exchange, "after"), "1");
    alice.bye(&mut exchange);
    exchange.run_for(secs(70));
}
