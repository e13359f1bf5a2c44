//! Keeps a mix within what 16 bits hold: it becomes quieter for a while where cutting it off would
//! be heard as a crackle.

use diesis_sounds::mix;

/// The limiter of one listener, or of all who hear the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limiter {
    /// At the end of the frame before; at most 1.
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// A frame of a sum, as loud as it may be.
    #[inline]
    pub(crate) fn apply<const N: usize>(&mut self, sum: &[i32; N]) -> [i16; N] {
        let mut samples = [0; N];
        let peak = mix::saturate(sum, &mut samples);
        if self.has_to_limit(peak) { self.limit(sum, peak) } else { samples }
    }

    /// A frame of a sum without one of its voices.
    #[inline]
    pub(crate) fn apply_without<const N: usize>(
        &mut self,
        sum: &[i32; N],
        voice: &[i16; N],
    ) -> [i16; N] {
        let mut samples = [0; N];
        let peak = mix::without(sum, voice, &mut samples);
        if !self.has_to_limit(peak) {
            return samples;
        }
        self.limit(&std::array::from_fn(|n| sum[n] - i32::from(voice[n])), peak)
    }

    fn has_to_limit(self, peak: u32) -> bool {
        peak > LOUDEST || self.gain < 1.0
    }

    /// The frame is too loud, or one before was.
    #[cold]
    #[inline(never)]
    fn limit<const N: usize>(&mut self, sum: &[i32; N], peak: u32) -> [i16; N] {
        let wanted = if peak > LOUDEST { LOUDEST as f32 / peak as f32 } else { 1.0 };
        let from = self.gain;
        // Down within a millisecond, up by half a dB a frame.
        let (to, steps) = match wanted < from {
            true => (wanted, N / ATTACK),
            false => (wanted.min(from * RELEASE), N),
        };
        let step = (to - from) / steps as f32;
        let mut samples = [0; N];
        for (n, (sample, &sum)) in samples.iter_mut().zip(sum).enumerate() {
            let gain = if n < steps { from + step * n as f32 } else { to };
            // Within that millisecond it may still be too much.
            *sample = (sum as f32 * gain) as i16;
        }
        self.gain = if to > NEARLY_ONE { 1.0 } else { to };
        samples
    }
}

const LOUDEST: u32 = i16::MAX as u32;

/// This part of a frame is 1 ms.
const ATTACK: usize = 20;

/// 0.5 dB.
const RELEASE: f32 = 1.06;

const NEARLY_ONE: f32 = 0.999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_left_as_it_is() {
        let mut limiter = Limiter::default();
        assert_eq!(limiter.apply(&[32_767, -32_767, 5]), [32_767, -32_767, 5]);
        assert_eq!(limiter, Limiter::default());
    }

    #[test]
    fn what_is_too_loud_keeps_its_shape_and_recovers() {
        let sine = |amplitude: f64| -> [i32; 160] {
            std::array::from_fn(|n| {
                (amplitude * (std::f64::consts::TAU * 5.0 * n as f64 / 160.0).sin()) as i32
            })
        };
        let mut limiter = Limiter::default();
        limiter.apply(&sine(90_000.0));
        let steady = limiter.apply(&sine(90_000.0));
        for (limited, wanted) in steady.iter().zip(sine(32_767.0)) {
            assert!((i32::from(*limited) - wanted).abs() <= 2, "{limited} {wanted}");
        }
        let frames = (0..100)
            .take_while(|_| limiter.apply(&sine(1000.0)) != sine(1000.0).map(|it| it as i16));
        assert!((10..30).contains(&frames.count()));
        assert_eq!(limiter, Limiter::default());
    }
}
