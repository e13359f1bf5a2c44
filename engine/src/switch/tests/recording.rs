//! Calls that are recorded.

use diesis_sounds::convert::target::Target;

use super::*;
use crate::{
    config::ConferenceRecording,
    media::{TapSource, TapState},
    recording::{Existing, Fate, RecordingSettings, Track},
    switch::{RoomChange, RoomError, RoomOrder},
};

/// Alice has dialled 100, which runs these applications, with an `h` extension that tells how it was.
fn dialled(applications: &[&str]) -> (Exchange, Phone, ChannelId) {
    answered(applications, |_| {})
}

fn answered(
    applications: &[&str],
    prepare: impl FnOnce(&mut Exchange),
) -> (Exchange, Phone, ChannelId) {
    let mut dialplan = String::from("[office]\n");
    for (number, application) in applications.iter().enumerate() {
        dialplan += &format!("exten => 100,{},{application}\n", number + 1);
    }
    dialplan += "exten => h,1,NoOp(${RECORD_STATUS} ${RECORDED_FILE})\n";
    let settings = RecordingSettings {
        directory: Some("/spool/monitor".into()),
        sounds: Some("/sounds".into()),
        allowed: Vec::new(),
    };
    let config = SwitchConfig { recordings: settings, ..config() };
    let mut exchange = Exchange::new(config, &dialplan, &[("beep", 300)]);
    prepare(&mut exchange);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    if alice.last_status() == Some(200) {
        alice.ack(&mut exchange);
    }
    exchange.run_for(secs(1));
    let call = exchange.first_call();
    (exchange, alice, call)
}

fn last_step(exchange: &Exchange) -> String {
    exchange.steps().pop().unwrap_or_default()
}

const TELL: &str = "NoOp(${RECORD_STATUS} ${RECORDED_FILE})";

