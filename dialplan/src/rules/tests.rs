use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::circles::{self, Certainty};
use super::decide::{Call, Outcome, Verdict};
use super::store::{Actor, Change};
use super::*;
use crate::timetable::Timetables;
use crate::world::Database;

fn book(level: usize, users: &[(&str, &[&str])]) -> Rulebook {
    let mut book = Rulebook::new(Settings { circular_level: level, ..Settings::default() });
    for (index, (name, rules)) in users.iter().enumerate() {
        let mut user = User {
            name: (*name).into(),
            numbers: vec![(1001 + index).to_string().into()],
            device: Some(format!("PJSIP/{name}").into()),
            ..User::default()
        };
        for (index, text) in rules.iter().enumerate() {
            let number = index as u32 + 1;
            let rule = Rule::parse(number, Owner::Admin, text.as_bytes()).expect("a rule");
            user.rules.insert(number, rule);
        }
        book.insert(user);
    }
    book
}

/// What is decided, with telephones in a state.
fn decided(
    book: &Rulebook,
    database: &Database,
    call: (&str, &str, Moment),
    device: &str,
) -> decide::Decision {
    let (user, caller, moment) = call;
    let device_state = |_: &BStr| BString::from(device);
    let conditions = Conditions {
        database,
        timetables: &Timetables::default(),
        now: "2026-11-12T10:00:00Z".parse().expect("a time"),
        zone: TimeZone::UTC,
        device_state: &device_state,
        assumed: None,
    };
    let user = book.user(user.as_bytes()).expect("a user");
    book.decide(user, Call { caller: caller.into(), moment }, &conditions)
}

fn target(decision: &decide::Decision) -> String {
    decision.forward().map_or_else(String::new, |rule| rule.target.write().to_string())
}

#[test]
fn rul_1_origin_presence_and_type_choose_the_target() {
    let rules: &[&str] = &[
        "origin=external;forward=immediate;presence=busy;target=2000",
        "origin=internal;forward=busy;target=2001",
        "forward=noanswer;caller=_06X.,2222;target=2002",
        "forward=noanswer;presence=offline;target=Goto(vm,s,1)",
        "forward=noanswer;presence=online;target=2004",
        "forward=noanswer;active=no;target=2005",
    ];
    let book = book(5, &[("boss", rules)]);
    let database = Database::default();
    for (caller, moment, device, wanted) in [
        ("0144000000", Moment::Immediate, "INUSE", "2000"),
        ("0144000000", Moment::Immediate, "NOT_INUSE", ""),
        ("1234", Moment::Immediate, "INUSE", ""),
        ("1234", Moment::Busy, "INUSE", "2001"),
        ("", Moment::Busy, "INUSE", ""),
        ("06 12 34 56 78", Moment::NoAnswer, "NOT_INUSE", "2002"),
        ("2222", Moment::NoAnswer, "UNAVAILABLE", "2002"),
        ("0144000000", Moment::NoAnswer, "UNAVAILABLE", "Goto(vm,s,1)"),
        ("0144000000", Moment::NoAnswer, "NOT_INUSE", "2004"),
        ("0144000000", Moment::NoAnswer, "INUSE", ""),
    ] {
        let decision = decided(&book, &database, ("boss", caller, moment), device);
        assert_eq!(target(&decision), wanted, "{caller} {moment:?} {device}: {decision:#?}");
        assert_eq!(decision.looked_at.len(), rules.len(), "each rule has a verdict");
    }
}

#[test]
fn each_rule_has_a_verdict() {
    let rules: &[&str] = &[
        "active=no;target=2000",
        "forward=busy;target=2000",
        "origin=internal;target=2000",
        "caller=_07X.;target=2000",
        "presence=busy;target=2000",
        "schedule=none;target=2000",
        "target=2000",
        "target=2001",
    ];
    let book = book(5, &[("boss", rules)]);
    let decision =
        decided(&book, &Database::default(), ("1001", "0144", Moment::Immediate), "NOT_INUSE");
    // 0144 has four digits.
    assert_eq!(decision.side, Side::Internal);
    let decision = decided(
        &book,
        &Database::default(),
        ("BOSS", "0144000000", Moment::Immediate),
        "NOT_INUSE",
    );
    let words: Vec<&str> = decision.looked_at.iter().map(|(_, it)| it.word()).collect();
    assert_eq!(
        words,
        ["inactive", "forward", "origin", "caller", "presence", "schedule", "holds", "later"]
    );
    assert_eq!(decision.summary(), "boss: forward to 2000 by rule 7, all, any presence, immediate");
}

#[test]
fn rul_3_level_one_is_a_user_who_forwards_to_himself() {
    let users: &[(&str, &[&str])] = &[("a", &["target=1001"])];
    let stays = |level| {
        let decision =
            decided(&book(level, users), &Database::default(), ("a", "01", Moment::Immediate), "X");
        matches!(decision.outcome, Outcome::Circle(..))
    };
    assert_eq!([stays(0), stays(1), stays(2)], [false, true, true]);
}

