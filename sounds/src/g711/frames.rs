//! G.711 of many samples at once, by arithmetic that the compiler turns into vector instructions.
//!
//! A table is read one sample at a time; this takes eight or sixteen. A law's segment and step are
//! the exponent and the first four bits of the mantissa of a float, so converting to one finds the
//! segment and adding 2^23 converts back. Every float here is a whole number below 2^24, hence
//! exact.

use crate::vector::vectorized;

vectorized! {
    /// Samples to μ-law, as many as both slices hold.
    pub(super) fn encode_ulaw(from: &[i16], to: &mut [u8]) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = compress_ulaw(from);
        }
    }
}

vectorized! {
    /// Samples to A-law, as many as both slices hold.
    pub(super) fn encode_alaw(from: &[i16], to: &mut [u8]) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = compress_alaw(from);
        }
    }
}

vectorized! {
    /// μ-law to samples, as many as both slices hold.
    pub(super) fn decode_ulaw(from: &[u8], to: &mut [i16]) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = expand_ulaw(from);
        }
    }
}

vectorized! {
    /// A-law to samples, as many as both slices hold.
    pub(super) fn decode_alaw(from: &[u8], to: &mut [i16]) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = expand_alaw(from);
        }
    }
}

#[inline(always)]
fn compress_ulaw(sample: i16) -> u8 {
    let negative = (sample >> 15) as u16;
    let magnitude = ((sample as u16 ^ negative) >> 2).wrapping_add(ULAW_BIAS).min(ULAW_MOST);
    // 33 is 2^5 and more: segment 0.
    let code = segment_and_step(magnitude).wrapping_sub((EXPONENT_BIAS + 5) << 4);
    !(code | (negative & SIGN)) as u8
}

#[inline(always)]
fn compress_alaw(sample: i16) -> u8 {
    let negative = (sample >> 15) as u16;
    let magnitude = (sample as u16 ^ negative) >> 4;
    // 16 is 2^4: segment 1. Segment 0 is as fine and begins at nought.
    let code = segment_and_step(magnitude).wrapping_sub((EXPONENT_BIAS + 3) << 4);
    let code = if magnitude < 16 { magnitude } else { code };
    (code ^ ALAW_LINE ^ (negative & SIGN)) as u8
}

#[inline(always)]
fn expand_ulaw(byte: u8) -> i16 {
    let code = !u16::from(byte);
    let magnitude = middle(code & 0x7f, -ULAW_OFFSET);
    with_sign(magnitude, code)
}

#[inline(always)]
fn expand_alaw(byte: u8) -> i16 {
    let code = u16::from(byte) ^ ALAW_LINE;
    let low = code & 0x7f;
    let magnitude = if low < 16 { low << 4 | 8 } else { middle(low, 0.0) };
    with_sign(magnitude, code)
}

/// The exponent, biased, above the first four bits of the mantissa.
#[inline(always)]
fn segment_and_step(magnitude: u16) -> u16 {
    ((f32::from(magnitude)).to_bits() >> 19) as u16
}

/// The middle of an interval: 2^(7 + segment) * (1 + (2 * step + 1) / 32) and `offset` more.
#[inline(always)]
fn middle(code: u16, offset: f32) -> u16 {
    let bits = (u32::from(code) << 19).wrapping_add(u32::from(EXPONENT_BIAS + 7) << 23 | 1 << 18);
    // From 2^23 on, the low bits of a float are the whole number.
    (f32::from_bits(bits) + (8_388_608.0 + offset)).to_bits() as u16
}

/// Negative where the code's sign bit is set.
#[inline(always)]
fn with_sign(magnitude: u16, code: u16) -> i16 {
    let negative = ((code << 8) as i16 >> 15) as u16;
    (magnitude ^ negative).wrapping_sub(negative) as i16
}

const SIGN: u16 = 0x80;
const EXPONENT_BIAS: u16 = 127;
const ULAW_BIAS: u16 = super::ULAW_BIAS;
const ULAW_MOST: u16 = 0x1fff;
/// The bias in units of samples.
const ULAW_OFFSET: f32 = 4.0 * ULAW_BIAS as f32;
/// Inverted even bits, and the sign bit, which is set in what is positive.
const ALAW_LINE: u16 = 0xd5;

#[cfg(test)]
mod tests {
    use super::super::{ALAW_DECODE, ALAW_ENCODE, ULAW_DECODE, ULAW_ENCODE};
    use super::*;

    fn samples() -> Vec<i16> {
        (i16::MIN..=i16::MAX).collect()
    }

    #[test]
    fn every_sample_is_encoded_as_the_tables_have_it() {
        let samples = samples();
        let mut bytes = vec![0; samples.len()];
        encode_ulaw(&samples, &mut bytes);
        for (&sample, &byte) in samples.iter().zip(&bytes) {
            assert_eq!(byte, ULAW_ENCODE[(sample as u16 >> 2) as usize], "mu-law of {sample}");
            assert_eq!(compress_ulaw(sample), byte, "one by one as many at once");
        }
        encode_alaw(&samples, &mut bytes);
        for (&sample, &byte) in samples.iter().zip(&bytes) {
            assert_eq!(byte, ALAW_ENCODE[(sample as u16 >> 4) as usize], "A-law of {sample}");
            assert_eq!(compress_alaw(sample), byte, "one by one as many at once");
        }
    }

    #[test]
    fn every_byte_is_decoded_as_the_tables_have_it() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut samples = [0; 256];
        decode_ulaw(&bytes, &mut samples);
        assert_eq!(samples, ULAW_DECODE);
        assert!(bytes.iter().map(|&byte| expand_ulaw(byte)).eq(samples));
        decode_alaw(&bytes, &mut samples);
        assert_eq!(samples, ALAW_DECODE);
        assert!(bytes.iter().map(|&byte| expand_alaw(byte)).eq(samples));
    }

    #[test]
    fn a_frame_of_any_length_is_whole() {
        let samples = samples();
        for length in 0..=70 {
            let (mut bytes, mut back) = ([0xaa; 72], [0x55; 72]);
            encode_ulaw(&samples[100..100 + length], &mut bytes);
            decode_ulaw(&bytes[..length], &mut back);
            assert!(bytes[length..].iter().all(|&byte| byte == 0xaa));
            assert!(back[length..].iter().all(|&sample| sample == 0x55));
            assert!(back[..length].iter().zip(&bytes).all(|(&it, &byte)| it == expand_ulaw(byte)));
        }
    }
}
