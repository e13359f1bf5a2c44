//! How much of its time a shard works and how late it begins: what new calls are admitted by.
//!
//! A core that is full does not fail at once: ticks take longer, then begin late, then every call on
//! it stutters. Work is measured over half a second at a time, and two such windows in a row decide,
//! so that neither a burst of new calls nor a moment of another program's turns anybody away.
//!
//!   busy      0 % ........ 70 % ..... 85 % .... 100 %
//!   calm      ─────────────────────────▶│ overloaded
//!   overloaded           │◀─────────────────────────

use std::time::{Duration, Instant};

use super::shard::TICK;

/// From when on a shard takes no more calls, and again some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverloadBounds {
    /// A tick that begins later than this is late. Default 20 ms: a packet that is late by more than
    /// its own length is missed at many a phone.
    pub late: Duration,
    /// For how many thousandths of the time ticks may be late. Default 100.
    pub most_late: u16,
    /// How much of a thousand parts of the time may be work. Default 850: beyond, the next burst makes
    /// ticks late.
    pub most_busy: u16,
    /// Taken again below so many thousandths. Default 20.
    pub late_again: u16,
    /// And below so many parts of work. Default 700.
    pub busy_again: u16,
}

impl Default for OverloadBounds {
    fn default() -> Self {
        Self {
            late: Duration::from_millis(20),
            most_late: 100,
            most_busy: 850,
            late_again: 20,
            busy_again: 700,
        }
    }
}

/// How a shard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardLoad {
    /// Work, in thousandths of the time.
    pub busy: u16,
    /// Time in which a tick was late, in thousandths.
    pub late: u16,
    /// Whether it takes calls.
    pub state: LoadState,
}

/// Whether a shard takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadState {
    /// It does.
    #[default]
    Calm,
    /// The calls it has need all it can do.
    Overloaded,
}

impl ShardLoad {
    /// In one number, for an atomic.
    #[cfg(feature = "net")]
    pub(crate) fn pack(self) -> u64 {
        let state = u64::from(self.state == LoadState::Overloaded);
        state << 32 | u64::from(self.late) << 16 | u64::from(self.busy)
    }

    /// What [`pack`](Self::pack) made.
    #[cfg(feature = "net")]
    pub(crate) fn unpack(packed: u64) -> Self {
        let state = match packed >> 32 {
            0 => LoadState::Calm,
            _ => LoadState::Overloaded,
        };
        Self { busy: packed as u16, late: (packed >> 16) as u16, state }
    }
}

/// Measures a shard.
#[derive(Debug)]
pub struct LoadMeter {
    bounds: OverloadBounds,
    load: ShardLoad,
    window: Option<Window>,
    /// When the tick before this one began.
    began: Option<Instant>,
    /// Windows in a row that speak against the present state.
    against: u32,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    late: Duration,
    work: Duration,
}

impl LoadMeter {
    /// A shard that has done nothing yet.
    pub fn new(bounds: OverloadBounds) -> Self {
        Self { bounds, load: ShardLoad::default(), window: None, began: None, against: 0 }
    }

    /// How it stands.
    pub fn load(&self) -> ShardLoad {
        self.load
    }

    /// A tick that was due at one time was worked on from `began` until `ended`. Whether `load` says
    /// something new.
    pub fn handle_tick(&mut self, due: Instant, began: Instant, ended: Instant) -> bool {
        let window = self.window.get_or_insert(Window {
            since: began,
            late: Duration::ZERO,
            work: Duration::ZERO,
        });
        // How many ticks there are depends on the streams: what counts is for how long one was overdue.
        let lateness = began.saturating_duration_since(due);
        let since_last =
            self.began.replace(began).map(|last| began.saturating_duration_since(last));
        if lateness > self.bounds.late {
            window.late += lateness.min(since_last.unwrap_or(TICK));
        }
        window.work += ended.saturating_duration_since(began);
        let lasted = ended.saturating_duration_since(window.since);
        if lasted < WINDOW {
            return false;
        }
        let late = thousandths(window.late.as_secs_f64(), lasted.as_secs_f64());
        let busy = thousandths(window.work.as_secs_f64(), lasted.as_secs_f64());
        self.window = None;
        self.judge(busy, late);
        true
    }

