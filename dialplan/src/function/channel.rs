//! CHANNEL(), TIMEOUT(), GROUP() and what else concerns the call itself.

use std::time::Duration;

use bstr::{BStr, BString};

use super::{Reading, Writing, wrong};
use crate::arguments::{scan_double, scan_integer};
use crate::conf::is_true;
use crate::expression::write_whole;
use crate::host::{ChannelState, FunctionError};
use crate::regular::Regular;
use crate::scope::Scope;
use crate::state::Running;

/// CHANNEL(item); items that only the call knows are the host's.
pub(super) fn channel(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let item = arguments.to_ascii_lowercase();
    let state = &scope.state;
    let channel = &state.channel;
    match item.as_slice() {
        b"" => return wrong("requires an item"),
        b"name" | b"channame" => out.extend_from_slice(&channel.name),
        b"uniqueid" => out.extend_from_slice(&channel.unique_id),
        b"linkedid" if channel.linked_id.is_empty() => out.extend_from_slice(&channel.unique_id),
        b"linkedid" => out.extend_from_slice(&channel.linked_id),
        b"channeltype" => out.extend_from_slice(&channel.technology),
        b"language" => out.extend_from_slice(&channel.language),
        b"musicclass" => out.extend_from_slice(&channel.music_class),
        b"accountcode" => out.extend_from_slice(&channel.account_code),
        b"peeraccount" => out.extend_from_slice(&channel.peer_account),
        b"userfield" => out.extend_from_slice(&channel.user_field),
        b"amaflags" => write_whole(i64::from(channel.ama_flags), out),
        b"parkinglot" => out.extend_from_slice(&channel.parking_lot),
        b"tonezone" => {
            if channel.tone_zone.is_empty() {
                return wrong("no tone zone is set");
            }
            out.extend_from_slice(&channel.tone_zone);
        }
        b"audionativeformat" => {
            out.push(b'(');
            out.extend_from_slice(&channel.format);
            out.push(b')');
        }
        b"audioreadformat" | b"audiowriteformat" => out.extend_from_slice(&channel.format),
        b"videonativeformat" => out.extend_from_slice(b"(nothing)"),
        b"transfercapability" => {
            let value = channel.settings.get(BStr::new(&item));
            out.extend_from_slice(value.map_or(b"SPEECH", |value| value.as_slice()));
        }
        b"exten" => out.extend_from_slice(&state.extension),
        b"context" => out.extend_from_slice(&state.context),
        b"checkhangup" => out.push(b'0' + u8::from(state.is_hung_up)),
        b"state" => {
            let name = match scope.host.channel_state() {
                ChannelState::Down => "Down",
                ChannelState::Ring => "Ring",
                ChannelState::Ringing => "Ringing",
                ChannelState::Up => "Up",
                ChannelState::Busy => "Busy",
            };
            out.extend_from_slice(name.as_bytes());
        }
        b"callgroup"
        | b"pickupgroup"
        | b"namedcallgroup"
        | b"namedpickupgroup"
        | b"hangupsource"
        | b"dtmf_features"
        | b"after_bridge_goto"
        | b"secure_bridge_signaling"
        | b"secure_bridge_media"
        | b"tenantid"
        | b"appname"
        | b"appdata" => {
            if let Some(value) = channel.settings.get(BStr::new(&item)) {
                out.extend_from_slice(value);
            }
        }
        b"max_forwards" => {
            let value = channel.settings.get(BStr::new(&item));
            out.extend_from_slice(value.map_or(b"20", |value| value.as_slice()));
        }
        _ => {
            return match scope.host.read_function(&scope.state.channel, b"CHANNEL", arguments, out)
            {
                Err(FunctionError::Unknown) => match item.as_slice() {
                    b"onhold" => {
                        out.push(b'0');
                        Ok(())
                    }
                    b"peer" => Ok(()),
                    _ => Err(unknown_item(arguments)),
                },
                other => other,
            };
        }
    }
    Ok(())
}

