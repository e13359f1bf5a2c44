//! Linear samples: 16-bit, mono, in the machine's order. Levels and conversions on slices.
//!
//! Conversions between rates are in `resample`, between file layouts in `format`.

/// The rate of G.711 and of everything that is mixed or played: 8000 samples a second.
pub const TELEPHONE_RATE: u32 = 8000;

/// A sample of -1.0..1.0 as 16 bits: rounded to nearest, saturated, not-a-number as silence.
#[inline]
#[must_use]
pub fn from_f32(value: f32) -> i16 {
    // `as` saturates and turns NaN into 0.
    (value * 32_768.0).round() as i16
}

/// A 16-bit sample as -1.0..1.0.
#[inline]
#[must_use]
pub fn to_f32(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// Greatest magnitude, 0 for no samples; 32768 for `i16::MIN`.
#[must_use]
pub fn peak(samples: &[i16]) -> u16 {
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

/// Root mean square in sample units, 0 for no samples.
#[must_use]
pub fn rms(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let energy: u64 = samples.iter().map(|&s| u64::from(s.unsigned_abs()).pow(2)).sum();
    (energy as f64 / samples.len() as f64).sqrt()
}

/// Level in dBov (RFC 6464 §3: a full-scale square wave is 0), `-infinity` for digital silence.
#[must_use]
pub fn level_dbov(samples: &[i16]) -> f64 {
    20.0 * (rms(samples) / 32_768.0).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_round_saturate_and_never_wrap() {
        assert_eq!(from_f32(0.0), 0);
        assert_eq!(from_f32(1.0), i16::MAX);
        assert_eq!(from_f32(-1.0), i16::MIN);
        assert_eq!(from_f32(1e30), i16::MAX);
        assert_eq!(from_f32(f32::NEG_INFINITY), i16::MIN);
        assert_eq!(from_f32(f32::NAN), 0);
        assert_eq!(from_f32(0.6 / 32_768.0), 1);
    }

    #[test]
    fn every_sample_survives_the_float_round_trip() {
        assert!((i16::MIN..=i16::MAX).all(|sample| from_f32(to_f32(sample)) == sample));
    }

    #[test]
    fn levels_of_known_signals() {
        assert_eq!(peak(&[]), 0);
        assert_eq!(peak(&[3, i16::MIN, 5]), 32_768);
        assert_eq!(rms(&[]), 0.0);
        assert_eq!(rms(&[3, -3, 3, -3]), 3.0);
        assert_eq!(level_dbov(&[i16::MIN; 160]), 0.0);
        assert_eq!(level_dbov(&[0; 160]), f64::NEG_INFINITY);
    }
}
