//! Conferences with a master: CNF-1.

use std::sync::Arc;

use diesis_dialplan::conf::MemoryFiles;

use super::*;
use crate::{
    config::Configuration,
    sip::Request,
    switch::{MeetingChange, MeetingEnd, MeetingOrder, MeetingReport, PersonKind, PersonState},
};

const PLAN: &str = "
[office]
exten => 8200,1,VideoShare()
same => n,NoOp(status ${VIDEOSHARESTATUS})
same => n,Hangup()
exten => 8201,1,VideoShare(board,u(bob))
exten => 8203,1,VideoShare(board,m)
exten => 8202,1,VideoShare(nothing)
same => n,NoOp(status ${VIDEOSHARESTATUS})
exten => _X!,1,Hangup()
";

const PJSIP: &str = "[a](!)\ntype=endpoint\ncontext=office\n[alice](a)\n[bob](a)\n[carol](a)\n";

/// Prompts that take half a second each.
const PROMPTS: [(&str, u64); 24] = [
    ("conf-invited", 500),
    ("conf-getpin", 500),
    ("conf-invalidpin", 500),
    ("conf-invalid", 500),
    ("conf-full", 500),
    ("conf-noleader", 500),
    ("conf-ended", 500),
    ("conf-getnumber", 500),
    ("conf-calling", 500),
    ("conf-errormenu", 500),
    ("conf-unreachable", 500),
    ("conf-locked", 500),
    ("conf-lockednow", 500),
    ("conf-unlockednow", 500),
    ("conf-kicked", 500),
    ("conf-leaderhasleft", 500),
    ("conf-waitforleader", 500),
    ("conf-placeintoconf", 500),
    ("conf-onlyone", 500),
    ("conf-now-muted", 500),
    ("conf-now-unmuted", 500),
    ("confbridge-join", 100),
    ("confbridge-leave", 100),
    ("confbridge-conf-begin", 100),
];

/// A room with these lines, Bob and Carol at their telephones, and Alice, who has none yet.
struct Board {
    exchange: Exchange,
    alice: Phone,
    bob: Phone,
    carol: Phone,
}

impl Board {
    fn new(lines: &str) -> Self {
        let room = format!(
            "[board]\nnumber = 8200\nmaster = alice, name=Alice, pin=4711\n\
             dial = PJSIP/${{NUMBER}}\n{lines}\n"
        );
        let files = MemoryFiles::new()
            .with("extensions.conf", PLAN)
            .with("pjsip.conf", PJSIP)
            .with("videoshare.conf", room.as_str());
        let loaded = Configuration::load(&files);
        let errors = loaded.findings().map(|it| it.to_string());
        let errors: Vec<String> = errors.filter(|it| it.contains("videoshare.conf:")).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let plan = Arc::into_inner(loaded.configuration.plan).expect("nobody else has it");
        let mut exchange = Exchange::with_plan(config(), plan, &PROMPTS);
        let mut bob = Phone::new("bob", "bob-password", 2);
        assert_eq!(bob.register(&mut exchange, "bob"), 200);
        let mut carol = Phone::new("carol", "carol-password", 3);
        assert_eq!(carol.register(&mut exchange, "carol"), 200);
        Self { exchange, alice: alice(), bob, carol }
    }

    /// Alice comes, and is in the room.
    fn master_comes(&mut self) {
        self.alice.dial(&mut self.exchange, "8200");
        self.alice.ack(&mut self.exchange);
        self.exchange.run_for(secs(2));
    }

    /// The call that was answered last.
    fn latest(&self) -> ChannelId {
        let of = |event: &SwitchEvent| match event {
            SwitchEvent::CallAnswered { call } => Some(*call),
            _ => None,
        };
        self.exchange.events.iter().rev().find_map(of).expect("a call")
    }

    /// Bob's telephone rings; he answers and comes.
    fn bob_accepts(&mut self) -> (Request, ChannelId) {
        let invite = self.bob.take_invite(&mut self.exchange);
        self.bob.answer_call(&mut self.exchange, &invite, 200);
        let call = self.latest();
        self.exchange.run_for(secs(1));
        self.exchange.press(call, "1");
        self.exchange.run_for(secs(2));
        (invite, call)
    }

