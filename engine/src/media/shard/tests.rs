//! The shard as its peers and its owner see it, over packets in memory and with time a variable.

use std::{net::SocketAddr, sync::Arc};

use rtp_rs::RtpReader;

use super::*;
use crate::{
    clock::clock,
    media::{
        Codec, Digit, Direction, EchoState, FRAME, Gain, InbandDigits, Latching, Law, MuteState,
        PayloadType, PlayId, PlayItem, PortLease, Prompt, Repeat, Signal, StreamStatistics, Talk,
        TalkDetection, TapId, TapSource, TapState,
        packet_io::{ControlPort, Outgoing, RECEIVE_LIMIT, Sent},
        rtp::{Header, Marker, Seq, Ssrc},
    },
};

mod clocks;
mod coded;
mod moves;
mod pair;
mod punctual;
mod reports;
mod rooms;
mod silence;
mod stalls;
mod voice;

fn tap(stream: StreamId, source: TapSource, sink: rtrb::Producer<i16>) -> Command {
    tap_at(stream, source, Rate::Narrow, sink)
}

fn tap_at(stream: StreamId, source: TapSource, rate: Rate, sink: rtrb::Producer<i16>) -> Command {
    Command::Tap { stream, tap: TapId(1), source, state: TapState::Open, silence: None, rate, sink }
}

/// Sockets in memory.
#[derive(Default)]
struct Memory {
    now_ms: u64,
    waiting: HashMap<SocketId, VecDeque<(SocketAddr, Vec<u8>)>>,
    connected: HashMap<SocketId, SocketAddr>,
    released: Vec<SocketId>,
    sent: Vec<Packet>,
    /// RTCP that waits, and that was sent.
    control: VecDeque<(SocketId, SocketAddr, Vec<u8>)>,
    reports: Vec<(Packet, ControlPort)>,
    /// Sending on it panics.
    fails_on: Option<SocketId>,
}

#[derive(Debug, Clone)]
struct Packet {
    at_ms: u64,
    socket: SocketId,
    to: SocketAddr,
    octets: Vec<u8>,
}

impl Packet {
    fn read(&self) -> RtpReader<'_> {
        RtpReader::new(&self.octets).unwrap()
    }
}

impl PacketIo for Memory {
    fn receive_batch(
        &mut self,
        sockets: &[SocketId],
        deliver: &mut dyn FnMut(usize, SocketAddr, &[u8]),
    ) {
        for (index, socket) in sockets.iter().enumerate() {
            let Some(waiting) = self.waiting.get_mut(socket) else { continue };
            for _ in 0..RECEIVE_LIMIT {
                let Some((from, octets)) = waiting.pop_front() else { break };
                deliver(index, from, &octets);
            }
        }
    }

    fn send(&mut self, packet: Outgoing<'_>) -> Sent {
        assert!(self.fails_on != Some(packet.socket), "as the test wants it");
        let to = packet.destination.or_else(|| self.connected.get(&packet.socket).copied());
        let to = to.expect("a packet without destination needs a connected socket");
        let octets = [packet.header, packet.payload].concat();
        self.sent.push(Packet { at_ms: self.now_ms, socket: packet.socket, to, octets });
        Sent::Accepted
    }

    fn receive_control(&mut self, deliver: &mut dyn FnMut(SocketId, SocketAddr, &[u8])) {
        for (socket, from, octets) in self.control.drain(..) {
            deliver(socket, from, &octets);
        }
    }

    fn send_control(
        &mut self,
        socket: SocketId,
        from: ControlPort,
        to: SocketAddr,
        datagram: &[u8],
    ) -> Sent {
        assert!(!self.released.contains(&socket), "its socket is gone");
        let packet = Packet { at_ms: self.now_ms, socket, to, octets: datagram.to_vec() };
        self.reports.push((packet, from));
        Sent::Accepted
    }

    fn flush(&mut self) {}

    fn connect(&mut self, socket: SocketId, remote: SocketAddr) -> bool {
        self.connected.insert(socket, remote).is_none()
    }

    fn disconnect(&mut self, socket: SocketId) {
        self.connected.remove(&socket);
    }

    fn release(&mut self, socket: SocketId) {
        self.connected.remove(&socket);
        self.released.push(socket);
    }
}

impl Memory {
    fn arrive(&mut self, socket: SocketId, from: SocketAddr, octets: Vec<u8>) {
        if self.connected.get(&socket).is_none_or(|&remote| remote == from) {
            self.waiting.entry(socket).or_default().push_back((from, octets));
        }
    }
}

