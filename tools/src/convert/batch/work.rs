//! A batch being done: threads that take one file after the other until all are done, or Ctrl-C.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use diesis_sounds::convert::target::Target;
use diesis_sounds::convert::{Conversion, Report, convert};
use diesis_sounds::error::SoundError;
use diesis_sounds::read::Reader;

use super::find::How;
use super::ledger::Ledger;
use super::plan::{self, Job};

/// What became of an input.
#[derive(Debug)]
pub(super) enum Outcome {
    /// These outputs were made; the others were as they should be.
    Converted(Report, Vec<usize>),
    /// These outputs would be made.
    Planned(Vec<usize>),
    /// All outputs are what they should be.
    Current,
    /// It is something else, found by walking.
    NoSound(SoundError),
    Failed(SoundError),
}

/// How it is done.
pub(super) struct Work<'a> {
    pub(super) conversion: Conversion,
    pub(super) threads: usize,
    /// Whether nothing is written.
    pub(super) dry: bool,
    /// What need not be made; nothing when all is.
    pub(super) ledger: Option<&'a Ledger>,
    pub(super) stop: &'a AtomicBool,
}

impl Work<'_> {
    /// Does the jobs and tells of each as it is done, one at a time.
    pub(super) fn run(&self, jobs: &[Job], tell: impl FnMut(usize, Outcome) + Send) {
        let next = AtomicUsize::new(0);
        let directories = Mutex::new(HashSet::new());
        let tell = Mutex::new(tell);
        let take = || {
            while !self.stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(number) else { return };
                let outcome = self.job(job, &directories);
                tell.lock().unwrap_or_else(PoisonError::into_inner)(number, outcome);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.threads.min(jobs.len()) {
                scope.spawn(take);
            }
            take();
        });
        // Where everything was skipped.
        let made = directories.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut made: Vec<PathBuf> = made.into_iter().collect();
        made.sort_unstable();
        for directory in made.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }

    fn job(&self, job: &Job, directories: &Mutex<HashSet<PathBuf>>) -> Outcome {
        let input = (job.input.path.as_path(), job.input.stamp);
        let stale = |number: &usize| {
            let output = &job.outputs[*number];
            let names = (output.relative.as_path(), output.place.as_path());
            self.ledger.is_none_or(|ledger| !ledger.is_current(names, output.recipe, input))
        };
        let stale: Vec<usize> = (0..job.outputs.len()).filter(stale).collect();
        if stale.is_empty() {
            return Outcome::Current;
        }
        let done = if self.dry {
            Reader::open(input.0).map(|_| None)
        } else {
            let outputs = stale.iter().map(|&number| &job.outputs[number]);
            let outputs: Vec<(PathBuf, Target)> =
                outputs.map(|output| (output.place.clone(), output.target)).collect();
            prepare(outputs[0].0.parent(), directories)
                .and_then(|()| convert(input.0, &outputs, &self.conversion).map(Some))
        };
        match done {
            Ok(Some(report)) => Outcome::Converted(report, stale),
            Ok(None) => Outcome::Planned(stale),
            Err(error) if job.input.how == How::Walked && plan::is_no_sound(&error) => {
                Outcome::NoSound(error)
            }
            Err(error) => Outcome::Failed(error),
        }
    }
}

/// Makes the directory that an output goes to.
fn prepare(
    directory: Option<&Path>,
    directories: &Mutex<HashSet<PathBuf>>,
) -> Result<(), SoundError> {
    let Some(directory) = directory else { return Ok(()) };
    let mut made = directories.lock().unwrap_or_else(PoisonError::into_inner);
    if made.contains(directory) || directory.is_dir() {
        return Ok(());
    }
    let new: Vec<PathBuf> =
        directory.ancestors().take_while(|it| !it.exists()).map(Path::to_owned).collect();
    fs::create_dir_all(directory)
        .map_err(|source| SoundError::Io { path: directory.to_owned(), source })?;
    made.extend(new);
    Ok(())
}
