//! Whether what a phone was sent is one stream throughout a call, as RFC 3550 and RFC 4733 want it.

use std::net::SocketAddr;

use crate::phone::Heard;
use crate::rtp::{RtpPacket, TelephoneEvent};
use crate::voice::Encoding;

/// What is legal in a call.
#[derive(Debug, Clone)]
pub struct Agreed {
    /// Whom packets may come from.
    pub from: SocketAddr,
    /// What they may hold.
    pub encodings: Vec<Encoding>,
    /// The payload type of telephone events, if there are any.
    pub events: Option<u8>,
}

/// One thing after another that a phone was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Sound without a gap.
    Talkspurt {
        /// Its encoding.
        encoding: Encoding,
        /// Its packets.
        packets: Vec<RtpPacket>,
    },
    /// A key.
    Key {
        /// Which.
        key: char,
        /// How long it was held, in steps of the clock.
        duration: u16,
        /// How often its end was told.
        ends: usize,
    },
}

/// What came, piece by piece.
///
/// # Panics
/// When numbers do not count up by one, time goes back or overlaps, a payload type was not agreed, a
/// packet has an odd size, the source changes without need, or a marker is not where a talkspurt or a
/// key begins.
#[must_use]
pub fn pieces(heard: &[Heard], agreed: &Agreed) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut line: Option<Line> = None;
    for (n, Heard { from, packet, .. }) in heard.iter().enumerate() {
        assert_eq!(*from, agreed.from, "packet {n} is from elsewhere");
        let before = line.take();
        let at = || format!("packet {n}: {before:?}, then {}", shown(packet));
        let kind = agreed.kind(packet).unwrap_or_else(|| panic!("not agreed: {}", at()));
        let clock = match (kind, &before) {
            (Kind::Sound(encoding), _) => encoding.clock(),
            (Kind::Event, Some(line)) => line.clock,
            (Kind::Event, None) => 8,
        };
        let before = match before {
            // Another source only for another clock (RFC 7160 §4.1).
            Some(line) if line.ssrc != packet.ssrc => {
                assert_ne!(line.clock, clock, "a new source: {}", at_of(n, packet));
                None
            }
            before => before,
        };
        let at = || format!("packet {n}: {before:?}, then {}", shown(packet));
        if let Some(line) = &before {
            assert_eq!(packet.sequence, line.sequence.wrapping_add(1), "{}", at());
        }
        let (end, key_time) = match kind {
            Kind::Sound(encoding) => {
                let gap = before.as_ref().map(|line| ahead(packet.time, line.end));
                assert!(gap.is_none_or(|gap| gap >= 0), "time goes back: {}", at());
                let follows = gap == Some(0) && before.as_ref().is_some_and(|it| !it.is_key);
                assert!(follows || packet.marker, "a talkspurt begins: {}", at());
                sound(&mut pieces, encoding, packet, follows && !packet.marker);
                let steps = duration(encoding, packet);
                assert!(steps > 0 && steps <= 120 * encoding.clock(), "{}", at());
                (packet.time.wrapping_add(steps), None)
            }
            Kind::Event => {
                let begun = before.as_ref().and_then(|line| line.key_time);
                let event = TelephoneEvent::parse(&packet.payload).expect("four octets");
                let is_new = begun != Some(packet.time);
                assert_eq!(is_new, packet.marker, "marker of a key: {}", at());
                if let Some(line) = &before {
                    let gap = if is_new { ahead(packet.time, line.end) } else { 0 };
                    assert!(gap >= 0, "time goes back: {}", at());
                }
                key(&mut pieces, event, is_new);
                let end = packet.time.wrapping_add(event.duration.into());
                (end, Some(packet.time))
            }
        };
        line = Some(Line {
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            end,
            clock,
            is_key: matches!(kind, Kind::Event),
            key_time,
        });
    }
    pieces
}

/// How many talkspurts begin where the one before ends: their markers tell nothing.
#[must_use]
pub fn needless_markers(pieces: &[Piece]) -> usize {
    let is_needless = |pair: &&[Piece]| match pair {
        [
            Piece::Talkspurt { encoding, packets: before },
            Piece::Talkspurt { encoding: next, packets },
        ] if encoding == next => before.last().zip(packets.first()).is_some_and(|(last, first)| {
            first.time == last.time.wrapping_add(duration(*encoding, last))
        }),
        _ => false,
    };
    pieces.windows(2).filter(is_needless).count()
}

