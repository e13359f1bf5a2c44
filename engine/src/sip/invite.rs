//! The INVITE usage of a dialog: one call, as its caller or its callee.
//!
//! RFC 3261 §13 (initiating), §14 (modifying), §15 (ending), §9 (CANCEL), with RFC 3311 for what
//! peers send in UPDATE, and the crossings of RFC 5407. Bodies are bytes; what they offer or answer
//! is the application's to know.

mod callee;
mod caller;
mod challenge;
mod in_dialog;
mod offer;
mod referral;
mod refresh;
mod reliable;
mod state;
mod update;

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::core::{ACCEPT, Core, Draft, Parts, PathPolicy, ResponsePort, Usage, reply_to};
use super::dialog::{Dialog, Order};
use super::event::{
    Body, CallHandle, EarlyOffer, End, Event, Failure, OutgoingCall, RequestHandle, Terms,
    TransactionHandle, VerbError,
};
use super::flow::Flow;
use super::provisional::{RAck, ReliableProvisional, Sending};
use super::session_timer::SessionTimer;
use super::table::Handle;
use super::transaction::ClientEvent;
use super::transaction::key::{KeptKey, Key};
use super::transaction::layer::User;
use super::{CallId, HeaderName, Headers, Method, Request, Response, StatusCode, Tag};
use reliable::Provisionals;
use state::*;

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    handle: Handle,
    role: Role,
    state: State,
    /// The path the peer's latest message came on, or the INVITE went out on.
    flow: Flow,
    path: PathPolicy,
    response_port: ResponsePort,
    /// Our Contact value.
    contact: String,
    /// The callee's from the start, the caller's from the 2xx on; kept while anything may need it.
    dialog: Option<Dialog>,
    /// INVITEs that we sent and whose transactions live.
    invites: SmallVec<[Box<SentInvite>; 1]>,
    /// The BYE that we sent, while its transaction lives.
    bye: Option<Handle>,
    /// Other requests that we sent in the dialog.
    others: SmallVec<[Other; 1]>,
    /// The session timer; runs while the call is confirmed.
    timer: SessionTimer,
    /// The peer takes UPDATE.
    peer_updates: bool,
    /// What answers challenges to requests within the dialog.
    authority: Option<Box<challenge::Authority>>,
    /// What is wanted of reliable provisional responses.
    reliable: ReliableProvisional,
    /// The PRACK that may still come although the call is answered.
    unpracked: Option<RAck>,
    /// A re-INVITE, UPDATE or PRACK that waits for the application.
    offer_in: Option<OfferIn>,
    /// REFERs of the peer's that it hears about.
    referrals: SmallVec<[referral::Referral; 0]>,
    /// What the dialogs are registered under.
    keys: SmallVec<[KeptKey; 2]>,
}

impl Call {
    /// A call that comes in: an INVITE outside any dialog. `None` when it has no usable Contact.
    pub(crate) fn incoming(
        core: &mut Core,
        request: &Request,
        flow: Flow,
        transaction: Handle,
        now: Instant,
    ) -> Option<Self> {
        let local_tag = Tag::random(&mut core.entropy);
        let cseq = core.entropy.below(FIRST_CSEQ_BELOW) + 1;
        let dialog = Dialog::accept(request, local_tag, cseq)?;
        let peer_updates = request.has_token(HeaderName::Allow, Method::Update.as_str());
        let expires = request.expires().map(|wait| now + wait.min(LONGEST_EXPIRES));
        Some(Self {
            handle: Handle { slot: 0, generation: 0 },
            role: Role::Callee,
            state: State::Incoming(Box::new(Incoming {
                transaction,
                trying: Some(now + TRYING_DELAY),
                ringing: None,
                expires,
                has_offer: !request.body().is_empty(),
                cseq: request.cseq().map_or(0, |cseq| cseq.number),
                provisionals: Provisionals::default(),
            })),
            contact: core.contact(request.uri().user(), &flow),
            flow,
            path: core.config.path,
            response_port: core.config.response_port,
            dialog: Some(dialog),
            invites: SmallVec::new(),
            bye: None,
            others: SmallVec::new(),
            timer: SessionTimer::new(Terms::default().timers),
            peer_updates,
            authority: None,
            reliable: ReliableProvisional::Off,
            unpracked: None,
            offer_in: None,
            referrals: SmallVec::new(),
            keys: SmallVec::new(),
        })
    }

