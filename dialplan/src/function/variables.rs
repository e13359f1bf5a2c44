//! Variables by their names: globals, hashes, lists of variables, subroutine locals.

use bstr::{BStr, BString};

use super::{Reading, Writing, wrong};
use crate::arguments::{scan_integer, split};
use crate::expression::write_whole;
use crate::scope::Scope;

pub(super) fn global(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    if let Some(value) = scope.host.world().globals.value(name) {
        out.extend_from_slice(value);
    }
    Ok(())
}

pub(super) fn set_global(scope: &mut Scope<'_>, name: &[u8], value: &[u8]) -> Writing {
    // Globals are not inherited: the mark goes.
    let name = name.strip_prefix(b"__").or_else(|| name.strip_prefix(b"_")).unwrap_or(name);
    let globals = &mut scope.host.world_mut().globals;
    if globals.len() >= MOST_GLOBALS && !globals.contains(name) {
        return wrong("too many global variables");
    }
    globals.set(name, value);
    Ok(())
}

pub(super) fn has_global(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    out.push(if scope.host.world().globals.contains(name) { b'1' } else { b'0' });
    Ok(())
}

pub(super) fn delete_global(scope: &mut Scope<'_>, name: &[u8], _: &[u8]) -> Writing {
    scope.host.world_mut().globals.pop(name);
    Ok(())
}

pub(super) fn has_variable(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    out.push(if scope.state.variables.contains(name) { b'1' } else { b'0' });
    Ok(())
}

pub(super) fn delete(scope: &mut Scope<'_>, name: &[u8], _: &[u8]) -> Writing {
    scope.state.variables.pop(name);
    Ok(())
}

/// HASH(name,key), or all values of HASH(name).
pub(super) fn hash(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    match parts.as_slice() {
        [name, key] => {
            if let Some(value) = scope.variable(&hash_name(name, key)) {
                out.extend_from_slice(value);
            }
        }
        [name] => {
            for (index, key) in keys(scope, name).iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                if let Some(value) = scope.variable(&hash_name(name, key)) {
                    out.extend_from_slice(value);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Set(HASH(name,key)=value), or a whole row by the names in `~ODBCFIELDS~`.
pub(super) fn set_hash(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 2);
    match parts.as_slice() {
        [name, key] => {
            let name = hash_name(name, key);
            scope.assign_spaced(&name, value);
        }
        [name] => {
            let columns =
                scope.variable(b"~ODBCFIELDS~").map(|columns| columns.to_vec()).unwrap_or_default();
            let columns = split(&columns, MOST_COLUMNS);
            let values = split(value, MOST_COLUMNS);
            for (column, value) in columns.iter().zip(values.iter()) {
                scope.assign(&hash_name(name, column), value);
            }
        }
        _ => return wrong("requires a hash name"),
    }
    Ok(())
}

/// HASHKEYS(name): the newest first.
pub(super) fn hash_keys(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    for (index, key) in keys(scope, name).iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key);
    }
    Ok(())
}

/// ClearHash.
pub(crate) fn clear_hash(scope: &mut Scope<'_>, name: &[u8]) {
    for key in keys(scope, name) {
        scope.state.variables.pop(&hash_name(name, &key));
    }
}

fn hash_name(name: &[u8], key: &[u8]) -> Vec<u8> {
    [b"~HASH~", name, b"~", key, b"~"].concat()
}

fn keys(scope: &Scope<'_>, name: &[u8]) -> Vec<BString> {
    let prefix = [b"~HASH~", name, b"~"].concat();
    let keys = scope.state.variables.newest_first().into_iter().filter_map(|(name, _)| {
        let key = name.strip_prefix(prefix.as_slice())?.strip_suffix(b"~")?;
        Some(BString::from(key))
    });
    keys.collect()
}

/// Set(ARRAY(a,b,...)=1,2,...).
pub(super) fn set_array(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let names = split(arguments, 100);
    let values = split(value, 100);
    for (index, name) in names.iter().enumerate() {
        scope.assign(name, values.get(index).map(|value| &**value).unwrap_or_default());
    }
    Ok(())
}

pub(super) fn local(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    if let Some(frame) = scope.state.frames.last()
        && frame.locals.iter().any(|local| *local == name)
        && let Some(value) = scope.state.variables.value(name)
    {
        out.extend_from_slice(value);
    }
    Ok(())
}

/// Set(LOCAL(name)=value): hides an outer value until the subroutine returns.
pub(super) fn set_local(scope: &mut Scope<'_>, name: &[u8], value: &[u8]) -> Writing {
    let Some(frame) = scope.state.frames.last_mut() else {
        return wrong("tried to set a local variable outside of a subroutine");
    };
    if frame.locals.iter().any(|local| *local == name) {
        scope.state.variables.set(name, value);
    } else {
        frame.locals.push(name.into());
        scope.state.variables.push(name, value);
    }
    Ok(())
}

/// LOCAL_PEEK(n,name): the value that n frames hide.
pub(super) fn local_peek(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let [depth, name] = parts.as_slice() else { return wrong("usage: LOCAL_PEEK(n,varname)") };
    let depth = scan_integer(depth).map_or(0, |(depth, _)| depth.max(0)) as usize;
    if let Some(value) = scope.state.variables.hidden(name, depth) {
        out.extend_from_slice(value);
    }
    Ok(())
}

/// STACK_PEEK(n,which): where the nth frame returns to; `c`, `e`, `p`, `l` (label).
pub(super) fn stack_peek(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 3);
    let (Some(depth), Some(which)) = (parts.first(), parts.get(1)) else {
        return wrong("usage: STACK_PEEK(n,which[,suppress])");
    };
    let depth = scan_integer(depth).map_or(0, |(depth, _)| depth);
    let frames = &scope.state.frames;
    let frame = usize::try_from(depth)
        .ok()
        .and_then(|depth| frames.len().checked_sub(depth))
        .and_then(|at| frames.get(at));
    let Some(frame) = frame else { return wrong("there are not that many stack frames") };
    let priority = i64::from(frame.priority.saturating_sub(1));
    match which.first() {
        Some(b'l' | b'L') => {
            out.extend_from_slice(&frame.context);
            out.push(b',');
            out.extend_from_slice(&frame.extension);
            out.push(b',');
            write_whole(priority, out);
        }
        Some(b'c' | b'C') => out.extend_from_slice(&frame.context),
        Some(b'e' | b'E') => out.extend_from_slice(&frame.extension),
        Some(b'p' | b'P') => write_whole(priority, out),
        _ => return wrong("unknown argument"),
    }
    Ok(())
}

