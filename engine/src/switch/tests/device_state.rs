//! States of devices and extensions follow calls, bindings, rooms and the dialplan.

use super::*;
use crate::presence::{DeviceState, ExtensionState};

const PLAN: &str = "
[office]
exten => 200,1,Dial(PJSIP/bob,20)
exten => 210,1,NoOp(${DEVICE_STATE(PJSIP/alice)} ${DEVICE_STATE(SIP/bob)} ${DEVICE_STATE(PJSIP/nobody)})
same => n,NoOp(${EXTENSION_STATE(bob@lamps)} ${HINT(7bob@lamps)} ${EXTENSION_STATE(7bob@lamps)} ${HINT(carol@auto)})
same => n,Set(DEVICE_STATE(Custom:night)=INUSE)
same => n,NoOp(${EXTENSION_STATE(night@lamps)})
exten => 220,1,Answer()
same => n,ConfBridge(600)
[lamps]
exten => bob,hint,PJSIP/bob
exten => all,hint,SIP/alice&PJSIP/bob&PJSIP/bob
exten => night,hint,Custom:night
exten => room,hint,confbridge:600
exten => local,hint,Local/200@office&Local/1@nowhere
exten => _7.,hint,PJSIP/${EXTEN:1}
[auto]
autohints=yes
";

/// What the lamp of an extension showed, in order.
fn lamp(exchange: &Exchange, lamp: &str) -> Vec<&'static str> {
    let states = exchange.events.iter().filter_map(|event| match event {
        SwitchEvent::ExtensionStateChanged { context, extension, state }
            if context == "lamps" && extension == lamp =>
        {
            Some(state.name())
        }
        _ => None,
    });
    states.collect()
}

fn exchange() -> (Exchange, Phone) {
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(lamp(&exchange, "bob"), [""; 0]);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    (exchange, bob)
}

#[test]
fn a_lamp_follows_a_call() {
    let (mut exchange, mut bob) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "200");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 180);
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    exchange.run_for(secs(5));
    alice.bye(&mut exchange);
    bob.pump(&mut exchange);
    assert_eq!(lamp(&exchange, "bob"), ["NOT_INUSE", "RINGING", "INUSE", "NOT_INUSE"]);
    assert_eq!(
        lamp(&exchange, "all"),
        ["NOT_INUSE", "INUSE", "RINGINUSE", "INUSE", "NOT_INUSE"],
        "Alice calls before Bob's phone rings"
    );
    exchange.assert_nothing_left();
    exchange.run_for(secs(7200));
    assert_eq!(lamp(&exchange, "bob").last(), Some(&"UNAVAILABLE"), "not registered any more");
    assert_eq!(lamp(&exchange, "bob").len(), 5);
}

#[test]
fn a_peer_with_all_the_calls_it_takes_is_busy() {
    let mut settings = sip();
    let busy = Peer { device_state_busy_at: 1, ..peer("dora", "office") };
    settings.peers.insert(busy).expect("a new name");
    settings.aors.insert(aor("dora")).expect("a new name");
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::new(config, PLAN, &[]);
    let mut dora = Phone::new("dora", "dora-password", 4);
    dora.dial(&mut exchange, "220");
    let busy =
        SwitchEvent::DeviceStateChanged { device: "PJSIP/dora".into(), state: DeviceState::Busy };
    assert!(exchange.events.contains(&busy), "{:?}", exchange.events);
    let state = exchange.switch.extension_state("auto".into(), "dora".into(), exchange.now);
    assert_eq!(state, Some(ExtensionState::Busy));
    dora.pump(&mut exchange);
    dora.ack(&mut exchange);
    exchange.run_for(secs(5));
    assert_eq!(lamp(&exchange, "room"), ["INUSE"]);
    dora.bye(&mut exchange);
    assert_eq!(lamp(&exchange, "room"), ["INUSE", "NOT_INUSE"]);
    exchange.assert_nothing_left();
}

