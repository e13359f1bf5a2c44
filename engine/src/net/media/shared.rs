//! One socket for the calls of one trunk: datagrams come and go 64 at a time, and are told apart by
//! the address they come from.
//!
//! Fit for peers whose addresses are known beforehand, each of its own: SIP trunks with media ports,
//! ICE pairs once they are chosen. Behind a translator of addresses a source is not known before it
//! speaks; such calls have a socket each. RTCP shares the port (RFC 5761).

use std::{
    collections::HashMap,
    io::{self, IoSlice, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use slab::Slab;

use crate::media::{
    SocketId,
    packet_io::{ControlPort, Outgoing, PacketIo, RECEIVE_LIMIT, Sent},
};

/// A socket that many streams share. Each stream's part of it is a [`SocketId`].
pub struct SharedSocket {
    socket: UdpSocket,
    parts: Slab<Part>,
    by_remote: HashMap<SocketAddr, usize>,
    /// Each has its own: what is sent to is not to be written to by what is received.
    receiving: MultiHeaders<SockaddrStorage>,
    sending: MultiHeaders<SockaddrStorage>,
    buffers: Box<[[u8; LONGEST_DATAGRAM]; BATCH]>,
    /// Where in the present batch each part is, by its number; [`ELSEWHERE`] if it is not.
    places: Vec<u32>,
    /// What came for streams whose turn it was not.
    waiting: Waiting,
    /// The same, while what waited is looked through.
    looked_through: Waiting,
    outgoing: Vec<Queued>,
    octets: Vec<u8>,
    strangers: u64,
    refused: u64,
}

struct Part {
    remote: SocketAddr,
    /// How many datagrams wait for it.
    waiting: usize,
}

#[derive(Default)]
struct Waiting {
    datagrams: Vec<(usize, usize)>,
    octets: Vec<u8>,
}

/// A datagram to be sent: where to, and where it ends among the octets.
struct Queued {
    to: SockaddrStorage,
    end: usize,
}

impl SharedSocket {
    /// Shares a socket, which must not block.
    ///
    /// # Errors
    /// When the socket can not be made so.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            parts: Slab::new(),
            by_remote: HashMap::new(),
            receiving: MultiHeaders::preallocate(BATCH, None),
            sending: MultiHeaders::preallocate(BATCH, None),
            buffers: Box::new([[0; LONGEST_DATAGRAM]; BATCH]),
            places: vec![],
            waiting: Waiting::default(),
            looked_through: Waiting::default(),
            outgoing: Vec::with_capacity(BATCH),
            octets: Vec::with_capacity(BATCH * USUAL_DATAGRAM),
            strangers: 0,
            refused: 0,
        })
    }

    /// A part of the socket for the stream with this peer; `None` when another has the same.
    pub fn open(&mut self, remote: SocketAddr) -> Option<SocketId> {
        if self.by_remote.contains_key(&remote) {
            return None;
        }
        let key = self.parts.insert(Part { remote, waiting: 0 });
        self.by_remote.insert(remote, key);
        if self.places.len() <= key {
            self.places.resize(key + 1, ELSEWHERE);
        }
        Some(SocketId(key as u32))
    }

    /// Datagrams from nobody's peer.
    pub fn strangers(&self) -> u64 {
        self.strangers
    }

    /// Datagrams that the system did not take.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn deliver_waiting(&mut self, deliver: &mut dyn FnMut(usize, SocketAddr, &[u8])) {
        if self.waiting.datagrams.is_empty() {
            return;
        }
        std::mem::swap(&mut self.waiting, &mut self.looked_through);
        let mut start = 0;
        for &(key, end) in &self.looked_through.datagrams {
            let datagram = &self.looked_through.octets[start..end];
            start = end;
            // Gone since.
            let Some(part) = self.parts.get_mut(key) else { continue };
            match self.places[key] {
                ELSEWHERE => self.waiting.push(key, datagram),
                place => {
                    part.waiting -= 1;
                    deliver(place as usize, part.remote, datagram);
                }
            }
        }
        self.looked_through.datagrams.clear();
        self.looked_through.octets.clear();
    }

    /// Reads one batch; whether there may be more.
    fn receive(&mut self, deliver: &mut dyn FnMut(usize, SocketAddr, &[u8])) -> bool {
        let mut buffers = self.buffers.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            // There are as many.
            [IoSliceMut::new(match buffers.next() {
                Some(buffer) => &mut buffer[..],
                None => &mut [],
            })]
        });
        let flags = MsgFlags::MSG_DONTWAIT;
        let socket = self.socket.as_raw_fd();
        let Ok(received) = recvmmsg(socket, &mut self.receiving, slices.iter_mut(), flags, None)
        else {
            return false;
        };
        let mut count = 0;
        for message in received {
            count += 1;
            let from = message.address.and_then(socket_address);
            let key = from.and_then(|from| self.by_remote.get(&from).copied());
            let part = key.and_then(|key| Some((key, self.parts.get_mut(key)?)));
            let (Some((key, part)), Some(datagram)) = (part, message.iovs().next()) else {
                self.strangers += 1;
                continue;
            };
            match self.places[key] {
                ELSEWHERE if part.waiting < RECEIVE_LIMIT => {
                    part.waiting += 1;
                    self.waiting.push(key, datagram);
                }
                ELSEWHERE => {}
                place => deliver(place as usize, part.remote, datagram),
            }
        }
        count == BATCH
    }

    fn send_to(&mut self, to: SocketAddr, parts: [&[u8]; 2]) -> Sent {
        for part in parts {
            self.octets.extend_from_slice(part);
        }
        self.outgoing.push(Queued { to: to.into(), end: self.octets.len() });
        if self.outgoing.len() == BATCH {
            self.flush();
        }
        Sent::Accepted
    }
}

