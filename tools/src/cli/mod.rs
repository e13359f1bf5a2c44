//! The command line, as typed arguments.

pub(crate) mod campaign;
pub(crate) mod cert;
pub(crate) mod conference;
pub(crate) mod convert;
pub(crate) mod dialplan;
mod headerless;
pub(crate) mod load;
pub(crate) mod numbering;
pub(crate) mod operate;
pub(crate) mod rules;
pub(crate) mod schedule;
pub(crate) mod sounds;
pub(crate) mod sox;
pub(crate) mod videoshare;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::log;

/// SIP and media engine that runs Asterisk's dialplan.
///
/// Without a command it starts with an embedded configuration, calls itself, and shows what was
/// heard; then it stays up for your phones.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) demo: Demo,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done; `check`: nothing is wrong
  1  it failed; `check`: there are errors, or warnings with --strict
  2  the command line is wrong, or there is nothing to read where it points

Environment:
  DIESIS_LOG  what to log, such as `info` or `diesis_engine::sip=debug`";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a configuration directory, such as /etc/asterisk
    Run(Run),
    /// Look at a running engine: its calls, phones, peers, rooms
    Show(operate::Show),
    /// Look at and change the dialplan's database of a running engine
    Database(operate::Database),
    /// Say how many messages wait in a mailbox, for the lamps of phones
    Mailbox(operate::Mailbox),
    /// Opening hours: look at them, open or close instead of them, try them
    Schedule(schedule::Schedule),
    /// Conferences with a master: look, start, invite, call again, mute, send away, end, report
    #[command(name = "videoshare")]
    VideoShare(videoshare::VideoShare),
    /// Look at conference rooms; send away, mute, lock and record
    Confbridge(conference::Confbridge),
    /// End a call of a running engine
    Hangup(operate::Hangup),
    /// Call somebody, and hand whoever answers to the dialplan
    Originate(operate::Originate),
    /// Send a call to another place of the dialplan
    Redirect(operate::Redirect),
    /// Let a running engine read its configuration again
    Reload(operate::Reload),
    /// Change the log of a running engine: its level, or where syslog goes
    Set(operate::Set),
    /// A prompt with completion for the commands of a running engine
    Console(operate::Console),
    /// Watch the SIP messages of a number, an address or a call
    Trace(operate::Trace),
    /// Stop a running engine
    Stop(operate::Stop),
    /// Say what is wrong with a configuration directory, or with one dialplan file
    Check(Check),
    #[command(about = CONVERT)]
    Convert(convert::Convert),
    /// Look at sound files: levels, loudness, pictures, what Asterisk makes of them, what is missing
    #[command(subcommand)]
    Sounds(sounds::Sounds),
    #[command(about = SOX)]
    Sox(sox::Sox),
    /// Call the numbers of a list, and write down what came of each call
    #[command(subcommand)]
    Campaign(campaign::Campaign),
    /// Load a SIP target with calls: what they hear, and what they cost it
    Load(Box<load::Load>),
    /// Ask a numbering plan what becomes of numbers; check, export and import its rules
    #[command(subcommand)]
    Numbering(numbering::Numbering),
    /// Look at forwarding rules, change them, and say what becomes of a call and why
    Rules(rules::Rules),
    /// Make certificates for SIP over TLS, or say what is wrong with one
    #[command(subcommand)]
    Cert(cert::Cert),
    /// Ask a dialplan without a call: evaluate, show, look up
    #[command(subcommand)]
    Dialplan(dialplan::Dialplan),
}

const CONVERT: &str = "Convert sound files: by default to 8 kHz, 16 bits, mono WAV";
const SOX: &str = "The command of sox, for scripts";

/// The commands that scripts run once for each of many small files: to make the options of all
/// other commands takes longer than to convert a prompt.
#[derive(Debug, Parser)]
#[command(version)]
struct Conversion {
    #[command(subcommand)]
    command: Converting,
}

#[derive(Debug, Subcommand)]
enum Converting {
    #[command(about = CONVERT)]
    Convert(Box<convert::Convert>),
    #[command(about = SOX)]
    Sox(sox::Sox),
}

/// The command, where it is a conversion. Ends the process where it is one that can't be.
pub(crate) fn conversion() -> Option<Command> {
    let first = std::env::args_os().nth(1)?;
    (first == "convert" || first == "sox").then(|| match Conversion::parse().command {
        Converting::Convert(options) => Command::Convert(*options),
        Converting::Sox(options) => Command::Sox(options),
    })
}

