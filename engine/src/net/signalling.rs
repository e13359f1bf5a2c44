//! The signalling thread: feeds the switch with packets, media events, prompts, requests and time,
//! and carries out what it asks for.
//!
//! One thread runs one switch on a runtime of its own, so that nothing here needs a lock and an
//! embedder's busy runtime does not delay a call.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    runtime,
    sync::{Notify, broadcast, mpsc, oneshot, watch},
    time::{Instant as TokioInstant, timeout_at},
};

use super::{
    call::{Call, CallState, Ended},
    clock,
    control::{Inside, Look},
    engine::{EngineBuilder, StartError},
    local_address::LocalAddresses,
    media::{MediaThreads, SendError, Unsent},
    meetings::MeetingReports,
    music::MusicPrograms,
    outgoing::Resolved,
    program::Programs,
    prompts::PromptLoader,
    recording::Recorder,
    records::CallRecords,
    resolver::{self, NameServers},
    security_log::SecurityLog,
    store::Store,
    tls::TlsSetupError,
    trace::{Traces, Way},
    transport::{BindError, Inbound, Transports},
};
use crate::{
    channel::{Cause, ChannelId, PromptReply},
    config::TransportProtocol,
    media::{self, ShardId, ShardLoad},
    program::ProgramNews,
    recording::RecordingNews,
    sip::{Flow, Transport},
    switch::{
        Command, CommandId, Completion, Originate, OriginateNews, Parties, Seeds, Switch,
        SwitchEvent, Verb,
    },
};

/// What the engine's and the calls' handles ask of the signalling thread.
#[derive(Debug)]
pub(crate) enum Request {
    /// Calls somebody.
    Place { call: Box<Resolved>, done: oneshot::Sender<Result<Call, String>> },
    /// Calls somebody for the dialplan; with `news` whoever asks follows the call to its end.
    Originate {
        originate: Box<Originate>,
        done: oneshot::Sender<Completion>,
        news: Option<mpsc::UnboundedSender<OriginateNews>>,
    },
    /// A verb on a call; without `done` nobody waits for its end.
    Call { call: ChannelId, verb: Verb, done: Option<oneshot::Sender<Completion>> },
    /// Looks at the switch, or does something to it, at once.
    Look(Look),
    /// Reads the certificates again.
    ReloadCertificates { done: oneshot::Sender<Vec<TlsSetupError>> },
    /// Refuses new calls, ends the running ones, and stops.
    Stop { done: oneshot::Sender<()> },
}

/// Binds and starts everything on a thread of its own; returns what SIP listens on.
pub(crate) async fn start(
    builder: EngineBuilder,
    requests: mpsc::Receiver<Request>,
    handles: Handles,
) -> Result<Vec<(Transport, SocketAddr)>, StartError> {
    let (started, result) = oneshot::channel();
    let run = move || {
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(StartError::Thread(error)))),
        };
        runtime.block_on(async {
            match Signalling::bind(builder, requests, handles) {
                Ok((signalling, addresses)) => {
                    if started.send(Ok(addresses)).is_ok() {
                        signalling.run().await;
                    }
                }
                Err(error) => drop(started.send(Err(error))),
            }
        });
    };
    let thread = thread::Builder::new().name("diesis-signalling".into());
    thread.spawn(run).map_err(StartError::Thread)?;
    let gone = |_| StartError::Thread(io::Error::other("the signalling thread ended"));
    result.await.map_err(gone)?
}

/// Everything that the signalling thread runs on.
struct Signalling {
    switch: Switch,
    transports: Transports,
    inbound: mpsc::Receiver<Inbound>,
    media: MediaThreads,
    /// Ends of streams and returned ports for which a shard had no room: they are sent again.
    unsent: VecDeque<(ShardId, media::Command)>,
    media_events: Arc<Notify>,
    prompts: PromptLoader,
    prompt_replies: mpsc::UnboundedReceiver<PromptReply>,
    requests: mpsc::Receiver<Request>,
    local_addresses: LocalAddresses,
    name_servers: NameServers,
    answers: mpsc::UnboundedReceiver<resolver::Resolved>,
    /// `Err` when nothing is kept, with the reason.
    store: Result<Store, String>,
    traces: Traces,
    /// What each shard had to do when it was asked last.
    loads: Vec<ShardLoad>,
    music: MusicPrograms,
    handles: Handles,
}

