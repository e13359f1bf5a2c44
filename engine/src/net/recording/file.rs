//! One sound file that grows, whole on disk whenever it was written to.
//!
//! The samples are written first and the header after them, so that it never tells of what is not
//! there; a process that is killed leaves a file that any program plays.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{FileExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use bstr::ByteSlice;
use diesis_sounds::{
    coding::Encoder,
    convert::target::{Container, Target},
    format::{EXTENSIONS, wav_header::WavHeader},
};

use crate::recording::{Existing, Fate, NewFile};

/// A file that is recorded to.
#[derive(Debug)]
pub(super) struct SoundFile {
    file: File,
    path: PathBuf,
    format: Target,
    header: Option<WavHeader>,
    encoder: Encoder,
    /// Bytes of samples in the file, and how many of them were there before.
    data: u64,
    before: u64,
}

impl SoundFile {
    /// Creates a file, or goes on with one, making its directory where there is none; and what stands
    /// for `%d` in its name.
    pub(super) fn open(new: &NewFile, channels: u16) -> io::Result<(Self, Option<u32>)> {
        let (file, path, number) = match new.existing {
            Existing::Numbered if new.path.as_os_str().as_bytes().contains_str("%d") => {
                let (file, path, number) = create_numbered(&new.path)?;
                (file, path, Some(number))
            }
            Existing::Numbered | Existing::Replaced | Existing::Continued => {
                make_directory(&new.path)?;
                (plain(options().create(true).open(&new.path)?)?, new.path.clone(), None)
            }
        };
        let mut file = Self::of(file, path, Target { channels, ..new.format })?;
        if new.existing == Existing::Continued {
            file.go_on()?;
        } else {
            file.file.set_len(0)?;
        }
        file.write_header()?;
        Ok((file, number))
    }

