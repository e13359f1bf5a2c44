//! What an embedder holds: the engine, how to build one, and its stream of events.

use std::{
    io, mem,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    sync::Arc,
    thread,
};

use bstr::BString;
use diesis_dialplan::{operation::OriginateStatus, plan::Plan};
use diesis_sounds::prompts::Library;
use jiff::tz::TimeZone;
use tokio::sync::{Mutex, Notify, broadcast, mpsc, oneshot, watch};

use super::{
    call::Call,
    clock,
    control::{self, SocketFile, Wires},
    log_control::LogControl,
    media::{MediaConfig, MediaError, MediaThreads},
    outgoing::OutgoingCall,
    records::CallRecords,
    reload::{self, InForce, ReloadError, Reloaded, Reloader},
    security_log::SecurityLog,
    signalling::{self, Request},
    spool,
    tls::TlsSetupError,
};
use crate::{
    cdr::CdrSettings,
    config::{
        ConferenceSettings, Configuration, FeatureSettings, IpNetwork, MachineDetection,
        MusicSettings, ProgramSettings, RtpSettings, SipSettings,
    },
    recording::RecordingSettings,
    sip::Transport,
    switch::{Completion, IncomingCalls, Originate, StepTrace, SwitchConfig, SwitchEvent},
};

/// A running engine. Clones of its calls keep it running; [`Engine::stop`] ends it in good order.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use diesis_engine::Engine;
///
/// let engine = Engine::builder().listen("127.0.0.1:5060".parse()?).start().await?;
/// while let Some(call) = engine.next_call().await {
///     call.answer().await?;
///     call.play("hello-world").await?;
///     call.hangup().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Engine {
    requests: mpsc::Sender<Request>,
    incoming: Mutex<mpsc::Receiver<Call>>,
    events: broadcast::Sender<Arc<SwitchEvent>>,
    addresses: Vec<(Transport, SocketAddr)>,
    wires: Wires,
    /// The control socket, for as long as the engine runs.
    _socket: Option<SocketFile>,
}

impl Engine {
    /// Starts from an engine that listens on no address but 0.0.0.0:5060 and lets nobody in.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// The next call that the dialplan leaves to the program; `None` once the engine has stopped.
    pub async fn next_call(&self) -> Option<Call> {
        self.incoming.lock().await.recv().await
    }

    /// Calls somebody; returns as soon as the call is on its way.
    ///
    /// # Errors
    /// When the address makes no sense or the engine has stopped. That nobody picks up is told by
    /// [`Call::answered`].
    pub async fn call(&self, call: OutgoingCall) -> Result<Call, PlaceError> {
        let call = Box::new(call.resolve()?);
        let (done, placed) = oneshot::channel();
        let request = Request::Place { call, done };
        self.requests.send(request).await.map_err(|_| PlaceError::EngineStopped)?;
        placed.await.map_err(|_| PlaceError::EngineStopped)?.map_err(PlaceError::Refused)
    }

    /// Calls a phone or an extension of the configuration, and hands whoever answers to the dialplan.
    /// Returns when somebody answered, or nobody will.
    ///
    /// # Errors
    /// When the engine takes no new calls, or has stopped.
    pub async fn originate(&self, originate: Originate) -> Result<OriginateStatus, PlaceError> {
        let (done, answered) = oneshot::channel();
        let request = Request::Originate { originate: Box::new(originate), done, news: None };
        self.requests.send(request).await.map_err(|_| PlaceError::EngineStopped)?;
        match answered.await.map_err(|_| PlaceError::EngineStopped)? {
            Completion::Originated(status) => Ok(status),
            Completion::Failed(reason) => Err(PlaceError::Refused(reason)),
            other => Err(PlaceError::Refused(format!("{other:?}"))),
        }
    }

    /// Everything that happens from now on.
    pub fn events(&self) -> Events {
        Events { receiver: self.events.subscribe() }
    }

    /// Where SIP is listened for, with the ports that were chosen for port 0.
    pub fn sip_addresses(&self) -> &[(Transport, SocketAddr)] {
        &self.addresses
    }

    /// Waits until an operator orders a stop over the control socket. [`Engine::stop`] is still to
    /// be called then.
    pub async fn stop_wanted(&self) {
        self.wires.stop_wanted.notified().await;
    }

