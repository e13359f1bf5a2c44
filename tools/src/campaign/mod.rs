//! `diesis campaign`: calls the numbers of a list through a running engine, and writes down what came of
//! each call.

mod book;
mod callees;
mod caller;
mod course;
mod hours;
mod outage;
mod progress;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use diesis_engine::campaign::{Entry, Limits, ListError, Made, Pacing, Retries, Retry};
use jiff::tz::TimeZone;

use crate::cli::campaign::{Campaign, Run};
use crate::{block_on, control, numbering};
use book::{Book, BookError};
use callees::Callees;
use course::Course;
use hours::Hours;
use progress::{Manner, Progress};

/// Carries a campaign out.
pub(crate) fn run(command: &Campaign) -> ExitCode {
    let Campaign::Run(options) = command;
    match prepare(options) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(course)) => block_on(course.run()),
        Err(trouble) => {
            eprintln!("diesis: {trouble}");
            ExitCode::from(if matches!(trouble, Trouble::NoEngine(_)) { 1 } else { 2 })
        }
    }
}

/// Why nobody is called.
#[derive(Debug)]
enum Trouble {
    /// Lines of a list are wrong.
    List(PathBuf, Vec<ListError>),
    /// A file can not be read.
    File(PathBuf, io::Error),
    /// The numbering plan can not be had.
    Numbering(numbering::Trouble),
    /// There is no such schedule, but these.
    Schedule(String, Vec<String>),
    /// The results can not be written.
    Book(BookError),
    /// It is not known where the results go.
    NoResult,
    /// There is no engine that could call; why.
    NoEngine(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(path, errors) => {
                for error in errors {
                    writeln!(f, "{}:{error}", path.display())?;
                }
                write!(f, "nobody was called")
            }
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Numbering(trouble) => write!(f, "{trouble}"),
            Self::Schedule(name, known) if known.is_empty() => {
                write!(f, "there is no schedule {name:?}: schedules.conf has none")
            }
            Self::Schedule(name, known) => write!(
                f,
                "there is no schedule {name:?} in schedules.conf; there is {}",
                known.join(", ")
            ),
            Self::Book(error) => write!(f, "{error}"),
            Self::NoEngine(why) => write!(f, "{why}\nnobody was called, and nothing is written"),
            Self::NoResult => write!(f, "a list on standard input needs --result"),
        }
    }
}

/// Reads everything; `None`: it was only to be told.
fn prepare(options: &Run) -> Result<Option<Course>, Trouble> {
    let callees = Callees::read(options)?;
    let hours = match &options.hours {
        Some(name) => Some(Hours::read(&options.target.directory, name)?),
        None => None,
    };
    if options.dry_run {
        // Whoever reads through `head` has seen enough.
        let _ = tell(options, &callees);
        return Ok(None);
    }
    let path = match &options.result {
        Some(path) => path.clone(),
        None if options.list.as_os_str() == "-" => return Err(Trouble::NoResult),
        None => options.list.with_extension("result.csv"),
    };
    // Before there is a result: it would have to be gone on with.
    let socket = control::socket(&options.target);
    control::reach(&socket).map_err(Trouble::NoEngine)?;
    let zone = TimeZone::system();
    let (book, before) =
        Book::open(&path, &options.keep, options.resume, zone.clone()).map_err(Trouble::Book)?;
    let mut pacing = Pacing::new(callees.all.len(), limits(options), zone);
    let mut resumed = 0;
    for Made { begun, outcome, ended } in before {
        if let Some(index) = callees.by_number.get(&begun.called) {
            pacing.restore(Entry(*index), begun.started, outcome, ended);
            resumed += 1;
        }
    }
    let manner = if io::stderr().is_terminal() { Manner::Bar } else { Manner::Lines };
    let progress = Progress::new(manner, &callees, path);
    if resumed > 0 {
        progress.say(&format!("{resumed} calls were made before; {} numbers are left", {
            callees.all.len() - pacing.over()
        }));
    }
    Ok(Some(Course::new(options, callees, pacing, book, hours, progress, socket)))
}

fn limits(options: &Run) -> Limits {
    let of_failures = Retry { times: options.retries, after: options.retry_after };
    let mut retries = Retries::of_failures(of_failures);
    for rule in &options.retry {
        retries.set(rule.outcome, rule.retry(options.retry_after));
    }
    Limits {
        concurrency: options.concurrency,
        interval: Duration::from_secs_f64(1.0 / options.rate),
        per_day: options.per_day,
        retries,
    }
}

/// Says whom it would call.
fn tell(options: &Run, callees: &Callees) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let template = options.template();
    for callee in &callees.all {
        let destination = template.replace(NUMBER, &callee.called);
        write!(out, "{}\t{destination}", callee.number)?;
        for (name, value) in &callee.variables {
            write!(out, "\t{name}={value}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", progress::about(callees))?;
    out.flush()
}

/// In `--dial`, where the number goes.
const NUMBER: &str = "{number}";
