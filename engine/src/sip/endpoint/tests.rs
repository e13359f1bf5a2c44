//! The endpoint, message by message, at the end of a wire.

use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::clock::clock;
use crate::sip::{End, NameAddr, Transport, Uri};

/// An endpoint at the end of a wire.
struct Wire {
    endpoint: Endpoint,
    flow: Flow,
    now: Instant,
}

impl Wire {
    fn new() -> Self {
        Self::with_config(EndpointConfig::default())
    }

    fn with_config(config: EndpointConfig) -> Self {
        let local: SocketAddr = "192.0.2.9:5060".parse().expect("an address");
        let peer = "192.0.2.1:5062".parse().expect("an address");
        let endpoint = Endpoint::new(config, Entropy::new(1));
        Self { endpoint, flow: Flow::udp(local, peer), now: clock() }
    }

    fn receive(&mut self, text: &str) {
        let text = text.trim_start().replace('\n', "\r\n");
        self.endpoint.handle_packet(self.flow, Bytes::from(text), self.now);
    }

    /// All that was sent: destination and message.
    fn sent(&mut self) -> Vec<(SocketAddr, Message)> {
        std::iter::from_fn(|| self.endpoint.poll_transmit())
            .map(|sent| {
                let message = Message::parse(sent.bytes.clone(), &Limits::default());
                let text = sent.bytes.escape_ascii();
                (sent.flow.peer, message.unwrap_or_else(|error| panic!("{error}: {text}")))
            })
            .collect()
    }

    /// The statuses of all responses that were sent.
    fn statuses(&mut self) -> Vec<u16> {
        let sent = self.sent();
        let response = |message| match message {
            Message::Response(response) => Response::status(&response).code(),
            Message::Request(request) => panic!("{request:?}"),
        };
        sent.into_iter().map(|(_, message)| response(message)).collect()
    }

    fn response(&mut self) -> Response {
        match self.sent().pop() {
            Some((_, Message::Response(response))) => response,
            other => panic!("{other:?}"),
        }
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.endpoint.poll_event()).collect()
    }

    fn incoming(&mut self) -> CallHandle {
        match self.events()[..] {
            [Event::IncomingCall { call, .. }] => call,
            ref other => panic!("{other:?}"),
        }
    }

    fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(next) = self.endpoint.poll_timeout().filter(|&next| next <= until) {
            self.now = next;
            self.endpoint.handle_timeout(next);
        }
        self.now = until;
    }

    fn run_out(&mut self) {
        self.wait(Duration::from_secs(1000));
        self.sent();
        self.events();
        assert!(self.endpoint.is_idle(), "{:?}", self.endpoint);
    }
}

/// A request with `{method}`, the To's `{to}` parameters and `{extra}` header lines.
fn request(method: &str, branch: &str, to: &str, extra: &str) -> String {
    format!(
        "{method} sip:100@192.0.2.9 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK{branch}
Max-Forwards: 70
From: <sip:a@192.0.2.1>;tag=from
To: <sip:100@192.0.2.9>{to}
Call-ID: call
CSeq: 1 {method}
Contact: <sip:a@192.0.2.1:5062>
{extra}Content-Length: 0

"
    )
}

#[test]
fn checks_before_a_request_is_executed_give_the_status_the_rfc_names() {
    let uri = |uri: &str| request("OPTIONS", "x", "", "").replacen("sip:100@192.0.2.9", uri, 1);
    for (text, status, header) in [
        (request("SUBSCRIBE", "x", "", ""), 405, Some(HeaderName::Allow)),
        (request("PUBLISH", "x", "", ""), 405, Some(HeaderName::Allow)),
        (request("PRACK", "x", ";tag=y", ""), 481, None),
        (request("PRACK", "x", "", ""), 481, None),
        (request("DANCE", "x", "", ""), 501, Some(HeaderName::Allow)),
        (uri("http://example.com"), 416, None),
        (request("INVITE", "x", "", "").replace(": 70", ": 0"), 483, None),
        (request("INVITE", "x", "", "Require: 100rel\n"), 420, Some(HeaderName::Unsupported)),
        (request("INVITE", "x", "", "Require: timer\n"), 420, Some(HeaderName::Unsupported)),
        (request("BYE", "x", ";tag=y", ""), 481, None),
        (request("BYE", "x", "", ""), 481, None),
        (request("INVITE", "x", ";tag=y", ""), 481, None),
        (request("CANCEL", "x", "", ""), 481, None),
        (request("OPTIONS", "x", "", "").replace("SIP/2.0\nVia", "SIP/7.0\nVia"), 505, None),
        (request("OPTIONS", "x", "", "").replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), 400, None),
        (
            request("INVITE", "x", "", "").replace("Contact: <sip:a@192.0.2.1:5062>\n", ""),
            400,
            None,
        ),
    ] {
        let mut wire = Wire::new();
        wire.receive(&text);
        let response = wire.response();
        assert_eq!(response.status().code(), status, "{text}");
        assert!(response.to_tag().is_some(), "{text}");
        assert!(header.is_none_or(|header| response.value(header).is_some()), "{text}");
        assert!(response.cseq().is_some(), "{text}");
        // Refused on sight: nothing to remember.
        assert!(wire.events().is_empty() && wire.endpoint.is_idle(), "{text}");
    }
}

