//! `diesis convert`, as typed arguments.

pub(crate) mod signal;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::signal::Signal;

/// Sound files in, sound files out.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The sound to convert
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// What to make of it; the extension says how it is stored: wav, wav16, sln, sln16, ulaw...
    #[arg(value_name = "OUT", required = true)]
    pub(crate) outputs: Vec<PathBuf>,
    /// Samples a second [default: what the extension stands for, 8000 for wav]
    #[arg(short, long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(1000..=768_000))]
    pub(crate) rate: Option<u32>,
    /// How a sample of a WAV file is stored
    #[arg(short, long, value_name = "BITS", value_enum)]
    pub(crate) bits: Option<Bits>,
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
    /// Say nothing but what went wrong
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

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
