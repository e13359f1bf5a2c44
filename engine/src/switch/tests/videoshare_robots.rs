//! Conferences whose participants are called by the robots of a pool: CNF-1, ROB-1.

use std::{collections::VecDeque, sync::Arc};

use diesis_dialplan::conf::MemoryFiles;

use super::*;
use crate::{
    config::Configuration,
    sip::{HeaderName, Method, Request, Response, StatusCode},
    switch::{MeetingEnd, MeetingReport},
};

const PLAN: &str = "[office]\nexten => 8200,1,VideoShare()\nsame => n,Hangup()\n";

const PJSIP: &str = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:5060\n\
    [alice]\ntype=endpoint\ncontext=office\n[alice]\ntype=identify\n\
    match=127.0.1.1\nendpoint=alice\n";

/// A room that calls as robots 6000 and on, whose telephone system is at 127.0.1.7, and Alice, its
/// master.
struct Board {
    exchange: Exchange,
    alice: Phone,
    pbx: Phone,
    /// Whether it answers what is registered.
    is_alive: bool,
    /// What came to the telephone system and nobody took yet.
    invites: VecDeque<Request>,
}

impl Board {
    fn new(robots: u8, lines: &str) -> Self {
        let room = format!(
            "[board]\nnumber = 8200\nmaster = alice, dial=in\npool = conference\n\
             accept_key = none\nring_time = 20\nretry_delay = 30\n{lines}\n"
        );
        let range = format!(
            "[callers]\nfirst=6000\ncount={robots}\npassword=secret\nregistrar=127.0.1.7\n\
             context=office\napplication=conference\nexpiration=120\n"
        );
        let files = MemoryFiles::new()
            .with("extensions.conf", PLAN)
            .with("pjsip.conf", PJSIP)
            .with("robots.conf", range)
            .with("videoshare.conf", room.as_str());
        let loaded = Configuration::load(&files);
        assert!(!loaded.is_refused(), "{:?}", loaded.findings().map(|it| it.to_string()).next());
        let plan = Arc::into_inner(loaded.configuration.plan).expect("nobody else has it");
        let sip = Arc::new(loaded.configuration.sip);
        let config = SwitchConfig { sip, ..SwitchConfig::default() };
        let exchange = Exchange::with_plan(config, plan, &[]);
        let (alice, pbx) = (Phone::new("alice", "", 1), Phone::new("pbx", "", 7));
        let mut board = Self { exchange, alice, pbx, is_alive: true, invites: VecDeque::new() };
        board.run_for(1);
        assert_eq!(board.pool().registered, usize::from(robots));
        board
    }

    /// Alice comes, and is in the room.
    fn master_comes(&mut self) {
        self.alice.dial(&mut self.exchange, "8200");
        self.alice.ack(&mut self.exchange);
        self.run_for(1);
    }

    /// Lets so many seconds pass, in which the telephone system takes what comes to it.
    fn run_for(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.exchange.run_for(secs(1));
            for letter in self.exchange.letters_to(self.pbx.address()) {
                let Some(request) = Phone::read_request(letter) else { continue };
                match request.method() {
                    Method::Register if self.is_alive => self.bind(&request),
                    Method::Invite if self.is_alive => {
                        let is_new = |it: &Request| it.call_id() != request.call_id();
                        if self.invites.iter().all(is_new) {
                            self.invites.push_back(request);
                        }
                    }
                    Method::Bye | Method::Cancel if self.is_alive => {
                        let answer = Response::to(&request, StatusCode::OK);
                        self.pbx.reply(&mut self.exchange, &answer);
                    }
                    _ => {}
                }
            }
        }
    }

    fn bind(&mut self, register: &Request) {
        let contact = register.value(HeaderName::Contact).unwrap_or_default().to_owned();
        let answer = Response::to(register, StatusCode::OK)
            .with(HeaderName::Contact, &contact[..])
            .with(HeaderName::Expires, "120");
        self.pbx.reply(&mut self.exchange, &answer);
    }

    /// The next call that came to the telephone system.
    #[track_caller]
    fn invite(&mut self) -> Request {
        self.invites.pop_front().expect("a call came")
    }

    fn answer(&mut self, invite: &Request, status: u16) {
        self.pbx.answer_call(&mut self.exchange, invite, status);
        self.run_for(1);
    }

    fn states(&self) -> Vec<(&'static str, u32)> {
        let views = self.exchange.switch.view_meetings(self.exchange.now);
        let report = views.into_iter().next().and_then(|view| view.report);
        let people = report.map(|report| report.people).unwrap_or_default();
        people.iter().map(|it| (it.state.as_str(), it.attempts)).collect()
    }

    fn pool(&self) -> crate::switch::PoolView {
        self.exchange.switch.view_pools(self.exchange.now).remove(0)
    }

    /// The master leaves, and nothing remains.
    fn ends(mut self) -> MeetingReport {
        self.alice.bye(&mut self.exchange);
        self.run_for(40);
        assert_eq!(self.pool().used, 0, "no robot is busy any more");
        let report = self.exchange.events.iter().rev().find_map(|event| match event {
            SwitchEvent::VideoShareEnded { report, .. } => Some(MeetingReport::clone(report)),
            _ => None,
        });
        report.expect("a report")
    }
}

