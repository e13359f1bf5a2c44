//! The family `parse`: what comes of a configuration.

use serde_json::{Map, Value, json};

use super::{Answer, VectorError, load, text, texts};
use crate::ast::SwitchKind;
use crate::plan::{Context, Extension, Priority, Switch};

pub(super) fn answer(vector: &Value) -> Result<Answer, VectorError> {
    let loaded = load(text(vector, "text")?, texts(vector, "files")?);
    let plan = &loaded.plan;
    let globals: Map<String, Value> = plan
        .globals()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string().into()))
        .collect();
    let output = json!({
        "loaded": !loaded.is_refused,
        "contexts": plan.contexts().map(|context| read_context(&context)).collect::<Vec<_>>(),
        "globals": globals,
    });
    Ok(Answer { output, warned: loaded.warned })
}

fn read_context(context: &Context<'_>) -> Value {
    let extensions = context.extensions().map(|extension| read_extension(&extension));
    let includes = context.includes().map(|include| include.text().to_string());
    let ignore_patterns = context.ignore_patterns().map(ToString::to_string);
    json!({
        "name": context.name().to_string(),
        "extens": extensions.collect::<Vec<_>>(),
        "includes": includes.collect::<Vec<_>>(),
        "ignorepats": ignore_patterns.collect::<Vec<_>>(),
        "switches": context.switches().iter().map(read_switch).collect::<Vec<_>>(),
    })
}

fn read_switch(switch: &Switch) -> Value {
    let eval = switch.evaluation == SwitchKind::AtLookup;
    json!({"type": switch.kind.to_string(), "data": switch.data.to_string(), "eval": eval})
}

fn read_extension(extension: &Extension<'_>) -> Value {
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
