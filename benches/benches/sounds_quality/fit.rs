//! Sines in samples: their amplitudes, phases, and what is left without them.

use std::f64::consts::TAU;

use realfft::{RealFftPlanner, num_complex::Complex};

/// The spectrum of samples, scaled so that a cosine of amplitude 1 that fits in is 1.
pub(crate) fn spectrum(samples: &[f64]) -> Vec<Complex<f64>> {
    let fft = RealFftPlanner::new().plan_fft_forward(samples.len());
    let (mut input, mut output) = (samples.to_vec(), fft.make_output_vec());
    fft.process(&mut input, &mut output).expect("the lengths are those of the plan");
    let scale = 2.0 / samples.len() as f64;
    output.iter().map(|line| line * scale).collect()
}

/// A window that falls to 0 at both ends.
pub(crate) fn hann(len: usize) -> Vec<f64> {
    let step = TAU / (len - 1) as f64;
    (0..len).map(|n| 0.5 - 0.5 * (step * n as f64).cos()).collect()
}

/// Amplitude of the sine of this frequency (of the rate 1) that fits best together with a constant,
/// and what is left.
pub(crate) fn sine(samples: &[f64], frequency: f64) -> (f64, Vec<f64>) {
    let basis = |n: usize| {
        let (sin, cos) = (TAU * frequency * n as f64).sin_cos();
        [cos, sin, 1.0]
    };
    // Normal equations: three by three, and far from singular.
    let mut system = [[0.0; 4]; 3];
    for (n, sample) in samples.iter().enumerate() {
        let basis = basis(n);
        for (row, one) in system.iter_mut().zip(basis) {
            for (cell, other) in row.iter_mut().zip(basis) {
                *cell += one * other;
            }
            row[3] += one * sample;
        }
    }
    let solution = solve(system);
    let rest = samples.iter().enumerate().map(|(n, sample)| {
        let basis = basis(n);
        sample - (0..3).map(|it| solution[it] * basis[it]).sum::<f64>()
    });
    (solution[0].hypot(solution[1]), rest.collect())
}

/// Gauss's elimination with pivots.
fn solve(mut system: [[f64; 4]; 3]) -> [f64; 3] {
    for column in 0..3 {
        let pivot = (column..3)
            .max_by(|&a, &b| system[a][column].abs().total_cmp(&system[b][column].abs()));
        system.swap(column, pivot.unwrap_or(column));
        let pivot = system[column];
        for (number, row) in system.iter_mut().enumerate() {
            if number != column {
                let factor = row[column] / pivot[column];
                row.iter_mut().zip(pivot).for_each(|(cell, other)| *cell -= factor * other);
            }
        }
    }
    [0, 1, 2].map(|it| system[it][3] / system[it][it])
}

pub(crate) fn db(value: f64) -> f64 {
    20.0 * value.abs().max(1e-12).log10()
}

/// A generator that gives the same numbers everywhere: uniform from 0 to 1 (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normally distributed, of variance 1 (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }
}
