//! RTP numbers that wrap, the header we write, and what a receiver counts (RFC 3550).
//!
//! Packets are read and headers built by `rtp_rs`; this adds the types and appendix A.

use std::time::Duration;

use rtp_rs::RtpPacketBuilder;

use super::PayloadType;

/// Synchronisation source: the name of one stream of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ssrc(pub u32);

/// Sequence number of a packet. Wraps, so it has no order; see [`Seq::since`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seq(pub u16);

impl Seq {
    /// How many packets later this is than `earlier`; negative if before it.
    pub const fn since(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0) as i16
    }

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// A moment on the media clock, which runs at 8 kHz. Wraps, so it has no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RtpTime(pub u32);

impl RtpTime {
    /// How many samples later this is than `earlier`; negative if before it.
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// The moment so many samples later, or earlier if negative.
    #[must_use]
    pub const fn plus(self, samples: i32) -> Self {
        Self(self.0.wrapping_add_signed(samples))
    }
}

/// Whether a packet is the first after a silence (RFC 3551 §4.1), or of a telephone event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// It is.
    Set,
    /// It is not.
    Clear,
}

/// The fixed header of what we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// First of a talkspurt.
    pub marker: Marker,
    /// What the payload is.
    pub payload_type: PayloadType,
    /// One more than that of the packet sent before.
    pub seq: Seq,
    /// The moment of the first sample.
    pub time: RtpTime,
    /// Our stream.
    pub ssrc: Ssrc,
}

impl Header {
    /// The twelve octets of the header: no extension, no contributing sources.
    pub fn write(&self) -> [u8; 12] {
        let mut octets = [0; 12];
        let built = RtpPacketBuilder::new()
            .marked(self.marker == Marker::Set)
            .payload_type(self.payload_type.number())
            .sequence(self.seq.0.into())
            .timestamp(self.time.0)
            .ssrc(self.ssrc.0)
            .build_into(&mut octets);
        debug_assert!(built.is_ok(), "12 octets hold a header, a `PayloadType` is below 128");
        octets
    }
}

/// What became of an arriving packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The newest so far, or one that an overtaking packet left behind.
    Fresh,
    /// Seen already, or too far out of order to tell.
    Duplicate,
    /// The numbering made a leap; taken up again if the next packet confirms it.
    Leap,
}

/// Sequence and jitter bookkeeping for one source (RFC 3550 appendix A.1, A.3 and A.8).
#[derive(Debug)]
pub struct Reception {
    ssrc: Ssrc,
    highest: Seq,
    /// Which of the 64 numbers up to `highest` were seen; bit 0 is `highest`.
    seen: u64,
    /// Where the numbering leaps to if it goes on there.
    leap: Option<Seq>,
    /// How often the numbers wrapped since the source began, or began anew.
    cycles: u16,
    expected: u64,
    received: u64,
    /// The same two when the numbering leapt last: reports count from there.
    began: (u64, u64),
    /// The same two at the last report.
    reported: (u64, u64),
    reordered: u64,
    /// Arrival minus RTP time of the packet before, in samples.
    transit: i32,
    /// Scaled by 16, as in appendix A.8.
    jitter: u32,
    greatest_jitter: u32,
}

impl Reception {
    /// Begins with the first packet of a source, which counts as received.
    /// `arrival` is our clock in samples, from any origin.
    pub fn new(ssrc: Ssrc, seq: Seq, time: RtpTime, arrival: RtpTime) -> Self {
        Self {
            ssrc,
            highest: seq,
            seen: 1,
            leap: None,
            cycles: 0,
            expected: 1,
            received: 1,
            began: (0, 0),
            reported: (0, 0),
            reordered: 0,
            transit: arrival.since(time),
            jitter: 0,
            greatest_jitter: 0,
        }
    }

