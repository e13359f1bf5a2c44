//! Keys as telephone events (RFC 4733), received and sent.
//!
//! A key is a run of packets with one RTP time and a growing duration; the last one is sent three
//! times. The receiver gives each key once, whatever of the run is lost, doubled or overtaken.
//!
//!   time      1000  1000  1000  1000E 1000E 1000E      2600  2600E ..
//!   duration   160   320   480   640   640   640        160   320
//!   receiver                       key, once

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::Digit;
use crate::media::{
    EventClock, Signal,
    rtp::{Marker, RtpTime},
};

/// Turns the event packets of one source into keys.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    held: Option<Held>,
    finished: Option<Finished>,
}

#[derive(Debug)]
struct Held {
    digit: Digit,
    time: RtpTime,
    /// Samples of earlier segments of a long event (RFC 4733 §2.5.1.3).
    before: u32,
    duration: u16,
    last_packet: Instant,
}

#[derive(Debug)]
struct Finished {
    digit: Digit,
    time: RtpTime,
    at: Instant,
}

/// A key that was let go, and how long it was held.
pub(crate) type Key = (Digit, Duration);

impl Receiver {
    /// Takes the payload of one event packet; gives the keys that ended by it, two at most. `scale`
    /// steps of its clock are one of 8 kHz, the clock of everything in here.
    pub(crate) fn handle_packet(
        &mut self,
        payload: &[u8],
        time: RtpTime,
        scale: u16,
        now: Instant,
    ) -> [Option<Key>; 2] {
        let Some((&[event, flags, high, low], _)) = payload.split_first_chunk() else {
            return [None, None];
        };
        let Some(digit) = Digit::from_event(event) else { return [None, None] };
        let duration = u16::from_be_bytes([high, low]) / scale;
        let time = RtpTime(time.0 / u32::from(scale));
        if self.is_over(digit, time, now) || self.is_overtaken(digit, time) {
            return [None, None];
        }
        let before = match &mut self.held {
            Some(held) if held.is_continued_by(digit, time) => {
                held.advance(time, duration, now);
                None
            }
            // All end packets of the key before were lost.
            _ => {
                let before = self.finish(now);
                let held = Held { digit, time, before: 0, duration, last_packet: now };
                self.held = Some(held);
                before
            }
        };
        let ended = if flags & END != 0 { self.finish(now) } else { None };
        [before, ended]
    }

    /// The key held when nothing more of it arrives: all its end packets were lost.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Key> {
        let held = self.held.as_ref()?;
        let silent = now.saturating_duration_since(held.last_packet);
        if silent >= ALL_ENDS_LOST { self.finish(now) } else { None }
    }

    /// Another source begins: its times have nothing to do with those seen so far.
    pub(crate) fn handle_source_change(&mut self, now: Instant) -> Option<Key> {
        let key = self.finish(now);
        self.finished = None;
        key
    }

    fn finish(&mut self, now: Instant) -> Option<Key> {
        let held = self.held.take()?;
        self.finished = Some(Finished { digit: held.digit, time: held.time, at: now });
        let samples = held.before.saturating_add(held.duration.into());
        Some((held.digit, Duration::from_micros(u64::from(samples) * 125)))
    }

    /// The packet belongs to the key given last, or to one before it.
    fn is_over(&self, digit: Digit, time: RtpTime, now: Instant) -> bool {
        let Some(finished) = &self.finished else { return false };
        // Beyond that, a time that looks old is a clock that wrapped or began anew.
        if now.saturating_duration_since(finished.at) > MEMORY {
            return false;
        }
        match time.since(finished.time) {
            0 => digit == finished.digit,
            since => (-REORDERED..0).contains(&since),
        }
    }

    /// Another key, of which nothing arrived before the one held began: to turn back to it would
    /// give the one held twice.
    fn is_overtaken(&self, digit: Digit, time: RtpTime) -> bool {
        let held = self.held.as_ref().filter(|held| held.digit != digit);
        held.is_some_and(|held| (-REORDERED..0).contains(&time.since(held.time)))
    }
}

impl Held {
    /// The same key: another packet of its run, its next segment, or a sender that moves the time
    /// on with each packet. A new key can not begin before the one held has ended.
    fn is_continued_by(&self, digit: Digit, time: RtpTime) -> bool {
        let since = time.since(self.time);
        let within = i32::from(self.duration);
        digit == self.digit
            && (since == 0
                || (-REORDERED..within).contains(&since)
                || (since == within && self.duration == u16::MAX))
    }

    fn advance(&mut self, time: RtpTime, duration: u16, now: Instant) {
        self.last_packet = now;
        match time.since(self.time) {
            0 => self.duration = self.duration.max(duration),
            since if since > 0 => {
                self.before = self.before.saturating_add(since.unsigned_abs());
                self.time = time;
                self.duration = duration;
            }
            _ => {}
        }
    }
}