#[test]
fn unsupported_options_are_named() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "x", "", "Require: 100rel, timer\n"));
    assert_eq!(wire.response().text(HeaderName::Unsupported), Some("100rel, timer"));
}

#[test]
fn encoded_body_is_refused_with_what_is_understood() {
    let mut wire = Wire::new();
    let text =
        request("INVITE", "x", "", "Content-Encoding: gzip\nContent-Type: application/sdp\n");
    wire.receive(&text.replace("Content-Length: 0\n\n", "Content-Length: 1\n\nx"));
    let response = wire.response();
    assert_eq!(response.status().code(), 415);
    assert_eq!(response.text(HeaderName::AcceptEncoding), Some("identity"));
}

#[test]
fn options_with_no_hops_left_is_answered_all_the_same() {
    let mut wire = Wire::new();
    wire.receive(&request("OPTIONS", "x", "", "").replace(": 70", ": 0"));
    assert!(matches!(wire.events()[..], [Event::Request { .. }]));
}

#[test]
fn rubbish_and_keep_alives_are_dropped_and_counted_apart() {
    let mut wire = Wire::new();
    wire.receive("rubbish\n\n");
    wire.endpoint.handle_packet(wire.flow, Bytes::from_static(b"\r\n\r\n"), wire.now);
    wire.receive("SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKno\nFrom: <sip:a@h>;tag=1\nTo: <sip:b@h>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\nContent-Length: 0\n\n");
    wire.receive(&request("ACK", "x", ";tag=y", ""));
    let counters = wire.endpoint.counters();
    assert_eq!((counters.malformed, counters.stray_responses, counters.stray_acks), (1, 1, 1));
    assert!(wire.sent().is_empty() && wire.endpoint.is_idle());
}

#[test]
fn malformed_ack_is_never_answered() {
    let mut wire = Wire::new();
    wire.receive(&request("ACK", "x", "", "").replace("CSeq: 1 ACK", "CSeq: 1 INVITE"));
    wire.receive(&request("ACK", "x", "", "Require: nothing\n"));
    assert!(wire.sent().is_empty());
}

#[test]
fn response_goes_to_the_source_port_only_when_rport_asks_for_it() {
    let mut wire = Wire::new();
    wire.flow.peer = "198.51.100.7:40000".parse().expect("an address");
    wire.receive(&request("BYE", "x", "", ""));
    let (to, message) = wire.sent().pop().expect("answered");
    assert_eq!(to, "198.51.100.7:5062".parse().expect("an address"));
    assert_eq!(message.headers().via().and_then(|via| via.received()), Some(to.ip()));
    wire.receive(&request("BYE", "y;rport", "", ""));
    let (to, message) = wire.sent().pop().expect("answered");
    assert_eq!(to, wire.flow.peer);
    assert_eq!(message.headers().via().and_then(|via| via.rport()), Some(40000));
    // A forged maddr or received sends nothing to a third party.
    wire.receive(&request("BYE", "z;maddr=203.0.113.5;received=203.0.113.6", "", ""));
    assert_eq!(wire.sent().pop().expect("answered").0.ip(), wire.flow.peer.ip());
}

#[test]
fn repeated_request_is_told_once_and_gets_the_same_response_again() {
    let mut wire = Wire::new();
    wire.receive(&request("OPTIONS", "x", "", ""));
    wire.receive(&request("OPTIONS", "x", "", ""));
    let events = wire.events();
    let [Event::Request { transaction, .. }] = events[..] else { panic!("{events:?}") };
    assert!(wire.sent().is_empty());
    wire.endpoint
        .respond(transaction, StatusCode::OK, &Headers::default(), None, wire.now)
        .expect("asked");
    let first = wire.response();
    wire.receive(&request("OPTIONS", "x", "", ""));
    assert_eq!(wire.response(), first);
    wire.run_out();
}

#[test]
fn request_that_came_by_two_paths_is_merged() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "x", "", ""));
    let call = wire.incoming();
    wire.receive(&request("INVITE", "y", "", ""));
    assert_eq!(wire.statuses(), [482]);
    assert!(wire.events().is_empty());
    wire.endpoint.reject(call, StatusCode::BUSY_HERE, &Headers::default(), wire.now).expect("new");
    wire.run_out();
}

