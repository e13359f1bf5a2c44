//! Media shards that send nothing: plays end after their length, ports are handed out, and every
//! command is checked against what a real shard would have.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use crate::media::{
    Command, Digit, Event, Gain, MuteState, Noticed, PlayEnd, PlayId, PlayItem, PortLease, Repeat,
    RoomId, ShardId, SharedStatistics, SocketId, StreamId, StreamSettings, StreamStatistics, TapId,
    TapSource, TapState, VoiceId, WatchId,
};

/// All shards.
pub(in super::super) struct FakeMedia {
    streams: BTreeMap<StreamId, FakeStream>,
    rooms: BTreeMap<RoomId, BTreeSet<StreamId>>,
    events: VecDeque<Event>,
    sockets: u32,
    /// Ports with the switch, opened or not.
    leased: BTreeSet<SocketId>,
    /// Settings of every `Update`.
    pub(in super::super) updates: Vec<StreamSettings>,
    /// Plays to rooms.
    pub(in super::super) room_plays: Vec<RoomId>,
    /// How many parts each of them had, and who did not hear it.
    pub(in super::super) room_parts: Vec<(usize, Option<StreamId>)>,
    /// What is heard as soon as somebody listens.
    pub(in super::super) said: Vec<i16>,
    /// Digits sent to callers.
    pub(in super::super) sent_digits: usize,
    /// The kind of command that shards have no room for: "open" or "play".
    pub(in super::super) refused: Option<&'static str>,
    /// Whether a port is replaced when it is taken.
    pub(in super::super) restock: bool,
    taps: BTreeMap<TapId, FakeTap>,
    /// Programs that speak.
    pub(in super::super) voices: BTreeMap<VoiceId, rtrb::Consumer<i16>>,
    watches: BTreeMap<WatchId, StreamId>,
    /// Whether nobody says anything.
    pub(in super::super) silent: bool,
}

struct FakeTap {
    stream: StreamId,
    source: TapSource,
    state: TapState,
    /// When its silence is reported.
    silent: Option<Instant>,
    _sink: rtrb::Producer<i16>,
}

struct FakeStream {
    shard: ShardId,
    socket: SocketId,
    settings: StreamSettings,
    shared: SharedStatistics,
    playing: Option<(PlayId, Option<Instant>)>,
    /// What it plays.
    items: Vec<PlayItem>,
    room: Option<RoomId>,
    /// How it is in the room.
    mute: MuteState,
    volume: (Gain, Gain),
    /// When it is reported that nothing is heard.
    idle: Option<Instant>,
}

impl FakeMedia {
    pub(in super::super) fn new(shards: u16) -> Self {
        let mut media = Self {
            streams: BTreeMap::new(),
            rooms: BTreeMap::new(),
            events: VecDeque::new(),
            sockets: 0,
            leased: BTreeSet::new(),
            updates: Vec::new(),
            room_parts: Vec::new(),
            said: Vec::new(),
            room_plays: Vec::new(),
            sent_digits: 0,
            refused: None,
            restock: true,
            taps: BTreeMap::new(),
            voices: BTreeMap::new(),
            watches: BTreeMap::new(),
            silent: false,
        };
        for shard in 0..shards {
            for _ in 0..STOCK {
                media.bind(ShardId(shard));
            }
        }
        media
    }

    fn bind(&mut self, shard: ShardId) {
        self.sockets += 1;
        let socket = SocketId(self.sockets);
        let number = 10_000 + 2 * u16::try_from(self.sockets).expect("few calls");
        let address = ([127, 0, 0, 1], number).into();
        self.leased.insert(socket);
        self.events.push_back(Event::PortReady { port: PortLease { shard, socket, address } });
    }

    /// How many streams a shard has.
    pub(in super::super) fn streams_on(&self, shard: ShardId) -> usize {
        self.streams.values().filter(|stream| stream.shard == shard).count()
    }

    /// Whether there is room for a command.
    pub(in super::super) fn accepts(&self, command: &Command) -> bool {
        match command {
            Command::Open { .. } => self.refused != Some("open"),
            Command::Play { .. } => self.refused != Some("play"),
            _ => true,
        }
    }

