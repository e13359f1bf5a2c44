//! Dialogs: the peer state that requests of one call share (RFC 3261 §12).
//!
//! Holds the identity, the sequence numbers, the remote target and the route set, and says how the
//! next request is addressed. What the requests mean is their usage's business: see `invite`.

use super::transaction::key::Key;
use super::{Branch, CallId, HeaderName, Headers, NameAddr, Request, Response, Tag, Uri, UriRef};

/// What identifies a dialog to one of its sides (RFC 3261 §12).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DialogId {
    /// The Call-ID of all its requests.
    pub call_id: CallId,
    /// The tag that we gave.
    pub local_tag: Tag,
    /// The tag that the peer gave; none if it is an element of RFC 2543.
    pub remote_tag: Option<Tag>,
}

/// Whether the INVITE was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// By a provisional response only.
    Early,
    /// By a 2xx.
    Confirmed,
}

/// Where a request stands in its sender's sequence (RFC 3261 §12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Newer than all before: to be executed.
    InOrder,
    /// Overtaken by a newer one: to be answered with 500.
    OutOfOrder,
}

/// One side's view of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    state: State,
    /// Our From, tag included, as it was first written.
    local: Box<[u8]>,
    /// Our To, with the peer's tag.
    remote: Box<[u8]>,
    remote_target: Uri,
    /// First hop first.
    route_set: Vec<NameAddr>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
}

/// How a request within a dialog is addressed (RFC 3261 §12.2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The Request-URI.
    pub request_uri: Uri,
    /// The Route values, in order.
    pub routes: Vec<NameAddr>,
    /// The URI the request is sent to: the first route, or the remote target.
    pub next_hop: Uri,
}

impl Dialog {
    /// The callee's side, from the INVITE it received (RFC 3261 §12.1.1). `local` is the To value
    /// with our tag.
    ///
    /// `None` when the INVITE has no usable Contact; an element of RFC 2543 may leave it out, and
    /// is reached by its From then.
    pub fn accept(request: &Request, local_tag: Tag, local_cseq: u32) -> Option<Self> {
        let from = request.from_header()?;
        let remote_target = match request.value(HeaderName::Contact) {
            Some(_) => request.contact()?.uri().to_owned(),
            None if has_cookie(request) => return None,
            None => from.uri().to_owned(),
        };
        let mut local = request.value(HeaderName::To)?.to_vec();
        if request.to_tag().is_none() {
            local.extend_from_slice(b";tag=");
            local.extend_from_slice(local_tag.as_str().as_bytes());
        }
        Some(Self {
            id: DialogId {
                call_id: CallId::parse(request.call_id()?)?,
                local_tag,
                remote_tag: from.tag().and_then(Tag::parse),
            },
            state: State::Early,
            local: local.into(),
            remote: request.value(HeaderName::From)?.into(),
            remote_target,
            route_set: request.record_routes().map(|route| route.to_owned()).collect(),
            local_cseq,
            remote_cseq: Some(request.cseq()?.number),
        })
    }

    /// The caller's side, from the INVITE it sent and a response with a To tag (RFC 3261 §12.1.2).
    pub fn establish(request: &Request, response: &Response) -> Option<Self> {
        let mut dialog = Self {
            id: DialogId {
                call_id: CallId::parse(request.call_id()?)?,
                local_tag: Tag::parse(request.from_tag()?)?,
                remote_tag: response.to_tag().and_then(Tag::parse),
            },
            state: State::Early,
            local: request.value(HeaderName::From)?.into(),
            remote: response.value(HeaderName::To)?.into(),
            remote_target: request.uri().to_owned(),
            route_set: Vec::new(),
            local_cseq: request.cseq()?.number,
            remote_cseq: None,
        };
        dialog.learn_routes(response);
        dialog.refresh_target(response);
        if response.status().is_success() {
            dialog.state = State::Confirmed;
        }
        Some(dialog)
    }

    /// The caller's early dialog is confirmed: the route set is computed anew from the 2xx
    /// (RFC 3261 §13.2.2.4).
    pub fn confirm_by(&mut self, response: &Response) {
        if self.state == State::Early {
            self.learn_routes(response);
            self.refresh_target(response);
            self.state = State::Confirmed;
        }
    }

    /// The callee sent its 2xx.
    pub fn confirm(&mut self) {
        self.state = State::Confirmed;
    }

