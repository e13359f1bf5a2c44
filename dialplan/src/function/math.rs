//! Functions on numbers.

use bstr::BStr;

use super::{Reading, wrong};
use crate::arguments::{scan_double, scan_integer, split};
use crate::expression::write_whole;
use crate::host::FunctionError;
use crate::scope::Scope;

/// `MATH(a op b[,type])`.
pub(super) fn math(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(text) = parts.first().filter(|text| !text.is_empty()) else {
        return wrong("syntax: MATH(<number1><op><number 2>[,<type_of_result>])");
    };
    let kind = match parts.get(1).map(|kind| kind.to_ascii_lowercase()) {
        None => Kind::Float,
        Some(name) => match name.as_slice() {
            b"f" | b"float" => Kind::Float,
            b"i" | b"int" => Kind::Int,
            b"h" | b"hex" => Kind::Hex,
            b"c" | b"char" => Kind::Char,
            _ => {
                let name = BStr::new(&name);
                return Err(FunctionError::Arguments(format!(
                    "unknown type of result requested '{name}'"
                )));
            }
        },
    };
    // A minus sign in front is not the operator.
    let signs = usize::from(text.first() == Some(&b'-'));
    let Some((at, length, operation)) = operation(&text[signs..]) else {
        return wrong("something wrong with the calculation: no operation");
    };
    let (left, right) = (&text[..signs + at], &text[signs + at + length..]);
    let number = |text: &[u8]| {
        scan_double(text).ok_or_else(|| {
            FunctionError::Arguments(format!("'{}' is not a valid number", BStr::new(text)))
        })
    };
    let (a, b) = (number(left)?, number(right)?);
    let (x, y) = (to_int(a), to_int(b));
    let result = match operation {
        Operation::Add => a + b,
        Operation::Subtract => a - b,
        Operation::Multiply => a * b,
        // The reference divides by nothing below zero either.
        Operation::Divide => {
            if b <= 0.0 {
                0.0
            } else {
                a / b
            }
        }
        Operation::Remainder => {
            if y == 0 {
                0.0
            } else {
                f64::from(x.wrapping_rem(y))
            }
        }
        Operation::Power => a.powf(b),
        Operation::And => f64::from(x & y),
        Operation::Xor => f64::from(x ^ y),
        Operation::Or => f64::from(x | y),
        Operation::ShiftLeft => f64::from(x.wrapping_shl(y as u32)),
        Operation::ShiftRight => f64::from(x.wrapping_shr(y as u32)),
        Operation::Greater
        | Operation::GreaterOrEqual
        | Operation::Less
        | Operation::LessOrEqual
        | Operation::Equal => {
            let is_true = match operation {
                Operation::Greater => a > b,
                Operation::GreaterOrEqual => a >= b,
                Operation::Less => a < b,
                Operation::LessOrEqual => a <= b,
                _ => a == b,
            };
            out.extend_from_slice(if is_true { b"TRUE" } else { b"FALSE" });
            return Ok(());
        }
    };
    match kind {
        Kind::Float => write_fixed(result, out),
        Kind::Int => write_whole(i64::from(to_int(result)), out),
        // What an unsigned int can not hold is all ones (recorded).
        Kind::Hex => {
            let whole = result.trunc();
            let fits = (0.0..=f64::from(u32::MAX)).contains(&whole);
            out.extend_from_slice(
                format!("{:x}", if fits { whole as u32 } else { u32::MAX }).as_bytes(),
            );
        }
        Kind::Char => out.push(to_int(result) as u8),
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Int,
    Hex,
    Char,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    And,
    Xor,
    Or,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    ShiftLeft,
    ShiftRight,
}

/// Where the operator stands, its length, and what it is. The first kind in this order that occurs anywhere
/// wins, not the leftmost operator.
fn operation(text: &[u8]) -> Option<(usize, usize, Operation)> {
    let byte = |wanted: u8| memchr::memchr(wanted, text);
    let word = |wanted: &[u8]| memchr::memmem::find(text, wanted);
    if let Some(at) = byte(b'*') {
        return Some((at, 1, Operation::Multiply));
    }
    if let Some(at) = byte(b'/') {
        return Some((at, 1, Operation::Divide));
    }
    if let Some(at) = byte(b'%') {
        return Some((at, 1, Operation::Remainder));
    }
    if let Some(at) = byte(b'^') {
        return Some((at, 1, Operation::Power));
    }
    if let Some(at) = word(b"AND") {
        return Some((at, 3, Operation::And));
    }
    if let Some(at) = word(b"XOR") {
        return Some((at, 3, Operation::Xor));
    }
    if let Some(at) = word(b"OR") {
        return Some((at, 2, Operation::Or));
    }
    if let Some(at) = byte(b'>') {
        return Some(match text.get(at + 1) {
            Some(b'=') => (at, 2, Operation::GreaterOrEqual),
            Some(b'>') => (at, 2, Operation::ShiftRight),
            _ => (at, 1, Operation::Greater),
        });
    }
    if let Some(at) = byte(b'<') {
        return Some(match text.get(at + 1) {
            Some(b'=') => (at, 2, Operation::LessOrEqual),
            Some(b'<') => (at, 2, Operation::ShiftLeft),
            _ => (at, 1, Operation::Less),
        });
    }
    if let Some(at) = byte(b'=') {
        return (text.get(at + 1) == Some(&b'=')).then_some((at, 2, Operation::Equal));
    }
    if let Some(at) = byte(b'+') {
        return Some((at, 1, Operation::Add));
    }
    byte(b'-').map(|at| (at, 1, Operation::Subtract))
}

/// A double to an int as x86 does it: what does not fit is the smallest int.
fn to_int(value: f64) -> i32 {
    let value = value.trunc();
    if value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX) {
        value as i32
    } else {
        i32::MIN
    }
}

