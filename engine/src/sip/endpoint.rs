//! The stack as one value: routes each message to its transaction, its call or the application.
//!
//! RFC 3261 §8.2 (what is checked before a request is executed), §9.2 (CANCEL), §12.2.2 (requests
//! within a dialog), §17 and §18 by way of the transaction layer. After each way in, drain
//! `poll_transmit` and `poll_event` until `None`; what waits there is bounded by the tables.

mod subscriptions;

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::auth::OwnCredentials;
use super::core::{
    ACCEPT, Core, Draft, Parts, RETRY_AFTER, Usage, ack_failure, reply_to, request_parts,
};
pub use super::core::{
    Counters, EndpointConfig, OtherMethods, PathPolicy, PublicAddress, ResponsePort,
};
use super::deadlines::Deadlines;
use super::event::{
    Body, CallHandle, EarlyOffer, Event, Failure, OutgoingCall, OutgoingRequest, ReferHandle,
    RequestHandle, Terms, TransactionHandle, VerbError, check_extra,
};
use super::flow::{ConnectionId, Flow, Transmit, Transport};
use super::invite::Call;
use super::large::MOST_REQUEST;
use super::refer::Replaces;
use super::subscribe::Subscription;
use super::table::{Handle, Table};
use super::transaction::ClientEvent;
use super::transaction::key::{ByKey, Key};
use super::transaction::layer::{Matched, Outcome, Responded, User};
use super::{
    CallId, HeaderName, Headers, Limits, Message, Method, ParseErrorKind, Request, Response,
    Scheme, StatusCode, Tag, Uri,
};
use crate::entropy::Entropy;

/// A SIP stack without sockets or clocks.
#[derive(Debug)]
pub struct Endpoint {
    core: Core,
    calls: Table<Call>,
    call_deadlines: Deadlines,
    subscriptions: Table<Subscription>,
    subscription_deadlines: Deadlines,
    limits: Limits,
}

/// The ways in and out (see the guide's verbs).
impl Endpoint {
    /// An idle stack. `entropy` gives tags, branches and Call-IDs.
    pub fn new(config: EndpointConfig, entropy: Entropy) -> Self {
        Self {
            calls: Table::new(config.max_calls),
            subscriptions: Table::new(config.max_subscriptions),
            subscription_deadlines: Deadlines::default(),
            core: Core::new(config, entropy),
            call_deadlines: Deadlines::default(),
            limits: Limits::default(),
        }
    }

    /// A datagram, or one message cut from a stream, was received.
    pub fn handle_packet(&mut self, flow: Flow, bytes: Bytes, now: Instant) {
        self.core.layer.note_flow(flow);
        let length = bytes.len();
        match Message::parse(bytes, &self.limits) {
            Ok(Message::Request(request)) if exceeds_a_datagram(flow, length, &request) => {
                self.core.counters.too_large += 1;
                self.refuse(flow, &request, StatusCode::MESSAGE_TOO_LARGE, &Headers::default());
            }
            Ok(Message::Request(request)) => self.handle_request(flow, request, now),
            Ok(Message::Response(response)) => self.handle_response(flow, response, now),
            Err(error) if error.kind() == ParseErrorKind::KeepAlive => {}
            Err(error) => {
                let (status, kind) = (error.status(), error.kind());
                match status.zip(error.into_request()) {
                    Some((status, request)) => {
                        self.core.counters.bad_requests += 1;
                        self.refuse_malformed(flow, request, status, kind);
                    }
                    None => self.core.counters.malformed += 1,
                }
            }
        }
        self.drain_outcomes(now);
    }

    /// A stream is gone; requests that wait for their responses on it have failed.
    ///
    /// One on which nothing was ever received is not known here: report it by
    /// `handle_transport_error`.
    pub fn handle_connection_closed(&mut self, id: ConnectionId, now: Instant) {
        self.core.layer.handle_connection_closed(id, now);
        self.drain_outcomes(now);
    }

    /// A message could not be sent on this flow (as it was in its [`Transmit`]).
    pub fn handle_transport_error(&mut self, flow: Flow, now: Instant) {
        self.core.layer.handle_transport_error(flow, now);
        self.drain_outcomes(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.core.layer.handle_timeout(now);
        self.drain_outcomes(now);
        while let Some(slot) = self.call_deadlines.pop_due(now) {
            if let Some(handle) = self.calls.handle_of(slot) {
                self.with_any_call(handle, |call, core| call.handle_timeout(core, now));
            }
        }
        self.wake_subscriptions(now);
        self.drain_outcomes(now);
    }

    /// What is to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.core.layer.poll_transmit()
    }

