//! What a batch made, kept in the output directory: the next one leaves out what would come out
//! the same. Times alone do not tell: another gain, or an older recording put back, is a change.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::find;
use crate::replace::replace;

/// Name of the file. Begins with a dot: walks do not take it for an input.
const NAME: &str = ".diesis-convert.json";
/// Of the file's layout; another one is not read.
const VERSION: u32 = 1;

/// Outputs by their place below the directory.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    version: u32,
    /// How outputs were made; few ways for many files.
    recipes: Vec<String>,
    outputs: BTreeMap<PathBuf, Entry>,
    #[serde(skip)]
    changed: bool,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    recipe: usize,
    input: PathBuf,
    /// Bytes and nanoseconds of the last change.
    input_stamp: (u64, i64),
    output_stamp: (u64, i64),
}

impl Ledger {
    /// That of a directory; empty when there is none, or none that can be read.
    pub(super) fn read(directory: &Path) -> Self {
        let read = fs::read(directory.join(NAME)).ok();
        let ledger: Option<Self> = read.and_then(|text| serde_json::from_slice(&text).ok());
        let Some(mut ledger) = ledger.filter(|ledger| ledger.version == VERSION) else {
            return Self { version: VERSION, ..Self::default() };
        };
        let recipes = ledger.recipes.len();
        ledger.outputs.retain(|_, entry| entry.recipe < recipes);
        ledger
    }

    /// All that was made and may still lie there.
    pub(super) fn made(&self) -> impl Iterator<Item = &Path> {
        self.outputs.keys().map(PathBuf::as_path)
    }

    /// Number of a way to make files.
    pub(super) fn recipe(&mut self, recipe: &str) -> usize {
        self.recipes.iter().position(|known| known == recipe).unwrap_or_else(|| {
            self.recipes.push(recipe.to_owned());
            self.recipes.len() - 1
        })
    }

    /// Whether an output is what this input and recipe give.
    pub(super) fn is_current(
        &self,
        (relative, place): (&Path, &Path),
        recipe: usize,
        (input, stamp): (&Path, (u64, i64)),
    ) -> bool {
        self.outputs.get(relative).is_some_and(|entry| {
            entry.recipe == recipe
                && entry.input == input
                && entry.input_stamp == stamp
                && fs::metadata(place).is_ok_and(|it| find::stamp(&it) == entry.output_stamp)
        })
    }

    /// Notes what was made.
    pub(super) fn note(
        &mut self,
        (relative, place): (&Path, &Path),
        recipe: usize,
        (input, stamp): (&Path, (u64, i64)),
    ) {
        // JSON is text: what has a name that is none is made anew each time.
        let named = relative.to_str().is_some() && input.to_str().is_some();
        let (Ok(metadata), true) = (fs::metadata(place), named) else { return };
        let entry = Entry {
            recipe,
            input: input.to_owned(),
            input_stamp: stamp,
            output_stamp: find::stamp(&metadata),
        };
        self.outputs.insert(relative.to_owned(), entry);
        self.changed = true;
    }

    /// Writes what was noted. Appears when it is whole.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        replace(&directory.join(NAME), serde_json::to_vec(self)?)
    }
}
