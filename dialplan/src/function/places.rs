//! Functions that look at the dialplan itself and at the states of devices.

use bstr::{BStr, BString};

use super::{Reading, Writing, wrong};
use crate::arguments::{scan_integer, split};
use crate::host::FunctionError;
use crate::plan::{NotFound, Target};
use crate::scope::{HintPart, Scope};
use crate::world::{CUSTOM_DEVICE_STATES, DEVICE_STATES};

/// `DIALPLAN_EXISTS(context[,extension[,priority or label]])`.
pub(super) fn dialplan_exists(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 3);
    let Some(context) = parts.first().filter(|context| !context.is_empty()) else {
        return wrong("requires a context: DIALPLAN_EXISTS(context[,extension[,priority]])");
    };
    let extension = parts.get(1).filter(|extension| !extension.is_empty());
    let priority = parts.get(2).filter(|priority| !priority.is_empty());
    let exists = match (extension, priority) {
        (None, None) => scope.plan.context(&**context).is_some(),
        (None, Some(_)) => false,
        (Some(extension), None) => has_step(scope, context, extension, Target::Priority(1)),
        (Some(extension), Some(priority)) => match scan_integer(priority) {
            Some((number, end)) if end == priority.len() => {
                number > 0 && has_step(scope, context, extension, Target::Priority(number as u32))
            }
            _ => has_step(scope, context, extension, Target::Label(BStr::new(&**priority))),
        },
    };
    out.push(b'0' + u8::from(exists));
    Ok(())
}

/// `VALID_EXTEN([context],extension[,priority])`.
pub(super) fn valid_extension(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 3);
    let Some(extension) = parts.get(1) else {
        return wrong(
            "syntax: VALID_EXTEN([<context>],<extension>[,<priority>]) - missing argument <extension>!",
        );
    };
    let context: BString = match parts.first() {
        Some(context) if !context.is_empty() => (&**context).into(),
        _ => scope.state.context.clone(),
    };
    let priority = match parts.get(2) {
        Some(text) => scan_integer(text).map_or(0, |(number, _)| number),
        None => 1,
    };
    let exists =
        priority > 0 && has_step(scope, &context, extension, Target::Priority(priority as u32));
    out.push(b'0' + u8::from(exists));
    Ok(())
}

fn has_step(scope: &Scope<'_>, context: &[u8], extension: &[u8], target: Target<'_>) -> bool {
    let circumstances = scope.circumstances();
    let found =
        scope.plan.find_in(BStr::new(context), BStr::new(extension), target, &circumstances);
    !matches!(
        found,
        Err(NotFound::NoContext | NotFound::NoExtension | NotFound::NoPriority | NotFound::NoLabel)
    )
}

/// `HINT(extension[@context][,options])`; option `n` is the name.
pub(super) fn hint(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let parts = split(arguments, 2);
    let Some(place) = parts.first().filter(|place| !place.is_empty()) else {
        return wrong("requires an extension: HINT(extension[@context][,options])");
    };
    let (extension, context) = at_context(place);
    let part = if parts.get(1).is_some_and(|options| options.contains(&b'n')) {
        HintPart::Name
    } else {
        HintPart::Devices
    };
    concrete_hint(scope, context, extension, part, out);
    Ok(())
}

/// Appends a part of the hint of an extension.
pub(crate) fn hint_of(
    scope: &Scope<'_>,
    context: &[u8],
    extension: &[u8],
    part: HintPart,
    out: &mut Vec<u8>,
) {
    let circumstances = scope.circumstances();
    let found =
        scope.plan.find_in(BStr::new(context), BStr::new(extension), Target::Hint, &circumstances);
    if let Ok(found) = found {
        let step = scope.plan.step(found.step);
        match part {
            HintPart::Devices => out.extend_from_slice(step.application()),
            HintPart::Name => out.extend_from_slice(step.arguments()),
        }
    }
}

/// Appends a part of the hint of an extension; what a pattern's hint refers to is replaced for it, and a
/// context with `autohints` has one for every phone.
fn concrete_hint(
    scope: &mut Scope<'_>,
    context: &[u8],
    extension: &[u8],
    part: HintPart,
    out: &mut Vec<u8>,
) {
    let plan = scope.plan;
    let circumstances = scope.circumstances();
    let (at, exten) = (BStr::new(context), BStr::new(extension));
    match plan.find_in(at, exten, Target::Hint, &circumstances) {
        Ok(found) => {
            let step = plan.step(found.step);
            let text = match part {
                HintPart::Devices => step.application(),
                HintPart::Name => step.arguments(),
            };
            if !step.extension().is_pattern() {
                return out.extend_from_slice(text);
            }
            let old = (
                std::mem::replace(&mut scope.state.context, plan.view(found.context).name().into()),
                std::mem::replace(&mut scope.state.extension, extension.into()),
            );
            scope.substitute(text, out);
            (scope.state.context, scope.state.extension) = old;
        }
        Err(_) => {
            let auto = plan.context(context).is_some_and(|id| plan.view(id).has_auto_hints());
            if auto && matches!(part, HintPart::Devices) {
                let device = [b"PJSIP/", extension].concat();
                if scope.host.device_state(&device) != "INVALID" {
                    out.extend_from_slice(&device);
                }
            }
        }
    }
}

fn at_context(place: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'@', place) {
        Some(at) => (&place[..at], &place[at + 1..]),
        None => (place, b"default"),
    }
}

