//! What is suspicious about a numbering plan: rules that no number reaches, and rules that do more
//! than was meant.

use std::fmt;

use super::model::Model;
use super::{Direction, NumberingPlan, Rule, RuleText};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// In which table.
    pub direction: Direction,
    /// The rule, by its place in [`NumberingPlan::rules`].
    pub rule: usize,
    /// What is suspicious.
    pub kind: SuspicionKind,
}

/// What is suspicious about a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuspicionKind {
    /// An earlier rule takes every number that this one fits.
    Unreachable {
        /// That rule, by its place.
        by: usize,
    },
    /// An earlier rule takes some of the numbers that this one, being more exact, was written for.
    Shadowed {
        /// That rule, by its place.
        by: usize,
        /// One of the numbers.
        number: String,
    },
    /// It changes internal numbers.
    CapturesInternal {
        /// How many of all.
        count: usize,
        /// One of them.
        number: String,
        /// What becomes of it.
        becomes: String,
    },
    /// It changes what it made, when that is dialled again.
    NotIdempotent {
        /// A number.
        number: String,
        /// What becomes of it.
        once: String,
        /// What becomes of that.
        twice: String,
    },
}

impl Suspicion {
    /// The finding in words, without the rule's name.
    #[must_use]
    pub fn message(&self, plan: &NumberingPlan) -> String {
        let name = |place: usize| Named(plan.rules(self.direction)[place].text());
        match &self.kind {
            SuspicionKind::Unreachable { by } => {
                format!("no number reaches it: {} takes them all", name(*by))
            }
            SuspicionKind::Shadowed { by, number } => {
                format!("{} comes first and takes numbers such as {number}", name(*by))
            }
            SuspicionKind::CapturesInternal { count, number, becomes } => {
                let numbers = if *count == 1 { "number" } else { "numbers" };
                format!("it changes {count} internal {numbers}: {number} becomes {becomes}")
            }
            SuspicionKind::NotIdempotent { number, once, twice } => {
                format!("it changes what it made: {number} becomes {once}, and that {twice}")
            }
        }
    }

    /// What can be done about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self.kind {
            SuspicionKind::Unreachable { .. } => "give it a lower priority number, or take it out",
            SuspicionKind::Shadowed { .. } => "give the more exact model the lower priority number",
            SuspicionKind::CapturesInternal { .. } => {
                "make its model longer, or put a rule for internal numbers before it"
            }
            SuspicionKind::NotIdempotent { .. } => {
                "let its value begin with what its model does not fit"
            }
        }
    }
}

/// A rule's number and name.
#[derive(Debug)]
pub struct Named<'a>(pub &'a RuleText);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} \"{}\"", self.0.priority, self.0.name)
    }
}

/// Everything suspicious, table by table and rule by rule.
#[must_use]
pub fn suspicions(plan: &NumberingPlan) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for direction in [Direction::Out, Direction::In] {
        let rules = plan.rules(direction);
        let internal = captured(plan, direction);
        for (place, rule) in rules.iter().enumerate() {
            let mut say = |kind| found.push(Suspicion { direction, rule: place, kind });
            let hidden = hidden(&rules[..place], rule);
            let is_reachable = !matches!(hidden, Some(SuspicionKind::Unreachable { .. }));
            hidden.into_iter().for_each(&mut say);
            if let Some((count, number, becomes)) = internal[place].clone() {
                say(SuspicionKind::CapturesInternal { count, number, becomes });
            }
            if is_reachable && let Some(kind) = repeated(rule) {
                say(kind);
            }
        }
    }
    found
}

/// Whether rules before this one take its numbers.
fn hidden(before: &[Rule], rule: &Rule) -> Option<SuspicionKind> {
    let Model::Plain(plain) = &rule.model else {
        // Of expressions only those that are the same are known to fit the same.
        let by = before.iter().position(|it| it.text.model == rule.text.model)?;
        return Some(SuspicionKind::Unreachable { by });
    };
    // What fits the model alone fits whatever begins with it.
    if let Some(by) = before.iter().position(|it| it.model.fits_all_that_begin_with(plain)) {
        return Some(SuspicionKind::Unreachable { by });
    }
    let number = format!("{plain}{}", &DIGITS[..9]);
    let is_expression = |it: &&Rule| matches!(it.model, Model::Expression(_));
    let by = before.iter().filter(is_expression).find(|it| it.model.find(&number).is_some())?;
    let by = before.iter().position(|it| std::ptr::eq(it, by))?;
    Some(SuspicionKind::Shadowed { by, number })
}

