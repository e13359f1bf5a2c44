//! What comes within a call's dialogs: requests of the peer, ACKs, and responses to ours
//! (RFC 3261 §12.2).

use std::time::Instant;

use super::*;

impl Call {
    // ---- requests from the peer ----

    /// A request within the dialog, other than ACK and CANCEL, with a transaction of its own.
    pub(crate) fn handle_request(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        request: Request,
        flow: Flow,
        now: Instant,
    ) {
        if matches!(self.state, State::Ended) {
            // RFC 5407 §3.2.1: BYEs that cross are both accepted.
            let is_bye = *request.method() == Method::Bye;
            let status = if is_bye { StatusCode::OK } else { StatusCode::CALL_DOES_NOT_EXIST };
            return core.respond_plain(transaction, status, Parts::default(), now);
        }
        let remote_tag = request.from_tag().and_then(Tag::parse);
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let order = match &mut self.state {
            State::Outgoing(outgoing) => {
                let early =
                    outgoing.early.iter_mut().find(|it| it.dialog.id().remote_tag == remote_tag);
                match (early, remote_tag, request.method()) {
                    (_, Some(tag), Method::Bye) => {
                        // It overtook the 2xx: a callee sends no BYE before that (RFC 3261 §15).
                        core.respond_plain(transaction, StatusCode::OK, Parts::default(), now);
                        if outgoing.gone.len() < MAX_FORKS {
                            outgoing.gone.push((tag, request));
                        }
                        return;
                    }
                    (Some(early), _, method) => {
                        let order = early.dialog.handle_request(number);
                        if order == Order::InOrder && *method == Method::Update {
                            early.dialog.refresh_target(&request);
                        }
                        order
                    }
                    (None, _, _) => {
                        core.counters.unknown_dialogs += 1;
                        return core.respond_plain(
                            transaction,
                            StatusCode::CALL_DOES_NOT_EXIST,
                            Parts::default(),
                            now,
                        );
                    }
                }
            }
            State::Incoming(_) | State::Confirmed(_) | State::Leaving { .. } | State::Ended => {
                match &mut self.dialog {
                    Some(dialog) => dialog.handle_request(number),
                    None => Order::OutOfOrder,
                }
            }
        };
        if order == Order::OutOfOrder {
            return core.respond_plain(
                transaction,
                StatusCode::SERVER_INTERNAL_ERROR,
                Parts::default(),
                now,
            );
        }
        self.flow = flow;
        core.layer.set_server_user(transaction, User::Call(self.handle));
        match request.method() {
            Method::Bye => self.handle_bye(core, transaction, request, now),
            Method::Prack => self.handle_prack(core, transaction, request, now),
            Method::Invite | Method::Update => self.handle_offer(core, transaction, request, now),
            Method::Options => {
                let mut headers = Headers::default();
                headers.push(HeaderName::Accept, ACCEPT);
                let parts = Parts { headers: Some(&headers), ..Parts::default() };
                core.respond_plain(transaction, StatusCode::OK, parts, now);
            }
            _ if self.is_ended() => {
                core.respond_plain(
                    transaction,
                    StatusCode::CALL_DOES_NOT_EXIST,
                    Parts::default(),
                    now,
                );
            }
            Method::Refer => self.handle_refer(core, transaction, request, now),
            _ => {
                let (call, transaction) = (CallHandle(self.handle), TransactionHandle(transaction));
                core.events.push_back(Event::InDialog { call, transaction, request });
            }
        }
    }

    fn handle_bye(&mut self, core: &mut Core, transaction: Handle, request: Request, now: Instant) {
        core.respond_plain(transaction, StatusCode::OK, Parts::default(), now);
        // RFC 3261 §15.1.2: what is still unanswered gets 487.
        self.refuse_incoming(core, StatusCode::REQUEST_TERMINATED, &Headers::default(), now);
        self.refuse_offer_in(core, StatusCode::REQUEST_TERMINATED, now);
        self.end(core, End::Bye { request });
    }

    /// An ACK within the dialog. False if nobody waits for it.
    pub(crate) fn handle_ack(&mut self, core: &mut Core, request: Request, now: Instant) -> bool {
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        match &mut self.state {
            State::Confirmed(confirmed) => {
                let found =
                    confirmed.unacknowledged.iter().position(|waiting| waiting.cseq == number);
                let Some(index) = found else { return false };
                confirmed.unacknowledged.remove(index);
                core.events
                    .push_back(Event::Acknowledged { call: CallHandle(self.handle), request });
                true
            }
            State::Leaving { unacknowledged, headers } if unacknowledged.cseq == number => {
                let headers = std::mem::take(headers);
                self.send_bye(core, &headers, now);
                self.state = State::Ended;
                true
            }
            State::Incoming(_) | State::Outgoing(_) | State::Leaving { .. } | State::Ended => false,
        }
    }

