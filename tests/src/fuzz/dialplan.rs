//! The dialplan's targets: text to configuration, to plan, to steps.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::channel::Channel;
use diesis_dialplan::check::{CheckOptions, diagnose};
use diesis_dialplan::conf::{self, Conf, MemoryFiles, Options, Recovery};
use diesis_dialplan::diagnostic::{Diagnostic, SourceMap};
use diesis_dialplan::executor::{Advance, Executor};
use diesis_dialplan::expression::{self, Surroundings};
use diesis_dialplan::host::{KeepSteps, MemoryHost};
use diesis_dialplan::operation::{
    ConferenceEnd, DialEnd, DialPlace, DialResult, DialStatus, Digit, OriginateStatus, Outcome,
    Recorded,
};
use diesis_dialplan::plan::{Circumstances, NotFound, Plan, Priority, Step, Target as Wanted};
use diesis_dialplan::regular::Regular;
use diesis_dialplan::schedule::Schedule;
use diesis_dialplan::simulation::{Action, End, Event, Scenario};
use diesis_dialplan::substitute::Template;
use diesis_dialplan::{codes, parser, pattern};
use jiff::{Timestamp, tz::TimeZone};

use super::{SLOW, Shape, Target, files, json_field, owned, parts};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "conf",
        about: "conf::load: sections, templates, includes, diagnostics and their rendering",
        run: configuration,
        seeds: plan_seeds,
        tokens: CONF_TOKENS,
        longest: 4096,
        memory: 32 << 20,
        // A header's filter is an expression tried on every entry of files read fifty times over.
        slow: Duration::from_millis(500),
    },
    Target {
        name: "plan",
        about: "parser and Plan::load, then every kind of lookup in every context",
        run: plan,
        seeds: plan_seeds,
        tokens: CONF_TOKENS,
        longest: 4096,
        memory: 32 << 20,
        slow: SLOW,
    },
    Target {
        name: "check",
        about: "check::diagnose: what a dialplan's author is told",
        run: check,
        seeds: plan_seeds,
        tokens: CONF_TOKENS,
        longest: 4096,
        memory: 64 << 20,
        slow: SLOW,
    },
    Target {
        name: "substitution",
        about: "Template::parse and Executor::evaluate: ${...}, $[...], every function read",
        run: substitution,
        seeds: text_seeds,
        tokens: TEXT_TOKENS,
        longest: 2048,
        memory: 32 << 20,
        slow: SLOW,
    },
    Target {
        name: "expression",
        about: "expression::evaluate",
        run: expression,
        seeds: expression_seeds,
        tokens: EXPRESSION_TOKENS,
        longest: 2048,
        memory: 32 << 20,
        slow: SLOW,
    },
    Target {
        name: "regular",
        about: "Regular::parse and find: an expression, a separator, a text",
        run: regular,
        seeds: regular_seeds,
        tokens: REGULAR_TOKENS,
        longest: 1024,
        memory: 32 << 20,
        slow: SLOW,
    },
    Target {
        name: "pattern",
        about: "pattern::matches and compare: three names, a dialled text",
        run: patterns,
        seeds: pattern_seeds,
        tokens: PATTERN_TOKENS,
        longest: 512,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "lookup",
        about: "Plan::find, can_match and match_more against the definition, name by name",
        run: lookup,
        seeds: pattern_seeds,
        tokens: PATTERN_TOKENS,
        longest: 1024,
        memory: 32 << 20,
        slow: SLOW,
    },
    Target {
        name: "schedule",
        about: "Schedule::parse, holds and can_hold: a time condition",
        run: schedule,
        seeds: schedule_seeds,
        tokens: SCHEDULE_TOKENS,
        longest: 512,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "application",
        about: "Executor::run_application: one application with arguments, Set of every function",
        run: application,
        seeds: application_seeds,
        tokens: TEXT_TOKENS,
        longest: 1024,
        memory: 32 << 20,
        slow: SLOW,
    },
    Target {
        name: "executor",
        about: "Executor::advance with any outcome of every operation",
        run: executor,
        seeds: executor_seeds,
        tokens: CALL_TOKENS,
        longest: 2048,
        memory: 64 << 20,
        slow: SLOW,
    },
    Target {
        name: "simulation",
        about: "Scenario::run: whole calls in virtual time, with keys pressed",
        run: simulation,
        seeds: executor_seeds,
        tokens: CALL_TOKENS,
        longest: 2048,
        memory: 64 << 20,
        // A call that never waits is given up after 100,000 steps, with all of them noted.
        slow: Duration::from_secs(2),
    },
];

/// Bounds that an operator would not notice, but under which hostile files stay quick.
fn options() -> Options {
    Options::default().with_files(50).with_total_bytes(1 << 20).with_entries(20_000)
}

