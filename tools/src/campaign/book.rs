//! What a campaign leaves on the disk: its results, and beside them the calls that were begun, so that
//! nobody is called twice, whenever it ends.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use diesis_engine::campaign::{
    Attempt, AttemptError, Begun, Made, Outcome, columns, read_attempts, read_begun,
};
use jiff::tz::TimeZone;

/// The two files.
#[derive(Debug)]
pub(super) struct Book {
    result: File,
    begun: File,
    begun_path: PathBuf,
    zone: TimeZone,
}

/// Why the files can not be used.
#[derive(Debug)]
pub(super) enum BookError {
    /// There are results, and nobody said that they are to be gone on with.
    There(PathBuf),
    /// Somebody writes them.
    Busy(PathBuf),
    /// They are not what they should be.
    Foreign(PathBuf, AttemptError),
    /// The system refuses.
    System(PathBuf, io::Error),
}

impl fmt::Display for BookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::There(path) => write!(
                f,
                "{} is there already: --resume goes on with it, --result names another file",
                path.display()
            ),
            Self::Busy(path) => write!(f, "another campaign writes {}", path.display()),
            Self::Foreign(path, error) => write!(
                f,
                "{}:{error}; name another file with --result, or the same variables with --keep",
                path.display()
            ),
            Self::System(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl Book {
    /// Opens the results, and reads who was called before, in the order of those calls. Calls that were begun and have no result
    /// get one: `interrupted`.
    pub(super) fn open(
        path: &Path,
        kept: &[String],
        resume: bool,
        zone: TimeZone,
    ) -> Result<(Self, Vec<Made>), BookError> {
        let begun_path = beside(path);
        let system = |path: &Path| {
            let path = path.to_owned();
            move |error| BookError::System(path, error)
        };
        let is_there = |path: &Path| fs::metadata(path).is_ok_and(|it| it.len() > 0);
        if !resume && (is_there(path) || is_there(&begun_path)) {
            return Err(BookError::There(path.to_owned()));
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut begun = options.open(&begun_path).map_err(system(&begun_path))?;
        match begun.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BookError::Busy(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(system(&begun_path)(error)),
        }
        let mut result = options.open(path).map_err(system(path))?;
        let (text, noted) = (read(&mut result, path)?, read(&mut begun, &begun_path)?);
        let foreign = |path: &Path| {
            let path = path.to_owned();
            move |error| BookError::Foreign(path, error)
        };
        let (mut before, whole) = read_attempts(&text, kept).map_err(foreign(path))?;
        let noted = read_begun(&noted).map_err(foreign(&begun_path))?;
        // What was being written when the writer ended.
        result.set_len(whole as u64).map_err(system(path))?;
        let mut book = Self { result, begun, begun_path, zone };
        if whole == 0 {
            book.append_result(&columns(kept)).map_err(system(path))?;
        }
        let key = |begun: &Begun| (begun.called.clone(), begun.attempt);
        let known: HashSet<_> = before.iter().map(|made| key(&made.begun)).collect();
        for lost in noted.into_iter().filter(|noted| !known.contains(&key(noted))) {
            let attempt = interrupted(&lost, kept.len());
            book.write(&attempt).map_err(system(path))?;
            before.push(Made { begun: lost, outcome: attempt.outcome, ended: attempt.ended });
        }
        before.sort_by_key(|made| made.begun.started);
        book.begun.set_len(0).map_err(system(&book.begun_path))?;
        Ok((book, before))
    }

    /// Notes a call that is about to be made; it may be made once this is back.
    pub(super) fn begin(&mut self, begun: &Begun) -> io::Result<()> {
        self.begun.write_all(begun.write(&self.zone).as_bytes())?;
        self.begun.sync_data()
    }

    /// Notes that it was not made.
    pub(super) fn take_back(&mut self, begun: &Begun) -> io::Result<()> {
        self.begun.write_all(begun.write_undone().as_bytes())?;
        self.begun.sync_data()
    }

    /// Writes what came of a call.
    pub(super) fn write(&mut self, attempt: &Attempt) -> io::Result<()> {
        let row = attempt.write(&self.zone);
        self.append_result(&row)
    }

    fn append_result(&mut self, row: &str) -> io::Result<()> {
        self.result.write_all(row.as_bytes())?;
        self.result.sync_data()
    }

    /// All is done: what was begun has its result.
    pub(super) fn finish(self) -> io::Result<()> {
        fs::remove_file(&self.begun_path)
    }
}

/// What is known of a call that was lost.
fn interrupted(lost: &Begun, kept: usize) -> Attempt {
    Attempt {
        number: lost.called.clone(),
        called: lost.called.clone(),
        attempt: lost.attempt,
        started: lost.started,
        answered: None,
        ended: lost.started,
        talked: 0,
        outcome: Outcome::Interrupted,
        cause: 0,
        reason: "the campaign ended during the call".into(),
        amd: String::new(),
        amd_cause: String::new(),
        keys: String::new(),
        again: None,
        kept: vec![String::new(); kept],
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".begun");
    name.into()
}

fn read(file: &mut File, path: &Path) -> Result<Vec<u8>, BookError> {
    let system = |error| BookError::System(path.to_owned(), error);
    let length = file.metadata().map_err(system)?.len();
    if length > LONGEST {
        return Err(system(io::Error::new(ErrorKind::FileTooLarge, "larger than any result")));
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).map_err(system)?;
    Ok(text)
}

/// A gibibyte: results of some ten million calls.
const LONGEST: u64 = 1 << 30;
