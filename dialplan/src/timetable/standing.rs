//! What somebody said by command or key, instead of the hours, and for how long.

use bstr::BStr;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{State, Timetable, Why};
use crate::schedule;
use crate::world::Database;

/// Open or closed, whatever the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Override {
    /// Open, whatever the hour.
    Open,
    /// Closed, whatever the hour.
    Closed,
}

impl Override {
    /// The word that the database and commands have for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }

    /// What the database says of a timetable now.
    #[must_use]
    pub fn of(name: &[u8], database: &Database, now: Timestamp) -> Option<Self> {
        Standing::of(name, database, now).map(|standing| standing.said)
    }
}

/// An override that stands until it is taken back, or until an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What was said.
    pub said: Override,
    /// When the hours count again by themselves.
    pub until: Option<Timestamp>,
}

/// Why a word overrides nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordError {
    /// Not one of the words.
    #[error("`{0}` is none of open, closed and back")]
    Unknown(String),
    /// What follows `until` is no time.
    #[error(
        "`{0}` is no time: write 18:30, 2026-12-24 18:30, seconds since 1970, or `next` for the \
         next time that the hours change"
    )]
    NoTime(String),
    /// It is over already.
    #[error("`{0}` is past")]
    Past(String),
    /// Nothing to wait for.
    #[error("the hours do not change within {AHEAD} days")]
    NoChange,
}

impl Standing {
    /// What the database says of a timetable, unless that is over.
    #[must_use]
    pub fn of(name: &[u8], database: &Database, now: Timestamp) -> Option<Self> {
        Self::read(database.value(FAMILY, name)?).filter(|standing| standing.holds(now))
    }

    /// Whether it still stands at an instant.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// What a value of the database's family says, over or not.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let said = said(words.next()?)?;
        let until = match (words.next(), words.next()) {
            (None, _) => None,
            (Some(b"until"), Some(seconds)) => {
                let seconds = std::str::from_utf8(seconds).ok()?.parse().ok()?;
                Some(Timestamp::from_second(seconds).ok()?)
            }
            _ => return None,
        };
        Some(Self { said, until })
    }

    /// Writes it down, or takes back what stands.
    pub fn set(standing: Option<Self>, name: &[u8], database: &mut Database) {
        match standing {
            Some(Self { said, until: None }) => {
                database.set(FAMILY, name, said.name().as_bytes());
            }
            Some(Self { said, until: Some(until) }) => {
                let value = format!("{} until {}", said.name(), until.as_second());
                database.set(FAMILY, name, value.as_bytes());
            }
            None => {
                database.delete(FAMILY, name);
            }
        }
    }

    /// Reads `open`, `closed`, `closed until TIME`, in any letter case; `None` for one of `back`,
    /// `auto` and nothing, which take it back.
    ///
    /// # Errors
    /// When it is nothing of that.
    pub fn parse(
        text: &[u8],
        timetable: &Timetable,
        now: Timestamp,
        system: &TimeZone,
    ) -> Result<Option<Self>, WordError> {
        let text = String::from_utf8_lossy(text.trim_ascii()).into_owned();
        let (word, rest) = match text.split_once(char::is_whitespace) {
            Some((word, rest)) => (word, rest.trim()),
            None => (text.as_str(), ""),
        };
        if matches!(word.to_ascii_lowercase().as_str(), "" | "back" | "auto") && rest.is_empty() {
            return Ok(None);
        }
        let Some(said) = said(word.as_bytes()) else { return Err(WordError::Unknown(text)) };
        if rest.is_empty() {
            return Ok(Some(Self { said, until: None }));
        }
        let time = match rest.split_once(char::is_whitespace) {
            Some((until, time)) if until.eq_ignore_ascii_case("until") => time.trim(),
            _ => return Err(WordError::Unknown(text)),
        };
        let zone = timetable.zone.as_ref().unwrap_or(system);
        let until = if time.eq_ignore_ascii_case("next") {
            timetable.next_change(now, system, AHEAD).ok_or(WordError::NoChange)?
        } else {
            hour(time, now, zone)
                .or_else(|| schedule::moment(time, zone))
                .ok_or_else(|| WordError::NoTime(time.to_owned()))?
        };
        if until <= now {
            return Err(WordError::Past(time.to_owned()));
        }
        Ok(Some(Self { said, until: Some(until) }))
    }
}

impl Timetable {
    /// Whether it is open at an instant. `system` is the zone where it names none.
    #[must_use]
    pub fn state(&self, now: Timestamp, system: &TimeZone, said: Option<Override>) -> State<'_> {
        match said {
            Some(Override::Open) => State::Open(Why::Override),
            Some(Override::Closed) => State::Closed(Why::Override),
            None => super::window::Window::new(self, now, now, system).state(now),
        }
    }

    /// The next instant, of the days to come within `days`, at which it opens or closes when nobody
    /// says anything more.
    #[must_use]
    pub fn next_change_under(
        &self,
        standing: Option<Standing>,
        now: Timestamp,
        system: &TimeZone,
        days: u16,
    ) -> Option<Timestamp> {
        let Some(Standing { said, until }) = standing else {
            return self.next_change(now, system, days);
        };
        let until = until?;
        let differs = self.state(until, system, None).is_open() != (said == Override::Open);
        if differs { Some(until) } else { self.next_change(until, system, days) }
    }
}

fn said(word: &[u8]) -> Option<Override> {
    match BStr::new(word).to_ascii_lowercase().as_slice() {
        b"open" => Some(Override::Open),
        b"closed" | b"close" => Some(Override::Closed),
        _ => None,
    }
}

/// `18:30`: the next time that a clock shows it.
fn hour(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let is_hour = text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit() || b == b':');
    let minute = schedule::scan_time(text.as_bytes()).filter(|_| is_hour)?;
    let time = Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).ok()?;
    let today = zone.to_datetime(now).date();
    let at = |day: jiff::civil::Date| -> Option<Timestamp> {
        zone.to_timestamp(DateTime::from_parts(day, time)).ok()
    };
    at(today).filter(|at| *at > now).or_else(|| at(today.checked_add(1.day()).ok()?))
}

/// The database's family of overrides.
pub const FAMILY: &[u8] = b"schedule";

/// Days in which the next change is looked for.
pub const AHEAD: u16 = 366;
