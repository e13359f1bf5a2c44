//! What a phone heard, compared with what was said to it.

use diesis_sounds::format::wav;
use diesis_sounds::locate::Recording;

/// Whether a recording (a WAV file at 8 kHz) holds a sound from its beginning to its end.
///
/// Phones follow the clock of others by leaving out or repeating some milliseconds: each eighth of a
/// second of the sound is looked for by itself, and of two that follow each other one must be there.
#[must_use]
pub fn holds(recording: &[u8], sound: &[i16]) -> bool {
    let heard = wav::parse(recording).map_or(Vec::new(), |sound| sound.samples);
    let recording = Recording::new(&heard, 8000);
    let Some(first) = recording.find(sound, 0) else { return false };
    let is_there = |(nth, piece): (usize, &[i16])| {
        let due = first.start + nth * PIECE;
        let found = recording.find(piece, due.saturating_sub(SLACK));
        found.is_some_and(|found| found.start <= due + SLACK)
    };
    let pieces = sound.chunks_exact(PIECE).enumerate();
    let there: Vec<bool> = pieces.filter(|(_, piece)| is_loud(piece)).map(is_there).collect();
    there.windows(2).all(|two| two[0] || two[1])
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
