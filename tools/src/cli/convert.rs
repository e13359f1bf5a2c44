//! `diesis convert`, as typed arguments.

pub(crate) mod signal;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::signal::Signal;
use super::headerless::Headerless;

/// Sound files in, sound files out.
#[derive(Debug, Args)]
#[command(override_usage = "\
diesis convert [OPTIONS] IN OUT...
       diesis convert [OPTIONS] IN... --into DIR [--to EXT,...]")]
#[command(after_help = "\
What comes out is what Asterisk plays: 8 kHz, 16 bits, mono, with nothing left above 4 kHz. What an
input is, its contents tell; what an output is, its extension.

Many files: each IN is a file, a directory, whose tree is kept, or a pattern in quotes, which keeps the
tree from its first wildcard on: * ? [a-z] {a,b}, and ** for any directories. Hidden files and what DIR
holds are left out, what is no sound is passed over. What is as it should be is not made again: DIR keeps
a list (.diesis-convert.json) of what was made from what, and how. Ctrl-C leaves no half files.

Exit codes: 0 all is made, 1 something failed, 2 what is asked for can not be and nothing was done,
130 stopped by Ctrl-C.

Examples:
  diesis convert announcement.wav menu.wav                      8 kHz, 16 bits, mono
  diesis convert studio.wav menu.wav menu.sln16 menu.ulaw       several at once
  diesis convert loud.wav menu.wav --guard                      as quiet as it takes, instead of cut
  diesis convert recordings --into /var/lib/asterisk/sounds/en  a directory with all below it
  diesis convert 'in/**/*.mp3' --into out --to wav,ulaw,sln16   three files of each
  diesis convert recordings --into out --dry-run                only say what would be done")]
pub(crate) struct Convert {
    /// The sound, then what to make of it; the extension says how it is stored: wav, wav16, sln, sln16, ulaw...
    #[arg(value_name = "IN OUT", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Convert all that is named, files, directories and patterns, into this directory
    #[arg(long, short = 'o', value_name = "DIR", help_heading = "Many files")]
    pub(crate) into: Option<PathBuf>,
    /// What to make of each, by extension; several with commas
    #[arg(
        long,
        value_name = "EXT",
        value_delimiter = ',',
        default_value = "wav",
        help_heading = "Many files"
    )]
    pub(crate) to: Vec<String>,
    /// Make everything, also what is as it should be
    #[arg(long, short, help_heading = "Many files")]
    pub(crate) force: bool,
    /// How many files at one time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Many files")]
    pub(crate) threads: Option<usize>,
    /// Say what would be done, write nothing
    #[arg(long, short = 'n', help_heading = "Many files")]
    pub(crate) dry_run: bool,
    /// Tell of files that are passed over, too
    #[arg(long, short, conflicts_with = "quiet", help_heading = "Many files")]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) headerless: Headerless,
    /// Samples a second [default: what the extension stands for, 8000 for wav]
    #[arg(short, long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(1000..=768_000))]
    pub(crate) rate: Option<u32>,
    /// How a sample of a WAV file is stored
    #[arg(short, long, value_name = "BITS", value_enum)]
    pub(crate) bits: Option<Bits>,
    /// How the sound of a WAV file is coded, instead of as numbers
    #[arg(short, long, value_enum, conflicts_with = "bits")]
    pub(crate) encoding: Option<WavEncoding>,
    /// Which channels to make
    #[arg(short, long, value_enum, default_value_t = ChannelChoice::Mono)]
    pub(crate) channels: ChannelChoice,
    /// Louder or quieter by so many decibels
    #[arg(short, long, value_name = "DB", default_value_t = 0.0, allow_negative_numbers = true)]
    pub(crate) gain: f32,
    /// Make a sound that would be too loud as quiet as it takes, instead of cutting it
    #[arg(long)]
    pub(crate) guard: bool,
    #[command(flatten)]
    pub(crate) signal: Signal,
    /// Round without noise
    #[arg(long)]
    pub(crate) no_dither: bool,
    /// Write what was done as JSON, loudness included, which is measured for it; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Say nothing but what went wrong
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl Convert {
    /// Whether standard output is for JSON.
    pub(crate) fn tells_programs(&self) -> bool {
        self.json.as_deref().is_some_and(|place| place.as_os_str() == "-")
    }

    /// Whether there is an option that one file has no use for.
    pub(crate) fn asks_for_a_batch(&self) -> bool {
        self.to != ["wav"] || self.force || self.threads.is_some() || self.dry_run || self.verbose
    }
}

fn threads(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|threads| (1..=MOST_THREADS).contains(threads))
        .ok_or_else(|| format!("expected a number from 1 to {MOST_THREADS}"))
}

/// More than this many threads are a slip of the finger.
const MOST_THREADS: usize = 1024;

/// How a sample of a WAV file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bits {
    /// 16 bits, what Asterisk plays
    #[value(name = "16")]
    Sixteen,
    /// 24 bits
    #[value(name = "24")]
    TwentyFour,
    /// 32 bits of float
    #[value(name = "float")]
    Float,
}

/// How the sound of a WAV file is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WavEncoding {
    /// G.711 µ-law
    Ulaw,
    /// G.711 A-law
    Alaw,
    /// GSM 06.10, 8 kHz mono, what Asterisk plays as .WAV
    Gsm,
}

/// Which channels are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChannelChoice {
    /// One: the mean of all
    Mono,
    /// One: the first of the input
    Left,
    /// One: the second of the input
    Right,
    /// Two
    Stereo,
}