/// The E bit.
const END: u8 = 0x80;

/// Three intervals of the slowest senders (50 ms); a packet that comes later is of a key that is
/// over and changes nothing but its duration.
const ALL_ENDS_LOST: Duration = Duration::from_millis(150);

/// How long the last key is remembered, to know its stragglers.
const MEMORY: Duration = Duration::from_secs(5);

/// Samples by which an overtaken packet may be older: 5 s.
const REORDERED: i32 = 40_000;

/// Sends queued keys, one step each 20 ms.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    steps: VecDeque<Step>,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Key { digit: Digit, duration: u16 },
    Silence { frames: u16 },
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Idle,
    Sounding {
        digit: Digit,
        time: RtpTime,
        elapsed: u16,
        duration: u16,
    },
    /// The last report goes out three times (RFC 4733 §2.5.1.4).
    Ending {
        digit: Digit,
        time: RtpTime,
        duration: u16,
        left: u8,
    },
    Silent {
        frames: u16,
    },
}

/// What is sent in this frame on behalf of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// An event packet in place of audio.
    Event {
        /// Of the key's beginning, not of this packet.
        time: RtpTime,
        /// Set on the first packet of the key.
        marker: Marker,
        /// Four octets.
        payload: [u8; 4],
    },
    /// The same key as a tone: its sounding frames only.
    Tone {
        digit: Digit,
        /// Counted from the key's beginning.
        frame: usize,
    },
    /// Nothing: audio may go.
    Pause,
    /// All is sent; said once.
    Finished,
}

/// How keys are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Event,
    Tone,
}

impl Sender {
    /// Queues signals after those waiting; beyond [`LONGEST_QUEUE`] steps the rest is dropped.
    pub(crate) fn push(&mut self, signals: &[Signal], tone: Duration, gap: Duration) {
        let samples = (tone.clamp(SHORTEST_TONE, LONGEST_STEP).as_millis() * 8) as u16;
        let gap = frames(gap.clamp(SHORTEST_GAP, LONGEST_STEP));
        for signal in signals {
            if self.steps.len() >= LONGEST_QUEUE {
                return;
            }
            match *signal {
                Signal::Digit(digit) => {
                    self.steps.push_back(Step::Key { digit, duration: samples });
                    self.steps.push_back(Step::Silence { frames: gap });
                }
                Signal::Pause(pause) => {
                    self.steps
                        .push_back(Step::Silence { frames: frames(pause.min(LONGEST_PAUSE)) });
                }
            }
        }
    }

    /// The next 20 ms; `time` is the stream's RTP time now.
    pub(crate) fn next_output(&mut self, time: RtpTime, form: Form) -> Output {
        loop {
            match &mut self.state {
                State::Idle => match self.steps.pop_front() {
                    None => return Output::Finished,
                    Some(Step::Silence { frames }) => self.state = State::Silent { frames },
                    Some(Step::Key { digit, duration }) => {
                        self.state = State::Sounding { digit, time, elapsed: 0, duration };
                    }
                },
                State::Silent { frames: 0 } => self.state = State::Idle,
                State::Silent { frames } => {
                    *frames -= 1;
                    return Output::Pause;
                }
                State::Sounding { digit, time, elapsed, duration } => {
                    let (digit, time, total) = (*digit, *time, *duration);
                    let marker = if *elapsed == 0 { Marker::Set } else { Marker::Clear };
                    let frame = usize::from(*elapsed / STEP);
                    *elapsed = elapsed.saturating_add(STEP);
                    let ended = *elapsed >= total;
                    let so_far = (*elapsed).min(total);
                    if form == Form::Tone {
                        if ended {
                            self.state = State::Idle;
                        }
                        return Output::Tone { digit, frame };
                    }
                    if ended {
                        self.state = State::Ending { digit, time, duration: total, left: 2 };
                    }
                    return Output::Event { time, marker, payload: report(digit, so_far, ended) };
                }
                State::Ending { left: 0, .. } => self.state = State::Idle,
                State::Ending { digit, time, duration, left } => {
                    *left -= 1;
                    let payload = report(*digit, *duration, true);
                    return Output::Event { time: *time, marker: Marker::Clear, payload };
                }
            }
        }
    }
}

fn report(digit: Digit, duration: u16, ended: bool) -> [u8; 4] {
    let [high, low] = duration.to_be_bytes();
    [digit.event(), if ended { END | VOLUME } else { VOLUME }, high, low]
}

