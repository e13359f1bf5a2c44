//! A phone of our own on real sockets: one call, its SIP, its RTP and its RTCP, and everything that
//! came of them, by the packet.

mod description;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use self::description::{Answer, Offer};
use crate::loopback::CALLER;
use crate::rtp::RtpPacket;

/// A phone within a call.
#[derive(Debug)]
pub struct Phone {
    sip: UdpSocket,
    server: SocketAddr,
    number: String,
    call_id: String,
    /// With `;tag=`, once known.
    remote_tag: String,
    cseq: u32,
    version: u32,
    media: Media,
    answer: Answer,
    has_ended: bool,
    requests: Vec<String>,
    responses: Vec<String>,
}

/// The two sockets, and what came.
#[derive(Debug)]
struct Media {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    heard: Vec<Heard>,
    reports: Vec<Vec<u8>>,
}

/// A packet that came.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When it was read.
    pub at: Instant,
    /// Who sent it.
    pub from: SocketAddr,
    /// What it is.
    pub packet: RtpPacket,
}

impl Phone {
    /// Calls a number of the engine at `server` and waits for the answer.
    ///
    /// # Panics
    /// When the call is refused, or is not answered.
    #[must_use]
    pub fn call(server: SocketAddr, number: &str, offer: &Offer) -> Self {
        Self::call_from(CALLER, server, number, offer)
    }

