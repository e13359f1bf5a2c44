//! Bytes to [`Message`]: one pass that indexes and checks.
//!
//! RFC 3261 §7, §25.1, with what RFC 4475 says of broken senders. Tolerant in form: folded lines,
//! blanks before the colon, compact names, bare line feeds. Strict in meaning: control characters,
//! repeated single-value headers and malformed essential headers make the message invalid, since
//! another reader could understand it differently. All limits hold before anything is stored.

use bytes::Bytes;

use super::grammar;
use super::header::{HeaderName, MediaType, NameAddrRef, Via};
use super::headers::Headers;
use super::message::{Message, Request, Response};
use super::uri::{Scheme, UriError, UriRef};
use super::{CSeq, Method, StatusCode};

/// Bounds on a message, checked before it is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole message. 64 KiB: what one datagram can hold.
    pub message: usize,
    /// Header lines. 128: some five times what a phone sends.
    pub headers: usize,
    /// Elements of one list header over all its lines, such as Via. 64: below Max-Forwards of 70.
    pub elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 64 * 1024, headers: 128, elements: 64 }
    }
}

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    kind: ParseErrorKind,
    /// The readable part of a request that can be answered.
    request: Option<Box<Request>>,
}

/// The kinds of [`ParseError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Nothing but line ends: a keep-alive.
    #[error("keep-alive")]
    KeepAlive,
    /// Not SIP at all.
    #[error("not a sip message")]
    NotSip,
    /// A SIP version other than 2.0.
    #[error("unsupported sip version")]
    Version,
    /// The request line or status line is malformed.
    #[error("malformed start line")]
    StartLine,
    /// The Request-URI is malformed.
    #[error("malformed request uri: {0}")]
    RequestUri(UriError),
    /// A line that is no header.
    #[error("malformed header line")]
    HeaderLine,
    /// A bare control character in a header.
    #[error("control character in header")]
    ControlCharacter,
    /// An essential header is missing.
    #[error("missing {}", .0.as_str())]
    Missing(HeaderName),
    /// An essential header is malformed.
    #[error("malformed {}", .0.as_str())]
    Malformed(HeaderName),
    /// A header that may stand once is there twice.
    #[error("repeated {}", .0.as_str())]
    Repeated(HeaderName),
    /// The CSeq names another method than the request line.
    #[error("cseq method differs from the request's")]
    CSeqMethod,
    /// The message ends before its headers or its body do.
    #[error("message is cut off")]
    Truncated,
    /// More bytes, headers or list elements than allowed.
    #[error("message exceeds a limit")]
    TooLarge,
}

impl ParseError {
    /// What is wrong.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// The status to refuse with; `None` when nothing may be answered and the bytes are dropped.
    ///
    /// Only a request that is not an ACK and has a Via is answered.
    pub fn status(&self) -> Option<StatusCode> {
        self.request.as_ref()?;
        Some(match self.kind {
            ParseErrorKind::Version => StatusCode::VERSION_NOT_SUPPORTED,
            ParseErrorKind::TooLarge => StatusCode::REQUEST_ENTITY_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        })
    }

    /// What could be read of the request, when it can be answered. The headers that
    /// [`Response::to`] copies are there as they came, malformed or not.
    pub fn request(&self) -> Option<&Request> {
        self.request.as_deref()
    }

    /// The answer to send, when there is one, with the reason in its phrase. Stamp the source
    /// first if the transport needs it: see [`ParseError::into_request`].
    pub fn response(&self) -> Option<Response> {
        let status = self.status()?;
        let reason = format!("{} ({})", status.reason(), self.kind);
        Some(Response::to(self.request()?, status).with_reason(&reason))
    }

    /// The readable part of the request, to be stamped and answered.
    pub fn into_request(self) -> Option<Request> {
        self.request.map(|request| *request)
    }

    /// Of what nobody may be answered.
    pub(super) const fn drop(kind: ParseErrorKind) -> Self {
        Self { kind, request: None }
    }
}

