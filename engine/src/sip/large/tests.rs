//! Claims about requests that are large for UDP.

use super::*;
use crate::clock::clock;
use crate::entropy::Entropy;
use crate::sip::{
    Body, Endpoint, EndpointConfig, Event, Headers, Limits, Message, Method, NameAddr,
    OutgoingCall, OutgoingRequest, Response, StatusCode, Tag, Uri,
};

#[test]
fn peers_without_tcp_are_forgotten_in_time_and_bounded_in_number() {
    let start = clock();
    let peer = |number: usize| SocketAddr::from(([192, 0, 2, 1], number as u16));
    let mut unconnected = Unconnected::default();
    unconnected.insert(peer(1), start);
    assert!(unconnected.contains(peer(1), start + REMEMBERED - Duration::from_secs(1)));
    assert!(!unconnected.contains(peer(1), start + REMEMBERED));
    assert!(!unconnected.contains(peer(2), start));
    for number in 0..1000 {
        unconnected.insert(peer(number), start);
    }
    assert_eq!(unconnected.peers.len(), MOST_UNCONNECTED);
    assert!(unconnected.contains(peer(999), start));
}

/// A stack with what it sends, and a clock.
struct Scene {
    endpoint: Endpoint,
    now: Instant,
}

impl Scene {
    fn new(large_requests: LargeRequests) -> Self {
        let config = EndpointConfig { large_requests, ..EndpointConfig::default() };
        Self { endpoint: Endpoint::new(config, Entropy::new(1)), now: clock() }
    }

    /// Sends a MESSAGE with a body of so many bytes.
    fn send(&mut self, length: usize) {
        let uri = |text| Uri::parse(text).expect("a uri");
        let from = NameAddr::new(uri("sip:a@192.0.2.1"));
        let mut spec =
            OutgoingRequest::new(Method::Message, uri("sip:b@192.0.2.2:5070"), flow(), from);
        spec.body =
            Some(Body { content_type: "text/plain".into(), bytes: vec![b'x'; length].into() });
        self.endpoint.send_request(spec, self.now).expect("room");
    }

    /// All that was sent: the flow, and the first Via's transport.
    fn sent(&mut self) -> Vec<(Flow, Request)> {
        std::iter::from_fn(|| self.endpoint.poll_transmit())
            .map(|sent| match Message::parse(sent.bytes, &Limits::default()) {
                Ok(Message::Request(request)) => (sent.flow, request),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.endpoint.poll_event()).collect()
    }

    fn answer(&mut self, flow: Flow, request: &Request) {
        let response = Response::to(request, StatusCode::OK).to_bytes();
        self.endpoint.handle_packet(flow, response, self.now);
    }

    fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(next) = self.endpoint.poll_timeout().filter(|&next| next <= until) {
            self.now = next;
            self.endpoint.handle_timeout(next);
        }
        self.now = until;
    }
}

fn flow() -> Flow {
    let address = |text: &str| text.parse().expect("an address");
    Flow::udp(address("192.0.2.1:5060"), address("192.0.2.2:5070"))
}

fn via(request: &Request) -> (String, String) {
    let via = request.via().expect("parsed");
    (via.transport().to_owned(), via.branch().expect("ours").to_owned())
}

#[test]
fn large_requests_stay_on_udp_unless_that_is_changed_and_small_ones_always() {
    for (large, length, transport) in [
        (LargeRequests::Datagrams, 2000, Transport::Udp),
        (LargeRequests::Connections, 2000, Transport::Tcp),
        (LargeRequests::Connections, 500, Transport::Udp),
    ] {
        let mut scene = Scene::new(large);
        scene.send(length);
        let sent = scene.sent();
        let (flow, request) = &sent[0];
        assert_eq!((flow.transport, flow.connection), (transport, None));
        assert_eq!(via(request).0, transport.as_str());
        scene.answer(*flow, request);
        assert!(matches!(scene.events()[..], [Event::Response { .. }]));
    }
}

#[test]
fn a_refused_connection_brings_the_same_request_by_udp_and_the_next_one_at_once() {
    let mut scene = Scene::new(LargeRequests::Connections);
    scene.send(2000);
    let (tcp, over_tcp) = scene.sent().remove(0);
    scene.endpoint.handle_transport_error(tcp, scene.now);
    let (udp, over_udp) = scene.sent().remove(0);
    assert_eq!(udp.transport, Transport::Udp);
    assert_eq!(via(&over_udp), ("UDP".to_owned(), via(&over_tcp).1), "the same branch");
    assert_eq!(over_udp.body(), over_tcp.body());
    assert!(scene.events().is_empty());
    // It is repeated like every request over UDP.
    scene.wait(Duration::from_millis(600));
    assert_eq!(scene.sent().len(), 1);
    scene.answer(udp, &over_udp);
    assert!(matches!(scene.events()[..], [Event::Response { .. }]));
    scene.send(2000);
    assert_eq!(scene.sent()[0].0.transport, Transport::Udp);
}

