//! The run loop: steps, missing extensions, keys, time limits, the end of a call.

use bstr::{BStr, BString};

use super::control::{Beside, Deferred, Digits, Phase};
use super::{Advance, Continuation, Control, Flow, Guarding};
use crate::application::{self, Application};
use crate::arguments::scan_integer;
use crate::host::{Level, Place, Step};
use crate::operation::{Digit, Operation, Outcome};
use crate::plan::{ContextId, FallThrough, Found, Target};
use crate::scope::Scope;
use crate::state::{Frame, FrameKind, Locking};

/// One call of `advance`.
pub(crate) struct Run<'a> {
    pub(crate) scope: Scope<'a>,
    pub(crate) control: &'a mut Control,
    /// The step that was found last, as long as the place only moves on to the next.
    pub(super) found: Option<Found>,
    pub(super) context: Option<ContextId>,
}

/// What came of one turn of the loop.
enum Turn {
    Next,
    Out(Advance),
}

impl<'a> Run<'a> {
    pub(crate) fn new(scope: Scope<'a>, control: &'a mut Control) -> Self {
        Self { scope, control, found: None, context: None }
    }

    pub(crate) fn advance(&mut self) -> Advance {
        for _ in 0..MOST_STEPS {
            if let Some(continuation) = self.control.waiting.take() {
                let Some(outcome) = self.control.outcome.take() else {
                    self.control.waiting = Some(continuation);
                    return Advance::Waiting;
                };
                let flow = self.resume(continuation, outcome);
                if let Turn::Out(advance) = self.follow(flow) {
                    return advance;
                }
                continue;
            }
            if self.scope.state.is_hung_up && self.control.phase != Phase::Finished {
                self.control.steps_after_hangup += 1;
                if self.control.steps_after_hangup > MOST_STEPS_AFTER_HANGUP {
                    self.give_up();
                }
            }
            let turn = match self.control.phase {
                Phase::Starting => self.start(),
                Phase::Steps | Phase::HangupExtension | Phase::Subroutine => self.step(),
                Phase::Digits { .. } => self.digits(),
                Phase::HangupHandlers => self.next_handler(),
                Phase::Alone(_) => self.run_alone(),
                Phase::Tone => self.end(),
                Phase::Finished => {
                    return Advance::Finished { cause: self.control.named_cause.unwrap_or(0) };
                }
                Phase::Idle => return Advance::Waiting,
            };
            if let Turn::Out(advance) = turn {
                return advance;
            }
        }
        Advance::Yielded
    }

    /// Runs an application beside the flow.
    pub(crate) fn run_one(&mut self, text: &[u8]) -> Option<Operation> {
        let open = memchr::memchr(b'(', text).unwrap_or(text.len());
        let close = memchr::memrchr(b')', text).filter(|close| *close > open).unwrap_or(text.len());
        let name = &text[..open];
        let mut arguments = Vec::new();
        self.scope.substitute(text.get(open + 1..close).unwrap_or_default(), &mut arguments);
        let flow = self.execute_named(name, &arguments);
        match flow {
            Flow::Ask(operation, _) => {
                self.control.waiting = Some(Continuation::Beside);
                Some(operation)
            }
            _ => None,
        }
    }

    /// Runs the only application of a channel that has no place in the dialplan.
    fn run_alone(&mut self) -> Turn {
        let Phase::Alone(Some(only)) =
            std::mem::replace(&mut self.control.phase, Phase::Alone(None))
        else {
            return self.leave();
        };
        let (name, arguments) = *only;
        self.run_beside_steps(name.as_ref(), arguments.as_ref())
    }

    /// Runs an application that is no step of the dialplan.
    fn run_beside_steps(&mut self, name: &BStr, arguments: &BStr) -> Turn {
        let state = &self.scope.state;
        self.scope.host.trace(&Step {
            place: Place {
                context: state.context.as_ref(),
                extension: state.extension.as_ref(),
                priority: state.priority,
            },
            depth: 0,
            application: name,
            arguments,
        });
        let flow = self.execute_named(name, arguments);
        self.follow(flow)
    }

    /// A call that was hung up must end, whatever its extension `h` does.
    fn give_up(&mut self) {
        self.scope
            .log(Level::Error, format_args!("the dialplan does not end after the hangup: stopped"));
        self.scope.state.hangup_handlers.clear();
        while self.scope.state.pop_frame().is_some() {}
        self.control.beside.clear();
        self.release_locks();
        self.control.phase = Phase::Finished;
    }

