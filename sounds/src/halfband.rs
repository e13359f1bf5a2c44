//! Doubles and halves the sample rate of a running stream, 20 ms at a time: 8 kHz to 16 kHz and
//! back.
//!
//! A half-band filter of 79 coefficients, every other of which is zero: within 0.1 dB up to
//! 3650 Hz, 70 dB down from 4500 Hz on, 2.4 ms of delay. Nothing here allocates; for files see
//! [`resample`](crate::resample).

/// Samples of 20 ms at 8 kHz.
const NARROW: usize = 160;

/// Samples of 20 ms at 16 kHz.
const WIDE: usize = 320;

/// From 8 kHz to 16 kHz.
#[derive(Debug, Clone)]
pub struct Upsampler {
    past: [f32; PAST],
}

/// From 16 kHz to 8 kHz.
#[derive(Debug, Clone)]
pub struct Downsampler {
    /// The samples that meet the coefficients, and those that meet the one in the middle.
    odd: [f32; PAST],
    even: [f32; HALF],
}

impl Default for Upsampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Upsampler {
    /// After silence.
    #[must_use]
    pub const fn new() -> Self {
        Self { past: [0.0; PAST] }
    }

    /// Takes the next 20 ms.
    pub fn process(&mut self, narrow: &[i16; NARROW], wide: &mut [i16; WIDE]) {
        let mut line = [0.0; NARROW + PAST];
        line[..PAST].copy_from_slice(&self.past);
        for (slot, &sample) in line[PAST..].iter_mut().zip(narrow) {
            *slot = sample.into();
        }
        let between = filter(&line);
        for (n, pair) in wide.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            // What is there already passes through the middle of the filter unchanged.
            *pair = [line[n + HALF - 1] as i16, round(between[n])];
        }
        self.past.copy_from_slice(&line[NARROW..]);
    }
}

impl Default for Downsampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Downsampler {
    /// After silence.
    #[must_use]
    pub const fn new() -> Self {
        Self { odd: [0.0; PAST], even: [0.0; HALF] }
    }

    /// Takes the next 20 ms.
    pub fn process(&mut self, wide: &[i16; WIDE], narrow: &mut [i16; NARROW]) {
        let mut odd = [0.0; NARROW + PAST];
        let mut even = [0.0; NARROW + HALF];
        odd[..PAST].copy_from_slice(&self.odd);
        even[..HALF].copy_from_slice(&self.even);
        for (n, &[first, second]) in wide.as_chunks::<2>().0.iter().enumerate() {
            even[HALF + n] = first.into();
            odd[PAST + n] = second.into();
        }
        let between = filter(&odd);
        for (n, sample) in narrow.iter_mut().enumerate() {
            *sample = round(0.5 * (between[n] + even[n + 1]));
        }
        self.odd.copy_from_slice(&odd[NARROW..]);
        self.even.copy_from_slice(&even[NARROW..]);
    }
}

/// The samples halfway between those of the line. Coefficients outside, samples inside, so that
/// the compiler takes several samples at once.
fn filter(line: &[f32; NARROW + PAST]) -> [f32; NARROW] {
    let mut sums = [0.0; NARROW];
    for (k, &coefficient) in COEFFICIENTS.iter().enumerate() {
        let before = &line[HALF - 1 - k..][..NARROW];
        let after = &line[HALF + k..][..NARROW];
        for ((sum, before), after) in sums.iter_mut().zip(before).zip(after) {
            *sum += coefficient * (before + after);
        }
    }
    sums
}

/// To the nearest sample there is.
pub(crate) fn round(value: f32) -> i16 {
    // `as` saturates. The shift of half a step is towards the sign.
    (value + 0.5_f32.copysign(value)) as i16
}

/// Coefficients of one side.
const HALF: usize = 20;

/// Samples kept from one call to the next.
const PAST: usize = 2 * HALF - 1;

