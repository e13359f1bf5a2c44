//! SIP, SIPS and tel URIs, and room for any other scheme.
//!
//! RFC 3261 §19.1, RFC 3966, IPv6 per RFC 5118. [`UriRef`] is a view into a message and costs no
//! allocation; [`Uri`] owns its text. Both keep the text exactly as it came, so writing it back
//! changes nothing.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::grammar::{self, Names};

/// What went wrong with a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// No scheme, or not one at all.
    #[error("uri has no scheme")]
    Scheme,
    /// A character, or a broken escape, in the user part.
    #[error("invalid user part")]
    User,
    /// Not a host name and not an address.
    #[error("invalid host")]
    Host,
    /// Not a port number.
    #[error("invalid port")]
    Port,
    /// A malformed or repeated parameter.
    #[error("invalid uri parameter")]
    Parameter,
    /// A malformed embedded header.
    #[error("invalid header in uri")]
    Header,
    /// Not the number of a tel URI, or a character no URI may hold.
    #[error("invalid character in uri")]
    Character,
}

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Anything else: an opaque string to this stack.
    Other,
}

/// The host of a URI or a Via.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A name to be looked up.
    Name(&'a str),
    /// An address.
    Address(IpAddr),
}

/// A URI inside a message.
#[derive(Clone, Copy)]
pub struct UriRef<'a> {
    text: &'a str,
    parts: Parts,
}

/// A URI of its own.
#[derive(Clone)]
pub struct Uri {
    text: Box<str>,
    parts: Parts,
}

/// Where the parts of a URI begin and end in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    scheme: Scheme,
    /// After the colon of the scheme.
    start: u32,
    /// End of the user part (which may hold a password); equals `start` when there is none.
    user_end: u32,
    host_start: u32,
    host_end: u32,
    port: Option<u16>,
    /// Where `;` or `?` or the end is.
    parameters: u32,
    /// Where `?` or the end is.
    headers: u32,
}

impl<'a> UriRef<'a> {
    /// Reads a URI that is all of `text`.
    ///
    /// # Errors
    /// Says which part is malformed. An unknown scheme is no error.
    pub fn parse(text: &'a str) -> Result<Self, UriError> {
        Ok(Self { text, parts: Parts::parse(text.as_bytes())? })
    }

    /// Puts a text and its parts, found earlier, together again.
    pub(crate) fn from_parts(text: &'a str, parts: Parts) -> Self {
        Self { text, parts }
    }

    pub(crate) fn parts(&self) -> Parts {
        self.parts
    }

    /// The URI as it was written.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// The user part without password, escapes kept; the number of a tel URI.
    pub fn user(&self) -> Option<&'a str> {
        let user = self.userinfo()?;
        Some(match (self.parts.scheme, user.split_once(':')) {
            (Scheme::Sip | Scheme::Sips, Some((user, _))) => user,
            _ => user,
        })
    }

    /// The user part with its escapes resolved.
    pub fn user_decoded(&self) -> Option<Cow<'a, [u8]>> {
        self.user().map(|user| decode(user.as_bytes()))
    }

    /// The password in the user part; nobody should send one.
    pub fn password(&self) -> Option<&'a str> {
        match self.parts.scheme {
            Scheme::Sip | Scheme::Sips => Some(self.userinfo()?.split_once(':')?.1),
            Scheme::Tel | Scheme::Other => None,
        }
    }

    /// The host as written, brackets included; empty when the scheme has none.
    pub fn host_str(&self) -> &'a str {
        self.slice(self.parts.host_start, self.parts.host_end)
    }

    /// The host; `None` for a scheme without one.
    pub fn host(&self) -> Option<Host<'a>> {
        Host::parse(self.host_str())
    }

    /// The port, if written.
    pub fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// Where to send, when the host is an address: with the written port or the scheme's default.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let default = if self.scheme() == Scheme::Sips { 5061 } else { 5060 };
        match self.host()? {
            Host::Address(address) => {
                Some(SocketAddr::new(address, self.port().unwrap_or(default)))
            }
            Host::Name(_) => None,
        }
    }

    /// The parameters as written, without the leading semicolon.
    pub fn parameters_str(&self) -> &'a str {
        let text = self.slice(self.parts.parameters, self.parts.headers);
        text.strip_prefix(';').unwrap_or(text)
    }

    /// The parameters in order, values as written.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let text = self.parameters_str();
        text.split(';').filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        })
    }

    /// A parameter's value; empty when it is there without one.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let (_, value) =
            self.parameters().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))?;
        Some(value.unwrap_or(""))
    }

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<&'a str> {
        self.parameter("transport")
    }

    /// The `maddr` parameter.
    pub fn maddr(&self) -> Option<&'a str> {
        self.parameter("maddr")
    }

    /// Whether a route with this URI is loose (RFC 3261 §19.1.1).
    pub fn is_loose_router(&self) -> bool {
        self.parameter("lr").is_some()
    }

    /// The embedded headers as written, without the question mark.
    pub fn headers_str(&self) -> &'a str {
        let text = self.text.get(self.parts.headers as usize..).unwrap_or("");
        text.strip_prefix('?').unwrap_or(text)
    }

    /// The embedded headers in order, escapes kept.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.headers_str().split('&').filter_map(|part| part.split_once('='))
    }

    /// Whether both name the same resource by the rules of RFC 3261 §19.1.4.
    pub fn is_equivalent(&self, other: UriRef<'_>) -> bool {
        if self.scheme() != other.scheme() {
            return false;
        }
        match self.scheme() {
            Scheme::Sip | Scheme::Sips => {
                same_escaped(self.userinfo(), other.userinfo())
                    && same_host(self.host(), other.host())
                    && self.port() == other.port()
                    && same_parameters(*self, other)
                    && same_headers(*self, other)
            }
            Scheme::Tel => same_number(self.user(), other.user()) && same_parameters(*self, other),
            Scheme::Other => self.text == other.text,
        }
    }

    /// A copy that owns its text.
    pub fn to_owned(&self) -> Uri {
        Uri { text: self.text.into(), parts: self.parts }
    }

    fn userinfo(&self) -> Option<&'a str> {
        let user = self.slice(self.parts.start, self.parts.user_end);
        (!user.is_empty()).then_some(user)
    }

    fn slice(&self, start: u32, end: u32) -> &'a str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }
}

