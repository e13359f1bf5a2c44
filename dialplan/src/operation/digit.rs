//! Telephone keys, and sets of them.

/// One telephone key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    /// The key for one of `0-9 A-D a-d * #`.
    #[must_use]
    pub fn new(byte: u8) -> Option<Self> {
        let upper = byte.to_ascii_uppercase();
        KEYS.contains(&upper).then_some(Self(upper))
    }

    /// The key as text.
    #[must_use]
    pub fn as_byte(self) -> u8 {
        self.0
    }
}

/// A set of telephone keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DigitSet(u16);

impl DigitSet {
    /// No key.
    pub const NONE: Self = Self(0);
    /// Every key.
    pub const ALL: Self = Self(u16::MAX);

    /// The keys named in a text; other bytes are ignored.
    #[must_use]
    pub fn from_bytes(text: &[u8]) -> Self {
        text.iter().filter_map(|&byte| Digit::new(byte)).fold(Self::NONE, Self::with)
    }

    /// The set and one key.
    #[must_use]
    pub fn with(self, digit: Digit) -> Self {
        Self(self.0 | Self::bit(digit))
    }

    /// Whether the key is in the set.
    #[must_use]
    pub fn contains(self, digit: Digit) -> bool {
        self.0 & Self::bit(digit) != 0
    }

    /// Whether no key is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn bit(digit: Digit) -> u16 {
        let index = KEYS.iter().position(|&key| key == digit.0).unwrap_or(0);
        1 << index
    }
}

const KEYS: [u8; 16] = *b"0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digit_set_holds_exactly_the_keys_of_its_text() {
        let set = DigitSet::from_bytes(b"19#a?");
        let held: Vec<u8> = KEYS
            .iter()
            .copied()
            .filter(|&key| Digit::new(key).is_some_and(|d| set.contains(d)))
            .collect();
        assert_eq!(held, b"19#A");
        assert!(KEYS.iter().all(|&key| Digit::new(key).is_some_and(|d| DigitSet::ALL.contains(d))));
    }
}
