//! Applications that the caller hears.

use std::time::Duration;

use bstr::{BStr, BString};

use crate::arguments::{options, scan_double, scan_integer, split, strip};
use crate::executor::{Accompanied, Continuation, Flow, Run, Stage, digit_of};
use crate::host::{ChannelState, Level};
use crate::operation::{
    AnswerMedia, DigitSet, MissingFile, Operation, Options, Outcome, SaidCase, Say,
};

/// Answers on behalf of an application, which then runs again with other arguments.
pub(super) fn answer_first(application: &'static str, arguments: &[u8]) -> Flow {
    let operation = Operation::Answer { delay: Duration::ZERO, media: AnswerMedia::Wait };
    Flow::Ask(operation, Continuation::Answered { application, arguments: arguments.into() })
}

pub(super) fn is_up(run: &Run<'_>) -> bool {
    run.scope.host.channel_state() == ChannelState::Up
}

/// `Answer([delay in ms][,i])`.
pub(super) fn answer(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let delay =
        parts.first().and_then(|delay| scan_integer(delay)).map_or(0, |(delay, _)| delay.max(0));
    if is_up(run) || run.scope.state.is_hung_up {
        return if run.scope.state.is_hung_up { Flow::HangUp } else { Flow::Continue };
    }
    let media = if parts.get(1).is_some_and(|options| options.contains(&b'i')) {
        AnswerMedia::Immediate
    } else {
        AnswerMedia::Wait
    };
    Flow::Ask(
        Operation::Answer { delay: Duration::from_millis(delay as u64), media },
        Continuation::Simple,
    )
}

pub(super) fn ringing(_: &mut Run<'_>, _: &[u8]) -> Flow {
    Flow::Ask(Operation::Ringing, Continuation::Simple)
}

pub(super) fn progress(_: &mut Run<'_>, _: &[u8]) -> Flow {
    Flow::Ask(Operation::Progress, Continuation::Simple)
}

pub(super) fn proceeding(_: &mut Run<'_>, _: &[u8]) -> Flow {
    Flow::Ask(Operation::Proceeding, Continuation::Simple)
}

/// `Busy([seconds])`: never goes on.
pub(super) fn busy(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if !is_up(run) {
        run.scope.state.set_cause(17);
    }
    Flow::Ask(Operation::Busy { timeout: seconds(text) }, Continuation::Never)
}

/// `Congestion([seconds])`: never goes on.
pub(super) fn congestion(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if !is_up(run) {
        run.scope.state.set_cause(34);
    }
    Flow::Ask(Operation::Congestion { timeout: seconds(text) }, Continuation::Never)
}

