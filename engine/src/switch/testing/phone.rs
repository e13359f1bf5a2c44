//! A phone that does what the test says, and answers a BYE by itself.

use std::net::SocketAddr;

use bytes::Bytes;

use super::Exchange;
use crate::{
    entropy::Entropy,
    sip::{
        CSeq, Flow, HeaderName, Message, Method, Request, Response, StatusCode, Uri,
        auth::{Credentials, Responder, Secret},
    },
};

/// A message that came to the phone.
#[derive(Debug, Clone)]
pub(in super::super) enum Received {
    Response(Response),
    Request(Request),
}

/// One phone with at most one call.
pub(in super::super) struct Phone {
    user: String,
    password: String,
    flow: Flow,
    /// Where it listens.
    listens: SocketAddr,
    /// The address it takes for its own.
    own: SocketAddr,
    /// Whether its Via asks for responses at the source port.
    asks_rport: bool,
    entropy: Entropy,
    responder: Responder,
    call_id: String,
    from_tag: String,
    to_tag: Option<String>,
    cseq: u32,
    /// The INVITE last sent, for its ACK and CANCEL.
    invite: Option<Request>,
    /// Where the call's own 200 told to send requests.
    target: Option<Uri>,
    pub(in super::super) received: Vec<Received>,
    /// INVITEs that were answered with 183.
    early: Vec<Request>,
    sdp_version: u32,
    /// What its INVITEs say beside the usual.
    pub(in super::super) extra: crate::sip::Headers,
}

impl Phone {
    /// A phone at 127.0.1.`host`.
    pub(in super::super) fn new(user: &str, password: &str, host: u8) -> Self {
        let flow = Flow::udp(([127, 0, 0, 1], 5060).into(), ([127, 0, 1, host], 5060).into());
        Self {
            user: user.into(),
            password: password.into(),
            listens: flow.peer,
            own: flow.peer,
            asks_rport: true,
            flow,
            entropy: Entropy::new(host.into()),
            responder: Responder::new(),
            call_id: format!("call-{user}-{host}"),
            from_tag: format!("tag{host}"),
            to_tag: None,
            cseq: 0,
            invite: None,
            target: None,
            received: Vec::new(),
            early: Vec::new(),
            sdp_version: 0,
            extra: crate::sip::Headers::default(),
        }
    }

    /// The same phone behind address translation, of which it does not know: it speaks of
    /// 192.168.1.9, port 5060, and asks for nothing.
    pub(in super::super) fn behind_translator(mut self, public: SocketAddr) -> Self {
        self.own = ([192, 168, 1, 9], 5060).into();
        self.asks_rport = false;
        self.seen_at(public)
    }

    /// The same phone, that sends from another port than it listens at.
    pub(in super::super) fn sending_from(mut self, source: SocketAddr) -> Self {
        self.asks_rport = false;
        self.flow.peer = source;
        self
    }

    /// The same phone, seen and reached at another address than it knows.
    pub(in super::super) fn seen_at(mut self, source: SocketAddr) -> Self {
        self.flow.peer = source;
        self.listens = source;
        self
    }

    /// The same phone, that tells others to reach it elsewhere.
    pub(in super::super) fn calling_itself(mut self, own: SocketAddr) -> Self {
        self.own = own;
        self
    }

    fn via(&self, branch: &str) -> String {
        let rport = if self.asks_rport { ";rport" } else { "" };
        format!("SIP/2.0/UDP {};branch={branch}{rport}", self.own)
    }

    pub(in super::super) fn address(&self) -> SocketAddr {
        self.flow.peer
    }

    /// REGISTER, with the password when challenged; the final status.
    pub(in super::super) fn register(&mut self, exchange: &mut Exchange, aor: &str) -> u16 {
        self.register_for(exchange, aor, 600)
    }

    /// The same for so many seconds.
    pub(in super::super) fn register_for(
        &mut self,
        exchange: &mut Exchange,
        aor: &str,
        expires: u32,
    ) -> u16 {
        let to = format!("<sip:{aor}@127.0.0.1>");
        let contact = format!("<sip:{}@{}>;expires={expires}", self.user, self.own);
        let mut request = self.request(Method::Register, "sip:127.0.0.1");
        request.set(HeaderName::To, to.as_str());
        let request = request.with(HeaderName::Contact, contact.as_str());
        self.transact(exchange, request)
    }

