//! `diesis load`, as typed arguments.

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use clap::Args;

use super::ports;
use crate::load::{Sending, Spoken, WorkloadName};

/// Many calls to a SIP target, and what they cost it.
#[derive(Debug, Args)]
#[command(after_help = "\
Held calls (playback, echo, conference) are set up at --rate, rest for --settle, are measured for --for,
and hang up. Calls of a menu, and registrations with --rate, come at --rate a second. --ramp goes up to
the whole in steps, each measured, and ends where the target breaks. Ctrl-C hangs up all calls.

Packets are stamped by the kernel as they arrive. The figures say so themselves when they are worth
nothing: when calls failed, the generator was late or at its limit, other programs had the machine, or a
clock was set.

Exit codes: 0 all calls were what they should be, 1 some were not, 2 the command line is wrong.

Examples:
  diesis load 1000@127.0.0.1 --calls 500 --for 10s --pid $(pidof diesis)      500 listen to 1000
  diesis load 1001@127.0.0.1 --workload echo --calls 1000 --ramp 100          in steps of 100
  diesis load 1003@127.0.0.1 --workload conference --calls 300 --rooms-of 3   rooms 10030000 to 10030099
  diesis load 1002@127.0.0.1 --workload menu --rate 40 --digits 1             40 calls a second
  diesis load 127.0.0.1 --workload register --user phone --phones 1000 --password secret --calls 32")]
pub(crate) struct Load {
    /// USER@ADDRESS, USER@ADDRESS:PORT or a SIP URI; for registrations the ADDRESS of the registrar
    pub(crate) target: String,
    /// What the calls do
    #[arg(long, short = 'w', value_enum, default_value_t = WorkloadName::Playback)]
    pub(crate) workload: WorkloadName,
    /// Calls held at one time; registrations on their way at one time; most calls of a menu [default: 10]
    #[arg(long, value_name = "N", value_parser = calls)]
    pub(crate) calls: Option<usize>,
    /// Calls a second: at which held ones are set up [default: 100], or those of a menu come [default: 10]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) rate: Option<f64>,
    /// Go up in steps of so many calls, or of so many a second
    #[arg(long, value_name = "STEP", value_parser = positive)]
    pub(crate) ramp: Option<f64>,
    /// How long each level is measured
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) time: Duration,
    /// From the last set-up to the measurement [default: 2s; menus: until the first calls have ended]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) settle: Option<Duration>,
    /// The process under load: its CPU and memory are told
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Where calls come from, in turn; several with commas [default: as the system chooses]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) from: Vec<IpAddr>,
    /// Ports for media at each of them; even ones are used
    #[arg(long, value_name = "FIRST-LAST", default_value = "30000-59999", value_parser = ports)]
    pub(crate) media_ports: RangeInclusive<u16>,
    /// The name that calls come from and challenges are answered for
    #[arg(long, value_name = "NAME", default_value = "load")]
    pub(crate) user: String,
    /// Its password
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,
    /// What is spoken
    #[arg(long, value_enum, default_value_t = Spoken::Ulaw)]
    pub(crate) codec: Spoken,
    /// What talkers of a conference speak instead
    #[arg(long, value_enum)]
    pub(crate) talker_codec: Option<Spoken>,
    /// What callers send, in a conference the talkers [default: playback none, menu silence, else tone]
    #[arg(long, value_enum)]
    pub(crate) send: Option<Sending>,
    /// What the others of a conference send
    #[arg(long, value_enum, default_value_t = Sending::Noise)]
    pub(crate) rest: Sending,
    /// So many talkers in each room [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) talkers: Option<usize>,
    /// Rooms of so many each; the room's number follows the user in four digits [default: one room]
    #[arg(long, value_name = "N", value_parser = calls)]
    pub(crate) rooms_of: Option<usize>,
    /// Keys for a menu
    #[arg(long, value_name = "KEYS", default_value = "1")]
    pub(crate) digits: String,
    /// From the answer to the first key
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub(crate) digits_after: Duration,
    /// From the last key until the target must have hung up
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub(crate) patience: Duration,
    /// Phones to register: above one, five digits from 00000 on follow the name
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) phones: usize,
    /// How long a registration is asked for
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub(crate) expires: u32,
    /// Write the figures here, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The target is neither this machine nor in a private network, and its owner has agreed
    #[arg(long)]
    pub(crate) i_may_load_this_target: bool,
}

/// Far above what one thread of a generator can hold.
const MOST_CALLS: usize = 20_000;

fn calls(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_CALLS).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {MOST_CALLS}"))
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.001..=100_000.0).contains(number));
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

/// `10s`, `500ms`, `2m`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().map(|number| number * unit).ok();
    let seconds = seconds.filter(|seconds| (0.0..=86_400.0).contains(seconds));
    let wrong = || "expected a time up to a day, such as 500ms, 10s or 5m".to_owned();
    seconds.map(Duration::from_secs_f64).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, ms) in
            [("10s", 10_000), ("500ms", 500), ("2", 2000), ("1.5s", 1500), ("2m", 120_000)]
        {
            assert_eq!(time(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "ten", "-1s", "25h", "1 s"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
