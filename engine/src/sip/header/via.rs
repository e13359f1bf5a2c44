//! Via: the path responses take back (RFC 3261 §20.42, RFC 3581).

use std::net::{IpAddr, SocketAddr};

use super::params::unquoted;
use super::{Param, Params};
use crate::sip::grammar;
use crate::sip::uri::{self, Host};

/// One Via value, a view into the message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Via<'a> {
    transport: &'a str,
    host: &'a str,
    port: Option<u16>,
    params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value (one element of a comma-joined header).
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let rest = word(value, b"SIP")?;
        let rest = word(rest.strip_prefix(b"/")?, b"2.0")?;
        let rest = rest.strip_prefix(b"/")?.trim_ascii_start();
        let end = rest.iter().position(|&b| !grammar::is_token_byte(b))?;
        let (transport, rest) = rest.split_at_checked(end)?;
        let transport = grammar::text(transport).filter(|text| !text.is_empty())?;
        // At least one blank stands between the protocol and the sent-by.
        rest.first().filter(|b| b.is_ascii_whitespace())?;
        let rest = rest.trim_ascii_start();
        let semicolon = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at_checked(semicolon)?;
        let (host, port) = sent_by_parts(sent_by)?;
        let params = Params::parse_each(params, is_consistent)?;
        Some(Self { transport, host, port, params })
    }

    /// The transport as written: `UDP`, `TCP`, `TLS`, ..
    pub fn transport(&self) -> &'a str {
        self.transport
    }

    /// The host of the sent-by as written, IPv6 in brackets.
    pub fn host_str(&self) -> &'a str {
        self.host
    }

    /// The host of the sent-by.
    pub fn host(&self) -> Option<Host<'a>> {
        Host::parse(self.host)
    }

    /// The port of the sent-by, if written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The port of the sent-by, or the transport's default.
    pub fn port_or_default(&self) -> u16 {
        let is_tls = ["TLS", "WSS"].iter().any(|tls| self.transport.eq_ignore_ascii_case(tls));
        self.port.unwrap_or(if is_tls { 5061 } else { 5060 })
    }

    /// The branch, absent only from an RFC 2543 sender.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch")
    }

    /// The address the request was really received from.
    pub fn received(&self) -> Option<IpAddr> {
        parse_address(self.params.get("received")?)
    }

    /// Whether the sender asks for the response at its source port (RFC 3581 §3).
    pub fn has_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// The source port filled in by the receiver.
    pub fn rport(&self) -> Option<u16> {
        uri::port(self.params.get("rport")?.as_bytes())
    }

    /// The address to respond to instead of the sent-by.
    pub fn maddr(&self) -> Option<&'a str> {
        self.params.get("maddr")
    }

    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// Whether both name the same sender: host and port, defaults filled in.
    pub fn has_same_sent_by(&self, other: &Via<'_>) -> bool {
        self.host().is_some()
            && self.host() == other.host()
            && self.port_or_default() == other.port_or_default()
    }

    /// Where a response goes when the connection is gone or there was none (RFC 3261 §18.2.2,
    /// RFC 3581 §4). `None` when only a name is known.
    pub fn response_address(&self) -> Option<SocketAddr> {
        let port = self.port_or_default();
        if let Some(maddr) = self.maddr().and_then(parse_address) {
            return Some(SocketAddr::new(maddr, port));
        }
        let address = self.received().or_else(|| self.host()?.address())?;
        Some(SocketAddr::new(address, self.rport().unwrap_or(port)))
    }
}

/// Whether a parameter that the stack relies on is what it must be.
fn is_consistent(param: Param<'_>) -> bool {
    let name = param.name;
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    // Most names are told apart by their length.
    let check: fn(&[u8]) -> bool = match name.len() {
        6 if is("branch") => grammar::is_token,
        8 if is("received") => |value| grammar::text(value).and_then(parse_address).is_some(),
        5 if is("rport") => |value| value.is_empty() || uri::port(value).is_some(),
        3 if is("ttl") => |value| grammar::number(value).is_some_and(|ttl| ttl < 256),
        _ => return true,
    };
    check(unquoted(param.value.unwrap_or_default()))
}

/// An address as in `received`: IPv6 with or without brackets (RFC 5118 §4.5).
fn parse_address(text: &str) -> Option<IpAddr> {
    if text.contains(':') && !text.starts_with('[') {
        return uri::ipv6(text.as_bytes()).map(IpAddr::V6);
    }
    Host::parse(text)?.address()
}

/// Takes an expected word with blanks around it.
fn word<'a>(bytes: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = bytes.trim_ascii_start().split_at_checked(word.len())?;
    found.eq_ignore_ascii_case(word).then(|| rest.trim_ascii_start())
}

/// `host [: port]`, with blanks around the colon.
fn sent_by_parts(sent_by: &[u8]) -> Option<(&str, Option<u16>)> {
    let sent_by = grammar::trim(sent_by);
    let end = match sent_by.first()? {
        b'[' => memchr::memchr(b']', sent_by)? + 1,
        _ => memchr::memchr(b':', sent_by).unwrap_or(sent_by.len()),
    };
    let (host, rest) = sent_by.split_at_checked(end)?;
    let host = grammar::text(host.trim_ascii_end())?;
    Host::parse(host)?;
    match grammar::trim(rest) {
        [] => Some((host, None)),
        [b':', digits @ ..] => Some((host, Some(uri::port(digits.trim_ascii_start())?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_anywhere_the_grammar_allows_them() {
        let via = Via::parse(
            b"SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6.1",
        )
        .unwrap();
        assert_eq!(via.transport(), "UDP");
        assert_eq!(via.host_str(), "first.example.com");
        assert_eq!(via.port(), Some(4000));
        assert_eq!(via.branch(), Some("z9hG4bKa7c6.1"));
        assert_eq!(via.response_address(), Some("224.2.0.1:4000".parse().unwrap()));
    }

    #[test]
    fn response_goes_to_received_and_rport() {
        let via = Via::parse(b"SIP/2.0/UDP h:5070;rport=9988;received=192.0.2.1;branch=z").unwrap();
        assert_eq!(via.response_address(), Some("192.0.2.1:9988".parse().unwrap()));
        let via = Via::parse(b"SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255").unwrap();
        assert_eq!(via.response_address(), Some("[2001:db8::9:255]:5060".parse().unwrap()));
        let via = Via::parse(b"SIP/2.0/TCP name.example").unwrap();
        assert_eq!(via.response_address(), None);
    }

    #[test]
    fn malformed_values_are_refused() {
        for value in [
            &b""[..],
            b"SIP/2.0/UDP",
            b"SIP/2.0/UDP ",
            b"SIP/2.0 UDP h",
            b"SIP/7.0/UDP h",
            b"HTTP/2.0/UDP h",
            b"SIP/2.0/UDP h:99999",
            b"SIP/2.0/UDP h x",
            b"SIP/2.0/UDP 192.0.2.15;;",
            b"SIP/2.0/UDP h;branch=",
            b"SIP/2.0/UDP h;branch=a;branch=b",
            b"SIP/2.0/UDP h;received=name",
            b"SIP/2.0/UDP [2001:db8::1",
        ] {
            assert!(Via::parse(value).is_none(), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn sent_by_compares_with_defaults_filled_in() {
        let a = Via::parse(b"SIP/2.0/UDP Host.Example").unwrap();
        let b = Via::parse(b"SIP/2.0/UDP host.example:5060").unwrap();
        assert!(a.has_same_sent_by(&b));
        assert!(!a.has_same_sent_by(&Via::parse(b"SIP/2.0/UDP host.example:5061").unwrap()));
    }
}