    /// Our tag, for the answer to a CANCEL (RFC 3261 §9.2).
    pub(crate) fn local_tag(&self) -> Option<&Tag> {
        self.dialog.as_ref().map(|dialog| &dialog.id().local_tag)
    }

    // ---- responses from the peer ----

    /// A response to a request of ours, passed on by its transaction.
    pub(crate) fn handle_response(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        response: Response,
        flow: Flow,
        now: Instant,
    ) {
        // A response by a stream is the path of what follows, whatever the request was sent by.
        if flow.connection.is_some() {
            self.flow = flow;
        }
        if self.handle_notified(core, transaction, Some(response.status()), now) {
            return;
        }
        let challenges = [StatusCode::UNAUTHORIZED, StatusCode::PROXY_AUTHENTICATION_REQUIRED];
        if challenges.contains(&response.status())
            && self.answer_challenge(core, transaction, &response, now)
        {
            return;
        }
        let sent =
            self.invites.iter().enumerate().find(|(_, sent)| sent.transaction == transaction);
        if let Some((index, sent)) = sent {
            match sent.kind {
                InviteKind::First => self.handle_first_response(core, index, response, now),
                InviteKind::Again => self.handle_later_response(core, index, response, now),
            }
        } else if let Some(purpose) = self.purpose_of(transaction) {
            self.handle_other_response(core, transaction, purpose, response, now);
        }
        // The response to a BYE changes nothing (RFC 3261 §15.1.1); its transaction reports its end.
    }

    /// A request of ours failed without a response.
    pub(crate) fn handle_failure(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        event: ClientEvent,
        now: Instant,
    ) {
        let failure = match event {
            ClientEvent::TimedOut => Failure::TimedOut,
            ClientEvent::TransportFailed => Failure::Unreachable,
            // Responses come by `handle_response`.
            ClientEvent::Response(_) => return,
        };
        if self.handle_notified(core, transaction, None, now) {
            return;
        }
        if let Some(index) = self.invites.iter().position(|sent| sent.transaction == transaction) {
            let Some(sent) = self.invites.get(index) else { return };
            match (sent.kind, &self.state) {
                (InviteKind::First, State::Outgoing(_)) => {
                    // Timer C: the callee may ring on, so it is told (RFC 3261 §16.8).
                    self.withdraw(core, &Headers::default(), now);
                    self.end(core, End::Failed(failure));
                }
                (InviteKind::Again, State::Confirmed(_)) => {
                    self.end_with_bye(core, &Headers::default(), End::Failed(failure), now);
                }
                _ => {}
            }
        } else {
            match self.purpose_of(transaction) {
                Some(Purpose::Refresh) => self.handle_refreshed(core, transaction, None, now),
                Some(Purpose::Application(request)) => {
                    core.events.push_back(Event::RequestFailed { request, failure });
                }
                Some(Purpose::Update { .. }) if matches!(self.state, State::Confirmed(_)) => {
                    let end = End::Failed(failure);
                    self.end_with_bye(core, &Headers::default(), end, now);
                }
                // The callee gives up by itself (RFC 3262 §3).
                Some(Purpose::Prack | Purpose::Update { .. }) => self.settle_other(transaction),
                Some(Purpose::Settled) | None => {}
            }
        }
    }

    fn purpose_of(&self, transaction: Handle) -> Option<Purpose> {
        let other = self.others.iter().find(|other| other.transaction == transaction)?;
        Some(other.purpose)
    }

    fn handle_other_response(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        purpose: Purpose,
        response: Response,
        now: Instant,
    ) {
        match purpose {
            Purpose::Refresh => self.handle_refreshed(core, transaction, Some(&response), now),
            Purpose::Application(request) => {
                let is_gone = response.status() == StatusCode::CALL_DOES_NOT_EXIST;
                core.events.push_back(Event::Response { request, response });
                if is_gone && matches!(self.state, State::Confirmed(_)) {
                    let end = End::Failed(Failure::DialogGone);
                    self.end_with_bye(core, &Headers::default(), end, now);
                }
            }
            Purpose::Update { has_body } => {
                self.handle_updated(core, transaction, has_body, response, now);
            }
            // A refusal changes nothing: the final response says how the call fares.
            Purpose::Prack => {
                if !response.status().is_provisional() {
                    self.settle_other(transaction);
                }
            }
            Purpose::Settled => {}
        }
    }

    /// A transaction of ours is no more.
    pub(crate) fn handle_transaction_end(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        now: Instant,
    ) {
        self.invites.retain(|sent| sent.transaction != transaction);
        self.others.retain(|other| other.transaction != transaction);
        if self.bye == Some(transaction) {
            self.bye = None;
            self.notify_referrers(core, now);
        }
    }
}
