//! `diesis sounds`, as typed arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Questions about sound files.
#[derive(Debug, Subcommand)]
pub(crate) enum Sounds {
    /// Say what is in sound files, and whether Asterisk plays them; draw one
    Show(Show),
}

/// Files to look at.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The sound files; one is told of in full, several in a line each
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Tell of several files in full, too
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) verbose: bool,
    /// For programs: a JSON list with an object for each file
    #[arg(long)]
    pub(crate) json: bool,
}
