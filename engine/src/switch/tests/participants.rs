//! How the profile of a conference's participant has him treated.

use super::*;
use crate::{
    config::Configuration,
    media::{Gain, Talk},
    recording::RecordingSettings,
    switch::{Originate, RoomChange, RoomError, RoomMembers, RoomOrder},
};

const PLAN: &str = "
[office]
exten => _6XX,1,Answer()
same => n,Set(CONFBRIDGE(user,template)=plain)
same => n,GosubIf($[${DIALPLAN_EXISTS(office,s${EXTEN},1)}]?s${EXTEN},1)
same => n,ConfBridge(1)
same => n,NoOp(${CONFBRIDGE_RESULT})
same => n,Wait(60)
exten => s601,1,Set(CONFBRIDGE(user,timeout)=30)
same => n,Return()
exten => s602,1,Set(CONFBRIDGE(user,music_on_hold_when_empty)=yes)
same => n,Return()
exten => s603,1,Set(CONFBRIDGE(menu,1)=increase_listening_volume,decrease_talking_volume)
same => n,Set(CONFBRIDGE(menu,2)=dialplan_exec(office,aside,1))
same => n,Set(CONFBRIDGE(user,dtmf_passthrough)=yes)
same => n,Return()
exten => s604,1,Set(CONFBRIDGE(user,announce_join_leave_review)=yes)
same => n,Return()
exten => s605,1,Set(CONFBRIDGE(user,hear_own_join_sound)=no)
same => n,Set(CONFBRIDGE(user,talk_detection_events)=yes)
same => n,Set(CONFBRIDGE(user,announce_user_count_all)=1)
same => n,Set(CONFBRIDGE(user,colour)=red)
same => n,Set(CONFBRIDGE(user,denoise)=yes)
same => n,NoOp([${CONFBRIDGE(user,colour)}][${CONFBRIDGE(user,denoise)}])
same => n,Return()
exten => s606,1,Set(CONFBRIDGE(user,end_marked_any)=yes)
same => n,Set(CONFBRIDGE(user,announcement)=rules)
same => n,Return()
exten => s607,1,Set(CONFBRIDGE(user,marked)=yes)
same => n,Return()
exten => s608,1,Set(CONFBRIDGE(user,wait_marked)=yes)
same => n,Return()
exten => s609,1,Set(CONFBRIDGE(menu,2)=dialplan_exec(office,aside,1))
same => n,Set(CONFBRIDGE(user,music_on_hold_when_empty)=yes)
same => n,Return()
exten => s610,1,Set(CONFBRIDGE(menu,2)=dialplan_exec(office,aside,1))
same => n,Set(CONFBRIDGE(user,wait_marked)=yes)
same => n,Return()
exten => s611,1,Set(CONFBRIDGE(menu,2)=dialplan_exec(office,aside,1))
same => n,Set(CONFBRIDGE(user,marked)=yes)
same => n,Return()
exten => 700,1,Answer()
same => n,MeetMe(1,sapM(none))
same => n,NoOp(left ${CONFBRIDGE_RESULT})
exten => 701,1,Answer()
same => n,MeetMeAdmin(1,L)
same => n,NoOp(${MEETMEADMINSTATUS} ${CONFBRIDGE_INFO(locked,1)})
same => n,MeetMeAdmin(1,M,2)
same => n,MeetMeAdmin(1,k)
same => n,NoOp(${MEETMEADMINSTATUS})
same => n,ConfKick(1,nobody)
same => n,NoOp(${CONFKICKSTATUS})
same => n,ConfKick(1,participants)
same => n,NoOp(${CONFKICKSTATUS})
same => n,ConfKick(2)
same => n,NoOp(${CONFKICKSTATUS})
same => n,Wait(60)
exten => aside,1,NoOp(aside)
same => n,Playback(elsewhere)
";

const ROOMS: &str = "
[plain]
type=user
announce_only_user=no
[default_bridge]
type=bridge
sound_join=in
sound_leave=out
sound_place_into_conference=placed
sound_begin=begin
";

const PROMPTS: [(&str, u64); 14] = [
    ("in", 300),
    ("out", 300),
    ("placed", 300),
    ("begin", 300),
    ("rules", 1000),
    ("elsewhere", 2000),
    ("vm-rec-name", 1000),
    ("vm-review", 2000),
    ("beep", 100),
    ("conf-hasjoin", 500),
    ("conf-onlyone", 500),
    ("conf-leaderhasleft", 500),
    ("conf-waitforleader", 500),
    ("conf-kicked", 500),
];

