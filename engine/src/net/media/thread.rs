//! The loop of one media thread.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use rustix::{
    thread::clock_nanosleep_absolute,
    time::{ClockId, Timespec, clock_gettime},
};

use super::{Gauges, NEVER, PortPool, Realtime, SocketTable, Waker, realtime, sockets::SocketPair};
use crate::media::{
    Command, Event, ShardId, StreamId,
    load::LoadMeter,
    shard::{Departure, Shard},
    stream::Stream,
};

/// What comes in by a shard's queue.
pub(super) enum Message {
    Command(Command),
    /// A stream will come from another shard.
    Expect(StreamId),
    /// Here it is.
    Adopt {
        stream: Box<Stream>,
        sockets: SocketPair,
    },
    /// It will not come.
    ExpectNoMore(StreamId),
    Stop,
}

/// Everything one media thread owns.
pub(super) struct ShardThread {
    pub(super) shard: Shard,
    pub(super) id: ShardId,
    pub(super) sockets: SocketTable,
    pub(super) pool: PortPool,
    pub(super) queue: Receiver<Message>,
    /// The queues of all shards, by number.
    pub(super) peers: Vec<Sender<Message>>,
    /// Messages for shards whose queue was full.
    pub(super) undelivered: VecDeque<(ShardId, Message)>,
    pub(super) events: Sender<Event>,
    /// Events for which the queue had no room yet.
    pub(super) outbox: VecDeque<Event>,
    /// Events in the queue of which nobody has been told.
    pub(super) untold: Untold,
    /// So many ports are announced at the latest together: a quarter of the stock.
    pub(super) ports_untold: usize,
    pub(super) waker: Waker,
    pub(super) gauges: Arc<Gauges>,
    pub(super) realtime: Realtime,
    pub(super) core: usize,
    pub(super) epoch: Instant,
    pub(super) meter: LoadMeter,
}

/// Events that can wait: who reads them is woken for something else soon, and finds them, or for all
/// of them at once. To be woken costs more than what most of them lead to.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// Since when.
    since: Option<Instant>,
    /// Ports among them.
    ports: usize,
}

impl Untold {
    fn add(&mut self, event: &Event, now: Instant) {
        self.since.get_or_insert(now);
        self.ports += usize::from(matches!(event, Event::PortReady { .. }));
    }

    /// When they have waited long enough.
    fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Go,
    Stop,
}

impl ShardThread {
    pub(super) fn run(mut self) {
        realtime::apply(self.realtime, self.core);
        let clock = SleepClock::new();
        let mut flow = Flow::Go;
        while flow == Flow::Go {
            self.gauges.turns.fetch_add(1, Ordering::Relaxed);
            flow = self.take_messages();
            let began = now();
            let due = self.shard.poll_timeout();
            if let Some(due) = due {
                if !self.shard.is_empty() {
                    self.gauges.lateness.record(began.saturating_duration_since(due));
                }
                self.tick(began);
            }
            self.settle(began);
            self.weigh(due, began);
            if flow == Flow::Go {
                flow = self.rest(&clock);
            }
        }
        let id = self.id;
        tracing::debug!(shard = id.0, sockets = self.sockets.len(), "media thread ends");
        self.outbox.push_back(Event::ShardStopped { shard: id });
        self.deliver_events(now());
    }

    /// One tick. A panic ends the stream at fault and no other.
    fn tick(&mut self, now: Instant) {
        let Self { shard, sockets, .. } = self;
        if catch_unwind(AssertUnwindSafe(|| shard.tick(now, sockets))).is_err() {
            tracing::error!(shard = self.id.0, "a stream was ended because of a panic");
            self.shard.handle_panic(now);
        }
    }