#[test]
fn invite_of_rfc_2543_is_served_with_its_cancel_and_ack() {
    // RFC 4475 §3.4.1: no branch, no From tag, no Contact, no Max-Forwards.
    let text = |method: &str, to: &str| {
        format!(
            "{method} sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@192.0.2.1;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone{to}
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 {method}
Content-Length: 0

"
        )
    };
    let mut wire = Wire::new();
    wire.receive(&text("INVITE", ""));
    wire.receive(&text("INVITE", ""));
    let call = wire.incoming();
    wire.endpoint
        .ring(call, StatusCode::RINGING, &Headers::default(), None, wire.now)
        .expect("new");
    assert_eq!(wire.statuses(), [180]);
    wire.receive(&text("CANCEL", ""));
    assert_eq!(wire.statuses(), [200, 487]);
    assert!(matches!(wire.events()[..], [Event::Ended { end: End::Cancelled { .. }, .. }]));
    wire.receive(&text("ACK", ";tag=whatever"));
    wire.wait(Duration::from_secs(40));
    assert!(wire.sent().is_empty(), "the ACK stops the 487");
    wire.run_out();

    let mut wire = Wire::new();
    wire.receive(&text("INVITE", ""));
    let call = wire.incoming();
    wire.endpoint.answer(call, &Headers::default(), None, wire.now).expect("new");
    let tag = format!(";tag={}", wire.response().to_tag().expect("a dialog"));
    wire.receive(&text("ACK", &tag));
    assert!(matches!(wire.events()[..], [Event::Acknowledged { .. }]));
    wire.receive(&text("BYE", &tag).replace("56", "57"));
    assert_eq!(wire.statuses(), [200]);
    wire.run_out();
}

#[test]
fn request_out_of_order_gets_500_and_the_call_goes_on() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "x", "", "").replace("CSeq: 1", "CSeq: 10"));
    let call = wire.incoming();
    wire.endpoint.answer(call, &Headers::default(), None, wire.now).expect("new");
    let tag = format!(";tag={}", wire.response().to_tag().expect("a dialog"));
    wire.receive(&request("ACK", "a", &tag, "").replace("CSeq: 1", "CSeq: 10"));
    wire.events();
    wire.receive(&request("INFO", "b", &tag, "").replace("CSeq: 1", "CSeq: 9"));
    assert_eq!(wire.statuses(), [500]);
    wire.receive(&request("OPTIONS", "c", &tag, "").replace("CSeq: 1", "CSeq: 11"));
    let response = wire.response();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.value(HeaderName::Allow).is_some());
    wire.receive(&request("BYE", "d", &tag, "").replace("CSeq: 1", "CSeq: 15"));
    assert_eq!(wire.statuses(), [200]);
    wire.run_out();
}

#[test]
fn update_refreshes_the_target_and_one_with_a_body_is_an_offer() {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "x", "", ""));
    let call = wire.incoming();
    wire.endpoint
        .answer(call, &Headers::default(), Some(&Body::sdp("offer")), wire.now)
        .expect("new");
    let tag = format!(";tag={}", wire.response().to_tag().expect("a dialog"));
    let update = |branch: &str, number: u32, body: &str| {
        let text =
            request("UPDATE", branch, &tag, "").replace("CSeq: 1", &format!("CSeq: {number}"));
        let length = format!("Content-Length: {}\n\n{body}", body.len());
        text.replace("a@192.0.2.1:5062", "a@192.0.2.1:5070")
            .replace("Content-Length: 0\n\n", &length)
    };
    // Our offer is in the 2xx and its answer has not come.
    wire.receive(&update("u1", 2, "offer"));
    assert_eq!(wire.statuses(), [491]);
    wire.receive(&request("ACK", "a", &tag, ""));
    wire.receive(&update("u2", 3, ""));
    assert_eq!(wire.statuses(), [200]);
    wire.events();
    wire.receive(&update("u3", 4, "offer"));
    assert!(matches!(wire.events()[..], [Event::Reoffer { .. }]));
    wire.receive(&update("u4", 5, "offer"));
    assert_eq!(wire.statuses(), [500]);
    wire.endpoint
        .accept_offer(call, &Headers::default(), Some(&Body::sdp("answer")), wire.now)
        .expect("offered");
    assert_eq!(wire.statuses(), [200]);
    wire.endpoint.bye(call, &Headers::default(), wire.now).expect("acknowledged");
    let (to, message) = wire.sent().pop().expect("a BYE");
    let Message::Request(bye) = message else { panic!("{message:?}") };
    assert_eq!(bye.uri().as_str(), "sip:a@192.0.2.1:5070");
    assert_eq!(to.port(), 5070);
    wire.run_out();
}

#[test]
fn requests_in_a_dialog_follow_loose_and_strict_routes() {
    for (route, uri, routes) in [
        ("<sip:198.51.100.1;lr>", "sip:a@192.0.2.1:5062", vec!["<sip:198.51.100.1;lr>"]),
        ("<sip:198.51.100.1>", "sip:198.51.100.1", vec!["<sip:a@192.0.2.1:5062>"]),
    ] {
        let mut wire = Wire::new();
        wire.receive(&request("INVITE", "x", "", &format!("Record-Route: {route}\n")));
        let call = wire.incoming();
        wire.endpoint.answer(call, &Headers::default(), None, wire.now).expect("new");
        let response = wire.response();
        assert_eq!(response.text(HeaderName::RecordRoute), Some(route));
        let tag = format!(";tag={}", response.to_tag().expect("a dialog"));
        wire.receive(&request("ACK", "a", &tag, ""));
        wire.endpoint.bye(call, &Headers::default(), wire.now).expect("acknowledged");
        let (to, message) = wire.sent().pop().expect("a BYE");
        assert_eq!(to, "198.51.100.1:5060".parse().expect("an address"));
        let Message::Request(bye) = message else { panic!("{message:?}") };
        assert_eq!(bye.uri().as_str(), uri);
        assert_eq!(
            bye.elements(HeaderName::Route).collect::<Vec<_>>(),
            routes.iter().map(|route| route.as_bytes()).collect::<Vec<_>>()
        );
        wire.run_out();
    }
}

