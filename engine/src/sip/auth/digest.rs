//! The arithmetic of digests, and the headers that carry them (RFC 7616 §3.4, §3.5).

use std::borrow::Cow;

use md5::Md5;
use sha2::{Sha256, Sha512_256};

use crate::sip::grammar;
use crate::sip::header::{unescape, unquoted};

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256, which RFC 8760 §2.1 makes mandatory.
    Sha256,
    /// SHA-512 cut to 256 bits.
    Sha512_256,
    /// MD5: what phones without an update can do.
    Md5,
}

/// What proves an identity.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// The password; works with every algorithm.
    Password(&'a [u8]),
    /// MD5 of `username:realm:password` in hexadecimal; works with MD5 and that realm only.
    Md5Hash(&'a [u8]),
}

/// The hexadecimal text of a hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct HexHash {
    digits: [u8; 64],
    length: usize,
}

/// The parameters of a digest header, quotes and escapes resolved.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a> {
    list: Vec<(&'a str, Cow<'a, [u8]>)>,
}

/// What goes into the response besides the secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs<'a> {
    pub(super) algorithm: Algorithm,
    /// The `-sess` variant of the algorithm.
    pub(super) is_session: bool,
    pub(super) username: &'a [u8],
    pub(super) realm: &'a [u8],
    pub(super) nonce: &'a [u8],
    pub(super) method: &'a str,
    pub(super) uri: &'a [u8],
    pub(super) quality: Quality<'a>,
}

/// The quality of protection and what it brings along.
#[derive(Clone, Copy, Debug)]
pub(super) enum Quality<'a> {
    /// Without `qop`, as in RFC 2069.
    None { cnonce: &'a [u8] },
    /// `qop=auth`
    Auth { nc: &'a [u8], cnonce: &'a [u8] },
    /// `qop=auth-int`: the body is covered.
    AuthInt { nc: &'a [u8], cnonce: &'a [u8], body: &'a [u8] },
}

impl Algorithm {
    /// All, strongest first.
    pub const ALL: [Self; 3] = [Self::Sha512_256, Self::Sha256, Self::Md5];

    /// The name as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
            Self::Md5 => "MD5",
        }
    }

    /// Reads a name; the second value tells the `-sess` variant.
    pub(super) fn parse(name: &[u8]) -> Option<(Self, bool)> {
        let (name, is_session) = match name.len().checked_sub(5).map(|at| name.split_at(at)) {
            Some((name, suffix)) if suffix.eq_ignore_ascii_case(b"-sess") => (name, true),
            _ => (name, false),
        };
        let found =
            Self::ALL.iter().find(|it| it.as_str().as_bytes().eq_ignore_ascii_case(name))?;
        Some((*found, is_session))
    }

    /// The hash of the parts joined by colons.
    pub(super) fn hash(self, parts: &[&[u8]]) -> HexHash {
        fn joined<D: sha2::Digest>(parts: &[&[u8]]) -> HexHash {
            let mut hash = D::new();
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    hash.update(b":");
                }
                hash.update(part);
            }
            HexHash::new(&hash.finalize())
        }
        match self {
            Self::Sha256 => joined::<Sha256>(parts),
            Self::Sha512_256 => joined::<Sha512_256>(parts),
            Self::Md5 => joined::<Md5>(parts),
        }
    }
}

impl Inputs<'_> {
    /// The response for a secret; `None` for a stored hash that does not suit the algorithm.
    pub(super) fn response(&self, secret: Secret<'_>) -> Option<HexHash> {
        let ha1 = match secret {
            Secret::Password(password) => {
                self.algorithm.hash(&[self.username, self.realm, password])
            }
            Secret::Md5Hash(hash) if self.algorithm == Algorithm::Md5 => HexHash::read(hash)?,
            Secret::Md5Hash(_) => return None,
        };
        Some(self.response_of(&ha1))
    }

    fn response_of(&self, ha1: &HexHash) -> HexHash {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let cnonce = match self.quality {
            Quality::None { cnonce }
            | Quality::Auth { cnonce, .. }
            | Quality::AuthInt { cnonce, .. } => cnonce,
        };
        let ha1 = match self.is_session {
            true => hash(&[ha1.as_bytes(), self.nonce, cnonce]),
            false => *ha1,
        };
        let method = self.method.as_bytes();
        match self.quality {
            Quality::None { .. } => {
                let ha2 = hash(&[method, self.uri]);
                hash(&[ha1.as_bytes(), self.nonce, ha2.as_bytes()])
            }
            Quality::Auth { nc, cnonce } => {
                let ha2 = hash(&[method, self.uri]);
                hash(&[ha1.as_bytes(), self.nonce, nc, cnonce, b"auth", ha2.as_bytes()])
            }
            Quality::AuthInt { nc, cnonce, body } => {
                let ha2 = hash(&[method, self.uri, hash(&[body]).as_bytes()]);
                hash(&[ha1.as_bytes(), self.nonce, nc, cnonce, b"auth-int", ha2.as_bytes()])
            }
        }
    }
}

impl HexHash {
    fn new(hash: &[u8]) -> Self {
        let mut digits = [b'0'; 64];
        let length = (hash.len() * 2).min(digits.len());
        for (pair, byte) in digits.chunks_exact_mut(2).zip(hash) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        Self { digits, length }
    }