    /// REGISTER that takes all bindings back.
    pub(in super::super) fn unregister(&mut self, exchange: &mut Exchange, aor: &str) {
        let to = format!("<sip:{aor}@127.0.0.1>");
        let mut request = self.request(Method::Register, "sip:127.0.0.1");
        request.set(HeaderName::To, to.as_str());
        let request = request.with(HeaderName::Contact, "*").with(HeaderName::Expires, 0_u32);
        self.transact(exchange, request);
    }

    pub(in super::super) fn name(&self) -> &str {
        &self.user
    }

    /// Whether requests within a call can be made.
    pub(in super::super) fn has_dialog(&self) -> bool {
        self.target.is_some() && self.to_tag.is_some()
    }

    /// INFO, whatever the answer is.
    pub(in super::super) fn try_info(&mut self, exchange: &mut Exchange, body: &str) {
        let info = self.in_dialog(Method::Info);
        let info = info.with_body("application/dtmf-relay", body.to_owned());
        self.send(exchange, info);
    }

    /// Answers every INVITE that came with this status, and other requests with 200.
    pub(in super::super) fn answer_whatever_comes(&mut self, exchange: &mut Exchange, status: u16) {
        for letter in exchange.letters_to(self.listens) {
            let Ok(Message::Request(request)) = Message::parse(letter, &Default::default()) else {
                continue;
            };
            if *request.method() == Method::Invite {
                self.answer_call(exchange, &request, status);
            } else if *request.method() != Method::Ack {
                let answer = Response::to(&request, StatusCode::OK);
                exchange.receive(self.flow, answer.to_bytes());
            }
        }
    }

    /// Answers every INVITE that came with 183 and a description, and keeps it to be answered
    /// once more; an INVITE kept from before gets a final answer.
    pub(in super::super) fn answer_early(&mut self, exchange: &mut Exchange, status: u16) {
        for invite in std::mem::take(&mut self.early) {
            self.answer_call(exchange, &invite, status);
        }
        for letter in exchange.letters_to(self.listens) {
            let Ok(Message::Request(request)) = Message::parse(letter, &Default::default()) else {
                continue;
            };
            if *request.method() == Method::Invite {
                self.answer_call_with(exchange, &request, 183, "sendrecv");
                self.early.push(request);
            } else if *request.method() != Method::Ack {
                let answer = Response::to(&request, StatusCode::OK);
                exchange.receive(self.flow, answer.to_bytes());
            }
        }
    }

    /// The request in a letter.
    pub(in super::super) fn read_request(letter: Bytes) -> Option<Request> {
        match Message::parse(letter, &Default::default()) {
            Ok(Message::Request(request)) => Some(request),
            _ => None,
        }
    }

    /// Answers every request that came with this status.
    pub(in super::super) fn answer_others_with(&self, exchange: &mut Exchange, status: StatusCode) {
        for letter in exchange.letters_to(self.listens) {
            if let Ok(Message::Request(request)) = Message::parse(letter, &Default::default()) {
                exchange.receive(self.flow, Response::to(&request, status).to_bytes());
            }
        }
    }

    /// OPTIONS; the final status.
    pub(in super::super) fn options(&mut self, exchange: &mut Exchange) -> u16 {
        let request = self.request(Method::Options, "sip:127.0.0.1");
        self.transact(exchange, request)
    }

    /// INVITE with an offer, with the password when challenged. What comes back is in `received`.
    pub(in super::super) fn dial(&mut self, exchange: &mut Exchange, exten: &str) {
        let sdp = self.sdp("sendrecv");
        self.dial_with(exchange, exten, Some(sdp));
    }

    /// INVITE with this body, or none.
    pub(in super::super) fn dial_with(
        &mut self,
        exchange: &mut Exchange,
        exten: &str,
        sdp: Option<String>,
    ) {
        self.dial_replacing_with(exchange, exten, sdp, None);
    }

    /// INVITE with Replaces.
    pub(in super::super) fn dial_replacing(&mut self, exchange: &mut Exchange, replaces: &str) {
        let sdp = self.sdp("sendrecv");
        self.dial_replacing_with(exchange, "anybody", Some(sdp), Some(replaces));
    }