#[test]
fn rul_3_a_cycle_of_five_is_named_and_nobody_on_it_is_forwarded() {
    let users: &[(&str, &[&str])] = &[
        ("a", &["target=1002"]),
        ("b", &["forward=busy;target=1003"]),
        ("c", &["forward=noanswer;target=1004"]),
        ("d", &["target=1005"]),
        ("e", &["presence=online;target=1001"]),
        ("f", &["target=1001"]),
    ];
    let at = |level: usize, user, device| {
        let book = book(level, users);
        decided(&book, &Database::default(), (user, "0144000000", Moment::Immediate), device)
    };
    let decision = at(5, "a", "NOT_INUSE");
    assert_eq!(
        decision.summary(),
        "a: no forward: rule 1, all, any presence, immediate leads in a circle: \
         a -[rule 1]-> b -[rule 1]-> c -[rule 1]-> d -[rule 1]-> e -[rule 1]-> a"
    );
    assert!(matches!(decision.looked_at[0].1, Verdict::Circle(_)));
    // At a level below its length, nobody looks; when a condition on it fails, it is none.
    assert_eq!(target(&at(4, "a", "NOT_INUSE")), "1002");
    assert_eq!(target(&at(5, "a", "INUSE")), "1002");
    // Who leads into it only is sent on, and stays there.
    assert_eq!(target(&at(5, "f", "NOT_INUSE")), "1001");
}

#[test]
fn rul_2_a_switch_is_a_right_per_user_group_and_domain() {
    let grant = |pairs: &[(&str, bool)]| {
        let mut grant = Grant::default();
        for (name, yes) in pairs {
            assert_eq!(
                grant.set_forward(name.as_bytes(), *yes),
                Some(rights::Switch::Set),
                "{name}"
            );
        }
        grant
    };
    let domain = grant(&[("AuthorizedForward", true)]);
    let group = grant(&[("AuthorizedForwardExternal", false)]);
    let user = grant(&[("AuthorizedForwardExternalAbsentNoAnswer", true)]);
    let rights = Rights::of([&domain, &group, &user]);
    let missing =
        |text: &str| rights.missing(&Rule::parse(1, Owner::User, text.as_bytes()).expect("a rule"));
    assert_eq!(missing("origin=internal;target=1"), None);
    assert_eq!(missing("origin=external;presence=absent;forward=noanswer;target=1"), None);
    assert_eq!(
        missing("origin=all;presence=busy;forward=busy;target=1").as_deref(),
        Some("AuthorizedForwardExternalBusyBusy")
    );
    let mut grant = Grant::default();
    for name in ["AuthorizedForwardBusy", "authorizedforwardallbusy"] {
        assert_eq!(grant.set_forward(name.as_bytes(), true), Some(rights::Switch::Ambiguous));
    }
    assert_eq!(grant.set_forward(b"AuthorizedForwardSometimes", true), None);
}

#[test]
fn rul_6_own_rules_stand_beside_an_administrators_by_right_alone() {
    let mut book =
        book(2, &[("boss", &["editable=yes;active=no;target=2000", "forward=busy;target=2001"])]);
    let mut database = Database::default();
    let own = Rule::parse(5, Owner::User, b"target=2002").expect("a rule");
    let boss = |book: &Rulebook| book.user(b"boss").expect("there").clone();
    let mut change = |book: &Rulebook, number, change: &Change| {
        let actor = Actor::User("boss".into());
        let changed = book.change(&boss(book), number, actor, change, &mut database);
        changed.map_err(|error| error.to_string())
    };
    let add = Change::Add(own);
    let refused = change(&book, 5, &add).expect_err("no right");
    assert!(refused.contains("AuthorizeSimpleRules"), "{refused}");
    let with = |book: &mut Rulebook, edit: &dyn Fn(&mut Rights)| {
        let mut user = boss(book);
        edit(&mut user.rights);
        book.insert(user);
    };
    with(&mut book, &|rights| rights.simple_rules = true);
    let refused = change(&book, 5, &add).expect_err("no right");
    assert!(refused.contains("IsUserAuthorizedToCreateWithAdminRules"), "{refused}");
    with(&mut book, &|rights| rights.beside_admin = true);
    let refused = change(&book, 5, &add).expect_err("no right");
    assert!(refused.contains("AuthorizedForwardExternalAbsentImmediate"), "{refused}");
    with(&mut book, &|rights| {
        let mut grant = Grant::default();
        (grant.simple_rules, grant.beside_admin) = (Some(true), Some(true));
        assert_eq!(grant.set_forward(b"AuthorizedForward", true), Some(rights::Switch::Set));
        *rights = Rights::of([&grant]);
    });
    assert!(change(&book, 5, &add).is_ok());
    let set = |field: &str, value: &str| Change::Set { field: field.into(), value: value.into() };
    assert!(change(&book, 1, &set("active", "yes")).is_ok());
    assert!(change(&book, 1, &set("target", "3000")).is_ok());
    let refused = change(&book, 1, &set("origin", "internal")).expect_err("written elsewhere");
    assert!(refused.contains("only active and target"), "{refused}");
    let refused = change(&book, 2, &set("active", "no")).expect_err("not editable");
    assert!(refused.contains("not editable"), "{refused}");
    let refused = change(&book, 5, &set("target", "1001")).expect_err("a circle");
    assert_eq!(refused, "calls would go in a circle: boss -[rule 5]-> boss");
    let refused = change(&book, 5, &add).expect_err("twice");
    assert!(refused.contains("already"), "{refused}");
    let refused = change(&book, 9, &Change::Remove).expect_err("not there");
    assert!(refused.contains("no rule 9"), "{refused}");
    let decision = decided(&book, &database, ("boss", "0144000000", Moment::Immediate), "X");
    assert_eq!(target(&decision), "3000");
    let mut change = |number, change: &Change| {
        book.change(&boss(&book), number, Actor::Admin, change, &mut database).expect("changed")
    };
    change(1, &Change::Remove);
    let decision = decided(&book, &database, ("boss", "0144000000", Moment::Immediate), "X");
    assert_eq!(target(&decision), "2002");
}

