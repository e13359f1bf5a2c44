//! From a prompt's name and a language to its sound, as Asterisk looks for it.
//!
//! A name has no extension and may hold directories: `digits/1`, `acme/welcome`, or an absolute
//! path. An operator's recording takes the place of the embedded prompt of the same name. This
//! module blocks on the disk; whoever calls it keeps it off the media threads and keeps results.

use std::path::{Path, PathBuf};

use crate::error::SoundError;
use crate::format::EXTENSIONS;
use crate::format::wav;
use crate::pcm::TELEPHONE_RATE;
use crate::sound::Sound;

/// Where prompts are looked for: an operator's directories in order, then the embedded ones.
///
/// ```
/// use diesis_sounds::prompts::Library;
///
/// let library = Library::new().root("/var/lib/asterisk/sounds");
/// let sound = library.load("silence/1", "fr_CA")?;
/// assert_eq!(sound.rate, 8000);
/// # Ok::<(), diesis_sounds::prompts::PromptError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Library {
    roots: Vec<PathBuf>,
}

/// Where a prompt was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A file of the operator.
    File(PathBuf),
    /// A WAV file within the program.
    Embedded(&'static [u8]),
    /// `silence/1` .. `silence/10`: so many seconds of nothing.
    Silence {
        /// 1..=10.
        seconds: u8,
    },
}

/// Why there is no sound for a name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// The name could lead out of the prompt directories or name no file at all.
    #[error("prompt name \"{}\" {reason}", name.escape_debug())]
    InvalidName {
        /// The name as asked for.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No directory has it in any format or language, and it is not embedded.
    #[error("prompt \"{}\" does not exist in language \"{}\" in any format{hint}", name.escape_debug(), language.escape_debug())]
    NotFound {
        /// The name as asked for.
        name: String,
        /// The language as asked for.
        language: String,
        /// What may help, with its own punctuation; often empty.
        hint: &'static str,
    },
    /// There is a file, but no sound in it.
    #[error("prompt \"{}\" cannot be read", name.escape_debug())]
    Unreadable {
        /// The name as asked for.
        name: String,
        /// What is wrong with the file.
        source: SoundError,
    },
}

impl Library {
    /// The embedded prompts alone; none without the feature `prompts`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory of the operator, looked through after those added before.
    #[must_use]
    pub fn root(mut self, directory: impl Into<PathBuf>) -> Self {
        self.roots.push(directory.into());
        self
    }

    /// The operator's directories, in the order in which they are looked through.
    pub fn roots(&self) -> impl Iterator<Item = &Path> {
        self.roots.iter().map(PathBuf::as_path)
    }

    /// Finds a prompt without reading it.
    ///
    /// In this order: the operator's directories for the language and its parents (`fr_CA`, then
    /// `fr`), as `ROOT/fr/dir/name.*`, then in Asterisk's old layout `ROOT/dir/fr/name.*`; then
    /// without a language; the embedded ones in the same languages; and at last both in English.
    /// An absolute name is looked for only beside itself: `/dir/fr/name.*`, then `/dir/name.*`.
    pub fn find(&self, name: impl AsRef<[u8]>, language: &str) -> Result<Source, PromptError> {
        let name = Name::parse(name.as_ref())?;
        let tags = language_tags(language);
        let found = match &name {
            Name::Absolute(path) => absolute(path, &tags),
            Name::Relative(path) => self.relative(path, &tags),
        };
        found.ok_or_else(|| PromptError::NotFound {
            name: name.to_string(),
            language: language.to_owned(),
            hint: name.hint(),
        })
    }

    /// Finds and reads a prompt, at 8 kHz whatever its file has.
    pub fn load(&self, name: impl AsRef<[u8]>, language: &str) -> Result<Sound, PromptError> {
        let name = name.as_ref();
        let sound = self.find(name, language)?.read();
        sound.and_then(|sound| sound.into_rate(TELEPHONE_RATE)).map_err(|source| {
            PromptError::Unreadable { name: String::from_utf8_lossy(name).into_owned(), source }
        })
    }

    fn relative(&self, path: &Path, tags: &[&str]) -> Option<Source> {
        let in_roots = |tag: &str| {
            let mut places = self
                .roots
                .iter()
                .flat_map(|root| [root.join(tag).join(path), root.join(beside(path, tag))]);
            places.find_map(|place| existing(&place))
        };
        let embedded = |tag: &&str| Some(Source::Embedded(embedded(tag, path.to_str()?)?));
        let specific = || tags.iter().find_map(|tag| in_roots(tag));
        let bare = || self.roots.iter().find_map(|root| existing(&root.join(path)));
        let built_in = || tags.iter().find_map(embedded);
        let english = || in_roots(DEFAULT_LANGUAGE).or_else(|| embedded(&DEFAULT_LANGUAGE));
        specific().or_else(bare).or_else(built_in).or_else(english).or_else(|| silence(path))
    }
}

