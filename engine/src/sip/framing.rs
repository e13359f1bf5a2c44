//! Cuts a byte stream into messages (RFC 3261 §18.3, §7.5) and watches over slow senders.
//!
//! Also finds keep-alives (RFC 5626 §4.4.1). Nothing is parsed here but what is needed to find the
//! end of a message; `parse` gets each message whole. The buffer never outgrows the message limit:
//! a message that claims more is refused by its head alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};

use super::grammar;
use super::header::HeaderName;
use super::parse::{self, Limits, ParseError, ParseErrorKind};

/// How long a stream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamTimeouts {
    /// From the first byte of a message to its last, and from the opening of the connection to its
    /// first whole message. 30 s: a sender slower than this holds the connection to hold it.
    pub message: Duration,
    /// Without any message or keep-alive. 65 minutes: longer than a registration of one hour.
    pub idle: Duration,
}

impl Default for StreamTimeouts {
    fn default() -> Self {
        Self { message: Duration::from_secs(30), idle: Duration::from_secs(65 * 60) }
    }
}

/// What came out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one whole message, to be parsed.
    Message(Bytes),
    /// The peer asks for a sign of life: send [`PONG`].
    Ping,
    /// The stream cannot be read on. Send the error's response, if it has one, and close.
    Broken(ParseError),
    /// The peer is too slow or silent for too long. Close.
    TimedOut,
}

/// The answer to [`Frame::Ping`] (RFC 5626 §4.4.1).
pub const PONG: &[u8] = b"\r\n";

/// The reading side of one connection.
///
/// Feed it with [`Framing::handle_bytes`], then take frames until there is none.
#[derive(Debug)]
pub struct Framing {
    limits: Limits,
    timeouts: StreamTimeouts,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no end of a head.
    scanned: usize,
    /// Whole length of the message at the front, once its head is there.
    expected: Option<usize>,
    frames: VecDeque<Frame>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between messages.
    Idle { deadline: Instant },
    /// Within a message, or before the first.
    Reading { deadline: Instant },
    /// Broken or timed out: nothing is read any more.
    Closed,
}

impl Framing {
    /// The reading side of a connection opened now.
    pub fn new(limits: Limits, timeouts: StreamTimeouts, now: Instant) -> Self {
        Self {
            limits,
            timeouts,
            buffer: BytesMut::new(),
            scanned: 0,
            expected: None,
            frames: VecDeque::new(),
            state: State::Reading { deadline: now + timeouts.message },
        }
    }

    /// Takes bytes as they arrive, in pieces of any size.
    pub fn handle_bytes(&mut self, mut bytes: &[u8], now: Instant) {
        // Taken in steps, so that a large read cannot push the buffer beyond its bound.
        while !bytes.is_empty() && self.state != State::Closed {
            let room = self.limits.message.saturating_sub(self.buffer.len()).max(1);
            let (taken, rest) = bytes.split_at(room.min(bytes.len()));
            bytes = rest;
            self.buffer.extend_from_slice(taken);
            self.cut(now);
        }
    }

