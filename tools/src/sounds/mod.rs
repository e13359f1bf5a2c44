//! `diesis sounds`: looks at sound files.

mod asterisk;
mod bandwidth;
mod check;
mod container;
mod detail;
mod facts;
mod noise;
mod picture;
mod shell;
mod show;

use std::process::ExitCode;

pub(crate) use self::picture::Extent;
use crate::cli::sounds::Sounds;

/// Runs the command. The exit code is 0 when all is said, 1 when a file could not be read, 2 when
/// what is asked for can't be.
pub(crate) fn run(question: &Sounds) -> ExitCode {
    match question {
        Sounds::Show(options) => show::run(options),
        Sounds::Check(options) => check::run(options),
    }
}
