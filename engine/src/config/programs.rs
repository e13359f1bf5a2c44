//! `programs.conf`, `websocket_client.conf` and `chan_websocket.conf`: programs outside that hear
//! calls and speak to them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice as _};

use super::codes;
use super::keys;
use super::network::IpNetwork;
use super::notes::Notes;
use super::secret::Secret;
use super::setting::{Block, Setting};

/// Programs outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramSettings {
    /// Where programs may be whose place comes from a variable. Default: nowhere.
    pub permitted: Arc<Permitted>,
    /// Connections by name.
    pub clients: BTreeMap<BString, Arc<WebSocketClient>>,
    /// How programs are told what happens, unless a call says otherwise. Default: plain text, as in
    /// Asterisk.
    pub messages: MessageFormat,
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

/// How messages beside the audio are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageFormat {
    /// A word and what belongs to it.
    #[default]
    PlainText,
    /// An object.
    Json,
}

impl MessageFormat {
    /// The format of a name.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"plain-text" => Some(Self::PlainText),
            b"json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A connection of `websocket_client.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketClient {
    /// `ws://` or `wss://`, host, port and path.
    pub uri: BString,
    /// What it is asked to speak, first the best. Default: nothing is asked for.
    pub protocols: Vec<String>,
    /// Who we are.
    pub username: Option<BString>,
    /// And how to know that.
    pub password: Option<Secret>,
    /// How long each try may take until it has answered. Default 500 ms, as in Asterisk.
    pub timeout: Duration,
    /// Tries beside the first. Default 4; one that stood and broke is not tried again.
    pub retries: u32,
    /// Between two tries. Default 500 ms.
    pub retry_interval: Duration,
    /// Whom it is believed from. Default: those the system trusts.
    pub authorities: Option<PathBuf>,
    /// What we present, certificate and key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl WebSocketClient {
    /// One with nothing but a place.
    pub fn new(uri: impl Into<BString>) -> Self {
        Self {
            uri: uri.into(),
            protocols: Vec::new(),
            username: None,
            password: None,
            timeout: Duration::from_millis(500),
            retries: 4,
            retry_interval: Duration::from_millis(500),
            authorities: None,
            certificate: None,
        }
    }
}

