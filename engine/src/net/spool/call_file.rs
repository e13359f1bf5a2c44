//! A call file: lines of `Key: value` that say whom to call and what then, as Asterisk's pbx_spool
//! reads them.

use std::time::Duration;

use bstr::{BString, ByteSlice};
use diesis_dialplan::operation::{Destination, OriginateTarget};

use crate::{
    config::CodecName,
    switch::{Numbers, Originate},
};

/// What a call file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallFile {
    pub(super) originate: Originate,
    /// The label of the priority, when it is not a number.
    pub(super) label: Option<BString>,
    /// Tries after the first.
    pub(super) most_retries: u32,
    /// Between two tries.
    pub(super) retry_time: Duration,
    /// Tries that are over, as earlier ones wrote down.
    pub(super) tried: u32,
    /// Who is trying, as written down; it may have died.
    pub(super) tried_by: Option<u32>,
    pub(super) end: FileEnd,
    /// Whether it is removed although somebody changed it meanwhile.
    pub(super) always_delete: bool,
}

/// What becomes of a file that is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileEnd {
    Deleted,
    Archived,
}

/// Why a file is no call file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallFileError {
    /// A line without a colon.
    #[error("line {0}: there is no colon")]
    NoColon(usize),
    /// A line with an unknown name before the colon.
    #[error("line {0}: {1:?} is no keyword")]
    Keyword(usize, BString),
    /// A line whose value means nothing to its name.
    #[error("line {0}: {2:?} is no value of {1}")]
    Value(usize, BString, BString),
    /// There is no `Channel`.
    #[error("it names nobody to call: `Channel: TECHNOLOGY/WHOM`")]
    NobodyToCall,
    /// There is nothing that the call is to do.
    #[error("it names neither `Application` nor `Extension`")]
    NothingToDo,
}

impl CallFile {
    /// Reads the whole text of a file.
    pub(super) fn parse(text: &[u8]) -> Result<Self, CallFileError> {
        let mut draft = Draft::default();
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            draft.take(at + 1, line)?;
        }
        draft.finish()
    }
}

/// What was read so far.
#[derive(Debug)]
struct Draft {
    destination: Option<Destination>,
    caller_number: BString,
    caller_name: BString,
    application: Option<BString>,
    data: BString,
    context: BString,
    extension: Option<BString>,
    priority: u32,
    label: Option<BString>,
    most_retries: u32,
    retry_time: u64,
    wait_time: u64,
    tried: u32,
    tried_by: Option<u32>,
    variables: Vec<(BString, BString)>,
    account: BString,
    codecs: Vec<CodecName>,
    numbers: Numbers,
    end: FileEnd,
    always_delete: bool,
}

impl Default for Draft {
    /// As in Asterisk: five minutes between tries, 45 seconds of ringing.
    fn default() -> Self {
        Self {
            destination: None,
            caller_number: BString::default(),
            caller_name: BString::default(),
            application: None,
            data: BString::default(),
            context: "default".into(),
            extension: None,
            priority: 1,
            label: None,
            most_retries: 0,
            retry_time: 300,
            wait_time: 45,
            tried: 0,
            tried_by: None,
            variables: Vec::new(),
            account: BString::default(),
            codecs: Vec::new(),
            numbers: Numbers::default(),
            end: FileEnd::Deleted,
            always_delete: true,
        }
    }
}

