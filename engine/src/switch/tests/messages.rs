//! Text messages run the dialplan, and go on from there.

use super::*;
use crate::sip::{HeaderName, Request};

const PLAN: &str = "
[office]
exten => 200,1,Dial(PJSIP/bob)
[texts]
exten => bob,1,NoOp(${MESSAGE(to)} ${MESSAGE(from)}: ${MESSAGE(body)} ${MESSAGE_DATA(Subject)})
same => n,Set(MESSAGE(body)=${TOUPPER(${MESSAGE(body)})})
same => n,Set(MESSAGE_DATA(X-Room)=12)
same => n,MessageSend(pjsip:${EXTEN},${MESSAGE(from)})
same => n,NoOp(${MESSAGE_SEND_STATUS})
exten => nobody,1,MessageSend(pjsip:nobody)
same => n,NoOp(${MESSAGE_SEND_STATUS})
same => n,MessageSend(xmpp:bob@h)
same => n,NoOp(${MESSAGE_SEND_STATUS})
exten => wait,1,Wait(100000)
exten => speak,1,Answer()
same => n,Playback(hello)
";

fn exchange() -> (Exchange, Phone) {
    let mut settings = sip();
    let alice = Peer { message_context: Some("texts".into()), ..peer("alice", "office") };
    settings.peers = settings
        .peers
        .iter()
        .map(|it| if it.name == "alice" { alice.clone() } else { it.clone() })
        .collect();
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    bob.received.clear();
    exchange.events.clear();
    (exchange, bob)
}

fn received(bob: &mut Phone, exchange: &mut Exchange) -> Vec<Request> {
    bob.pump(exchange);
    let received = std::mem::take(&mut bob.received);
    let requests = received.into_iter().filter_map(|message| match message {
        Received::Request(request) => Some(request),
        Received::Response(_) => None,
    });
    requests.collect()
}

fn said(exchange: &Exchange) -> Vec<String> {
    exchange.steps().into_iter().filter(|step| step.contains("NoOp")).collect()
}

#[test]
fn text_goes_through_the_dialplan_to_another_phone() {
    let (mut exchange, mut bob) = exchange();
    let mut alice = alice();
    let status = alice.message(&mut exchange, "bob", "text/plain", "hello", "Subject: tea");
    assert_eq!(status, 202);
    let texts = received(&mut bob, &mut exchange);
    assert_eq!(texts.len(), 1);
    assert_eq!((texts[0].method().as_str(), &texts[0].body()[..]), ("MESSAGE", &b"HELLO"[..]));
    assert_eq!(texts[0].from_header().and_then(|it| it.uri().user()), Some("alice"));
    assert_eq!(texts[0].max_forwards(), Some(68), "one hop to us, one to Bob");
    assert!(texts[0].content_type().is_some_and(|it| it.is("text", "plain")));
    assert_eq!(texts[0].values_named("X-Room").next(), Some(&b"12"[..]));
    assert_eq!(texts[0].value(HeaderName::Subject), None, "what came is not passed on unasked");
    assert_eq!(
        said(&exchange),
        ["bob,1 NoOp(pjsip:bob@127.0.0.1 <sip:alice@127.0.0.1>: hello tea)", "bob,5 NoOp(SUCCESS)"]
    );
    let is_call = |event: &&SwitchEvent| {
        matches!(
            event,
            SwitchEvent::CallStarted { .. }
                | SwitchEvent::CallHungUp { .. }
                | SwitchEvent::CallEnded { .. }
        )
    };
    assert_eq!(exchange.events.iter().filter(is_call).count(), 0, "it is no call");
    exchange.assert_nothing_left();
}

#[test]
fn what_can_not_be_sent_is_told_to_the_dialplan() {
    let (mut exchange, _) = exchange();
    assert_eq!(alice().message(&mut exchange, "nobody", "text/plain", "hello", ""), 202);
    assert_eq!(said(&exchange), ["nobody,2 NoOp(INVALID_URI)", "nobody,4 NoOp(INVALID_PROTOCOL)"]);
    exchange.assert_nothing_left();
}

#[test]
fn what_is_no_text_or_has_no_extension_is_refused() {
    let (mut exchange, _) = exchange();
    let mut alice = alice();
    let typing = "application/im-iscomposing+xml";
    assert_eq!(alice.message(&mut exchange, "bob", typing, "<x/>", ""), 415);
    assert_eq!(alice.message(&mut exchange, "carol", "text/plain", "hello", ""), 404);
    let mut carol = Phone::new("carol", "carol-password", 3);
    assert_eq!(carol.message(&mut exchange, "wait", "text/plain", "hello", ""), 404, "her context");
    let mut mallory = Phone::new("mallory", "guess", 9);
    assert_eq!(mallory.message(&mut exchange, "bob", "text/plain", "hello", ""), 401);
    exchange.assert_nothing_left();
}

#[test]
fn dialplan_of_a_text_ends_whatever_it_does() {
    let (mut exchange, _) = exchange();
    for to in ["wait", "speak"] {
        assert_eq!(alice().message(&mut exchange, to, "text/plain", "hello", ""), 202);
    }
    exchange.run_for(secs(300));
    exchange.assert_nothing_left();
}