/// Reads a whole message.
pub(crate) fn parse(buffer: Bytes, limits: &Limits) -> Result<Message, ParseError> {
    if buffer.len() > limits.message {
        return Err(ParseError::drop(ParseErrorKind::TooLarge));
    }
    // Line ends before the start line are ignored (RFC 3261 §7.5).
    let start = buffer.iter().position(|b| !b"\r\n".contains(b));
    let Some(start) = start else { return Err(ParseError::drop(ParseErrorKind::KeepAlive)) };
    let bytes = &buffer[..];
    let Some(line) = Line::read(bytes, start) else {
        return Err(ParseError::drop(ParseErrorKind::NotSip));
    };
    if bytes[start..].starts_with(b"SIP/") {
        parse_response(&buffer, start, line, limits).map(Message::Response)
    } else {
        parse_request(&buffer, start, line, limits).map(Message::Request)
    }
}

/// Answers for a request of which only the head is at hand, because the rest is too large to take.
pub(crate) fn refuse_oversized(head: Bytes, limits: &Limits) -> ParseError {
    match parse(head, limits) {
        Err(error) => ParseError { kind: ParseErrorKind::TooLarge, request: error.request },
        Ok(Message::Request(request)) => {
            let kind = ParseErrorKind::TooLarge;
            let answerable = *request.method() != Method::Ack;
            ParseError { kind, request: answerable.then(|| Box::new(request)) }
        }
        Ok(Message::Response(_)) => ParseError::drop(ParseErrorKind::TooLarge),
    }
}

fn parse_request(
    buffer: &Bytes,
    start: usize,
    line: Line,
    limits: &Limits,
) -> Result<Request, ParseError> {
    let text = &buffer[start..line.end];
    let request_line = RequestLine::parse(text).map_err(ParseError::drop)?;
    let mut head = Head::read(buffer, line.next, limits);
    head.check_essential(&request_line.method);
    let RequestLine { method, uri, fault } = request_line;
    let fault = fault.or(head.fault);
    let (uri, uri_parts) = match uri {
        Some((from, parsed)) => {
            let from = start + from;
            (head.headers.span_of_buffer(from, from + parsed.as_str().len()), parsed.parts())
        }
        None => {
            let unknown = UriRef::parse("sip:invalid.invalid")
                .map_err(|error| ParseError::drop(ParseErrorKind::RequestUri(error)))?;
            (head.headers.add_text(unknown.as_str().as_bytes()), unknown.parts())
        }
    };
    let (body, fault) = match (fault, head.body(buffer)) {
        (Some(fault), _) => (Bytes::new(), Some(fault)),
        (None, Some(body)) => (body, None),
        (None, None) => (Bytes::new(), Some(ParseErrorKind::Truncated)),
    };
    let is_answerable = method != Method::Ack && head.headers.value(HeaderName::Via).is_some();
    let request = Request::from_parts(method, uri, uri_parts, head.headers, body);
    match fault {
        None => Ok(request),
        Some(kind) => Err(ParseError { kind, request: is_answerable.then(|| Box::new(request)) }),
    }
}

fn parse_response(
    buffer: &Bytes,
    start: usize,
    line: Line,
    limits: &Limits,
) -> Result<Response, ParseError> {
    let text = &buffer[start..line.end];
    let version = text.get(..8).unwrap_or_default();
    if !version.eq_ignore_ascii_case(b"SIP/2.0 ") {
        return Err(ParseError::drop(ParseErrorKind::Version));
    }
    let malformed = || ParseError::drop(ParseErrorKind::StartLine);
    let code = text.get(8..11).and_then(grammar::number).ok_or_else(malformed)?;
    let status = u16::try_from(code).ok().and_then(StatusCode::new).ok_or_else(malformed)?;
    // The blank before an empty reason phrase is often forgotten.
    let reason_start = match text.get(11) {
        None => line.end,
        Some(b' ') => start + 12,
        Some(_) => return Err(malformed()),
    };
    if buffer[reason_start..line.end].iter().any(|&b| grammar::is_control(b)) {
        return Err(ParseError::drop(ParseErrorKind::ControlCharacter));
    }
    let mut head = Head::read(buffer, line.next, limits);
    head.check_present();
    if let Some(kind) = head.fault {
        return Err(ParseError::drop(kind));
    }
    let body = head.body(buffer).ok_or_else(|| ParseError::drop(ParseErrorKind::Truncated))?;
    let reason = head.headers.span_of_buffer(reason_start, line.end);
    Ok(Response::from_parts(status, reason, head.headers, body))
}

