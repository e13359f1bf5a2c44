//! `diesis campaign`, as typed arguments.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use diesis_engine::campaign::{Outcome, Retry};

use super::load::{positive, time};
use super::operate::Target;

/// Calls to the numbers of a list.
#[derive(Debug, Subcommand)]
pub(crate) enum Campaign {
    /// Call the numbers of a list, and write down what came of each call
    Run(Box<Run>),
}

/// A campaign.
#[derive(Debug, Args)]
#[command(after_help = "\
The list is comma-separated values in UTF-8; its first line names the columns. `number` is whom to call,
each other column a channel variable of the call. Lines that begin with # are passed over, and a number
that stands there twice is called once.

Each call is written to the result as it ends, each call that is begun beside it (FILE.begun): a campaign
that was killed goes on with --resume and calls nobody twice. Calls it was killed in are `interrupted`.
Ctrl-C makes no new calls and waits for those that run; again, and they are hung up. While the disk is full no
new calls are made, and for a minute after as many calls in a row failed as run at a time (10 at least).

Outcomes: answered; with --machine, or AMD in the dialplan, human, machine, unsure, gone; busy, noanswer, rejected,
congestion, failed, interrupted. --retries is for busy, noanswer, congestion and failed.

Exit codes: 0 every number has its result, 1 it ended before that, 2 the list or the command line is wrong.

Examples:
  diesis campaign run members.csv -C /etc/asterisk --dial 'PJSIP/{number}@carrier' --play meeting --machine beep
  diesis campaign run members.csv --dial 'PJSIP/{number}@carrier' --context survey --keep CHOICE
  diesis campaign run members.csv --pool announcements --play meeting --concurrency 10 --retries 2
  diesis campaign run members.csv --dial 'Local/{number}@out' --play meeting --concurrency 20 --rate 2 \\
      --retries 2 --retry-after 10m --retry machine=1/2h --hours office --numbering out --dry-run")]
pub(crate) struct Run {
    /// Whom to call; `-` is standard input
    pub(crate) list: PathBuf,
    /// Whom each call goes to: TECHNOLOGY/WHOM, with {number} for the number
    #[arg(long, value_name = "TECHNOLOGY/WHOM", required_unless_present = "pool", value_parser = template)]
    pub(crate) dial: Option<String>,
    /// Each call is made by a free robot of this pool of robots.conf, at its telephone system
    #[arg(long, value_name = "NAME", conflicts_with_all = ["dial", "caller_id"], value_parser = pool)]
    pub(crate) pool: Option<String>,
    /// Play this to whoever answers, and hang up; several sounds with &
    #[arg(long, value_name = "SOUND", value_parser = sound, conflicts_with_all = ["context", "extension"])]
    pub(crate) play: Option<String>,
    /// Find out who answered, and what a machine hears: nothing, SOUND behind its beep, or at once
    #[arg(long, value_enum, requires = "play")]
    pub(crate) machine: Option<Machine>,
    /// Send whoever answers to this context
    #[arg(long, value_name = "CONTEXT", required_unless_present_any = ["play", "extension"])]
    pub(crate) context: Option<String>,
    /// And there to this extension [default: s]
    #[arg(long, value_name = "EXTENSION")]
    pub(crate) extension: Option<String>,
    /// Calls at a time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = concurrency)]
    pub(crate) concurrency: usize,
    /// Calls that are begun a second, at most
    #[arg(long, value_name = "N", default_value = "1", value_parser = positive)]
    pub(crate) rate: f64,
    /// How long each may ring
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = whole_seconds)]
    pub(crate) timeout: u64,
    /// The caller that is shown: NUMBER, or `NAME <NUMBER>`
    #[arg(long, value_name = "CALLER", value_parser = caller)]
    pub(crate) caller_id: Option<Caller>,
    /// How often a call that was busy, not answered or failed is made again
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retries: u32,
    /// How much later
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub(crate) retry_after: Duration,
    /// The rule of one outcome: machine=1/2h, busy=3/5m, failed=0; may be given several times
    #[arg(long, value_name = "OUTCOME=N[/TIME]", value_parser = rule)]
    pub(crate) retry: Vec<Rule>,
    /// Attempts of one number on one day, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) per_day: Option<u32>,
    /// Call only while this schedule of schedules.conf is open
    #[arg(long, value_name = "SCHEDULE")]
    pub(crate) hours: Option<String>,
    /// Let the rules of numbering.conf make of each number what is dialled
    #[arg(long, value_enum)]
    pub(crate) numbering: Option<Numbering>,
    /// Never call the numbers of this list; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude: Vec<PathBuf>,
    /// Keep what these variables hold when a call ends; several with commas
    #[arg(long, value_name = "VARIABLE", value_delimiter = ',', value_parser = variable)]
    pub(crate) keep: Vec<String>,
    /// Where the results go [default: beside the list, LIST.result.csv]
    #[arg(long, value_name = "FILE")]
    pub(crate) result: Option<PathBuf>,
    /// Go on with a campaign that ended before its time
    #[arg(long)]
    pub(crate) resume: bool,
    /// Say whom it would call, and call nobody
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