    fn states(&self) -> Vec<(&'static str, u32)> {
        let views = self.exchange.switch.view_meetings(self.exchange.now);
        let report = views.into_iter().next().and_then(|view| view.report);
        let people = report.map(|report| report.people).unwrap_or_default();
        people.iter().map(|it| (it.state.as_str(), it.attempts)).collect()
    }

    fn report(&self) -> Option<MeetingReport> {
        self.exchange.events.iter().rev().find_map(|event| match event {
            SwitchEvent::VideoShareEnded { report, .. } => Some(MeetingReport::clone(report)),
            _ => None,
        })
    }

    #[track_caller]
    fn order(&mut self, order: MeetingOrder) {
        self.try_order(order).expect("it can be done");
    }

    fn try_order(&mut self, order: MeetingOrder) -> Result<(), String> {
        let now = self.exchange.now;
        let done = self.exchange.switch.order_meeting("board".into(), order, now);
        self.exchange.settle();
        done.map_err(|error| error.to_string())
    }

    fn has_status(&self, status: &str) -> bool {
        self.exchange.steps().iter().any(|it| it.ends_with(&format!("NoOp(status {status})")))
    }

    /// Everybody hangs up who did not hear that it is over.
    fn ends(mut self) -> MeetingReport {
        self.alice.pump(&mut self.exchange);
        if self.alice.has_dialog() && self.alice.bye_received().is_none() {
            self.alice.bye(&mut self.exchange);
        }
        self.exchange.run_for(secs(5));
        for _ in 0..5 {
            for phone in [&mut self.bob, &mut self.carol] {
                phone.pump(&mut self.exchange);
            }
            self.exchange.run_for(secs(2));
        }
        self.exchange.assert_nothing_left();
        self.report().expect("a report")
    }
}

#[test]
fn cnf_1_the_master_comes_a_participant_is_called_and_all_ends_with_the_master() {
    let mut board = Board::new("participant = bob, name=Bob");
    board.master_comes();
    assert_eq!(board.states(), [("joined", 0), ("calling", 1)]);
    let invite = board.bob.take_invite(&mut board.exchange);
    assert_eq!(invite.from_header().expect("a From").uri().user(), Some("8200"));
    board.bob.answer_call(&mut board.exchange, &invite, 180);
    assert_eq!(board.states()[1], ("ringing", 1));
    board.bob.answer_call(&mut board.exchange, &invite, 200);
    let bob = board.latest();
    assert_eq!(board.exchange.played(bob), ["conf-invited"]);
    assert_eq!(board.states()[1], ("answered", 1));
    assert_eq!(board.exchange.media.room_sizes(), [1], "he was not asked yet");
    board.exchange.press(bob, "1");
    board.exchange.run_for(secs(2));
    assert_eq!(board.exchange.media.room_sizes(), [2], "they hear each other");
    assert_eq!(board.states(), [("joined", 0), ("joined", 1)]);
    board.exchange.run_for(secs(58));
    board.alice.bye(&mut board.exchange);
    board.exchange.run_for(secs(1));
    board.bob.pump(&mut board.exchange);
    assert!(board.bob.bye_received().is_some(), "it ends with the master");
    let report = board.ends();
    assert_eq!(report.end, MeetingEnd::MasterLeft);
    assert_eq!(report.came(), 2);
    assert_eq!(report.people[0].kind, PersonKind::Master);
    let bob = &report.people[1];
    assert_eq!((bob.state, bob.attempts), (PersonState::Left, 1));
    assert_eq!(bob.present.as_secs(), 59);
}

#[test]
fn cnf_1_who_is_busy_is_called_again_and_reported() {
    let mut board = Board::new("participant = bob\nretries = 2\nretry_delay = 30");
    board.master_comes();
    for attempt in 1..=3 {
        let invite = board.bob.take_invite(&mut board.exchange);
        board.bob.answer_call(&mut board.exchange, &invite, 486);
        assert_eq!(board.states()[1], ("busy", attempt));
        board.exchange.run_for(secs(31));
    }
    assert_eq!(board.states()[1], ("busy", 3), "two more tries and no other");
    assert!(board.exchange.letters_to(board.bob.address()).is_empty());
    let report = board.ends();
    assert_eq!((report.people[1].state, report.people[1].attempts), (PersonState::Busy, 3));
}

