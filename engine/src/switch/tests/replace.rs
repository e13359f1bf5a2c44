//! Other settings while phones are registered and calls are up.

use super::*;
use bstr::ByteSlice;

use crate::{config::Qualify, switch::Replacement};

const PLAN: &str = "
[office]
exten => 200,1,Dial(PJSIP/bob,20)
exten => 300,1,Answer()
same => n,Wait(30)
same => n,NoOp(before)
[lamps]
exten => bob,hint,PJSIP/bob
exten => carol,hint,PJSIP/carol
";

const OTHER: &str = "
[office]
exten => 200,1,Dial(PJSIP/bob,20)
exten => 300,1,Answer()
same => n,Wait(30)
same => n,NoOp(after)
[night]
exten => 200,1,Answer()
[lamps]
exten => bob,hint,PJSIP/bob
exten => carol,hint,PJSIP/carol
";

/// Without Carol; Bob has another password, Dora is new.
fn other() -> Replacement {
    let mut settings = SipSettings::default();
    let mut bob = peer("bob", "office");
    bob.auth[0].secret = AuthSecret::Password(Secret::new("new"));
    settings.bans.account_attempts = 3;
    for peer in [peer("alice", "office"), bob, peer("dora", "night")] {
        settings.aors.insert(aor(peer.name.to_str_lossy().as_ref())).expect("a new name");
        settings.peers.insert(peer).expect("a new name");
    }
    let plan = Arc::new(super::super::plan::testing::plan(OTHER));
    SwitchConfig { sip: Arc::new(settings), plan, ..SwitchConfig::default() }.into()
}

#[test]
fn calls_and_registrations_outlive_other_settings() {
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let mut carol = Phone::new("carol", "carol-password", 3);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    assert_eq!(carol.register(&mut exchange, "carol"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, "300");
    assert_eq!(alice.last_status(), Some(200));
    alice.ack(&mut exchange);

    exchange.events.clear();
    let unbound = exchange.switch.replace(other(), exchange.now);
    exchange.run_for(secs(1));
    assert_eq!(unbound, 1, "Carol's contact");
    let lamps: Vec<_> = exchange
        .events
        .iter()
        .filter_map(|event| match event {
            SwitchEvent::ExtensionStateChanged { extension, state, .. } => {
                Some((extension.to_string(), state.name()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(lamps, [("carol".to_owned(), "UNAVAILABLE")]);

    // The call looks its next step up in the new dialplan.
    exchange.run_for(secs(31));
    assert!(exchange.steps().iter().any(|step| step.ends_with("NoOp(after)")));
    // Bob is reached without registering anew, and by the new password alone from now on.
    let mut other = Phone::new("dora", "dora-password", 4);
    other.dial(&mut exchange, "200");
    assert_eq!(other.last_status(), Some(200), "in a context of the new dialplan");
    other.ack(&mut exchange);
    let mut alice = super::alice();
    alice.dial(&mut exchange, "200");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 486);
    assert_eq!(bob.register(&mut exchange, "bob"), 401);
    assert_eq!(Phone::new("bob", "new", 5).register(&mut exchange, "bob"), 200);
    assert_eq!(carol.register(&mut exchange, "carol"), 401, "nobody knows Carol");
    other.bye(&mut exchange);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn contacts_are_asked_as_the_new_settings_say() {
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    exchange.run_for(secs(60));
    assert!(exchange.letters_to(bob.address()).is_empty(), "nobody asked after Bob");
    let mut settings = sip();
    settings.aors = settings
        .aors
        .iter()
        .map(|it| Aor {
            qualify: Qualify { frequency: secs(10), ..Qualify::default() },
            ..it.clone()
        })
        .collect();
    let replacement = Replacement { sip: Arc::new(settings), ..other() };
    exchange.switch.replace(replacement, exchange.now);
    exchange.run_for(secs(11));
    let asked = exchange.letters_to(bob.address());
    assert!(asked.iter().any(|letter| letter.starts_with(b"OPTIONS")));
    exchange.switch.replace(other(), exchange.now);
    exchange.run_for(secs(60));
    exchange.letters_to(bob.address());
    exchange.run_for(secs(60));
    assert!(exchange.letters_to(bob.address()).is_empty(), "nor now");
    exchange.assert_nothing_left();
}
