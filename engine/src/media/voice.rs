//! Takes what a program says from a ring that another thread fills; never waits for it.
//!
//! A voice is added to whatever else its stream sends. Where the ring has no whole frame there is
//! silence: the stream's clock is ours, not the program's.

use super::{FRAME, VoiceId};

/// One who speaks.
#[derive(Debug)]
struct Voice {
    id: VoiceId,
    samples: rtrb::Consumer<i16>,
}

/// All voices of a stream.
#[derive(Debug, Default)]
pub(crate) struct Voices {
    voices: Vec<Voice>,
}

impl Voices {
    /// One more; beyond the limit its ring is dropped, which its other end notices.
    pub(crate) fn add(&mut self, id: VoiceId, samples: rtrb::Consumer<i16>) {
        if self.voices.len() < MOST_VOICES {
            self.voices.push(Voice { id, samples });
        }
    }

    pub(crate) fn remove(&mut self, id: VoiceId) {
        self.voices.retain(|voice| voice.id != id);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.voices.is_empty()
    }

    /// Adds the next 20 ms of all voices. One whose other end is gone ends with its last frame.
    pub(crate) fn add_to(&mut self, frame: &mut [i16; FRAME]) {
        self.voices.retain_mut(|voice| {
            // Asked for before reading: what was pushed before the other end went is in the ring.
            let is_abandoned = voice.samples.is_abandoned();
            match voice.samples.read_chunk(FRAME) {
                Ok(chunk) => {
                    for (sum, sample) in frame.iter_mut().zip(chunk) {
                        *sum = sum.saturating_add(sample);
                    }
                    true
                }
                Err(_) => !is_abandoned,
            }
        });
    }
}

/// Voices of one stream; one more is not heard.
pub(crate) const MOST_VOICES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(voices: &mut Voices, id: u64, samples: &[i16]) -> rtrb::Producer<i16> {
        let (mut ring, reader) = rtrb::RingBuffer::new(4 * FRAME);
        for &sample in samples {
            ring.push(sample).unwrap();
        }
        voices.add(VoiceId(id), reader);
        ring
    }

    #[test]
    fn voices_add_up_and_a_missing_frame_is_silence() {
        let mut voices = Voices::default();
        let _first = voice(&mut voices, 1, &[100; 2 * FRAME]);
        let _second = voice(&mut voices, 2, &[i16::MAX; FRAME + 10]);
        let mut frame = [1; FRAME];
        voices.add_to(&mut frame);
        assert_eq!(frame, [i16::MAX; FRAME]);
        frame.fill(0);
        voices.add_to(&mut frame);
        assert_eq!(frame, [100; FRAME]);
        frame.fill(7);
        voices.add_to(&mut frame);
        assert_eq!(frame, [7; FRAME]);
        assert!(!voices.is_empty());
    }

    #[test]
    fn a_voice_whose_other_end_is_gone_ends_with_its_last_frame() {
        let mut voices = Voices::default();
        drop(voice(&mut voices, 1, &[5; FRAME]));
        let mut frame = [0; FRAME];
        voices.add_to(&mut frame);
        assert_eq!((frame, voices.is_empty()), ([5; FRAME], false));
        voices.add_to(&mut frame);
        assert!(voices.is_empty());
    }

    #[test]
    fn one_too_many_is_told_by_its_ring() {
        let mut voices = Voices::default();
        let rings: Vec<_> =
            (0..=MOST_VOICES as u64).map(|id| voice(&mut voices, id, &[])).collect();
        let abandoned: Vec<_> = rings.iter().map(rtrb::Producer::is_abandoned).collect();
        assert_eq!(abandoned, [false, false, false, false, true]);
        voices.remove(VoiceId(0));
        assert!(rings[0].is_abandoned());
    }
}