/// `SHARED(name[,channel])`.
pub(super) fn shared(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(name) = parts.first() else {
        return wrong("requires an argument: SHARED(<var>[,<chan>])");
    };
    let channel = shared_channel(scope, parts.get(1).map(|channel| &**channel));
    if let Some(value) =
        scope.host.world().shared.get(&channel).and_then(|shared| shared.value(name))
    {
        out.extend_from_slice(value);
    }
    Ok(())
}

pub(super) fn set_shared(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 2);
    let Some(name) = parts.first() else {
        return wrong("requires an argument: SHARED(<var>[,<chan>])");
    };
    let channel = shared_channel(scope, parts.get(1).map(|channel| &**channel));
    let shared = &mut scope.host.world_mut().shared;
    if shared.len() >= MOST_GLOBALS && !shared.contains_key(&channel) {
        return wrong("too many channels share variables");
    }
    let variables = shared.entry(channel).or_default();
    if variables.len() >= MOST_COLUMNS && !variables.contains(name) {
        return wrong("too many shared variables");
    }
    variables.set(name, value);
    Ok(())
}

fn shared_channel(scope: &Scope<'_>, name: Option<&[u8]>) -> BString {
    name.filter(|name| !name.is_empty())
        .map_or_else(|| scope.state.channel.name.clone(), BString::from)
}

/// IMPORT(channel,name).
pub(super) fn import(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let [channel, name] = parts.as_slice() else { return wrong("usage: IMPORT(channel,variable)") };
    if **channel == **scope.state.channel.name {
        out.extend_from_slice(&scope.named(name));
    } else if let Some(value) = scope.host.channel_variable(channel, name) {
        out.extend_from_slice(&value);
    }
    Ok(())
}

/// Set(EXPORT(channel,name)=value).
pub(super) fn export(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 2);
    let [channel, name] = parts.as_slice() else { return wrong("usage: EXPORT(channel,variable)") };
    if **channel == **scope.state.channel.name {
        scope.assign(name, value);
    } else if !scope.host.set_channel_variable(channel, name, value) {
        return wrong("there is no such channel");
    }
    Ok(())
}

/// MASTER_CHANNEL(name): this channel is its own master unless the host says otherwise.
pub(super) fn master_channel(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    let linked = scope.state.channel.linked_id.clone();
    match scope.host.channel_variable(&linked, name) {
        Some(value) => out.extend_from_slice(&value),
        None => out.extend_from_slice(&scope.named(name)),
    }
    Ok(())
}

pub(super) fn set_master_channel(scope: &mut Scope<'_>, name: &[u8], value: &[u8]) -> Writing {
    let linked = scope.state.channel.linked_id.clone();
    if !scope.host.set_channel_variable(&linked, name, value) {
        scope.assign(name, value);
    }
    Ok(())
}

impl Scope<'_> {
    /// As [`assign`](Self::assign), with the warning that blanks in a name bring.
    fn assign_spaced(&mut self, name: &[u8], value: &[u8]) {
        if name.contains(&b' ') {
            self.warn(format_args!("blank in the name '{}'", BStr::new(name)));
        }
        self.assign(name, value);
    }
}

/// Global variables: names can come from callers.
const MOST_GLOBALS: usize = 100_000;

/// Columns of a row.
const MOST_COLUMNS: usize = 256;