    /// Takes hexadecimal text, in lower case; `None` when it is none or too long.
    fn read(text: &[u8]) -> Option<Self> {
        let mut digits = [b'0'; 64];
        let fits = digits.get_mut(..text.len())?;
        fits.copy_from_slice(text);
        fits.make_ascii_lowercase();
        text.iter().all(u8::is_ascii_hexdigit).then_some(Self { digits, length: text.len() })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }

    pub(super) fn as_str(&self) -> &str {
        grammar::text(self.as_bytes()).unwrap_or_default()
    }

    /// Whether `text` is this hash, in the same time whichever digit differs. Hexadecimal digits
    /// are lower case by RFC 7616 §3.3, but some clients write them in upper case.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        use subtle::ConstantTimeEq as _;
        let lower = text.get(..self.length).unwrap_or_default().to_ascii_lowercase();
        let same_length = text.len() == self.length;
        same_length & bool::from(lower.ct_eq(self.as_bytes()))
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl<'a> Fields<'a> {
    /// Reads `Digest name=value, ..`; `None` for another scheme, anything malformed or repeated, or
    /// more than 32 parameters.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let value = grammar::trim(value);
        let (scheme, rest) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"Digest") || !rest.first()?.is_ascii_whitespace() {
            return None;
        }
        let mut fields = Self::default();
        for element in grammar::elements(rest) {
            let equals = memchr::memchr(b'=', element)?;
            let (name, value) = element.split_at_checked(equals)?;
            let name = name.trim_ascii_end();
            let value = value.get(1..)?.trim_ascii_start();
            let is_value = match value.first() {
                Some(b'"') => grammar::quoted_length(value) == Some(value.len()),
                _ => !value.iter().any(|b| b.is_ascii_whitespace() || *b == b'"'),
            };
            let name = grammar::text(name).filter(|name| grammar::is_token(name.as_bytes()))?;
            if !is_value || fields.has(name) || fields.list.len() >= 32 {
                return None;
            }
            fields.list.push((name, unescape(unquoted(value))));
        }
        Some(fields)
    }

    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.list.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The algorithm; MD5 when none is named (RFC 7616 §3.3). `None` for an unknown one.
    pub(super) fn algorithm(&self) -> Option<(Algorithm, bool)> {
        match self.get("algorithm") {
            Some(name) => Algorithm::parse(name),
            None => Some((Algorithm::Md5, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(algorithm: Algorithm) -> Inputs<'static> {
        // RFC 7616 §3.9.1.
        Inputs {
            algorithm,
            is_session: false,
            username: b"Mufasa",
            realm: b"http-auth@example.org",
            nonce: b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            method: "GET",
            uri: b"/dir/index.html",
            quality: Quality::Auth {
                nc: b"00000001",
                cnonce: b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            },
        }
    }

    #[test]
    fn responses_are_those_of_the_rfc() {
        let password = Secret::Password(b"Circle of Life");
        let of = |algorithm| example(algorithm).response(password).unwrap();
        assert_eq!(of(Algorithm::Md5).as_str(), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            of(Algorithm::Sha256).as_str(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn stored_hash_works_with_md5_only() {
        let md5 = Algorithm::Md5.hash(&[b"Mufasa", b"http-auth@example.org", b"Circle of Life"]);
        let secret = Secret::Md5Hash(md5.as_bytes());
        let response = example(Algorithm::Md5).response(secret).unwrap();
        assert_eq!(response.as_str(), "8ca523f5e9506fed4657c9700eebdbec");
        assert!(example(Algorithm::Sha256).response(secret).is_none());
    }

    #[test]
    fn comparison_takes_upper_case_and_nothing_else() {
        let hash = Algorithm::Md5.hash(&[b"x"]);
        assert!(hash.matches(hash.as_bytes()));
        assert!(hash.matches(&hash.as_bytes().to_ascii_uppercase()));
        assert!(!hash.matches(b""));
        assert!(!hash.matches(&hash.as_bytes()[1..]));
        assert!(!hash.matches(&[hash.as_bytes(), b"0"].concat()));
    }

    #[test]
    fn header_fields_are_read_quoted_or_not_once_each() {
        let fields = Fields::parse(br#"digest username="a, \"b\"", qop=auth ,nc = 0000001F"#);
        let fields = fields.unwrap();
        assert_eq!(fields.get("Username"), Some(&br#"a, "b""#[..]));
        assert_eq!(fields.get("qop"), Some(&b"auth"[..]));
        assert_eq!(fields.get("nc"), Some(&b"0000001F"[..]));
        assert_eq!(fields.algorithm(), Some((Algorithm::Md5, false)));
        for value in [
            &b"NoOneKnowsThisScheme opaque-data=here"[..],
            b"Digest",
            b"Digest a",
            b"Digest a=1,A=2",
            b"Digest a=\"x",
            b"Digest a=\"x\"y",
            b"Digest =x",
        ] {
            assert!(Fields::parse(value).is_none(), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn algorithm_names_are_read_with_their_session_variant() {
        assert_eq!(Algorithm::parse(b"sha-256-SESS"), Some((Algorithm::Sha256, true)));
        assert_eq!(Algorithm::parse(b"SHA-512-256"), Some((Algorithm::Sha512_256, false)));
        assert_eq!(Algorithm::parse(b"AKAv1-MD5"), None);
        assert_eq!(Algorithm::parse(b""), None);
    }
}
