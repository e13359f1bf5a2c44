//! The family `flows`: whole calls in virtual time.

use std::time::Duration;

use bstr::BString;
use serde_json::{Value, json};

use super::{Answer, VectorError, has_warned, list, load, text, text_or_none, wrong};
use crate::channel::Party;
use crate::executor::Legacy;
use crate::host::TracedStep;
use crate::operation::Digit;
use crate::simulation::{Action, Event, Scenario};

pub(super) fn answer(vector: &Value) -> Result<Answer, VectorError> {
    let loaded = load(text(vector, "dialplan")?, []);
    let mut scenario = Scenario::new(text(vector, "context")?, text(vector, "exten")?);
    scenario.legacy = Legacy::Unknown;
    let caller = &vector["callerid"];
    if !caller.is_null() {
        let part = |name| Ok(text_or_none(caller, name)?.map(BString::from));
        scenario.caller = Party { name: part("name")?, number: part("num")?, ..Party::default() };
    }
    for event in list(vector, "events")? {
        scenario.events.push(read_event(event)?);
    }
    scenario.events.sort_by_key(|event| event.at);
    if let Some(sounds) = vector["sounds_ms"].as_object() {
        for (name, length) in sounds {
            let length = length.as_u64().ok_or_else(|| wrong("sounds_ms", "lengths by name"))?;
            scenario.sounds.insert(name.as_str().into(), Duration::from_millis(length));
        }
    }
    let report = scenario.run(&loaded.plan);
    let mut output = json!({ "trace": steps(&report.trace) });
    if !report.others.is_empty() {
        output["others"] = report.others.iter().map(|other| steps(other)).collect();
    }
    if let Some(cause) = report.cause {
        output["cause"] = cause.into();
    }
    Ok(Answer { output, warned: has_warned(&report.log) })
}

fn read_event(event: &Value) -> Result<Event, VectorError> {
    let at = event["at_ms"].as_u64().ok_or_else(|| wrong("at_ms", "a time in milliseconds"))?;
    let action = match text_or_none(event, "dtmf")? {
        Some(key) => match key.as_bytes() {
            [key] => Action::Press(Digit::new(*key).ok_or_else(|| wrong("dtmf", "a key"))?),
            _ => return Err(wrong("dtmf", "a key")),
        },
        None if event["hangup"] == true => Action::HangUp,
        None => return Err(wrong("events", "a list of keys and hangups")),
    };
    Ok(Event { at: Duration::from_millis(at), action })
}

fn steps(steps: &[TracedStep]) -> Value {
    let row = |step: &TracedStep| {
        json!([
            step.context.to_string(),
            step.extension.to_string(),
            step.priority,
            step.application.to_string(),
            step.arguments.to_string()
        ])
    };
    steps.iter().map(row).collect()
}
