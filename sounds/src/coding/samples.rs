//! Samples that are stored one by one: what their bytes mean.

use super::{Coding, Order};
use crate::g711;
use crate::vector::vectorized;

/// The samples of whole groups of bytes, full scale as 1; what is not a number is silence, what is
/// infinite is very loud. Says whether the coding is one of these at all.
pub(super) fn decode(coding: Coding, bytes: &[u8], out: &mut [f32]) -> bool {
    match coding {
        Coding::Unsigned8 => each(bytes, out, |[byte]| (f32::from(byte) - 128.0) / 128.0),
        Coding::Signed8 => each(bytes, out, |[byte]| f32::from(byte.cast_signed()) / 128.0),
        Coding::Signed16(Order::Little) => little16(bytes, out),
        Coding::Signed16(Order::Big) => each(bytes, out, |it| short(i16::from_be_bytes(it))),
        Coding::Signed24(Order::Little) => {
            each(bytes, out, |[a, b, c]| long(i32::from_le_bytes([0, a, b, c])));
        }
        Coding::Signed24(Order::Big) => {
            each(bytes, out, |[a, b, c]| long(i32::from_be_bytes([a, b, c, 0])));
        }
        Coding::Signed32(order) => each(bytes, out, |it| long(order.u32(it).cast_signed())),
        Coding::Float32(order) => each(bytes, out, |it| sane(f32::from_bits(order.u32(it)))),
        Coding::Float64(order) => {
            each(bytes, out, |it| sane(f64::from_bits(order.u64(it)) as f32));
        }
        Coding::Ulaw => each(bytes, out, |[byte]| short(g711::decode_ulaw(byte))),
        Coding::Alaw => each(bytes, out, |[byte]| short(g711::decode_alaw(byte))),
        _ => return false,
    }
    true
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
pub(crate) fn sane(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(-MOST, MOST) }
}

/// 60 dB over full scale: no sound, and far from where sums lose their meaning.
const MOST: f32 = 1000.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<f32> {
        let mut out = vec![0.0; bytes.len() / coding.unit(1).0];
        assert!(decode(coding, bytes, &mut out));
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
