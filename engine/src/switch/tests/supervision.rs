//! Calls for users of `rules.conf`, seen and taken by those whom they let.

use diesis_dialplan::conf::MemoryFiles;

use super::*;
use crate::{
    config::{Configuration, Groups},
    sip::HeaderName,
    switch::{SupervisedCall, SupervisedCaller, SupervisedState},
};

const DIALPLAN: &str = "[office]\nexten => 1001,1,Rules(boss)\nsame => n,Hangup()\n\
                        exten => 1009,1,Dial(PJSIP/1001,30)\n";
const RULES: &str = "[general]\nWAITTIMENOREPLY=20\ndial=PJSIP/{number}\n\
    [desk]\ntype=group\n\
    [anna]\ntype=user\nnumber=1002\ndevice=PJSIP/1002\ngroup=desk\n\
    [eve]\ntype=user\nnumber=1003\n\
    [late]\ntype=rule\nuser=boss\npriority=10\nforward=noanswer\ntarget=1002\n\
    [boss]\ntype=user\nnumber=1001\ndevice=PJSIP/1001\nAuthorizeShareRulesGroup=desk\n";

struct House {
    exchange: Exchange,
    alice: Phone,
    boss: Phone,
    anna: Phone,
}

/// Alice, the boss and Anna, and what the boss lets the desk do.
fn house(rights: &str) -> House {
    let files = MemoryFiles::new()
        .with("extensions.conf", DIALPLAN)
        .with("rules.conf", [RULES, rights].concat())
        .with("pjsip.conf", "");
    let loaded = Configuration::load(&files);
    let said: Vec<String> = loaded.findings().map(|it| it.to_string()).collect();
    assert!(!loaded.is_refused(), "{said:?}");
    let plan = Arc::into_inner(loaded.configuration.plan).expect("nobody else has it");
    let mut settings = SipSettings::default();
    let group = Groups { numbers: 2, ..Groups::default() };
    for name in ["alice", "1001", "1002"] {
        let (call_groups, pickup_groups) = (group.clone(), group.clone());
        let peer = Peer { call_groups, pickup_groups, ..peer(name, "office") };
        settings.peers.insert(peer).expect("a new name");
        settings.aors.insert(aor(name)).expect("a new name");
    }
    let config = SwitchConfig { sip: Arc::new(settings), ..config() };
    let mut exchange = Exchange::with_plan(config, plan, &[]);
    let mut boss = Phone::new("1001", "1001-password", 2);
    let mut anna = Phone::new("1002", "1002-password", 3);
    assert_eq!(boss.register(&mut exchange, "1001"), 200);
    assert_eq!(anna.register(&mut exchange, "1002"), 200);
    House { exchange, alice: alice(), boss, anna }
}

impl House {
    /// What somebody sees of the boss's calls.
    fn seen(&self, by: &str) -> Result<Vec<SupervisedCall>, String> {
        let seen = self.exchange.switch.view_supervised(b"boss", Some(by.as_bytes()));
        seen.map_err(|error| error.to_string())
    }

    /// The states that the desk was told of, each with the rule.
    fn told(&self) -> Vec<(SupervisedState, Option<u32>)> {
        let told = self.exchange.events.iter().filter_map(|event| match event {
            SwitchEvent::Supervised { call, groups } => {
                assert_eq!((call.user.as_slice(), groups.len()), (&b"boss"[..], 1));
                Some((call.state, call.rule.as_ref().map(|(rule, _)| *rule)))
            }
            _ => None,
        });
        told.collect()
    }

    /// Alice calls, the boss does not answer, Anna does and hears Alice hang up.
    fn forwarded(&mut self, look: impl Fn(&Self, &str)) {
        self.alice.dial(&mut self.exchange, "1001");
        let to_boss = self.boss.take_invite(&mut self.exchange);
        self.boss.answer_call(&mut self.exchange, &to_boss, 180);
        look(self, "at the boss");
        self.exchange.run_for(secs(21));
        self.boss.answer_call(&mut self.exchange, &to_boss, 487);
        let to_anna = self.anna.take_invite(&mut self.exchange);
        self.anna.answer_call(&mut self.exchange, &to_anna, 180);
        look(self, "at Anna");
        self.anna.answer_call(&mut self.exchange, &to_anna, 200);
        self.alice.pump(&mut self.exchange);
        assert_eq!(self.alice.last_status(), Some(200));
        self.alice.ack(&mut self.exchange);
        look(self, "answered");
        self.alice.bye(&mut self.exchange);
        self.exchange.run_for(secs(2));
        look(self, "over");
    }
}

