//! Reliable provisional responses (RFC 3262): the callee repeats each until its PRACK comes, the
//! caller acknowledges each in order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::sip::provisional::{OPTION, RAck, Sending, rseq};

/// The callee's reliable provisional responses to one INVITE.
#[derive(Debug, Default)]
pub(super) struct Provisionals {
    pub(super) sending: Sending,
    /// The number of the latest; `None` before the first.
    latest: Option<u32>,
    /// The one whose PRACK has not come: there is one at a time (RFC 3262 §3).
    outstanding: Option<Outstanding>,
    /// What goes out after that.
    waiting: VecDeque<Provisional>,
    /// The 2xx that goes out after those.
    pub(super) answer: Option<Box<(Headers, Option<Body>)>>,
    /// A session description went out in one: the answer to the caller's offer, or our offer.
    pub(super) described: bool,
}

#[derive(Debug)]
struct Outstanding {
    rseq: u32,
    status: StatusCode,
    bytes: Bytes,
    has_body: bool,
    next: Instant,
    interval: Duration,
    give_up: Instant,
}

#[derive(Debug)]
struct Provisional {
    status: StatusCode,
    headers: Headers,
    body: Option<Body>,
}

/// What is due.
enum Due {
    Nothing,
    Repeat(StatusCode, Bytes),
    GiveUp,
}

impl Provisionals {
    /// Whether this one goes out reliably. What the caller only supports is not used for a response
    /// that could not be: the first reliable one holds the offer, if the INVITE has none
    /// (RFC 3261 §13.2.1).
    pub(super) fn is_reliable(&self, has_offer: bool, has_body: bool) -> bool {
        match self.sending {
            Sending::Unreliable => false,
            Sending::Supported => has_offer || has_body || self.described,
            Sending::Required => true,
        }
    }

    /// Whether one waits for its PRACK.
    pub(super) fn is_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    /// Whether the caller is known to have one.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.latest.is_some() && self.outstanding.is_none()
    }

    /// Whether the 2xx has to wait: for the PRACK of a session description (RFC 3262 §3).
    pub(super) fn holds_answer(&self) -> bool {
        let outstanding = self.outstanding.as_ref().is_some_and(|it| it.has_body);
        let waiting = self.waiting.iter().any(|it| it.body.is_some());
        outstanding || (waiting && self.outstanding.is_some())
    }

    /// What a PRACK may still acknowledge once the final response is out.
    pub(super) fn unacknowledged(&self, cseq: u32) -> Option<RAck> {
        let outstanding = self.outstanding.as_ref()?;
        Some(RAck { rseq: outstanding.rseq, cseq, method: Method::Invite })
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.outstanding.as_ref().map(|it| it.next.min(it.give_up))
    }

    /// The number of the next: the first is drawn, far from the end (RFC 3262 §7.1).
    fn number(&mut self, core: &mut Core) -> u32 {
        let next = match self.latest {
            Some(latest) => latest.wrapping_add(1),
            None => core.entropy.below(FIRST_RSEQ_BELOW) + 1,
        };
        self.latest = Some(next);
        next
    }

    /// Repeats double their distance and never stop growing, unlike a 2xx (RFC 3262 §3).
    fn due(&mut self, now: Instant) -> Due {
        let Some(outstanding) = &mut self.outstanding else { return Due::Nothing };
        if outstanding.give_up <= now {
            return Due::GiveUp;
        }
        if outstanding.next > now {
            return Due::Nothing;
        }
        outstanding.interval *= 2;
        outstanding.next = now + outstanding.interval;
        Due::Repeat(outstanding.status, outstanding.bytes.clone())
    }
}

/// The callee.
impl Call {
    /// Sends a provisional response with a number, or has it wait for the PRACK of the one before.
    pub(super) fn ring_reliably(
        &mut self,
        core: &mut Core,
        status: StatusCode,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        let Self { state: State::Incoming(incoming), dialog: Some(dialog), contact, .. } = self
        else {
            return Err(VerbError::WrongState);
        };
        let provisionals = &mut incoming.provisionals;
        if provisionals.is_outstanding() {
            if provisionals.waiting.len() >= MAX_WAITING {
                return Err(VerbError::Full);
            }
            let (headers, body) = (headers.clone(), body.cloned());
            provisionals.waiting.push_back(Provisional { status, headers, body });
            return Ok(());
        }
        // One exchange for one INVITE: what stands is not said again (RFC 6337 §3.1.1).
        let body = body.filter(|_| !provisionals.described);
        let rseq = provisionals.number(core);
        let mut headers = headers.clone();
        headers.push(HeaderName::Require, OPTION);
        headers.push(HeaderName::RSeq, rseq);
        // The caller learns here whether it may send UPDATE (RFC 3311 §5.1).
        headers.push(HeaderName::Allow, core.config.allow());
        let parts = Parts { contact: Some(contact), headers: Some(&headers), body };
        let tag = &dialog.id().local_tag;
        let bytes =
            core.respond(incoming.transaction, status, tag, parts, now).ok_or(VerbError::Gone)?;
        let timers = core.layer.timers();
        provisionals.described |= body.is_some();
        provisionals.outstanding = Some(Outstanding {
            rseq,
            status,
            bytes: bytes.clone(),
            has_body: body.is_some(),
            next: now + timers.t1,
            interval: timers.t1,
            give_up: now + timers.patience(),
        });
        incoming.trying = None;
        incoming.ringing = Some(Ringing { status, bytes, refresh: now + PROVISIONAL_REFRESH });
        Ok(())
    }

