use std::sync::Arc;
use std::time::Duration;

use diesis_dialplan::conf::MemoryFiles;
use diesis_dialplan::videoshare::{Ending, Guests, Recognised, Role, Room, Way, When, Who};

use crate::config::Configuration;

const PJSIP: &str = "[udp]\ntype=transport\nbind=127.0.0.1:5060\n[trunk]\ntype=endpoint\n\
                     context=in\naors=trunk\n[trunk]\ntype=aor\ncontact=sip:127.0.0.1:5070\n";

const PLAN: &str = "[in]\nexten => 8200,1,VideoShare(board)\n";

fn load(text: &str) -> (Configuration, Vec<String>, bool) {
    let files = MemoryFiles::new()
        .with("pjsip.conf", PJSIP)
        .with("extensions.conf", PLAN)
        .with("videoshare.conf", text);
    let loaded = Configuration::load(&files);
    let said = loaded.findings().map(|finding| finding.to_string());
    let said = said.filter(|it| it.contains("videoshare")).collect();
    let is_refused = loaded.is_refused();
    (loaded.configuration, said, is_refused)
}

#[test]
fn cnf_1_a_room_is_read_whole() {
    let (configuration, said, is_refused) = load(
        "[board]\nnumber = 8200\nmaster = 1001, name=Anna, pin=4711\n\
         participant = 1002, name=Bruno, role=listener, dial=out\n\
         participant = +33155171889\npin = 2580\ndial = PJSIP/${NUMBER}@trunk\ncall = start\n\
         retries = 3\nretry_on = busy\ngrace = 30\nsound_joined = hello\nmax_duration = 3600\n",
    );
    assert!(said.is_empty() && !is_refused, "{said:#?}");
    let rooms = configuration.plan.videoshare();
    let room = rooms.numbered(b"8200").expect("the room");
    assert_eq!(room.people.len(), 3);
    assert_eq!((room.people[1].role, room.people[1].way), (Role::Listener, Way::Out));
    assert_eq!(room.people[2].way, Way::Either);
    assert_eq!(room.by_pin(b"4711"), Some(Who::Known(0)));
    assert!(matches!(room.guests, Guests::WithPin(_)));
    assert_eq!(room.recognise(b"999", None), Recognised::NeedsPin);
    assert_eq!((room.calling.when, room.calling.retries), (When::Start, 3));
    assert_eq!(room.ending, Ending::WithMaster { grace: Duration::from_secs(30) });
    assert_eq!(room.sounds.room, [("sound_join", "hello".into())]);
    assert_eq!(room.limits.duration, Some(Duration::from_secs(3600)));
}

#[track_caller]
fn assert_refused(text: &str, why: &str) {
    let (_, said, is_refused) = load(text);
    assert!(is_refused, "{text}: {said:#?}");
    assert!(said.iter().any(|it| it.contains(why)), "{why} is not in {said:#?}");
    assert!(said.iter().all(|it| it.contains("help:")), "no remedy: {said:#?}");
}

#[test]
fn cnf_1_what_is_wrong_is_refused_with_place_and_remedy() {
    let with = |lines: &str| format!("[board]\nmaster = 1001\n{lines}\n");
    assert_refused("[board]\nnumber = 8200\n", "has no master");
    assert_refused("[bo ard]\nmaster = 1001\n", "is no name for a room");
    assert_refused("[a]\nmaster=1\nnumber=8\n[b]\nmaster=1\nnumber=8\n", "that of room [a]");
    assert_refused("[a]\nmaster=1\n[a]\nmaster=1\n", "two rooms [a]");
    assert_refused(&with("participant = 1002"), "nothing says how");
    assert_refused(&with("participant = 1001, dial=in"), "listed twice");
    assert_refused(&with("dial = PJSIP/1002@trunk"), "has no ${NUMBER}");
    assert_refused(&with("dial = PJSIP/${NUMBER}@nowhere"), "no endpoint [nowhere]");
    assert_refused(&with("dial = Local/${NUMBER}@nowhere"), "no context [nowhere]");
    assert_refused(&with("dial = DAHDI/${NUMBER}"), "can not be made by `DAHDI`");
    assert_refused(&with("dial = ${NUMBER}"), "is no destination");
    assert_refused(&with("accept_key = 1\nrefuse_key = 1"), "same key");
    assert_refused(&with("call = never"), "is no value for `call`");
    assert_refused(&with("retry_on = busy, sleepy"), "is no value for `retry_on`");
    assert_refused(&with("media_server = sip:mix:8201"), "needs an endpoint");
    assert_refused(&with("media_server = sip:a@mix\nmedia_endpoint = trunk"), "is no address");
    assert_refused(&with("media_server = sip:mix\nmedia_endpoint = x"), "no endpoint [x]");
    assert_refused(&with("bridge_profile = wide"), "no bridge profile [wide]");
    assert_refused(&with("participant = 1002, rule=x"), "did you mean `role`?");
    assert_refused(&with("participant = PJSIP/1002"), "is no value for `participant`");
    let crowd = |people: u32| {
        let people = (0..people).map(|nth| format!("participant = {nth}, dial=in\n"));
        with(&people.collect::<String>())
    };
    assert_refused(&crowd(10_000), "more than 1000 participants");
    assert_refused(&crowd(1001), "more than 1000 participants");
    assert_refused(&with("pool = robots"), "no range of robots.conf is of the application robots");
    assert_refused(&with("pool = robots\ndial = PJSIP/${NUMBER}"), "both `pool` and `dial`");
}

