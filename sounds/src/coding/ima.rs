//! IMA ADPCM (IMA Recommended Practices for Enhancing Digital Audio Compatibility, 1992): four bits
//! a sample, the difference from the last one in steps that follow its size.
//!
//! In WAV files blocks carry the state of each channel; in AIFF-C files packets of 34 bytes do.

use crate::coding::Order;

/// Bytes of a packet of one channel in an AIFF-C file, and its samples.
pub(super) const PACKET: usize = 34;
pub(super) const PACKET_SAMPLES: usize = 64;

/// Samples of each channel in a block of a WAV file of so many bytes.
pub(super) fn block_frames(bytes: usize, channels: usize) -> usize {
    // The first is in the header; then come groups of eight samples for each channel by turns.
    match bytes.checked_sub(HEADER * channels) {
        Some(rest) => 1 + rest / (GROUP * channels).max(1) * 2 * GROUP,
        None => 0,
    }
}

/// What a channel predicts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Channel {
    sample: i32,
    index: i32,
}

impl Channel {
    fn decode(&mut self, code: u8) -> i16 {
        let step = STEPS[self.index as usize];
        let mut difference = step >> 3;
        for (bit, shift) in [(4, 0), (2, 1), (1, 2)] {
            if code & bit != 0 {
                difference += step >> shift;
            }
        }
        let signed = if code & 8 != 0 { -difference } else { difference };
        self.sample = (self.sample + signed).clamp(i16::MIN.into(), i16::MAX.into());
        self.index = (self.index + INDEX_CHANGE[usize::from(code & 7)]).clamp(0, LAST);
        self.sample as i16
    }
}

/// A block of a WAV file, perhaps cut off at its end: samples of all channels by turns.
pub(super) fn decode_block(block: &[u8], channels: usize, out: &mut [i16]) {
    let (header, groups) = block.split_at((HEADER * channels).min(block.len()));
    for (channel, header) in header.as_chunks::<HEADER>().0.iter().enumerate() {
        let &[low, high, index, _] = header;
        let sample = Order::Little.u16([low, high]).cast_signed().into();
        let mut state = Channel { sample, index: i32::from(index).min(LAST) };
        let mut out = out.iter_mut().skip(channel).step_by(channels);
        let Some(first) = out.next() else { return };
        *first = state.sample as i16;
        let own = groups.as_chunks::<GROUP>().0.iter().skip(channel).step_by(channels);
        let codes = own.flatten().flat_map(|byte| [byte & 15, byte >> 4]);
        out.zip(codes).for_each(|(out, code)| *out = state.decode(code));
    }
}

/// A packet of each channel of an AIFF-C file: samples of all channels by turns.
pub(super) fn decode_packets(packets: &[u8], states: &mut [Channel], out: &mut [i16]) {
    let channels = states.len();
    let packets = packets.as_chunks::<PACKET>().0.iter().zip(states).enumerate();
    for (channel, (packet, state)) in packets {
        let header = Order::Big.u16([packet[0], packet[1]]);
        let sample = i32::from((header & 0xff80).cast_signed());
        // The header has the nine upper bits; where they agree the packet before has the others.
        if (state.sample & !0x7f) != sample {
            state.sample = sample;
        }
        state.index = i32::from(header & 0x7f).min(LAST);
        let codes = packet[2..].iter().flat_map(|byte| [byte & 15, byte >> 4]);
        let out = out.iter_mut().skip(channel).step_by(channels);
        out.zip(codes).for_each(|(out, code)| *out = state.decode(code));
    }
}

/// Bytes of a channel's state before a block.
const HEADER: usize = 4;
/// Bytes of a channel before the next one's turn.
const GROUP: usize = 4;
const LAST: i32 = STEPS.len() as i32 - 1;

const INDEX_CHANGE: [i32; 8] = [-1, -1, -1, -1, 2, 4, 6, 8];

#[rustfmt::skip]
const STEPS: [i32; 89] = [
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66,
    73, 80, 88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449,
    494, 544, 598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272,
    2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493,
    10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_with_its_first_sample_and_low_nibbles_come_first() {
        // Sample 100, index 0 (step 7); codes 4 (+7), 12 (-index 2: step 9 -> -10), then zeros.
        let block = [100, 0, 0, 0, 0xc4, 0, 0, 0];
        assert_eq!(block_frames(block.len(), 1), 9);
        let mut out = [0; 9];
        decode_block(&block, 1, &mut out);
        assert_eq!(out[..3], [100, 107, 97]);
    }

    #[test]
    fn channels_take_turns_by_four_bytes() {
        let mut block = vec![1, 0, 0, 0, 2, 0, 0, 0];
        block.extend([0x44, 0, 0, 0, 0xcc, 0, 0, 0]);
        assert_eq!(block_frames(block.len(), 2), 9);
        let mut out = [0; 18];
        decode_block(&block, 2, &mut out);
        assert_eq!(out[..4], [1, 2, 8, -5]);
    }

    #[test]
    fn what_is_cut_off_holds_what_is_whole() {
        assert_eq!([0, 3, 4, 7, 8, 12].map(|bytes| block_frames(bytes, 1)), [0, 0, 1, 1, 9, 17]);
        let mut out = [0; 1];
        decode_block(&[5, 0, 200, 0, 1, 2], 1, &mut out);
        assert_eq!(out, [5]);
    }
}
