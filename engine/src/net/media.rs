//! The media threads: one shard on each core, its sockets, its clock and its two queues.
//!
//! A thread sleeps until its next tick (`clock_nanosleep` to an absolute time), and blocks on its
//! command queue while no stream is open. Commands go in by a bounded queue, events come out by
//! one that all shards share, and a waker tells whoever reads them.

mod ports;
mod realtime;
mod shared;
mod sockets;
mod thread;

use std::{
    collections::VecDeque,
    fmt,
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{JoinHandle, available_parallelism},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use self::{
    ports::PortPool,
    thread::{Message, ShardThread, Untold},
};
pub use self::{shared::SharedSocket, sockets::SocketTable};
use crate::{
    entropy::Entropy,
    media::{
        Command, Event, LoadState, OverloadBounds, ShardId, ShardLoad,
        load::LoadMeter,
        shard::{Shard, ShardSettings},
    },
};

/// How the media threads are set up.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    shards: usize,
    ports: RangeInclusive<u16>,
    bind: Vec<IpAddr>,
    realtime: Realtime,
    stock: usize,
    quarantine: Duration,
    dscp: u8,
    overload: OverloadBounds,
}

/// Whether media threads ask the system for precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Realtime {
    /// Pinned to a core each, `SCHED_FIFO` if permitted, else a better nice value if permitted;
    /// what was got is logged once.
    #[default]
    Auto,
    /// Ordinary threads.
    Off,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            shards: available_parallelism().map_or(1, usize::from),
            ports: 10_000..=20_000,
            bind: vec![Ipv4Addr::UNSPECIFIED.into()],
            realtime: Realtime::default(),
            stock: 64,
            quarantine: Duration::from_secs(3),
            dscp: 46,
            overload: OverloadBounds::default(),
        }
    }
}

impl MediaConfig {
    /// Number of media threads. Default: one for each core.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards.clamp(1, usize::from(u16::MAX));
        self
    }

    /// The range of ports, `rtpstart` to `rtpend`; RTP uses the even ones and RTCP the odd ones above
    /// them. Default 10000 to 20000.
    #[must_use]
    pub fn ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.ports = ports;
        self
    }

    /// Local addresses; a port is bound on one of them, not on all. Default `0.0.0.0`.
    #[must_use]
    pub fn bind(mut self, addresses: Vec<IpAddr>) -> Self {
        self.bind = addresses;
        self
    }

    /// Default [`Realtime::Auto`].
    #[must_use]
    pub fn realtime(mut self, realtime: Realtime) -> Self {
        self.realtime = realtime;
        self
    }

    /// Ports each shard keeps ready on each address. Default 64: that many calls may come at once.
    #[must_use]
    pub fn stock(mut self, ports: usize) -> Self {
        self.stock = ports.max(1);
        self
    }

    /// How long a port rests after a call, so that stragglers of that call reach nobody. Default
    /// 3 s.
    #[must_use]
    pub fn quarantine(mut self, quarantine: Duration) -> Self {
        self.quarantine = quarantine;
        self
    }

    /// The differentiated services code point of RTP packets. Default 46, expedited forwarding.
    #[must_use]
    pub fn dscp(mut self, dscp: u8) -> Self {
        self.dscp = dscp.min(63);
        self
    }

    /// When a media thread counts as overloaded.
    #[must_use]
    pub fn overload(mut self, bounds: OverloadBounds) -> Self {
        self.overload = bounds;
        self
    }
}

