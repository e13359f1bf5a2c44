//! The time as the switch takes it: one monotonic instant and one wall clock, read together.
//!
//! Protocol machines take the `Instant` alone. The wall clock is for what people see or write down:
//! time conditions of a dialplan, `EPOCH`, registrations, call records. Nothing here reads a clock.

use std::{
    ops::Add,
    time::{Duration, Instant},
};

use jiff::Timestamp;

/// One reading of both clocks. Timers compare `instant`; schedules and records use `wall`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock, for deadlines.
    pub instant: Instant,
    /// The wall clock, which may jump.
    pub wall: Timestamp,
}

impl Now {
    /// Both clocks as read at one moment.
    pub const fn new(instant: Instant, wall: Timestamp) -> Self {
        Self { instant, wall }
    }

    /// What the wall clock showed, or will show, at `instant`, if it did not jump in between.
    pub fn wall_at(self, instant: Instant) -> Timestamp {
        let moved = match instant.checked_duration_since(self.instant) {
            Some(ahead) => self.wall.checked_add(ahead),
            None => self.wall.checked_sub(self.instant.duration_since(instant)),
        };
        moved.unwrap_or(self.wall)
    }
}

impl Add<Duration> for Now {
    type Output = Self;

    /// Both clocks moved forward; the wall clock stays put at the end of its range.
    fn add(self, ahead: Duration) -> Self {
        Self {
            instant: self.instant + ahead,
            wall: self.wall.checked_add(ahead).unwrap_or(self.wall),
        }
    }
}

/// A starting point for tests: time is a variable from there on.
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "an `Instant` can not be made from a number")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

/// A starting point for tests of the switch: a Tuesday, 2026-03-10 10:00:00 UTC.
#[cfg(test)]
pub(crate) fn clocks() -> Now {
    Now::new(clock(), Timestamp::new(1_773_136_800, 0).expect("a time of this century"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_move_together() {
        let start = clocks();
        let later = start + Duration::from_secs(90);
        assert_eq!(later.instant - start.instant, Duration::from_secs(90));
        assert_eq!(later.wall.as_second() - start.wall.as_second(), 90);
        assert_eq!(start.wall_at(later.instant), later.wall);
        assert_eq!(later.wall_at(start.instant), start.wall);
    }
}