/// The first part is `extensions.conf`; what follows are files to include, `a.conf` and so on.
fn read(input: &[u8], options: &Options) -> Conf {
    let mut sources = MemoryFiles::new();
    for (part, name) in parts(input).zip(["extensions", "a", "b", "c", "d"]) {
        sources = sources.with(format!("{name}.conf"), part);
    }
    conf::load("extensions.conf", &sources, options)
}

fn look_at(diagnostics: &[Diagnostic], sources: &SourceMap, shape: &mut Shape) {
    for diagnostic in diagnostics.iter().take(20) {
        shape.add(diagnostic.code.to_string());
    }
    for diagnostic in diagnostics.iter().take(200) {
        assert!(!diagnostic.render(sources).to_string().is_empty());
        let _ = diagnostic.locate(sources);
        if let Some(span) = diagnostic.span {
            assert!(span.start <= span.end, "{diagnostic:?}");
            assert!(span.end as usize <= sources.bytes(span.file).len(), "{diagnostic:?}");
        }
    }
}

fn is_too_much(conf: &Conf) -> bool {
    let limits = [codes::TOO_MANY_FILES, codes::TOO_MUCH_TEXT];
    conf.diagnostics().iter().any(|diagnostic| limits.contains(&diagnostic.code))
}

fn configuration(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let refusing = read(input, &options());
    let recovery = Recovery::Continue { implied_section: "implied".into() };
    let going_on = read(input, &options().with_recovery(recovery));
    // Going on reads more, which may be more than is allowed.
    assert!(refusing.is_refused() == going_on.is_refused() || is_too_much(&going_on));
    for conf in [&refusing, &going_on] {
        shape.count(conf.sections().count());
        for section in conf.all_sections() {
            shape.count(section.entries().count());
            for entry in section.entries() {
                shape.add((entry.has_arrow(), entry.is_inherited(), entry.is_broken()));
                for span in [entry.span(), entry.name_span(), entry.value_span()] {
                    assert!(span.start <= span.end);
                    assert!(span.end as usize <= conf.sources().bytes(span.file).len());
                }
                let length = entry.value().len();
                for range in [0..length, length / 2..length, 0..length / 2, length..length] {
                    let span = entry.part_span(range);
                    assert!(span.end as usize <= conf.sources().bytes(span.file).len());
                }
                assert!(section.entry(entry.name()).is_some());
                assert!(section.last_entry(entry.name()).is_some());
            }
        }
        look_at(conf.diagnostics(), conf.sources(), &mut shape);
    }
    shape
}

fn plan(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let conf = read(input, &options());
    for section in conf.all_sections().take(100) {
        for statement in section.entries().take(1000).map(parser::parse) {
            assert!(!statement.entry.name().is_empty());
        }
    }
    let (plan, diagnostics) = Plan::load(&conf, &Default::default());
    look_at(&diagnostics, conf.sources(), &mut shape);
    look_at(conf.diagnostics(), conf.sources(), &mut shape);
    shape.count(plan.step_count());
    let circumstances = Circumstances { caller: Some("200".into()), ..Circumstances::default() };
    for context in plan.contexts().take(20) {
        shape.count(context.extensions().len());
        for extension in context.extensions().take(20) {
            for step in extension.steps().take(20) {
                shape.kind(&step.priority());
                assert_eq!(step.extension().id(), extension.id());
                assert_eq!(step.template().source(), step.arguments());
            }
            let dialled = extension.name();
            if let Ok(found) = plan.find(context.id(), dialled, Wanted::Priority(1), &circumstances)
            {
                shape.add(plan.next(found, context.id(), dialled, &circumstances).is_ok());
            }
        }
        for dialled in ["", "1", "_X.", "5551234", "-a"] {
            let dialled = dialled.into();
            for wanted in [Wanted::Priority(1), Wanted::Hint, Wanted::Label("a".into())] {
                let found = plan.find(context.id(), dialled, wanted, &circumstances);
                shape.add(found.is_ok());
                let can = plan.can_match(context.id(), dialled, wanted, &circumstances);
                let more = plan.match_more(context.id(), dialled, wanted, &circumstances);
                shape.add((can, more, plan.is_ignored(context.id(), dialled)));
            }
        }
    }
    shape
}

fn check(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let recovery = Recovery::Continue { implied_section: "default".into() };
    let conf = read(input, &options().with_recovery(recovery));
    let options = CheckOptions::default();
    let (plan, loading) = Plan::load(&conf, &Default::default());
    let diagnostics = diagnose(&conf, &plan, loading, &options);
    look_at(&diagnostics, conf.sources(), &mut shape);
    shape
}

/// An executor beside any flow, with variables of every kind of content.
fn idle() -> (Plan, MemoryHost, Executor) {
    let conf = read(b"[default]\nexten => s,1,NoOp()\nexten => _X.,1(l),NoOp()\n", &options());
    let (plan, _) = Plan::load(&conf, &Default::default());
    let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
    host.keep_steps = KeepSteps::No;
    let mut executor = Executor::idle(Channel::new("Test/1"), "default", "s", 1);
    for (name, value) in VARIABLES {
        executor.variables_mut().set(name.as_bytes(), value.as_bytes());
    }
    (plan, host, executor)
}