struct World {
    epoch: Instant,
    shard: Shard,
    io: Memory,
    events: Vec<Event>,
}

impl World {
    fn new() -> Self {
        Self::of(ShardId(0), clock())
    }

    fn of(id: ShardId, epoch: Instant) -> Self {
        let shard = Shard::new(ShardSettings::new(id, epoch, 42));
        Self { epoch, shard, io: Memory::default(), events: vec![] }
    }

    fn now(&self) -> Instant {
        self.epoch + Duration::from_millis(self.io.now_ms)
    }

    fn command(&mut self, command: Command) {
        let now = self.now();
        self.shard.handle_command(command, now);
    }

    /// Opens stream `n` on socket `n` towards `peer(n)`, with telephone events.
    fn open(&mut self, n: u64) -> StreamId {
        let settings = StreamSettings::new(peer(n), Codec::Pcmu)
            .with_telephone_event(PayloadType::TELEPHONE_EVENT);
        self.open_with(n, settings)
    }

    fn open_with(&mut self, n: u64, settings: StreamSettings) -> StreamId {
        let port = PortLease {
            shard: self.shard.settings.id,
            socket: SocketId(n as u32),
            address: ([127, 0, 0, 1], 10_000 + 2 * n as u16).into(),
        };
        let stream = StreamId(n);
        self.command(Command::Open { stream, port, settings: Box::new(settings) });
        self.drain();
        let opened = self.events.pop();
        assert!(matches!(opened, Some(Event::Opened { stream: it, .. }) if it == stream));
        stream
    }

    fn play(&mut self, stream: StreamId, play: u64, items: Vec<PlayItem>) {
        let play = PlayId(play);
        self.command(Command::Play { stream, play, items, repeat: Repeat::Once });
    }

    fn tick(&mut self) {
        let now = self.now();
        self.shard.tick(now, &mut self.io);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(event) = self.shard.poll_event() {
            self.events.push(event);
        }
    }

    fn run_ms(&mut self, ms: u64) {
        for _ in 0..ms / 5 {
            self.tick();
            self.io.now_ms += 5;
        }
    }

    fn sent_by(&self, socket: u32) -> Vec<Packet> {
        self.io.sent.iter().filter(|packet| packet.socket == SocketId(socket)).cloned().collect()
    }

    fn close(&mut self, stream: StreamId) -> StreamStatistics {
        self.command(Command::Close { stream });
        self.tick();
        let closed = self.events.iter().rev().find_map(|event| match event {
            Event::Closed { stream: closed, statistics } if *closed == stream => Some(statistics),
            _ => None,
        });
        *closed.expect("a closed stream says so").clone()
    }
}

fn peer(n: u64) -> SocketAddr {
    ([192, 0, 2, n as u8], 4000).into()
}

/// A phone that sends a packet each 20 ms.
struct Phone {
    address: SocketAddr,
    socket: SocketId,
    header: Header,
}

impl Phone {
    fn new(n: u64) -> Self {
        let header = Header {
            marker: Marker::Clear,
            payload_type: PayloadType::PCMU,
            seq: Seq(65_530),
            time: RtpTime(u32::MAX - 1000),
            ssrc: Ssrc(1000 + n as u32),
        };
        Self { address: peer(n), socket: SocketId(n as u32), header }
    }

    fn next(&mut self, payload: &[u8]) -> Vec<u8> {
        let octets = [&self.header.write(), payload].concat();
        self.header.seq = self.header.seq.next();
        self.header.time = self.header.time.plus(FRAME as i32);
        octets
    }

    fn send(&mut self, io: &mut Memory, payload: &[u8]) {
        let octets = self.next(payload);
        io.arrive(self.socket, self.address, octets);
    }

    fn event(&mut self, time: RtpTime, payload: [u8; 4]) -> Vec<u8> {
        let header = Header { payload_type: PayloadType::TELEPHONE_EVENT, time, ..self.header };
        self.header.seq = self.header.seq.next();
        [&header.write()[..], &payload].concat()
    }
}

fn ramp(samples: usize) -> Arc<Prompt> {
    Arc::new(Prompt::from_samples(&(0..samples).map(|n| (n * 7) as i16).collect::<Vec<_>>()))
}

/// `frame` of a sine wave, encoded.
fn sine(hertz: f64, amplitude: f64, frame: u64) -> [u8; FRAME] {
    let mut samples = [0; FRAME];
    for (index, sample) in samples.iter_mut().enumerate() {
        let n = (frame * FRAME as u64) as f64 + index as f64;
        *sample = (amplitude * (std::f64::consts::TAU * hertz * n / 8000.0).sin()) as i16;
    }
    let mut payload = [0; FRAME];
    Law::Mu.encode_into(&samples, &mut payload);
    payload
}

