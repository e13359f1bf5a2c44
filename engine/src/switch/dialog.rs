//! What the SIP stack tells about calls in progress: answers, new offers, INFO, the end.

use bstr::BString;
use bytes::Bytes;
use diesis_dialplan::channel::Party;

use super::{
    EndedBy, Switch,
    call::{Call, Phase},
    identity::Identity,
    session::{self, SessionError},
};
use crate::{
    channel::{Cause, DigitSource},
    clock::Now,
    media::Digit,
    sip::{self, Event, HeaderName, Request, Response, StatusCode},
};

impl Switch {
    /// Takes one event of the stack.
    pub(super) fn handle_sip_event(&mut self, event: Event, now: Now) {
        match event {
            Event::IncomingCall { call, request, flow } => {
                self.take_invite(call, &request, flow, now);
            }
            Event::Request { transaction, request, flow } => {
                self.take_request(transaction, &request, flow, now);
            }
            Event::Progress { call, response } => self.with_handle(call, now, |switch, call| {
                switch.take_progress(call, &response);
            }),
            Event::Challenged { call, response } => self.with_handle(call, now, |switch, call| {
                switch.take_challenge(call, &response, now);
            }),
            Event::Answered { call, response } => self.with_handle(call, now, |switch, call| {
                switch.take_answer(call, &response, now);
            }),
            Event::Acknowledged { call, request } => self.with_handle(call, now, |switch, call| {
                switch.take_ack(call, &request, now);
            }),
            Event::EarlyAnswer { call, request } => self.with_handle(call, now, |switch, call| {
                switch.take_ack(call, &request, now);
            }),
            Event::Updated { call, request } => self.with_handle(call, now, |switch, call| {
                switch.learn_connected(call, &request, now);
            }),
            Event::Reoffer { call, .. } if self.transfers.keeps(call) => {
                let (status, headers) = (StatusCode::NOT_ACCEPTABLE_HERE, sip::Headers::default());
                // Gone means that the far end hung up meanwhile.
                let _ = self.endpoint.refuse_offer(call, status, &headers, now.instant);
            }
            Event::Reoffer { call, request } => self.with_handle(call, now, |switch, call| {
                switch.take_reoffer(call, &request, now);
            }),
            Event::InDialog { call, transaction, .. } if self.transfers.keeps(call) => {
                self.refuse_refer(transaction, StatusCode::CALL_DOES_NOT_EXIST, now);
            }
            Event::InDialog { call, transaction, request } => {
                self.with_handle(call, now, |switch, call| {
                    switch.take_request_in_dialog(call, transaction, &request, now);
                });
            }
            Event::Refer { call, transaction, refer, request } => {
                if self.transfers.keeps(call) {
                    return self.refuse_refer(transaction, StatusCode::CALL_DOES_NOT_EXIST, now);
                }
                self.with_handle(call, now, |switch, call| {
                    switch.take_refer(call, transaction, &refer, &request, now);
                });
            }
            Event::Ended { call, end } => {
                self.transfers.forget(call);
                let by_caller = self.handles.remove(&call);
                if let Some(id) = by_caller {
                    self.with_call(id, now, |switch, call| {
                        call.handle = None;
                        switch.take_end(call, &end, now);
                    });
                }
            }
            Event::ReofferRefused { call, .. } | Event::ReofferCancelled { call } => {
                self.with_handle(call, now, |switch, call| {
                    call.session.cancel_offer();
                    switch.tell_connected_if_due(call, now);
                });
            }
            Event::NotifyDue { subscription } => self.tell_subscriber(subscription, now),
            Event::SubscriptionEnded { subscription, end } => {
                self.forget_subscriber(subscription, end);
            }
            Event::Response { request, response } => {
                if !self.registration_answered(request, Ok(&response), now)
                    && !self.messages_announced(request, response.status(), now)
                    && !response.status().is_provisional()
                    && !self.qualified(request, Some(response.status()), now)
                    && !self.refer_answered(request, Ok(&response), now)
                {
                    self.info_answered(request, Some(response.status()), now);
                }
            }
            Event::RequestFailed { request, failure } => {
                if !self.registration_answered(request, Err(failure), now)
                    && !self.messages_announced(request, failure.status(), now)
                    && !self.qualified(request, None, now)
                    && !self.refer_answered(request, Err(failure.status()), now)
                {
                    self.info_answered(request, None, now);
                }
            }
            Event::RefreshDue { call } | Event::ReofferDue { call } => {
                self.with_handle(call, now, |switch, call| switch.refresh_session(call, now));
            }
            Event::ReofferAnswered { call, response } => {
                self.with_handle(call, now, |switch, call| {
                    switch.take_new_answer(call, &response);
                    switch.tell_connected_if_due(call, now);
                });
            }
        }
    }