fn substitution(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let template = Template::parse(input);
    assert_eq!(template.source(), input);
    shape.add(template.literal().is_some());
    let (plan, mut host, mut executor) = idle();
    let value = executor.evaluate(&plan, &mut host, input);
    assert!(value.len() <= 8191, "{} bytes", value.len());
    if template.literal().is_some() && input.len() < 8191 {
        assert!(value.len() <= input.len());
    }
    shape.count(value.len());
    shape.add(host.log.len().min(4));
    shape
}

fn application(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let (plan, mut host, mut executor) = idle();
    for line in parts(input).take(8) {
        match executor.run_application(&plan, &mut host, line) {
            Some(operation) => shape.kind(&operation),
            None => shape.add(host.log.len().min(8)),
        }
    }
    assert!(executor.variables().len() < 10_000);
    shape
}

/// Surroundings whose functions give back their arguments.
#[derive(Default)]
struct Echo {
    calls: usize,
    warnings: usize,
}

impl Surroundings for Echo {
    fn call(&mut self, name: &[u8], arguments: &[u8], out: &mut Vec<u8>) -> bool {
        self.calls += 1;
        out.extend_from_slice(arguments);
        name != b"NONE"
    }

    fn warn(&mut self, message: std::fmt::Arguments<'_>) {
        let _ = message.to_string();
        self.warnings += 1;
    }
}

fn expression(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let (mut value, mut again, mut echo) = (b"x".to_vec(), b"x".to_vec(), Echo::default());
    expression::evaluate(input, &mut echo, &mut value);
    assert!(value.starts_with(b"x"), "what was there before is gone");
    expression::evaluate(input, &mut Echo::default(), &mut again);
    assert_eq!(value, again);
    shape.count(echo.calls);
    shape.count(echo.warnings);
    shape.count(value.len());
    shape.add(value[1..].iter().all(u8::is_ascii_digit));
    shape
}