    fn dial_replacing_with(
        &mut self,
        exchange: &mut Exchange,
        exten: &str,
        sdp: Option<String>,
        replaces: Option<&str>,
    ) {
        let uri = format!("sip:{exten}@127.0.0.1");
        let contact = format!("<sip:{}@{}>", self.user, self.own);
        let mut request = self.request(Method::Invite, &uri);
        request.push(HeaderName::Contact, contact.as_str());
        if let Some(replaces) = replaces {
            request.push(HeaderName::Replaces, replaces);
        }
        for field in self.extra.fields() {
            request.push_named(field.name_text, field.value).expect("a name and a line");
        }
        if let Some(sdp) = sdp {
            request.set_body("application/sdp", sdp);
        }
        self.send_invite(exchange, request.clone());
        if let Some(challenge) = self.challenge() {
            self.ack(exchange);
            self.received.clear();
            let mut again = self.again(request);
            self.answer(&challenge, &mut again);
            self.send_invite(exchange, again);
        }
    }

    fn send_invite(&mut self, exchange: &mut Exchange, request: Request) {
        self.invite = Some(request.clone());
        self.send(exchange, request);
    }

    /// ACK of the latest final response to our INVITE.
    pub(in super::super) fn ack(&mut self, exchange: &mut Exchange) {
        self.ack_with(exchange, None);
    }

    pub(in super::super) fn ack_with(&mut self, exchange: &mut Exchange, sdp: Option<String>) {
        let Some(invite) = self.invite.clone() else { return };
        let accepted = self.last_status().is_some_and(|status| status < 300);
        let mut ack = match accepted {
            true => self.in_dialog(Method::Ack),
            false => self.hop_by_hop(&invite, Method::Ack),
        };
        let number = invite.cseq().map_or(0, |cseq| cseq.number);
        ack.set(HeaderName::CSeq, CSeq::new(number, Method::Ack));
        if let Some(sdp) = sdp {
            ack.set_body("application/sdp", sdp);
        }
        self.send(exchange, ack);
    }

    /// PRACK of the latest provisional response; its status.
    pub(in super::super) fn prack(&mut self, exchange: &mut Exchange, sdp: Option<String>) -> u16 {
        let response = self.last_response().expect("a provisional response").clone();
        let number = response.text(HeaderName::RSeq).expect("a reliable one").to_owned();
        let cseq = response.cseq().map_or(0, |cseq| cseq.number);
        let mut prack = self.in_dialog(Method::Prack);
        prack.push(HeaderName::RAck, format!("{number} {cseq} INVITE"));
        if let Some(sdp) = sdp {
            prack.set_body("application/sdp", sdp);
        }
        self.received.clear();
        self.send(exchange, prack);
        self.statuses().first().copied().expect("an answer")
    }

    /// UPDATE within the call that this phone made; its status.
    pub(in super::super) fn update(&mut self, exchange: &mut Exchange, direction: &str) -> u16 {
        let sdp = self.sdp(direction);
        let contact = format!("<sip:{}@{}>", self.user, self.own);
        let mut update = self.in_dialog(Method::Update).with_body("application/sdp", sdp);
        update.push(HeaderName::Contact, contact.as_str());
        self.received.clear();
        self.send(exchange, update);
        self.last_status().expect("an answer")
    }

    /// CANCEL of the INVITE.
    pub(in super::super) fn cancel(&mut self, exchange: &mut Exchange) {
        let Some(invite) = self.invite.clone() else { return };
        let cancel = self.hop_by_hop(&invite, Method::Cancel);
        self.send(exchange, cancel);
    }

    /// BYE.
    pub(in super::super) fn bye(&mut self, exchange: &mut Exchange) {
        let bye = self.in_dialog(Method::Bye);
        self.send(exchange, bye);
    }

    /// INFO with a digit.
    pub(in super::super) fn info(
        &mut self,
        exchange: &mut Exchange,
        kind: &str,
        body: &str,
    ) -> u16 {
        let info = self.in_dialog(Method::Info).with_body(kind, body.to_owned());
        self.received.clear();
        self.send(exchange, info);
        self.last_status().expect("an answer")
    }

