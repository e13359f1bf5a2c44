//! Requests and responses (RFC 3261 §7).
//!
//! A message read from the wire is an index over one shared buffer; a message built here keeps its
//! text in one growing buffer. Both are the same types, so a received request can be edited and
//! sent on. Reading is in `parse`, the headers' questions and edits are in [`Headers`].

use std::fmt;
use std::io::Write as _;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;

use super::grammar;
use super::header::HeaderName;
use super::headers::{HeaderValue, Headers, Span};
use super::parse::{self, Limits, ParseError};
use super::uri::{Parts, Uri, UriRef};
use super::{Method, StatusCode, Tag};

/// A SIP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request. All questions about headers are asked of it directly: it derefs to [`Headers`].
///
/// ```
/// use diesis_engine::sip::{HeaderName, Method, Request, Uri};
///
/// let uri = Uri::parse("sip:100@192.0.2.1")?;
/// let request = Request::new(Method::Options, &uri)
///     .with(HeaderName::MaxForwards, 70u8)
///     .with(HeaderName::Accept, "application/sdp");
/// assert_eq!(request.max_forwards(), Some(70));
/// # Ok::<(), diesis_engine::sip::UriError>(())
/// ```
#[derive(Clone)]
pub struct Request {
    method: Method,
    uri: Span,
    uri_parts: Parts,
    headers: Headers,
    body: Bytes,
}

/// A response. All questions about headers are asked of it directly: it derefs to [`Headers`].
#[derive(Clone)]
pub struct Response {
    status: StatusCode,
    reason: Span,
    headers: Headers,
    body: Bytes,
}

impl Message {
    /// Reads a message that is all of a datagram, or was cut from a stream by `framing`.
    ///
    /// # Errors
    /// Says what is wrong and, where the sender can be told, what to answer.
    pub fn parse(buffer: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        parse::parse(buffer, limits)
    }

    /// The message as it goes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }
}

impl Request {
    /// A request with no headers yet. What of the URI may not stand in a request line is left out.
    pub fn new(method: Method, uri: &Uri) -> Self {
        let uri = uri.for_request_line();
        let mut headers = Headers::over(Bytes::new(), 16);
        let span = headers.add_text(uri.as_str().as_bytes());
        let uri_parts = Uri::as_ref(&uri).parts();
        Self { method, uri: span, uri_parts, headers, body: Bytes::new() }
    }

    pub(crate) fn from_parts(
        method: Method,
        uri: Span,
        uri_parts: Parts,
        headers: Headers,
        body: Bytes,
    ) -> Self {
        Self { method, uri, uri_parts, headers, body }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI.
    pub fn uri(&self) -> UriRef<'_> {
        let text = grammar::text(self.headers.slice(self.uri)).unwrap_or_default();
        UriRef::from_parts(text, self.uri_parts)
    }

    /// Replaces the Request-URI, as [`Request::new`] sets it.
    pub fn set_uri(&mut self, uri: &Uri) {
        let uri = uri.for_request_line();
        self.uri = self.headers.add_text(uri.as_str().as_bytes());
        self.uri_parts = Uri::as_ref(&uri).parts();
    }

    /// The headers, to be taken along.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Replaces the body and its type.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Bytes>) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body.into();
    }

    /// Replaces the body, leaving Content-Type alone.
    pub(crate) fn replace_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
    }

    /// With a header more. See [`Headers::push`].
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl HeaderValue) -> Self {
        self.headers.push(name, value);
        self
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.set_body(content_type, body);
        self
    }

    /// Notes in the topmost Via where the request was really received from.
    ///
    /// `received` goes in when the sent-by says otherwise or the sender asked for `rport`, and
    /// `rport` is filled in when asked for (RFC 3261 §18.2.1, RFC 3581 §4). What a sender put into
    /// either beforehand is replaced: only the receiver knows.
    pub fn stamp_source(&mut self, source: SocketAddr) {
        let Some(via) = self.headers.via() else { return };
        let differs = via.host().and_then(|host| host.address()) != Some(source.ip());
        let mut asks_for_port = false;
        let mut value = Vec::with_capacity(128);
        // Writing to a Vec does not fail.
        let _ = write!(value, "SIP/2.0/{} {}", via.transport(), via.host_str());
        if let Some(port) = via.port() {
            let _ = write!(value, ":{port}");
        }
        for param in via.params().iter() {
            if param.name.eq_ignore_ascii_case("received") {
                continue;
            }
            value.push(b';');
            value.extend_from_slice(param.name.as_bytes());
            if param.name.eq_ignore_ascii_case("rport") {
                asks_for_port = true;
                let _ = write!(value, "={}", source.port());
            } else if let Some(text) = param.value {
                value.push(b'=');
                value.extend_from_slice(text);
            }
        }
        if differs || asks_for_port {
            let _ = write!(value, ";received={}", source.ip());
        }
        self.headers.replace_first_element(HeaderName::Via, value);
    }

    /// The request as it goes on the wire: Via first, Content-Length last.
    pub fn to_bytes(&self) -> Bytes {
        let uri = self.headers.slice(self.uri);
        let method = self.method.as_str();
        let length = method.len() + uri.len() + 11 + self.headers.written_length();
        let mut out = Vec::with_capacity(length + self.body.len());
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(uri);
        out.extend_from_slice(b" SIP/2.0\r\n");
        self.headers.write(&mut out, self.body.len());
        out.extend_from_slice(&self.body);
        out.into()
    }
}