/// A positive number of seconds; anything else is for ever.
pub(super) fn seconds(text: &[u8]) -> Option<Duration> {
    let seconds = scan_double(text).filter(|seconds| *seconds > 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Wait(time), with an optional unit: ms, s, m, h.
pub(super) fn wait(_: &mut Run<'_>, text: &[u8]) -> Flow {
    match time(text) {
        Some(duration) => Flow::Ask(Operation::Wait { duration }, Continuation::Simple),
        None => Flow::Continue,
    }
}

fn time(text: &[u8]) -> Option<Duration> {
    let amount = scan_double(text)?;
    let unit = text
        .iter()
        .rposition(|byte| byte.is_ascii_digit() || *byte == b'.')
        .map_or(0, |last| last + 1);
    let factor = match strip(&text[unit..]).to_ascii_lowercase().as_slice() {
        b"" | b"s" => 1.0,
        b"ms" => 0.001,
        b"m" => 60.0,
        b"h" => 3600.0,
        _ => return None,
    };
    let milliseconds = (amount * factor * 1000.0).trunc();
    (milliseconds >= 1.0).then(|| Duration::from_millis(milliseconds.min(1e12) as u64))
}

/// `Playback(files[,options])`.
pub(super) fn playback(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let Some(files) = parts.first().filter(|files| !files.is_empty()) else {
        run.scope.warn(format_args!("Playback requires an argument (filename)"));
        return Flow::HangUp;
    };
    let options = parts.get(1).map(|options| options.to_ascii_lowercase()).unwrap_or_default();
    let has = |word: &[u8]| {
        options.split(|byte| *byte == b',' || *byte == b'&').any(|option| strip(option) == word)
    };
    for unsupported in [&b"say"[..], b"mix"] {
        if has(unsupported) {
            run.scope.warn(format_args!(
                "Playback: option '{}' is not available",
                BStr::new(unsupported)
            ));
            run.scope.assign(b"PLAYBACKSTATUS", b"FAILED");
            return Flow::Continue;
        }
    }
    if !is_up(run) {
        if has(b"skip") {
            run.scope.assign(b"PLAYBACKSTATUS", b"SUCCESS");
            return Flow::Continue;
        }
        if !has(b"noanswer") {
            return answer_first("Playback", text);
        }
    }
    run.scope.assign(b"PLAYBACKSTATUS", b"SUCCESS");
    Flow::Ask(play_whole(files), Continuation::Playback)
}

/// Plays files to their end, whatever keys are pressed; those that are not there are passed over.
pub(super) fn play_whole(files: &[u8]) -> Operation {
    Operation::Play {
        files: file_list(files),
        interrupt: DigitSet::NONE,
        missing: MissingFile::Skip,
        language: None,
    }
}

pub(super) fn file_list(text: &[u8]) -> Vec<BString> {
    text.split(|byte| *byte == b'&')
        .map(strip)
        .filter(|name| !name.is_empty())
        .map(BString::from)
        .collect()
}

pub(super) fn playback_done(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    match outcome {
        Outcome::HungUp { .. } => Flow::HangUp,
        Outcome::Failed => {
            // Whoever plays the files says which and why.
            run.scope.log(Level::Debug, format_args!("Playback failed"));
            run.scope.assign(b"PLAYBACKSTATUS", b"FAILED");
            Flow::Continue
        }
        _ => Flow::Continue,
    }
}

/// `Background(files[,options[,language[,context]]])`.
pub(super) fn background(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 4);
    let Some(files) = parts.first().filter(|files| !files.is_empty()) else {
        run.scope.warn(format_args!("Background requires an argument (filename)"));
        return Flow::HangUp;
    };
    let letters = parts.get(1).map(|options| options.to_ascii_lowercase()).unwrap_or_default();
    let (skips, stays_silent) = match letters.as_slice() {
        b"skip" => (true, false),
        b"noanswer" => (false, true),
        letters => (letters.contains(&b's'), letters.contains(&b'n')),
    };
    let is_word = matches!(letters.as_slice(), b"skip" | b"noanswer");
    let has = |letter: u8| !is_word && letters.contains(&letter);
    if !is_up(run) {
        if skips {
            run.scope.assign(b"BACKGROUNDSTATUS", b"SUCCESS");
            return Flow::Continue;
        }
        if !stays_silent {
            return answer_first("BackGround", text);
        }
    }
    let context = match parts.get(3) {
        Some(context) if !context.is_empty() => BString::from(context.to_vec()),
        _ => run.scope.state.context.clone(),
    };
    let interrupt = if has(b'p') {
        DigitSet::NONE
    } else if has(b'm') {
        // Only keys that are, or begin, an extension of the context.
        let keys = b"0123456789*#ABCD".iter().copied().filter(|key| {
            let text = [*key];
            run.can_match_in(&context, &text) || run.matches_more_in(&context, &text)
        });
        DigitSet::from_bytes(&keys.collect::<Vec<u8>>())
    } else {
        DigitSet::ALL
    };
    let language = parts
        .get(2)
        .filter(|language| !language.is_empty())
        .map(|language| language.to_vec().into());
    run.scope.assign(b"BACKGROUNDSTATUS", b"SUCCESS");
    let operation = Operation::Play {
        files: file_list(files),
        interrupt,
        missing: MissingFile::Stop,
        language,
    };
    Flow::Ask(operation, Continuation::Background { context })
}

pub(super) fn background_done(run: &mut Run<'_>, context: &BString, outcome: &Outcome) -> Flow {
    match outcome {
        Outcome::HungUp { .. } => Flow::HangUp,
        Outcome::Failed => {
            run.scope.log(Level::Debug, format_args!("Background: a file could not be played"));
            run.scope.assign(b"BACKGROUNDSTATUS", b"FAILED");
            Flow::Continue
        }
        Outcome::Digit(digit) => {
            let text = [digit.as_byte()];
            // A complete extension of the given context is entered at once.
            if run.can_match_in(context, &text) && !run.matches_more_in(context, &text) {
                run.set_context(context);
                run.go_to_extension(&text);
                return Flow::Jumped;
            }
            Flow::Digit(*digit)
        }
        _ => Flow::Continue,
    }
}

/// `WaitExten([seconds[,options]])`.
pub(super) fn wait_exten(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let given = parts.first().and_then(|text| scan_double(text)).filter(|seconds| *seconds > 0.0);
    let timeout = match given {
        Some(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        None => run.scope.state.channel.timeouts.response,
    };
    let mut strange = Vec::new();
    let letters = parts.get(1).map(|options| options.to_vec()).unwrap_or_default();
    let known: Options =
        options(&letters, b"md", |letter| strange.push(letter)).unwrap_or_default();
    for letter in strange {
        run.scope.warn(format_args!("WaitExten: unknown option '{}'", letter as char));
    }
    let argument = |letter: u8| known.argument(letter).filter(|text| !text.is_empty());
    let company = if known.has(b'm') {
        let class = argument(b'm').map(BString::from);
        Some((Operation::StartMusicOnHold { class }, Operation::StopMusicOnHold))
    } else if known.has(b'd') {
        let tones = argument(b'd').map_or_else(|| "dial".into(), BString::from);
        Some((Operation::PlayTones { tones }, Operation::StopPlayTones))
    } else {
        None
    };
    if let Some((begins_with, ends_with)) = company {
        let wait = Accompanied { timeout, ends_with, stage: Stage::Beginning };
        return Flow::Ask(begins_with, Continuation::WaitExtenOver(Box::new(wait)));
    }
    Flow::Ask(Operation::WaitDigit { timeout: Some(timeout) }, Continuation::WaitExten)
}

/// The stages of a WaitExten with music or a tone.
pub(super) fn wait_exten_on(
    run: &mut Run<'_>,
    mut wait: Box<Accompanied>,
    outcome: Outcome,
) -> Flow {
    match std::mem::replace(&mut wait.stage, Stage::Waiting) {
        Stage::Beginning => {
            let timeout = Some(wait.timeout);
            match outcome {
                Outcome::HungUp { .. } => Flow::HangUp,
                // Without company the key is waited for all the same.
                Outcome::Failed => {
                    run.scope.warn(format_args!("WaitExten: the tone can not be played"));
                    Flow::Ask(Operation::WaitDigit { timeout }, Continuation::WaitExten)
                }
                _ => {
                    let next = Continuation::WaitExtenOver(wait);
                    Flow::Ask(Operation::WaitDigit { timeout }, next)
                }
            }
        }
        Stage::Waiting => {
            if matches!(outcome, Outcome::HungUp { .. }) {
                return Flow::HangUp;
            }
            let ends_with = wait.ends_with.clone();
            wait.stage = Stage::Ending(outcome);
            Flow::Ask(ends_with, Continuation::WaitExtenOver(wait))
        }
        Stage::Ending(held) => wait_exten_done(run, &held),
    }
}

pub(super) fn wait_exten_done(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    match outcome {
        Outcome::Digit(digit) => Flow::Digit(*digit),
        Outcome::HungUp { .. } => Flow::HangUp,
        _ => {
            let state = &run.scope.state;
            let next = state.priority.saturating_add(1);
            if run.has(&state.context, &state.extension, next) {
                return Flow::Continue;
            }
            if run.exists(b"t") {
                run.go_to_extension(b"t");
                Flow::Jumped
            } else if run.exists(b"e") {
                run.raise(b"RESPONSETIMEOUT");
                Flow::Jumped
            } else {
                run.scope.warn(format_args!("timeout, and no extension t or e"));
                Flow::HangUp
            }
        }
    }
}

/// `WaitDigit([seconds[,digits]])`.
pub(super) fn wait_digit(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let timeout = match parts.first().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => match scan_double(text) {
            Some(seconds) if seconds >= 0.0 => {
                Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
            }
            _ => {
                run.scope.warn(format_args!("WaitDigit: invalid timeout '{}'", BStr::new(&**text)));
                run.scope.assign(b"WAITDIGITSTATUS", b"ERROR");
                return Flow::Continue;
            }
        },
    };
    let wanted = parts.get(1).filter(|digits| !digits.is_empty()).map_or_else(
        || BString::from("0123456789*#ABCD"),
        |digits| BString::from(digits.to_ascii_uppercase()),
    );
    Flow::Ask(Operation::WaitDigit { timeout }, Continuation::WaitDigit { wanted })
}

pub(super) fn wait_digit_done(run: &mut Run<'_>, wanted: &BString, outcome: &Outcome) -> Flow {
    match digit_of(outcome) {
        Some(digit) if wanted.contains(&digit.as_byte()) => {
            run.scope.assign(b"WAITDIGITRESULT", &[digit.as_byte()]);
            run.scope.assign(b"WAITDIGITSTATUS", b"DTMF");
            Flow::Continue
        }
        Some(_) => {
            run.scope.assign(b"WAITDIGITSTATUS", b"CANCEL");
            Flow::Continue
        }
        None => {
            let is_gone = matches!(outcome, Outcome::HungUp { .. });
            run.scope.assign(b"WAITDIGITSTATUS", if is_gone { b"ERROR" } else { b"TIMEOUT" });
            if is_gone { Flow::HangUp } else { Flow::Continue }
        }
    }
}

pub(super) fn echo(_: &mut Run<'_>, _: &[u8]) -> Flow {
    Flow::Ask(Operation::Echo, Continuation::Simple)
}

pub(super) fn milliwatt(run: &mut Run<'_>, options: &[u8]) -> Flow {
    if !options.is_empty() {
        run.scope
            .warn(format_args!("Milliwatt: options are not available; the digital tone is played"));
    }
    Flow::Ask(Operation::Milliwatt, Continuation::Never)
}

pub(super) fn play_tones(run: &mut Run<'_>, tones: &[u8]) -> Flow {
    if tones.is_empty() {
        run.scope.warn(format_args!("PlayTones requires a tone"));
        return Flow::Continue;
    }
    Flow::Ask(Operation::PlayTones { tones: tones.into() }, Continuation::Simple)
}

pub(super) fn stop_play_tones(_: &mut Run<'_>, _: &[u8]) -> Flow {
    Flow::Ask(Operation::StopPlayTones, Continuation::Simple)
}

/// `MusicOnHold(class[,seconds])`.
pub(super) fn music_on_hold(_: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let class = parts.first().filter(|class| !class.is_empty()).map(|class| class.to_vec().into());
    let duration = parts.get(1).and_then(|text| seconds(text));
    Flow::Ask(Operation::MusicOnHold { class, duration }, Continuation::Music)
}

pub(super) fn start_music(_: &mut Run<'_>, text: &[u8]) -> Flow {
    let class = (!text.is_empty()).then(|| text.into());
    Flow::Ask(Operation::StartMusicOnHold { class }, Continuation::Simple)
}

pub(super) fn stop_music(_: &mut Run<'_>, _: &[u8]) -> Flow {
    Flow::Ask(Operation::StopMusicOnHold, Continuation::Simple)
}

/// `SendDTMF(digits[,gap in ms[,length in ms[,channel]]])`.
pub(super) fn send_digits(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 4);
    let digits = parts.first().map(|digits| digits.to_vec()).unwrap_or_default();
    if digits.is_empty() {
        run.scope.warn(format_args!("SendDTMF requires an argument"));
        return Flow::Continue;
    }
    if parts.get(3).is_some_and(|channel| !channel.is_empty()) {
        run.scope.warn(format_args!("SendDTMF: sending to another channel is not available"));
        return Flow::Continue;
    }
    let milliseconds = |index: usize, default: u64| {
        let given =
            parts.get(index).and_then(|text| scan_integer(text)).filter(|(value, _)| *value > 0);
        Duration::from_millis(given.map_or(default, |(value, _)| value as u64))
    };
    let operation = Operation::SendDigits {
        digits: digits.into(),
        gap: milliseconds(1, 250),
        duration: milliseconds(2, 100),
    };
    Flow::Ask(operation, Continuation::Simple)
}

