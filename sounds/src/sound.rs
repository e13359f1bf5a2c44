//! A whole sound in memory: mono samples and their rate.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::error::SoundError;
use crate::read::Reader;
use crate::resample::resample;

/// Lowest sample rate read or converted; below it lies no speech, only damaged headers.
pub const MIN_RATE: u32 = 1000;
/// Highest sample rate read or converted.
pub const MAX_RATE: u32 = 768_000;
/// Largest file read: some 4 hours of telephone sound, so that a wrong path cannot eat the memory.
pub const MAX_FILE_BYTES: u64 = 256 << 20;
/// Most samples that are loaded at once: as many as the largest file holds of 16 bits each, since a
/// small compressed file can hold any number.
pub const MAX_SAMPLES: usize = (MAX_FILE_BYTES / 2) as usize;

/// Mono 16-bit samples at a rate.
///
/// ```
/// use diesis_sounds::sound::Sound;
///
/// let second = Sound { samples: vec![0; 16_000], rate: 16_000 };
/// assert_eq!(second.into_rate(8000).unwrap().samples.len(), 8000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// The samples; several channels have been averaged.
    pub samples: Vec<i16>,
    /// Samples a second.
    pub rate: u32,
}

impl Sound {
    /// Reads a sound file, whose extension tells its format. Blocks on the disk.
    pub fn read(path: &Path) -> Result<Self, SoundError> {
        let len = fs::metadata(path).map_err(|error| SoundError::io(path, error))?.len();
        if len > MAX_FILE_BYTES {
            return Err(SoundError::TooLarge { bytes: len, limit: MAX_FILE_BYTES });
        }
        Reader::open(path)?.into_sound()
    }

    /// The same sound at another rate; unchanged samples when it has that rate already.
    pub fn into_rate(self, rate: u32) -> Result<Self, SoundError> {
        if rate == self.rate {
            return Ok(self);
        }
        let samples = resample(&self.samples, self.rate, rate)?;
        Ok(Self { samples, rate })
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let nanos = self.samples.len() as u128 * 1_000_000_000 / u128::from(self.rate.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::wav;

    #[test]
    fn duration_counts_samples_at_the_rate() {
        let sound = Sound { samples: vec![0; 441], rate: 44_100 };
        assert_eq!(sound.duration(), Duration::from_millis(10));
    }

    #[test]
    fn directories_and_unknown_extensions_are_refused_with_their_reason() {
        let foreign = std::env::temp_dir().join(format!("diesis-{}.xyz", std::process::id()));
        fs::write(&foreign, b"no sound").unwrap();
        let error = Sound::read(&foreign).unwrap_err();
        assert!(matches!(error, SoundError::UnknownFormat { .. }), "{error}");
        // What it is counts, not what it is called.
        wav::write(&foreign, 8000, &[1, 2]).unwrap();
        assert_eq!(Sound::read(&foreign).unwrap().samples, [1, 2]);
        fs::remove_file(&foreign).unwrap();
        let error = Sound::read(Path::new("/no/such/file.wav")).unwrap_err();
        assert!(matches!(error, SoundError::Io { .. }), "{error}");
        let directory = std::env::temp_dir().join(format!("diesis-{}.wav", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let error = Sound::read(&directory).unwrap_err();
        fs::remove_dir(&directory).unwrap();
        assert!(matches!(error, SoundError::NotAFile { .. }), "{error}");
    }
}
