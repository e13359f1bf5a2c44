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
mod standing;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;

use bstr::{BStr, BString};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub use calendar::{Calendar, CalendarError, CalendarProblem};
pub use dates::Dates;
pub use guard::Guards;
pub use period::Period;
pub use recurrence::RecurrenceError;
pub use standing::{AHEAD, FAMILY, Override, Standing, WordError};
pub use window::{Stretch, Survey};

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

impl Timetable {
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
}

impl Closure {
    fn holds(&self, local: DateTime) -> bool {
        self.periods.iter().any(|period| period.holds(local))
            || self.dates.iter().any(|dates| dates.hold(local))
    }
}
