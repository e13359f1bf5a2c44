//! AIFF and AIFF-C (Apple, 1989 and 1991): where the samples are and what they mean.

use std::io::{Read, Seek, SeekFrom};

use super::packed::Layout;
use super::riff::{MOST_CHUNKS, up_to};
use super::source::ReadError;
use crate::coding::{Coding, Order};
use crate::error::SoundError;
use crate::sound::{MAX_RATE, MIN_RATE};

/// Whether a file that begins so is one of these.
pub(crate) fn is_aiff(bytes: &[u8]) -> bool {
    bytes.starts_with(b"FORM") && matches!(bytes.get(8..12), Some(b"AIFF" | b"AIFC"))
}

/// Reads the header from the beginning of the input.
pub(super) fn scan<R: Read + Seek>(input: &mut R) -> Result<Layout, ReadError> {
    let end = input.seek(SeekFrom::End(0))?;
    let mut common = None;
    let mut sound = None;
    let mut at = 12;
    for _ in 0..MOST_CHUNKS {
        if common.is_some() && sound.is_some() {
            break;
        }
        input.seek(SeekFrom::Start(at))?;
        let Ok(header) = <[u8; 8]>::try_from(up_to(input, 8)?) else { break };
        let ([name, size], []) = header.as_chunks::<4>() else { break };
        let (start, size) = (at + 8, u64::from(u32::from_be_bytes(*size)));
        match name {
            b"COMM" if common.is_none() => {
                common = Some(Common::parse(&up_to(input, size.min(LONGEST) as usize)?)?);
            }
            b"SSND" if sound.is_none() => {
                // An offset to the first sample and the size of blocks, which nobody uses.
                let Ok(fields) = <[u8; 8]>::try_from(up_to(input, 8)?) else { break };
                let offset = u64::from(u32::from_be_bytes(*fields.first_chunk().expect("four")));
                let start = start + 8 + offset;
                let stated = size.saturating_sub(8 + offset);
                sound = Some((start, stated));
            }
            _ => {}
        }
        at = start.saturating_add(size.saturating_add(size % 2));
    }
    let Some(Common { coding, channels, rate, frames }) = common else {
        return Err(SoundError::MissingChunk { chunk: "COMM" }.into());
    };
    // A sound of no frames needs no chunk for them.
    let (start, size) = match sound {
        Some(sound) => sound,
        None if frames == 0 => (end, 0),
        None => return Err(SoundError::MissingChunk { chunk: "SSND" }.into()),
    };
    let left = end.saturating_sub(start);
    // Streams leave sizes and the number of frames empty or as great as can be.
    let (unit, count) = coding.unit(channels);
    let counted = frames.div_ceil(count as u64).saturating_mul(unit as u64);
    let has_end = frames > 0 && frames < UNTOLD && size > 0;
    let len = if has_end { left.min(counted) } else { left };
    let stated = has_end.then_some(counted);
    Ok(Layout { coding, channels, rate, start, len, stated, frames: None })
}

/// What the common chunk says.
struct Common {
    coding: Coding,
    channels: u16,
    rate: u32,
    /// Or packets of them.
    frames: u64,
}

impl Common {
    fn parse(body: &[u8]) -> Result<Self, SoundError> {
        let invalid = |reason| Err(SoundError::InvalidFormat { reason });
        let Some((head, more)) = body.split_first_chunk::<18>() else {
            return invalid("its COMM chunk is shorter than 18 bytes");
        };
        let u16_at = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let (channels, bits) = (u16_at(0), u16_at(6));
        let mut frames = u64::from(u16_at(2)) << 16 | u64::from(u16_at(4));
        let rate = whole(head.last_chunk().expect("ten of 18 bytes"));
        if channels == 0 {
            return invalid("it has no channels");
        }
        let Some(rate) = rate.filter(|rate| (MIN_RATE..=MAX_RATE).contains(rate)) else {
            return Err(SoundError::UnsupportedRate { rate: rate.unwrap_or(0) });
        };
        let kind: [u8; 4] = more.first_chunk().copied().unwrap_or(*b"NONE");
        let linear = |order| match bits.div_ceil(8) {
            1 => Some(Coding::Signed8),
            2 => Some(Coding::Signed16(order)),
            3 => Some(Coding::Signed24(order)),
            4 => Some(Coding::Signed32(order)),
            _ => None,
        };
        let coding = match &kind {
            b"NONE" | b"twos" => linear(Order::Big),
            b"sowt" => linear(Order::Little),
            b"raw " if bits == 8 => Some(Coding::Unsigned8),
            b"in24" => Some(Coding::Signed24(Order::Big)),
            b"in32" => Some(Coding::Signed32(Order::Big)),
            b"42ni" => Some(Coding::Signed24(Order::Little)),
            b"23ni" => Some(Coding::Signed32(Order::Little)),
            b"fl32" | b"FL32" => Some(Coding::Float32(Order::Big)),
            b"fl64" | b"FL64" => Some(Coding::Float64(Order::Big)),
            b"ulaw" | b"ULAW" => Some(Coding::Ulaw),
            b"alaw" | b"ALAW" => Some(Coding::Alaw),
            b"ima4" => Some(Coding::ImaPackets),
            _ => None,
        };
        let Some(coding) = coding else {
            let kind = kind.escape_ascii().to_string();
            return Err(SoundError::UnsupportedCompression { container: "AIFF", kind, bits });
        };
        if coding == Coding::ImaPackets {
            // The number of packets stands there.
            frames = frames.saturating_mul(coding.unit(channels).1 as u64);
        }
        Ok(Self { coding, channels, rate, frames })
    }
}

