//! What went over a stream, as reported when it closes.

use std::time::Duration;

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
    /// Recorded samples for which the reader had left no room.
    pub record_dropped: u64,
}
