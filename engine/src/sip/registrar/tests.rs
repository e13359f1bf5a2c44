use super::*;
use crate::sip::{HeaderName, Limits, Message};

#[allow(clippy::disallowed_methods, reason = "the one clock of these tests")]
fn clock() -> Instant {
    Instant::now()
}

struct Setup {
    registrar: Registrar,
    settings: AorSettings,
    flow: Flow,
    now: Instant,
    cseq: u32,
    call_id: &'static str,
}

impl Setup {
    fn new(max_contacts: usize) -> Self {
        let local = "198.51.100.1:5060".parse().unwrap();
        let settings = RegistrarSettings { local: vec![local], ..RegistrarSettings::default() };
        Self {
            registrar: Registrar::new(settings),
            settings: AorSettings { max_contacts, ..AorSettings::default() },
            flow: Flow::udp(local, "192.0.2.1:5060".parse().unwrap()),
            now: clock(),
            cseq: 0,
            call_id: "phone",
        }
    }

    /// Registers with these further header lines; returns the status and the contacts listed.
    fn register(&mut self, lines: &str) -> (u16, Vec<String>) {
        self.cseq += 1;
        let response = self.send(lines);
        let contacts = response.values(HeaderName::Contact);
        let contacts = contacts.map(|it| String::from_utf8(it.to_vec()).unwrap()).collect();
        (response.status().code(), contacts)
    }

    fn send(&mut self, lines: &str) -> Response {
        let (call_id, cseq) = (self.call_id, self.cseq);
        let text = format!(
            "REGISTER sip:pbx SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{cseq}\n\
             From: <sip:100@pbx>;tag=1\nTo: <sip:100@pbx>\nCall-ID: {call_id}\n\
             CSeq: {cseq} REGISTER\n{lines}\n\n"
        );
        let message = Message::parse(text.into(), &Limits::default());
        let Ok(Message::Request(request)) = message else { panic!("{message:?}") };
        self.registrar.handle_register("100".into(), &self.settings, &request, self.flow, self.now)
    }

    fn bound(&self) -> Vec<String> {
        let bindings = self.registrar.bindings("100".into(), self.now);
        bindings.iter().map(|binding| binding.contact().to_string()).collect()
    }

    fn changes(&mut self) -> Vec<BindingChange> {
        std::iter::from_fn(|| self.registrar.poll_event()).map(|event| event.change).collect()
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.registrar.handle_timeout(self.now);
    }
}

#[test]
fn contact_is_bound_until_it_expires() {
    let mut setup = Setup::new(1);
    let (status, contacts) = setup.register("Contact: <sip:100@192.0.2.1>;expires=100");
    assert_eq!((status, &contacts[..]), (200, &["<sip:100@192.0.2.1>;expires=100".into()][..]));
    assert_eq!(setup.registrar.poll_timeout(), Some(setup.now + Duration::from_secs(100)));
    setup.pass(99);
    assert_eq!(setup.bound().len(), 1);
    setup.pass(1);
    assert_eq!(setup.bound(), Vec::<String>::new());
    assert_eq!(setup.changes(), [BindingChange::Added, BindingChange::Expired]);
    assert_eq!(setup.registrar.poll_timeout(), None);
}

#[test]
fn refresh_moves_the_deadline_and_query_changes_nothing() {
    let mut setup = Setup::new(1);
    setup.register("Contact: <sip:100@192.0.2.1>\nExpires: 100");
    setup.pass(50);
    setup.register("Contact: <sip:100@192.0.2.1>;newparam=1\nExpires: 100");
    setup.pass(60);
    let (status, contacts) = setup.register("Supported: x");
    assert_eq!((status, contacts.len()), (200, 1));
    assert!(contacts[0].ends_with(";expires=40"), "{contacts:?}");
    assert_eq!(setup.changes(), [BindingChange::Added, BindingChange::Refreshed]);
}

#[test]
fn expiration_is_the_contacts_then_the_headers_then_the_default_within_bounds() {
    for (lines, expected) in [
        ("Contact: <sip:a@h>;expires=100\nExpires: 200", "100"),
        ("Contact: <sip:a@h>\nExpires: 200", "200"),
        ("Contact: <sip:a@h>", "3600"),
        ("Contact: <sip:a@h>\nExpires: soon", "3600"),
        ("Contact: <sip:a@h>;expires=99999", "7200"),
        ("Contact: <sip:a@h>;expires=99999999999999999999", "7200"),
    ] {
        let (status, contacts) = Setup::new(1).register(lines);
        assert_eq!(status, 200);
        assert_eq!(contacts[0], format!("<sip:a@h>;expires={expected}"), "{lines}");
    }
}

