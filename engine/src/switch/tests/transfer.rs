//! Transfers by REFER, and calls that take the place of others.

use super::*;
use crate::sip::{HeaderName, Method, Request};

const PLAN: &str = "
[office]
exten => 200,1,Dial(PJSIP/bob,20,g)
same => n,NoOp(status ${DIALSTATUS})
same => n,Wait(1)
exten => 300,1,NoOp(to ${EXTEN} by ${BLINDTRANSFER:0:9} ${SIPTRANSFER})
same => n,Dial(PJSIP/carol,20)
same => n,NoOp(carol ${DIALSTATUS})
same => n,Hangup(17)
exten => 400,1,Answer()
same => n,NoOp(served)
same => n,Playback(hello)
exten => 201,1,Set(TRANSFER_CONTEXT=inner)
same => n,Dial(PJSIP/bob)
exten => h,1,NoOp(h of ${CHANNEL:0:9} ${DIALSTATUS})

exten => 202,1,Set(__TRANSFER_CONTEXT=inner)
same => n,Dial(PJSIP/bob)

[inner]
exten => external_replaces,1,NoOp(instead of ${SIPREPLACESHDR:0:6} at ${SIPREFERTOHDR})
same => n,Dial(PJSIP/carol)
same => n,Wait(1)
same => n,Dial(PJSIP/carol)
exten => 300,1,NoOp(inner)
same => n,Wait(60)
";

struct Scene {
    exchange: Exchange,
    alice: Phone,
    bob: Phone,
    carol: Phone,
    /// The INVITE that came to Bob.
    to_bob: Request,
}

fn scene_with(config: SwitchConfig, exten: &str) -> Scene {
    let mut exchange = Exchange::lenient(config, PLAN, &[("hello", 2000)]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let mut carol = Phone::new("carol", "carol-password", 3);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    assert_eq!(carol.register(&mut exchange, "carol"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, exten);
    let to_bob = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &to_bob, 200);
    alice.pump(&mut exchange);
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);
    Scene { exchange, alice, bob, carol, to_bob }
}

/// Alice has called Bob, and they talk.
fn scene() -> Scene {
    scene_with(config(), "200")
}

impl Scene {
    fn has(&self, step: &str) -> bool {
        self.exchange.steps().iter().any(|taken| taken.contains(step))
    }

    fn bob_refers(&mut self, to: &str) -> u16 {
        let invite = self.to_bob.clone();
        self.bob.refer(&mut self.exchange, Some(&invite), to)
    }

    /// Who was recorded with whom: the starts of the channels' names, and the extension.
    fn recorded(&self) -> Vec<(String, String, String)> {
        let start = |name: &[u8]| String::from_utf8_lossy(&name[..name.len().min(9)]).into_owned();
        let records = self.exchange.events.iter().filter_map(|event| match event {
            SwitchEvent::CallRecorded { record } => Some((
                start(&record.channel),
                record.destination.to_string(),
                start(&record.destination_channel),
            )),
            _ => None,
        });
        let mut records: Vec<_> = records.collect();
        records.sort();
        records
    }

    fn pump(&mut self) {
        for phone in [&mut self.alice, &mut self.bob, &mut self.carol] {
            phone.pump(&mut self.exchange);
        }
    }

    fn end(self) {
        self.end_recorded();
    }

    /// The same; who was recorded then.
    fn end_recorded(mut self) -> Vec<(String, String, String)> {
        for call in 1..=6 {
            self.exchange.command(ChannelId::new(call), Verb::Hangup(Cause::NORMAL_CLEARING));
        }
        self.pump();
        self.exchange.run_for(secs(5));
        self.pump();
        self.exchange.assert_nothing_left();
        self.recorded()
    }
}

fn record(caller: &str, extension: &str, callee: &str) -> (String, String, String) {
    (format!("PJSIP/{caller}"), extension.to_owned(), format!("PJSIP/{callee}"))
}

#[test]
fn the_callee_sends_the_caller_elsewhere_and_hears_how_it_fares() {
    let mut scene = scene();
    assert_eq!(scene.bob_refers("<sip:300@127.0.0.1>"), 202);
    assert!(scene.has("300,1 NoOp(to 300 by PJSIP/bob yes)"), "{:?}", scene.exchange.steps());
    assert_eq!(scene.bob.reports(), [(100, false)]);
    let to_carol = scene.carol.take_invite(&mut scene.exchange);
    assert_eq!(to_carol.text(HeaderName::ReferredBy), Some("<sip:bob@127.0.1.2:5060>"));
    scene.carol.answer_call(&mut scene.exchange, &to_carol, 180);
    scene.bob.pump(&mut scene.exchange);
    scene.carol.answer_call(&mut scene.exchange, &to_carol, 200);
    scene.bob.pump(&mut scene.exchange);
    assert_eq!(scene.bob.reports(), [(100, false), (180, false), (200, true)]);
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    assert!(scene.bob.bye_received().is_none(), "it is given time to hang up by itself");
    scene.exchange.run_for(secs(3));
    scene.bob.pump(&mut scene.exchange);
    assert!(scene.bob.bye_received().is_some());
    scene.alice.bye(&mut scene.exchange);
    scene.carol.pump(&mut scene.exchange);
    assert!(scene.carol.bye_received().is_some());
    let split = [record("ali", "200", "bob"), record("ali", "300", "car")];
    assert_eq!(scene.end_recorded(), split);
}