#[test]
fn cnf_1_pins_are_never_shown() {
    for text in [
        "[a]\nmaster = 1001, pin=47x1\n",
        "[a]\nmaster = 1001, 4711\n",
        "[a]\nmaster = 1001, pin=4711\nparticipant = 1002, pin=4711, dial=in\n",
        "[a]\nmaster = 1001, pin=4711\npin = 4711\n",
    ] {
        let (_, said, is_refused) = load(text);
        assert!(is_refused, "{text}");
        assert!(said.iter().all(|it| !it.contains("47")), "{said:#?}");
    }
}

#[test]
fn cnf_1_doubts_are_told_and_do_no_harm() {
    let (_, said, is_refused) = load(
        "[other]\nmaster = 1001\nfallback = local\nmax_people = 1\n\
                                      participant = 1002, dial=in\n[general]\ncall = start\n",
    );
    assert!(!is_refused);
    assert_eq!(said.len(), 4, "{said:#?}");
    // The dialplan asks for a room that is not there.
    assert!(said.iter().any(|it| it.contains("there is no room [board]")));
}

#[test]
fn cnf_1_the_example_and_the_readme_are_without_fault() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let loaded = Configuration::load_directory(&root.join("examples/videoshare"));
    let said: Vec<String> = loaded.findings().map(|finding| finding.to_string()).collect();
    assert!(said.is_empty(), "{said:#?}");
    assert_eq!(loaded.configuration.plan.videoshare().iter().count(), 2);

    let readme = std::fs::read_to_string(root.join("README.md")).expect("it is there");
    let section = readme.split("## Conferences with a master").nth(1).expect("a section");
    let text = section.split("```ini\n").nth(1).and_then(|it| it.split("```").next());
    let (configuration, said, is_refused) = load(text.expect("an example"));
    assert!(said.is_empty() && !is_refused, "{said:#?}");
    assert_eq!(configuration.plan.videoshare().named(b"board").expect("it").people.len(), 3);
}

/// A room of two who are called by so many robots, and what is said of it.
fn robots(count: u32, more: &str) -> (Option<Arc<Room>>, Vec<String>) {
    let range = format!(
        "[callers]\napplication = videoshare\nfirst = 6000\ncount = {count}\npassword = 0000\n\
         registrar = 127.0.0.1:5070\nendpoint = trunk\ncontext = in\n"
    );
    let room =
        format!("[board]\nmaster = 1001\nparticipant = 0612345678\npool = VideoShare\n{more}\n");
    let files = MemoryFiles::new()
        .with("pjsip.conf", PJSIP)
        .with("extensions.conf", PLAN)
        .with("robots.conf", range)
        .with("videoshare.conf", room);
    let loaded = Configuration::load(&files);
    let said = loaded.findings().map(|finding| finding.to_string());
    let said = said.filter(|it| it.contains("videoshare.conf:")).collect();
    (loaded.configuration.plan.videoshare().named(b"board").cloned(), said)
}

#[test]
fn cnf_1_robots_of_a_pool_call() {
    let (room, said) = robots(2, "");
    assert!(said.is_empty(), "{said:#?}");
    let room = room.expect("it is a room");
    assert_eq!(room.calling.dial, Some("Robot/VideoShare/${NUMBER}".into()));
}

#[test]
fn cnf_1_robots_that_are_too_few_and_numbers_that_they_do_not_show_are_named() {
    let (_, said) = robots(1, "caller_number = 5551234");
    let has = |text: &str| said.iter().any(|it| it.contains(text));
    assert!(has("2 people are called, and the robots of VideoShare take 1 at a time"), "{said:#?}");
    assert!(has("`caller_number` is not shown"), "{said:#?}");
    assert_eq!(said.len(), 2, "{said:#?}");
}
