//! Effects one after the other, in the order in which they are asked for, as `sox` applies them.
//!
//! Samples stay real numbers on the whole way: what is too loud in between and quieter later is
//! not cut. An effect that must know how long or how loud all before it is lets the inputs be read
//! once more. What [`convert`](crate::convert) does in an order of its own is done there.

mod shape;
mod silence;
mod stage;
mod time;

use std::path::Path;

pub use self::shape::{Curve, Mix, MixPart, Share};
pub use self::silence::{Level, Silence, Wait};
use self::stage::Stage;
pub use self::time::{Origin, Position, Time};
use crate::convert::sink::Sink;
use crate::convert::target::Target;
use crate::error::SoundError;
use crate::rate::Phase;
use crate::read::input::Input;
use crate::signal::extent::Extent;

/// What a sound is between two effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// Frames a second.
    pub rate: u32,
    /// Samples a frame.
    pub channels: u16,
}

/// One treatment.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// To another rate.
    Rate(u32, Phase),
    /// To another number of channels: neighbours are mixed, or channels are repeated.
    Channels(u16),
    /// Each channel of the outcome as a sum of those there are.
    Remix(Vec<Mix>),
    /// Multiplied.
    Gain(f32),
    /// The loudest sample becomes this.
    Normalize(f32),
    /// Made as quiet as it takes for no sample to be too loud.
    Guard,
    /// Left out and kept by turns, changing at each place; left out first.
    Trim(Vec<Position>),
    /// Silence put in: so much, and where.
    Pad(Vec<(Time, Position)>),
    /// From nothing at the beginning, to nothing at a place; what follows that is left out.
    Fade {
        /// How it rises and falls.
        curve: Curve,
        /// How long it rises.
        rise: Time,
        /// Where it ends, and how long it falls before that.
        fall: Option<(Position, Time)>,
    },
    /// Silence taken away.
    Silence(Silence),
}

/// One of the sounds that follow each other.
#[derive(Debug)]
pub struct Part {
    /// Where it comes from.
    pub input: Input,
    /// What its rate is, if not what the file says.
    pub rate: Option<u32>,
    /// What it is multiplied with.
    pub volume: f32,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Frames that were read.
    pub read: u64,
    /// Frames that were written.
    pub written: u64,
    /// Greatest magnitude of what was made before rounding, full scale as 1.
    pub peak: f32,
    /// Samples beyond full scale, cut to it.
    pub clipped: u64,
}

/// Applies the effects to all parts, one after the other, and writes the outcome when it is whole.
/// `target` tells the rate and channels that the last effect gives.
///
/// # Errors
/// When something can't be read or written, parts differ in rate or channels, the output is one of
/// them, or an effect can't do what it is asked for with this sound.
pub fn run(
    parts: &[Part],
    effects: &[Effect],
    (path, target): (&Path, Target),
    dither: bool,
) -> Result<Outcome, SoundError> {
    if parts.iter().any(|part| part.input.is_same_as(path)) {
        return Err(SoundError::OverInput { path: path.to_owned() });
    }
    let (signal, precision) = begin(parts)?;
    let effects = mixed_first(signal, effects)?;
    let mut known = Vec::with_capacity(effects.len());
    for number in 0..effects.len() {
        let (done, effect) = (&effects[..number], &effects[number]);
        known.push(match effect.needs_measure() {
            false => Extent::default(),
            true => {
                let mut extent = Extent::default();
                pass(parts, stages((signal, precision), done, &known)?, |made| {
                    extent.take(made);
                    Ok(())
                })?;
                extent
            }
        });
    }
    let changes = effects.iter().any(Effect::changes_samples)
        || parts.iter().any(|part| part.volume != 1.0)
        || precision > target.bits();
    let mut sink = Sink::create(path, target, dither && changes)?;
    let mut extent = Extent::default();
    let read = pass(parts, stages((signal, precision), &effects, &known)?, |made| {
        extent.take(made);
        sink.write(made)
    })?;
    let clipped = sink.clipped();
    let written = sink.finish()?;
    Ok(Outcome { read, written, peak: extent.peak, clipped })
}

/// What all parts are, and the most bits that one of them needs.
fn begin(parts: &[Part]) -> Result<(Signal, u32), SoundError> {
    let mut first: Option<Signal> = None;
    let mut precision = 0;
    for part in parts {
        let (signal, bits) = part.signal()?;
        precision = precision.max(bits);
        match first {
            Some(first) if first != signal => {
                return Err(refused(
                    "concatenate",
                    format!(
                        "the inputs differ: {} Hz and {} channels, {} Hz and {} channels",
                        first.rate, first.channels, signal.rate, signal.channels
                    ),
                ));
            }
            _ => first = Some(signal),
        }
    }
    let signal = first.ok_or_else(|| refused("concatenate", "there is no input".to_owned()))?;
    Ok((signal, precision))
}

