//! Two endpoints and the network between them, for tests: all public API, time is a variable.
//!
//! `link` delays, drops, doubles and reorders from a seed. After each step the pair asserts what
//! always holds: what was drained stays empty, and a fired timeout moves the next deadline past
//! `now`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::clock::clock;
use crate::entropy::Entropy;

/// Which endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Alice,
    Bob,
}

impl Who {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }
}

/// One endpoint with what it told.
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) address: SocketAddr,
    pub(crate) events: Vec<Event>,
    /// How many of them a test has looked at.
    pub(crate) looked_at: usize,
}

/// How the network treats messages.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) transport: Transport,
    pub(crate) delay_ms: std::ops::Range<u32>,
    /// In thousandths.
    pub(crate) drop: u32,
    /// In thousandths.
    pub(crate) double: u32,
    pub(crate) entropy: Entropy,
}

impl Link {
    /// Ten milliseconds, nothing lost.
    pub(crate) fn good() -> Self {
        Self {
            transport: Transport::Udp,
            delay_ms: 10..11,
            drop: 0,
            double: 0,
            entropy: Entropy::new(1),
        }
    }

    /// Datagrams as bad as `seed` says: reordered, some doubled, some lost.
    pub(crate) fn bad(seed: u64) -> Self {
        let mut entropy = Entropy::new(seed);
        let longest = 2 + entropy.below(300);
        let (drop, double) = (entropy.below(250), entropy.below(250));
        Self { transport: Transport::Udp, delay_ms: 1..longest, drop, double, entropy }
    }

    /// A stream: in order, nothing lost.
    pub(crate) fn stream() -> Self {
        Self { transport: Transport::Tcp, ..Self::good() }
    }
}

/// A message on its way, or that has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) from: Who,
    pub(crate) at: Instant,
    pub(crate) arrives: Option<Instant>,
    pub(crate) message: Message,
}

impl Sent {
    /// `INVITE`, or `200 INVITE`.
    pub(crate) fn summary(&self) -> String {
        match &self.message {
            Message::Request(request) => request.method().to_string(),
            Message::Response(response) => {
                format!("{} {}", response.status().code(), response.cseq().expect("parsed").method)
            }
        }
    }
}

/// Alice, Bob and the network.
pub(crate) struct Pair {
    pub(crate) alice: Side,
    pub(crate) bob: Side,
    pub(crate) link: Link,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    /// Everything that was sent.
    pub(crate) log: Vec<Sent>,
    in_flight: Vec<(Instant, usize, Who, Bytes)>,
    sent: usize,
}

impl Pair {
    pub(crate) fn new(link: Link) -> Self {
        Self::with_config(link, EndpointConfig::default())
    }

    pub(crate) fn with_config(link: Link, config: EndpointConfig) -> Self {
        let now = clock();
        let seed = link.entropy.clone().next_u64();
        let side = |address: &str, seed| Side {
            endpoint: Endpoint::new(config.clone(), Entropy::new(seed)),
            address: address.parse().expect("an address"),
            events: vec![],
            looked_at: 0,
        };
        Self {
            alice: side("192.0.2.1:5060", seed),
            bob: side("192.0.2.2:5060", seed ^ 0x5555),
            link,
            now,
            start: now,
            log: vec![],
            in_flight: vec![],
            sent: 0,
        }
    }

    pub(crate) fn side(&mut self, who: Who) -> &mut Side {
        match who {
            Who::Alice => &mut self.alice,
            Who::Bob => &mut self.bob,
        }
    }

    fn flow(&self, who: Who) -> Flow {
        let (local, peer) = match who {
            Who::Alice => (self.alice.address, self.bob.address),
            Who::Bob => (self.bob.address, self.alice.address),
        };
        match self.link.transport {
            Transport::Udp => Flow::udp(local, peer),
            Transport::Tcp => Flow::tcp(local, peer, ConnectionId(1)),
            Transport::Tls => Flow::tls(local, peer, ConnectionId(1)),
        }
    }

    /// Alice's call to Bob.
    pub(crate) fn outgoing(&self, body: Option<Body>) -> OutgoingCall {
        let target = Uri::parse("sip:100@192.0.2.2").expect("a uri");
        let from = NameAddr::new(Uri::parse("sip:alice@192.0.2.1").expect("a uri"));
        let mut flow = self.flow(Who::Alice);
        if self.link.transport == Transport::Tcp {
            // Not yet connected: the first message that comes back names the connection.
            flow.connection = None;
        }
        OutgoingCall { body, ..OutgoingCall::new(target, flow, from) }
    }

    /// Takes what the endpoints want to send and tell, at the present time.
    pub(crate) fn drain(&mut self) {
        for who in [Who::Alice, Who::Bob] {
            while let Some(transmit) = self.side(who).endpoint.poll_transmit() {
                self.carry(who, transmit);
            }
            while let Some(event) = self.side(who).endpoint.poll_event() {
                self.side(who).events.push(event);
            }
            assert!(self.side(who).endpoint.poll_transmit().is_none());
            assert!(self.side(who).endpoint.poll_event().is_none());
        }
    }

