//! A SIP client of a few lines, for single requests that no peer program would send.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::loopback::CALLER;

/// Sends requests from one socket.
#[derive(Debug)]
pub struct SipClient {
    socket: UdpSocket,
    server: SocketAddr,
}

/// A request ready to be sent.
#[derive(Debug)]
pub struct Request<'a> {
    client: &'a SipClient,
    branch: String,
    text: String,
}

impl SipClient {
    /// A client on a port of its own.
    ///
    /// # Panics
    /// When the loopback network has no free port.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind(SocketAddr::new(CALLER, 0)).expect("a port is free");
        Self { socket, server }
    }

    /// A request outside any dialog, without credentials, from and to `user`.
    #[must_use]
    pub fn request(&self, method: &str, user: &str, extra_headers: &str) -> Request<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let local = self.socket.local_addr().expect("the socket is bound");
        let server = self.server;
        let branch = format!("z9hG4bK-{}-{number}", std::process::id());
        let text = format!(
            "{method} sip:{user}@{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}@{server}>;tag={number}\r\n\
             To: <sip:{user}@{server}>\r\n\
             Call-ID: {branch}@{local}\r\n\
             CSeq: 1 {method}\r\n\
             Contact: <sip:{user}@{local}>\r\n\
             {extra_headers}Content-Length: 0\r\n\r\n"
        );
        Request { client: self, branch, text }
    }
}

impl Request<'_> {
    /// Sends it and waits for the status of the first response to it that is not provisional.
    #[must_use]
    pub fn send(&self, limit: Duration) -> Option<u16> {
        self.send_for_text(limit).as_deref().and_then(status)
    }

    /// The same; all of that response.
    #[must_use]
    pub fn send_for_text(&self, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        self.client.socket.send_to(self.text.as_bytes(), self.client.server).ok()?;
        let mut buffer = [0; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.client.socket.set_read_timeout(Some(left)).ok()?;
            let len = self.client.socket.recv(&mut buffer).ok()?;
            let text = String::from_utf8_lossy(&buffer[..len]);
            let is_final = status(&text).is_some_and(|status| status >= 200);
            if is_final && text.contains(&self.branch) {
                return Some(text.into_owned());
            }
        }
    }
}

fn status(response: &str) -> Option<u16> {
    response.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok())
}