    /// The caller reads Record-Route backwards (RFC 3261 §12.1.2).
    fn learn_routes(&mut self, response: &Response) {
        self.route_set = response.record_routes().map(|route| route.to_owned()).collect();
        self.route_set.reverse();
    }

    /// The identity.
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Early or confirmed.
    pub fn state(&self) -> State {
        self.state
    }

    /// What the dialog is found by.
    pub(crate) fn key(&self) -> Key {
        let remote_tag = self.id.remote_tag.as_ref().map_or("", Tag::as_str);
        Key::dialog(self.id.call_id.as_str(), self.id.local_tag.as_str(), remote_tag)
    }

    /// The From value of our requests.
    pub fn local(&self) -> &[u8] {
        &self.local
    }

    /// The To value of our requests.
    pub fn remote(&self) -> &[u8] {
        &self.remote
    }

    /// Where the peer wants the next request.
    pub fn remote_target(&self) -> UriRef<'_> {
        self.remote_target.as_ref()
    }

    /// Whether requests go by way of proxies.
    pub fn has_routes(&self) -> bool {
        !self.route_set.is_empty()
    }

    /// The number of the latest request of ours.
    pub fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// The number for our next request other than ACK and CANCEL.
    pub fn next_cseq(&mut self) -> u32 {
        // 2^31 requests in one dialog do not happen; the grammar allows no larger number.
        self.local_cseq = self.local_cseq.wrapping_add(1) & 0x7fff_ffff;
        self.local_cseq
    }

    /// Takes note of a request other than ACK and CANCEL.
    pub fn handle_request(&mut self, cseq: u32) -> Order {
        match self.remote_cseq {
            Some(latest) if cseq <= latest => Order::OutOfOrder,
            Some(_) | None => {
                self.remote_cseq = Some(cseq);
                Order::InOrder
            }
        }
    }

    /// A target refresh request, or a response to one, names the peer's new Contact
    /// (RFC 3261 §12.2); none, or one that cannot be read, changes nothing.
    pub fn refresh_target(&mut self, message: &Headers) {
        if let Some(contact) = message.contact() {
            self.remote_target = contact.uri().to_owned();
        }
    }

    /// How the next request is addressed.
    pub fn destination(&self) -> Destination {
        let target = self.remote_target.clone();
        let Some((first, rest)) = self.route_set.split_first() else {
            return Destination {
                next_hop: target.clone(),
                request_uri: target,
                routes: Vec::new(),
            };
        };
        let next_hop = first.uri().clone();
        if first.uri().is_loose_router() {
            return Destination { request_uri: target, routes: self.route_set.clone(), next_hop };
        }
        // A strict router takes the Request-URI for itself and the target from the last Route.
        let mut routes = rest.to_vec();
        routes.push(NameAddr::new(target));
        Destination { request_uri: next_hop.clone(), routes, next_hop }
    }
}

impl Key {
    /// The key of a dialog: Call-ID, our tag, the peer's tag (empty when it gave none).
    pub(crate) fn dialog(call_id: &str, local_tag: &str, remote_tag: &str) -> Self {
        Self::join(b'd', &[call_id.as_bytes(), local_tag.as_bytes(), remote_tag.as_bytes()])
    }

    /// The key of a caller's half of a dialog, for requests that overtake the response that would
    /// have told the peer's tag.
    pub(crate) fn half_dialog(call_id: &str, local_tag: &str) -> Self {
        Self::join(b'h', &[call_id.as_bytes(), local_tag.as_bytes()])
    }
}

