//! Forwarding rules as values.

use bstr::{BStr, ByteSlice};

use super::places::state_of;
use super::{Reading, Writing, wrong};
use crate::arguments::{scan_integer, split, strip};
use crate::host::FunctionError;
use crate::rules::decide::Call;
use crate::rules::store::{self, Actor, Change};
use crate::rules::{Conditions, Moment, Presence, Rule, User};
use crate::scope::Scope;

const USAGE: &str = "usage: RULES(user,presence|said|list|first), RULES(user,forward[,caller[,immediate|busy|noanswer]]), \
                     RULES(user,shared|supervision|interception,other) or RULES(user,N,field)";

/// `RULES(user,item[,more])`.
pub(super) fn rules(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 4);
    let part = |index: usize| parts.get(index).map(|it| strip(it)).unwrap_or_default();
    let user = user(scope, part(0))?;
    let book = scope.plan.rules();
    let yes_no = |out: &mut Vec<u8>, yes| out.extend_from_slice(if yes { b"yes" } else { b"no" });
    match part(1).to_ascii_lowercase().as_slice() {
        b"presence" => {
            let presences = with_conditions(scope, |it| it.presence(user));
            out.extend_from_slice(presences.words().as_bytes());
        }
        b"said" => {
            let said = store::said(&scope.host.world().database, user.name.as_bstr());
            out.extend_from_slice(said.map_or("", Presence::as_str).as_bytes());
        }
        b"list" => {
            let rules = store::rules(user, &scope.host.world().database);
            let numbers: Vec<String> = rules.iter().map(|it| it.number.to_string()).collect();
            out.extend_from_slice(numbers.join(",").as_bytes());
        }
        b"first" => {
            let first = with_conditions(scope, |it| book.first_active(user, it));
            out.extend(first.map(|rule| rule.number.to_string()).unwrap_or_default().bytes());
        }
        b"forward" => {
            let moment = match part(3) {
                b"" => Moment::Immediate,
                word => match Moment::parse(word) {
                    Some(moment) => moment,
                    None => return wrong(USAGE),
                },
            };
            let call = Call { caller: BStr::new(part(2)), moment };
            let decision = with_conditions(scope, |it| book.decide(user, call, it));
            out.extend(
                decision.forward().map(|rule| rule.target.write()).unwrap_or_default().iter(),
            );
        }
        item @ (b"shared" | b"supervision" | b"interception") => {
            let Some(other) = book.user(part(2)) else { return wrong(USAGE) };
            let holds = match item {
                b"shared" => true,
                b"supervision" => user.rights.supervision.is_some(),
                _ => user.rights.interception,
            };
            yes_no(out, holds && book.is_shared(user, other));
        }
        _ => {
            let rule = rule(scope, user, part(1))?;
            let Some(value) = rule.field(part(2)) else { return wrong(USAGE) };
            out.extend_from_slice(&value);
        }
    }
    Ok(())
}

/// `Set(RULES(user,presence)=busy|auto)` and `Set(RULES(user,N,active|target|..)=value)`, with the
/// user's rights.
pub(super) fn set_rules(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 3);
    let part = |index: usize| parts.get(index).map(|it| strip(it)).unwrap_or_default();
    let user = user(scope, part(0))?;
    let book = scope.plan.rules();
    if part(1).eq_ignore_ascii_case(b"presence") {
        let presence = Presence::parse(value);
        if presence.is_none() && !matches!(value.to_ascii_lowercase().as_slice(), b"" | b"auto") {
            return wrong("a presence is absent, busy, calendar, offline, online or auto");
        }
        store::say(&mut scope.host.world_mut().database, user.name.as_bstr(), presence);
        return Ok(());
    }
    let number = rule(scope, user, part(1))?.number;
    let change = Change::Set { field: part(2).into(), value: value.into() };
    let actor = Actor::User(user.name.as_bstr());
    let database = &mut scope.host.world_mut().database;
    match book.change(user, number, actor, &change, database) {
        Ok(_) => Ok(()),
        Err(error) => Err(FunctionError::Arguments(error.to_string())),
    }
}

fn user<'a>(scope: &Scope<'a>, name: &[u8]) -> Result<&'a User, FunctionError> {
    scope.plan.rules().user(name).ok_or_else(|| {
        let name = BStr::new(name);
        FunctionError::Arguments(format!("rules.conf has no user '{name}'"))
    })
}

fn rule(scope: &Scope<'_>, user: &User, number: &[u8]) -> Result<Rule, FunctionError> {
    let wanted = scan_integer(number).filter(|(_, end)| *end == number.len());
    let wanted = wanted.and_then(|(number, _)| u32::try_from(number).ok());
    let rules = store::rules(user, &scope.host.world().database);
    rules.into_iter().find(|rule| Some(rule.number) == wanted).ok_or_else(|| {
        FunctionError::Arguments(format!(
            "{} has no rule '{}'; {USAGE}",
            user.name,
            BStr::new(number)
        ))
    })
}

/// What a decision depends on, as this call's surroundings have it.
pub(crate) fn with_conditions<T>(scope: &Scope<'_>, ask: impl FnOnce(&Conditions<'_>) -> T) -> T {
    let device_state = |device: &BStr| state_of(scope, device);
    ask(&Conditions {
        database: &scope.host.world().database,
        timetables: scope.plan.timetables(),
        now: scope.host.now(),
        zone: scope.host.time_zone(),
        device_state: &device_state,
        assumed: None,
    })
}
