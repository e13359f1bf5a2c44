//! A log file, made anew when it was moved away and somebody says so.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tracing::Level;

use super::outlet::Drain;

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    /// `None` while it can not be had.
    file: Option<File>,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        Ok(Self { path: path.to_owned(), file: Some(append(path).map_err(named)?) })
    }
}

impl Drain for LogFile {
    const THREAD: &'static str = "diesis-log";

    fn write(&mut self, _: Level, line: &str) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(append(&self.path)?);
        }
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.write_all([line, "\n"].concat().as_bytes())
    }

    /// Opened at the next line; the old one is closed now.
    fn reopen(&mut self) {
        self.file = None;
    }
}

fn append(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent()
        && !directory.as_os_str().is_empty()
    {
        fs::create_dir_all(directory)?;
    }
    File::options().append(true).create(true).open(path)
}
