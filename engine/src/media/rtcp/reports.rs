//! What one end of a stream keeps for RTCP: when to report, what it says, and what the peer said.
//!
//! A call has two ends, so there is one source to report on, and no need for tables of members: the
//! rules for groups (timeouts of members, back-off before a BYE of many) have nothing to do here.

use std::time::{Duration, Instant};

use super::{
    interval::Membership,
    packet::{Blocks, Compound, Out, Packet, ReportBlock, SenderReport, Writer},
};
use crate::media::rtp::{Received, RtpTime, Ssrc};

/// A moment on the wall clock, in seconds since 1900 and fractions of 2^-32 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NtpTime(pub(crate) u64);

impl NtpTime {
    /// From the time since 1970.
    pub(crate) fn since_1970(elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs().wrapping_add(SECONDS_1900_TO_1970);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        // It wraps in 2036, as everybody's does.
        Self(seconds << 32 | fraction)
    }

    /// The middle 32 bits: 65536ths of a second.
    fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What we send, as an SR says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) ssrc: Ssrc,
    /// Packets of this SSRC so far.
    pub(crate) packets: u64,
    pub(crate) octets: u64,
    /// The present moment on the media clock.
    pub(crate) time: RtpTime,
}

/// What the peer says of what we send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    pub(crate) fraction_lost: u8,
    pub(crate) lost: i32,
    /// On the media clock.
    pub(crate) jitter: u32,
    /// `None` as long as it has not seen a report of ours.
    pub(crate) round_trip: Option<Duration>,
}

/// What a compound packet of the peer brought.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct News {
    pub(crate) report: Option<Report>,
    /// The source it receives from leaves, or another.
    pub(crate) goodbye: Option<Ssrc>,
}

/// The reports of one stream.
#[derive(Debug)]
pub(crate) struct Reports {
    name: [u8; 16],
    random: u64,
    due: Instant,
    last_sent: Instant,
    is_initial: bool,
    has_reported: bool,
    average_size: f32,
    /// Packets sent when we reported last, and the time before: who sent since the latter is a
    /// sender (RFC 3550 §6.3.8).
    sent_before: [u64; 2],
    /// The last SR of the peer.
    heard: Option<Heard>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    ssrc: Ssrc,
    /// The middle of its NTP time.
    ntp: u32,
    at: Instant,
}

impl Reports {
    /// `random` is for the name, and for the intervals and further SSRCs.
    pub(crate) fn new(random: [u64; 3], now: Instant) -> Self {
        let mut reports = Self {
            name: canonical_name([random[0], random[1]]),
            // Never all zero: there it would stay.
            random: random[2] | 1,
            due: now,
            last_sent: now,
            is_initial: true,
            has_reported: false,
            average_size: USUAL_SIZE,
            sent_before: [0; 2],
            heard: None,
        };
        reports.due = now + reports.interval(0, false);
        reports
    }

    /// Whether a report is due. After a wait that a change of membership made too short the rest of
    /// it is waited for (timer reconsideration, RFC 3550 §6.3.6).
    pub(crate) fn is_due(&mut self, sent: u64, peer_sends: bool, now: Instant) -> bool {
        if now < self.due {
            return false;
        }
        let due = self.last_sent + self.interval(sent, peer_sends);
        if now < due {
            self.due = due;
            return false;
        }
        true
    }

    /// When a report may be due next.
    pub(crate) fn poll_timeout(&self) -> Instant {
        self.due
    }

    /// Makes the report that is due: SR or RR, and our name.
    pub(crate) fn report(
        &mut self,
        sender: Sender,
        received: Option<(Ssrc, Received)>,
        ntp: NtpTime,
        now: Instant,
    ) -> Writer {
        let written = self.compose(sender, received, ntp, now);
        self.sent_before = [sender.packets, self.sent_before[0]];
        self.last_sent = now;
        self.is_initial = false;
        self.has_reported = true;
        self.count_size(written.as_bytes().len());
        self.due = now + self.interval(sender.packets, received.is_some());
        written
    }

