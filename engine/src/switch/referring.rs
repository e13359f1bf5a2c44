//! Calls that whoever calls connects elsewhere: REFER within an answered call, 302 before.
//!
//! RFC 5589 §6.1 (blind transfer; we are the transferor), RFC 3515 (REFER and its reports), RFC 3261
//! §8.1.3.4, §21.3.3 (302). The caller is a telephone system, and the new target a number of its own.

use std::time::Duration;

use bstr::BStr;
use diesis_dialplan::operation::{ForwardBy, Outcome};

use super::{
    Direction, EndedBy, Switch,
    call::{Call, Control},
    plan::resume,
};
use crate::{
    channel::Cause,
    clock::Now,
    config::SIP_PORT,
    printable::Printable,
    sip::{
        self, Flow, HeaderName, Method, NameAddr, Request, RequestHandle, Response, StatusCode,
        Transport, Uri, refer::Report,
    },
};

impl Switch {
    /// Has the caller connect itself with a number of its own. The outcome is `Failed` when this is
    /// nobody who could, or the caller says that it did not.
    pub(super) fn forward_by_caller(
        &mut self,
        call: &mut Call,
        number: &BStr,
        by: ForwardBy,
        now: Now,
    ) {
        let is_callers = call.direction == Direction::Incoming && call.other_half.is_none();
        let handle = call.handle.filter(|_| is_callers && !call.is_message());
        let (Some(handle), Some(target)) = (handle, address(call, number)) else {
            tracing::info!(
                call_id = %call.parties.call_id,
                "nobody to be told where the call goes: it did not come by SIP"
            );
            return resume(call, Outcome::Failed);
        };
        match by {
            ForwardBy::Redirect if !call.is_up() => {
                self.redirect_caller(call, handle, &target, now)
            }
            // 302 is an answer to an INVITE that has none.
            ForwardBy::Redirect => resume(call, Outcome::Failed),
            ForwardBy::Refer => self.refer_caller(call, handle, &target, now),
        }
    }

    fn redirect_caller(
        &mut self,
        call: &mut Call,
        handle: sip::CallHandle,
        target: &Uri,
        now: Now,
    ) {
        let mut headers = sip::Headers::default();
        headers.push(HeaderName::Contact, NameAddr::new(target.clone()));
        let status = StatusCode::MOVED_TEMPORARILY;
        if self.endpoint.reject(handle, status, &headers, now.instant).is_err() {
            return resume(call, Outcome::Failed);
        }
        tracing::info!(
            call_id = %call.parties.call_id, channel = %call.name, to = target.as_str(),
            "the caller is told to call elsewhere"
        );
        self.handles.remove(&handle);
        call.handle = None;
        self.end(call, Cause::NORMAL_CLEARING, EndedBy::Us, now);
    }

    fn refer_caller(&mut self, call: &mut Call, handle: sip::CallHandle, target: &Uri, now: Now) {
        let own = self.endpoint.contact_uri(&call.parties.dialled, &call.flow);
        let mut headers = sip::Headers::default();
        headers.push(HeaderName::ReferTo, NameAddr::new(target.clone()));
        headers.push(HeaderName::ReferredBy, NameAddr::new(own));
        let sent = self.endpoint.send_in_dialog(handle, Method::Refer, &headers, None, now.instant);
        match sent {
            Ok(request) => {
                tracing::info!(
                    call_id = %call.parties.call_id, channel = %call.name, to = target.as_str(),
                    "the caller is asked to connect itself elsewhere"
                );
                self.transfers.sent.insert(request, call.id);
                call.referring = Some(now.instant + PATIENCE);
            }
            Err(error) => {
                tracing::info!(call_id = %call.parties.call_id, %error, "no REFER can be sent");
                resume(call, Outcome::Failed);
            }
        }
    }

    /// A REFER of ours was answered, or never will be. False when it was another request.
    pub(super) fn refer_answered(
        &mut self,
        request: RequestHandle,
        response: Result<&Response, StatusCode>,
        now: Now,
    ) -> bool {
        let Some(&id) = self.transfers.sent.get(&request) else { return false };
        let status = response.map_or_else(|status| status, Response::status);
        if status.is_provisional() {
            return true;
        }
        self.transfers.sent.remove(&request);
        let is_silent = response.is_ok_and(|response| {
            let reports = response.headers().text(HeaderName::ReferSub).unwrap_or_default();
            reports.trim().eq_ignore_ascii_case("false")
        });
        self.with_call(id, now, |_, call| match status.is_success() {
            // It does it, and does not tell more (RFC 4488 §4).
            true if is_silent => referred(call, StatusCode::OK),
            true => wait_on(call, now),
            false => referred(call, status),
        });
        true
    }

    /// A NOTIFY within a call, and the status to answer it with.
    pub(super) fn take_report(&self, call: &mut Call, request: &Request, now: Now) -> StatusCode {
        // RFC 6665 §4.1.3: for a subscription that we do not have.
        if call.referring.is_none() {
            return StatusCode::CALL_DOES_NOT_EXIST;
        }
        let Some(report) = Report::read(request) else { return StatusCode::BAD_EVENT };
        match (report.status.is_final(), report.is_last) {
            (true, _) => referred(call, report.status),
            // It goes on without telling how it ends.
            (false, true) => referred(call, StatusCode::OK),
            (false, false) => wait_on(call, now),
        }
        StatusCode::OK
    }

    /// Waits no longer for a caller that tells nothing.
    pub(super) fn end_referring_if_late(&mut self, call: &mut Call, now: Now) {
        if call.referring.is_some_and(|until| until <= now.instant) {
            self.forget_referring(call);
            call.referring = Some(now.instant);
            referred(call, StatusCode::REQUEST_TIMEOUT);
        }
    }

    /// The call is over, or its REFER is.
    pub(super) fn forget_referring(&mut self, call: &mut Call) {
        if call.referring.take().is_some() {
            let id = call.id;
            self.transfers.sent.retain(|_, other| *other != id);
        }
    }
}

/// The caller has gone elsewhere, or not.
fn referred(call: &mut Call, status: StatusCode) {
    if call.referring.take().is_none() {
        return;
    }
    if status.is_success() {
        tracing::info!(call_id = %call.parties.call_id, "the caller is connected elsewhere");
        return resume(call, Outcome::Done);
    }
    tracing::warn!(
        call_id = %call.parties.call_id, channel = %Printable(&call.name), status = status.code(),
        reason = status.reason(), "the caller did not connect itself elsewhere"
    );
    resume(call, Outcome::Failed);
}

/// There is news: it may take longer.
fn wait_on(call: &mut Call, now: Now) {
    if let Some(until) = &mut call.referring {
        *until = now.instant + PATIENCE;
    }
}

/// A number at the telephone system that a call came from.
fn address(call: &Call, number: &BStr) -> Option<Uri> {
    if !matches!(call.control, Control::Dialplan(_)) || number.is_empty() {
        return None;
    }
    let Flow { transport, peer, .. } = call.flow;
    // Of a connection the port is another one every time.
    let port = Some(peer.port()).filter(|port| transport == Transport::Udp && *port != SIP_PORT);
    Uri::sip(number, &peer.ip().to_string(), port).ok()
}

/// Without any news of a REFER: a telephone rings no longer than that, as a rule.
const PATIENCE: Duration = Duration::from_secs(60);
