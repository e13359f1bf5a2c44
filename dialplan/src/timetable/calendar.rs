//! Calendar files (iCalendar, RFC 5545): the events in them, as far as they say when something is.

use std::collections::HashMap;

use bstr::{BStr, BString};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use super::recurrence::{Recurrence, RecurrenceError};
use crate::schedule::time_zone;

/// The events of a calendar.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calendar {
    events: Vec<Event>,
}

/// What is wrong with a calendar, by the line where an event begins or a property stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct CalendarError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: CalendarProblem,
}

/// What can be wrong with a calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarProblem {
    /// It does not begin as one.
    #[error("this is no calendar: it does not begin with BEGIN:VCALENDAR")]
    NoCalendar,
    /// An event that nobody can place.
    #[error("an event without DTSTART")]
    NoStart,
    /// A value that is no time.
    #[error("{0:?} is no date and no time")]
    NoTime(String),
    /// A value that is no duration.
    #[error("{0:?} is no duration")]
    NoDuration(String),
    /// A rule that is not understood.
    #[error("the event comes back by a rule that is not understood: {0}")]
    Rule(RecurrenceError),
    /// More than are kept.
    #[error("more than {MOST_EVENTS} events: the rest has no effect")]
    TooMany,
}

#[derive(Debug, Clone, PartialEq)]
struct Event {
    summary: BString,
    start: DateTime,
    clock: Clock,
    length: Length,
    rule: Option<Recurrence>,
    /// Further beginnings.
    more: Vec<DateTime>,
    /// Beginnings that are left out, or that another event tells.
    without: Vec<DateTime>,
}

/// Which clock its times are read from.
#[derive(Debug, Clone, PartialEq)]
enum Clock {
    /// That of whoever looks.
    Local,
    Zone(TimeZone),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Length {
    /// Whole days, counted by dates.
    Days(i32),
    Exact(SignedDuration),
}

impl Calendar {
    /// Reads a calendar. What is wrong is told, and the rest of it counts.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<CalendarError>) {
        let mut errors = Vec::new();
        let lines = unfolded(text);
        if !lines.first().is_some_and(|(_, line)| line.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
            let error = CalendarError { line: 1, problem: CalendarProblem::NoCalendar };
            return (Self::default(), vec![error]);
        }
        let mut drafts = Vec::new();
        let mut draft: Option<Draft> = None;
        // How deep in parts of an event, such as alarms.
        let mut depth = 0;
        for (number, line) in &lines {
            let Some(property) = Property::parse(line) else { continue };
            match (property.name.as_str(), &mut draft) {
                ("BEGIN", None) if property.value.eq_ignore_ascii_case("VEVENT") => {
                    draft = Some(Draft { line: *number, ..Draft::default() });
                }
                ("BEGIN", Some(_)) => depth += 1,
                ("END", Some(_)) if depth > 0 => depth -= 1,
                ("END", Some(_)) => drafts.extend(draft.take()),
                (_, Some(draft)) if depth == 0 => {
                    if let Err(problem) = draft.take(&property) {
                        errors.push(CalendarError { line: *number, problem });
                        draft.is_wrong = true;
                    }
                }
                _ => {}
            }
        }
        if drafts.len() > MOST_EVENTS {
            let line = drafts[MOST_EVENTS].line;
            errors.push(CalendarError { line, problem: CalendarProblem::TooMany });
            drafts.truncate(MOST_EVENTS);
        }
        let mut events = Vec::new();
        // What single occurrences were told by, for the events that they belong to.
        let mut moved: HashMap<BString, Vec<DateTime>> = HashMap::new();
        for draft in &drafts {
            if let Some(instead_of) = draft.instead_of {
                moved.entry(draft.id.clone()).or_default().push(instead_of);
            }
        }
        for draft in drafts.into_iter().filter(|draft| !draft.is_wrong) {
            let moved = draft.instead_of.is_none().then(|| moved.get(&draft.id)).flatten();
            let (line, is_cancelled) = (draft.line, draft.is_cancelled);
            match draft.finish(moved.map_or(&[][..], Vec::as_slice)) {
                Ok(event) if !is_cancelled => events.push(event),
                Ok(_) => {}
                Err(problem) => errors.push(CalendarError { line, problem }),
            }
        }
        errors.sort_by_key(|error| error.line);
        (Self { events }, errors)
    }

    /// How many events there are; one that comes back counts once.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// What an event is called that takes place at an instant. Times without a zone are those of
    /// `zone`.
    #[must_use]
    pub fn event_at(&self, now: Timestamp, zone: &TimeZone) -> Option<&BStr> {
        let goes_on = |event: &&Event| event.spans(now, now, zone).iter().any(|it| it.holds(now));
        self.events.iter().find(goes_on).map(|event| BStr::new(&event.summary))
    }

    /// When its events take place between two instants, in no order, and what they are called.
    pub(super) fn spans(
        &self,
        from: Timestamp,
        to: Timestamp,
        zone: &TimeZone,
    ) -> Vec<(Span, &BStr)> {
        let of = |event: &'_ Event| event.spans(from, to, zone);
        let named =
            |event| of(event).into_iter().map(move |span| (span, BStr::new(&event.summary)));
        self.events.iter().flat_map(named).collect()
    }
}

