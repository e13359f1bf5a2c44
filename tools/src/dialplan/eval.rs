//! `diesis dialplan eval`: the value of a text, or results for test vectors.

use std::io::{self, BufRead, Write};

use diesis_dialplan::channel::{Channel, Party};
use diesis_dialplan::executor::Executor;
use diesis_dialplan::host::{Level, MemoryHost};
use diesis_dialplan::plan::Plan;
use diesis_dialplan::vector;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{Found, Trouble, moment};
use crate::cli::{Format, dialplan::Eval};

pub(super) fn run(eval: &Eval, out: &mut impl Write) -> Result<Found, Trouble> {
    match &eval.text {
        Some(text) => evaluate(eval, text, out),
        None => answer_vectors(io::stdin().lock(), out),
    }
}

/// One result for each line; what a vector itself gets wrong is said in its result.
fn answer_vectors(mut vectors: impl BufRead, out: &mut impl Write) -> Result<Found, Trouble> {
    let mut line = vec![];
    loop {
        line.clear();
        if vectors.read_until(b'\n', &mut line).map_err(Trouble::Vectors)? == 0 {
            return Ok(Found::Yes);
        }
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            writeln!(out, "{}", vector::answer_line(&line))?;
        }
    }
}

fn evaluate(eval: &Eval, text: &str, out: &mut impl Write) -> Result<Found, Trouble> {
    let plan = eval.path.as_deref().map_or_else(|| Ok(Plan::default()), super::load)?;
    let zone = TimeZone::system();
    let mut host = MemoryHost::new(moment::parse(eval.at.as_deref(), &zone)?);
    host.zone = zone;
    for (name, value) in plan.globals() {
        host.world.globals.set(name, value);
    }
    let mut channel = Channel::new("Diesis/eval");
    if let Some(number) = &eval.callerid {
        channel.caller = Party { number: Some(number.as_str().into()), ..Party::default() };
    }
    let mut executor = Executor::idle(channel, eval.context.as_str(), eval.exten.as_str(), 1);
    for variable in &eval.variables {
        executor.variables_mut().set(variable.name.as_bytes(), variable.value.as_bytes());
    }
    let value = executor.evaluate(&plan, &mut host, text.as_bytes());
    let said = host.log.iter().filter(|(level, _)| *level >= Level::Warning);
    match eval.format {
        Format::Text => {
            said.for_each(|(level, message)| eprintln!("{}: {message}", name(*level)));
            out.write_all(&value)?;
            out.write_all(b"\n")?;
        }
        Format::Json => {
            let said: Vec<_> = said
                .map(|(level, message)| json!({"severity": name(*level), "message": message}))
                .collect();
            writeln!(out, "{}", json!({"value": value.to_string(), "warnings": said}))?;
        }
    }
    Ok(Found::Yes)
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Debug | Level::Verbose(_) | Level::Notice => "notice",
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Arguments, Command, dialplan::Dialplan};

    fn value(arguments: &[&str]) -> String {
        let words = ["diesis", "dialplan", "eval"].iter().chain(arguments);
        let Some(Command::Dialplan(Dialplan::Eval(eval))) = Arguments::parse_from(words).command
        else {
            panic!("another command")
        };
        let mut out = vec![];
        assert_eq!(run(&eval, &mut out).unwrap(), Found::Yes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_value_is_printed_as_it_is() {
        assert_eq!(value(&["${LEN(${x})}: $[1+2]", "-v", "x=a=b c"]), "5: 3\n");
        assert_eq!(
            value(&["${CONTEXT}/${EXTEN}/${CALLERID(num)}", "--exten", "7", "--callerid", "100"]),
            "default/7/100\n"
        );
        assert_eq!(value(&["${STRFTIME(${EPOCH},UTC,%F)}", "--at", "0"]), "1970-01-01\n");
    }

    #[test]
    fn programs_get_the_warnings_too() {
        let got: serde_json::Value =
            serde_json::from_str(&value(&["$[1 +]", "--format", "json"])).unwrap();
        assert_eq!(got["value"], "0");
        assert_eq!(got["warnings"][0]["severity"], "warning");
    }

    #[test]
    fn every_line_has_its_result() {
        let vectors =
            b"\n{\"id\":1,\"family\":\"expressions\",\"input\":\"$[2*3]\"}\r\n\xff\n{\"id\":2}";
        let mut out = vec![];
        assert_eq!(answer_vectors(&vectors[..], &mut out).unwrap(), Found::Yes);
        let out = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], r#"{"id":1,"output":{"value":"6"},"warned":false}"#);
        assert!(lines[1].contains("not JSON") && lines[2].contains("`family`"), "{out}");
        assert_eq!(lines.len(), 3);
    }
}