/// A request line, as far as it could be read.
struct RequestLine<'a> {
    method: Method,
    /// Where it begins in the line, and what it is.
    uri: Option<(usize, UriRef<'a>)>,
    fault: Option<ParseErrorKind>,
}

impl<'a> RequestLine<'a> {
    /// Reads the line; `Err` when this is not SIP and nobody is answered.
    fn parse(line: &'a [u8]) -> Result<Self, ParseErrorKind> {
        let method_end = memchr::memchr2(b' ', b'\t', line).ok_or(ParseErrorKind::NotSip)?;
        let method = Method::parse(&line[..method_end]).ok_or(ParseErrorKind::NotSip)?;
        let trimmed = line.trim_ascii_end();
        let version_start = memchr::memrchr2(b' ', b'\t', trimmed).map_or(0, |at| at + 1);
        let version = &trimmed[version_start..];
        if !version.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
            return Err(ParseErrorKind::NotSip);
        }
        if version_start <= method_end + 1 {
            return Ok(Self { method, uri: None, fault: Some(ParseErrorKind::StartLine) });
        }
        let uri = &line[method_end + 1..version_start - 1];
        let parsed = grammar::text(uri).ok_or(UriError::Character).and_then(UriRef::parse);
        let fault = if !version[4..].eq_ignore_ascii_case(b"2.0") {
            Some(ParseErrorKind::Version)
        } else if trimmed.len() != line.len()
            || line[method_end] != b' '
            || line[version_start - 1] != b' '
            || uri.iter().any(u8::is_ascii_whitespace)
        {
            Some(ParseErrorKind::StartLine)
        } else {
            match parsed {
                Err(error) => Some(ParseErrorKind::RequestUri(error)),
                // Embedded headers have no place here (RFC 3261 §19.1.1, table 1).
                Ok(uri) if !uri.headers_str().is_empty() => {
                    Some(ParseErrorKind::RequestUri(UriError::Header))
                }
                Ok(_) => None,
            }
        };
        let uri = parsed.ok().filter(|uri| {
            // A scheme we know nothing of is well formed; what to do with it is not ours to say.
            fault.is_none() || uri.scheme() != Scheme::Other
        });
        Ok(Self { method, uri: uri.map(|uri| (method_end + 1, uri)), fault })
    }
}

/// Where one line of the head ends.
#[derive(Clone, Copy)]
struct Line {
    /// Before the line end.
    end: usize,
    /// After the line end.
    next: usize,
}

impl Line {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let feed = at + memchr::memchr(b'\n', bytes.get(at..)?)?;
        let has_return = feed > at && bytes.get(feed - 1) == Some(&b'\r');
        Some(Self { end: feed - usize::from(has_return), next: feed + 1 })
    }
}

/// The headers as they are read, with the first fault found.
///
/// Reading goes on after a fault: the answer needs the headers that come later.
struct Head {
    headers: Headers,
    fault: Option<ParseErrorKind>,
    /// One bit per name seen.
    seen: u128,
    /// Where the body begins.
    body_start: usize,
    content_length: Option<usize>,
    /// Elements of Via, Route, Record-Route and Contact seen.
    elements: usize,
    has_star: bool,
    contacts: usize,
}

impl Head {
    fn read(buffer: &Bytes, start: usize, limits: &Limits) -> Self {
        let mut head = Self {
            headers: Headers::over(buffer.clone(), 24),
            fault: None,
            seen: 0,
            body_start: buffer.len(),
            content_length: None,
            elements: 0,
            has_star: false,
            contacts: 0,
        };
        let bytes = &buffer[..];
        let mut at = start;
        loop {
            let Some(line) = Line::read(bytes, at) else {
                head.note(ParseErrorKind::Truncated);
                break;
            };
            let has_ended = line.end == at;
            let has_room = has_ended || head.headers.len() < limits.headers;
            if !has_room || head.elements > limits.elements {
                head.note(ParseErrorKind::TooLarge);
                break;
            }
            if has_ended {
                head.body_start = line.next;
                break;
            }
            at = match bytes.get(line.next) {
                Some(b' ' | b'\t') => head.read_folded(bytes, at, line),
                _ => {
                    head.read_header(bytes, at, line.end);
                    line.next
                }
            };
        }
        head
    }