/// Reads `websocket_client.conf`. Relative files are in `directory`.
pub(super) fn read_clients(
    sections: &[Block<'_>],
    directory: Option<&Path>,
    notes: &mut Notes,
) -> BTreeMap<BString, Arc<WebSocketClient>> {
    let mut clients = BTreeMap::new();
    for section in sections {
        if section.is("general") && section.is_empty() {
            continue;
        }
        let mut client = WebSocketClient::new("");
        let (mut certificate, mut key, mut is_private) = (None, None, false);
        let file = |text: &BStr| -> Option<PathBuf> {
            let path = PathBuf::from(text.to_str().ok().filter(|text| !text.is_empty())?);
            Some(directory.map_or_else(|| path.clone(), |directory| directory.join(&path)))
        };
        section.each(&keys::WEBSOCKET_CLIENT, notes, |name, setting| match name {
            b"type" => {
                if setting.value() != "websocket_client" {
                    setting.invalid("`websocket_client`");
                }
            }
            b"connection_type" => {
                let value = setting.value();
                if value.eq_ignore_ascii_case(b"persistent") {
                    setting.invalid("`per_call_config`: a call has a connection of its own");
                } else if !value.eq_ignore_ascii_case(b"per_call_config") {
                    setting.invalid("`per_call_config`");
                }
            }
            b"uri" => {
                let value = setting.value();
                match value.starts_with(b"ws://") || value.starts_with(b"wss://") {
                    true => setting.text(&mut client.uri),
                    false => setting.invalid("ws:// or wss://, a host, perhaps a port and a path"),
                }
            }
            b"protocols" => {
                let names = setting.value().split(|byte| *byte == b',');
                let names = names.filter_map(|name| name.to_str().ok().map(str::trim));
                client.protocols =
                    names.filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect();
            }
            b"username" => setting.optional_text(&mut client.username),
            b"password" => client.password = Some(Secret::new(setting.value())),
            b"connection_timeout" => milliseconds(setting, &mut client.timeout),
            b"reconnect_interval" => milliseconds(setting, &mut client.retry_interval),
            b"reconnect_attempts" => setting.number(&mut client.retries, 0..=100),
            b"tls_enabled" => setting.yes_no(&mut is_private),
            b"ca_list_file" => client.authorities = file(setting.value()),
            b"cert_file" => certificate = file(setting.value()),
            b"priv_key_file" => key = file(setting.value()),
            _ => setting.judge(),
        });
        if client.uri.is_empty() {
            notes.error(
                codes::SETTING_MISSING,
                section.header,
                format!("[{}] has no `uri`", section.name()),
                "write where the program listens: uri = ws://127.0.0.1:8787/media",
            );
            continue;
        }
        if is_private && client.uri.starts_with(b"ws://") {
            notes.error(
                codes::VALUE_INVALID,
                section.place_of("uri"),
                format!("`tls_enabled` of [{}] and its `uri` differ", section.name()),
                "with TLS the URI begins with wss://",
            );
            continue;
        }
        client.certificate = certificate.map(|it| (it.clone(), key.unwrap_or(it)));
        clients.insert(section.name().to_owned(), Arc::new(client));
    }
    clients
}

fn milliseconds(setting: Setting<'_>, field: &mut Duration) {
    let mut number = u64::try_from(field.as_millis()).unwrap_or(u64::MAX);
    setting.number(&mut number, 10..=60_000);
    *field = Duration::from_millis(number);
}

/// Reads `chan_websocket.conf`.
pub(super) fn read_messages(sections: &[Block<'_>], notes: &mut Notes) -> MessageFormat {
    let mut messages = MessageFormat::default();
    for section in sections {
        section.each(&keys::CHAN_WEBSOCKET, notes, |name, setting| match name {
            b"control_message_format" => match MessageFormat::parse(setting.value()) {
                Some(format) => messages = format,
                None => setting.invalid("`plain-text` or `json`"),
            },
            _ => setting.judge(),
        });
    }
    messages
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
    use diesis_dialplan::conf::MemoryFiles;

    use super::*;
    use crate::config::Configuration;

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
    fn a_connection_is_read_as_asterisk_writes_it() {
        let file = "[robot]\ntype = websocket_client\nconnection_type = per_call_config\n\
                    uri = wss://robot.example:8787/media\nprotocols = media, other\n\
                    username = diesis\npassword = secret\nconnection_timeout = 700\n\
                    reconnect_interval = 100\nreconnect_attempts = 2\ntls_enabled = yes\n\
                    ca_list_file = ca.pem\nverify_server_cert = yes\n";
        let files = MemoryFiles::new().with("websocket_client.conf", file);
        let loaded = Configuration::load(&files);
        let client = &loaded.configuration.programs.clients[BStr::new("robot")];
        assert_eq!(client.uri, "wss://robot.example:8787/media");
        assert_eq!(client.protocols, ["media", "other"]);
        assert_eq!((client.timeout.as_millis(), client.retries), (700, 2));
        assert_eq!(client.authorities, Some("ca.pem".into()));
        assert!(!format!("{client:?}").contains("secret"));
        assert!(!loaded.findings().any(|it| it.to_string().contains("websocket_client.conf")));
    }

    #[test]
    fn what_can_not_be_a_connection_is_refused() {
        for (lines, said) in [
            ("type=websocket_client\n", "no `uri`"),
            ("uri=http://robot\n", "no value for `uri`"),
            ("uri=ws://robot\ntls_enabled=yes\n", "differ"),
            ("uri=ws://robot\nconnection_type=persistent\n", "connection of its own"),
            ("uri=wss://robot\nverify_server_cert=no\n", "verify_server_cert"),
            ("uri=wss://robot\nproxy_host=p\n", "proxy_host"),
        ] {
            let file = format!("[robot]\n{lines}");
            let files = MemoryFiles::new().with("websocket_client.conf", file.as_str());
            let loaded = Configuration::load(&files);
            let findings: Vec<String> = loaded.findings().map(|it| it.to_string()).collect();
            assert!(findings.iter().any(|it| it.contains(said)), "{lines}: {findings:?}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for place in ["", "robot:0", "robot:x", "a b", "*.", "http://robot", "10.0.0.0/33"] {
            assert!(Permitted::default().push(place.into()).is_none(), "{place}");
        }
    }
}