/// Whether the sender follows RFC 3261, which makes Contact mandatory in an INVITE.
fn has_cookie(request: &Request) -> bool {
    let branch = request.via().and_then(|via| via.branch());
    branch.and_then(Branch::parse).is_some_and(|branch| branch.has_magic_cookie())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::{Limits, Message, StatusCode};

    fn invite(record_route: &str, contact: &str) -> Request {
        let text = format!(
            "INVITE sip:b@h SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\n{record_route}From: \"A\" <sip:a@h>;tag=a\nTo: sip:b@h;user=phone\nCall-ID: c\nCSeq: 5 INVITE\n{contact}Content-Length: 0\n\n"
        );
        match Message::parse(Bytes::from(text.replace('\n', "\r\n")), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn callee(record_route: &str) -> Dialog {
        let request = invite(record_route, "Contact: <sip:a@192.0.2.1>\n");
        Dialog::accept(&request, Tag::parse("b").expect("a token"), 100).expect("complete")
    }

    fn routes(destination: &Destination) -> Vec<String> {
        destination.routes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn callee_sends_to_the_contact_with_from_and_to_exchanged() {
        let mut dialog = callee("");
        let destination = dialog.destination();
        assert_eq!(destination.request_uri.as_str(), "sip:a@192.0.2.1");
        assert!(destination.routes.is_empty());
        assert_eq!(dialog.local(), b"sip:b@h;user=phone;tag=b");
        assert_eq!(dialog.remote(), b"\"A\" <sip:a@h>;tag=a");
        assert_eq!((dialog.next_cseq(), dialog.next_cseq()), (101, 102));
    }

    #[test]
    fn callee_keeps_record_route_in_order_and_the_caller_turns_it_round() {
        let record_route = "Record-Route: <sip:p2;lr>, <sip:p1;lr>\n";
        assert_eq!(routes(&callee(record_route).destination()), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        let request = invite(record_route, "Contact: <sip:a@192.0.2.1>\n");
        let mut response = Response::to(&request, StatusCode::RINGING)
            .with_to_tag(&Tag::parse("b").expect("a token"));
        response.push(HeaderName::Contact, "<sip:b@192.0.2.2>");
        let mut dialog = Dialog::establish(&request, &response).expect("complete");
        assert_eq!(routes(&dialog.destination()), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!((dialog.state(), dialog.local_cseq()), (State::Early, 5));
        // RFC 3261 §13.2.2.4: the 2xx decides on the route set.
        let mut answer = Response::to(&invite("", ""), StatusCode::OK);
        answer.push(HeaderName::Contact, "<sip:b@192.0.2.3>");
        dialog.confirm_by(&answer);
        let destination = dialog.destination();
        assert_eq!(
            (destination.request_uri.as_str(), destination.routes.len()),
            ("sip:b@192.0.2.3", 0)
        );
        assert_eq!(dialog.state(), State::Confirmed);
    }

    #[test]
    fn target_refresh_keeps_the_route_set() {
        let mut dialog = callee("Record-Route: <sip:p;lr>\n");
        dialog.refresh_target(&invite(
            "Record-Route: <sip:q;lr>\n",
            "Contact: <sip:new@192.0.2.8>\n",
        ));
        let destination = dialog.destination();
        assert_eq!(destination.request_uri.as_str(), "sip:new@192.0.2.8");
        assert_eq!(routes(&destination), ["<sip:p;lr>"]);
        dialog.refresh_target(&invite("", ""));
        assert_eq!(dialog.remote_target().as_str(), "sip:new@192.0.2.8");
    }

    #[test]
    fn strict_router_gets_the_request_uri_and_the_target_goes_last() {
        let dialog = callee("Record-Route: <sip:p1>, <sip:p2;lr>\n");
        let destination = dialog.destination();
        assert_eq!(destination.request_uri.as_str(), "sip:p1");
        assert_eq!(destination.next_hop.as_str(), "sip:p1");
        assert_eq!(routes(&destination), ["<sip:p2;lr>", "<sip:a@192.0.2.1>"]);
    }

    #[test]
    fn only_a_newer_number_is_in_order() {
        let mut dialog = callee("");
        assert_eq!(dialog.handle_request(5), Order::OutOfOrder);
        assert_eq!(dialog.handle_request(9), Order::InOrder);
        assert_eq!(dialog.handle_request(8), Order::OutOfOrder);
        assert_eq!(dialog.handle_request(10), Order::InOrder);
    }

    #[test]
    fn invite_without_contact_makes_no_dialog_unless_its_sender_is_of_rfc_2543() {
        let tag = Tag::parse("b").expect("a token");
        assert!(Dialog::accept(&invite("", ""), tag.clone(), 1).is_none());
        let text = "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@old>\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 5 INVITE\r\nContent-Length: 0\r\n\r\n";
        let Ok(Message::Request(old)) =
            Message::parse(Bytes::from_static(text.as_bytes()), &Limits::default())
        else {
            panic!("not a request")
        };
        let dialog = Dialog::accept(&old, tag, 1).expect("complete");
        assert_eq!(dialog.remote_target().as_str(), "sip:a@old");
        assert_eq!(dialog.id().remote_tag, None);
    }
}
