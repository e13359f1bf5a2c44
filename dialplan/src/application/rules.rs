//! Rules(): the call is forwarded as the called user's rules say, after their announcement.
//!
//! Who was diverted here by a telephone system comes with what his telephone did; else the telephone
//! is rung from here, for as long as a rule waits. A forward is verified, if the rules want that: what
//! nobody answers goes to the emergency number.

use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};

use super::call;
use super::media::{is_up, play_whole};
use super::variables::exec;
use crate::arguments::{scan_integer, split, strip};
use crate::executor::{Continuation, Flow, Run};
use crate::function::with_conditions;
use crate::host::Level;
use crate::operation::{AnswerMedia, DialStatus, ForwardBy, Operation, Outcome as Result};
use crate::rules::decide::{Call, Decision, Outcome};
use crate::rules::{BlindForward, MOST_FORWARDS, Moment, Rule, Target, User, Verification, store};

/// A Rules() in progress.
#[derive(Debug)]
pub(crate) struct Forwarding {
    user: BString,
    moment: Moment,
    options: BString,
    stage: Stage,
    /// Whether Dial goes on after an answered call.
    continues: bool,
}

#[derive(Debug)]
enum Stage {
    /// The own telephone rings.
    Station,
    /// The call is being answered, for the rule's announcement.
    Answering(Box<Rule>),
    Announcing(Box<Rule>),
    /// The caller is asked to connect itself with this number.
    Referring(BString),
    /// The rule's target is called.
    Target,
    /// The emergency number is called; so many tries are left.
    Emergency(u32),
    /// Until the next try.
    Pausing(u32),
}

/// `Rules([user[,options[,dialoptions]]])`. Options: `i`, `b`, `n` say what the telephone did, in place
/// of the diversion; `s` does not ring it, `r` rings it though it diverted the call here itself.
///
/// RULESSTATUS is FORWARDED, EMERGENCY, STATION (answered there), ENDED, FAILED (nobody answered),
/// CIRCLE, NONE (no rule holds) or UNKNOWN; RULESUSER, RULESRULE, RULESTARGET and RULESREASON tell of
/// the decision.
pub(super) fn rules(run: &mut Run<'_>, text: &[u8]) -> Flow {
    let parts = split(text, 3);
    let part = |index: usize| parts.get(index).map(|it| strip(it).to_vec()).unwrap_or_default();
    let letters = part(1);
    for name in ["RULESUSER", "RULESRULE", "RULESTARGET", "RULESREASON"] {
        run.scope.assign(name.as_bytes(), b"");
    }
    for letter in letters.iter().filter(|letter| !b"ibnrs".contains(letter)) {
        run.scope.warn(format_args!("Rules: unknown option '{}'", char::from(*letter)));
    }
    let plan = run.scope.plan;
    let named = part(0);
    let sought = if named.is_empty() { diverted_from(run) } else { named };
    let Some(user) = plan.rules().user(&sought) else {
        let sought = BStr::new(&sought);
        run.scope.warn(format_args!("rules.conf has no user '{sought}': the call goes on"));
        return ended(run, "UNKNOWN");
    };
    let diverted = diversion_of(run, user);
    let moment = match &letters {
        letters if letters.contains(&b'i') => Moment::Immediate,
        letters if letters.contains(&b'b') => Moment::Busy,
        letters if letters.contains(&b'n') => Moment::NoAnswer,
        _ => diverted.unwrap_or_default(),
    };
    run.scope.assign(b"RULESUSER", &user.name);
    let forwarding = Forwarding {
        user: user.name.clone(),
        moment,
        options: part(2).into(),
        stage: Stage::Station,
        continues: false,
    };
    // A telephone that diverted the call here would do so again.
    let is_rung = !letters.contains(&b's') && (diverted.is_none() || letters.contains(&b'r'));
    let station = user.device.as_ref().filter(|_| is_rung);
    consider(run, Box::new(forwarding), station)
}

/// Whose call this is: that of whoever the robot is attributed to, or that diverted it here, or that
/// was called.
fn diverted_from(run: &Run<'_>) -> Vec<u8> {
    let channel = &run.scope.state.channel;
    let from = channel.redirecting.from.number.clone().unwrap_or_default();
    let known = [channel.robot.user.clone(), from];
    let known = known.into_iter().find(|number| !number.is_empty());
    known.unwrap_or_else(|| run.scope.state.extension.clone()).into()
}