/// Amplitude of one frequency in whole frames of audio.
fn amplitude(packets: &[Packet], hertz: f64) -> f64 {
    let mut samples = vec![0; packets.len() * FRAME];
    for (packet, samples) in packets.iter().zip(samples.chunks_mut(FRAME)) {
        Law::Mu.decode_into(packet.read().payload(), samples);
    }
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let angle = std::f64::consts::TAU * hertz * n as f64 / 8000.0;
        real += f64::from(sample) * angle.cos();
        imaginary += f64::from(sample) * angle.sin();
    }
    2.0 * real.hypot(imaginary) / samples.len() as f64
}

#[test]
fn a_prompt_arrives_whole_in_marked_even_and_continuous_packets() {
    let mut world = World::new();
    let stream = world.open(1);
    let prompt = ramp(8000 + 50);
    world.play(stream, 7, vec![PlayItem::Prompt(prompt.clone())]);
    world.run_ms(1500);
    let sent = world.sent_by(1);
    assert_eq!(sent.len(), 51);
    for (index, packet) in sent.iter().enumerate() {
        let rtp = packet.read();
        assert_eq!(rtp.payload(), prompt.frame(index, Law::Mu).unwrap());
        assert_eq!(rtp.mark(), index == 0);
        assert_eq!(rtp.payload_type(), 0);
        assert_eq!(packet.to, peer(1));
        assert_eq!(packet.at_ms, sent[0].at_ms + 20 * index as u64);
        let first = sent[0].read();
        assert_eq!(rtp.ssrc(), first.ssrc());
        assert_eq!(rtp.timestamp(), first.timestamp().wrapping_add(index as u32 * 160));
        let seq = u16::from(first.sequence_number()).wrapping_add(index as u16);
        assert_eq!(u16::from(rtp.sequence_number()), seq);
    }
    let end =
        Event::PlayFinished { stream, play: PlayId(7), end: PlayEnd::Completed, played: 8050 };
    assert_eq!(world.events, [end]);
}

#[test]
fn time_runs_on_through_silence_and_the_next_play_is_marked() {
    let mut world = World::new();
    let stream = world.open(1);
    world.play(stream, 1, vec![PlayItem::Prompt(ramp(320))]);
    world.run_ms(1000);
    world.play(stream, 2, vec![PlayItem::Prompt(ramp(320))]);
    world.run_ms(200);
    let sent = world.sent_by(1);
    assert_eq!(sent.len(), 4);
    let (second, third) = (sent[1].read(), sent[2].read());
    assert!(third.mark() && !second.mark());
    assert_eq!(third.sequence_number() - second.sequence_number(), 1);
    let samples = third.timestamp().wrapping_sub(second.timestamp());
    assert_eq!(u64::from(samples), (sent[2].at_ms - sent[1].at_ms) * 8);
}

#[test]
fn streams_are_spread_over_the_four_phases() {
    let mut world = World::new();
    for n in 0..40 {
        let stream = world.open(n);
        world.play(stream, n, vec![PlayItem::Silence(Duration::from_secs(1))]);
    }
    world.run_ms(20);
    world.io.sent.clear();
    world.run_ms(20);
    let mut by_tick: HashMap<u64, usize> = HashMap::new();
    for packet in &world.io.sent {
        *by_tick.entry(packet.at_ms).or_default() += 1;
    }
    assert_eq!(by_tick.len(), 4);
    assert!(by_tick.values().all(|&packets| packets == 10));
}

#[test]
fn a_stall_is_made_up_for_without_a_burst() {
    let mut world = World::new();
    let stream = world.open(1);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(2))]);
    world.run_ms(200);
    world.io.now_ms += 80;
    world.run_ms(400);
    let sent = world.sent_by(1);
    let gaps: Vec<u64> = sent.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms).collect();
    assert!(gaps.iter().all(|&gap| gap >= 10), "{gaps:?}");
    assert!(sent.iter().skip(1).all(|packet| !packet.read().mark()));
    // 680 ms passed and 34 frames went out: nothing was lost, the clock is right again.
    assert_eq!(sent.len(), 34);
    assert_eq!(*gaps.last().unwrap(), 20);
    assert!(world.shard.counters().late_ticks > 0);
}

