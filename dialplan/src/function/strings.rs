//! Functions on texts and on fields of texts.

use bstr::BStr;

use super::{Reading, wrong};
use crate::arguments::{Protection, encoded_byte, is_space, scan_integer, separate, split};
use crate::regular::Regular;
use crate::scope::Scope;

pub(super) fn len(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    crate::expression::write_whole(text.len() as i64, out);
    Ok(())
}

pub(super) fn to_upper(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    out.extend(text.iter().map(u8::to_ascii_uppercase));
    Ok(())
}

pub(super) fn to_lower(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    out.extend(text.iter().map(u8::to_ascii_lowercase));
    Ok(())
}

pub(super) fn passthru(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    out.extend_from_slice(text);
    Ok(())
}

pub(super) fn trim(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    out.extend_from_slice(crate::arguments::strip(text));
    Ok(())
}

pub(super) fn left_trim(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    let start = text.iter().position(|byte| *byte >= 33).unwrap_or(text.len());
    out.extend_from_slice(&text[start..]);
    Ok(())
}

pub(super) fn right_trim(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    let end = text.iter().rposition(|byte| *byte >= 33).map_or(0, |last| last + 1);
    out.extend_from_slice(&text[..end]);
    Ok(())
}

/// The byte that a delimiter argument names; `default` when it is empty.
pub(super) fn delimiter(argument: Option<&[u8]>, default: u8) -> u8 {
    argument.and_then(encoded_byte).map_or(default, |(byte, _)| byte)
}

/// CUT(name,delimiter,fields): fields are `1`, `2-3`, `-2`, `4-`, joined with `&`, in rising order only.
pub(super) fn cut(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let [name, delimiter_text, fields] = parts.as_slice() else {
        return wrong("usage: CUT(varname,char-delim,range-spec)");
    };
    if fields.is_empty() {
        return wrong("usage: CUT(varname,char-delim,range-spec)");
    }
    let delimiter = delimiter(Some(delimiter_text), b'-');
    let value = scope.named(name);
    if value.is_empty() {
        return Ok(());
    }
    let mut rest = Some(value.as_slice());
    let mut number = 1i32;
    let mut is_first = true;
    for spec in fields.split(|byte| *byte == b'&') {
        if rest.is_none() {
            break;
        }
        let Some((first, last)) = field_range(spec) else {
            return wrong("usage: CUT(varname,char-delim,range-spec)");
        };
        while number < first && next_field(&mut rest, delimiter).is_some() {
            number += 1;
        }
        if number > first {
            scope.warn(format_args!("CUT(): already past the field {first}"));
        }
        while number <= last {
            let Some(field) = next_field(&mut rest, delimiter) else { break };
            if !is_first {
                out.push(delimiter);
            }
            is_first = false;
            out.extend_from_slice(field);
            number += 1;
        }
    }
    Ok(())
}

fn next_field<'v>(rest: &mut Option<&'v [u8]>, delimiter: u8) -> Option<&'v [u8]> {
    let text = rest.take()?;
    let Some(at) = memchr::memchr(delimiter, text) else { return Some(text) };
    *rest = Some(&text[at + 1..]);
    Some(&text[..at])
}

fn field_range(spec: &[u8]) -> Option<(i32, i32)> {
    if let Some((first, end)) = scan_integer(spec)
        && spec.get(end) == Some(&b'-')
        && let Some((last, _)) = scan_integer(&spec[end + 1..])
    {
        return Some((first, last));
    }
    if let [b'-', rest @ ..] = spec
        && let Some((last, _)) = scan_integer(rest)
    {
        return Some((1, last));
    }
    let (first, end) = scan_integer(spec)?;
    Some(if spec.get(end) == Some(&b'-') { (first, i32::MAX) } else { (first, first) })
}