/// From one instant until before another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) begin: Timestamp,
    pub(super) end: Timestamp,
}

impl Span {
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        (self.begin..self.end).contains(&now)
    }
}

impl Event {
    /// When it takes place between two instants; perhaps before and after, too.
    fn spans(&self, from: Timestamp, to: Timestamp, zone: &TimeZone) -> Vec<Span> {
        let zone = match &self.clock {
            Clock::Local => zone,
            Clock::Zone(zone) => zone,
        };
        let local = zone.to_datetime(from);
        // No occurrence that still goes on began before this; clocks may have been set meanwhile.
        let reach = match self.length {
            Length::Days(days) => local.checked_sub(i64::from(days).days()),
            Length::Exact(length) => local.checked_sub(length + SignedDuration::from_hours(3)),
        };
        let Ok(earliest) = reach else { return Vec::new() };
        let latest = zone.to_datetime(to);
        let latest = latest.checked_add(3.hours()).unwrap_or(latest);
        let starts = match &self.rule {
            Some(rule) => rule.between(self.start, earliest, latest),
            None => vec![self.start],
        };
        let starts = self.more.iter().copied().chain(starts);
        starts
            .filter(|start| !self.without.contains(start))
            .filter_map(|start| self.span(start, zone))
            .collect()
    }

    /// The occurrence that begins at `start`.
    fn span(&self, start: DateTime, zone: &TimeZone) -> Option<Span> {
        let midnight = |day: Date| Some(day.to_zoned(zone.clone()).ok()?.timestamp());
        match self.length {
            Length::Days(days) => {
                let end = start.date().checked_add(i64::from(days).days()).ok()?;
                Some(Span { begin: midnight(start.date())?, end: midnight(end)? })
            }
            Length::Exact(length) => {
                let begin = zone.to_timestamp(start).ok()?;
                Some(Span { begin, end: begin.checked_add(length).ok()? })
            }
        }
    }
}

/// An event that is being read.
#[derive(Debug, Default)]
struct Draft {
    line: usize,
    id: BString,
    summary: BString,
    start: Option<Moment>,
    end: Option<Moment>,
    length: Option<SignedDuration>,
    rule: Option<Recurrence>,
    more: Vec<DateTime>,
    without: Vec<DateTime>,
    /// The beginning of the occurrence that this event stands for.
    instead_of: Option<DateTime>,
    is_cancelled: bool,
    is_wrong: bool,
}

impl Draft {
    fn take(&mut self, property: &Property) -> Result<(), CalendarProblem> {
        match property.name.as_str() {
            "UID" => self.id = property.value.as_str().into(),
            "SUMMARY" => self.summary = unescaped(&property.value),
            "DTSTART" => self.start = Some(property.moment(&property.value)?),
            "DTEND" => self.end = Some(property.moment(&property.value)?),
            "DURATION" => self.length = Some(duration(&property.value)?),
            "STATUS" => self.is_cancelled = property.value.eq_ignore_ascii_case("CANCELLED"),
            "RRULE" => {
                self.rule =
                    Some(Recurrence::parse(&property.value).map_err(CalendarProblem::Rule)?);
            }
            "EXDATE" => self.without.extend(property.moments()?),
            "RDATE" => self.more.extend(property.moments()?),
            "RECURRENCE-ID" => self.instead_of = Some(property.moment(&property.value)?.time),
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self, moved: &[DateTime]) -> Result<Event, CalendarProblem> {
        let start = self.start.ok_or(CalendarProblem::NoStart)?;
        let length = match (self.length, &self.end) {
            (Some(length), _) if start.is_day => {
                Length::Days(i32::try_from(length.as_hours() / 24).unwrap_or(1).max(1))
            }
            (Some(length), _) => Length::Exact(length),
            (None, Some(end)) if start.is_day => {
                let days =
                    start.time.date().until(end.time.date()).map_or(1, |span| span.get_days());
                Length::Days(days.max(1))
            }
            (None, Some(end)) => Length::Exact(between(&start, end)),
            (None, None) if start.is_day => Length::Days(1),
            (None, None) => Length::Exact(SignedDuration::ZERO),
        };
        let mut length = length;
        if let Some(rule) = &mut self.rule {
            rule.settle(start.time, start.zone.as_ref());
            // What comes back while it still goes on is looked for no further back.
            length = match length {
                Length::Days(days) => Length::Days(days.min(LONGEST_DAYS)),
                Length::Exact(length) => Length::Exact(
                    length.min(SignedDuration::from_hours(24 * i64::from(LONGEST_DAYS))),
                ),
            };
        }
        self.without.extend(moved);
        Ok(Event {
            summary: self.summary,
            start: start.time,
            clock: start.zone.map_or(Clock::Local, Clock::Zone),
            length,
            rule: self.rule,
            more: self.more,
            without: self.without,
        })
    }
}

/// A date or a time, and whose.
#[derive(Debug, Clone)]
struct Moment {
    time: DateTime,
    zone: Option<TimeZone>,
    is_day: bool,
}

/// The time from one to the other, by their own clocks.
fn between(start: &Moment, end: &Moment) -> SignedDuration {
    let instant = |moment: &Moment| {
        let zone = moment.zone.clone().or_else(|| start.zone.clone()).unwrap_or(TimeZone::UTC);
        moment.time.to_zoned(zone).ok()
    };
    match (instant(start), instant(end)) {
        (Some(start), Some(end)) => length(&start, &end).max(SignedDuration::ZERO),
        _ => SignedDuration::ZERO,
    }
}

fn length(start: &Zoned, end: &Zoned) -> SignedDuration {
    end.timestamp().duration_since(start.timestamp())
}

/// `NAME;PARAMETER=VALUE:VALUE`.
#[derive(Debug)]
struct Property {
    name: String,
    zone: Option<String>,
    value: String,
}

impl Property {
    fn parse(line: &str) -> Option<Self> {
        let mut quoted = false;
        let colon = line.char_indices().find_map(|(at, symbol)| {
            quoted ^= symbol == '"';
            (symbol == ':' && !quoted).then_some(at)
        })?;
        let (head, value) = (&line[..colon], &line[colon + 1..]);
        let mut parts = head.split(';');
        let name = parts.next()?.to_ascii_uppercase();
        let zone = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.eq_ignore_ascii_case("TZID").then(|| value.trim_matches('"').to_owned())
        });
        Some(Self { name, zone, value: value.to_owned() })
    }

    fn moment(&self, text: &str) -> Result<Moment, CalendarProblem> {
        let wrong = || CalendarProblem::NoTime(text.to_owned());
        let text = text.trim();
        if let Some(date) = date(text) {
            let time = date.to_datetime(Time::midnight());
            return Ok(Moment { time, zone: None, is_day: true });
        }
        let (text, is_utc) = text.strip_suffix(['Z', 'z']).map_or((text, false), |it| (it, true));
        let time = date_time(text).ok_or_else(wrong)?;
        let zone = if is_utc {
            Some(TimeZone::UTC)
        } else {
            // A zone that nobody knows, such as a name of the sender's own, is that of whoever looks.
            self.zone.as_deref().and_then(|name| time_zone(name.trim_start_matches('/').as_bytes()))
        };
        Ok(Moment { time, zone, is_day: false })
    }

    /// Several, commas between them; of a period only its beginning.
    fn moments(&self) -> Result<Vec<DateTime>, CalendarProblem> {
        let parts = self.value.split(',').map(|part| part.split('/').next().unwrap_or(part));
        parts.map(|part| self.moment(part).map(|moment| moment.time)).collect()
    }
}