/// Why the media threads did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// The range holds fewer even ports than there are shards.
    #[error("port range {start} to {end} has no even port for each of {shards} media threads")]
    RangeTooSmall {
        /// First port of the range.
        start: u16,
        /// Last port of the range.
        end: u16,
        /// Number of media threads.
        shards: usize,
    },
    /// No address to bind ports on was given.
    #[error("no local address for media is configured")]
    NoAddress,
    /// Not one port of a shard's part of the range can be bound.
    #[error("no UDP port for media can be bound on {address} from {start} to {end}")]
    NoPort {
        /// The local address.
        address: IpAddr,
        /// First port of the range.
        start: u16,
        /// Last port of the range.
        end: u16,
        /// What the system said about the last one tried.
        source: std::io::Error,
    },
    /// The system did not start a thread.
    #[error("a media thread can not be started")]
    Thread(#[source] std::io::Error),
    /// The system gave no way to ask which sockets have something.
    #[error("the system gives no readiness set for RTCP")]
    Readiness(#[source] std::io::Error),
    /// The system gave no random seed.
    #[error("the system gives no random numbers")]
    Seed,
}

/// A command that was not taken, given back.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unsent {
    /// Why.
    pub reason: SendError,
    /// What.
    pub command: Box<Command>,
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The shard is behind by thousands of commands; the call should be refused or ended.
    #[error("the command queue of the media thread is full")]
    Full,
    /// The thread has stopped, or there is no such shard.
    #[error("the media thread has stopped")]
    Stopped,
}

/// What a shard did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardStatistics {
    /// Streams open now.
    pub streams: u64,
    /// How often the thread woke up: 50 to 800 times a second with streams, not at all without.
    pub turns: u64,
    /// Steps worked on after their time by 5 ms or more, to make up for a stall.
    pub late_ticks: u64,
    /// Ticks given up after a long stall.
    pub skipped_ticks: u64,
    /// From when ticks were due to when they began.
    pub lateness: Lateness,
    /// Streams ended because of a panic.
    pub panics: u64,
    /// Commands for streams that were gone.
    pub stray_commands: u64,
    /// Keys and other news of peers that nobody read for so long that no room was left.
    pub dropped_events: u64,
    /// Of the last half second.
    pub load: ShardLoad,
}

/// How late ticks began: how many by less than each of [`Lateness::BOUNDS`], and how many by more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lateness {
    /// One more than there are bounds.
    pub ticks: [u64; 9],
    /// The greatest.
    pub worst: Duration,
}

impl Lateness {
    /// Upper bounds in microseconds.
    pub const BOUNDS: [u64; 8] = [50, 100, 200, 500, 1000, 2000, 5000, 20_000];

    /// The bound below which `share` of the ticks began, 0.999 for 99.9 %; the worst beyond the
    /// last bound.
    pub fn quantile(&self, share: f64) -> Duration {
        let total: u64 = self.ticks.iter().sum();
        let wanted = (total as f64 * share.clamp(0.0, 1.0)).ceil() as u64;
        let mut counted = 0;
        for (&ticks, &bound) in self.ticks.iter().zip(&Self::BOUNDS) {
            counted += ticks;
            if counted >= wanted {
                return Duration::from_micros(bound).min(self.worst);
            }
        }
        self.worst
    }
}

#[derive(Debug, Default)]
struct LatenessGauge {
    ticks: [AtomicU64; 9],
    worst_us: AtomicU64,
}

impl LatenessGauge {
    fn record(&self, lateness: Duration) {
        let microseconds = u64::try_from(lateness.as_micros()).unwrap_or(u64::MAX);
        let index = Lateness::BOUNDS.partition_point(|&bound| bound <= microseconds);
        self.ticks[index].fetch_add(1, Ordering::Relaxed);
        self.worst_us.fetch_max(microseconds, Ordering::Relaxed);
    }

    fn read(&self) -> Lateness {
        Lateness {
            ticks: std::array::from_fn(|index| self.ticks[index].load(Ordering::Relaxed)),
            worst: Duration::from_micros(self.worst_us.load(Ordering::Relaxed)),
        }
    }
}

#[derive(Debug, Default)]
struct Gauges {
    streams: AtomicU64,
    turns: AtomicU64,
    late_ticks: AtomicU64,
    skipped_ticks: AtomicU64,
    lateness: LatenessGauge,
    panics: AtomicU64,
    stray_commands: AtomicU64,
    dropped_events: AtomicU64,
    load: AtomicU64,
    /// When the next tick is due, in microseconds since the epoch; [`NEVER`] without streams.
    due: AtomicU64,
}

