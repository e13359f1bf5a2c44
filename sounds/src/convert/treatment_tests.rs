//! What is done to a sound is what was asked for, in files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::tests::{Place, sine, to_wav};
use super::treatment::{Ends, Gate, Level, Section, Trim};
use super::*;
use crate::coding::{Coding, Order};
use crate::sound::Sound;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Half a second of silence, two of a tone, one of silence, with hiss.
fn spoken(rate: u32, hiss: f32) -> Vec<f32> {
    let silence = |seconds: f64| vec![0.0; (f64::from(rate) * seconds) as usize];
    let tone: Vec<f32> = sine(rate, 2.0, 0.1).collect();
    let mut samples = [silence(0.5), tone, silence(1.0)].concat();
    for (n, sample) in samples.iter_mut().enumerate() {
        *sample += if n * 7919 % 5 < 2 { hiss } else { -hiss };
    }
    samples
}

/// Converts what lies in a file, to a mono WAV, and reads that.
fn treated(place: &Place, input: &Path, conversion: &Conversion) -> (Report, Vec<i16>) {
    let out = place.at("out.wav");
    let report = convert(input, &to_wav(&out), conversion).unwrap();
    (report, Sound::read(&out).unwrap().samples)
}

fn measured(samples: &[i16]) -> Measured {
    let mut meter = Meter::new(8000, 1);
    meter.take(&[samples.iter().map(|&it| f32::from(it) / 32_768.0).collect::<Vec<_>>()]);
    meter.measured()
}

#[test]
fn loudness_is_that_of_the_file_and_its_peak_has_a_ceiling() {
    let place = Place::new("loudness");
    let mut samples = spoken(44_100, 0.0);
    let input = place.float("in.wav", 44_100, 1, &samples);
    let level = Level::Loudness { target: -23.0, ceiling: Level::CEILING };
    let loud = Conversion { level, ..Conversion::default() };
    let (report, heard) = treated(&place, &input, &loud);
    let is = measured(&heard).loudness.unwrap();
    assert!((is + 23.0).abs() < 0.02 && report.made[0].held.is_none(), "{is} {report:?}");
    assert!((report.made[0].measured.unwrap().loudness.unwrap() - is).abs() < 0.01);
    // A click far above the rest: the rest stays quieter.
    samples[60_000..60_040].fill(0.9);
    let input = place.float("in.wav", 44_100, 1, &samples);
    let (report, heard) = treated(&place, &input, &loud);
    let is = measured(&heard);
    assert!(report.made[0].held == Some(-3.0) && is.loudness.unwrap() < -24.0, "{is:?}");
    assert!((crate::signal::decibels(is.true_peak) + 3.0).abs() < 0.02, "{is:?}");
    assert_eq!(report.clipped, 0);
}

#[test]
fn every_output_is_as_loud_as_asked() {
    let place = Place::new("loud-outputs");
    // What only the second can hold is louder.
    let samples: Vec<f32> =
        (0..96_000).map(|n| if n * 7919 % 13 < 6 { 0.1 } else { -0.1 }).collect();
    let input = place.float("in.wav", 48_000, 2, &samples);
    let target = |extension| Target::from_extension(extension).unwrap();
    let stereo = Target { rate: 16_000, channels: 2, ..Target::default() };
    let outputs = [
        (place.at("a.wav"), target("wav")),
        (place.at("b.sln16"), target("sln16")),
        (place.at("c.wav"), stereo),
    ];
    let level = Level::Loudness { target: -30.0, ceiling: -1.0 };
    let channels = Channels::Stereo;
    let conversion = Conversion { level, channels, ..Conversion::default() };
    let report = convert(&input, &outputs, &conversion).unwrap();
    for made in &report.made {
        let loudness = made.measured.unwrap().loudness.unwrap();
        assert!((loudness + 30.0).abs() < 0.01, "{made:?}");
    }
    let gains: Vec<f32> = report.made.iter().map(|it| it.gain).collect();
    assert!(gains[0] > gains[1] * 1.1 && gains[2] < gains[1], "{gains:?}");
    assert_eq!(report.gain, gains[2]);
}

#[test]
fn the_peak_is_where_it_is_asked_for() {
    let place = Place::new("peak");
    let input = place.float("in.wav", 48_000, 1, &spoken(48_000, 0.0));
    for (asked, wanted) in [(-6.0, 16_423), (-3.0, 23_198), (0.0, 32_764)] {
        let conversion = Conversion { level: Level::Peak(asked), ..Conversion::default() };
        let (report, heard) = treated(&place, &input, &conversion);
        let peak = crate::pcm::peak(&heard);
        assert!(peak.abs_diff(wanted) <= 3 && report.clipped == 0, "{asked}: {peak}");
    }
}

