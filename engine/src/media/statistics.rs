//! What went over a stream, as reported when it closes.

use std::time::Duration;

use super::rtcp::Report;

/// Counters of one stream. Times and losses are those of RFC 3550 §6.4.1 and appendix A.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamStatistics {
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
    /// Frames invented for lost ones, where audio was consumed.
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
    /// How often the peer chose our SSRC, and we another.
    pub collisions: u64,
    /// Packets of our own that the peer sent back as they were: dropped.
    pub looped: u64,
    /// Recorded samples for which the reader had left no room.
    pub record_dropped: u64,
}

impl StreamStatistics {
    /// The peer says what it received of us.
    pub(crate) fn hear(&mut self, report: Report) {
        self.sent_lost = Some(report.lost);
        self.sent_jitter = Some(Duration::from_micros(u64::from(report.jitter) * 125));
        if report.round_trip.is_some() {
            self.round_trip = report.round_trip;
        }
    }
}
