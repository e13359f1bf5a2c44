//! `diesis dialplan`: questions to a dialplan, without a call.

mod eval;
mod lookup;
mod moment;
mod show;

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bstr::{BStr, ByteSlice};
use diesis_dialplan::conf;
use diesis_dialplan::diagnostic::{Diagnostic, Severity};
use diesis_dialplan::plan::{ContextId, Plan};
use diesis_dialplan::spelling;
use diesis_engine::config::{DirectoryFiles, Finding};

use crate::cli::dialplan::Dialplan;

/// Answers one question. The exit code is 0 when there is an answer, 1 when there is none, 2 when
/// there is nothing to read.
pub(crate) fn run(question: &Dialplan) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let answered = match question {
        Dialplan::Eval(eval) => eval::run(eval, &mut out),
        Dialplan::Show(show) => show::run(show, &mut out),
        Dialplan::Lookup(lookup) => lookup::run(lookup, &mut out),
    };
    let written = answered.and_then(|found| {
        out.flush()?;
        Ok(found)
    });
    match written {
        Ok(Found::Yes) => ExitCode::SUCCESS,
        Ok(Found::No) => ExitCode::FAILURE,
        // Whoever reads through `head` has seen enough.
        Err(Trouble::Write(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("diesis: {trouble}");
            trouble.exit_code()
        }
    }
}

/// Whether a question has an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Yes,
    No,
}

/// Why a question was not answered.
#[derive(Debug)]
enum Trouble {
    /// The dialplan can not be read.
    Read(PathBuf, io::Error),
    /// The dialplan is one that is refused as a whole; why has been said.
    Refused(PathBuf),
    /// No such context.
    Context(String),
    /// An argument is wrong.
    Argument(String),
    /// The vectors can not be read.
    Vectors(io::Error),
    /// The answer can not be written.
    Write(io::Error),
}

impl Trouble {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(_) | Self::Context(_) | Self::Write(_) => ExitCode::FAILURE,
            Self::Read(..) | Self::Argument(_) | Self::Vectors(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "{} can't be read: {error}", path.display()),
            Self::Refused(path) => {
                write!(f, "{} is refused as a whole: nothing is loaded", path.display())
            }
            Self::Context(message) | Self::Argument(message) => f.write_str(message),
            Self::Vectors(error) => write!(f, "standard input can't be read: {error}"),
            Self::Write(error) => write!(f, "the answer can't be written: {error}"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Loads the plan of a configuration directory or of one file. What keeps it from loading is
/// printed; lines that are merely dropped are counted, since `diesis check` explains them.
fn load(path: &Path) -> Result<Plan, Trouble> {
    let unreadable = |error| Trouble::Read(path.to_owned(), error);
    let is_directory = std::fs::metadata(path).map_err(unreadable)?.is_dir();
    let (directory, name) = if is_directory {
        (path, "extensions.conf")
    } else {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| unreadable(io::Error::other("its name is not UTF-8")))?;
        (path.parent().unwrap_or_else(|| Path::new("")), name)
    };
    let file = directory.join(name);
    std::fs::File::open(&file).map_err(|error| Trouble::Read(file.clone(), error))?;
    let files = DirectoryFiles::new(directory);
    let conf = conf::load(name, &files, &conf::Options::default());
    let (plan, diagnostics) = Plan::load(&conf, &Default::default());
    let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
    if conf.is_refused() {
        let sources = conf.sources();
        for diagnostic in conf.diagnostics().iter().filter(is_error) {
            eprintln!("{}\n", Finding { diagnostic, sources });
        }
        return Err(Trouble::Refused(file));
    }
    let dropped = conf.diagnostics().iter().chain(&diagnostics).filter(is_error).count();
    if dropped > 0 {
        let lines = if dropped == 1 { "1 line is" } else { &format!("{dropped} lines are") };
        eprintln!("diesis: {lines} not loaded; see `diesis check {}`", path.display());
    }
    Ok(plan)
}

/// A context by its name.
fn context(plan: &Plan, name: &BStr) -> Result<ContextId, Trouble> {
    if let Some(context) = plan.context(name) {
        return Ok(context);
    }
    let names = plan.contexts().map(|context| context.name());
    let guess = spelling::closest(name, names);
    let hint = guess.map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"));
    Err(Trouble::Context(format!("there is no context `{name}`{hint}")))
}

/// Text for a terminal: control bytes are shown, not obeyed.
fn visible(text: &[u8]) -> String {
    let text = text.to_str_lossy();
    if !text.chars().any(char::is_control) {
        return text.into_owned();
    }
    let show = |letter: char| match letter {
        '\t' => ' '.to_string(),
        letter if letter.is_control() => letter.escape_default().to_string(),
        letter => letter.to_string(),
    };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let trouble = load(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(trouble.to_string().starts_with("/nowhere/at/all can't be read: "), "{trouble}");
        assert_eq!(trouble.exit_code(), ExitCode::from(2));
    }

    #[test]
    fn control_bytes_do_not_reach_the_terminal() {
        assert_eq!(visible(b"a\x1b[31m\tb\xff"), "a\\u{1b}[31m b\u{fffd}");
    }
}
