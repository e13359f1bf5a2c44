use super::{
    testing::{Speaker, pause, tone},
    *,
};

/// What a watch notices, and at which millisecond.
fn noticed(mut watch: Watch, samples: &[i16]) -> Vec<(usize, Noticed)> {
    let frames = samples.as_chunks::<FRAME>().0.iter().enumerate();
    frames
        .filter_map(|(at, frame)| {
            let what = watch.handle_frame(frame, mean_magnitude(frame))?;
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
