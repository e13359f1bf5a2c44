//! Transfers that telephones ask for: REFER within a call, with and without Replaces.
//!
//! Whoever transfers leaves at once: its dialplan, its record and its media end, and only the SIP
//! dialog stays until it has heard how its REFER fared or hangs up by itself (RFC 5589 §6.1). The
//! other one goes on, in the dialplan or with whom the transferrer talked to before.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use bstr::{BStr, BString};
use diesis_dialplan::{channel::OutgoingHeader, operation::Operation};

use super::{
    EndedBy, Switch, SwitchEvent,
    call::{Call, Control},
    dial::Asking,
};
use crate::{
    channel::{Cause, ChannelId},
    clock::Now,
    config::Peer,
    pbx::Pbx,
    printable::Printable,
    sip::{
        self, HeaderName, Method, Request, StatusCode, Uri, VerbError,
        refer::{Refer, Replaces},
    },
};

/// Who was transferred, and who waits to hear of it.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// Calls that went elsewhere and have not got there yet.
    referred: HashMap<ChannelId, sip::ReferHandle>,
    /// Dialogs kept for those who transferred, until then at most.
    kept: HashMap<sip::CallHandle, Instant>,
    due: BTreeSet<(Instant, sip::CallHandle)>,
    /// Those who transfer by keys, and are not through.
    pub(super) asking: HashMap<ChannelId, Box<Asking>>,
    /// REFERs of ours that are not answered, by whose call they were sent in.
    pub(super) sent: HashMap<sip::RequestHandle, ChannelId>,
}

/// What a REFER comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Transfer {
    /// The partner goes on in the dialplan.
    Blind { partner: ChannelId, context: BString, extension: BString },
    /// The partner is connected with the partner of another call of the transferrer's.
    Join { partner: ChannelId, second: ChannelId, other: ChannelId },
    /// The partner takes the transferrer's place in the dialplan of its other call; or the partner
    /// of the other call takes its place in this one.
    TakePlace { of: ChannelId, by: ChannelId, second: ChannelId },
    /// The partner goes to the extension for dialogs that we do not have.
    Elsewhere { partner: ChannelId, context: BString, target: Uri, replaces: Replaces },
}

impl Transfers {
    /// Whether the call is kept only for its reports.
    pub(super) fn keeps(&self, handle: sip::CallHandle) -> bool {
        self.kept.contains_key(&handle)
    }

    /// The stack ended the call.
    pub(super) fn forget(&mut self, handle: sip::CallHandle) {
        if let Some(until) = self.kept.remove(&handle) {
            self.due.remove(&(until, handle));
        }
    }

    /// When a dialog is given up.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|(until, _)| *until)
    }

    fn keep(&mut self, handle: sip::CallHandle, until: Instant) {
        self.forget(handle);
        self.kept.insert(handle, until);
        self.due.insert((until, handle));
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.referred.is_empty()
            && self.kept.is_empty()
            && self.due.is_empty()
            && self.asking.is_empty()
            && self.sent.is_empty()
    }
}

