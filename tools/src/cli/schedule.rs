//! `diesis schedule`, as typed arguments.

use clap::{Args, Subcommand};
use diesis_engine::net::control::protocol::Command;

use super::operate::{TableFormat, Target};

/// Opening hours.
#[derive(Debug, Args)]
#[command(after_help = "\
`test` reads schedules.conf and needs no engine; the others ask a running one.

Examples:
  diesis schedule list
  diesis schedule close house --until 18:30
  diesis schedule open house --until next          until the hours change the next time
  diesis schedule back house
  diesis schedule test -C /etc/asterisk house --at 2026-12-24T17:00
  diesis schedule test -C /etc/asterisk house --calendar 2026-12")]
pub(crate) struct Schedule {
    #[command(subcommand)]
    pub(crate) action: ScheduleAction,
    /// How a list is written
    #[arg(long, value_enum, default_value_t = TableFormat::Table, global = true)]
    pub(crate) format: TableFormat,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ScheduleAction {
    /// All schedules: open or closed, why, and until when
    List,
    /// One of them
    Show {
        /// Which one
        name: String,
    },
    /// Open one, whatever its hours say
    Open(Said),
    /// Close one, whatever its hours say
    Close(Said),
    /// Let one go by its hours again
    Back {
        /// Which one
        name: String,
    },
    /// Say what schedules.conf of a directory makes of a time, a week or a month
    Test(Test),
}

/// What is said instead of the hours.
#[derive(Debug, Clone, Args)]
pub(crate) struct Said {
    /// Which one
    name: String,
    /// Until when: 18:30, 2026-12-24T18:30, or `next` [default: until taken back]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// A question to a configuration.
#[derive(Debug, Clone, Args)]
pub(crate) struct Test {
    /// Which one
    pub(crate) name: String,
    /// When: a date and time by the schedule's clock, with an offset, or in seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "calendar")]
    pub(crate) at: Option<String>,
    /// Each day of a month (2026-12), of a week (2026-W51) or a single day (2026-12-24)
    #[arg(long, value_name = "MONTH|WEEK|DAY")]
    pub(crate) calendar: Option<String>,
}

impl ScheduleAction {
    /// What the engine is asked; `None` when none is needed.
    pub(crate) fn command(&self) -> Option<Command> {
        let (name, set) = match self {
            Self::List => (None, None),
            Self::Show { name } => (Some(name.clone()), None),
            Self::Open(said) => (Some(said.name.clone()), Some(said.words("open"))),
            Self::Close(said) => (Some(said.name.clone()), Some(said.words("closed"))),
            Self::Back { name } => (Some(name.clone()), Some("back".to_owned())),
            Self::Test(_) => return None,
        };
        Some(Command::Schedule { name, set })
    }
}

impl Said {
    fn words(&self, word: &str) -> String {
        match &self.until {
            Some(until) => format!("{word} until {until}"),
            None => word.to_owned(),
        }
    }
}