/// What SAY_DTMF_INTERRUPT allows.
fn is_interruptible(run: &Run<'_>) -> bool {
    run.scope.variable(b"SAY_DTMF_INTERRUPT").is_some_and(|value| {
        matches!(
            value.to_ascii_lowercase().as_slice(),
            b"1" | b"true" | b"yes" | b"on" | b"y" | b"t"
        )
    })
}

fn say(run: &Run<'_>, what: Say) -> Flow {
    if is_interruptible(run) {
        Flow::Ask(Operation::Say { what, interrupt: DigitSet::ALL }, Continuation::Interruptible)
    } else {
        Flow::Ask(Operation::Say { what, interrupt: DigitSet::NONE }, Continuation::Simple)
    }
}

/// Plays the files of something that is said.
pub(super) fn play_said(run: &Run<'_>, files: Vec<BString>) -> Flow {
    if files.is_empty() {
        return Flow::Continue;
    }
    let (interrupt, continuation) = if is_interruptible(run) {
        (DigitSet::ALL, Continuation::Interruptible)
    } else {
        (DigitSet::NONE, Continuation::Simple)
    };
    let operation =
        Operation::Play { files, interrupt, missing: MissingFile::Skip, language: None };
    Flow::Ask(operation, continuation)
}

pub(super) fn say_digits(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        return Flow::Continue;
    }
    say(run, Say::Digits(text.into()))
}

