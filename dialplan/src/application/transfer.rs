//! Applications that move calls between people: transfers, pick-ups, parking.

use std::time::Duration;

use bstr::{BStr, BString};

use crate::arguments::{options, scan_integer, split};
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{DialPlace, Operation, Options, Outcome, Park, Pickup};

/// `Pickup([extension[@context|@PICKUPMARK][&..]])`.
pub(super) fn pickup(_: &mut Run<'_>, text: &[u8]) -> Flow {
    let whose = match text.is_empty() {
        true => vec![Pickup::Group],
        false => pieces(text).map(extension).collect(),
    };
    Flow::Ask(Operation::Pickup { whose }, Continuation::Simple)
}

/// `PickupChan(channel[&channel..][,options])`.
pub(super) fn pickup_channel(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let Some(channels) = parts.first().filter(|channels| !channels.is_empty()) else {
        run.scope.warn(format_args!("PickupChan requires an argument (channel)"));
        return Flow::Continue;
    };
    if let Some(options) = parts.get(1).filter(|options| !options.is_empty() && ***options != *b"p")
    {
        let options = BStr::new(&**options);
        run.scope.warn(format_args!("PickupChan: unknown options '{options}'"));
    }
    let whose = pieces(channels).map(|name| Pickup::Channel(name.into())).collect();
    Flow::Ask(Operation::Pickup { whose }, Continuation::Simple)
}

fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty())
}

fn extension(text: &[u8]) -> Pickup {
    let Some(at) = memchr::memchr(b'@', text) else {
        return Pickup::Extension { extension: text.into(), context: None };
    };
    let (extension, context) = (&text[..at], &text[at + 1..]);
    if context.eq_ignore_ascii_case(b"PICKUPMARK") {
        return Pickup::Mark(extension.into());
    }
    Pickup::Extension { extension: extension.into(), context: Some(context.into()) }
}

/// `Park([lot[,options[,announcement]]])`.
pub(super) fn park(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 3);
    let letters = parts.get(1).map(|letters| letters.to_vec()).unwrap_or_default();
    let parsed: Result<Options, _> = options(&letters, b"rRsct", |letter| {
        run.scope.warn(format_args!("Park: unknown option '{}'", letter as char));
    });
    let Ok(options) = parsed else {
        run.scope.warn(format_args!("Park: options can not be read: '{}'", BStr::new(&letters)));
        return Flow::HangUp;
    };
    if parts.get(2).is_some_and(|announcement| !announcement.is_empty()) {
        run.scope.warn(format_args!("Park: announcements at other channels are not available"));
    }
    let seconds = options.argument(b't').and_then(scan_integer);
    let seconds = seconds.and_then(|(seconds, _)| u64::try_from(seconds).ok());
    let comeback = options.argument(b'c').filter(|text| !text.is_empty()).map(|text| {
        let mut parts: Vec<BString> = text.split(|byte| *byte == b',').map(BString::from).collect();
        let priority = parts.pop().unwrap_or_default();
        let extension = parts.pop();
        DialPlace { context: parts.pop(), extension, priority }
    });
    let park = Park {
        lot: parts.first().filter(|lot| !lot.is_empty()).map(|lot| lot.to_vec().into()),
        timeout: seconds.map(Duration::from_secs),
        comeback,
        rings: options.has(b'r'),
        silent: options.has(b's'),
        random: options.has(b'R'),
    };
    Flow::Ask(Operation::Park(Box::new(park)), Continuation::Park)
}

/// Who can not be parked is hung up, as in Asterisk.
pub(super) fn parked(outcome: &Outcome) -> Flow {
    match outcome {
        Outcome::Done | Outcome::TimedOut => Flow::Continue,
        _ => Flow::HangUp,
    }
}

/// `ParkedCall([lot[,slot]])`.
pub(super) fn parked_call(_: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let part = |index: usize| {
        parts.get(index).filter(|part| !part.is_empty()).map(|part| BString::from(part.to_vec()))
    };
    let operation = Operation::ParkedCall { lot: part(0), slot: part(1) };
    Flow::Ask(operation, Continuation::Simple)
}
