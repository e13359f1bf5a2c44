//! Keys on the wire, in every length and with every loss: each is heard once, and in its order.

use std::collections::HashMap;
use std::ops::ControlFlow::{Break, Continue};

use diesis_engine::channel::ChannelId;
use diesis_engine::switch::SwitchEvent;
use diesis_tests::house::House;
use diesis_tests::keypad;
use diesis_tests::phone::{Offer, Phone, run_all_until};
use diesis_tests::rtp::RtpPacket;
use diesis_tests::voice::{Encoding, Voice};

/// What one phone sends in each 20 ms, and what shall be heard of it.
struct Case {
    name: String,
    frames: Vec<Vec<RtpPacket>>,
    expected: &'static str,
}

const PLAN: &str = "exten => 100,1,Answer()\nsame => n,Wait(120)\n\
                    exten => 200,1,Answer()\nsame => n,Wait(0.2)\nsame => n,SendDTMF(159D*0#)\n\
                    same => n,Wait(0.2)\nsame => n,Hangup()\n";

/// The keys heard of each call so far, by what the phone calls it.
#[derive(Default)]
struct Keys {
    names: HashMap<ChannelId, String>,
    heard: HashMap<String, String>,
}

impl Keys {
    fn listen(&mut self, house: &mut House) {
        house.drain(|event| match event {
            SwitchEvent::CallStarted { call, parties, .. } => {
                self.names.insert(*call, parties.call_id.to_string());
            }
            SwitchEvent::DigitHeard { call, digit } => {
                let name = self.names.get(call).expect("the call has started");
                self.heard.entry(name.clone()).or_default().push(digit.as_char());
            }
            _ => {}
        });
    }

    fn of(&self, phone: &Phone) -> &str {
        self.heard.get(phone.call_id()).map_or("", String::as_str)
    }
}