#[test]
fn a_long_stall_is_given_up_and_time_leaps() {
    let mut world = World::new();
    let stream = world.open(1);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(9))]);
    world.run_ms(200);
    world.io.now_ms += 5000;
    world.run_ms(200);
    let sent = world.sent_by(1);
    assert!(sent.len() <= 21, "{}", sent.len());
    let leap = sent.iter().skip(1).find(|packet| packet.read().mark()).expect("a marked packet");
    let samples = leap.read().timestamp().wrapping_sub(sent[0].read().timestamp());
    assert_eq!(u64::from(samples), (leap.at_ms - sent[0].at_ms) * 8);
    assert!(world.shard.counters().skipped_ticks > 900);
}

#[test]
fn a_third_party_gets_no_packet_and_is_not_heard() {
    for latching in [Latching::SignalledOnly, Latching::Symmetric] {
        let mut world = World::new();
        let settings = StreamSettings::new(peer(1), Codec::Pcmu)
            .with_telephone_event(PayloadType::TELEPHONE_EVENT)
            .with_latching(latching, "198.51.100.1".parse().unwrap());
        let stream = world.open_with(1, settings);
        world.command(Command::Echo { stream, state: EchoState::On });
        let mut thief = Phone::new(66);
        thief.socket = SocketId(1);
        let mut caller = Phone::new(1);
        for frame in 0..200 {
            // The thief sprays from the start; the caller speaks up after a second.
            thief.send(&mut world.io, &[0x11; FRAME]);
            let digit = thief.event(RtpTime(frame * 1600), [5, 0x8a, 3, 32]);
            world.io.arrive(SocketId(1), thief.address, digit);
            if frame >= 50 {
                caller.send(&mut world.io, &[0x22; FRAME]);
            }
            world.run_ms(20);
        }
        let sent = world.sent_by(1);
        assert!(sent.iter().all(|packet| packet.to == peer(1)), "{latching:?}");
        assert_eq!(sent.len(), 150);
        assert!(sent.iter().all(|packet| packet.read().payload() == [0x22; FRAME]));
        assert_eq!(world.events, [Event::Latched { stream, remote: peer(1) }]);
        let statistics = world.close(stream);
        assert!(statistics.foreign >= 100);
        assert_eq!(statistics.received_packets, 150);
    }
}

#[test]
fn symmetric_media_follows_the_signalling_address() {
    let mut world = World::new();
    let settings = StreamSettings::new("10.0.0.5:4000".parse().unwrap(), Codec::Pcmu)
        .with_latching(Latching::Symmetric, peer(1).ip());
    let stream = world.open_with(1, settings);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(1))]);
    world.run_ms(100);
    Phone::new(1).send(&mut world.io, &[0xff; FRAME]);
    world.run_ms(100);
    let sent = world.sent_by(1);
    assert_eq!(sent.first().unwrap().to, "10.0.0.5:4000".parse().unwrap());
    assert_eq!(sent.last().unwrap().to, peer(1));
    assert_eq!(world.io.connected.get(&SocketId(1)), Some(&peer(1)));
}

#[test]
fn an_echo_goes_back_in_the_tick_it_came_with_numbers_of_its_own() {
    let mut world = World::new();
    let stream = world.open(1);
    world.command(Command::Echo { stream, state: EchoState::On });
    let mut phone = Phone::new(1);
    for index in 0..50_u8 {
        phone.send(&mut world.io, &[index; FRAME]);
        world.run_ms(20);
    }
    let sent = world.sent_by(1);
    assert_eq!(sent.len(), 50);
    for (index, packet) in sent.iter().enumerate() {
        let (rtp, first) = (packet.read(), sent[0].read());
        assert_eq!(rtp.payload(), [index as u8; FRAME]);
        assert_ne!(rtp.ssrc(), 1001);
        assert_eq!(rtp.mark(), index == 0);
        assert_eq!(rtp.sequence_number() - first.sequence_number(), index as i32);
        assert_eq!(rtp.timestamp().wrapping_sub(first.timestamp()), index as u32 * 160);
    }
    // A play takes over without its time going back.
    world.play(stream, 1, vec![PlayItem::Prompt(ramp(320))]);
    world.run_ms(100);
    let after = world.sent_by(1);
    assert_eq!(after.len(), 52);
    let step = after[50].read().timestamp().wrapping_sub(after[49].read().timestamp());
    assert!((160..1600).contains(&step), "{step}");
}

