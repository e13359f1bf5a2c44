//! What `robots.conf` says of the calls of robots: which application a range works for, how many
//! calls a robot takes at a time, and how it is found out for whom a call is.

use std::collections::HashMap;

use bstr::{BStr, BString};

use super::super::named::Name;

/// One range of robots. All ranges that name the same application are its pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RobotRange {
    /// Its section, which is the name of its peer and of its registrations, too.
    pub section: BString,
    /// The pool: the application that the range works for (`application`), in lower case. Default:
    /// the section.
    pub pool: BString,
    /// The robots.
    pub numbers: Vec<BString>,
    /// How many calls a robot takes at a time. Default 1, as a station of a telephone system.
    pub lines: u32,
    /// What becomes of a call to a robot that has none free.
    pub when_busy: WhenBusy,
    /// Whom a call is for: what is asked first comes first.
    pub attribution: Vec<AttributedBy>,
    /// Who of several that diverted a call one after the other.
    pub diverter: WhichDiverter,
    /// Whether numbers of users are read by the numbering plan.
    pub numbering: Numbering,
    /// Whose robot each is, by its number (`map`).
    pub users: HashMap<BString, BString>,
}

impl RobotRange {
    /// A range without robots, with all else as it is by default.
    pub fn new(section: impl Into<BString>) -> Self {
        let section = section.into();
        Self {
            pool: section.to_ascii_lowercase().into(),
            section,
            numbers: vec![],
            lines: 1,
            when_busy: WhenBusy::default(),
            attribution: AttributedBy::ALL.to_vec(),
            diverter: WhichDiverter::default(),
            numbering: Numbering::default(),
            users: HashMap::new(),
        }
    }
}

impl Name for RobotRange {
    fn name(&self) -> &BStr {
        self.section.as_ref()
    }
}

/// What becomes of a call to a robot that is busy (`when_busy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// It occupies the next free robot of the range, or else the next free one of the pool that is
    /// registered, and is refused only when there is none.
    #[default]
    Next,
    /// It occupies the next free robot of the range, and is refused when there is none.
    Range,
    /// It is refused with 486.
    Refuse,
}

/// By what a call is attributed to a user (`attribution`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttributedBy {
    /// The header of RFC 5806.
    Diversion,
    /// The header of RFC 7044.
    HistoryInfo,
    /// The To header, which keeps whom the caller asked for.
    To,
    /// The operator's word.
    Mapping,
}

impl AttributedBy {
    /// All, in the order in which they are asked by default.
    pub const ALL: [Self; 4] = [Self::Diversion, Self::HistoryInfo, Self::To, Self::Mapping];

    /// As it is written in `robots.conf` and told by `ROBOT(by)`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Diversion => "diversion",
            Self::HistoryInfo => "history-info",
            Self::To => "to",
            Self::Mapping => "mapping",
        }
    }

    /// The one of this name, in any letter case.
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Who counts of those that diverted a call one after the other (`diverter`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhichDiverter {
    /// The first: whom the caller wanted.
    First,
    /// The last: whose rule led to the robot.
    #[default]
    Last,
}

/// Whether numbers of users pass the numbering plan's incoming rules (`numbering`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbering {
    /// Yes, where there is a `numbering.conf`.
    #[default]
    Applied,
    /// They stay as they came.
    Left,
}
