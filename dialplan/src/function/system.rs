//! The process and the machine: mostly refused, by name and with the reason.

use std::fmt::Write as _;

use bstr::BString;

use super::{Reading, Writing, wrong};
use crate::arguments::{scan_integer, split};
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

pub(super) fn no_shell(_: &mut Scope<'_>, _: &[u8], _: &mut Vec<u8>) -> Reading {
    Err(FunctionError::Unavailable("running programs from the dialplan is switched off"))
}

pub(super) fn no_file(_: &mut Scope<'_>, _: &[u8], _: &mut Vec<u8>) -> Reading {
    Err(FunctionError::Unavailable("access to files from the dialplan is switched off"))
}

pub(super) fn no_file_write(_: &mut Scope<'_>, _: &[u8], _: &[u8]) -> Writing {
    Err(FunctionError::Unavailable("access to files from the dialplan is switched off"))
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
pub(super) fn say_files(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(value) = parts.first() else { return wrong("requires an argument") };
    let kind =
        parts.get(1).map(|kind| kind.to_ascii_lowercase()).unwrap_or_else(|| b"alpha".to_vec());
    let files = match kind.as_slice() {
        b"number" => {
            let Some((number, _)) = scan_integer(value) else { return wrong("not a number") };
            number_files(i64::from(number))
        }
        b"alpha" => value.iter().map(|byte| letter_file(*byte)).collect(),
        b"phonetic" => value.iter().map(|byte| phonetic_file(*byte)).collect(),
        b"digits" => Vec::new(),
        _ => return wrong("unknown type: alpha, digits, number or phonetic"),
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

/// SCRAMBLE and other sound effects need the media engine.
pub(super) fn no_effect(_: &mut Scope<'_>, _: &[u8], _: &mut Vec<u8>) -> Reading {
    Err(FunctionError::WriteOnly)
}

/// Names kept for all calls.
const MOST_NAMES: usize = 10_000;
