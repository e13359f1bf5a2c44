//! What has to be heard, and what must not be (ITU-T Q.24), dimension by dimension, through the
//! quantiser of mu-law.

use diesis_sounds::{g711, prompts};

use super::*;
use crate::{entropy::Entropy, media::talk::testing::Speaker};

/// One key after the other, each with phases and an alignment of its own.
#[derive(Clone, Copy)]
struct Keys {
    /// In milliseconds.
    tone: usize,
    pause: usize,
    /// In dBm0.
    low: f32,
    high: f32,
    /// Frequencies in per cent.
    low_off: f32,
    high_off: f32,
    /// Signal to white noise, in decibels.
    noise: Option<f32>,
    /// In dBm0, 350 and 440 Hz each.
    dial_tone: Option<f32>,
    seed: u64,
}

const USUAL: Keys = Keys {
    tone: 80,
    pause: 80,
    low: -9.0,
    high: -9.0,
    low_off: 0.0,
    high_off: 0.0,
    noise: None,
    dial_tone: None,
    seed: 1,
};

const ALL: &str = "1234567890*#ABCD1100";

/// The amplitude of a sine of so many dBm0.
fn amplitude(level: f32) -> f32 {
    22_300.0 * 10_f32.powf(level / 20.0)
}

fn between(random: &mut Entropy, low: f32, high: f32) -> f32 {
    low + (high - low) * (random.next_u64() >> 40) as f32 / (1 << 24) as f32
}

fn sine(hertz: f32, phase: f32, at: usize) -> f32 {
    (std::f64::consts::TAU * f64::from(hertz) * at as f64 / 8000.0 + f64::from(phase)).sin() as f32
}

fn sound(keys: Keys) -> Vec<i16> {
    let mut random = Entropy::new(keys.seed);
    let lead = 2400 + (random.next_u64() % 160) as usize;
    let mut samples = vec![0.0_f32; lead];
    for key in ALL.chars() {
        let (low, high) = Digit::from_char(key).expect("a key").frequencies();
        let low = low as f32 * (1.0 + keys.low_off / 100.0);
        let high = high as f32 * (1.0 + keys.high_off / 100.0);
        let phases = [between(&mut random, 0.0, 6.0), between(&mut random, 0.0, 6.0)];
        let tone = (0..keys.tone * 8).map(|at| {
            amplitude(keys.low) * sine(low, phases[0], at)
                + amplitude(keys.high) * sine(high, phases[1], at)
        });
        samples.extend(tone);
        let pause = keys.pause * 8 + (random.next_u64() % 80) as usize;
        samples.extend(std::iter::repeat_n(0.0, pause));
    }
    samples.extend([0.0; 800]);
    if let Some(ratio) = keys.noise {
        let power = (amplitude(keys.low).powi(2) + amplitude(keys.high).powi(2)) / 2.0;
        // Evenly spread noise has a third of its peak's square.
        let peak = (3.0 * power / 10_f32.powf(ratio / 10.0)).sqrt();
        samples.iter_mut().for_each(|sample| *sample += between(&mut random, -peak, peak));
    }
    if let Some(level) = keys.dial_tone {
        for (at, sample) in samples.iter_mut().enumerate() {
            *sample += amplitude(level) * (sine(350.0, 0.3, at) + sine(440.0, 1.1, at));
        }
    }
    let quantised = |sample: &f32| g711::decode_ulaw(g711::encode_ulaw(*sample as i16));
    samples.iter().map(quantised).collect()
}

fn heard(samples: &[i16]) -> String {
    let mut detector = Detector::new();
    let mut keys = String::new();
    for frame in samples.chunks(160) {
        detector.handle_samples(frame, |digit, _| keys.push(digit.as_char()));
    }
    keys
}

/// Hears all keys with this many phases and alignments of each.
#[track_caller]
fn all_heard(what: &str, keys: Keys, seeds: u64) {
    for seed in 1..=seeds {
        assert_eq!(heard(&sound(Keys { seed, ..keys })), ALL, "{what}, seed {seed}");
    }
}

#[track_caller]
fn none_heard(what: &str, keys: Keys, seeds: u64) {
    for seed in 1..=seeds {
        assert_eq!(heard(&sound(Keys { seed, ..keys })), "", "{what}, seed {seed}");
    }
}