impl Uri {
    /// Reads a URI that is all of `text`.
    ///
    /// # Errors
    /// Says which part is malformed. An unknown scheme is no error.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        Ok(UriRef::parse(text)?.to_owned())
    }

    /// Builds `sip:user@host:port`; the user is escaped as needed, and left out when empty.
    ///
    /// # Errors
    /// When the host is neither a name nor an address.
    pub fn sip(user: &[u8], host: &str, port: Option<u16>) -> Result<Self, UriError> {
        let mut text = String::from("sip:");
        if !user.is_empty() {
            encode(user, &mut text);
            text.push('@');
        }
        if host.contains(':') && !host.starts_with('[') {
            text.push('[');
            text.push_str(host);
            text.push(']');
        } else {
            text.push_str(host);
        }
        if let Some(port) = port {
            text.push(':');
            text.push_str(&port.to_string());
        }
        Self::parse(&text)
    }

    /// Builds `sip:user@address:port`.
    pub fn sip_at(user: &[u8], address: SocketAddr) -> Self {
        let mut text = String::from("sip:");
        let start = text.len() as u32;
        let mut user_end = start;
        if !user.is_empty() {
            encode(user, &mut text);
            user_end = text.len() as u32;
            text.push('@');
        }
        let host_start = text.len() as u32;
        text.push_str(&Host::Address(address.ip()).to_string());
        let host_end = text.len() as u32;
        text.push(':');
        text.push_str(&address.port().to_string());
        let end = text.len() as u32;
        let parts = Parts {
            scheme: Scheme::Sip,
            start,
            user_end,
            host_start,
            host_end,
            port: Some(address.port()),
            parameters: end,
            headers: end,
        };
        Self { text: text.into(), parts }
    }

    /// The same URI with one more parameter.
    ///
    /// # Errors
    /// When the URI with it would be malformed, for instance the parameter is there already.
    pub fn with_parameter(&self, name: &str, value: Option<&str>) -> Result<Self, UriError> {
        let (before, headers) =
            self.text.split_at_checked(self.parts.headers as usize).unwrap_or((&self.text, ""));
        let text = match value {
            Some(value) => format!("{before};{name}={value}{headers}"),
            None => format!("{before};{name}{headers}"),
        };
        Self::parse(&text)
    }

    /// The same as it may stand in a request line: without headers and the method, which tell how a
    /// request to it is made (RFC 3261 §19.1.1).
    pub(crate) fn for_request_line(&self) -> Cow<'_, Self> {
        let uri = self.as_ref();
        let before = uri.slice(0, self.parts.headers);
        let is_method = |(name, _): &(&str, Option<&str>)| name.eq_ignore_ascii_case("method");
        if before.len() == self.text.len() && !uri.parameters().any(|it| is_method(&it)) {
            return Cow::Borrowed(self);
        }
        let mut text = uri.slice(0, self.parts.parameters).to_owned();
        for (name, value) in uri.parameters().filter(|it| !is_method(it)) {
            text.push(';');
            text.push_str(name);
            if let Some(value) = value {
                text.push('=');
                text.push_str(value);
            }
        }
        Self::parse(&text).map_or(Cow::Borrowed(self), Cow::Owned)
    }

    /// The view that all questions are asked of.
    pub fn as_ref(&self) -> UriRef<'_> {
        UriRef { text: &self.text, parts: self.parts }
    }

    /// The URI as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// See [`UriRef::user`].
    pub fn user(&self) -> Option<&str> {
        self.as_ref().user()
    }

    /// See [`UriRef::host`].
    pub fn host(&self) -> Option<Host<'_>> {
        self.as_ref().host()
    }

    /// See [`UriRef::host_str`].
    pub fn host_str(&self) -> &str {
        self.as_ref().host_str()
    }

    /// The port, if written.
    pub fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// See [`UriRef::parameter`].
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.as_ref().parameter(name)
    }

    /// See [`UriRef::is_loose_router`].
    pub fn is_loose_router(&self) -> bool {
        self.as_ref().is_loose_router()
    }

    /// See [`UriRef::socket_addr`].
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.as_ref().socket_addr()
    }
}

