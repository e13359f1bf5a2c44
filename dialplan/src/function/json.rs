//! JSON_DECODE(): one item of a JSON text.

use bstr::ByteSlice;

use super::{Reading, wrong};
use crate::arguments::split;
use crate::expression::write_whole;
use crate::scope::Scope;

/// A parsed value. Objects keep the order written.
#[derive(Debug, Clone, PartialEq)]
enum Json {
    Null,
    Truth(bool),
    Whole(i64),
    Real(f64),
    Text(Vec<u8>),
    List(Vec<Self>),
    Object(Vec<(Vec<u8>, Self)>),
}

/// `JSON_DECODE(name,item[,separator[,options]])`; option `c` counts.
pub(super) fn decode(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 4);
    let part = |at: usize| parts.get(at).map_or(&b""[..], |part| &**part);
    let (name, path, separator) = (part(0), part(1), part(2));
    if name.is_empty() || path.is_empty() {
        return wrong("usage: JSON_DECODE(varname,item[,separator[,options]])");
    }
    if separator.len() > 1 {
        scope.warn(format_args!("a separator is one byte, not '{}'", separator.as_bstr()));
    }
    let separator = if let [separator] = separator { *separator } else { b'.' };
    let counts = part(3).contains(&b'c');
    let text = scope.named(name);
    if text.is_empty() {
        return Ok(());
    }
    let mut parser = Parser { text: &text, at: 0 };
    let Some(root) = parser.document() else { return wrong("failed to parse as JSON") };
    let mut item = &root;
    let mut steps = path.split(|byte| *byte == separator);
    // What is neither an object nor a list has nothing inside: the rest of the path does not count.
    while matches!(item, Json::Object(_) | Json::List(_)) {
        let Some(step) = steps.next() else { break };
        let Some(next) = item.member(step) else { return Ok(()) };
        item = next;
    }
    match item {
        Json::Text(text) => out.extend_from_slice(text),
        Json::Null => {}
        Json::Truth(is_true) => out.push(b'0' + u8::from(*is_true)),
        // Read into 32 bits.
        Json::Whole(number) => write_whole(i64::from(*number as i32), out),
        Json::Real(number) => out.extend_from_slice(real(*number).as_bytes()),
        Json::List(items) if counts => write_whole(items.len() as i64, out),
        Json::List(_) | Json::Object(_) => item.write(out),
    }
    Ok(())
}

/// As C's `%.17g`.
fn real(number: f64) -> String {
    let sign = if number.is_sign_negative() { "-" } else { "" };
    format!("{sign}{}", super::strings::general(number.abs(), 17, false))
}

impl Json {
    /// What a key or an index names.
    fn member(&self, step: &[u8]) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                members.iter().find(|(key, _)| key == step).map(|(_, value)| value)
            }
            Self::List(items) => {
                let index = std::str::from_utf8(step.trim_ascii_start()).ok()?;
                items.get(index.parse::<usize>().ok()?)
            }
            _ => None,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Truth(true) => out.extend_from_slice(b"true"),
            Self::Truth(false) => out.extend_from_slice(b"false"),
            Self::Whole(number) => write_whole(*number, out),
            Self::Real(number) => {
                // A real stays one: it has a decimal, or an exponent without plus and zeros.
                let text = real(*number);
                match text.split_once('e') {
                    Some((digits, exponent)) => {
                        let (sign, size) = match exponent.strip_prefix('-') {
                            Some(size) => ("-", size),
                            None => ("", exponent.trim_start_matches('+')),
                        };
                        let size = size.trim_start_matches('0');
                        out.extend_from_slice(format!("{digits}e{sign}{size}").as_bytes());
                    }
                    None => {
                        out.extend_from_slice(text.as_bytes());
                        if !text.contains('.') {
                            out.extend_from_slice(b".0");
                        }
                    }
                }
            }
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_text(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    /// An object or a list, with nothing behind it.
    fn document(&mut self) -> Option<Json> {
        self.blanks();
        if !matches!(self.peek(), Some(b'{' | b'[')) {
            return None;
        }
        let value = self.value(0)?;
        self.blanks();
        (self.at == self.text.len()).then_some(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        if self.peek() != Some(byte) {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn word(&mut self, word: &[u8], value: Json) -> Option<Json> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len()).map(|()| value)
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEEPEST {
            return None;
        }
        self.blanks();
        match self.peek()? {
            b'{' => {
                self.at += 1;
                let mut members: Vec<(Vec<u8>, Json)> = Vec::new();
                if self.take(b'}').is_some() {
                    return Some(Json::Object(members));
                }
                loop {
                    self.blanks();
                    let key = self.string()?;
                    self.take(b':')?;
                    let value = self.value(depth + 1)?;
                    // The last of equal keys counts, at the place of the first.
                    match members.iter_mut().find(|(known, _)| *known == key) {
                        Some(member) => member.1 = value,
                        None => members.push((key, value)),
                    }
                    if self.take(b',').is_none() {
                        self.take(b'}')?;
                        return Some(Json::Object(members));
                    }
                }
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                if self.take(b']').is_some() {
                    return Some(Json::List(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    if self.take(b',').is_none() {
                        self.take(b']')?;
                        return Some(Json::List(items));
                    }
                }
            }
            b'"' => self.string().map(Json::Text),
            b't' => self.word(b"true", Json::Truth(true)),
            b'f' => self.word(b"false", Json::Truth(false)),
            b'n' => self.word(b"null", Json::Null),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let digits = |parser: &mut Self| {
            let first = parser.at;
            while parser.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                parser.at += 1;
            }
            (parser.at > first).then_some(())
        };
        digits(self)?;
        if self.peek() == Some(b'.') {
            self.at += 1;
            digits(self)?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            digits(self)?;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).ok()?;
        let unsigned = text.trim_start_matches('-').as_bytes();
        if unsigned.len() > 1 && unsigned[0] == b'0' && unsigned[1].is_ascii_digit() {
            return None;
        }
        if text.contains(['.', 'e', 'E']) {
            return text.parse().ok().filter(|number: &f64| number.is_finite()).map(Json::Real);
        }
        // What does not fit is an error.
        text.parse().ok().map(Json::Whole)
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        if self.peek() != Some(b'"') {
            return None;
        }
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(text),
                b'\\' => {
                    let escaped = self.peek()?;
                    self.at += 1;
                    match escaped {
                        b'"' | b'\\' | b'/' => text.push(escaped),
                        b'b' => text.push(0x08),
                        b'f' => text.push(0x0c),
                        b'n' => text.push(b'\n'),
                        b'r' => text.push(b'\r'),
                        b't' => text.push(b'\t'),
                        b'u' => {
                            let letter = self.letter()?;
                            text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                        _ => return None,
                    }
                }
                0..0x20 => return None,
                _ => text.push(byte),
            }
        }
    }

    fn letter(&mut self) -> Option<char> {
        let first = self.unit()?;
        if (0xd800..0xdc00).contains(&first) {
            if self.text.get(self.at..self.at + 2)? != b"\\u" {
                return None;
            }
            self.at += 2;
            let second = self.unit()?;
            return char::decode_utf16([first, second]).next()?.ok();
        }
        char::from_u32(u32::from(first)).filter(|letter| *letter != '\0')
    }

    fn unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

/// Values inside values.
const DEEPEST: usize = 64;
