//! `programs.conf`: programs outside that hear calls and speak to them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};

use super::codes;
use super::keys;
use super::network::IpNetwork;
use super::notes::Notes;
use super::setting::Block;

/// Programs outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramSettings {
    /// Where programs may be whose place comes from a variable. Default: nowhere.
    pub permitted: Arc<Permitted>,
}

/// Places that a variable may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permitted {
    places: Vec<(Hosts, Option<u16>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Name(BString),
    /// All names that end so, behind a dot.
    Below(BString),
    Network(IpNetwork),
}

impl Permitted {
    /// Whether a program may be at an address that its host was found to have.
    pub fn allows(&self, host: &[u8], address: SocketAddr) -> bool {
        self.places.iter().any(|(hosts, port)| {
            port.is_none_or(|port| port == address.port()) && hosts.hold(host, address.ip())
        })
    }

    fn push(&mut self, text: &BStr) -> Option<()> {
        let text = text.to_str().ok()?.trim();
        if let Ok(network) = text.parse() {
            self.places.push((Hosts::Network(network), None));
            return Some(());
        }
        let (hosts, port) = match text.rsplit_once(':') {
            Some((hosts, port)) => {
                (hosts, Some(port.parse::<u16>().ok().filter(|port| *port != 0)?))
            }
            None => (text, None),
        };
        let bare = hosts.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let hosts = match (bare.unwrap_or(hosts).parse(), hosts.strip_prefix("*.")) {
            (Ok(network), _) => Hosts::Network(network),
            (Err(_), Some(below)) => Hosts::Below(plain_name(below)?),
            (Err(_), None) => Hosts::Name(plain_name(hosts)?),
        };
        self.places.push((hosts, port));
        Some(())
    }
}

impl Hosts {
    fn hold(&self, host: &[u8], address: IpAddr) -> bool {
        match self {
            Self::Name(name) => host.eq_ignore_ascii_case(name),
            Self::Below(name) => {
                let dot = host.len().checked_sub(name.len() + 1);
                dot.is_some_and(|dot| {
                    dot > 0 && host[dot] == b'.' && host[dot + 1..].eq_ignore_ascii_case(name)
                })
            }
            Self::Network(network) => network.contains(address),
        }
    }
}

fn plain_name(name: &str) -> Option<BString> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (!name.is_empty() && name.bytes().all(is_plain)).then(|| name.into())
}

/// Reads `programs.conf`.
pub(super) fn read_permitted(sections: &[Block<'_>], notes: &mut Notes) -> Permitted {
    let mut permitted = Permitted::default();
    for section in sections {
        if !section.is("general") {
            notes.warn(
                codes::SECTION_UNKNOWN,
                section.header,
                format!("[{}] of programs.conf has no effect", section.name()),
                "there is [general] alone",
            );
            continue;
        }
        section.each(&keys::PROGRAMS, notes, |name, setting| match name {
            b"permit" => {
                if permitted.push(setting.value()).is_none() {
                    setting.invalid(
                        "a host (robot.example.com, *.example.com) or a network (10.0.0.0/8), \
                         and :port if it is to be that one",
                    );
                }
            }
            _ => setting.judge(),
        });
    }
    permitted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(places: &[&str]) -> Permitted {
        let mut permitted = Permitted::default();
        for place in places {
            assert!(permitted.push((*place).into()).is_some(), "{place}");
        }
        permitted
    }

    #[test]
    fn a_place_is_allowed_by_name_or_network_and_port() {
        let permitted =
            permitted(&["robot.example:9092", "*.lan", "10.0.0.0/8:80", "[fd00::/8]:81", "::1"]);
        let allows =
            |host: &str, address: &str| permitted.allows(host.as_bytes(), address.parse().unwrap());
        assert!(allows("Robot.example", "192.0.2.1:9092"));
        assert!(!allows("robot.example", "192.0.2.1:9093"));
        assert!(allows("a.lan", "192.0.2.1:1") && !allows("lan", "192.0.2.1:1"));
        assert!(!allows("alan", "192.0.2.1:1"));
        assert!(allows("x", "10.1.2.3:80") && !allows("x", "10.1.2.3:81"));
        assert!(allows("x", "[fd12::1]:81") && !allows("x", "[fd12::1]:80"));
        assert!(allows("x", "[::1]:5"));
        assert!(allows("x", "[::ffff:10.1.2.3]:80"));
        assert!(!Permitted::default().allows(b"localhost", "127.0.0.1:9092".parse().unwrap()));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for place in ["", "robot:0", "robot:x", "a b", "*.", "http://robot", "10.0.0.0/33"] {
            assert!(Permitted::default().push(place.into()).is_none(), "{place}");
        }
    }
}
