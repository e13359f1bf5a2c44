//! All that is found out about a sound file, in one pass over it.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use diesis_sounds::error::SoundError;
use diesis_sounds::pcm::TELEPHONE_RATE;
use diesis_sounds::read::{Reader, Spec};
use diesis_sounds::signal::{Meter, decibels};
use serde::Serialize;

use super::asterisk::{Opinion, opinion};
use super::bandwidth::SpectrumMeter;
use super::container::{Container, HEAD};
use super::noise::{NoiseFloor, NoiseMeter};
use crate::convert::told::with_cause;

/// What is known of a sound file. Levels are in dB, `None` where there is no sound to have one.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Facts {
    pub(super) file: String,
    pub(super) container: String,
    pub(super) coding: &'static str,
    pub(super) rate: u32,
    pub(super) channels: u16,
    pub(super) bits: u32,
    pub(super) seconds: f64,
    /// Of each channel.
    pub(super) samples: u64,
    pub(super) bytes: u64,
    pub(super) peak_dbfs: Option<f64>,
    /// Between samples, too.
    pub(super) true_peak_dbtp: Option<f64>,
    pub(super) rms_dbfs: Option<f64>,
    /// Integrated, of all that is not far quieter than the rest; `None` below 400 ms.
    pub(super) loudness_lufs: Option<f64>,
    /// Loudness range.
    pub(super) loudness_range_lu: f64,
    /// Full scale as 1.
    pub(super) dc_offset: f64,
    pub(super) clipped: Clipped,
    pub(super) silence: Pauses,
    pub(super) noise_floor: NoiseFloor,
    /// The highest frequency that is in use, in Hz.
    pub(super) bandwidth_hz: Option<f64>,
    /// What was odd about it.
    pub(super) warnings: Vec<String>,
    pub(super) asterisk: Opinion,
}

/// Why nothing is known of a file, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Unread {
    pub(super) error: String,
    pub(super) remedy: String,
}

impl From<SoundError> for Unread {
    fn from(error: SoundError) -> Self {
        Self { error: with_cause(&error), remedy: error.remedy() }
    }
}

/// Silence in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Pauses {
    pub(super) throughout: bool,
    pub(super) beginning: f64,
    pub(super) end: f64,
    pub(super) longest_inside: f64,
}

/// Where a sound was cut: three or more samples of a channel in a row at full scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Clipped {
    /// Samples in all.
    pub(super) samples: u64,
    pub(super) places: u64,
}

impl Facts {
    /// Whether a file of a higher rate holds no more than a telephone carries.
    pub(super) fn is_telephone_band(&self) -> bool {
        self.rate > TELEPHONE_RATE && self.bandwidth_hz.is_some_and(|it| it <= TELEPHONE_BAND)
    }
}

/// Half of the telephone's rate, and a little for filters that are not steep.
const TELEPHONE_BAND: f64 = 4100.0;

/// Reads a file from end to end. `take` gets what it is and every piece of it, too, channel by
/// channel; the first piece is empty.
pub(super) fn examine(
    path: &Path,
    mut take: impl FnMut(&Spec, &[Vec<f32>]),
) -> Result<Facts, Unread> {
    let io = |source| Unread::from(SoundError::Io { path: path.to_owned(), source });
    let mut reader = Reader::open(path)?;
    let spec = reader.spec();
    let width = usize::from(spec.channels.max(1));
    let mut meter = Meter::new(spec.rate, width).with_full_scale(full_scale(&spec));
    let mut noise = NoiseMeter::new(spec.rate, width);
    let mut spectrum = SpectrumMeter::new(spec.rate, width);
    let mut channels = vec![Vec::new(); width];
    take(&spec, &channels);
    loop {
        let frames = reader.frames()?;
        if frames.is_empty() {
            break;
        }
        for (number, channel) in channels.iter_mut().enumerate() {
            channel.clear();
            channel.extend(frames.iter().skip(number).step_by(width));
        }
        meter.take(&channels);
        noise.take(&channels);
        spectrum.take(&channels);
        take(&spec, &channels);
    }
    let measured = meter.measured();
    let seconds = |frames: u64| rounded(frames as f64 / f64::from(spec.rate), 1000.0);
    let level = |magnitude: f64| (magnitude > 0.0).then(|| rounded(decibels(magnitude), 100.0));
    let mut head = Vec::new();
    File::open(path).and_then(|it| it.take(HEAD as u64).read_to_end(&mut head)).map_err(io)?;
    Ok(Facts {
        file: path.display().to_string(),
        container: Container::of(&head).name(path),
        coding: spec.coding,
        rate: spec.rate,
        channels: spec.channels,
        bits: spec.precision,
        seconds: measured.frames as f64 / f64::from(spec.rate),
        samples: measured.frames,
        bytes: fs::metadata(path).map_err(io)?.len(),
        peak_dbfs: level(measured.peak),
        true_peak_dbtp: level(measured.true_peak),
        rms_dbfs: level(measured.rms),
        loudness_lufs: measured.loudness.map(|it| rounded(it, 100.0)),
        loudness_range_lu: rounded(measured.range, 100.0),
        dc_offset: rounded(measured.offset, 1e6),
        clipped: Clipped { samples: measured.clipped, places: measured.clips },
        silence: Pauses {
            throughout: measured.leading == measured.frames,
            beginning: seconds(measured.leading),
            end: seconds(measured.trailing),
            longest_inside: seconds(measured.longest_pause),
        },
        noise_floor: noise.floor(),
        bandwidth_hz: spectrum.finish().map(f64::round),
        warnings: reader.warnings().iter().map(ToString::to_string).collect(),
        asterisk: opinion(path).map_err(io)?,
    })
}

/// The magnitude that a sound of this coding has where it was cut.
pub(super) fn full_scale(spec: &Spec) -> f32 {
    let is_law = |name: &str| spec.coding.starts_with("G.711") && spec.coding.ends_with(name);
    match spec.precision {
        _ if is_law("A-law") => 32_256.0 / 32_768.0,
        _ if is_law("-law") => 32_124.0 / 32_768.0,
        8 => 127.0 / 128.0,
        16 => 32_767.0 / 32_768.0,
        24 => 8_388_607.0 / 8_388_608.0,
        _ => 1.0,
    }
}

/// To so many parts of one.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
