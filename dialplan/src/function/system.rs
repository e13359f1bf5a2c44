//! The process and the machine: mostly refused, by name and with the reason.

use std::fmt::Write as _;

use bstr::BString;

use super::{Reading, Writing, wrong};
use crate::arguments::{scan_double, scan_integer, split};
use crate::host::FunctionError;
use crate::scope::Scope;

/// ENV(name): what the host shows, and what this dialplan set before.
pub(super) fn environment(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    let set = scope.host.world().environment.get(bstr::BStr::new(name)).cloned();
    if let Some(value) = set.or_else(|| scope.host.environment(name)) {
        out.extend_from_slice(&value);
    }
    Ok(())
}

/// Seen by ENV() of this engine only; the process's environment is not touched.
pub(super) fn set_environment(scope: &mut Scope<'_>, name: &[u8], value: &[u8]) -> Writing {
    if name.is_empty() {
        return wrong("requires a name");
    }
    if scope.host.world().environment.len() >= MOST_NAMES {
        return wrong("too many environment variables");
    }
    scope.host.world_mut().environment.insert(name.into(), value.into());
    Ok(())
}

pub(super) fn no_network(_: &mut Scope<'_>, _: &[u8], _: &mut Vec<u8>) -> Reading {
    Err(FunctionError::Unavailable("network requests from the dialplan are not available"))
}

pub(super) fn uuid(scope: &mut Scope<'_>, _: &[u8], out: &mut Vec<u8>) -> Reading {
    let (high, low) = (scope.host.random(), scope.host.random());
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0xc << 60) | 0x8 << 60;
    let mut text = String::new();
    let _ = write!(
        text,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// `VERSION([item])`.
pub(super) fn version(_: &mut Scope<'_>, item: &[u8], out: &mut Vec<u8>) -> Reading {
    match item {
        b"" => out.extend_from_slice(concat!("Diesis ", env!("CARGO_PKG_VERSION")).as_bytes()),
        b"ASTERISK_VERSION_NUM" => out.extend_from_slice(b"220000"),
        _ => {}
    }
    Ok(())
}

/// SAYFILES(value,type): the prompts of a number, in English, joined by `&`.
pub(super) fn say_files(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(value) = parts.first() else { return wrong("requires an argument") };
    let kind = parts.get(1).filter(|kind| !kind.is_empty()).map_or(&b"alpha"[..], |kind| kind);
    // Letters and digits are those whose files exist; numbers are not looked up.
    let spelled = |file: fn(u8) -> String| -> Vec<String> {
        let files = value.iter().map(|byte| file(*byte));
        files.filter(|file| scope.host.has_sound(file.as_bytes())).collect()
    };
    let whole = || -> Option<i64> {
        let (number, end) = scan_integer(value)?;
        (end == value.len()).then_some(i64::from(number))
    };
    let numbered = |number: i64| -> Vec<String> {
        let mut files = number_files(number);
        files.retain(|file| file != "digits/0" || scope.host.has_sound(b"digits/0"));
        files
    };
    let files = match kind {
        b"alpha" => spelled(letter_file),
        b"phonetic" => spelled(phonetic_file),
        b"digits" => spelled(letter_file),
        b"number" => match whole() {
            Some(number) => numbered(number),
            None => return wrong("not a number"),
        },
        b"ordinal" => match whole() {
            Some(number) => {
                let mut files = numbered(number);
                if let Some(last) = files.last_mut().filter(|_| number != 0) {
                    *last = last.replace("digits/", "digits/h-");
                }
                files
            }
            None => return wrong("not a number"),
        },
        b"money" => {
            let dollars = scan_double(value).unwrap_or(0.0);
            let amount = (dollars * 100.0) as i64;
            let (whole, cents) = (amount / 100, amount - dollars as i64 * 100);
            let mut files = vec![];
            if amount >= 100 {
                files.extend(number_files(whole));
                files.push(
                    match (whole, cents) {
                        (1, 1..) => "letters/dollar_",
                        (1, _) => "letters/dollar",
                        _ => "dollars",
                    }
                    .to_owned(),
                );
                files.extend((cents > 0).then(|| "and".to_owned()));
            }
            if cents > 0 {
                files.extend(number_files(cents));
                files.push(if cents == 1 { "cent" } else { "cents" }.to_owned());
            } else if amount == 0 {
                files.push(numbered(0).pop().unwrap_or_default());
                files.push("cents".to_owned());
            }
            files
        }
        _ => return wrong("unknown type: alpha, phonetic, digits, number, ordinal or money"),
    };
    out.extend_from_slice(files.join("&").as_bytes());
    Ok(())
}

fn number_files(number: i64) -> Vec<String> {
    let mut files = Vec::new();
    let mut left = number.unsigned_abs();
    if number < 0 {
        files.push("digits/minus".to_owned());
    }
    if left == 0 {
        files.push("digits/0".to_owned());
    }
    for (size, name) in
        [(1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand"), (100, "hundred")]
    {
        if left >= size {
            files.extend(number_files((left / size) as i64));
            files.push(format!("digits/{name}"));
            left %= size;
        }
    }
    if left > 20 {
        files.push(format!("digits/{}", left / 10 * 10));
        left %= 10;
    }
    if left > 0 {
        files.push(format!("digits/{left}"));
    }
    files
}

fn letter_file(byte: u8) -> String {
    match byte {
        b'0'..=b'9' => format!("digits/{}", byte as char),
        b'*' => "digits/star".to_owned(),
        b'#' => "digits/pound".to_owned(),
        b'!' => "letters/exclaimation-point".to_owned(),
        b'@' => "letters/at".to_owned(),
        b'$' => "letters/dollar".to_owned(),
        b'-' => "letters/dash".to_owned(),
        b'.' => "letters/dot".to_owned(),
        b'=' => "letters/equals".to_owned(),
        b'+' => "letters/plus".to_owned(),
        b'/' => "letters/slash".to_owned(),
        b' ' => "letters/space".to_owned(),
        other => format!("letters/{}", other.to_ascii_lowercase() as char),
    }
}

fn phonetic_file(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' => format!("phonetic/{}_p", byte.to_ascii_lowercase() as char),
        other => letter_file(other),
    }
}

/// DIALGROUP(name): interfaces joined by `&`.
pub(super) fn dial_group(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    let Some(members) = scope.host.world().dial_groups.get(bstr::BStr::new(name)) else {
        return Ok(());
    };
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(member);
    }
    Ok(())
}

/// `Set(DIALGROUP(name[,add|del])=interfaces)`.
pub(super) fn set_dial_group(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 2);
    let Some(name) = parts.first() else { return wrong("requires a name") };
    if scope.host.world().dial_groups.len() >= MOST_NAMES {
        return wrong("too many groups");
    }
    let members = scope.host.world_mut().dial_groups.entry((&**name).into()).or_default();
    let given =
        value.split(|byte| *byte == b'&').filter(|member| !member.is_empty()).map(BString::from);
    match parts.get(1).map(|action| action.to_ascii_lowercase()).as_deref() {
        None => *members = given.collect(),
        Some(b"add") => {
            for member in given {
                if !members.contains(&member) {
                    members.push(member);
                }
            }
        }
        Some(b"del") => {
            let given: Vec<BString> = given.collect();
            members.retain(|member| !given.contains(member));
        }
        Some(_) => return wrong("unknown action: add or del"),
    }
    Ok(())
}

/// What is always so here is accepted.
pub(super) fn without_effect(_: &mut Scope<'_>, _: &[u8], _: &[u8]) -> Writing {
    Ok(())
}

/// Names kept for all calls.
const MOST_NAMES: usize = 10_000;
