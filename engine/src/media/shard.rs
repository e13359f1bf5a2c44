//! The streams and rooms of one core, driven by a clock. No I/O, no clock of its own, no lock.
//!
//! Streams are spread over the sixteen steps of a 20 ms frame, so that what one step takes longer
//! than another moves few packets, and by little; few streams are kept to four of them, and steps
//! without any are passed over. A room's members share its step, so that one pass adds them up and
//! sends; those of a large room send its mix in steps of their own. In its step a stream first takes
//! what arrived, then sends. Neither allocates: memory grows with commands only (and with events
//! nobody reads).
//!
//!   step   0   1   2   3   4   5  ..  15  16  17
//!   phase  0   1   2   3   4   5  ..  15   0   1      each stream sends in one phase: every 20 ms
//!   frame  0   0   0   0   0   0  ..   0   1   1      few streams: in phases 0, 4, 8 and 12

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use slab::Slab;

use super::{
    Command, Event, MixRate, OpenError, PlayEnd, Rate, RoomId, ShardId, SocketId, StreamId,
    StreamSettings,
    mixer::Mixer,
    packet_io::PacketIo,
    room::Room,
    rtcp::NtpTime,
    rtp::RtpTime,
    stream::{DIGIT_TONES, Delivery, Goodbye, Moment, Place, Relay, Stream},
    tap::NewTap,
};
use crate::entropy::Entropy;

/// How a shard is made.
#[derive(Debug, Clone)]
pub struct ShardSettings {
    /// Its number.
    pub id: ShardId,
    /// Where all shards begin to count frames.
    pub epoch: Instant,
    /// The time since 1970 at that moment, which reports are dated by. Default: none, as if it were
    /// 1970; peers look at differences alone.
    pub epoch_wall: Duration,
    /// For SSRCs, first sequence numbers and RTP times; another for each shard.
    pub seed: u64,
    /// Streams beyond this are refused. Default 8192: more than one core can serve.
    pub most_streams: usize,
}

impl ShardSettings {
    /// Settings with the default limit.
    pub fn new(id: ShardId, epoch: Instant, seed: u64) -> Self {
        Self { id, epoch, epoch_wall: Duration::ZERO, seed, most_streams: 8192 }
    }
}

/// All streams and rooms of one media thread.
///
/// Ways in: [`handle_command`](Self::handle_command), [`tick`](Self::tick), and
/// [`expect`](Self::expect)/[`adopt`](Self::adopt) for streams that come from another shard. After
/// each, drain [`poll_event`](Self::poll_event) and [`poll_departure`](Self::poll_departure).
#[derive(Debug)]
pub struct Shard {
    settings: ShardSettings,
    entropy: Entropy,
    /// The step to be worked on next.
    next_step: u64,
    /// After a stall: not before this, so that no peer gets a burst.
    resume: Option<Instant>,
    /// The tick in which RTCP was asked for last.
    control_tick: u64,
    streams: Slab<Box<Stream>>,
    by_id: HashMap<StreamId, usize>,
    lanes: [Lane; PHASES],
    rooms: HashMap<RoomId, usize>,
    room_table: Slab<Room>,
    /// By the room's place in the table: that of a room whose members send in many steps.
    own_mixers: Vec<Option<Box<Mixer>>>,
    mixer: Mixer,
    /// The highest rate of any room so far, and the most members of any.
    widest: Rate,
    largest_room: usize,
    relay: Relay,
    /// Whose RTCP comes from a socket.
    by_socket: HashMap<SocketId, usize>,
    goodbyes: Vec<Goodbye>,
    released: Vec<SocketId>,
    expected: Vec<Expected>,
    /// Streams that came after their turn: their slots, and the frames they are to make up for.
    overdue: Vec<Overdue>,
    /// Steps before this one find what waited during a stall.
    stale_before: u64,
    departures: VecDeque<Departure>,
    events: VecDeque<Event>,
    /// Whose turn it is, should it panic.
    working_on: Option<usize>,
    counters: ShardCounters,
}

/// The streams of one phase, in the order in which they send; sockets and slots side by side.
#[derive(Debug, Default)]
struct Lane {
    sockets: Vec<SocketId>,
    slots: Vec<usize>,
    /// The places of the rooms that are mixed in it.
    rooms: Vec<usize>,
}

