//! What a switch has done since it began, in figures that only grow: for whoever watches it over months.

use std::{collections::BTreeMap, time::Duration};

use super::{CallStatistics, Switch, call::Call};
use crate::{channel::Cause, media::StreamStatistics};

/// What became of all calls so far.
#[derive(Debug, Clone)]
pub struct Totals {
    /// Calls that began.
    pub begun: u64,
    /// Of those that ended, how many had been answered.
    pub answered: u64,
    /// Those that ended, by Q.850 cause.
    pub ended: BTreeMap<u8, u64>,
    /// From the answers to the ends, all added up.
    pub talked: Duration,
    /// Seconds from the first message to the answer.
    pub answer_times: Histogram,
    /// What went over the streams of all calls, those that still go on included.
    pub media: MediaTotals,
    /// How each stream sounded here: opinion scores from 1 to 4.5.
    pub received_scores: Histogram,
    /// How it sounded at the far end, as that reported.
    pub sent_scores: Histogram,
    /// The share of each stream that was lost on its way to us.
    pub received_losses: Histogram,
    /// Seconds of jitter of each stream on its way to us.
    pub received_jitters: Histogram,
    /// Seconds to each far end and back.
    pub round_trips: Histogram,
}

/// Packets and what went wrong with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaTotals {
    /// Packets that were sent.
    pub sent: u64,
    /// Packets that could not be sent.
    pub send_errors: u64,
    /// Packets that came from the peers.
    pub received: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came behind a later one.
    pub reordered: u64,
    /// Packets that came when it was too late to play them.
    pub late: u64,
    /// Packets from somebody else.
    pub foreign: u64,
    /// Packets that are no RTP.
    pub malformed: u64,
    /// Frames that were made up for missing ones.
    pub concealed: u64,
    /// Keys that were heard.
    pub digits: u64,
}

/// How many values were up to each bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One more than there are bounds.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// An empty one; `bounds` ascend.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Counts a value.
    pub fn add(&mut self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place] += 1;
        self.sum += value;
    }

    /// Each bound and how many values are not above it.
    pub fn cumulated(&self) -> impl Iterator<Item = (f64, u64)> {
        self.bounds.iter().zip(&self.counts).scan(0, |below, (bound, count)| {
            *below += count;
            Some((*bound, *below))
        })
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All values added up.
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

impl MediaTotals {
    fn add(&mut self, stream: &StreamStatistics) {
        self.sent += stream.sent_packets;
        self.send_errors += stream.send_errors;
        self.received += stream.received_packets;
        self.lost += stream.lost;
        self.duplicates += stream.duplicates;
        self.reordered += stream.reordered;
        self.late += stream.late;
        self.foreign += stream.foreign;
        self.malformed += stream.malformed;
        self.concealed += stream.concealed_frames;
        self.digits += stream.digits;
    }
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            begun: 0,
            answered: 0,
            ended: BTreeMap::new(),
            talked: Duration::ZERO,
            answer_times: Histogram::new(&[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0]),
            media: MediaTotals::default(),
            received_scores: Histogram::new(&SCORES),
            sent_scores: Histogram::new(&SCORES),
            received_losses: Histogram::new(&[0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]),
            received_jitters: Histogram::new(&[0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16]),
            round_trips: Histogram::new(&[0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0]),
        }
    }
}

impl Totals {
    /// A call ended.
    pub(super) fn end(&mut self, call: &Call, cause: Cause, statistics: &CallStatistics) {
        *self.ended.entry(cause.number()).or_default() += 1;
        if let Some(answered) = call.answered {
            self.answered += 1;
            self.talked += statistics.answered;
            let waited = answered.saturating_duration_since(call.started.instant);
            self.answer_times.add(waited.as_secs_f64());
        }
        let Some(stream) = &statistics.media else { return };
        self.media.add(stream);
        if let Some(rating) = stream.received_rating() {
            self.received_scores.add(rating.opinion_score().into());
            let expected = stream.received_packets + stream.lost;
            self.received_losses.add(stream.lost as f64 / expected as f64);
            self.received_jitters.add(stream.interarrival_jitter.as_secs_f64());
        }
        if let Some(rating) = stream.sent_rating() {
            self.sent_scores.add(rating.opinion_score().into());
        }
        if let Some(round_trip) = stream.round_trip {
            self.round_trips.add(round_trip.as_secs_f64());
        }
    }
}

impl Switch {
    /// What it has done so far.
    pub fn totals(&self) -> Totals {
        let mut totals = self.totals.clone();
        totals.begun = self.calls_begun();
        for call in self.calls.values() {
            if let Some(stream) = call.media_statistics() {
                totals.media.add(&stream);
            }
        }
        totals
    }
}

/// Users are content above 4, and hang up below 2.6 (G.107 annex B).
const SCORES: [f64; 9] = [1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2, 4.4];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_not_above_it() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 2.0, 9.0] {
            histogram.add(value);
        }
        assert_eq!(histogram.cumulated().collect::<Vec<_>>(), [(1.0, 2), (2.0, 4)]);
        assert_eq!((histogram.count(), histogram.sum()), (5, 14.0));
    }
}