impl Draft {
    fn take(&mut self, at: usize, line: &[u8]) -> Result<(), CallFileError> {
        let line = without_comment(line);
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let (key, value) = line.split_once_str(":").ok_or(CallFileError::NoColon(at))?;
        let (key, value) = (key.trim_ascii(), value.trim_ascii());
        let bad = || CallFileError::Value(at, key.into(), value.into());
        let number = || {
            let text = value.to_str().ok();
            text.and_then(|text| text.parse::<u32>().ok()).ok_or_else(bad)
        };
        match key.to_ascii_lowercase().as_slice() {
            b"channel" => {
                self.destination = Some(Originate::destination(value).ok_or_else(bad)?);
            }
            b"callerid" => (self.caller_name, self.caller_number) = caller(value),
            b"application" => self.application = Some(value.into()),
            b"data" => self.data = value.into(),
            b"context" => self.context = value.into(),
            b"extension" => self.extension = Some(value.into()),
            b"priority" => match number() {
                Ok(priority) if priority > 0 => self.priority = priority,
                Ok(_) => return Err(bad()),
                Err(_) => self.label = Some(value.into()),
            },
            b"maxretries" => self.most_retries = number()?,
            b"retrytime" => self.retry_time = number()?.max(1).into(),
            b"waittime" => self.wait_time = number()?.max(1).into(),
            b"set" | b"setvar" => {
                let (name, value) = value.split_once_str("=").ok_or_else(bad)?;
                self.variables.push((name.trim_ascii().into(), value.into()));
            }
            b"account" => self.account = value.into(),
            b"numbering" => {
                self.numbers = if is_true(value) { Numbers::Written } else { Numbers::Dialled };
            }
            b"codecs" => self.codecs = Originate::codecs(value).map_err(|_| bad())?,
            b"archive" => {
                self.end = if is_true(value) { FileEnd::Archived } else { FileEnd::Deleted };
            }
            b"alwaysdelete" => self.always_delete = is_true(value),
            // What tries write down. One that began and did not end was cut off.
            b"startretry" => {
                let pid = value.split(|byte| *byte == b' ').next().unwrap_or_default();
                self.tried_by = pid.to_str().ok().and_then(|pid| pid.parse().ok());
            }
            b"endretry" | b"abortretry" | b"retry" => {
                self.tried = self.tried.saturating_add(1);
                self.tried_by = None;
            }
            b"delayedretry" => {}
            _ => return Err(CallFileError::Keyword(at, key.into())),
        }
        Ok(())
    }

    fn finish(self) -> Result<CallFile, CallFileError> {
        let destination = self.destination.ok_or(CallFileError::NobodyToCall)?;
        let application = self.application.filter(|name| !name.is_empty());
        let extension = self.extension.filter(|name| !name.is_empty());
        let target = match (application, extension) {
            (Some(name), _) => OriginateTarget::Application { name, arguments: self.data },
            (None, Some(extension)) => {
                OriginateTarget::Place { context: self.context, extension, priority: self.priority }
            }
            (None, None) => return Err(CallFileError::NothingToDo),
        };
        let originate = Originate {
            ring_timeout: Duration::from_secs(self.wait_time),
            caller_number: self.caller_number,
            caller_name: self.caller_name,
            account: self.account,
            variables: self.variables,
            codecs: self.codecs,
            numbers: self.numbers,
            ..Originate::new(destination, target)
        };
        Ok(CallFile {
            originate,
            label: self.label,
            most_retries: self.most_retries,
            retry_time: Duration::from_secs(self.retry_time),
            tried: self.tried,
            tried_by: self.tried_by,
            end: self.end,
            always_delete: self.always_delete,
        })
    }
}

/// A `#` at the start or behind a blank, and a `;` that is not escaped, begin a comment.
fn without_comment(line: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::with_capacity(line.len());
    for &byte in line {
        match (byte, kept.last()) {
            (b'#', None | Some(b' ' | b'\t')) => break,
            (b';', Some(b'\\')) => {
                kept.pop();
                kept.push(byte);
            }
            (b';', _) => break,
            _ => kept.push(byte),
        }
    }
    kept
}

/// `"Name" <number>`, `Name <number>` or a number: name and number.
fn caller(text: &[u8]) -> (BString, BString) {
    let Some((name, rest)) = text.split_once_str("<") else {
        let is_number = text.iter().all(|byte| byte.is_ascii_digit() || b"+*#-() ".contains(byte));
        return if is_number {
            (BString::default(), text.into())
        } else {
            (text.into(), BString::default())
        };
    };
    let number = rest.split(|byte| *byte == b'>').next().unwrap_or_default().trim_ascii();
    let name = name.trim_ascii();
    let unquoted = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\""));
    (unquoted.unwrap_or(name).into(), number.into())
}