/// Commands for a stream that is on its way.
#[derive(Debug)]
struct Expected {
    stream: StreamId,
    commands: Vec<Command>,
}

/// A stream that missed its turn on the way.
#[derive(Debug)]
struct Overdue {
    stream: StreamId,
    first_frame: u64,
}

/// What leaves for another shard. Whoever carries a stream takes the socket out of the old shard's
/// table, puts it into the new one's and hands both to [`Shard::adopt`] there.
#[derive(Debug)]
pub enum Departure {
    /// A stream.
    Stream {
        /// The stream.
        stream: Box<Stream>,
        /// Its socket in the table of the shard it leaves.
        socket: SocketId,
        /// Where it goes.
        to: ShardId,
    },
    /// A stream was to leave that is gone: [`Shard::expect_no_more`] is to be told.
    Unknown {
        /// Its number.
        stream: StreamId,
        /// Where it was to go.
        to: ShardId,
    },
}

/// What went wrong or was late on a shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardCounters {
    /// Commands for streams or rooms that are not there.
    pub stray_commands: u64,
    /// Steps worked on later than their time by 5 ms or more.
    pub late_ticks: u64,
    /// Ticks given up because a stall was longer than can be made up for.
    pub skipped_ticks: u64,
    /// Streams ended because of a panic.
    pub panics: u64,
}

impl Shard {
    /// An empty shard. Renders the tones of the keys the first time.
    pub fn new(settings: ShardSettings) -> Self {
        std::sync::LazyLock::force(&DIGIT_TONES);
        Self {
            entropy: Entropy::new(settings.seed),
            settings,
            next_step: 0,
            resume: None,
            control_tick: 0,
            streams: Slab::new(),
            by_id: HashMap::new(),
            lanes: Default::default(),
            rooms: HashMap::new(),
            room_table: Slab::new(),
            own_mixers: vec![],
            mixer: Mixer::new(),
            widest: Rate::Narrow,
            largest_room: 0,
            relay: Relay::default(),
            by_socket: HashMap::new(),
            goodbyes: vec![],
            released: vec![],
            expected: vec![],
            overdue: vec![],
            stale_before: 0,
            departures: VecDeque::new(),
            events: VecDeque::with_capacity(256),
            working_on: None,
            counters: ShardCounters::default(),
        }
    }

    /// How many streams it has.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether it has no stream.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// What went wrong or was late so far.
    pub fn counters(&self) -> ShardCounters {
        self.counters
    }

    /// Obeys one command; see [`Command`].
    pub fn handle_command(&mut self, command: Command, now: Instant) {
        if let Some(stream) = command.stream()
            && let Some(expected) = self.expected.iter_mut().find(|e| e.stream == stream)
        {
            if expected.commands.len() < MOST_WAITING {
                expected.commands.push(command);
            } else {
                self.counters.stray_commands += 1;
            }
            return;
        }
        let found = match command {
            Command::Open { stream, port, settings } => {
                self.open(stream, port.shard, port.socket, *settings, now);
                true
            }
            Command::ReturnPort { port } => {
                let own = port.shard == self.settings.id;
                if own {
                    self.released.push(port.socket);
                }
                own
            }
            Command::Close { stream } => self.close(stream, now),
            Command::Move { stream, to } => self.depart(stream, to),
            Command::Join { stream, room, mute, talk_detection } => {
                self.join(stream, room, mute, talk_detection)
            }
            Command::Leave { stream } => self.leave(stream),
            Command::ShapeRoom { room, rate } => self.shape_room(room, rate),
            Command::PlayToRoom { room, play, items, except } => {
                let except = except.and_then(|stream| self.by_id.get(&stream).copied());
                let found =
                    self.with_room(room, |room, events| room.play(play, items, except, events));
                if !found {
                    let end = PlayEnd::Closed;
                    self.events.push_back(Event::RoomPlayFinished { room, play, end });
                }
                found
            }
            Command::StopRoomPlay { room, play } => {
                self.with_room(room, |room, events| room.stop_play(play, events))
            }
            Command::TapRoom { room, tap, rate, sink } => {
                let found = self.rooms.contains_key(&room);
                if !found {
                    self.events.push_back(Event::RoomTapEnded { room, tap, dropped: 0 });
                }
                self.with_room(room, |room, events| room.tap(tap, rate, sink, events));
                self.settle(room);
                found
            }
            Command::UntapRoom { room, tap } => {
                let found = self.with_room(room, |room, events| room.untap(tap, events));
                self.settle(room);
                found
            }
            command => self.handle_stream_command(command, now),
        };
        if !found {
            self.counters.stray_commands += 1;
        }
    }

