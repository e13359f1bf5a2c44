//! The run on real sockets and clocks: a step each millisecond, a caller's turn each twenty.
//!
//! Media sockets are never waited for: each is emptied when its caller's turn comes, so that whoever
//! sends to it pays for waking nobody.

use std::{
    io,
    net::IpAddr,
    ops::RangeInclusive,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use diesis_engine::entropy::Entropy;
use rustix::event::Timespec;

use super::{
    crowd::{Crowd, Doing},
    histogram::Histogram,
    process::{Clocks, Machine, Usage, keep_off, own_cpu},
    report::{LevelReport, Measured, Sample},
    schedule::{Level, Mark, Plan, Schedule},
    sockets::Sockets,
    speaker::MOST_PACKET,
    workload::Task,
};

/// Everything that a run needs.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) task: Task,
    pub(super) plan: Plan,
    pub(super) seats: usize,
    /// Where calls come from.
    pub(super) from: Vec<IpAddr>,
    pub(super) media_ports: RangeInclusive<u16>,
    /// The process under load.
    pub(super) pid: Option<u32>,
    pub(super) cores: usize,
}

/// What is told to and asked of a run while it lasts.
#[derive(Debug, Default)]
pub(super) struct Link {
    stop: AtomicU8,
    news: Mutex<String>,
}

impl Link {
    /// Asks for the end: the first time with goodbyes, then at once.
    pub(super) fn stop(&self) {
        self.stop.fetch_add(1, Ordering::Relaxed);
    }

    /// How far it is.
    pub(super) fn news(&self) -> String {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, news: String) {
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) = news;
    }
}

/// Runs to the end of the plan, or until it is stopped.
pub(super) fn run(setup: Setup, seed: u64, link: &Link) -> io::Result<Vec<LevelReport>> {
    if let Some(pid) = setup.pid {
        keep_off(pid);
    }
    let target = setup.task.target.address;
    let ports = setup.media_ports.clone();
    let (sockets, places) = Sockets::bind(&setup.from, target, setup.seats, ports)?;
    let crowd = Crowd::new(setup.task.clone(), &places, &mut Entropy::new(seed));
    let idle = setup.pid.map(Usage::of).transpose()?;
    let schedule = Schedule::new(setup.plan.clone(), setup.seats);
    let mut driver = Driver {
        sockets,
        crowd,
        schedule,
        late: Histogram::default(),
        window: None,
        measured: None,
        levels: vec![],
        idle,
        is_stopped: false,
        setup,
    };
    driver.run(link)?;
    Ok(driver.levels)
}

struct Driver {
    setup: Setup,
    sockets: Sockets,
    crowd: Crowd,
    schedule: Schedule,
    /// How late our own steps are.
    late: Histogram,
    /// The beginning of an open window.
    window: Option<(Instant, Sample, Clocks)>,
    measured: Option<Measured>,
    levels: Vec<LevelReport>,
    idle: Option<Usage>,
    is_stopped: bool,
}

impl Driver {
    fn run(&mut self, link: &Link) -> io::Result<()> {
        let start = Instant::now();
        for step in 1_u64.. {
            let due = start + STEP * u32::try_from(step).unwrap_or(u32::MAX);
            self.signal_until(due);
            let now = Instant::now();
            self.late.add(now - due);
            self.receive_signalling(now);
            if self.crowd.poll_timeout().is_some_and(|due| due <= now) {
                self.crowd.handle_timeout(now);
            }
            self.take_turns((step % TURN) as usize);
            match link.stop.load(Ordering::Relaxed) {
                0 => {}
                1 => self.stop(now),
                _ => return Ok(()),
            }
            if let Some(mark) = self.schedule.step(&mut self.crowd, now) {
                self.mark(mark, now)?;
                if mark == Mark::Over {
                    self.send_signalling();
                    return Ok(());
                }
            }
            self.send_signalling();
            if step.is_multiple_of(NEWS) {
                link.tell(self.news());
            }
        }
        Ok(())
    }

    /// Serves signalling until the time of the next step.
    fn signal_until(&mut self, due: Instant) {
        loop {
            let now = Instant::now();
            let Some(wait) = due.checked_duration_since(now).filter(|wait| !wait.is_zero()) else {
                return;
            };
            let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
            if self.sockets.wait(wait) {
                self.receive_signalling(Instant::now());
                self.send_signalling();
            }
        }
    }

