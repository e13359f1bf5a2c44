//! Dialplans with the damage that print, paste and haste do to them: every one is named, once.

use diesis_dialplan::{
    check::{CheckOptions, check},
    conf::MemoryFiles,
};

/// `line code` of everything found.
fn found(text: &str) -> Vec<String> {
    let files = MemoryFiles::new().with("menu.conf", text);
    let report = check("menu.conf", &files, &CheckOptions::default());
    let located = report.diagnostics.iter().map(|found| found.locate(report.sources()));
    located.map(|found| format!("{} {}", found.line.unwrap_or(0), found.code)).collect()
}

fn message(text: &str, line: u32) -> String {
    let files = MemoryFiles::new().with("menu.conf", text);
    let report = check("menu.conf", &files, &CheckOptions::default());
    let of_line = report
        .diagnostics
        .iter()
        .find(|found| found.locate(report.sources()).line == Some(line))
        .expect("something is found there");
    of_line.render(report.sources()).to_string()
}

const FIRST: &str = include_str!("data/check/lost-first-header.conf");
const SECOND: &str = include_str!("data/check/lost-second-header.conf");

#[test]
fn a_menu_without_its_header_and_with_broken_lines() {
    assert_eq!(found(FIRST), ["1 D002", "8 D012", "11 D306", "16 D012"]);
    assert!(message(FIRST, 8).contains("this is the rest of line 7: one line was broken in two"));
    assert!(message(FIRST, 11).contains("did you mean `TARGET_CONTEXT`?"));
}

#[test]
fn two_menus_that_ran_into_each_other() {
    assert_eq!(
        found(SECOND),
        [
            "1 D002", "2 D306", "6 D306", "12 D012", "15 D305", "18 D306", "19 D104", "21 D306",
            "26 D012", "27 D306",
        ]
    );
    assert!(message(SECOND, 1).contains("put `[main-menu]` above it"));
    assert!(message(SECOND, 15).contains("put `[second-menu]` above this line"));
    assert!(message(SECOND, 19).contains("write a comma after the `n`: `n,Waitexten`"));
}

#[test]
fn the_repaired_menus_are_clean() {
    let first = FIRST
        .replace("}\ncontext)", "} context)")
        .replace("in-\nvalid", "in-valid")
        .replace("${TARGET CONTEXT}", "${TARGET_CONTEXT}");
    assert_eq!(found(&format!("[menu]\n{first}")), Vec::<String>::new());
    let second = SECOND
        .replace("in-\nvalid", "in-valid")
        .replace("TARGET CONTEXT", "TARGET_CONTEXT")
        .replace("SOUND DIRECTORY", "SOUND_DIRECTORY")
        .replace("n.Waitexten", "n,Waitexten")
        .replace("\n\nexten", "\n\n[second-menu]\nexten");
    assert_eq!(found(&format!("[main-menu]\n{second}")), Vec::<String>::new());
}
