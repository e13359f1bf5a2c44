//! RulesMenu(): people switch and redirect their rules by keys, and hear what came of it.
//!
//! A code is a rule's number, `*`, and what it is to do: `1` on, `0` off, or a number to forward to.

use std::collections::VecDeque;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};

use super::media::{answer_first, is_up, play_whole};
use crate::arguments::{split, strip};
use crate::executor::{Continuation, Flow, Run, digit_of};
use crate::host::Level;
use crate::operation::{DigitSet, Operation, Outcome, Say};
use crate::rules::store::{Actor, Change};

/// A RulesMenu() in progress.
#[derive(Debug)]
pub(crate) struct Menu {
    user: BString,
    /// Keys so far; `None` behind the change.
    code: Option<BString>,
    /// What is still to be heard.
    pending: VecDeque<Operation>,
}

/// `RulesMenu([user[,code]])`: without a user the caller's own rules, without a code it is asked for
/// with a beep and ends with `#`. RULESMENU_STATUS is DONE, REFUSED, INVALID or UNKNOWN.
pub(super) fn rules_menu(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if !is_up(run) {
        return answer_first("RulesMenu", text);
    }
    let parts = split(text, 2);
    let part = |index: usize| parts.get(index).map(|it| strip(it).to_vec()).unwrap_or_default();
    let (named, code) = (part(0), part(1));
    let caller = run.scope.state.channel.caller.number.clone().unwrap_or_default();
    let book = run.scope.plan.rules();
    let user = if named.is_empty() { book.user_of(&caller) } else { book.user(&named) };
    let Some(user) = user else {
        let sought = if named.is_empty() { caller.as_bstr() } else { BStr::new(&named) };
        run.scope.warn(format_args!("rules.conf has no user '{sought}'"));
        return conclude(run, BString::default(), "UNKNOWN", [play("beeperr")].into());
    };
    let user = user.name.clone();
    if code.is_empty() {
        let menu = Menu { user, code: Some(code.into()), pending: [play("beep")].into() };
        return go_on(Box::new(menu));
    }
    apply(run, user, &code)
}

/// Goes on when what it asked for is done.
pub(super) fn menu_on(run: &mut Run<'_>, mut menu: Box<Menu>, outcome: &Outcome) -> Flow {
    if matches!(outcome, Outcome::HungUp { .. }) {
        return Flow::HangUp;
    }
    if let Some(code) = &mut menu.code {
        match digit_of(outcome).map(|digit| digit.as_byte()) {
            Some(b'#') => return apply(run, menu.user.clone(), &code.clone()),
            Some(digit) if code.len() < LONGEST_CODE => code.push(digit),
            Some(_) => {}
            None if *outcome == Outcome::TimedOut => {
                return apply(run, menu.user.clone(), &code.clone());
            }
            // The beep is over.
            None => {}
        }
    }
    go_on(menu)
}

fn go_on(mut menu: Box<Menu>) -> Flow {
    match (menu.pending.pop_front(), &menu.code) {
        (Some(operation), _) => Flow::Ask(operation, Continuation::RulesMenu(menu)),
        (None, Some(_)) => {
            let operation = Operation::WaitDigit { timeout: Some(PATIENCE) };
            Flow::Ask(operation, Continuation::RulesMenu(menu))
        }
        (None, None) => Flow::Continue,
    }
}

/// Does what a code says, and tells what came of it.
fn apply(run: &mut Run<'_>, user: BString, code: &[u8]) -> Flow {
    let Some((number, changes)) = parse(code) else {
        return conclude(run, user, "INVALID", [play("invalid"), play("beeperr")].into());
    };
    let plan = run.scope.plan;
    let book = plan.rules();
    let Some(owner) = book.user(&user) else { return Flow::Continue };
    let actor = Actor::User(owner.name.as_bstr());
    let database = &mut run.scope.host.world_mut().database;
    match book.change_all(owner, number, actor, &changes, database) {
        Ok(rule) => {
            let said = rule.map(|rule| rule.write()).unwrap_or_default();
            let line = format_args!("RulesMenu: {user} changed rule {number}: {said}");
            run.scope.log(Level::Verbose(2), line);
            let mut heard = VecDeque::from([say(number.to_string().into())]);
            heard.extend(changes.iter().filter_map(|change| match change {
                Change::Set { field, value } if *field == "active" => {
                    Some(play(if *value == "yes" { "activated" } else { "de-activated" }))
                }
                Change::Set { value, .. } => Some(say(value.clone())),
                _ => None,
            }));
            heard.push_back(play("beep"));
            conclude(run, user, "DONE", heard)
        }
        Err(error) => {
            run.scope.warn(format_args!("RulesMenu: {user}, rule {number}: {error}"));
            conclude(run, user, "REFUSED", [play("beeperr")].into())
        }
    }
}

/// `N*1`, `N*0` or `N*NUMBER`.
fn parse(code: &[u8]) -> Option<(u32, Vec<Change>)> {
    let (number, what) = code.strip_suffix(b"#").unwrap_or(code).split_once_str("*")?;
    let number = number.to_str().ok()?.parse().ok()?;
    let set = |field: &str, value: &[u8]| Change::Set { field: field.into(), value: value.into() };
    let changes = match what {
        b"1" => vec![set("active", b"yes")],
        b"0" => vec![set("active", b"no")],
        [_, _, ..] if what.iter().all(u8::is_ascii_digit) => {
            vec![set("target", what), set("active", b"yes")]
        }
        _ => return None,
    };
    Some((number, changes))
}

