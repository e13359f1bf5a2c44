//! RIFF WAVE: whole files read, and a writer of what every player accepts: plain 16-bit PCM with a
//! 44-byte header.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::SoundError;
use crate::format::Format;
use crate::read::riff;
use crate::sound::Sound;

/// Whether these bytes begin as a WAV file.
#[must_use]
pub fn is_wav(bytes: &[u8]) -> bool {
    riff::is_riff(bytes)
}

/// Reads a whole WAV file; a truncated one gives the frames that are complete.
pub fn parse(bytes: &[u8]) -> Result<Sound, SoundError> {
    Format::Wav.parse(bytes)
}

/// Writes a complete mono file.
pub fn write(path: &Path, rate: u32, samples: &[i16]) -> Result<(), SoundError> {
    let mut recording = Recording::create(path, rate)?;
    recording.write(samples)?;
    recording.finish()
}

/// Writes a complete mono file to anything that can be written and sought.
pub fn write_to(out: impl Write + Seek, rate: u32, samples: &[i16]) -> io::Result<()> {
    let mut writer = hound::WavWriter::new(out, spec(rate)).map_err(into_io)?;
    for &sample in samples {
        writer.write_sample(sample).map_err(into_io)?;
    }
    writer.finalize().map_err(into_io)
}

/// A mono file that grows while a call is recorded. Blocks on the disk.
pub struct Recording {
    path: PathBuf,
    writer: hound::WavWriter<BufWriter<File>>,
}

impl Recording {
    /// Creates or empties the file.
    pub fn create(path: &Path, rate: u32) -> Result<Self, SoundError> {
        let writer = hound::WavWriter::create(path, spec(rate))
            .map_err(|error| SoundError::io(path, into_io(error)))?;
        Ok(Self { path: path.to_owned(), writer })
    }

    /// Appends samples; they may stay in memory until [`Recording::checkpoint`].
    pub fn write(&mut self, samples: &[i16]) -> Result<(), SoundError> {
        for &sample in samples {
            self.writer.write_sample(sample).map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    /// Makes the file on disk complete up to here, header included, should the process die.
    pub fn checkpoint(&mut self) -> Result<(), SoundError> {
        self.writer.flush().map_err(|error| self.error(error))
    }

    /// How many samples were written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writer.len() as usize
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writer.len() == 0
    }

    /// Completes the header and closes the file.
    pub fn finish(self) -> Result<(), SoundError> {
        let Self { path, writer } = self;
        writer.finalize().map_err(|error| SoundError::io(path, into_io(error)))
    }

    fn error(&self, error: hound::Error) -> SoundError {
        SoundError::io(&self.path, into_io(error))
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("path", &self.path).field("len", &self.len()).finish()
    }
}

fn spec(rate: u32) -> hound::WavSpec {
    hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    }
}

fn into_io(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
#[path = "wav_tests.rs"]
mod tests;
