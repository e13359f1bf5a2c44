//! A telephone system that is away: calls that end without anybody having heard of them, one after
//! the other. Waiting is better than to use up a list.

use std::time::Duration;

use jiff::Timestamp;

/// Watches the ends of calls.
#[derive(Debug)]
pub(super) struct Outage {
    /// So many failures in a row are one.
    most: usize,
    in_a_row: usize,
    until: Option<Timestamp>,
}

impl Outage {
    /// One is known by as many failures as there are calls at a time, and ten at least.
    pub(super) fn new(concurrency: usize) -> Self {
        Self { most: concurrency.max(FEWEST), in_a_row: 0, until: None }
    }

    /// Takes note of how a call ended, in the numbers of Q.850. How many failed in a row, when they
    /// have just become too many.
    pub(super) fn note(&mut self, cause: u8, now: Timestamp) -> Option<usize> {
        if !CAUSES.contains(&cause) {
            self.in_a_row = 0;
            self.until = None;
            return None;
        }
        self.in_a_row += 1;
        if self.in_a_row < self.most || self.waits_until(now).is_some() {
            return None;
        }
        self.until = Some(now + PAUSE);
        Some(std::mem::take(&mut self.in_a_row))
    }

    /// Until when nobody is called, while that is so.
    pub(super) fn waits_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| now < *until)
    }
}

/// Nobody said anything to the call; out of order, failed for now, no room; a timer ended it.
const CAUSES: [u8; 7] = [18, 27, 34, 38, 41, 42, 102];
const FEWEST: usize = 10;
/// Until it is tried again.
pub(super) const PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_fail_in_a_row_hold_the_next_up_until_one_gets_through() {
        let start = Timestamp::UNIX_EPOCH;
        let mut outage = Outage::new(3);
        let fail = |outage: &mut Outage, times: usize, now| {
            (0..times).filter_map(|_| outage.note(18, now)).collect::<Vec<_>>()
        };
        assert_eq!(fail(&mut outage, 9, start), [0usize; 0]);
        assert_eq!(outage.note(1, start), None, "a wrong number was heard of");
        assert_eq!(fail(&mut outage, 9, start), [0usize; 0]);
        assert_eq!(fail(&mut outage, 1, start), [10]);
        let later = start + PAUSE;
        assert_eq!(outage.waits_until(start), Some(later));
        assert_eq!(fail(&mut outage, 30, start), [0usize; 0], "those that ran yet");
        assert_eq!(outage.waits_until(later), None);
        assert_eq!(fail(&mut outage, 1, later).len(), 1, "it is still away");
        assert_eq!(outage.note(16, later), None);
        assert_eq!(outage.waits_until(later), None, "one got through");
        assert_eq!(fail(&mut Outage::new(20), 19, start), [0usize; 0]);
    }
}
