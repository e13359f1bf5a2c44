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
use diesis_tests::sipp::{Sipp, TRUNK};
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

/// Asks again and again until it is so.
fn wait_until(limit: Duration, what: &str, is_so: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
    }
    start.elapsed()
}

fn all_registered(engine: &Engine) -> bool {
    let rows = rows(engine, "robots");
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

/// Robots whose registrar is where sipp calls from; it is no registrar, but a call from there is the
/// telephone system's.
fn forwarded_to(robots: &str, dialplan: &str) -> Engine {
    let etc = Scratch::new("robots");
    etc.write("pjsip.conf", "[udp]\ntype=transport\nprotocol=udp\nbind=@ADDRESS@\n");
    let range = format!("[robots]\nregistrar={TRUNK}\ncontext=robots\napplication=tests\n");
    etc.write("robots.conf", &format!("{range}{robots}"));
    etc.write("extensions.conf", dialplan);
    etc.write("rtp.conf", "[general]\nrtpstart=20000\nrtpend=21999\n");
    Engine::start(etc.path())
}

/// What a table of the engine shows.
fn rows(engine: &Engine, table: &str) -> Vec<Value> {
    let mut command = Command::new(engine::binary());
    command.args(["show", table, "--format", "json", "-C"]).arg(engine.file(""));
    let output = command.output().expect("the binary runs");
    serde_json::from_slice(&output.stdout).expect("an array")
}

#[test]
fn rob_1_who_forwarded_a_call_is_known_in_whatever_form_it_is_told() {
    // Whoever is not known is refused, which the scenario does not expect.
    let dialplan = "[robots]\nexten => _6XXX,1,GotoIf($[\"${ROBOT(user)}\" = \"4711\"]?known)\n\
        same => n,Busy(1)\n\
        same => n(known),Answer()\nsame => n,Playback(diesis-goodbye)\nsame => n,Hangup()\n";
    let engine = forwarded_to("first=6000\ncount=10\nmap=_600X => _471X\n", dialplan);
    let straight = "Subject: none";
    for (robot, to, forwarded) in [
        ("6003", "6003", "Diversion: \"Anna, \" <sip:4711@pbx.test>;reason=user-busy"),
        ("6003", "6003", "Diversion: <tel:4711>;reason=no-answer, <sip:4710@pbx.test>"),
        (
            "6003",
            "6003",
            "History-Info: <sip:4711@pbx.test>;index=1, <sip:6003@pbx.test;cause=302>;index=1.1;mp=1",
        ),
        (
            "6003",
            "6003",
            "History-Info: <sip:4711@a?Reason=SIP%3Bcause%3D486>;index=1, <sip:6003@a>;index=1.1",
        ),
        ("6001", "6001", straight),
    ] {
        let call = Sipp::trunk("robot_forwarded", TRUNK).extension(robot).key("to", to);
        call.key("forwarded", forwarded).run(&engine);
    }
    // What all of them heard.
    let capture = Capture::start_whole(FROM_ENGINE);
    let call = Sipp::trunk("robot_forwarded", TRUNK).extension("6003").key("to", "4711");
    call.key("forwarded", straight).run(&engine);
    let heard = heard(&capture.stop());
    let prompt = Library::new().load("diesis-goodbye", "en").expect("it is embedded").samples;
    let found = Recording::new(&heard, 8000).find(&prompt, 0);
    let is_whole = found.is_some_and(|it| it.length == prompt.len() && it.score > 0.95);
    assert!(is_whole, "{found:?} of {} samples", heard.len());
    let users: Vec<_> =
        rows(&engine, "robots").iter().map(|row| row["last_user"].clone()).collect();
    assert_eq!((&users[1], &users[3]), (&"4711".into(), &"4711".into()));
    engine.stop();
}

#[test]
fn rob_1_five_hundred_robots_are_busy_and_one_more_call_is_refused() {
    let dialplan = "[robots]\nexten => _6XXX,1,Answer()\nsame => n,Wait(120)\n";
    let engine = forwarded_to("first=6000\ncount=500\n", dialplan);
    let call = |calls| {
        let call = Sipp::trunk("robot_forwarded", TRUNK).extension("6000").key("to", "6000");
        call.key("forwarded", "Subject: none").calls(calls, 100)
    };
    let running = call(ROBOTS as u32).start(&engine);
    let busy = || rows(&engine, "pools").first().map(|pool| pool["calls"].clone());
    let took = wait_until(Duration::from_secs(20), "all are busy", || busy() == Some(500.into()));
    println!("{ROBOTS} calls after {took:?}");
    assert!(rows(&engine, "robots").iter().all(|row| row["calls"] == 1), "each has one");
    Sipp::trunk("robot_refused", TRUNK).extension("6123").run(&engine);
    let pools = rows(&engine, "pools");
    assert_eq!((&pools[0]["refused"], &pools[0]["load"]), (&1.into(), &100.into()));
    let mut hang_up = Command::new(engine::binary());
    hang_up.args(["hangup", "all", "-C"]).arg(engine.file(""));
    assert!(hang_up.status().expect("the binary runs").success());
    running.finish();
    assert_eq!(busy(), Some(0.into()), "all are free again");
    engine.stop();
}

/// sipp's range has two robots, and Kamailio's two more of the same pool.
#[test]
fn rob_1_calls_that_find_their_range_busy_get_registered_robots_of_the_pool() {
    let kamailio = Kamailio::start();
    let dialplan = "[robots]\nexten => _6XXX,1,Answer()\nsame => n,Wait(120)\n";
    let registrar = kamailio.address();
    let second = format!(
        "[second]\nfirst=8000\ncount=2\nregistrar={registrar}\ncontext=robots\napplication=tests\n"
    );
    let engine = forwarded_to(&format!("first=6000\ncount=2\n{second}"), dialplan);
    let pool = || rows(&engine, "pools").into_iter().next().unwrap_or_default();
    let limit = Duration::from_secs(30);
    wait_until(limit, "Kamailio's two are registered", || pool()["registered"] == 2);
    let call = Sipp::trunk("robot_forwarded", TRUNK).extension("6000").key("to", "6000");
    let running = call.key("forwarded", "Subject: none").calls(4, 10).start(&engine);
    wait_until(limit, "all four are busy", || pool()["calls"] == 4);
    assert!(rows(&engine, "robots").iter().all(|row| row["calls"] == 1), "each has one");
    Sipp::trunk("robot_refused", TRUNK).extension("6001").run(&engine);
    assert_eq!(pool()["refused"], 1);
    let mut hang_up = Command::new(engine::binary());
    hang_up.args(["hangup", "all", "-C"]).arg(engine.file(""));
    assert!(hang_up.status().expect("the binary runs").success());
    running.finish();
    engine.stop();
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
