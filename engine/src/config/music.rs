//! `musiconhold.conf`: classes of music, of which those with `mode=files` can be played.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use diesis_dialplan::conf::FileSource;

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::Block;

/// Music on hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MusicSettings {
    /// The files of each class in the order they are played, as prompts are named: without ending.
    pub classes: BTreeMap<BString, Arc<[BString]>>,
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
        let mut span = section.header;
        section.each(&keys::MUSIC, notes, |name, setting| match name {
            b"mode" => {
                span = setting.span();
                setting.text(&mut mode);
            }
            b"directory" => setting.optional_text(&mut directory),
            _ => setting.judge(),
        });
        if !mode.eq_ignore_ascii_case(b"files") {
            notes.warn(
                codes::VALUE_LATER,
                span,
                format!("music of [{}] can not be played: mode=`{mode}`", section.name()),
                "only mode=files is here; who waits hears a quiet tone",
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
        settings.classes.insert(section.name().to_owned(), names);
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
