//! Applications that listen to the caller: WaitForSilence, WaitForNoise, WaitForBeep,
//! BackgroundDetect, AMD.

use std::time::Duration;

use bstr::{BStr, BString};

use super::media::{answer_first, file_list, is_up};
use crate::arguments::{scan_integer, split, strip};
use crate::executor::{Continuation, Flow, Run};
use crate::host::Level;
use crate::operation::{
    AwaitSound, DetectMachine, DetectTalk, DigitSet, Operation, Outcome, Sound,
};

/// `WaitForSilence([ms[,times[,seconds]]])`.
pub(super) fn wait_for_silence(run: &mut Run<'_>, text: &[u8]) -> Flow {
    wait_for(run, text, Sound::Silence)
}

/// `WaitForNoise([ms[,times[,seconds]]])`.
pub(super) fn wait_for_noise(run: &mut Run<'_>, text: &[u8]) -> Flow {
    wait_for(run, text, Sound::Noise)
}

/// `WaitForBeep([silence[,seconds]])`: waits until a machine has said its greeting, as its beep
/// tells, or a silence of so many milliseconds.
pub(super) fn wait_for_beep(run: &mut Run<'_>, text: &[u8]) -> Flow {
    wait_for(run, text, Sound::Beep)
}

/// The same as an operation.
pub(super) fn wait_for_beep_of(silence: Duration, timeout: Option<Duration>) -> Operation {
    Operation::AwaitSound(Box::new(AwaitSound {
        sound: Sound::Beep,
        length: silence,
        times: 1,
        timeout,
    }))
}

fn wait_for(run: &mut Run<'_>, text: &[u8], sound: Sound) -> Flow {
    let application = match sound {
        Sound::Silence => "WaitForSilence",
        Sound::Noise => "WaitForNoise",
        Sound::Beep => "WaitForBeep",
    };
    let mut parts = split(text, 3);
    let mut numbers = [1000, 1, 0];
    if sound == Sound::Beep {
        // There is one.
        (numbers[0], numbers[2]) = (2500, 60);
        parts.insert(1.min(parts.len()), b"".into());
    }
    for (number, part) in numbers.iter_mut().zip(&parts) {
        let part = strip(part);
        if part.is_empty() {
            continue;
        }
        match scan_integer(part) {
            Some((value, _)) if value >= 0 => *number = value.unsigned_abs(),
            _ => {
                run.scope.log(
                    Level::Error,
                    format_args!(
                        "{application}: '{}' must be an integer of zero or more",
                        BStr::new(part)
                    ),
                );
                return Flow::HangUp;
            }
        }
    }
    if !is_up(run) {
        return answer_first(application, text);
    }
    let [length, times, seconds] = numbers;
    if times == 0 {
        return Flow::Continue;
    }
    let operation = Operation::AwaitSound(Box::new(AwaitSound {
        sound,
        length: milliseconds(length),
        times,
        timeout: (seconds > 0).then(|| Duration::from_secs(seconds.into())),
    }));
    Flow::Ask(operation, Continuation::AwaitSound { sound })
}

pub(super) fn waited_for(run: &mut Run<'_>, sound: Sound, outcome: &Outcome) -> Flow {
    let status = match (outcome, sound) {
        (Outcome::Done, Sound::Silence) => "SILENCE",
        (Outcome::Done, Sound::Noise) => "NOISE",
        (Outcome::Done, Sound::Beep) => "BEEP",
        (Outcome::TimedOut, _) => "TIMEOUT",
        _ => "HANGUP",
    };
    run.scope.assign(b"WAITSTATUS", status.as_bytes());
    if status == "HANGUP" { Flow::HangUp } else { Flow::Continue }
}

