//! From a whole multiple of a rate: the short filter where all outputs have the same one.

use super::kernel::{TAPS, TILE, filter};
use super::places::Places;

/// Every so many samples, of what is left below.
#[derive(Debug, Clone)]
pub(super) struct Decimator {
    /// Of each place.
    filters: Vec<Vec<f32>>,
    places: Places,
}

impl Decimator {
    /// `taps` begin with the one that meets the oldest sample, `before` samples come before the
    /// one that an output belongs to.
    pub(super) fn new(taps: &[f32], before: usize, factor: usize) -> Self {
        let len = taps.len().div_ceil(factor).next_multiple_of(TAPS);
        let filter = |place: usize| {
            let mut filter: Vec<f32> = taps.iter().copied().skip(place).step_by(factor).collect();
            filter.resize(len, 0.0);
            filter
        };
        Self { filters: (0..factor).map(filter).collect(), places: Places::new(factor, before) }
    }

    /// Takes samples and appends what can be made of them.
    pub(super) fn process(&mut self, input: &[f32], out: &mut Vec<f32>) {
        self.places.take(input);
        let taps = self.filters[0].len();
        let count = (self.places.shortest() + 1).saturating_sub(taps) / TILE * TILE;
        if count == 0 {
            return;
        }
        let begin = out.len();
        out.resize(begin + count, 0.0);
        for (taps, line) in self.filters.iter().zip(self.places.lines()) {
            filter(taps, &line[..count + taps.len() - 1], &mut out[begin..]);
            line.drain(..count);
        }
    }
}
