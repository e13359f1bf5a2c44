//! Another configuration for an engine in the middle of its work.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::UdpSocket,
    process::Command,
    time::Duration,
};

use crate::running::{EXTENSIONS, Engine, PJSIP};

/// RTP packets in order of arrival, by sequence number, until so many have come.
fn listen(media: &UdpSocket, count: usize) -> Vec<u16> {
    media.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut buffer = [0; 2048];
    let mut numbers = vec![];
    while numbers.len() < count {
        let length = media.recv(&mut buffer).expect("media goes on");
        // RTCP comes to another port; whatever is too short for RTP is not.
        if length > 12 {
            numbers.push(u16::from_be_bytes([buffer[2], buffer[3]]));
        }
    }
    numbers
}

#[test]
fn a_reload_changes_what_the_files_change_and_a_call_goes_on_without_a_gap() {
    let engine = Engine::start("reload");
    let (phone, media) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let port = media.local_addr().unwrap().port();
    let (status, answer) = engine.call_with(&phone, "200", "one", port);
    assert_eq!(status, "404", "{answer}");
    assert_eq!(engine.call_with(&phone, "101", "two", port).0, "200");
    let mut heard = listen(&media, 25);

    assert!(said(&engine, "reload").ends_with("nothing has changed\n"));
    fs::write(
        engine.directory.join("extensions.conf"),
        format!("{EXTENSIONS}exten => 200,1,Answer()\n same => n,Playback(nowhere)\n"),
    )
    .unwrap();
    let pjsip = PJSIP.replace("[2002]", "[2003]").replace("aors=2002", "aors=2003")
        + "[other]\ntype=transport\nprotocol=tcp\nbind=127.0.0.1:0\n";
    fs::write(engine.directory.join("pjsip.conf"), pjsip).unwrap();
    let ports = "[general]\nrtpstart=23000\nrtpend=23999\n";
    fs::write(engine.directory.join("rtp.conf"), ports).unwrap();
    let told = said(&engine, "reload");
    for part in [
        "extensions.conf:8:21: warning[C015]: prompt \"nowhere\" does not exist",
        "endpoints: 1 added (2003), 1 removed (2002)\n",
        "aors: 1 added (2003), 1 removed (2002)\n",
        "dialplan contexts: 1 changed (phones)\n",
        "transport other: new: waits for a restart\n",
        "media ports (rtp.conf): waits for a restart\n",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let stations = engine.rows("show stations");
    assert_eq!((stations.len(), &stations[0]["number"]), (1, &"2003".into()));
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&other, "200", "three"), "200", "it is there now");

    heard.extend(listen(&media, 25));
    let gaps = heard.windows(2).filter(|pair| pair[1] != pair[0].wrapping_add(1)).count();
    assert_eq!(gaps, 0, "{heard:?}");
    assert_eq!(engine.rows("show channels")[0]["application"], "Milliwatt");
}

#[test]
fn a_faulty_directory_is_refused_whole_with_the_words_of_check() {
    let mut engine = Engine::start("refused");
    fs::write(engine.directory.join("extensions.conf"), "[phones]\nexten => 100,1,Hangup()\n")
        .unwrap();
    fs::write(
        engine.directory.join("pjsip.conf"),
        PJSIP.replace("max_contacts=2", "max_contacts=x"),
    )
    .unwrap();
    let output = engine.diesis("reload");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    let checked = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .arg("check")
        .arg(&engine.directory)
        .output()
        .unwrap();
    let checked = String::from_utf8(checked.stdout).unwrap();
    let finding = checked.split("\n\n").find(|it| it.contains("max_contacts=x")).unwrap();
    assert!(told.contains(finding), "{finding}\n{told}");
    let refusal = String::from_utf8(output.stderr).unwrap();
    assert!(refusal.ends_with("has errors; what was in force stays in force\n"), "{refusal}");
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(engine.call(&phone, "100", "one"), "200", "by the old dialplan");

    // By signal it is the same, in the log.
    let pid = engine.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let log = BufReader::new(engine.child.stderr.take().unwrap());
    let mut said = log.lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("max_contacts=x")));
    assert!(said.any(|line| line.contains("stays in force")));
}

fn said(engine: &Engine, words: &str) -> String {
    let output = engine.diesis(words);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
