//! The option letters of Dial, one by one.

use super::*;
use crate::{
    config::FeatureSettings,
    recording::RecordingSettings,
    sip::{HeaderName, Method, Request},
};

/// Alice dials `Dial(PJSIP/bob,20,OPTIONS)` as 200; what follows is noted.
fn plan(options: &str) -> String {
    format!(
        "[office]
exten => 200,1,NoOp(start)
same => n,Set(_COLOUR=blue)
same => n,Dial(PJSIP/bob,20,{options})
same => n,NoOp(status ${{DIALSTATUS}})
same => n,Wait(60)
exten => h,1,NoOp(h ${{DIALSTATUS}} ${{DIALEDPEERNUMBER}})
exten => 7,1,NoOp(seven)
same => n,Wait(60)

[sub]
exten => s,1,NoOp(sub ${{ARG1}} ${{COLOUR}} ${{CHANNEL(name):0:9}})
same => n,Set(PJSIP_HEADER(add,X-Colour)=${{COLOUR}})
same => n,Return()

[busy]
exten => s,1,Set(GOSUB_RESULT=BUSY)
same => n,Return()

[away]
exten => s,1,Set(GOSUB_RESULT=GOTO:there^100^1)
same => n,Return()

[slow]
exten => s,1,Wait(5)
same => n,Return()
exten => h,1,NoOp(h in slow)

[macro-old]
exten => s,1,NoOp(macro ${{ARG1}} ${{MACRO_CONTEXT}})

[there]
exten => 100,1,NoOp(there)
same => n,Wait(5)
same => n,NoOp(later)
"
    )
}

const PROMPTS: [(&str, u64); 3] = [("hello", 2000), ("vm-youhave", 500), ("warn", 500)];

struct Scene {
    exchange: Exchange,
    alice: Phone,
    bob: Phone,
    invite: Option<Request>,
}

/// Alice has dialled.
fn dialled(options: &str) -> Scene {
    let features = FeatureSettings {
        disconnect: "*0".into(),
        monitor: "*1".into(),
        mix_monitor: "*3".into(),
        courtesy_tone: "hello".into(),
        ..FeatureSettings::default()
    };
    let recordings = RecordingSettings {
        directory: Some("/spool/monitor".into()),
        ..RecordingSettings::default()
    };
    let config = SwitchConfig { features: Arc::new(features), recordings, ..config() };
    let mut exchange = Exchange::lenient(config, &plan(options), &PROMPTS);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, "200");
    Scene { exchange, alice, bob, invite: None }
}

/// Bob was called.
fn ringing(options: &str) -> Scene {
    let mut scene = dialled(options);
    scene.invite = Some(scene.bob.take_invite(&mut scene.exchange));
    scene
}

/// Bob answered and Alice was told, if it came to that.
fn answered(options: &str) -> Scene {
    let mut scene = ringing(options);
    scene.bob_answers();
    scene
}

impl Scene {
    fn bob_answers(&mut self) {
        let invite = self.invite.clone().expect("an INVITE");
        self.bob.answer_call(&mut self.exchange, &invite, 200);
        self.alice.pump(&mut self.exchange);
        if self.alice.last_status() == Some(200) {
            self.alice.ack(&mut self.exchange);
        }
    }

    fn bob_hangs_up(&mut self) {
        let invite = self.invite.clone().expect("an INVITE");
        self.bob.hang_up_callee(&mut self.exchange, &invite);
        self.alice.pump(&mut self.exchange);
    }

    fn has(&self, step: &str) -> bool {
        self.exchange.steps().iter().any(|taken| taken.contains(step))
    }

    fn says(&mut self, seconds: u64) {
        self.exchange.run_for(secs(seconds));
        self.alice.pump(&mut self.exchange);
        self.bob.pump(&mut self.exchange);
        if self.alice.last_status() == Some(200) {
            self.alice.ack(&mut self.exchange);
        }
    }

    fn end(mut self) {
        for call in 1..=2 {
            self.exchange.command(ChannelId::new(call), Verb::Hangup(Cause::NORMAL_CLEARING));
        }
        self.alice.pump(&mut self.exchange);
        self.alice.ack(&mut self.exchange);
        self.bob.pump(&mut self.exchange);
        self.exchange.assert_nothing_left();
    }
}

fn caller() -> ChannelId {
    ChannelId::new(1)
}

fn callee() -> ChannelId {
    ChannelId::new(2)
}

