//! `musiconhold.conf`: classes of music, out of files or out of programs.

mod program;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use diesis_dialplan::conf::FileSource;

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::Block;
use crate::media::Digit;
use program::Wanted;
pub use program::{KillMethod, MusicProgram};

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
    /// The program that makes it, in place of files.
    pub program: Option<Arc<MusicProgram>>,
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
        let mut wanted = Wanted::default();
        let mut span = section.header;
        section.each(&keys::MUSIC, notes, |name, setting| match name {
            b"mode" => {
                span = setting.span();
                setting.text(&mut mode);
            }
            b"directory" => setting.optional_text(&mut directory),
            b"application" | b"format" | b"kill_escalation_delay" | b"kill_method" => {
                wanted.take(name, setting);
            }
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
        let directory = directory.map(|directory| {
            let directory = directory.to_str_lossy().into_owned();
            match data {
                Some(data) => data.join(directory),
                None => PathBuf::from(directory),
            }
        });
        if mode.eq_ignore_ascii_case(b"custom") {
            let program = wanted.program(section.name(), section.header, directory, files, notes);
            class.program = program.map(Arc::new);
            if class.announcement.take().is_some() {
                let message = format!("[{}] has an announcement and no files", section.name());
                let help = "it is heard between files alone";
                notes.warn(codes::CONTRADICTION, section.place_of("announcement"), message, help);
            }
            settings.classes.insert(section.name().to_owned(), class);
            continue;
        }
        if !mode.eq_ignore_ascii_case(b"files") {
            notes.warn(
                codes::VALUE_LATER,
                span,
                format!("music of [{}] can not be played: mode=`{mode}`", section.name()),
                "mode=files, mode=playlist and mode=custom are here; who waits hears a quiet tone",
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
        let directory = directory.to_string_lossy();
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
