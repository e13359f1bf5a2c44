//! What the dialplan wants spoken, as the names of prompts.

use bstr::{BStr, BString};
use diesis_dialplan::operation::{SaidCase, Say};
use diesis_sounds::say::{self, Gender, Language, Moment, SayError, ToldCase};
use jiff::{Timestamp, tz::TimeZone};

/// Why something can not be spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpeakError {
    /// A number beyond the prompts, or a format without sense.
    #[error("{0}")]
    Prompts(#[from] SayError),
    /// No calendar goes that far.
    #[error("the time {0} is beyond the calendar")]
    Time(i64),
    /// No prompts for this.
    #[error("this engine has no prompts for it")]
    Unavailable,
}

/// Where and when something is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// The channel's language.
    pub(crate) language: &'a BStr,
    /// The present time, for "today" and "yesterday".
    pub(crate) now: Timestamp,
    /// The zone of times without one.
    pub(crate) zone: &'a TimeZone,
}

/// The prompts that say it.
pub(crate) fn prompts(what: &Say, setting: Setting<'_>) -> Result<Vec<BString>, SpeakError> {
    let language = std::str::from_utf8(setting.language)
        .map_or_else(|_| Language::default(), Language::from_tag);
    let names = match what {
        Say::Digits(text) => say::digits(text),
        Say::Number { value, gender } => {
            let gender = gender.as_ref().map_or_else(Gender::default, |g| Gender::from_option(g));
            say::number(*value, gender, language)?
        }
        Say::Alpha(text) => say::characters(text),
        Say::AlphaCase { told, text } => say::characters_telling_case(text, told_case(*told)),
        Say::Phonetic(text) => say::phonetic(text),
        Say::UnixTime { time, zone, format } => {
            let zone = zone.as_ref().and_then(|name| zone_of(name.as_ref()));
            let moment = moment(*time, zone.as_ref().unwrap_or(setting.zone), setting.now)?;
            let format = format.as_ref().map(|format| format.as_slice());
            let format = format.unwrap_or_else(|| say::default_format(language).as_bytes());
            say::moment(&moment, format, language)?
        }
        _ => return Err(SpeakError::Unavailable),
    };
    Ok(names.into_iter().map(BString::from).collect())
}

fn told_case(told: SaidCase) -> ToldCase {
    match told {
        SaidCase::All => ToldCase::All,
        SaidCase::Lower => ToldCase::Lower,
        SaidCase::Upper => ToldCase::Upper,
    }
}

/// A zone by its name; an unknown one counts as none given.
fn zone_of(name: &BStr) -> Option<TimeZone> {
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
    TimeZone::get(name).inspect_err(|_| tracing::warn!(zone = name, "unknown time zone")).ok()
}

fn moment(time: i64, zone: &TimeZone, now: Timestamp) -> Result<Moment, SpeakError> {
    let beyond = SpeakError::Time(time);
    let at = Timestamp::from_second(time).map_err(|_| beyond.clone())?.to_zoned(zone.clone());
    let today = now.to_zoned(zone.clone()).date();
    let days_ago = today.since(at.date()).map_or(0, |span| i64::from(span.get_days()));
    // Every field is within the calendar's bounds; a year before 0 has no prompts.
    let small = |value: i8| u8::try_from(value).unwrap_or_default();
    Ok(Moment {
        year: u16::try_from(at.year()).map_err(|_| beyond)?,
        month: small(at.month()),
        day: small(at.day()),
        weekday: small(at.weekday().to_sunday_zero_offset()),
        hour: small(at.hour()),
        minute: small(at.minute()),
        second: small(at.second()),
        days_ago,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(what: &Say, language: &str) -> Vec<BString> {
        // 2026-03-10 10:00:00 UTC, a Tuesday.
        let now = Timestamp::from_second(1_773_136_800).expect("a time");
        let setting = Setting { language: language.into(), now, zone: &TimeZone::UTC };
        prompts(what, setting).expect("it can be said")
    }

    #[test]
    fn a_number_is_said_in_the_channels_language() {
        let what = Say::Number { value: 21, gender: None };
        assert_eq!(said(&what, "en"), ["digits/20", "digits/1"]);
        assert_eq!(said(&what, "fr_CA"), ["digits/20", "digits/et", "digits/1"]);
    }

    #[test]
    fn digits_are_said_one_by_one() {
        assert_eq!(said(&Say::Digits("1*".into()), "en"), ["digits/1", "digits/star"]);
    }

    #[test]
    fn a_time_is_said_in_its_zone() {
        let at = |zone: Option<&str>, format: &str| Say::UnixTime {
            time: 1_773_136_800 - 86_400,
            zone: zone.map(BString::from),
            format: Some(format.into()),
        };
        assert_eq!(said(&at(None, "A"), "en"), ["digits/day-1"], "a Monday");
        assert_eq!(said(&at(None, "k"), "en"), ["digits/10"]);
        assert_eq!(said(&at(Some("Europe/Paris"), "k"), "en"), ["digits/11"]);
        assert_eq!(said(&at(None, "Q"), "en"), ["digits/yesterday"]);
    }

    #[test]
    fn a_time_beyond_the_calendar_is_an_error() {
        let what = Say::UnixTime { time: i64::MAX, zone: None, format: None };
        let setting =
            Setting { language: "en".into(), now: Timestamp::UNIX_EPOCH, zone: &TimeZone::UTC };
        assert_eq!(prompts(&what, setting), Err(SpeakError::Time(i64::MAX)));
    }
}
