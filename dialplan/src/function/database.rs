//! The key-value database.

use bstr::{BStr, BString};

use super::{Reading, Writing, wrong};
use crate::expression::write_whole;
use crate::scope::Scope;

/// Family up to the first slash, key behind it.
fn place(arguments: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = memchr::memchr(b'/', arguments)?;
    Some((&arguments[..slash], &arguments[slash + 1..]))
}

const USAGE: &str = "requires an argument: DB(<family>/<key>)";

/// DB(family/key); DB_RESULT holds the same.
pub(super) fn read(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let Some((family, key)) = place(arguments) else { return wrong(USAGE) };
    if let Some(value) = scope.host.world().database.value(family, key) {
        out.extend_from_slice(value);
    }
    scope.state.variables.set(b"DB_RESULT", out);
    Ok(())
}

pub(super) fn write(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let Some((family, key)) = place(arguments) else { return wrong(USAGE) };
    if scope.host.world().database.is_full() {
        return wrong("the database is full");
    }
    if key.starts_with(b"/") || key.contains(&b' ') {
        let key = BStr::new(key);
        scope.warn(format_args!("DB(): unusual key '{key}'"));
    }
    scope.host.world_mut().database.set(family, key, value);
    Ok(())
}

pub(super) fn exists(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let Some((family, key)) = place(arguments) else { return wrong(USAGE) };
    match scope.host.world().database.value(family, key) {
        Some(value) => {
            scope.state.variables.set(b"DB_RESULT", value);
            out.push(b'1');
        }
        None => out.push(b'0'),
    }
    Ok(())
}

/// DB_DELETE(family/key): what was there.
pub(super) fn take(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let Some((family, key)) = place(arguments) else { return wrong(USAGE) };
    if let Some(value) = scope.host.world_mut().database.delete(family, key) {
        out.extend_from_slice(&value);
    }
    scope.state.variables.set(b"DB_RESULT", out);
    Ok(())
}

pub(super) fn delete(scope: &mut Scope<'_>, arguments: &[u8], _: &[u8]) -> Writing {
    let mut old = Vec::new();
    take(scope, arguments, &mut old)
}

/// DB_KEYS(prefix): the next path elements below it.
pub(super) fn keys(scope: &mut Scope<'_>, prefix: &[u8], out: &mut Vec<u8>) -> Reading {
    for (index, key) in elements(scope, prefix).iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key);
    }
    Ok(())
}

pub(super) fn key_count(scope: &mut Scope<'_>, prefix: &[u8], out: &mut Vec<u8>) -> Reading {
    write_whole(elements(scope, prefix).len() as i64, out);
    Ok(())
}

fn elements(scope: &Scope<'_>, prefix: &[u8]) -> Vec<BString> {
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    let skipped = if prefix.is_empty() { 0 } else { prefix.len() + 1 };
    let mut elements: Vec<BString> = Vec::new();
    for (name, _) in scope.host.world().database.below(prefix, b"") {
        let Some(rest) = name.get(skipped..) else { continue };
        let element = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
        if elements.last().is_none_or(|last| *last != element) {
            elements.push(element.into());
        }
    }
    elements
}

/// BLACKLIST(): whether the caller's number or name is in the family `blacklist`.
pub(super) fn blacklist(scope: &mut Scope<'_>, _: &[u8], out: &mut Vec<u8>) -> Reading {
    let caller = &scope.state.channel.caller;
    let database = &scope.host.world().database;
    let parts = [caller.number.as_ref(), caller.name.as_ref()];
    let is_listed = parts
        .into_iter()
        .flatten()
        .any(|part| !part.is_empty() && database.value(b"blacklist", part).is_some());
    out.push(b'0' + u8::from(is_listed));
    Ok(())
}