#[test]
fn the_dialplan_is_told_the_truth_and_sets_custom_states() {
    let (mut exchange, _bob) = exchange();
    let mut alice = alice();
    alice.dial(&mut exchange, "210");
    let said: Vec<_> = exchange.steps().into_iter().filter(|step| step.contains("NoOp")).collect();
    assert_eq!(
        said,
        [
            "210,1 NoOp(INUSE NOT_INUSE INVALID)",
            "210,2 NoOp(NOT_INUSE PJSIP/bob NOT_INUSE PJSIP/carol)",
            "210,4 NoOp(INUSE)",
        ]
    );
    assert_eq!(lamp(&exchange, "night"), ["INUSE"]);
}

#[test]
fn an_extension_of_a_pattern_is_watched_once_it_was_asked_for() {
    let (mut exchange, mut bob) = exchange();
    let now = exchange.now;
    let mut ask = |context: &str, extension: &str| {
        exchange.switch.extension_state(context.into(), extension.into(), now)
    };
    assert_eq!(ask("lamps", "7bob"), Some(ExtensionState::Idle));
    assert_eq!(ask("lamps", "7nobody"), Some(ExtensionState::Unavailable));
    assert_eq!(ask("auto", "carol"), Some(ExtensionState::Unavailable));
    assert_eq!(ask("auto", "nobody"), None);
    assert_eq!(ask("nowhere", "bob"), None);
    assert_eq!(ask("office", "200"), None, "an extension without a hint");
    assert_eq!(ask("lamps", "local"), Some(ExtensionState::Idle));
    alice().dial(&mut exchange, "200");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 180);
    assert_eq!(lamp(&exchange, "7bob"), ["RINGING"]);
    bob.answer_call(&mut exchange, &invite, 486);
    assert_eq!(lamp(&exchange, "7bob"), ["RINGING", "NOT_INUSE"]);
}

#[test]
fn another_plan_tells_what_it_changes_and_nothing_else() {
    let (mut exchange, _bob) = exchange();
    let now = exchange.now;
    exchange.switch.extension_state("lamps".into(), "7bob".into(), now);
    exchange.events.clear();
    let text = PLAN.replace("=> all,hint,SIP/alice&PJSIP/bob&PJSIP/bob", "=> all,hint,PJSIP/alice");
    let text = text.replace("exten => night,hint,Custom:night\n", "");
    let plan = Arc::new(super::super::plan::testing::plan(&text));
    exchange.switch.replace_plan(plan, now);
    exchange.tick();
    assert_eq!(lamp(&exchange, "all"), ["UNAVAILABLE"]);
    assert_eq!(lamp(&exchange, "night"), ["UNAVAILABLE"], "its hint is gone");
    assert_eq!(lamp(&exchange, "bob"), [""; 0]);
    assert_eq!(lamp(&exchange, "7bob"), [""; 0]);
    assert_eq!(exchange.switch.extension_state("lamps".into(), "night".into(), now), None);
}

#[test]
fn a_change_tells_the_hints_that_name_its_device_and_no_other() {
    let mut text = String::from(PLAN);
    text.push_str("[many]\n");
    for nth in 0..5000 {
        text.push_str(&format!("exten => {nth},hint,Custom:lamp{nth}\n"));
    }
    let mut exchange = Exchange::new(config(), &text, &[]);
    for nth in 0..5000 {
        let state = exchange.switch.extension_state(
            "many".into(),
            bstr::BStr::new(nth.to_string().as_bytes()),
            exchange.now,
        );
        assert_eq!(state, Some(ExtensionState::Idle));
    }
    exchange.events.clear();
    alice().dial(&mut exchange, "220");
    let told = |event: &&SwitchEvent| matches!(event, SwitchEvent::ExtensionStateChanged { .. });
    assert_eq!(exchange.events.iter().filter(told).count(), 2, "Alice's two");
}

#[test]
fn a_phone_whose_registration_outlived_a_restart_can_be_reached() {
    let (mut exchange, _bob) = exchange();
    let mut records = Vec::new();
    while let Some(record) = exchange.switch.poll_record() {
        records.push(record);
    }
    let mut exchange = Exchange::new(config(), PLAN, &[]);
    assert_eq!(exchange.switch.restore(records, exchange.now), 1);
    exchange.tick();
    assert_eq!(lamp(&exchange, "bob"), ["NOT_INUSE"]);
}
