//! Finds keys in the sound itself, for peers that send neither telephone events nor INFO.
//!
//! Eight Goertzel filters over blocks of 12.75 ms. A block shows a key if one tone of each group
//! stands out, the two are about equally loud and hold nearly all of the sound's energy; a key is
//! two such blocks in a row (ITU-T Q.24: 40 ms must be heard) and ends with two without. How the
//! phases of the tones go on from block to block tells their frequencies: a key that is off by more
//! than 2.5 % is none. A dial tone that sounded before the key is left out of account.

use std::time::Duration;

use super::Digit;

/// Listens to one stream.
#[derive(Debug)]
pub(crate) struct Detector {
    filters: [Filter; 8],
    energy: f32,
    dial_tone: DialTone,
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
    Perhaps(Shown),
    Held {
        shown: Shown,
        drift: Drift,
        blocks: u32,
        misses: u32,
        other: Option<Shown>,
    },
}

/// What one block shows: a key, and where its tones are in their turn.
#[derive(Debug, Clone, Copy)]
struct Shown {
    digit: Digit,
    tones: [Tone; 2],
    /// The share of all energy that is in each.
    shares: [f32; 2],
}

/// One of the two tones of a key in one block.
#[derive(Debug, Clone, Copy)]
struct Tone {
    hertz: f32,
    value: Complex,
}

#[derive(Debug, Clone, Copy, Default)]
struct Complex {
    real: f32,
    imaginary: f32,
}

/// What is known of a key that sounds: how pure it is, and how its tones turn from block to block
/// beside what their frequencies make them.
#[derive(Debug, Clone, Copy, Default)]
struct Drift {
    turns: [Complex; 2],
    /// What the turns would add up to if all were alike.
    lengths: [f32; 2],
    /// Of all blocks so far.
    purity: f32,
    /// The shares of the purest block.
    best: [f32; 2],
}

/// Whether there is a steady tone below the keys', and how strong.
#[derive(Debug, Clone, Copy, Default)]
struct DialTone {
    notches: [Notch; 2],
    /// Energy of the block without what is near the notches.
    rest: f32,
    /// What was near them in the block before, and for how many blocks about the same.
    level: f32,
    steady: u32,
}

/// Takes one frequency out.
#[derive(Debug, Clone, Copy, Default)]
struct Notch {
    turn: f32,
    taken: [f32; 2],
    given: [f32; 2],
}

