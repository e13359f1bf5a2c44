//! Conferences with a master: who the caller is, the way in, and what is said at the end.

use std::sync::Arc;
use std::time::Duration;

use bstr::BString;

use super::media::{answer_first, file_list, is_up};
use crate::arguments::{options, split, strip};
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{
    Destination, Dial, DialStatus, DigitSet, MissingFile, Operation, Options, Outcome,
};
use crate::videoshare::{Ask, End, Fallback, Pin, Recognised, Room, Step, Who};

/// A caller on his way through a room.
#[derive(Debug)]
pub(crate) struct Passage {
    room: Arc<Room>,
    stage: Stage,
}

/// How far he is.
#[derive(Debug)]
enum Stage {
    /// Hears that a PIN is wanted; so many tries are left behind this one.
    AskingPin { tries_left: u8 },
    /// Enters it.
    ReadingPin { tries_left: u8, typed: Vec<u8> },
    /// Hears the invitation; it comes so often again.
    Inviting { who: Who, times_left: u32 },
    /// Is to press a key.
    Choosing { who: Who, times_left: u32 },
    /// Is in the room.
    Inside { who: Who },
    /// Is connected with the media server.
    AtServer { who: Who },
    /// Hears how it ended.
    Leaving,
}

/// `VideoShare([room[,options]])`.
pub(super) fn video_share(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let name = parts.first().map(|name| strip(name)).unwrap_or_default();
    let rooms = run.scope.plan.videoshare();
    let found = match name {
        b"" => rooms.numbered(&run.scope.state.extension),
        name => rooms.named(name).or_else(|| rooms.numbered(name)),
    };
    let Some(room) = found.cloned() else {
        let wanted = if name.is_empty() { run.scope.state.extension.clone() } else { name.into() };
        run.scope
            .warn(format_args!("VideoShare: there is no room '{}' in videoshare.conf", wanted));
        run.scope.assign(b"VIDEOSHARESTATUS", b"NOROOM");
        return Flow::Continue;
    };
    let mut strange = vec![];
    let parsed = parts.get(1).map_or_else(
        || Ok(Options::default()),
        |letters| options(letters, b"impu", |letter| strange.push(letter)),
    );
    for letter in strange {
        run.scope.warn(format_args!("VideoShare: unknown option '{}'", letter as char));
    }
    let Ok(options) = parsed else {
        run.scope.warn(format_args!("VideoShare: options can not be read"));
        run.scope.assign(b"VIDEOSHARESTATUS", b"FAILED");
        return Flow::Continue;
    };
    if !is_up(run) {
        return answer_first("VideoShare", text);
    }
    let place = |letter: u8| std::str::from_utf8(options.argument(letter)?).ok()?.parse().ok();
    if let Some(invited) = place(b'i') {
        return invite(run, room, Who::Known(invited));
    }
    if options.has(b'm') {
        return join(room, Who::Known(0));
    }
    if let Some(known) = place(b'p') {
        return join(room, Who::Known(known));
    }
    let caller = &run.scope.state.channel.caller.number;
    let number = options.argument(b'u').map(BString::from).or_else(|| caller.clone());
    let same = run.scope.plan.numbering().map(|plan| plan.settings().reverse_length);
    match room.recognise(&number.unwrap_or_default(), same) {
        Recognised::As(who) => join(room, who),
        Recognised::NeedsPin => {
            let files = file_list(&room.sounds.get_pin);
            play(room, files, DigitSet::ALL, Stage::AskingPin { tries_left: PIN_TRIES - 1 })
        }
        Recognised::Nobody => leave(run, room, End::NotInvited),
    }
}

/// One step further.
pub(super) fn passed_on(run: &mut Run<'_>, passage: Passage, outcome: &Outcome) -> Flow {
    let Passage { room, stage } = passage;
    if let Outcome::HungUp { .. } = outcome {
        run.scope.assign(b"VIDEOSHARESTATUS", End::Hangup.as_str().as_bytes());
        return Flow::HangUp;
    }
    let digit = match outcome {
        Outcome::Digit(digit) => Some(*digit),
        _ => None,
    };
    match stage {
        Stage::AskingPin { tries_left } => {
            read_pin(run, room, tries_left, vec![], digit.map(|digit| digit.as_byte()))
        }
        Stage::ReadingPin { tries_left, typed } => match digit {
            Some(digit) => read_pin(run, room, tries_left, typed, Some(digit.as_byte())),
            None => check_pin(run, room, tries_left, &typed),
        },
        Stage::Inviting { who, times_left } | Stage::Choosing { who, times_left }
            if digit.is_some() =>
        {
            if digit == room.invitation.accept {
                join(room, who)
            } else if digit == room.invitation.refuse {
                ask(room, who, Step::Refuse)
            } else {
                choose(room, who, times_left)
            }
        }
        Stage::Inviting { who, times_left } => choose(room, who, times_left),
        Stage::Choosing { who, times_left } => match times_left.checked_sub(1) {
            Some(times_left) => say_invitation(room, who, times_left),
            None => ask(room, who, Step::Ignore),
        },
        Stage::Inside { who } => match outcome {
            Outcome::VideoShare(End::GoToServer) => go_to_server(room, who),
            Outcome::VideoShare(end) => leave(run, room, *end),
            _ => leave(run, room, End::Failed),
        },
        Stage::AtServer { who } => match outcome {
            Outcome::Dialed(result) if result.status == DialStatus::Answer => {
                ask(room, who, Step::Left)
            }
            _ => {
                let server = room.media_server.as_ref();
                run.scope.warn(format_args!(
                    "VideoShare: the media server of room '{}' does not answer",
                    room.name
                ));
                match server.map(|server| server.fallback) {
                    Some(Fallback::Local) => ask(room, who, Step::JoinHere),
                    Some(Fallback::None) | None => ask(room, who, Step::Unserved),
                }
            }
        },
        Stage::Leaving => Flow::Continue,
    }
}

