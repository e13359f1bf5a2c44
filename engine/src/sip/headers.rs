//! The headers of a message: an index over its text, with room for what is added later.
//!
//! Parsing stores for each header where it stands, nothing else. What we add ourselves goes into a
//! second buffer that grows by need. So neither reading nor writing allocates per header.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;

use super::grammar;
use super::header::{HeaderName, MediaType, NameAddrRef, Via, seconds};
use super::{Branch, CSeq, CallId, Tag};

/// The headers of a message, in order.
#[derive(Clone, Default)]
pub struct Headers {
    buffer: Bytes,
    added: Vec<u8>,
    fields: Vec<Field>,
}

/// One header as seen by [`Headers::fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRef<'a> {
    /// The name, [`HeaderName::Other`] when unknown.
    pub name: HeaderName,
    /// The name's text: canonical when known, as received when not.
    pub name_text: &'a str,
    /// The value, unfolded and without blanks around it.
    pub value: &'a [u8],
}

/// The Contact headers of a message.
#[derive(Clone, Debug)]
pub enum Contacts<'a> {
    /// `Contact: *`: all bindings.
    Star,
    /// The addresses in order; none when there is no Contact.
    List(Vec<NameAddrRef<'a>>),
}

/// The name of a header was no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header name is not a token")]
pub struct InvalidHeaderName;

/// Something that can be written as a header value.
pub trait HeaderValue {
    /// Appends the value's text.
    fn write_value(&self, out: &mut Vec<u8>);
}

/// Where a piece of text stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    place: Place,
    start: u32,
    length: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// In the buffer the message was read from.
    #[default]
    Buffer,
    /// In the text added since.
    Added,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: HeaderName,
    /// Of an unknown name.
    name_text: Span,
    value: Span,
}

