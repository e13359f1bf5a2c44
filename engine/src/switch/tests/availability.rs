//! ChanIsAvail: who could be called now.

use super::*;

const PLAN: &str = "
[office]
exten => 100,1,Wait(60)
exten => 200,1,ChanIsAvail(PJSIP/bob&PJSIP/carol)
same => n,NoOp(first ${AVAILCHAN} ${AVAILSTATUS})
same => n,ChanIsAvail(PJSIP/bob&PJSIP/carol,a)
same => n,NoOp(all ${AVAILCHAN} ${AVAILSTATUS})
same => n,ChanIsAvail(PJSIP/bob&PJSIP/carol,s)
same => n,NoOp(free ${AVAILORIGCHAN} ${AVAILSTATUS})
same => n,ChanIsAvail(PJSIP/bob,t)
same => n,NoOp(none ${AVAILCHAN}. ${AVAILSTATUS})
";

#[test]
fn options_look_at_all_and_mind_who_is_in_use() {
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    let mut carol = Phone::new("carol", "carol-password", 3);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    assert_eq!(carol.register(&mut exchange, "carol"), 200);
    bob.dial(&mut exchange, "100");
    let mut alice = alice();
    alice.dial(&mut exchange, "200");
    for said in
        ["first PJSIP/bob 0", "all PJSIP/bob&PJSIP/carol 0", "free PJSIP/carol 1", "none . 2"]
    {
        let steps = exchange.steps();
        assert!(steps.iter().any(|step| step.contains(&format!("NoOp({said})"))), "{steps:?}");
    }
    bob.cancel(&mut exchange);
    bob.ack(&mut exchange);
    alice.ack(&mut exchange);
    exchange.run_for(secs(70));
}
