//! Which frequencies a sound of any length holds at which time, in so many columns.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

use crate::sounds::bandwidth::hann;

/// Power by time and frequency. Columns have equal durations; when they are too many, each joins
/// its neighbour, and spectra are taken less often.
pub(super) struct Spectrogram {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// What the next spectrum is made of, by channel.
    waiting: Vec<Vec<f32>>,
    block: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    rows: usize,
    /// Power of one row after the other, column by column; a full-scale tone is 1.
    columns: Vec<f32>,
    present: Vec<f32>,
    /// Spectra in the present column.
    count: u32,
    /// Frames of a column, and from one spectrum to the next.
    per: usize,
    hop: usize,
    frames: u64,
}

/// More than a picture is wide.
const MOST_COLUMNS: usize = 4096;
/// As many as are told apart.
const MOST_ROWS: usize = 512;

impl Spectrogram {
    pub(super) fn new(rate: u32, channels: usize) -> Self {
        // 20 to 40 ms: pitch is seen in it, and so are syllables.
        let len = (rate as usize / 48).next_power_of_two().clamp(64, 16_384);
        let fft = RealFftPlanner::new().plan_fft_forward(2 * len);
        let rows = len.min(MOST_ROWS);
        Self {
            window: hann(len),
            // The first spectrum is of the first frame, with silence before it.
            waiting: vec![vec![0.0; len / 2]; channels],
            block: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            rows,
            columns: vec![],
            present: vec![0.0; rows],
            count: 0,
            per: len / 16,
            hop: len / 16,
            frames: 0,
            fft,
        }
    }

    /// Takes frames; every channel has as many samples.
    pub(super) fn take(&mut self, channels: &[&[f32]]) {
        for (waiting, samples) in self.waiting.iter_mut().zip(channels) {
            waiting.extend_from_slice(samples);
        }
        self.frames += channels.first().map_or(0, |samples| samples.len()) as u64;
        self.process();
    }

    /// Looks at the last frames, too, with silence behind them.
    pub(super) fn finish(&mut self) {
        let len = self.window.len();
        if self.frames > 0 {
            self.waiting.iter_mut().for_each(|it| it.resize(it.len() + len / 2, 0.0));
            self.process();
            if self.count > 0 {
                self.end_column();
            }
        }
    }

    /// The level in dBFS at a place: `time` from 0 to 1, `low` to `high` of half the rate.
    pub(super) fn level(&self, time: f64, low: f64, high: f64) -> f64 {
        let count = self.columns.len() / self.rows;
        if count == 0 {
            return f64::NEG_INFINITY;
        }
        // A column tells of its first frame and those around it.
        let at = time * self.frames as f64 / self.per as f64;
        let first = (at as usize).min(count - 1);
        let share = (at - first as f64).clamp(0.0, 1.0);
        let one = self.row_level(first, low, high);
        let other = self.row_level((first + 1).min(count - 1), low, high);
        10.0 * (one * (1.0 - share) + other * share).max(1e-20).log10()
    }

    /// The greatest level in dBFS anywhere.
    pub(super) fn loudest(&self) -> f64 {
        let most = self.columns.iter().copied().fold(0.0_f32, f32::max);
        if most > 0.0 { 10.0 * f64::from(most).log10() } else { f64::NEG_INFINITY }
    }

    fn row_level(&self, column: usize, low: f64, high: f64) -> f64 {
        let rows = &self.columns[column * self.rows..][..self.rows];
        let (low, high) = (low * self.rows as f64, high * self.rows as f64);
        if high - low >= 1.0 {
            let end = (high.ceil() as usize).clamp(1, rows.len());
            let begin = (low as usize).min(end - 1);
            return rows[begin..end].iter().copied().fold(0.0, f32::max).into();
        }
        // Between the middles of two rows.
        let at = ((low + high) / 2.0 - 0.5).clamp(0.0, rows.len() as f64 - 1.0);
        let first = at as usize;
        let [one, other] = [rows[first], rows[(first + 1).min(rows.len() - 1)]].map(f64::from);
        one + (other - one) * (at - first as f64)
    }

