//! Runs test vectors, one JSON object a line: the families `parse`, `patterns` and `times`.
//!
//! Our own are in `tests/data/*.jsonl`. More, recorded from a reference PBX, are run if
//! `DIESIS_VECTORS` names the directory that holds them as `parse.jsonl` and so on.

use std::{collections::BTreeMap, env, fs, path::Path};

use diesis_dialplan::{
    codes,
    conf::{self, MemoryFiles, Options},
    plan::{Circumstances, Context, Extension, Found, NotFound, Plan, Priority, Target},
    schedule::Schedule,
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

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

/// Runs all vectors of a directory and prints what differs.
fn run(directory: &Path) {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut warnings: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for family in ["parse", "patterns", "times"] {
        let Ok(text) = fs::read_to_string(directory.join(family).with_extension("jsonl")) else {
            continue;
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            let vector: Value = serde_json::from_str(line).expect("a vector is JSON");
            let got = match family {
                "parse" => parse(&vector),
                "patterns" => pattern(&vector),
                _ => time(&vector),
            };
            if let (Some(want), Some(got)) = (vector["warned"].as_bool(), got["warned"].as_bool()) {
                let count = warnings.entry(family).or_default();
                count.1 += 1;
                count.0 += usize::from(want == got);
                if want != got && env::var_os("DIESIS_WARNINGS").is_some() {
                    println!("{} {}: warned {want}", vector["id"], vector["title"]);
                }
            }
            let (want, got) = (normal(&vector["output"]), normal(&got));
            let count = counts.entry(family).or_default();
            count.1 += 1;
            if want == got {
                count.0 += 1;
            } else {
                println!("{} {}\n  want {want}\n  got  {got}", vector["id"], vector["title"]);
            }
        }
    }
    println!("passed, of: {counts:?}; warnings agree: {warnings:?}");
    assert!(counts.values().all(|(passed, all)| passed == all));
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn time(vector: &Value) -> Value {
    let now = Timestamp::from_second(vector["timestamp"].as_i64().expect("seconds"));
    let mut flaws = vec![];
    let schedule = Schedule::parse_with_flaws(text(vector, "spec").into(), &mut flaws);
    let holds = |schedule: &Schedule| schedule.holds(now.expect("in range"), &TimeZone::UTC);
    json!({
        "match": schedule.as_ref().is_some_and(holds),
        "valid": schedule.is_some(),
        "warned": flaws.iter().any(|flaw| flaw.is_logged()),
    })
}

/// Whether it loads, the plan, and whether the reference would log a warning.
fn load(text: &str, files: &Value) -> (bool, Plan, bool) {
    let mut source = MemoryFiles::new().with("extensions.conf", text);
    for (name, text) in files.as_object().into_iter().flatten() {
        source = source.with(name, text.as_str().expect("a file is text"));
    }
    let conf = conf::load("extensions.conf", &source, &Options::default());
    let (plan, diagnostics) = Plan::load(&conf, &Default::default());
    let mut all = conf.diagnostics().iter().chain(&diagnostics);
    let warned = all.any(|diagnostic| codes::is_logged(diagnostic.code));
    (!conf.is_refused(), plan, warned)
}

fn pattern(vector: &Value) -> Value {
    let (_, plan, _) = load(text(vector, "dialplan"), &Value::Null);
    let caller = vector["callerid"].as_str().map(Into::into);
    let circumstances = Circumstances { caller, ..Circumstances::default() };
    let number = vector["priority"].as_i64().unwrap_or(1);
    let by_number = match number {
        -1 => Target::Hint,
        number => Target::Priority(number as u32),
    };
    let target = vector["label"].as_str().map_or(by_number, |label| Target::Label(label.into()));
    let dialled = text(vector, "dial").into();
    let context = plan.context(text(vector, "context"));
    let found = plan.find_in(text(vector, "context").into(), dialled, target, &circumstances);
    let ask = |question: &dyn Fn(_) -> bool| context.is_some_and(question);
    json!({
        "match": found.ok().map(|found| found_step(&plan, found)),
        "status": match found {
            Ok(_) => "ok",
            Err(NotFound::NoContext) => "no-context",
            Err(NotFound::NoExtension) => "no-extension",
            Err(NotFound::NoPriority) => "no-priority",
            Err(NotFound::NoLabel) => "no-label",
        },
        "can_match": ask(&|context| plan.can_match(context, dialled, target, &circumstances)),
        "match_more": ask(&|context| plan.match_more(context, dialled, target, &circumstances)),
        "ignorepat": ask(&|context| plan.is_ignored(context, dialled)),
    })
}

fn found_step(plan: &Plan, found: Found) -> Value {
    let step = plan.step(found.step);
    let mut value = json!({
        "context": plan.view(found.context).name().to_string(),
        "exten": step.extension().name().to_string(),
        "priority": match step.priority() {
            Priority::Hint => -1,
            Priority::Number(number) => i64::from(number),
        },
        "args": step.arguments().to_string(),
    });
    if let Some(caller) = step.extension().caller() {
        value["callerid"] = caller.to_string().into();
    }
    value
}

fn parse(vector: &Value) -> Value {
    let (loaded, plan, warned) = load(text(vector, "text"), &vector["files"]);
    let globals: serde_json::Map<String, Value> = plan
        .globals()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string().into()))
        .collect();
    json!({
        "loaded": loaded,
        "warned": warned,
        "contexts": plan.contexts().map(|context| parsed_context(&context)).collect::<Vec<_>>(),
        "globals": globals,
    })
}

