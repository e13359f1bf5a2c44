//! Applications on calls: this one's end, and other ones.

use std::time::Duration;

use bstr::{BStr, BString};

use crate::arguments::{options, scan_double, scan_integer, split};
use crate::channel::{OutgoingHeader, Passed};
use crate::executor::{Continuation, Deferred, Flow, Pending, Run};
use crate::numbering::read_origination;
use crate::operation::{
    Destination, Dial, DialEnd, DialResult, DialStatus, HangupScope, Operation, Options, Originate,
    OriginateTarget, Outcome, SendMessage,
};
use crate::state::FrameKind;
use crate::world::DEVICE_STATES;

/// `Hangup([cause])`.
pub(super) fn hangup(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let cause = cause_named(text).or_else(|| {
        scan_integer(text)
            .and_then(|(cause, _)| u16::try_from(cause).ok())
            .filter(|cause| *cause != 0)
    });
    if let Some(cause) = cause {
        run.scope.state.set_cause(cause);
    } else {
        if !text.is_empty() {
            run.scope.warn(format_args!("invalid cause given to Hangup(): '{}'", BStr::new(text)));
        }
        if run.scope.state.channel.hangup_cause == 0 {
            run.scope.state.set_cause(16);
        }
    }
    run.control.named_cause = Some(run.scope.state.channel.hangup_cause);
    Flow::HangUp
}

/// A cause by its name: a text that begins with it, in any letter case.
fn cause_named(text: &[u8]) -> Option<u16> {
    CAUSES
        .iter()
        .find(|(name, _)| {
            text.len() >= name.len() && text[..name.len()].eq_ignore_ascii_case(name.as_bytes())
        })
        .map(|(_, cause)| *cause)
}

/// Q.850 causes by the reference's names.
const CAUSES: [(&str, u16); 43] = [
    ("UNALLOCATED", 1),
    ("NO_ROUTE_TRANSIT_NET", 2),
    ("NO_ROUTE_DESTINATION", 3),
    ("MISDIALLED_TRUNK_PREFIX", 5),
    ("CHANNEL_UNACCEPTABLE", 6),
    ("CALL_AWARDED_DELIVERED", 7),
    ("PRE_EMPTED", 8),
    ("NUMBER_PORTED_NOT_HERE", 14),
    ("NORMAL_CLEARING", 16),
    ("USER_BUSY", 17),
    ("NO_USER_RESPONSE", 18),
    ("NO_ANSWER", 19),
    ("SUBSCRIBER_ABSENT", 20),
    ("CALL_REJECTED", 21),
    ("NUMBER_CHANGED", 22),
    ("REDIRECTED_TO_NEW_DESTINATION", 23),
    ("ANSWERED_ELSEWHERE", 26),
    ("DESTINATION_OUT_OF_ORDER", 27),
    ("INVALID_NUMBER_FORMAT", 28),
    ("FACILITY_REJECTED", 29),
    ("RESPONSE_TO_STATUS_ENQUIRY", 30),
    ("NORMAL_UNSPECIFIED", 31),
    ("NORMAL_CIRCUIT_CONGESTION", 34),
    ("NETWORK_OUT_OF_ORDER", 38),
    ("NORMAL_TEMPORARY_FAILURE", 41),
    ("SWITCH_CONGESTION", 42),
    ("ACCESS_INFO_DISCARDED", 43),
    ("REQUESTED_CHAN_UNAVAIL", 44),
    ("FACILITY_NOT_SUBSCRIBED", 50),
    ("OUTGOING_CALL_BARRED", 52),
    ("INCOMING_CALL_BARRED", 54),
    ("BEARERCAPABILITY_NOTAUTH", 57),
    ("BEARERCAPABILITY_NOTAVAIL", 58),
    ("BEARERCAPABILITY_NOTIMPL", 65),
    ("CHAN_NOT_IMPLEMENTED", 66),
    ("FACILITY_NOT_IMPLEMENTED", 69),
    ("INVALID_CALL_REFERENCE", 81),
    ("INCOMPATIBLE_DESTINATION", 88),
    ("INVALID_MSG_UNSPECIFIED", 95),
    ("MANDATORY_IE_MISSING", 96),
    ("RECOVERY_ON_TIMER_EXPIRE", 102),
    ("PROTOCOL_ERROR", 111),
    ("INTERWORKING", 127),
];

