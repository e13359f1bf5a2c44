//! Settings of a call that only its host can honour: the next conference, features, sound.
//!
//! A write is checked here and offered to the host; what the host accepts is kept and can be read back. A host
//! that can not honour it refuses, and the dialplan's author is told by name.

use bstr::{BStr, BString};

use super::{Reading, Writing, wrong};
use crate::arguments::{scan_double, split};
use crate::host::FunctionError;
use crate::scope::Scope;

/// Offers a setting to the host and keeps it.
pub(super) fn keep(
    scope: &mut Scope<'_>,
    function: &'static str,
    arguments: &[u8],
    value: &[u8],
) -> Writing {
    let channel = &mut scope.state.channel;
    match scope.host.write_function(channel, function.as_bytes(), arguments, value) {
        Err(FunctionError::Unknown) => {
            Err(FunctionError::Unavailable("this engine does not have it"))
        }
        Err(other) => Err(other),
        Ok(()) => {
            let settings = &mut scope.state.channel.settings;
            if settings.len() >= MOST_SETTINGS {
                return wrong("too many settings of one channel");
            }
            settings.insert(key(function, arguments), value.into());
            Ok(())
        }
    }
}

/// Appends what was kept.
pub(super) fn kept(
    scope: &Scope<'_>,
    function: &'static str,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    if let Some(value) = scope.state.channel.settings.get(&key(function, arguments)) {
        out.extend_from_slice(value);
    }
    Ok(())
}

fn key(function: &str, arguments: &[u8]) -> BString {
    [function.as_bytes(), b"(", &arguments.to_ascii_lowercase(), b")"].concat().into()
}

/// `Set(CONFBRIDGE(bridge|user|menu,option)=value)`: of the conference that is joined next. `clear` forgets all.
pub(super) fn set_conference(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    if arguments.eq_ignore_ascii_case(b"clear") {
        scope.state.channel.settings.retain(|name, _| !name.starts_with(b"CONFBRIDGE("));
        return Ok(());
    }
    let parts = split(arguments, 2);
    let (Some(kind), Some(option)) = (parts.first(), parts.get(1)) else {
        return wrong("usage: CONFBRIDGE(bridge|user|menu,option)");
    };
    let kind = kind.to_ascii_lowercase();
    let option = option.to_ascii_lowercase();
    if !matches!(kind.as_slice(), b"bridge" | b"user" | b"menu") {
        return wrong("the first argument is bridge, user or menu");
    }
    if option == b"clear" {
        let prefix = [b"CONFBRIDGE(", kind.as_slice(), b","].concat();
        scope.state.channel.settings.retain(|name, _| !name.starts_with(&prefix));
        return Ok(());
    }
    keep(scope, "CONFBRIDGE", &[kind.as_slice(), b",", option.as_slice()].concat(), value)
}

/// `CONFBRIDGE_INFO(parties|admins|marked|locked|muted,conference)`.
pub(super) fn conference_info(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 2);
    let (Some(item), Some(name)) = (parts.first(), parts.get(1).filter(|name| !name.is_empty()))
    else {
        return wrong("usage: CONFBRIDGE_INFO(parties|admins|marked|locked|muted,conference)");
    };
    let item = item.to_ascii_lowercase();
    let facts = scope.host.conference(name);
    if !matches!(item.as_slice(), b"parties" | b"admins" | b"marked" | b"locked" | b"muted") {
        return wrong("unknown item: parties, admins, marked, locked or muted");
    }
    // A conference that nobody is in has zero of everything.
    let facts = facts.unwrap_or_default();
    let value = match item.as_slice() {
        b"parties" => facts.parties.len(),
        b"admins" => facts.admins.len(),
        b"marked" => facts.marked.len(),
        b"locked" => usize::from(facts.is_locked),
        _ => usize::from(facts.is_muted),
    };
    out.extend_from_slice(value.to_string().as_bytes());
    Ok(())
}