/// FIELDQTY(name,delimiter): how many fields.
pub(super) fn field_quantity(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 2);
    let count = match parts.as_slice() {
        [name, delimiter_text] => {
            let delimiter = encoded_byte(delimiter_text).map_or(0, |(byte, _)| byte);
            let value = scope.named(name);
            if value.is_empty() { 0 } else { memchr::memchr_iter(delimiter, &value).count() + 1 }
        }
        _ => 1,
    };
    out.extend_from_slice(count.to_string().as_bytes());
    Ok(())
}

/// FIELDNUM(name,delimiter,value): the place of a field, 0 when it is not there; ignores case.
pub(super) fn field_number(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let [name, delimiter_text, wanted] = parts.as_slice() else {
        return wrong("usage: FIELDNUM(varname,delim,value)");
    };
    let delimiter = encoded_byte(delimiter_text).map_or(0, |(byte, _)| byte);
    let value = scope.named(name);
    let place = if value.is_empty() || delimiter_text.is_empty() {
        None
    } else {
        value.split(|byte| *byte == delimiter).position(|field| field.eq_ignore_ascii_case(wanted))
    };
    out.extend_from_slice(place.map_or(0, |place| place + 1).to_string().as_bytes());
    Ok(())
}

/// FILTER(allowed,text): allowed holds bytes and ranges.
pub(super) fn filter(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = separate(arguments, b',', 2, Protection::Kept);
    let [allowed, text] = parts.as_slice() else {
        return wrong("usage: FILTER(allowed-chars,string)");
    };
    let mut set = [false; 256];
    let mut rest: &[u8] = allowed;
    while let Some((first, taken)) = encoded_byte(rest) {
        rest = &rest[taken.min(rest.len())..];
        let mut last = first;
        if rest.first() == Some(&b'-') {
            match encoded_byte(&rest[1..]) {
                Some((byte, taken)) => {
                    last = byte;
                    rest = &rest[(1 + taken).min(rest.len())..];
                }
                None => rest = &rest[1..],
            }
            if last < first {
                scope.warn(format_args!(
                    "range wrapping in FILTER(): this may not be what you want"
                ));
            }
        }
        let mut byte = first;
        loop {
            set[usize::from(byte)] = true;
            if byte == last {
                break;
            }
            byte = byte.wrapping_add(1);
        }
    }
    out.extend(text.iter().filter(|byte| set[usize::from(**byte)]));
    Ok(())
}

/// `REPLACE(name,bytes[,byte])`: each of the bytes becomes the one, or goes.
pub(super) fn replace(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let [name, find, ..] = parts.as_slice() else {
        return wrong("usage: REPLACE(varname,find-chars[,replace-char])");
    };
    let mut set = [false; 256];
    let mut rest: &[u8] = find;
    while let Some((byte, taken)) = encoded_byte(rest) {
        set[usize::from(byte)] = true;
        rest = &rest[taken.min(rest.len())..];
    }
    if find.is_empty() || name.is_empty() {
        return wrong("the bytes to find and the name must not be empty");
    }
    let replacement = parts.get(2).and_then(|text| encoded_byte(text)).map(|(byte, _)| byte);
    let value = scope.named(name);
    for byte in value {
        if set[usize::from(byte)] {
            out.extend(replacement);
        } else {
            out.push(byte);
        }
    }
    Ok(())
}

/// `STRREPLACE(name,find[,replacement[,most]])`; a `most` of 0 is no limit.
pub(super) fn string_replace(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 4);
    let [name, find, ..] = parts.as_slice() else {
        return wrong("usage: STRREPLACE(varname,find-string[,replace-string[,max-replacements]])");
    };
    if find.is_empty() {
        return wrong("the text to find must not be empty");
    }
    let replacement = parts.get(2).map(|text| text.to_vec()).unwrap_or_default();
    let most = parts.get(3).and_then(|text| scan_integer(text)).map_or(0, |(most, _)| most);
    let most = if most <= 0 { usize::MAX } else { most as usize };
    let value = scope.named(name);
    let mut at = 0;
    for _ in 0..most {
        let Some(found) = memchr::memmem::find(&value[at..], find) else { break };
        out.extend_from_slice(&value[at..at + found]);
        out.extend_from_slice(&replacement);
        at += found + find.len();
        if out.len() > crate::substitute::MOST_OUT {
            return Ok(());
        }
    }
    out.extend_from_slice(&value[at..]);
    Ok(())
}

