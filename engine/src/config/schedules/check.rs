//! What in a schedule never counts.

use diesis_dialplan::diagnostic::Span;
use diesis_dialplan::timetable::{Closure, Dates, Survey, Timetable};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::codes;
use crate::config::notes::Notes;
use crate::config::setting::Block;

/// Where the parts of a schedule are written, in their order.
#[derive(Default)]
pub(super) struct Places {
    pub(super) open: Vec<Span>,
    pub(super) closures: Vec<Span>,
}

/// Says what of a schedule never counts: all of it, open periods, closures.
pub(super) fn check(
    section: &Block<'_>,
    timetable: &Timetable,
    places: &Places,
    now: Option<Timestamp>,
    notes: &mut Notes,
) {
    let name = section.name();
    if timetable.open.is_empty() {
        let message = format!("schedule [{name}] never opens: it has no open period");
        let help = "add open, such as open = 9:00-17:00,mon-fri";
        return notes.warn(codes::SCHEDULE_CLOSED, section.header, message, help);
    }
    let Some(now) = now else { return };
    let mut survey = timetable.survey(now, &TimeZone::UTC, YEAR);
    if !survey.opens {
        let message = format!("schedule [{name}] does not open for a year");
        let help = "its closures cover all of its open periods";
        return notes.warn(codes::SCHEDULE_CLOSED, section.header, message, help);
    }
    if !survey.is_complete() && is_light(timetable) {
        // The 29th of February comes in eight years at the latest.
        survey = timetable.survey(now, &TimeZone::UTC, YEARS);
    }
    let Survey { periods, closures, .. } = survey;
    for (place, _) in places.open.iter().zip(&periods).filter(|(_, counts)| !**counts) {
        let message = format!("schedule [{name}] is never opened by this");
        let help = "the periods before it open then, or closures close";
        notes.warn(codes::SCHEDULE_IDLE, *place, message, help);
    }
    let idle = timetable.closures.iter().zip(&places.closures).zip(&closures);
    // That days are past was said where they stand.
    let is_told = |closure: &Closure| {
        let has_others = !closure.periods.is_empty() || !closure.calendars.is_empty();
        !has_others && closure.dates.iter().all(|dates| is_past(dates, now))
    };
    let idle = idle.filter(|((closure, _), counts)| !**counts && !is_told(closure));
    for ((closure, place), _) in idle {
        let message = format!("schedule [{name}] is never closed by {}", closure.name);
        let help = "its days are past, or it would be closed then anyway";
        notes.warn(codes::SCHEDULE_IDLE, *place, message, help);
    }
}

/// Whether days are over, wherever the schedule's clock stands.
pub(super) fn is_past(dates: &Dates, now: Timestamp) -> bool {
    let yesterday = TimeZone::UTC.to_datetime(now).checked_sub(1.day());
    yesterday.is_ok_and(|yesterday| dates.bounds().1 < yesterday)
}

/// Whether eight years of it are counted out quickly.
fn is_light(timetable: &Timetable) -> bool {
    let calendars = timetable.closures.iter().flat_map(|closure| &closure.calendars);
    calendars.map(|calendar| calendar.len()).sum::<usize>() <= MOST_EVENTS
}

const YEAR: u16 = 366;
const YEARS: u16 = 8 * YEAR;
const MOST_EVENTS: usize = 1000;