    /// Reads the header in one line.
    fn read_header(&mut self, bytes: &[u8], start: usize, end: usize) {
        let line = &bytes[start..end];
        let Some((name, value_start)) = header_name(line) else {
            return self.note(ParseErrorKind::HeaderLine);
        };
        let rest = line[value_start..].trim_ascii_start();
        let value_start = end - rest.len();
        let value = rest.trim_ascii_end();
        if let Some(known) = self.admit(&line[..name], value) {
            let value = (value_start, value_start + value.len());
            self.headers.index(known, (start, start + name), value);
        }
    }

    /// Reads a header that goes on in the next lines; returns where the next header begins.
    #[cold]
    fn read_folded(&mut self, bytes: &[u8], start: usize, first: Line) -> usize {
        let mut unfolded = bytes[start..first.end].to_vec();
        let mut line = first;
        while let Some(b' ' | b'\t') = bytes.get(line.next) {
            let Some(next) = Line::read(bytes, line.next) else {
                self.note(ParseErrorKind::Truncated);
                return bytes.len();
            };
            unfolded.push(b' ');
            unfolded.extend_from_slice(bytes[line.next..next.end].trim_ascii());
            line = next;
        }
        match header_name(&unfolded) {
            Some((name, value_start)) => {
                let value = unfolded[value_start..].trim_ascii();
                if let Some(known) = self.admit(&unfolded[..name], value) {
                    self.headers.index_unfolded(known, (start, start + name), value);
                }
            }
            None => self.note(ParseErrorKind::HeaderLine),
        }
        line.next
    }

    /// Checks a header; `None` when it is at fault and not kept.
    fn admit(&mut self, name: &[u8], value: &[u8]) -> Option<HeaderName> {
        let name = HeaderName::parse(name);
        if has_bare_control(value) {
            self.note(ParseErrorKind::ControlCharacter);
            return None;
        }
        let bit = 1u128 << (name as u8);
        if name.is_single() && self.seen & bit != 0 {
            self.note(ParseErrorKind::Repeated(name));
            return None;
        }
        self.seen |= bit;
        if !self.is_well_formed(name, value) {
            self.note(ParseErrorKind::Malformed(name));
            // What a refusal copies goes back as it came, so that the sender can match it.
            return ESSENTIAL.contains(&name).then_some(name);
        }
        Some(name)
    }

    /// Whether the value is what the stack relies on. Headers that it can do without, malformed,
    /// are ignored when they are used (RFC 3261 §8.2.2), not here.
    fn is_well_formed(&mut self, name: HeaderName, value: &[u8]) -> bool {
        match name {
            HeaderName::Via => self.all_elements(value, |element| Via::parse(element).is_some()),
            HeaderName::Route | HeaderName::RecordRoute => {
                self.all_elements(value, |element| NameAddrRef::parse(element).is_some())
            }
            HeaderName::Contact => {
                for element in grammar::elements(value) {
                    self.contacts += 1;
                    self.has_star |= element == b"*";
                    if element != b"*" && NameAddrRef::parse(element).is_none() {
                        return false;
                    }
                }
                !self.has_star || self.contacts == 1
            }
            HeaderName::From | HeaderName::To => NameAddrRef::parse(value).is_some(),
            HeaderName::CallId => grammar::is_word(value),
            HeaderName::CSeq => CSeq::parse(value).is_some(),
            HeaderName::MaxForwards => grammar::number(value).is_some_and(|hops| hops <= 255),
            HeaderName::ContentType => MediaType::parse(value).is_some(),
            HeaderName::ContentLength => {
                self.content_length = grammar::number(value).and_then(|n| usize::try_from(n).ok());
                self.content_length.is_some()
            }
            _ => true,
        }
    }

