//! What a packet says of its own sound before it is decoded: whether its encoder heard a voice.
//!
//! Packets of speech begin with a bit for each 20 ms of each channel that says so (RFC 6716 §4.2.3).
//! They come first and are equally likely either way, so that they are the highest bits of the first
//! octet, whatever follows:
//!
//!   mono, 20 ms    V L ......          V: there is a voice
//!   stereo, 20 ms  V L V L ....        L: the sound before is repeated here
//!   mono, 60 ms    V V V L ....
//!
//! Packets of sound as such (CELT) begin with whether there is any at all (§4.3, table 56), of which
//! there is one chance in 2^15: fifteen bits that are set.

use super::{duration, is_speech};

/// Whether its encoder heard nobody speak. What says nothing of it may be anything.
pub(in super::super) fn is_silent(payload: &[u8]) -> bool {
    let Some((&head, rest)) = payload.split_first() else { return true };
    match head & 3 {
        0 => is_frame_silent(head, duration(payload), rest),
        // Two of the same size.
        1 => {
            let (one, two) = rest.split_at(rest.len() / 2);
            let each = duration(payload) / 2;
            is_frame_silent(head, each, one) && is_frame_silent(head, each, two)
        }
        _ => false,
    }
}

/// The same of one frame, which lasts for so many steps of 48 kHz.
fn is_frame_silent(head: u8, duration: usize, frame: &[u8]) -> bool {
    // What has no content is a pause in what is sent (RFC 6716 §3.2.1).
    let [bits, next, ..] = *frame else { return true };
    if !is_speech(&[head]) {
        return bits == 0xff && next >= 0xfe;
    }
    // Of 10 ms there is one bit, too.
    let voices = duration.div_ceil(960).clamp(1, 3) as u32;
    let channel = !(u8::MAX >> voices);
    let voice = match head & 0x04 {
        0 => channel,
        _ => channel | channel >> (voices + 1),
    };
    bits & voice == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_voice_are_found_for_each_length_and_both_channels() {
        for (octets, silent) in [
            (&[][..], true),
            (&[0x48], true),
            (&[0x48, 0xff], true),
            // 20 ms: a voice, a repetition alone, neither.
            (&[0x48, 0x80, 0], false),
            (&[0x48, 0x40, 0], true),
            (&[0x48, 0x3f, 0xff], true),
            // 10 ms.
            (&[0x40, 0x80, 0], false),
            (&[0x40, 0x7f, 0], true),
            // 40 and 60 ms.
            (&[0x50, 0x40, 0], false),
            (&[0x50, 0x3f, 0], true),
            (&[0x58, 0x20, 0], false),
            (&[0x58, 0x1f, 0], true),
            // Stereo: the second channel's bits follow the first one's repetition.
            (&[0x4c, 0x20, 0], false),
            (&[0x4c, 0x5f, 0], true),
            (&[0x5c, 0x02, 0], false),
            (&[0x5c, 0x11, 0], true),
            // Speech and sound in one.
            (&[0x78, 0x80, 0], false),
            (&[0x78, 0x7f, 0], true),
            // Sound alone says nothing of voices, but whether there is any: browsers send this.
            (&[0xfc, 0, 0], false),
            (&[0xf8, 0xff, 0xfe], true),
            (&[0xf8, 0xff, 0xfd, 0xff], false),
            (&[0xf9, 0xff, 0xfe, 0xff, 0xff], true),
            (&[0xf9, 0xff, 0xfe, 0xfe, 0xff], false),
            // Speech and sound: there the bits of speech come first.
            (&[0x78, 0xff, 0xff], false),
            // Two frames of one size; of two sizes; many.
            (&[0x49, 0x7f, 0, 0x7f, 0], true),
            (&[0x49, 0x7f, 0, 0x80, 0], false),
            (&[0x49, 0x7f, 0x80], true),
            (&[0x4a, 1, 0, 0, 0], false),
            (&[0x4b, 2, 0, 0, 0, 0], false),
        ] {
            assert_eq!(is_silent(octets), silent, "{octets:x?}");
        }
    }

    #[cfg(feature = "opus")]
    #[test]
    fn an_encoder_tells_speech_from_the_noise_of_a_line() {
        use super::super::{
            super::{OpusSettings, Rate},
            Encoder, MOST_OCTETS,
        };

        let mut random = crate::entropy::Entropy::new(9);
        let mut encoder = Encoder::new(OpusSettings::default(), Rate::Wide);
        let mut silent = |level: i32, syllable: bool| {
            let mut samples = [0; 320];
            for (n, sample) in samples.iter_mut().enumerate() {
                let voice = if syllable { 6000.0 * (n as f64 * 0.05).sin() } else { 0.0 };
                let noise = random.below(2 * level as u32 + 1) as i32 - level;
                *sample = (noise + voice as i32) as i16;
            }
            let mut octets = [0; MOST_OCTETS];
            let count = encoder.encode(&samples, &mut octets);
            is_silent(&octets[..count])
        };
        let quiet: Vec<_> = (0..100).map(|_| silent(20, false)).collect();
        assert!(quiet[50..].iter().all(|&it| it), "{quiet:?}");
        assert!(!silent(20, true), "the first 20 ms of a voice say so");
    }
}