/// The embedded show.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Address to listen on for SIP, UDP and TCP
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    pub(crate) bind: IpAddr,
    /// Port to listen on
    #[arg(long, default_value_t = 5060)]
    pub(crate) port: u16,
    /// Ports for media
    #[arg(long, value_name = "FIRST-LAST", default_value = "10000-20000", value_parser = ports)]
    pub(crate) rtp: RangeInclusive<u16>,
    /// Media threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = shards)]
    pub(crate) shards: Option<usize>,
    /// End after the call to itself; the exit code says whether everything was heard
    #[arg(long)]
    pub(crate) exit: bool,
    /// Where to write what the caller heard, as WAV
    #[arg(long, value_name = "FILE")]
    pub(crate) heard: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// A configuration directory in operation.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration directory
    #[arg(short = 'C', long = "config", value_name = "DIRECTORY")]
    pub(crate) directory: PathBuf,
    /// Media threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = shards)]
    pub(crate) shards: Option<usize>,
    /// Where the log goes: stderr, file:PATH, syslog, syslog:ADDRESS, syslog:ADDRESS:PORT; may be given several times
    #[arg(long = "log", value_name = "TARGET", default_value = "stderr", value_parser = log::target)]
    pub(crate) log: Vec<log::Target>,
    /// What syslog takes us for: user, daemon, auth, authpriv, local0 to local7
    #[arg(long, value_name = "NAME", default_value = "daemon", value_parser = log::facility)]
    pub(crate) syslog_facility: log::Facility,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// A configuration under examination.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A configuration directory, or a dialplan file
    #[arg(value_name = "DIRECTORY|FILE")]
    pub(crate) path: PathBuf,
    /// How to say it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Fail on warnings too
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs: JSON
    Json,
}

/// How much to log.
#[derive(Debug, Args)]
pub(crate) struct Verbosity {
    /// Log every step of every call; twice: every message
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// More threads than this are a slip of the finger.
const MAX_SHARDS: usize = 1024;

fn shards(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|shards| (1..=MAX_SHARDS).contains(shards))
        .ok_or_else(|| format!("expected a number from 1 to {MAX_SHARDS}"))
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = text.split_once('-').and_then(|(first, last)| {
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first >= 1024 && first < last).then_some(first..=last)
    });
    range.ok_or_else(|| "expected two ports from 1024 up, such as 10000-20000".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(words: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(words.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn conversions_are_told_alike_by_themselves_and_among_all() {
        for words in ["convert --help", "convert -h", "convert", "convert a b --dance", "sox"] {
            let words: Vec<_> = std::iter::once("diesis").chain(words.split(' ')).collect();
            let alone = Conversion::try_parse_from(&words).map(|_| ()).map_err(|it| it.to_string());
            let among = Arguments::try_parse_from(&words).map(|_| ()).map_err(|it| it.to_string());
            assert_eq!(alone, among, "{words:?}");
        }
    }

    #[test]
    fn without_a_command_it_is_the_show() {
        let arguments = parse("diesis --port 5070 --shards 2 --exit").unwrap();
        assert!(arguments.command.is_none());
        assert_eq!((arguments.demo.port, arguments.demo.shards), (5070, Some(2)));
        assert!(arguments.demo.exit);
    }

    #[test]
    fn commands_take_their_own_options() {
        let run = parse("diesis run -C /etc/asterisk --shards 4 -v").unwrap().command;
        let Some(Command::Run(run)) = run else { panic!("{run:?}") };
        assert_eq!(run.directory, PathBuf::from("/etc/asterisk"));
        assert_eq!((run.shards, run.verbosity.verbose), (Some(4), 1));
        let eval = parse("diesis dialplan eval ${x} -v x=a=b -v y=").unwrap().command;
        let Some(Command::Dialplan(dialplan::Dialplan::Eval(eval))) = eval else {
            panic!("{eval:?}")
        };
        assert_eq!((&*eval.variables[0].name, &*eval.variables[0].value), ("x", "a=b"));
        let check = parse("diesis check . --format json --strict").unwrap().command;
        let Some(Command::Check(check)) = check else { panic!("{check:?}") };
        assert!(check.strict && check.format == Format::Json);
    }

    #[test]
    fn nonsense_is_refused() {
        for words in
            ["run", "check", "run -C x --shards 0", "--port 65536", "--shards 9999", "dance"]
                .into_iter()
                .chain([
                    "--rtp 20000-10000",
                    "--rtp 80-90",
                    "dialplan",
                    "dialplan eval -v x=1",
                    "dialplan eval x -v =1",
                ])
                .chain(["dialplan lookup a", "dialplan lookup a 1 --priority 0"])
                .chain(["dialplan lookup a 1 --priority 2 --label l"])
        {
            let error = parse(&format!("diesis {words}")).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words}");
        }
    }
}
