//! Headers of RIFF, RIFX, RF64, BW64 and W64 files: where the samples are and what they mean.
//!
//! Stated sizes are hints: streams leave them 0 or 0xFFFFFFFF, recorders that crashed leave them
//! wrong. No more is allocated than a header can need.

use std::io::{self, Read, Seek, SeekFrom};

use super::coded::{Coding, Order};
use super::packed::{Layout, Packing};
use super::source::ReadError;
use crate::error::SoundError;
use crate::gsm::microsoft;
use crate::sound::{MAX_RATE, MIN_RATE};

/// Bytes that tell these files from others.
pub(super) const MAGIC: usize = 16;

/// Whether a file that begins so is one of these.
pub(crate) fn is_riff(bytes: &[u8]) -> bool {
    let riff = bytes.len() >= 12
        && matches!(&bytes[..4], b"RIFF" | b"RIFX" | b"RF64" | b"BW64")
        && &bytes[8..12] == b"WAVE";
    riff || bytes.starts_with(&W64_RIFF)
}

/// Reads the header from the beginning of the input.
pub(super) fn scan<R: Read + Seek>(input: &mut R) -> Result<Layout, ReadError> {
    let end = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(0))?;
    let magic = up_to(input, MAGIC)?;
    if !is_riff(&magic) {
        return Err(SoundError::NotWav.into());
    }
    let style = match &magic[..4] {
        b"riff" => Style::W64,
        b"RIFX" => Style::Riff(Order::Big),
        _ => Style::Riff(Order::Little),
    };
    let order = style.order();
    let mut format = None;
    let mut data = None;
    let mut long = None;
    let mut at = style.header();
    while let Some(chunk) = Chunk::read(input, style, at, end, long)? {
        match &chunk.name {
            b"fmt " if format.is_none() => {
                format = Some(Format::parse(&chunk.body(input)?, order)?);
            }
            b"data" if data.is_none() => data = Some((chunk.start, chunk.len)),
            b"ds64" if long.is_none() => {
                // EBU Tech 3306: RIFF size, then the data chunk's size, 64 bits each.
                let body = chunk.body(input)?;
                long = body.get(8..16).map(|it| u64::from_le_bytes(it.try_into().expect("eight")));
            }
            _ => {}
        }
        if let (Some(format), Some((start, len))) = (&format, data) {
            return Ok(format.layout(start, len));
        }
        at = chunk.next;
    }
    let chunk = if format.is_none() { "fmt " } else { "data" };
    Err(SoundError::MissingChunk { chunk }.into())
}

/// How chunks are written.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// Four letters and 32 bits of size, padded to even places.
    Riff(Order),
    /// A GUID and 64 bits of size, which counts these 24 bytes, padded to eight.
    W64,
}

impl Style {
    const fn order(self) -> Order {
        match self {
            Self::Riff(order) => order,
            Self::W64 => Order::Little,
        }
    }

    /// Where the first chunk begins.
    const fn header(self) -> u64 {
        match self {
            Self::Riff(_) => 12,
            Self::W64 => 40,
        }
    }
}

struct Chunk {
    name: [u8; 4],
    start: u64,
    /// Cut to what is there.
    len: u64,
    next: u64,
}