/// A windowed sinc (Kaiser, beta 6.8), from the middle outwards, twice the half-band filter's own;
/// the sum of one side is one half.
const COEFFICIENTS: [f32; HALF] = [
    6.354_375e-1,
    -2.085_094e-1,
    1.212_21e-1,
    -8.256_231e-2,
    6.023_544e-2,
    -4.545_62e-2,
    3.486_083e-2,
    -2.688_677e-2,
    2.070_8e-2,
    -1.584_293e-2,
    1.198_677e-2,
    -8.931_811e-3,
    6.526_722e-3,
    -4.654_528e-3,
    3.220_395e-3,
    -2.144_727e-3,
    1.359_285e-3,
    -8.050_162e-4,
    4.308_669e-4,
    -1.931_005e-4,
];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const FRAMES: usize = 100;

    pub(crate) fn tone(hertz: f64, rate: f64, len: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hertz / rate;
        (0..len).map(|n| (16_000.0 * (step * n as f64).sin()).round() as i16).collect()
    }

    fn up(narrow: &[i16]) -> Vec<i16> {
        let mut upsampler = Upsampler::new();
        let mut wide = vec![0; narrow.len() * 2];
        for (frame, out) in
            narrow.as_chunks::<160>().0.iter().zip(wide.as_chunks_mut::<320>().0.iter_mut())
        {
            upsampler.process(frame, out);
        }
        wide
    }

    fn down(wide: &[i16]) -> Vec<i16> {
        let mut downsampler = Downsampler::new();
        let mut narrow = vec![0; wide.len() / 2];
        for (frame, out) in
            wide.as_chunks::<320>().0.iter().zip(narrow.as_chunks_mut::<160>().0.iter_mut())
        {
            downsampler.process(frame, out);
        }
        narrow
    }

    /// Level of one frequency relative to what [`tone`] makes, and of all else, in dB.
    pub(crate) fn analyse(samples: &[i16], hertz: f64, rate: f64) -> (f64, f64) {
        let samples = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let step = std::f64::consts::TAU * hertz / rate;
        let project = |f: fn(f64) -> f64| {
            let terms =
                samples.iter().zip(0..).map(|(&s, n)| f64::from(s) * f(step * f64::from(n)));
            2.0 * terms.sum::<f64>() / samples.len() as f64
        };
        let (a, b) = (project(f64::sin), project(f64::cos));
        let residue = samples.iter().zip(0..).map(|(&s, n)| {
            let phase = step * f64::from(n);
            (f64::from(s) - a * phase.sin() - b * phase.cos()).powi(2)
        });
        let decibels = |power: f64| 10.0 * (power / 1.28e8).log10();
        (
            20.0 * (a.hypot(b) / 16_000.0).log10(),
            decibels(residue.sum::<f64>() / samples.len() as f64),
        )
    }

    #[test]
    fn the_telephone_band_passes_both_ways() {
        for hertz in [200.0, 1000.0, 2000.0, 3000.0, 3400.0, 3500.0] {
            let wide = up(&tone(hertz, 8000.0, 160 * FRAMES));
            let (level, rest) = analyse(&wide, hertz, 16_000.0);
            assert!(level.abs() < 0.05 && rest < -65.0, "{hertz} Hz up: {level:.2} {rest:.1} dB");
            let narrow = down(&tone(hertz, 16_000.0, 320 * FRAMES));
            let (level, rest) = analyse(&narrow, hertz, 8000.0);
            assert!(level.abs() < 0.05 && rest < -65.0, "{hertz} Hz down: {level:.2} {rest:.1} dB");
        }
    }

    #[test]
    fn what_8_khz_can_not_carry_does_not_come_back_as_something_else() {
        for hertz in [4500.0, 5000.0, 6000.0, 7500.0] {
            let narrow = down(&tone(hertz, 16_000.0, 320 * FRAMES));
            let (_, rest) = analyse(&narrow, 1.0, 8000.0);
            assert!(rest < -68.0, "{hertz} Hz: {rest:.1} dB");
        }
    }

    #[test]
    fn up_and_down_again_is_the_same_39_samples_later() {
        let sent: Vec<i16> = tone(700.0, 8000.0, 16_000)
            .iter()
            .zip(tone(3100.0, 8000.0, 16_000))
            .map(|(&low, high)| low / 2 + high / 2)
            .collect();
        let heard = down(&up(&sent));
        // 39 samples of 16 kHz each way.
        let worst = sent[1000..15_000].iter().zip(&heard[1039..]).map(|(a, b)| (a - b).abs()).max();
        assert!(worst.unwrap() <= 16, "{worst:?}");
    }

    #[test]
    fn full_scale_saturates() {
        let square: Vec<i16> =
            (0..3200).map(|n| if n / 4 % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
        let wide = up(&square);
        assert!(wide.contains(&i16::MAX) && wide.contains(&i16::MIN));
        down(&square);
    }
}
