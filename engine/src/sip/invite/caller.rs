//! The caller until the call is answered: provisional responses, forks, challenges, CANCEL
//! (RFC 3261 §13.2, §9.1, §22.2).

use std::time::Instant;

use super::*;

impl Call {
    pub(super) fn send_first_invite(
        &mut self,
        core: &mut Core,
        mut headers: Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        let State::Outgoing(outgoing) = &mut self.state else { return Err(VerbError::WrongState) };
        outgoing.cseq += 1;
        for field in outgoing.spec.headers.fields() {
            // The names came out of a header list, so they are tokens.
            let _ = headers.push_named(field.name_text, field.value);
        }
        self.timer.write_invite(&mut headers);
        self.reliable.write_invite(&mut headers);
        let to = outgoing.spec.to.clone().without_tag().to_string();
        let draft = Draft {
            method: Method::Invite,
            uri: &outgoing.spec.target,
            routes: &outgoing.spec.routes,
            from: outgoing.from.as_bytes(),
            to: to.as_bytes(),
            call_id: outgoing.call_id.as_str(),
            cseq: outgoing.cseq,
            max_forwards: outgoing.spec.max_forwards,
            parts: Parts {
                contact: Some(&self.contact),
                headers: Some(&headers),
                body: outgoing.spec.body.as_ref(),
            },
        };
        let has_body = outgoing.spec.body.is_some();
        let user = User::Call(self.handle);
        let transaction = core.send(draft, self.flow, user, now).ok_or(VerbError::Full)?;
        outgoing.challenge = None;
        self.invites.push(Box::new(SentInvite::new(transaction, InviteKind::First, has_body)));
        Ok(())
    }

    /// Sends the INVITE again with what a challenge asked for (RFC 3261 §22.2).
    pub(crate) fn authenticate(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        match &mut self.state {
            State::Outgoing(outgoing) if outgoing.challenge.is_some() => {
                outgoing.credentials = headers.clone();
                self.send_first_invite(core, headers.clone(), now)
            }
            _ => Err(VerbError::WrongState),
        }
    }

    /// Withdraws the INVITE. The call is over for the application at once; a 2xx that comes all
    /// the same is acknowledged and ended.
    pub(crate) fn cancel(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        let State::Outgoing(_) = &self.state else { return Err(VerbError::WrongState) };
        self.withdraw(core, headers, now);
        self.end(core, End::Local);
        Ok(())
    }

    /// Whether no response came to any INVITE of ours.
    pub(crate) fn is_unheard(&self) -> bool {
        self.invites.iter().all(|sent| sent.progress == Progress::None)
    }

    /// CANCEL now, or when the first provisional response comes (RFC 3261 §9.1).
    pub(super) fn withdraw(&mut self, core: &mut Core, headers: &Headers, now: Instant) {
        let pending = |sent: &&mut Box<SentInvite>| {
            sent.kind == InviteKind::First && sent.progress != Progress::Final
        };
        let Some(sent) = self.invites.iter_mut().find(pending) else { return };
        match sent.progress {
            Progress::None => sent.cancel = Some(headers.clone()),
            Progress::Provisional => core.send_cancel(sent.transaction, headers, now),
            Progress::Final => {}
        }
    }

    /// Sends the ACK with the answer to the callee's offer.
    pub(crate) fn acknowledge(
        &mut self,
        core: &mut Core,
        body: Option<&Body>,
    ) -> Result<(), VerbError> {
        let State::Confirmed(confirmed) = &mut self.state else {
            return Err(VerbError::WrongState);
        };
        let cseq = confirmed.answer_due.take().ok_or(VerbError::WrongState)?;
        self.send_ack(core, cseq, body);
        Ok(())
    }

    /// Sends the ACK of the latest answered INVITE of ours and keeps it for repetitions.
    pub(super) fn send_ack(&mut self, core: &mut Core, cseq: u32, body: Option<&Body>) {
        let Some(dialog) = &self.dialog else { return };
        let flow = core.dialog_flow(dialog, self.flow, self.path);
        let sent = self.invites.iter_mut().rev().find(|sent| sent.progress == Progress::Final);
        // The same credentials as in the INVITE (RFC 3261 §13.2.2.4).
        let mut headers = Headers::default();
        let request = sent.as_ref().and_then(|sent| core.layer.client_request(sent.transaction));
        if let Some((request, _)) = request {
            headers.copy(HeaderName::Authorization, request);
            headers.copy(HeaderName::ProxyAuthorization, request);
        }
        let parts = Parts { body, headers: Some(&headers), ..Parts::default() };
        let bytes = core.write_ack(dialog, cseq, flow, parts);
        core.layer.send(flow, bytes.clone());
        let tag = dialog.id().remote_tag.clone();
        if let Some(sent) = sent {
            sent.acks.push((tag, bytes, flow));
        }
    }