    /// What the application has to hear.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = [self.call_deadlines.next(), self.subscription_deadlines.next()];
        own.into_iter().flatten().chain(self.core.layer.poll_timeout()).min()
    }

    /// What was dropped or refused on sight so far.
    pub fn counters(&self) -> Counters {
        self.core.counters
    }

    /// The settings.
    pub fn config(&self) -> &EndpointConfig {
        &self.core.config
    }

    /// Shows another name, and addresses of ours as others see them. Dialogs keep the addresses that
    /// they began with until they send one anew.
    pub fn set_presentation(&mut self, product: String, public_addresses: Vec<PublicAddress>) {
        self.core.config.product = product;
        self.core.config.public_addresses = public_addresses;
    }

    /// How many calls live, ended ones whose transactions last included.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// How many client and server transactions live.
    pub fn transaction_count(&self) -> (usize, usize) {
        self.core.layer.len()
    }

    /// Nothing lives: no call, no subscription, no transaction, no dialog, no deadline.
    pub fn is_idle(&self) -> bool {
        self.calls.len() == 0
            && self.subscriptions.len() == 0
            && self.core.layer.is_idle()
            && self.core.dialogs.is_empty()
            && self.poll_timeout().is_none()
    }
}

/// Verbs on requests outside any dialog.
impl Endpoint {
    /// Answers a request of [`Event::Request`] or [`Event::InDialog`].
    ///
    /// # Errors
    /// When it was answered with a final response before, or its sender has given up.
    pub fn respond(
        &mut self,
        transaction: TransactionHandle,
        status: StatusCode,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.core.layer.answerable(transaction.0).ok_or(VerbError::Gone)?;
        let parts = Parts { headers: Some(headers), body, contact: None };
        self.core.respond_plain(transaction.0, status, parts, now);
        self.drain_outcomes(now);
        Ok(())
    }

    /// Answers a request of [`Event::Request`] and forgets it: a challenge to somebody unknown costs
    /// no memory (RFC 3261 §8.2.7).
    ///
    /// # Errors
    /// When it was answered before, or its sender has given up.
    pub fn respond_stateless(
        &mut self,
        transaction: TransactionHandle,
        status: StatusCode,
        headers: &Headers,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.core.layer.answerable(transaction.0).ok_or(VerbError::Gone)?;
        let forgotten = self.core.layer.forget_server(transaction.0);
        let (request, reply) = forgotten.ok_or(VerbError::Gone)?;
        let parts = Parts { headers: Some(headers), ..Parts::default() };
        self.core.respond_stateless_to(&request, reply, status, parts);
        Ok(())
    }

    /// Leaves a request of [`Event::Request`] without any answer, and forgets it at once.
    pub fn ignore(&mut self, transaction: TransactionHandle) {
        self.core.layer.forget_server(transaction.0);
    }

