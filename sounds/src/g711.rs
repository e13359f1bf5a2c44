//! G.711 μ-law and A-law: the only tables in the project.
//!
//! Bit-exact with the reference code of ITU-T G.191 (`g711.c`), which is G.711 with 16-bit
//! left-justified samples: an input on a decision value goes to the interval above it when it is
//! positive and to the one nearer zero when it is negative. Encoding one sample is a look-up in a
//! table built by the compiler; whole frames go through `frames`. Nothing here allocates.

mod frames;

/// μ-law of digital silence (positive zero).
pub const ULAW_SILENCE: u8 = 0xff;
/// A-law of the smallest positive value; A-law has no zero.
pub const ALAW_SILENCE: u8 = 0xd5;

/// One sample to μ-law; the two low bits are below μ-law's resolution.
#[inline]
#[must_use]
pub const fn encode_ulaw(sample: i16) -> u8 {
    ULAW_ENCODE[(sample as u16 >> 2) as usize]
}

/// One μ-law byte to the sample it stands for.
#[inline]
#[must_use]
pub const fn decode_ulaw(byte: u8) -> i16 {
    ULAW_DECODE[byte as usize]
}

/// One sample to A-law; the four low bits are below A-law's resolution.
#[inline]
#[must_use]
pub const fn encode_alaw(sample: i16) -> u8 {
    ALAW_ENCODE[(sample as u16 >> 4) as usize]
}

/// One A-law byte to the sample it stands for.
#[inline]
#[must_use]
pub const fn decode_alaw(byte: u8) -> i16 {
    ALAW_DECODE[byte as usize]
}

/// Encodes as many samples as both slices hold; returns that number.
#[inline]
pub fn encode_ulaw_into(samples: &[i16], out: &mut [u8]) -> usize {
    frames::encode_ulaw(samples, out);
    samples.len().min(out.len())
}

/// Decodes as many bytes as both slices hold; returns that number.
#[inline]
pub fn decode_ulaw_into(bytes: &[u8], out: &mut [i16]) -> usize {
    frames::decode_ulaw(bytes, out);
    bytes.len().min(out.len())
}

/// Encodes as many samples as both slices hold; returns that number.
#[inline]
pub fn encode_alaw_into(samples: &[i16], out: &mut [u8]) -> usize {
    frames::encode_alaw(samples, out);
    samples.len().min(out.len())
}

/// Decodes as many bytes as both slices hold; returns that number.
#[inline]
pub fn decode_alaw_into(bytes: &[u8], out: &mut [i16]) -> usize {
    frames::decode_alaw(bytes, out);
    bytes.len().min(out.len())
}

/// Indexed by the 14 significant bits: 16 KiB stays in the first-level cache, 64 KiB would not.
static ULAW_ENCODE: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < table.len() {
        table[index] = compress_ulaw(((index as u16) << 2) as i16);
        index += 1;
    }
    table
};

static ALAW_ENCODE: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut index = 0;
    while index < table.len() {
        table[index] = compress_alaw(((index as u16) << 4) as i16);
        index += 1;
    }
    table
};

static ULAW_DECODE: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = expand_ulaw(byte as u8);
        byte += 1;
    }
    table
};

static ALAW_DECODE: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = expand_alaw(byte as u8);
        byte += 1;
    }
    table
};

/// One's complement for negative samples, so that -1 and 0 lie symmetrically about the axis.
const fn magnitude(sample: i16) -> u16 {
    (if sample < 0 { !sample } else { sample }) as u16
}

const fn compress_ulaw(sample: i16) -> u8 {
    let biased = (magnitude(sample) >> 2) + ULAW_BIAS;
    let biased = if biased > 0x1fff { 0x1fff } else { biased };
    let segment = 10 - biased.leading_zeros() as u16;
    let step = (biased >> (segment + 1)) & 0x0f;
    let code = !(segment << 4 | step) as u8 & 0x7f;
    if sample >= 0 { code | 0x80 } else { code }
}

const fn expand_ulaw(byte: u8) -> i16 {
    let code = !byte;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0f) as u16;
    let value = ((((step << 1) + ULAW_BIAS) << segment) - ULAW_BIAS) << 2;
    if byte & 0x80 != 0 { value as i16 } else { -(value as i16) }
}

const fn compress_alaw(sample: i16) -> u8 {
    let mut value = magnitude(sample) >> 4;
    if value > 15 {
        let mut segment = 1;
        while value > 31 {
            value >>= 1;
            segment += 1;
        }
        value = (value - 16) | segment << 4;
    }
    let code = if sample >= 0 { value | 0x80 } else { value };
    // Even bits are inverted on the line (G.711 §3, table 1a note 2).
    code as u8 ^ 0x55
}

const fn expand_alaw(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0f) as i16;
    let value = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if byte & 0x80 != 0 { value } else { -value }
}

const ULAW_BIAS: u16 = 33;

