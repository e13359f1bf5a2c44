//! `diesis run` where it must not start.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_diesis")).arg("run").arg("-C").arg(directory).output().unwrap()
}

#[test]
fn a_mistyped_directory_is_not_run() {
    let output = run(Path::new("/nowhere/at/all"));
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/nowhere/at/all can't be run: No such file"), "{said}");
}

#[test]
fn a_directory_without_a_configuration_is_not_run() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run-empty");
    fs::create_dir_all(&directory).unwrap();
    let output = run(&directory);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("it has neither pjsip.conf nor extensions.conf"), "{said}");
}
