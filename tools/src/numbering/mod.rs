//! `diesis numbering`: what a numbering plan does with numbers, and its tables in and out.

mod file;

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use diesis_dialplan::numbering::check::{Named, suspicions};
use diesis_dialplan::numbering::{Direction, NumberingPlan, table};
use diesis_engine::config::Configuration;

use crate::cli::numbering::{Numbering, Plan, Test, Way};

/// Answers one question. The exit code is 0 when it is answered, 1 when something is wrong with the
/// plan, 2 when there is nothing to read.
pub(crate) fn run(question: &Numbering) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let answered = match question {
        Numbering::Test(test) => try_numbers(test, &mut out),
        Numbering::Check(check) => examine(&check.plan, &mut out),
        Numbering::Export(export) => write_table(&export.plan, &mut out),
        Numbering::Import(import) => file::import(import, &mut out),
    };
    match answered.and_then(|code| out.flush().map(|()| code).map_err(Trouble::Write)) {
        Ok(code) => code,
        // Whoever reads through `head` has seen enough.
        Err(Trouble::Write(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("diesis: {trouble}");
            trouble.exit_code()
        }
    }
}

/// Why a question was not answered.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The directory has no plan.
    Missing(PathBuf),
    /// The plan is refused; why has been said.
    Refused(PathBuf),
    /// A file can not be read or written.
    Access(PathBuf, io::Error),
    /// A line of a table is wrong.
    Row(PathBuf, usize, String),
    /// The answer can not be written.
    Write(io::Error),
}

impl Trouble {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(_) | Self::Write(_) | Self::Row(..) => ExitCode::FAILURE,
            Self::Missing(_) | Self::Access(..) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(directory) => {
                write!(f, "{} has no numbering.conf", directory.display())
            }
            Self::Refused(path) => {
                write!(f, "the numbering plan of {} is refused", path.display())
            }
            Self::Access(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Row(path, line, error) => write!(f, "{}:{line}: {error}", path.display()),
            Self::Write(error) => write!(f, "the answer can't be written: {error}"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// The plan of a directory, whose errors are said.
pub(crate) fn load(directory: &Path) -> Result<NumberingPlan, Trouble> {
    let loaded = Configuration::numbering_of(directory);
    let is_refused = loaded.is_refused();
    for finding in loaded.findings() {
        if is_refused {
            eprintln!("{finding}");
        }
    }
    if is_refused {
        return Err(Trouble::Refused(directory.to_owned()));
    }
    loaded.configuration.ok_or_else(|| Trouble::Missing(directory.to_owned()))
}

fn plan(plan: &Plan) -> Result<NumberingPlan, Trouble> {
    plan.directory.as_deref().map_or_else(|| Ok(NumberingPlan::default()), load)
}

fn try_numbers(test: &Test, out: &mut impl Write) -> Result<ExitCode, Trouble> {
    let plan = plan(&test.plan)?;
    for number in &test.numbers {
        if number == "-" {
            for line in io::stdin().lock().lines() {
                let line = line.map_err(|error| Trouble::Access("standard input".into(), error))?;
                answer(&plan, test, &line, out)?;
            }
        } else {
            answer(&plan, test, number, out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(plan: &NumberingPlan, test: &Test, number: &str, out: &mut impl Write) -> io::Result<()> {
    let direction = match test.way {
        Way::Out => Direction::Out,
        Way::In | Way::Reverse => Direction::In,
    };
    let answer = plan.apply(direction, number);
    let result = match test.way {
        Way::Reverse => plan.reverse_key(&answer.number),
        Way::In | Way::Out => &answer.number,
    };
    if test.explain {
        writeln!(out, "{result}\t{number}: {answer}")
    } else {
        writeln!(out, "{result}")
    }
}

fn examine(which: &Plan, out: &mut impl Write) -> Result<ExitCode, Trouble> {
    let plan = plan(which)?;
    let found = suspicions(&plan);
    for it in &found {
        let text = plan.rules(it.direction)[it.rule].text();
        writeln!(out, "{}: {}: {}", it.direction.name(), Named(text), it.message(&plan))?;
        writeln!(out, "   = help: {}", it.remedy())?;
    }
    let rules = plan.rules(Direction::Out).len() + plan.rules(Direction::In).len();
    match found.len() {
        0 => writeln!(out, "{rules} rules, nothing suspicious")?,
        count => writeln!(out, "{rules} rules, {count} findings")?,
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_table(which: &Plan, out: &mut impl Write) -> Result<ExitCode, Trouble> {
    let plan = plan(which)?;
    let rules = [Direction::Out, Direction::In].into_iter().flat_map(|direction| {
        plan.rules(direction).iter().map(move |rule| (direction, rule.text()))
    });
    out.write_all(table::export(rules).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