fn regular(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut parts = parts(input);
    let (expression, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match Regular::parse(expression) {
        Ok(regular) => {
            let found = regular.find(text);
            assert_eq!(found.is_some(), regular.is_match(text));
            shape.add((regular.has_groups(), found.is_some()));
            if let Some(found) = found {
                assert!(found.start <= found.end && found.end <= text.len());
                shape.count(found.end - found.start);
                if let Some((start, end)) = found.first_group {
                    assert!(regular.has_groups());
                    assert!(found.start <= start && start <= end && end <= found.end);
                    shape.count(end - start);
                }
                // The leftmost match: none begins before it.
                let longer = regular.find(&text[..found.end]);
                if let Some(longer) = longer {
                    assert!(longer.start <= found.start || expression.contains(&b'$'));
                }
            }
        }
        Err(error) => {
            shape.kind(&error);
            assert!(!error.to_string().is_empty());
        }
    }
    shape
}

fn patterns(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut parts = parts(input).map(BStr::new);
    let mut part = || parts.next().unwrap_or_default();
    let (dialled, names) = (part(), [part(), part(), part()]);
    for name in names {
        shape.add(pattern::matches(name, dialled));
        assert_eq!(pattern::compare(name, name), Ordering::Equal);
    }
    let [a, b, c] = names;
    for (left, right) in [(a, b), (b, c), (a, c)] {
        let order = pattern::compare(left, right);
        assert_eq!(order, pattern::compare(right, left).reverse());
        shape.add(order);
    }
    let mut sorted = names;
    sorted.sort_by(|left, right| pattern::compare(left, right));
    let [a, b, c] = sorted;
    assert_ne!(pattern::compare(a, c), Ordering::Greater, "{a:?} {b:?} {c:?}");
    if pattern::compare(a, b).is_eq() && pattern::compare(b, c).is_eq() {
        assert_eq!(pattern::compare(a, c), Ordering::Equal);
    }
    // Asterisk: an empty set is no position, but a text that ends before it is too short.
    let has_gap = [a, b].iter().any(|name| name.contains_str("[]"));
    if pattern::compare(a, b).is_eq() && !has_gap {
        assert_eq!(pattern::matches(a, dialled), pattern::matches(b, dialled), "{a:?} {b:?}");
    }
    shape
}

/// The names of one context, and a text that is dialled. What the index finds is what trying the
/// names one by one finds.
fn lookup(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut parts = parts(input);
    let dialled = BStr::new(parts.next().unwrap_or_default());
    let mut text = b"[c]\n".to_vec();
    for name in parts.filter(|name| !name.contains(&b'\n')).take(40) {
        text.extend_from_slice(b"exten => ");
        text.extend_from_slice(name);
        text.extend_from_slice(b",1,NoOp()\n");
    }
    let conf = conf::load("x", &MemoryFiles::new().with("x", &text), &options());
    let (plan, _) = Plan::load(&conf, &Default::default());
    let Some(context) = plan.context("c") else { return shape };
    let is_first = |step: Step<'_>| matches!(step.priority(), Priority::Number(1));
    let extensions = plan.view(context).extensions();
    let names: Vec<_> = extensions.filter(|it| it.steps().any(is_first)).collect();
    // `exten => 1/,1` is for callers without a number, as ours is.
    let is_free = |caller: Option<&BStr>| caller.is_none_or(|caller| caller.is_empty());
    let free: Vec<_> = names.iter().filter(|it| is_free(it.caller())).collect();
    let matching = free.iter().filter(|it| pattern::matches(it.name(), dialled));
    let expected = matching.clone().min_by(|a, b| pattern::compare(a.name(), b.name()));
    let circumstances = Circumstances::default();
    let found = plan.find(context, dialled, Wanted::Priority(1), &circumstances);
    shape.count(matching.clone().count());
    shape.add((found.is_ok(), expected.map(|it| it.is_pattern())));
    match (found, expected) {
        (Ok(found), Some(expected)) => {
            let name = plan.step(found.step).extension().name();
            let order = pattern::compare(name, expected.name());
            assert_eq!(order, Ordering::Equal, "{name:?} in place of {:?}", expected.name());
        }
        (Ok(found), None) => panic!("{:?} in place of none", plan.step(found.step).extension()),
        (Err(NotFound::NoExtension | NotFound::NoPriority), None) => {}
        (Err(error), expected) => {
            panic!("{error:?} in place of {:?}", expected.map(|it| it.name()));
        }
    }
    let mut visited: Vec<BString> = Vec::new();
    let _: ControlFlow<()> = plan.visit_extensions(context, dialled, |extension| {
        assert!(pattern::matches(extension.name(), dialled), "{extension:?}");
        visited.push(extension.name().to_owned());
        ControlFlow::Continue(())
    });
    let all = names.iter().filter(|it| pattern::matches(it.name(), dialled)).count();
    assert!(visited.len() >= all, "{visited:?}");
    for pair in visited.windows(2) {
        assert_ne!(
            pattern::compare(pair[0].as_ref(), pair[1].as_ref()),
            Ordering::Greater,
            "{visited:?}"
        );
    }
    let can = plan.can_match(context, dialled, Wanted::Priority(1), &circumstances);
    let more = plan.match_more(context, dialled, Wanted::Priority(1), &circumstances);
    shape.add((can, more));
    shape
}

fn schedule(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut flaws = Vec::new();
    let schedule = Schedule::parse_with_flaws(input.into(), &mut flaws);
    assert_eq!(schedule.is_some(), Schedule::parse(input.into()).is_some());
    for flaw in &flaws {
        shape.kind(&flaw.kind);
        let _ = (flaw.to_string(), flaw.help(), &input[flaw.range.clone()], flaw.is_logged());
    }
    let Some(schedule) = schedule else { return shape };
    let can_hold = schedule.can_hold();
    let mut holds = 0;
    // Every 61 hours and 7 minutes from 2026 on, so that all hours, weekdays and months come.
    for step in 0..60_i64 {
        let seconds = 1_767_225_600 + step * (61 * 3600 + 420);
        let now = Timestamp::from_second(seconds).expect("a time of this century");
        holds += usize::from(schedule.holds(now, &TimeZone::UTC));
    }
    for extreme in [Timestamp::MIN, Timestamp::MAX] {
        let _ = schedule.holds(extreme, &TimeZone::UTC);
    }
    assert!(can_hold || holds == 0, "it cannot hold and does");
    shape.add((can_hold, holds == 0, holds == 60));
    shape
}

/// The first byte of a call's script says how its bytes are taken; the plan follows.
fn script(input: &[u8]) -> (&[u8], &[u8]) {
    let at = input.iter().position(|&byte| byte == super::SEPARATOR);
    at.map_or((b"", input), |at| (&input[..at], &input[at + 1..]))
}

fn outcome(byte: u8) -> Outcome {
    let high = usize::from(byte >> 4);
    match byte & 15 {
        0..4 => Outcome::Done,
        4..6 => Digit::new(b"0123456789*#ABCD"[high]).map_or(Outcome::Done, Outcome::Digit),
        6 => Outcome::TimedOut,
        7 => Outcome::Failed,
        8 if high > 11 => Outcome::HungUp { cause: u16::from(byte >> 4) },
        8 => Outcome::Unsupported,
        9 => Outcome::Conference(
            [ConferenceEnd::Hangup, ConferenceEnd::Kicked, ConferenceEnd::Dtmf][high % 3],
        ),
        10 => Outcome::Recorded(Recorded { status: "DTMF".into(), file: "a".into() }),
        11 => Outcome::Originated(OriginateStatus::Success),
        12 | 13 => {
            let mut result = DialResult::unanswered(DialStatus::Busy, u16::from(byte));
            if high > 4 {
                result = answered(result, high);
            }
            Outcome::Dialed(Box::new(result))
        }
        _ => Outcome::Done,
    }
}

fn answered(result: DialResult, high: usize) -> DialResult {
    let place = DialPlace {
        context: (high & 1 == 0).then(|| "m".into()),
        extension: (high & 2 == 0).then(|| "s".into()),
        priority: BString::from(["1", "n", "x", "-1"][high % 4]),
    };
    DialResult {
        status: DialStatus::Answer,
        ended_by: if high & 1 == 0 { DialEnd::Callee } else { DialEnd::Caller },
        dialed: Some(Duration::from_secs(high as u64)),
        answered: Some(Duration::from_secs(high as u64 / 2)),
        place: (high & 4 == 0).then_some(place),
        ..result
    }
}

fn executor(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let (script, text) = script(input);
    let conf = read(text, &options());
    let (plan, _) = Plan::load(&conf, &Default::default());
    let mut host = MemoryHost::new(Timestamp::UNIX_EPOCH);
    host.keep_steps = KeepSteps::No;
    let mut executor = Executor::new(Channel::new("Test/1"), "m", "s", 1);
    let mut script = script.iter().copied();
    let mut idle = 0;
    for turn in 0..400 {
        match executor.advance(&plan, &mut host) {
            Advance::Operation(operation) => {
                shape.kind(&operation);
                idle = 0;
                host.elapsed += Duration::from_millis(200);
                match script.next() {
                    Some(0xff) => {
                        executor.handle_hangup(16);
                    }
                    Some(0xfe) => executor.redirect(Some(b"m"), None, 1),
                    Some(0xfd) => executor.handle_timeout(Duration::from_secs(1_000_000)),
                    Some(byte) => executor.handle_outcome(outcome(byte)),
                    None if turn > 200 => {
                        executor.handle_hangup(16);
                    }
                    None => executor.handle_outcome(Outcome::Done),
                }
            }
            Advance::Yielded => {
                idle += 1;
                if idle > 3 {
                    // A busy loop without end: the caller hangs up, and it ends all the same.
                    executor.handle_hangup(16);
                }
                if idle > 120 {
                    shape.add("busy");
                    break;
                }
            }
            Advance::Finished { cause } => {
                shape.add(cause);
                assert!(matches!(executor.advance(&plan, &mut host), Advance::Finished { .. }));
                break;
            }
            // After a hang-up an operation that needs no caller (Originate) still comes, and a second
            // hang-up does not end it: its outcome does.
            Advance::Waiting => executor.handle_outcome(Outcome::Done),
            Advance::Returned => break,
        }
    }
    shape
}

fn simulation(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let (script, text) = script(input);
    let conf = read(text, &options());
    let (plan, _) = Plan::load(&conf, &Default::default());
    let mut scenario = Scenario::new("m", "s");
    scenario.limit = Duration::from_secs(120);
    let mut at = Duration::from_millis(300);
    for &byte in script.iter().take(30) {
        at += Duration::from_millis(u64::from(byte & 0xf0) * 20);
        let action = match Digit::new(b"0123456789*#"[usize::from(byte & 15) % 12]) {
            Some(digit) if byte & 15 != 15 => Action::Press(digit),
            _ => Action::HangUp,
        };
        scenario.events.push(Event { at, action });
    }
    scenario.sounds.insert("a".into(), Duration::from_secs(2));
    let report = scenario.run(&plan);
    for step in report.trace.iter().take(12) {
        shape.add(step.application.as_bytes());
    }
    shape.count(report.trace.len());
    shape.add((report.end == End::Finished, report.cause, report.others.len().min(3)));
    shape
}

fn plan_seeds() -> Vec<Vec<u8>> {
    let mut seeds = files("examples/wazo");
    seeds.retain(|seed| seed.contains_str("exten"));
    seeds.extend(files("dialplan/tests/data/check"));
    seeds.extend(json_field("dialplan/tests/data/parse.jsonl", "text"));
    seeds.extend(json_field("dialplan/tests/data/patterns.jsonl", "dialplan"));
    seeds.extend(json_field("dialplan/tests/data/menus.jsonl", "dialplan"));
    seeds.extend(owned(&[
        b"[t](!)\n#include a.conf\nexten => _[1-5]X./_0.,n+1(l),A(${b}\\;) ;-- c --;\n[a](t,+)\n\x1e[a]\nb=c\n#tryinclude \"*.conf\"\n",
        b"[globals]\nA=1\nB => ${A}2\n[general]\nautofallthrough=no\n[m]\ninclude => d,9:00-17:00,mon-fri,*,*\nswitch => Realtime/x@y\nignorepat => 9\nexten => s,hint,PJSIP/1\nexten => s,1,Goto(m,${EXTEN},l)\nsame => n(l),GosubIf($[${A}=1]?d,s,1(a,b):x)\n",
        b"[a](!,b,c)\nx=1\n[d](a)\ny+=2\n;-- block\n--;\n[d](+)\nz => 3\n#exec ls\n",
    ]));
    seeds
}

fn text_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for file in ["substitution", "expressions", "functions"] {
        seeds.extend(json_field(&format!("dialplan/tests/data/{file}.jsonl"), "input"));
    }
    for function in diesis_dialplan::function::all() {
        let name = function.name();
        seeds.push(format!("${{{name}({})}}", function.arguments()).into_bytes());
        seeds.push(format!("${{{name}(v,-,2)}}").into_bytes());
    }
    seeds.extend(owned(&[
        b"${v:1:2}${v:-2}${${n}}${w${n}}",
        b"${STRFTIME(1000000,UTC,%Y-%m-%d %H:%M:%S)}",
        b"$[${n} + ${LEN(${v})} > 3 & \"${v}\" =~ \"a(b*)\"]",
        b"${IF($[${n}=7]?yes:no)}${CUT(l,-,1-2)}${FILTER(0-9a-z,${v})}${REPLACE(v,b,c)}",
        b"${HASH(h,k)}${JSON_DECODE(j,a.b[0])}${BASE64_ENCODE(${v})}${MATH(7/2,f)}",
    ]));
    seeds
}

