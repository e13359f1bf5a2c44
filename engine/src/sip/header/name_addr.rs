//! Addresses with a display name: From, To, Contact, Route, Record-Route, Refer-To and their kin.
//!
//! RFC 3261 §20.10: without angle brackets, what follows a semicolon belongs to the header, and a
//! URI with a comma or a question mark must be in brackets.

use std::borrow::Cow;
use std::time::Duration;

use super::params::{unescape, unquoted};
use super::{Param, Params};
use crate::sip::Tag;
use crate::sip::grammar;
use crate::sip::uri::{Uri, UriRef};

/// An address in a message: a view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NameAddrRef<'a> {
    display: &'a [u8],
    uri: UriRef<'a>,
    params: Params<'a>,
}

/// An address of its own, for headers to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    display: Option<String>,
    uri: Uri,
    /// Written out, each with its leading semicolon.
    params: String,
}

impl<'a> NameAddrRef<'a> {
    /// Reads one value (one element of a comma-joined header).
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = grammar::trim(value);
        let (display, rest) = match value.first()? {
            b'"' => value.split_at_checked(grammar::quoted_length(value)?)?,
            _ => match memchr::memchr(b'<', value) {
                Some(at) => value.split_at_checked(at)?,
                None => return Self::parse_bare(value),
            },
        };
        let display = grammar::trim(display);
        if !display.starts_with(b"\"") && !display.iter().all(|&b| is_display_byte(b)) {
            return None;
        }
        let rest = rest.trim_ascii_start().strip_prefix(b"<")?;
        let end = memchr::memchr(b'>', rest)?;
        let (uri, rest) = rest.split_at_checked(end)?;
        let uri = UriRef::parse(grammar::text(uri)?).ok()?;
        Some(Self { display, uri, params: Params::parse(rest.get(1..)?)? })
    }

    /// An address without brackets.
    fn parse_bare(value: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (uri, params) = value.split_at_checked(end)?;
        let uri = grammar::trim(uri);
        if uri.iter().any(|b| b",?".contains(b)) {
            return None;
        }
        let uri = UriRef::parse(grammar::text(uri)?).ok()?;
        Some(Self { display: &[], uri, params: Params::parse(params)? })
    }

    /// The display name with quotes and escapes resolved; `None` when there is none.
    pub fn display_name(&self) -> Option<Cow<'a, [u8]>> {
        (!self.display.is_empty()).then(|| unescape(unquoted(self.display)))
    }

    /// The URI.
    pub fn uri(&self) -> UriRef<'a> {
        self.uri
    }

    /// The header parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The tag, of From and To.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag")
    }

    /// The `expires` parameter, of a Contact. Numbers too large are the largest there is.
    ///
    /// A malformed one counts as absent (RFC 3261 §10.3: the default applies).
    pub fn expires(&self) -> Option<Duration> {
        seconds(self.params.get("expires")?.as_bytes())
    }

    /// The `q` parameter in thousandths, of a Contact.
    pub fn q(&self) -> Option<u16> {
        parse_q(self.params.get("q")?)
    }

    /// A copy that owns its text; the display name is made UTF-8 if it was not.
    pub fn to_owned(&self) -> NameAddr {
        let params = String::from_utf8_lossy(self.params.as_bytes()).into_owned();
        let display = self.display_name().map(|name| String::from_utf8_lossy(&name).into_owned());
        NameAddr { display, uri: self.uri.to_owned(), params }
    }
}

impl NameAddr {
    /// The bare address.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: String::new() }
    }

    /// Reads one address.
    pub fn parse(value: &[u8]) -> Option<Self> {
        NameAddrRef::parse(value).map(|address| address.to_owned())
    }

    /// With this display name; none when empty.
    #[must_use]
    pub fn with_display_name(mut self, name: &str) -> Self {
        self.display = (!name.is_empty()).then(|| name.to_owned());
        self
    }

    /// With this tag, in place of any other.
    #[must_use]
    pub fn with_tag(self, tag: &Tag) -> Self {
        self.without_parameter("tag").with_parameter("tag", Some(tag.as_str()))
    }

    /// Without any tag.
    #[must_use]
    pub fn without_tag(self) -> Self {
        self.without_parameter("tag")
    }

    /// With a parameter more; a value that is no token is quoted. A name that is no token is left
    /// out, since it could not be read back.
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: Option<&str>) -> Self {
        if grammar::is_token(name.as_bytes()) {
            self.params.push(';');
            self.params.push_str(name);
            if let Some(value) = value {
                self.params.push('=');
                if grammar::is_token(value.as_bytes()) {
                    self.params.push_str(value);
                } else {
                    quote(value, &mut self.params);
                }
            }
        }
        self
    }

    /// Without the parameter of that name.
    #[must_use]
    pub fn without_parameter(mut self, name: &str) -> Self {
        let old = std::mem::take(&mut self.params);
        for Param { name: found, value } in Params::parse(old.as_bytes()).unwrap_or_default().iter()
        {
            if !found.eq_ignore_ascii_case(name) {
                self.params.push(';');
                self.params.push_str(found);
                if let Some(value) = value {
                    self.params.push('=');
                    self.params.push_str(&String::from_utf8_lossy(value));
                }
            }
        }
        self
    }

    /// The display name.
    pub fn display_name(&self) -> Option<&str> {
        self.display.as_deref()
    }

    /// The URI.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The header parameters.
    pub fn params(&self) -> Params<'_> {
        Params::parse(self.params.as_bytes()).unwrap_or_default()
    }

    /// The tag, if any.
    pub fn tag(&self) -> Option<Tag> {
        Tag::parse(self.params().get("tag")?)
    }
}

