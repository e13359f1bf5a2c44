use diesis_sounds::g711;

use super::{
    testing::{Speaker, pause, tone},
    *,
};
use crate::entropy::Entropy;

/// What a watch notices, and at which millisecond.
fn noticed(mut watch: Watch, samples: &[i16]) -> Vec<(usize, Noticed)> {
    let frames = samples.as_chunks::<FRAME>().0.iter().enumerate();
    frames
        .filter_map(|(at, frame)| {
            let what = watch.handle_frame(frame, mean_magnitude(frame), Played::Audio)?;
            Some(((at + 1) * 20, what))
        })
        .collect()
}

fn judged(parts: &[Vec<i16>]) -> Judgement {
    let mut samples = parts.concat();
    samples.resize(samples.len() + 8 * 6000, 0);
    let settings = MachineSettings::default();
    match noticed(Watch::machine(settings), &samples)[..] {
        [(_, Noticed::Judged(judgement))] => judgement,
        ref other => panic!("{other:?}"),
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_silence_is_told_once_it_has_lasted_and_each_time_counts_anew() {
    let mut samples = pause(500);
    samples.extend(Speaker::new(1).words(400));
    samples.extend(pause(4000));
    let told = |times| noticed(Watch::silence(ms(1000), times), &samples);
    assert_eq!(told(1), [(1900, Noticed::Enough)]);
    assert_eq!(told(2), [(2900, Noticed::Enough)]);
    assert_eq!(told(5), []);
}

#[test]
fn noise_is_any_sound_that_is_loud() {
    let sound = [pause(300), tone(1000.0, 500, 3000.0), pause(300)].concat();
    assert_eq!(noticed(Watch::noise(ms(200), 1), &sound), [(500, Noticed::Enough)]);
    let low = [pause(300), tone(1000.0, 500, 300.0), pause(300)].concat();
    assert_eq!(noticed(Watch::noise(ms(200), 1), &low), []);
}

#[test]
fn talk_is_told_at_its_begin_and_after_its_end_with_its_length() {
    for seed in 0..20 {
        let mut speaker = Speaker::new(seed);
        let parts = [pause(600), speaker.words(1500), pause(1200), speaker.words(800), pause(1200)];
        let told = noticed(Watch::talk(ms(700), LOUD), &parts.concat());
        let [
            (begun, Noticed::TalkStarted),
            (ended, Noticed::TalkStopped { talked }),
            (_, Noticed::TalkStarted),
            (_, Noticed::TalkStopped { .. }),
        ] = told[..]
        else {
            panic!("seed {seed}: {told:?}")
        };
        assert!((600..=720).contains(&begun), "seed {seed}: begun at {begun}");
        assert!((2660..=2820).contains(&ended), "seed {seed}: ended at {ended}");
        let error = talked.abs_diff(ms(1500));
        assert!(error < ms(160), "seed {seed}: {talked:?}");
    }
}

#[test]
fn what_is_said_must_be_as_long_as_was_asked() {
    let mut speaker = Speaker::new(3);
    let parts = [pause(200), speaker.words(200), pause(1500), speaker.words(900), pause(1500)];
    let wanted =
        Utterance { silence: ms(1000), shortest: ms(400), longest: Some(ms(2000)), within: None };
    let told = noticed(Watch::utterance(wanted), &parts.concat());
    let [(_, Noticed::Utterance { talked })] = told[..] else { panic!("{told:?}") };
    assert!(talked.abs_diff(ms(900)) < ms(160), "{talked:?}");
    let short = Utterance { longest: Some(ms(500)), ..wanted };
    assert_eq!(noticed(Watch::utterance(short), &parts.concat()), []);
    let early = Utterance { within: Some(ms(3000)), ..wanted };
    assert_eq!(noticed(Watch::utterance(early), &parts.concat()), []);
}

#[test]
fn a_short_hello_is_a_human() {
    for seed in 0..50 {
        let hello = Speaker::new(seed).words(400);
        let judgement = judged(&[pause(500), hello]);
        assert_eq!(judgement.answerer(), Answerer::Human, "seed {seed}: {judgement}");
        assert_eq!(judgement.to_string(), "HUMAN-800-800");
    }
}

#[test]
fn a_long_announcement_is_a_machine() {
    for seed in 0..50 {
        let mut speaker = Speaker::new(seed);
        let announcement = [pause(400), speaker.words(5000)];
        let judgement = judged(&announcement);
        assert_eq!(judgement.answerer(), Answerer::Machine, "seed {seed}: {judgement}");
        let many = [
            pause(400),
            speaker.words(300),
            pause(160),
            speaker.words(300),
            pause(160),
            speaker.words(300),
        ];
        let judgement = judged(&many);
        assert_eq!(judgement.answerer(), Answerer::Machine, "seed {seed}: {judgement}");
    }
}

#[test]
fn nothing_is_a_machine_and_so_are_tones() {
    assert_eq!(judged(&[]).to_string(), "INITIALSILENCE-2500-2500");
    for hertz in [425.0, 1000.0, 1400.0, 2100.0] {
        let judgement = judged(&[pause(400), tone(hertz, 4500, 6000.0)]);
        assert_eq!(judgement.answerer(), Answerer::Machine, "{hertz}: {judgement}");
    }
}

#[test]
fn words_with_pauses_as_long_as_the_time_are_not_sure() {
    let mut speaker = Speaker::new(9);
    let parts: Vec<Vec<i16>> = vec![
        pause(2000),
        speaker.words(300),
        pause(700),
        speaker.words(300),
        pause(700),
        speaker.words(60),
        pause(700),
        speaker.words(60),
        pause(700),
    ];
    assert_eq!(judged(&parts).to_string(), "TOOLONG-5000");
}

#[test]
fn a_human_is_told_by_the_settings_that_were_given() {
    let settings = MachineSettings { after_greeting_silence: ms(400), ..Default::default() };
    let samples = [pause(300), Speaker::new(4).words(400), pause(1000)].concat();
    let told = noticed(Watch::machine(settings), &samples);
    let [(_, Noticed::Judged(judgement))] = told[..] else { panic!("{told:?}") };
    assert_eq!(judgement.to_string(), "HUMAN-400-400");
}

/// Speech of espeak-ng: see `tests/data/voices`.
fn spoken(name: &str) -> Vec<i16> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/voices/");
    let bytes = std::fs::read(format!("{directory}{name}.ulaw")).expect("the voice is there");
    let mut samples = vec![0; bytes.len()];
    g711::decode_ulaw_into(&bytes, &mut samples);
    samples
}

/// The same as another codec leaves it.
fn through_alaw(samples: &[i16]) -> Vec<i16> {
    let (mut bytes, mut heard) = (vec![0; samples.len()], vec![0; samples.len()]);
    g711::encode_alaw_into(samples, &mut bytes);
    g711::decode_alaw_into(&bytes, &mut heard);
    heard
}

/// The same over a line that hums and hisses, and a network that loses a frame in so many.
fn over_a_bad_line(samples: &[i16], one_in: u64, entropy: &mut Entropy) -> Vec<i16> {
    let mut heard = samples.to_vec();
    for frame in heard.chunks_mut(FRAME) {
        let is_lost = entropy.next_u64().is_multiple_of(one_in);
        for sample in frame {
            let noise = (entropy.next_u64() % 121) as i16 - 60;
            *sample = if is_lost { 0 } else { sample.saturating_add(noise) };
        }
    }
    heard
}

#[test]
fn spoken_greetings_are_told_apart_across_codecs_and_losses() {
    let answerers = [
        ("hello", Answerer::Human),
        ("allo", Answerer::Human),
        ("greeting", Answerer::Machine),
        ("repondeur", Answerer::Machine),
    ];
    for (name, answerer) in answerers {
        let voice = [pause(300), spoken(name)].concat();
        let judgement = judged(std::slice::from_ref(&voice));
        assert_eq!(judgement.answerer(), answerer, "{name}: {judgement}");
        let judgement = judged(&[through_alaw(&voice)]);
        assert_eq!(judgement.answerer(), answerer, "{name} in A-law: {judgement}");
        for seed in 0..20 {
            let mut entropy = Entropy::new(seed);
            let judgement = judged(&[over_a_bad_line(&voice, 40, &mut entropy)]);
            assert_eq!(judgement.answerer(), answerer, "{name}, line {seed}: {judgement}");
        }
    }
}

#[test]
fn whatever_is_heard_it_is_known_in_time() {
    for seed in 0..200 {
        let (mut entropy, mut speaker) = (Entropy::new(seed), Speaker::new(seed));
        let mut samples = vec![];
        while samples.len() < 8 * 6000 {
            let length = 20 + (entropy.next_u64() % 800) as usize;
            match entropy.next_u64() % 5 {
                0 => samples.extend(pause(length)),
                1 => samples.extend(speaker.words(length)),
                2 => samples.extend(tone(425.0, length, 6000.0)),
                3 => samples.extend((0..length * 8).map(|_| entropy.next_u64() as i16)),
                _ => samples.extend(
                    (0..length * 8).map(|at| if at % 3 == 0 { i16::MIN } else { i16::MAX }),
                ),
            }
        }
        let found = noticed(Watch::machine(MachineSettings::default()), &samples);
        let [(at, Noticed::Judged(_))] = found[..] else { panic!("{seed}: {found:?}") };
        assert!(at <= 5020, "{seed}: {at}");
    }
}