/// Lines with their numbers; those that go on are put together (RFC 5545 §3.1).
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, before))) => before.push_str(more),
            _ if line.trim().is_empty() => {}
            _ => lines.push((number, line.trim_end().to_owned())),
        }
    }
    lines
}

/// `20260514`.
pub(super) fn date(text: &str) -> Option<Date> {
    let is_date = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if !is_date {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse().ok();
    Date::new(number(0..4)?, text[4..6].parse().ok()?, text[6..8].parse().ok()?).ok()
}

/// `20260514T120000`.
pub(super) fn date_time(text: &str) -> Option<DateTime> {
    let (day, time) = text.split_once(['T', 't'])?;
    if time.len() != 6 || !time.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| time[at..at + 2].parse::<i8>().ok();
    // A leap second is the one before it.
    let time = Time::new(part(0)?, part(2)?, part(4)?.min(59), 0).ok()?;
    Some(date(day)?.to_datetime(time))
}

/// `P1D`, `PT1H30M`, `P2W`.
fn duration(text: &str) -> Result<SignedDuration, CalendarProblem> {
    let wrong = || CalendarProblem::NoDuration(text.to_owned());
    let rest = text.trim().trim_start_matches('+').strip_prefix('P').ok_or_else(wrong)?;
    let (mut seconds, mut number) = (0_i64, String::new());
    let mut is_time = false;
    for symbol in rest.chars() {
        let unit = match symbol {
            '0'..='9' if number.len() < 9 => {
                number.push(symbol);
                continue;
            }
            'T' if number.is_empty() => {
                is_time = true;
                continue;
            }
            'W' => 7 * 86_400,
            'D' => 86_400,
            'H' if is_time => 3600,
            'M' if is_time => 60,
            'S' if is_time => 1,
            _ => return Err(wrong()),
        };
        seconds += number.parse::<i64>().map_err(|_| wrong())? * unit;
        number.clear();
    }
    if number.is_empty() { Ok(SignedDuration::from_secs(seconds)) } else { Err(wrong()) }
}

/// Text with its escapes undone (RFC 5545 §3.3.11).
fn unescaped(text: &str) -> BString {
    let mut out = String::new();
    let mut symbols = text.chars();
    while let Some(symbol) = symbols.next() {
        match symbol {
            '\\' => match symbols.next() {
                Some('n' | 'N') => out.push(' '),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out.into()
}

/// Days that an event which comes back lasts, at most.
const LONGEST_DAYS: i32 = 366;
/// More events than any office has.
const MOST_EVENTS: usize = 10_000;
