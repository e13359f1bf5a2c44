//! Sounds read piece by piece: any length in little memory.

mod aiff;
mod au;
pub mod channels;
mod compressed;
mod detect;
mod head;
pub mod input;
mod packed;
pub(crate) mod riff;
mod source;
pub mod warning;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use self::channels::Channels;
use self::compressed::Compressed;
use self::head::Head;
use self::packed::{Layout, Packed};
use self::source::{ReadError, Source};
use self::warning::Warning;
use crate::error::SoundError;
use crate::format::raw::RawLayout;
use crate::format::{Container, Format};
use crate::pcm;
use crate::sound::{MAX_SAMPLES, Sound};

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
        Self::with_format(regular(path)?, path, Format::from_extension(&extension_of(path)))
    }

    /// Opens a file without a header.
    pub fn open_as(path: &Path, layout: RawLayout) -> Result<Self, SoundError> {
        Self::with_layout(regular(path)?, path, layout)
    }
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of an input that is of this format if its contents do not say
    /// otherwise; `path` is for messages.
    pub(crate) fn with_format(
        input: impl Read + Seek + Send + Sync + 'a,
        path: &Path,
        format: Option<Format>,
    ) -> Result<Self, SoundError> {
        let input = Head::new(input).map_err(|error| SoundError::io(path, error))?;
        let source = source(input, path, format).map_err(|error| told(error, path))?;
        Ok(Self { source, path: path.to_owned(), frames: Vec::new() })
    }

    /// The same without a header.
    pub(crate) fn with_layout(
        input: impl Read + Seek + Send + Sync + 'a,
        path: &Path,
        layout: RawLayout,
    ) -> Result<Self, SoundError> {
        let source = packed(input, layout).map_err(|error| SoundError::io(path, error))?;
        Ok(Self { source, path: path.to_owned(), frames: Vec::new() })
    }

    /// What was odd about it; complete when all is read.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        self.source.warnings()
    }

    /// What is read.
    #[must_use]
    pub fn spec(&self) -> Spec {
        self.source.spec()
    }

    /// Appends the next samples to each wanted channel, full scale as 1. Returns how many; 0 at the
    /// end.
    pub fn read(&mut self, wanted: Channels, out: &mut [Vec<f32>]) -> Result<usize, SoundError> {
        let read = self.source.read_channels(wanted, &mut self.frames, out);
        read.map_err(|error| told(error, &self.path))
    }

    /// The next frames as they are: samples of all channels by turns, full scale as 1. None at the
    /// end.
    pub fn frames(&mut self) -> Result<&[f32], SoundError> {
        self.source.read(&mut self.frames).map_err(|error| told(error, &self.path))?;
        Ok(&self.frames)
    }

    /// Appends the next samples to every channel, for each of which `out` has a slot.
    pub(crate) fn read_each(&mut self, out: &mut [Vec<f32>]) -> Result<usize, SoundError> {
        self.source.read(&mut self.frames).map_err(|error| told(error, &self.path))?;
        let width = usize::from(self.spec().channels);
        for (channel, out) in out.iter_mut().enumerate() {
            out.extend(self.frames.iter().skip(channel).step_by(width));
        }
        Ok(self.frames.len() / width)
    }

    /// Reads all of it, as mono of 16 bits.
    pub(crate) fn into_sound(mut self) -> Result<Sound, SoundError> {
        let (mut mono, mut samples) = ([Vec::new()], Vec::new());
        while self.read(Channels::Mean, &mut mono)? > 0 {
            if samples.len() + mono[0].len() > MAX_SAMPLES {
                return Err(SoundError::TooLong { limit: MAX_SAMPLES });
            }
            samples.extend(mono[0].drain(..).map(pcm::from_f32));
        }
        Ok(Sound { samples, rate: self.spec().rate })
    }
}

/// What reads this input.
fn source<'a>(
    mut input: impl Read + Seek + Send + Sync + 'a,
    path: &Path,
    format: Option<Format>,
) -> Result<Box<dyn Source + 'a>, ReadError> {
    let end = input.seek(SeekFrom::End(0))?;
    if let Some((container, start)) = detect::compressed(&mut input)? {
        return Ok(Box::new(Compressed::open(input, container, start..end)?));
    }
    input.seek(SeekFrom::Start(0))?;
    let magic = riff::up_to(&mut input, riff::MAGIC)?;
    let layout = if riff::is_riff(&magic) || format == Some(Format::Wav) {
        match riff::scan(&mut input) {
            Err(ReadError::Sound(SoundError::UnsupportedEncoding {
                tag: riff::MPEG | riff::MP3,
                ..
            })) => {
                let part = riff::data(&mut input)?;
                return Ok(Box::new(Compressed::open(input, Container::Mpeg, part)?));
            }
            layout => layout?,
        }
    } else if aiff::is_aiff(&magic) {
        aiff::scan(&mut input)?
    } else if let Some(order) = au::order_of(&magic) {
        au::scan(&mut input, order)?
    } else {
        return match format {
            Some(Format::Raw { coding, rate }) => Ok(packed(input, RawLayout::new(coding, rate)?)?),
            Some(Format::Compressed(container)) => {
                Ok(Box::new(Compressed::open(input, container, 0..end)?))
            }
            _ => Err(SoundError::UnknownFormat { extension: extension_of(path) }.into()),
        };
    };
    Ok(Box::new(Packed::new(input, layout)?))
}

/// All of this input, but for what is skipped.
fn packed<'a>(
    mut input: impl Read + Seek + Send + Sync + 'a,
    layout: RawLayout,
) -> io::Result<Box<dyn Source + 'a>> {
    let (coding, rate, channels, skip) = layout.parts();
    let end = input.seek(SeekFrom::End(0))?;
    let start = skip.min(end);
    let len = end - start;
    let layout = Layout { coding, channels, rate, start, len, stated: None, frames: None };
    Ok(Box::new(Packed::new(input, layout)?))
}

/// Opens what is a file: a pipe would block, and give but once.
fn regular(path: &Path) -> Result<File, SoundError> {
    let io = |error| SoundError::io(path, error);
    if !fs::metadata(path).map_err(io)?.is_file() {
        return Err(SoundError::NotAFile { path: path.to_owned() });
    }
    File::open(path).map_err(io)
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
