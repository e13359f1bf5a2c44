//! `diesis convert`: one sound file into others, or many into a directory.

mod batch;
mod json;
mod signal;
pub(crate) mod told;

use std::io::{IsTerminal as _, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use diesis_sounds::coding::{Coding, Order};
use diesis_sounds::convert::place::STANDARD_OUTPUT;
use diesis_sounds::convert::target::{Container, Target};
use diesis_sounds::convert::{Conversion, convert};
use diesis_sounds::read::channels::Channels;
use diesis_sounds::read::input::Input;

use self::json::{Account, FileAccount};
use self::told::{Failure, Told, warnings};
use crate::cli::convert::{Bits, ChannelChoice, Convert, WavEncoding};

/// Runs the command. The exit code is 0 when all is made, 1 when it failed, 2 when what is asked
/// for can not be.
pub(crate) fn run(options: &Convert) -> ExitCode {
    if let Some(refusal) = options.signal.refusal() {
        eprintln!("diesis: {refusal}");
        return ExitCode::from(2);
    }
    if let Some(into) = &options.into {
        if options.headerless.is_told() {
            eprintln!("diesis: --input-format is for one input: leave --into out");
            return ExitCode::from(2);
        }
        return batch::run(options, &options.paths, into);
    }
    let refused = match options.paths.as_slice() {
        [] | [_] => "what is to be made is missing: name an output, or a directory with --into",
        [directory, ..] if directory.is_dir() && options.headerless.is_told() => {
            "--input-format is for one input, not for a directory"
        }
        [directory, into] if directory.is_dir() => {
            return batch::run(options, std::slice::from_ref(directory), into);
        }
        [directory, ..] if directory.is_dir() => {
            "the first is a directory: `--into OUTDIR` converts all that is in it"
        }
        _ if options.asks_for_a_batch() => {
            "--to, --force, --threads and --dry-run are for many files: name a directory with --into"
        }
        [input, outputs @ ..] => return one(options, input, outputs),
    };
    eprintln!("diesis: {refused}");
    ExitCode::from(2)
}

/// Converts one sound.
fn one(options: &Convert, input: &Path, outputs: &[PathBuf]) -> ExitCode {
    let asked = options.headerless.layout();
    let asked = asked.and_then(|layout| Ok((layout, targets(options, input, outputs)?)));
    let (layout, targets) = match asked {
        Ok(asked) => asked,
        Err(refusal) => {
            eprintln!("diesis: {refusal}");
            return ExitCode::from(2);
        }
    };
    let from_pipe = input == Path::new(STANDARD_INPUT);
    let input = if from_pipe { Path::new("standard input") } else { input };
    let sound = if from_pipe { Input::standard() } else { Ok(Input::from(input)) };
    let sound = sound.map(|sound| match layout {
        Some(layout) => sound.raw(layout),
        None => sound,
    });
    match sound.and_then(|sound| convert(sound, &targets, &conversion(options))) {
        Ok(report) => {
            let name = input.display();
            let outputs: Vec<&Path> = outputs.iter().map(PathBuf::as_path).collect();
            if !options.quiet && !options.tells_programs() {
                let told = Told { report: &report, outputs: &outputs };
                if outputs.contains(&Path::new(STANDARD_OUTPUT)) {
                    eprintln!("{name}: {told}");
                } else {
                    println!("{name}: {told}");
                }
            }
            for warning in warnings(&report, options.gain) {
                eprintln!("diesis: {name}: {warning}");
            }
            let file = FileAccount::converted(input, &outputs, &report, options.gain);
            account(options, file, ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("diesis: {}", Failure(input, &error));
            account(options, FileAccount::failed(input, &error), ExitCode::FAILURE)
        }
    }
}

/// Writes the account of one file, where one is asked for.
fn account(options: &Convert, file: FileAccount, code: ExitCode) -> ExitCode {
    let Some(place) = &options.json else { return code };
    let mut account = Account::default();
    account.add(file);
    written(&account, place, code)
}

/// Writes an account; `code` is the exit code when that works.
fn written(account: &Account, place: &Path, code: ExitCode) -> ExitCode {
    match account.write(place) {
        Ok(()) => code,
        Err(error) => {
            eprintln!("diesis: {}: the account can't be written: {error}", place.display());
            ExitCode::FAILURE
        }
    }
}

/// What each output is to be.
fn targets(
    options: &Convert,
    input: &Path,
    outputs: &[PathBuf],
) -> Result<Vec<(PathBuf, Target)>, String> {
    let target = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let is_pipe = path == Path::new(STANDARD_OUTPUT);
        match target(if is_pipe { "wav" } else { &extension }, options) {
            Ok(target) => Ok((path.clone(), target)),
            Err(refusal) => Err(format!("{}: {refusal}", path.display())),
        }
    };
    let targets = outputs.iter().map(target).collect::<Result<Vec<_>, _>>()?;
    for (number, output) in outputs.iter().enumerate() {
        if outputs[..number].contains(output) {
            return Err(format!("{} is named twice as an output", output.display()));
        }
    }
    if input == Path::new(STANDARD_INPUT) && stdin().is_terminal() {
        return Err("standard input is a terminal: pipe a sound into it, or name a file".to_owned());
    }
    if outputs.iter().any(|it| it == Path::new(STANDARD_OUTPUT)) && options.tells_programs() {
        return Err("standard output is for the sound: write --json to a file".to_owned());
    }
    if outputs.iter().any(|it| it == Path::new(STANDARD_OUTPUT)) && stdout().is_terminal() {
        return Err("standard output is a terminal: pipe it on, or name a file".to_owned());
    }
    Ok(targets)
}

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// What is done to a sound on its way.
fn conversion(options: &Convert) -> Conversion {
    let asked = options.signal.asked(Conversion {
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
    Conversion { measure: asked.measure || options.json.is_some(), ..asked }
}

/// Everything that decides what comes out, as a text: another one gives other files.
fn recipe(target: &Target, options: &Convert) -> String {
    let version = env!("CARGO_PKG_VERSION");
    // A look at what is made does not change it.
    let conversion = Conversion { measure: false, ..conversion(options) };
    format!("{version} {target:?} {conversion:?}")
}

/// What an output with this extension is to be.
fn target(extension: &str, options: &Convert) -> Result<Target, String> {
    let mut target = Target::from_extension(extension).map_err(|error| error.to_string())?;
    let raw = target.container == Container::Raw;
    let coded = target.coding.name();
    let is_gsm = target.coding == Coding::GsmPairs;
    if let Some(bits) = options.bits {
        if raw {
            return Err("--bits is for WAV files".to_owned());
        }
        if is_gsm {
            return Err(format!("what plays such a file takes it for {coded}: name it .wav"));
        }
        target.coding = match bits {
            Bits::Sixteen => Coding::LINEAR,
            Bits::TwentyFour => Coding::Signed24(Order::Little),
            Bits::Float => Coding::Float32(Order::Little),
        };
    }
    if let Some(encoding) = options.encoding {
        let coding = match encoding {
            WavEncoding::Ulaw => Coding::Ulaw,
            WavEncoding::Alaw => Coding::Alaw,
            WavEncoding::Gsm => Coding::GsmPairs,
        };
        if (raw || is_gsm) && target.coding != coding {
            return Err(format!("what plays such a file takes it for {coded}: name it .wav"));
        }
        target.coding = coding;
    }
    if let Some(rate) = options.rate {
        let is_fixed = raw || extension.eq_ignore_ascii_case("wav16");
        if is_fixed && rate != target.rate {
            let only = target.rate;
            return Err(format!("what plays such a file takes it for {only} Hz: name it .wav"));
        }
        target.rate = rate;
    }
    if options.channels == ChannelChoice::Stereo {
        if raw {
            return Err("such a file has one channel".to_owned());
        }
        target.channels = 2;
    }
    if !target.is_possible() {
        let rate = target.coding.rate().unwrap_or(target.rate);
        let name = target.coding.name();
        return Err(format!("{name} holds one channel of {rate} Hz"));
    }
    Ok(target)
}
