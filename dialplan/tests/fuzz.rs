//! Bytes from anywhere: nothing may panic, hang or grow without bound. The functions are fuzz
//! targets; here they run briefly, on what our own test data becomes when bytes are changed.

use diesis_dialplan::{
    check::{CheckOptions, check},
    conf::{self, MemoryFiles, Options},
    parser, pattern,
    plan::{Circumstances, Plan, Target},
    schedule::Schedule,
};
use jiff::{Timestamp, tz::TimeZone};

/// A dialplan that may include itself.
fn fuzz_load(bytes: &[u8]) {
    let files = MemoryFiles::new().with("extensions.conf", bytes);
    let options = Options::default().with_files(50).with_total_bytes(1 << 20).with_entries(20_000);
    let conf = conf::load("extensions.conf", &files, &options);
    for section in conf.all_sections() {
        section
            .entries()
            .map(parser::parse)
            .for_each(|statement| assert!(!statement.entry.name().is_empty()));
    }
    let (plan, diagnostics) = Plan::load(&conf, &Default::default());
    for diagnostic in diagnostics.iter().chain(conf.diagnostics()) {
        let _ = diagnostic.render(conf.sources()).to_string();
    }
    let circumstances = Circumstances::default();
    for context in plan.contexts() {
        for dialled in ["", "1", "_X.", "5551234", "-a"] {
            let dialled = dialled.into();
            let target = Target::Priority(1);
            let found = plan.find(context.id(), dialled, target, &circumstances);
            if let Ok(found) = found {
                let _ = plan.next(found, context.id(), dialled, &circumstances);
            }
            plan.can_match(context.id(), dialled, target, &circumstances);
            plan.match_more(context.id(), dialled, target, &circumstances);
            plan.is_ignored(context.id(), dialled);
        }
    }
}

fn fuzz_check(bytes: &[u8]) {
    let files = MemoryFiles::new().with("extensions.conf", bytes);
    let report = check("extensions.conf", &files, &CheckOptions::default());
    for diagnostic in &report.diagnostics {
        let _ = diagnostic.render(report.sources()).to_string();
        let _ = diagnostic.locate(report.sources());
    }
}

fn fuzz_schedule(bytes: &[u8]) {
    let mut flaws = vec![];
    let schedule = Schedule::parse_with_flaws(bytes.into(), &mut flaws);
    flaws.iter().for_each(|flaw| drop((flaw.to_string(), flaw.help(), &bytes[flaw.range.clone()])));
    let _ = schedule.map(|schedule| schedule.holds(Timestamp::UNIX_EPOCH, &TimeZone::UTC));
}

fn fuzz_pattern(bytes: &[u8]) {
    let (name, dialled) = bytes.split_at(bytes.len() / 2);
    pattern::matches(name.into(), dialled.into());
    pattern::compare(name.into(), dialled.into());
}

const SEEDS: [&[u8]; 5] = [
    include_bytes!("data/check/lost-first-header.conf"),
    include_bytes!("data/check/lost-second-header.conf"),
    include_bytes!("data/parse.jsonl"),
    b"[t](!)\n#include extensions.conf\nexten => _[1-5]X./_0.,n+1(l),A(${b}\\;) ;-- c --;\n[a](t,+)\n",
    b"9:00-17:00&20:00-2:00,mon-fri&1,28-3,nov-feb,CET-1CEST,M3.5.0,M10.5.0/3",
];

/// Splits, changes, doubles and drops bytes.
struct Changes(u64);

impl Changes {
    fn next(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below.max(1)
    }

    fn apply(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.next(6) {
            let at = self.next(bytes.len());
            let end = (at + self.next(30)).min(bytes.len());
            match self.next(5) {
                0 => bytes.insert(at.min(bytes.len()), b"[](){};,=\\\n#+-$!.\0\xff"[self.next(19)]),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let copy = bytes[at..end].to_vec();
                    let to = self.next(bytes.len());
                    bytes.splice(to..to, copy);
                }
                3 if !bytes.is_empty() => bytes[at] = self.next(256) as u8,
                _ => bytes.truncate(bytes.len() - self.next(bytes.len() / 4)),
            }
        }
        bytes
    }
}

#[test]
fn changed_texts_do_no_harm() {
    let mut changes = Changes(1);
    for round in 0..1_500 {
        let bytes = changes.apply(SEEDS[round % SEEDS.len()]);
        fuzz_load(&bytes);
        fuzz_schedule(&bytes);
        fuzz_pattern(&bytes);
        if round % 3 == 0 {
            fuzz_check(&bytes);
        }
    }
}
