//! Legs of different codecs: what is offered to whom, and what the dialplan is told.

use super::*;
use crate::{media::Codec, sip::Request};

const PLAN: &str = "
[office]
exten => 500,1,Answer()
same => n,ExecIf($[\"${CHANNEL(audioreadformat)}\" = \"g722\"]?Dial(PJSIP/bob,20))
exten => 501,1,Dial(PJSIP/bob,20)
";

fn exchange() -> (Exchange, Phone, Phone) {
    use CodecName::{G722, Pcma, Pcmu};
    let alices = Peer { codecs: vec![G722, Pcmu], ..peer("alice", "office") };
    let bobs = Peer { codecs: vec![Pcma, Pcmu, G722], ..peer("bob", "office") };
    let (exchange, bob) = exchange_of([alices, bobs], PLAN);
    (exchange, alice(), bob)
}

fn dial(exchange: &mut Exchange, alice: &mut Phone, bob: &Phone, exten: &str) -> Request {
    let sdp = alice.sdp("sendrecv").replace("RTP/AVP 0 8 101", "RTP/AVP 0 8 9 101");
    alice.dial_with(exchange, exten, Some(sdp));
    exchange.run_for(secs(1));
    bob.take_invite(exchange)
}

fn offers(invite: &Request, formats: &str) -> bool {
    String::from_utf8_lossy(invite.body()).contains(&format!("RTP/AVP {formats}\r\n"))
}

#[test]
fn the_callers_codecs_are_offered_first_and_each_leg_keeps_its_own() {
    let (mut exchange, mut alice, mut bob) = exchange();
    let invite = dial(&mut exchange, &mut alice, &bob, "501");
    // Alice's in the order of her `allow`, then what only Bob has.
    assert!(offers(&invite, "9 0 8 101"), "{}", String::from_utf8_lossy(invite.body()));
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    let answer = alice.last_response().expect("an answer");
    assert!(String::from_utf8_lossy(answer.body()).contains("RTP/AVP 9 0 101\r\n"));
    let mut codecs = exchange.media.codecs();
    codecs.sort_by_key(|codec| *codec == Codec::G722);
    assert_eq!(codecs, [Codec::Pcmu, Codec::G722]);
    exchange.run_for(secs(1));
    assert_eq!(exchange.media.room_sizes(), [2]);
    let sdp = alice.sdp("sendrecv").replace("RTP/AVP 0 8 101", "RTP/AVP 0 101");
    alice.reinvite_with(&mut exchange, sdp);
    assert_eq!(exchange.media.codecs(), [Codec::Pcmu, Codec::Pcmu]);
}

#[test]
fn the_dialplan_is_told_the_codec() {
    let (mut exchange, mut alice, bob) = exchange();
    let invite = dial(&mut exchange, &mut alice, &bob, "500");
    assert!(offers(&invite, "9 0 8 101"));
}
