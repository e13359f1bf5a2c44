//! `diesis rules` without an engine: the example does what its manual says.

use std::path::Path;
use std::process::{Command, Output};

fn diesis(words: &str) -> Output {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/rules");
    let words = words.replace("examples/rules", &example.display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
    command.args(words.split_whitespace()).output().expect("the binary runs")
}

fn said(words: &str) -> (Option<i32>, String) {
    let output = diesis(words);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_example_has_nothing_wrong_with_it() {
    let output = diesis("check examples/rules");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(told.contains("nothing wrong") || !told.contains("warning"), "{told}");
}

#[test]
fn rul_2_a_decision_is_explained_as_the_manuals_say() {
    for manual in ["examples/rules/README.md", "README.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(manual);
        let manual = std::fs::read_to_string(path).expect("it is there");
        let lines: Vec<&str> = manual.lines().collect();
        let explained = |pair: &&[&str]| pair[0].starts_with("$ diesis rules explain ");
        let pairs: Vec<_> = lines.windows(2).filter(explained).collect();
        assert!(!pairs.is_empty());
        for pair in pairs {
            let (code, told) = said(pair[0].trim_start_matches("$ diesis "));
            assert_eq!(told.lines().next(), Some(pair[1]), "{}", pair[0]);
            assert_eq!(code, Some(i32::from(!pair[1].contains(": forward to "))));
        }
    }
}

#[test]
fn an_explanation_says_of_each_rule_why() {
    let asked = "rules explain 1001 --from 1002 --at 2026-11-23T10:00:00Z -C examples/rules";
    let (code, told) = said(asked);
    assert_eq!(code, Some(0), "{told}");
    for words in [
        "boss: forward to 1002 by rule 30 (boss-busy), all, any presence, busy",
        "called by 1002 (internal), busy",
        "presence online: nothing says otherwise",
        "rule 10 boss-away (admin, to 0612345678): is for calls at once",
        "rule 30 boss-busy (admin, to 1002): holds",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let (_, told) = said(&format!("{asked} --forward immediate --json"));
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["outcome"], "stay");
    let verdicts: Vec<_> = (0..4).map(|rule| told["rules"][rule]["verdict"].clone()).collect();
    assert_eq!(verdicts, ["origin", "presence", "forward", "forward"]);
    let (code, told) = said(&format!("{asked} --presence calendar"));
    assert_eq!(code, Some(0));
    assert!(told.starts_with("boss: forward to 1002 by rule 20"), "{told}");
    assert_eq!(said("rules explain nobody -C examples/rules").0, Some(2));
}
