//! `diesis convert --into`: many files at once.

mod find;
mod ledger;
mod pattern;
mod plan;
mod tally;
mod work;

use std::collections::HashSet;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, available_parallelism};

use self::ledger::Ledger;
use self::plan::{Format, Job};
use self::tally::{Manner, Tally};
use self::work::{Outcome, Work};
use crate::cli::convert::Convert;
use crate::signals;

/// Converts all inputs into a directory. The exit code is 0 when all is made, 1 when something
/// failed, 2 when what is asked for can not be, 130 after Ctrl-C.
pub(super) fn run(options: &Convert, inputs: &[PathBuf], into: &Path) -> ExitCode {
    match prepare(options, inputs, into) {
        Ok(batch) => batch.run(options, into),
        Err(refusals) => {
            for refusal in refusals.iter().take(MOST_REFUSALS) {
                eprintln!("diesis: {refusal}");
            }
            if refusals.len() > MOST_REFUSALS {
                eprintln!("diesis: and {} more", refusals.len() - MOST_REFUSALS);
            }
            eprintln!("diesis: nothing was converted");
            ExitCode::from(2)
        }
    }
}

/// More would hide the first.
const MOST_REFUSALS: usize = 20;

struct Batch {
    jobs: Vec<Job>,
    ledger: Ledger,
    tally: Tally,
}

/// Finds the inputs and says what becomes of them.
fn prepare(options: &Convert, inputs: &[PathBuf], into: &Path) -> Result<Batch, Vec<String>> {
    if into.exists() && !into.is_dir() {
        return Err(vec![format!("{} is no directory: name one for the output", into.display())]);
    }
    let mut ledger = Ledger::read(into);
    let mut formats: Vec<Format> = vec![];
    for extension in options.to.iter().map(|it| it.trim_start_matches('.').to_owned()) {
        let target = super::target(&extension, options)
            .map_err(|refusal| vec![format!("--to {extension}: {refusal}")])?;
        if formats.iter().all(|format| format.extension != extension) {
            let recipe = ledger.recipe(&super::recipe(&target, options));
            formats.push(Format { extension, target, recipe });
        }
    }
    let home = fs::canonicalize(into).unwrap_or_default();
    let made: HashSet<PathBuf> = ledger.made().map(|relative| home.join(relative)).collect();
    let found = find::find(inputs, into, &made).map_err(|refusal| vec![refusal])?;
    let jobs = plan::plan(found.files, into, &formats)?;
    let manner = Manner::of(options, std::io::stderr().is_terminal());
    let mut tally = Tally::new(manner, jobs.len(), options);
    for (path, error) in found.failed {
        tally.unreadable(path, error);
    }
    Ok(Batch { jobs, ledger, tally })
}

impl Batch {
    fn run(self, options: &Convert, into: &Path) -> ExitCode {
        let Self { jobs, mut ledger, mut tally } = self;
        let stop = stop_at_interrupt();
        let cores = || available_parallelism().map_or(1, usize::from);
        let work = Work {
            conversion: super::conversion(options),
            threads: options.threads.unwrap_or_else(cores),
            dry: options.dry_run,
            ledger: (!options.force).then_some(&ledger),
            stop: &stop,
        };
        let mut made = vec![];
        work.run(&jobs, |number, outcome| {
            if let Outcome::Converted(_, outputs) = &outcome {
                made.extend(outputs.iter().map(|&output| (number, output)));
            }
            tally.tell(&jobs[number], outcome);
        });
        for (number, output) in made {
            let (input, output) = (&jobs[number].input, &jobs[number].outputs[output]);
            let names = (output.relative.as_path(), output.place.as_path());
            ledger.note(names, output.recipe, (&input.path, input.stamp));
        }
        if let Err(error) = ledger.write(into) {
            eprintln!(
                "diesis: {}: what was made can't be noted, the next run makes it again: {error}",
                into.display()
            );
        }
        tally.finish(stop.load(Ordering::Relaxed))
    }
}

/// Set by Ctrl-C or SIGTERM from now on.
fn stop_at_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Without it Ctrl-C ends the process at once: drafts would be left, but no half files.
    let waiting = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(signals::wanted_to_stop());
        flag.store(true, Ordering::Relaxed);
    };
    let _ = thread::Builder::new().name("interrupt".to_owned()).spawn(waiting);
    stop
}
