//! A timetable over some days: when it opens and closes, and what in it never counts.
//!
//! Between two edges (the ends of hours, dates and events, the clock being set) nothing changes, so
//! that a year is asked a few thousand times, not at each of its minutes.

use std::collections::BTreeSet;

use bstr::{BStr, BString};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::calendar::Span;
use super::{State, Timetable, Why};

/// A timetable from one instant to another, its events found once for all of them.
pub(super) struct Window<'a> {
    timetable: &'a Timetable,
    zone: TimeZone,
    from: Timestamp,
    to: Timestamp,
    /// Events with their closures' places.
    events: Vec<(usize, Span, &'a BStr)>,
}

impl<'a> Window<'a> {
    pub(super) fn new(
        timetable: &'a Timetable,
        from: Timestamp,
        to: Timestamp,
        system: &TimeZone,
    ) -> Self {
        let zone = timetable.zone.as_ref().unwrap_or(system).clone();
        let mut events = Vec::new();
        for (place, closure) in timetable.closures.iter().enumerate() {
            for calendar in &closure.calendars {
                let spans = calendar.spans(from, to, &zone);
                events.extend(spans.into_iter().map(|(span, summary)| (place, span, summary)));
            }
        }
        Self { timetable, zone, from, to, events }
    }

    /// What holds at an instant within.
    pub(super) fn state(&self, now: Timestamp) -> State<'a> {
        let local = self.zone.to_datetime(now);
        for (place, closure) in self.timetable.closures.iter().enumerate() {
            let goes_on = |it: &&(usize, Span, &'a BStr)| it.0 == place && it.1.holds(now);
            let event = self.events.iter().find(goes_on).map(|it| it.2);
            if event.is_some() || closure.holds(local) {
                return State::Closed(Why::Closure(closure, event));
            }
        }
        if self.timetable.open.iter().any(|period| period.holds(local)) {
            State::Open(Why::Hours)
        } else {
            State::Closed(Why::Hours)
        }
    }

    /// Instants after the first at which something may change, in order.
    pub(super) fn edges(&self) -> impl Iterator<Item = Timestamp> {
        let first = self.zone.to_datetime(self.from).date();
        let last = self.zone.to_datetime(self.to).date();
        let days = std::iter::successors(Some(first), move |day| {
            day.tomorrow().ok().filter(|day| *day <= last)
        });
        let minutes = self.minutes();
        days.flat_map(move |day| self.edges_of(day, &minutes))
            .filter(|at| *at > self.from && *at <= self.to)
    }

    /// Minutes of each day at which hours begin or end.
    fn minutes(&self) -> BTreeSet<usize> {
        let closures = self.timetable.closures.iter().flat_map(|closure| &closure.periods);
        let periods = self.timetable.open.iter().chain(closures);
        std::iter::once(0).chain(periods.flat_map(super::Period::edges)).collect()
    }

    fn edges_of(&self, day: Date, minutes: &BTreeSet<usize>) -> BTreeSet<Timestamp> {
        let mut found = BTreeSet::new();
        let mut add = |at: DateTime| match self.zone.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => found.extend(offset.to_timestamp(at)),
            // Both times that the clock shows it; and of one that it skips the instant it does.
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                found.extend(before.to_timestamp(at));
                found.extend(after.to_timestamp(at));
            }
        };
        for &minute in minutes {
            let (hour, minute) = ((minute / 60) as i8, (minute % 60) as i8);
            if let Ok(time) = Time::new(hour, minute, 0, 0) {
                add(day.to_datetime(time));
            }
        }
        let dates = self.timetable.closures.iter().flat_map(|closure| &closure.dates);
        for (begin, last) in dates.map(super::Dates::bounds) {
            let end = last.checked_add(1.minute()).unwrap_or(last);
            for at in [begin, end].into_iter().filter(|at| at.date() == day) {
                add(at);
            }
        }
        let bounds = |day: Date| day.to_zoned(self.zone.clone()).map(|it| it.timestamp());
        let (Ok(begin), Ok(end)) = (bounds(day), day.tomorrow().and_then(bounds)) else {
            return found;
        };
        let within = |at: &Timestamp| (begin..end).contains(at);
        found.extend(self.events.iter().flat_map(|it| [it.1.begin, it.1.end]).filter(within));
        let set = self.zone.following(begin - 1.second()).map(|it| it.timestamp());
        found.extend(set.take_while(|at| *at < end));
        found
    }
}

