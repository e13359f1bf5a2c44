//! Dates and times by SayUnixTime's format: each letter is a part of it, quotes hold a prompt.

use super::{Gender, Language, SayError, Words, english, french};

/// A point in time in the zone in which it is said. Whoever fills it in has the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For example 2026.
    pub year: u16,
    /// 1..=12.
    pub month: u8,
    /// 1..=31.
    pub day: u8,
    /// 0 is Sunday.
    pub weekday: u8,
    /// 0..=23.
    pub hour: u8,
    /// 0..=59.
    pub minute: u8,
    /// 0..=60.
    pub second: u8,
    /// Calendar days before the one on which it is said: 0 today, negative in the future.
    pub days_ago: i64,
}

/// What SayUnixTime uses when it is given no format.
///
/// English has Asterisk's: Sunday, March first, two thousand twenty six, at ten thirty A M.
/// Differs from Asterisk in French, where it gives the day before the month, and 24 hours.
#[must_use]
pub const fn default_format(language: Language) -> &'static str {
    match language {
        Language::English => "ABdY 'digits/at' IMp",
        Language::French => "AdBY 'digits/at' kM",
    }
}

/// A date or a time.
///
/// Letters: `A` `a` weekday; `B` `b` `h` month; `m` month as an ordinal; `d` `e` day; `Y` year;
/// `I` `l` hour of twelve; `H` `k` hour of 24, `H` with a leading "oh" in English; `M` `N` minute,
/// a full hour as "o'clock" or "hundred"; `S` second; `P` `p` half of the day; `Q` `q` today,
/// yesterday or the date as far as it is needed, `q` without "today"; `R` is `HM`, `T` is `HMS`.
///
/// ```
/// use diesis_sounds::say::{Language, Moment, moment};
///
/// let noon = Moment {
///     year: 2026, month: 3, day: 1, weekday: 0, hour: 12, minute: 0, second: 0, days_ago: 0,
/// };
/// let names = moment(&noon, b"A 'digits/at' IM", Language::English)?;
/// assert_eq!(names, ["digits/day-0", "digits/at", "digits/12", "digits/oclock"]);
/// # Ok::<(), diesis_sounds::say::SayError>(())
/// ```
pub fn moment(moment: &Moment, format: &[u8], language: Language) -> Result<Vec<String>, SayError> {
    let mut words = Words::default();
    let mut rest = format;
    while let Some((&letter, after)) = rest.split_first() {
        rest = after;
        match letter {
            b'\'' => {
                let end = rest.iter().position(|&byte| byte == b'\'').unwrap_or(rest.len());
                words.0.push(String::from_utf8_lossy(&rest[..end]).into_owned());
                rest = rest.get(end + 1..).unwrap_or_default();
            }
            b'Q' | b'q' => {
                let nested = relative(moment, letter, &mut words);
                words.0.extend(self::moment(moment, nested, language)?);
            }
            b'R' => words.0.extend(self::moment(moment, b"HM", language)?),
            b'T' => words.0.extend(self::moment(moment, b"HMS", language)?),
            b' ' | b'\t' => {}
            letter => match language {
                Language::English => english_part(moment, letter, &mut words)?,
                Language::French => french_part(moment, letter, &mut words)?,
            },
        }
    }
    Ok(words.0)
}

/// The day as one would name it now; what is left to say is the format that is returned.
fn relative(moment: &Moment, letter: u8, words: &mut Words) -> &'static [u8] {
    match moment.days_ago {
        ..=0 => {
            if letter == b'Q' {
                words.push("today");
            }
            b""
        }
        1 => {
            words.push("yesterday");
            b""
        }
        2..7 => b"A",
        7..30 => b"ABd",
        30..182 => b"Bd",
        _ => b"BdY",
    }
}

