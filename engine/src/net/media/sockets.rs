//! The tick-loop backend: a non-blocking UDP socket per stream, polled when its stream's turn is, and
//! one on the port above for RTCP, polled when the system's readiness set names it: what comes each
//! five seconds is not worth a call for each socket.

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
        self.add(SocketPair { socket, control, address, connected: None })
    }

    fn bind_one(&self, address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
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
            let Some(entry) = self.sockets.get(id.0 as usize) else { continue };
            for _ in 0..RECEIVE_LIMIT {
                match entry.socket.recv_from(&mut self.buffer[..]) {
                    Ok((length, from)) => deliver(index, from, &self.buffer[..length]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // An ICMP answer to something sent; it is taken off by having been reported.
                    Err(_) => {}
                }
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

/// Octets of the kernel's receive queue, which counts some 700 for a packet of 172.
const RECEIVE_BUFFER: usize = 65_536;

/// The same for RTCP: a handful of packets, of which one comes each five seconds.
const CONTROL_BUFFER: usize = 8192;

/// Control sockets looked at in one tick; the others have their turn in the next.
const READY_LIMIT: usize = 64;
