//! 16-bit samples at another rate: whole sounds by the filters of [`rate`](crate::rate), streams
//! in blocks of 20 ms by rubato's FFT resampler, whose delay is a whole number of samples.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use crate::error::SoundError;
use crate::pcm;
use crate::rate::{Phase, RateConverter, gcd};
use crate::sound::{MAX_RATE, MIN_RATE};

/// The samples at another rate.
///
/// The result has `len * to / from` samples, rounded to nearest; sample 0 stays at time 0. Rates
/// outside [`MIN_RATE`]..=[`MAX_RATE`] are an error. Allocates; not for the tick.
pub fn resample(samples: &[i16], from: u32, to: u32) -> Result<Vec<i16>, SoundError> {
    let mut converter = RateConverter::new(from, to, Phase::Linear)?;
    if from == to {
        return Ok(samples.to_vec());
    }
    let mut made = Vec::new();
    for piece in samples.chunks(PIECE) {
        let piece: Vec<f32> = piece.iter().map(|&sample| pcm::to_f32(sample)).collect();
        converter.convert(&piece, &mut made);
    }
    converter.finish(&mut made);
    Ok(made.into_iter().map(pcm::from_f32).collect())
}

/// Samples that are converted at once.
const PIECE: usize = 1 << 15;

/// Converts a stream of samples, in blocks of 20 ms: what does not fill a block waits for more. The
/// result is late by half a block.
///
/// Allocates; not for the tick.
pub struct Converter {
    fft: Fft<f32>,
    block_in: usize,
    /// Less than a block.
    waiting: Vec<i16>,
    input: Vec<f32>,
    output: Vec<f32>,
    /// Of what comes out next, samples that belong to nothing that was put in.
    skip: usize,
}

impl Converter {
    /// A converter between two rates, each within [`MIN_RATE`]..=[`MAX_RATE`].
    pub fn new(from: u32, to: u32) -> Result<Self, SoundError> {
        for rate in [from, to] {
            if !(MIN_RATE..=MAX_RATE).contains(&rate) {
                return Err(SoundError::UnsupportedRate { rate });
            }
        }
        let divisor = gcd(from, to);
        // Whole smallest units of some 20 ms.
        let units = (divisor / 50).max(1).next_multiple_of(2) as usize;
        let block = units * (from / divisor) as usize;
        let window = WindowFunction::BlackmanHarris2;
        let fft = Fft::new_custom(from as usize, to as usize, block, 1, 1, window, FixedSync::Both)
            .map_err(|error| SoundError::Resample { from, to, reason: error.to_string() })?;
        let (block_in, block_out) = (fft.fft_size_in(), fft.fft_size_out());
        Ok(Self {
            fft,
            block_in,
            waiting: Vec::with_capacity(block_in),
            input: vec![0.0; block_in],
            output: vec![0.0; block_out],
            skip: block_out / 2,
        })
    }

    /// The same with its delay at the beginning as silence: as much comes out as is put in.
    #[must_use]
    pub fn delayed(mut self) -> Self {
        self.skip = 0;
        self
    }

    /// The samples that come of these and those before.
    pub fn convert(&mut self, samples: &[i16]) -> Vec<i16> {
        let mut converted = Vec::new();
        let mut rest = samples;
        while self.waiting.len() + rest.len() >= self.block_in {
            let (block, others) = rest.split_at(self.block_in - self.waiting.len());
            self.waiting.extend_from_slice(block);
            rest = others;
            self.convert_block(&mut converted);
        }
        self.waiting.extend_from_slice(rest);
        converted
    }

    /// What is held back, with silence after it. What is converted next begins anew.
    pub fn finish(&mut self) -> Vec<i16> {
        let mut converted = Vec::new();
        for _ in 0..2 {
            self.waiting.resize(self.block_in, 0);
            self.convert_block(&mut converted);
        }
        self.fft.reset();
        self.skip = self.output.len() / 2;
        converted
    }

    fn convert_block(&mut self, converted: &mut Vec<i16>) {
        for (slot, &sample) in self.input.iter_mut().zip(&self.waiting) {
            *slot = pcm::to_f32(sample);
        }
        self.waiting.clear();
        let reader = InterleavedSlice::new(&self.input, 1, self.input.len());
        let frames = self.output.len();
        let writer = InterleavedSlice::new_mut(&mut self.output, 1, frames);
        // All of them are as long as the resampler itself said.
        let (Ok(reader), Ok(mut writer)) = (reader, writer) else { return };
        if self.fft.process_into_buffer(&reader, &mut writer, None).is_err() {
            return;
        }
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
        converted.extend(self.output[skipped..].iter().map(|&value| pcm::from_f32(value)));
    }
}

