//! Which files a batch takes: those that are named, and those below directories and patterns.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::pattern::{self, Pattern, Places};

/// A file to convert.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its place in the tree.
    pub(super) relative: PathBuf,
    /// Named ones are sounds, or wrong; others may be anything.
    pub(super) how: How,
    /// Which file it is, whatever its name.
    pub(super) id: Id,
    /// Bytes, and when it was changed, in nanoseconds.
    pub(super) stamp: (u64, i64),
}

/// How a file came to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Named,
    Walked,
}

/// Device and number of a file.
pub(super) type Id = (u64, u64);

pub(super) fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

pub(super) fn stamp(metadata: &Metadata) -> (u64, i64) {
    let nanos = metadata.mtime().wrapping_mul(1_000_000_000);
    (metadata.len(), nanos.wrapping_add(metadata.mtime_nsec()))
}

/// What was found, and what could not be looked at.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) files: Vec<Found>,
    pub(super) failed: Vec<(PathBuf, io::Error)>,
}

/// Looks for the inputs. What lies in `into` or is in `made` was made by a batch and is not taken
/// unless it is named.
pub(super) fn find(
    inputs: &[PathBuf],
    into: &Path,
    made: &HashSet<PathBuf>,
) -> Result<Findings, String> {
    let into = fs::canonicalize(into).ok();
    let base = PathBuf::new();
    let mut walk = Walk { into, made, base, above: vec![], findings: Findings::default() };
    for input in inputs {
        match fs::metadata(input) {
            Ok(metadata) if metadata.is_dir() => {
                walk.tree(input, &metadata, None)?;
            }
            Ok(metadata) => {
                let relative = PathBuf::from(input.file_name().unwrap_or_default());
                walk.take(input.clone(), relative, How::Named, &metadata);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && pattern::is_pattern(input) => {
                let before = walk.findings.files.len();
                let (base, pattern) = pattern::split(input)
                    .map_err(|error| format!("{}: {error}", input.display()))?;
                match fs::metadata(&base) {
                    Ok(metadata) => {
                        walk.tree(&base, &metadata, Some((&pattern, pattern.start())))?;
                    }
                    Err(error) => walk.findings.failed.push((base, error)),
                }
                if walk.findings.files.len() == before && walk.findings.failed.is_empty() {
                    return Err(format!("{}: no file matches this pattern", input.display()));
                }
            }
            Err(error) => walk.findings.failed.push((input.clone(), error)),
        }
    }
    Ok(walk.findings)
}

struct Walk<'a> {
    into: Option<PathBuf>,
    made: &'a HashSet<PathBuf>,
    /// The directory that is walked, by its one true name.
    base: PathBuf,
    /// The directories that the present one is in: a link to one of them leads round in circles.
    above: Vec<Id>,
    findings: Findings,
}

impl Walk<'_> {
    /// Takes what is below a directory. One that is converted into itself is walked.
    fn tree(
        &mut self,
        path: &Path,
        metadata: &Metadata,
        places: Option<(&Pattern, Places)>,
    ) -> Result<(), String> {
        self.base = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let into = self.into.take_if(|into| *into == self.base);
        let walked = self.directory(path, Path::new(""), metadata, places);
        self.into = self.into.take().or(into);
        walked
    }

    fn directory(
        &mut self,
        path: &Path,
        relative: &Path,
        metadata: &Metadata,
        places: Option<(&Pattern, Places)>,
    ) -> Result<(), String> {
        let id = id(metadata);
        if self.above.contains(&id) || self.is_into(path) {
            return Ok(());
        }
        if self.above.len() == MOST_DEPTH {
            return Err(format!("{}: more than {MOST_DEPTH} directories deep", path.display()));
        }
        let names = fs::read_dir(path).and_then(|entries| {
            let names = entries.map(|entry| Ok(entry?.file_name()));
            names.collect::<io::Result<Vec<_>>>()
        });
        let mut names = match names {
            Ok(names) => names,
            Err(error) => {
                self.findings.failed.push((path.to_owned(), error));
                return Ok(());
            }
        };
        names.sort_unstable();
        self.above.push(id);
        for name in names {
            let text = name.to_string_lossy();
            let places = match &places {
                Some((pattern, places)) => {
                    let places = pattern.step(places, &text);
                    if places.is_empty() {
                        continue;
                    }
                    Some((*pattern, places))
                }
                // Drafts, and what version control and desktops keep.
                None if text.starts_with('.') => continue,
                None => None,
            };
            let (path, relative) = (path.join(&name), relative.join(&name));
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => {
                    self.directory(&path, &relative, &metadata, places)?;
                }
                Ok(metadata) => {
                    let wanted = places.is_none_or(|(pattern, places)| pattern.is_end(&places));
                    if wanted && !self.made.contains(&self.base.join(&relative)) {
                        self.take(path, relative, How::Walked, &metadata);
                    }
                }
                Err(error) => self.findings.failed.push((path, error)),
            }
            if self.findings.files.len() > MOST_FILES {
                return Err(format!("more than {MOST_FILES} files: convert them in parts"));
            }
        }
        self.above.pop();
        Ok(())
    }

    fn is_into(&self, path: &Path) -> bool {
        let Some(into) = &self.into else { return false };
        // Names first: most directories are told apart without a look at the disk.
        path.file_name().is_none_or(|name| into.ends_with(name) || path.is_symlink())
            && fs::canonicalize(path).is_ok_and(|path| path == *into)
    }

    fn take(&mut self, path: PathBuf, relative: PathBuf, how: How, metadata: &Metadata) {
        let (id, stamp) = (id(metadata), stamp(metadata));
        self.findings.files.push(Found { path, relative, how, id, stamp });
    }
}

/// Deeper trees are loops that mounts make.
const MOST_DEPTH: usize = 100;
/// What fits into memory with ease.
const MOST_FILES: usize = 1_000_000;
