//! `cdr.conf`: whether and how calls are recorded.

use super::codes;
use super::keys;
use super::notes::Notes;
use super::setting::Block;
use crate::cdr::CdrSettings;

/// Reads all sections of the file; `None` when recording is switched off.
pub(super) fn read(sections: &[Block<'_>], notes: &mut Notes) -> Option<CdrSettings> {
    let mut settings = CdrSettings::default();
    let mut enable = true;
    for section in sections {
        match section.name().to_ascii_lowercase().as_slice() {
            b"general" => section.each(&keys::CDR, notes, |name, setting| match name {
                b"enable" => setting.yes_no(&mut enable),
                b"unanswered" => setting.yes_no(&mut settings.unanswered),
                b"congestion" => setting.yes_no(&mut settings.congestion),
                b"initiatedseconds" => setting.yes_no(&mut settings.initiated_seconds),
                _ => setting.judge(),
            }),
            b"csv" => section.each(&keys::CDR_CSV, notes, |name, setting| match name {
                b"usegmtime" => setting.yes_no(&mut settings.csv.utc),
                b"loguniqueid" => setting.yes_no(&mut settings.csv.unique_id),
                b"loguserfield" => setting.yes_no(&mut settings.csv.user_field),
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
    enable.then_some(settings)
}

/// More than this is a slip of the finger: it would be terabytes.
const MOST_RECORDS: u32 = 1_000_000_000;
