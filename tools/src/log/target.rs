//! How an operator writes where the log goes.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// One place that the log goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Stderr,
    File(PathBuf),
    Syslog(Server),
}

/// Who takes syslog messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// The system's own, at `/dev/log`.
    Local,
    /// One that listens on UDP.
    Udp(SocketAddr),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("/dev/log"),
            Self::Udp(address) => address.fmt(f),
        }
    }
}

/// `stderr`, `file:PATH`, `syslog`, `syslog:ADDRESS`.
pub(crate) fn target(text: &str) -> Result<Target, String> {
    match text.split_once(':') {
        None if text == "stderr" => Ok(Target::Stderr),
        None if text == "syslog" => Ok(Target::Syslog(Server::Local)),
        Some(("file", path)) if !path.is_empty() => Ok(Target::File(path.into())),
        Some(("syslog", to)) => server(to).map(Target::Syslog),
        _ => Err("expected stderr, file:PATH, syslog, or syslog:ADDRESS".to_owned()),
    }
}

/// `local`, or an IP address with or without a port.
pub(crate) fn server(text: &str) -> Result<Server, String> {
    if text == "local" || text == "/dev/log" {
        return Ok(Server::Local);
    }
    let address = text.parse::<SocketAddr>().or_else(|_| {
        let ip = text.trim_matches(['[', ']']).parse::<IpAddr>();
        ip.map(|ip| SocketAddr::new(ip, SYSLOG_PORT))
    });
    let wrong = || format!("{text:?} is neither `local` nor an IP address with or without a port");
    address.map(Server::Udp).map_err(|_| wrong())
}

/// The port of syslog over UDP (RFC 5426 §3.3).
const SYSLOG_PORT: u16 = 514;

/// What kind of program speaks (RFC 5424 §6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facility(pub(super) u8);

impl Default for Facility {
    fn default() -> Self {
        Self(3)
    }
}

/// The facilities that are for programs like this.
pub(crate) fn facility(text: &str) -> Result<Facility, String> {
    let known = [("user", 1), ("daemon", 3), ("auth", 4), ("authpriv", 10)];
    let local = text.strip_prefix("local").and_then(|digit| digit.parse::<u8>().ok());
    let local = local.filter(|digit| *digit <= 7).map(|digit| 16 + digit);
    let named = known.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    let wrong = || "expected user, daemon, auth, authpriv, or local0 to local7".to_owned();
    local.or(named).map(Facility).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_what_they_say() {
        let udp = |text: &str| Target::Syslog(Server::Udp(text.parse().unwrap()));
        for (text, expected) in [
            ("stderr", Target::Stderr),
            ("file:a:b", Target::File("a:b".into())),
            ("syslog", Target::Syslog(Server::Local)),
            ("syslog:local", Target::Syslog(Server::Local)),
            ("syslog:192.0.2.1", udp("192.0.2.1:514")),
            ("syslog:192.0.2.1:1514", udp("192.0.2.1:1514")),
            ("syslog:[2001:db8::1]:1514", udp("[2001:db8::1]:1514")),
            ("syslog:2001:db8::1", udp("[2001:db8::1]:514")),
        ] {
            assert_eq!(target(text), Ok(expected), "{text}");
        }
        for wrong in ["", "file", "file:", "stdout", "syslog:", "syslog:log.example", "udp:1.2.3.4"]
        {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn facilities_have_their_numbers() {
        assert_eq!(facility("local0"), Ok(Facility(16)));
        assert_eq!(facility("local7"), Ok(Facility(23)));
        assert_eq!(facility("daemon"), Ok(Facility::default()));
        assert!(facility("local8").is_err() && facility("kern").is_err());
    }
}
