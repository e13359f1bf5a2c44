//! RIFF WAVE: a reader that takes what is there, a writer of what every player accepts.
//!
//! Reads PCM of 8 to 32 bits, float, μ-law, A-law and GSM 06.10, plain or EXTENSIBLE, in RIFF, RIFX (big
//! endian) and RF64/BW64. Stated sizes are hints: streams leave them 0 or 0xFFFFFFFF, recorders
//! that crashed leave them wrong. No size of the file is ever allocated before it is seen.
//! Channels are averaged, as sox does. Writing is plain 16-bit PCM with a 44-byte header.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::SoundError;
use crate::g711;
use crate::gsm;
use crate::gsm::microsoft;
use crate::sound::{MAX_RATE, MIN_RATE, Sound};

/// Whether these bytes begin as a WAV file.
#[must_use]
pub fn is_wav(bytes: &[u8]) -> bool {
    bytes.len() >= 12
        && matches!(&bytes[..4], b"RIFF" | b"RIFX" | b"RF64" | b"BW64")
        && &bytes[8..12] == b"WAVE"
}

/// Reads a whole WAV file; a truncated one gives the frames that are complete.
pub fn parse(bytes: &[u8]) -> Result<Sound, SoundError> {
    if !is_wav(bytes) {
        return Err(SoundError::NotWav);
    }
    let order = if &bytes[..4] == b"RIFX" { Order::Big } else { Order::Little };
    let mut layout = None;
    let mut data = None;
    let mut long_data_size = None;
    let mut rest = &bytes[12..];
    while let Some(chunk) = Chunk::parse(rest, order, long_data_size) {
        match chunk.name {
            b"fmt " if layout.is_none() => layout = Some(Layout::parse(chunk.body, order)?),
            b"data" if data.is_none() => data = Some(chunk.body),
            b"ds64" if long_data_size.is_none() => {
                // EBU Tech 3306: RIFF size, then the data chunk's size, 64 bits each.
                long_data_size = chunk.body.get(8..16).map(|size| {
                    u64::from_le_bytes(size.try_into().expect("the slice has eight bytes"))
                });
            }
            _ => {}
        }
        rest = chunk.rest;
    }
    let layout = layout.ok_or(SoundError::MissingChunk { chunk: "fmt " })?;
    let data = data.ok_or(SoundError::MissingChunk { chunk: "data" })?;
    Ok(Sound { samples: layout.decode(data, order), rate: layout.rate })
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

struct Chunk<'a> {
    name: &'a [u8; 4],
    body: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The next chunk, its body cut to what is there; `None` when no header is left.
    fn parse(bytes: &'a [u8], order: Order, long_data_size: Option<u64>) -> Option<Self> {
        let (name, after) = bytes.split_first_chunk::<4>()?;
        let (size, after) = after.split_first_chunk::<4>()?;
        let stated = order.u32(*size);
        let mut size = u64::from(stated);
        if name == b"data" {
            match (stated, long_data_size) {
                (u32::MAX, Some(long)) => size = long,
                // A stream's writer never came back to fill the size in.
                (0, _) if !looks_like_chunk(after) => size = after.len() as u64,
                _ => {}
            }
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(after.len());
        let (body, mut rest) = after.split_at(size);
        // Chunks are padded to even sizes; some writers forget, then the name comes at once.
        if size % 2 == 1 && !rest.is_empty() && (rest[0] == 0 || !looks_like_chunk(rest)) {
            rest = &rest[1..];
        }
        Some(Self { name, body, rest })
    }
}

/// Whether a chunk's header could stand here: sound that spells four letters is very unlikely.
fn looks_like_chunk(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes[..4].iter().all(|&b| b == b' ' || b.is_ascii_alphanumeric())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Offset binary of up to 8 bits.
    Unsigned,
    /// Two's complement, left-justified in a container of 2, 3 or 4 bytes.
    Signed,
    Float32,
    Float64,
    Ulaw,
    Alaw,
    /// Pairs of frames.
    Gsm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    encoding: Encoding,
    /// Bytes of one sample of one channel.
    width: usize,
    channels: usize,
    rate: u32,
}

impl Layout {
    fn parse(body: &[u8], order: Order) -> Result<Self, SoundError> {
        let u16_at = |at: usize| Some(order.u16(*body.get(at..)?.first_chunk()?));
        let short = SoundError::InvalidFormat { reason: "it is shorter than 14 bytes" };
        let (Some(mut tag), Some(channels), Some(block)) = (u16_at(0), u16_at(2), u16_at(12))
        else {
            return Err(short);
        };
        let rate = order.u32(*body[4..].first_chunk().expect("14 bytes are there"));
        if channels == 0 {
            return Err(SoundError::InvalidFormat { reason: "it has no channels" });
        }
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(SoundError::UnsupportedRate { rate });
        }
        // WAVEFORMATEX of 14 bytes has no bits; then the frame size tells.
        let per_channel = block / channels;
        let bits =
            u16_at(14).filter(|&bits| bits != 0).unwrap_or_else(|| per_channel.saturating_mul(8));
        if tag == EXTENSIBLE {
            // The first two bytes of the sub-format's GUID are the real tag.
            tag = u16_at(24).ok_or(SoundError::InvalidFormat {
                reason: "it is extensible but shorter than 26 bytes",
            })?;
        }
        let stated = usize::from(bits.div_ceil(8));
        // 20 valid bits in 32 are left-justified: the container is what counts.
        let whole_frames = block != 0 && block % channels == 0;
        let container = usize::from(per_channel);
        let width = if whole_frames && container >= stated { container } else { stated };
        let encoding = match (tag, width) {
            (PCM, 1) => Encoding::Unsigned,
            (PCM, 2..=4) => Encoding::Signed,
            (FLOAT, 4) => Encoding::Float32,
            (FLOAT, 8) => Encoding::Float64,
            (ULAW, 1) => Encoding::Ulaw,
            (ALAW, 1) => Encoding::Alaw,
            (GSM, _) if channels == 1 && usize::from(block) == microsoft::PAIR_OCTETS => {
                Encoding::Gsm
            }
            _ => return Err(SoundError::UnsupportedEncoding { tag, bits }),
        };
        Ok(Self { encoding, width, channels: usize::from(channels), rate })
    }

    fn decode(&self, data: &[u8], order: Order) -> Vec<i16> {
        let g711 =
            |decode: fn(u8) -> i16| self.mean(data, move |bytes| i32::from(decode(bytes[0])) << 16);
        match (self.encoding, order) {
            (Encoding::Signed, Order::Little) if self.width == 2 && self.channels == 1 => {
                let (pairs, _) = data.as_chunks::<2>();
                pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
            }
            (Encoding::Unsigned, _) => self.mean(data, |bytes| (i32::from(bytes[0]) - 0x80) << 24),
            (Encoding::Signed, _) => self.mean(data, |bytes| {
                let mut word = [0; 4];
                match order {
                    Order::Little => word[4 - bytes.len()..].copy_from_slice(bytes),
                    Order::Big => word[..bytes.len()].copy_from_slice(bytes),
                }
                order.u32(word) as i32
            }),
            (Encoding::Float32, _) => self.mean(data, |bytes| {
                let bits = order.u32(*bytes.first_chunk().expect("width is 4"));
                float(f64::from(f32::from_bits(bits)))
            }),
            (Encoding::Float64, _) => self.mean(data, |bytes| {
                let bytes: [u8; 8] = *bytes.first_chunk().expect("width is 8");
                float(match order {
                    Order::Little => f64::from_le_bytes(bytes),
                    Order::Big => f64::from_be_bytes(bytes),
                })
            }),
            (Encoding::Gsm, _) => decode_gsm(data),
            (Encoding::Ulaw, _) => g711(g711::decode_ulaw),
            (Encoding::Alaw, _) => g711(g711::decode_alaw),
        }
    }

    /// One sample a frame: the mean of its channels, each given as a left-justified 32-bit value.
    fn mean(&self, data: &[u8], left_justified: impl Fn(&[u8]) -> i32) -> Vec<i16> {
        let channels = self.channels as i64;
        let frames = data.chunks_exact(self.width * self.channels);
        let mean = |frame: &[u8]| {
            let samples = frame.chunks_exact(self.width);
            let sum: i64 = samples.map(|bytes| i64::from(left_justified(bytes))).sum();
            let rounded = (sum.div_euclid(channels) + 0x8000) >> 16;
            rounded.min(i64::from(i16::MAX)) as i16
        };
        frames.map(mean).collect()
    }
}

/// Pairs of GSM frames; half a pair at the end is nothing.
fn decode_gsm(data: &[u8]) -> Vec<i16> {
    let mut decoder = gsm::Decoder::new();
    let frames = data.as_chunks().0.iter().flat_map(microsoft::unpack);
    frames
        .flat_map(|frame| {
            let mut samples = [0; gsm::SAMPLES];
            decoder.decode_into(&frame, &mut samples);
            samples
        })
        .collect()
}

/// -1.0..1.0 to a left-justified value; saturated, and silence for what is not a number.
fn float(value: f64) -> i32 {
    (value * 2_147_483_648.0) as i32
}

const PCM: u16 = 0x0001;
const FLOAT: u16 = 0x0003;
const ALAW: u16 = 0x0006;
const ULAW: u16 = 0x0007;
const GSM: u16 = 0x0031;
const EXTENSIBLE: u16 = 0xfffe;

#[cfg(test)]
#[path = "wav_tests.rs"]
mod tests;
