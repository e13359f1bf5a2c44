//! Which of our addresses a peer reaches us at.
//!
//! A socket bound to the wildcard address does not say which address a datagram came to, and
//! Contact and SDP must name one that the peer can reach. The kernel's routing table knows.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Looks up and remembers the local address that the kernel would send from, by peer.
#[derive(Debug, Default)]
pub(crate) struct LocalAddresses {
    known: HashMap<IpAddr, IpAddr>,
}

impl LocalAddresses {
    /// `bound` itself unless it is a wildcard, then the address that routes to `peer`.
    pub(crate) fn towards(&mut self, bound: SocketAddr, peer: SocketAddr) -> SocketAddr {
        if !bound.ip().is_unspecified() {
            return bound;
        }
        if let Some(&ip) = self.known.get(&peer.ip()) {
            return SocketAddr::new(ip, bound.port());
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        let ip = route(peer).unwrap_or_else(|| bound.ip());
        self.known.insert(peer.ip(), ip);
        SocketAddr::new(ip, bound.port())
    }
}

/// The address that the kernel would send from, if there is a way.
pub(super) fn towards(peer: IpAddr) -> Option<IpAddr> {
    route(SocketAddr::new(peer, 0)).filter(|own| !own.is_unspecified())
}

/// Connecting a datagram socket sends nothing; it only makes the kernel choose the source address.
#[expect(clippy::disallowed_methods, reason = "this room owns the sockets")]
fn route(peer: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((peer.ip(), if peer.port() == 0 { 5060 } else { peer.port() })).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Addresses remembered at once; a sender of spoofed sources only makes us ask the kernel again.
const MAX_KNOWN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_socket_names_the_address_that_routes_to_the_peer() {
        let mut addresses = LocalAddresses::default();
        let bound = "0.0.0.0:5060".parse().expect("a literal");
        let peer = "127.0.0.1:40000".parse().expect("a literal");
        assert_eq!(addresses.towards(bound, peer), "127.0.0.1:5060".parse().expect("a literal"));
    }

    #[test]
    fn a_bound_address_is_named_as_it_is() {
        let mut addresses = LocalAddresses::default();
        let bound = "127.0.0.9:5060".parse().expect("a literal");
        let peer = "127.0.0.1:40000".parse().expect("a literal");
        assert_eq!(addresses.towards(bound, peer), bound);
    }
}
