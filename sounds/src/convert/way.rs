//! What becomes of the input for one output: another rate, then what is done to it there.

use super::Conversion;
use super::excerpt::Excerpt;
use super::gate::{Gating, raised_cosine};
use super::target::Target;
use super::treatment::samples;
use crate::error::SoundError;
use crate::rate::{RateConverter, converted_len};
use crate::read::{Reader, Spec};
use crate::signal::extent::Extent;

/// Makes one output's samples.
#[derive(Clone)]
pub(super) struct Way {
    /// One for each channel.
    converters: Vec<RateConverter>,
    made: Vec<Vec<f32>>,
    gate: Option<Gating>,
    /// What samples are multiplied with.
    pub(super) gain: f32,
    fade: Option<Fade>,
    /// Frames of silence at either end.
    pad: [u64; 2],
}

impl Way {
    pub(super) fn new(
        spec: &Spec,
        target: &Target,
        conversion: &Conversion,
        excerpt: &Excerpt,
    ) -> Result<Self, SoundError> {
        let converter = RateConverter::new(spec.rate, target.rate, conversion.phase)?;
        let channels = usize::from(target.channels);
        let gate = conversion.gate.map(|gate| Gating::new(&gate, target.rate, channels));
        let frames = |time| samples(time, target.rate);
        let (before, after) = (frames(conversion.fade.before), frames(conversion.fade.after));
        let len = excerpt.len().map(|len| converted_len(len, spec.rate, target.rate));
        let fade = (before > 0 || after > 0).then(|| Fade::new(before, after, len));
        Ok(Self {
            converters: vec![converter; channels],
            made: vec![Vec::new(); channels],
            gate,
            gain: conversion.gain,
            fade,
            pad: [frames(conversion.pad.before), frames(conversion.pad.after)],
        })
    }

    /// Whether rounding is heard in what comes out of it: samples are others than they were.
    pub(super) fn changes(&self) -> bool {
        self.gain != 1.0 || self.gate.is_some() || self.fade.is_some()
    }

    /// Takes what was read, or its end.
    fn convert(&mut self, channels: Option<&[Vec<f32>]>) {
        for (n, (converter, made)) in self.converters.iter_mut().zip(&mut self.made).enumerate() {
            made.clear();
            match channels {
                Some(channels) => converter.convert(&channels[n.min(channels.len() - 1)], made),
                None => converter.finish(made),
            }
        }
        if let Some(gate) = &mut self.gate {
            gate.pass(&mut self.made);
            if channels.is_none() {
                gate.finish(&mut self.made);
            }
        }
        if self.gain != 1.0 {
            for made in &mut self.made {
                made.iter_mut().for_each(|it| *it *= self.gain);
            }
        }
        if let Some(fade) = &mut self.fade {
            fade.pass(&mut self.made);
        }
    }
}

/// Reads the excerpt and hands what is made of it on, piece by piece, by the number of its way.
/// Returns the frames read and what each way made.
pub(super) fn pass(
    reader: &mut Reader,
    excerpt: &Excerpt,
    conversion: &Conversion,
    mut ways: Vec<Way>,
    mut take: impl FnMut(usize, &[Vec<f32>]) -> Result<(), SoundError>,
) -> Result<(u64, Vec<Extent>), SoundError> {
    let mut extents = vec![Extent::default(); ways.len()];
    let mut give = |number: usize, made: &[Vec<f32>]| {
        extents[number].take(made);
        take(number, made)
    };
    for (number, way) in ways.iter().enumerate() {
        silence(way.pad[0], way.made.len(), |made| give(number, made))?;
    }
    let frames = excerpt.read(reader, conversion.channels, |channels| {
        for (number, way) in ways.iter_mut().enumerate() {
            way.convert(Some(channels));
            give(number, &way.made)?;
        }
        Ok(())
    })?;
    for (number, way) in ways.iter_mut().enumerate() {
        way.convert(None);
        give(number, &way.made)?;
        silence(way.pad[1], way.made.len(), |made| give(number, made))?;
    }
    Ok((frames, extents))
}

/// Hands so many frames of silence on.
fn silence(
    frames: u64,
    channels: usize,
    mut take: impl FnMut(&[Vec<f32>]) -> Result<(), SoundError>,
) -> Result<(), SoundError> {
    let mut left = frames;
    while left > 0 {
        let piece = left.min(SILENCE);
        take(&vec![vec![0.0; piece as usize]; channels])?;
        left -= piece;
    }
    Ok(())
}

/// Frames of silence that are made at once.
const SILENCE: u64 = 1 << 14;

/// From silence, and into it.
#[derive(Debug, Clone)]
struct Fade {
    before: u64,
    after: u64,
    /// Frames in all; more than there are where nothing fades at the end.
    len: u64,
    at: u64,
}

impl Fade {
    /// Of a sound that is shorter than both together each has its part.
    fn new(before: u64, after: u64, len: Option<u64>) -> Self {
        let len = len.unwrap_or(u64::MAX);
        let both = before.saturating_add(after);
        let part = |frames: u64| match both > len {
            true => (u128::from(frames) * u128::from(len) / u128::from(both)) as u64,
            false => frames,
        };
        Self { before: part(before), after: part(after), len, at: 0 }
    }

    fn pass(&mut self, channels: &mut [Vec<f32>]) {
        let frames = channels.first().map_or(0, Vec::len) as u64;
        let fading_in = self.at..self.before.clamp(self.at, self.at + frames);
        let falls = self.len - self.after;
        let fading_out = falls.clamp(self.at, self.at + frames)..self.at + frames;
        for channel in channels {
            for at in fading_in.clone() {
                let place = (at as f64 + 0.5) / self.before as f64;
                channel[(at - self.at) as usize] *= raised_cosine(place);
            }
            for at in fading_out.clone() {
                let left = self.len.saturating_sub(at + 1);
                let place = (left as f64 + 0.5) / self.after as f64;
                channel[(at - self.at) as usize] *= raised_cosine(place);
            }
        }
        self.at += frames;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fades_are_even_and_share_what_is_too_short_for_both() {
        let faded = |before, after, len: usize| {
            let mut fade = Fade::new(before, after, Some(len as u64));
            let mut out = vec![];
            for piece in vec![1.0; len].chunks(7) {
                let mut made = [piece.to_vec()];
                fade.pass(&mut made);
                out.append(&mut made[0]);
            }
            out
        };
        let out = faded(10, 20, 100);
        assert_eq!(out[10..80], [1.0; 70]);
        assert!(out[..11].is_sorted() && out[79..].iter().rev().is_sorted());
        assert!(out[0] < 0.01 && out[99] < 0.01 && (out[4] + out[5] - 1.0).abs() < 1e-6);
        let short = faded(30, 10, 20);
        assert!(short[..15].is_sorted() && short[15..].iter().rev().is_sorted());
        assert!(faded(1, 1, 0).is_empty());
        // Where only the beginning fades the length need not be known.
        let mut fade = Fade::new(2, 0, None);
        let mut made = [vec![1.0; 4]];
        fade.pass(&mut made);
        assert_eq!(made[0][2..], [1.0, 1.0]);
    }
}
