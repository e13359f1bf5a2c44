//! `diesis sounds`, as typed arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::sounds::Extent;

/// Questions about sound files.
#[derive(Debug, Subcommand)]
pub(crate) enum Sounds {
    /// Say what is in sound files, and whether Asterisk plays them; draw one
    Show(Show),
    /// Say what is missing in a directory of prompts, and what is wrong with those that are there
    Check(Check),
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
    /// Draw its outline and its frequencies into a PNG file
    #[arg(long, value_name = "FILE", help_heading = "Picture of one file")]
    pub(crate) png: Option<PathBuf>,
    /// Draw them into an SVG file
    #[arg(long, value_name = "FILE", help_heading = "Picture of one file")]
    pub(crate) svg: Option<PathBuf>,
    /// Pixels of the picture
    #[arg(
        long,
        value_name = "WIDTHxHEIGHT",
        value_parser = extent,
        default_value = "1200x700",
        help_heading = "Picture of one file"
    )]
    pub(crate) size: Extent,
}

/// Prompts to check.
#[derive(Debug, Args)]
#[command(after_help = "\
A directory of languages (en, fr_CA, ...) is checked language by language, each against English if that is
there; any other directory as one set; a configuration directory by its sounds/.

Exit codes: 0 nothing is wrong, 1 something is, 2 there is nothing to check. Prompts that the other set
does not have are named, and are not wrong.")]
pub(crate) struct Check {
    /// The directory: prompts, or a directory of languages
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// What should be there: a language beside or below DIR or inside the binary, or a directory
    #[arg(long, value_name = "LANGUAGE|DIR")]
    pub(crate) against: Option<String>,
    /// For programs: a JSON list with an object for each language
    #[arg(long)]
    pub(crate) json: bool,
}

fn extent(text: &str) -> Result<Extent, String> {
    let sides = text.split_once('x').and_then(|(width, height)| {
        let [width, height] = [width, height].map(|it| it.parse::<usize>().ok());
        let (width, height) = (width?, height?);
        let fits = (480..=8192).contains(&width) && (320..=8192).contains(&height);
        fits.then_some(Extent { width, height })
    });
    sides.ok_or_else(|| "expected WIDTHxHEIGHT from 480x320 to 8192x8192".to_owned())
}