/// `SayNumber(number[,gender])`.
pub(super) fn say_number(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let number =
        parts.first().and_then(|text| scan_integer(text).filter(|(_, end)| *end == text.len()));
    let Some((value, _)) = number else {
        run.scope.warn(format_args!(
            "argument '{}' to SayNumber could not be parsed as a number",
            BStr::new(text)
        ));
        return Flow::Continue;
    };
    let gender =
        parts.get(1).filter(|gender| !gender.is_empty()).map(|gender| gender.to_ascii_lowercase());
    if let Some(gender) = &gender
        && !matches!(gender.as_slice(), b"f" | b"m" | b"c" | b"n")
    {
        run.scope.warn(format_args!("SayNumber gender option is either 'f', 'm', 'c' or 'n'"));
        return Flow::HangUp;
    }
    say(run, Say::Number { value: i64::from(value), gender: gender.map(Into::into) })
}

pub(super) fn say_alpha(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        return Flow::Continue;
    }
    say(run, Say::Alpha(text.into()))
}

/// SayAlphaCase(a|l|u|n,text).
pub(super) fn say_alpha_case(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let (Some(kind), Some(text)) = (parts.first(), parts.get(1)) else {
        run.scope.warn(format_args!("SayAlphaCase requires two arguments (options,string)"));
        return Flow::Continue;
    };
    let told = match kind.first().map(u8::to_ascii_lowercase) {
        Some(b'a') => SaidCase::All,
        Some(b'l') => SaidCase::Lower,
        Some(b'u') => SaidCase::Upper,
        Some(b'n') => return say(run, Say::Alpha(text.to_vec().into())),
        _ => {
            run.scope.warn(format_args!("invalid option: '{}'", BStr::new(&**kind)));
            return Flow::Continue;
        }
    };
    say(run, Say::AlphaCase { told, text: text.to_vec().into() })
}

