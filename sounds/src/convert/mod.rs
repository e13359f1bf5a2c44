//! One conversion: a sound in, one or several files out, in little memory.
//!
//! What is done comes in this order: channels are mixed; a [section](Section) is taken; an offset
//! is removed; [silence](Trim) at the ends is left out. Then, for each output: its rate; the
//! [gate](Gate); the [level](Level); fades; silence before and after; rounding. What needs the whole
//! sound first (its end, its mean, its loudness) is found by reading it once more.

mod dither;
mod excerpt;
mod gate;
pub mod place;
pub(crate) mod sink;
pub mod target;
pub mod treatment;
mod way;

use std::path::PathBuf;

use self::excerpt::Excerpt;
use self::sink::Sink;
use self::target::Target;
use self::treatment::{Ends, Gate, Level, Section, Trim};
use self::way::{Way, pass};
use crate::error::SoundError;
use crate::rate::Phase;
use crate::read::channels::Channels;
use crate::read::input::Input;
use crate::read::warning::Warning;
use crate::read::{Reader, Spec};
use crate::signal::extent::{Extent, LOUDEST};
use crate::signal::{Measured, Meter, magnitude};

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
    /// How loud the result is made. With another than [`Level::Kept`] the input is read twice, and
    /// `gain` and `guard` do not count.
    pub level: Level,
    /// The part of the input that is taken.
    pub section: Section,
    /// Whether silence at both ends is left out. The input is read once more then.
    pub trim: Option<Trim>,
    /// Silence that is added. It does not fade.
    pub pad: Ends,
    /// How long the sound comes out of silence and goes into it. For its end the input is read
    /// once more.
    pub fade: Ends,
    /// Whether the mean is taken from each channel. The input is read once more then.
    pub remove_offset: bool,
    /// Whether noise in pauses becomes silence.
    pub gate: Option<Gate>,
    /// Whether outputs are measured; with [`Level::Loudness`] they are.
    pub measure: bool,
}

impl Default for Conversion {
    /// The mean of all channels, linear phase, dither, nothing made louder or quieter or left out.
    fn default() -> Self {
        Self {
            channels: Channels::Mean,
            phase: Phase::Linear,
            dither: true,
            gain: 1.0,
            guard: false,
            level: Level::Kept,
            section: Section::default(),
            trim: None,
            pad: Ends::default(),
            fade: Ends::default(),
            remove_offset: false,
            gate: None,
            measure: false,
        }
    }
}

/// What a conversion did.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What was read.
    pub input: Spec,
    /// Frames of the input that were converted: those of its section, without silence left out.
    pub frames: u64,
    /// Greatest magnitude of what was made before rounding, full scale as 1, in all files.
    pub peak: f32,
    /// Samples beyond full scale, cut to it, in all files.
    pub clipped: u64,
    /// What samples were multiplied with, in the file where it is least.
    pub gain: f32,
    /// The silence that was left out.
    pub trimmed: Ends,
    /// The offset that was removed, of the channel where it was greatest; full scale as 1.
    pub offset: f32,
    /// What was made, in the order of the outputs.
    pub made: Vec<Made>,
    /// What was odd about the input.
    pub warnings: Vec<Warning>,
}

/// What one file became.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Made {
    /// Frames in it.
    pub frames: u64,
    /// What its samples were multiplied with.
    pub gain: f32,
    /// Greatest magnitude before rounding, full scale as 1.
    pub peak: f32,
    /// Samples beyond full scale, cut to it.
    pub clipped: u64,
    /// The ceiling in dBFS at which its true peak stopped before the loudness was reached.
    pub held: Option<f64>,
    /// What it is like before rounding, if it was measured.
    pub measured: Option<Measured>,
}

