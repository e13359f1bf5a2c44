//! The stack as one value: routes each message to its transaction, its call or the application.
//!
//! RFC 3261 §8.2 (what is checked before a request is executed), §9.2 (CANCEL), §12.2.2 (requests
//! within a dialog), §17 and §18 by way of the transaction layer. After each way in, drain
//! `poll_transmit` and `poll_event` until `None`; what waits there is bounded by the tables.

use std::time::Instant;

use bytes::Bytes;

use super::core::{ACCEPT, Core, Draft, Parts, RETRY_AFTER, ack_failure, reply_to, request_parts};
pub use super::core::{Counters, EndpointConfig, PathPolicy};
use super::deadlines::Deadlines;
use super::event::{
    Body, CallHandle, Event, Failure, MAX_FORWARDS, OutgoingCall, OutgoingRequest, RequestHandle,
    TransactionHandle, VerbError, check_extra,
};
use super::flow::{ConnectionId, Flow, Transmit};
use super::invite::Call;
use super::table::{Handle, Table};
use super::transaction::ClientEvent;
use super::transaction::key::Key;
use super::transaction::layer::{Matched, Outcome, Responded, User};
use super::{
    CallId, HeaderName, Headers, Limits, Message, Method, ParseErrorKind, Request, Response,
    Scheme, StatusCode, Tag,
};
use crate::entropy::Entropy;

/// A SIP stack without sockets or clocks.
#[derive(Debug)]
pub struct Endpoint {
    core: Core,
    calls: Table<Call>,
    call_deadlines: Deadlines,
    limits: Limits,
}

/// The ways in and out (see the guide's verbs).
impl Endpoint {
    /// An idle stack. `entropy` gives tags, branches and Call-IDs.
    pub fn new(config: EndpointConfig, entropy: Entropy) -> Self {
        Self {
            calls: Table::new(config.max_calls),
            core: Core::new(config, entropy),
            call_deadlines: Deadlines::default(),
            limits: Limits::default(),
        }
    }