pub(super) fn set_channel(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let item = arguments.to_ascii_lowercase();
    let channel = &mut scope.state.channel;
    match item.as_slice() {
        b"language" => channel.language = value.into(),
        b"musicclass" => channel.music_class = value.into(),
        b"accountcode" => channel.account_code = value.into(),
        b"peeraccount" => channel.peer_account = value.into(),
        b"userfield" => channel.user_field = value.into(),
        b"parkinglot" => channel.parking_lot = value.into(),
        b"amaflags" => {
            channel.ama_flags = match value.to_ascii_lowercase().as_slice() {
                [first, ..] if first.is_ascii_digit() => {
                    scan_integer(value).map_or(0, |(flags, _)| flags)
                }
                b"omit" => 1,
                b"billing" => 2,
                b"documentation" => 3,
                _ => 0,
            };
        }
        // The engine speaks one tone zone: another is refused, not silently taken.
        b"tonezone" => {
            if scope
                .host
                .write_function(&mut scope.state.channel, b"CHANNEL", arguments, value)
                .is_err()
            {
                return Err(FunctionError::Arguments(format!(
                    "unknown tone zone '{}'",
                    BStr::new(value)
                )));
            }
            scope.state.channel.tone_zone = value.into();
        }
        b"callgroup" | b"pickupgroup" => {
            channel.settings.insert(item.into(), groups(value));
        }
        b"secure_bridge_signaling" | b"secure_bridge_media" => {
            let value = if is_true(value) { "1" } else { "" };
            channel.settings.insert(item.into(), value.into());
        }
        b"transfercapability" => {
            let known =
                CAPABILITIES.iter().find(|name| name.as_bytes().eq_ignore_ascii_case(value));
            if let Some(known) = known {
                channel.settings.insert(item.into(), (*known).into());
            }
        }
        b"dtmf_features" => {
            let letters = value.to_ascii_uppercase();
            if letters.iter().any(|letter| !FEATURES.contains(letter)) {
                return wrong("unknown feature");
            }
            let set: Vec<u8> =
                FEATURES.iter().copied().filter(|letter| letters.contains(letter)).collect();
            channel.settings.insert(item.into(), set.into());
        }
        b"max_forwards" => {
            let Some((number, _)) = scan_integer(value) else {
                return wrong("max forwards has to be a number");
            };
            channel.settings.insert(item.into(), number.to_string().into());
        }
        b"namedcallgroup" | b"namedpickupgroup" | b"hangupsource" | b"after_bridge_goto"
        | b"tenantid" => {
            channel.settings.insert(item.into(), value.into());
        }
        b"hangup_handler_push" => {
            if scope.state.hangup_handlers.len() >= MOST_HANDLERS {
                return wrong("too many hangup handlers");
            }
            scope.state.hangup_handlers.push(value.into());
        }
        b"hangup_handler_pop" => {
            scope.state.hangup_handlers.pop();
            if !value.is_empty() {
                scope.state.hangup_handlers.push(value.into());
            }
        }
        b"hangup_handler_wipe" => {
            scope.state.hangup_handlers.clear();
            if !value.is_empty() {
                scope.state.hangup_handlers.push(value.into());
            }
        }
        _ => {
            let result =
                scope.host.write_function(&mut scope.state.channel, b"CHANNEL", arguments, value);
            if result == Err(FunctionError::Unknown) {
                return Err(unknown_item(arguments));
            }
            return result;
        }
    }
    Ok(())
}

/// LANGUAGE(), of old.
pub(super) fn old_language(scope: &mut Scope<'_>, _: &[u8], out: &mut Vec<u8>) -> Reading {
    channel(scope, b"language", out)
}

pub(super) fn set_old_language(scope: &mut Scope<'_>, _: &[u8], value: &[u8]) -> Writing {
    set_channel(scope, b"language", value)
}

/// MUSICCLASS(), of old.
pub(super) fn old_music_class(scope: &mut Scope<'_>, _: &[u8], out: &mut Vec<u8>) -> Reading {
    channel(scope, b"musicclass", out)
}

pub(super) fn set_old_music_class(scope: &mut Scope<'_>, _: &[u8], value: &[u8]) -> Writing {
    set_channel(scope, b"musicclass", value)
}

