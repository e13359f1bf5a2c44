//! `musiconhold.conf`: classes of music, of which those with `mode=files` and `mode=playlist`
//! can be played.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use diesis_dialplan::conf::FileSource;

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::Block;
use crate::media::Digit;

/// Music on hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MusicSettings {
    /// The classes by name.
    pub classes: BTreeMap<BString, MusicClass>,
}

/// What a class of music plays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MusicClass {
    /// Its files by name, or in the order written, as prompts are named: without ending.
    pub files: Arc<[BString]>,
    /// The order in which they are played.
    pub order: MusicOrder,
    /// Whoever hears music and presses it hears this class from then on. Default: none.
    pub digit: Option<Digit>,
    /// Heard first, and between two files.
    pub announcement: Option<BString>,
}

/// The order in which the files of a class are played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MusicOrder {
    /// As they stand, each listener beginning with another. Default: callers do not all hear the
    /// beginning of the same piece.
    #[default]
    AnyFirst,
    /// As they stand, from the first on.
    Fixed,
    /// Any file after any other.
    Random,
}

/// Reads all sections of the file; `data` is where relative directories are.
pub(super) fn read(
    sections: &[Block<'_>],
    files: &dyn FileSource,
    data: Option<&Path>,
    notes: &mut Notes,
) -> MusicSettings {
    let mut settings = MusicSettings::default();
    for section in sections {
        if section.is("general") {
            section.each(&keys::MUSIC_GENERAL, notes, |_, setting| setting.judge());
            continue;
        }
        let (mut mode, mut directory) = (BString::default(), None);
        let mut class = MusicClass::default();
        let mut entries = Vec::new();
        let mut span = section.header;
        section.each(&keys::MUSIC, notes, |name, setting| match name {
            b"mode" => {
                span = setting.span();
                setting.text(&mut mode);
            }
            b"directory" => setting.optional_text(&mut directory),
            b"announcement" => setting.optional_text(&mut class.announcement),
            b"digit" => {
                let mut keys = setting.value().iter().map(|byte| Digit::from_char(*byte as char));
                match (keys.next(), keys.next()) {
                    (Some(Some(digit)), None) => class.digit = Some(digit),
                    (None, _) => class.digit = None,
                    _ => setting.invalid("one key: 0 to 9, A to D, `*` or `#`"),
                }
            }
            b"entry" => match setting.value().contains_str("://") {
                true => setting.invalid("a file; what is elsewhere is not fetched"),
                false => entries.push(setting.value().to_owned()),
            },
            b"random" => {
                let mut is_random = false;
                setting.yes_no(&mut is_random);
                if is_random {
                    class.order = MusicOrder::Random;
                }
            }
            b"sort" => match setting.value().to_ascii_lowercase().as_slice() {
                b"random" => class.order = MusicOrder::Random,
                b"alpha" | b"alphabetical" => class.order = MusicOrder::Fixed,
                b"randstart" => class.order = MusicOrder::AnyFirst,
                _ => setting.invalid("alpha, randstart or random"),
            },
            _ => setting.judge(),
        });
        if mode.eq_ignore_ascii_case(b"playlist") {
            entries.truncate(MOST_FILES);
            if entries.is_empty() {
                notes.warn(
                    codes::SETTING_MISSING,
                    section.header,
                    format!("[{}] has no `entry`", section.name()),
                    "who waits hears a quiet tone",
                );
            }
            class.files = entries.into();
            settings.classes.insert(section.name().to_owned(), class);
            continue;
        }
        if !mode.eq_ignore_ascii_case(b"files") {
            notes.warn(
                codes::VALUE_LATER,
                span,
                format!("music of [{}] can not be played: mode=`{mode}`", section.name()),
                match mode.eq_ignore_ascii_case(b"custom") {
                    true => {
                        "no program is run: put its sound into files (mode=files); until then \
                         who waits hears a quiet tone"
                    }
                    false => {
                        "only mode=files and mode=playlist are here; who waits hears a quiet tone"
                    }
                },
            );
            continue;
        }
        let Some(directory) = directory else {
            notes.warn(
                codes::SETTING_MISSING,
                section.header,
                format!("[{}] has no `directory`", section.name()),
                "who waits hears a quiet tone",
            );
            continue;
        };
        let directory = directory.to_str_lossy().into_owned();
        let directory = match data {
            Some(data) if !Path::new(&directory).is_absolute() => {
                data.join(&directory).to_string_lossy().into_owned()
            }
            _ => directory,
        };
        let names = sounds(&directory, files);
        if names.is_empty() {
            notes.warn(
                codes::NAME_UNRESOLVED,
                section.place_of("directory"),
                format!("there is no sound file in {directory}"),
                "who waits hears a quiet tone",
            );
        }
        class.files = names;
        settings.classes.insert(section.name().to_owned(), class);
    }
    settings
}

/// The sounds of a directory by name; one that is there in several formats counts once.
fn sounds(directory: &str, files: &dyn FileSource) -> Arc<[BString]> {
    let stem = |name: String| {
        let path = Path::new(&name);
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        let stem = path.file_stem()?.to_str()?;
        let is_sound = !stem.starts_with('.') && ENDINGS.contains(&ending.as_str());
        is_sound.then(|| BString::from(format!("{}/{stem}", directory.trim_end_matches('/'))))
    };
    let mut names: Vec<BString> = files.list(directory).into_iter().filter_map(stem).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(MOST_FILES);
    names.into()
}

/// Endings of files that the prompt loader can read.
const ENDINGS: [&str; 14] = [
    "wav", "wav49", "gsm", "ulaw", "ul", "pcm", "alaw", "al", "sln", "sln16", "mp3", "flac", "ogg",
    "g722",
];

/// Files of one class that are played; a directory of more is not music.
const MOST_FILES: usize = 10_000;
