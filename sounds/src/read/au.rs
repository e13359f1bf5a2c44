//! AU, also called SND (Sun and NeXT): where the samples are and what they mean.

use std::io::{Read, Seek, SeekFrom};

use super::packed::Layout;
use super::riff::up_to;
use super::source::ReadError;
use crate::coding::{Coding, Order};
use crate::error::SoundError;
use crate::sound::{MAX_RATE, MIN_RATE};

/// Whether a file that begins so is one of these, and in which order its numbers are.
pub(crate) fn order_of(bytes: &[u8]) -> Option<Order> {
    match bytes.first_chunk()? {
        b".snd" => Some(Order::Big),
        // From machines of the other order.
        b"dns." => Some(Order::Little),
        _ => None,
    }
}

/// Reads the header from the beginning of the input.
pub(super) fn scan<R: Read + Seek>(input: &mut R, order: Order) -> Result<Layout, ReadError> {
    let end = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(4))?;
    let header = up_to(input, 20)?;
    let ([start, size, kind, rate, channels], []) = header.as_chunks::<4>() else {
        let reason = "its header is shorter than 24 bytes";
        return Err(SoundError::InvalidFormat { reason }.into());
    };
    let [start, size, kind, rate, channels] =
        [start, size, kind, rate, channels].map(|it| order.u32(*it));
    let coding = match kind {
        1 => Coding::Ulaw,
        2 => Coding::Signed8,
        3 => Coding::Signed16(order),
        4 => Coding::Signed24(order),
        5 => Coding::Signed32(order),
        6 => Coding::Float32(order),
        7 => Coding::Float64(order),
        24 => Coding::G722,
        27 => Coding::Alaw,
        _ => {
            let kind = kind.to_string();
            return Err(
                SoundError::UnsupportedCompression { container: "AU", kind, bits: 0 }.into()
            );
        }
    };
    let channels = u16::try_from(channels).unwrap_or(0);
    if !coding.holds(channels) {
        let reason = "it has no channels or more than it can hold";
        return Err(SoundError::InvalidFormat { reason }.into());
    }
    if !(MIN_RATE..=MAX_RATE).contains(&rate) {
        return Err(SoundError::UnsupportedRate { rate }.into());
    }
    if start < 24 {
        let reason = "its sound begins within its header";
        return Err(SoundError::InvalidFormat { reason }.into());
    }
    let (start, left) = (u64::from(start), end.saturating_sub(start.into()));
    let stated = Some(u64::from(size)).filter(|_| size != u32::MAX);
    let len = stated.unwrap_or(left).min(left);
    Ok(Layout { coding, channels, rate, start, len, stated, frames: None })
}

#[cfg(test)]
mod tests {
    use crate::format::Format;

    fn file(size: u32, kind: u32, channels: u32, data: &[u8]) -> Vec<u8> {
        let mut file = b".snd".to_vec();
        file.extend([28, size, kind, 16_000, channels].iter().flat_map(|it| it.to_be_bytes()));
        file.extend(b"text");
        file.extend(data);
        file
    }

    fn samples(size: u32, kind: u32, data: &[u8]) -> Vec<i16> {
        let sound = Format::Au.parse(&file(size, kind, 1, data)).unwrap();
        assert_eq!(sound.rate, 16_000);
        sound.samples
    }

    #[test]
    fn each_encoding_is_read() {
        assert_eq!(samples(1, 1, &[0x80]), [32_124]);
        assert_eq!(samples(1, 2, &[0x40]), [0x4000]);
        assert_eq!(samples(4, 3, &[0x12, 0x34, 0xff, 0xfe]), [0x1234, -2]);
        assert_eq!(samples(3, 4, &[0x12, 0x34, 0]), [0x1234]);
        assert_eq!(samples(4, 5, &[0x12, 0x34, 0, 0]), [0x1234]);
        assert_eq!(samples(4, 6, &0.5_f32.to_be_bytes()), [0x4000]);
        assert_eq!(samples(8, 7, &0.5_f64.to_be_bytes()), [0x4000]);
        assert_eq!(samples(1, 27, &[0xaa]), [32_256]);
        assert_eq!(samples(8, 24, &[0xfa; 8]).len(), 16);
        let error = Format::Au.parse(&file(1, 23, 1, &[0])).unwrap_err();
        assert!(error.to_string().contains("AU"), "{error}");
    }

    #[test]
    fn the_size_may_be_untold_or_wrong() {
        assert_eq!(samples(u32::MAX, 1, &[0x80; 5]).len(), 5);
        assert_eq!(samples(500, 1, &[0x80; 5]).len(), 5);
        assert_eq!(samples(2, 1, &[0x80; 5]).len(), 2);
        let mut other = b"dns.".to_vec();
        other.extend([24_u32, 2, 3, 8000, 1].iter().flat_map(|it| it.to_le_bytes()));
        other.extend([0x34, 0x12]);
        assert_eq!(Format::Au.parse(&other).unwrap().samples, [0x1234]);
    }

    #[test]
    fn headers_that_say_nothing_are_refused() {
        for channels in [0, 70_000] {
            assert!(Format::Au.parse(&file(2, 3, channels, &[0; 2])).is_err());
        }
        assert!(Format::Au.parse(&file(2, 3, 1, &[])[..20]).is_err());
    }
}
