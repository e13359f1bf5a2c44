//! Applications that put channels together: Bridge, BridgeAdd, BridgeWait, Page.

use std::time::Duration;

use bstr::{BStr, BString};

use super::call::{Before, go_before};
use super::media::{answer_first, is_up};
use crate::arguments::{options, scan_double, scan_integer, split};
use crate::executor::{Continuation, Deferred, Flow, Run};
use crate::operation::{
    Bridge, BridgeResult, BridgeWait, Destination, Entertainment, HoldingRole, Operation, Options,
    Outcome, Page,
};

/// `Bridge(channel[,options])`.
pub(super) fn bridge(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let Some(channel) = parts.first().filter(|channel| !channel.is_empty()) else {
        run.scope.warn(format_args!("Bridge requires an argument (channel)"));
        return Flow::HangUp;
    };
    let letters = parts.get(1).map(|letters| letters.to_vec()).unwrap_or_default();
    let Some(options) = known_options(run, "Bridge", &letters, BRIDGE_OPTIONS) else {
        run.scope.assign(b"BRIDGERESULT", BridgeResult::Failure.as_str().as_bytes());
        return Flow::HangUp;
    };
    let bridge = Bridge { channel: channel.to_vec().into(), options };
    Flow::Ask(Operation::Bridge(Box::new(bridge)), Continuation::Bridge)
}

/// `BridgeAdd(channel)`.
pub(super) fn bridge_add(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 1);
    let Some(channel) = parts.first().filter(|channel| !channel.is_empty()) else {
        run.scope.warn(format_args!("BridgeAdd requires an argument (channel)"));
        return Flow::HangUp;
    };
    Flow::Ask(Operation::BridgeAdd { channel: channel.to_vec().into() }, Continuation::Bridge)
}

pub(super) fn bridge_done(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    let result = match outcome {
        Outcome::Bridged(result) => *result,
        // The other one ended what connected the two.
        Outcome::Dialed(_) | Outcome::Done | Outcome::HungUp { .. } => BridgeResult::Success,
        _ => BridgeResult::Failure,
    };
    run.scope.assign(b"BRIDGERESULT", result.as_str().as_bytes());
    match outcome {
        Outcome::HungUp { .. } => Flow::HangUp,
        _ => Flow::Continue,
    }
}

/// `BridgeWait([name[,role[,options]]])`.
pub(super) fn bridge_wait(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 3);
    let text_of = |index: usize| parts.get(index).map(|text| text.to_vec()).unwrap_or_default();
    let role = match text_of(1).as_slice() {
        b"" | b"participant" => HoldingRole::Participant,
        b"announcer" => HoldingRole::Announcer,
        other => {
            let role = BStr::new(other).to_owned();
            run.scope.warn(format_args!("BridgeWait: there is no role '{role}'"));
            return Flow::HangUp;
        }
    };
    let letters = text_of(2);
    let Some(options) = known_options(run, "BridgeWait", &letters, WAIT_OPTIONS) else {
        return Flow::HangUp;
    };
    let timeout = match options.argument(b'S') {
        Some(text) => match scan_double(text).filter(|seconds| *seconds > 0.0) {
            Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            None => {
                let time = BStr::new(text);
                run.scope.warn(format_args!("BridgeWait: '{time}' is not a time"));
                return Flow::HangUp;
            }
        },
        None => None,
    };
    let entertainment = match options.argument(b'e').and_then(|text| text.first().copied()) {
        None | Some(b'm' | b'h') => Entertainment::Music,
        Some(b'r') => Entertainment::Ringing,
        Some(b's') => Entertainment::Silence,
        Some(b'n') => Entertainment::Nothing,
        Some(other) => {
            let other = char::from(other);
            run.scope.warn(format_args!("BridgeWait: there is no entertainment '{other}'"));
            return Flow::HangUp;
        }
    };
    if !options.has(b'n') && !is_up(run) {
        return answer_first("BridgeWait", text);
    }
    let name = text_of(0);
    let class = options.argument(b'm').filter(|class| !class.is_empty()).map(BString::from);
    let name = if name.is_empty() { "default".into() } else { name.into() };
    let wait = BridgeWait { name, role, entertainment, class, timeout };
    Flow::Ask(Operation::BridgeWait(Box::new(wait)), Continuation::BridgeWait)
}

