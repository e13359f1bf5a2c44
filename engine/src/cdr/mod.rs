//! Call detail records: who called whom, when, for how long, and how it went.
//!
//! A ledger follows the calls of a switch and gives a [`Record`] for each pair of parties, and one for
//! each stretch of a caller who met the dialplan alone, as Asterisk's CDR engine does; the dialplan
//! reads and writes the present one by CDR(). Lengths are measured on the monotonic clock; the dates are
//! counted from the date at which the call began, so that a clock that is set meanwhile makes no call
//! shorter or longer.

mod chain;
mod csv;
mod ledger;

use std::time::Duration;

use bstr::BString;
pub use diesis_dialplan::record::Disposition;
use jiff::Timestamp;

pub use csv::CsvSettings;
#[cfg(feature = "net")]
pub(crate) use csv::ama_flags;
pub(crate) use ledger::{Ledger, Started};

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// CHANNEL(accountcode) of the caller.
    pub account_code: BString,
    /// The caller's number.
    pub source: BString,
    /// The extension that the caller was at last.
    pub destination: BString,
    /// Its context.
    pub context: BString,
    /// The caller's name and number.
    pub caller_id: BString,
    /// The caller's channel.
    pub channel: BString,
    /// The called channel; empty where nobody was called.
    pub destination_channel: BString,
    /// The last application that ran for the caller.
    pub last_application: BString,
    /// Its arguments.
    pub last_data: BString,
    /// When it began.
    pub start: Timestamp,
    /// When it was answered.
    pub answer: Option<Timestamp>,
    /// When it ended.
    pub end: Timestamp,
    /// From start to end.
    pub duration: Duration,
    /// From answer to end.
    pub billable: Duration,
    /// How it went.
    pub disposition: Disposition,
    /// CHANNEL(amaflags) of the caller.
    pub ama_flags: i32,
    /// UNIQUEID of the caller.
    pub unique_id: BString,
    /// CHANNEL(userfield) of the caller.
    pub user_field: BString,
    /// CHANNEL(accountcode) of who was called.
    pub peer_account: BString,
    /// LINKEDID of the caller.
    pub linked_id: BString,
    /// Its number since the engine started.
    pub sequence: u32,
    /// What the dialplan set by CDR(name), by name.
    pub fields: Vec<(BString, BString)>,
}

/// `cdr.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CdrSettings {
    /// Whether calls that met nobody and were never answered are recorded (`unanswered`).
    pub unanswered: bool,
    /// Whether a congested network has a disposition of its own (`congestion`); else it failed.
    pub congestion: bool,
    /// Whether a record ends with its call and not only after the `h` extension
    /// (`endbeforehexten`). Default: yes, so that `h` sees how the call went.
    pub end_before_h: bool,
    /// Whether a begun second counts as a whole one (`initiatedseconds`).
    pub initiated_seconds: bool,
    /// How `Master.csv` is written. Default: it is not.
    pub csv: Option<CsvSettings>,
    /// How many records the store keeps.
    pub retention: Retention,
}

impl Default for CdrSettings {
    fn default() -> Self {
        Self {
            unanswered: false,
            congestion: false,
            end_before_h: true,
            initiated_seconds: false,
            csv: None,
            retention: Retention::default(),
        }
    }
}

/// `cdr.conf` section `[store]`: how many records the store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// At most so many (`records`); the oldest go first. Default 100,000: some 60 MB.
    pub records: u64,
    /// At most for so many days (`days`). Default 0: however old.
    pub days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { records: 100_000, days: 0 }
    }
}
