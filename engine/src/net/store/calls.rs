//! Call records as they are stored and looked for.

use std::{collections::BTreeMap, time::Duration};

use bstr::ByteSlice;
use jiff::Timestamp;
use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::file::{CALLS, Reason};
use crate::cdr::{self, Retention};

/// A call record as a row. Fields that a later version adds are absent from older rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoredCall {
    pub(crate) account: String,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) context: String,
    pub(crate) caller_id: String,
    pub(crate) channel: String,
    pub(crate) destination_channel: String,
    pub(crate) application: String,
    pub(crate) arguments: String,
    /// Microseconds since 1970.
    pub(crate) start: i64,
    pub(crate) answer: Option<i64>,
    pub(crate) end: i64,
    /// Whole seconds.
    pub(crate) duration: u64,
    pub(crate) billable: u64,
    pub(crate) disposition: String,
    pub(crate) ama_flags: String,
    pub(crate) unique_id: String,
    pub(crate) linked_id: String,
    pub(crate) peer_account: String,
    pub(crate) user_field: String,
    pub(crate) sequence: u32,
    /// What the dialplan set by CDR(name).
    pub(crate) fields: BTreeMap<String, String>,
    /// How the media of the caller was, and of who was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) media: Option<StoredQuality>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer_media: Option<StoredQuality>,
}

/// How the media of a channel was; times in microseconds, scores in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoredQuality {
    pub(crate) received_packets: u64,
    pub(crate) received_lost: u64,
    pub(crate) received_jitter: u64,
    pub(crate) received_score: Option<u16>,
    pub(crate) sent_packets: u64,
    pub(crate) sent_lost: Option<i32>,
    pub(crate) sent_jitter: Option<u64>,
    pub(crate) sent_score: Option<u16>,
    pub(crate) round_trip: Option<u64>,
}

impl From<&cdr::Quality> for StoredQuality {
    fn from(quality: &cdr::Quality) -> Self {
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            received_packets: quality.received_packets,
            received_lost: quality.received_lost,
            received_jitter: microseconds(quality.received_jitter),
            received_score: quality.received_score,
            sent_packets: quality.sent_packets,
            sent_lost: quality.sent_lost,
            sent_jitter: quality.sent_jitter.map(microseconds),
            sent_score: quality.sent_score,
            round_trip: quality.round_trip.map(microseconds),
        }
    }
}

impl From<&cdr::Record> for StoredCall {
    fn from(record: &cdr::Record) -> Self {
        let text = |bytes: &[u8]| bytes.to_str_lossy().into_owned();
        Self {
            account: text(&record.account_code),
            source: text(&record.source),
            destination: text(&record.destination),
            context: text(&record.context),
            caller_id: text(&record.caller_id),
            channel: text(&record.channel),
            destination_channel: text(&record.destination_channel),
            application: text(&record.last_application),
            arguments: text(&record.last_data),
            start: record.start.as_microsecond(),
            answer: record.answer.map(Timestamp::as_microsecond),
            end: record.end.as_microsecond(),
            duration: record.duration.as_secs(),
            billable: record.billable.as_secs(),
            disposition: record.disposition.as_str().to_owned(),
            ama_flags: cdr::ama_flags(record.ama_flags).to_owned(),
            unique_id: text(&record.unique_id),
            linked_id: text(&record.linked_id),
            peer_account: text(&record.peer_account),
            user_field: text(&record.user_field),
            sequence: record.sequence,
            fields: record.fields.iter().map(|(name, value)| (text(name), text(value))).collect(),
            media: record.media.as_ref().map(Into::into),
            peer_media: record.peer_media.as_ref().map(Into::into),
        }
    }
}

/// Which records are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallQuery {
    /// At most so many, the newest.
    pub(crate) last: usize,
    /// Those of this caller alone.
    pub(crate) from: Option<String>,
}

impl CallQuery {
    pub(super) fn wants(&self, call: &StoredCall) -> bool {
        self.from.as_ref().is_none_or(|from| *from == call.source)
    }
}

/// The records that are wanted, the oldest of them first.
pub(super) fn find(database: &Database, query: &CallQuery) -> Result<Vec<StoredCall>, Reason> {
    let read = database.begin_read()?;
    let table = read.open_table(CALLS)?;
    let mut found = Vec::new();
    for row in table.iter()?.rev() {
        if found.len() >= query.last {
            break;
        }
        let (number, call) = row?;
        match serde_json::from_slice::<StoredCall>(call.value()) {
            Ok(call) if query.wants(&call) => found.push(call),
            Ok(_) => {}
            Err(error) => {
                tracing::error!(number = number.value(), %error, "a call record can not be read");
            }
        }
    }
    found.reverse();
    Ok(found)
}

/// Appends records behind those that are there.
pub(super) fn append<'a>(
    write: &WriteTransaction,
    calls: impl IntoIterator<Item = &'a StoredCall>,
) -> Result<(), Reason> {
    let mut table = write.open_table(CALLS)?;
    let last = table.last()?.map(|(number, _)| number.value());
    let numbers = last.map_or(0, |last| last + 1)..;
    for (number, call) in numbers.zip(calls) {
        let row = serde_json::to_vec(call).map_err(|error| Reason::System(error.into()))?;
        table.insert(number, row.as_slice())?;
    }
    Ok(())
}

/// Forgets records that are too many or too old; some at a time.
pub(super) fn prune(
    write: &WriteTransaction,
    retention: Retention,
    now: Timestamp,
) -> Result<(), Reason> {
    let mut table = write.open_table(CALLS)?;
    let mut spare = redb::ReadableTableMetadata::len(&table)?.saturating_sub(retention.records);
    let age = i64::from(retention.days) * MICROSECONDS_A_DAY;
    let oldest = (age > 0).then(|| now.as_microsecond().saturating_sub(age));
    for _ in 0..MOST_PRUNED {
        let first = table.first()?.map(|(number, call)| {
            let ended = || serde_json::from_slice(call.value()).map_or(0, |it: StoredCall| it.end);
            (number.value(), oldest.is_some_and(|oldest| ended() < oldest))
        });
        match first {
            Some((number, is_old)) if spare > 0 || is_old => drop(table.remove(number)?),
            _ => break,
        }
        spare = spare.saturating_sub(1);
    }
    Ok(())
}

const MICROSECONDS_A_DAY: i64 = 86_400 * 1_000_000;
/// Records forgotten in one commit.
const MOST_PRUNED: usize = 10_000;
