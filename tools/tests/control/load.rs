//! `diesis load` against a running engine: what it says of calls that go well, and of others.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::running::{EXTENSIONS, Engine};

const PLAN: &str = " same => n,Hangup()\n\
    exten => 200,1,Answer()\n same => n,Echo()\n\
    exten => 300,1,Answer()\n same => n,Read(key,,1)\n same => n,Hangup()\n\
    exten => _400X.,1,Answer()\n same => n,ConfBridge(${EXTEN})\n";

fn engine(name: &str) -> Engine {
    Engine::start_as(name, "", |_, directory: &Path| {
        fs::write(directory.join("extensions.conf"), EXTENSIONS.to_owned() + PLAN).unwrap();
    })
}

/// Loads an engine; the exit code, what was printed, and the one level.
fn load(engine: &Engine, number: &str, words: &str) -> (Option<i32>, String, Value) {
    let json = engine.directory.join("load.json");
    let output = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .args(["load", &format!("{number}@{}", engine.sip), "--user", "anna"])
        .args(words.split_whitespace())
        .args(["--pid", &engine.child.id().to_string(), "--json"])
        .arg(&json)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    let report = fs::read(&json).unwrap_or_else(|error| panic!("{error}: {said}"));
    let report: Value = serde_json::from_slice(&report).unwrap();
    (output.status.code(), said, report["levels"][0].clone())
}

#[test]
fn twenty_calls_that_are_answered_and_heard_are_good() {
    let engine = engine("load-play");
    let (code, said, level) = load(&engine, "101", "--calls 20 --for 2s --settle 200ms");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((&level["tried"], &level["good"]), (&20.into(), &20.into()), "{said}");
    let media = &level["media"];
    assert!(media["received"].as_u64() > Some(20 * 50) && media["sent"] == 0, "{said}");
    assert_eq!((&media["clock_breaks"], &media["foreign"]), (&0.into(), &0.into()), "{said}");
    assert_eq!(media["loud"], media["received"], "{said}");
    assert_eq!(level["set_up_ms"]["count"], 20);
    assert_eq!(level["process"]["pid"], engine.child.id());
    assert!(said.starts_with("playback of 101@"), "{said}");
    assert!(said.contains("off the 20 ms grid ms, p50 / p99 / p99.9 / max"), "{said}");
    // All have hung up.
    let calls = engine.rows("show calls");
    assert!(calls.is_empty(), "{calls:?}");
}

#[test]
fn echoes_and_conferences_are_listened_to() {
    let engine = engine("load-talk");
    let (code, said, level) =
        load(&engine, "200", "-w echo --calls 6 --for 1s --settle 200ms --from 127.0.0.2");
    assert_eq!((code, &level["good"]), (Some(0), &6.into()), "{said}");
    assert!(level["media"]["sent"].as_u64() > Some(6 * 25), "{said}");
    let (code, said, level) = load(
        &engine,
        "400",
        "-w conference --calls 6 --rooms-of 3 --talkers 2 --for 1s --settle 200ms",
    );
    assert_eq!((code, &level["good"]), (Some(0), &6.into()), "{said}");
}

#[test]
fn a_menu_hears_its_keys() {
    let engine = engine("load-menu");
    let words = "-w menu --rate 10 --digits-after 100ms --for 1s --settle 500ms --patience 20s";
    let (code, said, level) = load(&engine, "300", words);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((&level["tried"], &level["good"]), (&10.into(), &10.into()), "{said}");
    assert_eq!(level["reaction_ms"]["count"], 10, "{said}");
    assert!(level["process"]["cpu_ms_per_call"].is_number(), "{said}");
}

#[test]
fn refusals_are_told_and_are_no_figures() {
    let engine = engine("load-refused");
    let (code, said, level) = load(&engine, "999", "--calls 3 --for 100ms");
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(level["refused"]["404 Not Found"], 3, "{said}");
    assert!(said.contains("THE FIGURES ARE WORTH NOTHING: 3 of 3 calls failed"), "{said}");
}

#[test]
fn foreign_machines_are_not_loaded_by_mistake() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_diesis")).args(["load", "1@192.0.2.1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--i-may-load-this-target"), "{said}");
}