    /// Makes the last report, with a BYE; `None` for an end that never said anything, which leaves
    /// without a word (RFC 3550 §6.3.7).
    pub(crate) fn goodbye(
        &self,
        sender: Sender,
        received: Option<(Ssrc, Received)>,
        ntp: NtpTime,
        now: Instant,
    ) -> Option<Writer> {
        let has_spoken = self.has_reported || sender.packets > 0;
        let written = self.compose(sender, received, ntp, now);
        has_spoken.then(|| written.with(Out::Goodbye(sender.ssrc)))
    }

    fn compose(
        &self,
        sender: Sender,
        received: Option<(Ssrc, Received)>,
        ntp: NtpTime,
        now: Instant,
    ) -> Writer {
        let block = received.map(|(ssrc, received)| {
            let heard = self.heard.filter(|heard| heard.ssrc == ssrc);
            ReportBlock {
                ssrc,
                fraction_lost: received.fraction_lost,
                lost: received.lost_in_all,
                highest: received.highest,
                jitter: received.jitter,
                last_report: heard.map_or(0, |heard| heard.ntp),
                delay: heard.map_or(0, |heard| units(now.saturating_duration_since(heard.at))),
            }
        });
        let is_sender = sender.packets > self.sent_before[1];
        let report = match is_sender {
            true => Out::Sender(
                SenderReport {
                    ssrc: sender.ssrc,
                    ntp: ntp.0,
                    time: sender.time,
                    // Both wrap.
                    packets: sender.packets as u32,
                    octets: sender.octets as u32,
                },
                block,
            ),
            false => Out::Receiver(sender.ssrc, block),
        };
        Writer::new().with(report).with(Out::Name(sender.ssrc, &self.name))
    }

    /// Takes a compound packet of the peer. `ours` is our SSRC.
    pub(crate) fn handle_compound(
        &mut self,
        compound: Compound<'_>,
        size: usize,
        ours: Ssrc,
        ntp: NtpTime,
        now: Instant,
    ) -> News {
        self.count_size(size);
        let mut news = News::default();
        for packet in compound.packets() {
            match packet {
                Packet::Sender(report, blocks) => {
                    let ntp_middle = NtpTime(report.ntp).middle();
                    self.heard = Some(Heard { ssrc: report.ssrc, ntp: ntp_middle, at: now });
                    news.report = about(ours, blocks, ntp).or(news.report);
                }
                Packet::Receiver(_, blocks) => {
                    news.report = about(ours, blocks, ntp).or(news.report);
                }
                Packet::Goodbye(mut sources) => news.goodbye = sources.next(),
                Packet::Description(_) | Packet::Other(_) => {}
            }
        }
        news
    }

    /// We go on under another SSRC.
    pub(crate) fn handle_new_ssrc(&mut self) {
        self.sent_before = [0; 2];
    }

