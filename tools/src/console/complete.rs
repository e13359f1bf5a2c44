//! What may come next on a line: commands, their options and values, and the engine's channels.

use std::path::PathBuf;

use diesis_engine::net::control::protocol::{Command as Order, Reply, What};

use crate::control;

/// Knows the command line, and which engine to ask.
pub(super) struct Completer {
    command: clap::Command,
    socket: PathBuf,
}

impl Completer {
    pub(super) fn new(mut command: clap::Command, socket: PathBuf) -> Self {
        command.build();
        Self { command, socket }
    }

    /// The commands that talk to an engine, with what they do.
    pub(super) fn commands(&self) -> impl Iterator<Item = (&str, String)> {
        let remote = self.command.get_subcommands().filter(|it| is_remote(it));
        remote
            .map(|it| (it.get_name(), it.get_about().map(ToString::to_string).unwrap_or_default()))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.commands().any(|(known, _)| known == name)
    }

    /// What the last word of a line may become, in order.
    pub(super) fn candidates(&self, line: &str) -> Vec<String> {
        let mut words = super::words(line);
        let last = match line.ends_with(char::is_whitespace) || words.is_empty() {
            true => String::new(),
            false => words.pop().unwrap_or_default(),
        };
        let mut found = match words.split_first() {
            None => {
                let own = ["exit", "help"].map(str::to_owned);
                self.commands().map(|(name, _)| name.to_owned()).chain(own).collect()
            }
            Some((first, rest)) if self.has(first) => self.after(first, rest, &last),
            Some(_) => vec![],
        };
        found.retain(|it| it.starts_with(&last));
        found.sort_unstable();
        found.dedup();
        found
    }

    fn after(&self, first: &str, rest: &[String], last: &str) -> Vec<String> {
        let mut command = self.command.find_subcommand(first);
        let mut positionals = 0;
        for word in rest.iter().filter(|word| !word.starts_with('-')) {
            match command.and_then(|it| it.find_subcommand(word)) {
                Some(deeper) => command = Some(deeper),
                None => positionals += 1,
            }
        }
        let Some(command) = command else { return vec![] };
        let long = |arg: &clap::Arg| arg.get_long().map(|name| format!("--{name}"));
        // The value of an option, such as `--format`.
        let option = rest.last().and_then(|word| {
            let mut takes_value =
                command.get_arguments().filter(|arg| arg.get_action().takes_values());
            takes_value.find(|arg| long(arg).as_deref() == Some(word))
        });
        let values = |arg: &clap::Arg| {
            let names = arg.get_possible_values().into_iter();
            names.map(|value| value.get_name().to_owned()).collect::<Vec<_>>()
        };
        if let Some(option) = option {
            return values(option);
        }
        if last.starts_with('-') {
            let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
            return shown.filter_map(long).collect();
        }
        let mut found: Vec<String> = command
            .get_subcommands()
            .map(|it| it.get_name().to_owned())
            .filter(|name| name != "help")
            .collect();
        found.extend(command.get_positionals().nth(positionals).map(values).unwrap_or_default());
        match (first, positionals) {
            ("hangup", 0) => {
                found.push("all".to_owned());
                found.extend(self.column(What::Channels, "channel"));
            }
            ("confbridge", 0) if !rest.is_empty() => {
                found.extend(self.column(What::Conferences, "room"));
            }
            ("confbridge", 1) if rest.first().is_some_and(|it| it != "record") => {
                found.extend(["all", "participants", "last"].map(str::to_owned));
                found.extend(self.column(What::Channels, "channel"));
            }
            ("trace", 0) => {
                found.push("*".to_owned());
                found.extend(self.column(What::Peers, "peer"));
            }
            ("set", 1) if rest.first().is_some_and(|it| it == "log") => {
                found.extend(LEVELS.map(str::to_owned));
            }
            ("set", 1) => found.extend(["local", "off"].map(str::to_owned)),
            _ => {}
        }
        found
    }

    /// A column of a table of the engine; nothing where it can not be had.
    fn column(&self, what: What, name: &str) -> Vec<String> {
        let mut cells = vec![];
        let order = Order::Show { what, range: None };
        control::ask_quietly(&self.socket, order, |reply| {
            if let Reply::Table(table) = reply
                && let Some(nth) = table.columns.iter().position(|column| column == name)
            {
                let texts = table.rows.iter().filter_map(|row| row.get(nth)?.as_str());
                cells.extend(texts.map(str::to_owned));
            }
        });
        cells
    }
}

/// Commands that talk to an engine say where it is.
fn is_remote(command: &clap::Command) -> bool {
    let has_socket = command.get_arguments().any(|arg| arg.get_id() == "socket");
    has_socket && command.get_name() != "console"
}

const LEVELS: [&str; 7] = ["error", "warn", "info", "debug", "trace", "off", "default"];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn candidates(line: &str) -> Vec<String> {
        let completer = Completer::new(crate::cli::Arguments::command(), "/nowhere".into());
        completer.candidates(line)
    }

    #[test]
    fn commands_options_and_values_are_completed() {
        assert_eq!(candidates("re"), ["redirect", "reload"]);
        assert!(candidates("").contains(&"show".to_owned()));
        assert!(!candidates("").contains(&"run".to_owned()), "it starts an engine of its own");
        assert_eq!(candidates("show tra"), ["transports"]);
        assert_eq!(candidates("show calls --form"), ["--format"]);
        assert_eq!(candidates("show calls --format "), ["csv", "json", "table"]);
        assert_eq!(candidates("set "), ["log", "syslog"]);
        assert_eq!(candidates("set log d"), ["debug", "default"]);
        assert_eq!(candidates("hangup "), ["all"], "no engine runs there");
        assert_eq!(candidates("trace 1001 --la"), ["--ladder"]);
        for nothing in ["dance ", "show nothing x ", "run -", "'"] {
            assert_eq!(
                candidates(nothing).iter().filter(|it| *it == "all").count(),
                0,
                "{nothing}"
            );
        }
    }
}
