//! What every use of the stack shares: writing messages, the transaction layer, the dialog index.
//!
//! RFC 3261 §8 calls this the user agent core. It composes requests (§8.1.1, §12.2.1.1) and
//! responses (§8.2.6), chooses their paths (§8.1.2, §18.2.2) and keeps the limits.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::dialog::{Destination, Dialog};
use super::event::{Body, Event, MAX_FORWARDS};
use super::flow::{Flow, Transport};
use super::large::{LargeRequests, MOST_DATAGRAM, Outgoing};
use super::provisional::OPTION as RELIABLE;
use super::session_timer::OPTION as TIMER;
use super::table::Handle;
use super::transaction::Timers;
use super::transaction::key::{KeptKey, Key, RequestParts};
use super::transaction::layer::{Capacity, Layer, Reply, User};
use super::{
    Branch, CSeq, HeaderName, Headers, Method, NameAddr, Request, Response, Scheme, StatusCode,
    Tag, Uri,
};
use crate::{entropy::Entropy, ip_network::IpNetwork};

/// Settings of an endpoint.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The text of Server and User-Agent; `Diesis/` and the version. Empty leaves both out.
    pub product: String,
    /// The base timers of all transactions; RFC 3261's values. Kept within [`Timers::bounded`].
    pub timers: Timers,
    /// Calls at one time, ended ones included while their transactions last; 10 000. Above it an
    /// INVITE gets 503.
    pub max_calls: usize,
    /// Subscriptions at one time; 20 000, of some 1 KB each.
    pub max_subscriptions: usize,
    /// Transactions at one time, in each direction; 65 536. Above it a request gets 503.
    pub max_transactions: usize,
    /// Methods outside the INVITE usage that reach the application, in a dialog or outside; OPTIONS,
    /// REGISTER and MESSAGE. The others get 405, or 501 if nobody knows them.
    pub methods: Vec<Method>,
    /// Extensions that the application serves beside the stack's own, as option tags: written in
    /// Supported, and taken in Require; none.
    pub extensions: Vec<&'static str>,
    /// What becomes of requests outside any dialog whose method is not one of those;
    /// [`OtherMethods::Refuse`].
    pub other_methods: OtherMethods,
    /// How the path of requests within a dialog is found; [`PathPolicy::Auto`].
    pub path: PathPolicy,
    /// Which port responses over UDP go to; [`ResponsePort::AsAsked`].
    pub response_port: ResponsePort,
    /// Whether requests that are large for UDP go over TCP; [`LargeRequests::Datagrams`].
    pub large_requests: LargeRequests,
    /// What stands for our addresses in Via and Contact, where the peer sees other ones; the first
    /// that fits. Empty: the flow's local address.
    pub public_addresses: Vec<PublicAddress>,
}

/// An address of ours that some peers see as another one, because of a translator on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddress {
    /// The transport that is translated.
    pub transport: Transport,
    /// Where we listen; an unspecified address stands for all of its family.
    pub local: SocketAddr,
    /// What peers see.
    pub public: SocketAddr,
    /// Peers in these networks are on our side of the translator and see the local address.
    pub inside: Vec<IpNetwork>,
}

impl PublicAddress {
    /// Whether it is what the peer of a flow sees.
    fn is_seen_on(&self, flow: &Flow) -> bool {
        let same_ip = match self.local.ip().is_unspecified() {
            true => self.local.is_ipv4() == flow.local.is_ipv4(),
            false => self.local.ip() == flow.local.ip(),
        };
        self.transport == flow.transport
            && self.local.port() == flow.local.port()
            && same_ip
            && !self.inside.iter().any(|network| network.contains(flow.peer.ip()))
    }
}

/// What becomes of requests outside any dialog whose method is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherMethods {
    /// The stack answers 405 or 501.
    Refuse,
    /// The application is asked, so that it can demand credentials before it tells what it serves.
    Deliver,
}

/// How the path of requests within a dialog is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathPolicy {
    /// By the route set or the remote target, as RFC 3261 §12.2.1.1 has it; but by the path the
    /// peer's messages came on, if that is a stream still open, or the target is a name or is not
    /// where the peer's messages come from while being a private address.
    Auto,
    /// Always by the path the peer's latest message came on: for peers behind address translation.
    Symmetric,
}