#[test]
fn r_says_that_it_rings_before_anybody_does() {
    let scene = ringing("r");
    assert_eq!(scene.alice.last_status(), Some(180));
    scene.end();
    let scene = ringing("");
    assert_ne!(scene.alice.last_status(), Some(180));
    scene.end();
}

#[test]
fn m_plays_music_until_somebody_answers() {
    let mut scene = ringing("m");
    assert_eq!(scene.alice.last_status(), Some(183));
    let invite = scene.invite.clone().expect("an INVITE");
    scene.bob.answer_call(&mut scene.exchange, &invite, 180);
    scene.alice.pump(&mut scene.exchange);
    assert_eq!(scene.alice.last_status(), Some(183), "ringing is not told");
    scene.bob_answers();
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    scene.end();
}

#[test]
fn g_goes_on_when_the_callee_hangs_up_and_without_it_the_call_ends() {
    let mut scene = answered("g");
    scene.bob_hangs_up();
    assert!(scene.has("NoOp(status ANSWER)"), "{:?}", scene.exchange.steps());
    scene.end();
    let mut scene = answered("");
    scene.bob_hangs_up();
    assert!(!scene.has("NoOp(status"));
    assert!(scene.has("NoOp(h ANSWER bob)"));
    scene.end();
}

#[test]
fn a_caller_who_hangs_up_had_an_answered_call() {
    let mut scene = answered("g");
    scene.alice.bye(&mut scene.exchange);
    assert!(scene.has("NoOp(h ANSWER bob)"), "{:?}", scene.exchange.steps());
    assert!(!scene.has("NoOp(status"));
    scene.end();
}

#[test]
fn b_runs_on_the_callees_channel_before_it_is_called_and_may_add_headers() {
    let scene = ringing("b(sub^s^1(x))");
    assert!(scene.has("NoOp(sub x blue PJSIP/bob)"), "{:?}", scene.exchange.steps());
    let invite = scene.invite.clone().expect("an INVITE");
    assert_eq!(invite.headers().values_named("X-Colour").next(), Some(&b"blue"[..]));
    scene.end();
}

#[test]
fn b_that_takes_its_time_delays_the_call() {
    let mut scene = dialled("b(slow^s^1)");
    scene.exchange.run_for(secs(4));
    assert!(scene.exchange.letters_to(scene.bob.address()).is_empty());
    scene.exchange.run_for(secs(2));
    scene.bob.take_invite(&mut scene.exchange);
    scene.end();
}

#[test]
fn capital_b_runs_on_the_caller_first() {
    let scene = ringing("B(sub^s^1(y))");
    assert!(scene.has("NoOp(sub y blue PJSIP/ali)"), "{:?}", scene.exchange.steps());
    scene.end();
    let mut scene = dialled("B(slow^s^1)");
    scene.alice.cancel(&mut scene.exchange);
    scene.exchange.run_for(secs(10));
    // The extension h is that of the context where the call is.
    assert!(scene.has("NoOp(h in slow)"), "{:?}", scene.exchange.steps());
    scene.end();
}

#[test]
fn u_runs_on_the_callee_before_the_caller_is_answered() {
    let mut scene = answered("U(slow)");
    assert_eq!(scene.alice.last_status(), Some(100));
    scene.says(6);
    assert_eq!(scene.alice.last_status(), Some(200));
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    scene.end();
}

#[test]
fn u_decides_by_its_result() {
    let scene = answered("U(busy)");
    assert!(scene.has("NoOp(status BUSY)"), "{:?}", scene.exchange.steps());
    scene.end();
    let scene = answered("U(away)");
    assert!(scene.has("NoOp(there)"), "{:?}", scene.exchange.steps());
    scene.end();
}

#[test]
fn a_callee_that_hangs_up_in_its_subroutine_had_answered() {
    let mut scene = answered("gU(slow)");
    scene.bob_hangs_up();
    assert!(scene.has("NoOp(status ANSWER)"), "{:?}", scene.exchange.steps());
    scene.end();
}

#[test]
fn capital_m_runs_a_macro_on_the_callee() {
    let scene = answered("M(old^z)");
    assert!(scene.has("NoOp(macro z office)"), "{:?}", scene.exchange.steps());
    assert_eq!(scene.alice.last_status(), Some(200));
    scene.end();
}

