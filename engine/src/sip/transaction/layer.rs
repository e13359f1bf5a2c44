//! All transactions of one endpoint: their tables, keys and deadlines.
//!
//! RFC 3261 §17 calls this the transaction layer. It runs the machines and routes their messages;
//! what a response means is their user's business. Flows whose connection has closed are healed
//! here (RFC 3261 §18.2.2, §18.4).

use std::collections::{BTreeSet, HashMap, VecDeque, hash_map};
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

use super::client::ClientTransaction;
use super::invite_client::InviteClientTransaction;
use super::invite_server::{Ack, InviteServerTransaction};
use super::key::{ByKey, KeptKey, Key};
use super::server::ServerTransaction;
use super::{ClientEvent, ServerEvent, Timers};
use crate::sip::deadlines::Deadlines;
use crate::sip::flow::{ConnectionId, Flow, Transmit, Transport};
use crate::sip::large::{Fallback, Outgoing, Unconnected};
use crate::sip::table::{Handle, Table};
use crate::sip::{Method, Request};

/// Who gets to hear what a transaction brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// The application, by an event of its own.
    Application,
    /// A call.
    Call(Handle),
    /// A subscription to something of ours.
    Subscription(Handle),
    /// Nobody: whoever sent it has left.
    Nobody,
}

/// What happened to a transaction by time or transport rather than by a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A client transaction failed.
    Client { user: User, transaction: Handle, event: ClientEvent },
    /// A client transaction ended: no response will be passed on any more.
    ClientEnded { user: User, transaction: Handle },
    /// A server transaction failed.
    Server { user: User, transaction: Handle, event: ServerEvent },
}

/// What to do with a request, by what transaction it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matched {
    /// None: it is new.
    New,
    /// Dealt with.
    Absorbed,
    /// It is an ACK for the dialog, whichever transaction it resembles.
    AckOfAccepted,
}

#[derive(Debug)]
enum ClientMachine {
    Plain(ClientTransaction),
    Invite(InviteClientTransaction),
}

#[derive(Debug)]
enum ServerMachine {
    Plain(ServerTransaction),
    Invite(InviteServerTransaction),
}

impl ClientMachine {
    fn new(request: &Request, bytes: Bytes, flow: Flow, timers: Timers, now: Instant) -> Self {
        match request.method() {
            Method::Invite => {
                Self::Invite(InviteClientTransaction::new(bytes, flow.transport, timers, now))
            }
            _ => Self::Plain(ClientTransaction::new(bytes, flow.transport, timers, now)),
        }
    }
}

/// One client transaction.
#[derive(Debug)]
pub(crate) struct ClientEntry {
    machine: ClientMachine,
    key: KeptKey,
    flow: Flow,
    user: User,
    /// The request sent, for the ACK and CANCEL that copy it.
    request: Request,
    /// The way that is left, as long as nothing came back on this one.
    fallback: Option<Box<Fallback>>,
}

/// One server transaction.
#[derive(Debug)]
pub(crate) struct ServerEntry {
    machine: ServerMachine,
    key: KeptKey,
    merged: Option<KeptKey>,
    reply: Reply,
    user: User,
    /// What is to be answered; `None` once it was, and only repetitions can come.
    request: Option<Box<Request>>,
}

/// Where responses go (RFC 3261 §18.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The path the request came on.
    pub(crate) flow: Flow,
    /// The peer's end of it, with the port that the response goes to.
    pub(crate) peer: SocketAddr,
    /// Where to connect when the request's connection is gone.
    pub(crate) fallback: SocketAddr,
}

/// Upper bounds of the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) clients: usize,
    pub(crate) servers: usize,
}

/// The transaction layer.
#[derive(Debug)]
pub(crate) struct Layer {
    timers: Timers,
    clients: Table<ClientEntry>,
    servers: Table<ServerEntry>,
    client_keys: HashMap<KeptKey, Handle>,
    server_keys: HashMap<KeptKey, Handle>,
    merged_keys: HashMap<KeptKey, Handle>,
    client_deadlines: Deadlines,
    server_deadlines: Deadlines,
    /// Requests outside of calls that were answered, oldest first, kept for their repetitions.
    answered: VecDeque<Handle>,
    /// Client transactions by where they were sent, for errors of that path.
    by_path: BTreeSet<(Transport, SocketAddr, Handle)>,
    connections: HashMap<ConnectionId, (Transport, SocketAddr)>,
    unconnected: Unconnected,
    transmits: VecDeque<Transmit>,
    outcomes: VecDeque<Outcome>,
}