    /// Closes what is overdue.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.close(Frame::TimedOut);
        }
    }

    /// The next thing found in the stream.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// When to call [`Framing::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Idle { deadline } | State::Reading { deadline } => Some(deadline),
            State::Closed => None,
        }
    }

    fn cut(&mut self, now: Instant) {
        loop {
            if self.expected.is_none() {
                self.skip_line_ends(now);
                if self.buffer.is_empty() || self.buffer.starts_with(b"\r") {
                    return;
                }
                if let State::Idle { .. } = self.state {
                    self.state = State::Reading { deadline: now + self.timeouts.message };
                }
                match self.find_head() {
                    Step::More => return,
                    Step::Broken(error) => return self.close(Frame::Broken(error)),
                    Step::Length(length) => self.expected = Some(length),
                }
            }
            let Some(length) = self.expected.filter(|&length| self.buffer.len() >= length) else {
                return;
            };
            let message = self.buffer.split_to(length).freeze();
            self.frames.push_back(Frame::Message(message));
            self.expected = None;
            self.scanned = 0;
            self.state = State::Idle { deadline: now + self.timeouts.idle };
        }
    }

    /// Takes line ends off the front: two are a ping, one a pong or a habit.
    fn skip_line_ends(&mut self, now: Instant) {
        while self.scanned == 0 {
            if self.buffer.starts_with(b"\r\n\r\n") {
                self.buffer.advance(4);
                // One unanswered ping is enough; a stream of nothing else is not worth a queue.
                if self.frames.back() != Some(&Frame::Ping) {
                    self.frames.push_back(Frame::Ping);
                }
            } else if b"\r\n\r\n".starts_with(&self.buffer) {
                // Perhaps the first half of a ping, or all of a pong: the rest will tell.
                return self.touch(now);
            } else if self.buffer.first().is_some_and(|b| b"\r\n".contains(b)) {
                self.buffer.advance(1);
            } else {
                return;
            }
            self.touch(now);
        }
    }

    /// A keep-alive prolongs an idle connection, but not the wait for its first message.
    fn touch(&mut self, now: Instant) {
        if let State::Idle { deadline } = &mut self.state {
            *deadline = now + self.timeouts.idle;
        }
    }

    fn find_head(&mut self) -> Step {
        let bytes = &self.buffer[..];
        // At once: the same however the stream was cut, and nothing is waited for.
        if !could_begin_a_message(bytes) {
            return Step::Broken(ParseError::drop(ParseErrorKind::NotSip));
        }
        let mut at = self.scanned;
        let end = loop {
            let Some(feed) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\n', rest)) else {
                break None;
            };
            let next = at + feed + 1;
            match bytes.get(next..) {
                Some([b'\n', ..]) => break Some(next + 1),
                Some([b'\r', b'\n', ..]) => break Some(next + 2),
                // The line end that would end the head is not all here yet.
                Some([] | [b'\r']) | None => break None,
                Some(_) => at = next,
            }
        };
        self.scanned = at;
        let Some(end) = end else {
            if bytes.len() >= self.limits.message {
                return Step::Broken(parse::refuse_oversized(Bytes::new(), &self.limits));
            }
            return Step::More;
        };
        let head = &bytes[..end];
        let length = match content_length(head) {
            Ok(length) => end.saturating_add(length),
            // The parser says the same of this head, and why.
            Err(InvalidLength) => end,
        };
        if length > self.limits.message {
            let head = Bytes::copy_from_slice(head);
            return Step::Broken(parse::refuse_oversized(head, &self.limits));
        }
        if content_length(head).is_err() || !is_sip(head) {
            let head = Bytes::copy_from_slice(head);
            return match parse::parse(head, &self.limits) {
                Err(error) => Step::Broken(error),
                Ok(_) => Step::Length(length),
            };
        }
        Step::Length(length)
    }

    fn close(&mut self, frame: Frame) {
        self.state = State::Closed;
        self.buffer = BytesMut::new();
        self.frames.push_back(frame);
    }
}

enum Step {
    More,
    Length(usize),
    Broken(ParseError),
}

struct InvalidLength;

/// Reads Content-Length as the parser does: any spelling of the name, folded or not, once.
///
/// Without one the body is empty: RFC 3261 §18.3 wants it on streams, but nothing else can be meant.
fn content_length(head: &[u8]) -> Result<usize, InvalidLength> {
    let mut found = None;
    let mut lines = head.split(|&b| b == b'\n').skip(1).peekable();
    while let Some(line) = lines.next() {
        let mut value = match parse::header_name(line) {
            Some((name, value)) if is_length(&line[..name]) => line[value..].trim_ascii().to_vec(),
            _ => continue,
        };
        while let Some(more) =
            lines.next_if(|line| line.starts_with(b" ") || line.starts_with(b"\t"))
        {
            value.push(b' ');
            value.extend_from_slice(more.trim_ascii());
        }
        let number = grammar::number(value.trim_ascii()).and_then(|n| usize::try_from(n).ok());
        if found.replace(number.ok_or(InvalidLength)?).is_some() {
            return Err(InvalidLength);
        }
    }
    Ok(found.unwrap_or(0))
}

fn is_length(name: &[u8]) -> bool {
    HeaderName::parse(name) == HeaderName::ContentLength
}

/// Whether the first line is a request or status line of some SIP version.
fn is_sip(head: &[u8]) -> bool {
    let line = head.split(|&b| b == b'\n').next().unwrap_or_default();
    line.starts_with(b"SIP/") || line.windows(5).any(|part| part.eq_ignore_ascii_case(b" SIP/"))
}

