//! Which of our addresses a peer is called from, and which it is told: our own inside `local_net`,
//! the translator's outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bstr::BStr;

use super::{Switch, place::PlaceError};
use crate::{
    config::{SipSettings, TransportProtocol, TransportSettings},
    media::PortLease,
    sip::{self, PublicAddress, Scheme, Transport, Uri},
};

impl Switch {
    /// The way to a URI with an IP address: by the protocol it names, else that of the transport
    /// `named`, else UDP; from where that transport listens.
    pub(super) fn flow_to(&self, to: &Uri, named: Option<&BStr>) -> Result<sip::Flow, PlaceError> {
        let peer = to.socket_addr().ok_or(PlaceError::NoAddress)?;
        let transports = &self.config.sip.transports;
        let named = named.and_then(|name| transports.iter().find(|it| it.name == name));
        let transport = match (to.scheme(), to.parameter("transport")) {
            (Scheme::Sips, _) => Transport::Tls,
            (_, Some(name)) => Transport::parse(name.as_bytes()).ok_or(PlaceError::NoTransport)?,
            (_, None) => named.map_or(Transport::Udp, protocol),
        };
        let peer = match to.port() {
            Some(_) => peer,
            None => SocketAddr::new(peer.ip(), transport.default_port()),
        };
        let listening = transports.iter().filter(|it| {
            let is_named = named.is_none_or(|named| named.name == it.name);
            is_named && protocol(it) == transport && it.bind.is_ipv4() == peer.is_ipv4()
        });
        let own = self.own_address_towards(peer.ip());
        let local = listening
            .filter_map(|it| match it.bind.ip().is_unspecified() {
                true => Some(SocketAddr::new(own?, it.bind.port())),
                false => Some(it.bind),
            })
            // The one that the way to the peer begins at, if any does.
            .min_by_key(|local| Some(local.ip()) != own);
        let local = local.ok_or(PlaceError::NoTransport)?;
        Ok(sip::Flow { transport, local, peer, connection: None })
    }

    /// Our address on the way to a peer, as far as it is known.
    pub(super) fn own_address_towards(&self, peer: IpAddr) -> Option<IpAddr> {
        let others = match peer {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let routes = &self.config.routes;
        let met =
            || self.locals.iter().map(SocketAddr::ip).find(|ip| ip.is_ipv4() == peer.is_ipv4());
        routes.get(&peer).or_else(|| routes.get(&others)).copied().or_else(met)
    }

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

pub(super) fn protocol(transport: &TransportSettings) -> Transport {
    match transport.protocol {
        TransportProtocol::Udp => Transport::Udp,
        TransportProtocol::Tcp => Transport::Tcp,
        TransportProtocol::Tls => Transport::Tls,
    }
}
