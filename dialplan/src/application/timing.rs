//! Applications that wait: for a time, for a condition, for another channel.

use std::time::Duration;

use bstr::{BStr, BString};
use jiff::Timestamp;

use crate::arguments::{is_true, scan_double, scan_integer, split};
use crate::executor::{Continuation, Flow, Run};
use crate::operation::{Operation, Outcome};
use crate::record::{Fork, ForkTimes, RecordFields};
use crate::world::Waiter;

/// WaitUntil(epoch): WAITUNTILSTATUS.
pub(super) fn wait_until(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let Some(until) = scan_double(text) else {
        run.scope.warn(format_args!("WaitUntil requires a time in seconds since 1970"));
        run.scope.assign(b"WAITUNTILSTATUS", b"FAILURE");
        return Flow::Continue;
    };
    let seconds = until - seconds_of(run.scope.host.now());
    match Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero()) {
        Some(duration) => Flow::Ask(Operation::Wait { duration }, Continuation::WaitUntil),
        None => {
            run.scope.assign(b"WAITUNTILSTATUS", b"PAST");
            Flow::Continue
        }
    }
}

pub(super) fn wait_until_done(run: &mut Run<'_>, outcome: &Outcome) -> Flow {
    let is_gone = matches!(outcome, Outcome::HungUp { .. });
    run.scope.assign(b"WAITUNTILSTATUS", if is_gone { b"HANGUP" } else { b"OK" });
    if is_gone { Flow::HangUp } else { Flow::Continue }
}

/// A condition that is waited for.
#[derive(Debug)]
pub(crate) struct Condition {
    /// With `$` where the author wrote another byte.
    expression: BString,
    interval: Duration,
    until: Option<Duration>,
}

/// `WaitForCondition(byte,expression[,timeout[,interval]])`: the byte stands for `$`, so that the expression is
/// evaluated again and again, not once before.
pub(super) fn wait_for_condition(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 4);
    let (Some([byte]), Some(expression)) =
        (parts.first().map(|byte| &**byte), parts.get(1).filter(|text| !text.is_empty()))
    else {
        run.scope.warn(format_args!(
            "usage: WaitForCondition(replacement,expression[,timeout[,interval]])"
        ));
        run.scope.assign(b"WAITFORCONDITIONSTATUS", b"FAILURE");
        return Flow::Continue;
    };
    let expression: Vec<u8> =
        expression.iter().map(|other| if other == byte { b'$' } else { *other }).collect();
    let seconds = |index: usize| {
        let given = parts.get(index).and_then(|text| scan_double(text));
        given.filter(|seconds| *seconds > 0.0).and_then(|s| Duration::try_from_secs_f64(s).ok())
    };
    let until = seconds(2).map(|timeout| run.scope.host.monotonic().saturating_add(timeout));
    let interval = seconds(3).unwrap_or(INTERVAL).max(SHORTEST);
    look(run, Box::new(Condition { expression: expression.into(), interval, until }))
}

pub(super) fn condition_on(
    run: &mut Run<'_>,
    condition: Box<Condition>,
    outcome: &Outcome,
) -> Flow {
    if matches!(outcome, Outcome::HungUp { .. }) {
        run.scope.assign(b"WAITFORCONDITIONSTATUS", b"HANGUP");
        return Flow::HangUp;
    }
    look(run, condition)
}

fn look(run: &mut Run<'_>, condition: Box<Condition>) -> Flow {
    let mut value = run.scope.take_spare();
    run.scope.substitute(&condition.expression, &mut value);
    let holds = is_true(&value);
    run.scope.give_back(value);
    if holds {
        run.scope.assign(b"WAITFORCONDITIONSTATUS", b"TRUE");
        return Flow::Continue;
    }
    let left = condition.until.map(|until| until.saturating_sub(run.scope.host.monotonic()));
    if left.is_some_and(|left| left.is_zero()) {
        run.scope.assign(b"WAITFORCONDITIONSTATUS", b"TIMEOUT");
        return Flow::Continue;
    }
    let duration = left.map_or(condition.interval, |left| left.min(condition.interval));
    Flow::Ask(Operation::Wait { duration }, Continuation::Condition(condition))
}