    /// Reads the directory of [`EngineBuilder::directory`] again and puts it in force, certificates
    /// included. Calls and registrations go on. A directory with errors changes nothing.
    ///
    /// # Errors
    /// When there is no such directory, or it is refused.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.wires.reloader.reload(&self.wires).await
    }

    /// Reads the certificates of all TLS transports again. New connections get the new ones, those
    /// that stand go on. Where the new are of no use the old stay in force, and the reason is
    /// returned.
    pub async fn reload_certificates(&self) -> Vec<TlsSetupError> {
        let (done, reloaded) = oneshot::channel();
        if self.requests.send(Request::ReloadCertificates { done }).await.is_err() {
            return Vec::new();
        }
        reloaded.await.unwrap_or_default()
    }

    /// Hangs up every call and stops. Bounded: a peer that does not answer is not waited for long.
    pub async fn stop(self) {
        let (done, stopped) = oneshot::channel();
        if self.requests.send(Request::Stop { done }).await.is_ok() {
            let _ = stopped.await;
        }
    }
}

/// Events of an engine, for a monitor, a log or a test.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Arc<SwitchEvent>>,
}

impl Events {
    /// The next event; `None` once the engine has stopped. A reader that lags more than
    /// 8,192 events behind loses the oldest.
    pub async fn next(&mut self) -> Option<Arc<SwitchEvent>> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "a reader of events is too slow");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// What an engine will be. Every setting has a default that lets nobody in by mistake.
#[derive(Debug)]
#[must_use]
pub struct EngineBuilder {
    pub(super) sip: SipSettings,
    pub(super) conferences: ConferenceSettings,
    pub(super) features: FeatureSettings,
    pub(super) music: MusicSettings,
    pub(super) machines: MachineDetection,
    pub(super) programs: ProgramSettings,
    pub(super) plan: Arc<Plan>,
    pub(super) rtp_ports: RangeInclusive<u16>,
    pub(super) prompt_directories: Vec<PathBuf>,
    pub(super) language: BString,
    pub(super) shards: usize,
    pub(super) incoming: IncomingCalls,
    pub(super) trace_steps: StepTrace,
    pub(super) accept_from: Vec<IpNetwork>,
    pub(super) name_servers: Vec<SocketAddr>,
    pub(super) directory: Option<PathBuf>,
    pub(super) control_socket: Option<PathBuf>,
    pub(super) records: Option<CdrSettings>,
    pub(super) log_directory: Option<PathBuf>,
    pub(super) database_directory: Option<PathBuf>,
    pub(super) call_files: Option<PathBuf>,
    pub(super) recordings: RecordingSettings,
    pub(super) log: Option<Arc<dyn LogControl>>,
    /// What the directory said, before anything else was set.
    pub(super) loaded: Option<Box<Configuration>>,
}

impl Default for EngineBuilder {
    fn default() -> Self {
        Self {
            sip: SipSettings::default(),
            conferences: ConferenceSettings::default(),
            features: FeatureSettings::default(),
            music: MusicSettings::default(),
            machines: MachineDetection::default(),
            programs: ProgramSettings::default(),
            plan: Arc::default(),
            rtp_ports: RtpSettings::default().ports,
            prompt_directories: vec![],
            language: "en".into(),
            shards: thread::available_parallelism().map_or(1, Into::into),
            incoming: IncomingCalls::Embedder,
            trace_steps: StepTrace::Off,
            accept_from: vec![],
            name_servers: vec![],
            directory: None,
            control_socket: None,
            records: Some(CdrSettings::default()),
            log_directory: None,
            database_directory: None,
            call_files: None,
            recordings: RecordingSettings::default(),
            log: None,
            loaded: None,
        }
    }
}

