//! GSM as it lies in WAV files (`WAV`, `wav49`): two frames in 65 octets, without their signatures,
//! each value with its lowest bit first.

use super::{OCTETS, RATIO_BITS, SIGNATURE};

/// Octets of a pair of frames.
pub const PAIR_OCTETS: usize = 65;

/// Packs two frames.
#[must_use]
pub fn pack(frames: [&[u8; OCTETS]; 2]) -> [u8; PAIR_OCTETS] {
    let (mut pair, mut to) = ([0; PAIR_OCTETS], 0);
    for frame in frames {
        let mut from = 4;
        for bits in widths() {
            for nth in 0..bits {
                // Of the value's bits this is the lowest but `nth`.
                let at = from + bits - 1 - nth;
                pair[to / 8] |= (frame[at / 8] >> (7 - at % 8) & 1) << (to % 8);
                to += 1;
            }
            from += bits;
        }
    }
    pair
}

/// Takes two frames apart.
#[must_use]
pub fn unpack(pair: &[u8; PAIR_OCTETS]) -> [[u8; OCTETS]; 2] {
    let mut from = 0;
    [(); 2].map(|()| {
        let (mut frame, mut to) = ([0; OCTETS], 4);
        frame[0] = (SIGNATURE as u8) << 4;
        for bits in widths() {
            for nth in 0..bits {
                let at = to + bits - 1 - nth;
                frame[at / 8] |= (pair[from / 8] >> (from % 8) & 1) << (7 - at % 8);
                from += 1;
            }
            to += bits;
        }
        frame
    })
}

/// Bits of the values of a frame, in order: table 1.1 of the recommendation.
fn widths() -> impl Iterator<Item = usize> {
    const SUBFRAME: [usize; 17] = [7, 2, 2, 6, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3];
    RATIO_BITS.into_iter().chain([SUBFRAME; 4].into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_its_two_frames() {
        let frame = |seed: u8| {
            let mut octets: [u8; OCTETS] =
                std::array::from_fn(|nth| (nth as u8).wrapping_mul(167).wrapping_add(seed));
            octets[0] = octets[0] & 0x0f | 0xd0;
            octets
        };
        let frames = [frame(3), frame(200)];
        assert_eq!(unpack(&pack([&frames[0], &frames[1]])), frames);
        assert_eq!(4 + widths().sum::<usize>(), 8 * OCTETS);
    }

    #[test]
    fn the_lowest_bit_comes_first() {
        let mut frame = [0; OCTETS];
        // The first ratio, of six bits, is one: bits four to nine of the frame.
        frame[1] = 0x40;
        assert_eq!(pack([&frame, &[0; OCTETS]])[0], 1);
        // That of the second frame stands in the upper half of octet 32.
        assert_eq!(pack([&[0; OCTETS], &frame])[32], 0x10);
    }
}