/// `Dial(destinations[,timeout[,options[,url]]])`.
pub(super) fn dial(run: &mut Run<'_>, text: &[u8]) -> Flow {
    prepare(run, text, Before::Todo)
}

/// Goes on with a Dial whose subroutine of option `B` has returned.
pub(crate) fn dial_on(run: &mut Run<'_>, text: &[u8]) -> Flow {
    prepare(run, text, Before::Done)
}

/// Whether the subroutine of option `B` has still to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Todo,
    Done,
}

fn prepare(run: &mut Run<'_>, text: &[u8], before: Before) -> Flow {
    for name in DIAL_VARIABLES {
        run.scope.assign(name.as_bytes(), b"");
    }
    let parts = split(text, 4);
    let Some(peers) = parts.first().filter(|peers| !peers.is_empty()) else {
        run.scope.warn(format_args!("Dial requires an argument (technology/resource)"));
        run.scope.assign(b"DIALSTATUS", b"CHANUNAVAIL");
        return Flow::Continue;
    };
    let mut strange = Vec::new();
    let letters = parts.get(2).map(|options| options.to_vec()).unwrap_or_default();
    let Ok(mut options) = options(&letters, DIAL_OPTIONS, |letter| strange.push(letter)) else {
        run.scope.warn(format_args!("Dial: options can not be read: '{}'", BStr::new(&letters)));
        run.scope.assign(b"DIALSTATUS", b"INVALIDARGS");
        return Flow::Continue;
    };
    for letter in strange {
        run.scope.warn(format_args!("Dial: unknown option '{}'", letter as char));
    }
    let mut destinations = Vec::new();
    for peer in peers.split(|byte| *byte == b'&') {
        match memchr::memchr(b'/', peer) {
            Some(slash) if slash > 0 => destinations.push(Destination {
                technology: peer[..slash].into(),
                resource: peer[slash + 1..].into(),
            }),
            _ => run
                .scope
                .warn(format_args!("Dial: '{}' needs to be technology/resource", BStr::new(peer))),
        }
    }
    // Not a single destination that could be called at all: the call ends (recorded).
    if destinations.is_empty() {
        return Flow::HangUp;
    }
    let timeout = parts.get(1).filter(|text| !text.is_empty());
    let seconds = timeout.and_then(|text| scan_double(text)).filter(|seconds| *seconds > 0.0);
    if let (Some(text), None) = (timeout, seconds) {
        run.scope.warn(format_args!("Dial: invalid timeout '{}'", BStr::new(&**text)));
    }
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    // Option B runs a subroutine on this channel first, so that its host never sees it.
    if let Some(target) = options.take(b'B').filter(|_| before == Before::Todo)
        && go_before(run, &target, Deferred::Dial, text)
    {
        return Flow::Jumped;
    }
    let continues = options.has(b'g');
    if destinations.iter().any(super::program::is_program) {
        return match super::program::dial(run, &destinations, timeout, &options) {
            Some(operation) => Flow::Ask(operation, Continuation::Dial { continues }),
            None => {
                run.scope.assign(b"DIALSTATUS", b"CHANUNAVAIL");
                Flow::Continue
            }
        };
    }
    let dial = Dial { destinations, timeout, options };
    Flow::Ask(Operation::Dial(Box::new(dial)), Continuation::Dial { continues })
}

/// Starts the subroutine of option `B`; the application goes on when it has returned. Whether there is one.
pub(super) fn go_before(run: &mut Run<'_>, target: &[u8], then: Deferred, text: &[u8]) -> bool {
    let target: Vec<u8> =
        target.iter().map(|byte| if *byte == b'^' { b',' } else { *byte }).collect();
    let state = &run.scope.state;
    let (frames, priority) = (state.frames.len(), state.priority);
    if !super::gosub(run, &target, FrameKind::Gosub) {
        return false;
    }
    if let Some(frame) = run.scope.state.frames.last_mut() {
        frame.priority = priority;
    }
    run.control.pending = Some(Pending { then, frames, arguments: text.into() });
    true
}

