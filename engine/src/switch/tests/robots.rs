//! Robots: which one a call occupies, for whom it is, and what it is told when all are busy.

use diesis_dialplan::{conf::MemoryFiles, operation::OriginateTarget};

use super::*;
use crate::{config::Configuration, sip::HeaderName, switch::Originate};

const PJSIP: &str = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:5060\n";
const DIALPLAN: &str = "[robots]\n\
    exten => _6XXX,1,NoOp(${ROBOT(user)} by ${ROBOT(by)} on ${ROBOT(number)} of ${ROBOT(pool)})\n\
    same => n,NoOp(${ROBOT(free,rules)} of ${ROBOT(lines,rules)})\n\
    same => n,Answer()\nsame => n,Wait(60)\n";

fn config(robots: &str) -> SwitchConfig {
    let files = MemoryFiles::new().with("pjsip.conf", PJSIP).with("robots.conf", robots);
    let loaded = Configuration::load(&files);
    assert!(!loaded.is_refused(), "{:?}", loaded.findings().map(|it| it.to_string()).next());
    let sip = Arc::new(loaded.configuration.sip);
    SwitchConfig { sip, trace_steps: StepTrace::On, ..SwitchConfig::default() }
}

/// Robots 6000 to 6002 with a line each, whose telephone system is at 127.0.1.7.
fn range(more: &str) -> String {
    format!(
        "[announcements]\nfirst=6000\ncount=3\nregistrar=127.0.1.7\ncontext=robots\n\
         application=rules\n{more}"
    )
}

fn exchange(more: &str) -> Exchange {
    let mut exchange = Exchange::new(config(&range(more)), DIALPLAN, &[]);
    exchange.run_for(Duration::from_millis(250));
    exchange
}

/// The telephone system's `nth` call, for a robot, with a header more.
fn call(exchange: &mut Exchange, nth: u8, robot: &str, more: Option<(HeaderName, &str)>) -> Phone {
    let port = 7000 + u16::from(nth);
    let mut pbx = Phone::new("1001", "", 20 + nth).seen_at(([127, 0, 1, 7], port).into());
    if let Some((name, value)) = more {
        pbx.extra.push(name, value);
    }
    pbx.dial(exchange, robot);
    if pbx.last_status() == Some(200) {
        pbx.ack(exchange);
    }
    pbx
}

#[test]
fn rob_1_a_forwarded_call_is_its_users_and_occupies_a_robot_until_it_ends() {
    let mut exchange = exchange("map=_600X => _410X\n");
    let diversion = Some((HeaderName::Diversion, "\"Anna\" <sip:4711@pbx>;reason=no-answer"));
    let mut first = call(&mut exchange, 1, "6001", diversion);
    let mut second = call(&mut exchange, 2, "6001", None);
    let steps = exchange.steps();
    assert!(steps.contains(&"6001,1 NoOp(4711 by diversion on 6001 of rules)".into()), "{steps:?}");
    assert!(steps.contains(&"6001,1 NoOp(4101 by mapping on 6002 of rules)".into()), "{steps:?}");
    assert!(steps.contains(&"6001,2 NoOp(1 of 3)".into()), "{steps:?}");
    let views = exchange.switch.view_registrations(exchange.now);
    let robots: Vec<_> = views.iter().filter_map(|it| it.robot.as_ref()).collect();
    assert_eq!(robots.iter().map(|it| it.used).collect::<Vec<_>>(), [0, 1, 1]);
    assert_eq!(robots[1].last_user, "4711");
    first.bye(&mut exchange);
    second.bye(&mut exchange);
    let pools = exchange.switch.view_pools(exchange.now);
    assert_eq!((pools[0].used, pools[0].calls, pools[0].lines), (0, 2, 3));
    let told = |event: &SwitchEvent| match event {
        SwitchEvent::RobotOccupied { robot, user, .. } => Some(format!("{robot} for {user}")),
        SwitchEvent::RobotReleased { robot, .. } => Some(format!("{robot} free")),
        _ => None,
    };
    let told: Vec<_> = exchange.events.iter().filter_map(told).collect();
    assert_eq!(told, ["6001 for 4711", "6002 for 4101", "6001 free", "6002 free"]);
}