/// STRBETWEEN(name,text): the text between each two bytes.
pub(super) fn string_between(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 3);
    let [name, insert] = parts.as_slice() else {
        return wrong("usage: STRBETWEEN(varname,insert-string)");
    };
    let value = scope.named(name);
    for (index, byte) in value.into_iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(insert);
        }
        out.push(byte);
        if out.len() > crate::substitute::MOST_OUT {
            break;
        }
    }
    Ok(())
}

/// REGEX("pattern" text).
pub(super) fn regex(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = separate(arguments, b'"', 3, Protection::Removed);
    let [_, pattern, text] = parts.as_slice() else {
        return wrong("unexpected arguments: should have been in the form '\"<regex>\" <string>'");
    };
    let text = match &**text {
        [b' ' | b'\t', rest @ ..] => rest,
        other => other,
    };
    let regular = Regular::parse(pattern).map_err(|error| {
        crate::host::FunctionError::Arguments(format!("malformed input: {error}"))
    })?;
    out.push(if regular.is_match(text) { b'1' } else { b'0' });
    Ok(())
}

pub(super) fn quote(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'\\' | b'"') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    Ok(())
}

pub(super) fn csv_quote(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    out.push(b'"');
    for &byte in text {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
    Ok(())
}

pub(super) fn keypad_hash(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    const KEYS: &[u8; 26] = b"22233344455566677778889999";
    out.extend(text.iter().filter_map(|byte| match byte.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => Some(KEYS[usize::from(letter - b'a')]),
        digit @ b'0'..=b'9' => Some(digit),
        _ => None,
    }));
    Ok(())
}

/// As C's `basename`: the last part of a path, without a slash at its end.
pub(super) fn base_name(_: &mut Scope<'_>, path: &[u8], out: &mut Vec<u8>) -> Reading {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let path = match (&path[..end], path.is_empty()) {
        ([], true) => b".".as_slice(),
        ([], false) => b"/",
        (path, _) => path,
    };
    let start =
        if path == b"/" { 0 } else { memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1) };
    out.extend_from_slice(&path[start..]);
    Ok(())
}

/// As C's `dirname`.
pub(super) fn directory_name(_: &mut Scope<'_>, path: &[u8], out: &mut Vec<u8>) -> Reading {
    let trimmed = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    if trimmed == 0 {
        out.push(if path.is_empty() { b'.' } else { b'/' });
        return Ok(());
    }
    let Some(slash) = memchr::memrchr(b'/', &path[..trimmed]) else {
        out.push(b'.');
        return Ok(());
    };
    let end = path[..slash].iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    out.extend_from_slice(if end == 0 { b"/" } else { &path[..end] });
    Ok(())
}

/// SORT(key:value,...): the keys, by the number behind the colon.
pub(super) fn sort(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    if arguments.is_empty() {
        return wrong("requires an argument");
    }
    let mut entries: Vec<(&[u8], f32)> = Vec::new();
    for entry in arguments.split(|byte| *byte == b',') {
        // What has no value is left out.
        let Some(colon) = memchr::memchr(b':', entry) else { continue };
        let value = crate::arguments::scan_double(&entry[colon + 1..]).unwrap_or(0.0);
        entries.push((&entry[..colon], value as f32));
    }
    entries.sort_by(|a, b| a.1.total_cmp(&b.1));
    for (index, (key, _)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key);
    }
    Ok(())
}