/// A response to the INVITE that the wire's endpoint sent last.
fn respond_to(invite: &Request, status: &str, tag: &str, extra: &str) -> String {
    let header = |name| String::from_utf8_lossy(invite.value(name).expect("composed")).into_owned();
    format!(
        "SIP/2.0 {status}\nVia: {}\nFrom: {}\nTo: {};tag={tag}\nCall-ID: {}\nCSeq: {}\nContact: <sip:{tag}@192.0.2.1:5062>\n{extra}Content-Length: 0\n\n",
        header(HeaderName::Via),
        header(HeaderName::From),
        header(HeaderName::To),
        header(HeaderName::CallId),
        header(HeaderName::CSeq),
    )
}

fn place_call(wire: &mut Wire) -> (CallHandle, Request) {
    let from = NameAddr::new(Uri::parse("sip:b@192.0.2.9").expect("a uri"));
    let target = Uri::parse("sip:a@192.0.2.1:5062").expect("a uri");
    let spec = OutgoingCall::new(target, wire.flow, from).with_body(Body::sdp("offer"));
    let call = wire.endpoint.call(spec, wire.now).expect("room");
    match wire.sent().pop() {
        Some((_, Message::Request(invite))) => (call, invite),
        other => panic!("{other:?}"),
    }
}

#[test]
fn second_fork_that_answers_is_acknowledged_and_ended() {
    let mut wire = Wire::new();
    let (call, invite) = place_call(&mut wire);
    for fork in ["one", "two"] {
        wire.receive(&respond_to(&invite, "180 Ringing", fork, ""));
    }
    wire.receive(&respond_to(&invite, "200 OK", "two", ""));
    wire.receive(&respond_to(&invite, "200 OK", "one", ""));
    let sent: Vec<_> = wire
        .sent()
        .into_iter()
        .map(|(_, message)| match message {
            Message::Request(request) => {
                (request.method().to_string(), request.to_tag().map(str::to_owned))
            }
            Message::Response(response) => panic!("{response:?}"),
        })
        .collect();
    let expected = [("ACK", "two"), ("ACK", "one"), ("BYE", "one")];
    let expected: Vec<_> =
        expected.map(|(method, tag)| (method.to_owned(), Some(tag.to_owned()))).into();
    assert_eq!(sent, expected);
    assert!(matches!(
        wire.events()[..],
        [Event::Progress { .. }, Event::Progress { .. }, Event::Answered { .. }]
    ));
    // Each repetition gets its own ACK again, and no second BYE.
    for fork in ["one", "two"] {
        wire.receive(&respond_to(&invite, "200 OK", fork, ""));
        let sent = wire.sent();
        let [(_, Message::Request(ack))] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((ack.method(), ack.to_tag()), (&Method::Ack, Some(fork)));
    }
    wire.endpoint.bye(call, &Headers::default(), wire.now).expect("answered");
    wire.run_out();
}

