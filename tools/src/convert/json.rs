//! What a conversion did, for programs: one JSON object.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesis_sounds::convert::Report;
use diesis_sounds::error::SoundError;
use diesis_sounds::signal::decibels;
use serde::Serialize;

use super::told::{seconds, warnings, with_cause};

/// Everything that was done.
#[derive(Debug, Default, Serialize)]
pub(super) struct Account {
    files: Vec<FileAccount>,
    summary: Summary,
}

/// How many files came to what end.
#[derive(Debug, Default, Serialize)]
struct Summary {
    converted: usize,
    planned: usize,
    current: usize,
    skipped: usize,
    failed: usize,
    not_begun: usize,
    /// Of the clock on the wall.
    seconds: f64,
}

/// One input and what became of it. Fields that do not apply are left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct FileAccount {
    input: PathBuf,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    sound: Option<SoundAccount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<OutputAccount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    #[default]
    Converted,
    /// A dry run.
    Planned,
    /// It is as it should be.
    Current,
    /// It is no sound.
    Skipped,
    Failed,
}

/// What an input is.
#[derive(Debug, Serialize)]
struct SoundAccount {
    coding: &'static str,
    rate: u32,
    channels: u16,
    seconds: f64,
}

/// What was made. Levels of silence are null.
#[derive(Debug, Default, Serialize)]
struct OutputAccount {
    path: PathBuf,
    #[serde(flatten)]
    made: Option<MadeAccount>,
}

#[derive(Debug, Serialize)]
struct MadeAccount {
    frames: u64,
    gain_db: Option<f64>,
    peak_dbfs: Option<f64>,
    clipped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<MeasuredAccount>,
}

#[derive(Debug, Serialize)]
struct MeasuredAccount {
    loudness_lufs: Option<f64>,
    loudness_range_lu: f64,
    true_peak_dbtp: Option<f64>,
    rms_dbfs: Option<f64>,
    offset: f64,
}

impl FileAccount {
    pub(super) fn new(input: &Path, state: State) -> Self {
        Self { input: input.to_owned(), state, ..Self::default() }
    }

    /// Of a conversion into `outputs`; `gain` is what was asked for, in dB.
    pub(super) fn converted(input: &Path, outputs: &[&Path], report: &Report, gain: f32) -> Self {
        let spec = &report.input;
        let sound = SoundAccount {
            coding: spec.coding,
            rate: spec.rate,
            channels: spec.channels,
            seconds: seconds(report),
        };
        let made = outputs.iter().zip(&report.made).map(|(path, made)| OutputAccount {
            path: path.to_path_buf(),
            made: Some(MadeAccount {
                frames: made.frames,
                gain_db: level(made.gain.into()),
                peak_dbfs: level(made.peak.into()),
                clipped: made.clipped,
                measured: made.measured.as_ref().map(|it| MeasuredAccount {
                    loudness_lufs: it.loudness,
                    loudness_range_lu: it.range,
                    true_peak_dbtp: level(it.true_peak),
                    rms_dbfs: level(it.rms),
                    offset: it.offset,
                }),
            }),
        });
        Self {
            sound: Some(sound),
            outputs: made.collect(),
            warnings: warnings(report, gain),
            ..Self::new(input, State::Converted)
        }
    }

    pub(super) fn failed(input: &Path, error: &SoundError) -> Self {
        Self {
            error: Some(with_cause(error)),
            remedy: Some(error.remedy()),
            ..Self::new(input, State::Failed)
        }
    }

    /// With outputs that are not made yet.
    pub(super) fn into_outputs(self, outputs: &[&Path]) -> Self {
        let output = |path: &&Path| OutputAccount { path: path.to_path_buf(), made: None };
        Self { outputs: outputs.iter().map(output).collect(), ..self }
    }
}

/// In decibels; silence has none.
fn level(magnitude: f64) -> Option<f64> {
    Some(decibels(magnitude)).filter(|level| level.is_finite())
}

impl Account {
    /// Takes a file in.
    pub(super) fn add(&mut self, file: FileAccount) {
        let summary = &mut self.summary;
        *match file.state {
            State::Converted => &mut summary.converted,
            State::Planned => &mut summary.planned,
            State::Current => &mut summary.current,
            State::Skipped => &mut summary.skipped,
            State::Failed => &mut summary.failed,
        } += 1;
        self.files.push(file);
    }

    /// The end: so many files were not begun, and so long it took.
    pub(super) fn ended(mut self, not_begun: usize, took: Duration) -> Self {
        self.summary.not_begun = not_begun;
        self.summary.seconds = took.as_secs_f64();
        self.files.sort_by(|one, other| one.input.cmp(&other.input));
        self
    }

    /// Writes it to a file, or to standard output for `-`.
    pub(super) fn write(&self, place: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        if place.as_os_str() == "-" {
            return io::stdout().lock().write_all(&text);
        }
        fs::write(place, text)
    }
}