    fn all_elements(&mut self, value: &[u8], check: fn(&[u8]) -> bool) -> bool {
        grammar::elements(value).all(|element| {
            self.elements += 1;
            check(element)
        })
    }

    /// Checks that everything is there that any message must have (RFC 3261 §8.1.1).
    fn check_present(&mut self) {
        for name in ESSENTIAL {
            if self.seen & (1u128 << (name as u8)) == 0 {
                self.note(ParseErrorKind::Missing(name));
            }
        }
    }

    /// Checks what a request must have besides.
    ///
    /// Max-Forwards is a MUST as well, but RFC 2543 did not know it, and its absence is harmless.
    fn check_essential(&mut self, method: &Method) {
        self.check_present();
        if let Some(value) = self.headers.value(HeaderName::CSeq) {
            let at = value.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
            if value.get(at..) != Some(method.as_str().as_bytes()) {
                self.note(ParseErrorKind::CSeqMethod);
            }
        }
    }

    /// The body; `None` when it is shorter than Content-Length says.
    ///
    /// Bytes beyond Content-Length are no part of it (RFC 3261 §18.3).
    fn body(&self, buffer: &Bytes) -> Option<Bytes> {
        let available = buffer.len() - self.body_start;
        let length = self.content_length.unwrap_or(available);
        (length <= available).then(|| buffer.slice(self.body_start..self.body_start + length))
    }

    fn note(&mut self, kind: ParseErrorKind) {
        self.fault.get_or_insert(kind);
    }
}

/// What every message must have, and every response copies.
const ESSENTIAL: [HeaderName; 5] =
    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];

/// Lengths of the name and of all up to the value, in `name blanks ":" value`.
pub(crate) fn header_name(line: &[u8]) -> Option<(usize, usize)> {
    let end = line.iter().position(|&b| !grammar::is_token_byte(b))?;
    let blanks = line[end..].iter().position(|b| !b" \t".contains(b))?;
    let colon = end + blanks;
    (end > 0 && line[colon] == b':').then_some((end, colon + 1))
}

