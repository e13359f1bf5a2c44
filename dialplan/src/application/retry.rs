//! RetryDial: Dial again and again, with an announcement and a pause between the tries.

use std::time::Duration;

use bstr::BString;

use super::call;
use crate::arguments::{options, scan_double, scan_integer, split};
use crate::executor::{Continuation, Flow, Run, digit_of};
use crate::operation::{Digit, DigitSet, MissingFile, Operation, Outcome};

/// A RetryDial in progress.
#[derive(Debug)]
pub(crate) struct Retry {
    announcement: Option<BString>,
    pause: Duration,
    /// Tries that are left after this one; `None` never gives up.
    left: Option<u32>,
    /// What Dial is given.
    dial: BString,
    /// Option `d`: a key between the tries leads to its extension.
    keys: Keys,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    Extensions,
    Ignored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Dial runs; whether it goes on after an answered call.
    Dialing {
        continues: bool,
    },
    Announcing,
    Music,
    Pausing,
    /// The music is being stopped, behind this key.
    Silencing(Option<Digit>),
}

/// `RetryDial(announcement,pause,retries,destinations[,timeout[,options]])`.
pub(super) fn retry_dial(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 4);
    let text_of = |index: usize| parts.get(index).map(|text| text.to_vec()).unwrap_or_default();
    // Everything behind the third comma is Dial's, as it is written.
    let dial = BString::from(text_of(3));
    if dial.is_empty() {
        run.scope.warn(format_args!("RetryDial requires announcement,pause,retries,destinations"));
        return Flow::HangUp;
    }
    let seconds = scan_double(&text_of(1)).filter(|seconds| *seconds > 0.0);
    let pause = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let retries = scan_integer(&text_of(2)).map(|(retries, _)| retries);
    let letters = split(&dial, 4).get(2).map(|letters| letters.to_vec()).unwrap_or_default();
    let has_keys = options(&letters, b"d", |_| {}).is_ok_and(|options| options.has(b'd'));
    let retry = Retry {
        announcement: Some(text_of(0).into()).filter(|name: &BString| !name.is_empty()),
        // Tries that fail at once would keep a core busy.
        pause: pause.unwrap_or_default().max(SHORTEST_PAUSE),
        left: retries.and_then(|retries| u32::try_from(retries).ok()).filter(|left| *left > 0),
        dial,
        keys: if has_keys { Keys::Extensions } else { Keys::Ignored },
        stage: Stage::Dialing { continues: false },
    };
    try_once(run, Box::new(retry))
}

fn try_once(run: &mut Run<'_>, mut retry: Box<Retry>) -> Flow {
    if let Some(left) = &mut retry.left {
        let Some(fewer) = left.checked_sub(1) else { return Flow::Continue };
        *left = fewer;
    }
    let dial = retry.dial.clone();
    match call::dial(run, &dial) {
        Flow::Ask(operation, Continuation::Dial { continues }) => {
            retry.stage = Stage::Dialing { continues };
            Flow::Ask(operation, Continuation::RetryDial(retry))
        }
        Flow::Jumped => {
            run.scope.warn(format_args!(
                "RetryDial: behind the subroutine of option B is one try alone"
            ));
            Flow::Jumped
        }
        flow => flow,
    }
}

/// Goes on when what it asked for is done.
pub(super) fn retry_on(run: &mut Run<'_>, mut retry: Box<Retry>, outcome: Outcome) -> Flow {
    if let Stage::Dialing { continues } = retry.stage {
        let failed = call::was_unanswered(&outcome);
        let flow = call::dial_done(run, continues, outcome);
        if !failed || !matches!(flow, Flow::Continue) {
            return flow;
        }
        return announce(retry);
    }
    if matches!(outcome, Outcome::HungUp { .. }) {
        return Flow::HangUp;
    }
    let pressed = digit_of(&outcome).filter(|_| retry.keys == Keys::Extensions);
    match retry.stage {
        Stage::Dialing { .. } => Flow::Continue,
        Stage::Announcing => match pressed {
            Some(digit) => leave(run, retry, digit),
            None => begin_pause(retry),
        },
        Stage::Music => {
            retry.stage = Stage::Pausing;
            let timeout = Some(retry.pause);
            Flow::Ask(Operation::WaitDigit { timeout }, Continuation::RetryDial(retry))
        }
        Stage::Pausing => {
            retry.stage = Stage::Silencing(pressed);
            Flow::Ask(Operation::StopMusicOnHold, Continuation::RetryDial(retry))
        }
        Stage::Silencing(pressed) => match pressed {
            Some(digit) => leave(run, retry, digit),
            None => try_once(run, retry),
        },
    }
}

fn announce(mut retry: Box<Retry>) -> Flow {
    let Some(name) = retry.announcement.clone() else { return begin_pause(retry) };
    let interrupt = match retry.keys {
        Keys::Extensions => DigitSet::from_bytes(b"0123456789*#ABCD"),
        Keys::Ignored => DigitSet::default(),
    };
    retry.stage = Stage::Announcing;
    let (files, missing, language) = (vec![name], MissingFile::Skip, None);
    let operation = Operation::Play { files, interrupt, missing, language };
    Flow::Ask(operation, Continuation::RetryDial(retry))
}

fn begin_pause(mut retry: Box<Retry>) -> Flow {
    retry.stage = Stage::Music;
    Flow::Ask(Operation::StartMusicOnHold { class: None }, Continuation::RetryDial(retry))
}

/// A key: its extension in EXITCONTEXT or the present context, if there is one.
fn leave(run: &mut Run<'_>, retry: Box<Retry>, digit: Digit) -> Flow {
    let context = run.scope.variable(b"EXITCONTEXT").filter(|context| !context.is_empty());
    let context = context.unwrap_or_else(|| run.scope.state.context.as_ref()).to_owned();
    let extension = [digit.as_byte()];
    if !run.has(&context, &extension, 1) {
        return try_once(run, retry);
    }
    super::flow::goto(run, &[context.as_slice(), &extension, b"1"].join(&b','))
}

/// Between two tries, at least.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
