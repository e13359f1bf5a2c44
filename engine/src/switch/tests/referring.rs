//! Calls that the telephone system they came from is to connect elsewhere.

use diesis_dialplan::conf::MemoryFiles;

use super::*;
use crate::{
    config::Configuration,
    sip::{HeaderName, Method, Request, StatusCode},
};

const DIALPLAN: &str = "[office]\nexten => 1001,1,Rules(boss)\nsame => n,Hangup()\n\
                        exten => h,1,NoOp(${RULESSTATUS})\n";

/// A house whose boss forwards every call to `+33 1 55 17 18 89`, so.
fn house(how: &str) -> (Exchange, Phone) {
    let rules = format!(
        "[general]\nblind_forward={how}\nnumbering=yes\ndial=PJSIP/{{number}}\n\
         [boss]\ntype=user\nnumber=1001\n\
         [away]\ntype=rule\nuser=boss\npriority=1\ntarget=+33 1 55 17 18 89\n"
    );
    let files = MemoryFiles::new()
        .with("extensions.conf", DIALPLAN)
        .with("rules.conf", rules)
        .with("numbering.conf", "[general]\n")
        .with("pjsip.conf", "");
    let loaded = Configuration::load(&files);
    assert!(!loaded.is_refused());
    let plan = Arc::into_inner(loaded.configuration.plan).expect("nobody else has it");
    (Exchange::with_plan(config(), plan, &[]), alice())
}

/// A call that was answered, with the REFER that followed.
fn referred() -> (Exchange, Phone, Request) {
    let (mut exchange, mut pbx) = house("refer");
    pbx.dial(&mut exchange, "1001");
    assert_eq!(pbx.last_status(), Some(200));
    pbx.ack(&mut exchange);
    exchange.run_for(secs(3));
    // It is answered with 200 there, which is a success as 202 is.
    pbx.pump(&mut exchange);
    let refer = pbx.latest(&Method::Refer).expect("a REFER came");
    (exchange, pbx, refer)
}

/// What the telephone system tells of its REFER.
fn report(exchange: &mut Exchange, pbx: &mut Phone, status: u16, state: &str) -> u16 {
    let status = StatusCode::new(status).expect("a status");
    let mut notify = pbx.in_dialog(Method::Notify);
    notify.push(HeaderName::Event, "refer");
    notify.push(HeaderName::SubscriptionState, state);
    let line = format!("SIP/2.0 {} {}\r\n", status.code(), status.reason());
    notify.set_body("message/sipfrag;version=2.0", line);
    pbx.transact(exchange, notify)
}

fn has(exchange: &Exchange, step: &str) -> bool {
    exchange.steps().iter().any(|taken| taken.contains(step))
}

#[test]
fn rul_4_the_telephone_system_is_referred_and_says_that_it_did_it() {
    let (mut exchange, mut pbx, refer) = referred();
    let target = format!("<sip:00155171889@{}>", pbx.address().ip());
    let written = refer.text(HeaderName::ReferTo).expect("it says where to");
    assert!(written.starts_with(target.trim_end_matches('>')), "{written}");
    assert!(refer.text(HeaderName::ReferredBy).is_some_and(|by| by.starts_with("<sip:1001@")));
    assert_eq!(report(&mut exchange, &mut pbx, 180, "active;expires=60"), 200);
    assert!(pbx.bye_received().is_none(), "it rings there");
    assert_eq!(report(&mut exchange, &mut pbx, 200, "terminated;reason=noresource"), 200);
    pbx.pump(&mut exchange);
    assert!(pbx.bye_received().is_some());
    assert!(has(&exchange, "NoOp(FORWARDED)"), "{:?}", exchange.steps());
    exchange.run_for(secs(40));
    exchange.assert_nothing_left();
}

#[test]
fn rul_4_a_telephone_system_that_does_not_do_it_is_heard_and_the_call_is_made_here() {
    let (mut exchange, mut pbx, _) = referred();
    assert_eq!(report(&mut exchange, &mut pbx, 486, "terminated;reason=noresource"), 200);
    // There is no peer of that number: the call from here fails.
    pbx.pump(&mut exchange);
    assert!(has(&exchange, "NoOp(FAILED)"), "{:?}", exchange.steps());
    // One that says nothing is not waited for without end.
    let (mut exchange, mut pbx, _) = referred();
    exchange.run_for(secs(55));
    assert!(!has(&exchange, "NoOp("), "{:?}", exchange.steps());
    exchange.run_for(secs(10));
    pbx.pump(&mut exchange);
    assert!(has(&exchange, "NoOp(FAILED)"), "{:?}", exchange.steps());
    // A report that nobody asked for.
    let (mut exchange, mut pbx) = house("dial");
    pbx.dial(&mut exchange, "1001");
    assert_ne!(pbx.last_status(), Some(200));
}

#[test]
fn rul_4_a_caller_that_hangs_up_while_it_is_referred_leaves_nothing_behind() {
    let (mut exchange, mut pbx, _) = referred();
    pbx.bye(&mut exchange);
    exchange.run_for(secs(40));
    assert!(has(&exchange, "NoOp(FORWARDED)"), "{:?}", exchange.steps());
    exchange.assert_nothing_left();
}

#[test]
fn rul_4_a_call_that_is_not_answered_is_redirected_by_302() {
    let (mut exchange, mut pbx) = house("redirect");
    pbx.dial(&mut exchange, "1001");
    assert_eq!(pbx.last_status(), Some(302));
    let contact = pbx.last_response().and_then(|it| it.headers().text(HeaderName::Contact));
    let contact = contact.expect("it says where to").to_owned();
    assert!(contact.starts_with("<sip:00155171889@"), "{contact}");
    pbx.ack(&mut exchange);
    assert!(has(&exchange, "NoOp(FORWARDED)"), "{:?}", exchange.steps());
    exchange.run_for(secs(40));
    exchange.assert_nothing_left();
}
