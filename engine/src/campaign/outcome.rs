//! What came of a call, and whether it is made again.

use std::{fmt, str::FromStr, time::Duration};

/// What came of one call of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Somebody answered; nobody asked whether it was a machine.
    Answered,
    /// A person answered.
    Human,
    /// A machine answered.
    Machine,
    /// Somebody answered, person or machine.
    Unsure,
    /// Somebody answered and was gone before it was known who.
    Gone,
    /// The callee was busy.
    Busy,
    /// Nobody picked up in time.
    NoAnswer,
    /// The callee refused.
    Rejected,
    /// The network or the engine had no room.
    Congestion,
    /// The number is wrong, or nobody can be reached there.
    Failed,
    /// Nobody knows: whoever ran the campaign ended in the middle of the call.
    Interrupted,
}

/// What is known of a call that is over.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// `ORIGINATE_STATUS`.
    pub status: &'a str,
    /// The cause in the numbers of Q.850.
    pub cause: u8,
    /// `AMDSTATUS`, empty where AMD did not run.
    pub amd: &'a str,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Answered,
        Self::Human,
        Self::Machine,
        Self::Unsure,
        Self::Gone,
        Self::Busy,
        Self::NoAnswer,
        Self::Rejected,
        Self::Congestion,
        Self::Failed,
        Self::Interrupted,
    ];

    /// What a call that was told of came to.
    pub fn of(told: Told<'_>) -> Self {
        match (told.status, told.amd) {
            ("SUCCESS", "HUMAN") => Self::Human,
            ("SUCCESS", "MACHINE") => Self::Machine,
            ("SUCCESS", "NOTSURE") => Self::Unsure,
            ("SUCCESS", "HANGUP") => Self::Gone,
            ("SUCCESS", _) => Self::Answered,
            ("BUSY", _) => Self::Busy,
            // Nothing rang.
            ("RINGING", _) if told.cause == NO_USER_RESPONSE => Self::Failed,
            ("RINGING", _) => Self::NoAnswer,
            ("CONGESTION", _) => Self::Congestion,
            _ if told.cause == CALL_REJECTED => Self::Rejected,
            _ => Self::Failed,
        }
    }

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Human => "human",
            Self::Machine => "machine",
            Self::Unsure => "unsure",
            Self::Gone => "gone",
            Self::Busy => "busy",
            Self::NoAnswer => "noanswer",
            Self::Rejected => "rejected",
            Self::Congestion => "congestion",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether a person was there, as far as anybody knows.
    pub const fn is_reached(self) -> bool {
        matches!(self, Self::Answered | Self::Human | Self::Unsure)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// It is none of the outcomes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no outcome; there are {names}", names = Outcome::ALL.map(Outcome::name).join(", "))]
pub struct OutcomeError(String);

impl FromStr for Outcome {
    type Err = OutcomeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|outcome| outcome.name() == text);
        known.ok_or_else(|| OutcomeError(text.to_owned()))
    }
}

/// How often a call that came to something is made again, and how much later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retry {
    /// So many times after the first; attempts of all outcomes count.
    pub times: u32,
    /// From the end of one to the begin of the next.
    pub after: Duration,
}

/// The rule for each outcome. By default nothing is tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retries([Retry; Outcome::ALL.len()]);

impl Retries {
    /// The rule for calls that could go better another time: busy, noanswer, congestion, failed.
    pub fn of_failures(rule: Retry) -> Self {
        let mut retries = Self::default();
        for outcome in [Outcome::Busy, Outcome::NoAnswer, Outcome::Congestion, Outcome::Failed] {
            retries.set(outcome, rule);
        }
        retries
    }

    /// Another rule for one outcome.
    pub fn set(&mut self, outcome: Outcome, rule: Retry) {
        self.0[outcome as usize] = rule;
    }

    /// The rule for an outcome.
    pub fn rule(&self, outcome: Outcome) -> Retry {
        self.0[outcome as usize]
    }
}

/// Nobody said anything to the call, in Q.850.
const NO_USER_RESPONSE: u8 = 18;
/// The callee refused.
const CALL_REJECTED: u8 = 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_lead_to_rules_of_their_own() {
        let mut retries = Retries::of_failures(Retry { times: 2, after: Duration::from_secs(60) });
        for outcome in Outcome::ALL {
            assert_eq!(outcome.name().parse(), Ok(outcome));
        }
        assert_eq!(retries.rule(Outcome::Busy).times, 2);
        assert_eq!(retries.rule(Outcome::Machine).times, 0);
        retries.set(Outcome::Machine, Retry { times: 1, after: Duration::ZERO });
        assert_eq!(retries.rule(Outcome::Machine).times, 1);
        assert_eq!(retries.rule(Outcome::Unsure).times, 0);
        let error = "bussy".parse::<Outcome>().unwrap_err().to_string();
        assert!(error.contains("busy, noanswer"), "{error}");
    }

    #[test]
    fn what_is_told_of_a_call_decides() {
        let of = |status, cause, amd| Outcome::of(Told { status, cause, amd });
        assert_eq!(of("SUCCESS", 16, ""), Outcome::Answered);
        assert_eq!(of("SUCCESS", 16, "MACHINE"), Outcome::Machine);
        assert_eq!(of("SUCCESS", 16, "HANGUP"), Outcome::Gone);
        assert_eq!(of("BUSY", 17, ""), Outcome::Busy);
        assert_eq!(of("RINGING", 19, ""), Outcome::NoAnswer);
        assert_eq!(of("RINGING", 18, ""), Outcome::Failed);
        assert_eq!(of("FAILED", 21, ""), Outcome::Rejected);
        assert_eq!(of("FAILED", 1, ""), Outcome::Failed);
        assert_eq!(of("HANGUP", 16, ""), Outcome::Failed);
    }
}
