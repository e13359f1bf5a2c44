//! `diesis load`: many calls to a SIP target, what they heard, and what they cost it.
//!
//! The callers are one value without sockets or clocks (`crowd`), driven through a course
//! (`schedule`) by one thread on real sockets (`driver`). Packets carry the kernel's times of
//! arrival, so that a busy generator does not blame the target for its own lateness.

mod batch;
mod crowd;
mod driver;
mod histogram;
mod listener;
mod options;
mod process;
mod report;
mod schedule;
mod sockets;
mod sound;
mod speaker;
mod tally;
mod target;
mod verdict;
mod workload;

use std::{fs, io::IsTerminal, process::ExitCode, sync::Arc, thread, time::Duration};

use indicatif::ProgressBar;

use crate::{block_on, cli::load::Load, signals};
use driver::{Link, Setup};
use report::{LevelReport, Report};

pub(crate) use self::{
    options::Spoken, sound::Sound as Sending, workload::Workload as WorkloadName,
};

/// Loads the target until the plan is done, or Ctrl-C.
pub(crate) fn run(options: &Load) -> ExitCode {
    let setup = match options::setup(options) {
        Ok(setup) => setup,
        Err(error) => {
            eprintln!("diesis: {error}");
            return ExitCode::from(2);
        }
    };
    let mut seed = [0; 8];
    if let Err(error) = getrandom::fill(&mut seed) {
        eprintln!("diesis: the system gives no random numbers: {error}");
        return ExitCode::FAILURE;
    }
    let levels = match block_on_load(setup, u64::from_ne_bytes(seed)) {
        Ok(levels) => levels,
        Err(error) => {
            eprintln!("diesis: {error}");
            return ExitCode::FAILURE;
        }
    };
    let workload = options.workload.to_string();
    let report = Report { target: options.target.clone(), workload, levels };
    match report.levels.is_empty() {
        true => eprintln!("diesis: ended before anything was measured"),
        false => print!("{}", report.table()),
    }
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report).unwrap_or_default();
        if let Err(error) = fs::write(path, text + "\n") {
            eprintln!("diesis: {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The callers have a thread of their own; this one waits for it and for Ctrl-C.
fn block_on_load(setup: Setup, seed: u64) -> std::io::Result<Vec<LevelReport>> {
    let link = Arc::new(Link::default());
    let (done, ended) = tokio::sync::oneshot::channel();
    let callers = {
        let link = Arc::clone(&link);
        thread::Builder::new().name("diesis-load".into()).spawn(move || {
            let result = driver::run(setup, seed, &link);
            // Nobody waits any more when the runtime could not be had.
            let _unheard = done.send(());
            result
        })?
    };
    block_on(wait(&link, ended));
    callers.join().unwrap_or_else(|_| Err(std::io::Error::other("the callers' thread panicked")))
}

async fn wait(link: &Link, mut ended: tokio::sync::oneshot::Receiver<()>) -> ExitCode {
    let progress = match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    let mut stop = std::pin::pin!(signals::wanted_to_stop());
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            _ = &mut ended => break,
            () = &mut stop => {
                link.stop();
                stop.set(signals::wanted_to_stop());
            }
            _ = tick.tick() => {
                progress.set_message(link.news());
                progress.tick();
            }
        }
    }
    progress.finish_and_clear();
    ExitCode::SUCCESS
}