#[test]
fn wish_below_the_minimum_is_refused_with_the_minimum_or_raised() {
    let mut setup = Setup::new(1);
    setup.cseq = 1;
    let response = setup.send("Contact: <sip:a@h>;expires=59");
    assert_eq!(response.status(), StatusCode::INTERVAL_TOO_BRIEF);
    assert_eq!(response.number(HeaderName::MinExpires), Some(60));
    assert!(setup.bound().is_empty());
    setup.settings.when_too_brief = WhenTooBrief::Raise;
    let (_, contacts) = setup.register("Contact: <sip:a@h>;expires=59");
    assert_eq!(contacts, ["<sip:a@h>;expires=60"]);
}

#[test]
fn star_with_expires_0_removes_everything() {
    let mut setup = Setup::new(3);
    setup.register("Contact: <sip:a@h>, <sip:b@h>");
    assert_eq!(setup.register("Contact: *").0, 400);
    assert_eq!(setup.register("Contact: *\nExpires: 60").0, 400);
    assert_eq!(setup.bound().len(), 2);
    assert_eq!(setup.register("Contact: *\nExpires: 0"), (200, vec![]));
    assert!(setup.bound().is_empty());
    assert_eq!(setup.registrar.poll_timeout(), None);
}

#[test]
fn all_contacts_of_a_request_take_effect_or_none() {
    let mut setup = Setup::new(3);
    setup.register("Contact: <sip:a@h>");
    let (status, _) =
        setup.register("Contact: <sip:b@h>, <sip:a@h>;expires=0, <sip:c@h>;expires=5");
    assert_eq!(status, 423);
    assert_eq!(setup.bound(), ["sip:a@h"]);
    let (status, _) = setup.register("Contact: <sip:b@h>, <sip:a@h>;expires=0");
    assert_eq!(status, 200);
    assert_eq!(setup.bound(), ["sip:b@h"]);
}

#[test]
fn no_room_refuses_or_replaces_the_oldest() {
    let mut setup = Setup::new(2);
    setup.register("Contact: <sip:a@h>;expires=500");
    setup.register("Contact: <sip:b@h>;expires=100");
    assert_eq!(setup.register("Contact: <sip:c@h>").0, 403);
    assert_eq!(setup.register("Contact: <sip:b@h>;expires=200").0, 200);
    setup.settings.when_full = WhenFull::ReplaceOldest;
    assert_eq!(setup.register("Contact: <sip:c@h>;expires=300").0, 200);
    let mut bound = setup.bound();
    bound.sort();
    assert_eq!(bound, ["sip:a@h", "sip:c@h"]);
    assert_eq!(setup.register("Contact: <sip:d@h>, <sip:e@h>, <sip:f@h>").0, 403);
    setup.settings.max_contacts = 0;
    assert_eq!(setup.register("Contact: <sip:g@h>").0, 403);
}

#[test]
fn older_request_of_the_same_call_changes_nothing() {
    let mut setup = Setup::new(1);
    setup.cseq = 10;
    setup.register("Contact: <sip:a@h>");
    for cseq in [5, 11] {
        setup.cseq = cseq;
        assert_eq!(setup.send("Contact: <sip:a@h>;expires=0").status().code(), 500);
        assert_eq!(setup.send("Contact: *\nExpires: 0").status().code(), 500);
    }
    setup.call_id = "rebooted";
    setup.cseq = 1;
    assert_eq!(setup.send("Contact: <sip:a@h>;expires=0").status().code(), 200);
    assert!(setup.bound().is_empty());
}

#[test]
fn contact_that_is_this_server_or_no_sip_uri_is_refused() {
    for (contact, expected) in [
        ("<sip:100@198.51.100.1>", 403),
        ("<sip:100@198.51.100.1:5060;transport=tcp>", 403),
        ("<sip:100@203.0.113.1;maddr=198.51.100.1>", 403),
        ("<sip:100@198.51.100.1:5062>", 200),
        ("<tel:+123>", 400),
        ("<mailto:a@h>", 400),
    ] {
        let (status, _) = Setup::new(1).register(&format!("Contact: {contact}"));
        assert_eq!(status, expected, "{contact}");
    }
}

#[test]
fn instance_with_a_flow_number_is_one_binding_wherever_it_is() {
    let mut setup = Setup::new(1);
    let params = ";+sip.instance=\"<urn:uuid:f81d4fae>\";reg-id=1";
    setup.register(&format!("Contact: <sip:a@192.0.2.1>{params}"));
    let (status, contacts) = setup.register(&format!("Contact: <sip:a@192.0.2.9:6000>{params}"));
    assert_eq!(status, 200);
    assert_eq!(contacts, [format!("<sip:a@192.0.2.9:6000>;expires=3600{params}")]);
}

