//! Numbers as the reference's machine computes them: x87 long doubles, printed with 18 significant digits.
//!
//! Whole numbers below 2^63 take a short cut through `i64`: both give the same, since an x87 significand
//! holds 64 bits.

use std::cmp::Ordering;

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round, Status};

pub(super) type Extended = X87DoubleExtended;

/// A number. Zero with a minus sign, fractions and numbers beyond `i64` are `Extended`.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// A whole number.
    Whole(i64),
    /// Anything else.
    #[doc(hidden)]
    Extended(X87DoubleExtended),
}

/// Arithmetic between two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Plus,
    Minus,
    Times,
    Divide,
    Remainder,
}

impl Number {
    pub(super) const ZERO: Self = Self::Whole(0);
    pub(super) const ONE: Self = Self::Whole(1);

    /// Reads the longest number at the start of a text: digits with an optional fraction. `None` when the
    /// number is beyond all bounds.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let whole = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
        if whole == text.len() && whole <= 18 {
            return Some(Self::Whole(
                text.iter().fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0')),
            ));
        }
        let fraction = match text.get(whole) {
            Some(b'.') => {
                let rest = &text[whole + 1..];
                &rest[..rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())]
            }
            _ => &[],
        };
        parse_decimal(&text[..whole], fraction).map(Self::from_extended)
    }

    /// Whole seconds and the microseconds cut from the fraction; `None` beyond 64 bits.
    pub(crate) fn seconds_and_micros(self) -> Option<(i64, i64)> {
        let value = match self {
            Self::Whole(value) => return Some((value, 0)),
            Self::Extended(value) => value,
        };
        let seconds = value.round_to_integral(Round::TowardZero).value;
        let million = Extended::from_i128(1_000_000).value;
        let micros = ((value - seconds).value * million).value;
        let whole = |value: Extended| {
            let whole = value.to_i128_r(64, Round::TowardZero, &mut false);
            (!whole.status.intersects(Status::INVALID_OP)).then_some(whole.value as i64)
        };
        Some((whole(seconds)?, whole(micros)?))
    }

    pub(super) fn from_extended(value: Extended) -> Self {
        if value.is_integer() && !value.is_neg_zero() {
            let mut is_exact = false;
            let whole = value.to_i128_r(64, Round::TowardZero, &mut is_exact);
            if is_exact && whole.status == Status::OK {
                return Self::Whole(whole.value as i64);
            }
        }
        Self::Extended(value)
    }

    pub(super) fn extended(self) -> Extended {
        match self {
            Self::Whole(value) => Extended::from_i128(i128::from(value)).value,
            Self::Extended(value) => value,
        }
    }

    pub(super) fn is_zero(self) -> bool {
        match self {
            Self::Whole(value) => value == 0,
            Self::Extended(value) => value.is_zero(),
        }
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Whole(value) if value != 0 && value != i64::MIN => Self::Whole(-value),
            other => Self::from_extended(-other.extended()),
        }
    }

    /// Division by zero is the caller's business.
    pub(super) fn combine(self, operation: Arithmetic, other: Self) -> Self {
        if let (Self::Whole(a), Self::Whole(b)) = (self, other) {
            let whole = match operation {
                Arithmetic::Plus => a.checked_add(b),
                Arithmetic::Minus => a.checked_sub(b),
                // A zero product of a negative factor is minus zero.
                Arithmetic::Times if a != 0 && b != 0 || a >= 0 && b >= 0 => a.checked_mul(b),
                Arithmetic::Divide if a > 0 && b > 0 && a % b == 0 => Some(a / b),
                Arithmetic::Remainder if a >= 0 && b > 0 => Some(a % b),
                _ => None,
            };
            if let Some(whole) = whole {
                return Self::Whole(whole);
            }
        }
        let (a, b) = (self.extended(), other.extended());
        Self::from_extended(match operation {
            Arithmetic::Plus => (a + b).value,
            Arithmetic::Minus => (a - b).value,
            Arithmetic::Times => (a * b).value,
            Arithmetic::Divide => (a / b).value,
            Arithmetic::Remainder => a.c_fmod(b).value,
        })
    }

    /// `None` when one is not a number.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(&b)),
            (a, b) => a.extended().partial_cmp(&b.extended()),
        }
    }

    /// Appends the number as C's `%.18Lg` prints it.
    pub fn write(self, out: &mut Vec<u8>) {
        const EXACT: i64 = 1_000_000_000_000_000_000;
        match self {
            Self::Whole(value) if -EXACT < value && value < EXACT => write_whole(value, out),
            other => write_general(other.extended(), 18, out),
        }
    }
}