#[test]
fn capital_a_plays_to_the_callee_first() {
    let mut scene = answered("A(hello)");
    assert_eq!(scene.exchange.played(callee()), ["hello"]);
    assert_eq!(scene.alice.last_status(), Some(100));
    scene.says(3);
    assert_eq!(scene.alice.last_status(), Some(200));
    scene.end();
}

#[test]
fn capital_d_sends_keys_to_both() {
    let scene = answered("D(12:345)");
    assert_eq!(scene.exchange.media.sent_digits, 5);
    assert_eq!(scene.alice.last_status(), Some(200));
    scene.end();
}

#[test]
fn capital_l_warns_and_ends_the_call() {
    let mut scene = answered("gL(60000:30000:20000)");
    scene.says(29);
    assert_eq!(scene.exchange.played(caller()), [""; 0]);
    scene.says(2);
    let heard = scene.exchange.played(caller());
    assert_eq!(heard, ["vm-youhave", "digits/30", "queue-seconds"]);
    assert_eq!(scene.exchange.played(callee()), [""; 0]);
    scene.says(30);
    assert_eq!(scene.exchange.played(caller()).len(), 6, "once more at 10 seconds");
    assert!(scene.has("NoOp(status ANSWER)"), "{:?}", scene.exchange.steps());
    scene.end();
}

#[test]
fn capital_s_ends_the_call_after_so_many_seconds() {
    let mut scene = answered("gS(5)");
    scene.says(4);
    assert!(!scene.has("NoOp(status"));
    scene.says(2);
    assert!(scene.has("NoOp(status ANSWER)"));
    scene.end();
}

#[test]
fn capital_g_parts_the_two() {
    let mut scene = answered("G(there^100^1)");
    assert!(scene.has("100,1 NoOp(there)"), "{:?}", scene.exchange.steps());
    assert!(scene.has("100,2 Wait(5)"), "the callee is one priority on");
    scene.says(6);
    assert_eq!(scene.exchange.media.room_sizes(), [0; 0]);
    scene.end();
}

#[test]
fn capital_f_keeps_the_callee_when_the_caller_is_gone() {
    let mut scene = answered("F(there^100^1)");
    scene.alice.bye(&mut scene.exchange);
    assert!(scene.has("100,1 NoOp(there)"), "{:?}", scene.exchange.steps());
    assert!(scene.exchange.ended(callee()).is_none());
    scene.end();
}

#[test]
fn e_runs_the_hangup_extension_for_the_callee() {
    let mut scene = answered("e");
    scene.alice.bye(&mut scene.exchange);
    let ends = scene.exchange.steps().iter().filter(|step| step.contains("NoOp(h ")).count();
    assert_eq!(ends, 2, "{:?}", scene.exchange.steps());
    scene.end();
}

#[test]
fn h_lets_the_callee_and_capital_h_the_caller_hang_up_by_keys() {
    let mut scene = answered("gh");
    scene.exchange.press(callee(), "*0");
    assert!(scene.has("NoOp(status ANSWER)"), "{:?}", scene.exchange.steps());
    scene.end();
    let mut scene = answered("gH");
    scene.exchange.press(callee(), "*0");
    assert!(!scene.has("NoOp(status"), "the callee may not");
    assert_eq!(scene.exchange.media.sent_digits, 2, "its keys go to the caller");
    scene.exchange.press(caller(), "*0");
    assert!(scene.has("NoOp(status ANSWER)"), "{:?}", scene.exchange.steps());
    scene.end();
}

#[test]
fn keys_of_features_are_told_and_not_passed_on() {
    let mut scene = answered("tT");
    scene.exchange.press(caller(), "5#");
    assert_eq!(scene.exchange.media.sent_digits, 1);
    let told = scene.exchange.events.iter().any(|event| {
        matches!(event, SwitchEvent::FeaturePressed { call, feature }
            if *call == caller() && *feature == super::super::Feature::BlindTransfer)
    });
    assert!(told);
    scene.end();
}