    /// The source these numbers belong to.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Takes one packet. Telephone events repeat their time, so they leave out the jitter.
    pub fn handle_packet(&mut self, seq: Seq, time: Option<(RtpTime, RtpTime)>) -> Arrival {
        let ahead = seq.since(self.highest);
        match ahead {
            1..MAX_DROPOUT => {
                self.seen = self.seen.checked_shl(ahead.unsigned_abs().into()).unwrap_or(0) | 1;
                if seq.0 < self.highest.0 {
                    self.cycles = self.cycles.wrapping_add(1);
                }
                self.highest = seq;
                self.expected += u64::from(ahead.unsigned_abs());
            }
            MIN_AHEAD..=0 => {
                let bit = 1_u64 << ahead.unsigned_abs();
                if self.seen & bit != 0 {
                    return Arrival::Duplicate;
                }
                self.seen |= bit;
                self.reordered += 1;
                // One from before the first has not been expected.
                self.expected = self.expected.max(self.received + 1);
            }
            // The source began anew (`init_seq` of appendix A.1): so do its reports.
            _ if self.leap == Some(seq) => {
                self.began = (self.expected, self.received);
                self.reported = self.began;
                self.cycles = 0;
                self.highest = seq;
                self.seen = 1;
                self.expected += 1;
            }
            _ => {
                self.leap = Some(seq.next());
                return Arrival::Leap;
            }
        }
        self.leap = None;
        self.received += 1;
        if let Some((time, arrival)) = time {
            self.measure_jitter(arrival.since(time));
        }
        Arrival::Fresh
    }

    fn measure_jitter(&mut self, transit: i32) {
        let difference = transit.wrapping_sub(self.transit).unsigned_abs();
        self.transit = transit;
        // A leap of the sender's clock (hold, transfer) is not jitter of the network.
        if difference < ONE_SECOND {
            self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
            self.greatest_jitter = self.greatest_jitter.max(self.jitter);
        }
    }

    /// What to report of the time since the last report, which this one ends (appendix A.3). `None`
    /// if nothing was received in it.
    ///
    /// Differs from RFC 3550 §6.4.1: packets that came twice count once, so that they hide no loss.
    pub fn report(&mut self) -> Option<Received> {
        let (expected, received) =
            (self.expected - self.reported.0, self.received - self.reported.1);
        if received == 0 {
            return None;
        }
        self.reported = (self.expected, self.received);
        let lost = expected.saturating_sub(received);
        let in_all = (self.expected - self.began.0).saturating_sub(self.received - self.began.1);
        Some(Received {
            fraction_lost: (lost * 256 / expected.max(1)).min(255) as u8,
            lost: u32::try_from(lost).unwrap_or(u32::MAX),
            lost_in_all: i32::try_from(in_all).unwrap_or(i32::MAX),
            highest: u32::from(self.cycles) << 16 | u32::from(self.highest.0),
            jitter: self.jitter >> 4,
        })
    }

    /// Packets received, each once.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets expected and not received.
    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// Packets that a later one overtook.
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Interarrival jitter now, and the greatest so far.
    pub fn interarrival_jitter(&self) -> (Duration, Duration) {
        let duration = |scaled: u32| Duration::from_micros(u64::from(scaled >> 4) * 125);
        (duration(self.jitter), duration(self.greatest_jitter))
    }
}

/// What a report says of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Lost since the last report, in 256ths of the expected.
    pub fraction_lost: u8,
    /// The same in packets.
    pub lost: u32,
    /// Lost since the source began, or began anew.
    pub lost_in_all: i32,
    /// The highest sequence number, with how often it wrapped above it.
    pub highest: u32,
    /// Interarrival jitter on the media clock.
    pub jitter: u32,
}

/// RFC 3550 appendix A.1: a greater step is a restart, not a loss.
const MAX_DROPOUT: i16 = 3000;

/// How far back a packet can be told from its duplicate: the window of `seen`.
const MIN_AHEAD: i16 = -63;

const ONE_SECOND: u32 = 8000;

#[cfg(test)]
mod tests {
    use super::*;

    fn reception(first: u16) -> Reception {
        Reception::new(Ssrc(7), Seq(first), RtpTime(0), RtpTime(0))
    }

    #[test]
    fn numbers_compare_across_the_wrap() {
        assert_eq!(Seq(2).since(Seq(65_534)), 4);
        assert_eq!(Seq(65_534).since(Seq(2)), -4);
        assert_eq!(RtpTime(100).since(RtpTime(u32::MAX - 59)), 160);
        assert_eq!(RtpTime(100).plus(-160).plus(160), RtpTime(100));
    }

    #[test]
    fn a_header_reads_back() {
        let header = Header {
            marker: Marker::Set,
            payload_type: PayloadType::TELEPHONE_EVENT,
            seq: Seq(65_535),
            time: RtpTime(0xdead_beef),
            ssrc: Ssrc(0x0102_0304),
        };
        let octets = header.write();
        let read = rtp_rs::RtpReader::new(&octets).unwrap();
        assert!(read.mark());
        assert_eq!((read.payload_type(), u16::from(read.sequence_number())), (101, 65_535));
        assert_eq!((read.timestamp(), read.ssrc()), (0xdead_beef, 0x0102_0304));
        assert!(read.payload().is_empty());
    }

