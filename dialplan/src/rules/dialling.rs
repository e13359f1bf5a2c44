//! Numbers of rules: how each is dialled, and which user it reaches.
//!
//! With a numbering plan a target is written as people write numbers, and its outgoing rules make of
//! it what is dialled; two ways to write one number are one station.

use bstr::{BStr, BString, ByteSlice};

use super::{Rulebook, User};
use crate::numbering::{Direction, NumberingPlan, is_number};

/// Why a number can not be dialled by a numbering plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumberError {
    /// It holds something else than numbers do.
    #[error(
        "{0} is no number: the numbering plan reads digits, + * #, and spaces . - / ( ) between them"
    )]
    NoNumber(BString),
    /// No country has it.
    #[error("{0} has more than 15 digits behind the +, which no number has")]
    TooLong(BString),
    /// A rule of the plan leaves no digit.
    #[error("the numbering plan leaves no digit of {0}")]
    Nothing(BString),
}

impl Rulebook {
    /// The same book with targets that a numbering plan reads.
    #[must_use]
    pub fn with_numbering(mut self, plan: NumberingPlan) -> Self {
        self.numbering = Some(plan);
        let users: Vec<User> = self.users.values().cloned().collect();
        users.into_iter().for_each(|user| self.insert(user));
        self
    }

    /// What is dialled for a number; without a numbering plan the number without what people write
    /// between its digits.
    ///
    /// # Errors
    /// Why the numbering plan can not read it.
    pub fn dialled(&self, number: &[u8]) -> Result<BString, NumberError> {
        let Some(plan) = &self.numbering else { return Ok(bare(number)) };
        let written = || BString::from(number);
        let text = number.to_str().ok().filter(|text| is_number(text));
        let text = text.ok_or_else(|| NumberError::NoNumber(written()))?;
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        if text.starts_with('+') && digits(text) > E164_DIGITS {
            return Err(NumberError::TooLong(written()));
        }
        let read = plan.apply(Direction::Out, text).number;
        match digits(&read) {
            0 => Err(NumberError::Nothing(written())),
            _ => Ok(bare(read.as_bytes())),
        }
    }

    /// What Dial is given for a number. Bytes that mean something to Dial are left out.
    #[must_use]
    pub fn dial_string(&self, number: &[u8]) -> BString {
        let number = self.dialled_or_bare(number);
        let dial = &self.settings.dial;
        match memchr::memmem::find(dial, PLACEHOLDER) {
            Some(at) => [&dial[..at], &number, &dial[at + PLACEHOLDER.len()..]].concat().into(),
            None => number,
        }
    }

    /// What is dialled for a number, whatever the numbering plan says against it: it was read at
    /// load, and nothing else is left to do with it in a call.
    #[must_use]
    pub fn dialled_or_bare(&self, number: &[u8]) -> BString {
        self.dialled(number).unwrap_or_else(|_| bare(number))
    }

    /// The user whom a number reaches, however it is written.
    #[must_use]
    pub fn user_of(&self, number: &[u8]) -> Option<&User> {
        let plain = plain_number(number);
        let name = self.by_number.get(&plain).or_else(|| self.by_dialled.get(&plain));
        let name = name.or_else(|| {
            self.numbering.as_ref()?;
            let dialled = self.dialled(number).ok()?;
            self.by_dialled.get(&dialled).or_else(|| self.by_number.get(&dialled))
        });
        self.users.get(name?)
    }

    /// The numbers of a user lead to the user, unless they are another's.
    pub(super) fn list_numbers(&mut self, user: &User) {
        for number in &user.numbers {
            self.by_number.entry(plain_number(number)).or_insert_with(|| user.name.clone());
            if self.numbering.is_some()
                && let Ok(dialled) = self.dialled(number)
            {
                self.by_dialled.entry(dialled).or_insert_with(|| user.name.clone());
            }
        }
    }
}

/// A number without what people write between its digits.
#[must_use]
pub fn plain_number(number: &[u8]) -> BString {
    number.iter().copied().filter(|byte| !b" -.()/".contains(byte)).collect::<Vec<u8>>().into()
}

/// A number as a rule keeps it: parentheses mean something to a numbering plan.
pub(super) fn written_number(text: &BStr) -> Option<BString> {
    let text = text.replace("\u{a0}", "");
    let number: BString =
        text.into_iter().filter(|byte| !b" -./".contains(byte)).collect::<Vec<u8>>().into();
    let has_digit = number.iter().any(u8::is_ascii_digit);
    let is_number = has_digit
        && number.len() <= LONGEST_NUMBER
        && number.iter().all(|byte| is_dialled(*byte) || b"()".contains(byte));
    is_number.then_some(number)
}

/// Only what Dial takes as a number.
fn bare(number: &[u8]) -> BString {
    number.iter().copied().filter(|byte| is_dialled(*byte)).collect::<Vec<u8>>().into()
}

/// What a number may hold when it is dialled.
const fn is_dialled(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'#' | b'+' | b'_')
}

/// Stands for the number in [`Settings::dial`](super::Settings::dial).
pub const PLACEHOLDER: &[u8] = b"{number}";
/// Digits of an international number (ITU-T E.164 §6).
const E164_DIGITS: usize = 15;
/// Octets of a target.
const LONGEST_NUMBER: usize = 40;
