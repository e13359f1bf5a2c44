//! Samples that are stored one by one: what their bytes mean.

use crate::g711;
use crate::vector::vectorized;

/// Which byte of a sample comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The least significant: RIFF.
    Little,
    /// The most significant: AIFF, AU.
    Big,
}

impl Order {
    /// A number of 16 bits.
    #[must_use]
    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// A number of 32 bits.
    #[must_use]
    pub fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// A number of 64 bits.
    #[must_use]
    pub fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }
}

/// How one sample of one channel is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Offset binary in one byte.
    Unsigned8,
    /// Two's complement in one byte.
    Signed8,
    /// Two's complement of 16 bits.
    Signed16(Order),
    /// Two's complement of 24 bits in three bytes.
    Signed24(Order),
    /// Two's complement of 32 bits, or fewer bits at its upper end.
    Signed32(Order),
    /// IEEE 754 single precision, full scale is 1.
    Float32(Order),
    /// IEEE 754 double precision, full scale is 1.
    Float64(Order),
    /// G.711 µ-law.
    Ulaw,
    /// G.711 A-law.
    Alaw,
}

impl Coding {
    /// Bytes of one sample of one channel.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::Unsigned8 | Self::Signed8 | Self::Ulaw | Self::Alaw => 1,
            Self::Signed16(_) => 2,
            Self::Signed24(_) => 3,
            Self::Signed32(_) | Self::Float32(_) => 4,
            Self::Float64(_) => 8,
        }
    }

    /// How many bits a linear sample needs to be the same again; more than 24 do not come through.
    #[must_use]
    pub const fn precision(self) -> u32 {
        match self {
            Self::Unsigned8 | Self::Signed8 => 8,
            Self::Signed16(_) => 16,
            // Their tables have 14 and 13 bits, left-justified in 16.
            Self::Ulaw | Self::Alaw => 16,
            Self::Signed24(_) => 24,
            Self::Signed32(_) | Self::Float32(_) | Self::Float64(_) => 32,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsigned8 => "8-bit unsigned PCM",
            Self::Signed8 => "8-bit signed PCM",
            Self::Signed16(_) => "16-bit PCM",
            Self::Signed24(_) => "24-bit PCM",
            Self::Signed32(_) => "32-bit PCM",
            Self::Float32(_) => "32-bit float",
            Self::Float64(_) => "64-bit float",
            Self::Ulaw => "G.711 \u{3bc}-law",
            Self::Alaw => "G.711 A-law",
        }
    }

    /// The samples of whole groups of bytes, full scale as 1; what is not a number is silence,
    /// what is infinite is very loud.
    pub fn decode(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::Unsigned8 => each(bytes, out, |[byte]| (f32::from(byte) - 128.0) / 128.0),
            Self::Signed8 => each(bytes, out, |[byte]| f32::from(byte.cast_signed()) / 128.0),
            Self::Signed16(Order::Little) => little16(bytes, out),
            Self::Signed16(Order::Big) => each(bytes, out, |it| short(i16::from_be_bytes(it))),
            Self::Signed24(Order::Little) => {
                each(bytes, out, |[a, b, c]| long(i32::from_le_bytes([0, a, b, c])));
            }
            Self::Signed24(Order::Big) => {
                each(bytes, out, |[a, b, c]| long(i32::from_be_bytes([a, b, c, 0])));
            }
            Self::Signed32(order) => each(bytes, out, |it| long(order.u32(it).cast_signed())),
            Self::Float32(order) => each(bytes, out, |it| sane(f32::from_bits(order.u32(it)))),
            Self::Float64(order) => {
                each(bytes, out, |it| sane(f64::from_bits(order.u64(it)) as f32));
            }
            Self::Ulaw => each(bytes, out, |[byte]| short(g711::decode_ulaw(byte))),
            Self::Alaw => each(bytes, out, |[byte]| short(g711::decode_alaw(byte))),
        }
    }
}

vectorized! {
    /// The most common of all.
    fn little16(bytes: &[u8], out: &mut [f32]) {
        each(bytes, out, |it| short(i16::from_le_bytes(it)));
    }
}

#[inline(always)]
fn each<const WIDTH: usize>(bytes: &[u8], out: &mut [f32], value: impl Fn([u8; WIDTH]) -> f32) {
    let (groups, _) = bytes.as_chunks::<WIDTH>();
    for (out, group) in out.iter_mut().zip(groups) {
        *out = value(*group);
    }
}

#[inline(always)]
fn short(sample: i16) -> f32 {
    f32::from(sample) * (1.0 / 32_768.0)
}

#[inline(always)]
fn long(sample: i32) -> f32 {
    (f64::from(sample) * (1.0 / 2_147_483_648.0)) as f32
}

/// Floats over full scale are kept: what makes them quieter may still come.
#[inline(always)]
fn sane(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(-MOST, MOST) }
}

/// 60 dB over full scale: no sound, and far from where sums lose their meaning.
const MOST: f32 = 1000.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<f32> {
        let mut out = vec![0.0; bytes.len() / coding.width()];
        coding.decode(bytes, &mut out);
        out
    }

    #[test]
    fn full_scale_is_one_in_every_coding() {
        use Coding::*;
        for order in [Order::Little, Order::Big] {
            let bytes = |little: &[u8]| {
                let mut bytes = little.to_vec();
                if order == Order::Big {
                    bytes.reverse();
                }
                bytes
            };
            assert_eq!(decoded(Signed16(order), &bytes(&[0, 0x80])), [-1.0]);
            assert_eq!(decoded(Signed24(order), &bytes(&[0, 0, 0xc0])), [-0.5]);
            assert_eq!(decoded(Signed32(order), &bytes(&[0, 0, 0, 0x40])), [0.5]);
            assert_eq!(decoded(Float32(order), &bytes(&0.25_f32.to_le_bytes())), [0.25]);
            assert_eq!(decoded(Float64(order), &bytes(&0.25_f64.to_le_bytes())), [0.25]);
        }
        assert_eq!(decoded(Unsigned8, &[0, 128, 192]), [-1.0, 0.0, 0.5]);
        assert_eq!(decoded(Signed8, &[0x80, 0, 64]), [-1.0, 0.0, 0.5]);
        assert_eq!(decoded(Ulaw, &[0xff, 0x80]), [0.0, 32_124.0 / 32_768.0]);
        assert_eq!(decoded(Alaw, &[0xaa]), [32_256.0 / 32_768.0]);
    }

    #[test]
    fn what_is_no_number_is_silence_and_infinity_is_bounded() {
        let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2.0];
        let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        assert_eq!(decoded(Coding::Float32(Order::Little), &bytes), [0.0, MOST, -MOST, 2.0]);
        let bytes = 1e300_f64.to_le_bytes();
        assert_eq!(decoded(Coding::Float64(Order::Little), &bytes), [MOST]);
    }

    #[test]
    fn every_16_bit_sample_comes_through() {
        let bytes: Vec<u8> = (i16::MIN..=i16::MAX).flat_map(i16::to_le_bytes).collect();
        let samples = decoded(Coding::Signed16(Order::Little), &bytes);
        let back = samples.iter().map(|it| crate::pcm::from_f32(*it));
        assert!(back.eq(i16::MIN..=i16::MAX));
    }
}
