//! Who says nothing is not decoded, and nothing of what he says then is lost.

use super::*;

/// Packets of the noise of a line for so many frames, and then of a voice.
fn onset(quiet: usize, loud: usize) -> Vec<Vec<u8>> {
    let mut random = crate::entropy::Entropy::new(3);
    let mut encoder = Encoder::new(Codec::Opus, OpusSettings::default(), Rate::Wide);
    (0..quiet + loud)
        .map(|frame| {
            let mut samples = [0; WIDE_FRAME];
            for (n, sample) in samples.iter_mut().enumerate() {
                let at = ((frame * WIDE_FRAME + n) as f64) / 16_000.0;
                let voice =
                    [1.0, 2.0, 3.0, 5.0].map(|it| (870.0 * it * at).sin()).iter().sum::<f64>();
                let voice = if frame < quiet { 0.0 } else { 2500.0 * voice };
                *sample = (voice + f64::from(random.below(41)) - 20.0) as i16;
            }
            encoder.encode(Samples::Wide(&samples)).to_vec()
        })
        .collect()
}

/// Plays packets that come one in each frame; those it may let pass from the frame `rests` on.
fn play(packets: &[Vec<u8>], rests: usize) -> (Vec<i16>, usize) {
    let mut playout = playout(Codec::Opus);
    let (mut all, mut passed) = (vec![], 0);
    for (frame, packet) in packets.iter().enumerate() {
        playout.push(RtpTime(960 * frame as u32), Codec::Opus, packet);
        if frame >= rests && playout.pass(Unheard::Silence) {
            passed += 1;
            assert!(playout.sound(&[0; FRAME]).wide.is_some_and(|frame| *frame == [0; WIDE_FRAME]));
            all.extend([0; FRAME]);
        } else {
            all.extend(pop(&mut playout).1);
        }
    }
    (all, passed)
}

/// How alike two sounds are; 1 if they are the same.
fn likeness(one: &[i16], two: &[i16]) -> f64 {
    let product = |a: &[i16], b: &[i16]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    product(one, two) / (product(one, one) * product(two, two)).sqrt()
}

#[test]
#[cfg(feature = "opus")]
fn a_voice_after_a_rest_is_heard_from_its_first_milliseconds() {
    let packets = onset(200, 25);
    let (whole, none) = play(&packets, usize::MAX);
    let (rested, passed) = play(&packets, 50);
    assert_eq!((none, passed), (0, 150));
    let start = whole.iter().position(|sample| sample.unsigned_abs() > 500).unwrap();
    assert!((200 * FRAME..202 * FRAME).contains(&start), "{start}");
    for (from, to) in [(start, start + 80), (start, start + FRAME), (start, whole.len())] {
        let alike = likeness(&whole[from..to], &rested[from..to]);
        assert!(alike > 0.98, "{from}..{to}: {alike}");
    }
    let peak = |samples: &[i16]| samples.iter().map(|it| it.unsigned_abs()).max();
    assert!(peak(&rested[..start]) <= Some(500), "no click before it");
}

#[test]
#[cfg(feature = "opus")]
fn what_nobody_hears_passes_and_the_clock_goes_on() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let packets = packets(codec, 500.0, 60);
        let mut playout = playout(codec);
        let mut last = vec![];
        for (frame, packet) in packets.iter().enumerate() {
            let time = RtpTime((frame as u32) * codec.frame_time());
            assert_eq!(playout.push(time, codec, packet), Pushed::Stored);
            if codec == Codec::Pcmu {
                assert!(!playout.pass(Unheard::Silence), "it says nothing of itself");
            }
            if (20..50).contains(&frame) {
                assert!(playout.pass(Unheard::Muted), "{codec:?}");
            } else {
                last = pop(&mut playout).1.to_vec();
            }
        }
        let (next, (target, delay)) = playout.position();
        assert_eq!((target, delay), (FRAME as i32, FRAME as i32), "{codec:?}");
        assert_eq!(next.0, 59 * codec.frame_time(), "{codec:?}");
        assert!((5300.0..6000.0).contains(&level(&last)), "{codec:?} {}", level(&last));
    }
}

#[test]
#[cfg(feature = "opus")]
fn losses_and_a_pause_end_no_rest_wrongly() {
    let packets = onset(300, 0);
    let mut playout = playout(Codec::Opus);
    let mut passed = 0;
    for (frame, packet) in packets.iter().enumerate() {
        let is_missing = frame % 20 == 7 || (200..230).contains(&frame);
        if !is_missing {
            playout.push(RtpTime(960 * frame as u32), Codec::Opus, packet);
        }
        match frame > 50 && playout.pass(Unheard::Silence) {
            true => passed += 1,
            false => assert!(pop(&mut playout).1.iter().all(|it| it.unsigned_abs() < 100)),
        }
    }
    // After 250 ms without any it is over, and begins with the next one that is played.
    assert!(passed > 200, "{passed}");
}