    /// 64 random bits, good enough for intervals and SSRCs.
    pub(crate) fn next_random(&mut self) -> u64 {
        // xorshift64* (Marsaglia, Vigna).
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn interval(&mut self, sent: u64, peer_sends: bool) -> Duration {
        let we_sent = sent > self.sent_before[1];
        let random = (self.next_random() >> 32) as u32;
        let membership = Membership {
            members: 2,
            senders: u32::from(we_sent) + u32::from(peer_sends),
            we_sent,
            initial: self.is_initial,
            average_size: self.average_size,
        };
        membership.interval(random)
    }

    fn count_size(&mut self, octets: usize) {
        let size = (octets + HEADERS) as f32;
        self.average_size += (size - self.average_size) / 16.0;
    }
}

/// What the blocks say about us.
fn about(ours: Ssrc, mut blocks: Blocks<'_>, ntp: NtpTime) -> Option<Report> {
    let block = blocks.find(|block| block.ssrc == ours)?;
    Some(Report {
        fraction_lost: block.fraction_lost,
        lost: block.lost,
        jitter: block.jitter,
        round_trip: round_trip(block, ntp),
    })
}

/// RFC 3550 §6.4.1: arrival less sending less what the peer kept it, all modulo 2^16 s.
fn round_trip(block: ReportBlock, arrival: NtpTime) -> Option<Duration> {
    if block.last_report == 0 {
        return None;
    }
    let units = arrival.middle().wrapping_sub(block.last_report).wrapping_sub(block.delay);
    // Clocks of coarse grain make it a little less than nothing at times. What would be minutes is a
    // report of something else, or invented.
    let units = units.cast_signed();
    let units = if units < 0 && units.unsigned_abs() <= GRAIN { 0 } else { units };
    let units = u64::try_from(units).ok()?;
    let round_trip = Duration::from_nanos(units * 1_000_000_000 / 65_536);
    (round_trip < LONGEST_ROUND_TRIP).then_some(round_trip)
}

/// In 65536ths of a second.
fn units(duration: Duration) -> u32 {
    let units = duration.as_micros() * 65_536 / 1_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// 96 random bits in base 64 (RFC 7022 §4.2, short-term persistent): it tells nobody who we are.
fn canonical_name(random: [u64; 2]) -> [u8; 16] {
    let bits = u128::from(random[0]) << 64 | u128::from(random[1]);
    std::array::from_fn(|index| BASE_64[(bits >> (32 + 6 * index)) as usize & 0x3f])
}

const BASE_64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const SECONDS_1900_TO_1970: u64 = 2_208_988_800;

/// UDP and IPv4.
const HEADERS: usize = 28;

/// An SR with a block and a name.
const USUAL_SIZE: f32 = 108.0;

/// 20 ms.
const GRAIN: u32 = 65_536 / 50;

/// Beyond this no call can be held.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    const SENDER: Sender = Sender { ssrc: Ssrc(7), packets: 0, octets: 0, time: RtpTime(0) };

    fn ntp(seconds: u64, fraction: f64) -> NtpTime {
        NtpTime(seconds << 32 | (fraction * 4_294_967_296.0) as u64)
    }

    fn received() -> Received {
        Received { fraction_lost: 1, lost: 2, lost_in_all: 3, highest: 4, jitter: 5 }
    }

    #[test]
    fn the_round_trip_is_that_of_the_rfcs_figure() {
        // RFC 3550 figure 2: SR sent at 0xb44db705.20000000, kept 5.250 s, heard at 46864.500 s.
        let block = ReportBlock {
            ssrc: Ssrc(7),
            fraction_lost: 0,
            lost: 0,
            highest: 0,
            jitter: 0,
            last_report: 0xb705_2000,
            delay: 0x0005_4000,
        };
        assert_eq!(NtpTime(0xb44d_b705_2000_0000).middle(), 0xb705_2000);
        let arrival = ntp(0xb44d_b710, 0.5);
        assert_eq!(arrival.middle(), 0xb710_8000);
        assert_eq!(round_trip(block, arrival), Some(Duration::from_millis(6125)));
        // Without our report, from the future, and a lie.
        assert_eq!(round_trip(ReportBlock { last_report: 0, ..block }, arrival), None);
        assert_eq!(round_trip(ReportBlock { delay: 0x0100_0000, ..block }, arrival), None);
        assert_eq!(round_trip(ReportBlock { last_report: 1, ..block }, arrival), None);
        let early = ReportBlock { delay: 0x000b_6001, ..block };
        assert_eq!(round_trip(early, arrival), Some(Duration::ZERO));
    }

    #[test]
    fn wall_time_is_counted_from_1900() {
        let day = Duration::new(1_700_000_000, 500_000_000);
        assert_eq!(NtpTime::since_1970(day).0, (1_700_000_000 + 2_208_988_800) << 32 | 1 << 31);
    }

    #[test]
    fn the_first_report_comes_within_three_seconds_the_others_every_two_to_six() {
        for seed in 1..200 {
            let mut now = clock();
            let mut reports = Reports::new([0, 0, seed * 0x9e37_79b9], now);
            let mut gaps = vec![];
            let mut last = now;
            for sent in 0..2000_u64 {
                now += Duration::from_millis(20);
                if reports.is_due(sent, true, now) {
                    reports.report(Sender { packets: sent, ..SENDER }, None, NtpTime(0), now);
                    gaps.push((now - last).as_millis());
                    last = now;
                }
            }
            assert!((1026..=3100).contains(&gaps[0]), "{seed} {gaps:?}");
            assert!(gaps[1..].iter().all(|gap| (2052..=6180).contains(gap)), "{seed} {gaps:?}");
        }
    }

    #[test]
    fn who_sent_nothing_since_the_report_before_last_reports_as_a_receiver() {
        let now = clock();
        let mut reports = Reports::new([1, 2, 5], now);
        let mut first_type = |packets| {
            let sender = Sender { packets, ..SENDER };
            reports.report(sender, Some((Ssrc(9), received())), NtpTime(0), now).as_bytes()[1]
        };
        assert_eq!([0, 50, 50, 50, 51].map(&mut first_type), [201, 200, 200, 201, 200]);
    }

    #[test]
    fn a_report_tells_when_the_last_one_was_heard() {
        let start = clock();
        let (mut ours, mut theirs) =
            (Reports::new([1, 2, 5], start), Reports::new([3, 4, 6], start));
        let sent = ntp(1000, 0.25);
        let sender = Sender { packets: 1, ..SENDER };
        let report = ours.report(sender, None, sent, start);
        let octets = report.as_bytes();
        // It travels for 40 ms, is kept for 1.5 s, and the answer travels for 60 ms.
        let arrived = start + Duration::from_millis(40);
        let compound = Compound::parse(octets).unwrap();
        assert_eq!(
            theirs.handle_compound(compound, 80, Ssrc(9), NtpTime(0), arrived),
            News::default()
        );
        let kept = arrived + Duration::from_millis(1500);
        let other = Sender { ssrc: Ssrc(9), ..sender };
        let answer = theirs.report(other, Some((Ssrc(7), received())), NtpTime(0), kept);
        let compound = Compound::parse(answer.as_bytes()).unwrap();
        let heard = kept + Duration::from_millis(60);
        let news = ours.handle_compound(compound, 80, Ssrc(7), ntp(1001, 0.85), heard);
        let report = news.report.unwrap();
        let round_trip = report.round_trip.unwrap().as_micros();
        assert!((99_950..=100_050).contains(&round_trip), "{round_trip}");
        assert_eq!((report.fraction_lost, report.lost, report.jitter), (1, 3, 5));
        // What it says of others is not about us.
        let news = ours.handle_compound(compound, 80, Ssrc(8), ntp(1001, 0.85), heard);
        assert_eq!(news, News::default());
    }

    #[test]
    fn goodbye_is_said_by_who_said_something() {
        let now = clock();
        let reports = Reports::new([1, 2, 5], now);
        assert!(reports.goodbye(SENDER, None, NtpTime(0), now).is_none());
        let spoke = Sender { packets: 1, ..SENDER };
        let last = reports.goodbye(spoke, None, NtpTime(0), now).unwrap();
        let compound = Compound::parse(last.as_bytes()).unwrap();
        let mut heard = Reports::new([3, 4, 6], now);
        assert_eq!(
            heard.handle_compound(compound, 80, Ssrc(1), NtpTime(0), now).goodbye,
            Some(Ssrc(7))
        );
    }

    #[test]
    fn names_are_random_and_printable() {
        let names = [[1, 0], [1, 1 << 63], [2, 0]].map(canonical_name);
        assert!(names[0] != names[1] && names[1] != names[2]);
        assert!(names.concat().iter().all(|byte| BASE_64.contains(byte)));
    }
}
