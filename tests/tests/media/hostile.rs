//! What a call survives: everything that is thrown at its ports, by its peer and by others.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::ControlFlow::{Break, Continue};

use diesis_sounds::{locate::Recording, prompts::Library};
use diesis_tests::continuity::{Agreed, needless_markers, pieces};
use diesis_tests::hearing::signal_to_noise;
use diesis_tests::house::House;
use diesis_tests::loopback::CALLER;
use diesis_tests::phone::{Offer, Phone};
use diesis_tests::rtp::RtpPacket;
use diesis_tests::voice::{Encoding, Voice};

const PLAN: &str = "exten => 100,1,Answer()\nsame => n,Echo()\n\
                    exten => 200,1,Answer()\nsame => n,Playback(diesis-menu)\nsame => n,Hangup()\n";

fn echo() -> (House, Phone) {
    let house = House::start("allow=ulaw", PLAN);
    let offer = Offer::of(&[Encoding::Pcmu.format()]).with_events();
    let phone = Phone::call(house.address(), "100", &offer);
    (house, phone)
}

/// Packets of which each holds something else; none holds what an attacker sends.
fn voice(frames: usize) -> Voice {
    let sample = |n: usize| ((n * n / 37 % 199) as i16 - 99) * 100;
    let sound: Vec<_> = (0..frames * 160).map(sample).collect();
    Voice::new(Encoding::Pcmu, &sound, SSRC)
}

/// Sends what is due, and remembers it.
fn speak(phone: &Phone, voice: &mut Voice, said: &mut Vec<Vec<u8>>) {
    let packet = voice.packet();
    phone.send(&packet);
    said.push(packet.payload);
}

/// That nothing came back but what was said, in its order; gives how much of it.
fn came_back(phone: &Phone, said: &[Vec<u8>]) -> usize {
    let mut rest = said.iter();
    // Keys of its own come back too, whatever they are.
    let sound = || phone.packets(0).filter(|packet| packet.payload_type == 0);
    for packet in sound() {
        assert!(rest.any(|it| *it == packet.payload), "was not said, or not then: {packet:?}");
    }
    sound().count()
}

/// Anything but RTP of the peer's own stream.
fn rubbish(n: usize, good: &RtpPacket) -> Vec<u8> {
    let written = RtpPacket { payload: vec![0x2a; 160], ..good.clone() }.write();
    let change = |place: usize, octet: u8| {
        let mut octets = written.clone();
        octets[place] = octet;
        octets
    };
    match n % 20 {
        0 => Vec::new(),
        1 => written[..11].to_vec(),
        // Versions 0, 1 and 3.
        2 => change(0, 0x00),
        3 => change(0, 0x40),
        4 => change(0, 0xc0),
        // A binding request (RFC 5389), a ClientHello (RFC 6347), ZRTP.
        5 => [&b"\0\x01\0\0\x21\x12\xa4\x42"[..], &[7; 12]].concat(),
        6 => [&b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x2f\x01\0\0\x23"[..], &[7; 35]].concat(),
        7 => [&b"\x10\0\0\x01ZRTP"[..], &[7; 40]].concat(),
        // Fifteen contributing sources, an extension of 256 KiB, padding: none of it there.
        8 => change(0, 0x8f)[..40].to_vec(),
        9 => [&change(0, 0x90)[..12], &[0xbe, 0xde, 0xff, 0xff], &[7; 20]].concat(),
        10 => [&change(0, 0xa0)[..40], &[0xff]].concat(),
        11 => [&change(0, 0xa0)[..40], &[0]].concat(),
        // Payload types that were not agreed, that of comfort noise, keys without their octets.
        12 => change(1, 18),
        13 => change(1, 127),
        14 => [&change(1, 13)[..12], &[64]].concat(),
        15 => [&change(1, 101)[..12], &[5, 0x8a]].concat(),
        16 => [&change(1, 101)[..12], &[200, 0x8a, 0xff, 0xff]].concat(),
        // RTCP: a report with lies in its counts and lengths, BYE of everybody.
        17 => b"\x9f\xc9\0\x01\0\0\0\x07".to_vec(),
        18 => b"\x81\xcb\0\x01\0\0\x12\x34\x80\xc8\xff\xff\0\0\0\0".to_vec(),
        // Anything, and anything that begins as RTP or RTCP does.
        _ => match n / 20 % 3 {
            0 => random(n, n % 1500),
            1 => [&[0x80 | n as u8 & 0x3f, 99], &random(n, n % 400)[..]].concat(),
            _ => [&[0x80 | n as u8 & 0x3f, 192 + n as u8 % 32], &random(n, n % 400)[..]].concat(),
        },
    }
}

/// Octets without any sense, other ones for each `seed`.
fn random(seed: usize, length: usize) -> Vec<u8> {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut octet = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| octet()).collect()
}

