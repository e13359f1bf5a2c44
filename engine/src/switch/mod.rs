//! The signalling core: owns the SIP stack, the registrar, the calls and the rooms, and routes
//! between them.
//!
//! A plain value without I/O: everything that happens comes in through a `handle_` method with the
//! time, and after each one everything to be done is drained through the `poll_` methods until
//! `None`. `net` runs one; a test runs several, in virtual time.

mod account;
mod addresses;
mod admission;
mod announcer;
mod bans;
mod bridges;
mod budget;
mod call;
mod command;
mod commands;
mod conferences;
mod connected;
mod device_state;
mod dial;
mod dialog;
mod diversions;
mod event;
mod features;
mod followed;
mod holding;
mod identity;
mod info;
mod invite;
mod knowledge;
mod local;
mod media_events;
mod menus;
mod messages;
mod music;
mod numbers;
mod originate;
mod overload;
mod page;
mod parking;
mod pickup;
mod place;
mod placing;
mod plan;
mod ports;
mod programs;
mod qualify;
mod quality;
mod record;
mod recordings;
mod redirect;
mod referring;
mod register;
mod registrars;
mod registrations;
mod replace;
mod requests;
mod resolve;
mod robots;
mod rooms;
mod schedules;
mod session;
mod settings;
mod subscriptions;
mod supervision;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod totals;
mod transfer;
mod videoshare;
mod view;
mod work;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use diesis_dialplan::{plan::Plan, world::World};

pub use bans::BanView;
pub use bridges::BridgeId;
pub use command::{
    Command, CommandId, Completion, ForkAudio, JoinRoom, OutboundCredentials, PlaceCall, Verb,
};
pub use conferences::{RoomError, RoomOrder};
pub use event::{
    AuthenticationFailure, CallStatistics, Direction, EndedBy, Parties, RoomChange, SwitchEvent,
};
pub use features::Feature;
pub use followed::{CallReport, MOST_KEYS, OriginateNews};
pub use music::MadeMusic;
pub use numbers::Numbers;
pub use originate::Originate;
pub use qualify::ContactStatus;
pub use record::{BindingRecord, Record};
pub use redirect::RedirectError;
pub use registrations::RegistrationView;
pub use replace::Replacement;
pub use robots::{PoolView, RobotView};
pub use schedules::{ScheduleError, ScheduleView};
pub use settings::{IncomingCalls, Limits, Seeds, StepTrace, SwitchConfig};
pub use subscriptions::MailboxError;
pub use supervision::{SupervisedCall, SupervisedCaller, SupervisedState, SupervisionError};
pub use totals::{Histogram, MediaTotals, Totals};
pub use videoshare::{
    MeetingChange, MeetingEnd, MeetingError, MeetingOrder, MeetingReport, MeetingState, PersonKind,
    PersonReport, PersonState, VideoShareView,
};
pub use view::{
    CallView, ContactView, HintView, PeerView, RoomMemberView, RoomView, SubscriptionView,
};

pub use crate::bridge::RoomMembers;
use crate::{
    bridge::{RoomEffect, Rooms},
    cdr::Ledger,
    channel::{ChannelId, Outbox, PromptReply, PromptRequest},
    clock::Now,
    entropy::Entropy,
    media::{self, ShardId, StreamId},
    pbx::tones::Tones,
    sip,
};
use admission::Gate;
use announcer::Announcer;
use bridges::{Bridge, BridgeNews};
use call::Call;
use dial::DialNews;
use local::LocalNews;
use music::MusicPrograms;
use placing::{Elsewhere, Unplaced};
use ports::PortStock;

