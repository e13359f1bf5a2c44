//! Times and places in a sound, as effects are told them.

/// A length: seconds and samples added up, each possibly negative.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Time {
    /// Seconds.
    pub seconds: f64,
    /// Frames, at the rate where the effect stands.
    pub frames: f64,
}

impl Time {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: f64) -> Self {
        Self { seconds, frames: 0.0 }
    }

    /// The same in frames of a rate; what comes before the beginning is the beginning.
    #[must_use]
    pub fn at(self, rate: u32) -> u64 {
        let frames = (self.seconds * f64::from(rate)).round() + self.frames.round();
        // Saturates: nothing is that long.
        frames.max(0.0) as u64
    }
}

/// A place in a sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// What it is counted from.
    pub from: Origin,
    /// How far.
    pub time: Time,
}

/// What a place is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `=`: the beginning.
    Begin,
    /// `+`: the place named before.
    Previous,
    /// `-`: the end, backwards.
    End,
}

impl Position {
    /// The frame that it is, in a sound of `len` frames. `None` before the beginning.
    #[must_use]
    pub(super) fn at(self, rate: u32, previous: u64, len: u64) -> Option<u64> {
        let time = self.time.at(rate);
        match self.from {
            Origin::Begin => Some(time),
            Origin::Previous => Some(previous.saturating_add(time)),
            Origin::End => len.checked_sub(time),
        }
    }
}
