//! Where the run loop is: its phases, what an application left behind while it waits, loops, macros.

use std::time::Duration;

use bstr::BString;

use crate::application::{Announcing, Condition, Forwarding, Passage, Retry, RulesMenu};
use crate::operation::{Digit, Operation, Outcome, Sound};

/// The executor's memory between two calls of `advance`, besides the channel's state.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) phase: Phase,
    pub(crate) waiting: Option<Continuation>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) macro_frames: Vec<MacroFrame>,
    pub(crate) loops: Loops,
    pub(crate) is_overtime: bool,
    /// Steps since the hangup.
    pub(crate) steps_after_hangup: usize,
    /// The outcome's cause is told only when the dialplan named one.
    pub(crate) named_cause: Option<u16>,
    /// What goes on behind the subroutine of its option `B`.
    pub(crate) pending: Option<Pending>,
    /// Whether a subroutine runs beside the flow, and what to go back to.
    pub(crate) beside: Vec<Beside>,
    /// What is asked before the first step.
    pub(crate) guarding: Guarding,
}

/// Whether a number's opening hours are asked before its first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Guarding {
    #[default]
    Off,
    On,
}

/// A Dial or Originate that goes on when its subroutine has returned.
#[derive(Debug)]
pub(crate) struct Pending {
    /// How it goes on.
    pub(crate) then: Deferred,
    /// How many subroutine frames there were.
    pub(crate) frames: usize,
    /// Evaluated arguments.
    pub(crate) arguments: BString,
}

/// What waits for a subroutine of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deferred {
    Dial,
    Originate,
    Page,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Nothing was looked up yet.
    #[default]
    Starting,
    /// Steps of an extension.
    Steps,
    /// Keys are collected for an extension.
    Digits {
        digits: BString,
        kind: Digits,
        /// No further key came.
        is_done: bool,
    },
    /// A tone after the last step, then the end.
    Tone,
    /// Extension `h`.
    HangupExtension,
    /// Hangup handlers, last pushed first.
    HangupHandlers,
    /// A hangup handler or another outermost subroutine.
    Subroutine,
    /// One application and nothing else: its name and its arguments until it runs.
    Alone(Option<Box<(BString, BString)>>),
    /// Over.
    Finished,
    /// No run loop.
    Idle,
}

/// How a collection of digits began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digits {
    /// With a key, or with the wait for one.
    Pressed,
    /// With Incomplete(), at so many digits: without a further key it is a timeout.
    Incomplete(usize),
}

/// What an application returns.
#[derive(Debug)]
pub(crate) enum Flow {
    /// Go on with the next priority.
    Continue,
    /// The place was set: go on there.
    Jumped,
    /// A key was pressed: match extensions from it on.
    Digit(Digit),
    /// Hang up.
    HangUp,
    /// The number is too short: more digits may come.
    Incomplete,
    /// Something is needed from outside.
    Ask(Operation, Continuation),
}

/// How an application goes on when its operation's outcome comes.
#[derive(Debug)]
pub(crate) enum Continuation {
    /// Whatever comes is fine, except a hangup.
    Simple,
    /// A digit leaves the extension (Say with SAY_DTMF_INTERRUPT).
    Interruptible,
    /// Never goes on (Busy, Congestion, Milliwatt).
    Never,
    /// Answer was asked for on behalf of an application: run it again now that the channel is up.
    Answered {
        application: &'static str,
        arguments: BString,
    },
    Bridge,
    BridgeWait,
    Page,
    /// Music for a time, which is stopped behind it.
    Music,
    Playback,
    Background {
        context: BString,
    },
    WaitExten,
    /// WaitExten behind music or a tone: first that begins, then a key is waited for, then it ends.
    WaitExtenOver(Box<Accompanied>),
    WaitDigit {
        wanted: BString,
    },
    CollectDigit,
    Read(Box<ReadDigits>),
    ReadExten(Box<ReadExtension>),
    AwaitSound {
        sound: Sound,
    },
    ControlPlay,
    DetectTalk,
    DetectMachine,
    Announce(Box<Announcing>),
    Record,
    MixMonitor {
        /// Takes the monitor's name.
        variable: Option<BString>,
    },
    AudioFork {
        /// Takes the fork's name.
        variable: Option<BString>,
    },
    Conference,
    /// The variable that tells what came of it, and its words.
    ConferenceOrder {
        variable: &'static str,
        done: &'static str,
        failed: &'static str,
    },
    Dial {
        continues: bool,
    },
    RetryDial(Box<Retry>),
    Rules(Box<Forwarding>),
    RulesMenu(Box<RulesMenu>),
    Originate,
    Redirect,
    Park,
    SendMessage,
    Hosted,
    /// Of an application that TryExec runs.
    Tried(Box<Self>),
    /// A schedule's sound plays; then its action.
    Closed {
        action: Option<BString>,
    },
    /// A caller is on his way through a conference with a master.
    VideoShare(Box<Passage>),
    /// What an application that is the call's last waits for.
    Last(Box<Self>),
    /// Of an application that runs beside the flow.
    Beside,
    WaitUntil,
    Condition(Box<Condition>),
    Signal {
        variable: BString,
        until: Option<Duration>,
    },
    /// The present step is tried again: it needs a lock.
    Again,
}

