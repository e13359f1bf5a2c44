//! One conversion: a sound in, one or several files out, in one pass and in little memory.

mod dither;
mod sink;
pub mod target;

use std::path::PathBuf;

use self::sink::Sink;
use self::target::Target;
use crate::error::SoundError;
use crate::rate::{Phase, RateConverter};
use crate::read::channels::Channels;
use crate::read::input::Input;
use crate::read::warning::Warning;
use crate::read::{Reader, Spec};

/// What is done to a sound on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    /// The channels that are made of those of the input.
    pub channels: Channels,
    /// How the filter rings.
    pub phase: Phase,
    /// Whether rounding to 16 or 24 bits is hidden in noise where something was changed.
    pub dither: bool,
    /// What samples are multiplied with.
    pub gain: f32,
    /// Whether a sound that would be too loud is made as quiet as it takes. The input is read
    /// twice then.
    pub guard: bool,
}

impl Default for Conversion {
    /// The mean of all channels, linear phase, dither, nothing made louder or quieter.
    fn default() -> Self {
        Self {
            channels: Channels::Mean,
            phase: Phase::Linear,
            dither: true,
            gain: 1.0,
            guard: false,
        }
    }
}

/// What a conversion did.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What was read.
    pub input: Spec,
    /// Frames that were read.
    pub frames: u64,
    /// Greatest magnitude of what was made before rounding, full scale as 1.
    pub peak: f32,
    /// Samples beyond full scale, cut to it, in all files.
    pub clipped: u64,
    /// What samples were multiplied with.
    pub gain: f32,
    /// What was odd about the input.
    pub warnings: Vec<Warning>,
}

/// Converts a sound. Every output appears when it is whole; after an error none of them does that
/// did not already.
///
/// # Errors
/// When the input can't be read or is no sound, an output can't be written, or is the input.
pub fn convert(
    input: impl Into<Input>,
    outputs: &[(PathBuf, Target)],
    conversion: &Conversion,
) -> Result<Report, SoundError> {
    let input = input.into();
    for (output, _) in outputs {
        if input.is_same_as(output) {
            return Err(SoundError::OverInput { path: output.clone() });
        }
    }
    let mut reader = input.open()?;
    let spec = reader.spec();
    let ways = outputs.iter().map(|output| Way::new(spec, &output.1, conversion));
    let ways: Vec<Way> = ways.collect::<Result<_, _>>()?;
    let mut gain = conversion.gain;
    if conversion.guard {
        let (_, peak) = pass(&mut reader, ways.clone(), conversion.channels, gain, |_, _| Ok(()))?;
        if peak > LOUDEST {
            gain *= LOUDEST / peak;
        }
        reader = input.open()?;
    }
    let mut sinks = Vec::new();
    for (path, target) in outputs {
        let dither = conversion.dither && changes(&spec, target, conversion, gain);
        sinks.push(Sink::create(path, *target, dither)?);
    }
    let take = |way: usize, made: &[Vec<f32>]| sinks[way].write(made);
    let (frames, peak) = pass(&mut reader, ways, conversion.channels, gain, take)?;
    let clipped = sinks.iter().map(Sink::clipped).sum();
    for sink in sinks {
        sink.finish()?;
    }
    let warnings = reader.warnings().to_vec();
    Ok(Report { input: spec, frames, peak, clipped, gain, warnings })
}

/// Just below full scale: rounding and dither stay within it.
const LOUDEST: f32 = 0.9999;

/// Whether samples become others than they were, so that rounding adds something of its own.
fn changes(spec: &Spec, target: &Target, conversion: &Conversion, gain: f32) -> bool {
    spec.rate != target.rate
        || !conversion.channels.keeps(spec.channels)
        || gain != 1.0
        || spec.precision > target.bits()
}

/// What becomes of the input for one output.
#[derive(Clone)]
struct Way {
    /// One for each channel.
    converters: Vec<RateConverter>,
    made: Vec<Vec<f32>>,
}

impl Way {
    fn new(spec: Spec, target: &Target, conversion: &Conversion) -> Result<Self, SoundError> {
        let converter = RateConverter::new(spec.rate, target.rate, conversion.phase)?;
        let channels = usize::from(target.channels);
        Ok(Self { converters: vec![converter; channels], made: vec![Vec::new(); channels] })
    }
}

/// Reads the input and hands what is made of it on, piece by piece. Returns the frames read and the
/// greatest magnitude made.
fn pass(
    reader: &mut Reader,
    mut ways: Vec<Way>,
    wanted: Channels,
    gain: f32,
    mut take: impl FnMut(usize, &[Vec<f32>]) -> Result<(), SoundError>,
) -> Result<(u64, f32), SoundError> {
    let mut channels = vec![Vec::new(); wanted.count()];
    let (mut frames, mut peak) = (0, 0.0_f32);
    loop {
        channels.iter_mut().for_each(Vec::clear);
        let read = reader.read(wanted, &mut channels)?;
        frames += read as u64;
        for (number, way) in ways.iter_mut().enumerate() {
            for (n, (converter, made)) in way.converters.iter_mut().zip(&mut way.made).enumerate() {
                made.clear();
                if read == 0 {
                    converter.finish(made);
                } else {
                    converter.convert(&channels[n.min(channels.len() - 1)], made);
                }
                made.iter_mut().for_each(|it| *it *= gain);
                peak = made.iter().fold(peak, |peak, it| peak.max(it.abs()));
            }
            take(number, &way.made)?;
        }
        if read == 0 {
            return Ok((frames, peak));
        }
    }
}

#[cfg(test)]
mod tests;
