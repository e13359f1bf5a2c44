//! Numbers registered at other registrars, and the calls that come for them.

use std::{collections::HashSet, net::IpAddr, sync::Arc};

use bytes::Bytes;
use diesis_dialplan::conf::MemoryFiles;

use super::*;
use crate::{
    clock::{Now, clocks},
    config::Configuration,
    sip::{
        Flow, HeaderName, Message, Method, Response, StatusCode,
        locate::{Answer, Record, RecordKind},
    },
    switch::{Seeds, Switch},
};

const ROBOTS: usize = 500;
const OWN: &str = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:5060\n";

fn settings(files: &[(&str, &str)]) -> Arc<SipSettings> {
    let files = files.iter().fold(MemoryFiles::new(), |it, (name, text)| it.with(*name, *text));
    let loaded = Configuration::load(&files);
    assert!(!loaded.is_refused(), "{:?}", loaded.findings().map(|it| it.to_string()).next());
    Arc::new(loaded.configuration.sip)
}

fn switch(sip: Arc<SipSettings>, seed: u64, now: Now) -> Switch {
    let seeds = Seeds { entropy: seed, digest_key: [seed as u8; 32] };
    Switch::new(SwitchConfig { sip, ..SwitchConfig::default() }, &seeds, now)
}

fn registrar(seed: u64, now: Now) -> Switch {
    let mut text = OWN.replace("127.0.0.1", "127.0.0.2");
    for number in 0..ROBOTS {
        text += &format!(
            "[{number:04}]\ntype=endpoint\ncontext=default\nauth={number:04}\naors={number:04}\n\
             [{number:04}]\ntype=auth\nusername={number:04}\npassword=0000\n\
             [{number:04}]\ntype=aor\nmax_contacts=1\n"
        );
    }
    switch(settings(&[("pjsip.conf", &text)]), seed, now)
}

/// So many robots from a number on.
fn robots(first: usize, registrar: &str) -> Arc<SipSettings> {
    let range = format!(
        "[robots]\nfirst={first:04}\ncount={}\nregistrar={registrar}\nexpiration=300\n\
         context=announcements\n",
        ROBOTS - first
    );
    settings(&[("pjsip.conf", OWN), ("robots.conf", &range)])
}

/// Two switches and the link between them, which counts.
struct Link {
    robots: Switch,
    /// `None` while the registrar is down.
    registrar: Option<Switch>,
    now: Now,
    sent: usize,
}

impl Link {
    fn new(robots: Arc<SipSettings>) -> Self {
        let now = clocks();
        let registrar = Some(registrar(2, now));
        Self { robots: switch(robots, 1, now), registrar, now, sent: 0 }
    }

    fn settle(&mut self) {
        loop {
            let mut is_quiet = true;
            while let Some(transmit) = self.robots.poll_transmit() {
                (is_quiet, self.sent) = (false, self.sent + 1);
                let there: IpAddr = [127, 0, 0, 2].into();
                if let Some(registrar) = &mut self.registrar
                    && transmit.flow.peer.ip() == there
                {
                    let flow = Flow::udp(transmit.flow.peer, transmit.flow.local);
                    registrar.handle_packet(flow, transmit.bytes, self.now);
                }
            }
            let registrar = self.registrar.as_mut();
            let sent: Option<Vec<_>> =
                registrar.map(|it| std::iter::from_fn(|| it.poll_transmit()).collect());
            for transmit in sent.unwrap_or_default() {
                is_quiet = false;
                let flow = Flow::udp(transmit.flow.peer, transmit.flow.local);
                self.robots.handle_packet(flow, transmit.bytes, self.now);
            }
            if is_quiet {
                return;
            }
        }
    }

    /// Lets time pass until so many are registered; says how long it took.
    fn run_until(&mut self, registered: usize, most: Duration) -> Duration {
        let (start, end) = (self.now.instant, self.now.instant + most);
        loop {
            self.settle();
            if self.registered() == registered {
                return self.now.instant - start;
            }
            let registrar = self.registrar.as_ref().and_then(Switch::poll_timeout);
            let due = self.robots.poll_timeout().into_iter().chain(registrar).min();
            let due = due.expect("something is due").max(self.now.instant);
            let views = self.robots.view_registrations(self.now);
            assert!(due <= end, "{} of {registered} after {most:?}: {views:?}", self.registered());
            self.now = self.now + (due - self.now.instant);
            self.robots.handle_timeout(self.now);
            if let Some(registrar) = &mut self.registrar {
                registrar.handle_timeout(self.now);
            }
        }
    }

    fn registered(&self) -> usize {
        let views = self.robots.view_registrations(self.now);
        views.iter().filter(|it| it.expires.is_some()).count()
    }

    fn at_registrar(&self) -> usize {
        self.registrar.as_ref().map_or(0, |it| it.view_contacts(self.now).len())
    }

    fn replace(&mut self, sip: Arc<SipSettings>) {
        let config = SwitchConfig { sip, ..SwitchConfig::default() };
        self.robots.replace(config.into(), self.now);
        self.settle();
    }
}