    fn with_handle(
        &mut self,
        handle: sip::CallHandle,
        now: Now,
        act: impl FnOnce(&mut Self, &mut Call),
    ) {
        if let Some(&id) = self.handles.get(&handle) {
            self.with_call(id, now, act);
        }
    }

    /// The ACK of our 200, or the PRACK of our 183; with a late offer it brings the answer.
    fn take_ack(&mut self, call: &mut Call, request: &Request, now: Now) {
        if !call.session.is_offer_pending() {
            return self.tell_connected_if_due(call, now);
        }
        let answer = session::description(request.headers(), request.body());
        let agreed = answer.and_then(|answer| match answer {
            Some(answer) => call.session.receive_answer(&answer),
            None => Err(SessionError::NotSdp),
        });
        if let Err(error) = agreed {
            tracing::info!(call_id = %call.parties.call_id, %error, "no answer to our offer");
            return self.end(call, Cause::BEARER_NOT_IMPLEMENTED, EndedBy::Failure, now);
        }
        self.open_media(call);
        if let Some(settle) = call.after_ack.take() {
            self.settle(call, settle, now);
        }
        self.join_audio(call);
    }

    /// Offers the session as it is, to keep it alive.
    pub(super) fn refresh_session(&mut self, call: &mut Call, now: Now) {
        let Some(handle) = call.handle else { return };
        // One that met the peer's own offer was never answered.
        call.session.cancel_offer();
        let local = call.media_address.unwrap_or(call.flow.local);
        let Ok(offer) = call.session.offer(local) else { return };
        let (headers, body) = (self.connected_line(call), sip::Body::sdp(offer));
        // An offer of the far end is on its way: the stack asks again.
        if self.endpoint.reinvite(handle, &headers, Some(&body), now.instant).is_err() {
            call.session.cancel_offer();
            call.connected_due = headers.fields().next().is_some();
        }
    }

    /// The answer to our offer within the call; one that is of no use leaves things as they were.
    fn take_new_answer(&mut self, call: &mut Call, response: &Response) {
        let answer = session::description(response.headers(), response.body());
        let agreed = answer.and_then(|answer| match answer {
            Some(answer) => call.session.receive_answer(&answer),
            None => Err(SessionError::NotSdp),
        });
        match agreed {
            Ok(()) => {
                self.open_media(call);
                self.follow_hold(call);
            }
            Err(error) => {
                tracing::info!(call_id = %call.parties.call_id, %error, "no answer to our offer");
                call.session.cancel_offer();
            }
        }
    }

    /// A re-INVITE or UPDATE: hold, another codec, another address. One without a body asks for
    /// our offer.
    fn take_reoffer(&mut self, call: &mut Call, request: &Request, now: Now) {
        let Some(handle) = call.handle else { return };
        self.learn_connected(call, request, now);
        // The stack lets no offer in while one of ours is out: it met another and is void.
        call.session.cancel_offer();
        let answered = answer_reoffer(call, request);
        match answered {
            Ok(body) => {
                let body = sip::Body::sdp(body);
                let accepted = self.endpoint.accept_offer(
                    handle,
                    &sip::Headers::default(),
                    Some(&body),
                    now.instant,
                );
                if accepted.is_ok() && !call.session.is_offer_pending() {
                    self.open_media(call);
                    self.follow_hold(call);
                }
            }
            Err(error) => {
                tracing::info!(call_id = %call.parties.call_id, %error, "new offer refused");
                let status = error.status();
                // Gone means that the far end hung up meanwhile.
                let _ = self.endpoint.refuse_offer(
                    handle,
                    status,
                    &sip::Headers::default(),
                    now.instant,
                );
            }
        }
    }

