//! What a peer can do with the numbers of its packets and with telephone events: losses are counted
//! within what was sent, and no key is heard oftener than it was begun.
//!
//! An input is records of eight octets.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use diesis_engine::media::packet_io::{ControlPort, Outgoing, PacketIo, Sent};
use diesis_engine::media::rtp::{Arrival, Reception, RtpTime, Seq, Ssrc};
use diesis_engine::media::shard::{Shard, ShardSettings, TICK};
use diesis_engine::media::{
    Codec, Command, Event, PayloadType, PortLease, ShardId, SocketId, StreamId, StreamSettings,
};

use super::sip::clock;
use super::{SLOW, Shape, Target};
use crate::rtp::RtpPacket;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "telephone-event",
        about: "RFC 4733 on one stream: any packets of keys, lost, doubled, late and lying",
        run: events,
        seeds: event_seeds,
        tokens: EVENT_TOKENS,
        longest: 512,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "reception",
        about: "media::rtp::Reception: sequence numbers and times, and what is counted of them",
        run: reception,
        seeds: reception_seeds,
        tokens: RECEPTION_TOKENS,
        longest: 4096,
        memory: 1 << 20,
        slow: SLOW,
    },
];

/// The socket of one stream.
#[derive(Default)]
struct Socket {
    waiting: Vec<Vec<u8>>,
}

impl PacketIo for Socket {
    fn receive_batch(
        &mut self,
        sockets: &[SocketId],
        deliver: &mut dyn FnMut(usize, SocketAddr, &[u8]),
    ) {
        if !sockets.is_empty() {
            self.waiting.drain(..).for_each(|octets| deliver(0, peer(), &octets));
        }
    }