    /// After a tick or a message: streams that leave, ports, events, figures.
    fn settle(&mut self, now: Instant) {
        while let Some(departure) = self.shard.poll_departure() {
            self.send_off(departure);
        }
        self.deliver_undelivered();
        while let Some(address) = self.sockets.poll_released() {
            self.pool.handle_released(address, now);
        }
        while let Some(event) = self.shard.poll_event() {
            // Nobody has read for long. What peers cause is dropped, what commands cause is kept:
            // it is bounded by them.
            if self.outbox.len() < OUTBOX || !event.is_caused_by_peer() {
                self.outbox.push_back(event);
            } else {
                self.gauges.dropped_events.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.pool.fill(&mut self.sockets, &mut self.outbox, now);
        self.deliver_events(now);
        let counters = self.shard.counters();
        for (gauge, value) in [
            (&self.gauges.streams, self.shard.len() as u64),
            (&self.gauges.late_ticks, counters.late_ticks),
            (&self.gauges.skipped_ticks, counters.skipped_ticks),
            (&self.gauges.panics, counters.panics),
            (&self.gauges.stray_commands, counters.stray_commands),
        ] {
            gauge.store(value, Ordering::Relaxed);
        }
    }

    /// Measures the turn, and publishes what new calls are admitted by.
    fn weigh(&mut self, due: Option<Instant>, began: Instant) {
        let has_news = match due {
            Some(due) if !self.shard.is_empty() => self.meter.handle_tick(due, began, now()),
            _ => self.meter.handle_idle(),
        };
        if has_news {
            self.gauges.load.store(self.meter.load().pack(), Ordering::Relaxed);
        }
        let next = self.shard.poll_timeout().map(|next| next.saturating_duration_since(self.epoch));
        let next = next.map_or(NEVER, |next| u64::try_from(next.as_micros()).unwrap_or(NEVER));
        self.gauges.due.store(next, Ordering::Relaxed);
    }

    /// Sleeps until the next tick, or with nothing to send until a message comes.
    fn rest(&mut self, clock: &SleepClock) -> Flow {
        let has_chores =
            !self.undelivered.is_empty() || !self.outbox.is_empty() || self.pool.is_filling(now());
        let soon = has_chores.then(|| now() + BUSY_REST);
        if let Some(wake) = self.shard.poll_timeout().into_iter().chain(soon).min() {
            clock.sleep_until(wake);
            return Flow::Go;
        }
        let due = self.pool.poll_timeout().into_iter().chain(self.untold.due()).min();
        let message = match due {
            Some(deadline) => self.queue.recv_deadline(deadline),
            None => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(message) => self.handle_message(message, now()),
            Err(RecvTimeoutError::Timeout) => Flow::Go,
            Err(RecvTimeoutError::Disconnected) => Flow::Stop,
        }
    }

    fn take_messages(&mut self) -> Flow {
        for _ in 0..MESSAGES_A_TICK {
            let Ok(message) = self.queue.try_recv() else { break };
            if self.handle_message(message, now()) == Flow::Stop {
                return Flow::Stop;
            }
        }
        Flow::Go
    }

    fn handle_message(&mut self, message: Message, now: Instant) -> Flow {
        match message {
            Message::Command(command) => self.handle_command(command, now),
            Message::Expect(stream) => self.shard.expect(stream),
            Message::Adopt { stream, sockets } => {
                let socket = self.sockets.insert(sockets);
                self.shard.adopt(stream, socket, now);
            }
            Message::ExpectNoMore(stream) => self.shard.expect_no_more(stream, now),
            Message::Stop => return Flow::Stop,
        }
        Flow::Go
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        if let Command::Open { port, .. } | Command::ReturnPort { port } = &command
            && port.shard == self.id
        {
            self.pool.handle_used(port.address);
        }
        let shard = &mut self.shard;
        if catch_unwind(AssertUnwindSafe(|| shard.handle_command(command, now))).is_err() {
            tracing::error!(shard = self.id.0, "a media command ended in a panic");
            self.shard.handle_panic(now);
        }
    }

    fn send_off(&mut self, departure: Departure) {
        let (to, message) = match departure {
            Departure::Stream { stream, socket, to } => {
                let Some(sockets) = self.sockets.take(socket) else { return };
                (to, Message::Adopt { stream, sockets })
            }
            Departure::Unknown { stream, to } => (to, Message::ExpectNoMore(stream)),
        };
        self.undelivered.push_back((to, message));
    }

    fn deliver_undelivered(&mut self) {
        while let Some((to, message)) = self.undelivered.pop_front() {
            let Some(peer) = self.peers.get(usize::from(to.0)) else { continue };
            match peer.try_send(message) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                Err(TrySendError::Full(message)) => {
                    self.undelivered.push_front((to, message));
                    return;
                }
            }
        }
    }

    fn deliver_events(&mut self, now: Instant) {
        if self.events.is_empty() {
            // They were found.
            self.untold = Untold::default();
        }
        let mut is_urgent = false;
        while let Some(event) = self.outbox.pop_front() {
            let is_patient = event.is_patient();
            if is_patient {
                self.untold.add(&event, now);
            }
            match self.events.try_send(event) {
                Ok(()) => is_urgent |= !is_patient,
                Err(TrySendError::Full(event)) => {
                    self.outbox.push_front(event);
                    is_urgent = true;
                    break;
                }
                Err(TrySendError::Disconnected(_)) => {
                    self.outbox.clear();
                    return;
                }
            }
        }
        let is_due = self.untold.due().is_some_and(|due| due <= now);
        if is_urgent || is_due || self.untold.ports >= self.ports_untold {
            self.untold = Untold::default();
            (self.waker)();
        }
    }
}

/// `Instant` as the system call wants it: both read the monotonic clock.
struct SleepClock {
    instant: Instant,
    monotonic: Timespec,
}

impl SleepClock {
    fn new() -> Self {
        Self { instant: now(), monotonic: clock_gettime(ClockId::Monotonic) }
    }

    fn sleep_until(&self, deadline: Instant) {
        let since = deadline.saturating_duration_since(self.instant);
        let nanoseconds = self.monotonic.tv_nsec + i64::from(since.subsec_nanos());
        let request = Timespec {
            tv_sec: self.monotonic.tv_sec
                + i64::try_from(since.as_secs()).unwrap_or(i64::MAX / 2)
                + nanoseconds / NANOSECONDS,
            tv_nsec: nanoseconds % NANOSECONDS,
        };
        // Interrupted by a signal: the tick finds that it is early and does nothing.
        let _interrupted = clock_nanosleep_absolute(ClockId::Monotonic, &request);
    }
}

/// The clock of the media threads.
#[allow(clippy::disallowed_methods, reason = "this room reads the clock for the pure ones")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The time since 1970.
#[allow(clippy::disallowed_methods, reason = "this room reads the clock for the pure ones")]
pub(super) fn wall() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

const NANOSECONDS: i64 = 1_000_000_000;

/// The longest rest of a thread that has ports to bind or events to deliver.
const BUSY_REST: Duration = Duration::from_millis(5);

/// How long what can wait does: a call's record is complete so much later.
const PATIENCE: Duration = Duration::from_millis(50);

/// Events that wait here when their queue is full, before peers can add no more.
const OUTBOX: usize = 4096;

/// Messages taken in one tick; more wait 5 ms, so that a flood of calls delays no packet much.
const MESSAGES_A_TICK: usize = 1024;
