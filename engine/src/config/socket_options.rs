//! How the packets of a transport are marked, and how its connections are kept.

use std::time::Duration;

/// `tos`, `cos` and `tcp_keepalive_*` of a transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// The octet of type of service, or traffic class over IPv6: `tos`. `None`, the default: the
    /// system's.
    pub tos: Option<u8>,
    /// The priority of frames: `cos`. `None`, the default: the system's.
    pub cos: Option<u8>,
    /// How TCP looks after peers that are silent. `None`, the default: it does not. Within SIP,
    /// connections that we open are pinged in any case, and idle ones are cut.
    pub keepalive: Option<TcpKeepalive>,
}

/// How TCP looks after peers that are silent (`tcp_keepalive_enable=yes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpKeepalive {
    /// Silence before the first probe: `tcp_keepalive_idle_time`. 30 s.
    pub idle: Duration,
    /// Time between probes: `tcp_keepalive_interval_time`. 10 s.
    pub interval: Duration,
    /// Probes without answer that end a connection: `tcp_keepalive_probe_count`. 5.
    pub probes: u32,
}

impl Default for TcpKeepalive {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), interval: Duration::from_secs(10), probes: 5 }
    }
}

/// The octet that a name or a number of `tos` stands for.
///
/// As in Asterisk: a class selector, an assured or expedited forwarding class, or the octet itself
/// in decimal or hexadecimal digits.
pub(super) fn type_of_service(text: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
    if let Some(digits) = text.strip_prefix("0x") {
        return u8::from_str_radix(digits, 16).ok();
    }
    if let Ok(octet) = text.parse() {
        return Some(octet);
    }
    let digit = |at: usize, least: u8, most: u8| {
        let digit = text.as_bytes().get(at)?.checked_sub(b'0')?;
        (least..=most).contains(&digit).then_some(digit)
    };
    // RFC 2474 §4.2.2.2, RFC 2597 §6, RFC 3246 §2.7; two bits below are ECN's.
    let point = match (text.get(..2)?, text.len()) {
        ("ef", 2) => 46,
        ("cs", 3) => digit(2, 0, 7)? << 3,
        ("af", 4) => (digit(2, 1, 4)? << 3) | (digit(3, 1, 3)? << 1),
        _ => return None,
    };
    Some(point << 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_type_of_service_are_asterisks() {
        for (text, octet) in [
            ("ef", Some(0xb8)),
            ("CS3", Some(0x60)),
            ("af41", Some(0x88)),
            ("af13", Some(0x38)),
            ("0x68", Some(0x68)),
            ("184", Some(184)),
            ("cs8", None),
            ("af51", None),
            ("256", None),
            ("low", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(type_of_service(text.as_bytes()), octet, "{text}");
        }
    }
}
