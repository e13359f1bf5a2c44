//! Sounds read piece by piece: any length in little memory.

pub mod channels;
pub mod coded;
pub(crate) mod riff;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use self::channels::Channels;
use self::coded::Coding;
use self::riff::HeaderError;
use crate::error::SoundError;
use crate::format::Format;
use crate::gsm::{self, microsoft};
use crate::pcm::{self, TELEPHONE_RATE};
use crate::sound::Sound;

/// How samples lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// One after the other, channel by channel.
    Each(Coding),
    /// Frames of GSM 06.10, one channel.
    Gsm,
    /// Pairs of them, as they lie in WAV files.
    GsmPairs,
}

impl Packing {
    /// Bytes that are decoded together, and the frames in them.
    fn unit(self, channels: u16) -> (usize, usize) {
        match self {
            Self::Each(coding) => (coding.width() * usize::from(channels), 1),
            Self::Gsm => (gsm::OCTETS, gsm::SAMPLES),
            Self::GsmPairs => (microsoft::PAIR_OCTETS, 2 * gsm::SAMPLES),
        }
    }
}

/// Where in a file the samples are, and what they mean.
#[derive(Debug, Clone, Copy)]
struct Layout {
    packing: Packing,
    channels: u16,
    rate: u32,
    start: u64,
    /// Bytes.
    len: u64,
}

/// What a sound is before it is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Frames a second.
    pub rate: u32,
    /// Samples a frame.
    pub channels: u16,
    /// How many bits a linear sample needs to be the same again.
    pub precision: u32,
    /// How its samples are stored.
    pub coding: &'static str,
    /// Frames in all, where the file tells.
    pub frames: Option<u64>,
}

/// A sound that is being read.
pub struct Reader<R = File> {
    input: R,
    path: PathBuf,
    layout: Layout,
    /// Bytes that are still to come.
    left: u64,
    bytes: Vec<u8>,
    /// What the last read left: less than a frame.
    rest: usize,
    frames: Vec<f32>,
    gsm: gsm::Decoder,
    /// What it gave.
    linear: Vec<i16>,
}

fn extension_of(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().into_owned()
}

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

impl Reader {
    /// Opens a file. Its contents tell what it is; where they do not, its extension.
    pub fn open(path: &Path) -> Result<Self, SoundError> {
        let io = |error| SoundError::io(path, error);
        // Before it is opened: a pipe would block.
        if !fs::metadata(path).map_err(io)?.is_file() {
            return Err(SoundError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(io)?;
        Self::with_format(file, path, Format::from_extension(&extension_of(path)))
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Reads from the beginning of an input that is of this format if its contents do not say
    /// otherwise; `path` is for messages.
    pub(crate) fn with_format(
        mut input: R,
        path: &Path,
        format: Option<Format>,
    ) -> Result<Self, SoundError> {
        let refused = |error| match error {
            HeaderError::Sound(error) => error,
            HeaderError::Io(error) => SoundError::io(path, error),
        };
        let io = |error| SoundError::io(path, error);
        let magic = riff::up_to(&mut input, riff::MAGIC).map_err(io)?;
        let layout = if riff::is_riff(&magic) || format == Some(Format::Wav) {
            riff::scan(&mut input).map_err(refused)?
        } else {
            let (packing, rate) = match format {
                Some(Format::Raw { encoding, rate }) => (Packing::Each(encoding.coding()), rate),
                Some(_) => (Packing::Gsm, TELEPHONE_RATE),
                None => return Err(SoundError::UnknownFormat { extension: extension_of(path) }),
            };
            let len = input.seek(SeekFrom::End(0)).map_err(io)?;
            Layout { packing, channels: 1, rate, start: 0, len }
        };
        input.seek(SeekFrom::Start(layout.start)).map_err(io)?;
        let left = layout.len;
        let path = path.to_owned();
        let (bytes, frames) = (vec![0; PIECE], Vec::new());
        let (gsm, linear) = (gsm::Decoder::new(), Vec::new());
        Ok(Self { input, path, layout, left, bytes, rest: 0, frames, gsm, linear })
    }

    /// What is read.
    #[must_use]
    pub fn spec(&self) -> Spec {
        let Layout { packing, channels, rate, len, .. } = self.layout;
        let (bytes, frames) = packing.unit(channels);
        let (precision, coding) = match packing {
            Packing::Each(coding) => (coding.precision(), coding.name()),
            Packing::Gsm | Packing::GsmPairs => (16, "GSM 06.10"),
        };
        let frames = Some(len / bytes as u64 * frames as u64);
        Spec { rate, channels, precision, coding, frames }
    }

    /// Appends the next samples to each wanted channel, full scale as 1. Returns how many; 0 at the
    /// end.
    pub fn read(&mut self, wanted: Channels, out: &mut [Vec<f32>]) -> Result<usize, SoundError> {
        let Layout { packing, channels, .. } = self.layout;
        let (unit, frames) = packing.unit(channels);
        if self.bytes.len() < unit {
            // 65,535 channels of 8 bytes are half a megabyte.
            self.bytes.resize(unit, 0);
        }
        let mut filled = self.rest;
        while filled < unit && self.left > 0 {
            let most = usize::try_from(self.left).unwrap_or(usize::MAX);
            let space = &mut self.bytes[filled..];
            let space_len = space.len().min(most);
            match self.input.read(&mut space[..space_len]) {
                Ok(0) => self.left = 0,
                Ok(len) => {
                    filled += len;
                    self.left -= len as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SoundError::io(&self.path, error)),
            }
        }
        let units = filled / unit;
        let whole = units * unit;
        self.frames.resize(units * frames * usize::from(channels), 0.0);
        match packing {
            Packing::Each(coding) => coding.decode(&self.bytes[..whole], &mut self.frames),
            Packing::Gsm => self.decode_gsm(whole, <[_]>::to_vec),
            Packing::GsmPairs => self.decode_gsm(whole, |pairs| {
                let pairs = pairs.as_chunks().0.iter().map(microsoft::unpack);
                pairs.flatten().flatten().collect()
            }),
        }
        self.bytes.copy_within(whole..filled, 0);
        self.rest = filled - whole;
        wanted.mix(&self.frames, channels, out);
        Ok(units * frames)
    }
}

impl<R> Reader<R> {
    /// Decodes the frames that `unpack` makes of the first bytes of the piece.
    fn decode_gsm(&mut self, whole: usize, unpack: impl Fn(&[u8]) -> Vec<u8>) {
        self.linear.resize(self.frames.len(), 0);
        self.gsm.decode_into(&unpack(&self.bytes[..whole]), &mut self.linear);
        for (out, &sample) in self.frames.iter_mut().zip(&self.linear) {
            *out = pcm::to_f32(sample);
        }
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Reads all of it, as mono of 16 bits.
    pub(crate) fn into_sound(mut self) -> Result<Sound, SoundError> {
        let (mut mono, mut samples) = ([Vec::new()], Vec::new());
        while self.read(Channels::Mean, &mut mono)? > 0 {
            samples.extend(mono[0].drain(..).map(pcm::from_f32));
        }
        Ok(Sound { samples, rate: self.layout.rate })
    }
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).field("layout", &self.layout).finish()
    }
}