#[test]
fn cnf_1_who_does_not_answer_is_called_again_and_who_declines_is_not() {
    let mut board =
        Board::new("participant = bob\nparticipant = carol\nring_time = 20\nretry_delay = 30");
    board.master_comes();
    let first = board.bob.take_invite(&mut board.exchange);
    board.bob.answer_call(&mut board.exchange, &first, 180);
    let declined = board.carol.take_invite(&mut board.exchange);
    board.carol.answer_call(&mut board.exchange, &declined, 603);
    assert_eq!(board.states()[2], ("refused", 1));
    board.exchange.run_for(secs(21));
    board.bob.answer_call(&mut board.exchange, &first, 487);
    assert_eq!(board.states()[1], ("no answer", 1));
    board.exchange.run_for(secs(31));
    let (_, _) = board.bob_accepts();
    assert_eq!(board.states()[1], ("joined", 2));
    assert_eq!(board.states()[2], ("refused", 1));
    let report = board.ends();
    assert_eq!(report.people[2].state, PersonState::Refused);
}

#[test]
fn cnf_1_participants_wait_for_the_master_who_opens_the_room() {
    let mut board = Board::new("participant = bob, dial=in");
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(3));
    assert_eq!(board.states(), [("expected", 0), ("waiting", 0)]);
    assert_eq!(board.exchange.played(ChannelId::new(1)), ["conf-waitforleader"]);
    assert!(board.exchange.media.room_sizes().is_empty(), "nobody is heard yet");
    board.master_comes();
    assert_eq!(board.states(), [("joined", 0), ("joined", 0)]);
    assert_eq!(board.exchange.media.room_sizes(), [2]);
    let opened = |event: &&SwitchEvent| {
        matches!(event, SwitchEvent::VideoShare { change: MeetingChange::Opened, .. })
    };
    assert_eq!(board.exchange.events.iter().filter(opened).count(), 1);
    board.ends();
}

#[test]
fn cnf_1_a_master_who_does_not_come_is_not_waited_for_for_ever() {
    let mut board = Board::new("participant = bob, dial=in\nwait_for_master = 60");
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(62));
    assert!(board.has_status("NOMASTER"));
    assert_eq!(
        board.exchange.played(ChannelId::new(1)).last().map(String::as_str),
        Some("conf-noleader")
    );
    let report = board.ends();
    assert_eq!(report.end, MeetingEnd::NoMaster);
}

#[test]
fn cnf_1_three_wrong_pins_and_no_more() {
    let mut board = Board::new("pin_required = yes");
    board.alice.dial(&mut board.exchange, "8200");
    board.alice.ack(&mut board.exchange);
    let alice = ChannelId::new(1);
    for wrong in ["4712#", "1#", "47110000000000"] {
        board.exchange.run_for(secs(1));
        assert!(!board.has_status("WRONGPIN"));
        board.exchange.press(alice, wrong);
    }
    board.exchange.run_for(secs(1));
    assert!(board.has_status("WRONGPIN"));
    assert_eq!(
        board.exchange.played(alice).iter().filter(|it| *it == "conf-invalidpin").count(),
        3
    );
    assert!(board.states().is_empty(), "no conference began");
    board.exchange.run_for(secs(2));
    board.alice.pump(&mut board.exchange);
    board.exchange.assert_nothing_left();
}

#[test]
fn cnf_1_a_pin_tells_who_somebody_is() {
    let mut board = Board::new("pin_required = yes\nparticipant = bob, pin=22, dial=in");
    // From Bob's telephone, and still the master.
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(1));
    board.exchange.press(ChannelId::new(1), "4711#");
    board.exchange.run_for(secs(2));
    assert_eq!(board.states(), [("joined", 0), ("expected", 0)]);
    board.bob.bye(&mut board.exchange);
    board.ends();
}