/// Which port of the sender a response over UDP goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponsePort {
    /// The one in the Via, or where the request came from if it asks for that by `rport`, as
    /// RFC 3261 §18.2.2 and RFC 3581 §4 have it.
    AsAsked,
    /// Where the request came from, asked or not: for peers behind address translation that do not
    /// know of it.
    Source,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            product: concat!("Diesis/", env!("CARGO_PKG_VERSION")).to_owned(),
            timers: Timers::default(),
            max_calls: 10_000,
            max_subscriptions: 20_000,
            max_transactions: 65_536,
            methods: vec![Method::Options, Method::Register, Method::Message],
            extensions: Vec::new(),
            other_methods: OtherMethods::Refuse,
            path: PathPolicy::Auto,
            response_port: ResponsePort::AsAsked,
            large_requests: LargeRequests::default(),
            public_addresses: Vec::new(),
        }
    }
}

impl EndpointConfig {
    /// Whether requests of this method are taken at all (the Allow header).
    pub(crate) fn allows(&self, method: &Method) -> bool {
        INVITE_USAGE.contains(method) || self.methods.contains(method)
    }

    /// Whether the stack itself refuses this method.
    pub(crate) fn refuses(&self, request: &Request) -> bool {
        let delivers = self.other_methods == OtherMethods::Deliver && request.to_tag().is_none();
        !delivers && !self.allows(request.method())
    }

    /// Whether an option tag is one we serve.
    pub(crate) fn serves(&self, option: &str) -> bool {
        self.extensions.iter().any(|known| known.eq_ignore_ascii_case(option))
    }

    /// The value of Allow.
    pub(crate) fn allow(&self) -> String {
        let mut allow = String::new();
        let others = self.methods.iter().filter(|method| !INVITE_USAGE.contains(method));
        for method in INVITE_USAGE.iter().chain(others) {
            if !allow.is_empty() {
                allow.push_str(", ");
            }
            allow.push_str(method.as_str());
        }
        allow
    }
}

/// What was dropped or answered on sight, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Not a SIP message, or not one that can be answered.
    pub malformed: u64,
    /// Malformed requests answered with 400 or 505.
    pub bad_requests: u64,
    /// Responses nobody asked for.
    pub stray_responses: u64,
    /// ACKs nobody waits for.
    pub stray_acks: u64,
    /// Requests for a dialog that does not exist (481).
    pub unknown_dialogs: u64,
    /// Requests that came by two paths (482).
    pub merged: u64,
    /// Requests refused because a table is full (503).
    pub overloaded: u64,
    /// Requests refused for method, scheme, extension, encoding or hops.
    pub unsupported: u64,
    /// Requests over UDP whose responses might not fit into a datagram (513).
    pub too_large: u64,
}

/// The shared state.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: EndpointConfig,
    pub(crate) layer: Layer,
    pub(crate) entropy: Entropy,
    pub(crate) events: VecDeque<Event>,
    /// Dialogs, and callers' halves of dialogs, to their usages.
    pub(crate) dialogs: HashMap<KeptKey, Usage>,
    pub(crate) counters: Counters,
    tag_key: u64,
}

/// What a dialog is used for. Each has one usage; a REFER's reports count as its call's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// A call.
    Call(Handle),
    /// A subscription to something of ours.
    Subscription(Handle),
}

/// A request before it is written.
pub(crate) struct Draft<'a> {
    pub(crate) method: Method,
    pub(crate) uri: &'a Uri,
    pub(crate) routes: &'a [NameAddr],
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a [u8],
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    pub(crate) max_forwards: u8,
    pub(crate) parts: Parts<'a>,
}

/// What a message has beside what identifies it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) contact: Option<&'a str>,
    pub(crate) headers: Option<&'a Headers>,
    pub(crate) body: Option<&'a Body>,
}

impl Core {
    pub(crate) fn new(mut config: EndpointConfig, mut entropy: Entropy) -> Self {
        config.timers = config.timers.bounded();
        let capacity =
            Capacity { clients: config.max_transactions, servers: config.max_transactions };
        Self {
            layer: Layer::new(config.timers, capacity),
            tag_key: entropy.next_u64(),
            config,
            entropy,
            events: VecDeque::new(),
            dialogs: HashMap::new(),
            counters: Counters::default(),
        }
    }

