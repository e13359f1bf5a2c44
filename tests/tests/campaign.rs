//! Campaigns that call sipp: people, machines with their beep, busy phones, phones that nobody answers.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test campaign -- --test-threads=1
//!
//! Needs Debian's sip-tester and tshark (for dumpcap), and the right to capture on `lo`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use diesis_sounds::g711;
use diesis_sounds::locate::Recording;
use diesis_sounds::prompts::Library;
use diesis_tests::capture::Capture;
use diesis_tests::engine::{self, Engine};
use diesis_tests::hearing::{sent_to, tone};
use diesis_tests::scratch::Scratch;
use diesis_tests::sipp::{CALLEE, Sipp};

fn voice(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/voices");
    fs::read(directory.join(name)).expect("the voice is there")
}

/// A greeting, and a beep of 800 Hz.
fn machine() -> Vec<u8> {
    let mut beep = vec![0; 2400];
    g711::encode_ulaw_into(&tone(800.0, 2400), &mut beep);
    let mut sound = voice("greeting.ulaw");
    sound.extend([0xff; 2400]);
    sound.extend(beep);
    sound
}

#[test]
fn a_campaign_tells_people_machines_and_phones_that_nobody_answers() {
    let etc = Scratch::new("campaign");
    etc.write(
        "pjsip.conf",
        "[udp]\ntype=transport\nbind=@ADDRESS@\n[out]\ntype=endpoint\ncontext=nobody\nallow=ulaw\n",
    );
    etc.write("extensions.conf", "[nobody]\nexten => s,1,Hangup()\n");
    etc.write("rtp.conf", "[general]\nrtpstart=20000\nrtpend=21999\n");
    let engine = Engine::start(etc.path());
    etc.write("list.csv", "number,NAME\n401,Machine\n101,Anna\n201,Busy\n301,Nobody\n");
    let callee = Sipp::callee("campaign_callee", CALLEE)
        .file("hello.ulaw", voice("hello.ulaw"))
        .file("greeting.ulaw", machine())
        .calls(4, 10)
        .listen();
    let capture = Capture::start_whole("udp and dst host 127.0.0.3 and src portrange 20000-21999");
    let mut campaign = Command::new(engine::binary());
    campaign.args(["campaign", "run"]).arg(etc.join("list.csv"));
    campaign.args(["--dial", &format!("PJSIP/out/sip:{{number}}@{CALLEE}")]);
    campaign.args(["--play", "diesis-goodbye", "--machine", "beep", "--timeout", "2s"]);
    campaign.args(["--rate", "5", "--caller-id", "555", "-C"]).arg(engine.file(""));
    let output = campaign.output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    callee.finish();
    let packets = capture.stop();

    let result = fs::read_to_string(etc.join("list.result.csv")).expect("the results are there");
    let mut rows: Vec<Vec<&str>> =
        result.lines().skip(1).map(|line| line.split(',').collect()).collect();
    rows.sort();
    let told: Vec<_> = rows.iter().map(|row| (row[1], row[7], row[8], row[10])).collect();
    let expected = [
        ("101", "human", "16", "HUMAN"),
        ("201", "busy", "17", ""),
        ("301", "noanswer", "19", ""),
        ("401", "machine", "16", "MACHINE"),
    ];
    assert_eq!(told, expected, "{result}");
    assert!(
        said.contains("4 numbers, 1 reached: 1 human, 1 machine, 1 busy, 1 noanswer"),
        "{said}"
    );

    // Both heard all of it; the machine behind its beep.
    let prompt = Library::new().load("diesis-goodbye", "en").expect("it is embedded").samples;
    let ports: BTreeSet<u16> = packets.iter().map(|packet| packet.destination.port()).collect();
    let whole = ports.iter().filter(|port| {
        let own: Vec<_> =
            packets.iter().filter(|it| it.destination.port() == **port).cloned().collect();
        let heard = sent_to(&own, [127, 0, 0, 3].into());
        heard.iter().any(|stretch| {
            let found = Recording::new(&stretch.samples, 8000).find(&prompt, 0);
            found.is_some_and(|it| it.length == prompt.len() && it.score > 0.95)
        })
    });
    assert_eq!(whole.count(), 2, "of {ports:?}");
    let seconds: f64 = rows[3][6].parse().expect("seconds");
    let (greeting, goodbye) = (machine().len() as f64, prompt.len() as f64);
    let expected = (greeting + goodbye) / 8000.0;
    assert!((expected - 0.3..expected + 1.5).contains(&seconds), "{seconds} not {expected}");
    engine.stop();
}
