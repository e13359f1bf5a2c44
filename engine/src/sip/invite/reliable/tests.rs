//! Reliable provisional responses on a [`Pair`]: both roles, and a sweep over bad networks.

use super::*;
use crate::sip::pair::{Link, Pair, Who};
use crate::sip::{EndpointConfig, Message};

static NONE: std::sync::LazyLock<Headers> = std::sync::LazyLock::new(Headers::default);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn wants(reliable: ReliableProvisional) -> Terms {
    Terms { reliable, ..Terms::default() }
}

fn pair(link: Link) -> Pair {
    let config =
        EndpointConfig { extensions: vec!["timer", "100rel"], ..EndpointConfig::default() };
    Pair::with_config(link, config)
}

/// Alice's INVITE is at Bob's, who applied his terms: what they refuse it with, if they do.
fn invite(
    pair: &mut Pair,
    body: Option<Body>,
    alices: ReliableProvisional,
    bobs: ReliableProvisional,
) -> (CallHandle, CallHandle, Result<(), Refusal>) {
    let spec = OutgoingCall { terms: wants(alices), ..pair.outgoing(body) };
    let alice = pair.alice.endpoint.call(spec, pair.now).expect("room");
    let until = pair.now + Duration::from_secs(20);
    let bob = loop {
        assert!(pair.step(until), "the INVITE was lost for good");
        if let Some(Event::IncomingCall { call, .. }) = pair.events(Who::Bob).pop() {
            break call;
        }
    };
    let suits = pair.bob.endpoint.set_terms(bob, wants(bobs), pair.now).expect("new");
    (alice, bob, suits)
}

type Refusal = (StatusCode, Headers);

fn agreed(pair: &mut Pair) -> (CallHandle, CallHandle) {
    let offer = Some(Body::sdp("offer"));
    let wanted = ReliableProvisional::IfSupported;
    let (alice, bob, suits) = invite(pair, offer, wanted, wanted);
    assert!(suits.is_ok());
    (alice, bob)
}

fn ring(pair: &mut Pair, bob: CallHandle, status: StatusCode, body: Option<&str>) {
    let body = body.map(|body| Body::sdp(body.to_owned()));
    pair.bob.endpoint.ring(bob, status, &NONE, body.as_ref(), pair.now).expect("unanswered");
}

fn answer(pair: &mut Pair, bob: CallHandle) {
    let body = Body::sdp("answer");
    pair.bob.endpoint.answer(bob, &NONE, Some(&body), pair.now).expect("unanswered");
}

fn text(message: &Message, name: HeaderName) -> String {
    message.headers().text(name).unwrap_or_default().to_owned()
}

fn hang_up(mut pair: Pair, alice: CallHandle) {
    pair.alice.endpoint.bye(alice, &NONE, pair.now).expect("answered");
    pair.run_out();
}

#[test]
fn ringing_and_early_media_are_acknowledged_one_after_the_other() {
    for link in [Link::good(), Link::stream()] {
        let mut pair = pair(link);
        let (alice, bob) = agreed(&mut pair);
        ring(&mut pair, bob, StatusCode::RINGING, None);
        ring(&mut pair, bob, StatusCode::SESSION_PROGRESS, Some("answer"));
        pair.run_for(ms(5));
        assert_eq!(pair.count(Who::Bob, "183 INVITE"), 0, "the 180 has no PRACK yet");
        pair.run_for(ms(100));
        let (first, second) =
            (pair.last(Who::Bob, "180 INVITE"), pair.last(Who::Bob, "183 INVITE"));
        let number = |message: &Message| text(message, HeaderName::RSeq).parse::<u32>().ok();
        assert_eq!(number(second), number(first).map(|first| first + 1));
        assert!(first.headers().requires("100rel"));
        let cseq = first.headers().cseq().map_or(0, |cseq| cseq.number);
        let rack = text(pair.last(Who::Alice, "PRACK"), HeaderName::RAck);
        assert_eq!(rack, format!("{} {cseq} INVITE", text(second, HeaderName::RSeq)));
        assert_eq!((pair.count(Who::Alice, "PRACK"), pair.count(Who::Bob, "200 PRACK")), (2, 2));
        assert_eq!(pair.events(Who::Alice).len(), 2);
        answer(&mut pair, bob);
        pair.run_for(ms(100));
        assert!(pair.last(Who::Bob, "200 INVITE").body().is_empty(), "the 183 said it");
        assert!(matches!(pair.events(Who::Alice)[..], [Event::Answered { .. }]));
        assert!(matches!(pair.events(Who::Bob)[..], [Event::Acknowledged { .. }]));
        hang_up(pair, alice);
    }
}

