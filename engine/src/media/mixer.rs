//! Adds the speakers of a room up once, and gives every listener the sum without himself.
//!
//! The sum is kept in 32 bits and saturated last. All who do not speak hear the same, so that is
//! encoded once per codec and shared; only speakers cost a subtraction and an encoding each. In a
//! room where somebody hears more than 4 kHz, all is added up twice, at 8 kHz and at 16 kHz: then
//! each speaker costs one conversion of rates, and a listener none.

use diesis_sounds::mix;

use super::{Codec, FRAME, Law, OpusSettings, Rate, Samples, WIDE_FRAME, codec::encoder::Encoder};

/// One room's 20 ms. A shard has one and uses it for all its rooms in turn.
#[derive(Debug)]
pub struct Mixer {
    rate: Rate,
    narrow: Sum<FRAME>,
    wide: Sum<WIDE_FRAME>,
    encoded: [Encoded; 2],
    shared: Vec<SharedEncoder>,
}

#[derive(Debug)]
struct Sum<const N: usize> {
    sum: [i32; N],
    speakers: Vec<[i16; N]>,
}

#[derive(Debug)]
struct Encoded {
    payload: [u8; FRAME],
    state: Freshness,
}

/// What a room's listeners hear in one codec that keeps state: the state is the room's.
#[derive(Debug)]
pub(crate) struct SharedEncoder {
    encoder: Encoder,
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
        Self {
            rate: Rate::Narrow,
            narrow: Sum::new(),
            wide: Sum::new(),
            encoded: [stale(), stale()],
            shared: vec![],
        }
    }

    /// Makes room for so many speakers, so that mixing them allocates nothing.
    pub fn reserve(&mut self, speakers: usize) {
        self.narrow.reserve(speakers);
    }

    /// The same, of those who are heard above 4 kHz as well.
    pub(crate) fn reserve_wide(&mut self, speakers: usize) {
        self.wide.reserve(speakers);
    }

    /// Begins the next mix, of 8 kHz.
    pub fn clear(&mut self) {
        self.begin(Rate::Narrow, &mut vec![]);
    }

    /// Begins the next mix, with a room's own encoders; [`end`](Self::end) gives them back.
    pub(crate) fn begin(&mut self, rate: Rate, shared: &mut Vec<SharedEncoder>) {
        self.rate = rate;
        self.narrow.clear();
        if rate == Rate::Wide {
            self.wide.clear();
        }
        for encoded in &mut self.encoded {
            encoded.state = Freshness::Stale;
        }
        std::mem::swap(&mut self.shared, shared);
        for shared in &mut self.shared {
            shared.state = Freshness::Stale;
        }
    }

    /// All have been given what they hear.
    pub(crate) fn end(&mut self, shared: &mut Vec<SharedEncoder>) {
        std::mem::swap(&mut self.shared, shared);
    }

    /// How much the present mix holds.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Adds a member who speaks. All are added before the first is asked for.
    pub fn add_speaker(&mut self, frame: &[i16; FRAME]) -> Speaker {
        self.narrow.add(frame);
        self.narrow.speakers.push(*frame);
        // A shard has far fewer than 2^32 streams.
        Speaker((self.narrow.speakers.len() - 1) as u32)
    }

    /// Adds a member who speaks to a mix of both rates.
    pub(crate) fn add_wide_speaker(
        &mut self,
        narrow: &[i16; FRAME],
        wide: &[i16; WIDE_FRAME],
    ) -> Speaker {
        self.wide.add(wide);
        self.wide.speakers.push(*wide);
        self.add_speaker(narrow)
    }

    /// Adds what everybody hears.
    pub fn add_announcement(&mut self, samples: &[i16]) {
        self.narrow.add(samples);
    }

    /// Adds what everybody hears to the mix of 16 kHz.
    pub(crate) fn add_wide_announcement(&mut self, samples: &[i16; WIDE_FRAME]) {
        self.wide.add(samples);
    }

    /// What those hear who do not speak.
    pub fn for_listener(&mut self, law: Law) -> &[u8; FRAME] {
        let encoded = &mut self.encoded[match law {
            Law::Mu => 0,
            Law::A => 1,
        }];
        if encoded.state == Freshness::Stale {
            law.encode_into(&saturate(&self.narrow.sum), &mut encoded.payload);
            encoded.state = Freshness::Fresh;
        }
        &encoded.payload
    }

    /// The same in a codec that keeps state; `None` if the room has no encoder for it.
    pub(crate) fn for_coded_listener(&mut self, codec: Codec, opus: OpusSettings) -> Option<&[u8]> {
        let rate = self.rate_for(codec);
        let shared = self.shared.iter_mut().find(|shared| shared.encoder.fits(codec, opus))?;
        if shared.state == Freshness::Stale {
            shared.state = Freshness::Fresh;
            match rate {
                Rate::Narrow => {
                    shared.encoder.encode(Samples::Narrow(&saturate(&self.narrow.sum)));
                }
                Rate::Wide => {
                    shared.encoder.encode(Samples::Wide(&saturate(&self.wide.sum)));
                }
            }
        }
        Some(shared.encoder.payload())
    }

    /// What a speaker hears: the others.
    pub fn for_speaker(&self, speaker: Speaker, law: Law, payload: &mut [u8; FRAME]) {
        law.encode_into(&self.narrow.without(speaker), payload);
    }

    /// The same in a codec that keeps state.
    pub(crate) fn for_coded_speaker(&self, speaker: Speaker, encoder: &mut Encoder) {
        match self.rate_for(encoder.codec()) {
            Rate::Narrow => encoder.encode(Samples::Narrow(&self.narrow.without(speaker))),
            Rate::Wide => encoder.encode(Samples::Wide(&self.wide.without(speaker))),
        };
    }

    /// What those hear who do not speak, in an encoder of somebody's own.
    pub(crate) fn encode_all(&self, encoder: &mut Encoder) {
        match self.rate_for(encoder.codec()) {
            Rate::Narrow => encoder.encode(Samples::Narrow(&saturate(&self.narrow.sum))),
            Rate::Wide => encoder.encode(Samples::Wide(&saturate(&self.wide.sum))),
        };
    }

    fn rate_for(&self, codec: Codec) -> Rate {
        codec.rate().min(self.rate)
    }

    /// The whole mix, for a recording.
    pub fn samples(&self) -> [i16; FRAME] {
        saturate(&self.narrow.sum)
    }

    /// What a member hears, for a recording; `None` for those who do not speak.
    pub(crate) fn heard_by(&self, speaker: Option<Speaker>) -> [i16; FRAME] {
        speaker.map_or_else(|| self.samples(), |speaker| self.narrow.without(speaker))
    }
}