#[test]
fn an_echo_translates_between_the_codecs() {
    let mut world = World::new();
    let mut settings = StreamSettings::new(peer(1), Codec::Pcma);
    settings.receive.push((PayloadType::PCMU, Codec::Pcmu));
    let stream = world.open_with(1, settings);
    world.command(Command::Echo { stream, state: EchoState::On });
    Phone::new(1).send(&mut world.io, &[0xff; 400]);
    world.run_ms(40);
    let sent = world.sent_by(1);
    assert_eq!(sent[0].read().payload_type(), 8);
    assert_eq!(sent[0].read().payload(), [0xd5; 400]);
}

#[test]
fn keys_arrive_once_each_under_loss_and_repetition() {
    let keys = "159*0#";
    for seed in 0..200_u64 {
        let mut world = World::new();
        let stream = world.open(1);
        let mut phone = Phone::new(1);
        let mut random = Entropy::new(seed);
        phone.header.time = RtpTime(u32::MAX - 2000);
        for key in keys.chars() {
            let event = Digit::from_char(key).unwrap().event();
            let time = phone.header.time;
            for step in 1..=8_u16 {
                let duration = (step * 160).min(960);
                let [high, low] = duration.to_be_bytes();
                let flags = if step >= 6 { 0x8a } else { 0x0a };
                let packet = phone.event(time, [event, flags, high, low]);
                if random.fraction() >= 0.4 {
                    world.io.arrive(SocketId(1), peer(1), packet.clone());
                    if random.fraction() < 0.2 {
                        world.io.arrive(SocketId(1), peer(1), packet);
                    }
                }
                world.run_ms(20);
            }
            phone.header.time = phone.header.time.plus(1600);
            world.run_ms(40);
        }
        world.run_ms(300);
        let heard: String = world
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Digit { digit, stream: from, .. } if *from == stream => {
                    Some(digit.as_char())
                }
                _ => None,
            })
            .collect();
        // A key of which every packet is lost can not be told: 0.4^8, once in 1500 keys.
        if heard != keys {
            assert_eq!(heard.len(), keys.len() - 1, "seed {seed}: {heard}");
        }
    }
}

#[test]
fn sent_keys_pause_the_play_and_lose_nothing_of_it() {
    let mut world = World::new();
    let stream = world.open(1);
    let prompt = ramp(1600);
    world.play(stream, 1, vec![PlayItem::Prompt(prompt.clone())]);
    world.run_ms(60);
    let signals = "42".chars().filter_map(Digit::from_char).map(Signal::Digit).collect();
    let (tone, gap) = (Duration::from_millis(100), Duration::from_millis(40));
    world.command(Command::SendDigits { stream, signals, tone, gap });
    world.run_ms(600);
    let sent = world.sent_by(1);
    let audio: Vec<u8> = sent
        .iter()
        .filter(|packet| packet.read().payload_type() == 0)
        .flat_map(|packet| packet.read().payload().to_vec())
        .collect();
    let whole: Vec<u8> = (0..10).flat_map(|index| *prompt.frame(index, Law::Mu).unwrap()).collect();
    assert_eq!(audio, whole);
    let events: Vec<_> = sent.iter().filter(|p| p.read().payload_type() == 101).collect();
    assert_eq!(events.len(), 14);
    assert!(events[0].read().mark() && events[7].read().mark());
    assert_eq!((events[0].read().payload()[0], events[7].read().payload()[0]), (4, 2));
    for pair in sent.windows(2) {
        assert_eq!(pair[1].read().sequence_number() - pair[0].read().sequence_number(), 1);
        assert_eq!(pair[1].at_ms - pair[0].at_ms, 20);
    }
    assert!(world.events.contains(&Event::DigitsSent { stream }));
}

#[test]
fn keys_become_tones_where_no_events_were_agreed() {
    let mut world = World::new();
    let stream = world.open_with(1, StreamSettings::new(peer(1), Codec::Pcmu));
    let signals = vec![Signal::Digit(Digit::from_char('5').unwrap())];
    let (tone, gap) = (Duration::from_millis(200), Duration::from_millis(40));
    world.command(Command::SendDigits { stream, signals, tone, gap });
    world.run_ms(400);
    let sent = world.sent_by(1);
    assert_eq!(sent.len(), 10);
    assert!(amplitude(&sent, 770.0) > 7000.0);
    assert!(amplitude(&sent, 1336.0) > 7000.0);
    assert!(amplitude(&sent, 1209.0) < 400.0);
}

