//! What a phone heard, compared with what was said to it.

use std::f64::consts::TAU;
use std::net::Ipv4Addr;

use diesis_sounds::format::wav;
use diesis_sounds::g711;
use diesis_sounds::locate::Recording;

use crate::capture::Packet;

/// Whether a recording (a WAV file at 8 kHz) holds a sound from its beginning to its end.
///
/// Phones follow the clock of others by leaving out or repeating some milliseconds: each eighth of a
/// second of the sound is looked for by itself, and of three that follow each other one must be there.
#[must_use]
pub fn holds(recording: &[u8], sound: &[i16]) -> bool {
    let heard = wav::parse(recording).map_or(Vec::new(), |sound| sound.samples);
    let Some(first) = Recording::new(&heard, 8000).find(sound, 0) else { return false };
    pieces_after(&heard, sound, first.start).windows(3).all(|three| three.contains(&true))
}

/// How far what was heard of a sound, from its beginning on, stands above all that differs from it, in
/// decibels.
#[must_use]
pub fn signal_to_noise(heard: &[i16], sound: &[i16]) -> f64 {
    let pairs =
        heard.iter().zip(sound).map(|(&heard, &sound)| (f64::from(heard), f64::from(sound)));
    let (signal, noise) = pairs.fold((0.0, 0.0), |(signal, noise), (heard, sound)| {
        (signal + sound * sound, noise + (heard - sound) * (heard - sound))
    });
    10.0 * (signal / f64::max(noise, 1.0)).log10()
}

/// How many eighths of a second of a sound are heard where they are due, and of how many.
#[must_use]
pub fn pieces_heard(heard: &[i16], sound: &[i16]) -> (usize, usize) {
    let found = Recording::new(heard, 8000).find(sound, 0);
    let pieces = pieces_after(heard, sound, found.map_or(0, |found| found.start));
    (pieces.iter().filter(|is_there| **is_there).count(), pieces.len())
}

/// Which of the loud pieces of a sound that begins at `start` are there.
fn pieces_after(heard: &[i16], sound: &[i16], start: usize) -> Vec<bool> {
    let is_there = |(nth, piece): (usize, &[i16])| {
        let due = start + nth * PIECE;
        let end = heard.len().min(due + PIECE + SLACK);
        let near = heard.get(due.saturating_sub(SLACK)..end).unwrap_or_default();
        Recording::new(near, 8000).find(piece, 0).is_some()
    };
    let pieces = sound.chunks_exact(PIECE).enumerate();
    pieces.filter(|(_, piece)| is_loud(piece)).map(is_there).collect()
}

/// Sound that went to somebody in one codec without a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The payload type of its packets.
    pub payload_type: u8,
    /// What they hold, decoded.
    pub samples: Vec<i16>,
}

/// What was sent to `listener` as G.711, in the order of the packets.
#[must_use]
pub fn sent_to(packets: &[Packet], listener: Ipv4Addr) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for packet in packets.iter().filter(|packet| *packet.destination.ip() == listener) {
        let (Some(&kind), Some(sound)) = (packet.payload.get(1), packet.payload.get(12..)) else {
            continue;
        };
        let payload_type = kind & 0x7f;
        let decode = match payload_type {
            0 => g711::decode_ulaw,
            8 => g711::decode_alaw,
            _ => continue,
        };
        if stretches.last().is_none_or(|last| last.payload_type != payload_type) {
            stretches.push(Stretch { payload_type, samples: Vec::new() });
        }
        let samples = sound.iter().map(|&byte| decode(byte));
        stretches.last_mut().expect("it was pushed").samples.extend(samples);
    }
    stretches
}

/// A tone at 8 kHz.
#[must_use]
pub fn tone(hertz: f64, samples: usize) -> Vec<i16> {
    let sample = |n: usize| (8000.0 * (TAU * hertz * n as f64 / 8000.0).sin()) as i16;
    (0..samples).map(sample).collect()
}

/// How long a tone is heard, in blocks of 20 ms that hold little else.
#[must_use]
pub fn blocks_of_tone(samples: &[i16], hertz: f64) -> usize {
    let holds_tone = |block: &&[i16]| {
        let energy: f64 = block.iter().map(|&it| f64::from(it) * f64::from(it)).sum();
        let part = |phase: f64| -> f64 {
            let wave = |n: usize| (TAU * hertz * n as f64 / 8000.0 + phase).sin();
            block.iter().enumerate().map(|(n, &it)| f64::from(it) * wave(n)).sum()
        };
        let power = (part(0.0).powi(2) + part(TAU / 4.0).powi(2)) * 2.0 / block.len() as f64;
        is_loud(block) && power > energy * 0.9
    };
    samples.chunks_exact(160).filter(holds_tone).count()
}

/// Loud enough to be told from anything else.
fn is_loud(piece: &[i16]) -> bool {
    let energy: f64 = piece.iter().map(|&sample| f64::from(sample) * f64::from(sample)).sum();
    energy / piece.len() as f64 > 200.0 * 200.0
}

/// 125 ms.
const PIECE: usize = 1000;

/// 100 ms.
const SLACK: usize = 800;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn sound() -> Vec<i16> {
        let sample = |n: i64| ((n * n / 37 % 199 - 99) * 100) as i16;
        (0..12_000).map(sample).collect()
    }

    fn recording(parts: &[&[i16]]) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        wav::write_to(&mut file, 8000, &parts.concat()).expect("memory can be written");
        file.into_inner()
    }

    #[test]
    fn a_tone_is_told_from_another_and_from_silence() {
        let heard = [tone(440.0, 1600), vec![0; 1600], tone(1000.0, 3200)].concat();
        assert_eq!(blocks_of_tone(&heard, 440.0), 10);
        assert_eq!(blocks_of_tone(&heard, 1000.0), 20);
        assert_eq!(blocks_of_tone(&heard, 700.0), 0);
    }

    #[test]
    fn noise_of_a_tenth_is_twenty_decibels_below() {
        let sound = tone(1000.0, 8000);
        let heard: Vec<i16> = sound.iter().map(|it| it + it / 10).collect();
        assert!((signal_to_noise(&heard, &sound) - 20.0).abs() < 0.1);
        assert!(signal_to_noise(&sound, &sound) > 90.0);
    }

    #[test]
    fn a_few_milliseconds_may_be_left_out_and_half_a_second_may_not() {
        let sound = sound();
        let silence = [0; 2000];
        assert!(holds(&recording(&[&silence, &sound, &silence]), &sound));
        assert!(holds(&recording(&[&silence, &sound[..5000], &sound[5080..]]), &sound));
        assert!(!holds(&recording(&[&silence, &sound[..4000], &sound[8000..]]), &sound));
        assert!(!holds(&recording(&[&silence, &sound[..8000], &silence, &silence]), &sound));
        assert!(!holds(&recording(&[&silence]), &sound));
    }
}