/// The signalling core. See the module's description for the order of its verbs.
#[derive(Debug)]
pub struct Switch {
    config: SwitchConfig,
    /// What all dialplan calls share.
    world: World,
    entropy: Entropy,
    endpoint: sip::Endpoint,
    gate: Gate,
    registrar: sip::registrar::Registrar,
    records: record::Records,
    /// The records of calls; `None` when they are switched off.
    ledger: Option<Ledger>,
    registrations: registrations::Registrations,
    registrars: registrars::Registrars,
    /// Which robots are occupied.
    robots: robots::Pools,
    qualifier: qualify::Qualifier,
    /// Our addresses, as far as messages came to them.
    locals: Vec<SocketAddr>,
    calls: HashMap<ChannelId, Box<Call>>,
    /// The stack's calls.
    handles: HashMap<sip::CallHandle, ChannelId>,
    streams: HashMap<StreamId, ChannelId>,
    deadlines: BTreeSet<(Instant, ChannelId)>,
    /// Calls that have something to do now.
    ready: VecDeque<ChannelId>,
    /// Calls that something happens to just now, one for the sake of the other.
    in_hand: usize,
    /// Calls that go on at the next timeout, behind everybody else.
    yielded: VecDeque<ChannelId>,
    rooms: Rooms,
    room_effects: VecDeque<RoomEffect>,
    announcer: Announcer,
    /// Rooms that are recorded, or were and have members.
    room_recordings: HashMap<media::RoomId, recordings::RoomRecording>,
    /// Conferences with a master.
    meetings: videoshare::Meetings,
    supervised: supervision::Supervised,
    /// What the calls of a Dial tell the one that dialled.
    dial_news: VecDeque<(ChannelId, DialNews)>,
    bridges: HashMap<BridgeId, Bridge>,
    /// What members of a bridge tell each other.
    bridge_news: VecDeque<(ChannelId, BridgeNews)>,
    /// What the halves of Local channels tell each other.
    local_news: VecDeque<(ChannelId, LocalNews)>,
    /// INFO requests of ours that wait for their responses.
    infos: HashMap<sip::RequestHandle, ChannelId>,
    resolver: resolve::Resolver,
    /// Calls to be placed once it is known where to.
    unplaced: HashMap<resolve::LookupId, Unplaced>,
    /// Legs of a Dial that wait for the same.
    legs_to_locate: HashMap<resolve::LookupId, ChannelId>,
    /// Calls that are being placed with nobody calling.
    originations: originate::Originations,
    followed: followed::FollowedCalls,
    /// Who is parked.
    parking: parking::Parking,
    /// Who waits in a holding bridge.
    holdings: holding::Holdings,
    /// Who was transferred, and who wants to hear of it.
    transfers: transfer::Transfers,
    /// Where else calls can be tried that nobody answered yet.
    elsewhere: HashMap<ChannelId, Elsewhere>,
    /// Who is busy.
    devices: device_state::Devices,
    /// Who watches them, and who waits for messages.
    subscriptions: subscriptions::Subscriptions,
    ports: PortStock,
    overload: overload::Overload,
    outbox: Outbox,
    music: MusicPrograms,
    tones: Tones,
    events: VecDeque<SwitchEvent>,
    /// Events that nobody took in time.
    events_dropped: u64,
    calls_begun: u64,
    totals: Totals,
    new_calls: NewCalls,
    streams_opened: u64,
    /// The latest time anything came in.
    worked_at: Now,
    /// The zero of the dialplan's monotonic clock.
    started: Instant,
}

/// When something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// What somebody may notice: the end of a pause in a dialplan, for one.
    pub own: Option<Instant>,
    /// What is sent again, given up or forgotten by SIP's own timers, of half a second and more.
    pub stack: Option<Instant>,
}