impl<'a> Host<'a> {
    /// Reads a host: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        if let Some(inner) = bytes.strip_prefix(b"[") {
            return Some(Self::Address(ipv6(inner.strip_suffix(b"]")?)?.into()));
        }
        let last = *bytes.last()?;
        // A name's last label begins with a letter (RFC 3261 §25.1), so all digits and dots is an
        // address or nothing. Names that only look odd are left to the resolver.
        if last.is_ascii_digit() {
            if let Some(v4) = ipv4(bytes) {
                return Some(Self::Address(v4.into()));
            }
            if bytes.iter().all(|b| b.is_ascii_digit() || *b == b'.') {
                return None;
            }
        }
        if !bytes.iter().all(|&b| grammar::is_host_byte(b)) {
            return None;
        }
        Some(Self::Name(text))
    }

    /// The address, if it is one.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Name(_) => None,
        }
    }
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::Address(a), Self::Address(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Reads an IPv4 address; numbers do not begin with 0, which some read as octal.
fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let (mut at, mut octet, mut digits) = (0, 0u16, 0);
    for &b in bytes {
        match b {
            b'0'..=b'9' if digits == 0 || (octet > 0 && digits < 3) => {
                octet = octet * 10 + u16::from(b - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && at < 3 => {
                octets[at] = u8::try_from(octet).ok()?;
                (at, octet, digits) = (at + 1, 0, 0);
            }
            _ => return None,
        }
    }
    octets[3] = u8::try_from(octet).ok()?;
    (at == 3 && digits > 0).then_some(octets.into())
}

/// Reads an IPv6 address without brackets, as also found in `received` (RFC 5118 §4.5).
pub(crate) fn ipv6(bytes: &[u8]) -> Option<Ipv6Addr> {
    let text = grammar::text(bytes)?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    // RFC 5118 §4.9: the grammar of RFC 3261 lets an IPv4-mapped address have a third colon.
    let (before, after) = text.split_once(":::")?;
    after.contains('.').then(|| format!("{before}::{after}").parse().ok())?
}

impl Parts {
    fn opaque(scheme: Scheme, start: u32, end: u32) -> Self {
        Self {
            scheme,
            start,
            user_end: end,
            host_start: end,
            host_end: end,
            port: None,
            parameters: end,
            headers: end,
        }
    }

    pub(crate) fn parse(text: &[u8]) -> Result<Self, UriError> {
        if u32::try_from(text.len()).is_err() {
            return Err(UriError::Character);
        }
        // Nearly all are this.
        if text.starts_with(b"sip:") {
            return Self::parse_sip(Scheme::Sip, text, 4);
        }
        let colon = memchr::memchr(b':', text).ok_or(UriError::Scheme)?;
        let (name, rest) = text.split_at(colon);
        let start = colon + 1;
        if name.eq_ignore_ascii_case(b"sip") {
            return Self::parse_sip(Scheme::Sip, text, start);
        } else if name.eq_ignore_ascii_case(b"sips") {
            return Self::parse_sip(Scheme::Sips, text, start);
        } else if name.eq_ignore_ascii_case(b"tel") {
            return Self::parse_tel(text, start);
        }
        let is_name = name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b));
        if !is_name || rest.len() < 2 {
            Err(UriError::Scheme)
        } else if rest.iter().all(|&b| is_uri_byte(b)) {
            Ok(Self::opaque(Scheme::Other, start as u32, text.len() as u32))
        } else {
            Err(UriError::Character)
        }
    }

    fn parse_sip(scheme: Scheme, text: &[u8], start: usize) -> Result<Self, UriError> {
        let rest = text.get(start..).unwrap_or_default();
        let (user_end, host_start) = match memchr::memchr(b'@', rest) {
            Some(0) => return Err(UriError::User),
            Some(at) => {
                check(&rest[..at], grammar::is_user_byte).ok_or(UriError::User)?;
                if rest[0] == b':' {
                    return Err(UriError::User);
                }
                (start + at, start + at + 1)
            }
            None => (start, start),
        };
        let rest = &text[host_start..];
        let (host_length, port_length, port) = host_port(rest)?;
        let host_end = host_start + host_length;
        let parameters = host_end + port_length;
        let tail = &text[parameters..];
        let headers = parameters + memchr::memchr(b'?', tail).unwrap_or(tail.len());
        check_parameters(&text[parameters..headers])?;
        check_headers(&text[headers..])?;
        Ok(Self {
            scheme,
            start: start as u32,
            user_end: user_end as u32,
            host_start: host_start as u32,
            host_end: host_end as u32,
            port,
            parameters: parameters as u32,
            headers: headers as u32,
        })
    }

    fn parse_tel(text: &[u8], start: usize) -> Result<Self, UriError> {
        let rest = &text[start..];
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let number = &rest[..end];
        let digits = number.strip_prefix(b"+").unwrap_or(number);
        let is_digit = |b: &u8| b.is_ascii_hexdigit() || b"*#".contains(b);
        if !digits.iter().any(is_digit)
            || !digits.iter().all(|b| is_digit(b) || b"-.()".contains(b))
        {
            return Err(UriError::Character);
        }
        check_parameters(&rest[end..])?;
        let user_end = (start + end) as u32;
        let parameters = user_end;
        Ok(Self {
            user_end,
            parameters,
            host_start: user_end,
            host_end: user_end,
            ..Self::opaque(Scheme::Tel, start as u32, text.len() as u32)
        })
    }
}

