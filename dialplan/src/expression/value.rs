//! Values and what the operators do with them.

use std::borrow::Cow;

use super::Surroundings;
use super::lexer::Operator;
use super::number::{Arithmetic, Number};
use crate::regular::Regular;

/// A value: a computed number, or a text that may look like one.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Number(Number),
    /// Digits as written: computes as a number, prints as it stands.
    Numeric(Cow<'a, [u8]>),
    /// Any other text, quotes included.
    Text(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// A text that came out of an operation: digits and points alone count as a number.
    pub(super) fn made(text: Vec<u8>) -> Self {
        let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        if !text.is_empty() && text.iter().all(is_number) {
            Self::Numeric(text.into())
        } else {
            Self::Text(text.into())
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => number.write(out),
            Self::Numeric(text) | Self::Text(text) => out.extend_from_slice(text),
        }
    }

    pub(super) fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Numeric(text) => Number::parse(text),
            Self::Text(_) => None,
        }
    }

    pub(super) fn into_text(self) -> Cow<'a, [u8]> {
        match self {
            Self::Number(number) => {
                let mut out = Vec::with_capacity(24);
                number.write(&mut out);
                out.into()
            }
            Self::Numeric(text) | Self::Text(text) => text,
        }
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// For `|` and `&`, which turn digits into a number on the way.
    fn is_zero_or_empty(&mut self) -> bool {
        match self {
            Self::Number(number) => number.is_zero(),
            Self::Text(text) => text.is_empty(),
            Self::Numeric(text) => match Number::parse(text) {
                Some(number) => {
                    *self = Self::Number(number);
                    number.is_zero()
                }
                None => false,
            },
        }
    }

    /// Before `?`.
    fn is_chosen(&self) -> bool {
        match self {
            Self::Number(number) => !number.is_zero(),
            Self::Numeric(text) => Number::parse(text).is_none_or(|number| !number.is_zero()),
            Self::Text(text) => !matches!(&**text, b"" | b"\"\"" | b"0"),
        }
    }

    /// `-value`.
    pub(super) fn negated(&self, surroundings: &mut dyn Surroundings) -> Self {
        match self.number() {
            Some(number) => Self::Number(number.negated()),
            None => {
                surroundings.warn(format_args!("non-numeric argument to unary minus"));
                Self::Number(Number::ZERO)
            }
        }
    }

    /// `!value`: texts count by the integer they start with.
    pub(super) fn complement(&self) -> Self {
        let is_zero = match self {
            Self::Number(number) => number.is_zero(),
            Self::Numeric(text) | Self::Text(text) => leading_integer(text) == 0,
        };
        Self::truth(is_zero)
    }

    fn truth(is_true: bool) -> Self {
        Self::Number(if is_true { Number::ONE } else { Number::ZERO })
    }

    /// `condition ? this :: other`.
    pub(super) fn choose(condition: &Self, this: Self, other: Self) -> Self {
        if condition.is_chosen() { this } else { other }
    }

    /// `self operator other`.
    pub(super) fn combine(
        mut self,
        operator: Operator,
        mut other: Self,
        surroundings: &mut dyn Surroundings,
    ) -> Self {
        match operator {
            Operator::Or => {
                if self.is_zero_or_empty() {
                    other
                } else {
                    self
                }
            }
            Operator::And => {
                if self.is_zero_or_empty() || other.is_zero_or_empty() {
                    Self::Number(Number::ZERO)
                } else {
                    self
                }
            }
            Operator::Plus => self.plus(&other, surroundings),
            Operator::Minus => self.minus(&other, surroundings),
            Operator::Times => self.times(&other, surroundings),
            Operator::Divide => self.divided(&other, surroundings),
            Operator::Remainder => self.remainder(&other, surroundings),
            Operator::MatchStart | Operator::Match => self.matched(operator, other, surroundings),
            Operator::Join => {
                let mut joined = without_quotes(self.into_text()).into_owned();
                joined.extend_from_slice(&without_quotes(other.into_text()));
                Self::made(joined)
            }
            Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::Greater
            | Operator::LessOrEqual
            | Operator::GreaterOrEqual => self.compared(operator, other),
            // Unary or with three operands: the parser never sends them here.
            Operator::Not | Operator::Conditional => self,
        }
    }

    fn compared(self, operator: Operator, other: Self) -> Self {
        let ordering = if self.is_text() || other.is_text() {
            Some(self.into_text().cmp(&other.into_text()))
        } else {
            match (self.number(), other.number()) {
                (Some(a), Some(b)) => a.compare(b),
                _ => None,
            }
        };
        Self::truth(match operator {
            Operator::NotEqual => ordering.is_none_or(std::cmp::Ordering::is_ne),
            Operator::Less => ordering.is_some_and(std::cmp::Ordering::is_lt),
            Operator::Greater => ordering.is_some_and(std::cmp::Ordering::is_gt),
            Operator::LessOrEqual => ordering.is_some_and(std::cmp::Ordering::is_le),
            Operator::GreaterOrEqual => ordering.is_some_and(std::cmp::Ordering::is_ge),
            _ => ordering.is_some_and(std::cmp::Ordering::is_eq),
        })
    }

    // What a text operand does differs from operator to operator, warnings included (recorded).

    fn plus(&self, other: &Self, surroundings: &mut dyn Surroundings) -> Self {
        Self::Number(match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.combine(Arithmetic::Plus, b),
            (Some(a), None) => a,
            (None, b) => {
                surroundings.warn(format_args!("non-numeric argument to +"));
                b.unwrap_or(Number::ZERO)
            }
        })
    }

    fn minus(&self, other: &Self, surroundings: &mut dyn Surroundings) -> Self {
        let (a, b) = (self.number(), other.number());
        if a.is_none() || b.is_none() {
            surroundings.warn(format_args!("non-numeric argument to -"));
        }
        Self::Number(match (a, b) {
            (Some(a), Some(b)) => a.combine(Arithmetic::Minus, b),
            (Some(a), None) => a,
            (None, Some(b)) => b.negated(),
            (None, None) => Number::ZERO,
        })
    }

    fn times(&self, other: &Self, surroundings: &mut dyn Surroundings) -> Self {
        Self::Number(match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.combine(Arithmetic::Times, b),
            _ => {
                surroundings.warn(format_args!("non-numeric argument to *"));
                Number::ZERO
            }
        })
    }

    fn divided(&self, other: &Self, surroundings: &mut dyn Surroundings) -> Self {
        const LARGEST: Number = Number::Whole(i32::MAX as i64);
        Self::Number(match (self.number(), other.number()) {
            (Some(_), Some(b)) if b.is_zero() => {
                surroundings.warn(format_args!("division by zero"));
                LARGEST
            }
            (Some(a), Some(b)) => a.combine(Arithmetic::Divide, b),
            (a, _) => {
                surroundings.warn(format_args!("non-numeric argument to /"));
                if a.is_some() { LARGEST } else { Number::ZERO }
            }
        })
    }

    fn remainder(&self, other: &Self, surroundings: &mut dyn Surroundings) -> Self {
        Self::Number(match (self.number(), other.number()) {
            (Some(_), Some(b)) if b.is_zero() => {
                surroundings.warn(format_args!("division by zero"));
                Number::ZERO
            }
            (Some(a), Some(b)) => a.combine(Arithmetic::Remainder, b),
            _ => {
                surroundings.warn(format_args!("non-numeric argument to %"));
                Number::ZERO
            }
        })
    }

    /// `:` counts only a match at the start, `=~` one anywhere.
    fn matched(self, operator: Operator, other: Self, surroundings: &mut dyn Surroundings) -> Self {
        let text = without_quotes(self.into_text());
        let pattern = without_quotes(other.into_text());
        let regular = match Regular::parse(&pattern) {
            Ok(regular) => regular,
            Err(error) => {
                surroundings.warn(format_args!("regular expression: {error}"));
                return Self::Text(Cow::Borrowed(b""));
            }
        };
        let found =
            regular.find(&text).filter(|found| operator == Operator::Match || found.start == 0);
        match found {
            Some(found) => match found.first_group {
                Some((start, end)) => Self::made(text[start..end].to_vec()),
                None => Self::Number(Number::Whole((found.end - found.start) as i64)),
            },
            None if regular.has_groups() => Self::Text(Cow::Borrowed(b"")),
            None => Self::Number(Number::ZERO),
        }
    }
}

/// The text, and no quote in it, when it both starts and ends with one.
fn without_quotes(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if text.first() != Some(&b'"') || text.last() != Some(&b'"') {
        return text;
    }
    text.iter().copied().filter(|&byte| byte != b'"').collect::<Vec<_>>().into()
}

/// C's `atoi`.
pub(crate) fn leading_integer(text: &[u8]) -> i64 {
    let blanks =
        text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b).count();
    let text = &text[blanks..];
    let (is_negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let value = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0i64, |sum, byte| sum.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    if is_negative { -value } else { value }
}