/// Memory of this process, in KiB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the system tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    number.and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn a_call_goes_on_whatever_is_thrown_at_its_ports() {
    let (house, mut phone) = echo();
    let (mut voice, mut said) = (voice(800), Vec::new());
    phone.run(50, |phone, _| speak(phone, &mut voice, &mut said));
    let stranger = |ip, port| UdpSocket::bind(SocketAddr::new(ip, port)).expect("a port is free");
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let others = [stranger(CALLER, 0), stranger(elsewhere, 0)];
    let media = phone.answer().media;
    let control = SocketAddr::new(media.ip(), media.port() + 1);
    let before = resident();
    let mut thrown = 0;
    phone.run(200, |phone, _| {
        speak(phone, &mut voice, &mut said);
        let good = voice.header().clone();
        // Its peer: a little, so that the good packets find room; it all goes to one socket.
        for _ in 0..4 {
            phone.send_octets(&rubbish(thrown, &good));
            phone.send_report(&rubbish(thrown, &good));
            thrown += 1;
        }
        // Others: a hundred times as much as a call, and the right numbers among it.
        for n in 0..50 {
            for other in &others {
                let octets = match n % 5 {
                    0 => RtpPacket { payload: vec![0x2a; 160], ..good.clone() }.write(),
                    1 => RtpPacket { ssrc: n, payload: vec![0x2a; 160], ..good.clone() }.write(),
                    2 => vec![0x80; 60_000],
                    _ => rubbish(n as usize + thrown, &good),
                };
                let _ = other.send_to(&octets, if n % 2 == 0 { media } else { control });
            }
        }
    });
    let during = came_back(&phone, &said);
    phone.run(100, |phone, _| speak(phone, &mut voice, &mut said));
    let after = came_back(&phone, &said) - during;
    assert!(during > 150, "{during} packets of 250 came back meanwhile");
    assert!(after >= 90, "{after} packets of 100 came back afterwards");
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB");
    for other in &others {
        other.set_nonblocking(true).expect("a socket can be asked without waiting");
        assert!(other.recv(&mut [0; 2048]).is_err(), "nobody else is sent anything");
    }
    phone.hang_up();
    drop(house);
}

/// What is said to a caller is heard by the sample, whatever he and others send meanwhile.
#[test]
fn a_prompt_is_heard_unharmed_in_a_hail_of_everything() {
    let house = House::start("allow=ulaw", PLAN);
    let encoding = Encoding::Pcmu;
    let offer = Offer::of(&[encoding.format()]).with_events();
    let mut phone = Phone::call(house.address(), "200", &offer);
    let mut voice = voice(1500);
    let elsewhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), 0);
    let other = UdpSocket::bind(elsewhere).expect("a port is free");
    let media = phone.answer().media;
    let control = SocketAddr::new(media.ip(), media.port() + 1);
    let mut thrown = 0;
    let frames = phone.run_until(1500, |phone, _| {
        let good = voice.packet();
        phone.send(&good);
        for _ in 0..10 {
            phone.send_octets(&rubbish(thrown, &good));
            phone.send_report(&rubbish(thrown, &good));
            let _ = other.send_to(&rubbish(thrown, &good), media);
            let _ = other.send_to(&rubbish(thrown, &good), control);
            thrown += 1;
        }
        if phone.has_ended() { Break(()) } else { Continue(()) }
    });
    assert!(frames < 1500, "the call ends by itself");
    let agreed = Agreed { from: media, encodings: vec![encoding], events: None };
    assert_eq!(needless_markers(&pieces(phone.heard(), &agreed)), 0);
    let prompt = Library::new().load("diesis-menu", "en").expect("it is embedded").samples;
    let heard = encoding.decode(phone.packets(0));
    let found = Recording::new(&heard, 8000).find(&prompt, 0).expect("the prompt is heard");
    assert!(found.length + 160 > prompt.len(), "it was cut: {found:?}");
    let ratio = signal_to_noise(&heard[found.start..], &prompt);
    assert!(ratio > 30.0, "{ratio} dB");
}

