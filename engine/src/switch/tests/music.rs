//! Music on hold: the applications, and which class is heard.

use std::collections::BTreeMap;

use super::*;
use crate::{
    config::{KillMethod, MusicClass, MusicOrder, MusicProgram, MusicSettings},
    media::AudioFormat,
};

const PLAN: &str = "
[office]
exten => 100,1,Answer()
same => n,MusicOnHold(jazz,3)
same => n,NoOp(over)
same => n,Wait(60)
exten => 101,1,Answer()
same => n,Set(CHANNEL(musicclass)=jazz)
same => n,StartMusicOnHold()
same => n,Wait(2)
same => n,StopMusicOnHold()
same => n,Wait(60)
exten => 102,1,Answer()
same => n,SetMusicOnHold(jazz)
same => n,WaitMusicOnHold(4)
same => n,NoOp(over)
same => n,Wait(60)
exten => 103,1,Answer()
same => n,MusicOnHold(nosuch)
exten => 104,1,Answer()
same => n,MusicOnHold(jazz)
exten => 105,1,Dial(PJSIP/bob)
";

fn exchange() -> Exchange {
    exchange_with(MusicClass::default())
}

/// The class jazz in this order, with this announcement.
fn exchange_with(class: MusicClass) -> Exchange {
    let files: Arc<[bstr::BString]> = Arc::new(["jazz/one".into(), "jazz/two".into()]);
    let class = MusicClass { files, ..class };
    let seven = Some(crate::media::Digit::from_char('7').expect("a key"));
    let rock = MusicClass { files: Arc::new(["rock".into()]), digit: seven, ..Default::default() };
    let classes = BTreeMap::from([("jazz".into(), class), ("rock".into(), rock)]);
    let mut sip = sip();
    let alice = Peer { suggested_music: Some("rock".into()), ..peer("alice", "office") };
    sip.peers = Default::default();
    for peer in [alice, peer("bob", "office")] {
        sip.peers.insert(peer).expect("a new name");
    }
    let music = MusicSettings { classes };
    let config = SwitchConfig { music: Arc::new(music), sip: Arc::new(sip), ..config() };
    let prompts = [("jazz/one", 700), ("jazz/two", 700), ("rock", 700), ("sorry", 200)];
    Exchange::lenient(config, PLAN, &prompts)
}

fn listening(exten: &str) -> (Exchange, Phone) {
    listening_to(exchange(), exten)
}

fn listening_to(mut exchange: Exchange, exten: &str) -> (Exchange, Phone) {
    let mut alice = alice();
    alice.dial(&mut exchange, exten);
    alice.ack(&mut exchange);
    // Answer waits for the caller's media.
    exchange.run_for(secs(1));
    (exchange, alice)
}

fn is_over(exchange: &Exchange) -> bool {
    exchange.steps().iter().any(|step| step.contains("NoOp(over)"))
}