/// Emptied when Dial begins.
const DIAL_VARIABLES: [&str; 10] = [
    "DIALSTATUS",
    "DIALEDPEERNUMBER",
    "DIALEDPEERNAME",
    "ANSWEREDTIME",
    "ANSWEREDTIME_MS",
    "DIALEDTIME",
    "DIALEDTIME_MS",
    "RINGTIME",
    "RINGTIME_MS",
    "PROGRESSTIME",
];

const DIAL_OPTIONS: &[u8] = b"AabBcCdDeEfFgGhHiIjJkKlLmMnNoOpPQrRsSTtuUvwWXxzZ";

/// Whether a Dial ended without an answer.
pub(super) fn was_unanswered(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Dialed(result) => result.ended_by == DialEnd::Unanswered && result.place.is_none(),
        Outcome::HungUp { .. } => false,
        _ => true,
    }
}

pub(super) fn dial_done(run: &mut Run<'_>, continues: bool, outcome: Outcome) -> Flow {
    let result = match outcome {
        Outcome::Dialed(result) => *result,
        Outcome::HungUp { .. } => {
            run.scope.assign(b"DIALSTATUS", b"CANCEL");
            return Flow::HangUp;
        }
        _ => DialResult::unanswered(DialStatus::ChanUnavail, 0),
    };
    run.scope.assign(b"DIALSTATUS", result.status.as_str().as_bytes());
    for (name, value) in
        [("DIALEDPEERNAME", &result.peer_name), ("DIALEDPEERNUMBER", &result.peer_number)]
    {
        if let Some(value) = value {
            run.scope.assign(name.as_bytes(), value);
        }
    }
    for (name, duration) in [
        ("DIALEDTIME", result.dialed),
        ("ANSWEREDTIME", result.answered),
        ("RINGTIME", result.ringing),
        ("PROGRESSTIME", result.progress),
    ] {
        let Some(duration) = duration else { continue };
        run.scope.assign(name.as_bytes(), duration.as_secs().to_string().as_bytes());
        run.scope
            .assign(format!("{name}_MS").as_bytes(), duration.as_millis().to_string().as_bytes());
    }
    if result.cause != 0 {
        run.scope.state.set_cause(result.cause);
    }
    if let Some(place) = result.place {
        let target = [
            place.context.as_ref().map(|context| context.to_vec()),
            place.extension.as_ref().map(|extension| extension.to_vec()),
            Some(place.priority.to_vec()),
        ];
        let target: Vec<Vec<u8>> = target.into_iter().flatten().collect();
        return super::flow::goto(run, &target.join(&b','));
    }
    match result.ended_by {
        DialEnd::Unanswered | DialEnd::Continue => Flow::Continue,
        DialEnd::Callee if continues => Flow::Continue,
        DialEnd::Caller | DialEnd::Callee => Flow::HangUp,
    }
}

/// `Originate(technology/resource,app,name,arguments[,,timeout[,options]])` or
/// `Originate(technology/resource,exten,context[,extension[,priority[,timeout[,options]]]])`. With
/// option `N` numbers are as people write them, and the numbering plan says what is dialled.
pub(super) fn originate(run: &mut Run<'_>, text: &[u8]) -> Flow {
    prepare_originate(run, text, Before::Todo)
}

/// Goes on with an Originate whose subroutine of option `B` has returned.
pub(crate) fn originate_on(run: &mut Run<'_>, text: &[u8]) -> Flow {
    prepare_originate(run, text, Before::Done)
}