/// What is handed to embedders: their calls, and the stream of events.
pub(crate) struct Handles {
    requests: mpsc::WeakSender<Request>,
    recorder: Arc<Recorder>,
    recording_news: mpsc::UnboundedReceiver<RecordingNews>,
    programs: Programs,
    program_news: mpsc::UnboundedReceiver<ProgramNews>,
    incoming: mpsc::Sender<Call>,
    events: broadcast::Sender<Arc<SwitchEvent>>,
    /// Calls that are up, and who follows their state.
    calls: HashMap<ChannelId, Option<watch::Sender<CallState>>>,
    waiting: HashMap<CommandId, Waiting>,
    /// Who follows calls to their end.
    followers: HashMap<CommandId, mpsc::UnboundedSender<OriginateNews>>,
    next_command: u64,
    /// Lets the control socket know that the engine is there.
    _alive: watch::Sender<()>,
    records: Option<CallRecords>,
    reports: MeetingReports,
    security_log: Option<SecurityLog>,
}

/// Threads that carry sound elsewhere, and what they tell.
pub(crate) struct Helpers {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) recording_news: mpsc::UnboundedReceiver<RecordingNews>,
    pub(crate) programs: Programs,
    pub(crate) program_news: mpsc::UnboundedReceiver<ProgramNews>,
}

impl Helpers {
    pub(crate) fn start() -> io::Result<Self> {
        let (recorder, recording_news) = Recorder::start()?;
        let (programs, program_news) = Programs::start()?;
        Ok(Self { recorder: Arc::new(recorder), recording_news, programs, program_news })
    }
}

enum Waiting {
    Verb(oneshot::Sender<Completion>),
    Place(oneshot::Sender<Result<Call, String>>),
}

impl Signalling {
    fn bind(
        mut builder: EngineBuilder,
        requests: mpsc::Receiver<Request>,
        handles: Handles,
    ) -> Result<(Self, Vec<(Transport, SocketAddr)>), StartError> {
        let (mut transports, inbound) = Transports::new();
        let mut addresses: Vec<(Transport, SocketAddr)> = vec![];
        for settings in &mut builder.sip.transports {
            let transport = match settings.protocol {
                TransportProtocol::Udp => Transport::Udp,
                TransportProtocol::Tcp => Transport::Tcp,
                TransportProtocol::Tls => Transport::Tls,
            };
            // The port that the first was given for port 0 is the port of the others too.
            let is_tls = |transport| transport == Transport::Tls;
            let same = addresses.iter().find(|(other, bound)| {
                bound.ip() == settings.bind.ip() && is_tls(*other) == is_tls(transport)
            });
            if let (0, Some((_, bound))) = (settings.bind.port(), same) {
                settings.bind.set_port(bound.port());
            }
            let bound = transports.bind(transport, settings).map_err(|error| match error {
                BindError::Socket(source) => {
                    StartError::Bind { transport, address: settings.bind, source }
                }
                BindError::Tls(error) => StartError::Tls(error),
            })?;
            settings.bind = bound;
            addresses.push((transport, bound));
        }
        let media_events = Arc::new(Notify::new());
        let media_addresses = builder.media_addresses().len();
        let media = builder.start_media(Arc::clone(&media_events))?;
        let (prompts, prompt_replies) = PromptLoader::new(builder.library());
        let (name_servers, answers) = NameServers::new(&builder.name_servers);
        let mut switch = Switch::new(builder.switch_config(), &seeds()?, clock::now());
        let directory = builder.database_directory.as_deref();
        let retention = builder.records.map(|it| it.retention).unwrap_or_default();
        let store = match directory.map(|it| Store::start(it, retention, &mut switch)) {
            Some(Ok(store)) => Ok(store),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it has no directory for a database".to_owned()),
        };
        // The first call may come with the first packet: a port must be ready for it.
        let mut unready = usize::from(media.shards()) * media_addresses;
        let mut ready = HashSet::new();
        while unready > 0 {
            let Some(event) = media.next_event_timeout(PORTS_READY) else { break };
            if let media::Event::PortReady { port } = &event
                && ready.insert((port.shard, port.address.ip()))
            {
                unready -= 1;
            }
            switch.handle_media(event, clock::now());
        }
        let signalling = Self {
            switch,
            transports,
            inbound,
            media,
            unsent: VecDeque::new(),
            media_events,
            prompts,
            prompt_replies,
            requests,
            local_addresses: LocalAddresses::default(),
            name_servers,
            answers,
            store,
            traces: Traces::default(),
            loads: Vec::new(),
            music: MusicPrograms::default(),
            handles,
        };
        Ok((signalling, addresses))
    }

