//! From real numbers to whole ones: with noise that makes the error independent of the sound, or
//! without.

use crate::vector::vectorized;

/// Rounds samples of full scale 1 to whole numbers of a width.
///
/// Dither is triangular noise of two steps (TPDF), the same in every run. Digital silence stays
/// what it is.
#[derive(Debug, Clone)]
pub(super) struct Quantizer {
    /// Steps of full scale.
    scale: f32,
    dither: bool,
    /// Of the noise: one more with each sample.
    at: u32,
    clipped: u64,
}

impl Quantizer {
    /// For 8 to 24 bits. `seed` keeps the noise of channels apart.
    pub(super) fn new(bits: u32, dither: bool, seed: u32) -> Self {
        Self {
            scale: (1_u32 << (bits - 1)) as f32,
            dither,
            at: seed.wrapping_mul(0x9e37_79b9),
            clipped: 0,
        }
    }

    /// Appends the whole numbers.
    pub(super) fn quantize(&mut self, samples: &[f32], out: &mut Vec<i32>) {
        let begin = out.len();
        out.resize(begin + samples.len(), 0);
        let out = &mut out[begin..];
        self.clipped += if self.dither {
            let clipped = dithered(samples, self.scale, self.at, out);
            self.at = self.at.wrapping_add(samples.len() as u32);
            clipped
        } else {
            plain(samples, self.scale, out)
        };
    }

    /// How many samples were beyond full scale.
    pub(super) const fn clipped(&self) -> u64 {
        self.clipped
    }
}

vectorized! {
    fn dithered(samples: &[f32], scale: f32, from: u32, out: &mut [i32]) -> u64 {
        let mut clipped = 0_u32;
        for ((out, &sample), n) in out.iter_mut().zip(samples).zip(0_u32..) {
            let noise = triangular(from.wrapping_add(n));
            let value = sample * scale;
            clipped = clipped.wrapping_add(u32::from(beyond(value, scale)));
            let value = if sample == 0.0 { 0.0 } else { value + noise };
            *out = rounded(value, scale);
        }
        u64::from(clipped)
    }
}

vectorized! {
    fn plain(samples: &[f32], scale: f32, out: &mut [i32]) -> u64 {
        let mut clipped = 0_u32;
        for (out, &sample) in out.iter_mut().zip(samples) {
            let value = sample * scale;
            clipped = clipped.wrapping_add(u32::from(beyond(value, scale)));
            *out = rounded(value, scale);
        }
        u64::from(clipped)
    }
}

/// Beyond the largest whole number by more than rounding makes good.
#[inline(always)]
fn beyond(value: f32, scale: f32) -> bool {
    value >= scale - 0.5 || value < -scale - 0.5
}

/// To the nearest whole number that there is.
#[inline(always)]
fn rounded(value: f32, scale: f32) -> i32 {
    let value = value.clamp(-scale, scale - 1.0);
    // A float of this size holds no fraction: adding it rounds, by the processor's own rule.
    // What its bits count from there on is the whole number.
    if scale <= 32_768.0 {
        ((value + ROUNDER).to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32)
    } else {
        value.round_ties_even() as i32
    }
}

/// 1.5 times 2 to the 23.
const ROUNDER: f32 = 12_582_912.0;

/// The sum of two even distributions of one step each, -1.0..1.0, by the sample's number alone.
#[inline(always)]
fn triangular(number: u32) -> f32 {
    // A mixing function of 32 bits: every bit of the number decides on every bit of the result.
    let mut bits = number.wrapping_add(0x6a09_e667);
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x21f0_aaad);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x735a_2d97);
    bits ^= bits >> 15;
    let (one, other) = (bits & 0xffff, bits >> 16);
    (one as i32 - other as i32) as f32 * (1.0 / 65_536.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantized(samples: &[f32], bits: u32, dither: bool) -> (Vec<i32>, u64) {
        let mut quantizer = Quantizer::new(bits, dither, 0);
        let mut out = vec![];
        quantizer.quantize(samples, &mut out);
        (out, quantizer.clipped())
    }

    #[test]
    fn whole_numbers_stay_and_what_is_too_loud_is_counted() {
        for (bits, scale) in [(8, 128.0), (16, 32_768.0_f32), (24, 8_388_608.0)] {
            let samples = [0.0, 1.0 / scale, -1.0, (scale - 1.0) / scale, 1.0, 7.0, -1.1];
            let most = scale as i32 - 1;
            let (out, clipped) = quantized(&samples, bits, false);
            assert_eq!(out, [0, 1, -most - 1, most, most, most, -most - 1], "{bits}");
            assert_eq!(clipped, 3, "{bits}");
        }
        let all: Vec<f32> = (i16::MIN..=i16::MAX).map(|it| f32::from(it) / 32_768.0).collect();
        let (out, clipped) = quantized(&all, 16, false);
        assert!(out.iter().copied().eq(i16::MIN.into()..=i16::MAX.into()) && clipped == 0);
    }

    #[test]
    fn noise_is_triangular_and_independent_of_the_sound() {
        // A third of a step: without noise it would be lost.
        let samples = vec![1.0 / 3.0 / 32_768.0; 1 << 18];
        let (out, _) = quantized(&samples, 16, true);
        let count = out.len() as f64;
        let mean: f64 = out.iter().map(|&it| f64::from(it)).sum::<f64>() / count;
        assert!((mean - 1.0 / 3.0).abs() < 0.005, "{mean}");
        let power: f64 =
            out.iter().map(|&it| (f64::from(it) - 1.0 / 3.0).powi(2)).sum::<f64>() / count;
        // Two even distributions and the rounding: a quarter of a step squared.
        assert!((power - 0.25).abs() < 0.003, "{power}");
        assert!(out.iter().all(|it| (-1..=2).contains(it)));
    }

    #[test]
    fn silence_has_no_noise_and_two_runs_are_the_same() {
        let mut samples = vec![0.0; 1000];
        assert!(quantized(&samples, 16, true).0.iter().all(|&it| it == 0));
        samples[500] = 0.1;
        assert_eq!(quantized(&samples, 16, true), quantized(&samples, 16, true));
    }
}
