//! Who hears whom in a conference, by a tone for each and a filter for each tone.

use std::f64::consts::TAU;

use diesis_tests::hearing::tone;
use diesis_tests::house::House;
use diesis_tests::phone::{Offer, Phone, run_all};
use diesis_tests::voice::{Encoding, Voice, decode_full_band};

const ROOMS: &str = "
[default_user]
type=user
quiet=yes
[narrow]
type=bridge
internal_sample_rate=8000
[wide]
type=bridge
internal_sample_rate=16000
[auto]
type=bridge
";

/// Amplitude of a tone in blocks of 100 ms, that of the block in the middle: what a busy machine
/// left out spoils a block or two.
fn level(samples: &[i16], hertz: f64) -> f64 {
    level_at(samples, hertz, 8000)
}

/// The same of samples of another rate.
fn level_at(samples: &[i16], hertz: f64, rate: usize) -> f64 {
    let of_block = |block: &[i16]| {
        // Goertzel's filter.
        let coefficient = 2.0 * (TAU * hertz / rate as f64).cos();
        let (mut one, mut two) = (0.0, 0.0);
        for &sample in block {
            (one, two) = (f64::from(sample) + coefficient * one - two, one);
        }
        let power = one * one + two * two - coefficient * one * two;
        2.0 * power.max(0.0).sqrt() / block.len() as f64
    };
    let mut levels: Vec<f64> = samples.chunks_exact(rate / 10).map(of_block).collect();
    levels.sort_by(f64::total_cmp);
    levels[levels.len() / 2]
}

#[test]
fn each_hears_all_others_at_their_level_and_never_himself_in_rooms_of_any_rate() {
    let encodings = [Encoding::Pcmu, Encoding::G722, Encoding::Opus, Encoding::L16];
    let tones = [500.0, 900.0, 1300.0, 1700.0];
    let names = Encoding::ALL.map(Encoding::name).join(",");
    let plan = "exten => _X.,1,Answer()\nsame => n,ConfBridge(${EXTEN},narrow)\n\
                exten => _1X.,1,Answer()\nsame => n,ConfBridge(${EXTEN},wide)\n\
                exten => _2X.,1,Answer()\nsame => n,ConfBridge(${EXTEN},auto)\n";
    let files = [("confbridge.conf", ROOMS)];
    let house = House::start_with(&format!("allow={names}"), plan, &files);
    for room in ["300", "100", "200"] {
        let mut phones = encodings.map(|encoding| {
            Phone::call(house.address(), room, &Offer::of(&[encoding.format()]).with_events())
        });
        let voice = |(encoding, hertz)| Voice::new(encoding, &tone(hertz, 8000), 0x77);
        let mut voices: Vec<Voice> = encodings.into_iter().zip(tones).map(voice).collect();
        let mut heard_before = [0; 4];
        {
            let mut all: Vec<&mut Phone> = phones.iter_mut().collect();
            run_all(&mut all, 200, |phones, frame| {
                for (phone, voice) in phones.iter_mut().zip(&mut voices) {
                    if voice.has_ended() {
                        voice.repeat();
                    }
                    phone.send(&voice.packet());
                }
                if frame == 80 {
                    for (before, phone) in heard_before.iter_mut().zip(phones.iter()) {
                        *before = phone.heard().len();
                    }
                }
            });
        }
        for (own, (phone, encoding)) in phones.iter().zip(encodings).enumerate() {
            let heard = encoding.decode(phone.packets(heard_before[own]));
            assert!(heard.len() > 8000, "{room} {encoding:?}: {} samples", heard.len());
            for (other, hertz) in tones.into_iter().enumerate() {
                let level = level(&heard, hertz);
                let of = encodings[other];
                if other == own {
                    assert!(level < 400.0, "{room}: {encoding:?} hears himself at {level:.0}");
                } else {
                    let is_right = (6800.0..9000.0).contains(&level);
                    assert!(is_right, "{room}: {encoding:?} hears {of:?} at {level:.0}");
                }
            }
        }
        for phone in &mut phones {
            phone.hang_up();
        }
    }
}

/// A tone of a second at 48 kHz.
fn high_tone(hertz: f64) -> Vec<i16> {
    (0..48_000).map(|n| (8000.0 * (TAU * hertz * f64::from(n) / 48_000.0).sin()) as i16).collect()
}

#[test]
fn callers_in_opus_hear_each_other_in_full_band_and_others_hear_no_mirror_of_it() {
    let tones = [12_000.0, 10_500.0, 9000.0];
    let plan = "exten => _X.,1,Answer()\nsame => n,ConfBridge(${EXTEN},auto)\n\
                exten => _1X.,1,Answer()\nsame => n,ConfBridge(${EXTEN},wide)\n";
    let house = House::start_with("allow=opus,ulaw", plan, &[("confbridge.conf", ROOMS)]);
    for (room, is_full) in [("200", true), ("100", false)] {
        let call = |encoding: Encoding| {
            Phone::call(house.address(), room, &Offer::of(&[encoding.format()]).with_events())
        };
        let mut phones = [Encoding::Opus, Encoding::Opus, Encoding::Opus, Encoding::Pcmu].map(call);
        let mut voices = tones.map(|hertz| Voice::in_full_band(&high_tone(hertz), 0x77));
        let mut low = Voice::new(Encoding::Pcmu, &tone(700.0, 8000), 0x78);
        let mut before = [0; 4];
        {
            let mut all: Vec<&mut Phone> = phones.iter_mut().collect();
            run_all(&mut all, 200, |phones, frame| {
                for (phone, voice) in phones.iter_mut().zip(voices.iter_mut().chain([&mut low])) {
                    if voice.has_ended() {
                        voice.repeat();
                    }
                    phone.send(&voice.packet());
                }
                if frame == 80 {
                    for (before, phone) in before.iter_mut().zip(phones.iter()) {
                        *before = phone.heard().len();
                    }
                }
            });
        }
        for (own, phone) in phones[..3].iter().enumerate() {
            let heard = decode_full_band(phone.packets(before[own]));
            let low = level_at(&heard, 700.0, 48_000);
            assert!((6500.0..9200.0).contains(&low), "{room} {own}: {low:.0} of 700 Hz");
            for (other, hertz) in tones.into_iter().enumerate() {
                let level = level_at(&heard, hertz, 48_000);
                let is_right = match is_full && other != own {
                    true => level > 5000.0,
                    false => level < 200.0,
                };
                assert!(is_right, "{room}: {own} hears {hertz} Hz at {level:.0}");
            }
        }
        // 50 dB below what was said: at the mirrors of the tones, and anywhere else nearby.
        let heard = Encoding::Pcmu.decode(phones[3].packets(before[3]));
        for hertz in [4000.0, 2500.0, 1000.0, 3500.0] {
            let level = level(&heard, hertz);
            assert!(level < 8000.0 / 316.0, "{room}: {hertz} Hz at {level:.1}");
        }
        for phone in &mut phones {
            phone.hang_up();
        }
    }
}
