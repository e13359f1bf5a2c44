//! Applications that move calls between people: transfers, pick-ups, parking.

use bstr::BStr;

use crate::arguments::split;
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{Operation, Pickup};

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