    /// Our address on a flow as the peer is told it.
    fn public_address(&self, flow: &Flow) -> SocketAddr {
        let known = self.config.public_addresses.iter().find(|address| address.is_seen_on(flow));
        let address = known.map_or(flow.local, |known| known.public);
        // Without the scope of a link-local address: it means nothing to others (RFC 4007 §11.2).
        SocketAddr::new(address.ip(), address.port())
    }

    /// The Contact value of a dialog on a flow.
    pub(crate) fn contact(&self, user: Option<&str>, flow: &Flow) -> String {
        let address = self.public_address(flow);
        let at = if user.is_some() { "@" } else { "" };
        let transport = match flow.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        format!("<sip:{}{at}{address}{transport}>", user.unwrap_or(""))
    }

    /// The URI that peers reach `user` at on a flow.
    pub(crate) fn contact_uri(&self, user: &[u8], flow: &Flow) -> Uri {
        let uri = Uri::sip_at(user, self.public_address(flow));
        let with = |transport| uri.with_parameter("transport", Some(transport)).ok();
        match flow.transport {
            Transport::Udp => None,
            Transport::Tcp => with("tcp"),
            Transport::Tls => with("tls"),
        }
        .unwrap_or(uri)
    }

    // ---- requests ----

    /// Writes a request and sends it in a transaction of its own. `None` when the table is full.
    pub(crate) fn send(
        &mut self,
        draft: Draft<'_>,
        flow: Flow,
        user: User,
        now: Instant,
    ) -> Option<Handle> {
        if self.layer.is_full_of_clients() {
            return None;
        }
        let branch = Branch::random(&mut self.entropy);
        let key = Key::client(branch.as_str().as_bytes(), draft.method.as_str().as_bytes());
        let request = self.compose(draft, &branch, flow);
        let outgoing = self.fit(Outgoing::new(request, flow), &branch, now);
        self.layer.start_client(key, outgoing, user, now)
    }

    /// Sends a request again, with a new branch and number (RFC 3261 §22.2). `None` when the table is
    /// full.
    pub(crate) fn send_again(
        &mut self,
        mut request: Request,
        cseq: u32,
        flow: Flow,
        user: User,
        now: Instant,
    ) -> Option<Handle> {
        if self.layer.is_full_of_clients() {
            return None;
        }
        let branch = Branch::random(&mut self.entropy);
        let method = request.method().clone();
        let key = Key::client(branch.as_str().as_bytes(), method.as_str().as_bytes());
        request.set(HeaderName::CSeq, CSeq::new(cseq, method).to_string());
        request.set(HeaderName::Via, self.via(&flow, &branch));
        let outgoing = self.fit(Outgoing::new(request, flow), &branch, now);
        self.layer.start_client(key, outgoing, user, now)
    }

    fn via(&self, flow: &Flow, branch: &Branch) -> String {
        let (transport, address) = (flow.transport.as_str(), self.public_address(flow));
        format!("SIP/2.0/{transport} {address};rport;branch={}", branch.as_str())
    }

    /// Sends what is too large for UDP over TCP (RFC 3261 §18.1.1).
    fn fit(&self, outgoing: Outgoing, branch: &Branch, now: Instant) -> Outgoing {
        let large = match self.layer.is_unconnected(outgoing.flow.peer, now) {
            true => LargeRequests::Datagrams,
            false => self.config.large_requests,
        };
        if !outgoing.outgrows(large) {
            return outgoing;
        }
        let tcp = Flow { transport: Transport::Tcp, connection: None, ..outgoing.flow };
        outgoing.over_tcp(self.via(&tcp, branch), now)
    }

    fn compose(&self, draft: Draft<'_>, branch: &Branch, flow: Flow) -> Request {
        let Draft { method, parts, .. } = draft;
        let cseq = CSeq::new(draft.cseq, method.clone());
        let mut request = Request::new(method, draft.uri);
        request.push_via(flow.transport.as_str(), self.public_address(&flow), branch);
        request.push(HeaderName::MaxForwards, draft.max_forwards);
        for route in draft.routes {
            request.push(HeaderName::Route, route.to_string());
        }
        request.push(HeaderName::From, draft.from);
        request.push(HeaderName::To, draft.to);
        request.push(HeaderName::CallId, draft.call_id);
        request.push(HeaderName::CSeq, cseq.to_string());
        if let Some(contact) = parts.contact {
            request.push(HeaderName::Contact, contact);
        }
        if matches!(request.method(), Method::Invite | Method::Update) {
            request.push(HeaderName::Allow, self.config.allow());
            self.push_supported(&mut request, &Method::Invite);
        }
        if !self.config.product.is_empty() {
            request.push(HeaderName::UserAgent, self.config.product.as_str());
        }
        append(&mut request, parts.headers);
        if let Some(body) = parts.body {
            request.set_body(&body.content_type, body.bytes.clone());
        }
        request
    }