#[test]
fn cnf_1_nobody_comes_who_is_not_invited() {
    let mut board = Board::new("retry_on = busy");
    board.exchange.run_for(secs(1));
    board.bob.dial(&mut board.exchange, "8202");
    assert!(board.has_status("NOROOM"));
    board.bob.pump(&mut board.exchange);
    board.exchange.run_for(secs(40));
    board.order(MeetingOrder::Start);
    let report = board.report().expect("it is over at once");
    assert_eq!(report.end, MeetingEnd::NoMaster);
    assert_eq!((report.people[0].state, report.people[0].attempts), (PersonState::Failed, 1));
}

#[test]
fn cnf_1_a_machine_that_answers_does_not_join() {
    let mut board =
        Board::new("participant = bob\nretry_on = notaccepted\nretries = 1\nretry_delay = 60");
    board.master_comes();
    for attempt in 1..=2 {
        let invite = board.bob.take_invite(&mut board.exchange);
        board.bob.answer_call(&mut board.exchange, &invite, 200);
        let machine = board.latest();
        // Three times half a second of invitation, and five seconds behind each.
        board.exchange.run_for(secs(16));
        assert_eq!(board.exchange.played(machine), ["conf-invited"; 3]);
        assert_eq!(board.exchange.media.room_sizes(), [1], "only the master");
        board.exchange.run_for(secs(2));
        assert_eq!(board.states()[1], ("not accepted", attempt));
        board.bob.pump(&mut board.exchange);
        assert!(board.bob.bye_received().is_some());
        board.bob.received.clear();
        board.exchange.run_for(secs(60));
    }
    assert!(board.exchange.letters_to(board.bob.address()).is_empty(), "one more try and no other");
    let report = board.ends();
    assert_eq!(report.people[1].state, PersonState::NotAccepted);
}

#[test]
fn cnf_1_who_declines_by_key_is_not_called_again() {
    let mut board = Board::new("participant = bob\nretry_on = notaccepted,busy,noanswer,failed");
    board.master_comes();
    let invite = board.bob.take_invite(&mut board.exchange);
    board.bob.answer_call(&mut board.exchange, &invite, 200);
    let bob = board.latest();
    board.exchange.press(bob, "2");
    board.exchange.run_for(secs(2));
    assert_eq!(board.states()[1], ("refused", 1));
    board.bob.pump(&mut board.exchange);
    assert!(board.bob.bye_received().is_some());
    board.exchange.run_for(secs(200));
    assert_eq!(board.states()[1], ("refused", 1));
    board.ends();
}

#[test]
fn cnf_1_who_comes_while_being_called_is_not_called_any_more() {
    let mut board = Board::new("participant = bob");
    board.master_comes();
    let invite = board.bob.take_invite(&mut board.exchange);
    board.bob.answer_call(&mut board.exchange, &invite, 180);
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(2));
    assert_eq!(board.states()[1], ("joined", 1));
    board.bob.pump(&mut board.exchange);
    assert!(board.bob.latest(&crate::sip::Method::Cancel).is_some());
    board.bob.answer_call(&mut board.exchange, &invite, 487);
    assert_eq!(board.states()[1], ("joined", 1));
    assert_eq!(board.exchange.media.room_sizes(), [2]);
    board.ends();
}

#[test]
fn cnf_1_a_locked_conference_lets_in_who_is_invited_and_nobody_else() {
    let mut board = Board::new("participant = bob, dial=in\nparticipant = carol\ncall = asked");
    board.master_comes();
    let alice = ChannelId::new(1);
    board.exchange.press(alice, "*3");
    assert_eq!(board.exchange.played(alice).last().map(String::as_str), Some("conf-lockednow"));
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(1));
    assert!(board.has_status("LOCKED"));
    board.exchange.run_for(secs(1));
    board.bob.pump(&mut board.exchange);
    // All whom nobody called yet: Carol.
    board.exchange.press(alice, "*0");
    let invite = board.carol.take_invite(&mut board.exchange);
    board.carol.answer_call(&mut board.exchange, &invite, 200);
    let carol = board.latest();
    board.exchange.press(carol, "1");
    board.exchange.run_for(secs(2));
    assert_eq!(board.exchange.media.room_sizes(), [2]);
    assert!(board.exchange.switch.view_meetings(board.exchange.now)[0].is_locked);
    board.ends();
}