#[test]
fn rul_1_a_number_that_the_plan_can_not_read_is_refused_to_whoever_sets_it() {
    let book = book(3, &[("a", &["target=1002"]), ("b", &[])]);
    assert!(book.dialled(b"desk1").is_ok(), "without a plan any text is dialled as it stands");
    let book = book.with_numbering(NumberingPlan::default());
    let mut database = Database::default();
    let mut set = |target: &str| {
        let rule = Rule::parse(7, Owner::User, format!("target={target}").as_bytes());
        let change = Change::Add(rule.expect("a rule"));
        let user = User { rights: all_rights(), ..book.user(b"a").expect("there").clone() };
        let changed = book.change(&user, 7, Actor::Admin, &change, &mut database);
        changed.map(drop).map_err(|error| error.to_string())
    };
    assert!(set("desk1").expect_err("no number").starts_with("desk1 is no number: "));
    assert!(set("+1234567890123456").expect_err("too long").contains("more than 15 digits"));
    assert_eq!(set("+33 (0)1 55 17 18 89"), Ok(()));
    assert_eq!(book.dialled(b"+33(0)155171889"), Ok("00155171889".into()));
}

/// May do everything.
fn all_rights() -> Rights {
    let mut grant = Grant::default();
    (grant.simple_rules, grant.beside_admin) = (Some(true), Some(true));
    assert_eq!(grant.set_forward(b"AuthorizedForward", true), Some(rights::Switch::Set));
    Rights::of([&grant])
}

#[test]
fn a_rule_is_written_as_it_is_read() {
    let text = "active=no;editable=yes;origin=internal;presence=calendar;forward=noanswer;\
                schedule=office;caller=_06X.,1234;announcement=away&beep;target=Goto(vm,s,1)";
    let rule = Rule::parse(3, Owner::User, text.as_bytes()).expect("a rule");
    assert_eq!(rule.write(), text);
    for wrong in [
        "target=",
        "target=+",
        "active=maybe;target=1",
        "x=1;target=1",
        "active",
        "active=yes",
        "announcement=a\u{1}b;target=1",
    ] {
        assert!(Rule::parse(3, Owner::User, wrong.as_bytes()).is_err(), "{wrong}");
    }
}

/// Users with rules to one another.
fn graph() -> impl Strategy<Value = Vec<Vec<(u8, u8, u8, u8)>>> {
    // Target, origin, moment, presence.
    let rule = (0..7u8, 0..3u8, 0..3u8, 0..3u8);
    proptest::collection::vec(proptest::collection::vec(rule, 0..3), 5..6)
}

fn drawn(level: usize, users: &[Vec<(u8, u8, u8, u8)>]) -> Rulebook {
    let names = ["a", "b", "c", "d", "e"];
    let written: Vec<Vec<String>> = users
        .iter()
        .map(|rules| {
            let text = |&(target, origin, moment, presence): &(u8, u8, u8, u8)| {
                format!(
                    "target=100{};origin={};forward={};presence={}",
                    target + 1,
                    ["all", "external", "internal"][usize::from(origin)],
                    ["immediate", "busy", "noanswer"][usize::from(moment)],
                    ["any", "online", "busy"][usize::from(presence)],
                )
            };
            rules.iter().map(text).collect()
        })
        .collect();
    let texts: Vec<Vec<&str>> =
        written.iter().map(|rules| rules.iter().map(String::as_str).collect()).collect();
    let users: Vec<(&str, &[&str])> =
        names.into_iter().zip(texts.iter().map(Vec::as_slice)).collect();
    book(level, &users)
}

