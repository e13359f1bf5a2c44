//! Recordings as the switch and those who write them speak of them; neither file nor clock here.
//!
//! Whoever wants to record asks with a [`RecordingRequest::Open`] and is told by a
//! [`RecordingNews`] when the files are there; the ring that comes with it goes to a media shard,
//! which fills it. Every `Open` is followed by exactly one `Close`, unless it failed.

mod format;
mod place;

use std::{path::PathBuf, time::Duration};

use bstr::ByteSlice;
use diesis_sounds::convert::target::Target;

use crate::media::Rate;

pub use format::{FormatError, format_of};
pub use place::{Base, PlaceError, RecordingSettings};

/// Names one recording for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId(u64);

impl RecordingId {
    /// The recording of this number.
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Reads the number that the dialplan was told.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        text.to_str().ok()?.parse().ok().map(Self)
    }

    /// The number it was made of.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What whoever writes recordings is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordingRequest {
    /// Creates the files; `Opened` or `Failed` follows.
    Open(Box<NewRecording>),
    /// Nothing more will come once the ring is empty and its other end gone. `Closed` follows when
    /// the files are whole.
    Close {
        /// Which recording.
        id: RecordingId,
        /// How much is cut off the end.
        trim: Duration,
        /// What becomes of the files.
        fate: Fate,
    },
}

/// A recording to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecording {
    /// Its name in requests and news.
    pub id: RecordingId,
    /// Samples a second of what comes through the ring.
    pub rate: u32,
    /// What comes through the ring.
    pub input: Input,
    /// By how much each side is made louder or softer.
    pub volumes: Volumes,
    /// Where it is written, each track to a file of its own.
    pub files: Vec<NewFile>,
}

/// What comes through a recording's ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// One sample for each moment.
    Mono,
    /// A sample of what the peer says and one of what it hears, in turn.
    Apart,
}

impl Input {
    /// Samples for each moment.
    pub const fn channels(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::Apart => 2,
        }
    }
}

/// One file of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// How it is stored, but for its channels, which the track tells.
    pub format: Target,
    /// What it holds.
    pub track: Track,
    /// What becomes of a file that is there.
    pub existing: Existing,
}

impl NewFile {
    /// The rate of what comes through the ring for it: what calls may hold of its own.
    pub(crate) fn ring_rate(&self) -> Rate {
        let rates = [Rate::Narrow, Rate::Wide, Rate::Full];
        rates.into_iter().find(|rate| rate.hertz() >= self.format.rate).unwrap_or(Rate::Full)
    }
}

/// What a file of a recording holds. Of a [`Input::Mono`] recording all are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Track {
    /// What the peer says and hears, added up.
    Mixed,
    /// What the peer says.
    Heard,
    /// What the peer hears.
    Sent,
    /// What it says on the left, what it hears on the right.
    Stereo,
}

/// What becomes of a file of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It is written over.
    #[default]
    Replaced,
    /// It is gone on with.
    Continued,
    /// It stays: `%d` of the name becomes the lowest number of which there is no file.
    Numbered,
}

/// What becomes of the files at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    /// They stay.
    #[default]
    Kept,
    /// They are deleted.
    Deleted,
}

/// Changes of loudness in steps of 6 dB, -4 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volumes {
    /// Of what the peer says.
    pub heard: i8,
    /// Of what it hears.
    pub sent: i8,
}

/// What whoever writes recordings tells.
#[derive(Debug)]
pub enum RecordingNews {
    /// The files are there.
    Opened {
        /// Which recording.
        id: RecordingId,
        /// Takes the samples; dropped at the end.
        sink: rtrb::Producer<i16>,
        /// What stands for `%d`.
        number: Option<u32>,
        /// Where the files are, in the order asked for.
        paths: Vec<PathBuf>,
    },
    /// A file can not be created: there is no such recording.
    Failed {
        /// Which recording.
        id: RecordingId,
        /// Why.
        reason: String,
    },
    /// A file can not be written on; what was written stays. `Close` is still due.
    Broken {
        /// Which recording.
        id: RecordingId,
        /// Why.
        reason: String,
    },
    /// The files are whole.
    Closed {
        /// Which recording.
        id: RecordingId,
        /// How long it is.
        length: Duration,
    },
}

impl RecordingNews {
    /// Which recording it is about.
    pub fn id(&self) -> RecordingId {
        match self {
            Self::Opened { id, .. }
            | Self::Failed { id, .. }
            | Self::Broken { id, .. }
            | Self::Closed { id, .. } => *id,
        }
    }
}
