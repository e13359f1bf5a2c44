//! The `diesis` binary: reads the command line, runs the command, picks the exit code.

mod check;
mod cli;
mod log;

use std::process::ExitCode;

use clap::Parser;
use tracing::Level;

use cli::{Arguments, Command};

// Calls come and go on many threads; the system's allocator makes them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Arguments { demo, command } = Arguments::parse();
    match command {
        Some(Command::Check(check)) => check::run(&check),
        Some(Command::Run(run)) => {
            log::start(&run.verbosity, Level::INFO);
            not_here("run")
        }
        None => {
            log::start(&demo.verbosity, Level::WARN);
            not_here("the show")
        }
    }
}

fn not_here(what: &str) -> ExitCode {
    eprintln!("diesis: {what} is not here yet; `diesis check` is");
    ExitCode::FAILURE
}