#[test]
fn rob_1_when_all_robots_are_busy_one_more_call_is_refused_with_486_and_counted() {
    let mut exchange = exchange("");
    let mut calls: Vec<_> = (0..3).map(|nth| call(&mut exchange, nth, "6000", None)).collect();
    assert!(calls.iter().all(|it| it.last_status() == Some(200)));
    assert_eq!(call(&mut exchange, 3, "6000", None).last_status(), Some(486));
    assert_eq!(exchange.switch.view_pools(exchange.now)[0].refused, 1);
    calls[1].bye(&mut exchange);
    assert_eq!(call(&mut exchange, 4, "6000", None).last_status(), Some(200), "one is free again");
    let refused = |event: &&SwitchEvent| matches!(event, SwitchEvent::RobotRefused { .. });
    assert_eq!(exchange.events.iter().filter(refused).count(), 1);
}

#[test]
fn rob_1_a_busy_robot_refuses_and_takes_as_many_as_it_has_lines() {
    let mut exchange = exchange("lines=2\nwhen_busy=refuse\n");
    let status = [0, 1, 2].map(|nth| call(&mut exchange, nth, "6000", None).last_status());
    assert_eq!(status, [Some(200), Some(200), Some(486)]);
    assert_eq!(call(&mut exchange, 3, "6001", None).last_status(), Some(200));
}

#[test]
fn rob_1_headers_of_others_than_the_registrar_attribute_nothing() {
    let files = MemoryFiles::new()
        .with("pjsip.conf", format!("{PJSIP}[phone]\ntype=endpoint\ncontext=robots\n[phone]\ntype=identify\nmatch=127.0.1.8\nendpoint=phone\n"))
        .with("robots.conf", range("map=6001 => 4101\n"));
    let sip = Arc::new(Configuration::load(&files).configuration.sip);
    let config = SwitchConfig { sip, trace_steps: StepTrace::On, ..SwitchConfig::default() };
    let mut exchange = Exchange::new(config, DIALPLAN, &[]);
    let mut stranger = Phone::new("phone", "", 8);
    stranger.extra.push(HeaderName::Diversion, "<sip:4711@pbx>");
    stranger.dial(&mut exchange, "6001");
    let steps = exchange.steps();
    assert!(steps.contains(&"6001,1 NoOp( by  on  of )".into()), "{steps:?}");
    assert_eq!(exchange.switch.view_pools(exchange.now)[0].used, 0);
}

#[test]
fn rob_1_calls_and_counts_outlive_a_reload() {
    let mut exchange = exchange("");
    let mut pbx = call(&mut exchange, 1, "6001", None);
    let changed = config(&range("lines=5\n").replace("count=3", "count=2"));
    exchange.switch.replace(changed.into(), exchange.now);
    let pools = exchange.switch.view_pools(exchange.now);
    assert_eq!((pools[0].robots, pools[0].lines, pools[0].used), (2, 10, 1));
    pbx.bye(&mut exchange);
    let pools = exchange.switch.view_pools(exchange.now);
    assert_eq!((pools[0].used, pools[0].calls), (0, 1));
    let more = config(&range("lines=7\n").replace("count=3", "count=2"));
    exchange.switch.replace(more.into(), exchange.now);
    assert_eq!(exchange.switch.view_pools(exchange.now)[0].lines, 14, "with nothing else changed");
}

/// The telephone system takes all registrations but one.
fn take_registrations(exchange: &mut Exchange, refused: &str) -> Phone {
    let mut pbx = Phone::new("pbx", "", 7);
    for letter in exchange.letters_to(([127, 0, 1, 7], 5060).into()) {
        let register = Phone::read_request(letter).expect("a REGISTER");
        let contact = register.value(HeaderName::Contact).unwrap_or_default().to_owned();
        let number = register.to_header().and_then(|to| to.uri().user().map(str::to_owned));
        let status = if number.as_deref() == Some(refused) { 403 } else { 200 };
        let response = crate::sip::Response::to(
            &register,
            crate::sip::StatusCode::new(status).expect("a status"),
        )
        .with(HeaderName::Contact, &contact[..])
        .with(HeaderName::Expires, "120");
        pbx.reply(exchange, &response);
    }
    pbx
}

/// Another telephone system has robots of the same pool; both registrations hold.
fn two_systems(when_busy: &str) -> Exchange {
    let first = range(when_busy).replace("count=3", "count=1");
    let second = "[more]\nfirst=7000\ncount=3\nregistrar=127.0.1.7\ncontext=robots\n\
                  application=rules\n";
    let mut exchange = Exchange::new(config(&format!("{first}{second}")), DIALPLAN, &[]);
    exchange.run_for(Duration::from_millis(250));
    let _pbx = take_registrations(&mut exchange, "7000");
    exchange
}

