//! Numbering plans: how a number that somebody wrote or dialled becomes one that the telephone
//! system takes, and how a caller's number becomes one that people know.
//!
//! A table of rules for either direction; the first rule that fits is applied, and no other.

pub mod check;
mod model;
pub mod table;
mod written;

use std::fmt;

use model::{Model, Value};
pub use written::{Dialled, NotDialled, dialled, is_number, read, read_origination};

/// What all rules of a plan share. Prefixes are digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixes {
    /// Dialled before a country's prefix: `00`.
    pub international: String,
    /// Of our own country: `33`.
    pub country: String,
    /// Dialled to reach a line outside: `0`.
    pub external: String,
}

/// A plan's settings beside its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What rules refer to.
    pub prefixes: Prefixes,
    /// Put before an incoming caller's number.
    pub add: String,
    /// Taken off the beginning of an incoming caller's number.
    pub remove: String,
    /// Digits of an internal number, at most.
    pub internal_length: usize,
    /// Digits from the end by which a caller is looked up.
    pub reverse_length: usize,
}

impl Default for Settings {
    /// France, four digits inside, 0 to go out.
    fn default() -> Self {
        let prefixes =
            Prefixes { international: "00".into(), country: "33".into(), external: "0".into() };
        Self {
            prefixes,
            add: String::new(),
            remove: "0".into(),
            internal_length: 4,
            reverse_length: 9,
        }
    }
}

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// For numbers that are to be dialled.
    Out,
    /// For numbers of callers.
    In,
}

impl Direction {
    /// Its name in files and commands: `out`, `in`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }

    /// What a name stands for: `out`, `outgoing`, `in`, `incoming`, in any letter case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "out" | "outgoing" => Some(Self::Out),
            "in" | "incoming" => Some(Self::In),
            _ => None,
        }
    }
}

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleText {
    /// Lower ones are tried first.
    pub priority: u32,
    /// For people.
    pub name: String,
    /// What a number must begin with; between square brackets a regular expression. Both may hold
    /// `[-InternationalPrefix-]`, `[-CountryPrefix-]` and `[-ExternalPrefix-]`.
    pub model: String,
    /// What takes its place: the same three, and `$1` to `$9` for what groups of the expression hold.
    pub value: String,
}

/// A rule that can be applied.
#[derive(Debug, Clone)]
pub struct Rule {
    text: RuleText,
    model: Model,
    value: Value,
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// When its model or value is wrong.
    pub fn new(text: RuleText, prefixes: &Prefixes) -> Result<Self, RuleError> {
        let model = Model::parse(&text.model, prefixes)?;
        let value = Value::parse(&text.value, prefixes, model.groups())?;
        Ok(Self { text, model, value })
    }

    /// The rule as it is written.
    #[must_use]
    pub const fn text(&self) -> &RuleText {
        &self.text
    }

    /// The number with what fits replaced; `None` when nothing does.
    fn apply(&self, number: &str) -> Option<String> {
        let found = self.model.find(number)?;
        let mut out = number[..found.start].to_owned();
        self.value.append(number, &found, &mut out);
        out.push_str(&number[found.end..]);
        Some(out)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A model that is empty would fit every number.
    #[error("the model is empty: it would fit every number")]
    EmptyModel,
    /// A plain model with something that no number holds.
    #[error(
        "the model holds {0:?}, which no number does: a regular expression stands between [ and ]"
    )]
    NotANumber(char),
    /// `[-...-]` with a name that is none.
    #[error("there is no [-{0}-]: there are InternationalPrefix, CountryPrefix and ExternalPrefix")]
    UnknownPlaceholder(String),
    /// An expression that can not be read.
    #[error("the regular expression is wrong: {0}")]
    Expression(String),
    /// An expression that fits nothing at all, or everything.
    #[error("the regular expression fits the empty text, so every number")]
    FitsNothing,
    /// `$n` without such a group.
    #[error("the value takes ${0}, and the model has {1} groups")]
    NoGroup(usize, usize),
    /// A value with something that can not be dialled.
    #[error("the value holds {0:?}, which can not be dialled")]
    NotDialled(char),
}

/// A numbering plan. Two are equal when they are written alike.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberingPlan {
    settings: Settings,
    outgoing: Vec<Rule>,
    incoming: Vec<Rule>,
}

impl Default for NumberingPlan {
    /// The default settings and [`table::default_rules`].
    fn default() -> Self {
        let rules = table::default_rules().into_iter().map(|text| (Direction::Out, text));
        let (plan, errors) = Self::new(Settings::default(), rules);
        debug_assert!(errors.is_empty(), "{errors:?}");
        plan
    }
}