    /// Leaves an INVITE of [`Event::IncomingCall`] to which nothing was sent yet without any answer,
    /// and forgets it at once.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn ignore_call(&mut self, call: CallHandle, now: Instant) -> Result<(), VerbError> {
        self.with_call(call, now, |call, core| call.ignore(core))
    }

    /// Says which port the responses of [`Event::Request`] or [`Event::InDialog`] go to; at first it
    /// is [`EndpointConfig::response_port`], or the call's. Without effect once that has ended.
    pub fn set_response_port(&mut self, transaction: TransactionHandle, port: ResponsePort) {
        self.core.layer.set_reply(transaction.0, |request, flow| reply_to(request, flow, port));
    }

    /// The path to a URI of a peer whose latest message came on `latest`, as a request in a dialog
    /// with it would take.
    pub fn path_to(&self, target: &Uri, latest: Flow, policy: PathPolicy) -> Flow {
        self.core.path_to(target, latest, policy, false)
    }

    /// The URI that peers reach `user` at over a flow: our address as they see it, and the transport.
    pub fn contact_uri(&self, user: &[u8], flow: &Flow) -> Uri {
        self.core.contact_uri(user, flow)
    }

    /// Sends a request outside any dialog. Its responses come as [`Event::Response`].
    ///
    /// # Errors
    /// When the method has verbs of its own, a header is reserved, or the table is full.
    pub fn send_request(
        &mut self,
        spec: OutgoingRequest,
        now: Instant,
    ) -> Result<RequestHandle, VerbError> {
        check_extra(&spec.headers)?;
        if matches!(spec.method, Method::Invite | Method::Ack | Method::Cancel | Method::Bye) {
            return Err(VerbError::Method);
        }
        let tag = Tag::random(&mut self.core.entropy);
        let call_id = match spec.call_id {
            Some(call_id) => call_id,
            None => CallId::random(&mut self.core.entropy),
        };
        let from = spec.from.with_tag(&tag).to_string();
        let to = spec.to.without_tag().to_string();
        let draft = Draft {
            method: spec.method,
            uri: &spec.target,
            routes: &spec.routes,
            from: from.as_bytes(),
            to: to.as_bytes(),
            call_id: call_id.as_str(),
            cseq: spec.cseq,
            max_forwards: spec.max_forwards,
            parts: Parts { contact: None, headers: Some(&spec.headers), body: spec.body.as_ref() },
        };
        let handle =
            self.core.send(draft, spec.flow, User::Application, now).ok_or(VerbError::Full)?;
        self.drain_outcomes(now);
        Ok(RequestHandle(handle))
    }

    /// The headers of a 415: the body types calls are made of.
    pub fn unsupported_media_headers() -> Headers {
        let mut headers = Headers::default();
        headers.push(HeaderName::Accept, ACCEPT);
        headers
    }
}

/// Verbs on calls. Each fails with [`VerbError::Gone`] after [`Event::Ended`], and with
/// [`VerbError::WrongState`] when it is not its time.
impl Endpoint {
    /// Places a call.
    ///
    /// # Errors
    /// When a header is reserved or a table is full.
    pub fn call(&mut self, spec: OutgoingCall, now: Instant) -> Result<CallHandle, VerbError> {
        check_extra(&spec.headers)?;
        if self.calls.is_full() || self.core.layer.is_full_of_clients() {
            return Err(VerbError::Full);
        }
        let call = Call::outgoing(&mut self.core, spec);
        let handle = self.calls.insert(call).map_err(|_| VerbError::Full)?;
        self.with_call(CallHandle(handle), now, |call, core| call.start(core, handle, now))?;
        Ok(CallHandle(handle))
    }