impl Waiting {
    fn push(&mut self, key: usize, datagram: &[u8]) {
        self.octets.extend_from_slice(datagram);
        self.datagrams.push((key, self.octets.len()));
    }
}

impl PacketIo for SharedSocket {
    fn receive_batch(
        &mut self,
        sockets: &[SocketId],
        deliver: &mut dyn FnMut(usize, SocketAddr, &[u8]),
    ) {
        for (place, socket) in (0..).zip(sockets) {
            if let Some(of) = self.places.get_mut(socket.0 as usize) {
                *of = place;
            }
        }
        self.deliver_waiting(deliver);
        // A flood of one peer holds the others up no longer than this.
        let most = self.parts.len() * RECEIVE_LIMIT / BATCH + 1;
        for _ in 0..most {
            if !self.receive(deliver) {
                break;
            }
        }
        for socket in sockets {
            if let Some(of) = self.places.get_mut(socket.0 as usize) {
                *of = ELSEWHERE;
            }
        }
    }

    fn send(&mut self, packet: Outgoing<'_>) -> Sent {
        let Some(part) = self.parts.get(packet.socket.0 as usize) else { return Sent::Refused };
        let to = packet.destination.unwrap_or(part.remote);
        self.send_to(to, [packet.header, packet.payload])
    }

    /// RTCP comes with the media.
    fn receive_control(&mut self, _deliver: &mut dyn FnMut(SocketId, SocketAddr, &[u8])) {}

    fn send_control(
        &mut self,
        _socket: SocketId,
        _from: ControlPort,
        destination: SocketAddr,
        datagram: &[u8],
    ) -> Sent {
        self.send_to(destination, [datagram, &[]])
    }

    fn flush(&mut self) {
        let mut first = 0;
        while first < self.outgoing.len() {
            let waiting = &self.outgoing[first..];
            let begin = |index: usize| match first + index {
                0 => 0,
                index => self.outgoing[index - 1].end,
            };
            let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|index| {
                let octets = waiting.get(index).map(|it| &self.octets[begin(index)..it.end]);
                [IoSlice::new(octets.unwrap_or_default())]
            });
            let to: [Option<SockaddrStorage>; BATCH] =
                std::array::from_fn(|index| waiting.get(index).map(|it| it.to));
            let count = waiting.len().min(BATCH);
            let sent = sendmmsg(
                self.socket.as_raw_fd(),
                &mut self.sending,
                &slices[..count],
                &to[..count],
                [],
                MsgFlags::MSG_DONTWAIT,
            );
            first += match sent.map(|sent| sent.count()) {
                Ok(sent) if sent > 0 => sent,
                // The first one is at fault, or there is no room.
                _ => {
                    self.refused += 1;
                    1
                }
            };
        }
        self.outgoing.clear();
        self.octets.clear();
    }

    /// The peer moved: what comes from there is the stream's from now on.
    fn connect(&mut self, socket: SocketId, remote: SocketAddr) -> bool {
        let key = socket.0 as usize;
        if self.by_remote.get(&remote).is_some_and(|&other| other != key) {
            return false;
        }
        let Some(part) = self.parts.get_mut(key) else { return false };
        self.by_remote.remove(&part.remote);
        part.remote = remote;
        self.by_remote.insert(remote, key);
        true
    }

    /// It stays where it was: without an address nothing could be told apart.
    fn disconnect(&mut self, _socket: SocketId) {}

    fn release(&mut self, socket: SocketId) {
        let key = socket.0 as usize;
        let Some(part) = self.parts.try_remove(key) else { return };
        self.by_remote.remove(&part.remote);
        // The next stream of this number is not to hear what was meant for this one.
        for (of, _) in self.waiting.datagrams.iter_mut().filter(|(of, _)| *of == key) {
            *of = usize::MAX;
        }
    }
}

