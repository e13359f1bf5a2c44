//! Adds the speakers of a room up once, and gives every listener the sum without himself.
//!
//! The sum is kept in 32 bits and made to fit last, by a limiter. All who do not speak hear the same,
//! so that is encoded once per codec and shared; only speakers cost a subtraction and an encoding each. In a
//! room where somebody hears more than 4 kHz, all is added up twice, at 8 kHz and at 16 kHz, and once
//! more at 48 kHz where that is of use: then each speaker costs one conversion of rates, and a listener
//! none.

mod limiter;
mod noise;

use diesis_sounds::mix;

pub use limiter::Limiter;

use self::noise::{NOISE as ROOM_NOISE, Noise};
use super::{
    Codec, FRAME, FULL_FRAME, Gain, Law, OpusSettings, OpusSilence, Rate, TalkRules, WIDE_FRAME,
    codec::encoder::Encoder,
    sound::{Samples, Sound, Space},
};

/// One room's 20 ms. A shard has one and uses it for all its rooms in turn.
#[derive(Debug)]
pub struct Mixer {
    rate: Rate,
    narrow: Sum<FRAME>,
    wide: Sum<WIDE_FRAME>,
    full: Sum<FULL_FRAME>,
    encoded: [Encoded; 2],
    /// What the room keeps from mix to mix.
    room: RoomMix,
    /// Whether something is said to the whole room.
    announces: bool,
    noise: &'static Noise,
    /// Mixes begun.
    nth: usize,
}

#[derive(Debug)]
struct Sum<const N: usize> {
    sum: [i32; N],
    speakers: Vec<[i16; N]>,
    /// What those hear who do not speak.
    whole: [i16; N],
    state: Freshness,
}

/// What a room keeps from mix to mix.
#[derive(Debug, Default)]
pub(crate) struct RoomMix {
    /// One for each codec that keeps state and that a member hears.
    encoders: Vec<SharedEncoder>,
    /// Of 8 kHz, of 16 kHz and of 48 kHz.
    limiters: [Limiter; 3],
}

#[derive(Debug)]
struct Encoded {
    payload: [u8; FRAME],
    state: Freshness,
}