    /// The extensions that are there for everybody; those that a call has or has not by its terms
    /// are its own to write, and go into no more than the answer to OPTIONS here.
    fn push_supported(&self, message: &mut Headers, method: &Method) {
        let named = |extension: &&&str| {
            *method == Method::Options || ![TIMER, RELIABLE, PATH].contains(*extension)
        };
        let extensions: Vec<&str> = self.config.extensions.iter().filter(named).copied().collect();
        if !extensions.is_empty() {
            message.push(HeaderName::Supported, extensions.join(", "));
        }
    }

    /// Sends a request within a dialog.
    pub(crate) fn send_in_dialog(
        &mut self,
        dialog: &mut Dialog,
        method: Method,
        parts: Parts<'_>,
        flow: Flow,
        user: User,
        now: Instant,
    ) -> Option<Handle> {
        let cseq = dialog.next_cseq();
        let destination = dialog.destination();
        self.send(in_dialog(dialog, &destination, method, cseq, parts), flow, user, now)
    }

    /// Writes the ACK of a 2xx (RFC 3261 §13.2.2.4).
    pub(crate) fn write_ack(
        &mut self,
        dialog: &Dialog,
        cseq: u32,
        flow: Flow,
        parts: Parts<'_>,
    ) -> Bytes {
        let branch = Branch::random(&mut self.entropy);
        let destination = dialog.destination();
        self.compose(in_dialog(dialog, &destination, Method::Ack, cseq, parts), &branch, flow)
            .to_bytes()
    }

    /// Sends CANCEL for an INVITE that got a provisional response (RFC 3261 §9.1).
    pub(crate) fn send_cancel(&mut self, invite: Handle, headers: &Headers, now: Instant) {
        self.layer.limit_invite(invite, now);
        let Some((request, flow)) = self.layer.client_request(invite) else { return };
        let Some(branch) = request.via().and_then(|via| via.branch()) else { return };
        let key = Key::client(branch.as_bytes(), Method::Cancel.as_str().as_bytes());
        let mut cancel = follow_up(request, Method::Cancel, request);
        append(&mut cancel, Some(headers));
        // A full table costs the callee its notice, not us: the INVITE is bounded by itself.
        let _ = self.layer.start_client(key, Outgoing::new(cancel, flow), User::Nobody, now);
    }

    /// The path of the next request in a dialog.
    pub(crate) fn dialog_flow(&self, dialog: &Dialog, latest: Flow, policy: PathPolicy) -> Flow {
        let next_hop = dialog.destination().next_hop;
        self.path_to(&next_hop, latest, policy, dialog.has_routes())
    }

    /// The path to a URI of a peer whose latest message came on `latest`.
    pub(crate) fn path_to(
        &self,
        next_hop: &Uri,
        latest: Flow,
        policy: PathPolicy,
        is_routed: bool,
    ) -> Flow {
        let stays = latest.connection.is_some() && self.layer.is_open(&latest);
        if policy == PathPolicy::Symmetric || stays {
            return latest;
        }
        let Some(address) = next_hop.socket_addr() else { return latest };
        let (ip, peer) = (address.ip(), latest.peer.ip());
        let translated = is_private(ip) && !is_private(peer) && !is_routed;
        // No peer lives at such addresses, and nobody else is to be shouted at.
        let nowhere = ip.is_unspecified() || ip.is_multicast() || address.port() == 0;
        if translated || nowhere {
            return latest;
        }
        let named = next_hop.parameter("transport");
        let transport = match (next_hop.scheme(), named) {
            // Nothing weaker may carry it (RFC 3261 §26.2.2).
            (Scheme::Sips, _) => Transport::Tls,
            (_, Some(name)) => Transport::parse(name.as_bytes()).unwrap_or(latest.transport),
            (_, None) => Transport::Udp,
        };
        if address == latest.peer && transport == latest.transport {
            return latest;
        }
        // Our address on the other transport is taken to be the same: `net` listens on both.
        Flow { transport, local: latest.local, peer: address, connection: None }
    }

