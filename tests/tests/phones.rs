//! Phones that people use, calling each other through the engine.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test phones -- --test-threads=1
//!
//! Needs Debian's baresip and linphone-cli.

use std::path::Path;
use std::time::{Duration, Instant};

use diesis_sounds::prompts::Library;
use diesis_tests::baresip::Baresip;
use diesis_tests::engine::Engine;
use diesis_tests::hearing::holds;
use diesis_tests::linphone::Linphone;

const ALICE: (&str, &str) = ("alice", "correct-horse");
const CAROL: (&str, &str) = ("carol", "staple-gun");
const BOB: (&str, &str) = ("bob", "battery-staple");

fn engine() -> Engine {
    Engine::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/etc"))
}

fn prompt(name: &str) -> Vec<i16> {
    Library::new().load(name, "en").expect("it is embedded").samples
}

/// Waits until a phone has heard all of this.
fn hears(phone: &mut Baresip, sound: &[i16]) -> bool {
    let until = Instant::now() + Duration::from_millis(2 * sound.len() as u64 / 8) + PATIENCE;
    while Instant::now() < until {
        phone.talk_on(Duration::from_millis(500));
        if holds(&phone.heard(), sound) {
            return true;
        }
    }
    false
}

/// How long it may take until a phone begins to hear what it should.
const PATIENCE: Duration = Duration::from_secs(8);

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
    let until = Instant::now() + deadline;
    while Instant::now() < until && !holds(&alice.heard(), &goodbye) {
        alice.wait_a_moment(Duration::from_millis(200));
    }
    // What the phone tells meanwhile, of reports for one, is no reason to hang up.
    alice.talk_on(Duration::from_secs(4));
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

/// baresip transfers blind: Linphone goes on in the dialplan and hears itself there.
#[test]
fn baresip_sends_linphone_to_an_extension() {
    let engine = engine();
    let (hello, goodbye) = (prompt("diesis-welcome"), prompt("diesis-goodbye"));
    let mut alice = Baresip::start_speaking(&engine, ALICE.0, ALICE.1, &hello);
    let mut bob = Linphone::start(&engine, BOB.0, BOB.1);
    alice.dial("702");
    bob.answer();
    alice.wait_answered();
    alice.transfer("601");
    assert!(alice.wait_closed(Duration::from_secs(10)), "{}", alice.output());
    bob.speak(&goodbye.repeat(3));
    assert!(bob.wait_ended(), "the extension hangs up:\n{}", bob.output());
    assert!(holds(&bob.heard(), &goodbye), "its own words come back");
    engine.stop();
}

/// Linphone transfers blind: baresip hears the menu.
#[test]
fn linphone_sends_baresip_to_an_extension() {
    let engine = engine();
    let hello = prompt("diesis-welcome");
    let mut alice = Baresip::start_speaking(&engine, ALICE.0, ALICE.1, &prompt("diesis-goodbye"));
    let mut bob = Linphone::start(&engine, BOB.0, BOB.1);
    bob.call("701");
    bob.transfer("8890");
    assert!(bob.wait_ended(), "{}", bob.output());
    assert!(hears(&mut alice, &hello), "the menu is heard:\n{}", alice.output());
    engine.stop();
}

/// Linphone asks somebody back, and connects the two: they hear each other.
#[test]
fn linphone_connects_the_two_it_talks_to() {
    let engine = engine();
    let (hello, goodbye) = (prompt("diesis-welcome"), prompt("diesis-goodbye"));
    let mut alice = Baresip::start_speaking(&engine, ALICE.0, ALICE.1, &hello);
    let mut carol = Baresip::start_speaking(&engine, CAROL.0, CAROL.1, &goodbye);
    let mut bob = Linphone::start(&engine, BOB.0, BOB.1);
    bob.call("701");
    bob.hold();
    bob.call("705");
    bob.connect_both();
    assert!(hears(&mut alice, &goodbye), "one hears the other:\n{}", bob.output());
    assert!(hears(&mut carol, &hello), "and the other way round:\n{}", bob.output());
    alice.hang_up();
    assert!(carol.wait_closed(Duration::from_secs(10)), "{}", carol.output());
    engine.stop();
}