#[test]
fn a_recording_begins_after_the_beep_and_ends_with_a_key() {
    let (mut exchange, _, call) = dialled(&["Record(custom/menu.wav,3,60)", TELL, "Wait(60)"]);
    assert_eq!(exchange.played(call), ["beep"]);
    assert_eq!(exchange.media.taps(), [(1, TapSource::Received, TapState::Open)]);
    let file = &exchange.recorder.begun[0].files[0];
    assert_eq!(file.path.to_str(), Some("/sounds/custom/menu.wav"));
    assert_eq!((file.format, file.existing), (Target::default(), Existing::Replaced));
    assert_eq!(file.format.rate, 8000);
    // Other keys are nothing to it.
    exchange.press(call, "15*");
    assert_eq!(exchange.media.taps().len(), 1);
    exchange.press(call, "#");
    assert_eq!(exchange.media.taps(), []);
    let (_, trim, fate) = exchange.recorder.ended[0];
    assert_eq!((trim, fate), (Duration::from_millis(250), Fate::Kept));
    assert!(exchange.steps().contains(&"100,2 NoOp(DTMF custom/menu)".into()));
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn the_options_say_which_keys_end_it_and_what_stays() {
    for (options, keys, status, trim, name) in [
        ("t", "#1*", "DTMF", 250, "m"),
        ("y", "7", "DTMF", 250, "m"),
        ("o", "0", "OPERATOR", 250, "m"),
        ("ox", "#*0", "OPERATOR", 250, "m"),
        ("u", "#", "DTMF", 0, "m"),
        ("q", "#", "DTMF", 250, "m"),
        ("", "#", "DTMF", 250, "m7"),
    ] {
        let file = if name == "m7" { "m%d" } else { "m" };
        let record = format!("Record({file}:ulaw,,,{options})");
        let (mut exchange, _, call) = dialled(&[&record, TELL, "Wait(9)"]);
        let beeps = usize::from(!options.contains('q'));
        assert_eq!(exchange.played(call).len(), beeps, "{options}");
        exchange.press(call, keys);
        let told = format!("100,2 NoOp({status} {name})");
        assert!(exchange.steps().contains(&told), "{options}: {:?}", exchange.steps());
        assert_eq!(exchange.recorder.ended[0].1, Duration::from_millis(trim), "{options}");
    }
}

#[test]
fn a_silence_and_the_limit_end_it() {
    let silent = |exchange: &mut Exchange| exchange.media.silent = true;
    let (mut exchange, ..) = answered(&["Record(m.wav,4)", TELL, "Wait(60)"], silent);
    exchange.run_for(secs(3));
    assert_eq!(exchange.media.taps().len(), 1);
    exchange.run_for(secs(1));
    assert!(exchange.steps().contains(&"100,2 NoOp(SILENCE m)".into()));
    // A second of the silence stays.
    assert_eq!(exchange.recorder.ended[0].1, secs(3));

    let (mut exchange, ..) = dialled(&["Record(m.wav,4,10,a)", TELL, "Wait(60)"]);
    assert_eq!(exchange.recorder.begun[0].files[0].existing, Existing::Continued);
    exchange.run_for(secs(9));
    assert_eq!(exchange.media.taps().len(), 1);
    exchange.run_for(secs(1));
    assert!(exchange.steps().contains(&"100,2 NoOp(TIMEOUT m)".into()));
    assert_eq!(exchange.recorder.ended[0].1, Duration::ZERO);
}

#[test]
fn a_hang_up_deletes_it_unless_the_dialplan_keeps_it() {
    for (options, fate) in [("", Fate::Deleted), ("k", Fate::Kept)] {
        let record = format!("Record(m%d.wav,,,{options})");
        let (mut exchange, mut alice, _) = dialled(&[&record]);
        alice.bye(&mut exchange);
        assert_eq!(exchange.recorder.ended[0].2, fate);
        assert_eq!(last_step(&exchange), "h,1 NoOp(HANGUP m7)");
        exchange.assert_nothing_left();
    }
}

#[test]
fn what_can_not_be_recorded_is_an_error_and_the_call_goes_on() {
    for (record, prepare) in [
        ("Record(m.mp3)", false),
        ("Record(../m.wav)", false),
        ("Record(/etc/m.wav)", false),
        ("Record(m.wav)", true),
    ] {
        let (exchange, ..) = answered(&[record, TELL, "Wait(60)"], |exchange| {
            exchange.recorder.refuses = prepare;
        });
        let told = exchange.steps().iter().any(|step| step.starts_with("100,2 NoOp(ERROR "));
        assert!(told, "{record}: {:?}", exchange.steps());
        assert_eq!(exchange.switch.call_count(), 1);
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_call() {
    let (mut exchange, _, _) = dialled(&["Record(m.wav)", TELL, "Wait(60)"]);
    let failure = exchange.recorder.failure();
    exchange.switch.handle_recording(failure, exchange.now);
    exchange.tick();
    assert!(exchange.steps().contains(&"100,2 NoOp(ERROR m)".into()), "{:?}", exchange.steps());
    assert_eq!((exchange.media.taps().len(), exchange.switch.call_count()), (0, 1));
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn an_unanswered_call_is_answered_skipped_or_recorded_early() {
    let (exchange, alice, _) = dialled(&["Record(m.wav)"]);
    assert_eq!((alice.last_status(), exchange.media.taps().len()), (Some(200), 1));
    let (exchange, ..) = dialled(&["Record(m.wav,,,s)", TELL, "Wait(9)"]);
    assert!(exchange.steps().contains(&"100,2 NoOp(SKIP )".into()), "{:?}", exchange.steps());
    let (exchange, alice, _) = dialled(&["Record(m.wav,,,n)"]);
    assert_eq!((alice.last_status(), exchange.media.taps().len()), (Some(183), 1));
}

#[test]
fn whatever_abandons_the_dialplan_ends_the_recording() {
    let limited = ["Set(TIMEOUT(absolute)=5)", "Record(m.wav)", TELL];
    let (mut exchange, ..) = dialled(&limited);
    exchange.run_for(secs(6));
    assert_eq!(exchange.media.taps(), []);
    assert_eq!(exchange.recorder.ended.len(), 1);
    exchange.assert_nothing_left();
}

#[test]
fn a_monitor_records_both_sides_until_it_is_stopped() {
    let (mut exchange, ..) = dialled(&[
        "Answer()",
        "MixMonitor(in/${EXTEN}.wav,ai(id)v(2)W(-1)r(r.ulaw)t(t.sln))",
        "NoOp(${MIXMONITOR_FILENAME} ${id})",
        "Wait(2)",
        "StopMixMonitor(${id})",
        "Wait(9)",
    ]);
    let begun = &exchange.recorder.begun[0];
    assert_eq!((begun.volumes.heard, begun.volumes.sent), (2, -1));
    let files: Vec<_> = begun.files.iter().map(|file| (file.path.to_str(), file.track)).collect();
    let expected = [
        (Some("/spool/monitor/in/100.wav"), Track::Mixed),
        (Some("/spool/monitor/r.ulaw"), Track::Heard),
        (Some("/spool/monitor/t.sln"), Track::Sent),
    ];
    assert_eq!(files, expected);
    assert_eq!(begun.files[0].existing, Existing::Continued);
    let told = format!("100,3 NoOp(/spool/monitor/in/100.wav {})", begun.id.number());
    assert!(exchange.steps().contains(&told), "{:?}", exchange.steps());
    assert_eq!(exchange.media.taps(), [(1, TapSource::Apart, TapState::Open)]);
    exchange.run_for(secs(2));
    assert_eq!((exchange.media.taps().len(), exchange.recorder.ended.len()), (0, 1));
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn a_monitor_waits_for_media_and_ends_with_the_call() {
    for (options, fate) in [("", Fate::Kept), ("d", Fate::Deleted)] {
        let monitor = format!("MixMonitor(early.wav,{options})");
        let (mut exchange, mut alice, _) =
            dialled(&["Ringing()", &monitor, "Wait(5)", "Answer()", "Wait(60)"]);
        assert_eq!((exchange.recorder.begun.len(), exchange.media.taps()), (1, vec![]));
        exchange.run_for(secs(5));
        assert_eq!(exchange.media.taps().len(), 1);
        alice.ack(&mut exchange);
        alice.bye(&mut exchange);
        assert_eq!(exchange.recorder.ended[0].2, fate);
        exchange.assert_nothing_left();
    }
}

#[test]
fn a_monitor_pauses_where_it_is_told_to_and_outside_of_bridges() {
    let (mut exchange, ..) = dialled(&[
        "Answer()",
        "MixMonitor(x.wav)",
        "MixMonitor(b.wav,b)",
        "Wait(2)",
        "PauseMonitor()",
        "Wait(2)",
        "UnpauseMonitor()",
        "ConfBridge(7)",
    ]);
    let states = |exchange: &Exchange| -> Vec<_> {
        exchange.media.taps().into_iter().map(|(_, _, state)| state).collect()
    };
    assert_eq!(states(&exchange), [TapState::Open, TapState::Paused]);
    exchange.run_for(secs(2));
    assert_eq!(states(&exchange), [TapState::Paused, TapState::Paused]);
    exchange.run_for(secs(4));
    assert_eq!(states(&exchange), [TapState::Open, TapState::Open]);
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn a_call_that_can_not_be_monitored_goes_on() {
    for monitor in ["MixMonitor(x.mp3)", "MixMonitor(/etc/x.wav)", "MixMonitor(../x.wav)"] {
        let (exchange, ..) = dialled(&["Answer()", monitor, "NoOp(on)", "Wait(9)"]);
        assert!(exchange.steps().contains(&"100,3 NoOp(on)".into()), "{monitor}");
        assert!(exchange.recorder.begun.is_empty());
    }
    let (mut exchange, ..) = answered(&["Answer()", "MixMonitor(x.wav)", "Wait(9)"], |exchange| {
        exchange.recorder.refuses = true;
    });
    assert_eq!((exchange.switch.call_count(), exchange.media.taps()), (1, vec![]));
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn beeps_tell_of_a_monitor() {
    let (mut exchange, ..) = dialled(&[
        "Answer()",
        "MixMonitor(x.wav,pPB(10))",
        "WaitExten(25)",
        "StopMixMonitor()",
        "Wait(9)",
    ]);
    let beeps =
        |exchange: &Exchange| exchange.asked.iter().filter(|(name, _)| name == "beep").count();
    exchange.run_for(secs(1));
    assert_eq!(beeps(&exchange), 1);
    exchange.run_for(secs(20));
    assert_eq!(beeps(&exchange), 3);
    exchange.switch.hang_up_all(exchange.now);
    exchange.assert_nothing_left();
}

#[test]
fn a_conference_is_recorded_as_its_profile_says() {
    let mut settings = crate::config::ConferenceSettings::default();
    let mut profile = crate::config::BridgeProfile::new("recorded");
    let how = ConferenceRecording { file: "meet/room.ulaw".into(), ..Default::default() };
    (profile.records, profile.recording) = (true, how);
    settings.bridges.insert(profile).expect("a new profile");
    let recordings = RecordingSettings {
        directory: Some("/spool/monitor".into()),
        ..RecordingSettings::default()
    };
    let config = SwitchConfig { recordings, conferences: Arc::new(settings), ..config() };
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,ConfBridge(7,recorded)\n";
    let mut exchange = Exchange::new(config, plan, &[]);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    let begun = &exchange.recorder.begun;
    assert_eq!(begun.len(), 1);
    let (time, path) = (exchange.now.wall.as_second() - 1, begun[0].files[0].path.display());
    let path = path.to_string();
    let expected = [time, time + 1].map(|time| format!("/spool/monitor/meet/room-{time}.ulaw"));
    assert!(expected.contains(&path), "{path}");
    assert_eq!(begun[0].files[0].existing, Existing::Continued);
    alice.bye(&mut exchange);
    assert_eq!(exchange.recorder.ended.len(), 1);
    exchange.assert_nothing_left();
}

#[test]
fn an_operator_records_a_conference_in_one_file_after_another_and_is_told_what_fails() {
    let recordings = RecordingSettings {
        directory: Some("/spool/monitor".into()),
        ..RecordingSettings::default()
    };
    let config = SwitchConfig { recordings, ..config() };
    let plan = "[office]\nexten => 100,1,Answer()\nsame => n,ConfBridge(7)\n";
    let mut exchange = Exchange::new(config, plan, &[]);
    let mut alice = alice();
    alice.dial(&mut exchange, "100");
    alice.ack(&mut exchange);
    exchange.run_for(secs(1));
    let order = |exchange: &mut Exchange, order| {
        let done = exchange.switch.order_room("7".into(), order, exchange.now);
        exchange.tick();
        done
    };
    let record = |file: &str| RoomOrder::Record { file: Some(file.into()) };
    for refused in ["/etc/board.wav", "../board.wav", "board.mp3"] {
        let done = order(&mut exchange, record(refused));
        assert!(matches!(done, Err(RoomError::NoFile(_))), "{refused}: {done:?}");
        assert!(!exchange.switch.view_rooms()[0].is_recorded);
    }
    for file in ["one.wav", "two.wav"] {
        assert_eq!(order(&mut exchange, record(file)), Ok(1));
        assert_eq!(order(&mut exchange, RoomOrder::StopRecording), Ok(1));
    }
    let begun = exchange.recorder.begun.iter().map(|it| it.files[0].path.display().to_string());
    assert_eq!(begun.collect::<Vec<_>>(), ["/spool/monitor/one.wav", "/spool/monitor/two.wav"]);
    assert_eq!(exchange.recorder.ended.len(), 2);

    // A full disk, and a file that can not be begun: neither counts as recorded.
    assert_eq!(order(&mut exchange, record("three.wav")), Ok(1));
    let failure = exchange.recorder.failure();
    exchange.switch.handle_recording(failure, exchange.now);
    exchange.tick();
    assert!(!exchange.switch.view_rooms()[0].is_recorded);
    exchange.recorder.refuses = true;
    assert_eq!(order(&mut exchange, record("four.wav")), Ok(1));
    exchange.tick();
    assert!(!exchange.switch.view_rooms()[0].is_recorded);
    let stopped =
        SwitchEvent::RoomChanged { room: "7".into(), change: RoomChange::RecordingStopped };
    assert_eq!(exchange.events.iter().filter(|&it| *it == stopped).count(), 4);
    alice.bye(&mut exchange);
    exchange.assert_nothing_left();
}
