//! Forwarding rules: what an administrator writes, what the store holds, and what is decided.

use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::conf::MemoryFiles;
use diesis_dialplan::rules::decide::{Call, Outcome};
use diesis_dialplan::rules::store::{self, Actor, Change};
use diesis_dialplan::rules::{Conditions, Moment, Owner, Rule};
use diesis_dialplan::world::{Database, Journal};
use diesis_engine::config::Configuration;
use jiff::{Timestamp, tz::TimeZone};

use super::{Shape, Target, files, parts};

pub(super) const TARGETS: &[Target] = &[Target {
    name: "rules",
    about: "rules.conf, rules of the store, decisions, circles and changes",
    run: rules,
    seeds,
    tokens: &[
        b"[general]\n",
        b"\n[a]\ntype=user\nnumber=1001\n",
        b"\n[b]\ntype=user\nnumber=1002\n",
        b"\n[r]\ntype=rule\nuser=a\npriority=1\ntarget=1002\n",
        b"\n[s]\ntype=rule\nuser=b\npriority=1\ntarget=1001\n",
        b"CIRCULARLEVEL=5\n",
        b"dial=PJSIP/{number}@pbx\n",
        b"AuthorizedForward=yes\n",
        b"AuthorizedForwardAllBusyImmediate=no\n",
        b"AuthorizeSimpleRules=yes\n",
        b"type=group\n",
        b"group=g\n",
        b"editable=yes\n",
        b"presence=busy\n",
        b"forward=noanswer\n",
        b"origin=external\n",
        b"caller=_0X.\n",
        b"target=Goto(a,b,1)\n",
        b"\x1erules/a/own/7=active=yes;target=1002\n",
        b"rules/a/over/1=active=no\n",
        b"rules/a/presence=absent\n",
    ],
    longest: 2048,
    memory: 64 << 20,
    slow: Duration::from_millis(500),
}];

/// The file, then entries of the store, a line each.
fn rules(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut parts = parts(input);
    let text = parts.next().unwrap_or_default();
    let entries = parts.next().unwrap_or_default().lines().take(50);
    let entries = entries.filter_map(|line| {
        let (key, value) = line.split_once_str("=")?;
        Some((BString::from(key), BString::from(value)))
    });
    let mut database = Database::new(entries, Journal::Off);
    let loaded = Configuration::load(&MemoryFiles::new().with("rules.conf", text));
    shape.add(loaded.is_refused());
    for finding in loaded.findings() {
        shape.add(finding.diagnostic.code);
        assert!(!finding.to_string().is_empty());
    }
    let plan = &loaded.configuration.plan;
    let book = plan.rules();
    let device_state = |device: &BStr| BString::from(["NOT_INUSE", "INUSE"][device.len() % 2]);
    for user in book.users().take(10) {
        let conditions = Conditions {
            database: &database,
            timetables: plan.timetables(),
            now: Timestamp::UNIX_EPOCH,
            zone: TimeZone::UTC,
            device_state: &device_state,
            assumed: None,
        };
        for (caller, moment) in
            [("", Moment::Immediate), ("1002", Moment::Busy), ("0144000000", Moment::NoAnswer)]
        {
            let decision = book.decide(user, Call { caller: caller.into(), moment }, &conditions);
            assert!(!decision.summary().is_empty());
            match &decision.outcome {
                Outcome::Forward(rule) => shape.add(rule.target.write().len().min(4)),
                Outcome::Circle(_, circle) => {
                    shape.add(circle.len());
                    assert!((1..=book.settings().circular_level).contains(&circle.len()));
                    assert_eq!(circle.hops[0].0, user.name);
                }
                Outcome::Stay => shape.add(0),
            }
            for (rule, verdict) in &decision.looked_at {
                shape.add(verdict.word());
                assert!(!verdict.to_string().is_empty());
                let again = Rule::parse(rule.number, rule.owner, &rule.write());
                let again =
                    again.map(|it| Rule { name: rule.name.clone(), editable: rule.editable, ..it });
                assert_eq!(again.as_ref(), Ok(rule), "a rule is read as it is written");
            }
        }
        let _ = book.first_active(user, &conditions);
        let count = store::rules(user, &database).len();
        let change = Change::Set { field: "target".into(), value: "1001".into() };
        for number in [1, 7] {
            let _ =
                book.change(user, number, Actor::User(user.name.as_bstr()), &change, &mut database);
            let _ = book.change_all(
                user,
                number,
                Actor::Admin,
                std::slice::from_ref(&change),
                &mut database,
            );
        }
        assert_eq!(store::rules(user, &database).len(), count);
        shape.add(count.min(4));
    }
    let _ = Rule::parse(1, Owner::User, input);
    shape
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = files("examples/rules/rules.conf");
    let circle = b"[general]\nCIRCULARLEVEL=2\ndial=Local/{number}@x\n[a]\ntype=user\nnumber=1001\n\
        AuthorizedForward=yes\nAuthorizeSimpleRules=yes\n[b]\ntype=user\nnumber=1002\n\
        [r]\ntype=rule\nuser=a\npriority=1\ntarget=1002\neditable=yes\n[s]\ntype=rule\nuser=b\n\
        priority=1\nforward=busy\ntarget=1001\n\x1erules/a/own/7=active=yes;presence=busy;target=0612\n\
        rules/a/over/1=active=no;target=1003\nrules/b/presence=busy\n";
    seeds.push(circle.to_vec());
    seeds
}