    /// Callee: sends the 100, and so takes the call on.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn proceed(&mut self, call: CallHandle, now: Instant) -> Result<(), VerbError> {
        self.with_call(call, now, |call, core| call.proceed(core, now))
    }

    /// Callee: sends 180, 183 or another provisional response.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn ring(
        &mut self,
        call: CallHandle,
        status: StatusCode,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.ring(core, status, headers, body, now))
    }

    /// Callee: sends 200. The body is the answer, or the offer if the INVITE had none.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn answer(
        &mut self,
        call: CallHandle,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.answer(core, headers, body, now))
    }

    /// Callee: sends a failure, 3xx to 6xx.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn reject(
        &mut self,
        call: CallHandle,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.reject(core, status, headers, now))
    }

    /// Callee: sends a failure and keeps no trace, neither a timer nor a repetition. Not possible,
    /// and then the same as `reject`, once a provisional response was sent.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn reject_stateless(
        &mut self,
        call: CallHandle,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.reject_stateless(core, status, headers, now))
    }

    /// Caller: sends the INVITE again, with the credentials that [`Event::Challenged`] asks for.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn authenticate(
        &mut self,
        call: CallHandle,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.authenticate(core, headers, now))
    }

    /// Caller: sends the ACK of a 2xx that held an offer, with the answer.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn acknowledge(
        &mut self,
        call: CallHandle,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        self.with_call(call, now, |call, core| call.acknowledge(core, body))
    }

    /// Caller: withdraws the INVITE, with CANCEL as soon as that is allowed.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn cancel(
        &mut self,
        call: CallHandle,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.cancel(core, headers, now))
    }

    /// Ends an answered call; `headers` may hold a Reason.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn bye(
        &mut self,
        call: CallHandle,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.bye(core, headers, now))
    }

    /// Ends a call in whatever state: `reject` with `status`, `cancel` or `bye`.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn hang_up(
        &mut self,
        call: CallHandle,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.hang_up(core, status, headers, now))
    }

    /// Sends a re-INVITE: with an offer, or to ask for one.
    ///
    /// # Errors
    /// [`VerbError::OfferPending`] while any offer, ACK or retry is outstanding.
    pub fn reinvite(
        &mut self,
        call: CallHandle,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.reinvite(core, headers, body, now))
    }

    /// Sends an UPDATE (RFC 3311): with an offer, or to tell something by headers alone. With an
    /// offer its end is told as a `reinvite`'s; one that met another request is told by
    /// [`Event::ReofferDue`] in both cases.
    ///
    /// # Errors
    /// [`VerbError::Method`] when the peer takes no UPDATE, [`VerbError::OfferPending`] while any
    /// offer, UPDATE or retry is outstanding, [`VerbError::WrongState`] before the answer unless a
    /// reliable provisional response was acknowledged.
    pub fn update(
        &mut self,
        call: CallHandle,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.update(core, headers, body, now))
    }

    /// How an offer of ours may travel in a provisional response to a call that came without one.
    pub fn early_offer(&self, call: CallHandle) -> EarlyOffer {
        self.calls.get(call.0).map_or(EarlyOffer::Impossible, Call::early_offer)
    }

    /// Whether nobody has said anything yet to a call of ours, not even 100.
    pub fn is_unheard(&self, call: CallHandle) -> bool {
        self.calls.get(call.0).is_some_and(Call::is_unheard)
    }

    /// Answers [`Event::Reoffer`] with 200.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn accept_offer(
        &mut self,
        call: CallHandle,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.accept_offer(core, headers, body, now))
    }

    /// Answers [`Event::Reoffer`] with a failure; 488 says that the offer does not suit.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn refuse_offer(
        &mut self,
        call: CallHandle,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.refuse_offer(core, status, headers, now))
    }

    /// Says what an incoming call wants of session timers and the like; at first it wants nothing.
    /// To be said before anything is answered. Returns with what the INVITE is to be refused if it
    /// does not suit: 420, 421 or 422, and the headers that explain it.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn set_terms(
        &mut self,
        call: CallHandle,
        terms: Terms,
        now: Instant,
    ) -> Result<Result<(), (StatusCode, Headers)>, VerbError> {
        self.with_call(call, now, |call, core| Ok(call.set_terms(core, terms)))
    }

    /// Says what challenges to requests within the call's dialog are answered with: re-INVITE, UPDATE,
    /// BYE and all others but the first INVITE, which `authenticate` is for.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn set_credentials(
        &mut self,
        call: CallHandle,
        credentials: Vec<OwnCredentials>,
        now: Instant,
    ) -> Result<(), VerbError> {
        self.with_call(call, now, |call, _| {
            call.set_credentials(credentials);
            Ok(())
        })
    }

    /// Says how the path of later requests in this call's dialog is found; at first it is
    /// [`EndpointConfig::path`].
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn set_path_policy(
        &mut self,
        call: CallHandle,
        policy: PathPolicy,
        now: Instant,
    ) -> Result<(), VerbError> {
        self.with_call(call, now, |call, _| {
            call.set_path_policy(policy);
            Ok(())
        })
    }

    /// Says which port responses to this call's requests go to, its INVITE's included; at first it
    /// is [`EndpointConfig::response_port`].
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn set_call_response_port(
        &mut self,
        call: CallHandle,
        port: ResponsePort,
        now: Instant,
    ) -> Result<(), VerbError> {
        self.with_call(call, now, |call, core| {
            call.set_response_port(core, port);
            Ok(())
        })
    }

    /// Sends another request in the dialog: INFO, MESSAGE, .. Responses come as
    /// [`Event::Response`].
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn send_in_dialog(
        &mut self,
        call: CallHandle,
        method: Method,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<RequestHandle, VerbError> {
        check_extra(headers)?;
        self.with_call(call, now, |call, core| call.send(core, method, headers, body, now))
    }
}

