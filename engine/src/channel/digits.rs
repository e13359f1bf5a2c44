//! The digits a caller pressed and nobody read yet, and the rule that no press is heard twice.
//!
//! Some phones send one press both in the media, as an RFC 4733 telephone event or a tone, and in a
//! SIP INFO request. A press
//! heard by one method absorbs the same digit by another method for a while, one for one: so "5 5"
//! sent twice is two presses, and a phone that uses one method only never loses any.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::media::Digit;

/// How a press reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigitSource {
    /// RTP: a telephone event (RFC 4733).
    TelephoneEvent,
    /// A tone in the sound.
    Tone,
    /// SIP INFO with `application/dtmf-relay` or `application/dtmf`.
    Info,
}

/// How digits are sent to the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DigitRoute {
    /// As telephone events.
    #[default]
    TelephoneEvents,
    /// As tones in the sound.
    Tones,
    /// As INFO requests, which are the switch's to send.
    Info,
}

/// What became of a press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pressed {
    /// A new press; it waits to be read.
    Queued,
    /// The other method already brought this press.
    Duplicate,
    /// The queue is full: the press is lost.
    Full,
}

/// A set of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DigitSet(u16);

impl DigitSet {
    /// No digit.
    pub const NONE: Self = Self(0);
    /// Every digit.
    pub const ALL: Self = Self(u16::MAX);

    /// The set and one digit.
    #[must_use]
    pub const fn with(self, digit: Digit) -> Self {
        Self(self.0 | 1 << digit.event())
    }

    /// Whether the digit is in the set.
    pub const fn contains(self, digit: Digit) -> bool {
        self.0 & 1 << digit.event() != 0
    }

    /// Whether no digit is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Digit> for DigitSet {
    fn from_iter<I: IntoIterator<Item = Digit>>(digits: I) -> Self {
        digits.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The bounded type-ahead of one channel.
#[derive(Debug, Default)]
pub(crate) struct TypeAhead {
    waiting: VecDeque<Digit>,
    /// Presses that the other method may still repeat, oldest first.
    unpaired: VecDeque<(Digit, DigitSource, Instant)>,
}

impl TypeAhead {
    /// Takes a press.
    pub(crate) fn press(&mut self, digit: Digit, source: DigitSource, now: Instant) -> Pressed {
        self.unpaired.retain(|(_, _, at)| now.saturating_duration_since(*at) < PAIRING);
        let twin = self.unpaired.iter().position(|(d, s, _)| *d == digit && *s != source);
        if let Some(twin) = twin {
            self.unpaired.remove(twin);
            return Pressed::Duplicate;
        }
        if self.unpaired.len() == CAPACITY {
            self.unpaired.pop_front();
        }
        self.unpaired.push_back((digit, source, now));
        if self.waiting.len() == CAPACITY {
            return Pressed::Full;
        }
        self.waiting.push_back(digit);
        Pressed::Queued
    }

    /// The oldest press, taken out.
    pub(crate) fn next(&mut self) -> Option<Digit> {
        self.waiting.pop_front()
    }

    /// The oldest press that `wanted` holds, taken out. Older ones that it does not hold are thrown
    /// away.
    pub(crate) fn next_of(&mut self, wanted: DigitSet) -> Option<Digit> {
        while let Some(digit) = self.waiting.pop_front() {
            if wanted.contains(digit) {
                return Some(digit);
            }
        }
        None
    }

    /// The oldest press that `wanted` holds, taken out; the others stay.
    pub(crate) fn pick(&mut self, wanted: DigitSet) -> Option<Digit> {
        let position = self.waiting.iter().position(|digit| wanted.contains(*digit))?;
        self.waiting.remove(position)
    }

    /// Forgets the presses nobody read.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

/// Longest number anyone types ahead, with room; also bounds what one caller can store.
const CAPACITY: usize = 64;

/// How long a press waits for its twin. An INFO request whose first three copies are lost arrives
/// 3.5 s late (timer E: 0.5 + 1 + 2 s, RFC 3261 §17.1.2.2).
const PAIRING: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    fn digit(character: char) -> Digit {
        Digit::from_char(character).expect("a digit")
    }

    fn typed(digits: &mut TypeAhead) -> String {
        std::iter::from_fn(|| digits.next()).map(Digit::as_char).collect()
    }

    #[test]
    fn a_digit_sent_by_both_methods_is_heard_once() {
        let (mut digits, now) = (TypeAhead::default(), clock());
        let late = now + Duration::from_millis(1500);
        assert_eq!(digits.press(digit('5'), DigitSource::TelephoneEvent, now), Pressed::Queued);
        assert_eq!(digits.press(digit('5'), DigitSource::Info, late), Pressed::Duplicate);
        assert_eq!(typed(&mut digits), "5");
    }

    #[test]
    fn the_same_digit_twice_by_both_methods_is_two_presses() {
        let (mut digits, now) = (TypeAhead::default(), clock());
        for source in [DigitSource::Info, DigitSource::TelephoneEvent] {
            digits.press(digit('5'), source, now);
            digits.press(digit('5'), source, now + Duration::from_millis(200));
        }
        assert_eq!(typed(&mut digits), "55");
    }

    #[test]
    fn one_method_alone_never_loses_a_press() {
        let (mut digits, now) = (TypeAhead::default(), clock());
        for (nth, character) in "1111222".chars().enumerate() {
            let at = now + Duration::from_millis(80 * nth as u64);
            assert_eq!(digits.press(digit(character), DigitSource::Info, at), Pressed::Queued);
        }
        assert_eq!(typed(&mut digits), "1111222");
    }

    #[test]
    fn after_the_pairing_time_the_other_method_is_a_new_press() {
        let (mut digits, now) = (TypeAhead::default(), clock());
        digits.press(digit('1'), DigitSource::Info, now);
        let later = now + PAIRING;
        assert_eq!(digits.press(digit('1'), DigitSource::TelephoneEvent, later), Pressed::Queued);
    }

    #[test]
    fn the_queue_is_bounded() {
        let (mut digits, now) = (TypeAhead::default(), clock());
        for _ in 0..CAPACITY {
            digits.press(digit('1'), DigitSource::Info, now);
        }
        assert_eq!(digits.press(digit('2'), DigitSource::Info, now), Pressed::Full);
        assert_eq!(typed(&mut digits).len(), CAPACITY);
    }

    #[test]
    fn reading_a_wanted_digit_drops_or_keeps_the_others() {
        let (mut digits, now) = (TypeAhead::default(), clock());
        for character in "12#3".chars() {
            digits.press(digit(character), DigitSource::Info, now);
        }
        let hash = DigitSet::NONE.with(digit('#'));
        assert_eq!(digits.pick(hash), Some(digit('#')));
        assert_eq!(digits.next_of(DigitSet::NONE.with(digit('2'))), Some(digit('2')));
        assert_eq!(typed(&mut digits), "3");
    }
}