/// How far a packet lies off the even pace of its talkspurts, for half of them at most: milliseconds.
///
/// # Panics
/// When nothing was heard.
#[must_use]
pub fn median_deviation(heard: &[Heard], encoding: Encoding) -> f64 {
    let first = heard.first().expect("something was heard");
    let offset = |it: &Heard| {
        let media =
            f64::from(ahead(it.packet.time, first.packet.time)) / f64::from(encoding.clock());
        (it.at - first.at).as_secs_f64() * 1000.0 - media
    };
    let sound = heard.iter().filter(|it| it.packet.payload_type == encoding.payload_type());
    let mut offsets: Vec<f64> = sound.map(offset).collect();
    let middle = median(&mut offsets);
    let mut deviations: Vec<f64> = offsets.iter().map(|it| (it - middle).abs()).collect();
    median(&mut deviations)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The place reached in a stream.
#[derive(Debug, Clone)]
struct Line {
    ssrc: u32,
    sequence: u16,
    /// The RTP time at which what was sent last ends.
    end: u32,
    clock: u32,
    is_key: bool,
    key_time: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sound(Encoding),
    Event,
}

impl Agreed {
    fn kind(&self, packet: &RtpPacket) -> Option<Kind> {
        if Some(packet.payload_type) == self.events {
            return Some(Kind::Event);
        }
        let mut encodings = self.encodings.iter();
        encodings.find(|it| it.payload_type() == packet.payload_type).map(|&it| Kind::Sound(it))
    }
}

fn sound(pieces: &mut Vec<Piece>, encoding: Encoding, packet: &RtpPacket, follows: bool) {
    match pieces.last_mut() {
        Some(Piece::Talkspurt { encoding: present, packets })
            if follows && *present == encoding =>
        {
            packets.push(packet.clone());
        }
        _ => pieces.push(Piece::Talkspurt { encoding, packets: vec![packet.clone()] }),
    }
}

fn key(pieces: &mut Vec<Piece>, event: TelephoneEvent, is_new: bool) {
    let key = event.key().expect("a key");
    if is_new {
        pieces.push(Piece::Key { key, duration: event.duration, ends: event.end.into() });
        return;
    }
    match pieces.last_mut() {
        Some(Piece::Key { key: present, duration, ends }) => {
            assert_eq!(*present, key, "a key does not change");
            assert!(event.duration >= *duration, "it gets no shorter");
            assert!(*ends == 0 || (event.end && event.duration == *duration), "it has ended");
            *duration = event.duration;
            *ends += usize::from(event.end);
        }
        other => panic!("a key goes on after {other:?}"),
    }
}

/// How long a packet sounds, in steps of its clock.
fn duration(encoding: Encoding, packet: &RtpPacket) -> u32 {
    match encoding.octets() {
        Some(octets) => {
            assert_eq!(packet.payload.len() % octets, 0, "whole milliseconds");
            (packet.payload.len() / octets) as u32 * encoding.clock()
        }
        // The engine has it in packets of 20 ms.
        None => 20 * encoding.clock(),
    }
}

fn ahead(time: u32, of: u32) -> i32 {
    time.wrapping_sub(of).cast_signed()
}

fn at_of(n: usize, packet: &RtpPacket) -> String {
    format!("packet {n}: {}", shown(packet))
}

fn shown(packet: &RtpPacket) -> String {
    let RtpPacket { marker, payload_type, sequence, time, ssrc, payload } = packet;
    let length = payload.len();
    format!("{payload_type} {sequence} {time} of {ssrc:x}, {length} octets, marker {marker}")
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::time::Instant;

    use super::*;
    use crate::voice::Voice;

    fn agreed() -> Agreed {
        let from = "127.0.0.1:4000".parse().expect("an address");
        Agreed { from, encodings: vec![Encoding::Pcmu], events: Some(101) }
    }

    fn heard(packets: Vec<RtpPacket>) -> Vec<Heard> {
        let from = agreed().from;
        packets.into_iter().map(|packet| Heard { at: Instant::now(), from, packet }).collect()
    }

    fn speech() -> Vec<RtpPacket> {
        let mut voice = Voice::new(Encoding::Pcmu, &[1000; 1600], 7);
        (0..10).map(|_| voice.packet()).collect()
    }

    #[test]
    fn speech_silence_and_speech_are_two_pieces() {
        let mut packets = speech();
        for packet in &mut packets[5..] {
            packet.time = packet.time.wrapping_add(4000);
        }
        packets[5].marker = true;
        let pieces = pieces(&heard(packets), &agreed());
        let lengths: Vec<_> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Talkspurt { packets, .. } => packets.len(),
                Piece::Key { .. } => 0,
            })
            .collect();
        assert_eq!(lengths, [5, 5]);
    }

    #[test]
    fn every_fault_is_found() {
        let faults: [fn(&mut Vec<RtpPacket>); 7] = [
            |packets| packets[3].sequence = packets[3].sequence.wrapping_add(1),
            |packets| packets[3].time = packets[3].time.wrapping_sub(1),
            |packets| packets[3].time = packets[3].time.wrapping_add(160),
            |packets| packets[3].ssrc = 8,
            |packets| packets[3].payload_type = 8,
            |packets| packets[3].payload.truncate(157),
            |packets| drop(packets.remove(3)),
        ];
        for (n, fault) in faults.into_iter().enumerate() {
            let mut packets = speech();
            fault(&mut packets);
            let found = catch_unwind(|| pieces(&heard(packets), &agreed()));
            assert!(found.is_err(), "fault {n}");
        }
        let mut packets = speech();
        packets[3].marker = true;
        assert_eq!(needless_markers(&pieces(&heard(packets), &agreed())), 1);
    }
}