    /// INFO and whatever else came within the call.
    fn take_request_in_dialog(
        &mut self,
        call: &mut Call,
        transaction: sip::TransactionHandle,
        request: &Request,
        now: Now,
    ) {
        let (status, digit) = match request.method() {
            sip::Method::Info => info(request),
            sip::Method::Options => (StatusCode::OK, None),
            sip::Method::Notify => (self.take_report(call, request, now), None),
            // A call's dialog has no second usage (RFC 6665 §4.5.2).
            sip::Method::Subscribe => (StatusCode::FORBIDDEN, None),
            // Texts do not belong to calls here.
            sip::Method::Message => (StatusCode::METHOD_NOT_ALLOWED, None),
            _ => (StatusCode::NOT_IMPLEMENTED, None),
        };
        let mut headers = sip::Headers::default();
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            headers.push(HeaderName::Accept, "application/dtmf-relay, application/dtmf");
        }
        // Gone means that the transaction ended before us.
        let _ = self.endpoint.respond(transaction, status, &headers, None, now.instant);
        if let Some(digit) = digit {
            self.hear_digit(call, digit, DigitSource::Info, now);
        }
    }

    /// The stack's call is over.
    fn take_end(&mut self, call: &mut Call, end: &sip::End, now: Now) {
        if self.try_elsewhere(call, end, now) {
            return;
        }
        let (cause, by) = match end {
            sip::End::Bye { request } => (stated_cause(request), EndedBy::FarEnd),
            sip::End::Cancelled { request } => (stated_cause(request), EndedBy::FarEnd),
            sip::End::Refused { response } => {
                if let Some(to) = forwarded_to(response)
                    && self.tell_caller_to_forward(call, to)
                {
                    tracing::info!(call_id = %call.parties.call_id, "the callee forwards the call");
                }
                let stated = reason_cause(response.headers());
                let cause = stated.unwrap_or_else(|| Cause::from_status(response.status().code()));
                (cause, EndedBy::FarEnd)
            }
            sip::End::Local => (Cause::NORMAL_CLEARING, EndedBy::Us),
            sip::End::Expired => (Cause::NO_ANSWER, EndedBy::FarEnd),
            sip::End::Unacknowledged | sip::End::SessionExpired => {
                (Cause::RECOVERY_ON_TIMER, EndedBy::Failure)
            }
            sip::End::Failed(failure) => {
                (Cause::from_status(failure.status().code()), EndedBy::Failure)
            }
        };
        self.end(call, cause, by, now);
    }

    // The caller's side: calls that we placed.

    fn take_progress(&mut self, call: &mut Call, response: &Response) {
        let description = session::description(response.headers(), response.body());
        // With several forks the latest to speak is heard.
        if let Ok(Some(answer)) = description
            && call.session.receive_answer_of(response.to_tag(), answer).is_ok()
        {
            self.open_media(call);
            call.phase = Phase::EarlyMedia;
            self.tell_caller_it_progresses(call);
        }
        if response.status() == StatusCode::RINGING {
            if call.phase == Phase::Proceeding {
                call.phase = Phase::Ringing;
                self.tell_phase(call);
            }
            self.tell_caller_it_rings(call);
        }
    }

    fn take_answer(&mut self, call: &mut Call, response: &Response, now: Now) {
        let description = session::description(response.headers(), response.body());
        let agreed =
            description.and_then(|answer| call.session.settle_answer(response.to_tag(), answer));
        if let Err(error) = agreed {
            tracing::info!(call_id = %call.parties.call_id, %error, "answered without usable media");
            return self.end(call, Cause::BEARER_NOT_IMPLEMENTED, EndedBy::Failure, now);
        }
        call.phase = Phase::Up;
        call.answered = Some(now.instant);
        if let Some(peer) = self.peer_of(call) {
            let identity = Identity::read(response.headers(), &peer);
            let party = identity.party.or_else(|| {
                let own = peer.caller_id.as_ref();
                own.map(|own| Party::new(own.name.clone(), own.number.clone()))
            });
            call.identity = Identity { party, ..identity };
        }
        self.open_media(call);
        self.join_audio(call);
        self.tell_phase(call);
        self.tell_caller_it_answered(call);
    }
}

