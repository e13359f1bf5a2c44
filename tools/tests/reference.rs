//! `docs/reference/applications.md` and `functions.md` are what the engine's tables say.
//!
//! When a table changes, write them anew: `DIESIS_WRITE=1 cargo test -p diesis --test reference`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use diesis_dialplan::application::{self, Application};
use diesis_dialplan::function::{self, Availability, Function};
use diesis_engine::config::{applications, functions};

#[test]
fn the_manual_of_applications_is_that_of_the_table() {
    check("applications.md", &application_manual());
}

#[test]
fn the_manual_of_functions_is_that_of_the_table() {
    check("functions.md", &function_manual());
}

/// Compares a document with what it should be, or writes it.
fn check(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name);
    if std::env::var_os("DIESIS_WRITE").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let same = found.lines().zip(expected.lines()).take_while(|(found, new)| found == new).count();
    assert!(
        found == expected,
        "docs/reference/{name} is out of date from line {}: run `DIESIS_WRITE=1 cargo test -p diesis --test reference`",
        same + 1
    );
}

fn application_manual() -> String {
    let performed: BTreeSet<&str> = applications().collect();
    let works = |application: &&Application| performed.contains(application.name());
    let mut text = "\
# Applications

What a step of the dialplan can run. Names ignore letter case. Arguments are evaluated first, then split at commas; a comma in quotes, in parentheses, in square brackets or after a backslash does not split. Parts in square brackets may be left out. What each does in detail is what Asterisk 22 does.

| application | what it does |
|---|---|
"
    .to_owned();
    for found in application::all().iter().filter(works) {
        let _ = writeln!(
            text,
            "| `{}({})` | {} |",
            found.name(),
            cell(found.arguments()),
            cell(found.summary())
        );
    }
    text.push_str("\n## Known, not here\n\nApplications that Asterisk has or had, and that end the call here as unknown ones do. `diesis check` names every line that uses one. A program that embeds the engine can provide them.\n\n");
    let absent: Vec<String> = application::all()
        .iter()
        .filter(|application| !works(application))
        .map(|application| format!("`{}`", application.name()))
        .collect();
    let _ = writeln!(text, "{}.", absent.join(", "));
    text
}

fn function_manual() -> String {
    let performed: BTreeSet<&str> = functions().collect();
    let works = |function: &&Function| performed.contains(function.name());
    let mut text = "\
# Functions

What stands between `${` and `}` with parentheses. Names are case-sensitive. `${NAME(arguments)}` reads, `Set(NAME(arguments)=value)` writes. Parts in square brackets may be left out. A `name` among the arguments is the name of a variable, not its value. What each does in detail is what Asterisk 22 does.

| function | | what it is |
|---|---|---|
"
    .to_owned();
    for found in function::all().iter().filter(works) {
        let access = match (found.can_read(), found.can_write()) {
            (true, true) => "read, write",
            (true, false) => "read",
            (false, true) => "write",
            (false, false) => unreachable!("a function that works does something"),
        };
        let _ = writeln!(
            text,
            "| `{}({})` | {access} | {} |",
            found.name(),
            cell(found.arguments()),
            cell(found.summary())
        );
    }
    text.push_str("\n## Known, not here\n\nReading one of these gives empty text and an error in the log. `diesis check` names every line that uses one.\n\n| function | why not |\n|---|---|\n");
    for found in function::all().iter().filter(|function| !works(function)) {
        let why = match found.availability() {
            Availability::Refused => "refused: ",
            Availability::Host => "only where the program that embeds the engine provides it: ",
            Availability::Here | Availability::Legacy => "",
        };
        let _ = writeln!(
            text,
            "| `{}({})` | {why}{} |",
            found.name(),
            cell(found.arguments()),
            cell(found.summary())
        );
    }
    text
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
