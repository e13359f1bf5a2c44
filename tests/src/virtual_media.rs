//! A media shard and phones around it, with a clock and a network of our own: minutes of a conference
//! in a moment, and the same each time.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use diesis_engine::media::command::TalkDetection;
use diesis_engine::media::packet_io::{ControlPort, Outgoing, PacketIo, RECEIVE_LIMIT, Sent};
use diesis_engine::media::shard::{Shard, ShardSettings, TICK};
use diesis_engine::media::{
    Codec, Command, Event, MuteState, Noticed, PayloadType, PortLease, RoomId, ShardId, SocketId,
    StreamId, StreamSettings, StreamStatistics, Watch, WatchId,
};

use crate::rtp::RtpPacket;
use crate::voice::{Encoding, Voice};

/// What becomes of a phone's packets on their way to the engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// In a thousand.
    pub lost: u32,
    /// In a thousand.
    pub doubled: u32,
    /// Milliseconds, evenly from none to this.
    pub jitter: u32,
    /// By how many millionths the phone's clock is fast.
    pub drift: i32,
}

/// The shard, its members, and the time.
#[derive(Debug)]
pub struct VirtualRoom {
    shard: Shard,
    start: Instant,
    milliseconds: u64,
    members: Vec<Member>,
    sockets: Sockets,
    closed: HashMap<StreamId, StreamStatistics>,
    /// When what was noticed of whom, in milliseconds.
    noticed: Vec<(StreamId, u64, Noticed)>,
    random: u64,
}

#[derive(Debug)]
struct Member {
    voice: Voice,
    way: Way,
    /// When its next packet leaves, in milliseconds.
    due: f64,
    /// When each repetition of its sound began, in milliseconds.
    began: Vec<f64>,
    sent: u64,
    lost: u64,
    doubled: u64,
}

#[derive(Debug, Default)]
struct Sockets {
    /// When it arrives, where, and what.
    on_the_way: Vec<(u64, usize, Vec<u8>)>,
    waiting: HashMap<SocketId, VecDeque<Vec<u8>>>,
    heard: HashMap<SocketId, Vec<RtpPacket>>,
}