fn application_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for application in diesis_dialplan::application::all() {
        seeds.push(format!("{}({})", application.name(), application.arguments()).into_bytes());
        seeds.push(format!("{}(a,5,b,c)", application.name()).into_bytes());
    }
    for function in diesis_dialplan::function::all() {
        seeds.push(format!("Set({}(v)=x)\x1eNoOp(${{{0}(v)}})", function.name()).into_bytes());
    }
    seeds
}

fn expression_seeds() -> Vec<Vec<u8>> {
    let mut seeds = json_field("dialplan/tests/data/expressions.jsonl", "input");
    seeds.extend(owned(&[
        b"1 + 2 * 3 - 4 / 5 % 6",
        b"\"a b\" =~ \"(a|b)+[[:alpha:]]*\" : \"x\"",
        b"(1 > 2) | (3 <= 4) & !5 ? 6 :: 7",
        b"SIN(1) + POW(2,0.5) + ABS(-3) + FLOOR(1.5) + NONE(1)",
        b"\"a\" =~~ \"b\" + -1e400 % 0",
    ]));
    seeds
}

fn regular_seeds() -> Vec<Vec<u8>> {
    owned(&[
        b"(a|ab)(c|bcd)(d*)\x1eabcd",
        b"^[[:alpha:]_][^0-9]*$\x1eab_c",
        b"(a*)*b{2,5}\\.x?+\x1eaabbb.x",
        b"()|[]a-]{0,3}(\\(|\\))\x1e]-a(",
        b"((a+)+)+$\x1eaaaaaaaaaaaaaaaaaaaaaaab",
    ])
}