/// Reads `host[:port]` at the start: lengths of the host and of the port with its colon.
fn host_port(rest: &[u8]) -> Result<(usize, usize, Option<u16>), UriError> {
    let host = if rest.first() == Some(&b'[') {
        memchr::memchr(b']', rest).ok_or(UriError::Host)? + 1
    } else {
        rest.iter().position(|b| b":;?".contains(b)).unwrap_or(rest.len())
    };
    grammar::text(&rest[..host]).and_then(Host::parse).ok_or(UriError::Host)?;
    let after = &rest[host..];
    let length = after.iter().position(|b| b";?".contains(b)).unwrap_or(after.len());
    let port = match after[..length].split_first() {
        None => None,
        Some((b':', digits)) => Some(port(digits).ok_or(UriError::Port)?),
        Some(_) => return Err(UriError::Host),
    };
    Ok((host, length, port))
}

/// Reads a port number from 1 to 65535.
pub(crate) fn port(digits: &[u8]) -> Option<u16> {
    grammar::number(digits).and_then(|n| u16::try_from(n).ok()).filter(|&port| port != 0)
}

/// Whether all bytes are of the class and each `%` begins an escape.
fn check(bytes: &[u8], class: impl Fn(u8) -> bool) -> Option<()> {
    let Some(odd) = bytes.iter().position(|&b| !class(b)) else { return Some(()) };
    let mut rest = bytes.get(odd..)?.iter();
    while let Some(&b) = rest.next() {
        let fine = if b == b'%' {
            rest.next()?.is_ascii_hexdigit() && rest.next()?.is_ascii_hexdigit()
        } else {
            class(b)
        };
        if !fine {
            return None;
        }
    }
    Some(())
}