    fn handle_stream_command(&mut self, command: Command, now: Instant) -> bool {
        let frame = self.frame_at(now);
        let slot = command.stream().and_then(|stream| self.by_id.get(&stream));
        let Some(stream) = slot.and_then(|&slot| self.streams.get_mut(slot)) else { return false };
        let events = &mut self.events;
        match command {
            Command::Update { settings, .. } => {
                stream.update(*settings, frame);
                let room = stream.seat().map(|seat| seat.room);
                if let Some(room) = room {
                    self.settle(room);
                }
            }
            Command::Play { play, items, repeat, .. } => stream.play(play, items, repeat, events),
            Command::StopPlay { play, .. } => stream.stop_play(play, events),
            Command::Echo { state, .. } => stream.set_echo(state),
            Command::SendDigits { signals, tone, gap, .. } => {
                stream.send_digits(&signals, tone, gap);
            }
            Command::Tap { tap: id, source, state, silence, rate, sink, .. } => {
                stream.tap(NewTap { id, source, state, silence, rate, sink }, events);
            }
            Command::SetTap { tap, state, .. } => stream.set_tap(tap, state),
            Command::Untap { tap, .. } => stream.untap(tap, events),
            Command::Voice { voice, samples, .. } => stream.add_voice(voice, samples),
            Command::EndVoice { voice, .. } => stream.end_voice(voice),
            Command::Watch { watch, what, .. } => stream.watch(watch, what),
            Command::Unwatch { watch, .. } => stream.unwatch(watch),
            Command::Mute { mute, .. } => stream.set_mute(mute, events),
            Command::SetVolume { listening, talking, .. } => stream.set_volume(listening, talking),
            _ => return false,
        }
        true
    }

    /// Announces a stream of another shard: commands for it are kept until it is adopted.
    pub fn expect(&mut self, stream: StreamId) {
        self.expected.push(Expected { stream, commands: vec![] });
    }

    /// Takes a stream from another shard, its socket already in this shard's table.
    pub fn adopt(&mut self, mut stream: Box<Stream>, socket: SocketId, now: Instant) {
        stream.set_socket(socket);
        let id = stream.id();
        let next = stream.last_frame().map(|last| last + 1);
        self.insert(stream, now);
        self.events.push_back(Event::Moved { stream: id, shard: self.settings.id });
        let frame = frame_of(self.next_step);
        match next {
            // What it has to send first comes before what it is told.
            Some(first_frame)
                if (1..=MOST_OVERDUE).contains(&frame.saturating_sub(first_frame)) =>
            {
                self.overdue.push(Overdue { stream: id, first_frame });
            }
            _ => self.release_expected(id, now),
        }
    }

    /// Sends what streams would have sent in turns that passed while they were on their way.
    fn make_up(&mut self, now: Instant, io: &mut impl PacketIo) {
        let frame = frame_of(self.next_step);
        for Overdue { stream, first_frame } in std::mem::take(&mut self.overdue) {
            for missed in first_frame..frame {
                let moment = self.moment(missed, now);
                let slot = self.by_id.get(&stream).copied();
                self.working_on = slot;
                if let Some(stream) = slot.and_then(|slot| self.streams.get_mut(slot)) {
                    stream.handle_frame(&mut self.mixer, moment, io, &mut self.events);
                }
            }
            self.working_on = None;
            self.release_expected(stream, now);
        }
    }

    /// The stream announced will not come: it ended before it could leave.
    pub fn expect_no_more(&mut self, stream: StreamId, now: Instant) {
        self.release_expected(stream, now);
    }

    fn release_expected(&mut self, stream: StreamId, now: Instant) {
        let Some(index) = self.expected.iter().position(|e| e.stream == stream) else { return };
        for command in self.expected.swap_remove(index).commands {
            self.handle_command(command, now);
        }
    }

    /// The next event. Bounded by the commands given and by what peers can press and say: whoever
    /// never reads is given memory for it.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next stream that leaves for another shard.
    pub fn poll_departure(&mut self) -> Option<Departure> {
        self.departures.pop_front()
    }

