//! What each codec leaves of speech: from a prompt, in an echo, and on the way to another codec.

use std::ops::ControlFlow::{Break, Continue};

use diesis_sounds::{locate::Recording, prompts::Library};
use diesis_tests::hearing::{self, signal_to_noise};
use diesis_tests::house::House;
use diesis_tests::phone::{Offer, Phone, run_all, run_all_until};
use diesis_tests::voice::{Encoding, Voice};

const PROMPT: &str = "diesis-welcome";
const SENTENCE: &str = "diesis-goodbye";

fn prompt(name: &str) -> Vec<i16> {
    Library::new().load(name, "en").expect("it is embedded").samples
}

/// The least that is left: likeness to the original, and the ratio of signal to noise in decibels
/// where the codec keeps the waves themselves.
fn least(encoding: Encoding) -> (f32, Option<f64>) {
    match encoding {
        Encoding::Pcmu | Encoding::Pcma => (0.999, Some(36.0)),
        Encoding::L16 | Encoding::L16Wide => (0.999, Some(60.0)),
        // Of one's own words the phone's way to 16 kHz and back leaves nothing above 3.8 kHz.
        Encoding::G722 => (0.98, Some(18.5)),
        Encoding::Opus | Encoding::Gsm => (0.88, None),
    }
}

/// That a sound was heard whole, and as well as its codec can.
fn is_good(heard: &[i16], sound: &[i16], encoding: Encoding, what: &str) {
    let found = Recording::new(heard, 8000).find(sound, 0);
    let found = found.unwrap_or_else(|| panic!("{encoding:?}: {what} is not there"));
    assert!(found.length + 160 > sound.len(), "{encoding:?}: {what} was cut: {found:?}");
    let (likeness, ratio) = least(encoding);
    let measured = signal_to_noise(&heard[found.start..found.start + found.length], sound);
    assert!(found.score >= likeness, "{encoding:?}: {what} {found:?}");
    assert!(ratio.is_none_or(|least| measured >= least), "{encoding:?}: {what} {measured:.1} dB");
}

#[test]
fn a_prompt_and_ones_own_words_are_heard_as_well_as_each_codec_can() {
    let names = Encoding::ALL.map(Encoding::name).join(",");
    let plan = format!("exten => 100,1,Answer()\nsame => n,Playback({PROMPT})\nsame => n,Echo()\n");
    let house = House::start(&format!("allow={names}"), &plan);
    let (prompt, sentence) = (prompt(PROMPT), prompt(SENTENCE));
    let call = |encoding: Encoding| {
        Phone::call(house.address(), "100", &Offer::of(&[encoding.format()]).with_events())
    };
    let mut phones = Encoding::ALL.map(call);
    let mut voices = Encoding::ALL.map(|encoding| Voice::new(encoding, &[], 0x51));
    let frames = prompt.len() / 160;
    let begins = frames + 75;
    let ends = begins + sentence.len() / 160 + 50;
    let mut all: Vec<&mut Phone> = phones.iter_mut().collect();
    let most = run_all_until(&mut all, 1500, |phones, frame| {
        if frame == begins {
            for (voice, encoding) in voices.iter_mut().zip(Encoding::ALL) {
                *voice = Voice::new(encoding, &sentence, 0x51).after(voice);
            }
        }
        for (phone, voice) in phones.iter().zip(&mut voices) {
            phone.send(&voice.packet());
        }
        let enough = phones.iter().all(|phone| phone.heard().len() >= ends);
        if frame > ends && enough { Break(()) } else { Continue(()) }
    });
    assert!(most < 1500, "all of it comes");
    for (phone, encoding) in phones.iter().zip(Encoding::ALL) {
        let heard = encoding.decode(phone.packets(0));
        is_good(&heard, &prompt, encoding, "the prompt");
        is_good(&heard[prompt.len()..], &sentence, encoding, "the echo");
    }
}

/// Each codec with the next, both ways, in a room for two.
#[test]
fn who_speaks_one_codec_is_understood_in_another() {
    let names = Encoding::ALL.map(Encoding::name).join(",");
    let plan = "exten => _X.,1,Answer()\nsame => n,ConfBridge(${EXTEN})\n";
    let rooms =
        ("confbridge.conf", "[default_user]\ntype=user\nquiet=yes\nannounce_only_user=no\n");
    let house = House::start_with(&format!("allow={names}"), plan, &[rooms]);
    let sentences = [prompt(PROMPT), prompt(SENTENCE)].map(|mut sentence| {
        sentence.extend([0; 4000]);
        sentence
    });
    let of = |n: usize| Encoding::ALL[(n / 2 + n % 2) % Encoding::ALL.len()];
    let count = 2 * Encoding::ALL.len();
    let call = |n: usize| {
        let offer = Offer::of(&[of(n).format()]).with_events();
        Phone::call(house.address(), &format!("1{:02}", n / 2), &offer)
    };
    let mut phones: Vec<Phone> = (0..count).map(call).collect();
    let voice = |n: usize| Voice::new(of(n), &sentences[n % 2], 0x60 + n as u32);
    let mut voices: Vec<Voice> = (0..count).map(voice).collect();
    let mut all: Vec<&mut Phone> = phones.iter_mut().collect();
    // Each sentence once at least from its beginning to its end.
    let frames = 2 * sentences.iter().map(Vec::len).max().unwrap_or(0) / 160 + 50;
    run_all(&mut all, frames, |phones, _| {
        for (phone, voice) in phones.iter().zip(&mut voices) {
            if voice.has_ended() {
                voice.repeat();
            }
            phone.send(&voice.packet());
        }
    });
    for (n, phone) in phones.iter().enumerate() {
        let heard = of(n).decode(phone.packets(0));
        let (there, all) = hearing::pieces_heard(&heard, &sentences[(n + 1) % 2]);
        let pair = (of(n ^ 1), of(n));
        assert!(there * 100 >= all * 90, "{pair:?}: {there} of {all} pieces are heard");
    }
}
