//! The two inner loops of every conversion: one filter over a stretch of samples, and one output
//! of many filters.
//!
//! Both add in an order that no processor changes, so that all of them give the same samples.

use crate::vector::vectorized;

/// Outputs of [`filter`] that are made side by side.
pub(crate) const TILE: usize = 80;

/// Sums of a filter that are kept side by side.
pub(super) const LANES: usize = 8;

/// Taps that [`filter`] takes at once.
pub(crate) const TAPS: usize = STEPS * WIDTH;

/// Taps of [`filter`] that meet a vector of samples while it is at hand.
const STEPS: usize = 2;

/// Samples of a vector.
const WIDTH: usize = 8;

vectorized! {
    /// Adds to each output the sum of the taps times the samples from its place on. There are as
    /// many more samples than outputs as there are taps, less one; outputs beyond whole
    /// [`TILE`]s are left alone. The number of taps is a multiple of [`TAPS`].
    pub(crate) fn filter(taps: &[f32], samples: &[f32], out: &mut [f32]) {
        let (tiles, _) = out.as_chunks_mut::<TILE>();
        let (groups, _) = taps.as_chunks::<TAPS>();
        let mut samples = samples;
        for tile in tiles {
            let mut sums = [[0.0; WIDTH]; TILE / WIDTH];
            for (sums, tile) in sums.iter_mut().zip(tile.as_chunks().0) {
                *sums = *tile;
            }
            for (group, window) in groups.iter().zip(samples.windows(TILE + TAPS - 1).step_by(TAPS)) {
                for first in 0..WIDTH {
                    // One tap of every vector's width: each meets the vector that the one before
                    // it met for the output after.
                    let taps: [f32; STEPS] = std::array::from_fn(|step| group[first + step * WIDTH]);
                    let (vectors, _) = window[first..].as_chunks::<WIDTH>();
                    let Some(vectors) = vectors.first_chunk::<{ TILE / WIDTH + STEPS - 1 }>() else { continue };
                    for at in 0..TILE / WIDTH {
                        for step in 0..STEPS {
                            for lane in 0..WIDTH {
                                sums[at][lane] += taps[step] * vectors[at + step][lane];
                            }
                        }
                    }
                }
            }
            for (sums, tile) in sums.iter().zip(tile.as_chunks_mut().0) {
                *tile = *sums;
            }
            samples = &samples[TILE.min(samples.len())..];
        }
    }
}

/// The products of two slices, summed in [`LANES`] places; their length is a multiple of that.
#[inline(always)]
pub(super) fn products(taps: &[f32], samples: &[f32], sums: &mut [f32; LANES]) {
    let mut places = [0.0; LANES];
    let (taps, _) = taps.as_chunks::<LANES>();
    let (samples, _) = samples.as_chunks::<LANES>();
    for (taps, samples) in taps.iter().zip(samples) {
        for lane in 0..LANES {
            places[lane] += taps[lane] * samples[lane];
        }
    }
    *sums = places;
}

/// The sum of all places.
#[inline(always)]
pub(super) fn total([a, b, c, d, e, f, g, h]: [f32; LANES]) -> f32 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_sums_of_products() {
        // Whole numbers are summed without rounding, in any order.
        let taps: Vec<f32> = (0..64).map(|n| (n % 7) as f32 - 3.0).collect();
        let samples: Vec<f32> = (0..300).map(|n| (n * n % 11) as f32 - 5.0).collect();
        let mut out = vec![1.0; samples.len() - taps.len() + 1];
        filter(&taps, &samples, &mut out);
        for (n, out) in out.iter().enumerate().take(160) {
            let exact: f32 = taps.iter().zip(&samples[n..]).map(|(a, b)| a * b).sum();
            assert_eq!(*out, exact + 1.0, "{n}");
            let mut sums = [7.0; LANES];
            products(&taps, &samples[n..n + taps.len()], &mut sums);
            assert_eq!(total(sums), exact, "{n}");
        }
    }
}
