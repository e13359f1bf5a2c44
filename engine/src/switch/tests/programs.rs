//! Calls that speak with programs.

use super::*;
use crate::{
    config::{MessageFormat, Permitted, ProgramSettings, WebSocketClient},
    media::{AudioFormat, TapSource, TapState},
    program::{Origin, ProgramNews, Protocol, SpeechUse, WebSocket},
};

const TALK: &str = "AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,robot.example:9092)";

/// Alice has dialled 100, which runs these applications.
fn dialled(applications: &[&str], prepare: impl FnOnce(&mut Exchange)) -> (Exchange, ChannelId) {
    let mut dialplan = String::from("[globals]\nROBOT=robot.example\n[office]\n");
    for (number, application) in applications.iter().enumerate() {
        dialplan += &format!("exten => 100,{},{application}\n", number + 1);
    }
    dialplan += "exten => h,1,NoOp(over)\n";
    let client = WebSocketClient::new("ws://robot.example/media");
    let programs = ProgramSettings {
        clients: [("robot".into(), Arc::new(client))].into(),
        ..ProgramSettings::default()
    };
    let config = SwitchConfig { programs: Arc::new(programs), ..config() };
    let mut exchange = Exchange::new(config, &dialplan, &[("beep", 300)]);
    prepare(&mut exchange);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    if alice.last_status() == Some(200) {
        alice.ack(&mut exchange);
    }
    exchange.run_for(secs(1));
    let call = exchange.first_call();
    (exchange, call)
}