    fn send(&mut self, _: Outgoing<'_>) -> Sent {
        panic!("nothing is to be said");
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

fn peer() -> SocketAddr {
    ([192, 0, 2, 10], 4000).into()
}

/// Ticks before, flags, step of the sequence number, time (two octets), and the event's octets.
fn events(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let start = clock();
    let mut shard = Shard::new(ShardSettings::new(ShardId(0), start, 1));
    let (stream, socket) = (StreamId(0), SocketId(0));
    let port = PortLease { shard: ShardId(0), socket, address: ([192, 0, 2, 1], 10_000).into() };
    let mut settings =
        StreamSettings::new(peer(), Codec::Pcmu).with_telephone_event(PayloadType::TELEPHONE_EVENT);
    settings.keepalive = None;
    let settings = Box::new(settings);
    shard.handle_command(Command::Open { stream, port, settings }, start);
    let mut io = Socket::default();
    let mut now = start;
    let mut packet = RtpPacket {
        marker: false,
        payload_type: 101,
        sequence: 0,
        time: 0,
        ssrc: 7,
        payload: Vec::new(),
    };
    // The keys as they were begun, and as they were heard.
    let mut begun: HashMap<u8, BTreeSet<u32>> = HashMap::new();
    let mut heard: HashMap<u8, usize> = HashMap::new();
    let records = input.as_chunks::<8>().0;
    // Shorter than what is remembered of a key, so that none may come back as new.
    for &[ticks, flags, step, high, low, event, long, short] in records.iter().take(60) {
        for _ in 0..ticks & 0xf {
            now += TICK;
            run(&mut shard, &mut io, now, &mut heard);
        }
        packet.sequence = packet.sequence.wrapping_add_signed(i16::from(step.cast_signed()));
        // All within 2.5 s of the clock.
        packet.time =
            0xffff_ff00_u32.wrapping_add(u32::from(u16::from_be_bytes([high, low])) % 20_000);
        packet.marker = flags & 1 != 0;
        packet.payload = vec![event, flags & 0xfe, long, short];
        packet.payload.truncate(if flags & 2 == 0 { 4 } else { usize::from(flags >> 4) });
        if packet.payload.len() >= 4 {
            begun.entry(event).or_default().insert(packet.time);
        }
        io.waiting.push(packet.write());
        shape.add((event > 15, flags & 0x80 != 0));
    }
    for _ in 0..60 {
        now += TICK;
        run(&mut shard, &mut io, now, &mut heard);
    }
    // Two keys that began at one time are a lie, of which nothing can be made.
    let all: BTreeSet<u32> = begun.values().flatten().copied().collect();
    let is_lie = all.len() < begun.values().map(BTreeSet::len).sum();
    for (key, &times) in heard.iter().filter(|_| !is_lie) {
        let begun = begun.get(key).map_or(0, BTreeSet::len);
        assert!(times <= begun, "key {key} is heard {times} times and was begun {begun} times");
        shape.count(times);
    }
    assert_eq!(shard.counters().panics, 0);
    shape
}

fn run(
    shard: &mut Shard,
    io: &mut Socket,
    now: std::time::Instant,
    heard: &mut HashMap<u8, usize>,
) {
    shard.tick(now, io);
    while let Some(event) = shard.poll_event() {
        if let Event::Digit { digit, duration, .. } = event {
            assert!(duration < Duration::from_secs(60), "{duration:?}");
            *heard.entry(digit.event()).or_default() += 1;
        }
    }
}

fn event_seeds() -> Vec<Vec<u8>> {
    let key = |event: u8, time: u16, flags: &[u8]| -> Vec<u8> {
        let [high, low] = time.to_be_bytes();
        flags.iter().flat_map(|&flags| [4, flags, 1, high, low, event, 1, 0x40]).collect()
    };
    vec![
        key(5, 1000, &[1, 0, 0, 0x80, 0x80, 0x80]),
        [key(5, 1000, &[1, 0]), key(5, 2000, &[1, 0]), key(6, 3000, &[0x80])].concat(),
        [key(6, 100, &[1]), key(5, 900, &[1, 0x80]), key(6, 100, &[0x80])].concat(),
    ]
}

const EVENT_TOKENS: &[&[u8]] = &[
    b"\x04\x80\x01\0\0\x05\x01\x40",
    b"\x04\0\x01\0\0\x05\x01\x40",
    b"\x0f\x01\x01\x01\0\x05\x01\x40",
    b"\0\x80\xff\x01\0\x06\xff\xff",
    b"\0\0\0",
    b"\xff\xff",
];

/// Sequence number and time by their steps (two octets and four), and two octets of arrival.
fn reception(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let (mut seq, mut time, mut arrival) = (Seq(0xfff0), RtpTime(0xffff_f000), RtpTime(0));
    let mut reception = Reception::new(Ssrc(7), seq, time, arrival);
    let mut packets = 1;
    for &[a, b, c, d, e, f, g, h] in input.as_chunks::<8>().0 {
        seq = Seq(seq.0.wrapping_add(u16::from_be_bytes([a, b])));
        time = time.plus(i32::from_be_bytes([c, d, e, f]));
        arrival = arrival.plus(u16::from_be_bytes([g, h]).into());
        let clocks = (g & 1 == 0).then_some((time, arrival));
        let found = reception.handle_packet(seq, clocks);
        packets += 1;
        shape.add(found == Arrival::Leap);
        assert!(reception.received() <= packets);
        assert!(reception.lost() <= packets * 3000, "{} lost", reception.lost());
        assert!(reception.reordered() <= reception.received());
        let (jitter, greatest) = reception.interarrival_jitter();
        assert!(jitter <= greatest && greatest <= Duration::from_secs(2), "{greatest:?}");
        if h & 7 == 7
            && let Some(report) = reception.report()
        {
            assert!(u64::from(report.lost) <= reception.lost() + packets * 3000);
            assert!(report.lost_in_all >= 0);
            shape.count(usize::from(report.fraction_lost));
        }
    }
    shape.count(reception.lost() as usize);
    shape
}

fn reception_seeds() -> Vec<Vec<u8>> {
    let step =
        |seq: u16, time: u32| [&seq.to_be_bytes()[..], &time.to_be_bytes(), &[0, 160]].concat();
    vec![
        [step(1, 160), step(1, 160), step(3, 480), step(0xffff, 0)].concat(),
        [step(5000, 160), step(1, 160), step(0x8000, 0), step(1, 160)].concat(),
        [step(0, 0), step(0xfff0, 0), step(20, 3200)].concat(),
    ]
}

const RECEPTION_TOKENS: &[&[u8]] = &[
    b"\0\x01\0\0\0\xa0\0\xa0",
    b"\0\x01\0\0\0\xa0\0\xa7",
    b"\xff\xff\0\0\0\0\0\xa0",
    b"\x0b\xb7\0\0\0\0\0\0",
    b"\x80\0\x80\0\0\0\xff\xff",
];
