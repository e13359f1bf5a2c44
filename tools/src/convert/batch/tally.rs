//! What a batch says while it works and at its end.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use diesis_sounds::error::SoundError;
use indicatif::{ProgressBar, ProgressStyle};

use super::plan::Job;
use super::work::Outcome;
use crate::cli::convert::Convert;
use crate::convert::json::{Account, FileAccount, State};
use crate::convert::told::{Failure, Told, warnings};
use crate::convert::written;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Failures.
    Quiet,
    /// A bar, failures and warnings, and the end.
    Bar,
    /// A line for every file that is made.
    Lines,
    /// And for every one that is not.
    Verbose,
}

impl Manner {
    pub(super) fn of(options: &Convert, terminal: bool) -> Self {
        match (options.quiet || options.tells_programs(), options.verbose) {
            (true, _) => Self::Quiet,
            (_, true) => Self::Verbose,
            _ if options.dry_run => Self::Lines,
            _ if terminal => Self::Bar,
            _ => Self::Lines,
        }
    }
}

/// Counts outcomes and tells of them.
pub(super) struct Tally {
    manner: Manner,
    bar: ProgressBar,
    gain: f32,
    begin: Instant,
    all: usize,
    converted: usize,
    planned: usize,
    current: usize,
    no_sound: usize,
    /// Each with what to do.
    failures: Vec<String>,
    /// For programs, and where it goes.
    account: Option<(Account, PathBuf)>,
}

impl Tally {
    pub(super) fn new(manner: Manner, all: usize, options: &Convert) -> Self {
        let bar = if manner == Manner::Bar {
            let style = ProgressStyle::with_template(
                "{bar:32} {pos}/{len}  {elapsed}, {eta} left  {wide_msg}",
            );
            let bar = ProgressBar::new(all as u64);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        } else {
            ProgressBar::hidden()
        };
        Self {
            manner,
            bar,
            gain: options.gain,
            begin: Instant::now(),
            all,
            converted: 0,
            planned: 0,
            current: 0,
            no_sound: 0,
            failures: vec![],
            account: options.json.clone().map(|place| (Account::default(), place)),
        }
    }

    /// A file or directory that could not be looked at.
    pub(super) fn unreadable(&mut self, path: PathBuf, source: io::Error) {
        let error = SoundError::Io { path: path.clone(), source };
        self.all += 1;
        self.failed(&path, &error);
    }

    /// What became of a job.
    pub(super) fn tell(&mut self, job: &Job, outcome: Outcome) {
        let path = &job.input.path;
        let name = path.display();
        let places = |numbers: &[usize]| -> Vec<&Path> {
            numbers.iter().map(|&number| job.outputs[number].place.as_path()).collect()
        };
        match outcome {
            Outcome::Converted(report, made) => {
                self.converted += 1;
                let outputs = places(&made);
                let gain = self.gain;
                self.note(|| FileAccount::converted(path, &outputs, &report, gain));
                let told = Told { report: &report, outputs: &outputs };
                self.line(Manner::Lines, || format!("{name}: {told}"));
                if self.manner != Manner::Quiet {
                    for warning in warnings(&report, self.gain) {
                        self.trouble(&format!("diesis: {name}: {warning}"));
                    }
                }
            }
            Outcome::Planned(outputs) => {
                self.planned += 1;
                self.note(|| {
                    FileAccount::new(path, State::Planned).into_outputs(&places(&outputs))
                });
                self.line(Manner::Lines, || {
                    let outputs = places(&outputs);
                    let outputs: Vec<String> =
                        outputs.iter().map(|it| it.display().to_string()).collect();
                    format!("{name} -> {}", outputs.join(" "))
                });
            }
            Outcome::Current => {
                self.current += 1;
                self.note(|| FileAccount::new(path, State::Current));
                self.line(Manner::Verbose, || format!("{name}: up to date"));
            }
            Outcome::NoSound(error) => {
                self.no_sound += 1;
                self.note(|| FileAccount::new(path, State::Skipped));
                self.line(Manner::Verbose, || format!("{name}: skipped: {error}"));
            }
            Outcome::Failed(error) => self.failed(path, &error),
        }
        self.bar.inc(1);
    }

    fn failed(&mut self, path: &Path, error: &SoundError) {
        self.note(|| FileAccount::failed(path, error));
        let failure = Failure(path, error).to_string();
        self.trouble(&format!("diesis: {failure}"));
        self.failures.push(failure);
    }

    fn note(&mut self, file: impl FnOnce() -> FileAccount) {
        if let Some((account, _)) = &mut self.account {
            account.add(file());
        }
    }

    fn line(&self, least: Manner, text: impl Fn() -> String) {
        let said = match self.manner {
            Manner::Quiet | Manner::Bar => false,
            Manner::Lines => least == Manner::Lines,
            Manner::Verbose => true,
        };
        if said {
            println!("{}", text());
        }
    }

    fn trouble(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Says what was done in all. `stopped`: by Ctrl-C.
    pub(super) fn finish(self, stopped: bool) -> ExitCode {
        self.bar.finish_and_clear();
        let done =
            self.converted + self.planned + self.current + self.no_sound + self.failures.len();
        if self.manner != Manner::Quiet {
            let mut parts = vec![];
            match self.planned {
                0 => parts.push(format!("{} converted", self.converted)),
                planned => parts.push(format!("{planned} would be converted")),
            }
            if self.current > 0 {
                parts.push(format!("{} up to date", self.current));
            }
            if self.no_sound > 0 {
                parts.push(format!("{} skipped as no sound", self.no_sound));
            }
            parts.push(format!("{} failed", self.failures.len()));
            if stopped && done < self.all {
                parts.push(format!("{} not begun: stopped", self.all - done));
            }
            let seconds = self.begin.elapsed().as_secs_f64();
            println!("{} in {seconds:.1} s", parts.join(", "));
            // Between lines of other files they were easily missed.
            if self.manner != Manner::Bar {
                for failure in &self.failures {
                    println!("failed: {failure}");
                }
            }
        }
        let code = match (stopped && done < self.all, self.failures.is_empty()) {
            (true, _) => ExitCode::from(130),
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::FAILURE,
        };
        let Some((account, place)) = self.account else { return code };
        let account = account.ended(self.all - done, self.begin.elapsed());
        written(&account, &place, code)
    }
}
