//! How quiet the quietest moments of a sound are.

/// Blocks a second: 20 ms each, a whole period of 50 Hz hum.
const BLOCKS: u32 = 50;
/// Levels are counted in steps of 1 dB from -120 dBFS to 0.
const LEVELS: usize = 121;

/// Takes frames in blocks.
#[derive(Debug)]
pub(super) struct NoiseMeter {
    /// Sum and sum of squares of each channel in the present block.
    sums: Vec<(f64, f64)>,
    /// Frames in it.
    filled: usize,
    block: usize,
    /// How many blocks had each level; those of zeros alone are counted apart.
    histogram: [u64; LEVELS],
    zeros: u64,
}

/// What is heard when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NoiseFloor {
    /// The level that a tenth of the blocks is below.
    Dbfs(f64),
    /// Zeros: a tenth of the sound or more.
    DigitalSilence,
    /// It is too short to tell.
    Unknown,
}

impl NoiseMeter {
    pub(super) fn new(rate: u32, channels: usize) -> Self {
        Self {
            sums: vec![(0.0, 0.0); channels],
            filled: 0,
            block: (rate / BLOCKS).max(1) as usize,
            histogram: [0; LEVELS],
            zeros: 0,
        }
    }

    /// Takes frames; every channel has as many samples.
    pub(super) fn take(&mut self, channels: &[Vec<f32>]) {
        let len = channels.first().map_or(0, Vec::len);
        let mut at = 0;
        while at < len {
            let part = at..len.min(at + self.block - self.filled);
            for (sums, samples) in self.sums.iter_mut().zip(channels) {
                for &sample in &samples[part.clone()] {
                    sums.0 += f64::from(sample);
                    sums.1 += f64::from(sample) * f64::from(sample);
                }
            }
            self.filled += part.len();
            at = part.end;
            if self.filled == self.block {
                self.end_block();
            }
        }
    }

    pub(super) fn floor(&self) -> NoiseFloor {
        let blocks: u64 = self.zeros + self.histogram.iter().sum::<u64>();
        if blocks < 10 {
            return NoiseFloor::Unknown;
        }
        if self.zeros * 10 >= blocks {
            return NoiseFloor::DigitalSilence;
        }
        let mut below = self.zeros;
        let level = self.histogram.iter().position(|count| {
            below += count;
            below * 10 >= blocks
        });
        NoiseFloor::Dbfs(level.unwrap_or(LEVELS - 1) as f64 - 120.0)
    }

    fn end_block(&mut self) {
        let count = self.filled as f64;
        if self.sums.iter().all(|sums| sums.1 == 0.0) {
            self.zeros += 1;
        } else {
            // The loudest channel, without its offset.
            let power = self.sums.iter().map(|(sum, squares)| {
                let mean = sum / count;
                squares / count - mean * mean
            });
            let level = 10.0 * power.fold(1e-12, f64::max).log10();
            self.histogram[(level + 120.0).round().clamp(0.0, 120.0) as usize] += 1;
        }
        self.sums.fill((0.0, 0.0));
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(parts: &[(f32, usize)]) -> NoiseFloor {
        let mut meter = NoiseMeter::new(8000, 1);
        for &(level, len) in parts {
            let samples: Vec<f32> =
                (0..len).map(|n| if n % 2 == 0 { level } else { -level } + 0.1).collect();
            samples.chunks(77).for_each(|piece| meter.take(&[piece.to_vec()]));
        }
        meter.floor()
    }

    #[test]
    fn the_floor_is_the_level_of_the_pauses_whatever_the_offset() {
        let found = floor(&[(0.1, 8000), (0.0003, 2400), (0.1, 8000)]);
        let NoiseFloor::Dbfs(level) = found else { panic!("{found:?}") };
        assert!((level + 70.0).abs() <= 1.0, "{level}");
        assert_eq!(floor(&[(0.1, 800)]), NoiseFloor::Unknown);
        let mut zeros = NoiseMeter::new(8000, 1);
        zeros.take(&[vec![0.0; 8000]]);
        assert_eq!(zeros.floor(), NoiseFloor::DigitalSilence);
    }
}