#[test]
fn silence_at_the_ends_goes_and_a_little_stays() {
    let place = Place::new("trim");
    for hiss in [0.0, 0.001] {
        let input = place.float("in.wav", 44_100, 1, &spoken(44_100, hiss));
        let trim = Some(Trim::default());
        let (report, heard) = treated(&place, &input, &Conversion { trim, ..Default::default() });
        let Ends { before, after } = report.trimmed;
        assert!(before.abs_diff(ms(480)) <= ms(10) && after.abs_diff(ms(980)) <= ms(10));
        assert!(heard.len().abs_diff(8 * 2040) <= 160, "{}", heard.len());
        assert_eq!(heard.len() as u64, report.made[0].frames);
    }
    // Bit for bit, where nothing else is done.
    let samples: Vec<i16> = spoken(8000, 0.0).iter().map(|&it| crate::pcm::from_f32(it)).collect();
    let input = place.at("in8.wav");
    crate::format::wav::write(&input, 8000, &samples).unwrap();
    let trim = Some(Trim { keep: ms(0), ..Trim::default() });
    let (_, heard) = treated(&place, &input, &Conversion { trim, ..Default::default() });
    assert_eq!(heard, samples[4000..20_000]);
}

#[test]
fn a_section_is_cut_to_the_sample_and_one_behind_the_end_is_refused() {
    let place = Place::new("section");
    let samples: Vec<i16> = (0..8000).collect();
    let input = place.at("in.wav");
    crate::format::wav::write(&input, 8000, &samples).unwrap();
    let cut = |from, to| {
        let section = Section { from: ms(from), to: Some(ms(to)) };
        treated(&place, &input, &Conversion { section, ..Conversion::default() }).1
    };
    assert_eq!(cut(100, 250), samples[800..2000]);
    assert_eq!(cut(500, 5000), samples[4000..]);
    assert!(cut(0, 0).is_empty());
    let section = Section { from: ms(1000), to: None };
    let conversion = Conversion { section, ..Conversion::default() };
    let error = convert(&input, &to_wav(&place.at("no.wav")), &conversion).unwrap_err();
    assert!(error.to_string().contains("ends at 1.000 s"), "{error}");
    assert_eq!(place.names(), ["in.wav", "out.wav"]);
}

#[test]
fn fades_silence_around_and_offset() {
    let place = Place::new("fade");
    let samples: Vec<f32> = sine(44_100, 1.0, 0.3).map(|it| it + 0.1).collect();
    let input = place.float("in.wav", 44_100, 1, &samples);
    let ends = |before, after| Ends { before: ms(before), after: ms(after) };
    let (fade, pad) = (ends(100, 200), ends(50, 3000));
    let conversion = Conversion { fade, pad, remove_offset: true, ..Conversion::default() };
    let (report, heard) = treated(&place, &input, &conversion);
    assert!((report.offset - 0.1).abs() < 1e-4, "{report:?}");
    assert_eq!(heard.len(), 8 * 4050);
    assert!(heard[..400].iter().chain(&heard[8400..]).all(|&it| it == 0));
    assert!(crate::pcm::peak(&heard[400..420]) < 100 && crate::pcm::peak(&heard[8380..8400]) < 100);
    let middle = measured(&heard[1600..6400]);
    assert!(middle.offset.abs() < 1e-3 && (middle.peak - 0.3).abs() < 0.01, "{middle:?}");
}

#[test]
fn pauses_become_silence_behind_a_gate() {
    let place = Place::new("gate");
    let input = place.float("in.wav", 44_100, 1, &spoken(44_100, 0.001));
    let conversion = Conversion { gate: Some(Gate::new(-50.0)), ..Conversion::default() };
    let (_, heard) = treated(&place, &input, &conversion);
    assert_eq!(heard.len(), 28_000);
    assert!(heard[..3900].iter().chain(&heard[22_100..]).all(|&it| it == 0));
    assert!((measured(&heard[4100..19_900]).peak - 0.1).abs() < 0.01);
}

/// All at once.
fn everything() -> Conversion {
    let ends = Ends { before: ms(30), after: ms(40) };
    Conversion {
        channels: Channels::Stereo,
        phase: Phase::Intermediate,
        level: Level::Loudness { target: -23.0, ceiling: -3.0 },
        section: Section { from: ms(100), to: Some(ms(3400)) },
        trim: Some(Trim::default()),
        pad: ends,
        fade: ends,
        remove_offset: true,
        gate: Some(Gate::new(-60.0)),
        measure: true,
        ..Conversion::default()
    }
}

#[test]
fn silence_stays_silence_whatever_is_done() {
    let place = Place::new("silent");
    let codings = [Coding::Signed24(Order::Little), Coding::Float32(Order::Little)];
    let input = place.float("in.wav", 44_100, 2, &vec![0.0; 2 * 44_100]);
    let wide = codings.map(|coding| Target { coding, channels: 2, ..Target::default() });
    let plain = ["wav", "ulaw"].map(|it| Target::from_extension(it).unwrap());
    let targets = wide.into_iter().chain(plain);
    let outputs: Vec<_> = targets.zip(0..).map(|(it, n)| (place.at(&n.to_string()), it)).collect();
    for level in [everything().level, Level::Peak(-1.0), Level::Kept] {
        let conversion = Conversion { level, ..everything() };
        let report = convert(&input, &outputs, &conversion).unwrap();
        assert_eq!((report.peak, report.gain, report.clipped), (0.0, 1.0, 0));
        for (n, (path, _)) in outputs.iter().enumerate() {
            let bytes = fs::read(path).unwrap();
            let sound = &bytes[bytes.len() - 900 * [6, 8, 2, 1][n]..];
            let zero = if n == 3 { 0xff } else { 0 };
            assert!(sound.iter().all(|&it| it == zero), "{n}");
            assert_eq!(report.made[n].measured.unwrap().loudness, None);
        }
    }
    let input = place.float("in.wav", 44_100, 2, &[]);
    let conversion = Conversion { section: Section::default(), ..everything() };
    let report = convert(&input, &outputs, &conversion).unwrap();
    assert_eq!((report.frames, report.made[0].frames), (0, 560));
}