/// Transfers.
impl Endpoint {
    /// Answers [`Event::Refer`] with 202. From then on `report_refer` tells its sender how the
    /// referred request fares; `None` when it does not want to hear (RFC 4488).
    ///
    /// Nothing reported within three minutes ends the reports.
    ///
    /// # Errors
    /// See [`VerbError`].
    pub fn accept_refer(
        &mut self,
        call: CallHandle,
        transaction: TransactionHandle,
        now: Instant,
    ) -> Result<Option<ReferHandle>, VerbError> {
        self.with_call(call, now, |call, core| call.accept_refer(core, transaction.0, now))
    }

    /// Tells the sender of a REFER how far the referred request has come: the status of its latest
    /// response. A final one is the last that can be told.
    ///
    /// # Errors
    /// [`VerbError::Gone`] when nobody listens any more.
    pub fn report_refer(
        &mut self,
        refer: ReferHandle,
        status: StatusCode,
        now: Instant,
    ) -> Result<(), VerbError> {
        let reported = self
            .with_any_call(refer.call, |call, core| call.report_refer(core, refer.id, status, now));
        self.drain_outcomes(now);
        reported.unwrap_or(Err(VerbError::Gone))
    }

    /// The call that a Replaces names (RFC 3891 §3).
    ///
    /// # Errors
    /// With the status to refuse the INVITE with: 481 when there is no such call, or it rings here
    /// and so is not ours to be replaced; 486 when only an unanswered one would have done; 603 when
    /// the call is over.
    pub fn replaced_call(&self, replaces: &Replaces) -> Result<CallHandle, StatusCode> {
        let Replaces { call_id, to_tag, from_tag, replaceable } = replaces;
        let key = Key::dialog(call_id.as_str(), to_tag.as_str(), from_tag.as_str());
        let Some(Usage::Call(handle)) = self.core.dialogs.find(&key) else {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        };
        let call = self.calls.get(*handle).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        call.can_be_replaced(*replaceable).map(|()| CallHandle(*handle))
    }

    /// The Replaces by which somebody else takes over the peer's side of a call: for the Refer-To of
    /// an attended transfer. `None` unless it is answered, by a peer with a tag.
    pub fn replaces_of(&self, call: CallHandle) -> Option<Replaces> {
        self.calls.get(call.0)?.replaces()
    }
}

/// Requests.
impl Endpoint {
    fn handle_request(&mut self, flow: Flow, mut request: Request, now: Instant) {
        let parts = request_parts(&request);
        let as_invite = Key::server(&parts, Method::Invite.as_str().as_bytes());
        if *request.method() == Method::Ack {
            request.stamp_source(flow.peer);
            return self.handle_ack(&as_invite, request, now);
        }
        let key = Key::server(&parts, parts.method);
        if self.core.layer.match_request(&key, request.method(), now) != Matched::New {
            return;
        }
        let merged = request.to_tag().is_none().then(|| Key::merged(&parts));
        request.stamp_source(flow.peer);
        if *request.method() == Method::Cancel {
            return self.handle_cancel(flow, key, &as_invite, request, now);
        }
        if let Some((status, headers)) = self.refusal(&request) {
            self.core.counters.unsupported += 1;
            return self.refuse(flow, &request, status, &headers);
        }
        let local_tag = request.to_tag().map(str::to_owned);
        match (&local_tag, request.method()) {
            // A registration belongs to no dialog, whatever its To says (RFC 3261 §10.2).
            (Some(_), Method::Register) | (None, _) => {}
            (Some(local_tag), _) => {
                return self.handle_in_dialog(flow, key, local_tag, request, now);
            }
        }
        if matches!(request.method(), Method::Bye | Method::Info | Method::Update | Method::Prack) {
            self.core.counters.unknown_dialogs += 1;
            return self.refuse(
                flow,
                &request,
                StatusCode::CALL_DOES_NOT_EXIST,
                &Headers::default(),
            );
        }
        if merged.as_ref().is_some_and(|merged| self.core.layer.is_merged(merged)) {
            self.core.counters.merged += 1;
            return self.refuse(flow, &request, StatusCode::LOOP_DETECTED, &Headers::default());
        }
        let is_invite = *request.method() == Method::Invite;
        if is_invite && self.calls.is_full() {
            return self.refuse_overload(flow, &request);
        }
        let port = self.core.config.response_port;
        let started = self.start_server(flow, key, merged, &request, port, now);
        let Some(transaction) = started else { return };
        if is_invite {
            self.handle_invite(flow, transaction, request, now);
        } else {
            let transaction = TransactionHandle(transaction);
            self.core.events.push_back(Event::Request { transaction, request, flow });
        }
    }

