//! One stream from the answer to the end of a call, whatever it carries.

use std::ops::ControlFlow::{Break, Continue};

use diesis_sounds::{locate::Recording, prompts::Library};
use diesis_tests::continuity::{Agreed, Piece, median_deviation, needless_markers, pieces};
use diesis_tests::house::House;
use diesis_tests::phone::{Offer, Phone, run_all};
use diesis_tests::voice::{Encoding, Voice};

/// A room in which nobody is told that he is alone.
const NO_WELCOME: (&str, &str) =
    ("confbridge.conf", "[default_user]\ntype=user\nannounce_only_user=no\n");

fn prompt(name: &str) -> Vec<i16> {
    Library::new().load(name, "en").expect("it is embedded").samples
}

fn agreed(phone: &Phone, encodings: &[Encoding]) -> Agreed {
    Agreed { from: phone.answer().media, encodings: encodings.to_vec(), events: Some(101) }
}

/// The sound of all talkspurts, one after another.
fn sound(pieces: &[Piece], encoding: Encoding) -> Vec<i16> {
    let talkspurts = pieces.iter().flat_map(|piece| match piece {
        Piece::Talkspurt { encoding: found, packets } if *found == encoding => &packets[..],
        _ => &[],
    });
    encoding.decode(talkspurts)
}

/// Lives on until the call has ended.
fn run_to_the_end(phone: &mut Phone) {
    let frames =
        phone.run_until(1500, |phone, _| if phone.has_ended() { Break(()) } else { Continue(()) });
    assert!(frames < 1500, "the call ends");
}

#[test]
fn a_prompt_is_heard_whole_in_every_codec_with_even_numbers() {
    let names = Encoding::ALL.map(Encoding::name).join(",");
    let plan = "exten => 100,1,Answer()\nsame => n,Playback(digits/7)\nsame => n,Wait(0.3)\n\
                same => n,Playback(digits/3)\nsame => n,Hangup()\n";
    let house = House::start(&format!("allow={names}"), plan);
    for encoding in Encoding::ALL {
        let offer = Offer::of(&[encoding.format()]).with_events();
        let mut phone = Phone::call(house.address(), "100", &offer);
        run_to_the_end(&mut phone);
        let pieces = pieces(phone.heard(), &agreed(&phone, &[encoding]));
        assert_eq!(needless_markers(&pieces), 0, "{encoding:?}");
        let heard = sound(&pieces, encoding);
        let recording = Recording::new(&heard, 8000);
        let mut from = 0;
        for name in ["digits/7", "digits/3"] {
            let prompt = prompt(name);
            let found = recording.find(&prompt, from).unwrap_or_else(|| panic!("{name}"));
            let least = match encoding {
                Encoding::Opus | Encoding::Gsm => 0.9,
                _ => 0.97,
            };
            assert!(found.score > least, "{encoding:?} {name}: {found:?}");
            assert!(found.length + 160 > prompt.len(), "{encoding:?} {name} was cut: {found:?}");
            from = found.start + found.length - 160;
        }
        let deviation = median_deviation(phone.heard(), encoding);
        assert!(deviation < 20.0, "{encoding:?}: {deviation} ms");
    }
}