#[test]
fn bye_that_overtakes_the_2xx_ends_the_call_when_that_comes() {
    let mut wire = Wire::new();
    let (_, invite) = place_call(&mut wire);
    let bye = |branch: &str| {
        format!(
            "BYE sip:b@192.0.2.9 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK{branch}\nFrom: <sip:a@192.0.2.1:5062>;tag=one\nTo: <sip:b@192.0.2.9>;tag={}\nCall-ID: {}\nCSeq: 1 BYE\nContent-Length: 0\n\n",
            invite.from_tag().expect("composed"),
            invite.call_id().expect("composed")
        )
    };
    wire.receive(&bye("b"));
    assert_eq!(wire.statuses(), [200]);
    wire.receive(&respond_to(&invite, "200 OK", "one", ""));
    let sent = wire.sent();
    let [(_, Message::Request(ack))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(ack.method(), &Method::Ack);
    assert!(matches!(wire.events()[..], [Event::Ended { end: End::Bye { .. }, .. }]));
    wire.run_out();
}

#[test]
fn caller_reads_record_route_backwards_and_the_2xx_decides() {
    let mut wire = Wire::new();
    let (call, invite) = place_call(&mut wire);
    wire.receive(&respond_to(&invite, "180 Ringing", "one", "Record-Route: <sip:192.0.2.50;lr>\n"));
    let route = "Record-Route: <sip:192.0.2.61;lr>, <sip:192.0.2.60;lr>\n";
    wire.receive(&respond_to(&invite, "200 OK", "one", route));
    let (to, ack) = wire.sent().pop().expect("an ACK");
    assert_eq!(to, "192.0.2.60:5060".parse().expect("an address"));
    let routes: Vec<_> = ack.headers().elements(HeaderName::Route).collect();
    assert_eq!(routes, [&b"<sip:192.0.2.60;lr>"[..], b"<sip:192.0.2.61;lr>"]);
    wire.endpoint.bye(call, &Headers::default(), wire.now).expect("answered");
    wire.run_out();
}

#[test]
fn failure_is_acknowledged_in_the_invites_own_transaction() {
    let mut wire = Wire::new();
    let (_, invite) = place_call(&mut wire);
    wire.receive(&respond_to(&invite, "486 Busy Here", "one", ""));
    let sent = wire.sent();
    let [(_, Message::Request(ack))] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(ack.via(), invite.via());
    assert_eq!((ack.uri(), ack.to_tag()), (invite.uri(), Some("one")));
    wire.receive(&respond_to(&invite, "486 Busy Here", "one", ""));
    assert_eq!(wire.sent().len(), 1);
    wire.run_out();
}

#[test]
fn full_tables_are_told_with_503_and_keep_nothing() {
    let mut wire = Wire::with_config(EndpointConfig { max_calls: 1, ..EndpointConfig::default() });
    wire.receive(&request("INVITE", "x", "", ""));
    let call = wire.incoming();
    wire.receive(&request("INVITE", "y", "", "").replace("Call-ID: call", "Call-ID: other"));
    let response = wire.response();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.value(HeaderName::RetryAfter).is_some());
    assert_eq!((wire.endpoint.call_count(), wire.endpoint.transaction_count()), (1, (0, 1)));
    wire.endpoint.reject(call, StatusCode::BUSY_HERE, &Headers::default(), wire.now).expect("new");
    let mut wire =
        Wire::with_config(EndpointConfig { max_transactions: 1, ..EndpointConfig::default() });
    for branch in ["x", "y"] {
        wire.receive(
            &request("OPTIONS", branch, "", "").replace("Call-ID: call", branch_call(branch)),
        );
    }
    assert_eq!(wire.statuses(), [503]);
    assert_eq!(wire.endpoint.counters().overloaded, 1);
    wire.run_out();
}

#[test]
fn storm_of_answered_requests_fills_neither_the_table_nor_the_memory() {
    let mut wire = Wire::new();
    for n in 0..70_000 {
        let text = request("REGISTER", &format!("b{n}"), "", "");
        wire.receive(&text.replace("Call-ID: call", &format!("Call-ID: c{n}")));
        let events = wire.events();
        let [Event::Request { transaction, .. }] = events[..] else { panic!("{n}: {events:?}") };
        let headers = Headers::default();
        wire.endpoint.respond(transaction, StatusCode::OK, &headers, None, wire.now).expect("new");
        assert_eq!(wire.statuses(), [200], "request {n}");
    }
    let (_, servers) = wire.endpoint.transaction_count();
    assert!(servers < 10_000, "{servers}");
    // The latest are answered again, from memory.
    wire.receive(
        &request("REGISTER", "b69999", "", "").replace("Call-ID: call", "Call-ID: c69999"),
    );
    assert_eq!((wire.statuses(), wire.events().len()), (vec![200], 0));
    wire.run_out();
}

fn branch_call(branch: &str) -> &'static str {
    if branch == "x" { "Call-ID: x" } else { "Call-ID: y" }
}

#[test]
fn request_nobody_answers_is_forgotten_without_a_response() {
    let mut wire = Wire::new();
    wire.receive(&request("MESSAGE", "x", "", ""));
    let events = wire.events();
    let [Event::Request { transaction, .. }] = events[..] else { panic!("{events:?}") };
    wire.wait(Duration::from_secs(33));
    assert!(wire.sent().is_empty() && wire.endpoint.is_idle());
    let late =
        wire.endpoint.respond(transaction, StatusCode::OK, &Headers::default(), None, wire.now);
    assert_eq!(late, Err(VerbError::Gone));
}

#[test]
fn challenge_without_state_is_the_same_each_time() {
    let mut wire = Wire::new();
    let mut responses = vec![];
    for _ in 0..2 {
        wire.receive(&request("REGISTER", "x", "", ""));
        let events = wire.events();
        let [Event::Request { transaction, .. }] = events[..] else { panic!("{events:?}") };
        wire.endpoint
            .respond_stateless(transaction, StatusCode::UNAUTHORIZED, &Headers::default())
            .expect("asked");
        responses.push(wire.response());
        assert!(wire.endpoint.is_idle());
    }
    assert_eq!(responses[0], responses[1]);
}

