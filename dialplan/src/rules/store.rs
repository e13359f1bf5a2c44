//! What users change: own rules, switches and targets of editable ones, and what was said of their
//! presence. It lies in the database, so that it is there after a restart.
//!
//! `rules/USER/own/N` holds a rule, `rules/USER/over/N` what is different from the administrator's
//! rule N, `rules/USER/presence` a word.

use bstr::{BStr, BString, ByteSlice};

use super::circles::{self, Circle};
use super::{
    Conditions, Moment, NumberError, Owner, Presence, Refusal, Rule, RuleError, Rulebook,
    Supervision, Target, User,
};
use crate::world::Database;

/// The database's family.
pub const FAMILY: &[u8] = b"rules";

/// What was said of a user's presence.
#[must_use]
pub fn said(database: &Database, user: &BStr) -> Option<Presence> {
    Presence::parse(database.value(FAMILY, &key(user, &[b"presence"]))?)
}

/// Says how present a user is; `None` takes it back.
pub fn say(database: &mut Database, user: &BStr, presence: Option<Presence>) {
    let key = key(user, &[b"presence"]);
    match presence {
        Some(presence) => database.set(FAMILY, &key, presence.as_str().as_bytes()),
        None => {
            database.delete(FAMILY, &key);
        }
    }
}

/// The rules of a user by number, with what the user has changed.
#[must_use]
pub fn rules(user: &User, database: &Database) -> Vec<Rule> {
    let name = user.name.as_bstr();
    let mut rules = Vec::with_capacity(user.rules.len());
    for rule in user.rules.values() {
        let changed = database.value(FAMILY, &over(name, rule.number)).filter(|_| rule.editable);
        rules.push(changed.map_or_else(|| rule.clone(), |changes| changed_rule(rule, changes)));
    }
    let below = key(name, &[b"own"]);
    for (path, text) in database.below(FAMILY, &below).take(MOST_OWN) {
        let number = path.rsplit_str("/").next().and_then(number_of);
        let own = number.and_then(|number| Rule::parse(number, Owner::User, text).ok());
        rules.extend(own.filter(|own| !user.rules.contains_key(&own.number)));
    }
    rules.sort_by_key(|rule| rule.number);
    rules
}

/// An administrator's rule as the user has it.
fn changed_rule(rule: &Rule, changes: &[u8]) -> Rule {
    let mut rule = rule.clone();
    for pair in changes.split_str(";") {
        let Some((name, value)) = pair.split_once_str("=") else { continue };
        if matches!(name, b"active" | b"target")
            && let Ok(changed) = rule.with(name, value)
        {
            rule = changed;
        }
    }
    rule
}

/// Who changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor<'a> {
    /// An administrator, who may do everything that leads nobody in circles.
    Admin,
    /// A user of this name.
    User(&'a BStr),
}

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new rule of the user.
    Add(Rule),
    /// A field of a rule.
    Set {
        /// Its name.
        field: BString,
        /// Its value.
        value: BString,
    },
    /// The rule goes; of an administrator's, what was changed.
    Remove,
}

