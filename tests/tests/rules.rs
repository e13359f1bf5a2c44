//! A telephone system that forwards calls to a robot, whose rules announce and forward them on.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test rules -- --test-threads=1
//!
//! Needs Debian's sip-tester.

use std::fs;
use std::path::Path;
use std::process::Command;

use diesis_tests::engine::{self, Engine};
use diesis_tests::scratch::Scratch;
use diesis_tests::sipp::{CALLEE, Sipp, THIRD};

/// The example, with the telephone system where sipp calls from, numbers at its own telephones, and
/// the switchboard at another one.
fn robots() -> Engine {
    robots_that("TRANSFERVERIFICATION = yes")
}

/// The same with another way of forwarding.
fn robots_that(forward: &str) -> Engine {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/rules");
    let etc = Scratch::new("rules");
    for name in ["pjsip.conf", "extensions.conf", "schedules.conf", "rules.conf"] {
        let text = fs::read_to_string(example.join(name)).expect("the example is there");
        let text = text
            .replace("0.0.0.0:5080", "@ADDRESS@")
            .replace("127.0.0.1:5060", &CALLEE.to_string())
            .replace("match = 127.0.0.1", "match = 127.0.0.2")
            .replace("PJSIP/{number}@pbx", "Local/{number}@out");
        let text = match name {
            "rules.conf" => text.replace("TRANSFERVERIFICATION = yes", forward),
            "extensions.conf" => {
                format!(
                    "{text}\n[out]\nexten => _X!,1,Dial(PJSIP/${{EXTEN}}@pbx)\n\
                     exten => 9,1,Dial(PJSIP/pbx/sip:9@{THIRD})\n"
                )
            }
            _ => text,
        };
        etc.write(name, &text);
    }
    etc.write("rtp.conf", "[general]\nrtpstart=20000\nrtpend=21999\n");
    Engine::start(etc.path())
}

fn diverted(reason: &str) -> Sipp {
    caller("robot_diverted", reason)
}

/// A telephone system that is asked to connect the target, and what it says came of it.
fn referred(outcome: &str) -> Sipp {
    caller("robot_referred", "user-busy").key("outcome", outcome)
}

fn caller(scenario: &'static str, reason: &str) -> Sipp {
    Sipp::new(scenario, "0144000000", "").extension("6003").key("reason", reason)
}

const REFER: &str = "TRANSFERVERIFICATION = no\nblind_forward = refer";

#[test]
fn rul_1_a_call_that_nobody_answered_is_announced_and_forwarded() {
    let engine = robots();
    let callee = Sipp::callee("answer_and_leave", CALLEE).listen();
    diverted("no-answer").run(&engine);
    callee.finish();
    engine.stop();
}

#[test]
fn rul_4_a_forward_that_is_busy_goes_to_the_emergency_number() {
    let engine = robots();
    let (busy, board) =
        (Sipp::callee("busy", CALLEE).listen(), Sipp::callee("answer_and_leave", THIRD).listen());
    diverted("user-busy").run(&engine);
    busy.finish();
    board.finish();
    engine.stop();
}

#[test]
fn rul_4_the_telephone_system_connects_a_blind_forward_itself() {
    let engine = robots_that(REFER);
    referred("200 OK").run(&engine);
    engine.stop();
}

#[test]
fn rul_4_what_the_telephone_system_can_not_connect_goes_to_the_emergency_number() {
    let engine = robots_that(REFER);
    let board = Sipp::callee("answer_and_leave", THIRD).listen();
    referred("486 Busy Here").run(&engine);
    board.finish();
    engine.stop();
}

#[test]
fn rul_4_a_blind_forward_of_a_call_that_nobody_answered_is_a_redirection() {
    let engine = robots_that("TRANSFERVERIFICATION = no\nblind_forward = redirect");
    caller("robot_redirected", "user-busy").run(&engine);
    engine.stop();
}

#[test]
fn rul_6_a_rule_that_was_made_by_command_takes_the_next_call() {
    let engine = robots();
    let words = "rules add boss 5 origin=external forward=noanswer target=9 --as boss -C";
    let mut command = Command::new(engine::binary());
    let output = command.args(words.split_whitespace()).arg(engine.file("")).output();
    assert!(output.expect("the binary runs").status.success());
    let board = Sipp::callee("answer_and_leave", THIRD).listen();
    diverted("no-answer").run(&engine);
    board.finish();
    engine.stop();
}