#[test]
fn an_audio_socket_gives_the_program_both_rings_and_every_key() {
    let (mut exchange, call) = dialled(&["Answer()", TALK, "NoOp(next)", "Wait(60)"], |_| {});
    let wanted = &exchange.programs.begun[0].wanted;
    let Protocol::AudioSocket { host, port, uuid, rate } = &wanted.protocol else {
        panic!("{wanted:?}");
    };
    assert_eq!((host.as_slice(), *port, uuid[0], *rate), (&b"robot.example"[..], 9092, 0x40, 8000));
    assert_eq!((&wanted.origin, wanted.speech), (&Origin::Operator, SpeechUse::Heard));
    assert_eq!(exchange.media.taps(), [(1, TapSource::Received, TapState::Open)]);
    assert_eq!(exchange.media.voices.len(), 1);
    exchange.press(call, "12#");
    assert_eq!(exchange.programs.keys, "12#");
    let news = exchange.programs.hangup();
    exchange.switch.handle_program(news, exchange.now);
    exchange.tick();
    assert!(exchange.steps().contains(&"100,3 NoOp(next)".into()), "{:?}", exchange.steps());
    assert!(exchange.media.taps().is_empty() && exchange.media.voices.is_empty());
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn a_program_that_can_not_be_reached_hangs_up_as_in_asterisk() {
    let (mut exchange, _) = dialled(&["Answer()", TALK, "NoOp(next)"], |exchange| {
        exchange.programs.refuse = true;
    });
    assert!(exchange.steps().contains(&"h,1 NoOp(over)".into()), "{:?}", exchange.steps());
    assert!(!exchange.steps().contains(&"100,3 NoOp(next)".into()));
    exchange.assert_nothing_left();
}

#[test]
fn a_hangup_leaves_the_program() {
    let (mut exchange, _) = dialled(&["Answer()", TALK], |_| {});
    exchange.switch.hang_up_all(exchange.now);
    exchange.run_for(secs(1));
    assert_eq!(exchange.programs.left.len(), 1);
    exchange.assert_nothing_left();
}

#[test]
fn a_place_from_a_variable_is_known_to_be_one() {
    let talk = TALK.replace("robot.example", "${ROBOT}");
    let (exchange, _) = dialled(&["Answer()", &talk], |_| {});
    let origin = &exchange.programs.begun[0].wanted.origin;
    assert_eq!(*origin, Origin::Variable(Arc::new(Permitted::default())));
}

#[test]
fn what_is_no_uuid_and_no_place_hangs_up() {
    for arguments in [
        "",
        "x",
        "40325ec2-5efd-4bd3-805f-53576e581d13",
        "x,robot:1",
        "40325ec2-5efd-4bd3-805f-53576e581d13,robot",
    ] {
        let talk = format!("AudioSocket({arguments})");
        let (mut exchange, _) = dialled(&["Answer()", &talk, "NoOp(next)"], |_| {});
        assert!(exchange.programs.begun.is_empty(), "{arguments}");
        assert!(exchange.steps().contains(&"h,1 NoOp(over)".into()), "{arguments}");
        exchange.assert_nothing_left();
    }
}

fn web_socket(exchange: &Exchange) -> &WebSocket {
    match &exchange.programs.begun.last().expect("a program").wanted.protocol {
        Protocol::WebSocket(how) => how,
        other => panic!("{other:?}"),
    }
}

const STATUS: &str = "NoOp(${DIALSTATUS})";

#[test]
fn a_program_is_dialled_answers_and_hangs_up() {
    let dial = "Dial(WebSocket/robot/c(slin16)f(json)v(a=1,b=2),10,g)";
    let (mut exchange, call) = dialled(&[dial, STATUS, "Wait(60)"], |_| {});
    let how = web_socket(&exchange);
    assert_eq!((how.format, how.messages), (AudioFormat::Linear(16_000), MessageFormat::Json));
    assert_eq!((how.parameters.as_slice(), how.connection.as_str()), (&b"a=1&b=2"[..], "robot"));
    assert!(exchange.switch.calls[&call].is_up(), "it is answered as soon as the program is there");
    assert_eq!((exchange.media.taps().len(), exchange.media.voices.len()), (1, 1));
    exchange.press(call, "4");
    assert_eq!(exchange.programs.keys, "4");
    let news = exchange.programs.hangup();
    exchange.switch.handle_program(news, exchange.now);
    exchange.tick();
    assert!(exchange.steps().contains(&"100,2 NoOp(ANSWER)".into()), "{:?}", exchange.steps());
    assert!(exchange.media.taps().is_empty() && exchange.media.voices.is_empty());
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn a_program_that_answers_itself_is_waited_for() {
    let (mut exchange, call) =
        dialled(&["Dial(WebSocket/robot/nc(ulaw),10,rg)", STATUS, "Wait(60)"], |_| {});
    assert!(!exchange.switch.calls[&call].is_up());
    let id = exchange.programs.begun[0].id;
    exchange.switch.handle_program(ProgramNews::Answer { id }, exchange.now);
    exchange.tick();
    assert!(exchange.switch.calls[&call].is_up());
    // Its rings were kept until there was media.
    assert_eq!((exchange.media.taps().len(), exchange.media.voices.len()), (1, 1));
    exchange.switch.hang_up_all(exchange.now);
    exchange.run_for(secs(1));
    assert_eq!(exchange.programs.left.len(), 1);
    exchange.assert_nothing_left();
}

#[test]
fn a_program_that_does_not_answer_or_is_not_there_has_its_status() {
    for (dial, refuse, status) in [
        ("Dial(WebSocket/robot/n,3)", false, "NOANSWER"),
        ("Dial(WebSocket/robot)", true, "CHANUNAVAIL"),
        ("Dial(WebSocket/nobody)", false, "CHANUNAVAIL"),
        ("Dial(WebSocket/robot/c(opus))", false, "CHANUNAVAIL"),
        ("Dial(WebSocket/robot&PJSIP/bob)", false, "CHANUNAVAIL"),
        ("Dial(AudioSocket/robot:1/x)", false, "CHANUNAVAIL"),
        (
            "Dial(AudioSocket/robot:1/40325ec2-5efd-4bd3-805f-53576e581d13/c(ulaw))",
            false,
            "CHANUNAVAIL",
        ),
    ] {
        let (mut exchange, _) =
            dialled(&[dial, STATUS, "Hangup()"], |exchange| exchange.programs.refuse = refuse);
        exchange.run_for(secs(5));
        let told = format!("100,2 NoOp({status})");
        assert!(exchange.steps().contains(&told), "{dial}: {:?}", exchange.steps());
        exchange.assert_nothing_left();
    }
}

#[test]
fn a_fork_runs_beside_the_dialplan_until_it_is_stopped() {
    let fork = "AudioFork(ws://robot.example/x,D(apart)ti(FORK)c(alaw))";
    let steps =
        ["Answer()", fork, "NoOp(${FORK})", "Wait(1)", "StopAudioFork(${FORK})", "Wait(60)"];
    let (mut exchange, _) = dialled(&steps, |_| {});
    let wanted = &exchange.programs.begun[0].wanted;
    assert_eq!((wanted.hears, wanted.speech), (TapSource::Apart, SpeechUse::Heard));
    assert_eq!(wanted.origin, Origin::Operator);
    assert_eq!(web_socket(&exchange).format, AudioFormat::Law(crate::media::Law::A));
    let id = exchange.programs.begun[0].id;
    assert!(exchange.steps().contains(&format!("100,3 NoOp({id})")), "{:?}", exchange.steps());
    assert_eq!((exchange.media.taps().len(), exchange.media.voices.len()), (1, 1));
    exchange.run_for(secs(2));
    assert_eq!((exchange.media.taps().len(), exchange.media.voices.len()), (0, 0));
    assert_eq!(exchange.programs.left, [id]);
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn forks_that_can_not_be_leave_the_call_as_it_is() {
    for fork in [
        "AudioFork()",
        "AudioFork(nobody)",
        "AudioFork(robot,D(up))",
        "AudioFork(robot,c(g729))",
        "AudioFork(robot,f(xml))",
    ] {
        let (mut exchange, _) = dialled(&["Answer()", fork, "NoOp(on)", "Wait(60)"], |_| {});
        assert!(exchange.steps().contains(&"100,3 NoOp(on)".into()), "{fork}");
        assert!(exchange.programs.begun.is_empty(), "{fork}");
        exchange.switch.hang_up_all(exchange.now);
        exchange.assert_nothing_left();
    }
    let many = [
        "Answer()",
        "AudioFork(robot)",
        "AudioFork(robot)",
        "AudioFork(robot)",
        "AudioFork(robot)",
        "NoOp(on)",
        "Wait(60)",
    ];
    let (mut exchange, _) = dialled(&many, |_| {});
    assert_eq!(exchange.programs.begun.len(), 3);
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}
