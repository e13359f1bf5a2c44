//! `diesis sounds check`: what is missing in a directory of prompts, and what is wrong with those
//! that are there.

mod faults;
mod tree;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use self::faults::{Fault, Kind, compare, count, listen};
use self::tree::{Prompts, Tree, embedded, language_of};
use crate::check::counted;
use crate::cli::sounds::Check;

/// What was found out about the prompts of one language.
#[derive(Debug, Serialize)]
struct Manifest {
    /// `None` for prompts that are in no language.
    language: Option<String>,
    directory: String,
    prompts: usize,
    files: usize,
    /// What they are compared with.
    against: Option<String>,
    faults: Vec<Fault>,
}

/// What prompts are compared with.
#[derive(Debug)]
struct Reference {
    told: String,
    names: BTreeSet<String>,
    /// The language that is it, which is not compared with itself.
    itself: Option<String>,
}

/// Runs the command. The exit code is 0 when nothing is wrong, 1 when something is, 2 when there is
/// nothing to check.
pub(super) fn run(options: &Check) -> ExitCode {
    let manifests = match manifests(options) {
        Ok(manifests) => manifests,
        Err(refusal) => {
            eprintln!("diesis: {refusal}");
            return ExitCode::from(2);
        }
    };
    let wrong = |it: &Manifest| it.faults.iter().any(|fault| fault.kind.is_wrong());
    let code = if manifests.iter().any(wrong) { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    let mut out = io::BufWriter::new(io::stdout().lock());
    match say(options, &manifests, &mut out).and_then(|()| out.flush()) {
        Ok(()) => code,
        // Whoever reads through `head` has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("diesis: standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

fn manifests(options: &Check) -> Result<Vec<Manifest>, String> {
    let directory = prompts_of(&options.directory);
    let told = |error: io::Error| format!("{}: {error}", directory.display());
    let tree = Tree::read(&directory).map_err(told)?;
    if tree.languages.is_empty() && tree.others.is_empty() {
        return Err(format!("{}: there are no sound files below it", directory.display()));
    }
    let reference = match &options.against {
        Some(against) => Some(named(against, &directory, &tree)?),
        None => usual(&directory, &tree),
    };
    let manifest = |language: Option<&str>, directory: PathBuf, prompts: &Prompts| {
        let itself = reference.as_ref().and_then(|it| it.itself.as_deref());
        // What is in no language, beside some that are, is nobody's counterpart.
        let alone = tree.languages.is_empty();
        let compared = reference.as_ref().filter(|_| match language {
            Some(language) => itself != Some(language),
            None => alone,
        });
        let mut faults = vec![];
        if let Some(reference) = compared {
            faults.extend(compare(prompts, &reference.names, &directory));
        }
        faults.extend(listen(prompts));
        faults.sort_by(|a, b| (&a.prompt, &a.file, a.kind).cmp(&(&b.prompt, &b.file, b.kind)));
        let (prompts, files) = count(prompts);
        Manifest {
            language: language.map(str::to_owned),
            directory: directory.display().to_string(),
            prompts,
            files,
            against: compared.map(|it| it.told.clone()),
            faults,
        }
    };
    let mut manifests = vec![];
    for (language, prompts) in &tree.languages {
        manifests.push(manifest(Some(language), directory.join(language), prompts));
    }
    if !tree.others.is_empty() {
        let language = if tree.languages.is_empty() { language_of(&directory) } else { None };
        manifests.push(manifest(language.as_deref(), directory.clone(), &tree.others));
    }
    Ok(manifests)
}

/// The prompts of a configuration directory are below it.
fn prompts_of(directory: &Path) -> PathBuf {
    let below = directory.join("sounds");
    if directory.join("extensions.conf").is_file() && below.is_dir() {
        below
    } else {
        directory.to_owned()
    }
}

/// What `--against` names: a language beside or below, a directory, or one inside the binary.
fn named(against: &str, directory: &Path, tree: &Tree) -> Result<Reference, String> {
    let itself = Some(against.to_owned());
    if let Some(prompts) = tree.languages.get(against) {
        let told = directory.join(against).display().to_string();
        return Ok(Reference { told, names: prompts.keys().cloned().collect(), itself });
    }
    let beside = directory.join("..").join(against);
    let is_name = !against.contains(['/', '\\']) && !against.starts_with('.');
    let sibling = is_name && language_of(directory).is_some() && beside.is_dir();
    let place = if sibling { beside } else { PathBuf::from(against) };
    if place.is_dir() {
        let prompts =
            Tree::read_flat(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        if prompts.is_empty() {
            return Err(format!("{}: there are no sound files below it", place.display()));
        }
        let names = prompts.into_keys().collect();
        return Ok(Reference { told: place.display().to_string(), names, itself: None });
    }
    let names = embedded(against);
    if names.is_empty() {
        return Err(format!(
            "--against {against}: no language below {} or in the binary is called so, and no \
             directory",
            directory.display()
        ));
    }
    Ok(Reference { told: format!("{against} in the binary"), names, itself: None })
}

/// What prompts are compared with when nothing is said: English below or beside, else nothing.
fn usual(directory: &Path, tree: &Tree) -> Option<Reference> {
    let language = language_of(directory);
    let beside = directory.join("..").join(ENGLISH).is_dir();
    let is_other = language.is_some_and(|it| it != ENGLISH);
    if tree.languages.contains_key(ENGLISH) || (is_other && beside) {
        return named(ENGLISH, directory, tree).ok();
    }
    None
}

const ENGLISH: &str = "en";

fn say(options: &Check, manifests: &[Manifest], out: &mut impl Write) -> io::Result<()> {
    if options.json {
        serde_json::to_writer_pretty(&mut *out, manifests)?;
        return writeln!(out);
    }
    for manifest in manifests {
        for fault in &manifest.faults {
            let place = fault.file.clone().unwrap_or_else(|| {
                Path::new(&manifest.directory).join(&fault.prompt).display().to_string()
            });
            write!(out, "{place}: {}", fault.message)?;
            match &fault.remedy {
                Some(remedy) => writeln!(out, "; remedy: {remedy}")?,
                None => writeln!(out)?,
            }
        }
    }
    for manifest in manifests {
        let name = match &manifest.language {
            Some(language) => format!("{language} ({})", manifest.directory),
            None => manifest.directory.clone(),
        };
        write!(out, "{name}: {}", counted((manifest.prompts, "prompt")))?;
        if manifest.files != manifest.prompts {
            write!(out, " in {}", counted((manifest.files, "file")))?;
        }
        if let Some(against) = &manifest.against {
            write!(out, ", compared with {against}")?;
        }
        let counts: Vec<String> = Kind::ALL
            .iter()
            .map(|(kind, told)| {
                (manifest.faults.iter().filter(|fault| fault.kind == *kind).count(), told)
            })
            .filter(|(count, _)| *count > 0)
            .map(|(count, told)| format!("{count} {told}"))
            .collect();
        let told = if counts.is_empty() { "nothing wrong".to_owned() } else { counts.join(", ") };
        writeln!(out, ": {told}")?;
    }
    if prompts_of(&options.directory) != options.directory {
        let configuration = crate::sounds::shell::word(&options.directory);
        writeln!(out, "what its dialplan plays and nobody recorded: diesis check {configuration}")?;
    }
    Ok(())
}