/// Questions.
impl Headers {
    /// All headers in order.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = FieldRef<'_>> + Clone {
        self.fields.iter().map(|field| FieldRef {
            name: field.name,
            name_text: self.name_text(field),
            value: self.slice(field.value),
        })
    }

    /// The first value of that name.
    pub fn value(&self, name: HeaderName) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// All values of that name, one per header line.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> + Clone {
        let of_name = self.fields.iter().filter(move |field| field.name == name);
        of_name.map(|field| self.slice(field.value))
    }

    /// All values of a name given as text, known or not, full or compact.
    pub fn values_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + Clone {
        let known = HeaderName::parse(name.as_bytes());
        self.fields().filter_map(move |field| {
            let same = match known {
                HeaderName::Other => field.name_text.eq_ignore_ascii_case(name),
                known => field.name == known,
            };
            same.then_some(field.value)
        })
    }

    /// The first value of that name, if it is UTF-8.
    pub fn text(&self, name: HeaderName) -> Option<&str> {
        grammar::text(self.value(name)?)
    }

    /// The first value of that name as a number.
    pub fn number(&self, name: HeaderName) -> Option<u64> {
        grammar::number(self.value(name)?)
    }

    /// The first value of that name as whole seconds, clamped to 2^32-1 of them.
    pub fn seconds(&self, name: HeaderName) -> Option<Duration> {
        seconds(self.value(name)?)
    }

    /// All elements of a comma-joined header, over all its lines.
    pub fn elements(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> + Clone {
        self.values(name).flat_map(grammar::elements).filter(|element| !element.is_empty())
    }

    /// All elements of a header that is a list of tokens: Require, Supported, Allow, ..
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = &str> + Clone {
        self.elements(name).filter_map(grammar::text)
    }

    /// Whether a header that is a list of tokens holds this one.
    pub fn has_token(&self, name: HeaderName, token: &str) -> bool {
        self.tokens(name).any(|found| found.eq_ignore_ascii_case(token))
    }

    /// The topmost Via. Always there in a parsed message.
    pub fn via(&self) -> Option<Via<'_>> {
        self.vias().next()
    }

    /// All Via values from the top down.
    pub fn vias(&self) -> impl Iterator<Item = Via<'_>> + Clone {
        self.elements(HeaderName::Via).filter_map(Via::parse)
    }

    /// The From address. Always there in a parsed message.
    pub fn from_header(&self) -> Option<NameAddrRef<'_>> {
        self.address(HeaderName::From)
    }

    /// The To address. Always there in a parsed message.
    pub fn to_header(&self) -> Option<NameAddrRef<'_>> {
        self.address(HeaderName::To)
    }

    /// The tag of From.
    pub fn from_tag(&self) -> Option<&str> {
        self.from_header()?.tag()
    }

    /// The tag of To; absent outside a dialog.
    pub fn to_tag(&self) -> Option<&str> {
        self.to_header()?.tag()
    }

    /// The Call-ID's text. Always there in a parsed message.
    pub fn call_id(&self) -> Option<&str> {
        self.text(HeaderName::CallId)
    }

    /// The CSeq. Always there in a parsed message.
    pub fn cseq(&self) -> Option<CSeq> {
        CSeq::parse(self.value(HeaderName::CSeq)?)
    }

    /// The first value of a header that is a name-addr: Refer-To, P-Asserted-Identity, ..
    pub fn address(&self, name: HeaderName) -> Option<NameAddrRef<'_>> {
        NameAddrRef::parse(self.value(name)?)
    }

    /// All values of a header that is a list of name-addrs, in order.
    pub fn addresses(&self, name: HeaderName) -> impl Iterator<Item = NameAddrRef<'_>> + Clone {
        self.elements(name).filter_map(NameAddrRef::parse)
    }

    /// The Contact headers.
    pub fn contacts(&self) -> Contacts<'_> {
        if self.elements(HeaderName::Contact).any(|element| element == b"*") {
            return Contacts::Star;
        }
        Contacts::List(self.addresses(HeaderName::Contact).collect())
    }

    /// The first Contact address.
    pub fn contact(&self) -> Option<NameAddrRef<'_>> {
        self.addresses(HeaderName::Contact).next()
    }

    /// The Route set in order.
    pub fn routes(&self) -> impl Iterator<Item = NameAddrRef<'_>> + Clone {
        self.addresses(HeaderName::Route)
    }

    /// The Record-Route set in order.
    pub fn record_routes(&self) -> impl Iterator<Item = NameAddrRef<'_>> + Clone {
        self.addresses(HeaderName::RecordRoute)
    }

    /// Max-Forwards.
    pub fn max_forwards(&self) -> Option<u8> {
        u8::try_from(self.number(HeaderName::MaxForwards)?).ok()
    }

    /// Expires. A malformed one counts as absent (RFC 3261 §10.3).
    pub fn expires(&self) -> Option<Duration> {
        self.seconds(HeaderName::Expires)
    }

    /// Whether the sender supports, or requires, this option.
    pub fn supports(&self, option: &str) -> bool {
        self.has_token(HeaderName::Supported, option) || self.requires(option)
    }

    /// Whether the sender requires this option.
    pub fn requires(&self, option: &str) -> bool {
        self.has_token(HeaderName::Require, option)
    }

    /// Content-Type.
    pub fn content_type(&self) -> Option<MediaType<'_>> {
        MediaType::parse(self.value(HeaderName::ContentType)?)
    }

    /// User-Agent, or Server in a response.
    pub fn user_agent(&self) -> Option<&[u8]> {
        self.value(HeaderName::UserAgent).or_else(|| self.value(HeaderName::Server))
    }
}

/// Changes.
impl Headers {
    /// Adds a header at the end.
    ///
    /// Line ends and other control characters in the value become spaces: no value can begin
    /// another header. Setting [`HeaderName::Other`] does nothing: see [`Headers::push_named`].
    pub fn push(&mut self, name: HeaderName, value: impl HeaderValue) {
        if name != HeaderName::Other {
            let value = self.add_value(&value);
            self.fields.push(Field { name, name_text: Span::default(), value });
        }
    }

