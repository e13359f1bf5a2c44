//! Changing an answered call: re-INVITE in both directions and UPDATE from the peer
//! (RFC 3261 §14, RFC 3311 §5.2, the crossings of RFC 5407).

use std::time::Instant;

use super::*;

impl Call {
    /// Sends a re-INVITE (RFC 3261 §14.1).
    pub(crate) fn reinvite(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        let pending = self.is_inviting();
        let Self { state: State::Confirmed(confirmed), dialog: Some(dialog), .. } = self else {
            return Err(VerbError::WrongState);
        };
        let busy = pending
            || confirmed.offer_in.is_some()
            || confirmed.answer_due.is_some()
            || confirmed.retry.is_some()
            || !confirmed.unacknowledged.is_empty();
        if busy {
            return Err(VerbError::OfferPending);
        }
        let flow = core.dialog_flow(dialog, self.flow, self.path);
        let mut headers = headers.clone();
        self.timer.write_refresh(&mut headers);
        let parts = Parts { contact: Some(&self.contact), headers: Some(&headers), body };
        let user = User::Call(self.handle);
        let transaction = core
            .send_in_dialog(dialog, Method::Invite, parts, flow, user, now)
            .ok_or(VerbError::Full)?;
        self.invites.push(SentInvite::new(transaction, InviteKind::Again, body.is_some()));
        Ok(())
    }

    /// Accepts the peer's re-INVITE or UPDATE.
    pub(crate) fn accept_offer(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        let State::Confirmed(Confirmed { offer_in: Some(offer), .. }) = &self.state else {
            return Err(VerbError::WrongState);
        };
        let headers = &self.timed(core, offer.transaction, headers, now);
        let Self { state: State::Confirmed(confirmed), dialog: Some(dialog), contact, .. } = self
        else {
            return Err(VerbError::WrongState);
        };
        let offer = confirmed.offer_in.take().ok_or(VerbError::WrongState)?;
        let cseq = core.layer.answerable(offer.transaction).and_then(|request| request.cseq());
        let parts = Parts { contact: Some(contact), headers: Some(headers), body };
        let tag = &dialog.id().local_tag;
        let bytes = core
            .respond(offer.transaction, StatusCode::OK, tag, parts, now)
            .ok_or(VerbError::Gone)?;
        if offer.method == Method::Invite {
            let is_offer = body.is_some() && !offer.has_offer;
            let cseq = cseq.map_or(0, |cseq| cseq.number);
            let waiting = Unacknowledged::new(core, offer.transaction, cseq, bytes, is_offer, now);
            confirmed.unacknowledged.push(waiting);
        }
        Ok(())
    }

    /// Refuses the peer's re-INVITE or UPDATE; the call goes on as it was.
    pub(crate) fn refuse_offer(
        &mut self,
        core: &mut Core,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        if status.code() < 300 {
            return Err(VerbError::Status);
        }
        let Self { state: State::Confirmed(confirmed), dialog: Some(dialog), .. } = self else {
            return Err(VerbError::WrongState);
        };
        let offer = confirmed.offer_in.take().ok_or(VerbError::WrongState)?;
        let parts = Parts { headers: Some(headers), ..Parts::default() };
        core.respond(offer.transaction, status, &dialog.id().local_tag, parts, now);
        Ok(())
    }

    pub(super) fn refuse_offer_in(&mut self, core: &mut Core, status: StatusCode, now: Instant) {
        // Nothing to refuse is no fault here.
        let _ = self.refuse_offer(core, status, &Headers::default(), now);
    }