fn conclude(run: &mut Run<'_>, user: BString, status: &str, pending: VecDeque<Operation>) -> Flow {
    run.scope.assign(b"RULESMENU_STATUS", status.as_bytes());
    go_on(Box::new(Menu { user, code: None, pending }))
}

fn play(name: &str) -> Operation {
    play_whole(name.as_bytes())
}

fn say(digits: BString) -> Operation {
    Operation::Say { what: Say::Digits(digits), interrupt: DigitSet::NONE }
}

/// Between two keys.
const PATIENCE: Duration = Duration::from_secs(10);
/// Keys of a code.
const LONGEST_CODE: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;
    use crate::conf::{self, MemoryFiles, Options};
    use crate::executor::{Advance, Executor};
    use crate::host::{ChannelState, MemoryHost};
    use crate::operation::Digit;
    use crate::plan::{LoadOptions, Plan};
    use crate::rules::{Grant, Owner, Rights, Rule, Rulebook, Settings, User, store};

    fn plan(dialplan: &str) -> Plan {
        let files = MemoryFiles::new().with("extensions.conf", dialplan);
        let conf = conf::load("extensions.conf", &files, &Options::default());
        let (mut plan, _) = Plan::load(&conf, &LoadOptions::default());
        let mut grant = Grant::default();
        (grant.simple_rules, grant.beside_admin) = (Some(true), Some(true));
        assert!(grant.set_forward(b"AuthorizedForward", true).is_some());
        let rule = |text: &str| Rule::parse(7, Owner::Admin, text.as_bytes()).expect("a rule");
        let mut boss =
            User { name: "boss".into(), numbers: vec!["1001".into()], ..User::default() };
        boss.rights = Rights::of([&grant]);
        boss.rules.insert(7, rule("active=no;editable=yes;target=2000"));
        boss.rules.insert(8, Rule { number: 8, ..rule("target=2000") });
        let mut book = Rulebook::new(Settings::default());
        book.insert(boss);
        plan.set_rules(book);
        plan
    }

    /// What is heard, what came of it, and rule 7 then.
    fn keyed(dialplan: &str, caller: &str, keys: &str) -> (Vec<String>, String, BString) {
        let plan = plan(dialplan);
        let mut host = MemoryHost::new("2026-11-12T10:00:00Z".parse().expect("a time"));
        host.state = ChannelState::Up;
        let mut channel = Channel::new("PJSIP/1");
        channel.caller.number = Some(caller.into());
        let mut executor = Executor::new(channel, "in", "s", 1);
        let (mut heard, mut keys) = (vec![], keys.bytes());
        for _ in 0..100 {
            let outcome = match executor.advance(&plan, &mut host) {
                Advance::Operation(Operation::Play { files, .. }) => {
                    heard.push(bstr::join(" ", files).to_str_lossy().into_owned());
                    Outcome::Done
                }
                Advance::Operation(Operation::Say { what: Say::Digits(digits), .. }) => {
                    heard.push(digits.to_string());
                    Outcome::Done
                }
                Advance::Operation(Operation::WaitDigit { .. }) => {
                    keys.next().and_then(Digit::new).map_or(Outcome::TimedOut, Outcome::Digit)
                }
                Advance::Operation(other) => panic!("{other:?}"),
                Advance::Finished { .. } => break,
                _ => continue,
            };
            executor.handle_outcome(outcome);
        }
        let status = executor.evaluate(&plan, &mut host, b"${RULESMENU_STATUS}");
        let boss = plan.rules().user(b"boss").expect("there");
        let rule = store::rules(boss, &host.world.database).swap_remove(0);
        let now = rule.field(b"active").into_iter().chain([rule.target.write()]);
        (heard, status.to_string(), bstr::join(" ", now).into())
    }

    const ASKED: &str = "[in]\nexten => s,1,RulesMenu()\n";

    #[test]
    fn rul_6_a_rule_is_switched_and_redirected_by_keys_and_the_change_is_said() {
        let (heard, status, now) = keyed(ASKED, "1001", "7*1#");
        assert_eq!(heard, ["beep", "7", "activated", "beep"]);
        assert_eq!((status.as_str(), now.to_str_lossy().as_ref()), ("DONE", "yes 2000"));
        let (heard, _, now) = keyed("[in]\nexten => s,1,RulesMenu(boss,7*0612)\n", "5", "");
        assert_eq!(heard, ["7", "0612", "activated", "beep"]);
        assert_eq!(now, "yes 0612");
        // Without `#` the time ends it.
        let (heard, _, now) = keyed(ASKED, "1001", "7*0");
        assert_eq!((heard[2].as_str(), now.to_str_lossy().as_ref()), ("de-activated", "no 2000"));
    }

    #[test]
    fn what_is_not_permitted_or_no_code_is_told_and_changes_nothing() {
        for (caller, keys, wanted) in [
            ("1001", "8*1#", "REFUSED"),
            ("1001", "7*1001#", "REFUSED"),
            ("1001", "9*1#", "REFUSED"),
            ("1001", "7#", "INVALID"),
            ("1001", "", "INVALID"),
            ("1001", "7*5#", "INVALID"),
            ("4711", "", "UNKNOWN"),
        ] {
            let (heard, status, now) = keyed(ASKED, caller, keys);
            assert_eq!(
                (status.as_str(), now.to_str_lossy().as_ref()),
                (wanted, "no 2000"),
                "{keys}"
            );
            assert_eq!(heard.last().map(String::as_str), Some("beeperr"), "{keys}");
        }
    }
}
