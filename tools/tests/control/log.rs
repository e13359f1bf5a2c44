//! Where the log goes, and what is told to a supervisor.

use std::{
    fs,
    net::UdpSocket,
    os::unix::net::UnixDatagram,
    process::Command,
    time::{Duration, Instant},
};

use crate::running::Engine;

const PATIENCE: Duration = Duration::from_secs(10);

/// The text of a file once it holds `part`.
fn file_with(path: &std::path::Path, part: &str) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.contains(part) {
            return text;
        }
        assert!(Instant::now() < end, "{part}: {text}");
        std::thread::yield_now();
    }
}

#[test]
fn a_log_file_that_was_moved_away_is_made_anew() {
    let mut engine = Engine::start_as("logfile", "", |command, directory| {
        command.args(["--log", &format!("file:{}/log/diesis.log", directory.display())]);
    });
    let (log, old) =
        (engine.directory.join("log/diesis.log"), engine.directory.join("log/diesis.log.1"));
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "100", "before"), "200");
    file_with(&log, "before");
    fs::rename(&log, &old).unwrap();
    let pid = engine.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    file_with(&log, "nothing has changed");
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&other, "100", "after"), "200");
    file_with(&log, "after");
    assert!(!fs::read_to_string(&old).unwrap().contains("after"));
    assert!(engine.diesis("stop").status.success());
    let said = engine.wait();
    assert!(!said.contains("INFO"), "standard error was not asked for: {said}");
}

#[test]
fn level_and_syslog_change_while_it_runs() {
    let engine = Engine::start("setlog");
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = server.local_addr().unwrap();
    assert!(engine.diesis(&format!("set syslog {to}")).status.success());
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "100", "heard"), "200");
    let mut buffer = [0; 4096];
    loop {
        let length = server.recv(&mut buffer).expect("a call is in the log");
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        // daemon.info
        assert!(text.starts_with("<30>1 ") && text.contains(" diesis "), "{text}");
        if text.contains("heard") {
            break;
        }
    }
    let said = engine.diesis("set log debug");
    assert_eq!(
        String::from_utf8_lossy(&said.stdout),
        "logging info,diesis_engine=debug,diesis_dialplan=debug\n"
    );
    for (words, why) in [
        ("set log loud", "is no level"),
        ("set log a=b=c", "expected one of"),
        ("set syslog log.example", "neither `local` nor an IP address"),
    ] {
        let output = engine.diesis(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(why), "{words}: {said}");
    }
    assert!(engine.diesis("set syslog off").status.success());
    assert!(engine.diesis("set log default").status.success());
}

#[test]
fn a_missing_prompt_is_one_line_for_each_call_that_wants_it() {
    let mut engine = Engine::start("missing");
    let plan = "[phones]\nexten => 300,1,Answer()\n same => n,Playback(nowhere)\n\
                same => n,Hangup()\n";
    fs::write(engine.directory.join("extensions.conf"), plan).unwrap();
    assert!(engine.diesis("reload").status.success());
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "300", "wants"), "200");
    let end = Instant::now() + PATIENCE;
    while !engine.rows("show calls").is_empty() {
        assert!(Instant::now() < end, "{:?}", engine.rows("show channels"));
    }
    assert!(engine.diesis("stop").status.success());
    let said = engine.wait();
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains(" WARN ")).collect();
    assert_eq!(warnings.len(), 1, "{said}");
    assert!(warnings[0].contains("\"nowhere\"") && warnings[0].contains("call_id=wants"), "{said}");
}

#[test]
fn a_supervisor_is_told_when_it_serves_reloads_and_stops() {
    let directory = std::env::temp_dir().join(format!("diesis-notify-{}", std::process::id()));
    let _ = fs::remove_file(&directory);
    let supervisor = UnixDatagram::bind(&directory).unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut engine = Engine::start_as("notify", "", |command, _| {
        command.env("NOTIFY_SOCKET", &directory);
    });
    let next = || {
        let mut buffer = [0; 1024];
        let length = supervisor.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let ready = next();
    assert!(ready.starts_with("READY=1\n") && ready.contains("STATUS=udp 127.0.0.1:"), "{ready}");
    let pid = engine.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(next().starts_with("READY=1\n"));
    assert!(engine.diesis("stop").status.success());
    assert_eq!(next(), "STOPPING=1");
    engine.wait();
    fs::remove_file(&directory).unwrap();
}
