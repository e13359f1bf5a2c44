//! A scripted subscriber and a notifier with a network between them, in virtual time.

use super::*;
use crate::clock::clock;
use crate::sip::subscribe::{Expiration, SubscriptionEnd};
use crate::sip::{CSeq, pair::Link};

/// Alice subscribes, Bob notifies.
struct Watch {
    bob: Endpoint,
    link: Link,
    now: Instant,
    /// When it arrives, in which order, whether at Bob, what.
    in_flight: Vec<(Instant, usize, bool, Bytes)>,
    sent: usize,
    /// What Bob tells, counted up with each change.
    state: u32,
    subscription: Option<SubscriptionHandle>,
    ended: Vec<SubscriptionEnd>,
    /// What Alice answers NOTIFYs with; `None` does not.
    alice_says: Option<(StatusCode, Headers)>,
    cseq: u32,
    tag: Option<String>,
    /// The responses to SUBSCRIBEs, in order, without repetitions.
    responses: Vec<Response>,
    /// The NOTIFYs that reached Alice, without repetitions.
    notifies: Vec<Request>,
    /// CSeq numbers of the NOTIFYs that Bob sent.
    numbers: Vec<u32>,
}

impl Watch {
    fn new(link: Link) -> Self {
        let config = EndpointConfig {
            methods: vec![Method::Subscribe],
            max_subscriptions: 2,
            ..EndpointConfig::default()
        };
        Self {
            bob: Endpoint::new(config, Entropy::new(7)),
            link,
            now: clock(),
            in_flight: vec![],
            sent: 0,
            state: 0,
            subscription: None,
            ended: vec![],
            alice_says: Some((StatusCode::OK, Headers::default())),
            cseq: 1,
            tag: None,
            responses: vec![],
            notifies: vec![],
            numbers: vec![],
        }
    }

    /// A subscription for ten minutes that was told of once.
    fn subscribed() -> Self {
        let mut watch = Self::new(Link::good());
        watch.subscribe("Event: dialog;id=a\r\nExpires: 600\r\n");
        watch.run_for(ms(100));
        assert_eq!(watch.told(), ["0 active;expires=600"]);
        watch.notifies.clear();
        watch
    }

    fn flow() -> Flow {
        let address = |text: &str| text.parse().expect("an address");
        Flow::udp(address("192.0.2.2:5060"), address("192.0.2.1:5060"))
    }

    /// Sends a request, within the dialog once there is one.
    fn send(&mut self, method: &str, headers: &str) -> Bytes {
        self.cseq += 1;
        let (cseq, tag) = (self.cseq, self.tag.as_ref());
        let tag = tag.map_or(String::new(), |tag| format!(";tag={tag}"));
        let bytes = Bytes::from(format!(
            "{method} sip:100@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:alice@192.0.2.1>;tag=alice\r\n\
             To: <sip:100@192.0.2.2>{tag}\r\nCall-ID: watch\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:alice@192.0.2.1:5060>\r\n{headers}Content-Length: 0\r\n\r\n"
        ));
        self.carry(true, bytes.clone());
        bytes
    }

    fn subscribe(&mut self, headers: &str) {
        self.send("SUBSCRIBE", headers);
    }

    fn carry(&mut self, to_bob: bool, bytes: Bytes) {
        let copies = match self.link.entropy.below(1000) {
            n if n < self.link.drop => 0,
            n if n < self.link.drop + self.link.double => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let spread = self.link.delay_ms.end - self.link.delay_ms.start;
            let delay = self.link.delay_ms.start + self.link.entropy.below(spread);
            self.sent += 1;
            let arrives = self.now + ms(delay.into());
            self.in_flight.push((arrives, self.sent, to_bob, bytes.clone()));
        }
    }

    fn change(&mut self) {
        self.state += 1;
        if let Some(subscription) = self.subscription {
            let noted = self.bob.note_change(subscription, self.now);
            assert_eq!(noted.is_err(), !self.ended.is_empty());
        }
        self.serve();
    }