impl Layer {
    pub(crate) fn new(timers: Timers, capacity: Capacity) -> Self {
        Self {
            timers,
            clients: Table::new(capacity.clients),
            servers: Table::new(capacity.servers),
            client_keys: HashMap::new(),
            server_keys: HashMap::new(),
            merged_keys: HashMap::new(),
            client_deadlines: Deadlines::default(),
            server_deadlines: Deadlines::default(),
            answered: VecDeque::new(),
            by_path: BTreeSet::new(),
            connections: HashMap::new(),
            unconnected: Unconnected::default(),
            transmits: VecDeque::new(),
            outcomes: VecDeque::new(),
        }
    }

    pub(crate) fn timers(&self) -> Timers {
        self.timers
    }

    // ---- paths ----

    /// Learns that a connection lives.
    pub(crate) fn note_flow(&mut self, flow: Flow) {
        if let Some(id) = flow.connection {
            self.connections.insert(id, (flow.transport, flow.peer));
        }
    }

    /// Forgets a connection; what was sent on it and not answered has failed.
    pub(crate) fn handle_connection_closed(&mut self, id: ConnectionId, now: Instant) {
        let Some((transport, peer)) = self.connections.remove(&id) else { return };
        // What asked for a connection to this peer was sent on this one.
        self.fail(transport, peer, |flow| flow.connection.is_none_or(|own| own == id), now);
    }

    /// A path could not be used: what was sent on it and not answered has failed.
    pub(crate) fn handle_transport_error(&mut self, failed: Flow, now: Instant) {
        let concerns = |flow: &Flow| flow.connection == failed.connection;
        self.fail(failed.transport, failed.peer, concerns, now);
    }

    fn fail(
        &mut self,
        transport: Transport,
        peer: SocketAddr,
        concerns: impl Fn(&Flow) -> bool,
        now: Instant,
    ) {
        let first = Handle { slot: 0, generation: 0 };
        let sent: Vec<Handle> = self
            .by_path
            .range((transport, peer, first)..)
            .take_while(|&&(t, p, _)| t == transport && p == peer)
            .map(|&(_, _, handle)| handle)
            .collect();
        for handle in sent {
            let Some(entry) = self.clients.get(handle) else { continue };
            if concerns(&entry.flow) && !self.fall_back(handle, now) {
                let Some(entry) = self.clients.get_mut(handle) else { continue };
                match &mut entry.machine {
                    ClientMachine::Plain(machine) => machine.handle_transport_error(),
                    ClientMachine::Invite(machine) => machine.handle_transport_error(),
                }
                self.settle_client(handle);
            }
        }
    }

    /// Sends a request over UDP after all, if that is left to it.
    fn fall_back(&mut self, handle: Handle, now: Instant) -> bool {
        let Some(entry) = self.clients.get_mut(handle) else { return false };
        let Some(fallback) = entry.fallback.take() else { return false };
        let Fallback { request, flow, .. } = *fallback;
        self.by_path.remove(&(entry.flow.transport, entry.flow.peer, handle));
        self.by_path.insert((flow.transport, flow.peer, handle));
        entry.machine = ClientMachine::new(&request, request.to_bytes(), flow, self.timers, now);
        (entry.request, entry.flow) = (request, flow);
        self.unconnected.insert(flow.peer, now);
        self.settle_client(handle);
        true
    }

    /// Whether TCP did not lead to a peer lately.
    pub(crate) fn is_unconnected(&self, peer: SocketAddr, now: Instant) -> bool {
        self.unconnected.contains(peer, now)
    }

    /// Whether the flow's connection, if it has one, is open.
    pub(crate) fn is_open(&self, flow: &Flow) -> bool {
        flow.connection.is_none_or(|id| self.connections.contains_key(&id))
    }

    /// Sends outside any transaction: an ACK of a 2xx, or a response that leaves no state.
    pub(crate) fn send(&mut self, mut flow: Flow, bytes: Bytes) {
        if !self.is_open(&flow) {
            flow.connection = None;
        }
        self.transmits.push_back(Transmit { flow, bytes });
    }