    /// Re-INVITE with another direction; acknowledges the answer.
    pub(in super::super) fn reinvite(&mut self, exchange: &mut Exchange, direction: &str) {
        let sdp = self.sdp(direction);
        self.reinvite_with(exchange, sdp);
    }

    /// Re-INVITE with this offer; acknowledges the answer.
    pub(in super::super) fn reinvite_with(&mut self, exchange: &mut Exchange, sdp: String) {
        let contact = format!("<sip:{}@{}>", self.user, self.own);
        let mut request = self.in_dialog(Method::Invite);
        request.push(HeaderName::Contact, contact.as_str());
        request.set_body("application/sdp", sdp);
        self.received.clear();
        self.send_invite(exchange, request);
        self.ack(exchange);
    }

    /// SUBSCRIBE, within the subscription of `within`; the status of its answer. The NOTIFYs that
    /// came with it are among what was received.
    pub(in super::super) fn subscribe(
        &mut self,
        exchange: &mut Exchange,
        of: &str,
        within: Option<&str>,
        headers: &str,
    ) -> u16 {
        let mut request = self.request(Method::Subscribe, &format!("sip:{of}@127.0.0.1"));
        let contact = format!("<sip:{}@{}>", self.user, self.own);
        request.push(HeaderName::Contact, contact.as_str());
        if let Some(tag) = within {
            let to = format!("<sip:{of}@127.0.0.1>;tag={tag}");
            request.set(HeaderName::To, to.as_str());
        }
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").expect("a header");
            request.push_named(name, value).expect("a name");
        }
        self.transact(exchange, request)
    }

    /// MESSAGE outside any dialog; the status of its answer.
    pub(in super::super) fn message(
        &mut self,
        exchange: &mut Exchange,
        to: &str,
        kind: &str,
        body: &str,
        headers: &str,
    ) -> u16 {
        let mut request = self.request(Method::Message, &format!("sip:{to}@127.0.0.1"));
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").expect("a header");
            request.push_named(name, value).expect("a name");
        }
        let request = request.with_body(kind, body.to_owned());
        self.transact(exchange, request)
    }

    /// PUBLISH of this address's presence.
    pub(in super::super) fn publish(&mut self, exchange: &mut Exchange, of: &str) -> u16 {
        let mut request = self.request(Method::Publish, &format!("sip:{of}@127.0.0.1"));
        request.push(HeaderName::Event, "presence");
        self.transact(exchange, request)
    }

    /// The NOTIFYs that came since this was last asked.
    pub(in super::super) fn take_notifies(&mut self, exchange: &mut Exchange) -> Vec<Request> {
        self.pump(exchange);
        let received = std::mem::take(&mut self.received);
        let requests = received.into_iter().filter_map(|message| match message {
            Received::Request(request) => Some(request),
            Received::Response(_) => None,
        });
        requests.filter(|request| *request.method() == Method::Notify).collect()
    }

    /// The statuses that came, in order.
    pub(in super::super) fn statuses(&self) -> Vec<u16> {
        self.received
            .iter()
            .filter_map(|message| match message {
                Received::Response(response) => Some(response.status().code()),
                Received::Request(_) => None,
            })
            .collect()
    }

    /// The last response.
    pub(in super::super) fn last_response(&self) -> Option<&Response> {
        self.received.iter().rev().find_map(|message| match message {
            Received::Response(response) => Some(response),
            Received::Request(_) => None,
        })
    }

    pub(in super::super) fn last_status(&self) -> Option<u16> {
        self.last_response().map(|response| response.status().code())
    }

    /// Whether the other side said BYE, with the cause in its Reason.
    pub(in super::super) fn bye_received(&self) -> Option<String> {
        self.received.iter().find_map(|message| match message {
            Received::Request(request) if *request.method() == Method::Bye => {
                Some(request.text(HeaderName::Reason).unwrap_or_default().to_owned())
            }
            _ => None,
        })
    }

    /// Takes what came, and answers requests with 200.
    pub(in super::super) fn pump(&mut self, exchange: &mut Exchange) {
        loop {
            let letters = exchange.letters_to(self.listens);
            if letters.is_empty() {
                return;
            }
            for letter in letters {
                match Message::parse(letter, &Default::default()).expect("what we send is SIP") {
                    Message::Response(response) => {
                        if let Some(tag) = response.to_tag()
                            && response.cseq().is_some_and(|cseq| cseq.method == Method::Invite)
                        {
                            self.to_tag = Some(tag.to_owned());
                        }
                        if let Some(contact) = response.contact() {
                            self.target = Some(contact.uri().to_owned());
                        }
                        self.received.push(Received::Response(response));
                    }
                    Message::Request(request) => {
                        let wants_answer = *request.method() != Method::Ack;
                        let answer = Response::to(&request, StatusCode::OK);
                        self.received.push(Received::Request(request));
                        if wants_answer {
                            exchange.receive(self.flow, answer.to_bytes());
                        }
                    }
                }
            }
        }
    }

    /// The INVITE that came to this phone.
    pub(in super::super) fn take_invite(&self, exchange: &mut Exchange) -> Request {
        for letter in exchange.letters_to(self.listens) {
            if let Ok(Message::Request(request)) = Message::parse(letter, &Default::default())
                && *request.method() == Method::Invite
            {
                return request;
            }
        }
        panic!("no INVITE came");
    }

    /// Answers an INVITE that came to this phone.
    pub(in super::super) fn answer_call(
        &mut self,
        exchange: &mut Exchange,
        invite: &Request,
        status: u16,
    ) {
        let status = StatusCode::new(status).expect("a status");
        let contact = format!("<sip:{}@{}>", self.user, self.own);
        let tag = crate::sip::Tag::parse(&self.from_tag).expect("a tag");
        let mut response = Response::to(invite, status)
            .with_to_tag(&tag)
            .with(HeaderName::Contact, contact.as_str());
        if status.is_success() {
            let sdp = self.sdp("sendrecv");
            response.set_body("application/sdp", sdp);
        }
        exchange.receive(self.flow, response.to_bytes());
        self.pump(exchange);
    }

    /// Answers an INVITE that came to this phone with a description, whatever the status.
    pub(in super::super) fn answer_call_with(
        &mut self,
        exchange: &mut Exchange,
        invite: &Request,
        status: u16,
        direction: &str,
    ) {
        let status = StatusCode::new(status).expect("a status");
        let contact = format!("<sip:{}@{}>", self.user, self.own);
        let tag = crate::sip::Tag::parse(&self.from_tag).expect("a tag");
        let sdp = self.sdp(direction);
        let response = Response::to(invite, status)
            .with_to_tag(&tag)
            .with(HeaderName::Contact, contact.as_str())
            .with_body("application/sdp", sdp);
        self.reply(exchange, &response);
    }

    /// Answers an INVITE that came to this phone, with this identity.
    pub(in super::super) fn answer_call_as(
        &mut self,
        exchange: &mut Exchange,
        invite: &Request,
        identity: &str,
    ) {
        let contact = format!("<sip:{}@{}>", self.user, self.own);
        let tag = crate::sip::Tag::parse(&self.from_tag).expect("a tag");
        let sdp = self.sdp("sendrecv");
        let response = Response::to(invite, StatusCode::OK)
            .with_to_tag(&tag)
            .with(HeaderName::Contact, contact.as_str())
            .with(HeaderName::PAssertedIdentity, identity)
            .with_body("application/sdp", sdp);
        self.reply(exchange, &response);
    }

    /// Sends a response as it is.
    pub(in super::super) fn reply(&mut self, exchange: &mut Exchange, response: &Response) {
        exchange.receive(self.flow, response.to_bytes());
        self.pump(exchange);
    }

    /// BYE from this phone for a call that came to it.
    pub(in super::super) fn hang_up_callee(&mut self, exchange: &mut Exchange, invite: &Request) {
        let bye = self.as_callee(Method::Bye, invite);
        self.send(exchange, bye);
    }

    /// UPDATE without a body from this phone for a call that came to it, with this identity.
    pub(in super::super) fn rename_callee(
        &mut self,
        exchange: &mut Exchange,
        invite: &Request,
        identity: &str,
    ) {
        let update = self.as_callee(Method::Update, invite);
        self.send(exchange, update.with(HeaderName::PAssertedIdentity, identity));
    }

    /// The latest request of this method that came.
    pub(in super::super) fn latest(&self, method: &Method) -> Option<Request> {
        self.received.iter().rev().find_map(|message| match message {
            Received::Request(request) if request.method() == method => Some(request.clone()),
            _ => None,
        })
    }

    /// A request within a call that came to this phone.
    fn as_callee(&mut self, method: Method, invite: &Request) -> Request {
        let target = invite.contact().expect("a Contact").uri().to_owned();
        let mut request = self.request(method, target.as_str());
        let from = invite.text(HeaderName::To).unwrap_or_default().to_owned();
        let from = format!("{from};tag={}", self.from_tag);
        request.set(HeaderName::From, from.as_str());
        request.set(HeaderName::To, invite.text(HeaderName::From).unwrap_or_default());
        request.set(HeaderName::CallId, invite.call_id().unwrap_or_default());
        request
    }

    /// REFER within the call that this phone made, whatever the answer is.
    pub(in super::super) fn try_refer(&mut self, exchange: &mut Exchange, refer_to: &str) {
        let contact = format!("<sip:{}@{}>", self.user, self.own);
        let request = self
            .in_dialog(Method::Refer)
            .with(HeaderName::Contact, contact.as_str())
            .with(HeaderName::ReferTo, refer_to);
        self.send(exchange, request);
    }

    /// REFER within the call that this phone made, or the one that came by `invite`; the status.
    pub(in super::super) fn refer(
        &mut self,
        exchange: &mut Exchange,
        invite: Option<&Request>,
        refer_to: &str,
    ) -> u16 {
        let contact = format!("<sip:{}@{}>", self.user, self.own);
        let request = match invite {
            Some(invite) => self.as_callee(Method::Refer, invite),
            None => self.in_dialog(Method::Refer),
        };
        let request = request
            .with(HeaderName::Contact, contact.as_str())
            .with(HeaderName::ReferTo, refer_to)
            .with(HeaderName::ReferredBy, contact.as_str());
        self.received.clear();
        self.send(exchange, request);
        self.last_status().expect("an answer")
    }

    /// A request outside any call, with the password when challenged; the final status.
    pub(in super::super) fn request_alone(
        &mut self,
        exchange: &mut Exchange,
        method: Method,
        uri: &str,
    ) -> u16 {
        let request = self.request(method, uri);
        self.transact(exchange, request)
    }

    /// The Replaces that names this phone's own call to whoever is asked to take it over.
    pub(in super::super) fn replaces(&self, early_only: bool) -> String {
        let to_tag = self.to_tag.as_deref().unwrap_or_default();
        let early = if early_only { ";early-only" } else { "" };
        format!("{};to-tag={to_tag};from-tag={}{early}", self.call_id, self.from_tag)
    }

    /// What NOTIFYs told of a REFER, in order.
    pub(in super::super) fn reports(&self) -> Vec<(u16, bool)> {
        let requests = self.received.iter().filter_map(|message| match message {
            Received::Request(request) => crate::sip::refer::Report::read(request),
            Received::Response(_) => None,
        });
        requests.map(|report| (report.status.code(), report.is_last)).collect()
    }

    /// Challenges an INVITE that came to this phone.
    pub(in super::super) fn challenge_call(
        &self,
        exchange: &mut Exchange,
        invite: &Request,
        nonce: &str,
    ) {
        let tag = crate::sip::Tag::parse(&self.from_tag).expect("a tag");
        let challenge = format!("Digest realm=\"far\",nonce=\"{nonce}\",qop=\"auth\"");
        let response = Response::to(invite, StatusCode::UNAUTHORIZED)
            .with_to_tag(&tag)
            .with(HeaderName::WwwAuthenticate, challenge.as_str());
        exchange.receive(self.flow, response.to_bytes());
    }

    /// An offer or answer of this phone.
    pub(in super::super) fn sdp(&mut self, direction: &str) -> String {
        self.sdp_version += 1;
        let (ip, version) = (self.own.ip(), self.sdp_version);
        format!(
            "v=0\r\no=- 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=fmtp:101 0-16\r\na={direction}\r\n"
        )
    }

    /// Sends a request and takes what comes back.
    pub(in super::super) fn send(&mut self, exchange: &mut Exchange, request: Request) {
        exchange.receive(self.flow, request.to_bytes());
        self.pump(exchange);
    }

    /// A request outside any dialog.
    pub(in super::super) fn request(&mut self, method: Method, uri: &str) -> Request {
        self.cseq += 1;
        let uri = Uri::parse(uri).expect("a test's URI");
        let branch = format!("z9hG4bK-{}-{}", self.from_tag, self.cseq);
        let via = self.via(&branch);
        let from = format!("<sip:{}@127.0.0.1>;tag={}", self.user, self.from_tag);
        let to = format!("<{}>", uri.as_str());
        Request::new(method.clone(), &uri)
            .with(HeaderName::Via, via.as_str())
            .with(HeaderName::MaxForwards, 70_u8)
            .with(HeaderName::From, from.as_str())
            .with(HeaderName::To, to.as_str())
            .with(HeaderName::CallId, self.call_id.as_str())
            .with(HeaderName::CSeq, CSeq::new(self.cseq, method))
    }

    /// Begins anew: the next INVITE is another call.
    pub(in super::super) fn forget_call(&mut self) {
        self.call_id.push('+');
        self.to_tag = None;
        self.received.clear();
    }

    /// A request within the call that this phone made.
    pub(in super::super) fn in_dialog(&mut self, method: Method) -> Request {
        let target = self.target.clone().expect("a Contact");
        let mut request = self.request(method, target.as_str());
        let tag = self.to_tag.clone().unwrap_or_default();
        let to = self.invite.as_ref().and_then(|invite| invite.text(HeaderName::To));
        let to = to.unwrap_or("<sip:nobody@127.0.0.1>").split(";tag=").next().unwrap_or_default();
        let to = format!("{to};tag={tag}");
        request.set(HeaderName::To, to.as_str());
        request
    }

    /// ACK of a failure, or CANCEL: the INVITE's own branch and addresses.
    fn hop_by_hop(&self, invite: &Request, method: Method) -> Request {
        let uri = invite.uri().to_owned();
        let number = invite.cseq().map_or(0, |cseq| cseq.number);
        let mut request = Request::new(method.clone(), &uri);
        for name in [HeaderName::Via, HeaderName::From, HeaderName::CallId] {
            request.copy(name, invite.headers());
        }
        let response = self.last_response().filter(|_| method == Method::Ack);
        match response {
            Some(response) => request.copy(HeaderName::To, response.headers()),
            None => request.copy(HeaderName::To, invite.headers()),
        }
        request.push(HeaderName::MaxForwards, 70_u8);
        request.push(HeaderName::CSeq, CSeq::new(number, method));
        request
    }

    /// Sends a request, with the password when challenged; the final status.
    pub(in super::super) fn transact(&mut self, exchange: &mut Exchange, request: Request) -> u16 {
        self.received.clear();
        self.send(exchange, request.clone());
        if let Some(challenge) = self.challenge() {
            let mut again = self.again(request);
            self.answer(&challenge, &mut again);
            self.received.clear();
            self.send(exchange, again);
        }
        self.last_status().expect("an answer")
    }

    fn challenge(&self) -> Option<Response> {
        self.last_response().filter(|it| it.status() == StatusCode::UNAUTHORIZED).cloned()
    }

    fn answer(&mut self, challenge: &Response, request: &mut Request) {
        let credentials = Credentials {
            username: self.user.as_bytes(),
            realm: Some("diesis"),
            secret: Secret::Password(self.password.as_bytes()),
        };
        let _ = self.responder.answer(challenge, request, &[credentials], &mut self.entropy);
    }

    /// The same request as a new transaction.
    fn again(&mut self, mut request: Request) -> Request {
        self.cseq += 1;
        let method = request.method().clone();
        let branch = format!("z9hG4bK-{}-{}", self.from_tag, self.cseq);
        let via = self.via(&branch);
        request.set(HeaderName::Via, via.as_str());
        request.set(HeaderName::CSeq, CSeq::new(self.cseq, method));
        request
    }
}

/// What never was SIP.
pub(in super::super) fn noise() -> Bytes {
    Bytes::from_static(b"\x00\x01\x02 not SIP at all\r\n\r\n")
}