impl VirtualRoom {
    /// An empty one; what is lost and late follows from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let start = Instant::now();
        Self {
            shard: Shard::new(ShardSettings::new(ShardId(0), start, 1)),
            start,
            milliseconds: 0,
            members: Vec::new(),
            sockets: Sockets::default(),
            closed: HashMap::new(),
            noticed: Vec::new(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// Somebody who says a sound over and over; gives his number.
    pub fn join(&mut self, encoding: Encoding, sound: &[i16], way: Way) -> usize {
        let voice = Voice::new(encoding, sound, 1 + self.members.len() as u32);
        let n = self.call(voice, way);
        let (stream, room) = (StreamId(n as u64), RoomId(1));
        let (mute, talk_detection) = (MuteState::Open, TalkDetection::Off);
        let now = self.now();
        self.shard.handle_command(Command::Join { stream, room, mute, talk_detection }, now);
        n
    }

    /// Somebody who is in no room and says a sound over and over; gives his number.
    ///
    /// # Panics
    /// When the engine does not have the encoding.
    pub fn call(&mut self, voice: Voice, way: Way) -> usize {
        let n = self.members.len();
        let encoding = voice.encoding();
        let codec = Codec::ALL.into_iter().find(|codec| codec.name() == encoding.name());
        let mut settings = StreamSettings::new(address(n), codec.expect("the engine has it"));
        let number = PayloadType::new(encoding.payload_type()).expect("seven bits");
        settings.payload_type = number;
        settings.receive[0].0 = number;
        let socket = SocketId(n as u32);
        let stream = StreamId(n as u64);
        let port =
            PortLease { shard: ShardId(0), socket, address: ([192, 0, 2, 1], 10_000).into() };
        let now = self.now();
        let settings = Box::new(settings);
        self.shard.handle_command(Command::Open { stream, port, settings }, now);
        self.members.push(Member {
            voice,
            way,
            // Phones do not begin at one time.
            due: (self.milliseconds + 3 * n as u64) as f64,
            began: Vec::new(),
            sent: 0,
            lost: 0,
            doubled: 0,
        });
        n
    }

    /// Has the engine listen to one; a listener takes the place of the one before.
    pub fn watch(&mut self, n: usize, what: Watch) {
        let (stream, watch) = (StreamId(n as u64), WatchId(0));
        let what = Box::new(what);
        self.shard.handle_command(Command::Watch { stream, watch, what }, self.now());
    }

    /// What the engine noticed of one, and after how many milliseconds.
    #[must_use]
    pub fn noticed(&self, n: usize) -> Vec<(u64, Noticed)> {
        let own = self.noticed.iter().filter(|(stream, ..)| *stream == StreamId(n as u64));
        own.map(|&(_, at, what)| (at, what)).collect()
    }

    /// Lets so many seconds pass.
    pub fn run(&mut self, seconds: u64) {
        let tick = TICK.as_millis() as u64;
        for _ in 0..seconds * 1000 / tick {
            self.milliseconds += tick;
            self.speak();
            let now = self.milliseconds;
            let Sockets { on_the_way, waiting, .. } = &mut self.sockets;
            on_the_way.sort_by_key(|(at, ..)| *at);
            let arrived = on_the_way.partition_point(|(at, ..)| *at <= now);
            for (_, n, octets) in on_the_way.drain(..arrived) {
                waiting.entry(SocketId(n as u32)).or_default().push_back(octets);
            }
            let now = self.now();
            self.shard.tick(now, &mut self.sockets);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.shard.poll_event() {
            match event {
                Event::Closed { stream, statistics } => {
                    self.closed.insert(stream, *statistics);
                }
                Event::Noticed { stream, what, .. } => {
                    self.noticed.push((stream, self.milliseconds, what));
                }
                _ => {}
            }
        }
    }

    fn speak(&mut self) {
        for n in 0..self.members.len() {
            while self.members[n].due <= self.milliseconds as f64 {
                let random = [self.random(), self.random(), self.random()];
                let member = &mut self.members[n];
                if member.began.is_empty() || member.voice.has_ended() {
                    member.voice.repeat();
                    member.began.push(member.due);
                }
                let at = member.due as u64 + u64::from(random[0] % (member.way.jitter + 1));
                let packet_time = member.voice.packet_time() as f64;
                member.due += packet_time * (1.0 - f64::from(member.way.drift) * 1e-6);
                let Some(packet) = member.voice.sent() else { continue };
                let octets = packet.write();
                member.sent += 1;
                if random[1] % 1000 < member.way.lost {
                    member.lost += 1;
                    continue;
                }
                if random[2] % 1000 < member.way.doubled {
                    member.doubled += 1;
                    self.sockets.on_the_way.push((at + 7, n, octets.clone()));
                }
                self.sockets.on_the_way.push((at, n, octets));
            }
        }
    }

    fn random(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) as u32
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.milliseconds)
    }

    /// What a member was sent so far, at 8 kHz.
    #[must_use]
    pub fn heard(&self, n: usize) -> Vec<i16> {
        let packets = self.sockets.heard.get(&SocketId(n as u32));
        self.members[n].voice.encoding().decode(packets.into_iter().flatten())
    }

    /// When a member began to say its sound, each time, in milliseconds.
    #[must_use]
    pub fn began(&self, n: usize) -> &[f64] {
        &self.members[n].began
    }

    /// How many packets of a member were sent, lost and doubled.
    #[must_use]
    pub fn fate(&self, n: usize) -> (u64, u64, u64) {
        let member = &self.members[n];
        (member.sent, member.lost, member.doubled)
    }

    /// Ends a member's stream; gives what the engine counted.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn close(&mut self, n: usize) -> StreamStatistics {
        let stream = StreamId(n as u64);
        self.shard.handle_command(Command::Close { stream }, self.now());
        self.drain();
        self.closed.remove(&stream).expect("it has not ended before")
    }
}

fn address(n: usize) -> SocketAddr {
    ([192, 0, 2, 10 + n as u8], 4000).into()
}

impl PacketIo for Sockets {
    fn receive_batch(
        &mut self,
        sockets: &[SocketId],
        deliver: &mut dyn FnMut(usize, SocketAddr, &[u8]),
    ) {
        for (index, socket) in sockets.iter().enumerate() {
            let Some(waiting) = self.waiting.get_mut(socket) else { continue };
            for octets in waiting.drain(..waiting.len().min(RECEIVE_LIMIT)) {
                deliver(index, address(socket.0 as usize), &octets);
            }
        }
    }

    fn send(&mut self, packet: Outgoing<'_>) -> Sent {
        let octets = [packet.header, packet.payload].concat();
        let packet_read = RtpPacket::parse(&octets).expect("a plain packet");
        self.heard.entry(packet.socket).or_default().push(packet_read);
        Sent::Accepted
    }

    fn receive_control(&mut self, _: &mut dyn FnMut(SocketId, SocketAddr, &[u8])) {}

    fn send_control(&mut self, _: SocketId, _: ControlPort, _: SocketAddr, _: &[u8]) -> Sent {
        Sent::Accepted
    }

    fn flush(&mut self) {}

    fn connect(&mut self, _: SocketId, _: SocketAddr) -> bool {
        true
    }

    fn disconnect(&mut self, _: SocketId) {}

    fn release(&mut self, _: SocketId) {}
}