impl Source {
    /// Reads the sound, at its own rate.
    pub fn read(&self) -> Result<Sound, SoundError> {
        match self {
            Self::File(path) => Sound::read(path),
            Self::Embedded(bytes) => wav::parse(bytes),
            Self::Silence { seconds } => {
                let samples = vec![0; usize::from(*seconds) * TELEPHONE_RATE as usize];
                Ok(Sound { samples, rate: TELEPHONE_RATE })
            }
        }
    }
}

/// Names of the embedded prompts with their language (`en/digits/1`), sorted.
pub fn embedded_names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|row| row.0)
}

/// The WAV file of an embedded prompt.
fn embedded(language: &str, name: &str) -> Option<&'static [u8]> {
    let wanted = format!("{language}/{name}");
    let found = EMBEDDED.binary_search_by_key(&wanted.as_str(), |row| row.0);
    found.ok().map(|index| EMBEDDED[index].1)
}

/// A name that cannot leave the directory it is joined to.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Absolute(PathBuf),
    Relative(PathBuf),
}

impl Name {
    fn parse(bytes: &[u8]) -> Result<Self, PromptError> {
        let invalid = |reason| PromptError::InvalidName {
            name: String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_NAME)]).into_owned(),
            reason,
        };
        if bytes.len() > MAX_NAME {
            return Err(invalid("is longer than 512 bytes"));
        }
        if bytes.contains(&0) {
            return Err(invalid("holds a NUL byte"));
        }
        let mut path = PathBuf::new();
        for part in bytes.split(|&byte| byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return Err(invalid("leads out of its directory by \"..\"")),
                part => path.push(os_str(part).ok_or_else(|| invalid("is not UTF-8"))?),
            }
        }
        if path.as_os_str().is_empty() || bytes.ends_with(b"/") {
            return Err(invalid("names no file"));
        }
        if bytes[0] == b'/' {
            return Ok(Self::Absolute(Path::new("/").join(path)));
        }
        Ok(Self::Relative(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Absolute(path) | Self::Relative(path) => path,
        }
    }

    /// The commonest mistake: Asterisk adds the extension itself, and so do we.
    fn hint(&self) -> &'static str {
        let extension = self.path().extension().and_then(|extension| extension.to_str());
        match extension.map(|extension| EXTENSIONS.iter().any(|row| row.0 == extension)) {
            Some(true) => "; write the name without its extension",
            _ => "",
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path().display().fmt(f)
    }
}

#[cfg(unix)]
fn os_str(bytes: &[u8]) -> Option<&std::ffi::OsStr> {
    Some(std::os::unix::ffi::OsStrExt::from_bytes(bytes))
}

#[cfg(not(unix))]
fn os_str(bytes: &[u8]) -> Option<&std::ffi::OsStr> {
    let text = std::str::from_utf8(bytes).ok()?;
    // Drive letters and back slashes would be absolute paths in disguise.
    (!text.contains([':', '\\'])).then(|| text.as_ref())
}

/// `fr_CA` as `fr_CA`, `fr`; nothing for what can be no language, such as a path.
fn language_tags(language: &str) -> Vec<&str> {
    let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if language.is_empty() || language.len() > 32 || !language.bytes().all(is_tag) {
        return Vec::new();
    }
    let parents = std::iter::successors(Some(language), |tag| {
        let end = tag.rfind(['_', '-'])?;
        (end > 0).then(|| &tag[..end])
    });
    parents.collect()
}

/// `digits/1` as `digits/fr/1`: the language beside the file.
fn beside(path: &Path, language: &str) -> PathBuf {
    let file = path.file_name().unwrap_or_default();
    path.parent().unwrap_or_else(|| Path::new("")).join(language).join(file)
}

fn absolute(path: &Path, tags: &[&str]) -> Option<Source> {
    let translated = || tags.iter().find_map(|tag| existing(&beside(path, tag)));
    let english = || existing(&beside(path, DEFAULT_LANGUAGE));
    translated().or_else(|| existing(path)).or_else(english)
}

/// The file of that name in the first format that exists.
fn existing(stem: &Path) -> Option<Source> {
    let with_extension = |extension: &str| {
        let mut path = stem.as_os_str().to_owned();
        path.push(".");
        path.push(extension);
        PathBuf::from(path)
    };
    let mut paths = EXTENSIONS.iter().map(|row| with_extension(row.0));
    paths.find(|path| path.is_file()).map(Source::File)
}

fn silence(path: &Path) -> Option<Source> {
    let seconds = path.to_str()?.strip_prefix("silence/")?;
    let seconds = (1..=10).find(|n: &u8| n.to_string() == seconds)?;
    Some(Source::Silence { seconds })
}

/// What everything falls back to, as in Asterisk.
const DEFAULT_LANGUAGE: &str = "en";
const MAX_NAME: usize = 512;

/// Sorted by name; made by `build.rs`, empty without the feature `prompts`.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

#[cfg(test)]
#[path = "prompts_tests.rs"]
mod tests;