/// Whether a control character stands anywhere but escaped in a quoted string, which is the one
/// place for it (RFC 3261 §25.1 `quoted-pair`; RFC 4475 §3.1.1.2).
fn has_bare_control(value: &[u8]) -> bool {
    // Without early exit, so that the compiler makes vector code of it.
    if !value.iter().fold(false, |found, &b| found | grammar::is_control(b)) {
        return false;
    }
    let (mut quoted, mut escaped) = (false, false);
    value.iter().any(|&b| {
        let is_fine = !grammar::is_control(b) || (quoted && escaped && !b"\r\n".contains(&b));
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        !is_fine
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<Message, ParseError> {
        parse(Bytes::from(text.to_owned()), &Limits::default())
    }

    fn kind(text: &str) -> ParseErrorKind {
        parse_text(text).expect_err(text).kind()
    }

    const OPTIONS: &str = "OPTIONS sip:a@h SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
        From: sip:b@h;tag=1\r\n\
        To: sip:a@h\r\n\
        Call-ID: c\r\n\
        CSeq: 1 OPTIONS\r\n\
        Content-Length: 0\r\n\r\n";

    #[test]
    fn bare_line_feeds_and_leading_line_ends_are_tolerated() {
        let message = parse_text(&format!("\r\n\r\n{}", OPTIONS.replace("\r\n", "\n"))).unwrap();
        assert_eq!(message, parse_text(OPTIONS).unwrap());
    }

    #[test]
    fn folded_line_is_one_value() {
        let text = OPTIONS.replace("From: sip:b@h;tag=1", "From : sip:b@h\r\n  ;\r\n\t tag = 1");
        let message = parse_text(&text).unwrap();
        assert_eq!(message.from_tag(), Some("1"));
        assert_eq!(message.value(HeaderName::From), Some(&b"sip:b@h ; tag = 1"[..]));
    }

    #[test]
    fn keep_alive_is_told_from_garbage() {
        assert_eq!(kind("\r\n\r\n"), ParseErrorKind::KeepAlive);
        assert_eq!(kind(""), ParseErrorKind::KeepAlive);
        assert_eq!(kind("GET / HTTP/1.1\r\n\r\n"), ParseErrorKind::NotSip);
        assert_eq!(kind("\u{0}\u{1}"), ParseErrorKind::NotSip);
    }

    #[test]
    fn control_character_before_the_colon_is_refused() {
        let text = OPTIONS.replace("To: ", "To\u{1}: ");
        assert_eq!(kind(&text), ParseErrorKind::HeaderLine);
        assert_eq!(kind(&OPTIONS.replace("To: ", "To: \u{0}")), ParseErrorKind::ControlCharacter);
    }

    #[test]
    fn repeated_single_value_header_is_refused_and_answered() {
        let error = parse_text(&OPTIONS.replace("To:", "t: sip:x@h\r\nTo:")).unwrap_err();
        assert_eq!(error.kind(), ParseErrorKind::Repeated(HeaderName::To));
        let response = error.response().unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.to_header().unwrap().uri().as_str(), "sip:x@h");
        assert_eq!(response.call_id(), Some("c"));
    }

    #[test]
    fn malformed_ack_and_responses_are_never_answered() {
        let ack = OPTIONS.replace("OPTIONS", "ACK").replace("From: sip:b@h;tag=1\r\n", "");
        let error = parse_text(&ack).unwrap_err();
        assert_eq!(error.kind(), ParseErrorKind::Missing(HeaderName::From));
        assert_eq!(error.status(), None);
        let response = OPTIONS.replace("OPTIONS sip:a@h SIP/2.0", "SIP/2.0 4294967301 x");
        assert_eq!(parse_text(&response).unwrap_err().status(), None);
    }

    #[test]
    fn other_version_is_answered_505() {
        let error = parse_text(&OPTIONS.replace("h SIP/2.0", "h SIP/7.0")).unwrap_err();
        assert_eq!(error.status(), Some(StatusCode::VERSION_NOT_SUPPORTED));
    }

    #[test]
    fn body_ends_where_content_length_says() {
        let text = OPTIONS.replace("Length: 0\r\n\r\n", "Length: 3\r\n\r\nabcdef");
        assert_eq!(parse_text(&text).unwrap().body().as_ref(), b"abc");
        let text = OPTIONS.replace("Length: 0\r\n\r\n", "Length: 9\r\n\r\nabcdef");
        assert_eq!(kind(&text), ParseErrorKind::Truncated);
        let text = OPTIONS.replace("Content-Length: 0\r\n\r\n", "\r\nabcdef");
        assert_eq!(parse_text(&text).unwrap().body().as_ref(), b"abcdef");
    }

    #[test]
    fn limits_hold_before_the_index_grows() {
        let many = "X-Y: y\r\n".repeat(200);
        let error = parse_text(&OPTIONS.replace("CSeq", &format!("{many}CSeq"))).unwrap_err();
        assert_eq!(error.kind(), ParseErrorKind::TooLarge);
        assert!(error.request().unwrap().fields().count() <= 128);
        let vias = "v: SIP/2.0/UDP h\r\n".repeat(70);
        assert_eq!(
            kind(&OPTIONS.replace("CSeq", &format!("{vias}CSeq"))),
            ParseErrorKind::TooLarge
        );
        let last = OPTIONS.replace("\r\n\r\n", &format!("\r\n{vias}\r\n"));
        assert_eq!(kind(&last), ParseErrorKind::TooLarge, "as the last header as well");
        let huge = "x".repeat(70_000);
        assert_eq!(
            kind(&OPTIONS.replace("\r\n\r\n", &format!("\r\n\r\n{huge}"))),
            ParseErrorKind::TooLarge
        );
    }

    #[test]
    fn star_contact_stands_alone() {
        assert!(parse_text(&OPTIONS.replace("CSeq", "Contact: *\r\nCSeq")).is_ok());
        let text = OPTIONS.replace("CSeq", "Contact: *\r\nContact: <sip:a@h>\r\nCSeq");
        assert_eq!(kind(&text), ParseErrorKind::Malformed(HeaderName::Contact));
    }
}
