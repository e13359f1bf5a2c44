//! Adds the speakers of a room up once, and gives every listener the sum without himself.
//!
//! The sum is kept in 32 bits and saturated last. All who do not speak hear the same, so that is
//! encoded once per codec and shared; only speakers cost a subtraction and an encoding each.

use super::{Codec, FRAME};

/// One room's 20 ms. A shard has one and uses it for all its rooms in turn.
#[derive(Debug)]
pub struct Mixer {
    sum: [i32; FRAME],
    speakers: Vec<[i16; FRAME]>,
    encoded: [Encoded; 2],
}

#[derive(Debug)]
struct Encoded {
    payload: [u8; FRAME],
    state: Freshness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Stale,
    Fresh,
}

/// A speaker's place in the present mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaker(u32);

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

impl Mixer {
    /// An empty mix.
    pub fn new() -> Self {
        let stale = || Encoded { payload: [0; FRAME], state: Freshness::Stale };
        Self { sum: [0; FRAME], speakers: vec![], encoded: [stale(), stale()] }
    }

    /// Makes room for so many speakers, so that mixing them allocates nothing.
    pub fn reserve(&mut self, speakers: usize) {
        self.speakers.reserve(speakers.saturating_sub(self.speakers.len()));
    }

    /// Begins the next mix.
    pub fn clear(&mut self) {
        self.sum.fill(0);
        self.speakers.clear();
        for encoded in &mut self.encoded {
            encoded.state = Freshness::Stale;
        }
    }

    /// Adds a member who speaks. All are added before the first is asked for.
    pub fn add_speaker(&mut self, frame: &[i16; FRAME]) -> Speaker {
        self.add_announcement(frame);
        self.speakers.push(*frame);
        // A shard has far fewer than 2^32 streams.
        Speaker((self.speakers.len() - 1) as u32)
    }

    /// Adds what everybody hears.
    pub fn add_announcement(&mut self, samples: &[i16]) {
        for (sum, &sample) in self.sum.iter_mut().zip(samples) {
            *sum += i32::from(sample);
        }
    }

    /// What those hear who do not speak.
    pub fn for_listener(&mut self, codec: Codec) -> &[u8; FRAME] {
        let encoded = &mut self.encoded[match codec {
            Codec::Pcmu => 0,
            Codec::Pcma => 1,
        }];
        if encoded.state == Freshness::Stale {
            codec.encode_into(&saturate(&self.sum), &mut encoded.payload);
            encoded.state = Freshness::Fresh;
        }
        &encoded.payload
    }

    /// What a speaker hears: the others.
    pub fn for_speaker(&self, speaker: Speaker, codec: Codec, payload: &mut [u8; FRAME]) {
        let mut others = self.sum;
        if let Some(own) = self.speakers.get(speaker.0 as usize) {
            for (sum, &sample) in others.iter_mut().zip(own) {
                *sum -= i32::from(sample);
            }
        }
        codec.encode_into(&saturate(&others), payload);
    }

    /// The whole mix, for a recording.
    pub fn samples(&self) -> [i16; FRAME] {
        saturate(&self.sum)
    }
}

#[inline]
fn saturate(sum: &[i32; FRAME]) -> [i16; FRAME] {
    let mut samples = [0; FRAME];
    for (sample, &sum) in samples.iter_mut().zip(sum) {
        *sample = sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    }
    samples
}

/// Decides from frame to frame whether a member's audio is worth mixing and whether he talks.
#[derive(Debug, Default)]
pub(crate) struct TalkDetector {
    /// Frames for which the member is still mixed.
    hang: u8,
    loud: u8,
    quiet: u16,
    talking: bool,
}

/// What one frame changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TalkChange {
    None,
    Started,
    Stopped,
}

impl TalkDetector {
    /// Whether this frame, or the last half second, was more than the noise of a quantiser: a
    /// member of whom this is not so changes no mix by being left out.
    pub(crate) fn handle_frame(&mut self, frame: Option<&[i16; FRAME]>) -> (bool, TalkChange) {
        let (peak, mean) = frame.map_or((0, 0), |frame| {
            let total: u32 = frame.iter().map(|sample| u32::from(sample.unsigned_abs())).sum();
            let peak = frame.iter().fold(0, |peak, sample| sample.unsigned_abs().max(peak));
            (peak, total / FRAME as u32)
        });
        if peak >= NOISE {
            self.hang = HANG;
        } else {
            self.hang = self.hang.saturating_sub(1);
        }
        (self.hang > 0, self.measure_talk(mean))
    }