#[test]
fn closed_connection_fails_what_was_sent_on_it_and_responses_find_another() {
    let mut wire = Wire::new();
    let id = ConnectionId(7);
    wire.flow = Flow::tcp(wire.flow.local, wire.flow.peer, id);
    wire.receive(
        &request("OPTIONS", "x", "", "").replace("UDP", "TCP").replace(":5062;", ":5099;"),
    );
    let events = wire.events();
    let [Event::Request { transaction, .. }] = events[..] else { panic!("{events:?}") };
    let (_, _) = place_call(&mut wire);
    wire.endpoint.handle_connection_closed(id, wire.now);
    assert!(matches!(
        wire.events()[..],
        [Event::Ended { end: End::Failed(Failure::Unreachable), .. }]
    ));
    // RFC 3261 §18.2.2: a new connection to the sent-by port of where the request came from.
    wire.endpoint
        .respond(transaction, StatusCode::OK, &Headers::default(), None, wire.now)
        .expect("asked");
    let sent = wire.endpoint.poll_transmit().expect("answered");
    assert_eq!((sent.flow.connection, sent.flow.transport), (None, Transport::Tcp));
    assert_eq!(sent.flow.peer, "192.0.2.1:5099".parse().expect("an address"));
    wire.run_out();
}

#[test]
fn request_outside_dialogs_is_sent_and_its_responses_told() {
    let mut wire = Wire::new();
    let from = NameAddr::new(Uri::parse("sip:b@192.0.2.9").expect("a uri"));
    let target = Uri::parse("sip:192.0.2.1:5062").expect("a uri");
    let spec = OutgoingRequest::new(Method::Options, target, wire.flow, from);
    let handle = wire.endpoint.send_request(spec.clone(), wire.now).expect("room");
    let Some((_, Message::Request(options))) = wire.sent().pop() else { panic!("nothing sent") };
    wire.receive(&respond_to(&options, "200 OK", "one", ""));
    let events = wire.events();
    let [Event::Response { request, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*request, handle);
    let handle = wire.endpoint.send_request(spec.clone(), wire.now).expect("room");
    wire.wait(Duration::from_secs(33));
    let events = wire.events();
    let [Event::RequestFailed { request, failure: Failure::TimedOut }] = events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(request, handle);
    let invite = OutgoingRequest { method: Method::Invite, ..spec };
    assert_eq!(wire.endpoint.send_request(invite, wire.now), Err(VerbError::Method));
    wire.run_out();
}

#[test]
fn thousands_of_calls_do_not_slow_each_other() {
    let mut wire = Wire::new();
    for number in 0..5000 {
        let text = request("INVITE", &number.to_string(), "", "");
        wire.receive(&text.replace("Call-ID: call", &format!("Call-ID: {number}")));
        let call = wire.incoming();
        wire.endpoint.answer(call, &Headers::default(), None, wire.now).expect("new");
        wire.sent();
    }
    assert_eq!(wire.endpoint.call_count(), 5000);
    // None is acknowledged: each 200 is repeated, and each call ended in its turn.
    wire.wait(Duration::from_secs(33));
    let ended = wire
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::Ended { end: End::Unacknowledged, .. }));
    assert_eq!(ended.count(), 5000);
    wire.run_out();
}

/// One step of a peer and an application that do anything at any time.
fn stumble(wire: &mut Wire, entropy: &mut Entropy, calls: &mut Vec<CallHandle>, met: &[Request]) {
    const METHODS: [&str; 10] = [
        "INVITE", "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "INFO", "OPTIONS", "REGISTER",
        "PRACK",
    ];
    const STATUSES: [&str; 10] =
        ["100 a", "180 b", "183 c", "200 d", "200 e", "302 f", "401 g", "481 h", "491 i", "603 j"];
    let pick = |entropy: &mut Entropy, from: usize| entropy.below(from as u32) as usize;
    let nothing = Headers::default();
    let body = Body::sdp("x");
    let now = wire.now;
    match entropy.below(10) {
        0..4 => {
            let method = METHODS[pick(entropy, METHODS.len())];
            let branch = entropy.below(1000).to_string();
            let text = if met.is_empty() || entropy.below(3) == 0 {
                let branch = entropy.below(10).to_string();
                request(method, &branch, ["", "", ";tag=unknown"][pick(entropy, 3)], "")
                    .replace("Call-ID: call", &format!("Call-ID: {}", entropy.below(10)))
            } else {
                // Within the dialog of something we sent, mostly in order.
                let ours = &met[pick(entropy, met.len())];
                let number = match method {
                    "ACK" => 1,
                    _ => met.len() as u32 + entropy.below(3),
                };
                let tag = format!(";tag={}", ours.from_tag().unwrap_or("none"));
                let theirs = if *ours.method() == Method::Info {
                    "from"
                } else {
                    ["one", "two"][pick(entropy, 2)]
                };
                request(method, &branch, &tag, "")
                    .replace("tag=from", &format!("tag={theirs}"))
                    .replace("CSeq: 1", &format!("CSeq: {number}"))
                    .replace(
                        "Call-ID: call",
                        &format!("Call-ID: {}", ours.call_id().unwrap_or("none")),
                    )
            };
            let text = match entropy.below(2) {
                0 => text,
                _ => text.replace(
                    "Content-Length: 0\n\n",
                    "Content-Type: application/sdp\nContent-Length: 1\n\nx",
                ),
            };
            wire.receive(&text);
        }
        4..6 if !met.is_empty() => {
            let asked = &met[pick(entropy, met.len())];
            let tag = ["one", "two"][pick(entropy, 2)];
            let text = respond_to(asked, STATUSES[pick(entropy, STATUSES.len())], tag, "");
            wire.receive(&text);
        }
        6 => drop(
            wire.endpoint
                .call(
                    OutgoingCall::new(
                        Uri::parse("sip:a@192.0.2.1:5062").expect("a uri"),
                        wire.flow,
                        NameAddr::new(Uri::parse("sip:b@192.0.2.9").expect("a uri")),
                    ),
                    now,
                )
                .map(|call| calls.push(call)),
        ),
        7..9 if !calls.is_empty() => {
            let call = calls[pick(entropy, calls.len())];
            let endpoint = &mut wire.endpoint;
            let _ = match entropy.below(16) {
                0 => endpoint.proceed(call, now),
                1 => endpoint.ring(call, StatusCode::RINGING, &nothing, None, now),
                2 | 3 | 10..16 => endpoint.answer(call, &nothing, Some(&body), now),
                4 => endpoint.reject_stateless(call, StatusCode::DECLINE, &nothing, now),
                5 => endpoint.reinvite(call, &nothing, Some(&body), now),
                6 => endpoint.accept_offer(call, &nothing, Some(&body), now),
                7 => endpoint.acknowledge(call, Some(&body), now),
                8 => endpoint.authenticate(call, &nothing, now),
                _ => endpoint.hang_up(call, StatusCode::DECLINE, &nothing, now),
            };
        }
        _ => wire.wait(Duration::from_millis(entropy.below(6000).into())),
    }
}

