//! The commands that talk to a running engine.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use diesis_engine::net::control::protocol::{
    Command, DatabaseAction as Action, Setting, Then, What,
};

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
    format: TableFormat,
    /// The same as --format json
    #[arg(long, global = true, conflicts_with_all = ["csv", "format"])]
    json: bool,
    /// The same as --format csv
    #[arg(long, global = true, conflicts_with = "format")]
    csv: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum ShowTable {
    /// Who talks with whom
    Calls,
    /// One row a channel: its place in the dialplan, its addresses
    Channels,
    /// One row a channel: packets, losses, jitter and opinion score both ways, round trip
    #[command(name = "channelstats")]
    ChannelStats,
    /// Where phones are registered
    Contacts,
    /// Where we are registered: type=registration of pjsip.conf
    Registrations,
    /// The numbers of robots.conf: registered or not, in how many calls, and for whom the last was
    Robots {
        /// A number, or FIRST-LAST
        range: Option<String>,
    },
    /// The applications that robots work for: how many there are, and how busy they are
    Pools,
    /// Extensions with a hint: their devices, their state, how many watch them
    Hints,
    /// Who watches extensions and mailboxes, and until when
    Subscriptions,
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
    /// Calls that are over, the newest last
    Cdr {
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 20)]
        last: usize,
        /// Those that this number made
        #[arg(long, value_name = "NUMBER")]
        from: Option<String>,
    },
    /// What the media threads have to do, and how punctual they are
    Media,
    /// Calls, quality, media threads and the process in figures, as Prometheus reads them
    Metrics,
    /// Since when the engine runs
    Uptime,
    /// Which engine runs
    Version,
}

impl Show {
    /// What is asked for.
    pub(crate) fn command(&self) -> Command {
        let what = match &self.table {
            ShowTable::Calls => What::Calls,
            ShowTable::Channels => What::Channels,
            ShowTable::ChannelStats => What::ChannelStats,
            ShowTable::Contacts => What::Contacts,
            ShowTable::Registrations => What::Registrations,
            ShowTable::Robots { range } => {
                return Command::Show { what: What::Robots, range: range.clone() };
            }
            ShowTable::Pools => What::Pools,
            ShowTable::Hints => What::Hints,
            ShowTable::Subscriptions => What::Subscriptions,
            ShowTable::Bans => What::Bans,
            ShowTable::Peers => What::Peers,
            ShowTable::Conferences => What::Conferences,
            ShowTable::Transports => What::Transports,
            ShowTable::Connections => What::Connections,
            ShowTable::Stations { range } => {
                return Command::Show { what: What::Stations, range: range.clone() };
            }
            ShowTable::Cdr { last, from } => {
                return Command::Records { last: Some(*last), from: from.clone() };
            }
            ShowTable::Media => What::Media,
            ShowTable::Metrics => return Command::Metrics,
            ShowTable::Uptime => What::Uptime,
            ShowTable::Version => What::Version,
        };
        Command::Show { what, range: None }
    }

    /// How it is said.
    pub(crate) fn format(&self) -> TableFormat {
        match (self.json, self.csv) {
            (true, _) => TableFormat::Json,
            (_, true) => TableFormat::Csv,
            _ => self.format,
        }
    }

    /// The columns that people are shown, when they are not all.
    pub(crate) fn columns(&self) -> Option<&'static [&'static str]> {
        matches!(self.table, ShowTable::Cdr { .. }).then_some(CDR_COLUMNS)
    }
}

const CDR_COLUMNS: &[&str] = &[
    "start",
    "from",
    "to",
    "disposition",
    "seconds",
    "billable",
    "channel",
    "destination_channel",
];

/// The dialplan's database, as DB() sees it.
#[derive(Debug, Args)]
pub(crate) struct Database {
    #[command(subcommand)]
    action: DatabaseAction,
    #[command(flatten)]
    pub(crate) target: Target,
    /// How to show it
    #[arg(long, value_enum, default_value_t = TableFormat::Table, global = true)]
    pub(crate) format: TableFormat,
}

