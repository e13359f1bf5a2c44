//! What a batch is going to do, and why it can't: said before anything is done.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use diesis_sounds::convert::target::Target;
use diesis_sounds::error::SoundError;
use diesis_sounds::read::Reader;

use super::find::{self, Found, How, Id};

/// One input and what is made of it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) input: Found,
    pub(super) outputs: Vec<Output>,
}

/// One file that is made.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) place: PathBuf,
    /// Below the output directory.
    pub(super) relative: PathBuf,
    pub(super) target: Target,
    /// Number of how it is made, in the ledger.
    pub(super) recipe: usize,
}

/// What is made of every input: an extension, the file that it stands for, and the number of its
/// recipe.
pub(super) struct Format {
    pub(super) extension: String,
    pub(super) target: Target,
    pub(super) recipe: usize,
}

/// Puts outputs to inputs. Refuses outputs that two inputs would give, and outputs that are inputs.
pub(super) fn plan(
    files: Vec<Found>,
    into: &Path,
    formats: &[Format],
) -> Result<Vec<Job>, Vec<String>> {
    let files = without_clashes(once_each(files), formats)?;
    let inputs: HashMap<Id, PathBuf> =
        files.iter().map(|found| (found.id, found.path.clone())).collect();
    let mut refusals = vec![];
    let jobs = files.into_iter().map(|input| {
        let output = |format: &Format| {
            let relative = input.relative.with_extension(&format.extension);
            let place = into.join(&relative);
            if let Some(over) = fs::metadata(&place).ok().and_then(|it| inputs.get(&find::id(&it)))
            {
                refusals.push(format!(
                    "{} would be written over the input {}: name another directory or format",
                    place.display(),
                    over.display()
                ));
            }
            Output { place, relative, target: format.target, recipe: format.recipe }
        };
        let outputs = formats.iter().map(output).collect();
        Job { input, outputs }
    });
    let jobs = jobs.collect();
    if refusals.is_empty() { Ok(jobs) } else { Err(refusals) }
}

/// A file that two of the inputs lead to counts once; named, if it was named.
fn once_each(files: Vec<Found>) -> Vec<Found> {
    let mut at: HashMap<(PathBuf, PathBuf), usize> = HashMap::new();
    let mut kept: Vec<Found> = Vec::with_capacity(files.len());
    for found in files {
        let place = *at
            .entry((found.path.components().collect(), found.relative.clone()))
            .or_insert(kept.len());
        match kept.get_mut(place) {
            Some(first) if found.how == How::Named => first.how = How::Named,
            Some(_) => {}
            None => kept.push(found),
        }
    }
    kept
}

/// Refuses inputs that would give the same output. What is no sound gives none.
fn without_clashes(files: Vec<Found>, formats: &[Format]) -> Result<Vec<Found>, Vec<String>> {
    let extension = formats.first().map_or("", |format| &format.extension);
    let mut same: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (number, found) in files.iter().enumerate() {
        same.entry(found.relative.with_extension(extension)).or_default().push(number);
    }
    let mut refusals = vec![];
    for (output, numbers) in same.iter().filter(|(_, numbers)| numbers.len() > 1) {
        let sounds = numbers.iter().map(|&number| &files[number]).filter(|it| may_be_sound(it));
        let names: Vec<String> = sounds.map(|found| found.path.display().to_string()).collect();
        if names.len() > 1 {
            refusals.push(format!(
                "{} would both become {}: rename one, or convert them into directories of their own",
                names.join(" and "),
                output.display()
            ));
        }
    }
    if refusals.is_empty() { Ok(files) } else { Err(refusals) }
}

/// Whether a file is taken for a sound; only one that was found by walking may be none.
fn may_be_sound(found: &Found) -> bool {
    found.how == How::Named
        || !matches!(Reader::open(&found.path), Err(error) if is_no_sound(&error))
}

/// Whether an error says that a file is something else than a sound.
pub(super) fn is_no_sound(error: &SoundError) -> bool {
    matches!(error, SoundError::UnknownFormat { .. } | SoundError::NotAFile { .. })
}