/// Converts a sound. Every output appears when it is whole; after an error none of them does that
/// did not already.
///
/// # Errors
/// When the input can't be read or is no sound, nothing of it is left, an output can't be written,
/// or is the input.
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
    let mut excerpt = Excerpt::new(conversion, spec.rate);
    if Excerpt::wants_measuring(conversion) {
        excerpt = excerpt.measure(&mut reader, conversion)?;
        reader = input.open()?;
    }
    let ways = outputs.iter().map(|(_, target)| Way::new(&spec, target, conversion, &excerpt));
    let mut ways: Vec<Way> = ways.collect::<Result<_, _>>()?;
    let mut held = vec![None; ways.len()];
    if conversion.guard || conversion.level != Level::Kept {
        held = set_gains(&mut ways, &mut reader, &excerpt, conversion, outputs)?;
        reader = input.open()?;
    }
    let mut sinks = Vec::new();
    for ((path, target), way) in outputs.iter().zip(&ways) {
        let changes = changes(&spec, target, conversion, &excerpt) || way.changes();
        sinks.push(Sink::create(path, *target, conversion.dither && changes)?);
    }
    let gains: Vec<f32> = ways.iter().map(|way| way.gain).collect();
    let measure = conversion.measure || matches!(conversion.level, Level::Loudness { .. });
    let mut meters = if measure { meters(outputs) } else { vec![] };
    let (frames, extents) = pass(&mut reader, &excerpt, conversion, ways, |way, made| {
        if let Some(meter) = meters.get_mut(way) {
            meter.take(made);
        }
        sinks[way].write(made)
    })?;
    let made = |(n, (&Extent { peak, frames }, sink)): (usize, (&Extent, &Sink))| Made {
        frames,
        gain: gains[n],
        peak,
        clipped: sink.clipped(),
        held: held[n],
        measured: meters.get(n).map(Meter::measured),
    };
    let made: Vec<Made> = extents.iter().zip(&sinks).enumerate().map(made).collect();
    for sink in sinks {
        sink.finish()?;
    }
    Ok(Report {
        input: spec,
        frames,
        peak: made.iter().map(|it| it.peak).fold(0.0, f32::max),
        clipped: made.iter().map(|it| it.clipped).sum(),
        gain: made.iter().map(|it| it.gain).reduce(f32::min).unwrap_or(1.0),
        trimmed: excerpt.trimmed,
        offset: excerpt.offset(),
        made,
        warnings: reader.warnings().to_vec(),
    })
}

/// Reads the sound to find what each output is to be multiplied with. Returns where the true peak
/// stopped at its ceiling.
fn set_gains(
    ways: &mut [Way],
    reader: &mut Reader,
    excerpt: &Excerpt,
    conversion: &Conversion,
    outputs: &[(PathBuf, Target)],
) -> Result<Vec<Option<f64>>, SoundError> {
    let loudness = matches!(conversion.level, Level::Loudness { .. });
    let mut meters = if loudness { meters(outputs) } else { vec![] };
    if conversion.level != Level::Kept {
        ways.iter_mut().for_each(|way| way.gain = 1.0);
    }
    let (_, extents) = pass(reader, excerpt, conversion, ways.to_vec(), |way, made| {
        if let Some(meter) = meters.get_mut(way) {
            meter.take(made);
        }
        Ok(())
    })?;
    let mut held = vec![None; ways.len()];
    // One gain for all of them, as for one file: they are the same sound.
    let loudest = extents.iter().map(|extent| extent.peak).fold(0.0, f32::max);
    for (n, way) in ways.iter_mut().enumerate() {
        way.gain = match conversion.level {
            Level::Kept if loudest > LOUDEST => way.gain * (LOUDEST / loudest),
            Level::Kept => way.gain,
            Level::Peak(peak) => to_peak(magnitude(peak), extents[n].peak),
            Level::Loudness { target, ceiling } => {
                let measured = meters[n].measured();
                let wanted = measured.loudness.map_or(1.0, |is| magnitude(target - is));
                let most = magnitude(ceiling) / measured.true_peak;
                held[n] = (measured.loudness.is_some() && wanted > most).then_some(ceiling);
                // Silence has no peak, and is not made louder.
                wanted.min(most) as f32
            }
        };
    }
    Ok(held)
}

/// What brings a peak to a height that there is in whole numbers too; 1 for silence.
fn to_peak(wanted: f64, peak: f32) -> f32 {
    if peak == 0.0 {
        return 1.0;
    }
    (wanted.min(LOUDEST.into()) / f64::from(peak)) as f32
}

fn meters(outputs: &[(PathBuf, Target)]) -> Vec<Meter> {
    let meter = |(_, target): &(PathBuf, Target)| Meter::new(target.rate, target.channels.into());
    outputs.iter().map(meter).collect()
}

/// Whether samples are others than they were before an output's own treatment, so that rounding
/// adds something of its own.
fn changes(spec: &Spec, target: &Target, conversion: &Conversion, excerpt: &Excerpt) -> bool {
    spec.rate != target.rate
        || !conversion.channels.keeps(spec.channels)
        || excerpt.offset() != 0.0
        || spec.precision > target.bits()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod treatment_tests;
