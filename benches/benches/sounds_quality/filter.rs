//! What passes, and what passes that must not.

use std::error::Error;
use std::f64::consts::{PI, TAU};

use crate::converter::Converter;
use crate::fit::{Random, db, hann, spectrum};
use crate::{Figures, RATE};

/// Many tones at once, ten seconds of which fit each: level and phase at every one of them.
pub(crate) fn passband(converter: &Converter) -> Result<Figures, Box<dyn Error>> {
    let frequencies: Vec<f64> = [20, 30, 50, 70]
        .into_iter()
        .chain((100..3400).step_by(50))
        .chain([3400])
        .chain((3420..4000).step_by(20))
        .map(f64::from)
        .collect();
    let mut random = Random(3);
    let phases: Vec<f64> = frequencies.iter().map(|_| TAU * random.uniform()).collect();
    let amplitude = 0.7 / (frequencies.len() as f64 * 6.0).sqrt();
    let input: Vec<f64> = (0..converter.frames(12.0))
        .map(|n| {
            let time = n as f64 / f64::from(converter.rate);
            let tones = frequencies.iter().zip(&phases);
            tones.map(|(frequency, phase)| amplitude * (TAU * frequency * time + phase).cos()).sum()
        })
        .collect();
    let out = converter.convert(&input)?;
    let lines = spectrum(out.get(8000..88_000).ok_or("it is too short")?);
    let mut levels = vec![];
    let mut turned: Vec<f64> = vec![];
    for (frequency, phase) in frequencies.iter().zip(&phases) {
        let line = lines[(frequency * 10.0).round() as usize];
        levels.push(db(line.norm() / amplitude));
        // The first second passed before.
        let turn = line.arg() - phase - TAU * frequency;
        let before = turned.last().copied().unwrap_or(0.0);
        turned.push(before + (turn - before + PI).rem_euclid(TAU) - PI);
    }
    let band: Vec<usize> =
        (0..frequencies.len()).filter(|&n| (100.0..=3400.0).contains(&frequencies[n])).collect();
    let in_band = || band.iter().map(|&n| levels[n]);
    let ripple = in_band().fold(f64::MIN, f64::max) - in_band().fold(f64::MAX, f64::min);
    let falls = |by: f64| {
        let at = (1..levels.len()).find(|&n| frequencies[n] > 1000.0 && levels[n] < -by)?;
        let share = (levels[at - 1] + by) / (levels[at - 1] - levels[at]);
        Some(frequencies[at - 1] + (frequencies[at] - frequencies[at - 1]) * share)
    };
    let falls = |by| falls(by).map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
    // Group delay at each tone, from its neighbours; delay as the slope of it all.
    let delays: Vec<f64> = band
        .windows(3)
        .map(|three| {
            let (before, after) = (three[0], three[2]);
            (turned[before] - turned[after]) / (frequencies[after] - frequencies[before]) / TAU
        })
        .collect();
    let (least, most) = delays
        .iter()
        .fold((f64::MAX, f64::MIN), |(least, most), &it| (least.min(it), most.max(it)));
    let mean =
        |of: &dyn Fn(usize) -> f64| band.iter().map(|&n| of(n)).sum::<f64>() / band.len() as f64;
    let (middle, turn) = (mean(&|n| frequencies[n]), mean(&|n| turned[n]));
    let slope = mean(&|n| (frequencies[n] - middle) * (turned[n] - turn))
        / mean(&|n| (frequencies[n] - middle).powi(2));
    Ok(vec![
        ("ripple 100-3,400 Hz, dB", format!("{ripple:.5}")),
        ("-0.1 dB at, Hz", falls(0.1)),
        ("-3 dB at, Hz", falls(3.0)),
        ("delay, samples", format!("{:.4}", -slope / TAU * RATE)),
        ("spread of group delay, us", format!("{:.2}", (most - least) * 1e6)),
    ])
}

/// Single tones that do not fit, in noise that keeps rounding from hiding them; what the noise alone
/// becomes is taken away.
pub(crate) fn aliases(converter: &Converter) -> Result<Figures, Box<dyn Error>> {
    const TONES: [u32; 31] = [
        4010, 4030, 4060, 4100, 4150, 4200, 4300, 4403, 4605, 5003, 5503, 6007, 7003, 7907, 8203,
        9007, 10_007, 11_003, 12_107, 13_007, 14_003, 15_007, 15_803, 16_211, 17_011, 18_013,
        19_013, 20_011, 21_013, 22_013, 23_011,
    ];
    let rate = f64::from(converter.rate);
    let mut random = Random(7);
    let noise: Vec<f64> = (0..converter.frames(12.0))
        .map(|_| random.normal() * 10.0_f64.powf(-75.0 / 20.0))
        .collect();
    let without = converter.convert(&noise)?;
    let window = hann(80_000);
    let gain: f64 = window.iter().sum::<f64>() / 80_000.0;
    let mut worst = [f64::MIN; 4];
    for tone in TONES.map(f64::from).into_iter().filter(|&it| it < rate / 2.0 - 500.0) {
        let input = noise
            .iter()
            .enumerate()
            .map(|(n, noise)| LEVEL * (1.0 - 1e-4) * (TAU * tone * n as f64 / rate).sin() + noise);
        let out = converter.convert(&input.collect::<Vec<_>>())?;
        let (Some(out), Some(without)) = (out.get(8000..88_000), without.get(8000..88_000)) else {
            return Err("it is too short".into());
        };
        let rest: Vec<f64> =
            out.iter().zip(without).zip(&window).map(|((a, b), window)| (a - b) * window).collect();
        let lines = spectrum(&rest);
        let lands = ((tone + RATE / 2.0).rem_euclid(RATE) - RATE / 2.0).abs();
        let at = (lands * 10.0).round() as usize;
        let near = &lines[at.saturating_sub(2)..(at + 3).min(lines.len())];
        let level = near.iter().map(|line| line.norm()).fold(0.0, f64::max) / gain / LEVEL;
        let band = match tone {
            _ if tone <= 4100.0 => 0,
            _ if tone <= 4405.0 => 1,
            _ if tone <= 5010.0 => 2,
            _ => 3,
        };
        worst[band] = worst[band].max(db(level));
    }
    let names = [
        "alias of 4.0-4.1 kHz, dB",
        "alias of 4.1-4.4 kHz, dB",
        "alias of 4.4-5 kHz, dB",
        "alias of 5 kHz and above, dB",
    ];
    let rows = names.into_iter().zip(worst).filter(|row| row.1 > f64::MIN);
    Ok(rows.map(|(name, worst)| (name, format!("{worst:.1}"))).collect())
}

/// -1 dBFS.
const LEVEL: f64 = 0.8913;
