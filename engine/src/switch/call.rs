//! One call as the switch keeps it: the channel, who controls it, and how far along it is.

use std::time::Instant;

use bstr::BString;

use super::{CommandId, Direction, EndedBy, Parties};
use crate::{
    bridge::Visit,
    channel::{Cause, Channel},
    clock::Now,
    config::Peer,
    media::StreamStatistics,
    pbx::Pbx,
    sip,
};

/// A call from its INVITE until nothing of it is left.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) channel: Channel,
    /// `PJSIP/alice-0000002a`.
    pub(super) name: BString,
    pub(super) parties: Parties,
    pub(super) direction: Direction,
    pub(super) peer: Option<std::sync::Arc<Peer>>,
    pub(super) phase: Phase,
    pub(super) control: Control,
    /// A conference room being visited; it gets the channel's outcomes first.
    pub(super) visit: Option<Visit>,
    pub(super) signalling: Signalling,
    pub(super) started: Now,
    pub(super) answered: Option<Instant>,
    /// When the call is looked at next; the same as in the switch's set of deadlines.
    pub(super) armed: Option<Instant>,
    /// Whether the call waits in the switch's queue of ready calls.
    pub(super) queued: bool,
}

/// How far along a call is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// Not answered; nothing said about it but 100.
    Proceeding,
    /// Not answered; 180 went out or came in.
    Ringing,
    /// Not answered; media flows.
    EarlyMedia,
    /// Answered.
    Up,
    /// Over: whoever controls it is told and may clean up (the `h` extension), then it goes.
    Down { cause: Cause, ended_by: EndedBy, media: FinalMedia, gone_by: Instant },
}

/// What is known of the stream of an ended call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FinalMedia {
    /// There was none.
    None,
    /// Its shard was told to close it.
    Closing,
    /// It is closed.
    Closed(Box<StreamStatistics>),
}

/// Who decides what the call does.
#[derive(Debug)]
pub(super) enum Control {
    /// An embedder, by commands; the one being carried out.
    Embedder { running: Option<CommandId> },
    /// The dialplan.
    Dialplan(Box<Pbx>),
    /// Nobody any more.
    Nobody,
}

/// The SIP side of a call.
#[derive(Debug)]
pub(super) struct Signalling {
    /// The stack's call; `None` once the stack ended it.
    pub(super) handle: Option<sip::CallHandle>,
    /// Where the last message of the far end came from.
    pub(super) flow: sip::Flow,
}

impl Call {
    /// Whether the call is answered and not over.
    pub(super) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Whether the call is over.
    pub(super) fn is_down(&self) -> bool {
        matches!(self.phase, Phase::Down { .. })
    }

    /// When the call has something to do by itself.
    pub(super) fn deadline(&self, unanswered_until: Instant) -> Option<Instant> {
        let own = match &self.phase {
            Phase::Proceeding | Phase::Ringing | Phase::EarlyMedia => Some(unanswered_until),
            Phase::Up => None,
            Phase::Down { gone_by, .. } => Some(*gone_by),
        };
        let pbx = match &self.control {
            Control::Dialplan(pbx) => pbx.deadline(),
            Control::Embedder { .. } | Control::Nobody => None,
        };
        [own, pbx, self.channel.deadline()].into_iter().flatten().min()
    }
}