#[test]
fn all_of_it_works_together_in_stereo_and_twice_the_same() {
    let place = Place::new("all");
    let left = spoken(44_100, 0.0005);
    let frames: Vec<f32> = left.iter().flat_map(|it| [it + 0.05, it * 0.5]).collect();
    let input = place.float("in.wav", 44_100, 2, &frames);
    let target =
        Target { channels: 2, coding: Coding::Signed24(Order::Little), ..Target::default() };
    let made = |name| {
        let out = place.at(name);
        let report = convert(&input, &[(out.clone(), target)], &everything()).unwrap();
        (report, fs::read(out).unwrap())
    };
    let (report, bytes) = made("one.wav");
    assert!(bytes == made("two.wav").1);
    let made = report.made[0];
    let measured = made.measured.unwrap();
    assert!((measured.loudness.unwrap() + 23.0).abs() < 0.01, "{report:?}");
    assert!(measured.offset.abs() < 1e-3 && (report.offset - 0.05).abs() < 1e-3);
    assert!(made.frames.abs_diff(8 * (2000 + 40 + 70)) < 200, "{report:?}");
    assert_eq!(bytes.len() as u64, 44 + made.frames * 6);
    // Dither ends where the sound does.
    assert!(bytes[44..44 + 240 * 6].iter().all(|&it| it == 0));
    assert!(bytes[bytes.len() - 319 * 6..].iter().all(|&it| it == 0));
}

#[test]
fn whatever_is_asked_of_whatever_sound_is_done_or_refused() {
    let place = Place::new("any");
    let mut state = 1_u32;
    let mut any = |below: u64| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u64::from(state >> 8) % below
    };
    let rates = [1000, 8000, 11_025, 44_100, 44_101];
    for round in 0..120 {
        let channels = 1 + any(2) as u16;
        let frames = [0, 1, 79, 80, 81, 700, 9000][any(7) as usize];
        let loud = [0.0, 1e-30, 0.001, 0.5, 4.0][any(5) as usize];
        let sample = |n: u32| if n * 7919 % 11 < 5 + round % 4 { loud } else { -loud };
        let samples: Vec<f32> = (0..frames * u32::from(channels)).map(sample).collect();
        let input = place.float("in.wav", rates[any(5) as usize], channels, &samples);
        let mut ends = || Ends { before: ms(any(2) * any(300)), after: ms(any(2) * any(300)) };
        let (pad, fade) = (ends(), ends());
        let level = match any(4) {
            0 => Level::Peak(-(any(60) as f64)),
            1 => Level::Loudness { target: -(any(70) as f64), ceiling: -(any(9) as f64) },
            _ => Level::Kept,
        };
        let conversion = Conversion {
            channels: [Channels::Mean, Channels::Stereo, Channels::One(1)][any(3) as usize],
            phase: [Phase::Linear, Phase::Intermediate, Phase::Minimum][any(3) as usize],
            dither: any(2) == 0,
            gain: 1.0,
            guard: any(2) == 0,
            level,
            section: Section {
                from: ms(any(2) * any(50)),
                to: (any(2) == 0).then(|| ms(any(2000))),
            },
            trim: (any(2) == 0).then(|| Trim { threshold: -(any(90) as f64), keep: ms(any(40)) }),
            pad,
            fade,
            remove_offset: any(2) == 0,
            gate: (any(2) == 0).then(|| Gate::new(-(any(90) as f64))),
            measure: any(2) == 0,
        };
        let target = Target { rate: rates[any(5) as usize], channels, ..Target::default() };
        let out = place.at("out.wav");
        match convert(&input, &[(out.clone(), target)], &conversion) {
            Ok(report) => {
                let made = report.made[0];
                let bytes = fs::metadata(&out).unwrap().len();
                assert_eq!(bytes, 44 + made.frames * 2 * u64::from(channels), "{conversion:?}");
                assert!(made.peak.is_finite() && made.gain.is_finite(), "{report:?}");
                assert!(loud > 0.0 || made.peak == 0.0, "{report:?}");
                let bounded = conversion.guard || level != Level::Kept;
                assert!(!bounded || made.clipped == 0, "{report:?} {conversion:?}");
            }
            Err(error) => assert!(matches!(error, SoundError::NothingLeft { .. }), "{error}"),
        }
    }
}