/// What others write in a header: it changes nothing of what is heard.
#[test]
fn contributing_sources_extensions_and_padding_are_read_over() {
    let (_house, mut phone) = echo();
    let (mut voice, mut said) = (voice(400), Vec::new());
    phone.run(120, |phone, frame| {
        let packet = voice.packet();
        let written = packet.write();
        let (header, payload) = written.split_at(12);
        let (flags, between, after): (u8, &[u8], &[u8]) = match frame % 5 {
            0 => (0x80, &[], &[]),
            1 => (0x83, &[9; 12], &[]),
            2 => (0x90, &[0xbe, 0xde, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8], &[]),
            3 => (0xa0, &[], &[0, 0, 0, 4]),
            _ => (0xb1, &[9, 9, 9, 9, 0xbe, 0xde, 0, 0], &[1]),
        };
        phone.send_octets(&[&[flags][..], &header[1..], between, payload, after].concat());
        said.push(packet.payload);
    });
    let heard = came_back(&phone, &said);
    assert!(heard > 110, "{heard} of 120");
}

/// A peer that begins anew, with another source, other numbers or another time, is heard on.
#[test]
fn leaps_and_changes_of_the_source_cost_a_packet_or_two() {
    type Leap = fn(&mut RtpPacket);
    let leaps: [(&str, Leap); 7] = [
        ("another source", |it| it.ssrc = 99),
        ("another source and everything else", |it| {
            (it.ssrc, it.sequence, it.time) = (100, 5, 77);
        }),
        ("numbers ahead", |it| it.sequence = it.sequence.wrapping_add(10_000)),
        ("numbers back", |it| it.sequence = it.sequence.wrapping_sub(20_000)),
        ("time ahead", |it| it.time = it.time.wrapping_add(0x7000_0000)),
        ("time back", |it| it.time = it.time.wrapping_sub(0x6000_0000)),
        ("its first source again", |it| it.ssrc = SSRC),
    ];
    let (_house, mut phone) = echo();
    let (mut voice, mut said) = (voice(2000), Vec::new());
    phone.run(50, |phone, _| speak(phone, &mut voice, &mut said));
    for (name, leap) in leaps {
        let before = came_back(&phone, &said);
        leap(voice.header());
        phone.run(50, |phone, _| speak(phone, &mut voice, &mut said));
        let heard = came_back(&phone, &said) - before;
        assert!(heard > 40, "{name}: {heard} of 50");
    }
    let first = phone.heard()[0].packet.ssrc;
    assert!(phone.packets(0).all(|packet| packet.ssrc == first), "our own source stays");
}

/// RFC 3550 §8.2: whoever finds its own SSRC with somebody else takes another one, and says so.
#[test]
fn a_peer_that_chose_our_source_is_heard_and_we_take_another() {
    let (_house, mut phone) = echo();
    let (mut voice, mut said) = (voice(400), Vec::new());
    phone.run(25, |phone, _| speak(phone, &mut voice, &mut said));
    let ours = phone.heard().first().expect("something came back").packet.ssrc;
    voice.header().ssrc = ours;
    phone.run(50, |phone, _| speak(phone, &mut voice, &mut said));
    assert!(came_back(&phone, &said) > 65);
    let new = phone.heard().last().expect("it did").packet.ssrc;
    assert_ne!(new, ours);
    // Once: it may not be driven from one to the next.
    voice.header().ssrc = new;
    phone.run(50, |phone, _| speak(phone, &mut voice, &mut said));
    let sources = phone.packets(0).map(|packet| packet.ssrc);
    let mut sources: Vec<_> = sources.collect();
    sources.dedup();
    assert!(sources.len() <= 3, "{sources:x?}");
}

const SSRC: u32 = 0x1234;