/// `CONFBRIDGE_CHANNELS(admins|marked|parties|active|waiting,conference)`.
pub(super) fn conference_channels(
    scope: &mut Scope<'_>,
    arguments: &[u8],
    out: &mut Vec<u8>,
) -> Reading {
    let parts = split(arguments, 2);
    let (Some(item), Some(name)) = (parts.first(), parts.get(1).filter(|name| !name.is_empty()))
    else {
        return wrong(
            "usage: CONFBRIDGE_CHANNELS(parties|admins|marked|active|waiting,conference)",
        );
    };
    let facts = scope.host.conference(name).unwrap_or_default();
    let item = item.to_ascii_lowercase();
    let channels: Vec<&BString> = match item.as_slice() {
        b"parties" => facts.parties.iter().collect(),
        b"admins" => facts.admins.iter().collect(),
        b"marked" => facts.marked.iter().collect(),
        b"waiting" => facts.waiting.iter().collect(),
        b"active" => {
            facts.parties.iter().filter(|channel| !facts.waiting.contains(channel)).collect()
        }
        _ => return wrong("unknown item: parties, admins, marked, active or waiting"),
    };
    out.extend_from_slice(&bstr::join(",", channels));
    Ok(())
}

/// `Set(VOLUME(TX|RX[,p])=gain)`.
pub(super) fn set_volume(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let parts = split(arguments, 2);
    let direction = direction(parts.first().map(|text| &**text), &[b"tx", b"rx"])?;
    if scan_double(value).is_none() {
        return wrong("the gain is a number of steps");
    }
    keep(scope, "VOLUME", &direction, value)
}

/// `Set(JITTERBUFFER(fixed|adaptive|disabled)=...)`.
pub(super) fn set_jitter_buffer(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let kind = direction(Some(arguments), &[b"fixed", b"adaptive", b"disabled"])?;
    keep(scope, "JITTERBUFFER", &kind, value)
}

/// `Set(AGC(rx|tx)=...)`, DENOISE, MUTEAUDIO and others with a direction.
pub(super) fn set_directed(
    scope: &mut Scope<'_>,
    function: &'static str,
    arguments: &[u8],
    value: &[u8],
) -> Writing {
    let kind = direction(
        Some(arguments),
        &[b"in", b"out", b"all", b"both", b"rx", b"tx", b"write", b"read"],
    )?;
    keep(scope, function, &kind, value)
}

/// `Set(FEATURE(inherit|featuredigittimeout|...)=value)`.
pub(super) fn set_feature(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    let item = direction(
        Some(arguments),
        &[
            b"inherit",
            b"featuredigittimeout",
            b"transferdigittimeout",
            b"atxfernoanswertimeout",
            b"atxferdropcall",
            b"atxferloopdelay",
            b"atxfercallbackretries",
            b"xfersound",
            b"xferfailsound",
            b"atxferabort",
            b"atxfercomplete",
            b"atxferthreeway",
            b"pickupexten",
            b"pickupsound",
            b"pickupfailsound",
            b"courtesytone",
            b"recordingfailsound",
            b"transferdialattempts",
            b"transferretrysound",
            b"transferinvalidsound",
            b"transferannouncesound",
        ],
    )?;
    keep(scope, "FEATURE", &item, value)
}

/// `Set(FEATUREMAP(name)=keys)`.
pub(super) fn set_feature_map(scope: &mut Scope<'_>, arguments: &[u8], value: &[u8]) -> Writing {
    if arguments.is_empty() {
        return wrong("requires the name of a feature");
    }
    if let Some(strange) = value.iter().find(|key| !b"0123456789*#ABCDabcd".contains(key)) {
        return Err(FunctionError::Arguments(format!(
            "'{}' is no key of a telephone",
            BStr::new(&[*strange])
        )));
    }
    keep(scope, "FEATUREMAP", arguments, value)
}

fn direction(text: Option<&[u8]>, known: &[&[u8]]) -> Result<Vec<u8>, FunctionError> {
    let text = text.unwrap_or_default().to_ascii_lowercase();
    if known.iter().any(|word| *word == text) {
        return Ok(text);
    }
    let known: Vec<String> =
        known.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    Err(FunctionError::Arguments(format!("the argument is one of {}", known.join(", "))))
}

/// Settings of one channel.
const MOST_SETTINGS: usize = 500;