#[test]
fn the_caller_sends_the_callee_elsewhere() {
    let mut scene = scene();
    assert_eq!(scene.alice.refer(&mut scene.exchange, None, "<sip:400@127.0.0.1>"), 202);
    assert!(scene.has("NoOp(h of PJSIP/ali ANSWER)"), "{:?}", scene.exchange.steps());
    assert!(scene.has("NoOp(served)"));
    scene.alice.pump(&mut scene.exchange);
    assert_eq!(scene.alice.reports(), [(100, false), (200, true)]);
    scene.alice.bye(&mut scene.exchange);
    scene.exchange.run_for(secs(3));
    scene.bob.pump(&mut scene.exchange);
    assert!(scene.bob.bye_received().is_some(), "the dialplan is through with it");
    // One who was dialled and meets a dialplan alone is not recorded, as in Asterisk.
    assert_eq!(scene.end_recorded(), [record("ali", "200", "bob")]);
}

#[test]
fn a_transfer_that_fails_is_reported() {
    let mut scene = scene();
    assert_eq!(scene.bob_refers("<sip:300@127.0.0.1>"), 202);
    let to_carol = scene.carol.take_invite(&mut scene.exchange);
    scene.carol.answer_call(&mut scene.exchange, &to_carol, 486);
    assert!(scene.has("NoOp(carol BUSY)"), "{:?}", scene.exchange.steps());
    scene.pump();
    assert_eq!(scene.bob.reports(), [(100, false), (486, true)]);
    scene.end();
}

#[test]
fn transfers_that_can_not_be_are_refused_and_the_call_goes_on() {
    let mut scene = scene();
    assert_eq!(scene.bob_refers("<sip:999@127.0.0.1>"), 404);
    assert_eq!(scene.bob_refers("<sip:300@127.0.0.1;method=BYE>"), 501);
    assert_eq!(scene.bob_refers("<http://h/>"), 416);
    let own = scene.alice.replaces(false);
    let own = own.replace(';', "%3B").replace('=', "%3D");
    // Alice's own call in place of itself.
    let to = format!("<sip:bob@127.0.0.1?Replaces={own}>");
    assert_eq!(scene.alice.refer(&mut scene.exchange, None, &to), 400);
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    scene.end();
}

#[test]
fn a_peer_that_may_not_transfer_is_declined() {
    let mut settings = sip();
    let mut bob = peer("bob", "office");
    bob.allow_transfer = false;
    settings.peers = Default::default();
    for other in [peer("alice", "office"), bob, peer("carol", "office")] {
        settings.peers.insert(other).expect("a new name");
    }
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut scene = scene_with(config, "200");
    assert_eq!(scene.bob_refers("<sip:300@127.0.0.1>"), 603);
    scene.end();
}

#[test]
fn transfer_context_says_where_targets_are() {
    let mut scene = scene_with(config(), "201");
    assert_eq!(scene.alice.refer(&mut scene.exchange, None, "<sip:300@127.0.0.1>"), 202);
    assert!(scene.has("NoOp(inner)"), "{:?}", scene.exchange.steps());
    scene.end();
}

#[test]
fn refer_outside_a_call_is_refused() {
    let mut scene = scene();
    let mut carol = Phone::new("carol", "carol-password", 3);
    let status = carol.request_alone(&mut scene.exchange, Method::Refer, "sip:200@127.0.0.1");
    assert_eq!(status, 403);
    let status = carol.request_alone(&mut scene.exchange, Method::Notify, "sip:200@127.0.0.1");
    assert_eq!(status, 481);
    scene.end();
}

/// Alice talks to Bob, and to Carol in a second call; the Replaces of the latter.
fn two_calls(scene: &mut Scene) -> (Request, Phone, String) {
    let mut second = Phone::new("alice", "alice-password", 4);
    second.dial(&mut scene.exchange, "300");
    let to_carol = scene.carol.take_invite(&mut scene.exchange);
    scene.carol.answer_call(&mut scene.exchange, &to_carol, 200);
    second.pump(&mut scene.exchange);
    assert_eq!(second.last_status(), Some(200));
    second.ack(&mut scene.exchange);
    let replaces = second.replaces(false).replace(';', "%3B").replace('=', "%3D");
    (to_carol, second, format!("<sip:carol@127.0.0.1?Replaces={replaces}>"))
}

