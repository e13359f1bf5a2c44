//! Phones that do whatever comes to their mind, in whatever order: no call may get stuck, leave
//! anything behind, or send media a command that makes no sense.

use super::*;
use crate::{entropy::Entropy, switch::Command, switch::CommandId};

const PLAN: &str = "
[office]
exten => 100,1,Answer()
same => n,Background(menu)
same => n,WaitExten(3)
same => n,Playback(menu&nope)
exten => 1,1,Goto(600,1)
exten => 2,1,Echo()
exten => i,1,Goto(100,1)
exten => t,1,Busy(5)
exten => 200,1,Ringing()
same => n,Wait(2)
same => n,Progress()
same => n,Playback(menu,noanswer)
same => n,Hangup(17)
exten => 300,1,Dial(PJSIP/bob&PJSIP/carol&PJSIP/alice,10,g)
same => n,Playback(menu)
exten => 600,1,Answer()
same => n,ConfBridge(600)
exten => h,1,NoOp()
";

/// Dial in all its forms, at the numbers that the phones dial.
const DIALS: &str = "
[office]
exten => 100,1,Dial(Local/200@office/n&PJSIP/carol,8,gm)
same => n,Playback(menu)
exten => 200,1,Dial(PJSIP/bob,10,gU(sub^x)A(menu)D(1:2)L(9000:5000:2000))
same => n,Dial(PJSIP/carol,5,tThHkKF(office^600^1))
exten => 300,1,Dial(PJSIP/bob&PJSIP/carol&PJSIP/alice,10,gb(sub^s^1(b))B(sub^s^1(c))e)
same => n,Dial(Local/300@office,,S(4)dr)
exten => 600,1,Answer()
same => n,MusicOnHold(default,2)
same => n,Dial(PJSIP/carol,10,G(office^1^1)M(m))
exten => 999,1,Dial(Local/100@office&Local/200@office,12,i)
exten => 1,1,Wait(1)
same => n,Wait(2)
same => n,Dial(PJSIP/alice,3,gac)
exten => h,1,NoOp()

[sub]
exten => s,1,NoOp(${ARG1})
same => n,Wait(1)
same => n,Set(GOSUB_RESULT=${IF($[${RAND(0,3)} = 0]?BUSY:)})
same => n,Return()

[macro-m]
exten => s,1,Playback(menu)
";

/// Calls that can be moved about.
const TRANSFERS: &str = "
[office]
exten => 100,1,Dial(PJSIP/bob,10,tThHg)
same => n,Playback(menu)
exten => 200,1,Dial(PJSIP/carol&PJSIP/bob,10,tT)
exten => 300,1,Dial(Local/100@office,10,tTgL(9000))
same => n,Wait(1)
exten => 600,1,Answer()
same => n,ConfBridge(600)
exten => 999,1,Pickup(100@office&200@office)
same => n,Dial(PJSIP/alice,8,TF(office^600^1))
exten => 1,1,Answer()
same => n,Wait(3)
exten => h,1,NoOp()
";

/// Calls that are put together and taken apart.
const BRIDGES: &str = "
[office]
exten => 100,1,Dial(PJSIP/bob,10,tThHg)
same => n,BridgeWait(lobby,participant,S(4)e(r))
same => n,Wait(2)
exten => 200,1,Bridge(PJSIP/carol,tTF(office^1^1))
same => n,Bridge(PJSIP/alice,S(5)p)
same => n,Bridge(PJSIP/bob,xHh)
same => n,BridgeAdd(PJSIP/alice)
exten => 300,1,BridgeAdd(PJSIP/bob)
same => n,BridgeAdd(PJSIP/carol)
same => n,Page(PJSIP/alice&PJSIP/bob,A(menu),4)
exten => 600,1,BridgeWait(lobby,announcer,S(3))
same => n,ConfBridge(600)
exten => 999,1,Page(PJSIP/alice&PJSIP/carol&Local/100@office,db(sub^s^1(b))q,6)
exten => 1,1,BridgeWait(,participant,n)
exten => h,1,NoOp()

