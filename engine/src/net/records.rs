//! Writes call records to `cdr-csv/Master.csv`: one thread, which may wait for the disk.
//!
//! The file is opened anew for each batch, so that whoever moves it away gets a new one; a disk that
//! takes nothing keeps the records in memory, and they are tried again.

use std::{
    collections::VecDeque,
    fs, io,
    io::Write,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{store::Store, waited_thread::WaitedThread};
use crate::{
    cdr::{CdrSettings, Ledger},
    clock::Now,
    switch::SwitchEvent,
};

/// Follows the calls and hands their records to the thread that writes.
#[derive(Debug)]
pub(crate) struct CallRecords {
    ledger: Ledger,
    settings: CdrSettings,
    zone: TimeZone,
    /// `None` only while this is being dropped.
    lines: Option<SyncSender<String>>,
    writer: Option<WaitedThread>,
    lost: u64,
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
    /// Starts the thread, which writes below `directory`.
    pub(crate) fn start(settings: CdrSettings, directory: &Path) -> io::Result<Self> {
        let (lines, received) = sync_channel(QUEUE);
        let path = directory.join("cdr-csv").join("Master.csv");
        let writer = WaitedThread::spawn("diesis-records", move || run(&received, &path))?;
        let (ledger, zone) = (Ledger::new(settings), TimeZone::system());
        let (lines, writer) = (Some(lines), Some(writer));
        Ok(Self { ledger, settings, zone, lines, writer, lost: 0 })
    }

    pub(crate) fn handle_event(
        &mut self,
        event: &SwitchEvent,
        now: Now,
        mut store: Option<&mut Store>,
    ) {
        self.ledger.handle_event(event, now);
        while let Some(record) = self.ledger.poll_record() {
            if let Some(store) = &mut store {
                store.keep_call(&record);
            }
            let line = record.csv_line(&self.settings, &self.zone);
            let Some(lines) = &self.lines else { return };
            if let Err(TrySendError::Full(_)) = lines.try_send(line) {
                self.lost += 1;
                if self.lost.is_power_of_two() {
                    tracing::error!(
                        lost = self.lost,
                        "call records are lost: the disk is too slow"
                    );
                }
            }
        }
    }
}

fn run(lines: &Receiver<String>, path: &Path) {
    let mut waiting: VecDeque<String> = VecDeque::new();
    let mut failing = false;
    loop {
        let ended = match lines.recv_timeout(if failing { AGAIN } else { IDLE }) {
            Ok(line) => {
                waiting.push_back(line);
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        waiting.extend(lines.try_iter().take(BATCH));
        if !waiting.is_empty() {
            match append(path, &mut waiting) {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!(path = %path.display(), "call records are written again");
                }
                Ok(()) => {}
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(path = %path.display(), %error, "call records can not be written; they are kept and tried again");
                }
                Err(_) => {}
            }
        }
        if ended {
            if !waiting.is_empty() {
                tracing::error!(records = waiting.len(), "call records are lost");
            }
            return;
        }
        while waiting.len() > MOST_WAITING {
            waiting.pop_front();
        }
    }
}

/// Appends whole lines and makes them stay; what is not written remains.
fn append(path: &Path, waiting: &mut VecDeque<String>) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    let batch: String = waiting.iter().map(String::as_str).collect();
    let written = file.write_all(batch.as_bytes()).and_then(|()| file.sync_data());
    if let Err(error) = written {
        // Half a line would spoil the next one.
        let _ = file.set_len(before);
        return Err(error);
    }
    waiting.clear();
    Ok(())
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
    use super::*;

    #[test]
    fn what_the_disk_refuses_is_kept_and_a_moved_file_is_made_anew() {
        let directory = std::env::temp_dir().join(format!("diesis-cdr-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("cdr-csv/Master.csv");
        fs::write(directory.join("cdr-csv"), "in the way").unwrap();
        let mut waiting = VecDeque::from(["one\n".to_owned(), "two\n".to_owned()]);
        assert!(append(&path, &mut waiting).is_err());
        assert_eq!(waiting.len(), 2);
        fs::remove_file(directory.join("cdr-csv")).unwrap();
        append(&path, &mut waiting).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        fs::rename(&path, directory.join("old.csv")).unwrap();
        waiting.push_back("three\n".to_owned());
        append(&path, &mut waiting).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        fs::remove_dir_all(&directory).unwrap();
    }
}
