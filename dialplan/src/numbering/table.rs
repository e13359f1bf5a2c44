//! Tables of rules as text: comma-separated values, and the default rules.

use super::{Direction, RuleText};
use crate::csv;

/// The rules for numbers that are to be dialled which a plan has when it names none.
#[must_use]
pub fn default_rules() -> Vec<RuleText> {
    let rule = |priority, name: &str, model: &str, value: &str| RuleText {
        priority,
        name: name.to_owned(),
        model: model.to_owned(),
        value: value.to_owned(),
    };
    let inland = "[-ExternalPrefix-]0";
    vec![
        rule(5, "own country, national zero", "+[-CountryPrefix-]0", inland),
        rule(
            10,
            "own country, twice international",
            r"[^\+[-InternationalPrefix-][-CountryPrefix-](\(0\)|0)?]",
            inland,
        ),
        rule(15, "own country", "+[-CountryPrefix-]", inland),
        rule(20, "own country, zero in parentheses", r"[^[-CountryPrefix-]\(0\)]", inland),
        rule(25, "own country without +", "[-CountryPrefix-]", inland),
        rule(
            30,
            "abroad, zero in parentheses",
            r"[(\+|[-InternationalPrefix-])?([^\(]+)\([^\)]+\)]",
            "[-ExternalPrefix-][-InternationalPrefix-]$2",
        ),
        rule(40, "abroad", "+", "[-ExternalPrefix-][-InternationalPrefix-]"),
        rule(50, "service by hash", "#", "#"),
        rule(60, "service by star", "*", "*"),
    ]
}

/// The first line of an export.
pub const HEADER: &str = "direction,priority,name,model,value";

/// The rules as comma-separated values (RFC 4180), a line each, with [`HEADER`].
#[must_use]
pub fn export<'a>(rules: impl IntoIterator<Item = (Direction, &'a RuleText)>) -> String {
    let mut out = format!("{HEADER}\n");
    for (direction, RuleText { priority, name, model, value }) in rules {
        out.push_str(&csv::line([direction.name(), &priority.to_string(), name, model, value]));
    }
    out
}

/// A rule in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The number of its line, from 1.
    pub line: usize,
    /// Which numbers it is for.
    pub direction: Direction,
    /// The rule.
    pub rule: RuleText,
}

/// The rules of comma-separated values. A first line that is [`HEADER`] may be there; empty lines
/// are passed over.
///
/// # Errors
/// What is wrong with a line, by its number from 1.
pub fn import(text: &str) -> Result<Vec<Row>, (usize, RowError)> {
    let mut rules = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || (rules.is_empty() && line.eq_ignore_ascii_case(HEADER)) {
            continue;
        }
        let fields = csv::fields(line, ',').map_err(|error| (number, error.into()))?;
        let [direction, rule @ ..] = &fields[..] else { continue };
        let known = Direction::from_name(direction)
            .ok_or_else(|| (number, RowError::Direction(direction.clone())))?;
        let rule = row(rule).map_err(|error| (number, error))?;
        rules.push(Row { line: number, direction: known, rule });
    }
    Ok(rules)
}

/// One rule of `priority,name,model,value`, fields between quotes where they hold commas.
///
/// # Errors
/// What is wrong with it.
pub fn parse_row(text: &str) -> Result<RuleText, RowError> {
    row(&csv::fields(text, ',')?)
}

/// What can be wrong with a line of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// Neither `out` nor `in`.
    #[error("{0:?} is no direction: out or in")]
    Direction(String),
    /// Too few fields, or too many.
    #[error(
        "{0} fields where priority, name, model and value are expected; quote what holds a comma"
    )]
    Fields(usize),
    /// No whole number.
    #[error("{0:?} is no priority: a whole number")]
    Priority(String),
    /// A quote without its end.
    #[error("{0}")]
    Quote(#[from] csv::Unclosed),
}

fn row(fields: &[String]) -> Result<RuleText, RowError> {
    let [priority, name, model, value] = fields else {
        return Err(RowError::Fields(fields.len()));
    };
    let number = priority.parse().map_err(|_| RowError::Priority(priority.clone()))?;
    let [name, model, value] = [name, model, value].map(String::clone);
    Ok(RuleText { priority: number, name, model, value })
}
