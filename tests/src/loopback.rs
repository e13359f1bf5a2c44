//! Addresses that nothing else uses, on this machine's loopback network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// Where the engine under test is reached.
pub const ENGINE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
/// Where sipp calls from.
pub const CALLER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A port that is free for UDP and for TCP at the time of asking.
///
/// # Panics
/// When the loopback network has no free port.
#[must_use]
pub fn free_port(ip: IpAddr) -> u16 {
    let candidates = (0..50).filter_map(|_| {
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0)).ok()?;
        let address = socket.local_addr().ok()?;
        TcpListener::bind(address).ok().map(|_| address.port())
    });
    candidates.into_iter().next().expect("a port is free on the loopback network")
}

/// Sockets that are bound and never read: whoever sends there gets no "port unreachable".
#[must_use]
pub fn sinks(ip: IpAddr, ports: impl Iterator<Item = u16>) -> Vec<UdpSocket> {
    ports.filter_map(|port| UdpSocket::bind(SocketAddr::new(ip, port)).ok()).collect()
}