pub(super) fn bridge_wait_done(outcome: &Outcome) -> Flow {
    match outcome {
        Outcome::Failed | Outcome::HungUp { .. } => Flow::HangUp,
        _ => Flow::Continue,
    }
}

/// `Page(destinations[,options[,timeout]])`.
pub(super) fn page(run: &mut Run<'_>, text: &[u8]) -> Flow {
    prepare_page(run, text, Before::Todo)
}

/// Goes on with a Page whose subroutine of option `B` has returned.
pub(crate) fn page_on(run: &mut Run<'_>, text: &[u8]) -> Flow {
    prepare_page(run, text, Before::Done)
}

fn prepare_page(run: &mut Run<'_>, text: &[u8], before: Before) -> Flow {
    let parts = split(text, 3);
    let text_of = |index: usize| parts.get(index).map(|text| text.to_vec()).unwrap_or_default();
    let peers = text_of(0);
    if peers.is_empty() {
        run.scope.warn(format_args!("Page requires at least one destination"));
        return Flow::HangUp;
    }
    let letters = text_of(1);
    let Some(mut options) = known_options(run, "Page", &letters, PAGE_OPTIONS) else {
        return Flow::HangUp;
    };
    if !is_up(run) {
        return answer_first("Page", text);
    }
    if let Some(target) = options.take(b'B').filter(|_| before == Before::Todo)
        && go_before(run, &target, Deferred::Page, text)
    {
        return Flow::Jumped;
    }
    let seconds = scan_integer(&text_of(2)).map(|(seconds, _)| seconds).filter(|it| *it > 0);
    let mut destinations = Vec::new();
    for peer in peers.split(|byte| *byte == b'&').filter(|peer| !peer.is_empty()) {
        let Some(slash) = memchr::memchr(b'/', peer).filter(|slash| *slash > 0) else {
            let peer = BStr::new(peer);
            run.scope.warn(format_args!("Page: '{peer}' needs to be technology/resource"));
            continue;
        };
        if options.has(b's') {
            let state = run.scope.named(&[b"DEVICE_STATE(", peer, b")"].concat());
            if state != b"NOT_INUSE" {
                continue;
            }
        }
        destinations.push(Destination {
            technology: peer[..slash].into(),
            resource: peer[slash + 1..].into(),
        });
    }
    let timeout = seconds.map(|seconds| Duration::from_secs(seconds.unsigned_abs().into()));
    let page = Page { destinations, timeout, options };
    Flow::Ask(Operation::Page(Box::new(page)), Continuation::Page)
}

pub(super) fn page_done(outcome: &Outcome) -> Flow {
    match outcome {
        Outcome::HungUp { .. } => Flow::HangUp,
        _ => Flow::Continue,
    }
}

/// The options of a text, those that are not known being named; `None` when it can not be read.
pub(super) fn known_options(
    run: &mut Run<'_>,
    name: &str,
    letters: &[u8],
    known: &[u8],
) -> Option<Options> {
    let mut strange = Vec::new();
    let read = options(letters, known, |letter| strange.push(letter));
    for letter in strange {
        let letter = char::from(letter);
        run.scope.warn(format_args!("{name}: there is no option '{letter}': it has no effect"));
    }
    if read.is_err() {
        let letters = BStr::new(letters);
        run.scope.warn(format_args!("{name}: options can not be read: '{letters}'"));
    }
    read.ok()
}

/// Options of Bridge; recording by keys (`w`, `W`) is not among them.
pub(crate) const BRIDGE_OPTIONS: &[u8] = b"FhHkKLnpStTx";

/// Options of BridgeWait.
pub(crate) const WAIT_OPTIONS: &[u8] = b"emnS";

/// Options of Page; recording (`r`) is not among them.
pub(crate) const PAGE_OPTIONS: &[u8] = b"AbBdinqs";