    fn start(&mut self) -> Turn {
        self.control.phase = Phase::Steps;
        let priority = self.scope.state.priority;
        if !self.exists_here(priority) {
            self.scope.state.extension = "s".into();
            self.scope.state.priority = 1;
            if !self.exists_here(1) {
                self.set_context(b"default");
            }
        }
        match self.guard() {
            Some(timetable) => {
                // What lets the call in leads to priority 1.
                self.scope.state.priority = 0;
                self.run_beside_steps("Schedule".into(), timetable.as_ref())
            }
            None => Turn::Next,
        }
    }

    /// The timetable that guards the number at which the call starts: by the context it came to,
    /// else by the one that holds the extension.
    fn guard(&mut self) -> Option<BString> {
        let plan = self.scope.plan;
        let guards = plan.timetables().guards();
        let is_asked = self.control.guarding == Guarding::On && self.scope.state.priority == 1;
        if !is_asked || guards.is_empty() {
            return None;
        }
        let context = self.context()?;
        let extension = self.scope.state.extension.as_ref();
        let own = guards.of(&self.scope.state.context, extension);
        let timetable = own.or_else(|| {
            let circumstances = self.scope.circumstances();
            let target = Target::Priority(1);
            let found = plan.find(context, BStr::new(extension), target, &circumstances).ok()?;
            guards.of(plan.view(found.context).name(), extension)
        })?;
        Some(timetable.to_owned())
    }

    /// Looks the present step up and runs it.
    fn step(&mut self) -> Turn {
        self.leave_macros();
        if self.scope.state.is_hung_up && self.control.phase == Phase::Steps {
            return self.hang_up();
        }
        if self.control.pending.is_some()
            && let Some(flow) = self.go_on_with_pending()
        {
            return self.follow(flow);
        }
        let Some(found) = self.find() else { return self.no_step() };
        self.found = Some(found);
        let plan = self.scope.plan;
        let step = plan.step(found.step);
        let Some(application) = self.known(step.program(), step.application()) else {
            return self.follow(Flow::HangUp);
        };
        let mut arguments = self.scope.take_spare();
        self.scope.evaluate(step.template(), &mut arguments);
        if self.scope.state.locking != Locking::None && self.waits_for_lock() {
            self.scope.give_back(arguments);
            let operation = Operation::Wait { duration: LOCK_PAUSE };
            return self.ask(operation, Continuation::Again);
        }
        let state = &self.scope.state;
        self.scope.host.trace(&Step {
            place: Place {
                context: state.context.as_ref(),
                extension: state.extension.as_ref(),
                priority: state.priority,
            },
            depth: state.frames.len(),
            application: application
                .map_or_else(|| step.application(), |application| BStr::new(application.name())),
            arguments: BStr::new(&arguments),
        });
        let flow = match application {
            Some(application) => self.execute(application, &arguments),
            None => self.hosted(step.application(), &arguments),
        };
        self.scope.give_back(arguments);
        self.follow(flow)
    }

