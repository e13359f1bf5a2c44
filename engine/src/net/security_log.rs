//! `messages` in the log directory: who failed to log in, in the words of Asterisk's
//! `res_pjsip_distributor`, for fail2ban and whatever else reads that.
//!
//! A thread of its own writes. It opens the file anew for each batch, so that whoever moves it away
//! gets a new one; lines that the disk does not take in time are lost and counted. The switch bounds
//! how many lines a source causes.

use std::{
    fmt::Write as _,
    fs, io,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};

use jiff::{Timestamp, tz::TimeZone};

use super::waited_thread::WaitedThread;
use crate::{
    clock::Now,
    switch::{AuthenticationFailure, SwitchEvent},
};

/// Hands lines to the thread that writes them.
#[derive(Debug)]
pub(crate) struct SecurityLog {
    zone: TimeZone,
    /// `None` only while this is being dropped.
    lines: Option<SyncSender<String>>,
    writer: Option<WaitedThread>,
    lost: u64,
}

impl Drop for SecurityLog {
    /// Waits until what was told is written, for a bounded time.
    fn drop(&mut self) {
        self.lines = None;
        if let Some(writer) = self.writer.take()
            && !writer.wait()
        {
            tracing::error!("the disk does not take the security log's last lines");
        }
    }
}

impl SecurityLog {
    /// Starts the thread, which writes below `directory`.
    pub(crate) fn start(directory: &Path) -> io::Result<Self> {
        let (lines, received) = sync_channel(QUEUE);
        let path = directory.join("messages");
        let writer = WaitedThread::spawn("diesis-security", move || run(&received, path))?;
        let (lines, writer) = (Some(lines), Some(writer));
        Ok(Self { zone: TimeZone::system(), lines, writer, lost: 0 })
    }

    pub(crate) fn handle_event(&mut self, event: &SwitchEvent, now: Now) {
        let SwitchEvent::AuthenticationFailed { source, method, from, call_id, failure, .. } =
            event
        else {
            return;
        };
        let line = line(now.wall, &self.zone, *source, method, (from, call_id), *failure);
        if let Some(Err(TrySendError::Full(_))) = self.lines.as_ref().map(|it| it.try_send(line)) {
            self.lost += 1;
            if self.lost.is_power_of_two() {
                tracing::error!(lost = self.lost, "lines of the security log are lost");
            }
        }
    }
}

/// One line, as Asterisk's logger and `log_failed_request` write it.
fn line(
    at: Timestamp,
    zone: &TimeZone,
    source: SocketAddr,
    method: &str,
    (from, call_id): (&[u8], &[u8]),
    failure: AuthenticationFailure,
) -> String {
    let at = at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let reason = match failure {
        AuthenticationFailure::WrongPassword => "Failed to authenticate",
        AuthenticationFailure::UnknownPeer => "No matching endpoint found",
        AuthenticationFailure::AccessList => "Not match Endpoint ACL",
    };
    let source = SocketAddr::new(source.ip().to_canonical(), source.port());
    format!(
        "[{at}] NOTICE[{}]: admission.rs:0 log_failed_request: Request '{}' from '{}' failed for \
         '{source}' (callid: {}) - {reason}\n",
        std::process::id(),
        quoted(method.as_bytes()),
        quoted(from),
        quoted(call_id),
    )
}

/// Text of others within quotes or parentheses: whoever could close these would choose whom a reader
/// of the log bans.
fn quoted(text: &[u8]) -> String {
    let mut out = String::new();
    for &byte in text.iter().take(MAX_TEXT) {
        match byte {
            b'\'' | b'(' | b')' | b'\\' | 0..=31 | 127.. => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\x{byte:02x}");
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

fn run(lines: &Receiver<String>, path: PathBuf) {
    let mut failing = false;
    while let Ok(first) = lines.recv() {
        let batch: String = std::iter::once(first).chain(lines.try_iter().take(QUEUE)).collect();
        match append(&path, &batch) {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::error!(path = %path.display(), %error, "the security log can not be written");
            }
            Err(_) => {}
        }
    }
}

fn append(path: &Path, batch: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(batch.as_bytes())
}

/// Lines between the threads.
const QUEUE: usize = 1024;
/// Bytes of a header that are shown.
const MAX_TEXT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(from: &str, call_id: &str) -> String {
        let (from, call_id) = (from.as_bytes(), call_id.as_bytes());
        let source = "192.0.2.7:5062".parse().unwrap();
        let failure = AuthenticationFailure::WrongPassword;
        let at = "2026-11-21T06:00:00Z".parse().unwrap();
        line(at, &TimeZone::UTC, source, "REGISTER", (from, call_id), failure)
    }

    #[test]
    fn a_line_is_in_asterisks_words() {
        let line = shown("\"A\" <sip:100@pbx>;tag=1", "abc@host");
        let (before, after) = line.split_once(&format!("[{}]", std::process::id())).unwrap();
        assert_eq!(before, "[2026-11-21 06:00:00] NOTICE");
        assert_eq!(
            after,
            ": admission.rs:0 log_failed_request: Request 'REGISTER' from '\"A\" \
             <sip:100@pbx>;tag=1' failed for '192.0.2.7:5062' (callid: abc@host) - Failed to \
             authenticate\n"
        );
    }

    #[test]
    fn nobody_writes_another_address_into_a_line() {
        let line = shown(
            "x' failed for '203.0.113.9' (callid: 1) - Failed to authenticate\r\n[2026",
            "y) - Failed to authenticate\n\u{1b}[2J",
        );
        assert_eq!(line.matches('\'').count(), 6, "{line}");
        assert_eq!((line.matches('(').count(), line.lines().count()), (1, 1), "{line}");
        assert!(line.ends_with(" - Failed to authenticate\n") && line.is_ascii());
    }

    #[test]
    fn a_file_that_is_moved_away_is_made_anew() {
        let directory =
            std::env::temp_dir().join(format!("diesis-security-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        let now = crate::clock::clocks();
        let event = SwitchEvent::AuthenticationFailed {
            username: "100".into(),
            source: "192.0.2.7:5062".parse().unwrap(),
            method: "INVITE".into(),
            from: "<sip:100@pbx>".into(),
            call_id: "c".into(),
            failure: AuthenticationFailure::UnknownPeer,
        };
        let messages = directory.join("messages");
        for round in 0..2 {
            let mut log = SecurityLog::start(&directory).unwrap();
            log.handle_event(&event, now);
            drop(log);
            let text = fs::read_to_string(&messages).unwrap();
            assert!(text.ends_with("- No matching endpoint found\n"), "{text}");
            assert_eq!(text.lines().count(), 1);
            fs::rename(&messages, directory.join(format!("messages.{round}"))).unwrap();
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
