//! Which file is made: container, encoding, rate and channels.

use crate::error::SoundError;
use crate::format::{Format, raw};
use crate::pcm::TELEPHONE_RATE;

/// What holds the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// RIFF WAVE with the plainest header there is.
    Wav,
    /// Nothing: the extension alone tells what they are.
    Raw,
}

/// How a sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Two's complement of 16 bits.
    Signed16,
    /// Two's complement of 24 bits in three bytes.
    Signed24,
    /// IEEE 754 single precision, full scale is 1.
    Float32,
    /// G.711 µ-law.
    Ulaw,
    /// G.711 A-law.
    Alaw,
}

impl Encoding {
    /// Bits of the whole numbers that it is made of.
    #[must_use]
    pub(super) const fn bits(self) -> u32 {
        match self {
            Self::Signed24 | Self::Float32 => 24,
            Self::Signed16 | Self::Ulaw | Self::Alaw => 16,
        }
    }

    /// Bytes of a sample.
    pub(super) const fn bytes(self) -> u32 {
        match self {
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Float32 => 4,
            Self::Ulaw | Self::Alaw => 1,
        }
    }
}

/// One file to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// What holds the samples.
    pub container: Container,
    /// How they are written.
    pub encoding: Encoding,
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
            encoding: Encoding::Signed16,
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
        let not_written = || SoundError::NotWritten { extension: extension.to_owned() };
        let wav = Self::default();
        if extension.eq_ignore_ascii_case("wav16") {
            return Ok(Self { rate: 16_000, ..wav });
        }
        match Format::from_extension(extension).ok_or_else(unknown)? {
            // GSM, though it is called a WAV file.
            Format::Wav if extension.eq_ignore_ascii_case("wav49") => Err(not_written()),
            Format::Wav => Ok(wav),
            Format::Gsm => Err(not_written()),
            Format::Raw { encoding, rate } => {
                let encoding = match encoding {
                    raw::Encoding::Linear => Encoding::Signed16,
                    raw::Encoding::Ulaw => Encoding::Ulaw,
                    raw::Encoding::Alaw => Encoding::Alaw,
                };
                Ok(Self { container: Container::Raw, encoding, rate, channels: 1 })
            }
        }
    }

    /// Bytes of a sample of every channel.
    pub(super) fn frame_bytes(&self) -> u32 {
        self.encoding.bytes() * u32::from(self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_mean_what_asterisk_means_by_them() {
        let raw =
            |encoding, rate| Target { container: Container::Raw, encoding, rate, channels: 1 };
        let target = |extension| Target::from_extension(extension).ok();
        assert_eq!(target("wav"), Some(Target::default()));
        assert_eq!(target("WAV"), Some(Target::default()));
        assert_eq!(target("wav16"), Some(Target { rate: 16_000, ..Target::default() }));
        assert_eq!(target("sln"), Some(raw(Encoding::Signed16, 8000)));
        assert_eq!(target("sln44"), Some(raw(Encoding::Signed16, 44_100)));
        assert_eq!(target("al"), Some(raw(Encoding::Alaw, 8000)));
        for (extension, words) in
            [("gsm", "not written"), ("wav49", "not written"), ("mp3", "unknown")]
        {
            let told = Target::from_extension(extension).unwrap_err().to_string();
            assert!(told.contains(words), "{told}");
        }
    }
}
