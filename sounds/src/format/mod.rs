//! Which layout a file has, by its extension as Asterisk names them; the readers behind it.

pub mod raw;
pub mod wav;
pub mod wav_header;

use std::io::Cursor;
use std::path::Path;

use crate::coding::Coding;
use crate::error::SoundError;
use crate::read::Reader;
use crate::sound::Sound;

/// Layout of a sound file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RIFF; rate, channels and encoding are in the file.
    Wav,
    /// AIFF or AIFF-C; the same is in the file.
    Aiff,
    /// AU, also called SND; the same is in the file.
    Au,
    /// Compressed sound, or sound in a container that says what it is.
    Compressed(Container),
    /// Samples only, of one channel; everything else is known from the extension.
    Raw {
        /// How they are stored.
        coding: Coding,
        /// Samples a second.
        rate: u32,
    },
}

/// What compressed sound comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// Frames of FLAC.
    Flac,
    /// Vorbis, Opus or FLAC.
    Ogg,
    /// Frames of MPEG audio: MP3, and layers 1 and 2.
    Mpeg,
    /// Frames of AAC.
    Adts,
    /// MP4 and M4A: AAC, ALAC, MP3, Opus, FLAC.
    Mp4,
    /// Core Audio: PCM, ALAC, AAC.
    Caf,
    /// Matroska and WebM: all of these.
    Matroska,
}

impl Container {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flac => "FLAC",
            Self::Ogg => "Ogg",
            Self::Mpeg => "MPEG audio",
            Self::Adts => "AAC",
            Self::Mp4 => "MP4",
            Self::Caf => "CAF",
            Self::Matroska => "Matroska",
        }
    }
}

impl Format {
    /// The format that an extension (without dot, any case) stands for.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        let row = EXTENSIONS.iter().find(|row| row.0.eq_ignore_ascii_case(extension));
        row.map(|row| row.1)
    }

    /// Reads a whole file's bytes as this format.
    ///
    /// Raw files that begin with a RIFF header are read as WAV: they come from tools that were
    /// told the wrong format, and played raw the header is a thump.
    pub fn parse(self, bytes: &[u8]) -> Result<Sound, SoundError> {
        Reader::with_format(Cursor::new(bytes), Path::new(""), Some(self))?.into_sound()
    }
}

/// Extensions and what they stand for, in the order in which they are looked for when a prompt
/// exists in several: the original before its telephone copies, 8 kHz before other rates, what has to
/// be decompressed last.
pub const EXTENSIONS: &[(&str, Format)] = &[
    ("wav", Format::Wav),
    ("sln", linear(8000)),
    ("raw", linear(8000)),
    ("sln8", linear(8000)),
    ("ulaw", ULAW),
    ("alaw", ALAW),
    ("ul", ULAW),
    ("al", ALAW),
    ("mu", ULAW),
    ("pcm", ULAW),
    ("ulw", ULAW),
    ("alw", ALAW),
    ("gsm", raw_of(Coding::Gsm, 8000)),
    ("g722", raw_of(Coding::G722, 16_000)),
    ("WAV", Format::Wav),
    ("wav49", Format::Wav),
    ("wav16", Format::Wav),
    ("sln16", linear(16_000)),
    ("sln12", linear(12_000)),
    ("sln24", linear(24_000)),
    ("sln32", linear(32_000)),
    ("sln44", linear(44_100)),
    ("sln48", linear(48_000)),
    ("sln96", linear(96_000)),
    ("sln192", linear(192_000)),
    ("vox", raw_of(Coding::Dialogic, 8000)),
    ("au", Format::Au),
    ("snd", Format::Au),
    ("aiff", Format::Aiff),
    ("aif", Format::Aiff),
    ("aifc", Format::Aiff),
    ("w64", Format::Wav),
    ("rf64", Format::Wav),
    ("flac", Format::Compressed(Container::Flac)),
    ("mp3", Format::Compressed(Container::Mpeg)),
    ("ogg", Format::Compressed(Container::Ogg)),
    ("oga", Format::Compressed(Container::Ogg)),
    ("opus", Format::Compressed(Container::Ogg)),
    ("m4a", Format::Compressed(Container::Mp4)),
    ("mp4", Format::Compressed(Container::Mp4)),
    ("aac", Format::Compressed(Container::Adts)),
    ("caf", Format::Compressed(Container::Caf)),
    ("mka", Format::Compressed(Container::Matroska)),
    ("mkv", Format::Compressed(Container::Matroska)),
    ("webm", Format::Compressed(Container::Matroska)),
    ("mp2", Format::Compressed(Container::Mpeg)),
];

/// The same for messages.
pub(crate) const KNOWN_EXTENSIONS: &str = "wav, wav16, sln (raw, sln8, sln12, sln16, sln24, sln32, sln44, sln48, sln96, sln192), ulaw \
     (ul, mu, ulw, pcm), alaw (al, alw), gsm, WAV (wav49), g722, vox, au (snd), aiff (aif, aifc), w64, rf64, flac, \
     mp3 (mp2), ogg (oga, opus), m4a (mp4), aac, caf, mka (mkv, webm)";

const ULAW: Format = raw_of(Coding::Ulaw, 8000);
const ALAW: Format = raw_of(Coding::Alaw, 8000);

const fn linear(rate: u32) -> Format {
    raw_of(Coding::LINEAR, rate)
}

const fn raw_of(coding: Coding, rate: u32) -> Format {
    Format::Raw { coding, rate }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gsm;

    #[test]
    fn extensions_are_known_in_any_case_and_each_once() {
        assert_eq!(Format::from_extension("WAV"), Some(Format::Wav));
        assert_eq!(Format::from_extension("sln16"), Some(linear(16_000)));
        assert_eq!(Format::from_extension("ul"), Some(ULAW));
        assert_eq!(Format::from_extension("mp3"), Some(Format::Compressed(Container::Mpeg)));
        assert_eq!(Format::from_extension("doc"), None);
        assert_eq!(Format::from_extension(""), None);
        for (index, (name, _)) in EXTENSIONS.iter().enumerate() {
            assert!(EXTENSIONS[..index].iter().all(|row| row.0 != *name), "{name}");
            assert!(KNOWN_EXTENSIONS.contains(name), "{name}");
        }
    }

    #[test]
    fn a_gsm_file_is_its_frames_one_after_the_other() {
        let sine = |n: usize| (8000.0 * (n as f64 * 0.3).sin()) as i16;
        let samples: Vec<i16> = (0..8000).map(sine).collect();
        let mut file = vec![0; 50 * gsm::OCTETS];
        gsm::Encoder::new().encode_into(&samples, &mut file);
        // Half a frame at the end is none.
        file.extend([0xd0; 10]);
        let sound = Format::from_extension("gsm").unwrap().parse(&file).unwrap();
        assert_eq!((sound.rate, sound.samples.len()), (8000, 8000));
        let loudest = sound.samples[800..].iter().max().unwrap();
        assert!((6500..9500).contains(loudest), "{loudest}");
    }

    #[test]
    fn a_raw_file_with_a_riff_header_is_read_as_wav() {
        let mut file = Vec::new();
        wav::write_to(&mut Cursor::new(&mut file), 16_000, &[1, 2, 3]).unwrap();
        let sound = linear(8000).parse(&file).unwrap();
        assert_eq!((sound.rate, sound.samples), (16_000, vec![1, 2, 3]));
    }
}
