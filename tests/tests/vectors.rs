//! The dialplan answers as Asterisk does, question by question.
//!
//! `data/vectors` holds one file for each family, in the form that docs/reference/vectors.md tells.
//! The answers in them were written by hand from the rules of the language, not taken from a run.

use std::collections::BTreeSet;
use std::path::Path;

use diesis_dialplan::vector::{answer, same};
use serde_json::Value;

/// Checks the file of one family; every vector that fails is printed.
fn check(family: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/vectors");
    let path = directory.join(family).with_extension("jsonl");
    let text = std::fs::read_to_string(path).expect("the family has a file");
    let mut ids = BTreeSet::new();
    let mut failures = 0;
    for line in text.lines() {
        let vector: Value = serde_json::from_str(line).expect("a vector is JSON");
        assert_eq!(vector["family"], family);
        let id = vector["id"].as_str().expect("a vector has an id").to_owned();
        let got = answer(&vector).unwrap_or_else(|error| panic!("{id}: {error}"));
        if !same(&vector["output"], &got.output) {
            failures += 1;
            println!(
                "{id}: {}\n  want {}\n  got  {}",
                vector["title"], vector["output"], got.output
            );
        }
        assert!(ids.insert(id), "{} stands twice", vector["id"]);
    }
    assert!(ids.len() >= 40, "{family} has only {} vectors", ids.len());
    assert_eq!(failures, 0, "of {} vectors", ids.len());
}

#[test]
fn expressions() {
    check("expressions");
}

#[test]
fn substitution() {
    check("substitution");
}

#[test]
fn functions() {
    check("functions");
}

#[test]
fn patterns() {
    check("patterns");
}

#[test]
fn times() {
    check("times");
}

#[test]
fn flows() {
    check("flows");
}

#[test]
fn parse() {
    check("parse");
}
