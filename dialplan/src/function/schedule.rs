//! Opening hours as values.

use super::{Reading, Writing, wrong};
use crate::arguments::split;
use crate::host::FunctionError;
use crate::scope::Scope;
use crate::timetable::{AHEAD, Standing};

const USAGE: &str = "requires a schedule: SCHEDULE(name[,status|reason|event|override|until|next])";

/// `SCHEDULE(name[,item])`.
pub(super) fn schedule(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(name) = parts.first().filter(|name| !name.is_empty()) else { return wrong(USAGE) };
    let Some((name, timetable)) = scope.plan.timetables().get(name) else {
        return Err(unknown(name));
    };
    let (now, zone) = (scope.host.now(), scope.host.time_zone());
    let standing = Standing::of(name, &scope.host.world().database, now);
    let item = parts.get(1).map_or(&b"status"[..], |item| item).to_ascii_lowercase();
    let state = timetable.state(now, &zone, standing.map(|standing| standing.said));
    let instant = match item.as_slice() {
        b"status" | b"" => {
            out.extend_from_slice(if state.is_open() { b"OPEN" } else { b"CLOSED" });
            None
        }
        b"reason" => {
            out.extend_from_slice(state.reason());
            None
        }
        b"event" => {
            out.extend_from_slice(state.event().unwrap_or_default());
            None
        }
        b"override" => {
            out.extend_from_slice(standing.map_or("", |standing| standing.said.name()).as_bytes());
            None
        }
        b"until" => standing.and_then(|standing| standing.until),
        b"next" => timetable.next_change_under(standing, now, &zone, AHEAD),
        _ => return wrong(USAGE),
    };
    if let Some(instant) = instant {
        out.extend_from_slice(instant.as_second().to_string().as_bytes());
    }
    Ok(())
}

/// `Set(SCHEDULE(name)=open|closed[ until TIME]|back)`.
pub(super) fn set_schedule(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let Some((name, timetable)) = scope.plan.timetables().get(arguments) else {
        return Err(unknown(arguments));
    };
    let (now, zone) = (scope.host.now(), scope.host.time_zone());
    let standing = Standing::parse(value, timetable, now, &zone);
    let standing = standing.map_err(|error| FunctionError::Arguments(error.to_string()))?;
    Standing::set(standing, name, &mut scope.host.world_mut().database);
    scope.host.schedule_overridden(name, standing);
    Ok(())
}

fn unknown(name: &[u8]) -> FunctionError {
    let name = String::from_utf8_lossy(name);
    FunctionError::Arguments(format!("there is no schedule '{name}' in schedules.conf"))
}
