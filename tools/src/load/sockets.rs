//! The sockets of all callers: one for signalling at each address, one for each caller's media.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
};

use bytes::Bytes;
use diesis_engine::sip::{Flow, Transmit};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::sockopt::set_socket_recv_buffer_size,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::batch::{Batch, ask_for_stamps};

/// Everything that packets go through.
pub(super) struct Sockets {
    signalling: Vec<UdpSocket>,
    addresses: Vec<SocketAddr>,
    media: Vec<UdpSocket>,
    batch: Batch,
    buffer: Box<[u8; 65_535]>,
}

impl Sockets {
    /// Binds a signalling socket at each address, and media sockets on even ports, in turn at each.
    /// Each seat is given as its media address and its flow to the target.
    pub(super) fn bind(
        addresses: &[IpAddr],
        target: SocketAddr,
        seats: usize,
        ports: RangeInclusive<u16>,
    ) -> io::Result<(Self, Vec<(SocketAddr, Flow)>)> {
        raise_file_limit(seats + addresses.len() + 64)?;
        let mut signalling = vec![];
        let mut bound = vec![];
        for &address in addresses {
            let socket = UdpSocket::bind((address, 0))?;
            socket.set_nonblocking(true)?;
            // Hundreds of calls may be answered at one time.
            set_socket_recv_buffer_size(&socket, SIGNALLING_BUFFER)?;
            bound.push(socket.local_addr()?);
            signalling.push(socket);
        }
        let mut media = vec![];
        let mut places = vec![];
        let mut next: Vec<_> =
            addresses.iter().map(|_| ports.clone().filter(|port| port.is_multiple_of(2))).collect();
        for seat in 0..seats {
            let at = seat % addresses.len();
            let socket = next[at].find_map(|port| UdpSocket::bind((addresses[at], port)).ok());
            let none = || {
                let last = ports.end();
                io::Error::new(
                    ErrorKind::AddrInUse,
                    format!(
                        "no free port for media up to {last}: give more by --media-ports or addresses by --from"
                    ),
                )
            };
            let socket = socket.ok_or_else(none)?;
            socket.set_nonblocking(true)?;
            ask_for_stamps(&socket)?;
            places.push((socket.local_addr()?, Flow::udp(bound[at], target)));
            media.push(socket);
        }
        let buffer = Box::new([0; 65_535]);
        let batch = Batch::new();
        Ok((Self { signalling, addresses: bound, media, batch, buffer }, places))
    }

    /// Waits for signalling, at most until `wait` is over; whether there is some.
    pub(super) fn wait(&self, wait: Timespec) -> bool {
        let mut asked: Vec<PollFd<'_>> =
            self.signalling.iter().map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
        matches!(poll(&mut asked, Some(&wait)), Ok(ready) if ready > 0)
    }

    /// Hands over all signalling that waits.
    pub(super) fn receive_signalling(&mut self, mut deliver: impl FnMut(Flow, Bytes)) {
        for (socket, &local) in self.signalling.iter().zip(&self.addresses) {
            loop {
                match socket.recv_from(&mut self.buffer[..]) {
                    Ok((length, peer)) => {
                        let bytes = Bytes::copy_from_slice(&self.buffer[..length]);
                        deliver(Flow::udp(local, peer), bytes);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // An ICMP answer to something sent: taken off by having been reported.
                    Err(_) => {}
                }
            }
        }
    }

    /// Sends a message; what is lost is sent again by the stack's timers.
    pub(super) fn send_signalling(&self, transmit: &Transmit) {
        let at = self.addresses.iter().position(|&address| address == transmit.flow.local);
        if let Some(socket) = at.and_then(|at| self.signalling.get(at)) {
            let _lost = socket.send_to(&transmit.bytes, transmit.flow.peer);
        }
    }

    /// Hands over what waits at a seat.
    pub(super) fn receive_media(
        &mut self,
        seat: usize,
        now: impl Fn() -> i64,
        deliver: impl FnMut(&[u8], i64),
    ) {
        if let Some(socket) = self.media.get(seat) {
            self.batch.receive(socket, now, deliver);
        }
    }

    /// Sends a packet from a seat; whether it went out.
    pub(super) fn send_media(&self, seat: usize, packet: &[u8], to: SocketAddr) -> bool {
        let Some(socket) = self.media.get(seat) else { return false };
        match socket.send_to(packet, to) {
            // The answer to an earlier packet, reported in place of sending this one.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                socket.send_to(packet, to).is_ok()
            }
            sent => sent.is_ok(),
        }
    }
}

/// The address that the system would speak to the target from.
pub(super) fn source_address(target: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = match target {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(target)?;
    Ok(socket.local_addr()?.ip())
}

fn raise_file_limit(wanted: usize) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted as u64) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    match limit.maximum {
        Some(most) if most < wanted as u64 => Err(io::Error::other(format!(
            "{wanted} open files are needed, and {most} allowed: raise `ulimit -n`"
        ))),
        _ => Ok(()),
    }
}

const SIGNALLING_BUFFER: usize = 8 << 20;
