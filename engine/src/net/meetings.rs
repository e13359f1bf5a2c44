//! Writes what became of conferences with a master to the files that `report` names.
//!
//! A file that ends in `.json` gets a line of JSON for each conference, any other a line of
//! comma-separated values for each person, below a line of names when it is new.

use std::{fs, io, io::Write, path::Path, sync::Mutex};

use bstr::{BStr, ByteSlice};
use diesis_dialplan::csv::quoted;
use serde_json::{Value, json};

use crate::switch::MeetingReport;

/// Writes a report to this file, in the background.
pub(crate) fn write(report: &MeetingReport, file: &BStr) {
    let path = file.to_path_lossy().into_owned();
    let is_json = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("json"));
    let (head, lines) = match is_json {
        true => (String::new(), format!("{}\n", as_json(report))),
        false => (line(&MeetingReport::COLUMNS.map(str::to_owned)), as_csv(report)),
    };
    tokio::task::spawn_blocking(move || {
        if let Err(error) = append(&path, &head, &lines) {
            tracing::error!(path = %path.display(), %error, "the report of a conference can not be written");
        }
    });
}

fn append(path: &Path, head: &str, lines: &str) -> io::Result<()> {
    // Two conferences may end at once.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    let head = if before == 0 { head } else { "" };
    let written = file.write_all(format!("{head}{lines}").as_bytes());
    // Half a line would spoil the next one.
    written.and_then(|()| file.sync_data()).inspect_err(|_| drop(file.set_len(before)))
}

fn as_csv(report: &MeetingReport) -> String {
    report.rows().map(|row| line(&row)).collect()
}

fn line(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| quoted(cell)).collect();
    format!("{}\n", cells.join(","))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    #[test]
    fn cnf_1_reports_follow_each_other_below_one_head() {
        let name = format!("diesis-meetings-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let path = directory.join("sub/videoshare.csv");
        let head = line(&MeetingReport::COLUMNS.map(str::to_owned));
        append(&path, &head, &as_csv(&report())).expect("it is written");
        append(&path, &head, &as_csv(&report())).expect("it is written");
        let text = fs::read_to_string(&path).expect("it is there");
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("room,began,ended,end,place,number,name,kind,role,state"));
        fs::remove_dir_all(&directory).expect("it is ours");
    }
}