    pub(super) fn handle_first_response(
        &mut self,
        core: &mut Core,
        index: usize,
        response: Response,
        now: Instant,
    ) {
        let Some(sent) = self.invites.get_mut(index) else { return };
        let (transaction, status) = (sent.transaction, response.status());
        if status.is_provisional() {
            if sent.progress == Progress::None {
                sent.progress = Progress::Provisional;
                if let Some(headers) = sent.cancel.take() {
                    core.send_cancel(transaction, &headers, now);
                }
            }
            if status == StatusCode::TRYING || !matches!(self.state, State::Outgoing(_)) {
                return;
            }
            self.note_early_dialog(core, transaction, &response);
            if !self.acknowledge_provisional(core, &response, now) {
                return;
            }
            self.note_allowed(&response);
            core.events.push_back(Event::Progress { call: CallHandle(self.handle), response });
        } else if status.is_success() {
            sent.progress = Progress::Final;
            self.handle_answer(core, index, response, now);
        } else {
            sent.progress = Progress::Final;
            let State::Outgoing(outgoing) = &mut self.state else { return };
            let challenges = [StatusCode::UNAUTHORIZED, StatusCode::PROXY_AUTHENTICATION_REQUIRED];
            if challenges.contains(&status) {
                let until = now + core.layer.timers().patience();
                outgoing.challenge = Some((response.clone(), until));
                outgoing.early.clear();
                core.events
                    .push_back(Event::Challenged { call: CallHandle(self.handle), response });
            } else if status == StatusCode::SESSION_INTERVAL_TOO_SMALL
                && self.timer.raise(&response)
            {
                outgoing.early.clear();
                let credentials = outgoing.credentials.clone();
                if self.send_first_invite(core, credentials, now).is_err() {
                    self.end(core, End::Refused { response });
                }
            } else {
                self.end(core, End::Refused { response });
            }
        }
    }

    /// A provisional response with a To tag makes an early dialog, one per fork (RFC 3261 §12.1.2).
    pub(super) fn note_early_dialog(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        response: &Response,
    ) {
        let State::Outgoing(outgoing) = &mut self.state else { return };
        let Some(tag) = response.to_tag().and_then(Tag::parse) else { return };
        let known = |early: &&mut Early| early.dialog.id().remote_tag.as_ref() == Some(&tag);
        if let Some(early) = outgoing.early.iter_mut().find(known) {
            early.dialog.refresh_target(response);
            return;
        }
        if outgoing.early.len() >= MAX_FORKS {
            return;
        }
        let Some((request, _)) = core.layer.client_request(transaction) else { return };
        let Some(dialog) = Dialog::establish(request, response) else { return };
        let key = dialog.key();
        outgoing.early.push(Early { dialog, rseq: None, described: false });
        self.register(core, &key);
    }

    /// A 2xx to the first INVITE: the answer, a repetition, or another fork's (RFC 3261 §13.2.2.4).
    pub(super) fn handle_answer(
        &mut self,
        core: &mut Core,
        index: usize,
        response: Response,
        now: Instant,
    ) {
        let tag = response.to_tag().and_then(Tag::parse);
        let Some(sent) = self.invites.get(index) else { return };
        if let Some((_, ack, path)) =
            sent.acks.iter().find(|(acknowledged, ..)| *acknowledged == tag)
        {
            return core.layer.send(*path, ack.clone());
        }
        let (transaction, has_body) = (sent.transaction, sent.has_body);
        let known = self.dialog.as_ref().is_some_and(|dialog| dialog.id().remote_tag == tag);
        if known {
            // The application owes the answer, and with it the ACK.
            return;
        }
        let State::Outgoing(outgoing) = &mut self.state else {
            return self.end_fork(core, index, &response, now);
        };
        let early = outgoing.early.iter().position(|it| it.dialog.id().remote_tag == tag);
        let dialog = match early.map(|at| outgoing.early.remove(at)) {
            Some(Early { mut dialog, .. }) => {
                dialog.confirm_by(&response);
                Some(dialog)
            }
            None => core
                .layer
                .client_request(transaction)
                .and_then(|(request, _)| Dialog::establish(request, &response)),
        };
        // A response without From or To did not get this far; one without tags is RFC 2543's.
        let Some(dialog) = dialog else { return };
        let cseq = outgoing.cseq;
        let gone = outgoing.gone.iter().position(|(gone, _)| Some(gone) == tag.as_ref());
        let bye = gone.map(|at| outgoing.gone.remove(at).1);
        self.unregister(core);
        self.dialog = Some(dialog);
        self.register_dialog(core);
        self.state = State::Confirmed(Confirmed::default());
        self.note_allowed(&response);
        self.timer.learn(&response, now);
        let call = CallHandle(self.handle);
        if has_body || bye.is_some() {
            self.send_ack(core, cseq, None);
        } else if let State::Confirmed(confirmed) = &mut self.state {
            confirmed.answer_due = Some(cseq);
        }
        match bye {
            Some(request) => self.end(core, End::Bye { request }),
            None => core.events.push_back(Event::Answered { call, response }),
        }
    }

    /// A fork that answered too late, or after we withdrew: acknowledged and ended at once.
    pub(super) fn end_fork(
        &mut self,
        core: &mut Core,
        index: usize,
        response: &Response,
        now: Instant,
    ) {
        let Some(sent) = self.invites.get_mut(index) else { return };
        if sent.acks.len() > MAX_FORKS {
            return;
        }
        let Some((request, _)) = core.layer.client_request(sent.transaction) else { return };
        let Some(mut dialog) = Dialog::establish(request, response) else { return };
        let flow = core.dialog_flow(&dialog, self.flow, self.path);
        let ack = core.write_ack(&dialog, dialog.local_cseq(), flow, Parts::default());
        core.layer.send(flow, ack.clone());
        sent.acks.push((dialog.id().remote_tag.clone(), ack, flow));
        core.send_in_dialog(&mut dialog, Method::Bye, Parts::default(), flow, User::Nobody, now);
    }
}
