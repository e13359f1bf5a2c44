//! Keys of a telephone, and the ways they travel.

use std::fmt;

pub(crate) mod inband;
pub(crate) mod telephone_event;

/// A key: 0 to 9, `*`, `#`, A to D.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    /// Reads a key as written in a dialplan; `a` to `d` count too.
    pub const fn from_char(character: char) -> Option<Self> {
        let event = match character {
            '0'..='9' => character as u8 - b'0',
            '*' => 10,
            '#' => 11,
            'A'..='D' => character as u8 - b'A' + 12,
            'a'..='d' => character as u8 - b'a' + 12,
            _ => return None,
        };
        Some(Self(event))
    }

    /// The key as written in a dialplan.
    pub const fn as_char(self) -> char {
        KEYS[self.0 as usize] as char
    }

    /// Reads an event code (RFC 4733 §3.2, table 3); `None` for flash and everything beyond.
    pub const fn from_event(event: u8) -> Option<Self> {
        if event < 16 { Some(Self(event)) } else { None }
    }

    /// The event code (RFC 4733 §3.2, table 3).
    pub const fn event(self) -> u8 {
        self.0
    }

    /// The low and the high frequency in hertz (ITU-T Q.23).
    pub const fn frequencies(self) -> (u16, u16) {
        const LOW: [u16; 4] = [697, 770, 852, 941];
        const HIGH: [u16; 4] = [1209, 1336, 1477, 1633];
        let (row, column) = match self.0 {
            0 => (3, 1),
            10 => (3, 0),
            11 => (3, 2),
            event @ 12..=15 => (event - 12, 3),
            event => ((event - 1) / 3, (event - 1) % 3),
        };
        (LOW[row as usize], HIGH[column as usize])
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digit({})", self.as_char())
    }
}

const KEYS: [u8; 16] = *b"0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back_as_itself() {
        for (event, &key) in (0..).zip(KEYS.iter()) {
            let digit = Digit::from_char(char::from(key)).unwrap();
            assert_eq!(digit.event(), event);
            assert_eq!(digit.as_char(), char::from(key));
            assert_eq!(Digit::from_event(event), Some(digit));
        }
        assert_eq!(Digit::from_char('d').unwrap().event(), 15);
        assert_eq!(Digit::from_char('w'), None);
        assert_eq!(Digit::from_event(16), None);
    }

    #[test]
    fn keys_sit_where_they_sit_on_a_keypad() {
        let tones = |key| Digit::from_char(key).unwrap().frequencies();
        assert_eq!(tones('1'), (697, 1209));
        assert_eq!(tones('6'), (770, 1477));
        assert_eq!(tones('0'), (941, 1336));
        assert_eq!(tones('*'), (941, 1209));
        assert_eq!(tones('#'), (941, 1477));
        assert_eq!(tones('D'), (941, 1633));
    }
}
