//! Finds keys in the sound itself, for peers that send neither telephone events nor INFO.
//!
//! Eight Goertzel filters over blocks of 12.75 ms. A block shows a key if one tone of each group
//! stands out, the two are about equally loud and hold nearly all of the sound's energy; a key is
//! two such blocks in a row (ITU-T Q.24: 40 ms must be heard) and ends with two without.

use std::time::Duration;

use super::Digit;

/// Listens to one stream.
#[derive(Debug)]
pub(crate) struct Detector {
    filters: [Filter; 8],
    energy: f32,
    filled: usize,
    state: State,
}

#[derive(Debug, Clone, Copy)]
struct Filter {
    coefficient: f32,
    last: f32,
    before: f32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Quiet,
    /// One block showed it.
    Perhaps {
        digit: Digit,
    },
    Held {
        digit: Digit,
        blocks: u32,
        misses: u32,
        other: Option<Digit>,
    },
}

impl Detector {
    pub(crate) fn new() -> Self {
        let filters = FREQUENCIES.map(|hertz| Filter {
            coefficient: 2.0 * (std::f32::consts::TAU * hertz / 8000.0).cos(),
            last: 0.0,
            before: 0.0,
        });
        Self { filters, energy: 0.0, filled: 0, state: State::Quiet }
    }

    /// Takes samples in order; gives each key at its end, with how long it sounded.
    pub(crate) fn handle_samples(
        &mut self,
        samples: &[i16],
        mut report: impl FnMut(Digit, Duration),
    ) {
        for &sample in samples {
            let sample = f32::from(sample);
            self.energy += sample * sample;
            for filter in &mut self.filters {
                let next = filter.coefficient * filter.last - filter.before + sample;
                filter.before = filter.last;
                filter.last = next;
            }
            self.filled += 1;
            if self.filled == BLOCK {
                let digit = self.take_block();
                if let Some((digit, blocks)) = self.advance(digit) {
                    report(digit, Duration::from_micros(u64::from(blocks) * BLOCK as u64 * 125));
                }
            }
        }
    }

    /// The key that the block shows.
    fn take_block(&mut self) -> Option<Digit> {
        let total = self.energy;
        let powers = self.filters.each_mut().map(Filter::take);
        self.energy = 0.0;
        self.filled = 0;
        let (low, high) = powers.split_at(4);
        let (row, low) = strongest(low)?;
        let (column, high) = strongest(high)?;
        let loud = low >= QUIETEST && high >= QUIETEST;
        let balanced = high <= low * HIGH_LOUDER && low <= high * LOW_LOUDER;
        let pure = low + high >= PURE * total * (BLOCK as f32 / 2.0);
        (loud && balanced && pure).then(|| KEYPAD[row][column]).and_then(Digit::from_char)
    }

    /// Takes what one block shows; gives the key that ended by it.
    fn advance(&mut self, shown: Option<Digit>) -> Option<(Digit, u32)> {
        let mut ended = None;
        self.state = match (self.state, shown) {
            (State::Held { digit, blocks, .. }, Some(shown)) if shown == digit => {
                State::Held { digit, blocks: blocks.saturating_add(1), misses: 0, other: None }
            }
            (State::Held { digit, blocks, misses, other }, shown) => {
                if misses + 1 < MISSES {
                    State::Held { digit, blocks, misses: misses + 1, other: shown }
                } else {
                    ended = Some((digit, blocks));
                    match (other, shown) {
                        // The next key came without a pause.
                        (Some(other), Some(shown)) if other == shown => {
                            State::Held { digit: shown, blocks: 2, misses: 0, other: None }
                        }
                        (_, Some(digit)) => State::Perhaps { digit },
                        (_, None) => State::Quiet,
                    }
                }
            }
            (State::Perhaps { digit }, Some(shown)) if shown == digit => {
                State::Held { digit, blocks: 2, misses: 0, other: None }
            }
            (_, Some(digit)) => State::Perhaps { digit },
            (_, None) => State::Quiet,
        };
        ended
    }
}

impl Filter {
    /// The power of its frequency in the block; begins the next.
    fn take(&mut self) -> f32 {
        let (last, before) = (self.last, self.before);
        self.last = 0.0;
        self.before = 0.0;
        last * last + before * before - self.coefficient * last * before
    }
}

/// The strongest of a group, if it stands out from the others.
fn strongest(group: &[f32]) -> Option<(usize, f32)> {
    let (index, power) =
        group.iter().copied().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let alone = group
        .iter()
        .enumerate()
        .all(|(other, &other_power)| other == index || other_power * STANDS_OUT <= power);
    alone.then_some((index, power))
}

/// Low group, then high group, in hertz (ITU-T Q.23).
const FREQUENCIES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];

const KEYPAD: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Samples of a block: neighbours of a group, 73 Hz apart, fall into each other's null.
const BLOCK: usize = 102;

