//! The tick-loop backend: a non-blocking UDP socket per stream, polled when its stream's turn is, and
//! one on the port above for RTCP, polled when the system's readiness set names it: what comes each
//! five seconds is not worth a call for each socket. Nor is finding out each time that a socket is
//! empty, where one packet came each time before: see [`Habit`].

use std::{
    io::{self, ErrorKind},
    mem::MaybeUninit,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::OwnedFd,
};

use rustix::{
    event::{Timespec, epoll},
    net::{
        connect_unspec,
        sockopt::{
            Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ip_tos,
            set_ipv6_mtu_discover, set_ipv6_tclass,
        },
    },
};
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use crate::media::{
    SocketId,
    packet_io::{CONTROL_LIMIT, ControlPort, Outgoing, PacketIo, RECEIVE_LIMIT, Sent},
};

/// The sockets of one shard: two for each stream.
pub struct SocketTable {
    sockets: Slab<SocketPair>,
    /// Names the control sockets that have something, by their key in `sockets`.
    readiness: OwnedFd,
    released: Vec<SocketAddr>,
    buffer: Box<[u8; LONGEST_DATAGRAM]>,
    dscp: u8,
}

/// The sockets of one stream.
pub(super) struct SocketPair {
    socket: UdpSocket,
    /// On the port above.
    control: UdpSocket,
    address: SocketAddr,
    connected: Option<SocketAddr>,
    habit: Habit,
}

/// What comes by a socket from turn to turn, and so whether it is worth asking for more than that.
///
/// A sender of one packet a turn is asked for one, and each eighth turn whether there is another. What
/// is left by that is read a turn later, as if it had come when it was due: it came before. Whenever
/// nothing comes, or something of another length (a key among sound, a codec that is free in it), the
/// socket is read until it is empty again.
#[derive(Debug, Clone, Copy, Default)]
struct Habit {
    /// Datagrams of the last turn in which it was read until it was empty.
    usual: usize,
    /// Their length.
    length: usize,
    /// Turns since.
    turns: u8,
}

impl Habit {
    /// Whether a turn ends with this datagram, its `count`th, without asking for one more.
    fn is_enough(&mut self, count: usize, length: usize) -> bool {
        let is_usual = length == self.length && self.turns < TRUSTED;
        self.length = length;
        if !is_usual {
            // Until it is empty.
            self.turns = TRUSTED;
        }
        let is_enough = is_usual && count == self.usual;
        self.turns += u8::from(is_enough);
        is_enough
    }

    /// The socket was found empty after so many.
    fn handle_empty(&mut self, count: usize) {
        self.usual = count;
        self.turns = 0;
    }
}

impl SocketTable {
    /// A table without sockets, which will mark what they send by a code point of DSCP.
    ///
    /// # Errors
    /// When the system gives no readiness set.
    pub fn new(dscp: u8) -> io::Result<Self> {
        Ok(Self {
            sockets: Slab::new(),
            readiness: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            released: vec![],
            buffer: Box::new([0; LONGEST_DATAGRAM]),
            dscp,
        })
    }

    /// Binds a port and the one above it.
    ///
    /// # Errors
    /// When one of them is taken, or the system is out of descriptors.
    pub fn bind(&mut self, address: SocketAddr) -> io::Result<SocketId> {
        let above = address.port().checked_add(1).ok_or(ErrorKind::AddrNotAvailable)?;
        // Bounds what a flood can occupy: some hundred packets, two seconds of a call.
        let socket = self.bind_one(address, RECEIVE_BUFFER)?;
        let control = self.bind_one((address.ip(), above).into(), CONTROL_BUFFER)?;
        let habit = Habit::default();
        self.add(SocketPair { socket, control, address, connected: None, habit })
    }

