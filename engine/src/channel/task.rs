//! The one thing a channel is doing for whoever controls it, and how it can end.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use bstr::BString;

use super::{
    DigitSet, OtherDigits, Playback,
    controlled::{Controlled, ControlledEnd},
    listening::Listening,
    program::Attached,
    recording::{RecordEnd, Taking},
};
use crate::{
    media::{Digit, Noticed},
    recording::RecordingId,
};

/// How to read digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadDigits {
    /// Done when this many are read.
    pub max: usize,
    /// A digit that ends the reading and is not part of what is read.
    pub terminator: Option<Digit>,
    /// How long to wait for the first digit.
    pub first: Duration,
    /// How long to wait for each further digit.
    pub between: Duration,
}

impl Default for ReadDigits {
    /// Up to 20 digits, `#` ends, 10 s for the first and 5 s between: the dialplan's defaults.
    fn default() -> Self {
        Self {
            max: 20,
            terminator: Digit::from_char('#'),
            first: Duration::from_secs(10),
            between: Duration::from_secs(5),
        }
    }
}

/// Why a reading of digits ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// As many digits as asked for.
    Full,
    /// The terminator was pressed.
    Terminator,
    /// No digit came in time.
    Timeout,
}

/// What the channel is doing.
#[derive(Debug, Default)]
pub(super) enum Task {
    /// Nothing.
    #[default]
    Idle,
    /// Answered: waits for the caller's first packet, then for `delay`.
    Settling { media_until: Instant, delay: Duration },
    /// Time passes; digits are dropped or kept.
    Waiting { until: Instant, others: OtherDigits },
    /// Plays, and stops at a digit or, for tones, at `until`.
    Playing { playback: Playback, until: Option<Instant> },
    /// Waits for one digit.
    WaitingDigit { until: Option<Instant> },
    /// Collects digits.
    Reading { read: ReadDigits, digits: Vec<Digit>, until: Instant },
    /// Sends the caller's audio and digits back until `#`.
    Echoing,
    /// Sends digits.
    Sending,
    /// Waits for the files of a monitor.
    Opening(RecordingId),
    /// Plays, steered by keys.
    Controlled(Box<Controlled>),
    /// Listens to the caller.
    Listening(Box<Listening>),
    /// Records the caller.
    Recording(Box<Taking>),
    /// A program hears the caller and speaks to it.
    Talking(Attached),
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskOutcome {
    /// As it should.
    Done,
    /// A digit ended it.
    Digit(Digit),
    /// The time was up.
    TimedOut,
    /// Digits were read.
    Digits { digits: Vec<Digit>, ended_by: ReadEnd },
    /// It played what was there; this prompt was not.
    Missing(BString),
    /// A steered playback ended.
    Controlled(ControlledEnd),
    /// It was heard.
    Noticed(Noticed),
    /// It was recorded, to the file of this name.
    Recorded { end: RecordEnd, file: BString },
    /// A monitor runs, and writes there.
    Monitoring { id: RecordingId, file: PathBuf },
    /// It could not be done.
    Failed(&'static str),
}

impl Task {
    /// When the task wants to be looked at again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Idle
            | Self::Echoing
            | Self::Sending
            | Self::Opening(_)
            | Self::Controlled(_)
            | Self::Talking(_) => None,
            Self::Settling { media_until, .. } => Some(*media_until),
            Self::Waiting { until, .. } | Self::Reading { until, .. } => Some(*until),
            Self::Playing { until, .. } | Self::WaitingDigit { until } => *until,
            Self::Listening(listening) => listening.until,
            Self::Recording(taking) => taking.deadline(),
        }
    }

    /// Which digits stop a playback in progress.
    pub(super) fn stop_digits(&self) -> DigitSet {
        match self {
            Self::Playing { playback, .. } => playback.stop,
            Self::Listening(listening) => listening.stop,
            _ => DigitSet::NONE,
        }
    }
}
