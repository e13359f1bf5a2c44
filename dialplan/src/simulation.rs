//! Whole calls in virtual time, without a phone: an IVR test runs in microseconds, at any date.
//!
//! The caller presses keys and hangs up at given times; sounds have given lengths. `Dial(Local/x@context)`
//! runs `x` as a second call beside the first. The caller sends no audio, so answering takes half a second:
//! the wait for the first packet. The same [`Executor`] runs here and in the engine.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bstr::{BString, ByteSlice};
use jiff::Timestamp;

use crate::channel::{Channel, Party};
use crate::executor::{Advance, Executor, Legacy};
use crate::host::{ChannelState, KeepSteps, MemoryHost, TracedStep};
use crate::operation::{
    AnswerMedia, ConferenceEnd, Destination, Dial, DialEnd, DialPlace, DialResult, DialStatus,
    Digit, DigitSet, MissingFile, Operation, Originate, OriginateStatus, OriginateTarget, Outcome,
    Recorded,
};
use crate::plan::Plan;
use crate::variables::Variables;
use crate::world::World;

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
            .with_legacy(self.legacy);
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

/// One channel.
struct Leg {
    executor: Executor,
    host: MemoryHost,
    role: Role,
    /// How many legs called one another until this one was.
    depth: usize,
    events: VecDeque<Event>,
    keys: VecDeque<Digit>,
    /// When the running operation ends, and with what.
    busy: Option<(Duration, Outcome)>,
    /// Signalled to whoever called this leg.
    signal: Option<Signal>,
    cause: Option<u16>,
    is_finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Caller,
    Called,
}

/// What a called leg tells the one that called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Answered,
    Ringing,
    Busy,
    Congestion,
}

impl Leg {
    fn new(executor: Executor, host: MemoryHost, role: Role) -> Self {
        Self {
            executor,
            host,
            role,
            depth: 0,
            events: VecDeque::new(),
            keys: VecDeque::new(),
            busy: None,
            signal: None,
            cause: None,
            is_finished: false,
        }
    }

    fn now(&self) -> Duration {
        self.host.elapsed
    }

    /// When something happens on this leg next.
    fn next_time(&self) -> Option<Duration> {
        if self.is_finished {
            return None;
        }
        Some(self.busy.as_ref().map_or_else(|| self.now(), |(end, _)| *end))
    }

    /// Takes the events up to a time: keys that no one waits for are queued.
    fn queue_events(&mut self, until: Duration) {
        while let Some(event) = self.events.front().filter(|event| event.at <= until) {
            match event.action {
                Action::Press(digit) => {
                    self.keys.push_back(digit);
                    self.events.pop_front();
                }
                Action::HangUp => break,
            }
        }
    }

    fn hangup_time(&self) -> Option<Duration> {
        self.events.iter().find(|event| event.action == Action::HangUp).map(|event| event.at)
    }

    /// The first wanted key up to a time; keys in `dropped` that come before it are lost.
    fn key_until(
        &mut self,
        until: Duration,
        wanted: DigitSet,
        dropped: Dropped,
    ) -> Option<(Duration, Digit)> {
        self.queue_events(self.now());
        while let Some(digit) = self.keys.front().copied() {
            if wanted.contains(digit) {
                self.keys.pop_front();
                return Some((self.now(), digit));
            }
            if dropped == Dropped::None {
                break;
            }
            self.keys.pop_front();
        }
        while let Some(event) = self.events.front().copied().filter(|event| event.at <= until) {
            let Action::Press(digit) = event.action else { break };
            self.events.pop_front();
            if wanted.contains(digit) {
                return Some((event.at, digit));
            }
            if dropped == Dropped::None {
                self.keys.push_back(digit);
            }
        }
        None
    }
}

