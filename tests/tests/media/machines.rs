//! Who answered, and when a machine's beep is over: as over G.711 in every codec, in whatever packets,
//! whatever becomes of pauses and of some packets.

use std::fs;
use std::path::Path;
use std::time::Duration;

use diesis_engine::media::{Answerer, MachineSettings, Noticed, Watch};
use diesis_sounds::{g711, prompts::Library};
use diesis_tests::hearing::tone;
use diesis_tests::virtual_media::{VirtualRoom, Way};
use diesis_tests::voice::{Encoding, Pauses, Voice};

const BAD: Way = Way { lost: 50, doubled: 20, jitter: 40, drift: 0 };

/// How a phone sends, and what the network does with it.
#[derive(Debug, Clone, Copy)]
struct Line {
    encoding: Encoding,
    packet_time: usize,
    pauses: Pauses,
    way: Way,
    seed: u64,
}

/// Each encoding over good and bad networks, in packets of two lengths, with pauses of all kinds.
fn lines() -> Vec<Line> {
    let good = Way::default();
    let mut lines = vec![];
    for encoding in Encoding::ALL {
        for (seed, packet_time, pauses, way) in [
            (0, 20, Pauses::Sent, good),
            (1, 60, Pauses::Sent, BAD),
            (2, 20, Pauses::LeftOut, BAD),
            (3, 60, Pauses::Told(40), good),
            (4, 20, Pauses::Told(60), BAD),
        ] {
            // Opus has its own way to leave pauses out.
            if encoding != Encoding::Opus || !matches!(pauses, Pauses::Told(_)) {
                lines.push(Line { encoding, packet_time, pauses, way, seed });
            }
        }
    }
    lines
}

/// What a listener of the engine notices of somebody who says this and falls silent.
fn noticed(line: Line, sound: &[i16], watch: Watch) -> Vec<(u64, Noticed)> {
    let seconds = sound.len() as u64 / 8000 + 8;
    let mut sound = sound.to_vec();
    sound.resize(seconds as usize * 8000, 0);
    let voice = Voice::new(line.encoding, &sound, 1)
        .with_packet_time(line.packet_time)
        .with_pauses(line.pauses);
    let mut room = VirtualRoom::new(line.seed);
    let caller = room.call(voice, line.way);
    room.watch(caller, watch);
    room.run(seconds);
    room.noticed(caller)
}

/// Speech of espeak-ng: see `tests/data/voices`.
fn spoken(name: &str) -> Vec<i16> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/voices");
    let octets = fs::read(directory.join(name).with_extension("ulaw"));
    let octets = octets.expect("the voice is there");
    octets.iter().map(|&octet| g711::decode_ulaw(octet)).collect()
}

fn prompt(name: &str) -> Vec<i16> {
    Library::new().load(name, "en").expect("it is embedded").samples
}

fn pause(milliseconds: usize) -> Vec<i16> {
    vec![0; 8 * milliseconds]
}

#[test]
fn who_answered_is_known_in_every_codec_whatever_is_lost() {
    let mut wrong = vec![];
    for (name, sound, answerer) in [
        ("hello", spoken("hello"), Answerer::Human),
        ("allo", spoken("allo"), Answerer::Human),
        ("goodbye", prompt("goodbye"), Answerer::Human),
        ("greeting", spoken("greeting"), Answerer::Machine),
        ("repondeur", spoken("repondeur"), Answerer::Machine),
        ("menu", prompt("diesis-menu"), Answerer::Machine),
        ("silence", vec![], Answerer::Machine),
        ("ringing", tone(425.0, 36_000), Answerer::Machine),
    ] {
        let sound = [pause(300), sound].concat();
        for line in lines() {
            let found = noticed(line, &sound, Watch::machine(MachineSettings::default()));
            let told = match found[..] {
                [(_, Noticed::Judged(judgement))] => judgement,
                ref other => panic!("{name} {line:?}: {other:?}"),
            };
            if told.answerer() != answerer {
                wrong.push(format!("{name}: {told} {line:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_beep_is_heard_in_every_codec_whatever_is_lost() {
    let mut wrong = vec![];
    for (hertz, length) in
        [(440.0, 300), (800.0, 300), (1000.0, 160), (1400.0, 500), (2000.0, 1000)]
    {
        let sound = [pause(300), spoken("greeting"), pause(300), tone(hertz, 8 * length)].concat();
        let end = sound.len() as u64 / 8;
        for line in lines() {
            let found = noticed(line, &sound, Watch::beep(Duration::from_millis(2500)));
            let [(at, Noticed::Enough)] = found[..] else {
                wrong.push(format!("{hertz} {length}: {found:?} {line:?}"));
                continue;
            };
            // The last packet may be lost.
            if !(end - 60..end + 300).contains(&at) {
                wrong.push(format!("{hertz} {length}: {at}, not {end} {line:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
