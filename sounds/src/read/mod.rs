//! Sounds read piece by piece: any length in little memory.

pub mod channels;
pub mod coded;
mod packed;
pub(crate) mod riff;
mod source;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use self::channels::Channels;
use self::packed::{Layout, Packed, Packing};
use self::source::{ReadError, Source};
use crate::error::SoundError;
use crate::format::Format;
use crate::pcm::{self, TELEPHONE_RATE};
use crate::sound::Sound;

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
pub struct Reader<'a> {
    source: Box<dyn Source + 'a>,
    path: PathBuf,
    frames: Vec<f32>,
}

impl Reader<'_> {
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

impl<'a> Reader<'a> {
    /// Reads from the beginning of an input that is of this format if its contents do not say
    /// otherwise; `path` is for messages.
    pub(crate) fn with_format(
        input: impl Read + Seek + 'a,
        path: &Path,
        format: Option<Format>,
    ) -> Result<Self, SoundError> {
        let source = source(input, path, format).map_err(|error| told(error, path))?;
        Ok(Self { source, path: path.to_owned(), frames: Vec::new() })
    }

    /// What is read.
    #[must_use]
    pub fn spec(&self) -> Spec {
        self.source.spec()
    }

    /// Appends the next samples to each wanted channel, full scale as 1. Returns how many; 0 at the
    /// end.
    pub fn read(&mut self, wanted: Channels, out: &mut [Vec<f32>]) -> Result<usize, SoundError> {
        let channels = self.spec().channels;
        let frames = self.frames()?;
        wanted.mix(frames, channels, out);
        Ok(frames.len() / usize::from(channels))
    }

    /// The next frames as they are: samples of all channels by turns, full scale as 1. None at the
    /// end.
    pub fn frames(&mut self) -> Result<&[f32], SoundError> {
        self.source.read(&mut self.frames).map_err(|error| told(error, &self.path))?;
        Ok(&self.frames)
    }

    /// Reads all of it, as mono of 16 bits.
    pub(crate) fn into_sound(mut self) -> Result<Sound, SoundError> {
        let (mut mono, mut samples) = ([Vec::new()], Vec::new());
        while self.read(Channels::Mean, &mut mono)? > 0 {
            samples.extend(mono[0].drain(..).map(pcm::from_f32));
        }
        Ok(Sound { samples, rate: self.spec().rate })
    }
}

/// What reads this input.
fn source<'a>(
    mut input: impl Read + Seek + 'a,
    path: &Path,
    format: Option<Format>,
) -> Result<Box<dyn Source + 'a>, ReadError> {
    let magic = riff::up_to(&mut input, riff::MAGIC)?;
    let layout = if riff::is_riff(&magic) || format == Some(Format::Wav) {
        riff::scan(&mut input)?
    } else {
        let (packing, rate) = match format {
            Some(Format::Raw { encoding, rate }) => (Packing::Each(encoding.coding()), rate),
            Some(_) => (Packing::Gsm, TELEPHONE_RATE),
            None => return Err(SoundError::UnknownFormat { extension: extension_of(path) }.into()),
        };
        let len = input.seek(SeekFrom::End(0))?;
        Layout { packing, channels: 1, rate, start: 0, len }
    };
    Ok(Box::new(Packed::new(input, layout)?))
}

fn told(error: ReadError, path: &Path) -> SoundError {
    match error {
        ReadError::Sound(error) => error,
        ReadError::Io(error) => SoundError::io(path, error),
    }
}

fn extension_of(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().into_owned()
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).field("spec", &self.spec()).finish()
    }
}
