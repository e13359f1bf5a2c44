//! PINs, and when they are asked for.

use std::fmt;

use bstr::BString;

/// Digits that nobody is to read in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(BString);

impl Pin {
    /// One of at most [`Pin::LONGEST`] digits; `None`: it is none.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let fits = (1..=Self::LONGEST).contains(&text.len());
        (fits && text.iter().all(u8::is_ascii_digit)).then(|| Self(text.into()))
    }

    /// Whether this is it; takes as long whether it is or not.
    #[must_use]
    pub fn is(&self, typed: &[u8]) -> bool {
        let differ = self.0.iter().zip(typed).fold(0, |differ, (a, b)| differ | (a ^ b));
        self.0.len() == typed.len() && differ == 0
    }

    /// Digits of a PIN, at most.
    pub const LONGEST: usize = 12;
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// When a PIN is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PinRule {
    /// Of those whose number says nothing.
    #[default]
    Unknown,
    /// Of everybody who has one.
    Always,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_never_shown() {
        assert_eq!(format!("{:?}", Pin::parse(b"4711")), "Some(Pin(..))");
        assert!(Pin::parse(b"12a").is_none() && Pin::parse(b"").is_none());
    }
}
