//! Opening hours as values.

use super::{Reading, Writing, wrong};
use crate::arguments::split;
use crate::host::FunctionError;
use crate::scope::Scope;
use crate::timetable::{Override, Word};

const USAGE: &str = "requires a schedule: SCHEDULE(name[,status|reason|event|override|next])";

/// Days in which the next change is looked for.
const AHEAD: u16 = 14;

/// `SCHEDULE(name[,item])`.
pub(super) fn schedule(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(name) = parts.first().filter(|name| !name.is_empty()) else { return wrong(USAGE) };
    let Some((name, timetable)) = scope.plan.timetables().get(name) else {
        return Err(unknown(name));
    };
    let said = Override::of(name, &scope.host.world().database);
    let (now, zone) = (scope.host.now(), scope.host.time_zone());
    let item = parts.get(1).map_or(&b"status"[..], |item| item).to_ascii_lowercase();
    let state = timetable.state(now, &zone, said);
    match item.as_slice() {
        b"status" | b"" => {
            out.extend_from_slice(if state.is_open() { b"OPEN" } else { b"CLOSED" });
        }
        b"reason" => out.extend_from_slice(state.reason()),
        b"event" => out.extend_from_slice(state.event().unwrap_or_default()),
        b"override" => out.extend_from_slice(match said {
            Some(Override::Open) => b"open",
            Some(Override::Closed) => b"closed",
            None => b"",
        }),
        b"next" => {
            if let Some(next) = timetable.next_change(now, &zone, AHEAD) {
                out.extend_from_slice(next.as_second().to_string().as_bytes());
            }
        }
        _ => return wrong(USAGE),
    }
    Ok(())
}

/// `Set(SCHEDULE(name)=open|closed|back)`.
pub(super) fn set_schedule(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let Some((name, _)) = scope.plan.timetables().get(arguments) else {
        return Err(unknown(arguments));
    };
    let Some(word) = Override::from_word(value) else {
        return wrong("takes open, closed or back: Set(SCHEDULE(name)=closed)");
    };
    let said = match word {
        Word::Override(said) => Some(said),
        Word::Back => None,
    };
    Override::set(said, name, &mut scope.host.world_mut().database);
    Ok(())
}

fn unknown(name: &[u8]) -> FunctionError {
    let name = String::from_utf8_lossy(name);
    FunctionError::Arguments(format!("there is no schedule '{name}' in schedules.conf"))
}
