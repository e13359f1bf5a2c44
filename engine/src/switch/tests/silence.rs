//! Calls whose media falls silent (`rtp_timeout`, `rtp_timeout_hold`, `rtp_keepalive`).

use super::*;

const PLAN: &str = "
[office]
exten => 100,1,Answer()
same => n,Wait(600)
exten => h,1,NoOp(cause ${HANGUPCAUSE})
";

/// Alice's call is up, with these time-outs in seconds.
fn call(timeout: Option<u64>, on_hold: Option<u64>) -> (Exchange, Phone) {
    let mut settings = SipSettings::default();
    let alice_peer = Peer {
        rtp_timeout: timeout.map(secs),
        rtp_timeout_hold: on_hold.map(secs),
        rtp_keepalive: Some(secs(20)),
        ..peer("alice", "office")
    };
    settings.peers.insert(alice_peer).expect("a new name");
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, PLAN, &[]);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    (exchange, alice)
}

fn is_over(exchange: &mut Exchange, alice: &mut Phone) -> bool {
    alice.pump(exchange);
    alice.bye_received().is_some()
}

#[test]
fn a_call_without_media_is_ended_after_the_timeout() {
    let (mut exchange, mut alice) = call(Some(30), None);
    exchange.run_for(secs(29));
    assert!(!is_over(&mut exchange, &mut alice));
    exchange.media.hear_all(exchange.now.instant);
    exchange.run_for(secs(29));
    assert!(!is_over(&mut exchange, &mut alice), "it was heard meanwhile");
    exchange.run_for(secs(2));
    assert!(is_over(&mut exchange, &mut alice));
    let steps = exchange.steps();
    assert!(steps.iter().any(|step| step.ends_with("NoOp(cause 44)")), "{steps:?}");
    exchange.assert_nothing_left();
}

#[test]
fn without_timeouts_a_silent_call_goes_on() {
    let (mut exchange, mut alice) = call(None, None);
    exchange.run_for(secs(300));
    alice.reinvite(&mut exchange, "sendonly");
    exchange.run_for(secs(200));
    assert!(!is_over(&mut exchange, &mut alice));
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_held_call_has_a_timeout_of_its_own() {
    for direction in ["sendonly", "inactive"] {
        let (mut exchange, mut alice) = call(Some(30), Some(120));
        alice.reinvite(&mut exchange, direction);
        exchange.run_for(secs(119));
        assert!(!is_over(&mut exchange, &mut alice), "{direction}");
        exchange.run_for(secs(2));
        assert!(is_over(&mut exchange, &mut alice), "{direction}");
        exchange.assert_nothing_left();
    }
}

#[test]
fn a_call_taken_off_hold_counts_anew() {
    let (mut exchange, mut alice) = call(Some(30), None);
    alice.reinvite(&mut exchange, "inactive");
    exchange.run_for(secs(100));
    alice.reinvite(&mut exchange, "sendrecv");
    exchange.run_for(secs(29));
    assert!(!is_over(&mut exchange, &mut alice));
    exchange.run_for(secs(2));
    assert!(is_over(&mut exchange, &mut alice));
}

#[test]
fn a_phone_that_only_listens_may_be_silent() {
    let (mut exchange, mut alice) = call(Some(30), Some(30));
    alice.reinvite(&mut exchange, "recvonly");
    exchange.run_for(secs(100));
    assert!(!is_over(&mut exchange, &mut alice));
}

#[test]
fn the_keepalive_is_the_peers() {
    let (exchange, _) = call(None, None);
    assert_eq!(exchange.media.latest_settings().keepalive, Some(secs(20)));
}
