//! Copies audio into rings that another thread reads; never waits for it.
//!
//! A tap writes once in each frame, whatever came and went, so that its samples count the time:
//! two taps of one stream, and both directions of one tap, stay aligned.

use std::{collections::VecDeque, time::Duration};

use super::{
    Event, FRAME, Law, Rate, RoomId, StreamId, TapId, TapSource, TapState,
    sound::{Sound, Space, Widener},
};

/// One listener.
#[derive(Debug)]
struct Tap {
    id: TapId,
    source: TapSource,
    state: TapState,
    rate: Rate,
    sink: rtrb::Producer<i16>,
    dropped: u64,
    silence: Option<Silence>,
}

/// Waits for the peer to say nothing for some time.
#[derive(Debug)]
struct Silence {
    frames: u32,
    wanted: u32,
}

/// How a tap is made.
#[derive(Debug)]
pub(crate) struct NewTap {
    pub(crate) id: TapId,
    pub(crate) source: TapSource,
    pub(crate) state: TapState,
    /// How long a silence of the peer is told.
    pub(crate) silence: Option<Duration>,
    /// Of what is written to the sink.
    pub(crate) rate: Rate,
    pub(crate) sink: rtrb::Producer<i16>,
}

/// Whose taps they are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tapped {
    Stream(StreamId),
    Room(RoomId),
}

/// All listeners of a stream or a room.
#[derive(Debug)]
pub(crate) struct Taps {
    of: Tapped,
    taps: Vec<Tap>,
    /// What the peer said in this frame, until what it is sent is known.
    heard: [i16; FRAME],
    /// For those who hear more than 8 kHz hold.
    wide: Option<Box<WideTaps>>,
    /// Samples that the taps before had no room for.
    dropped: u64,
}

/// What there is of both sides above 4 kHz.
#[derive(Debug)]
struct WideTaps {
    rate: Rate,
    heard: Space,
    sent: Space,
    /// Of what is heard, and of what is sent.
    wideners: [Widener; 2],
}

impl Taps {
    pub(crate) fn new(of: Tapped) -> Self {
        Self { of, taps: Vec::new(), heard: [0; FRAME], wide: None, dropped: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taps.is_empty()
    }

    /// The highest rate that one of them wants.
    pub(crate) fn rate(&self) -> Rate {
        self.taps.iter().map(|tap| tap.rate).max().unwrap_or_default()
    }

    /// Samples for which there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped + self.taps.iter().map(|tap| tap.dropped).sum::<u64>()
    }

    /// Whether what the peer is sent has to be known.
    pub(crate) fn hears_both(&self) -> bool {
        self.taps.iter().any(|tap| tap.source != TapSource::Received)
    }

    /// One more; beyond the limit it ends at once.
    pub(crate) fn add(&mut self, tap: NewTap, events: &mut VecDeque<Event>) {
        let NewTap { id, source, state, silence, rate, sink } = tap;
        if self.taps.len() >= MOST_TAPS {
            return self.report_end(id, 0, events);
        }
        let silence = silence.map(|silence| Silence {
            frames: 0,
            wanted: u32::try_from(silence.as_millis().div_ceil(20)).unwrap_or(u32::MAX).max(1),
        });
        self.taps.push(Tap { id, source, state, rate, sink, dropped: 0, silence });
        if rate > self.wide.as_ref().map_or(Rate::Narrow, |wide| wide.rate) {
            self.wide = Some(Box::new(WideTaps::new(rate)));
        }
    }

    pub(crate) fn remove(&mut self, id: TapId, events: &mut VecDeque<Event>) {
        self.end_where(|tap| tap.id == id, events);
    }

    /// All of them.
    pub(crate) fn end(&mut self, events: &mut VecDeque<Event>) {
        self.end_where(|_| true, events);
    }

    /// Those whose reader is gone.
    pub(crate) fn end_abandoned(&mut self, events: &mut VecDeque<Event>) {
        if self.taps.iter().any(|tap| tap.sink.is_abandoned()) {
            self.end_where(|tap| tap.sink.is_abandoned(), events);
        }
    }

    fn end_where(&mut self, ends: impl Fn(&Tap) -> bool, events: &mut VecDeque<Event>) {
        while let Some(at) = self.taps.iter().position(&ends) {
            let tap = self.taps.remove(at);
            self.dropped += tap.dropped;
            self.report_end(tap.id, tap.dropped, events);
        }
    }

    fn report_end(&self, tap: TapId, dropped: u64, events: &mut VecDeque<Event>) {
        events.push_back(match self.of {
            Tapped::Stream(stream) => Event::TapEnded { stream, tap, dropped },
            Tapped::Room(room) => Event::RoomTapEnded { room, tap, dropped },
        });
    }