#[test]
fn cnf_1_the_master_calls_a_number_calls_again_sends_away_and_ends_by_keys() {
    let mut board = Board::new("participant = carol, dial=in");
    board.master_comes();
    let alice = ChannelId::new(1);
    board.exchange.press(alice, "*8");
    assert_eq!(board.exchange.played(alice).last().map(String::as_str), Some("conf-getnumber"));
    // Numbers of the house are digits; the one that is called here is that of nobody.
    board.exchange.press(alice, "555#");
    assert_eq!(board.exchange.played(alice).last().map(String::as_str), Some("conf-calling"));
    assert_eq!(board.states()[2], ("failed", 1));
    board.exchange.run_for(secs(1));
    board.exchange.press(alice, "*61#");
    let (_, carol) = {
        let invite = board.carol.take_invite(&mut board.exchange);
        board.carol.answer_call(&mut board.exchange, &invite, 200);
        (invite, board.latest())
    };
    board.exchange.press(carol, "1");
    board.exchange.run_for(secs(2));
    assert_eq!(board.states()[1], ("joined", 1));
    // Given up by *, and by a place that is nobody's.
    board.exchange.press(alice, "*7*");
    board.exchange.press(alice, "*79#");
    assert_eq!(board.exchange.played(alice).last().map(String::as_str), Some("conf-errormenu"));
    board.exchange.run_for(secs(1));
    board.exchange.press(alice, "*71#");
    board.exchange.run_for(secs(2));
    assert_eq!(board.states()[1], ("removed", 1));
    board.exchange.press(alice, "*9");
    board.exchange.run_for(secs(2));
    assert!(board.has_status("ENDED"));
    let report = board.ends();
    assert_eq!(report.end, MeetingEnd::Ended);
}

#[test]
fn cnf_1_a_number_that_is_not_finished_is_forgotten() {
    let mut board = Board::new("");
    board.master_comes();
    let alice = ChannelId::new(1);
    board.exchange.press(alice, "*812");
    board.exchange.run_for(secs(11));
    board.exchange.press(alice, "*3");
    assert_eq!(board.exchange.played(alice).last().map(String::as_str), Some("conf-lockednow"));
    board.ends();
}

#[test]
fn cnf_1_a_listener_is_not_heard_until_an_operator_lets_him() {
    let mut board = Board::new("participant = bob, role=listener, dial=in");
    board.master_comes();
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(2));
    assert_eq!(board.exchange.media.muted(), [false, true]);
    board.exchange.press(board.latest(), "**");
    board.exchange.run_for(secs(1));
    assert_eq!(board.exchange.media.muted(), [false, true], "it is not his to say");
    board.order(MeetingOrder::Unmute(Some("bob".into())));
    assert_eq!(board.exchange.media.muted(), [false, false]);
    board.order(MeetingOrder::Mute(None));
    assert_eq!(board.exchange.media.muted(), [false, true]);
    assert_eq!(
        board.try_order(MeetingOrder::Mute(Some("carol".into()))),
        Err("nobody of that number or place is in the room's list".into())
    );
    board.bob.bye(&mut board.exchange);
    board.ends();
}

#[test]
fn cnf_1_a_master_who_is_back_in_time_finds_all_there() {
    let mut board = Board::new("participant = bob, dial=in\ngrace = 30");
    board.master_comes();
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(2));
    board.alice.bye(&mut board.exchange);
    board.exchange.run_for(secs(20));
    assert_eq!(board.states(), [("left", 0), ("waiting", 0)]);
    board.alice.forget_call();
    board.master_comes();
    assert_eq!(board.states(), [("joined", 0), ("joined", 0)]);
    assert_eq!(board.exchange.media.room_sizes(), [2]);
    board.alice.bye(&mut board.exchange);
    board.exchange.run_for(secs(31));
    assert!(board.has_status("MASTERLEFT"));
    let report = board.report().expect("it is over");
    assert_eq!((report.end, report.people[0].present.as_secs()), (MeetingEnd::MasterLeft, 4));
}

