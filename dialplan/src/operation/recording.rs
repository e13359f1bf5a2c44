//! What is recorded: a message with Record, the whole call with MixMonitor.

use std::time::Duration;

use bstr::BString;

use super::{DigitSet, Options};

/// Arguments of Record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// File name without format; `%d` stands for the next free number.
    pub name: BString,
    /// Format (`wav`, `ulaw`, ...).
    pub format: BString,
    /// End after so much silence.
    pub silence: Option<Duration>,
    /// End after so much recording.
    pub limit: Option<Duration>,
    /// Keys that end the recording.
    pub stop: DigitSet,
    /// Option letters with their arguments (`q` no beep, `a` append, `n` do not answer, `k` keep on hangup, ...).
    pub options: Options,
}

/// How a recording ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// RECORD_STATUS: `DTMF`, `SILENCE`, `SKIP`, `TIMEOUT`, `HANGUP`, `ERROR`.
    pub status: BString,
    /// RECORDED_FILE, without format.
    pub file: BString,
}

/// Arguments of MixMonitor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MixMonitor {
    /// Takes both sides: name and format.
    pub file: Option<BString>,
    /// Takes what the caller says (option r).
    pub heard_file: Option<BString>,
    /// Takes what the caller hears (option t).
    pub sent_file: Option<BString>,
    /// By how many steps of 6 dB what the caller says is made louder, -4 to 4 (options v and W).
    pub heard_volume: i8,
    /// The same for what it hears (options V and W).
    pub sent_volume: i8,
    /// Files that are there are gone on with (option a).
    pub appends: bool,
    /// Only while the channel is connected with others (option b).
    pub only_bridged: bool,
    /// The files are deleted at the end (option d).
    pub is_deleted: bool,
    /// What the caller says on the left, what it hears on the right (option D).
    pub is_stereo: bool,
    /// A beep tells of the beginning (option p).
    pub beeps_at_start: bool,
    /// A beep tells of the end (option P).
    pub beeps_at_end: bool,
    /// A beep tells of it again and again (option B).
    pub beeps_every: Option<Duration>,
}

/// Whether monitors write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorState {
    /// They do.
    Running,
    /// What comes is left out.
    Paused,
}
