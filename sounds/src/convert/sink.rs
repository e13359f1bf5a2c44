//! What is written: a plain WAV or headerless file that appears when it is whole.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::dither::Quantizer;
use super::place::Place;
use super::target::{Container, Target};
use crate::coding::{Coding, Encoder, Order};
use crate::error::SoundError;
use crate::format::wav_header::WavHeader;

/// A file that is being written. It is taken away when [`finish`](Self::finish) is never reached.
pub(crate) struct Sink {
    file: BufWriter<File>,
    place: Place,
    target: Target,
    /// One for each channel.
    quantizers: Vec<Quantizer>,
    /// Whole numbers of the present piece, by channel.
    whole: Vec<Vec<i32>>,
    /// For what is not written sample by sample, and the samples of the present piece for it.
    encoder: Option<Encoder>,
    linear: Vec<i16>,
    bytes: Vec<u8>,
    frames: u64,
    /// Bytes of samples written.
    len: u64,
}

impl Sink {
    /// Begins a file. `dither` says whether rounding may be heard at all.
    pub(crate) fn create(place: &Path, target: Target, dither: bool) -> Result<Self, SoundError> {
        let encoder = match target.coding {
            coding if is_plain(coding) => None,
            other => {
                let refused = || SoundError::CodingNotWritten { coding: other.name() };
                Some(Encoder::new(other).ok_or_else(refused)?)
            }
        };
        let header = header(&target)?;
        let (place, file) = Place::create(place)?;
        let mut file = BufWriter::with_capacity(BUFFER, file);
        if let Some(header) = header {
            file.write_all(&header.bytes(0, 0)).map_err(|error| place.error(error))?;
        }
        let quantizer = |channel: u16| {
            let is_coarse = is_plain(target.coding) && !is_float(target.coding);
            Quantizer::new(target.bits(), dither && is_coarse, channel.into())
        };
        let quantizers: Vec<_> = (0..target.channels).map(quantizer).collect();
        let whole = vec![Vec::new(); quantizers.len()];
        let (linear, bytes) = (Vec::new(), Vec::new());
        Ok(Self {
            file,
            place,
            target,
            quantizers,
            whole,
            encoder,
            linear,
            bytes,
            frames: 0,
            len: 0,
        })
    }

    /// Appends frames; every channel has as many samples.
    pub(crate) fn write(&mut self, channels: &[Vec<f32>]) -> Result<(), SoundError> {
        let frames = channels.first().map_or(0, Vec::len);
        self.frames += frames as u64;
        self.bytes.clear();
        match self.target.coding {
            Coding::Float32(Order::Little) => {
                interleave(channels, frames, &mut self.bytes, |&it| it.to_le_bytes());
            }
            Coding::Float32(Order::Big) => {
                interleave(channels, frames, &mut self.bytes, |&it| it.to_be_bytes());
            }
            Coding::Float64(order) => interleave(channels, frames, &mut self.bytes, |&it| {
                ordered(f64::from(it).to_le_bytes(), order)
            }),
            _ => self.write_whole(channels, frames),
        }
        self.put()
    }

    /// Makes whole numbers of a piece, and bytes of them.
    fn write_whole(&mut self, channels: &[Vec<f32>], frames: usize) {
        for ((quantizer, samples), whole) in
            self.quantizers.iter_mut().zip(channels).zip(&mut self.whole)
        {
            whole.clear();
            quantizer.quantize(samples, whole);
        }
        let (whole, bytes) = (&self.whole, &mut self.bytes);
        if let Some(encoder) = &mut self.encoder {
            self.linear.clear();
            self.linear
                .extend((0..frames).flat_map(|at| whole.iter().map(move |it| it[at] as i16)));
            return encoder.encode(&self.linear, bytes);
        }
        match self.target.coding {
            Coding::Unsigned8 => interleave(whole, frames, bytes, |&it| [(it + 128) as u8]),
            Coding::Signed8 => interleave(whole, frames, bytes, |&it| [it as u8]),
            Coding::Signed24(order) => interleave(whole, frames, bytes, |it| {
                let [a, b, c, _] = it.to_le_bytes();
                ordered([a, b, c], order)
            }),
            Coding::Signed32(order) => {
                interleave(whole, frames, bytes, |it| ordered((it << 8).to_le_bytes(), order));
            }
            _ => interleave(whole, frames, bytes, |&it| (it as i16).to_le_bytes()),
        }
    }

