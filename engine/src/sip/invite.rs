//! The INVITE usage of a dialog: one call, as its caller or its callee.
//!
//! RFC 3261 §13 (initiating), §14 (modifying), §15 (ending), §9 (CANCEL), with RFC 3311 for what
//! peers send in UPDATE, and the crossings of RFC 5407. Bodies are bytes; what they offer or answer
//! is the application's to know.

use std::time::{Duration, Instant};

use bytes::Bytes;
use smallvec::SmallVec;

use super::core::{ACCEPT, Core, Draft, Parts};
use super::dialog::{Dialog, Order};
use super::event::{
    Body, CallHandle, End, Event, Failure, OutgoingCall, RequestHandle, TransactionHandle,
    VerbError,
};
use super::flow::Flow;
use super::table::Handle;
use super::transaction::ClientEvent;
use super::transaction::key::Key;
use super::transaction::layer::User;
use super::{CallId, HeaderName, Headers, Method, Request, Response, StatusCode, Tag};

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    handle: Handle,
    role: Role,
    state: State,
    /// The path the peer's latest message came on, or the INVITE went out on.
    flow: Flow,
    /// Our Contact value.
    contact: String,
    /// The callee's from the start, the caller's from the 2xx on; kept while anything may need it.
    dialog: Option<Dialog>,
    /// INVITEs that we sent and whose transactions live.
    invites: SmallVec<[SentInvite; 1]>,
    /// The BYE that we sent, while its transaction lives.
    bye: Option<Handle>,
    /// Other requests that we sent in the dialog.
    others: SmallVec<[Handle; 1]>,
    /// What the dialogs are registered under.
    keys: SmallVec<[Key; 2]>,
}

/// Who placed the call; it does not change with who sends a re-INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Caller,
    Callee,
}

#[derive(Debug)]
enum State {
    /// Callee, before the final response.
    Incoming(Incoming),
    /// Caller, before the final response.
    Outgoing(Box<Outgoing>),
    /// Answered.
    Confirmed(Confirmed),
    /// The application has left; the BYE waits for the ACK, which it must not overtake
    /// (RFC 3261 §15).
    Leaving { unacknowledged: Unacknowledged, headers: Headers },
    /// Over; what is left are transactions.
    Ended,
}

#[derive(Debug)]
struct Incoming {
    transaction: Handle,
    /// When to send the 100 if nobody asked for it (RFC 3261 §17.2.1).
    trying: Option<Instant>,
    /// The last provisional response and when to repeat it.
    ringing: Option<Ringing>,
    /// The end of the INVITE's Expires.
    expires: Option<Instant>,
    has_offer: bool,
}

#[derive(Debug)]
struct Ringing {
    status: StatusCode,
    bytes: Bytes,
    refresh: Instant,
}

#[derive(Debug)]
struct Outgoing {
    spec: OutgoingCall,
    call_id: CallId,
    /// From with our tag.
    from: String,
    cseq: u32,
    early: SmallVec<[Dialog; 1]>,
    /// Peers whose BYE overtook their 2xx.
    gone: SmallVec<[(Tag, Request); 1]>,
    is_challenged: bool,
}

#[derive(Debug, Default)]
struct Confirmed {
    /// Our 2xx that wait for their ACK.
    unacknowledged: SmallVec<[Unacknowledged; 1]>,
    /// A 2xx whose offer waits for the application's answer: the CSeq for the ACK.
    answer_due: Option<u32>,
    /// A re-INVITE or UPDATE that waits for the application.
    offer_in: Option<OfferIn>,
    /// When a re-INVITE that met another may be tried again.
    retry: Option<Instant>,
}

#[derive(Debug)]
struct OfferIn {
    transaction: Handle,
    method: Method,
    trying: Option<Instant>,
    has_offer: bool,
}

/// A 2xx that is repeated until acknowledged (RFC 3261 §13.3.1.4).
#[derive(Debug)]
struct Unacknowledged {
    transaction: Handle,
    cseq: u32,
    status: StatusCode,
    bytes: Bytes,
    next: Instant,
    interval: Duration,
    give_up: Instant,
    /// It carries an offer, and the ACK the answer.
    is_offer: bool,
}

