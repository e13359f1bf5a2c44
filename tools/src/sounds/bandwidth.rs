//! Up to which frequency a sound holds anything: its mean spectrum, in little memory.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

/// Adds up spectra.
pub(super) struct SpectrumMeter {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    rate: u32,
    /// The present block of each channel that is looked at.
    blocks: Vec<Vec<f32>>,
    /// The ones before them.
    before: Vec<Vec<f32>>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Power by frequency, a full-scale tone as 1, and how many spectra it is made of.
    power: Vec<f64>,
    count: u64,
}

/// Channels that are looked at; nobody has more that differ in their band.
const CHANNELS: usize = 8;
/// How far below the loudest frequency there is still sound, in dB.
const DEEP: f64 = 70.0;
/// Below this there is none, in dBFS: a little over what rounding to 16 bits leaves.
const FAINT: f64 = -110.0;

impl SpectrumMeter {
    pub(super) fn new(rate: u32, channels: usize) -> Self {
        // Some 20 Hz a line.
        let len = (rate as usize / 20).next_power_of_two().clamp(256, 32_768);
        let fft = RealFftPlanner::new().plan_fft_forward(len);
        Self {
            window: hann(len),
            rate,
            blocks: vec![Vec::with_capacity(len); channels.clamp(1, CHANNELS)],
            before: vec![Vec::new(); channels.clamp(1, CHANNELS)],
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; len / 2 + 1],
            count: 0,
            fft,
        }
    }

    /// Takes frames; every channel has as many samples.
    pub(super) fn take(&mut self, channels: &[Vec<f32>]) {
        let len = channels.first().map_or(0, Vec::len);
        let mut at = 0;
        while at < len {
            let part = at..len.min(at + self.window.len() - self.blocks[0].len());
            for (block, samples) in self.blocks.iter_mut().zip(channels) {
                block.extend_from_slice(&samples[part.clone()]);
            }
            at = part.end;
            if self.blocks[0].len() == self.window.len() {
                self.end_block();
            }
        }
    }

    /// The highest frequency with any sound in it, in Hz; `None` for silence.
    pub(super) fn finish(mut self) -> Option<f64> {
        let len = self.blocks[0].len();
        if len > 0 && self.count > 0 {
            // The end, with what came before it.
            for (block, before) in self.blocks.iter_mut().zip(&self.before) {
                block.splice(..0, before[len..].iter().copied());
            }
            self.end_block();
        } else if len > 0 {
            // All of it, in a window of its own.
            let mut window = hann(len);
            let gain = self.window.len() as f32 / len as f32;
            window.iter_mut().for_each(|it| *it *= gain);
            window.resize(self.window.len(), 0.0);
            self.window = window;
            self.end_block();
        }
        let step = f64::from(self.rate) / self.window.len() as f64;
        // Five lines together: one alone is as often chance as sound. What lies below 20 Hz is none.
        let first = (20.0 / step).ceil() as usize;
        let mut smooth = vec![0.0; self.power.len()];
        for (at, smooth) in smooth.iter_mut().enumerate().skip(first) {
            let near = &self.power[at.saturating_sub(2).max(first)..(at + 3).min(self.power.len())];
            *smooth = near.iter().sum::<f64>() / near.len() as f64 / self.count.max(1) as f64;
        }
        let loudest = smooth.iter().copied().fold(0.0, f64::max);
        let deep = loudest * 10_f64.powf(-DEEP / 10.0);
        let threshold = deep.max(10_f64.powf(FAINT / 10.0));
        let highest = smooth.iter().rposition(|&power| power > threshold)?;
        Some((highest.saturating_sub(2) as f64 * step).min(f64::from(self.rate) / 2.0))
    }

    fn end_block(&mut self) {
        let scale = 4.0 / self.window.len() as f64;
        for (block, before) in self.blocks.iter_mut().zip(&mut self.before) {
            block.resize(self.window.len(), 0.0);
            before.clone_from(block);
            block.iter_mut().zip(&self.window).for_each(|(sample, window)| *sample *= window);
            let done = self.fft.process_with_scratch(block, &mut self.spectrum, &mut self.scratch);
            done.expect("all of them have the lengths that the transform asked for");
            for (power, line) in self.power.iter_mut().zip(&self.spectrum) {
                *power += f64::from(line.norm_sqr()) * scale * scale;
            }
            self.count += 1;
            block.clear();
        }
    }
}

/// A Hann window.
pub(super) fn hann(len: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU / len as f64;
    (0..len).map(|n| (0.5 - 0.5 * (step * n as f64).cos()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn highest(rate: u32, sample: impl Fn(f64) -> f64) -> Option<f64> {
        let mut meter = SpectrumMeter::new(rate, 1);
        let samples: Vec<f32> =
            (0..rate).map(|n| sample(f64::from(n) / f64::from(rate)) as f32).collect();
        samples.chunks(1000).for_each(|piece| meter.take(&[piece.to_vec()]));
        meter.finish()
    }

    #[test]
    fn the_highest_tone_is_the_edge_whatever_the_rate() {
        for rate in [8000, 44_100, 192_000] {
            let tones = |t: f64| 0.3 * (TAU * 400.0 * t).sin() + 0.01 * (TAU * 3400.0 * t).sin();
            let found = highest(rate, tones).unwrap();
            assert!((found - 3400.0).abs() < 150.0, "{rate}: {found}");
        }
        let found = highest(48_000, |t| 0.1 * (TAU * 15_000.0 * t).sin()).unwrap();
        assert!((found - 15_000.0).abs() < 150.0, "{found}");
    }

    #[test]
    fn silence_an_offset_and_rounding_hold_nothing() {
        assert_eq!(highest(44_100, |_| 0.0), None);
        assert_eq!(highest(44_100, |_| 0.25), None);
        let rounded = |t: f64| ((TAU * 1000.0 * t).sin() * 16_384.0).round() / 32_768.0;
        let found = highest(44_100, rounded).unwrap();
        assert!((found - 1000.0).abs() < 150.0, "{found}");
    }
}