impl NumberingPlan {
    /// Makes a plan of rules in any order; of those of one priority the first comes first. Rules
    /// that are wrong are left out and told by their places in the list.
    pub fn new(
        settings: Settings,
        rules: impl IntoIterator<Item = (Direction, RuleText)>,
    ) -> (Self, Vec<(usize, RuleError)>) {
        let mut plan = Self { settings, outgoing: Vec::new(), incoming: Vec::new() };
        let mut errors = Vec::new();
        for (place, (direction, text)) in rules.into_iter().enumerate() {
            match Rule::new(text, &plan.settings.prefixes) {
                Ok(rule) => match direction {
                    Direction::Out => plan.outgoing.push(rule),
                    Direction::In => plan.incoming.push(rule),
                },
                Err(error) => errors.push((place, error)),
            }
        }
        for table in [&mut plan.outgoing, &mut plan.incoming] {
            table.sort_by_key(|rule| rule.text.priority);
        }
        (plan, errors)
    }

    /// What its rules share.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The rules of a direction, in the order in which they are tried.
    #[must_use]
    pub fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::Out => &self.outgoing,
            Direction::In => &self.incoming,
        }
    }

    /// What becomes of a number.
    #[must_use]
    pub fn apply(&self, direction: Direction, number: &str) -> Answer<'_> {
        match direction {
            Direction::Out => self.outgoing(number),
            Direction::In => self.incoming(number),
        }
    }

    /// The digits by which a caller is looked up: the last ones of his number.
    #[must_use]
    pub fn reverse_key<'a>(&self, number: &'a str) -> &'a str {
        let from = number.char_indices().rev().nth(self.settings.reverse_length.saturating_sub(1));
        &number[from.map_or(0, |(at, _)| at)..]
    }

    fn outgoing(&self, number: &str) -> Answer<'_> {
        let read = self.in_own_country(normalized(number));
        let applied = self.first_that_fits(&self.outgoing, &read);
        let (rule, changed) = match applied {
            Some((rule, changed)) => (Some(rule), without_parentheses(changed)),
            None => (None, without_parentheses(read.clone())),
        };
        let external = &self.settings.prefixes.external;
        let goes_out = match rule {
            Some(rule) => read.starts_with('+') && !rule.value.goes_out(),
            None => changed.len() > self.settings.internal_length,
        };
        let number = if goes_out { format!("{external}{changed}") } else { changed };
        Answer { number, read, rule, goes_out }
    }

    fn incoming(&self, number: &str) -> Answer<'_> {
        let read = normalized(number);
        let plain = without_parentheses(read.clone());
        if plain.len() <= self.settings.internal_length {
            return Answer { number: plain, read, rule: None, goes_out: false };
        }
        let shorter = read.strip_prefix(&*self.settings.remove).unwrap_or(&read).to_owned();
        let applied = self.first_that_fits(&self.incoming, &shorter);
        let (rule, changed) = match applied {
            Some((rule, changed)) => (Some(rule), changed),
            None => (None, shorter),
        };
        let number = format!("{}{}", self.settings.add, without_parentheses(changed));
        Answer { number, read, rule, goes_out: false }
    }

    fn first_that_fits<'a>(&self, rules: &'a [Rule], number: &str) -> Option<(&'a Rule, String)> {
        rules.iter().find_map(|rule| Some((rule, rule.apply(number)?)))
    }

    /// A number of our own country in one form: `0033` is `+33`, and `+33(0)` is `+330`.
    fn in_own_country(&self, number: String) -> String {
        let Prefixes { international, country, .. } = &self.settings.prefixes;
        let own = format!("{international}{country}");
        let number = match number.strip_prefix(&own) {
            Some(rest) if !international.is_empty() && !country.is_empty() => {
                format!("+{country}{rest}")
            }
            _ => number,
        };
        match number.strip_prefix(&format!("+{country}(0)")) {
            Some(rest) if !country.is_empty() => format!("+{country}0{rest}"),
            _ => number,
        }
    }
}

/// What became of a number, and why.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// The number that results.
    pub number: String,
    /// The number as the rules saw it.
    pub read: String,
    /// The rule that was applied.
    pub rule: Option<&'a Rule>,
    /// Whether the external prefix was put before it, beyond what the rule says.
    pub goes_out: bool,
}

impl fmt::Display for Answer<'_> {
    /// The reasons in a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read as {}; ", self.read)?;
        match self.rule {
            Some(rule) => {
                let RuleText { priority, name, model, value } = rule.text();
                write!(f, "rule {priority} \"{name}\": {model} becomes {value}")?;
            }
            None => write!(f, "no rule fits")?,
        }
        if self.goes_out {
            write!(f, "; the external prefix goes before it")?;
        }
        Ok(())
    }
}

/// Digits and parentheses, and `+`, `#` or `*` in the first place.
fn normalized(number: &str) -> String {
    let mut out = String::new();
    for symbol in number.chars() {
        match symbol {
            '0'..='9' | '(' | ')' => out.push(symbol),
            '+' | '#' | '*' if out.is_empty() => out.push(symbol),
            _ => {}
        }
    }
    out
}

/// What is between parentheses stays.
fn without_parentheses(mut number: String) -> String {
    number.retain(|symbol| symbol != '(' && symbol != ')');
    number
}

#[cfg(test)]
mod tests;
