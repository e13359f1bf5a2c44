//! Simulated calls that call others: Dial and Originate over Local channels.

use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::leg::{Leg, Role, Signal};
use super::{FOREVER, MOST_CHANNELS, MOST_DEPTH, Simulation, TICK};
use crate::channel::Channel;
use crate::executor::Executor;
use crate::host::{ChannelState, KeepSteps, MemoryHost};
use crate::operation::{
    Destination, Dial, DialEnd, DialPlace, DialResult, DialStatus, Originate, OriginateStatus,
    OriginateTarget, Outcome,
};
use crate::variables::Variables;

impl Simulation<'_> {
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

    pub(super) fn dial(&mut self, caller: &mut Leg, dial: &Dial) -> (Duration, Outcome) {
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

    pub(super) fn originate(&mut self, caller: &Leg, originate: &Originate) -> Outcome {
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
const SIMULATED: [&str; 3] = ["Local", "PJSIP", "Robot"];