/// All ways of a call by brute force: where a telephone forwards it, whatever it does.
fn ways(users: &[Vec<(u8, u8, u8, u8)>], user: usize, side: usize, is_busy: bool) -> Vec<usize> {
    let holds = |moment: u8, &&(_, origin, its, presence): &&(u8, u8, u8, u8)| {
        its == moment
            && (origin == 0 || usize::from(origin) == side + 1)
            && (presence == 0 || (presence == 2) == is_busy)
    };
    let Some(rules) = users.get(user) else { return vec![] };
    let of = |moment| rules.iter().find(|rule| holds(moment, rule)).map(|it| usize::from(it.0));
    match of(0) {
        Some(target) => vec![target],
        None => [of(1), of(2)].into_iter().flatten().collect(),
    }
}

/// Whether some walk of exactly so many forwards leads from a place to a user.
fn leads(
    users: &[Vec<(u8, u8, u8, u8)>],
    at: usize,
    to: usize,
    steps: usize,
    conditions: (usize, bool),
) -> bool {
    match steps {
        0 => at == to,
        _ => ways(users, at, conditions.0, conditions.1)
            .into_iter()
            .any(|next| leads(users, next, to, steps - 1, conditions)),
    }
}

proptest! {
    #[test]
    fn rul_3_every_level_agrees_with_brute_force(users in graph(), level in 0..6usize) {
        let book = drawn(level, &users);
        let database = Database::default();
        for user in 0..users.len() {
            for (side, caller) in [(0, "0144000000"), (1, "4444")] {
                for (is_busy, device) in [(false, "NOT_INUSE"), (true, "INUSE")] {
                    for moment in Moment::ALL {
                        let name = ["a", "b", "c", "d", "e"][user];
                        let decision = decided(&book, &database, (name, caller, moment), device);
                        let rule = decision.looked_at.iter().find_map(|(rule, verdict)| {
                            matches!(verdict, Verdict::Holds | Verdict::Circle(_)).then_some(rule)
                        });
                        let Some(rule) = rule else {
                            prop_assert_eq!(&decision.outcome, &Outcome::Stay);
                            continue;
                        };
                        let first = usize::from(users[user][rule.number as usize - 1].0);
                        let goes_round = (1..=level)
                            .any(|length| leads(&users, first, user, length - 1, (side, is_busy)));
                        let is_refused = matches!(decision.outcome, Outcome::Circle(..));
                        prop_assert_eq!(is_refused, goes_round, "{} {:?}", name, decision);
                    }
                }
            }
        }
    }

    #[test]
    fn rul_3_a_load_names_a_circle_for_each_user_that_is_on_one(users in graph()) {
        let book = drawn(5, &users);
        let found = circles::all(&book, &Database::default());
        let every = |user: usize, side: usize| -> Vec<usize> {
            let Some(rules) = users.get(user) else { return vec![] };
            let holds = |origin: u8| origin == 0 || usize::from(origin) == side + 1;
            rules.iter().filter(|rule| holds(rule.1)).map(|rule| usize::from(rule.0)).collect()
        };
        fn back(every: &dyn Fn(usize, usize) -> Vec<usize>, at: usize, to: usize, left: usize, side: usize) -> bool {
            left > 0
                && every(at, side).into_iter().any(|next| next == to || back(every, next, to, left - 1, side))
        }
        for user in 0..users.len() {
            let is_on_one = (0..2).any(|side| back(&every, user, user, 5, side));
            let name = ["a", "b", "c", "d", "e"][user];
            let is_named = found.iter().any(|it| it.hops.iter().any(|(on, _)| on == name));
            prop_assert_eq!(is_named, is_on_one, "{} {:?}", name, found);
        }
        for circle in &found {
            // Each hop is a rule that leads to the next one.
            for (index, (name, rule)) in circle.hops.iter().enumerate() {
                let from = usize::from(name[0] - b'a');
                let (next, _) = &circle.hops[(index + 1) % circle.len()];
                prop_assert_eq!(users[from][*rule as usize - 1].0, next[0] - b'a');
            }
            if circle.certainty == Certainty::Always {
                let (name, _) = &circle.hops[0];
                let called = |caller, device| {
                    let call = (std::str::from_utf8(name).expect("text"), caller, Moment::Immediate);
                    matches!(decided(&book, &Database::default(), call, device).outcome, Outcome::Circle(..))
                };
                let all = |caller| called(caller, "INUSE") && called(caller, "NOT_INUSE");
                prop_assert!(all("0144000000") || all("4444"), "{:?}", circle);
            }
        }
    }
}
