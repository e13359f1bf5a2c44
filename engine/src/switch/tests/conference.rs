//! Keys within a conference room.

use super::*;
use crate::config::{Configuration, DEFAULT_BRIDGE, UserProfile};

const PLAN: &str = "
[office]
exten => 600,1,Answer()
same => n,ConfBridge(1,,,keys)
same => n,NoOp(${CONFBRIDGE_RESULT} ${CONFBRIDGE_INFO(locked,1)})
same => n,Wait(60)
exten => 601,1,Answer()
same => n,ConfBridge(1,,host,keys)
same => n,NoOp(${CONFBRIDGE_RESULT})
exten => 602,1,Answer()
same => n,ConfBridge(1,,,none)
same => n,NoOp(${CONFBRIDGE_RESULT})
exten => h,1,NoOp(${CONFBRIDGE_RESULT} ${CONFBRIDGE_INFO(locked,1)})
";

const ROOMS: &str = "
[host]
type=user
admin=yes
[keys]
type=menu
*=playback_and_continue(menu)
*1=toggle_mute
*2=admin_toggle_conference_lock
*3=admin_kick_last
*4=admin_toggle_mute_participants
*8=leave_conference
1=toggle_mute
5=no_op,participant_count,playback(bye)
";

const PROMPTS: [(&str, u64); 14] = [
    ("menu", 3000),
    ("bye", 500),
    ("conf-onlyperson", 500),
    ("conf-onlyone", 500),
    ("conf-muted", 500),
    ("conf-unmuted", 500),
    ("conf-lockednow", 500),
    ("conf-unlockednow", 500),
    ("conf-kicked", 500),
    ("conf-locked", 500),
    ("conf-errormenu", 500),
    ("conf-now-muted", 500),
    ("conf-now-unmuted", 500),
    ("confbridge-join", 500),
];

/// Alice and others in the room, who dialled these.
fn room(numbers: &[&str]) -> (Exchange, Vec<Phone>) {
    let files = diesis_dialplan::conf::MemoryFiles::new().with("confbridge.conf", ROOMS);
    let rooms = Configuration::load(&files).configuration.conferences;
    assert!(rooms.bridges.get(DEFAULT_BRIDGE.into()).is_some());
    assert!(rooms.users.get("host".into()).is_some_and(|host: &UserProfile| host.admin));
    let config = SwitchConfig { conferences: Arc::new(rooms), ..config() };
    let mut exchange = Exchange::lenient(config, PLAN, &PROMPTS);
    let mut phones = vec![];
    for ((name, host), number) in ["alice", "bob", "carol"].iter().zip(1..).zip(numbers) {
        let mut phone = Phone::new(name, &format!("{name}-password"), host);
        phone.dial(&mut exchange, number);
        phone.ack(&mut exchange);
        exchange.run_for(secs(2));
        phones.push(phone);
    }
    (exchange, phones)
}

fn said(exchange: &Exchange, call: u64) -> Vec<String> {
    exchange.played(ChannelId::new(call))
}

fn end(mut exchange: Exchange, phones: Vec<Phone>) {
    for mut phone in phones {
        phone.pump(&mut exchange);
        if phone.bye_received().is_none() {
            phone.bye(&mut exchange);
        }
    }
    exchange.run_for(secs(40));
    exchange.assert_nothing_left();
}

#[test]
fn a_key_mutes_and_another_time_unmutes_whoever_presses_it() {
    let (mut exchange, phones) = room(&["600", "600"]);
    let bob = ChannelId::new(2);
    exchange.press(bob, "1");
    assert_eq!(exchange.media.muted(), [false, true]);
    assert_eq!(said(&exchange, 2), ["conf-onlyone", "conf-muted"][1..]);
    exchange.press(bob, "1");
    assert_eq!(exchange.media.muted(), [false, true], "keys wait for what is said");
    exchange.run_for(secs(1));
    exchange.press(bob, "1");
    assert_eq!(exchange.media.muted(), [false, false]);
    end(exchange, phones);
}