/// What a room's listeners hear in one codec that keeps state: the state is the room's.
#[derive(Debug)]
struct SharedEncoder {
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
            full: Sum::new(),
            encoded: [stale(), stale()],
            room: RoomMix::default(),
            announces: false,
            noise: &ROOM_NOISE,
            nth: 0,
        }
    }

    /// Makes room for so many speakers, so that mixing them allocates nothing.
    pub fn reserve(&mut self, speakers: usize) {
        self.narrow.reserve(speakers);
    }

    /// The same for what is added up of higher rates.
    pub(crate) fn reserve_up_to(&mut self, rate: Rate, speakers: usize) {
        if rate >= Rate::Wide {
            self.wide.reserve(speakers);
        }
        if rate >= Rate::Full {
            self.full.reserve(speakers);
        }
    }

    /// Begins the next mix, of 8 kHz.
    pub fn clear(&mut self) {
        let mut room = RoomMix::default();
        self.begin(Rate::Narrow, &mut room);
    }

    /// Begins the next mix, with what the room keeps; [`end`](Self::end) gives it back.
    pub(crate) fn begin(&mut self, rate: Rate, room: &mut RoomMix) {
        self.rate = rate;
        self.announces = false;
        self.nth = self.nth.wrapping_add(1);
        self.narrow.clear();
        if rate >= Rate::Wide {
            self.wide.clear();
        }
        if rate >= Rate::Full {
            self.full.clear();
        }
        for encoded in &mut self.encoded {
            encoded.state = Freshness::Stale;
        }
        std::mem::swap(&mut self.room, room);
        for shared in &mut self.room.encoders {
            shared.state = Freshness::Stale;
        }
    }

    /// All have been given what they hear.
    pub(crate) fn end(&mut self, room: &mut RoomMix) {
        std::mem::swap(&mut self.room, room);
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

    /// Adds a member who speaks, at all rates of the mix: `sound` has as many.
    pub(crate) fn add(&mut self, sound: Sound<'_>) -> Speaker {
        if let Some(wide) = sound.wide.filter(|_| self.rate >= Rate::Wide) {
            self.wide.add(wide);
            self.wide.speakers.push(*wide);
        }
        if let Some(full) = sound.full.filter(|_| self.rate >= Rate::Full) {
            self.full.add(full);
            self.full.speakers.push(*full);
        }
        self.add_speaker(sound.narrow)
    }

    /// Adds what everybody hears.
    pub fn add_announcement(&mut self, samples: &[i16]) {
        self.announces = true;
        self.narrow.add(samples);
    }

    /// The same at all rates of the mix.
    pub(crate) fn announce(&mut self, sound: Sound<'_>) {
        self.add_announcement(sound.narrow);
        if let Some(wide) = sound.wide.filter(|_| self.rate >= Rate::Wide) {
            self.wide.add(wide);
        }
        if let Some(full) = sound.full.filter(|_| self.rate >= Rate::Full) {
            self.full.add(full);
        }
    }

    /// What somebody does not hear of what was added, or nothing else.
    pub(crate) fn keep_from(&mut self, speaker: Option<Speaker>, sound: Sound<'_>) -> Speaker {
        let at = speaker.map(|Speaker(at)| at as usize);
        if let Some(wide) = sound.wide.filter(|_| self.rate >= Rate::Wide) {
            self.wide.keep_from(at, wide);
        }
        if let Some(full) = sound.full.filter(|_| self.rate >= Rate::Full) {
            self.full.keep_from(at, full);
        }
        self.narrow.keep_from(at, sound.narrow)
    }

    /// What those hear who do not speak.
    pub fn for_listener(&mut self, law: Law) -> &[u8; FRAME] {
        if self.is_silent(None) {
            return self.noise.payload(self.nth, law);
        }
        let encoded = &mut self.encoded[match law {
            Law::Mu => 0,
            Law::A => 1,
        }];
        if encoded.state == Freshness::Stale {
            let whole = self.narrow.whole(&mut self.room.limiters[0]);
            law.encode_into(whole, &mut encoded.payload);
            encoded.state = Freshness::Fresh;
        }
        &encoded.payload
    }

    /// The same in a codec that keeps state; `None` if the room has no encoder for it.
    pub(crate) fn for_coded_listener(&mut self, codec: Codec, opus: OpusSettings) -> Option<&[u8]> {
        let is_silent = self.is_silent(None);
        let RoomMix { encoders, limiters } = &mut self.room;
        let shared = encoders.iter_mut().find(|shared| shared.encoder.fits(codec, opus))?;
        if shared.state == Freshness::Stale {
            shared.state = Freshness::Fresh;
            // Who has silence left out makes noise of his own.
            let makes_noise = codec == Codec::Opus && opus.silence == OpusSilence::LeftOut;
            let samples = match self.rate.min(shared.encoder.rate()) {
                rate if is_silent && !makes_noise => self.noise.samples(self.nth, rate),
                Rate::Narrow => Samples::Narrow(self.narrow.whole(&mut limiters[0])),
                Rate::Wide => Samples::Wide(self.wide.whole(&mut limiters[1])),
                Rate::Full => Samples::Full(self.full.whole(&mut limiters[2])),
            };
            shared.encoder.encode(samples);
        }
        Some(shared.encoder.payload())
    }

    /// What a speaker hears: the others.
    pub fn for_speaker(
        &self,
        speaker: Speaker,
        limiter: &mut Limiter,
        law: Law,
        payload: &mut [u8; FRAME],
    ) {
        if self.is_silent(Some(speaker)) {
            *payload = *self.noise.payload(self.nth, law);
            return;
        }
        law.encode_into(&self.narrow.without(speaker, limiter), payload);
    }

    /// What somebody hears in a codec that keeps state, in an encoder of his own, louder or quieter
    /// than it is.
    pub(crate) fn encode_for(
        &mut self,
        speaker: Option<Speaker>,
        gain: Gain,
        limiter: &mut Limiter,
        encoder: &mut Encoder,
    ) {
        let is_silent = self.is_silent(speaker);
        let limiters = &mut self.room.limiters;
        let rate = self.rate.min(encoder.rate());
        if is_silent {
            encoder.encode(self.noise.samples(self.nth, rate));
            return;
        }
        match rate {
            Rate::Narrow => {
                let samples = self.narrow.for_one(speaker, gain, &mut limiters[0], limiter);
                encoder.encode(Samples::Narrow(&samples));
            }
            Rate::Wide => {
                let samples = self.wide.for_one(speaker, gain, &mut limiters[1], limiter);
                encoder.encode(Samples::Wide(&samples));
            }
            Rate::Full => {
                let samples = self.full.for_one(speaker, gain, &mut limiters[2], limiter);
                encoder.encode(Samples::Full(&samples));
            }
        }
    }

    /// Whether somebody would hear nothing at all.
    fn is_silent(&self, who: Option<Speaker>) -> bool {
        !self.announces && self.narrow.speakers.len() <= usize::from(who.is_some())
    }

    /// The whole mix, for a recording.
    pub fn samples(&mut self) -> [i16; FRAME] {
        *self.narrow.whole(&mut self.room.limiters[0])
    }

    /// What a member hears below 4 kHz; `None` for those who do not speak.
    pub(crate) fn samples_for(
        &mut self,
        speaker: Option<Speaker>,
        limiter: &mut Limiter,
    ) -> [i16; FRAME] {
        self.narrow.for_one(speaker, Gain::UNITY, &mut self.room.limiters[0], limiter)
    }

    /// What a member hears at all rates of the mix, for a recording; `None` for those who do not speak,
    /// and for what the whole room says. `limiter` is the member's own as it was before.
    pub(crate) fn heard_by<'a>(
        &mut self,
        speaker: Option<Speaker>,
        limiter: Limiter,
        narrow: &'a mut [i16; FRAME],
        space: &'a mut Space,
    ) -> Sound<'a> {
        let Self { narrow: low, wide, full, room, rate, .. } = self;
        let [shared, shared_wide, shared_full] = &mut room.limiters;
        *narrow = low.for_one(speaker, Gain::UNITY, shared, &mut { limiter });
        let mut sound = Sound::narrow(narrow);
        let Space { wide: wide_space, full: full_space } = space;
        if *rate >= Rate::Wide {
            *wide_space = wide.for_one(speaker, Gain::UNITY, shared_wide, &mut { limiter });
            sound.wide = Some(wide_space);
        }
        if *rate >= Rate::Full {
            *full_space = full.for_one(speaker, Gain::UNITY, shared_full, &mut { limiter });
            sound.full = Some(full_space);
        }
        sound
    }
}

