//! `diesis sounds show`: what is in sound files, and what Asterisk would say of them.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::detail::{Detail, Table};
use super::facts::{Facts, examine};
use crate::cli::sounds::Show;
use crate::convert::told::with_cause;

/// One file for programs: what is known of it, or why nothing is.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Known(&'a Facts),
    Unknown { file: String, error: &'a str },
}

/// Runs the command. The exit code is 0 when all files were read, 1 when one was not.
pub(super) fn run(options: &Show) -> ExitCode {
    let looked_at = options.files.iter().map(|path| {
        let facts = examine(path, |_, _| {}).map_err(|error| with_cause(&error));
        if let Err(error) = &facts {
            eprintln!("diesis: {}: {error}", path.display());
        }
        (path.as_path(), facts)
    });
    let looked_at: Vec<_> = looked_at.collect();
    let failed = looked_at.iter().any(|(_, facts)| facts.is_err());
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

fn say(
    options: &Show,
    looked_at: &[(&Path, Result<Facts, String>)],
    out: &mut impl Write,
) -> io::Result<()> {
    if options.json {
        let row = |(path, facts): &'_ (&Path, Result<Facts, String>)| match facts {
            Ok(facts) => serde_json::to_value(Row::Known(facts)),
            Err(error) => {
                serde_json::to_value(Row::Unknown { file: path.display().to_string(), error })
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