#[test]
fn a_connection_that_brings_nothing_is_not_waited_for() {
    let mut scene = Scene::new(LargeRequests::Connections);
    scene.send(2000);
    assert_eq!(scene.sent()[0].0.transport, Transport::Tcp);
    scene.wait(PATIENCE - Duration::from_millis(1));
    assert!(scene.sent().is_empty());
    scene.wait(Duration::from_millis(1));
    let (udp, request) = scene.sent().remove(0);
    assert_eq!(udp.transport, Transport::Udp);
    scene.answer(udp, &request);
    assert!(matches!(scene.events()[..], [Event::Response { .. }]));
    scene.wait(Duration::from_secs(60));
    assert!(scene.endpoint.is_idle(), "{:?}", scene.endpoint);
}

#[test]
fn who_is_not_there_at_all_is_given_up_in_time() {
    let mut scene = Scene::new(LargeRequests::Connections);
    scene.send(2000);
    scene.wait(Duration::from_secs(60));
    assert!(matches!(scene.events()[..], [Event::RequestFailed { .. }]));
    assert!(scene.endpoint.is_idle(), "{:?}", scene.endpoint);
}

#[test]
fn what_no_datagram_holds_goes_over_tcp_or_fails_and_is_never_lost() {
    let mut scene = Scene::new(LargeRequests::Datagrams);
    scene.send(MOST_DATAGRAM);
    let tcp = scene.endpoint.poll_transmit().expect("sent").flow;
    assert_eq!(tcp.transport, Transport::Tcp);
    scene.endpoint.handle_transport_error(tcp, scene.now);
    assert!(matches!(scene.events()[..], [Event::RequestFailed { .. }]));
    assert!(scene.endpoint.poll_transmit().is_none());
}

#[test]
fn a_datagram_whose_response_might_not_fit_is_refused() {
    let mut scene = Scene::new(LargeRequests::Datagrams);
    let cases = [
        (MOST_REQUEST, None),
        (MOST_REQUEST + 1, Some(513)),
        // Its response would not fit: no more than counted.
        (MOST_DATAGRAM, None),
    ];
    for (length, status) in cases {
        let text = |padding: usize| {
            format!(
                "MESSAGE sip:100@192.0.2.9 SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{length}\r\nMax-Forwards: 70\r\n\
                 From: <sip:a@192.0.2.1>;tag=f;x={}\r\nTo: <sip:b@192.0.2.9>\r\n\
                 Call-ID: c{length}\r\nCSeq: 1 MESSAGE\r\n\r\n",
                "x".repeat(padding),
            )
        };
        let text = text(length - text(0).len());
        scene.endpoint.handle_packet(flow(), text.into(), scene.now);
        let sent = scene.endpoint.poll_transmit().map(|sent| {
            assert!(sent.bytes.len() <= MOST_DATAGRAM);
            match Message::parse(sent.bytes, &Limits::default()) {
                Ok(Message::Response(response)) => response.status().code(),
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(sent, status, "{length}");
    }
    assert_eq!(scene.endpoint.counters().too_large, 2);
    assert_eq!(scene.events().len(), 1, "the one that is not too large");
}

#[test]
fn a_call_that_fell_back_is_cancelled_the_way_it_went() {
    let mut scene = Scene::new(LargeRequests::Connections);
    let uri = |text| Uri::parse(text).expect("a uri");
    let from = NameAddr::new(uri("sip:a@192.0.2.1"));
    let mut spec = OutgoingCall::new(uri("sip:b@192.0.2.2:5070"), flow(), from);
    spec.body = Some(Body::sdp("x".repeat(2000)));
    let call = scene.endpoint.call(spec, scene.now).expect("room");
    let (tcp, over_tcp) = scene.sent().remove(0);
    assert_eq!(tcp.transport, Transport::Tcp);
    scene.endpoint.handle_transport_error(tcp, scene.now);
    let (udp, over_udp) = scene.sent().remove(0);
    assert_eq!(via(&over_udp), ("UDP".to_owned(), via(&over_tcp).1));
    let ringing = Response::to(&over_udp, StatusCode::RINGING)
        .with_to_tag(&Tag::random(&mut Entropy::new(2)));
    scene.endpoint.handle_packet(udp, ringing.to_bytes(), scene.now);
    scene.endpoint.cancel(call, &Headers::default(), scene.now).expect("it rings");
    let (path, cancel) = scene.sent().remove(0);
    assert_eq!((path, cancel.method()), (udp, &Method::Cancel));
    assert_eq!(via(&cancel), via(&over_udp));
}
