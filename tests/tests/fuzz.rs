//! Every fuzz target for a moment, with a fixed seed, and every input that ever did harm.
//!
//! `src/bin/fuzz.rs` runs the same targets for long; see docs/fuzzing.md.

use std::time::Duration;

use diesis_tests::fuzz::mutate::Mutator;
use diesis_tests::fuzz::{self, Target, corpus, worker};

fn run(target: &Target, input: &[u8], what: &str) {
    let outcome = worker::run_once(target, input);
    if let Err(panic) = outcome.result {
        let (name, place, message) = (target.name, panic.place, panic.message);
        panic!("{name}: {what}: panic at {place}: {message}\n{}", input.escape_ascii());
    }
    // Far beyond what a busy machine and a debug build take; the runner is the one that measures.
    assert!(outcome.time < Duration::from_secs(20), "{}: {what}: {:?}", target.name, outcome.time);
}

#[test]
fn what_once_did_harm_does_none() {
    for target in fuzz::targets() {
        for (path, input) in fuzz::regression_inputs(target) {
            run(target, &input, &path.display().to_string());
        }
    }
}

#[test]
fn regressions_and_corpora_belong_to_targets() {
    for room in ["regressions", "corpora"] {
        let path = format!("{}/fuzz/{room}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(path).into_iter().flatten() {
            let name = entry.expect("the room can be read").file_name();
            let name = name.to_string_lossy();
            let name = name.strip_suffix(".txt").unwrap_or(&name);
            assert!(fuzz::target(name).is_some(), "{room}/{name} belongs to no target");
        }
    }
}

#[test]
fn changed_inputs_do_no_harm() {
    for target in fuzz::targets() {
        let mut inputs = (target.seeds)();
        for seed in inputs.iter().step_by(inputs.len() / 12 + 1) {
            run(target, seed, "a seed");
        }
        inputs.extend(corpus::load(&fuzz::corpus_file(target)));
        let mut mutator = Mutator::new(1, target.tokens, target.longest);
        let mut input = Vec::new();
        for round in 0..ROUNDS {
            let (a, b) = (mutator.below(inputs.len()), mutator.below(inputs.len()));
            mutator.mutate(&inputs[a], &inputs[b], &mut input);
            run(target, &input, &format!("round {round}"));
        }
    }
}

const ROUNDS: usize = 25;
