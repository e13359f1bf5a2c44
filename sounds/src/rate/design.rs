//! Coefficients of low-pass filters: windowed sinc, in the double precision that they are made of.

use std::f64::consts::TAU;

/// Kaiser's window as steep as a stop band of this attenuation asks for.
///
/// The modified Bessel function in it is a series in the square of its argument, which at a place
/// is a multiple of one minus the place's square: a polynomial, whose terms are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kaiser {
    terms: [f64; TERMS],
}

/// Beyond these the terms are below the last bit, up to 140 dB.
const TERMS: usize = 36;

impl Kaiser {
    /// Kaiser's own approximation for more than 50 dB.
    pub(crate) fn new(attenuation: f64) -> Self {
        let beta = 0.1102 * (attenuation - 8.7);
        let mut terms = [1.0; TERMS];
        for k in 1..TERMS {
            let half = beta / 2.0 / k as f64;
            terms[k] = terms[k - 1] * half * half;
        }
        let peak: f64 = terms.iter().sum();
        Self { terms: terms.map(|term| term / peak) }
    }

    /// The window at a place from -1 (its beginning) to 1 (its end); nothing beyond.
    fn at(&self, place: f64) -> f64 {
        let inside = 1.0 - place * place;
        if inside <= 0.0 {
            return 0.0;
        }
        self.terms.iter().rev().fold(0.0, |sum, term| sum * inside + term)
    }
}

/// An ideal low pass, windowed: `cutoff` in cycles a sample, `half` the samples from its middle to
/// its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LowPass {
    pub(crate) cutoff: f64,
    pub(crate) half: f64,
    pub(crate) window: Kaiser,
}

impl LowPass {
    /// The response at a time from its middle, in samples; its sum over whole samples is near 1.
    pub(crate) fn at(&self, time: f64) -> f64 {
        let turn = TAU * self.cutoff * time;
        let sinc = if turn.abs() < 1e-9 { 1.0 } else { turn.sin() / turn };
        2.0 * self.cutoff * sinc * self.window.at(time / self.half)
    }
}

/// How many samples at each side of the middle make a filter of this attenuation whose edge is
/// this wide, in cycles a sample (Kaiser's rule).
pub(super) fn half_length(attenuation: f64, edge: f64) -> f64 {
    (attenuation - 7.95) / (2.285 * TAU * edge) / 2.0
}

/// The other way about: the attenuation that so many samples give.
pub(super) fn attenuation(half: f64, edge: f64) -> f64 {
    7.95 + 2.0 * half * 2.285 * TAU * edge
}

/// Scaled so that their sum is one: a constant passes unchanged.
pub(super) fn normalize(taps: &mut [f64]) {
    let sum: f64 = taps.iter().sum();
    for tap in taps {
        *tap /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_a_ratio_of_bessel_functions() {
        // I0(10) / I0(0), and the middle between: I0(10 * sqrt(3/4)), from tables.
        let window = Kaiser::new(8.7 + 10.0 / 0.1102);
        assert!((window.at(0.0) - 1.0).abs() < 1e-14);
        assert!((window.at(1.0 - 1e-16) * 2_815.716_628_466_254 - 1.0).abs() < 1e-6);
        assert!((window.at(0.5) * 2_815.716_628_466_254 - 794.199_964_569).abs() < 1e-6);
        assert!(window.at(1.5) == 0.0 && window.at(-1.5) == 0.0);
    }

    #[test]
    fn a_low_pass_passes_and_stops_where_it_should() {
        let (edge, attenuation) = (0.05, 100.0);
        let half = half_length(attenuation, edge).ceil();
        let filter = LowPass { cutoff: 0.2, half, window: Kaiser::new(attenuation) };
        let mut taps: Vec<f64> =
            (-(half as i32)..=half as i32).map(|n| filter.at(n.into())).collect();
        normalize(&mut taps);
        let gain = |frequency: f64| {
            let middle = half;
            let terms = taps
                .iter()
                .zip(0..)
                .map(|(tap, n)| tap * (TAU * frequency * (f64::from(n) - middle)).cos());
            20.0 * terms.sum::<f64>().abs().max(1e-12).log10()
        };
        for step in 0..100 {
            let frequency = 0.175 * f64::from(step) / 100.0;
            assert!(gain(frequency).abs() < 1e-3, "{frequency}: {} dB", gain(frequency));
            let frequency = 0.225 + 0.275 * f64::from(step) / 100.0;
            assert!(gain(frequency) < -99.0, "{frequency}: {} dB", gain(frequency));
        }
    }
}