fn write_fixed(value: f64, out: &mut Vec<u8>) {
    let text = if value.is_nan() {
        if value.is_sign_negative() { "-nan".to_owned() } else { "nan".to_owned() }
    } else {
        format!("{value:.6}")
    };
    out.extend_from_slice(text.as_bytes());
}

/// INC(name).
pub(super) fn increment(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    step(scope, name, 1, out)
}

/// DEC(name).
pub(super) fn decrement(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    step(scope, name, -1, out)
}

fn step(scope: &mut Scope<'_>, name: &[u8], by: i32, out: &mut Vec<u8>) -> Reading {
    if name.is_empty() {
        return wrong("syntax: INC(<data>) - missing argument");
    }
    let Some(value) = scope.variable(name) else { return Ok(()) };
    // A value with anything behind the number is left alone.
    let Some((number, end)) = scan_integer(value) else { return Ok(()) };
    if end != value.len() {
        return Ok(());
    }
    write_whole(i64::from(number.wrapping_add(by)), out);
    let new = out.clone();
    scope.assign(name, &new);
    Ok(())
}

/// ABS(number).
pub(super) fn absolute(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    if text.is_empty() {
        return wrong("syntax: ABS(number) - missing argument");
    }
    number_out(text, out, f64::abs)
}

fn number_out(text: &[u8], out: &mut Vec<u8>, change: impl Fn(f64) -> f64) -> Reading {
    let value = scan_double(text).ok_or_else(|| {
        FunctionError::Arguments(format!("'{}' is not a number", BStr::new(text)))
    })?;
    let value = change(value);
    if text.contains(&b'.') {
        write_fixed(value, out);
    } else {
        write_whole(i64::from(to_int(value)), out);
    }
    Ok(())
}

/// MIN(a,b).
pub(super) fn minimum(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    chosen(arguments, out, |a, b| a <= b)
}

/// MAX(a,b).
pub(super) fn maximum(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    chosen(arguments, out, |a, b| a >= b)
}

/// With one side empty the other is the answer.
fn chosen(arguments: &[u8], out: &mut Vec<u8>, is_first: impl Fn(f64, f64) -> bool) -> Reading {
    let parts = split(arguments, 2);
    let number = |index: usize| -> Result<Option<f64>, FunctionError> {
        let Some(text) = parts.get(index).filter(|text| !text.is_empty()) else { return Ok(None) };
        scan_double(text).map(Some).ok_or_else(|| {
            FunctionError::Arguments(format!("'{}' is not a number", BStr::new(&**text)))
        })
    };
    let value = match (number(0)?, number(1)?) {
        (None, None) => return wrong("missing argument"),
        (Some(a), Some(b)) => {
            if is_first(a, b) {
                a
            } else {
                b
            }
        }
        (Some(only), None) | (None, Some(only)) => only,
    };
    if arguments.contains(&b'.') {
        write_fixed(value, out);
    } else {
        write_whole(i64::from(to_int(value)), out);
    }
    Ok(())
}

/// DIGIT_SUM(digits).
pub(super) fn digit_sum(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    if text.is_empty() {
        return wrong("syntax: DIGIT_SUM(digits) - missing argument");
    }
    let sum =
        text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0')).sum();
    write_whole(sum, out);
    Ok(())
}

/// `RAND([min][,max])`.
pub(super) fn random(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let number = |index: usize, default: i32| {
        parts.get(index).and_then(|text| scan_integer(text)).map_or(default, |(value, _)| value)
    };
    let (mut low, mut high) = (i64::from(number(0, 0)), i64::from(number(1, i32::MAX)));
    if low > high {
        std::mem::swap(&mut low, &mut high);
    }
    let span = (high - low + 1) as u64;
    write_whole(low + (scope.host.random() % span) as i64, out);
    Ok(())
}
