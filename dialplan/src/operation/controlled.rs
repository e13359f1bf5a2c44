//! What is asked for and told of a playback that the caller steers.

use std::time::Duration;

use bstr::BString;

use super::{Digit, DigitSet};

/// Arguments of ControlPlayback. A key that is in several sets does what the first of them says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlay {
    /// Name as in the dialplan, without extension.
    pub file: BString,
    /// Where it begins.
    pub offset: Duration,
    /// How far a jump goes.
    pub skip: Duration,
    /// Keys that jump forward.
    pub forward: DigitSet,
    /// Keys that jump back.
    pub rewind: DigitSet,
    /// Keys that begin anew.
    pub restart: DigitSet,
    /// Keys that pause it and go on with it.
    pub pause: DigitSet,
    /// Keys that stop it.
    pub stop: DigitSet,
}

/// How a steered playback ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlEnd {
    /// All was played.
    Completed,
    /// The caller stopped it.
    Stopped {
        /// With this key.
        digit: Digit,
        /// How far from the beginning.
        at: Duration,
    },
}
