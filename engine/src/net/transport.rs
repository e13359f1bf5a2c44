//! The SIP transport layer (RFC 3261 §18): sockets behind one queue in and one verb out.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::tcp::TcpConnections;
use super::tls::{TlsPort, TlsSetupError};
use super::udp::UdpPort;
use crate::config::TransportSettings;
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

/// Why a listener could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
}

/// All SIP sockets of one engine.
#[derive(Debug)]
pub(crate) struct Transports {
    udp: Vec<UdpPort>,
    streams: TcpConnections,
    stream_addresses: Vec<(Transport, SocketAddr)>,
    inbound: mpsc::Sender<Inbound>,
}

impl Transports {
    /// The empty set, and the queue that all its sockets will fill.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Inbound>) {
        let (inbound, receiver) = mpsc::channel(INBOUND_QUEUE);
        let streams = TcpConnections::new(inbound.clone());
        (Self { udp: vec![], streams, stream_addresses: vec![], inbound }, receiver)
    }

    /// Binds one listener; returns its address with the port that was chosen.
    pub(crate) fn bind(
        &mut self,
        transport: Transport,
        settings: &TransportSettings,
    ) -> Result<SocketAddr, BindError> {
        let address = settings.bind;
        match transport {
            Transport::Udp => {
                let port = UdpPort::bind(address, &settings.options, self.inbound.clone())?;
                let bound = port.address();
                self.udp.push(port);
                Ok(bound)
            }
            Transport::Tcp | Transport::Tls => {
                let tls = match transport {
                    Transport::Tls => Some(TlsPort::new(settings)?),
                    _ => None,
                };
                let bound = self.streams.listen(address, &settings.options, tls)?;
                self.stream_addresses.push((transport, bound));
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
                self.streams.send(flow, bytes);
                Ok(())
            }
        }
    }

    /// Learns whom the certificate of a peer must name.
    pub(crate) fn expect_name(&self, peer: SocketAddr, name: String) {
        self.streams.expect_name(peer, name);
    }

    /// Reads all certificates again; what is wrong with those that stay as they are.
    pub(crate) fn reload_certificates(&self) -> Vec<TlsSetupError> {
        self.streams.reload_certificates()
    }

    /// What is bound for a peer of this address family.
    pub(crate) fn bound(&self, transport: Transport, peer: SocketAddr) -> Option<SocketAddr> {
        let same_family = |address: &SocketAddr| address.is_ipv4() == peer.is_ipv4();
        match transport {
            Transport::Udp => self.udp.iter().map(UdpPort::address).find(same_family),
            Transport::Tcp | Transport::Tls => {
                let of_kind = self.stream_addresses.iter().filter(|(own, _)| *own == transport);
                of_kind.map(|(_, address)| *address).find(same_family)
            }
        }
    }

    /// What is listened on, and how many connections each kind has.
    pub(crate) fn view(&self) -> Vec<(Transport, SocketAddr, Option<usize>)> {
        let udp = self.udp.iter().map(|port| (Transport::Udp, port.address(), None));
        let streams = self
            .stream_addresses
            .iter()
            .map(|&(transport, address)| (transport, address, Some(self.streams.count(transport))));
        udp.chain(streams).collect()
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
