//! What each effect means for a sound of a rate, of some channels, and of a length and loudness.

use std::f64::consts::PI;

use super::silence;
use super::stage::{Gain, Mixer, Pad, Piece, Rate, Stage, Trim, len};
use super::time::Position;
use super::{Effect, Signal, refused};
use crate::error::SoundError;
use crate::rate::RateConverter;
use crate::signal::extent::{Extent, LOUDEST};

/// How a fade rises from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// A quarter of a sine wave.
    Quarter,
    /// Half of a sine wave.
    Half,
    /// As much in each part.
    Linear,
    /// As many decibels in each part: 100 in all.
    Logarithmic,
    /// An inverted parabola.
    Parabola,
}

impl Curve {
    fn at(self, share: f64) -> f64 {
        let share = share.clamp(0.0, 1.0);
        match self {
            Self::Quarter => (share * PI / 2.0).sin(),
            Self::Half => (1.0 - (share * PI).cos()) / 2.0,
            Self::Linear => share,
            Self::Logarithmic => 10.0_f64.powf((share - 1.0) * 5.0),
            Self::Parabola => 1.0 - (1.0 - share).powi(2),
        }
    }
}

/// One channel of the outcome: a sum of channels; none is silence.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    /// What is summed up.
    pub parts: Vec<MixPart>,
    /// What those without a volume are multiplied with.
    pub share: Share,
}

/// By how many channels are summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// 1.
    Whole,
    /// 1 by the number.
    Mean,
    /// 1 by its square root.
    Power,
}

/// Channels of a sum, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixPart {
    /// The first.
    pub first: u16,
    /// The last; `None` is the last there is.
    pub last: Option<u16>,
    /// What they are multiplied with.
    pub volume: Option<f32>,
}

impl Mix {
    /// Channels from 0 on and their weights.
    pub(super) fn weights(&self, channels: u16) -> Result<Vec<(usize, f32)>, SoundError> {
        let mut sum = vec![];
        for part in &self.parts {
            let last = part.last.unwrap_or(channels);
            if part.first == 0 || last > channels || part.first > last {
                return Err(refused(
                    "remix",
                    format!("channel {} is asked for, there are {channels}", last.max(part.first)),
                ));
            }
            sum.extend((part.first..=last).map(|it| (usize::from(it) - 1, part.volume)));
        }
        let count = sum.len() as f32;
        let share = match self.share {
            Share::Whole => 1.0,
            Share::Mean => 1.0 / count,
            Share::Power => 1.0 / count.sqrt(),
        };
        Ok(sum.into_iter().map(|(channel, volume)| (channel, volume.unwrap_or(share))).collect())
    }

    /// Whether it is one channel as it is, or none.
    pub(super) fn selects(&self) -> bool {
        match self.parts.as_slice() {
            [] => true,
            [part] => part.last == Some(part.first) && part.volume.is_none_or(|it| it == 1.0),
            _ => false,
        }
    }
}

/// More channels are mixed before anything else is done with them.
const MOST_CHANNELS: u16 = 64;
/// Seconds of silence that are put in before the end.
const MOST_PADDING: u64 = 600;

