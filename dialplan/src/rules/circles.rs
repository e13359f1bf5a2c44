//! Forwards that lead back to where they began.
//!
//! CIRCULARLEVEL n refuses every circle of at most n forwards: 1 is a user who forwards to himself, 2
//! one who forwards to somebody who forwards back. A forward that is refused is not executed, and the
//! call stays where it is: everybody on the circle is left alone, whoever leads into it is not.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;

use bstr::{BStr, BString};

use super::decide::Call;
use super::{Conditions, MOST_FORWARDS, Moment, Rule, Rulebook, Side, Target, User, store};
use crate::world::Database;

/// A circle of forwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle {
    /// The users on it with the rules that forward, from the first one on.
    pub hops: Vec<(BString, u32)>,
    /// Whether every call goes round, or only some.
    pub certainty: Certainty,
}

/// Which calls a circle takes round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// All of a side.
    Always,
    /// Those that meet the conditions of all rules on it.
    Sometimes,
}

impl Circle {
    /// How many forwards it takes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hops.len()
    }

    /// Never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hops.is_empty()
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (user, rule) in &self.hops {
            write!(f, "{user} -[rule {rule}]-> ")?;
        }
        match self.hops.first() {
            Some((user, _)) => write!(f, "{user}"),
            None => Ok(()),
        }
    }
}

/// The circle that a call would go through if a rule forwarded it now, of at most as many forwards as
/// are looked at.
#[must_use]
pub(super) fn at_call(
    book: &Rulebook,
    user: &User,
    rule: &Rule,
    caller: &BStr,
    conditions: &Conditions<'_>,
) -> Option<Circle> {
    let mut edges = |name: &BString| -> Vec<Edge> {
        let Some(user) = book.users.get(name) else { return vec![] };
        // Who is not there at once may be busy or not answer: both may happen.
        let chosen = |moment| {
            let call = Call { caller, moment };
            match book.choose(user, call, conditions).outcome {
                super::decide::Outcome::Forward(rule) => Some(rule),
                _ => None,
            }
        };
        let rules = match chosen(Moment::Immediate) {
            Some(rule) => vec![rule],
            None => [Moment::Busy, Moment::NoAnswer].into_iter().filter_map(chosen).collect(),
        };
        rules.iter().filter_map(|rule| Edge::of(book, rule)).collect()
    };
    let level = book.settings().circular_level.min(MOST_FORWARDS);
    let first = Edge::of(book, rule)?;
    let hops = shortest(&user.name, first, level, &mut edges)?;
    Some(Circle { hops, certainty: Certainty::Sometimes })
}

/// The shortest circle of at most as many forwards as are looked at that a new or changed rule of a
/// user would close, whatever the callers and presences.
#[must_use]
pub(super) fn through(
    book: &Rulebook,
    database: &Database,
    user: &User,
    rule: &Rule,
) -> Option<Circle> {
    if !rule.active {
        return None;
    }
    let level = book.settings().circular_level.min(MOST_FORWARDS);
    let first = Edge::of(book, rule)?;
    let sides = [Side::External, Side::Internal].into_iter().filter(|it| rule.origin.holds(*it));
    let found = sides.filter_map(|side| {
        let mut edges = |name: &BString| {
            book.users
                .get(name)
                .map_or_else(Vec::new, |user| possible(book, &store::rules(user, database), side))
        };
        shortest(&user.name, first.clone(), level, &mut edges)
    });
    let hops = found.min_by_key(Vec::len)?;
    Some(Circle { hops, certainty: Certainty::Sometimes })
}

