//! How keys travel (`dtmf_mode`).

use super::*;
use crate::{
    media::InbandDigits,
    sip::{Method, Request, StatusCode},
};

const PLAN: &str = "
[office]
exten => 100,1,Answer()
same => n,Read(KEYS,,4,,,3)
same => n,NoOp(keys ${KEYS})
same => n,Wait(60)
exten => 101,1,Answer()
same => n,SendDTMF(12#)
same => n,NoOp(sent)
same => n,Wait(60)
exten => 102,1,Dial(PJSIP/bob,20)
";

fn exchange(alice: DtmfMode, bob: DtmfMode) -> Exchange {
    let mut settings = SipSettings::default();
    for (name, dtmf) in [("alice", alice), ("bob", bob)] {
        settings.peers.insert(Peer { dtmf, ..peer(name, "office") }).expect("a new name");
        settings.aors.insert(aor(name)).expect("a new name");
    }
    Exchange::new(SwitchConfig { sip: Arc::new(settings), ..config() }, PLAN, &[])
}

/// What a phone offers and can do.
#[derive(Clone, Copy, PartialEq)]
enum Offers {
    Events,
    NoEvents,
}

/// Alice calls; returns her, with the call up.
fn call(exchange: &mut Exchange, offers: Offers, exten: &str) -> Phone {
    let mut alice = alice();
    let mut sdp = alice.sdp("sendrecv");
    if offers == Offers::NoEvents {
        sdp = without_events(&sdp);
    }
    alice.dial_with(exchange, exten, Some(sdp));
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(exchange);
    alice
}

fn without_events(sdp: &str) -> String {
    let lines = sdp.split_inclusive("\r\n").filter(|line| !line.starts_with("a=rtpmap:101"));
    let rest: String = lines.filter(|line| !line.starts_with("a=fmtp:101")).collect();
    rest.replace("RTP/AVP 0 8 101", "RTP/AVP 0 8")
}

fn has_events(phone: &Phone) -> bool {
    let answer = phone.last_response().expect("an answer");
    String::from_utf8_lossy(answer.body()).contains("telephone-event")
}

fn has_step(exchange: &Exchange, step: &str) -> bool {
    exchange.steps().iter().any(|taken| taken.ends_with(step))
}

/// The digits that came as INFO requests.
fn told(phone: &Phone) -> String {
    let digit = |request: &Request| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        body.strip_prefix("Signal=").and_then(|rest| rest.chars().next())
    };
    let digits = phone.received.iter().filter_map(|message| match message {
        Received::Request(request) if *request.method() == Method::Info => digit(request),
        _ => None,
    });
    digits.collect()
}