    /// Nothing is open any more. Whether `load` says something new.
    pub fn handle_idle(&mut self) -> bool {
        self.window = None;
        self.began = None;
        self.against = 0;
        let before = std::mem::take(&mut self.load);
        before != self.load
    }

    fn judge(&mut self, busy: u16, late: u16) {
        let bounds = &self.bounds;
        let is_against = match self.load.state {
            LoadState::Calm => busy > bounds.most_busy || late > bounds.most_late,
            LoadState::Overloaded => busy < bounds.busy_again && late < bounds.late_again,
        };
        self.against = if is_against { self.against + 1 } else { 0 };
        let state = match self.load.state {
            state if self.against < WINDOWS => state,
            LoadState::Calm => LoadState::Overloaded,
            LoadState::Overloaded => LoadState::Calm,
        };
        if state != self.load.state {
            self.against = 0;
        }
        self.load = ShardLoad { busy, late, state };
    }
}

fn thousandths(part: f64, whole: f64) -> u16 {
    (part / whole.max(f64::MIN_POSITIVE) * 1000.0).min(1000.0) as u16
}

/// What is measured at a time.
const WINDOW: Duration = Duration::from_millis(500);

/// How many windows in a row decide.
const WINDOWS: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    struct Bench {
        meter: LoadMeter,
        due: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self { meter: LoadMeter::new(OverloadBounds::default()), due: clock() }
        }

        /// Ticks that all take so long and begin so late.
        fn run(&mut self, milliseconds: u64, late_us: u64, work_us: u64) -> ShardLoad {
            for _ in 0..milliseconds / 5 {
                let began = self.due + Duration::from_micros(late_us);
                self.meter.handle_tick(self.due, began, began + Duration::from_micros(work_us));
                self.due += TICK;
            }
            self.meter.load()
        }
    }

    #[test]
    fn a_full_core_is_overloaded_after_a_second_and_calm_when_there_is_room_again() {
        let mut bench = Bench::new();
        assert_eq!(bench.run(5000, 100, 3500).state, LoadState::Calm, "70 % is fine");
        let load = bench.run(505, 100, 4400);
        assert_eq!((load.state, load.late), (LoadState::Calm, 0), "one window is a burst");
        let load = bench.run(1100, 100, 4400);
        assert!(load.busy > 850, "{load:?}");
        assert_eq!(load.state, LoadState::Overloaded);
        assert_eq!(bench.run(5000, 100, 3800).state, LoadState::Overloaded, "not yet");
        assert_eq!(bench.run(1600, 100, 3000).state, LoadState::Calm);
    }

    #[test]
    fn late_ticks_count_whoever_holds_the_core() {
        let mut bench = Bench::new();
        bench.run(1100, 100, 100);
        let load = bench.run(1600, 25_000, 100);
        assert_eq!((load.state, load.late), (LoadState::Overloaded, 1000));
        // One in thirty late goes on to hold calls off, none at all lets them in.
        for _ in 0..100 {
            bench.run(145, 100, 100);
            bench.run(5, 25_000, 100);
        }
        assert_eq!(bench.meter.load().state, LoadState::Overloaded);
        assert_eq!(bench.run(1600, 100, 100).state, LoadState::Calm);
    }

    #[test]
    fn a_single_stall_turns_nobody_away() {
        let mut bench = Bench::new();
        bench.run(2000, 100, 100);
        // Three seconds in which nothing ran, and what was made up for.
        bench.due += Duration::from_secs(3);
        let began = bench.due;
        bench.meter.handle_tick(began - Duration::from_secs(3), began, began);
        assert_eq!(bench.run(600, 100, 100).state, LoadState::Calm);
    }

    #[test]
    fn an_idle_shard_is_calm() {
        let mut bench = Bench::new();
        assert_eq!(bench.run(2200, 30_000, 4000).state, LoadState::Overloaded);
        assert!(bench.meter.handle_idle());
        assert_eq!(bench.meter.load(), ShardLoad::default());
        assert!(!bench.meter.handle_idle());
    }

    #[cfg(feature = "net")]
    #[test]
    fn a_load_survives_being_packed() {
        for state in [LoadState::Calm, LoadState::Overloaded] {
            let load = ShardLoad { busy: 870, late: 1000, state };
            assert_eq!(ShardLoad::unpack(load.pack()), load);
        }
    }
}