#[test]
fn five_hundred_register_with_digest_outlive_the_registrar_and_leave_in_order() {
    let mut link = Link::new(robots(0, "127.0.0.2"));
    let took = link.run_until(ROBOTS, Duration::from_secs(11));
    assert_eq!(link.sent, 2 * ROBOTS, "one challenge each");
    assert_eq!(link.at_registrar(), ROBOTS);
    let views = link.robots.view_registrations(link.now);
    assert_eq!(views.len(), ROBOTS);
    assert!(views.iter().all(|it| it.state == "registered" && it.last_error.is_none()));
    assert_eq!(views[7].context.as_ref().expect("a context"), "announcements");
    println!("{ROBOTS} registered in {took:?} with {} requests", link.sent);
    let peers = link.robots.view_peers(link.now);
    assert_eq!((peers[0].contacts, peers[0].capacity), (ROBOTS, ROBOTS));

    // It dies, and its bindings end before it is back with an empty memory.
    link.registrar = None;
    link.run_until(0, Duration::from_secs(301));
    let view = &link.robots.view_registrations(link.now)[0];
    assert_eq!((view.expires, view.last_error.as_deref()), (None, Some("no answer")));
    link.registrar = Some(registrar(3, link.now));
    link.sent = 0;
    let took = link.run_until(ROBOTS, Duration::from_secs(332));
    assert_eq!(link.at_registrar(), ROBOTS);
    println!("{ROBOTS} back in {took:?} with {} requests", link.sent);

    // A reload that takes ten away leaves the others alone.
    link.sent = 0;
    link.replace(robots(10, "127.0.0.2"));
    assert!((10..=20).contains(&link.sent), "{}", link.sent);
    assert_eq!((link.registered(), link.at_registrar()), (ROBOTS - 10, ROBOTS - 10));
    link.robots.unregister_all(link.now);
    link.settle();
    assert_eq!((link.robots.registration_count(), link.at_registrar()), (0, 0));
}

#[test]
fn a_registrar_is_found_by_name_and_one_that_is_dead_is_passed_over_by_all() {
    let mut link = Link::new(robots(490, "pbx.test"));
    let mut asked = HashSet::new();
    let mut answer = |link: &mut Link| {
        while let Some(question) = link.robots.poll_question() {
            asked.insert(question.clone());
            let srv = |priority: u16, host: &str| Record::Srv {
                priority,
                weight: 0,
                port: 5060,
                host: host.into(),
            };
            let at =
                |ip: [u8; 4]| Record::Address { ip: ip.into(), own: Some([127, 0, 0, 1].into()) };
            let answer = match (question.kind, question.name.as_str()) {
                (RecordKind::Srv, "_sip._udp.pbx.test") => {
                    Answer::Records(vec![srv(10, "a.pbx.test"), srv(20, "b.pbx.test")])
                }
                (RecordKind::A, "a.pbx.test") => Answer::Records(vec![at([127, 0, 0, 9])]),
                (RecordKind::A, "b.pbx.test") => Answer::Records(vec![at([127, 0, 0, 2])]),
                _ => Answer::Absent,
            };
            let hold = Duration::from_secs(60);
            link.robots.handle_answer(&question, answer, hold, link.now);
        }
    };
    assert_eq!(link.robots.view_registrations(link.now)[0].state, "waiting");
    answer(&mut link);
    // Timer F: the first target is silent for 32 s, then everybody goes to the other.
    let took = link.run_until(10, Duration::from_secs(40));
    assert!(took >= Duration::from_secs(32), "{took:?}");
    let views = link.robots.view_registrations(link.now);
    assert!(views.iter().all(|it| it.remote == Some(([127, 0, 0, 2], 5060).into())), "{views:?}");
    assert_eq!(asked.len(), 4, "the name is looked up once for all: {asked:?}");
}

#[test]
fn a_name_that_leads_nowhere_is_looked_up_again_and_the_reason_shown() {
    let mut link = Link::new(robots(499, "pbx.test"));
    let mut rounds = 0;
    for _ in 0..4 {
        let mut asked = 0;
        while let Some(question) = link.robots.poll_question() {
            asked += 1;
            link.robots.handle_answer(&question, Answer::Absent, Duration::from_secs(1), link.now);
        }
        rounds += usize::from(asked > 0);
        let view = &link.robots.view_registrations(link.now)[0];
        assert_eq!((view.state, view.remote), ("waiting", None));
        assert!(view.last_error.as_ref().is_some_and(|it| it.contains("pbx.test")), "{view:?}");
        let due = link.robots.poll_timeout().expect("another attempt");
        assert!(due > link.now.instant + Duration::from_secs(20));
        link.now = link.now + (due - link.now.instant);
        link.robots.handle_timeout(link.now);
    }
    assert!(rounds > 1);
}

