//! What is added to a tone, and to silence.

use std::error::Error;
use std::f64::consts::TAU;

use crate::converter::Converter;
use crate::fit::{db, hann, sine, spectrum};
use crate::{Figures, RATE};

/// A tone of 997 Hz at several levels; digital silence.
pub(crate) fn noise(converter: &Converter) -> Result<Figures, Box<dyn Error>> {
    let tone = |amplitude: f64| -> Result<Vec<f64>, Box<dyn Error>> {
        let step = TAU * TONE / f64::from(converter.rate);
        let input = (0..converter.frames(8.0)).map(|n| amplitude * (step * n as f64).sin());
        let out = converter.convert(&input.collect::<Vec<_>>())?;
        Ok(out.get(8000..56_000).ok_or("it is too short")?.to_vec())
    };
    let mut figures = vec![];
    for (name, level) in [("THD+N at -1 dBFS, dB", -1.0), ("THD+N at -20 dBFS, dB", -20.0)] {
        let (amplitude, rest) = sine(&tone(10.0_f64.powf(level / 20.0))?, TONE / RATE);
        figures.push((name, format!("{:.2}", db(residue(&rest) / amplitude))));
    }
    let (amplitude, rest) = sine(&tone(0.001)?, TONE / RATE);
    figures.push(("worst spur at -60 dBFS, dBc", format!("{:.1}", db(spur(&rest) / amplitude))));
    let (amplitude, _) = sine(&tone(10.0_f64.powf(-4.5))?, TONE / RATE);
    figures.push(("level of a tone of -90 dBFS", format!("{:.2}", db(amplitude))));
    let silence = converter.convert(&vec![0.0; converter.frames(2.0)])?;
    let most = silence.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
    figures.push(("silence becomes, steps of 16 bits", format!("{:.0}", most * 32_768.0)));
    Ok(figures)
}

const TONE: f64 = 997.0;

/// The amplitude of a tone of the same power as all above 20 Hz.
fn residue(rest: &[f64]) -> f64 {
    let window = hann(rest.len());
    let weighted: Vec<f64> = rest.iter().zip(&window).map(|(a, b)| a * b).collect();
    let lines = spectrum(&weighted);
    // Lines are a sixth of a hertz apart. Each is scaled to amplitude: half its square is its power.
    let power: f64 = lines.iter().skip(120).map(|line| line.norm_sqr() / 2.0).sum();
    let share = window.iter().map(|it| it * it).sum::<f64>() / rest.len() as f64;
    (2.0 * power / share).sqrt()
}

/// The greatest single line away from the tone.
fn spur(rest: &[f64]) -> f64 {
    let len = rest.len();
    // Blackman's window: what is strong does not reach far.
    let step = TAU / (len - 1) as f64;
    let window = |n: usize| {
        let at = step * n as f64;
        0.42 - 0.5 * at.cos() + 0.08 * (2.0 * at).cos()
    };
    let weighted: Vec<f64> = rest.iter().enumerate().map(|(n, it)| it * window(n)).collect();
    let gain = (0..len).map(window).sum::<f64>() / len as f64;
    let tone = (TONE / RATE * len as f64).round() as usize;
    let lines = spectrum(&weighted);
    let away = lines.iter().enumerate().skip(60).filter(|(n, _)| n.abs_diff(tone) > 12);
    away.map(|(_, line)| line.norm()).fold(0.0, f64::max) / gain
}
