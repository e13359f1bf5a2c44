//! A conference with a master (CNF-1), as the example in `examples/videoshare` has it, with telephones
//! that people use.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test videoshare -- --test-threads=1
//!
//! Needs Debian's baresip and sip-tester.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use diesis_sounds::g711;
use diesis_sounds::prompts::Library;
use diesis_tests::baresip::Baresip;
use diesis_tests::engine::{self, Engine};
use diesis_tests::hearing::holds;
use diesis_tests::scratch::Scratch;
use diesis_tests::sipp::{CALLEE, Sipp, TRUNK};
use serde_json::Value;

const ANNA: (&str, &str) = ("1001", "anna-has-the-word");
const BRUNO: (&str, &str) = ("1002", "bruno-comes-too");

/// The example, with everybody let in who calls from this machine.
fn example() -> Engine {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/videoshare");
    let etc = Scratch::new("videoshare");
    for name in ["pjsip.conf", "videoshare.conf", "extensions.conf", "rtp.conf"] {
        let text = fs::read_to_string(example.join(name)).expect("the example is there");
        etc.write(name, &text.replace("0.0.0.0:5060", "@ADDRESS@"));
    }
    etc.write("asterisk.conf", "[directories]\nastlogdir => log\nastrundir => run\n");
    Engine::start(etc.path())
}

fn prompt(name: &str) -> Vec<i16> {
    Library::new().load(name, "en").expect("it is embedded").samples
}

/// What `diesis videoshare` says, as JSON.
fn ask(engine: &Engine, arguments: &[&str]) -> Value {
    let mut command = Command::new(engine::binary());
    command.arg("videoshare").args(arguments).args(["--json", "-C"]).arg(engine.file(""));
    let output = command.output().expect("the binary runs");
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// Waits until a telephone has heard all of this.
fn hears(phone: &mut Baresip, name: &str) {
    let sound = prompt(name);
    let until = Instant::now() + Duration::from_millis(2 * sound.len() as u64 / 8) + PATIENCE;
    while !holds(&phone.heard(), &sound) {
        assert!(Instant::now() < until, "{name} is not heard:\n{}", phone.output());
        phone.talk_on(Duration::from_millis(250));
    }
}

/// What a voice of `data/voices` says, as it is and as it is heard.
fn voice(name: &str) -> (Vec<u8>, Vec<i16>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/voices");
    let coded = fs::read(directory.join(name)).expect("the voice is there");
    let mut heard = vec![0; coded.len()];
    g711::decode_ulaw_into(&coded, &mut heard);
    (coded, heard)
}

/// Asks again and again until it is so.
fn wait_until(limit: Duration, what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
    }
}

/// Stops the engine; its report.
fn report_of(engine: Engine) -> String {
    let file = engine.file("log/videoshare.csv");
    engine.stop_and(|| fs::read_to_string(file).expect("the report is there"))
}

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn cnf_1_the_master_calls_a_participant_is_called_they_talk_and_it_ends_with_the_master() {
    let engine = example();
    let mut bruno = Baresip::start_speaking(&engine, BRUNO.0, BRUNO.1, &prompt("diesis-goodbye"));
    let mut anna = Baresip::start_speaking(&engine, ANNA.0, ANNA.1, &prompt("diesis-welcome"));
    anna.call("8200");
    bruno.wait_answered();
    hears(&mut bruno, "conf-invited");
    bruno.press("1");
    hears(&mut bruno, "diesis-welcome");
    hears(&mut anna, "diesis-goodbye");
    let people = ask(&engine, &["show", "board"]);
    assert_eq!((&people[0]["state"], &people[1]["state"]), (&"joined".into(), &"joined".into()));
    assert_eq!(people[1]["attempts"], 1);
    anna.hang_up();
    assert!(bruno.wait_closed(PATIENCE), "it is over for all:\n{}", bruno.output());
    let report = ask(&engine, &["report", "board"]);
    assert_eq!((&report[1]["name"], &report[1]["state"]), (&"Bruno Keller".into(), &"left".into()));
    let written = report_of(engine);
    assert_eq!(written.lines().count(), 4, "{written}");
    assert!(written.contains("1002,Bruno Keller,participant,speaker,left,1,"), "{written}");
}