/// LISTFILTER(name,delimiter,value): the list without the value.
pub(super) fn list_filter(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let [name, delimiter_text, unwanted] = parts.as_slice() else {
        return wrong("usage: LISTFILTER(listname,delimiter,fieldvalue)");
    };
    let mut delimiter = encoded_text(delimiter_text);
    if delimiter.is_empty() {
        delimiter.push(b',');
    }
    let value = scope.named(name);
    let mut is_first = true;
    let mut rest = Some(value.as_slice()).filter(|value| !value.is_empty());
    while let Some(text) = rest {
        let field = match memchr::memmem::find(text, &delimiter) {
            Some(at) => {
                rest = Some(&text[at + delimiter.len()..]);
                &text[..at]
            }
            None => {
                rest = None;
                text
            }
        };
        if field == &**unwanted {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            out.extend_from_slice(&delimiter);
        }
        out.extend_from_slice(field);
    }
    Ok(())
}

/// A text with its escapes decoded.
fn encoded_text(mut text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    while let Some((byte, taken)) = encoded_byte(text) {
        decoded.push(byte);
        text = &text[taken.min(text.len())..];
    }
    decoded
}

/// `SHIFT(name[,delimiter])`: takes the first field away.
pub(super) fn shift(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    take_field(scope, arguments, out, |value, delimiter| {
        memchr::memchr(delimiter, value).map(|at| (value[..at].to_vec(), value[at + 1..].to_vec()))
    })
}

/// `POP(name[,delimiter])`: takes the last field away.
pub(super) fn pop(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    take_field(scope, arguments, out, |value, delimiter| {
        memchr::memrchr(delimiter, value).map(|at| (value[at + 1..].to_vec(), value[..at].to_vec()))
    })
}

fn take_field(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
    divide: impl Fn(&[u8], u8) -> Option<(Vec<u8>, Vec<u8>)>,
) -> Reading {
    let parts = split(arguments, 2);
    let Some(name) = parts.first() else { return wrong("requires a variable name") };
    let delimiter = delimiter(parts.get(1).map(|text| &**text), b',');
    let value = scope.named(name);
    if value.is_empty() {
        return Ok(());
    }
    let (taken, rest) = divide(&value, delimiter).unwrap_or((value, Vec::new()));
    scope.assign(name, &rest);
    out.extend_from_slice(&taken);
    Ok(())
}

/// `Set(PUSH(name[,delimiter])=value)`.
pub(super) fn push(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Reading {
    add_field(scope, arguments, value, |old, delimiter, new| [old, &[delimiter], new].concat())
}

/// `Set(UNSHIFT(name[,delimiter])=value)`.
pub(super) fn unshift(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Reading {
    add_field(scope, arguments, value, |old, delimiter, new| [new, &[delimiter], old].concat())
}

fn add_field(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    value: &[u8],
    join: impl Fn(&[u8], u8, &[u8]) -> Vec<u8>,
) -> Reading {
    let parts = split(arguments, 2);
    let Some(name) = parts.first() else { return wrong("requires a variable name") };
    let delimiter = delimiter(parts.get(1).map(|text| &**text), b',');
    // Underscores say how the variable is inherited; they are no part of its name.
    let marks = name.iter().take(2).take_while(|byte| **byte == b'_').count();
    let old = scope.named(&name[marks..]);
    let joined = if old.is_empty() { value.to_vec() } else { join(&old, delimiter, value) };
    scope.assign(name, &joined[..joined.len().min(crate::substitute::MOST_OUT)]);
    Ok(())
}

/// EVAL(text): references that the text holds after its own evaluation.
pub(super) fn eval(scope: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    if text.is_empty() {
        return wrong("EVAL requires an argument: EVAL(<string>)");
    }
    scope.substitute(text, out);
    Ok(())
}

/// SPRINTF(format,arguments...).
pub(super) fn sprintf(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 101);
    let Some(format) = parts.first() else { return wrong("requires a format") };
    let mut values = parts[1..].iter();
    let mut at = 0;
    while let Some(&byte) = format.get(at) {
        at += 1;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (spec, length) = Conversion::parse(&format[at..]);
        at += length;
        let Some(&conversion) = format.get(at) else { break };
        at += 1;
        if conversion == b'%' {
            out.push(b'%');
            continue;
        }
        let value = values.next().map(|value| &**value);
        match conversion {
            // The C library has no room for half a "(null)".
            b's' if value.is_none() && spec.precision.is_some_and(|most| most < 6) => {
                spec.pad(b"", out);
            }
            b's' => spec.text(value.unwrap_or(b"(null)"), out),
            b'c' => {
                let (byte, _) = value.and_then(scan_integer).ok_or_else(|| no_number(value))?;
                let start = out.len();
                spec.pad(&[byte as u8], out);
                // A text ends at its first zero byte.
                let end = memchr::memchr(0, &out[start..]).map_or(out.len(), |end| start + end);
                out.truncate(end);
            }
            b'd' | b'i' | b'o' | b'u' | b'x' | b'X' => {
                let (number, _) = value.and_then(scan_integer).ok_or_else(|| no_number(value))?;
                spec.integer(number, conversion, out);
            }
            b'a' | b'A' | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
                let number = value
                    .and_then(crate::arguments::scan_double)
                    .ok_or_else(|| no_number(value))?;
                spec.double(number, conversion, out);
            }
            other => {
                let other = other as char;
                scope.warn(format_args!("format type not supported: '%{other}'"));
                return wrong("format type not supported");
            }
        }
        if out.len() > crate::substitute::MOST_OUT {
            break;
        }
    }
    Ok(())
}