#[test]
fn rul_6_the_group_sees_who_calls_how_far_it_is_and_which_rule_forwards() {
    let mut house = house("AuthorizeSupervisionInformation=yes\n");
    house.forwarded(|house, when| {
        let seen = house.seen("anna").expect("the right is there");
        assert_eq!(seen, house.seen("boss").expect("they are his own"), "{when}");
        let told = seen.first().map(|call| (call.state, call.rule.clone()));
        let rule = Some((10, "1002".into()));
        match when {
            "at the boss" => assert_eq!(told, Some((SupervisedState::Ringing, None))),
            "at Anna" => assert_eq!(told, Some((SupervisedState::Ringing, rule))),
            "answered" => assert_eq!(told, Some((SupervisedState::Answered, rule))),
            _ => assert_eq!(told, None),
        }
        for call in &seen {
            let (number, name) = ("alice".into(), "".into());
            assert_eq!(call.caller, SupervisedCaller::Shown { number, name });
            let age = house.exchange.now.instant.duration_since(call.since);
            assert_eq!(age >= secs(20), when == "at Anna", "{when}: {age:?}");
        }
    });
    let told = house.told().into_iter().map(|(state, rule)| (state.as_str(), rule));
    let ten = Some(10);
    let wanted = [("ringing", None), ("ringing", ten), ("answered", ten), ("over", ten)];
    assert_eq!(told.collect::<Vec<_>>(), wanted);
    house.exchange.assert_nothing_left();
}

#[test]
fn rul_6_from_answer_on_nothing_is_seen_before() {
    let mut house = house("AuthorizeSupervisionInformation=answered\n");
    house.forwarded(|house, when| {
        let seen = house.seen("anna").expect("the right is there");
        assert_eq!(seen.len(), usize::from(when == "answered"), "{when}");
    });
    let states: Vec<_> = house.told().iter().map(|(state, _)| *state).collect();
    assert_eq!(states, [SupervisedState::Answered, SupervisedState::Over]);
}

#[test]
fn rul_6_who_has_no_right_to_see_calls_is_told_which_one_is_missing() {
    let mut house = house("");
    house.forwarded(|house, _| {
        for (by, words) in [
            ("anna", "anna may not see the calls of boss (AuthorizeSupervisionInformation)"),
            ("eve", "eve may not see the calls of boss (AuthorizeShareRulesGroup)"),
            ("nobody", "rules.conf has no user \"nobody\"; see `diesis rules list`"),
        ] {
            assert_eq!(house.seen(by), Err(words.to_owned()));
        }
    });
    assert_eq!(house.told(), []);
}

#[test]
fn rul_6_of_a_withheld_caller_nothing_is_told() {
    let mut house = house("AuthorizeSupervisionInformation=yes\n");
    house.alice.extra.push(HeaderName::Privacy, "id");
    // No Rules(): the boss's telephone is dialled.
    house.alice.dial(&mut house.exchange, "1009");
    let to_boss = house.boss.take_invite(&mut house.exchange);
    house.boss.answer_call(&mut house.exchange, &to_boss, 180);
    let seen = house.seen("anna").expect("the right is there");
    assert_eq!(seen.len(), 1);
    assert_eq!((&seen[0].caller, &seen[0].rule), (&SupervisedCaller::Withheld, &None));
    assert_eq!(seen[0].channel, "", "it is named after the caller's telephone");
    let told = house.exchange.events.iter().any(|event| {
        matches!(event, SwitchEvent::Supervised { call, .. } if call.caller == SupervisedCaller::Withheld)
    });
    assert!(told);
}

#[test]
fn rul_6_a_member_of_the_group_takes_a_call_by_the_right_alone() {
    for (rights, status) in [("", 603), ("AuthorizeInterception=yes\n", 200)] {
        let mut house = house(rights);
        house.alice.dial(&mut house.exchange, "1001");
        let to_boss = house.boss.take_invite(&mut house.exchange);
        house.boss.answer_call(&mut house.exchange, &to_boss, 180);
        house.anna.dial(&mut house.exchange, "*8");
        assert_eq!(house.anna.last_status(), Some(status), "{rights}");
    }
    // Of one with whom nothing is shared, the groups of pjsip.conf decide.
    let mut house = house("");
    house.alice.dial(&mut house.exchange, "1001");
    let to_boss = house.boss.take_invite(&mut house.exchange);
    house.boss.answer_call(&mut house.exchange, &to_boss, 180);
    let mut other = Phone::new("alice", "alice-password", 7);
    other.dial(&mut house.exchange, "*8");
    assert_eq!(other.last_status(), Some(200));
}