fn is_true(value: &[u8]) -> bool {
    let words: [&[u8]; 6] = [b"yes", b"true", b"y", b"t", b"1", b"on"];
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_whom_to_call_and_what_then() {
        let file = CallFile::parse(
            b"# a call\nChannel: PJSIP/200\r\nCallerid: \"Front desk\" <100> ; who\n\
              MaxRetries: 2\nRetryTime: 60\nWaitTime: 30\nContext: office\nExtension: 300\n\
              Priority: 2\nSetvar: COLOUR=red\\; dark\nset: _SHAPE=round\nAccount: sales\n\
              Codecs: alaw,ulaw\nArchive: yes\nAlwaysDelete: no\n\
              StartRetry: 77 1 (1700000000)\nEndRetry: 77 1 (1700000045)\n",
        )
        .expect("a call file");
        let Originate { caller_name, caller_number, variables, codecs, .. } = &file.originate;
        assert_eq!((caller_name, caller_number), (&"Front desk".into(), &"100".into()));
        assert_eq!(variables[0], ("COLOUR".into(), "red; dark".into()));
        assert_eq!(variables[1], ("_SHAPE".into(), "round".into()));
        assert_eq!(codecs, &[CodecName::Pcma, CodecName::Pcmu]);
        assert_eq!(file.originate.ring_timeout, Duration::from_secs(30));
        assert_eq!(file.originate.account, "sales");
        let place = OriginateTarget::Place {
            context: "office".into(),
            extension: "300".into(),
            priority: 2,
        };
        assert_eq!(file.originate.target, place);
        assert_eq!((file.most_retries, file.retry_time), (2, Duration::from_secs(60)));
        assert_eq!((file.tried, file.tried_by), (1, None));
        assert_eq!((file.end, file.always_delete), (FileEnd::Archived, false));
    }

    #[test]
    fn what_is_not_said_is_as_asterisk_has_it() {
        let file = CallFile::parse(b"Channel: Local/1@a\nApplication: Playback\nData: hello");
        let file = file.expect("a call file");
        assert_eq!(file.originate.ring_timeout, Duration::from_secs(45));
        assert_eq!((file.most_retries, file.retry_time), (0, Duration::from_secs(300)));
        assert_eq!((file.end, file.always_delete), (FileEnd::Deleted, true));
        let playback =
            OriginateTarget::Application { name: "Playback".into(), arguments: "hello".into() };
        assert_eq!(file.originate.target, playback);
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line() {
        let error = |text: &str| CallFile::parse(text.as_bytes()).expect_err(text);
        assert_eq!(error("Channel PJSIP"), CallFileError::NoColon(1));
        assert_eq!(error("\nDance: yes"), CallFileError::Keyword(2, "Dance".into()));
        let bad = CallFileError::Value(1, "MaxRetries".into(), "many".into());
        assert_eq!(error("MaxRetries: many"), bad);
        let bad = CallFileError::Value(1, "Codecs".into(), "g729".into());
        assert_eq!(error("Codecs: g729"), bad);
        assert_eq!(error(""), CallFileError::NobodyToCall);
        assert_eq!(error("Channel: PJSIP/1"), CallFileError::NothingToDo);
        assert!(CallFile::parse(b"\xff\xfe\0\n\0:").is_err());
    }

    #[test]
    fn a_try_that_was_cut_off_is_known_by_who_tried() {
        let text = b"Channel: PJSIP/1\nExtension: 1\nStartRetry: 4711 1 (1700000000)\n";
        let file = CallFile::parse(text).expect("a call file");
        assert_eq!((file.tried, file.tried_by), (0, Some(4711)));
    }

    #[test]
    fn a_caller_is_a_number_a_name_or_both() {
        for (text, name, number) in [
            ("100", "", "100"),
            ("Alice", "Alice", ""),
            ("Alice <100>", "Alice", "100"),
            ("\"Alice\" <100>", "Alice", "100"),
            ("<100", "", "100"),
        ] {
            assert_eq!(caller(text.as_bytes()), (name.into(), number.into()), "{text}");
        }
    }
}
