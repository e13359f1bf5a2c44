//! The threads over real sockets on the loopback. Nothing sleeps: every wait has an end of its own.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use rtp_rs::RtpReader;
use socket2::{Domain, Socket, Type};

use super::*;
use crate::media::{
    Codec, EchoState, Latching, Law, PlayEnd, PlayId, PlayItem, PortLease, Prompt, Repeat,
    StreamId, StreamSettings,
    rtcp::{
        Compound, Packet, ReportBlock,
        packet::{Out, Writer},
    },
    rtp::Ssrc,
};

const WAIT: Duration = Duration::from_secs(60);

fn peer() -> (UdpSocket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(WAIT)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn start(ports: RangeInclusive<u16>, shards: usize) -> MediaThreads {
    let config = MediaConfig::default()
        .shards(shards)
        .ports(ports)
        .bind(vec![Ipv4Addr::LOCALHOST.into()])
        .stock(2)
        .realtime(Realtime::Off);
    MediaThreads::start(config, || {}).unwrap()
}

fn port_of(threads: &MediaThreads, shard: u16) -> PortLease {
    loop {
        match threads.next_event_timeout(WAIT).expect("a port is announced") {
            Event::PortReady { port } if port.shard == ShardId(shard) => return port,
            _ => {}
        }
    }
}

#[test]
fn a_prompt_is_heard_and_an_echo_comes_back_after_moving_to_another_core() {
    let threads = start(31_000..=31_199, 2);
    let (socket, address) = peer();
    let port = port_of(&threads, 0);
    let local = port.address;
    assert_eq!(local.port() % 2, 0);
    let (stream, shard) = (StreamId(1), ShardId(0));
    let settings = Box::new(StreamSettings::new(address, Codec::Pcmu));
    threads.send(shard, Command::Open { stream, port, settings }).unwrap();
    let prompt = Arc::new(Prompt::from_samples(&[1234; 800]));
    let items = vec![PlayItem::Prompt(Arc::clone(&prompt))];
    let (play, repeat) = (PlayId(9), Repeat::Once);
    threads.send(shard, Command::Play { stream, play, items, repeat }).unwrap();
    let mut buffer = [0; 2048];
    for index in 0..5 {
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let packet = RtpReader::new(&buffer[..length]).unwrap();
        assert_eq!(from, local);
        assert_eq!(packet.payload(), prompt.frame(index, Law::Mu).unwrap());
    }
    let finished = std::iter::from_fn(|| threads.next_event_timeout(WAIT))
        .find(|event| matches!(event, Event::PlayFinished { .. }));
    let end = PlayEnd::Completed;
    assert_eq!(finished, Some(Event::PlayFinished { stream, play, end, played: 800 }));

    threads.send(shard, Command::Move { stream, to: ShardId(1) }).unwrap();
    let state = EchoState::On;
    threads.send(ShardId(1), Command::Echo { stream, state }).unwrap();
    let moved = std::iter::from_fn(|| threads.next_event_timeout(WAIT))
        .find(|event| matches!(event, Event::Moved { .. }));
    assert_eq!(moved, Some(Event::Moved { stream, shard: ShardId(1) }));
    let mut sent = vec![0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];
    sent.extend([0x42; 160]);
    // More than one: whether the command or the packet is first is not told.
    for seq in 1..=3 {
        sent[3] = seq;
        socket.send_to(&sent, local).unwrap();
    }
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(from, local);
    assert_eq!(RtpReader::new(&buffer[..length]).unwrap().payload(), [0x42; 160]);
    threads.send(ShardId(1), Command::Close { stream }).unwrap();
    let closed = std::iter::from_fn(|| threads.next_event_timeout(WAIT))
        .find_map(|event| match event {
            Event::Closed { statistics, .. } => Some(statistics),
            _ => None,
        })
        .expect("the stream closes");
    assert!(closed.sent_packets >= 6 && closed.received_packets == 3, "{closed:?}");
    threads.stop();
}

/// A peer with the port above its own.
fn peer_with_control() -> (SocketAddr, UdpSocket, UdpSocket) {
    loop {
        let (socket, address) = peer();
        let control = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        let above = address.port().wrapping_add(1);
        if control.bind(&SocketAddr::new(address.ip(), above).into()).is_ok() {
            let control = UdpSocket::from(control);
            control.set_read_timeout(Some(WAIT)).unwrap();
            return (address, socket, control);
        }
    }
}

#[test]
fn reports_travel_on_the_ports_above_also_after_moving_to_another_core() {
    let threads = start(31_600..=31_699, 2);
    let (address, _socket, control) = peer_with_control();
    let port = port_of(&threads, 0);
    let local = port.address;
    let (stream, shard) = (StreamId(1), ShardId(0));
    let settings = Box::new(StreamSettings::new(address, Codec::Pcmu));
    threads.send(shard, Command::Open { stream, port, settings }).unwrap();
    let items = vec![PlayItem::Silence(Duration::from_secs(60))];
    let (play, repeat) = (PlayId(1), Repeat::Once);
    threads.send(shard, Command::Play { stream, play, items, repeat }).unwrap();
    threads.send(shard, Command::Move { stream, to: ShardId(1) }).unwrap();
    let mut buffer = [0; 2048];
    let (length, from) = control.recv_from(&mut buffer).unwrap();
    assert_eq!((from.ip(), from.port()), (local.ip(), local.port() + 1));
    let compound = Compound::parse(&buffer[..length]).unwrap();
    let Some(Packet::Sender(report, _)) = compound.packets().next() else { panic!("{compound:?}") };
    assert!((50..200).contains(&report.packets), "{report:?}");
    let date = (report.ntp >> 32) as i64 - 2_208_988_800;
    assert!(date > 1_700_000_000, "dated by the wall clock");
    let block = ReportBlock {
        ssrc: report.ssrc,
        fraction_lost: 0,
        lost: 3,
        highest: 1,
        jitter: 16,
        last_report: (report.ntp >> 16) as u32,
        delay: 0,
    };
    let answer = Writer::new().with(Out::Receiver(Ssrc(9), Some(block)));
    control.send_to(answer.as_bytes(), from).unwrap();
    // By its next report it has read the answer.
    let (second, _) = control.recv_from(&mut buffer).unwrap();
    Compound::parse(&buffer[..second]).unwrap();
    threads.send(ShardId(1), Command::Close { stream }).unwrap();
    let closed = std::iter::from_fn(|| threads.next_event_timeout(WAIT))
        .find_map(|event| match event {
            Event::Closed { statistics, .. } => Some(statistics),
            _ => None,
        })
        .expect("the stream closes");
    assert_eq!(closed.sent_lost, Some(3));
    assert!(closed.round_trip.is_some_and(|trip| trip < Duration::from_secs(5)), "{closed:?}");
    let (last, _) = control.recv_from(&mut buffer).unwrap();
    let compound = Compound::parse(&buffer[..last]).unwrap();
    assert!(matches!(compound.packets().last(), Some(Packet::Goodbye(_))));
    threads.stop();
}

#[test]
fn a_third_party_that_sprays_first_gets_nothing() {
    let threads = start(31_500..=31_599, 1);
    let (caller, address) = peer();
    let thief = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    thief.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    let thief = UdpSocket::from(thief);
    thief.set_nonblocking(true).unwrap();
    let port = port_of(&threads, 0);
    let local = port.address;
    let mut packet = vec![0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];
    packet.extend([0x42; 160]);
    for seq in 0..50 {
        packet[3] = seq;
        thief.send_to(&packet, local).unwrap();
    }
    let (stream, shard) = (StreamId(1), ShardId(0));
    let settings =
        StreamSettings::new(address, Codec::Pcmu).with_latching(Latching::Symmetric, address.ip());
    let settings = Box::new(settings);
    threads.send(shard, Command::Open { stream, port, settings }).unwrap();
    let items = vec![PlayItem::Silence(Duration::from_secs(10))];
    let (play, repeat) = (PlayId(1), Repeat::Once);
    threads.send(shard, Command::Play { stream, play, items, repeat }).unwrap();
    let mut buffer = [0; 2048];
    for seq in 50..70 {
        caller.recv(&mut buffer).unwrap();
        packet[3] = seq;
        thief.send_to(&packet, local).unwrap();
    }
    threads.send(shard, Command::Close { stream }).unwrap();
    let closed = std::iter::from_fn(|| threads.next_event_timeout(WAIT))
        .inspect(|event| assert!(!matches!(event, Event::Latched { .. })))
        .find_map(|event| match event {
            Event::Closed { statistics, .. } => Some(statistics),
            _ => None,
        })
        .expect("the stream closes");
    assert!(closed.foreign >= 50 && closed.received_packets == 0, "{closed:?}");
    assert!(closed.sent_packets >= 20);
    assert_eq!(thief.recv(&mut buffer).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_range_without_a_free_port_is_a_clear_error() {
    let (taken, address) = peer();
    let port = address.port() & !1;
    // Whichever the system gave: the even one of the pair is ours or is bound now.
    let neighbour = (port != address.port()).then(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        let _taken_by_another = socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into());
        socket
    });
    let config = MediaConfig::default()
        .shards(1)
        .ports(port..=port + 1)
        .bind(vec![Ipv4Addr::LOCALHOST.into()]);
    let error = MediaThreads::start(config, || {}).unwrap_err();
    assert!(matches!(error, MediaError::NoPort { .. }), "{error}");
    assert!(error.to_string().contains(&port.to_string()));
    drop((taken, neighbour));

    let config = MediaConfig::default().shards(2).ports(30_000..=30_001);
    let error = MediaThreads::start(config, || {}).unwrap_err();
    assert!(matches!(error, MediaError::RangeTooSmall { shards: 2, .. }));
}

#[test]
fn a_thread_with_too_much_to_do_says_so_until_its_streams_are_gone() {
    let bounds = OverloadBounds { most_busy: 0, busy_again: 0, ..OverloadBounds::default() };
    let config = MediaConfig::default()
        .shards(1)
        .ports(31_700..=31_719)
        .bind(vec![Ipv4Addr::LOCALHOST.into()])
        .stock(1)
        .realtime(Realtime::Off)
        .overload(bounds);
    let threads = MediaThreads::start(config, || {}).unwrap();
    let state = || threads.load(ShardId(0)).unwrap().state;
    let wait_for = |wanted| {
        for _ in 0..1200 {
            if state() == wanted {
                return;
            }
            threads.next_event_timeout(Duration::from_millis(50));
        }
        panic!("not {wanted:?} for a minute");
    };
    assert_eq!(state(), LoadState::Calm);
    let (_socket, address) = peer();
    let port = port_of(&threads, 0);
    let (stream, shard) = (StreamId(1), ShardId(0));
    let settings = Box::new(StreamSettings::new(address, Codec::Pcmu));
    threads.send(shard, Command::Open { stream, port, settings }).unwrap();
    let items = vec![PlayItem::Silence(Duration::from_secs(600))];
    let (play, repeat) = (PlayId(1), Repeat::Once);
    threads.send(shard, Command::Play { stream, play, items, repeat }).unwrap();
    wait_for(LoadState::Overloaded);
    threads.send(shard, Command::Close { stream }).unwrap();
    wait_for(LoadState::Calm);
}

#[test]
fn a_thread_without_streams_does_not_wake_up() {
    let threads = start(31_400..=31_499, 1);
    let turns = || threads.statistics(ShardId(0)).unwrap().turns;
    while threads.next_event_timeout(Duration::from_millis(100)).is_some() {}
    let before = turns();
    assert_eq!(threads.next_event_timeout(Duration::from_millis(200)), None);
    assert_eq!(turns(), before);
}

#[test]
fn the_stock_is_filled_up_as_ports_are_used() {
    let threads = start(31_200..=31_399, 1);
    let (_socket, address) = peer();
    for n in 0..20 {
        let port = port_of(&threads, 0);
        let settings = Box::new(StreamSettings::new(address, Codec::Pcma));
        threads.send(ShardId(0), Command::Open { stream: StreamId(n), port, settings }).unwrap();
    }
}