    /// A call that goes out. The INVITE is sent by `start`.
    pub(crate) fn outgoing(core: &mut Core, spec: OutgoingCall) -> Self {
        let tag = Tag::random(&mut core.entropy);
        let call_id = match &spec.call_id {
            Some(call_id) => call_id.clone(),
            None => CallId::random(&mut core.entropy),
        };
        Self {
            handle: Handle { slot: 0, generation: 0 },
            role: Role::Caller,
            contact: core.contact(spec.from.uri().user(), &spec.flow),
            flow: spec.flow,
            timer: SessionTimer::new(spec.terms.timers),
            peer_updates: false,
            authority: None,
            reliable: match spec.body {
                Some(_) => spec.terms.reliable,
                None => ReliableProvisional::Off,
            },
            unpracked: None,
            offer_in: None,
            path: core.config.path,
            response_port: core.config.response_port,
            state: State::Outgoing(Box::new(Outgoing {
                from: spec.from.clone().with_tag(&tag).to_string(),
                call_id,
                cseq: core.entropy.below(FIRST_CSEQ_BELOW),
                spec,
                credentials: Headers::default(),
                early: SmallVec::new(),
                gone: SmallVec::new(),
                challenge: None,
            })),
            dialog: None,
            invites: SmallVec::new(),
            bye: None,
            others: SmallVec::new(),
            referrals: SmallVec::new(),
            keys: SmallVec::new(),
        }
    }

    /// The call got its place in the table.
    pub(crate) fn start(
        &mut self,
        core: &mut Core,
        handle: Handle,
        now: Instant,
    ) -> Result<(), VerbError> {
        self.handle = handle;
        if let State::Incoming(incoming) = &self.state {
            core.layer.set_server_user(incoming.transaction, User::Call(handle));
            self.register_dialog(core);
            return Ok(());
        }
        let State::Outgoing(outgoing) = &self.state else { return Err(VerbError::WrongState) };
        let tag = super::NameAddrRef::parse(outgoing.from.as_bytes())
            .and_then(|from| from.tag())
            .unwrap_or_default();
        let key = Key::half_dialog(outgoing.call_id.as_str(), tag);
        self.register(core, &key);
        self.send_first_invite(core, Headers::default(), now)
    }

