//! A part of an input, as a demuxer takes it.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// The bytes of an input from one place to another.
pub(super) struct Window<R> {
    input: R,
    start: u64,
    len: u64,
    at: u64,
    /// Whether the demuxer may go where it likes. Some go to the end to guess the length, which is
    /// not used, and in an Ogg file of many streams they do it for each.
    seekable: bool,
}

impl<R: Seek> Window<R> {
    pub(super) fn new(mut input: R, start: u64, end: u64, seekable: bool) -> io::Result<Self> {
        input.seek(SeekFrom::Start(start))?;
        Ok(Self { input, start, len: end.saturating_sub(start), at: 0, seekable })
    }
}

impl<R: Read> Read for Window<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = bytes.len().min(left);
        loop {
            match self.input.read(&mut bytes[..most]) {
                Ok(len) => {
                    self.at += len as u64;
                    return Ok(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: Seek> Seek for Window<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let at = at.ok_or(io::ErrorKind::InvalidInput)?;
        let place = self.start.checked_add(at).ok_or(io::ErrorKind::InvalidInput)?;
        self.input.seek(SeekFrom::Start(place))?;
        self.at = at;
        Ok(at)
    }
}

impl<R: Read + Seek + Send + Sync> MediaSource for Window<R> {
    fn is_seekable(&self) -> bool {
        self.seekable
    }

    fn byte_len(&self) -> Option<u64> {
        self.seekable.then_some(self.len)
    }
}
