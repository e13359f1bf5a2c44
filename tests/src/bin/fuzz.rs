//! Fuzzes targets for as long as asked; see docs/fuzzing.md.
//!
//! `fuzz [TARGET|all] --minutes M | --executions N [--seed S] [--jobs J]`,
//! `fuzz TARGET --replay FILE...`, `fuzz --list`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use diesis_tests::fuzz::{self, Target, allocation::Counting, supervise, worker};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Parser)]
#[command(about = "Feeds mutated inputs to everything that takes bytes from outside")]
struct Arguments {
    /// A target, several with commas between, or all.
    #[arg(default_value = "all")]
    target: String,
    /// How long each target runs at most.
    #[arg(long)]
    minutes: Option<f64>,
    /// How many inputs each target gets at most.
    #[arg(long)]
    executions: Option<u64>,
    /// What the mutation draws from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The longest input in bytes, where the target itself allows it: short ones are run more often.
    #[arg(long, default_value_t = usize::MAX)]
    longest: usize,
    /// How many targets run at a time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Runs these files once each, with whatever they do.
    #[arg(long, num_args = 1..)]
    replay: Vec<PathBuf>,
    /// Lists the targets.
    #[arg(long)]
    list: bool,
    /// Keeps the inputs found to reach code in tests/fuzz/corpora, up to so many KiB per target.
    #[arg(long)]
    keep: Option<usize>,
    #[arg(long, hide = true)]
    worker: bool,
    /// Where the state of a run is.
    #[arg(long, default_value = "target/fuzz")]
    state: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("fuzz: {error}");
            ExitCode::from(2)
        }
    }
}

/// How many harms were found.
fn run(arguments: &Arguments) -> Result<usize, Box<dyn std::error::Error>> {
    if arguments.list {
        for target in fuzz::targets() {
            println!("{:<14} {}", target.name, target.about);
        }
        return Ok(0);
    }
    let targets: Vec<&'static Target> = match arguments.target.as_str() {
        "all" => fuzz::targets().collect(),
        names => {
            let find = |name| fuzz::target(name).ok_or_else(|| format!("no target {name}"));
            names.split(',').map(find).collect::<Result<_, _>>()?
        }
    };
    if !arguments.replay.is_empty() {
        return replay(&targets, &arguments.replay);
    }
    if arguments.minutes.is_none() && arguments.executions.is_none() && arguments.keep.is_none() {
        return Err("say --minutes or --executions".into());
    }
    let minutes = arguments.minutes.unwrap_or(60.0 * 24.0 * 365.0);
    let time = Duration::try_from_secs_f64(minutes * 60.0)?;
    let executions = arguments.executions.unwrap_or(u64::MAX);
    if arguments.worker {
        let plan = |target| worker::Plan {
            time,
            executions,
            seed: arguments.seed,
            longest: arguments.longest,
            state: arguments.state.clone(),
            findings: fuzz::regressions(target),
            corpora: vec![fuzz::corpus_file(target), arguments.state.join(worker::CORPUS)],
        };
        for target in targets {
            worker::run(target, &plan(target))?;
        }
        return Ok(0);
    }
    let campaign = supervise::Campaign {
        targets,
        time,
        executions,
        seed: arguments.seed,
        longest: arguments.longest,
        jobs: arguments.jobs,
        state: arguments.state.clone(),
    };
    let mut harms = 0;
    if arguments.minutes.is_some() || arguments.executions.is_some() {
        harms = supervise::run(&campaign)?;
    }
    if let Some(most) = arguments.keep {
        supervise::keep_corpora(&campaign, most << 10)?;
    }
    Ok(harms)
}

fn replay(
    targets: &[&'static Target],
    files: &[PathBuf],
) -> Result<usize, Box<dyn std::error::Error>> {
    let mut harms = 0;
    for target in targets {
        for path in files {
            let outcome = worker::run_once(target, &std::fs::read(path)?);
            let (time, memory) = (outcome.time, outcome.memory);
            println!("{}: {}: {time:?}, {memory:?}", target.name, path.display());
            if let Err(panic) = outcome.result {
                println!("  panic at {}: {}", panic.place, panic.message);
                harms += 1;
            }
        }
    }
    Ok(harms)
}