/// Where the telephone system is.
const PBX: SocketAddr = SocketAddr::new(TRUNK, 5060);

/// A room whose people are called by the robots 7000 and on, Anna's telephone to lead it, and nothing
/// else.
fn with_robots(robots: u32, room: &str) -> Engine {
    let etc = Scratch::new("videoshare");
    etc.write(
        "pjsip.conf",
        "[udp]\ntype=transport\nprotocol=udp\nbind=@ADDRESS@\n\
         [1001]\ntype=endpoint\ncontext=house\nallow=!all,ulaw\nauth=1001\naors=1001\n\
         [1001]\ntype=auth\nusername=1001\npassword=anna-has-the-word\n\
         [1001]\ntype=aor\nmax_contacts=1\n",
    );
    let range = format!(
        "[callers]\nfirst=7000\ncount={robots}\npassword=4711\nregistrar={TRUNK}\ncontext=house\n\
         application=conference\nexpiration=120\n"
    );
    etc.write("robots.conf", &range);
    etc.write("extensions.conf", "[house]\nexten => 8200,1,VideoShare()\nsame => n,Hangup()\n");
    let room = format!(
        "[board]\nnumber=8200\nmaster=1001, name=Anna Martin, dial=in\npool=conference\n\
         report=videoshare.csv\n{room}"
    );
    etc.write("videoshare.conf", &room);
    etc.write("rtp.conf", "[general]\nrtpstart=20000\nrtpend=20999\n");
    etc.write("asterisk.conf", "[directories]\nastlogdir => log\nastrundir => run\n");
    Engine::start(etc.path())
}

/// The telephone system, for so many registrations and calls.
fn telephone_system(dialogs: u32) -> diesis_tests::sipp::Running {
    Sipp::callee("conference_pbx", PBX)
        .key("secret", "4711")
        .file("hello.ulaw", voice("hello.ulaw").0)
        .file("greeting.ulaw", voice("greeting.ulaw").0)
        .calls(dialogs, 10)
        .limit(Duration::from_secs(60))
        .listen()
}