    pub(in super::super) fn take(&mut self, shard: ShardId, command: Command, now: Instant) {
        match command {
            Command::Open { stream, port, settings } => {
                assert_eq!(port.shard, shard);
                if self.restock {
                    self.bind(shard);
                }
                let (socket, settings) = (port.socket, *settings);
                let idle = settings.idle_timeout.map(|timeout| now + timeout);
                let shared = SharedStatistics::default();
                let opened = FakeStream {
                    shard,
                    socket,
                    settings,
                    playing: None,
                    items: Vec::new(),
                    room: None,
                    mute: MuteState::Open,
                    volume: Default::default(),
                    idle,
                    shared: shared.clone(),
                };
                assert!(self.streams.insert(stream, opened).is_none(), "stream opened twice");
                self.events.push_back(Event::Opened { stream, statistics: shared });
            }
            Command::Update { stream, settings } => {
                let updated = self.stream(shard, stream);
                updated.idle = settings.idle_timeout.map(|timeout| now + timeout);
                updated.settings = (*settings).clone();
                self.updates.push(*settings);
            }
            Command::Close { stream } => self.close(shard, stream),
            Command::ReturnPort { port } => {
                assert!(self.leased.remove(&port.socket), "port returned twice");
            }
            Command::Play { stream, play, items, repeat } => {
                let length = match repeat {
                    Repeat::Once => items.iter().map(item_length).sum::<Option<Duration>>(),
                    Repeat::Forever => None,
                };
                let playing = Some((play, length.map(|length| now + length)));
                let fake = self.stream(shard, stream);
                fake.items = items;
                let before = std::mem::replace(&mut fake.playing, playing);
                self.finish(stream, before, PlayEnd::Replaced);
            }
            Command::StopPlay { stream, play } => {
                let fake = self.stream(shard, stream);
                let is_meant = |(playing, _): &mut (PlayId, _)| play.is_none_or(|p| p == *playing);
                let stopped = fake.playing.take_if(is_meant);
                if stopped.is_some() {
                    fake.items.clear();
                }
                self.finish(stream, stopped, PlayEnd::Stopped);
            }
            Command::SendDigits { stream, signals, .. } => {
                self.stream(shard, stream);
                self.sent_digits += signals.len();
                self.events.push_back(Event::DigitsSent { stream });
            }
            Command::Join { stream, room, mute, .. } => {
                let joined = self.stream(shard, stream);
                (joined.room, joined.mute) = (Some(room), mute);
                self.rooms.entry(room).or_default().insert(stream);
                self.events.push_back(Event::Joined { stream, room });
            }
            Command::Leave { stream } => self.leave(shard, stream),
            Command::PlayToRoom { room, play, items, except } => {
                self.room_plays.push(room);
                self.room_parts.push((items.len(), except));
                let end = PlayEnd::Completed;
                self.events.push_back(Event::RoomPlayFinished { room, play, end });
            }
            Command::Move { stream, to } => {
                self.stream(shard, stream).shard = to;
                self.events.push_back(Event::Moved { stream, shard: to });
            }
            Command::Mute { stream, mute } => self.stream(shard, stream).mute = mute,
            Command::Echo { stream, .. } => {
                self.stream(shard, stream);
            }
            Command::Tap { stream, tap, source, state, silence, mut sink, .. } => {
                self.stream(shard, stream);
                for sample in &self.said {
                    // As much as there is room for.
                    let _full = sink.push(*sample);
                }
                let silent = silence.filter(|_| self.silent).map(|silence| now + silence);
                let tapped = FakeTap { stream, source, state, silent, _sink: sink };
                assert!(self.taps.insert(tap, tapped).is_none(), "tap used twice");
            }
            Command::SetTap { stream, tap, state } => {
                self.stream(shard, stream);
                self.taps.get_mut(&tap).expect("a tap").state = state;
            }
            Command::Untap { stream, tap } => {
                self.stream(shard, stream);
                assert!(self.taps.remove(&tap).is_some(), "tap ended twice");
                self.events.push_back(Event::TapEnded { stream, tap, dropped: 0 });
            }
            Command::Voice { stream, voice, samples } => {
                self.stream(shard, stream);
                assert!(self.voices.insert(voice, samples).is_none(), "voice used twice");
            }
            Command::EndVoice { stream, voice } => {
                self.stream(shard, stream);
                assert!(self.voices.remove(&voice).is_some(), "voice ended twice");
            }
            Command::Watch { stream, watch, .. } => {
                self.stream(shard, stream);
                assert!(self.watches.insert(watch, stream).is_none(), "watch used twice");
            }
            Command::Unwatch { stream, watch } => {
                self.stream(shard, stream);
                assert!(self.watches.remove(&watch).is_some(), "watch ended twice");
            }
            Command::SetVolume { stream, listening, talking } => {
                self.stream(shard, stream).volume = (listening, talking);
            }
            Command::ShapeRoom { .. } => {}
            Command::StopRoomPlay { .. } | Command::TapRoom { .. } | Command::UntapRoom { .. } => {}
        }
    }