/// Letters whose prompt is the same in both languages; whether it was one of them.
fn common_part(moment: &Moment, letter: u8, words: &mut Words) -> bool {
    match letter {
        b'A' | b'a' => words.push(format_args!("day-{}", moment.weekday % 7)),
        b'B' | b'b' | b'h' => words.push(format_args!("mon-{}", month_from_zero(moment))),
        b'P' | b'p' => words.push(if moment.hour > 11 { "p-m" } else { "a-m" }),
        _ => return false,
    }
    true
}

fn english_part(moment: &Moment, letter: u8, words: &mut Words) -> Result<(), SayError> {
    let (hour, minute, second) = (moment.hour % 24, moment.minute % 60, moment.second % 61);
    match letter {
        _ if common_part(moment, letter, words) => {}
        b'm' => english::ordinal(month_from_zero(moment) + 1, words),
        b'd' | b'e' => english::ordinal(u32::from(moment.day.clamp(1, 31)), words),
        b'Y' => english::year(u32::from(moment.year), words),
        b'I' | b'l' => words.push(twelve(hour)),
        b'H' if hour < 10 => english_two_digits(hour, words),
        b'k' if hour == 0 => words.push("oh"),
        b'H' | b'k' => english::cardinal(u32::from(hour), words),
        b'M' if minute == 0 => words.push("oclock"),
        b'N' if minute == 0 => words.push("hundred"),
        b'M' | b'N' => english_two_digits(minute, words),
        b'S' => english_two_digits(second, words),
        letter => return Err(SayError::UnknownFormat { letter: letter as char }),
    }
    Ok(())
}

/// "Oh five", "ten"; zero is "oh" alone.
fn english_two_digits(number: u8, words: &mut Words) {
    if number < 10 {
        words.push("oh");
    }
    if number != 0 {
        english::cardinal(u32::from(number), words);
    }
}

fn french_part(moment: &Moment, letter: u8, words: &mut Words) -> Result<(), SayError> {
    let (hour, minute, second) = (moment.hour % 24, moment.minute % 60, moment.second % 61);
    let feminine = |number: u8, words: &mut Words| {
        french::cardinal(u32::from(number), Gender::Feminine, words);
    };
    match letter {
        _ if common_part(moment, letter, words) => {}
        b'd' | b'e' if moment.day == 1 => words.push("h-1"),
        b'd' | b'e' => french::cardinal(u32::from(moment.day), Gender::Masculine, words),
        b'm' => french::cardinal(month_from_zero(moment) + 1, Gender::Masculine, words),
        b'Y' => french::cardinal(u32::from(moment.year), Gender::Masculine, words),
        // Hours, minutes and seconds are feminine, and the hour is always named.
        b'I' | b'l' => {
            feminine(twelve(hour), words);
            words.push("oclock");
        }
        b'H' | b'k' => {
            feminine(hour, words);
            words.push("oclock");
        }
        b'M' | b'N' if minute == 0 => {}
        b'M' | b'N' => feminine(minute, words),
        b'S' => feminine(second, words),
        letter => return Err(SayError::UnknownFormat { letter: letter as char }),
    }
    Ok(())
}

fn twelve(hour: u8) -> u8 {
    match hour % 12 {
        0 => 12,
        hour => hour,
    }
}

