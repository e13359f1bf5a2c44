//! `diesis schedule`: opening hours of a running engine, or of a configuration alone.

mod calendar;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use bstr::BStr;
use diesis_dialplan::schedule::moment;
use diesis_dialplan::timetable::{AHEAD, Timetable, Timetables};
use diesis_engine::config::Configuration;
use diesis_engine::net::control::protocol::Reply;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::json;

use crate::cli::operate::TableFormat;
use crate::cli::schedule::{Schedule, ScheduleAction, Test};
use crate::show;

/// Asks a running engine, or answers from its files. The exit code is 0 when it is answered, 1 when
/// something is wrong with the schedules, 2 when there is nothing to read or the question is wrong.
pub(crate) fn run(schedule: &Schedule) -> ExitCode {
    match (&schedule.action, schedule.action.command()) {
        (ScheduleAction::Test(test), _) => {
            let mut out = io::BufWriter::new(io::stdout().lock());
            let directory = &schedule.target.directory;
            let answered = answer(test, directory, schedule.format, &mut out);
            match answered.and_then(|()| out.flush().map_err(Trouble::Write)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(Trouble::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {
                    ExitCode::SUCCESS
                }
                Err(trouble) => trouble.say(),
            }
        }
        (_, Some(command)) => crate::control::ask(&schedule.target, command, |reply| match reply {
            Reply::Table(table) => show::write(&table, schedule.format, &mut io::stdout().lock()),
            reply => crate::control::print(reply),
        }),
        (_, None) => ExitCode::FAILURE,
    }
}

/// Why a question was not answered.
#[derive(Debug)]
enum Trouble {
    /// The schedules are refused; why has been said.
    Refused(String),
    /// There is nothing to read, or the question is wrong.
    Question(String),
    /// The answer can not be written.
    Write(io::Error),
}

impl Trouble {
    fn say(self) -> ExitCode {
        let (message, code) = match self {
            Self::Refused(message) => (message, 1),
            Self::Question(message) => (message, 2),
            Self::Write(error) => (format!("the answer can't be written: {error}"), 1),
        };
        eprintln!("diesis: {message}");
        ExitCode::from(code)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// The schedules of a directory, whose errors are said.
fn load(directory: &Path) -> Result<Timetables, Trouble> {
    let loaded = Configuration::schedules_of(directory);
    if loaded.is_refused() {
        loaded.findings().for_each(|finding| eprintln!("{finding}"));
        let message = format!("the schedules of {} are refused", directory.display());
        return Err(Trouble::Refused(message));
    }
    let message = || Trouble::Question(format!("{} has no schedules.conf", directory.display()));
    loaded.configuration.ok_or_else(message)
}

fn answer(
    test: &Test,
    directory: &Path,
    format: TableFormat,
    out: &mut impl Write,
) -> Result<(), Trouble> {
    let timetables = load(directory)?;
    let Some((name, timetable)) = timetables.get(test.name.as_bytes()) else {
        let known: Vec<String> = timetables.iter().map(|(name, _)| name.to_string()).collect();
        let message =
            format!("there is no schedule {:?}; there are: {}", test.name, known.join(", "));
        return Err(Trouble::Question(message));
    };
    let zone = timetable.zone.clone().unwrap_or_else(TimeZone::system);
    if let Some(period) = &test.calendar {
        let days = calendar::days(period).ok_or_else(|| {
            Trouble::Question(format!(
                "`{period}` is no month, week or day: write 2026-12, 2026-W51 or 2026-12-24"
            ))
        })?;
        let table = calendar::table(timetable, &days, &zone);
        return Ok(show::write(&table, format, out)?);
    }
    let now = match &test.at {
        None => Timestamp::now(),
        Some(text) => moment(text, &zone).ok_or_else(|| {
            Trouble::Question(format!(
                "`{text}` is not a time; write `2026-12-24T18:30`, with an offset such as `+01:00` or without"
            ))
        })?,
    };
    say(name, timetable, &now.to_zoned(zone), format, out)?;
    Ok(())
}

fn say(
    name: &BStr,
    timetable: &Timetable,
    now: &Zoned,
    format: TableFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    let (at, zone) = (now.timestamp(), now.time_zone());
    let state = timetable.state(at, zone, None);
    let next = timetable.next_change(at, zone, AHEAD).map(|next| next.to_zoned(zone.clone()));
    let word = if state.is_open() { "open" } else { "closed" };
    let reaction = (!state.is_open()).then(|| timetable.reaction(&state));
    let text = |it: Option<&bstr::BString>| it.map(ToString::to_string);
    let sound = text(reaction.as_ref().and_then(|it| it.sound.as_ref()));
    let action = text(reaction.as_ref().and_then(|it| it.action.as_ref()));
    let event = state.event().map(ToString::to_string);
    if format == TableFormat::Json {
        let date = |at: &Zoned| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let answer = json!({
            "schedule": name.to_string(), "at": date(now), "state": word,
            "reason": state.reason().to_string(), "event": event,
            "next_change": next.as_ref().map(date), "sound": sound, "action": action,
        });
        return writeln!(out, "{answer:#}");
    }
    let date = |at: &Zoned| at.strftime("%a %Y-%m-%d %H:%M %Z").to_string();
    writeln!(out, "{name} is {word} at {}", date(now))?;
    match event {
        Some(event) => writeln!(out, "reason       {} ({event})", state.reason())?,
        None => writeln!(out, "reason       {}", state.reason())?,
    }
    let change = if state.is_open() { "closes" } else { "opens" };
    match next {
        Some(next) => writeln!(out, "next change  {change} {}", date(&next))?,
        None => writeln!(out, "next change  none within {AHEAD} days")?,
    }
    if let Some(sound) = sound {
        writeln!(out, "callers hear {sound}")?;
    }
    if reaction.is_some() {
        writeln!(out, "and then     {}", action.as_deref().unwrap_or("Hangup()"))?;
    }
    Ok(())
}
