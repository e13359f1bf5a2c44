//! UPDATE as its sender (RFC 3311): changes a session without a re-INVITE, also before the answer.

use std::time::Instant;

use super::*;

impl Call {
    /// Sends an UPDATE: with an offer, or to tell something by headers alone. Before the call is
    /// answered that takes a provisional response that was acknowledged, since nothing else makes
    /// sure that both sides have the dialog; with several forks nobody is sent anything.
    pub(crate) fn update(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        if !self.peer_updates {
            return Err(VerbError::Method);
        }
        if self.is_updating() || self.offer_in.is_some() {
            return Err(VerbError::OfferPending);
        }
        let is_inviting = self.is_inviting();
        let pracks = self.others.iter().any(|other| other.purpose == Purpose::Prack);
        let mut headers = headers.clone();
        let dialog = match &mut self.state {
            State::Confirmed(confirmed) => {
                let busy = is_inviting
                    || confirmed.answer_due.is_some()
                    || confirmed.retry.is_some()
                    || confirmed.unacknowledged.iter().any(|waiting| waiting.is_offer);
                if busy {
                    return Err(VerbError::OfferPending);
                }
                self.timer.write_refresh(&mut headers);
                self.dialog.as_mut()
            }
            State::Incoming(incoming) => {
                let provisionals = &incoming.provisionals;
                let ready = provisionals.is_acknowledged() && provisionals.answer.is_none();
                let allowed = ready && (body.is_none() || provisionals.described);
                self.dialog.as_mut().filter(|_| allowed)
            }
            State::Outgoing(outgoing) => match &mut outgoing.early[..] {
                [early] if !pracks && early.rseq.is_some() => {
                    let allowed = body.is_none() || early.described;
                    Some(&mut early.dialog).filter(|_| allowed)
                }
                _ => None,
            },
            State::Leaving { .. } | State::Ended => None,
        };
        let dialog = dialog.ok_or(VerbError::WrongState)?;
        let flow = core.dialog_flow(dialog, self.flow, self.path);
        let parts = Parts { contact: Some(&self.contact), headers: Some(&headers), body };
        let user = User::Call(self.handle);
        let transaction = core
            .send_in_dialog(dialog, Method::Update, parts, flow, user, now)
            .ok_or(VerbError::Full)?;
        let purpose = Purpose::Update { has_body: body.is_some() };
        self.others.push(Other { transaction, purpose });
        Ok(())
    }

    /// An UPDATE of ours has no final response yet.
    pub(super) fn is_updating(&self) -> bool {
        let updates =
            |other: &Other| matches!(other.purpose, Purpose::Refresh | Purpose::Update { .. });
        self.others.iter().any(updates)
    }

    /// A request of ours in the dialog got its final response.
    pub(super) fn settle_other(&mut self, transaction: Handle) {
        if let Some(other) = self.others.iter_mut().find(|it| it.transaction == transaction) {
            other.purpose = Purpose::Settled;
        }
    }

    /// The response to an UPDATE of the application's.
    pub(super) fn handle_updated(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        has_body: bool,
        response: Response,
        now: Instant,
    ) {
        let status = response.status();
        if status.is_provisional() {
            return;
        }
        self.settle_other(transaction);
        let call = CallHandle(self.handle);
        let wait = self.glare_wait(core);
        match &mut self.state {
            State::Confirmed(confirmed) => match status {
                status if status.is_success() => {
                    self.note_allowed(&response);
                    self.timer.learn(&response, now);
                    if let Some(dialog) = &mut self.dialog {
                        dialog.refresh_target(&response);
                    }
                }
                StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT => {
                    let end = End::Failed(Failure::DialogGone);
                    return self.end_with_bye(core, &Headers::default(), end, now);
                }
                StatusCode::REQUEST_PENDING => {
                    confirmed.retry = Some(now + wait);
                    return;
                }
                StatusCode::SERVER_INTERNAL_ERROR if response.value(RETRY_AFTER).is_some() => {
                    let wait = response.seconds(RETRY_AFTER).unwrap_or_default();
                    confirmed.retry = Some(now + wait.min(LONGEST_EXPIRES));
                    return;
                }
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                    // Whatever it said: a re-INVITE it must take.
                    self.peer_updates = false;
                    confirmed.retry = Some(now);
                    return;
                }
                _ => {}
            },
            State::Incoming(_) | State::Outgoing(_) => {}
            State::Leaving { .. } | State::Ended => return,
        }
        if has_body {
            core.events.push_back(match status.is_success() {
                true => Event::ReofferAnswered { call, response },
                false => Event::ReofferRefused { call, response },
            });
        }
    }
}

const RETRY_AFTER: HeaderName = HeaderName::RetryAfter;