/// Appends a whole number.
pub(crate) fn write_whole(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut left = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Digits to the nearest long double. `None` beyond the largest.
fn parse_decimal(whole: &[u8], fraction: &[u8]) -> Option<Extended> {
    // Digits past the 400th can only break a tie: they are replaced by one that says "and more".
    const KEPT: usize = 400;
    let mut digits = String::with_capacity(48);
    let mut exponent = 0i64;
    let mut rest_is_zero = true;
    for (index, &byte) in whole.iter().chain(fraction).enumerate() {
        let is_fraction = index >= whole.len();
        if digits.is_empty() && byte == b'0' {
            exponent -= i64::from(is_fraction);
        } else if digits.len() < KEPT {
            digits.push(byte as char);
            exponent -= i64::from(is_fraction);
        } else {
            rest_is_zero &= byte == b'0';
            exponent += i64::from(!is_fraction);
        }
    }
    if digits.is_empty() {
        return Some(Extended::ZERO);
    }
    if !rest_is_zero {
        digits.push('1');
        exponent -= 1;
    }
    let text = format!("{digits}e{exponent}");
    let parsed = Extended::from_str_r(&text, Round::NearestTiesToEven).ok()?;
    parsed.value.is_finite().then_some(parsed.value)
}

/// C's `%.<precision>Lg`.
pub(super) fn write_general(value: Extended, precision: usize, out: &mut Vec<u8>) {
    if value.is_negative() {
        out.push(b'-');
    }
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(b"inf");
        return;
    }
    if value.is_zero() {
        out.push(b'0');
        return;
    }
    let (digits, exponent) = significant_digits(value, precision);
    let kept = digits.len() - digits.iter().rev().take_while(|&&d| d == b'0').count();
    let digits = &digits[..kept.max(1)];
    if exponent < -4 || exponent >= precision as i32 {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.push(b'e');
        out.push(if exponent < 0 { b'-' } else { b'+' });
        out.extend_from_slice(format!("{:02}", exponent.abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        out.extend_from_slice(digits);
    } else {
        let point = exponent as usize + 1;
        for index in 0..point.max(digits.len()) {
            if index == point {
                out.push(b'.');
            }
            out.push(digits.get(index).copied().unwrap_or(b'0'));
        }
    }
}

/// The first decimal digits of a finite positive or negative value, correctly rounded (ties to even), and the
/// decimal exponent of the first.
fn significant_digits(value: Extended, precision: usize) -> (Vec<u8>, i32) {
    let bits = value.to_bits();
    let significand = bits as u64;
    let biased = ((bits >> 64) & 0x7fff) as i32;
    let exponent = if biased == 0 { 1 } else { biased } - 16383 - 63;
    // value = significand * 2^exponent, exactly; 2^-k is 5^k / 10^k.
    let mut big = Big::from(significand);
    let mut point = 0i32;
    if exponent >= 0 {
        big.shift_left(exponent as u32);
    } else {
        let drop = significand.trailing_zeros().min(exponent.unsigned_abs());
        big = Big::from(significand >> drop);
        let tenths = exponent.unsigned_abs() - drop;
        big.times_power_of_five(tenths);
        point = tenths as i32;
    }
    let mut digits = big.decimal();
    let mut first = digits.len() as i32 - 1 - point;
    if digits.len() > precision {
        let rest = digits.split_off(precision);
        let is_odd = digits[precision - 1] & 1 == 1;
        let is_more = rest[1..].iter().any(|&d| d != b'0');
        let rounds_up = rest[0] > b'5' || rest[0] == b'5' && (is_more || is_odd);
        if rounds_up {
            let nines = digits.iter().rev().take_while(|&&d| d == b'9').count();
            for digit in digits.iter_mut().rev().take(nines) {
                *digit = b'0';
            }
            match digits.len() - nines {
                0 => {
                    digits.insert(0, b'1');
                    digits.pop();
                    first += 1;
                }
                at => digits[at - 1] += 1,
            }
        }
    }
    (digits, first)
}

/// Unsigned whole number of any size, just enough to print one.
struct Big(Vec<u32>);

impl Big {
    fn from(value: u64) -> Self {
        Self(vec![value as u32, (value >> 32) as u32])
    }

    fn shift_left(&mut self, bits: u32) {
        let (words, bits) = ((bits / 32) as usize, bits % 32);
        let mut carry = 0u64;
        for word in &mut self.0 {
            let shifted = (u64::from(*word) << bits) | carry;
            *word = shifted as u32;
            carry = shifted >> 32;
        }
        self.0.push(carry as u32);
        self.0.splice(0..0, std::iter::repeat_n(0, words));
    }

    fn times(&mut self, factor: u32) {
        let mut carry = 0u64;
        for word in &mut self.0 {
            let product = u64::from(*word) * u64::from(factor) + carry;
            *word = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn times_power_of_five(&mut self, mut power: u32) {
        const FIVE_TO_13: u32 = 1_220_703_125;
        while power >= 13 {
            self.times(FIVE_TO_13);
            power -= 13;
        }
        self.times(5u32.pow(power));
    }

    fn decimal(mut self) -> Vec<u8> {
        let mut groups = vec![];
        while !self.0.is_empty() {
            let mut rest = 0u64;
            for word in self.0.iter_mut().rev() {
                let part = (rest << 32) | u64::from(*word);
                *word = (part / 1_000_000_000) as u32;
                rest = part % 1_000_000_000;
            }
            groups.push(rest);
            while self.0.last() == Some(&0) {
                self.0.pop();
            }
        }
        let mut digits = Vec::with_capacity(groups.len() * 9);
        for (index, group) in groups.iter().rev().enumerate() {
            let text = if index == 0 { group.to_string() } else { format!("{group:09}") };
            digits.extend_from_slice(text.as_bytes());
        }
        // The top group of an unshifted number can be zero.
        let zeros = digits.iter().take_while(|&&d| d == b'0').count();
        digits.drain(..zeros.min(digits.len().saturating_sub(1)));
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: Number) -> String {
        let mut out = vec![];
        number.write(&mut out);
        String::from_utf8(out).expect("numbers print as ASCII")
    }

    fn parse(digits: &str) -> Number {
        Number::parse(digits.as_bytes()).expect("within bounds")
    }

    #[test]
    fn prints_as_c_does() {
        assert_eq!(text(parse("0.000001")), "1e-06");
        assert_eq!(text(parse("0.0001")), "0.0001");
        assert_eq!(text(parse("99999999999999999999")), "1e+20");
        assert_eq!(text(parse("0.1")), "0.1");
        assert_eq!(text(parse("3.0")), "3");
        assert_eq!(text(parse(&format!("1{}", "0".repeat(4000)))), "1e+4000");
        assert!(Number::parse("9".repeat(5000).as_bytes()).is_none());
    }

    #[test]
    fn whole_numbers_leave_the_short_cut_without_a_seam() {
        let largest = parse("9223372036854775807");
        assert_eq!(text(largest.combine(Arithmetic::Plus, Number::ONE)), "9.22337203685477581e+18");
        assert_eq!(text(parse("20").negated().combine(Arithmetic::Remainder, parse("3"))), "-2");
        assert_eq!(text(Number::ZERO.negated()), "-0");
    }
}