    /// Pauses one, or lets it go on.
    pub(crate) fn set_state(&mut self, id: TapId, state: TapState) {
        for tap in self.taps.iter_mut().filter(|tap| tap.id == id) {
            tap.state = state;
        }
    }

    /// Takes what the peer said, or a room's mix.
    pub(crate) fn handle_heard(&mut self, sound: Sound<'_>) {
        self.heard = *sound.narrow;
        if let Some(wide) = &mut self.wide {
            wide.handle_heard(sound);
        }
    }

    /// Takes what the peer is sent in the same frame, after what it said; the frame is complete.
    pub(crate) fn handle_sent(&mut self, sent: Sent<'_>, events: &mut VecDeque<Event>) {
        let mut decoded = [0; FRAME];
        let sound = match sent {
            Sent::Nothing => Sound::narrow(&decoded),
            Sent::Law(law, payload) => {
                law.decode_into(payload, &mut decoded);
                Sound::narrow(&decoded)
            }
            Sent::Sound(sound) => sound,
            Sent::Echo => Sound::narrow(&self.heard),
        };
        if let Some(wide) = &mut self.wide {
            match sent {
                Sent::Echo => wide.sent = wide.heard.clone(),
                _ => wide.handle_sent(sound),
            }
        }
        let is_silent = Silent::of(&self.heard);
        for tap in self.taps.iter_mut().filter(|tap| tap.state == TapState::Open) {
            let (heard, sent): (&[i16], &[i16]) = match (tap.rate, &self.wide) {
                (Rate::Wide, Some(wide)) => (&wide.heard.wide, &wide.sent.wide),
                (Rate::Full, Some(wide)) => (&wide.heard.full, &wide.sent.full),
                (Rate::Narrow, _) | (_, None) => (&self.heard, sound.narrow),
            };
            let pairs = heard.iter().zip(sent);
            match tap.source {
                TapSource::Received => tap.write(heard.iter().copied()),
                TapSource::Sent => tap.write(sent.iter().copied()),
                TapSource::Both => {
                    tap.write(pairs.map(|(heard, sent)| heard.saturating_add(*sent)));
                }
                TapSource::Apart => {
                    tap.write(pairs.flat_map(|(heard, sent)| [*heard, *sent]));
                }
            }
            if let (Some(silence), Tapped::Stream(stream)) = (&mut tap.silence, self.of) {
                match is_silent {
                    Silent::No => silence.frames = 0,
                    Silent::Yes => {
                        silence.frames = silence.frames.saturating_add(1);
                        if silence.frames == silence.wanted {
                            events.push_back(Event::TapSilent { stream, tap: tap.id });
                        }
                    }
                }
            }
        }
        self.heard = [0; FRAME];
        if let Some(wide) = &mut self.wide {
            wide.heard = Space::new();
        }
        self.end_abandoned(events);
    }
}

/// What the peer is sent in a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent<'a> {
    Nothing,
    /// A frame of G.711.
    Law(Law, &'a [u8; FRAME]),
    /// A frame of whatever else.
    Sound(Sound<'a>),
    /// What it said.
    Echo,
}

impl WideTaps {
    fn new(rate: Rate) -> Self {
        let wideners = [Widener::default(), Widener::default()];
        Self { rate, heard: Space::new(), sent: Space::new(), wideners }
    }

    fn handle_heard(&mut self, sound: Sound<'_>) {
        let Self { rate, heard, wideners: [widener, _], .. } = self;
        heard.fill(sound, *rate, widener);
    }

    fn handle_sent(&mut self, sound: Sound<'_>) {
        let Self { rate, sent, wideners: [_, widener], .. } = self;
        sent.fill(sound, *rate, widener);
    }
}

impl Tap {
    /// Copies a frame, or drops it as a whole: half frames would shift what follows.
    fn write(&mut self, frame: impl Iterator<Item = i16>) {
        let length = self.rate.frame() * self.source.channels();
        match self.sink.write_chunk_uninit(length) {
            Ok(chunk) => {
                chunk.fill_from_iter(frame);
            }
            Err(_) => self.dropped += length as u64,
        }
    }
}

/// Whether a frame is silence to whoever waits for some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silent {
    Yes,
    No,
}

impl Silent {
    fn of(frame: &[i16]) -> Self {
        let sum: u64 = frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        if sum < SILENCE_THRESHOLD * frame.len() as u64 { Self::Yes } else { Self::No }
    }
}

/// A frame with a lesser mean magnitude is silence: `silencethreshold` of Asterisk's dsp.conf as it
/// is without that file.
const SILENCE_THRESHOLD: u64 = 256;