impl Switch {
    /// A switch without calls.
    pub fn new(config: SwitchConfig, seeds: &Seeds, now: Now) -> Self {
        let mut entropy = Entropy::new(seeds.entropy);
        let mut world = World::default();
        plan::set_globals(&config.plan, &mut world, now, &config.time_zone);
        let endpoint = sip::Endpoint::new(stack_config(&config), entropy.fork());
        let mut switch = Self {
            gate: Gate::new(&config, seeds, now),
            registrar: register::registrar(&config),
            records: record::Records::default(),
            ledger: config.records.map(Ledger::new),
            registrations: registrations::Registrations::default(),
            registrars: registrars::Registrars::default(),
            robots: robots::Pools::default(),
            qualifier: qualify::Qualifier::default(),
            locals: Vec::new(),
            world,
            endpoint,
            entropy,
            calls: HashMap::new(),
            handles: HashMap::new(),
            streams: HashMap::new(),
            deadlines: BTreeSet::new(),
            ready: VecDeque::new(),
            in_hand: 0,
            yielded: VecDeque::new(),
            rooms: Rooms::default(),
            room_effects: VecDeque::new(),
            announcer: Announcer::default(),
            room_recordings: HashMap::new(),
            meetings: videoshare::Meetings::default(),
            supervised: supervision::Supervised::default(),
            dial_news: VecDeque::new(),
            bridges: HashMap::new(),
            bridge_news: VecDeque::new(),
            local_news: VecDeque::new(),
            infos: HashMap::new(),
            resolver: resolve::Resolver::default(),
            unplaced: HashMap::new(),
            legs_to_locate: HashMap::new(),
            originations: originate::Originations::default(),
            followed: followed::FollowedCalls::default(),
            parking: parking::Parking::default(),
            holdings: holding::Holdings::default(),
            transfers: transfer::Transfers::default(),
            elsewhere: HashMap::new(),
            devices: device_state::Devices::new(&config.sip),
            subscriptions: subscriptions::Subscriptions::new(&config.sip),
            ports: PortStock::default(),
            overload: overload::Overload::default(),
            outbox: Outbox::default(),
            music: MusicPrograms::default(),
            tones: Tones::default(),
            events: VecDeque::new(),
            config,
            events_dropped: 0,
            calls_begun: 0,
            totals: Totals::default(),
            new_calls: NewCalls::Welcome,
            streams_opened: 0,
            worked_at: now,
            started: now.instant,
        };
        switch.load_hints(now);
        switch.watch_fixed_contacts(now);
        switch.load_robots();
        switch.register_everywhere(now);
        switch
    }

    /// Puts a new dialplan in force. Calls in progress look their next step up in it.
    pub fn replace_plan(&mut self, plan: Arc<Plan>, now: Now) {
        plan::set_globals(&plan, &mut self.world, now, &self.config.time_zone);
        self.config.plan = plan;
        self.worked_at = now;
        self.load_hints(now);
        self.work(now);
    }

    /// A SIP message arrived: one whole datagram, or one message cut from a stream.
    pub fn handle_packet(&mut self, flow: sip::Flow, packet: Bytes, now: Now) {
        self.worked_at = now;
        self.endpoint.handle_packet(flow, packet, now.instant);
        self.work(now);
    }

    /// A connection is gone.
    pub fn handle_connection_closed(&mut self, connection: sip::ConnectionId, now: Now) {
        self.worked_at = now;
        self.endpoint.handle_connection_closed(connection, now.instant);
        self.work(now);
    }

    /// A message could not be sent on this flow.
    pub fn handle_transport_error(&mut self, flow: sip::Flow, now: Now) {
        self.worked_at = now;
        self.endpoint.handle_transport_error(flow, now.instant);
        self.work(now);
    }

    /// A media shard tells something.
    pub fn handle_media(&mut self, event: media::Event, now: Now) {
        self.worked_at = now;
        self.take_media_event(event, now);
        self.work(now);
    }

    /// A command of [`Switch::poll_media`] was not taken, because its shard is overloaded: the call
    /// it concerns ends. Ends of streams and returned ports must be tried again instead.
    pub fn handle_lost_media(&mut self, shard: ShardId, command: media::Command, now: Now) {
        self.worked_at = now;
        self.lose_command(shard, command, now);
        self.work(now);
    }

    /// A prompt that was asked for came, or is not there.
    pub fn handle_prompt(&mut self, reply: PromptReply, now: Now) {
        self.worked_at = now;
        self.take_prompt(reply, now);
        self.work(now);
    }

    /// An embedder wants something.
    pub fn handle_command(&mut self, command: Command, now: Now) {
        self.worked_at = now;
        self.take_command(command, now);
        self.work(now);
    }

    /// Time passed; due when [`Switch::poll_timeout`] says so.
    pub fn handle_timeout(&mut self, now: Now) {
        self.worked_at = now;
        self.endpoint.handle_timeout(now.instant);
        self.wake(now);
        self.expire_bindings(now);
        self.wake_registrations(now);
        self.qualify_due(now);
        self.let_go_of_referrers(now);
        self.wake_meetings(now);
        self.resolver.handle_timeout(now.instant);
        self.work(now);
    }

    /// A message to be sent.
    pub fn poll_transmit(&mut self) -> Option<sip::Transmit> {
        self.endpoint.poll_transmit()
    }

    /// A command for a media shard.
    pub fn poll_media(&mut self) -> Option<(ShardId, media::Command)> {
        self.outbox.poll_media()
    }

