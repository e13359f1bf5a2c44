//! Requests that a datagram does not hold, or holds only in fragments (RFC 3261 §18.1.1).
//!
//! Larger requests than [`PATH_LIMIT`] go over TCP where that is wanted, and over UDP after all when
//! TCP brings nothing. What no datagram can hold goes over TCP in any case: it would be lost.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::flow::{Flow, Transport};
use super::{HeaderName, Request};

/// What becomes of requests over UDP that are larger than RFC 3261 §18.1.1 wants them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LargeRequests {
    /// They go over UDP all the same, in fragments.
    #[default]
    Datagrams,
    /// They go over TCP, and over UDP when nothing comes back.
    Connections,
}

/// A request with its way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) request: Request,
    pub(crate) bytes: Bytes,
    pub(crate) flow: Flow,
    pub(crate) fallback: Option<Box<Fallback>>,
}

/// The way over UDP of a request that was sent over TCP because of its size.
#[derive(Debug)]
pub(crate) struct Fallback {
    pub(crate) request: Request,
    pub(crate) flow: Flow,
    /// Until when TCP may bring something.
    pub(crate) due: Instant,
}

impl Outgoing {
    /// A request that goes where it is told, whatever its size.
    pub(crate) fn new(request: Request, flow: Flow) -> Self {
        let bytes = request.to_bytes();
        Self { request, bytes, flow, fallback: None }
    }

    /// Whether it is to go over a connection instead.
    pub(crate) fn outgrows(&self, large: LargeRequests) -> bool {
        let limit = match large {
            LargeRequests::Datagrams => MOST_DATAGRAM,
            LargeRequests::Connections => PATH_LIMIT,
        };
        self.flow.transport == Transport::Udp && self.bytes.len() > limit
    }

    /// The same request over TCP, with this Via; over UDP after all if a datagram can hold it.
    pub(crate) fn over_tcp(self, via: String, now: Instant) -> Self {
        let Self { request: over_udp, bytes, flow: udp, .. } = self;
        let mut request = over_udp.clone();
        request.set(HeaderName::Via, via);
        let fits = bytes.len() <= MOST_DATAGRAM;
        let due = now + PATIENCE;
        let fallback = fits.then(|| Box::new(Fallback { request: over_udp, flow: udp, due }));
        // Our address on the other transport is taken to be the same: `net` listens on both.
        let flow = Flow { transport: Transport::Tcp, connection: None, ..udp };
        let bytes = request.to_bytes();
        Self { request, bytes, flow, fallback }
    }
}

/// Peers that TCP did not lead to lately.
#[derive(Debug, Default)]
pub(crate) struct Unconnected {
    /// The latest last.
    peers: VecDeque<(SocketAddr, Instant)>,
}

impl Unconnected {
    pub(crate) fn insert(&mut self, peer: SocketAddr, now: Instant) {
        self.peers.retain(|(known, until)| *known != peer && *until > now);
        if self.peers.len() >= MOST_UNCONNECTED {
            self.peers.pop_front();
        }
        self.peers.push_back((peer, now + REMEMBERED));
    }

    pub(crate) fn contains(&self, peer: SocketAddr, now: Instant) -> bool {
        self.peers.iter().any(|(known, until)| *known == peer && *until > now)
    }
}

/// The largest request over UDP where the path's limit is unknown (RFC 3261 §18.1.1).
pub(crate) const PATH_LIMIT: usize = 1300;

/// What a datagram over IPv4 holds: 65,535 without the headers of IP and UDP.
pub(crate) const MOST_DATAGRAM: usize = 65_507;

/// The largest request over UDP that is served. Its response has most of its headers and some more:
/// above this it might not fit into a datagram.
pub(crate) const MOST_REQUEST: usize = 60 * 1024;

/// How long TCP may bring nothing: a connection through a network that drops it fails by that alone.
/// The far end takes the request over UDP for a repetition, whichever came through.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a peer that TCP did not lead to is called over UDP at once.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Peers remembered that way; the oldest are forgotten.
const MOST_UNCONNECTED: usize = 256;

#[cfg(test)]
mod tests;