    pub(super) fn handle_offer(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        request: Request,
        now: Instant,
    ) {
        let is_inviting = self.is_inviting();
        let is_update = *request.method() == Method::Update;
        let has_offer = !request.body().is_empty();
        self.note_allowed(&request);
        if matches!(self.state, State::Confirmed(_))
            && let Err((status, headers)) = self.timer.check(&request)
        {
            let parts = Parts { headers: Some(&headers), ..Parts::default() };
            return core.respond_plain(transaction, status, parts, now);
        }
        // An UPDATE without a body only refreshes the target, in any dialog (RFC 3311 §5.2).
        if is_update && !has_offer && !self.is_ended() {
            if let Some(dialog) = &mut self.dialog {
                dialog.refresh_target(&request);
            }
            // What an early dialog agrees on is the first INVITE's business.
            let headers = match self.state {
                State::Confirmed(_) => self.timed(core, transaction, &Headers::default(), now),
                _ => Headers::default(),
            };
            let parts = Parts { contact: Some(&self.contact), headers: Some(&headers), body: None };
            return core.respond_plain(transaction, StatusCode::OK, parts, now);
        }
        let confirmed = match &mut self.state {
            State::Confirmed(confirmed) => confirmed,
            // The first INVITE is not answered yet: wait and try again (RFC 3261 §14.2).
            State::Incoming(_) => return refuse_for_now(core, transaction, now),
            State::Outgoing(_) => {
                return core.respond_plain(
                    transaction,
                    StatusCode::REQUEST_PENDING,
                    Parts::default(),
                    now,
                );
            }
            State::Leaving { .. } | State::Ended => {
                return core.respond_plain(
                    transaction,
                    StatusCode::CALL_DOES_NOT_EXIST,
                    Parts::default(),
                    now,
                );
            }
        };
        if confirmed.offer_in.is_some() || confirmed.unacknowledged.len() >= MAX_UNACKNOWLEDGED {
            return refuse_for_now(core, transaction, now);
        }
        // Our offer is on its way: in an INVITE, or in a 2xx whose ACK has not come (RFC 5407 §3.1.5).
        let offered = confirmed.unacknowledged.iter().any(|waiting| waiting.is_offer);
        if is_inviting || offered || confirmed.answer_due.is_some() {
            return core.respond_plain(
                transaction,
                StatusCode::REQUEST_PENDING,
                Parts::default(),
                now,
            );
        }
        if let Some(dialog) = &mut self.dialog {
            dialog.refresh_target(&request);
        }
        confirmed.offer_in = Some(OfferIn {
            transaction,
            method: request.method().clone(),
            trying: (!is_update).then(|| now + TRYING_DELAY),
            has_offer,
        });
        core.events.push_back(Event::Reoffer { call: CallHandle(self.handle), request });
    }

    pub(super) fn handle_later_response(
        &mut self,
        core: &mut Core,
        index: usize,
        response: Response,
        now: Instant,
    ) {
        let Some(sent) = self.invites.get_mut(index) else { return };
        let status = response.status();
        if status.is_provisional() {
            if sent.progress == Progress::None {
                sent.progress = Progress::Provisional;
                if self.is_ended()
                    && let Some(sent) = self.invites.get(index)
                {
                    core.layer.limit_invite(sent.transaction, now);
                }
            }
            return;
        }
        let is_repeated = sent.progress == Progress::Final;
        sent.progress = Progress::Final;
        let call = CallHandle(self.handle);
        if status.is_success() {
            if is_repeated {
                if let Some((_, ack, path)) = sent.acks.first() {
                    core.layer.send(*path, ack.clone());
                }
                return;
            }
            let has_body = sent.has_body;
            let number = response.cseq().map_or(0, |cseq| cseq.number);
            if let Some(dialog) = &mut self.dialog {
                dialog.refresh_target(&response);
            }
            self.note_allowed(&response);
            self.timer.learn(&response, now);
            match &mut self.state {
                State::Confirmed(confirmed) if !has_body => {
                    confirmed.answer_due = Some(number);
                    core.events.push_back(Event::ReofferAnswered { call, response });
                }
                State::Confirmed(_) => {
                    self.send_ack(core, number, None);
                    core.events.push_back(Event::ReofferAnswered { call, response });
                }
                State::Incoming(_) | State::Outgoing(_) | State::Leaving { .. } | State::Ended => {
                    self.send_ack(core, number, None);
                }
            }
            return;
        }
        if !matches!(self.state, State::Confirmed(_)) {
            return;
        }
        match status {
            StatusCode::REQUEST_PENDING => {
                let retry = now + self.glare_wait(core);
                if let State::Confirmed(confirmed) = &mut self.state {
                    confirmed.retry = Some(retry);
                }
            }
            // RFC 3261 §14.1, §12.2.1.2: the dialog is gone on the other side.
            StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT => {
                self.end_with_bye(core, &Headers::default(), End::Failed(Failure::DialogGone), now);
            }
            _ => {
                if status == StatusCode::SESSION_INTERVAL_TOO_SMALL && self.timer.raise(&response) {
                    self.timer.refresh_at(now);
                }
                core.events.push_back(Event::ReofferRefused { call, response });
            }
        }
    }

    /// An INVITE of ours has no final response yet.
    pub(super) fn is_inviting(&self) -> bool {
        self.invites.iter().any(|sent| sent.progress != Progress::Final)
    }
}