    /// A prompt to be loaded and given to [`Switch::handle_prompt`].
    pub fn poll_prompt(&mut self) -> Option<PromptRequest> {
        self.outbox.poll_prompt()
    }

    /// Something that happened.
    pub fn poll_event(&mut self) -> Option<SwitchEvent> {
        self.events.pop_front()
    }

    /// When [`Switch::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let Timeouts { own, stack } = self.poll_timeouts();
        own.into_iter().chain(stack).min()
    }

    /// The same, what calls and registrations wait for apart from the timers of the stack.
    pub fn poll_timeouts(&self) -> Timeouts {
        let own = [
            self.next_call_deadline(),
            self.registrar.poll_timeout(),
            self.registrations.poll_timeout(),
            self.registrars.poll_timeout(),
            self.qualifier.poll_timeout(),
            self.transfers.poll_timeout(),
            self.resolver.poll_timeout(),
            self.meetings.poll_timeout(),
        ];
        let own = own.into_iter().flatten().min();
        Timeouts { own, stack: self.endpoint.poll_timeout() }
    }

    /// Calls whose last messages are still on their way: not ended for the far end.
    pub fn calls_closing(&self) -> usize {
        self.endpoint.call_count()
    }

    /// How many calls there are, those that are cleaning up included.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// Refuses every new call with 503 and Retry-After from now on; those in progress go on.
    pub fn drain(&mut self) {
        self.new_calls = NewCalls::Refused;
    }

    /// Takes new calls again after [`Switch::drain`].
    pub fn resume(&mut self) {
        self.new_calls = NewCalls::Welcome;
    }

    /// Whether [`Switch::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.new_calls == NewCalls::Refused
    }

    /// How many calls there were so far.
    pub fn calls_begun(&self) -> u64 {
        self.calls_begun
    }

    /// Ends every call, as when the engine shuts down.
    pub fn hang_up_all(&mut self, now: Now) {
        self.worked_at = now;
        let mut calls: Vec<_> = self.calls.keys().copied().collect();
        calls.sort_unstable();
        for id in calls {
            self.with_call(id, now, |switch, call| {
                switch.end(call, crate::channel::Cause::NORMAL_CLEARING, EndedBy::Us, now);
            });
        }
        self.work(now);
    }

    /// Queues an event, and what it makes of the records of calls.
    fn tell(&mut self, event: SwitchEvent) {
        let records = self.account(&event);
        self.touch_supervised(&event);
        self.queue(event);
        for record in records {
            self.queue(SwitchEvent::CallRecorded { record: Box::new(record) });
        }
    }

    /// Queues an event. When nobody takes them the newest are dropped, and counted.
    fn queue(&mut self, event: SwitchEvent) {
        if self.events.len() >= self.config.limits.events {
            self.events_dropped += 1;
            if self.events_dropped.is_power_of_two() {
                tracing::warn!(dropped = self.events_dropped, "nobody takes the switch's events");
            }
            return;
        }
        self.events.push_back(event);
    }

    fn make_ready(&mut self, id: ChannelId) {
        if let Some(call) = self.calls.get_mut(&id)
            && !call.queued
        {
            call.queued = true;
            self.ready.push_back(id);
        }
    }
}

/// Whether new calls are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NewCalls {
    Welcome,
    Refused,
}

fn stack_config(config: &SwitchConfig) -> sip::EndpointConfig {
    sip::EndpointConfig {
        product: config.sip.user_agent.to_string(),
        // Calls whose last transactions linger count in the stack and not here.
        max_calls: config.limits.calls.saturating_mul(2),
        max_subscriptions: config.limits.subscriptions,
        max_transactions: config.limits.transactions,
        timers: sip::transaction::Timers {
            t1: config.sip.stack.timer_t1,
            ..sip::transaction::Timers::default()
        },
        large_requests: config.sip.stack.large_requests,
        methods: requests::METHODS.to_vec(),
        // As `force_rport` of peers that nobody has named yet.
        response_port: sip::ResponsePort::Source,
        public_addresses: addresses::public_addresses(&config.sip),
        other_methods: sip::OtherMethods::Deliver,
        extensions: vec!["timer", "100rel", "replaces", "norefersub", "path"],
        ..sip::EndpointConfig::default()
    }
}