/// All circles of a book, each once: of those through one user the shortest.
#[must_use]
pub fn all(book: &Rulebook, database: &Database) -> Vec<Circle> {
    let rules: BTreeMap<&BString, Vec<Rule>> =
        book.users().map(|user| (&user.name, store::rules(user, database))).collect();
    let mut found = BTreeMap::<BTreeSet<(BString, u32)>, Circle>::new();
    let mut take = |hops: Vec<(BString, u32)>, certainty| {
        // The same circle begins with each of its users; what is certain is told first.
        let key = hops.iter().cloned().collect();
        found.entry(key).or_insert(Circle { hops, certainty });
    };
    for side in [Side::External, Side::Internal] {
        let certain: HashMap<&BString, Edge> = rules
            .iter()
            .filter_map(|(name, rules)| Some((*name, certain(book, rules, side)?)))
            .collect();
        let possible: BTreeMap<&BString, Vec<Edge>> =
            rules.iter().map(|(name, rules)| (*name, possible(book, rules, side))).collect();
        for (name, edges) in &possible {
            let follow = |name: &BString| certain.get(name).cloned().into_iter().collect();
            let always = certain
                .get(name)
                .and_then(|first| shortest(name, first.clone(), MOST_FORWARDS, &mut { follow }));
            if let Some(hops) = always {
                take(hops, Certainty::Always);
            }
            let mut follow = |name: &BString| possible.get(name).cloned().unwrap_or_default();
            let circles = edges
                .iter()
                .filter_map(|first| shortest(name, first.clone(), MOST_FORWARDS, &mut follow));
            if let Some(hops) = circles.min_by_key(Vec::len) {
                take(hops, Certainty::Sometimes);
            }
        }
    }
    let mut circles: Vec<Circle> = found.into_values().collect();
    circles.sort_by_key(|circle| (circle.certainty == Certainty::Sometimes, circle.len()));
    circles
}

/// A forward to another user.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    rule: u32,
    to: BString,
}

impl Edge {
    fn of(book: &Rulebook, rule: &Rule) -> Option<Self> {
        let Target::Number(number) = &rule.target else { return None };
        Some(Self { rule: rule.number, to: book.user_of(number)?.name.clone() })
    }
}

/// Where active rules may send callers of a side.
fn possible(book: &Rulebook, rules: &[Rule], side: Side) -> Vec<Edge> {
    let active = rules.iter().filter(|rule| rule.active && rule.origin.holds(side));
    active.filter_map(|rule| Edge::of(book, rule)).collect()
}

/// Where all callers of a side are sent at any time.
fn certain(book: &Rulebook, rules: &[Rule], side: Side) -> Option<Edge> {
    let mut at_once = rules
        .iter()
        .filter(|it| it.active && it.origin.holds(side) && it.moment == Moment::Immediate);
    let first = at_once.next()?;
    let is_plain = first.presence.is_none() && first.schedule.is_none() && first.callers.is_empty();
    Edge::of(book, first).filter(|_| is_plain)
}

/// The shortest way back to a user over a first forward, of at most `most` forwards.
fn shortest(
    user: &BString,
    first: Edge,
    most: usize,
    edges: &mut dyn FnMut(&BString) -> Vec<Edge>,
) -> Option<Vec<(BString, u32)>> {
    if most == 0 {
        return None;
    }
    // Who was reached, from where and by which rule.
    let mut from: HashMap<BString, (BString, u32)> = HashMap::new();
    let mut pending = VecDeque::from([(first.to.clone(), 1)]);
    from.insert(first.to, (user.clone(), first.rule));
    while let Some((name, length)) = pending.pop_front() {
        if name == *user {
            break;
        }
        if length >= most {
            continue;
        }
        for edge in edges(&name) {
            if !from.contains_key(&edge.to) {
                from.insert(edge.to.clone(), (name.clone(), edge.rule));
                pending.push_back((edge.to, length + 1));
            }
        }
    }
    let mut hops = vec![from.get(user)?.clone()];
    while hops.last().is_some_and(|(name, _)| name != user) {
        let (name, _) = hops.last()?;
        let before = from.get(name)?.clone();
        hops.push(before);
    }
    hops.reverse();
    Some(hops)
}