#[test]
fn each_mode_offers_events_and_listens_for_tones_as_it_says() {
    use DtmfMode::*;
    use InbandDigits::{Detect, Ignore};
    for (mode, offers, answers_events, inband) in [
        (TelephoneEvent, Offers::Events, true, Ignore),
        (TelephoneEvent, Offers::NoEvents, false, Ignore),
        (Info, Offers::Events, false, Ignore),
        (Inband, Offers::Events, false, Detect),
        (TelephoneEventOrInband, Offers::Events, true, Ignore),
        (TelephoneEventOrInband, Offers::NoEvents, false, Detect),
        (TelephoneEventOrInfo, Offers::Events, true, Ignore),
        (TelephoneEventOrInfo, Offers::NoEvents, false, Ignore),
    ] {
        let mut exchange = exchange(mode, mode);
        let mut alice = call(&mut exchange, offers, "100");
        assert_eq!(has_events(&alice), answers_events, "{mode:?}");
        assert_eq!(exchange.media.latest_settings().inband_digits, inband, "{mode:?}");
        alice.bye(&mut exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn in_every_mode_a_key_that_comes_in_two_ways_is_one_key() {
    use DtmfMode::*;
    for mode in [TelephoneEvent, Info, Inband, TelephoneEventOrInband, TelephoneEventOrInfo] {
        let mut exchange = exchange(mode, mode);
        let mut alice = call(&mut exchange, Offers::Events, "100");
        for key in ["5", "5", "7"] {
            exchange.press(ChannelId::new(1), key);
            let body = format!("Signal={key}\r\nDuration=100\r\n");
            assert_eq!(alice.info(&mut exchange, "application/dtmf-relay", &body), 200);
            exchange.run_for(Duration::from_millis(300));
        }
        exchange.run_for(secs(4));
        assert!(has_step(&exchange, "NoOp(keys 557)"), "{mode:?}: {:?}", exchange.steps());
        alice.bye(&mut exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn keys_are_sent_as_info_where_the_mode_says_so() {
    use DtmfMode::*;
    for (mode, offers, by_info) in [
        (Info, Offers::Events, true),
        (TelephoneEventOrInfo, Offers::NoEvents, true),
        (TelephoneEventOrInfo, Offers::Events, false),
        (TelephoneEvent, Offers::NoEvents, false),
        (TelephoneEventOrInband, Offers::NoEvents, false),
        (Inband, Offers::Events, false),
    ] {
        let mut exchange = exchange(mode, mode);
        let mut alice = call(&mut exchange, offers, "101");
        // The channel hears something before SendDTMF begins, or half a second passes.
        for _ in 0..20 {
            exchange.run_for(Duration::from_millis(250));
            alice.pump(&mut exchange);
        }
        let expected = if by_info { ("12#", 0) } else { ("", 3) };
        assert_eq!((&told(&alice)[..], exchange.media.sent_digits), expected, "{mode:?}");
        assert!(has_step(&exchange, "NoOp(sent)"), "{mode:?}: {:?}", exchange.steps());
        alice.bye(&mut exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn the_next_info_waits_for_the_answer_to_the_one_before() {
    let mut exchange = exchange(DtmfMode::Info, DtmfMode::Info);
    let mut alice = call(&mut exchange, Offers::Events, "101");
    alice.pump(&mut exchange);
    exchange.run_for(secs(3));
    // Nobody answers: the first is repeated, and no other goes out.
    let letters = exchange.letters_to(alice.address());
    assert!(letters.len() > 1);
    assert!(letters.iter().all(|letter| letter.windows(8).any(|text| text == b"Signal=1")));
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_peer_that_takes_no_info_does_not_stop_the_dialplan() {
    let mut exchange = exchange(DtmfMode::Info, DtmfMode::Info);
    let mut alice = call(&mut exchange, Offers::Events, "101");
    for _ in 0..20 {
        exchange.run_for(Duration::from_millis(250));
        alice.answer_others_with(&mut exchange, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    assert!(has_step(&exchange, "NoOp(sent)"), "{:?}", exchange.steps());
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

/// Alice and Bob are connected and Alice presses a key; what is sent to Bob's media, and to Bob.
fn passed_on(alice_mode: DtmfMode, bob_mode: DtmfMode) -> (usize, String) {
    let mut exchange = exchange(alice_mode, bob_mode);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, "102");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    bob.pump(&mut exchange);
    bob.received.clear();
    exchange.press(ChannelId::new(1), "5");
    bob.pump(&mut exchange);
    let passed = (exchange.media.sent_digits, told(&bob));
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    exchange.assert_nothing_left();
    passed
}

#[test]
fn a_key_is_passed_on_the_way_the_other_phone_takes_it() {
    use DtmfMode::*;
    assert_eq!(passed_on(TelephoneEvent, TelephoneEvent), (1, String::new()));
    assert_eq!(passed_on(TelephoneEvent, Info), (0, "5".into()));
    assert_eq!(passed_on(Inband, TelephoneEvent), (1, String::new()));
    assert_eq!(passed_on(Inband, Info), (0, "5".into()));
}

#[test]
fn a_tone_that_the_other_phone_hears_anyway_is_not_sent_once_more() {
    assert_eq!(passed_on(DtmfMode::Inband, DtmfMode::Inband), (0, String::new()));
    assert_eq!(passed_on(DtmfMode::TelephoneEvent, DtmfMode::Inband), (1, String::new()));
}