/// Lets a phone for each case send at once, and a last key after it by which all is heard.
fn check(settings: &str, offer: &Offer, encoding: Encoding, cases: &[Case]) {
    let mut house = House::start(settings, PLAN);
    let mut keys = Keys::default();
    let call = |_: &Case| Phone::call(house.address(), "100", offer);
    let mut phones: Vec<Phone> = cases.iter().map(call).collect();
    let longest = cases.iter().map(|case| case.frames.len()).max().unwrap_or(0);
    let mut last: Vec<_> = cases.iter().map(|case| last_key(case, encoding).into_iter()).collect();
    let mut all: Vec<&mut Phone> = phones.iter_mut().collect();
    // Half a second in which nothing more may come, of what was pressed before.
    let pressed = longest + 25;
    let mut heard_at = None;
    let frames = run_all_until(&mut all, 1500, |phones, frame| {
        for ((phone, case), last) in phones.iter().zip(cases).zip(&mut last) {
            case.frames.get(frame).into_iter().flatten().for_each(|packet| phone.send(packet));
            if frame >= pressed {
                last.next().iter().for_each(|packet| phone.send(packet));
            }
        }
        keys.listen(&mut house);
        if heard_at.is_none() && phones.iter().all(|phone| keys.of(phone).ends_with('#')) {
            heard_at = Some(frame);
        }
        if heard_at.is_some_and(|at| frame > at + 15) { Break(()) } else { Continue(()) }
    });
    let wrong = phones.iter().zip(cases).filter_map(|(phone, case)| {
        let (heard, expected) = (keys.of(phone), format!("{}#", case.expected));
        (heard != expected).then(|| format!("{}: {heard} for {expected}", case.name))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty() && frames < 1500, "{wrong:#?}");
}

/// A key after everything else.
fn last_key(case: &Case, encoding: Encoding) -> Vec<RtpPacket> {
    let mut voice = Voice::new(encoding, &[], SSRC);
    let newest = case.frames.iter().flatten().map(|packet| packet.sequence);
    let newest = newest.max_by_key(|sequence| sequence.wrapping_sub(FIRST));
    let header = voice.header();
    header.sequence = newest.unwrap_or(FIRST).wrapping_add(1);
    header.time = TIME.wrapping_add(60_000 * encoding.clock());
    voice.key('#', 100)
}

/// One key, packet by packet; what becomes of it on the way.
type Fault = fn(Vec<RtpPacket>) -> Vec<RtpPacket>;

const FAULTS: [(&str, Fault); 13] = [
    ("nothing lost", |key| key),
    ("beginning lost", |key| key[1..].to_vec()),
    ("all but the ends lost", |key| key[key.len() - 3..].to_vec()),
    ("one end lost", |mut key| {
        key.remove(key.len() - 2);
        key
    }),
    ("two ends lost", |key| key[..key.len() - 2].to_vec()),
    ("all ends lost", |key| key[..key.len() - 3].to_vec()),
    ("all but the first lost", |key| key[..1].to_vec()),
    ("all but the last lost", |key| key[key.len() - 1..].to_vec()),
    ("each comes twice", |key| key.into_iter().flat_map(|it| [it.clone(), it]).collect()),
    ("each second is overtaken", |mut key| {
        key.chunks_exact_mut(2).for_each(<[_]>::reverse);
        key
    }),
    ("the wrong way round", |mut key| {
        key.reverse();
        key
    }),
    ("the first comes last", |mut key| {
        key.rotate_left(1);
        key
    }),
    ("without a marker", |mut key| {
        key[0].marker = false;
        key
    }),
];

/// "5512" in keys of a length, with sound between them.
fn pressed(encoding: Encoding, milliseconds: usize, fault: Fault) -> Vec<Vec<RtpPacket>> {
    let mut voice = Voice::new(encoding, &[1000; 80_000], SSRC);
    let mut frames = Vec::new();
    for _ in 0..5 {
        frames.push(vec![voice.packet()]);
    }
    for key in "5512".chars() {
        let (packets, slots) = {
            let packets = voice.key(key, milliseconds);
            let slots = packets.len();
            (fault(packets), slots)
        };
        // What comes twice comes at once.
        let each = packets.len().div_ceil(slots);
        let chunks = packets.chunks(each).map(<[_]>::to_vec);
        let sent: Vec<_> = chunks.collect();
        let rest = slots - sent.len();
        frames.extend(sent);
        frames.extend(vec![Vec::new(); rest]);
        for _ in 0..2 {
            frames.push(vec![voice.packet()]);
        }
    }
    frames
}

#[test]
fn every_key_of_any_length_is_heard_once_whatever_is_lost_of_it() {
    let (encoding, expected) = (Encoding::Pcmu, "5512");
    let lengths = [40, 60, 80, 120, 200, 400];
    let cases = lengths.iter().flat_map(|&length| {
        FAULTS.iter().map(move |&(name, fault)| {
            let frames = pressed(encoding, length, fault);
            Case { name: format!("{length} ms, {name}"), frames, expected }
        })
    });
    let cases: Vec<_> = cases.collect();
    let offer = Offer::of(&[encoding.format()]).with_events();
    check("allow=ulaw", &offer, encoding, &cases);
}

#[test]
fn keys_are_heard_by_every_clock_and_by_one_that_is_not_the_agreed_one() {
    let clocks = [
        (Encoding::G722, "101 telephone-event/8000", Encoding::G722),
        (Encoding::Opus, "101 telephone-event/48000", Encoding::Opus),
        (Encoding::Opus, "101 telephone-event/8000", Encoding::Pcmu),
        // Told one clock, and counted by another.
        (Encoding::Opus, "101 telephone-event/48000", Encoding::Pcmu),
        (Encoding::Opus, "101 telephone-event/8000", Encoding::Opus),
    ];
    for (encoding, events, clock) in clocks {
        let cases = [60, 200].into_iter().flat_map(|length| {
            FAULTS.iter().map(move |&(name, fault)| {
                let mut frames = pressed(clock, length, fault);
                for frame in &mut frames {
                    frame.retain(|packet| packet.payload_type == 101);
                }
                let name = format!("{encoding:?}, {events}, {clock:?}, {length} ms, {name}");
                Case { name, frames, expected: "5512" }
            })
        });
        let cases: Vec<_> = cases.collect();
        let offer = Offer::of(&[encoding.format(), events]);
        check("allow=g722,opus", &offer, clock, &cases);
    }
}

#[test]
fn sound_between_the_packets_of_a_key_changes_nothing() {
    let mut voice = Voice::new(Encoding::Pcmu, &[1000; 80_000], SSRC);
    let mut frames = Vec::new();
    for key in "5512".chars() {
        let mut sound = Voice::new(Encoding::Pcmu, &[1000; 80_000], SSRC).after(&voice);
        let packets = voice.key(key, 100);
        frames.extend(packets.into_iter().map(|event| vec![event, sound.packet()]));
        frames.push(vec![voice.packet()]);
        frames.push(vec![voice.packet()]);
    }
    for (n, packet) in frames.iter_mut().flatten().enumerate() {
        packet.sequence = FIRST.wrapping_add(n as u16);
    }
    let cases = [Case { name: "interleaved".to_owned(), frames, expected: "5512" }];
    let offer = Offer::of(&[Encoding::Pcmu.format()]).with_events();
    check("allow=ulaw", &offer, Encoding::Pcmu, &cases);
}

#[test]
fn a_key_that_comes_in_the_media_and_as_info_is_one_key() {
    let mut house = House::start("allow=ulaw\ndtmf_mode=rfc4733", PLAN);
    let mut keys = Keys::default();
    let offer = Offer::of(&[Encoding::Pcmu.format()]).with_events();
    let mut phone = Phone::call(house.address(), "100", &offer);
    let mut voice = Voice::new(Encoding::Pcmu, &[1000; 80_000], SSRC);
    let bodies =
        [("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), ("application/dtmf", "5")];
    for (content_type, body) in bodies {
        for is_first in [true, false] {
            if is_first {
                let response = phone.request("INFO", content_type, body);
                assert!(response.starts_with("SIP/2.0 200"), "{response}");
            }
            let mut event = voice.key('5', 100).into_iter();
            phone.run(10, |phone, _| event.next().iter().for_each(|packet| phone.send(packet)));
            if !is_first {
                let _ = phone.request("INFO", content_type, body);
            }
        }
    }
    let _ = phone.request("INFO", "application/dtmf", "#");
    phone.run_until(1500, |phone, _| {
        keys.listen(&mut house);
        if keys.of(phone).ends_with('#') { Break(()) } else { Continue(()) }
    });
    assert_eq!(keys.of(&phone), "5555#");
}

/// Keys in the sound of a codec: how long, how loud their two tones, and above what noise (decibels).
#[derive(Debug, Clone, Copy)]
struct Pressed {
    encoding: Encoding,
    milliseconds: usize,
    low: f64,
    high: f64,
    ratio: f64,
}

const PRESSED: Pressed =
    Pressed { encoding: Encoding::Pcmu, milliseconds: 80, low: 5000.0, high: 6000.0, ratio: 20.0 };

impl Pressed {
    fn sound(self) -> Vec<i16> {
        let mut sound = vec![0; 1600];
        for key in "159D*0#2".chars() {
            sound.extend(keypad::tones(key, self.milliseconds, self.low, self.high));
            sound.extend([0; 640]);
        }
        let amplitude = self.low.hypot(self.high) / 10_f64.powf(self.ratio / 20.0);
        let noise = keypad::noise(sound.len(), amplitude);
        sound.iter().zip(noise).map(|(it, noise)| it.saturating_add(noise)).collect()
    }
}

#[test]
fn keys_as_sound_are_heard_in_every_codec_length_noise_and_twist() {
    let mut cases: Vec<_> =
        Encoding::ALL.iter().map(|&encoding| Pressed { encoding, ..PRESSED }).collect();
    cases.extend([50, 60, 120, 400].map(|milliseconds| Pressed { milliseconds, ..PRESSED }));
    cases.extend([15.0, 10.0, 5.0].map(|ratio| Pressed { ratio, ..PRESSED }));
    cases.push(Pressed { ratio: 5.0, milliseconds: 400, ..PRESSED });
    // The high tone 8 dB below the low one, or 4 dB above.
    for (low, high) in [(7000.0, 2790.0), (4000.0, 6340.0)] {
        cases.push(Pressed { low, high, ..PRESSED });
    }
    let names = Encoding::ALL.map(Encoding::name).join(",");
    let mut house = House::start(&format!("allow={names}\ndtmf_mode=auto"), PLAN);
    let call =
        |case: &Pressed| Phone::call(house.address(), "100", &Offer::of(&[case.encoding.format()]));
    let mut phones: Vec<Phone> = cases.iter().map(call).collect();
    let voice = |case: &Pressed| Voice::new(case.encoding, &case.sound(), SSRC);
    let mut voices: Vec<Voice> = cases.iter().map(voice).collect();
    let mut keys = Keys::default();
    let mut all: Vec<&mut Phone> = phones.iter_mut().collect();
    let longest = cases.iter().map(|case| case.sound().len() / 160).max().unwrap_or(0);
    run_all_until(&mut all, 1500, |phones, frame| {
        for (phone, voice) in phones.iter().zip(&mut voices) {
            phone.send(&voice.packet());
        }
        keys.listen(&mut house);
        // As long as any of them, so that a key too many is seen.
        let is_over = phones.iter().all(|phone| keys.of(phone).ends_with('2'));
        if is_over && frame > longest + 25 { Break(()) } else { Continue(()) }
    });
    let wrong = phones.iter().zip(&cases).filter_map(|(phone, case)| {
        let heard = keys.of(phone);
        (heard != "159D*0#2").then(|| format!("{case:?}: {heard}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn keys_that_are_sent_are_heard_as_what_was_agreed() {
    let house =
        House::start("allow=!all,ulaw,alaw,g722,opus,slin,slin16,gsm\ndtmf_mode=auto", PLAN);
    for encoding in Encoding::ALL {
        let mut phone = Phone::call(house.address(), "200", &Offer::of(&[encoding.format()]));
        let frames = phone
            .run_until(1500, |phone, _| if phone.has_ended() { Break(()) } else { Continue(()) });
        assert!(frames < 1500, "the call ends");
        let heard = encoding.decode(phone.packets(0));
        assert_eq!(keypad::heard(&heard), "159D*0#", "{encoding:?}");
    }
}

const SSRC: u32 = 0x1234;

/// What [`Voice`] begins with.
const FIRST: u16 = 0xfff0;
const TIME: u32 = 0xffff_f000;