/// A number of IEEE 754 extended precision, as whole hertz; `None` for what is no rate.
fn whole(bytes: &[u8; 10]) -> Option<u32> {
    let exponent = u16::from_be_bytes([bytes[0], bytes[1]]);
    let mantissa = u64::from_be_bytes(*bytes.last_chunk().expect("eight of ten"));
    // The mantissa has its point behind the first bit; the exponent of 1 is 16,383.
    let shift = 63 - i32::from(exponent) + 16_383;
    let half_up = |shift: i32| (mantissa >> (shift - 1)).div_ceil(2);
    (32..=63).contains(&shift).then(|| u32::try_from(half_up(shift)).ok()).flatten()
}

/// More than any common chunk has of interest.
const LONGEST: u64 = 64;

/// So many frames are those of a stream.
const UNTOLD: u64 = 0x7fff_0000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::sound::Sound;

    /// 44,100 in 80 bits.
    const CD: [u8; 10] = [0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0];

    fn file(
        form: &[u8; 4],
        kind: &[u8],
        channels: u16,
        bits: u16,
        frames: u32,
        data: &[u8],
    ) -> Vec<u8> {
        let mut common = channels.to_be_bytes().to_vec();
        common.extend(frames.to_be_bytes());
        common.extend(bits.to_be_bytes());
        common.extend(CD);
        common.extend(kind);
        let mut file = b"FORM\0\0\0\0".to_vec();
        file.extend(form);
        // A text of odd length, padded.
        file.extend(b"NAME\0\0\0\x03abc\0COMM");
        file.extend((common.len() as u32).to_be_bytes());
        file.extend(common);
        file.extend(b"SSND");
        file.extend((data.len() as u32 + 8).to_be_bytes());
        file.extend([0; 8]);
        file.extend(data);
        file
    }

    fn read(file: &[u8]) -> Sound {
        Format::Aiff.parse(file).unwrap()
    }

    #[test]
    fn plain_files_are_big_endian() {
        let sound = read(&file(b"AIFF", b"", 1, 16, 2, &[0x12, 0x34, 0xff, 0xff]));
        assert_eq!((sound.rate, sound.samples), (44_100, vec![0x1234, -1]));
        let sound = read(&file(b"AIFF", b"", 1, 8, 2, &[0x80, 0x40]));
        assert_eq!(sound.samples, [i16::MIN, 0x4000]);
        let sound = read(&file(b"AIFF", b"", 1, 24, 1, &[0x12, 0x34, 0]));
        assert_eq!(sound.samples, [0x1234]);
    }

    #[test]
    fn compressed_files_say_how() {
        let one = |kind: &[u8; 4], bits, data: &[u8]| {
            read(&file(b"AIFC", kind, 1, bits, 1, data)).samples
        };
        assert_eq!(one(b"sowt", 16, &[0x34, 0x12]), [0x1234]);
        assert_eq!(one(b"twos", 16, &[0x12, 0x34]), [0x1234]);
        assert_eq!(one(b"fl32", 32, &0.5_f32.to_be_bytes()), [0x4000]);
        assert_eq!(one(b"FL64", 64, &0.5_f64.to_be_bytes()), [0x4000]);
        assert_eq!(one(b"ulaw", 16, &[0x80]), [32_124]);
        assert_eq!(one(b"alaw", 16, &[0xaa]), [32_256]);
        assert_eq!(one(b"ima4", 16, &[0; 34]), [0; 64]);
        let error = Format::Aiff.parse(&file(b"AIFC", b"MAC6", 1, 8, 1, &[0])).unwrap_err();
        assert!(error.to_string().contains("MAC6"), "{error}");
    }

    #[test]
    fn what_the_header_tells_wrongly_is_survived() {
        // Fewer frames than there are bytes: what follows is something else.
        assert_eq!(read(&file(b"AIFF", b"", 1, 16, 1, &[0, 1, 0, 2])).samples, [1]);
        assert_eq!(read(&file(b"AIFF", b"", 1, 16, u32::MAX, &[0, 1, 0, 2])).samples, [1, 2]);
        assert_eq!(read(&file(b"AIFF", b"", 1, 16, 9, &[0, 1, 0])).samples, [1]);
        for (channels, frames) in [(0, 1), (1, 1)] {
            let mut bytes = file(b"AIFF", b"", channels, 16, frames, &[0, 1]);
            if channels == 1 {
                let at = bytes.iter().zip(&bytes[1..]).position(|it| it == (&0x40, &0x0e)).unwrap();
                bytes[at..at + 10].fill(0);
            }
            assert!(Format::Aiff.parse(&bytes).is_err());
        }
    }

    #[test]
    fn rates_are_numbers_of_80_bits() {
        assert_eq!(whole(&CD), Some(44_100));
        assert_eq!(whole(&[0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0]), Some(8000));
        assert_eq!(whole(&[0; 10]), None);
        assert_eq!(whole(&[0xff; 10]), None);
        assert_eq!(whole(&[0x40, 0x1e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
