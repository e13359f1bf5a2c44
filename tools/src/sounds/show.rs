//! `diesis sounds show`: what is in sound files, and what Asterisk would say of them.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::detail::{Detail, Table};
use super::facts::{Facts, Unread, examine};
use super::picture::{Extent, Kind, Sketch};
use crate::cli::sounds::Show;

/// One file for programs: what is known of it, or why nothing is.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Known(&'a Facts),
    Unknown {
        file: String,
        #[serde(flatten)]
        unread: &'a Unread,
    },
}

/// Runs the command. The exit code is 0 when all files were read and pictures made, 1 when one was
/// not, 2 when what is asked for can't be.
pub(super) fn run(options: &Show) -> ExitCode {
    let pictures = match pictures(options) {
        Ok(pictures) => pictures,
        Err(refusal) => {
            eprintln!("diesis: {refusal}");
            return ExitCode::from(2);
        }
    };
    let mut failed = false;
    let looked_at = options.files.iter().map(|path| {
        let facts = if pictures.is_empty() {
            examine(path, |_, _| {})
        } else {
            draw(path, options.size, &pictures)
        };
        if let Err(Unread { error, remedy }) = &facts {
            eprintln!("diesis: {}: {error}\n  what to do: {remedy}", path.display());
            failed = true;
        }
        (path.as_path(), facts)
    });
    let looked_at: Vec<_> = looked_at.collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    match say(options, &looked_at, &mut out).and_then(|()| out.flush()) {
        Ok(()) if failed => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads through `head` has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("diesis: standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The pictures that are asked for.
fn pictures(options: &Show) -> Result<Vec<(Kind, &Path)>, String> {
    let asked = [(Kind::Png, &options.png), (Kind::Svg, &options.svg)];
    let asked = asked.into_iter().filter_map(|(kind, path)| Some((kind, path.as_deref()?)));
    let pictures: Vec<_> = asked.collect();
    if !pictures.is_empty() && options.files.len() > 1 {
        return Err("a picture shows one file: name one".to_owned());
    }
    for (_, path) in &pictures {
        let same = |other: &PathBuf| match (path.canonicalize(), other.canonicalize()) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        };
        if options.files.iter().any(same) {
            return Err(format!(
                "{} is the sound: name another file for the picture",
                path.display()
            ));
        }
    }
    Ok(pictures)
}

/// Looks at a file and draws it.
fn draw(path: &Path, size: Extent, pictures: &[(Kind, &Path)]) -> Result<Facts, Unread> {
    let mut sketch = None;
    let facts = examine(path, |spec, channels| {
        sketch.get_or_insert_with(|| Sketch::new(spec)).take(channels);
    });
    let facts = facts?;
    let mut sketch = sketch.expect("the first piece comes before the first error");
    sketch.finish();
    for (kind, path) in pictures {
        let saved = sketch.save(&facts, size, *kind, path);
        saved.map_err(|error| Unread {
            error: format!("{} can't be written: {error}", path.display()),
            remedy: "name a place for the picture that you may write to".to_owned(),
        })?;
    }
    Ok(facts)
}

fn say(
    options: &Show,
    looked_at: &[(&Path, Result<Facts, Unread>)],
    out: &mut impl Write,
) -> io::Result<()> {
    if options.json {
        let row = |(path, facts): &'_ (&Path, Result<Facts, Unread>)| match facts {
            Ok(facts) => serde_json::to_value(Row::Known(facts)),
            Err(unread) => {
                serde_json::to_value(Row::Unknown { file: path.display().to_string(), unread })
            }
        };
        let rows: Result<Vec<_>, _> = looked_at.iter().map(row).collect();
        serde_json::to_writer_pretty(&mut *out, &rows?)?;
        return writeln!(out);
    }
    let known: Vec<Facts> = looked_at.iter().filter_map(|row| row.1.clone().ok()).collect();
    if options.files.len() > 1 && !known.is_empty() {
        write!(out, "{}", Table(&known))?;
    }
    if options.files.len() == 1 || options.verbose {
        for (number, facts) in known.iter().enumerate() {
            if number > 0 || options.files.len() > 1 {
                writeln!(out)?;
            }
            write!(out, "{}", Detail(facts))?;
        }
    }
    Ok(())
}
