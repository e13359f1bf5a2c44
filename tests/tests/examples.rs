//! The programs of `examples/programs`, started as their first lines say and called over real sockets.
//!
//!     cargo test -p diesis-tests --features interop --test examples
//!
//! Needs python3.

use std::ops::ControlFlow::{Break, Continue};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use diesis_sounds::format::wav;
use diesis_sounds::locate::Recording;
use diesis_sounds::prompts::Library;
use diesis_sounds::resample::resample;
use diesis_tests::house::House;
use diesis_tests::phone::{Offer, Phone};
use diesis_tests::process::Process;
use diesis_tests::scratch::Scratch;
use diesis_tests::voice::{Encoding, Voice};

const SSRC: u32 = 0x7a17;
const ENCODING: Encoding = Encoding::Pcmu;
const PATIENCE: Duration = Duration::from_secs(30);

fn prompt(name: &str) -> Vec<i16> {
    Library::new().load(name, "en").expect("it is embedded").samples
}

/// Starts an example that greets with a prompt at this rate; it, and its port.
fn start(example: &str, greeting: &str, rate: u32, scratch: &Scratch) -> (Process, u16) {
    let file = scratch.join("greeting.wav");
    let samples = resample(&prompt(greeting), 8000, rate).expect("both rates are known");
    wav::write(&file, rate, &samples).expect("it can be written");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/programs").join(example);
    let mut command = Command::new("python3");
    command.arg("-u").arg(program).arg("0").arg(file);
    let process = Process::spawn(example, &mut command);
    let line = process.wait_line(PATIENCE, |line| line.starts_with("listening on "));
    let line = line.expect("it says where it listens");
    let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
    (process, port.expect("a port"))
}

fn call(house: &House) -> (Phone, Voice) {
    let offer = Offer::of(&[ENCODING.format()]).with_events();
    (Phone::call(house.address(), "100", &offer), Voice::new(ENCODING, &[], SSRC))
}

/// Says a sound, and is silent after it.
fn say(voice: &mut Voice, sound: &[i16]) {
    *voice = Voice::new(ENCODING, sound, SSRC).after(voice);
}

/// Where a sound lies in what the phone heard from a sample on: whole, and like itself.
fn heard(phone: &Phone, sound: &[i16], from: usize) -> Option<usize> {
    let samples = ENCODING.decode(phone.packets(0));
    let found = Recording::new(samples.get(from..)?, 8000).find(sound, 0)?;
    (found.score > 0.9 && found.length == sound.len()).then_some(from + found.start)
}

/// Talks until a sound is heard, which begins in the part after `from`; where it ends.
fn talk_until(phone: &mut Phone, voice: &mut Voice, name: &str, from: usize) -> usize {
    let sound = prompt(name);
    let mut start = None;
    phone.run_until(1500, |phone, frame| {
        phone.send(&voice.packet());
        if frame % 25 == 0 {
            start = heard(phone, &sound, from);
        }
        if start.is_some() { Break(()) } else { Continue(()) }
    });
    start.unwrap_or_else(|| panic!("{name} is heard")) + sound.len()
}

fn press(phone: &mut Phone, voice: &mut Voice, key: char) {
    let packets = voice.key(key, 100);
    phone.run(packets.len(), |phone, frame| phone.send(&packets[frame]));
}

/// Until the engine ends the call.
fn talk_to_the_end(phone: &mut Phone, voice: &mut Voice) {
    phone.run_until(1500, |phone, _| {
        phone.send(&voice.packet());
        if phone.has_ended() { Break(()) } else { Continue(()) }
    });
    assert!(phone.has_ended(), "the call ends");
}

#[test]
fn the_parrot_on_audiosocket_greets_repeats_and_hands_the_call_back() {
    let scratch = Scratch::new("parrot");
    let (parrot, port) = start("audiosocket_parrot.py", "diesis-goodbye", 8000, &scratch);
    let plan = format!(
        "exten => 100,1,Answer()\n\
         same => n,AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,127.0.0.1:{port})\n\
         same => n,Playback(digits/1)\nsame => n,Wait(0.3)\nsame => n,Hangup()"
    );
    let house = House::start("allow=ulaw", &plan);
    // Two at a time, and one after them.
    let (mut phone, mut voice) = call(&house);
    let (mut other, mut others) = call(&house);
    let greeted = talk_until(&mut phone, &mut voice, "diesis-goodbye", 0);
    say(&mut voice, &prompt("digits/7"));
    let repeated = talk_until(&mut phone, &mut voice, "digits/7", greeted);
    press(&mut phone, &mut voice, '#');
    talk_to_the_end(&mut phone, &mut voice);
    assert!(heard(&phone, &prompt("digits/1"), repeated).is_some(), "the dialplan goes on");
    let told = |wanted: &str| {
        let line = parrot.wait_line(PATIENCE, |line| line == wanted);
        assert!(line.is_some(), "{wanted}:\n{}", parrot.output());
    };
    told("call 40325ec2-5efd-4bd3-805f-53576e581d13");
    told("key #");
    talk_until(&mut other, &mut others, "diesis-goodbye", 0);
    other.hang_up();
    told("over");
    let (mut phone, mut voice) = call(&house);
    talk_until(&mut phone, &mut voice, "diesis-goodbye", 0);
    phone.hang_up();
    told("over");
}

#[test]
fn the_parrot_on_a_websocket_greets_is_interrupted_repeats_and_hangs_up() {
    let scratch = Scratch::new("parrot");
    let (parrot, port) = start("websocket_parrot.py", "diesis-menu", 16_000, &scratch);
    let client = format!("[parrot]\ntype = websocket_client\nuri = ws://127.0.0.1:{port}/media\n");
    let plan = "exten => 100,1,Dial(WebSocket/parrot/c(slin16)f(json),10,g)\n\
        same => n,NoOp(dialled ${DIALSTATUS})\nsame => n,Playback(digits/1)\n\
        same => n,Wait(0.3)\nsame => n,Hangup()";
    let mut house = House::start_with("allow=ulaw", plan, &[("websocket_client.conf", &client)]);
    let (mut phone, mut voice) = call(&house);
    // The greeting takes a quarter of a minute; who speaks does not hear its end.
    let menu = prompt("diesis-menu");
    let mut begun = None;
    phone.run_until(1500, |phone, frame| {
        phone.send(&voice.packet());
        if frame % 25 == 0 {
            begun = heard(phone, &menu[..16_000], 0);
        }
        if begun.is_some() { Break(()) } else { Continue(()) }
    });
    let begun = begun.expect("the greeting is heard") + 16_000;
    say(&mut voice, &prompt("digits/7"));
    let repeated = talk_until(&mut phone, &mut voice, "digits/7", begun);
    assert!(heard(&phone, &menu[menu.len() - 16_000..], 0).is_none(), "it was interrupted");
    assert!(repeated < menu.len(), "and not waited for");
    press(&mut phone, &mut voice, '#');
    talk_to_the_end(&mut phone, &mut voice);
    assert_eq!(house.wait_for_note("dialled"), "ANSWER");
    assert!(heard(&phone, &prompt("digits/1"), repeated).is_some(), "the dialplan goes on");
    let (mut phone, mut voice) = call(&house);
    phone.run(25, |phone, _| phone.send(&voice.packet()));
    phone.hang_up();
    let told = |wanted: &str| parrot.wait_line(PATIENCE, |line| line == wanted).is_some();
    assert!(told("over") && told("over"), "{}", parrot.output());
    assert!(!parrot.output().contains("Traceback"), "{}", parrot.output());
}
