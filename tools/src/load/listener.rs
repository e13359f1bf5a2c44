//! One caller's ear: what comes back, whether it is whole, punctual, and what it should be.

use std::time::Duration;

use diesis_engine::media::{
    Codec, FRAME,
    rtp::{Arrival, Reception, RtpTime, Seq, Ssrc},
};
use diesis_sounds::g711;
use rtp_rs::RtpReader;

use super::{histogram::Histogram, sound::Content};

/// Checks the packets of one call.
#[derive(Debug)]
pub(super) struct Listener {
    /// What may arrive, by payload type.
    expected: Vec<(u8, Codec)>,
    /// The caller's own tone, and its power.
    hertz: u16,
    power: f64,
    reception: Option<Reception>,
    last: Option<Last>,
    /// The quickest arrival so far, against the media clock: what others are late to.
    quickest: Option<i64>,
    heard: Heard,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    seq: u16,
    time: u32,
    /// The system's time of arrival in nanoseconds.
    arrival: i64,
    samples: u32,
    /// For a codec that is not decoded here: a changing payload is a sound.
    fingerprint: u64,
}

/// What was heard since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Packets, each once.
    pub(super) received: u64,
    /// Missing by their numbers.
    pub(super) lost: u64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    /// More than [`LATE`] behind the quickest: too late to be played.
    pub(super) late: u64,
    /// Silences of more than [`GAP`] that the media clock does not have.
    pub(super) gaps: u64,
    /// Steps of the media clock that do not fit the packet before, without a marker.
    pub(super) clock_breaks: u64,
    /// Changes of the SSRC.
    pub(super) restarts: u64,
    /// No RTP, or of a payload type that was not agreed on.
    pub(super) foreign: u64,
    /// Frames with sound in them.
    pub(super) loud: u64,
    /// Loud frames that are the caller's own tone and nothing else.
    pub(super) own: u64,
    /// Loud frames with some of the caller's own tone among other sound.
    pub(super) own_among_others: u64,
}

/// How punctual the packets of all calls are.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// From the step of the media clock to the time that passed between two packets.
    pub(super) deviation: Histogram,
    /// Behind the quickest packet of the call.
    pub(super) lateness: Histogram,
}

impl Listener {
    pub(super) fn new(expected: Vec<(u8, Codec)>, hertz: u16, amplitude: f64) -> Self {
        Self {
            expected,
            hertz,
            power: amplitude * amplitude / 2.0,
            reception: None,
            last: None,
            quickest: None,
            heard: Heard::default(),
        }
    }

    /// What was heard since the last time this was asked.
    pub(super) fn take(&mut self) -> Heard {
        let heard = self.now();
        self.heard = Heard::default();
        if let Some(reception) = &self.reception {
            // Counted from here.
            self.heard.received = 0_u64.wrapping_sub(reception.received());
            self.heard.lost = 0_u64.wrapping_sub(reception.lost());
            self.heard.reordered = 0_u64.wrapping_sub(reception.reordered());
        }
        self.quickest = None;
        heard
    }

    /// The same, and goes on counting.
    pub(super) fn now(&self) -> Heard {
        let mut heard = self.heard;
        if let Some(reception) = &self.reception {
            heard.received = heard.received.wrapping_add(reception.received());
            heard.lost = heard.lost.wrapping_add(reception.lost());
            heard.reordered = heard.reordered.wrapping_add(reception.reordered());
            // A packet given up that came later makes up for one of the time before.
            if heard.lost > u64::MAX / 2 {
                heard.lost = 0;
            }
        }
        heard
    }

    /// A datagram came at a time of the system's clock, in nanoseconds.
    pub(super) fn handle_packet(&mut self, datagram: &[u8], arrival: i64, pacing: &mut Pacing) {
        // RTCP on the media port (RFC 5761 §4).
        if datagram.get(1).is_some_and(|octet| (192..=223).contains(octet)) {
            return;
        }
        let Ok(packet) = RtpReader::new(datagram) else {
            self.heard.foreign += 1;
            return;
        };
        let number = packet.payload_type();
        let known = self.expected.iter().find(|(expected, _)| *expected == number);
        let Some(&(_, codec)) = known else {
            // Comfort noise needs no agreement (RFC 3389 §4).
            self.heard.foreign += u64::from(number != COMFORT_NOISE);
            return;
        };
        let (seq, time) = (u16::from(packet.sequence_number()), packet.timestamp());
        let samples = samples(codec, packet.payload());
        let place =
            Last { seq, time, arrival, samples, fingerprint: fingerprint(packet.payload()) };
        let before = self.last;
        if !self.count(&place, Ssrc(packet.ssrc()), clock(codec)) {
            return;
        }
        if let Some(before) = before.filter(|_| self.last.is_some_and(|last| last.seq == seq)) {
            self.time(&before, &place, clock(codec), packet.mark(), pacing);
        }
        self.listen(codec, packet.payload(), before);
    }

