//! Campaigns: many numbers called one after the other, some at a time, and again where that helps.
//!
//! Everything here is a value: a [`List`] of whom to call, a [`Pacing`] that says when whom, and the
//! [`Attempt`]s that are written down and read again. Who makes the calls is elsewhere.

mod attempt;
mod list;
mod outcome;
mod pacing;

pub use attempt::{
    Attempt, AttemptError, AttemptProblem, Begun, Made, columns, read_attempts, read_begun,
};
pub use list::{List, ListError, ListProblem, Row, read_numbers};
pub use outcome::{Outcome, OutcomeError, Retries, Retry, Told};
pub use pacing::{Entry, Final, Limits, Next, Opening, Pacing, Verdict};
