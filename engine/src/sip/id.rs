//! The identifiers that key transactions and dialogs: tag, branch, Call-ID, CSeq.
//!
//! Each is its own type, so that none stands where another belongs. They are cheap to clone, and
//! hash like their text: a map keyed by one can be asked with a `&str` from a message.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::Method;
use super::grammar;
use crate::entropy::Entropy;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $valid:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text if the grammar allows it.
            pub fn parse(text: &str) -> Option<Self> {
                $valid(text.as_bytes()).then(|| Self(text.into()))
            }

            /// The text as written on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

identifier! {
    /// A From or To tag: one side's half of a dialog's identity (RFC 3261 §19.3).
    Tag, grammar::is_token
}

identifier! {
    /// The Via branch that keys a transaction (RFC 3261 §8.1.1.7).
    Branch, grammar::is_token
}

identifier! {
    /// A Call-ID; compared byte by byte (RFC 3261 §20.8).
    CallId, grammar::is_word
}

impl Tag {
    /// A new tag of 64 random bits; the RFC asks for 32 at least.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(entropy.hex::<16>().as_str().into())
    }
}

impl Branch {
    /// What a branch begins with when its sender follows RFC 3261 rather than RFC 2543.
    pub const MAGIC_COOKIE: &'static str = "z9hG4bK";

    /// A new branch: the magic cookie and 96 random bits.
    pub fn random(entropy: &mut Entropy) -> Self {
        let mut text = String::with_capacity(Self::MAGIC_COOKIE.len() + 24);
        text.push_str(Self::MAGIC_COOKIE);
        text.push_str(entropy.hex::<24>().as_str());
        Self(text.into())
    }

    /// Whether the branch is unique by itself (RFC 3261 §8.1.1.7).
    pub fn has_magic_cookie(&self) -> bool {
        // Tokens compare without regard to case (RFC 3261 §7.3.1).
        self.0.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(Self::MAGIC_COOKIE))
    }
}

impl CallId {
    /// A new Call-ID of 128 random bits, without a host: nothing of ours leaks.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(entropy.hex::<32>().as_str().into())
    }
}

/// A CSeq: the sequence number of a request within its dialog, and its method (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The sequence number, below 2^31.
    pub number: u32,
    /// The method of the request.
    pub method: Method,
}

impl CSeq {
    /// Pairs a number with a method.
    pub fn new(number: u32, method: Method) -> Self {
        Self { number, method }
    }

    /// Reads `number method`; `None` for anything else, or a number of 2^31 and more
    /// (RFC 3261 §8.1.1.5).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let end = value.iter().position(u8::is_ascii_whitespace)?;
        let (number, method) = value.split_at_checked(end)?;
        let number = u32::try_from(grammar::number(number)?).ok().filter(|&n| n < 1 << 31)?;
        Some(Self { number, method: Method::parse(grammar::trim(method))? })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn map_keyed_by_call_id_is_asked_with_text() {
        let map = HashMap::from([(CallId::parse("a@b").unwrap(), 1)]);
        assert_eq!(map.get("a@b"), Some(&1));
    }

    #[test]
    fn cseq_of_2_to_the_31_is_refused() {
        assert_eq!(CSeq::parse(b"2147483647 INVITE").unwrap().number, 2_147_483_647);
        assert_eq!(CSeq::parse(b"2147483648 INVITE"), None);
        assert_eq!(CSeq::parse(b"36893488147419103232 REGISTER"), None);
        assert_eq!(CSeq::parse(b"0009\t INVITE").unwrap(), CSeq::new(9, Method::Invite));
        assert_eq!(CSeq::parse(b"1"), None);
        assert_eq!(CSeq::parse(b"1 IN VITE"), None);
    }

    #[test]
    fn random_identifiers_obey_their_own_grammar() {
        let mut entropy = Entropy::new(7);
        assert!(Tag::parse(Tag::random(&mut entropy).as_str()).is_some());
        let branch = Branch::random(&mut entropy);
        assert!(branch.has_magic_cookie());
        assert_ne!(branch, Branch::random(&mut entropy));
        assert!(!Branch::parse("old").unwrap().has_magic_cookie());
    }
}
