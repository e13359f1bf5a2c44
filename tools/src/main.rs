//! The `diesis` binary: reads the command line, runs the command, picks the exit code.

mod campaign;
mod cert;
mod check;
mod cli;
mod console;
mod control;
mod convert;
mod demo;
mod dialplan;
mod load;
mod log;
mod numbering;
mod replace;
mod rules;
mod run;
mod schedule;
mod service;
mod show;
mod signals;
mod sounds;
mod sox;
mod trace;

use std::{future::Future, io, process::ExitCode, sync::Arc};

use clap::Parser;
use diesis_engine::net::control::protocol::Command as Order;
use tracing::Level;

use cli::{
    Arguments, Command, Demo,
    operate::{Hangup, Originate, Redirect, Reload, Set, Stop},
};
use log::{Facility, Log, Steps, Target};

// Calls come and go on many threads; the system's allocator makes them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::conversion() {
        Some(command) => carry_out(command),
        None => dispatch(Arguments::parse()),
    }
}

/// Does what the command line says.
fn dispatch(Arguments { demo, command }: Arguments) -> ExitCode {
    command.map_or_else(|| show_itself(&demo), carry_out)
}

/// Runs the embedded show.
fn show_itself(demo: &Demo) -> ExitCode {
    let (targets, facility) = ([Target::Stderr], Facility::default());
    let log = log::start(&demo.verbosity, Level::WARN, &targets, facility, Steps::ToldElsewhere);
    logged(log, |_| block_on(demo::run(demo)))
}

fn carry_out(command: Command) -> ExitCode {
    match command {
        Command::Campaign(command) => campaign::run(&command),
        Command::Cert(command) => cert::run(&command),
        Command::Check(check) => check::run(&check),
        Command::Dialplan(question) => dialplan::run(&question),
        Command::Convert(options) => convert::run(&options),
        Command::Sounds(question) => sounds::run(&question),
        Command::Numbering(question) => numbering::run(&question),
        Command::Rules(question) => rules::run(&question),
        Command::Sox(options) => sox::run(&options),
        Command::Load(options) => load::run(&options),
        Command::Show(show) => show::run(&show),
        Command::Database(database) => show::database(&database),
        Command::Mailbox(mailbox) => {
            control::ask(&mailbox.target, mailbox.command(), control::print)
        }
        Command::VideoShare(meeting) => show::meeting(&meeting),
        Command::Confbridge(conference) => show::conference(&conference),
        Command::Schedule(schedule) => schedule::run(&schedule),
        Command::Hangup(Hangup { channel, target }) => {
            control::ask(&target, Order::Hangup { channel }, control::print)
        }
        Command::Originate(Originate { destination, then, number, timeout, written, target }) => {
            let then = then.into();
            let (name, variables, follow) = (None, vec![], None);
            let seconds = timeout;
            let order = Order::Originate {
                destination,
                then,
                number,
                seconds,
                name,
                variables,
                written,
                follow,
            };
            control::ask(&target, order, control::print)
        }
        Command::Redirect(Redirect { channel, place, target }) => {
            control::ask(&target, Order::Redirect { channel, place }, control::print)
        }
        Command::Reload(Reload { target }) => control::ask(&target, Order::Reload, control::print),
        Command::Set(Set { what, value, target }) => {
            control::ask(&target, Order::Set { what: what.into(), value }, control::print)
        }
        Command::Console(options) => console::run(&options),
        Command::Trace(options) => trace::run(&options),
        Command::Stop(Stop { when_idle, within, target }) => {
            let when_idle = when_idle.then_some(within);
            control::ask(&target, Order::Stop { when_idle }, control::print)
        }
        Command::Run(run) => {
            let (facility, steps) = (run.syslog_facility, Steps::Logged);
            let log = log::start(&run.verbosity, Level::INFO, &run.log, facility, steps);
            logged(log, |log| block_on(run::run(&run, log)))
        }
    }
}

/// Runs with a log, and waits for its last lines.
fn logged(log: io::Result<Arc<Log>>, run: impl FnOnce(Arc<Log>) -> ExitCode) -> ExitCode {
    match log {
        Ok(log) => {
            let code = run(Arc::clone(&log));
            log.finish();
            code
        }
        Err(error) => {
            eprintln!("diesis: the log can't be had: {error}");
            ExitCode::from(2)
        }
    }
}

/// The engine has threads of its own; what runs here only waits for it.
fn block_on(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            eprintln!("diesis: the system refuses an event loop: {error}");
            ExitCode::FAILURE
        }
    }
}
