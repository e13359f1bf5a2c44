//! Where a sound begins and ends, and how long it pauses.

use std::ops::Range;

/// What is silence where nothing else is said, in dBFS: noise of a quiet room is below it, the end
/// of a word above.
pub const THRESHOLD: f64 = -50.0;

/// Finds what is above silence, in blocks of 10 ms: one is silent when the root mean square of
/// every channel, without its offset, is below the threshold. Single clicks do not make a block
/// loud.
#[derive(Debug, Clone)]
pub struct Silence {
    /// Greatest mean square of silence.
    most: f64,
    block: usize,
    /// Of each channel in the present block, and how many frames it has.
    powers: Vec<Power>,
    filled: usize,
    frames: u64,
    sounding: Option<Range<u64>>,
    longest: u64,
}

impl Silence {
    /// At so many frames a second, below so many dBFS (a full-scale square wave is 0).
    #[must_use]
    pub fn new(rate: u32, channels: usize, threshold: f64) -> Self {
        Self {
            most: 10.0_f64.powf(threshold / 10.0),
            block: block(rate),
            powers: vec![Power::default(); channels],
            filled: 0,
            frames: 0,
            sounding: None,
            longest: 0,
        }
    }

    /// Takes frames; every channel has as many samples.
    pub fn take(&mut self, channels: &[impl AsRef<[f32]>]) {
        let len = channels.first().map_or(0, |it| it.as_ref().len());
        let mut at = 0;
        while at < len {
            let part = at..len.min(at + self.block - self.filled);
            for (channel, power) in channels.iter().zip(&mut self.powers) {
                power.take(&channel.as_ref()[part.clone()]);
            }
            self.filled += part.len();
            at = part.end;
            if self.filled == self.block {
                self.end_block();
            }
        }
    }

    /// From the first frame that is not silent to behind the last; `None` when all is silent.
    #[must_use]
    pub fn sounding(&self) -> Option<Range<u64>> {
        let mut ended = self.clone();
        ended.end_block();
        ended.sounding
    }

    /// The longest silence between two parts that are not silent, in frames.
    #[must_use]
    pub fn longest_pause(&self) -> u64 {
        let mut ended = self.clone();
        ended.end_block();
        ended.longest
    }

    fn end_block(&mut self) {
        if self.filled == 0 {
            return;
        }
        let begin = self.frames;
        self.frames += self.filled as u64;
        let power = self.powers.iter().map(Power::mean_square).fold(0.0, f64::max);
        if power > self.most {
            match &mut self.sounding {
                Some(sounding) => {
                    self.longest = self.longest.max(begin - sounding.end);
                    sounding.end = self.frames;
                }
                none => *none = Some(begin..self.frames),
            }
        }
        self.powers.fill(Power::default());
        self.filled = 0;
    }
}

/// Frames of a block at this rate.
pub(crate) const fn block(rate: u32) -> usize {
    // Also where a rate of 0 was not refused before.
    (if rate == 0 { 1 } else { rate.div_ceil(100) }) as usize
}

/// The power of a few samples, without the offset that they have in common.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Power {
    sum: f64,
    squares: f64,
    count: usize,
}

impl Power {
    pub(crate) fn take(&mut self, samples: &[f32]) {
        for &sample in samples {
            let sample = f64::from(sample);
            self.sum += sample;
            self.squares += sample * sample;
        }
        self.count += samples.len();
    }

    pub(crate) fn mean_square(&self) -> f64 {
        let count = self.count.max(1) as f64;
        let mean = self.sum / count;
        // Exact for zeros, and below what counts as silence for what is rounded.
        (self.squares / count - mean * mean).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_pauses_are_found_whatever_the_pieces() {
        let mut samples = vec![0.0_f32; 8000];
        for n in (1000..1500).chain(4000..7990) {
            samples[n] = if n % 10 < 5 { 0.1 } else { -0.1 };
        }
        // A click is no sound.
        samples[7000] = 0.0;
        samples[200] = 0.02;
        let quiet = vec![0.001; samples.len()];
        for len in [1, 7, 80, 8000] {
            let mut silence = Silence::new(8000, 2, THRESHOLD);
            for (one, other) in quiet.chunks(len).zip(samples.chunks(len)) {
                silence.take(&[one, other]);
            }
            assert_eq!(silence.sounding(), Some(960..8000), "{len}");
            assert_eq!(silence.longest_pause(), 4000 - 1520);
        }
    }

    #[test]
    fn silence_has_neither_beginning_nor_end() {
        for level in [0.0, 0.003, -0.5] {
            let mut silence = Silence::new(44_100, 1, THRESHOLD);
            silence.take(&[vec![level; 10_000]]);
            assert_eq!((silence.sounding(), silence.longest_pause()), (None, 0));
        }
        let mut silence = Silence::new(1000, 1, f64::NEG_INFINITY);
        silence.take(&[[0.0; 50], [0.0; 50]]);
        assert_eq!(silence.sounding(), None);
    }
}