fn parsed_context(context: &Context<'_>) -> Value {
    let switches = context.switches().iter().map(|switch| {
        let eval = switch.evaluation == diesis_dialplan::ast::SwitchKind::AtLookup;
        json!({"type": switch.kind.to_string(), "data": switch.data.to_string(), "eval": eval})
    });
    let extensions = context.extensions().map(|extension| parsed_extension(&extension));
    json!({
        "name": context.name().to_string(),
        "extens": extensions.collect::<Vec<_>>(),
        "includes": context.includes().map(|include| include.text().to_string()).collect::<Vec<_>>(),
        "ignorepats": context.ignore_patterns().map(|text| text.to_string()).collect::<Vec<_>>(),
        "switches": switches.collect::<Vec<_>>(),
    })
}

fn parsed_extension(extension: &Extension<'_>) -> Value {
    let steps = extension.steps().map(|step| {
        json!({
            "priority": match step.priority() {
                Priority::Hint => json!("hint"),
                Priority::Number(number) => json!(number),
            },
            "label": step.label().map(ToString::to_string),
            "app": step.application().to_string(),
            "args": step.arguments().to_string(),
        })
    });
    let mut value = json!({
        "exten": extension.name().to_string(),
        "steps": steps.collect::<Vec<_>>(),
    });
    if let Some(caller) = extension.caller() {
        value["callerid"] = caller.to_string().into();
    }
    value
}

/// The same form for outputs that mean the same: what is empty may be absent, and neither contexts
/// nor extensions are in any order.
fn normal(output: &Value) -> Value {
    let mut output = output.clone();
    let Some(members) = output.as_object_mut() else { return output };
    members.retain(|name, value| {
        let is_empty = match value {
            Value::Array(list) => list.is_empty() && name != "contexts",
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        (!is_empty || name == "extens") && name != "warned"
    });
    for list in ["contexts", "extens"] {
        if let Some(items) = members.get_mut(list).and_then(Value::as_array_mut) {
            *items = items.iter().map(normal).collect();
            items.sort_by_key(|item| {
                (
                    text(item, "name").to_owned(),
                    text(item, "exten").to_owned(),
                    text(item, "callerid").to_owned(),
                )
            });
        }
    }
    output
}