/// baresip 1.0.0 hears nothing more after a hold of its own, whatever is sent to it: it is held here.
#[test]
fn a_call_that_linphone_holds_goes_on_when_it_is_taken_back() {
    let engine = engine();
    let (hello, goodbye) = (prompt("diesis-welcome"), prompt("diesis-goodbye"));
    let mut alice = Baresip::start_speaking(&engine, ALICE.0, ALICE.1, &hello);
    let mut bob = Linphone::start(&engine, BOB.0, BOB.1);
    bob.call("701");
    bob.speak(&goodbye.repeat(4));
    assert!(hears(&mut alice, &goodbye), "baresip hears Linphone:\n{}", bob.output());
    bob.hold();
    alice.talk_on(Duration::from_millis(500));
    bob.resume();
    bob.speak(&goodbye.repeat(4));
    alice.forget_heard();
    assert!(hears(&mut alice, &goodbye), "baresip hears Linphone again:\n{}", bob.output());
    alice.talk_on(Duration::from_millis(2 * hello.len() as u64 / 8));
    bob.hang_up();
    assert!(bob.wait_ended(), "{}", bob.output());
    assert!(holds(&bob.heard(), &hello), "Linphone hears baresip again");
    engine.stop();
}

#[test]
fn keys_of_linphone_are_understood() {
    let engine = engine();
    let mut bob = Linphone::start(&engine, BOB.0, BOB.1);
    bob.call("8899");
    bob.speak(&[0; 8000]);
    let choices = prompt("ivr-example-choices");
    assert!(bob.hears_within(&choices[..12_000], PATIENCE), "{}", bob.output());
    bob.press("1");
    assert!(bob.hears_within(&prompt("diesis-submenu-one"), PATIENCE), "{}", bob.output());
    bob.hang_up();
    assert!(bob.wait_ended(), "{}", bob.output());
    engine.stop();
}

/// A phone that has nothing but G.722 and one that has nothing but Opus hear the engine's prompts
/// and each other.
#[test]
fn g722_and_opus_hear_the_engine_and_each_other() {
    let engine = engine();
    let (hello, goodbye) = (prompt("diesis-welcome"), prompt("diesis-goodbye"));
    let mut alice = Baresip::start_speaking_in("opus/48000/2", &engine, ALICE, &goodbye);
    let mut bob = Baresip::start_speaking_in("G722/16000/1", &engine, BOB, &hello);
    for phone in [&mut alice, &mut bob] {
        phone.call("8890");
        assert!(hears(phone, &hello), "the prompt is heard:\n{}", phone.output());
        phone.hang_up();
        assert!(phone.wait_closed(Duration::from_secs(5)));
        phone.forget_heard();
    }
    bob.call("701");
    assert!(hears(&mut bob, &goodbye), "G.722 hears Opus:\n{}", bob.output());
    assert!(hears(&mut alice, &hello), "Opus hears G.722:\n{}", alice.output());
    bob.hang_up();
    engine.stop();
}

/// Linphone with nothing but Opus, and with nothing but G.722: it hears a prompt, and its own words.
#[test]
fn linphone_hears_the_engine_in_opus_and_in_g722() {
    let engine = engine();
    for (codec, rate) in [("opus (48000)", 48_000), ("G722 (8000)", 16_000)] {
        let mut phone = Linphone::start_in(codec, rate, &engine, BOB);
        phone.call("601");
        phone.speak(&prompt("diesis-goodbye"));
        assert!(phone.wait_ended(), "the extension hangs up:\n{}", phone.output());
        let heard = phone.heard();
        assert!(holds(&heard, &prompt("diesis-goodbye")), "{codec}: its own words come back");
    }
    engine.stop();
}

/// A telephone with a camera: its pictures are refused, and it talks and hears without them.
#[test]
fn cnf_1_a_telephone_with_video_talks_without_it() {
    let engine = engine();
    let (hello, goodbye) = (prompt("diesis-welcome"), prompt("diesis-goodbye"));
    let mut alice = Baresip::start_speaking(&engine, ALICE.0, ALICE.1, &goodbye);
    let mut bob = Baresip::start_with_video(&engine, BOB, &hello);
    bob.call("701");
    assert!(bob.output().contains("update 'video'"), "it offered some:\n{}", bob.output());
    assert!(hears(&mut bob, &goodbye), "the one with a camera hears:\n{}", bob.output());
    assert!(hears(&mut alice, &hello), "and is heard:\n{}", alice.output());
    bob.hang_up();
    assert!(alice.wait_closed(PATIENCE), "{}", alice.output());
    engine.stop();
}