    /// Runs until asked to stop.
    async fn run(mut self) {
        let mut packets = Vec::with_capacity(BATCH);
        let stopped = loop {
            self.take_loads();
            // Whatever this thread was woken for: each turn finds its caches cold, so that what lies
            // there is worth taking along.
            self.take_media_events();
            self.take_time();
            self.carry_out();
            let deadline = self.deadline();
            tokio::select! {
                biased;
                () = self.media_events.notified() => {}
                _ = self.inbound.recv_many(&mut packets, BATCH) => {
                    // As they are now, not when the wait began.
                    self.take_loads();
                    for packet in packets.drain(..) {
                        self.take_packet(packet);
                    }
                }
                Some(reply) = self.prompt_replies.recv() => {
                    self.switch.handle_prompt(reply, clock::now());
                }
                Some(news) = self.handles.recording_news.recv() => {
                    self.switch.handle_recording(news, clock::now());
                }
                Some(news) = self.handles.program_news.recv() => {
                    self.switch.handle_program(news, clock::now());
                }
                Some(answer) = self.answers.recv() => self.take_answer(&answer),
                request = self.requests.recv() => match request {
                    Some(Request::Stop { done }) => break Some(done),
                    Some(request) => self.take_request(request),
                    // Every handle is gone: nobody could ever ask for anything again.
                    None => break None,
                },
                () = sleep_until(deadline) => {}
            }
        };
        self.hang_up_all().await;
        // Those whose dialplan still cleans up are recorded as they are.
        self.switch.close_records(clock::now());
        self.carry_out();
        self.music.stop().await;
        // Waits for the disk.
        self.handles.recorder.stop().await;
        self.handles.records = None;
        self.handles.reports = MeetingReports::default();
        self.handles.security_log = None;
        self.store = Err("the engine stops".to_owned());
        if let Some(done) = stopped {
            let _ = done.send(());
        }
    }

    /// Ends every call, takes every registration back, and gives what that needs a moment to pass.
    async fn hang_up_all(&mut self) {
        let deadline = TokioInstant::from_std(clock::now().instant) + GOODBYE;
        // Before their calls end: the stop is the reason that is reported.
        self.switch.end_meetings(clock::now());
        for call in self.handles.calls.keys().copied().collect::<Vec<_>>() {
            let verb = Verb::Hangup(Cause::NORMAL_CLEARING);
            self.take_request(Request::Call { call, verb, done: None });
        }
        self.switch.unregister_all(clock::now());
        self.switch.end_subscriptions(clock::now());
        self.carry_out();
        // A call is over for us when its BYE is sent; the far end needs that BYE to arrive.
        let repeated = TokioInstant::from_std(clock::now().instant) + ONE_REPETITION;
        loop {
            let deadline = match self.handles.calls.is_empty() {
                true if self.switch.registration_count() > 0 => deadline,
                true if self.switch.calls_closing() == 0 => return,
                true => repeated,
                false => deadline,
            };
            let timer = self.deadline();
            let next = async {
                tokio::select! {
                    () = self.media_events.notified() => None,
                    packet = self.inbound.recv() => packet,
                    () = sleep_until(timer) => None,
                }
            };
            match timeout_at(deadline, next).await {
                Ok(Some(packet)) => self.take_packet(packet),
                Ok(None) => {
                    self.switch.handle_timeout(clock::now());
                    self.take_media_events();
                }
                Err(_) => return,
            }
            self.carry_out();
        }
    }

