//! Times on the command line.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Trouble;

/// What `--at` says, or the present: `2026-12-24T18:30` in the system's zone, with an offset or a
/// zone in brackets, or seconds since 1970.
pub(super) fn parse(text: Option<&str>, zone: &TimeZone) -> Result<Timestamp, Trouble> {
    let Some(text) = text else { return Ok(Timestamp::now()) };
    diesis_dialplan::schedule::moment(text, zone).ok_or_else(|| {
        Trouble::Argument(format!(
            "`{text}` is not a time; write `2026-12-24T18:30`, with an offset such as `+01:00` or without"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_local_unless_it_says_otherwise() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for text in [
            "2026-12-24T18:30",
            "2026-12-24 18:30:00",
            "2026-12-24T18:30+01:00",
            "2026-12-24T17:30Z",
            "2026-12-24T12:30-05:00[America/New_York]",
            "1798133400",
        ] {
            assert_eq!(parse(Some(text), &zone).unwrap().as_second(), 1_798_133_400, "{text}");
        }
        for text in ["tomorrow", "2026-13-01T00:00", ""] {
            assert!(parse(Some(text), &zone).is_err(), "{text}");
        }
    }
}
