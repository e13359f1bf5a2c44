//! What is counted of the calls of one level.

use std::collections::BTreeMap;

use super::{
    histogram::Histogram,
    listener::{Heard, Pacing},
    workload::Fault,
};

/// Counts of the calls that began in one level, and of what all heard in its window.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) tried: u64,
    pub(super) answered: u64,
    /// Ended as they should, or held as they should be.
    pub(super) good: u64,
    /// Not answered, by cause.
    pub(super) refused: BTreeMap<String, u64>,
    /// Answered, and then wrong.
    pub(super) faults: BTreeMap<Fault, u64>,
    /// From the INVITE, or REGISTER, to the 200, challenges included.
    pub(super) set_up: Histogram,
    /// From the end of the last key to the BYE.
    pub(super) reaction: Histogram,
    pub(super) pacing: Pacing,
    pub(super) heard: Heard,
    /// Packets sent.
    pub(super) sent: u64,
    /// Packets that the system did not take.
    pub(super) not_sent: u64,
}

impl Tally {
    pub(super) fn refuse(&mut self, cause: &str) {
        match self.refused.get_mut(cause) {
            Some(count) => *count += 1,
            None => drop(self.refused.insert(cause.to_owned(), 1)),
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        let sum = &mut self.heard;
        sum.received += heard.received;
        sum.lost += heard.lost;
        sum.duplicates += heard.duplicates;
        sum.reordered += heard.reordered;
        sum.late += heard.late;
        sum.gaps += heard.gaps;
        sum.clock_breaks += heard.clock_breaks;
        sum.restarts += heard.restarts;
        sum.foreign += heard.foreign;
        sum.loud += heard.loud;
        sum.own += heard.own;
        sum.own_among_others += heard.own_among_others;
    }

    /// Calls that were not what they should have been.
    pub(super) fn failed(&self) -> u64 {
        self.refused.values().sum::<u64>() + self.faults.values().sum::<u64>()
    }
}
