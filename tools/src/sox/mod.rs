//! `diesis sox`: the command of `sox`, so that a script is switched by one word.
//!
//! What is read is told by its contents, as everywhere here. Samples are not cut between effects,
//! and the filters are those of `diesis convert`: the differences are improvements, or refused.

mod command;
mod effects;
mod file;
mod time;
mod words;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use diesis_sounds::chain::{self, Effect, Signal};
use diesis_sounds::rate::Phase;

use self::command::{About, Asked, Command};
use self::words::Refusal;
use crate::cli::sox::{HELP, Sox};
use crate::convert::told::with_cause;

/// Runs the command. The exit code is 0 when the output is made, else 2, as `sox` has it.
pub(crate) fn run(options: &Sox) -> ExitCode {
    let from_environment = std::env::var("SOX_OPTS").unwrap_or_default();
    let words: Vec<String> = from_environment
        .split_whitespace()
        .chain(options.words.iter().map(String::as_str))
        .map(str::to_owned)
        .collect();
    match Command::parse(&words).and_then(|command| carry_out(&command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            eprintln!("diesis sox FAIL: {refusal}");
            ExitCode::from(2)
        }
    }
}

fn carry_out(command: &Command) -> Result<(), Refusal> {
    match command.global.about {
        Some(About::Version) => {
            println!(
                "diesis sox: Diesis v{}, the command of SoX v14.4.2",
                env!("CARGO_PKG_VERSION")
            );
            return Ok(());
        }
        Some(About::Help) => {
            println!("{HELP}");
            return Ok(());
        }
        None => {}
    }
    let say = |least: u8, text: &str| {
        if command.global.verbosity >= least {
            eprintln!("diesis sox {text}");
        }
    };
    let place = Path::new(&command.output.name);
    if command.global.no_clobber && place.exists() {
        return Err(Refusal::of_all(format!("{} is there already: --no-clobber", place.display())));
    }
    if command.inputs.iter().filter(|file| file.name == "-").count() > 1 {
        return Err(Refusal::of_all("standard input can be read once: name `-` once"));
    }
    let parts = command.inputs.iter().map(file::input).collect::<Result<Vec<_>, _>>()?;
    let named = |error: &diesis_sounds::error::SoundError| {
        Refusal::of_all(format!("{}\n  what to do: {}", with_cause(error), error.remedy()))
    };
    let of = |name: &str, error: &diesis_sounds::error::SoundError| {
        let remedy = error.remedy();
        Refusal::of_all(format!("{name}: {}\n  what to do: {remedy}", with_cause(error)))
    };
    let (begin, _) = parts[0].signal().map_err(|error| of(&command.inputs[0].name, &error))?;
    let mut effects = vec![];
    let mut signal = begin;
    let mut add = |effect: Effect, signal: &mut Signal| {
        *signal = effect.after(*signal).map_err(|error| named(&error))?;
        effects.push(effect);
        Ok::<(), Refusal>(())
    };
    let mut dither = false;
    for asked in &command.effects {
        match asked {
            Asked::Effect(effect) => add(effect.clone(), &mut signal)?,
            Asked::RateOfOutput(phase) => match command.output.rate {
                Some(rate) => add(Effect::Rate(rate, *phase), &mut signal)?,
                None => return Err(Refusal::of_all("`rate` needs a rate, or the output -r")),
            },
            Asked::Dither => dither = true,
        }
    }
    let (target, warnings) = file::output(&command.output, &parts[0], signal)?;
    for warning in warnings {
        say(2, &format!("WARN formats: {warning}"));
    }
    add(Effect::Channels(target.channels), &mut signal)?;
    add(Effect::Rate(target.rate, Phase::Linear), &mut signal)?;
    if let Some(level) = command.global.norm {
        add(Effect::Normalize(10.0_f64.powf(level / 20.0) as f32), &mut signal)?;
    } else if command.global.guard {
        add(Effect::Guard, &mut signal)?;
    }
    say(3, &format!("INFO: {begin:?} {effects:?} {target:?}"));
    let draft = Draft::of(&command.output.name);
    let path = draft.as_ref().map_or(place, |draft| &draft.0);
    let wanted = dither || !command.global.no_dither;
    let outcome =
        chain::run(&parts, &effects, (path, target), wanted).map_err(|error| named(&error))?;
    if let Some(draft) = &draft {
        draft.hand_out().map_err(|error| Refusal::of_all(format!("-: {error}")))?;
    }
    if outcome.clipped > 0 {
        say(
            2,
            &format!(
                "WARN {}: clipped {} samples; decrease volume?",
                command.output.name, outcome.clipped
            ),
        );
    }
    if outcome.written == 0 && outcome.read > 0 {
        say(2, &format!("WARN {}: the effects left nothing of the sound", command.output.name));
    }
    if command.global.progress {
        let seconds = outcome.read as f64 / f64::from(begin.rate);
        say(1, &format!("In: {seconds:.2} s, out: {} samples. Done.", outcome.written));
    }
    Ok(())
}

/// What is made before it goes to standard output: until it is whole nothing goes there.
struct Draft(PathBuf);

impl Draft {
    fn of(name: &str) -> Option<Self> {
        let file = format!("diesis-{}.sox", std::process::id());
        (name == "-").then(|| Self(std::env::temp_dir().join(file)))
    }

    fn hand_out(&self) -> io::Result<()> {
        io::copy(&mut File::open(&self.0)?, &mut io::stdout().lock())?;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
