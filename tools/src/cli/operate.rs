//! The commands that talk to a running engine.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use diesis_engine::net::control::protocol::What;

/// Which engine.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The directory that the engine runs; its asterisk.conf says where the socket is
    #[arg(
        short = 'C',
        long = "config",
        value_name = "DIRECTORY",
        default_value = "/etc/asterisk",
        global = true
    )]
    pub(crate) directory: PathBuf,
    /// The engine's control socket, wherever it is
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) socket: Option<PathBuf>,
}

/// A look at a running engine.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(subcommand)]
    table: ShowTable,
    #[command(flatten)]
    pub(crate) target: Target,
    /// How to say it
    #[arg(long, value_enum, default_value_t = TableFormat::Table, global = true)]
    pub(crate) format: TableFormat,
}

#[derive(Debug, Clone, Subcommand)]
enum ShowTable {
    /// Who talks with whom
    Calls,
    /// One row a channel: its place in the dialplan, its addresses
    Channels,
    /// Where phones are registered
    #[command(alias = "registrations")]
    Contacts,
    /// Who is not listened to after failing to log in too often
    Bans,
    /// The configured peers and whether they are there
    Peers,
    /// Conference rooms and who is inside
    Conferences,
    /// Where SIP is listened for
    Transports,
    /// The state of the links: host, connected, current, total, port, domain
    Connections,
    /// The state of phones by number
    Stations {
        /// A number, or FIRST-LAST
        range: Option<String>,
    },
    /// Since when the engine runs
    Uptime,
    /// Which engine runs
    Version,
}

impl Show {
    /// What is asked for.
    pub(crate) fn what(&self) -> (What, Option<String>) {
        let what = match &self.table {
            ShowTable::Calls => What::Calls,
            ShowTable::Channels => What::Channels,
            ShowTable::Contacts => What::Contacts,
            ShowTable::Bans => What::Bans,
            ShowTable::Peers => What::Peers,
            ShowTable::Conferences => What::Conferences,
            ShowTable::Transports => What::Transports,
            ShowTable::Connections => What::Connections,
            ShowTable::Stations { range } => return (What::Stations, range.clone()),
            ShowTable::Uptime => What::Uptime,
            ShowTable::Version => What::Version,
        };
        (what, None)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// For people
    Table,
    /// For programs: an array of objects
    Json,
    /// For spreadsheets
    Csv,
}

/// The end of a call.
#[derive(Debug, Args)]
pub(crate) struct Hangup {
    /// The channel as `show channels` names it, or `all`
    pub(crate) channel: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Another configuration for a running engine.
#[derive(Debug, Args)]
#[command(after_help = "\
Calls and registrations go on. A configuration with errors is refused as a whole, with the messages of
`diesis check`, and the one in force stays. What waits for a restart, such as another port, is named.
SIGHUP does the same.")]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) target: Target,
}

/// The end of an engine.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// Refuse new calls, and wait for the running ones to end
    #[arg(long)]
    pub(crate) when_idle: bool,
    /// How long to wait for them at most
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, requires = "when_idle")]
    pub(crate) within: u64,
    #[command(flatten)]
    pub(crate) target: Target,
}
