//! `diesis check` as an operator runs it: output and exit code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory that is gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("check-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            fs::write(path.join(file), text).unwrap();
        }
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn check(path: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_diesis"))
        .arg("check")
        .arg(path)
        .args(options)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const TRANSPORT: &str = "[udp]\ntype=transport\nbind=127.0.0.1:5060\n";
const DIALPLAN: &str = "[default]\nexten => 1,1,Answer()\n same => n,Hangup()\n";

#[test]
fn the_wazo_example_has_nothing_wrong() {
    let wazo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/wazo");
    let output = check(&wazo, &["--strict"]);
    assert!(text(&output).contains("nothing wrong (3 endpoints, "), "{}", text(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_error_is_shown_with_its_place_and_fails() {
    let pjsip = format!("{TRANSPORT}[1001]\ntype=endpoint\nallow=ulaw\nauth=nobody\n");
    let scratch = Scratch::new("error", &[("pjsip.conf", &pjsip), ("extensions.conf", DIALPLAN)]);
    let output = check(&scratch.0, &[]);
    let shown = text(&output);
    assert!(shown.contains("pjsip.conf:7:6: error[C007]"), "{shown}");
    assert!(shown.contains("7 | auth=nobody\n      |      ^^^^^^"), "{shown}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_warning_fails_only_when_strict() {
    let pjsip = format!("{TRANSPORT}[1001]\ntype=aor\nmax_contacts=1\nauthenticate_qualify=yes\n");
    let scratch = Scratch::new("warning", &[("pjsip.conf", &pjsip), ("extensions.conf", DIALPLAN)]);
    let output = check(&scratch.0, &[]);
    assert!(
        text(&output).contains(": 1 warning (0 endpoints, 1 context, 2 steps)\n"),
        "{}",
        text(&output)
    );
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(check(&scratch.0, &["--strict"]).status.code(), Some(1));
}

#[test]
fn programs_get_json() {
    let pjsip = format!("{TRANSPORT}[1001]\ntype=aor\nmax_contacts=many\n");
    let scratch = Scratch::new("json", &[("pjsip.conf", &pjsip), ("extensions.conf", DIALPLAN)]);
    let output = check(&scratch.0, &["--format", "json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["errors"], 1);
    let findings = value["findings"].as_array().unwrap();
    let error = findings.iter().find(|finding| finding["severity"] == "error").unwrap();
    assert_eq!(error["file"], "pjsip.conf");
    assert_eq!((&error["line"], &error["column"]), (&6.into(), &14.into()));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_dialplan_file_alone_is_checked_line_by_line() {
    let scratch = Scratch::new(
        "file",
        &[(
            "dp-ivr.conf",
            "exten = s,1,Answer(1000)\nsame = n,NoOp(pressed digit is 1, redirect to\ncontext)\n",
        )],
    );
    let output = check(&scratch.file("dp-ivr.conf"), &[]);
    let shown = text(&output);
    assert!(shown.contains("dp-ivr.conf:1:1: error[D002]"), "{shown}");
    assert!(shown.contains("dp-ivr.conf:3:1: error[D012]"), "{shown}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn where_there_is_nothing_the_exit_code_differs() {
    let output = check(Path::new("/nowhere/at/all"), &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/nowhere/at/all can't be checked"), "{said}");
}

#[test]
fn the_header_that_is_proposed_has_a_name() {
    let dialplan = format!("exten => 2,1,Answer()\n{DIALPLAN}");
    let scratch =
        Scratch::new("header", &[("pjsip.conf", TRANSPORT), ("extensions.conf", &dialplan)]);
    let shown = text(&check(&scratch.0, &[]));
    assert!(shown.contains("put a header such as `[default]` above it"), "{shown}");
}
