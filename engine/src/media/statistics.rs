//! What went over a stream, as reported when it closes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    quality::Rating,
    rtcp::Report,
    rtp::{Received, Ssrc},
};

/// Counters of one stream. Times and losses are those of RFC 3550 §6.4.1 and appendix A.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamStatistics {
    /// Our SSRC, the last we had.
    pub local_ssrc: Option<Ssrc>,
    /// The peer's; `None`: nothing came.
    pub remote_ssrc: Option<Ssrc>,
    /// RTP packets sent.
    pub sent_packets: u64,
    /// Payload octets sent.
    pub sent_octets: u64,
    /// Packets the system refused to send (queue full, peer unreachable).
    pub send_errors: u64,
    /// RTP packets accepted from the peer, duplicates not counted.
    pub received_packets: u64,
    /// Payload octets of them.
    pub received_octets: u64,
    /// Packets expected by sequence number and not received.
    pub lost: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// How often the peer began anew with another SSRC.
    pub source_changes: u64,
    /// Interarrival jitter at the end.
    pub interarrival_jitter: Duration,
    /// The greatest interarrival jitter seen.
    pub greatest_jitter: Duration,
    /// Packets from an address that is not the peer's: dropped.
    pub foreign: u64,
    /// Datagrams that are not RTP version 2: dropped.
    pub malformed: u64,
    /// RTP packets of a payload type that was not agreed: dropped.
    pub unknown_payload: u64,
    /// Audio packets that came too late to be played, where audio was consumed.
    pub late: u64,
    /// Comfort noise packets received: the peer says nothing, and how that sounds.
    pub noise_packets: u64,
    /// Frames invented for lost ones, where audio was consumed. What a peer did not send because it
    /// was silent is none.
    pub concealed_frames: u64,
    /// Telephone events received.
    pub digits: u64,
    /// Reports sent to the peer (RTCP).
    pub reports_sent: u64,
    /// Reports of the peer.
    pub reports_received: u64,
    /// Datagrams that came as reports and had not their form: dropped.
    pub malformed_reports: u64,
    /// Reports from an address that is not the peer's: dropped.
    pub foreign_reports: u64,
    /// How often the peer said that its source leaves.
    pub goodbyes: u64,
    /// Of what we sent, lost on the way to the peer, as it says; less than nothing where packets came
    /// to it twice. `None`: it said nothing.
    pub sent_lost: Option<i32>,
    /// Interarrival jitter of what we sent, as the peer says.
    pub sent_jitter: Option<Duration>,
    /// From us to the peer and back, at its last report, to 5 ms.
    pub round_trip: Option<Duration>,
    /// Packets lost from report to report of ours.
    pub received_losses: Spread,
    /// Interarrival jitter at our reports, in seconds.
    pub received_jitters: Spread,
    /// [`Rating`] of what we heard, at our reports.
    pub received_ratings: Spread,
    /// Packets of ours lost from report to report of the peer's.
    pub sent_losses: Spread,
    /// Interarrival jitter of what we sent, in the peer's reports, in seconds.
    pub sent_jitters: Spread,
    /// [`Rating`] of what the peer heard, at its reports.
    pub sent_ratings: Spread,
    /// Round trips in seconds.
    pub round_trips: Spread,
    /// How often the peer chose our SSRC, and we another.
    pub collisions: u64,
    /// Packets of our own that the peer sent back as they were, as a plain echo does.
    pub looped: u64,
    /// Recorded samples for which the reader had left no room.
    pub record_dropped: u64,
}

/// How a figure was spread over the reports of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spread {
    samples: u32,
    least: f32,
    greatest: f32,
    mean: f32,
    /// Squares of the deviations from the mean, added up.
    squares: f32,
}

impl Spread {
    /// Takes one more.
    pub fn add(&mut self, value: f32) {
        // Welford's, which loses nothing to rounding.
        self.samples = self.samples.saturating_add(1);
        let (least, greatest) = match self.samples {
            1 => (value, value),
            _ => (self.least.min(value), self.greatest.max(value)),
        };
        (self.least, self.greatest) = (least, greatest);
        let before = value - self.mean;
        self.mean += before / self.samples as f32;
        self.squares += before * (value - self.mean);
    }

    /// How many there were.
    pub fn samples(&self) -> u32 {
        self.samples
    }

    /// The least; 0 of none.
    pub fn least(&self) -> f32 {
        self.least
    }

    /// The greatest; 0 of none.
    pub fn greatest(&self) -> f32 {
        self.greatest
    }

    /// The mean; 0 of none.
    pub fn mean(&self) -> f32 {
        self.mean
    }

    /// The standard deviation; 0 of fewer than two.
    pub fn deviation(&self) -> f32 {
        if self.samples < 2 { 0.0 } else { (self.squares / self.samples as f32).max(0.0).sqrt() }
    }
}