impl Run {
    /// Whom a call goes to, with `{number}` for the number.
    pub(crate) fn template(&self) -> String {
        match (&self.dial, &self.pool) {
            (_, Some(pool)) => format!("Robot/{pool}/{{number}}"),
            (Some(dial), None) => dial.clone(),
            (None, None) => String::new(),
        }
    }
}

/// What is done when a machine answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Machine {
    /// Hang up
    Hangup,
    /// Play behind its beep
    Beep,
    /// Play at once
    Play,
}

impl Machine {
    /// As Announce() has it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Hangup => "hangup",
            Self::Beep => "beep",
            Self::Play => "play",
        }
    }
}

/// What is done with numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Numbering {
    /// As those that are dialled
    Out,
}

/// Who is shown as the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) name: Option<String>,
    pub(crate) number: String,
}

/// What is done after an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) outcome: Outcome,
    pub(crate) times: u32,
    /// `--retry-after` when it is not said.
    pub(crate) after: Option<Duration>,
}

impl Rule {
    pub(crate) fn retry(self, after: Duration) -> Retry {
        Retry { times: self.times, after: self.after.unwrap_or(after) }
    }
}

fn template(text: &str) -> Result<String, String> {
    let is_whole =
        text.split_once('/').is_some_and(|(what, whom)| !what.is_empty() && !whom.is_empty());
    match is_whole && text.contains("{number}") {
        true => Ok(text.to_owned()),
        false => Err("expected TECHNOLOGY/WHOM with {number}, as PJSIP/{number}@carrier".into()),
    }
}

fn sound(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && !text.contains([',', '"', '\\']);
    let wrong = || "expected the name of a sound, or several with & between them".to_owned();
    is_name.then(|| text.to_owned()).ok_or_else(wrong)
}

fn pool(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && !text.contains(['/', '&', '{', '}']);
    let wrong =
        || "expected the name of a pool: `application` of a range of robots.conf".to_owned();
    is_name.then(|| text.to_owned()).ok_or_else(wrong)
}

fn concurrency(text: &str) -> Result<usize, String> {
    let most = diesis_engine::net::control::protocol::MOST_FOLLOWERS;
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {most}"))
}

fn whole_seconds(text: &str) -> Result<u64, String> {
    let time = time(text)?.as_secs();
    let wrong = || "expected a time from 1s to 1h".to_owned();
    (1..=3600).contains(&time).then_some(time).ok_or_else(wrong)
}

fn caller(text: &str) -> Result<Caller, String> {
    let (name, number) = match text.trim().strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, number)) => (name.trim().trim_matches('"'), number.trim()),
        None => ("", text.trim()),
    };
    let is_number = diesis_dialplan::numbering::dialled(number).is_some();
    if !is_number || name.contains(char::is_control) {
        return Err("expected NUMBER or NAME <NUMBER>, as 'Town hall <+33123456789>'".into());
    }
    Ok(Caller { name: (!name.is_empty()).then(|| name.to_owned()), number: number.to_owned() })
}

fn rule(text: &str) -> Result<Rule, String> {
    let wrong = || format!("{text:?} is not OUTCOME=N or OUTCOME=N/TIME, as machine=1/2h");
    let (outcome, rest) = text.split_once('=').ok_or_else(wrong)?;
    let outcome: Outcome = outcome.parse().map_err(|error| format!("{error}"))?;
    let (times, after) = match rest.split_once('/') {
        Some((times, after)) => (times, Some(time(after)?)),
        None => (rest, None),
    };
    let times = times.parse().map_err(|_| wrong())?;
    Ok(Rule { outcome, times, after })
}

fn variable(text: &str) -> Result<String, String> {
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match is_name {
        true => Ok(text.to_owned()),
        false => Err("expected the name of a variable: letters, digits and _".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_an_outcome_how_often_and_perhaps_when() {
        let machine =
            Rule { outcome: Outcome::Machine, times: 1, after: Some(Duration::from_secs(7200)) };
        assert_eq!(rule("machine=1/2h"), Ok(machine));
        let busy = rule("busy=3").unwrap();
        assert_eq!(busy.retry(Duration::from_secs(5)).after, Duration::from_secs(5));
        for text in ["bussy=1", "busy", "busy=x", "busy=1/x", "busy=-1"] {
            assert!(rule(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_caller_has_a_number_and_perhaps_a_name() {
        let whole = Caller { name: Some("Town hall".into()), number: "+331".into() };
        assert_eq!(caller("\"Town hall\" <+331>"), Ok(whole));
        assert_eq!(caller("100"), Ok(Caller { name: None, number: "100".into() }));
        for text in ["", "Town hall", "<>", "a\nb <1>"] {
            assert!(caller(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_template_has_a_place_for_the_number() {
        assert!(template("PJSIP/{number}@carrier").is_ok());
        for text in ["PJSIP/100", "{number}", "/{number}", "PJSIP/"] {
            assert!(template(text).is_err(), "{text}");
        }
    }
}
