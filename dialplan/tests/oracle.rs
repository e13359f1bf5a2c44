//! Recorded answers of the reference, evaluated here.
//!
//! Our own vectors are in `data/`; a larger recorded set is read from the folder that the environment
//! variable `DIESIS_ORACLE` names, and reported family by family.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bstr::BString;
use diesis_dialplan::channel::{Channel, Party};
use diesis_dialplan::conf::{self, MemoryFiles};
use diesis_dialplan::executor::{Executor, Macros};
use diesis_dialplan::host::MemoryHost;
use diesis_dialplan::operation::Digit;
use diesis_dialplan::plan::Plan;
use diesis_dialplan::simulation::{Action, Event, Scenario};
use serde_json::{Value, json};

#[test]
fn own_vectors_pass() {
    let failures = run_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"), 20);
    assert_eq!(failures, BTreeMap::new(), "failures by family");
}

#[test]
fn recorded_vectors_are_reported() {
    let Some(folder) = std::env::var_os("DIESIS_ORACLE") else { return };
    let failures = run_folder(Path::new(&folder), 400);
    for (family, ids) in failures {
        println!("{family}: {} failed: {}", ids.len(), ids.join(" "));
    }
}

/// Runs every vector of our four families; failures by family.
fn run_folder(folder: &Path, shown: usize) -> BTreeMap<String, Vec<String>> {
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder can be read").flatten().collect();
    files.sort_by_key(std::fs::DirEntry::path);
    for file in files {
        let path = file.path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("vectors are UTF-8");
        let (mut all, mut passed) = (0, 0);
        let mut family = String::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let vector: Value = serde_json::from_str(line).expect("one vector a line");
            family = text_of(&vector["family"]);
            let got = match family.as_str() {
                "flows" => flow(&vector),
                "expressions" | "substitution" | "functions" => evaluation(&vector),
                _ => continue,
            };
            all += 1;
            let wanted = normal(&vector["output"]);
            let got = normal(&got);
            if wanted == got {
                passed += 1;
                continue;
            }
            let failed = failures.entry(family.clone()).or_default();
            failed.push(text_of(&vector["id"]));
            if failed.len() <= shown {
                let mut input = vector.clone();
                for key in ["id", "family", "output", "warned", "title"] {
                    input.as_object_mut().map(|input| input.remove(key));
                }
                println!(
                    "{} {}\n  input {input}\n  want  {wanted}\n  got   {got}",
                    vector["id"], vector["title"]
                );
            }
        }
        if all > 0 {
            println!("{family}: {passed} of {all}");
        }
    }
    failures
}

/// Other channels in any order.
fn normal(output: &Value) -> Value {
    let mut output = output.clone();
    if let Some(others) = output.get_mut("others").and_then(Value::as_array_mut) {
        others.sort_by_key(Value::to_string);
    }
    output
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn plan_of(text: &str) -> Plan {
    let files = MemoryFiles::new().with("extensions.conf", text);
    let conf = conf::load("extensions.conf", &files, &conf::Options::default());
    Plan::load(&conf, &Default::default()).0
}

/// One text on the recorded channel.
fn evaluation(vector: &Value) -> Value {
    let plan = plan_of(vector["dialplan"].as_str().unwrap_or("[default]\nexten => s,1,NoOp()\n"));
    let mut channel = Channel::new("Test/1");
    channel.caller = Party::new("Alice Example", "5551000");
    channel.account_code = "acct7".into();
    let extension = vector["exten"].as_str().unwrap_or("2125551234");
    let mut executor =
        Executor::idle(channel, "default", extension, 1).with_macros(Macros::Unknown);
    let mut host = MemoryHost::new(Scenario::new("default", "s").start);
    for (name, value) in plan.globals() {
        host.world.globals.set(name, value);
    }
    for (name, value) in vector["vars"].as_object().into_iter().flatten() {
        executor.variables_mut().set(name.as_bytes(), text_of(value).as_bytes());
    }
    for step in vector["before"].as_array().into_iter().flatten() {
        executor.run_application(&plan, &mut host, text_of(step).as_bytes());
    }
    let value = executor.evaluate(&plan, &mut host, text_of(&vector["input"]).as_bytes());
    json!({ "value": value.to_string() })
}

/// A whole call.
fn flow(vector: &Value) -> Value {
    let plan = plan_of(&text_of(&vector["dialplan"]));
    let mut scenario = Scenario::new(text_of(&vector["context"]), text_of(&vector["exten"]));
    scenario.macros = Macros::Unknown;
    scenario.caller =
        Party::new(text_of(&vector["callerid"]["name"]), text_of(&vector["callerid"]["num"]));
    for event in vector["events"].as_array().into_iter().flatten() {
        let at = Duration::from_millis(event["at_ms"].as_u64().expect("a time"));
        let action = match event["dtmf"].as_str() {
            Some(key) => Action::Press(Digit::new(key.as_bytes()[0]).expect("a key")),
            None => Action::HangUp,
        };
        scenario.events.push(Event { at, action });
    }
    for (name, length) in vector["sounds_ms"].as_object().into_iter().flatten() {
        let length = Duration::from_millis(length.as_u64().expect("a length"));
        scenario.sounds.insert(BString::from(name.as_str()), length);
    }
    let report = scenario.run(&plan);
    let steps = |steps: &[diesis_dialplan::host::TracedStep]| -> Value {
        steps
            .iter()
            .map(|step| {
                json!([
                    step.context.to_string(),
                    step.extension.to_string(),
                    step.priority,
                    step.application.to_string(),
                    step.arguments.to_string()
                ])
            })
            .collect()
    };
    let mut output = json!({ "trace": steps(&report.trace) });
    if !report.others.is_empty() {
        output["others"] = report.others.iter().map(|other| steps(other)).collect();
    }
    // The recording names a cause only where Hangup gave it.
    if let Some(cause) = report.cause.filter(|_| vector["output"].get("cause").is_some()) {
        output["cause"] = json!(cause);
    }
    output
}