    /// The path of a response: the request's own, or a new connection when that has closed.
    pub(crate) fn reply_flow(&self, reply: Reply) -> Flow {
        if self.is_open(&reply.flow) {
            Flow { peer: reply.peer, ..reply.flow }
        } else {
            Flow { peer: reply.fallback, connection: None, ..reply.flow }
        }
    }

    // ---- clients ----

    pub(crate) fn is_full_of_clients(&self) -> bool {
        self.clients.is_full()
    }

    /// Sends a request. `None` when the table is full.
    pub(crate) fn start_client(
        &mut self,
        key: Key,
        outgoing: Outgoing,
        user: User,
        now: Instant,
    ) -> Option<Handle> {
        let Outgoing { request, bytes, mut flow, fallback } = outgoing;
        if !self.is_open(&flow) {
            flow.connection = None;
        }
        let machine = ClientMachine::new(&request, bytes, flow, self.timers, now);
        let key = key.keep();
        let entry = ClientEntry { machine, key: key.clone(), flow, user, request, fallback };
        let handle = self.clients.insert(entry).ok()?;
        self.client_keys.insert(key, handle);
        self.by_path.insert((flow.transport, flow.peer, handle));
        self.settle_client(handle);
        Some(handle)
    }

    /// The request a client transaction sent, and where.
    pub(crate) fn client_request(&self, handle: Handle) -> Option<(&Request, Flow)> {
        self.clients.get(handle).map(|entry| (&entry.request, entry.flow))
    }

    /// Hands a response to its transaction; the user is returned if it has to hear of it.
    pub(crate) fn handle_response(
        &mut self,
        key: &Key,
        status: u16,
        ack: impl FnOnce(&Request) -> Bytes,
        now: Instant,
    ) -> Responded {
        let Some(&handle) = self.client_keys.find(key) else { return Responded::Stray };
        let Some(entry) = self.clients.get_mut(handle) else { return Responded::Stray };
        let user = entry.user;
        // The way leads to the peer.
        entry.fallback = None;
        let event = match &mut entry.machine {
            ClientMachine::Plain(machine) => {
                machine.handle_response(status, now);
                machine.poll_event()
            }
            ClientMachine::Invite(machine) => {
                let request = &entry.request;
                machine.handle_response(status, || ack(request), now);
                machine.poll_event()
            }
        };
        let responded = match event {
            Some(_) => Responded::PassOn { user, transaction: handle },
            None => Responded::Absorbed,
        };
        self.settle_client(handle);
        responded
    }

    /// A CANCEL was sent for the INVITE, or its user has left (RFC 3261 §9.1).
    pub(crate) fn limit_invite(&mut self, handle: Handle, now: Instant) {
        if let Some(ClientEntry { machine: ClientMachine::Invite(machine), .. }) =
            self.clients.get_mut(handle)
        {
            machine.handle_cancel(now);
            self.settle_client(handle);
        }
    }

    /// Drains a client machine, moves its deadline and forgets it when it is over.
    fn settle_client(&mut self, handle: Handle) {
        let Some(entry) = self.clients.get_mut(handle) else { return };
        let (bytes, event, deadline, terminated) = match &mut entry.machine {
            ClientMachine::Plain(m) => {
                (m.poll_transmit(), m.poll_event(), m.poll_timeout(), m.is_terminated())
            }
            ClientMachine::Invite(m) => {
                (m.poll_transmit(), m.poll_event(), m.poll_timeout(), m.is_terminated())
            }
        };
        let (flow, user) = (entry.flow, entry.user);
        let deadline = match &entry.fallback {
            Some(fallback) => deadline.map(|own| own.min(fallback.due)),
            None => deadline,
        };
        if let Some(bytes) = bytes {
            self.transmits.push_back(Transmit { flow, bytes });
        }
        if let Some(event) = event {
            self.outcomes.push_back(Outcome::Client { user, transaction: handle, event });
        }
        self.client_deadlines.set(handle.slot, deadline);
        if terminated && let Some(entry) = self.clients.remove(handle) {
            self.client_keys.remove(&entry.key);
            self.by_path.remove(&(entry.flow.transport, entry.flow.peer, handle));
            self.outcomes.push_back(Outcome::ClientEnded { user, transaction: handle });
        }
    }