pub(super) fn say_phonetic(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if text.is_empty() {
        return Flow::Continue;
    }
    say(run, Say::Phonetic(text.into()))
}

/// `SayUnixTime([time[,zone[,format[,options]]]])`; option j lets a key leave the extension.
pub(super) fn say_unix_time(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if !is_up(run) {
        return answer_first("SayUnixTime", text);
    }
    let parts = split(text, 4);
    let given = parts.first().and_then(|text| scan_double(text));
    let time = given.map_or_else(|| run.scope.host.now().as_second(), |time| time as i64);
    let text_of = |index: usize| {
        parts.get(index).filter(|text| !text.is_empty()).map(|text| BString::from(text.to_vec()))
    };
    let what = Say::UnixTime { time, zone: text_of(1), format: text_of(2) };
    if parts.get(3).is_some_and(|options| options.contains(&b'j')) {
        return Flow::Ask(
            Operation::Say { what, interrupt: DigitSet::ALL },
            Continuation::Interruptible,
        );
    }
    say(run, what)
}

/// `ConfBridge(room[,bridge profile[,user profile[,menu]]])`.
pub(super) fn conf_bridge(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 4);
    let Some(room) = parts.first().filter(|room| !room.is_empty()) else {
        run.scope.warn(format_args!("ConfBridge requires an argument (conference name[,options])"));
        run.scope.assign(b"CONFBRIDGE_RESULT", b"FAILED");
        return Flow::HangUp;
    };
    if !is_up(run) {
        return answer_first("ConfBridge", text);
    }
    let text_of = |index: usize| {
        parts.get(index).filter(|text| !text.is_empty()).map(|text| BString::from(text.to_vec()))
    };
    let operation = Operation::Conference {
        room: room.to_vec().into(),
        bridge_profile: text_of(1),
        user_profile: text_of(2),
        menu: text_of(3),
    };
    Flow::Ask(operation, Continuation::Conference)
}

pub(super) fn conference_done(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    let status = match outcome {
        Outcome::Conference(end) => end.as_str(),
        Outcome::HungUp { .. } => "HANGUP",
        Outcome::Done => "DTMF",
        _ => "FAILED",
    };
    run.scope.assign(b"CONFBRIDGE_RESULT", status.as_bytes());
    match status {
        "HANGUP" | "FAILED" => Flow::HangUp,
        _ => Flow::Continue,
    }
}
