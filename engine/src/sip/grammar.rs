//! The character classes and scanners that every SIP grammar rule here is made of.
//!
//! RFC 3261 §25.1. Works on bytes: a header may hold text that is not UTF-8, and no rule of the
//! grammar needs to know. All scanners are linear and look at each byte once.

/// Whether `bytes` is a `token`: at least one byte, all of the token class.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| has(b, TOKEN))
}

/// Whether `b` may stand in a `token`.
pub(crate) fn is_token_byte(b: u8) -> bool {
    has(b, TOKEN)
}

/// Whether `b` may stand in a host name.
///
/// The underscore is no part of RFC 1123 names, but Windows hosts and containers have it.
pub(crate) fn is_host_byte(b: u8) -> bool {
    has(b, HOST)
}

/// Whether `b` may stand in an unquoted parameter value: token and host characters, and what is
/// seen in the field (`/` in media types, `@` in instance names, `+` and `=` of base64).
pub(crate) fn is_value_byte(b: u8) -> bool {
    has(b, VALUE)
}

/// Whether `b` may stand in the user part of a URI, escapes aside. `#` and `^` come from dial pads
/// unescaped; bytes above ASCII from display software that does not escape.
pub(crate) fn is_user_byte(b: u8) -> bool {
    has(b, USER)
}

/// Whether `b` may stand in a URI parameter, escapes aside.
pub(crate) fn is_uri_parameter_byte(b: u8) -> bool {
    has(b, URI_PARAMETER)
}

/// Whether `b` may stand in a header embedded in a URI, escapes aside.
pub(crate) fn is_uri_header_byte(b: u8) -> bool {
    has(b, URI_HEADER)
}

/// Whether `b` is `unreserved` (RFC 3261 §25.1).
pub(crate) fn is_unreserved(b: u8) -> bool {
    has(b, UNRESERVED)
}

/// Whether `bytes` can be a `word` of a Call-ID (RFC 3261 §25.1).
pub(crate) fn is_word(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| has(b, WORD))
}

/// Takes spaces, tabs and line ends off both sides.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// Whether a byte is a control character that no header value may carry bare.
pub(crate) fn is_control(b: u8) -> bool {
    // Without short cuts, so that loops over it become vector code.
    ((b < 0x20) & (b != b'\t')) | (b == 0x7f)
}

/// The text of `bytes` if it is UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Reads a decimal number of digits only; `None` when empty, too large, or anything else is there.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |sum, &b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Where `wanted` first stands outside quoted strings and angle brackets.
pub(crate) fn find_outside(bytes: &[u8], wanted: u8) -> Option<usize> {
    let mut scan = Outside::default();
    bytes.iter().position(|&b| scan.step(b) && b == wanted)
}

/// The length of the quoted string that `bytes` begins with, both quotes included.
///
/// `None` when it does not begin with a quote or the string never closes.
pub(crate) fn quoted_length(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut escaped = false;
    for (at, &b) in bytes.iter().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A rough memory of names, to spare comparing each with all before it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names(u64);

impl Names {
    /// Whether the name may have been added. False is certain.
    pub(crate) fn may_hold(self, name: &[u8]) -> bool {
        self.0 & Self::bit(name) != 0
    }

    /// Adds a name.
    pub(crate) fn add(&mut self, name: &[u8]) {
        self.0 |= Self::bit(name);
    }

    fn bit(name: &[u8]) -> u64 {
        let first = name.first().map_or(0, |b| b & 31);
        1 << ((usize::from(first) + name.len() * 11) % 64)
    }
}

/// Splits a header value at its top-level commas, trimming each element.
///
/// A comma inside a quoted string or inside angle brackets separates nothing.
pub(crate) fn elements(value: &[u8]) -> Elements<'_> {
    Elements { rest: Some(value) }
}

/// Iterator of [`elements`].
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        // Most values hold one element; the fast look spares them the stateful scan.
        let comma = memchr::memchr(b',', rest).and_then(|_| find_outside(rest, b','));
        let element = match comma {
            Some(at) => {
                self.rest = rest.get(at + 1..);
                rest.get(..at).unwrap_or_default()
            }
            None => {
                self.rest = None;
                rest
            }
        };
        Some(trim(element))
    }
}

/// Tracks whether a scan stands outside quotes and angle brackets.
#[derive(Default)]
struct Outside {
    quoted: bool,
    escaped: bool,
    bracketed: bool,
}

impl Outside {
    /// Takes the next byte; true when it is outside.
    fn step(&mut self, b: u8) -> bool {
        if self.quoted {
            match b {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.quoted = false,
                _ => {}
            }
            return false;
        }
        match b {
            b'"' if !self.bracketed => self.quoted = true,
            b'<' => self.bracketed = true,
            b'>' => self.bracketed = false,
            _ => {}
        }
        !self.bracketed && !self.quoted
    }
}

const TOKEN: u8 = 1;
const HOST: u8 = 2;
const WORD: u8 = 4;
const VALUE: u8 = 8;
const USER: u8 = 16;
const URI_PARAMETER: u8 = 32;
const URI_HEADER: u8 = 64;
const UNRESERVED: u8 = 128;

fn has(b: u8, class: u8) -> bool {
    CLASSES[usize::from(b)] & class != 0
}

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    const IN_URI: u8 = USER | URI_PARAMETER | URI_HEADER;
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        let c = b as u8;
        if c.is_ascii_alphanumeric() {
            table[b] = u8::MAX;
        } else if !c.is_ascii() {
            table[b] = VALUE | IN_URI;
        }
        b += 1;
    }
    add(&mut table, b"-.!%*_+`'~", TOKEN | VALUE);
    add(&mut table, b"[]:/@=$&?{}#|^()", VALUE);
    add(&mut table, b"-._", HOST);
    // `@` is no word character, but Call-ID is word [ "@" word ] and nothing turns on where it is.
    add(&mut table, b"-.!%*_+`'~()<>:\\\"/[]?{}@", WORD);
    // Seen in Call-IDs of deployed equipment, and harmless in an opaque string.
    add(&mut table, b"=,;&$#|^", WORD);
    add(&mut table, b"-_.!~*'()", UNRESERVED | IN_URI);
    add(&mut table, b"&=+$,;?/:#^|", USER);
    add(&mut table, b"[]/:&+$=", URI_PARAMETER);
    add(&mut table, b"[]/?:+$=;,@", URI_HEADER);
    table
}

const fn add(table: &mut [u8; 256], bytes: &[u8], class: u8) {
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] |= class;
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        let value = br#""Bell, A" <sip:a,b@x> ;q=1 , <sip:c@d>"#;
        let found: Vec<_> = elements(value).collect();
        assert_eq!(found, [&br#""Bell, A" <sip:a,b@x> ;q=1"#[..], b"<sip:c@d>"]);
    }

    #[test]
    fn escaped_quote_does_not_close_a_quoted_string() {
        assert_eq!(quoted_length(br#""a\"b" x"#), Some(6));
        assert_eq!(quoted_length(br#""never"#), None);
        assert_eq!(quoted_length(br#""ends in escape\"#), None);
    }

    #[test]
    fn numbers_are_digits_only_and_never_wrap() {
        assert_eq!(number(b"0068"), Some(68));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"-1"), None);
        assert_eq!(number(b""), None);
    }
}