    /// Adds a header at the end, by any name.
    ///
    /// # Errors
    /// When the name is no token.
    pub fn push_named(
        &mut self,
        name: &str,
        value: impl HeaderValue,
    ) -> Result<(), InvalidHeaderName> {
        if !grammar::is_token(name.as_bytes()) {
            return Err(InvalidHeaderName);
        }
        let known = HeaderName::parse(name.as_bytes());
        let name_text = self.add(|out| out.extend_from_slice(name.as_bytes()));
        let value = self.add_value(&value);
        self.fields.push(Field { name: known, name_text, value });
        Ok(())
    }

    /// Adds a header before all others of its name.
    pub fn prepend(&mut self, name: HeaderName, value: impl HeaderValue) {
        if name != HeaderName::Other {
            let value = self.add_value(&value);
            let at = self.fields.iter().position(|field| field.name == name);
            let field = Field { name, name_text: Span::default(), value };
            self.fields.insert(at.unwrap_or(self.fields.len()), field);
        }
    }

    /// Makes this the only header of its name, in the place of the first.
    pub fn set(&mut self, name: HeaderName, value: impl HeaderValue) {
        let value = self.add_value(&value);
        let mut is_set = false;
        self.fields.retain_mut(|field| {
            let is_same = field.name == name;
            let is_first = is_same && !is_set;
            is_set |= is_same;
            if is_first {
                field.value = value;
            }
            !is_same || is_first
        });
        if !is_set && name != HeaderName::Other {
            self.fields.push(Field { name, name_text: Span::default(), value });
        }
    }

    /// Takes all headers of that name out.
    pub fn remove(&mut self, name: HeaderName) {
        self.fields.retain(|field| field.name != name);
    }

    /// Takes all headers out whose name, given as text, is this.
    pub fn remove_named(&mut self, name: &str) {
        let known = HeaderName::parse(name.as_bytes());
        let mut fields = std::mem::take(&mut self.fields);
        fields.retain(|field| match known {
            HeaderName::Other => !self.name_text(field).eq_ignore_ascii_case(name),
            known => field.name != known,
        });
        self.fields = fields;
    }

    /// Puts a Via on top, asking for the response at our source port (RFC 3581 §3).
    pub fn push_via(&mut self, transport: &str, sent_by: impl fmt::Display, branch: &Branch) {
        let via = format_args!("SIP/2.0/{transport} {sent_by};rport;branch={branch}").to_string();
        self.prepend(HeaderName::Via, via);
    }

    /// Takes the topmost Via off, also when it is joined with others in one line.
    pub fn pop_via(&mut self) {
        self.pop_element(HeaderName::Via);
    }

    /// Takes the topmost Route off, also when it is joined with others in one line.
    pub fn pop_route(&mut self) {
        self.pop_element(HeaderName::Route);
    }

    /// Gives the To header this tag unless it has one already.
    pub fn set_to_tag(&mut self, tag: &Tag) {
        if self.to_tag().is_some() {
            return;
        }
        if let Some(to) = self.value(HeaderName::To) {
            let mut value = to.to_vec();
            value.extend_from_slice(b";tag=");
            value.extend_from_slice(tag.as_str().as_bytes());
            self.set(HeaderName::To, value);
        }
    }

    /// Copies all headers of that name from another message, exactly as they are.
    pub fn copy(&mut self, name: HeaderName, from: &Self) {
        for value in from.values(name) {
            let value = self.add(|out| out.extend_from_slice(value));
            self.fields.push(Field { name, name_text: Span::default(), value });
        }
    }

    /// Replaces the topmost element of a list header, keeping those joined to it.
    pub(crate) fn replace_first_element(&mut self, name: HeaderName, element: Vec<u8>) {
        let Some(at) = self.fields.iter().position(|field| field.name == name) else { return };
        let Some(field) = self.fields.get(at).copied() else { return };
        let mut value = element;
        let old = self.slice(field.value);
        if let Some(comma) = grammar::find_outside(old, b',') {
            value.extend_from_slice(old.get(comma..).unwrap_or_default());
        }
        let value = self.add_value(&value);
        if let Some(field) = self.fields.get_mut(at) {
            field.value = value;
        }
    }