    // ---- servers ----

    /// Hands a request to the transaction it belongs to. `key` is made with INVITE for an ACK.
    pub(crate) fn match_request(&mut self, key: &Key, method: &Method, now: Instant) -> Matched {
        let Some(&handle) = self.server_keys.find(key) else { return Matched::New };
        let Some(entry) = self.servers.get_mut(handle) else { return Matched::New };
        let matched = match &mut entry.machine {
            ServerMachine::Plain(machine) => {
                machine.handle_retransmission();
                Matched::Absorbed
            }
            ServerMachine::Invite(machine) if *method == Method::Ack => {
                match machine.handle_ack(now) {
                    Ack::Absorbed => Matched::Absorbed,
                    Ack::OfAccepted => Matched::AckOfAccepted,
                }
            }
            ServerMachine::Invite(machine) => {
                machine.handle_retransmission();
                Matched::Absorbed
            }
        };
        self.settle_server(handle);
        matched
    }

    /// The transaction a CANCEL is for, by the key made with INVITE.
    pub(crate) fn find_server(&self, key: &Key) -> Option<(Handle, User)> {
        let &handle = self.server_keys.find(key)?;
        self.servers.get(handle).map(|entry| (handle, entry.user))
    }

    /// Whether the same request is being dealt with under another key (RFC 3261 §8.2.2.2).
    pub(crate) fn is_merged(&self, merged: &Key) -> bool {
        self.merged_keys.find(merged).is_some()
    }

    /// Starts a server transaction. `None` when the table is full.
    pub(crate) fn start_server(
        &mut self,
        key: Key,
        merged: Option<Key>,
        request: Request,
        reply: Reply,
        user: User,
        now: Instant,
    ) -> Option<Handle> {
        let transport = reply.flow.transport;
        let machine = if *request.method() == Method::Invite {
            ServerMachine::Invite(InviteServerTransaction::new(transport, self.timers))
        } else {
            ServerMachine::Plain(ServerTransaction::new(transport, self.timers, now))
        };
        let (key, merged) = (key.keep(), merged.map(|merged| merged.keep()));
        let entry = ServerEntry {
            machine,
            key: key.clone(),
            merged: merged.clone(),
            reply,
            user,
            request: Some(Box::new(request)),
        };
        let handle = self.servers.insert(entry).ok()?;
        self.server_keys.insert(key, handle);
        if let Some(merged) = merged
            && let hash_map::Entry::Vacant(vacant) = self.merged_keys.entry(merged)
        {
            vacant.insert(handle);
        }
        self.settle_server(handle);
        Some(handle)
    }

    pub(crate) fn set_server_user(&mut self, handle: Handle, user: User) {
        if let Some(entry) = self.servers.get_mut(handle) {
            entry.user = user;
        }
    }

    /// The request of a transaction that may still be answered.
    pub(crate) fn answerable(&self, handle: Handle) -> Option<&Request> {
        let entry = self.servers.get(handle)?;
        let answerable = match &entry.machine {
            ServerMachine::Plain(machine) => machine.is_answerable(),
            ServerMachine::Invite(machine) => machine.is_answerable(),
        };
        entry.request.as_deref().filter(|_| answerable)
    }

    /// Sends a response through its transaction.
    pub(crate) fn respond(&mut self, handle: Handle, status: u16, bytes: Bytes, now: Instant) {
        let Some(entry) = self.servers.get_mut(handle) else { return };
        match &mut entry.machine {
            ServerMachine::Plain(machine) => machine.handle_response(status, bytes, now),
            ServerMachine::Invite(machine) => machine.handle_response(status, bytes, now),
        }
        if let ServerMachine::Plain(machine) = &entry.machine
            && !machine.is_answerable()
        {
            entry.request = None;
            if !matches!(entry.user, User::Call(_)) {
                self.answered.push_back(handle);
            }
        }
        self.settle_server(handle);
        self.forget_answered();
    }