    fn carry(&mut self, from: Who, transmit: Transmit) {
        let flow = self.flow(from);
        assert_eq!(transmit.flow.peer, flow.peer, "sent astray");
        let bytes = transmit.bytes;
        let message = Message::parse(bytes.clone(), &Limits::default()).expect("well-formed");
        let link = &mut self.link;
        let copies = match link.entropy.below(1000) {
            n if n < link.drop => 0,
            n if n < link.drop + link.double => 2,
            _ => 1,
        };
        let mut first = None;
        for _ in 0..copies {
            let spread = link.delay_ms.end - link.delay_ms.start;
            let delay = link.delay_ms.start + link.entropy.below(spread);
            let arrives = self.now + Duration::from_millis(delay.into());
            first = Some(first.map_or(arrives, |first: Instant| first.min(arrives)));
            self.sent += 1;
            self.in_flight.push((arrives, self.sent, from.other(), bytes.clone()));
        }
        self.log.push(Sent { from, at: self.now, arrives: first, message });
    }

    /// When something happens next.
    pub(crate) fn next(&self) -> Option<Instant> {
        let arrival = self.in_flight.iter().map(|&(at, ..)| at).min();
        let timeouts = [self.alice.endpoint.poll_timeout(), self.bob.endpoint.poll_timeout()];
        arrival.into_iter().chain(timeouts.into_iter().flatten()).min()
    }

    /// Moves time to the next happening, not beyond `until`. False when nothing happened.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        self.drain();
        let Some(next) = self.next().filter(|&next| next <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(next);
        let now = self.now;
        let earliest = self
            .in_flight
            .iter()
            .enumerate()
            .filter(|(_, (at, ..))| *at <= now)
            .min_by_key(|(_, (at, seq, ..))| (*at, *seq));
        if let Some((index, _)) = earliest {
            let (_, _, to, bytes) = self.in_flight.remove(index);
            let flow = self.flow(to);
            self.side(to).endpoint.handle_packet(flow, bytes, now);
        }
        for who in [Who::Alice, Who::Bob] {
            if self.side(who).endpoint.poll_timeout().is_some_and(|at| at <= now) {
                self.side(who).endpoint.handle_timeout(now);
                let next = self.side(who).endpoint.poll_timeout();
                assert!(next.is_none_or(|at| at > now), "a fired timeout stays due");
            }
        }
        self.drain();
        true
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.step(until) {}
    }

    /// Lets time pass until nothing is left to happen.
    pub(crate) fn run_out(&mut self) {
        self.run_for(Duration::from_secs(1200));
        assert!(self.alice.endpoint.is_idle(), "alice keeps {:?}", self.alice.endpoint);
        assert!(self.bob.endpoint.is_idle(), "bob keeps {:?}", self.bob.endpoint);
    }

    /// Changes what is on its way.
    pub(crate) fn alter(&mut self, change: impl Fn(&[u8]) -> Vec<u8>) {
        for (.., bytes) in &mut self.in_flight {
            *bytes = change(bytes).into();
        }
    }

    /// Takes the events told since the last time.
    pub(crate) fn events(&mut self, who: Who) -> Vec<Event> {
        self.drain();
        std::mem::take(&mut self.side(who).events)
    }

    /// What one side sent, in order, with its time in milliseconds.
    pub(crate) fn sent_by(&self, who: Who) -> Vec<(u128, String)> {
        let sent = self.log.iter().filter(|sent| sent.from == who);
        sent.map(|sent| ((sent.at - self.start).as_millis(), sent.summary())).collect()
    }

    /// How many messages with that summary one side sent.
    pub(crate) fn count(&self, who: Who, summary: &str) -> usize {
        self.log.iter().filter(|sent| sent.from == who && sent.summary() == summary).count()
    }

    /// The latest message with that summary one side sent.
    pub(crate) fn last(&self, who: Who, summary: &str) -> &Message {
        let mut sent =
            self.log.iter().rev().filter(|sent| sent.from == who && sent.summary() == summary);
        &sent.next().unwrap_or_else(|| panic!("{who:?} sent no {summary}")).message
    }

    /// An answered and acknowledged call, both with an offer and an answer.
    pub(crate) fn call(&mut self) -> (CallHandle, CallHandle) {
        let (alice, bob) = self.ringing_call();
        self.bob
            .endpoint
            .answer(bob, &Headers::default(), Some(&Body::sdp("answer")), self.now)
            .expect("ringing");
        self.run_for(Duration::from_millis(100));
        assert!(matches!(self.events(Who::Alice)[..], [Event::Answered { .. }]));
        assert!(matches!(self.events(Who::Bob)[..], [Event::Acknowledged { .. }]));
        (alice, bob)
    }

    /// A call that rings.
    pub(crate) fn ringing_call(&mut self) -> (CallHandle, CallHandle) {
        let spec = self.outgoing(Some(Body::sdp("offer")));
        let alice = self.alice.endpoint.call(spec, self.now).expect("room");
        self.run_for(Duration::from_millis(20));
        let bob = match &self.events(Who::Bob)[..] {
            [Event::IncomingCall { call, .. }] => *call,
            other => panic!("{other:?}"),
        };
        self.bob.endpoint.proceed(bob, self.now).expect("new");
        self.bob
            .endpoint
            .ring(bob, StatusCode::RINGING, &Headers::default(), None, self.now)
            .expect("new");
        self.run_for(Duration::from_millis(20));
        assert!(matches!(self.events(Who::Alice)[..], [Event::Progress { .. }]));
        (alice, bob)
    }
}
