//! How a member of a room is heard and hears: volumes, and what counts as talking.

use std::time::Duration;

use super::Rate;

/// A volume, in steps of 3 dB from how it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gain {
    steps: i8,
}

impl Gain {
    /// As it is.
    pub const UNITY: Self = Self { steps: 0 };

    /// Louder by a step, up to 24 dB.
    #[must_use]
    pub const fn louder(self) -> Self {
        Self { steps: if self.steps < MOST_STEPS { self.steps + 1 } else { MOST_STEPS } }
    }

    /// Quieter by a step, down to -24 dB.
    #[must_use]
    pub const fn quieter(self) -> Self {
        Self { steps: if self.steps > -MOST_STEPS { self.steps - 1 } else { -MOST_STEPS } }
    }

    /// How much, in dB.
    pub const fn decibels(self) -> i32 {
        self.steps as i32 * 3
    }

    /// Makes sound louder or quieter; what is too loud is cut off.
    pub(crate) fn apply(self, samples: &mut [i16]) {
        if self == Self::UNITY {
            return;
        }
        let factor = FACTORS[(self.steps + MOST_STEPS) as usize];
        for sample in samples {
            let louder = (i32::from(*sample) * factor) >> FACTOR_BITS;
            *sample = louder.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
    }
}

/// 24 dB either way.
const MOST_STEPS: i8 = 8;

const FACTOR_BITS: u32 = 12;

/// 3 dB apart, as multiples of 2^-12; 2 for each 6 dB.
const FACTORS: [i32; 17] = [
    258, 365, 516, 730, 1029, 1456, 2048, 2896, 4096, 5793, 8192, 11_585, 16_384, 23_170, 32_768,
    46_341, 65_536,
];

/// What counts as talking, and what is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TalkRules {
    /// Whether [`Talking`](super::Event::Talking) tells when it begins and ends.
    pub events: bool,
    /// Whether the member is left out of the mix meanwhile.
    pub drops_silence: bool,
    /// The mean magnitude of a frame of talk.
    pub talking_threshold: u16,
    /// How long a silence ends it.
    pub silence_threshold: Duration,
}

impl Default for TalkRules {
    /// Those of ConfBridge.
    fn default() -> Self {
        Self {
            events: false,
            drops_silence: false,
            talking_threshold: 160,
            silence_threshold: Duration::from_millis(2500),
        }
    }
}

/// What frequencies a room's mix holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixRate {
    /// As much as is of use to its members, up to this.
    UpTo(Rate),
    /// This, whoever is there.
    At(Rate),
}

impl Default for MixRate {
    fn default() -> Self {
        Self::UpTo(Rate::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_volume_are_3_db_and_bounded() {
        let mut gain = Gain::UNITY;
        for _ in 0..20 {
            gain = gain.louder();
        }
        assert_eq!(gain.decibels(), 24);
        let mut samples = [1000, -1000, 10_000];
        gain.apply(&mut samples);
        assert_eq!(samples, [16_000, -16_000, i16::MAX]);
        let mut samples = [1000];
        Gain::UNITY.quieter().quieter().apply(&mut samples);
        assert_eq!(samples, [500]);
        for (index, factor) in FACTORS.iter().enumerate() {
            let exact = 4096.0 * f64::powf(2.0, (index as f64 - 8.0) / 2.0);
            assert!((f64::from(*factor) / exact - 1.0).abs() < 0.01, "{index}: {exact}");
        }
    }
}