#[test]
fn cnf_1_without_end_with_master_the_others_talk_on() {
    let mut board = Board::new(
        "participant = bob, dial=in\nparticipant = carol, dial=in\nend_with_master = no",
    );
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.master_comes();
    board.carol.dial(&mut board.exchange, "8200");
    board.carol.ack(&mut board.exchange);
    board.exchange.run_for(secs(2));
    board.alice.bye(&mut board.exchange);
    board.exchange.run_for(secs(60));
    assert_eq!(board.exchange.media.room_sizes(), [2]);
    assert_eq!(board.states(), [("left", 0), ("joined", 0), ("joined", 0)]);
    board.bob.bye(&mut board.exchange);
    board.carol.bye(&mut board.exchange);
    board.exchange.run_for(secs(1));
    assert_eq!(board.report().map(|report| report.end), Some(MeetingEnd::AllLeft));
}

#[test]
fn cnf_1_a_conference_is_as_large_and_lasts_as_long_as_it_may() {
    let mut board = Board::new("guests = yes\nmax_people = 2\nmax_duration = 600");
    board.master_comes();
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(2));
    board.carol.dial(&mut board.exchange, "8200");
    board.carol.ack(&mut board.exchange);
    board.exchange.run_for(secs(1));
    assert!(board.has_status("FULL"));
    board.carol.pump(&mut board.exchange);
    board.exchange.run_for(secs(600));
    assert!(board.has_status("TIMEOUT"));
    let report = board.ends();
    assert_eq!(report.end, MeetingEnd::TimeIsUp);
    assert_eq!(report.people[1].kind, PersonKind::Guest);
    assert_eq!(report.people[1].number, "bob");
}

#[test]
fn cnf_1_an_operator_starts_a_conference_and_everybody_is_called() {
    let mut board = Board::new("participant = carol\ncall = start");
    // Alice has a telephone this time.
    assert_eq!(board.alice.register(&mut board.exchange, "alice"), 200);
    board.order(MeetingOrder::Start);
    let invite = board.alice.take_invite(&mut board.exchange);
    board.alice.answer_call(&mut board.exchange, &invite, 200);
    let alice = board.latest();
    board.exchange.press(alice, "1");
    board.exchange.run_for(secs(2));
    assert_eq!(board.states(), [("joined", 1), ("calling", 1)]);
    assert_eq!(
        board.try_order(MeetingOrder::CallAgain("#1".into())),
        Err("\"#1\" is in the conference already, or is being called".into())
    );
    let carol = board.carol.take_invite(&mut board.exchange);
    board.order(MeetingOrder::End);
    board.carol.answer_call(&mut board.exchange, &carol, 487);
    let report = board.report().expect("it is over");
    assert_eq!(report.people[1].state, PersonState::Cancelled);
    board.exchange.run_for(secs(3));
    board.alice.pump(&mut board.exchange);
    assert!(board.alice.bye_received().is_some());
    board.carol.pump(&mut board.exchange);
    board.exchange.assert_nothing_left();
    assert_eq!(
        board.try_order(MeetingOrder::Lock),
        Err("room \"board\" has no conference now".into())
    );
}

/// The telephone that is the media server, and a room there.
fn served(lines: &str) -> Board {
    let server = Phone::new("carol", "carol-password", 3).address();
    Board::new(&format!(
        "participant = bob, dial=in\nmedia_server = sip:{server}\nmedia_endpoint = carol\n{lines}"
    ))
}