impl Response {
    /// A response to this request, with its Via, From, To, Call-ID and CSeq (RFC 3261 §8.2.6.2).
    ///
    /// Record-Route comes along where the response may make a dialog (RFC 3261 §12.1.1), Timestamp
    /// in a 100 (RFC 3261 §8.2.6.1). A To without a tag stays so: see [`Response::with_to_tag`].
    pub fn to(request: &Request, status: StatusCode) -> Self {
        let mut response = Self::new(status);
        let headers = &mut response.headers;
        for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId] {
            headers.copy(name, &request.headers);
        }
        headers.copy(HeaderName::CSeq, &request.headers);
        let makes_dialog =
            matches!(request.method, Method::Invite | Method::Subscribe | Method::Refer);
        if makes_dialog && (101..300).contains(&status.code()) {
            headers.copy(HeaderName::RecordRoute, &request.headers);
        }
        if status == StatusCode::TRYING {
            headers.copy(HeaderName::Timestamp, &request.headers);
        }
        response
    }

    /// A response with no headers and the registered reason phrase.
    pub fn new(status: StatusCode) -> Self {
        let mut headers = Headers::over(Bytes::new(), 12);
        let reason = headers.add_text(status.reason().as_bytes());
        Self { status, reason, headers, body: Bytes::new() }
    }

    pub(crate) fn from_parts(
        status: StatusCode,
        reason: Span,
        headers: Headers,
        body: Bytes,
    ) -> Self {
        Self { status, reason, headers, body }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase as received or set.
    pub fn reason(&self) -> &[u8] {
        self.headers.slice(self.reason)
    }

    /// The headers, to be taken along.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Replaces the body and its type.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Bytes>) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body.into();
    }

    /// With another reason phrase.
    #[must_use]
    pub fn with_reason(mut self, reason: &str) -> Self {
        self.reason = self.headers.add_text(reason.as_bytes());
        self
    }

    /// With this tag in To, unless it has one.
    #[must_use]
    pub fn with_to_tag(mut self, tag: &Tag) -> Self {
        self.headers.set_to_tag(tag);
        self
    }

    /// Replaces the body, leaving Content-Type alone.
    pub(crate) fn replace_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
    }

    /// With a header more. See [`Headers::push`].
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl HeaderValue) -> Self {
        self.headers.push(name, value);
        self
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.set_body(content_type, body);
        self
    }

    /// The response as it goes on the wire: Via first, Content-Length last.
    pub fn to_bytes(&self) -> Bytes {
        let reason = self.reason();
        let length = reason.len() + 14 + self.headers.written_length();
        let mut out = Vec::with_capacity(length + self.body.len());
        out.extend_from_slice(b"SIP/2.0 ");
        out.extend_from_slice(self.status.code().to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason);
        out.extend_from_slice(b"\r\n");
        self.headers.write(&mut out, self.body.len());
        out.extend_from_slice(&self.body);
        out.into()
    }
}

impl Deref for Message {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        self.headers()
    }
}

impl Deref for Request {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        &self.headers
    }
}

impl DerefMut for Request {
    fn deref_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }
}

impl Deref for Response {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        &self.headers
    }
}

