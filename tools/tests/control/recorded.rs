//! Call records on the disk.

use std::{
    fs,
    net::UdpSocket,
    time::{Duration, Instant},
};

use crate::running::Engine;

const EXTENSIONS: &str = "[phones]\nexten => 102,1,Set(CDR(accountcode)=sales)\n \
    same => n,Set(CDR(userfield)=a \\; b)\n same => n,Answer()\n same => n,Hangup()\n\
    exten => 103,1,Answer()\n same => n,Wait(60)\n\
    exten => h,1,GotoIf($[\"${EXTEN}\" = \"h\" & ${CDR(billsec)} < 2]?slow)\n \
    same => n(slow),Set(CDR(late)=${CDR(disposition)})\n same => n,Wait(20)\n";

/// The lines of a file once there are so many.
fn lines(engine: &Engine, name: &str, count: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(engine.directory.join("log/cdr-csv").join(name));
        let lines: Vec<_> = text.unwrap_or_default().lines().map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {lines:?}");
        // The socket answers when the engine has had a turn.
        engine.rows("show calls");
    }
}

#[test]
fn records_are_written_by_account_and_survive_rotation_and_a_stop() {
    let mut engine = Engine::start("recorded");
    engine.kill();
    let csv =
        "[general]\n[csv]\nloguniqueid=yes\nloguserfield=yes\nnewcdrcolumns=yes\nusegmtime=yes\n";
    fs::write(engine.directory.join("cdr.conf"), csv).unwrap();
    let plain = EXTENSIONS.split("exten => h").next().unwrap();
    fs::write(engine.directory.join("extensions.conf"), plain).unwrap();
    let engine = engine.start_again();
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "102", "one"), "200");
    let master = lines(&engine, "Master.csv", 1);
    assert_eq!(master, lines(&engine, "sales.csv", 1));
    let cells: Vec<_> = master[0].split(',').collect();
    assert_eq!((cells.len(), cells[0], cells[17]), (21, "\"sales\"", "\"a ; b\""), "{master:?}");
    assert_eq!(cells[19], cells[16], "the linked id is the caller's own");

    // Rotated away: the next one begins a new file.
    let directory = engine.directory.join("log/cdr-csv");
    fs::rename(directory.join("Master.csv"), directory.join("Master.csv.1")).unwrap();
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "102", "two"), "200");
    assert_eq!(lines(&engine, "Master.csv", 1).len(), 1);

    // A clean-up that takes its time is not waited for; the call is recorded all the same.
    fs::write(engine.directory.join("extensions.conf"), EXTENSIONS).unwrap();
    assert!(engine.diesis("reload").status.success());
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "103", "three"), "200");
    assert!(engine.diesis("stop").status.success());
    let mut engine = engine;
    engine.wait();
    let text = fs::read_to_string(directory.join("Master.csv")).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().last().unwrap().contains("\"103\",\"phones\""), "{text}");
    let engine = engine.start_again();
    let records = engine.rows("show cdr --last 1");
    assert_eq!(
        (&records[0]["to"], &records[0]["disposition"]),
        (&"103".into(), &"ANSWERED".into())
    );
    assert_eq!(records[0]["fields"], serde_json::json!(["late=ANSWERED"]));
    let csv = engine.diesis("show cdr --last 1 --csv");
    let csv = String::from_utf8(csv.stdout).unwrap();
    assert!(csv.starts_with("start,from,to,disposition,"), "{csv}");
}

const MONITORED: &str = "[phones]\nexten => 100,1,Answer()\n \
    same => n,MixMonitor(crash.wav)\n same => n,Playback(digits/1&digits/2&digits/3&digits/4&digits/5)\n \
    same => n,Wait(60)\n";

/// A recording survives a crash but for its last second.
#[test]
fn a_recording_is_whole_after_a_crash() {
    let mut engine = Engine::start("monitored");
    fs::write(engine.directory.join("extensions.conf"), MONITORED).unwrap();
    assert!(engine.diesis("reload").status.success());
    let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&caller, "100", "crashes"), "200");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        assert_eq!(engine.rows("show calls").len(), 1);
    }
    engine.kill();
    let recorded = begun.elapsed();

    let file = engine.directory.join("spool/monitor/crash.wav");
    let sound = diesis_sounds::sound::Sound::read(&file).unwrap();
    let length = Duration::from_secs_f64(sound.samples.len() as f64 / f64::from(sound.rate));
    // Half a second for the call's first packet, one that may be lost.
    assert!(length + Duration::from_millis(1500) >= recorded, "{length:?} of {recorded:?}");
    assert!(sound.samples.iter().any(|sample| sample.abs() > 1000));
    let told = fs::metadata(&file).unwrap().len();
    assert!(told >= 44 + 2 * sound.samples.len() as u64);
}