impl std::fmt::Debug for Converter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converter").field("block_in", &self.block_in).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_in_pieces_is_what_it_is_as_a_whole() {
        for rate in [12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000] {
            for (from, to) in [(rate, 8000), (8000, rate)] {
                let input = tone(1000.0, from, from as usize, 16_000.0);
                let mut converter = Converter::new(from, to).unwrap();
                let mut output = vec![];
                for piece in input.chunks(137) {
                    output.extend(converter.convert(piece));
                }
                output.extend(converter.finish());
                assert!(output.len() >= to as usize, "{from} to {to}: {}", output.len());
                let middle = to as usize / 8..to as usize * 7 / 8;
                let (level, noise) = analyse(&output[middle], 1000.0, to);
                let gain = 20.0 * (level / 16_000.0).log10();
                assert!(gain.abs() < 0.1 && noise < -60.0, "{from} to {to}: {gain} dB, {noise} dB");
                // What is said after a pause begins where it begins.
                let again = converter.convert(&input);
                let (level, _) = analyse(&again[..to as usize / 2], 1000.0, to);
                assert!(level > 15_000.0);
            }
        }
    }

    const RATES: [u32; 10] =
        [11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];

    fn tone(frequency: f64, rate: u32, len: usize, amplitude: f64) -> Vec<i16> {
        let step = std::f64::consts::TAU * frequency / f64::from(rate);
        (0..len).map(|n| (amplitude * (step * n as f64).sin()).round() as i16).collect()
    }

    /// Amplitude of a frequency, and the level in dB of everything else relative to it.
    fn analyse(samples: &[i16], frequency: f64, rate: u32) -> (f64, f64) {
        let step = std::f64::consts::TAU * frequency / f64::from(rate);
        let n = samples.len() as f64;
        let project = |f: fn(f64) -> f64| {
            let terms =
                samples.iter().zip(0..).map(|(&s, n)| f64::from(s) * f(step * f64::from(n)));
            2.0 * terms.sum::<f64>() / n
        };
        let (a, b) = (project(f64::sin), project(f64::cos));
        let residue = samples.iter().zip(0..).map(|(&s, n)| {
            let phase = step * f64::from(n);
            (f64::from(s) - a * phase.sin() - b * phase.cos()).powi(2)
        });
        let level = a.hypot(b);
        (level, 10.0 * (residue.sum::<f64>() / n / (level * level / 2.0)).log10())
    }

    #[test]
    fn up_to_3700_hz_it_is_flat_and_clean_from_every_rate() {
        for rate in RATES {
            for frequency in [300.0, 1000.0, 3400.0, 3700.0] {
                let input = tone(frequency, rate, rate as usize, 16_000.0);
                let output = resample(&input, rate, 8000).unwrap();
                let (level, noise) = analyse(&output[1000..7000], frequency, 8000);
                let gain = 20.0 * (level / 16_000.0).log10();
                assert!(gain.abs() < 0.05, "{rate} Hz, {frequency} Hz: {gain} dB");
                assert!(noise < -85.0, "{rate} Hz, {frequency} Hz: {noise} dB");
            }
        }
    }

    #[test]
    fn nothing_above_half_the_rate_comes_back_as_alias() {
        for rate in RATES {
            for frequency in [4000.0, 4100.0, 4700.0, 5000.0, 5500.0] {
                let input = tone(frequency, rate, rate as usize, 30_000.0);
                let output = resample(&input, rate, 8000).unwrap();
                let peak = pcm::peak(&output[1000..7000]);
                assert!(peak <= 1, "{rate} Hz, {frequency} Hz: {peak}");
            }
        }
    }

    #[test]
    fn length_is_the_rounded_ratio_and_start_stays_at_the_start() {
        for rate in RATES.into_iter().chain([8001, 44_101, 7350]) {
            for len in [1, 2, 7, 100, 4000, 12_345] {
                let output = resample(&vec![0; len], rate, 8000).unwrap();
                let exact = len as f64 * 8000.0 / f64::from(rate);
                assert_eq!(output.len(), exact.round() as usize, "{len} at {rate}");
            }
        }
    }

    #[test]
    fn no_delay_is_added() {
        for rate in RATES {
            // A narrow pulse at 100 ms; the centre of its energy must stay there.
            let mut input = vec![0; rate as usize / 5];
            let centre = rate as usize / 10;
            let width = f64::from(rate) / 4000.0;
            for (n, sample) in input.iter_mut().enumerate() {
                let x = (n as f64 - centre as f64) / width;
                *sample = (20_000.0 * (-x * x).exp()) as i16;
            }
            let output = resample(&input, rate, 8000).unwrap();
            let energy = |n: usize| f64::from(output[n]).powi(2);
            let total: f64 = (0..output.len()).map(energy).sum();
            let found = (0..output.len()).map(|n| n as f64 * energy(n)).sum::<f64>() / total;
            let expected = centre as f64 * 8000.0 / f64::from(rate);
            assert!((found - expected).abs() < 0.01, "{rate} Hz: {found} for {expected}");
        }
    }

    #[test]
    fn full_scale_saturates_and_never_wraps() {
        let square: Vec<i16> =
            (0..44_100).map(|n| if n / 50 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let output = resample(&square, 44_100, 8000).unwrap();
        assert!(output.contains(&i16::MAX) && output.contains(&i16::MIN));
        // In the middle of a half period the sign is the input's.
        let middle = |n: usize| output[(n * 50 + 25) * 8000 / 44_100];
        assert!((100..200).all(|n| (middle(n) > 0) == (n % 2 == 0)));
    }

    #[test]
    fn upsampling_keeps_the_tone_and_adds_no_image() {
        let output = resample(&tone(1000.0, 8000, 8000, 16_000.0), 8000, 48_000).unwrap();
        assert_eq!(output.len(), 48_000);
        let (level, noise) = analyse(&output[6000..42_000], 1000.0, 48_000);
        assert!((level - 16_000.0).abs() < 20.0, "{level}");
        assert!(noise < -85.0, "{noise}");
    }

    #[test]
    fn impossible_rates_are_errors() {
        for (from, to) in [(0, 8000), (8000, 0), (999, 8000), (u32::MAX, 8000)] {
            let error = resample(&[1, 2, 3], from, to).unwrap_err();
            assert!(matches!(error, SoundError::UnsupportedRate { .. }));
        }
    }
}
