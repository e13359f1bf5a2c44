//! Playout of whole streams, under virtual time.

use super::*;
use crate::media::{Law, OpusSettings, PayloadType, codec::encoder::Encoder, sound::Samples};

mod network;
mod rest;

fn playout(codec: Codec) -> Playout {
    Playout::new(&StreamSettings::new(([127, 0, 0, 1], 4000).into(), codec), Rate::Wide)
}

fn pop(playout: &mut Playout) -> (Played, [i16; FRAME]) {
    let mut out = [0; FRAME];
    (playout.pop(None, &mut out), out)
}

fn payload(value: i16) -> [u8; FRAME] {
    let mut payload = [0; FRAME];
    Law::Mu.encode_into(&[value; FRAME], &mut payload);
    payload
}

fn tone(codec: Codec, hertz: f64, frame: usize) -> Vec<i16> {
    let size = codec.rate().frame();
    let step = std::f64::consts::TAU * hertz / (50 * size) as f64;
    (0..size).map(|n| (8000.0 * (step * (frame * size + n) as f64).sin()) as i16).collect()
}

fn encode(encoder: &mut Encoder, samples: &[i16]) -> Vec<u8> {
    encoder.encode(Samples::of(samples)).to_vec()
}

/// Packets of a sine wave, 20 ms each.
fn packets(codec: Codec, hertz: f64, count: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, OpusSettings::default(), codec.rate());
    (0..count).map(|frame| encode(&mut encoder, &tone(codec, hertz, frame))).collect()
}

fn level(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (power / samples.len() as f64).sqrt()
}

#[test]
fn order_is_restored_and_a_gap_concealed() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::L16, Codec::L16Wide] {
        let packets = packets(codec, 500.0, 40);
        let mut playout = playout(codec);
        let base = RtpTime(u32::MAX - 700);
        let time = |index: usize| base.plus((index * codec.frame_time() as usize) as i32);
        let mut played = vec![];
        for index in 0..20 {
            // 7 and 8 come in the same moment, 8 first; 12 not at all.
            let indices = match index {
                7 | 12 => vec![],
                8 => vec![8, 7],
                index => vec![index],
            };
            for index in indices {
                assert_eq!(playout.push(time(index), codec, &packets[index]), Pushed::Stored);
            }
            let (kind, samples) = pop(&mut playout);
            played.push(kind);
            // G.722 needs some milliseconds to find its level again.
            if index > 3 && index != 13 && index != 14 {
                assert!((5300.0..6000.0).contains(&level(&samples)), "{codec:?} {index}");
            }
        }
        // One frame of delay.
        assert_eq!(played[0], Played::Nothing, "{codec:?}: it waits");
        for (index, &kind) in played.iter().enumerate().skip(1) {
            let expected = if index == 13 { Played::Concealed } else { Played::Audio };
            assert_eq!(kind, expected, "{codec:?} {index}");
        }
        // Nothing comes any more: it fades, and then there is nothing.
        let rest: Vec<_> = (0..20).map(|_| pop(&mut playout)).collect();
        assert_eq!((rest[0].0, rest[1].0), (Played::Audio, Played::Concealed));
        assert!(level(&rest[1].1) > level(&rest[2].1) && level(&rest[2].1) > level(&rest[3].1));
        assert_eq!((rest[7].0, level(&rest[8].1)), (Played::Nothing, 0.0));
        assert!(!playout.has_waiting());
    }
}

#[test]
fn a_late_packet_is_played_if_nothing_after_it_was_and_the_next_late_one_is_in_time() {
    let mut playout = playout(Codec::Pcmu);
    playout.push(RtpTime(0), Codec::Pcmu, &payload(1000));
    for _ in 0..4 {
        pop(&mut playout);
    }
    // Due 40 ms ago.
    assert_eq!(playout.push(RtpTime(160), Codec::Pcmu, &payload(2000)), Pushed::Stored);
    assert_eq!(pop(&mut playout).0, Played::Audio);
    playout.push(RtpTime(320), Codec::Pcmu, &payload(2000));
    assert_eq!(pop(&mut playout).0, Played::Audio);
    // What follows was heard: going back to it would play that twice.
    for time in [640, 800, 960] {
        playout.push(RtpTime(time), Codec::Pcmu, &payload(3000));
        pop(&mut playout);
    }
    assert_eq!(pop(&mut playout).0, Played::Audio);
    assert_eq!(playout.push(RtpTime(480), Codec::Pcmu, &payload(2000)), Pushed::Late);
    assert!(pop(&mut playout).1.iter().all(|&sample| sample > 2000));
}

#[test]
fn a_leap_of_the_clock_and_a_pause_begin_anew() {
    let mut playout = playout(Codec::Pcmu);
    playout.push(RtpTime(0), Codec::Pcmu, &payload(1000));
    playout.push(RtpTime(3_000_000_000), Codec::Pcmu, &payload(1000));
    pop(&mut playout);
    assert_eq!(pop(&mut playout).0, Played::Audio);
    for _ in 0..30 {
        pop(&mut playout);
    }
    assert_eq!(pop(&mut playout).0, Played::Nothing);
    playout.push(RtpTime(3_000_008_000), Codec::Pcmu, &payload(1000));
    pop(&mut playout);
    assert_eq!(pop(&mut playout).0, Played::Audio);
}