impl<const N: usize> Sum<N> {
    const fn new() -> Self {
        Self { sum: [0; N], speakers: vec![] }
    }

    fn reserve(&mut self, speakers: usize) {
        self.speakers.reserve(speakers.saturating_sub(self.speakers.len()));
    }

    fn clear(&mut self) {
        self.sum.fill(0);
        self.speakers.clear();
    }

    fn add(&mut self, samples: &[i16]) {
        mix::add(&mut self.sum, samples);
    }

    fn without(&self, speaker: Speaker) -> [i16; N] {
        let Some(own) = self.speakers.get(speaker.0 as usize) else { return saturate(&self.sum) };
        let mut others = [0; N];
        mix::without(&self.sum, own, &mut others);
        others
    }
}

impl SharedEncoder {
    pub(crate) fn new(codec: Codec, opus: OpusSettings) -> Self {
        Self { encoder: Encoder::new(codec, opus), state: Freshness::Stale }
    }

    pub(crate) fn fits(&self, codec: Codec, opus: OpusSettings) -> bool {
        self.encoder.fits(codec, opus)
    }
}

#[inline]
fn saturate<const N: usize>(sum: &[i32; N]) -> [i16; N] {
    let mut samples = [0; N];
    mix::saturate(sum, &mut samples);
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
    pub(crate) fn handle_frame<const N: usize>(
        &mut self,
        frame: Option<&[i16; N]>,
    ) -> (bool, TalkChange) {
        let (peak, mean) = frame.map_or((0, 0), |frame| {
            let total: u32 = frame.iter().map(|sample| u32::from(sample.unsigned_abs())).sum();
            let peak = frame.iter().fold(0, |peak, sample| sample.unsigned_abs().max(peak));
            (peak, total / N as u32)
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
        mixer.for_speaker(one, Law::Mu, &mut payload);
        assert_eq!((payload[0], payload[10]), (g711::encode_ulaw(-3500), g711::encode_ulaw(-4000)));
        mixer.for_speaker(two, Law::A, &mut payload);
        assert_eq!((payload[0], payload[10]), (g711::encode_alaw(1500), g711::encode_alaw(1000)));
        assert_eq!(mixer.for_listener(Law::Mu)[0], g711::encode_ulaw(-2500));
        assert_eq!(mixer.for_listener(Law::A)[159], g711::encode_alaw(-3000));
        mixer.clear();
        assert_eq!(mixer.for_listener(Law::Mu), &[0xff; FRAME]);
    }

    #[test]
    fn the_sum_saturates_only_after_the_subtraction() {
        let mut mixer = Mixer::new();
        let one = mixer.add_speaker(&[30_000; FRAME]);
        mixer.add_speaker(&[30_000; FRAME]);
        assert_eq!(mixer.samples(), [i16::MAX; FRAME]);
        let mut payload = [0; FRAME];
        mixer.for_speaker(one, Law::Mu, &mut payload);
        assert_eq!(payload[0], g711::encode_ulaw(30_000));
    }

    #[test]
    fn talking_starts_after_a_moment_and_stops_after_a_while() {
        let mut detector = TalkDetector::default();
        let loud = [1000; FRAME];
        assert_eq!(detector.handle_frame(Some(&loud)), (true, TalkChange::None));
        detector.handle_frame(Some(&loud));
        assert_eq!(detector.handle_frame(Some(&loud)), (true, TalkChange::Started));
        let changes: Vec<_> = (0..200).map(|_| detector.handle_frame::<FRAME>(None)).collect();
        assert_eq!(changes[124], (false, TalkChange::Stopped));
        assert!(changes[23].0 && !changes[24].0);
        assert_eq!(detector.reset(), TalkChange::None);
    }
}
