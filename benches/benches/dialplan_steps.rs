//! How many priorities does one core run in a second?
//!
//! `cargo bench -p diesis-benches --bench dialplan_steps`

use std::fmt::Write;
use std::time::{Duration, Instant};

use diesis_dialplan::channel::Channel;
use diesis_dialplan::conf::{self, MemoryFiles, Options};
use diesis_dialplan::executor::{Advance, Executor};
use diesis_dialplan::host::{KeepSteps, MemoryHost};
use diesis_dialplan::plan::Plan;

/// A loop, its name, and how many priorities one turn runs.
struct Loop {
    name: &'static str,
    lines: &'static [&'static str],
    steps: u32,
}

const LOOPS: [Loop; 5] = [
    Loop {
        name: "While, Set(x=$[${x}+1]), EndWhile",
        lines: &["Set(x=0)", "While($[${x}<TURNS])", "Set(x=$[${x}+1])", "EndWhile()"],
        steps: 3,
    },
    Loop {
        name: "Set(x=$[${x}+1]), GotoIf back",
        lines: &["Set(x=0)", "Set(x=$[${x}+1])", "GotoIf($[${x}<TURNS]?2)"],
        steps: 2,
    },
    Loop {
        name: "8 NoOp, Set(x=$[${x}+1]), GotoIf back",
        lines: &[
            "Set(x=0)",
            "Set(x=$[${x}+1])",
            "NoOp(1)",
            "NoOp(2)",
            "NoOp(3)",
            "NoOp(4)",
            "NoOp(5)",
            "NoOp(6)",
            "NoOp(7)",
            "NoOp(8)",
            "GotoIf($[${x}<TURNS]?2)",
        ],
        steps: 10,
    },
    Loop {
        name: "Gosub with an argument, Return, Set, GotoIf back",
        lines: &[
            "Set(x=0)",
            "Gosub(sub,s,1(${x}))",
            "Set(x=$[${GOSUB_RETVAL}+1])",
            "GotoIf($[${x}<TURNS]?2)",
        ],
        steps: 4,
    },
    Loop {
        name: "Set(y=${TOUPPER(${CUT(z,-,2)}):0:2}), Set, GotoIf back",
        lines: &[
            "Set(x=0)",
            "Set(z=ab-cdef-gh)",
            "Set(y=${TOUPPER(${CUT(z,-,2)}):0:2})",
            "Set(x=$[${x}+1])",
            "GotoIf($[${x}<TURNS]?3)",
        ],
        steps: 3,
    },
];

fn main() {
    println!(
        "{:56} {:>14} {:>14} {:>16}",
        "priorities a second", "alone", "per step", "among 10,000"
    );
    for each in &LOOPS {
        let [alone, among] = [0, 10_000].map(|others| best_of(&plan(each, others), each));
        let rate = |time: Duration| f64::from(TURNS * each.steps) / time.as_secs_f64() / 1e6;
        let per_step = alone.as_secs_f64() * 1e9 / f64::from(TURNS * each.steps);
        println!(
            "{:56} {:>12.2} M {:>11.1} ns {:>14.2} M",
            each.name,
            rate(alone),
            per_step,
            rate(among)
        );
    }
}

/// The loop as extension `s`, among other extensions.
fn plan(each: &Loop, others: u32) -> Plan {
    let mut text = "[bench]\n".to_owned();
    for n in 0..others {
        let _ = writeln!(text, "exten => {},1,Dial(PJSIP/${{EXTEN}},20)", 20_000 + n);
    }
    let first = "exten => s,1,";
    for (n, line) in each.lines.iter().enumerate() {
        let start = if n == 0 { first } else { " same => n," };
        let _ = writeln!(text, "{start}{}", line.replace("TURNS", &TURNS.to_string()));
    }
    text.push_str("[sub]\nexten => s,1,Return(${ARG1})\n");
    let files = MemoryFiles::new().with("extensions.conf", text);
    let conf = conf::load("extensions.conf", &files, &Options::default());
    let (plan, diagnostics) = Plan::load(&conf, &Default::default());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    plan
}

/// The shortest of some runs: the others were disturbed.
fn best_of(plan: &Plan, each: &Loop) -> Duration {
    (0..RUNS).map(|_| run(plan, each)).min().expect("there is a run")
}

fn run(plan: &Plan, each: &Loop) -> Duration {
    let mut host = MemoryHost::new("2026-11-21T00:00:00Z".parse().expect("a time"));
    host.keep_steps = KeepSteps::No;
    let mut executor = Executor::new(Channel::new("Bench/1"), "bench", "s", 1);
    let start = Instant::now();
    loop {
        match executor.advance(plan, &mut host) {
            Advance::Yielded => {}
            Advance::Finished { .. } => break,
            other => panic!("{}: {other:?}", each.name),
        }
    }
    let time = start.elapsed();
    let turns = executor.variable(b"x").map(ToString::to_string);
    assert_eq!(turns, Some(TURNS.to_string()), "{}", each.name);
    time
}

const TURNS: u32 = 300_000;
const RUNS: u32 = 7;
