//! Writes what became of conferences with a master to the files that `report` names: one thread, which
//! may wait for the disk.
//!
//! A file that ends in `.json` gets a line of JSON for each conference, any other a line of
//! comma-separated values for each person, below a line of names when it is new. What a disk does not
//! take is kept and tried again.

use std::{
    collections::{BTreeSet, VecDeque},
    io, mem,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

use bstr::{BStr, ByteSlice};
use diesis_dialplan::csv::line;
use serde_json::{Value, json};

use super::{waited_thread::WaitedThread, whole_lines::append};
use crate::{printable::Printable, switch::MeetingReport};

/// Hands reports to the thread that writes them, which begins with the first.
#[derive(Debug, Default)]
pub(crate) struct MeetingReports {
    /// `None` before the first report, and while this is being dropped.
    reports: Option<SyncSender<Report>>,
    writer: Option<WaitedThread>,
}

/// What is to be written of a conference.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Report {
    room: String,
    path: PathBuf,
    /// What a new file begins with.
    head: String,
    lines: String,
}

impl Drop for MeetingReports {
    /// Waits until what was reported is on the disk, for a bounded time.
    fn drop(&mut self) {
        self.reports = None;
        if let Some(writer) = self.writer.take()
            && !writer.wait()
        {
            tracing::error!(
                "the disk does not take the last reports of conferences; they are given up"
            );
        }
    }
}

impl MeetingReports {
    /// Has a report written to this file.
    pub(crate) fn write(&mut self, report: &MeetingReport, file: &BStr) {
        let report = Report::new(report, file);
        let room = report.room.clone();
        let reason = match self.reports() {
            Ok(reports) => match reports.try_send(report) {
                Ok(()) => return,
                Err(TrySendError::Full(_)) => "the disk is too slow".to_owned(),
                Err(TrySendError::Disconnected(_)) => "the thread that writes is gone".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        tracing::error!(room, reason, "the report of a conference is lost");
    }

    fn reports(&mut self) -> io::Result<&SyncSender<Report>> {
        if self.reports.is_none() {
            let (reports, received) = sync_channel(QUEUE);
            let run = move || Writer::default().run(&received);
            self.writer = Some(WaitedThread::spawn("diesis-meetings", run)?);
            self.reports = Some(reports);
        }
        self.reports.as_ref().ok_or_else(|| io::Error::other("no thread"))
    }
}

impl Report {
    fn new(report: &MeetingReport, file: &BStr) -> Self {
        let path = file.to_path_lossy().into_owned();
        let is_json = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("json"));
        let (head, lines) = match is_json {
            true => (String::new(), format!("{}\n", as_json(report))),
            false => (line(MeetingReport::COLUMNS), as_csv(report)),
        };
        Self { room: Printable(&report.room).to_string(), path, head, lines }
    }
}

#[derive(Default)]
struct Writer {
    waiting: VecDeque<Report>,
    /// Files that did not take what was written last.
    failing: BTreeSet<PathBuf>,
}

impl Writer {
    fn run(mut self, reports: &Receiver<Report>) {
        loop {
            let pause = if self.failing.is_empty() { IDLE } else { AGAIN };
            let ended = match reports.recv_timeout(pause) {
                Ok(report) => {
                    self.waiting.push_back(report);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            self.waiting.extend(reports.try_iter().take(QUEUE));
            self.write();
            if ended {
                for Report { room, path, .. } in self.waiting {
                    tracing::error!(room, path = %path.display(), "the report of a conference is lost");
                }
                return;
            }
            self.make_room();
        }
    }

    /// Writes what waits; what a disk does not take remains, in its order.
    fn write(&mut self) {
        let mut refused = BTreeSet::new();
        for report in mem::take(&mut self.waiting) {
            if refused.contains(&report.path) {
                self.waiting.push_back(report);
                continue;
            }
            let path = report.path.display();
            match append(&report.path, &report.head, &report.lines) {
                Ok(()) => {
                    if self.failing.remove(&report.path) {
                        tracing::info!(%path, "reports of conferences are written again");
                    }
                }
                Err(error) => {
                    if self.failing.insert(report.path.clone()) {
                        tracing::error!(
                            room = report.room, %path, %error,
                            "the report of a conference can not be written; it is kept and tried again"
                        );
                    }
                    refused.insert(report.path.clone());
                    self.waiting.push_back(report);
                }
            }
        }
    }

    /// Gives the oldest up when more wait than may.
    fn make_room(&mut self) {
        let mut bytes: usize = self.waiting.iter().map(|report| report.lines.len()).sum();
        while bytes > MOST_WAITING {
            let Some(Report { room, path, lines, .. }) = self.waiting.pop_front() else { return };
            bytes -= lines.len();
            tracing::error!(room, path = %path.display(), "the report of a conference is lost");
            if !self.waiting.iter().any(|report| report.path == path) {
                self.failing.remove(&path);
            }
        }
    }
}

fn as_csv(report: &MeetingReport) -> String {
    report.rows().map(|row| line(&row)).collect()
}

fn as_json(report: &MeetingReport) -> Value {
    let text = |text: &[u8]| json!(String::from_utf8_lossy(text));
    let people: Vec<Value> = report
        .people
        .iter()
        .enumerate()
        .map(|(place, it)| {
            json!({
                "place": place,
                "number": text(&it.number),
                "name": text(&it.name),
                "kind": it.kind.as_str(),
                "role": it.role.as_str(),
                "state": it.state.as_str(),
                "attempts": it.attempts,
                "joined": it.joined.map(|at| at.to_string()),
                "present": it.present.as_secs(),
            })
        })
        .collect();
    json!({
        "room": text(&report.room),
        "began": report.began.to_string(),
        "opened": report.opened.map(|at| at.to_string()),
        "ended": report.ended.to_string(),
        "seconds": report.duration.as_secs(),
        "end": report.end.as_str(),
        "people": people,
    })
}

/// Reports between the threads.
const QUEUE: usize = 64;
/// Bytes of reports that are kept while the disk takes none: one of 1000 people has some 100,000.
const MOST_WAITING: usize = 16 << 20;
const AGAIN: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::ffi::OsStrExt, path::Path};