#[test]
fn rob_1_when_all_of_a_range_are_busy_a_registered_robot_of_the_pool_takes_the_call() {
    let mut exchange = two_systems("");
    let mut calls: Vec<_> = (0..3).map(|nth| call(&mut exchange, nth, "6000", None)).collect();
    let status: Vec<_> = calls.iter().map(Phone::last_status).collect();
    assert_eq!(status, [Some(200), Some(200), Some(200)]);
    let steps = exchange.steps();
    let on = |number: &str| steps.contains(&format!("6000,1 NoOp( by  on {number} of rules)"));
    // 7000 is not registered.
    assert_eq!(["6000", "7000", "7001", "7002"].map(on), [true, false, true, true], "{steps:?}");
    assert_eq!(call(&mut exchange, 3, "6000", None).last_status(), Some(486), "none is left");
    calls[1].bye(&mut exchange);
    assert_eq!(call(&mut exchange, 4, "6000", None).last_status(), Some(200), "7001 is free again");
    let pools = exchange.switch.view_pools(exchange.now);
    assert_eq!((pools[0].used, pools[0].calls, pools[0].refused), (3, 4, 1));

    let mut exchange = two_systems("when_busy=range\n");
    let status = [0, 1].map(|nth| call(&mut exchange, nth, "6000", None).last_status());
    assert_eq!(status, [Some(200), Some(486)], "its range alone");
}

/// As campaigns do it.
#[test]
fn rob_1_an_originated_call_is_made_by_a_free_robot_of_its_pool() {
    let mut exchange = exchange("");
    let mut pbx = take_registrations(&mut exchange, "6001");
    let to = Originate::destination(b"Robot/rules/0142685300").expect("a destination");
    let target = OriginateTarget::Application { name: "Wait".into(), arguments: "1".into() };
    exchange.originate(Box::new(Originate::new(to, target)));
    let invite = pbx.take_invite(&mut exchange);
    assert_eq!(invite.uri().as_str(), "sip:0142685300@127.0.1.7");
    let from = invite.from_header().expect("it has one");
    assert!(["sip:6000@127.0.1.7", "sip:6002@127.0.1.7"].contains(&from.uri().as_str()));
    assert_eq!(exchange.switch.view_pools(exchange.now)[0].used, 1);
    pbx.answer_call(&mut exchange, &invite, 486);
    assert_eq!(exchange.switch.view_pools(exchange.now)[0].used, 0, "it is given back");
}

const OUTGOING: &str = "[robots]\nexten => _6XXX,1,NoOp(for ${ROBOT(user)})\n\
    same => n,Dial(Robot/rules/0142685300,20)\nsame => n,NoOp(${DIALSTATUS})\n\
    same => n,Dial(Robot/other/1)\nsame => n,NoOp(${DIALSTATUS})\n";

#[test]
fn rob_1_an_application_calls_as_a_free_registered_robot_of_its_pool() {
    let mut exchange = Exchange::new(config(&range("")), OUTGOING, &[]);
    exchange.run_for(Duration::from_millis(250));
    let mut pbx = take_registrations(&mut exchange, "6001");
    let _first = call(&mut exchange, 1, "6000", Some((HeaderName::Diversion, "<sip:4711@pbx>")));
    let invite = pbx.take_invite(&mut exchange);
    assert_eq!(invite.uri().as_str(), "sip:0142685300@127.0.1.7");
    let from = invite.from_header().expect("it has one");
    assert_eq!(from.uri().as_str(), "sip:6002@127.0.1.7", "6000 has its call, 6001 no binding");
    assert!(invite.value(HeaderName::Diversion).is_some_and(|it| it.starts_with(b"<sip:4711@")));
    assert_eq!(exchange.switch.view_pools(exchange.now)[0].used, 2);
    let views = exchange.switch.view_registrations(exchange.now);
    assert_eq!(views[2].robot.as_ref().expect("a robot").last_user, "4711");

    assert_eq!(exchange.switch.view_pools(exchange.now)[0].registered, 2);

    // Its own robot is the last: none is left that could call.
    let _second = call(&mut exchange, 2, "6001", None);
    let steps = exchange.steps();
    assert!(steps.contains(&"6001,3 NoOp(CONGESTION)".into()), "{steps:?}");
    pbx.answer_call(&mut exchange, &invite, 486);
    let steps = exchange.steps();
    assert!(steps.contains(&"6000,3 NoOp(BUSY)".into()), "{steps:?}");
    assert!(steps.contains(&"6000,5 NoOp(CHANUNAVAIL)".into()), "there is no such pool: {steps:?}");
    assert_eq!(exchange.switch.view_pools(exchange.now)[0].used, 0, "all is given back");
}