#[test]
fn a_moved_stream_goes_on_where_it_was() {
    let epoch = clock();
    let mut old = World::of(ShardId(0), epoch);
    let mut new = World::of(ShardId(1), epoch);
    let stream = old.open(1);
    let prompt = ramp(16_000);
    old.play(stream, 3, vec![PlayItem::Prompt(prompt.clone())]);
    old.run_ms(500);
    new.io.now_ms = old.io.now_ms;
    new.shard.expect(stream);
    old.command(Command::Move { stream, to: ShardId(1) });
    // The new shard is told more before the stream is there.
    new.command(Command::Join {
        stream,
        room: RoomId(4),
        mute: MuteState::Open,
        talk_detection: TalkDetection::Off,
    });
    let Some(Departure::Stream { stream: boxed, socket, to }) = old.shard.poll_departure() else {
        panic!("the stream leaves");
    };
    assert_eq!((to, socket), (ShardId(1), SocketId(1)));
    assert!(old.shard.is_empty());
    let now = new.now();
    new.shard.adopt(boxed, SocketId(77), now);
    new.run_ms(2000);
    assert_eq!(new.events[0], Event::Moved { stream, shard: ShardId(1) });
    assert_eq!(new.events[1], Event::Joined { stream, room: RoomId(4) });
    let mut sent = old.sent_by(1);
    sent.extend(new.sent_by(77));
    for (index, pair) in sent.windows(2).enumerate() {
        let (one, two) = (pair[0].read(), pair[1].read());
        assert_eq!(two.sequence_number() - one.sequence_number(), 1);
        let step = two.timestamp().wrapping_sub(one.timestamp());
        assert!(step == 160 || step == 320, "{index}: {step}");
        assert_eq!(one.ssrc(), two.ssrc());
    }
    for (index, packet) in sent.iter().enumerate().take(100) {
        assert_eq!(packet.read().payload(), prompt.frame(index, Law::Mu).unwrap());
    }
}

#[test]
fn on_hold_nothing_is_sent_and_the_play_goes_on() {
    let mut world = World::new();
    let stream = world.open(1);
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_millis(500))]);
    world.run_ms(100);
    let before = world.sent_by(1).len();
    let held = StreamSettings {
        direction: Direction::Inactive,
        ..StreamSettings::new(peer(1), Codec::Pcmu)
    };
    world.command(Command::Update { stream, settings: Box::new(held.clone()) });
    world.run_ms(200);
    assert_eq!(world.sent_by(1).len(), before);
    let resumed = StreamSettings { direction: Direction::SendReceive, ..held };
    world.command(Command::Update { stream, settings: Box::new(resumed) });
    world.run_ms(400);
    let sent = world.sent_by(1);
    assert!(sent[before].read().mark());
    let seq = sent[before].read().sequence_number() - sent[before - 1].read().sequence_number();
    assert_eq!(seq, 1);
    assert_eq!(sent.len(), 15, "500 ms less the 200 on hold");
}

#[test]
fn a_recording_holds_both_sides_and_says_when_it_ends() {
    let mut world = World::new();
    let stream = world.open(1);
    let (sink, mut reader) = rtrb::RingBuffer::new(80_000);
    world.command(tap(stream, TapSource::Both, sink));
    let mut prompt = vec![0; 16_000];
    for (n, sample) in prompt.iter_mut().enumerate() {
        *sample = (4000.0 * (std::f64::consts::TAU * 500.0 * n as f64 / 8000.0).sin()) as i16;
    }
    world.play(stream, 1, vec![PlayItem::Prompt(Arc::new(Prompt::from_samples(&prompt)))]);
    let mut phone = Phone::new(1);
    for frame in 0..100 {
        phone.send(&mut world.io, &sine(1000.0, 4000.0, frame));
        world.run_ms(20);
    }
    let samples = reader.slots();
    assert!((98 * FRAME..=101 * FRAME).contains(&samples), "{samples}");
    let recorded: Vec<i16> = reader.read_chunk(samples).unwrap().into_iter().collect();
    let (mut low, mut high) = ((0.0, 0.0), (0.0, 0.0));
    for (n, &sample) in recorded[4000..12_000].iter().enumerate() {
        let angle = std::f64::consts::TAU * n as f64 / 8000.0;
        for (sum, hertz) in [(&mut low, 500.0), (&mut high, 1000.0)] {
            sum.0 += f64::from(sample) * (angle * hertz).cos() / 4000.0;
            sum.1 += f64::from(sample) * (angle * hertz).sin() / 4000.0;
        }
    }
    for (sum, what) in [(low, "played"), (high, "received")] {
        let level = f64::hypot(sum.0, sum.1);
        assert!((3800.0..4200.0).contains(&level), "{what}: {level}");
    }
    drop(reader);
    world.run_ms(40);
    assert!(world.events.contains(&Event::TapEnded { stream, tap: TapId(1), dropped: 0 }));
}

