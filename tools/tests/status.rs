//! `docs/status.md` tells the truth about applications and functions: it agrees with the tables
//! that the engine runs by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use diesis_engine::config::{applications, functions};

/// What a row says of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It works, or partly.
    Here,
    NotThere,
}

/// The rows below the heading of this name, by name.
fn rows(heading: &str) -> BTreeMap<String, State> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/status.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    section.lines().filter_map(row).collect()
}

/// ``| `Name` | verdict | state | proof |``
fn row(line: &str) -> Option<(String, State)> {
    let mut cells = line.split('|').map(str::trim).skip(1);
    let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
    let state = match cells.nth(1)? {
        "works" | "partial" => State::Here,
        "not there" => State::NotThere,
        other => panic!("{name}: `{other}` is no state"),
    };
    Some((name.to_owned(), state))
}

/// The names that a section says work must be those that do.
fn compare(heading: &str, work: impl Iterator<Item = &'static str>) {
    let documented = rows(heading);
    assert!(documented.len() > 100, "{heading}: {} rows", documented.len());
    let work: BTreeSet<&str> = work.collect();
    for (name, state) in &documented {
        let expected = if work.contains(name.as_str()) { State::Here } else { State::NotThere };
        assert_eq!(*state, expected, "{heading}: `{name}`");
    }
    for name in work {
        assert!(documented.contains_key(name), "{heading}: `{name}` has no row");
    }
}

#[test]
fn applications_are_documented_as_they_are() {
    compare("Applications", applications());
}

#[test]
fn functions_are_documented_as_they_are() {
    compare("Functions", functions());
}