/// What the user's telephone did when it diverted the call here; `None` when it did not.
fn diversion_of(run: &Run<'_>, user: &User) -> Option<Moment> {
    let channel = &run.scope.state.channel;
    let is_his = |number: &BString| {
        run.scope.plan.rules().user(number).is_some_and(|it| it.name == user.name)
    };
    let robot = &channel.robot;
    match robot.reason.as_slice() {
        b"user-busy" if is_his(&robot.user) => return Some(Moment::Busy),
        b"no-answer" if is_his(&robot.user) => return Some(Moment::NoAnswer),
        _ => {}
    }
    let from = channel.redirecting.from.number.as_ref().is_some_and(is_his);
    let is_diverted = from || (!robot.user.is_empty() && is_his(&robot.user));
    is_diverted.then_some(match channel.redirecting.reason.code {
        REASON_BUSY if from => Moment::Busy,
        REASON_NO_ANSWER if from => Moment::NoAnswer,
        _ => Moment::Immediate,
    })
}

/// Decides, and does what was decided.
fn consider(run: &mut Run<'_>, forwarding: Box<Forwarding>, station: Option<&BString>) -> Flow {
    let decision = decide(run, &forwarding.user, forwarding.moment);
    let Some(decision) = decision else { return ended(run, "UNKNOWN") };
    run.scope.log(Level::Verbose(2), format_args!("Rules: {}", decision.summary()));
    for (rule, verdict) in &decision.looked_at {
        run.scope.log(Level::Verbose(3), format_args!("Rules: rule {}: {verdict}", rule.number));
    }
    run.scope.assign(b"RULESREASON", decision.summary().as_bytes());
    let status = match decision.outcome {
        Outcome::Forward(rule) => {
            run.scope.assign(b"RULESRULE", rule.number.to_string().as_bytes());
            let target = decision.dialled.unwrap_or_else(|| rule.target.write());
            run.scope.assign(b"RULESTARGET", &target);
            if forwards(run) < MOST_FORWARDS {
                return announce(run, forwarding, Box::new(rule));
            }
            run.scope
                .warn(format_args!("Rules: the call was sent on {MOST_FORWARDS} times already"));
            "CIRCLE"
        }
        Outcome::Circle(..) => "CIRCLE",
        Outcome::Stay => "NONE",
    };
    match station.filter(|_| forwarding.moment == Moment::Immediate) {
        Some(device) => ring(run, forwarding, device),
        None => ended(run, status),
    }
}

fn decide(run: &Run<'_>, user: &BString, moment: Moment) -> Option<Decision> {
    let book = run.scope.plan.rules();
    let user = book.user(user)?;
    let caller = run.scope.state.channel.caller.number.clone().unwrap_or_default();
    let call = Call { caller: caller.as_bstr(), moment };
    Some(with_conditions(&run.scope, |conditions| book.decide(user, call, conditions)))
}

/// Rings the own telephone, for as long as a rule waits for it.
fn ring(run: &mut Run<'_>, mut forwarding: Box<Forwarding>, device: &BString) -> Flow {
    let later = decide(run, &forwarding.user, Moment::NoAnswer);
    let rule = later.as_ref().and_then(Decision::forward);
    let wait = rule.and_then(|rule| store::waits(run.scope.plan.rules(), rule));
    forwarding.stage = Stage::Station;
    dial(run, forwarding, device, wait)
}

fn answer(forwarding: Box<Forwarding>) -> Flow {
    let operation = Operation::Answer { delay: Duration::ZERO, media: AnswerMedia::Wait };
    Flow::Ask(operation, Continuation::Rules(forwarding))
}

fn announce(run: &mut Run<'_>, mut forwarding: Box<Forwarding>, rule: Box<Rule>) -> Flow {
    let Some(announcement) = rule.announcement.clone() else {
        return forward(run, forwarding, &rule, Asked::Nothing);
    };
    if !is_up(run) {
        forwarding.stage = Stage::Answering(rule);
        return answer(forwarding);
    }
    forwarding.stage = Stage::Announcing(rule);
    Flow::Ask(play_whole(&announcement), Continuation::Rules(forwarding))
}

/// What was asked of the call before it is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// To be answered, whatever came of it.
    Answer,
}

