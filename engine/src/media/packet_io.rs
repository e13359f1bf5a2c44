//! How a shard sends and receives: datagrams in batches, over whatever backend runs below.
//!
//! The tick-loop backend on sockets is `net::media`; tests use one in memory. A backend that
//! collects (`sendmmsg`, `io_uring`) copies what `send` lends it and works in `flush`.

use std::net::SocketAddr;

use super::SocketId;

/// One RTP packet to send, in two parts so that a shared payload is not copied on the way.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The stream's socket.
    pub socket: SocketId,
    /// Where to; `None` on a connected socket.
    pub destination: Option<SocketAddr>,
    /// The RTP header.
    pub header: &'a [u8; 12],
    /// The payload, often a slice of a prompt.
    pub payload: &'a [u8],
}

/// From which of a stream's ports RTCP goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlPort {
    /// The one above that of the media.
    Own,
    /// That of the media.
    Media,
}

/// Whether a packet was taken for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was, as far as one can know.
    Accepted,
    /// The system refused it; it is lost.
    Refused,
}

/// Sockets by number. No call may block, allocate per packet or panic.
pub trait PacketIo {
    /// Receives what waits on `sockets`, at most [`RECEIVE_LIMIT`] datagrams of each, and hands
    /// every datagram to `deliver` with the index of its socket in the slice and its source.
    fn receive_batch(
        &mut self,
        sockets: &[SocketId],
        deliver: &mut dyn FnMut(usize, SocketAddr, &[u8]),
    );

    /// After a stall: more may wait on `sockets` than usual.
    fn expect_more(&mut self, _sockets: &[SocketId]) {}

    /// Sends one packet, now or by the next `flush`.
    fn send(&mut self, packet: Outgoing<'_>) -> Sent;

    /// Receives RTCP that waits on the sockets' control ports, at most [`CONTROL_LIMIT`] datagrams of
    /// each, and hands every datagram to `deliver` with the socket it belongs to and its source.
    /// Asks the system once for all of them: most calls get one each five seconds.
    fn receive_control(&mut self, deliver: &mut dyn FnMut(SocketId, SocketAddr, &[u8]));

    /// Sends an RTCP packet.
    fn send_control(
        &mut self,
        socket: SocketId,
        from: ControlPort,
        destination: SocketAddr,
        datagram: &[u8],
    ) -> Sent;

    /// Everything lent to `send` goes out.
    fn flush(&mut self);

    /// Lets the system drop what comes from elsewhere than `remote`, and lets `send` go without
    /// a destination. `false`: the socket stays as it was, and destinations are needed.
    fn connect(&mut self, socket: SocketId, remote: SocketAddr) -> bool;

    /// Undoes `connect`.
    fn disconnect(&mut self, socket: SocketId);

    /// The stream is gone: the socket goes back to the stock of ports.
    fn release(&mut self, socket: SocketId);
}

/// How many datagrams of one socket are taken in one tick: beyond, a flood waits in (and
/// overflows) its own socket's buffer and costs the other calls nothing.
pub const RECEIVE_LIMIT: usize = 16;

/// How many RTCP datagrams of one socket are taken in one tick.
pub const CONTROL_LIMIT: usize = 4;