fn no_number(value: Option<&[u8]>) -> crate::host::FunctionError {
    let value = BStr::new(value.unwrap_or_default());
    crate::host::FunctionError::Arguments(format!("argument '{value}' is not a number"))
}

/// Flags, width and precision between `%` and the letter.
#[derive(Debug, Default)]
struct Conversion {
    is_left: bool,
    is_signed: bool,
    is_blank: bool,
    is_alternate: bool,
    is_zero_padded: bool,
    width: usize,
    precision: Option<usize>,
    bytes: usize,
}

impl Conversion {
    /// What stands before the letter, and how long it is.
    fn parse(text: &[u8]) -> (Self, usize) {
        let mut spec = Self { bytes: 4, ..Self::default() };
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match byte {
                b'-' => spec.is_left = true,
                b'+' => spec.is_signed = true,
                b' ' => spec.is_blank = true,
                b'#' => spec.is_alternate = true,
                b'0' => spec.is_zero_padded = true,
                b'\'' | b'I' => {}
                _ => break,
            }
            at += 1;
        }
        let number = |at: &mut usize| {
            let mut value = 0usize;
            while let Some(digit) = text.get(*at).filter(|byte| byte.is_ascii_digit()) {
                value = (value * 10 + usize::from(digit - b'0')).min(WIDEST);
                *at += 1;
            }
            value
        };
        spec.width = number(&mut at);
        if text.get(at) == Some(&b'.') {
            at += 1;
            spec.precision = Some(number(&mut at));
        }
        let (bytes, length) = match &text[at..] {
            [b'h', b'h', ..] => (1, 2),
            [b'h', ..] => (2, 1),
            [b'l', b'l', ..] => (8, 2),
            [b'l' | b'q' | b'j' | b'z' | b't', ..] => (8, 1),
            [b'L', ..] => (4, 1),
            _ => (4, 0),
        };
        spec.bytes = bytes;
        (spec, at + length)
    }

    fn pad(&self, text: &[u8], out: &mut Vec<u8>) {
        let blanks = self.width.saturating_sub(text.len());
        if !self.is_left {
            out.extend(std::iter::repeat_n(b' ', blanks));
        }
        out.extend_from_slice(text);
        if self.is_left {
            out.extend(std::iter::repeat_n(b' ', blanks));
        }
    }

    fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        let most = self.precision.unwrap_or(text.len()).min(text.len());
        self.pad(&text[..most], out);
    }

    fn sign(&self, is_negative: bool) -> &'static str {
        match (is_negative, self.is_signed, self.is_blank) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    fn number(&self, sign: &str, digits: &str, may_fill: bool, out: &mut Vec<u8>) {
        let length = sign.len() + digits.len();
        if self.is_zero_padded && !self.is_left && may_fill {
            let zeros = "0".repeat(self.width.saturating_sub(length));
            self.pad(format!("{sign}{zeros}{digits}").as_bytes(), out);
        } else {
            self.pad(format!("{sign}{digits}").as_bytes(), out);
        }
    }

    fn integer(&self, number: i32, conversion: u8, out: &mut Vec<u8>) {
        // A long is read where 32 bits were written: the upper half is zero.
        let signed = match self.bytes {
            1 => i64::from(number as i8),
            2 => i64::from(number as i16),
            8 => i64::from(number as u32),
            _ => i64::from(number),
        };
        let unsigned = match self.bytes {
            1 => u32::from(number as u8),
            2 => u32::from(number as u16),
            _ => number as u32,
        };
        let mut digits = match conversion {
            b'd' | b'i' => signed.unsigned_abs().to_string(),
            b'u' => unsigned.to_string(),
            b'o' => format!("{unsigned:o}"),
            b'x' => format!("{unsigned:x}"),
            _ => format!("{unsigned:X}"),
        };
        if let Some(precision) = self.precision {
            if precision == 0 && unsigned == 0 {
                digits.clear();
            }
            digits.insert_str(0, &"0".repeat(precision.saturating_sub(digits.len())));
        }
        // Zeros that fill the field stand behind the prefix, as behind a sign.
        let prefix = match conversion {
            b'd' | b'i' => self.sign(signed < 0),
            b'x' if self.is_alternate && unsigned != 0 => "0x",
            b'X' if self.is_alternate && unsigned != 0 => "0X",
            _ => "",
        };
        if conversion == b'o' && self.is_alternate && !digits.starts_with('0') {
            digits.insert(0, '0');
        }
        self.number(prefix, &digits, self.precision.is_none(), out);
    }

    fn double(&self, number: f64, conversion: u8, out: &mut Vec<u8>) {
        let sign = self.sign(number.is_sign_negative());
        let magnitude = number.abs();
        let precision = self.precision.unwrap_or(6);
        let mut digits = if !number.is_finite() {
            if number.is_nan() { "nan".to_owned() } else { "inf".to_owned() }
        } else {
            match conversion.to_ascii_lowercase() {
                b'f' => format!("{magnitude:.precision$}"),
                b'e' => scientific(magnitude, precision),
                b'g' => general(magnitude, precision, self.is_alternate),
                _ => hexadecimal(magnitude),
            }
        };
        if conversion.is_ascii_uppercase() {
            digits.make_ascii_uppercase();
        }
        self.number(sign, &digits, number.is_finite(), out);
    }
}

