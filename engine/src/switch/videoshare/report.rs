//! What is told of a conference when it is over.

use std::time::Duration;

use bstr::{BString, ByteSlice};
use diesis_dialplan::videoshare::Role;
use jiff::Timestamp;

use super::meeting::{PersonKind, PersonState};

/// Why a conference is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeetingEnd {
    /// The master left.
    MasterLeft,
    /// The master did not come.
    NoMaster,
    /// It lasted as long as it may.
    TimeIsUp,
    /// The master or an operator ended it.
    Ended,
    /// Nobody is there any more.
    AllLeft,
    /// The engine stopped.
    Stopped,
}

impl MeetingEnd {
    /// For reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MasterLeft => "master left",
            Self::NoMaster => "no master",
            Self::TimeIsUp => "time is up",
            Self::Ended => "ended",
            Self::AllLeft => "all left",
            Self::Stopped => "engine stopped",
        }
    }
}

/// A conference that is over, or as it would be if it were now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingReport {
    /// The room.
    pub room: BString,
    /// When the first came, or it was started.
    pub began: Timestamp,
    /// When the master came.
    pub opened: Option<Timestamp>,
    /// When it was over.
    pub ended: Timestamp,
    /// From its beginning to its end.
    pub duration: Duration,
    /// Why it is over.
    pub end: MeetingEnd,
    /// The master, those of the list, and who else came.
    pub people: Vec<PersonReport>,
}

/// What is told of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonReport {
    /// The number.
    pub number: BString,
    /// The name.
    pub name: BString,
    /// What he was to the conference.
    pub kind: PersonKind,
    /// Whether he was to be heard.
    pub role: Role,
    /// How it stood with him at the end.
    pub state: PersonState,
    /// How often he was called.
    pub attempts: u32,
    /// When he came first.
    pub joined: Option<Timestamp>,
    /// How long he was there, in all.
    pub present: Duration,
}

impl MeetingReport {
    /// The names of [`Self::rows`]'s columns.
    pub const COLUMNS: [&'static str; 13] = [
        "room", "began", "ended", "end", "place", "number", "name", "kind", "role", "state",
        "attempts", "joined", "present",
    ];

    /// A row for each of them.
    pub fn rows(&self) -> impl Iterator<Item = [String; 13]> + '_ {
        self.people.iter().enumerate().map(|(place, it)| {
            [
                self.room.to_str_lossy().into_owned(),
                self.began.to_string(),
                self.ended.to_string(),
                self.end.as_str().into(),
                place.to_string(),
                it.number.to_str_lossy().into_owned(),
                it.name.to_str_lossy().into_owned(),
                it.kind.as_str().into(),
                it.role.as_str().into(),
                it.state.as_str().into(),
                it.attempts.to_string(),
                it.joined.map(|at| at.to_string()).unwrap_or_default(),
                it.present.as_secs().to_string(),
            ]
        })
    }

    /// How many came.
    pub fn came(&self) -> usize {
        self.people.iter().filter(|it| it.joined.is_some()).count()
    }
}
