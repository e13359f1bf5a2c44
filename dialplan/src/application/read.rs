//! Read and ReadExten: digits into a variable.

use std::time::Duration;

use bstr::{BStr, BString};

use super::media::{answer_first, file_list, is_up};
use crate::arguments::{options, scan_double, scan_integer, split};
use crate::executor::{Continuation, Flow, ReadDigits, ReadExtension, Run};
use crate::host::Level;
use crate::operation::{DigitSet, MissingFile, Operation, Outcome};
use crate::plan::Target;

/// `Read(name[,files[,most[,options[,tries[,timeout]]]]])`.
pub(super) fn read(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 6);
    let text_of = |index: usize| parts.get(index).map(|text| text.to_vec()).unwrap_or_default();
    let variable = text_of(0);
    if variable.is_empty() {
        run.scope.warn(format_args!("Read requires a variable name"));
        run.scope.assign(b"READSTATUS", b"ERROR");
        return Flow::Continue;
    }
    let mut strange = Vec::new();
    let letters = text_of(3);
    let parsed = match letters.to_ascii_lowercase().as_slice() {
        b"skip" => options(b"s", b"s", |_| {}),
        b"noanswer" => options(b"n", b"n", |_| {}),
        _ => options(&letters, b"sinte", |letter| strange.push(letter)),
    };
    for letter in strange {
        run.scope.warn(format_args!("Read: unknown option '{}'", letter as char));
    }
    let Ok(options) = parsed else {
        run.scope.warn(format_args!("Read: options can not be read"));
        run.scope.assign(b"READSTATUS", b"ERROR");
        return Flow::Continue;
    };
    if !is_up(run) {
        if options.has(b's') {
            // The variable is emptied as well.
            run.scope.assign(&variable, b"");
            run.scope.assign(b"READSTATUS", b"SKIPPED");
            return Flow::Continue;
        }
        if !options.has(b'n') {
            return answer_first("Read", text);
        }
    }
    let most = scan_integer(&text_of(2)).map_or(255, |(most, _)| most);
    let most = if (1..=255).contains(&most) { most as usize } else { 255 };
    let tries = scan_integer(&text_of(4)).map_or(1, |(tries, _)| tries);
    let timeout = scan_double(&text_of(5)).filter(|seconds| *seconds > 0.0);
    let enders = match options.has(b't') {
        true => options.argument(b't').map(BString::from).unwrap_or_default(),
        false => "#".into(),
    };
    let files = text_of(1);
    let (files, tone) = if options.has(b'i') {
        (Vec::new(), (!files.is_empty()).then(|| files.into()))
    } else {
        (file_list(&files), None)
    };
    let mut read = Box::new(ReadDigits {
        variable: variable.into(),
        files,
        next_file: 0,
        digits: BString::default(),
        most,
        tries: if tries <= 0 { 1 } else { tries },
        timeout: timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        enders,
        is_playing: false,
        tone,
        reads_ender: options.has(b'e'),
        held: None,
    });
    if let Some(tones) = read.tone.clone() {
        read.is_playing = true;
        return Flow::Ask(Operation::PlayTones { tones }, Continuation::Read(read));
    }
    prompt(run, read)
}

/// Plays the next prompt, or waits for the first key when there is none.
fn prompt(run: &Run<'_>, mut read: Box<ReadDigits>) -> Flow {
    match read.files.get(read.next_file).cloned() {
        Some(file) => {
            read.next_file += 1;
            read.is_playing = true;
            let operation = Operation::Play {
                files: vec![file],
                interrupt: DigitSet::ALL,
                missing: MissingFile::Stop,
                language: None,
            };
            Flow::Ask(operation, Continuation::Read(read))
        }
        None => wait(run, read),
    }
}

fn wait(run: &Run<'_>, mut read: Box<ReadDigits>) -> Flow {
    read.is_playing = false;
    let timeouts = run.scope.state.channel.timeouts;
    let timeout = if !read.digits.is_empty() {
        read.timeout.unwrap_or(timeouts.digit)
    } else if read.next_file < read.files.len() {
        BETWEEN_PROMPTS
    } else {
        read.timeout.unwrap_or(timeouts.response)
    };
    Flow::Ask(Operation::WaitDigit { timeout: Some(timeout) }, Continuation::Read(read))
}

