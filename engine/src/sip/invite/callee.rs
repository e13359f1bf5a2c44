//! The callee until its final response (RFC 3261 §13.3, §9.2).

use std::time::Instant;

use super::*;
use crate::sip::provisional::Sending;

impl Call {
    /// Sends the 100.
    pub(crate) fn proceed(&mut self, core: &mut Core, now: Instant) -> Result<(), VerbError> {
        let Self { state: State::Incoming(incoming), dialog: Some(dialog), .. } = self else {
            return Err(VerbError::WrongState);
        };
        if incoming.trying.take().is_some() {
            core.respond(
                incoming.transaction,
                StatusCode::TRYING,
                &dialog.id().local_tag,
                Parts::default(),
                now,
            );
        }
        Ok(())
    }

    /// Sends a provisional response that makes or keeps an early dialog.
    pub(crate) fn ring(
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
        if incoming.provisionals.answer.is_some() {
            return Err(VerbError::WrongState);
        }
        if !(101..200).contains(&status.code()) {
            return Err(VerbError::Status);
        }
        if incoming.provisionals.is_reliable(incoming.has_offer, body.is_some()) {
            return self.ring_reliably(core, status, headers, body, now);
        }
        let parts = Parts { contact: Some(contact), headers: Some(headers), body };
        let tag = &dialog.id().local_tag;
        let bytes =
            core.respond(incoming.transaction, status, tag, parts, now).ok_or(VerbError::Gone)?;
        incoming.trying = None;
        incoming.ringing = Some(Ringing { status, bytes, refresh: now + PROVISIONAL_REFRESH });
        Ok(())
    }

    /// Whether a provisional response may hold our offer.
    pub(crate) fn early_offer(&self) -> EarlyOffer {
        match &self.state {
            State::Incoming(incoming)
                if !incoming.has_offer && !incoming.provisionals.described =>
            {
                match incoming.provisionals.sending {
                    Sending::Unreliable => EarlyOffer::Impossible,
                    Sending::Supported => EarlyOffer::Possible,
                    Sending::Required => EarlyOffer::Needed,
                }
            }
            _ => EarlyOffer::Impossible,
        }
    }

    /// Sends the 2xx, as soon as no session description waits for its PRACK (RFC 3262 §3).
    pub(crate) fn answer(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        let State::Incoming(incoming) = &mut self.state else { return Err(VerbError::WrongState) };
        if incoming.provisionals.answer.is_some() {
            return Err(VerbError::WrongState);
        }
        if incoming.provisionals.holds_answer() || self.offer_in.is_some() {
            incoming.expires = None;
            incoming.provisionals.answer = Some(Box::new((headers.clone(), body.cloned())));
            return Ok(());
        }
        self.send_answer(core, headers, body, now)
    }

    pub(super) fn send_answer(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        let State::Incoming(incoming) = &self.state else { return Err(VerbError::WrongState) };
        let transaction = incoming.transaction;
        let headers = &self.timed(core, transaction, headers, now);
        let Self { state: State::Incoming(incoming), dialog: Some(dialog), contact, .. } = self
        else {
            return Err(VerbError::WrongState);
        };
        // Offer and answer are complete: the 2xx holds neither (RFC 6337 §3.1.1).
        let body = body.filter(|_| !incoming.provisionals.described);
        let parts = Parts { contact: Some(contact), headers: Some(headers), body };
        let cseq = incoming.cseq;
        let tag = &dialog.id().local_tag;
        let bytes =
            core.respond(transaction, StatusCode::OK, tag, parts, now).ok_or(VerbError::Gone)?;
        let is_offer = body.is_some() && !incoming.has_offer;
        self.unpracked = incoming.provisionals.unacknowledged(cseq);
        dialog.confirm();
        let mut confirmed = Confirmed::default();
        confirmed.unacknowledged.push(Unacknowledged::new(
            core,
            transaction,
            cseq,
            bytes,
            is_offer,
            now,
        ));
        self.state = State::Confirmed(confirmed);
        Ok(())
    }

    /// Sends a failure.
    pub(crate) fn reject(
        &mut self,
        core: &mut Core,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        if status.code() < 300 {
            return Err(VerbError::Status);
        }
        let State::Incoming(_) = &self.state else { return Err(VerbError::WrongState) };
        self.refuse_incoming(core, status, headers, now);
        self.end(core, End::Local);
        Ok(())
    }

    /// Sends a failure and forgets the INVITE (RFC 3261 §8.2.7).
    pub(crate) fn reject_stateless(
        &mut self,
        core: &mut Core,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        if status.code() < 300 {
            return Err(VerbError::Status);
        }
        let State::Incoming(incoming) = &self.state else { return Err(VerbError::WrongState) };
        // Once a 100 or a ringing went out, the caller waits for the failure to be repeated.
        if incoming.trying.is_none() {
            return self.reject(core, status, headers, now);
        }
        if let Some((request, reply)) = core.layer.forget_server(incoming.transaction) {
            let parts = Parts { headers: Some(headers), ..Parts::default() };
            core.respond_stateless_to(&request, reply, status, parts);
        }
        self.end(core, End::Local);
        Ok(())
    }

    /// Forgets an INVITE that nothing was sent to.
    pub(crate) fn ignore(&mut self, core: &mut Core) -> Result<(), VerbError> {
        let State::Incoming(incoming) = &self.state else { return Err(VerbError::WrongState) };
        if incoming.trying.is_none() {
            return Err(VerbError::WrongState);
        }
        core.layer.forget_server(incoming.transaction);
        self.end(core, End::Local);
        Ok(())
    }

    pub(super) fn refuse_incoming(
        &mut self,
        core: &mut Core,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) {
        let Self { state: State::Incoming(incoming), dialog: Some(dialog), .. } = self else {
            return;
        };
        // No Contact of ours: in a 3xx it is the application's (RFC 3261 §21.3).
        let parts = Parts { headers: Some(headers), ..Parts::default() };
        core.respond(incoming.transaction, status, &dialog.id().local_tag, parts, now);
    }

    /// A CANCEL matched one of our INVITE server transactions (RFC 3261 §9.2).
    pub(crate) fn handle_cancel(
        &mut self,
        core: &mut Core,
        invite: Handle,
        request: Request,
        now: Instant,
    ) {
        match &mut self.state {
            State::Incoming(incoming) if incoming.transaction == invite => {
                self.refuse_incoming(
                    core,
                    StatusCode::REQUEST_TERMINATED,
                    &Headers::default(),
                    now,
                );
                self.end(core, End::Cancelled { request });
            }
            State::Confirmed(_)
                if self.offer_in.as_ref().is_some_and(|it| it.transaction == invite) =>
            {
                self.refuse_offer_in(core, StatusCode::REQUEST_TERMINATED, now);
                core.events.push_back(Event::ReofferCancelled { call: CallHandle(self.handle) });
            }
            // Answered already: no effect (RFC 3261 §9.2).
            State::Incoming(_)
            | State::Outgoing(_)
            | State::Confirmed(_)
            | State::Leaving { .. }
            | State::Ended => {}
        }
    }
}