#[test]
fn what_waits_to_be_played_when_a_call_ends_is_recorded() {
    let mut world = World::new();
    let stream = world.open(1);
    let (sink, mut reader) = rtrb::RingBuffer::new(80_000);
    world.command(tap(stream, TapSource::Received, sink));
    let mut phone = Phone::new(1);
    for frame in 0..50 {
        phone.send(&mut world.io, &sine(1000.0, 4000.0, frame));
        world.run_ms(20);
    }
    world.command(Command::Close { stream });
    let recorded = reader.read_chunk(reader.slots()).unwrap();
    let loud = recorded.into_iter().filter(|sample| sample.abs() > 100).count();
    // At 1000 Hz every fourth sample of a sine is 0.
    assert!(loud >= 49 * FRAME * 3 / 4, "{loud} of {}", 50 * FRAME * 3 / 4);
}

#[test]
fn a_silent_stream_sends_a_sign_of_life_every_15_s_and_reports_a_silent_peer_once() {
    let mut world = World::new();
    let settings = StreamSettings {
        idle_timeout: Some(Duration::from_secs(10)),
        ..StreamSettings::new(peer(1), Codec::Pcmu)
    };
    let stream = world.open_with(1, settings);
    world.run_ms(46_000);
    let sent = world.sent_by(1);
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|p| p.read().mark() && p.read().payload() == [0xff; FRAME]));
    let idle = Event::Idle { stream, silent_for: Duration::from_secs(10) };
    assert_eq!(world.events, [idle]);
    Phone::new(1).send(&mut world.io, &[0xff; FRAME]);
    world.run_ms(11_000);
    assert_eq!(world.events.len(), 3, "{:?}", world.events);
}

#[test]
fn silence_is_reported_whichever_way_media_flows() {
    let mut world = World::new();
    let settings = StreamSettings {
        idle_timeout: Some(Duration::from_secs(10)),
        direction: Direction::Inactive,
        ..StreamSettings::new(peer(1), Codec::Pcmu)
    };
    let stream = world.open_with(1, settings);
    world.run_ms(11_000);
    let silent_for = Duration::from_secs(10);
    assert_eq!(world.events, [Event::Idle { stream, silent_for }]);
}

#[test]
fn plays_replace_each_other_and_end_with_the_stream() {
    let mut world = World::new();
    let stream = world.open(1);
    let silence = || vec![PlayItem::Silence(Duration::from_secs(1))];
    world.play(stream, 1, silence());
    world.run_ms(100);
    world.play(stream, 2, silence());
    world.command(Command::StopPlay { stream, play: Some(PlayId(1)) });
    world.run_ms(100);
    world.command(Command::StopPlay { stream, play: Some(PlayId(2)) });
    world.play(stream, 3, silence());
    world.close(stream);
    let ends: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::PlayFinished { play, end, .. } => Some((play.0, *end)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(1, PlayEnd::Replaced), (2, PlayEnd::Stopped), (3, PlayEnd::Closed)]);
    assert_eq!(world.io.released, [SocketId(1)]);
    assert_eq!(world.shard.poll_timeout(), None, "an empty shard sleeps");
}

#[test]
fn a_port_ends_in_one_place_whatever_is_asked() {
    let mut world = World::new();
    world.open(1);
    let port = |shard, socket| PortLease {
        shard: ShardId(shard),
        socket: SocketId(socket),
        address: peer(1),
    };
    let settings = || Box::new(StreamSettings::new(peer(1), Codec::Pcmu));
    let stream = StreamId(1);
    world.command(Command::Open { stream, port: port(0, 8), settings: settings() });
    let stream = StreamId(2);
    world.command(Command::Open { stream, port: port(3, 9), settings: settings() });
    world.command(Command::ReturnPort { port: port(0, 10) });
    world.command(Command::StopPlay { stream: StreamId(99), play: None });
    world.tick();
    assert_eq!(
        world.events,
        [
            Event::OpenFailed { stream: StreamId(1), reason: OpenError::Duplicate },
            Event::OpenFailed { stream: StreamId(2), reason: OpenError::ForeignPort },
        ]
    );
    assert_eq!(world.io.released, [SocketId(8), SocketId(10)]);
    assert_eq!(world.shard.counters().stray_commands, 1);
}