    /// Differs from RFC 3261 §17.2.2: where many requests are answered in a short time, the oldest
    /// are forgotten before timer J, because a flood of REGISTERs must neither fill the table nor
    /// the memory. A repetition of one of those is taken for a new request, which does no harm: its
    /// credentials are spent, so it is challenged.
    fn forget_answered(&mut self) {
        while let Some(&oldest) = self.answered.front() {
            let is_over = self.servers.get(oldest).is_none();
            if !is_over && self.answered.len() <= ANSWERED_KEPT {
                return;
            }
            self.answered.pop_front();
            self.remove_server(oldest);
        }
    }

    /// Forgets a transaction, as if its request had never come (RFC 3261 §8.2.7).
    pub(crate) fn forget_server(&mut self, handle: Handle) -> Option<(Request, Reply)> {
        self.remove_server(handle).and_then(|entry| Some((*entry.request?, entry.reply)))
    }

    /// Says anew where the responses of a transaction go.
    pub(crate) fn set_reply(
        &mut self,
        handle: Handle,
        reply: impl FnOnce(&Request, Flow) -> Reply,
    ) {
        if let Some(entry) = self.servers.get_mut(handle)
            && let Some(request) = &entry.request
        {
            entry.reply = reply(request, entry.reply.flow);
        }
    }

    fn settle_server(&mut self, handle: Handle) {
        let Some(entry) = self.servers.get_mut(handle) else { return };
        let (bytes, event, deadline, terminated) = match &mut entry.machine {
            ServerMachine::Plain(m) => {
                (m.poll_transmit(), m.poll_event(), m.poll_timeout(), m.is_terminated())
            }
            ServerMachine::Invite(m) => {
                (m.poll_transmit(), m.poll_event(), m.poll_timeout(), m.is_terminated())
            }
        };
        let (reply, user) = (entry.reply, entry.user);
        if let Some(bytes) = bytes {
            let flow = self.reply_flow(reply);
            self.transmits.push_back(Transmit { flow, bytes });
        }
        if let Some(event) = event {
            self.outcomes.push_back(Outcome::Server { user, transaction: handle, event });
        }
        self.server_deadlines.set(handle.slot, deadline);
        if terminated {
            self.remove_server(handle);
        }
    }

    fn remove_server(&mut self, handle: Handle) -> Option<ServerEntry> {
        let entry = self.servers.remove(handle)?;
        self.server_deadlines.set(handle.slot, None);
        self.server_keys.remove(&entry.key);
        if let Some(merged) = &entry.merged
            && self.merged_keys.get(merged) == Some(&handle)
        {
            self.merged_keys.remove(merged);
        }
        Some(entry)
    }

    // ---- the common verbs ----

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(slot) = self.client_deadlines.pop_due(now) {
            let Some(handle) = self.clients.handle_of(slot) else { continue };
            let Some(entry) = self.clients.get_mut(handle) else { continue };
            if entry.fallback.as_ref().is_some_and(|fallback| fallback.due <= now) {
                self.fall_back(handle, now);
                continue;
            }
            match &mut entry.machine {
                ClientMachine::Plain(machine) => machine.handle_timeout(now),
                ClientMachine::Invite(machine) => machine.handle_timeout(now),
            }
            self.settle_client(handle);
        }
        while let Some(slot) = self.server_deadlines.pop_due(now) {
            let Some(handle) = self.servers.handle_of(slot) else { continue };
            let Some(entry) = self.servers.get_mut(handle) else { continue };
            match &mut entry.machine {
                ServerMachine::Plain(machine) => machine.handle_timeout(now),
                ServerMachine::Invite(machine) => machine.handle_timeout(now),
            }
            self.settle_server(handle);
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(crate) fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.client_deadlines.next().into_iter().chain(self.server_deadlines.next()).min()
    }

    /// No transaction lives, and no key of one is left.
    pub(crate) fn is_idle(&self) -> bool {
        self.len() == (0, 0)
            && self.client_keys.is_empty()
            && self.server_keys.is_empty()
            && self.merged_keys.is_empty()
            && self.by_path.is_empty()
    }

    /// How many client and server transactions live.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }
}

/// Some 16 s of 500 requests a second; about one KiB each.
const ANSWERED_KEPT: usize = 8192;

/// Whose a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Responded {
    /// Nobody asked.
    Stray,
    /// The transaction dealt with it.
    Absorbed,
    /// Its user has to hear of it.
    PassOn { user: User, transaction: Handle },
}
