//! A socket for each stream, read and written by io_uring: one system call for a tick's packets.
//!
//! A measurement, not a backend: see docs/decisions/0025-ways-to-the-kernel.md. It knows connected
//! sockets of IPv4 alone, and never gives one back.
#![allow(unsafe_code, reason = "io_uring reads and writes memory on its own")]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
};

use diesis_engine::media::{
    SocketId,
    packet_io::{ControlPort, Outgoing, PacketIo, RECEIVE_LIMIT, Sent},
};
use io_uring::{IoUring, cqueue, opcode, squeue, types};

/// The sockets, and the ring that reads and writes them.
pub(crate) struct UringSockets {
    // First, so that it is gone before what it writes to.
    ring: IoUring,
    sockets: Vec<Bound>,
    /// What is received into: `BUFFERS` of `BUFFER` octets, lent to the ring.
    received: Box<[u8]>,
    /// What is being sent.
    sending: Box<[u8]>,
    free: Vec<u32>,
    template: Box<libc::msghdr>,
    places: Vec<u32>,
    /// Buffers of datagrams for streams whose turn it was not: key and buffer.
    waiting: Vec<(usize, u16, usize)>,
    looked_through: Vec<(usize, u16, usize)>,
    /// Buffers to be lent again.
    returned: Vec<u16>,
}

struct Bound {
    socket: UdpSocket,
    waiting: usize,
}

impl UringSockets {
    pub(crate) fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(16_384)
            .build(4096)?;
        // SAFETY: all zeroes are a header without buffers, which is what is wanted.
        let mut template: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        template.msg_namelen = NAME as u32;
        let mut new = Self {
            ring,
            sockets: vec![],
            received: vec![0; usize::from(BUFFERS) * BUFFER].into(),
            sending: vec![0; SENDS * PACKET].into(),
            free: (0..SENDS as u32).rev().collect(),
            template,
            places: vec![],
            waiting: vec![],
            looked_through: vec![],
            returned: vec![],
        };
        new.lend(0, BUFFERS);
        new.enter();
        Ok(new)
    }

    pub(crate) fn add(&mut self, socket: UdpSocket, peer: SocketAddr) -> io::Result<SocketId> {
        socket.connect(peer)?;
        let key = self.sockets.len();
        self.sockets.push(Bound { socket, waiting: 0 });
        self.places.push(ELSEWHERE);
        self.listen(key);
        Ok(SocketId(key as u32))
    }

    fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: what the entries point to lives in boxes of this struct that outlive the ring.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.enter();
        }
    }

    fn enter(&mut self) {
        let to_submit = self.ring.submission().len() as u32;
        // SAFETY: no argument.
        let _ = unsafe { self.ring.submitter().enter::<()>(to_submit, 0, GETEVENTS, None) };
    }

    fn lend(&mut self, first: u16, count: u16) {
        let at = self.received[usize::from(first) * BUFFER..].as_mut_ptr();
        let entry = opcode::ProvideBuffers::new(at, BUFFER as i32, count, GROUP, first).build();
        self.push(entry.user_data(IGNORED).flags(squeue::Flags::SKIP_SUCCESS));
    }

    fn listen(&mut self, key: usize) {
        let Some(bound) = self.sockets.get(key) else { return };
        let fd = types::Fd(bound.socket.as_raw_fd());
        let entry = opcode::RecvMsgMulti::new(fd, &raw const *self.template, GROUP).build();
        self.push(entry.user_data(key as u64));
    }

    fn return_buffers(&mut self) {
        self.returned.sort_unstable();
        let mut run = None::<(u16, u16)>;
        let returned = std::mem::take(&mut self.returned);
        for &id in &returned {
            run = Some(match run {
                Some((first, count)) if first + count == id => (first, count + 1),
                Some((first, count)) => {
                    self.lend(first, count);
                    (id, 1)
                }
                None => (id, 1),
            });
        }
        if let Some((first, count)) = run {
            self.lend(first, count);
        }
        self.returned = returned;
        self.returned.clear();
    }

    fn datagram(&self, buffer: u16, length: usize) -> Option<(SocketAddr, &[u8])> {
        let start = usize::from(buffer) * BUFFER;
        let out =
            types::RecvMsgOut::parse(&self.received[start..start + length], &self.template).ok()?;
        let name = out.name_data();
        let from = SocketAddr::new(
            IpAddr::V4(Ipv4Addr::new(name[4], name[5], name[6], name[7])),
            u16::from_be_bytes([name[2], name[3]]),
        );
        // `out` lends what it has for as long as it lives itself: found again in what it was read from.
        let datagram = out.payload_data();
        let at = datagram.as_ptr().addr() - self.received.as_ptr().addr();
        Some((from, self.received.get(at..at + datagram.len())?))
    }
}

