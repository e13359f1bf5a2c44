//! Calls with session timers (`timers`, `timers_min_se`, `timers_sess_expires`).

use super::*;
use crate::sip::{HeaderName, Method, SessionTimers, TimerPolicy};

const PLAN: &str = "
[office]
exten => 100,1,Answer()
same => n,Wait(600)
";

/// Alice's peer has these timers and an interval of 200 s.
fn exchange(policy: TimerPolicy) -> (Exchange, Phone) {
    let mut settings = SipSettings::default();
    let alice_peer = Peer {
        session_timers: SessionTimers {
            policy,
            session_expires: secs(200),
            ..SessionTimers::default()
        },
        ..peer("alice", "office")
    };
    settings.peers.insert(alice_peer).expect("a new name");
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    (Exchange::new(config, PLAN, &[]), alice())
}

/// The re-INVITEs that came to the phone, their offers answered.
fn reinvites(exchange: &mut Exchange, alice: &mut Phone) -> Vec<String> {
    let mut offers = vec![];
    alice.pump(exchange);
    for message in std::mem::take(&mut alice.received) {
        let Received::Request(request) = message else { continue };
        if *request.method() == Method::Invite {
            assert_eq!(request.text(HeaderName::SessionExpires), Some("200;refresher=uac"));
            offers.push(String::from_utf8_lossy(request.body()).into_owned());
            alice.answer_call(exchange, &request, 200);
        }
    }
    offers
}

#[test]
fn a_phone_that_knows_no_timers_is_refreshed_by_the_same_offer_under_always() {
    let (mut exchange, mut alice) = exchange(TimerPolicy::Always);
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    let mut offers = vec![];
    for _ in 0..5 {
        exchange.run_for(secs(101));
        offers.extend(reinvites(&mut exchange, &mut alice));
    }
    assert!(offers.len() >= 4, "{offers:?}");
    // The phone gives no SDP that differs, so neither does the version of ours (RFC 3264 §8).
    let origins: Vec<_> = offers.iter().map(|offer| offer.lines().nth(1)).collect();
    assert!(origins.windows(2).all(|pair| pair[0] == pair[1]), "{origins:?}");
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_phone_that_does_not_answer_refreshes_ends_the_call_before_it_expires() {
    let (mut exchange, mut alice) = exchange(TimerPolicy::Always);
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    exchange.run_for(secs(169));
    alice.pump(&mut exchange);
    assert!(alice.bye_received().is_some());
    exchange.assert_nothing_left();
}

#[test]
fn a_phone_without_timers_is_left_alone_unless_they_are_required() {
    let (mut exchange, mut alice) = exchange(TimerPolicy::IfSupported);
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    exchange.run_for(secs(500));
    assert_eq!(reinvites(&mut exchange, &mut alice), Vec::<String>::new());
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();

    let (mut exchange, mut alice) = self::exchange(TimerPolicy::Required);
    alice.dial(&mut exchange, "100");
    assert_eq!(alice.statuses().last(), Some(&421));
    exchange.assert_nothing_left();
}
