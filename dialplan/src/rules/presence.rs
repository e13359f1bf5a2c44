//! How present a user is, and where that is known from.

use bstr::{BStr, BString};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::model::{of_word, word_of};
use super::{User, store};
use crate::timetable::{Override, Timetables};
use crate::world::Database;

/// A way of being present or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Outside of the user's hours, or away.
    Absent,
    /// The telephone is in use.
    Busy,
    /// An appointment.
    Calendar,
    /// The telephone can not be reached.
    Offline,
    /// None of these.
    Online,
}

impl Presence {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Absent, Self::Busy, Self::Calendar, Self::Offline, Self::Online];

    const WORDS: [(Self, &'static str); 5] = [
        (Self::Absent, "absent"),
        (Self::Busy, "busy"),
        (Self::Calendar, "calendar"),
        (Self::Offline, "offline"),
        (Self::Online, "online"),
    ];

    /// The presence of a word, in any letter case.
    #[must_use]
    pub fn parse(word: &[u8]) -> Option<Self> {
        of_word(&Self::WORDS, word)
    }

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }
}

/// Where a presence is known from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Somebody said so.
    Command,
    /// An appointment of this name.
    Calendar(BString),
    /// The user's schedule is closed.
    Schedule(BString),
    /// The state of a telephone.
    Device {
        /// The telephone.
        device: BString,
        /// As DEVICE_STATE tells it.
        state: BString,
    },
    /// Nothing says otherwise.
    Nothing,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Command => f.write_str("by command"),
            Self::Calendar(event) => write!(f, "appointment '{event}'"),
            Self::Schedule(name) => write!(f, "schedule {name} is closed"),
            Self::Device { device, state } => write!(f, "{device} is {state}"),
            Self::Nothing => f.write_str("nothing says otherwise"),
        }
    }
}

/// How present a user is: what somebody said by command, or all that is known from elsewhere. A
/// telephone may be in use during an appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presences(Vec<(Presence, Source)>);

impl Presences {
    /// What somebody said.
    #[must_use]
    pub fn said(presence: Presence) -> Self {
        Self(vec![(presence, Source::Command)])
    }

    /// Whether the user is present in this way.
    #[must_use]
    pub fn holds(&self, presence: Presence) -> bool {
        self.0.iter().any(|(known, _)| *known == presence)
    }

    /// All ways, with where they are known from.
    pub fn iter(&self) -> impl Iterator<Item = (Presence, &Source)> {
        self.0.iter().map(|(presence, source)| (*presence, source))
    }

    /// The ways in words, commas between them.
    #[must_use]
    pub fn words(&self) -> String {
        self.0.iter().map(|(presence, _)| presence.as_str()).collect::<Vec<_>>().join(",")
    }
}

/// All that a decision depends on beside the call.
pub struct Conditions<'a> {
    /// What users have changed.
    pub database: &'a Database,
    /// Opening hours.
    pub timetables: &'a Timetables,
    /// When.
    pub now: Timestamp,
    /// The system's time zone.
    pub zone: TimeZone,
    /// The state of a telephone, as DEVICE_STATE tells it.
    pub device_state: &'a dyn Fn(&BStr) -> BString,
    /// A user for whom something else is assumed.
    pub assumed: Option<(BString, Presence)>,
}

impl Conditions<'_> {
    /// How present a user is.
    #[must_use]
    pub fn presence(&self, user: &User) -> Presences {
        let assumed = self.assumed.as_ref().filter(|(name, _)| *name == user.name);
        let said = assumed.map(|(_, presence)| *presence);
        if let Some(presence) = said.or_else(|| store::said(self.database, BStr::new(&user.name))) {
            return Presences::said(presence);
        }
        let mut found = vec![];
        let event = user.calendars.iter().find_map(|it| it.event_at(self.now, &self.zone));
        found.extend(event.map(|event| (Presence::Calendar, Source::Calendar(event.to_owned()))));
        if let Some(name) = &user.schedule
            && self.is_open(name) == Some(false)
        {
            found.push((Presence::Absent, Source::Schedule(name.clone())));
        }
        if let Some(device) = user.watched() {
            let state = (self.device_state)(BStr::new(device));
            let presence = match state.as_slice() {
                b"INUSE" | b"BUSY" | b"RINGINUSE" | b"ONHOLD" | b"RINGING" => Some(Presence::Busy),
                b"UNAVAILABLE" => Some(Presence::Offline),
                _ => None,
            };
            let source = Source::Device { device: device.clone(), state };
            found.extend(presence.map(|presence| (presence, source)));
        }
        if found.is_empty() {
            found.push((Presence::Online, Source::Nothing));
        }
        Presences(found)
    }

    /// Whether a schedule is open; `None` when there is none of this name.
    #[must_use]
    pub fn is_open(&self, schedule: &[u8]) -> Option<bool> {
        let (name, timetable) = self.timetables.get(schedule)?;
        let said = Override::of(name, self.database, self.now);
        Some(timetable.state(self.now, &self.zone, said).is_open())
    }
}
