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
use diesis_sounds::format::{
    EXTENSIONS,
    raw::{self, Encoding},
};

use crate::recording::{Existing, Fate, FileFormat, NewFile};

/// A file that is recorded to.
#[derive(Debug)]
pub(super) struct SoundFile {
    file: File,
    path: PathBuf,
    format: FileFormat,
    rate: u32,
    channels: u16,
    /// Bytes of samples in the file, and how many of them were there before.
    data: u64,
    before: u64,
}

impl SoundFile {
    /// Creates a file, or goes on with one, making its directory where there is none; and what stands
    /// for `%d` in its name.
    pub(super) fn open(new: &NewFile, rate: u32, channels: u16) -> io::Result<(Self, Option<u32>)> {
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
        let mut file = Self { file, path, format: new.format, rate, channels, data: 0, before: 0 };
        if new.existing == Existing::Continued {
            file.go_on()?;
        } else {
            file.file.set_len(0)?;
        }
        file.write_header()?;
        Ok((file, number))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes what is there already as its beginning.
    fn go_on(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let data = length.saturating_sub(self.header_length());
        if self.format == FileFormat::Wav && length > 0 {
            let mut found = [0; HEADER];
            let is_ours = self.file.read_exact(&mut found).is_ok() && {
                let sizes_apart = |header: &[u8; HEADER]| {
                    let mut header = *header;
                    header[4..8].fill(0);
                    header[40..].fill(0);
                    header
                };
                sizes_apart(&found) == sizes_apart(&wav_header(self.rate, self.channels, 0))
            };
            if !is_ours {
                let what = "it is no WAV file of this rate and 16 bits a sample to go on with";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        self.data = data - data % self.moment();
        self.before = self.data;
        Ok(())
    }

    /// Writes samples behind the others; on an error those that found room are in the file.
    pub(super) fn write(&mut self, samples: &[i16]) -> io::Result<()> {
        let encoding = match self.format {
            FileFormat::Wav => Encoding::Linear,
            FileFormat::Raw(encoding) => encoding,
        };
        let bytes = raw::write(samples, encoding);
        if self.format == FileFormat::Wav && self.data + bytes.len() as u64 > LONGEST_WAV {
            let what = "a WAV file holds no more than 4 GiB";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        let mut rest = bytes.as_slice();
        let written = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match self.file.write_at(rest, self.header_length() + self.data) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = &rest[count..];
                    self.data += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.data -= self.data % self.moment();
        let told = self.write_header();
        written.and(told)
    }

    /// Cuts off the end, and keeps the file or deletes it; how long the recording is.
    pub(super) fn finish(mut self, trim: Duration, fate: Fate) -> io::Result<Duration> {
        let moment = self.moment();
        let moments = |bytes: u64| bytes / moment;
        let cut = (trim.as_millis() * u128::from(self.rate) / 1000) as u64;
        let own = moments(self.data - self.before).saturating_sub(cut);
        let kept = match fate {
            Fate::Kept => self.before + own * moment,
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
            (kept - self.before) as f64 / moment as f64 / f64::from(self.rate),
        ))
    }

    fn write_header(&self) -> io::Result<()> {
        match self.format {
            FileFormat::Wav => {
                self.file.write_all_at(&wav_header(self.rate, self.channels, self.data), 0)
            }
            FileFormat::Raw(_) => Ok(()),
        }
    }

    fn header_length(&self) -> u64 {
        match self.format {
            FileFormat::Wav => HEADER as u64,
            FileFormat::Raw(_) => 0,
        }
    }

    /// Bytes of one sample of each channel.
    fn moment(&self) -> u64 {
        self.format.sample_bytes() * u64::from(self.channels)
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

/// RIFF, format and data chunk of linear 16-bit samples.
fn wav_header(rate: u32, channels: u16, data: u64) -> [u8; HEADER] {
    let data = u32::try_from(data).unwrap_or(u32::MAX - HEADER as u32);
    let mut header = [0; HEADER];
    let frame = channels * 2;
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &(data + HEADER as u32 - 8).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * u32::from(frame)).to_le_bytes(),
        &frame.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    let mut at = 0;
    for field in fields {
        header[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    header
}

const HEADER: usize = 44;

/// What the header's 32 bits can tell.
const LONGEST_WAV: u64 = u32::MAX as u64 - HEADER as u64;

/// Tries for `%d`.
const MOST_NUMBERS: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Track;

    fn scratch(name: &str) -> PathBuf {
        let directory =
            std::env::temp_dir().join(format!("diesis-file-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        directory
    }

    fn new(path: PathBuf, format: FileFormat, existing: Existing) -> NewFile {
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
        let new = new(path.clone(), FileFormat::Wav, Existing::Replaced);
        let (mut file, _) = SoundFile::open(&new, 8000, 1).unwrap();
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
        for (name, format) in [
            ("x.wav", FileFormat::Wav),
            ("x.ulaw", FileFormat::Raw(Encoding::Ulaw)),
            ("x.sln", FileFormat::Raw(Encoding::Linear)),
        ] {
            let path = directory.join(name);
            let open = |existing| {
                SoundFile::open(&new(path.clone(), format, existing), 8000, 1).unwrap().0
            };
            let mut file = open(Existing::Replaced);
            file.write(&[100; 8000]).unwrap();
            let length = file.finish(Duration::from_millis(250), Fate::Kept).unwrap();
            assert_eq!(length, Duration::from_millis(750));
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
    fn a_number_is_the_lowest_that_no_format_has() {
        let directory = scratch("number");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("m0.wav"), b"").unwrap();
        fs::write(directory.join("m1.ulaw"), b"").unwrap();
        let new = new(directory.join("m%d.wav"), FileFormat::Wav, Existing::Numbered);
        let numbers: Vec<_> =
            (0..3).map(|_| SoundFile::open(&new, 8000, 1).unwrap().1.unwrap()).collect();
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
            assert!(SoundFile::open(&new(path, FileFormat::Wav, existing), 8000, 1).is_err());
        }
        assert!(fs::read(other).unwrap().ends_with(b"ours"));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_more_is_claimed_than_is_there() {
        let file = options().open("/dev/full").unwrap();
        let (path, format) = (PathBuf::from("/dev/full"), FileFormat::Raw(Encoding::Linear));
        let mut file =
            SoundFile { file, path, format, rate: 8000, channels: 1, data: 0, before: 0 };
        let error = file.write(&[1; 160]).unwrap_err();
        assert_eq!((error.kind(), file.data), (io::ErrorKind::StorageFull, 0));
    }

    #[test]
    fn the_header_says_what_hound_says() {
        for channels in [1, 2] {
            let mut theirs = io::Cursor::new(Vec::new());
            let spec = hound::WavSpec {
                channels,
                sample_rate: 8000,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let mut writer = hound::WavWriter::new(&mut theirs, spec).unwrap();
            for _ in 0..320 {
                writer.write_sample(0_i16).unwrap();
            }
            writer.finalize().unwrap();
            assert_eq!(wav_header(8000, channels, 640), theirs.get_ref()[..HEADER]);
        }
    }
}