impl std::fmt::Debug for SharedSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = self.parts.len();
        f.debug_struct("SharedSocket").field("parts", &parts).finish_non_exhaustive()
    }
}

fn socket_address(address: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|&v4| SocketAddr::V4(v4.into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|&v6| SocketAddr::V6(v6.into())))
}

/// Datagrams for one call of the system.
const BATCH: usize = 64;

/// The longest datagram looked at; RTP of audio is far shorter.
const LONGEST_DATAGRAM: usize = 2048;

const USUAL_DATAGRAM: usize = 172;

const ELSEWHERE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn socket() -> (UdpSocket, SocketAddr) {
        let socket = socket2::Socket::new(
            socket2::Domain::IPV4,
            socket2::Type::DGRAM,
            Some(socket2::Protocol::UDP),
        )
        .unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let socket = UdpSocket::from(socket);
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// Until something is there to be read: under load the loopback takes its time.
    fn wait(shared: &SharedSocket) {
        shared.socket.set_nonblocking(false).unwrap();
        shared.socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        shared.socket.peek(&mut [0]).unwrap();
    }

    #[test]
    fn many_streams_share_a_socket_and_each_gets_its_own() {
        let (socket, local) = socket();
        let mut shared = SharedSocket::new(socket).unwrap();
        let peers: Vec<_> = (0..70).map(|_| self::socket()).collect();
        let parts: Vec<_> = peers.iter().map(|(_, at)| shared.open(*at).unwrap()).collect();
        assert_eq!(shared.open(peers[0].1), None, "it has one already");
        for (n, (peer, _)) in (0_u8..).zip(&peers) {
            for part in 0..3 {
                peer.send_to(&[n, part], local).unwrap();
            }
        }
        let (stranger, _) = self::socket();
        stranger.send_to(b"x", local).unwrap();
        let mut heard = vec![vec![]; peers.len()];
        // Odd ones have their turn first, until everything has arrived.
        while heard.iter().map(Vec::len).sum::<usize>() < 3 * peers.len() || shared.strangers() < 1
        {
            for turn in [1, 0] {
                let lane: Vec<_> = parts.iter().copied().skip(turn).step_by(2).collect();
                shared.receive_batch(&lane, &mut |place, from, datagram| {
                    assert_eq!(from, peers[place * 2 + turn].1);
                    heard[place * 2 + turn].push(datagram.to_vec());
                });
            }
            if shared.waiting.datagrams.is_empty() && shared.strangers() < 1 {
                wait(&shared);
            }
        }
        for (n, heard) in (0_u8..).zip(&heard) {
            assert_eq!(*heard, [[n, 0], [n, 1], [n, 2]]);
        }
        assert_eq!(shared.strangers(), 1);

        let header = [0x80; 12];
        for (n, part) in (0_u8..).zip(&parts) {
            let packet =
                Outgoing { socket: *part, destination: None, header: &header, payload: &[n; 20] };
            assert_eq!(shared.send(packet), Sent::Accepted);
        }
        shared.flush();
        let mut buffer = [0; 64];
        for (n, (peer, _)) in (0_u8..).zip(&peers) {
            let (length, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((from, &buffer[..length]), (local, &[&header[..], &[n; 20]].concat()[..]));
        }
        assert_eq!(shared.refused(), 0);
    }

    #[test]
    fn a_peer_that_moves_is_followed_and_one_that_left_is_a_stranger() {
        let (socket, local) = socket();
        let mut shared = SharedSocket::new(socket).unwrap();
        let ((one, at_one), (two, at_two)) = (self::socket(), self::socket());
        let part = shared.open(at_one).unwrap();
        assert!(shared.connect(part, at_two));
        one.send_to(b"old", local).unwrap();
        two.send_to(b"new", local).unwrap();
        let mut heard = vec![];
        shared
            .receive_batch(&[part], &mut |_, from, datagram| heard.push((from, datagram.to_vec())));
        assert_eq!(heard, [(at_two, b"new".to_vec())]);
        let other = shared.open(at_one).unwrap();
        assert!(!shared.connect(other, at_two), "it is another's");
        // What waits for a stream that ends goes nowhere.
        two.send_to(b"late", local).unwrap();
        wait(&shared);
        shared.receive_batch(&[other], &mut |_, _, _| panic!("not for this one"));
        shared.release(part);
        shared.receive_batch(&[other], &mut |_, _, _| panic!("not for this one"));
        two.send_to(b"gone", local).unwrap();
        wait(&shared);
        shared.receive_batch(&[other], &mut |_, _, _| panic!("not for this one"));
        assert_eq!(shared.strangers(), 2);
    }
}
