//! Claims about connections, and about peers that use them to do harm.

use std::net::Ipv4Addr;

use tokio::net::TcpSocket;

use super::*;
use crate::net::clock;

#[test]
fn a_peer_that_answered_keep_alives_and_stops_is_dead_and_one_that_never_did_is_not() {
    let start = clock::now().instant;
    let mut keepalive = Keepalive::new(start);
    let mut now = start;
    for _ in 0..3 {
        assert_eq!(keepalive.handle_timeout(now), Beat::None);
        now = keepalive.due;
        assert_eq!(keepalive.handle_timeout(now), Beat::Ping);
    }
    keepalive.handle_bytes(PONG, now);
    now = keepalive.due;
    assert_eq!(now, start + PING_AFTER * 4);
    assert_eq!(keepalive.handle_timeout(now), Beat::Ping);
    now = keepalive.due;
    assert_eq!(keepalive.handle_timeout(now), Beat::Dead);
}

/// A listener with narrow bounds, and what it received.
struct House {
    connections: TcpConnections,
    address: SocketAddr,
    received: mpsc::Receiver<Inbound>,
}

impl House {
    fn new() -> Self {
        Self::with_message_within(SHORT)
    }

    /// One that lets peers be silent for longer than any test lasts.
    fn patient() -> Self {
        Self::with_message_within(Duration::from_secs(600))
    }

    fn with_message_within(message: Duration) -> Self {
        let bounds = Bounds {
            connections: 40,
            per_source: 20,
            queue: 4,
            handshake: SHORT,
            write: SHORT,
            stream: StreamTimeouts { message, idle: Duration::from_secs(600) },
        };
        let (inbound, received) = mpsc::channel(64);
        let connections = TcpConnections::bounded(inbound, bounds);
        let any = "0.0.0.0:0".parse().expect("an address");
        let bound = connections.listen(any, &SocketOptions::default(), None).expect("a free port");
        let address = (Ipv4Addr::LOCALHOST, bound.port()).into();
        Self { connections, address, received }
    }

    /// A connection from this address of ours.
    async fn connect(&self, from: [u8; 4]) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("loopback");
        socket.connect(self.address).await.expect("accepted by the kernel")
    }

    /// The next connection that was given up.
    async fn closed(&mut self) {
        let closed =
            async { while !matches!(self.received.recv().await, Some(Inbound::Closed(_))) {} };
        timeout(LONG, closed).await.expect("the connection is given up");
    }
}

/// A request that claims a body of this length.
fn head(length: &str) -> String {
    format!(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP b;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// All that comes until the connection is closed.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![];
    // A reset is an end as well.
    let _ = timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("it is closed");
    bytes
}

const SHORT: Duration = Duration::from_millis(200);
/// Beyond this it never happens.
const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_message_that_drips_in_is_cut_at_its_bound() {
    let mut house = House::new();
    let mut stream = house.connect([127, 0, 0, 1]).await;
    let start = clock::now().instant;
    let (reading, mut writing) = stream.split();
    let drip = async {
        let mut header = 0;
        loop {
            let line = match header {
                0 => "OPTIONS sip:a@b SIP/2.0\r\n".to_owned(),
                _ => format!("X-{header}: 1\r\n"),
            };
            if writing.write_all(line.as_bytes()).await.is_err() {
                return;
            }
            header += 1;
            // As long as it takes to find out whether we are still listened to.
            let _ = timeout(SHORT / 10, reading.readable()).await;
            if reading.try_read(&mut [0; 16]).is_ok_and(|read| read == 0) {
                return;
            }
        }
    };
    timeout(LONG, drip).await.expect("cut");
    assert!(clock::now().instant - start >= SHORT, "it had its time");
    house.closed().await;
    assert_eq!(house.connections.count(Transport::Tcp), 0);
}

#[tokio::test]
async fn a_length_that_lies_ends_the_connection_and_takes_no_memory() {
    let mut house = House::new();
    // More than a message may have: refused by the head alone.
    for (length, status) in [("104857600", "413"), ("99999999999999999999", "4"), ("-1", "400")] {
        let mut stream = house.connect([127, 0, 0, 1]).await;
        stream.write_all(head(length).as_bytes()).await.expect("written");
        let answer = rest(&mut stream).await;
        let wanted = format!("SIP/2.0 {status}");
        assert!(answer.starts_with(wanted.as_bytes()), "{length}: {}", answer.escape_ascii());
        house.closed().await;
    }
    // Less than was promised: waited for, and not for ever.
    let mut stream = house.connect([127, 0, 0, 1]).await;
    stream.write_all(head("60000").as_bytes()).await.expect("written");
    assert!(rest(&mut stream).await.is_empty());
    house.closed().await;
    assert!(house.received.try_recv().is_err(), "nothing was taken for a message");
}

#[tokio::test]
async fn idle_connections_are_bounded_for_each_source_and_in_all() {
    let mut house = House::patient();
    let mut held = vec![];
    // The third finds the house full.
    for (source, room) in [(1, 20), (2, 20), (3, 0)] {
        let mut streams = vec![];
        for _ in 0..30 {
            streams.push(house.connect([127, 0, 0, source]).await);
        }
        // They are accepted in their order; what there is no room for is closed at once.
        for stream in &mut streams[room..] {
            rest(stream).await;
        }
        streams.truncate(room);
        held.extend(streams);
        assert_eq!(house.connections.count(Transport::Tcp), held.len());
    }
    drop(held);
    while house.connections.count(Transport::Tcp) > 0 {
        house.closed().await;
    }
    assert!(house.connections.table().per_source.is_empty(), "room for all again");
}

#[tokio::test]
async fn who_never_reads_loses_messages_and_then_its_connection() {
    let mut house = House::new();
    let mut stream = house.connect([127, 0, 0, 1]).await;
    // Not one of those that never say anything.
    stream.write_all(head("0").as_bytes()).await.expect("written");
    stream.write_all(PING).await.expect("written");
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).await.expect("answered");
    let (id, peer) = {
        let table = house.connections.table();
        let (id, writer) = table.writers.iter().next().expect("one connection");
        (*id, writer.peer)
    };
    let flow = Flow::tcp(house.address, peer, id);
    // More than the kernel takes for both ends. Sending never waits, and no more than the queue
    // stays with us.
    let large = Bytes::from(vec![b'x'; 60_000]);
    for _ in 0..400 {
        house.connections.send(flow, large.clone());
        tokio::task::yield_now().await;
    }
    house.closed().await;
    assert_eq!(house.connections.count(Transport::Tcp), 0);
}

#[tokio::test]
async fn half_closed_connections_are_let_go() {
    let mut house = House::new();
    let mut stream = house.connect([127, 0, 0, 1]).await;
    stream.shutdown().await.expect("half closed");
    house.closed().await;
    assert!(rest(&mut stream).await.is_empty());
    assert_eq!(house.connections.count(Transport::Tcp), 0);
}
