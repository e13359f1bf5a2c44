//! Headers of RIFF, RIFX, RF64, BW64 and W64 files: where the samples are and what they mean.
//!
//! Stated sizes are hints: streams leave them 0 or 0xFFFFFFFF, recorders that crashed leave them
//! wrong. No more is allocated than a header can need.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::packed::Layout;
use super::source::ReadError;
use crate::coding::{Coding, Order, STANDARD_COEFFICIENTS};
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
    let style = Style::of(&magic);
    let order = style.order();
    let mut format = None;
    let mut data = None;
    let mut long = None;
    let mut frames = None;
    let mut at = style.header();
    for _ in 0..MOST_CHUNKS {
        let Some(chunk) = Chunk::read(input, style, at, end, long)? else { break };
        match &chunk.name {
            b"fmt " if format.is_none() => {
                format = Some(Format::parse(&chunk.body(input)?, order)?);
            }
            b"data" if data.is_none() => data = Some((chunk.start, chunk.len, chunk.stated)),
            b"fact" if frames.is_none() => {
                let body = chunk.body(input)?;
                frames = body.first_chunk().map(|it| order.u32(*it).into());
            }
            b"ds64" if long.is_none() => {
                // EBU Tech 3306: RIFF size, then the data chunk's size, 64 bits each.
                let body = chunk.body(input)?;
                long = body.get(8..16).map(|it| u64::from_le_bytes(it.try_into().expect("eight")));
            }
            _ => {}
        }
        if let (Some(format), Some((start, len, stated))) = (&format, data) {
            let Format { coding, channels, rate } = *format;
            return Ok(Layout { coding, channels, rate, start, len, stated, frames });
        }
        at = chunk.next;
    }
    let chunk = if format.is_none() { "fmt " } else { "data" };
    Err(SoundError::MissingChunk { chunk }.into())
}

/// Where the data chunk lies, for sound that is no samples one by one.
pub(super) fn data<R: Read + Seek>(input: &mut R) -> Result<Range<u64>, ReadError> {
    let end = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(0))?;
    let style = Style::of(&up_to(input, MAGIC)?);
    let mut at = style.header();
    for _ in 0..MOST_CHUNKS {
        let Some(chunk) = Chunk::read(input, style, at, end, None)? else { break };
        if &chunk.name == b"data" {
            return Ok(chunk.start..chunk.start + chunk.len);
        }
        at = chunk.next;
    }
    Err(SoundError::MissingChunk { chunk: "data" }.into())
}

/// More chunks than this are those of no sound, and would take long to look at.
pub(super) const MOST_CHUNKS: usize = 10_000;

/// How chunks are written.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// Four letters and 32 bits of size, padded to even places.
    Riff(Order),
    /// A GUID and 64 bits of size, which counts these 24 bytes, padded to eight.
    W64,
}

impl Style {
    /// That of a file that begins so.
    fn of(magic: &[u8]) -> Self {
        match magic.get(..4) {
            Some(b"riff") => Self::W64,
            Some(b"RIFX") => Self::Riff(Order::Big),
            _ => Self::Riff(Order::Little),
        }
    }

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
    /// What the file tells, unless nothing is meant by it.
    stated: Option<u64>,
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
        // Writers that never came back leave sizes near to the most that can be told.
        let stated = Some(size)
            .filter(|&it| it < UNTOLD || matches!((style, long), (_, Some(_)) | (Style::W64, _)));
        Ok(Some(Self { name, start, len: size.min(left), stated, next }))
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
    coding: Coding,
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
        let coding = match (tag, width) {
            (PCM, 1) => Coding::Unsigned8,
            (PCM, 2) => Coding::Signed16(order),
            (PCM, 3) => Coding::Signed24(order),
            (PCM, 4) => Coding::Signed32(order),
            (FLOAT, 4) => Coding::Float32(order),
            (FLOAT, 8) => Coding::Float64(order),
            (ULAW, 1) => Coding::Ulaw,
            (ALAW, 1) => Coding::Alaw,
            (GSM, _) if usize::from(block) == microsoft::PAIR_OCTETS => Coding::GsmPairs,
            (G722, _) => Coding::G722,
            (OKI | DIALOGIC, _) if bits == 4 => Coding::Dialogic,
            (IMA, _) if bits == 4 => Coding::ImaBlocks(block),
            (MICROSOFT, _) if bits == 4 => {
                if has_own_coefficients(body, order) {
                    let reason = "its ADPCM has coefficients of its own";
                    return Err(SoundError::InvalidFormat { reason });
                }
                Coding::MicrosoftBlocks(block)
            }
            _ => return Err(SoundError::UnsupportedEncoding { tag, bits }),
        };
        if !coding.holds(channels) {
            let reason = "its encoding can not hold so many channels in such blocks";
            return Err(SoundError::InvalidFormat { reason });
        }
        Ok(Self { coding, channels, rate })
    }
}

/// Whether a format chunk of Microsoft ADPCM tells other coefficients than those that all have.
fn has_own_coefficients(body: &[u8], order: Order) -> bool {
    // Behind the 18 bytes of all chunks: samples of a block, number of pairs, the pairs.
    let Some(&count) = body.get(20..).and_then(|it| it.first_chunk()) else { return false };
    let pairs = body[22..].as_chunks::<4>().0.iter().take(order.u16(count).into());
    let pairs = pairs
        .map(|&[a, b, c, d]| (order.u16([a, b]).cast_signed(), order.u16([c, d]).cast_signed()));
    !pairs.zip(STANDARD_COEFFICIENTS).all(|(own, standard)| own == standard)
}

const PCM: u16 = 0x0001;
const MICROSOFT: u16 = 0x0002;
const FLOAT: u16 = 0x0003;
const ALAW: u16 = 0x0006;
const ULAW: u16 = 0x0007;
const OKI: u16 = 0x0010;
const IMA: u16 = 0x0011;
const DIALOGIC: u16 = 0x0017;
const GSM: u16 = 0x0031;
const G722: u16 = 0x028f;
/// MPEG audio of layers 1 and 2.
pub(super) const MPEG: u16 = 0x0050;
/// MPEG audio of layer 3.
pub(super) const MP3: u16 = 0x0055;
const EXTENSIBLE: u16 = 0xfffe;

/// Sizes from here on are those of streams: `sox` leaves 0x7FFFF000, others 0x7FFFFFFF or more.
const UNTOLD: u64 = 0x7fff_0000;

/// More than any format chunk has.
const LONGEST_BODY: usize = 1024;

/// How Sony's W64 begins: "riff" as a GUID.
const W64_RIFF: [u8; 16] = [
    b'r', b'i', b'f', b'f', 0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6, 0x28, 0xdb, 0x04, 0xc1, 0x00, 0x00,
];
