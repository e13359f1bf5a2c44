//! A media shard as the network sees it: any datagrams on any ports, at any pace.
//!
//! An input is datagrams with separators between. The first byte of each says on which stream and
//! from whom it comes and how many ticks pass before; 0xff in its place makes the rest commands, 0xfe makes it
//! times of ticks.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesis_engine::media::packet_io::{ControlPort, Outgoing, PacketIo, RECEIVE_LIMIT, Sent};
use diesis_engine::media::rtcp::packet::{Compound, Packet};
use diesis_engine::media::shard::{Shard, ShardSettings, TICK};
use diesis_engine::media::{
    Codec, Command, Digit, EchoState, Event, InbandDigits, Latching, MuteState, PayloadType,
    PlayId, PlayItem, PortLease, Prompt, Repeat, RoomId, ShardId, Signal, SocketId, StreamId,
    StreamSettings, command::TalkDetection,
};

use super::sip::clock;
use super::{SLOW, Shape, Target, owned, parts};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "shard",
        about: "media::Shard: RTP, RTCP and telephone events on streams, in rooms, echoing, playing",
        run,
        seeds,
        tokens: TOKENS,
        longest: 4096,
        memory: 32 << 20,
        slow: SLOW,
    },
    Target {
        name: "rtcp",
        about: "media::rtcp: compound packets, their reports, names and goodbyes",
        run: compound,
        seeds: compound_seeds,
        tokens: COMPOUND_TOKENS,
        longest: 2048,
        memory: 1 << 20,
        slow: SLOW,
    },
];

/// Reads everything that is in a compound packet, and what it is told from.
fn compound(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let compound = match Compound::parse(input) {
        Ok(compound) => compound,
        Err(error) => {
            shape.kind(&error);
            return shape;
        }
    };
    shape.kind(&compound.sender());
    // At least four octets each.
    let mut packets = 0;
    for packet in compound.packets() {
        packets += 1;
        shape.kind(&packet);
        match packet {
            Packet::Sender(_, blocks) | Packet::Receiver(_, blocks) => {
                assert!(blocks.count() <= 31);
                for block in blocks {
                    assert!((-0x80_0000..0x80_0000).contains(&block.lost));
                    shape.add(block.fraction_lost);
                }
            }
            Packet::Description(chunks) => {
                // As many as were counted when it was checked.
                for (_, name) in chunks {
                    shape.count(name.map_or(0, <[u8]>::len));
                }
            }
            Packet::Goodbye(sources) => shape.count(sources.count()),
            _ => {}
        }
    }
    assert!(packets > 0 && packets * 4 <= input.len());
    shape
}

fn compound_seeds() -> Vec<Vec<u8>> {
    let sender =
        b"\x81\xc8\0\x0c\0\0\0\x07\xb4\x4d\xb7\x05\x20\0\0\0\0\0\0\xa0\0\0\0\x07\0\0\x04\x60\
        \0\0\0\x08\x40\xff\xff\xfd\0\x01\xff\xfe\0\0\0\x50\xb7\x05\x20\0\0\x05\x40\0";
    let receiver = b"\x80\xc9\0\x01\0\0\0\x07";
    let name = b"\x81\xca\0\x03\0\0\0\x07\x01\x05alice\0";
    let goodbye = b"\x81\xcb\0\x03\0\0\0\x07\x07teardown";
    let feedback = b"\x81\xce\0\x02\0\0\0\x07\0\0\0\x08";
    let extended = b"\x80\xcf\0\x04\0\0\0\x07\x04\0\0\x02\xb4\x4d\xb7\x05\x20\0\0\0";
    let join = |parts: &[&[u8]]| parts.concat();
    vec![
        join(&[&sender[..], &name[..], &goodbye[..8], b"\0\0\0\0"]),
        join(&[&receiver[..], &name[..], feedback, extended]),
        join(&[&receiver[..], b"\xa1\xcb\0\x02\0\0\0\x07\0\0\0\x04"]),
        join(&[&sender[..], &name[..], &name[..]]),
        receiver.to_vec(),
    ]
}

const COMPOUND_TOKENS: &[&[u8]] = &[
    b"\x80\xc8\0\x06",
    b"\x81\xc8\0\x0c",
    b"\x80\xc9\0\x01",
    b"\x81\xc9\0\x07",
    b"\x81\xca\0\x02",
    b"\x81\xcb\0\x01",
    b"\x81\xcc\0\x02",
    b"\x81\xcd\0\x03",
    b"\x81\xce\0\x02",
    b"\x80\xcf\0\x01",
    b"\xa0",
    b"\x9f",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\0\0\0\x04",
];

