//! One file of a recording, and what brings sound to its rate.

use std::io;

use diesis_sounds::{error::SoundError, resample::Converter};

use super::file::SoundFile;
use crate::recording::{NewFile, Track};

/// Where one track of a recording goes.
pub(super) struct Target {
    pub(super) file: SoundFile,
    pub(super) track: Track,
    /// One for each channel; none if the file has the rate of the ring.
    converters: Vec<Converter>,
}

impl Target {
    /// Opens the file; what stands for `%d` in its name. `rate` is that of what is written.
    pub(super) fn open(new: &NewFile, rate: u32) -> io::Result<(Self, Option<u32>)> {
        let channels = if new.track == Track::Stereo { 2 } else { 1 };
        let converter = |_| Ok(Converter::new(rate, new.format.rate)?.delayed());
        let converters: Result<Vec<_>, SoundError> = match new.format.rate == rate {
            true => Ok(vec![]),
            false => (0..channels).map(converter).collect(),
        };
        let converters = converters.map_err(io::Error::other)?;
        let (file, number) = SoundFile::open(new, channels)?;
        Ok((Self { file, track: new.track, converters }, number))
    }

    /// Writes samples of the ring's rate, those of several channels in turn.
    pub(super) fn write(&mut self, samples: &[i16]) -> io::Result<()> {
        if self.converters.is_empty() {
            return self.file.write(samples);
        }
        let channels = self.converters.len();
        let converted: Vec<Vec<i16>> = (0..channels)
            .zip(&mut self.converters)
            .map(|(channel, converter)| {
                let own = samples.iter().skip(channel).step_by(channels);
                converter.convert(&own.copied().collect::<Vec<_>>())
            })
            .collect();
        let moments = converted.iter().map(Vec::len).min().unwrap_or(0);
        let together = |moment| converted.iter().map(move |samples: &Vec<i16>| samples[moment]);
        self.file.write(&(0..moments).flat_map(together).collect::<Vec<_>>())
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("file", &self.file).finish_non_exhaustive()
    }
}
