//! What a sound is like: how loud (ITU-R BS.1770-4, EBU R 128), how high its peaks are, where it
//! is silent, and what is wrong with it.
//!
//! Loudness is that of the channels as they are, so a mono sound is one channel: played from two
//! loudspeakers, as R 128 has it for "dual mono", it is 3 LU louder than what is told here. A
//! telephone has one, and other meters (`ffmpeg -af ebur128`) count by default as this one does.

pub(crate) mod extent;
mod loudness;
pub mod silence;
mod true_peak;
mod weighting;

use self::loudness::Loudness;
use self::silence::Silence;
use self::true_peak::TruePeak;
use self::weighting::Weighting;

/// Measures a sound of any length piece by piece, in little memory.
///
/// ```
/// use diesis_sounds::signal::Meter;
///
/// let tone = (0..80_000).map(|n| (f64::from(n) * std::f64::consts::TAU / 8.0).sin() as f32 * 0.1);
/// let mut meter = Meter::new(8000, 1);
/// meter.take(&[tone.collect::<Vec<_>>()]);
/// let measured = meter.measured();
/// assert!((measured.loudness.unwrap() + 23.0).abs() < 0.1);
/// assert_eq!((measured.frames, measured.clipped), (80_000, 0));
/// ```
#[derive(Debug, Clone)]
pub struct Meter {
    channels: Vec<Channel>,
    loudness: Loudness,
    silence: Silence,
    full_scale: f32,
    /// Frames of a tenth of a second, and of the present one.
    tenth: usize,
    filled: usize,
    frames: u64,
}

/// What is kept of one channel.
#[derive(Debug, Clone)]
struct Channel {
    /// How much it counts in loudness.
    weight: f64,
    weighting: Weighting,
    /// Sum of weighted squares of the present tenth of a second.
    energy: f64,
    true_peak: TruePeak,
    peak: f32,
    sum: f64,
    squares: f64,
    /// Samples at full scale in a row until now.
    run: u64,
    clipped: u64,
    clips: u64,
}

/// What a sound is like. Magnitudes are relative to full scale as 1; see [`decibels`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// Frames in all.
    pub frames: u64,
    /// Integrated (programme) loudness in LUFS; `None` when nothing is above -70 LUFS. Of a sound
    /// that is shorter than the 400 ms of a block it is that of the whole.
    pub loudness: Option<f64>,
    /// Loudness range in LU (EBU Tech 3342); 0 for less than 3 s.
    pub range: f64,
    /// The loudest 400 ms, in LUFS.
    pub momentary: Option<f64>,
    /// The loudest 3 s, in LUFS.
    pub short_term: Option<f64>,
    /// Greatest magnitude, between samples too.
    pub true_peak: f64,
    /// Greatest magnitude of a sample.
    pub peak: f64,
    /// Root mean square of all channels.
    pub rms: f64,
    /// The mean of the channel where it is farthest from 0.
    pub offset: f64,
    /// Samples in runs of at least three at full scale, of all channels.
    pub clipped: u64,
    /// How many such runs there are.
    pub clips: u64,
    /// Frames before the first that is not silent; all of them when all is silent.
    pub leading: u64,
    /// Frames after the last that is not silent.
    pub trailing: u64,
    /// The longest silence between, in frames.
    pub longest_pause: u64,
}

/// Samples at full scale in a row that are no chance.
const RUN: u64 = 3;

/// The largest sample of 16 bits.
const FULL_SCALE: f32 = 32_767.0 / 32_768.0;

impl Meter {
    /// For frames of so many channels at this rate. Five channels count as left, right, centre and
    /// two at the back; six have one of low frequencies, which does not count, after the centre.
    #[must_use]
    pub fn new(rate: u32, channels: usize) -> Self {
        let channel = |number: usize| Channel {
            weight: match (channels, number) {
                (6, 3) => 0.0,
                (5, 3 | 4) | (6, 4 | 5) => 1.41,
                _ => 1.0,
            },
            weighting: Weighting::new(rate),
            energy: 0.0,
            true_peak: TruePeak::new(),
            peak: 0.0,
            sum: 0.0,
            squares: 0.0,
            run: 0,
            clipped: 0,
            clips: 0,
        };
        Self {
            channels: (0..channels).map(channel).collect(),
            loudness: Loudness::new(),
            silence: Silence::new(rate, channels, silence::THRESHOLD),
            full_scale: FULL_SCALE,
            tenth: ((rate as usize + 5) / 10).max(1),
            filled: 0,
            frames: 0,
        }
    }