impl Detector {
    pub(crate) fn new() -> Self {
        let filters = FREQUENCIES.map(|hertz| Filter {
            coefficient: 2.0 * (std::f32::consts::TAU * hertz / 8000.0).cos(),
            last: 0.0,
            before: 0.0,
        });
        let dial_tone = DialTone::new();
        Self { filters, energy: 0.0, dial_tone, filled: 0, state: State::Quiet }
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
            self.dial_tone.handle_sample(sample);
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
    fn take_block(&mut self) -> Option<Shown> {
        let total = self.dial_tone.take_block(self.energy);
        let values = self.filters.each_mut().map(Filter::take);
        let powers = values.map(Complex::power);
        self.energy = 0.0;
        self.filled = 0;
        let (low, high) = powers.split_at(4);
        let (row, low) = strongest(low)?;
        let (column, high) = strongest(high)?;
        let loud = low >= QUIETEST && high >= QUIETEST;
        let balanced = high <= low * HIGH_LOUDER && low <= high * LOW_LOUDER;
        let shares = [low, high].map(|power| power / (total * (BLOCK as f32 / 2.0)).max(1.0));
        if !(loud && balanced && shares[0] + shares[1] >= PURE) {
            return None;
        }
        let tone = |at: usize| Tone { hertz: FREQUENCIES[at], value: values[at] };
        let digit = Digit::from_char(KEYPAD[row][column])?;
        Some(Shown { digit, tones: [tone(row), tone(4 + column)], shares })
    }

    /// Takes what one block shows; gives the key that ended by it.
    fn advance(&mut self, now: Option<Shown>) -> Option<(Digit, u32)> {
        let mut ended = None;
        self.state = match (self.state, now) {
            (State::Held { shown, mut drift, blocks, misses, .. }, Some(now))
                if now.digit == shown.digit =>
            {
                // Across a gap nothing is known of the turns.
                if misses == 0 {
                    drift.add(&shown, &now);
                }
                drift.measure(&now);
                let blocks = blocks.saturating_add(1);
                State::Held { shown: now, drift, blocks, misses: 0, other: None }
            }
            (State::Held { shown, drift, blocks, misses, other }, now) => {
                if misses + 1 < MISSES {
                    State::Held { shown, drift, blocks, misses: misses + 1, other: now }
                } else {
                    ended = drift.is_key(&shown, blocks).then_some((shown.digit, blocks));
                    match (other, now) {
                        // The next key came without a pause.
                        (Some(other), Some(now)) if other.digit == now.digit => held(&other, now),
                        (_, Some(now)) => State::Perhaps(now),
                        (_, None) => State::Quiet,
                    }
                }
            }
            (State::Perhaps(shown), Some(now)) if now.digit == shown.digit => held(&shown, now),
            (_, Some(now)) => State::Perhaps(now),
            (_, None) => State::Quiet,
        };
        ended
    }
}

/// A key that two blocks showed.
fn held(before: &Shown, now: Shown) -> State {
    let mut drift = Drift::default();
    drift.measure(before);
    drift.measure(&now);
    drift.add(before, &now);
    State::Held { shown: now, drift, blocks: 2, misses: 0, other: None }
}

impl Drift {
    fn add(&mut self, before: &Shown, now: &Shown) {
        let tones = before.tones.iter().zip(&now.tones);
        let sums = self.turns.iter_mut().zip(&mut self.lengths);
        for ((sum, length), (before, now)) in sums.zip(tones) {
            // A block ends a block later: so far the tone itself turns.
            let turn = std::f32::consts::TAU * now.hertz * BLOCK as f32 / 8000.0;
            let turned = now.value.times_conjugate(before.value).turned_back(turn);
            sum.real += turned.real;
            sum.imaginary += turned.imaginary;
            *length += turned.power().sqrt();
        }
    }

    fn measure(&mut self, shown: &Shown) {
        let sum = |shares: [f32; 2]| shares[0] + shares[1];
        self.purity += sum(shown.shares);
        if sum(shown.shares) > sum(self.best) {
            self.best = shown.shares;
        }
    }

    /// Whether it was a key: pure enough, and both tones near enough to the frequencies they should
    /// have. Up to 39 Hz can be told; what is further off is too faint in its filter.
    fn is_key(&self, shown: &Shown, blocks: u32) -> bool {
        let mut best = 0.0;
        let turns = self.turns.iter().zip(&self.lengths).zip(&shown.tones);
        for (((sum, length), tone), share) in turns.zip(&self.best) {
            if sum.power() < EVEN * EVEN * length * length {
                return false;
            }
            let turn = sum.imaginary.atan2(sum.real);
            let hertz = turn * 8000.0 / (std::f32::consts::TAU * BLOCK as f32);
            if hertz.abs() > OFF_TUNE * tone.hertz {
                return false;
            }
            // What is off by so much is fainter in its filter by this.
            let half = turn / 2.0;
            let seen = if half.abs() < 1e-3 { 1.0 } else { half.sin() / half };
            best += share / (seen * seen);
        }
        if blocks < LONG { best >= PURE_SHORT } else { self.purity >= PURE_LONG * blocks as f32 }
    }
}

impl Complex {
    fn power(self) -> f32 {
        self.real * self.real + self.imaginary * self.imaginary
    }

    fn times_conjugate(self, other: Self) -> Self {
        Self {
            real: self.real * other.real + self.imaginary * other.imaginary,
            imaginary: self.imaginary * other.real - self.real * other.imaginary,
        }
    }

