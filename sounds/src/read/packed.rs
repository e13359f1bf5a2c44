//! Samples that lie in a file as they are, or in packets of one size.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use super::Spec;
use super::source::{ReadError, Source};
use super::warning::Warning;
use crate::coding::{Coding, Decoder};

/// Where in a file the samples are, and what they mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) coding: Coding,
    pub(super) channels: u16,
    pub(super) rate: u32,
    pub(super) start: u64,
    /// Bytes that are there.
    pub(super) len: u64,
    /// Bytes that there should be, if the file tells.
    pub(super) stated: Option<u64>,
    /// Frames among those of the last packet that mean something, if the file tells.
    pub(super) frames: Option<u64>,
}

impl Layout {
    /// The frames that can be read.
    fn frames(&self) -> u64 {
        let (_, unit) = self.coding.unit(self.channels);
        let all = self.coding.frames(self.len, self.channels);
        // Who tells of fewer frames than all packets but the last have, or of none, is mistaken.
        let is_likely = |&stated: &u64| stated <= all && all - stated < unit as u64;
        self.frames.filter(is_likely).unwrap_or(all)
    }

    fn warning(&self) -> Option<Warning> {
        let stated = self.coding.frames(self.stated?, self.channels);
        let there = self.frames();
        let time = |frames| Duration::from_secs_f64(frames as f64 / f64::from(self.rate.max(1)));
        (there < stated && self.stated? > self.len)
            .then(|| Warning::Truncated { there: time(there), stated: time(stated) })
    }
}

/// Such a file, read from where its samples begin.
pub(super) struct Packed<R> {
    input: R,
    layout: Layout,
    decoder: Decoder,
    /// Bytes that are still to come.
    left: u64,
    /// Frames that are still to be given.
    frames_left: u64,
    bytes: Vec<u8>,
    /// What the last read left: less than a unit.
    rest: usize,
    warning: Option<Warning>,
}

impl<R: Read + Seek> Packed<R> {
    pub(super) fn new(mut input: R, layout: Layout) -> io::Result<Self> {
        input.seek(SeekFrom::Start(layout.start))?;
        let decoder = Decoder::new(layout.coding, layout.channels);
        let unit = layout.coding.unit(layout.channels).0;
        Ok(Self {
            input,
            layout,
            decoder,
            left: layout.len,
            frames_left: layout.frames(),
            // 65,535 channels of 8 bytes are half a megabyte.
            bytes: vec![0; PIECE.max(unit)],
            rest: 0,
            warning: layout.warning(),
        })
    }
}

impl<R: Read> Source for Packed<R> {
    fn spec(&self) -> Spec {
        let Layout { coding, channels, rate, .. } = self.layout;
        let (precision, frames) = (coding.precision(), Some(self.layout.frames()));
        Spec { rate, channels, precision, coding: coding.name(), frames }
    }

    fn warnings(&self) -> &[Warning] {
        self.warning.as_slice()
    }

    fn read(&mut self, frames: &mut Vec<f32>) -> Result<(), ReadError> {
        let Layout { coding, channels, .. } = self.layout;
        let (unit, _) = coding.unit(channels);
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
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let whole = filled - filled % unit;
        if whole > 0 {
            self.decoder.decode(&self.bytes[..whole], frames);
            self.bytes.copy_within(whole..filled, 0);
            self.rest = filled - whole;
        } else {
            self.decoder.decode_rest(&self.bytes[..filled], frames);
            self.rest = 0;
        }
        let given = frames.len() as u64 / u64::from(channels);
        if given > self.frames_left {
            frames.truncate(self.frames_left as usize * usize::from(channels));
        }
        self.frames_left -= given.min(self.frames_left);
        Ok(())
    }
}

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;
