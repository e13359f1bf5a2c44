//! What readers of one kind of file have in common.

use std::io;

use super::Spec;
use super::channels::Channels;
use super::warning::Warning;
use crate::error::SoundError;

/// What gives the samples of a sound, piece by piece.
pub(super) trait Source {
    /// What is read.
    fn spec(&self) -> Spec;

    /// What was odd about it, as far as it is known by now.
    fn warnings(&self) -> &[Warning] {
        &[]
    }

    /// Replaces `frames` by the next ones: samples of all channels by turns, full scale as 1, each
    /// a number, some 100,000 at most. None at the end.
    fn read(&mut self, frames: &mut Vec<f32>) -> Result<(), ReadError>;

    /// Appends the next samples to each wanted channel. Returns how many; 0 at the end. `frames` is
    /// where the source may put what it reads before that.
    fn read_channels(
        &mut self,
        wanted: Channels,
        frames: &mut Vec<f32>,
        out: &mut [Vec<f32>],
    ) -> Result<usize, ReadError> {
        self.read(frames)?;
        let channels = self.spec().channels;
        let len = frames.len() / usize::from(channels);
        match out {
            // What is one channel is what is wanted of it.
            [mono] if channels == 1 && mono.is_empty() => std::mem::swap(frames, mono),
            out => wanted.mix(frames, channels, out),
        }
        Ok(len)
    }
}

/// What can go wrong: the file's contents, or reading them.
#[derive(Debug)]
pub(super) enum ReadError {
    Sound(SoundError),
    Io(io::Error),
}

impl From<SoundError> for ReadError {
    fn from(error: SoundError) -> Self {
        Self::Sound(error)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
