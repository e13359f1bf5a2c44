//! Header parameters: `;name=value` lists (RFC 3261 §25.1 `generic-param`).

use std::borrow::Cow;

use crate::sip::grammar::{self, Names};

/// The parameters after a header value, in order. A view: nothing is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    /// From the first semicolon on; empty when there are none.
    raw: &'a [u8],
}

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name, as written; compares without regard to case.
    pub name: &'a str,
    /// The value as written, quotes kept; `None` for a parameter without one.
    pub value: Option<&'a [u8]>,
}

impl<'a> Params<'a> {
    /// Checks a parameter list: empty, or beginning with a semicolon.
    ///
    /// `None` for a malformed, empty or repeated parameter, or more than [`Params::MAX`] of them.
    /// Repeats are refused (RFC 3261 §7.3.1 forbids them): a message with two tags has two readings.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        Self::parse_each(raw, |_| true)
    }

    /// Checks a parameter list, and each parameter by `check`.
    pub(super) fn parse_each(
        raw: &'a [u8],
        mut check: impl FnMut(Param<'a>) -> bool,
    ) -> Option<Self> {
        let params = Self { raw: grammar::trim(raw) };
        let mut rest = params.raw;
        let mut names = Names::default();
        let mut count = 0;
        while !rest.is_empty() {
            let (param, after) = next(rest)?;
            let is_repeated = names.may_hold(param.name.as_bytes())
                && params.iter().take(count).any(|it| it.name.eq_ignore_ascii_case(param.name));
            names.add(param.name.as_bytes());
            count += 1;
            if is_repeated || count > Self::MAX || !check(param) {
                return None;
            }
            rest = after;
        }
        Some(params)
    }

    /// Parameters one value may have.
    pub const MAX: usize = 32;

    /// The parameters in order.
    pub fn iter(self) -> impl Iterator<Item = Param<'a>> {
        let mut rest = self.raw;
        std::iter::from_fn(move || {
            let (param, after) = next(rest)?;
            rest = after;
            Some(param)
        })
    }

    /// A parameter's value as text, quotes taken off; empty when it is there without a value.
    ///
    /// A value that is not UTF-8 counts as absent. Escapes inside quotes are kept: see
    /// [`Params::get_unescaped`].
    pub fn get(self, name: &str) -> Option<&'a str> {
        grammar::text(unquoted(self.find(name)?.value.unwrap_or_default()))
    }

    /// A parameter's value with quotes and escapes resolved.
    pub fn get_unescaped(self, name: &str) -> Option<Cow<'a, [u8]>> {
        Some(unescape(unquoted(self.find(name)?.value.unwrap_or_default())))
    }

    /// Whether the parameter is there, with or without a value.
    pub fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The list as written, from its first semicolon.
    pub fn as_bytes(self) -> &'a [u8] {
        self.raw
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    fn find(self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }
}

/// Takes the quotes off, if there are any.
pub(crate) fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value)
}

/// Resolves the backslash escapes of a quoted string's inside.
pub(crate) fn unescape(inner: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut escaped = false;
    for &b in inner {
        if b == b'\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            out.push(b);
        }
    }
    Cow::Owned(out)
}

/// Reads one parameter with its leading semicolon; the rest begins with the next semicolon.
fn next(raw: &[u8]) -> Option<(Param<'_>, &[u8])> {
    let rest = raw.strip_prefix(b";")?.trim_ascii_start();
    let end = rest.iter().position(|&b| !grammar::is_token_byte(b)).unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end)?;
    // Token bytes are ASCII.
    let name = grammar::text(name).filter(|name| !name.is_empty())?;
    let rest = rest.trim_ascii_start();
    let Some(rest) = rest.strip_prefix(b"=") else {
        return is_end(rest).then_some((Param { name, value: None }, rest));
    };
    let rest = rest.trim_ascii_start();
    let length = match rest.first() {
        Some(b'"') => grammar::quoted_length(rest)?,
        _ => rest.iter().position(|&b| !grammar::is_value_byte(b)).unwrap_or(rest.len()),
    };
    let (value, rest) = rest.split_at_checked(length)?;
    let rest = rest.trim_ascii_start();
    (length > 0 && is_end(rest)).then_some((Param { name, value: Some(value) }, rest))
}

fn is_end(rest: &[u8]) -> bool {
    rest.is_empty() || rest.first() == Some(&b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitespace_around_everything_is_allowed() {
        let params = Params::parse(b" ; branch  =   z9hG4bK9ikj8 ;q=\t0.33; lr").unwrap();
        assert_eq!(params.get("BRANCH"), Some("z9hG4bK9ikj8"));
        assert_eq!(params.get("q"), Some("0.33"));
        assert_eq!(params.get("lr"), Some(""));
        assert_eq!(params.get("none"), None);
        assert_eq!(params.iter().count(), 3);
    }

    #[test]
    fn quoted_values_may_hold_separators_and_escapes() {
        let params = Params::parse(br#";a="x;y=\"z\"";b"#).unwrap();
        assert_eq!(params.get("a"), Some(r#"x;y=\"z\""#));
        assert_eq!(params.get_unescaped("a").unwrap().as_ref(), br#"x;y="z""#);
        assert!(params.has("b"));
    }

    #[test]
    fn malformed_lists_are_refused() {
        for raw in
            [&b";"[..], b";;a", b"a=b", b";=b", b";a=", b";a b", b";a=\"x", b";a;A", b";a=b c"]
        {
            assert!(Params::parse(raw).is_none(), "{}", raw.escape_ascii());
        }
        assert!(Params::parse(b"").unwrap().is_empty());
        let many: Vec<u8> = (0..33).flat_map(|n| format!(";p{n}").into_bytes()).collect();
        assert!(Params::parse(&many).is_none());
    }
}
