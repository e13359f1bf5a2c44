//! Syslog: RFC 5424 over UDP (RFC 5426), and to the system's own daemon in the form that the C
//! library's `syslog` writes, which is the only one that journald takes apart.
//!
//! Nobody answers, so nobody is waited for: a daemon that is gone, or does not read, loses lines.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process,
};

use jiff::{Timestamp, tz::TimeZone};
use tracing::Level;

use super::{
    outlet::{Drain, severity},
    target::{Facility, Server},
};

/// Sends lines as syslog messages.
#[derive(Debug)]
pub(super) struct Sender {
    facility: Facility,
    host: String,
    zone: TimeZone,
    wire: Wire,
}

#[derive(Debug)]
enum Wire {
    /// `None` while nobody listens there.
    Local {
        path: PathBuf,
        socket: Option<UnixDatagram>,
    },
    Udp {
        server: SocketAddr,
        socket: UdpSocket,
    },
}

impl Sender {
    pub(super) fn new(server: Server, facility: Facility) -> io::Result<Self> {
        let wire = match server {
            Server::Local => Wire::Local { path: LOCAL.into(), socket: None },
            Server::Udp(server) => {
                let any = match server {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind::<SocketAddr>(any)?;
                socket.set_nonblocking(true)?;
                Wire::Udp { server, socket }
            }
        };
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Ok(Self { facility, host: host_name(&host), zone: TimeZone::system(), wire })
    }

    /// RFC 5424 §6: one line, no structured data.
    fn modern(&self, level: Level, line: &str, at: Timestamp) -> Vec<u8> {
        let (priority, host, pid) = (self.priority(level), &self.host, process::id());
        let at = at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
        let mut message = format!("<{priority}>1 {at} {host} diesis {pid} - - ").into_bytes();
        message.extend(plain(line));
        message.truncate(LONGEST);
        message
    }

    /// RFC 3164 §4.1 without the host, as the C library has it.
    fn traditional(&self, level: Level, line: &str, at: Timestamp) -> Vec<u8> {
        let (priority, pid) = (self.priority(level), process::id());
        let at = at.to_zoned(self.zone.clone()).strftime("%b %e %H:%M:%S").to_string();
        let mut message = format!("<{priority}>{at} diesis[{pid}]: ").into_bytes();
        message.extend(plain(line));
        message.truncate(LONGEST);
        message
    }

    fn priority(&self, level: Level) -> u8 {
        self.facility.0 * 8 + severity(level)
    }
}

impl Drain for Sender {
    const THREAD: &'static str = "diesis-syslog";

    fn write(&mut self, level: Level, line: &str) -> io::Result<()> {
        let now = Timestamp::now();
        let message = match self.wire {
            Wire::Local { .. } => self.traditional(level, line, now),
            Wire::Udp { .. } => self.modern(level, line, now),
        };
        match &mut self.wire {
            Wire::Udp { server, socket } => socket.send_to(&message, *server).map(drop),
            Wire::Local { path, socket } => {
                let connected = match socket.take() {
                    Some(connected) => connected,
                    None => connect(path)?,
                };
                // A daemon that was started anew listens on another socket.
                let sent = match connected.send(&message) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
                    Err(_) => {
                        let again = connect(path)?;
                        let sent = again.send(&message);
                        *socket = Some(again);
                        return sent.map(drop);
                    }
                    sent => sent,
                };
                *socket = Some(connected);
                sent.map(drop)
            }
        }
    }

    fn reopen(&mut self) {}
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

/// Text on one line and without control characters (RFC 5424 §8.2).
fn plain(line: &str) -> impl Iterator<Item = u8> {
    line.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte })
}

/// A host's name as the header takes it: printable ASCII without spaces, `-` for none.
fn host_name(text: &str) -> String {
    let name: String = text.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

const LOCAL: &str = "/dev/log";
/// What every receiver should take (RFC 5424 §6.1).
const LONGEST: usize = 2048;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sender(wire: Wire) -> Sender {
        Sender { facility: Facility(16), host: "pbx".to_owned(), zone: TimeZone::UTC, wire }
    }

    #[test]
    fn a_message_over_udp_is_of_rfc_5424() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let to = Server::Udp(server.local_addr().unwrap());
        let mut sender = Sender::new(to, Facility(16)).unwrap();
        sender.write(Level::WARN, "two\nlines \u{e9}").unwrap();
        let mut buffer = [0; 4096];
        let length = server.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        let words: Vec<&str> = text.split(' ').collect();
        assert_eq!((words[0], words[3]), ("<132>1", "diesis"));
        words[1].parse::<Timestamp>().unwrap();
        assert!(text.ends_with(" - - two lines \u{e9}"), "{text}");
    }

    #[test]
    fn a_local_daemon_may_come_and_go() {
        let path = std::env::temp_dir().join(format!("diesis-log-{}", process::id()));
        let _ = fs::remove_file(&path);
        let mut sender = sender(Wire::Local { path: path.clone(), socket: None });
        assert!(sender.write(Level::INFO, "nobody").is_err());
        for said in ["one", "two"] {
            let daemon = UnixDatagram::bind(&path).unwrap();
            daemon.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            sender.write(Level::INFO, said).unwrap();
            let mut buffer = [0; 256];
            let length = daemon.recv(&mut buffer).unwrap();
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            assert!(text.starts_with("<134>") && text.ends_with(&format!("]: {said}")), "{text}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_daemon_that_does_not_read_is_not_waited_for() {
        let path = std::env::temp_dir().join(format!("diesis-slow-{}", process::id()));
        let _ = fs::remove_file(&path);
        let _daemon = UnixDatagram::bind(&path).unwrap();
        let mut sender = sender(Wire::Local { path: path.clone(), socket: None });
        let lost = (0..10_000).filter(|_| sender.write(Level::INFO, "x").is_err()).count();
        assert!(lost > 0);
        fs::remove_file(&path).unwrap();
    }
}
