//! CDR() and CDR_PROP(): the call's record.

use bstr::BStr;

use super::{Reading, Writing, wrong};
use crate::arguments::{is_true, split};
use crate::host::FunctionError;
use crate::record::{Form, MOST_FIELDS, Moment, READ_ONLY};
use crate::scope::Scope;

/// `CDR(item[,options])`: option `u` gives numbers instead of names and dates, `f` durations with a fraction.
pub(super) fn read(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(name) = parts.first().filter(|name| !name.is_empty()) else {
        return wrong("requires a field: CDR(field[,options])");
    };
    let options = parts.get(1).map(|options| &**options).unwrap_or_default();
    let form = if options.contains(&b'u') {
        Form::Raw
    } else if options.contains(&b'f') {
        Form::Fractional
    } else {
        Form::Shown
    };
    let item = field_name(name);
    let Some(record) = scope.host.record() else {
        return scope.host.read_function(&scope.state.channel, b"CDR", arguments, out);
    };
    let moment = Moment {
        channel: &scope.state.channel,
        context: scope.state.context.as_ref(),
        extension: scope.state.extension.as_ref(),
        now: scope.host.record_now(),
        zone: scope.host.time_zone(),
    };
    record.write(&item, form, &moment, out);
    Ok(())
}

/// `Set(CDR(field)=value)`.
pub(super) fn write(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 2);
    let Some(name) = parts.first().filter(|name| !name.is_empty()) else {
        return wrong("requires a field: CDR(field[,options])");
    };
    let item = field_name(name);
    if READ_ONLY.iter().any(|field| field.as_bytes() == item) {
        return Err(FunctionError::Arguments(format!(
            "'{}' can not be set: it is a fact of the call",
            BStr::new(&item)
        )));
    }
    // These are the channel's, whoever keeps the record.
    match item.as_slice() {
        b"accountcode" | b"peeraccount" | b"userfield" | b"amaflags" => {
            let name = [b"CHANNEL(", item.as_slice(), b")"].concat();
            scope.assign(&name, value);
            return Ok(());
        }
        b"uniqueid" | b"linkedid" => return Err(FunctionError::ReadOnly),
        _ => {}
    }
    let Some(record) = scope.host.record_mut() else {
        return scope.host.write_function(&mut scope.state.channel, b"CDR", arguments, value);
    };
    if record.fields.len() >= MOST_FIELDS && !record.fields.contains(&item) {
        return wrong("too many fields in one record");
    }
    record.fields.set(&item, value);
    Ok(())
}

/// `Set(CDR_PROP(disable|party_a)=1)`.
pub(super) fn set_property(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let name = arguments.to_ascii_lowercase();
    if !matches!(name.as_slice(), b"disable" | b"party_a") {
        return wrong("unknown property: disable or party_a");
    }
    let is_set = is_true(value);
    match scope.host.record_mut() {
        Some(record) if name == b"disable" => record.is_disabled = is_set,
        Some(record) => record.is_caller = is_set,
        None => {
            let channel = &mut scope.state.channel;
            return scope.host.write_function(channel, b"CDR_PROP", arguments, value);
        }
    }
    Ok(())
}

/// Fields of the record have small letters; those of the dialplan's own are written as it likes.
fn field_name(name: &[u8]) -> Vec<u8> {
    let small = name.to_ascii_lowercase();
    let own = ["accountcode", "amaflags", "linkedid", "peeraccount", "uniqueid", "userfield"];
    let is_known = READ_ONLY.iter().chain(&own).any(|field| field.as_bytes() == small);
    if is_known { small } else { name.to_vec() }
}