#[derive(Debug, Clone, Subcommand)]
enum DatabaseAction {
    /// The entries of a family, or all
    Show {
        /// A family, or FAMILY/KEY
        key: Option<String>,
    },
    /// The value of an entry
    Get {
        /// Which one
        #[arg(value_name = "FAMILY/KEY")]
        key: String,
    },
    /// Write an entry
    Put {
        /// Which one
        #[arg(value_name = "FAMILY/KEY")]
        key: String,
        /// Its new value
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Delete an entry
    Del {
        /// Which one
        #[arg(value_name = "FAMILY/KEY")]
        key: String,
    },
}

impl Database {
    /// What is asked for.
    pub(crate) fn command(&self) -> Command {
        let (action, key, value) = match &self.action {
            DatabaseAction::Show { key } => (Action::Show, key.clone().unwrap_or_default(), None),
            DatabaseAction::Get { key } => (Action::Get, key.clone(), None),
            DatabaseAction::Put { key, value } => (Action::Put, key.clone(), Some(value.clone())),
            DatabaseAction::Del { key } => (Action::Del, key.clone(), None),
        };
        Command::Database { action, key, value }
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

/// The messages that wait in a mailbox.
#[derive(Debug, Args)]
#[command(after_help = "\
Phones that subscribed to the mailbox, and those whose endpoint has it in `mailboxes`, are told at once.
The engine forgets the numbers when it stops: whoever knows of the messages says them anew.

Example:
  diesis mailbox set 1001 3 12   three new messages, twelve old ones")]
pub(crate) struct Mailbox {
    #[command(subcommand)]
    action: MailboxAction,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Clone, Subcommand)]
enum MailboxAction {
    /// Say how many messages wait
    Set {
        /// The mailbox: 1001, or 1001@CONTEXT
        #[arg(value_name = "BOX")]
        name: String,
        /// Messages that were not heard yet
        new: u32,
        /// Messages that were heard
        old: u32,
    },
}

impl Mailbox {
    /// What is asked for.
    pub(crate) fn command(&self) -> Command {
        let MailboxAction::Set { name, new, old } = self.action.clone();
        Command::Mailbox { name, new, old }
    }
}

/// The end of a call.
#[derive(Debug, Args)]
pub(crate) struct Hangup {
    /// The channel as `show channels` names it, or `all`
    pub(crate) channel: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// A new call.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  diesis originate PJSIP/200 application Playback hello-world
  diesis originate PJSIP/200 extension 300@office --number 300
  diesis originate PJSIP/200 extension '+33 (0)1 55 17 18 89@office' --numbering
  diesis originate Local/200@office application Wait 5")]
pub(crate) struct Originate {
    /// Whom to call: PJSIP/NAME, Local/EXTENSION@CONTEXT
    #[arg(value_name = "TECHNOLOGY/WHOM")]
    pub(crate) destination: String,
    #[command(subcommand)]
    pub(crate) then: OriginateThen,
    /// The caller's number that is shown
    #[arg(long, global = true)]
    pub(crate) number: Option<String>,
    /// Numbers are written as people do, +33 (0)1 55 17 18 89: numbering.conf makes of them what is dialled
    #[arg(long = "numbering", global = true)]
    pub(crate) written: bool,
    /// How long it may ring [default: 30]
    #[arg(long, value_name = "SECONDS", global = true)]
    pub(crate) timeout: Option<u64>,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum OriginateThen {
    /// Run one application for who answers
    Application {
        /// Which one
        name: String,
        /// Its arguments
        #[arg(allow_hyphen_values = true, default_value = "")]
        arguments: String,
    },
    /// Send who answers to an extension
    Extension {
        /// EXTENSION@CONTEXT; the context `default` when there is none
        place: String,
    },
}

impl From<OriginateThen> for Then {
    fn from(then: OriginateThen) -> Self {
        match then {
            OriginateThen::Application { name, arguments } => Self::Application { name, arguments },
            OriginateThen::Extension { place } => match place.rsplit_once('@') {
                Some((extension, context)) => {
                    Self::Extension { extension: extension.into(), context: Some(context.into()) }
                }
                None => Self::Extension { extension: place, context: None },
            },
        }
    }
}

/// Another place for a call.
#[derive(Debug, Args)]
pub(crate) struct Redirect {
    /// The channel as `show channels` names it
    pub(crate) channel: String,
    /// Where its dialplan goes on
    #[arg(value_name = "[[CONTEXT,]EXTENSION,]PRIORITY")]
    pub(crate) place: String,
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

/// A prompt for the commands that talk to a running engine.
#[derive(Debug, Args)]
#[command(after_help = "\
Each line is what follows `diesis` on a command line: `show calls`, `trace 1001 --ladder`, `reload`.
Tab completes, the arrows bring lines back, `help` lists, `exit` or Ctrl-D leaves. Lines may come from
a file or a pipe; the exit code is then that of the last command.")]
pub(crate) struct Console {
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Another log for a running engine, until it is started again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  diesis set log debug                      every step of every call
  diesis set log diesis_engine::sip=trace   a filter, as in DIESIS_LOG
  diesis set log default                    as it was at the start
  diesis set syslog 192.0.2.1               RFC 5424 over UDP, port 514
  diesis set syslog local                   the system's own, /dev/log
  diesis set syslog off")]
pub(crate) struct Set {
    /// What to change
    #[arg(value_enum)]
    pub(crate) what: SetWhat,
    /// A level or a filter; or an address, `local` or `off`
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SetWhat {
    /// From which level on is logged
    Log,
    /// Where the log is sent to as syslog
    Syslog,
}

impl From<SetWhat> for Setting {
    fn from(what: SetWhat) -> Self {
        match what {
            SetWhat::Log => Self::Log,
            SetWhat::Syslog => Self::Syslog,
        }
    }
}

/// A look at what a running engine says and hears.
#[derive(Debug, Args)]
#[command(after_help = "\
Passwords' proofs and media keys are struck out. Watching costs the engine nothing once it ends.

Examples:
  diesis trace 1001                       all messages of a number, as text
  diesis trace '*' --ladder --for 5m      every call as a ladder, for five minutes
  diesis trace 192.0.2.7 --pcap call.pcap for tshark, Wireshark or sngrep
  diesis trace 1001 --pcap - | tshark -r - -V")]
pub(crate) struct Trace {
    /// A number, user@host, a Call-ID, an address with or without a port, or `*`
    #[arg(value_name = "NUMBER|CALL-ID|ADDRESS")]
    pub(crate) of: String,
    /// Draw each call as a ladder when it ends
    #[arg(long)]
    pub(crate) ladder: bool,
    /// Write a capture file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// How long, such as 60s, 5m or 1h [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    pub(crate) time: Option<u64>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// `90`, `90s`, `5m`, `1h`.
fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) => (number, &text[number.len()..]),
        None => (text, "s"),
    };
    let unit = match unit {
        "h" => 3600,
        "m" => 60,
        _ => 1,
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let wrong = || "expected a time up to a day, such as 60s, 5m or 1h".to_owned();
    seconds.filter(|seconds| (1..=86_400).contains(seconds)).ok_or_else(wrong)
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
