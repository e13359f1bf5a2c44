//! Where a message came from and where it goes: transport, addresses and, on streams, the connection.
//!
//! The names follow RFC 5626 §3: a flow is a pair of addresses and a transport that messages travel
//! on in both directions. Sockets belong to `net`; this room only names them.

use std::net::SocketAddr;

use bytes::Bytes;

/// The transport protocols SIP messages travel on here (RFC 3261 §18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams: requests are retransmitted until answered.
    Udp,
    /// A stream, framed by Content-Length: nothing is retransmitted by the transactions.
    Tcp,
    /// The same within TLS (RFC 3261 §26.3.1).
    Tls,
}

impl Transport {
    /// True where the transport itself delivers or reports, so that timers A, E, G are not used.
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    /// The name as Via carries it (RFC 3261 §20.42).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The port where it is spoken unless said otherwise (RFC 3261 §19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// Reads the name of a Via or of a `transport` parameter, in any case; `None` if unsupported.
    pub fn parse(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"udp") {
            Some(Self::Udp)
        } else if name.eq_ignore_ascii_case(b"tcp") {
            Some(Self::Tcp)
        } else if name.eq_ignore_ascii_case(b"tls") {
            Some(Self::Tls)
        } else {
            None
        }
    }
}

/// A connection as `net` numbers it; never reused while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

/// A two-way path to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The protocol.
    pub transport: Transport,
    /// Our address as the peer may call on it: concrete, never the wildcard, since Via and Contact
    /// are made of it. On a stream that we opened it is where we listen, not the port it left from.
    pub local: SocketAddr,
    /// The other side's address.
    pub peer: SocketAddr,
    /// The open connection, on streams. `None` asks `net` to open one to `peer` (or to reuse one).
    pub connection: Option<ConnectionId>,
}

impl Flow {
    /// A path over datagrams.
    pub fn udp(local: SocketAddr, peer: SocketAddr) -> Self {
        Self { transport: Transport::Udp, local, peer, connection: None }
    }

    /// A path over an open connection.
    pub fn tcp(local: SocketAddr, peer: SocketAddr, connection: ConnectionId) -> Self {
        Self { transport: Transport::Tcp, local, peer, connection: Some(connection) }
    }

    /// A path over an open connection within TLS.
    pub fn tls(local: SocketAddr, peer: SocketAddr, connection: ConnectionId) -> Self {
        Self { transport: Transport::Tls, local, peer, connection: Some(connection) }
    }
}

/// One message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub flow: Flow,
    /// The whole message.
    pub bytes: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_names_are_read_in_any_case_and_unknown_ones_refused() {
        assert_eq!(Transport::parse(b"UdP"), Some(Transport::Udp));
        assert_eq!(Transport::parse(b"tcp"), Some(Transport::Tcp));
        assert_eq!(Transport::parse(b"sctp"), None);
        assert_eq!(Transport::parse(b"TLS").map(Transport::default_port), Some(5061));
        assert!(Transport::Tls.is_reliable());
        assert!(Transport::Tcp.is_reliable() && !Transport::Udp.is_reliable());
    }
}