struct Room {
    exchange: Exchange,
    phones: Vec<Phone>,
}

impl Room {
    fn of(numbers: &[&str]) -> Self {
        let files = diesis_dialplan::conf::MemoryFiles::new().with("confbridge.conf", ROOMS);
        let rooms = Configuration::load(&files).configuration.conferences;
        let recordings = RecordingSettings {
            directory: Some("/spool/monitor".into()),
            ..RecordingSettings::default()
        };
        let config = SwitchConfig { recordings, conferences: Arc::new(rooms), ..config() };
        let exchange = Exchange::lenient(config, PLAN, &PROMPTS);
        let mut room = Self { exchange, phones: vec![] };
        for number in numbers {
            room.comes(number);
        }
        room
    }

    fn comes(&mut self, number: &str) -> ChannelId {
        let nth = self.phones.len() as u8 + 1;
        let name = ["alice", "bob", "carol"][usize::from(nth) - 1];
        let mut phone = Phone::new(name, &format!("{name}-password"), nth);
        phone.dial(&mut self.exchange, number);
        phone.ack(&mut self.exchange);
        self.exchange.run_for(secs(2));
        self.phones.push(phone);
        ChannelId::new(nth.into())
    }

    fn stepped(&self, step: &str) -> bool {
        self.exchange.steps().iter().any(|it| it.ends_with(step))
    }

    fn ends(self) {
        let Self { mut exchange, phones } = self;
        for mut phone in phones {
            phone.pump(&mut exchange);
            if phone.bye_received().is_none() {
                phone.bye(&mut exchange);
            }
        }
        exchange.run_for(secs(40));
        exchange.assert_nothing_left();
    }
}

#[test]
fn one_who_may_not_stay_longer_goes_when_the_time_is_up() {
    let mut room = Room::of(&["600", "601"]);
    room.exchange.run_for(secs(20));
    assert_eq!(room.exchange.media.room_sizes(), [2]);
    room.exchange.run_for(secs(11));
    assert_eq!(room.exchange.media.room_sizes(), [1]);
    assert!(room.stepped("NoOp(TIMEOUT)"), "{:?}", room.exchange.steps());
    room.ends();
}

#[test]
fn one_who_is_alone_hears_music_until_another_comes_and_after_he_went() {
    let mut room = Room::of(&["602"]);
    assert!(room.exchange.media.is_playing(1));
    let bob = room.comes("600");
    assert!(!room.exchange.media.is_playing(1));
    room.exchange.command(bob, Verb::Hangup(Cause::NORMAL_CLEARING));
    room.exchange.run_for(secs(1));
    assert!(room.exchange.media.is_playing(1));
    room.ends();
}

#[test]
fn keys_change_the_volumes_and_what_they_do_not_ask_for_goes_to_the_others() {
    let mut room = Room::of(&["603", "600"]);
    let alice = ChannelId::new(1);
    room.exchange.press(alice, "1");
    assert_eq!(room.exchange.media.volume(1), (Gain::UNITY.louder(), Gain::UNITY.quieter()));
    assert_eq!(room.exchange.media.sent_digits, 0);
    room.exchange.press(alice, "7");
    assert_eq!(room.exchange.media.sent_digits, 1);
    room.exchange.press(ChannelId::new(2), "7");
    assert_eq!(room.exchange.media.sent_digits, 1, "only who may");
    room.ends();
}

#[test]
fn a_key_runs_the_dialplan_out_of_the_room_and_back() {
    let mut room = Room::of(&["603", "600"]);
    let alice = ChannelId::new(1);
    room.exchange.press(alice, "1");
    room.exchange.press(alice, "2");
    assert!(room.stepped("NoOp(aside)"));
    assert_eq!(room.exchange.media.room_sizes(), [1]);
    room.exchange.run_for(secs(3));
    assert_eq!(room.exchange.played(alice).last().map(String::as_str), Some("elsewhere"));
    assert_eq!(room.exchange.media.room_sizes(), [2]);
    assert_eq!(room.exchange.media.volume(1).0, Gain::UNITY.louder(), "as it was");
    // Who is sent away meanwhile goes when he comes back.
    room.exchange.press(alice, "2");
    let now = room.exchange.now;
    let kick = RoomOrder::Kick(RoomMembers::Channel(alice));
    assert_eq!(room.exchange.switch.order_room("1".into(), kick, now), Ok(1));
    room.exchange.run_for(secs(4));
    assert!(room.stepped("NoOp(KICKED)"), "{:?}", room.exchange.steps());
    room.ends();
}