    fn receive_signalling(&mut self, now: Instant) {
        let crowd = &mut self.crowd;
        self.sockets.receive_signalling(|flow, bytes| crowd.handle_packet(flow, bytes, now));
    }

    fn send_signalling(&mut self) {
        while let Some(transmit) = self.crowd.poll_transmit() {
            self.sockets.send_signalling(&transmit);
        }
    }

    /// The callers whose 20 ms have come.
    fn take_turns(&mut self, turn: usize) {
        let mut out = [0; MOST_PACKET];
        for seat in (turn..self.setup.seats).step_by(TURN as usize) {
            // What still comes for an earlier call is taken off before the next begins.
            if self.crowd.doing(seat) == Doing::Nothing {
                continue;
            }
            let crowd = &mut self.crowd;
            self.sockets.receive_media(seat, wall_clock, |datagram, arrival| {
                crowd.handle_media(seat, datagram, arrival);
            });
            if let Some((length, to)) = self.crowd.turn(seat, &mut out, Instant::now()) {
                let went = self.sockets.send_media(seat, &out[..length], to);
                self.crowd.count_sent(went);
            }
        }
    }

    fn stop(&mut self, now: Instant) {
        if self.is_stopped {
            return;
        }
        self.is_stopped = true;
        // What was measured so far is told, and that it is not all.
        if let Some((since, ..)) = self.window {
            self.crowd.close_window(now - since);
            let _unreadable = self.close_window(now, true);
        }
        self.end_level();
        self.schedule.stop(now);
    }

    fn mark(&mut self, mark: Mark, now: Instant) -> io::Result<()> {
        match mark {
            Mark::LevelBegins | Mark::Over => {}
            Mark::WindowOpens => {
                self.late = Histogram::default();
                self.window = Some((now, self.sample()?, Clocks::now()));
            }
            Mark::WindowCloses => self.close_window(now, false)?,
            Mark::LevelEnds => {
                self.end_level();
                if self.levels.last().is_some_and(LevelReport::is_beyond) {
                    self.schedule.stop(now);
                }
            }
        }
        Ok(())
    }

    fn close_window(&mut self, now: Instant, is_cut_short: bool) -> io::Result<()> {
        let Some((since, from, clocks)) = self.window.take() else { return Ok(()) };
        let level = self.schedule.level();
        self.measured = Some(Measured {
            held: match level {
                Level::Held(calls) | Level::Closed(calls) => Some(calls),
                Level::Flow(_) => None,
            },
            rate: match level {
                Level::Flow(rate) => Some(rate),
                Level::Held(_) | Level::Closed(_) => None,
            },
            window: now - since,
            pid: self.setup.pid,
            up: match level {
                Level::Held(_) => self.crowd.count(Doing::Talking),
                Level::Flow(_) | Level::Closed(_) => 0,
            },
            idle: self.idle,
            from,
            to: self.sample()?,
            late: self.late.percentiles(),
            clock_step: Clocks::now().step_since(&clocks),
            cores: self.setup.cores,
            blocked: 0,
            is_cut_short,
        });
        Ok(())
    }

    fn end_level(&mut self) {
        let Some(mut measured) = self.measured.take() else { return };
        measured.blocked = self.schedule.blocked;
        let tally = self.crowd.take_tally();
        self.levels.push(LevelReport::new(&measured, &tally));
    }

    fn sample(&self) -> io::Result<Sample> {
        Ok(Sample {
            // That it is gone is told with the figures.
            process: self.setup.pid.and_then(|pid| Usage::of(pid).ok()),
            machine: Machine::now()?,
            own: own_cpu(),
        })
    }

    fn news(&self) -> String {
        let tally = self.crowd.tally();
        let level = match self.schedule.level() {
            Level::Held(calls) => format!("{calls} calls"),
            Level::Closed(calls) => format!("{calls} at a time"),
            Level::Flow(rate) => format!("{rate} a second"),
        };
        format!(
            "{level}: {}, {} up, {} answered, {} failed",
            self.schedule.phase_name(),
            self.crowd.count(Doing::Talking),
            tally.answered,
            tally.failed(),
        )
    }
}

fn wall_clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

const STEP: Duration = Duration::from_millis(1);
/// Steps of 20 ms.
const TURN: u64 = 20;
/// Steps from one telling to the next.
const NEWS: u64 = 250;