#[test]
fn music_for_a_time_plays_file_after_file_and_ends_with_it() {
    for exten in ["100", "102"] {
        let (mut exchange, mut alice) = listening(exten);
        assert!(exchange.media.is_playing(1), "{exten}");
        assert!(exchange.asked.iter().any(|(name, _)| name.starts_with("jazz/")));
        exchange.run_for(secs(1));
        assert!(exchange.media.is_playing(1) && !is_over(&exchange), "{exten}");
        exchange.run_for(secs(4));
        assert!(!exchange.media.is_playing(1) && is_over(&exchange), "{exten}");
        let both = ["jazz/one", "jazz/two"];
        assert!(both.iter().all(|name| exchange.asked.iter().any(|(asked, _)| asked == name)));
        alice.bye(&mut exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn music_beside_what_comes_next_plays_until_it_is_stopped() {
    let (mut exchange, mut alice) = listening("101");
    exchange.run_for(secs(1));
    assert!(exchange.media.is_playing(1));
    assert!(exchange.asked.iter().any(|(name, _)| name.starts_with("jazz/")));
    exchange.run_for(secs(3));
    assert!(!exchange.media.is_playing(1));
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_class_that_is_not_there_is_a_tone_until_the_caller_hangs_up() {
    let (mut exchange, mut alice) = listening("103");
    exchange.run_for(secs(600));
    assert!(exchange.media.is_playing(1));
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn an_announcement_is_heard_before_each_file_and_is_passed_over_when_it_is_not_there() {
    for (announcement, expected) in [
        ("sorry", ["sorry", "jazz/one", "sorry", "jazz/two"]),
        ("nosuch", ["nosuch", "jazz/one", "jazz/two", "jazz/one"]),
    ] {
        let class = MusicClass {
            order: MusicOrder::Fixed,
            announcement: Some(announcement.into()),
            ..MusicClass::default()
        };
        let (mut exchange, mut alice) = listening_to(exchange_with(class), "100");
        exchange.run_for(secs(3));
        let asked: Vec<_> = exchange.asked.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(asked[..4], expected);
        alice.bye(&mut exchange);
        exchange.assert_nothing_left();
    }
}

#[test]
fn random_music_goes_on_for_ever_with_any_file() {
    let class = MusicClass { order: MusicOrder::Random, ..MusicClass::default() };
    let (mut exchange, mut alice) = listening_to(exchange_with(class), "104");
    exchange.run_for(secs(600));
    assert!(exchange.media.is_playing(1));
    for name in ["jazz/one", "jazz/two"] {
        let times = exchange.asked.iter().filter(|(asked, _)| asked == name).count();
        assert!(times > 300, "{name}: {times}");
    }
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn a_key_changes_the_class_of_whoever_hears_music() {
    let (mut exchange, mut alice) = listening("104");
    let call = exchange.first_call();
    exchange.press(call, "3");
    exchange.run_for(secs(2));
    assert!(exchange.asked.iter().all(|(name, _)| name != "rock"));
    exchange.press(call, "7");
    exchange.run_for(secs(2));
    assert!(exchange.asked.iter().any(|(name, _)| name == "rock"));
    assert!(exchange.media.is_playing(1));
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}

#[test]
fn who_is_held_hears_what_the_holder_suggests() {
    let mut exchange = exchange();
    let mut bob = Phone::new("bob", "bob-password", 2);
    assert_eq!(bob.register(&mut exchange, "bob"), 200);
    let mut alice = alice();
    alice.dial(&mut exchange, "105");
    let invite = bob.take_invite(&mut exchange);
    bob.answer_call(&mut exchange, &invite, 200);
    alice.pump(&mut exchange);
    alice.ack(&mut exchange);
    alice.reinvite(&mut exchange, "sendonly");
    let asked: Vec<_> = exchange.asked.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(asked, ["rock"]);
}

fn made_by(words: &[&str]) -> MusicClass {
    let program = MusicProgram {
        words: words.iter().map(|&word| word.into()).collect(),
        directory: None,
        format: AudioFormat::Linear(8000),
        kill_delay: secs(1),
        kill_method: KillMethod::ProcessGroup,
    };
    MusicClass { program: Some(Arc::new(program)), ..MusicClass::default() }
}

fn settings(jazz: MusicClass) -> Arc<MusicSettings> {
    Arc::new(MusicSettings { classes: BTreeMap::from([("jazz".into(), jazz)]) })
}

#[test]
fn music_of_a_program_is_one_for_all_who_listen_and_goes_with_its_class() {
    let config = SwitchConfig { music: settings(made_by(&["/bin/play"])), ..config() };
    let mut exchange = Exchange::lenient(config.clone(), PLAN, &[]);
    let mut alice = alice();
    alice.dial(&mut exchange, "104");
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    let made = exchange.switch.poll_music().expect("it is asked for");
    assert_eq!((made.class.to_string(), made.live.listeners()), ("jazz".into(), 1));
    let mut bob = Phone::new("bob", "bob-password", 2);
    bob.dial(&mut exchange, "104");
    bob.ack(&mut exchange);
    exchange.run_for(secs(1));
    assert!(exchange.switch.poll_music().is_none(), "it is there already");
    assert_eq!(made.live.listeners(), 2);
    assert!(exchange.media.is_playing(1) && exchange.media.is_playing(2));
    bob.bye(&mut exchange);
    exchange.run_for(secs(1));
    assert_eq!(made.live.listeners(), 1);

    let now = exchange.now;
    let same = SwitchConfig { music: settings(made_by(&["/bin/play"])), ..config.clone() };
    exchange.switch.replace(same.into(), now);
    assert!(!made.live.is_over() && exchange.switch.poll_music().is_none());
    let other = SwitchConfig { music: settings(made_by(&["/bin/other"])), ..config };
    exchange.switch.replace(other.into(), now);
    assert!(made.live.is_over() && exchange.switch.poll_music().is_some());
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}