impl Switch {
    /// A REFER within a call.
    pub(super) fn take_refer(
        &mut self,
        call: &mut Call,
        transaction: sip::TransactionHandle,
        refer: &Refer,
        request: &Request,
        now: Now,
    ) {
        let Some(handle) = call.handle else { return };
        let to = refer.target.as_str();
        let transfer = match self.transfer_asked(call, refer, now) {
            Ok(transfer) => transfer,
            Err(status) => {
                tracing::info!(call_id = %call.parties.call_id, to, status = status.code(), "transfer refused");
                return self.refuse_refer(transaction, status, now);
            }
        };
        let reports = match self.endpoint.accept_refer(handle, transaction, now.instant) {
            Ok(reports) => reports,
            Err(VerbError::Full) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                return self.refuse_refer(transaction, status, now);
            }
            // The transferrer gave up.
            Err(_) => return,
        };
        tracing::info!(call_id = %call.parties.call_id, channel = %call.name, to, "transfer");
        let hears_progress = self.peer_of(call).is_some_and(|peer| peer.refer_blind_progress);
        if let Some(reports) = reports {
            call.handle = None;
            self.handles.remove(&handle);
            self.transfers.keep(handle, now.instant + REPORTING);
            match transfer {
                Transfer::Blind { partner, .. } if hears_progress => {
                    self.transfers.referred.insert(partner, reports);
                }
                Transfer::Elsewhere { partner, .. } => {
                    self.transfers.referred.insert(partner, reports);
                }
                Transfer::Blind { .. } | Transfer::Join { .. } | Transfer::TakePlace { .. } => {
                    self.tell_referrer(reports, StatusCode::OK, now);
                }
            }
        }
        let referred_by = request.text(HeaderName::ReferredBy).unwrap_or_default();
        match transfer {
            Transfer::Blind { partner, context, extension } => {
                let place = (context.as_ref(), extension.as_ref());
                self.send_partner_to(call, partner, place, Some(referred_by), now);
            }
            Transfer::Join { partner, second, other } => {
                self.join_partners(call, partner, second, other, now);
            }
            Transfer::TakePlace { of, by, second } => self.take_place(call, of, by, second, now),
            Transfer::Elsewhere { partner, context, target, replaces } => {
                let place = (context.as_ref(), BStr::new(EXTERNAL_REPLACES));
                self.with_call(partner, now, |_, call| replace_elsewhere(call, &target, &replaces));
                self.send_partner_to(call, partner, place, Some(referred_by), now);
            }
        }
    }

    /// Answers a request within a call that can not be served.
    pub(super) fn refuse_refer(
        &mut self,
        transaction: sip::TransactionHandle,
        status: StatusCode,
        now: Now,
    ) {
        let headers = sip::Headers::default();
        // Gone means that the transaction ended before us.
        let _ = self.endpoint.respond(transaction, status, &headers, None, now.instant);
    }

    /// What a REFER asks for, or the status that refuses it.
    fn transfer_asked(&self, call: &Call, refer: &Refer, now: Now) -> Result<Transfer, StatusCode> {
        let peer = self.peer_of(call).filter(|peer| peer.allow_transfer);
        let peer = peer.ok_or(StatusCode::DECLINE)?;
        if refer.method != Method::Invite {
            return Err(StatusCode::NOT_IMPLEMENTED);
        }
        let partner = self.partner(call);
        if let Some(replaces) = &refer.replaces {
            return self.attended_asked(call, partner, &peer, refer, replaces, now);
        }
        let partner = partner.ok_or(StatusCode::BAD_REQUEST)?;
        let transferred = self.calls.get(&partner).ok_or(StatusCode::BAD_REQUEST)?;
        if transferred.max_forwards <= 1 {
            return Err(StatusCode::TOO_MANY_HOPS);
        }
        let context = transfer_context(call, &peer);
        let extension = refer.target.as_ref().user_decoded().unwrap_or_default().into_owned();
        let extension = if extension.is_empty() { "s".into() } else { BString::from(extension) };
        if !self.has_place(transferred, context.as_ref(), extension.as_ref(), now) {
            return Err(StatusCode::NOT_FOUND);
        }
        Ok(Transfer::Blind { partner, context, extension })
    }

    fn attended_asked(
        &self,
        call: &Call,
        partner: Option<ChannelId>,
        peer: &Peer,
        refer: &Refer,
        replaces: &Replaces,
        now: Now,
    ) -> Result<Transfer, StatusCode> {
        let found = self.endpoint.replaced_call(replaces);
        let second = match found {
            Ok(handle) => *self.handles.get(&handle).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?,
            Err(StatusCode::CALL_DOES_NOT_EXIST) if !self.is_ours(&refer.target) => {
                let partner = partner.ok_or(StatusCode::BAD_REQUEST)?;
                let transferred = self.calls.get(&partner).ok_or(StatusCode::BAD_REQUEST)?;
                // The dialplan alone says who may be called: a phone that names a stranger does not.
                let context = transfer_context(call, peer);
                if !self.has_place(transferred, context.as_ref(), EXTERNAL_REPLACES.into(), now) {
                    return Err(StatusCode::NOT_FOUND);
                }
                let (target, replaces) = (refer.target.clone(), replaces.clone());
                return Ok(Transfer::Elsewhere { partner, context, target, replaces });
            }
            Err(status) => return Err(status),
        };
        // A call can not take its own place; it is out of the table while this happens to it.
        let other = self.calls.get(&second).ok_or(StatusCode::BAD_REQUEST)?;
        let runs_dialplan =
            |call: &Call| call.is_up() && matches!(call.control, Control::Dialplan(_));
        match (partner, self.partner(other)) {
            // It talks to itself.
            (Some(partner), _) if partner == second => Err(StatusCode::BAD_REQUEST),
            (Some(partner), Some(far)) => Ok(Transfer::Join { partner, second, other: far }),
            (Some(by), None) if other.dialling.is_none() && runs_dialplan(other) => {
                Ok(Transfer::TakePlace { of: second, by, second })
            }
            (None, Some(by)) if call.dialling.is_none() && runs_dialplan(call) => {
                Ok(Transfer::TakePlace { of: call.id, by, second })
            }
            _ => Err(StatusCode::BAD_REQUEST),
        }
    }

    /// Whether an address is one of ours, so that its dialogs would be known here.
    fn is_ours(&self, uri: &Uri) -> bool {
        let host = uri.host_str();
        let is_local = |it: &std::net::SocketAddr| it.ip().to_string() == host;
        let domain = host.trim_start_matches('[').trim_end_matches(']');
        self.locals.iter().any(is_local)
            || self.locals.iter().any(|it| it.ip().to_string() == domain)
            || uri.socket_addr().is_some_and(|at| self.locals.contains(&at))
    }

    /// The partner of a call goes on in the dialplan, and the call ends.
    pub(super) fn send_partner_to(
        &mut self,
        call: &mut Call,
        partner: ChannelId,
        (context, extension): (&BStr, &BStr),
        referred_by: Option<&str>,
        now: Now,
    ) {
        let name = call.name.clone();
        let partner_name = self.calls.get(&partner).map(|it| it.name.clone()).unwrap_or_default();
        if let Some(pbx) = call.pbx_mut() {
            pbx.set_variable("BLINDTRANSFER", &partner_name);
        }
        self.tell(SwitchEvent::CallTransferred {
            call: partner,
            by: call.id,
            to: extension.to_owned(),
        });
        self.dismiss(call, now);
        self.with_call(partner, now, |switch, call| {
            call.max_forwards = call.max_forwards.saturating_sub(1);
            switch.go_on_at(call, (context, extension, 1));
            let Some(pbx) = call.pbx_mut() else { return };
            pbx.set_variable("BLINDTRANSFER", &name);
            if let Some(referred_by) = referred_by {
                pbx.set_variable("SIPTRANSFER", b"yes");
                pbx.set_variable("SIPREFERRINGCONTEXT", context);
                add_referred_by(pbx, referred_by);
            }
        });
    }

    /// The partners of a transferrer's two calls are connected, and both calls end.
    fn join_partners(
        &mut self,
        call: &mut Call,
        partner: ChannelId,
        second: ChannelId,
        other: ChannelId,
        now: Now,
    ) {
        let name = call.name.clone();
        let to = self.calls.get(&other).map(|it| it.name.clone()).unwrap_or_default();
        self.tell(SwitchEvent::CallTransferred { call: partner, by: call.id, to });
        self.with_call(other, now, |_, call| {
            if let Some(pbx) = call.pbx_mut() {
                pbx.set_variable("ATTENDEDTRANSFER", &name);
            }
        });
        self.with_call(partner, now, |switch, call| {
            if let Some(pbx) = call.pbx_mut() {
                pbx.set_variable("ATTENDEDTRANSFER", &name);
            }
            switch.link(call, other, now);
        });
        self.dismiss(call, now);
        self.with_call(second, now, |switch, call| switch.dismiss(call, now));
    }

    /// A call goes on where another one is in the dialplan, which ends.
    fn take_place(
        &mut self,
        call: &mut Call,
        of: ChannelId,
        by: ChannelId,
        second: ChannelId,
        now: Now,
    ) {
        let name = call.name.clone();
        let place = match of == call.id {
            true => place_of(call),
            false => self.calls.get(&of).and_then(|call| place_of(call)),
        };
        let Some((context, extension, priority)) = place else { return };
        self.tell(SwitchEvent::CallTransferred { call: by, by: call.id, to: extension.clone() });
        // The one without a partner runs a dialplan of its own and is told to stop; the other one
        // follows its Dial.
        let end = |switch: &mut Self, call: &mut Call| {
            switch.dismiss(call, now);
            if call.id == of {
                switch.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now);
            }
        };
        end(self, call);
        self.with_call(second, now, |switch, call| end(switch, call));
        self.with_call(by, now, |switch, call| {
            if let Some(pbx) = call.pbx_mut() {
                pbx.set_variable("ATTENDEDTRANSFER", &name);
            }
            switch.go_on_at(call, (&context, &extension, priority));
        });
    }

    // Reports.

    /// A call that was transferred has come so far.
    pub(super) fn report_transfer(&mut self, call: ChannelId, status: StatusCode, now: Now) {
        let Some(&reports) = self.transfers.referred.get(&call) else { return };
        if status.is_final() {
            self.transfers.referred.remove(&call);
        }
        self.tell_referrer(reports, status, now);
    }

    /// What the dialplan of a call that was transferred wants done: one that is served has arrived.
    pub(super) fn report_operation(&mut self, call: &Call, operation: &Operation, now: Now) {
        if self.transfers.referred.is_empty() {
            return;
        }
        let status = match operation {
            Operation::Ringing => StatusCode::RINGING,
            Operation::Busy { .. } => StatusCode::BUSY_HERE,
            Operation::Congestion { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Operation::Dial(_)
            | Operation::Progress
            | Operation::Proceeding
            | Operation::Wait { .. }
            | Operation::PlayTones { .. }
            | Operation::StopPlayTones
            | Operation::StopMusicOnHold
            | Operation::SoftHangup { .. }
            | Operation::Redirect { .. }
            | Operation::Originate(_) => return,
            // Known once there is a slot.
            Operation::Park(_) => return,
            _ => StatusCode::OK,
        };
        self.report_transfer(call.id, status, now);
    }

    /// A call that was transferred is over before it arrived anywhere.
    pub(super) fn report_end(&mut self, call: &Call, cause: Cause, now: Now) {
        if !self.transfers.referred.contains_key(&call.id) {
            return;
        }
        let dialled = call.pbx().map(|pbx| pbx.channel().hangup_cause);
        let known = dialled.and_then(|number| Cause::new(u8::try_from(number).ok()?));
        let cause = known.filter(|_| cause == Cause::NORMAL_CLEARING).unwrap_or(cause);
        let status = StatusCode::new(cause.status()).unwrap_or(StatusCode::DECLINE);
        self.report_transfer(call.id, status, now);
    }

    fn tell_referrer(&mut self, reports: sip::ReferHandle, status: StatusCode, now: Now) {
        // Gone means that the transferrer does not want to hear any more.
        let _ = self.endpoint.report_refer(reports, status, now.instant);
        let handle = reports.call();
        if status.is_final() && self.transfers.keeps(handle) {
            self.transfers.keep(handle, now.instant + GRACE);
        }
    }

    /// Hangs up those who transferred and did not do so themselves.
    pub(super) fn let_go_of_referrers(&mut self, now: Now) {
        while let Some(&(until, handle)) = self.transfers.due.first() {
            if until > now.instant {
                break;
            }
            self.transfers.forget(handle);
            let headers = super::invite::reason(Cause::NORMAL_CLEARING);
            // Gone means that it hung up in the same moment.
            let _ = self.endpoint.hang_up(handle, StatusCode::DECLINE, &headers, now.instant);
        }
    }
}

