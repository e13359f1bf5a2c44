//! A record as a line of `Master.csv`.

use std::fmt::Write;

use jiff::{Timestamp, tz::TimeZone};

use super::Record;
use crate::printable::Printable;

/// `cdr.conf` section `[csv]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvSettings {
    /// Dates in UTC instead of local time (`usegmtime`).
    pub utc: bool,
    /// The column behind the flags is the unique id (`loguniqueid`).
    pub unique_id: bool,
    /// The next column is the user field (`loguserfield`).
    pub user_field: bool,
    /// The last columns are the account of who was called, the linked id and the sequence number
    /// (`newcdrcolumns`).
    pub new_columns: bool,
    /// Calls of an account are written to a file of its name as well (`accountlogs`). Default: yes,
    /// as in Asterisk.
    pub account_files: bool,
}

impl Default for CsvSettings {
    fn default() -> Self {
        let (unique_id, user_field, new_columns) = (false, false, false);
        Self { utc: false, unique_id, user_field, new_columns, account_files: true }
    }
}

impl Record {
    /// The line, with its end: texts in quotes, numbers bare, a quote inside doubled. Line ends and
    /// other control characters of callers are escaped, so that a record is one line.
    pub fn csv_line(&self, settings: &CsvSettings, zone: &TimeZone) -> String {
        let zone = if settings.utc { &TimeZone::UTC } else { zone };
        let mut line = String::new();
        let text = |line: &mut String, value: &[u8]| {
            let value = Printable(value).to_string().replace('"', "\"\"");
            let _ = write!(line, "\"{value}\",");
        };
        let date = |line: &mut String, at: Option<Timestamp>| {
            // What did not happen has no quotes either.
            let _ = match at {
                Some(at) => write!(line, "\"{}\",", at.to_zoned(zone.clone()).strftime(DATE)),
                None => write!(line, ","),
            };
        };
        for value in [
            &self.account_code,
            &self.source,
            &self.destination,
            &self.context,
            &self.caller_id,
            &self.channel,
            &self.destination_channel,
            &self.last_application,
            &self.last_data,
        ] {
            text(&mut line, value);
        }
        date(&mut line, Some(self.start));
        date(&mut line, self.answer);
        date(&mut line, Some(self.end));
        let _ = write!(line, "{},", self.duration.as_secs());
        let _ = write!(line, "{},", self.billable.as_secs());
        text(&mut line, self.disposition.as_str().as_bytes());
        text(&mut line, ama_flags(self.ama_flags).as_bytes());
        if settings.unique_id {
            text(&mut line, &self.unique_id);
        }
        if settings.user_field {
            text(&mut line, &self.user_field);
        }
        if settings.new_columns {
            text(&mut line, &self.peer_account);
            text(&mut line, &self.linked_id);
            let _ = write!(line, "{},", self.sequence);
        }
        // Every value is followed by a comma; the last one by the end of the line instead.
        line.pop();
        line.push('\n');
        line
    }
}

/// CDR(amaflags) in words.
pub(crate) fn ama_flags(number: i32) -> &'static str {
    match number {
        1 => "OMIT",
        2 => "BILLING",
        // What a channel has unless something else is set, in Asterisk.
        _ => "DOCUMENTATION",
    }
}

const DATE: &str = "%Y-%m-%d %H:%M:%S";