impl StreamStatistics {
    /// The peer says what it received of us.
    pub(crate) fn hear(&mut self, report: Report, jitter: Duration) {
        let before = self.sent_lost.unwrap_or(0);
        if report.round_trip.is_some() {
            self.round_trip = report.round_trip;
        }
        if let Some(round_trip) = report.round_trip {
            self.round_trips.add(round_trip.as_secs_f32());
        }
        self.sent_lost = Some(report.lost);
        self.sent_jitter = Some(jitter);
        self.sent_losses.add(report.lost.saturating_sub(before).max(0) as f32);
        self.sent_jitters.add(jitter.as_secs_f32());
        let share = f32::from(report.fraction_lost) / 256.0;
        self.sent_ratings.add(self.judge(share, jitter).value());
    }

    /// We report what we received.
    pub(crate) fn tell(&mut self, received: Received) {
        let jitter = Duration::from_micros(u64::from(received.jitter) * 125);
        self.received_losses.add(received.lost as f32);
        self.received_jitters.add(jitter.as_secs_f32());
        let share = f32::from(received.fraction_lost) / 256.0;
        self.received_ratings.add(self.judge(share, jitter).value());
    }

    fn judge(&self, loss: f32, jitter: Duration) -> Rating {
        Rating::estimate(loss, jitter, self.round_trip.unwrap_or_default())
    }

    /// How good the whole call sounded here; `None` if nothing came.
    pub fn received_rating(&self) -> Option<Rating> {
        let expected = self.received_packets + self.lost;
        (self.received_packets > 0)
            .then(|| self.judge(self.lost as f32 / expected as f32, self.interarrival_jitter))
    }

    /// How good the whole call sounded at the peer, as far as it said; `None` if it said nothing.
    pub fn sent_rating(&self) -> Option<Rating> {
        let lost = self.sent_lost?.max(0) as f32 / self.sent_packets.max(1) as f32;
        Some(self.judge(lost, self.sent_jitter?))
    }
}

/// The statistics of a stream that runs, as of half a second ago at most, and its last ones when it
/// is closed. The media thread never waits for whoever reads: it then writes the next time.
#[derive(Debug, Clone, Default)]
pub struct SharedStatistics(Arc<Mutex<StreamStatistics>>);

impl SharedStatistics {
    /// What was written last.
    pub fn read(&self) -> StreamStatistics {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes, unless somebody reads in this moment.
    pub(crate) fn publish(&self, statistics: StreamStatistics) {
        if let Ok(mut shared) = self.0.try_lock() {
            *shared = statistics;
        }
    }
}

/// Of the same stream.
impl PartialEq for SharedStatistics {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SharedStatistics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_that_of_its_values() {
        let mut spread = Spread::default();
        assert_eq!((spread.mean(), spread.deviation()), (0.0, 0.0));
        for value in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            spread.add(value);
        }
        assert_eq!((spread.samples(), spread.least(), spread.greatest()), (8, 2.0, 9.0));
        assert_eq!((spread.mean(), spread.deviation()), (5.0, 2.0));
    }

    #[test]
    fn what_the_peer_says_adds_up() {
        let mut statistics = StreamStatistics { sent_packets: 500, ..Default::default() };
        assert_eq!(statistics.sent_rating(), None);
        for (lost, fraction_lost, round_trip) in
            [(5, 5, None), (15, 10, Some(40)), (14, 0, Some(60))]
        {
            let round_trip = round_trip.map(Duration::from_millis);
            let report = Report { fraction_lost, lost, jitter: 80, round_trip };
            statistics.hear(report, Duration::from_millis(10));
        }
        assert_eq!(statistics.sent_lost, Some(14));
        assert_eq!(statistics.sent_losses.greatest(), 10.0);
        assert_eq!(statistics.sent_losses.least(), 0.0, "what came late after all is no gain");
        assert_eq!(statistics.round_trip, Some(Duration::from_millis(60)));
        assert_eq!(statistics.round_trips.samples(), 2);
        let rating = statistics.sent_rating().unwrap();
        let expected =
            Rating::estimate(0.028, Duration::from_millis(10), Duration::from_millis(60));
        assert!((rating.value() - expected.value()).abs() < 0.01);
    }

    #[test]
    fn who_reads_holds_up_nobody() {
        let shared = SharedStatistics::default();
        let reader = shared.0.lock().unwrap();
        shared.publish(StreamStatistics { sent_packets: 1, ..Default::default() });
        drop(reader);
        assert_eq!(shared.read().sent_packets, 0);
        shared.publish(StreamStatistics { sent_packets: 2, ..Default::default() });
        assert_eq!(shared.read().sent_packets, 2);
    }
}
