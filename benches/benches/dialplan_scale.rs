//! What does a large plan cost: to load, to keep, to look a number up in?
//!
//! `cargo bench -p diesis-benches --bench dialplan_scale`; with `-- --all`, up to a million extensions.

use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use diesis_dialplan::conf::{self, MemoryFiles, Options};
use diesis_dialplan::plan::{Circumstances, ContextId, Plan, Target};

fn main() {
    println!(
        "{:>9} {:>8} {:>9} {:>9} {:>10} {:>10} {:>11} {:>11} {:>11} {:>11}",
        "literals",
        "patterns",
        "text",
        "load",
        "peak",
        "kept",
        "literal",
        "pattern",
        "match-more",
        "next step"
    );
    let sizes = [(1_000, 10), (10_000, 100), (100_000, 1_000), (1_000_000, 10_000)];
    let most = if std::env::args().any(|argument| argument == "--all") { 4 } else { 3 };
    for (literals, patterns) in sizes.into_iter().take(most) {
        measure(literals, patterns);
    }
}

fn measure(literals: u32, patterns: u32) {
    let text = text(literals, patterns);
    let megabytes = |bytes: usize| bytes as f64 / 1e6;
    let size = megabytes(text.len());
    let files = MemoryFiles::new().with("extensions.conf", text);
    let options = Options::default().with_total_bytes(1 << 30).with_entries(10_000_000);
    let before = resident("VmRSS");
    let start = Instant::now();
    let conf = conf::load("extensions.conf", &files, &options);
    let (plan, diagnostics) = Plan::load(&conf, &Default::default());
    let load = start.elapsed();
    let peak = resident("VmHWM").saturating_sub(before);
    assert!(diagnostics.is_empty() && !conf.is_refused());
    drop((conf, files));
    let kept = resident("VmRSS").saturating_sub(before);

    let context = plan.context("office").expect("it is there");
    let mut random = Random(u64::from(literals));
    let known: Vec<String> =
        (0..10_000).map(|_| literal(random.below(literals)).to_string()).collect();
    let dialled: Vec<String> = (0..10_000)
        .map(|_| format!("{}{:05}", prefix(random.below(patterns)), random.below(100_000)))
        .collect();
    println!(
        "{literals:>9} {patterns:>8} {:>6.1} MB {:>6.0} ms {:>7.1} MB {:>7.1} MB {:>8.0} ns {:>8.0} ns {:>8.0} ns {:>8.1} ns",
        size,
        load.as_secs_f64() * 1e3,
        megabytes(peak * 1024),
        megabytes(kept * 1024),
        nanoseconds(|| find_all(&plan, context, &known), 10_000),
        nanoseconds(|| find_all(&plan, context, &dialled), 10_000),
        nanoseconds(|| ask_all(&plan, context, &dialled), 10_000 * dialled[0].len()),
        next_step(&plan, context, &known),
    );
}

fn find_all(plan: &Plan, context: ContextId, numbers: &[String]) {
    let circumstances = Circumstances::default();
    for number in numbers {
        let number = black_box(number.as_str()).into();
        let found = plan.find(context, number, Target::Priority(1), &circumstances);
        assert!(found.is_ok());
    }
}

/// After each digit, whether to wait for more.
fn ask_all(plan: &Plan, context: ContextId, numbers: &[String]) {
    let circumstances = Circumstances::default();
    for number in numbers {
        for length in 1..=number.len() {
            let digits = number[..length].into();
            black_box(plan.match_more(context, digits, Target::Priority(1), &circumstances));
        }
    }
}

fn next_step(plan: &Plan, context: ContextId, numbers: &[String]) -> f64 {
    let circumstances = Circumstances::default();
    let number = numbers[0].as_str().into();
    let found = plan.find(context, number, Target::Priority(1), &circumstances).expect("known");
    let run = || {
        for _ in 0..100_000 {
            let next = plan.next(black_box(found), context, number, &circumstances);
            assert!(black_box(next).is_ok());
        }
    };
    nanoseconds(run, 100_000)
}

/// The shortest of some runs, each of so many operations.
fn nanoseconds(mut run: impl FnMut(), operations: usize) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    let best: Duration = (0..RUNS).map(time).min().expect("there is a run");
    best.as_secs_f64() * 1e9 / operations as f64
}

/// Literal extensions of two steps, and patterns of four kinds behind prefixes of their own.
fn text(literals: u32, patterns: u32) -> String {
    let mut text = "[office]\n".to_owned();
    for n in 0..literals {
        let number = literal(n);
        let _ = writeln!(text, "exten => {number},1,Dial(PJSIP/${{EXTEN}},20,tT)");
        let _ = writeln!(text, " same => n,Hangup()");
    }
    for n in 0..patterns {
        let tail = ["X.", "XXXXX", "X[0-9]X.", "XXX!"][n as usize % 4];
        let _ = writeln!(text, "exten => _{}{tail},1,Dial(PJSIP/trunk/${{EXTEN:1}})", prefix(n));
    }
    text
}

fn literal(n: u32) -> u32 {
    2_000_000 + n * 7
}

fn prefix(n: u32) -> String {
    format!("9{:05}", n * 13 % 100_000)
}

/// A line of `/proc/self/status`, in KiB. The peak is set back first, where the system lets us.
fn resident(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    let kib = number.and_then(|number| number.parse().ok()).unwrap_or(0);
    if field == "VmRSS" {
        // 5 sets the peak to the present: proc_pid_clear_refs(5).
        let _ = fs::write("/proc/self/clear_refs", "5");
    }
    kib
}

/// Knuth's linear congruence: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as u32 % most.max(1)
    }
}

const RUNS: u32 = 7;