/// How it stands with the people of the room, by number.
fn states(engine: &Engine) -> Vec<(String, String, u64)> {
    let people = ask(engine, &["show", "board"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let person = |it: &Value| {
        (text(&it["number"]), text(&it["state"]), it["attempts"].as_u64().unwrap_or(0))
    };
    people.as_array().into_iter().flatten().map(person).collect()
}

fn registered(engine: &Engine) -> usize {
    let mut command = Command::new(engine::binary());
    command.args(["show", "robots", "--format", "json", "-C"]).arg(engine.file(""));
    let output = command.output().expect("the binary runs");
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
    rows.iter().filter(|row| row["state"] == "registered").count()
}

/// Robots register at a telephone system and call from there: one who comes and is heard, one who
/// comes and only listens, one who is busy twice, one who does not answer, one who declines.
#[test]
fn rob_1_robots_call_the_participants_and_it_ends_with_the_master() {
    let pbx = telephone_system(5 + 6);
    let engine = with_robots(
        5,
        "ring_time=3\nretries=1\nretry_delay=1\nretry_on=busy\n\
         participant=4001, name=Speaker\nparticipant=6001, name=Listener, role=listener\n\
         participant=2001, name=Busy\nparticipant=3001, name=Silent\n\
         participant=5001, name=Unwilling\n",
    );
    wait_until(PATIENCE, "all robots register", || registered(&engine) == 5);
    let mut anna = Baresip::start_speaking(&engine, ANNA.0, ANNA.1, &prompt("diesis-welcome"));
    anna.call("8200");
    let expected = [
        ("1001", "joined", 0),
        ("4001", "joined", 1),
        ("6001", "joined", 1),
        ("2001", "busy", 2),
        ("3001", "no answer", 1),
        ("5001", "refused", 1),
    ];
    let expected = expected.map(|(number, state, n)| (number.to_owned(), state.to_owned(), n));
    wait_until(2 * PATIENCE, "the calls are made", || states(&engine) == expected);
    anna.forget_heard();
    let (hello, greeting) = (voice("hello.ulaw").1, voice("greeting.ulaw").1);
    anna.talk_on(Duration::from_millis(2 * greeting.len() as u64 / 8));
    assert!(holds(&anna.heard(), &hello), "the speaker is heard");
    assert!(!holds(&anna.heard(), &greeting), "the listener is not");
    anna.hang_up();
    wait_until(PATIENCE, "it is over", || states(&engine).iter().all(|it| it.1 == "expected"));
    let report = report_of(engine);
    pbx.finish();
    for line in [
        "0,1001,Anna Martin,master,speaker,left,0,",
        "1,4001,Speaker,participant,speaker,left,1,",
        "2,6001,Listener,participant,listener,left,1,",
        "3,2001,Busy,participant,speaker,busy,2,,0",
        "4,3001,Silent,participant,speaker,no answer,1,,0",
        "5,5001,Unwilling,participant,speaker,refused,1,,0",
    ] {
        assert!(report.contains(&format!(",master left,{line}")), "{line}:\n{report}");
    }
}

/// One robot for two: who finds it taken is called when it is free.
#[test]
fn rob_1_a_robot_that_is_free_again_calls_the_next() {
    let pbx = telephone_system(1 + 2);
    let engine = with_robots(
        1,
        "ring_time=3\nretries=1\nretry_delay=2\nretry_on=failed\n\
         participant=2001\nparticipant=4001\n",
    );
    wait_until(PATIENCE, "the robot registers", || registered(&engine) == 1);
    let mut anna = Baresip::start_speaking(&engine, ANNA.0, ANNA.1, &prompt("diesis-welcome"));
    anna.call("8200");
    let is_there = || states(&engine).get(2).is_some_and(|it| it.1 == "joined" && it.2 == 2);
    wait_until(2 * PATIENCE, "the second is called", is_there);
    assert_eq!(states(&engine)[1].1, "busy");
    // It stops while they talk.
    let report = report_of(engine);
    pbx.finish();
    assert!(report.contains(",engine stopped,2,4001,,participant,speaker,left,2,"), "{report}");
}

/// More people than media ports are ready at any time: all are called, and all come.
#[test]
fn cnf_1_a_long_list_is_called_and_nobody_fails_for_want_of_a_port() {
    const CROWD: usize = 200;
    let voices = ["hello.ulaw", "greeting.ulaw"];
    let silence = vec![0xff; 800];
    let mut phones = Sipp::callee("campaign_callee", CALLEE).calls(CROWD as u32, 200);
    for name in voices {
        phones = phones.file(name, silence.clone());
    }
    let phones = phones.limit(Duration::from_secs(60)).listen();
    let etc = Scratch::new("videoshare");
    etc.write(
        "pjsip.conf",
        "[udp]\ntype=transport\nbind=@ADDRESS@\n[out]\ntype=endpoint\ncontext=house\nallow=ulaw\n",
    );
    etc.write("extensions.conf", "[house]\nexten => 8200,1,VideoShare()\n");
    let mut room = format!(
        "[board]\nnumber=8200\nmaster=1000\ncall=start\naccept_key=none\nretries=0\n\
         announce_count=no\nend_with_master=no\ndial=PJSIP/out/sip:${{NUMBER}}@{CALLEE}\n\
         sound_joined=\n"
    );
    for nth in 1..CROWD {
        room += &format!("participant=1{nth:03}\n");
    }
    etc.write("videoshare.conf", &room);
    etc.write("rtp.conf", "[general]\nrtpstart=20000\nrtpend=20999\n");
    etc.write("asterisk.conf", "[directories]\nastlogdir => log\nastrundir => run\n");
    let engine = Engine::start(etc.path());
    ask(&engine, &["start", "board"]);
    let joined = || states(&engine).iter().filter(|it| it.1 == "joined").count();
    wait_until(2 * PATIENCE, "all come", || joined() == CROWD);
    ask(&engine, &["end", "board"]);
    phones.finish();
    engine.stop();
}