    // ---- responses ----

    /// Makes a response (RFC 3261 §8.2.6) with our To tag, Allow and Server.
    pub(crate) fn response(
        &self,
        request: &Request,
        status: StatusCode,
        to_tag: &Tag,
        parts: Parts<'_>,
    ) -> Response {
        let mut response = Response::to(request, status);
        if status != StatusCode::TRYING {
            response.set_to_tag(to_tag);
        }
        if let Some(contact) = parts.contact {
            response.push(HeaderName::Contact, contact);
        }
        let offers = matches!(request.method(), Method::Invite | Method::Options | Method::Update);
        if status == StatusCode::METHOD_NOT_ALLOWED || (offers && status.is_success()) {
            response.push(HeaderName::Allow, self.config.allow());
        }
        if offers && status.is_success() {
            self.push_supported(&mut response, request.method());
        }
        if !self.config.product.is_empty() && status != StatusCode::TRYING {
            response.push(HeaderName::Server, self.config.product.as_str());
        }
        append(&mut response, parts.headers);
        if let Some(body) = parts.body {
            response.set_body(&body.content_type, body.bytes.clone());
        }
        response
    }

    /// Answers a request through its transaction. Returns the bytes, for a 2xx to be repeated;
    /// nothing if it was answered before.
    pub(crate) fn respond(
        &mut self,
        transaction: Handle,
        status: StatusCode,
        to_tag: &Tag,
        parts: Parts<'_>,
        now: Instant,
    ) -> Option<Bytes> {
        let request = self.layer.answerable(transaction)?;
        let bytes = self.response(request, status, to_tag, parts).to_bytes();
        self.layer.respond(transaction, status.code(), bytes.clone(), now);
        Some(bytes)
    }

    /// Answers a request outside any dialog through its transaction.
    pub(crate) fn respond_plain(
        &mut self,
        transaction: Handle,
        status: StatusCode,
        parts: Parts<'_>,
        now: Instant,
    ) {
        let Some(request) = self.layer.answerable(transaction) else { return };
        let tag = self.stateless_tag(request);
        self.respond(transaction, status, &tag, parts, now);
    }

    /// Answers a request without keeping anything (RFC 3261 §8.2.7).
    pub(crate) fn respond_stateless(
        &mut self,
        request: &Request,
        flow: Flow,
        status: StatusCode,
        parts: Parts<'_>,
    ) {
        if *request.method() == Method::Ack {
            return;
        }
        let reply = reply_to(request, flow, self.config.response_port);
        self.respond_stateless_to(request, reply, status, parts);
    }

    /// The same where the way back is known.
    pub(crate) fn respond_stateless_to(
        &mut self,
        request: &Request,
        reply: Reply,
        status: StatusCode,
        parts: Parts<'_>,
    ) {
        let response = self.response(request, status, &self.stateless_tag(request), parts);
        self.send_response(reply, &response);
    }

    /// Sends a response outside any transaction.
    pub(crate) fn send_response(&mut self, reply: Reply, response: &Response) {
        let flow = self.layer.reply_flow(reply);
        let bytes = response.to_bytes();
        // A request that filled its datagram to the last byte: it has been counted.
        if flow.transport == Transport::Udp && bytes.len() > MOST_DATAGRAM {
            return;
        }
        self.layer.send(flow, bytes);
    }

    /// A To tag that comes out the same for the same request, so that a repetition answered without
    /// memory gets the same response (RFC 3261 §8.2.7). Keyed, so that nobody outside can tell it.
    pub(crate) fn stateless_tag(&self, request: &Request) -> Tag {
        let mut state = self.tag_key;
        let parts = [HeaderName::CallId, HeaderName::From, HeaderName::CSeq];
        for part in parts.into_iter().filter_map(|name| request.value(name)) {
            for &byte in part {
                // The round of splitmix64 (see `entropy`), keyed by what came before.
                state = (state ^ u64::from(byte)).wrapping_add(0x9e37_79b9_7f4a_7c15);
                state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                state ^= state >> 27;
            }
        }
        Tag::random(&mut Entropy::new(state))
    }
}