#[test]
fn one_stream_carries_a_whole_call() {
    let plan = "exten => 100,1,Answer()\nsame => n,Playback(digits/7)\nsame => n,Wait(0.3)\n\
                same => n,Playback(digits/3)\nsame => n,SendDTMF(1590,100,100)\n\
                same => n,Playback(digits/1)\nsame => n,NoOp(echo)\nsame => n,Echo()\n\
                same => n,Playback(digits/20)\nsame => n,NoOp(room)\nsame => n,ConfBridge(1)\n\
                exten => 200,1,Answer()\nsame => n,ConfBridge(1)\n";
    let mut house = House::start_with("allow=ulaw,alaw\ndtmf_mode=rfc4733", plan, &[NO_WELCOME]);
    let both = [Encoding::Pcmu, Encoding::Pcma];
    let formats = both.map(Encoding::format);
    let offer = Offer::of(&formats).with_events();
    let mut phone = Phone::call(house.address(), "100", &offer);
    let mut voice = Voice::new(Encoding::Pcmu, &prompt("digits/7"), 0x1234);
    fn speak(phone: &mut Phone, voice: &mut Voice, frames: usize) -> usize {
        let before = phone.heard().len();
        phone.run(frames, |phone, _| {
            if voice.has_ended() {
                voice.repeat();
            }
            phone.send(&voice.packet());
        });
        phone.heard().len() - before
    }
    while !house.has_noted("echo") {
        speak(&mut phone, &mut voice, 5);
    }
    // Echo, which is held, taken back, and moved to another port and codec.
    assert!(speak(&mut phone, &mut voice, 50) > 25, "the echo is heard");
    let _ = phone.offer(&offer.clone().directed("inactive"));
    speak(&mut phone, &mut voice, 10);
    assert_eq!(speak(&mut phone, &mut voice, 25), 0, "nothing is sent while it is held");
    let _ = phone.offer(&offer);
    assert!(speak(&mut phone, &mut voice, 50) > 25, "it goes on");
    let (old, _) = phone.move_media();
    let left = phone.heard().len();
    let _ = phone.offer(&Offer::of(&[formats[1]]).with_events());
    voice = Voice::new(Encoding::Pcma, &prompt("digits/7"), 0x1234).after(&voice);
    speak(&mut phone, &mut voice, 10);
    // Before the engine knew of it.
    phone.hear_late(&old, left);
    let moved = phone.heard().len();
    assert!(speak(&mut phone, &mut voice, 50) > 25, "it goes on elsewhere");
    assert!(phone.packets(moved).all(|packet| packet.payload_type == 8), "in A-law");
    assert!(old.recv(&mut [0; 2048]).is_err(), "and nowhere else");
    let mut key = voice.key('#', 100).into_iter();
    phone.run(8, |phone, _| key.next().iter().for_each(|packet| phone.send(packet)));
    // A prompt, and a room with somebody else in it.
    while !house.has_noted("room") {
        speak(&mut phone, &mut voice, 5);
    }
    let mut other = Phone::call(house.address(), "200", &Offer::of(&formats[..1]));
    let mut others_voice = Voice::new(Encoding::Pcmu, &prompt("digits/20"), 0x5678);
    let alone = phone.heard().len();
    run_all(&mut [&mut phone, &mut other], 150, |phones, _| {
        if others_voice.has_ended() {
            others_voice.repeat();
        }
        phones[0].send(&voice.packet());
        phones[1].send(&others_voice.packet());
    });
    other.hang_up();
    phone.hang_up();

    let agreed = agreed(&phone, &both);
    let pieces = pieces(phone.heard(), &agreed);
    // At most where an echo begins, and a room.
    assert!(needless_markers(&pieces) <= 4, "{} markers", needless_markers(&pieces));
    let keys = pieces.iter().filter_map(|piece| match piece {
        Piece::Key { key, duration, ends } => Some((*key, *duration, *ends)),
        Piece::Talkspurt { .. } => None,
    });
    let keys: Vec<_> = keys.collect();
    assert_eq!(keys[..4], ['1', '5', '9', '0'].map(|key| (key, 800, 3)));
    let narrow = sound(&pieces, Encoding::Pcmu);
    let recording = Recording::new(&narrow, 8000);
    for name in ["digits/7", "digits/3", "digits/1"] {
        let found = recording.find(&prompt(name), 0).unwrap_or_else(|| panic!("{name}"));
        assert!(found.score > 0.98, "{name}: {found:?}");
    }
    let heard = Encoding::Pcma.decode(phone.packets(alone));
    let found = Recording::new(&heard, 8000).find(&prompt("digits/20"), 0);
    assert!(found.is_some_and(|found| found.score > 0.9), "the other is heard: {found:?}");
    let deviation = median_deviation(phone.heard(), Encoding::Pcmu);
    assert!(deviation < 20.0, "{deviation} ms");
}