fn user(request: &Request) -> String {
    request.uri().user().unwrap_or_default().to_owned()
}

#[test]
fn rob_1_robots_of_the_pool_call_participants_with_their_own_numbers_and_passwords() {
    let mut board = Board::new(2, "participant = 101\nparticipant = 102");
    board.master_comes();
    assert_eq!(board.states(), [("joined", 0), ("calling", 1), ("calling", 1)]);
    assert_eq!(board.pool().used, 2);
    for (called, robot) in [("101", "6000"), ("102", "6001")] {
        let invite = board.invite();
        assert_eq!(user(&invite), called);
        let from = invite.from_header().expect("a From");
        assert_eq!(from.uri().as_str(), format!("sip:{robot}@127.0.1.7"));
        board.pbx.challenge_call(&mut board.exchange, &invite, "once");
    }
    board.run_for(1);
    for robot in ["6000", "6001"] {
        let again = board.invite();
        let proof = again.text(HeaderName::Authorization).expect("it proves who it is");
        assert!(proof.contains(&format!("username=\"{robot}\"")), "{proof}");
        board.answer(&again, 200);
    }
    assert_eq!(board.states(), [("joined", 0), ("joined", 1), ("joined", 1)]);
    assert_eq!(board.exchange.media.room_sizes(), [3]);
    let report = board.ends();
    assert_eq!((report.end, report.came()), (MeetingEnd::MasterLeft, 3));
}

#[test]
fn rob_1_who_finds_all_robots_taken_is_called_when_one_is_free() {
    let mut board = Board::new(1, "participant = 101\nparticipant = 102");
    board.master_comes();
    assert_eq!(board.states(), [("joined", 0), ("calling", 1), ("failed", 1)]);
    assert_eq!(board.pool().refused, 1);
    let first = board.invite();
    assert_eq!(user(&first), "101");
    board.answer(&first, 486);
    assert_eq!((board.states()[1], board.pool().used), (("busy", 1), 0));
    board.run_for(30);
    let second = board.invite();
    assert_eq!(user(&second), "102", "who waited longest is first");
    board.answer(&second, 200);
    assert_eq!(board.states()[2], ("joined", 2));
    board.ends();
}

#[test]
fn rob_1_a_dead_telephone_system_gives_the_robot_back_and_is_no_telephone_that_rings() {
    let mut board = Board::new(1, "participant = 101\nretries = 1");
    board.is_alive = false;
    board.master_comes();
    assert_eq!(board.states()[1], ("calling", 1));
    board.run_for(21);
    assert_eq!(board.states()[1], ("failed", 1), "nothing came back");
    assert_eq!(board.pool().used, 0);
    board.run_for(60);
    assert_eq!(board.states(), [("joined", 0), ("failed", 2)], "the master is not bothered");
    assert_eq!(board.exchange.media.room_sizes(), [1]);
    assert_eq!(board.pool().used, 0);
    board.ends();
}

#[test]
fn rob_1_a_room_calls_on_when_its_robots_are_registered_again() {
    let mut board = Board::new(1, "participant = 101\nretries = 10");
    board.is_alive = false;
    board.run_for(130);
    assert_eq!(board.pool().registered, 0, "nothing was heard for longer than it was promised");
    board.master_comes();
    assert_eq!((board.states()[1], board.pool().refused), (("failed", 1), 1));
    assert!(board.invites.is_empty(), "nobody calls as one who is not registered");
    board.is_alive = true;
    for _ in 0..200 {
        board.run_for(u64::from(board.invites.is_empty()));
    }
    assert_eq!(board.pool().registered, 1);
    let invite = board.invite();
    board.answer(&invite, 200);
    let (state, attempts) = board.states()[1];
    assert!(state == "joined" && attempts > 1, "{state} after {attempts}");
    board.ends();
}