/// `Signal(name[,payload])`: wakes all channels that wait for the name.
pub(super) fn signal(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let Some(name) = parts.first().filter(|name| !name.is_empty()) else {
        run.scope.warn(format_args!("Signal requires a name"));
        run.scope.assign(b"SIGNALSTATUS", b"FAILURE");
        return Flow::Continue;
    };
    let payload = parts.get(1).map(|payload| BString::from(&**payload)).unwrap_or_default();
    let mut is_heard = false;
    for waiter in &mut run.scope.host.world_mut().waiters {
        if *waiter.signal == **name && waiter.payload.is_none() {
            waiter.payload = Some(payload.clone());
            is_heard = true;
        }
    }
    run.scope.assign(b"SIGNALSTATUS", if is_heard { b"SUCCESS" } else { b"FAILURE" });
    Flow::Continue
}

/// `WaitForSignal(name[,timeout[,variable]])`: WAITFORSIGNALSTATUS.
pub(super) fn wait_for_signal(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 3);
    let Some(name) = parts.first().filter(|name| !name.is_empty()) else {
        run.scope.warn(format_args!("WaitForSignal requires a name"));
        return Flow::HangUp;
    };
    let timeout = parts.get(1).and_then(|text| scan_double(text)).filter(|seconds| *seconds > 0.0);
    let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let until = timeout.map(|timeout| run.scope.host.monotonic().saturating_add(timeout));
    let variable = parts.get(2).map(|name| BString::from(&**name)).unwrap_or_default();
    let channel = run.scope.state.channel.name.clone();
    let waiters = &mut run.scope.host.world_mut().waiters;
    waiters.retain(|waiter| waiter.channel != channel);
    if waiters.len() >= MOST_WAITERS {
        run.scope.warn(format_args!("WaitForSignal: too many channels wait"));
        return Flow::HangUp;
    }
    waiters.push(Waiter { signal: (&**name).into(), channel, payload: None });
    let duration = timeout.map_or(INTERVAL, |timeout| timeout.min(INTERVAL));
    Flow::Ask(Operation::Wait { duration }, Continuation::Signal { variable, until })
}

pub(super) fn signal_on(
    run: &mut Run<'_>,
    variable: BString,
    until: Option<Duration>,
    outcome: &Outcome,
) -> Flow {
    let now = run.scope.host.monotonic();
    let channel = run.scope.state.channel.name.clone();
    let waiters = &mut run.scope.host.world_mut().waiters;
    let at = waiters.iter().position(|waiter| waiter.channel == channel);
    let payload = at.and_then(|at| waiters[at].payload.take());
    let is_gone = matches!(outcome, Outcome::HungUp { .. });
    let left = until.map_or(INTERVAL, |until| until.saturating_sub(now));
    if payload.is_none() && !is_gone && !left.is_zero() {
        let duration = left.min(INTERVAL);
        return Flow::Ask(Operation::Wait { duration }, Continuation::Signal { variable, until });
    }
    if let Some(at) = at {
        waiters.swap_remove(at);
    }
    let status: &[u8] = match (&payload, is_gone) {
        (_, true) => b"HANGUP",
        (Some(_), false) => b"SIGNALED",
        (None, false) => b"TIMEOUT",
    };
    run.scope.assign(b"WAITFORSIGNALSTATUS", status);
    if let Some(payload) = payload.filter(|_| !variable.is_empty()) {
        run.scope.assign(&variable, &payload);
    }
    if is_gone { Flow::HangUp } else { Flow::Continue }
}

/// HangupCauseClear(): forgets the causes of called channels.
pub(super) fn clear_causes(run: &mut Run<'_>, _: &[u8]) -> Flow {
    // A host that keeps no causes has none to forget.
    let _ = run.scope.host.write_function(&mut run.scope.state.channel, b"HANGUPCAUSE", b"", b"");
    Flow::Continue
}

/// `ResetCDR([options])`: `v` keeps the fields of the dialplan's own, `e` takes back that nothing is kept.
pub(super) fn reset_record(run: &mut Run<'_>, options: &[u8]) -> Flow {
    unknown_options(run, "ResetCDR", options, b"ve");
    if options.contains(&b'e')
        && let Some(record) = run.scope.host.record_mut()
    {
        record.is_disabled = false;
    }
    let keeps = options.contains(&b'v');
    let fields = if keeps { RecordFields::Kept } else { RecordFields::Forgotten };
    if !run.scope.host.reset_records(fields) {
        run.scope.warn(format_args!("ResetCDR: this engine keeps no record of the call"));
    }
    Flow::Continue
}

