//! Whole calls in virtual time, without a phone: an IVR test runs in microseconds, at any date.
//!
//! The caller presses keys and hangs up at given times; sounds have given lengths. `Dial(Local/x@context)`
//! runs `x` as a second call beside the first. The caller sends no audio, so answering takes half a second:
//! the wait for the first packet. The same [`Executor`] runs here and in the engine.

mod dialing;
mod leg;

use std::collections::BTreeMap;
use std::time::Duration;

use bstr::BString;
use jiff::Timestamp;

use crate::channel::{Channel, Party};
use crate::executor::{Advance, Executor, Legacy};
use crate::host::{ChannelState, MemoryHost, TracedStep};
use crate::operation::{
    AnswerMedia, BridgeResult, ConferenceEnd, ControlEnd, DialResult, DialStatus, Digit, DigitSet,
    Judged, MessageSent, MissingFile, Operation, Outcome, Recorded, Sound,
};
use crate::plan::Plan;
use crate::videoshare::{self, Step};
use crate::world::World;

use leg::{Dropped, Leg, Role, Signal};

/// A call to simulate.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Where the call starts, at priority 1.
    pub context: BString,
    /// The dialled extension.
    pub extension: BString,
    /// Who calls.
    pub caller: Party,
    /// What the caller does, ordered by time.
    pub events: Vec<Event>,
    /// Lengths of the sounds that exist; others are missing.
    pub sounds: BTreeMap<BString, Duration>,
    /// The time of day at the start.
    pub start: Timestamp,
    /// Whether names that Asterisk no longer has work.
    pub legacy: Legacy,
    /// When to give up on a call that does not end.
    pub limit: Duration,
}

/// Something that the caller does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Time since the start of the call.
    pub at: Duration,
    /// What.
    pub action: Action,
}

/// What a caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Press a key.
    Press(Digit),
    /// Hang up.
    HangUp,
}

/// What came of a simulated call.
#[derive(Debug, Clone)]
pub struct Report {
    /// Steps of the calling channel.
    pub trace: Vec<TracedStep>,
    /// Steps of other channels, one list each, without those that ran none.
    pub others: Vec<Vec<TracedStep>>,
    /// The cause that Hangup gave; `None` when the dialplan ended otherwise.
    pub cause: Option<u16>,
    /// How the call ended.
    pub end: End,
    /// How long it took.
    pub elapsed: Duration,
    /// Lines of the log.
    pub log: Vec<(crate::host::Level, String)>,
}

/// How a simulated call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The dialplan came to its end.
    Finished,
    /// It ran on and on without needing time, or past the scenario's limit.
    GivenUp,
}

impl Scenario {
    /// A call from `"Alice Example" <5551000>` that presses nothing, on a Saturday night, without sounds.
    #[must_use]
    pub fn new(context: impl Into<BString>, extension: impl Into<BString>) -> Self {
        Self {
            context: context.into(),
            extension: extension.into(),
            caller: Party::new("Alice Example", "5551000"),
            events: Vec::new(),
            sounds: BTreeMap::new(),
            start: Timestamp::from_second(RECORDED_NIGHT).unwrap_or(Timestamp::UNIX_EPOCH),
            legacy: Legacy::Emulated,
            limit: Duration::from_secs(3600),
        }
    }

    /// Runs the call to its end.
    #[must_use]
    pub fn run(&self, plan: &Plan) -> Report {
        let mut channel = Channel::new("Local/caller@simulation-00000001;2");
        channel.caller = self.caller.clone();
        let mut executor = Executor::new(channel, self.context.clone(), self.extension.clone(), 1)
            .with_legacy(self.legacy)
            .with_guards();
        executor.channel_mut().unique_id = "1.1".into();
        let mut simulation = Simulation {
            plan,
            sounds: &self.sounds,
            world: World::default(),
            others: Vec::new(),
            log: Vec::new(),
            legacy: self.legacy,
            channels: 1,
            turns: 0,
        };
        let mut leg = Leg::new(executor, MemoryHost::new(self.start), Role::Caller);
        leg.host.state = ChannelState::Ring;
        leg.events = self.events.iter().copied().collect();
        simulation.run_to_end(&mut leg, self.limit);
        let cause = leg.cause.filter(|cause| *cause != 0);
        let mut log = simulation.log;
        log.append(&mut leg.host.log);
        Report {
            trace: leg.host.steps,
            others: simulation.others.into_iter().filter(|steps| !steps.is_empty()).collect(),
            cause,
            end: if leg.is_finished { End::Finished } else { End::GivenUp },
            elapsed: leg.host.elapsed,
            log,
        }
    }
}

