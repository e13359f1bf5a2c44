//! The record of a call, as CDR() reads and writes it.
//!
//! The host keeps it: it knows when the call began, was answered and ended. The dialplan adds its own fields.

use bstr::{BStr, BString};
use jiff::{Timestamp, tz::TimeZone};

use crate::channel::Channel;
use crate::expression::write_whole;
use crate::variables::Variables;

/// What is known of one call for billing.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// When it came in.
    pub start: Timestamp,
    /// When it was answered.
    pub answer: Option<Timestamp>,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// How it went so far.
    pub disposition: Disposition,
    /// The called channel, once there is one.
    pub destination_channel: BString,
    /// Where the caller is, or was before a subroutine; empty: where the channel is.
    pub context: BString,
    /// Where the caller is, or was before a subroutine; empty: where the channel is.
    pub extension: BString,
    /// The last application that ran.
    pub last_application: BString,
    /// Its arguments.
    pub last_data: BString,
    /// Its number among all records.
    pub sequence: u32,
    /// Fields of the dialplan's own.
    pub fields: Variables,
    /// CDR_PROP(disable): nothing is written at the end.
    pub is_disabled: bool,
    /// CDR_PROP(party_a): this channel stays the caller when it is bridged.
    pub is_caller: bool,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disposition {
    /// Nobody answered.
    #[default]
    NoAnswer,
    /// It could not be tried.
    Failed,
    /// Busy.
    Busy,
    /// Answered.
    Answered,
    /// The network refused.
    Congestion,
}

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people: dates, names.
    Shown,
    /// Option `u`: seconds since 1970 and numbers.
    Raw,
    /// Option `f`: durations with a fraction.
    Fractional,
}

impl Disposition {
    /// As CDR(disposition) shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "NO ANSWER",
            Self::Failed => "FAILED",
            Self::Busy => "BUSY",
            Self::Answered => "ANSWERED",
            Self::Congestion => "CONGESTION",
        }
    }

    /// As CDR(disposition,u) gives it.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::NoAnswer => 0,
            Self::Failed => 2,
            Self::Busy => 4,
            Self::Answered => 8,
            Self::Congestion => 16,
        }
    }
}