pub(super) fn read_on(run: &mut Run<'_>, mut read: Box<ReadDigits>, outcome: &Outcome) -> Flow {
    if let Some(held) = read.held.take() {
        return read_on(run, read, &held);
    }
    // The first key, and the end of the wait, stop the tone.
    let is_over = matches!(outcome, Outcome::Digit(_) | Outcome::TimedOut);
    if is_over && !read.is_playing && read.tone.take().is_some() {
        read.held = Some(outcome.clone());
        return Flow::Ask(Operation::StopPlayTones, Continuation::Read(read));
    }
    match outcome {
        Outcome::HungUp { .. } => finish(run, &read, b"HANGUP"),
        Outcome::Digit(digit) => {
            let byte = digit.as_byte();
            let is_ender = read.enders.contains(&byte);
            if !is_ender || read.reads_ender && read.digits.is_empty() {
                read.digits.push(byte);
            }
            if is_ender || read.digits.len() >= read.most {
                return finish(run, &read, b"OK");
            }
            wait(run, read)
        }
        // A prompt that can not be played is passed over; when it was the last, reading fails.
        Outcome::Failed if read.is_playing && read.tone.is_none() => {
            run.scope.log(Level::Debug, format_args!("Read: a prompt could not be played"));
            if read.next_file < read.files.len() {
                return prompt(run, read);
            }
            finish(run, &read, b"ERROR")
        }
        _ if read.is_playing => wait(run, read),
        _ => {
            if !read.digits.is_empty() {
                return finish(run, &read, b"TIMEOUT");
            }
            if read.next_file < read.files.len() {
                return prompt(run, read);
            }
            read.tries -= 1;
            if read.tries > 0 {
                read.next_file = 0;
                return prompt(run, read);
            }
            finish(run, &read, b"TIMEOUT")
        }
    }
}

fn finish(run: &mut Run<'_>, read: &ReadDigits, status: &[u8]) -> Flow {
    run.scope.assign(&read.variable, &read.digits);
    run.scope.assign(b"READSTATUS", status);
    Flow::Continue
}

/// `ReadExten(name[,file[,context[,options[,timeout]]]])`.
pub(super) fn read_extension(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 5);
    let text_of = |index: usize| parts.get(index).map(|text| text.to_vec()).unwrap_or_default();
    let variable = text_of(0);
    if variable.is_empty() {
        run.scope.warn(format_args!("ReadExten requires a variable name"));
        run.scope.assign(b"READEXTENSTATUS", b"ERROR");
        return Flow::Continue;
    }
    let letters = text_of(3);
    if letters.iter().any(|letter| matches!(letter, b'i' | b'p')) {
        run.scope.warn(format_args!("ReadExten: options i and p are not available"));
    }
    if !is_up(run) {
        if letters.contains(&b's') {
            run.scope.assign(&variable, b"");
            run.scope.assign(b"READEXTENSTATUS", b"SKIP");
            return Flow::Continue;
        }
        if !letters.contains(&b'n') {
            return answer_first("ReadExten", text);
        }
    }
    let context = text_of(2);
    let context =
        if context.is_empty() { run.scope.state.context.clone() } else { BString::from(context) };
    let timeout = scan_double(&text_of(4)).filter(|seconds| *seconds > 0.0);
    let file = text_of(1);
    let mut read = Box::new(ReadExtension {
        variable: variable.into(),
        file: (!file.is_empty()).then(|| file.into()),
        context,
        digits: BString::default(),
        timeout: timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        is_playing: false,
    });
    let Some(file) = read.file.clone() else { return wait_extension(run, read) };
    read.is_playing = true;
    let operation = Operation::Play {
        files: vec![file],
        interrupt: DigitSet::ALL,
        missing: MissingFile::Stop,
        language: None,
    };
    Flow::Ask(operation, Continuation::ReadExten(read))
}

fn wait_extension(run: &Run<'_>, mut read: Box<ReadExtension>) -> Flow {
    read.is_playing = false;
    let timeouts = run.scope.state.channel.timeouts;
    let default = if read.digits.is_empty() { timeouts.response } else { timeouts.digit };
    let timeout = Some(read.timeout.unwrap_or(default));
    Flow::Ask(Operation::WaitDigit { timeout }, Continuation::ReadExten(read))
}

pub(super) fn read_extension_on(
    run: &mut Run<'_>,
    mut read: Box<ReadExtension>,
    outcome: &Outcome,
) -> Flow {
    match outcome {
        Outcome::HungUp { .. } => finish_extension(run, &read, b"ERROR", b""),
        Outcome::Digit(digit) => {
            read.digits.push(digit.as_byte());
            if run.matches_more_in(&read.context, &read.digits) && read.digits.len() < 255 {
                return wait_extension(run, read);
            }
            decide(run, &read)
        }
        _ if read.is_playing => wait_extension(run, read),
        _ => decide(run, &read),
    }
}

fn decide(run: &mut Run<'_>, read: &ReadExtension) -> Flow {
    if read.digits.is_empty() {
        return finish_extension(run, read, b"TIMEOUT", b"t");
    }
    let circumstances = run.scope.circumstances();
    let digits = BStr::new(&read.digits);
    let is_valid = run
        .scope
        .plan
        .find_in(read.context.as_ref(), digits, Target::Priority(1), &circumstances)
        .is_ok();
    if is_valid {
        finish_extension(run, read, b"OK", &read.digits)
    } else {
        run.scope.assign(b"INVALID_EXTEN", &read.digits);
        finish_extension(run, read, b"INVALID", b"i")
    }
}

fn finish_extension(run: &mut Run<'_>, read: &ReadExtension, status: &[u8], value: &[u8]) -> Flow {
    run.scope.assign(&read.variable, value);
    run.scope.assign(b"READEXTENSTATUS", status);
    if status == b"ERROR" { Flow::HangUp } else { Flow::Continue }
}

/// How long to listen between two prompts.
const BETWEEN_PROMPTS: Duration = Duration::from_millis(50);
