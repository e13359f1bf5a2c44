//! Requests outside any dialog other than INVITE.

use super::{
    Switch,
    admission::{Admission, response_port},
    subscriptions::PACKAGES,
};
use crate::{
    clock::Now,
    sip::{self, HeaderName, Method, Request, StatusCode, TransactionHandle},
};

/// The methods that are served, REFER and NOTIFY only within a call. The others come here too: without credentials
/// nobody learns what is served.
pub(super) const METHODS: [Method; 6] = [
    Method::Options,
    Method::Register,
    Method::Subscribe,
    Method::Message,
    Method::Refer,
    Method::Notify,
];

impl Switch {
    /// Takes a request; nobody gets past admission without proof, whatever the method.
    pub(super) fn take_request(
        &mut self,
        transaction: TransactionHandle,
        request: &Request,
        flow: sip::Flow,
        now: Now,
    ) {
        let port = self.response_port(&flow);
        self.endpoint.set_response_port(transaction, port);
        let peer = match self.admit(request, &flow, now) {
            Admission::Peer(peer) => peer,
            Admission::Ignored => return self.endpoint.ignore(transaction),
            Admission::Refused { status, headers } => {
                // A challenge costs nothing and leaves nothing behind; gone means answered.
                let _ = self.endpoint.respond_stateless(transaction, status, &headers);
                return;
            }
        };
        self.endpoint.set_response_port(transaction, response_port(&peer));
        let (status, headers) = match request.method() {
            Method::Subscribe => {
                return self.take_subscribe(&peer, transaction, request, flow, now);
            }
            Method::Register => self.register(&peer, request, &flow, now),
            Method::Message => self.take_message(&peer, request, flow, now),
            Method::Options => (self.would_take(request, &peer, now), options()),
            // Nobody is called at the word of somebody who is in no call.
            Method::Refer => (StatusCode::FORBIDDEN, sip::Headers::default()),
            // RFC 6665 §4.1.3: for a subscription that we do not have.
            Method::Notify => (StatusCode::CALL_DOES_NOT_EXIST, sip::Headers::default()),
            // RFC 3261 §21.5.2, §21.4.6: 501 for a method nobody here knows, 405 for one not served.
            Method::Extension(_) => (StatusCode::NOT_IMPLEMENTED, sip::Headers::default()),
            _ => (StatusCode::METHOD_NOT_ALLOWED, sip::Headers::default()),
        };
        // Gone means that the transaction ended before us.
        let _ = self.endpoint.respond(transaction, status, &headers, None, now.instant);
    }
}

/// What an OPTIONS asks for beside Allow, which the stack writes (RFC 3261 §11.2).
fn options() -> sip::Headers {
    let mut headers = sip::Headers::default();
    headers.push(HeaderName::Accept, "application/sdp, application/dtmf-relay, application/dtmf");
    headers.push(HeaderName::AcceptLanguage, "en");
    headers.push(HeaderName::AllowEvents, PACKAGES);
    headers
}