/// The numbers of a list such as `1,3-5`, spelled out: `1, 3, 4, 5`.
fn groups(text: &[u8]) -> BString {
    let mut set = 0_u64;
    for piece in text.split(|byte| *byte == b',') {
        let Some((first, end)) = scan_integer(piece) else { continue };
        let last = match piece.get(end) {
            Some(b'-') => scan_integer(&piece[end + 1..]).map_or(first, |(last, _)| last),
            _ => first,
        };
        (first.max(0)..=last.min(63)).for_each(|group| set |= 1 << group);
    }
    let numbers = (0..64).filter(|group| set & (1 << group) != 0);
    numbers.map(|group| group.to_string()).collect::<Vec<_>>().join(", ").into()
}

fn unknown_item(item: &[u8]) -> FunctionError {
    FunctionError::Arguments(format!(
        "unknown or unavailable item requested: '{}'",
        BStr::new(item)
    ))
}

/// TIMEOUT(absolute|digit|response): seconds with three decimals.
pub(super) fn timeout(scope: &mut Scope<'_>, item: &[u8], out: &mut Vec<u8>) -> Reading {
    let timeouts = scope.state.channel.timeouts;
    let seconds = |duration: Duration| format!("{:.3}", duration.as_secs_f64());
    match item.first().map(u8::to_ascii_lowercase) {
        Some(b'a') => match timeouts.absolute {
            Some(deadline) => {
                let left = deadline.saturating_sub(scope.host.monotonic());
                out.extend_from_slice(seconds(left).as_bytes());
            }
            None => out.push(b'0'),
        },
        Some(b'd') if scope.state.running == Running::Yes => {
            out.extend_from_slice(seconds(timeouts.digit).as_bytes());
        }
        Some(b'r') if scope.state.running == Running::Yes => {
            out.extend_from_slice(seconds(timeouts.response).as_bytes());
        }
        Some(b'd' | b'r') => {}
        _ => return wrong("unknown timeout type: absolute, digit or response"),
    }
    Ok(())
}

pub(super) fn set_timeout(scope: &mut Scope<'_>, item: &[u8], value: &[u8]) -> Writing {
    // Junk is no time at all; negative times are none either.
    let seconds = scan_double(value).unwrap_or(0.0);
    let duration = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST).min(LONGEST);
    let timeouts = &mut scope.state.channel.timeouts;
    match item.first().map(u8::to_ascii_lowercase) {
        Some(b'a') => {
            timeouts.absolute = (!duration.is_zero()).then(|| scope.host.monotonic() + duration);
        }
        Some(b'd') => timeouts.digit = duration,
        Some(b'r') => timeouts.response = duration,
        _ => return wrong("unknown timeout type: absolute, digit or response"),
    }
    Ok(())
}

