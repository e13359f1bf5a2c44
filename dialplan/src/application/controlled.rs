//! ControlPlayback: a playback that the caller steers with keys.

use std::time::Duration;

use bstr::BString;

use super::media::{answer_first, is_up};
use crate::arguments::{options, scan_integer, split, strip};
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{ControlEnd, ControlPlay, Digit, DigitSet, Operation, Outcome};

/// `ControlPlayback(file[,ms[,forward[,back[,stop[,pause[,restart[,options]]]]]]])`.
pub(super) fn control_playback(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 8);
    let part = |at: usize| parts.get(at).map(|part| strip(part)).unwrap_or_default();
    let file = part(0);
    if file.is_empty() {
        run.scope.warn(format_args!("ControlPlayback requires an argument (filename)"));
        return Flow::HangUp;
    }
    let mut strange = Vec::new();
    let letters = options(part(7), b"o", |letter| strange.push(letter)).unwrap_or_default();
    for letter in strange {
        run.scope.warn(format_args!("ControlPlayback: unknown option '{}'", letter as char));
    }
    if !is_up(run) {
        return answer_first("ControlPlayback", text);
    }
    let number =
        |text: &[u8]| scan_integer(text).map_or(0, |(value, _)| value.max(0)).unsigned_abs();
    let skip = match number(part(1)) {
        0 => SKIP,
        milliseconds => Duration::from_millis(milliseconds.into()),
    };
    // `#` and `*` jump where the keys for that are not given, unless they do something else.
    let keys = |at: usize, usual: u8| {
        let given = part(at);
        if given.first().is_some_and(|key| Digit::new(*key).is_some()) {
            return DigitSet::from_bytes(given);
        }
        let is_taken = (2..=6).any(|other| part(other).contains(&usual));
        if is_taken { DigitSet::NONE } else { DigitSet::from_bytes(&[usual]) }
    };
    let offset = letters.argument(b'o').map_or(0, number);
    let operation = Operation::ControlPlay(Box::new(ControlPlay {
        file: BString::from(file),
        offset: Duration::from_millis(offset.into()),
        skip,
        forward: keys(2, b'#'),
        rewind: keys(3, b'*'),
        stop: DigitSet::from_bytes(part(4)),
        pause: DigitSet::from_bytes(part(5)),
        restart: DigitSet::from_bytes(part(6)),
    }));
    Flow::Ask(operation, Continuation::ControlPlay)
}

pub(super) fn control_ended(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    let (status, offset) = match outcome {
        Outcome::Controlled(ControlEnd::Completed) => ("SUCCESS", "-1".to_owned()),
        Outcome::Controlled(ControlEnd::Stopped { digit, at }) => {
            run.scope.assign(b"CPLAYBACKSTOPKEY", &[digit.as_byte()]);
            ("USERSTOPPED", at.as_millis().to_string())
        }
        _ => ("ERROR", "-1".to_owned()),
    };
    run.scope.assign(b"CPLAYBACKSTATUS", status.as_bytes());
    run.scope.assign(b"CPLAYBACKOFFSET", offset.as_bytes());
    if matches!(outcome, Outcome::HungUp { .. }) { Flow::HangUp } else { Flow::Continue }
}

/// How far a jump goes where nothing is said.
const SKIP: Duration = Duration::from_secs(3);