impl<const N: usize> Sum<N> {
    const fn new() -> Self {
        Self { sum: [0; N], speakers: vec![], whole: [0; N], state: Freshness::Stale }
    }

    fn reserve(&mut self, speakers: usize) {
        self.speakers.reserve(speakers.saturating_sub(self.speakers.len()));
    }

    fn clear(&mut self) {
        self.sum.fill(0);
        self.speakers.clear();
        self.state = Freshness::Stale;
    }

    fn add(&mut self, samples: &[i16]) {
        mix::add(&mut self.sum, samples);
    }

    fn keep_from(&mut self, speaker: Option<usize>, samples: &[i16; N]) -> Speaker {
        let at = speaker.unwrap_or(self.speakers.len());
        match self.speakers.get_mut(at) {
            Some(own) => {
                for (own, &sample) in own.iter_mut().zip(samples) {
                    *own = own.saturating_add(sample);
                }
            }
            None => self.speakers.push(*samples),
        }
        Speaker(at as u32)
    }

    /// What a speaker hears, or all others, louder or quieter than it is.
    fn for_one(
        &mut self,
        speaker: Option<Speaker>,
        gain: Gain,
        shared: &mut Limiter,
        own: &mut Limiter,
    ) -> [i16; N] {
        let mut samples = match speaker {
            Some(speaker) => self.without(speaker, own),
            None => *self.whole(shared),
        };
        gain.apply(&mut samples);
        samples
    }

    /// The sum of all, made to fit once.
    fn whole(&mut self, limiter: &mut Limiter) -> &[i16; N] {
        if self.state == Freshness::Stale {
            self.state = Freshness::Fresh;
            self.whole = limiter.apply(&self.sum);
        }
        &self.whole
    }

    fn without(&self, speaker: Speaker, limiter: &mut Limiter) -> [i16; N] {
        match self.speakers.get(speaker.0 as usize) {
            Some(own) => limiter.apply_without(&self.sum, own),
            None => limiter.apply(&self.sum),
        }
    }
}

impl RoomMix {
    /// The rate of the mix is another from now on.
    pub(crate) fn begin_anew(&mut self) {
        *self = Self::default();
    }

    /// Somebody hears this codec from now on, in a mix of that rate.
    pub(crate) fn prepare_for(&mut self, codec: Codec, opus: OpusSettings, rate: Rate) {
        if codec.law().is_some() || self.encoders.len() >= MOST_ENCODERS {
            return;
        }
        if !self.encoders.iter().any(|shared| shared.encoder.fits(codec, opus)) {
            let encoder = Encoder::new(codec, opus, rate);
            self.encoders.push(SharedEncoder { encoder, state: Freshness::Stale });
        }
    }
}

/// Decides from frame to frame whether a member's audio is worth mixing and whether he talks.
#[derive(Debug, Default)]
pub(crate) struct TalkDetector {
    /// Frames for which the member is still mixed.
    hang: u8,
    loud: u8,
    quiet: u16,
    talking: bool,
    rules: TalkRules,
    /// Frames since the last one of talk, of a member whose silence is dropped.
    since_talk: Option<u16>,
}

/// What one frame changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TalkChange {
    None,
    Started,
    Stopped,
}