fn check_parameters(text: &[u8]) -> Result<(), UriError> {
    let Some(text) = text.strip_prefix(b";") else {
        return if text.is_empty() { Ok(()) } else { Err(UriError::Parameter) };
    };
    let mut names = Names::default();
    let mut count = 0;
    let mut rest = Some(text);
    while let Some(part) = rest {
        let end = part.iter().position(|&b| !grammar::is_uri_parameter_byte(b) && b != b'%');
        let (part, after) = part.split_at(end.unwrap_or(part.len()));
        rest = match after.split_first() {
            None => None,
            Some((b';', after)) => Some(after),
            Some(_) => return Err(UriError::Parameter),
        };
        let name = parameter_name(part);
        let is_repeated = names.may_hold(name)
            && text
                .split(|&b| b == b';')
                .take(count)
                .any(|earlier| parameter_name(earlier).eq_ignore_ascii_case(name));
        count += 1;
        let is_valid = !name.is_empty() && check(part, grammar::is_uri_parameter_byte).is_some();
        if count > MAX_PARAMETERS || !is_valid || is_repeated {
            return Err(UriError::Parameter);
        }
        names.add(name);
    }
    Ok(())
}

fn parameter_name(part: &[u8]) -> &[u8] {
    let end = part.iter().position(|&b| b == b'=').unwrap_or(part.len());
    part.get(..end).unwrap_or_default()
}

fn check_headers(text: &[u8]) -> Result<(), UriError> {
    let Some(text) = text.strip_prefix(b"?") else { return Ok(()) };
    for (at, part) in text.split(|&b| b == b'&').enumerate() {
        let named = memchr::memchr(b'=', part).is_some_and(|equals| equals > 0);
        if at >= MAX_PARAMETERS || !named || check(part, grammar::is_uri_header_byte).is_none() {
            return Err(UriError::Header);
        }
    }
    Ok(())
}

/// Parameters, and embedded headers, that one URI may have.
const MAX_PARAMETERS: usize = 32;

fn is_uri_byte(b: u8) -> bool {
    b > 0x20 && b != 0x7f && !b"<>\"".contains(&b)
}

/// Resolves `%` escapes; borrowed when there are none.
pub(crate) fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        let escape = match (b, after) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        match escape {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            None => out.push(b),
        }
    }
    Cow::Owned(out)
}

fn hex_digit(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).map(|digit| digit as u8)
}

/// Escapes whatever may not stand in a user part.
fn encode(user: &[u8], out: &mut String) {
    for &b in user {
        if grammar::is_unreserved(b) || b"&=+$,?/".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
}

fn same_escaped(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || decode(a.as_bytes()) == decode(b.as_bytes()),
        (None, None) => true,
        _ => false,
    }
}

fn same_host(a: Option<Host<'_>>, b: Option<Host<'_>>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a == b)
}

/// A parameter in both must agree; these four must be in both or neither (RFC 3261 §19.1.4).
fn same_parameters(a: UriRef<'_>, b: UriRef<'_>) -> bool {
    let strict = ["user", "ttl", "method", "maddr", "transport"];
    strict.iter().all(|name| a.parameter(name).is_some() == b.parameter(name).is_some())
        && a.parameters().all(|(name, value)| match b.parameter(name) {
            Some(other) => decode(value.unwrap_or("").as_bytes())
                .eq_ignore_ascii_case(&decode(other.as_bytes())),
            None => true,
        })
}

/// Embedded headers are never ignored: the same set on both sides, in any order.
fn same_headers(a: UriRef<'_>, b: UriRef<'_>) -> bool {
    let within = |a: UriRef<'_>, b: UriRef<'_>| {
        a.headers().all(|(name, value)| {
            b.headers().any(|(other, other_value)| {
                name.eq_ignore_ascii_case(other)
                    && decode(value.as_bytes()) == decode(other_value.as_bytes())
            })
        })
    };
    within(a, b) && within(b, a)
}

