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

    /// The call that was made last, once it has media.
    fn latest(&self) -> ChannelId {
        let of = |event: &SwitchEvent| match event {
            SwitchEvent::CallStarted { call, .. } => Some(*call),
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
            SwitchEvent::VideoShareEnded { report } => Some(MeetingReport::clone(report)),
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
    let mut board = Board::new("");
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