const DIALPLAN: &str = "[announcements]\nexten => _6XXX,1,Set(DIVERTED=${REDIRECTING(from-num)})\n\
    same => n,NoOp(${CALLERID(num)} for ${EXTEN} by ${DIVERTED})\n\
    same => n,Answer()\nsame => n,Playback(closed)\n";

fn exchange() -> Exchange {
    let range = "[robots]\nfirst=6000\ncount=10\nregistrar=127.0.1.7\ncontext=announcements\n";
    let sip = settings(&[("pjsip.conf", OWN), ("robots.conf", range)]);
    let config = SwitchConfig { sip, trace_steps: StepTrace::On, ..SwitchConfig::default() };
    let mut exchange = Exchange::new(config, DIALPLAN, &[("closed", 1000)]);
    exchange.run_for(Duration::from_millis(250));
    exchange
}

#[test]
fn a_call_of_the_registrar_for_a_robot_enters_its_context_with_its_number() {
    let mut exchange = exchange();
    let mut pbx = Phone::new("1001", "", 7);
    let uri = "sip:6003@127.0.0.1";
    let sdp = pbx.sdp("sendrecv");
    let mut invite = pbx
        .request(Method::Invite, uri)
        .with(HeaderName::Contact, "<sip:1001@127.0.1.7>")
        .with(HeaderName::Diversion, "<sip:4711@pbx.test>;reason=unconditional");
    invite.set_body("application/sdp", sdp);
    pbx.send(&mut exchange, invite);
    assert_eq!(pbx.last_status(), Some(200), "{:?}", pbx.statuses());
    pbx.ack(&mut exchange);
    exchange.run_for(secs(2));
    let steps = exchange.steps();
    assert!(steps.contains(&"6003,2 NoOp(1001 for 6003 by 4711)".to_owned()), "{steps:?}");
    assert_eq!(exchange.played(exchange.first_call()), ["closed"]);
}

#[test]
fn a_robot_in_a_call_is_shown_with_it() {
    let mut exchange = exchange();
    let mut pbx = Phone::new("1001", "", 7);
    pbx.dial(&mut exchange, "6003");
    assert_eq!(exchange.switch.view_calls(exchange.now)[0].channel, "PJSIP/robots-00000001");
    let robots = exchange.switch.view_registrations(exchange.now);
    assert_eq!(robots.iter().map(|it| it.calls).collect::<Vec<_>>()[..4], [0, 0, 0, 1]);
}

#[test]
fn who_is_not_the_registrar_is_asked_for_a_password_unless_it_brings_the_line_back() {
    let mut exchange = exchange();
    let letters = exchange.letters_to(([127, 0, 1, 7], 5060).into());
    let mut stranger = Phone::new("1001", "", 8);
    for uri in ["sip:6003@127.0.0.1", "sip:6003@127.0.0.1;line=0000000000000000"] {
        let options = stranger.request(Method::Options, uri);
        stranger.send(&mut exchange, options);
        assert_eq!(stranger.last_status(), Some(401), "{uri}");
    }
    // A number that is not registered is nobody's, whoever asks.
    let mut pbx = Phone::new("1001", "", 7);
    let options = pbx.request(Method::Options, "sip:6999@127.0.0.1");
    pbx.send(&mut exchange, options);
    assert_eq!(pbx.last_status(), Some(401));
    // The registrar's other node has the contact from the first.
    let contact = letters.into_iter().find_map(contact).expect("a REGISTER");
    let options = stranger.request(Method::Options, &contact);
    stranger.send(&mut exchange, options);
    assert_eq!(stranger.last_status(), Some(200), "{contact}");
}

/// The contact's URI in a REGISTER.
fn contact(letter: Bytes) -> Option<String> {
    let Ok(Message::Request(request)) = Message::parse(letter, &Default::default()) else {
        return None;
    };
    let contact = request.headers().addresses(HeaderName::Contact).next()?;
    Some(contact.uri().as_str().to_owned())
}

#[test]
fn robots_are_sent_away_politely_by_an_overloaded_registrar() {
    let mut exchange = exchange();
    let pbx = ([127, 0, 1, 7], 5060).into();
    let refuse = |exchange: &mut Exchange| {
        let mut sent = 0;
        for letter in exchange.letters_to(pbx) {
            let Ok(Message::Request(request)) = Message::parse(letter, &Default::default()) else {
                continue;
            };
            sent += 1;
            let response = Response::to(&request, StatusCode::SERVICE_UNAVAILABLE)
                .with(HeaderName::RetryAfter, 40_u32);
            let flow = Flow::udp(([127, 0, 0, 1], 5060).into(), pbx);
            exchange.receive(flow, response.to_bytes());
        }
        sent
    };
    let mut refused_for = |seconds: u64| {
        (0..seconds * 10).fold(refuse(&mut exchange), |sent, _| {
            exchange.run_for(Duration::from_millis(100));
            sent + refuse(&mut exchange)
        })
    };
    assert_eq!(refused_for(39), 10, "before Retry-After nobody asks again");
    assert_eq!(refused_for(25), 10);
    assert!(refused_for(60) <= 10, "the waits grow");
}