#[test]
fn cnf_1_a_room_on_a_media_server_waits_here_and_talks_there() {
    let mut board = served("");
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(2));
    assert_eq!(board.states(), [("expected", 0), ("waiting", 0)]);
    assert!(board.exchange.letters_to(board.carol.address()).is_empty());
    board.master_comes();
    let mut legs = vec![];
    for letter in board.exchange.letters_to(board.carol.address()) {
        if let Ok(crate::sip::Message::Request(invite)) =
            crate::sip::Message::parse(letter, &Default::default())
        {
            assert_eq!(invite.uri().user(), Some("8200"), "the room is asked for");
            // Not those that are sent again meanwhile.
            if legs.iter().all(|leg: &Request| leg.call_id() != invite.call_id()) {
                legs.push(invite);
            }
        }
    }
    assert_eq!(legs.len(), 2, "the master, and who waited");
    for leg in &legs {
        board.carol.answer_call(&mut board.exchange, leg, 200);
    }
    board.exchange.run_for(secs(10));
    assert_eq!(board.states(), [("joined", 0), ("joined", 0)]);
    board.alice.bye(&mut board.exchange);
    board.exchange.run_for(secs(1));
    board.bob.pump(&mut board.exchange);
    assert!(board.bob.bye_received().is_some());
    let report = board.ends();
    assert_eq!(report.end, MeetingEnd::MasterLeft);
}

#[test]
fn cnf_1_a_dead_media_server_is_told_of() {
    let mut board = served("");
    board.master_comes();
    let invite = board.carol.take_invite(&mut board.exchange);
    board.carol.answer_call(&mut board.exchange, &invite, 503);
    board.exchange.run_for(secs(2));
    assert!(board.has_status("NOSERVER"));
    let played = board.exchange.played(ChannelId::new(1));
    assert_eq!(played.last().map(String::as_str), Some("conf-unreachable"));
    board.ends();
}

#[test]
fn cnf_1_a_dead_media_server_is_stood_in_for() {
    let mut board = served("fallback = local");
    board.master_comes();
    // Nobody answers at all.
    board.exchange.run_for(secs(12));
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(13));
    assert_eq!(board.states(), [("joined", 0), ("joined", 0)]);
    assert_eq!(board.exchange.media.room_sizes(), [2], "they hear each other here");
    board.ends();
}

#[test]
fn cnf_1_a_media_server_that_answers_after_the_end_is_hung_up_on() {
    let mut board = served("");
    board.master_comes();
    let late = board.carol.take_invite(&mut board.exchange);
    board.alice.bye(&mut board.exchange);
    board.exchange.run_for(secs(1));
    assert_eq!(board.report().map(|report| report.end), Some(MeetingEnd::MasterLeft));
    board.carol.answer_call(&mut board.exchange, &late, 200);
    assert!(board.carol.bye_received().is_some(), "nobody is there to talk");
    assert!(board.states().is_empty(), "no other conference began");
    board.ends();
}

#[test]
fn cnf_1_a_media_server_that_hangs_up_on_the_master_ends_it_for_all() {
    let mut board = served("");
    board.master_comes();
    let master = board.carol.take_invite(&mut board.exchange);
    board.carol.answer_call(&mut board.exchange, &master, 200);
    board.bob.dial(&mut board.exchange, "8200");
    board.bob.ack(&mut board.exchange);
    board.exchange.run_for(secs(1));
    let participant = board.carol.take_invite(&mut board.exchange);
    board.carol.answer_call(&mut board.exchange, &participant, 200);
    board.exchange.run_for(secs(10));
    assert_eq!(board.states(), [("joined", 0), ("joined", 0)]);
    board.carol.hang_up_callee(&mut board.exchange, &master);
    board.exchange.run_for(secs(1));
    assert!(board.has_status("LEFT"));
    board.bob.pump(&mut board.exchange);
    assert!(board.bob.bye_received().is_some());
    assert_eq!(board.ends().end, MeetingEnd::MasterLeft);
}