    fn handle_invite(&mut self, flow: Flow, transaction: Handle, request: Request, now: Instant) {
        let call = Call::incoming(&mut self.core, &request, flow, transaction, now);
        let Some(handle) = call.and_then(|call| self.calls.insert(call).ok()) else {
            // No Contact, no dialog (RFC 3261 §8.1.1.8).
            self.core.layer.forget_server(transaction);
            self.core.counters.bad_requests += 1;
            let kind = ParseErrorKind::Missing(HeaderName::Contact);
            return self.refuse_malformed(flow, request, StatusCode::BAD_REQUEST, kind);
        };
        let call = CallHandle(handle);
        // An incoming call starts without a way to fail.
        let _ = self.with_call(call, now, |call, core| call.start(core, handle, now));
        self.core.events.push_back(Event::IncomingCall { call, request, flow });
    }

    fn handle_ack(&mut self, as_invite: &Key, request: Request, now: Instant) {
        if self.core.layer.match_request(as_invite, &Method::Ack, now) == Matched::Absorbed {
            return;
        }
        let usage = request.to_tag().and_then(|local_tag| self.find_dialog(local_tag, &request));
        let taken = usage.and_then(|usage| match usage {
            Usage::Call(handle) => {
                self.with_any_call(handle, |call, core| call.handle_ack(core, request, now))
            }
            Usage::Subscription(_) => None,
        });
        if taken != Some(true) {
            self.core.counters.stray_acks += 1;
        }
    }

    fn handle_cancel(
        &mut self,
        flow: Flow,
        key: Key,
        as_invite: &Key,
        request: Request,
        now: Instant,
    ) {
        let Some((invite, user)) = self.core.layer.find_server(as_invite) else {
            self.core.counters.unknown_dialogs += 1;
            return self.refuse(
                flow,
                &request,
                StatusCode::CALL_DOES_NOT_EXIST,
                &Headers::default(),
            );
        };
        let port = self.response_port(user);
        let started = self.start_server(flow, key, None, &request, port, now);
        let Some(transaction) = started else { return };
        let User::Call(handle) = user else {
            return self.core.respond_plain(transaction, StatusCode::OK, Parts::default(), now);
        };
        self.with_any_call(handle, |call, core| {
            // The same To tag as in the responses to the INVITE (RFC 3261 §9.2).
            match call.local_tag().cloned() {
                Some(tag) => {
                    drop(core.respond(transaction, StatusCode::OK, &tag, Parts::default(), now))
                }
                None => core.respond_plain(transaction, StatusCode::OK, Parts::default(), now),
            }
            call.handle_cancel(core, invite, request, now);
        });
        // The call may have ended before its transaction: the CANCEL is answered all the same.
        self.core.respond_plain(transaction, StatusCode::OK, Parts::default(), now);
    }

    fn handle_in_dialog(
        &mut self,
        flow: Flow,
        key: Key,
        local_tag: &str,
        request: Request,
        now: Instant,
    ) {
        let Some(usage) = self.find_dialog(local_tag, &request) else {
            self.core.counters.unknown_dialogs += 1;
            return self.refuse(
                flow,
                &request,
                StatusCode::CALL_DOES_NOT_EXIST,
                &Headers::default(),
            );
        };
        let port = self.response_port(match usage {
            Usage::Call(handle) => User::Call(handle),
            Usage::Subscription(handle) => User::Subscription(handle),
        });
        let started = self.start_server(flow, key, None, &request, port, now);
        let Some(transaction) = started else { return };
        match usage {
            Usage::Call(handle) => {
                self.with_any_call(handle, |call, core| {
                    call.handle_request(core, transaction, request, flow, now)
                });
            }
            Usage::Subscription(handle) => {
                self.with_subscription(handle, |subscription, core| {
                    subscription.handle_request(core, transaction, &request, flow, now);
                });
            }
        }
    }

    /// What a request's dialog is used for; failing that, the caller's call whose 2xx the
    /// request may have overtaken.
    fn find_dialog(&self, local_tag: &str, request: &Request) -> Option<Usage> {
        let call_id = request.call_id()?;
        let key = Key::dialog(call_id, local_tag, request.from_tag().unwrap_or_default());
        let dialogs = &self.core.dialogs;
        dialogs.find(&key).or_else(|| dialogs.find(&Key::half_dialog(call_id, local_tag))).copied()
    }