    fn turned_back(self, angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        self.times_conjugate(Self { real: cos, imaginary: sin })
    }
}

impl DialTone {
    fn new() -> Self {
        let notches = DIAL_TONES.map(|hertz| Notch {
            turn: 2.0 * (std::f32::consts::TAU * hertz / 8000.0).cos(),
            ..Notch::default()
        });
        Self { notches, ..Self::default() }
    }

    fn handle_sample(&mut self, sample: f32) {
        let [one, two] = &mut self.notches;
        let rest = two.process(one.process(sample));
        self.rest += rest * rest;
    }

    /// What of a block's energy counts: without a dial tone, all.
    fn take_block(&mut self, energy: f32) -> f32 {
        let rest = (std::mem::take(&mut self.rest) * LIFTED).min(energy);
        let near = energy - rest;
        let is_same =
            near >= FAINTEST && near >= self.level * STEADY && near * STEADY <= self.level;
        let is_established = self.steady >= ESTABLISHED;
        if is_same && (is_established || near >= ALONE * energy) {
            self.steady = self.steady.saturating_add(1);
        } else {
            self.steady = 0;
        }
        if self.steady == 0 || !is_established {
            // A key adds to it: the level is the one before.
            self.level = near;
        }
        if self.steady > ESTABLISHED { rest } else { energy }
    }
}

impl Notch {
    fn process(&mut self, sample: f32) -> f32 {
        let [one, two] = self.taken;
        let [before, earlier] = self.given;
        let given = sample - self.turn * one + two + self.turn * NARROW * before
            - NARROW * NARROW * earlier;
        self.taken = [sample, one];
        self.given = [given, before];
        given
    }
}

impl Filter {
    /// Its frequency in the block, as seen from its end; begins the next.
    fn take(&mut self) -> Complex {
        let (last, before) = (self.last, self.before);
        self.last = 0.0;
        self.before = 0.0;
        let cos = self.coefficient / 2.0;
        let sin = (1.0 - cos * cos).max(0.0).sqrt();
        Complex { real: last - before * cos, imaginary: before * sin }
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

/// .. and the low tone 11 dB (lines grant 8 dB).
const LOW_LOUDER: f32 = 12.6;

/// By 7 dB a tone stands out of its group.
const STANDS_OUT: f32 = 5.0;

/// The share of all energy that is in the two tones of each block: through noise of 5 dB, or 1.5 %
/// off, they still have it.
const PURE: f32 = 0.6;

/// The same of all blocks of a key on average ..
const PURE_LONG: f32 = 0.66;

/// .. and of the purest block of a short one: speech is like a key for a moment, noise lasts.
const PURE_SHORT: f32 = 0.86;

/// So many blocks are long.
const LONG: u32 = 5;

/// Tones that are off by less are heard; 1.5 % must be and 3.5 % must not (ITU-T Q.24).
const OFF_TUNE: f32 = 0.025;

/// How alike the turns of a key's tones are; a voice glides.
const EVEN: f32 = 0.92;

/// In hertz: between them lie the dial tones of 400, 425 and 440 Hz, beside them 450 Hz.
const DIAL_TONES: [f32; 2] = [350.0, 437.0];

/// How near to a notch sound is taken out: by half, 90 Hz off.
const NARROW: f32 = 0.93;

/// The notches make what is far from them louder, by so much in all.
const LIFTED: f32 = 0.78;

/// The energy of a block of a tone of -38 dBm0.
const FAINTEST: f32 = 4e6;

/// A dial tone's energy changes by less than this from block to block ..
const STEADY: f32 = 0.6;

/// .. for more than so many blocks, 50 ms ..
const ESTABLISHED: u32 = 4;

/// .. in which it is nearly all there is.
const ALONE: f32 = 0.8;

#[cfg(test)]
mod matrix;

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
