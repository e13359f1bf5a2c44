//! Contacts that are asked whether they are there.

use super::*;
use crate::{config::Qualify, switch::ContactStatus};

/// Alice and Bob, asked every 60 s, with 3 s to answer.
fn exchange() -> Exchange {
    let mut settings = SipSettings::default();
    for name in ["alice", "bob"] {
        settings.peers.insert(peer(name, "office")).expect("a new name");
        let qualify = Qualify { frequency: secs(60), timeout: secs(3), ..Qualify::default() };
        settings.aors.insert(Aor { qualify, ..aor(name) }).expect("a new name");
    }
    let plan = "[office]\nexten => 100,1,Dial(PJSIP/alice,20)\n";
    Exchange::new(SwitchConfig { sip: Arc::new(settings), ..config() }, plan, &[])
}

fn statuses(exchange: &Exchange) -> Vec<ContactStatus> {
    let told = exchange.events.iter().filter_map(|event| match event {
        SwitchEvent::ContactStatus { status, .. } => Some(*status),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_phone_that_answers_is_available_and_one_that_is_silent_is_not_called() {
    let (mut exchange, mut alice) = (exchange(), alice());
    assert_eq!(alice.register(&mut exchange, "alice"), 200);
    // Asked within the first minute.
    for _ in 0..61 {
        alice.answer_others_with(&mut exchange, crate::sip::StatusCode::OK);
        exchange.run_for(secs(1));
    }
    assert!(matches!(statuses(&exchange)[..], [ContactStatus::Available { .. }]));
    // Then it is unplugged.
    exchange.run_for(secs(70));
    assert_eq!(statuses(&exchange).last(), Some(&ContactStatus::Unavailable));
    let view = exchange.switch.view_contacts(exchange.now);
    assert_eq!(view[0].status, ContactStatus::Unavailable);
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.dial(&mut exchange, "100");
    exchange.run_for(secs(1));
    assert!(bob.last_status().is_none_or(|status| status >= 400), "not called");
    // And plugged in again.
    for _ in 0..70 {
        alice.answer_others_with(&mut exchange, crate::sip::StatusCode::NOT_FOUND);
        exchange.run_for(secs(1));
    }
    assert!(matches!(statuses(&exchange).last(), Some(ContactStatus::Available { .. })));
}

#[test]
fn who_is_gone_is_not_asked() {
    let (mut exchange, mut alice) = (exchange(), alice());
    assert_eq!(alice.register(&mut exchange, "alice"), 200);
    alice.unregister(&mut exchange, "alice");
    exchange.run_for(secs(300));
    assert_eq!(statuses(&exchange), []);
    exchange.assert_nothing_left();
}
