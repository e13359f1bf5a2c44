//! What is known of a sound file, in full and in a line.

use std::fmt;

use indicatif::DecimalBytes;

use super::asterisk::{Opinion, Verdict};
use super::facts::Facts;
use super::noise::NoiseFloor;
use crate::check::counted;

/// A file in full: a line for each thing worth knowing.
pub(super) struct Detail<'a>(pub(super) &'a Facts);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.0;
        writeln!(f, "{}", facts.file)?;
        let mut line = |name: &str, value: String| writeln!(f, "  {name:<12}{value}");
        line("coding", coding(facts))?;
        line("rate", format!("{} Hz, {}", facts.rate, channels(facts.channels)))?;
        line("length", format!("{} ({} samples)", length(facts.seconds), facts.samples))?;
        line("size", DecimalBytes(facts.bytes).to_string())?;
        line("peak", peak(facts))?;
        line("loudness", loudness(facts))?;
        line("clipped", clipped(facts))?;
        line("DC offset", offset(facts))?;
        line("silence", silence(facts))?;
        line("noise floor", floor(facts))?;
        line("bandwidth", bandwidth(facts))?;
        for warning in &facts.warnings {
            line("warning", warning.clone())?;
        }
        let Opinion { verdict, says, remedy } = &facts.asterisk;
        let says = says.as_ref().map_or_else(String::new, |says| format!(": {says}"));
        line("Asterisk", format!("{}{says}", told(*verdict)))?;
        match remedy {
            Some(remedy) => line("remedy", remedy.clone()),
            None => Ok(()),
        }
    }
}

/// Container and coding, and one word where both have the same.
pub(super) fn coding(facts: &Facts) -> String {
    let Facts { container, coding, .. } = facts;
    if coding.contains(container.as_str()) {
        return (*coding).to_owned();
    }
    format!("{container}, {coding}")
}

fn told(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Plays => "plays it",
        Verdict::PlaysWrong => "plays something else",
        Verdict::Refuses => "refuses it",
    }
}

pub(super) fn channels(channels: u16) -> String {
    match channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        more => format!("{more} channels"),
    }
}

/// Seconds, and from a minute on minutes too.
pub(super) fn length(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.3} s");
    }
    let whole = seconds.floor() as u64;
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    let seconds = seconds - (whole / 60 * 60) as f64;
    match hours {
        0 => format!("{minutes}:{seconds:06.3} min"),
        _ => format!("{hours}:{minutes:02}:{seconds:06.3} h"),
    }
}

fn peak(facts: &Facts) -> String {
    match (facts.peak_dbfs, facts.true_peak_dbtp) {
        (Some(peak), Some(between)) => {
            format!("{} dBFS, true peak {} dBTP", tenths(peak), tenths(between))
        }
        _ => "none: all samples are 0".to_owned(),
    }
}

/// A level to a tenth of a dB, without a minus before nothing.
pub(super) fn tenths(level: f64) -> String {
    format!("{:.1}", (level * 10.0).round() / 10.0 + 0.0)
}

fn loudness(facts: &Facts) -> String {
    let Some(rms) = facts.rms_dbfs else { return "none".to_owned() };
    match facts.loudness_lufs {
        Some(loudness) => format!("{loudness:.1} LUFS, RMS {rms:.1} dBFS"),
        None => format!("too short or too quiet to tell, RMS {rms:.1} dBFS"),
    }
}

fn clipped(facts: &Facts) -> String {
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    match (count(facts.clipped.samples), count(facts.clipped.places)) {
        (0, _) => "nothing".to_owned(),
        (samples, places) => {
            format!("{} in {}", counted((samples, "sample")), counted((places, "place")))
        }
    }
}

fn offset(facts: &Facts) -> String {
    // A hundredth of that is what rounding leaves; a tenth of a percent clicks at both ends.
    if facts.dc_offset.abs() < 0.001 {
        return "none".to_owned();
    }
    format!("{:+.2} % of full scale", facts.dc_offset * 100.0)
}

fn silence(facts: &Facts) -> String {
    let pauses = &facts.silence;
    if pauses.throughout {
        return "throughout".to_owned();
    }
    let mut parts = vec![];
    for (seconds, place) in [(pauses.beginning, "at the beginning"), (pauses.end, "at the end")] {
        if seconds > 0.0 {
            parts.push(format!("{} {place}", length(seconds)));
        }
    }
    if pauses.longest_inside > 0.0 {
        parts.push(format!("{} at most inside", length(pauses.longest_inside)));
    }
    if parts.is_empty() { "nowhere".to_owned() } else { parts.join(", ") }
}

fn floor(facts: &Facts) -> String {
    match facts.noise_floor {
        NoiseFloor::Dbfs(level) => format!("{level:.0} dBFS"),
        NoiseFloor::DigitalSilence => "none: pauses are zeros".to_owned(),
        NoiseFloor::Unknown => "too short to tell".to_owned(),
    }
}

fn bandwidth(facts: &Facts) -> String {
    let Some(highest) = facts.bandwidth_hz else { return "none".to_owned() };
    let told = format!("up to {:.1} kHz", highest / 1000.0);
    if facts.is_telephone_band() {
        return format!(
            "{told}: no more than a telephone carries, though {} Hz have room for {:.1} kHz",
            facts.rate,
            f64::from(facts.rate) / 2000.0
        );
    }
    told
}

/// Several files, a line each.
pub(super) struct Table<'a>(pub(super) &'a [Facts]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = ["FILE", "CODING", "RATE", "CH", "LENGTH", "PEAK", "LUFS", "CLIPPED", "BAND"];
        let mut rows = vec![heading.map(str::to_owned)];
        rows.extend(self.0.iter().map(row));
        let widths: [usize; 9] = std::array::from_fn(|column| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
        });
        for (number, row) in rows.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                // Names to the left, numbers to the right.
                if column < 2 {
                    write!(f, "{cell:<width$}  ")?;
                } else {
                    write!(f, "{cell:>width$}  ")?;
                }
            }
            match number.checked_sub(1).map(|number| &self.0[number].asterisk) {
                None => writeln!(f, "ASTERISK")?,
                Some(Opinion { verdict, says: None, .. }) => writeln!(f, "{}", told(*verdict))?,
                Some(Opinion { verdict, says: Some(says), .. }) => {
                    writeln!(f, "{}: {says}", told(*verdict))?;
                }
            }
        }
        Ok(())
    }
}

fn row(facts: &Facts) -> [String; 9] {
    let level = |level: Option<f64>| level.map_or_else(|| "-".to_owned(), tenths);
    let band = |it: f64| format!("{:.1}k", it / 1000.0);
    [
        facts.file.clone(),
        coding(facts),
        facts.rate.to_string(),
        facts.channels.to_string(),
        length(facts.seconds),
        level(facts.peak_dbfs),
        level(facts.loudness_lufs),
        facts.clipped.samples.to_string(),
        facts.bandwidth_hz.map_or_else(|| "-".to_owned(), band),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_as_people_tell_them() {
        assert_eq!(length(0.0), "0.000 s");
        assert_eq!(length(59.9994), "59.999 s");
        assert_eq!(length(61.5), "1:01.500 min");
        assert_eq!(length(3600.0 + 62.25), "1:01:02.250 h");
    }
}
