//! What can be done to a sound beside its format, as values.

use std::time::Duration;

use crate::signal::silence;

/// How loud the result is made.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Level {
    /// As loud as it is, times [`Conversion::gain`](super::Conversion::gain) and within
    /// [`Conversion::guard`](super::Conversion::guard), which count here only.
    #[default]
    Kept,
    /// This integrated loudness (ITU-R BS.1770-4) of each output as it is written, pauses and
    /// edges included. What is silent throughout stays as it is.
    Loudness {
        /// In LUFS; one channel counts as one.
        target: f64,
        /// The true peak, in dBFS, where it ends: the result is less loud then.
        ceiling: f64,
    },
    /// The greatest sample at so many dBFS.
    Peak(f64),
}

impl Level {
    /// Where the true peak ends if nothing else is said: telephones and their codecs cut what is
    /// above.
    pub const CEILING: f64 = -3.0;
}

/// Which part of the input is taken, by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Section {
    /// What is left out at the beginning.
    pub from: Duration,
    /// Where it ends, counted from the beginning of the input too.
    pub to: Option<Duration>,
}

/// Silence at both ends is left out. A sound that is silent throughout stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trim {
    /// Below this, in dBFS, it is [silence](silence::Silence).
    pub threshold: f64,
    /// How much of it is kept at either end.
    pub keep: Duration,
}

impl Default for Trim {
    /// So that words keep the beginning and the end that they fade from and into.
    fn default() -> Self {
        Self { threshold: silence::THRESHOLD, keep: Duration::from_millis(20) }
    }
}

/// A time at either end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    /// At the beginning.
    pub before: Duration,
    /// At the end.
    pub after: Duration,
}

/// Noise in pauses becomes digital silence.
///
/// A stretch of 10 ms whose root mean square is below the threshold is noise. What is louder is
/// whole from the 10 ms before it to the end of `hold` after it, and fades over `release` then;
/// both slopes are raised cosines, so nothing clicks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// In dBFS, of the sound before it is made louder or quieter.
    pub threshold: f64,
    /// How long it stays open.
    pub hold: Duration,
    /// How long it closes.
    pub release: Duration,
}

impl Gate {
    /// With a hold of 150 ms, more than the stop of a consonant, and a release of 100 ms.
    #[must_use]
    pub const fn new(threshold: f64) -> Self {
        let (hold, release) = (Duration::from_millis(150), Duration::from_millis(100));
        Self { threshold, hold, release }
    }
}

/// A time as samples, to the nearest.
pub(super) fn samples(time: Duration, rate: u32) -> u64 {
    let samples = (time.as_nanos() * u128::from(rate) + NANOS / 2) / NANOS;
    u64::try_from(samples).unwrap_or(u64::MAX)
}

/// So many samples as a time.
pub(super) fn time(samples: u64, rate: u32) -> Duration {
    let nanos = u128::from(samples) * NANOS / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

const NANOS: u128 = 1_000_000_000;
