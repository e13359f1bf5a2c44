//! How numbers, digits and letters are said: lists of prompt names, as Asterisk names them.
//!
//! Pure: what plays them is elsewhere. A channel's language picks the grammar; a language without
//! one of its own is counted in English, with whatever recordings that language has.

mod english;
mod french;
mod moment;

pub use moment::{Moment, default_format, moment};

/// Languages with a grammar for numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// Also for languages that have no grammar here.
    #[default]
    English,
    /// `soixante et onze`, `quatre-vingts`; the recordings decide about accents.
    French,
}

impl Language {
    /// By the first part of a channel's language: `fr`, `fr_CA`, `fr-FR`.
    #[must_use]
    pub fn from_tag(tag: &str) -> Self {
        let primary = tag.split(['_', '-']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("fr") { Self::French } else { Self::English }
    }
}

/// Gender of what is counted: `une`, `vingt et une`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Gender {
    /// Also common and neuter, for the languages here.
    #[default]
    Masculine,
    /// `SayNumber(21,f)`.
    Feminine,
}

impl Gender {
    /// By the first letter of `SayNumber`'s second argument, as Asterisk reads it.
    #[must_use]
    pub fn from_option(option: &[u8]) -> Self {
        match option.first() {
            Some(b'f' | b'F') => Self::Feminine,
            _ => Self::Masculine,
        }
    }
}

/// Why something cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SayError {
    /// There is no prompt for thousands of millions.
    #[error("{number} is beyond {LARGEST_NUMBER}, the largest number that can be said")]
    OutOfRange {
        /// The number asked for.
        number: i64,
    },
    /// A date's format holds a letter that stands for nothing.
    #[error("\"{letter}\" stands for no part of a date or time")]
    UnknownFormat {
        /// The letter.
        letter: char,
    },
}

/// The largest number said, as in Asterisk; its negative is the smallest.
pub const LARGEST_NUMBER: i64 = 999_999_999;

/// A cardinal number in words.
///
/// ```
/// use diesis_sounds::say::{Gender, Language, number};
///
/// let names = number(21, Gender::Feminine, Language::French)?;
/// assert_eq!(names, ["digits/20", "digits/et", "digits/1F"]);
/// # Ok::<(), diesis_sounds::say::SayError>(())
/// ```
pub fn number(number: i64, gender: Gender, language: Language) -> Result<Vec<String>, SayError> {
    if number.unsigned_abs() > LARGEST_NUMBER.unsigned_abs() {
        return Err(SayError::OutOfRange { number });
    }
    let mut words = Words::default();
    if number < 0 {
        words.push("minus");
    }
    let size = number.unsigned_abs() as u32;
    match language {
        Language::English => english::cardinal(size, &mut words),
        Language::French => french::cardinal(size, gender, &mut words),
    }
    Ok(words.0)
}

/// Digit by digit; `*`, `#` and `-` have names, everything else is left out.
#[must_use]
pub fn digits(text: &[u8]) -> Vec<String> {
    text.iter().filter_map(|&byte| digit(byte)).collect()
}

/// Letter by letter, without regard to case; what has no name is left out.
#[must_use]
pub fn characters(text: &[u8]) -> Vec<String> {
    let name = |byte: u8| {
        let letter = byte.to_ascii_lowercase() as char;
        letter.is_ascii_lowercase().then(|| format!("letters/{letter}"))
    };
    text.iter().filter_map(|&byte| name(byte).or_else(|| character(byte))).collect()
}

/// Letters in the spelling alphabet (Alpha, Bravo), the rest as [`characters`].
#[must_use]
pub fn phonetic(text: &[u8]) -> Vec<String> {
    let name = |byte: u8| {
        let letter = byte.to_ascii_lowercase() as char;
        letter.is_ascii_lowercase().then(|| format!("phonetic/{letter}_p"))
    };
    text.iter().filter_map(|&byte| name(byte).or_else(|| character(byte))).collect()
}

/// Whose case SayAlphaCase tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToldCase {
    /// Every letter's.
    All,
    /// Lower-case letters' only.
    Lower,
    /// Upper-case letters' only.
    Upper,
}

