//! The families `patterns` and `times`: what a dialled text leads to, and when a condition holds.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Answer, VectorError, load, text, text_or_none, wrong};
use crate::plan::{Circumstances, ContextId, Found, NotFound, Plan, Priority, Target};
use crate::schedule::Schedule;

pub(super) fn answer_time(vector: &Value) -> Result<Answer, VectorError> {
    let spec = text(vector, "spec")?;
    let seconds = vector["timestamp"].as_i64();
    let now = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let now = now.ok_or_else(|| wrong("timestamp", "a time in seconds"))?;
    let mut flaws = vec![];
    let schedule = Schedule::parse_with_flaws(spec.into(), &mut flaws);
    let holds = schedule.as_ref().is_some_and(|schedule| schedule.holds(now, &TimeZone::UTC));
    Ok(Answer {
        output: json!({ "match": holds, "valid": schedule.is_some() }),
        warned: flaws.iter().any(|flaw| flaw.is_logged()),
    })
}

pub(super) fn answer_pattern(vector: &Value) -> Result<Answer, VectorError> {
    let loaded = load(text(vector, "dialplan")?, []);
    let plan = &loaded.plan;
    let caller = text_or_none(vector, "callerid")?.map(Into::into);
    let circumstances = Circumstances { caller, ..Circumstances::default() };
    let by_number = match &vector["priority"] {
        Value::Null => Target::Priority(1),
        number => match number.as_i64() {
            Some(-1) => Target::Hint,
            // Other negative numbers and zero are of no step.
            Some(number) => Target::Priority(u32::try_from(number).unwrap_or(0)),
            None => return Err(wrong("priority", "a number")),
        },
    };
    let label = text_or_none(vector, "label")?;
    let target = label.map_or(by_number, |label| Target::Label(label.into()));
    let dialled = text(vector, "dial")?.into();
    let name = text(vector, "context")?;
    let context = plan.context(name);
    let found = plan.find_in(name.into(), dialled, target, &circumstances);
    let ask = |question: &dyn Fn(ContextId) -> bool| context.is_some_and(question);
    let output = json!({
        "match": found.ok().map(|found| step(plan, found)),
        "status": status(found),
        "can_match": ask(&|context| plan.can_match(context, dialled, target, &circumstances)),
        "match_more": ask(&|context| plan.match_more(context, dialled, target, &circumstances)),
        "ignorepat": ask(&|context| plan.is_ignored(context, dialled)),
    });
    Ok(Answer { output, warned: loaded.warned })
}

fn status(found: Result<Found, NotFound>) -> &'static str {
    match found {
        Ok(_) => "ok",
        Err(NotFound::NoContext) => "no-context",
        Err(NotFound::NoExtension) => "no-extension",
        Err(NotFound::NoPriority) => "no-priority",
        Err(NotFound::NoLabel) => "no-label",
    }
}

fn step(plan: &Plan, found: Found) -> Value {
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
