//! Applications that hand the audio to a program outside.

use std::time::Duration;

use bstr::{BStr, BString};

use super::bridging::known_options;
use crate::arguments::{split, strip};
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{
    AudioFork, AudioSocket, Destination, DialProgram, DialledProgram, ForkSide, Operation, Options,
    Outcome, PlaceOrigin, ProgramPlace, parse_uuid,
};

/// `AudioSocket(uuid,host:port)`.
pub(super) fn audio_socket(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let part = |at: usize| parts.get(at).map(|part| strip(part).to_vec()).unwrap_or_default();
    let (uuid, service) = (part(0), part(1));
    let Some(uuid) = parse_uuid(&uuid) else {
        run.scope.warn(format_args!("AudioSocket: '{}' is no UUID", BStr::new(&uuid)));
        return Flow::HangUp;
    };
    let origin = origin(run, &service);
    let Some(place) = ProgramPlace::parse(&service, origin) else {
        run.scope.warn(format_args!("AudioSocket: '{}' is not host:port", BStr::new(&service)));
        return Flow::HangUp;
    };
    let socket = AudioSocket { uuid, place };
    // Done goes on, a failure hangs up.
    Flow::Ask(Operation::AudioSocket(Box::new(socket)), Continuation::Hosted)
}

/// `AudioFork(uri[,options])`.
pub(super) fn audio_fork(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let part = |at: usize| parts.get(at).map(|part| strip(part).to_vec()).unwrap_or_default();
    let (to, letters) = (part(0), part(1));
    if to.is_empty() {
        run.scope.warn(format_args!("AudioFork requires an argument (where the program listens)"));
        return Flow::Continue;
    }
    let Some(mut options) = known_options(run, "AudioFork", &letters, b"Dicftv") else {
        return Flow::Continue;
    };
    let side = options.take(b'D').unwrap_or_else(|| "both".into());
    let hears = match side.as_slice() {
        b"in" => ForkSide::In,
        b"out" => ForkSide::Out,
        b"both" => ForkSide::Both,
        b"apart" => ForkSide::Apart,
        _ => {
            run.scope.warn(format_args!("AudioFork: '{side}' is not in, out, both or apart"));
            return Flow::Continue;
        }
    };
    let variable = named(&mut options, b'i');
    let fork = AudioFork {
        origin: origin(run, &to),
        to: to.into(),
        hears,
        is_two_way: options.has(b't'),
        codec: named(&mut options, b'c'),
        messages: named(&mut options, b'f'),
        parameters: options.take(b'v').map(joined).unwrap_or_default(),
    };
    Flow::Ask(Operation::AudioFork(Box::new(fork)), Continuation::AudioFork { variable })
}

pub(super) fn audio_fork_done(
    run: &mut Run<'_>,
    variable: Option<BString>,
    outcome: &Outcome,
) -> Flow {
    match outcome {
        Outcome::HungUp { .. } => return Flow::HangUp,
        Outcome::Forked { id } => {
            if let Some(variable) = variable {
                run.scope.assign(&variable, id);
            }
        }
        // A call that nobody listens to goes on, as one that can not be recorded does.
        _ => {}
    }
    Flow::Continue
}

/// `StopAudioFork([id])`.
pub(super) fn stop_audio_fork(_: &mut Run<'_>, text: &[u8]) -> Flow {
    let id = Some(BString::from(strip(text))).filter(|id| !id.is_empty());
    Flow::Ask(Operation::StopAudioFork { id }, Continuation::Simple)
}

/// Whether a destination of Dial is a program.
pub(super) fn is_program(destination: &Destination) -> bool {
    let is = |name: &str| destination.technology.eq_ignore_ascii_case(name.as_bytes());
    is("AudioSocket") || is("WebSocket")
}

/// The only destination of a Dial, a program; `None`, having said why, when it can not be dialled.
pub(super) fn dial(
    run: &mut Run<'_>,
    destinations: &[Destination],
    timeout: Option<Duration>,
    letters: &Options,
) -> Option<Operation> {
    let [Destination { technology, resource }] = destinations else {
        run.scope.warn(format_args!("Dial: a program can only be dialled alone"));
        return None;
    };
    for letter in letters.letters().filter(|letter| !b"grR".contains(letter)) {
        let letter = char::from(letter);
        run.scope.warn(format_args!("Dial: option '{letter}' has no effect on a program"));
    }
    let rings = letters.has(b'r') || letters.has(b'R');
    let mut parts = resource.split(|byte| *byte == b'/');
    let mut next = || parts.next().unwrap_or_default();
    let is_socket = technology.eq_ignore_ascii_case(b"AudioSocket");
    let (first, uuid) = (next(), if is_socket { next() } else { b"" });
    let place = ProgramPlace::parse(first, origin(run, first));
    let own = parts.collect::<Vec<_>>().join(&b'/');
    let own_letters: &[u8] = if is_socket { b"c" } else { b"cfnv" };
    let mut own = known_options(run, "Dial", &own, own_letters)?;
    let program = if is_socket {
        let (Some(place), Some(uuid)) = (place, parse_uuid(uuid)) else {
            run.scope.warn(format_args!("Dial: '{resource}' is not host:port/uuid"));
            return None;
        };
        DialledProgram::AudioSocket(AudioSocket { uuid, place })
    } else {
        DialledProgram::WebSocket {
            connection: first.into(),
            messages: named(&mut own, b'f'),
            parameters: own.take(b'v').map(joined).unwrap_or_default(),
            answers_itself: own.has(b'n'),
        }
    };
    let (resource, codec) = (resource.clone(), named(&mut own, b'c'));
    let dial = DialProgram { resource, program, codec, timeout, rings };
    Some(Operation::DialProgram(Box::new(dial)))
}

/// Parameters of a URI, which are listed with commas.
fn joined(parameters: BString) -> BString {
    let byte = |byte: &u8| if *byte == b',' { b'&' } else { *byte };
    parameters.iter().map(byte).collect::<Vec<u8>>().into()
}

/// The argument of a letter, when it has one.
fn named(options: &mut Options, letter: u8) -> Option<BString> {
    options.take(letter).filter(|text| !text.is_empty())
}

/// Whether an argument stands in the dialplan as it is.
fn origin(run: &Run<'_>, text: &[u8]) -> PlaceOrigin {
    if run.is_written(text) { PlaceOrigin::Written } else { PlaceOrigin::Computed }
}
