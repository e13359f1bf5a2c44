//! Opening hours: when a telephone is attended, and what a caller hears and where he goes when it
//! is not.
//!
//! Asked at an instant, a timetable looks at the override first, then at its closures, then at its
//! open periods; whatever is left is closed.

mod calendar;
mod dates;
mod guard;
mod period;
mod recurrence;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bstr::{BStr, BString};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

pub use calendar::{Calendar, CalendarError, CalendarProblem};
pub use dates::Dates;
pub use guard::Guards;
pub use period::Period;
pub use recurrence::RecurrenceError;

use crate::world::Database;

/// All timetables of a configuration, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timetables {
    by_name: BTreeMap<BString, Timetable>,
    guards: Guards,
}

impl Timetables {
    /// Adds one; the last of a name counts.
    pub fn insert(&mut self, name: impl Into<BString>, timetable: Timetable) {
        self.by_name.insert(name.into(), timetable);
    }

    /// The one of this name, in any letter case.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<(&BStr, &Timetable)> {
        let exact = self.by_name.get_key_value(BStr::new(name));
        let found = exact
            .or_else(|| self.by_name.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
        found.map(|(name, timetable)| (BStr::new(name), timetable))
    }

    /// Which of them guard incoming numbers.
    #[must_use]
    pub const fn guards(&self) -> &Guards {
        &self.guards
    }

    /// Lets them guard incoming numbers.
    pub fn set_guards(&mut self, guards: Guards) {
        self.guards = guards;
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&BStr, &Timetable)> {
        self.by_name.iter().map(|(name, timetable)| (BStr::new(name), timetable))
    }
}

/// One set of opening hours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timetable {
    /// Where its clock stands; without one it is the system's.
    pub zone: Option<TimeZone>,
    /// When it is open, unless a closure says otherwise.
    pub open: Vec<Period>,
    /// Exceptions, in the order in which they are asked.
    pub closures: Vec<Closure>,
    /// What a caller meets when it is closed and no closure says otherwise.
    pub closed: Reaction,
}

/// Exceptional days.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Closure {
    /// What it is called.
    pub name: BString,
    /// Hours, weekdays, days and months that come back.
    pub periods: Vec<Period>,
    /// Days and hours of one year.
    pub dates: Vec<Dates>,
    /// Events of a calendar file.
    pub calendars: Vec<Calendar>,
    /// What a caller meets; what it leaves open, the timetable says.
    pub reaction: Reaction,
}

/// What happens to a caller who comes too late or too early.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reaction {
    /// Sound files, `&` between them, as `Playback` takes them.
    pub sound: Option<BString>,
    /// An application with its arguments: `Goto(night,s,1)`. Without one the call ends.
    pub action: Option<BString>,
}

/// Whether a timetable is open at an instant, and why not.
#[derive(Debug, Clone)]
pub enum State<'a> {
    /// Somebody attends.
    Open(Why<'a>),
    /// Nobody does.
    Closed(Why<'a>),
}

/// What decided.
#[derive(Debug, Clone)]
pub enum Why<'a> {
    /// Somebody said so by command or key.
    Override,
    /// The open periods.
    Hours,
    /// A closure, and the event of its calendar if one it was.
    Closure(&'a Closure, Option<&'a BStr>),
}

impl<'a> State<'a> {
    /// Whether it is open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// What decided.
    #[must_use]
    pub const fn why(&self) -> &Why<'a> {
        match self {
            Self::Open(why) | Self::Closed(why) => why,
        }
    }

    /// The event of a calendar that decided.
    #[must_use]
    pub fn event(&self) -> Option<&'a BStr> {
        match self.why() {
            Why::Closure(_, event) => *event,
            Why::Override | Why::Hours => None,
        }
    }

    /// The reason in a word: `override`, `hours`, or the closure's name.
    #[must_use]
    pub fn reason(&self) -> &'a BStr {
        match self.why() {
            Why::Override => BStr::new("override"),
            Why::Hours => BStr::new("hours"),
            Why::Closure(closure, _) => BStr::new(&closure.name),
        }
    }
}

/// What somebody said by command or key, instead of the hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Override {
    /// Open, whatever the hour.
    Open,
    /// Closed, whatever the hour.
    Closed,
}

impl Override {
    /// What the database says of a timetable.
    #[must_use]
    pub fn of(name: &[u8], database: &Database) -> Option<Self> {
        match Self::from_word(database.value(FAMILY, name)?) {
            Some(Word::Override(said)) => Some(said),
            Some(Word::Back) | None => None,
        }
    }