    fn bind_one(&self, address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
        let kind = Type::DGRAM.nonblocking();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
        socket.set_recv_buffer_size(buffer)?;
        // No address is probed twice: without path MTU discovery the kernel takes the short way.
        match address.ip() {
            IpAddr::V4(_) => {
                let _unsupported = set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::PROBE);
                let _unpermitted = set_ip_tos(&socket, self.dscp << 2);
            }
            IpAddr::V6(_) => {
                socket.set_only_v6(true)?;
                let _unsupported = set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::PROBE);
                let _unpermitted = set_ipv6_tclass(&socket, u32::from(self.dscp) << 2);
            }
        }
        socket.bind(&address.into())?;
        Ok(socket.into())
    }

    fn add(&mut self, pair: SocketPair) -> io::Result<SocketId> {
        let entry = self.sockets.vacant_entry();
        let data = epoll::EventData::new_u64(entry.key() as u64);
        epoll::add(&self.readiness, &pair.control, data, epoll::EventFlags::IN)?;
        // A process has fewer sockets than that.
        let id = SocketId(entry.key() as u32);
        entry.insert(pair);
        Ok(id)
    }

    /// Takes sockets from another shard's table.
    pub(super) fn insert(&mut self, pair: SocketPair) -> SocketId {
        let key = self.sockets.insert(pair);
        if let Some(pair) = self.sockets.get(key) {
            let data = epoll::EventData::new_u64(key as u64);
            // Without memory for it the stream goes on without reports.
            let _unheard = epoll::add(&self.readiness, &pair.control, data, epoll::EventFlags::IN);
        }
        SocketId(key as u32)
    }

    /// Gives sockets away to another shard's table.
    pub(super) fn take(&mut self, socket: SocketId) -> Option<SocketPair> {
        let pair = self.sockets.try_remove(socket.0 as usize)?;
        let _not_in_it = epoll::delete(&self.readiness, &pair.control);
        Some(pair)
    }

    /// The local address of a port that was given back, and whose socket is closed.
    pub(super) fn poll_released(&mut self) -> Option<SocketAddr> {
        self.released.pop()
    }

    /// How many sockets are open.
    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }
}

impl std::fmt::Debug for SocketTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sockets = self.sockets.len();
        f.debug_struct("SocketTable").field("sockets", &sockets).finish_non_exhaustive()
    }
}

impl PacketIo for SocketTable {
    fn receive_batch(
        &mut self,
        sockets: &[SocketId],
        deliver: &mut dyn FnMut(usize, SocketAddr, &[u8]),
    ) {
        for (index, id) in sockets.iter().enumerate() {
            let Some(entry) = self.sockets.get_mut(id.0 as usize) else { continue };
            let mut count = 0;
            for _ in 0..RECEIVE_LIMIT {
                match entry.socket.recv_from(&mut self.buffer[..]) {
                    Ok((length, from)) => {
                        count += 1;
                        deliver(index, from, &self.buffer[..length]);
                        if entry.habit.is_enough(count, length) {
                            break;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        entry.habit.handle_empty(count);
                        break;
                    }
                    // An ICMP answer to something sent; it is taken off by having been reported.
                    Err(_) => {}
                }
            }
        }
    }

    fn expect_more(&mut self, sockets: &[SocketId]) {
        for id in sockets {
            if let Some(entry) = self.sockets.get_mut(id.0 as usize) {
                entry.habit = Habit::default();
            }
        }
    }

    fn send(&mut self, packet: Outgoing<'_>) -> Sent {
        let Some(entry) = self.sockets.get(packet.socket.0 as usize) else { return Sent::Refused };
        let length = packet.header.len() + packet.payload.len();
        // One copy of 172 octets costs less than a vectored send.
        let Some(datagram) = self.buffer.get_mut(..length) else { return Sent::Refused };
        let (header, payload) = datagram.split_at_mut(packet.header.len());
        header.copy_from_slice(packet.header);
        payload.copy_from_slice(packet.payload);
        let send = |datagram: &[u8]| match packet.destination {
            None => entry.socket.send(datagram),
            Some(destination) => entry.socket.send_to(datagram, destination),
        };
        let sent = match send(datagram) {
            // The answer to an earlier packet, reported in place of sending this one.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => send(datagram),
            other => other,
        };
        if sent.is_ok() { Sent::Accepted } else { Sent::Refused }
    }

    fn receive_control(&mut self, deliver: &mut dyn FnMut(SocketId, SocketAddr, &[u8])) {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut room = [MaybeUninit::<epoll::Event>::uninit(); READY_LIMIT];
        let Ok((ready, _)) = epoll::wait(&self.readiness, &mut room[..], Some(&at_once)) else {
            return;
        };
        for event in ready {
            let data = event.data;
            let key = data.u64();
            let Some(pair) = self.sockets.get(key as usize) else { continue };
            for _ in 0..CONTROL_LIMIT {
                match pair.control.recv_from(&mut self.buffer[..]) {
                    Ok((length, from)) => {
                        deliver(SocketId(key as u32), from, &self.buffer[..length]);
                    }
                    Err(_) => break,
                }
            }
        }
    }

    fn send_control(
        &mut self,
        socket: SocketId,
        from: ControlPort,
        destination: SocketAddr,
        datagram: &[u8],
    ) -> Sent {
        let Some(pair) = self.sockets.get(socket.0 as usize) else { return Sent::Refused };
        let sent = match from {
            ControlPort::Own => pair.control.send_to(datagram, destination),
            ControlPort::Media if pair.connected == Some(destination) => pair.socket.send(datagram),
            ControlPort::Media => pair.socket.send_to(datagram, destination),
        };
        if sent.is_ok() { Sent::Accepted } else { Sent::Refused }
    }

    fn flush(&mut self) {}

    fn connect(&mut self, socket: SocketId, remote: SocketAddr) -> bool {
        let Some(entry) = self.sockets.get_mut(socket.0 as usize) else { return false };
        let connected = entry.socket.connect(remote).is_ok();
        if connected {
            entry.connected = Some(remote);
        }
        connected
    }

    fn disconnect(&mut self, socket: SocketId) {
        if let Some(entry) = self.sockets.get_mut(socket.0 as usize)
            && entry.connected.take().is_some()
        {
            // Refused for no socket that is connected.
            let _result = connect_unspec(&entry.socket);
        }
    }

    fn release(&mut self, socket: SocketId) {
        if let Some(entry) = self.sockets.try_remove(socket.0 as usize) {
            self.released.push(entry.address);
        }
    }
}

/// The longest datagram looked at; RTP of audio is far shorter, an Ethernet frame hardly longer.
const LONGEST_DATAGRAM: usize = 2048;

/// Turns for which a socket is taken to hold no more than usual: 140 ms.
const TRUSTED: u8 = 7;

/// Octets of the kernel's receive queue, which counts some 700 for a packet of 172.
const RECEIVE_BUFFER: usize = 65_536;

/// The same for RTCP: a handful of packets, of which one comes each five seconds.
const CONTROL_BUFFER: usize = 8192;

/// Control sockets looked at in one tick; the others have their turn in the next.
const READY_LIMIT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Datagrams by their lengths, in the turns in which they come: in which they are read, and how
    /// many calls that takes.
    fn read(turns: &[&[usize]]) -> (Vec<Vec<usize>>, usize) {
        let (mut habit, mut waiting, mut calls) = (Habit::default(), vec![], 0);
        let turn = |came: &&[usize]| {
            waiting.extend_from_slice(came);
            let mut taken = vec![];
            loop {
                calls += 1;
                if waiting.is_empty() {
                    habit.handle_empty(taken.len());
                    break;
                }
                taken.push(waiting.remove(0));
                if habit.is_enough(taken.len(), taken[taken.len() - 1]) {
                    break;
                }
            }
            taken
        };
        (turns.iter().map(turn).collect(), calls)
    }

