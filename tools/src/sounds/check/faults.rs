//! What may be wrong with the prompts of one language.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use super::tree::Prompts;
use crate::sounds::asterisk::{Verdict, remedied};
use crate::sounds::facts::{Facts, Unread, examine};
use crate::sounds::shell;

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) prompt: String,
    pub(super) file: Option<String>,
    pub(super) message: String,
    /// What helps; a command line where one does.
    pub(super) remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Missing,
    Unreadable,
    Damaged,
    Unplayable,
    WrongRate,
    Silent,
    Clipped,
    TooLoud,
    TooQuiet,
    UnequalCopies,
    /// Not in the set it is compared with: nothing is wrong with that.
    Superfluous,
}

impl Kind {
    pub(super) const ALL: [(Self, &'static str); 11] = [
        (Self::Missing, "missing"),
        (Self::Unreadable, "unreadable"),
        (Self::Damaged, "damaged"),
        (Self::Unplayable, "unplayable"),
        (Self::WrongRate, "of a wrong rate"),
        (Self::Silent, "silent"),
        (Self::Clipped, "clipped"),
        (Self::TooLoud, "too loud"),
        (Self::TooQuiet, "too quiet"),
        (Self::UnequalCopies, "unequal copies"),
        (Self::Superfluous, "superfluous"),
    ];

    pub(super) fn is_wrong(self) -> bool {
        self != Self::Superfluous
    }
}

/// How far from the median loudness a prompt may be, in LU.
const FARTHEST: f64 = 6.0;
/// A median of fewer says nothing.
const FEWEST: usize = 5;
/// How much copies of a prompt may differ in length, in seconds: frames of codecs are padded.
const UNEQUAL: f64 = 0.1;

/// What is missing, and what is not in the other set.
pub(super) fn compare(
    prompts: &Prompts,
    wanted: &BTreeSet<String>,
    directory: &Path,
) -> Vec<Fault> {
    let missing = wanted.iter().filter(|name| !prompts.contains_key(*name)).map(|name| {
        let place = directory.join(format!("{name}.wav"));
        Fault {
            kind: Kind::Missing,
            prompt: name.clone(),
            file: None,
            message: "it is missing".to_owned(),
            remedy: Some(format!("record it as {}", shell::word(&place))),
        }
    });
    let superfluous = prompts.iter().filter(|(name, _)| !wanted.contains(*name));
    let superfluous = superfluous.map(|(name, files)| Fault {
        kind: Kind::Superfluous,
        prompt: name.clone(),
        file: files.first().map(|it| it.display().to_string()),
        message: "it is not among those it is compared with".to_owned(),
        remedy: None,
    });
    missing.chain(superfluous).collect()
}

/// Reads all files, on all cores, and tells what is wrong with each and with them as a set.
pub(super) fn listen(prompts: &Prompts) -> Vec<Fault> {
    let files: Vec<(&str, &Path)> = prompts
        .iter()
        .flat_map(|(name, files)| files.iter().map(|file| (name.as_str(), file.as_path())))
        .collect();
    let looked_at = examine_all(&files);
    let mut faults = vec![];
    let mut loudness = vec![];
    for ((name, file), facts) in files.iter().zip(&looked_at) {
        match facts {
            Ok(facts) => {
                loudness.extend(facts.loudness_lufs);
                faults.extend(of_one(name, file, facts));
            }
            Err(Unread { error, remedy }) => {
                let remedy = Some(remedy.clone());
                faults.push(fault(Kind::Unreadable, name, file, error.clone(), remedy));
            }
        }
    }
    loudness.sort_by(f64::total_cmp);
    if loudness.len() >= FEWEST {
        let median = loudness[loudness.len() / 2];
        for ((name, file), facts) in files.iter().zip(&looked_at) {
            faults.extend(facts.as_ref().ok().and_then(|it| level(name, file, it, median)));
        }
    }
    faults.extend(unequal(&files, &looked_at));
    faults
}

fn fault(kind: Kind, prompt: &str, file: &Path, message: String, remedy: Option<String>) -> Fault {
    let file = Some(file.display().to_string());
    Fault { kind, prompt: prompt.to_owned(), file, message, remedy }
}

/// What is wrong with a file whatever else there is.
fn of_one(name: &str, file: &Path, facts: &Facts) -> Vec<Fault> {
    let again = || Some("take it from its source again".to_owned());
    let damages = facts.warnings.iter();
    let damages = damages.map(|it| fault(Kind::Damaged, name, file, it.clone(), again()));
    let mut faults: Vec<Fault> = damages.collect();
    let opinion = &facts.asterisk;
    let says = opinion.says.clone().unwrap_or_default();
    let kind = match opinion.verdict {
        Verdict::Plays => None,
        _ if says.starts_with("Unexpected frequency") => Some(Kind::WrongRate),
        _ => Some(Kind::Unplayable),
    };
    if let Some(kind) = kind {
        let front = match opinion.verdict {
            Verdict::PlaysWrong => "Asterisk plays something else",
            _ => "Asterisk refuses it",
        };
        let message = format!("{front}: {says}");
        faults.push(fault(kind, name, file, message, opinion.remedy.clone()));
    }
    if facts.silence.throughout && !name.starts_with("silence/") {
        let message = match facts.samples {
            0 => "there is no sound in it".to_owned(),
            _ => "it is silent from end to end".to_owned(),
        };
        faults.push(fault(Kind::Silent, name, file, message, Some("record it anew".to_owned())));
    }
    if facts.clipped.samples > 0 {
        let message = format!("{} samples are cut at full scale", facts.clipped.samples);
        let remedy = Some("record it anew, at a lower level".to_owned());
        faults.push(fault(Kind::Clipped, name, file, message, remedy));
    }
    faults
}

/// Whether a file is too far from the others in level.
fn level(name: &str, file: &Path, facts: &Facts, median: f64) -> Option<Fault> {
    let away = facts.loudness_lufs? - median;
    let (kind, word) = match away {
        _ if away > FARTHEST => (Kind::TooLoud, "louder"),
        _ if away < -FARTHEST => (Kind::TooQuiet, "quieter"),
        _ => return None,
    };
    let message = format!("it is {:.1} LU {word} than the others ({median:.1} LUFS)", away.abs());
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    let options = format!(" --gain {:.1} --guard", -away);
    let remedy = shell::convert_with(file, remedied(&extension), &options);
    Some(fault(kind, name, file, message, Some(remedy)))
}

/// Copies of one prompt in several formats that can't be of one recording.
fn unequal(files: &[(&str, &Path)], looked_at: &[Result<Facts, Unread>]) -> Vec<Fault> {
    let mut faults = vec![];
    let mut first: Option<(&str, &Path, f64)> = None;
    for ((name, file), facts) in files.iter().zip(looked_at) {
        let Ok(facts) = facts else { continue };
        match first {
            Some((before, other, seconds)) if before == *name => {
                if (facts.seconds - seconds).abs() > UNEQUAL {
                    let other = other.file_name().unwrap_or_default().to_string_lossy();
                    let message =
                        format!("it lasts {:.2} s, and {other} {seconds:.2} s", facts.seconds);
                    let remedy = Some("make one of the other, or take the wrong one away".into());
                    faults.push(fault(Kind::UnequalCopies, name, file, message, remedy));
                }
            }
            _ => first = Some((name, file, facts.seconds)),
        }
    }
    faults
}

/// What is known of each file, in their order.
fn examine_all(files: &[(&str, &Path)]) -> Vec<Result<Facts, Unread>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = vec![];
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((_, path)) = files.get(number) else { return done };
            done.push((number, examine(path, |_, _| {})));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(files.len().max(1));
    let mut done: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|it| it.join().expect("no reader panics"));
        joined.flatten().collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, facts)| facts).collect()
}

/// Where the files of a set lie.
pub(super) fn count(prompts: &Prompts) -> (usize, usize) {
    (prompts.len(), prompts.values().map(Vec::<PathBuf>::len).sum())
}
