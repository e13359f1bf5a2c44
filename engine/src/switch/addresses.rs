//! Which of our addresses a peer is told: our own inside `local_net`, the translator's outside.

use std::net::SocketAddr;

use super::Switch;
use crate::{
    config::{SipSettings, TransportProtocol, TransportSettings},
    media::PortLease,
    sip::{self, PublicAddress, Transport},
};

impl Switch {
    /// The address the far end is told to send media to.
    pub(super) fn media_address(&self, flow: &sip::Flow, port: &PortLease) -> SocketAddr {
        let external = transport_of(&self.config.sip, flow)
            .filter(|transport| transport.is_external(flow.peer.ip()))
            .and_then(|transport| transport.external_media_address)
            // An offer in one family is of no use with an address of the other.
            .filter(|external| external.is_ipv4() == flow.local.is_ipv4());
        let ip = match external {
            Some(ip) => ip,
            None if port.address.ip().is_unspecified() => flow.local.ip(),
            None => port.address.ip(),
        };
        SocketAddr::new(ip, port.address.port())
    }
}

/// What the stack writes to Via and Contact in place of our addresses.
pub(super) fn public_addresses(settings: &SipSettings) -> Vec<PublicAddress> {
    let public = settings.transports.iter().filter_map(|transport| {
        let port = transport.external_signaling_port.unwrap_or_else(|| transport.bind.port());
        Some(PublicAddress {
            transport: protocol(transport),
            local: transport.bind,
            public: SocketAddr::new(transport.external_signaling_address?, port),
            inside: transport.local_net.clone(),
        })
    });
    public.collect()
}

/// The transport a flow belongs to.
fn transport_of<'s>(settings: &'s SipSettings, flow: &sip::Flow) -> Option<&'s TransportSettings> {
    settings.transports.iter().find(|transport| {
        let bind = transport.bind;
        let same_ip = match bind.ip().is_unspecified() {
            true => bind.is_ipv4() == flow.local.is_ipv4(),
            false => bind.ip() == flow.local.ip(),
        };
        protocol(transport) == flow.transport && bind.port() == flow.local.port() && same_ip
    })
}

fn protocol(transport: &TransportSettings) -> Transport {
    match transport.protocol {
        TransportProtocol::Udp => Transport::Udp,
        TransportProtocol::Tcp => Transport::Tcp,
    }
}
