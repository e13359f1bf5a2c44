//! What is done to the samples on their way, as typed arguments.

use clap::{Args, ValueEnum};

/// Treatments of the sound.
#[derive(Debug, Args)]
pub(crate) struct Signal {
    /// How the filter for another rate rings around sharp sounds
    #[arg(long, value_enum, default_value_t = PhaseChoice::Linear)]
    pub(crate) phase: PhaseChoice,
}

/// How a filter rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PhaseChoice {
    /// Before and after alike, no frequency later than another
    Linear,
    /// Little before, more after: what `sox` does with `rate -I`
    Intermediate,
    /// Only after
    Minimum,
}