fn month_from_zero(moment: &Moment) -> u32 {
    u32::from(moment.month.clamp(1, 12)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u8, minute: u8) -> Moment {
        Moment { year: 2026, month: 3, day: 1, weekday: 0, hour, minute, second: 7, days_ago: 0 }
    }

    fn said(when: &Moment, format: &str, language: Language) -> String {
        let names = moment(when, format.as_bytes(), language).unwrap();
        names.join(" ").replace("digits/", "")
    }

    #[test]
    fn english_worked_examples() {
        let morning = at(9, 5);
        let examples = [
            ("ABdY 'digits/at' IMp", "day-0 mon-2 h-1 2 thousand 20 6 at 9 oh 5 a-m"),
            ("IMp", "9 oh 5 a-m"),
            ("HM", "oh 9 oh 5"),
            ("kM", "9 oh 5"),
            ("T", "oh 9 oh 5 oh 7"),
            ("m", "h-3"),
            ("Q", "today"),
            ("q", ""),
            ("'vm-received' Q", "vm-received today"),
            ("'unclosed", "unclosed"),
        ];
        for (format, expected) in examples {
            assert_eq!(said(&morning, format, Language::English), expected, "{format}");
        }
        assert_eq!(said(&at(0, 0), "IMp", Language::English), "12 oclock a-m");
        assert_eq!(said(&at(0, 0), "HM", Language::English), "oh oclock");
        assert_eq!(said(&at(0, 0), "kN", Language::English), "oh hundred");
        assert_eq!(said(&at(12, 30), "IMp", Language::English), "12 30 p-m");
        assert_eq!(said(&at(23, 59), "R", Language::English), "20 3 50 9");
        assert_eq!(said(&at(20, 10), "H", Language::English), "20");
    }

    #[test]
    fn days_are_ordinals_in_english() {
        let day = |day| said(&Moment { day, ..at(0, 0) }, "d", Language::English);
        assert_eq!(
            [day(1), day(20), day(21), day(30), day(31)],
            ["h-1", "h-20", "20 h-1", "h-30", "30 h-1"]
        );
    }

    #[test]
    fn years_are_said_as_people_do() {
        let year = |year| said(&Moment { year, ..at(0, 0) }, "Y", Language::English);
        assert_eq!(year(1999), "19 90 9");
        assert_eq!(year(1905), "19 oh 5");
        assert_eq!(year(1900), "19 hundred");
        assert_eq!(year(2000), "2 thousand");
        assert_eq!(year(2026), "2 thousand 20 6");
    }

    #[test]
    fn older_days_are_said_in_more_detail() {
        let ago = |days_ago| said(&Moment { days_ago, ..at(0, 0) }, "Q", Language::English);
        assert_eq!(ago(-3), "today");
        assert_eq!(ago(1), "yesterday");
        assert_eq!(ago(6), "day-0");
        assert_eq!(ago(7), "day-0 mon-2 h-1");
        assert_eq!(ago(100), "mon-2 h-1");
        assert_eq!(ago(365), "mon-2 h-1 2 thousand 20 6");
    }

    #[test]
    fn french_worked_examples() {
        let default = default_format(Language::French);
        assert_eq!(
            said(&at(9, 5), default, Language::French),
            "day-0 h-1 mon-2 2 thousand 20 6 at 9 oclock 5"
        );
        assert_eq!(said(&at(21, 0), "HM", Language::French), "20 et 1F oclock");
        assert_eq!(said(&at(13, 1), "IMp", Language::French), "1F oclock 1F p-m");
        assert_eq!(said(&at(13, 5), "kM", Language::French), "13 oclock 5");
        assert_eq!(said(&at(0, 30), "HM", Language::French), "0 oclock 30");
        assert_eq!(said(&at(1, 21), "R", Language::French), "1F oclock 20 et 1F");
        let second = Moment { day: 2, year: 1999, ..at(0, 0) };
        assert_eq!(said(&second, "dBY", Language::French), "2 mon-2 thousand 9 hundred 80 19");
    }

    #[test]
    fn an_unknown_letter_is_named() {
        let error = moment(&at(0, 0), b"AxB", Language::English).unwrap_err();
        assert_eq!(error, SayError::UnknownFormat { letter: 'x' });
        assert!(moment(&at(0, 0), b"Z", Language::French).is_err());
    }

    #[test]
    fn impossible_dates_do_not_panic() {
        let broken = Moment {
            year: u16::MAX,
            month: 0,
            day: 0,
            weekday: 255,
            hour: 255,
            minute: 255,
            second: 255,
            days_ago: i64::MAX,
        };
        for language in [Language::English, Language::French] {
            for format in ["ABmdYIHkMNSpQqRT", default_format(language)] {
                assert!(moment(&broken, format.as_bytes(), language).is_ok());
            }
        }
    }
}
