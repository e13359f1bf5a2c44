//! Microsoft ADPCM (Multimedia Data Standards Update, 1994): four bits a sample, the difference from
//! what two samples before predict, in steps that follow its size.

use crate::coding::Order;

/// Samples of each channel in a block of so many bytes.
pub(super) fn block_frames(bytes: usize, channels: usize) -> usize {
    match bytes.checked_sub(HEADER * channels) {
        Some(rest) => 2 + rest * 2 / channels.max(1),
        None => 0,
    }
}

/// How a channel's two last samples predict the next one, in 256ths.
pub(crate) const COEFFICIENTS: [(i16, i16); 7] =
    [(256, 0), (512, -256), (0, 0), (192, 64), (240, 0), (460, -208), (392, -232)];

/// A block, perhaps cut off at its end: samples of all channels by turns.
pub(super) fn decode_block(block: &[u8], channels: usize, out: &mut [i16]) {
    let Some((header, codes)) = block.split_at_checked(HEADER * channels) else { return };
    let word = |at: usize| Order::Little.u16([header[at], header[at + 1]]).cast_signed();
    // First all predictors, then all steps, then all second and all first samples.
    for (channel, &predictor) in header[..channels].iter().enumerate() {
        let nth = |row: usize| word(channels + 2 * (row * channels + channel));
        let predictor = usize::from(predictor).min(COEFFICIENTS.len() - 1);
        let (first, second) = COEFFICIENTS[predictor];
        let mut state = Channel {
            coefficients: (first.into(), second.into()),
            step: nth(0).into(),
            last: nth(1).into(),
            before: nth(2).into(),
        };
        let mut out = out.iter_mut().skip(channel).step_by(channels);
        for sample in [state.before, state.last] {
            let Some(out) = out.next() else { return };
            *out = sample as i16;
        }
        let codes = codes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let own = codes.skip(channel).step_by(channels);
        out.zip(own).for_each(|(out, code)| *out = state.decode(code));
    }
}

struct Channel {
    coefficients: (i32, i32),
    step: i32,
    last: i32,
    before: i32,
}

impl Channel {
    fn decode(&mut self, code: u8) -> i16 {
        let predicted = (self.last * self.coefficients.0 + self.before * self.coefficients.1) / 256;
        let signed = i32::from(code) - if code & 8 != 0 { 16 } else { 0 };
        let sample = (predicted + signed * self.step).clamp(i16::MIN.into(), i16::MAX.into());
        // A step beyond 16 bits is only in files that were made to be: it stays where no product
        // overflows.
        self.step = (STEP_CHANGE[usize::from(code)] * self.step / 256).clamp(16, MOST_STEP);
        self.before = self.last;
        self.last = sample;
        sample as i16
    }
}

/// Bytes of a channel's state before a block.
const HEADER: usize = 7;

const MOST_STEP: i32 = i32::MAX / 768;

/// How a code changes the step, in 256ths.
const STEP_CHANGE: [i32; 16] =
    [230, 230, 230, 230, 307, 409, 512, 614, 768, 614, 512, 409, 307, 230, 230, 230];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_with_two_samples_the_older_one_last() {
        // Predictor 0 (the last sample), step 16, samples 100 after 90; codes 1 (+16), 15 (-16).
        let block = [0, 16, 0, 100, 0, 90, 0, 0x1f];
        assert_eq!(block_frames(block.len(), 1), 4);
        let mut out = [0; 4];
        decode_block(&block, 1, &mut out);
        assert_eq!(out, [90, 100, 116, 100]);
    }

    #[test]
    fn two_channels_share_each_byte() {
        let block = [0, 0, 16, 0, 16, 0, 1, 0, 2, 0, 3, 0, 4, 0, 0x12];
        assert_eq!(block_frames(block.len(), 2), 3);
        let mut out = [0; 6];
        decode_block(&block, 2, &mut out);
        assert_eq!(out, [3, 4, 1, 2, 17, 34]);
    }

    #[test]
    fn no_block_overflows() {
        for fill in [0x00, 0x7f, 0x80, 0x88, 0xff] {
            let block = [fill; 2048];
            let mut out = vec![0; block_frames(block.len(), 1)];
            decode_block(&block, 1, &mut out);
        }
        assert_eq!([0, 6, 7, 8].map(|bytes| block_frames(bytes, 1)), [0, 0, 2, 4]);
    }
}
