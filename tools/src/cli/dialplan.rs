//! The command line of `diesis dialplan`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Format;

/// Questions to a dialplan, without a call.
#[derive(Debug, Subcommand)]
pub(crate) enum Dialplan {
    /// Evaluate a text with ${...} and $[...], or test vectors from standard input
    Eval(Eval),
    /// Print a dialplan as it is loaded: sorted, with includes, file and line
    Show(Show),
    /// Say which step a dialled number leads to, and why
    Lookup(Lookup),
}

/// A text to evaluate.
#[derive(Debug, Args)]
#[command(after_help = "\
Without a text, every line of standard input is a test vector (a JSON object), and every line of
standard output its result. What the dialplan would log as warnings goes to standard error.

Example:
  diesis dialplan eval '${LEN(${x})} $[ 1 + 2 ]' -v x=hello")]
pub(crate) struct Eval {
    /// The text; without one, test vectors are read
    #[arg(value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Set a variable; may be given several times
    #[arg(short, long = "variable", value_name = "NAME=VALUE", requires = "text", value_parser = assignment)]
    pub(crate) variables: Vec<Assignment>,
    /// The channel's context
    #[arg(long, value_name = "CONTEXT", default_value = "default", requires = "text")]
    pub(crate) context: String,
    /// The channel's extension
    #[arg(long, value_name = "EXTEN", default_value = "s", requires = "text")]
    pub(crate) exten: String,
    /// The caller's number
    #[arg(long, value_name = "NUMBER", requires = "text")]
    pub(crate) callerid: Option<String>,
    /// When it is: a date and time here, with an offset, or in seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", requires = "text")]
    pub(crate) at: Option<String>,
    /// A configuration directory or dialplan file, for its globals and extensions
    #[arg(short = 'C', long = "config", value_name = "DIRECTORY|FILE", requires = "text")]
    pub(crate) path: Option<PathBuf>,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "text")]
    pub(crate) format: Format,
}

/// `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A dialplan to print.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The configuration directory, or a dialplan file
    #[arg(short = 'C', long = "config", value_name = "DIRECTORY|FILE", default_value = ".")]
    pub(crate) path: PathBuf,
    /// One context, or what matches one number there; `EXTEN@CONTEXT` does too
    #[arg(value_name = "CONTEXT[@EXTEN]")]
    pub(crate) place: Option<String>,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// A number to look up.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  there is such a step
  1  there is none, or the dialplan is refused as a whole
  2  the command line is wrong, or there is nothing to read where it points")]
pub(crate) struct Lookup {
    /// The configuration directory, or a dialplan file
    #[arg(short = 'C', long = "config", value_name = "DIRECTORY|FILE", default_value = ".")]
    pub(crate) path: PathBuf,
    /// The context that the call is in
    #[arg(value_name = "CONTEXT")]
    pub(crate) context: String,
    /// What was dialled
    #[arg(value_name = "NUMBER", allow_hyphen_values = true)]
    pub(crate) number: String,
    /// The caller's number [default: not known]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub(crate) callerid: Option<String>,
    /// Which step; `hint` is the hint
    #[arg(long, value_name = "PRIORITY", default_value = "1", value_parser = priority)]
    pub(crate) priority: Priority,
    /// Look for a label instead
    #[arg(long, value_name = "LABEL", conflicts_with = "priority")]
    pub(crate) label: Option<String>,
    /// When: a date and time here, with an offset, or in seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Which step to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    Hint,
    Number(u32),
}

fn priority(text: &str) -> Result<Priority, String> {
    match text.parse() {
        _ if text == "hint" => Ok(Priority::Hint),
        Ok(number) if (1..=i32::MAX as u32).contains(&number) => Ok(Priority::Number(number)),
        _ => Err("expected a number from 1, or `hint`".to_owned()),
    }
}

fn assignment(text: &str) -> Result<Assignment, String> {
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err("expected NAME=VALUE".to_owned());
    };
    if name.ends_with(')') {
        return Err(format!("{name} is a function; only variables can be set"));
    }
    Ok(Assignment { name: name.to_owned(), value: value.to_owned() })
}