#[test]
fn keys_are_found_in_the_sound_where_that_was_agreed() {
    let mut world = World::new();
    let mut settings = StreamSettings::new(peer(1), Codec::Pcmu);
    settings.inband_digits = InbandDigits::Detect;
    let stream = world.open_with(1, settings);
    let mut phone = Phone::new(1);
    for frame in 0..20 {
        let (low, high) = (sine(770.0, 4000.0, frame), sine(1336.0, 4000.0, frame));
        let mut samples = [[0; FRAME]; 2];
        Law::Mu.decode_into(&low, &mut samples[0]);
        Law::Mu.decode_into(&high, &mut samples[1]);
        let both: Vec<i16> = samples[0].iter().zip(&samples[1]).map(|(a, b)| a + b).collect();
        let mut payload = [0xff; FRAME];
        if frame < 6 {
            Law::Mu.encode_into(&both, &mut payload);
        }
        phone.send(&mut world.io, &payload);
        world.run_ms(20);
    }
    let digits: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Digit { digit, stream: from, .. } if *from == stream => Some(digit.as_char()),
            _ => None,
        })
        .collect();
    assert_eq!(digits, ['5']);
}

#[test]
fn a_panic_ends_the_stream_at_whose_turn_it_came_and_no_other() {
    let mut world = World::new();
    for n in 0..3 {
        let stream = world.open(n);
        world.play(stream, n, vec![PlayItem::Silence(Duration::from_secs(1))]);
    }
    world.run_ms(100);
    world.io.fails_on = Some(SocketId(1));
    let now = world.now();
    let World { shard, io, .. } = &mut world;
    for tick in 0..4 {
        let now = now + Duration::from_millis(tick * 5);
        let tick = std::panic::AssertUnwindSafe(|| shard.tick(now, io));
        if std::panic::catch_unwind(tick).is_err() {
            shard.handle_panic(now);
        }
    }
    world.io.now_ms += 20;
    world.run_ms(100);
    let closed: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Closed { stream, .. } => Some(stream.0),
            _ => None,
        })
        .collect();
    assert_eq!(closed, [1]);
    assert_eq!(world.shard.counters().panics, 1);
    assert_eq!((world.sent_by(0).len(), world.sent_by(2).len()), (11, 11));
}

/// Whatever arrives, from whomever: the play goes on, packet by packet, and nobody else gets any.
fn feed_arbitrary_packets(seed: u64) {
    let mut random = Entropy::new(seed);
    let mut world = World::new();
    let settings = StreamSettings::new(peer(1), Codec::Pcmu)
        .with_telephone_event(PayloadType::TELEPHONE_EVENT)
        .with_latching(Latching::Symmetric, peer(2).ip());
    let stream = world.open_with(1, settings.clone());
    let other = world.open_with(2, settings);
    for stream in [stream, other] {
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::On);
        world.command(Command::Join { stream, room: RoomId(1), mute, talk_detection });
    }
    let (sink, _reader) = rtrb::RingBuffer::new(1000);
    world.command(tap(other, TapSource::Both, sink));
    world.play(stream, 1, vec![PlayItem::Silence(Duration::from_secs(60))]);
    let (left, echo) = (Command::Leave { stream: other }, EchoState::On);
    world.command(left);
    world.command(Command::Echo { stream: other, state: echo });
    let sources = [peer(1), peer(2), peer(3), ([192, 0, 2, 1], 9999).into()];
    let mut phone = Phone::new(1);
    for _ in 0..300 {
        for _ in 0..random.below(30) {
            let mut octets = phone.next(&[0x55; FRAME]);
            for _ in 0..random.below(6) {
                let index = random.below(octets.len().min(20) as u32) as usize;
                octets[index] = random.next_u32() as u8;
            }
            if random.below(2) == 0 {
                octets[1] = [0, 101, 0x80, 13, 200, 127][random.below(6) as usize];
            }
            octets.truncate(random.below(300) as usize);
            let socket = SocketId(1 + random.below(2));
            let from = sources[random.below(4) as usize];
            world.io.arrive(socket, from, octets);
        }
        world.run_ms(20);
    }
    let sent = world.sent_by(1);
    assert_eq!(sent.len(), 300, "seed {seed}");
    assert!(sent.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == 20), "seed {seed}");
    assert!(world.io.sent.iter().all(|packet| packet.to.ip() != peer(3).ip()), "seed {seed}");
    world.close(stream);
    world.close(other);
}

#[test]
fn arbitrary_packets_disturb_nothing() {
    for seed in 0..40 {
        feed_arbitrary_packets(seed);
    }
}
