//! How applications and functions take their argument text apart.

use std::borrow::Cow;

use bstr::BString;
use smallvec::SmallVec;

use crate::operation::Options;

/// The parts of an argument text.
pub(crate) type Arguments<'a> = SmallVec<[Cow<'a, [u8]>; 6]>;

/// Whether quotes and backslashes stay in the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// They protect and go.
    Removed,
    /// They protect and stay.
    Kept,
}

/// Splits at commas. See [`separate`].
pub(crate) fn split(text: &[u8], most: usize) -> Arguments<'_> {
    separate(text, b',', most, Protection::Removed)
}

/// Splits at a byte into at most `most` parts; the last takes the rest as it stands.
///
/// Parentheses, brackets and double quotes protect the delimiter, a backslash protects one byte. What is
/// left open protects everything behind it. Blanks stay. An empty text has no part.
pub(crate) fn separate(
    text: &[u8],
    delimiter: u8,
    most: usize,
    protection: Protection,
) -> Arguments<'_> {
    let mut parts = Arguments::new();
    let (mut parentheses, mut brackets, mut is_quoted) = (0usize, 0usize, false);
    let mut ends_with_delimiter = false;
    let mut at = 0;
    while at < text.len() && parts.len() + 1 < most {
        let start = at;
        // Bytes are copied only once one has to go.
        let mut copied: Option<Vec<u8>> = None;
        ends_with_delimiter = false;
        let mut end = text.len();
        while at < text.len() {
            let byte = text[at];
            let mut is_dropped = false;
            match byte {
                b'(' => parentheses += 1,
                b')' => parentheses = parentheses.saturating_sub(1),
                b'[' => brackets += 1,
                b']' => brackets = brackets.saturating_sub(1),
                b'"' if delimiter != b'"' => {
                    is_quoted = !is_quoted;
                    is_dropped = true;
                }
                b'\\' => {
                    if protection == Protection::Removed {
                        let copied = copied.get_or_insert_with(|| text[start..at].to_vec());
                        copied.extend(text.get(at + 1));
                    }
                    at += 2;
                    continue;
                }
                _ if byte == delimiter && parentheses == 0 && brackets == 0 && !is_quoted => {
                    end = at;
                    ends_with_delimiter = true;
                    break;
                }
                _ => {}
            }
            if is_dropped && protection == Protection::Removed {
                copied.get_or_insert_with(|| text[start..at].to_vec());
            } else if let Some(copied) = &mut copied {
                copied.push(byte);
            }
            at += 1;
        }
        at = at.min(text.len());
        parts.push(match copied {
            Some(copied) => copied.into(),
            None => text[start..end].into(),
        });
        if ends_with_delimiter {
            at += 1;
        }
    }
    if at < text.len() || ends_with_delimiter {
        parts.push(text[at..].into());
    }
    parts
}

/// Why an option text can not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OptionError {
    #[error("missing closing parenthesis for argument '{0}'")]
    Unclosed(char),
}

/// Reads option letters, each with an optional argument in parentheses. Letters outside `known` are handed
/// to `unknown` and left out.
pub(crate) fn options(
    text: &[u8],
    known: &[u8],
    mut unknown: impl FnMut(u8),
) -> Result<Options, OptionError> {
    let mut options = Options::default();
    let mut at = 0;
    while let Some(&letter) = text.get(at) {
        at += 1;
        let mut argument = None;
        if text.get(at) == Some(&b'(') {
            at += 1;
            let (inner, end) =
                option_argument(&text[at..]).ok_or(OptionError::Unclosed(letter as char))?;
            argument = Some(inner);
            at += end;
        }
        if known.contains(&letter) {
            options.insert(letter, argument);
        } else {
            unknown(letter);
        }
    }
    Ok(options)
}

/// The text up to the matching parenthesis, and where it goes on.
fn option_argument(text: &[u8]) -> Option<(BString, usize)> {
    if text.first() == Some(&b'"') {
        let mut inner = Vec::new();
        let mut at = 1;
        while let Some(&byte) = text.get(at) {
            match byte {
                b'"' => {
                    let close = memchr::memchr(b')', &text[at..])?;
                    return Some((inner.into(), at + close + 1));
                }
                b'\\' => {
                    at += 1;
                    inner.extend(text.get(at));
                }
                _ => inner.push(byte),
            }
            at += 1;
        }
        return None;
    }
    let mut inner = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b')' if depth == 0 => return Some((inner.into(), at + 1)),
            b')' => depth -= 1,
            b'(' => depth += 1,
            b'\\' if text.len() > at + 1 => {
                at += 1;
                inner.push(text[at]);
                at += 1;
                continue;
            }
            _ => {}
        }
        inner.push(byte);
        at += 1;
    }
    None
}

/// Whether a text counts as true where a condition is asked for: empty is false, a text that starts with an
/// integer counts by it, any other is true.
pub(crate) fn is_true(text: &[u8]) -> bool {
    match scan_integer(text) {
        Some((value, _)) => value != 0,
        None => !text.is_empty(),
    }
}