    fn take_packet(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Packet { flow, bytes } => {
                self.traces.note(Way::In, &flow, &bytes, &self.switch);
                self.switch.handle_packet(flow, bytes, clock::now());
            }
            Inbound::Closed(id) => self.switch.handle_connection_closed(id, clock::now()),
            Inbound::Failed(flow) => self.switch.handle_transport_error(flow, clock::now()),
        }
        self.carry_out();
    }

    fn take_media_events(&mut self) {
        while let Some(event) = self.media.try_next_event() {
            self.switch.handle_media(event, clock::now());
            self.carry_out();
        }
    }

    /// Lets the switch act on what is due, be it that the stack's timers are late for it.
    fn take_time(&mut self) {
        let now = clock::now();
        if self.switch.poll_timeout().is_some_and(|due| due <= now.instant) {
            self.switch.handle_timeout(now);
        }
    }

    /// Tells the switch how much the shards have to do, where that changed.
    fn take_loads(&mut self) {
        for index in 0..self.media.shards() {
            let shard = ShardId(index);
            let Some(load) = self.media.load(shard) else { return };
            let known = usize::from(index);
            if self.loads.len() <= known {
                self.loads.push(ShardLoad::default());
            }
            if self.loads[known] != load {
                self.loads[known] = load;
                self.switch.handle_media_load(shard, load, clock::now());
            }
        }
    }

    fn take_answer(&mut self, resolved: &resolver::Resolved) {
        let resolver::Resolved { question, answer, time_to_live } = resolved;
        self.switch.handle_answer(question, answer.clone(), *time_to_live, clock::now());
    }

    fn take_request(&mut self, request: Request) {
        let id = CommandId::new(self.handles.next_command);
        self.handles.next_command += 1;
        let command = match request {
            Request::Place { call, done } => {
                self.handles.waiting.insert(id, Waiting::Place(done));
                let Resolved { mut call, place } = *call;
                if let Some((transport, peer)) = place {
                    call.flow = self.flow(transport, peer);
                }
                Command::PlaceCall { id, call: Box::new(call) }
            }
            Request::Originate { originate, done, news } => {
                self.handles.waiting.insert(id, Waiting::Verb(done));
                if let Some(news) = news {
                    self.handles.followers.insert(id, news);
                }
                Command::Originate { id, originate }
            }
            Request::Call { call, verb, done } => {
                if let Some(done) = done {
                    self.handles.waiting.insert(id, Waiting::Verb(done));
                }
                Command::Call { id, call, verb }
            }
            Request::Look(look) => {
                let Self { switch, transports, traces, store, media, .. } = self;
                let (store, now) = (store.as_ref().map_err(String::as_str), clock::now());
                return look.at(Inside { switch, transports, traces, store, media, now });
            }
            Request::ReloadCertificates { done } => {
                let _ = done.send(self.transports.reload_certificates());
                return;
            }
            Request::Stop { .. } => return,
        };
        self.switch.handle_command(command, clock::now());
    }

    /// From which of our addresses a peer is called; `None` when nothing of its family is bound.
    fn flow(&mut self, transport: Transport, peer: SocketAddr) -> Option<Flow> {
        let bound = self.transports.bound(transport, peer)?;
        let local = self.local_addresses.towards(bound, peer);
        Some(Flow { transport, local, peer, connection: None })
    }

    /// Drains every output of the switch, until what it is told meanwhile brings nothing more.
    fn carry_out(&mut self) {
        for _ in 0..self.unsent.len() {
            if let Some((shard, command)) = self.unsent.pop_front() {
                self.send_media(shard, command);
            }
        }
        // A cached prompt, for one, is a reply at once and another way in: what it causes would
        // else lie there until the next one.
        let mut quiet = false;
        while !quiet {
            quiet = true;
            while let Some((peer, name)) = self.switch.poll_tls_name() {
                self.transports.expect_name(peer, name);
            }
            while let Some(transmit) = self.switch.poll_transmit() {
                self.traces.note(Way::Out, &transmit.flow, &transmit.bytes, &self.switch);
                if let Err(flow) = self.transports.send(transmit) {
                    quiet = false;
                    self.switch.handle_transport_error(flow, clock::now());
                }
            }
            while let Some((shard, command)) = self.switch.poll_media() {
                quiet = false;
                self.send_media(shard, command);
            }
            while let Some(request) = self.switch.poll_recording() {
                if let Some(news) = self.handles.recorder.request(request) {
                    quiet = false;
                    self.switch.handle_recording(news, clock::now());
                }
            }
            while let Some(request) = self.switch.poll_program() {
                if let Some(news) = self.handles.programs.request(request) {
                    quiet = false;
                    self.switch.handle_program(news, clock::now());
                }
            }
            while let Some(music) = self.switch.poll_music() {
                self.music.look_at(music);
            }
            while let Some(question) = self.switch.poll_question() {
                self.name_servers.ask(question);
            }
            while let Some(request) = self.switch.poll_prompt() {
                if let Some(reply) = self.prompts.load(request) {
                    quiet = false;
                    self.switch.handle_prompt(reply, clock::now());
                }
            }
            while let Some(event) = self.switch.poll_event() {
                self.handles.publish(event, self.store.as_mut().ok());
            }
        }
        self.keep();
    }

    /// Hands on what is to be kept, as far as the store has room; the rest stays in the switch.
    fn keep(&mut self) {
        let Ok(store) = &self.store else { return };
        while store.has_room()
            && let Some(record) = self.switch.poll_record()
        {
            store.keep(record);
        }
    }

    /// A shard that is thousands of commands behind takes no more: the call that needs it ends. What
    /// ends a stream or gives a port back is kept until there is room.
    fn send_media(&mut self, shard: ShardId, command: media::Command) {
        let Err(Unsent { reason, command }) = self.media.send(shard, command) else { return };
        match (reason, *command) {
            (
                SendError::Full,
                command @ (media::Command::Close { .. } | media::Command::ReturnPort { .. }),
            ) => self.unsent.push_back((shard, command)),
            (SendError::Full, command) => {
                tracing::error!(shard = shard.0, "a media thread is overloaded; a call ends");
                self.switch.handle_lost_media(shard, command, clock::now());
            }
            // The thread said so itself, and its calls end by that.
            (SendError::Stopped, _) => tracing::debug!(shard = shard.0, "a media thread is gone"),
        }
    }

    /// When there is something to do without anything happening.
    fn deadline(&self) -> Option<TokioInstant> {
        let again = (!self.unsent.is_empty()).then(|| clock::now().instant + SEND_AGAIN);
        let is_full = self.store.as_ref().is_ok_and(|store| !store.has_room());
        let keep = is_full.then(|| clock::now().instant + KEEP_AGAIN);
        let timeouts = self.switch.poll_timeouts();
        let stack = timeouts.stack.map(|due| due + SLACK);
        let own = timeouts.own.into_iter().chain(stack);
        own.chain(again).chain(keep).min().map(TokioInstant::from_std)
    }
}