fn pattern_seeds() -> Vec<Vec<u8>> {
    owned(&[
        b"5551234\x1e_NXXXXXX\x1e_[2-57].\x1e_5!\x1e5551234\x1es",
        b"1-2\x1e_1-X\x1e12\x1e_1[-x]2\x1e_[a-\x1e_[]\x1e_.1",
        b"_X.\x1e_X.\x1e_x.\x1e_Z!\x1e_!\x1e_",
        b"a\x1e_[^a]\x1e_[\\]]a\x1ea/200\x1ea/_2X",
    ])
}

fn schedule_seeds() -> Vec<Vec<u8>> {
    let mut seeds = json_field("dialplan/tests/data/times.jsonl", "spec");
    seeds.extend(owned(&[
        b"9:00-17:00&20:00-2:00,mon-fri&sun,1-15&28-3,nov-feb,CET-1CEST,M3.5.0,M10.5.0/3",
        b"*,*,*,*,Europe/Paris",
        b"23:59-0:00|sun-sat|31|jan",
    ]));
    seeds
}

fn executor_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for plan in json_field("dialplan/tests/data/menus.jsonl", "dialplan") {
        seeds.push([b"\x04\x14\x06\x1e", &plan[..]].concat());
    }
    for lines in [
        &b"same => n,Read(d,a,4,,2,5)\nsame => n,GotoIf($[\"${d}\"=\"\"]?s,1:x)\nsame => n(x),Gosub(g,s,1(a,b))\n[g]\nexten => s,1,Set(LOCAL(v)=${ARG1})\nsame => n,Return(${v})\n"[..],
        b"same => n,Background(a)\nsame => n,WaitExten(2)\nexten => _X,1,Dial(PJSIP/${EXTEN},20,gF(m^s^1)U(g^a))\nexten => i,1,Goto(s,2)\nexten => t,1,Hangup(17)\nexten => h,1,NoOp()\n[g]\nexten => s,1,Return()\n",
        b"same => n,While($[${n}<5])\nsame => n,Set(n=$[${n}+1])\nsame => n,ContinueWhile()\nsame => n,EndWhile()\nsame => n,ForkCDR()\nsame => n,Macro(x,1)\nsame => n,ConfBridge(1)\nsame => n,Record(a.wav,3,10)\nsame => n,Originate(Local/1@m,exten,m,1,1)\n[macro-x]\nexten => s,1,MacroExit()\n",
        b"same => n,Set(TIMEOUT(absolute)=1)\nsame => n,Goto(1)\nexten => T,1,Playback(a&b)\nexten => e,1,NoOp()\n",
        b"same => n,ExecIf($[1]?Playback(a):NoOp())\nsame => n,Exec(Wait(1))\nsame => n,TryExec(Bad())\nsame => n,GotoIfTime(*,*,*,*?m,2,1)\nexten => 2,1,Dial(Local/s@m)\nsame => n,Log(NOTICE,x)\nsame => n,SayNumber(5)\n",
    ] {
        seeds.push([b"\x00\x14\x06\x1e[m]\nexten => s,1,Answer()\n", lines].concat());
    }
    seeds
}