/// Our answer to a new offer, or our offer where the far end asks for one.
fn answer_reoffer(call: &mut Call, request: &Request) -> Result<Bytes, SessionError> {
    let local = call.media_address.unwrap_or(call.flow.local);
    match session::description(request.headers(), request.body())? {
        Some(offer) => call.session.answer_again(&offer, local),
        None => call.session.offer(local),
    }
}

/// What an INFO asks for: a digit, nothing, or something we do not have.
fn info(request: &Request) -> (StatusCode, Option<Digit>) {
    let Some(content) = request.content_type() else { return (StatusCode::OK, None) };
    let body = request.body();
    if content.is("application", "dtmf-relay") {
        (StatusCode::OK, relayed_digit(body))
    } else if content.is("application", "dtmf") {
        let digit = std::str::from_utf8(body).ok().and_then(|text| parse_digit(text.trim()));
        (StatusCode::OK, digit)
    } else {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, None)
    }
}

/// The `Signal=` line of `application/dtmf-relay`. The duration beside it tells us nothing: the
/// press is over when the INFO is here.
fn relayed_digit(body: &[u8]) -> Option<Digit> {
    let text = std::str::from_utf8(body).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("signal").then(|| parse_digit(value.trim()))?
    })
}

/// A digit, or its event code as some phones write `*` and `#`.
fn parse_digit(text: &str) -> Option<Digit> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Digit::from_char(character),
        _ => text.parse().ok().and_then(Digit::from_event),
    }
}

/// The Q.850 cause in a Reason header (RFC 3326); normal clearing without one.
fn stated_cause(request: &Request) -> Cause {
    reason_cause(request.headers()).unwrap_or(Cause::NORMAL_CLEARING)
}

/// Where a redirection sends the call: the user part of its first contact, as Asterisk's
/// `redirect_method=user` takes it.
fn forwarded_to(response: &Response) -> Option<BString> {
    if !matches!(response.status().code(), 300..=302 | 305 | 380) {
        return None;
    }
    let contact = response.contact()?;
    let user = contact.uri().user_decoded()?;
    // It becomes part of a Dial's argument: nothing that separates there may be in it.
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._*#".contains(byte);
    (!user.is_empty() && user.iter().all(is_plain)).then(|| BString::from(user.into_owned()))
}

fn reason_cause(headers: &sip::Headers) -> Option<Cause> {
    let reasons = headers.elements(HeaderName::Reason);
    reasons.filter_map(|reason| std::str::from_utf8(reason).ok()).find_map(|reason| {
        let mut parts = reason.split(';').map(str::trim);
        parts.next().filter(|protocol| protocol.eq_ignore_ascii_case("q.850"))?;
        let number = parts.find_map(|part| part.strip_prefix("cause="))?;
        Cause::new(number.trim().parse().ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_digits_are_read_in_the_ways_phones_write_them() {
        let digit = |character| Digit::from_char(character);
        assert_eq!(relayed_digit(b"Signal=5\r\nDuration=160\r\n"), digit('5'));
        assert_eq!(relayed_digit(b"Duration = 100\nsignal = *\n"), digit('*'));
        assert_eq!(relayed_digit(b"Signal=11\r\nDuration=160\r\n"), digit('#'));
        assert_eq!(relayed_digit(b"Signal=d\r\n"), digit('D'));
        for nonsense in [&b""[..], b"Signal", b"Signal=", b"Signal=99", b"Signal=\xff", b"5"] {
            assert_eq!(relayed_digit(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(parse_digit("7"), digit('7'));
        assert_eq!(parse_digit("16"), None);
    }
}
