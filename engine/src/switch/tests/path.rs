//! Phones behind proxies that register by Path (RFC 3327).

use std::net::SocketAddr;

use super::*;
use crate::{
    config::Qualify,
    sip::{HeaderName, Message, Method, Request},
};

const PROXY: &str = "192.0.2.77:5070";

/// Bob's registrations keep their Path if so; he is asked every 60 s.
fn exchange(support_path: bool) -> Exchange {
    let mut settings = SipSettings::default();
    for name in ["alice", "bob"] {
        settings.peers.insert(peer(name, "office")).expect("a new name");
        let qualify = Qualify { frequency: secs(60), ..Qualify::default() };
        settings.aors.insert(Aor { support_path, qualify, ..aor(name) }).expect("a new name");
    }
    let plan = "[office]\nexten => 102,1,Dial(PJSIP/bob,20)\n";
    Exchange::new(SwitchConfig { sip: Arc::new(settings), ..config() }, plan, &[])
}

/// The requests that were sent to this address.
fn requests_to(exchange: &mut Exchange, to: SocketAddr) -> Vec<Request> {
    let letters = exchange.letters_to(to).into_iter();
    letters
        .filter_map(|letter| match Message::parse(letter, &Default::default()) {
            Ok(Message::Request(request)) => Some(request),
            _ => None,
        })
        .collect()
}

/// REGISTER that came through a proxy which wants to be on the way back.
fn register_through(phone: &mut Phone, exchange: &mut Exchange, path: &str) -> u16 {
    let contact = format!("<sip:bob@{}>;expires=600", phone.address());
    let mut request = phone.request(Method::Register, "sip:127.0.0.1");
    request.set(HeaderName::To, "<sip:bob@127.0.0.1>");
    let request = request
        .with(HeaderName::Contact, contact.as_str())
        .with(HeaderName::Supported, "path")
        .with(HeaderName::Path, path);
    phone.transact(exchange, request)
}

#[test]
fn calls_and_questions_go_by_the_path_that_was_registered() {
    let (mut exchange, mut alice) = (exchange(true), alice());
    let mut bob = Phone::new("bob", "bob-password", 2);
    let path = format!("<sip:edge@{PROXY};lr>");
    assert_eq!(register_through(&mut bob, &mut exchange, &path), 200);
    alice.dial(&mut exchange, "102");
    let proxy: SocketAddr = PROXY.parse().expect("an address");
    let requests = requests_to(&mut exchange, proxy);
    let invite = requests.iter().find(|it| *it.method() == Method::Invite).expect("called");
    assert_eq!(invite.text(HeaderName::Route), Some(path.as_str()));
    assert_eq!(invite.uri().user(), Some("bob"), "the contact stays the target");
    exchange.run_for(secs(61));
    let requests = requests_to(&mut exchange, proxy);
    let options = requests.iter().find(|it| *it.method() == Method::Options).expect("asked");
    assert_eq!(options.text(HeaderName::Route), Some(path.as_str()));
}

#[test]
fn without_support_the_path_is_passed_over_as_in_asterisk() {
    let (mut exchange, mut alice) = (exchange(false), alice());
    let mut bob = Phone::new("bob", "bob-password", 2);
    let path = format!("<sip:{PROXY};lr>");
    assert_eq!(register_through(&mut bob, &mut exchange, &path), 200);
    alice.dial(&mut exchange, "102");
    let invite = bob.take_invite(&mut exchange);
    assert!(invite.value(HeaderName::Route).is_none());
}
