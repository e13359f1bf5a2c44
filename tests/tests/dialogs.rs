//! What happens within and around dialogs, with sipp on both sides of the engine: transfers, calls
//! that replace others, offers that cross or come late, forks, cancellations, codecs that change.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test dialogs -- --test-threads=1
//!
//! Needs Debian's sip-tester. Callees have fixed addresses: one test at a time.

use std::net::IpAddr;
use std::path::Path;

use diesis_sounds::g711;
use diesis_tests::capture::Capture;
use diesis_tests::engine::Engine;
use diesis_tests::hearing::{Stretch, blocks_of_tone, sent_to, tone};
use diesis_tests::sipp::{CALLEE, DESK, Sipp, THIRD, TRUNK, Transport};

fn engine() -> Engine {
    Engine::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/etc"))
}

/// One call of `caller` from a trunk to `callee` at extension 703.
fn call(caller: &'static str, callee: &'static str) {
    let engine = engine();
    let callee = Sipp::callee(callee, CALLEE).listen();
    Sipp::trunk(caller, TRUNK).extension("703").run(&engine);
    callee.finish();
    engine.stop();
}

#[test]
fn a_callee_refers_the_caller_and_hears_each_step() {
    let engine = engine();
    let callee = Sipp::callee("refer_by_callee", CALLEE).listen();
    let third = Sipp::callee("answer_and_leave", THIRD).listen();
    Sipp::trunk("talk", TRUNK).extension("703").run(&engine);
    callee.finish();
    third.finish();
    engine.stop();
}

#[test]
fn a_caller_refers_the_callee_and_hears_each_step() {
    let engine = engine();
    let callee = Sipp::callee("answer", CALLEE).listen();
    let third = Sipp::callee("answer_and_leave", THIRD).listen();
    Sipp::trunk("refer_by_caller", TRUNK).extension("703").run(&engine);
    callee.finish();
    third.finish();
    engine.stop();
}

#[test]
fn a_transfer_to_nobody_is_refused_and_one_to_somebody_busy_is_reported() {
    let engine = engine();
    let callee = Sipp::callee("answer_and_leave", CALLEE).listen();
    let third = Sipp::callee("busy", THIRD).listen();
    Sipp::trunk("refer_to_nobody", TRUNK).extension("703").run(&engine);
    callee.finish();
    third.finish();
    engine.stop();
}

#[test]
fn an_attended_transfer_by_refer_connects_the_callees_of_two_calls() {
    let engine = engine();
    let callee = Sipp::callee("answer", CALLEE).listen();
    let third = Sipp::callee("answer_and_leave_late", THIRD).listen();
    let consultation = Sipp::trunk("talk", TRUNK).extension("704").start(&engine);
    let dialog = consultation.dialog();
    Sipp::trunk("refer_attended", TRUNK).extension("703").other(&dialog).run(&engine);
    for party in [consultation, third, callee] {
        party.finish();
    }
    engine.stop();
}

#[test]
fn an_invite_with_replaces_takes_the_callees_place() {
    let engine = engine();
    let callee = Sipp::callee("answer", CALLEE).listen();
    let caller = Sipp::trunk("talk", TRUNK).extension("703").start(&engine);
    let dialog = callee.dialog();
    Sipp::trunk("replace", THIRD.ip()).extension("703").other(&dialog).run(&engine);
    for party in [caller, callee] {
        party.finish();
    }
    engine.stop();
}

#[test]
fn offers_that_cross_are_refused_both_ways_and_asked_again() {
    let engine = engine();
    let callee = Sipp::callee("answer", CALLEE).listen();
    Sipp::trunk("glare", DESK).extension("711").run(&engine);
    callee.finish();
    engine.stop();
}

#[test]
fn a_caller_without_an_offer_gets_one_and_answers_it_in_the_ack() {
    call("late_offer", "answer");
}

#[test]
fn early_media_is_passed_on_without_acknowledgement() {
    call("early_caller", "early_callee");
}

#[test]
fn a_fork_that_ends_early_leaves_the_call_to_the_other() {
    call("talk_and_leave", "early_forks");
}

#[test]
fn a_cancel_waits_for_the_first_word_of_the_callee() {
    call("cancel_at_once", "cancelled_late");
}

#[test]
fn an_answer_that_crosses_a_cancel_is_acknowledged_and_ended() {
    call("cancel_ringing", "cancelled_answer");
}

#[test]
fn an_update_holds_and_resumes() {
    let engine = engine();
    Sipp::trunk("update", TRUNK).extension("600").run(&engine);
    Sipp::trunk("update", TRUNK).extension("600").transport(Transport::Tcp).run(&engine);
    engine.stop();
}

#[test]
fn methods_that_are_not_served_are_refused_by_name() {
    let engine = engine();
    Sipp::trunk("other_methods", TRUNK).extension("600").run(&engine);
    Sipp::trunk("other_methods", TRUNK).extension("600").transport(Transport::Tcp).run(&engine);
    engine.stop();
}

/// The caller goes from µ-law to A-law; the callee stays with µ-law.
#[test]
fn each_side_keeps_its_codec_when_the_other_changes_and_hears_on() {
    let engine = engine();
    let capture = Capture::start_whole(FROM_ENGINE);
    let sound = |hertz, samples, encode: fn(&[i16], &mut [u8]) -> usize| {
        let mut bytes = vec![0; samples];
        encode(&tone(hertz, samples), &mut bytes);
        bytes
    };
    let callee = Sipp::callee("answer_and_speak", CALLEE);
    let callee = callee.file("three.ulaw", sound(700.0, 24_000, g711::encode_ulaw_into)).listen();
    let caller = Sipp::trunk("codec_change", TRUNK).extension("703");
    caller
        .file("one.ulaw", sound(440.0, 8000, g711::encode_ulaw_into))
        .file("two.alaw", sound(1000.0, 8000, g711::encode_alaw_into))
        .run(&engine);
    callee.finish();
    engine.stop();
    let packets = capture.stop();
    let listens = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => sent_to(&packets, ip),
        IpAddr::V6(_) => Vec::<Stretch>::new(),
    };
    let codecs = |heard: &[Stretch]| heard.iter().map(|it| it.payload_type).collect::<Vec<_>>();
    let (at_callee, at_caller) = (listens(CALLEE.ip()), listens(TRUNK));
    assert_eq!(codecs(&at_callee), [0]);
    assert_eq!(codecs(&at_caller), [0, 8]);
    for hertz in [440.0, 1000.0] {
        let blocks = blocks_of_tone(&at_callee[0].samples, hertz);
        assert!((40..=60).contains(&blocks), "{hertz} Hz for {blocks} blocks of 50");
    }
    for heard in &at_caller {
        let blocks = blocks_of_tone(&heard.samples, 700.0);
        assert!(blocks >= 50, "{blocks} blocks of some 75 in {}", heard.payload_type);
    }
}

#[test]
fn a_text_goes_through_the_dialplan() {
    let engine = engine();
    let callee = Sipp::callee("message_callee", CALLEE).listen();
    Sipp::trunk("message", TRUNK).extension("720").run(&engine);
    callee.finish();
    engine.stop();
}

#[test]
fn a_challenge_names_both_algorithms() {
    let engine = engine();
    Sipp::new("challenge", "alice", "").run(&engine);
    engine.stop();
}

/// The engine's media ports of `interop/etc/rtp.conf`.
const FROM_ENGINE: &str = "udp and src host 127.0.0.1 and src portrange 20000-21999";