#[test]
fn keys_of_40_to_400_ms_with_pauses_of_40_ms_and_more() {
    for tone in [40, 45, 50, 70, 100, 200, 400] {
        for pause in [40, 50, 80, 150] {
            all_heard(&format!("{tone} ms, pause {pause} ms"), Keys { tone, pause, ..USUAL }, 4);
        }
    }
}

#[test]
fn keys_in_noise_of_20_to_5_db() {
    for ratio in [20.0, 15.0, 10.0, 7.0, 5.0] {
        for tone in [50, 80, 200, 400] {
            if tone < 80 && ratio < 10.0 {
                continue;
            }
            let keys = Keys { noise: Some(ratio), tone, ..USUAL };
            all_heard(&format!("{ratio} dB, {tone} ms"), keys, 6);
        }
    }
}

#[test]
fn either_tone_may_be_the_louder_one() {
    for (low, high) in [(-9.0, -17.0), (-9.0, -15.0), (-9.0, -12.0), (-12.0, -9.0), (-13.0, -9.0)] {
        for tone in [40, 80] {
            all_heard(&format!("{low}, {high} dBm0"), Keys { low, high, tone, ..USUAL }, 4);
        }
    }
    for (low, high) in [(-6.0, -21.0), (-21.0, -6.0)] {
        none_heard(&format!("{low}, {high} dBm0"), Keys { low, high, ..USUAL }, 4);
    }
}

#[test]
fn tones_may_be_off_by_one_and_a_half_per_cent_and_not_by_three_and_a_half() {
    for off in [-1.5, 1.5] {
        for (low_off, high_off) in [(off, 0.0), (0.0, off), (off, off), (off, -off)] {
            for tone in [40, 80, 300] {
                let keys = Keys { low_off, high_off, tone, ..USUAL };
                all_heard(&format!("{low_off} %, {high_off} %, {tone} ms"), keys, 3);
            }
        }
    }
    for off in [-3.5, 3.5] {
        for (low_off, high_off) in [(off, 0.0), (0.0, off), (off, off), (off, -off)] {
            for (low, high) in [(-9.0, -9.0), (-9.0, -15.0), (-12.0, -9.0)] {
                for tone in [40, 80, 300] {
                    let keys = Keys { low_off, high_off, low, high, tone, ..USUAL };
                    none_heard(&format!("{low_off} %, {high_off} %, {tone} ms"), keys, 3);
                }
            }
        }
    }
}

#[test]
fn keys_from_3_to_30_db_below_full_level() {
    for level in [-3.0, -6.0, -12.0, -18.0, -24.0, -30.0] {
        for tone in [40, 80] {
            let keys = Keys { low: level, high: level, tone, ..USUAL };
            all_heard(&format!("{level} dBm0"), keys, 4);
        }
    }
    none_heard("-45 dBm0", Keys { low: -45.0, high: -45.0, ..USUAL }, 2);
}

#[test]
fn keys_on_top_of_a_dial_tone() {
    for level in [-25.0, -18.0, -14.0, -11.0, -9.0] {
        for tone in [50, 80, 200] {
            let keys = Keys { dial_tone: Some(level), tone, ..USUAL };
            all_heard(&format!("dial tone of {level} dBm0, {tone} ms"), keys, 4);
        }
    }
}

#[test]
fn half_an_hour_of_speech_has_no_key() {
    let mut detector = Detector::new();
    let mut speaker = Speaker::new(42);
    let mut samples = 0;
    let mut keys = Vec::new();
    while samples < 30 * 60 * 8000 {
        let words = speaker.words(10_000);
        detector.handle_samples(&words, |digit, duration| keys.push((digit, duration)));
        samples += words.len();
    }
    assert_eq!(keys, []);
}

#[test]
fn the_prompts_have_no_key() {
    let library = prompts::Library::new();
    let mut heard = Vec::new();
    for name in prompts::embedded_names() {
        let (language, name) = name.split_once('/').expect("a language");
        let prompt = library.load(name, language).expect("a prompt");
        // At several levels and turned: the detector's blocks fall elsewhere.
        for (shift, louder) in [(0, 1), (37, 2), (71, 1)] {
            let mut detector = Detector::new();
            let samples: Vec<i16> =
                prompt.samples.iter().skip(shift).map(|it| it.saturating_mul(louder)).collect();
            detector.handle_samples(&samples, |digit, _| heard.push((name.to_owned(), digit)));
        }
    }
    assert_eq!(heard, []);
}
