//! `diesis numbering`, as an administrator and a script call it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn diesis(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .arg("numbering")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn told(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn place(name: &str, numbering: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("the test has a directory");
    if !numbering.is_empty() {
        fs::write(path.join("numbering.conf"), numbering).expect("it can be written");
    }
    path
}

#[test]
fn numbers_are_answered_alone_a_line_each() {
    let numbers = ["+33 (0) 123456789", "+3912334477", "42(0)141906666", "#21", "4092"];
    let done = diesis(&[&["test", "out"], &numbers[..]].concat(), "");
    assert_eq!(told(&done), "00123456789\n0003912334477\n00042141906666\n#21\n4092\n");
    assert!(done.status.success());
    // From standard input, too, and with reasons.
    let done = diesis(&["test", "--explain", "out", "-"], "03611\n0033155171889\n");
    assert_eq!(
        told(&done),
        "003611\t03611: read as 03611; no rule fits; the external prefix goes before it\n\
         00155171889\t0033155171889: read as +33155171889; rule 15 \"own country\": \
         +[-CountryPrefix-] becomes [-ExternalPrefix-]0\n"
    );
    let done = diesis(&["test", "reverse", "00155171889"], "");
    assert_eq!(told(&done), "155171889\n");
}

#[test]
fn a_directory_has_its_own_prefixes_and_rules() {
    let plan = "[general]\ncountry_prefix = 44\nexternal_prefix = 9\n[incoming]\n\
                rule => 1,abroad,[-InternationalPrefix-],+\n";
    let place = place("numbering-own", plan);
    let directory = place.to_str().unwrap();
    let done = diesis(&["test", "-C", directory, "out", "+44 (0)20 7946 0000"], "");
    assert_eq!(told(&done), "902079460000\n");
    let done = diesis(&["test", "-C", directory, "in", "00039123456"], "");
    assert_eq!(told(&done), "+39123456\n", "one 0 is removed before the rules");
    // What is wrong is named with its place.
    fs::write(place.join("numbering.conf"), "[outgoing]\nrule => 5,x,12a,1\n").unwrap();
    let refused = diesis(&["test", "-C", directory, "out", "1"], "");
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("numbering.conf:2:") && words.contains("'a'"), "{words}");
    let missing = diesis(&["test", "-C", "/no/such", "out", "1"], "");
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn what_is_suspicious_is_told_by_check_and_at_load() {
    let done = diesis(&["check"], "");
    assert_eq!(done.status.code(), Some(1));
    assert!(told(&done).contains("rule 25"), "{}", told(&done));
    assert!(told(&done).contains("3300 becomes 0000"), "{}", told(&done));
    let plan = "[outgoing]\nrule => 5,short,01,01\nrule => 6,long,0155,0155\n";
    let place = place("numbering-check", plan);
    let done = diesis(&["check", "-C", place.to_str().unwrap()], "");
    assert!(
        told(&done).contains("rule 6 \"long\": no number reaches it: rule 5"),
        "{}",
        told(&done)
    );
    let checked = Command::new(env!("CARGO_BIN_EXE_diesis")).arg("check").arg(&place).output();
    let words = String::from_utf8(checked.unwrap().stdout).unwrap();
    assert!(words.contains("numbering.conf:3:") && words.contains("C018"), "{words}");
}

#[test]
fn tables_go_out_and_come_back() {
    let place = place("numbering-table", "[general]\ninternal_length = 3\n");
    let directory = place.to_str().unwrap();
    let exported = diesis(&["export", "-C", directory], "");
    assert!(told(&exported).starts_with("direction,priority,name,model,value\nout,5,"));
    let table = format!("{}in,1,\"a, b\",[0;?],+\n", told(&exported));
    let imported = diesis(&["import", "-C", directory, "-"], &table);
    assert!(imported.status.success(), "{imported:?}");
    assert_eq!(told(&diesis(&["export", "-C", directory], "")), table);
    let done = diesis(&["test", "-C", directory, "out", "4092"], "");
    assert_eq!(told(&done), "04092\n", "its settings stay");
    // All or none.
    let before = fs::read(place.join("numbering.conf")).unwrap();
    let refused = diesis(&["import", "-C", directory, "-"], "out,1,a,1,1\n\nout,2,b,[(],1\n");
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("-:3: rule 2 \"b\""), "{words}");
    assert_eq!(fs::read(place.join("numbering.conf")).unwrap(), before);
}