    /// The least magnitude that counts as clipped, where it is not that of 16 bits: 0.98 for µ-law.
    #[must_use]
    pub const fn with_full_scale(mut self, full_scale: f32) -> Self {
        self.full_scale = full_scale;
        self
    }

    /// Takes frames; every channel has as many samples.
    pub fn take(&mut self, channels: &[impl AsRef<[f32]>]) {
        let len = channels.first().map_or(0, |it| it.as_ref().len());
        self.silence.take(channels);
        for (channel, samples) in self.channels.iter_mut().zip(channels) {
            channel.take(samples.as_ref(), self.full_scale);
        }
        let mut at = 0;
        while at < len {
            let part = at..len.min(at + self.tenth - self.filled);
            for (channel, samples) in self.channels.iter_mut().zip(channels) {
                channel.energy += channel.weighting.energy(&samples.as_ref()[part.clone()]);
            }
            self.filled += part.len();
            at = part.end;
            if self.filled == self.tenth {
                let sum: f64 = self.channels.iter().map(|it| it.weight * it.energy).sum();
                self.loudness.take(sum / self.tenth as f64);
                self.channels.iter_mut().for_each(|it| it.energy = 0.0);
                self.filled = 0;
            }
        }
        self.frames += len as u64;
    }

    /// What was measured so far, as if the sound ended here.
    #[must_use]
    pub fn measured(&self) -> Measured {
        let samples = (self.frames * self.channels.len() as u64).max(1) as f64;
        let channels = || self.channels.iter();
        let offset = |it: &Channel| it.sum / self.frames.max(1) as f64;
        let clips = |it: &Channel| if it.run >= RUN { (it.run, 1) } else { (0, 0) };
        let sounding = self.silence.sounding();
        Measured {
            frames: self.frames,
            loudness: self.loudness.integrated().or_else(|| self.of_less_than_a_block()),
            range: self.loudness.range(),
            momentary: self.loudness.momentary(),
            short_term: self.loudness.short_term(),
            true_peak: channels().map(|it| it.true_peak.greatest()).fold(0.0, f32::max).into(),
            peak: channels().map(|it| it.peak).fold(0.0, f32::max).into(),
            rms: (channels().map(|it| it.squares).sum::<f64>() / samples).sqrt(),
            offset: channels()
                .map(offset)
                .max_by(|a, b| a.abs().total_cmp(&b.abs()))
                .unwrap_or(0.0),
            clipped: channels().map(|it| it.clipped + clips(it).0).sum(),
            clips: channels().map(|it| it.clips + clips(it).1).sum(),
            leading: sounding.as_ref().map_or(self.frames, |it| it.start),
            trailing: sounding.map_or(0, |it| self.frames - it.end),
            longest_pause: self.silence.longest_pause(),
        }
    }
}

impl Meter {
    /// Loudness of what is shorter than 400 ms.
    fn of_less_than_a_block(&self) -> Option<f64> {
        let present: f64 = self.channels.iter().map(|it| it.weight * it.energy).sum();
        let energy = self.loudness.short()? * self.tenth as f64 + present;
        Some(loudness::lufs(energy / self.frames as f64))
            .filter(|&it| it >= loudness::ABSOLUTE_GATE)
    }
}

impl Channel {
    fn take(&mut self, samples: &[f32], full_scale: f32) {
        let (mut peak, mut sum, mut squares) = (0.0_f32, [0.0; 4], [0.0; 4]);
        for four in samples.chunks(4) {
            for ((sample, sum), squares) in four.iter().zip(&mut sum).zip(&mut squares) {
                peak = peak.max(sample.abs());
                let sample = f64::from(*sample);
                *sum += sample;
                *squares += sample * sample;
            }
        }
        self.true_peak.take(samples, peak);
        self.peak = self.peak.max(peak);
        self.sum += sum.iter().sum::<f64>();
        self.squares += squares.iter().sum::<f64>();
        if peak < full_scale {
            self.end_run();
            return;
        }
        for sample in samples {
            if sample.abs() >= full_scale {
                self.run += 1;
            } else {
                self.end_run();
            }
        }
    }

    fn end_run(&mut self) {
        if self.run >= RUN {
            self.clipped += self.run;
            self.clips += 1;
        }
        self.run = 0;
    }
}

/// A magnitude in dB relative to full scale; minus infinity for nothing.
#[must_use]
pub fn decibels(magnitude: f64) -> f64 {
    20.0 * magnitude.log10()
}

/// The other way about.
#[must_use]
pub fn magnitude(decibels: f64) -> f64 {
    10.0_f64.powf(decibels / 20.0)
}

#[cfg(test)]
mod tests;