#[test]
fn cnf_1_a_master_who_dials_in_twice_is_a_guest_besides() {
    let mut board = Board::new("participant = bob, dial=in");
    board.master_comes();
    // The same number from another telephone.
    let mut second = Phone::new("alice", "alice-password", 9);
    second.dial(&mut board.exchange, "8200");
    second.ack(&mut board.exchange);
    board.exchange.run_for(secs(2));
    assert_eq!(board.states(), [("joined", 0), ("expected", 0), ("joined", 0)]);
    assert_eq!(board.exchange.media.room_sizes(), [2]);
    board.exchange.press(board.latest(), "*9");
    board.exchange.run_for(secs(2));
    assert_eq!(board.exchange.media.room_sizes(), [2], "the keys are the master's");
    board.alice.bye(&mut board.exchange);
    board.exchange.run_for(secs(2));
    let report = board.report().expect("it ends with the first");
    assert_eq!((report.end, report.people[2].kind), (MeetingEnd::MasterLeft, PersonKind::Guest));
    second.pump(&mut board.exchange);
    assert!(second.bye_received().is_some());
    board.exchange.assert_nothing_left();
}

#[test]
fn cnf_1_of_two_whom_the_dialplan_makes_master_the_first_is_it() {
    let mut board = Board::new("");
    for phone in [&mut board.bob, &mut board.carol] {
        phone.dial(&mut board.exchange, "8203");
        phone.ack(&mut board.exchange);
        board.exchange.run_for(secs(2));
    }
    assert_eq!(board.states(), [("joined", 0), ("joined", 0)]);
    board.carol.bye(&mut board.exchange);
    board.exchange.run_for(secs(2));
    assert_eq!(board.exchange.media.room_sizes(), [1], "the second was a guest");
    board.bob.bye(&mut board.exchange);
    assert_eq!(board.ends().end, MeetingEnd::MasterLeft);
}

/// What telephones with video offer.
const WITH_VIDEO: [&str; 2] = [
    include_str!("../../../../tests/data/offers/baresip-1.0.0.sdp"),
    include_str!("../../../../tests/data/offers/linphone-5.1.65-bundle.sdp"),
];

#[test]
fn cnf_1_telephones_with_video_meet_by_sound_and_may_offer_pictures_later() {
    let refused = |phone: &Phone| {
        let answer = phone.last_response().expect("an answer");
        assert_eq!(answer.status().code(), 200);
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        body.lines().skip_while(|line| !line.starts_with("m=video 0 ")).any(|it| it == "a=inactive")
    };
    for offer in WITH_VIDEO {
        let mut board = Board::new("participant = bob, dial=in");
        board.alice.dial_with(&mut board.exchange, "8200", Some(offer.into()));
        assert!(refused(&board.alice));
        board.alice.ack(&mut board.exchange);
        board.bob.dial(&mut board.exchange, "8200");
        board.bob.ack(&mut board.exchange);
        board.exchange.run_for(secs(2));
        assert_eq!(board.exchange.media.room_sizes(), [2]);
        board.bob.reinvite_with(&mut board.exchange, offer.into());
        assert!(refused(&board.bob));
        board.exchange.run_for(secs(2));
        assert_eq!(board.exchange.media.room_sizes(), [2], "they talk on");
        board.ends();
    }
}

#[test]
fn cnf_1_an_engine_that_stops_reports_what_goes_on() {
    let mut board = Board::new("participant = bob");
    board.master_comes();
    board.exchange.run_for(secs(58));
    board.exchange.switch.end_meetings(board.exchange.now);
    board.exchange.settle();
    let report = board.report().expect("it is over");
    assert_eq!((report.end, report.people[0].present.as_secs()), (MeetingEnd::Stopped, 59));
    assert_eq!(report.people[1].state, PersonState::Failed, "it never rang");
}

#[test]
fn cnf_1_a_start_that_would_call_nobody_is_refused() {
    let mut board = Board::new("participant = bob");
    let room = "[board]\nmaster = alice, dial=in\ndial = PJSIP/${NUMBER}\nparticipant = bob\n";
    let files = MemoryFiles::new()
        .with("extensions.conf", PLAN)
        .with("pjsip.conf", PJSIP)
        .with("videoshare.conf", room);
    let plan = Configuration::load(&files).configuration.plan;
    board.exchange.switch.replace_plan(plan, board.exchange.now);
    let refused = board.try_order(MeetingOrder::Start).expect_err("nobody is called");
    assert!(refused.contains("calls nobody at its start"), "{refused}");
}
