//! Runs the dialplan for one channel: a pure state machine that asks for operations and takes outcomes.
//!
//! It never waits, and never knows how long a call takes:
//!
//! ```text
//! loop {
//!     match executor.advance(&plan, &mut host) {
//!         Advance::Operation(operation) => executor.handle_outcome(perform(operation)),
//!         Advance::Yielded => {}                  // let others run, then advance again
//!         Advance::Waiting => wait for an outcome, a hangup or `poll_timeout`,
//!         Advance::Returned => a subroutine started by `start_subroutine` has ended,
//!         Advance::Finished { .. } => break,
//!     }
//! }
//! ```
//!
//! Every step is looked up afresh in the plan that `advance` is given, so a reload counts at once.

mod control;
mod place;
mod run;

use std::time::Duration;

use bstr::{BStr, BString};

use crate::channel::Channel;
use crate::host::{Host, Place};
use crate::operation::{Operation, Outcome};
use crate::plan::Plan;
use crate::scope::Scope;
use crate::state::{Running, State};
use crate::variables::Variables;

pub(crate) use control::{
    Accompanied, Continuation, Control, Deferred, Flow, Guarding, Loop, LoopPlace, MacroFrame,
    Pending, ReadDigits, ReadExtension, Stage,
};
pub(crate) use run::{MOST_FRAMES, Run, digit_of};

use control::Phase;

/// One channel's way through the dialplan.
#[derive(Debug)]
pub struct Executor {
    state: State,
    control: Control,
}

/// What an executor wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// Do this, then hand the outcome to [`Executor::handle_outcome`].
    Operation(Operation),
    /// Many steps ran without a pause: let others run, then advance again.
    Yielded,
    /// An operation is under way.
    Waiting,
    /// The subroutine of [`Executor::start_subroutine`] returned or ended.
    Returned,
    /// The dialplan has ended; the channel is to be hung up.
    Finished {
        /// The Q.850 cause to hang up with; 0 when the dialplan named none.
        cause: u16,
    },
}

/// Whether what Asterisk no longer has works: Macro, SetVar, SIPAddHeader, LANGUAGE() and their like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Legacy {
    /// They work as they did.
    #[default]
    Emulated,
    /// They are unknown, as in Asterisk 22: the application ends the call, the function is empty.
    Unknown,
}

impl Executor {
    /// An executor that starts at a place. A start that the plan does not have falls back to extension `s`,
    /// then to context `default`, as the reference does; an empty extension is `s`.
    #[must_use]
    pub fn new(
        channel: Channel,
        context: impl Into<BString>,
        extension: impl Into<BString>,
        priority: u32,
    ) -> Self {
        let mut state = State::new(channel);
        state.context = context.into();
        state.extension = extension.into();
        state.priority = priority;
        state.running = Running::Yes;
        if state.extension.is_empty() {
            state.extension = "s".into();
        }
        Self { state, control: Control::default() }
    }

    /// An executor without a run loop: it only runs what [`run_application`](Self::run_application) and
    /// [`evaluate`](Self::evaluate) are given.
    #[must_use]
    pub fn idle(
        channel: Channel,
        context: impl Into<BString>,
        extension: impl Into<BString>,
        priority: u32,
    ) -> Self {
        let mut executor = Self::new(channel, context, extension, priority);
        executor.state.running = Running::No;
        executor.control.phase = Phase::Idle;
        executor
    }

    /// An executor that runs one application and then ends, as an originated call may; it has no extension `h`.
    #[must_use]
    pub fn application(
        channel: Channel,
        name: impl Into<BString>,
        arguments: impl Into<BString>,
    ) -> Self {
        let mut executor = Self::new(channel, "default", "s", 1);
        executor.control.phase = Phase::Alone(Some(Box::new((name.into(), arguments.into()))));
        executor
    }

    /// Lets the call ask the timetable that guards its number, if one does, before its first step, as
    /// calls that come in from outside do: `Schedule(name)` runs as priority 0.
    #[must_use]
    pub fn with_guards(mut self) -> Self {
        self.control.guarding = Guarding::On;
        self
    }

    /// Whether old names work. Default: [`Legacy::Emulated`], since a fifth of the dialplans out there use
    /// Macro alone.
    #[must_use]
    pub fn with_legacy(mut self, legacy: Legacy) -> Self {
        self.state.legacy = legacy;
        self
    }