    /// What ends by now.
    pub(in super::super) fn due(&mut self, now: Instant) -> Vec<Event> {
        let mut ended = Vec::new();
        for (id, stream) in &mut self.streams {
            let over = stream.playing.take_if(|(_, end)| end.is_some_and(|end| end <= now));
            ended.extend(over.map(|(play, _)| (*id, play)));
            if stream.idle.take_if(|at| *at <= now).is_some() {
                let silent_for = stream.settings.idle_timeout.unwrap_or_default();
                self.events.push_back(Event::Idle { stream: *id, silent_for });
            }
        }
        for (tap, tapped) in &mut self.taps {
            if tapped.silent.take_if(|at| *at <= now).is_some() {
                self.events.push_back(Event::TapSilent { stream: tapped.stream, tap: *tap });
            }
        }
        for (stream, play) in ended {
            self.finish(stream, Some((play, None)), PlayEnd::Completed);
        }
        self.events.drain(..).collect()
    }

    /// When the next play, or somebody's patience, ends.
    pub(in super::super) fn next_end(&self) -> Option<Instant> {
        let ends = |stream: &FakeStream| [stream.playing.and_then(|(_, end)| end), stream.idle];
        let silences = self.taps.values().filter_map(|tapped| tapped.silent);
        self.streams.values().flat_map(ends).flatten().chain(silences).min()
    }

    /// What is listened to, by the stream's number.
    pub(in super::super) fn taps(&self) -> Vec<(u64, TapSource, TapState)> {
        self.taps.values().map(|tapped| (tapped.stream.0, tapped.source, tapped.state)).collect()
    }

    /// What is heard of a stream, told to all who watch it.
    pub(in super::super) fn notice(&mut self, stream: StreamId, what: Noticed) {
        let watches = self.watches.iter().filter(|(_, of)| **of == stream);
        let events = watches.map(|(watch, _)| Event::Noticed { stream, watch: *watch, what });
        self.events.extend(events);
    }

    /// Everybody is heard now.
    pub(in super::super) fn hear_all(&mut self, now: Instant) {
        for stream in self.streams.values_mut() {
            stream.idle = stream.settings.idle_timeout.map(|timeout| now + timeout);
        }
    }

    pub(in super::super) fn digit(&self, stream: StreamId, digit: char) -> Option<Event> {
        let digit = Digit::from_char(digit)?;
        Some(Event::Digit { stream, digit, duration: Duration::from_millis(100) })
    }

    /// How many streams each room has.
    pub(in super::super) fn room_sizes(&self) -> Vec<usize> {
        self.rooms.values().map(BTreeSet::len).filter(|size| *size > 0).collect()
    }

    /// Whether those who are in rooms are not heard there, in the order of their streams.
    pub(in super::super) fn muted(&self) -> Vec<bool> {
        let inside = self.streams.values().filter(|stream| stream.room.is_some());
        inside.map(|stream| stream.mute != MuteState::Open).collect()
    }

