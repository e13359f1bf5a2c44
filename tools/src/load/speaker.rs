//! One caller's mouth: a frame each 20 ms, and keys as telephone events (RFC 4733).

use std::rc::Rc;

use diesis_engine::media::{
    Digit, PayloadType,
    rtp::{Header, Marker, RtpTime, Seq, Ssrc},
};

use super::sound::Frames;

/// Makes the packets of one call.
#[derive(Debug)]
pub(super) struct Speaker {
    frames: Option<Rc<Frames>>,
    payload_type: PayloadType,
    /// What 20 ms are on the media clock.
    step: i32,
    events: Option<PayloadType>,
    ssrc: Ssrc,
    seq: Seq,
    time: RtpTime,
    place: usize,
    marker: Marker,
    /// Keys to press, and how far the first is.
    keys: Vec<Digit>,
    key: u32,
}

/// What one turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing is sent.
    Quiet,
    /// A packet of so many octets.
    Packet(usize),
    /// The same, and it is the first that says that the last key is up.
    LastKeyUp(usize),
}

impl Speaker {
    pub(super) fn new(
        frames: Option<Rc<Frames>>,
        payload_type: PayloadType,
        step: i32,
        events: Option<PayloadType>,
        seed: (u32, u32, u16),
    ) -> Self {
        let (ssrc, time, seq) = seed;
        Self {
            frames,
            payload_type,
            step,
            events,
            ssrc: Ssrc(ssrc),
            seq: Seq(seq),
            time: RtpTime(time),
            place: usize::from(seq),
            marker: Marker::Set,
            keys: vec![],
            key: 0,
        }
    }

    /// Whether keys can be pressed at all.
    pub(super) fn has_keys(&self) -> bool {
        self.events.is_some()
    }

    /// Presses keys, one after the other, from the next turn on.
    pub(super) fn press(&mut self, keys: &[Digit]) {
        self.keys.extend(keys);
    }

    /// The turn of another 20 ms; the packet is written into `out`.
    pub(super) fn turn(&mut self, out: &mut [u8; MOST_PACKET]) -> Turn {
        let turn = match (self.keys.first().copied(), self.events) {
            (Some(digit), Some(events)) => self.press_on(digit, events, out),
            _ => self.speak(out),
        };
        self.time = self.time.plus(self.step);
        turn
    }

    fn speak(&mut self, out: &mut [u8; MOST_PACKET]) -> Turn {
        let Some(frames) = self.frames.clone() else { return Turn::Quiet };
        let payload = frames.frame(self.place);
        self.place += 1;
        let marker = std::mem::replace(&mut self.marker, Marker::Clear);
        Turn::Packet(self.write(self.payload_type, marker, self.time, payload, out))
    }

    /// 100 ms held, the end three times (RFC 4733 §2.5.1.4), 60 ms of nothing.
    fn press_on(&mut self, digit: Digit, events: PayloadType, out: &mut [u8; MOST_PACKET]) -> Turn {
        let at = self.key;
        self.key += 1;
        if at >= HELD + ENDS {
            if at + 1 == HELD + ENDS + PAUSE {
                self.keys.remove(0);
                self.key = 0;
            }
            return Turn::Quiet;
        }
        let duration = (at + 1).min(HELD) * self.step.unsigned_abs();
        let end = if at >= HELD { 0x80 } else { 0 };
        let [high, low] = u16::try_from(duration).unwrap_or(u16::MAX).to_be_bytes();
        let marker = if at == 0 { Marker::Set } else { Marker::Clear };
        // All packets of an event have the time of its beginning (RFC 4733 §2.5.1.2).
        let time = self.time.plus(-(at as i32) * self.step);
        let length =
            self.write(events, marker, time, &[digit.event(), end | VOLUME, high, low], out);
        if at == HELD && self.keys.len() == 1 {
            Turn::LastKeyUp(length)
        } else {
            Turn::Packet(length)
        }
    }

    fn write(
        &mut self,
        payload_type: PayloadType,
        marker: Marker,
        time: RtpTime,
        payload: &[u8],
        out: &mut [u8; MOST_PACKET],
    ) -> usize {
        let header = Header { marker, payload_type, seq: self.seq, time, ssrc: self.ssrc }.write();
        let length = header.len() + payload.len();
        out[..header.len()].copy_from_slice(&header);
        out[header.len()..length].copy_from_slice(payload);
        self.seq = self.seq.next();
        length
    }
}

/// A header and a frame.
pub(super) const MOST_PACKET: usize = 12 + 160;

/// Packets of a key: while it is down, after it went up, and turns until the next.
const HELD: u32 = 5;
const ENDS: u32 = 3;
const PAUSE: u32 = 3;
/// -10 dBm0 (RFC 4733 §2.3.3).
const VOLUME: u8 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::sound::Sound;
    use diesis_engine::media::Codec;

    fn speaker(sound: Sound) -> Speaker {
        let frames = Frames::new(sound, Codec::Pcmu, 500, 4000.0).map(Rc::new);
        Speaker::new(frames, PayloadType::PCMU, 160, PayloadType::new(101), (7, 1000, 65_535))
    }

    fn packets(speaker: &mut Speaker, turns: usize) -> Vec<(Turn, Vec<u8>)> {
        let mut out = [0; MOST_PACKET];
        (0..turns)
            .map(|_| match speaker.turn(&mut out) {
                Turn::Quiet => (Turn::Quiet, vec![]),
                turn @ (Turn::Packet(length) | Turn::LastKeyUp(length)) => {
                    (turn, out[..length].to_vec())
                }
            })
            .collect()
    }

    #[test]
    fn frames_follow_each_other_and_the_first_is_marked() {
        let sent = packets(&mut speaker(Sound::Tone), 2);
        assert_eq!(sent[0].1[..12], [0x80, 0x80, 255, 255, 0, 0, 3, 232, 0, 0, 0, 7]);
        assert_eq!(sent[1].1[..12], [0x80, 0, 0, 0, 0, 0, 4, 136, 0, 0, 0, 7]);
        assert_eq!(sent[1].1.len(), 172);
    }

    #[test]
    fn a_key_is_down_for_100_ms_and_its_end_is_said_three_times() {
        let mut speaker = speaker(Sound::None);
        assert_eq!(packets(&mut speaker, 1)[0].0, Turn::Quiet);
        speaker.press(&[Digit::from_char('5').unwrap(), Digit::from_char('#').unwrap()]);
        let sent = packets(&mut speaker, 23);
        let events: Vec<_> = sent
            .iter()
            .filter(|(_, packet)| !packet.is_empty())
            .map(|(_, packet)| {
                let number = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
                // Marker and type, time, event, end, duration.
                (packet[1], number(6), packet[12], packet[13] >> 7, number(14))
            })
            .collect();
        let first =
            [(1, 160), (2, 320), (3, 480), (4, 640), (5, 800), (6, 800), (7, 800), (8, 800)];
        for (n, (nth, duration)) in first.into_iter().enumerate() {
            let marker = if nth == 1 { 0x80 } else { 0 };
            assert_eq!(events[n], (marker | 101, 1160, 5, u8::from(nth > 5), duration), "{nth}");
        }
        assert_eq!((events.len(), events[8].2, events[8].1), (16, 11, 1160 + 11 * 160));
        let up = sent.iter().position(|(turn, _)| matches!(turn, Turn::LastKeyUp(_)));
        assert_eq!(up, Some(11 + 5));
        assert_eq!(sent[22].0, Turn::Quiet);
    }
}