#[test]
fn what_the_room_does_meanwhile_is_not_heard_out_of_it() {
    // Music for who is alone now would take the place of what is played there.
    let mut room = Room::of(&["609", "600"]);
    room.exchange.press(ChannelId::new(1), "2");
    room.exchange.command(ChannelId::new(2), Verb::Hangup(Cause::NORMAL_CLEARING));
    room.exchange.run_for(secs(1));
    assert_eq!(room.exchange.media.room_sizes(), [0_usize; 0]);
    room.exchange.run_for(secs(2));
    assert_eq!(room.exchange.media.room_sizes(), [1]);
    assert!(room.exchange.media.is_playing(1), "music");
    room.ends();

    // The marked member that it waits for comes.
    let mut room = Room::of(&["610"]);
    room.exchange.press(ChannelId::new(1), "2");
    room.comes("607");
    assert!(room.stepped("NoOp(aside)"));
    room.exchange.run_for(secs(3));
    assert_eq!(room.exchange.media.room_sizes(), [2]);
    room.ends();
}

#[test]
fn who_is_marked_and_away_for_a_moment_ends_nothing() {
    let mut room = Room::of(&["611", "606"]);
    room.exchange.press(ChannelId::new(1), "2");
    assert!(room.stepped("NoOp(aside)"));
    room.exchange.run_for(secs(1));
    assert_eq!(room.exchange.media.room_sizes(), [1]);
    assert!(!room.stepped("NoOp(ENDMARKED)"), "{:?}", room.exchange.steps());
    room.exchange.run_for(secs(2));
    assert_eq!(room.exchange.media.room_sizes(), [2]);
    room.ends();
}

#[test]
fn a_name_is_said_reviewed_and_heard_by_the_others() {
    let mut room = Room::of(&["600"]);
    room.exchange.media.said = vec![2000; 8000];
    let bob = room.comes("604");
    assert_eq!(room.exchange.played(bob), ["vm-rec-name", "beep"]);
    assert_eq!(room.exchange.media.room_sizes(), [1]);
    room.exchange.press(bob, "#");
    room.exchange.run_for(secs(1));
    assert_eq!(room.exchange.played(bob)[2..], ["vm-review"]);
    room.exchange.press(bob, "1");
    room.exchange.run_for(secs(1));
    assert_eq!(room.exchange.media.room_sizes(), [2]);
    let parts: Vec<usize> = room.exchange.media.room_parts.iter().map(|it| it.0).collect();
    assert_eq!(parts[parts.len() - 2..], [1, 2], "the sound, then the name and what became of it");
    room.ends();
}

#[test]
fn one_may_join_without_hearing_it_and_all_hear_how_many_they_are() {
    let mut room = Room::of(&["600", "605"]);
    assert!(
        room.stepped("NoOp([][])"),
        "what is not there is refused: {:?}",
        room.exchange.steps()
    );
    let excepted: Vec<bool> =
        room.exchange.media.room_parts.iter().map(|it| it.1.is_some()).collect();
    assert_eq!(excepted, [false, true, false], "alice joins, bob joins, there is one other");
    let bob = room.exchange.media.room_parts[1].1.expect("bob's stream");
    let event = crate::media::Event::Talking { stream: bob, talk: Talk::Started };
    let now = room.exchange.now;
    room.exchange.switch.handle_media(event, now);
    room.exchange.tick();
    let heard = |event: &SwitchEvent| matches!(event, SwitchEvent::RoomTalking { call, .. } if *call == ChannelId::new(2));
    assert!(room.exchange.events.iter().any(heard));
    room.ends();
}