/// `BackgroundDetect(files[,silence[,shortest[,longest[,time]]]])`.
pub(super) fn background_detect(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 5);
    let Some(files) = parts.first().filter(|files| !strip(files).is_empty()) else {
        run.scope.warn(format_args!("BackgroundDetect requires an argument (filename)"));
        return Flow::HangUp;
    };
    if !is_up(run) {
        return answer_first("BackgroundDetect", text);
    }
    // What is no number is passed over, as there.
    let number = |at: usize, least: i32| {
        let (value, _) = scan_integer(parts.get(at)?)?;
        (value >= least).then(|| milliseconds(value.unsigned_abs()))
    };
    let context = run.scope.state.context.clone();
    // Only keys that are, or begin, an extension end it.
    let keys = b"0123456789*#ABCD".iter().copied().filter(|key| {
        let text = [*key];
        run.can_match_in(&context, &text) || run.matches_more_in(&context, &text)
    });
    let interrupt = DigitSet::from_bytes(&keys.collect::<Vec<u8>>());
    let operation = Operation::DetectTalk(Box::new(DetectTalk {
        files: file_list(files),
        interrupt,
        silence: number(1, 1).unwrap_or(Duration::from_secs(1)),
        shortest: number(2, 1).unwrap_or(Duration::from_millis(100)),
        longest: number(3, 1),
        within: number(4, 0).filter(|within| !within.is_zero()),
    }));
    run.scope.assign(b"TALK_DETECTED", b"");
    Flow::Ask(operation, Continuation::DetectTalk)
}

pub(super) fn talk_detected(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    match outcome {
        Outcome::HungUp { .. } => Flow::HangUp,
        Outcome::Digit(digit) => Flow::Digit(*digit),
        Outcome::Talked(talked) => {
            run.scope.assign(b"TALK_DETECTED", talked.as_millis().to_string().as_bytes());
            if run.exists(b"talk") {
                run.go_to_extension(b"talk");
                return Flow::Jumped;
            }
            Flow::Continue
        }
        Outcome::Failed => {
            run.scope.log(Level::Debug, format_args!("BackgroundDetect: nothing to play"));
            Flow::Continue
        }
        _ => Flow::Continue,
    }
}

/// `AMD([initialSilence[,greeting[,afterGreetingSilence[,totalAnalysis[,minimumWordLength[,
/// betweenWordsSilence[,maximumNumberOfWords[,silenceThreshold[,maximumWordLength[,file]]]]]]]]]])`.
pub(super) fn detect_machine(_: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 10);
    let number = |at: usize| {
        let text = parts.get(at).map(|part| strip(part)).filter(|part| !part.is_empty())?;
        // As C's atoi: what is no number is none.
        Some(scan_integer(text).map_or(0, |(value, _)| value.max(0)).unsigned_abs())
    };
    let time = |at: usize| number(at).map(milliseconds);
    let file = parts.get(9).map(|part| BString::from(strip(part)));
    let operation = Operation::DetectMachine(Box::new(DetectMachine {
        initial_silence: time(0),
        greeting: time(1),
        after_greeting_silence: time(2),
        total_analysis_time: time(3),
        minimum_word_length: time(4),
        between_words_silence: time(5),
        maximum_number_of_words: number(6),
        silence_threshold: number(7),
        maximum_word_length: time(8),
        file: file.filter(|file| !file.is_empty()),
    }));
    Flow::Ask(operation, Continuation::DetectMachine)
}

pub(super) fn machine_detected(run: &mut Run<'_>, outcome: Outcome) -> Flow {
    if judge(run, outcome).is_some() { Flow::Continue } else { Flow::HangUp }
}

/// Takes AMD's judgement down; `None`: the callee is gone.
pub(super) fn judge(run: &mut Run<'_>, outcome: Outcome) -> Option<BString> {
    let (status, cause) = match outcome {
        Outcome::Judged(judged) => (judged.status, judged.cause),
        Outcome::HungUp { .. } => ("HANGUP".into(), BString::default()),
        // There is nothing to listen to: the call is not up.
        _ => ("NOTSURE".into(), "TOOLONG-0".into()),
    };
    run.scope.assign(b"AMDSTATUS", &status);
    run.scope.assign(b"AMDCAUSE", &cause);
    (status != "HANGUP").then_some(status)
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}