/// What does an effect to such a sound.
pub(super) fn stage(
    effect: &Effect,
    (signal, precision): (Signal, u32),
    extent: &Extent,
) -> Result<Box<dyn Stage>, SoundError> {
    let Signal { rate, channels } = signal;
    Ok(match effect {
        Effect::Rate(to, phase) => {
            if channels > MOST_CHANNELS {
                let reason = format!("{channels} channels are more than {MOST_CHANNELS}");
                return Err(refused("rate", reason));
            }
            Box::new(Rate(vec![RateConverter::new(rate, *to, *phase)?; channels.into()]))
        }
        Effect::Channels(to) => Box::new(Mixer(redistributed(channels, *to)?)),
        Effect::Remix(mixes) => {
            let sums = mixes.iter().map(|mix| mix.weights(channels));
            Box::new(Mixer(sums.collect::<Result<_, _>>()?))
        }
        Effect::Gain(gain) => Box::new(Gain(*gain)),
        Effect::Normalize(level) => match extent.peak {
            0.0 => Box::new(Gain(1.0)),
            loudest => Box::new(Gain(level / loudest)),
        },
        Effect::Guard => Box::new(Gain(LOUDEST / extent.peak.max(LOUDEST))),
        Effect::Trim(positions) => {
            let places = places("trim", positions.iter().copied(), rate, extent.frames)?;
            Box::new(Trim { places, next: 0, at: 0 })
        }
        Effect::Pad(pads) => {
            let positions = pads.iter().map(|(_, position)| *position);
            let at = places("pad", positions, rate, extent.frames)?;
            let lengths = pads.iter().map(|(length, _)| length.at(rate));
            if effect.needs_measure() && at.last().is_some_and(|&at| at > extent.frames) {
                let reason = "a place lies behind the end of the sound".to_owned();
                return Err(refused("pad", reason));
            }
            let places: Vec<(u64, u64)> = at.into_iter().zip(lengths).collect();
            let most = MOST_PADDING * u64::from(rate);
            if places.iter().any(|&(_, length)| length > most) {
                let reason = format!("more than {MOST_PADDING} s of silence at one place");
                return Err(refused("pad", reason));
            }
            let places = places.into_iter().filter(|&(_, length)| length > 0).collect();
            Box::new(Pad { places, next: 0, at: 0 })
        }
        Effect::Fade { curve, rise, fall } => {
            let end = match fall {
                Some((position, length)) => {
                    let end = places("fade", [*position].into_iter(), rate, extent.frames)?;
                    let (end, length) = (end[0], length.at(rate));
                    if rise.at(rate).saturating_add(length) > end {
                        let reason = "it falls before it has risen";
                        return Err(refused("fade", reason.to_owned()));
                    }
                    if end.saturating_sub(extent.frames) > MOST_PADDING * u64::from(rate) {
                        let reason = format!(
                            "it ends more than {MOST_PADDING} s behind the end of the sound"
                        );
                        return Err(refused("fade", reason));
                    }
                    Some((end, length))
                }
                None => None,
            };
            Box::new(Fade { curve: *curve, rise: rise.at(rate), end, at: 0 })
        }
        Effect::Silence(silence) => silence::stage(silence, signal, precision)?,
    })
}

/// Frames of positions, each relative to those before; they must not go back.
fn places(
    effect: &'static str,
    positions: impl Iterator<Item = Position>,
    rate: u32,
    frames: u64,
) -> Result<Vec<u64>, SoundError> {
    let mut previous = 0;
    let mut place = |(number, position): (usize, Position)| {
        let at = position.at(rate, previous, frames).ok_or_else(|| {
            let reason = format!("place {} lies before the beginning", number + 1);
            refused(effect, reason)
        })?;
        if at < previous {
            let reason = format!("place {} lies before the one named before it", number + 1);
            return Err(refused(effect, reason));
        }
        previous = at;
        Ok(at)
    };
    positions.enumerate().map(&mut place).collect()
}

/// To another number of channels: of more, every so many are mixed; of fewer, they are repeated.
fn redistributed(from: u16, to: u16) -> Result<Vec<Vec<(usize, f32)>>, SoundError> {
    if to == 0 || from == 0 {
        return Err(refused("channels", "there must be at least one".to_owned()));
    }
    let (from, to) = (usize::from(from), usize::from(to));
    let sum = |out: usize| {
        if to >= from {
            return vec![(out % from, 1.0)];
        }
        let of: Vec<usize> = (out..from).step_by(to).collect();
        let share = 1.0 / of.len() as f32;
        of.into_iter().map(|channel| (channel, share)).collect()
    };
    Ok((0..to).map(sum).collect())
}

/// A sound that begins and ends softly.
struct Fade {
    curve: Curve,
    /// Frames of the beginning.
    rise: u64,
    /// Where it ends, and frames of the fall before that.
    end: Option<(u64, u64)>,
    at: u64,
}

impl Fade {
    fn factor(&self, at: u64) -> f64 {
        let mut factor = 1.0;
        if at < self.rise {
            factor *= self.curve.at(at as f64 / self.rise as f64);
        }
        if let Some((end, fall)) = self.end.filter(|(end, fall)| at + fall > *end) {
            factor *= self.curve.at((end - at.min(end)) as f64 / fall as f64);
        }
        factor
    }
}

impl Stage for Fade {
    fn process(&mut self, piece: &[Vec<f32>], out: &mut Piece) {
        let left = self.end.map_or(u64::MAX, |(end, _)| end.saturating_sub(self.at));
        let take = len(piece).min(usize::try_from(left).unwrap_or(usize::MAX));
        for (samples, out) in piece.iter().zip(out) {
            let samples = samples[..take].iter().zip(self.at..);
            out.extend(samples.map(|(sample, at)| (f64::from(*sample) * self.factor(at)) as f32));
        }
        self.at += take as u64;
    }

    /// One that ends behind the end of the sound ends in silence.
    fn finish(&mut self, out: &mut Piece) -> bool {
        let missing = self.end.map_or(0, |(end, _)| end.saturating_sub(self.at));
        out.iter_mut().for_each(|out| out.resize(missing as usize, 0.0));
        false
    }

    fn is_done(&self) -> bool {
        self.end.is_some_and(|(end, _)| self.at >= end)
    }
}
