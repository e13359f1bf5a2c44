//! Rules by which events come back (RFC 5545 §3.3.10), by the day or longer.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use super::calendar::{date, date_time};

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recurrence {
    frequency: Frequency,
    interval: i32,
    count: Option<u32>,
    until: Option<Until>,
    months: Vec<i8>,
    month_days: Vec<i8>,
    year_days: Vec<i16>,
    /// Days of the week, and which of the month or year; 0 is each.
    week_days: Vec<(i8, Weekday)>,
    positions: Vec<i32>,
    week_start: Weekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Frequency {
    /// Periods in a row without an occurrence, after which there will be none: the 29th of February
    /// comes in eight years at the latest, and on a given weekday in forty.
    const fn most_empty(self) -> u32 {
        match self {
            Self::Daily => 40 * 366,
            Self::Weekly => 40 * 53,
            Self::Monthly => 40 * 12,
            Self::Yearly => 100,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Until {
    /// By the event's own clock.
    Local(DateTime),
    Utc(DateTime),
}

/// Why a rule is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecurrenceError {
    /// It does not say how often.
    #[error("it has no FREQ")]
    NoFrequency,
    /// A part that is not known here.
    #[error("{0} is not known here")]
    Unknown(String),
    /// A part with a value that is none.
    #[error("{0} is no value for {1}")]
    Value(String, String),
}

impl Recurrence {
    pub(super) fn parse(text: &str) -> Result<Self, RecurrenceError> {
        let mut rule = Self {
            frequency: Frequency::Daily,
            interval: 1,
            count: None,
            until: None,
            months: vec![],
            month_days: vec![],
            year_days: vec![],
            week_days: vec![],
            positions: vec![],
            week_start: Weekday::Monday,
        };
        let mut frequency = None;
        for part in text.trim().split(';').filter(|part| !part.is_empty()) {
            let unknown = || RecurrenceError::Unknown(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(unknown)?;
            let wrong = || RecurrenceError::Value(value.to_owned(), name.to_owned());
            match name.to_ascii_uppercase().as_str() {
                "FREQ" => {
                    frequency = Some(match value.to_ascii_uppercase().as_str() {
                        "DAILY" => Frequency::Daily,
                        "WEEKLY" => Frequency::Weekly,
                        "MONTHLY" => Frequency::Monthly,
                        "YEARLY" => Frequency::Yearly,
                        _ => return Err(unknown()),
                    });
                }
                "INTERVAL" => {
                    rule.interval = value
                        .parse()
                        .ok()
                        .filter(|it| (1..=1000).contains(it))
                        .ok_or_else(wrong)?;
                }
                "COUNT" => {
                    rule.count = Some(value.parse().ok().filter(|it| *it > 0).ok_or_else(wrong)?);
                }
                "UNTIL" => rule.until = Some(until(value).ok_or_else(wrong)?),
                "BYMONTH" => rule.months = numbers(value, 1..=12).ok_or_else(wrong)?,
                "BYMONTHDAY" => rule.month_days = numbers(value, -31..=31).ok_or_else(wrong)?,
                "BYYEARDAY" => rule.year_days = numbers(value, -366..=366).ok_or_else(wrong)?,
                "BYSETPOS" => rule.positions = numbers(value, -366..=366).ok_or_else(wrong)?,
                "BYDAY" => {
                    let days = value.split(',').map(|day| numbered_weekday(day.trim()));
                    rule.week_days = days.collect::<Option<_>>().ok_or_else(wrong)?;
                }
                "WKST" => rule.week_start = weekday(value.trim()).ok_or_else(wrong)?,
                _ => return Err(unknown()),
            }
        }
        rule.frequency = frequency.ok_or(RecurrenceError::NoFrequency)?;
        Ok(rule)
    }

    /// Counts out when the last occurrence is, once it is known when the first one is.
    pub(super) fn settle(&mut self, start: DateTime, zone: Option<&TimeZone>) {
        if let Some(Until::Utc(utc)) = self.until
            && let Some(zone) = zone
            && let Ok(instant) = TimeZone::UTC.to_timestamp(utc)
        {
            self.until = Some(Until::Local(zone.to_datetime(instant)));
        }
        let Some(count) = self.count.take() else { return };
        let count = count.min(MOST_COUNTED) as usize;
        let mut last = start;
        let mut seen = 0;
        let Ok(end) = start.date().checked_add(i64::from(MOST_YEARS).years()) else { return };
        let (mut period, mut empty) = (0, 0);
        while seen < count && empty < self.frequency.most_empty() {
            let Some((days, begin)) = self.period(start.date(), period) else { break };
            if begin > end {
                break;
            }
            empty = if days.is_empty() { empty + 1 } else { 0 };
            for day in days.into_iter().filter(|day| *day >= start.date()) {
                seen += 1;
                last = day.to_datetime(start.time());
                if seen == count {
                    break;
                }
            }
            period += 1;
        }
        self.until = Some(Until::Local(last));
    }

    /// When occurrences of an event that first begins at `start` begin, from one time to another.
    pub(super) fn between(&self, start: DateTime, from: DateTime, to: DateTime) -> Vec<DateTime> {
        let mut found = Vec::new();
        if to < start {
            return found;
        }
        let first = self.number_of(start.date(), from.date().max(start.date())) - 1;
        for number in first.max(0).. {
            let Some((days, begin)) = self.period(start.date(), number) else { break };
            if begin > to.date() {
                break;
            }
            let times = days.into_iter().map(|day| day.to_datetime(start.time()));
            found.extend(times.filter(|&time| {
                time >= start && time >= from && time <= to && self.is_before_end(time)
            }));
        }
        found
    }

    fn is_before_end(&self, time: DateTime) -> bool {
        match self.until {
            Some(Until::Local(end) | Until::Utc(end)) => time <= end,
            None => true,
        }
    }

    /// The number of the period, from that of `start` on, that a day is in.
    fn number_of(&self, start: Date, day: Date) -> i32 {
        let units = match self.frequency {
            Frequency::Daily => days_between(start, day),
            Frequency::Weekly => days_between(self.week_of(start), day) / 7,
            Frequency::Monthly => months_of(day) - months_of(start),
            Frequency::Yearly => i32::from(day.year()) - i32::from(start.year()),
        };
        units / self.interval
    }

    /// The days of a period, in order, and its first day; `None` when time ends.
    fn period(&self, start: Date, number: i32) -> Option<(Vec<Date>, Date)> {
        let units = i64::from(number.checked_mul(self.interval)?);
        let (begin, candidates) = match self.frequency {
            Frequency::Daily => {
                let day = start.checked_add(units.days()).ok()?;
                (day, vec![day])
            }
            Frequency::Weekly => {
                let begin = self.week_of(start).checked_add(units.weeks()).ok()?;
                let days = days_from(begin, 7);
                let is_wanted = |day: &Date| match &self.week_days[..] {
                    [] => day.weekday() == start.weekday(),
                    days => days.iter().any(|it| it.1 == day.weekday()),
                };
                (begin, days.filter(is_wanted).collect())
            }
            Frequency::Monthly => {
                let begin = start.first_of_month().checked_add(units.months()).ok()?;
                (begin, self.of_month(begin, start))
            }
            Frequency::Yearly => {
                let begin = start.first_of_year().checked_add(units.years()).ok()?;
                (begin, self.of_year(begin, start))
            }
        };
        let mut days: Vec<Date> = candidates.into_iter().filter(|day| self.passes(*day)).collect();
        days.sort_unstable();
        days.dedup();
        if !self.positions.is_empty() {
            let count = days.len() as i32;
            let places = self.positions.iter().map(|&it| if it > 0 { it - 1 } else { count + it });
            let mut chosen: Vec<Date> =
                places.filter_map(|it| days.get(usize::try_from(it).ok()?).copied()).collect();
            chosen.sort_unstable();
            chosen.dedup();
            days = chosen;
        }
        Some((days, begin))
    }

    fn of_month(&self, begin: Date, start: Date) -> Vec<Date> {
        if self.month_days.is_empty() && self.week_days.is_empty() {
            return begin.with().day(start.day()).build().into_iter().collect();
        }
        let days = days_from(begin, begin.days_in_month().into());
        days.filter(|&day| self.is_asked_for(day, Frequency::Monthly)).collect()
    }

    fn of_year(&self, begin: Date, start: Date) -> Vec<Date> {
        let by_day = !self.month_days.is_empty() || !self.week_days.is_empty();
        let same = [start.month()];
        let months = match &self.months[..] {
            [] if by_day || !self.year_days.is_empty() => {
                let days = days_from(begin, begin.days_in_year().into());
                return days
                    .filter(|&day| self.year_days.is_empty() || self.is_year_day(day))
                    .filter(|&day| self.is_asked_for(day, Frequency::Yearly))
                    .collect();
            }
            [] => &same[..],
            months => months,
        };
        let firsts = months.iter().filter_map(|&month| begin.with().month(month).build().ok());
        if !by_day && self.year_days.is_empty() {
            return firsts.filter_map(|day| day.with().day(start.day()).build().ok()).collect();
        }
        firsts
            .flat_map(|first| days_from(first, first.days_in_month().into()))
            .filter(|&day| self.year_days.is_empty() || self.is_year_day(day))
            .filter(|&day| self.is_asked_for(day, Frequency::Monthly))
            .collect()
    }

    /// Whether days of the month and of the week, as far as there are any, name it.
    fn is_asked_for(&self, day: Date, within: Frequency) -> bool {
        (self.month_days.is_empty() || self.is_month_day(day))
            && (self.week_days.is_empty() || self.is_week_day(day, within))
    }

    /// What a rule of any frequency asks of a day.
    fn passes(&self, day: Date) -> bool {
        (self.months.is_empty() || self.months.contains(&day.month()))
            && match self.frequency {
                Frequency::Daily => {
                    (self.month_days.is_empty() || self.is_month_day(day))
                        && (self.week_days.is_empty()
                            || self.week_days.iter().any(|it| it.1 == day.weekday()))
                }
                Frequency::Weekly | Frequency::Monthly | Frequency::Yearly => true,
            }
    }

    fn is_month_day(&self, day: Date) -> bool {
        let from_end = day.day() - day.days_in_month() - 1;
        self.month_days.iter().any(|&it| it == day.day() || it == from_end)
    }

    fn is_year_day(&self, day: Date) -> bool {
        let from_end = day.day_of_year() - day.days_in_year() - 1;
        self.year_days.iter().any(|&it| it == day.day_of_year() || it == from_end)
    }

    /// Whether it is one of the days of the week, counted within the month or year.
    fn is_week_day(&self, day: Date, within: Frequency) -> bool {
        let (place, length) = match within {
            Frequency::Yearly => (i32::from(day.day_of_year()), i32::from(day.days_in_year())),
            _ => (i32::from(day.day()), i32::from(day.days_in_month())),
        };
        let (nth, from_end) = ((place - 1) / 7 + 1, -((length - place) / 7 + 1));
        self.week_days.iter().any(|&(number, weekday)| {
            let number = i32::from(number);
            weekday == day.weekday() && (number == 0 || number == nth || number == from_end)
        })
    }

    fn week_of(&self, day: Date) -> Date {
        let since = day.weekday().since(self.week_start);
        day.checked_sub(i64::from(since).days()).unwrap_or(day)
    }
}

/// So many days in a row.
fn days_from(first: Date, count: i64) -> impl Iterator<Item = Date> {
    (0..count).filter_map(move |n| first.checked_add(n.days()).ok())
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}

fn months_of(day: Date) -> i32 {
    i32::from(day.year()) * 12 + i32::from(day.month()) - 1
}

fn until(text: &str) -> Option<Until> {
    let text = text.trim();
    if let Some(date) = date(text) {
        return Some(Until::Local(date.at(23, 59, 59, 0)));
    }
    match text.strip_suffix(['Z', 'z']) {
        Some(utc) => Some(Until::Utc(date_time(utc)?)),
        None => Some(Until::Local(date_time(text)?)),
    }
}

fn numbers<T>(text: &str, range: std::ops::RangeInclusive<T>) -> Option<Vec<T>>
where
    T: std::str::FromStr + PartialOrd + Default,
{
    let number = |part: &str| {
        let number: T = part.trim().trim_start_matches('+').parse().ok()?;
        (range.contains(&number) && number != T::default()).then_some(number)
    };
    text.split(',').map(number).collect()
}

/// `MO`, `2MO`, `-1FR`.
fn numbered_weekday(text: &str) -> Option<(i8, Weekday)> {
    let at = text.len().checked_sub(2).filter(|&at| text.is_char_boundary(at))?;
    let (number, day) = text.split_at(at);
    let number = match number {
        "" => 0,
        number => number
            .trim_start_matches('+')
            .parse()
            .ok()
            .filter(|n| (-53..=53).contains(n) && *n != 0)?,
    };
    Some((number, weekday(day)?))
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

/// Occurrences that are counted out.
const MOST_COUNTED: u32 = 10_000;
/// Years in which they are looked for.
const MOST_YEARS: u16 = 400;

#[cfg(test)]
mod tests {
    use jiff::civil::Time;

    use super::*;

    /// Made by python-dateutil: see the first line.
    const VECTORS: &str = include_str!("../../tests/data/recurrence.csv");

    #[test]
    fn rules_find_the_days_that_another_implementation_finds() {
        let mut rows = 0;
        for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
            let mut parts = line.split('|');
            let mut part = || parts.next().unwrap_or_default();
            let (start, rule, days) = (part(), part(), part());
            let wanted: Vec<Date> = days.split_whitespace().filter_map(date).collect();
            let start = date(start).expect("a date").to_datetime(Time::midnight());
            let mut recurrence = Recurrence::parse(rule).expect("a rule");
            recurrence.settle(start, None);
            let end = Date::constant(2029, 12, 31).at(23, 59, 59, 0);
            let mut found = recurrence.between(start, start, end);
            // More are not listed.
            found.truncate(60);
            let found: Vec<Date> = found.into_iter().map(DateTime::date).collect();
            assert_eq!(found, wanted, "{start} {rule}");
            rows += 1;
        }
        assert_eq!(rows, 120);
    }
}