#[test]
fn no_order_of_messages_verbs_and_time_leaves_anything_behind() {
    for seed in 0..200 {
        let mut wire = Wire::new();
        let mut entropy = Entropy::new(seed);
        let (mut calls, mut met, mut ended) = (vec![], vec![], vec![]);
        for step in 0..130 {
            if step < 100 {
                stumble(&mut wire, &mut entropy, &mut calls, &met);
            } else if step == 100 {
                for &call in &calls {
                    let _ = wire.endpoint.hang_up(
                        call,
                        StatusCode::DECLINE,
                        &Headers::default(),
                        wire.now,
                    );
                }
            } else {
                wire.wait(Duration::from_secs(20));
            }
            for event in wire.events() {
                match event {
                    Event::IncomingCall { call, .. } => calls.push(call),
                    Event::Ended { call, .. } => ended.push(call),
                    _ => {}
                }
            }
            for (_, message) in wire.sent() {
                match message {
                    Message::Request(request) => met.push(request),
                    // A response's To is the From of requests that we would send in its dialog.
                    Message::Response(response) => {
                        let Some((tag, call_id)) = response.to_tag().zip(response.call_id()) else {
                            continue;
                        };
                        let text = request("INFO", "m", "", "")
                            .replace("tag=from", &format!("tag={tag}"))
                            .replace("Call-ID: call", &format!("Call-ID: {call_id}"));
                        let text = Bytes::from(text.replace('\n', "\r\n"));
                        let Ok(Message::Request(marker)) = Message::parse(text, &Limits::default())
                        else {
                            continue;
                        };
                        met.push(marker);
                    }
                }
            }
        }
        assert!(wire.endpoint.is_idle(), "seed {seed}: {:?}", wire.endpoint);
        ended.sort();
        calls.sort();
        assert_eq!(ended, calls, "seed {seed}: each call ends once");
    }
}

/// Where the BYE of an answered call goes, for an INVITE from `peer` with this Contact.
fn bye_goes_to(
    peer: &str,
    contact: &str,
    policy: PathPolicy,
    stream: Option<ConnectionId>,
) -> Flow {
    let mut wire = Wire::new();
    wire.flow.peer = peer.parse().expect("an address");
    if let Some(id) = stream {
        wire.flow = Flow::tcp(wire.flow.local, wire.flow.peer, id);
    }
    let contact = format!("Contact: <{contact}>");
    wire.receive(
        &request("INVITE", "x", "", "").replace("Contact: <sip:a@192.0.2.1:5062>", &contact),
    );
    let call = wire.incoming();
    wire.endpoint.set_path_policy(call, policy, wire.now).expect("new");
    wire.endpoint.answer(call, &Headers::default(), None, wire.now).expect("new");
    let tag = format!(";tag={}", wire.response().to_tag().expect("a dialog"));
    wire.receive(&request("ACK", "a", &tag, ""));
    if let Some(id) = stream.filter(|id| id.0 == 0) {
        wire.endpoint.handle_connection_closed(id, wire.now);
    }
    wire.endpoint.bye(call, &Headers::default(), wire.now).expect("acknowledged");
    let sent = wire.endpoint.poll_transmit().expect("a BYE");
    wire.run_out();
    sent.flow
}

