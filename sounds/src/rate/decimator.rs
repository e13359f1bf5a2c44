//! From a whole multiple of a rate: the short filter where all outputs have the same one.

use super::kernel::{TAPS, TILE, filter};

/// Every so many samples, of what is left below.
#[derive(Debug, Clone)]
pub(super) struct Decimator {
    /// Taps and samples, by their place among so many.
    places: Vec<(Vec<f32>, Vec<f32>)>,
    /// The place of the next sample.
    next: usize,
}

impl Decimator {
    /// `taps` begin with the one that meets the oldest sample, `before` samples come before the
    /// one that an output belongs to.
    pub(super) fn new(taps: &[f32], before: usize, factor: usize) -> Self {
        let len = taps.len().div_ceil(factor).next_multiple_of(TAPS);
        let place = |place: usize| {
            let mut filter: Vec<f32> = taps.iter().copied().skip(place).step_by(factor).collect();
            filter.resize(len, 0.0);
            let zeros = (before + factor - 1 - place) / factor;
            (filter, vec![0.0; zeros])
        };
        Self { places: (0..factor).map(place).collect(), next: before % factor }
    }

    /// Takes samples and appends what can be made of them.
    pub(super) fn process(&mut self, mut input: &[f32], out: &mut Vec<f32>) {
        let factor = self.places.len();
        while self.next != 0
            && let Some((&first, rest)) = input.split_first()
        {
            self.places[self.next].1.push(first);
            self.next = (self.next + 1) % factor;
            input = rest;
        }
        let groups = input.chunks_exact(factor);
        let rest = groups.remainder();
        match factor {
            // The most common by far: 48 kHz to 16 kHz.
            3 => deal::<3>(input, &mut self.places),
            _ => {
                for (place, (_, line)) in self.places.iter_mut().enumerate() {
                    line.extend(groups.clone().map(|group| group[place]));
                }
            }
        }
        for &sample in rest {
            self.places[self.next].1.push(sample);
            self.next += 1;
        }
        let taps = self.places[0].0.len();
        let shortest = self.places.iter().map(|place| place.1.len()).min().unwrap_or(0);
        let count = (shortest + 1).saturating_sub(taps) / TILE * TILE;
        if count == 0 {
            return;
        }
        let begin = out.len();
        out.resize(begin + count, 0.0);
        for (taps, line) in &mut self.places {
            filter(taps, &line[..count + taps.len() - 1], &mut out[begin..]);
            line.drain(..count);
        }
    }
}

/// Whole groups of so many samples, each to its place.
fn deal<const FACTOR: usize>(input: &[f32], places: &mut [(Vec<f32>, Vec<f32>)]) {
    let (groups, _) = input.as_chunks::<FACTOR>();
    for (place, (_, line)) in (0..FACTOR).zip(places) {
        line.extend(groups.iter().map(|group| group[place]));
    }
}