    /// Repeats the provisional response that no PRACK came for. False once the call was given up
    /// (RFC 3262 §3).
    pub(super) fn repeat_provisional(&mut self, core: &mut Core, now: Instant) -> bool {
        let State::Incoming(incoming) = &mut self.state else { return true };
        match incoming.provisionals.due(now) {
            Due::Nothing => {}
            Due::Repeat(status, bytes) => {
                core.layer.respond(incoming.transaction, status.code(), bytes, now);
            }
            Due::GiveUp => {
                let headers = Headers::default();
                self.refuse_incoming(core, StatusCode::SERVER_TIMEOUT, &headers, now);
                self.end(core, End::Unacknowledged);
                return false;
            }
        }
        true
    }

    /// A PRACK (RFC 3262 §3, §5).
    pub(super) fn handle_prack(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        request: Request,
        now: Instant,
    ) {
        let stated = RAck::read(&request);
        let plain = |core: &mut Core, status| {
            core.respond_plain(transaction, status, Parts::default(), now);
        };
        let State::Incoming(incoming) = &mut self.state else {
            // The final response was faster; the PRACK is welcome all the same.
            let expected = stated.is_some() && stated == self.unpracked;
            self.unpracked.take_if(|_| expected);
            let status = if expected { StatusCode::OK } else { StatusCode::CALL_DOES_NOT_EXIST };
            return plain(core, status);
        };
        let expected = incoming.provisionals.unacknowledged(incoming.cseq);
        if stated.is_none() || stated != expected {
            return plain(core, StatusCode::CALL_DOES_NOT_EXIST);
        }
        let acknowledged = incoming.provisionals.outstanding.take();
        let held_offer =
            !incoming.has_offer && acknowledged.is_some_and(|acknowledged| acknowledged.has_body);
        let call = CallHandle(self.handle);
        if held_offer {
            plain(core, StatusCode::OK);
            core.events.push_back(Event::EarlyAnswer { call, request });
        } else if request.body().is_empty() {
            plain(core, StatusCode::OK);
        } else if incoming.provisionals.described && self.offer_in.is_none() {
            // A new offer: its answer goes into the 2xx (RFC 3262 §5).
            self.offer_in = Some(OfferIn::new(transaction, &request));
            core.events.push_back(Event::Reoffer { call, request });
        } else {
            // The offer of the INVITE is not answered yet (RFC 3264 §4).
            plain(core, StatusCode::NOT_ACCEPTABLE_HERE);
        }
        self.send_waiting(core, now);
    }

    /// Sends what waited for a PRACK: the next provisional response, or the 2xx.
    pub(super) fn send_waiting(&mut self, core: &mut Core, now: Instant) {
        let State::Incoming(incoming) = &mut self.state else { return };
        let provisionals = &mut incoming.provisionals;
        if provisionals.is_outstanding() || self.offer_in.is_some() {
            return;
        }
        // With the 2xx at hand, only a session description is worth another round trip.
        let is_answered = provisionals.answer.is_some();
        while let Some(next) = provisionals.waiting.pop_front() {
            if !is_answered || (next.body.is_some() && !provisionals.described) {
                let Provisional { status, headers, body } = next;
                // Gone means that the INVITE was answered otherwise: nothing is left to say.
                let _ = self.ring_reliably(core, status, &headers, body.as_ref(), now);
                return;
            }
        }
        if let Some(answer) = provisionals.answer.take() {
            let (headers, body) = *answer;
            // As above.
            let _ = self.send_answer(core, &headers, body.as_ref(), now);
        }
    }
}

/// The caller.
impl Call {
    /// Acknowledges a reliable provisional response. False for one that is not to be looked at: it
    /// was before, or one is missing before it (RFC 3262 §4).
    pub(super) fn acknowledge_provisional(
        &mut self,
        core: &mut Core,
        response: &Response,
        now: Instant,
    ) -> bool {
        if self.reliable == ReliableProvisional::Off || !response.requires(OPTION) {
            return true;
        }
        let Some((rseq, cseq)) = rseq(response).zip(response.cseq()) else { return true };
        let tag = response.to_tag().and_then(Tag::parse);
        let State::Outgoing(outgoing) = &mut self.state else { return false };
        let early = outgoing.early.iter_mut().find(|early| early.dialog.id().remote_tag == tag);
        // Without a tag there is no dialog to send a PRACK in; nor is there in a fork too many.
        let Some(early) = early else { return false };
        if early.rseq.is_some_and(|latest| rseq != latest.wrapping_add(1)) {
            return false;
        }
        let rack = RAck { rseq, cseq: cseq.number, method: Method::Invite };
        let mut headers = Headers::default();
        headers.push(HeaderName::RAck, rack.write());
        let flow = core.dialog_flow(&early.dialog, self.flow, self.path);
        let parts = Parts { headers: Some(&headers), ..Parts::default() };
        let user = User::Call(self.handle);
        let sent = core.send_in_dialog(&mut early.dialog, Method::Prack, parts, flow, user, now);
        // A full table: the callee repeats itself.
        let Some(transaction) = sent else { return false };
        early.rseq = Some(rseq);
        early.described |= !response.body().is_empty();
        self.others.push(Other { transaction, purpose: Purpose::Prack });
        true
    }
}

/// RSeq numbers begin below this: far from 2^32, where they may not wrap (RFC 3262 §3).
const FIRST_RSEQ_BELOW: u32 = 1 << 30;

/// Provisional responses that wait behind one that is not acknowledged.
const MAX_WAITING: usize = 8;

#[cfg(test)]
mod tests;
