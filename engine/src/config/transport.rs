//! Where SIP is spoken, as `type=transport` says: addresses, certificates, socket options.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use bstr::BString;

use super::network::IpNetwork;
use super::socket_options::SocketOptions;

/// Where SIP is spoken: one listening address with its protocol (`type=transport`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportSettings {
    /// The section's name, which `transport=` of an endpoint refers to.
    pub name: BString,
    /// UDP or TCP.
    pub protocol: TransportProtocol,
    /// The listening address. Port 0 asks the system for a free one.
    pub bind: SocketAddr,
    /// The address that peers outside `local_net` are told to send media to.
    pub external_media_address: Option<IpAddr>,
    /// The address that peers outside `local_net` are told to send SIP to.
    pub external_signaling_address: Option<IpAddr>,
    /// The port that goes with `external_signaling_address`; the bound one when absent.
    pub external_signaling_port: Option<u16>,
    /// Peers in these networks are told our own address. Empty: no peer is.
    pub local_net: Vec<IpNetwork>,
    /// What `protocol=tls` presents, trusts and speaks.
    pub tls: TlsSettings,
    /// How its packets are marked and its connections kept.
    pub options: SocketOptions,
}

impl TransportSettings {
    /// Whether a peer at `peer` is beyond the address translation, so that the external addresses
    /// are the ones it can reach. As in Asterisk, everybody is when `local_net` is empty.
    pub fn is_external(&self, peer: IpAddr) -> bool {
        !self.local_net.iter().any(|network| network.contains(peer))
    }
}

/// The protocol below SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportProtocol {
    /// Datagrams.
    Udp,
    /// Connections.
    Tcp,
    /// Connections within TLS.
    Tls,
}

/// Certificates and demands of a TLS transport. Relative paths count from the configuration
/// directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The chain that is presented: the server's certificate, then those that signed it.
    pub cert_file: Option<PathBuf>,
    /// Its key, without a passphrase; in `cert_file` when absent.
    pub priv_key_file: Option<PathBuf>,
    /// The authorities that are trusted; the system's when this and `ca_list_path` are absent.
    pub ca_list_file: Option<PathBuf>,
    /// A directory of files with such.
    pub ca_list_path: Option<PathBuf>,
    /// The versions that are spoken.
    pub versions: TlsVersions,
    /// The cipher suites by their IANA names, best first; all that are safe when empty.
    pub ciphers: Vec<String>,
    /// Whether those who connect must show a certificate.
    pub client_certificate: ClientCertificate,
    /// Whether those we connect to must show a trusted certificate for their domain. As in Asterisk
    /// they need not unless `verify_server=yes`.
    pub verify_server: bool,
    /// Whether such a certificate may name `*.example.com`: `allow_wildcard_certs`.
    pub allow_wildcards: bool,
}

/// The versions of TLS that are spoken (`method`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Any,
    /// 1.2 alone.
    Tls12,
    /// 1.3 alone.
    Tls13,
}

/// What is asked of those who connect (`verify_client`, `require_client_cert`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No certificate.
    #[default]
    NotAsked,
    /// A certificate that they show must be trusted.
    Verified,
    /// They must show a trusted one.
    Required,
}

/// The port of SIP over UDP and TCP (RFC 3261 §19.1.2).
pub const SIP_PORT: u16 = 5060;

/// The port of SIP over TLS (RFC 3261 §19.1.2).
pub const SIPS_PORT: u16 = 5061;