    fn measure_talk(&mut self, mean: u32) -> TalkChange {
        if mean >= TALKING {
            self.loud = self.loud.saturating_add(1);
            self.quiet = 0;
        } else {
            self.loud = 0;
            self.quiet = self.quiet.saturating_add(1);
        }
        if !self.talking && self.loud >= TALK_AFTER {
            self.talking = true;
            return TalkChange::Started;
        }
        if self.talking && self.quiet >= QUIET_AFTER {
            self.talking = false;
            return TalkChange::Stopped;
        }
        TalkChange::None
    }

    /// Talking is over, whatever the audio: the member was muted or left.
    pub(crate) fn reset(&mut self) -> TalkChange {
        let talking = std::mem::take(self).talking;
        if talking { TalkChange::Stopped } else { TalkChange::None }
    }
}

/// A peak of -60 dBov; the noise of an idle G.711 line peaks at 8.
const NOISE: u16 = 32;

/// Frames for which a member stays in the mix after the last one above the noise: 0.5 s.
const HANG: u8 = 25;

/// Mean magnitude from which a frame counts as talk: the default of ConfBridge.
const TALKING: u32 = 160;

/// Frames of talk that begin talking: 60 ms, longer than a click.
const TALK_AFTER: u8 = 3;

/// Frames without talk that end it: 2.5 s, the default of ConfBridge.
const QUIET_AFTER: u16 = 125;

#[cfg(test)]
mod tests {
    use diesis_sounds::g711;

    use super::*;

    #[test]
    fn a_speaker_hears_the_others_and_listeners_hear_all() {
        let mut mixer = Mixer::new();
        let one = mixer.add_speaker(&[1000; FRAME]);
        let two = mixer.add_speaker(&[-4000; FRAME]);
        mixer.add_announcement(&[500; 10]);
        let mut payload = [0; FRAME];
        mixer.for_speaker(one, Codec::Pcmu, &mut payload);
        assert_eq!((payload[0], payload[10]), (g711::encode_ulaw(-3500), g711::encode_ulaw(-4000)));
        mixer.for_speaker(two, Codec::Pcma, &mut payload);
        assert_eq!((payload[0], payload[10]), (g711::encode_alaw(1500), g711::encode_alaw(1000)));
        assert_eq!(mixer.for_listener(Codec::Pcmu)[0], g711::encode_ulaw(-2500));
        assert_eq!(mixer.for_listener(Codec::Pcma)[159], g711::encode_alaw(-3000));
        mixer.clear();
        assert_eq!(mixer.for_listener(Codec::Pcmu), &[0xff; FRAME]);
    }

    #[test]
    fn the_sum_saturates_only_after_the_subtraction() {
        let mut mixer = Mixer::new();
        let one = mixer.add_speaker(&[30_000; FRAME]);
        mixer.add_speaker(&[30_000; FRAME]);
        assert_eq!(mixer.samples(), [i16::MAX; FRAME]);
        let mut payload = [0; FRAME];
        mixer.for_speaker(one, Codec::Pcmu, &mut payload);
        assert_eq!(payload[0], g711::encode_ulaw(30_000));
    }

    #[test]
    fn talking_starts_after_a_moment_and_stops_after_a_while() {
        let mut detector = TalkDetector::default();
        let loud = [1000; FRAME];
        assert_eq!(detector.handle_frame(Some(&loud)), (true, TalkChange::None));
        detector.handle_frame(Some(&loud));
        assert_eq!(detector.handle_frame(Some(&loud)), (true, TalkChange::Started));
        let changes: Vec<_> = (0..200).map(|_| detector.handle_frame(None)).collect();
        assert_eq!(changes[124], (false, TalkChange::Stopped));
        assert!(changes[23].0 && !changes[24].0);
        assert_eq!(detector.reset(), TalkChange::None);
    }
}
