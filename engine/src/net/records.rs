//! Writes call records to `cdr-csv/Master.csv` and to a file for each account: one thread, which may
//! wait for the disk.
//!
//! The file is opened anew for each batch, so that whoever moves it away gets a new one; a disk that
//! takes nothing keeps the records in memory, and they are tried again.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{waited_thread::WaitedThread, whole_lines::append};
use crate::{
    cdr::{CsvSettings, Record},
    printable::Printable,
};

/// Hands records to the thread that writes.
#[derive(Debug)]
pub(crate) struct CallRecords {
    settings: CsvSettings,
    zone: TimeZone,
    /// `None` only while this is being dropped.
    lines: Option<SyncSender<Line>>,
    writer: Option<WaitedThread>,
    lost: u64,
}

/// A line of `Master.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    /// Whose file has it as well.
    account: Option<String>,
}

impl Drop for CallRecords {
    /// Waits until what was recorded is on the disk, for a bounded time.
    fn drop(&mut self) {
        self.lines = None;
        if let Some(writer) = self.writer.take()
            && !writer.wait()
        {
            tracing::error!("the disk does not take the last call records; they are given up");
        }
    }
}

impl CallRecords {
    /// Starts the thread, which writes to `cdr-csv` below `directory`.
    pub(crate) fn start(settings: CsvSettings, directory: &Path) -> io::Result<Self> {
        let (lines, received) = sync_channel(QUEUE);
        let directory = directory.join("cdr-csv");
        let writer =
            WaitedThread::spawn("diesis-records", move || Writer::new(directory).run(&received))?;
        let (lines, writer) = (Some(lines), Some(writer));
        Ok(Self { settings, zone: TimeZone::system(), lines, writer, lost: 0 })
    }

    pub(crate) fn write(&mut self, record: &Record) {
        let account = Some(&record.account_code)
            .filter(|account| self.settings.account_files && !account.is_empty());
        let line = Line {
            text: record.csv_line(&self.settings, &self.zone),
            account: account.map(|account| Printable(account).to_string()),
        };
        let Some(lines) = &self.lines else { return };
        if let Err(TrySendError::Full(_)) = lines.try_send(line) {
            self.lost += 1;
            if self.lost.is_power_of_two() {
                tracing::error!(lost = self.lost, "call records are lost: the disk is too slow");
            }
        }
    }
}

struct Writer {
    directory: PathBuf,
    waiting: VecDeque<Line>,
    is_failing: bool,
    /// Lines that no file of an account took.
    unfiled: u64,
}

impl Writer {
    fn new(directory: PathBuf) -> Self {
        Self { directory, waiting: VecDeque::new(), is_failing: false, unfiled: 0 }
    }

    fn run(mut self, lines: &Receiver<Line>) {
        loop {
            let ended = match lines.recv_timeout(if self.is_failing { AGAIN } else { IDLE }) {
                Ok(line) => {
                    self.waiting.push_back(line);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            self.waiting.extend(lines.try_iter().take(BATCH));
            self.write();
            if ended {
                if !self.waiting.is_empty() {
                    tracing::error!(records = self.waiting.len(), "call records are lost");
                }
                return;
            }
            while self.waiting.len() > MOST_WAITING {
                self.waiting.pop_front();
            }
        }
    }

    /// Writes what waits; what the disk does not take remains.
    fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let master = self.directory.join("Master.csv");
        let batch: String = self.waiting.iter().map(|line| line.text.as_str()).collect();
        match append(&master, "", &batch) {
            Ok(()) => {
                if self.is_failing {
                    self.is_failing = false;
                    tracing::info!(path = %master.display(), "call records are written again");
                }
                self.write_accounts();
            }
            Err(error) => {
                if !self.is_failing {
                    self.is_failing = true;
                    tracing::error!(path = %master.display(), %error, "call records can not be written; they are kept and tried again");
                }
            }
        }
    }

    /// The same lines by account. They are in `Master.csv`: what fails here is told and not tried
    /// again.
    fn write_accounts(&mut self) {
        let mut accounts: BTreeMap<String, String> = BTreeMap::new();
        for line in self.waiting.drain(..) {
            if let Some(account) = line.account {
                accounts.entry(account).or_default().push_str(&line.text);
            }
        }
        for (account, batch) in accounts {
            let written = match is_safe(&account) {
                true => append(&self.directory.join(format!("{account}.csv")), "", &batch),
                false => Err(io::Error::other("such an account code is no name for a file")),
            };
            let Err(error) = written else { continue };
            self.unfiled += 1;
            if self.unfiled.is_power_of_two() {
                tracing::warn!(account, %error, times = self.unfiled, "not written to the account's file, but to Master.csv");
            }
        }
    }
}

/// Whether an account code names a file in the directory and no other: dialplans take them from
/// callers.
fn is_safe(account: &str) -> bool {
    !account.contains(['/', '\\']) && !account.starts_with('.') && account != "Master"
}

/// Records between the threads.
const QUEUE: usize = 4096;
/// Records written at once.
const BATCH: usize = 1024;
/// Records kept while the disk takes none: some 300 bytes each.
const MOST_WAITING: usize = 100_000;
const AGAIN: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn line(text: &str, account: Option<&str>) -> Line {
        Line { text: format!("{text}\n"), account: account.map(str::to_owned) }
    }

    #[test]
    fn what_the_disk_refuses_is_kept_and_a_moved_file_is_made_anew() {
        let directory = std::env::temp_dir().join(format!("diesis-cdr-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let files = directory.join("cdr-csv");
        fs::write(&files, "in the way").unwrap();
        let mut writer = Writer::new(files.clone());
        writer.waiting = VecDeque::from([line("one", None), line("two", Some("sales"))]);
        writer.write();
        assert_eq!(writer.waiting.len(), 2);
        fs::remove_file(&files).unwrap();
        writer.write();
        let read = |name: &str| fs::read_to_string(files.join(name)).unwrap();
        assert_eq!((read("Master.csv"), read("sales.csv")), ("one\ntwo\n".into(), "two\n".into()));
        fs::rename(files.join("Master.csv"), directory.join("old.csv")).unwrap();
        writer.waiting.push_back(line("three", None));
        writer.write();
        assert_eq!(read("Master.csv"), "three\n");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn an_account_code_does_not_lead_out_of_the_directory() {
        for account in ["../x", "a/b", ".hidden", "Master", "..", "\\x"] {
            assert!(!is_safe(account), "{account}");
        }
        assert!(is_safe("sales-2 b"));
    }
}
