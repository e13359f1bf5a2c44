//! What a campaign says while it runs and at its end.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use diesis_engine::campaign::{Attempt, Entry, Outcome, Pacing};
use indicatif::{ProgressBar, ProgressStyle};

use super::callees::Callees;

/// How it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// A bar, for people.
    Bar,
    /// A line a call.
    Lines,
}

/// Counts calls and tells of them.
#[derive(Debug)]
pub(super) struct Progress {
    manner: Manner,
    bar: ProgressBar,
    result: PathBuf,
    calls: usize,
    talked: Duration,
    outcomes: BTreeMap<Outcome, usize>,
}

impl Progress {
    pub(super) fn new(manner: Manner, callees: &Callees, result: PathBuf) -> Self {
        let bar = match manner {
            Manner::Bar => {
                let style =
                    ProgressStyle::with_template("{bar:32} {pos}/{len}  {elapsed}  {wide_msg}");
                let bar = ProgressBar::new(callees.all.len() as u64);
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar
            }
            Manner::Lines => ProgressBar::hidden(),
        };
        let progress = Self {
            manner,
            bar,
            result,
            calls: 0,
            talked: Duration::ZERO,
            outcomes: BTreeMap::new(),
        };
        progress.say(&about(callees));
        progress
    }

    /// A line, whatever is drawn.
    pub(super) fn say(&self, line: &str) {
        match self.manner {
            Manner::Bar => self.bar.println(line),
            // That nobody reads it any more must not end the calls.
            Manner::Lines => drop(writeln!(io::stdout(), "{line}")),
        }
    }

    /// A call is over.
    pub(super) fn note(&mut self, attempt: &Attempt, pacing: &Pacing) {
        self.calls += 1;
        self.talked += Duration::from_millis(attempt.talked);
        *self.outcomes.entry(attempt.outcome).or_default() += 1;
        if self.manner == Manner::Lines {
            let Attempt { called, outcome, talked, .. } = attempt;
            let seconds = talked / 1000;
            let again = if attempt.again.is_some() { ", again later" } else { "" };
            self.say(&format!("{called} {outcome} {seconds} s{again}"));
        }
        self.draw(pacing, None);
    }

    /// How it stands; `waits` says why nobody is called.
    pub(super) fn draw(&self, pacing: &Pacing, waits: Option<&str>) {
        let counts: Vec<String> =
            self.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        self.bar.set_position(pacing.over() as u64);
        let running = pacing.running();
        let waits = waits.map(|why| format!("  {why}")).unwrap_or_default();
        self.bar.set_message(format!("{running} running  {}{waits}", counts.join(", ")));
    }

    /// The end.
    pub(super) fn finish(&self, pacing: &Pacing, count: usize) {
        self.bar.finish_and_clear();
        let mut states: BTreeMap<Outcome, usize> = BTreeMap::new();
        for last in (0..count).filter_map(|index| pacing.final_of(Entry(index))) {
            *states.entry(last.outcome).or_default() += 1;
        }
        let reached: usize =
            states.iter().filter(|(outcome, _)| outcome.is_reached()).map(|(_, count)| count).sum();
        let mut parts: Vec<String> =
            states.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        let left = count - pacing.over();
        if left > 0 {
            parts.push(format!("{left} left, which --resume calls"));
        }
        let told = format!(
            "{count} numbers, {reached} reached: {}\n{} calls, {} s talked; {}",
            parts.join(", "),
            self.calls,
            self.talked.as_secs(),
            self.result.display()
        );
        let _ = writeln!(io::stdout(), "{told}");
    }
}

/// How many there are to be called, and why not more.
pub(super) fn about(callees: &Callees) -> String {
    let mut told = format!("{} numbers", callees.all.len());
    if callees.doubled > 0 {
        told += &format!(", {} more stand there twice", callees.doubled);
    }
    if callees.excluded > 0 {
        told += &format!(", {} are excluded", callees.excluded);
    }
    told
}
