//! From the command line to what is to be done.

use std::{fmt, net::IpAddr, thread, time::Duration};

use clap::ValueEnum;
use diesis_engine::media::{Codec, Digit};

use super::{
    driver::Setup,
    schedule::{Level, Plan},
    sockets::source_address,
    sound::Sound,
    target::{Target, is_at_home},
    workload::{Task, Workload},
};
use crate::cli::load::Load;

/// What is spoken on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spoken {
    /// G.711 µ-law
    Ulaw,
    /// G.711 A-law
    Alaw,
    /// G.722
    G722,
    /// Opus: listening and silence only
    Opus,
}

impl From<Spoken> for Codec {
    fn from(spoken: Spoken) -> Self {
        match spoken {
            Spoken::Ulaw => Self::Pcmu,
            Spoken::Alaw => Self::Pcma,
            Spoken::G722 => Self::G722,
            Spoken::Opus => Self::Opus,
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Playback => "playback",
            Self::Echo => "echo",
            Self::Conference => "conference",
            Self::Menu => "menu",
            Self::Register => "register",
        })
    }
}

/// What is to be done, or why it can not be.
pub(super) fn setup(options: &Load) -> Result<Setup, String> {
    let workload = options.workload;
    let named = &options.target;
    let target = Target::parse(named).map_err(|error| format!("{named}: {error}"))?;
    let address = target.address.ip();
    if !is_at_home(address) && !options.i_may_load_this_target {
        return Err(format!(
            "{named} is at {address}, which is neither this machine nor in a private network: nobody's \
             machine is loaded without his leave. --i-may-load-this-target says that you have it"
        ));
    }
    if target.user.is_empty() && workload != Workload::Register {
        return Err(format!("{named}: whom to call? Expected USER@ADDRESS"));
    }
    let mut task = task(options, target.clone())?;
    let levels = levels(options)?;
    let from = match options.from.is_empty() {
        true => vec![source_address(target.address).map_err(|error| format!("{named}: {error}"))?],
        false => options.from.clone(),
    };
    if let Some(other) = from.iter().find(|it: &&IpAddr| it.is_ipv4() != address.is_ipv4()) {
        return Err(format!("{other} can not speak to {address}"));
    }
    let life = task.keys_after + task.patience + Duration::from_secs(1);
    let seats = levels.iter().map(|level| match (*level, workload) {
        (Level::Held(calls), _) => calls,
        // Sockets for signalling alone.
        (_, Workload::Register) => from.len(),
        (Level::Flow(_) | Level::Closed(_), _) if options.calls.is_some() => {
            options.calls.unwrap_or_default()
        }
        (Level::Flow(rate), _) => (rate * life.as_secs_f64()).ceil() as usize + 1,
        (Level::Closed(calls), _) => calls,
    });
    let seats = seats.max().unwrap_or(1).max(1);
    task.talkers = task.talkers.min(task.room_size.unwrap_or(seats));
    let settle = match options.settle {
        Some(settle) => settle,
        // A flow is even once its first calls have ended.
        None if workload == Workload::Menu => task.keys_after + Duration::from_secs(2),
        None => Duration::from_secs(2),
    };
    let plan = Plan {
        set_up_rate: options.rate.filter(|_| !workload.is_a_flow()).unwrap_or(100.0),
        settle,
        window: options.time,
        drain: life + Duration::from_secs(2),
        levels: levels.clone(),
    };
    Ok(Setup {
        task,
        plan,
        seats,
        from,
        media_ports: options.media_ports.clone(),
        pid: options.pid,
        cores: thread::available_parallelism().map_or(1, usize::from),
    })
}

fn task(options: &Load, target: Target) -> Result<Task, String> {
    let (workload, codec) = (options.workload, options.codec.into());
    let talker_codec = options.talker_codec.unwrap_or(options.codec).into();
    let send = options.send.unwrap_or(match workload {
        Workload::Playback | Workload::Register => Sound::None,
        Workload::Echo | Workload::Conference => Sound::Tone,
        Workload::Menu => Sound::Silence,
    });
    let spoken = if workload == Workload::Conference { talker_codec } else { codec };
    if spoken == Codec::Opus && !matches!(send, Sound::None | Sound::Silence) {
        return Err(match workload {
            Workload::Conference => "talkers do not speak Opus: give them --talker-codec ulaw",
            _ => "nothing but silence is sent in Opus: --send silence, or another --codec",
        }
        .to_owned());
    }
    if workload == Workload::Menu && codec != Codec::Pcmu && codec != Codec::Pcma {
        return Err("keys are pressed in calls of --codec ulaw or alaw".to_owned());
    }
    let digit = |character| {
        Digit::from_char(character).ok_or_else(|| format!("{character:?} is no key of a telephone"))
    };
    let keys = options.digits.chars().map(digit).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err("--digits: at least one key".to_owned());
    }
    Ok(Task {
        workload,
        target,
        user: options.user.clone(),
        password: options.password.clone(),
        codec,
        talker_codec,
        send,
        rest: options.rest,
        room_size: options.rooms_of,
        talkers: options.talkers.unwrap_or(usize::MAX),
        keys,
        keys_after: options.digits_after,
        patience: options.patience,
        phones: options.phones,
        expires: options.expires,
    })
}

/// One level, or one after the other with `--ramp`.
fn levels(options: &Load) -> Result<Vec<Level>, String> {
    let is_a_flow = options.workload.is_a_flow();
    let closed = options.workload == Workload::Register && options.rate.is_none();
    let most = match (is_a_flow && !closed, options.rate) {
        (true, rate) => rate.unwrap_or(10.0),
        (false, _) => options.calls.unwrap_or(10) as f64,
    };
    let level = |size: f64| match (is_a_flow, closed) {
        (false, _) => Level::Held(size as usize),
        (true, true) => Level::Closed(size as usize),
        (true, false) => Level::Flow(size),
    };
    let Some(step) = options.ramp else { return Ok(vec![level(most)]) };
    let count = (most / step).ceil() as usize;
    if count > MOST_LEVELS {
        return Err(format!("--ramp {step}: {count} levels are too many; at most {MOST_LEVELS}"));
    }
    Ok((1..=count).map(|n| level((step * n as f64).min(most))).collect())
}

const MOST_LEVELS: usize = 100;
