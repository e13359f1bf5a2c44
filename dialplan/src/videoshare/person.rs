//! Those whom a room knows, and their numbers.

use bstr::{BStr, BString};

use super::Pin;

/// Somebody whom a room knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The number he calls from and is called at.
    pub number: BString,
    /// For lists and reports.
    pub name: BString,
    /// Whether he is heard.
    pub role: Role,
    /// By which he is known from any telephone.
    pub pin: Option<Pin>,
    /// Who calls whom.
    pub way: Way,
}

impl Person {
    /// One who speaks, and is called or calls.
    pub fn new(number: impl Into<BString>) -> Self {
        Self {
            number: number.into(),
            name: BString::default(),
            role: Role::Speaker,
            pin: None,
            way: Way::Either,
        }
    }
}

/// Whether somebody is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Speaks and hears.
    #[default]
    Speaker,
    /// Hears; an operator may let him speak.
    Listener,
}

impl Role {
    /// As files have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Speaker => "speaker",
            Self::Listener => "listener",
        }
    }
}

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// He calls, and is never called by the house.
    In,
    /// He is called; his own calls are not known by their number.
    Out,
    /// He is called and may call.
    #[default]
    Either,
}

impl Way {
    /// Whether he may come by himself.
    #[must_use]
    pub const fn comes_in(self) -> bool {
        matches!(self, Self::In | Self::Either)
    }

    /// Whether he is called.
    #[must_use]
    pub const fn is_called(self) -> bool {
        matches!(self, Self::Out | Self::Either)
    }
}

/// Whom a number names in a call string: digits, letters and what numbers hold beside them; `None`:
/// it is no number.
#[must_use]
pub fn number(text: &[u8]) -> Option<&BStr> {
    let fits = (1..=LONGEST_NUMBER).contains(&text.len());
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+*#._-".contains(byte);
    (fits && text.iter().all(is_plain)).then(|| BStr::new(text))
}

/// Bytes of a number, at most.
pub const LONGEST_NUMBER: usize = 64;