/// A part of a day in which nothing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Its first instant.
    pub begin: Timestamp,
    /// The first instant behind it.
    pub end: Timestamp,
    /// Whether somebody attends.
    pub is_open: bool,
    /// What decided, as [`State::reason`] has it.
    pub reason: BString,
    /// The event of a calendar that decided.
    pub event: Option<BString>,
}

/// What a timetable never does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Whether it is open at some time.
    pub opens: bool,
    /// Whether it is closed at some time.
    pub closes: bool,
    /// Of each open period, whether it opens when no earlier one does and no closure forbids it.
    pub periods: Vec<bool>,
    /// Of each closure, whether it closes when it would else be open.
    pub closures: Vec<bool>,
}

impl Survey {
    fn look(&mut self, timetable: &Timetable, window: &Window<'_>, at: Timestamp) {
        let is_open = window.state(at).is_open();
        self.opens |= is_open;
        self.closes |= !is_open;
        let local = window.zone.to_datetime(at);
        let Some(first) = timetable.open.iter().position(|period| period.holds(local)) else {
            return;
        };
        self.periods[first] |= is_open;
        for (place, closure) in timetable.closures.iter().enumerate() {
            self.closures[place] |= closure.holds(local)
                || window.events.iter().any(|it| it.0 == place && it.1.holds(at));
        }
    }

    /// Whether everything counts at some time.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.opens && self.periods.iter().chain(&self.closures).all(|counts| *counts)
    }
}

impl Timetable {
    /// The next instant, of the days to come within `days`, at which it opens or closes by its hours
    /// and closures.
    #[must_use]
    pub fn next_change(&self, now: Timestamp, system: &TimeZone, days: u16) -> Option<Timestamp> {
        let first = self.state(now, system, None).is_open();
        self.windows(now, days, system)
            .find_map(|window| window.edges().find(|at| window.state(*at).is_open() != first))
    }

    /// A day of its clock in parts, in order.
    #[must_use]
    pub fn day(&self, day: Date, system: &TimeZone) -> Vec<Stretch> {
        let zone = self.zone.as_ref().unwrap_or(system);
        let bounds = |day: Date| day.to_zoned(zone.clone()).map(|it| it.timestamp());
        let (Ok(begin), Ok(end)) = (bounds(day), day.tomorrow().and_then(bounds)) else {
            return Vec::new();
        };
        let window = Window::new(self, begin, end, system);
        let mut parts: Vec<Stretch> = Vec::new();
        for at in std::iter::once(begin).chain(window.edges()).filter(|at| *at < end) {
            let state = window.state(at);
            let part = Stretch {
                begin: at,
                end,
                is_open: state.is_open(),
                reason: state.reason().to_owned(),
                event: state.event().map(ToOwned::to_owned),
            };
            match parts.last_mut() {
                Some(last)
                    if (last.is_open, &last.reason, &last.event)
                        == (part.is_open, &part.reason, &part.event) => {}
                last => {
                    if let Some(last) = last {
                        last.end = at;
                    }
                    parts.push(part);
                }
            }
        }
        parts
    }

    /// What of it counts in so many days, whatever anybody says by command or key. It ends as soon
    /// as everything did.
    #[must_use]
    pub fn survey(&self, from: Timestamp, system: &TimeZone, days: u16) -> Survey {
        let mut survey = Survey {
            periods: vec![false; self.open.len()],
            closures: vec![false; self.closures.len()],
            ..Survey::default()
        };
        for window in self.windows(from, days, system) {
            for at in std::iter::once(window.from).chain(window.edges()) {
                survey.look(self, &window, at);
                if survey.closes && survey.is_complete() {
                    return survey;
                }
            }
        }
        survey
    }

    /// So many days in windows, so that no more than a month's events are counted out at a time.
    fn windows<'a>(
        &'a self,
        from: Timestamp,
        days: u16,
        system: &'a TimeZone,
    ) -> impl Iterator<Item = Window<'a>> {
        (0..days).step_by(usize::from(MONTH)).map(move |day| {
            let length = MONTH.min(days - day);
            Window::new(self, after(from, day), after(from, day + length), system)
        })
    }
}

fn after(now: Timestamp, days: u16) -> Timestamp {
    now.checked_add((i64::from(days) * 24).hours()).unwrap_or(Timestamp::MAX)
}

/// Days of a window.
const MONTH: u16 = 32;