    /// Counts by the sequence number; `false` for what is not heard.
    fn count(&mut self, place: &Last, ssrc: Ssrc, clock: u32) -> bool {
        let (seq, time) = (Seq(place.seq), RtpTime(place.time));
        let arrival = RtpTime((place.arrival / (1_000_000_000 / i64::from(clock))) as u32);
        let known = self.reception.as_mut().filter(|reception| reception.ssrc() == ssrc);
        let Some(reception) = known else {
            if self.reception.is_some() {
                self.heard = self.now();
                self.heard.restarts += 1;
            }
            self.reception = Some(Reception::new(ssrc, seq, time, arrival));
            (self.last, self.quickest) = (Some(*place), None);
            return true;
        };
        match reception.handle_packet(seq, Some((time, arrival))) {
            Arrival::Duplicate => {
                self.heard.duplicates += 1;
                false
            }
            Arrival::Leap => false,
            Arrival::Fresh => {
                let is_newest = self.last.is_none_or(|last| seq.since(Seq(last.seq)) > 0);
                if is_newest {
                    self.last = Some(*place);
                }
                true
            }
        }
    }

    /// Compares the time that passed with what the media clock says.
    fn time(
        &mut self,
        before: &Last,
        place: &Last,
        clock: u32,
        is_marked: bool,
        pacing: &mut Pacing,
    ) {
        let steps = Seq(place.seq).since(Seq(before.seq));
        let step = RtpTime(place.time).since(RtpTime(before.time));
        if steps <= 0 {
            return;
        }
        let unit = 1_000_000_000 / i64::from(clock);
        let (passed, meant) = (place.arrival - before.arrival, i64::from(step) * unit);
        if steps == 1 && !is_marked && step != before.samples as i32 {
            self.heard.clock_breaks += 1;
        }
        if !(1..MOST_STEP).contains(&meant) {
            self.quickest = None;
            return;
        }
        pacing.deviation.add(Duration::from_nanos(passed.abs_diff(meant)));
        if passed - meant > GAP.as_nanos() as i64 {
            self.heard.gaps += 1;
        }
        // Arrival against the media clock: both wrap or step together with neither.
        let media = i64::from(place.time) * unit;
        let transit = place.arrival - media;
        let quickest = self.quickest.filter(|quickest| (transit - quickest).abs() < MOST_STEP);
        let quickest = quickest.map_or(transit, |quickest| quickest.min(transit));
        self.quickest = Some(quickest);
        let late = Duration::from_nanos((transit - quickest).unsigned_abs());
        pacing.lateness.add(late);
        self.heard.late += u64::from(late > LATE);
    }

    fn listen(&mut self, codec: Codec, payload: &[u8], before: Option<Last>) {
        let mut samples = [0; FRAME];
        let decoded = match codec {
            Codec::Pcmu => g711::decode_ulaw_into(payload, &mut samples),
            Codec::Pcma => g711::decode_alaw_into(payload, &mut samples),
            _ => {
                // Not decoded: silence repeats itself, or is short.
                let changed = before.is_some_and(|it| it.fingerprint != fingerprint(payload));
                self.heard.loud += u64::from(changed && payload.len() > 8);
                return;
            }
        };
        if decoded < FRAME {
            return;
        }
        let content = Content::of(&samples, self.hertz);
        if !content.is_loud() {
            return;
        }
        self.heard.loud += 1;
        match content.own / content.power {
            OWN.. => self.heard.own += 1,
            _ if content.own > AUDIBLE * self.power => self.heard.own_among_others += 1,
            _ => {}
        }
    }
}

/// Octets and samples are the same in G.711, and in the clock of G.722 (RFC 3551 §4.5.2).
fn samples(codec: Codec, payload: &[u8]) -> u32 {
    match codec {
        Codec::Opus => 960,
        _ => payload.len() as u32,
    }
}

fn clock(codec: Codec) -> u32 {
    if codec == Codec::Opus { 48_000 } else { 8000 }
}

