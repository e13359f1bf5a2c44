//! The SIP transport layer (RFC 3261 §18): sockets behind one queue in and one verb out.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::tcp::TcpConnections;
use super::udp::UdpPort;
use crate::sip::{ConnectionId, Flow, Transmit, Transport};

/// What the sockets report to the signalling loop.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// One whole message, or one datagram.
    Packet {
        flow: Flow,
        bytes: Bytes,
    },
    Closed(ConnectionId),
    /// What was sent on this flow could not be delivered (RFC 3261 §18.4).
    Failed(Flow),
}

/// All SIP sockets of one engine.
#[derive(Debug)]
pub(crate) struct Transports {
    udp: Vec<UdpPort>,
    tcp: TcpConnections,
    tcp_addresses: Vec<SocketAddr>,
    inbound: mpsc::Sender<Inbound>,
}

impl Transports {
    /// The empty set, and the queue that all its sockets will fill.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Inbound>) {
        let (inbound, receiver) = mpsc::channel(INBOUND_QUEUE);
        let tcp = TcpConnections::new(inbound.clone());
        (Self { udp: vec![], tcp, tcp_addresses: vec![], inbound }, receiver)
    }

    /// Binds one listener; returns its address with the port that was chosen.
    pub(crate) fn bind(
        &mut self,
        transport: Transport,
        address: SocketAddr,
    ) -> io::Result<SocketAddr> {
        match transport {
            Transport::Udp => {
                let port = UdpPort::bind(address, self.inbound.clone())?;
                let bound = port.address();
                self.udp.push(port);
                Ok(bound)
            }
            Transport::Tcp | Transport::Tls => {
                let bound = self.tcp.listen(address)?;
                self.tcp_addresses.push(bound);
                Ok(bound)
            }
        }
    }

    /// Sends; a failure comes back as `Inbound::Failed` or is returned here.
    pub(crate) fn send(&self, transmit: Transmit) -> Result<(), Flow> {
        let Transmit { flow, bytes } = transmit;
        match flow.transport {
            Transport::Udp => {
                let port = self.udp_port(flow.local, flow.peer).ok_or(flow)?;
                port.send(&bytes, flow.peer).map_err(|error| {
                    tracing::debug!(peer = %flow.peer, %error, "sending SIP over UDP");
                    flow
                })
            }
            Transport::Tcp | Transport::Tls => {
                self.tcp.send(flow, bytes);
                Ok(())
            }
        }
    }

    /// What is bound for a peer of this address family.
    pub(crate) fn bound(&self, transport: Transport, peer: SocketAddr) -> Option<SocketAddr> {
        let same_family = |address: &SocketAddr| address.is_ipv4() == peer.is_ipv4();
        match transport {
            Transport::Udp => self.udp.iter().map(UdpPort::address).find(same_family),
            Transport::Tcp | Transport::Tls => self.tcp_addresses.iter().copied().find(same_family),
        }
    }

    /// What is listened on, and how many connections each kind has.
    pub(crate) fn view(&self) -> Vec<(Transport, SocketAddr, Option<usize>)> {
        let udp = self.udp.iter().map(|port| (Transport::Udp, port.address(), None));
        let connections = self.tcp.count();
        let tcp = self.tcp_addresses.iter();
        udp.chain(tcp.map(|&address| (Transport::Tcp, address, Some(connections)))).collect()
    }

    /// The socket that `local` names: the same address, else the same port, else the same family.
    fn udp_port(&self, local: SocketAddr, peer: SocketAddr) -> Option<&UdpPort> {
        let family = || self.udp.iter().filter(|port| port.address().is_ipv4() == peer.is_ipv4());
        family()
            .find(|port| port.address() == local)
            .or_else(|| family().find(|port| port.address().port() == local.port()))
            .or_else(|| family().next())
    }
}

/// Messages that wait for the signalling loop; beyond it they wait in the kernel, then are lost.
const INBOUND_QUEUE: usize = 4096;
