//! What the dialplan wants spoken, as the names of prompts.

use bstr::{BStr, BString};
use diesis_dialplan::operation::Say;
use diesis_sounds::say::{self, Gender, Language, SayError};

/// Why something can not be spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpeakError {
    /// A number beyond the prompts.
    #[error("the number can not be said")]
    Number(#[from] SayError),
    /// No prompts for this.
    #[error("{0} can not be said by this engine")]
    Unavailable(&'static str),
}

/// The prompts that say it in a language.
pub(crate) fn prompts(what: &Say, language: &BStr) -> Result<Vec<BString>, SpeakError> {
    let names = match what {
        Say::Digits(text) => say::digits(text),
        Say::Number { value, gender } => {
            let gender = gender.as_ref().map_or_else(Gender::default, |g| Gender::from_option(g));
            say::number(*value, gender, grammar(language))?
        }
        Say::Alpha(text) => say::characters(text),
        Say::Phonetic(text) => say::phonetic(text),
        Say::AlphaCase { .. } => return Err(SpeakError::Unavailable("letters with their case")),
        Say::UnixTime { .. } => return Err(SpeakError::Unavailable("a date or time")),
        _ => return Err(SpeakError::Unavailable("this")),
    };
    Ok(names.into_iter().map(BString::from).collect())
}

fn grammar(language: &BStr) -> Language {
    std::str::from_utf8(language).map_or_else(|_| Language::default(), Language::from_tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_said_in_the_channels_language() {
        let what = Say::Number { value: 21, gender: None };
        let english = prompts(&what, "en".into()).expect("can be said");
        assert_eq!(english, ["digits/20", "digits/1"]);
        let french = prompts(&what, "fr_CA".into()).expect("can be said");
        assert_eq!(french, ["digits/20", "digits/et", "digits/1"]);
    }

    #[test]
    fn digits_are_said_one_by_one() {
        let names = prompts(&Say::Digits("1-*".into()), "en".into()).expect("can be said");
        assert_eq!(names, ["digits/1", "digits/minus", "digits/star"]);
    }
}