impl Chunk {
    /// The chunk at this place; `None` when no header is left.
    fn read<R: Read + Seek>(
        input: &mut R,
        style: Style,
        at: u64,
        end: u64,
        long: Option<u64>,
    ) -> io::Result<Option<Self>> {
        input.seek(SeekFrom::Start(at))?;
        let header = up_to(input, if matches!(style, Style::W64) { 24 } else { 8 })?;
        let (Some(&name), start) = (header.first_chunk(), at + header.len() as u64) else {
            return Ok(None);
        };
        let left = end.saturating_sub(start);
        let (size, next) = match style {
            Style::W64 => {
                let Some(size) = header.get(16..24) else { return Ok(None) };
                let stated = u64::from_le_bytes(size.try_into().expect("eight"));
                let size = stated.saturating_sub(24);
                (size, start.saturating_add(size.saturating_add(7) & !7))
            }
            Style::Riff(order) => {
                let Some(&size) = header.get(4..).and_then(|it| it.first_chunk()) else {
                    return Ok(None);
                };
                let size = match (order.u32(size), long) {
                    (u32::MAX, Some(long)) if &name == b"data" => long,
                    // A stream's writer never came back to fill the size in.
                    (0, _) if &name == b"data" && !begins_chunk(&up_to(input, 8)?) => left,
                    (stated, _) => stated.into(),
                };
                let next = start.saturating_add(size);
                // Some writers forget to pad to even sizes: then the next name comes at once.
                let padded = size % 2 == 1 && next < end && {
                    input.seek(SeekFrom::Start(next))?;
                    let after = up_to(input, 8)?;
                    after.first() == Some(&0) || !begins_chunk(&after)
                };
                (size, next.saturating_add(padded.into()))
            }
        };
        Ok(Some(Self { name, start, len: size.min(left), next }))
    }

    /// Its contents, as far as a format chunk is read.
    fn body<R: Read + Seek>(&self, input: &mut R) -> io::Result<Vec<u8>> {
        input.seek(SeekFrom::Start(self.start))?;
        up_to(input, usize::try_from(self.len).unwrap_or(usize::MAX).min(LONGEST_BODY))
    }
}

/// The next bytes, fewer at the end.
pub(super) fn up_to(input: &mut impl Read, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    input.take(len as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a chunk's header could stand here: sound that spells four letters is very unlikely.
fn begins_chunk(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes[..4].iter().all(|&b| b == b' ' || b.is_ascii_alphanumeric())
}

/// What a format chunk says.
#[derive(Debug)]
struct Format {
    packing: Packing,
    channels: u16,
    rate: u32,
}

impl Format {
    fn parse(body: &[u8], order: Order) -> Result<Self, SoundError> {
        let u16_at = |at: usize| Some(order.u16(*body.get(at..)?.first_chunk()?));
        let (Some(mut tag), Some(channels), Some(block)) = (u16_at(0), u16_at(2), u16_at(12))
        else {
            return Err(SoundError::InvalidFormat { reason: "it is shorter than 14 bytes" });
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
        if tag == GSM && channels == 1 && usize::from(block) == microsoft::PAIR_OCTETS {
            return Ok(Self { packing: Packing::GsmPairs, channels, rate });
        }
        let coding = match (tag, width) {
            (PCM, 1) => Coding::Unsigned8,
            (PCM, 2) => Coding::Signed16(order),
            (PCM, 3) => Coding::Signed24(order),
            (PCM, 4) => Coding::Signed32(order),
            (FLOAT, 4) => Coding::Float32(order),
            (FLOAT, 8) => Coding::Float64(order),
            (ULAW, 1) => Coding::Ulaw,
            (ALAW, 1) => Coding::Alaw,
            _ => return Err(SoundError::UnsupportedEncoding { tag, bits }),
        };
        Ok(Self { packing: Packing::Each(coding), channels, rate })
    }

    fn layout(&self, start: u64, len: u64) -> Layout {
        Layout { packing: self.packing, channels: self.channels, rate: self.rate, start, len }
    }
}

const PCM: u16 = 0x0001;
const FLOAT: u16 = 0x0003;
const ALAW: u16 = 0x0006;
const ULAW: u16 = 0x0007;
const GSM: u16 = 0x0031;
const EXTENSIBLE: u16 = 0xfffe;

/// More than any format chunk has.
const LONGEST_BODY: usize = 1024;

/// How Sony's W64 begins: "riff" as a GUID.
const W64_RIFF: [u8; 16] = [
    b'r', b'i', b'f', b'f', 0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6, 0x28, 0xdb, 0x04, 0xc1, 0x00, 0x00,
];
