//! How long two may talk: options L and S, with warnings and the variables of `LIMIT_`.

use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};
use diesis_dialplan::operation::{Options, Say};

use super::super::{Switch, call::Call};
use crate::{
    channel::{Cause, ChannelId, OtherDigits, PlayRequest},
    clock::Now,
    pbx::say,
    printable::Printable,
};

/// The limit of one connected call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Limit {
    ends: Option<Instant>,
    warning: Option<Instant>,
    every: Option<Duration>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitStep {
    Nothing,
    /// Tell that so much time is left.
    Warn(Duration),
    End,
}

impl Limit {
    /// The limit that a Dial's options set, counted from now.
    pub(super) fn begin(options: &Options, call: &Call, now: Instant) -> Self {
        let after_answer = options.argument(b'S').and_then(|text| milliseconds(text, 1000));
        let limit = options.argument(b'L').unwrap_or_default();
        let mut parts = limit.split(|byte| *byte == b':').map(|part| milliseconds(part, 1));
        let most = parts.next().flatten();
        let (first, every) = (parts.next().flatten(), parts.next().flatten());
        if options.has(b'L') && most.is_none() {
            tracing::warn!(
                call_id = %call.parties.call_id, limit = %Printable(limit),
                "Dial option L needs a number of milliseconds: the call is not limited"
            );
        }
        let ends = [most, after_answer].into_iter().flatten().min();
        let ends = ends.and_then(|after| now.checked_add(after));
        let warning = match (ends, most, first) {
            // A warning longer than the call itself comes at once when it would have come before.
            (Some(ends), Some(most), Some(first)) if first <= most => ends.checked_sub(first),
            _ => None,
        };
        Self { ends, warning, every }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.ends, self.warning].into_iter().flatten().min()
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> LimitStep {
        let Some(ends) = self.ends else { return LimitStep::Nothing };
        if ends <= now {
            self.ends = None;
            self.warning = None;
            return LimitStep::End;
        }
        match self.warning {
            Some(warning) if warning <= now => {
                let next = self.every.and_then(|every| warning.checked_add(every));
                self.warning = next.filter(|next| *next < ends);
                LimitStep::Warn(ends.saturating_duration_since(now))
            }
            _ => LimitStep::Nothing,
        }
    }
}

/// Who hears something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hearers {
    caller: Heard,
    callee: Heard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Yes,
    No,
}

impl Switch {
    /// Does what a call's limit asks for.
    pub(super) fn follow_limit(
        &mut self,
        call: &mut Call,
        leg: ChannelId,
        step: LimitStep,
        now: Now,
    ) {
        match step {
            LimitStep::Nothing => {}
            LimitStep::Warn(left) => {
                let sounds = match variable(call, "LIMIT_WARNING_FILE") {
                    Some(file) if file != "timeleft" => vec![file],
                    _ => {
                        let language = call.channel.language.clone();
                        let zone = &self.config.time_zone;
                        let language = language.as_ref();
                        time_left(left, say::Setting { language, now: now.wall, zone })
                    }
                };
                let hearers = hearers(call);
                self.announce(call, leg, &sounds, hearers, now);
            }
            LimitStep::End => {
                tracing::info!(call_id = %call.parties.call_id, "the call's time is over");
                // Its end is what the caller's Dial waits for.
                self.let_go(leg, Cause::NORMAL_CLEARING, now);
            }
        }
    }

    /// Plays to one or both of two who talk.
    pub(super) fn announce(
        &mut self,
        call: &mut Call,
        leg: ChannelId,
        sounds: &[BString],
        hearers: Hearers,
        now: Now,
    ) {
        let request = || PlayRequest {
            others: OtherDigits::Drop,
            ..PlayRequest::named(sounds.iter().cloned())
        };
        if hearers.caller == Heard::Yes {
            call.channel.play(request(), None, now.instant, &mut self.outbox);
        }
        if hearers.callee == Heard::Yes {
            self.with_call(leg, now, |switch, leg| {
                leg.channel.play(request(), None, now.instant, &mut switch.outbox);
            });
        }
    }
}

/// What is played when the two are connected, and to whom.
pub(super) fn connect_sound(call: &Call) -> (Option<BString>, Hearers) {
    (variable(call, "LIMIT_CONNECT_FILE"), hearers(call))
}

/// The caller hears warnings unless it is said otherwise; the callee when it is said so.
fn hearers(call: &Call) -> Hearers {
    let said = |name: &str, default: Heard| match variable(call, name) {
        Some(value) if is_yes(&value) => Heard::Yes,
        Some(_) => Heard::No,
        None => default,
    };
    Hearers {
        caller: said("LIMIT_PLAYAUDIO_CALLER", Heard::Yes),
        callee: said("LIMIT_PLAYAUDIO_CALLEE", Heard::No),
    }
}

fn variable(call: &Call, name: &str) -> Option<BString> {
    let value = call.pbx()?.variable(name)?;
    (!value.is_empty()).then(|| value.to_owned())
}

fn is_yes(value: &BString) -> bool {
    let value = value.to_ascii_lowercase();
    ["yes", "true", "y", "t", "1", "on"].iter().any(|yes| yes.as_bytes() == value)
}

/// The prompts that tell how much time is left.
fn time_left(left: Duration, setting: say::Setting<'_>) -> Vec<BString> {
    // To the nearest second: the timer may be late by less.
    let seconds = i64::try_from((left.as_millis() + 500) / 1000).unwrap_or(i64::MAX);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let mut sounds = vec![BString::from("vm-youhave")];
    let mut tell = |value: i64, unit: &str| {
        let number = Say::Number { value, gender: None };
        sounds.extend(say::prompts(&number, setting).unwrap_or_default());
        sounds.push(unit.into());
    };
    if minutes > 0 {
        tell(minutes, "queue-minutes");
    }
    if seconds > 0 || minutes == 0 {
        tell(seconds, "queue-seconds");
    }
    sounds
}

/// A number of units of so many milliseconds; `None` when it is none or zero.
fn milliseconds(text: &[u8], unit: u64) -> Option<Duration> {
    let number: f64 = text.to_str().ok()?.trim().parse().ok()?;
    let duration = Duration::try_from_secs_f64(number * unit as f64 / 1000.0).ok()?;
    (!duration.is_zero()).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    #[test]
    fn warnings_come_before_the_end_and_then_every_so_often() {
        let start = clock();
        let secs = Duration::from_secs;
        let mut limit = Limit {
            ends: Some(start + secs(60)),
            warning: Some(start + secs(30)),
            every: Some(secs(10)),
        };
        let mut said = vec![];
        while let Some(due) = limit.deadline() {
            said.push(((due - start).as_secs(), limit.handle_timeout(due)));
        }
        let warn = |left| LimitStep::Warn(secs(left));
        let expected = [(30, warn(30)), (40, warn(20)), (50, warn(10)), (60, LimitStep::End)];
        assert_eq!(said, expected);
    }
}