/// What the legs of one simulation share.
struct Simulation<'a> {
    plan: &'a Plan,
    sounds: &'a BTreeMap<BString, Duration>,
    world: World,
    others: Vec<Vec<TracedStep>>,
    log: Vec<(crate::host::Level, String)>,
    legacy: Legacy,
    channels: u32,
    turns: usize,
}

impl Simulation<'_> {
    fn run_to_end(&mut self, leg: &mut Leg, limit: Duration) {
        while let Some(time) = leg.next_time() {
            if time > limit || !self.turn(leg) {
                break;
            }
        }
    }

    /// Lets a leg run to its next operation. `false` when it seems not to end.
    fn turn(&mut self, leg: &mut Leg) -> bool {
        self.turns += 1;
        if self.turns > MOST_TURNS {
            return false;
        }
        if let Some((end, outcome)) = leg.busy.take() {
            // Whatever comes first ends the operation: its own end, the caller, the absolute time limit.
            let hangup = leg.hangup_time().filter(|at| *at < end);
            let overtime = leg.executor.poll_timeout().filter(|at| *at < end);
            match (hangup, overtime) {
                (Some(at), overtime) if overtime.is_none_or(|overtime| at <= overtime) => {
                    leg.host.elapsed = at.max(leg.host.elapsed);
                    leg.executor.handle_hangup(NORMAL_CLEARING);
                }
                (_, Some(at)) => {
                    leg.host.elapsed = at.max(leg.host.elapsed);
                    leg.executor.handle_timeout(leg.host.elapsed);
                }
                _ => {
                    leg.host.elapsed = end;
                    if leg.role == Role::Caller && matches!(outcome, Outcome::HungUp { .. }) {
                        leg.executor.handle_hangup(0);
                    } else {
                        leg.executor.handle_outcome(outcome);
                    }
                }
            }
        }
        std::mem::swap(&mut leg.host.world, &mut self.world);
        let mut idle = 0;
        let advance = loop {
            match leg.executor.advance(self.plan, &mut leg.host) {
                Advance::Yielded if idle < MOST_YIELDS => idle += 1,
                other => break other,
            }
        };
        std::mem::swap(&mut leg.host.world, &mut self.world);
        match advance {
            Advance::Operation(operation) => {
                leg.busy = Some(self.perform(leg, operation));
                true
            }
            Advance::Finished { cause } => {
                leg.cause = Some(cause);
                leg.is_finished = true;
                true
            }
            Advance::Returned => {
                leg.is_finished = true;
                true
            }
            Advance::Yielded | Advance::Waiting => false,
        }
    }

    /// When an operation ends, and with what.
    fn perform(&mut self, leg: &mut Leg, operation: Operation) -> (Duration, Outcome) {
        let now = leg.now();
        let forever = now.saturating_add(FOREVER);
        match operation {
            Operation::Answer { delay, media } => {
                leg.host.state = ChannelState::Up;
                leg.signal = Some(Signal::Answered);
                let wait = if media == AnswerMedia::Wait { FIRST_PACKET } else { Duration::ZERO };
                (now + wait + delay, Outcome::Done)
            }
            Operation::Ringing => {
                if leg.signal.is_none() {
                    leg.signal = Some(Signal::Ringing);
                }
                (now, Outcome::Done)
            }
            Operation::Busy { timeout } | Operation::Congestion { timeout }
                if leg.host.state == ChannelState::Up =>
            {
                (timeout.map_or(forever, |timeout| now + timeout), Outcome::TimedOut)
            }
            Operation::Busy { .. } => {
                leg.signal = Some(Signal::Busy);
                (now, Outcome::HungUp { cause: 0 })
            }
            Operation::Congestion { .. } => {
                leg.signal = Some(Signal::Congestion);
                (now, Outcome::HungUp { cause: 0 })
            }
            Operation::Play { files, interrupt, missing, .. } => {
                self.play(leg, &files, interrupt, missing)
            }
            Operation::WaitDigit { timeout } => {
                let end = timeout.map_or(forever, |timeout| now.saturating_add(timeout));
                let end = leg.hangup_time().map_or(end, |hangup| hangup.min(end));
                match leg.key_until(end, DigitSet::ALL, Dropped::All) {
                    Some((at, digit)) => (at, Outcome::Digit(digit)),
                    None => (
                        timeout.map_or(forever, |timeout| now.saturating_add(timeout)),
                        Outcome::TimedOut,
                    ),
                }
            }
            Operation::Wait { duration } => {
                let end = now.saturating_add(duration);
                leg.key_until(end, DigitSet::NONE, Dropped::All);
                (end, Outcome::Done)
            }
            Operation::Say { interrupt, .. } => {
                match leg.key_until(now, interrupt, Dropped::None) {
                    Some((at, digit)) => (at, Outcome::Digit(digit)),
                    None => (now, Outcome::Done),
                }
            }
            Operation::Echo => {
                match leg.key_until(forever, DigitSet::from_bytes(b"#"), Dropped::All) {
                    Some((at, _)) => (at, Outcome::Done),
                    None => (forever, Outcome::Done),
                }
            }
            Operation::Milliwatt => (forever, Outcome::HungUp { cause: 0 }),
            Operation::MusicOnHold { duration, .. } => {
                (duration.map_or(forever, |duration| now.saturating_add(duration)), Outcome::Done)
            }
            Operation::SendDigits { digits, gap, duration } => {
                (now + (gap + duration) * u32::try_from(digits.len()).unwrap_or(1), Outcome::Done)
            }
            Operation::Conference { .. } => {
                (leg.hangup_time().unwrap_or(forever), Outcome::Conference(ConferenceEnd::Hangup))
            }
            // Whoever is let in stays until he hangs up: nobody ends a conference here.
            Operation::VideoShare(ask) => match ask.step {
                Step::Join | Step::JoinHere => (
                    leg.hangup_time().unwrap_or(forever),
                    Outcome::VideoShare(videoshare::End::Hangup),
                ),
                Step::Left | Step::Refuse | Step::Ignore => {
                    (now, Outcome::VideoShare(videoshare::End::Noted))
                }
                Step::Unserved => (now, Outcome::VideoShare(videoshare::End::NoServer)),
            },
            Operation::Record(record) => {
                let end = record.limit.map_or(forever, |limit| now.saturating_add(limit));
                let recorded = |status: &str| {
                    Outcome::Recorded(Recorded { status: status.into(), file: record.name.clone() })
                };
                match leg.key_until(end, record.stop, Dropped::All) {
                    Some((at, _)) => (at, recorded("DTMF")),
                    None => (end, recorded("TIMEOUT")),
                }
            }
            Operation::ControlPlay(control) => {
                let begun = now;
                let files = std::slice::from_ref(&control.file);
                match self.play(leg, files, control.stop, MissingFile::Stop) {
                    (at, Outcome::Digit(digit)) => {
                        let played = control.offset + at.saturating_sub(begun);
                        (at, Outcome::Controlled(ControlEnd::Stopped { digit, at: played }))
                    }
                    (at, Outcome::Done) => (at, Outcome::Controlled(ControlEnd::Completed)),
                    failed => failed,
                }
            }
            // The caller says nothing.
            Operation::AwaitSound(wait) => {
                let silent = now.saturating_add(wait.length.saturating_mul(wait.times));
                let end = match wait.sound {
                    Sound::Silence | Sound::Beep => silent,
                    Sound::Noise => forever,
                };
                let timeout = wait.timeout.map_or(forever, |timeout| now.saturating_add(timeout));
                let outcome = if end < timeout { Outcome::Done } else { Outcome::TimedOut };
                let end = end.min(timeout);
                leg.key_until(end, DigitSet::NONE, Dropped::All);
                (end, outcome)
            }
            Operation::DetectTalk(detect) => {
                self.play(leg, &detect.files, detect.interrupt, MissingFile::Stop)
            }
            Operation::DetectMachine(detect) => {
                let silence = detect.initial_silence.unwrap_or(Duration::from_millis(2500));
                let shown = silence.as_millis();
                let cause = format!("INITIALSILENCE-{shown}-{shown}").into();
                let judged = Judged { status: "MACHINE".into(), cause };
                (now.saturating_add(silence), Outcome::Judged(judged))
            }
            Operation::MixMonitor(monitor) => {
                let file = monitor.file.unwrap_or_default();
                (now, Outcome::Monitoring { id: "1".into(), file })
            }
            // Nobody is there to talk with.
            Operation::AudioSocket(_) => (now, Outcome::Failed),
            Operation::DialProgram(_) => {
                let result = DialResult::unanswered(DialStatus::ChanUnavail, 0);
                (now, Outcome::Dialed(Box::new(result)))
            }
            Operation::AudioFork(_) => (now, Outcome::Forked { id: "1".into() }),
            Operation::Dial(dial) => self.dial(leg, &dial),
            Operation::Originate(originate) => (now, self.originate(leg, &originate)),
            Operation::SoftHangup { .. }
            | Operation::Redirect { .. }
            | Operation::OrderConference(_) => (now, Outcome::Failed),
            // Nobody else is there.
            Operation::Pickup { .. }
            | Operation::ParkedCall { .. }
            | Operation::ForwardByCaller { .. } => (now, Outcome::Failed),
            Operation::Bridge(_) | Operation::BridgeAdd { .. } => {
                (now, Outcome::Bridged(BridgeResult::Nonexistent))
            }
            Operation::BridgeWait(wait) => {
                let end = wait.timeout.map_or(forever, |timeout| now.saturating_add(timeout));
                (end, Outcome::TimedOut)
            }
            Operation::Page(_) => (forever, Outcome::HungUp { cause: 0 }),
            Operation::Park(_) => (now, Outcome::Unsupported),
            Operation::SendMessage(_) => (now, Outcome::Message(MessageSent::InvalidUri)),
            Operation::Application { .. } => (now, Outcome::Unsupported),
            Operation::Progress
            | Operation::StopMixMonitor { .. }
            | Operation::StopAudioFork { .. }
            | Operation::SetMonitors { .. }
            | Operation::Proceeding
            | Operation::PlayTones { .. }
            | Operation::StopPlayTones
            | Operation::StartMusicOnHold { .. }
            | Operation::StopMusicOnHold => (now, Outcome::Done),
        }
    }

    fn play(
        &self,
        leg: &mut Leg,
        files: &[BString],
        interrupt: DigitSet,
        missing: MissingFile,
    ) -> (Duration, Outcome) {
        let mut end = leg.now();
        let mut is_missing = false;
        for file in files {
            match self.sounds.get(file) {
                Some(length) => end += *length,
                None => {
                    is_missing = true;
                    if missing == MissingFile::Stop {
                        break;
                    }
                }
            }
        }
        // A key that ends the last sound at its very end comes too late.
        let stop = leg.hangup_time().map_or(end, |hangup| hangup.min(end));
        if end > leg.now()
            && let Some((at, digit)) = leg.key_until(stop, interrupt, Dropped::All)
        {
            return (at, Outcome::Digit(digit));
        }
        (end, if is_missing { Outcome::Failed } else { Outcome::Done })
    }

    /// Hangs a leg up at a time and lets it end.
    fn cancel(&mut self, mut leg: Leg, at: Duration) {
        self.cancel_ref(&mut leg, at);
    }

    fn cancel_ref(&mut self, leg: &mut Leg, at: Duration) {
        if !leg.is_finished {
            leg.host.elapsed = leg.host.elapsed.max(at);
            leg.busy = None;
            leg.executor.handle_hangup(0);
            let limit = at.saturating_add(FOREVER);
            self.run_to_end(leg, limit);
        }
        self.others.push(std::mem::take(&mut leg.host.steps));
        self.log.append(&mut leg.host.log);
    }

    fn keep(&mut self, mut leg: Leg) {
        self.others.push(std::mem::take(&mut leg.host.steps));
        self.log.append(&mut leg.host.log);
    }
}

/// How long an answer waits for the first packet.
const FIRST_PACKET: Duration = Duration::from_millis(500);

/// Longer than any call.
const FOREVER: Duration = Duration::from_secs(1_000_000);

/// The cause that comes with a caller's hangup.
const NORMAL_CLEARING: u16 = 16;

/// Just after.
const TICK: Duration = Duration::from_nanos(1);

/// Operations of one simulation.
const MOST_TURNS: usize = 20_000;

/// Times that a leg may yield in a row before it counts as endless.
const MOST_YIELDS: usize = 100;

/// Channels of one simulation.
const MOST_CHANNELS: u32 = 200;

/// Legs that call one another; one more is not there. Each takes its part of the stack.
const MOST_DEPTH: usize = 20;

/// Saturday 2026-11-21 00:30 UTC: the hour and weekday of the recordings that depend on the present time.
const RECORDED_NIGHT: i64 = 1_795_221_000;
