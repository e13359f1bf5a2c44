//! How many others are in a room, as prompts.

use bstr::{BStr, BString};
use diesis_sounds::say::{self, Gender, Language};

use crate::config::{RoomSound, RoomSounds};

/// How many others are there, as prompts; parts that are empty are not said.
pub(crate) fn census(others: usize, language: &BStr, sounds: &RoomSounds) -> Vec<BString> {
    let mut names = match others {
        0 => vec![sounds.of(RoomSound::OnlyPerson)],
        1 => vec![sounds.of(RoomSound::OnlyOne)],
        others => {
            let mut names: Vec<BString> = vec![sounds.of(RoomSound::ThereAre)];
            names.extend(count(others, language));
            names.push(sounds.of(RoomSound::OtherInParty));
            names
        }
    };
    names.retain(|name| !name.is_empty());
    names
}

/// A count as prompts; nothing when it can not be said.
fn count(count: usize, language: &BStr) -> Vec<BString> {
    let language = std::str::from_utf8(language).unwrap_or_default();
    let number = i64::try_from(count).unwrap_or(i64::MAX);
    let names = say::number(number, Gender::default(), Language::from_tag(language));
    names.unwrap_or_default().into_iter().map(BString::from).collect()
}