[sub]
exten => s,1,Wait(1)
same => n,Return()
";

/// All there is, alike.
const ANYTHING: [u32; 17] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// Much that leads to calls, and to their transfer.
const TALKATIVE: [u32; 20] =
    [0, TALK, TALK, 3, TALK, 5, 7, 8, 8, 9, 10, 14, 16, 17, 17, 18, 19, 20, 21, 21];

#[test]
fn whatever_phones_do_to_each_others_calls_nothing_gets_stuck() {
    let mut transferred = 0;
    for seed in 0..200 {
        let walked = std::panic::catch_unwind(|| walk(TRANSFERS, &TALKATIVE, seed));
        transferred += walked.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(transferred > 50, "only {transferred} transfers");
}

#[test]
fn however_calls_are_bridged_held_and_paged_nothing_gets_stuck() {
    for seed in 0..200 {
        let walked = std::panic::catch_unwind(|| walk(BRIDGES, &TALKATIVE, seed));
        assert!(walked.is_ok(), "seed {seed}");
    }
}

#[test]
fn whatever_phones_do_nothing_gets_stuck() {
    for seed in 0..100 {
        let walked = std::panic::catch_unwind(|| walk(PLAN, &ANYTHING, seed));
        assert!(walked.is_ok(), "seed {seed}");
    }
}

#[test]
fn whatever_phones_do_to_a_dial_nothing_gets_stuck() {
    for seed in 0..100 {
        let walked = std::panic::catch_unwind(|| walk(DIALS, &ANYTHING, seed));
        assert!(walked.is_ok(), "seed {seed}");
    }
}

/// How many calls were transferred.
fn walk(plan: &str, steps: &[u32], seed: u64) -> usize {
    let mut entropy = Entropy::new(seed);
    let incoming = match seed % 3 {
        0 => IncomingCalls::Embedder,
        _ => IncomingCalls::DialplanThenEmbedder,
    };
    let config = SwitchConfig { incoming, shards: 2, ..config() };
    let prompts = [("menu", 1500), ("conf-onlyperson", 700), ("confbridge-join", 100)];
    let mut exchange = Exchange::lenient(config, plan, &prompts);
    exchange.media.restock = !seed.is_multiple_of(5);
    let mut phones: Vec<_> = ["alice", "bob", "carol"]
        .iter()
        .zip(1..)
        .map(|(name, host)| Phone::new(name, &format!("{name}-password"), host))
        .collect();
    for phone in &mut phones {
        let name = phone.name().to_owned();
        phone.register(&mut exchange, &name);
    }
    for _ in 0..40 {
        let phone = entropy.below(3) as usize;
        let kind = steps[entropy.below(steps.len() as u32) as usize];
        if kind == TALK {
            talk(&mut exchange, &mut phones, phone, &mut entropy);
        }
        step(&mut exchange, &mut phones[phone], kind, &mut entropy);
        let pause = Duration::from_millis(entropy.below(2500).into());
        exchange.run_for(pause);
    }
    exchange.switch.hang_up_all(exchange.now);
    exchange.run_for(secs(100));
    for phone in &mut phones {
        phone.pump(&mut exchange);
        let name = phone.name().to_owned();
        phone.forget_call();
        phone.unregister(&mut exchange, &name);
    }
    exchange.assert_nothing_left();
    let transfers =
        exchange.events.iter().filter(|it| matches!(it, SwitchEvent::CallTransferred { .. }));
    transfers.count()
}

/// A phone calls, and everybody answers.
fn talk(exchange: &mut Exchange, phones: &mut [Phone], caller: usize, entropy: &mut Entropy) {
    phones[caller].forget_call();
    phones[caller].dial(exchange, NUMBERS[entropy.below(6) as usize]);
    for other in (0..phones.len()).filter(|other| *other != caller) {
        phones[other].answer_whatever_comes(exchange, 200);
    }
    phones[caller].pump(exchange);
    phones[caller].ack(exchange);
}

const NUMBERS: [&str; 6] = ["100", "200", "300", "600", "999", "1"];

const TALK: u32 = 22;

fn step(exchange: &mut Exchange, phone: &mut Phone, kind: u32, entropy: &mut Entropy) {
    let call = exchange.some_call(entropy.next_u32());
    match kind {
        0 | 1 => {
            phone.forget_call();
            phone.dial(exchange, NUMBERS[entropy.below(6) as usize]);
        }
        2 => {
            phone.forget_call();
            phone.dial_with(exchange, "100", None);
        }
        3 => phone.ack(exchange),
        4 => phone.cancel(exchange),
        5 if phone.has_dialog() => phone.bye(exchange),
        6 if phone.has_dialog() => {
            phone.try_info(exchange, "Signal=1\r\nDuration=100");
        }
        7 if phone.has_dialog() => {
            let direction = ["sendonly", "inactive", "sendrecv"][entropy.below(3) as usize];
            phone.reinvite(exchange, direction);
        }
        8 => exchange.try_press(call, NUMBERS[entropy.below(6) as usize]),
        17 => exchange.try_press(call, ["#", "*", "1", "2"][entropy.below(4) as usize]),
        18 if phone.has_dialog() => {
            let to = format!("<sip:{}@127.0.0.1>", NUMBERS[entropy.below(6) as usize]);
            phone.try_refer(exchange, &to);
        }
        19 if phone.has_dialog() => {
            let Some(replaces) = exchange.replaces(call) else { return };
            let replaces = replaces.replace(';', "%3B").replace('=', "%3D");
            phone.try_refer(exchange, &format!("<sip:x@127.0.0.1?Replaces={replaces}>"));
        }
        20 => {
            let Some(replaces) = exchange.replaces(call) else { return };
            phone.forget_call();
            phone.dial_replacing(exchange, &replaces);
        }
        9 => phone.answer_whatever_comes(exchange, [180, 200, 486, 603][entropy.below(4) as usize]),
        10 => phone.pump(exchange),
        11 => exchange.try_media_event(call, entropy.below(4)),
        12 => {
            let verb = verb(entropy);
            let id = CommandId::new(1_000_000 + u64::from(entropy.next_u32()));
            exchange.switch.handle_command(Command::Call { id, call, verb }, exchange.now);
            exchange.tick();
        }
        13 => {
            let flow = crate::sip::Flow::udp(([127, 0, 0, 1], 5060).into(), phone.address());
            exchange.switch.handle_transport_error(flow, exchange.now);
            exchange.tick();
        }
        // Everybody answers.
        21 => phone.answer_whatever_comes(exchange, 200),
        14 | 15 => phone.answer_early(exchange, [200, 200, 486][entropy.below(3) as usize]),
        _ => exchange.tick(),
    }
}

fn verb(entropy: &mut Entropy) -> Verb {
    let menu = || vec![PlayPart::Named("menu".into()), PlayPart::Silence(secs(1))];
    match entropy.below(10) {
        0 => Verb::Answer,
        1 => Verb::Ring,
        2 => Verb::Progress,
        3 => Verb::Play { parts: menu(), stop: DigitSet::ALL },
        4 => Verb::ReadDigits(ReadDigits::default()),
        5 => Verb::JoinRoom(crate::switch::JoinRoom {
            room: "600".into(),
            bridge_profile: None,
            user_profile: None,
        }),
        6 => Verb::LeaveRoom,
        7 => Verb::Echo,
        8 => Verb::RunDialplan { context: "office".into(), extension: "100".into() },
        _ => Verb::Hangup(Cause::NORMAL_CLEARING),
    }
}