fn forward(run: &mut Run<'_>, mut forwarding: Box<Forwarding>, rule: &Rule, asked: Asked) -> Flow {
    let book = run.scope.plan.rules();
    let settings = book.settings();
    match &rule.target {
        Target::Number(number) => {
            diverted(run, &forwarding, &book.dialled_or_bare(number));
            let is_blind = settings.verification == Verification::Blind;
            match settings.blind {
                BlindForward::Redirect if is_blind && !is_up(run) => {
                    refer(run, forwarding, number, ForwardBy::Redirect)
                }
                BlindForward::Refer if is_blind && !is_up(run) && asked == Asked::Nothing => {
                    forwarding.stage = Stage::Answering(Box::new(rule.clone()));
                    answer(forwarding)
                }
                BlindForward::Refer | BlindForward::Redirect if is_blind && is_up(run) => {
                    refer(run, forwarding, number, ForwardBy::Refer)
                }
                _ => dial_target(run, forwarding, number),
            }
        }
        Target::Goto(place) => {
            run.scope.assign(b"RULESSTATUS", b"FORWARDED");
            exec(run, format!("Goto({place})").as_bytes())
        }
        Target::Hangup => {
            run.scope.assign(b"RULESSTATUS", b"ENDED");
            exec(run, b"Hangup()")
        }
    }
}

/// Has the caller connect itself with a number.
fn refer(
    run: &mut Run<'_>,
    mut forwarding: Box<Forwarding>,
    number: &BString,
    by: ForwardBy,
) -> Flow {
    // Whoever takes the call over may end it here before it says so.
    run.scope.assign(b"RULESSTATUS", b"FORWARDED");
    forwarding.stage = Stage::Referring(number.clone());
    let number = run.scope.plan.rules().dialled_or_bare(number);
    Flow::Ask(Operation::ForwardByCaller { number, by }, Continuation::Rules(forwarding))
}

/// Calls a target from here.
fn dial_target(run: &mut Run<'_>, mut forwarding: Box<Forwarding>, number: &BString) -> Flow {
    let book = run.scope.plan.rules();
    forwarding.stage = Stage::Target;
    let wait = match book.settings().verification {
        Verification::Verified => Some(book.settings().wait),
        Verification::Blind => None,
    };
    dial(run, forwarding, &book.dial_string(number), wait)
}

/// The caller was asked to connect itself elsewhere: it did, or the emergency number is called, or
/// without one the target from here.
fn referred(
    run: &mut Run<'_>,
    forwarding: Box<Forwarding>,
    number: &BString,
    result: &Result,
) -> Flow {
    if *result == Result::Done {
        return exec(run, b"Hangup()");
    }
    let settings = run.scope.plan.rules().settings();
    run.scope.assign(b"RULESSTATUS", b"");
    let has_emergency = settings.emergency.is_some() && settings.emergency_times > 0;
    let instead = if has_emergency { "the emergency number" } else { "it from here" };
    run.scope.warn(format_args!(
        "Rules: {}: the caller did not connect itself with {number}: calling {instead}",
        forwarding.user
    ));
    match has_emergency {
        true => emergency(run, forwarding, settings.emergency_times),
        false => dial_target(run, forwarding, number),
    }
}

/// Tells whoever is called next who forwarded the call, why, and how often that happened.
fn diverted(run: &mut Run<'_>, forwarding: &Forwarding, number: &BString) {
    let count = forwards(run) + 1;
    run.scope.assign(b"__RULESCOUNT", count.to_string().as_bytes());
    let own = run.scope.plan.rules().user(&forwarding.user).and_then(|user| user.numbers.first());
    let reason: &[u8] = match forwarding.moment {
        Moment::Immediate => b"cfu",
        Moment::Busy => b"cfb",
        Moment::NoAnswer => b"cfnr",
    };
    if let Some(own) = own {
        run.scope.assign(b"REDIRECTING(from-num)", own);
    }
    run.scope.assign(b"REDIRECTING(to-num)", number);
    run.scope.assign(b"REDIRECTING(reason)", reason);
    run.scope.assign(b"REDIRECTING(count)", count.to_string().as_bytes());
}

/// How often the call was sent on, here or before it came here.
fn forwards(run: &Run<'_>) -> usize {
    let here = run.scope.variable(b"RULESCOUNT").and_then(|count| scan_integer(count));
    let here = here.map_or(0, |(count, _)| count);
    let before = run.scope.state.channel.redirecting.count;
    // A diversion to this robot is the way here, not a forward of ours.
    usize::try_from(here.max(before.saturating_sub(1))).unwrap_or(0)
}