impl CallRecord {
    /// The record of a call that comes in now.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            start,
            answer: None,
            end: None,
            disposition: Disposition::default(),
            destination_channel: BString::default(),
            context: BString::default(),
            extension: BString::default(),
            last_application: BString::default(),
            last_data: BString::default(),
            sequence: 0,
            fields: Variables::new(),
            is_disabled: false,
            is_caller: false,
        }
    }

    /// Begins anew (ResetCDR): the times count from now on, an answered call is answered now.
    pub fn restart(&mut self, now: Timestamp) {
        self.start = now;
        self.answer = self.answer.map(|_| now);
        self.end = None;
    }

    /// Appends the value of a field; `false` when it has none.
    pub fn write(&self, name: &[u8], form: Form, at: &Moment<'_>, out: &mut Vec<u8>) -> bool {
        let channel = at.channel;
        let time = |time: Option<Timestamp>, out: &mut Vec<u8>| match (time, form) {
            (None, Form::Raw) => out.extend_from_slice(b"0.000000"),
            (None, _) => {}
            (Some(time), Form::Raw) => {
                let text = format!("{}.{:06}", time.as_second(), time.subsec_microsecond());
                out.extend_from_slice(text.as_bytes());
            }
            (Some(time), _) => {
                let local = time.to_zoned(at.zone.clone());
                let text = local.strftime("%Y-%m-%d %H:%M:%S").to_string();
                out.extend_from_slice(text.as_bytes());
            }
        };
        let length = |since: Option<Timestamp>, out: &mut Vec<u8>| {
            let until = self.end.unwrap_or(at.now);
            let length = since.map_or(0.0, |since| until.duration_since(since).as_secs_f64());
            let length = length.max(0.0);
            match form {
                Form::Fractional => out.extend_from_slice(format!("{length:.6}").as_bytes()),
                Form::Shown | Form::Raw => write_whole(length as i64, out),
            }
        };
        let caller = &channel.caller;
        match name {
            b"clid" => {
                let number = caller.number.as_ref();
                match caller.name.as_ref().filter(|name| !name.is_empty()) {
                    Some(name) => {
                        out.push(b'"');
                        out.extend_from_slice(name);
                        out.extend_from_slice(b"\" <");
                        out.extend_from_slice(number.map(|text| text.as_slice()).unwrap_or(b""));
                        out.push(b'>');
                    }
                    None => out.extend_from_slice(number.map_or(b"", |text| text.as_slice())),
                }
            }
            b"src" => {
                let number = caller.number.as_ref();
                out.extend_from_slice(number.map_or(b"", |text| text.as_slice()));
            }
            b"dst" if self.extension.is_empty() => out.extend_from_slice(at.extension),
            b"dst" => out.extend_from_slice(&self.extension),
            b"dcontext" if self.context.is_empty() => out.extend_from_slice(at.context),
            b"dcontext" => out.extend_from_slice(&self.context),
            b"channel" => out.extend_from_slice(&channel.name),
            b"dstchannel" => out.extend_from_slice(&self.destination_channel),
            b"lastapp" => out.extend_from_slice(&self.last_application),
            b"lastdata" => out.extend_from_slice(&self.last_data),
            b"start" => time(Some(self.start), out),
            b"answer" => time(self.answer, out),
            b"end" => time(self.end, out),
            b"duration" => length(Some(self.start), out),
            b"billsec" => length(self.answer, out),
            b"disposition" if form == Form::Raw => {
                write_whole(i64::from(self.disposition.code()), out);
            }
            b"disposition" => out.extend_from_slice(self.disposition.as_str().as_bytes()),
            b"amaflags" if form == Form::Raw => write_whole(i64::from(channel.ama_flags), out),
            b"amaflags" => out.extend_from_slice(match channel.ama_flags {
                1 => b"OMIT",
                2 => b"BILLING",
                3 => b"DOCUMENTATION",
                _ => b"Unknown",
            }),
            b"accountcode" => out.extend_from_slice(&channel.account_code),
            b"peeraccount" => out.extend_from_slice(&channel.peer_account),
            b"userfield" => out.extend_from_slice(&channel.user_field),
            b"uniqueid" => out.extend_from_slice(&channel.unique_id),
            b"linkedid" if channel.linked_id.is_empty() => {
                out.extend_from_slice(&channel.unique_id);
            }
            b"linkedid" => out.extend_from_slice(&channel.linked_id),
            b"sequence" => write_whole(i64::from(self.sequence), out),
            own => match self.fields.value(own) {
                Some(value) => out.extend_from_slice(value),
                None => return false,
            },
        }
        true
    }
}

/// What becomes of the dialplan's own fields when a record begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFields {
    /// They stay (`v`).
    Kept,
    /// They go.
    Forgotten,
}

/// What of the present record another one begins with (ForkCDR).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// Whose times it has.
    pub times: ForkTimes,
    /// Whether the records so far end now (`e`).
    pub ends_others: bool,
    /// Whether it has the fields of the dialplan's own (`v`).
    pub keeps_fields: bool,
}

/// The times of a forked record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForkTimes {
    /// Those of the present one.
    Same,
    /// The same start; an answered call is answered now (`a`).
    AnsweredNow,
    /// It begins now (`r`).
    Now,
}

/// What a field depends on besides the record.
#[derive(Debug)]
pub struct Moment<'a> {
    /// The call's channel.
    pub channel: &'a Channel,
    /// Where it is.
    pub context: &'a BStr,
    /// Where it is.
    pub extension: &'a BStr,
    /// The time, as the record's times are counted.
    pub now: Timestamp,
    /// The zone that dates are shown in.
    pub zone: TimeZone,
}

/// Fields that the dialplan can not write.
pub(crate) const READ_ONLY: [&str; 15] = [
    "answer",
    "billsec",
    "channel",
    "clid",
    "dcontext",
    "disposition",
    "dst",
    "dstchannel",
    "duration",
    "end",
    "lastapp",
    "lastdata",
    "sequence",
    "src",
    "start",
];

/// Fields of the dialplan's own in one record.
pub(crate) const MOST_FIELDS: usize = 256;
