//! Phones that people use, calling each other through the engine.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test phones -- --test-threads=1
//!
//! Needs Debian's baresip and linphone-cli.

use std::path::Path;
use std::time::Duration;

use diesis_sounds::prompts::Library;
use diesis_tests::baresip::Baresip;
use diesis_tests::engine::Engine;
use diesis_tests::hearing::holds;
use diesis_tests::linphone::Linphone;

const ALICE: (&str, &str) = ("alice", "correct-horse");
const BOB: (&str, &str) = ("bob", "battery-staple");

fn engine() -> Engine {
    Engine::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/etc"))
}

fn prompt(name: &str) -> Vec<i16> {
    Library::new().load(name, "en").expect("it is embedded").samples
}

#[test]
fn linphone_hears_a_prompt_and_itself() {
    let engine = engine();
    let mut phone = Linphone::start(&engine, BOB.0, BOB.1);
    phone.call("601");
    phone.speak(&prompt("diesis-goodbye"));
    assert!(phone.wait_ended(), "the extension hangs up:\n{}", phone.output());
    let heard = phone.heard();
    assert!(holds(&heard, &prompt("diesis-goodbye")), "its own words come back");
    engine.stop();
}

/// Two makes of phones, Dial between them: each hears the other, and one hanging up ends both.
#[test]
fn linphone_and_baresip_talk_through_the_engine() {
    let engine = engine();
    let (hello, goodbye) = (prompt("diesis-welcome"), prompt("diesis-goodbye"));
    let mut alice = Baresip::start_speaking(&engine, ALICE.0, ALICE.1, &hello);
    let mut bob = Linphone::start(&engine, BOB.0, BOB.1);
    bob.call("701");
    bob.speak(&goodbye.repeat(4));
    let deadline = Duration::from_millis((hello.len() + goodbye.len()) as u64 / 8 + 4000);
    let until = std::time::Instant::now() + deadline;
    while std::time::Instant::now() < until && !holds(&alice.heard(), &goodbye) {
        alice.wait_a_moment(Duration::from_millis(200));
    }
    alice.wait_a_moment(Duration::from_secs(4));
    bob.hang_up();
    assert!(bob.wait_ended(), "{}", bob.output());
    assert!(alice.wait_closed(Duration::from_secs(10)), "{}", alice.output());
    assert!(holds(&alice.heard(), &goodbye), "baresip hears Linphone");
    assert!(holds(&bob.heard(), &hello), "Linphone hears baresip");
    engine.stop();
}

/// The other way round: Linphone rings, picks up, and baresip hangs up.
#[test]
fn baresip_calls_linphone_which_picks_up() {
    let engine = engine();
    let mut alice = Baresip::start_speaking(&engine, ALICE.0, ALICE.1, &prompt("diesis-welcome"));
    let mut bob = Linphone::start(&engine, BOB.0, BOB.1);
    alice.dial("702");
    bob.answer();
    alice.wait_answered();
    alice.hang_up();
    assert!(bob.wait_ended(), "{}", bob.output());
    engine.stop();
}
