//! Who is called, and whether it is ours to load.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs},
};

use diesis_engine::sip::{Transport, Uri};

/// A SIP address with the place that it resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The user; empty where only a registrar is meant.
    pub(super) user: String,
    /// The host as it was given.
    pub(super) host: String,
    pub(super) address: SocketAddr,
}

/// Why there is no target.
#[derive(Debug)]
pub(super) enum TargetError {
    Syntax,
    Transport,
    Resolution(io::Error),
}

impl std::fmt::Display for TargetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Syntax => write!(f, "expected USER@ADDRESS, ADDRESS:PORT or a SIP URI"),
            Self::Transport => write!(f, "only UDP can be loaded yet"),
            Self::Resolution(error) => write!(f, "its address is not found: {error}"),
        }
    }
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, TargetError> {
        let text = match text.starts_with("sip:") {
            true => text.to_owned(),
            false => format!("sip:{text}"),
        };
        let uri = Uri::parse(&text).map_err(|_| TargetError::Syntax)?;
        let transport = uri.parameter("transport").unwrap_or("udp");
        if Transport::parse(transport.as_bytes()) != Some(Transport::Udp) {
            return Err(TargetError::Transport);
        }
        let port = uri.as_ref().port().unwrap_or_else(|| Transport::Udp.default_port());
        let host = uri.host_str().trim_matches(['[', ']']).to_owned();
        let mut found = (&*host, port).to_socket_addrs().map_err(TargetError::Resolution)?;
        let address = found.next().ok_or(TargetError::Syntax)?;
        Ok(Self { user: uri.user().unwrap_or_default().to_owned(), host, address })
    }

    /// The Request-URI for a user there.
    pub(super) fn uri(&self, user: &str) -> Uri {
        Uri::sip_at(user.as_bytes(), self.address)
    }
}

/// Whether it can be nobody else's machine: this one, or one of a private network.
pub(super) fn is_at_home(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_at_home(v4.into()),
            None => v6.is_loopback() || v6.is_unique_local() || is_link_local(v6),
        },
    }
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_written_like_a_phone_number_or_like_a_uri() {
        for text in [
            "1000@127.0.0.1:5070",
            "sip:1000@127.0.0.1:5070",
            "sip:1000@127.0.0.1:5070;transport=UDP",
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((&*target.user, target.address), ("1000", ([127, 0, 0, 1], 5070).into()));
        }
        let registrar = Target::parse("127.0.0.1").unwrap();
        assert_eq!((&*registrar.user, registrar.address.port()), ("", 5060));
        let six = Target::parse("9@[::1]:5080").unwrap();
        assert_eq!(six.address, "[::1]:5080".parse().unwrap());
        assert_eq!(six.uri("8").as_str(), "sip:8@[::1]:5080");
    }

    #[test]
    fn what_is_no_target_says_why() {
        assert!(matches!(Target::parse("a b@c"), Err(TargetError::Syntax)));
        let tcp = Target::parse("1@127.0.0.1;transport=tcp");
        assert!(matches!(tcp, Err(TargetError::Transport)), "{tcp:?}");
    }

    #[test]
    fn only_ones_own_machines_are_at_home() {
        for own in [
            "127.8.9.1",
            "10.1.2.3",
            "192.168.0.9",
            "172.20.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_at_home(own.parse().unwrap()), "{own}");
        }
        for foreign in
            ["8.8.8.8", "172.32.0.1", "192.0.2.1", "2001:db8::1", "::ffff:8.8.8.8", "0.0.0.0"]
        {
            assert!(!is_at_home(foreign.parse().unwrap()), "{foreign}");
        }
    }
}