    /// When the next tick is due; `None` while there is nothing to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.streams.is_empty() && self.released.is_empty() {
            return None;
        }
        let steps = self.next_step..self.next_step + PHASES as u64;
        let mut busy = steps.filter(|&step| !self.lanes[phase_of(step)].is_empty());
        // What is not of a stream waits for no more than a tick.
        let is_rest = !self.released.is_empty() || !self.overdue.is_empty();
        let soon = self.next_step.next_multiple_of(STEPS);
        let step = match busy.next() {
            Some(step) if is_rest => step.min(soon),
            Some(step) => step,
            None => soon,
        };
        let due = self.time_of(step);
        Some(self.resume.map_or(due, |resume| resume.max(due)))
    }

    /// Does what is due at `now`: nothing, if it is early.
    ///
    /// After a stall the ticks missed are made up for two at a time, so that no peer gets a burst.
    /// After more than 100 ms they are given up, and RTP time leaps.
    pub fn tick(&mut self, now: Instant, io: &mut impl PacketIo) {
        for goodbye in self.goodbyes.drain(..) {
            goodbye.send(io);
        }
        for socket in self.released.drain(..) {
            io.release(socket);
        }
        let due = self.step_at(now);
        let is_catching_up = self.resume.take().is_some();
        if self.streams.is_empty() {
            self.next_step = due + 1;
            return;
        }
        if !self.overdue.is_empty() {
            self.make_up(now, io);
        }
        if !is_catching_up {
            self.pass_over_empty(due);
        }
        let behind = due.saturating_sub(self.next_step);
        if behind > LONGEST_CATCH_UP {
            // All go on at their own time.
            self.next_step = due;
            self.counters.skipped_ticks += behind / STEPS;
            self.stale_before = self.next_step + PHASES as u64;
        }
        let last = due.min(self.next_step + 2 * STEPS - 1);
        while self.next_step <= last {
            let step = self.next_step;
            // Counted first: should it panic, the rest of the step is lost, not repeated.
            self.next_step += 1;
            if !self.lanes[phase_of(step)].is_empty() {
                self.counters.late_ticks += u64::from(due - step >= STEPS);
                self.run(step, now, io);
            }
        }
        if self.next_step <= due {
            self.resume = Some(now + TICK);
        }
        io.flush();
    }

    /// Nothing is to be done in steps without streams.
    fn pass_over_empty(&mut self, due: u64) {
        while self.next_step <= due && self.lanes[phase_of(self.next_step)].is_empty() {
            self.next_step += 1;
        }
    }

    /// Ends the stream at whose turn `tick` or `handle_command` panicked; the others go on.
    pub fn handle_panic(&mut self, now: Instant) {
        self.counters.panics += 1;
        let Some(slot) = self.working_on.take() else { return };
        if let Some(stream) = self.streams.get(slot) {
            let id = stream.id();
            self.close(id, now);
        }
    }

    fn run(&mut self, step: u64, now: Instant, io: &mut impl PacketIo) {
        let mut moment = self.moment(frame_of(step), now);
        let is_stale = step < self.stale_before;
        if is_stale {
            moment.delivery = Delivery::Stale;
        }
        let Self { lanes, streams, relay, events, working_on, by_socket, room_table, .. } = self;
        let Self { rooms, own_mixers, mixer: shared, .. } = self;
        if self.control_tick != step / STEPS {
            self.control_tick = step / STEPS;
            io.receive_control(&mut |socket, from, datagram| {
                let Some(&slot) = by_socket.get(&socket) else { return };
                *working_on = Some(slot);
                if let Some(stream) = streams.get_mut(slot) {
                    stream.handle_control(from, datagram, moment);
                }
            });
        }
        let lane = &lanes[phase_of(step)];
        for &room in &lane.rooms {
            if let Some(room) = room_table.get_mut(room) {
                room.arrange(streams);
            }
        }
        relay.clear();
        if is_stale {
            io.expect_more(&lane.sockets);
        }
        for _ in 0..if is_stale { STALE_BATCHES } else { 1 } {
            io.receive_batch(&lane.sockets, &mut |index, from, datagram| {
                let Some(&slot) = lane.slots.get(index) else { return };
                *working_on = Some(slot);
                if let Some(stream) = streams.get_mut(slot) {
                    stream.handle_packet(from, datagram, slot, moment, relay, events);
                }
            });
        }
        if is_stale {
            relay.clear();
        }
        for &entry in &relay.entries {
            *working_on = Some(entry.slot);
            if let Some(stream) = streams.get_mut(entry.slot) {
                stream.handle_relay(entry, &relay.octets, moment, io);
            }
        }
        for &index in &lane.rooms {
            let Some(room) = room_table.get_mut(index) else { continue };
            let mixer = mixer_of(own_mixers, shared, index);
            if room.is_mixed() {
                room.begin_mix(mixer);
                let company = room.company();
                for &slot in room.members() {
                    *working_on = Some(slot);
                    if let Some(stream) = streams.get_mut(slot) {
                        stream.contribute(company, mixer, events);
                    }
                }
                *working_on = None;
                room.handle_frame(mixer, streams, events);
            } else {
                room.pass_noise(streams, moment, io);
            }
            for &slot in room.members() {
                *working_on = Some(slot);
                if let Some(stream) = streams.get_mut(slot)
                    && stream.place() == Some(Place::Together)
                {
                    stream.handle_frame(mixer, moment, io, events);
                }
            }
            if room.is_mixed() {
                room.end_mix(mixer);
            }
        }
        for &slot in &lane.slots {
            *working_on = Some(slot);
            let Some(stream) = streams.get_mut(slot) else { continue };
            match stream.seat() {
                None => stream.handle_frame(shared, moment, io, events),
                Some(seat) if seat.place == Place::Apart => {
                    let Some(&room) = rooms.get(&seat.room) else { continue };
                    stream.handle_frame(mixer_of(own_mixers, shared, room), moment, io, events);
                }
                Some(_) => {}
            }
        }
        *working_on = None;
    }

    fn open(
        &mut self,
        stream: StreamId,
        shard: ShardId,
        socket: SocketId,
        settings: StreamSettings,
        now: Instant,
    ) {
        let refusal = if shard != self.settings.id {
            Some(OpenError::ForeignPort)
        } else if self.by_id.contains_key(&stream) {
            Some(OpenError::Duplicate)
        } else if self.streams.len() >= self.settings.most_streams {
            Some(OpenError::TooManyStreams)
        } else {
            None
        };
        if let Some(reason) = refusal {
            if reason != OpenError::ForeignPort {
                self.released.push(socket);
            }
            self.events.push_back(Event::OpenFailed { stream, reason });
            return;
        }
        let random = std::array::from_fn(|_| self.entropy.next_u64());
        let moment = self.moment(self.frame_at(now), now);
        let opened = Box::new(Stream::new(stream, socket, settings, random, moment));
        let statistics = opened.shared_statistics();
        self.insert(opened, now);
        self.events.push_back(Event::Opened { stream, statistics });
    }

    fn insert(&mut self, stream: Box<Stream>, now: Instant) {
        if self.streams.is_empty() {
            // The clock stood still while there was nothing to send.
            self.next_step = self.next_step.max(self.step_at(now) + 1);
        } else if self.resume.is_none() {
            // Steps that were slept through are over.
            self.pass_over_empty(self.step_at(now));
        }
        let (id, socket) = (stream.id(), stream.socket());
        let next_frame = stream.last_frame().map(|last| last + 1);
        let slot = self.streams.insert(stream);
        self.by_id.insert(id, slot);
        self.by_socket.insert(socket, slot);
        // What comes from another shard goes where its next frame is due, if that is still to come.
        let wanted = next_frame.map(|next| next.max(frame_of(self.next_step)));
        let phase = self.emptiest_phase(wanted);
        self.lanes[phase].push(socket, slot);
    }

    /// Where one more stream is to send: in the emptiest of four phases while these are not full, then
    /// of eight, then of all; of several that are alike in the one whose turn comes first. In a turn of
    /// the frame `wanted`, if that is told.
    fn emptiest_phase(&self, wanted: Option<u64>) -> usize {
        let steps = self.next_step..self.next_step + PHASES as u64;
        let step = steps.min_by_key(|&step| {
            let phase = phase_of(step);
            let streams = self.lanes[phase].slots.len();
            // 0 for each fourth, 1 for those halfway between, 2 for the rest.
            let level = 2 - phase.trailing_zeros().min(2);
            let is_elsewhere = wanted.is_some_and(|wanted| frame_of(step) != wanted);
            match streams >= FULL {
                true => (is_elsewhere, 1, 0, streams),
                false => (is_elsewhere, 0, level, streams),
            }
        });
        step.map_or(0, phase_of)
    }

    /// Members of a room came or went, or hear another codec: what it is to mix is found out, and
    /// the memory taken for as many as can speak.
    fn settle(&mut self, room: RoomId) {
        let Some(&index) = self.rooms.get(&room) else { return };
        let Some(room) = self.room_table.get_mut(index) else { return };
        let own = self.own_mixers.get_mut(index).and_then(Option::as_deref_mut);
        let rate = room.settle(own, &mut self.streams);
        self.widest = self.widest.max(rate);
        self.largest_room = self.largest_room.max(room.members().len());
        let own = self.own_mixers.iter_mut().flatten().map(|mixer| &mut **mixer);
        for mixer in own.chain([&mut self.mixer]) {
            mixer.reserve(self.largest_room);
            mixer.reserve_up_to(self.widest, self.largest_room);
        }
    }

    /// Takes a stream out of everything.
    fn remove(&mut self, stream: StreamId) -> Option<Box<Stream>> {
        self.leave(stream);
        let slot = self.by_id.remove(&stream)?;
        for lane in &mut self.lanes {
            lane.remove(slot);
        }
        let removed = self.streams.try_remove(slot)?;
        self.by_socket.remove(&removed.socket());
        Some(removed)
    }

    fn close(&mut self, stream: StreamId, now: Instant) -> bool {
        let Some(stream) = self.remove(stream) else { return false };
        self.released.push(stream.socket());
        let moment = self.moment(self.frame_at(now), now);
        self.goodbyes.extend(stream.close(moment, &mut self.events));
        true
    }

    fn depart(&mut self, stream: StreamId, to: ShardId) -> bool {
        if to == self.settings.id {
            let here = self.by_id.contains_key(&stream);
            if here {
                self.events.push_back(Event::Moved { stream, shard: to });
            }
            return here;
        }
        let Some(leaving) = self.remove(stream) else {
            self.departures.push_back(Departure::Unknown { stream, to });
            return false;
        };
        let socket = leaving.socket();
        self.departures.push_back(Departure::Stream { stream: leaving, socket, to });
        true
    }

    fn join(
        &mut self,
        stream: StreamId,
        room: RoomId,
        mute: super::MuteState,
        talk_detection: super::TalkDetection,
    ) -> bool {
        self.leave(stream);
        let Some(&slot) = self.by_id.get(&stream) else { return false };
        let Some(member) = self.streams.get_mut(slot) else { return false };
        let socket = member.socket();
        member.sit_down(room, mute, talk_detection, &mut self.events);
        let present = self.lanes.iter().position(|lane| lane.slots.contains(&slot));
        let index = match self.rooms.get(&room) {
            Some(&index) => index,
            None => {
                // A room of one sends when its founder did.
                let phase = present.unwrap_or(0);
                let index = self.room_table.insert(Room::new(room, phase));
                self.rooms.insert(room, index);
                self.lanes[phase].rooms.push(index);
                index
            }
        };
        let Some(joined) = self.room_table.get_mut(index) else { return false };
        joined.add(slot);
        let (members, mut phase) = (joined.members().len(), joined.phase());
        let is_apart = members > TOGETHER;
        if is_apart {
            self.give_mixer(index);
            for lane in &mut self.lanes {
                lane.remove(slot);
            }
            phase = self.emptiest_phase(None);
            if let Some(member) = self.streams.get_mut(slot) {
                member.sit_apart();
            }
        }
        self.settle(room);
        if present != Some(phase) || is_apart {
            for lane in &mut self.lanes {
                lane.remove(slot);
            }
            self.lanes[phase].push(socket, slot);
        }
        true
    }

    /// A room whose mix is sent in many steps keeps it meanwhile.
    fn give_mixer(&mut self, index: usize) {
        let places = self.own_mixers.len().max(index + 1);
        self.own_mixers.resize_with(places, || None);
        if let (Some(own @ None), Some(room)) =
            (self.own_mixers.get_mut(index), self.room_table.get_mut(index))
        {
            let mut mixer = Box::new(Mixer::new());
            room.take_mixer(&mut mixer);
            *own = Some(mixer);
        }
    }

    fn leave(&mut self, stream: StreamId) -> bool {
        let Some(&slot) = self.by_id.get(&stream) else { return false };
        let Some(member) = self.streams.get_mut(slot) else { return false };
        let Some(id) = member.seat().map(|seat| seat.room) else { return false };
        member.stand_up(&mut self.events);
        if let Some(&index) = self.rooms.get(&id)
            && let Some(room) = self.room_table.get_mut(index)
        {
            room.remove(slot);
            if room.members().is_empty() {
                room.close(&mut self.events);
                self.lanes[room.phase()].rooms.retain(|&other| other != index);
                self.room_table.remove(index);
                if let Some(own) = self.own_mixers.get_mut(index) {
                    *own = None;
                }
                self.rooms.remove(&id);
            }
        }
        self.settle(id);
        true
    }

    fn shape_room(&mut self, room: RoomId, rate: MixRate) -> bool {
        let is_there = self.with_room(room, |room, _| room.shape(rate));
        self.settle(room);
        is_there
    }

    fn with_room(
        &mut self,
        room: RoomId,
        action: impl FnOnce(&mut Room, &mut VecDeque<Event>),
    ) -> bool {
        let index = self.rooms.get(&room);
        let Some(room) = index.and_then(|&index| self.room_table.get_mut(index)) else {
            return false;
        };
        action(room, &mut self.events);
        true
    }

    fn moment(&self, frame: u64, now: Instant) -> Moment {
        let elapsed = now.saturating_duration_since(self.settings.epoch);
        Moment {
            frame,
            now,
            arrival: RtpTime(self.samples_at(now) as u32),
            ntp: NtpTime::since_1970(self.settings.epoch_wall.saturating_add(elapsed)),
            delivery: Delivery::Live,
        }
    }

    fn step_at(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.settings.epoch);
        (elapsed.as_micros() / STEP.as_micros()) as u64
    }

    fn frame_at(&self, now: Instant) -> u64 {
        frame_of(self.step_at(now))
    }

    fn samples_at(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.settings.epoch);
        (elapsed.as_micros() / 125) as u64
    }

    fn time_of(&self, step: u64) -> Instant {
        self.settings.epoch + Duration::from_micros(step.saturating_mul(STEP.as_micros() as u64))
    }
}