/// `ForkCDR([options])`: another record beside the present one. `a`: answered now; `e`: those so far end;
/// `r`: begun and answered now; `v`: with the fields of the dialplan's own.
pub(super) fn fork_record(run: &mut Run<'_>, options: &[u8]) -> Flow {
    unknown_options(run, "ForkCDR", options, b"aerv");
    let times = if options.contains(&b'r') {
        ForkTimes::Now
    } else if options.contains(&b'a') {
        ForkTimes::AnsweredNow
    } else {
        ForkTimes::Same
    };
    let (ends_others, keeps_fields) = (options.contains(&b'e'), options.contains(&b'v'));
    if !run.scope.host.fork_record(Fork { times, ends_others, keeps_fields }) {
        run.scope.warn(format_args!("ForkCDR: there is no record to fork, or too many"));
    }
    Flow::Continue
}

fn unknown_options(run: &mut Run<'_>, application: &str, options: &[u8], known: &[u8]) {
    if let Some(strange) = options.iter().find(|letter| !known.contains(letter)) {
        let strange = BStr::new(std::slice::from_ref(strange)).to_owned();
        run.scope.warn(format_args!("{application}: unknown option '{strange}'"));
    }
}

/// `AELSub(routine[,arguments])`: a subroutine that a compiler made.
pub(super) fn compiled_subroutine(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let (routine, arguments) = match memchr::memchr(b',', text) {
        Some(comma) => (&text[..comma], &text[comma + 1..]),
        None => (text, &b""[..]),
    };
    if routine.is_empty() {
        run.scope.warn(format_args!("AELSub requires a routine"));
        return Flow::HangUp;
    }
    let target = [routine, b",~~s~~,1(", arguments, b")"].concat();
    super::flow::gosub_application(run, &target)
}

/// SayOrdinal(number), in English as Asterisk has it.
pub(super) fn say_ordinal(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 2);
    let number = parts.first().map(|number| number.to_vec()).unwrap_or_default();
    if scan_integer(&number).is_none_or(|(_, end)| end != number.len()) {
        let number = BString::from(number);
        run.scope.warn(format_args!("SayOrdinal: '{number}' is no number"));
        return Flow::Continue;
    }
    say_files(run, &number, "ordinal")
}

/// SayMoney(dollars), in English as Asterisk has it.
pub(super) fn say_money(run: &mut Run<'_>, text: &[u8]) -> Flow {
    if scan_double(text).is_none() {
        let text = BStr::new(text).to_owned();
        run.scope.warn(format_args!("SayMoney: '{text}' is no amount"));
        return Flow::Continue;
    }
    say_files(run, text, "money")
}

/// `SayCountedNoun(number,file)`: the file, with `s` behind its name for more than one. The number
/// itself is not said.
pub(super) fn say_counted_noun(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let Some((number, file)) = counted(run, "SayCountedNoun", text) else { return Flow::Continue };
    // None are several in English, and not in French.
    let is_french = run.scope.state.channel.language.to_ascii_lowercase().starts_with(b"fr");
    let is_one = number.unsigned_abs() == 1 || is_french && number == 0;
    let ending: &[u8] = if is_one { b"" } else { b"s" };
    super::media::play_said(run, vec![[&file, ending].concat().into()])
}

/// `SayCountedAdj(number,file[,gender])`: English and French have one form of it that is heard.
pub(super) fn say_counted_adjective(run: &mut Run<'_>, text: &[u8]) -> Flow {
    match counted(run, "SayCountedAdj", text) {
        Some((_, file)) => super::media::play_said(run, vec![file.into()]),
        None => Flow::Continue,
    }
}