    fn of(file: File, path: PathBuf, format: Target) -> io::Result<Self> {
        let Target { container, coding, rate, channels } = format;
        let header = match container {
            Container::Raw => Some(None),
            Container::Wav => WavHeader::new(coding, channels, rate).map(Some),
        };
        let (Some(header), Some(encoder), true) =
            (header, Encoder::new(coding), format.is_possible())
        else {
            let what = format!("{} holds no such channels and rate", coding.name());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        };
        Ok(Self { file, path, format, header, encoder, data: 0, before: 0 })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes what is there already as its beginning.
    fn go_on(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let data = length.saturating_sub(self.header_length());
        let header = self.header(0);
        if !header.is_empty() && length > 0 {
            let mut found = vec![0; header.len()];
            let is_ours = self.file.read_exact(&mut found).is_ok() && {
                let sizes_apart = |mut header: Vec<u8>| {
                    header[4..8].fill(0);
                    let end = header.len() - 4;
                    header[end..].fill(0);
                    if header.len() > PLAIN_HEADER {
                        // The number of samples stands before the last eight.
                        header[end - 8..end - 4].fill(0);
                    }
                    header
                };
                sizes_apart(found) == sizes_apart(header)
            };
            if !is_ours {
                let what = "it is no WAV file of this kind and rate to go on with";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        self.data = data - data % self.unit().0;
        self.before = self.data;
        Ok(())
    }

    /// Writes samples behind the others; on an error those that found room are in the file.
    pub(super) fn write(&mut self, samples: &[i16]) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.encoder.encode(samples, &mut bytes);
        self.write_octets(&bytes)
    }

    fn write_octets(&mut self, bytes: &[u8]) -> io::Result<()> {
        let header = self.header_length();
        if header > 0 && self.data + bytes.len() as u64 > LONGEST_WAV {
            let what = "a WAV file holds no more than 4 GiB";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        let mut rest = bytes;
        let written = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match self.file.write_at(rest, header + self.data) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = &rest[count..];
                    self.data += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.data -= self.data % self.unit().0;
        let told = self.write_header();
        written.and(told)
    }

    /// Cuts off the end, and keeps the file or deletes it; how long the recording is.
    pub(super) fn finish(mut self, trim: Duration, fate: Fate) -> io::Result<Duration> {
        if fate == Fate::Kept {
            let mut rest = Vec::new();
            self.encoder.finish(&mut rest);
            self.write_octets(&rest)?;
        }
        let (unit, samples) = self.unit();
        let rate = self.format.rate;
        let cut = (trim.as_millis() * u128::from(rate) / 1000) as u64;
        let own = ((self.data - self.before) / unit * samples).saturating_sub(cut) / samples;
        let kept = match fate {
            Fate::Kept => self.before + own * unit,
            // What was there before is not this recording's to delete.
            Fate::Deleted if self.before > 0 => self.before,
            Fate::Deleted => {
                fs::remove_file(&self.path)?;
                return Ok(Duration::ZERO);
            }
        };
        self.data = kept;
        self.file.set_len(self.header_length() + kept)?;
        self.write_header()?;
        Ok(Duration::from_secs_f64(
            ((kept - self.before) / unit * samples) as f64 / f64::from(rate),
        ))
    }

    fn write_header(&self) -> io::Result<()> {
        self.file.write_all_at(&self.header(self.data), 0)
    }

    fn header(&self, data: u64) -> Vec<u8> {
        let data = u32::try_from(data.min(LONGEST_WAV)).unwrap_or(u32::MAX);
        self.header.map_or_else(Vec::new, |header| header.bytes(data, 0))
    }

    fn header_length(&self) -> u64 {
        self.header.map_or(0, |header| header.length() as u64)
    }

    /// Bytes of the least that is written, and the samples of each channel in it.
    fn unit(&self) -> (u64, u64) {
        let (bytes, samples) = self.format.coding.unit(self.format.channels);
        (bytes as u64, samples as u64)
    }
}

/// The name with the lowest number of which there is no file in any format.
fn create_numbered(template: &Path) -> io::Result<(File, PathBuf, u32)> {
    let template = template.as_os_str().as_bytes();
    for number in 0..MOST_NUMBERS {
        let name = template.replace("%d", number.to_string().as_bytes());
        let path = PathBuf::from(OsString::from_vec(name));
        make_directory(&path)?;
        if EXTENSIONS.iter().any(|(extension, _)| exists(&path.with_extension(extension))) {
            continue;
        }
        match options().create_new(true).open(&path) {
            Ok(file) => return Ok((file, path, number)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "all numbers of this name are taken"))
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    match path.parent() {
        Some(directory) if directory != OsStr::new("") => builder.recursive(true).create(directory),
        _ => Ok(()),
    }
}

/// For the owner and the group. No link is followed, and no pipe is waited for.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o640).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

fn plain(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file")),
    }
}

/// Bytes of a header that does not tell the number of samples.
const PLAIN_HEADER: usize = 44;

/// What the header's 32 bits can tell.
const LONGEST_WAV: u64 = u32::MAX as u64 - 44;

/// Tries for `%d`.
const MOST_NUMBERS: u32 = 100_000;

#[cfg(test)]
mod tests {
    use diesis_sounds::sound::Sound;

    use super::*;
    use crate::recording::{Track, format_of};

    fn scratch(name: &str) -> PathBuf {
        let directory =
            std::env::temp_dir().join(format!("diesis-file-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        directory
    }

    /// A file of the format that its extension tells.
    fn new(path: PathBuf, existing: Existing) -> NewFile {
        let extension = path.extension().unwrap_or_default();
        let format = format_of(extension.as_bytes()).unwrap_or_default();
        NewFile { path, format, track: Track::Mixed, existing }
    }

    fn samples(path: &Path) -> Vec<i16> {
        let mut reader = hound::WavReader::open(path).unwrap();
        reader.samples().map(Result::unwrap).collect()
    }

    #[test]
    fn a_file_is_whole_after_every_write() {
        let directory = scratch("whole");
        let path = directory.join("a/b.wav");
        let new = new(path.clone(), Existing::Replaced);
        let (mut file, _) = SoundFile::open(&new, 1).unwrap();
        assert_eq!(samples(&path), [0_i16; 0]);
        file.write(&[1, -2, 3]).unwrap();
        assert_eq!(samples(&path), [1, -2, 3]);
        file.write(&[4; 8000]).unwrap();
        assert_eq!(samples(&path).len(), 8003);
        // Nobody finished it, as when the process is killed.
        drop(file);
        assert_eq!(samples(&path).len(), 8003);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn the_end_is_cut_and_a_continued_file_keeps_its_beginning() {
        let directory = scratch("cut");
        for name in ["x.wav", "x.ulaw", "x.sln", "x.gsm", "x.WAV"] {
            let path = directory.join(name);
            let open = |existing| SoundFile::open(&new(path.clone(), existing), 1).unwrap().0;
            let samples = new(path.clone(), Existing::Replaced).format.coding.unit(1).1;
            let mut file = open(Existing::Replaced);
            file.write(&[100; 8000]).unwrap();
            let length = file.finish(Duration::from_millis(250), Fate::Kept).unwrap();
            // 750 ms are no whole number of frames.
            let frames = Duration::from_millis(if samples == 1 { 750 } else { 720 });
            assert!(length >= frames && length <= Duration::from_millis(750), "{length:?}");
            let before = fs::metadata(&path).unwrap().len();
            let mut file = open(Existing::Continued);
            file.write(&[100; 80]).unwrap();
            assert_eq!(file.finish(Duration::from_secs(9), Fate::Kept).unwrap(), Duration::ZERO);
            assert_eq!(fs::metadata(&path).unwrap().len(), before);
            let mut file = open(Existing::Continued);
            file.write(&[100; 80]).unwrap();
            file.finish(Duration::ZERO, Fate::Deleted).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), before);
            open(Existing::Replaced).finish(Duration::ZERO, Fate::Deleted).unwrap();
            assert!(!path.exists());
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_is_recorded_in_gsm_is_read_again() {
        let directory = scratch("gsm");
        let tone: Vec<i16> =
            (0..8000).map(|n| (8000.0 * (f64::from(n) * 0.3).sin()) as i16).collect();
        for name in ["x.gsm", "x.WAV"] {
            let path = directory.join(name);
            let new = new(path.clone(), Existing::Replaced);
            let mut file = SoundFile::open(&new, 1).unwrap().0;
            for piece in tone.chunks(777) {
                file.write(piece).unwrap();
            }
            file.finish(Duration::ZERO, Fate::Kept).unwrap();
            let read = Sound::read(&path).unwrap();
            assert_eq!((read.rate, read.samples.len()), (8000, 8000), "{name}");
            let energy = |samples: &mut dyn Iterator<Item = i32>| {
                samples.map(|it| f64::from(it).powi(2)).sum::<f64>()
            };
            let both = tone.iter().zip(&read.samples).skip(800);
            let noise = energy(&mut both.map(|(a, b)| i32::from(*a) - i32::from(*b)));
            let signal = energy(&mut tone.iter().map(|it| i32::from(*it)));
            assert!(noise < signal / 10.0, "{name}: {noise} of {signal}");
            // There is one channel in it.
            assert!(SoundFile::open(&new, 2).is_err());
            let format = Target { rate: 16_000, ..new.format };
            assert!(SoundFile::open(&NewFile { format, ..new }, 1).is_err());
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_number_is_the_lowest_that_no_format_has() {
        let directory = scratch("number");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("m0.wav"), b"").unwrap();
        fs::write(directory.join("m1.ulaw"), b"").unwrap();
        let new = new(directory.join("m%d.wav"), Existing::Numbered);
        let numbers: Vec<_> =
            (0..3).map(|_| SoundFile::open(&new, 1).unwrap().1.unwrap()).collect();
        assert_eq!(numbers, [2, 3, 4]);
        assert!(directory.join("m4.wav").exists());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn links_devices_and_foreign_files_are_refused() {
        let directory = scratch("links");
        fs::create_dir_all(&directory).unwrap();
        let link = directory.join("link.wav");
        std::os::unix::fs::symlink(directory.join("elsewhere.wav"), &link).unwrap();
        let other = directory.join("other.wav");
        fs::write(&other, b"RIFFxxxxWAVEsomething that is longer than any header of ours").unwrap();
        for (path, existing) in [
            (link, Existing::Replaced),
            ("/dev/full".into(), Existing::Replaced),
            (directory.clone(), Existing::Replaced),
            (other.clone(), Existing::Continued),
        ] {
            assert!(SoundFile::open(&new(path, existing), 1).is_err());
        }
        assert!(fs::read(other).unwrap().ends_with(b"ours"));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_more_is_claimed_than_is_there() {
        let file = options().open("/dev/full").unwrap();
        let format = format_of(b"sln").unwrap();
        let mut file = SoundFile::of(file, PathBuf::from("/dev/full"), format).unwrap();
        let error = file.write(&[1; 160]).unwrap_err();
        assert_eq!((error.kind(), file.data), (io::ErrorKind::StorageFull, 0));
    }
}