#[test]
fn an_attended_transfer_connects_the_two_who_were_dialled() {
    let mut scene = scene();
    let (to_carol, mut second, refer_to) = two_calls(&mut scene);
    assert_eq!(scene.exchange.media.room_sizes(), [2, 2]);
    assert_eq!(scene.alice.refer(&mut scene.exchange, None, &refer_to), 202);
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    second.pump(&mut scene.exchange);
    assert_eq!(scene.alice.reports(), [(100, false), (200, true)]);
    assert!(second.bye_received().is_some(), "the second call is over");
    scene.exchange.run_for(secs(60));
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    // One hangs up, and the other's call ends too.
    scene.carol.hang_up_callee(&mut scene.exchange, &to_carol);
    scene.bob.pump(&mut scene.exchange);
    assert!(scene.bob.bye_received().is_some());
    let three =
        [record("ali", "200", "bob"), record("ali", "300", "car"), record("bob", "200", "car")];
    assert_eq!(scene.end_recorded(), three);
}

#[test]
fn the_other_who_was_dialled_may_hang_up_as_well() {
    let mut scene = scene();
    let (_, _, refer_to) = two_calls(&mut scene);
    assert_eq!(scene.alice.refer(&mut scene.exchange, None, &refer_to), 202);
    let invite = scene.to_bob.clone();
    scene.bob.hang_up_callee(&mut scene.exchange, &invite);
    scene.carol.pump(&mut scene.exchange);
    assert!(scene.carol.bye_received().is_some());
    scene.end();
}

/// An address elsewhere, with a dialog that is not ours.
const ELSEWHERE: &str =
    "<sip:1900555@198.51.100.9?Replaces=c1%40elsewhere%3Bto-tag%3Dt%3Bfrom-tag%3Df>";

#[test]
fn a_dialog_that_is_not_ours_is_called_by_the_dialplan_alone() {
    let mut scene = scene_with(config(), "202");
    assert_eq!(scene.alice.refer(&mut scene.exchange, None, ELSEWHERE), 202);
    let step = "NoOp(instead of c1@els at sip:1900555@198.51.100.9)";
    assert!(scene.has(step), "{:?}", scene.exchange.steps());
    let to_carol = scene.carol.take_invite(&mut scene.exchange);
    let replaces = to_carol.text(HeaderName::Replaces);
    assert_eq!(replaces, Some("c1@elsewhere;to-tag=t;from-tag=f"));
    // Only once: who is called next takes nobody's place.
    scene.carol.answer_call(&mut scene.exchange, &to_carol, 486);
    scene.exchange.run_for(secs(2));
    let next = scene.carol.take_invite(&mut scene.exchange);
    assert_eq!(next.text(HeaderName::Replaces), None);
    scene.end();
}

#[test]
fn nobody_is_called_elsewhere_when_the_dialplan_has_no_place_for_it() {
    let mut scene = scene();
    assert_eq!(scene.alice.refer(&mut scene.exchange, None, ELSEWHERE), 404);
    assert_eq!(scene.exchange.media.room_sizes(), [2], "the call goes on");
    scene.end();
}

#[test]
fn a_stranger_refers_nobody_outside_a_call_or_in_that_of_others() {
    let mut scene = scene_with(config(), "202");
    let mut mallory = Phone::new("mallory", "guess", 9);
    let mut refer = |call_id: Option<&str>, to: &str| {
        let request = mallory.request(Method::Refer, "sip:127.0.0.1");
        let mut request = request
            .with(HeaderName::Contact, "<sip:mallory@127.0.0.9>")
            .with(HeaderName::ReferTo, ELSEWHERE);
        request.set(HeaderName::To, to);
        if let Some(call_id) = call_id {
            request.set(HeaderName::CallId, call_id);
        }
        mallory.transact(&mut scene.exchange, request)
    };
    assert_eq!(refer(None, "<sip:100@127.0.0.1>"), 401);
    assert_eq!(refer(Some("call-alice-1"), "<sip:100@127.0.0.1>;tag=guessed"), 481);
    assert_eq!(refer(Some("call-alice-1"), "<sip:100@127.0.0.1>"), 401);
    assert_eq!(scene.exchange.media.room_sizes(), [2], "the call goes on");
    assert!(!scene.has("instead of"), "{:?}", scene.exchange.steps());
    scene.end();
}