/// C's `%e`.
pub(super) fn scientific(magnitude: f64, precision: usize) -> String {
    let text = format!("{magnitude:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// C's `%g`.
pub(super) fn general(magnitude: f64, precision: usize, keeps_zeros: bool) -> String {
    let precision = precision.max(1);
    let scientific = scientific(magnitude, precision - 1);
    let exponent: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let trim = |digits: &str| {
        if keeps_zeros || !digits.contains('.') {
            digits.to_owned()
        } else {
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    };
    if exponent < -4 || exponent >= precision as i32 {
        let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "+00"));
        return format!("{}e{power}", trim(digits));
    }
    let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
    trim(&format!("{magnitude:.decimals$}"))
}

/// C's `%a`.
fn hexadecimal(magnitude: f64) -> String {
    if magnitude == 0.0 {
        return "0x0p+0".to_owned();
    }
    let bits = magnitude.to_bits();
    let biased = (bits >> 52) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let (lead, exponent) = if biased == 0 { (0, -1022) } else { (1, biased - 1023) };
    let digits = format!("{fraction:013x}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("0x{lead}{point}{digits}p{exponent:+}")
}

pub(super) fn skip_blanks(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| is_space(**byte)).count()..]
}

/// Widest field: a format must not fill the memory.
const WIDEST: usize = 4095;
