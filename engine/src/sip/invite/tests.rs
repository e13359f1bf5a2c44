//! Calls on a [`Pair`] of endpoints: scenarios, timers, and a sweep over bad networks.

use super::*;
use crate::entropy::Entropy;
use crate::sip::pair::{Link, Pair, Sent, Who};
use crate::sip::{Endpoint, EndpointConfig, Message};

static NONE: std::sync::LazyLock<Headers> = std::sync::LazyLock::new(Headers::default);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn call_is_set_up_and_ended_by_the_caller_and_leaves_nothing() {
    let mut pair = Pair::new(Link::good());
    let (alice, _) = pair.call();
    pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
    pair.run_for(ms(100));
    assert!(matches!(pair.events(Who::Alice)[..], [Event::Ended { end: End::Local, .. }]));
    assert!(matches!(pair.events(Who::Bob)[..], [Event::Ended { end: End::Bye { .. }, .. }]));
    let sent: Vec<_> = pair.sent_by(Who::Alice).into_iter().map(|(_, what)| what).collect();
    assert_eq!(sent, ["INVITE", "ACK", "BYE"]);
    let sent: Vec<_> = pair.sent_by(Who::Bob).into_iter().map(|(_, what)| what).collect();
    assert_eq!(sent, ["100 INVITE", "180 INVITE", "200 INVITE", "200 BYE"]);
    pair.run_out();
}

#[test]
fn callee_ends_the_call_over_a_stream() {
    let mut pair = Pair::new(Link::stream());
    let (_, bob) = pair.call();
    pair.bob.endpoint.bye(bob, &NONE, pair.now).expect("answered");
    pair.run_for(ms(100));
    assert!(matches!(pair.events(Who::Alice)[..], [Event::Ended { end: End::Bye { .. }, .. }]));
    pair.run_out();
}

#[test]
fn verbs_on_an_ended_call_find_nothing() {
    let mut pair = Pair::new(Link::good());
    let (alice, _) = pair.call();
    pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
    assert_eq!(pair.alice.endpoint.bye(alice, &NONE, pair.now), Err(VerbError::Gone));
    assert_eq!(pair.alice.endpoint.reinvite(alice, &NONE, None, pair.now), Err(VerbError::Gone));
    pair.run_out();
    assert_eq!(pair.alice.endpoint.bye(alice, &NONE, pair.now), Err(VerbError::Gone));
}

#[test]
fn undecided_callee_sends_100_by_itself_after_200_ms() {
    let mut pair = Pair::new(Link::good());
    let spec = pair.outgoing(None);
    let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
    pair.run_for(ms(300));
    assert_eq!(pair.sent_by(Who::Bob), [(210, "100 INVITE".to_owned())]);
    pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("calling");
    pair.run_out();
}