#[cfg(test)]
mod tests {
    use super::*;

    /// Decision values of one polarity, in units of the law's own resolution, built up from the
    /// lengths of the segments as G.711's tables 1a and 2a list them.
    fn decision_values(first_step: i32, segments: &[(usize, i32)]) -> Vec<i32> {
        let mut values = vec![0, first_step];
        for &(count, step) in segments {
            for _ in 0..count {
                values.push(values[values.len() - 1] + step);
            }
        }
        values
    }

    fn ulaw_decisions() -> Vec<i32> {
        let values = decision_values(
            1,
            &[(15, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128), (16, 256)],
        );
        assert_eq!((values.len(), values[128]), (129, 8159));
        values
    }

    fn alaw_decisions() -> Vec<i32> {
        let values = decision_values(
            2,
            &[(31, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128)],
        );
        assert_eq!((values.len(), values[128]), (129, 4096));
        values
    }

    /// Interval number: how many decision values are at or below the magnitude.
    fn interval(decisions: &[i32], magnitude: i32) -> usize {
        decisions[1..128].iter().filter(|&&d| d <= magnitude).count()
    }

    #[test]
    fn ulaw_of_every_sample_is_its_interval_in_table_2a() {
        let decisions = ulaw_decisions();
        for sample in i16::MIN..=i16::MAX {
            let wide = i32::from(sample);
            let (sign, size) = if wide < 0 { (0, -wide - 1) } else { (0x80, wide) };
            let expected = sign | (0x7f - interval(&decisions, size / 4) as u8);
            assert_eq!(encode_ulaw(sample), expected, "sample {sample}");
        }
    }

    #[test]
    fn alaw_of_every_sample_is_its_interval_in_table_1a() {
        let decisions = alaw_decisions();
        for sample in i16::MIN..=i16::MAX {
            let wide = i32::from(sample);
            let (sign, size) = if wide < 0 { (0, -wide - 1) } else { (0x80, wide) };
            let expected = (sign | interval(&decisions, size / 8) as u8) ^ 0x55;
            assert_eq!(encode_alaw(sample), expected, "sample {sample}");
        }
    }

    #[test]
    fn every_byte_decodes_to_the_middle_of_its_interval() {
        let (ulaw, alaw) = (ulaw_decisions(), alaw_decisions());
        for byte in 0..=255_u8 {
            let sign = if byte & 0x80 == 0 { -1 } else { 1 };
            let n = usize::from(!byte & 0x7f);
            // Table 2a: y0 = 0, then the mean of the two neighbours.
            let middle = if n == 0 { 0 } else { (ulaw[n] + ulaw[n + 1]) * 2 };
            assert_eq!(i32::from(decode_ulaw(byte)), sign * middle, "mu-law {byte:#x}");
            let n = usize::from((byte ^ 0x55) & 0x7f);
            let middle = (alaw[n] + alaw[n + 1]) * 4;
            assert_eq!(i32::from(decode_alaw(byte)), sign * middle, "A-law {byte:#x}");
        }
    }

    #[test]
    fn encoding_what_was_decoded_gives_the_same_byte() {
        for byte in 0..=255_u8 {
            assert_eq!(encode_alaw(decode_alaw(byte)), byte);
            // 0x7f is negative zero: no sample tells it from zero.
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(encode_ulaw(decode_ulaw(byte)), expected);
        }
    }

    #[test]
    fn silence_and_extremes_are_the_well_known_bytes() {
        assert_eq!(encode_ulaw(0), ULAW_SILENCE);
        assert_eq!(encode_alaw(0), ALAW_SILENCE);
        assert_eq!([encode_ulaw(i16::MAX), encode_ulaw(i16::MIN)], [0x80, 0x00]);
        assert_eq!([encode_alaw(i16::MAX), encode_alaw(i16::MIN)], [0xaa, 0x2a]);
        assert_eq!([decode_ulaw(0x80), decode_ulaw(0)], [32_124, -32_124]);
        assert_eq!([decode_alaw(0xaa), decode_alaw(0x2a)], [32_256, -32_256]);
    }

    #[test]
    fn slices_convert_what_fits_in_both() {
        let samples = [0_i16, 1000, -1000, i16::MAX];
        let mut bytes = [0_u8; 3];
        assert_eq!(encode_ulaw_into(&samples, &mut bytes), 3);
        assert_eq!(bytes, [encode_ulaw(0), encode_ulaw(1000), encode_ulaw(-1000)]);
        let mut back = [7_i16; 5];
        assert_eq!(decode_ulaw_into(&bytes, &mut back), 3);
        assert_eq!(back[3..], [7, 7]);
        assert_eq!(encode_alaw_into(&samples, &mut bytes), 3);
        assert_eq!(decode_alaw_into(&bytes, &mut back), 3);
        assert_eq!(back[1], decode_alaw(encode_alaw(1000)));
    }
}
