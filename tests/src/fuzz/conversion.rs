//! Whole conversions of sound files: any treatment of any input into any form that is written.

use std::time::Duration;

use diesis_sounds::coding::{Coding, Order};
use diesis_sounds::convert::target::{Container, Target as Output};
use diesis_sounds::convert::treatment::{Ends, Gate, Level, Section, Trim};
use diesis_sounds::convert::{Conversion, Report, convert};
use diesis_sounds::error::SoundError;
use diesis_sounds::rate::{Phase, converted_len};
use diesis_sounds::read::Reader;
use diesis_sounds::read::channels::Channels;
use diesis_sounds::read::input::Input;

use super::{Shape, Target};
use crate::scratch::Scratch;

pub(super) const TARGETS: &[Target] = &[Target {
    name: "conversion",
    about: "convert: any treatment of any sound, twice; what is made is read again",
    run: conversion,
    seeds,
    tokens: &[b"RIFF", b"fmt ", b"data", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\xc0\x7f"],
    longest: 2048,
    memory: 64 << 20,
    slow: super::SLOW_OFF_THREAD,
}];

/// Bytes that say what is done; the rest is the sound.
const CHOICES: usize = 16;

fn conversion(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let Some((choices, sound)) = input.split_first_chunk::<CHOICES>() else { return shape };
    let (conversion, outputs) = chosen(*choices);
    let scratch = Scratch::new("fuzz-conversion");
    let [once, again] = ["once", "again"].map(|run| {
        let outputs: Vec<_> =
            (0..).zip(&outputs).map(|(n, it)| (scratch.join(&format!("{run}-{n}")), *it)).collect();
        let done =
            Input::spooled(sound, "input").and_then(|input| convert(input, &outputs, &conversion));
        let files: Vec<_> = outputs.iter().map(|(path, _)| std::fs::read(path).ok()).collect();
        (done, files)
    });
    assert_eq!(once.1, again.1, "two runs differ");
    match &once.0 {
        Ok(report) => holds(report, &conversion, &outputs, &once.1, &scratch, &mut shape),
        Err(error) => {
            shape.kind(error);
            assert!(!error.to_string().is_empty());
            let is_late = matches!(error, SoundError::Io { .. });
            assert!(is_late || once.1.iter().all(Option::is_none), "{error}, and yet files");
        }
    }
    shape
}

/// What must hold when it is done.
fn holds(
    report: &Report,
    conversion: &Conversion,
    outputs: &[Output],
    files: &[Option<Vec<u8>>],
    scratch: &Scratch,
    shape: &mut Shape,
) {
    shape.count(report.frames as usize);
    shape.count(report.warnings.len());
    assert!(report.peak.is_finite() && report.gain.is_finite(), "{report:?}");
    assert_eq!(report.made.len(), outputs.len());
    for (n, (output, made)) in outputs.iter().zip(&report.made).enumerate() {
        let bytes = files[n].as_ref().expect("what is made is there");
        let pads = [conversion.pad.before, conversion.pad.after]
            .map(|pad| (pad.as_nanos() * u128::from(output.rate) + 500_000_000) / 1_000_000_000);
        let length = converted_len(report.frames, report.input.rate, output.rate);
        assert_eq!(u128::from(made.frames), u128::from(length) + pads[0] + pads[1], "{output:?}");
        if output.container == Container::Raw {
            continue;
        }
        assert!(bytes.starts_with(b"RIFF"));
        let mut reader = Reader::open(&scratch.join(&format!("once-{n}"))).expect("it is a sound");
        let spec = reader.spec();
        assert_eq!((spec.rate, spec.channels), (output.rate, output.channels));
        let mut frames = 0;
        while let read @ 1.. = reader.frames().expect("it is whole").len() {
            frames += read / usize::from(output.channels);
        }
        // GSM has packets of 320, of which the last may be filled up.
        let filled = if output.coding == Coding::GsmPairs { 319 } else { 0 };
        let frames = frames as u64;
        assert!((made.frames..=made.frames + filled).contains(&frames), "{frames}: {made:?}");
        assert!(reader.warnings().is_empty(), "{:?}", reader.warnings());
    }
}

/// What is done, by sixteen bytes.
fn chosen(choices: [u8; CHOICES]) -> (Conversion, Vec<Output>) {
    let [
        channels,
        phase,
        flags,
        level,
        from,
        to,
        trim,
        before,
        after,
        rise,
        fall,
        gate,
        gain,
        one,
        two,
        rates,
    ] = choices;
    let time = |byte: u8| Duration::from_millis(u64::from(byte & 0x7f));
    let decibels = |byte: u8| -f64::from(byte & 0x3f);
    let conversion = Conversion {
        channels: match channels % 4 {
            0 | 1 => Channels::Mean,
            2 => Channels::One(channels.into()),
            _ => Channels::Stereo,
        },
        phase: [Phase::Linear, Phase::Intermediate, Phase::Minimum][usize::from(phase % 3)],
        dither: flags & 1 == 0,
        gain: f32::from(gain) / 32.0,
        guard: flags & 2 != 0,
        level: match level % 4 {
            0 | 1 => Level::Kept,
            2 => Level::Loudness { target: decibels(level), ceiling: decibels(one) },
            _ => Level::Peak(decibels(level)),
        },
        section: Section { from: time(from / 8), to: (to & 1 != 0).then(|| time(to)) },
        trim: (trim & 1 != 0).then(|| Trim { threshold: decibels(trim), keep: time(trim / 4) }),
        pad: Ends { before: time(before), after: time(after) },
        fade: Ends { before: time(rise), after: time(fall) },
        remove_offset: flags & 4 != 0,
        gate: (gate & 1 != 0).then(|| Gate::new(decibels(gate))),
        measure: flags & 8 != 0,
    };
    let count = conversion.channels.count() as u16;
    let output = |byte: u8, rate: u8| {
        let rates = [8000, 16_000, 32_000, 44_100, 48_000, 8000, 11_025, 192_000];
        let rate = rates[usize::from(rate % 8)];
        let plain = |container, coding| Output { container, coding, rate, channels: count };
        match byte % 8 {
            0 => plain(Container::Wav, Coding::LINEAR),
            1 => plain(Container::Wav, Coding::Signed24(Order::Little)),
            2 => plain(Container::Wav, Coding::Float32(Order::Little)),
            3 => plain(Container::Raw, Coding::Ulaw),
            4 => plain(Container::Raw, Coding::LINEAR),
            5 => plain(Container::Wav, Coding::GsmPairs),
            6 => plain(Container::Raw, Coding::G722),
            _ => Output::default(),
        }
    };
    (conversion, vec![output(one, rates), output(two, rates >> 4)])
}

fn seeds() -> Vec<Vec<u8>> {
    let plain = [0; CHOICES];
    let much = [1, 1, 15, 2, 9, 255, 81, 3, 4, 5, 6, 81, 40, 0, 7, 0x31];
    let stereo = [3, 2, 2, 3, 0, 0, 0, 1, 1, 0, 0, 0, 200, 1, 2, 0x44];
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for sound in super::sounds::wav_seeds() {
        for choices in [plain, much, stereo] {
            seeds.push([&choices[..], &sound].concat());
        }
    }
    seeds
}