impl Part {
    /// What it is, and how many bits its samples need.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn signal(&self) -> Result<(Signal, u32), SoundError> {
        let spec = self.input.open()?.spec();
        let rate = self.rate.unwrap_or(spec.rate);
        Ok((Signal { rate, channels: spec.channels }, spec.precision))
    }
}

impl Effect {
    /// What comes out of it.
    ///
    /// # Errors
    /// When it asks for channels that there are not.
    pub fn after(&self, signal: Signal) -> Result<Signal, SoundError> {
        Ok(match self {
            Self::Rate(rate, _) => Signal { rate: *rate, ..signal },
            Self::Channels(channels) => Signal { channels: *channels, ..signal },
            Self::Remix(mixes) => {
                for mix in mixes {
                    mix.weights(signal.channels)?;
                }
                Signal { channels: u16::try_from(mixes.len()).unwrap_or(u16::MAX), ..signal }
            }
            _ => signal,
        })
    }

    /// Whether it must know what comes before it as a whole.
    fn needs_measure(&self) -> bool {
        match self {
            Self::Normalize(_) | Self::Guard | Self::Fade { fall: Some(_), .. } => true,
            Self::Trim(positions) => positions.iter().any(|it| it.from == Origin::End),
            Self::Pad(pads) => pads.iter().any(|(_, position)| {
                position.time != Time::default() || position.from == Origin::End
            }),
            _ => false,
        }
    }

    /// Whether samples become others than they were.
    fn changes_samples(&self) -> bool {
        match self {
            Self::Gain(gain) => *gain != 1.0,
            Self::Remix(mixes) => !mixes.iter().all(Mix::selects),
            Self::Trim(_) | Self::Pad(_) | Self::Silence(_) => false,
            _ => true,
        }
    }
}

/// Fewer channels cost less: what makes fewer of them is done before the rate is changed. Both
/// are sums of products, their order does not matter. Leaves out what changes nothing.
fn mixed_first(begin: Signal, effects: &[Effect]) -> Result<Vec<Effect>, SoundError> {
    let (mut signal, mut ordered) = (begin, Vec::<Effect>::with_capacity(effects.len()));
    for effect in effects {
        let after = effect.after(signal)?;
        let idle = match effect {
            Effect::Rate(rate, _) => *rate == signal.rate,
            Effect::Channels(channels) => *channels == signal.channels,
            _ => false,
        };
        let fewer = after.channels < signal.channels;
        signal = after;
        match ordered.last() {
            _ if idle => {}
            Some(Effect::Rate(..)) if fewer => ordered.insert(ordered.len() - 1, effect.clone()),
            _ => ordered.push(effect.clone()),
        }
    }
    Ok(ordered)
}

/// What does the effects, from what was measured before each.
fn stages(
    (begin, precision): (Signal, u32),
    effects: &[Effect],
    known: &[Extent],
) -> Result<(u16, Vec<Box<dyn Stage>>), SoundError> {
    let (mut signal, mut precision) = (begin, precision);
    let each = effects.iter().zip(known).map(|(effect, extent)| {
        let stage = shape::stage(effect, (signal, precision), extent);
        if effect.changes_samples() {
            precision = 32;
        }
        signal = effect.after(signal)?;
        stage
    });
    Ok((begin.channels, each.collect::<Result<_, _>>()?))
}

/// Reads all parts and hands on what the stages make of them, piece by piece. Returns the frames
/// that were read.
fn pass(
    parts: &[Part],
    (channels, stages): (u16, Vec<Box<dyn Stage>>),
    mut take: impl FnMut(&[Vec<f32>]) -> Result<(), SoundError>,
) -> Result<u64, SoundError> {
    let mut line = stage::Line::new(stages, channels);
    let mut frames = 0;
    for part in parts {
        let mut reader = part.input.open()?;
        let mut piece = vec![Vec::new(); reader.spec().channels.into()];
        loop {
            piece.iter_mut().for_each(Vec::clear);
            let read = reader.read_each(&mut piece)?;
            if read == 0 || line.is_done() {
                break;
            }
            frames += read as u64;
            if part.volume != 1.0 {
                stage::multiply(&mut piece, part.volume);
            }
            take(line.process(&piece))?;
        }
    }
    let mut last = line.finish();
    while let Some(made) = last.next() {
        take(made)?;
    }
    Ok(frames)
}

/// An effect that can't do what it is asked for.
fn refused(effect: &'static str, reason: String) -> SoundError {
    SoundError::Effect { effect, reason }
}