    fn process(&mut self) {
        let len = self.window.len();
        let mut begin = 0;
        while self.waiting[0].len() >= begin + len {
            for channel in 0..self.waiting.len() {
                self.add_spectrum(channel, begin);
            }
            self.count += 1;
            begin += self.hop;
            if self.count as usize * self.hop >= self.per {
                self.end_column();
            }
        }
        let begin = begin.min(self.waiting[0].len());
        self.waiting.iter_mut().for_each(|it| drop(it.drain(..begin)));
    }

    fn add_spectrum(&mut self, channel: usize, begin: usize) {
        let len = self.window.len();
        let samples = &self.waiting[channel][begin..begin + len];
        // Twice as long as the sound in it: rows lie closer and look smooth.
        self.block.fill(0.0);
        for ((out, sample), window) in self.block.iter_mut().zip(samples).zip(&self.window) {
            *out = sample * window;
        }
        let done =
            self.fft.process_with_scratch(&mut self.block, &mut self.spectrum, &mut self.scratch);
        done.expect("all of them have the lengths that the transform asked for");
        let scale = 4.0 / len as f32;
        let share = scale * scale / self.waiting.len() as f32;
        for (row, lines) in self.present.iter_mut().zip(self.spectrum.chunks(len / self.rows)) {
            let most = lines.iter().map(Complex::norm_sqr).fold(0.0, f32::max);
            *row += most * share;
        }
    }

    fn end_column(&mut self) {
        let share = 1.0 / self.count as f32;
        self.columns.extend(self.present.iter().map(|power| power * share));
        self.present.fill(0.0);
        self.count = 0;
        if self.columns.len() == MOST_COLUMNS * self.rows {
            let pairs = self.columns.chunks(2 * self.rows).flat_map(|pair| {
                let (one, other) = pair.split_at(self.rows);
                one.iter().zip(other).map(|(one, other)| (one + other) / 2.0)
            });
            self.columns = pairs.collect();
            self.per *= 2;
            self.hop = self.per.min(self.window.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(rate: u32, frequency: f64, len: usize) -> Vec<f32> {
        let step = TAU * frequency / f64::from(rate);
        (0..len).map(|n| (step * n as f64).sin() as f32).collect()
    }

    #[test]
    fn a_tone_is_bright_where_it_is_and_dark_elsewhere_however_long() {
        for (rate, len) in [(8000, 4000), (8000, 2_000_000), (48_000, 480_000)] {
            let mut spectrogram = Spectrogram::new(rate, 1);
            for piece in tone(rate, 1000.0, len).chunks(5000) {
                spectrogram.take(&[piece]);
            }
            spectrogram.finish();
            let at = 1000.0 / (f64::from(rate) / 2.0);
            let level = spectrogram.level(0.5, at - 0.005, at + 0.005);
            assert!(level.abs() < 1.0, "{rate}, {len}: {level}");
            assert!(spectrogram.level(0.5, 0.8, 0.81) < -60.0);
            assert!((spectrogram.loudest() - level).abs() < 1.0);
            assert!(spectrogram.columns.len() < MOST_COLUMNS * MOST_ROWS);
        }
    }

    #[test]
    fn time_runs_from_left_to_right() {
        let mut spectrogram = Spectrogram::new(8000, 1);
        let mut samples = vec![0.0; 40_000];
        samples[30_000..].copy_from_slice(&tone(8000, 2000.0, 10_000));
        spectrogram.take(&[&samples]);
        spectrogram.finish();
        assert!(spectrogram.level(0.5, 0.49, 0.51) < -100.0);
        assert!(spectrogram.level(0.73, 0.49, 0.51) < -100.0);
        assert!(spectrogram.level(0.77, 0.49, 0.51) > -3.0);
        assert!(spectrogram.level(0.99, 0.49, 0.51) > -3.0);
    }

    #[test]
    fn nothing_has_no_level() {
        let mut spectrogram = Spectrogram::new(8000, 2);
        spectrogram.finish();
        assert_eq!(spectrogram.level(0.5, 0.0, 1.0), f64::NEG_INFINITY);
    }
}