impl Change {
    /// Whether the rule gets another target.
    fn sets_target(&self) -> bool {
        match self {
            Self::Add(_) => true,
            Self::Set { field, .. } => field.eq_ignore_ascii_case(b"target"),
            Self::Remove => false,
        }
    }
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// There is no such rule.
    #[error("{user} has no rule {number}")]
    NoRule {
        /// Whose.
        user: BString,
        /// Which.
        number: u32,
    },
    /// There is one already.
    #[error("{user} has a rule {number} already")]
    Taken {
        /// Whose.
        user: BString,
        /// Which.
        number: u32,
    },
    /// It is written elsewhere.
    #[error("of rule {0}, which rules.conf holds, only active and target can be changed here")]
    Configured(u32),
    /// The value is none.
    #[error(transparent)]
    Value(#[from] RuleError),
    /// The right is missing.
    #[error(transparent)]
    Right(#[from] Refusal),
    /// Calls would go in circles.
    #[error("calls would go in a circle: {0}")]
    Circle(Circle),
    /// Its number can not be dialled.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// There are too many.
    #[error("there is no room for another rule")]
    Full,
}

impl Rulebook {
    /// Changes a rule of a user, unless rights or circles forbid it. Gives the rule as it is then.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn change(
        &self,
        user: &User,
        number: u32,
        actor: Actor<'_>,
        change: &Change,
        database: &mut Database,
    ) -> Result<Option<Rule>, ChangeError> {
        let name = user.name.as_bstr();
        if let Actor::User(actor) = actor {
            if actor != name {
                return Err(Refusal::Foreign(actor.to_owned(), user.name.clone()).into());
            }
            if !user.rights.simple_rules {
                return Err(Refusal::SimpleRules(user.name.clone()).into());
            }
        }
        let rules = rules(user, database);
        let old = rules.iter().find(|rule| rule.number == number);
        let missing = || ChangeError::NoRule { user: user.name.clone(), number };
        let new = match change {
            Change::Add(_) if old.is_some() => {
                return Err(ChangeError::Taken { user: user.name.clone(), number });
            }
            Change::Add(rule) => Some(Rule { number, owner: Owner::User, ..rule.clone() }),
            Change::Set { field, value } => Some(old.ok_or_else(missing)?.with(field, value)?),
            Change::Remove => None,
        };
        let touched = new.as_ref().or(old).ok_or_else(missing)?;
        let is_admins = user.rules.contains_key(&number);
        if let Change::Set { field, .. } = change
            && is_admins
            && !matches!(field.as_slice(), b"active" | b"target")
        {
            return Err(ChangeError::Configured(number));
        }
        if is_admins
            && !touched.editable
            && (actor != Actor::Admin || matches!(change, Change::Set { .. }))
        {
            return Err(Refusal::AdminRule(number).into());
        }
        // Whoever writes it, a rule of a user counts by the user's rights alone.
        if let Some(new) = &new
            && (new.owner == Owner::User || actor != Actor::Admin)
        {
            user.rights.permit(&user.name, new, !user.rules.is_empty())?;
        }
        if let Some(Rule { target: Target::Number(number), .. }) = &new
            && change.sets_target()
        {
            self.dialled(number)?;
        }
        let own = rules.iter().filter(|rule| rule.owner == Owner::User).count();
        if matches!(change, Change::Add(_)) && (own >= MOST_OWN || database.is_full()) {
            return Err(ChangeError::Full);
        }
        if let Some(new) = &new
            && let Some(circle) = circles::through(self, database, user, new)
        {
            return Err(ChangeError::Circle(circle));
        }
        match (&new, is_admins) {
            (Some(new), true) => {
                let active = if new.active { "yes" } else { "no" };
                let changes = format!("active={active};target={}", new.target.write());
                database.set(FAMILY, &over(name, number), changes.as_bytes());
            }
            (Some(new), false) => {
                database.set(FAMILY, &own_key(name, number), &new.write());
            }
            (None, true) => {
                database.delete(FAMILY, &over(name, number));
            }
            (None, false) => {
                database.delete(FAMILY, &own_key(name, number));
            }
        }
        Ok(new)
    }

    /// All changes of a rule, or none of them. Gives the rule as it is then.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn change_all(
        &self,
        user: &User,
        number: u32,
        actor: Actor<'_>,
        changes: &[Change],
        database: &mut Database,
    ) -> Result<Option<Rule>, ChangeError> {
        let paths = [over(user.name.as_bstr(), number), own_key(user.name.as_bstr(), number)];
        let before = paths.map(|path| {
            let value = database.value(FAMILY, &path).map(BStr::to_owned);
            (path, value)
        });
        let mut changed = Ok(None);
        for change in changes {
            changed = self.change(user, number, actor, change, database);
            if changed.is_err() {
                break;
            }
        }
        if changed.is_err() {
            for (path, value) in before {
                match value {
                    Some(value) => database.set(FAMILY, &path, &value),
                    None => {
                        database.delete(FAMILY, &path);
                    }
                }
            }
        }
        changed
    }

    /// The first rule of a user that is active: what the groups that it is shared with see.
    #[must_use]
    pub fn first_active(&self, user: &User, conditions: &Conditions<'_>) -> Option<Rule> {
        let has_admin = !user.rules.is_empty();
        let counts =
            |rule: &Rule| rule.active && user.rights.permit(&user.name, rule, has_admin).is_ok();
        rules(user, conditions.database).into_iter().find(counts)
    }

    /// Whether a user sees something of another's rules: all own ones, or by
    /// `AuthorizeShareRulesGroup` the first active one.
    #[must_use]
    pub fn is_shared(&self, user: &User, with: &User) -> bool {
        let group = with.group.as_ref();
        group.is_some_and(|group| {
            user.rights.shared_with.iter().any(|it| it.eq_ignore_ascii_case(group))
        })
    }
}

impl Rulebook {
    /// From when on a user sees the calls of another; all of the own ones.
    ///
    /// # Errors
    /// The right that is missing.
    pub fn supervision(&self, user: &User, by: &User) -> Result<Supervision, Refusal> {
        let refused = |right| Refusal::Supervision(by.name.clone(), user.name.clone(), right);
        if by.name == user.name {
            return Ok(Supervision::FromRinging);
        }
        if !self.is_shared(user, by) {
            return Err(refused("AuthorizeShareRulesGroup"));
        }
        user.rights.supervision.ok_or_else(|| refused("AuthorizeSupervisionInformation"))
    }
}

/// How long a telephone rings before one of these rules forwards.
#[must_use]
pub fn waits(book: &Rulebook, rule: &Rule) -> Option<std::time::Duration> {
    (rule.moment == Moment::NoAnswer).then(|| match rule.owner {
        Owner::Admin => book.settings().wait,
        Owner::User => book.settings().wait_pbx,
    })
}

fn own_key(user: &BStr, number: u32) -> Vec<u8> {
    key(user, &[b"own", number.to_string().as_bytes()])
}

fn over(user: &BStr, number: u32) -> Vec<u8> {
    key(user, &[b"over", number.to_string().as_bytes()])
}

fn key(user: &BStr, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = user.to_vec();
    for part in parts {
        key.push(b'/');
        key.extend_from_slice(part);
    }
    key
}

fn number_of(text: &[u8]) -> Option<u32> {
    text.to_str().ok()?.parse().ok()
}

/// Own rules of one user.
const MOST_OWN: usize = 100;
