//! Phones that register: a REGISTER, its challenge, a REGISTER with credentials.

use std::{collections::HashMap, time::Instant};

use diesis_engine::sip::{
    CallId, Failure, HeaderName, Headers, Method, NameAddr, OutgoingRequest, Request,
    RequestHandle, Response, Uri, auth::Responder,
};

use super::{Crowd, cause, credentials};

/// Registrations on their way.
#[derive(Default)]
pub(super) struct Registering {
    open: HashMap<RequestHandle, Open>,
    next: usize,
}

struct Open {
    since: Instant,
    level: u32,
    user: String,
    seat: usize,
    call_id: CallId,
    cseq: u32,
    responder: Responder,
}

impl Crowd {
    /// How many registrations are on their way.
    pub(in super::super) fn registering(&self) -> usize {
        self.registering.open.len()
    }

    /// The next phone registers.
    pub(in super::super) fn register(&mut self, now: Instant) {
        let n = self.registering.next;
        self.registering.next = (n + 1) % self.task.phones.max(1);
        let user = match self.task.phones {
            0 | 1 => self.task.user.clone(),
            _ => format!("{}{n:05}", self.task.user),
        };
        self.tally.tried += 1;
        let open = Open {
            since: now,
            level: self.level,
            user,
            seat: n % self.seats.len().max(1),
            call_id: CallId::random(&mut self.entropy),
            cseq: 1,
            responder: Responder::new(),
        };
        self.ask(open, Headers::default(), now);
        self.drain_events(now);
    }

    fn ask(&mut self, open: Open, mut headers: Headers, now: Instant) {
        let Some(seat) = self.seats.get(open.seat) else { return };
        let registrar = self.task.target.uri("");
        let own = Uri::sip_at(open.user.as_bytes(), seat.flow.local);
        let of_record = NameAddr::new(self.task.target.uri(&open.user));
        headers.push(HeaderName::Contact, &*NameAddr::new(own).to_string());
        headers.push(HeaderName::Expires, self.task.expires);
        let request = OutgoingRequest {
            to: of_record.clone(),
            call_id: Some(open.call_id.clone()),
            cseq: open.cseq,
            headers,
            ..OutgoingRequest::new(Method::Register, registrar, seat.flow, of_record)
        };
        match self.endpoint.send_request(request, now) {
            Ok(handle) => drop(self.registering.open.insert(handle, open)),
            Err(error) => self.tally.refuse(&format!("not sent: {error}")),
        }
    }

    pub(super) fn handle_registration(
        &mut self,
        handle: RequestHandle,
        result: Result<Response, Failure>,
        now: Instant,
    ) {
        if result.as_ref().is_ok_and(|response| response.status().is_provisional()) {
            return;
        }
        let Some(mut open) = self.registering.open.remove(&handle) else { return };
        let counts = open.level == self.level;
        let response = match result {
            Ok(response) => response,
            Err(failure) if counts => {
                return self.tally.refuse(&format!("no answer ({})", failure.status().code()));
            }
            Err(_) => return,
        };
        if response.status().is_success() {
            if counts {
                self.tally.answered += 1;
                self.tally.good += 1;
                self.tally.set_up.add(now - open.since);
            }
            return;
        }
        let password = self.task.password.clone();
        let mut request = Request::new(Method::Register, &self.task.target.uri(""));
        let answered = password.is_some_and(|password| {
            let known = [credentials(&open.user, &password)];
            open.responder.answer(&response, &mut request, &known, &mut self.entropy).is_ok()
        });
        if !answered || open.cseq > 2 {
            if counts {
                self.tally.refuse(&cause(&response));
            }
            return;
        }
        open.cseq += 1;
        self.ask(open, request.headers().clone(), now);
    }
}