#[test]
fn answer_waits_for_the_prack_of_a_session_description_and_of_nothing_else() {
    for (body, held) in [(Some("answer"), true), (None, false)] {
        let mut pair = pair(Link::good());
        let (alice, bob) = agreed(&mut pair);
        ring(&mut pair, bob, StatusCode::SESSION_PROGRESS, body);
        answer(&mut pair, bob);
        pair.run_for(ms(15));
        assert_eq!(pair.count(Who::Bob, "200 INVITE"), usize::from(!held));
        pair.run_for(ms(100));
        // The PRACK that the 2xx was faster than is welcome all the same.
        assert_eq!(pair.count(Who::Bob, "200 PRACK"), 1);
        assert_eq!(pair.count(Who::Bob, "200 INVITE"), 1);
        assert_eq!(pair.last(Who::Bob, "200 INVITE").body().is_empty(), held);
        hang_up(pair, alice);
    }
}

#[test]
fn unacknowledged_provisional_is_repeated_with_doubling_distance_and_then_refused_with_504() {
    let mut pair = pair(Link::good());
    let (_, bob) = agreed(&mut pair);
    let started = pair.now;
    // Nothing arrives from here on.
    pair.link.drop = 1000;
    ring(&mut pair, bob, StatusCode::RINGING, None);
    pair.run_for(Duration::from_secs(40));
    let base = (started - pair.start).as_millis();
    let sent = |what: &str| -> Vec<u128> {
        let sent = pair.sent_by(Who::Bob);
        sent.iter().filter(|(_, sent)| sent == what).map(|(at, _)| at - base).collect()
    };
    assert_eq!(sent("180 INVITE"), [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(sent("504 INVITE").first(), Some(&32_000));
    assert!(matches!(pair.events(Who::Bob)[..], [Event::Ended { end: End::Unacknowledged, .. }]));
    pair.link.drop = 0;
    pair.run_out();
}

#[test]
fn prack_for_something_else_gets_481_and_the_right_one_is_still_waited_for() {
    let mut pair = pair(Link::good());
    let (alice, bob) = agreed(&mut pair);
    ring(&mut pair, bob, StatusCode::RINGING, None);
    pair.drain();
    // Alice reads another number than was sent.
    let number = text(pair.last(Who::Bob, "180 INVITE"), HeaderName::RSeq);
    let wrong = (number.parse::<u32>().expect("a number") ^ 1).to_string();
    let wrong = format!("{wrong:0>width$}", width = number.len());
    pair.alter(|bytes| replaced(bytes, &format!("RSeq: {number}"), &format!("RSeq: {wrong}")));
    pair.run_for(ms(100));
    assert_eq!((pair.count(Who::Alice, "PRACK"), pair.count(Who::Bob, "481 PRACK")), (1, 1));
    pair.run_for(ms(1000));
    assert!(pair.count(Who::Bob, "180 INVITE") > 1);
    // Only the next number is in order for Alice; she waits for a final response.
    pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("ringing");
    pair.run_out();
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(bytes).replace(from, to).into_bytes()
}

#[test]
fn terms_decide_what_is_refused_and_what_is_acknowledged() {
    use ReliableProvisional::{IfRequired, IfSupported, Off, Required};
    for (alices, bobs, refused, reliable) in [
        (Required, Off, Some(StatusCode::BAD_EXTENSION), false),
        (Off, Required, Some(StatusCode::EXTENSION_REQUIRED), false),
        (Off, IfSupported, None, false),
        (IfRequired, Off, None, false),
        (IfRequired, IfRequired, None, false),
        (IfRequired, IfSupported, None, true),
        (Required, IfRequired, None, true),
        (IfSupported, Required, None, true),
    ] {
        let mut pair = pair(Link::good());
        let (alice, bob, suits) = invite(&mut pair, Some(Body::sdp("offer")), alices, bobs);
        assert_eq!(suits.as_ref().err().map(|it| it.0), refused, "{alices:?} {bobs:?}");
        if let Err((status, headers)) = suits {
            let name = match status {
                StatusCode::BAD_EXTENSION => HeaderName::Unsupported,
                _ => HeaderName::Require,
            };
            assert_eq!(headers.text(name), Some("100rel"));
            pair.bob.endpoint.reject_stateless(bob, status, &headers, pair.now).expect("new");
            pair.run_out();
            continue;
        }
        ring(&mut pair, bob, StatusCode::RINGING, None);
        pair.run_for(ms(100));
        assert_eq!(pair.count(Who::Alice, "PRACK"), usize::from(reliable), "{alices:?} {bobs:?}");
        answer(&mut pair, bob);
        pair.run_for(ms(100));
        hang_up(pair, alice);
    }
}

#[test]
fn call_without_an_offer_asks_for_nothing_but_is_offered_early_where_it_asks() {
    let mut pair = pair(Link::good());
    let wanted = ReliableProvisional::Required;
    let (alice, bob, suits) = invite(&mut pair, None, wanted, ReliableProvisional::IfSupported);
    assert!(suits.is_ok());
    let sent = pair.last(Who::Alice, "INVITE");
    assert!(!sent.headers().supports("100rel"));
    assert_eq!(pair.bob.endpoint.early_offer(bob), EarlyOffer::Impossible);
    pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("calling");
    pair.run_out();
}

#[test]
fn cancel_and_failure_overtake_a_provisional_that_is_not_acknowledged() {
    let mut pair = pair(Link::good());
    let (_, bob) = agreed(&mut pair);
    ring(&mut pair, bob, StatusCode::SESSION_PROGRESS, Some("answer"));
    pair.bob.endpoint.reject(bob, StatusCode::BUSY_HERE, &NONE, pair.now).expect("unanswered");
    pair.run_out();
    assert_eq!(pair.count(Who::Bob, "183 INVITE"), 1);
    assert_eq!(pair.count(Who::Bob, "486 INVITE"), 1);
    // An answer that waits is taken back where the caller leaves, and where we do.
    for ours in [true, false] {
        let mut pair = self::pair(Link::good());
        let (alice, bob) = agreed(&mut pair);
        ring(&mut pair, bob, StatusCode::SESSION_PROGRESS, Some("answer"));
        pair.run_for(ms(5));
        answer(&mut pair, bob);
        if ours {
            pair.bob.endpoint.bye(bob, &NONE, pair.now).expect("answered");
        } else {
            pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("calling");
        }
        pair.run_out();
        assert_eq!(pair.count(Who::Bob, "200 INVITE"), 0);
    }
}

#[test]
fn ringing_call_says_so_again_each_minute_with_a_number_of_its_own() {
    let mut pair = pair(Link::good());
    let (alice, bob) = agreed(&mut pair);
    ring(&mut pair, bob, StatusCode::RINGING, None);
    pair.run_for(Duration::from_secs(150));
    assert_eq!((pair.count(Who::Bob, "180 INVITE"), pair.count(Who::Alice, "PRACK")), (3, 3));
    pair.alice.endpoint.cancel(alice, &NONE, pair.now).expect("ringing");
    pair.run_out();
}

#[test]
fn update_changes_an_early_session_in_both_directions() {
    let mut pair = pair(Link::good());
    let (alice, bob) = agreed(&mut pair);
    let body = Body::sdp("new offer");
    let early = pair.alice.endpoint.update(alice, &NONE, Some(&body), pair.now);
    assert_eq!(early, Err(VerbError::Method));
    ring(&mut pair, bob, StatusCode::SESSION_PROGRESS, Some("answer"));
    pair.run_for(ms(100));
    pair.events(Who::Alice);
    pair.alice.endpoint.update(alice, &NONE, Some(&body), pair.now).expect("acknowledged");
    let second = pair.alice.endpoint.update(alice, &NONE, Some(&body), pair.now);
    assert_eq!(second, Err(VerbError::OfferPending));
    pair.run_for(ms(15));
    assert!(matches!(pair.events(Who::Bob)[..], [Event::Reoffer { .. }]));
    // The 2xx waits for that answer, too.
    answer(&mut pair, bob);
    assert_eq!(pair.count(Who::Bob, "200 INVITE"), 0);
    pair.bob.endpoint.accept_offer(bob, &NONE, Some(&body), pair.now).expect("offered");
    pair.run_for(ms(100));
    assert!(matches!(
        pair.events(Who::Alice)[..],
        [Event::ReofferAnswered { .. }, Event::Answered { .. }]
    ));
    hang_up(pair, alice);

    let mut pair = self::pair(Link::good());
    let (alice, bob) = agreed(&mut pair);
    ring(&mut pair, bob, StatusCode::SESSION_PROGRESS, Some("answer"));
    let body = Body::sdp("new offer");
    let early = pair.bob.endpoint.update(bob, &NONE, Some(&body), pair.now);
    assert_eq!(early, Err(VerbError::WrongState));
    pair.run_for(ms(100));
    pair.events(Who::Alice);
    pair.bob.endpoint.update(bob, &NONE, Some(&body), pair.now).expect("acknowledged");
    pair.run_for(ms(15));
    assert!(matches!(pair.events(Who::Alice)[..], [Event::Reoffer { .. }]));
    pair.alice.endpoint.accept_offer(alice, &NONE, Some(&body), pair.now).expect("offered");
    pair.run_for(ms(50));
    assert!(matches!(pair.events(Who::Bob)[..], [Event::ReofferAnswered { .. }]));
    answer(&mut pair, bob);
    pair.run_for(ms(50));
    hang_up(pair, alice);
}

#[test]
fn updates_that_cross_get_491_and_are_due_again_after_the_wait_of_their_side() {
    let mut pair = pair(Link::good());
    let (alice, bob) = agreed(&mut pair);
    answer(&mut pair, bob);
    pair.run_for(ms(100));
    let body = Body::sdp("new offer");
    pair.alice.endpoint.update(alice, &NONE, Some(&body), pair.now).expect("idle");
    pair.bob.endpoint.update(bob, &NONE, Some(&body), pair.now).expect("idle");
    let crossed = pair.now;
    pair.events(Who::Alice);
    pair.events(Who::Bob);
    let mut due = Vec::new();
    let until = pair.now + Duration::from_secs(5);
    while pair.step(until) {
        for who in [Who::Alice, Who::Bob] {
            for event in pair.events(who) {
                assert!(matches!(event, Event::ReofferDue { .. }), "{event:?}");
                due.push((who, pair.now - crossed));
            }
        }
    }
    assert_eq!((pair.count(Who::Alice, "491 UPDATE"), pair.count(Who::Bob, "491 UPDATE")), (1, 1));
    let [(Who::Bob, bobs), (Who::Alice, alices)] = due[..] else { panic!("{due:?}") };
    assert!(bobs <= ms(2030) && (ms(2100)..=ms(4030)).contains(&alices), "{due:?}");
    hang_up(pair, alice);
}

#[test]
fn no_lossy_network_loses_a_reliable_ringing_or_leaves_a_call_half_set_up() {
    let mut pracks = 0;
    for seed in 0..300 {
        let mut link = Link::bad(seed);
        (link.drop, link.double) = (link.drop.min(200), link.double);
        let mut pair = pair(link);
        let (alice, bob) = agreed(&mut pair);
        ring(&mut pair, bob, StatusCode::RINGING, None);
        ring(&mut pair, bob, StatusCode::SESSION_PROGRESS, Some("answer"));
        if seed % 3 == 0 {
            answer(&mut pair, bob);
        }
        pair.run_for(Duration::from_secs(60));
        if seed % 3 != 0 {
            // The far end of an early call that lost too much may be gone: 504.
            let _ = pair.bob.endpoint.answer(bob, &NONE, None, pair.now);
        }
        pair.run_for(Duration::from_secs(60));
        let told = pair.events(Who::Alice);
        let numbers: Vec<u64> = told
            .iter()
            .filter_map(|event| match event {
                Event::Progress { response, .. } => response.number(HeaderName::RSeq),
                _ => None,
            })
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "seed {seed}: {numbers:?}");
        let answered = told.iter().any(|event| matches!(event, Event::Answered { .. }));
        let refused = pair.count(Who::Bob, "504 INVITE") > 0;
        assert!(answered || refused, "seed {seed}");
        // An answer is never heard before the early media that it leaves out.
        let heard = told.iter().any(|event| {
            matches!(event, Event::Progress { response, .. } if !response.body().is_empty())
        });
        let said = pair
            .log
            .iter()
            .any(|sent| sent.summary() == "200 INVITE" && !sent.message.body().is_empty());
        assert!(!answered || heard || said, "seed {seed}");
        pracks += pair.count(Who::Bob, "200 PRACK");
        let _ = pair.alice.endpoint.bye(alice, &NONE, pair.now);
        pair.run_out();
    }
    assert!(pracks > 500, "{pracks}");
}