/// What becomes of keys that nobody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dropped {
    None,
    All,
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
            Operation::Dial(dial) => self.dial(leg, &dial),
            Operation::Originate(originate) => (now, self.originate(leg, &originate)),
            Operation::SoftHangup { .. } | Operation::Redirect { .. } => (now, Outcome::Failed),
            Operation::Application { .. } => (now, Outcome::Unsupported),
            Operation::Progress
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

    /// A second call to `Local/extension@context`, from the time of the first.
    fn called(&mut self, caller: &Leg, destination: &Destination) -> Option<Leg> {
        let is_too_much = self.channels >= MOST_CHANNELS || caller.depth >= MOST_DEPTH;
        if is_too_much || !destination.technology.eq_ignore_ascii_case(b"Local") {
            return None;
        }
        let resource = destination.resource.split(|byte| *byte == b'/').next().unwrap_or_default();
        let (extension, context) = match resource.find_byte(b'@') {
            Some(at) => (&resource[..at], &resource[at + 1..]),
            None => (resource, &b"default"[..]),
        };
        let circumstances = crate::plan::Circumstances {
            caller: caller.executor.channel().caller.number.as_ref().map(|number| number.as_ref()),
            now: caller.host.epoch,
            zone: caller.host.zone.clone(),
        };
        let target = crate::plan::Target::Priority(1);
        self.plan.find_in(context.as_bstr(), extension.as_bstr(), target, &circumstances).ok()?;
        let mut leg = self.second(caller, extension, context);
        leg.host.state = ChannelState::Ring;
        Some(leg)
    }

    fn second(&mut self, caller: &Leg, extension: &[u8], context: &[u8]) -> Leg {
        self.channels += 1;
        let number = self.channels;
        let mut channel = Channel::new(format!(
            "Local/{}@{}-{number:08x};2",
            extension.as_bstr(),
            context.as_bstr()
        ));
        channel.caller = caller.executor.channel().caller.clone();
        let mut executor = Executor::new(channel, context, extension, 1).with_legacy(self.legacy);
        // Both halves of a Local channel inherit: what is copied once arrives.
        *executor.variables_mut() = inherited_twice(caller.executor.variables());
        let mut host = MemoryHost::new(caller.host.epoch);
        host.elapsed = caller.now();
        host.zone = caller.host.zone.clone();
        host.keep_steps = KeepSteps::Yes;
        Leg { depth: caller.depth + 1, ..Leg::new(executor, host, Role::Called) }
    }

    fn dial(&mut self, caller: &mut Leg, dial: &Dial) -> (Duration, Outcome) {
        let start = caller.now();
        let mut legs: Vec<Option<Leg>> = Vec::new();
        let (mut is_busy, mut is_congested) = (false, false);
        for destination in &dial.destinations {
            let technology = &destination.technology;
            if !SIMULATED.iter().any(|known| technology.eq_ignore_ascii_case(known.as_bytes())) {
                let message = format!("no channel type registered for '{technology}'");
                self.log.push((crate::host::Level::Warning, message));
            }
            let Some(leg) = self.called(caller, destination) else { continue };
            // Option b runs a subroutine on the other half before the call goes out.
            if let Some(target) = dial.options.argument(b'b') {
                let target = gosub_target(target);
                self.subroutine(&leg, &target);
            }
            legs.push(Some(leg));
        }
        if legs.is_empty() {
            return (start, dialed(DialResult::unanswered(DialStatus::ChanUnavail, 0)));
        }
        let ring_end = dial
            .timeout
            .map_or_else(|| start.saturating_add(FOREVER), |timeout| start.saturating_add(timeout));
        let hangup = caller.hangup_time();
        let overtime = caller.executor.poll_timeout();
        let give_up = [hangup, overtime].into_iter().flatten().fold(ring_end, Duration::min);
        loop {
            let first = legs
                .iter()
                .enumerate()
                .filter_map(|(index, leg)| Some((leg.as_ref()?.next_time()?, index)))
                .min();
            let Some((time, index)) = first else { break };
            if time > give_up {
                break;
            }
            let Some(leg) = &mut legs[index] else { break };
            let goes_on = self.turn(leg);
            match leg.signal {
                Some(Signal::Answered) => {
                    let Some(mut winner) = legs[index].take() else { break };
                    let at = winner.now();
                    for mut loser in legs.into_iter().flatten() {
                        // What happens at the same moment happens first.
                        while loser.next_time().is_some_and(|time| time <= at)
                            && self.turn(&mut loser)
                        {}
                        self.cancel(loser, at);
                    }
                    caller.host.state = ChannelState::Up;
                    return self.bridge(caller, &mut winner, dial, start, at);
                }
                Some(Signal::Busy) => is_busy = true,
                Some(Signal::Congestion) => is_congested = true,
                _ => {}
            }
            let has_failed = matches!(leg.signal, Some(Signal::Busy | Signal::Congestion));
            if leg.is_finished || has_failed || !goes_on {
                let cause = leg.cause.unwrap_or(0);
                if leg.is_finished && !has_failed {
                    is_busy |= cause == 17;
                    is_congested |= matches!(cause, 34 | 38 | 42);
                }
                if let Some(leg) = legs[index].take() {
                    let at = leg.now();
                    self.cancel(leg, at);
                }
            }
        }
        let timed_out = legs.iter().any(Option::is_some);
        for leg in legs.into_iter().flatten() {
            self.cancel(leg, give_up);
        }
        let (end, status) = if timed_out {
            (give_up, DialStatus::NoAnswer)
        } else if is_busy {
            (start, DialStatus::Busy)
        } else if is_congested {
            (start, DialStatus::Congestion)
        } else {
            (start, DialStatus::NoAnswer)
        };
        let end = if hangup.is_some_and(|at| at == end) { end.saturating_add(TICK) } else { end };
        (end, dialed(DialResult::unanswered(status, 0)))
    }

    /// The rest of a dialled call after its answer.
    fn bridge(
        &mut self,
        caller: &Leg,
        callee: &mut Leg,
        dial: &Dial,
        start: Duration,
        answered: Duration,
    ) -> (Duration, Outcome) {
        let mut result = DialResult::unanswered(DialStatus::Answer, 16);
        result.peer_name = Some(callee.executor.channel().name.clone());
        result.peer_number =
            dial.destinations.first().map(|destination| destination.resource.clone());
        let refuse =
            |simulation: &mut Self, callee: &mut Leg, mut result: DialResult, end, status| {
                result.status = status;
                result.ended_by = end;
                result.cause = 0;
                simulation.cancel_ref(callee, answered);
                (answered, dialed(result))
            };
        if let Some(target) = dial.options.argument(b'U') {
            let decision = self.subroutine(callee, &screening_target(target)).unwrap_or_default();
            match decision.to_ascii_uppercase().as_slice() {
                b"BUSY" => {
                    return refuse(self, callee, result, DialEnd::Continue, DialStatus::Busy);
                }
                b"CONGESTION" => {
                    return refuse(self, callee, result, DialEnd::Continue, DialStatus::Congestion);
                }
                b"CONTINUE" => {
                    return refuse(self, callee, result, DialEnd::Continue, DialStatus::Answer);
                }
                b"ABORT" => {
                    return refuse(self, callee, result, DialEnd::Caller, DialStatus::Answer);
                }
                _ if decision.len() > 5 && decision[..5].eq_ignore_ascii_case(b"GOTO:") => {
                    result.place = Some(place_of(&decision[5..]));
                    return refuse(self, callee, result, DialEnd::Continue, DialStatus::Answer);
                }
                _ => {}
            }
        }
        if let Some(target) = dial.options.argument(b'G') {
            let place = place_of(target);
            self.part(caller, callee, &place, answered);
            result.place = Some(place);
            result.ended_by = DialEnd::Continue;
            return (answered, dialed(result));
        }
        let milliseconds = dial.options.argument(b'L').and_then(crate::arguments::scan_integer);
        let seconds = dial.options.argument(b'S').and_then(crate::arguments::scan_double);
        let limits = [
            milliseconds.map(|(value, _)| Duration::from_millis(value.max(0) as u64)),
            seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        ];
        let limit = limits.into_iter().flatten().min().map(|limit| answered.saturating_add(limit));
        let hangup = caller.hangup_time();
        let stop = [limit, hangup]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| answered.saturating_add(FOREVER));
        while let Some(time) = callee.next_time().filter(|time| *time <= stop) {
            debug_assert!(time >= answered);
            if !self.turn(callee) {
                break;
            }
        }
        let (end, ended_by) = if callee.is_finished {
            (callee.now(), DialEnd::Callee)
        } else if hangup == Some(stop) {
            (stop.saturating_add(TICK), DialEnd::Caller)
        } else {
            (stop, DialEnd::Callee)
        };
        self.cancel_ref(callee, end);
        result.ended_by = ended_by;
        result.dialed = Some(end.saturating_sub(start));
        result.answered = Some(end.saturating_sub(answered));
        (end, dialed(result))
    }

    /// Option G: the caller goes to a place, the near half of the called channel to the priority behind it.
    fn part(&mut self, caller: &Leg, callee: &mut Leg, place: &DialPlace, at: Duration) {
        let here = caller.executor.place();
        let context = place.context.as_ref().map_or(here.context, |context| context.as_bstr());
        let extension =
            place.extension.as_ref().map_or(here.extension, |extension| extension.as_bstr());
        let priority = match crate::arguments::scan_integer(&place.priority) {
            Some((number, end)) if end == place.priority.len() => number.max(0) as u32,
            _ => {
                let circumstances = crate::plan::Circumstances {
                    caller: None,
                    now: caller.host.epoch,
                    zone: caller.host.zone.clone(),
                };
                let label = crate::plan::Target::Label(place.priority.as_bstr());
                let found = self.plan.find_in(context, extension, label, &circumstances);
                match found.map(|found| self.plan.step(found.step).priority()) {
                    Ok(crate::plan::Priority::Number(number)) => number,
                    _ => return,
                }
            }
        };
        let mut near = self.second(caller, extension, context);
        near.executor.redirect(None, None, priority.saturating_add(1));
        near.host.state = ChannelState::Up;
        near.host.elapsed = at;
        loop {
            // The end of one half is the end of the other.
            let (near_time, far_time) = (near.next_time(), callee.next_time());
            let (Some(near_time), Some(far_time)) = (near_time, far_time) else { break };
            let goes_on =
                if near_time <= far_time { self.turn(&mut near) } else { self.turn(callee) };
            if !goes_on {
                break;
            }
        }
        let end = if near.is_finished { near.now() } else { callee.now() };
        self.cancel_ref(callee, end);
        self.cancel(near, end);
    }

    /// Runs a subroutine on the near half of a called channel; gives GOSUB_RESULT.
    fn subroutine(&mut self, leg: &Leg, target: &[u8]) -> Option<BString> {
        let mut half = self.second(leg, b"s", leg.executor.place().context);
        half.executor.variables_mut().pop(b"GOSUB_RESULT");
        half.host.elapsed = leg.now();
        half.host.state = ChannelState::Up;
        std::mem::swap(&mut half.host.world, &mut self.world);
        let is_there = half.executor.start_subroutine(self.plan, &mut half.host, target);
        std::mem::swap(&mut half.host.world, &mut self.world);
        if is_there {
            self.run_to_end(&mut half, leg.now().saturating_add(FOREVER));
        }
        let result = half.executor.variable(b"GOSUB_RESULT").map(|result| result.to_owned());
        self.keep(half);
        result
    }

    fn originate(&mut self, caller: &Leg, originate: &Originate) -> Outcome {
        let Some(mut leg) = self.called(caller, &originate.destination) else {
            return Outcome::Originated(OriginateStatus::Failed);
        };
        let start = caller.now();
        let give_up = start.saturating_add(originate.timeout);
        while leg.signal != Some(Signal::Answered) {
            let is_over = leg.next_time().is_none_or(|time| time > give_up);
            if is_over
                || matches!(leg.signal, Some(Signal::Busy | Signal::Congestion))
                || !self.turn(&mut leg)
            {
                let end = leg.now();
                self.cancel(leg, end);
                return Outcome::Originated(OriginateStatus::Failed);
            }
        }
        // The near half runs the application or the place, and hangs up at its end.
        let mut near = match &originate.target {
            OriginateTarget::Application { .. } => self.second(&leg, b"s", b"default"),
            OriginateTarget::Place { context, extension, .. } => {
                self.second(&leg, extension, context)
            }
        };
        near.host.state = ChannelState::Up;
        let end = match &originate.target {
            OriginateTarget::Application { name, arguments } => {
                let text = [name.as_slice(), b"(", arguments, b")"].concat();
                let operation = near.executor.run_application(self.plan, &mut near.host, &text);
                operation.map_or(start, |operation| self.perform(&mut near, operation).0)
            }
            OriginateTarget::Place { priority, .. } => {
                near.executor.redirect(None, None, *priority);
                self.run_to_end(&mut near, start.saturating_add(FOREVER));
                let end = near.now();
                self.keep(near);
                end
            }
        };
        while leg.next_time().is_some_and(|time| time <= end) && self.turn(&mut leg) {}
        self.cancel(leg, end);
        Outcome::Originated(OriginateStatus::Success)
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

fn dialed(result: DialResult) -> Outcome {
    Outcome::Dialed(Box::new(result))
}

/// A Local channel's near half inherits from the caller, and its far half all of that.
fn inherited_twice(variables: &Variables) -> Variables {
    variables.inherited()
}

/// `[[context^]extension^]priority`.
fn place_of(text: &[u8]) -> DialPlace {
    let mut pieces: Vec<BString> = text.split(|byte| *byte == b'^').map(Into::into).collect();
    let priority = pieces.pop().unwrap_or_default();
    let extension = pieces.pop();
    let context = pieces.pop();
    DialPlace { context, extension, priority }
}

/// `context^extension^priority(arguments)` as a Gosub target.
fn gosub_target(text: &[u8]) -> Vec<u8> {
    let open = text.find_byte(b'(').unwrap_or(text.len());
    let (place, arguments) = text.split_at(open);
    let mut target: Vec<u8> =
        place.iter().map(|byte| if *byte == b'^' { b',' } else { *byte }).collect();
    if !target.contains(&b',') {
        target.extend_from_slice(b",s,1");
    }
    target.extend(arguments.iter().map(|byte| if *byte == b'^' { b',' } else { *byte }));
    target
}

/// `name^argument^argument` of Dial's U as a Gosub target.
fn screening_target(text: &[u8]) -> Vec<u8> {
    let mut parts = text.splitn(2, |byte| *byte == b'^');
    let name = parts.next().unwrap_or_default();
    let mut target = [name, b",s,1"].concat();
    if let Some(arguments) = parts.next() {
        target.push(b'(');
        target.extend(arguments.iter().map(|byte| if *byte == b'^' { b',' } else { *byte }));
        target.push(b')');
    }
    target
}

/// Technologies that a dialplan may call; only `Local` has anybody to answer.
const SIMULATED: [&str; 2] = ["Local", "PJSIP"];

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
