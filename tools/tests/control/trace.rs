//! SIP messages as an operator watches them.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::UdpSocket,
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

use crate::running::Engine;

/// A `diesis trace` that watches already.
fn watch(engine: &Engine, words: &str) -> (Child, BufReader<ChildStderr>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .arg("trace")
        .args(words.split_whitespace())
        // However a test goes wrong, it ends.
        .args(["--for", "30s", "-C"])
        .arg(&engine.directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("watching "), "{line}");
    (child, said)
}

/// A call to 100 that the operator ends.
fn call(engine: &Engine, call_id: &str) {
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    let media = phone.local_addr().unwrap().port() + 1;
    let (status, answer) = engine.call_with(&phone, "100", call_id, media);
    assert_eq!(status, "200");
    let kept = ["Via", "From", "To", "Call-ID"];
    let is_kept = |line: &&str| kept.iter().any(|name| line.starts_with(name));
    let lines: Vec<&str> = answer.lines().filter(is_kept).collect();
    let ack = format!(
        "ACK sip:100@{} SIP/2.0\r\n{}\r\nCSeq: 1 ACK\r\n\r\n",
        engine.sip,
        lines.join("\r\n").replace("branch=z9hG4bK", "branch=z9hG4bKack")
    );
    phone.send_to(ack.as_bytes(), engine.sip).unwrap();
    assert!(engine.diesis("hangup all").status.success());
    phone.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut buffer = [0; 4096];
    loop {
        let length = phone.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("BYE") {
            let kept = ["Via", "From", "To", "Call-ID", "CSeq"];
            let is_kept = |line: &&str| kept.iter().any(|name| line.starts_with(name));
            let lines: Vec<&str> = text.lines().filter(is_kept).collect();
            let response = format!("SIP/2.0 200 OK\r\n{}\r\n\r\n", lines.join("\r\n"));
            phone.send_to(response.as_bytes(), engine.sip).unwrap();
            return;
        }
    }
}

/// Reads what a trace says until a line holds `end`.
fn read_until(out: &mut impl BufRead, end: &str) -> String {
    let mut text = String::new();
    while !text.lines().last().is_some_and(|line| line.contains(end)) {
        assert!(out.read_line(&mut text).unwrap() > 0, "it ended: {text}");
    }
    text
}

fn interrupt(child: &mut Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success(), "Ctrl-C is an ordinary end");
}

#[test]
fn a_call_is_drawn_when_it_ends_and_others_are_not() {
    let engine = Engine::start("ladder");
    let (mut trace, _said) = watch(&engine, "100 --ladder");
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&stranger, "999", "other"), "404");
    call(&engine, "drawn");
    let mut out = BufReader::new(trace.stdout.take().unwrap());
    let ladder = read_until(&mut out, "200 OK (BYE)");
    for part in ["anna", "Diesis", " INVITE (SDP) ", " 200 OK (SDP) ", " BYE "] {
        assert!(ladder.contains(part), "{part}: {ladder}");
    }
    // Ports and times hold the number by chance.
    assert!(!ladder.contains(" 404 "), "{ladder}");
    trace.kill().unwrap();
    trace.wait().unwrap();
    // The next one is served although the last one left without a word.
    let (mut trace, mut said) = watch(&engine, "again");
    call(&engine, "again");
    let mut out = BufReader::new(trace.stdout.take().unwrap());
    let text = read_until(&mut out, "BYE sip:anna@");
    assert!(text.contains("INVITE sip:100@"), "{text}");
    interrupt(&mut trace);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with(" messages\n"), "{rest}");
}

#[test]
fn a_capture_holds_a_packet_for_each_message() {
    let engine = Engine::start("pcap");
    let file = engine.directory.join("call.pcap");
    let (mut trace, _said) = watch(&engine, &format!("127.0.0.1 --pcap {}", file.display()));
    call(&engine, "captured");
    // Each packet is in the file as soon as it was seen; the last one may still be on its way.
    let end = Instant::now() + Duration::from_secs(10);
    let starts = loop {
        let starts = packets(&fs::read(&file).unwrap());
        if starts.iter().any(|start| start == "BYE") {
            break starts;
        }
        assert!(Instant::now() < end, "{starts:?}");
        std::thread::yield_now();
    };
    assert_eq!(starts.first().map(String::as_str), Some("INVITE"));
    interrupt(&mut trace);
}

/// The first word of each packet.
fn packets(octets: &[u8]) -> Vec<String> {
    assert_eq!(octets[..4], 0xa1b2_c3d4_u32.to_le_bytes());
    let (mut rest, mut starts) = (&octets[24..], vec![]);
    while let Some(length) = rest.get(8..12) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let Some(packet) = rest.get(16..16 + length) else { break };
        assert_eq!((packet[0], packet[9]), (0x45, 17), "IPv4, UDP");
        let text = String::from_utf8_lossy(&packet[28..]).into_owned();
        starts.push(text.split(' ').next().unwrap_or_default().to_owned());
        rest = &rest[16 + length..];
    }
    starts
}

#[test]
fn only_a_few_may_watch_and_a_bad_time_is_refused() {
    let engine = Engine::start("watchers");
    let mut watchers: Vec<_> = (0..8).map(|_| watch(&engine, "*")).collect();
    let output = engine.diesis("trace * --for 1s");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("too many people watch already"), "{said}");
    for (watcher, _) in &mut watchers {
        interrupt(watcher);
    }
    assert_eq!(engine.diesis("trace 1 --for 2d").status.code(), Some(2));
    assert!(engine.diesis("trace 1 --for 1s").status.success());
}