impl Handles {
    pub(crate) fn new(
        requests: mpsc::WeakSender<Request>,
        Helpers { recorder, recording_news, programs, program_news }: Helpers,
        incoming: mpsc::Sender<Call>,
        events: broadcast::Sender<Arc<SwitchEvent>>,
        alive: watch::Sender<()>,
        records: Option<CallRecords>,
        security_log: Option<SecurityLog>,
    ) -> Self {
        Self {
            requests,
            recorder,
            recording_news,
            programs,
            program_news,
            incoming,
            events,
            calls: HashMap::new(),
            waiting: HashMap::new(),
            followers: HashMap::new(),
            next_command: 0,
            _alive: alive,
            records,
            reports: MeetingReports::default(),
            security_log,
        }
    }

    fn publish(&mut self, event: SwitchEvent, store: Option<&mut Store>) {
        if let Some(log) = &mut self.security_log {
            log.handle_event(&event, clock::now());
        }
        if let SwitchEvent::CallRecorded { record } = &event {
            if let Some(records) = &mut self.records {
                records.write(record);
            }
            if let Some(store) = store {
                store.keep_call(record);
            }
        }
        if let SwitchEvent::VideoShareEnded { report, file: Some(file) } = &event {
            self.reports.write(report, file.as_ref());
        }
        match &event {
            SwitchEvent::CallStarted { call, .. } => {
                self.calls.entry(*call).or_default();
            }
            SwitchEvent::IncomingCall { call, parties } => {
                if let Some(call) = self.hold(*call, Some(parties.clone())) {
                    // Nobody takes calls, or too slowly: dropping the handle refuses the call.
                    let _ = self.incoming.try_send(call);
                }
            }
            SwitchEvent::CallRinging { call } => self.set(*call, CallState::Ringing),
            SwitchEvent::CallAnswered { call } => self.set(*call, CallState::Answered),
            SwitchEvent::CallEnded { call, cause, ended_by, statistics } => {
                let statistics = statistics.clone();
                let ended = Ended { cause: *cause, ended_by: *ended_by, statistics };
                self.set(*call, CallState::Ended(ended));
                self.calls.remove(call);
            }
            SwitchEvent::OriginateNews { command, news } => self.tell_follower(*command, news),
            SwitchEvent::CommandCompleted { command, completion } => {
                self.complete(*command, completion);
            }
            _ => {}
        }
        // No subscriber is no error.
        let _ = self.events.send(Arc::new(event));
    }

