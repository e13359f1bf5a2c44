//! Headerless samples: what has to be told of them, and the names of their codings.

use crate::coding::{Coding, Order};
use crate::error::SoundError;
use crate::format::Format;
use crate::sound::{MAX_RATE, MIN_RATE};

/// What a file without a header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawLayout {
    coding: Coding,
    rate: u32,
    channels: u16,
    skip: u64,
}

impl RawLayout {
    /// One channel, from the first byte on.
    ///
    /// # Errors
    /// When no sound has such a rate.
    pub fn new(coding: Coding, rate: u32) -> Result<Self, SoundError> {
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(SoundError::UnsupportedRate { rate });
        }
        Ok(Self { coding, rate, channels: 1, skip: 0 })
    }

    /// So many channels by turns.
    ///
    /// # Errors
    /// When the coding does not hold so many.
    pub fn channels(self, channels: u16) -> Result<Self, SoundError> {
        if !self.coding.holds(channels) {
            return Err(SoundError::TooManyChannels { coding: self.coding.name(), channels });
        }
        Ok(Self { channels, ..self })
    }

    /// So many bytes at the beginning are something else.
    #[must_use]
    pub const fn skip(self, bytes: u64) -> Self {
        Self { skip: bytes, ..self }
    }

    pub(crate) const fn parts(self) -> (Coding, u32, u16, u64) {
        (self.coding, self.rate, self.channels, self.skip)
    }
}

/// The coding that a name stands for, and its rate if the name tells: `s16le`, `f32be`, and the
/// extensions of headerless files (`ulaw`, `sln16`, `g722`).
#[must_use]
pub fn coding_named(name: &str) -> Option<(Coding, Option<u32>)> {
    let lower = name.to_ascii_lowercase();
    if let Some(Format::Raw { coding, rate }) = Format::from_extension(&lower) {
        // Without a number "raw" and "sln" are what they are at 8 kHz; laws are at any rate.
        return Some((coding, Some(rate)));
    }
    let (kind, order) = match lower.strip_suffix("be") {
        Some(kind) => (kind, Order::Big),
        None => (lower.strip_suffix("le").unwrap_or(&lower), Order::Little),
    };
    let coding = match kind {
        "u8" => Coding::Unsigned8,
        "s8" => Coding::Signed8,
        "s16" => Coding::Signed16(order),
        "s24" => Coding::Signed24(order),
        "s32" => Coding::Signed32(order),
        "f32" => Coding::Float32(order),
        "f64" => Coding::Float64(order),
        _ => return None,
    };
    Some((coding, None))
}

/// The names that are not extensions, for messages.
pub const CODING_NAMES: &str =
    "u8, s8, s16le, s16be, s24le, s24be, s32le, s32be, f32le, f32be, f64le, f64be";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::Encoder;
    use crate::sound::Sound;

    fn parse(bytes: &[u8], coding: Coding, rate: u32) -> Sound {
        Format::Raw { coding, rate }.parse(bytes).unwrap()
    }

    fn write(samples: &[i16], coding: Coding) -> Vec<u8> {
        let mut bytes = vec![];
        Encoder::new(coding).unwrap().encode(samples, &mut bytes);
        bytes
    }

    #[test]
    fn what_is_written_is_read_back() {
        let samples: Vec<i16> = (-2000..2000).map(|n| n * 16).collect();
        let sound = parse(&write(&samples, Coding::LINEAR), Coding::LINEAR, 12_000);
        assert_eq!((sound.rate, sound.samples), (12_000, samples.clone()));
        for coding in [Coding::Ulaw, Coding::Alaw] {
            let once = parse(&write(&samples, coding), coding, 8000).samples;
            let twice = parse(&write(&once, coding), coding, 8000).samples;
            assert_eq!(once, twice);
            assert!(once.iter().zip(&samples).all(|(a, b)| a.abs_diff(*b) <= 512));
        }
    }

    #[test]
    fn half_a_sample_at_the_end_is_dropped() {
        assert_eq!(parse(&[1, 0, 2], Coding::LINEAR, 8000).samples, [1]);
        assert_eq!(parse(&[], Coding::Ulaw, 8000).samples, []);
    }

    #[test]
    fn names_tell_codings() {
        assert_eq!(coding_named("S16BE"), Some((Coding::Signed16(Order::Big), None)));
        assert_eq!(coding_named("f32"), Some((Coding::Float32(Order::Little), None)));
        assert_eq!(coding_named("sln16"), Some((Coding::LINEAR, Some(16_000))));
        assert_eq!(coding_named("ul"), Some((Coding::Ulaw, Some(8000))));
        for name in CODING_NAMES.split(", ") {
            assert!(coding_named(name).is_some(), "{name}");
        }
        for name in ["", "wav", "s12", "be", "mp3"] {
            assert_eq!(coding_named(name), None, "{name}");
        }
    }

    #[test]
    fn layouts_that_can_not_be_are_refused() {
        assert!(RawLayout::new(Coding::Ulaw, 0).is_err());
        let gsm = RawLayout::new(Coding::Gsm, 8000).unwrap();
        assert!(gsm.channels(2).is_err() && gsm.channels(0).is_err() && gsm.channels(1).is_ok());
    }
}