#[test]
fn a_key_while_the_choices_are_said_goes_on_from_those_pressed() {
    let (mut exchange, phones) = room(&["600", "600"]);
    let bob = ChannelId::new(2);
    exchange.press(bob, "*");
    exchange.run_for(secs(1));
    assert_eq!(said(&exchange, 2), ["menu"]);
    exchange.press(bob, "1");
    assert_eq!(said(&exchange, 2), ["menu", "conf-muted"]);
    assert_eq!(exchange.media.muted(), [false, true]);
    exchange.run_for(secs(1));
    // When all was said the keys begin anew.
    exchange.press(bob, "*");
    exchange.run_for(secs(4));
    exchange.press(bob, "8");
    assert_eq!(exchange.media.room_sizes(), [2], "8 alone is nothing");
    exchange.press(bob, "*");
    exchange.press(bob, "8");
    assert!(exchange.steps().iter().any(|step| step.contains("NoOp(DTMF")));
    end(exchange, phones);
}

#[test]
fn all_that_a_key_asks_for_is_done_in_order() {
    let (mut exchange, phones) = room(&["600", "600"]);
    exchange.press(ChannelId::new(1), "5");
    exchange.run_for(secs(2));
    assert_eq!(said(&exchange, 1), ["conf-onlyperson", "conf-onlyone", "bye"]);
    end(exchange, phones);
}

#[test]
fn an_administrator_locks_mutes_and_sends_away() {
    let (mut exchange, mut phones) = room(&["601", "600"]);
    let host = ChannelId::new(1);
    exchange.press(host, "*");
    exchange.press(host, "4");
    exchange.run_for(secs(1));
    assert_eq!(exchange.media.muted(), [false, true], "all but the administrator");
    exchange.press(host, "*");
    exchange.press(host, "2");
    exchange.run_for(secs(1));
    assert_eq!(said(&exchange, 1).last().map(String::as_str), Some("conf-lockednow"));
    let mut carol = Phone::new("carol", "carol-password", 3);
    carol.dial(&mut exchange, "600");
    carol.ack(&mut exchange);
    exchange.run_for(secs(2));
    assert_eq!(said(&exchange, 3), ["conf-locked"]);
    assert!(exchange.steps().contains(&"h,1 NoOp(FAILED 1)".to_owned()));
    exchange.press(host, "*");
    exchange.press(host, "3");
    exchange.run_for(secs(1));
    assert_eq!(said(&exchange, 2).last().map(String::as_str), Some("conf-kicked"));
    assert!(exchange.steps().contains(&"600,3 NoOp(KICKED 1)".to_owned()));
    assert_eq!(exchange.media.room_sizes(), [1]);
    // Nobody is left but the administrator.
    exchange.press(host, "*");
    exchange.press(host, "3");
    exchange.run_for(secs(1));
    assert_eq!(said(&exchange, 1).last().map(String::as_str), Some("conf-errormenu"));
    phones.push(carol);
    end(exchange, phones);
}

#[test]
fn an_administrators_keys_are_not_for_others() {
    let (mut exchange, phones) = room(&["601", "600"]);
    for key in ["2", "3", "4"] {
        exchange.press(ChannelId::new(2), "*");
        exchange.press(ChannelId::new(2), key);
        exchange.run_for(secs(1));
        assert_eq!(said(&exchange, 2).last().map(String::as_str), Some("conf-errormenu"));
    }
    assert_eq!(exchange.media.muted(), [false, false]);
    assert_eq!(exchange.media.room_sizes(), [2]);
    end(exchange, phones);
}

#[test]
fn a_menu_that_is_not_there_fails_before_the_room() {
    let (exchange, phones) = room(&["602"]);
    assert!(exchange.steps().contains(&"h,1 NoOp(FAILED 0)".to_owned()), "{:?}", exchange.steps());
    end(exchange, phones);
}
