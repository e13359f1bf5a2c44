//! What is asked for on the command line to what is done to the samples, and what is told of it.

use std::fmt;
use std::time::Duration;

use diesis_sounds::convert::treatment::{Gate, Level, Section, Trim};
use diesis_sounds::convert::{Conversion, Report};
use diesis_sounds::rate::Phase;
use diesis_sounds::signal::decibels;

use crate::cli::convert::signal::{PhaseChoice, Signal};

impl Signal {
    /// What they contradict each other in, where the command line's reader does not see it.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        let from = self.from.unwrap_or_default();
        let nothing = self.until.is_some_and(|until| until <= from);
        nothing.then_some("--until is not after --from: nothing would be left")
    }

    /// Adds the treatments that are asked for.
    pub(crate) fn asked(&self, conversion: Conversion) -> Conversion {
        let from = self.from.unwrap_or_default();
        let phase = match self.phase {
            PhaseChoice::Linear => Phase::Linear,
            PhaseChoice::Intermediate => Phase::Intermediate,
            PhaseChoice::Minimum => Phase::Minimum,
        };
        let level = match (self.loudness, self.peak) {
            (Some(target), _) => {
                Level::Loudness { target, ceiling: self.ceiling.unwrap_or(Level::CEILING) }
            }
            (None, Some(peak)) => Level::Peak(peak),
            (None, None) => Level::Kept,
        };
        Conversion {
            phase,
            level,
            section: Section { from, to: self.until },
            trim: self.trim.map(|threshold| Trim { threshold, ..Trim::default() }),
            pad: self.pad.unwrap_or_default(),
            fade: self.fade.unwrap_or_default(),
            remove_offset: self.dc,
            gate: self.gate.map(Gate::new),
            measure: self.measure,
            ..conversion
        }
    }
}

/// What treatments did, each after a comma; nothing where there were none.
pub(crate) struct Treated<'a>(pub(crate) &'a Report);

impl fmt::Display for Treated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report) = self;
        for (n, made) in report.made.iter().enumerate() {
            let again = n > 0 && report.made[n - 1] == *made;
            if again || report.peak == 0.0 {
                continue;
            }
            if let Some(measured) = made.measured {
                match measured.loudness {
                    Some(loudness) => write!(f, ", {loudness:.1} LUFS")?,
                    None => write!(f, ", below -70 LUFS")?,
                }
                write!(f, ", true peak {:.1} dBFS", decibels(measured.true_peak))?;
            }
            if let Some(ceiling) = made.held {
                write!(f, " (as loud as it gets: the true peak stops at {ceiling} dBFS)")?;
            }
            if made.gain != 1.0 {
                write!(f, ", gain {:+.1} dB", decibels(made.gain.into()))?;
            }
        }
        let trimmed = report.trimmed;
        if trimmed.before + trimmed.after > Duration::ZERO {
            let (before, after) = (trimmed.before.as_secs_f64(), trimmed.after.as_secs_f64());
            write!(f, ", {before:.2} s and {after:.2} s of silence left out")?;
        }
        if report.offset != 0.0 {
            write!(f, ", offset of {:+.2} % removed", 100.0 * report.offset)?;
        }
        Ok(())
    }
}