/// Sockets in memory, which check what is sent.
#[derive(Default)]
struct Sockets {
    waiting: HashMap<SocketId, VecDeque<(SocketAddr, Vec<u8>)>>,
    control: VecDeque<(SocketId, SocketAddr, Vec<u8>)>,
    connected: HashMap<SocketId, SocketAddr>,
    allowed: Vec<SocketAddr>,
    sent: usize,
    reported: usize,
}

impl PacketIo for Sockets {
    fn receive_batch(
        &mut self,
        sockets: &[SocketId],
        deliver: &mut dyn FnMut(usize, SocketAddr, &[u8]),
    ) {
        for (index, socket) in sockets.iter().enumerate() {
            let Some(waiting) = self.waiting.get_mut(socket) else { continue };
            for _ in 0..RECEIVE_LIMIT {
                let Some((from, bytes)) = waiting.pop_front() else { break };
                deliver(index, from, &bytes);
            }
        }
    }

    fn send(&mut self, packet: Outgoing<'_>) -> Sent {
        let to = packet.destination.or_else(|| self.connected.get(&packet.socket).copied());
        let to = to.expect("a destination, or a connected socket");
        let ip = to.ip();
        assert!(self.allowed.iter().any(|it| it.ip() == ip), "sent to a third party, {to}");
        assert_eq!(packet.header[0] >> 6, 2, "RTP's version");
        // Echo gives back what came, as long as it is.
        assert!(packet.payload.len() <= 4096);
        self.sent += 1;
        Sent::Accepted
    }

    fn receive_control(&mut self, deliver: &mut dyn FnMut(SocketId, SocketAddr, &[u8])) {
        for (socket, from, bytes) in self.control.drain(..) {
            deliver(socket, from, &bytes);
        }
    }

    fn send_control(
        &mut self,
        _: SocketId,
        _: ControlPort,
        to: SocketAddr,
        datagram: &[u8],
    ) -> Sent {
        let ip = to.ip();
        assert!(self.allowed.iter().any(|it| it.ip() == ip), "reported to a third party, {to}");
        Compound::parse(datagram).expect("a report of ours has the form");
        self.reported += 1;
        Sent::Accepted
    }

    fn flush(&mut self) {}

    fn connect(&mut self, socket: SocketId, remote: SocketAddr) -> bool {
        self.connected.insert(socket, remote);
        true
    }

    fn disconnect(&mut self, socket: SocketId) {
        self.connected.remove(&socket);
    }

    fn release(&mut self, socket: SocketId) {
        self.connected.remove(&socket);
        self.waiting.remove(&socket);
    }
}

/// Streams: a plain one, one that latches, one that looks for tones, and two in a room.
const STREAMS: u64 = 5;

fn peer(stream: u64) -> SocketAddr {
    ([192, 0, 2, 10 + stream as u8], 4000).into()
}

fn settings(stream: u64) -> StreamSettings {
    let codec = if stream == 1 { Codec::Pcma } else { Codec::Pcmu };
    let mut settings =
        StreamSettings::new(peer(stream), codec).with_telephone_event(PayloadType::TELEPHONE_EVENT);
    settings.idle_timeout = Some(Duration::from_secs(1));
    if stream == 1 {
        settings = settings.with_latching(Latching::Symmetric, peer(1).ip());
    }
    if stream == 2 {
        settings.inband_digits = InbandDigits::Detect;
        settings.telephone_event_receive.clear();
    }
    settings
}

