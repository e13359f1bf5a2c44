//! `diesis numbering`, as typed arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Questions to a numbering plan.
#[derive(Debug, Subcommand)]
pub(crate) enum Numbering {
    /// Say what becomes of numbers, a line each
    Test(Test),
    /// Say which rules no number reaches, and which do more than was meant
    Check(Check),
    /// Write the rules as comma-separated values
    Export(Export),
    /// Take rules from comma-separated values into numbering.conf
    Import(Import),
}

/// Which plan.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The directory with numbering.conf [default: none; the default rules hold]
    #[arg(short = 'C', long = "config", value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
}

/// Numbers to be tried.
#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    pub(crate) plan: Plan,
    /// Say why, too
    #[arg(long)]
    pub(crate) explain: bool,
    /// Numbers to be dialled, numbers of callers, or the digits by which a caller is looked up
    #[arg(value_name = "out|in|reverse", value_enum, hide_possible_values = true)]
    pub(crate) way: Way,
    /// The numbers; `-` reads them from standard input, a line each
    #[arg(value_name = "NUMBER", required = true)]
    pub(crate) numbers: Vec<String>,
}

/// What a number is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// To be dialled
    Out,
    /// A caller's
    In,
    /// A caller's, to be looked up
    Reverse,
}

/// A plan under examination.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) plan: Plan,
}

/// Rules to be written.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) plan: Plan,
}

/// Rules to be taken.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Lines of direction,priority,name,model,value; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Whose numbering.conf gets them in place of its own; without it the file is printed
    #[arg(short = 'C', long = "config", value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
}
