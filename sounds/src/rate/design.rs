//! Coefficients of low-pass filters: windowed sinc, in the double precision that they are made of.

use std::f64::consts::TAU;

use crate::vector::vectorized;

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

    /// The window at several places from -1 (its beginning) to 1 (its end); nothing beyond. Side by
    /// side, since each term waits for the one before.
    #[inline(always)]
    fn at<const PLACES: usize>(&self, places: [f64; PLACES]) -> [f64; PLACES] {
        let inside = places.map(|place| 1.0 - place * place);
        let mut sums = [0.0; PLACES];
        for term in self.terms.iter().rev() {
            for (sum, inside) in sums.iter_mut().zip(&inside) {
                *sum = *sum * inside + term;
            }
        }
        for (sum, inside) in sums.iter_mut().zip(&inside) {
            *sum = if *inside <= 0.0 { 0.0 } else { *sum };
        }
        sums
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
    /// The response at times from its middle, in samples: at the first, and at each whole sample
    /// after it. Its sum over whole samples is near 1.
    pub(crate) fn respond(&self, first: f64, out: &mut [f64]) {
        respond(self, first, out);
    }
}

vectorized! {
    fn respond(filter: &LowPass, first: f64, out: &mut [f64]) {
        let mut begin = first;
        for out in out.chunks_mut(ABREAST) {
            let mut times = [0.0; ABREAST];
            for (n, time) in times.iter_mut().enumerate() {
                *time = begin + n as f64;
            }
            let sines = sine(times.map(|time| filter.cutoff * time));
            let window = filter.window.at(times.map(|time| time / filter.half));
            for (n, out) in out.iter_mut().enumerate() {
                let turn = TAU * filter.cutoff * times[n];
                let sinc = if turn.abs() < 1e-9 { 1.0 } else { sines[n] / turn };
                *out = 2.0 * filter.cutoff * sinc * window[n];
            }
            begin += ABREAST as f64;
        }
    }
}

/// Coefficients that are computed side by side.
const ABREAST: usize = 16;

/// Sines of so many whole turns: the same bits on every processor, which the system's mathematics
/// does not promise.
#[inline(always)]
pub(crate) fn sine<const COUNT: usize>(turns: [f64; COUNT]) -> [f64; COUNT] {
    // To the quarter turn around zero, where Taylor's series is good to the last bits.
    let angles = turns.map(|turns| {
        let turns = turns - (turns + 0.5).floor();
        let folded = if turns > 0.25 { 0.5 - turns } else { turns };
        TAU * if folded < -0.25 { -0.5 - folded } else { folded }
    });
    let squares = angles.map(|angle| angle * angle);
    let mut sums = [0.0; COUNT];
    for k in (1..=11).rev() {
        let divisor = f64::from(2 * k * (2 * k + 1));
        for (sum, square) in sums.iter_mut().zip(&squares) {
            *sum = (1.0 + *sum) * (-*square / divisor);
        }
    }
    let mut sines = angles;
    for (sine, sum) in sines.iter_mut().zip(&sums) {
        *sine += *sine * sum;
    }
    sines
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
        let [middle, end, half, before, after] = window.at([0.0, 1.0 - 1e-16, 0.5, -1.5, 1.5]);
        assert!((middle - 1.0).abs() < 1e-14);
        assert!((end * 2_815.716_628_466_254 - 1.0).abs() < 1e-6);
        assert!((half * 2_815.716_628_466_254 - 794.199_964_569).abs() < 1e-6);
        assert!(before == 0.0 && after == 0.0);
    }

    #[test]
    fn sines_are_those_of_the_system() {
        for n in -4000..4000 {
            let turns = f64::from(n) * 0.012_37;
            let [sine] = sine([turns]);
            assert!((sine - (TAU * turns).sin()).abs() < 1e-13, "{turns}: {sine}");
        }
    }

    #[test]
    fn a_low_pass_passes_and_stops_where_it_should() {
        let (edge, attenuation) = (0.05, 100.0);
        let half = half_length(attenuation, edge).ceil();
        let filter = LowPass { cutoff: 0.2, half, window: Kaiser::new(attenuation) };
        let mut taps = vec![0.0; 2 * half as usize + 1];
        filter.respond(-half, &mut taps);
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
