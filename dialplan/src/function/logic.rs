//! Choosing and asking.

use super::{Reading, wrong};
use crate::arguments::{Protection, is_true, separate, strip};
use crate::scope::Scope;

/// IF(condition?yes:no).
pub(super) fn choose(_: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = separate(arguments, b'?', 2, Protection::Removed);
    let Some(branches) = parts.get(1) else { return Ok(()) };
    let condition = strip(&parts[0]);
    if condition.is_empty() {
        return Ok(());
    }
    let branches = separate(branches, b':', 2, Protection::Removed);
    let chosen = if is_true(condition) { branches.first() } else { branches.get(1) };
    out.extend_from_slice(strip(chosen.map(|text| &**text).unwrap_or_default()));
    Ok(())
}

/// IFTIME(times?yes:no).
pub(super) fn choose_by_time(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let mut parts = arguments.splitn(2, |byte| *byte == b'?');
    let times = strip(parts.next().unwrap_or_default());
    let Some(branches) = parts.next() else {
        return wrong("syntax: IFTIME(<timespec>?[<true>][:<false>])");
    };
    let mut branches = branches.splitn(2, |byte| *byte == b':');
    let (yes, no) = (branches.next(), branches.next());
    if times.is_empty() {
        return wrong("syntax: IFTIME(<timespec>?[<true>][:<false>])");
    }
    let now = scope.host.now();
    let chosen = if scope.holds(times, now) { yes } else { no };
    out.extend_from_slice(unquoted(strip(chosen.unwrap_or_default())));
    Ok(())
}

/// Without one pair of quotes around.
fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] => inner,
        _ => text,
    }
}

pub(super) fn is_null(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    out.push(if text.is_empty() { b'1' } else { b'0' });
    Ok(())
}

pub(super) fn exists(_: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    out.push(if text.is_empty() { b'0' } else { b'1' });
    Ok(())
}

/// SET(name=value): assigns and returns.
pub(super) fn set(scope: &mut Scope<'_>, text: &[u8], out: &mut Vec<u8>) -> Reading {
    let Some(equals) = memchr::memchr(b'=', text) else {
        return wrong("syntax: SET(<varname>=[<value>]) - missing argument");
    };
    let (name, value) = (strip(&text[..equals]), strip(&text[equals + 1..]));
    if name.is_empty() {
        return wrong("syntax: SET(<varname>=[<value>]) - missing argument");
    }
    scope.assign(name, value);
    out.extend_from_slice(value);
    Ok(())
}

/// IFMODULE(name): there are no modules.
pub(super) fn has_module(_: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    if name.is_empty() {
        return wrong("requires a module name");
    }
    out.push(b'0');
    Ok(())
}
