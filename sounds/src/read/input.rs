//! Where a sound comes from: a file, or what a pipe gave.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Reader;
use crate::error::SoundError;
use crate::format::raw::RawLayout;

/// A sound that can be opened, more than once.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    spooled: Option<File>,
    raw: Option<RawLayout>,
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Input {
    fn from(path: &P) -> Self {
        Self { path: path.as_ref().to_owned(), spooled: None, raw: None }
    }
}

impl Input {
    /// Takes all that a pipe gives, and keeps it on the disk in a file without a name: headers
    /// tell places and sizes, and some conversions read twice.
    ///
    /// # Errors
    /// When it can't be read, or there is no room for it.
    pub fn spooled(mut pipe: impl Read, name: &str) -> Result<Self, SoundError> {
        let mut take = || {
            let mut file = unnamed()?;
            io::copy(&mut pipe, &mut file)?;
            Ok(file)
        };
        let file = take().map_err(|error| SoundError::io(name, error))?;
        Ok(Self { path: name.into(), spooled: Some(file), raw: None })
    }

    /// It has no header: this is what it is.
    #[must_use]
    pub fn raw(self, layout: RawLayout) -> Self {
        Self { raw: Some(layout), ..self }
    }

    /// All that comes from standard input.
    ///
    /// # Errors
    /// As [`spooled`](Self::spooled).
    pub fn standard() -> Result<Self, SoundError> {
        Self::spooled(io::stdin().lock(), "standard input")
    }

    /// Begins to read it, from its beginning.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open(&self) -> Result<Reader<'static>, SoundError> {
        match (&self.spooled, self.raw) {
            (None, None) => Reader::open(&self.path),
            (None, Some(layout)) => Reader::open_as(&self.path, layout),
            (Some(file), layout) => {
                let file = file.try_clone().map_err(|error| SoundError::io(&self.path, error))?;
                match layout {
                    None => Reader::with_format(file, &self.path, None),
                    Some(layout) => Reader::with_layout(file, &self.path, layout),
                }
            }
        }
    }

    /// Whether a file is this one, by whatever name.
    pub(crate) fn is_same_as(&self, other: &Path) -> bool {
        self.spooled.is_none() && is_same_file(&self.path, other)
    }
}

/// Whether both names lead to one file: by links of either kind, too.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    // Outputs are rarely there already.
    let Ok(other) = fs::metadata(other) else { return false };
    let Ok(one) = fs::metadata(one) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        false
    }
}

/// A file for reading and writing that is gone when it is closed.
pub(crate) fn unnamed() -> io::Result<File> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("diesis-{}-{number}.spool", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            // Left by a process that had this number before.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::Coding;
    use crate::format::wav;
    use crate::read::channels::Channels;

    fn samples(input: &Input) -> Vec<f32> {
        let (mut reader, mut out) = (input.open().unwrap(), [vec![]]);
        while reader.read(Channels::Mean, &mut out).unwrap() > 0 {}
        let [mono] = out;
        mono
    }

    #[test]
    fn what_a_pipe_gives_can_be_read_twice() {
        let mut file = Vec::new();
        wav::write_to(io::Cursor::new(&mut file), 8000, &[1, 2, 3]).unwrap();
        let input = Input::spooled(file.as_slice(), "-").unwrap();
        let once = samples(&input);
        assert_eq!((once.len(), &once), (3, &samples(&input)));
        let error = Input::spooled(b"nothing".as_slice(), "-").unwrap().open().unwrap_err();
        assert!(matches!(error, SoundError::UnknownFormat { .. }), "{error}");
    }

    #[test]
    fn what_has_no_header_is_what_it_is_told_to_be() {
        let layout = RawLayout::new(Coding::LINEAR, 16_000).unwrap().channels(2).unwrap().skip(3);
        let bytes = [9, 9, 9, 0, 0x40, 0, 0x20, 0, 0, 0, 0x10, 1];
        let input = Input::spooled(bytes.as_slice(), "-").unwrap().raw(layout);
        assert_eq!(samples(&input), [0.375, 0.0625]);
        assert_eq!(input.open().unwrap().spec().rate, 16_000);
    }
}