    fn pop_element(&mut self, name: HeaderName) {
        let Some(at) = self.fields.iter().position(|field| field.name == name) else { return };
        let Some(field) = self.fields.get_mut(at) else { return };
        let place = match field.value.place {
            Place::Buffer => &self.buffer[..],
            Place::Added => &self.added[..],
        };
        let old = field.value.of(place);
        match grammar::find_outside(old, b',') {
            Some(comma) => {
                let rest = old.get(comma + 1..).unwrap_or_default();
                let trimmed = rest.trim_ascii_start();
                field.value.start += (old.len() - trimmed.len()) as u32;
                field.value.length = trimmed.len() as u32;
            }
            None => {
                self.fields.remove(at);
            }
        }
    }

    fn add_value(&mut self, value: &impl HeaderValue) -> Span {
        let span = self.add(|out| value.write_value(out));
        for b in self.added.get_mut(span.start as usize..).unwrap_or_default() {
            if grammar::is_control(*b) {
                *b = b' ';
            }
        }
        span
    }

    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = self.added.len();
        write(&mut self.added);
        Span::new(Place::Added, start, self.added.len() - start)
    }
}

/// Building and reading for the parser and the messages.
impl Headers {
    pub(crate) fn over(buffer: Bytes, capacity: usize) -> Self {
        Self { buffer, added: Vec::new(), fields: Vec::with_capacity(capacity) }
    }

    /// Indexes a header that stands in the buffer.
    pub(crate) fn index(
        &mut self,
        name: HeaderName,
        name_text: (usize, usize),
        value: (usize, usize),
    ) {
        let span = |(start, end): (usize, usize)| Span::new(Place::Buffer, start, end - start);
        self.fields.push(Field { name, name_text: span(name_text), value: span(value) });
    }

    /// Indexes a header whose name stands in the buffer and whose value had to be unfolded.
    pub(crate) fn index_unfolded(
        &mut self,
        name: HeaderName,
        (start, end): (usize, usize),
        value: &[u8],
    ) {
        let name_text = Span::new(Place::Buffer, start, end - start);
        let value = self.add(|out| out.extend_from_slice(value));
        self.fields.push(Field { name, name_text, value });
    }

    pub(crate) fn span_of_buffer(&self, start: usize, end: usize) -> Span {
        Span::new(Place::Buffer, start, end - start)
    }

    pub(crate) fn add_text(&mut self, text: &[u8]) -> Span {
        self.add_value(&text)
    }

    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        match span.place {
            Place::Buffer => span.of(&self.buffer),
            Place::Added => span.of(&self.added),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Writes all headers, Via first and Content-Length last, and the blank line.
    pub(crate) fn write(&self, out: &mut Vec<u8>, body_length: usize) {
        for field in self.canonical_order() {
            out.extend_from_slice(field.name_text.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(field.value);
            out.extend_from_slice(b"\r\n");
        }
        // Writing to a Vec does not fail.
        let _ = write!(out, "Content-Length: {body_length}\r\n\r\n");
    }

    /// Upper bound of what [`Headers::write`] appends.
    pub(crate) fn written_length(&self) -> usize {
        self.fields().map(|field| field.name_text.len() + field.value.len() + 4).sum::<usize>() + 40
    }

    /// Via first, the rest as it stands, Content-Length left out: it is computed.
    fn canonical_order(&self) -> impl Iterator<Item = FieldRef<'_>> {
        let vias = self.fields().filter(|field| field.name == HeaderName::Via);
        let others = self.fields().filter(|field| {
            field.name != HeaderName::Via && field.name != HeaderName::ContentLength
        });
        vias.chain(others)
    }

    fn name_text(&self, field: &Field) -> &str {
        match field.name {
            HeaderName::Other => grammar::text(self.slice(field.name_text)).unwrap_or_default(),
            known => known.as_str(),
        }
    }
}

impl Span {
    fn new(place: Place, start: usize, length: usize) -> Self {
        // Messages are limited to 64 KiB on the way in; a message of 4 GiB built here would lose
        // the header, never read the wrong one.
        match (u32::try_from(start), u32::try_from(length)) {
            (Ok(start), Ok(length)) => Self { place, start, length },
            _ => Self::default(),
        }
    }