/// Whether the first byte can be that of a method or a status line; a TLS hello is not.
fn could_begin_a_message(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|&b| grammar::is_token_byte(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Message, StatusCode};

    #[allow(clippy::disallowed_methods, reason = "the one clock of these tests")]
    fn clock() -> Instant {
        Instant::now()
    }

    fn message(body: &str) -> String {
        format!(
            "MESSAGE sip:a@h SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n\
             From: sip:b@h;tag=1\r\nTo: sip:a@h\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n\
             Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn framing(now: Instant) -> Framing {
        Framing::new(Limits::default(), StreamTimeouts::default(), now)
    }

    fn frames(framing: &mut Framing) -> Vec<Frame> {
        std::iter::from_fn(|| framing.poll_frame()).collect()
    }

    #[test]
    fn messages_are_found_however_the_stream_is_cut() {
        let now = clock();
        let (one, two) = (message("first\r\n\r\n"), message(""));
        let stream = format!("{one}\r\n{two}\r\n\r\n{one}");
        for size in [1, 2, 3, 7, 64, 1000, stream.len()] {
            let mut framing = framing(now);
            for piece in stream.as_bytes().chunks(size) {
                framing.handle_bytes(piece, now);
            }
            let expected = [
                Frame::Message(one.clone().into()),
                Frame::Message(two.clone().into()),
                Frame::Ping,
                Frame::Message(one.clone().into()),
            ];
            assert_eq!(frames(&mut framing), expected, "pieces of {size}");
        }
    }

    #[test]
    fn slow_message_is_cut_30_s_after_its_first_byte() {
        let start = clock();
        let mut framing = framing(start);
        framing.handle_bytes(message("").as_bytes(), start);
        assert!(matches!(framing.poll_frame(), Some(Frame::Message(_))));
        let first_byte = start + Duration::from_secs(100);
        framing.handle_bytes(b"INVITE", first_byte);
        framing.handle_bytes(b" sip:", first_byte + Duration::from_secs(20));
        assert_eq!(framing.poll_timeout(), Some(first_byte + Duration::from_secs(30)));
        framing.handle_timeout(first_byte + Duration::from_secs(30));
        assert_eq!(frames(&mut framing), [Frame::TimedOut]);
        assert_eq!(framing.poll_timeout(), None);
    }

    #[test]
    fn keep_alives_do_not_prolong_the_wait_for_the_first_message() {
        let start = clock();
        let mut framing = framing(start);
        framing.handle_bytes(b"\r\n\r\n", start + Duration::from_secs(20));
        assert_eq!(framing.poll_timeout(), Some(start + Duration::from_secs(30)));
    }

    #[test]
    fn claimed_length_beyond_the_limit_is_refused_by_the_head() {
        let now = clock();
        let mut framing = framing(now);
        let head = message("").replace("Length: 0", "Length: 104857600");
        framing.handle_bytes(head.as_bytes(), now);
        let Some(Frame::Broken(error)) = framing.poll_frame() else { panic!("taken") };
        assert_eq!(error.status(), Some(StatusCode::REQUEST_ENTITY_TOO_LARGE));
        framing.handle_bytes(&[b'x'; 100_000], now);
        assert_eq!(framing.poll_frame(), None);
        assert_eq!(framing.buffer.capacity(), 0);
    }

    #[test]
    fn malformed_length_is_answered_400_and_ends_the_stream() {
        let now = clock();
        for length in ["-999", "1x", "99999999999999999999999", "5\r\nl: 6", ""] {
            let mut framing = framing(now);
            let text = message("").replace("Length: 0", &format!("Length: {length}"));
            framing.handle_bytes(text.as_bytes(), now);
            let Some(Frame::Broken(error)) = framing.poll_frame() else { panic!("{length}") };
            assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST), "{length}");
        }
    }

    #[test]
    fn folded_length_means_the_same_to_framing_and_parser() {
        let now = clock();
        let mut framing = framing(now);
        let text = message("body").replace("Length: 4", "Length :\r\n\t4 ");
        framing.handle_bytes(text.as_bytes(), now);
        let Some(Frame::Message(bytes)) = framing.poll_frame() else { panic!("not found") };
        let message = Message::parse(bytes, &Limits::default()).unwrap();
        assert_eq!(message.body().as_ref(), b"body");
    }

    #[test]
    fn other_protocols_end_the_stream_without_an_answer() {
        let now = clock();
        for bytes in [&b"\x16\x03\x01\x02\x00"[..], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
            let mut framing = framing(now);
            framing.handle_bytes(bytes, now);
            let Some(Frame::Broken(error)) = framing.poll_frame() else { panic!("taken") };
            assert_eq!((error.kind(), error.status()), (ParseErrorKind::NotSip, None));
        }
        let mut framing = framing(now);
        framing.handle_bytes(&[b'a'; 70_000], now);
        let Some(Frame::Broken(error)) = framing.poll_frame() else { panic!("taken") };
        assert_eq!(error.kind(), ParseErrorKind::TooLarge);
    }
}
