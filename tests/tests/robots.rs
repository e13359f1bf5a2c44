//! Robots that register at Kamailio, as the example in `examples/robots` has it.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test robots -- --test-threads=1
//!
//! Needs Debian's kamailio, sip-tester and tshark (for dumpcap), and the right to capture on `lo`.

use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use diesis_sounds::g711;
use diesis_sounds::locate::Recording;
use diesis_sounds::prompts::Library;
use diesis_tests::capture::{Capture, Packet};
use diesis_tests::engine::{self, Engine};
use diesis_tests::kamailio::Kamailio;
use diesis_tests::scratch::Scratch;
use diesis_tests::sip_client::SipClient;
use diesis_tests::sipp::Sipp;
use serde_json::Value;

const ROBOTS: usize = 500;

fn numbers() -> Range<u32> {
    6000..6500
}

/// The example, at this registrar.
fn robots(registrar: SocketAddr) -> Engine {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/robots");
    let etc = Scratch::new("robots");
    for name in ["pjsip.conf", "robots.conf", "extensions.conf"] {
        let text = fs::read_to_string(example.join(name)).expect("the example is there");
        let text = text
            .replace("0.0.0.0:5080", "@ADDRESS@")
            .replace("127.0.0.1:5060", &registrar.to_string())
            .replace("expiration = 120", "expiration = 30");
        etc.write(name, &text);
    }
    etc.write("rtp.conf", "[general]\nrtpstart=20000\nrtpend=21999\n");
    Engine::start(etc.path())
}

/// The rows of `diesis show robots`.
fn show(engine: &Engine) -> Vec<Value> {
    let mut command = Command::new(engine::binary());
    command.args(["show", "robots", "--format", "json", "-C"]).arg(engine.file(""));
    let output = command.output().expect("the binary runs");
    serde_json::from_slice(&output.stdout).expect("an array")
}

/// Asks again and again until it is so.
fn wait_until(limit: Duration, what: &str, is_so: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
    }
    start.elapsed()
}

fn all_registered(engine: &Engine) -> bool {
    let rows = show(engine);
    rows.len() == ROBOTS && rows.iter().all(|row| row["state"] == "registered")
}

#[test]
fn five_hundred_robots_register_at_kamailio_come_back_after_its_restart_and_take_calls() {
    let mut kamailio = Kamailio::start();
    let client = SipClient::new(kamailio.address());
    let engine = robots(kamailio.address());
    let took = wait_until(Duration::from_secs(30), "all register", || all_registered(&engine));
    println!("{} registered in {took:?}", ROBOTS);
    assert!(numbers().all(|number| kamailio.has(&client, number)));

    kamailio.restart();
    assert!(!kamailio.has(&client, 6000), "it keeps nothing");
    let back = || numbers().rev().all(|number| kamailio.has(&client, number));
    let took = wait_until(Duration::from_secs(60), "all come back", back);
    println!("all back after {took:?}");
    assert!(all_registered(&engine));

    // A call, and one that a rule forwarded.
    for (dialled, announcement) in [("6003", "diesis-welcome"), ("7003", "diesis-goodbye")] {
        let capture = Capture::start_whole(FROM_ENGINE);
        Sipp::new("robot", "1001", "").extension(dialled).run_at(kamailio.address());
        let heard = heard(&capture.stop());
        let prompt = Library::new().load(announcement, "en").expect("it is embedded").samples;
        let found = Recording::new(&heard, 8000).find(&prompt, 0);
        let is_whole = found.is_some_and(|it| it.length == prompt.len() && it.score > 0.95);
        assert!(is_whole, "{dialled}: {found:?} of {} samples", heard.len());
    }

    engine.stop();
    assert!(numbers().all(|number| !kamailio.has(&client, number)), "the bindings are taken back");
}

/// The sound of a stream of PCMA.
fn heard(packets: &[Packet]) -> Vec<i16> {
    let mut heard = vec![];
    for packet in packets {
        let Some(([first, second, ..], audio)) = packet.payload.split_first_chunk::<12>() else {
            continue;
        };
        if first >> 6 == 2 && second & 0x7f == 8 {
            let start = heard.len();
            heard.resize(start + audio.len(), 0);
            g711::decode_alaw_into(audio, &mut heard[start..]);
        }
    }
    heard
}

const FROM_ENGINE: &str = "udp and src portrange 20000-21999";
