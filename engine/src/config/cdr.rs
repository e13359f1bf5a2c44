//! `cdr.conf`: whether and how calls are recorded.

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::Block;
use crate::cdr::{CdrSettings, CsvSettings};

/// Reads all sections of the file; `None` when recording is switched off.
pub(super) fn read(sections: &[Block<'_>], notes: &mut Notes) -> Option<CdrSettings> {
    let mut settings = CdrSettings::default();
    let mut csv = CsvSettings::default();
    let mut enable = true;
    for section in sections {
        match section.name().to_ascii_lowercase().as_slice() {
            b"general" => section.each(&keys::CDR, notes, |name, setting| match name {
                b"enable" => setting.yes_no(&mut enable),
                b"unanswered" => setting.yes_no(&mut settings.unanswered),
                b"congestion" => setting.yes_no(&mut settings.congestion),
                b"endbeforehexten" => setting.yes_no(&mut settings.end_before_h),
                b"initiatedseconds" => setting.yes_no(&mut settings.initiated_seconds),
                _ => setting.judge(),
            }),
            b"csv" => section.each(&keys::CDR_CSV, notes, |name, setting| match name {
                b"usegmtime" => setting.yes_no(&mut csv.utc),
                b"loguniqueid" => setting.yes_no(&mut csv.unique_id),
                b"newcdrcolumns" => setting.yes_no(&mut csv.new_columns),
                b"accountlogs" => setting.yes_no(&mut csv.account_files),
                b"loguserfield" => setting.yes_no(&mut csv.user_field),
                _ => setting.judge(),
            }),
            b"store" => section.each(&keys::CDR_STORE, notes, |name, setting| match name {
                b"records" => setting.number(&mut settings.retention.records, 0..=MOST_RECORDS),
                b"days" => setting.number(&mut settings.retention.days, 0..=36_500),
                _ => setting.judge(),
            }),
            _ if section.is_empty() => {}
            _ => notes.warn(
                codes::SECTION_UNKNOWN,
                section.header,
                format!("[{}] of cdr.conf is not read", section.name()),
                "records are written to cdr-csv/Master.csv and to the store alone",
            ),
        }
    }
    settings.csv = Some(csv);
    enable.then_some(settings)
}

/// More than this is a slip of the finger: it would be terabytes.
const MOST_RECORDS: u32 = 1_000_000_000;