fn counted(run: &mut Run<'_>, application: &str, text: &[u8]) -> Option<(i32, Vec<u8>)> {
    let parts = split(text, 3);
    let number = parts.first().and_then(|number| scan_integer(number));
    let file = parts.get(1).map(|file| file.to_vec()).filter(|file| !file.is_empty());
    match (number, file) {
        (Some((number, _)), Some(file)) => Some((number, file)),
        _ => {
            run.scope.warn(format_args!("{application} requires two arguments (number,file)"));
            None
        }
    }
}

fn say_files(run: &mut Run<'_>, value: &[u8], kind: &str) -> Flow {
    let asked = [b"SAYFILES(", value, b",", kind.as_bytes(), b")"].concat();
    let files = run.scope.named(&asked);
    super::media::play_said(run, super::media::file_list(&files))
}

fn seconds_of(time: Timestamp) -> f64 {
    time.as_microsecond() as f64 / 1e6
}

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// A dialplan must not keep the engine busy.
const SHORTEST: Duration = Duration::from_millis(10);

/// Channels that wait for signals.
const MOST_WAITERS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;
    use crate::executor::{Advance, Executor};
    use crate::host::MemoryHost;
    use crate::plan::Plan;

    fn plan(text: &str) -> Plan {
        let files = crate::conf::MemoryFiles::new().with("extensions.conf", text);
        let conf = crate::conf::load("extensions.conf", &files, &crate::conf::Options::default());
        Plan::load(&conf, &crate::plan::LoadOptions::default()).0
    }

    /// Runs until the end or until the time is up; every wait takes its time.
    fn run(executor: &mut Executor, plan: &Plan, host: &mut MemoryHost, most: Duration) {
        while host.elapsed < most {
            match executor.advance(plan, host) {
                Advance::Operation(Operation::Wait { duration }) => {
                    host.elapsed += duration;
                    executor.handle_outcome(Outcome::Done);
                }
                Advance::Finished { .. } => return,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn waits_end_by_time_condition_and_signal() {
        let plan = plan(
            "[a]\nexten => s,1,WaitUntil(5)\n same => n,Set(one=${WAITUNTILSTATUS})\n\
             same => n,WaitUntil(1)\n same => n,Set(two=${WAITUNTILSTATUS})\n\
             same => n,WaitForCondition(#,#[#{EPOCH} >= 8],30,1)\n\
             same => n,Set(three=${WAITFORCONDITIONSTATUS} ${EPOCH})\n\
             same => n,WaitForCondition(#,#{never},2)\n\
             same => n,Set(four=${WAITFORCONDITIONSTATUS} ${EPOCH})\n\
             same => n,WaitForSignal(go,3,x)\n same => n,Set(five=${WAITFORSIGNALSTATUS})\n",
        );
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut executor = Executor::new(Channel::new("Test/1"), "a", "s", 1);
        run(&mut executor, &plan, &mut host, Duration::from_secs(60));
        let value = |name: &str| executor.variable(name.as_bytes()).map(ToString::to_string);
        assert_eq!(value("one").as_deref(), Some("OK"));
        assert_eq!(value("two").as_deref(), Some("PAST"));
        assert_eq!(value("three").as_deref(), Some("TRUE 8"));
        assert_eq!(value("four").as_deref(), Some("TIMEOUT 10"));
        assert_eq!(value("five").as_deref(), Some("TIMEOUT"));
        assert!(host.world.waiters.is_empty());
    }

    #[test]
    fn a_signal_wakes_the_channel_that_waits_for_it() {
        let plan = plan(
            "[a]\nexten => s,1,WaitForSignal(go,,x)\nexten => t,1,Signal(go,now)\n same => n,Signal(no)\n",
        );
        let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
        let mut waits = Executor::new(Channel::new("Test/1"), "a", "s", 1);
        run(&mut waits, &plan, &mut host, Duration::from_millis(200));
        let mut wakes = Executor::new(Channel::new("Test/2"), "a", "t", 1);
        assert!(matches!(wakes.advance(&plan, &mut host), Advance::Finished { .. }));
        assert_eq!(wakes.variable(b"SIGNALSTATUS"), Some("FAILURE".into()));
        run(&mut waits, &plan, &mut host, Duration::from_secs(60));
        assert_eq!(waits.variable(b"x"), Some("now".into()));
        assert_eq!(waits.variable(b"WAITFORSIGNALSTATUS"), Some("SIGNALED".into()));
    }
}