/// Where the dialplan of a call is.
fn place_of(call: &Call) -> Option<(BString, BString, u32)> {
    let place = call.pbx()?.place();
    Some((place.context.to_owned(), place.extension.to_owned(), place.priority))
}

/// Where a transferrer's target is looked up.
fn transfer_context(call: &Call, peer: &Peer) -> BString {
    let named = call.pbx().and_then(|pbx| pbx.variable("TRANSFER_CONTEXT"));
    let named = named.filter(|context| !context.is_empty());
    named.map_or_else(|| peer.context.clone(), ToOwned::to_owned)
}

/// Whoever is called next hears who sent the call there (RFC 3892 §2.2).
fn add_referred_by(pbx: &mut Pbx, referred_by: &str) {
    let headers = &mut pbx.channel_mut().outgoing_headers;
    headers.retain(|header| header.name != "Referred-By");
    if referred_by.is_empty() {
        return;
    }
    headers.push(OutgoingHeader { name: "Referred-By".into(), value: referred_by.into() });
    pbx.set_variable("SIPREFERREDBYHDR", referred_by.as_bytes());
    tracing::debug!(referred_by = %Printable(referred_by.as_bytes()), "transferred");
}

/// What [`EXTERNAL_REPLACES`] needs to call somebody elsewhere, to take the transferrer's place
/// there (RFC 3891 §4): the address in `SIPREFERTOHDR`, and Replaces in the INVITE that follows.
fn replace_elsewhere(call: &mut Call, target: &Uri, replaces: &Replaces) {
    forget_replaces(call);
    let Some(pbx) = call.pbx_mut() else { return };
    let replaces = replaces.to_string();
    pbx.set_variable("SIPREFERTOHDR", target.as_str().as_bytes());
    pbx.set_variable("SIPREPLACESHDR", replaces.as_bytes());
    let header = OutgoingHeader { name: "Replaces".into(), value: replaces.into() };
    pbx.channel_mut().outgoing_headers.push(header);
}

/// A place is taken once: a later Dial calls somebody else, or the same anew.
pub(super) fn forget_replaces(call: &mut Call) {
    if let Some(pbx) = call.pbx_mut() {
        pbx.channel_mut().outgoing_headers.retain(|header| header.name != "Replaces");
    }
}

/// Where an attended transfer goes whose other dialog is not ours; without this extension in the
/// context of transfers it is refused.
const EXTERNAL_REPLACES: &str = "external_replaces";

/// How long somebody who transfers is kept to hear of it, as the stack bounds the subscription.
const REPORTING: Duration = Duration::from_secs(180);

/// How long somebody who has heard the end may take to hang up.
const GRACE: Duration = Duration::from_secs(2);