#[test]
fn keys_begin_and_end_a_recording_of_the_call_by_either_side() {
    for (options, by, code) in [("X", 1, "*3"), ("W", 1, "*1"), ("x", 2, "*3"), ("w", 2, "*1")] {
        let mut scene = answered(options);
        let presser = ChannelId::new(by);
        scene.exchange.press(presser, code);
        let taps = scene.exchange.media.taps();
        assert_eq!((taps.len(), scene.exchange.media.sent_digits), (1, 0), "{options}");
        let path = scene.exchange.recorder.begun[0].files[0].path.clone();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(path.starts_with("/spool/monitor") && name.starts_with("auto-"), "{name}");
        // Both hear the tone.
        let tones = scene.exchange.asked.iter().filter(|(name, _)| name == "hello").count();
        assert_eq!(tones, 2);
        scene.exchange.press(presser, code);
        assert_eq!(scene.exchange.media.taps(), []);
        assert_eq!(scene.exchange.recorder.ended.len(), 1);
        scene.exchange.press(presser, code);
        assert_eq!(scene.exchange.media.taps().len(), 1);
        scene.end();
    }
    // Whoever has no option sends keys.
    let mut scene = answered("X");
    scene.exchange.press(ChannelId::new(2), "*3");
    assert_eq!(scene.exchange.media.taps(), []);
    scene.end();
}

#[test]
fn d_leaves_for_an_extension_of_one_digit() {
    let mut scene = ringing("rdm");
    scene.exchange.press(caller(), "7");
    assert!(scene.has("7,1 NoOp(seven)"), "{:?}", scene.exchange.steps());
    scene.end();
}

#[test]
fn p_is_refused_by_name_and_nobody_is_called() {
    let mut scene = dialled("p");
    assert!(scene.has("NoOp(status INVALIDARGS)"));
    assert!(scene.exchange.letters_to(scene.bob.address()).is_empty());
    scene.end();
}

#[test]
fn early_media_of_the_only_one_called_is_heard() {
    let mut scene = ringing("");
    let invite = scene.invite.clone().expect("an INVITE");
    scene.bob.answer_call_with(&mut scene.exchange, &invite, 183, "sendrecv");
    scene.alice.pump(&mut scene.exchange);
    assert_eq!(scene.alice.last_status(), Some(183));
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    scene.bob_answers();
    assert_eq!(scene.alice.last_status(), Some(200));
    assert_eq!(scene.exchange.media.room_sizes(), [2]);
    scene.bob_hangs_up();
    assert!(scene.has("NoOp(h ANSWER"));
    scene.end();
}

#[test]
fn r_hides_early_media() {
    let mut scene = ringing("r");
    let invite = scene.invite.clone().expect("an INVITE");
    scene.bob.answer_call_with(&mut scene.exchange, &invite, 183, "sendrecv");
    scene.alice.pump(&mut scene.exchange);
    assert_eq!(scene.alice.last_status(), Some(180));
    assert_eq!(scene.exchange.media.room_sizes(), [0; 0]);
    scene.end();
}

#[test]
fn holding_lets_the_other_hear_music_until_it_is_resumed() {
    let mut scene = answered("");
    scene.alice.reinvite(&mut scene.exchange, "sendonly");
    assert!(scene.exchange.media.is_playing(1), "Bob hears music");
    scene.alice.reinvite(&mut scene.exchange, "sendrecv");
    assert!(!scene.exchange.media.is_playing(1));
    let held = scene.exchange.events.iter().filter(|event| {
        matches!(event, SwitchEvent::CallHeld { .. } | SwitchEvent::CallResumed { .. })
    });
    assert_eq!(held.count(), 2);
    scene.end();
}

#[test]
fn the_reason_of_a_refusal_is_the_cause() {
    let mut scene = ringing("");
    let invite = scene.invite.clone().expect("an INVITE");
    scene.bob.answer_call(&mut scene.exchange, &invite, 503);
    assert!(scene.has("NoOp(status CONGESTION)"));
    scene.end();
    let mut scene = ringing("");
    let invite = scene.invite.clone().expect("an INVITE");
    scene.bob.answer_call(&mut scene.exchange, &invite, 480);
    assert!(scene.has("NoOp(status NOANSWER)"));
    scene.end();
    let mut scene = ringing("");
    let invite = scene.invite.clone().expect("an INVITE");
    scene.bob.answer_call(&mut scene.exchange, &invite, 603);
    assert!(scene.has("NoOp(status CHANUNAVAIL)"));
    scene.end();
}

#[test]
fn hops_are_counted_through_us() {
    let scene = ringing("");
    let invite = scene.invite.clone().expect("an INVITE");
    assert_eq!(invite.max_forwards(), Some(69));
    assert!(invite.headers().value(HeaderName::PAssertedIdentity).is_none());
    scene.end();
}

