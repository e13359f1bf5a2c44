//! A client that registers many phones from one socket, one after the other.

use std::{
    fmt::Write,
    io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use bytes::Bytes;
use diesis_engine::{
    entropy::Entropy,
    sip::{
        HeaderName, Limits, Message, Request, Response,
        auth::{Credentials, Responder, Secret},
    },
};

/// Registers phones, each with a challenge of its own: nothing is remembered between them.
#[derive(Debug)]
pub struct Registrant {
    socket: UdpSocket,
    server: SocketAddr,
    entropy: Entropy,
    requests: u32,
}

impl Registrant {
    /// A client of `server`, on a port of 127.0.0.2: who calls from 127.0.0.1 needs no password.
    pub fn new(server: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 2], 0)))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        Ok(Self { socket, server, entropy: Entropy::new(7), requests: 0 })
    }

    /// Registers one phone for an hour: a REGISTER, its challenge, a REGISTER with credentials.
    ///
    /// Returns how long the two took together.
    ///
    /// # Errors
    /// When the registration is refused or not answered.
    pub fn register(&mut self, user: &str) -> io::Result<Duration> {
        let begun = Instant::now();
        let mut request = self.request(user, 1)?;
        let challenge = self.exchange(&request)?;
        let realm = challenge
            .headers()
            .text(HeaderName::WwwAuthenticate)
            .and_then(|value| value.split("realm=\"").nth(1)?.split('"').next().map(str::to_owned))
            .ok_or_else(|| io::Error::other(format!("no challenge: {}", challenge.status())))?;
        let credentials = Credentials {
            username: user.as_bytes(),
            realm: Some(&realm),
            secret: Secret::Password(PASSWORD.as_bytes()),
        };
        request = self.request(user, 2)?;
        Responder::new()
            .answer(&challenge, &mut request, &[credentials], &mut self.entropy)
            .map_err(io::Error::other)?;
        let answer = self.exchange(&request)?;
        if !answer.status().is_success() {
            return Err(io::Error::other(format!("refused with {}", answer.status())));
        }
        Ok(begun.elapsed())
    }

    fn request(&mut self, user: &str, sequence: u32) -> io::Result<Request> {
        self.requests += 1;
        let (number, own, server) = (self.requests, self.socket.local_addr()?, self.server);
        let text = format!(
            "REGISTER sip:{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {own};branch=z9hG4bKr{number};rport\r\n\
             From: <sip:{user}@{server}>;tag={number}\r\nTo: <sip:{user}@{server}>\r\n\
             Call-ID: {number}-{user}@{own}\r\nCSeq: {sequence} REGISTER\r\nMax-Forwards: 70\r\n\
             Contact: <sip:{user}@{own}>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n"
        );
        match Message::parse(Bytes::from(text), &Limits::default()) {
            Ok(Message::Request(request)) => Ok(request),
            _ => Err(io::Error::other("an unreadable request of our own")),
        }
    }

    fn exchange(&self, request: &Request) -> io::Result<Response> {
        let bytes = request.to_bytes();
        let branch = request.headers().text(HeaderName::Via).unwrap_or_default().to_owned();
        let mut buffer = [0; 4096];
        for _ in 0..8 {
            self.socket.send(&bytes)?;
            while let Ok(length) = self.socket.recv(&mut buffer) {
                let bytes = Bytes::copy_from_slice(&buffer[..length]);
                let Ok(Message::Response(response)) = Message::parse(bytes, &Limits::default())
                else {
                    continue;
                };
                let via = response.headers().text(HeaderName::Via).unwrap_or_default();
                let is_ours = branch.split(';').find(|part| part.starts_with("branch="));
                if is_ours.is_some_and(|branch| via.contains(branch)) {
                    return Ok(response);
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "no answer to a REGISTER"))
    }
}

/// Endpoints, passwords and addresses of record of so many phones, for `pjsip.conf`.
pub fn phones(count: u32) -> String {
    let mut text = String::new();
    for n in 0..count {
        let name = user(n);
        // Formatting into a string cannot fail.
        let _ = write!(
            text,
            "[{name}]\ntype=endpoint\ncontext=bench\ndisallow=all\nallow=ulaw\nauth={name}\naors={name}\n\
             [{name}]\ntype=auth\nusername={name}\npassword={PASSWORD}\n\
             [{name}]\ntype=aor\nmax_contacts=1\n"
        );
    }
    text
}

/// The name of phone `n`.
pub fn user(n: u32) -> String {
    format!("2{n:05}")
}

const PASSWORD: &str = "a-password";