fn run(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let start = clock();
    let mut shard = Shard::new(ShardSettings::new(ShardId(0), start, 1));
    let allowed = (0..STREAMS).map(peer).collect();
    let mut sockets = Sockets { allowed, ..Sockets::default() };
    for n in 0..STREAMS {
        let port = PortLease {
            shard: ShardId(0),
            socket: SocketId(n as u32),
            address: ([192, 0, 2, 1], 10_000 + 2 * n as u16).into(),
        };
        let settings = Box::new(settings(n));
        shard.handle_command(Command::Open { stream: StreamId(n), port, settings }, start);
    }
    for n in 3..STREAMS {
        let (stream, room) = (StreamId(n), RoomId(1));
        let (mute, talk_detection) = (MuteState::default(), TalkDetection::On);
        shard.handle_command(Command::Join { stream, room, mute, talk_detection }, start);
    }
    let echo = Command::Echo { stream: StreamId(0), state: EchoState::On };
    shard.handle_command(echo, start);
    let mut now = start;
    for part in parts(input).take(100) {
        let Some((&what, rest)) = part.split_first() else { continue };
        if what == 0xfe {
            // Ticks at any time, before others too.
            for &[forth, back] in rest.as_chunks::<2>().0.iter().take(8) {
                let at = now + Duration::from_millis(u64::from(forth) * 7);
                let at = at.checked_sub(Duration::from_millis(u64::from(back) * 5)).unwrap_or(at);
                tick(&mut shard, &mut sockets, at, &mut shape);
                now = now.max(at);
            }
            continue;
        }
        if what == 0xff {
            rest.iter().take(8).for_each(|&byte| command(&mut shard, byte, now));
            // Each may end what came before it.
            drain(&mut shard, &mut shape);
            continue;
        }
        let stream = u64::from(what & 7) % STREAMS;
        let mut from = peer(stream);
        if what & 7 > 4 {
            // To the port above.
            from.set_port(if what >> 3 & 1 == 0 { 4001 } else { 4007 });
            if what >> 3 & 3 == 3 {
                from = ([203, 0, 113, 9], 4001).into();
            }
            sockets.control.push_back((SocketId(stream as u32), from, rest.to_vec()));
            now += TICK;
            tick(&mut shard, &mut sockets, now, &mut shape);
            continue;
        }
        match what >> 3 & 3 {
            0 | 1 => {}
            2 => from.set_port(4002),
            _ => from = ([203, 0, 113, 9], 4000).into(),
        }
        let socket = SocketId(stream as u32);
        if sockets.connected.get(&socket).is_none_or(|remote| *remote == from) {
            sockets.waiting.entry(socket).or_default().push_back((from, rest.to_vec()));
        }
        for _ in 0..[0, 1, 4, 16, 64, 1, 4, 250][usize::from(what >> 5)] {
            now += TICK;
            tick(&mut shard, &mut sockets, now, &mut shape);
        }
    }
    for n in 0..STREAMS {
        shard.handle_command(Command::Close { stream: StreamId(n) }, now);
    }
    for _ in 0..8 {
        now += TICK;
        tick(&mut shard, &mut sockets, now, &mut shape);
    }
    assert!(shard.is_empty());
    let sent = sockets.sent;
    for part in parts(input).take(20) {
        let socket = SocketId(u32::from(part.first().copied().unwrap_or(0)) % STREAMS as u32);
        let waiting = sockets.waiting.entry(socket).or_default();
        waiting.push_back((peer(0), part.to_vec()));
        sockets.control.push_back((socket, peer(0), part.to_vec()));
        now += TICK;
        tick(&mut shard, &mut sockets, now, &mut shape);
    }
    assert_eq!(sockets.sent, sent, "something is sent without a call");
    assert_eq!(shard.counters().panics, 0);
    shape.count(sockets.sent / 100);
    shape.count(sockets.reported);
    shape
}

fn tick(shard: &mut Shard, sockets: &mut Sockets, now: Instant, shape: &mut Shape) {
    shard.tick(now, sockets);
    drain(shard, shape);
}

fn drain(shard: &mut Shard, shape: &mut Shape) {
    let mut events = 0;
    while let Some(event) = shard.poll_event() {
        events += 1;
        assert!(events <= 200, "events without end");
        shape.kind(&event);
        match event {
            Event::Digit { stream, digit, .. } => shape.add((stream.0, digit.as_char())),
            Event::Latched { stream, remote } => {
                assert_eq!(remote.ip(), peer(stream.0).ip(), "latched to a third party");
            }
            Event::Closed { statistics, .. } => {
                let text = format!("{statistics:?}");
                shape.count(text.len() / 16);
            }
            _ => {}
        }
    }
}

