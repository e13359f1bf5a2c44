//! The families `expressions`, `substitution` and `functions`: the value of one text.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, VectorError, list, load, text, text_or_none, texts, wrong};
use crate::channel::{Channel, Party};
use crate::executor::{Executor, Legacy};
use crate::host::MemoryHost;
use crate::simulation::Scenario;

/// Evaluates on the channel that the reference was asked on.
pub(super) fn answer(vector: &Value) -> Result<Answer, VectorError> {
    let dialplan = text_or_none(vector, "dialplan")?;
    let loaded = load(dialplan.unwrap_or("[default]\nexten => s,1,NoOp()\n"), []);
    let mut channel = Channel::new("Test/1");
    channel.caller = Party::new("Alice Example", "5551000");
    channel.account_code = "acct7".into();
    let extension = text_or_none(vector, "exten")?.unwrap_or("2125551234");
    let mut executor =
        Executor::idle(channel, "default", extension, 1).with_legacy(Legacy::Unknown);
    let mut host = MemoryHost::new(Scenario::new("default", "s").start);
    // The reference was asked without any sounds installed.
    host.sounds = Some(BTreeMap::new());
    for (name, value) in loaded.plan.globals() {
        host.world.globals.set(name, value);
    }
    for (name, value) in texts(vector, "vars")? {
        executor.variables_mut().set(name.as_bytes(), value.as_bytes());
    }
    for step in list(vector, "before")? {
        let step = step.as_str().ok_or_else(|| wrong("before", "a list of texts"))?;
        executor.run_application(&loaded.plan, &mut host, step.as_bytes());
    }
    let value = executor.evaluate(&loaded.plan, &mut host, text(vector, "input")?.as_bytes());
    Ok(Answer { output: json!({ "value": value.to_string() }), warned: host.has_warned() })
}