fn fingerprint(payload: &[u8]) -> u64 {
    // FNV-1a over the beginning: enough to tell two frames apart.
    let octets = payload.iter().take(16);
    octets.fold(0xcbf2_9ce4_8422_2325, |hash, &octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What a jitter buffer of a common phone does not wait for.
pub(super) const LATE: Duration = Duration::from_millis(60);
/// A silence that one hears.
pub(super) const GAP: Duration = Duration::from_millis(100);
/// A greater step of the media clock is a new beginning, in nanoseconds.
const MOST_STEP: i64 = 2_000_000_000;
const COMFORT_NOISE: u8 = 13;
/// The share of what is heard that is one's own tone alone.
const OWN: f64 = 0.9;
/// The share of one's own tone that is heard among others: an announcement has less at one frequency.
const AUDIBLE: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::sound::{Frames, Sound};

    struct Line {
        listener: Listener,
        pacing: Pacing,
    }

    impl Line {
        fn new(hertz: u16) -> Self {
            let listener = Listener::new(vec![(0, Codec::Pcmu)], hertz, 4000.0);
            Self { listener, pacing: Pacing::default() }
        }

        /// Packet `n` of a tone of 500 Hz, so many microseconds after its time.
        fn packet(&mut self, n: u16, late: i64) {
            self.marked(n, u32::from(n) * 160, late, 0);
        }

        fn marked(&mut self, n: u16, time: u32, late: i64, marker: u8) {
            let mut packet = vec![0x80, marker];
            packet.extend(n.to_be_bytes());
            packet.extend(time.to_be_bytes());
            packet.extend([0, 0, 0, 9]);
            let frames = Frames::new(Sound::Tone, Codec::Pcmu, 500, 4000.0).unwrap();
            packet.extend(frames.frame(0));
            let arrival = (i64::from(n) * 20_000 + late) * 1000;
            self.listener.handle_packet(&packet, arrival, &mut self.pacing);
        }
    }

    #[test]
    fn what_comes_in_time_and_whole_has_no_fault() {
        let mut line = Line::new(500);
        for n in 0..100 {
            line.packet(n, i64::from(n % 3) * 10);
        }
        let heard = line.listener.take();
        let expected = Heard { received: 100, loud: 100, own: 100, ..Heard::default() };
        assert_eq!(heard, expected);
        assert_eq!(line.pacing.deviation.count(), 99);
        assert_eq!(line.pacing.deviation.quantile(1.0), Duration::from_micros(20));
        line.packet(100, 0);
        assert_eq!((line.listener.now().received, line.listener.take().lost), (1, 0));
    }

    #[test]
    fn loss_order_and_doubles_are_counted_once_each() {
        let mut line = Line::new(500);
        for n in [0, 1, 3, 2, 4, 4, 7, 8] {
            line.packet(n, 0);
        }
        let heard = line.listener.take();
        assert_eq!((heard.received, heard.lost, heard.reordered, heard.duplicates), (7, 2, 1, 1));
        assert_eq!((heard.clock_breaks, heard.gaps), (0, 0));
    }

    #[test]
    fn a_stall_is_a_gap_and_what_follows_is_late() {
        let mut line = Line::new(500);
        for n in 0..50 {
            line.packet(n, if n < 25 { 0 } else { 150_000 });
        }
        let heard = line.listener.take();
        assert_eq!((heard.gaps, heard.late, heard.lost), (1, 25, 0));
        assert_eq!(line.pacing.deviation.quantile(1.0), Duration::from_millis(150));
        assert_eq!(line.pacing.lateness.quantile(1.0), Duration::from_millis(150));
    }

    #[test]
    fn a_clock_that_does_not_fit_is_a_break_unless_a_marker_says_so() {
        let mut line = Line::new(500);
        line.marked(0, 0, 0, 0);
        line.marked(1, 160, 0, 0);
        line.marked(2, 480, 0, 0);
        line.marked(3, 8000, 0, 0x80);
        line.marked(4, 8160, 0, 0);
        assert_eq!(line.listener.take().clock_breaks, 1);
    }

    #[test]
    fn somebody_elses_sound_is_not_ones_own() {
        let mut line = Line::new(750);
        line.packet(0, 0);
        let heard = line.listener.take();
        assert_eq!((heard.loud, heard.own, heard.own_among_others), (1, 0, 0));
    }

    #[test]
    fn another_source_is_a_restart_and_rubbish_is_foreign() {
        let mut line = Line::new(500);
        line.packet(0, 0);
        line.listener.handle_packet(b"no rtp at all", 0, &mut line.pacing);
        let mut other = vec![0x80, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 10];
        other.extend([0xff; 160]);
        line.listener.handle_packet(&other, 20_000_000, &mut line.pacing);
        other[1] = 96;
        line.listener.handle_packet(&other, 20_000_000, &mut line.pacing);
        other[1] = 200;
        line.listener.handle_packet(&other, 20_000_000, &mut line.pacing);
        let heard = line.listener.take();
        assert_eq!((heard.received, heard.restarts, heard.foreign), (2, 1, 2));
        assert_eq!((heard.loud, heard.lost), (1, 0));
    }
}