    fn of(self, text: &[u8]) -> &[u8] {
        let start = self.start as usize;
        text.get(start..start + self.length as usize).unwrap_or_default()
    }
}

impl PartialEq for Headers {
    /// The same headers in the same order, leaving aside where Via stands among the others and
    /// Content-Length, which follows from the body.
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (FieldRef<'_>, FieldRef<'_>)| {
            a.name_text.eq_ignore_ascii_case(b.name_text) && a.value == b.value
        };
        self.canonical_order().count() == other.canonical_order().count()
            && self.canonical_order().zip(other.canonical_order()).all(same)
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for field in self.fields() {
            map.entry(&field.name_text, &format_args!("{}", field.value.escape_ascii()));
        }
        map.finish()
    }
}

impl HeaderValue for [u8] {
    fn write_value(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl HeaderValue for Vec<u8> {
    fn write_value(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl HeaderValue for str {
    fn write_value(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl<T: HeaderValue + ?Sized> HeaderValue for &T {
    fn write_value(&self, out: &mut Vec<u8>) {
        (**self).write_value(out);
    }
}

macro_rules! written_by_display {
    ($($kind:ty),+ $(,)?) => {
        $(impl HeaderValue for $kind {
            fn write_value(&self, out: &mut Vec<u8>) {
                // Writing to a Vec does not fail.
                let _ = write!(out, "{self}");
            }
        })+
    };
}

written_by_display!(
    String,
    u8,
    u16,
    u32,
    u64,
    usize,
    CSeq,
    CallId,
    super::Method,
    super::header::NameAddr,
    fmt::Arguments<'_>,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_cannot_begin_another_header() {
        let mut headers = Headers::default();
        headers.push(HeaderName::Subject, "a\r\nVia: x\0");
        assert_eq!(headers.value(HeaderName::Subject), Some(&b"a  Via: x "[..]));
        assert_eq!(headers.push_named("Bad Name", "x"), Err(InvalidHeaderName));
        assert_eq!(headers.push_named("X:", "x"), Err(InvalidHeaderName));
    }

    #[test]
    fn topmost_via_is_popped_from_a_joined_line() {
        let mut headers = Headers::default();
        headers.push(HeaderName::Via, "SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2");
        headers.push(HeaderName::Via, "SIP/2.0/UDP c;branch=3");
        let hosts = |headers: &Headers| {
            headers.vias().map(|via| via.host_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(hosts(&headers), ["a", "b", "c"]);
        headers.pop_via();
        assert_eq!(hosts(&headers), ["b", "c"]);
        headers.pop_via();
        headers.pop_via();
        headers.pop_via();
        assert!(headers.via().is_none());
    }

    #[test]
    fn set_replaces_all_in_the_place_of_the_first() {
        let mut headers = Headers::default();
        for value in ["1", "2"] {
            headers.push(HeaderName::Expires, value);
            headers.push(HeaderName::Subject, value);
        }
        headers.set(HeaderName::Expires, 3u32);
        let values: Vec<_> = headers.fields().map(|field| field.value).collect();
        assert_eq!(values, [b"3", b"1", b"2"]);
    }

    #[test]
    fn unknown_names_are_found_without_regard_to_case() {
        let mut headers = Headers::default();
        headers.push_named("X-Foo", "1").unwrap();
        headers.push_named("i", "call").unwrap();
        assert_eq!(headers.values_named("x-foo").next(), Some(&b"1"[..]));
        assert_eq!(headers.call_id(), Some("call"));
        headers.remove_named("X-FOO");
        headers.remove_named("Call-ID");
        assert_eq!(headers.fields().count(), 0);
    }

    #[test]
    fn to_tag_is_set_once() {
        let mut headers = Headers::default();
        headers.push(HeaderName::To, "sip:a@h");
        headers.set_to_tag(&Tag::parse("x").unwrap());
        headers.set_to_tag(&Tag::parse("y").unwrap());
        assert_eq!(headers.to_tag(), Some("x"));
    }
}
