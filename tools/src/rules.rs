//! `diesis rules`: forwarding rules of a running engine, or of a directory that none runs.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use bstr::{BStr, BString};
use diesis_dialplan::rules::Desk;
use diesis_dialplan::world::{Database, Journal};
use diesis_engine::config::Configuration;
use diesis_engine::net::control::protocol::{Command, Reply};
use diesis_engine::net::control::rules::{Explained, Order, RuleOrder, perform};
use diesis_engine::net::kept_database;
use jiff::{Timestamp, tz::TimeZone};

use crate::cli::operate::TableFormat;
use crate::cli::rules::{Question, Rules};
use crate::{control, show};

/// Asks or orders. The exit code is 0 when that is done; of an explanation, 0 when the call is
/// forwarded, 1 when it stays, and 2 when that can not be found out.
pub(crate) fn run(question: &Rules) -> ExitCode {
    let order = order(question);
    let is_offline = match &question.question {
        Question::Explain { offline, .. } => *offline || !is_running(question),
        Question::List | Question::Show { .. } => !is_running(question),
        _ => false,
    };
    let mut explained = None;
    let mut take = |reply: Reply| write(question, reply, &mut explained);
    let code = if is_offline {
        match ask_directory(question, &order) {
            Ok(replies) => match replies.into_iter().try_for_each(&mut take) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
                Err(error) => failed(&error.to_string()),
            },
            Err(why) => failed(&why),
        }
    } else {
        control::ask(&question.target, Command::Rules { order }, take)
    };
    match (&question.question, explained) {
        (Question::Explain { .. }, Some(Outcome::Forwarded)) => ExitCode::SUCCESS,
        (Question::Explain { .. }, Some(Outcome::Stays)) => ExitCode::FAILURE,
        (Question::Explain { .. }, None) => ExitCode::from(2),
        _ => code,
    }
}

/// What becomes of an explained call.
enum Outcome {
    Forwarded,
    Stays,
}

fn failed(why: &str) -> ExitCode {
    eprintln!("diesis: {why}");
    ExitCode::FAILURE
}

fn is_running(question: &Rules) -> bool {
    UnixStream::connect(control::socket(&question.target)).is_ok()
}

fn order(question: &Rules) -> Order {
    let by = question.by.clone();
    let of = |user: &String, rule: u32, fields: Vec<(String, String)>| RuleOrder {
        user: user.clone(),
        rule,
        fields,
        by: by.clone(),
    };
    let active = |value: &str| vec![("active".to_owned(), value.to_owned())];
    match &question.question {
        Question::List => Order::List,
        Question::Show { user } => Order::Show { user: user.clone(), by },
        Question::Add { user, rule, fields } => Order::Add(of(user, *rule, fields.clone())),
        Question::Set { user, rule, fields } => Order::Set(of(user, *rule, fields.clone())),
        Question::Enable { user, rule } => Order::Set(of(user, *rule, active("yes"))),
        Question::Disable { user, rule } => Order::Set(of(user, *rule, active("no"))),
        Question::Remove { user, rule } => Order::Remove(of(user, *rule, vec![])),
        Question::Calls { user } => Order::Calls { user: user.clone(), by },
        Question::Presence { user, presence } => {
            Order::Presence { user: user.clone(), presence: presence.clone() }
        }
        Question::Explain { user, from, at, forward, presence, .. } => Order::Explain {
            user: user.clone(),
            from: from.clone(),
            at: at.clone(),
            forward: forward.clone(),
            presence: presence.clone(),
        },
    }
}

/// The answer of a directory: of its files, and of what an engine kept there.
fn ask_directory(question: &Rules, order: &Order) -> Result<Vec<Reply>, String> {
    let directory = &question.target.directory;
    let loaded = Configuration::load_directory(directory);
    if loaded.is_refused() {
        for finding in loaded.findings() {
            eprintln!("{finding}");
        }
        return Err(format!("the configuration of {} is refused", directory.display()));
    }
    let configuration = &loaded.configuration;
    let kept = configuration.system.database_directory.as_deref().map(kept_database);
    let entries = kept.unwrap_or_else(|| Ok(vec![])).unwrap_or_else(|why| {
        eprintln!("diesis: what users changed is not known: {why}");
        vec![]
    });
    let mut database = Database::new(entries, Journal::Off);
    // Without an engine nobody is on the telephone.
    let device_state = |_: &BStr| BString::from("NOT_INUSE");
    let now = Timestamp::now();
    let zone = TimeZone::system();
    let plan = &configuration.plan;
    let mut desk = Desk { plan, database: &mut database, now, zone, device_state: &device_state };
    perform(order, &mut desk)
}

fn write(question: &Rules, reply: Reply, explained: &mut Option<Outcome>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let format = if question.json { TableFormat::Json } else { question.format };
    match (&question.question, reply) {
        (_, Reply::Table(table)) => show::write(&table, format, &mut out),
        (Question::Explain { .. }, Reply::Text(text)) => {
            let told: Explained = serde_json::from_str(&text)?;
            *explained = Some(match told.target {
                Some(_) => Outcome::Forwarded,
                None => Outcome::Stays,
            });
            if format == TableFormat::Json {
                serde_json::to_writer_pretty(&mut out, &told)?;
                return writeln!(out);
            }
            write_explained(&told, &mut out)
        }
        (_, reply) => control::print(reply),
    }
}

fn write_explained(told: &Explained, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", told.summary)?;
    let from = if told.from.is_empty() { "nobody known" } else { &told.from };
    writeln!(out, "  at {}, called by {from} ({}), {}", told.at, told.origin, told.forward)?;
    for (presence, why) in &told.presence {
        writeln!(out, "  presence {presence}: {why}")?;
    }
    for rule in &told.rules {
        let name = if rule.name.is_empty() { String::new() } else { format!(" {}", rule.name) };
        let (number, owner, target) = (rule.rule, &rule.owner, &rule.target);
        writeln!(out, "  rule {number}{name} ({owner}, to {target}): {}", rule.reason)?;
    }
    Ok(())
}
