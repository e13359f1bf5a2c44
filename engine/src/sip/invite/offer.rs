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
        let (pending, updating) = (self.is_inviting(), self.is_updating());
        let Self { state: State::Confirmed(confirmed), dialog: Some(dialog), .. } = self else {
            return Err(VerbError::WrongState);
        };
        let busy = pending
            || self.offer_in.is_some()
            || updating
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
        self.invites.push(Box::new(SentInvite::new(
            transaction,
            InviteKind::Again,
            body.is_some(),
        )));
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
        let offer = self.offer_in.take().ok_or(VerbError::WrongState)?;
        // A session has a timer once it is there, and no PRACK refreshes it (RFC 4028 §7.4).
        let is_timed = matches!(self.state, State::Confirmed(_)) && offer.method != Method::Prack;
        let headers = &match is_timed {
            true => self.timed(core, offer.transaction, headers, now),
            false => headers.clone(),
        };
        let request = core.layer.answerable(offer.transaction).ok_or(VerbError::Gone)?;
        let cseq = request.cseq();
        // It has our tag already; none is drawn.
        let tag = core.stateless_tag(request);
        let contact = (offer.method != Method::Prack).then_some(self.contact.as_str());
        let parts = Parts { contact, headers: Some(headers), body };
        let bytes = core
            .respond(offer.transaction, StatusCode::OK, &tag, parts, now)
            .ok_or(VerbError::Gone)?;
        if offer.method == Method::Invite
            && let State::Confirmed(confirmed) = &mut self.state
        {
            let is_offer = body.is_some() && !offer.has_offer;
            let cseq = cseq.map_or(0, |cseq| cseq.number);
            let waiting = Unacknowledged::new(core, offer.transaction, cseq, bytes, is_offer, now);
            confirmed.unacknowledged.push(waiting);
        }
        self.send_waiting(core, now);
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
        let offer = self.offer_in.take().ok_or(VerbError::WrongState)?;
        let parts = Parts { headers: Some(headers), ..Parts::default() };
        core.respond_plain(offer.transaction, status, parts, now);
        self.send_waiting(core, now);
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
        let (is_inviting, is_updating) = (self.is_inviting(), self.is_updating());
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
            core.respond_plain(transaction, StatusCode::OK, parts, now);
            core.events.push_back(Event::Updated { call: CallHandle(self.handle), request });
            return;
        }
        let pending = |core: &mut Core| {
            core.respond_plain(transaction, StatusCode::REQUEST_PENDING, Parts::default(), now);
        };
        // RFC 3311 §5.2: 500 while an offer of the peer's waits for us, 491 while one of ours waits
        // for the peer.
        if self.offer_in.is_some() && !self.is_ended() {
            return refuse_for_now(core, transaction, now);
        }
        let confirmed = match &mut self.state {
            State::Confirmed(confirmed) => confirmed,
            State::Incoming(incoming) => {
                let provisionals = &incoming.provisionals;
                if is_updating || (provisionals.is_outstanding() && !incoming.has_offer) {
                    return pending(core);
                }
                // The first INVITE is not answered yet: wait and try again (RFC 3261 §14.2).
                let settled = provisionals.described && provisionals.is_acknowledged();
                if !is_update || !settled || provisionals.answer.is_some() {
                    return refuse_for_now(core, transaction, now);
                }
                return self.take_early_offer(core, transaction, request);
            }
            State::Outgoing(outgoing) => {
                let tag = request.from_tag().and_then(Tag::parse);
                let early = outgoing.early.iter().find(|it| it.dialog.id().remote_tag == tag);
                if !is_update || is_updating || !early.is_some_and(|early| early.described) {
                    return pending(core);
                }
                return self.take_early_offer(core, transaction, request);
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
        if confirmed.unacknowledged.len() >= MAX_UNACKNOWLEDGED {
            return refuse_for_now(core, transaction, now);
        }
        // Our offer is on its way: in an INVITE, or in a 2xx whose ACK has not come (RFC 5407 §3.1.5).
        let offered = confirmed.unacknowledged.iter().any(|waiting| waiting.is_offer);
        if is_inviting || is_updating || offered || confirmed.answer_due.is_some() {
            return pending(core);
        }
        if let Some(dialog) = &mut self.dialog {
            dialog.refresh_target(&request);
        }
        let trying = (!is_update).then(|| now + TRYING_DELAY);
        self.offer_in = Some(OfferIn { trying, ..OfferIn::new(transaction, &request) });
        core.events.push_back(Event::Reoffer { call: CallHandle(self.handle), request });
    }

    /// An offer in an early dialog whose first offer was answered for sure (RFC 3311 §5.2).
    fn take_early_offer(&mut self, core: &mut Core, transaction: Handle, request: Request) {
        if let Some(dialog) = &mut self.dialog {
            dialog.refresh_target(&request);
        }
        self.offer_in = Some(OfferIn::new(transaction, &request));
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