fn prepare_originate(run: &mut Run<'_>, text: &[u8], before: Before) -> Flow {
    let parts = split(text, 7);
    let text_of = |index: usize| parts.get(index).map(|text| text.to_vec()).unwrap_or_default();
    let failed = |run: &mut Run<'_>, why: &str| {
        run.scope.warn(format_args!("Originate: {why}"));
        run.scope.assign(b"ORIGINATE_STATUS", b"FAILED");
        Flow::Continue
    };
    let peer = text_of(0);
    let Some(slash) = memchr::memchr(b'/', &peer).filter(|at| *at > 0) else {
        return failed(run, "channel needs to be technology/resource");
    };
    let destination =
        Destination { technology: peer[..slash].into(), resource: peer[slash + 1..].into() };
    let target = match text_of(1).to_ascii_lowercase().as_slice() {
        b"app" if text_of(2).is_empty() => return failed(run, "which application?"),
        b"app" => {
            OriginateTarget::Application { name: text_of(2).into(), arguments: text_of(3).into() }
        }
        b"exten" => OriginateTarget::Place {
            context: text_of(2).into(),
            extension: match text_of(3) {
                extension if extension.is_empty() => "s".into(),
                extension => extension.into(),
            },
            priority: scan_integer(&text_of(4)).map_or(1, |(priority, _)| priority.max(1) as u32),
        },
        _ => return failed(run, "the second argument must be 'app' or 'exten'"),
    };
    // The timeout is the sixth argument in both forms: behind an application the fifth means nothing.
    let seconds = scan_integer(&text_of(5)).map(|(seconds, _)| seconds);
    let seconds = seconds.filter(|seconds| *seconds > 0);
    let mut strange = Vec::new();
    let letters = text_of(6);
    let parsed: Result<Options, _> =
        options(&letters, ORIGINATE_OPTIONS, |letter| strange.push(letter));
    let Ok(mut options) = parsed else { return failed(run, "options can not be read") };
    for letter in strange {
        run.scope.warn(format_args!("Originate: unknown option '{}'", letter as char));
    }
    if let Some(target) = options.take(b'B').filter(|_| before == Before::Todo)
        && go_before(run, &target, Deferred::Originate, text)
    {
        return Flow::Jumped;
    }
    let (destination, target) = match options.take(b'N') {
        None => (destination, target),
        Some(_) => match read_origination(run.scope.plan.numbering(), destination, target) {
            Ok(read) => read,
            Err(why) => return failed(run, &why.to_string()),
        },
    };
    let originate = Originate {
        destination,
        target,
        timeout: Duration::from_secs(seconds.map_or(30, |seconds| seconds as u64)),
        options,
    };
    Flow::Ask(Operation::Originate(Box::new(originate)), Continuation::Originate)
}

/// `N` is ours: numbers are written as people do.
const ORIGINATE_OPTIONS: &[u8] = b"abBcCnNv";

pub(super) fn originate_done(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    let status = match outcome {
        Outcome::Originated(status) => status.as_str(),
        Outcome::HungUp { .. } => "HANGUP",
        Outcome::Done => "SUCCESS",
        _ => "FAILED",
    };
    run.scope.assign(b"ORIGINATE_STATUS", status.as_bytes());
    Flow::Continue
}

/// `MessageSend(destination[,from[,to]])`: MESSAGE_SEND_STATUS tells what came of it.
pub(super) fn message_send(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 3);
    let Some(destination) = parts.first().filter(|destination| !destination.is_empty()) else {
        run.scope.warn(format_args!("MessageSend requires an argument (destination)"));
        run.scope.assign(b"MESSAGE_SEND_STATUS", b"INVALID_URI");
        return Flow::Continue;
    };
    let part = |nth: usize| {
        let part = parts.get(nth).filter(|part| !part.is_empty());
        part.map(|part| BString::from(part.to_vec()))
    };
    let message = run.scope.state.channel.message.as_deref().cloned().unwrap_or_default();
    let send = SendMessage {
        destination: destination.to_vec().into(),
        from: part(1).unwrap_or(message.from),
        to: part(2),
        body: message.body,
        headers: message
            .data
            .into_iter()
            .filter(|datum| datum.passed == Passed::On)
            .map(|datum| OutgoingHeader::new(datum.name, datum.value))
            .collect(),
    };
    Flow::Ask(Operation::SendMessage(Box::new(send)), Continuation::SendMessage)
}

