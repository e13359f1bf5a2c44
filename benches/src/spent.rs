//! What commands cost: CPU time of all that they start, and memory.
//!
//! A process of its own runs them, so that what they used is told apart from what others used.

use std::env;
use std::io::{self, BufRead as _, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

/// What some commands took, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// User and system time, in seconds.
    pub cpu: f64,
    /// From the first one's begin to the last one's end, in seconds.
    pub wall: f64,
    /// The most that one of them had in memory, in MB (the process that starts them has 3).
    pub memory: f64,
}

/// The word that makes of this program the process that runs them.
const WORD: &str = "--spend";

impl Spent {
    /// Runs commands, each a list of words without tabs and line breaks; all must succeed. The
    /// program that asks must call [`serve`] first.
    pub fn by(commands: &[Vec<String>]) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .arg(WORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines: String = commands.iter().map(|words| words.join("\t") + "\n").collect();
        child
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("no input"))?
            .write_all(lines.as_bytes())?;
        let output = child.wait_with_output()?;
        let told = String::from_utf8_lossy(&output.stdout);
        let figures: Vec<f64> = told.split_whitespace().filter_map(|it| it.parse().ok()).collect();
        match figures[..] {
            [cpu, wall, memory] if output.status.success() => Ok(Self { cpu, wall, memory }),
            _ => Err(io::Error::other(format!("{}: {told}", commands[0].join(" ")))),
        }
    }
}

/// Runs the commands that stand on standard input, if this process was started for that.
pub fn serve() -> Option<ExitCode> {
    if env::args().nth(1).as_deref() != Some(WORD) {
        return None;
    }
    match spend() {
        Ok(Spent { cpu, wall, memory }) => {
            println!("{cpu} {wall} {memory}");
            Some(ExitCode::SUCCESS)
        }
        Err(error) => {
            println!("{error}");
            Some(ExitCode::FAILURE)
        }
    }
}

fn spend() -> io::Result<Spent> {
    let commands: Vec<String> = io::stdin().lock().lines().collect::<Result<_, _>>()?;
    let begin = Instant::now();
    for line in &commands {
        let mut words = line.split('\t');
        let program = words.next().unwrap_or_default();
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status =
            command.status().map_err(|error| io::Error::other(format!("{program}: {error}")))?;
        if !status.success() {
            return Err(io::Error::other(format!("it failed with {status}")));
        }
    }
    let wall = begin.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 * 1e-6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    Ok(Spent { cpu, wall, memory: usage.max_rss() as f64 * 1024.0 / 1e6 })
}
