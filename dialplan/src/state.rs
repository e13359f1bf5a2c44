//! What belongs to one channel in the dialplan: where it is, its variables, its subroutine frames.

use std::time::Duration;

use bstr::BString;

use crate::channel::Channel;
use crate::executor::Legacy;
use crate::variables::Variables;

/// The part of an executor that substitution and functions see.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) channel: Channel,
    pub(crate) variables: Variables,
    pub(crate) context: BString,
    pub(crate) extension: BString,
    pub(crate) priority: u32,
    pub(crate) frames: Vec<Frame>,
    pub(crate) exception: Option<Exception>,
    /// Whether a run loop drives the channel: only then has it digit and response timeouts.
    pub(crate) running: Running,
    pub(crate) is_hung_up: bool,
    pub(crate) hangup_handlers: Vec<BString>,
    /// Buffers for texts on their way, reused.
    pub(crate) spare: Vec<Vec<u8>>,
    /// Evaluations inside evaluations (EVAL of EVAL ...).
    pub(crate) depth: u32,
    /// Whether a lock is waited for.
    pub(crate) locking: Locking,
    /// Whether names that Asterisk no longer has work.
    pub(crate) legacy: Legacy,
}

/// Whether the present step needs a lock that another channel holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locking {
    None,
    /// LOCK() did not get it: the step is tried again until then.
    Wanted {
        until: Duration,
    },
    /// The step is tried again.
    Again {
        until: Duration,
    },
}

/// Whether a run loop drives the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Running {
    Yes,
    No,
}

/// Where a subroutine returns to, and the variables that it hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) context: BString,
    pub(crate) extension: BString,
    pub(crate) priority: u32,
    /// How many arguments it was called with.
    pub(crate) arguments: usize,
    /// Names pushed for the frame, removed with it; ARG1.. and ARGC among them.
    pub(crate) locals: Vec<BString>,
    pub(crate) kind: FrameKind,
}

/// What happens when the frame returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Goes on at the frame's place.
    Gosub,
    /// Ends a subroutine that was started from outside the flow: a hangup handler, a screening routine.
    Outermost,
}

/// What EXCEPTION() tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) reason: BString,
    pub(crate) context: BString,
    pub(crate) extension: BString,
    pub(crate) priority: u32,
}

impl State {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            channel,
            variables: Variables::new(),
            context: "default".into(),
            extension: "s".into(),
            priority: 1,
            frames: Vec::new(),
            exception: None,
            running: Running::No,
            is_hung_up: false,
            hangup_handlers: Vec::new(),
            spare: Vec::new(),
            depth: 0,
            locking: Locking::None,
            legacy: Legacy::default(),
        }
    }

    /// Removes the newest frame with what it hid.
    pub(crate) fn pop_frame(&mut self) -> Option<Frame> {
        let frame = self.frames.pop()?;
        for name in &frame.locals {
            self.variables.pop(name);
        }
        Some(frame)
    }
}