/// Internal numbers that each rule changes: how many, the first, and what becomes of it.
fn captured(plan: &NumberingPlan, direction: Direction) -> Vec<Option<(usize, String, String)>> {
    let rules = plan.rules(direction);
    let mut captured = vec![None; rules.len()];
    let length = plan.settings().internal_length;
    if length == 0 || length > MOST_INTERNAL || direction == Direction::In {
        return captured;
    }
    for number in 0..10_usize.pow(length as u32) {
        let number = format!("{number:0length$}");
        let answer = plan.apply(direction, &number);
        let Some(rule) = answer.rule.filter(|_| answer.number != number) else { continue };
        let Some(place) = rules.iter().position(|it| std::ptr::eq(it, rule)) else { continue };
        let (count, ..) = captured[place].get_or_insert((0, number, answer.number));
        *count += 1;
    }
    captured
}

/// Whether the rule changes what it made.
fn repeated(rule: &Rule) -> Option<SuspicionKind> {
    let Model::Plain(plain) = &rule.model else { return None };
    let number = format!("{plain}{}", &DIGITS[..9]);
    let once = rule.apply(&number)?;
    let twice = rule.apply(&once).filter(|twice| *twice != once)?;
    Some(SuspicionKind::NotIdempotent { number, once, twice })
}

/// What stands for the rest of a number.
const DIGITS: &str = "123456789";

/// Longer internal numbers are too many to try them all.
const MOST_INTERNAL: usize = 5;

#[cfg(test)]
mod tests {
    use super::super::{Settings, table};
    use super::*;

    fn plan(rules: &[(u32, &str, &str)]) -> NumberingPlan {
        let text = |&(priority, model, value): &(u32, &str, &str)| RuleText {
            priority,
            name: format!("{model} to {value}"),
            model: model.to_owned(),
            value: value.to_owned(),
        };
        let rules = rules.iter().map(|rule| (Direction::Out, text(rule)));
        let (plan, errors) = NumberingPlan::new(Settings::default(), rules);
        assert_eq!(errors, []);
        plan
    }

    fn kinds(plan: &NumberingPlan) -> Vec<(usize, SuspicionKind)> {
        suspicions(plan).into_iter().map(|it| (it.rule, it.kind)).collect()
    }

    #[test]
    fn a_rule_behind_its_own_beginning_is_never_reached() {
        let found = kinds(&plan(&[(1, "0155", "0155"), (2, "01", "01"), (3, "0156", "0156")]));
        assert_eq!(found, [(2, SuspicionKind::Unreachable { by: 1 })]);
        // An expression that fits the whole of it does the same.
        let found = kinds(&plan(&[(1, "[^01]", "01"), (3, "0156", "0156")]));
        assert_eq!(found, [(1, SuspicionKind::Unreachable { by: 0 })]);
        // One that needs more takes some of its numbers.
        let found = kinds(&plan(&[(1, "[^0156123456]", "1"), (3, "0156", "0156")]));
        let number = "0156123456789".to_owned();
        assert_eq!(found, [(1, SuspicionKind::Shadowed { by: 0, number })]);
        // One that ends with the number does not, though it fits the model alone.
        assert_eq!(kinds(&plan(&[(1, "[^0156$]", "0156"), (3, "0156", "0156")])), []);
    }

    #[test]
    fn the_default_rules_capture_internal_numbers_as_their_source_does() {
        let plan = NumberingPlan::default();
        let found = suspicions(&plan);
        let told = found
            .iter()
            .map(|it| (plan.rules(Direction::Out)[it.rule].text().priority, it.message(&plan)));
        let told: Vec<_> = told.collect();
        let wanted = [
            // What begins as an international number of the own country is one.
            (15, "it changes 1 internal number: 0033 becomes 00".to_owned()),
            (25, "it changes 100 internal numbers: 3300 becomes 0000".to_owned()),
        ];
        assert_eq!(told, wanted);
        assert!(found[0].remedy().contains("longer"));
        assert_eq!(table::default_rules().len(), 9);
    }

    #[test]
    fn a_rule_that_changes_what_it_made_is_told() {
        let found = kinds(&plan(&[(1, "00", "000")]));
        let [(0, SuspicionKind::CapturesInternal { .. }), (0, repeated)] = &found[..] else {
            panic!("{found:?}")
        };
        let SuspicionKind::NotIdempotent { number, once, twice } = repeated else {
            panic!("{repeated:?}")
        };
        assert_eq!(
            (&**number, &**once, &**twice),
            ("00123456789", "000123456789", "0000123456789")
        );
        assert_eq!(kinds(&plan(&[(1, "#", "#"), (2, "00336", "0033612")])).len(), 1);
    }
}