impl EngineBuilder {
    /// Takes everything that an operator's directory says. Its dialplan takes all calls; what it
    /// does not know is refused with 404.
    pub fn configuration(mut self, configuration: Configuration) -> Self {
        self.loaded = Some(Box::new(configuration.clone()));
        self.plan = configuration.plan;
        self.incoming = IncomingCalls::Dialplan;
        self.sip = configuration.sip;
        self.conferences = configuration.conferences;
        self.features = configuration.features;
        self.music = configuration.music;
        self.machines = configuration.machines;
        self.programs = configuration.programs;
        self.rtp_ports = configuration.rtp.ports;
        self.control_socket = configuration.system.control_socket();
        self.call_files = configuration.system.call_files();
        self.recordings = configuration.system.recordings();
        self.log_directory = configuration.system.log_directory.clone();
        self.database_directory = configuration.system.database_directory.clone();
        self.records = configuration.records;
        self.language = configuration.system.default_language;
        self.prompt_directories.extend(configuration.system.sounds);
        self
    }

    /// The directory that the configuration came from, which a reload reads again.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Where the security log `messages` is written: who failed to log in, in Asterisk's words.
    /// Default: nowhere.
    pub fn log_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.log_directory = Some(directory.into());
        self
    }

    /// Where `diesis.redb` is, which holds what outlives the engine: registrations, the dialplan's
    /// database, call records. Default: nothing is kept.
    pub fn database_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.database_directory = Some(directory.into());
        self
    }

    /// A Unix socket for `diesis show` and its kin, for the owner and the group. One that can not
    /// be had is told in the log and left out. Default: none.
    pub fn control_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.control_socket = Some(path.into());
        self
    }

    /// Makes the calls of the files that are put into this directory, as Asterisk does for
    /// `/var/spool/asterisk/outgoing`; beside it are `..._done` and `..._failed`. Whoever may write
    /// there may call anybody. Default: none.
    pub fn call_files(mut self, directory: impl Into<PathBuf>) -> Self {
        self.call_files = Some(directory.into());
        self
    }

    /// Where the dialplan may record. Default: nowhere.
    pub fn recordings(mut self, recordings: RecordingSettings) -> Self {
        self.recordings = recordings;
        self
    }

    /// Lets operators change the program's log over the control socket. Default: they can not.
    pub fn log_control(mut self, log: Arc<dyn LogControl>) -> Self {
        self.log = Some(log);
        self
    }

    /// Listens on this address alone, over UDP and TCP. Port 0: a free one. Default 0.0.0.0:5060.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        for transport in &mut self.sip.transports {
            transport.bind = address;
        }
        self
    }

    /// Lets calls from these addresses in without a password. Default: nobody.
    pub fn accept_calls_from(mut self, network: IpNetwork) -> Self {
        self.accept_from.push(network);
        self
    }

    /// Asks this name server; called again, another too. Default: those of the system.
    pub fn name_server(mut self, address: SocketAddr) -> Self {
        self.name_servers.push(address);
        self
    }

    /// The range of media ports. Default 10000-20000, as Asterisk's own rtp.conf has it.
    pub fn rtp_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.rtp_ports = ports;
        self
    }

    /// A directory of prompts, `DIRECTORY/en/welcome.wav`, searched before the embedded ones.
    pub fn prompt_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.prompt_directories.push(directory.into());
        self
    }

    /// How many media threads. Default: one for each core.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards.max(1);
        self
    }

    /// Tells every step of the dialplan as an event.
    pub fn trace_steps(mut self) -> Self {
        self.trace_steps = StepTrace::On;
        self
    }

    /// Binds the sockets, starts the threads.
    ///
    /// # Errors
    /// When an address or every media port is taken, in words that name the way out.
    pub async fn start(mut self) -> Result<Engine, StartError> {
        let (events, _) = broadcast::channel(EVENT_QUEUE);
        let (requests, received) = mpsc::channel(REQUEST_QUEUE);
        let (incoming, calls) = mpsc::channel(INCOMING_QUEUE);
        let helpers = signalling::Helpers::start().map_err(StartError::Thread)?;
        let csv = self.records.and_then(|records| records.csv);
        let records = csv.zip(self.log_directory.as_deref());
        let records = records.map(|(settings, to)| CallRecords::start(settings, to)).transpose();
        let records = records.map_err(StartError::Thread)?;
        let security_log = self.log_directory.as_deref().map(SecurityLog::start).transpose();
        let security_log = security_log.map_err(StartError::Thread)?;
        let (alive, is_alive) = watch::channel(());
        let weak = requests.downgrade();
        let handles = signalling::Handles::new(
            weak.clone(),
            helpers,
            incoming,
            events.clone(),
            alive,
            records,
            security_log,
        );
        let socket = self.control_socket.clone();
        let call_files = self.call_files.clone();
        let source = self.directory.take().zip(self.loaded.take());
        let accept_from = self.accept_from.clone();
        let log = self.log.take();
        let library = self.library();
        let mut running = self.sip.transports.clone();
        let addresses = signalling::start(self, received, handles).await?;
        for (transport, (_, address)) in running.iter_mut().zip(&addresses) {
            transport.bind = *address;
        }
        let source = source.map(|(directory, it)| (directory, InForce::new(*it, running)));
        let wires = Wires {
            requests: weak,
            stop_wanted: Arc::default(),
            started: clock::now(),
            reloader: Arc::new(Reloader::new(source, accept_from)),
            library,
            log,
        };
        if let Some(directory) = call_files
            && let Err(error) = spool::start(&directory, wires.clone(), is_alive.clone())
        {
            tracing::warn!(directory = %directory.display(), %error, "call files are not looked for");
        }
        let socket = socket.and_then(|path| match control::start(path, wires.clone(), is_alive) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, "no control socket: `diesis show` and its kin can not reach this engine");
                None
            }
        });
        let incoming = Mutex::new(calls);
        Ok(Engine { requests, incoming, events, addresses, wires, _socket: socket })
    }

    pub(super) fn start_media(&self, events: Arc<Notify>) -> Result<MediaThreads, StartError> {
        let config = MediaConfig::default()
            .shards(self.shards)
            .ports(self.rtp_ports.clone())
            .bind(self.media_addresses());
        Ok(MediaThreads::start(config, move || events.notify_one())?)
    }

    pub(super) fn switch_config(&mut self) -> SwitchConfig {
        reload::accept(&mut self.sip, &self.accept_from);
        SwitchConfig {
            routes: reload::routes(&self.sip),
            sip: Arc::new(mem::take(&mut self.sip)),
            conferences: Arc::new(mem::take(&mut self.conferences)),
            features: Arc::new(mem::take(&mut self.features)),
            music: Arc::new(mem::take(&mut self.music)),
            machines: mem::take(&mut self.machines),
            programs: Arc::new(mem::take(&mut self.programs)),
            plan: Arc::clone(&self.plan),
            default_language: self.language.clone(),
            time_zone: TimeZone::system(),
            incoming: self.incoming,
            trace_steps: self.trace_steps,
            records: self.records,
            recordings: mem::take(&mut self.recordings),
            shards: u16::try_from(self.shards).unwrap_or(u16::MAX),
            ..SwitchConfig::default()
        }
    }

    pub(super) fn library(&self) -> Library {
        let directories = self.prompt_directories.iter();
        directories.fold(Library::new(), |library, directory| library.root(directory))
    }

    /// Where media is received: on every address that SIP listens on.
    pub(super) fn media_addresses(&self) -> Vec<IpAddr> {
        let mut addresses = vec![];
        for transport in &self.sip.transports {
            if !addresses.contains(&transport.bind.ip()) {
                addresses.push(transport.bind.ip());
            }
        }
        addresses
    }
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address to listen on is not to be had.
    #[error("SIP over {transport} can not listen on {address}: {reason}", transport = transport.as_str(), reason = explain(source))]
    Bind {
        /// Over what.
        transport: Transport,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificates of a TLS transport are of no use.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The media threads did not start.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A thread could not be made, or there is no source of random numbers.
    #[error("the system refuses what the engine needs")]
    Thread(#[source] io::Error),
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program uses that port".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need the right to bind them".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Why a call could not be placed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The target is not a SIP address.
    #[error("{0:?} is not a SIP address such as sip:100@192.0.2.7")]
    Address(String),
    /// The engine refuses.
    #[error("{0}")]
    Refused(String),
    /// The engine is no longer running.
    #[error("the engine has stopped")]
    EngineStopped,
}

/// Events kept for a slow reader.
const EVENT_QUEUE: usize = 8192;
/// Requests that wait for the signalling thread; a handle's verb waits for room.
const REQUEST_QUEUE: usize = 1024;
/// Calls that nobody has taken yet; more are refused.
const INCOMING_QUEUE: usize = 256;