impl std::fmt::Display for NameAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(display) = &self.display {
            let mut quoted = String::new();
            quote(display, &mut quoted);
            write!(f, "{quoted} ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// Writes a quoted string; control characters become spaces.
pub(crate) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(if c.is_ascii_control() { ' ' } else { c });
    }
    out.push('"');
}

/// A number of seconds; too large a number is clamped to 2^32-1, malformed is `None`.
pub(crate) fn seconds(value: &[u8]) -> Option<Duration> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = grammar::number(value).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
    Some(Duration::from_secs(seconds))
}

/// A q value of 0 to 1 with up to three decimals, in thousandths.
pub(crate) fn parse_q(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole = match whole {
        "0" | "" if !text.is_empty() => 0,
        "1" => 1000,
        _ => return None,
    };
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = decimals.bytes().map(|b| u16::from(b - b'0')).chain(std::iter::repeat(0)).take(3);
    let q = whole + digits.fold(0, |sum, digit| sum * 10 + digit);
    (q <= 1000).then_some(q)
}

/// What an unquoted display name may hold: more than tokens and blanks, since phones do not quote
/// what they should; nothing that structures the header.
fn is_display_byte(b: u8) -> bool {
    !b"\"<>,;:".contains(&b) && !grammar::is_control(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &[u8]) -> NameAddrRef<'_> {
        NameAddrRef::parse(value).unwrap_or_else(|| panic!("{}", value.escape_ascii()))
    }

    #[test]
    fn parameters_of_a_bare_address_belong_to_the_header() {
        let address = parse(b"sip:a@h;tag=1");
        assert_eq!(address.tag(), Some("1"));
        assert_eq!(address.uri().as_str(), "sip:a@h");
        let address = parse(b"<sip:a@h;tag=1>");
        assert_eq!(address.tag(), None);
        assert_eq!(address.uri().parameter("tag"), Some("1"));
    }

    #[test]
    fn display_names_quoted_or_not_are_resolved() {
        let name = |value| parse(value).display_name().unwrap().into_owned();
        assert_eq!(name(br#""J \"R\" \\" <sip:a@h> ; tag = x"#), br#"J "R" \"#);
        assert_eq!(name(b"Watson Thomas <sip:a@h>"), b"Watson Thomas");
        assert_eq!(name(b"\"a<b>\"<sip:a@h>"), b"a<b>");
        assert_eq!(parse(b"<sip:a@h>").display_name(), None);
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for value in [
            &b""[..],
            br#""Mr. J. User <sip:j.user@example.com>"#,
            b"Bell, Alexander <sip:a@h>",
            b"< sip:a@h >",
            b"<sip:a@h",
            b"sip:a@h?Route=x",
            b"<sip:a@h>;;",
            b"<sip:a@h>x",
            b"name",
            b"\"x\" sip:a@h",
        ] {
            assert!(NameAddrRef::parse(value).is_none(), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn written_address_reads_back_the_same() {
        let address = NameAddr::new(Uri::parse("sip:a@h;x=y").unwrap())
            .with_display_name("A \"B\" \\ é")
            .with_parameter("p", Some("two words"))
            .with_tag(&Tag::parse("t1").unwrap())
            .with_tag(&Tag::parse("t2").unwrap());
        assert_eq!(NameAddr::parse(address.to_string().as_bytes()), Some(address.clone()));
        assert_eq!(address.tag(), Tag::parse("t2"));
        assert_eq!(address.without_tag().tag(), None);
    }

    #[test]
    fn line_ends_in_a_display_name_are_not_written() {
        let address = NameAddr::new(Uri::parse("sip:a@h").unwrap()).with_display_name("a\r\nX: y");
        assert_eq!(address.to_string(), "\"a  X: y\" <sip:a@h>");
    }

    #[test]
    fn q_values_are_thousandths() {
        assert_eq!(parse_q("0.33"), Some(330));
        assert_eq!(parse_q("1.000"), Some(1000));
        assert_eq!(parse_q("1"), Some(1000));
        assert_eq!(parse_q(".5"), Some(500));
        assert_eq!(parse_q("1.1"), None);
        assert_eq!(parse_q("0.1234"), None);
        assert_eq!(parse_q(""), None);
    }
}
