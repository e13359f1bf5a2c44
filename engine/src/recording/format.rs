//! How a recording is stored, by the extension of its file.

use bstr::ByteSlice;
use diesis_sounds::format::{Format, raw::Encoding};
#[cfg(feature = "net")]
use diesis_sounds::gsm::{self, microsoft};

/// How samples lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// RIFF WAVE, 16 bits a sample.
    Wav,
    /// Samples alone.
    Raw(Encoding),
    /// Frames of GSM 06.10, one after the other.
    Gsm,
    /// RIFF WAVE, pairs of such frames: Asterisk's `WAV` and `wav49`.
    WavGsm,
}

/// Why there is no recording in a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// No format has this extension, or it holds no sound that is read here.
    #[error("this engine has no such file format; it writes wav, sln, ulaw, alaw, gsm and WAV")]
    Unknown,
    /// The rate of the format is not that of calls.
    #[error("calls are recorded at 8000 samples a second, and this format has another rate")]
    OtherRate,
}

impl FileFormat {
    /// The format that an extension stands for.
    ///
    /// # Errors
    /// When recordings are not written so.
    pub fn from_extension(extension: &[u8]) -> Result<Self, FormatError> {
        if extension == b"WAV" || extension.eq_ignore_ascii_case(b"wav49") {
            return Ok(Self::WavGsm);
        }
        // Asterisk's name of the encoding, which is no extension.
        let extension = match extension.to_ascii_lowercase().as_slice() {
            b"pcmu" | b"g711u" => b"ulaw".as_slice().to_owned(),
            b"pcma" | b"g711a" => b"alaw".as_slice().to_owned(),
            b"slin" => b"sln".as_slice().to_owned(),
            other => other.to_owned(),
        };
        let known = extension.to_str().ok().and_then(Format::from_extension);
        match known.ok_or(FormatError::Unknown)? {
            Format::Gsm => Ok(Self::Gsm),
            Format::Wav if extension == b"wav16" => Err(FormatError::OtherRate),
            Format::Wav => Ok(Self::Wav),
            Format::Raw { rate, .. } if rate != 8000 => Err(FormatError::OtherRate),
            Format::Raw { encoding, .. } => Ok(Self::Raw(encoding)),
        }
    }

    /// The least that is written: octets of each channel, and how many samples they stand for.
    #[cfg(feature = "net")]
    pub(crate) const fn unit(self) -> (u64, u64) {
        match self {
            Self::Wav | Self::Raw(Encoding::Linear) => (2, 1),
            Self::Raw(Encoding::Ulaw | Encoding::Alaw) => (1, 1),
            Self::Gsm => (gsm::OCTETS as u64, gsm::SAMPLES as u64),
            Self::WavGsm => (microsoft::PAIR_OCTETS as u64, 2 * gsm::SAMPLES as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_known_by_their_usual_names() {
        for (extension, expected) in [
            ("wav", Ok(FileFormat::Wav)),
            ("WAV", Ok(FileFormat::WavGsm)),
            ("wav49", Ok(FileFormat::WavGsm)),
            ("ulaw", Ok(FileFormat::Raw(Encoding::Ulaw))),
            ("pcmu", Ok(FileFormat::Raw(Encoding::Ulaw))),
            ("alaw", Ok(FileFormat::Raw(Encoding::Alaw))),
            ("sln", Ok(FileFormat::Raw(Encoding::Linear))),
            ("raw", Ok(FileFormat::Raw(Encoding::Linear))),
            ("sln16", Err(FormatError::OtherRate)),
            ("wav16", Err(FormatError::OtherRate)),
            ("gsm", Ok(FileFormat::Gsm)),
            ("mp3", Err(FormatError::Unknown)),
            ("", Err(FormatError::Unknown)),
        ] {
            assert_eq!(FileFormat::from_extension(extension.as_bytes()), expected, "{extension}");
        }
    }
}
