//! Content-Type: what a body is (RFC 3261 §20.15).

use super::Params;
use crate::sip::grammar;

/// A media type, a view into the message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MediaType<'a> {
    kind: &'a str,
    subtype: &'a str,
    params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Reads `type/subtype;parameters`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (full, params) = value.split_at_checked(end)?;
        let (kind, subtype) = grammar::text(full)?.split_once('/')?;
        let (kind, subtype) = (kind.trim(), subtype.trim());
        let is_valid = grammar::is_token(kind.as_bytes()) && grammar::is_token(subtype.as_bytes());
        is_valid.then_some(Self { kind, subtype, params: Params::parse(params)? })
    }

    /// Whether this is the given type, without regard to case and parameters.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Whether this is `application/sdp`.
    pub fn is_sdp(&self) -> bool {
        self.is("application", "sdp")
    }

    /// The part before the slash.
    pub fn kind(&self) -> &'a str {
        self.kind
    }

    /// The part after the slash.
    pub fn subtype(&self) -> &'a str {
        self.subtype
    }

    /// The parameters, such as `boundary`.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_compares_without_case_and_parameters() {
        let media = MediaType::parse(b"Application / SDP ; charset=utf-8").unwrap();
        assert!(media.is_sdp());
        assert_eq!(media.params().get("charset"), Some("utf-8"));
        assert!(MediaType::parse(b"sdp").is_none());
        assert!(MediaType::parse(b"a/b c").is_none());
    }
}