impl PacketIo for UringSockets {
    fn receive_batch(
        &mut self,
        sockets: &[SocketId],
        deliver: &mut dyn FnMut(usize, SocketAddr, &[u8]),
    ) {
        for (place, socket) in (0..).zip(sockets) {
            self.places[socket.0 as usize] = place;
        }
        std::mem::swap(&mut self.waiting, &mut self.looked_through);
        for at in 0..self.looked_through.len() {
            let (key, buffer, length) = self.looked_through[at];
            match self.places[key] {
                ELSEWHERE => self.waiting.push((key, buffer, length)),
                place => {
                    self.sockets[key].waiting -= 1;
                    if let Some((from, datagram)) = self.datagram(buffer, length) {
                        deliver(place as usize, from, datagram);
                    }
                    self.returned.push(buffer);
                }
            }
        }
        self.looked_through.clear();
        self.enter();
        let mut again = vec![];
        loop {
            let Some(entry) = self.ring.completion().next() else { break };
            let (result, data, flags) = (entry.result(), entry.user_data(), entry.flags());
            if data == IGNORED {
                continue;
            }
            if data & SEND != 0 {
                self.free.push((data & !SEND) as u32);
                continue;
            }
            let key = data as usize;
            if !cqueue::more(flags) {
                again.push(key);
            }
            let Some(buffer) = cqueue::buffer_select(flags) else { continue };
            let length = result.max(0) as usize;
            match self.places[key] {
                ELSEWHERE if self.sockets[key].waiting < RECEIVE_LIMIT => {
                    self.sockets[key].waiting += 1;
                    self.waiting.push((key, buffer, length));
                }
                ELSEWHERE => self.returned.push(buffer),
                place => {
                    if let Some((from, datagram)) = self.datagram(buffer, length) {
                        deliver(place as usize, from, datagram);
                    }
                    self.returned.push(buffer);
                }
            }
        }
        self.return_buffers();
        for key in again {
            self.listen(key);
        }
        for socket in sockets {
            self.places[socket.0 as usize] = ELSEWHERE;
        }
    }

    fn send(&mut self, packet: Outgoing<'_>) -> Sent {
        let Some(bound) = self.sockets.get(packet.socket.0 as usize) else { return Sent::Refused };
        let Some(slot) = self.free.pop() else { return Sent::Refused };
        let fd = types::Fd(bound.socket.as_raw_fd());
        let start = slot as usize * PACKET;
        let length = packet.header.len() + packet.payload.len();
        let room = &mut self.sending[start..start + length];
        let (header, payload) = room.split_at_mut(packet.header.len());
        header.copy_from_slice(packet.header);
        payload.copy_from_slice(packet.payload);
        let at = room.as_ptr();
        let entry = opcode::Send::new(fd, at, length as u32).flags(libc::MSG_DONTWAIT).build();
        self.push(entry.user_data(SEND | u64::from(slot)));
        Sent::Accepted
    }
    fn receive_control(&mut self, _deliver: &mut dyn FnMut(SocketId, SocketAddr, &[u8])) {}

    fn send_control(&mut self, _: SocketId, _: ControlPort, _: SocketAddr, _: &[u8]) -> Sent {
        Sent::Refused
    }

    fn flush(&mut self) {
        self.enter();
    }

    fn connect(&mut self, _socket: SocketId, _remote: SocketAddr) -> bool {
        false
    }

    fn disconnect(&mut self, _socket: SocketId) {}

    fn release(&mut self, _socket: SocketId) {}
}

const ELSEWHERE: u32 = u32::MAX;
const SEND: u64 = 1 << 63;
const IGNORED: u64 = u64::MAX >> 1;
const GETEVENTS: u32 = 1;
const GROUP: u16 = 1;
const BUFFERS: u16 = 8192;
const BUFFER: usize = 16 + NAME + 480;
const NAME: usize = 16;
const SENDS: usize = 4096;
const PACKET: usize = 256;