impl TalkDetector {
    pub(crate) fn new(rules: TalkRules) -> Self {
        Self { rules, ..Self::default() }
    }

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
        let change = self.measure_talk(mean);
        (self.hang > 0 && !self.is_dropped(mean), change)
    }

    /// Whether it is silence that is to be left out.
    fn is_dropped(&mut self, mean: u32) -> bool {
        if !self.rules.drops_silence {
            return false;
        }
        self.since_talk = match self.since_talk {
            _ if mean >= self.rules.talking_threshold.into() => Some(0),
            frames => frames.and_then(|frames| frames.checked_add(1)),
        };
        self.since_talk.is_none_or(|frames| frames >= self.quiet_after())
    }

    /// Frames without talk that end it.
    fn quiet_after(&self) -> u16 {
        (self.rules.silence_threshold.as_millis() / 20).clamp(1, u16::MAX.into()) as u16
    }

    fn measure_talk(&mut self, mean: u32) -> TalkChange {
        if mean >= self.rules.talking_threshold.into() {
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
        if self.talking && self.quiet >= self.quiet_after() {
            self.talking = false;
            return TalkChange::Stopped;
        }
        TalkChange::None
    }

    /// Talking is over, whatever the audio: the member was muted or left.
    pub(crate) fn reset(&mut self) -> TalkChange {
        let fresh = Self::new(self.rules);
        let talking = std::mem::replace(self, fresh).talking;
        if talking { TalkChange::Stopped } else { TalkChange::None }
    }
}

/// Listeners of different wishes; beyond that each has an encoder of his own at work.
const MOST_ENCODERS: usize = 8;

/// A peak of -60 dBov; the noise of an idle G.711 line peaks at 8.
const NOISE: u16 = 32;

/// Frames for which a member stays in the mix after the last one above the noise: 0.5 s.
const HANG: u8 = 25;

/// Frames of talk that begin talking: 60 ms, longer than a click.
const TALK_AFTER: u8 = 3;

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
        let limiter = &mut Limiter::default();
        mixer.for_speaker(one, limiter, Law::Mu, &mut payload);
        assert_eq!((payload[0], payload[10]), (g711::encode_ulaw(-3500), g711::encode_ulaw(-4000)));
        mixer.for_speaker(two, limiter, Law::A, &mut payload);
        assert_eq!((payload[0], payload[10]), (g711::encode_alaw(1500), g711::encode_alaw(1000)));
        assert_eq!(mixer.for_listener(Law::Mu)[0], g711::encode_ulaw(-2500));
        assert_eq!(mixer.for_listener(Law::A)[159], g711::encode_alaw(-3000));
    }

    #[test]
    fn where_nobody_talks_there_is_a_noise_that_is_no_contribution() {
        let mut mixer = Mixer::new();
        for _ in 0..100 {
            mixer.clear();
            let mut heard = [0; FRAME];
            Law::Mu.decode_into(mixer.for_listener(Law::Mu), &mut heard);
            let peak = heard.iter().map(|sample| sample.unsigned_abs()).max();
            assert!(peak.is_some_and(|peak| (8..NOISE).contains(&peak)), "{peak:?}");
            assert_eq!(mixer.samples(), [0; FRAME], "none of it is recorded");
            mixer.clear();
            let alone = mixer.add_speaker(&[1000; FRAME]);
            let mut payload = [0; FRAME];
            mixer.for_speaker(alone, &mut Limiter::default(), Law::A, &mut payload);
            Law::A.decode_into(&payload, &mut heard);
            assert!(heard.iter().all(|sample| sample.unsigned_abs() <= NOISE));
        }
    }

    #[test]
    fn the_sum_is_made_to_fit_only_after_the_subtraction() {
        let mut mixer = Mixer::new();
        let one = mixer.add_speaker(&[30_000; FRAME]);
        mixer.add_speaker(&[30_000; FRAME]);
        assert!(mixer.samples().iter().all(|sample| *sample > 32_700));
        let mut payload = [0; FRAME];
        mixer.for_speaker(one, &mut Limiter::default(), Law::Mu, &mut payload);
        assert_eq!(payload[0], g711::encode_ulaw(30_000));
    }

    #[test]
    fn one_whose_silence_is_dropped_is_mixed_while_he_talks_and_a_moment_longer() {
        let silence_threshold = std::time::Duration::from_millis(100);
        let rules = TalkRules { drops_silence: true, silence_threshold, ..TalkRules::default() };
        let mut detector = TalkDetector::new(rules);
        let mut mixed = |level| detector.handle_frame(Some(&[level; FRAME])).0;
        assert!(!mixed(100), "more than noise, but no talk");
        assert!(mixed(1000));
        let after: Vec<bool> = (0..6).map(|_| mixed(100)).collect();
        assert_eq!(after, [true, true, true, true, false, false]);
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