pub(super) fn message_sent(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    let status = match outcome {
        Outcome::Message(sent) => sent.as_str(),
        Outcome::Done => "SUCCESS",
        _ => "FAILURE",
    };
    run.scope.assign(b"MESSAGE_SEND_STATUS", status.as_bytes());
    Flow::Continue
}

/// `SoftHangup(channel[,a])`.
pub(super) fn soft_hangup(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let Some(channel) = parts.first().filter(|channel| !channel.is_empty()) else {
        run.scope.warn(format_args!("SoftHangup requires an argument (technology/resource)"));
        return Flow::Continue;
    };
    let is_device = parts.get(1).is_some_and(|options| options.contains(&b'a'));
    let scope = if is_device { HangupScope::Device } else { HangupScope::Channel };
    Flow::Ask(
        Operation::SoftHangup { channel: channel.to_vec().into(), scope },
        Continuation::Simple,
    )
}

/// `ChannelRedirect(channel,[[context,]extension,]priority)`.
pub(super) fn channel_redirect(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let (Some(channel), Some(target)) = (parts.first(), parts.get(1)) else {
        run.scope.warn(format_args!(
            "ChannelRedirect requires an argument channel,[[context,]exten,]priority"
        ));
        return Flow::HangUp;
    };
    if **channel == **run.scope.state.channel.name {
        let target = target.to_vec();
        run.scope.assign(b"CHANNELREDIRECT_STATUS", b"SUCCESS");
        return super::flow::goto(run, &target);
    }
    let mut pieces: Vec<BString> = target.split(|byte| *byte == b',').map(BString::from).collect();
    let priority = pieces.pop().unwrap_or_default();
    let extension = pieces.pop();
    let context = pieces.pop();
    let operation =
        Operation::Redirect { channel: channel.to_vec().into(), context, extension, priority };
    Flow::Ask(operation, Continuation::Redirect)
}

pub(super) fn redirect_done(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    let status: &[u8] = if *outcome == Outcome::Done { b"SUCCESS" } else { b"NOCHANNEL" };
    run.scope.assign(b"CHANNELREDIRECT_STATUS", status);
    Flow::Continue
}

/// `ChanIsAvail(channels[,options])`: what a device's state tells. Option `a` looks at all of them, `s` and
/// `t` take one that is in use for not available.
pub(super) fn is_available(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let peers = parts.first().map(|peers| peers.to_vec()).unwrap_or_default();
    let letters = parts.get(1).map(|letters| letters.to_vec()).unwrap_or_default();
    for letter in letters.iter().filter(|letter| !AVAILABLE_OPTIONS.contains(letter)) {
        run.scope.warn(format_args!("ChanIsAvail: unknown option '{}'", char::from(*letter)));
    }
    let minds_use = letters.contains(&b's') || letters.contains(&b't');
    run.scope.assign(b"AVAILCAUSECODE", b"");
    let (mut status, mut found) = (20, Vec::new());
    for peer in peers.split(|byte| *byte == b'&') {
        let state = run.scope.named(&[b"DEVICE_STATE(", peer, b")"].concat());
        let number = DEVICE_STATES.iter().position(|name| name.as_bytes() == state);
        let can_be_called = !matches!(state.as_slice(), b"INVALID" | b"UNAVAILABLE" | b"");
        if minds_use {
            status = number.unwrap_or(0);
        }
        if can_be_called && (!minds_use || status <= 1) {
            if !minds_use {
                status = 0;
            }
            found.push(peer);
            if !letters.contains(&b'a') {
                break;
            }
        }
    }
    let found = found.join(&b'&');
    run.scope.assign(b"AVAILCHAN", &found);
    run.scope.assign(b"AVAILORIGCHAN", &found);
    run.scope.assign(b"AVAILSTATUS", status.to_string().as_bytes());
    Flow::Continue
}

/// Options of ChanIsAvail.
pub(crate) const AVAILABLE_OPTIONS: &[u8] = b"ast";