    /// Bob takes what comes and tells what he is asked for.
    fn serve(&mut self) {
        while let Some(event) = self.bob.poll_event() {
            match event {
                Event::Request { transaction, flow, .. } => {
                    let terms = SubscriptionTerms {
                        flow,
                        path: PathPolicy::Auto,
                        response_port: ResponsePort::AsAsked,
                        expiration: Expiration { minimum: secs(60), ..Expiration::default() },
                    };
                    let accepted = self.bob.accept_subscription(transaction, terms, self.now);
                    match accepted {
                        Ok(accepted) => self.subscription = accepted.or(self.subscription),
                        Err(error) => {
                            assert_eq!(error, VerbError::Full);
                            let status = StatusCode::SERVICE_UNAVAILABLE;
                            let none = Headers::default();
                            let _ = self.bob.respond(transaction, status, &none, None, self.now);
                        }
                    }
                }
                Event::NotifyDue { subscription } => {
                    let bytes = self.state.to_string().into();
                    let body = Body { content_type: "text/plain".into(), bytes };
                    self.bob.notify(subscription, Some(&body), self.now).expect("asked for");
                }
                Event::SubscriptionEnded { subscription, end } => {
                    assert_eq!(self.bob.note_change(subscription, self.now), Err(VerbError::Gone));
                    self.ended.push(end);
                }
                other => panic!("{other:?}"),
            }
        }
        while let Some(transmit) = self.bob.poll_transmit() {
            assert_eq!(transmit.flow.peer, Self::flow().peer);
            self.carry(false, transmit.bytes);
        }
    }

    /// Alice takes a message.
    fn hear(&mut self, bytes: Bytes) {
        match Message::parse(bytes, &Limits::default()).expect("well-formed") {
            Message::Response(response) => {
                let number = |it: &Response| it.cseq().expect("parsed").number;
                if response.status().is_success() {
                    self.tag = response.to_tag().map(str::to_owned);
                }
                if self.responses.iter().all(|it| number(it) != number(&response)) {
                    self.responses.push(response);
                }
            }
            Message::Request(request) => {
                let number = request.cseq().expect("parsed").number;
                assert_eq!(*request.method(), Method::Notify);
                if let Some((status, headers)) = self.alice_says.clone() {
                    let mut response = Response::to(&request, status);
                    for field in headers.fields() {
                        response.push(field.name, field.value);
                    }
                    self.carry(true, response.to_bytes());
                }
                if !self.numbers.contains(&number) {
                    self.numbers.push(number);
                    self.notifies.push(request);
                }
            }
        }
    }

    fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.serve();
            let arrival = self.in_flight.iter().map(|&(at, ..)| at).min();
            let next = arrival.into_iter().chain(self.bob.poll_timeout()).min();
            let Some(next) = next.filter(|&next| next <= until) else { break };
            self.now = self.now.max(next);
            let now = self.now;
            let due = self.in_flight.iter().enumerate().filter(|(_, it)| it.0 <= now);
            let due = due.min_by_key(|(_, it)| (it.0, it.1)).map(|(nth, _)| nth);
            match due.map(|nth| self.in_flight.remove(nth)) {
                Some((_, _, true, bytes)) => self.bob.handle_packet(Self::flow(), bytes, now),
                Some((_, _, false, bytes)) => self.hear(bytes),
                None => {}
            }
            if self.bob.poll_timeout().is_some_and(|at| at <= now) {
                self.bob.handle_timeout(now);
                let next = self.bob.poll_timeout();
                assert!(next.is_none_or(|at| at > now), "a fired timeout stays due");
            }
        }
        self.now = until;
    }

    /// Lets everything end.
    fn run_out(&mut self) {
        self.run_for(secs(8000));
        assert!(self.bob.is_idle(), "bob keeps {:?}", self.bob);
    }

    /// The bodies and states that Alice was told.
    fn told(&self) -> Vec<String> {
        let state =
            |it: &Request| it.text(HeaderName::SubscriptionState).unwrap_or_default().to_owned();
        let told = |it: &Request| format!("{} {}", String::from_utf8_lossy(it.body()), state(it));
        self.notifies.iter().map(told).collect()
    }

    fn last_status(&self) -> u16 {
        self.responses.last().map_or(0, |it| it.status().code())
    }
}

