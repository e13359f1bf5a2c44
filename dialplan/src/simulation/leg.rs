//! One channel of a simulation: its executor, its host, what its caller does.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Action, Event};
use crate::executor::Executor;
use crate::host::MemoryHost;
use crate::operation::{Digit, DigitSet, Outcome};

/// One channel.
pub(super) struct Leg {
    pub(super) executor: Executor,
    pub(super) host: MemoryHost,
    pub(super) role: Role,
    /// How many legs called one another until this one was.
    pub(super) depth: usize,
    pub(super) events: VecDeque<Event>,
    pub(super) keys: VecDeque<Digit>,
    /// When the running operation ends, and with what.
    pub(super) busy: Option<(Duration, Outcome)>,
    /// Signalled to whoever called this leg.
    pub(super) signal: Option<Signal>,
    pub(super) cause: Option<u16>,
    pub(super) is_finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Caller,
    Called,
}

/// What a called leg tells the one that called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Answered,
    Ringing,
    Busy,
    Congestion,
}

impl Leg {
    pub(super) fn new(executor: Executor, host: MemoryHost, role: Role) -> Self {
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

    pub(super) fn now(&self) -> Duration {
        self.host.elapsed
    }

    /// When something happens on this leg next.
    pub(super) fn next_time(&self) -> Option<Duration> {
        if self.is_finished {
            return None;
        }
        Some(self.busy.as_ref().map_or_else(|| self.now(), |(end, _)| *end))
    }

    /// Takes the events up to a time: keys that no one waits for are queued.
    pub(super) fn queue_events(&mut self, until: Duration) {
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

    pub(super) fn hangup_time(&self) -> Option<Duration> {
        self.events.iter().find(|event| event.action == Action::HangUp).map(|event| event.at)
    }

    /// The first wanted key up to a time; keys in `dropped` that come before it are lost.
    pub(super) fn key_until(
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
pub(super) enum Dropped {
    None,
    All,
}