    /// When `handle_timeout` is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let of_state = match &self.state {
            State::Incoming(incoming) => {
                let refresh = incoming.ringing.as_ref().map(|ringing| ringing.refresh);
                let repeat = incoming.provisionals.poll_timeout();
                let expires = incoming.expires;
                incoming.trying.into_iter().chain(refresh).chain(expires).chain(repeat).min()
            }
            State::Confirmed(confirmed) => {
                let trying = self.offer_in.as_ref().and_then(|offer| offer.trying);
                let repeats = confirmed.unacknowledged.iter().map(Unacknowledged::due);
                let timer = self.timer.poll_timeout();
                trying.into_iter().chain(confirmed.retry).chain(timer).chain(repeats).min()
            }
            State::Leaving { unacknowledged, .. } => Some(unacknowledged.due()),
            State::Outgoing(outgoing) => outgoing.challenge.as_ref().map(|&(_, until)| until),
            State::Ended => None,
        };
        of_state.into_iter().chain(self.referral_timeout()).min()
    }

    /// Nothing is left to be done or waited for.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Ended)
            && self.invites.is_empty()
            && self.bye.is_none()
            && self.others.is_empty()
            && self.referrals.is_empty()
    }

    /// The application knows the call no more.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended | State::Leaving { .. })
    }

    /// Takes the dialogs out of the index.
    pub(crate) fn unregister(&mut self, core: &mut Core) {
        for key in self.keys.drain(..) {
            core.dialogs.remove(&key);
        }
    }

    // ---- the verbs of both sides ----

    /// Says how the path of later requests in the dialog is found.
    pub(crate) fn set_path_policy(&mut self, policy: PathPolicy) {
        self.path = policy;
    }

    /// Says which port responses to the peer's requests go to, from those that wait for one on.
    pub(crate) fn set_response_port(&mut self, core: &mut Core, port: ResponsePort) {
        self.response_port = port;
        if let State::Incoming(incoming) = &self.state {
            core.layer
                .set_reply(incoming.transaction, |request, flow| reply_to(request, flow, port));
        }
    }

    /// Which port responses to the peer's requests go to.
    pub(crate) fn response_port(&self) -> ResponsePort {
        self.response_port
    }

    /// Ends an answered call.
    pub(crate) fn bye(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        if let State::Incoming(incoming) = &self.state
            && incoming.provisionals.answer.is_some()
        {
            // Answered, but the answer waits for a PRACK: nobody has heard it.
            return self.reject(core, StatusCode::TEMPORARILY_UNAVAILABLE, headers, now);
        }
        let State::Confirmed(confirmed) = &mut self.state else {
            return Err(VerbError::WrongState);
        };
        // Only the callee of the first INVITE waits: later ones found the dialog acknowledged once.
        let first = confirmed.unacknowledged.pop().filter(|_| self.role == Role::Callee);
        self.refuse_offer_in(core, StatusCode::REQUEST_TERMINATED, now);
        match first {
            Some(unacknowledged) => {
                self.state = State::Leaving { unacknowledged, headers: headers.clone() };
                core.events
                    .push_back(Event::Ended { call: CallHandle(self.handle), end: End::Local });
            }
            None => self.end_with_bye(core, headers, End::Local, now),
        }
        Ok(())
    }

    /// Ends the call by whatever its state asks for: BYE, CANCEL or a failure.
    pub(crate) fn hang_up(
        &mut self,
        core: &mut Core,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        match &self.state {
            State::Incoming(_) => self.reject(core, status, headers, now),
            State::Outgoing(_) => self.cancel(core, headers, now),
            State::Confirmed(_) => self.bye(core, headers, now),
            State::Leaving { .. } | State::Ended => Err(VerbError::Gone),
        }
    }

    /// Sends another request in the dialog: INFO, MESSAGE, ..
    pub(crate) fn send(
        &mut self,
        core: &mut Core,
        method: Method,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<RequestHandle, VerbError> {
        use Method::{Ack, Bye, Cancel, Invite, Prack, Update};
        if matches!(method, Ack | Bye | Cancel | Invite | Prack | Update) {
            return Err(VerbError::Method);
        }
        let Self { state: State::Confirmed(_), dialog: Some(dialog), .. } = self else {
            return Err(VerbError::WrongState);
        };
        let flow = core.dialog_flow(dialog, self.flow, self.path);
        // Contact belongs to what refreshes the target; SUBSCRIBE and the like want it too.
        let contact =
            (method != Method::Info && method != Method::Message).then_some(self.contact.as_str());
        let parts = Parts { contact, headers: Some(headers), body };
        let user = User::Call(self.handle);
        let transaction =
            core.send_in_dialog(dialog, method, parts, flow, user, now).ok_or(VerbError::Full)?;
        let request = RequestHandle(transaction);
        self.others.push(Other { transaction, purpose: Purpose::Application(request) });
        Ok(request)
    }

    // ---- time ----

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
        self.end_late_referrals(core, now);
        match &mut self.state {
            State::Incoming(incoming) => {
                if incoming.expires.is_some_and(|at| at <= now) {
                    // RFC 3261 §13.3.1: the INVITE's own time is over.
                    self.refuse_incoming(
                        core,
                        StatusCode::REQUEST_TERMINATED,
                        &Headers::default(),
                        now,
                    );
                    return self.end(core, End::Expired);
                }
                let is_reliable = incoming.provisionals.sending != Sending::Unreliable;
                if let Some(ringing) =
                    incoming.ringing.as_mut().filter(|ringing| ringing.refresh <= now)
                    && is_reliable
                {
                    ringing.refresh = now + PROVISIONAL_REFRESH;
                    let status = ringing.status;
                    if !incoming.provisionals.is_outstanding() {
                        // With a number of its own; it is Incoming, so this is not out of place.
                        let _ = self.ring(core, status, &Headers::default(), None, now);
                    }
                } else if let Some(ringing) =
                    incoming.ringing.as_mut().filter(|ringing| ringing.refresh <= now)
                {
                    ringing.refresh = now + PROVISIONAL_REFRESH;
                    core.layer.respond(
                        incoming.transaction,
                        ringing.status.code(),
                        ringing.bytes.clone(),
                        now,
                    );
                }
                if !self.repeat_provisional(core, now) {
                    return;
                }
                if matches!(&self.state, State::Incoming(it) if it.trying.is_some_and(|at| at <= now))
                {
                    // It is Incoming, so this cannot be out of place.
                    let _ = self.proceed(core, now);
                }
            }
            State::Confirmed(confirmed) => {
                if let Some(offer) =
                    self.offer_in.as_mut().filter(|offer| offer.trying.is_some_and(|at| at <= now))
                {
                    offer.trying = None;
                    let transaction = offer.transaction;
                    core.respond_plain(transaction, StatusCode::TRYING, Parts::default(), now);
                }
                if confirmed.retry.is_some_and(|at| at <= now) {
                    confirmed.retry = None;
                    core.events.push_back(Event::ReofferDue { call: CallHandle(self.handle) });
                }
                if confirmed.unacknowledged.iter().any(|waiting| waiting.give_up <= now) {
                    return self.end_with_bye(core, &Headers::default(), End::Unacknowledged, now);
                }
                for waiting in &mut confirmed.unacknowledged {
                    waiting.repeat(core, now);
                }
                self.handle_session_timer(core, now);
            }
            State::Leaving { unacknowledged, headers } => {
                if unacknowledged.give_up <= now {
                    let headers = std::mem::take(headers);
                    self.send_bye(core, &headers, now);
                    self.state = State::Ended;
                } else {
                    unacknowledged.repeat(core, now);
                }
            }
            State::Outgoing(outgoing) => {
                // Nobody has credentials to offer: the challenge was a refusal.
                let due = outgoing.challenge.take_if(|(_, until)| *until <= now);
                if let Some((response, _)) = due {
                    self.end(core, End::Refused { response });
                }
            }
            State::Ended => {}
        }
    }

    // ---- private ----

    fn register(&mut self, core: &mut Core, key: &Key) {
        let key = key.keep();
        core.dialogs.insert(key.clone(), Usage::Call(self.handle));
        self.keys.push(key);
    }

    fn register_dialog(&mut self, core: &mut Core) {
        if let Some(key) = self.dialog.as_ref().map(Dialog::key) {
            self.register(core, &key);
        }
    }

    fn send_bye(&mut self, core: &mut Core, headers: &Headers, now: Instant) {
        if let State::Confirmed(confirmed) = &mut self.state
            && let Some(cseq) = confirmed.answer_due.take()
        {
            // The answer was never given, but the 2xx wants its ACK before the BYE.
            self.send_ack(core, cseq, None);
        }
        let Some(dialog) = &mut self.dialog else { return };
        let flow = core.dialog_flow(dialog, self.flow, self.path);
        let parts = Parts { headers: Some(headers), ..Parts::default() };
        let user = User::Call(self.handle);
        self.bye = core.send_in_dialog(dialog, Method::Bye, parts, flow, user, now);
        for sent in self.invites.iter().filter(|sent| sent.progress == Progress::Provisional) {
            core.layer.limit_invite(sent.transaction, now);
        }
    }

    fn end_with_bye(&mut self, core: &mut Core, headers: &Headers, end: End, now: Instant) {
        self.refuse_offer_in(core, StatusCode::REQUEST_TERMINATED, now);
        self.send_bye(core, headers, now);
        self.end(core, end);
    }

    /// The call is over. The application hears it once; what is pending runs out by itself.
    fn end(&mut self, core: &mut Core, end: End) {
        let told = self.is_ended();
        self.state = State::Ended;
        if !told {
            core.events.push_back(Event::Ended { call: CallHandle(self.handle), end });
        }
    }
}