fn in_dialog<'a>(
    dialog: &'a Dialog,
    destination: &'a Destination,
    method: Method,
    cseq: u32,
    parts: Parts<'a>,
) -> Draft<'a> {
    Draft {
        method,
        uri: &destination.request_uri,
        routes: &destination.routes,
        from: dialog.local(),
        to: dialog.remote(),
        call_id: dialog.id().call_id.as_str(),
        cseq,
        max_forwards: MAX_FORWARDS,
        parts,
    }
}

/// Adds the application's headers; one that stands already is replaced (User-Agent, Server, Allow).
fn append(message: &mut Headers, extra: Option<&Headers>) {
    let Some(extra) = extra else { return };
    for field in extra.fields() {
        if matches!(field.name, HeaderName::UserAgent | HeaderName::Server | HeaderName::Allow) {
            message.set(field.name, field.value);
        } else {
            // The name came out of a header list, so it is a token.
            let _ = message.push_named(field.name_text, field.value);
        }
    }
}

/// Where the responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4).
///
/// Differs from RFC 3261 §18.2.2: `maddr` is not obeyed, and a response never goes to another
/// address than the request came from, because a forged Via would turn us against a third party.
pub(crate) fn reply_to(request: &Request, flow: Flow, port: ResponsePort) -> Reply {
    let via = request.via();
    let sent_by = via.map_or(5060, |via| via.port_or_default());
    let fallback = SocketAddr::new(flow.peer.ip(), sent_by);
    let symmetric = port == ResponsePort::Source || via.is_some_and(|via| via.has_rport());
    let peer = if flow.transport.is_reliable() || symmetric { flow.peer } else { fallback };
    Reply { flow, peer, fallback }
}

/// What the keys of a request are made from.
pub(crate) fn request_parts(request: &Request) -> RequestParts<'_> {
    let via = request.via();
    RequestParts {
        method: request.method().as_str().as_bytes(),
        uri: request.uri().as_str().as_bytes(),
        branch: via.and_then(|via| via.branch()).map(str::as_bytes),
        sent_by_host: via.map_or(&b""[..], |via| via.host_str().as_bytes()),
        sent_by_port: via.and_then(|via| via.port()),
        via: request.value(HeaderName::Via).unwrap_or_default(),
        from_tag: request.from_tag().unwrap_or_default().as_bytes(),
        call_id: request.call_id().unwrap_or_default().as_bytes(),
        cseq: request.cseq().map_or(0, |cseq| cseq.number),
    }
}

/// The ACK of a failure (RFC 3261 §17.1.1.3).
pub(crate) fn ack_failure(request: &Request, response: &Response) -> Bytes {
    follow_up(request, Method::Ack, response).to_bytes()
}

/// A request that belongs to another's transaction: ACK of a failure (its To is the response's),
/// CANCEL (RFC 3261 §9.1).
fn follow_up(request: &Request, method: Method, to: &Headers) -> Request {
    let cseq = CSeq::new(request.cseq().map_or(0, |cseq| cseq.number), method.clone());
    let mut follow_up = Request::new(method, &request.uri().to_owned());
    if let Some(via) = request.elements(HeaderName::Via).next() {
        follow_up.push(HeaderName::Via, via);
    }
    follow_up.push(HeaderName::MaxForwards, MAX_FORWARDS);
    follow_up.copy(HeaderName::Route, request);
    follow_up.copy(HeaderName::From, request);
    follow_up.copy(HeaderName::To, to);
    follow_up.copy(HeaderName::CallId, request);
    follow_up.push(HeaderName::CSeq, cseq.to_string());
    follow_up
}

/// Addresses that mean nothing outside their own network.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // RFC 1918, RFC 3927, and the shared space of carriers (RFC 6598).
            v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The methods the INVITE usage itself takes.
pub(crate) const INVITE_USAGE: &[Method] = &[
    Method::Invite,
    Method::Ack,
    Method::Cancel,
    Method::Bye,
    Method::Info,
    Method::Update,
    Method::Prack,
    Method::Options,
];

/// RFC 3327: of registrations alone.
const PATH: &str = "path";

/// What Retry-After says when a table is full.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The body type calls are made of (RFC 3261 §13.2.1).
pub(crate) const ACCEPT: &str = "application/sdp";
