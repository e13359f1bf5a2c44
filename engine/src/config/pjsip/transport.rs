//! `type=transport`: where SIP is spoken.

use std::net::{Ipv4Addr, SocketAddr};

use bstr::BStr;
use diesis_dialplan::diagnostic::Diagnostic;

use super::{Objects, Surroundings, insert, keys, tls};
use crate::config::codes;
use crate::config::named::Named;
use crate::config::network::IpNetwork;
use crate::config::notes::Notes;
use crate::config::settings::{
    SIP_PORT, SIPS_PORT, TlsSettings, TransportProtocol, TransportSettings,
};
use crate::config::socket_options::{SocketOptions, TcpKeepalive, type_of_service};
use crate::config::value::{ip_address, list, parsed, socket_address};

/// The transports of the file: those that can listen, and the names of those that can't yet.
#[derive(Default)]
pub(super) struct Transports {
    listening: Named<TransportSettings>,
    left_out: Vec<bstr::BString>,
    given: bool,
}

/// What a peer's `transport=` refers to.
pub(super) enum Reference {
    Listening,
    LeftOut,
    Nothing,
}

impl Transports {
    pub(super) fn find(&self, name: &BStr) -> Reference {
        if self.listening.get(name).is_some() {
            Reference::Listening
        } else if self.left_out.iter().any(|left_out| left_out == name) {
            Reference::LeftOut
        } else {
            Reference::Nothing
        }
    }

    /// The transports to listen on; `None` when the file names none, so that the default counts.
    pub(super) fn listening(self) -> Option<Vec<TransportSettings>> {
        self.given.then(|| self.listening.iter().cloned().collect())
    }
}