#[derive(Debug)]
struct SentInvite {
    transaction: Handle,
    kind: InviteKind,
    has_body: bool,
    progress: Progress,
    /// CANCEL is wanted and waits for a provisional response.
    cancel: Option<Headers>,
    /// What answers each repeated 2xx, by the tag of who sent it.
    acks: SmallVec<[(Option<Tag>, Bytes, Flow); 1]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InviteKind {
    First,
    Again,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    None,
    Provisional,
    Final,
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
        let expires = request.expires().map(|wait| now + wait.min(LONGEST_EXPIRES));
        Some(Self {
            handle: Handle { slot: 0, generation: 0 },
            role: Role::Callee,
            state: State::Incoming(Incoming {
                transaction,
                trying: Some(now + TRYING_DELAY),
                ringing: None,
                expires,
                has_offer: !request.body().is_empty(),
            }),
            contact: core.contact(request.uri().user(), &flow),
            flow,
            dialog: Some(dialog),
            invites: SmallVec::new(),
            bye: None,
            others: SmallVec::new(),
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
            state: State::Outgoing(Box::new(Outgoing {
                from: spec.from.clone().with_tag(&tag).to_string(),
                call_id,
                cseq: core.entropy.below(FIRST_CSEQ_BELOW),
                spec,
                early: SmallVec::new(),
                gone: SmallVec::new(),
                is_challenged: false,
            })),
            dialog: None,
            invites: SmallVec::new(),
            bye: None,
            others: SmallVec::new(),
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
        self.register(core, key);
        self.send_first_invite(core, Headers::default(), now)
    }

    /// When `handle_timeout` is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Incoming(incoming) => {
                let refresh = incoming.ringing.as_ref().map(|ringing| ringing.refresh);
                incoming.trying.into_iter().chain(refresh).chain(incoming.expires).min()
            }
            State::Confirmed(confirmed) => {
                let trying = confirmed.offer_in.as_ref().and_then(|offer| offer.trying);
                let repeats = confirmed.unacknowledged.iter().map(Unacknowledged::due);
                trying.into_iter().chain(confirmed.retry).chain(repeats).min()
            }
            State::Leaving { unacknowledged, .. } => Some(unacknowledged.due()),
            State::Outgoing(_) | State::Ended => None,
        }
    }

    /// Nothing is left to be done or waited for.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Ended)
            && self.invites.is_empty()
            && self.bye.is_none()
            && self.others.is_empty()
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

    // ---- the callee's verbs ----

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
        if !(101..200).contains(&status.code()) {
            return Err(VerbError::Status);
        }
        let parts = Parts { contact: Some(contact), headers: Some(headers), body };
        let tag = &dialog.id().local_tag;
        let bytes =
            core.respond(incoming.transaction, status, tag, parts, now).ok_or(VerbError::Gone)?;
        incoming.trying = None;
        incoming.ringing = Some(Ringing { status, bytes, refresh: now + PROVISIONAL_REFRESH });
        Ok(())
    }

    /// Sends the 2xx.
    pub(crate) fn answer(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        body: Option<&Body>,
        now: Instant,
    ) -> Result<(), VerbError> {
        let Self { state: State::Incoming(incoming), dialog: Some(dialog), contact, .. } = self
        else {
            return Err(VerbError::WrongState);
        };
        let parts = Parts { contact: Some(contact), headers: Some(headers), body };
        let transaction = incoming.transaction;
        let cseq = core.layer.answerable(transaction).and_then(|request| request.cseq());
        let tag = &dialog.id().local_tag;
        let bytes =
            core.respond(transaction, StatusCode::OK, tag, parts, now).ok_or(VerbError::Gone)?;
        let is_offer = body.is_some() && !incoming.has_offer;
        dialog.confirm();
        let mut confirmed = Confirmed::default();
        let cseq = cseq.map_or(0, |cseq| cseq.number);
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
        if let Some(request) = core.layer.forget_server(incoming.transaction) {
            let parts = Parts { headers: Some(headers), ..Parts::default() };
            core.respond_stateless(&request, self.flow, status, parts);
        }
        self.end(core, End::Local);
        Ok(())
    }

    fn refuse_incoming(
        &mut self,
        core: &mut Core,
        status: StatusCode,
        headers: &Headers,
        now: Instant,
    ) {
        let Self { state: State::Incoming(incoming), dialog: Some(dialog), contact, .. } = self
        else {
            return;
        };
        // In a 3xx the application's Contact counts, not ours (RFC 3261 §21.3).
        let contact = (!status.is_redirection()).then_some(contact.as_str());
        let contact = contact.filter(|_| status.is_success());
        let parts = Parts { contact, headers: Some(headers), body: None };
        core.respond(incoming.transaction, status, &dialog.id().local_tag, parts, now);
    }

    // ---- the caller's verbs ----

    fn send_first_invite(
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
        outgoing.is_challenged = false;
        self.invites.push(SentInvite::new(transaction, InviteKind::First, has_body));
        Ok(())
    }

    /// Sends the INVITE again with what a challenge asked for (RFC 3261 §22.2).
    pub(crate) fn authenticate(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
        match &self.state {
            State::Outgoing(outgoing) if outgoing.is_challenged => {
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

    /// CANCEL now, or when the first provisional response comes (RFC 3261 §9.1).
    fn withdraw(&mut self, core: &mut Core, headers: &Headers, now: Instant) {
        let pending = |sent: &&mut SentInvite| {
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
    fn send_ack(&mut self, core: &mut Core, cseq: u32, body: Option<&Body>) {
        let Some(dialog) = &self.dialog else { return };
        let flow = core.dialog_flow(dialog, self.flow);
        let bytes = core.write_ack(dialog, cseq, flow, Parts { body, ..Parts::default() });
        core.layer.send(flow, bytes.clone());
        let tag = dialog.id().remote_tag.clone();
        if let Some(sent) =
            self.invites.iter_mut().rev().find(|sent| sent.progress == Progress::Final)
        {
            sent.acks.push((tag, bytes, flow));
        }
    }

    // ---- both sides' verbs ----

    /// Ends an answered call.
    pub(crate) fn bye(
        &mut self,
        core: &mut Core,
        headers: &Headers,
        now: Instant,
    ) -> Result<(), VerbError> {
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
        let flow = core.dialog_flow(dialog, self.flow);
        let parts = Parts { contact: Some(&self.contact), headers: Some(headers), body };
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

    fn refuse_offer_in(&mut self, core: &mut Core, status: StatusCode, now: Instant) {
        // Nothing to refuse is no fault here.
        let _ = self.refuse_offer(core, status, &Headers::default(), now);
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
        let flow = core.dialog_flow(dialog, self.flow);
        // Contact belongs to what refreshes the target; SUBSCRIBE and the like want it too.
        let contact =
            (method != Method::Info && method != Method::Message).then_some(self.contact.as_str());
        let parts = Parts { contact, headers: Some(headers), body };
        let user = User::Call(self.handle);
        let transaction =
            core.send_in_dialog(dialog, method, parts, flow, user, now).ok_or(VerbError::Full)?;
        self.others.push(transaction);
        Ok(RequestHandle(transaction))
    }

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
            // RFC 5407 §3.3.2: BYEs that cross are both accepted.
            let is_bye = *request.method() == Method::Bye;
            let status = if is_bye { StatusCode::OK } else { StatusCode::CALL_DOES_NOT_EXIST };
            return core.respond_plain(transaction, status, Parts::default(), now);
        }
        let remote_tag = request.from_tag().and_then(Tag::parse);
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let order = match &mut self.state {
            State::Outgoing(outgoing) => {
                let early =
                    outgoing.early.iter_mut().find(|dialog| dialog.id().remote_tag == remote_tag);
                match (early, remote_tag, request.method()) {
                    (None, Some(tag), Method::Bye) | (Some(_), Some(tag), Method::Bye) => {
                        // It overtook the 2xx: a callee sends no BYE before that (RFC 3261 §15).
                        core.respond_plain(transaction, StatusCode::OK, Parts::default(), now);
                        if outgoing.gone.len() < MAX_FORKS {
                            outgoing.gone.push((tag, request));
                        }
                        return;
                    }
                    (Some(dialog), _, _) => dialog.handle_request(number),
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

    fn handle_offer(
        &mut self,
        core: &mut Core,
        transaction: Handle,
        request: Request,
        now: Instant,
    ) {
        let is_inviting = self.is_inviting();
        let is_update = *request.method() == Method::Update;
        let has_offer = !request.body().is_empty();
        // An UPDATE without a body only refreshes the target, in any dialog (RFC 3311 §5.2).
        if is_update && !has_offer && !self.is_ended() {
            if let Some(dialog) = &mut self.dialog {
                dialog.refresh_target(&request);
            }
            let parts = Parts { contact: Some(&self.contact), ..Parts::default() };
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
            State::Confirmed(Confirmed { offer_in: Some(offer), .. })
                if offer.transaction == invite =>
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
        let sent =
            self.invites.iter().enumerate().find(|(_, sent)| sent.transaction == transaction);
        if let Some((index, sent)) = sent {
            match sent.kind {
                InviteKind::First => self.handle_first_response(core, index, response, now),
                InviteKind::Again => self.handle_later_response(core, index, response, now),
            }
        } else if self.others.contains(&transaction) {
            let is_gone = response.status() == StatusCode::CALL_DOES_NOT_EXIST;
            core.events
                .push_back(Event::Response { request: RequestHandle(transaction), response });
            if is_gone && matches!(self.state, State::Confirmed(_)) {
                self.end_with_bye(core, &Headers::default(), End::Failed(Failure::DialogGone), now);
            }
        }
        // The response to a BYE changes nothing (RFC 3261 §15.1.1); its transaction reports its end.
    }

    fn handle_first_response(
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
            core.events.push_back(Event::Progress { call: CallHandle(self.handle), response });
        } else if status.is_success() {
            sent.progress = Progress::Final;
            self.handle_answer(core, index, response, now);
        } else {
            sent.progress = Progress::Final;
            let State::Outgoing(outgoing) = &mut self.state else { return };
            let challenges = [StatusCode::UNAUTHORIZED, StatusCode::PROXY_AUTHENTICATION_REQUIRED];
            if challenges.contains(&status) {
                outgoing.is_challenged = true;
                outgoing.early.clear();
                core.events
                    .push_back(Event::Challenged { call: CallHandle(self.handle), response });
            } else {
                self.end(core, End::Refused { response });
            }
        }
    }

    /// A provisional response with a To tag makes an early dialog, one per fork (RFC 3261 §12.1.2).
    fn note_early_dialog(&mut self, core: &mut Core, transaction: Handle, response: &Response) {
        let State::Outgoing(outgoing) = &mut self.state else { return };
        let Some(tag) = response.to_tag().and_then(Tag::parse) else { return };
        if let Some(dialog) =
            outgoing.early.iter_mut().find(|dialog| dialog.id().remote_tag.as_ref() == Some(&tag))
        {
            dialog.refresh_target(response);
            return;
        }
        if outgoing.early.len() >= MAX_FORKS {
            return;
        }
        let Some((request, _)) = core.layer.client_request(transaction) else { return };
        let Some(dialog) = Dialog::establish(request, response) else { return };
        let key = dialog.key();
        outgoing.early.push(dialog);
        self.register(core, key);
    }

    /// A 2xx to the first INVITE: the answer, a repetition, or another fork's (RFC 3261 §13.2.2.4).
    fn handle_answer(&mut self, core: &mut Core, index: usize, response: Response, now: Instant) {
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
        let early = outgoing.early.iter().position(|dialog| dialog.id().remote_tag == tag);
        let dialog = match early.map(|at| outgoing.early.remove(at)) {
            Some(mut dialog) => {
                dialog.confirm_by(&response);
                Some(dialog)
            }
            None => core
                .layer
                .client_request(transaction)
                .and_then(|(request, _)| Dialog::establish(request, &response)),
        };
        // Without tags there is no dialog to be had: as good as no response.
        let Some(dialog) = dialog else { return };
        let cseq = outgoing.cseq;
        let gone = outgoing.gone.iter().position(|(gone, _)| Some(gone) == tag.as_ref());
        let bye = gone.map(|at| outgoing.gone.remove(at).1);
        self.unregister(core);
        self.dialog = Some(dialog);
        self.register_dialog(core);
        self.state = State::Confirmed(Confirmed::default());
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
    fn end_fork(&mut self, core: &mut Core, index: usize, response: &Response, now: Instant) {
        let Some(sent) = self.invites.get_mut(index) else { return };
        if sent.acks.len() > MAX_FORKS {
            return;
        }
        let Some((request, _)) = core.layer.client_request(sent.transaction) else { return };
        let Some(mut dialog) = Dialog::establish(request, response) else { return };
        let flow = core.dialog_flow(&dialog, self.flow);
        let ack = core.write_ack(&dialog, dialog.local_cseq(), flow, Parts::default());
        core.layer.send(flow, ack.clone());
        sent.acks.push((dialog.id().remote_tag.clone(), ack, flow));
        core.send_in_dialog(&mut dialog, Method::Bye, Parts::default(), flow, User::Nobody, now);
    }

    fn handle_later_response(
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
        let State::Confirmed(confirmed) = &mut self.state else { return };
        match status {
            StatusCode::REQUEST_PENDING => {
                // RFC 3261 §14.1: who owns the Call-ID waits longer, so that the two part.
                let wait = match self.role {
                    Role::Caller => 2100 + 10 * core.entropy.below(190),
                    Role::Callee => 10 * core.entropy.below(200),
                };
                confirmed.retry = Some(now + Duration::from_millis(wait.into()));
            }
            // RFC 3261 §14.1, §12.2.1.2: the dialog is gone on the other side.
            StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT => {
                self.end_with_bye(core, &Headers::default(), End::Failed(Failure::DialogGone), now);
            }
            _ => core.events.push_back(Event::ReofferRefused { call, response }),
        }
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
        } else if self.others.contains(&transaction) {
            core.events
                .push_back(Event::RequestFailed { request: RequestHandle(transaction), failure });
        }
    }

    /// A transaction of ours is no more.
    pub(crate) fn handle_transaction_end(&mut self, transaction: Handle) {
        self.invites.retain(|sent| sent.transaction != transaction);
        self.others.retain(|other| *other != transaction);
        if self.bye == Some(transaction) {
            self.bye = None;
        }
    }

    // ---- time ----

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
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
                if let Some(ringing) =
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
                if incoming.trying.is_some_and(|at| at <= now) {
                    // It is Incoming, so this cannot be out of place.
                    let _ = self.proceed(core, now);
                }
            }
            State::Confirmed(confirmed) => {
                if let Some(offer) = confirmed
                    .offer_in
                    .as_mut()
                    .filter(|offer| offer.trying.is_some_and(|at| at <= now))
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
            State::Outgoing(_) | State::Ended => {}
        }
    }

    // ---- private ----

    /// An INVITE of ours has no final response yet.
    fn is_inviting(&self) -> bool {
        self.invites.iter().any(|sent| sent.progress != Progress::Final)
    }

    fn register(&mut self, core: &mut Core, key: Key) {
        core.dialogs.insert(key.clone(), self.handle);
        self.keys.push(key);
    }

    fn register_dialog(&mut self, core: &mut Core) {
        if let Some(key) = self.dialog.as_ref().map(Dialog::key) {
            self.register(core, key);
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
        let flow = core.dialog_flow(dialog, self.flow);
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

impl SentInvite {
    fn new(transaction: Handle, kind: InviteKind, has_body: bool) -> Self {
        Self {
            transaction,
            kind,
            has_body,
            progress: Progress::None,
            cancel: None,
            acks: SmallVec::new(),
        }
    }
}

impl Unacknowledged {
    fn new(
        core: &Core,
        transaction: Handle,
        cseq: u32,
        bytes: Bytes,
        is_offer: bool,
        now: Instant,
    ) -> Self {
        let timers = core.layer.timers();
        Self {
            transaction,
            cseq,
            status: StatusCode::OK,
            bytes,
            next: now + timers.t1,
            interval: timers.t1,
            give_up: now + timers.patience(),
            is_offer,
        }
    }

    fn due(&self) -> Instant {
        self.next.min(self.give_up)
    }

    /// Sends the 2xx again when it is time, on any transport (RFC 3261 §13.3.1.4).
    fn repeat(&mut self, core: &mut Core, now: Instant) {
        if self.next <= now {
            self.interval = (self.interval * 2).min(core.layer.timers().t2);
            self.next = now + self.interval;
            core.layer.respond(self.transaction, self.status.code(), self.bytes.clone(), now);
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
mod tests {
    use super::*;
    use crate::entropy::Entropy;
    use crate::sip::pair::{Link, Pair, Sent, Who};
    use crate::sip::{Endpoint, EndpointConfig, Message};

    static NONE: std::sync::LazyLock<Headers> = std::sync::LazyLock::new(Headers::default);

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn call_is_set_up_and_ended_by_the_caller_and_leaves_nothing() {
        let mut pair = Pair::new(Link::good());
        let (alice, _) = pair.call();
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_for(ms(100));
        assert!(matches!(pair.events(Who::Alice)[..], [Event::Ended { end: End::Local, .. }]));
        assert!(matches!(pair.events(Who::Bob)[..], [Event::Ended { end: End::Bye { .. }, .. }]));
        let sent: Vec<_> = pair.sent_by(Who::Alice).into_iter().map(|(_, what)| what).collect();
        assert_eq!(sent, ["INVITE", "ACK", "BYE"]);
        let sent: Vec<_> = pair.sent_by(Who::Bob).into_iter().map(|(_, what)| what).collect();
        assert_eq!(sent, ["100 INVITE", "180 INVITE", "200 INVITE", "200 BYE"]);
        pair.run_out();
    }

    #[test]
    fn callee_ends_the_call_over_a_stream() {
        let mut pair = Pair::new(Link::stream());
        let (_, bob) = pair.call();
        pair.bob.endpoint.bye(bob, &NONE, pair.now).expect("answered");
        pair.run_for(ms(100));
        assert!(matches!(pair.events(Who::Alice)[..], [Event::Ended { end: End::Bye { .. }, .. }]));
        pair.run_out();
    }

    #[test]
    fn verbs_on_an_ended_call_find_nothing() {
        let mut pair = Pair::new(Link::good());
        let (alice, _) = pair.call();
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        assert_eq!(pair.alice.endpoint.bye(alice, &NONE, pair.now), Err(VerbError::Gone));
        assert_eq!(
            pair.alice.endpoint.reinvite(alice, &NONE, None, pair.now),
            Err(VerbError::Gone)
        );
        pair.run_out();
        assert_eq!(pair.alice.endpoint.bye(alice, &NONE, pair.now), Err(VerbError::Gone));
    }

    #[test]
    fn undecided_callee_sends_100_by_itself_after_200_ms() {
        let mut pair = Pair::new(Link::good());
        let spec = pair.outgoing(None);
        let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.run_for(ms(300));
        assert_eq!(pair.sent_by(Who::Bob), [(210, "100 INVITE".to_owned())]);
        pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("calling");
        pair.run_out();
    }

    #[test]
    fn unacknowledged_2xx_is_repeated_for_64_t1_and_then_the_call_is_ended_by_bye() {
        for link in [Link::good(), Link::stream()] {
            let mut pair = Pair::new(link);
            let (_, bob) = pair.ringing_call();
            let answered = pair.now;
            // From here on nothing of Alice's arrives.
            pair.alice.endpoint = Endpoint::new(EndpointConfig::default(), Entropy::new(9));
            pair.bob.endpoint.answer(bob, &NONE, None, pair.now).expect("ringing");
            pair.run_for(secs(100));
            let at = |what: &str| -> Vec<u128> {
                let base = (answered - pair.start).as_millis();
                pair.sent_by(Who::Bob)
                    .iter()
                    .filter(|(_, sent)| sent == what)
                    .map(|(at, _)| at - base)
                    .collect()
            };
            assert_eq!(
                at("200 INVITE"),
                [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
            );
            assert_eq!(at("BYE").first(), Some(&32_000));
            assert!(matches!(
                pair.events(Who::Bob)[..],
                [Event::Ended { end: End::Unacknowledged, .. }]
            ));
            pair.run_out();
        }
    }

    #[test]
    fn cancelled_call_ends_with_487_and_the_cancel_has_the_invites_to_tag() {
        let mut pair = Pair::new(Link::good());
        let (alice, _) = pair.ringing_call();
        pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("ringing");
        pair.run_for(ms(100));
        assert!(matches!(pair.events(Who::Alice)[..], [Event::Ended { end: End::Local, .. }]));
        assert!(matches!(
            pair.events(Who::Bob)[..],
            [Event::Ended { end: End::Cancelled { .. }, .. }]
        ));
        assert_eq!(pair.count(Who::Bob, "487 INVITE"), 1);
        assert_eq!(pair.count(Who::Alice, "ACK"), 1);
        let tag = |what| pair.last(Who::Bob, what).headers().to_tag().map(str::to_owned);
        assert_eq!(tag("200 CANCEL"), tag("487 INVITE"));
        assert_eq!(tag("180 INVITE"), tag("487 INVITE"));
        pair.run_out();
    }

    #[test]
    fn cancel_waits_for_a_provisional_response() {
        let mut pair = Pair::new(Link::good());
        let spec = pair.outgoing(None);
        let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("calling");
        pair.run_for(ms(100));
        assert_eq!(pair.count(Who::Alice, "CANCEL"), 0);
        pair.run_for(ms(300));
        assert_eq!(pair.count(Who::Alice, "CANCEL"), 1);
        pair.run_out();
    }

    #[test]
    fn answer_that_crosses_a_cancel_is_acknowledged_and_ended() {
        let mut pair = Pair::new(Link::good());
        let (alice, bob) = pair.ringing_call();
        pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("ringing");
        pair.bob.endpoint.answer(bob, &NONE, None, pair.now).expect("ringing");
        pair.run_for(ms(200));
        assert_eq!((pair.count(Who::Alice, "ACK"), pair.count(Who::Alice, "BYE")), (1, 1));
        assert!(matches!(
            pair.events(Who::Bob)[..],
            [Event::Acknowledged { .. }, Event::Ended { end: End::Bye { .. }, .. }]
        ));
        pair.run_out();
    }

    #[test]
    fn refusal_reaches_the_caller_once_and_is_acknowledged() {
        let mut pair = Pair::new(Link::good());
        let (_, bob) = pair.ringing_call();
        pair.bob.endpoint.reject(bob, StatusCode::BUSY_HERE, &NONE, pair.now).expect("ringing");
        pair.run_for(ms(100));
        let events = pair.events(Who::Alice);
        let [Event::Ended { end: End::Refused { response }, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(response.status(), StatusCode::BUSY_HERE);
        assert_eq!(pair.count(Who::Alice, "ACK"), 1);
        pair.run_out();
    }

    #[test]
    fn stateless_refusal_keeps_nothing_and_is_the_same_each_time() {
        let mut pair = Pair::new(Link::good());
        let spec = pair.outgoing(None);
        pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.run_for(ms(20));
        let events = pair.events(Who::Bob);
        let [Event::IncomingCall { call, .. }] = &events[..] else { panic!("{events:?}") };
        pair.bob
            .endpoint
            .reject_stateless(*call, StatusCode::UNAUTHORIZED, &NONE, pair.now)
            .expect("new");
        assert!(pair.bob.endpoint.is_idle() || pair.bob.endpoint.transaction_count() == (0, 0));
        assert!(matches!(pair.events(Who::Bob)[..], [Event::Ended { end: End::Local, .. }]));
        assert!(pair.bob.endpoint.is_idle());
        pair.run_for(ms(100));
        assert_eq!(pair.count(Who::Bob, "401 INVITE"), 1);
        assert_eq!(pair.count(Who::Alice, "ACK"), 1);
        assert_eq!(pair.bob.endpoint.counters().stray_acks, 1);
    }

    #[test]
    fn challenged_caller_tries_again_with_a_higher_cseq_in_the_same_call() {
        let mut pair = Pair::new(Link::good());
        let spec = pair.outgoing(None);
        let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.run_for(ms(20));
        let events = pair.events(Who::Bob);
        let [Event::IncomingCall { call, .. }] = &events[..] else { panic!("{events:?}") };
        pair.bob
            .endpoint
            .reject_stateless(*call, StatusCode::UNAUTHORIZED, &NONE, pair.now)
            .expect("new");
        pair.run_for(ms(20));
        pair.events(Who::Bob);
        assert!(matches!(pair.events(Who::Alice)[..], [Event::Challenged { .. }]));
        let first = pair.last(Who::Alice, "INVITE").clone();
        let mut headers = Headers::default();
        headers.push(HeaderName::Authorization, "Digest x");
        pair.alice.endpoint.authenticate(alice, &headers, pair.now).expect("challenged");
        assert_eq!(
            pair.alice.endpoint.authenticate(alice, &headers, pair.now),
            Err(VerbError::WrongState)
        );
        pair.run_for(ms(20));
        let second = pair.last(Who::Alice, "INVITE").clone();
        assert_eq!(first.headers().call_id(), second.headers().call_id());
        assert_eq!(first.headers().from_tag(), second.headers().from_tag());
        assert_eq!(
            first.headers().cseq().map(|cseq| cseq.number + 1),
            second.headers().cseq().map(|cseq| cseq.number)
        );
        assert_eq!(second.headers().value(HeaderName::Authorization), Some(&b"Digest x"[..]));
        assert!(matches!(pair.events(Who::Bob)[..], [Event::IncomingCall { .. }]));
        pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("calling");
        pair.run_out();
    }

    #[test]
    fn late_offer_travels_in_the_2xx_and_its_answer_in_the_ack() {
        let mut pair = Pair::new(Link::good());
        let spec = pair.outgoing(None);
        let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.run_for(ms(20));
        let events = pair.events(Who::Bob);
        let [Event::IncomingCall { call: bob, .. }] = &events[..] else { panic!("{events:?}") };
        pair.bob.endpoint.answer(*bob, &NONE, Some(&Body::sdp("offer")), pair.now).expect("new");
        pair.run_for(ms(600));
        assert_eq!(pair.count(Who::Alice, "ACK"), 0);
        assert!(matches!(pair.events(Who::Alice)[..], [Event::Answered { .. }]));
        pair.alice
            .endpoint
            .acknowledge(alice, Some(&Body::sdp("answer")), pair.now)
            .expect("offered");
        pair.run_for(ms(600));
        let events = pair.events(Who::Bob);
        let [Event::Acknowledged { request, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(&request.body()[..], b"answer");
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn reinvite_in_either_direction_is_offered_answered_and_acknowledged() {
        let mut pair = Pair::new(Link::good());
        let calls = pair.call();
        for (who, own, other) in [(Who::Alice, calls.0, calls.1), (Who::Bob, calls.1, calls.0)] {
            let now = pair.now;
            pair.side(who)
                .endpoint
                .reinvite(own, &NONE, Some(&Body::sdp("hold")), now)
                .expect("answered");
            assert_eq!(
                pair.side(who).endpoint.reinvite(own, &NONE, None, now),
                Err(VerbError::OfferPending)
            );
            pair.run_for(ms(20));
            assert!(matches!(pair.events(who.other())[..], [Event::Reoffer { .. }]));
            let now = pair.now;
            let endpoint = &mut pair.side(who.other()).endpoint;
            endpoint.accept_offer(other, &NONE, Some(&Body::sdp("held")), now).expect("offered");
            pair.run_for(ms(100));
            assert!(matches!(pair.events(who)[..], [Event::ReofferAnswered { .. }]));
            assert!(matches!(pair.events(who.other())[..], [Event::Acknowledged { .. }]));
        }
        pair.bob.endpoint.bye(calls.1, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn refused_reinvite_leaves_the_call_as_it_was() {
        let mut pair = Pair::new(Link::good());
        let (alice, bob) = pair.call();
        pair.alice
            .endpoint
            .reinvite(alice, &NONE, Some(&Body::sdp("x")), pair.now)
            .expect("answered");
        pair.run_for(ms(20));
        pair.events(Who::Bob);
        pair.bob
            .endpoint
            .refuse_offer(bob, StatusCode::NOT_ACCEPTABLE_HERE, &NONE, pair.now)
            .expect("offered");
        pair.run_for(ms(20));
        assert!(matches!(pair.events(Who::Alice)[..], [Event::ReofferRefused { .. }]));
        pair.alice.endpoint.reinvite(alice, &NONE, Some(&Body::sdp("y")), pair.now).expect("again");
        pair.run_for(ms(20));
        pair.bob
            .endpoint
            .accept_offer(bob, &NONE, Some(&Body::sdp("z")), pair.now)
            .expect("offered");
        pair.run_for(ms(100));
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn crossing_reinvites_get_491_and_are_due_again_at_different_times() {
        let mut pair = Pair::new(Link::good());
        let (alice, bob) = pair.call();
        let met = pair.now;
        pair.alice
            .endpoint
            .reinvite(alice, &NONE, Some(&Body::sdp("a")), pair.now)
            .expect("answered");
        pair.bob.endpoint.reinvite(bob, &NONE, Some(&Body::sdp("b")), pair.now).expect("answered");
        pair.run_for(ms(25));
        assert_eq!(
            (pair.count(Who::Alice, "491 INVITE"), pair.count(Who::Bob, "491 INVITE")),
            (1, 1)
        );
        assert_eq!(
            pair.bob.endpoint.reinvite(bob, &NONE, None, pair.now),
            Err(VerbError::OfferPending)
        );
        let due = |pair: &mut Pair, who| loop {
            if pair.events(who).iter().any(|event| matches!(event, Event::ReofferDue { .. })) {
                return pair.now - met;
            }
            assert!(pair.step(met + secs(10)));
        };
        // The callee of the call may try at once, its caller waits for more than two seconds.
        assert!(due(&mut pair, Who::Bob) <= ms(2050));
        let alice_due = due(&mut pair, Who::Alice);
        assert!(alice_due >= ms(2100) && alice_due <= ms(4050), "{alice_due:?}");
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn crossing_byes_are_both_accepted() {
        let mut pair = Pair::new(Link::good());
        let (alice, bob) = pair.call();
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.bob.endpoint.bye(bob, &NONE, pair.now).expect("answered");
        pair.run_for(ms(100));
        assert_eq!((pair.count(Who::Alice, "200 BYE"), pair.count(Who::Bob, "200 BYE")), (1, 1));
        assert!(matches!(pair.events(Who::Alice)[..], [Event::Ended { end: End::Local, .. }]));
        assert!(matches!(pair.events(Who::Bob)[..], [Event::Ended { end: End::Local, .. }]));
        pair.run_out();
    }

    #[test]
    fn callee_that_leaves_before_the_ack_sends_its_bye_after_it() {
        let mut pair = Pair::new(Link::good());
        let (_, bob) = pair.ringing_call();
        pair.bob.endpoint.answer(bob, &NONE, None, pair.now).expect("ringing");
        pair.bob.endpoint.bye(bob, &NONE, pair.now).expect("answered");
        assert_eq!(pair.bob.endpoint.bye(bob, &NONE, pair.now), Err(VerbError::Gone));
        pair.drain();
        assert_eq!(pair.count(Who::Bob, "BYE"), 0);
        pair.run_for(ms(100));
        assert_eq!(pair.count(Who::Bob, "BYE"), 1);
        assert!(matches!(
            pair.events(Who::Alice)[..],
            [Event::Answered { .. }, Event::Ended { end: End::Bye { .. }, .. }]
        ));
        pair.run_out();
    }

    #[test]
    fn bye_during_a_reinvite_gets_it_487() {
        let mut pair = Pair::new(Link::good());
        let (alice, _) = pair.call();
        pair.alice
            .endpoint
            .reinvite(alice, &NONE, Some(&Body::sdp("x")), pair.now)
            .expect("answered");
        pair.run_for(ms(20));
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_for(ms(100));
        assert_eq!(pair.count(Who::Bob, "487 INVITE"), 1);
        pair.run_out();
    }

    #[test]
    fn silent_network_ends_the_call_at_timer_b() {
        let mut pair = Pair::new(Link { drop: 1000, ..Link::good() });
        let spec = pair.outgoing(None);
        pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.run_for(secs(31));
        assert!(pair.events(Who::Alice).is_empty());
        pair.run_for(secs(1));
        assert!(matches!(
            pair.events(Who::Alice)[..],
            [Event::Ended { end: End::Failed(Failure::TimedOut), .. }]
        ));
        pair.run_out();
    }

    #[test]
    fn endless_ringing_is_cancelled_at_timer_c_unless_the_callee_keeps_saying_so() {
        let mut pair = Pair::new(Link::good());
        let (_, bob) = pair.ringing_call();
        // The callee repeats its 180 every minute (RFC 3261 §13.3.1.1), which renews timer C.
        pair.run_for(secs(590));
        assert_eq!(pair.count(Who::Bob, "180 INVITE"), 10);
        assert!(!pair.events(Who::Alice).iter().any(|event| matches!(event, Event::Ended { .. })));
        pair.bob.endpoint.reject(bob, StatusCode::BUSY_HERE, &NONE, pair.now).expect("ringing");
        pair.run_out();

        let mut pair = Pair::new(Link::good());
        let spec = pair.outgoing(None);
        pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.run_for(secs(299));
        assert_eq!(pair.count(Who::Alice, "CANCEL"), 0);
        pair.run_for(secs(2));
        assert_eq!(pair.count(Who::Alice, "CANCEL"), 1);
        assert!(matches!(
            pair.events(Who::Alice)[..],
            [Event::Ended { end: End::Failed(Failure::TimedOut), .. }]
        ));
        pair.run_out();
    }

    #[test]
    fn expired_invite_is_refused_with_487() {
        let mut pair = Pair::new(Link::good());
        let mut spec = pair.outgoing(None);
        spec.headers.push(HeaderName::Expires, 30u32);
        pair.alice.endpoint.call(spec, pair.now).expect("room");
        pair.run_for(secs(31));
        assert_eq!(pair.count(Who::Bob, "487 INVITE"), 1);
        assert!(matches!(
            pair.events(Who::Bob)[..],
            [Event::IncomingCall { .. }, Event::Ended { end: End::Expired, .. }]
        ));
        pair.run_out();
    }

    #[test]
    fn info_reaches_the_application_and_its_response_the_sender() {
        let mut pair = Pair::new(Link::good());
        let (alice, _) = pair.call();
        let body = Body { content_type: "application/dtmf-relay".into(), bytes: "Signal=5".into() };
        let sent = pair
            .alice
            .endpoint
            .send_in_dialog(alice, Method::Info, &NONE, Some(&body), pair.now)
            .expect("answered");
        pair.run_for(ms(20));
        let events = pair.events(Who::Bob);
        let [Event::InDialog { transaction, request, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(&request.body()[..], b"Signal=5");
        pair.bob
            .endpoint
            .respond(*transaction, StatusCode::OK, &NONE, None, pair.now)
            .expect("asked");
        assert_eq!(
            pair.bob.endpoint.respond(*transaction, StatusCode::OK, &NONE, None, pair.now),
            Err(VerbError::Gone)
        );
        pair.run_for(ms(20));
        let events = pair.events(Who::Alice);
        let [Event::Response { request, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(*request, sent);
        pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
        pair.run_out();
    }

    #[test]
    fn peer_that_lost_the_dialog_ends_the_call() {
        let mut pair = Pair::new(Link::good());
        let (alice, _) = pair.call();
        pair.bob.endpoint = Endpoint::new(EndpointConfig::default(), Entropy::new(9));
        pair.alice
            .endpoint
            .reinvite(alice, &NONE, Some(&Body::sdp("x")), pair.now)
            .expect("answered");
        pair.run_for(ms(100));
        assert_eq!(pair.count(Who::Bob, "481 INVITE"), 1);
        assert!(matches!(
            pair.events(Who::Alice)[..],
            [Event::Ended { end: End::Failed(Failure::DialogGone), .. }]
        ));
        pair.run_out();
    }

    #[test]
    fn reserved_headers_are_refused_before_anything_is_sent() {
        let mut pair = Pair::new(Link::good());
        let mut spec = pair.outgoing(None);
        spec.headers.push(HeaderName::CallId, "mine");
        assert_eq!(pair.alice.endpoint.call(spec, pair.now), Err(VerbError::ReservedHeader));
        pair.drain();
        assert!(pair.log.is_empty() && pair.alice.endpoint.is_idle());
    }

    /// What happens when in one run of the sweep.
    #[derive(Clone, Copy, Debug)]
    enum Act {
        Bye(Who),
        Cancel,
        Reinvite(Who),
        Answer,
        Refuse,
    }

    /// Plays one run: Bob rings and both accept every re-offer; acts come at random times and may
    /// find the call in any state.
    fn play(seed: u64, link: Link) -> Pair {
        let mut pair = Pair::new(link);
        let mut entropy = Entropy::new(seed ^ 0xabcd);
        let offers = entropy.below(2) == 0;
        let spec = pair.outgoing(offers.then(|| Body::sdp("offer")));
        let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
        let mut bob = vec![];
        let mut acts: Vec<(Instant, Act)> = vec![];
        let schedule =
            |acts: &mut Vec<(Instant, Act)>, now: Instant, entropy: &mut Entropy, act| {
                acts.push((now + ms(entropy.below(4000).into()), act));
            };
        let ending = [Act::Bye(Who::Alice), Act::Bye(Who::Bob), Act::Cancel, Act::Refuse];
        schedule(&mut acts, pair.now, &mut entropy, Act::Answer);
        for who in [Who::Alice, Who::Bob] {
            for _ in 0..entropy.below(3) {
                schedule(&mut acts, pair.now + secs(2), &mut entropy, Act::Reinvite(who));
            }
        }
        for act in ending {
            if entropy.below(3) == 0 {
                schedule(&mut acts, pair.now + secs(1), &mut entropy, act);
            }
        }
        // Whatever came of it, both hang up in the end.
        acts.push((pair.now + secs(200), Act::Bye(Who::Bob)));
        acts.push((pair.now + secs(200), Act::Refuse));
        acts.push((pair.now + secs(300), Act::Bye(Who::Alice)));
        acts.push((pair.now + secs(300), Act::Cancel));
        acts.sort_by_key(|&(at, _)| at);
        for (at, act) in acts {
            loop {
                let more = pair.step(at);
                let now = pair.now;
                for index in seen(&mut pair, Who::Bob) {
                    if let Some(Event::IncomingCall { call, .. }) = pair.bob.events.get(index) {
                        let call = *call;
                        bob.push(call);
                        let _ = pair.bob.endpoint.proceed(call, now);
                        let _ = pair.bob.endpoint.ring(call, StatusCode::RINGING, &NONE, None, now);
                    }
                    if let Some(Event::Reoffer { call, .. }) = pair.bob.events.get(index) {
                        let call = *call;
                        let _ =
                            pair.bob.endpoint.accept_offer(call, &NONE, Some(&Body::sdp("b")), now);
                    }
                    acknowledge(&mut pair, Who::Bob, index);
                }
                for index in seen(&mut pair, Who::Alice) {
                    if let Some(Event::Reoffer { call, .. }) = pair.alice.events.get(index) {
                        let call = *call;
                        let _ = pair.alice.endpoint.accept_offer(
                            call,
                            &NONE,
                            Some(&Body::sdp("a")),
                            now,
                        );
                    }
                    acknowledge(&mut pair, Who::Alice, index);
                }
                if !more {
                    break;
                }
            }
            let now = pair.now;
            let handle = |who| match who {
                Who::Alice => Some(alice),
                Who::Bob => bob.last().copied(),
            };
            match act {
                Act::Bye(who) => {
                    if let Some(call) = handle(who) {
                        let _ = pair.side(who).endpoint.bye(call, &NONE, now);
                    }
                }
                Act::Cancel => drop(pair.alice.endpoint.cancel(alice, &NONE, now)),
                Act::Reinvite(who) => {
                    let body = (entropy.below(2) == 0).then(|| Body::sdp("again"));
                    if let Some(call) = handle(who) {
                        let _ = pair.side(who).endpoint.reinvite(call, &NONE, body.as_ref(), now);
                    }
                }
                Act::Answer | Act::Refuse => {
                    for call in &bob {
                        let body = Some(&Body::sdp("b"));
                        let _ = match act {
                            Act::Answer => pair.bob.endpoint.answer(*call, &NONE, body, now),
                            _ => pair.bob.endpoint.reject(*call, StatusCode::DECLINE, &NONE, now),
                        };
                    }
                }
            }
        }
        pair.run_out();
        pair
    }

    /// The events one side was told since the last look, by index.
    fn seen(pair: &mut Pair, who: Who) -> std::ops::Range<usize> {
        let side = pair.side(who);
        let from = std::mem::replace(&mut side.looked_at, side.events.len());
        from..side.events.len()
    }

    fn acknowledge(pair: &mut Pair, who: Who, index: usize) {
        let now = pair.now;
        if let Some(Event::Answered { call, .. } | Event::ReofferAnswered { call, .. }) =
            pair.side(who).events.get(index)
        {
            let call = *call;
            // Fails where the INVITE had the offer: then the ACK is sent already.
            let _ = pair.side(who).endpoint.acknowledge(call, Some(&Body::sdp("c")), now);
        }
    }

    /// What holds of every run, however bad the network.
    fn check(seed: u64, pair: &Pair) {
        for who in [Who::Alice, Who::Bob] {
            let side = if who == Who::Alice { &pair.alice } else { &pair.bob };
            let mut calls = vec![];
            for event in &side.events {
                match event {
                    Event::IncomingCall { call, .. } => calls.push((*call, 0)),
                    Event::Ended { call, .. } => {
                        match calls.iter_mut().find(|(known, _)| known == call) {
                            Some((_, ended)) => *ended += 1,
                            None => calls.push((*call, 1)),
                        }
                    }
                    _ => {}
                }
            }
            assert!(calls.iter().all(|&(_, ended)| ended == 1), "seed {seed}: {who:?} {calls:?}");
            // One final response per request.
            let mut finals: Vec<(String, u16)> = vec![];
            for sent in pair.log.iter().filter(|sent| sent.from == who) {
                let Message::Response(response) = &sent.message else { continue };
                if response.status().is_final() {
                    let via = response.via().expect("parsed");
                    let key = format!(
                        "{} {}",
                        via.branch().expect("ours"),
                        response.cseq().expect("parsed").method
                    );
                    let status = response.status().code();
                    match finals.iter().find(|(known, _)| *known == key) {
                        Some((_, known)) => {
                            assert_eq!(*known, status, "seed {seed}: {who:?} {key}")
                        }
                        None => finals.push((key, status)),
                    }
                }
            }
            // Every 2xx that arrived within the transaction's life is acknowledged.
            let acks: Vec<u32> = pair
                .log
                .iter()
                .filter(|sent| sent.from == who && sent.summary() == "ACK")
                .filter_map(|sent| sent.message.headers().cseq())
                .map(|cseq| cseq.number)
                .collect();
            let arrived = pair.log.iter().filter(|sent| {
                sent.from == who.other() && sent.summary() == "200 INVITE" && sent.arrives.is_some()
            });
            for sent in arrived {
                let number = sent.message.headers().cseq().expect("parsed").number;
                assert!(
                    acks.contains(&number),
                    "seed {seed}: {who:?} left {number} unacknowledged"
                );
            }
        }
    }

    #[test]
    fn no_network_however_bad_leaves_a_call_half_open() {
        let mut met = std::collections::BTreeMap::new();
        for seed in 0..300 {
            let pair = play(seed, Link::bad(seed));
            check(seed, &pair);
            for summary in
                pair.log.iter().map(Sent::summary).collect::<std::collections::BTreeSet<_>>()
            {
                *met.entry(summary).or_insert(0) += 1;
            }
        }
        // The sweep is worth something only if it goes everywhere.
        for (what, least) in [
            ("CANCEL", 30),
            ("200 BYE", 200),
            ("487 INVITE", 20),
            ("491 INVITE", 5),
            ("603 INVITE", 20),
            ("ACK", 250),
        ] {
            assert!(met.get(what).is_some_and(|&runs| runs >= least), "{what} in {met:?}");
        }
    }

    #[test]
    fn crossing_acts_over_a_stream_leave_nothing() {
        for seed in 0..100 {
            check(seed, &play(seed, Link::stream()));
        }
    }
}