/// Told after events were queued, from a media thread. Must not block.
type Waker = Arc<dyn Fn() + Send + Sync>;

/// The running media threads. Dropping it stops them and waits for them.
pub struct MediaThreads {
    shards: Vec<Handle>,
    events: Receiver<Event>,
    epoch: Instant,
}

struct Handle {
    queue: Sender<Message>,
    gauges: Arc<Gauges>,
    thread: Option<JoinHandle<()>>,
}

impl MediaThreads {
    /// Binds the first ports and starts the threads. `waker` is called from them when events were
    /// queued for [`try_next_event`](Self::try_next_event): at once for those that somebody waits
    /// for, within a twentieth of a second for those of a stream's opening and end.
    pub fn start(
        config: MediaConfig,
        waker: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, MediaError> {
        let MediaConfig { shards, ports, .. } = &config;
        let (start, end) = (*ports.start(), *ports.end());
        if config.bind.is_empty() {
            return Err(MediaError::NoAddress);
        }
        if ports::even_ports(ports).count() < *shards {
            return Err(MediaError::RangeTooSmall { start, end, shards: *shards });
        }
        realtime::raise_file_limit();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| MediaError::Seed)?;
        let mut entropy = Entropy::from_seed(seed);
        let waker: Waker = Arc::new(waker);
        let (event_sender, events) = bounded(EVENT_QUEUE);
        let (queues, receivers): (Vec<_>, Vec<_>) =
            (0..*shards).map(|_| bounded(COMMAND_QUEUE)).unzip();
        let (epoch, epoch_wall) = (thread::now(), thread::wall());
        let mut prepared = vec![];
        for (index, receiver) in receivers.into_iter().enumerate() {
            let id = ShardId(index as u16);
            let mut sockets = SocketTable::new(config.dscp).map_err(MediaError::Readiness)?;
            let mut pool = PortPool::new(&config, id, &mut entropy);
            let mut outbox = VecDeque::new();
            pool.fill_at_start(&mut sockets, &mut outbox)
                .map_err(|(address, source)| MediaError::NoPort { address, start, end, source })?;
            prepared.push(ShardThread {
                shard: Shard::new(ShardSettings {
                    epoch_wall,
                    ..ShardSettings::new(id, epoch, entropy.next_u64())
                }),
                id,
                sockets,
                pool,
                queue: receiver,
                peers: queues.clone(),
                undelivered: VecDeque::new(),
                events: event_sender.clone(),
                outbox,
                untold: Untold::default(),
                ports_untold: (config.stock / 4).max(1),
                waker: Arc::clone(&waker),
                gauges: Arc::default(),
                realtime: config.realtime,
                core: index,
                epoch,
                meter: LoadMeter::new(config.overload),
            });
        }
        let mut threads = Self { shards: vec![], events, epoch };
        for (worker, queue) in prepared.into_iter().zip(queues) {
            let gauges = Arc::clone(&worker.gauges);
            let thread = std::thread::Builder::new()
                .name(format!("media-{}", worker.id.0))
                .spawn(move || worker.run())
                .map_err(MediaError::Thread)?;
            threads.shards.push(Handle { queue, gauges, thread: Some(thread) });
        }
        Ok(threads)
    }

    /// How many shards there are; they are numbered from 0.
    pub fn shards(&self) -> u16 {
        self.shards.len() as u16
    }