/// Group and category of `group[@category]`.
fn group_and_category(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'@', text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

/// `GROUP([category])`.
pub(super) fn group(scope: &mut Scope<'_>, category: &[u8], out: &mut Vec<u8>) -> Reading {
    if let Some(group) = own_group(scope, category) {
        out.extend_from_slice(&group);
    }
    Ok(())
}

fn own_group(scope: &Scope<'_>, category: &[u8]) -> Option<BString> {
    let name = &scope.state.channel.name;
    let groups = &scope.host.world().groups;
    let own = groups.iter().find(|(channel, own, _)| {
        channel == name && (category.is_empty() || own.eq_ignore_ascii_case(category))
    });
    own.map(|(_, _, group)| group.clone())
}

pub(super) fn set_group(scope: &mut Scope<'_>, category: &[u8], value: &[u8]) -> Writing {
    let joined =
        if category.is_empty() { value.to_vec() } else { [value, b"@", category].concat() };
    let (group, category) = group_and_category(&joined);
    let name = scope.state.channel.name.clone();
    let groups = &mut scope.host.world_mut().groups;
    groups.retain(|(channel, own, _)| *channel != name || !own.eq_ignore_ascii_case(category));
    if !group.is_empty() {
        groups.push((name, category.into(), group.into()));
    }
    Ok(())
}

/// `GROUP_COUNT([group][@category])`.
pub(super) fn group_count(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let (group, category) = group_and_category(arguments);
    let group = if group.is_empty() {
        own_group(scope, category).unwrap_or_default()
    } else {
        group.into()
    };
    let count = scope.host.world().groups.iter().filter(|(_, own_category, own)| {
        own.eq_ignore_ascii_case(&group)
            && (category.is_empty() || own_category.eq_ignore_ascii_case(category))
    });
    let count = if group.is_empty() { 0 } else { count.count() };
    write_whole(count as i64, out);
    Ok(())
}

/// `GROUP_MATCH_COUNT(regex[@category regex])`.
pub(super) fn group_match_count(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let (group, category) = group_and_category(arguments);
    let compile = |pattern: &[u8]| {
        Regular::parse(pattern)
            .map_err(|error| FunctionError::Arguments(format!("regex failed: {error}")))
    };
    let (group, category) = (compile(group)?, compile(category)?);
    let count =
        scope.host.world().groups.iter().filter(|(_, own_category, own)| {
            group.is_match(own) && category.is_match(own_category)
        });
    write_whole(count.count() as i64, out);
    Ok(())
}

/// GROUP_LIST(): all groups of this channel.
pub(super) fn group_list(scope: &mut Scope<'_>, _: &[u8], out: &mut Vec<u8>) -> Reading {
    let name = &scope.state.channel.name;
    for (channel, category, group) in &scope.host.world().groups {
        if channel != name {
            continue;
        }
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(group);
        if !category.is_empty() {
            out.push(b'@');
            out.extend_from_slice(category);
        }
    }
    Ok(())
}

/// `CHANNELS([regex])`: names joined by blanks.
pub(super) fn channels(scope: &mut Scope<'_>, pattern: &[u8], out: &mut Vec<u8>) -> Reading {
    let regular = Regular::parse(pattern).map_err(|error| {
        FunctionError::Arguments(format!("error compiling regular expression: {error}"))
    })?;
    for name in scope.host.channels().iter().filter(|name| regular.is_match(name)) {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(name);
    }
    Ok(())
}

pub(super) fn channel_exists(scope: &mut Scope<'_>, name: &[u8], out: &mut Vec<u8>) -> Reading {
    let exists = *scope.state.channel.name == name
        || scope.host.channels().iter().any(|other| *other == name);
    out.push(b'0' + u8::from(exists));
    Ok(())
}

/// EXCEPTION(reason|context|exten|priority), inside the `e` extension.
pub(super) fn exception(scope: &mut Scope<'_>, item: &[u8], out: &mut Vec<u8>) -> Reading {
    let Some(exception) = &scope.state.exception else { return Ok(()) };
    match item.to_ascii_lowercase().as_slice() {
        b"reason" => out.extend_from_slice(&exception.reason),
        b"context" => out.extend_from_slice(&exception.context),
        b"exten" | b"extension" => out.extend_from_slice(&exception.extension),
        b"priority" => write_whole(i64::from(exception.priority), out),
        _ => return wrong("unknown item: reason, context, exten or priority"),
    }
    Ok(())
}

/// HANGUPCAUSE(channel,type): causes per called channel are the host's.
pub(super) fn hangup_cause(scope: &mut Scope<'_>, arguments: &[u8], out: &mut Vec<u8>) -> Reading {
    let result = scope.host.read_function(&scope.state.channel, b"HANGUPCAUSE", arguments, out);
    if result == Err(FunctionError::Unknown) {
        return wrong("unable to find information for that channel");
    }
    result
}

pub(super) fn hangup_cause_keys(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    match scope.host.read_function(&scope.state.channel, b"HANGUPCAUSE_KEYS", arguments, out) {
        Err(FunctionError::Unknown) => Ok(()),
        other => other,
    }
}

/// What a call may carry, as ISDN has it.
const CAPABILITIES: [&str; 6] =
    ["SPEECH", "DIGITAL", "RESTRICTED_DIGITAL", "3K1AUDIO", "DIGITAL_W_TONES", "VIDEO"];

/// Features that keys start in a bridge, in the order they are shown.
const FEATURES: &[u8] = b"TKHWX";

/// Handlers pushed on one channel.
const MOST_HANDLERS: usize = 64;

/// A year: longer waits are none.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
