//! A conference with a master (CNF-1), as the example in `examples/videoshare` has it, with telephones
//! that people use.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test videoshare -- --test-threads=1
//!
//! Needs Debian's baresip and sip-tester.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use diesis_sounds::prompts::Library;
use diesis_tests::baresip::Baresip;
use diesis_tests::engine::{self, Engine};
use diesis_tests::hearing::holds;
use diesis_tests::scratch::Scratch;
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
    let file = engine.file("log/videoshare.csv");
    let until = Instant::now() + PATIENCE;
    let written = loop {
        match fs::read_to_string(&file) {
            Ok(text) if text.lines().count() == 4 => break text,
            _ => assert!(Instant::now() < until, "no report in {}", file.display()),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(written.contains("1002,Bruno Keller,participant,speaker,left,1,"), "{written}");
    engine.stop();
}