#[test]
fn subscriber_is_told_at_once_and_at_each_change() {
    let mut watch = Watch::subscribed();
    let response = &watch.responses[0];
    assert_eq!((response.status().code(), response.expires()), (200, Some(secs(600))));
    assert!(response.contact().is_some());
    watch.run_for(secs(100));
    watch.change();
    watch.run_for(secs(1));
    assert_eq!(watch.told(), ["1 active;expires=499"]);
    let notify = &watch.notifies[0];
    assert_eq!(notify.text(HeaderName::Event), Some("dialog;id=a"));
    assert_eq!(notify.uri().as_str(), "sip:alice@192.0.2.1:5060");
    watch.run_out();
    assert_eq!(watch.told().last().map(String::as_str), Some("1 terminated;reason=timeout"));
    assert_eq!(watch.ended, [SubscriptionEnd::Told(Termination::Timeout)]);
}

#[test]
fn changes_while_a_notify_is_on_its_way_are_told_as_one() {
    let mut watch = Watch::subscribed();
    watch.run_for(secs(10));
    for _ in 0..5 {
        watch.change();
    }
    watch.run_for(ms(100));
    assert_eq!(watch.told(), ["1 active;expires=589", "5 active;expires=589"]);
}

#[test]
fn restless_state_is_told_once_a_second_in_the_long_run_and_the_last_is_not_lost() {
    let mut watch = Watch::subscribed();
    watch.run_for(secs(10));
    for _ in 0..1000 {
        watch.change();
        watch.run_for(ms(30));
    }
    watch.run_for(secs(2));
    let told = watch.told();
    assert!((30..=37).contains(&told.len()), "{}", told.len());
    assert!(told.last().is_some_and(|it| it.starts_with("1000 ")), "{told:?}");
}

#[test]
fn refresh_lengthens_it_and_tells_the_state_again() {
    let mut watch = Watch::subscribed();
    watch.run_for(secs(500));
    watch.subscribe("Event: dialog;id=a\r\nExpires: 300\r\n");
    watch.run_for(secs(200));
    assert_eq!((watch.last_status(), watch.told()), (200, vec!["0 active;expires=300".into()]));
    assert!(watch.ended.is_empty());
    watch.run_out();
}

#[test]
fn zero_ends_it_and_outside_a_dialog_asks_once() {
    let mut watch = Watch::subscribed();
    watch.subscribe("Event: dialog;id=a\r\nExpires: 0\r\n");
    watch.run_for(ms(100));
    assert_eq!(watch.told(), ["0 terminated;reason=timeout"]);
    assert_eq!(watch.ended, [SubscriptionEnd::Told(Termination::Timeout)]);
    watch.subscribe("Event: dialog;id=a\r\nExpires: 60\r\n");
    watch.run_for(ms(100));
    assert_eq!(watch.last_status(), 481, "it is over");
    let mut once = Watch::new(Link::good());
    once.subscribe("Event: dialog\r\nExpires: 0\r\n");
    once.run_for(ms(100));
    assert_eq!(once.told(), ["0 terminated;reason=timeout"]);
    once.run_out();
}

#[test]
fn what_cannot_be_taken_is_refused_and_leaves_nothing() {
    for (headers, status) in [
        ("Expires: 60\r\n", 489),
        ("Event: dialog\r\nExpires: 59\r\n", 423),
        ("Event: dialog;=\r\nExpires: 60\r\n", 400),
        ("Event: dialog\r\nExpires: never\r\n", 400),
    ] {
        let mut watch = Watch::new(Link::good());
        watch.subscribe(headers);
        watch.run_for(ms(100));
        assert_eq!(watch.last_status(), status, "{headers}");
        if status == 423 {
            assert_eq!(watch.responses[0].seconds(HeaderName::MinExpires), Some(secs(60)));
        }
        watch.run_out();
        assert_eq!(watch.ended, []);
    }
}

#[test]
fn within_the_dialog_only_its_own_subscription_is_served() {
    let mut watch = Watch::subscribed();
    for (method, headers, status) in [
        ("SUBSCRIBE", "Event: dialog;id=b\r\n", 481),
        ("SUBSCRIBE", "Event: presence\r\n", 481),
        ("SUBSCRIBE", "Event: dialog;id=a\r\nExpires: 1\r\n", 423),
        ("OPTIONS", "", 200),
        ("BYE", "", 481),
        ("INVITE", "", 481),
        ("MESSAGE", "", 405),
    ] {
        watch.send(method, headers);
        watch.run_for(ms(100));
        assert_eq!(watch.last_status(), status, "{method} {headers}");
    }
    watch.cseq = 1;
    watch.subscribe("Event: dialog;id=a\r\n");
    watch.run_for(ms(100));
    assert!(watch.told().is_empty(), "out of order");
    watch.cseq = 20;
    watch.run_out();
}

