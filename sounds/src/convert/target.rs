//! Which file is made: container, encoding, rate and channels.

use crate::coding::Coding;
use crate::error::SoundError;
use crate::format::Format;
use crate::pcm::TELEPHONE_RATE;

/// What holds the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// RIFF WAVE with the plainest header there is.
    Wav,
    /// Nothing: the extension alone tells what they are.
    Raw,
}

/// One file to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// What holds the samples.
    pub container: Container,
    /// How they are written: 16 or 24 bits, single precision floats, or a telephone's coding.
    pub coding: Coding,
    /// Frames a second.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
}

impl Default for Target {
    /// What Asterisk plays as `.wav`: 8 kHz, 16 bits, mono.
    fn default() -> Self {
        Self {
            container: Container::Wav,
            coding: Coding::LINEAR,
            rate: TELEPHONE_RATE,
            channels: 1,
        }
    }
}

impl Target {
    /// What an extension (without dot, any case) stands for.
    ///
    /// # Errors
    /// When nothing here is written under it.
    pub fn from_extension(extension: &str) -> Result<Self, SoundError> {
        let unknown = || SoundError::UnknownFormat { extension: extension.to_owned() };
        let wav = Self::default();
        if extension.eq_ignore_ascii_case("wav16") {
            return Ok(Self { rate: 16_000, ..wav });
        }
        // In capitals it is GSM, though it is called a WAV file.
        if extension == "WAV" || extension.eq_ignore_ascii_case("wav49") {
            return Ok(Self { coding: Coding::GsmPairs, ..wav });
        }
        match Format::from_extension(extension).ok_or_else(unknown)? {
            Format::Wav if extension.eq_ignore_ascii_case("wav") => Ok(wav),
            Format::Raw { coding, rate } => {
                Ok(Self { container: Container::Raw, coding, rate, channels: 1 })
            }
            _ => Err(SoundError::NotWritten { extension: extension.to_owned() }),
        }
    }

    /// Whether such sound can be: GSM is one channel of 8 kHz, G.722 one of 16 kHz.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.coding.holds(self.channels) && self.coding.rate().is_none_or(|rate| rate == self.rate)
    }

    /// Bits of the whole numbers that samples become.
    pub(crate) const fn bits(&self) -> u32 {
        match self.coding {
            Coding::Signed24(_) | Coding::Signed32(_) | Coding::Float32(_) | Coding::Float64(_) => {
                24
            }
            Coding::Unsigned8 | Coding::Signed8 => 8,
            _ => 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_mean_what_asterisk_means_by_them() {
        let raw = |coding, rate| Target { container: Container::Raw, coding, rate, channels: 1 };
        let target = |extension| Target::from_extension(extension).ok();
        assert_eq!(target("wav"), Some(Target::default()));
        let gsm = Some(Target { coding: Coding::GsmPairs, ..Target::default() });
        assert_eq!((target("WAV"), target("wav49")), (gsm, gsm));
        assert_eq!(target("wav16"), Some(Target { rate: 16_000, ..Target::default() }));
        assert_eq!(target("sln"), Some(raw(Coding::LINEAR, 8000)));
        assert_eq!(target("sln44"), Some(raw(Coding::LINEAR, 44_100)));
        assert_eq!(target("al"), Some(raw(Coding::Alaw, 8000)));
        for (extension, words) in
            [("aiff", "not written"), ("w64", "not written"), ("xyz", "unknown")]
        {
            let told = Target::from_extension(extension).unwrap_err().to_string();
            assert!(told.contains(words), "{told}");
        }
    }
}
