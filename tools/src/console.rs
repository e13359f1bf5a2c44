//! `diesis console`: a prompt for the commands that talk to a running engine.
//!
//! Each line is what would follow `diesis` on a command line. On a terminal it can be edited, and Tab
//! completes it; elsewhere lines are read as they come.

mod complete;
mod editor;
mod terminal;

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};

use crate::{
    cli::{Arguments, operate::Console},
    control, dispatch,
};
use complete::Completer;
use editor::Editor;
use terminal::Terminal;

/// Runs until `exit` or the end of the input. The exit code is that of the last command.
pub(crate) fn run(options: &Console) -> ExitCode {
    let socket = control::socket(&options.target);
    let completer = Completer::new(Arguments::command(), socket.clone());
    let mut lines = match io::stdin().is_terminal() && io::stdout().is_terminal() {
        true => Lines::Edited(Editor::default()),
        false => Lines::Plain,
    };
    if matches!(lines, Lines::Edited(_)) {
        println!("Diesis at {}. Tab completes, `help` lists, `exit` leaves.", socket.display());
    }
    let mut code = ExitCode::SUCCESS;
    loop {
        let line = match lines.next(&completer) {
            Ok(Some(line)) => line,
            Ok(None) => return code,
            Err(error) => {
                eprintln!("diesis: the terminal: {error}");
                return ExitCode::FAILURE;
            }
        };
        let words = words(&line);
        match words.first().map(String::as_str) {
            None => {}
            Some("exit" | "quit") => return code,
            Some("help" | "?") if words.len() == 1 => help(&completer),
            Some(first) if first != "help" && !completer.has(first) => {
                eprintln!("{first:?} is no command for a running engine; see `help`");
                code = ExitCode::from(2);
            }
            Some(_) => code = carry_out(words, &socket.to_string_lossy()),
        }
    }
}

fn carry_out(words: Vec<String>, socket: &str) -> ExitCode {
    let names_engine =
        |word: &String| ["--socket", "--config", "-C"].iter().any(|name| word.starts_with(name));
    let mut arguments = vec!["diesis".to_owned()];
    let is_help = words[0] == "help" || words.iter().any(|word| word == "--help" || word == "-h");
    if !is_help && !words.iter().any(names_engine) {
        arguments.extend([words[0].clone(), "--socket".to_owned(), socket.to_owned()]);
        arguments.extend_from_slice(&words[1..]);
    } else {
        arguments.extend(words);
    }
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(arguments),
        Err(error) => {
            // Nobody to tell when standard output is gone.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}

fn help(completer: &Completer) {
    for (name, about) in completer.commands() {
        println!("  {name:<10} {about}");
    }
    println!("  {:<10} Leave the console; the engine goes on", "exit");
    println!("`COMMAND --help` says more.");
}

/// Words, with quotes around what has spaces.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], None::<String>, None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// Where lines come from.
enum Lines {
    Edited(Editor),
    Plain,
}

impl Lines {
    fn next(&mut self, completer: &Completer) -> io::Result<Option<String>> {
        match self {
            Self::Edited(editor) => {
                let mut terminal = Terminal::raw()?;
                let line = editor.read(PROMPT, &mut terminal, completer);
                drop(terminal);
                println!();
                io::stdout().flush()?;
                line
            }
            Self::Plain => {
                let mut line = String::new();
                let length = io::stdin().lock().read_line(&mut line)?;
                Ok((length > 0).then_some(line))
            }
        }
    }
}

const PROMPT: &str = "diesis> ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(words("  set log 'a b' \"\" x\"y z\" "), ["set", "log", "a b", "", "xy z"]);
        assert_eq!(words("trace 'open"), ["trace", "open"]);
        assert_eq!(words(" \t"), [""; 0]);
    }
}