#[test]
fn who_does_not_take_a_notify_is_not_told_any_more() {
    for (status, ends) in [(481, true), (603, true), (401, true), (503, false)] {
        let mut watch = Watch::subscribed();
        let mut headers = Headers::default();
        if !ends {
            headers.push(HeaderName::RetryAfter, 5_u32);
        }
        let status = StatusCode::new(status).expect("a status");
        watch.alice_says = Some((status, headers));
        watch.change();
        watch.run_for(secs(1));
        match ends {
            true => assert_eq!(watch.ended, [SubscriptionEnd::NotifyFailed(status)]),
            false => {
                assert_eq!(watch.ended, []);
                watch.alice_says = Some((StatusCode::OK, Headers::default()));
                watch.run_for(secs(3));
                assert_eq!(watch.told().len(), 1);
                watch.run_for(secs(2));
                assert_eq!(watch.told().len(), 2, "told again when it wants to hear");
            }
        }
        watch.run_out();
    }
    let mut silent = Watch::subscribed();
    silent.alice_says = None;
    silent.change();
    silent.run_for(secs(33));
    assert_eq!(silent.ended, [SubscriptionEnd::NotifyFailed(StatusCode::REQUEST_TIMEOUT)]);
    silent.run_out();
}

#[test]
fn notifier_that_leaves_says_why() {
    let mut watch = Watch::subscribed();
    let subscription = watch.subscription.expect("taken");
    watch.state = 9;
    let terminated =
        watch.bob.terminate_subscription(subscription, Termination::Deactivated, watch.now);
    assert_eq!(terminated, Ok(()));
    watch.run_for(ms(100));
    assert_eq!(watch.told(), ["9 terminated;reason=deactivated"]);
    watch.run_out();
    let gone = watch.bob.terminate_subscription(subscription, Termination::Rejected, watch.now);
    assert_eq!(gone, Err(VerbError::Gone));
}

#[test]
fn there_are_no_more_than_may_be() {
    let mut watch = Watch::new(Link::good());
    for status in [200, 200, 503] {
        watch.subscribe("Event: dialog\r\n");
        watch.run_for(ms(100));
        watch.tag = None;
        assert_eq!(watch.last_status(), status);
    }
    assert_eq!(watch.bob.subscription_count(), 2);
    watch.run_out();
}

#[test]
fn no_network_however_bad_loses_the_last_state_or_leaves_a_subscription() {
    for seed in 0..400 {
        let mut watch = Watch::new(Link::bad(seed));
        let bytes = watch.send("SUBSCRIBE", "Event: dialog\r\nExpires: 3600\r\n");
        for nth in 0..60_u64 {
            // Timer E, roughly.
            if watch.tag.is_none() && nth % 5 == 0 {
                watch.carry(true, bytes.clone());
            }
            if nth > 10 && nth % 7 == seed % 7 {
                watch.change();
            }
            if watch.tag.is_some() && nth == 40 && seed % 3 == 0 {
                watch.subscribe("Event: dialog\r\nExpires: 3600\r\n");
            }
            watch.run_for(ms(100));
        }
        // A NOTIFY has eleven tries; all of them are lost one time in a million at the worst here.
        watch.run_for(secs(100));
        if watch.subscription.is_some() && watch.ended.is_empty() {
            let newest = watch.notifies.iter().max_by_key(|it| it.cseq().expect("parsed").number);
            let newest = newest.expect("told").body().to_vec();
            assert_eq!(newest, watch.state.to_string().into_bytes(), "seed {seed}");
        }
        if seed % 2 == 0 {
            watch.alice_says = None;
            watch.change();
        }
        watch.run_out();
        assert_eq!(watch.ended.len(), usize::from(watch.subscription.is_some()), "seed {seed}");
    }
}

#[test]
fn duplicates_of_a_subscribe_make_one_subscription() {
    let mut watch = Watch::new(Link { double: 1000, ..Link::good() });
    watch.subscribe("Event: dialog\r\n");
    watch.run_for(ms(100));
    assert_eq!((watch.bob.subscription_count(), watch.notifies.len()), (1, 1));
    // That its To tag is there does not keep the CSeq from being read.
    assert_eq!(watch.responses[0].cseq(), Some(CSeq::new(2, Method::Subscribe)));
    watch.run_out();
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
