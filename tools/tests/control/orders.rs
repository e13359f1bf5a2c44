//! Tables and orders.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::UdpSocket,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::{Command, Stdio},
};

use crate::running::Engine;

#[test]
fn an_operator_sees_peers_stations_and_calls_and_ends_them() {
    let engine = Engine::start("show");
    let mode = fs::metadata(engine.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);

    let contacts = engine.rows("show contacts");
    assert_eq!(contacts[0]["contact"], "sip:1001@127.0.0.1:5999");
    let connections = engine.rows("show connections");
    assert_eq!(connections[0]["host"], "127.0.0.1");
    assert_eq!(connections[0]["port"], 5999);
    assert_eq!((&connections[0]["current"], &connections[0]["total"]), (&1.into(), &3.into()));
    assert_eq!(connections[1]["connected"], false);
    let stations = engine.rows("show stations 2000-2999");
    assert_eq!((stations.len(), &stations[0]["state"]), (1, &"Disconnected".into()));
    assert_eq!(engine.rows("show transports")[0]["port"], engine.sip.port());
    assert_eq!(engine.rows("show version")[0]["protocol"], 1);

    assert_eq!(engine.rows("show subscriptions").len(), 0);
    let hints = engine.rows("show hints");
    assert_eq!((&hints[0]["extension"], &hints[0]["state"]), (&"1001".into(), &"NOT_INUSE".into()));
    assert!(engine.diesis("mailbox set 1001 3 12").status.success());
    assert!(!engine.diesis("mailbox set 1001 many 12").status.success());

    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "100", "one"), "200");
    let channels = engine.rows("show channels");
    assert_eq!(channels.len(), 1);
    assert_eq!(
        (&channels[0]["extension"], &channels[0]["context"]),
        (&"100".into(), &"phones".into())
    );
    let media = format!("127.0.0.1:{}", phone.local_addr().unwrap().port() + 1);
    assert_eq!(
        (&channels[0]["codec"], &channels[0]["remote_media"], &channels[0]["held"]),
        (&"ulaw".into(), &media.into(), &false.into())
    );
    let call = &engine.rows("show calls")[0];
    let from = format!("udp:{}", phone.local_addr().unwrap());
    assert_eq!((&call["codec"], &call["remote"]), (&"ulaw".into(), &from.into()));
    assert_eq!(engine.rows("show peers")[0]["calls"], 1);
    let media = engine.rows("show media");
    assert!(media.iter().all(|shard| shard["panics"] == 0 && shard["skipped_ticks"].is_u64()));
    let streams: u64 = media.iter().filter_map(|shard| shard["streams"].as_u64()).sum();
    assert_eq!(streams, 1, "{media:?}");
    let table = engine.diesis("show calls");
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.starts_with("from  to   state"), "{table}");

    let channel = channels[0]["channel"].as_str().unwrap();
    assert!(!engine.diesis("hangup nobody").status.success());
    assert!(engine.diesis(&format!("hangup {channel}")).status.success());
    assert_eq!(engine.rows("show uptime")[0]["calls_begun"], 1);
    let figures = String::from_utf8(engine.diesis("show metrics").stdout).unwrap();
    for line in ["diesis_calls_begun_total 1", "diesis_draining 0"] {
        assert!(figures.lines().any(|it| it == line), "{line} in {figures}");
    }
    assert!(figures.contains("\nprocess_resident_memory_bytes "), "{figures}");
}

#[test]
fn a_draining_engine_refuses_new_calls_and_stops() {
    let mut engine = Engine::start("drain");
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "100", "one"), "200");
    let mut stop = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .args(["stop", "--when-idle", "--within", "30", "-C"])
        .arg(&engine.directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(stop.stdout.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(line, "new calls are refused; waiting for 1 to end\n");
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&other, "100", "two"), "503");
    assert_eq!(engine.rows("show uptime")[0]["new_calls"], "refused");
    assert!(engine.diesis("hangup all").status.success());
    assert!(stop.wait().unwrap().success());
    engine.wait();
    assert!(!engine.socket().exists(), "the socket goes with the engine");
    let records = fs::read_to_string(engine.directory.join("log/cdr-csv/Master.csv")).unwrap();
    assert_eq!(records.lines().count(), 1, "{records}");
    assert!(
        records.starts_with("\"\",\"anna\",\"100\",\"phones\",\"anna\",\"PJSIP/anna-"),
        "{records}"
    );
    assert!(records.contains(",\"ANSWERED\",\"DOCUMENTATION\",\""), "{records}");
}

#[test]
fn nonsense_on_the_socket_is_answered_and_harmless() {
    let engine = Engine::start("nonsense");
    for (line, answer) in [
        ("hello\n", "not a request"),
        ("{\"version\":7,\"command\":\"show\"}\n", "speaks version 1"),
        ("{\"version\":1,\"command\":\"dance\"}\n", "unknown variant `dance`"),
    ] {
        let mut stream = UnixStream::connect(engine.socket()).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("{\"error\":") && said.contains(answer), "{said}");
    }
    assert_eq!(engine.rows("show calls").len(), 0);
}

#[test]
fn a_console_takes_the_same_commands_line_by_line() {
    let engine = Engine::start("console");
    let mut console = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .args(["console", "-C"])
        .arg(&engine.directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines =
        "help\n\nshow transports --json\ncheck .\nshow nonsense\nhangup 'no body'\nexit\nstop\n";
    console.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = console.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "as the last command before `exit`");
    let (out, said) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(out.contains("  hangup     End a call") && !out.contains("  run "), "{out}");
    assert!(out.contains(&format!("\"port\": {}", engine.sip.port())), "{out}");
    assert!(said.contains("\"check\" is no command for a running engine"), "{said}");
    assert!(said.contains("unrecognized subcommand 'nonsense'"), "{said}");
    assert!(said.contains("there is no channel \"no body\""), "{said}");
    assert_eq!(engine.rows("show calls").len(), 0, "what follows `exit` is not done");
}

#[test]
fn without_an_engine_it_is_said_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .args(["show", "calls", "--socket", "/nowhere/diesis.ctl"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no engine runs there; name its directory with -C"), "{said}");
}