#[test]
fn one_waits_for_a_marked_one_is_placed_and_another_goes_with_any_of_them() {
    let mut room = Room::of(&["608", "606"]);
    assert_eq!(room.exchange.played(ChannelId::new(2)), ["rules"]);
    assert_eq!(room.exchange.media.room_sizes(), [1], "one waits");
    let marked = room.comes("607");
    assert_eq!(room.exchange.media.room_sizes(), [3]);
    assert_eq!(room.exchange.played(ChannelId::new(1)), ["conf-waitforleader", "placed"]);
    room.exchange.command(marked, Verb::Hangup(Cause::NORMAL_CLEARING));
    room.exchange.run_for(secs(2));
    assert!(room.stepped("NoOp(ENDMARKED)"));
    assert_eq!(room.exchange.media.room_sizes(), [0; 0], "the other waits again");
    room.ends();
}

#[test]
fn the_dialplan_of_another_call_locks_mutes_and_sends_away() {
    let mut room = Room::of(&["700", "600"]);
    let alice = ChannelId::new(1);
    room.exchange.press(alice, "*");
    room.exchange.press(alice, "6");
    assert_eq!(room.exchange.media.volume(1), (Gain::UNITY.louder(), Gain::UNITY));
    room.comes("701");
    let said: Vec<String> =
        room.exchange.steps().into_iter().filter(|it| it.starts_with("701,")).collect();
    let said: Vec<&str> =
        said.iter().filter_map(|it| it.split_once("NoOp(")).map(|it| it.1).collect();
    assert_eq!(said, ["OK 1)", "NOPARSE)", "FAILURE)", "SUCCESS)", "FAILURE)"]);
    room.exchange.run_for(secs(2));
    assert_eq!(room.exchange.media.room_sizes(), [1], "the administrator stays");
    room.exchange.press(alice, "#");
    assert!(room.stepped("NoOp(left DTMF)"), "{:?}", room.exchange.steps());
    room.ends();
}

#[test]
fn one_who_is_called_for_it_is_in_the_room() {
    let mut room = Room::of(&["600"]);
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.register(&mut room.exchange, "bob");
    let to = Originate::destination(b"PJSIP/bob").expect("a destination");
    let (name, arguments) = ("ConfBridge".into(), "1".into());
    let target = diesis_dialplan::operation::OriginateTarget::Application { name, arguments };
    room.exchange.originate(Box::new(Originate::new(to, target)));
    let invite = bob.take_invite(&mut room.exchange);
    bob.answer_call(&mut room.exchange, &invite, 200);
    room.exchange.run_for(secs(2));
    assert_eq!(room.exchange.media.room_sizes(), [2]);
    bob.hang_up_callee(&mut room.exchange, &invite);
    room.exchange.run_for(secs(2));
    assert_eq!(room.exchange.media.room_sizes(), [1]);
    room.ends();
}

#[test]
fn an_operator_locks_mutes_records_and_sends_away() {
    let mut room = Room::of(&["600", "600"]);
    let mut order = |order| {
        let now = room.exchange.now;
        room.exchange.switch.order_room("1".into(), order, now)
    };
    assert_eq!(order(RoomOrder::Lock), Ok(2));
    assert_eq!(order(RoomOrder::Mute(RoomMembers::Last)), Ok(1));
    assert_eq!(order(RoomOrder::Record { file: Some("a.wav".into()) }), Ok(2));
    assert_eq!(order(RoomOrder::Record { file: None }), Err(RoomError::Recorded));
    let view = room.exchange.switch.view_rooms().remove(0);
    assert!(view.is_locked && view.is_recorded && !view.is_muted);
    assert_eq!(view.members.iter().map(|it| it.is_muted).collect::<Vec<_>>(), [false, true]);
    room.exchange.tick();
    assert_eq!(room.exchange.media.muted(), [false, true]);
    let now = room.exchange.now;
    let mut order = |order| room.exchange.switch.order_room("1".into(), order, now);
    assert_eq!(order(RoomOrder::StopRecording), Ok(2));
    assert_eq!(order(RoomOrder::StopRecording), Err(RoomError::NotRecorded));
    assert_eq!(order(RoomOrder::Kick(RoomMembers::All)), Ok(2));
    room.exchange.tick();
    room.exchange.run_for(secs(2));
    let now = room.exchange.now;
    let gone = room.exchange.switch.order_room("1".into(), RoomOrder::Unlock, now);
    assert_eq!(gone, Err(RoomError::NoRoom("1".into())));
    let locked = SwitchEvent::RoomChanged { room: "1".into(), change: RoomChange::Locked };
    assert!(room.exchange.events.contains(&locked));
    room.ends();
}
