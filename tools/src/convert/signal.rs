//! What is asked for on the command line to what is done to the samples.

use diesis_sounds::convert::Conversion;
use diesis_sounds::rate::Phase;

use crate::cli::convert::signal::{PhaseChoice, Signal};

impl Signal {
    /// Adds the treatments that are asked for.
    pub(crate) fn asked(&self, conversion: Conversion) -> Conversion {
        let phase = match self.phase {
            PhaseChoice::Linear => Phase::Linear,
            PhaseChoice::Intermediate => Phase::Intermediate,
            PhaseChoice::Minimum => Phase::Minimum,
        };
        Conversion { phase, ..conversion }
    }
}