/// C's `%30d`: an optional sign and digits after optional blanks. The value wraps to 32 bits as the
/// reference's does; the second is where the text goes on.
pub(crate) fn scan_integer(text: &[u8]) -> Option<(i32, usize)> {
    let blanks = text.iter().take_while(|byte| is_space(**byte)).count();
    let mut at = blanks;
    let mut is_negative = false;
    let mut width = 30;
    if let Some(sign @ (b'-' | b'+')) = text.get(at) {
        is_negative = *sign == b'-';
        at += 1;
        width -= 1;
    }
    let digits = text[at..].iter().take(width).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let value = text[at..at + digits]
        .iter()
        .fold(0i64, |value, byte| value.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    let value = if is_negative { value.wrapping_neg() } else { value };
    Some((value as i32, at + digits))
}

/// C's `%lf` at the start of a text.
pub(crate) fn scan_double(text: &[u8]) -> Option<f64> {
    let blanks = text.iter().take_while(|byte| is_space(**byte)).count();
    let text = &text[blanks..];
    let (sign, body) = match text.first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let starts =
        |word: &[u8]| body.len() >= word.len() && body[..word.len()].eq_ignore_ascii_case(word);
    if starts(b"inf") {
        return Some(sign * f64::INFINITY);
    }
    if starts(b"nan") {
        return Some(f64::NAN);
    }
    if starts(b"0x") {
        let digits = &body[2..];
        let end = digits.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(digits.len());
        let value = digits[..end].iter().fold(0.0, |value, byte| {
            value * 16.0 + f64::from((*byte as char).to_digit(16).unwrap_or(0))
        });
        return (end > 0).then_some(sign * value);
    }
    let mut end = body.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(body.len());
    let mut digits = end;
    if body.get(end) == Some(&b'.') {
        let fraction = body[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        digits += fraction;
        end += 1 + fraction;
    }
    if digits == 0 {
        return None;
    }
    if let Some(b'e' | b'E') = body.get(end) {
        let sign = usize::from(matches!(body.get(end + 1), Some(b'-' | b'+')));
        let exponent =
            body[end + 1 + sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    std::str::from_utf8(&body[..end]).ok()?.parse::<f64>().ok().map(|value| sign * value)
}

/// C's `isspace` in the C locale.
pub(crate) fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Without blanks and control bytes at both ends, as the reference strips.
pub(crate) fn strip(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| *byte >= 33).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| *byte >= 33).map_or(start, |last| last + 1);
    &text[start..end]
}

/// One byte written plainly or as `\n`, `\t`, `\r`, `\xHH`, `\0OO`, and how many bytes that took.
pub(crate) fn encoded_byte(text: &[u8]) -> Option<(u8, usize)> {
    let first = *text.first()?;
    if first != b'\\' {
        return Some((first, 1));
    }
    let hexadecimal =
        |at: usize| text.get(at).and_then(|byte| (*byte as char).to_digit(16)).map(|d| d as u8);
    match text.get(1).copied() {
        Some(b'n') => Some((b'\n', 2)),
        Some(b'r') => Some((b'\r', 2)),
        Some(b't') => Some((b'\t', 2)),
        Some(b'x') => {
            let high = hexadecimal(2)?;
            match hexadecimal(3) {
                Some(low) => Some((high << 4 | low, 4)),
                None => Some((high, 3)),
            }
        }
        Some(b'0') => {
            let digits = text[2..].iter().take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            let value =
                text[2..2 + digits].iter().fold(0u8, |value, byte| value << 3 | (byte - b'0'));
            Some((value, 2 + digits))
        }
        Some(other) => Some((other, 2)),
        None => Some((0, 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, most: usize, protection: Protection) -> Vec<String> {
        separate(text.as_bytes(), b',', most, protection)
            .iter()
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    }

    #[test]
    fn brackets_quotes_and_backslashes_protect_commas() {
        assert_eq!(
            parts(r#"a(b,c),"d,e",f\,g,[h,i]"#, 9, Protection::Removed),
            ["a(b,c)", "d,e", "f,g", "[h,i]"]
        );
        assert_eq!(parts(r#""a,b",c\,d"#, 9, Protection::Kept), [r#""a,b""#, r"c\,d"]);
    }

    #[test]
    fn last_part_takes_the_rest_as_it_stands() {
        assert_eq!(parts(r#""a","b",c"#, 2, Protection::Removed), ["a", r#""b",c"#]);
        assert_eq!(parts("a,", 3, Protection::Removed), ["a", ""]);
        assert_eq!(parts("", 3, Protection::Removed), [""; 0]);
        assert_eq!(parts("a,(b,c", 3, Protection::Removed), ["a", "(b,c"]);
    }

    #[test]
    fn options_take_arguments_with_nested_parentheses() {
        let mut strange = vec![];
        let options =
            options(b"gL(60000:(1)\\)x)zU(\"a)b\")", b"gLU", |letter| strange.push(letter))
                .expect("closed");
        assert!(options.has(b'g'));
        assert_eq!(options.argument(b'L'), Some(&b"60000:(1))x"[..]));
        assert_eq!(options.argument(b'U'), Some(&b"a)b"[..]));
        assert_eq!(strange, b"z");
        assert!(super::options(b"L(1", b"L", |_| {}).is_err());
    }

    #[test]
    fn truth_follows_the_leading_integer() {
        for text in ["", "0", "00", " 0", "0abc", "0.5", "-0"] {
            assert!(!is_true(text.as_bytes()), "{text}");
        }
        for text in ["1", "no", "\"\"", " ", "-1", "abc0"] {
            assert!(is_true(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn integers_wrap_as_the_reference_scans_them() {
        assert_eq!(scan_integer(b" -12x"), Some((-12, 4)));
        assert_eq!(scan_integer(b"2147483648"), Some((i32::MIN, 10)));
        assert_eq!(scan_integer(b"x"), None);
    }
}
