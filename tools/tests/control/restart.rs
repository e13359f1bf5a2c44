//! What is there again after a crash.

use std::{
    fs,
    net::UdpSocket,
    time::{Duration, Instant},
};

use crate::running::Engine;

const EXTENSIONS: &str = "[phones]\nexten => 100,1,Set(DB(visits/last)=${CALLERID(num)} was here)\n \
    same => n,Set(DEVICE_STATE(Custom:night)=INUSE)\n same => n,Set(DB(visits/gone)=1)\n same => n,Set(GONE=${DB_DELETE(visits/gone)})\n \
    same => n,Answer()\n same => n,Wait(60)\n\
    exten => 102,1,Answer()\n same => n,Hangup()\n\
    exten => 103,1,GotoIf($[\"${DB(visits/last)} ${DEVICE_STATE(Custom:night)}\" = \"anna was here INUSE\"]?known)\n same => n,Congestion()\n \
    same => n(known),Busy()\n\
    exten => 2002,1,Dial(PJSIP/2002,20)\n";

/// Waits until something holds, which must be so within a second.
fn within_a_second(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(1), "{what}");
    }
}

/// Binds 2002 to the phone's address; the status of the answer.
fn register(engine: &Engine, phone: &UdpSocket) -> String {
    let own = phone.local_addr().unwrap();
    let sip = engine.sip;
    let register = format!(
        "REGISTER sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKreg;rport\r\n\
         From: <sip:2002@{sip}>;tag=r\r\nTo: <sip:2002@{sip}>\r\nCall-ID: reg\r\n\
         CSeq: 1 REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:2002@{own}>;expires=600\r\n\
         Content-Length: 0\r\n\r\n"
    );
    phone.send_to(register.as_bytes(), sip).unwrap();
    receive(phone).split(' ').nth(1).unwrap_or_default().to_owned()
}

fn receive(phone: &UdpSocket) -> String {
    phone.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut buffer = [0; 4096];
    let length = phone.recv(&mut buffer).expect("a message");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn after_a_crash_phones_are_called_values_read_and_records_shown() {
    let mut engine = Engine::start("crash");
    fs::write(engine.directory.join("extensions.conf"), EXTENSIONS).unwrap();
    assert!(engine.diesis("reload").status.success());
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(register(&engine, &phone), "200");
    let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&caller, "102", "over"), "200");
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&other, "100", "stays"), "200");
    within_a_second("a call that is over is recorded", || engine.rows("show cdr").len() == 1);
    assert!(engine.diesis("database put office/open yes").status.success());
    let told = Instant::now();
    // What was told a second ago is on the disk, whatever happens now.
    while told.elapsed() < Duration::from_secs(1) {
        assert_eq!(engine.rows("show calls").len(), 1);
    }
    engine.kill();

    let engine = engine.start_again();
    let records = engine.rows("show cdr --last 5 --from anna");
    assert_eq!((records.len(), &records[0]["to"]), (1, &"102".into()));
    assert_eq!(records[0]["disposition"], "ANSWERED");
    assert_eq!(engine.rows("show cdr --from nobody").len(), 0);
    let entries = engine.rows("database show");
    let keys: Vec<_> = entries.iter().map(|entry| entry["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["CustomDevstate/night", "office/open", "visits/last"]);
    let got = engine.diesis("database get visits/last");
    assert_eq!(String::from_utf8(got.stdout).unwrap(), "anna was here\n");
    let asking = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&asking, "103", "asks"), "486", "the dialplan reads it too");

    // The caller waits for an answer that nobody gives; the phone rings.
    let dialling = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sip = engine.sip;
    let own = dialling.local_addr().unwrap();
    let invite = format!(
        "INVITE sip:2002@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKdial;rport\r\n\
         From: <sip:anna@{own}>;tag=d\r\nTo: <sip:2002@{sip}>\r\nCall-ID: dial\r\n\
         CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:anna@{own}>\r\n\
         Content-Length: 0\r\n\r\n"
    );
    dialling.send_to(invite.as_bytes(), sip).unwrap();
    let rings = receive(&phone);
    assert!(rings.starts_with("INVITE sip:2002@127.0.0.1:"), "{rings}");

    assert!(engine.diesis("database del office/open").status.success());
    assert!(!engine.diesis("database get office/open").status.success());
    assert!(!engine.diesis("database del office/open").status.success());
    assert!(!engine.diesis("database put nonsense 1").status.success());
}

#[test]
fn an_engine_whose_store_is_damaged_or_taken_serves_calls_and_says_so() {
    let engine = Engine::start("damaged");
    let file = engine.directory.join("var/diesis.redb");
    assert!(engine.diesis("database put a/b c").status.success());
    let copy = engine.copy();
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(copy.call(&phone, "100", "one"), "200");
    let refused = copy.diesis("show cdr");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("no call records are kept") && said.contains("another engine"), "{said}");
    let put = String::from_utf8(copy.diesis("database put a/b d").stdout).unwrap();
    assert!(put.contains("does not outlive the engine"), "{put}");
    drop(copy);
    let mut engine = engine;
    engine.kill();
    let length = fs::metadata(&file).unwrap().len();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length / 3).unwrap();
    let engine = engine.start_again();
    assert_eq!(engine.call(&phone, "100", "two"), "200");
    assert!(engine.directory.join("var/diesis.redb.damaged-1").exists());
    assert!(engine.diesis("database put a/b e").status.success());
}