/// Letter by letter as [`characters`], with `uppercase` or `lowercase` before a letter.
#[must_use]
pub fn characters_telling_case(text: &[u8], told: ToldCase) -> Vec<String> {
    let mut names = Vec::new();
    for byte in text {
        let case = match told {
            ToldCase::All | ToldCase::Upper if byte.is_ascii_uppercase() => Some("uppercase"),
            ToldCase::All | ToldCase::Lower if byte.is_ascii_lowercase() => Some("lowercase"),
            _ => None,
        };
        names.extend(case.map(str::to_owned));
        names.extend(characters(std::slice::from_ref(byte)));
    }
    names
}

fn digit(byte: u8) -> Option<String> {
    let name = match byte {
        b'0'..=b'9' => return Some(format!("digits/{}", byte as char)),
        b'*' => "digits/star",
        b'#' => "digits/pound",
        b'-' => "digits/minus",
        _ => return None,
    };
    Some(name.to_owned())
}

/// What is no letter; the names, one misspelt, are those of Asterisk's recordings.
fn character(byte: u8) -> Option<String> {
    let name = match byte {
        b'!' => "letters/exclaimation-point",
        b'@' => "letters/at",
        b'$' => "letters/dollar",
        b'-' => "letters/dash",
        b'.' => "letters/dot",
        b'=' => "letters/equals",
        b'+' => "letters/plus",
        b'/' => "letters/slash",
        b' ' => "letters/space",
        other => return digit(other),
    };
    Some(name.to_owned())
}

/// Prompt names of a number under way.
#[derive(Debug, Default)]
struct Words(Vec<String>);

impl Words {
    fn push(&mut self, word: impl std::fmt::Display) {
        self.0.push(format!("digits/{word}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stars_and_pounds_are_said_one_by_one() {
        assert_eq!(
            digits(b"10-5*#x "),
            ["digits/1", "digits/0", "digits/minus", "digits/5", "digits/star", "digits/pound"]
        );
        assert!(digits(b"").is_empty());
    }

    #[test]
    fn characters_are_said_without_regard_to_case() {
        assert_eq!(
            characters(b"aZ 5.@_\xe9"),
            ["letters/a", "letters/z", "letters/space", "digits/5", "letters/dot", "letters/at"]
        );
        assert_eq!(characters(b"*#"), ["digits/star", "digits/pound"]);
        assert_eq!(characters(b"-"), ["letters/dash"]);
    }

    #[test]
    fn the_case_is_told_before_the_letters_it_is_asked_of() {
        assert_eq!(
            characters_telling_case(b"aB1", ToldCase::All),
            ["lowercase", "letters/a", "uppercase", "letters/b", "digits/1"]
        );
        assert_eq!(
            characters_telling_case(b"aB", ToldCase::Upper),
            ["letters/a", "uppercase", "letters/b"]
        );
        assert_eq!(
            characters_telling_case(b"aB", ToldCase::Lower),
            ["lowercase", "letters/a", "letters/b"]
        );
    }

    #[test]
    fn phonetic_spelling_keeps_digits_and_signs() {
        assert_eq!(
            phonetic(b"Bx7!"),
            ["phonetic/b_p", "phonetic/x_p", "digits/7", "letters/exclaimation-point"]
        );
    }

    #[test]
    fn numbers_beyond_the_recordings_are_refused() {
        for number in [LARGEST_NUMBER + 1, -LARGEST_NUMBER - 1, i64::MAX, i64::MIN] {
            let said = super::number(number, Gender::Masculine, Language::English);
            assert_eq!(said, Err(SayError::OutOfRange { number }));
        }
    }

    #[test]
    fn language_and_gender_are_read_as_asterisk_does() {
        assert_eq!(Language::from_tag("fr_CA"), Language::French);
        assert_eq!(Language::from_tag("FR"), Language::French);
        assert_eq!(Language::from_tag("fry"), Language::English);
        assert_eq!(Language::from_tag(""), Language::English);
        assert_eq!(Gender::from_option(b"f"), Gender::Feminine);
        assert_eq!(Gender::from_option(b"n"), Gender::Masculine);
        assert_eq!(Gender::from_option(b""), Gender::Masculine);
    }
}