    fn set(&self, call: ChannelId, state: CallState) {
        if let Some(Some(sender)) = self.calls.get(&call) {
            sender.send_replace(state);
        }
    }

    fn tell_follower(&mut self, command: CommandId, news: &OriginateNews) {
        if let Some(follower) = self.followers.get(&command) {
            // Whoever is gone hears nothing; the call goes on.
            let _ = follower.send(news.clone());
        }
        if let OriginateNews::Ended(_) = news {
            self.followers.remove(&command);
        }
    }

    fn complete(&mut self, command: CommandId, completion: &Completion) {
        if let Completion::Failed(_) = completion {
            self.followers.remove(&command);
        }
        match self.waiting.remove(&command) {
            Some(Waiting::Verb(done)) => {
                let _ = done.send(completion.clone());
            }
            Some(Waiting::Place(done)) => {
                let result = match completion {
                    Completion::Placed(id) => {
                        self.hold(*id, None).ok_or_else(|| "the engine is stopping".to_owned())
                    }
                    Completion::Failed(reason) => Err(reason.clone()),
                    other => Err(format!("{other:?}")),
                };
                let _ = done.send(result);
            }
            None => {}
        }
    }

    fn hold(&mut self, id: ChannelId, parties: Option<Parties>) -> Option<Call> {
        let requests = self.requests.upgrade()?;
        let (sender, state) = watch::channel(CallState::Setup);
        self.calls.insert(id, Some(sender));
        Some(Call::new(id, parties, requests, state, Arc::clone(&self.recorder)))
    }
}

async fn sleep_until(deadline: Option<TokioInstant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// From the operating system: everything that must not be guessed grows from these.
fn seeds() -> Result<Seeds, StartError> {
    let mut bytes = [0; 40];
    getrandom::fill(&mut bytes)
        .map_err(|error| StartError::Thread(io::Error::other(error.to_string())))?;
    let (entropy, digest_key) = bytes.split_first_chunk::<8>().expect("40 bytes are 8 and 32");
    let digest_key = digest_key.try_into().expect("40 bytes are 8 and 32");
    Ok(Seeds { entropy: u64::from_le_bytes(*entropy), digest_key })
}

/// How late the timers of transactions may be, the shortest of which takes half a second: those of many
/// calls are then looked after together, mostly when a packet has woken this thread anyway.
const SLACK: Duration = Duration::from_millis(50);
/// A shard takes its commands once in each of its ticks of 5 ms.
const SEND_AGAIN: Duration = Duration::from_millis(5);
/// How often a store that is full is asked for room.
const KEEP_AGAIN: Duration = Duration::from_millis(100);
/// Long enough for a lost BYE to be sent once more (timer E, RFC 3261 §17.1.2.2).
const ONE_REPETITION: Duration = Duration::from_millis(600);
/// How long starting waits for the first media ports.
const PORTS_READY: Duration = Duration::from_secs(2);
/// How long stopping waits for the answers to its BYEs: one retransmission more than a LAN needs.
const GOODBYE: Duration = Duration::from_secs(2);
/// Packets taken in one turn, before media events are looked at again.
const BATCH: usize = 64;