    /// How loud the nth stream hears and is heard.
    pub(in super::super) fn volume(&self, nth: u64) -> (Gain, Gain) {
        self.streams.get(&StreamId(nth)).map(|stream| stream.volume).unwrap_or_default()
    }

    /// Whether the nth stream plays anything.
    pub(in super::super) fn is_playing(&self, nth: u64) -> bool {
        self.streams.get(&StreamId(nth)).is_some_and(|stream| stream.playing.is_some())
    }

    pub(in super::super) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// What the latest stream was told to do.
    pub(in super::super) fn latest_settings(&self) -> &StreamSettings {
        &self.streams.values().next_back().expect("a stream").settings
    }

    /// What the streams send.
    pub(in super::super) fn codecs(&self) -> Vec<crate::media::Codec> {
        self.streams.values().map(|stream| stream.settings.codec).collect()
    }

    /// Gives each stream the statistics of its number.
    pub(in super::super) fn measure(&self, of: impl Fn(StreamId) -> StreamStatistics) {
        for (&id, stream) in &self.streams {
            stream.shared.publish(of(id));
        }
    }

    /// Where the streams send to.
    pub(in super::super) fn remotes(&self) -> Vec<std::net::SocketAddr> {
        self.streams.values().filter_map(|stream| stream.settings.remote).collect()
    }

    pub(in super::super) fn assert_nothing_left(&self) {
        assert!(self.streams.is_empty(), "streams left: {:?}", self.streams.keys());
        assert!(self.room_sizes().is_empty(), "members left: {:?}", self.rooms);
        assert!(self.taps.is_empty(), "taps left: {:?}", self.taps());
    }

    fn stream(&mut self, shard: ShardId, stream: StreamId) -> &mut FakeStream {
        let found = self.streams.get_mut(&stream).expect("a command for a stream that is there");
        assert_eq!(found.shard, shard, "the command went to the wrong shard");
        found
    }

    fn finish(&mut self, stream: StreamId, play: Option<(PlayId, Option<Instant>)>, end: PlayEnd) {
        if let Some((play, _)) = play {
            self.events.push_back(Event::PlayFinished { stream, play, end, played: 0 });
        }
    }

    fn leave(&mut self, shard: ShardId, stream: StreamId) {
        if let Some(room) = self.stream(shard, stream).room.take() {
            self.rooms.entry(room).or_default().remove(&stream);
            self.events.push_back(Event::Left { stream, room });
        }
    }

    fn close(&mut self, shard: ShardId, stream: StreamId) {
        self.leave(shard, stream);
        let playing = self.stream(shard, stream).playing.take();
        self.finish(stream, playing, PlayEnd::Closed);
        let tapped = self.taps.extract_if(.., |_, tapped| tapped.stream == stream);
        let ended = tapped.map(|(tap, _)| Event::TapEnded { stream, tap, dropped: 0 });
        self.events.extend(ended);
        self.watches.retain(|_, of| *of != stream);
        let closed = self.streams.remove(&stream);
        if let Some(closed) = &closed {
            assert!(self.leased.remove(&closed.socket), "port closed twice");
        }
        let statistics = Box::new(closed.map(|closed| closed.shared.read()).unwrap_or_default());
        self.events.push_back(Event::Closed { stream, statistics });
    }
}

fn item_length(item: &PlayItem) -> Option<Duration> {
    match item {
        PlayItem::Prompt(prompt) => Some(prompt.duration()),
        PlayItem::PromptFrom(prompt, from) => {
            Some(prompt.duration().saturating_sub(Duration::from_micros(u64::from(*from) * 125)))
        }
        PlayItem::Silence(length) => Some(*length),
        PlayItem::Live(_) => None,
        PlayItem::Tone(tone) => tone
            .cycle()
            .is_none()
            .then(|| tone.lead().map_or(Duration::ZERO, |lead| lead.duration())),
    }
}

/// Ports each shard keeps with the switch.
const STOCK: usize = 8;
