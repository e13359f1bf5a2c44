//! Registrations that outlive a restart.

use super::*;
use crate::{clock::Now, switch::Record};

fn exchange() -> Exchange {
    Exchange::new(config(), "[office]\nexten => 100,1,Dial(PJSIP/alice,20)\n", &[])
}

fn records(exchange: &mut Exchange) -> Vec<Record> {
    std::iter::from_fn(|| exchange.switch.poll_record()).collect()
}

#[test]
fn a_registered_phone_is_called_after_a_restart() {
    let (mut before, mut alice) = (exchange(), alice());
    assert_eq!(alice.register(&mut before, "alice"), 200);
    let kept = records(&mut before);
    assert_eq!((kept.len(), records(&mut before).len()), (1, 0));

    let mut after = exchange();
    // Another machine time, the same wall clock, 100 s on.
    after.now = Now::new(after.now.instant + secs(7), before.now.wall + secs(100));
    assert_eq!(after.switch.restore(kept, after.now), 1);
    let contacts = after.switch.view_contacts(after.now);
    assert_eq!((contacts.len(), contacts[0].expires), (1, Some(secs(500))));
    assert_eq!(records(&mut after), [], "the store has it");
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.dial(&mut after, "100");
    let invite = alice.take_invite(&mut after);
    assert_eq!(invite.uri().user(), Some("alice"));
}

#[test]
fn what_expired_meanwhile_or_left_the_configuration_is_not_bound_again() {
    let (mut before, mut alice) = (exchange(), alice());
    assert_eq!(alice.register(&mut before, "alice"), 200);
    let kept = records(&mut before);
    let Record::Bindings { bindings, .. } = &kept[0] else { panic!("{kept:?}") };
    let stranger = Record::Bindings { aor: "gone".into(), bindings: bindings.clone() };

    let mut after = exchange();
    assert_eq!(after.switch.restore([stranger], after.now), 0);
    after.now = after.now + secs(601);
    assert_eq!(after.switch.restore(kept, after.now), 0);
    let forgotten = records(&mut after);
    assert_eq!(forgotten.len(), 2);
    let is_empty =
        |it: &Record| matches!(it, Record::Bindings { bindings, .. } if bindings.is_empty());
    assert!(forgotten.iter().all(is_empty));
    after.assert_nothing_left();
}

#[test]
fn a_registration_that_ends_is_forgotten_in_the_store() {
    let (mut exchange, mut alice) = (exchange(), alice());
    assert_eq!(alice.register(&mut exchange, "alice"), 200);
    assert_eq!(records(&mut exchange).len(), 1);
    exchange.run_for(secs(601));
    assert_eq!(
        records(&mut exchange),
        [Record::Bindings { aor: "alice".into(), bindings: vec![] }]
    );
}