    /// The same from another address of loopback.
    ///
    /// # Panics
    /// As [`Self::call`].
    #[must_use]
    pub fn call_from(ip: IpAddr, server: SocketAddr, number: &str, offer: &Offer) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let call = NEXT.fetch_add(1, Ordering::Relaxed);
        let sip = UdpSocket::bind(SocketAddr::new(ip, 0)).expect("a port is free");
        sip.set_nonblocking(true).expect("a socket can be asked without waiting");
        let media = Media::new(ip);
        let mut phone = Self {
            sip,
            server,
            number: number.to_owned(),
            call_id: format!("{}-{call}", std::process::id()),
            remote_tag: String::new(),
            cseq: 0,
            version: 0,
            media,
            answer: Answer { media: server, payload_types: Vec::new(), text: String::new() },
            has_ended: false,
            requests: Vec::new(),
            responses: Vec::new(),
        };
        phone.offer(offer);
        phone
    }

    /// Offers something else within the call (re-INVITE) and waits for the answer.
    ///
    /// # Panics
    /// When it is refused, or is not answered.
    pub fn offer(&mut self, offer: &Offer) -> &Answer {
        self.version += 1;
        let body = offer.write(self.local_media(), self.version);
        let response = self.request("INVITE", "application/sdp", &body);
        assert!(response.starts_with("SIP/2.0 200"), "{response}");
        self.answer = Answer::parse(&response).expect("an answer with audio");
        &self.answer
    }

    /// Takes other ports for media; the next offer says so. Gives the old ones.
    pub fn move_media(&mut self) -> (UdpSocket, UdpSocket) {
        let new = Media::new(self.local_media().ip());
        let old = std::mem::replace(&mut self.media, new);
        self.media.heard = old.heard;
        self.media.reports = old.reports;
        (old.rtp, old.rtcp)
    }

    /// Sends a request within the dialog and waits for its final response; an INVITE's is
    /// acknowledged.
    ///
    /// # Panics
    /// When none comes.
    pub fn request(&mut self, method: &str, content_type: &str, body: &str) -> String {
        self.cseq += 1;
        let cseq = format!("{} {method}", self.cseq);
        let text = self.compose(method, &cseq, content_type, body);
        let deadline = Instant::now() + PATIENCE;
        // T1 and once more each 500 ms: the sockets' buffers may be full of media.
        let mut resend = Instant::now();
        loop {
            if Instant::now() >= resend {
                self.tell(&text);
                resend += Duration::from_millis(500);
            }
            live(&mut [self], resend);
            let mut responses = std::mem::take(&mut self.responses).into_iter();
            let is_final = |response: &String| {
                !response.starts_with("SIP/2.0 1") && field(response, "CSeq") == Some(&cseq)
            };
            if let Some(response) = responses.find(is_final) {
                if method == "INVITE" {
                    let tag = field(&response, "To").and_then(|to| to.split_once(";tag="));
                    let tag = tag.map(|(_, tag)| tag.split(';').next().unwrap_or(tag));
                    self.remote_tag = format!(";tag={}", tag.expect("the answer has a tag"));
                    let ack = self.compose("ACK", &format!("{} ACK", self.cseq), "", "");
                    self.tell(&ack);
                }
                return response;
            }
            assert!(Instant::now() < deadline, "no answer to\n{text}");
        }
    }

    fn compose(&self, method: &str, cseq: &str, content_type: &str, body: &str) -> String {
        let (server, number) = (self.server, &self.number);
        let local = self.sip.local_addr().expect("the socket is bound");
        let branch = format!("z9hG4bK{}-{}-{method}", self.call_id, self.cseq);
        let content = match content_type {
            "" => String::new(),
            content_type => format!("Content-Type: {content_type}\r\n"),
        };
        format!(
            "{method} sip:{number}@{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:phone@{local}>;tag=phone\r\nTo: <sip:{number}@{server}>{}\r\n\
             Call-ID: {}\r\nCSeq: {cseq}\r\nContact: <sip:phone@{local}>\r\n\
             {content}Content-Length: {}\r\n\r\n{body}",
            self.remote_tag,
            self.call_id,
            body.len()
        )
    }

    fn tell(&self, text: &str) {
        let sent = self.sip.send_to(text.as_bytes(), self.server);
        assert!(sent.is_ok(), "the loopback network takes it: {sent:?}");
    }

    /// Hangs up.
    ///
    /// # Panics
    /// When nobody answers.
    pub fn hang_up(&mut self) {
        let response = self.request("BYE", "", "");
        assert!(response.starts_with("SIP/2.0 200"), "{response}");
        self.has_ended = true;
    }

    /// What the call is called in SIP.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Whether the call is over.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// What the far end answered last.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Where it wants its media.
    #[must_use]
    pub fn local_media(&self) -> SocketAddr {
        self.media.rtp.local_addr().expect("the socket is bound")
    }

    /// The socket of its media, for what is not RTP.
    #[must_use]
    pub fn rtp_socket(&self) -> &UdpSocket {
        &self.media.rtp
    }

    /// Sends to the engine's media port.
    pub fn send(&self, packet: &RtpPacket) {
        self.send_octets(&packet.write());
    }

    /// The same, whatever it is.
    pub fn send_octets(&self, octets: &[u8]) {
        // A full buffer on the way is a loss like any other.
        let _ = self.media.rtp.send_to(octets, self.answer.media);
    }

    /// Sends to the port above it.
    pub fn send_report(&self, octets: &[u8]) {
        let mut to = self.answer.media;
        to.set_port(to.port() + 1);
        let _ = self.media.rtcp.send_to(octets, to);
    }

    /// Every RTP packet that came so far.
    #[must_use]
    pub fn heard(&self) -> &[Heard] {
        &self.media.heard
    }

    /// The packets themselves, from a place on.
    pub fn packets(&self, from: usize) -> impl Iterator<Item = &RtpPacket> {
        self.media.heard.iter().skip(from).map(|heard| &heard.packet)
    }

    /// Every RTCP datagram that came so far.
    #[must_use]
    pub fn reports(&self) -> &[Vec<u8>] {
        &self.media.reports
    }

    /// The requests of the far end so far; all were answered with 200.
    #[must_use]
    pub fn requests(&self) -> &[String] {
        &self.requests
    }

    /// Lives on for so many frames of 20 ms, doing something at the beginning of each.
    pub fn run(&mut self, frames: usize, mut each: impl FnMut(&mut Self, usize)) {
        self.run_until(frames, |phone, frame| {
            each(phone, frame);
            ControlFlow::Continue(())
        });
    }

    /// The same until `each` breaks off; gives the number of frames.
    pub fn run_until(
        &mut self,
        most: usize,
        mut each: impl FnMut(&mut Self, usize) -> ControlFlow<()>,
    ) -> usize {
        run_all_until(&mut [self], most, |phones, frame| each(phones[0], frame))
    }

    /// Takes in what was still on its way to a socket that its media left, before the packet `place`
    /// of what it [heard](Self::heard).
    pub fn hear_late(&mut self, left: &UdpSocket, place: usize) {
        let late = packets_of(left);
        self.media.heard.splice(place..place, late);
    }

    /// Reads everything that waits on its sockets.
    fn read(&mut self) {
        let packets = packets_of(&self.media.rtp);
        self.media.heard.extend(packets);
        let mut buffer = [0; 4096];
        while let Ok((length, _)) = self.media.rtcp.recv_from(&mut buffer) {
            self.media.reports.push(buffer[..length].to_vec());
        }
        while let Ok((length, from)) = self.sip.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with("SIP/2.0") {
                self.responses.push(text);
            } else if !text.starts_with("ACK") {
                self.answer_request(&text, from);
            }
        }
    }

    fn answer_request(&mut self, request: &str, from: SocketAddr) {
        let is_copied = |line: &&str| {
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
        };
        let head = request.split("\r\n\r\n").next().unwrap_or_default();
        let copied: String =
            head.lines().filter(is_copied).map(|line| format!("{line}\r\n")).collect();
        let response = format!("SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n");
        let _ = self.sip.send_to(response.as_bytes(), from);
        self.has_ended |= request.starts_with("BYE");
        if !self.requests.iter().any(|known| known == request) {
            self.requests.push(request.to_owned());
        }
    }
}

