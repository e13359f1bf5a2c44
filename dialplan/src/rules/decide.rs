//! What becomes of a call: the first rule that holds, unless it leads in a circle; and why.

use std::fmt;

use bstr::{BStr, BString, ByteSlice};

use super::circles::{self, Circle};
use super::{Conditions, Moment, Presences, Refusal, Rule, Rulebook, Side, Target, User, store};

/// A call that is to be forwarded, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// The caller's number; may be empty.
    pub caller: &'a BStr,
    /// What the telephone did.
    pub moment: Moment,
}

/// What becomes of a call, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whose rules were asked.
    pub user: BString,
    /// On which side the caller is.
    pub side: Side,
    /// How present the user is.
    pub presences: Presences,
    /// What becomes of the call.
    pub outcome: Outcome,
    /// What is dialled, where the call is forwarded to a number.
    pub dialled: Option<BString>,
    /// Every rule of the user in order, with what was found.
    pub looked_at: Vec<(Rule, Verdict)>,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A rule forwards it.
    Forward(Rule),
    /// A rule would forward it in a circle: it stays.
    Circle(Rule, Circle),
    /// No rule holds: it stays.
    Stay,
}

/// Why a rule holds or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It decides.
    Holds,
    /// It would hold, and leads in a circle.
    Circle(Circle),
    /// It would hold, and one before it decided.
    Later,
    /// It is switched off.
    Inactive,
    /// It is about other moments.
    Moment(Moment),
    /// It is about callers of the other side.
    Origin(Side),
    /// It is about other callers.
    Caller,
    /// The user is present in another way.
    Presence,
    /// Its schedule is closed.
    Closed(BString),
    /// It has a schedule that does not exist.
    NoSchedule(BString),
    /// The right to it is missing.
    Refused(Refusal),
}

impl Verdict {
    /// A word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Circle(_) => "circle",
            Self::Later => "later",
            Self::Inactive => "inactive",
            Self::Moment(_) => "forward",
            Self::Origin(_) => "origin",
            Self::Caller => "caller",
            Self::Presence => "presence",
            Self::Closed(_) | Self::NoSchedule(_) => "schedule",
            Self::Refused(_) => "right",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds => f.write_str("holds"),
            Self::Circle(circle) => write!(f, "would send the call in a circle: {circle}"),
            Self::Later => f.write_str("a rule before it decided"),
            Self::Inactive => f.write_str("is not active"),
            Self::Moment(moment) => match moment {
                Moment::Immediate => f.write_str("is for calls at once"),
                Moment::Busy => f.write_str("is for when the telephone is busy"),
                Moment::NoAnswer => f.write_str("is for when nobody answers"),
            },
            Self::Origin(side) => write!(f, "the caller is {}", side.as_str()),
            Self::Caller => f.write_str("is about other callers"),
            Self::Presence => f.write_str("the user's presence is another"),
            Self::Closed(name) => write!(f, "its schedule {name} is closed"),
            Self::NoSchedule(name) => write!(f, "its schedule {name} does not exist"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl Decision {
    /// The rule that forwards.
    #[must_use]
    pub const fn forward(&self) -> Option<&Rule> {
        match &self.outcome {
            Outcome::Forward(rule) => Some(rule),
            Outcome::Circle(..) | Outcome::Stay => None,
        }
    }

    /// What was decided, and by what: one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let of = |rule: &Rule| {
            let name =
                if rule.name.is_empty() { String::new() } else { format!(" ({})", rule.name) };
            let presence = rule.presence.map_or("any presence", super::Presence::as_str);
            let (origin, moment) = (rule.origin.as_str(), rule.moment.as_str());
            format!("rule {}{name}, {origin}, {presence}, {moment}", rule.number)
        };
        match &self.outcome {
            Outcome::Forward(rule) => {
                let target = rule.target.write();
                let dialled = self.dialled.as_ref().filter(|dialled| **dialled != target);
                let dialled = dialled.map_or_else(String::new, |it| format!(" (dialled {it})"));
                format!("{}: forward to {target}{dialled} by {}", self.user, of(rule))
            }
            Outcome::Circle(rule, circle) => {
                format!("{}: no forward: {} leads in a circle: {circle}", self.user, of(rule))
            }
            Outcome::Stay => format!(
                "{}: no forward: none of {} rules holds for an {} caller, presence {}",
                self.user,
                self.looked_at.len(),
                self.side.as_str(),
                self.presences.words()
            ),
        }
    }
}

impl Rulebook {
    /// What becomes of a call for a user.
    #[must_use]
    pub fn decide(&self, user: &User, call: Call<'_>, conditions: &Conditions<'_>) -> Decision {
        let mut decision = self.choose(user, call, conditions);
        if let Outcome::Forward(rule) = &decision.outcome
            && let Some(circle) = circles::at_call(self, user, rule, call.caller, conditions)
        {
            let rule = rule.clone();
            for (_, verdict) in decision.looked_at.iter_mut().filter(|it| it.1 == Verdict::Holds) {
                *verdict = Verdict::Circle(circle.clone());
            }
            decision.outcome = Outcome::Circle(rule, circle);
            decision.dialled = None;
        }
        decision
    }

    /// As [`decide`](Self::decide), with no look at circles.
    pub(super) fn choose(
        &self,
        user: &User,
        call: Call<'_>,
        conditions: &Conditions<'_>,
    ) -> Decision {
        let side = self.settings().side_of(self, call.caller);
        let presences = conditions.presence(user);
        let mut outcome = Outcome::Stay;
        let mut looked_at = vec![];
        for rule in store::rules(user, conditions.database) {
            let verdict = verdict(user, &rule, call, side, &presences, conditions);
            let verdict = match (verdict, &outcome) {
                (Verdict::Holds, Outcome::Stay) => {
                    outcome = Outcome::Forward(rule.clone());
                    Verdict::Holds
                }
                (Verdict::Holds, _) => Verdict::Later,
                (verdict, _) => verdict,
            };
            looked_at.push((rule, verdict));
        }
        let dialled = match &outcome {
            Outcome::Forward(Rule { target: Target::Number(number), .. }) => {
                Some(self.dialled_or_bare(number))
            }
            _ => None,
        };
        Decision { user: user.name.clone(), side, presences, outcome, dialled, looked_at }
    }
}

fn verdict(
    user: &User,
    rule: &Rule,
    call: Call<'_>,
    side: Side,
    presences: &Presences,
    conditions: &Conditions<'_>,
) -> Verdict {
    if !rule.active {
        return Verdict::Inactive;
    }
    if let Err(refusal) = user.rights.permit(&user.name, rule, !user.rules.is_empty()) {
        return Verdict::Refused(refusal);
    }
    if rule.moment != call.moment {
        return Verdict::Moment(rule.moment);
    }
    if !rule.origin.holds(side) {
        return Verdict::Origin(side);
    }
    if !rule.is_about(call.caller) {
        return Verdict::Caller;
    }
    if rule.presence.is_some_and(|presence| !presences.holds(presence)) {
        return Verdict::Presence;
    }
    match rule.schedule.as_ref().map(|name| (name, conditions.is_open(name.as_bstr()))) {
        Some((name, None)) => Verdict::NoSchedule(name.clone()),
        Some((name, Some(false))) => Verdict::Closed(name.clone()),
        Some((_, Some(true))) | None => Verdict::Holds,
    }
}
