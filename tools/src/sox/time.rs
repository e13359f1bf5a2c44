//! Times and places as `sox` writes them: `1:30.5`, `8000s`, `3:00-200s`, `=2:00`, `-0.5+1s`.

use diesis_sounds::chain::{Origin, Position, Time};

/// What a number without a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    Seconds,
    /// Whole numbers are frames; with a dot or a colon they are seconds.
    Frames,
}

/// A place; `origin` is what it is counted from if it does not say.
pub(super) fn position(text: &str, origin: Origin) -> Option<Position> {
    let (from, rest) = match text.as_bytes().first()? {
        b'=' => (Origin::Begin, &text[1..]),
        b'+' => (Origin::Previous, &text[1..]),
        b'-' => (Origin::End, &text[1..]),
        _ => (origin, text),
    };
    Some(Position { from, time: time(rest, Bare::Seconds)? })
}

/// A length: terms that are added and subtracted.
pub(super) fn time(text: &str, bare: Bare) -> Option<Time> {
    let mut sum = Time::default();
    let (mut rest, mut sign) = (text, 1.0);
    loop {
        let end = end_of_term(rest);
        term(&rest[..end], bare, sign, &mut sum)?;
        if end == rest.len() {
            return Some(sum);
        }
        sign = if rest.as_bytes()[end] == b'-' { -1.0 } else { 1.0 };
        rest = &rest[end + 1..];
    }
}

/// Where the next `+` or `-` stands that is not part of a number such as `1.7e+6s`.
fn end_of_term(text: &str) -> usize {
    let mut before = b' ';
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        if matches!(byte, b'+' | b'-') && !matches!(before, b'e' | b'E') {
            return at;
        }
        before = byte;
    }
    text.len()
}

fn term(text: &str, bare: Bare, sign: f64, sum: &mut Time) -> Option<()> {
    if let Some(frames) = text.strip_suffix('s') {
        sum.frames += sign * number(frames)?;
        return Some(());
    }
    let (clock, is_time) = match text.strip_suffix('t') {
        Some(clock) => (clock, true),
        None => (text, text.contains([':', '.'])),
    };
    if bare == Bare::Frames && !is_time {
        sum.frames += sign * number(clock)?;
        return Some(());
    }
    let mut seconds = 0.0;
    let fields: Vec<&str> = clock.split(':').collect();
    if fields.len() > 3 {
        return None;
    }
    for (at, field) in fields.iter().enumerate() {
        // `1::25` has no minutes.
        let last = at + 1 == fields.len();
        let value = if field.is_empty() && !last { 0.0 } else { number(field)? };
        seconds = seconds * 60.0 + value;
    }
    sum.seconds += sign * seconds;
    Some(())
}

/// A number that is not negative.
fn number(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|it: &f64| plain && it.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, rate: u32) -> Option<u64> {
        time(text, Bare::Seconds).map(|it| it.at(rate))
    }

    #[test]
    fn times_are_clocks_samples_and_sums() {
        for (text, expected) in [
            ("1:30.5", Some(724_000)),
            ("1:23:45", Some(5025 * 8000)),
            ("83:45", Some(5025 * 8000)),
            ("1::1425", Some(5025 * 8000)),
            ("8000s", Some(8000)),
            ("1.7e6s", Some(1_700_000)),
            ("0:12+10s", Some(96_010)),
            ("3:00-200s", Some(1_439_800)),
            ("2t", Some(16_000)),
            (".5", Some(4000)),
            ("1-2", Some(0)),
            ("", None),
            ("1:2:3:4", None),
            ("x", None),
            ("1+", None),
            ("inf", None),
            ("nan", None),
        ] {
            assert_eq!(at(text, 8000), expected, "{text}");
        }
        let frames = |text| time(text, Bare::Frames).map(|it| it.at(8000));
        assert_eq!((frames("5"), frames("0.1"), frames("0:01")), (Some(5), Some(800), Some(8000)));
    }

    #[test]
    fn places_say_what_they_are_counted_from() {
        let from = |text| position(text, Origin::Previous).map(|it| it.from);
        assert_eq!(from("=2:00"), Some(Origin::Begin));
        assert_eq!(from("-0.5+1s"), Some(Origin::End));
        assert_eq!(from("5"), Some(Origin::Previous));
        assert_eq!(from("=x"), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_no_time_is_refused(
            text in "[0-9:.+=ste-]{0,24}|\\PC{0,16}",
            rate in 1..400_000_u32,
        ) {
            for bare in [Bare::Seconds, Bare::Frames] {
                if let Some(time) = time(&text, bare) {
                    let _ = time.at(rate);
                }
            }
            let _ = position(&text, Origin::Previous);
        }
    }
}