    use diesis_dialplan::videoshare::Role;
    use jiff::Timestamp;

    use super::*;
    use crate::switch::{MeetingEnd, PersonKind, PersonReport, PersonState};

    fn report() -> MeetingReport {
        let at = Timestamp::new(1_773_136_800, 0).expect("a time of this century");
        MeetingReport {
            room: "board".into(),
            began: at,
            opened: Some(at),
            ended: at,
            duration: Duration::from_secs(61),
            end: MeetingEnd::MasterLeft,
            people: vec![PersonReport {
                number: "1001".into(),
                name: "Martin, Anna \"A\"".into(),
                kind: PersonKind::Master,
                role: Role::Speaker,
                state: PersonState::Left,
                attempts: 0,
                joined: Some(at),
                present: Duration::from_secs(61),
            }],
        }
    }

    #[test]
    fn cnf_1_a_report_is_read_by_programs() {
        assert_eq!(
            as_csv(&report()),
            "board,2026-03-10T10:00:00Z,2026-03-10T10:00:00Z,master left,0,1001,\
             \"Martin, Anna \"\"A\"\"\",master,speaker,left,0,2026-03-10T10:00:00Z,61\n"
        );
        let json = as_json(&report());
        assert_eq!(json["people"][0]["state"], "left");
        assert_eq!((&json["end"], &json["seconds"]), (&json!("master left"), &json!(61)));
    }

    /// A directory that is not there, and a file in it.
    fn scratch(name: &str) -> (PathBuf, PathBuf) {
        let name = format!("diesis-meetings-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        let path = directory.join("sub/videoshare.csv");
        (directory, path)
    }

    fn name(path: &Path) -> &BStr {
        path.as_os_str().as_bytes().into()
    }

    #[test]
    fn cnf_1_reports_are_on_the_disk_when_the_engine_has_stopped() {
        let (directory, path) = scratch("stop");
        let mut reports = MeetingReports::default();
        for _ in 0..QUEUE / 2 {
            reports.write(&report(), name(&path));
        }
        drop(reports);
        let text = fs::read_to_string(&path).expect("it is there");
        assert_eq!(text.lines().count(), 1 + QUEUE / 2);
        assert!(text.starts_with("room,began,ended,end,place,number,name,kind,role,state"));
        fs::remove_dir_all(&directory).expect("it is ours");
    }

    #[test]
    fn cnf_1_a_full_disk_keeps_reports_and_those_of_other_disks_are_written() {
        let (directory, path) = scratch("full");
        let full = |room: &str| {
            let report = MeetingReport { room: room.into(), ..report() };
            Report::new(&report, "/dev/full".into())
        };
        let mut writer = Writer::default();
        writer.waiting.extend([full("a"), Report::new(&report(), name(&path)), full("b")]);
        writer.write();
        let rooms: Vec<_> = writer.waiting.iter().map(|it| it.room.as_str()).collect();
        assert_eq!(rooms, ["a", "b"], "in their order");
        assert_eq!(fs::read_to_string(&path).expect("it is there").lines().count(), 2);
        assert_eq!(writer.failing.len(), 1);

        // There is room again.
        for waiting in &mut writer.waiting {
            waiting.path = path.clone();
        }
        writer.failing = [path.clone()].into();
        writer.write();
        assert!(writer.waiting.is_empty() && writer.failing.is_empty());
        assert_eq!(fs::read_to_string(&path).expect("it is there").lines().count(), 4);
        fs::remove_dir_all(&directory).expect("it is ours");
    }

    #[test]
    fn cnf_1_reports_that_no_disk_takes_are_bounded() {
        let mut writer = Writer::default();
        let mut large = Report::new(&report(), "/dev/full".into());
        large.lines = "x".repeat(MOST_WAITING / 4);
        writer.waiting.extend((0..6).map(|nth| Report { room: nth.to_string(), ..large.clone() }));
        writer.make_room();
        let rooms: Vec<_> = writer.waiting.iter().map(|it| it.room.as_str()).collect();
        assert_eq!(rooms, ["2", "3", "4", "5"], "the oldest are given up");
    }
}