/// `EXTENSION_STATE(extension[@context])`.
pub(super) fn extension_state(scope: &mut Scope<'_>, place: &[u8], out: &mut Vec<u8>) -> Reading {
    let (extension, context) = at_context(place);
    if extension.is_empty() {
        return wrong("requires an extension: EXTENSION_STATE(extension[@context])");
    }
    let mut devices = Vec::new();
    concrete_hint(scope, context, extension, HintPart::Devices, &mut devices);
    if devices.is_empty() {
        out.extend_from_slice(b"UNKNOWN");
        return Ok(());
    }
    let devices = devices.split(|byte| *byte == b',').next().unwrap_or_default().to_vec();
    let states: Vec<BString> =
        devices.split(|byte| *byte == b'&').map(|device| state_of(scope, device)).collect();
    let talks = |state: &BString| TALKING.iter().any(|name| *state == *name);
    let combined = if states.iter().any(talks) && states.iter().any(|state| *state == "RINGING") {
        "RINGINUSE"
    } else {
        let rank = |state: &BString| BY_RANK.iter().position(|name| *state == *name);
        match BY_RANK[states.iter().filter_map(rank).max().unwrap_or(0)] {
            "INVALID" => "UNAVAILABLE",
            "UNKNOWN" => "NOT_INUSE",
            state => state,
        }
    };
    out.extend_from_slice(combined.as_bytes());
    Ok(())
}

/// DEVICE_STATE(device).
pub(super) fn device_state(scope: &mut Scope<'_>, device: &[u8], out: &mut Vec<u8>) -> Reading {
    if device.is_empty() {
        return wrong("requires a device name");
    }
    out.extend_from_slice(&state_of(scope, device));
    Ok(())
}

pub(super) fn state_of(scope: &Scope<'_>, device: &[u8]) -> BString {
    let is_custom = device.len() >= 7 && device[..7].eq_ignore_ascii_case(b"Custom:");
    if is_custom {
        let state = scope.host.world().custom_device_state(&device[7..]);
        return state.map_or_else(|| "UNKNOWN".into(), BStr::to_owned);
    }
    if device.len() >= 6 && device[..6].eq_ignore_ascii_case(b"Local/") {
        let (extension, rest) = at_context(&device[6..]);
        let context = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
        // Any extension of a context that exists counts (recorded).
        let exists = !extension.is_empty() && scope.plan.context(context).is_some();
        if !exists {
            return "INVALID".into();
        }
        let state = scope.host.device_state(device);
        return if state == "INVALID" { "NOT_INUSE".into() } else { state };
    }
    scope.host.device_state(device)
}

/// Set(DEVICE_STATE(Custom:name)=state).
pub(super) fn set_device_state(scope: &mut Scope<'_>, device: &[u8], value: &[u8]) -> Writing {
    if device.len() < 8 || !device[..7].eq_ignore_ascii_case(b"Custom:") {
        return wrong("only Custom: device states can be set");
    }
    let Some(state) =
        DEVICE_STATES.iter().find(|state| state.as_bytes().eq_ignore_ascii_case(value))
    else {
        return Err(FunctionError::Arguments(format!(
            "unknown device state '{}'",
            BStr::new(value)
        )));
    };
    let name = BStr::new(&device[7..]);
    let world = scope.host.world_mut();
    if world.custom_device_state(name).is_some_and(|before| before == state) {
        return Ok(());
    }
    if world.database.is_full() {
        return wrong("the database is full");
    }
    world.database.set(CUSTOM_DEVICE_STATES, name, state.as_bytes());
    scope.host.custom_state_changed(name);
    Ok(())
}

/// `EVAL_EXTEN([[context,]extension,]priority)`: that step's arguments, evaluated there.
pub(super) fn eval_extension(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 3);
    let (context, extension, priority) = match parts.as_slice() {
        [context, extension, priority] => {
            (BString::from(&**context), BString::from(&**extension), priority)
        }
        [extension, priority] => {
            (scope.state.context.clone(), BString::from(&**extension), priority)
        }
        [priority] => (scope.state.context.clone(), scope.state.extension.clone(), priority),
        _ => return wrong("requires a place: EVAL_EXTEN([[context,]extension,]priority)"),
    };
    let circumstances = scope.circumstances();
    let target = match scan_integer(priority) {
        Some((number, end)) if end == priority.len() => Target::Priority(number.max(0) as u32),
        _ => Target::Label(BStr::new(&**priority)),
    };
    let plan = scope.plan;
    let Ok(found) = plan.find_in(context.as_ref(), extension.as_ref(), target, &circumstances)
    else {
        return Ok(());
    };
    // The step sees its own place while it is evaluated.
    let step = plan.step(found.step);
    let old = (
        std::mem::replace(&mut scope.state.context, context),
        std::mem::replace(&mut scope.state.extension, extension),
    );
    scope.substitute(step.arguments(), out);
    (scope.state.context, scope.state.extension) = old;
    Ok(())
}

/// States of a device with somebody who talks.
const TALKING: [&str; 4] = ["INUSE", "BUSY", "RINGINUSE", "ONHOLD"];

/// Of several devices the state furthest back here is that of all.
const BY_RANK: [&str; 9] = [
    "INVALID",
    "UNKNOWN",
    "UNAVAILABLE",
    "NOT_INUSE",
    "ONHOLD",
    "RINGING",
    "INUSE",
    "BUSY",
    "RINGINUSE",
];