#[test]
fn packets_of_any_length_are_played_whole() {
    for size in [80_usize, 138, 240, 320, 480, 960] {
        let mut playout = playout(Codec::Pcmu);
        let bytes = vec![0x90; size];
        let (mut sent, mut audio) = (0_usize, 0);
        for frame in 0..500 {
            while sent <= frame * FRAME {
                playout.push(RtpTime(sent as u32), Codec::Pcmu, &bytes);
                sent += size;
            }
            audio += usize::from(pop(&mut playout).0 == Played::Audio);
        }
        assert!(audio >= 490, "{size}: {audio}");
    }
    for octets in [80, 240, 480, 37, 960] {
        let stream = packets(Codec::G722, 700.0, 250).concat();
        let mut playout = playout(Codec::G722);
        let (mut sent, mut audio) = (0, 0);
        for frame in 0..240 {
            while sent <= frame * 160 {
                let packet = &stream[sent..(sent + octets).min(stream.len())];
                playout.push(RtpTime(sent as u32), Codec::G722, packet);
                sent += packet.len().max(1);
            }
            audio += usize::from(pop(&mut playout).0 == Played::Audio);
        }
        assert!(audio >= 230, "{octets}: {audio}");
    }
}

#[test]
fn noise_lasts_from_when_it_is_told_until_something_else_comes() {
    for codec in [Codec::Pcma, Codec::G722] {
        let packets = packets(codec, 500.0, 100);
        let mut playout = playout(codec);
        let shape = diesis_sounds::noise::NoiseShape::parse(&[50]).unwrap();
        let mut generator = NoiseGenerator::new(shape, 1);
        let mut heard = vec![];
        for index in 0..100 {
            let time = RtpTime(index * 160);
            match index {
                20 => playout.handle_noise(time),
                21..80 => {}
                _ => {
                    playout.push(time, codec, &packets[index as usize]);
                }
            }
            let mut out = [0; FRAME];
            heard.push((playout.pop(Some(&mut generator), &mut out), level(&out)));
        }
        // One frame of delay, and what the filters keep of the voice.
        for (index, &(played, level)) in heard.iter().enumerate().skip(3) {
            let is_noise = (21..81).contains(&index);
            assert_eq!(played == Played::Noise, is_noise, "{codec:?} {index}: {played:?}");
            if (23..81).contains(&index) {
                assert!((50.0..200.0).contains(&level), "{codec:?} {index}: {level}");
            } else if !is_noise && index != 81 {
                assert!(level > 5000.0, "{codec:?} {index}: {level}");
            }
        }
    }
}

#[test]
fn no_packet_whatever_panics() {
    for codec in Codec::ALL {
        let mut settings = StreamSettings::new(([127, 0, 0, 1], 4000).into(), codec);
        if codec.law().is_none() {
            settings.receive.push((PayloadType::PCMU, Codec::Pcmu));
        }
        let mut playout = Playout::new(&settings, Rate::Wide);
        let mut generator = diesis_sounds::noise::NoiseShape::parse(&[40, 90])
            .map(|shape| NoiseGenerator::new(shape, 3));
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let time = RtpTime((seed >> 32) as u32 >> (seed % 32));
            let payload: Vec<u8> = (0..(seed >> 8) % 1500)
                .map(|n| (seed.rotate_left(n as u32 * 7) ^ n) as u8)
                .collect();
            let codec = match seed.is_multiple_of(17) {
                true if codec.law().is_none() => Codec::Pcmu,
                _ => codec,
            };
            playout.push(time, codec, &payload);
            if seed.is_multiple_of(29) {
                playout.handle_noise(time);
            }
            if seed.is_multiple_of(97) {
                playout.set_rate([Rate::Narrow, Rate::Wide, Rate::Full][seed as usize / 97 % 3]);
            }
            if seed.is_multiple_of(3) {
                let mut out = [0; FRAME];
                playout.pop(generator.as_mut(), &mut out);
                let _all = playout.sound(&out);
            }
        }
    }
}

/// Opus of a sound whose pitch changes from frame to frame, so that it can not be guessed.
#[cfg(feature = "opus")]
fn level_of_lost_frame(settings: OpusSettings) -> f64 {
    let mut encoder = Encoder::new(Codec::Opus, settings, Rate::Wide);
    let mut playout = playout(Codec::Opus);
    let pitch = |frame: usize| 300.0 + 170.0 * (frame * 7 % 11) as f64;
    let mut lost: f64 = 0.0;
    for frame in 0..60_usize {
        let mut phase = 0.0_f64;
        let wide: [i16; WIDE_FRAME] = std::array::from_fn(|n| {
            phase += std::f64::consts::TAU * pitch(frame) / 16_000.0;
            let swell = (std::f64::consts::PI * n as f64 / WIDE_FRAME as f64).sin();
            (12_000.0 * swell * phase.sin()) as i16
        });
        let payload = encode(&mut encoder, &wide);
        if frame != 40 {
            playout.push(RtpTime(frame as u32 * 960), Codec::Opus, &payload);
        }
        let (played, narrow) = pop(&mut playout);
        // One frame of playout delay, and less than one of the codec's own.
        if frame == 41 {
            assert_eq!(played, Played::Concealed);
            let project = |f: fn(f64) -> f64| {
                let step = std::f64::consts::TAU * pitch(40) / 16_000.0;
                let terms = playout.sound(&narrow).wide.unwrap().iter().enumerate();
                terms.map(|(n, &s)| f64::from(s) * f(step * n as f64)).sum::<f64>() / 160.0
            };
            lost = lost.max(project(f64::sin).hypot(project(f64::cos)));
        }
    }
    lost
}

#[cfg(feature = "opus")]
#[test]
fn what_opus_repeats_of_a_lost_packet_is_played() {
    let forward_correction = crate::media::ForwardCorrection::On;
    let with = OpusSettings { forward_correction, ..OpusSettings::default() };
    let (repeated, guessed) =
        (level_of_lost_frame(with), level_of_lost_frame(OpusSettings::default()));
    assert!(repeated > 2.0 * guessed, "{repeated:.0} against {guessed:.0}");
}
