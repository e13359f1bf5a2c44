//! The dialplan on channels: one executor per call, its operations as channel verbs, and what it
//! sees of the engine.

pub(crate) mod host;
pub(crate) mod perform;
pub(crate) mod quality;
pub(crate) mod say;
pub(crate) mod tones;

use std::time::Instant;

use bstr::BStr;
use diesis_dialplan::{
    channel::Channel as PlanChannel,
    executor::{self, Executor},
    host::Place,
    operation::{Operation, Outcome},
    plan::Plan,
    variables::Variables,
};

use crate::channel::Cause;
use host::PbxHost;

/// What a dialplan does next.
#[derive(Debug)]
pub(crate) enum Advance {
    /// It wants this done.
    Operation(Operation),
    /// It waits for an outcome.
    Waits,
    /// It could go on without end.
    Yields,
    /// The subroutine of [`Pbx::start_subroutine`] is over.
    Returned,
    /// It is over; the call ends with this cause.
    Finished { cause: Cause },
}

/// One call's dialplan.
#[derive(Debug)]
pub(crate) struct Pbx {
    executor: Executor,
    /// The zero of the executor's clock.
    started: Instant,
}

impl Pbx {
    /// A dialplan about to start at priority 1. `started` is the zero of the host's clock.
    pub(crate) fn new(
        channel: PlanChannel,
        context: &BStr,
        extension: &BStr,
        started: Instant,
    ) -> Self {
        Self { executor: Executor::new(channel, context, extension, 1), started }
    }

    /// The same for a call from outside, which a schedule may keep from its number.
    pub(crate) fn incoming(
        channel: PlanChannel,
        context: &BStr,
        extension: &BStr,
        started: Instant,
    ) -> Self {
        Self { executor: Executor::new(channel, context, extension, 1).with_guards(), started }
    }

    /// A channel that runs no dialplan of its own, only subroutines on behalf of another call.
    pub(crate) fn idle(
        channel: PlanChannel,
        variables: Variables,
        (context, extension, priority): (&BStr, &BStr, u32),
        started: Instant,
    ) -> Self {
        let mut executor = Executor::idle(channel, context, extension, priority);
        *executor.variables_mut() = variables;
        Self { executor, started }
    }

    /// The same channel and variables with a dialplan of its own that starts at a place.
    pub(crate) fn moved_to(self, context: &BStr, extension: &BStr, priority: u32) -> Self {
        let channel = self.executor.channel().clone();
        let variables = self.executor.variables().clone();
        let mut executor = Executor::new(channel, context, extension, priority);
        *executor.variables_mut() = variables;
        Self { executor, started: self.started }
    }

    /// The same channel and variables with one application to run, and nothing behind it.
    pub(crate) fn with_application(self, name: &BStr, arguments: &BStr) -> Self {
        let channel = self.executor.channel().clone();
        let variables = self.executor.variables().clone();
        let mut executor = Executor::application(channel, name, arguments);
        *executor.variables_mut() = variables;
        Self { executor, started: self.started }
    }

    /// Sets a variable or a function as Set does.
    pub(crate) fn assign(
        &mut self,
        plan: &Plan,
        host: &mut PbxHost<'_>,
        name: &[u8],
        value: &[u8],
    ) {
        self.executor.assign(plan, host, name, value);
    }

    /// Abandons what runs and goes on at a place.
    pub(crate) fn redirect(&mut self, context: &[u8], extension: &[u8], priority: u32) {
        self.executor.redirect(Some(context), Some(extension), priority);
    }

    /// Starts a subroutine beside whatever runs: `[[context,]extension,]priority[(arguments)]`. Its
    /// end is [`Advance::Returned`]. `false` when there is no such place.
    pub(crate) fn start_subroutine(
        &mut self,
        plan: &Plan,
        host: &mut PbxHost<'_>,
        target: &[u8],
    ) -> bool {
        self.executor.start_subroutine(plan, host, target)
    }

    /// What channels created by this one start with.
    pub(crate) fn inherited(&self) -> Variables {
        self.executor.variables().inherited()
    }

    /// All its variables.
    pub(crate) fn variables(&self) -> Variables {
        self.executor.variables().clone()
    }

    /// Gives it these variables in place of its own.
    pub(crate) fn set_variables(&mut self, variables: Variables) {
        *self.executor.variables_mut() = variables;
    }

    /// A variable's value.
    pub(crate) fn variable(&self, name: impl AsRef<[u8]>) -> Option<&BStr> {
        self.executor.variable(name.as_ref())
    }

    /// Sets a variable.
    pub(crate) fn set_variable(&mut self, name: &str, value: &[u8]) {
        self.executor.variables_mut().set(name.as_bytes(), value);
    }

    /// Where the dialplan is.
    pub(crate) fn place(&self) -> Place<'_> {
        self.executor.place()
    }

    /// Goes on until it wants something, for a bounded number of steps.
    pub(crate) fn advance(&mut self, plan: &Plan, host: &mut PbxHost<'_>) -> Advance {
        match self.executor.advance(plan, host) {
            executor::Advance::Operation(operation) => Advance::Operation(operation),
            executor::Advance::Waiting => Advance::Waits,
            executor::Advance::Returned => Advance::Returned,
            executor::Advance::Yielded => Advance::Yields,
            executor::Advance::Finished { cause } => {
                let named = u8::try_from(cause).ok().and_then(Cause::new);
                Advance::Finished { cause: named.unwrap_or(Cause::NORMAL_CLEARING) }
            }
        }
    }

    /// What came of the operation it wanted done.
    pub(crate) fn handle_outcome(&mut self, outcome: Outcome) {
        self.executor.handle_outcome(outcome);
    }

    /// The call is over; the `h` extension and the hangup handlers remain.
    pub(crate) fn handle_hangup(&mut self, cause: Cause) {
        self.executor.handle_hangup(cause.number().into());
    }

    /// Whether the dialplan's own time limit for the call is over; its operation is abandoned then.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let is_due = self.deadline().is_some_and(|deadline| deadline <= now);
        if is_due {
            self.executor.handle_timeout(now.saturating_duration_since(self.started));
        }
        is_due
    }

    /// When the dialplan's own time limit for the call is over (`TIMEOUT(absolute)`).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.executor.poll_timeout().and_then(|after| self.started.checked_add(after))
    }

    /// The channel as the dialplan has it.
    pub(crate) fn channel(&self) -> &PlanChannel {
        self.executor.channel()
    }

    /// The same, to be changed.
    pub(crate) fn channel_mut(&mut self) -> &mut PlanChannel {
        self.executor.channel_mut()
    }
}