const VARIABLES: &[(&str, &str)] = &[
    ("v", "abc"),
    ("n", "7"),
    ("l", "a-b-c,d-e"),
    ("w7", "x"),
    ("j", r#"{"a":{"b":[1,"x"]}}"#),
    ("x", "a,b-c:1 \"q\" $[${n}]"),
];

const CONF_TOKENS: &[&[u8]] = &[
    b"\n",
    b"[a]",
    b"[a](!)",
    b"[b](a)",
    b"[a](+)",
    b"\nexten => ",
    b"\nsame => n,",
    b"\ninclude => ",
    b"#include a.conf",
    b"#tryinclude b.conf",
    b"#include *.conf",
    b"#exec ",
    b";--",
    b"--;",
    b";",
    b"\\;",
    b" => ",
    b"=",
    b"+=",
    b",hint,",
    b"n(l)",
    b"n+1",
    b"s,1,",
    b"_X.",
    b"_[1-5]!",
    b"/_2X",
    b"NoOp(",
    b"Goto(",
    b"GotoIf(",
    b"Gosub(",
    b"Dial(",
    b"${",
    b"}",
    b"$[",
    b"]",
    b"${EXTEN:1}",
    b"\nswitch => ",
    b"\nignorepat => ",
    b"\nautohints=yes",
    b"[globals]",
    b"[general]",
    b"9:00-17:00,mon-fri,*,*",
    b"\xef\xbb\xbf",
    b"\x1e",
    b"\t",
    b"\r\n",
    b"\"",
    b"\\",
];

const TEXT_TOKENS: &[&[u8]] = &[
    b"${",
    b"}",
    b"$[",
    b"]",
    b"${v}",
    b"${n}",
    b"${l}",
    b":",
    b":-1",
    b":1:2",
    b"(",
    b")",
    b",",
    b"\\",
    b"\"",
    b"${EVAL(",
    b"${LEN(",
    b"${CUT(",
    b"${FIELDQTY(",
    b"${FILTER(",
    b"${REPLACE(",
    b"${STRREPLACE(",
    b"${IF(",
    b"${IFTIME(",
    b"${STRFTIME(",
    b"${STRPTIME(",
    b"${MATH(",
    b"${REGEX(",
    b"${PASSTHRU(",
    b"${LISTFILTER(",
    b"${SHIFT(",
    b"${POP(",
    b"${PUSH(",
    b"${UNSHIFT(",
    b"${HASH(",
    b"${HASHKEYS(",
    b"${ARRAY(",
    b"${SORT(",
    b"${TOLOWER(",
    b"${QUOTE(",
    b"${CSV_QUOTE(",
    b"${URIENCODE(",
    b"${URIDECODE(",
    b"${BASE64_DECODE(",
    b"${JSON_DECODE(",
    b"${SPRINTF(",
    b"${DB(",
    b"${DB_KEYS(",
    b"${GROUP(",
    b"${CHANNEL(",
    b"${CALLERID(",
    b"${GLOBAL(",
    b"${SHARED(",
    b"${DIALPLAN_EXISTS(",
    b"${VALID_EXTEN(",
    b"${TIMEOUT(",
    b"${INC(",
    b"${DEC(",
    b"${SUBSTR(",
    b"${TRIM(",
    b"${STRBETWEEN(",
    b"${MD5(",
    b"${RAND(",
    b"${HANGUPCAUSE(",
    b"${TABLE(",
    b"Set(",
    b"MSet(",
    b")=",
    b"%s",
    b"%d",
    b"%-99999999d",
    b"%.99f",
    b"%Y",
    b"\\x41",
    b"0-9a-z",
    b"\x1e",
    b" + ",
    b" =~ ",
    b"=",
    b"&",
    b"|",
    b"?",
    b"@",
    b"^",
    b"~~",
];

const EXPRESSION_TOKENS: &[&[u8]] = &[
    b" + ",
    b" - ",
    b" * ",
    b" / ",
    b" % ",
    b" = ",
    b" == ",
    b" != ",
    b" < ",
    b" > ",
    b" <= ",
    b" >= ",
    b" & ",
    b" && ",
    b" | ",
    b" || ",
    b" : ",
    b" =~ ",
    b" ~~ ",
    b" ? ",
    b" :: ",
    b"!",
    b"(",
    b")",
    b"\"",
    b"\\\"",
    b",",
    b"SIN(",
    b"POW(",
    b"ROUND(",
    b"EXP(",
    b"EXP10(",
    b"LOG10(",
    b"REMAINDER(",
    b"NONE(",
    b"1e400",
    b"-0",
    b"0.1",
    b"9223372036854775807",
    b"(a|b)*",
    b"[[:digit:]]",
    b"{1,255}",
    b"\\(",
    b"\\)",
];

const REGULAR_TOKENS: &[&[u8]] = &[
    b"(",
    b")",
    b"|",
    b"*",
    b"+",
    b"?",
    b"{",
    b"}",
    b"{0,3}",
    b"{2}",
    b"{1,255}",
    b"{,5}",
    b"[",
    b"]",
    b"[^",
    b"[[:alpha:]]",
    b"[[.a.]]",
    b"[[=a=]]",
    b"[a-z]",
    b"^",
    b"$",
    b".",
    b"\\",
    b"\\.",
    b"\\<",
    b"\\b",
    b"\\1",
    b"\\w",
    b"()",
    b"(a*)*",
    b"(a|a)*",
    b"\x1e",
    b"aaaa",
    b"\xc3\xa9",
];

const PATTERN_TOKENS: &[&[u8]] = &[
    b"_", b"X", b"Z", b"N", b".", b"!", b"[", b"]", b"[1-9]", b"[^0-9]", b"[a-c]", b"[]]", b"[-]",
    b"-", b"/", b"/_2X", b"\\", b"\x1e", b"\x1e_", b"\x1e_X.", b"\x1e_!", b"s", b"n", b"x", b"z",
    b"+1", b"*", b"#", b"\\[",
];

const SCHEDULE_TOKENS: &[&[u8]] = &[
    b"9:00",
    b"-",
    b"&",
    b",",
    b"|",
    b"*",
    b"mon",
    b"sun",
    b"mon-fri",
    b"31",
    b"jan",
    b"dec",
    b"Europe/Paris",
    b"UTC",
    b"America/New_York",
    b":",
    b"24:00",
    b"23:59",
    b"0:00",
    b"CET-1CEST",
    b",M3.5.0",
    b"/3",
    b" ",
];

const CALL_TOKENS: &[&[u8]] = &[
    b"\nsame => n,",
    b"\nsame => n(l),",
    b"\nexten => ",
    b"exten => _X,1,",
    b"exten => h,1,",
    b"exten => i,1,",
    b"exten => t,1,",
    b"exten => T,1,",
    b"[m]",
    b"[g]",
    b"Answer()",
    b"Background(a)",
    b"WaitExten(1)",
    b"Read(d,a,3)",
    b"Goto(s,1)",
    b"Goto(l)",
    b"GotoIf(1?l:s,1)",
    b"Gosub(g,s,1(a))",
    b"Return(x)",
    b"StackPop()",
    b"While(1)",
    b"EndWhile()",
    b"ExitWhile()",
    b"Macro(x)",
    b"Dial(Local/s@m)",
    b"Dial(PJSIP/1,5,g)",
    b"Set(n=$[${n}+1])",
    b"Set(TIMEOUT(digit)=1)",
    b"Set(TIMEOUT(absolute)=2)",
    b"Playback(a)",
    b"Hangup(17)",
    b"ExecIf(",
    b"Exec(",
    b"Wait(1)",
    b"ConfBridge(1)",
    b"Set(CHANNEL(hangup_handler_push)=g,s,1)",
    b"Originate(Local/s@m,exten,m,s,1)",
    b"Record(a.wav)",
    b"SayDigits(1)",
    b"${EXTEN}",
    b"${n}",
    b"Busy()",
    b"KeepAlive()",
    b"Set(LOCAL(n)=1)",
    b"GosubIf(1?g,s,1)",
    b"Set(GLOBAL(n)=1)",
    b"ResetCDR()",
    b"\x1e",
];