    /// Whether an application can run: `Some(None)` is one of the host's. What can not is said in the log.
    fn known(
        &mut self,
        program: Option<&'static Application>,
        name: &BStr,
    ) -> Option<Option<&'static Application>> {
        match program.filter(|program| self.is_enabled(program)) {
            Some(program) if program.is_here() => return Some(Some(program)),
            _ if self.scope.host.has_application(name) => return Some(None),
            Some(program) => {
                let reason = program.refusal();
                self.scope.log(
                    Level::Error,
                    format_args!("application {name} is not available: {reason}"),
                );
            }
            None => self.scope.warn(format_args!("no application '{name}'")),
        }
        None
    }

    pub(crate) fn is_enabled(&self, application: &Application) -> bool {
        !application.is_legacy() || self.scope.state.legacy == super::Legacy::Emulated
    }

    /// Whether a text stands in the present step as it is, and so is no more than its author's.
    pub(crate) fn is_written(&self, text: &[u8]) -> bool {
        self.found.is_some_and(|found| self.scope.plan.step(found.step).template().writes(text))
    }

    /// What waited for its subroutine, once that has returned.
    fn go_on_with_pending(&mut self) -> Option<Flow> {
        let frames = self.scope.state.frames.len();
        let pending = self.control.pending.take_if(|pending| pending.frames == frames)?;
        Some(match pending.then {
            Deferred::Dial => application::dial_on(self, &pending.arguments),
            Deferred::Originate => application::originate_on(self, &pending.arguments),
            Deferred::Page => application::page_on(self, &pending.arguments),
        })
    }

    /// Whether the step that was just evaluated has to be tried again for a lock.
    fn waits_for_lock(&mut self) -> bool {
        let locking = std::mem::replace(&mut self.scope.state.locking, Locking::None);
        if let Locking::Wanted { until } = locking {
            self.scope.state.locking = Locking::Again { until };
            return true;
        }
        false
    }

    /// A call that ends gives its locks back, and waits for no signal any more.
    fn release_locks(&mut self) {
        let name = &self.scope.state.channel.name;
        if self.scope.host.world().waiters.iter().any(|waiter| waiter.channel == *name) {
            self.scope.host.world_mut().waiters.retain(|waiter| waiter.channel != *name);
        }
        if self.scope.host.world().locks.iter().any(|lock| lock.channel == *name) {
            self.scope.host.world_mut().locks.retain(|lock| lock.channel != *name);
        }
    }

    /// Runs an application by its name, in any letter case.
    pub(crate) fn execute_named(&mut self, name: &[u8], arguments: &[u8]) -> Flow {
        match self.known(application::find(name), BStr::new(name)) {
            Some(Some(application)) => self.execute(application, arguments),
            Some(None) => self.hosted(name, arguments),
            None => Flow::HangUp,
        }
    }

    fn execute(&mut self, application: &'static Application, arguments: &[u8]) -> Flow {
        match application.run() {
            Some(run) => run(self, arguments),
            None => Flow::HangUp,
        }
    }

    fn hosted(&self, name: &[u8], arguments: &[u8]) -> Flow {
        let operation = Operation::Application { name: name.into(), arguments: arguments.into() };
        Flow::Ask(operation, Continuation::Hosted)
    }

    /// What an application's flow means for the loop.
    fn follow(&mut self, flow: Flow) -> Turn {
        // A redirect from outside may have come while the application ran.
        match flow {
            Flow::Continue => {
                if let Some(turn) = self.interrupted() {
                    return turn;
                }
                self.scope.state.priority = self.scope.state.priority.saturating_add(1);
                Turn::Next
            }
            Flow::Jumped => self.interrupted().unwrap_or(Turn::Next),
            Flow::Ask(operation, continuation) => self.ask(operation, continuation),
            Flow::Digit(digit) => match self.control.phase {
                Phase::Steps => {
                    self.found = None;
                    let digits = BString::from(vec![digit.as_byte()]);
                    self.control.phase =
                        Phase::Digits { digits, kind: Digits::Pressed, is_done: false };
                    Turn::Next
                }
                _ => self.leave(),
            },
            Flow::Incomplete => match self.control.phase {
                Phase::Steps => self.incomplete(),
                _ => self.leave(),
            },
            Flow::HangUp => {
                if let Some(turn) = self.interrupted() {
                    return turn;
                }
                self.leave()
            }
        }
    }

    /// The absolute time limit and a hangup stop the steps between applications.
    fn interrupted(&mut self) -> Option<Turn> {
        if self.control.phase != Phase::Steps {
            return None;
        }
        if std::mem::take(&mut self.control.is_overtime) {
            self.found = None;
            return Some(if self.exists(b"T") {
                self.go_to_extension(b"T");
                Turn::Next
            } else if self.exists(b"e") {
                self.raise(b"ABSOLUTETIMEOUT");
                Turn::Next
            } else {
                self.hang_up()
            });
        }
        if self.scope.state.is_hung_up {
            return Some(self.hang_up());
        }
        None
    }

    /// The extension of this phase is over.
    fn leave(&mut self) -> Turn {
        self.found = None;
        match self.control.phase {
            Phase::HangupExtension | Phase::Alone(_) => {
                self.control.phase = Phase::HangupHandlers;
                Turn::Next
            }
            Phase::Subroutine => self.end_subroutine(),
            Phase::Finished | Phase::HangupHandlers | Phase::Tone => Turn::Next,
            _ => self.hang_up(),
        }
    }

    fn ask(&mut self, operation: Operation, continuation: Continuation) -> Turn {
        // What needs the caller ends at once after the caller has gone.
        let is_gone = self.scope.state.is_hung_up || self.control.is_overtime;
        if is_gone && needs_caller(&operation) {
            self.control.waiting = Some(continuation);
            self.control.outcome = Some(Outcome::HungUp { cause: 0 });
            return Turn::Next;
        }
        self.control.waiting = Some(continuation);
        self.control.outcome = None;
        Turn::Out(Advance::Operation(operation))
    }

    /// There is no step at this place.
    fn no_step(&mut self) -> Turn {
        self.found = None;
        match self.control.phase {
            Phase::Steps => {}
            _ => return self.leave(),
        }
        if self.return_from_macro() {
            return Turn::Next;
        }
        let extension = self.scope.state.extension.clone();
        if !self.exists(&extension) {
            return self.invalid(&extension);
        }
        if self.scope.plan.settings().fall_through == FallThrough::WaitForExtension {
            let digits = BString::default();
            self.control.phase = Phase::Digits { digits, kind: Digits::Pressed, is_done: false };
            return Turn::Next;
        }
        let status = self.scope.variable(b"DIALSTATUS").map(BStr::to_owned).unwrap_or_default();
        let timeout = Some(FALL_THROUGH_TONE);
        let operation = if status.eq_ignore_ascii_case(b"BUSY") {
            self.scope.state.set_cause(17);
            Operation::Busy { timeout }
        } else if status.eq_ignore_ascii_case(b"CONGESTION")
            || status.eq_ignore_ascii_case(b"CHANUNAVAIL")
        {
            self.scope.state.set_cause(34);
            Operation::Congestion { timeout }
        } else {
            return self.hang_up();
        };
        self.control.phase = Phase::Tone;
        self.ask(operation, Continuation::Simple)
    }

    /// After the tone.
    fn end(&mut self) -> Turn {
        self.control.phase = Phase::Steps;
        self.hang_up()
    }

    fn invalid(&mut self, dialled: &[u8]) -> Turn {
        self.control.phase = Phase::Steps;
        if self.exists(b"i") {
            self.scope.state.variables.set(b"INVALID_EXTEN", dialled);
            self.go_to_extension(b"i");
            Turn::Next
        } else if self.exists(b"e") {
            self.raise(b"INVALID");
            Turn::Next
        } else {
            let dialled = BStr::new(dialled).to_owned();
            self.scope.warn(format_args!("invalid extension '{dialled}', and no extension i or e"));
            self.hang_up()
        }
    }

    fn timed_out(&mut self) -> Turn {
        self.control.phase = Phase::Steps;
        if self.exists(b"t") {
            self.go_to_extension(b"t");
            Turn::Next
        } else if self.exists(b"e") {
            self.raise(b"RESPONSETIMEOUT");
            Turn::Next
        } else {
            self.scope.warn(format_args!("timeout, and no extension t or e"));
            self.hang_up()
        }
    }

    fn incomplete(&mut self) -> Turn {
        self.found = None;
        let extension = self.scope.state.extension.clone();
        if !self.matches_more(&extension) {
            return self.invalid(&extension);
        }
        let start = extension.len();
        self.control.phase =
            Phase::Digits { digits: extension, kind: Digits::Incomplete(start), is_done: false };
        Turn::Next
    }

    /// Collects keys while a longer extension is possible.
    fn digits(&mut self) -> Turn {
        let Phase::Digits { digits, is_done, .. } = &self.control.phase else { return Turn::Next };
        let (digits, is_done) = (digits.clone(), *is_done);
        if !is_done && digits.len() < MOST_DIGITS && self.matches_more(&digits) {
            let timeouts = self.scope.state.channel.timeouts;
            let timeout = Some(if digits.is_empty() { timeouts.response } else { timeouts.digit });
            return self.ask(Operation::WaitDigit { timeout }, Continuation::CollectDigit);
        }
        self.digits_done()
    }

    fn digits_done(&mut self) -> Turn {
        let phase = std::mem::replace(&mut self.control.phase, Phase::Steps);
        let Phase::Digits { digits, kind, .. } = phase else { return Turn::Next };
        if digits.is_empty() || kind == Digits::Incomplete(digits.len()) {
            return self.timed_out();
        }
        if self.exists(&digits) {
            self.go_to_extension(&digits);
            return Turn::Next;
        }
        self.invalid(&digits)
    }

    /// The outcome of an operation, for the application that asked.
    fn resume(&mut self, continuation: Continuation, outcome: Outcome) -> Flow {
        // Music that is not there is no reason not to wait for a key.
        let outcome = match (outcome, &continuation) {
            (Outcome::Unsupported, Continuation::WaitExtenOver(_)) => Outcome::Failed,
            (outcome, _) => outcome,
        };
        if outcome == Outcome::Unsupported {
            let extension = self.scope.state.extension.clone();
            self.scope.log(
                Level::Error,
                format_args!("what extension {extension} asks for is not available in this engine"),
            );
            return Flow::HangUp;
        }
        if let Outcome::HungUp { cause } = outcome {
            let is_news = !self.scope.state.is_hung_up && !self.control.is_overtime;
            if is_news {
                self.scope.state.is_hung_up = true;
                if cause != 0 {
                    self.scope.state.channel.hangup_cause = cause;
                }
            }
        }
        match continuation {
            Continuation::CollectDigit => {
                if let Phase::Digits { digits, is_done, .. } = &mut self.control.phase {
                    match outcome {
                        Outcome::Digit(digit) => digits.push(digit.as_byte()),
                        Outcome::HungUp { .. } => {
                            self.control.phase = Phase::Steps;
                            return Flow::HangUp;
                        }
                        _ => *is_done = true,
                    }
                }
                // The loop looks at the phase again.
                Flow::Jumped
            }
            Continuation::Beside => Flow::Jumped,
            Continuation::Again if matches!(outcome, Outcome::HungUp { .. }) => Flow::HangUp,
            Continuation::Again => Flow::Jumped,
            other => application::resume(self, other, outcome),
        }
    }

    /// Ends the flow: extension `h`, then the hangup handlers.
    fn hang_up(&mut self) -> Turn {
        self.found = None;
        self.control.pending = None;
        self.control.macro_frames.clear();
        // A subroutine beside the flow ends with it.
        if let Some(beside) = self.control.beside.pop() {
            self.go_back(beside);
            return Turn::Out(Advance::Returned);
        }
        self.scope.state.is_hung_up = true;
        self.scope.state.channel.timeouts.absolute = None;
        self.control.is_overtime = false;
        self.scope.host.flow_ended(self.control.named_cause.unwrap_or(0));
        if self.exists(b"h") {
            self.go_to_extension(b"h");
            self.control.phase = Phase::HangupExtension;
        } else {
            self.control.phase = Phase::HangupHandlers;
        }
        Turn::Next
    }

    fn next_handler(&mut self) -> Turn {
        let Some(handler) = self.scope.state.hangup_handlers.pop() else {
            while self.scope.state.pop_frame().is_some() {}
            self.release_locks();
            self.control.phase = Phase::Finished;
            return Turn::Next;
        };
        if self.start_subroutine(&handler) {
            self.control.phase = Phase::Subroutine;
        }
        Turn::Next
    }

    /// Starts a subroutine that ends the phase, not the flow, when it returns.
    pub(crate) fn start_subroutine(&mut self, target: &[u8]) -> bool {
        let beside = Beside {
            context: self.scope.state.context.clone(),
            extension: self.scope.state.extension.clone(),
            priority: self.scope.state.priority,
            phase: self.control.phase.clone(),
            frames: self.scope.state.frames.len(),
            waiting: None,
        };
        self.found = None;
        if !application::gosub(self, target, FrameKind::Outermost) {
            return false;
        }
        let waiting = self.control.waiting.take();
        let waiting = waiting.map(|waiting| (waiting, self.control.outcome.take()));
        let beside = Beside { waiting, ..beside };
        self.control.beside.push(beside);
        self.control.phase = Phase::Subroutine;
        true
    }

    fn end_subroutine(&mut self) -> Turn {
        let Some(beside) = self.control.beside.pop() else { return self.hang_up() };
        let is_handler = beside.phase == Phase::HangupHandlers;
        self.go_back(beside);
        if is_handler { Turn::Next } else { Turn::Out(Advance::Returned) }
    }

    fn go_back(&mut self, beside: Beside) {
        while self.scope.state.frames.len() > beside.frames {
            self.scope.state.pop_frame();
        }
        self.scope.state.context = beside.context;
        self.scope.state.extension = beside.extension;
        self.scope.state.priority = beside.priority;
        self.control.phase = beside.phase;
        self.context = None;
        self.found = None;
        if let Some((waiting, outcome)) = beside.waiting {
            let hung_up = self.scope.state.is_hung_up;
            let cause = self.scope.state.channel.hangup_cause;
            self.control.waiting = Some(waiting);
            self.control.outcome = outcome.or_else(|| hung_up.then_some(Outcome::HungUp { cause }));
        }
    }

    // Macros.

    /// A macro that the flow left by a jump is forgotten.
    fn leave_macros(&mut self) {
        while let Some(frame) = self.control.macro_frames.last() {
            if frame.inside == self.scope.state.context {
                return;
            }
            self.control.macro_frames.pop();
        }
    }

    /// Back behind the Macro call; `false` when there was none.
    pub(crate) fn return_from_macro(&mut self) -> bool {
        let Some(frame) = self.control.macro_frames.pop() else { return false };
        let offset = self.scope.variable(b"MACRO_OFFSET").and_then(|offset| scan_integer(offset));
        for (name, value) in frame.saved {
            match value {
                Some(value) => self.scope.state.variables.set(&name, &value),
                None => {
                    self.scope.state.variables.pop(&name);
                }
            }
        }
        self.set_context(&frame.context);
        self.set_extension(&frame.extension);
        let mut priority = frame.priority;
        if let Some((offset, _)) = offset.filter(|(offset, _)| *offset > 0) {
            let target = frame.priority.saturating_add(offset as u32);
            if self.exists_here(target.saturating_add(1)) {
                priority = target;
            }
        }
        self.scope.state.priority = priority.saturating_add(1);
        true
    }
}

