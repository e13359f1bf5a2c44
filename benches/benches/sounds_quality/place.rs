//! Where things come to lie in time, and what rings around them.

use std::error::Error;

use crate::converter::Converter;
use crate::fit::db;
use crate::{Figures, RATE};

/// How far clicks lie from where they belong; how long what comes out is.
pub(crate) fn place(converter: &Converter) -> Result<Figures, Box<dyn Error>> {
    let rate = f64::from(converter.rate);
    let places = [0.25, 1.0, 2.0, 2.9].map(|seconds| (seconds * rate) as usize);
    let mut input = vec![0.0; converter.frames(3.0)];
    for place in places {
        input[place] = 0.9;
    }
    let out = converter.convert(&input)?;
    let offset = |place: usize| {
        let wanted = place as f64 / rate * RATE;
        let near = (wanted as usize).saturating_sub(40);
        let end = (near + 80).min(out.len());
        let found = (near..end).max_by(|&a, &b| out[a].abs().total_cmp(&out[b].abs()))?;
        let [before, top, after] = [found.checked_sub(1)?, found, found + 1].map(|n| out.get(n));
        let (before, top, after) = (before?.abs(), top?.abs(), after?.abs());
        // A parabola through three samples.
        let between = 0.5 * (before - after) / (before - 2.0 * top + after);
        Some(found as f64 + between - wanted)
    };
    let worst = places.into_iter().filter_map(offset).max_by(|a, b| a.abs().total_cmp(&b.abs()));
    let mut wrong = 0;
    let second = converter.frames(1.0);
    let lengths =
        [3 * second, 3 * second + 1, 3 * second + 7, 3 * second - 1, 12_345, 441, 100, 3, 1];
    for len in lengths {
        let made = converter.convert(&vec![0.1; len]).map_or(usize::MAX, |made| made.len());
        wrong += usize::from(made != (len as f64 / rate * RATE).round() as usize);
    }
    Ok(vec![
        ("clicks lie off by, samples", worst.map_or_else(|| "-".into(), |it| format!("{it:.3}"))),
        ("lengths of nine that are not rounded", wrong.to_string()),
    ])
}

/// The greatest sample in some milliseconds before and after a click.
pub(crate) fn ring(converter: &Converter) -> Result<Figures, Box<dyn Error>> {
    let mut input = vec![0.0; converter.frames(2.0)];
    // Where a sample of both rates lies.
    let middle = converter.frames(1.0);
    input[middle] = 0.99;
    let out = converter.convert(&input)?;
    let peak = (0..out.len()).max_by(|&a, &b| out[a].abs().total_cmp(&out[b].abs()));
    let peak = peak.filter(|&it| out[it] != 0.0).ok_or("the click is lost")?;
    let within = |from: f64, to: f64| {
        let [from, to] = [from, to].map(|ms| peak as f64 + (ms * RATE / 1000.0).trunc());
        let from = from.max(0.0) as usize;
        let part = out.get(from..(to.max(0.0) as usize).min(out.len())).unwrap_or_default();
        let most = part.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
        format!("{:.1}", db(most / out[peak]))
    };
    Ok(vec![
        ("ringing 0.5-1 ms before, dB", within(-1.0, -0.5)),
        ("ringing 1-3 ms before, dB", within(-3.0, -1.0)),
        ("ringing 3-10 ms before, dB", within(-10.0, -3.0)),
        ("ringing 0.5-1 ms after, dB", within(0.6, 1.1)),
        ("ringing 1-3 ms after, dB", within(1.1, 3.0)),
        ("ringing 3-10 ms after, dB", within(3.1, 10.0)),
    ])
}
