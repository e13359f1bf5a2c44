//! `diesis convert`: one sound file into others.

mod signal;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use diesis_sounds::convert::target::{Container, Encoding, Target};
use diesis_sounds::convert::{Conversion, Report, convert};
use diesis_sounds::error::SoundError;
use diesis_sounds::read::channels::Channels;

use crate::cli::convert::{Bits, ChannelChoice, Convert};

/// Runs the command. The exit code is 0 when all is made, 1 when it failed, 2 when what is asked
/// for can not be.
pub(crate) fn run(options: &Convert) -> ExitCode {
    let outputs = match outputs(options) {
        Ok(outputs) => outputs,
        Err(refusal) => {
            eprintln!("diesis: {refusal}");
            return ExitCode::from(2);
        }
    };
    let conversion = options.signal.asked(Conversion {
        channels: match options.channels {
            ChannelChoice::Mono => Channels::Mean,
            ChannelChoice::Left => Channels::One(0),
            ChannelChoice::Right => Channels::One(1),
            ChannelChoice::Stereo => Channels::Stereo,
        },
        gain: 10.0_f32.powf(options.gain / 20.0),
        guard: options.guard,
        dither: !options.no_dither,
        ..Conversion::default()
    });
    let name = options.input.display();
    match convert(&options.input, &outputs, &conversion) {
        Ok(report) => {
            if !options.quiet {
                println!("{name}: {}", Told(&report, &outputs));
            }
            if report.clipped > 0 {
                eprintln!(
                    "diesis: {name}: {} samples were too loud and are cut; `--guard` makes it as \
                     quiet as it takes, `--gain {:.1}` does too",
                    report.clipped,
                    -decibels(report.peak) + options.gain
                );
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("diesis: {name}: {}", with_cause(&error));
            ExitCode::FAILURE
        }
    }
}

/// What each output is to be.
fn outputs(options: &Convert) -> Result<Vec<(PathBuf, Target)>, String> {
    let output = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let mut target = Target::from_extension(&extension)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let raw = target.container == Container::Raw;
        if let Some(bits) = options.bits {
            if raw {
                return Err(format!("{}: --bits is for WAV files", path.display()));
            }
            target.encoding = match bits {
                Bits::Sixteen => Encoding::Signed16,
                Bits::TwentyFour => Encoding::Signed24,
                Bits::Float => Encoding::Float32,
            };
        }
        if let Some(rate) = options.rate {
            if raw && rate != target.rate {
                return Err(format!(
                    "{}: what plays such a file takes it for {} Hz: without a header nothing \
                     tells another rate",
                    path.display(),
                    target.rate
                ));
            }
            target.rate = rate;
        }
        if options.channels == ChannelChoice::Stereo {
            if raw {
                return Err(format!("{}: such a file has one channel", path.display()));
            }
            target.channels = 2;
        }
        Ok((path.clone(), target))
    };
    options.outputs.iter().map(output).collect()
}

/// What was done, in a line.
struct Told<'a>(&'a Report, &'a [(PathBuf, Target)]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report, outputs) = self;
        let input = &report.input;
        let seconds = report.frames as f64 / f64::from(input.rate);
        write!(f, "{}, {} Hz, ", input.coding, input.rate)?;
        match input.channels {
            1 => write!(f, "mono, ")?,
            2 => write!(f, "stereo, ")?,
            more => write!(f, "{more} channels, ")?,
        }
        write!(f, "{seconds:.2} s ->")?;
        for (path, _) in *outputs {
            write!(f, " {}", path.display())?;
        }
        if report.peak == 0.0 {
            return write!(f, ", silent");
        }
        write!(f, ", peak {:.1} dBFS", decibels(report.peak))
    }
}

fn decibels(value: f32) -> f32 {
    20.0 * value.log10()
}

/// An error and what caused it.
fn with_cause(error: &SoundError) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        told.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    told
}