/// A report for another clock. At 48 kHz durations end at 1.4 s: a longer key goes on in segments
/// (RFC 4733 §2.5.1.3).
pub(crate) fn at_clock(
    clock: EventClock,
    time: RtpTime,
    [event, flags, high, low]: [u8; 4],
) -> (RtpTime, [u8; 4]) {
    let longest = u32::from(u16::MAX);
    let duration = u32::from(u16::from_be_bytes([high, low])) * u32::from(clock.scale());
    let before = duration.saturating_sub(1) / longest * longest;
    let [high, low] = ((duration - before) as u16).to_be_bytes();
    (time.plus(before as i32), [event, flags, high, low])
}

fn frames(duration: Duration) -> u16 {
    duration.as_millis().div_ceil(20) as u16
}

/// -10 dBm0, what most phones send.
const VOLUME: u8 = 10;

/// Samples of one frame.
const STEP: u16 = 160;

/// ITU-T Q.24: shorter keys need not be recognised.
const SHORTEST_TONE: Duration = Duration::from_millis(40);
const SHORTEST_GAP: Duration = Duration::from_millis(20);

/// Durations have 16 bits: 8.19 s.
const LONGEST_STEP: Duration = Duration::from_secs(8);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Two steps a key.
pub(crate) const LONGEST_QUEUE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    fn packet(key: char, flags: u8, duration: u16) -> [u8; 4] {
        let [high, low] = duration.to_be_bytes();
        [Digit::from_char(key).unwrap().event(), flags | 10, high, low]
    }

    /// Feeds packets 20 ms apart (or timeouts where `None`) and gives the keys.
    fn receive(packets: &[Option<([u8; 4], u32)>]) -> Vec<(char, u128)> {
        let mut receiver = Receiver::default();
        let mut now = clock();
        let mut keys = vec![];
        for packet in packets {
            if let Some((payload, time)) = packet {
                keys.extend(
                    receiver.handle_packet(payload, RtpTime(*time), 1, now).into_iter().flatten(),
                );
            }
            keys.extend(receiver.handle_timeout(now));
            now += Duration::from_millis(20);
        }
        keys.into_iter().map(|(digit, held)| (digit.as_char(), held.as_millis())).collect()
    }

    fn run(key: char, time: u32) -> Vec<Option<([u8; 4], u32)>> {
        let mut run: Vec<_> = (1..=4).map(|n| Some((packet(key, 0, n * 160), time))).collect();
        run.extend([Some((packet(key, END, 800), time)); 3]);
        run
    }

    #[test]
    fn a_key_that_was_overtaken_whole_does_not_split_the_one_that_overtook_it() {
        let mut packets = run('5', 5000);
        packets.insert(2, Some((packet('6', END, 800), 3000)));
        assert_eq!(receive(&packets), [('5', 100)]);
    }

    #[test]
    fn a_key_is_given_once_at_its_first_end_packet() {
        assert_eq!(receive(&run('5', 1000)), [('5', 100)]);
    }

    #[test]
    fn any_loss_that_leaves_one_packet_still_gives_the_key_once() {
        let whole = run('#', 7000);
        for mask in 1_u32..1 << whole.len() {
            let mut packets: Vec<_> = whole
                .iter()
                .enumerate()
                .map(|(index, packet)| packet.filter(|_| mask & (1 << index) != 0))
                .collect();
            packets.extend([None; 10]);
            let keys: Vec<char> = receive(&packets).into_iter().map(|(key, _)| key).collect();
            assert_eq!(keys, ['#'], "mask {mask:b}");
        }
    }

    #[test]
    fn a_lost_end_is_made_up_for_by_the_next_key() {
        let mut packets = run('1', 0);
        packets.truncate(4);
        packets.extend(run('1', 1600));
        assert_eq!(receive(&packets), [('1', 80), ('1', 100)]);
    }

    #[test]
    fn times_wrap_and_zero_is_a_time_like_any_other() {
        let mut packets = run('7', u32::MAX - 300);
        packets.extend(run('8', 1300));
        packets.extend(run('9', 2900));
        assert_eq!(receive(&packets), [('7', 100), ('8', 100), ('9', 100)]);
        assert_eq!(receive(&run('0', 0)), [('0', 100)]);
    }

    #[test]
    fn overtaken_and_doubled_packets_add_no_key() {
        let mut packets = run('3', 100);
        packets.push(Some((packet('3', 0, 320), 100)));
        packets.extend(run('4', 2000));
        packets.push(Some((packet('3', END, 800), 100)));
        packets.push(Some((packet('4', 0, 160), 2000)));
        assert_eq!(receive(&packets), [('3', 100), ('4', 100)]);
    }

    #[test]
    fn the_same_key_pressed_again_is_another_key() {
        let mut packets = run('2', 0);
        packets.extend(run('2', 1600));
        assert_eq!(receive(&packets), [('2', 100), ('2', 100)]);
    }

    #[test]
    fn segments_of_a_long_event_are_one_key() {
        let packets = [
            Some((packet('*', 0, 60_000), 0)),
            Some((packet('*', 0, 65_535), 0)),
            Some((packet('*', 0, 160), 65_535)),
            Some((packet('*', END, 1600), 65_535)),
        ];
        assert_eq!(receive(&packets), [('*', (65_535 + 1600) / 8)]);
    }

    #[test]
    fn a_key_held_for_longer_than_can_be_counted_is_a_long_one() {
        let mut receiver = Receiver::default();
        let now = clock();
        let mut time = RtpTime(0);
        for _ in 0..66_000 {
            assert_eq!(receiver.handle_packet(&packet('1', 0, u16::MAX), time, 1, now), [None; 2]);
            time = time.plus(65_535);
        }
        let [None, Some((digit, held))] =
            receiver.handle_packet(&packet('1', END, u16::MAX), time, 1, now)
        else {
            panic!("the key ends");
        };
        assert_eq!(digit.as_char(), '1');
        assert_eq!(held, Duration::from_micros(u64::from(u32::MAX) * 125));
    }

    #[test]
    fn flash_and_short_payloads_are_no_keys() {
        assert_eq!(receive(&[Some(([16, END, 3, 32], 0))]), []);
        let mut receiver = Receiver::default();
        assert_eq!(receiver.handle_packet(&[5, END, 3], RtpTime(0), 1, clock()), [None, None]);
    }

    #[test]
    fn a_sent_key_starts_marked_and_ends_three_times_with_its_duration_frozen() {
        let mut sender = Sender::default();
        let digit = Digit::from_char('9').unwrap();
        sender.push(&[Signal::Digit(digit)], Duration::from_millis(90), Duration::from_millis(40));
        let mut sent = vec![];
        for frame in 0..20 {
            match sender.next_output(RtpTime(1000 + frame * 160), Form::Event) {
                Output::Event { time, marker, payload } => {
                    assert_eq!((time, payload[0]), (RtpTime(1000), 9));
                    assert_eq!(marker == Marker::Set, frame == 0);
                    sent.push((
                        payload[1] & END != 0,
                        u16::from_be_bytes([payload[2], payload[3]]),
                    ));
                }
                Output::Pause => sent.push((false, 0)),
                Output::Finished => break,
                Output::Tone { .. } => panic!("a tone was sent"),
            }
        }
        let expected = [
            (false, 160),
            (false, 320),
            (false, 480),
            (false, 640),
            (true, 720),
            (true, 720),
            (true, 720),
            (false, 0),
            (false, 0),
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn what_is_sent_is_received() {
        let keys = "0123456789*#ABCD55";
        let signals: Vec<_> =
            keys.chars().filter_map(Digit::from_char).map(Signal::Digit).collect();
        let mut sender = Sender::default();
        sender.push(&signals, Duration::from_millis(100), Duration::from_millis(50));
        let mut receiver = Receiver::default();
        let mut received = String::new();
        let mut time = RtpTime(u32::MAX - 4000);
        let now = clock();
        loop {
            match sender.next_output(time, Form::Event) {
                Output::Event { time, payload, .. } => {
                    for (digit, held) in
                        receiver.handle_packet(&payload, time, 1, now).into_iter().flatten()
                    {
                        assert_eq!(held, Duration::from_millis(100));
                        received.push(digit.as_char());
                    }
                }
                Output::Finished => break,
                Output::Pause | Output::Tone { .. } => {}
            }
            time = time.plus(160);
        }
        assert_eq!(received, keys);
    }

    #[test]
    fn a_clock_of_48_khz_is_read_and_written_with_long_keys_in_segments() {
        let now = clock();
        let mut receiver = Receiver::default();
        receiver.handle_packet(&packet('5', 0, 9600), RtpTime(96_000), 6, now);
        let ended = receiver.handle_packet(&packet('5', END, 28_800), RtpTime(96_000), 6, now);
        let (digit, duration) = ended[1].unwrap();
        assert_eq!((digit.as_char(), duration), ('5', Duration::from_millis(600)));
        // 1 s, and 2 s: the second segment begins where 16 bits end.
        let time = RtpTime(u32::MAX);
        let [slow, wide, fast] =
            [8000, 16_000, 48_000].map(|hertz| EventClock::new(hertz).unwrap());
        assert_eq!(at_clock(slow, time, [5, 10, 0xff, 0xff]), (time, [5, 10, 0xff, 0xff]));
        assert_eq!(at_clock(wide, time, [5, 10, 0x1f, 0x40]), (time, [5, 10, 0x3e, 0x80]));
        assert_eq!(at_clock(fast, time, [5, 10, 0x1f, 0x40]), (time, [5, 10, 0xbb, 0x80]));
        let (begin, [_, _, high, low]) = at_clock(fast, time, [5, 10, 0x3e, 0x80]);
        assert_eq!(begin, RtpTime(65_534));
        assert_eq!(u16::from_be_bytes([high, low]), 30_465);
    }
}