/// Blocks without it that end a key: 25 ms, less than the shortest pause (40 ms).
const MISSES: u32 = 2;

/// The power of a tone of -33 dBm0: amplitude 500 over half a block, squared.
const QUIETEST: f32 = 6.5e8;

/// The high tone may be 8 dB louder (networks grant 4 dB) ..
const HIGH_LOUDER: f32 = 6.3;

/// .. and the low tone 9 dB (lines grant 8 dB).
const LOW_LOUDER: f32 = 8.0;

/// By 7 dB a tone stands out of its group.
const STANDS_OUT: f32 = 5.0;

/// The share of all energy in the two tones: tones 1.5 % off still have it, speech has it not.
const PURE: f32 = 0.68;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    struct Sound {
        low: f64,
        high: f64,
        detune: f64,
        noise: f64,
    }

    const USUAL: Sound = Sound { low: 5000.0, high: 5000.0, detune: 1.0, noise: 0.0 };

    fn sound(keys: &str, sound: &Sound, tone_ms: usize, pause_ms: usize) -> Vec<i16> {
        let mut random = Entropy::new(9);
        let mut samples = vec![0; 333];
        for key in keys.chars() {
            let (low, high) = Digit::from_char(key).unwrap().frequencies();
            for n in 0..(tone_ms + pause_ms) * 8 {
                let angle = std::f64::consts::TAU * n as f64 / 8000.0 * sound.detune;
                let mut value = (random.fraction() - 0.5) * 2.0 * sound.noise;
                if n < tone_ms * 8 {
                    value += sound.low * (angle * f64::from(low)).sin()
                        + sound.high * (angle * f64::from(high)).sin();
                }
                samples.push(value as i16);
            }
        }
        samples.extend([0; 800]);
        samples
    }

    fn detect(samples: &[i16]) -> String {
        let mut detector = Detector::new();
        let mut keys = String::new();
        for frame in samples.chunks(160) {
            detector.handle_samples(frame, |digit, _| keys.push(digit.as_char()));
        }
        keys
    }

    const ALL: &str = "1234567890*#ABCD1100";

    #[test]
    fn every_key_is_heard_once_at_the_shortest_tone_and_pause() {
        assert_eq!(detect(&sound(ALL, &USUAL, 100, 100)), ALL);
        assert_eq!(detect(&sound(ALL, &USUAL, 40, 40)), ALL);
        assert_eq!(detect(&sound("1379", &USUAL, 60, 0)), "1379");
    }

    #[test]
    fn keys_are_heard_off_tune_unbalanced_faint_and_in_noise() {
        for detune in [0.985, 1.015] {
            assert_eq!(detect(&sound(ALL, &Sound { detune, ..USUAL }, 80, 80)), ALL, "{detune}");
        }
        assert_eq!(detect(&sound(ALL, &Sound { low: 2500.0, ..USUAL }, 80, 80)), ALL);
        assert_eq!(detect(&sound(ALL, &Sound { high: 2000.0, ..USUAL }, 80, 80)), ALL);
        let faint = Sound { low: 600.0, high: 600.0, ..USUAL };
        assert_eq!(detect(&sound(ALL, &faint, 80, 80)), ALL);
        assert_eq!(detect(&sound(ALL, &Sound { noise: 1200.0, ..USUAL }, 80, 80)), ALL);
    }

    #[test]
    fn single_tones_short_tones_noise_and_silence_are_no_keys() {
        assert_eq!(detect(&sound(ALL, &Sound { low: 0.0, ..USUAL }, 100, 100)), "");
        assert_eq!(detect(&sound(ALL, &USUAL, 12, 100)), "");
        assert_eq!(detect(&sound(ALL, &Sound { detune: 1.05, ..USUAL }, 100, 100)), "");
        let mut random = Entropy::new(3);
        let noise: Vec<i16> = (0..480_000).map(|_| random.next_u32() as i16 / 4).collect();
        assert_eq!(detect(&noise), "");
        assert_eq!(detect(&[0; 8000]), "");
    }

    #[test]
    fn call_progress_tones_are_no_keys() {
        for (low, high) in [(350.0, 440.0), (440.0, 480.0), (480.0, 620.0), (950.0, 1400.0)] {
            let samples: Vec<i16> = (0..80_000)
                .map(|n| {
                    let angle = std::f64::consts::TAU * f64::from(n) / 8000.0;
                    (6000.0 * ((angle * low).sin() + (angle * high).sin())) as i16
                })
                .collect();
            assert_eq!(detect(&samples), "", "{low}+{high}");
        }
    }

    #[test]
    fn a_key_says_how_long_it_sounded() {
        let mut detector = Detector::new();
        let mut held = vec![];
        detector.handle_samples(&sound("5", &USUAL, 200, 100), |_, duration| held.push(duration));
        assert_eq!(held.len(), 1);
        assert!((Duration::from_millis(170)..=Duration::from_millis(210)).contains(&held[0]));
    }
}