/// 500 with a random Retry-After below ten seconds (RFC 3261 §14.2).
fn refuse_for_now(core: &mut Core, transaction: Handle, now: Instant) {
    let mut headers = Headers::default();
    headers.push(HeaderName::RetryAfter, core.entropy.below(10));
    let parts = Parts { headers: Some(&headers), ..Parts::default() };
    core.respond_plain(transaction, StatusCode::SERVER_INTERNAL_ERROR, parts, now);
}

/// The 100 goes out by itself after this (RFC 3261 §17.2.1).
const TRYING_DELAY: Duration = Duration::from_millis(200);

/// A ringing callee says so every minute, lest proxies give up (RFC 3261 §13.3.1.1).
const PROVISIONAL_REFRESH: Duration = Duration::from_secs(60);

/// An Expires beyond a day is as good as none, and keeps the arithmetic in range.
const LONGEST_EXPIRES: Duration = Duration::from_secs(24 * 3600);

/// Early dialogs kept for one INVITE; a proxy that forks wider than this is not heard out.
const MAX_FORKS: usize = 16;

/// Re-INVITEs accepted while ACKs are missing.
const MAX_UNACKNOWLEDGED: usize = 2;

/// First CSeq numbers are drawn below this: far from 2^31 (RFC 3261 §8.1.1.5).
const FIRST_CSEQ_BELOW: u32 = 10_000;

#[cfg(test)]
mod tests;