pub(super) fn read(
    objects: &Objects<'_>,
    #[cfg_attr(not(feature = "net"), expect(unused_variables, reason = "certificates need `net`"))]
    surroundings: Surroundings<'_>,
    notes: &mut Notes,
) -> Transports {
    let mut transports = Transports::default();
    let mut first = None;
    for section in objects.of("transport") {
        first = first.or(Some(section.header));
        transports.given = true;
        let mut transport = TransportSettings {
            name: section.name().to_owned(),
            protocol: TransportProtocol::Udp,
            bind: SocketAddr::from((Ipv4Addr::UNSPECIFIED, SIP_PORT)),
            external_media_address: None,
            external_signaling_address: None,
            external_signaling_port: None,
            local_net: vec![],
            tls: TlsSettings::default(),
            options: SocketOptions::default(),
        };
        let (mut keepalive, mut keeps_alive) = (TcpKeepalive::default(), false);
        let mut demands = tls::Demands::default();
        let (mut later, mut bound, mut portless) = (false, false, false);
        section.each(&keys::TRANSPORT, notes, |name, mut setting| match name {
            b"type" => {}
            b"protocol" => match setting.value().to_ascii_lowercase().as_slice() {
                b"udp" => transport.protocol = TransportProtocol::Udp,
                b"tcp" => transport.protocol = TransportProtocol::Tcp,
                b"tls" => transport.protocol = TransportProtocol::Tls,
                b"ws" | b"wss" | b"flow" => {
                    later = true;
                    let protocol = setting.value().to_owned();
                    setting.later(protocol.as_ref(), "nothing listens there; use udp, tcp or tls");
                }
                _ => setting.invalid("`udp`, `tcp` or `tls`"),
            },
            b"bind" => match socket_address(setting.value(), SIP_PORT) {
                Some(address) => {
                    portless = ip_address(setting.value()).is_some();
                    (transport.bind, bound) = (address, true);
                }
                None => setting.invalid("an address with or without port, such as 0.0.0.0:5060"),
            },
            b"external_media_address" => setting.address(&mut transport.external_media_address),
            b"external_signaling_address" => {
                setting.address(&mut transport.external_signaling_address);
            }
            b"external_signaling_port" => {
                let mut port = 0_u16;
                setting.number(&mut port, 0..=65_535);
                transport.external_signaling_port = Some(port).filter(|port| *port != 0);
            }
            b"local_net" => {
                let networks: Option<Vec<_>> =
                    list(setting.value()).map(parsed::<IpNetwork>).collect();
                match networks {
                    Some(networks) => transport.local_net.extend(networks),
                    None => setting.invalid("networks, such as 192.168.0.0/16"),
                }
            }
            b"tos" => match type_of_service(setting.value()) {
                Some(octet) => transport.options.tos = Some(octet),
                None => setting.invalid("cs0 to cs7, af11 to af43, ef, or a number from 0 to 255"),
            },
            b"cos" => {
                let mut priority = 0_u8;
                setting.number(&mut priority, 0..=7);
                transport.options.cos = Some(priority);
            }
            b"tcp_keepalive_enable" => setting.yes_no(&mut keeps_alive),
            b"tcp_keepalive_idle_time" => setting.seconds(&mut keepalive.idle, 1..=32_767),
            b"tcp_keepalive_interval_time" => setting.seconds(&mut keepalive.interval, 1..=32_767),
            b"tcp_keepalive_probe_count" => setting.number(&mut keepalive.probes, 1..=127),
            _ => tls::take(name, setting, &mut transport.tls, &mut demands),
        });
        if portless && transport.protocol == TransportProtocol::Tls {
            transport.bind.set_port(SIPS_PORT);
        }
        transport.options.keepalive = keeps_alive.then_some(keepalive);
        if keeps_alive && transport.protocol == TransportProtocol::Udp {
            notes.warn(
                codes::CONTRADICTION,
                section.place_of("tcp_keepalive_enable"),
                format!("[{}] has tcp_keepalive_enable and `protocol=udp`", section.name()),
                "it has no effect",
            );
        }
        transport.tls.client_certificate = demands.client_certificate();
        if transport.protocol == TransportProtocol::Tls {
            #[cfg(feature = "net")]
            tls::check(&section, &transport.tls, surroundings.files, surroundings.now, notes);
        } else if transport.tls != TlsSettings::default() {
            notes.warn(
                codes::CONTRADICTION,
                section.header,
                format!("[{}] has settings of TLS and no `protocol=tls`", section.name()),
                "they have no effect",
            );
        }
        if transport.external_signaling_port.is_some()
            && transport.external_signaling_address.is_none()
        {
            notes.warn(
                codes::CONTRADICTION,
                section.place_of("external_signaling_port"),
                "external_signaling_port has no effect by itself".to_owned(),
                "add external_signaling_address, the address that goes with it",
            );
        }
        if later {
            transports.left_out.push(section.name().to_owned());
            continue;
        }
        // A value that is wrong has been named.
        if !bound && !section.has("bind") {
            notes.error(
                codes::SETTING_MISSING,
                section.header,
                format!("transport [{}] has no `bind`", section.name()),
                "add the address to listen on, such as bind=0.0.0.0:5060",
            );
        }
        let same = |other: &&TransportSettings| {
            (other.protocol, other.bind) == (transport.protocol, transport.bind)
        };
        if let Some(other) = transports.listening.iter().find(same)
            && bound
            && transport.bind.port() != 0
            && other.name != transport.name
        {
            notes.error(
                codes::CONTRADICTION,
                section.header,
                format!("[{}] listens where [{}] does", section.name(), other.name),
                "give one of them another address, port or protocol",
            );
        }
        insert(&mut transports.listening, transport, &section, "transport", notes);
    }
    if let Some(span) = first
        && transports.listening.is_empty()
    {
        notes.push(
            Diagnostic::error(codes::SETTING_MISSING, span, "no transport is left to listen on")
                .with_help("add a section with type=transport, protocol=udp and bind=0.0.0.0:5060"),
        );
    }
    transports
}
