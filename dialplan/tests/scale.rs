//! What a large plan costs. Off by default, since it measures: run with
//! `cargo test --release -p diesis-dialplan --test scale -- --ignored --nocapture`.

use std::{fmt::Write, fs, hint::black_box, time::Instant};

use diesis_dialplan::{
    check::{self, CheckOptions},
    conf::{self, MemoryFiles, Options},
    plan::{Circumstances, Plan, Target},
};

/// 100,000 literal extensions and 1,000 patterns in one context.
fn large(literals: u32, patterns: u32) -> String {
    let mut text = "[office]\n".to_owned();
    for n in 0..literals {
        let number = 2_000_000 + n * 7;
        let _ =
            writeln!(text, "exten => {number},1,Dial(PJSIP/${{EXTEN}},20,tT)\n same => n,Hangup()");
    }
    for n in 0..patterns {
        let prefix = n * 13 % 10_000;
        let tail = ["XX.", "[2-5]XX", "NXXX", "XXXXX!"][n as usize % 4];
        let _ = writeln!(text, "exten => _9{prefix:04}{tail},1,Dial(PJSIP/trunk/${{EXTEN:1}})");
    }
    text + "exten => _X.,1,Hangup()\n"
}

fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

#[test]
#[ignore = "measures; needs an optimised build"]
#[allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn lookups_in_plans_of_growing_size() {
    for (literals, patterns) in [(1_000, 10), (10_000, 100), (100_000, 1_000)] {
        let text = large(literals, patterns);
        let before = resident();
        let start = Instant::now();
        let files = MemoryFiles::new().with("extensions.conf", &text);
        let conf = conf::load("extensions.conf", &files, &Options::default());
        let read = start.elapsed();
        let (plan, diagnostics) = Plan::load(&conf, &Default::default());
        let loaded = start.elapsed();
        let peak = resident() - before;
        drop(conf);
        let kept = resident() - before;
        assert!(diagnostics.is_empty());
        println!(
            "{literals} + {patterns}: read {read:?}, loaded {loaded:?}, {peak} kB while loading, {kept} kB after"
        );

        let start = Instant::now();
        let found = check::check("extensions.conf", &files, &CheckOptions::default());
        println!("  check: {:?}, {} found", start.elapsed(), found.diagnostics.len());

        let office = plan.context("office").expect("it is there");
        let circumstances = Circumstances::default();
        let mut seed = 1_u64;
        let mut dialled = |literal: bool| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = (seed >> 33) as u32;
            match literal {
                true => format!("{}", 2_000_000 + random % literals * 7),
                false => {
                    format!("9{:04}{:05}", random % patterns * 13 % 10_000, random / 7 % 100_000)
                }
            }
        };
        for kind in [true, false] {
            let texts: Vec<String> = (0..10_000).map(|_| dialled(kind)).collect();
            let start = Instant::now();
            for _ in 0..100 {
                for text in &texts {
                    let target = Target::Priority(1);
                    let _ =
                        black_box(plan.find(office, text.as_str().into(), target, &circumstances));
                }
            }
            let each = start.elapsed() / 1_000_000;
            let start = Instant::now();
            for text in &texts {
                for length in 1..=text.len() {
                    let target = Target::Priority(1);
                    let text = text[..length].into();
                    black_box(plan.match_more(office, text, target, &circumstances));
                }
            }
            let more = start.elapsed() / (10_000 * texts[0].len() as u32);
            println!("  literal {kind}: {each:?} a lookup, {more:?} a match-more");
        }
        let text = texts_first(literals);
        let found = plan.find(office, text.as_str().into(), Target::Priority(1), &circumstances);
        let found = found.expect("it is there");
        let start = Instant::now();
        for _ in 0..10_000_000 {
            let _ = black_box(plan.next(
                black_box(found),
                office,
                text.as_str().into(),
                &circumstances,
            ));
        }
        println!("  next step: {:?} for ten million", start.elapsed());
    }
}

fn texts_first(literals: u32) -> String {
    format!("{}", 2_000_000 + literals / 2 * 7)
}
