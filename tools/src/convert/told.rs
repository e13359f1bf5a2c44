//! What conversions say: what was done, what to watch for, what failed and what to do about it.

use std::fmt;
use std::path::Path;

use diesis_sounds::convert::Report;
use diesis_sounds::error::SoundError;
use diesis_sounds::signal::decibels;

use super::signal::Treated;

/// What was done, in a line.
pub(crate) struct Told<'a> {
    pub(crate) report: &'a Report,
    pub(crate) outputs: &'a [&'a Path],
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, outputs } = self;
        let input = &report.input;
        write!(f, "{}, {} Hz, ", input.coding, input.rate)?;
        match input.channels {
            1 => write!(f, "mono, ")?,
            2 => write!(f, "stereo, ")?,
            more => write!(f, "{more} channels, ")?,
        }
        write!(f, "{:.2} s ->", seconds(report))?;
        for path in *outputs {
            write!(f, " {}", path.display())?;
        }
        if report.peak == 0.0 {
            return write!(f, ", silent");
        }
        write!(f, ", peak {:.1} dBFS{}", decibels(report.peak.into()), Treated(report))
    }
}

/// How long the input is.
pub(crate) fn seconds(report: &Report) -> f64 {
    report.frames as f64 / f64::from(report.input.rate)
}

/// What to watch for in what was made, each in a sentence; `gain` is what was asked for, in dB.
pub(crate) fn warnings(report: &Report, gain: f32) -> Vec<String> {
    let mut warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    if report.clipped > 0 {
        warnings.push(format!(
            "{} samples were too loud and are cut; `--guard` makes it as quiet as it takes, \
             `--gain {:.1}` does too",
            report.clipped,
            f64::from(gain) - decibels(report.peak.into())
        ));
    }
    warnings
}

/// A failure: what, why, and what to do.
pub(crate) struct Failure<'a>(pub(crate) &'a Path, pub(crate) &'a SoundError);

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, error) = self;
        write!(f, "{}: {}\n  what to do: {}", path.display(), with_cause(error), error.remedy())
    }
}

/// An error and what caused it.
pub(crate) fn with_cause(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        told.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    told
}