    /// A datagram, or one message cut from a stream, was received.
    pub fn handle_packet(&mut self, flow: Flow, bytes: Bytes, now: Instant) {
        self.core.layer.note_flow(flow);
        match Message::parse(bytes, &self.limits) {
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
    pub fn handle_connection_closed(&mut self, id: ConnectionId, now: Instant) {
        self.core.layer.handle_connection_closed(id);
        self.drain_outcomes(now);
    }

    /// A message could not be sent on this flow (as it was in its [`Transmit`]).
    pub fn handle_transport_error(&mut self, flow: Flow, now: Instant) {
        self.core.layer.handle_transport_error(flow);
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
        self.core.layer.poll_timeout().into_iter().chain(self.call_deadlines.next()).min()
    }

    /// What was dropped or refused on sight so far.
    pub fn counters(&self) -> Counters {
        self.core.counters
    }

    /// The settings.
    pub fn config(&self) -> &EndpointConfig {
        &self.core.config
    }

    /// How many calls live, ended ones whose transactions last included.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// How many client and server transactions live.
    pub fn transaction_count(&self) -> (usize, usize) {
        self.core.layer.len()
    }

    /// Nothing lives: no call, no transaction, no dialog, no deadline.
    pub fn is_idle(&self) -> bool {
        self.calls.len() == 0
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
        flow: Flow,
    ) -> Result<(), VerbError> {
        check_extra(headers)?;
        self.core.layer.answerable(transaction.0).ok_or(VerbError::Gone)?;
        let request = self.core.layer.forget_server(transaction.0).ok_or(VerbError::Gone)?;
        let parts = Parts { headers: Some(headers), ..Parts::default() };
        self.core.respond_stateless(&request, flow, status, parts);
        Ok(())
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
            max_forwards: MAX_FORWARDS,
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
        if matches!(request.method(), Method::Bye | Method::Info | Method::Update) {
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
        let Some(transaction) = self.start_server(flow, key, merged, &request, now) else { return };
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
        let handle = request.to_tag().and_then(|local_tag| self.find_dialog(local_tag, &request));
        let taken = handle.and_then(|handle| {
            self.with_any_call(handle, |call, core| call.handle_ack(core, request, now))
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
        let Some(transaction) = self.start_server(flow, key, None, &request, now) else { return };
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
        let Some(handle) = self.find_dialog(local_tag, &request) else {
            self.core.counters.unknown_dialogs += 1;
            return self.refuse(
                flow,
                &request,
                StatusCode::CALL_DOES_NOT_EXIST,
                &Headers::default(),
            );
        };
        let Some(transaction) = self.start_server(flow, key, None, &request, now) else { return };
        self.with_any_call(handle, |call, core| {
            call.handle_request(core, transaction, request, flow, now)
        });
    }

    /// The call a request's dialog belongs to; failing that, the caller's call whose 2xx the
    /// request may have overtaken.
    fn find_dialog(&self, local_tag: &str, request: &Request) -> Option<Handle> {
        let call_id = request.call_id()?;
        let key = Key::dialog(call_id, local_tag, request.from_tag().unwrap_or_default());
        let dialogs = &self.core.dialogs;
        dialogs.get(&key).or_else(|| dialogs.get(&Key::half_dialog(call_id, local_tag))).copied()
    }

    fn start_server(
        &mut self,
        flow: Flow,
        key: Key,
        merged: Option<Key>,
        request: &Request,
        now: Instant,
    ) -> Option<Handle> {
        let reply = reply_to(request, flow);
        let started =
            self.core.layer.start_server(key, merged, request.clone(), reply, User::Nobody, now);
        if started.is_err() {
            self.refuse_overload(flow, request);
        }
        started.ok()
    }

    /// What a UAS inspects before it looks at what a request wants (RFC 3261 §8.2.1 to §8.2.3).
    fn refusal(&self, request: &Request) -> Option<(StatusCode, Headers)> {
        let mut headers = Headers::default();
        if !self.core.config.allows(request.method()) {
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
        let unsupported: Vec<&str> = request.tokens(HeaderName::Require).collect();
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
        self.core.send_response(&request, flow, &response);
    }
}

/// Responses and the tables.
impl Endpoint {
    fn handle_response(&mut self, flow: Flow, response: Response, now: Instant) {
        let Some((branch, cseq)) = response.via().and_then(|via| via.branch()).zip(response.cseq())
        else {
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
                    self.with_any_call(handle, |call, _| call.handle_transaction_end(transaction));
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::clock::clock;
    use crate::sip::{End, NameAddr, Transport, Uri};

    /// An endpoint at the end of a wire.
    struct Wire {
        endpoint: Endpoint,
        flow: Flow,
        now: Instant,
    }

    impl Wire {
        fn new() -> Self {
            Self::with_config(EndpointConfig::default())
        }

        fn with_config(config: EndpointConfig) -> Self {
            let local: SocketAddr = "192.0.2.9:5060".parse().expect("an address");
            let peer = "192.0.2.1:5062".parse().expect("an address");
            let endpoint = Endpoint::new(config, Entropy::new(1));
            Self { endpoint, flow: Flow::udp(local, peer), now: clock() }
        }

        fn receive(&mut self, text: &str) {
            let text = text.trim_start().replace('\n', "\r\n");
            self.endpoint.handle_packet(self.flow, Bytes::from(text), self.now);
        }

        /// All that was sent: destination and message.
        fn sent(&mut self) -> Vec<(SocketAddr, Message)> {
            std::iter::from_fn(|| self.endpoint.poll_transmit())
                .map(|sent| {
                    (
                        sent.flow.peer,
                        Message::parse(sent.bytes, &Limits::default()).expect("well-formed"),
                    )
                })
                .collect()
        }

        /// The statuses of all responses that were sent.
        fn statuses(&mut self) -> Vec<u16> {
            let sent = self.sent();
            let response = |message| match message {
                Message::Response(response) => Response::status(&response).code(),
                Message::Request(request) => panic!("{request:?}"),
            };
            sent.into_iter().map(|(_, message)| response(message)).collect()
        }

        fn response(&mut self) -> Response {
            match self.sent().pop() {
                Some((_, Message::Response(response))) => response,
                other => panic!("{other:?}"),
            }
        }

        fn events(&mut self) -> Vec<Event> {
            std::iter::from_fn(|| self.endpoint.poll_event()).collect()
        }

        fn incoming(&mut self) -> CallHandle {
            match self.events()[..] {
                [Event::IncomingCall { call, .. }] => call,
                ref other => panic!("{other:?}"),
            }
        }

        fn wait(&mut self, duration: Duration) {
            let until = self.now + duration;
            while let Some(next) = self.endpoint.poll_timeout().filter(|&next| next <= until) {
                self.now = next;
                self.endpoint.handle_timeout(next);
            }
            self.now = until;
        }

        fn run_out(&mut self) {
            self.wait(Duration::from_secs(1000));
            self.sent();
            self.events();
            assert!(self.endpoint.is_idle(), "{:?}", self.endpoint);
        }
    }

    /// A request with `{method}`, the To's `{to}` parameters and `{extra}` header lines.
    fn request(method: &str, branch: &str, to: &str, extra: &str) -> String {
        format!(
            "{method} sip:100@192.0.2.9 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK{branch}
Max-Forwards: 70
From: <sip:a@192.0.2.1>;tag=from
To: <sip:100@192.0.2.9>{to}
Call-ID: call
CSeq: 1 {method}
Contact: <sip:a@192.0.2.1:5062>
{extra}Content-Length: 0

"
        )
    }

    #[test]
    fn checks_before_a_request_is_executed_give_the_status_the_rfc_names() {
        let uri = |uri: &str| request("OPTIONS", "x", "", "").replacen("sip:100@192.0.2.9", uri, 1);
        for (text, status, header) in [
            (request("SUBSCRIBE", "x", "", ""), 405, Some(HeaderName::Allow)),
            (request("PRACK", "x", ";tag=y", ""), 405, Some(HeaderName::Allow)),
            (request("DANCE", "x", "", ""), 501, Some(HeaderName::Allow)),
            (uri("http://example.com"), 416, None),
            (request("INVITE", "x", "", "").replace(": 70", ": 0"), 483, None),
            (request("INVITE", "x", "", "Require: 100rel\n"), 420, Some(HeaderName::Unsupported)),
            (request("INVITE", "x", "", "Require: timer\n"), 420, Some(HeaderName::Unsupported)),
            (request("BYE", "x", ";tag=y", ""), 481, None),
            (request("BYE", "x", "", ""), 481, None),
            (request("INVITE", "x", ";tag=y", ""), 481, None),
            (request("CANCEL", "x", "", ""), 481, None),
            (request("OPTIONS", "x", "", "").replace("SIP/2.0\nVia", "SIP/7.0\nVia"), 505, None),
            (
                request("OPTIONS", "x", "", "").replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
                400,
                None,
            ),
            (
                request("INVITE", "x", "", "").replace("Contact: <sip:a@192.0.2.1:5062>\n", ""),
                400,
                None,
            ),
        ] {
            let mut wire = Wire::new();
            wire.receive(&text);
            let response = wire.response();
            assert_eq!(response.status().code(), status, "{text}");
            assert!(response.to_tag().is_some(), "{text}");
            assert!(header.is_none_or(|header| response.value(header).is_some()), "{text}");
            assert_eq!(response.cseq().is_some(), true, "{text}");
            // Refused on sight: nothing to remember.
            assert!(wire.events().is_empty() && wire.endpoint.is_idle(), "{text}");
        }
    }

    #[test]
    fn unsupported_options_are_named() {
        let mut wire = Wire::new();
        wire.receive(&request("INVITE", "x", "", "Require: 100rel, timer\n"));
        assert_eq!(wire.response().text(HeaderName::Unsupported), Some("100rel, timer"));
    }

    #[test]
    fn encoded_body_is_refused_with_what_is_understood() {
        let mut wire = Wire::new();
        let text =
            request("INVITE", "x", "", "Content-Encoding: gzip\nContent-Type: application/sdp\n");
        wire.receive(&text.replace("Content-Length: 0\n\n", "Content-Length: 1\n\nx"));
        let response = wire.response();
        assert_eq!(response.status().code(), 415);
        assert_eq!(response.text(HeaderName::AcceptEncoding), Some("identity"));
    }

    #[test]
    fn options_with_no_hops_left_is_answered_all_the_same() {
        let mut wire = Wire::new();
        wire.receive(&request("OPTIONS", "x", "", "").replace(": 70", ": 0"));
        assert!(matches!(wire.events()[..], [Event::Request { .. }]));
    }

    #[test]
    fn rubbish_and_keep_alives_are_dropped_and_counted_apart() {
        let mut wire = Wire::new();
        wire.receive("rubbish\n\n");
        wire.endpoint.handle_packet(wire.flow, Bytes::from_static(b"\r\n\r\n"), wire.now);
        wire.receive("SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKno\nFrom: <sip:a@h>;tag=1\nTo: <sip:b@h>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\nContent-Length: 0\n\n");
        wire.receive(&request("ACK", "x", ";tag=y", ""));
        let counters = wire.endpoint.counters();
        assert_eq!((counters.malformed, counters.stray_responses, counters.stray_acks), (1, 1, 1));
        assert!(wire.sent().is_empty() && wire.endpoint.is_idle());
    }

    #[test]
    fn malformed_ack_is_never_answered() {
        let mut wire = Wire::new();
        wire.receive(&request("ACK", "x", "", "").replace("CSeq: 1 ACK", "CSeq: 1 INVITE"));
        wire.receive(&request("ACK", "x", "", "Require: nothing\n"));
        assert!(wire.sent().is_empty());
    }

    #[test]
    fn response_goes_to_the_source_port_only_when_rport_asks_for_it() {
        let mut wire = Wire::new();
        wire.flow.peer = "198.51.100.7:40000".parse().expect("an address");
        wire.receive(&request("BYE", "x", "", ""));
        let (to, message) = wire.sent().pop().expect("answered");
        assert_eq!(to, "198.51.100.7:5062".parse().expect("an address"));
        assert_eq!(message.headers().via().and_then(|via| via.received()), Some(to.ip()));
        wire.receive(&request("BYE", "y;rport", "", ""));
        let (to, message) = wire.sent().pop().expect("answered");
        assert_eq!(to, wire.flow.peer);
        assert_eq!(message.headers().via().and_then(|via| via.rport()), Some(40000));
        // A forged maddr or received sends nothing to a third party.
        wire.receive(&request("BYE", "z;maddr=203.0.113.5;received=203.0.113.6", "", ""));
        assert_eq!(wire.sent().pop().expect("answered").0.ip(), wire.flow.peer.ip());
    }

    #[test]
    fn repeated_request_is_told_once_and_gets_the_same_response_again() {
        let mut wire = Wire::new();
        wire.receive(&request("OPTIONS", "x", "", ""));
        wire.receive(&request("OPTIONS", "x", "", ""));
        let events = wire.events();
        let [Event::Request { transaction, .. }] = events[..] else { panic!("{events:?}") };
        assert!(wire.sent().is_empty());
        wire.endpoint
            .respond(transaction, StatusCode::OK, &Headers::default(), None, wire.now)
            .expect("asked");
        let first = wire.response();
        wire.receive(&request("OPTIONS", "x", "", ""));
        assert_eq!(wire.response(), first);
        wire.run_out();
    }

    #[test]
    fn request_that_came_by_two_paths_is_merged() {
        let mut wire = Wire::new();
        wire.receive(&request("INVITE", "x", "", ""));
        let call = wire.incoming();
        wire.receive(&request("INVITE", "y", "", ""));
        assert_eq!(wire.statuses(), [482]);
        assert!(wire.events().is_empty());
        wire.endpoint
            .reject(call, StatusCode::BUSY_HERE, &Headers::default(), wire.now)
            .expect("new");
        wire.run_out();
    }

    #[test]
    fn invite_of_rfc_2543_is_served_with_its_cancel_and_ack() {
        // RFC 4475 §3.4.1: no branch, no From tag, no Contact, no Max-Forwards.
        let text = |method: &str, to: &str| {
            format!(
                "{method} sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@192.0.2.1;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone{to}
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 {method}
Content-Length: 0

"
            )
        };
        let mut wire = Wire::new();
        wire.receive(&text("INVITE", ""));
        wire.receive(&text("INVITE", ""));
        let call = wire.incoming();
        wire.endpoint
            .ring(call, StatusCode::RINGING, &Headers::default(), None, wire.now)
            .expect("new");
        assert_eq!(wire.statuses(), [180]);
        wire.receive(&text("CANCEL", ""));
        assert_eq!(wire.statuses(), [200, 487]);
        assert!(matches!(wire.events()[..], [Event::Ended { end: End::Cancelled { .. }, .. }]));
        wire.receive(&text("ACK", ";tag=whatever"));
        wire.wait(Duration::from_secs(40));
        assert!(wire.sent().is_empty(), "the ACK stops the 487");
        wire.run_out();

        let mut wire = Wire::new();
        wire.receive(&text("INVITE", ""));
        let call = wire.incoming();
        wire.endpoint.answer(call, &Headers::default(), None, wire.now).expect("new");
        let tag = format!(";tag={}", wire.response().to_tag().expect("a dialog"));
        wire.receive(&text("ACK", &tag));
        assert!(matches!(wire.events()[..], [Event::Acknowledged { .. }]));
        wire.receive(&text("BYE", &tag).replace("56", "57"));
        assert_eq!(wire.statuses(), [200]);
        wire.run_out();
    }

    #[test]
    fn request_out_of_order_gets_500_and_the_call_goes_on() {
        let mut wire = Wire::new();
        wire.receive(&request("INVITE", "x", "", "").replace("CSeq: 1", "CSeq: 10"));
        let call = wire.incoming();
        wire.endpoint.answer(call, &Headers::default(), None, wire.now).expect("new");
        let tag = format!(";tag={}", wire.response().to_tag().expect("a dialog"));
        wire.receive(&request("ACK", "a", &tag, "").replace("CSeq: 1", "CSeq: 10"));
        wire.events();
        wire.receive(&request("INFO", "b", &tag, "").replace("CSeq: 1", "CSeq: 9"));
        assert_eq!(wire.statuses(), [500]);
        wire.receive(&request("OPTIONS", "c", &tag, "").replace("CSeq: 1", "CSeq: 11"));
        let response = wire.response();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.value(HeaderName::Allow).is_some());
        wire.receive(&request("BYE", "d", &tag, "").replace("CSeq: 1", "CSeq: 15"));
        assert_eq!(wire.statuses(), [200]);
        wire.run_out();
    }

    #[test]
    fn update_refreshes_the_target_and_one_with_a_body_is_an_offer() {
        let mut wire = Wire::new();
        wire.receive(&request("INVITE", "x", "", ""));
        let call = wire.incoming();
        wire.endpoint
            .answer(call, &Headers::default(), Some(&Body::sdp("offer")), wire.now)
            .expect("new");
        let tag = format!(";tag={}", wire.response().to_tag().expect("a dialog"));
        let update = |branch: &str, number: u32, body: &str| {
            let text =
                request("UPDATE", branch, &tag, "").replace("CSeq: 1", &format!("CSeq: {number}"));
            let length = format!("Content-Length: {}\n\n{body}", body.len());
            text.replace("a@192.0.2.1:5062", "a@192.0.2.1:5070")
                .replace("Content-Length: 0\n\n", &length)
        };
        // Our offer is in the 2xx and its answer has not come.
        wire.receive(&update("u1", 2, "offer"));
        assert_eq!(wire.statuses(), [491]);
        wire.receive(&request("ACK", "a", &tag, ""));
        wire.receive(&update("u2", 3, ""));
        assert_eq!(wire.statuses(), [200]);
        wire.events();
        wire.receive(&update("u3", 4, "offer"));
        assert!(matches!(wire.events()[..], [Event::Reoffer { .. }]));
        wire.receive(&update("u4", 5, "offer"));
        assert_eq!(wire.statuses(), [500]);
        wire.endpoint
            .accept_offer(call, &Headers::default(), Some(&Body::sdp("answer")), wire.now)
            .expect("offered");
        assert_eq!(wire.statuses(), [200]);
        wire.endpoint.bye(call, &Headers::default(), wire.now).expect("acknowledged");
        let (to, message) = wire.sent().pop().expect("a BYE");
        let Message::Request(bye) = message else { panic!("{message:?}") };
        assert_eq!(bye.uri().as_str(), "sip:a@192.0.2.1:5070");
        assert_eq!(to.port(), 5070);
        wire.run_out();
    }

    #[test]
    fn requests_in_a_dialog_follow_loose_and_strict_routes() {
        for (route, uri, routes) in [
            ("<sip:198.51.100.1;lr>", "sip:a@192.0.2.1:5062", vec!["<sip:198.51.100.1;lr>"]),
            ("<sip:198.51.100.1>", "sip:198.51.100.1", vec!["<sip:a@192.0.2.1:5062>"]),
        ] {
            let mut wire = Wire::new();
            wire.receive(&request("INVITE", "x", "", &format!("Record-Route: {route}\n")));
            let call = wire.incoming();
            wire.endpoint.answer(call, &Headers::default(), None, wire.now).expect("new");
            let response = wire.response();
            assert_eq!(response.text(HeaderName::RecordRoute), Some(route));
            let tag = format!(";tag={}", response.to_tag().expect("a dialog"));
            wire.receive(&request("ACK", "a", &tag, ""));
            wire.endpoint.bye(call, &Headers::default(), wire.now).expect("acknowledged");
            let (to, message) = wire.sent().pop().expect("a BYE");
            assert_eq!(to, "198.51.100.1:5060".parse().expect("an address"));
            let Message::Request(bye) = message else { panic!("{message:?}") };
            assert_eq!(bye.uri().as_str(), uri);
            assert_eq!(
                bye.elements(HeaderName::Route).collect::<Vec<_>>(),
                routes.iter().map(|route| route.as_bytes()).collect::<Vec<_>>()
            );
            wire.run_out();
        }
    }

    /// A response to the INVITE that the wire's endpoint sent last.
    fn respond_to(invite: &Request, status: &str, tag: &str, extra: &str) -> String {
        let header =
            |name| String::from_utf8_lossy(invite.value(name).expect("composed")).into_owned();
        format!(
            "SIP/2.0 {status}\nVia: {}\nFrom: {}\nTo: {};tag={tag}\nCall-ID: {}\nCSeq: {}\nContact: <sip:{tag}@192.0.2.1:5062>\n{extra}Content-Length: 0\n\n",
            header(HeaderName::Via),
            header(HeaderName::From),
            header(HeaderName::To),
            header(HeaderName::CallId),
            header(HeaderName::CSeq),
        )
    }

    fn place_call(wire: &mut Wire) -> (CallHandle, Request) {
        let from = NameAddr::new(Uri::parse("sip:b@192.0.2.9").expect("a uri"));
        let target = Uri::parse("sip:a@192.0.2.1:5062").expect("a uri");
        let spec = OutgoingCall::new(target, wire.flow, from).with_body(Body::sdp("offer"));
        let call = wire.endpoint.call(spec, wire.now).expect("room");
        match wire.sent().pop() {
            Some((_, Message::Request(invite))) => (call, invite),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn second_fork_that_answers_is_acknowledged_and_ended() {
        let mut wire = Wire::new();
        let (call, invite) = place_call(&mut wire);
        for fork in ["one", "two"] {
            wire.receive(&respond_to(&invite, "180 Ringing", fork, ""));
        }
        wire.receive(&respond_to(&invite, "200 OK", "two", ""));
        wire.receive(&respond_to(&invite, "200 OK", "one", ""));
        let sent: Vec<_> = wire
            .sent()
            .into_iter()
            .map(|(_, message)| match message {
                Message::Request(request) => {
                    (request.method().to_string(), request.to_tag().map(str::to_owned))
                }
                Message::Response(response) => panic!("{response:?}"),
            })
            .collect();
        let expected = [("ACK", "two"), ("ACK", "one"), ("BYE", "one")];
        let expected: Vec<_> =
            expected.map(|(method, tag)| (method.to_owned(), Some(tag.to_owned()))).into();
        assert_eq!(sent, expected);
        assert!(matches!(
            wire.events()[..],
            [Event::Progress { .. }, Event::Progress { .. }, Event::Answered { .. }]
        ));
        // Each repetition gets its own ACK again, and no second BYE.
        for fork in ["one", "two"] {
            wire.receive(&respond_to(&invite, "200 OK", fork, ""));
            let sent = wire.sent();
            let [(_, Message::Request(ack))] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!((ack.method(), ack.to_tag()), (&Method::Ack, Some(fork)));
        }
        wire.endpoint.bye(call, &Headers::default(), wire.now).expect("answered");
        wire.run_out();
    }

    #[test]
    fn bye_that_overtakes_the_2xx_ends_the_call_when_that_comes() {
        let mut wire = Wire::new();
        let (_, invite) = place_call(&mut wire);
        let bye = |branch: &str| {
            format!(
                "BYE sip:b@192.0.2.9 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK{branch}\nFrom: <sip:a@192.0.2.1:5062>;tag=one\nTo: <sip:b@192.0.2.9>;tag={}\nCall-ID: {}\nCSeq: 1 BYE\nContent-Length: 0\n\n",
                invite.from_tag().expect("composed"),
                invite.call_id().expect("composed")
            )
        };
        wire.receive(&bye("b"));
        assert_eq!(wire.statuses(), [200]);
        wire.receive(&respond_to(&invite, "200 OK", "one", ""));
        let sent = wire.sent();
        let [(_, Message::Request(ack))] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(ack.method(), &Method::Ack);
        assert!(matches!(wire.events()[..], [Event::Ended { end: End::Bye { .. }, .. }]));
        wire.run_out();
    }

    #[test]
    fn caller_reads_record_route_backwards_and_the_2xx_decides() {
        let mut wire = Wire::new();
        let (call, invite) = place_call(&mut wire);
        wire.receive(&respond_to(
            &invite,
            "180 Ringing",
            "one",
            "Record-Route: <sip:192.0.2.50;lr>\n",
        ));
        let route = "Record-Route: <sip:192.0.2.61;lr>, <sip:192.0.2.60;lr>\n";
        wire.receive(&respond_to(&invite, "200 OK", "one", route));
        let (to, ack) = wire.sent().pop().expect("an ACK");
        assert_eq!(to, "192.0.2.60:5060".parse().expect("an address"));
        let routes: Vec<_> = ack.headers().elements(HeaderName::Route).collect();
        assert_eq!(routes, [&b"<sip:192.0.2.60;lr>"[..], b"<sip:192.0.2.61;lr>"]);
        wire.endpoint.bye(call, &Headers::default(), wire.now).expect("answered");
        wire.run_out();
    }

    #[test]
    fn failure_is_acknowledged_in_the_invites_own_transaction() {
        let mut wire = Wire::new();
        let (_, invite) = place_call(&mut wire);
        wire.receive(&respond_to(&invite, "486 Busy Here", "one", ""));
        let sent = wire.sent();
        let [(_, Message::Request(ack))] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(ack.via(), invite.via());
        assert_eq!((ack.uri(), ack.to_tag()), (invite.uri(), Some("one")));
        wire.receive(&respond_to(&invite, "486 Busy Here", "one", ""));
        assert_eq!(wire.sent().len(), 1);
        wire.run_out();
    }

    #[test]
    fn full_tables_are_told_with_503_and_keep_nothing() {
        let mut wire =
            Wire::with_config(EndpointConfig { max_calls: 1, ..EndpointConfig::default() });
        wire.receive(&request("INVITE", "x", "", ""));
        let call = wire.incoming();
        wire.receive(&request("INVITE", "y", "", "").replace("Call-ID: call", "Call-ID: other"));
        let response = wire.response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.value(HeaderName::RetryAfter).is_some());
        assert_eq!((wire.endpoint.call_count(), wire.endpoint.transaction_count()), (1, (0, 1)));
        wire.endpoint
            .reject(call, StatusCode::BUSY_HERE, &Headers::default(), wire.now)
            .expect("new");
        let mut wire =
            Wire::with_config(EndpointConfig { max_transactions: 1, ..EndpointConfig::default() });
        for branch in ["x", "y"] {
            wire.receive(
                &request("OPTIONS", branch, "", "").replace("Call-ID: call", branch_call(branch)),
            );
        }
        assert_eq!(wire.statuses(), [503]);
        assert_eq!(wire.endpoint.counters().overloaded, 1);
        wire.run_out();
    }

    fn branch_call(branch: &str) -> &'static str {
        if branch == "x" { "Call-ID: x" } else { "Call-ID: y" }
    }

    #[test]
    fn request_nobody_answers_is_forgotten_without_a_response() {
        let mut wire = Wire::new();
        wire.receive(&request("MESSAGE", "x", "", ""));
        let events = wire.events();
        let [Event::Request { transaction, .. }] = events[..] else { panic!("{events:?}") };
        wire.wait(Duration::from_secs(33));
        assert!(wire.sent().is_empty() && wire.endpoint.is_idle());
        let late =
            wire.endpoint.respond(transaction, StatusCode::OK, &Headers::default(), None, wire.now);
        assert_eq!(late, Err(VerbError::Gone));
    }

    #[test]
    fn challenge_without_state_is_the_same_each_time() {
        let mut wire = Wire::new();
        let mut responses = vec![];
        for _ in 0..2 {
            wire.receive(&request("REGISTER", "x", "", ""));
            let events = wire.events();
            let [Event::Request { transaction, flow, .. }] = events[..] else {
                panic!("{events:?}")
            };
            wire.endpoint
                .respond_stateless(transaction, StatusCode::UNAUTHORIZED, &Headers::default(), flow)
                .expect("asked");
            responses.push(wire.response());
            assert!(wire.endpoint.is_idle());
        }
        assert_eq!(responses[0], responses[1]);
    }

    #[test]
    fn closed_connection_fails_what_was_sent_on_it_and_responses_find_another() {
        let mut wire = Wire::new();
        let id = ConnectionId(7);
        wire.flow = Flow::tcp(wire.flow.local, wire.flow.peer, id);
        wire.receive(
            &request("OPTIONS", "x", "", "").replace("UDP", "TCP").replace(":5062;", ":5099;"),
        );
        let events = wire.events();
        let [Event::Request { transaction, .. }] = events[..] else { panic!("{events:?}") };
        let (_, _) = place_call(&mut wire);
        wire.endpoint.handle_connection_closed(id, wire.now);
        assert!(matches!(
            wire.events()[..],
            [Event::Ended { end: End::Failed(Failure::Unreachable), .. }]
        ));
        // RFC 3261 §18.2.2: a new connection to the sent-by port of where the request came from.
        wire.endpoint
            .respond(transaction, StatusCode::OK, &Headers::default(), None, wire.now)
            .expect("asked");
        let sent = wire.endpoint.poll_transmit().expect("answered");
        assert_eq!((sent.flow.connection, sent.flow.transport), (None, Transport::Tcp));
        assert_eq!(sent.flow.peer, "192.0.2.1:5099".parse().expect("an address"));
        wire.run_out();
    }

    #[test]
    fn request_outside_dialogs_is_sent_and_its_responses_told() {
        let mut wire = Wire::new();
        let from = NameAddr::new(Uri::parse("sip:b@192.0.2.9").expect("a uri"));
        let target = Uri::parse("sip:192.0.2.1:5062").expect("a uri");
        let spec = OutgoingRequest::new(Method::Options, target, wire.flow, from);
        let handle = wire.endpoint.send_request(spec.clone(), wire.now).expect("room");
        let Some((_, Message::Request(options))) = wire.sent().pop() else {
            panic!("nothing sent")
        };
        wire.receive(&respond_to(&options, "200 OK", "one", ""));
        let events = wire.events();
        let [Event::Response { request, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(*request, handle);
        let handle = wire.endpoint.send_request(spec.clone(), wire.now).expect("room");
        wire.wait(Duration::from_secs(33));
        let events = wire.events();
        let [Event::RequestFailed { request, failure: Failure::TimedOut }] = events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(request, handle);
        let invite = OutgoingRequest { method: Method::Invite, ..spec };
        assert_eq!(wire.endpoint.send_request(invite, wire.now), Err(VerbError::Method));
        wire.run_out();
    }

    #[test]
    fn thousands_of_calls_do_not_slow_each_other() {
        let mut wire = Wire::new();
        for number in 0..5000 {
            let text = request("INVITE", &number.to_string(), "", "");
            wire.receive(&text.replace("Call-ID: call", &format!("Call-ID: {number}")));
            let call = wire.incoming();
            wire.endpoint.answer(call, &Headers::default(), None, wire.now).expect("new");
            wire.sent();
        }
        assert_eq!(wire.endpoint.call_count(), 5000);
        // None is acknowledged: each 200 is repeated, and each call ended in its turn.
        wire.wait(Duration::from_secs(33));
        let ended = wire
            .events()
            .into_iter()
            .filter(|event| matches!(event, Event::Ended { end: End::Unacknowledged, .. }));
        assert_eq!(ended.count(), 5000);
        wire.run_out();
    }
}