fn command(shard: &mut Shard, byte: u8, now: Instant) {
    let stream = StreamId(u64::from(byte & 7) % STREAMS);
    let prompt = || Arc::new(Prompt::from_samples(&[1000; 500]));
    let command = match byte >> 3 {
        0 => Command::Play {
            stream,
            play: PlayId(u64::from(byte)),
            items: vec![PlayItem::Prompt(prompt()), PlayItem::Silence(Duration::from_millis(30))],
            repeat: Repeat::Once,
        },
        1 => Command::StopPlay { stream, play: None },
        2 => Command::Echo { stream, state: EchoState::Off },
        3 => Command::SendDigits {
            stream,
            signals: Digit::from_char('5').map(Signal::Digit).into_iter().collect(),
            tone: Duration::from_millis(100),
            gap: Duration::from_millis(50),
        },
        4 => Command::Leave { stream },
        5 => Command::Update { stream, settings: Box::new(settings(stream.0)) },
        6 => Command::Join {
            stream,
            room: RoomId(2),
            mute: MuteState::default(),
            talk_detection: TalkDetection::On,
        },
        7 => Command::PlayToRoom {
            room: RoomId(1),
            play: PlayId(9),
            items: vec![PlayItem::PromptFrom(prompt(), u32::from(byte) * 100)],
            except: (byte & 1 == 0).then_some(stream),
        },
        _ => Command::Play {
            stream,
            play: PlayId(u64::from(byte)),
            items: vec![PlayItem::PromptFrom(prompt(), u32::MAX), PlayItem::Prompt(prompt())],
            repeat: Repeat::Forever,
        },
    };
    shard.handle_command(command, now);
}

/// A packet: first byte of the script, payload type with marker, sequence, time, payload.
fn packet(what: u8, kind: u8, seq: u16, time: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![what, 0x80, kind];
    bytes.extend(seq.to_be_bytes());
    bytes.extend(time.to_be_bytes());
    bytes.extend([0, 0, 0, 7]);
    bytes.extend(payload);
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let mut audio = Vec::new();
    let mut key = Vec::new();
    for n in 0..6_u16 {
        audio.push(packet(0x40 | (n as u8 % 5), 0, n, u32::from(n) * 160, &[0x55; 40]));
        let end = if n > 3 { 0x8a } else { 0x0a };
        let length = 160 * n.min(4);
        let payload = [5, end, (length >> 8) as u8, length as u8];
        key.push(packet(0x40, 101 | if n == 0 { 0x80 } else { 0 }, n, 1000, &payload));
    }
    let mut seeds = vec![audio.join(&super::SEPARATOR), key.join(&super::SEPARATOR)];
    seeds.extend(owned(&[
        b"\xfe\x02\x00\xff\x00\x00\x80\x10\x10\x1e\x40\x80\x0d\0\x01\0\0\0\x07\0\0\0\x07\x40\x1e\xfe\x00\xff\xff\xff",
        b"\xff\x00\x08\x18\x20\x28\x30\x38\x40\x1e\xe0x\x1e\xff\x41\x1e\xe1",
        b"\x40\x80\xc8\0\x01\0\0\0\x07\0\0\x1e\x50\x80\0\0\x01\0\0\0\0\0\0\0\x07abc\x1e\x58\x91\0\0\x02\0\0\0\0\0\0\0\x07\xbe\xde\0\x01abcd",
        // Binding requests (RFC 5389) on both ports, of the peer, of another port of its and of a stranger.
        b"\x41\0\x01\0\x08!\x12\xa4B0123456789ab\0\x24\0\x04\0\0\0\x01\x1e\x51\0\x01\0\0!\x12\xa4B0123456789ab\x1e\x59\x01\x01\0\0!\x12\xa4B0123456789ab\x1e\x05\0\x01\0\0!\x12\xa4B0123456789ab",
        b"\x05\x81\xc9\0\x07\0\0\0\x07\0\0\0\x08\0\0\0\0\0\0\0\x05\0\0\0\x01\0\0\0\0\0\0\0\0\x81\xcb\0\x01\0\0\0\x07\x1e\xe0",
    ]));
    seeds
}

const TOKENS: &[&[u8]] = &[
    b"\x80\0",
    b"\x80\x08",
    b"\x80\x0d",
    b"\x80\x65",
    b"\x80\xe5",
    b"\x90\0",
    b"\xa0\0",
    b"\x8f\0",
    b"\x80\xc8",
    b"\x80\xcb",
    b"\xff\xff",
    b"\x7f\xff",
    b"\x80\0\0\0",
    b"\0\0\0\x07",
    b"\0\0\0\x08",
    b"\x05\x0a\x03\x20",
    b"\x05\x8a\x03\x20",
    b"\x0f\x8a\xff\xff",
    b"\x10",
    b"\x1e\x40",
    b"\x1e\x41",
    b"\x1e\x52",
    b"\x1e\x5b",
    b"\x1e\xe0",
    b"\x1e\xff",
    b"\x1e\xfe",
    b"\xbe\xde\0\x01",
    b"\0\x01\0\0!\x12\xa4B",
    b"\x01\x01\0\x0c!\x12\xa4B",
];
