//! Test vectors, one JSON object a line, of all seven families.
//!
//! Our own are in `tests/data/*.jsonl`. More, recorded from a reference PBX, are run if
//! `DIESIS_VECTORS` names a directory that holds such files.

use std::{collections::BTreeMap, env, fs, path::Path};

use diesis_dialplan::vector::{answer, same};
use serde_json::Value;

#[test]
fn own_vectors_pass() {
    run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"));
}

#[test]
fn recorded_vectors_pass() {
    if let Some(directory) = env::var_os("DIESIS_VECTORS") {
        run(Path::new(&directory));
    }
}

/// Runs all vectors of a directory and prints what differs; with `DIESIS_WARNINGS` set, also where
/// only the warning does.
fn run(directory: &Path) {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut warnings: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let entries = fs::read_dir(directory).expect("the directory can be read").flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    for path in paths {
        let text = fs::read_to_string(path).expect("vectors are UTF-8");
        for line in text.lines().filter(|line| !line.is_empty()) {
            let vector: Value = serde_json::from_str(line).expect("a vector is JSON");
            let (id, title) = (&vector["id"], &vector["title"]);
            let family = vector["family"].as_str().unwrap_or_default().to_owned();
            let got = answer(&vector).unwrap_or_else(|error| panic!("{id}: {error}"));
            if let Some(want) = vector["warned"].as_bool() {
                let count = warnings.entry(family.clone()).or_default();
                count.1 += 1;
                count.0 += usize::from(want == got.warned);
                if want != got.warned && env::var_os("DIESIS_WARNINGS").is_some() {
                    println!("{id} {title}: warned {want}");
                }
            }
            let count = counts.entry(family).or_default();
            count.1 += 1;
            if same(&vector["output"], &got.output) {
                count.0 += 1;
            } else {
                println!("{id} {title}\n  want {}\n  got  {}", vector["output"], got.output);
            }
        }
    }
    println!("passed, of: {counts:?}; warnings agree: {warnings:?}");
    assert!(counts.values().all(|(passed, all)| passed == all));
}