/// Asks one who was called whether he wants to come.
fn invite(run: &mut Run<'_>, room: Arc<Room>, who: Who) -> Flow {
    run.scope.assign(b"VIDEOSHARESTATUS", b"");
    match room.invitation.accept {
        Some(_) => {
            let times = room.invitation.times.saturating_sub(1);
            say_invitation(room, who, times)
        }
        None => join(room, who),
    }
}

fn say_invitation(room: Arc<Room>, who: Who, times_left: u32) -> Flow {
    let keys = [room.invitation.accept, room.invitation.refuse];
    let keys = keys.into_iter().flatten().fold(DigitSet::NONE, DigitSet::with);
    let files = file_list(&room.sounds.invitation);
    play(room, files, keys, Stage::Inviting { who, times_left })
}

fn choose(room: Arc<Room>, who: Who, times_left: u32) -> Flow {
    let timeout = Some(room.invitation.wait);
    let stage = Stage::Choosing { who, times_left };
    on_with(Operation::WaitDigit { timeout }, room, stage)
}

/// Takes a key of the PIN, and waits for the next one.
fn read_pin(
    run: &mut Run<'_>,
    room: Arc<Room>,
    tries_left: u8,
    mut typed: Vec<u8>,
    key: Option<u8>,
) -> Flow {
    match key {
        Some(b'#') => return check_pin(run, room, tries_left, &typed),
        Some(key) => typed.push(key),
        None => {}
    }
    // One more than any has, so that a longer one is not taken for right.
    if typed.len() > Pin::LONGEST {
        return check_pin(run, room, tries_left, &typed);
    }
    let timeout = Some(PIN_WAIT);
    on_with(Operation::WaitDigit { timeout }, room, Stage::ReadingPin { tries_left, typed })
}

fn check_pin(run: &mut Run<'_>, room: Arc<Room>, tries_left: u8, typed: &[u8]) -> Flow {
    if let Some(who) = room.by_pin(typed) {
        return join(room, who);
    }
    let wrong = file_list(&room.sounds.wrong_pin);
    match tries_left.checked_sub(1) {
        Some(tries_left) => {
            let files = [wrong, file_list(&room.sounds.get_pin)].concat();
            play(room, files, DigitSet::ALL, Stage::AskingPin { tries_left })
        }
        None => {
            run.scope.assign(b"VIDEOSHARESTATUS", b"WRONGPIN");
            play(room, wrong, DigitSet::NONE, Stage::Leaving)
        }
    }
}

fn join(room: Arc<Room>, who: Who) -> Flow {
    ask(room, who, Step::Join)
}

fn ask(room: Arc<Room>, who: Who, step: Step) -> Flow {
    let ask = Box::new(Ask { room: room.name.clone(), who, step });
    on_with(Operation::VideoShare(ask), room, Stage::Inside { who })
}

fn go_to_server(room: Arc<Room>, who: Who) -> Flow {
    let Some(server) = &room.media_server else { return ask(room, who, Step::JoinHere) };
    let dial = Dial {
        destinations: vec![Destination {
            technology: "PJSIP".into(),
            resource: server.resource(&room),
        }],
        timeout: Some(SERVER_WAIT),
        options: Options::default(),
    };
    on_with(Operation::Dial(Box::new(dial)), room, Stage::AtServer { who })
}

/// Says how it ended, and goes on.
fn leave(run: &mut Run<'_>, room: Arc<Room>, end: End) -> Flow {
    run.scope.assign(b"VIDEOSHARESTATUS", end.as_str().as_bytes());
    let sounds = &room.sounds;
    let said = match end {
        End::Full => &sounds.full,
        End::NotInvited => &sounds.not_invited,
        End::NoMaster => &sounds.no_master,
        End::NoServer => &sounds.no_server,
        End::TimeIsUp | End::Ended => &sounds.ended,
        End::Hangup => return Flow::HangUp,
        // The room says why, or nothing is to be said.
        End::Failed
        | End::Locked
        | End::Left
        | End::Kicked
        | End::MasterLeft
        | End::GoToServer
        | End::Noted => return Flow::Continue,
    };
    let files = file_list(said);
    play(room, files, DigitSet::NONE, Stage::Leaving)
}

fn play(room: Arc<Room>, files: Vec<BString>, interrupt: DigitSet, stage: Stage) -> Flow {
    let missing = MissingFile::Skip;
    on_with(Operation::Play { files, interrupt, missing, language: None }, room, stage)
}

fn on_with(operation: Operation, room: Arc<Room>, stage: Stage) -> Flow {
    Flow::Ask(operation, Continuation::VideoShare(Box::new(Passage { room, stage })))
}

/// How often a PIN may be tried.
const PIN_TRIES: u8 = 3;

/// How long each of its digits may take.
const PIN_WAIT: Duration = Duration::from_secs(6);

/// How long the media server may take to answer.
const SERVER_WAIT: Duration = Duration::from_secs(10);
