//! Samples that lie in a file as they are, or in packets of one size.

use std::io::{self, Read, Seek, SeekFrom};

use super::Spec;
use super::coded::Coding;
use super::source::{ReadError, Source};
use crate::gsm::{self, microsoft};
use crate::pcm;

/// How samples lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// One after the other, channel by channel.
    Each(Coding),
    /// Frames of GSM 06.10, one channel.
    Gsm,
    /// Pairs of them, as they lie in WAV files.
    GsmPairs,
}

impl Packing {
    /// Bytes that are decoded together, and the frames in them.
    fn unit(self, channels: u16) -> (usize, usize) {
        match self {
            Self::Each(coding) => (coding.width() * usize::from(channels), 1),
            Self::Gsm => (gsm::OCTETS, gsm::SAMPLES),
            Self::GsmPairs => (microsoft::PAIR_OCTETS, 2 * gsm::SAMPLES),
        }
    }
}

/// Where in a file the samples are, and what they mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) packing: Packing,
    pub(super) channels: u16,
    pub(super) rate: u32,
    pub(super) start: u64,
    /// Bytes.
    pub(super) len: u64,
}

/// Such a file, read from where its samples begin.
pub(super) struct Packed<R> {
    input: R,
    layout: Layout,
    /// Bytes that are still to come.
    left: u64,
    bytes: Vec<u8>,
    /// What the last read left: less than a frame.
    rest: usize,
    gsm: gsm::Decoder,
    /// What it gave.
    linear: Vec<i16>,
}

impl<R: Read + Seek> Packed<R> {
    pub(super) fn new(mut input: R, layout: Layout) -> io::Result<Self> {
        input.seek(SeekFrom::Start(layout.start))?;
        let (gsm, linear) = (gsm::Decoder::new(), Vec::new());
        let unit = layout.packing.unit(layout.channels).0;
        // 65,535 channels of 8 bytes are half a megabyte.
        let bytes = vec![0; PIECE.max(unit)];
        Ok(Self { input, layout, left: layout.len, bytes, rest: 0, gsm, linear })
    }
}

impl<R> Packed<R> {
    /// Decodes the frames that `unpack` makes of the first bytes of the piece.
    fn decode_gsm(&mut self, whole: usize, frames: &mut [f32], unpack: impl Fn(&[u8]) -> Vec<u8>) {
        self.linear.resize(frames.len(), 0);
        self.gsm.decode_into(&unpack(&self.bytes[..whole]), &mut self.linear);
        for (out, &sample) in frames.iter_mut().zip(&self.linear) {
            *out = pcm::to_f32(sample);
        }
    }
}

impl<R: Read> Source for Packed<R> {
    fn spec(&self) -> Spec {
        let Layout { packing, channels, rate, len, .. } = self.layout;
        let (bytes, frames) = packing.unit(channels);
        let (precision, coding) = match packing {
            Packing::Each(coding) => (coding.precision(), coding.name()),
            Packing::Gsm | Packing::GsmPairs => (16, "GSM 06.10"),
        };
        let frames = Some(len / bytes as u64 * frames as u64);
        Spec { rate, channels, precision, coding, frames }
    }

    fn read(&mut self, frames: &mut Vec<f32>) -> Result<(), ReadError> {
        let Layout { packing, channels, .. } = self.layout;
        let (unit, count) = packing.unit(channels);
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
        let units = filled / unit;
        let whole = units * unit;
        frames.resize(units * count * usize::from(channels), 0.0);
        match packing {
            Packing::Each(coding) => coding.decode(&self.bytes[..whole], frames),
            Packing::Gsm => self.decode_gsm(whole, frames, <[_]>::to_vec),
            Packing::GsmPairs => self.decode_gsm(whole, frames, |pairs| {
                let pairs = pairs.as_chunks().0.iter().map(microsoft::unpack);
                pairs.flatten().flatten().collect()
            }),
        }
        self.bytes.copy_within(whole..filled, 0);
        self.rest = filled - whole;
        Ok(())
    }
}

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;
