//! Music that a program of the operator's makes (`mode=custom`).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::{conf::FileSource, diagnostic::Span};

use crate::{
    config::{codes, notes::Notes, setting::Setting},
    media::AudioFormat,
};

/// A program whose output is the music of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MusicProgram {
    /// The full path of the program, and its arguments. There is no shell.
    pub words: Vec<BString>,
    /// Where it runs (`directory`). Default: where the engine does.
    pub directory: Option<PathBuf>,
    /// What it writes. Default: `slin`, samples of 8 kHz.
    pub format: AudioFormat,
    /// How long it has to end before it is told so more firmly. Default: half a second.
    pub kill_delay: Duration,
    /// Who is told to end.
    pub kill_method: KillMethod,
}

/// Who is told to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KillMethod {
    /// The program and all that it started.
    #[default]
    ProcessGroup,
    /// The program alone.
    Process,
}

/// What a section says of its program.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    application: Option<(BString, Span)>,
    format: Option<AudioFormat>,
    has_bad_format: bool,
    kill_delay: Option<Duration>,
    kill_method: KillMethod,
}

impl Wanted {
    /// Takes `application`, `format`, `kill_escalation_delay` or `kill_method`.
    pub(super) fn take(&mut self, name: &[u8], setting: Setting<'_>) {
        match name {
            b"application" => self.application = Some((setting.value().to_owned(), setting.span())),
            b"format" => {
                self.format = AudioFormat::parse(setting.value());
                self.has_bad_format = self.format.is_none();
                if self.has_bad_format {
                    setting.invalid("ulaw, alaw, slin, or slin12 to slin192");
                }
            }
            b"kill_escalation_delay" => {
                let mut milliseconds = u64::default();
                setting.number(&mut milliseconds, 0..=5000);
                self.kill_delay = Some(Duration::from_millis(milliseconds));
            }
            _ => match setting.value().to_ascii_lowercase().as_slice() {
                b"process_group" => self.kill_method = KillMethod::ProcessGroup,
                b"process" => self.kill_method = KillMethod::Process,
                _ => setting.invalid("process_group or process"),
            },
        }
    }

    /// The program of a class, in its directory; `None` when there is none, which is said.
    pub(super) fn program(
        self,
        class: &BStr,
        header: Span,
        directory: Option<PathBuf>,
        files: &dyn FileSource,
        notes: &mut Notes,
    ) -> Option<MusicProgram> {
        let Some((application, span)) = self.application else {
            let message = format!("[{class}] has no `application`");
            notes.warn(codes::SETTING_MISSING, header, message, QUIET);
            return None;
        };
        if self.has_bad_format {
            return None;
        }
        let mut words: Vec<BString> =
            application.split_str(" ").filter(|it| !it.is_empty()).map(BString::from).collect();
        let path = words.first().map(|word| word.to_path_lossy().into_owned()).unwrap_or_default();
        if !path.is_absolute() {
            let message = format!("`{}` is not the full path of a program", path.display());
            notes.warn(codes::VALUE_INVALID, span, message, QUIET);
            return None;
        }
        let is_there = path.parent().zip(path.file_name()).is_some_and(|(parent, name)| {
            let names = files.list(&parent.to_string_lossy());
            names.iter().any(|other| name.to_string_lossy() == **other)
        });
        if !is_there {
            let message = format!("there is no program {}", path.display());
            notes.warn(codes::NAME_UNRESOLVED, span, message, QUIET);
        }
        if let Some(mark) = application.iter().find(|mark| b"'\"|<>;&$`".contains(mark)) {
            let message = format!("`{}` has no meaning here", char::from(*mark));
            let help = "there is no shell: the words between blanks are the program and its \
                        arguments; put what needs a shell into a script";
            notes.warn(codes::VALUE_INVALID, span, message, help);
        }
        if let Some(directory) = &directory {
            let found = music_files(directory, files);
            if found.is_empty() {
                let message = format!("there is no .raw, .sln or .mp3 in {}", directory.display());
                let help = "the program gets the names of such files in its directory, and is not \
                            started without; leave `directory` out if it needs none";
                notes.warn(codes::NAME_UNRESOLVED, span, message, help);
                return None;
            }
            words.extend(found);
        }
        Some(MusicProgram {
            words,
            directory,
            format: self.format.unwrap_or(AudioFormat::Linear(8000)),
            kill_delay: self.kill_delay.unwrap_or(KILL_DELAY),
            kill_method: self.kill_method,
        })
    }
}

/// The names that a program gets as its last arguments.
fn music_files(directory: &Path, files: &dyn FileSource) -> Vec<BString> {
    let mut names = files.list(&directory.to_string_lossy());
    names.retain(|name| {
        let ending = Path::new(name).extension().and_then(|it| it.to_str());
        ending.is_some_and(|it| ENDINGS.iter().any(|known| it.eq_ignore_ascii_case(known)))
    });
    names.sort_unstable();
    names.truncate(MOST_FILES);
    names.into_iter().map(BString::from).collect()
}

const ENDINGS: [&str; 3] = ["raw", "sln", "mp3"];

/// Arguments of a program: more do not fit every kernel.
const MOST_FILES: usize = 1000;

const KILL_DELAY: Duration = Duration::from_millis(500);

/// What follows when there is no program.
const QUIET: &str = "who waits hears a quiet tone";
