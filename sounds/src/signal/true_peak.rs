//! Peaks between samples: what a converter or the next resampling makes of them (ITU-R BS.1770-4,
//! annex 2), eight times oversampled.

use std::sync::LazyLock;

use crate::rate::design::{Kaiser, LowPass};
use crate::rate::kernel::{TAPS, TILE, filter};

/// Places between two samples, and one at the first.
const PLACES: usize = 8;
/// Coefficients of each place.
const LEN: usize = 2 * TAPS;
/// Stop band of the window, in dB; flat within 0.01 dB to 0.44 of the rate.
const ATTENUATION: f64 = 60.0;

struct Tables {
    /// For every place but that of the samples themselves.
    filters: Vec<[f32; LEN]>,
    /// What the greatest of them makes of samples of 1, at most.
    most: f32,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let half = LEN as f64 / 2.0;
    let low_pass = LowPass { cutoff: 0.5, half, window: Kaiser::new(ATTENUATION) };
    let filter = |place: usize| {
        let time = half - 1.0 + place as f64 / PLACES as f64;
        let mut taps = [0.0; LEN];
        low_pass.respond(-time, &mut taps);
        taps.map(|tap| tap as f32)
    };
    let filters: Vec<[f32; LEN]> = (1..PLACES).map(filter).collect();
    let sums = filters.iter().map(|taps| taps.iter().map(|tap| tap.abs()).sum::<f32>());
    // Sums of rounded products may be a little above.
    let most = sums.fold(0.0, f32::max) * 1.001;
    Tables { filters, most }
});

/// The greatest magnitude of one channel, between samples too.
#[derive(Debug, Clone)]
pub(super) struct TruePeak {
    /// Samples from the first that a place still needs.
    line: Vec<f32>,
    greatest: f32,
}

impl TruePeak {
    pub(super) fn new() -> Self {
        Self { line: vec![0.0; LEN - 1], greatest: 0.0 }
    }

    /// Takes samples and, for each channel, their greatest magnitude.
    pub(super) fn take(&mut self, samples: &[f32], peak: f32) {
        self.greatest = self.greatest.max(peak);
        self.line.extend_from_slice(samples);
        let tables = &*TABLES;
        let count = (self.line.len() + 1 - LEN) / TILE * TILE;
        for at in (0..count).step_by(TILE) {
            let window = &self.line[at..at + TILE + LEN - 1];
            // Where nothing can be above what was found, nothing is looked for.
            let magnitude = window.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
            if magnitude * tables.most <= self.greatest {
                continue;
            }
            for taps in &tables.filters {
                let mut made = [0.0; TILE];
                filter(taps, window, &mut made);
                self.greatest = made.iter().fold(self.greatest, |most, it| most.max(it.abs()));
            }
        }
        self.line.drain(..count);
    }

    /// The greatest so far, as if silence followed.
    pub(super) fn greatest(&self) -> f32 {
        let mut ended = self.clone();
        ended.take(&[0.0; LEN + TILE], 0.0);
        ended.greatest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    #[test]
    fn tones_that_miss_their_samples_are_heard_at_their_height() {
        // EBU Tech 3341, cases 15 to 18: -6 dBTP, + 0.2, - 0.4.
        for (part, degrees) in [(4.0, 0.0), (4.0, 45.0), (6.0, 60.0), (8.0, 67.5_f64)] {
            let tone: Vec<f32> = (0..4000)
                .map(|n| (TAU * f64::from(n) / part + degrees.to_radians()).sin() as f32 * 0.5)
                // Without a step at either end, which is higher itself.
                .zip(0..)
                .map(|(it, n)| it * (f32::min(n as f32, 3999.0 - n as f32) / 100.0).min(1.0))
                .collect();
            let mut peak = TruePeak::new();
            for piece in tone.chunks(333) {
                peak.take(piece, piece.iter().fold(0.0, |most, it| it.abs().max(most)));
            }
            let db = 20.0 * peak.greatest().log10();
            assert!((-6.1..-5.95).contains(&db), "{part} {degrees}: {db}");
        }
    }

    #[test]
    fn pieces_do_not_matter_and_the_last_sample_counts() {
        let samples: Vec<f32> =
            (0..1000).map(|n| ((n * 7919 % 1000) as f32 - 500.0) / 500.0).collect();
        let greatest = |len: usize| {
            let mut peak = TruePeak::new();
            samples.chunks(len).for_each(|piece| peak.take(piece, 0.0));
            peak.greatest()
        };
        assert_eq!(greatest(1), greatest(1000));
        let mut peak = TruePeak::new();
        peak.take(&[0.5, 0.5], 0.5);
        assert!(peak.greatest() > 0.55, "{}", peak.greatest());
    }
}
