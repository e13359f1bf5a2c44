//! Whether two outputs mean the same.

use serde_json::Value;

/// Whether an output is the one that a vector wants. What is empty may be absent; contexts, extensions
/// and other channels are in any order; what the vector leaves open is not compared.
#[must_use]
pub fn same(wanted: &Value, got: &Value) -> bool {
    let (wanted, mut got) = (normal(wanted), normal(got));
    if let (Some(got), Some(wanted)) = (got.as_object_mut(), wanted.as_object())
        && wanted.contains_key("trace")
    {
        got.retain(|name, _| wanted.contains_key(name) || name == "others");
    }
    wanted == got
}

fn normal(output: &Value) -> Value {
    let mut output = output.clone();
    let Some(members) = output.as_object_mut() else { return output };
    members.retain(|name, value| {
        let may_be_absent = match value {
            Value::Array(list) => {
                list.is_empty()
                    && ["includes", "ignorepats", "switches", "others"].contains(&name.as_str())
            }
            Value::Object(members) => members.is_empty() && name == "globals",
            Value::Null => name == "label",
            _ => false,
        };
        !may_be_absent
    });
    for list in ["contexts", "extens", "steps"] {
        if let Some(items) = members.get_mut(list).and_then(Value::as_array_mut) {
            *items = items.iter().map(normal).collect();
        }
    }
    for (list, keys) in [("contexts", &["name"][..]), ("extens", &["exten", "callerid"])] {
        if let Some(items) = members.get_mut(list).and_then(Value::as_array_mut) {
            let key = |item: &Value| -> Vec<String> {
                keys.iter().map(|key| item[key].as_str().unwrap_or_default().to_owned()).collect()
            };
            items.sort_by_key(key);
        }
    }
    if let Some(others) = members.get_mut("others").and_then(Value::as_array_mut) {
        others.sort_by_key(Value::to_string);
    }
    output
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_of_extensions_and_empty_lists_do_not_count() {
        let wanted = json!({"loaded": true, "contexts": [{"name": "a", "extens": [
            {"exten": "1", "steps": [{"priority": 1, "label": null, "app": "A", "args": ""}]},
            {"exten": "2", "callerid": "", "steps": []}, {"exten": "2", "callerid": "5", "steps": []}]}]});
        let got = json!({"loaded": true, "globals": {}, "contexts": [{"name": "a", "includes": [], "extens": [
            {"exten": "2", "callerid": "5", "steps": []}, {"exten": "2", "callerid": "", "steps": []},
            {"exten": "1", "steps": [{"priority": 1, "app": "A", "args": ""}]}]}]});
        assert!(same(&wanted, &got));
        assert!(!same(&wanted, &json!({"loaded": true, "contexts": []})));
    }

    #[test]
    fn a_call_is_compared_by_what_was_recorded_of_it() {
        let wanted = json!({"trace": [], "others": [[1], [2]]});
        assert!(same(&wanted, &json!({"trace": [], "others": [[2], [1]], "cause": 16})));
        assert!(!same(&json!({"trace": []}), &json!({"trace": [], "others": [[1]]})));
        assert!(!same(&json!({"trace": [], "cause": 17}), &json!({"trace": []})));
    }
}
