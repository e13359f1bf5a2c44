//! Applications that record: what is asked for, and what the dialplan is told of it.

use std::time::Duration;

use bstr::{BStr, BString};

use super::media::{answer_first, is_up, seconds};
use crate::arguments::{options, scan_integer, split, strip};
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{
    DigitSet, MixMonitor, MonitorState, Operation, Options, Outcome, Record, Recorded,
};

/// `Record(file.format[,silence[,most[,options]]])`.
pub(super) fn record(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 4);
    let file = parts.first().map(|file| file.to_vec()).unwrap_or_default();
    let Some(point) =
        file.iter().rposition(|byte| matches!(byte, b'.' | b':')).filter(|point| *point > 0)
    else {
        run.scope.warn(format_args!("Record requires an argument (filename.format)"));
        run.scope.assign(b"RECORD_STATUS", b"ERROR");
        return Flow::HangUp;
    };
    let letters = parts.get(3).map(|options| options.to_vec()).unwrap_or_default();
    let options = known(run, "Record", &letters, b"aknoqstuxy");
    if !is_up(run) {
        if options.has(b's') {
            run.scope.assign(b"RECORD_STATUS", b"SKIP");
            return Flow::Continue;
        }
        if !options.has(b'n') {
            return answer_first("Record", text);
        }
    }
    // `t` ends with *, `x` with no key, `y` with any; the default is #.
    let stop = if options.has(b'x') {
        DigitSet::NONE
    } else if options.has(b'y') {
        DigitSet::ALL
    } else {
        DigitSet::from_bytes(if options.has(b't') { b"*" } else { b"#" })
    };
    let record = Record {
        name: file[..point].into(),
        format: file[point + 1..].into(),
        silence: parts.get(1).and_then(|text| seconds(text)),
        limit: parts.get(2).and_then(|text| seconds(text)),
        stop,
        options,
    };
    Flow::Ask(Operation::Record(Box::new(record)), Continuation::Record)
}

pub(super) fn record_done(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    match outcome {
        Outcome::Recorded(Recorded { status, file }) => {
            run.scope.assign(b"RECORD_STATUS", status);
            run.scope.assign(b"RECORDED_FILE", file);
            if *status == "HANGUP" { Flow::HangUp } else { Flow::Continue }
        }
        Outcome::HungUp { .. } => {
            run.scope.assign(b"RECORD_STATUS", b"HANGUP");
            Flow::HangUp
        }
        _ => {
            run.scope.assign(b"RECORD_STATUS", b"ERROR");
            Flow::HangUp
        }
    }
}

/// `MixMonitor(file[,options[,command]])`.
pub(super) fn mix_monitor(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 3);
    let part = |at: usize| parts.get(at).map(|part| strip(part).to_vec()).unwrap_or_default();
    let (file, letters, command) = (part(0), part(1), part(2));
    if !command.is_empty() {
        run.scope.warn(format_args!(
            "MixMonitor: '{}' is not run: this engine runs no programs",
            BStr::new(&command)
        ));
    }
    let mut options = known(run, "MixMonitor", &letters, b"abBcdDimnpPrStvVW");
    for (letter, why) in [
        (b'm', "there are no mailboxes to copy to"),
        (b'c', "there are no mailboxes to copy to"),
        (b'n', "silence is always kept, so that both sides stay aligned"),
    ] {
        if options.take(letter).is_some() {
            run.scope.warn(format_args!("MixMonitor: option '{}': {why}", letter as char));
        }
    }
    let mut file_of = |letter: u8| options.take(letter).filter(|file| !file.is_empty());
    let (heard_file, sent_file) = (file_of(b'r'), file_of(b't'));
    let file = Some(BString::from(file)).filter(|file| !file.is_empty());
    if file.is_none() && heard_file.is_none() && sent_file.is_none() {
        run.scope.warn(format_args!(
            "MixMonitor requires an argument (filename or ,t(filename) and/or r(filename))"
        ));
        return Flow::HangUp;
    }
    let both = volume(run, b'W', &mut options);
    let heard_volume = volume(run, b'v', &mut options).or(both).unwrap_or(0);
    let sent_volume = volume(run, b'V', &mut options).or(both).unwrap_or(0);
    let variable = options.take(b'i').filter(|name| !name.is_empty());
    let interval = options.take(b'B').map(|text| match scan_integer(&text) {
        // As in Asterisk, which beeps no more often than every five seconds.
        Some((seconds, _)) => Duration::from_secs(seconds.max(5) as u64),
        None => Duration::from_secs(15),
    });
    let monitor = MixMonitor {
        file,
        heard_file,
        sent_file,
        heard_volume,
        sent_volume,
        appends: options.has(b'a'),
        only_bridged: options.has(b'b'),
        is_deleted: options.has(b'd'),
        is_stereo: options.has(b'D'),
        beeps_at_start: options.has(b'p'),
        beeps_at_end: options.has(b'P'),
        beeps_every: interval,
    };
    Flow::Ask(Operation::MixMonitor(Box::new(monitor)), Continuation::MixMonitor { variable })
}

/// By how many steps of 6 dB an option changes the loudness.
fn volume(run: &mut Run<'_>, letter: u8, options: &mut Options) -> Option<i8> {
    let text = options.take(letter)?;
    match scan_integer(&text) {
        Some((steps @ -4..=4, _)) => i8::try_from(steps).ok(),
        _ => {
            run.scope.warn(format_args!(
                "MixMonitor: option '{}' wants a number from -4 to 4 in parentheses",
                letter as char
            ));
            None
        }
    }
}

pub(super) fn mix_monitor_done(
    run: &mut Run<'_>,
    variable: Option<BString>,
    outcome: &Outcome,
) -> Flow {
    match outcome {
        Outcome::Monitoring { id, file } => {
            run.scope.assign(b"MIXMONITOR_FILENAME", file);
            if let Some(variable) = variable {
                run.scope.assign(&variable, id);
            }
            Flow::Continue
        }
        Outcome::HungUp { .. } => Flow::HangUp,
        // A call that can not be recorded goes on, as in Asterisk.
        _ => Flow::Continue,
    }
}

/// `StopMixMonitor([id])`.
pub(super) fn stop_mix_monitor(_: &mut Run<'_>, text: &[u8]) -> Flow {
    let id = Some(BString::from(strip(text))).filter(|id| !id.is_empty());
    Flow::Ask(Operation::StopMixMonitor { id }, Continuation::Simple)
}

/// PauseMonitor(): nothing is written until UnpauseMonitor().
pub(super) fn pause_monitor(_: &mut Run<'_>, _: &[u8]) -> Flow {
    let state = MonitorState::Paused;
    Flow::Ask(Operation::SetMonitors { state }, Continuation::Simple)
}

/// UnpauseMonitor().
pub(super) fn unpause_monitor(_: &mut Run<'_>, _: &[u8]) -> Flow {
    let state = MonitorState::Running;
    Flow::Ask(Operation::SetMonitors { state }, Continuation::Simple)
}

fn known(run: &mut Run<'_>, application: &str, letters: &[u8], known: &[u8]) -> Options {
    let mut strange = Vec::new();
    let options = options(letters, known, |letter| strange.push(letter)).unwrap_or_default();
    for letter in strange {
        run.scope.warn(format_args!("{application}: unknown option '{}'", letter as char));
    }
    options
}
