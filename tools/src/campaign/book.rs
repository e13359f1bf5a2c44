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

/// The two files. What a disk does not take is kept, and written when it does: see
/// [`Book::settle`].
#[derive(Debug)]
pub(super) struct Book {
    result: Journal,
    begun: Journal,
    zone: TimeZone,
}

/// A file to which lines are added.
#[derive(Debug)]
struct Journal {
    file: File,
    path: PathBuf,
    /// What of its lines the disk did not take yet.
    unwritten: Vec<u8>,
}

/// A file that could not be written.
#[derive(Debug)]
pub(super) struct Unwritten {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} can't be written: {}", self.path.display(), self.error)
    }
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
        let result = Journal::new(result, path.to_owned());
        let mut book = Self { result, begun: Journal::new(begun, begun_path), zone };
        let refused = |Unwritten { path, error }| BookError::System(path, error);
        if whole == 0 {
            book.result.append(&columns(kept)).map_err(refused)?;
        }
        let key = |begun: &Begun| (begun.called.clone(), begun.attempt);
        let known: HashSet<_> = before.iter().map(|made| key(&made.begun)).collect();
        for lost in noted.into_iter().filter(|noted| !known.contains(&key(noted))) {
            let attempt = interrupted(&lost, kept.len());
            book.write(&attempt).map_err(refused)?;
            before.push(Made { begun: lost, outcome: attempt.outcome, ended: attempt.ended });
        }
        before.sort_by_key(|made| made.begun.started);
        book.begun.file.set_len(0).map_err(system(&book.begun.path))?;
        Ok((book, before))
    }

    /// Notes a call that is about to be made; it may be made once this is back.
    ///
    /// # Errors
    /// When the disk did not take it: it is noted that the call was not made.
    pub(super) fn begin(&mut self, begun: &Begun) -> Result<(), Unwritten> {
        let noted = self.begun.append(&begun.write(&self.zone));
        if noted.is_err() {
            self.begun.add(&begun.write_undone());
        }
        noted
    }

    /// Notes that it was not made.
    pub(super) fn take_back(&mut self, begun: &Begun) -> Result<(), Unwritten> {
        self.begun.append(&begun.write_undone())
    }

    /// Writes what came of a call.
    pub(super) fn write(&mut self, attempt: &Attempt) -> Result<(), Unwritten> {
        let row = attempt.write(&self.zone);
        self.result.append(&row)
    }

    /// Writes what the disk did not take before.
    pub(super) fn settle(&mut self) -> Result<(), Unwritten> {
        self.result.settle()?;
        self.begun.settle()
    }

    /// The results that are in no file, and those alone: as they would be written.
    pub(super) fn unwritten(&self) -> String {
        String::from_utf8_lossy(&self.result.unwritten).into_owned()
    }

    /// All is done: what was begun has its result.
    pub(super) fn finish(self) -> io::Result<()> {
        fs::remove_file(&self.begun.path)
    }
}

impl Journal {
    fn new(file: File, path: PathBuf) -> Self {
        Self { file, path, unwritten: Vec::new() }
    }

    /// A line that is written with the next.
    fn add(&mut self, line: &str) {
        self.unwritten.extend_from_slice(line.as_bytes());
    }

    /// Writes a line, so that it outlives whatever happens; what can not be written is kept.
    fn append(&mut self, line: &str) -> Result<(), Unwritten> {
        self.add(line);
        self.settle()
    }

    fn settle(&mut self) -> Result<(), Unwritten> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let written = self.write_on();
        written.map_err(|error| Unwritten { path: self.path.clone(), error })
    }

    fn write_on(&mut self) -> io::Result<()> {
        while !self.unwritten.is_empty() {
            match self.file.write(&self.unwritten) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                // A part of a line is gone on with where it ends.
                Ok(count) => drop(self.unwritten.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.file.sync_data()
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
