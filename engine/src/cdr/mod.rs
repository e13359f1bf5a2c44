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

use crate::media::{Rating, StreamStatistics};

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
    /// How the caller's media was, from its call's beginning to this record's end.
    pub media: Option<Quality>,
    /// The same of who was called.
    pub peer_media: Option<Quality>,
}

/// How the media of one channel was: what it sent us (received) and what we sent it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quality {
    /// Packets that came.
    pub received_packets: u64,
    /// Packets that should have come.
    pub received_lost: u64,
    /// Interarrival jitter of them.
    pub received_jitter: Duration,
    /// Expected opinion score of them, in hundredths: 100 to 450.
    pub received_score: Option<u16>,
    /// Packets that we sent.
    pub sent_packets: u64,
    /// How many of them were lost, as the far end said; `None`: it said nothing.
    pub sent_lost: Option<i32>,
    /// Their jitter, as the far end said.
    pub sent_jitter: Option<Duration>,
    /// Their expected opinion score, in hundredths.
    pub sent_score: Option<u16>,
    /// To the far end and back.
    pub round_trip: Option<Duration>,
}

impl From<&StreamStatistics> for Quality {
    fn from(statistics: &StreamStatistics) -> Self {
        let score = |rating: Option<Rating>| {
            rating.map(|rating| (rating.opinion_score() * 100.0).round() as u16)
        };
        Self {
            received_packets: statistics.received_packets,
            received_lost: statistics.lost,
            received_jitter: statistics.interarrival_jitter,
            received_score: score(statistics.received_rating()),
            sent_packets: statistics.sent_packets,
            sent_lost: statistics.sent_lost,
            sent_jitter: statistics.sent_jitter,
            sent_score: score(statistics.sent_rating()),
            round_trip: statistics.round_trip,
        }
    }
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
