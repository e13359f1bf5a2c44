//! What is done to the samples on their way, as typed arguments.

use std::time::Duration;

use clap::{Args, ValueEnum};
use diesis_sounds::convert::treatment::Ends;

/// Treatments of the sound.
#[derive(Debug, Args)]
#[command(next_help_heading = "Treatment of the sound, in this order")]
pub(crate) struct Signal {
    /// Begin at this time of the input: seconds, or M:SS, or H:MM:SS, with fractions
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Option<Duration>,
    /// End at this time of the input
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Duration>,
    /// Remove an offset: the mean of each channel
    #[arg(long)]
    pub(crate) dc: bool,
    /// Leave silence at both ends out, but for 20 ms; what is below DB counts as silence
    #[arg(
        long, value_name = "DB", num_args = 0..=1, require_equals = true,
        default_missing_value = "-50", value_parser = level, allow_negative_numbers = true
    )]
    pub(crate) trim: Option<f64>,
    /// How the filter for another rate rings around sharp sounds
    #[arg(long, value_enum, default_value_t = PhaseChoice::Linear)]
    pub(crate) phase: PhaseChoice,
    /// Make noise in pauses silence: what is below DB for longer than 150 ms
    #[arg(long, value_name = "DB", value_parser = level, allow_negative_numbers = true)]
    pub(crate) gate: Option<f64>,
    /// Make it as loud as this (ITU-R BS.1770, EBU R 128): -23 is usual for prompts
    #[arg(
        long, value_name = "LUFS", value_parser = level, allow_negative_numbers = true,
        conflicts_with_all = ["gain", "guard", "peak"]
    )]
    pub(crate) loudness: Option<f64>,
    /// With --loudness: stay less loud where the true peak would be above this [default: -3]
    #[arg(
        long, value_name = "DB", value_parser = level, allow_negative_numbers = true,
        requires = "loudness"
    )]
    pub(crate) ceiling: Option<f64>,
    /// Bring the greatest sample to this
    #[arg(
        long, value_name = "DB", value_parser = level, allow_negative_numbers = true,
        conflicts_with_all = ["gain", "guard"]
    )]
    pub(crate) peak: Option<f64>,
    /// Come out of silence and go into it within so many seconds; one number is for both
    #[arg(long, value_name = "IN:OUT", value_parser = ends)]
    pub(crate) fade: Option<Ends>,
    /// Add so many seconds of silence before and after; one number is for both
    #[arg(long, value_name = "BEFORE:AFTER", value_parser = ends)]
    pub(crate) pad: Option<Ends>,
    /// Measure the loudness and the true peak of what is made, and tell them
    #[arg(long)]
    pub(crate) measure: bool,
}

/// How a filter rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PhaseChoice {
    /// Before and after alike, no frequency later than another
    Linear,
    /// Little before, more after: what `sox` does with `rate -I`
    Intermediate,
    /// Only after
    Minimum,
}

/// Decibels below full scale.
fn level(text: &str) -> Result<f64, String> {
    let level: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    match level {
        -120.0..=0.0 => Ok(level),
        _ => Err("expected decibels from -120 to 0, where 0 is full scale".to_owned()),
    }
}

/// Seconds, or minutes or hours before them.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "expected seconds, or M:SS, or H:MM:SS".to_owned();
    let parts: Vec<&str> = text.split(':').collect();
    let [whole @ .., last] = &parts[..] else { return Err(wrong()) };
    if whole.len() > 2 {
        return Err(wrong());
    }
    let mut seconds = 0;
    for part in whole {
        let part: u32 = part.parse().map_err(|_| wrong())?;
        seconds = (seconds + u64::from(part)) * 60;
    }
    let last = plain_seconds(last).filter(|last| whole.is_empty() || last.as_secs() < 60);
    Ok(last.ok_or_else(wrong)? + Duration::from_secs(seconds))
}

/// Seconds at both ends.
fn ends(text: &str) -> Result<Ends, String> {
    let (before, after) = text.split_once(':').unwrap_or((text, text));
    let wrong = || "expected seconds, or two numbers of them: 0.5:1".to_owned();
    let seconds = |text| plain_seconds(text).ok_or_else(wrong);
    Ok(Ends { before: seconds(before)?, after: seconds(after)? })
}

/// A plain number of seconds, a day at most.
fn plain_seconds(text: &str) -> Option<Duration> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds))?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_with_minutes_and_hours_before_them() {
        let millis = |text| time(text).ok().map(|time| time.as_millis());
        for (text, wanted) in [
            ("0", 0),
            ("1.5", 1500),
            (".25", 250),
            ("90", 90_000),
            ("1:02.5", 62_500),
            ("2:00:01", 7_201_000),
        ] {
            assert_eq!(millis(text), Some(wanted), "{text}");
        }
        for text in ["", "-1", "1:60", "1:2:3:4", "a", "1e3", "inf", ":", "1:", "99999999999"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn ends_are_two_times_or_one_for_both() {
        let millis = |text| ends(text).ok().map(|it| (it.before.as_millis(), it.after.as_millis()));
        assert_eq!(millis("0.5:1"), Some((500, 1000)));
        assert_eq!(millis("0:0.02"), Some((0, 20)));
        assert_eq!(millis("2"), Some((2000, 2000)));
        for text in ["", "1:2:3", "-1:1", "1:", "NaN"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