/// Operations that mean nothing once the caller has gone.
fn needs_caller(operation: &Operation) -> bool {
    !matches!(
        operation,
        Operation::Application { .. }
            | Operation::Originate(_)
            | Operation::SoftHangup { .. }
            | Operation::Redirect { .. }
            | Operation::SendMessage(_)
            | Operation::StopPlayTones
            | Operation::StopMusicOnHold
    )
}

/// What a digit collection holds at most.
const MOST_DIGITS: usize = 255;

/// Steps between two looks at the rest of the world: a thousand take a tenth of a millisecond.
const MOST_STEPS: usize = 1000;

/// Steps that a call may run after its hangup.
const MOST_STEPS_AFTER_HANGUP: usize = 100_000;

/// Between two tries of a step that needs a lock.
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// How long the tone after a failed Dial sounds.
const FALL_THROUGH_TONE: std::time::Duration = std::time::Duration::from_secs(10);

/// Kept small: frames are pushed by dialplans that never return.
pub(crate) const MOST_FRAMES: usize = 1000;

impl crate::state::State {
    pub(crate) fn set_cause(&mut self, cause: u16) {
        self.channel.hangup_cause = cause;
    }

    /// Pushes a frame with the arguments of a call.
    pub(crate) fn push_frame(
        &mut self,
        arguments: &[std::borrow::Cow<'_, [u8]>],
        priority: u32,
        kind: FrameKind,
    ) {
        let outer = self.frames.last().map_or(0, |frame| frame.arguments);
        let count = arguments.len().max(outer);
        let mut locals: Vec<BString> = Vec::with_capacity(count + 1);
        for index in 0..count {
            let name: BString = format!("ARG{}", index + 1).into();
            self.variables
                .push(&name, arguments.get(index).map(|text| &**text).unwrap_or_default());
            locals.push(name);
        }
        self.variables.push(b"ARGC", arguments.len().to_string().as_bytes());
        locals.push("ARGC".into());
        self.frames.push(Frame {
            context: self.context.clone(),
            extension: self.extension.clone(),
            priority,
            arguments: arguments.len(),
            locals,
            kind,
        });
    }
}

/// A key as the outcome of an operation.
pub(crate) fn digit_of(outcome: &Outcome) -> Option<Digit> {
    match outcome {
        Outcome::Digit(digit) => Some(*digit),
        _ => None,
    }
}
