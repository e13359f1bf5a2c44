//! A record as a line of `Master.csv`.

use std::{fmt::Write, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

use super::{CdrSettings, Record};
use crate::printable::Printable;

/// `cdr.conf` section `[csv]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CsvSettings {
    /// Dates in UTC instead of local time (`usegmtime`).
    pub utc: bool,
    /// The last but one column is the unique id (`loguniqueid`).
    pub unique_id: bool,
    /// The last column is the user field (`loguserfield`).
    pub user_field: bool,
}

impl Record {
    /// The line, with its end: texts in quotes, numbers bare, a quote inside doubled. Line ends and
    /// other control characters of callers are escaped, so that a record is one line.
    pub fn csv_line(&self, settings: &CdrSettings, zone: &TimeZone) -> String {
        let zone = if settings.csv.utc { &TimeZone::UTC } else { zone };
        let mut line = String::new();
        let text = |line: &mut String, value: &[u8]| {
            let value = Printable(value).to_string().replace('"', "\"\"");
            let _ = write!(line, "\"{value}\",");
        };
        let date = |line: &mut String, at: Option<Timestamp>| {
            let shown = at.map(|at| at.to_zoned(zone.clone()).strftime(DATE).to_string());
            let _ = write!(line, "\"{}\",", shown.unwrap_or_default());
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
        let _ = write!(line, "{},", self.billable_seconds(settings));
        text(&mut line, self.disposition.as_str().as_bytes());
        text(&mut line, ama_flags(self.ama_flags).as_bytes());
        if settings.csv.unique_id {
            text(&mut line, &self.unique_id);
        }
        if settings.csv.user_field {
            text(&mut line, &self.user_field);
        }
        // Every value is followed by a comma; the last one by the end of the line instead.
        line.pop();
        line.push('\n');
        line
    }

    fn billable_seconds(&self, settings: &CdrSettings) -> u64 {
        let begun = settings.initiated_seconds && self.billable.subsec_nanos() > 0;
        self.billable.saturating_add(Duration::from_secs(begun.into())).as_secs()
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