    /// Which port responses go to within a call or a subscription.
    fn response_port(&self, user: User) -> ResponsePort {
        let port = match user {
            User::Call(handle) => self.calls.get(handle).map(Call::response_port),
            User::Subscription(handle) => {
                self.subscriptions.get(handle).map(|it| it.terms().response_port)
            }
            User::Application | User::Nobody => None,
        };
        port.unwrap_or(self.core.config.response_port)
    }

    fn start_server(
        &mut self,
        flow: Flow,
        key: Key,
        merged: Option<Key>,
        request: &Request,
        port: ResponsePort,
        now: Instant,
    ) -> Option<Handle> {
        let reply = reply_to(request, flow, port);
        let started =
            self.core.layer.start_server(key, merged, request.clone(), reply, User::Nobody, now);
        if started.is_none() {
            self.refuse_overload(flow, request);
        }
        started
    }

    /// What a UAS inspects before it looks at what a request wants (RFC 3261 §8.2.1 to §8.2.3).
    fn refusal(&self, request: &Request) -> Option<(StatusCode, Headers)> {
        let mut headers = Headers::default();
        if self.core.config.refuses(request) {
            // RFC 3261 §21.5.2, §21.4.6: 501 for a method nobody here knows, 405 for one not served.
            let is_known = !matches!(request.method(), Method::Extension(_));
            if !is_known {
                headers.push(HeaderName::Allow, self.core.config.allow());
            }
            let status =
                if is_known { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_IMPLEMENTED };
            return Some((status, headers));
        }
        if request.uri().scheme() == Scheme::Other {
            return Some((StatusCode::UNSUPPORTED_URI_SCHEME, headers));
        }
        // An OPTIONS may ask who is at the end of so many hops (RFC 3261 §11); the others would be
        // carried on by the call they cause.
        if request.max_forwards() == Some(0) && *request.method() != Method::Options {
            return Some((StatusCode::TOO_MANY_HOPS, headers));
        }
        let required = request.tokens(HeaderName::Require);
        let unsupported: Vec<&str> =
            required.filter(|option| !self.core.config.serves(option)).collect();
        if !unsupported.is_empty() {
            headers.push(HeaderName::Unsupported, unsupported.join(", "));
            return Some((StatusCode::BAD_EXTENSION, headers));
        }
        let is_plain = request
            .tokens(HeaderName::ContentEncoding)
            .all(|coding| coding.eq_ignore_ascii_case("identity"));
        if !request.body().is_empty() && !is_plain {
            headers.push(HeaderName::AcceptEncoding, "identity");
            headers.push(HeaderName::Accept, ACCEPT);
            return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, headers));
        }
        None
    }

    fn refuse(&mut self, flow: Flow, request: &Request, status: StatusCode, headers: &Headers) {
        let parts = Parts { headers: Some(headers), ..Parts::default() };
        self.core.respond_stateless(request, flow, status, parts);
    }

    fn refuse_overload(&mut self, flow: Flow, request: &Request) {
        self.core.counters.overloaded += 1;
        let mut headers = Headers::default();
        headers.push(HeaderName::RetryAfter, RETRY_AFTER.as_secs());
        self.refuse(flow, request, StatusCode::SERVICE_UNAVAILABLE, &headers);
    }

    /// Answers what could be read of a malformed request, with what is wrong in the reason phrase.
    fn refuse_malformed(
        &mut self,
        flow: Flow,
        mut request: Request,
        status: StatusCode,
        kind: ParseErrorKind,
    ) {
        request.stamp_source(flow.peer);
        let tag = self.core.stateless_tag(&request);
        let reason = format!("{} ({kind})", status.reason());
        let response =
            self.core.response(&request, status, &tag, Parts::default()).with_reason(&reason);
        self.core
            .send_response(reply_to(&request, flow, self.core.config.response_port), &response);
    }
}

