//! Keys as sound (ITU-T Q.23): made and heard apart from the engine's own.

use std::f64::consts::TAU;

/// A key's two tones at 8 kHz, each at so many steps of 16-bit samples.
///
/// # Panics
/// When there is no such key.
#[must_use]
pub fn tones(key: char, milliseconds: usize, low: f64, high: f64) -> Vec<i16> {
    let at = KEYS.find(key).expect("a key");
    let (row, column) = (LOW[at / 4], HIGH[at % 4]);
    let sample = |n: usize| {
        let wave = |hertz: f64| (TAU * hertz * n as f64 / 8000.0).sin();
        (low * wave(row) + high * wave(column)) as i16
    };
    (0..8 * milliseconds).map(sample).collect()
}

/// Noise whose mean power is that of a sine of this amplitude.
#[must_use]
pub fn noise(samples: usize, amplitude: f64) -> Vec<i16> {
    let mut state = 0x9e37_79b9_u32;
    // Uniform between -1 and 1: a third of the power of the greatest.
    let scale = amplitude * 1.5_f64.sqrt();
    let mut sample = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (scale * (f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0)) as i16
    };
    (0..samples).map(|_| sample()).collect()
}

/// The keys in a recording at 8 kHz: whatever sounds for two blocks of 10 ms at least.
#[must_use]
pub fn heard(samples: &[i16]) -> String {
    let mut keys = String::new();
    let mut present = (None, 0);
    for block in samples.chunks_exact(80) {
        let key = key_in(block);
        present = if key == present.0 { (key, present.1 + 1) } else { (key, 1) };
        if let (Some(key), 2) = present {
            keys.push(key);
        }
    }
    keys
}

/// The key whose two tones make up nearly all of a block.
fn key_in(block: &[i16]) -> Option<char> {
    let energy: f64 = block.iter().map(|&it| f64::from(it).powi(2)).sum();
    let power = |hertz: f64| {
        let part = |phase: f64| -> f64 {
            let wave = |n: usize| (TAU * hertz * n as f64 / 8000.0 + phase).sin();
            block.iter().enumerate().map(|(n, &it)| f64::from(it) * wave(n)).sum()
        };
        (part(0.0).powi(2) + part(TAU / 4.0).powi(2)) * 2.0 / block.len() as f64
    };
    let best = |tones: [f64; 4]| {
        let powers = tones.map(power).into_iter().enumerate();
        powers.max_by(|a, b| a.1.total_cmp(&b.1)).expect("there are four")
    };
    let ((row, low), (column, high)) = (best(LOW), best(HIGH));
    let is_loud = energy / block.len() as f64 > 200.0 * 200.0;
    let both = low.min(high) > energy * 0.1 && low + high > energy * 0.6;
    (is_loud && both).then(|| KEYS.as_bytes()[row * 4 + column].into())
}

/// By row and column.
const KEYS: &str = "123A456B789C*0#D";
const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_heard_once_and_nothing_in_noise() {
        let sound = |key| [tones(key, 80, 6000.0, 7000.0), vec![0; 400]].concat();
        let all: Vec<i16> = KEYS.chars().flat_map(sound).collect();
        assert_eq!(heard(&all), KEYS);
        assert_eq!(heard(&noise(80_000, 8000.0)), "");
    }
}
