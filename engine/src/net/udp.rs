//! SIP over UDP: one task reads a socket, the signalling loop writes to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::local_address::LocalAddresses;
use super::marking;
use super::transport::Inbound;
use crate::config::SocketOptions;
use crate::sip::Flow;

/// A bound UDP socket that is being read.
#[derive(Debug)]
pub(crate) struct UdpPort {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
}

impl UdpPort {
    /// Binds `address` and starts to hand what arrives to `inbound`.
    ///
    /// Must be called within a tokio runtime.
    pub(crate) fn bind(
        address: SocketAddr,
        options: &SocketOptions,
        inbound: mpsc::Sender<Inbound>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A burst of calls must wait in the kernel rather than be lost: 2,000 INVITEs of 1 KB.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        // There is no connection to be kept.
        let options = SocketOptions { keepalive: None, ..*options };
        marking::apply(&SockRef::from(&socket), address, &options)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let address = socket.local_addr()?;
        tokio::spawn(read(Arc::clone(&socket), address, inbound));
        Ok(Self { socket, address })
    }

    /// The address that was bound, with the port that the kernel chose for port 0.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends one datagram. A full socket buffer drops it: the transaction's timers send it again.
    pub(crate) fn send(&self, bytes: &Bytes, peer: SocketAddr) -> io::Result<()> {
        // Not `try_send_to`: tokio refuses until its reactor has first seen the socket, so the
        // first INVITE of a new engine would wait for timer A.
        match SockRef::from(&*self.socket).send_to(bytes, &peer.into()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            // The path is sound: it carries smaller ones. The stack sends none that no datagram
            // holds; here a scope has narrower limits, such as an interface that does not fragment.
            Err(error) if error.raw_os_error() == Some(TOO_LONG) => {
                tracing::warn!(%peer, length = bytes.len(), "too long for UDP: message lost");
                Ok(())
            }
            other => other.map(drop),
        }
    }
}

async fn read(socket: Arc<UdpSocket>, bound: SocketAddr, inbound: mpsc::Sender<Inbound>) {
    let mut addresses = LocalAddresses::default();
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // An ICMP error of an earlier send is reported here; the socket itself is sound.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => {
                tracing::warn!(%bound, %error, "reading SIP over UDP");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let local = addresses.towards(bound, peer);
        let flow = Flow::udp(local, peer);
        let bytes = Bytes::copy_from_slice(&buffer[..length]);
        if inbound.send(Inbound::Packet { flow, bytes }).await.is_err() {
            return;
        }
    }
}

const MAX_DATAGRAM: usize = 65_536;
const SOCKET_BUFFER: usize = 4 << 20;
/// `EMSGSIZE`.
const TOO_LONG: i32 = rustix::io::Errno::MSGSIZE.raw_os_error();

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn packets_are_marked_as_the_transport_says_over_ipv4_and_ipv6() {
        let options = SocketOptions { tos: Some(0x68), cos: Some(3), keepalive: None };
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (inbound, _received) = mpsc::channel(1);
            // A machine without IPv6 has nothing to be marked.
            let bound = UdpPort::bind(address.parse().unwrap(), &options, inbound);
            let Ok(port) = bound else { continue };
            let socket = SockRef::from(&*port.socket);
            let tos = match port.address().is_ipv4() {
                true => socket.tos_v4().unwrap(),
                false => socket.tclass_v6().unwrap(),
            };
            assert_eq!(tos, 0x68);
            assert_eq!(socket.priority().unwrap(), 3);
        }
    }

    #[tokio::test]
    #[allow(clippy::disallowed_methods, reason = "the claim is about a real socket")]
    async fn the_first_datagram_leaves_before_the_runtime_has_looked_at_the_socket() {
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_nonblocking(true).unwrap();
        let (inbound, _received) = mpsc::channel(1);
        let port =
            UdpPort::bind("127.0.0.1:0".parse().unwrap(), &SocketOptions::default(), inbound)
                .unwrap();
        port.send(&Bytes::from_static(b"INVITE"), peer.local_addr().unwrap()).unwrap();
        let mut buffer = [0; 16];
        // Loopback delivers within the system call.
        assert_eq!(peer.recv(&mut buffer).unwrap(), 6);
    }
}