#[test]
fn others_are_told_that_the_call_was_answered_elsewhere() {
    let mut exchange =
        Exchange::new(config(), "[office]\nexten => 300,1,Dial(PJSIP/bob&PJSIP/carol,20)\n", &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let mut carol = Phone::new("carol", "carol-password", 3);
    bob.register(&mut exchange, "bob");
    carol.register(&mut exchange, "carol");
    let mut alice = alice();
    alice.dial(&mut exchange, "300");
    let to_bob = bob.take_invite(&mut exchange);
    let to_carol = carol.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &to_bob, 180);
    carol.answer_call(&mut exchange, &to_carol, 200);
    bob.pump(&mut exchange);
    let reason = bob.received.iter().find_map(|received| match received {
        Received::Request(request) if *request.method() == Method::Cancel => {
            request.text(HeaderName::Reason).map(str::to_owned)
        }
        _ => None,
    });
    assert!(reason.expect("a Reason").starts_with("SIP;cause=200"));
    bob.answer_call(&mut exchange, &to_bob, 487);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    alice.bye(&mut exchange);
    carol.pump(&mut exchange);
    exchange.assert_nothing_left();
}

/// Alice and a trunk that is what `change` makes of it.
fn trunk(change: impl Fn(&mut Peer, &mut Peer), plan: &str) -> (Exchange, Phone, Phone) {
    let mut settings = SipSettings::default();
    let (mut caller, mut trunk) = (peer("alice", "office"), peer("bob", "office"));
    change(&mut caller, &mut trunk);
    for peer in [caller, trunk] {
        let name = peer.name.to_string();
        settings.peers.insert(peer).expect("a new name");
        settings.aors.insert(aor(&name)).expect("a new name");
    }
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, plan, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    (exchange, alice(), bob)
}

#[test]
fn a_trunk_is_told_who_calls_and_the_caller_who_answered() {
    let plan = "[office]\nexten => 200,1,Set(CALLERID(all)=Ann <33123>)\n\
                same => n,Set(REDIRECTING(from-num)=444)\n\
                same => n,Set(REDIRECTING(reason)=cfb)\n\
                same => n,Dial(PJSIP/bob,20)\n";
    let change = |caller: &mut Peer, trunk: &mut Peer| {
        trunk.send_pai = true;
        trunk.send_rpid = true;
        trunk.trust_id_inbound = true;
        trunk.from_user = Some("account".into());
        caller.send_pai = true;
    };
    let (mut exchange, mut alice, mut bob) = trunk(change, plan);
    alice.dial(&mut exchange, "200");
    let invite = bob.take_invite(&mut exchange);
    let headers = invite.headers();
    assert_eq!(invite.from_header().expect("a From").uri().user(), Some("account"));
    let asserted = headers.text(HeaderName::PAssertedIdentity).expect("asserted");
    assert!(asserted.starts_with("\"Ann\" <sip:33123@"), "{asserted}");
    let told = headers.text(HeaderName::RemotePartyId).expect("told");
    assert!(told.contains("privacy=off"), "{told}");
    let diverted = headers.text(HeaderName::Diversion).expect("diverted");
    assert!(diverted.contains("sip:444@") && diverted.contains("reason=user-busy"), "{diverted}");
    bob.answer_call_as(&mut exchange, &invite, "\"Bobby\" <sip:999@far>");
    alice.pump(&mut exchange);
    let answer = alice.last_response().expect("an answer");
    let connected = answer.headers().text(HeaderName::PAssertedIdentity).expect("asserted");
    assert!(connected.starts_with("\"Bobby\" <sip:999@"), "{connected}");
    alice.ack(&mut exchange);
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_callee_that_asks_for_a_password_gets_it_once() {
    let plan = "[office]\nexten => 200,1,Dial(PJSIP/bob,20)\nsame => n,NoOp(${DIALSTATUS})\n";
    let change = |_: &mut Peer, trunk: &mut Peer| trunk.outbound_auth = trunk.auth.clone();
    let (mut exchange, mut alice, bob) = trunk(change, plan);
    alice.dial(&mut exchange, "200");
    let invite = bob.take_invite(&mut exchange);
    bob.challenge_call(&mut exchange, &invite, "once");
    let again = bob.take_invite(&mut exchange);
    let answer = again.headers().text(HeaderName::Authorization).expect("an answer");
    assert!(answer.contains("username=\"bob\""), "{answer}");
    bob.challenge_call(&mut exchange, &again, "twice");
    alice.pump(&mut exchange);
    assert!(exchange.steps().iter().any(|step| step.contains("NoOp(CHANUNAVAIL)")));
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}