/// Responses and the tables.
impl Endpoint {
    fn handle_response(&mut self, flow: Flow, response: Response, now: Instant) {
        // More than one Via: it was meant for somebody behind us (RFC 3261 §8.1.3.3).
        let via = response.via().filter(|_| response.elements(HeaderName::Via).count() == 1);
        let Some((branch, cseq)) = via.and_then(|via| via.branch()).zip(response.cseq()) else {
            self.core.counters.malformed += 1;
            return;
        };
        let key = Key::client(branch.as_bytes(), cseq.method.as_str().as_bytes());
        let status = response.status().code();
        let ack = |request: &Request| ack_failure(request, &response);
        match self.core.layer.handle_response(&key, status, ack, now) {
            Responded::Stray => self.core.counters.stray_responses += 1,
            Responded::Absorbed => {}
            Responded::PassOn { user: User::Call(handle), transaction } => {
                self.with_any_call(handle, |call, core| {
                    call.handle_response(core, transaction, response, flow, now);
                });
            }
            Responded::PassOn { user: User::Subscription(handle), transaction } => {
                let status = response.status();
                self.with_subscription(handle, |subscription, core| {
                    subscription.handle_notified(core, transaction, status, Some(&response), now);
                });
            }
            Responded::PassOn { user: User::Application, transaction } => {
                self.core
                    .events
                    .push_back(Event::Response { request: RequestHandle(transaction), response });
            }
            Responded::PassOn { user: User::Nobody, .. } => {}
        }
    }

    /// Tells calls and application what became of their transactions.
    fn drain_outcomes(&mut self, now: Instant) {
        while let Some(outcome) = self.core.layer.poll_outcome() {
            match outcome {
                Outcome::Client { user: User::Call(handle), transaction, event } => {
                    self.with_any_call(handle, |call, core| {
                        call.handle_failure(core, transaction, event, now)
                    });
                }
                Outcome::Client { user: User::Subscription(handle), transaction, event } => {
                    let status = match event {
                        ClientEvent::TimedOut => StatusCode::REQUEST_TIMEOUT,
                        ClientEvent::TransportFailed => StatusCode::SERVICE_UNAVAILABLE,
                        ClientEvent::Response(_) => continue,
                    };
                    self.with_subscription(handle, |subscription, core| {
                        subscription.handle_notified(core, transaction, status, None, now);
                    });
                }
                Outcome::Client { user: User::Application, transaction, event } => {
                    let request = RequestHandle(transaction);
                    let failure = match event {
                        ClientEvent::TimedOut => Failure::TimedOut,
                        ClientEvent::TransportFailed => Failure::Unreachable,
                        ClientEvent::Response(_) => continue,
                    };
                    self.core.events.push_back(Event::RequestFailed { request, failure });
                }
                Outcome::ClientEnded { user: User::Call(handle), transaction } => {
                    self.with_any_call(handle, |call, core| {
                        call.handle_transaction_end(core, transaction, now);
                    });
                }
                // A failure whose ACK never came, or a request nobody answered: nothing to be done.
                Outcome::Server { .. } | Outcome::Client { .. } | Outcome::ClientEnded { .. } => {}
            }
        }
    }

    /// Runs a verb of the application's on a call that has not ended.
    fn with_call<T>(
        &mut self,
        call: CallHandle,
        now: Instant,
        verb: impl FnOnce(&mut Call, &mut Core) -> Result<T, VerbError>,
    ) -> Result<T, VerbError> {
        let live = self.calls.get(call.0).is_some_and(|call| !call.is_ended());
        if !live {
            return Err(VerbError::Gone);
        }
        let result = self.with_any_call(call.0, verb).unwrap_or(Err(VerbError::Gone));
        self.drain_outcomes(now);
        result
    }

    /// Runs `step` on a call, then moves its deadline and forgets it when it is over.
    fn with_any_call<T>(
        &mut self,
        handle: Handle,
        step: impl FnOnce(&mut Call, &mut Core) -> T,
    ) -> Option<T> {
        let call = self.calls.get_mut(handle)?;
        let result = step(call, &mut self.core);
        if call.is_over() {
            call.unregister(&mut self.core);
            self.calls.remove(handle);
            self.call_deadlines.set(handle.slot, None);
        } else {
            self.call_deadlines.set(handle.slot, call.poll_timeout());
        }
        Some(result)
    }
}

/// Whether the response to a request over UDP might not fit into a datagram.
fn exceeds_a_datagram(flow: Flow, length: usize, request: &Request) -> bool {
    flow.transport == Transport::Udp && length > MOST_REQUEST && *request.method() != Method::Ack
}

#[cfg(test)]
mod tests;
