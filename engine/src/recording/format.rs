//! How a recording is stored, by the extension of its file.

use bstr::ByteSlice;
use diesis_sounds::convert::target::Target;

/// Why there is no recording in a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// No format has this extension, or none that sounds are written in here.
    #[error(
        "this engine has no such file format; it writes wav, wav16, sln, sln16 and its kin, ulaw, alaw, gsm, WAV, g722 and vox"
    )]
    Unknown,
}

/// What recordings with an extension are: one channel of it.
///
/// # Errors
/// When recordings are not written so.
pub fn format_of(extension: &[u8]) -> Result<Target, FormatError> {
    // Asterisk's names of the encodings, which are no extensions.
    let known = match extension.to_ascii_lowercase().as_slice() {
        b"pcmu" | b"g711u" => b"ulaw".to_vec(),
        b"pcma" | b"g711a" => b"alaw".to_vec(),
        [b's', b'l', b'i', b'n', rate @ ..] => [b"sln", rate].concat(),
        _ => extension.to_owned(),
    };
    let known = known.to_str().map_err(|_| FormatError::Unknown)?;
    Target::from_extension(known).map_err(|_| FormatError::Unknown)
}

#[cfg(test)]
mod tests {
    use diesis_sounds::{coding::Coding, convert::target::Container};

    use super::*;

    #[test]
    fn extensions_are_known_by_their_usual_names() {
        use Container::{Raw, Wav};
        for (extension, container, coding, rate) in [
            ("wav", Wav, Coding::LINEAR, 8000),
            ("wav16", Wav, Coding::LINEAR, 16_000),
            ("WAV", Wav, Coding::GsmPairs, 8000),
            ("wav49", Wav, Coding::GsmPairs, 8000),
            ("ulaw", Raw, Coding::Ulaw, 8000),
            ("pcmu", Raw, Coding::Ulaw, 8000),
            ("alaw", Raw, Coding::Alaw, 8000),
            ("sln", Raw, Coding::LINEAR, 8000),
            ("raw", Raw, Coding::LINEAR, 8000),
            ("sln16", Raw, Coding::LINEAR, 16_000),
            ("slin24", Raw, Coding::LINEAR, 24_000),
            ("slin48", Raw, Coding::LINEAR, 48_000),
            ("gsm", Raw, Coding::Gsm, 8000),
            ("g722", Raw, Coding::G722, 16_000),
        ] {
            let expected = Target { container, coding, rate, channels: 1 };
            assert_eq!(format_of(extension.as_bytes()), Ok(expected), "{extension}");
        }
        for extension in ["mp3", "aiff", "", "\u{fffd}"] {
            assert_eq!(format_of(extension.as_bytes()), Err(FormatError::Unknown), "{extension}");
        }
        assert_eq!(format_of(b"\xff"), Err(FormatError::Unknown));
    }
}