/// Telephone numbers are the same without their visual separators (RFC 3966 §4).
fn same_number(a: Option<&str>, b: Option<&str>) -> bool {
    let digits = |text: Option<&str>| {
        text.unwrap_or("")
            .bytes()
            .filter(|b| !b"-.()".contains(b))
            .map(|b| b.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    digits(a) == digits(b)
}

impl PartialEq for UriRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for UriRef<'_> {}

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Uri {}

impl std::hash::Hash for Uri {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for UriRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Debug for UriRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn all_parts_of_a_sip_uri_are_found() {
        let uri = uri("sips:alice:secret@[2001:db8::1]:5071;transport=tcp;lr?Subject=hi&a=b");
        let uri = uri.as_ref();
        assert_eq!(uri.scheme(), Scheme::Sips);
        assert_eq!(uri.user(), Some("alice"));
        assert_eq!(uri.password(), Some("secret"));
        assert_eq!(uri.host(), Some(Host::Address("2001:db8::1".parse().unwrap())));
        assert_eq!(uri.port(), Some(5071));
        assert_eq!(uri.transport(), Some("tcp"));
        assert!(uri.is_loose_router());
        assert_eq!(uri.headers().collect::<Vec<_>>(), [("Subject", "hi"), ("a", "b")]);
        assert_eq!(uri.socket_addr(), Some("[2001:db8::1]:5071".parse().unwrap()));
    }

    #[test]
    fn ipv4_addresses_are_read_as_the_standard_library_does() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "10.0.0.1",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1..2.3",
            "1.2.3.",
            ".1.2.3",
            "1.2.3.00",
            "1.2.3.1000",
            "",
            "1.2.3.a",
        ] {
            assert_eq!(ipv4(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn semicolon_in_the_user_part_begins_no_parameter() {
        let uri = uri("sip:user;par=u%40example.net@example.com");
        assert_eq!(uri.user(), Some("user;par=u%40example.net"));
        assert_eq!(uri.host_str(), "example.com");
        assert_eq!(uri.as_ref().user_decoded().unwrap().as_ref(), b"user;par=u@example.net");
    }

    #[test]
    fn tel_uri_has_a_number_and_parameters() {
        let uri = uri("tel:+1-201-555-0123;phone-context=example.com");
        assert_eq!(uri.scheme(), Scheme::Tel);
        assert_eq!(uri.user(), Some("+1-201-555-0123"));
        assert_eq!(uri.parameter("phone-context"), Some("example.com"));
        assert_eq!(uri.host(), None);
        assert!(Uri::parse("tel:").is_err());
        assert!(Uri::parse("tel:+;x=y").is_err());
    }

    #[test]
    fn unknown_scheme_is_kept_opaque() {
        assert_eq!(uri("soap.beep://192.0.2.103:3002").scheme(), Scheme::Other);
        assert_eq!(uri("nobodyKnowsThisScheme:totallyopaquecontent").scheme(), Scheme::Other);
    }

    #[test]
    fn malformed_uris_are_refused_by_part() {
        for (text, error) in [
            ("", UriError::Scheme),
            ("sip", UriError::Scheme),
            ("1x:y", UriError::Scheme),
            ("sip:", UriError::Host),
            ("sip:@host", UriError::User),
            ("sip::pw@host", UriError::User),
            ("sip:a%4@host", UriError::User),
            ("sip:a b@host", UriError::User),
            ("sip:a@b@c", UriError::Host),
            ("sip:a@[2001:db8::1", UriError::Host),
            ("sip:a@2001:db8::1", UriError::Host),
            ("sip:a@300.1.1.1", UriError::Host),
            ("sip:a@h:0", UriError::Port),
            ("sip:a@h:65536", UriError::Port),
            ("sip:a@h:x", UriError::Port),
            ("sip:a@h;;lr", UriError::Parameter),
            ("sip:a@h;lr;LR", UriError::Parameter),
            ("sip:a@h?x", UriError::Header),
            ("sip:a@h>", UriError::Host),
        ] {
            assert_eq!(Uri::parse(text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn equivalence_follows_the_examples_of_the_rfc() {
        // RFC 3261 §19.1.4.
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("tel:+1-201-555-0123", "tel:+12015550123"),
        ] {
            assert!(uri(a).as_ref().is_equivalent(uri(b).as_ref()), "{a} {b}");
            assert!(uri(b).as_ref().is_equivalent(uri(a).as_ref()), "{b} {a}");
        }
        for (a, b) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ] {
            assert!(!uri(a).as_ref().is_equivalent(uri(b).as_ref()), "{a} {b}");
            assert!(!uri(b).as_ref().is_equivalent(uri(a).as_ref()), "{b} {a}");
        }
    }

    #[test]
    fn builders_escape_and_bracket() {
        assert_eq!(
            Uri::sip(b"a b#", "2001:db8::1", None).unwrap().as_str(),
            "sip:a%20b%23@[2001:db8::1]"
        );
        assert_eq!(
            Uri::sip_at(b"100", "192.0.2.1:5060".parse().unwrap()).as_str(),
            "sip:100@192.0.2.1:5060"
        );
        assert_eq!(uri("sip:h?a=b").with_parameter("lr", None).unwrap().as_str(), "sip:h;lr?a=b");
        assert!(uri("sip:h;lr").with_parameter("lr", None).is_err());
        assert!(Uri::sip(b"", "bad host", None).is_err());
    }
}