    #[test]
    fn one_packet_a_turn_takes_hardly_more_than_one_call() {
        for one in [&[172][..], &[92, 92]] {
            let (taken, calls) = read(&[one; 800]);
            assert!(taken.iter().all(|turn| turn == one));
            let calls = calls - 800 * one.len();
            assert!((100..=102).contains(&calls), "{calls}");
        }
    }

    #[test]
    fn what_varies_in_length_is_read_until_nothing_is_left() {
        let lengths: Vec<[usize; 1]> = (0..100).map(|n| [60 + n * 7 % 50]).collect();
        let turns: Vec<&[usize]> = lengths.iter().map(|length| &length[..]).collect();
        assert_eq!(read(&turns).1, 200);
    }

    /// How many datagrams wait after a turn.
    fn behind(turns: &[&[usize]], taken: &[Vec<usize>], turn: usize) -> usize {
        let came: usize = turns[..=turn].iter().map(|turn| turn.len()).sum();
        came - taken[..=turn].iter().map(Vec::len).sum::<usize>()
    }

    #[test]
    fn a_key_among_sound_waits_a_turn_at_most_and_its_three_ends_hold_up_nothing() {
        let sound: &[usize] = &[172];
        for before in 10..20 {
            let mut turns = vec![sound; before];
            turns.extend([&[172, 16][..], &[172, 16], &[172, 16, 16, 16]]);
            turns.extend([sound; 10]);
            let taken = read(&turns).0;
            assert!(behind(&turns, &taken, before) <= 1);
            assert!((before + 1..turns.len()).all(|turn| behind(&turns, &taken, turn) == 0));
        }
    }

    #[test]
    fn a_gap_is_made_good_in_the_turn_after_it_and_haste_within_eight() {
        let sound: &[usize] = &[172];
        let mut turns = vec![sound; 20];
        turns.extend([&[][..], &[172; 2]]);
        turns.extend([sound; 20]);
        assert_eq!(read(&turns).0, turns, "what was late is read at once");
        for before in 10..20 {
            let mut turns = vec![sound; before];
            turns.push(&[172; 3]);
            turns.extend([sound; 20]);
            let taken = read(&turns).0;
            assert!((before..before + 8).all(|turn| behind(&turns, &taken, turn) <= 2));
            assert!((before + 8..turns.len()).all(|turn| behind(&turns, &taken, turn) == 0));
        }
    }
}