/// Listeners of one stream or room; one more has no room.
pub(crate) const MOST_TAPS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: StreamId = StreamId(1);

    fn taps(source: TapSource, ring: usize) -> (Taps, rtrb::Consumer<i16>) {
        let (sink, reader) = rtrb::RingBuffer::new(ring);
        let mut taps = Taps::new(Tapped::Stream(STREAM));
        taps.add(new_tap(1, source, sink), &mut VecDeque::new());
        (taps, reader)
    }

    fn new_tap(id: u64, source: TapSource, sink: rtrb::Producer<i16>) -> NewTap {
        let silence = Some(Duration::from_millis(60));
        let (state, rate) = (TapState::Open, Rate::Narrow);
        NewTap { id: TapId(id), source, state, silence, rate, sink }
    }

    fn frame(taps: &mut Taps, heard: i16, sent: Sent<'_>) -> Vec<Event> {
        let mut events = VecDeque::new();
        taps.handle_heard(Sound::narrow(&[heard; FRAME]));
        taps.handle_sent(sent, &mut events);
        events.into()
    }

    fn all(reader: &mut rtrb::Consumer<i16>) -> Vec<i16> {
        reader.read_chunk(reader.slots()).unwrap().into_iter().collect()
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (mut taps, mut reader) = taps(TapSource::Received, 400);
        for _ in 0..3 {
            frame(&mut taps, 700, Sent::Nothing);
        }
        assert_eq!((taps.dropped(), reader.slots()), (160, 320));
        all(&mut reader);
        frame(&mut taps, 900, Sent::Nothing);
        assert_eq!(all(&mut reader), [900; FRAME]);
        drop(reader);
        let ended = Event::TapEnded { stream: STREAM, tap: TapId(1), dropped: 160 };
        assert_eq!(frame(&mut taps, 900, Sent::Nothing), [ended]);
        assert!(taps.is_empty());
        assert_eq!(taps.dropped(), 160);
    }

    #[test]
    fn both_sides_lie_beside_each_other_and_what_is_echoed_on_both() {
        let (mut taps, mut reader) = taps(TapSource::Apart, 4 * FRAME);
        let payload = crate::media::player::silence(Law::A);
        frame(&mut taps, 500, Sent::Law(Law::A, payload));
        let written = all(&mut reader);
        assert_eq!(written.len(), 2 * FRAME);
        assert_eq!((written[0], written[2]), (500, 500));
        assert!(written[1].abs() <= 8, "{}", written[1]);
        frame(&mut taps, 500, Sent::Echo);
        assert_eq!(all(&mut reader), [500; 2 * FRAME]);
    }

    #[test]
    fn a_pause_writes_nothing_and_several_listen_at_a_time() {
        let (mut taps, mut first) = taps(TapSource::Received, 4 * FRAME);
        let (sink, mut second) = rtrb::RingBuffer::new(4 * FRAME);
        taps.add(new_tap(2, TapSource::Both, sink), &mut VecDeque::new());
        taps.set_state(TapId(1), TapState::Paused);
        frame(&mut taps, 500, Sent::Echo);
        assert_eq!((first.slots(), all(&mut second)), (0, vec![1000; FRAME]));
        taps.set_state(TapId(1), TapState::Open);
        frame(&mut taps, 500, Sent::Nothing);
        assert_eq!((all(&mut first), all(&mut second)), (vec![500; FRAME], vec![500; FRAME]));
    }

    #[test]
    fn silence_is_told_once_and_again_after_speech() {
        let (mut taps, _reader) = taps(TapSource::Received, 100 * FRAME);
        let mut told = 0;
        for level in [0, 0, 900, 0, 200, 100, 0, 0, 900, 0, 0, 0] {
            let silent = Event::TapSilent { stream: STREAM, tap: TapId(1) };
            told += frame(&mut taps, level, Sent::Nothing).iter().filter(|e| **e == silent).count();
        }
        assert_eq!(told, 2);
    }

    #[test]
    fn one_too_many_ends_at_once() {
        let (mut taps, _reader) = taps(TapSource::Received, FRAME);
        let mut events = VecDeque::new();
        let mut readers = Vec::new();
        for id in 2..=MOST_TAPS as u64 + 1 {
            let (sink, reader) = rtrb::RingBuffer::new(FRAME);
            readers.push(reader);
            taps.add(new_tap(id, TapSource::Received, sink), &mut events);
        }
        let tap = TapId(MOST_TAPS as u64 + 1);
        assert_eq!(events, [Event::TapEnded { stream: STREAM, tap, dropped: 0 }]);
        assert!(readers.last().unwrap().is_abandoned());
    }
}