#[test]
fn path_in_a_dialog_is_the_contact_unless_that_cannot_be_reached() {
    use PathPolicy::{Auto, Symmetric};
    let public = "198.51.100.7:40000";
    for (contact, policy, to) in [
        ("sip:a@203.0.113.4:5070", Auto, "203.0.113.4:5070"),
        ("sip:a@203.0.113.4:5070", Symmetric, public),
        ("sip:a@192.168.1.4:5070", Auto, public),
        ("sip:a@100.64.0.9", Auto, public),
        ("sip:a@phone.example", Auto, public),
        ("sip:a@0.0.0.0:5060", Auto, public),
        ("sip:a@224.0.1.75", Auto, public),
    ] {
        let flow = bye_goes_to(public, contact, policy, None);
        assert_eq!(
            (flow.peer, flow.transport),
            (to.parse().expect("an address"), Transport::Udp),
            "{contact}"
        );
    }
    // A stream is used while it is open, whatever the Contact; afterwards the Contact is called.
    let contact = "sip:a@203.0.113.4:5070;transport=tcp";
    let open = bye_goes_to(public, contact, Auto, Some(ConnectionId(1)));
    assert_eq!(
        (open.connection, open.peer),
        (Some(ConnectionId(1)), public.parse().expect("an address"))
    );
    let closed = bye_goes_to(public, contact, Auto, Some(ConnectionId(0)));
    assert_eq!(
        (closed.connection, closed.transport, closed.peer),
        (None, Transport::Tcp, "203.0.113.4:5070".parse().expect("an address"))
    );
}

#[test]
fn response_with_a_second_via_is_not_ours() {
    let mut wire = Wire::new();
    let (call, invite) = place_call(&mut wire);
    let text = respond_to(&invite, "200 OK", "one", "");
    wire.receive(&text.replace("\nFrom:", "\nVia: SIP/2.0/UDP other;branch=z9hG4bKo\nFrom:"));
    assert!(wire.events().is_empty());
    wire.endpoint.cancel(call, &Headers::default(), wire.now).expect("calling");
    wire.run_out();
}

#[test]
fn public_address_stands_in_via_and_contact() {
    let local: SocketAddr = "192.0.2.9:5060".parse().expect("an address");
    let public: SocketAddr = "198.51.100.99:6000".parse().expect("an address");
    for (inside, seen) in [("192.168.0.0/16", public), ("192.0.2.0/24", local)] {
        let inside = vec![inside.parse().expect("a network")];
        let public = PublicAddress { transport: Transport::Udp, local, public, inside };
        let config = EndpointConfig { public_addresses: vec![public], ..EndpointConfig::default() };
        let mut wire = Wire::with_config(config);
        let (call, invite) = place_call(&mut wire);
        assert_eq!(invite.via().and_then(|via| via.response_address()), Some(seen));
        let contact = invite.contact().map(|contact| contact.uri().as_str().to_owned());
        assert_eq!(contact, Some(format!("sip:b@{seen}")));
        wire.endpoint.cancel(call, &Headers::default(), wire.now).expect("calling");
        wire.run_out();
    }
}

#[test]
fn mutated_messages_neither_panic_nor_stay() {
    for seed in 0..60 {
        let mut wire = Wire::new();
        let mut entropy = Entropy::new(seed);
        let (_, invite) = place_call(&mut wire);
        let seeds = [
            request("INVITE", "x", "", "Record-Route: <sip:p;lr>, <sip:q>\nExpires: 30\n"),
            request("CANCEL", "x", "", ""),
            request("ACK", "x", ";tag=t", ""),
            request("BYE", "y", ";tag=t", "Require: a, b\n"),
            request("REGISTER", "z", "", "Content-Encoding: gzip\n"),
            respond_to(&invite, "200 OK", "one", "Record-Route: <sip:p;lr>\n"),
            respond_to(&invite, "401 Unauthorized", "one", ""),
        ];
        for step in 0..40 {
            let seed = &seeds[entropy.below(seeds.len() as u32) as usize];
            let mut bytes = seed
                .replace('\n', "\r\n")
                .replace("Call-ID: call", &format!("Call-ID: {step}"))
                .into_bytes();
            for _ in 0..entropy.below(4) {
                let at = entropy.below(bytes.len() as u32) as usize;
                match entropy.below(4) {
                    0 => bytes[at] = entropy.next_u32() as u8,
                    1 => drop(bytes.drain(at..(at + 5).min(bytes.len()))),
                    2 => bytes.insert(at, b";,<>\"\r\n \0:@"[entropy.below(11) as usize]),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            wire.endpoint.handle_packet(wire.flow, Bytes::from(bytes), wire.now);
            // Not read back: the answer to a malformed request copies what was malformed in it.
            while wire.endpoint.poll_transmit().is_some() {}
            wire.wait(Duration::from_millis(entropy.below(2000).into()));
            for event in wire.events() {
                let nothing = Headers::default();
                let _ = match event {
                    Event::IncomingCall { call, .. } if entropy.below(2) == 0 => {
                        wire.endpoint.answer(call, &nothing, None, wire.now)
                    }
                    Event::IncomingCall { call, .. } | Event::Answered { call, .. } => {
                        wire.endpoint.hang_up(call, StatusCode::BUSY_HERE, &nothing, wire.now)
                    }
                    _ => Ok(()),
                };
            }
        }
        wire.run_out();
    }
}
