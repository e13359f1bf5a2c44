//! The dialplan on channels: its operations as channel verbs, and what it sees of the engine.

pub(crate) mod host;
pub(crate) mod perform;
pub(crate) mod say;
pub(crate) mod tones;

use std::time::Instant;

use bstr::BStr;
use diesis_dialplan::{
    channel::Channel as PlanChannel,
    operation::{Operation, Outcome},
    plan::Plan,
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
    /// It is over; the call ends with this cause.
    Finished { cause: Cause },
}

/// One call's dialplan.
#[derive(Debug)]
pub(crate) struct Pbx {
    channel: PlanChannel,
}

impl Pbx {
    pub(crate) fn new(channel: PlanChannel, _context: &BStr, _extension: &BStr) -> Self {
        Self { channel }
    }
    pub(crate) fn advance(&mut self, _plan: &Plan, _host: &mut PbxHost<'_>) -> Advance {
        tracing::error!("the dialplan can not be run by this build: the call ends");
        Advance::Finished { cause: Cause::NORMAL_CLEARING }
    }
    pub(crate) fn handle_outcome(&mut self, _outcome: Outcome) {}
    pub(crate) fn handle_hangup(&mut self, _cause: Cause) {}
    pub(crate) fn deadline(&self) -> Option<Instant> {
        None
    }
    pub(crate) fn channel(&self) -> &PlanChannel {
        &self.channel
    }
}
