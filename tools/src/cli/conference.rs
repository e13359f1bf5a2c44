//! `diesis confbridge`: what an operator does to conference rooms.

use clap::{Args, Subcommand};
use diesis_engine::net::control::protocol::{Command, ConferenceAction, What};

use super::operate::{TableFormat, Target};

/// Something done to a conference room.
#[derive(Debug, Args)]
#[command(after_help = "\
WHO is a channel as `confbridge list ROOM` names it, `all`, `participants` (all but administrators)
or `last` (who came last).

Examples:
  diesis confbridge list
  diesis confbridge kick 600 last
  diesis confbridge mute 600 participants
  diesis confbridge record start 600 board.wav")]
pub(crate) struct Confbridge {
    #[command(subcommand)]
    action: ConfbridgeAction,
    /// How a list is written
    #[arg(long, value_enum, default_value_t = TableFormat::Table, global = true)]
    pub(crate) format: TableFormat,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Clone, Subcommand)]
enum ConfbridgeAction {
    /// The rooms, or who is in one
    List {
        /// The room
        room: Option<String>,
    },
    /// Send somebody away
    Kick {
        /// The room
        room: String,
        /// A channel, all, participants or last
        who: String,
    },
    /// Let the others not hear somebody
    Mute {
        /// The room
        room: String,
        /// A channel, all, participants or last
        who: String,
    },
    /// Let the others hear somebody
    Unmute {
        /// The room
        room: String,
        /// A channel, all, participants or last
        who: String,
    },
    /// Let nobody but administrators come in
    Lock {
        /// The room
        room: String,
    },
    /// Let all come in
    Unlock {
        /// The room
        room: String,
    },
    /// Record what is heard, or end that
    #[command(subcommand)]
    Record(ConfbridgeRecord),
}

#[derive(Debug, Clone, Subcommand)]
enum ConfbridgeRecord {
    /// Begin
    Start {
        /// The room
        room: String,
        /// The file; as the bridge profile has it when there is none
        file: Option<String>,
    },
    /// End
    Stop {
        /// The room
        room: String,
    },
}

impl Confbridge {
    /// What is asked for.
    pub(crate) fn command(&self) -> Command {
        use ConferenceAction as Do;
        let order =
            |room, action, channel, file| Command::Conference { room, action, channel, file };
        match self.action.clone() {
            ConfbridgeAction::List { room: None } => {
                Command::Show { what: What::Conferences, range: None }
            }
            ConfbridgeAction::List { room: Some(room) } => order(room, Do::List, None, None),
            ConfbridgeAction::Kick { room, who } => order(room, Do::Kick, Some(who), None),
            ConfbridgeAction::Mute { room, who } => order(room, Do::Mute, Some(who), None),
            ConfbridgeAction::Unmute { room, who } => order(room, Do::Unmute, Some(who), None),
            ConfbridgeAction::Lock { room } => order(room, Do::Lock, None, None),
            ConfbridgeAction::Unlock { room } => order(room, Do::Unlock, None, None),
            ConfbridgeAction::Record(ConfbridgeRecord::Start { room, file }) => {
                order(room, Do::Record, None, file)
            }
            ConfbridgeAction::Record(ConfbridgeRecord::Stop { room }) => {
                order(room, Do::Stop, None, None)
            }
        }
    }
}
