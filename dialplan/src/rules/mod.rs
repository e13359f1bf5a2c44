//! Forwarding rules: by who calls, how present the called user is and what the telephone did, a call
//! is sent on after an announcement, never in circles, and each decision can be explained.
//!
//! A [`Rulebook`] is what an administrator wrote down. What users change lies in the database
//! ([`store`]); both together are asked by [`Rulebook::decide`].

pub mod circles;
pub mod decide;
mod desk;
mod dialling;
mod model;
mod presence;
pub mod rights;
pub mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bstr::{BStr, BString};

pub use desk::Desk;
pub use dialling::{NumberError, PLACEHOLDER, plain_number};
pub use model::{Draft, Moment, Origin, Owner, Rule, RuleError, Side, Target};
pub use presence::{Conditions, Presence, Presences, Source};
pub use rights::{Grant, Refusal, Rights, Supervision};

use crate::numbering::NumberingPlan;
use crate::timetable::Calendar;

/// All users with their rules, as the configuration has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rulebook {
    settings: Settings,
    /// Reads the numbers of targets, where it is asked for.
    numbering: Option<NumberingPlan>,
    users: BTreeMap<BString, User>,
    /// Users by their numbers, as they are written.
    by_number: HashMap<BString, BString>,
    /// Users by their numbers, as they are dialled.
    by_dialled: HashMap<BString, BString>,
    /// Users by their own telephones, in lower case.
    by_device: HashMap<BString, BString>,
}

/// What holds for all users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// CIRCULARLEVEL: forwards that lead back within so many are refused; 0 looks at none.
    pub circular_level: usize,
    /// TRANSFERVERIFICATION.
    pub verification: Verification,
    /// How a call is forwarded blindly.
    pub blind: BlindForward,
    /// EMERGENCYNUMBER: who is called when the forwarded call is not answered.
    pub emergency: Option<BString>,
    /// EMERGENCYNUMBERCALLTIMES.
    pub emergency_times: u32,
    /// WAITTIMENOREPLY: how long a telephone rings before a rule of an administrator forwards.
    pub wait: Duration,
    /// WAITTIMENOREPLYPBX: the same for rules of users, which are those that telephone systems have
    /// themselves.
    pub wait_pbx: Duration,
    /// Callers with at most so many digits are internal.
    pub internal_length: usize,
    /// How a number is dialled: `Local/{number}@internal`.
    pub dial: BString,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // Nobody plans a chain of five; longer ones are ended by `MOST_FORWARDS`.
            circular_level: 5,
            verification: Verification::Blind,
            blind: BlindForward::Dial,
            emergency: None,
            emergency_times: 1,
            wait: Duration::from_secs(20),
            wait_pbx: Duration::from_secs(20),
            // As in the numbering plan.
            internal_length: 4,
            dial: BString::default(),
        }
    }
}

/// Whether a forwarded call has to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// It does; else the emergency number is called.
    Verified,
    /// Whatever becomes of it.
    Blind,
}

/// Who connects a call that is forwarded blindly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlindForward {
    /// We do, and stay in the call.
    Dial,
    /// The telephone system that the call came from, by REFER once it is answered.
    Refer,
    /// The same, by 302 where it is not answered yet; by REFER behind an announcement.
    Redirect,
}

impl Settings {
    /// On which side of the telephone system a caller is.
    #[must_use]
    pub fn side_of(&self, book: &Rulebook, caller: &[u8]) -> Side {
        let plain = plain_number(caller);
        let is_short = plain.len() <= self.internal_length && plain.iter().all(u8::is_ascii_digit);
        match !plain.is_empty() && (is_short || book.user_of(caller).is_some()) {
            true => Side::Internal,
            false => Side::External,
        }
    }
}

/// Whoever has rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct User {
    /// What the user is called.
    pub name: BString,
    /// The numbers that reach the user, the first one first.
    pub numbers: Vec<BString>,
    /// The own telephone, as Dial takes it.
    pub device: Option<BString>,
    /// The device whose state says how present the user is, as DEVICE_STATE takes it; without one
    /// the own telephone.
    pub watch: Option<BString>,
    /// The group's name.
    pub group: Option<BString>,
    /// The domain's name.
    pub domain: Option<BString>,
    /// The schedule outside of which the user is absent.
    pub schedule: Option<BString>,
    /// Appointments.
    pub calendars: Vec<Calendar>,
    /// What the user may do.
    pub rights: Rights,
    /// An administrator's rules, by number.
    pub rules: BTreeMap<u32, Rule>,
}

impl User {
    /// The device whose state says how present the user is.
    #[must_use]
    pub fn watched(&self) -> Option<&BString> {
        self.watch.as_ref().or(self.device.as_ref())
    }
}

impl Rulebook {
    /// A book without users.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What holds for all users.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Adds a user; the last of a name counts. Of two users with one number the first has it.
    pub fn insert(&mut self, user: User) {
        self.list_numbers(&user);
        if let Some(device) = &user.device {
            let device = device.to_ascii_lowercase().into();
            self.by_device.entry(device).or_insert_with(|| user.name.clone());
        }
        self.users.insert(user.name.clone(), user);
    }

    /// The user of this name, in any letter case, or with this number.
    #[must_use]
    pub fn user(&self, name: &[u8]) -> Option<&User> {
        let exact = self.users.get(BStr::new(name));
        exact
            .or_else(|| self.user_of(name))
            .or_else(|| self.users.values().find(|user| user.name.eq_ignore_ascii_case(name)))
    }

    /// The user whose own telephone this is, as Dial takes it.
    #[must_use]
    pub fn user_of_device(&self, device: &[u8]) -> Option<&User> {
        self.users.get(self.by_device.get(BStr::new(&device.to_ascii_lowercase()))?)
    }

    /// All users, by name.
    pub fn users(&self) -> impl ExactSizeIterator<Item = &User> {
        self.users.values()
    }

    /// Whether nobody has rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

/// How often one call is sent on, whatever the level of circles that is looked at.
pub const MOST_FORWARDS: usize = 10;