    /// Writes it down, or takes it back.
    pub fn set(said: Option<Self>, name: &[u8], database: &mut Database) {
        match said {
            Some(Self::Open) => database.set(FAMILY, name, b"open"),
            Some(Self::Closed) => database.set(FAMILY, name, b"closed"),
            None => {
                database.delete(FAMILY, name);
            }
        }
    }

    /// What a word stands for, in any letter case: `open`, `closed`, or one of `back`, `auto` and
    /// nothing, which take it back.
    #[must_use]
    pub fn from_word(word: &[u8]) -> Option<Word> {
        match word.to_ascii_lowercase().as_slice() {
            b"open" => Some(Word::Override(Self::Open)),
            b"closed" | b"close" => Some(Word::Override(Self::Closed)),
            b"" | b"back" | b"auto" => Some(Word::Back),
            _ => None,
        }
    }
}

/// What is said of a timetable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Instead of its hours.
    Override(Override),
    /// Its hours count again.
    Back,
}

/// The database's family of overrides.
pub const FAMILY: &[u8] = b"schedule";

impl Timetable {
    /// Whether it is open at an instant. `system` is the zone where it names none.
    #[must_use]
    pub fn state(&self, now: Timestamp, system: &TimeZone, said: Option<Override>) -> State<'_> {
        match said {
            Some(Override::Open) => return State::Open(Why::Override),
            Some(Override::Closed) => return State::Closed(Why::Override),
            None => {}
        }
        let zone = self.zone.as_ref().unwrap_or(system);
        let local = zone.to_datetime(now);
        for closure in &self.closures {
            let event = closure.calendars.iter().find_map(|it| it.event_at(now, zone));
            if event.is_some() || closure.holds(local) {
                return State::Closed(Why::Closure(closure, event));
            }
        }
        if self.open.iter().any(|period| period.holds(local)) {
            State::Open(Why::Hours)
        } else {
            State::Closed(Why::Hours)
        }
    }

    /// What a caller meets who finds it closed.
    #[must_use]
    pub fn reaction<'a>(&'a self, state: &State<'a>) -> Reaction {
        let own = match state.why() {
            Why::Closure(closure, _) => closure.reaction.clone(),
            Why::Hours | Why::Override => Reaction::default(),
        };
        let Reaction { sound, action } = &self.closed;
        Reaction {
            sound: own.sound.or_else(|| sound.clone()),
            action: own.action.or_else(|| action.clone()),
        }
    }

    /// The next minute, of the days to come within `days`, at which it opens or closes by its hours
    /// and closures.
    #[must_use]
    pub fn next_change(&self, now: Timestamp, system: &TimeZone, days: u16) -> Option<Timestamp> {
        let zone = self.zone.as_ref().unwrap_or(system);
        let mut at = zone.to_datetime(now).with().second(0).subsec_nanosecond(0).build().ok()?;
        let end = at.checked_add(i64::from(days).days()).ok()?;
        // Events once for all minutes.
        let calendars = self.closures.iter().flat_map(|closure| &closure.calendars);
        let last = zone.to_timestamp(end).ok()?;
        let events: Vec<_> = calendars.flat_map(|it| it.spans(now, last, zone)).collect();
        let is_open = |instant: Timestamp, local: DateTime| {
            self.open.iter().any(|period| period.holds(local))
                && !self.closures.iter().any(|closure| closure.holds(local))
                && !events.iter().any(|event| event.holds(instant))
        };
        let first = is_open(now, zone.to_datetime(now));
        while at < end {
            at = at.checked_add(1.minute()).ok()?;
            let instant = zone.to_timestamp(at).ok()?;
            if instant > now && is_open(instant, zone.to_datetime(instant)) != first {
                return Some(instant);
            }
        }
        None
    }

    /// Whether it is ever open in the year that begins at an instant.
    #[must_use]
    pub fn ever_opens(&self, from: Timestamp, system: &TimeZone) -> bool {
        self.state(from, system, None).is_open()
            || self.open.iter().any(Period::can_hold)
                && self.next_change(from, system, 366).is_some()
    }
}

impl Closure {
    fn holds(&self, local: DateTime) -> bool {
        self.periods.iter().any(|period| period.holds(local))
            || self.dates.iter().any(|dates| dates.hold(local))
    }
}