impl DerefMut for Response {
    fn deref_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.method == other.method
            && self.uri() == other.uri()
            && self.headers == other.headers
            && self.body == other.body
    }
}

impl Eq for Request {}

impl PartialEq for Response {
    fn eq(&self, other: &Self) -> bool {
        self.status == other.status
            && self.reason() == other.reason()
            && self.headers == other.headers
            && self.body == other.body
    }
}

impl Eq for Response {}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("uri", &self.uri())
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("reason", &format_args!("{}", self.reason().escape_ascii()))
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        match Message::parse(Bytes::from(text.replace('\n', "\r\n")), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    const INVITE: &str = "\
INVITE sip:100@192.0.2.9 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5062;rport;branch=z9hG4bKx, SIP/2.0/UDP second;branch=z9hG4bKy
Record-Route: <sip:proxy;lr>
Max-Forwards: 70
From: \"A\" <sip:a@h>;tag=1
To: <sip:100@h>
Call-ID: c1
CSeq: 1 INVITE
Contact: <sip:a@192.0.2.1:5062>
Content-Length: 0

";

    #[test]
    fn response_carries_what_identifies_the_request() {
        let mut request = request(INVITE);
        request.stamp_source("198.51.100.7:40000".parse().unwrap());
        let tag = Tag::parse("mine").unwrap();
        let response = Response::to(&request, StatusCode::OK).with_to_tag(&tag);
        assert_eq!(response.via().unwrap().received(), Some("198.51.100.7".parse().unwrap()));
        assert_eq!(response.via().unwrap().rport(), Some(40000));
        assert_eq!(response.vias().count(), 2);
        assert_eq!(response.record_routes().count(), 1);
        assert_eq!(response.to_tag(), Some("mine"));
        assert_eq!(response.cseq(), request.cseq());
        let refusal = Response::to(&request, StatusCode::BUSY_HERE);
        assert_eq!(refusal.record_routes().count(), 0);
    }

    #[test]
    fn stamp_replaces_what_the_sender_claimed() {
        let mut request = request(&INVITE.replace(";rport;", ";rport=1;received=203.0.113.1;"));
        request.stamp_source("192.0.2.1:5062".parse().unwrap());
        let via = request.via().unwrap();
        assert_eq!(via.response_address(), Some("192.0.2.1:5062".parse().unwrap()));
    }

    #[test]
    fn a_request_line_takes_of_a_uri_only_what_may_stand_there() {
        for (uri, line) in [
            ("sip:b@h?subject=x", "sip:b@h"),
            ("sip:b@h:5070;method=BYE;lr;user=phone?a=b&c=d", "sip:b@h:5070;lr;user=phone"),
            ("sip:h;transport=tcp;Method=INVITE", "sip:h;transport=tcp"),
            ("sip:b%3F@h;x=%20", "sip:b%3F@h;x=%20"),
            ("tel:+33155;phone-context=x", "tel:+33155;phone-context=x"),
        ] {
            let uri = Uri::parse(uri).unwrap();
            assert_eq!(Request::new(Method::Message, &uri).uri().as_str(), line);
        }
    }

    #[test]
    fn written_message_begins_with_via_and_reads_back_the_same() {
        let uri = Uri::parse("sip:x@h").unwrap();
        let mut request = Request::new(Method::Message, &uri)
            .with(HeaderName::From, "sip:a@h;tag=1")
            .with(HeaderName::To, "sip:b@h")
            .with(HeaderName::CallId, "c")
            .with(HeaderName::CSeq, super::super::CSeq::new(3, Method::Message))
            .with_body("text/plain", "hi\r\n\r\nthere\0");
        request.push_via(
            "UDP",
            "192.0.2.1:5060",
            &super::super::Branch::parse("z9hG4bK1").unwrap(),
        );
        let bytes = request.to_bytes();
        assert!(bytes.starts_with(b"MESSAGE sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;"));
        assert_eq!(Message::parse(bytes, &Limits::default()).unwrap(), Message::Request(request));
    }

    #[test]
    fn custom_reason_phrase_is_kept() {
        let response = Response::to(&request(INVITE), StatusCode::OK).with_reason("= 2**3 * 5²");
        let Message::Response(back) =
            Message::parse(response.to_bytes(), &Limits::default()).unwrap()
        else {
            panic!("not a response")
        };
        assert_eq!(back.reason(), "= 2**3 * 5²".as_bytes());
    }
}
