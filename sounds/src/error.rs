//! What can be wrong with a sound or a prompt.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::sound::{MAX_RATE, MIN_RATE};

/// Why a sound could not be read, converted or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoundError {
    /// The file could not be opened, read or written.
    #[error("cannot access sound file {}", path.display())]
    Io {
        /// The file as it was asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory, device or pipe where a file was expected.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path as it was asked for.
        path: PathBuf,
    },
    /// An output that would take the place of what it is made of.
    #[error("{} is the input: name another file for the output", path.display())]
    OverInput {
        /// The path as it was asked for.
        path: PathBuf,
    },
    /// A section that begins behind the end of the sound.
    #[error(
        "nothing is left: the sound ends at {:.3} s, before what is taken of it begins at {:.3} s",
        len.as_secs_f64(), from.as_secs_f64()
    )]
    NothingLeft {
        /// Where the section begins.
        from: Duration,
        /// How long the sound is.
        len: Duration,
    },
    /// Larger than [`MAX_FILE_BYTES`](crate::sound::MAX_FILE_BYTES).
    #[error("sound of {bytes} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// The limit it exceeds.
        limit: u64,
    },
    /// The file's extension names no format known here.
    #[error("unknown sound format \"{extension}\": known are {}", crate::format::KNOWN_EXTENSIONS)]
    UnknownFormat {
        /// The extension without its dot; empty when there is none.
        extension: String,
    },
    /// A format that is read and not written.
    #[error(
        "\"{extension}\" is read and not written: wav, wav16, WAV (wav49), sln, sln8 to sln192, ulaw, alaw, gsm, g722 and vox are"
    )]
    NotWritten {
        /// The extension without its dot.
        extension: String,
    },
    /// A `.wav` that does not begin as a RIFF file.
    #[error("not a WAV file: it does not begin with RIFF and WAVE")]
    NotWav,
    /// A WAV or AIFF file without a chunk that it must have.
    #[error("sound file without a {chunk:?} chunk")]
    MissingChunk {
        /// Name of the chunk.
        chunk: &'static str,
    },
    /// A header that contradicts itself.
    #[error("the sound's header is invalid: {reason}")]
    InvalidFormat {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An encoding of WAV files that is not read.
    #[error("WAV encoding {tag:#06x}{} of {bits} bits is not supported: save it as 16-bit PCM", encoding_name(*tag))]
    UnsupportedEncoding {
        /// Registered format tag.
        tag: u16,
        /// Bits per sample that the file states.
        bits: u16,
    },
    /// A compression of AIFF-C or AU that is not read.
    #[error("{container} encoding {kind} is not supported: save it as 16-bit PCM")]
    UnsupportedCompression {
        /// What holds it.
        container: &'static str,
        /// What the file calls it.
        kind: String,
        /// Bits per sample that the file states, 0 where it does not.
        bits: u16,
    },
    /// A coding that nothing is written with, or not in such a file.
    #[error("{coding} is not written here, or not in such a file")]
    CodingNotWritten {
        /// What it is called.
        coding: &'static str,
    },
    /// A coding that does not hold so many channels.
    #[error("{coding} does not hold {channels} channels")]
    TooManyChannels {
        /// What the coding is called.
        coding: &'static str,
        /// How many were asked for.
        channels: u16,
    },
    /// Compressed sound that can not be decoded.
    #[error("{what} can not be decoded: {reason}")]
    Damaged {
        /// The codec or container.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A container with sound in a codec that is not known here.
    #[error("{container} holds {codec}, which is not supported: save it as WAV or FLAC")]
    UnsupportedCodec {
        /// What kind of file it is.
        container: &'static str,
        /// The codec's name.
        codec: &'static str,
    },
    /// A container without sound, or without any that is known.
    #[error("{container} holds no sound that is known here")]
    NoSound {
        /// What kind of file it is.
        container: &'static str,
    },
    /// More samples than [`MAX_SAMPLES`](crate::sound::MAX_SAMPLES) in a sound that is loaded whole.
    #[error("sound of more than {limit} samples is too long to be loaded")]
    TooLong {
        /// The limit it exceeds.
        limit: usize,
    },
    /// A coding of but one rate and channel, asked for with others.
    #[error("{coding} does not hold {channels} channels of {rate} Hz")]
    ImpossibleTarget {
        /// What the coding is called.
        coding: &'static str,
        /// Samples a second.
        rate: u32,
        /// How many channels.
        channels: u16,
    },
    /// A sample rate outside [`MIN_RATE`]..=[`MAX_RATE`].
    #[error("sample rate of {rate} Hz is not supported")]
    UnsupportedRate {
        /// The rate asked for or stated by the file.
        rate: u32,
    },
    /// An effect can't do what it is asked for with this sound.
    #[error("{effect}: {reason}")]
    Effect {
        /// Its name.
        effect: &'static str,
        /// Why not.
        reason: String,
    },
    /// The resampler refused the two rates.
    #[error("cannot convert {from} Hz to {to} Hz: {reason}")]
    Resample {
        /// Rate of the input.
        from: u32,
        /// Rate wanted.
        to: u32,
        /// The resampler's words.
        reason: String,
    },
}

impl SoundError {
    /// What to do about it, in a sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        let told = match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "check the name and the directory",
                io::ErrorKind::PermissionDenied => {
                    "give yourself the right to it, or convert as a user who has it"
                }
                io::ErrorKind::StorageFull => "free some space, or name another disk",
                _ => "check the disk, and that nothing else changes the file",
            },
            Self::NotAFile { .. } => {
                "name a file, or with `diesis convert --into` a directory whose files are converted"
            }
            Self::OverInput { .. } => "name another file for the output, then move it",
            Self::NothingLeft { .. } => "begin earlier",
            Self::TooLarge { .. } => {
                "cut it into parts, or lower rate, bits or channels of the output"
            }
            Self::UnknownFormat { .. } => {
                "give the file the extension that tells how it is stored, or save it as WAV first"
            }
            Self::NotWritten { .. } => "choose one of the formats that are written",
            Self::NotWav => {
                "if it is sound of another kind, give it the extension of that kind; else save it \
                 anew as WAV"
            }
            Self::MissingChunk { .. } | Self::InvalidFormat { .. } => {
                "the file is damaged or cut off: take it from its source again, or save it anew as \
                 16-bit PCM"
            }
            Self::CodingNotWritten { .. } => "choose another coding or extension",
            Self::ImpossibleTarget { .. } => {
                "make it mono at the rate of the coding: 8000 Hz for GSM, 16000 for G.722"
            }
            Self::TooManyChannels { .. } => "make it mono, or choose another coding",
            Self::UnsupportedEncoding { .. } | Self::UnsupportedCompression { .. } => {
                "open it where it was made and save it as 16-bit PCM"
            }
            Self::Damaged { .. } => {
                "take the file from its source again, or save it anew in the program that plays it"
            }
            Self::UnsupportedCodec { .. } => "save it as WAV or FLAC where it was made",
            Self::NoSound { .. } => {
                "check with a player that there is sound in it, and save that as WAV or FLAC"
            }
            Self::TooLong { .. } => {
                "cut it into parts, or convert it to the rate of the calls with `diesis convert`"
            }
            Self::Effect { .. } => "ask the effect for something that fits this sound",
            Self::UnsupportedRate { .. } | Self::Resample { .. } => {
                return format!(
                    "choose a rate from {MIN_RATE} to {MAX_RATE} Hz; if the file states another, \
                     its header is damaged"
                );
            }
        };
        told.to_owned()
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

/// Names of the tags that operators meet, with a leading blank.
fn encoding_name(tag: u16) -> &'static str {
    match tag {
        0x0001 => " (PCM)",
        0x0002 => " (Microsoft ADPCM)",
        0x0003 => " (float)",
        0x0010 => " (OKI ADPCM)",
        0x0011 => " (IMA ADPCM)",
        0x0014 => " (G.723 ADPCM)",
        0x0017 => " (Dialogic ADPCM)",
        0x0022 => " (TrueSpeech)",
        0x0031 => " (GSM 6.10)",
        0x0050 => " (MPEG)",
        0x0055 => " (MP3)",
        0x0042 => " (G.723.1)",
        0x0045 | 0x0064 | 0x0065 | 0x0140 => " (G.726)",
        0x0083 | 0x0133 => " (G.729)",
        0x0092 => " (AC-3)",
        0x00ff | 0x1600 | 0x1610 => " (AAC)",
        0x0130 => " (ACELP)",
        0x0160..=0x0163 => " (WMA)",
        _ => "",
    }
}
