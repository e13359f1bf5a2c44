//! A caller of a few lines: many calls from one socket, none of which costs a thread or a port.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// Calls from one socket. Its media goes to one more port, where nobody listens.
#[derive(Debug)]
pub struct Caller {
    signalling: UdpSocket,
    /// Takes what all the calls' media is, unread: a full buffer costs the sender nothing.
    media: UdpSocket,
    server: SocketAddr,
    calls: u32,
}

impl Caller {
    /// A caller of `server`, on ports of its own.
    pub fn new(server: SocketAddr) -> io::Result<Self> {
        let signalling = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        signalling.set_read_timeout(Some(Duration::from_millis(500)))?;
        let media = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self { signalling, media, server, calls: 0 })
    }

    /// Calls `extension` with an offer of G.711 and acknowledges the answer.
    ///
    /// Returns how long the answer took.
    ///
    /// # Errors
    /// When the call is refused or nothing is heard for ten seconds.
    pub fn call(&mut self, extension: &str) -> io::Result<Duration> {
        self.calls += 1;
        let (number, own, server) = (self.calls, self.signalling.local_addr()?, self.server);
        let port = self.media.local_addr()?.port();
        let body = format!(
            "v=0\r\no=- {number} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        );
        let head = |method: &str, branch: &str, to: &str| {
            format!(
                "{method} sip:{extension}@{server} SIP/2.0\r\n\
                 Via: SIP/2.0/UDP {own};branch=z9hG4bK{branch}{number};rport\r\n\
                 From: <sip:caller{number}@{own}>;tag={number}\r\nTo: {to}\r\n\
                 Call-ID: {number}@{own}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\
                 Contact: <sip:caller@{own}>\r\n"
            )
        };
        let to = format!("<sip:{extension}@{server}>");
        let invite = format!(
            "{}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            head("INVITE", "i", &to),
            body.len()
        );
        let begun = Instant::now();
        self.signalling.send_to(invite.as_bytes(), server)?;
        let answer = self.final_response(&format!("{number}@{own}"), &invite, begun)?;
        let took = begun.elapsed();
        let to = header(&answer, "To").unwrap_or(&to).to_owned();
        let ack = format!("{}Content-Length: 0\r\n\r\n", head("ACK", "a", &to));
        self.signalling.send_to(ack.as_bytes(), server)?;
        Ok(took)
    }

    fn final_response(&self, call_id: &str, invite: &str, begun: Instant) -> io::Result<String> {
        let mut buffer = [0; 4096];
        while begun.elapsed() < Duration::from_secs(10) {
            let length = match self.signalling.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.signalling.send_to(invite.as_bytes(), self.server)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let text = String::from_utf8_lossy(&buffer[..length]);
            if !text.starts_with("SIP/2.0 ") || header(&text, "Call-ID") != Some(call_id) {
                continue;
            }
            if text.starts_with("SIP/2.0 2") {
                return Ok(text.into_owned());
            }
            if !text.starts_with("SIP/2.0 1") {
                return Err(io::Error::other(format!("refused: {text}")));
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "no answer to an INVITE"))
    }
}

fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