    /// Writes what was made of a piece.
    fn put(&mut self) -> Result<(), SoundError> {
        self.len += self.bytes.len() as u64;
        self.file.write_all(&self.bytes).map_err(|error| self.place.error(error))
    }

    /// How many samples were beyond full scale so far.
    pub(crate) fn clipped(&self) -> u64 {
        self.quantizers.iter().map(Quantizer::clipped).sum()
    }

    /// Completes the file and puts it into its place, over what was there. Returns its frames.
    pub(crate) fn finish(mut self) -> Result<u64, SoundError> {
        if let Some(encoder) = &mut self.encoder {
            self.bytes.clear();
            encoder.finish(&mut self.bytes);
            self.put()?;
        }
        let Self { file, place, target, frames, len, .. } = self;
        let io = |error| place.error(error);
        let mut file = file.into_inner().map_err(|error| io(error.into_error()))?;
        if let Some(header) = header(&target)? {
            let limit = u64::from(u32::MAX) - HEADER_MOST;
            let Some(size) = u32::try_from(len).ok().filter(|_| len <= limit) else {
                return Err(SoundError::TooLarge { bytes: len, limit });
            };
            if size % 2 == 1 {
                file.write_all(&[0]).map_err(io)?;
            }
            file.seek(SeekFrom::Start(0)).map_err(io)?;
            let header = header.frames(u32::try_from(frames).unwrap_or(u32::MAX));
            file.write_all(&header.bytes(size, size % 2)).map_err(io)?;
        }
        place.commit(file)?;
        Ok(frames)
    }
}

/// Whether each sample is written by itself, as a number.
const fn is_plain(coding: Coding) -> bool {
    is_float(coding)
        || matches!(
            coding,
            Coding::LINEAR
                | Coding::Unsigned8
                | Coding::Signed8
                | Coding::Signed24(_)
                | Coding::Signed32(_)
        )
}

const fn is_float(coding: Coding) -> bool {
    matches!(coding, Coding::Float32(_) | Coding::Float64(_))
}

/// Bytes of which the least significant comes first, in another order.
fn ordered<const WIDTH: usize>(mut bytes: [u8; WIDTH], order: Order) -> [u8; WIDTH] {
    if order == Order::Big {
        bytes.reverse();
    }
    bytes
}

#[inline(always)]
fn interleave<T, const WIDTH: usize>(
    channels: &[Vec<T>],
    frames: usize,
    bytes: &mut Vec<u8>,
    value: impl Fn(&T) -> [u8; WIDTH],
) {
    if let [mono] = channels {
        bytes.extend(mono.iter().flat_map(value));
        return;
    }
    bytes.reserve(frames * channels.len() * WIDTH);
    for frame in 0..frames {
        for channel in channels {
            bytes.extend(value(&channel[frame]));
        }
    }
}

/// What the file begins with, if it does with anything.
fn header(target: &Target) -> Result<Option<WavHeader>, SoundError> {
    let Target { coding, channels, rate, .. } = *target;
    if !target.is_possible() {
        let coding = coding.name();
        return Err(SoundError::ImpossibleTarget { coding, rate, channels });
    }
    match target.container {
        Container::Raw => Ok(None),
        Container::Wav => WavHeader::new(coding, channels, rate)
            .map(Some)
            .ok_or_else(|| SoundError::CodingNotWritten { coding: coding.name() }),
    }
}

/// Bytes of the longest header.
const HEADER_MOST: u64 = 60;

/// Bytes that are written at once.
const BUFFER: usize = 64 << 10;

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("place", &self.place).finish_non_exhaustive()
    }
}