#[test]
fn same_private_address_behind_two_translators_is_two_bindings() {
    let mut setup = Setup::new(2);
    setup.settings.matching = ContactMatching::UriAndSource;
    setup.register("Contact: <sip:a@10.0.0.1>");
    setup.flow.peer = "203.0.113.7:1024".parse().unwrap();
    setup.register("Contact: <sip:a@10.0.0.1>");
    assert_eq!(setup.bound().len(), 2);
    setup.flow.peer = "203.0.113.7:2048".parse().unwrap();
    setup.register("Contact: <sip:a@10.0.0.1>");
    assert_eq!(setup.bound().len(), 2);
}

#[test]
fn bindings_are_listed_by_preference_then_newest() {
    let mut setup = Setup::new(3);
    setup.register("Contact: <sip:low@h>;q=0.2");
    setup.pass(1);
    setup.register("Contact: <sip:old@h>");
    setup.pass(1);
    let (_, contacts) = setup.register("Contact: <sip:new@h>;q=1.0");
    assert_eq!(setup.bound(), ["sip:new@h", "sip:old@h", "sip:low@h"]);
    assert!(contacts[0].ends_with(";q=0.200"), "{contacts:?}");
}

#[test]
fn path_is_kept_and_shown_to_who_understands_it() {
    let mut setup = Setup::new(1);
    let lines = "Path: <sip:p1;lr>, <sip:p2;lr>\nUser-Agent: Phone\nContact: <sip:a@h>";
    setup.cseq = 1;
    assert!(setup.send(lines).value(HeaderName::Path).is_none());
    setup.cseq = 2;
    let response = setup.send(&format!("Supported: path\n{lines}"));
    assert_eq!(response.value(HeaderName::Path), Some(&b"<sip:p1;lr>, <sip:p2;lr>"[..]));
    let bindings = setup.registrar.bindings("100".into(), setup.now);
    let path: Vec<_> = bindings[0].path().iter().map(|uri| uri.as_str()).collect();
    assert_eq!(path, ["sip:p1;lr", "sip:p2;lr"]);
    assert_eq!(bindings[0].user_agent(), "Phone");
}

#[test]
fn path_that_is_not_supported_is_passed_over_and_refused_where_it_is_required() {
    let mut setup = Setup::new(1);
    setup.settings.paths = Paths::Ignored;
    let lines = "Supported: path\nPath: <sip:192.0.2.7;lr>\nContact: <sip:a@h>";
    setup.cseq = 1;
    let response = setup.send(lines);
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.value(HeaderName::Path).is_none());
    assert!(setup.registrar.bindings("100".into(), setup.now)[0].path().is_empty());
    setup.cseq = 2;
    let response = setup.send(&format!("Require: path\n{lines}"));
    assert_eq!(response.status(), StatusCode::BAD_EXTENSION);
    assert_eq!(response.text(HeaderName::Unsupported), Some("path"));
}

#[test]
fn path_through_ourselves_or_elsewhere_than_by_sip_is_refused() {
    let mut setup = Setup::new(1);
    let with = |path: &str| format!("Path: {path}\nContact: <sip:a@h>");
    assert_eq!(setup.register(&with("<sip:198.51.100.1:5060;lr>")).0, 403);
    assert_eq!(setup.register(&with("<tel:911>")).0, 400);
    assert_eq!(setup.register(&with(&["<sip:192.0.2.7;lr>"; 9].join(", "))).0, 400);
    assert_eq!(setup.register(&with("<sip:192.0.2.7;lr>")).0, 200);
}

#[test]
fn deserted_contacts_make_room_and_others_only_if_they_may() {
    for when_full in [WhenFull::Refuse, WhenFull::ReplaceOldest] {
        let mut setup = Setup::new(2);
        setup.settings.when_full = when_full;
        setup.register("Contact: <sip:a@h>");
        setup.pass(1);
        setup.register("Contact: <sip:b@h>");
        setup.pass(1);
        setup.settings.deserted = vec!["sip:b@h".to_owned()];
        assert_eq!(setup.register("Contact: <sip:c@h>").0, 200, "{when_full:?}");
        assert_eq!(setup.bound(), ["sip:c@h", "sip:a@h"], "{when_full:?}");
        let (status, _) = setup.register("Contact: <sip:d@h>");
        assert_eq!(status, if when_full == WhenFull::Refuse { 403 } else { 200 });
    }
}

#[test]
fn number_of_addresses_of_record_is_bounded() {
    let mut setup = Setup::new(1);
    setup.registrar.settings.max_aors = 0;
    assert_eq!(setup.register("Contact: <sip:a@h>").0, 503);
}