fn dial(
    run: &mut Run<'_>,
    mut forwarding: Box<Forwarding>,
    whom: &BString,
    wait: Option<Duration>,
) -> Flow {
    let wait = wait.map_or_else(String::new, |wait| wait.as_secs().to_string());
    let text = format!("{whom},{wait},{}", forwarding.options);
    match call::dial(run, text.as_bytes()) {
        Flow::Ask(operation, Continuation::Dial { continues }) => {
            forwarding.continues = continues;
            Flow::Ask(operation, Continuation::Rules(forwarding))
        }
        Flow::Jumped => {
            run.scope.warn(format_args!("Rules: option B has no effect on what comes behind it"));
            Flow::Jumped
        }
        // Nothing that could be called.
        _ => unanswered(run, forwarding, DialStatus::ChanUnavail),
    }
}

/// Goes on when what it asked for is done.
pub(super) fn rules_on(run: &mut Run<'_>, mut forwarding: Box<Forwarding>, result: Result) -> Flow {
    if let Stage::Station | Stage::Target | Stage::Emergency(_) = forwarding.stage {
        let was_unanswered = call::was_unanswered(&result);
        let status = match &result {
            Result::Dialed(result) => result.status,
            _ => DialStatus::ChanUnavail,
        };
        if !was_unanswered {
            let told = match forwarding.stage {
                Stage::Station => "STATION",
                Stage::Target => "FORWARDED",
                _ => "EMERGENCY",
            };
            run.scope.assign(b"RULESSTATUS", told.as_bytes());
        }
        let flow = call::dial_done(run, forwarding.continues, result);
        if !was_unanswered || !matches!(flow, Flow::Continue) || status == DialStatus::Cancel {
            return flow;
        }
        return unanswered(run, forwarding, status);
    }
    if matches!(result, Result::HungUp { .. }) {
        return Flow::HangUp;
    }
    match std::mem::replace(&mut forwarding.stage, Stage::Target) {
        Stage::Answering(rule) if is_up(run) => announce(run, forwarding, rule),
        Stage::Answering(rule) => forward(run, forwarding, &rule, Asked::Answer),
        Stage::Announcing(rule) => forward(run, forwarding, &rule, Asked::Nothing),
        Stage::Referring(number) => referred(run, forwarding, &number, &result),
        Stage::Pausing(left) => emergency(run, forwarding, left),
        Stage::Station | Stage::Target | Stage::Emergency(_) => Flow::Continue,
    }
}

/// Nobody answered what was called last.
fn unanswered(run: &mut Run<'_>, mut forwarding: Box<Forwarding>, status: DialStatus) -> Flow {
    let settings = run.scope.plan.rules().settings();
    match forwarding.stage {
        Stage::Station => {
            forwarding.moment =
                if status == DialStatus::Busy { Moment::Busy } else { Moment::NoAnswer };
            consider(run, forwarding, None)
        }
        Stage::Target if settings.verification == Verification::Verified => {
            run.scope.log(
                Level::Verbose(2),
                format_args!("Rules: {}: the forwarded call: {}", forwarding.user, status.as_str()),
            );
            emergency(run, forwarding, settings.emergency_times)
        }
        Stage::Emergency(left) if left > 0 => {
            forwarding.stage = Stage::Pausing(left);
            Flow::Ask(Operation::Wait { duration: PAUSE }, Continuation::Rules(forwarding))
        }
        _ => ended(run, "FAILED"),
    }
}

/// Calls the emergency number, if a try is left.
fn emergency(run: &mut Run<'_>, mut forwarding: Box<Forwarding>, left: u32) -> Flow {
    let book = run.scope.plan.rules();
    let settings = book.settings();
    let (Some(number), Some(left)) = (&settings.emergency, left.checked_sub(1)) else {
        return ended(run, "FAILED");
    };
    run.scope.log(
        Level::Verbose(2),
        format_args!("Rules: {}: the emergency number {number} is called", forwarding.user),
    );
    run.scope.assign(b"RULESTARGET", &book.dialled_or_bare(number));
    forwarding.stage = Stage::Emergency(left);
    dial(run, forwarding, &book.dial_string(number), Some(settings.wait))
}

fn ended(run: &mut Run<'_>, status: &str) -> Flow {
    run.scope.assign(b"RULESSTATUS", status.as_bytes());
    Flow::Continue
}

/// REDIRECTING(reason) of a telephone that was busy.
const REASON_BUSY: u8 = 1;
/// REDIRECTING(reason) of one that nobody answered.
const REASON_NO_ANSWER: u8 = 2;
/// Between two tries of the emergency number: who is busy still is at once.
const PAUSE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