/// Read between two keys.
#[derive(Debug)]
pub(crate) struct ReadDigits {
    pub(crate) variable: BString,
    pub(crate) files: Vec<BString>,
    pub(crate) next_file: usize,
    pub(crate) digits: BString,
    pub(crate) most: usize,
    pub(crate) tries: i32,
    pub(crate) timeout: Option<Duration>,
    pub(crate) enders: BString,
    pub(crate) is_playing: bool,
    pub(crate) tone: Option<BString>,
    /// Option `e`: an ending key alone is what was read.
    pub(crate) reads_ender: bool,
    /// What ended the wait while the tone is being stopped.
    pub(crate) held: Option<Outcome>,
}

/// WaitExten with something to hear.
#[derive(Debug)]
pub(crate) struct Accompanied {
    pub(crate) timeout: Duration,
    pub(crate) ends_with: Operation,
    pub(crate) stage: Stage,
}

/// How far an accompanied wait is.
#[derive(Debug)]
pub(crate) enum Stage {
    Beginning,
    Waiting,
    Ending(Outcome),
}

/// ReadExten between two keys.
#[derive(Debug)]
pub(crate) struct ReadExtension {
    pub(crate) variable: BString,
    pub(crate) file: Option<BString>,
    pub(crate) context: BString,
    pub(crate) digits: BString,
    pub(crate) timeout: Option<Duration>,
    pub(crate) is_playing: bool,
}

/// A macro call.
#[derive(Debug, Clone)]
pub(crate) struct MacroFrame {
    pub(crate) inside: BString,
    pub(crate) context: BString,
    pub(crate) extension: BString,
    pub(crate) priority: u32,
    /// Arguments and MACRO_ variables before the call.
    pub(crate) saved: Vec<(BString, Option<BString>)>,
}

/// Where the flow was when a subroutine beside it began.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) context: BString,
    pub(crate) extension: BString,
    pub(crate) priority: u32,
    pub(crate) phase: Phase,
    pub(crate) frames: usize,
    /// The operation that goes on meanwhile, and its outcome if that came already.
    pub(crate) waiting: Option<(Continuation, Option<Outcome>)>,
}

/// While and If blocks. A loop's label is its place on the stack; leaving a loop by Goto leaves it there, and
/// a later EndWhile finds the newest, as the reference does with its helper variables.
#[derive(Debug, Default)]
pub(crate) struct Loops {
    pub(crate) open: Vec<Option<Loop>>,
    pub(crate) labels: Vec<(LoopPlace, usize)>,
    pub(crate) branches: Vec<LoopPlace>,
}

/// A While that runs.
#[derive(Debug, Clone)]
pub(crate) struct Loop {
    pub(crate) start: LoopPlace,
    /// Behind EndWhile, once that was reached.
    pub(crate) end: Option<LoopPlace>,
}

/// Context, extension and priority.
pub(crate) type LoopPlace = (BString, BString, u32);

impl Control {
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some() && self.outcome.is_none()
    }

    pub(crate) fn is_ending(&self) -> bool {
        matches!(
            self.phase,
            Phase::HangupExtension
                | Phase::HangupHandlers
                | Phase::Subroutine
                | Phase::Finished
                | Phase::Tone
        )
    }

    /// Drops whatever runs; the flow goes on at the place that was set.
    pub(crate) fn abandon(&mut self) {
        self.waiting = None;
        self.outcome = None;
        self.phase = Phase::Steps;
    }
}

impl Loops {
    /// How many loops are open without a gap.
    pub(crate) fn depth(&self) -> usize {
        self.open.iter().take_while(|open| open.is_some()).count()
    }
}
