//! Each day's hours at a glance.

use diesis_dialplan::timetable::{Stretch, Timetable};
use diesis_engine::net::control::protocol::Table;
use jiff::ToSpan;
use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// The days of `2026-12`, `2026-W51` or `2026-12-24`.
pub(super) fn days(text: &str) -> Option<Vec<Date>> {
    let text = text.trim();
    if let Ok(day) = text.parse::<Date>()
        && text.len() == "2026-12-24".len()
    {
        return Some(vec![day]);
    }
    let (year, part) = text.split_once('-')?;
    let year: i16 = year.parse().ok().filter(|_| year.len() == 4)?;
    let (first, count) = match part.strip_prefix(['W', 'w']) {
        Some(week) => {
            let week = ISOWeekDate::new(year, week.parse().ok()?, Weekday::Monday).ok()?;
            (week.date(), 7)
        }
        None => {
            let first = Date::new(year, part.parse().ok()?, 1).ok()?;
            (first, first.days_in_month().into())
        }
    };
    (0..count).map(|n: i64| first.checked_add(n.days()).ok()).collect()
}

/// A row a day: when it is open, and what closes it.
pub(super) fn table(timetable: &Timetable, days: &[Date], zone: &TimeZone) -> Table {
    let mut table = Table::new(&["day", "date", "open", "closed_by"]);
    for day in days {
        let parts = timetable.day(*day, zone);
        let open = parts.iter().filter(|part| part.is_open).map(|part| hours(part, *day, zone));
        let mut closed: Vec<String> = Vec::new();
        for part in parts.iter().filter(|part| !part.is_open && part.reason != "hours") {
            let mut told = match &part.event {
                Some(event) => format!("{} ({event})", part.reason),
                None => part.reason.to_string(),
            };
            if parts.len() > 1 {
                told = format!("{told} {}", hours(part, *day, zone));
            }
            closed.push(told);
        }
        let list = |cells: Vec<String>| match cells.is_empty() {
            true => Value::Null,
            false => Value::Array(cells.into_iter().map(Value::from).collect()),
        };
        table.push(vec![
            json!(day.strftime("%a").to_string()),
            json!(day.to_string()),
            list(open.collect()),
            list(closed),
        ]);
    }
    table
}

/// `08:30-12:00`, both ends included as in the file; `24:00` is the day's end.
fn hours(part: &Stretch, day: Date, zone: &TimeZone) -> String {
    let clock = |at| zone.to_datetime(at);
    let (begin, end) = (clock(part.begin), clock(part.end));
    if end.date() != day {
        return format!("{}-24:00", begin.strftime("%H:%M"));
    }
    // The minute that stands in the file is the last one.
    let last = end.checked_sub(1.second()).unwrap_or(end);
    format!("{}-{}", begin.strftime("%H:%M"), last.strftime("%H:%M"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_a_week_and_a_day() {
        let bounds = |text: &str| {
            let days = days(text)?;
            Some((days.len(), days[0].to_string(), days[days.len() - 1].to_string()))
        };
        let is = |count, first: &str, last: &str| Some((count, first.to_owned(), last.to_owned()));
        assert_eq!(bounds("2026-12"), is(31, "2026-12-01", "2026-12-31"));
        assert_eq!(bounds("2028-02"), is(29, "2028-02-01", "2028-02-29"));
        // 2026 has 53 weeks, the last of which ends in 2027.
        assert_eq!(bounds("2026-W53"), is(7, "2026-12-28", "2027-01-03"));
        assert_eq!(bounds("2026-12-24"), is(1, "2026-12-24", "2026-12-24"));
        for wrong in ["", "2026", "2026-13", "2027-W53", "26-12", "2026-12-32", "december"] {
            assert_eq!(bounds(wrong), None, "{wrong}");
        }
    }
}
