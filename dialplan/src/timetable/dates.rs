//! Days of one year: `2026-12-24`, `2026-12-24..2027-01-02`, `2026-05-14 12:00..2026-05-14 18:00`.

use jiff::civil::{Date, DateTime, Time};

/// From one minute of one day to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    first: DateTime,
    last: DateTime,
}

impl Dates {
    /// Reads a day, or two with `..` between them; a day without an hour is the whole of it. `None`
    /// when it is none, or ends before it begins.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let (first, last) = (first.trim(), last.trim());
        let first = moment(first, Time::midnight())?;
        let last = moment(last, Time::constant(23, 59, 0, 0))?;
        (first <= last).then_some(Self { first, last })
    }

    /// Whether a time is within.
    #[must_use]
    pub fn hold(&self, at: DateTime) -> bool {
        at >= self.first
            && at.with().second(0).subsec_nanosecond(0).build().is_ok_and(|it| it <= self.last)
    }

    /// Its first and last minute.
    #[must_use]
    pub const fn bounds(&self) -> (DateTime, DateTime) {
        (self.first, self.last)
    }
}

fn moment(text: &str, time: Time) -> Option<DateTime> {
    match text.split_once([' ', 'T']) {
        Some((day, hour)) => {
            let (hour, minute) = hour.trim().split_once(':')?;
            let time = Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
            Some(day.parse::<Date>().ok()?.to_datetime(time))
        }
        None => Some(text.parse::<Date>().ok()?.to_datetime(time)),
    }
}
