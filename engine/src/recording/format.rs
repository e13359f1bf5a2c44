//! How a recording is stored, by the extension of its file.

use bstr::ByteSlice;
#[cfg(feature = "net")]
use diesis_sounds::gsm::{self, microsoft};
use diesis_sounds::{
    format::{Format, raw::Encoding},
    pcm::TELEPHONE_RATE,
};

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
    #[error(
        "this engine has no such file format; it writes wav, wav16, sln, sln16 and its kin, ulaw, alaw, gsm and WAV"
    )]
    Unknown,
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
        match format_of(extension).ok_or(FormatError::Unknown)? {
            Format::Gsm => Ok(Self::Gsm),
            Format::Wav => Ok(Self::Wav),
            Format::Raw { encoding, .. } => Ok(Self::Raw(encoding)),
        }
    }

    /// Samples a second of a file with that extension.
    pub fn rate_of(extension: &[u8]) -> u32 {
        match format_of(extension) {
            Some(Format::Raw { rate, .. }) => rate,
            _ if extension.eq_ignore_ascii_case(b"wav16") => 16_000,
            _ => TELEPHONE_RATE,
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

fn format_of(extension: &[u8]) -> Option<Format> {
    // Asterisk's names of the encodings, which are no extensions.
    let extension = match extension.to_ascii_lowercase().as_slice() {
        b"pcmu" | b"g711u" => b"ulaw".to_vec(),
        b"pcma" | b"g711a" => b"alaw".to_vec(),
        [b's', b'l', b'i', b'n', rate @ ..] => [b"sln", rate].concat(),
        other => other.to_owned(),
    };
    Format::from_extension(extension.to_str().ok()?)
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
            ("sln16", Ok(FileFormat::Raw(Encoding::Linear))),
            ("slin48", Ok(FileFormat::Raw(Encoding::Linear))),
            ("wav16", Ok(FileFormat::Wav)),
            ("gsm", Ok(FileFormat::Gsm)),
            ("mp3", Err(FormatError::Unknown)),
            ("", Err(FormatError::Unknown)),
        ] {
            assert_eq!(FileFormat::from_extension(extension.as_bytes()), expected, "{extension}");
        }
        for (extension, rate) in
            [("wav", 8000), ("wav16", 16_000), ("sln", 8000), ("slin24", 24_000), ("sln48", 48_000)]
        {
            assert_eq!(FileFormat::rate_of(extension.as_bytes()), rate, "{extension}");
        }
    }
}
