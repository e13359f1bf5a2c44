//! Answers test vectors: one JSON object of inputs in, one of outputs out.
//!
//! A vector is a question that a reference PBX was asked too: evaluate a text, look a number up, run
//! a call. The seven families and their fields are told in `docs/reference/vectors.md`. Vectors are
//! independent of each other, and times in them are virtual. Feature `vectors`.

mod compare;
mod evaluation;
mod flow;
mod lookup;
mod parse;

use serde_json::{Value, json};

use crate::codes;
use crate::conf::{self, MemoryFiles, Options};
use crate::diagnostic::Diagnostic;
use crate::host::Level;
use crate::plan::Plan;

pub use compare::same;

/// What a vector's question was answered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The outputs of the vector's family.
    pub output: Value,
    /// Whether the reference would log a warning or an error.
    pub warned: bool,
}

/// Why a vector can not be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// The family is none of the seven.
    #[error("there is no family `{0}`")]
    Family(String),
    /// A field that the family needs is absent, or not of its kind.
    #[error("`{field}` has to be {kind}")]
    Field {
        /// Its name.
        field: String,
        /// What it should be.
        kind: &'static str,
    },
}

/// Answers one vector. What the vector itself says about outputs is not looked at.
///
/// # Errors
/// When the family is unknown, or a field is missing or of another kind.
pub fn answer(vector: &Value) -> Result<Answer, VectorError> {
    match text(vector, "family")? {
        "expressions" | "substitution" | "functions" => evaluation::answer(vector),
        "patterns" => lookup::answer_pattern(vector),
        "times" => lookup::answer_time(vector),
        "flows" => flow::answer(vector),
        "parse" => parse::answer(vector),
        family => Err(VectorError::Family(family.to_owned())),
    }
}

/// Answers one line of vectors with one line of results, without its line end.
#[must_use]
pub fn answer_line(line: &str) -> String {
    let vector: Value = match serde_json::from_str(line) {
        Ok(vector) => vector,
        Err(error) => {
            let message = format!("the line is not JSON: {error}");
            return json!({"id": null, "error": message}).to_string();
        }
    };
    let id = &vector["id"];
    let result = match answer(&vector) {
        Ok(Answer { output, warned }) => json!({"id": id, "output": output, "warned": warned}),
        Err(error) => json!({"id": id, "error": error.to_string()}),
    };
    result.to_string()
}

/// A plan made of a text, and whether the reference would have logged something about it.
struct Loaded {
    plan: Plan,
    is_refused: bool,
    warned: bool,
}

fn load<'a>(text: &str, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Loaded {
    let mut source = MemoryFiles::new().with(EXTENSIONS, text);
    for (name, text) in files {
        source = source.with(name, text);
    }
    let conf = conf::load(EXTENSIONS, &source, &Options::default());
    let (plan, diagnostics) = Plan::load(&conf, &Default::default());
    let is_logged = |diagnostic: &Diagnostic| codes::is_logged(diagnostic.code);
    let warned = conf.diagnostics().iter().chain(&diagnostics).any(is_logged);
    Loaded { plan, is_refused: conf.is_refused(), warned }
}

fn has_warned(log: &[(Level, String)]) -> bool {
    log.iter().any(|(level, _)| *level >= Level::Warning)
}

fn wrong(field: &str, kind: &'static str) -> VectorError {
    VectorError::Field { field: field.to_owned(), kind }
}

/// A field that has to be there.
fn text<'a>(vector: &'a Value, field: &str) -> Result<&'a str, VectorError> {
    vector[field].as_str().ok_or_else(|| wrong(field, "a text"))
}

/// A field that may be absent.
fn text_or_none<'a>(vector: &'a Value, field: &str) -> Result<Option<&'a str>, VectorError> {
    match &vector[field] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(wrong(field, "a text")),
    }
}

/// A list that may be absent.
fn list<'a>(vector: &'a Value, field: &str) -> Result<&'a [Value], VectorError> {
    match &vector[field] {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        _ => Err(wrong(field, "a list")),
    }
}

/// An object of texts that may be absent.
fn texts<'a>(vector: &'a Value, field: &str) -> Result<Vec<(&'a str, &'a str)>, VectorError> {
    let members = match &vector[field] {
        Value::Null => return Ok(vec![]),
        Value::Object(members) => members,
        _ => return Err(wrong(field, "an object")),
    };
    let pairs = members.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    pairs.collect::<Option<_>>().ok_or_else(|| wrong(field, "an object of texts"))
}

const EXTENSIONS: &str = "extensions.conf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_answered_is_said_with_the_vectors_name() {
        for (line, error) in [
            ("{", "the line is not JSON: EOF while parsing an object at line 1 column 1"),
            (r#"{"id":"a"}"#, "`family` has to be a text"),
            (r#"{"id":"a","family":"poems"}"#, "there is no family `poems`"),
            (r#"{"id":"a","family":"times"}"#, "`spec` has to be a text"),
            (r#"{"id":"a","family":"flows","context":"a"}"#, "`dialplan` has to be a text"),
            (
                r#"{"id":"a","family":"functions","input":"","vars":{"a":1}}"#,
                "`vars` has to be an object of texts",
            ),
        ] {
            let got: Value = serde_json::from_str(&answer_line(line)).expect("JSON");
            assert_eq!(got["error"], error, "{line}");
            assert!(got.get("output").is_none());
        }
    }

    #[test]
    fn vectors_know_nothing_of_each_other() {
        let set = r#"{"id":1,"family":"functions","input":"x","before":["Set(GLOBAL(a)=1)","Set(DB(a/b)=1)"]}"#;
        let read = r#"{"id":2,"family":"functions","input":"<${a}${DB(a/b)}>"}"#;
        let _ = answer_line(set);
        assert_eq!(answer_line(read), r#"{"id":2,"output":{"value":"<>"},"warned":false}"#);
    }
}