#[test]
fn unacknowledged_2xx_is_repeated_for_64_t1_and_then_the_call_is_ended_by_bye() {
    for link in [Link::good(), Link::stream()] {
        let mut pair = Pair::new(link);
        let (_, bob) = pair.ringing_call();
        let answered = pair.now;
        // From here on nothing of Alice's arrives.
        pair.alice.endpoint = Endpoint::new(EndpointConfig::default(), Entropy::new(9));
        pair.bob.endpoint.answer(bob, &NONE, None, pair.now).expect("ringing");
        pair.run_for(secs(100));
        let at = |what: &str| -> Vec<u128> {
            let base = (answered - pair.start).as_millis();
            pair.sent_by(Who::Bob)
                .iter()
                .filter(|(_, sent)| sent == what)
                .map(|(at, _)| at - base)
                .collect()
        };
        assert_eq!(
            at("200 INVITE"),
            [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
        );
        assert_eq!(at("BYE").first(), Some(&32_000));
        assert!(matches!(
            pair.events(Who::Bob)[..],
            [Event::Ended { end: End::Unacknowledged, .. }]
        ));
        pair.run_out();
    }
}

#[test]
fn cancelled_call_ends_with_487_and_the_cancel_has_the_invites_to_tag() {
    let mut pair = Pair::new(Link::good());
    let (alice, _) = pair.ringing_call();
    pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("ringing");
    pair.run_for(ms(100));
    assert!(matches!(pair.events(Who::Alice)[..], [Event::Ended { end: End::Local, .. }]));
    assert!(matches!(pair.events(Who::Bob)[..], [Event::Ended { end: End::Cancelled { .. }, .. }]));
    assert_eq!(pair.count(Who::Bob, "487 INVITE"), 1);
    assert_eq!(pair.count(Who::Alice, "ACK"), 1);
    let tag = |what| pair.last(Who::Bob, what).headers().to_tag().map(str::to_owned);
    assert_eq!(tag("200 CANCEL"), tag("487 INVITE"));
    assert_eq!(tag("180 INVITE"), tag("487 INVITE"));
    pair.run_out();
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut pair = Pair::new(Link::good());
    let spec = pair.outgoing(None);
    let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
    pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("calling");
    pair.run_for(ms(100));
    assert_eq!(pair.count(Who::Alice, "CANCEL"), 0);
    pair.run_for(ms(300));
    assert_eq!(pair.count(Who::Alice, "CANCEL"), 1);
    pair.run_out();
}

#[test]
fn answer_that_crosses_a_cancel_is_acknowledged_and_ended() {
    let mut pair = Pair::new(Link::good());
    let (alice, bob) = pair.ringing_call();
    pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("ringing");
    pair.bob.endpoint.answer(bob, &NONE, None, pair.now).expect("ringing");
    pair.run_for(ms(200));
    assert_eq!((pair.count(Who::Alice, "ACK"), pair.count(Who::Alice, "BYE")), (1, 1));
    assert!(matches!(
        pair.events(Who::Bob)[..],
        [Event::Acknowledged { .. }, Event::Ended { end: End::Bye { .. }, .. }]
    ));
    pair.run_out();
}

#[test]
fn refusal_reaches_the_caller_once_and_is_acknowledged() {
    let mut pair = Pair::new(Link::good());
    let (_, bob) = pair.ringing_call();
    pair.bob.endpoint.reject(bob, StatusCode::BUSY_HERE, &NONE, pair.now).expect("ringing");
    pair.run_for(ms(100));
    let events = pair.events(Who::Alice);
    let [Event::Ended { end: End::Refused { response }, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(response.status(), StatusCode::BUSY_HERE);
    assert_eq!(pair.count(Who::Alice, "ACK"), 1);
    pair.run_out();
}

#[test]
fn stateless_refusal_keeps_nothing_and_is_the_same_each_time() {
    let mut pair = Pair::new(Link::good());
    let spec = pair.outgoing(None);
    pair.alice.endpoint.call(spec, pair.now).expect("room");
    pair.run_for(ms(20));
    let events = pair.events(Who::Bob);
    let [Event::IncomingCall { call, .. }] = &events[..] else { panic!("{events:?}") };
    pair.bob
        .endpoint
        .reject_stateless(*call, StatusCode::UNAUTHORIZED, &NONE, pair.now)
        .expect("new");
    assert!(pair.bob.endpoint.is_idle() || pair.bob.endpoint.transaction_count() == (0, 0));
    assert!(matches!(pair.events(Who::Bob)[..], [Event::Ended { end: End::Local, .. }]));
    assert!(pair.bob.endpoint.is_idle());
    pair.run_for(ms(100));
    assert_eq!(pair.count(Who::Bob, "401 INVITE"), 1);
    assert_eq!(pair.count(Who::Alice, "ACK"), 1);
    assert_eq!(pair.bob.endpoint.counters().stray_acks, 1);
}

#[test]
fn challenged_caller_tries_again_with_a_higher_cseq_in_the_same_call() {
    let mut pair = Pair::new(Link::good());
    let spec = pair.outgoing(None);
    let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
    pair.run_for(ms(20));
    let events = pair.events(Who::Bob);
    let [Event::IncomingCall { call, .. }] = &events[..] else { panic!("{events:?}") };
    pair.bob
        .endpoint
        .reject_stateless(*call, StatusCode::UNAUTHORIZED, &NONE, pair.now)
        .expect("new");
    pair.run_for(ms(20));
    pair.events(Who::Bob);
    assert!(matches!(pair.events(Who::Alice)[..], [Event::Challenged { .. }]));
    let first = pair.last(Who::Alice, "INVITE").clone();
    let mut headers = Headers::default();
    headers.push(HeaderName::Authorization, "Digest x");
    pair.alice.endpoint.authenticate(alice, &headers, pair.now).expect("challenged");
    assert_eq!(
        pair.alice.endpoint.authenticate(alice, &headers, pair.now),
        Err(VerbError::WrongState)
    );
    pair.run_for(ms(20));
    let second = pair.last(Who::Alice, "INVITE").clone();
    assert_eq!(first.headers().call_id(), second.headers().call_id());
    assert_eq!(first.headers().from_tag(), second.headers().from_tag());
    assert_eq!(
        first.headers().cseq().map(|cseq| cseq.number + 1),
        second.headers().cseq().map(|cseq| cseq.number)
    );
    assert_eq!(second.headers().value(HeaderName::Authorization), Some(&b"Digest x"[..]));
    assert!(matches!(pair.events(Who::Bob)[..], [Event::IncomingCall { .. }]));
    pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("calling");
    pair.run_out();
}

#[test]
fn challenge_nobody_takes_up_is_a_refusal_in_the_end() {
    let mut pair = Pair::new(Link::good());
    let spec = pair.outgoing(None);
    pair.alice.endpoint.call(spec, pair.now).expect("room");
    pair.run_for(ms(20));
    let events = pair.events(Who::Bob);
    let [Event::IncomingCall { call, .. }] = &events[..] else { panic!("{events:?}") };
    let status = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
    pair.bob.endpoint.reject_stateless(*call, status, &NONE, pair.now).expect("new");
    pair.run_for(secs(33));
    assert!(matches!(
        pair.events(Who::Alice)[..],
        [Event::Challenged { .. }, Event::Ended { end: End::Refused { .. }, .. }]
    ));
    pair.run_out();
}

#[test]
fn late_offer_travels_in_the_2xx_and_its_answer_in_the_ack() {
    let mut pair = Pair::new(Link::good());
    let spec = pair.outgoing(None);
    let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
    pair.run_for(ms(20));
    let events = pair.events(Who::Bob);
    let [Event::IncomingCall { call: bob, .. }] = &events[..] else { panic!("{events:?}") };
    pair.bob.endpoint.answer(*bob, &NONE, Some(&Body::sdp("offer")), pair.now).expect("new");
    pair.run_for(ms(600));
    assert_eq!(pair.count(Who::Alice, "ACK"), 0);
    assert!(matches!(pair.events(Who::Alice)[..], [Event::Answered { .. }]));
    pair.alice.endpoint.acknowledge(alice, Some(&Body::sdp("answer")), pair.now).expect("offered");
    pair.run_for(ms(600));
    let events = pair.events(Who::Bob);
    let [Event::Acknowledged { request, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(&request.body()[..], b"answer");
    pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
    pair.run_out();
}

#[test]
fn reinvite_in_either_direction_is_offered_answered_and_acknowledged() {
    let mut pair = Pair::new(Link::good());
    let calls = pair.call();
    for (who, own, other) in [(Who::Alice, calls.0, calls.1), (Who::Bob, calls.1, calls.0)] {
        let now = pair.now;
        pair.side(who)
            .endpoint
            .reinvite(own, &NONE, Some(&Body::sdp("hold")), now)
            .expect("answered");
        assert_eq!(
            pair.side(who).endpoint.reinvite(own, &NONE, None, now),
            Err(VerbError::OfferPending)
        );
        pair.run_for(ms(20));
        assert!(matches!(pair.events(who.other())[..], [Event::Reoffer { .. }]));
        let now = pair.now;
        let endpoint = &mut pair.side(who.other()).endpoint;
        endpoint.accept_offer(other, &NONE, Some(&Body::sdp("held")), now).expect("offered");
        pair.run_for(ms(100));
        assert!(matches!(pair.events(who)[..], [Event::ReofferAnswered { .. }]));
        assert!(matches!(pair.events(who.other())[..], [Event::Acknowledged { .. }]));
    }
    pair.bob.endpoint.bye(calls.1, &NONE, pair.now).expect("answered");
    pair.run_out();
}

#[test]
fn refused_reinvite_leaves_the_call_as_it_was() {
    let mut pair = Pair::new(Link::good());
    let (alice, bob) = pair.call();
    pair.alice.endpoint.reinvite(alice, &NONE, Some(&Body::sdp("x")), pair.now).expect("answered");
    pair.run_for(ms(20));
    pair.events(Who::Bob);
    pair.bob
        .endpoint
        .refuse_offer(bob, StatusCode::NOT_ACCEPTABLE_HERE, &NONE, pair.now)
        .expect("offered");
    pair.run_for(ms(20));
    assert!(matches!(pair.events(Who::Alice)[..], [Event::ReofferRefused { .. }]));
    pair.alice.endpoint.reinvite(alice, &NONE, Some(&Body::sdp("y")), pair.now).expect("again");
    pair.run_for(ms(20));
    pair.bob.endpoint.accept_offer(bob, &NONE, Some(&Body::sdp("z")), pair.now).expect("offered");
    pair.run_for(ms(100));
    pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
    pair.run_out();
}

#[test]
fn crossing_reinvites_get_491_and_are_due_again_at_different_times() {
    let mut pair = Pair::new(Link::good());
    let (alice, bob) = pair.call();
    let met = pair.now;
    pair.alice.endpoint.reinvite(alice, &NONE, Some(&Body::sdp("a")), pair.now).expect("answered");
    pair.bob.endpoint.reinvite(bob, &NONE, Some(&Body::sdp("b")), pair.now).expect("answered");
    pair.run_for(ms(25));
    assert_eq!((pair.count(Who::Alice, "491 INVITE"), pair.count(Who::Bob, "491 INVITE")), (1, 1));
    assert_eq!(
        pair.bob.endpoint.reinvite(bob, &NONE, None, pair.now),
        Err(VerbError::OfferPending)
    );
    let due = |pair: &mut Pair, who| loop {
        if pair.events(who).iter().any(|event| matches!(event, Event::ReofferDue { .. })) {
            return pair.now - met;
        }
        assert!(pair.step(met + secs(10)));
    };
    // The callee of the call may try at once, its caller waits for more than two seconds.
    assert!(due(&mut pair, Who::Bob) <= ms(2050));
    let alice_due = due(&mut pair, Who::Alice);
    assert!(alice_due >= ms(2100) && alice_due <= ms(4050), "{alice_due:?}");
    pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
    pair.run_out();
}

#[test]
fn crossing_byes_are_both_accepted() {
    let mut pair = Pair::new(Link::good());
    let (alice, bob) = pair.call();
    pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
    pair.bob.endpoint.bye(bob, &NONE, pair.now).expect("answered");
    pair.run_for(ms(100));
    assert_eq!((pair.count(Who::Alice, "200 BYE"), pair.count(Who::Bob, "200 BYE")), (1, 1));
    assert!(matches!(pair.events(Who::Alice)[..], [Event::Ended { end: End::Local, .. }]));
    assert!(matches!(pair.events(Who::Bob)[..], [Event::Ended { end: End::Local, .. }]));
    pair.run_out();
}

#[test]
fn callee_that_leaves_before_the_ack_sends_its_bye_after_it() {
    let mut pair = Pair::new(Link::good());
    let (_, bob) = pair.ringing_call();
    pair.bob.endpoint.answer(bob, &NONE, None, pair.now).expect("ringing");
    pair.bob.endpoint.bye(bob, &NONE, pair.now).expect("answered");
    assert_eq!(pair.bob.endpoint.bye(bob, &NONE, pair.now), Err(VerbError::Gone));
    pair.drain();
    assert_eq!(pair.count(Who::Bob, "BYE"), 0);
    pair.run_for(ms(100));
    assert_eq!(pair.count(Who::Bob, "BYE"), 1);
    assert!(matches!(
        pair.events(Who::Alice)[..],
        [Event::Answered { .. }, Event::Ended { end: End::Bye { .. }, .. }]
    ));
    pair.run_out();
}

#[test]
fn bye_during_a_reinvite_gets_it_487() {
    let mut pair = Pair::new(Link::good());
    let (alice, _) = pair.call();
    pair.alice.endpoint.reinvite(alice, &NONE, Some(&Body::sdp("x")), pair.now).expect("answered");
    pair.run_for(ms(20));
    pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
    pair.run_for(ms(100));
    assert_eq!(pair.count(Who::Bob, "487 INVITE"), 1);
    pair.run_out();
}

#[test]
fn silent_network_ends_the_call_at_timer_b() {
    let mut pair = Pair::new(Link { drop: 1000, ..Link::good() });
    let spec = pair.outgoing(None);
    pair.alice.endpoint.call(spec, pair.now).expect("room");
    pair.run_for(secs(31));
    assert!(pair.events(Who::Alice).is_empty());
    pair.run_for(secs(1));
    assert!(matches!(
        pair.events(Who::Alice)[..],
        [Event::Ended { end: End::Failed(Failure::TimedOut), .. }]
    ));
    pair.run_out();
}

#[test]
fn endless_ringing_is_cancelled_at_timer_c_unless_the_callee_keeps_saying_so() {
    let mut pair = Pair::new(Link::good());
    let (_, bob) = pair.ringing_call();
    // The callee repeats its 180 every minute (RFC 3261 §13.3.1.1), which renews timer C.
    pair.run_for(secs(590));
    assert_eq!(pair.count(Who::Bob, "180 INVITE"), 10);
    assert!(!pair.events(Who::Alice).iter().any(|event| matches!(event, Event::Ended { .. })));
    pair.bob.endpoint.reject(bob, StatusCode::BUSY_HERE, &NONE, pair.now).expect("ringing");
    pair.run_out();

    let mut pair = Pair::new(Link::good());
    let spec = pair.outgoing(None);
    pair.alice.endpoint.call(spec, pair.now).expect("room");
    pair.run_for(secs(299));
    assert_eq!(pair.count(Who::Alice, "CANCEL"), 0);
    pair.run_for(secs(2));
    assert_eq!(pair.count(Who::Alice, "CANCEL"), 1);
    assert!(matches!(
        pair.events(Who::Alice)[..],
        [Event::Ended { end: End::Failed(Failure::TimedOut), .. }]
    ));
    pair.run_out();
}

#[test]
fn expired_invite_is_refused_with_487() {
    let mut pair = Pair::new(Link::good());
    let mut spec = pair.outgoing(None);
    spec.headers.push(HeaderName::Expires, 30u32);
    pair.alice.endpoint.call(spec, pair.now).expect("room");
    pair.run_for(secs(31));
    assert_eq!(pair.count(Who::Bob, "487 INVITE"), 1);
    assert!(matches!(
        pair.events(Who::Bob)[..],
        [Event::IncomingCall { .. }, Event::Ended { end: End::Expired, .. }]
    ));
    pair.run_out();
}

#[test]
fn info_reaches_the_application_and_its_response_the_sender() {
    let mut pair = Pair::new(Link::good());
    let (alice, _) = pair.call();
    let body = Body { content_type: "application/dtmf-relay".into(), bytes: "Signal=5".into() };
    let sent = pair
        .alice
        .endpoint
        .send_in_dialog(alice, Method::Info, &NONE, Some(&body), pair.now)
        .expect("answered");
    pair.run_for(ms(20));
    let events = pair.events(Who::Bob);
    let [Event::InDialog { transaction, request, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(&request.body()[..], b"Signal=5");
    pair.bob.endpoint.respond(*transaction, StatusCode::OK, &NONE, None, pair.now).expect("asked");
    assert_eq!(
        pair.bob.endpoint.respond(*transaction, StatusCode::OK, &NONE, None, pair.now),
        Err(VerbError::Gone)
    );
    pair.run_for(ms(20));
    let events = pair.events(Who::Alice);
    let [Event::Response { request, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*request, sent);
    pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
    pair.run_out();
}

#[test]
fn peer_that_lost_the_dialog_ends_the_call() {
    let mut pair = Pair::new(Link::good());
    let (alice, _) = pair.call();
    pair.bob.endpoint = Endpoint::new(EndpointConfig::default(), Entropy::new(9));
    pair.alice.endpoint.reinvite(alice, &NONE, Some(&Body::sdp("x")), pair.now).expect("answered");
    pair.run_for(ms(100));
    assert_eq!(pair.count(Who::Bob, "481 INVITE"), 1);
    assert!(matches!(
        pair.events(Who::Alice)[..],
        [Event::Ended { end: End::Failed(Failure::DialogGone), .. }]
    ));
    pair.run_out();
}

#[test]
fn reserved_headers_are_refused_before_anything_is_sent() {
    let mut pair = Pair::new(Link::good());
    let mut spec = pair.outgoing(None);
    spec.headers.push(HeaderName::CallId, "mine");
    assert_eq!(pair.alice.endpoint.call(spec, pair.now), Err(VerbError::ReservedHeader));
    pair.drain();
    assert!(pair.log.is_empty() && pair.alice.endpoint.is_idle());
}

/// What happens when in one run of the sweep.
#[derive(Clone, Copy, Debug)]
enum Act {
    Bye(Who),
    Cancel,
    Reinvite(Who),
    Answer,
    Refuse,
}

/// Plays one run: Bob rings and both accept every re-offer; acts come at random times and may
/// find the call in any state.
fn play(seed: u64, link: Link) -> Pair {
    let mut pair = Pair::new(link);
    let mut entropy = Entropy::new(seed ^ 0xabcd);
    let offers = entropy.below(2) == 0;
    let spec = pair.outgoing(offers.then(|| Body::sdp("offer")));
    let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
    let mut bob = vec![];
    let mut acts: Vec<(Instant, Act)> = vec![];
    let schedule = |acts: &mut Vec<(Instant, Act)>, now: Instant, entropy: &mut Entropy, act| {
        acts.push((now + ms(entropy.below(4000).into()), act));
    };
    let ending = [Act::Bye(Who::Alice), Act::Bye(Who::Bob), Act::Cancel, Act::Refuse];
    schedule(&mut acts, pair.now, &mut entropy, Act::Answer);
    for who in [Who::Alice, Who::Bob] {
        for _ in 0..entropy.below(3) {
            schedule(&mut acts, pair.now + secs(2), &mut entropy, Act::Reinvite(who));
        }
    }
    for act in ending {
        if entropy.below(3) == 0 {
            schedule(&mut acts, pair.now + secs(1), &mut entropy, act);
        }
    }
    // Whatever came of it, both hang up in the end.
    acts.push((pair.now + secs(200), Act::Bye(Who::Bob)));
    acts.push((pair.now + secs(200), Act::Refuse));
    acts.push((pair.now + secs(300), Act::Bye(Who::Alice)));
    acts.push((pair.now + secs(300), Act::Cancel));
    acts.sort_by_key(|&(at, _)| at);
    for (at, act) in acts {
        loop {
            let more = pair.step(at);
            let now = pair.now;
            for index in seen(&mut pair, Who::Bob) {
                if let Some(Event::IncomingCall { call, .. }) = pair.bob.events.get(index) {
                    let call = *call;
                    bob.push(call);
                    let _ = pair.bob.endpoint.proceed(call, now);
                    let _ = pair.bob.endpoint.ring(call, StatusCode::RINGING, &NONE, None, now);
                }
                if let Some(Event::Reoffer { call, .. }) = pair.bob.events.get(index) {
                    let call = *call;
                    let _ = pair.bob.endpoint.accept_offer(call, &NONE, Some(&Body::sdp("b")), now);
                }
                acknowledge(&mut pair, Who::Bob, index);
            }
            for index in seen(&mut pair, Who::Alice) {
                if let Some(Event::Reoffer { call, .. }) = pair.alice.events.get(index) {
                    let call = *call;
                    let _ =
                        pair.alice.endpoint.accept_offer(call, &NONE, Some(&Body::sdp("a")), now);
                }
                acknowledge(&mut pair, Who::Alice, index);
            }
            if !more {
                break;
            }
        }
        let now = pair.now;
        let handle = |who| match who {
            Who::Alice => Some(alice),
            Who::Bob => bob.last().copied(),
        };
        match act {
            Act::Bye(who) => {
                if let Some(call) = handle(who) {
                    let _ = pair.side(who).endpoint.bye(call, &NONE, now);
                }
            }
            Act::Cancel => drop(pair.alice.endpoint.cancel(alice, &NONE, now)),
            Act::Reinvite(who) => {
                let body = (entropy.below(2) == 0).then(|| Body::sdp("again"));
                if let Some(call) = handle(who) {
                    let _ = pair.side(who).endpoint.reinvite(call, &NONE, body.as_ref(), now);
                }
            }
            Act::Answer | Act::Refuse => {
                for call in &bob {
                    let body = Some(&Body::sdp("b"));
                    let _ = match act {
                        Act::Answer => pair.bob.endpoint.answer(*call, &NONE, body, now),
                        _ => pair.bob.endpoint.reject(*call, StatusCode::DECLINE, &NONE, now),
                    };
                }
            }
        }
    }
    pair.run_out();
    pair
}

/// The events one side was told since the last look, by index.
fn seen(pair: &mut Pair, who: Who) -> std::ops::Range<usize> {
    let side = pair.side(who);
    let from = std::mem::replace(&mut side.looked_at, side.events.len());
    from..side.events.len()
}

fn acknowledge(pair: &mut Pair, who: Who, index: usize) {
    let now = pair.now;
    if let Some(Event::Answered { call, .. } | Event::ReofferAnswered { call, .. }) =
        pair.side(who).events.get(index)
    {
        let call = *call;
        // Fails where the INVITE had the offer: then the ACK is sent already.
        let _ = pair.side(who).endpoint.acknowledge(call, Some(&Body::sdp("c")), now);
    }
}

/// What holds of every run, however bad the network.
fn check(seed: u64, pair: &Pair) {
    for who in [Who::Alice, Who::Bob] {
        let side = if who == Who::Alice { &pair.alice } else { &pair.bob };
        let mut calls = vec![];
        for event in &side.events {
            match event {
                Event::IncomingCall { call, .. } => calls.push((*call, 0)),
                Event::Ended { call, .. } => {
                    match calls.iter_mut().find(|(known, _)| known == call) {
                        Some((_, ended)) => *ended += 1,
                        None => calls.push((*call, 1)),
                    }
                }
                _ => {}
            }
        }
        assert!(calls.iter().all(|&(_, ended)| ended == 1), "seed {seed}: {who:?} {calls:?}");
        // One final response per request.
        let mut finals: Vec<(String, u16)> = vec![];
        for sent in pair.log.iter().filter(|sent| sent.from == who) {
            let Message::Response(response) = &sent.message else { continue };
            if response.status().is_final() {
                let via = response.via().expect("parsed");
                let key = format!(
                    "{} {}",
                    via.branch().expect("ours"),
                    response.cseq().expect("parsed").method
                );
                let status = response.status().code();
                match finals.iter().find(|(known, _)| *known == key) {
                    Some((_, known)) => {
                        assert_eq!(*known, status, "seed {seed}: {who:?} {key}")
                    }
                    None => finals.push((key, status)),
                }
            }
        }
        // Every 2xx that arrived within the transaction's life is acknowledged.
        let acks: Vec<u32> = pair
            .log
            .iter()
            .filter(|sent| sent.from == who && sent.summary() == "ACK")
            .filter_map(|sent| sent.message.headers().cseq())
            .map(|cseq| cseq.number)
            .collect();
        let arrived = pair.log.iter().filter(|sent| {
            sent.from == who.other() && sent.summary() == "200 INVITE" && sent.arrives.is_some()
        });
        for sent in arrived {
            let number = sent.message.headers().cseq().expect("parsed").number;
            assert!(acks.contains(&number), "seed {seed}: {who:?} left {number} unacknowledged");
        }
    }
}

#[test]
fn no_network_however_bad_leaves_a_call_half_open() {
    let mut met = std::collections::BTreeMap::new();
    for seed in 0..300 {
        let pair = play(seed, Link::bad(seed));
        check(seed, &pair);
        for summary in pair.log.iter().map(Sent::summary).collect::<std::collections::BTreeSet<_>>()
        {
            *met.entry(summary).or_insert(0) += 1;
        }
    }
    // The sweep is worth something only if it goes everywhere.
    for (what, least) in [
        ("CANCEL", 30),
        ("200 BYE", 200),
        ("487 INVITE", 20),
        ("491 INVITE", 5),
        ("603 INVITE", 20),
        ("ACK", 250),
    ] {
        assert!(met.get(what).is_some_and(|&runs| runs >= least), "{what} in {met:?}");
    }
}

#[test]
fn crossing_acts_over_a_stream_leave_nothing() {
    for seed in 0..100 {
        check(seed, &play(seed, Link::stream()));
    }
}