    /// The channel's facts.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.state.channel
    }

    /// The channel's facts, to fill in what the call knows.
    pub fn channel_mut(&mut self) -> &mut Channel {
        &mut self.state.channel
    }

    /// The channel's variables.
    #[must_use]
    pub fn variables(&self) -> &Variables {
        &self.state.variables
    }

    /// The channel's variables, for the host to set.
    pub fn variables_mut(&mut self) -> &mut Variables {
        &mut self.state.variables
    }

    /// Where the dialplan is.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        Place {
            context: self.state.context.as_ref(),
            extension: self.state.extension.as_ref(),
            priority: self.state.priority,
        }
    }

    /// When the absolute time limit ends, in the host's monotonic time. Call
    /// [`handle_timeout`](Self::handle_timeout) then.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.control.is_ending() { None } else { self.state.channel.timeouts.absolute }
    }

    /// Goes on until something is needed from outside. Bounded: a busy loop yields.
    pub fn advance(&mut self, plan: &Plan, host: &mut dyn Host) -> Advance {
        self.run(plan, host).advance()
    }

    /// Takes the outcome of the operation that was asked for; ignored when none was.
    pub fn handle_outcome(&mut self, outcome: Outcome) {
        if self.control.is_waiting() {
            self.control.outcome = Some(outcome);
        }
    }

    /// The caller hung up, or the call is hung up from outside: the running operation is over, extension `h`
    /// and the hangup handlers run. Calling it again changes nothing.
    pub fn handle_hangup(&mut self, cause: u16) {
        if self.state.is_hung_up {
            return;
        }
        self.state.is_hung_up = true;
        if cause != 0 {
            self.state.channel.hangup_cause = cause;
        }
        if self.control.is_waiting() {
            self.control.outcome = Some(Outcome::HungUp { cause });
        }
    }

    /// The absolute time limit is over: the running operation is abandoned, extension `T` runs.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.state.channel.timeouts.absolute = None;
            self.control.is_overtime = true;
            if self.control.is_waiting() {
                self.control.outcome = Some(Outcome::HungUp { cause: 0 });
            }
        }
    }

    /// Moves the channel elsewhere from outside (a transfer, a redirect): the running operation is abandoned
    /// and the dialplan goes on there. `None` keeps what is.
    pub fn redirect(&mut self, context: Option<&[u8]>, extension: Option<&[u8]>, priority: u32) {
        if self.control.is_ending() {
            return;
        }
        if let Some(context) = context {
            self.state.context = context.into();
        }
        if let Some(extension) = extension {
            self.state.extension = extension.into();
        }
        self.state.priority = priority;
        self.control.abandon();
    }

    /// Runs one application beside the flow, as `Name(arguments)` with arguments still to be evaluated.
    /// `None` when it needs nothing from outside; its flow (a jump, a hangup) has no effect.
    pub fn run_application(
        &mut self,
        plan: &Plan,
        host: &mut dyn Host,
        text: &[u8],
    ) -> Option<Operation> {
        self.run(plan, host).run_one(text)
    }

    /// Sets a variable as Set does: `_` and `__` let it be inherited, a name with parentheses is a function.
    pub fn assign(&mut self, plan: &Plan, host: &mut dyn Host, name: &[u8], value: &[u8]) {
        Scope { state: &mut self.state, plan, host }.assign(name, value);
    }

    /// The value of a text with references, at the channel's place.
    pub fn evaluate(&mut self, plan: &Plan, host: &mut dyn Host, text: &[u8]) -> BString {
        let mut out = Vec::new();
        Scope { state: &mut self.state, plan, host }.substitute(text, &mut out);
        out.into()
    }

    /// Starts a subroutine beside the flow: `[[context,]extension,]priority[(arguments)]`. Advance until
    /// [`Advance::Returned`]. `false` when the plan has no such place.
    pub fn start_subroutine(&mut self, plan: &Plan, host: &mut dyn Host, target: &[u8]) -> bool {
        self.run(plan, host).start_subroutine(target)
    }

    /// The value of a variable as the dialplan would read it.
    #[must_use]
    pub fn variable(&self, name: &[u8]) -> Option<&BStr> {
        self.state.variables.value(name)
    }

    fn run<'a>(&'a mut self, plan: &'a Plan, host: &'a mut dyn Host) -> Run<'a> {
        Run::new(Scope { state: &mut self.state, plan, host }, &mut self.control)
    }
}