/// Lives on with several phones at once for so many frames of 20 ms.
pub fn run_all(
    phones: &mut [&mut Phone],
    frames: usize,
    mut each: impl FnMut(&mut [&mut Phone], usize),
) {
    run_all_until(phones, frames, |phones, frame| {
        each(phones, frame);
        ControlFlow::Continue(())
    });
}

/// The same until `each` breaks off; gives the number of frames.
pub fn run_all_until(
    phones: &mut [&mut Phone],
    most: usize,
    mut each: impl FnMut(&mut [&mut Phone], usize) -> ControlFlow<()>,
) -> usize {
    let start = Instant::now();
    for frame in 0..most {
        if each(phones, frame).is_break() {
            return frame;
        }
        let end = start + Duration::from_millis(20 * (frame as u64 + 1));
        while live(phones, end) {}
    }
    most
}

/// Waits until something arrives, and reads it; gives whether there is time left until `end`.
fn live(phones: &mut [&mut Phone], end: Instant) -> bool {
    let left = end.saturating_duration_since(Instant::now());
    let sockets = phones.iter().flat_map(|phone| [&phone.sip, &phone.media.rtp, &phone.media.rtcp]);
    let mut waiting: Vec<_> = sockets.map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
    let timeout = Timespec::try_from(left).expect("a moment fits");
    // Interrupted or not: what is there is read, and the clock is looked at.
    let _ = poll(&mut waiting, Some(&timeout));
    drop(waiting);
    for phone in phones.iter_mut() {
        phone.read();
    }
    !left.is_zero()
}

impl Media {
    /// An even port and the one above it.
    fn new(ip: IpAddr) -> Self {
        let pair = (0..200).find_map(|_| {
            let rtp = UdpSocket::bind(SocketAddr::new(ip, 0)).ok()?;
            let port = rtp.local_addr().ok()?.port();
            let above = port.checked_add(1).filter(|_| port % 2 == 0)?;
            let rtcp = UdpSocket::bind(SocketAddr::new(ip, above)).ok()?;
            Some((rtp, rtcp))
        });
        let (rtp, rtcp) = pair.expect("two ports in a row are free");
        for socket in [&rtp, &rtcp] {
            socket.set_nonblocking(true).expect("a socket can be asked without waiting");
        }
        Self { rtp, rtcp, heard: Vec::new(), reports: Vec::new() }
    }
}

/// Everything that waits on a socket of RTP.
fn packets_of(socket: &UdpSocket) -> Vec<Heard> {
    let mut buffer = [0; 4096];
    let mut packets = Vec::new();
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if let Some(packet) = RtpPacket::parse(&buffer[..length]) {
            packets.push(Heard { at: Instant::now(), from, packet });
        }
    }
    packets
}

/// The value of a header.
fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':').map(str::trim);
    message.lines().take_while(|line| !line.is_empty()).find_map(value)
}

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
