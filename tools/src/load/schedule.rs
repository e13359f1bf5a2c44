//! When who calls, when is measured, when all leave: the course of a run, without a clock.

use std::time::{Duration, Instant};

use super::crowd::{Crowd, Doing};
use super::workload::Workload;

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// One after the other; at least one.
    pub(super) levels: Vec<Level>,
    /// Calls a second while held ones are set up.
    pub(super) set_up_rate: f64,
    /// From the last set-up to the window, or of a flow before the window.
    pub(super) settle: Duration,
    pub(super) window: Duration,
    /// Of a flow after the window, at most.
    pub(super) drain: Duration,
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Level {
    /// So many calls at one time.
    Held(usize),
    /// So many a second.
    Flow(f64),
    /// So many registrations on their way at all times.
    Closed(usize),
}

/// What was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    LevelBegins,
    WindowOpens,
    WindowCloses,
    /// All that counts is counted.
    LevelEnds,
    Over,
}

/// The course of a run.
#[derive(Debug)]
pub(super) struct Schedule {
    plan: Plan,
    level: usize,
    phase: Phase,
    /// Held calls begun, and seats of a flow tried.
    seat: usize,
    seats: usize,
    /// Calls of a flow for which there was no seat.
    pub(super) blocked: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Beginning,
    Filling { since: Instant, begun: usize },
    Settling { since: Instant },
    Measuring { since: Instant },
    Draining { since: Instant },
    Next,
    Leaving { since: Instant, left: usize },
    Waiting { until: Instant },
    Over,
}

impl Schedule {
    pub(super) fn new(plan: Plan, seats: usize) -> Self {
        Self { plan, level: 0, phase: Phase::Beginning, seat: 0, seats, blocked: 0 }
    }

    /// The level that goes on or went on last.
    pub(super) fn level(&self) -> Level {
        self.plan.levels[self.level.min(self.plan.levels.len() - 1)]
    }

    pub(super) fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Beginning | Phase::Filling { .. } => "setting up",
            Phase::Settling { .. } => "settling",
            Phase::Measuring { .. } => "measuring",
            Phase::Draining { .. } | Phase::Next => "finishing",
            Phase::Leaving { .. } | Phase::Waiting { .. } | Phase::Over => "hanging up",
        }
    }

    /// Ends the run before its time: all hang up.
    pub(super) fn stop(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Leaving { .. } | Phase::Waiting { .. } | Phase::Over) {
            self.phase = Phase::Leaving { since: now, left: 0 };
        }
    }

    /// Does what is due, once each millisecond or so.
    pub(super) fn step(&mut self, crowd: &mut Crowd, now: Instant) -> Option<Mark> {
        match self.phase {
            Phase::Beginning => {
                crowd.begin_level();
                self.blocked = 0;
                self.phase = match self.level() {
                    Level::Held(_) => Phase::Filling { since: now, begun: 0 },
                    Level::Flow(_) | Level::Closed(_) => Phase::Settling { since: now },
                };
                return Some(Mark::LevelBegins);
            }
            Phase::Filling { since, begun } => self.fill(crowd, since, begun, now),
            Phase::Settling { since } => {
                self.flow(crowd, since, now);
                if now >= since + self.plan.settle {
                    if crowd.task().workload.is_a_flow() {
                        crowd.begin_level();
                        self.blocked = 0;
                        self.seat %= self.seats.max(1);
                    }
                    crowd.open_window();
                    self.phase = Phase::Measuring { since: now };
                    return Some(Mark::WindowOpens);
                }
            }
            Phase::Measuring { since } => {
                self.flow(crowd, since, now);
                if now >= since + self.plan.window {
                    crowd.close_window(now - since);
                    self.phase = match crowd.task().workload.is_a_flow() {
                        true => Phase::Draining { since: now },
                        false => Phase::Next,
                    };
                    return Some(Mark::WindowCloses);
                }
            }
            Phase::Draining { since } => {
                let is_empty =
                    crowd.count(Doing::Nothing) == self.seats && crowd.registering() == 0;
                if is_empty || now >= since + self.plan.drain {
                    self.phase = Phase::Next;
                }
            }
            Phase::Next => {
                self.level += 1;
                self.phase = match self.level < self.plan.levels.len() {
                    true => Phase::Beginning,
                    false => Phase::Leaving { since: now, left: 0 },
                };
                return Some(Mark::LevelEnds);
            }
            Phase::Leaving { since, left } => self.leave(crowd, since, left, now),
            Phase::Waiting { until } => {
                if now >= until {
                    self.phase = Phase::Over;
                }
            }
            Phase::Over => return Some(Mark::Over),
        }
        None
    }

    fn fill(&mut self, crowd: &mut Crowd, since: Instant, begun: usize, now: Instant) {
        let Level::Held(wanted) = self.level() else { return };
        let due = due(now - since, self.plan.set_up_rate);
        let mut begun = begun;
        while begun < due && self.seat < wanted.min(self.seats) {
            crowd.call(self.seat, now);
            self.seat += 1;
            begun += 1;
        }
        self.phase = match self.seat >= wanted.min(self.seats) && crowd.count(Doing::Calling) == 0 {
            true => Phase::Settling { since: now },
            false => Phase::Filling { since, begun },
        };
    }

    /// Lets begin what has to begin by now.
    fn flow(&mut self, crowd: &mut Crowd, since: Instant, now: Instant) {
        match self.level() {
            Level::Held(_) => {}
            Level::Closed(at_once) => {
                while crowd.registering() < at_once {
                    crowd.register(now);
                }
            }
            Level::Flow(rate) => {
                let due = due(now - since, rate) as u64;
                while crowd.tally().tried + self.blocked < due {
                    if crowd.task().workload == Workload::Register {
                        crowd.register(now);
                        continue;
                    }
                    let seats = (self.seat..self.seats).chain(0..self.seat);
                    let free = seats.take(SEARCH).find(|&seat| crowd.doing(seat) == Doing::Nothing);
                    match free {
                        Some(seat) => {
                            crowd.call(seat, now);
                            self.seat = (seat + 1) % self.seats;
                        }
                        None => {
                            self.blocked += 1;
                            self.seat = (self.seat + SEARCH) % self.seats.max(1);
                        }
                    }
                }
            }
        }
    }

    fn leave(&mut self, crowd: &mut Crowd, since: Instant, left: usize, now: Instant) {
        let due = due(now - since, 2.0 * self.plan.set_up_rate.max(50.0)).min(self.seats);
        for seat in left..due {
            crowd.leave(seat, now);
        }
        self.phase = match due == self.seats {
            // A BYE that is lost is said again after half a second.
            true => Phase::Waiting { until: now + GRACE },
            false => Phase::Leaving { since, left: due.max(left) },
        };
    }
}

fn due(passed: Duration, rate: f64) -> usize {
    (passed.as_secs_f64() * rate) as usize
}

/// How many seats of a flow are looked at for a free one.
const SEARCH: usize = 64;

/// From the last BYE to the end.
const GRACE: Duration = Duration::from_millis(1200);
