//! What is kept of a call in each of its states.

use std::time::{Duration, Instant};

use bytes::Bytes;
use smallvec::SmallVec;

use super::*;

/// Who placed the call; it does not change with who sends a re-INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Caller,
    Callee,
}

#[derive(Debug)]
pub(super) enum State {
    /// Callee, before the final response.
    Incoming(Box<Incoming>),
    /// Caller, before the final response.
    Outgoing(Box<Outgoing>),
    /// Answered.
    Confirmed(Confirmed),
    /// The application has left; the BYE waits for the ACK, which it must not overtake
    /// (RFC 3261 §15).
    Leaving { unacknowledged: Unacknowledged, headers: Headers },
    /// Over; what is left are transactions.
    Ended,
}

#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) transaction: Handle,
    /// When to send the 100 if nobody asked for it (RFC 3261 §17.2.1).
    pub(super) trying: Option<Instant>,
    /// The last provisional response and when to repeat it.
    pub(super) ringing: Option<Ringing>,
    /// The end of the INVITE's Expires.
    pub(super) expires: Option<Instant>,
    pub(super) has_offer: bool,
    /// Of the INVITE.
    pub(super) cseq: u32,
    pub(super) provisionals: Provisionals,
}

#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) status: StatusCode,
    pub(super) bytes: Bytes,
    pub(super) refresh: Instant,
}

#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) spec: OutgoingCall,
    pub(super) call_id: CallId,
    /// From with our tag.
    pub(super) from: String,
    pub(super) cseq: u32,
    /// What the latest challenge was answered with.
    pub(super) credentials: Headers,
    pub(super) early: SmallVec<[Early; 1]>,
    /// Peers whose BYE overtook their 2xx.
    pub(super) gone: SmallVec<[(Tag, Request); 1]>,
    /// The challenge that waits for credentials, and for how long it does.
    pub(super) challenge: Option<(Response, Instant)>,
}

/// The early dialog with one fork.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// The number of its latest reliable provisional response.
    pub(super) rseq: Option<u32>,
    /// One of those held a session description: offers may follow (RFC 3311 §5.1).
    pub(super) described: bool,
}

/// A request of ours in the dialog, other than INVITE and BYE.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) transaction: Handle,
    pub(super) purpose: Purpose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The application's; it knows the request by this.
    Application(RequestHandle),
    /// An UPDATE that refreshes the session.
    Refresh,
    /// An UPDATE of the application's.
    Update { has_body: bool },
    /// It acknowledges a provisional response.
    Prack,
    /// It has its final response.
    Settled,
}

#[derive(Debug, Default)]
pub(super) struct Confirmed {
    /// Our 2xx that wait for their ACK.
    pub(super) unacknowledged: SmallVec<[Unacknowledged; 1]>,
    /// A 2xx whose offer waits for the application's answer: the CSeq for the ACK.
    pub(super) answer_due: Option<u32>,
    /// When a re-INVITE that met another may be tried again.
    pub(super) retry: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct OfferIn {
    pub(super) transaction: Handle,
    pub(super) method: Method,
    pub(super) trying: Option<Instant>,
    pub(super) has_offer: bool,
}

/// A 2xx that is repeated until acknowledged (RFC 3261 §13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) transaction: Handle,
    pub(super) cseq: u32,
    pub(super) status: StatusCode,
    pub(super) bytes: Bytes,
    pub(super) next: Instant,
    pub(super) interval: Duration,
    pub(super) give_up: Instant,
    /// It carries an offer, and the ACK the answer.
    pub(super) is_offer: bool,
}

#[derive(Debug)]
pub(super) struct SentInvite {
    pub(super) transaction: Handle,
    pub(super) kind: InviteKind,
    pub(super) has_body: bool,
    pub(super) progress: Progress,
    /// CANCEL is wanted and waits for a provisional response.
    pub(super) cancel: Option<Headers>,
    /// What answers each repeated 2xx, by the tag of who sent it.
    pub(super) acks: SmallVec<[(Option<Tag>, Bytes, Flow); 1]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InviteKind {
    First,
    Again,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    None,
    Provisional,
    Final,
}

impl OfferIn {
    pub(super) fn new(transaction: Handle, request: &Request) -> Self {
        Self {
            transaction,
            method: request.method().clone(),
            trying: None,
            has_offer: !request.body().is_empty(),
        }
    }
}

impl SentInvite {
    pub(super) fn new(transaction: Handle, kind: InviteKind, has_body: bool) -> Self {
        Self {
            transaction,
            kind,
            has_body,
            progress: Progress::None,
            cancel: None,
            acks: SmallVec::new(),
        }
    }
}

impl Unacknowledged {
    pub(super) fn new(
        core: &Core,
        transaction: Handle,
        cseq: u32,
        bytes: Bytes,
        is_offer: bool,
        now: Instant,
    ) -> Self {
        let timers = core.layer.timers();
        Self {
            transaction,
            cseq,
            status: StatusCode::OK,
            bytes,
            next: now + timers.t1,
            interval: timers.t1,
            give_up: now + timers.patience(),
            is_offer,
        }
    }

    pub(super) fn due(&self) -> Instant {
        self.next.min(self.give_up)
    }

    /// Sends the 2xx again when it is time, on any transport (RFC 3261 §13.3.1.4).
    pub(super) fn repeat(&mut self, core: &mut Core, now: Instant) {
        if self.next <= now {
            self.interval = (self.interval * 2).min(core.layer.timers().t2);
            self.next = now + self.interval;
            core.layer.respond(self.transaction, self.status.code(), self.bytes.clone(), now);
        }
    }
}