/// The mixer in which a room's mix is.
fn mixer_of<'a>(
    own: &'a mut [Option<Box<Mixer>>],
    shared: &'a mut Mixer,
    room: usize,
) -> &'a mut Mixer {
    own.get_mut(room).and_then(Option::as_deref_mut).unwrap_or(shared)
}

fn frame_of(step: u64) -> u64 {
    step / PHASES as u64
}

fn phase_of(step: u64) -> usize {
    (step % PHASES as u64) as usize
}

impl Lane {
    fn push(&mut self, socket: SocketId, slot: usize) {
        self.sockets.push(socket);
        self.slots.push(slot);
    }

    /// The others keep their order: each packet is at its place of the step.
    fn remove(&mut self, slot: usize) {
        if let Some(index) = self.slots.iter().position(|&other| other == slot) {
            self.slots.remove(index);
            self.sockets.remove(index);
        }
    }

    fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.rooms.is_empty()
    }
}

/// How often a shard wants to be asked whether there is something to do, at the least.
pub const TICK: Duration = Duration::from_millis(5);

/// In how many steps that is.
const STEPS: u64 = 4;

/// The step of all media clocks: 1.25 ms.
const STEP: Duration = Duration::from_micros(1250);

/// Steps in a frame.
const PHASES: usize = 16;

/// Streams of a phase before one more is used: some 0.6 ms of work, by which the last of them is moved
/// at the most when the others come or go. A step more costs a wake of the thread.
const FULL: usize = 128;

/// Members of a room that send in its own step.
const TOGETHER: usize = 128;

/// Steps of a stall that are made up for: 100 ms.
const LONGEST_CATCH_UP: u64 = 80;

/// Frames that a stream makes up for at once when it comes late from another shard: 100 ms.
const MOST_OVERDUE: u64 = 5;

/// How often each socket is read after a stall: more datagrams than its buffer holds.
const STALE_BATCHES: usize = 16;

/// Commands kept for one stream on its way; its owner sends a handful.
const MOST_WAITING: usize = 64;

#[cfg(test)]
mod tests;