    /// Queues a command. A `Move` announces the stream to its new shard first, so that commands
    /// sent there from now on wait for it.
    pub fn send(&self, shard: ShardId, command: Command) -> Result<(), Unsent> {
        let moved = match command {
            Command::Move { stream, to } if to != shard => Some((stream, to)),
            _ => None,
        };
        if let Some((stream, to)) = moved
            && let Err((reason, _)) = self.queue(to, Message::Expect(stream))
        {
            return Err(Unsent { reason, command: Box::new(command) });
        }
        let Err((reason, message)) = self.queue(shard, Message::Command(command)) else {
            return Ok(());
        };
        if let Some((stream, to)) = moved {
            // Should there be no room for this either, the shard goes on expecting a stream that
            // never comes: a number in a list.
            let _ = self.queue(to, Message::ExpectNoMore(stream));
        }
        match message {
            Message::Command(command) => Err(Unsent { reason, command: Box::new(command) }),
            _ => unreachable!("what was queued comes back"),
        }
    }

    fn queue(&self, shard: ShardId, message: Message) -> Result<(), (SendError, Message)> {
        let Some(handle) = self.shards.get(usize::from(shard.0)) else {
            return Err((SendError::Stopped, message));
        };
        handle.queue.try_send(message).map_err(|error| match error {
            TrySendError::Full(message) => (SendError::Full, message),
            TrySendError::Disconnected(message) => (SendError::Stopped, message),
        })
    }

    /// The next event of any shard, if one waits.
    pub fn try_next_event(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// The next event of any shard, waiting for it; `None` after `timeout`.
    pub fn next_event_timeout(&self, timeout: Duration) -> Option<Event> {
        self.events.recv_timeout(timeout).ok()
    }

    /// How a shard stands, by its own measure; one whose thread does not get to run at all is
    /// overloaded. `None` if there is no such shard.
    pub fn load(&self, shard: ShardId) -> Option<ShardLoad> {
        let gauges = &self.shards.get(usize::from(shard.0))?.gauges;
        let load = ShardLoad::unpack(gauges.load.load(Ordering::Relaxed));
        let due = gauges.due.load(Ordering::Relaxed);
        let now = thread::now().saturating_duration_since(self.epoch);
        let is_stuck = now > Duration::from_micros(due).saturating_add(STUCK);
        Some(match is_stuck {
            true => ShardLoad { late: 1000, state: LoadState::Overloaded, ..load },
            false => load,
        })
    }

    /// What a shard did so far; `None` if there is no such shard.
    pub fn statistics(&self, shard: ShardId) -> Option<ShardStatistics> {
        let gauges = &self.shards.get(usize::from(shard.0))?.gauges;
        let read = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        Some(ShardStatistics {
            streams: read(&gauges.streams),
            turns: read(&gauges.turns),
            late_ticks: read(&gauges.late_ticks),
            skipped_ticks: read(&gauges.skipped_ticks),
            lateness: gauges.lateness.read(),
            panics: read(&gauges.panics),
            stray_commands: read(&gauges.stray_commands),
            dropped_events: read(&gauges.dropped_events),
            load: self.load(shard)?,
        })
    }

    /// What each shard did so far, in order.
    pub fn all_statistics(&self) -> Vec<ShardStatistics> {
        (0..self.shards()).filter_map(|shard| self.statistics(ShardId(shard))).collect()
    }

    /// Stops the threads and waits for them; open streams end without further packets.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        for handle in &self.shards {
            // A queue can be full; its thread empties it within a tick.
            let _stopped_already = handle.queue.send(Message::Stop);
        }
        for handle in &mut self.shards {
            if let Some(thread) = handle.thread.take() {
                let _panicked = thread.join();
            }
        }
    }
}

impl Drop for MediaThreads {
    fn drop(&mut self) {
        self.join();
    }
}

impl fmt::Debug for MediaThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaThreads").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

/// Commands that may wait for a shard. It takes all of them each tick; a call needs about ten.
const COMMAND_QUEUE: usize = 8192;

/// Stands for no time at all.
const NEVER: u64 = u64::MAX;

/// A tick overdue by so much means that its thread does not run.
const STUCK: Duration = Duration::from_millis(500);

/// Events that may wait for their reader; beyond that they wait in their shard, see `thread`.
const EVENT_QUEUE: usize = 65_536;

#[cfg(test)]
mod tests;