    #[test]
    fn losses_duplicates_and_overtaking_are_told_apart() {
        let mut reception = reception(65_533);
        for (seq, arrival) in [
            (65_534, Arrival::Fresh),
            (0, Arrival::Fresh),
            (0, Arrival::Duplicate),
            (65_535, Arrival::Fresh),
            (65_535, Arrival::Duplicate),
            (4, Arrival::Fresh),
        ] {
            assert_eq!(reception.handle_packet(Seq(seq), None), arrival, "{seq}");
        }
        assert_eq!((reception.received(), reception.lost(), reception.reordered()), (5, 3, 1));
    }

    #[test]
    fn a_leap_counts_once_it_is_confirmed() {
        let mut reception = reception(100);
        assert_eq!(reception.handle_packet(Seq(30_000), None), Arrival::Leap);
        assert_eq!(reception.handle_packet(Seq(101), None), Arrival::Fresh);
        assert_eq!(reception.handle_packet(Seq(40_000), None), Arrival::Leap);
        assert_eq!(reception.handle_packet(Seq(40_001), None), Arrival::Fresh);
        assert_eq!(reception.handle_packet(Seq(40_002), None), Arrival::Fresh);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn reports_count_wraps_and_say_the_loss_of_their_interval() {
        let mut reception = reception(65_534);
        // 65534 and 65535 came, 0 and 1 did not: two of five.
        for seq in [65_535, 2] {
            reception.handle_packet(Seq(seq), None);
        }
        let first = reception.report().unwrap();
        assert_eq!((first.highest, first.lost, first.lost_in_all), (0x1_0002, 2, 2));
        assert_eq!(first.fraction_lost, 102, "2/5 of 256, rounded down");
        assert_eq!(reception.report(), None, "nothing came since");
        reception.handle_packet(Seq(3), None);
        // One of those lost before comes after all.
        reception.handle_packet(Seq(1), None);
        let second = reception.report().unwrap();
        assert_eq!((second.highest, second.fraction_lost, second.lost), (0x1_0003, 0, 0));
        assert_eq!(second.lost_in_all, 1);
        // Some 65536 packets on, one in four lost, it has wrapped once more.
        for n in (4..=65_540_u32).filter(|n| n % 4 != 0) {
            reception.handle_packet(Seq(n as u16), None);
        }
        let third = reception.report().unwrap();
        assert_eq!(third.highest, 0x2_0003);
        assert_eq!((third.fraction_lost, third.lost_in_all), (64, 1 + 16_384));
    }

    #[test]
    fn a_source_that_restarts_is_reported_from_there() {
        let mut reception = reception(65_535);
        for seq in [0, 1, 5] {
            reception.handle_packet(Seq(seq), None);
        }
        assert_eq!(reception.report().unwrap().highest, 0x1_0005);
        for seq in [30_000, 30_001, 30_002, 30_004] {
            reception.handle_packet(Seq(seq), None);
        }
        let report = reception.report().unwrap();
        assert_eq!((report.highest, report.lost, report.lost_in_all), (30_004, 1, 1));
        assert_eq!(report.fraction_lost, 64, "of 30001 to 30004 one");
        assert_eq!(reception.lost(), 4, "of the whole call");
    }

    #[test]
    fn jitter_is_a_sixteenth_of_the_change_at_a_time() {
        let mut reception = reception(0);
        reception.handle_packet(Seq(1), Some((RtpTime(160), RtpTime(160 + 160))));
        assert_eq!(reception.interarrival_jitter().0, Duration::from_micros(10 * 125));
        for seq in 2..200_u16 {
            let time = u32::from(seq) * 160;
            reception.handle_packet(Seq(seq), Some((RtpTime(time), RtpTime(time + 160))));
        }
        assert!(reception.interarrival_jitter().0 < Duration::from_millis(1));
        assert_eq!(reception.interarrival_jitter().1, Duration::from_micros(10 * 125));
    }

    #[test]
    fn a_packet_from_before_the_first_makes_no_negative_loss() {
        let mut reception = reception(10);
        assert_eq!(reception.handle_packet(Seq(9), None), Arrival::Fresh);
        assert_eq!((reception.lost(), reception.received()), (0, 2));
    }
}
