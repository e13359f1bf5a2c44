//! `diesis videoshare`: what an operator does to conferences with a master.

use clap::{Args, Subcommand};
use diesis_engine::net::control::protocol::{Command, VideoShareAction as Do};

use super::operate::{TableFormat, Target};

/// Something about conferences with a master.
#[derive(Debug, Args)]
#[command(after_help = "\
WHO is a number of the room's list, or # and a place in it as `videoshare show ROOM` has it: #2.

Examples:
  diesis videoshare list
  diesis videoshare start board
  diesis videoshare invite board 0612345678 --name 'Chloe Petit'
  diesis videoshare call-again board '#2'
  diesis videoshare mute board
  diesis videoshare report board --json")]
pub(crate) struct VideoShare {
    #[command(subcommand)]
    action: Action,
    /// How a list is written
    #[arg(long, value_enum, default_value_t = TableFormat::Table, global = true)]
    format: TableFormat,
    /// The same as --format json
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// The rooms of videoshare.conf, and how they stand
    List,
    /// Who takes part, and how it stands with each
    Show {
        /// The room
        room: String,
    },
    /// Begin: the master is called, unless he always calls
    Start {
        /// The room
        room: String,
    },
    /// Call somebody
    Invite {
        /// The room
        room: String,
        /// Whom
        number: String,
        /// Who that is, for lists and the report
        #[arg(long)]
        name: Option<String>,
    },
    /// Call all of the list whom nobody called yet
    CallAll {
        /// The room
        room: String,
    },
    /// Call somebody of the list again
    CallAgain {
        /// The room
        room: String,
        /// A number, or # and a place
        who: String,
    },
    /// Let the others not hear somebody, or anybody but the master
    Mute {
        /// The room
        room: String,
        /// A number, or # and a place; all participants without one
        who: Option<String>,
    },
    /// Let the others hear somebody, or all
    Unmute {
        /// The room
        room: String,
        /// A number, or # and a place; all participants without one
        who: Option<String>,
    },
    /// Send somebody away
    Remove {
        /// The room
        room: String,
        /// A number, or # and a place
        who: String,
    },
    /// Let nobody come who is not invited
    Lock {
        /// The room
        room: String,
    },
    /// Let all come again
    Unlock {
        /// The room
        room: String,
    },
    /// Record what is heard, or end that
    #[command(subcommand)]
    Record(Recording),
    /// End it for all
    End {
        /// The room
        room: String,
    },
    /// What became of the last conference that is over
    Report {
        /// The room
        room: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
enum Recording {
    /// Begin
    Start {
        /// The room
        room: String,
    },
    /// End
    Stop {
        /// The room
        room: String,
    },
}

impl VideoShare {
    /// What is asked for.
    pub(crate) fn command(&self) -> Command {
        let (action, room, who, name) = match self.action.clone() {
            Action::List => (Do::List, None, None, None),
            Action::Show { room } => (Do::Show, Some(room), None, None),
            Action::Start { room } => (Do::Start, Some(room), None, None),
            Action::Invite { room, number, name } => (Do::Invite, Some(room), Some(number), name),
            Action::CallAll { room } => (Do::CallAll, Some(room), None, None),
            Action::CallAgain { room, who } => (Do::CallAgain, Some(room), Some(who), None),
            Action::Mute { room, who } => (Do::Mute, Some(room), who, None),
            Action::Unmute { room, who } => (Do::Unmute, Some(room), who, None),
            Action::Remove { room, who } => (Do::Remove, Some(room), Some(who), None),
            Action::Lock { room } => (Do::Lock, Some(room), None, None),
            Action::Unlock { room } => (Do::Unlock, Some(room), None, None),
            Action::Record(Recording::Start { room }) => (Do::Record, Some(room), None, None),
            Action::Record(Recording::Stop { room }) => (Do::Stop, Some(room), None, None),
            Action::End { room } => (Do::End, Some(room), None, None),
            Action::Report { room } => (Do::Report, Some(room), None, None),
        };
        Command::VideoShare { action, room, who, name }
    }

    /// How a list is written.
    pub(crate) fn format(&self) -> TableFormat {
        if self.json { TableFormat::Json } else { self.format }
    }
}
