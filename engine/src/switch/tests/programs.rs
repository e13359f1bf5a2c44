//! Calls that speak with programs.

use super::*;
use crate::{
    config::Permitted,
    media::{TapSource, TapState},
    program::{Origin, Protocol, SpeechUse},
};

const TALK: &str = "AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,robot.example:9092)";

/// Alice has dialled 100, which runs these applications.
fn dialled(applications: &[&str], prepare: impl FnOnce(&mut Exchange)) -> (Exchange, ChannelId) {
    let mut dialplan = String::from("[globals]\nROBOT=robot.example\n[office]\n");
    for (number, application) in applications.iter().enumerate() {
        dialplan += &format!("exten => 100,{},{application}\n", number + 1);
    }
    dialplan += "exten => h,1,NoOp(over)\n";
    let mut exchange = Exchange::new(config(), &dialplan, &[("beep", 300)]);
    prepare(&mut exchange);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    if alice.last_status() == Some(200) {
        alice.ack(&mut exchange);
    }
    exchange.run_for(secs(1));
    let call = exchange.first_call();
    (exchange, call)
}

#[test]
fn an_audio_socket_gives_the_program_both_rings_and_every_key() {
    let (mut exchange, call) = dialled(&["Answer()", TALK, "NoOp(next)", "Wait(60)"], |_| {});
    let wanted = &exchange.programs.begun[0].wanted;
    let Protocol::AudioSocket { host, port, uuid, rate } = &wanted.protocol;
    assert_eq!((host.as_slice(), *port, uuid[0], *rate), (&b"robot.example"[..], 9092, 0x40, 8000));
    assert_eq!((&wanted.origin, wanted.speech), (&Origin::Operator, SpeechUse::Heard));
    assert_eq!(exchange.media.taps(), [(1, TapSource::Received, TapState::Open)]);
    assert_eq!(exchange.media.voices.len(), 1);
    exchange.press(call, "12#");
    assert_eq!(exchange.programs.keys, "12#");
    let news = exchange.programs.hangup();
    exchange.switch.handle_program(news, exchange.now);
    exchange.tick();
    assert!(exchange.steps().contains(&"100,3 NoOp(next)".into()), "{:?}", exchange.steps());
    assert!(exchange.media.taps().is_empty() && exchange.media.voices.is_empty());
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn a_program_that_can_not_be_reached_hangs_up_as_in_asterisk() {
    let (mut exchange, _) = dialled(&["Answer()", TALK, "NoOp(next)"], |exchange| {
        exchange.programs.refuse = true;
    });
    assert!(exchange.steps().contains(&"h,1 NoOp(over)".into()), "{:?}", exchange.steps());
    assert!(!exchange.steps().contains(&"100,3 NoOp(next)".into()));
    exchange.assert_nothing_left();
}

#[test]
fn a_hangup_leaves_the_program() {
    let (mut exchange, _) = dialled(&["Answer()", TALK], |_| {});
    exchange.switch.hang_up_all(exchange.now);
    exchange.run_for(secs(1));
    assert_eq!(exchange.programs.left.len(), 1);
    exchange.assert_nothing_left();
}

#[test]
fn a_place_from_a_variable_is_known_to_be_one() {
    let talk = TALK.replace("robot.example", "${ROBOT}");
    let (exchange, _) = dialled(&["Answer()", &talk], |_| {});
    let origin = &exchange.programs.begun[0].wanted.origin;
    assert_eq!(*origin, Origin::Variable(Arc::new(Permitted::default())));
}

#[test]
fn what_is_no_uuid_and_no_place_hangs_up() {
    for arguments in [
        "",
        "x",
        "40325ec2-5efd-4bd3-805f-53576e581d13",
        "x,robot:1",
        "40325ec2-5efd-4bd3-805f-53576e581d13,robot",
    ] {
        let talk = format!("AudioSocket({arguments})");
        let (mut exchange, _) = dialled(&["Answer()", &talk, "NoOp(next)"], |_| {});
        assert!(exchange.programs.begun.is_empty(), "{arguments}");
        assert!(exchange.steps().contains(&"h,1 NoOp(over)".into()), "{arguments}");
        exchange.assert_nothing_left();
    }
}
