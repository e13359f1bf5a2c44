//! What a dialplan reads of the INVITE that came, adds to the one that goes out, and gives to others.

use super::*;

const PLAN: &str = "
[office]
exten => 200,1,NoOp(read ${PJSIP_HEADER(read,X-Account)} ${PJSIP_HEADER(read,x-account,2)} ${SIP_HEADER(X-Colour)})
same => n,NoOp(names ${PJSIP_HEADERS(X-)})
same => n,NoOp(tag ${LEN(${PJSIP_HEADER_PARAM(From,header,tag)})})
same => n,Set(PJSIP_HEADER(add,X-Account)=${PJSIP_HEADER(read,X-Account)})
same => n,SIPAddHeader(X-Old: yes)
same => n,SIPAddHeader(X-Gone: yes)
same => n,SIPRemoveHeader(X-Gone:)
same => n,Set(PJSIP_HEADER(add,Via)=SIP/2.0/UDP evil)
same => n,Set(ROOM=caller)
same => n,Dial(PJSIP/bob,20,gU(answered))
same => n,NoOp(noted ${NOTED} name ${CALLERID(name)} x ${X}.)
same => n,Hangup()

[answered]
exten => s,1,NoOp(master ${MASTER_CHANNEL(ROOM)} import ${IMPORT(PJSIP/alice-00000001,ROOM)} nobody ${IMPORT(PJSIP/x-1,ROOM)}.)
same => n,Set(MASTER_CHANNEL(NOTED)=by callee)
same => n,Set(EXPORT(PJSIP/alice-00000001,CALLERID(name))=Renamed)
same => n,Set(EXPORT(PJSIP/alice-00000001,EXPORT(PJSIP/bob-00000002,X))=loop)
same => n,Set(EXPORT(PJSIP/nobody-00000009,X)=1)
same => n,NoOp(again ${MASTER_CHANNEL(NOTED)})
same => n,Return()
";

#[test]
fn headers_are_read_added_and_variables_cross_over_to_other_channels() {
    let mut exchange = Exchange::lenient(config(), PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    let mut alice = alice();
    for (name, value) in [("X-Account", "7"), ("X-Colour", "blue"), ("X-Account", "8")] {
        alice.extra.push_named(name, value).unwrap();
    }
    alice.dial(&mut exchange, "200");
    let has = |exchange: &Exchange, step: &str| exchange.steps().iter().any(|it| it.contains(step));
    assert!(has(&exchange, "NoOp(read 7 8 blue)"), "{:?}", exchange.steps());
    assert!(has(&exchange, "NoOp(names X-Account,X-Colour)"), "{:?}", exchange.steps());
    assert!(!has(&exchange, "NoOp(tag 0 "));
    let invite = bob.take_invite(&mut exchange);
    let sent = |name: &str| {
        let fields = invite.headers().fields();
        let named = fields.filter(|field| field.name_text.eq_ignore_ascii_case(name));
        named.map(|field| field.value.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(sent("X-Account"), [b"7"]);
    assert_eq!(sent("X-Old"), [b"yes"]);
    assert!(sent("X-Gone").is_empty());
    assert_eq!(sent("Via").len(), 1, "the engine alone writes Via");
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    assert!(has(&exchange, "NoOp(master caller import caller nobody .)"), "{:?}", exchange.steps());
    assert!(has(&exchange, "NoOp(again by callee)"));
    bob.hang_up_callee(&mut exchange, &invite);
    alice.pump(&mut exchange);
    assert!(has(&exchange, "NoOp(noted by callee name Renamed x .)"), "{:?}", exchange.steps());
    exchange.assert_nothing_left();
}
