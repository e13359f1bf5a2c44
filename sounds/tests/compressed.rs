//! Compressed sound against what was compressed: content, place and length; and what is damaged.
//!
//! The files in `tests/compressed` are a chirp from 200 to 3,200 Hz, made with lame 3.100, flac
//! 1.4.2, vorbis-tools 1.4.2, opus-tools 0.1.10 and ffmpeg 5.1 from WAV files of `chirp` below, the
//! first channel as it is and all others half as loud:
//!
//! ```sh
//! flac -8 --no-padding -o mono.flac m8.wav; flac -8 --no-padding --ogg -o mono.flac.ogg m8.wav
//! lame -b 64 --resample 44.1 s44.wav stereo.mp3; lame -b 32 m16.wav mono.mp3; lame -V 5 -t s44.wav bare.mp3
//! oggenc -q 2 -o mono.ogg m16.wav; oggenc -q 2 -o stereo.ogg s44.wav
//! opusenc --bitrate 24 m48.wav mono.opus; opusenc --bitrate 48 s48.wav stereo.opus
//! opusenc --bitrate 96 x48.wav six.opus
//! ffmpeg -i m48.wav -c:a libopus -b:a 24k mono.webm; ffmpeg -i m16.wav -c:a aac -b:a 48k mono.m4a
//! ffmpeg -i m16.wav -c:a aac -b:a 48k mono.aac; ffmpeg -i m8.wav -c:a alac alac.m4a
//! ffmpeg -i m8.wav -c:a alac alac.caf; ffmpeg -i m8.wav -c:a pcm_s16be pcm.caf
//! ffmpeg -i m8.wav -c:a flac flac.mka; ffmpeg -i m16.wav -c:a libmp3lame -b:a 16k mp3.wav
//! ffmpeg -i m16.wav -c:a mp2 -b:a 32k mono.mp2
//! ffmpeg -f lavfi -i testsrc=d=0.3:s=16x16:r=5 -i m16.wav -c:v mpeg4 -c:a aac -b:a 48k video.mp4
//! ```

use std::f64::consts::TAU;
use std::path::Path;

use diesis_sounds::format::{Container, Format};
use diesis_sounds::read::Reader;
use diesis_sounds::read::channels::Channels;
use diesis_sounds::sound::Sound;

/// What was compressed.
fn chirp(rate: u32, len: usize) -> Vec<f64> {
    let seconds = len as f64 / f64::from(rate);
    let at = |n: usize| {
        let t = n as f64 / f64::from(rate);
        10_000.0 * (TAU * (200.0 * t + 3000.0 / seconds * t * t / 2.0)).sin()
    };
    (0..len).map(at).collect()
}

/// A file and what it should be.
struct Case {
    name: &'static str,
    bytes: &'static [u8],
    rate: u32,
    len: usize,
    /// How loud the mean of its channels is.
    level: f64,
    /// How much weaker than the sound that may be which is not the chirp, in dB. `None`: nothing.
    noise: Option<f64>,
    /// Samples that the container does not tell to cut off at the beginning, and at the end.
    excess: (usize, usize),
}

macro_rules! case {
    ($name:literal, $rate:literal, $len:literal, $level:expr, $noise:expr, $excess:expr) => {
        Case {
            name: $name,
            bytes: include_bytes!(concat!("compressed/", $name)),
            rate: $rate,
            len: $len,
            level: $level,
            noise: $noise,
            excess: $excess,
        }
    };
}

const CASES: &[Case] = &[
    case!("mono.flac", 8000, 2400, 1.0, None, (0, 0)),
    case!("mono.flac.ogg", 8000, 2400, 1.0, None, (0, 0)),
    case!("alac.m4a", 8000, 2400, 1.0, None, (0, 0)),
    case!("alac.caf", 8000, 2400, 1.0, None, (0, 0)),
    case!("pcm.caf", 8000, 2400, 1.0, None, (0, 0)),
    case!("flac.mka", 8000, 2400, 1.0, None, (0, 0)),
    case!("stereo.mp3", 44_100, 13_231, 0.75, Some(25.0), (0, 0)),
    case!("mono.mp3", 16_000, 4801, 1.0, Some(20.0), (1105, 430)),
    case!("bare.mp3", 44_100, 13_231, 0.75, Some(25.0), (1105, 640)),
    case!("mono.mp2", 16_000, 4801, 1.0, Some(15.0), (481, 478)),
    case!("mp3.wav", 16_000, 4801, 1.0, Some(15.0), (1105, 430)),
    case!("mono.ogg", 16_000, 4801, 1.0, Some(12.0), (0, 0)),
    case!("stereo.ogg", 44_100, 13_231, 0.75, Some(12.0), (0, 0)),
    #[cfg(feature = "opus")]
    case!("mono.opus", 48_000, 14_401, 1.0, Some(15.0), (0, 0)),
    #[cfg(feature = "opus")]
    case!("stereo.opus", 48_000, 14_401, 0.75, Some(15.0), (0, 0)),
    #[cfg(feature = "opus")]
    case!("six.opus", 48_000, 14_401, 3.5 / 6.0, Some(14.0), (0, 0)),
    #[cfg(feature = "opus")]
    case!("mono.webm", 48_000, 14_401, 1.0, Some(15.0), (0, 0)),
    case!("mono.m4a", 16_000, 4801, 1.0, Some(15.0), (0, 0)),
    case!("video.mp4", 16_000, 4801, 1.0, Some(15.0), (0, 0)),
    case!("mono.aac", 16_000, 4801, 1.0, Some(15.0), (1024, 319)),
];

/// What it is called says nothing: all of them are opened as something else.
fn parse(bytes: &[u8]) -> Result<Sound, diesis_sounds::error::SoundError> {
    Format::Wav.parse(bytes)
}

#[test]
fn what_was_compressed_is_there_at_its_time_and_of_its_length() {
    let mut wrong = Vec::new();
    for case in CASES {
        if let Err(error) = check(case) {
            wrong.push(format!("{}: {error}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let sound = parse(case.bytes).map_err(|error| error.to_string())?;
    if sound.rate != case.rate {
        return Err(format!("{} Hz", sound.rate));
    }
    let original = chirp(case.rate, case.len);
    let level = case.level;
    // The delay at which it fits best.
    let product = |delay: i64| -> f64 {
        let at = |n: usize| usize::try_from(n as i64 + delay).ok();
        let here = |n| at(n).and_then(|at| sound.samples.get(at)).map_or(0.0, |&it| f64::from(it));
        original.iter().enumerate().map(|(n, it)| it * here(n)).sum()
    };
    let delay = (-1300..1800).max_by(|&a, &b| product(a).total_cmp(&product(b))).unwrap();
    let rest = |gain: f64| {
        let skip = original.len() / 20;
        let (mut noise, mut power) = (0.0, 0.0);
        let middle = original.iter().enumerate().skip(skip).take(original.len() - 2 * skip);
        for (n, &wanted) in middle {
            let at = usize::try_from(n as i64 + delay).unwrap_or(usize::MAX);
            let heard = sound.samples.get(at).map_or(0.0, |&it| f64::from(it));
            noise += (heard - gain * wanted).powi(2);
            power += (gain * wanted).powi(2);
        }
        10.0 * (power / noise.max(1e-9)).log10()
    };
    let (ratio, len) = (rest(level), sound.samples.len());
    let wanted = case.len + case.excess.0 + case.excess.1;
    // What opusdec makes of these files is two samples early, too.
    let early = if case.name.contains("opus") || case.name.contains("webm") { 2 } else { 0 };
    let in_place = (0..=early).contains(&(case.excess.0 as i64 - delay));
    if !in_place || len != wanted || ratio < case.noise.unwrap_or(60.0) {
        return Err(format!("{delay} late, {len} samples instead of {wanted}, {ratio:.1} dB"));
    }
    if case.noise.is_none() {
        let exact =
            original.iter().zip(&sound.samples).all(|(a, &b)| (a + 0.5).floor() == b.into());
        return exact.then_some(()).ok_or_else(|| "other samples".into());
    }
    Ok(())
}

#[test]
fn every_truncation_is_survived_and_gives_no_more() {
    for case in CASES {
        let whole = parse(case.bytes).map_or(0, |it| it.samples.len());
        for len in (0..case.bytes.len()).step_by(97) {
            if let Ok(sound) = parse(&case.bytes[..len]) {
                // Padding is cut off by what the end says, which is missing.
                assert!(sound.samples.len() <= whole + 4096, "{} at {len}", case.name);
            }
        }
    }
}

#[test]
fn every_single_byte_change_is_survived() {
    for case in CASES {
        let mut bytes = case.bytes.to_vec();
        let step = if bytes.len() > 2500 { 7 } else { 3 };
        for at in (0..bytes.len()).filter(|at| *at < 200 || at % step == 0) {
            let value = bytes[at];
            for changed in [value ^ 0xff, value ^ 1, 0] {
                bytes[at] = changed;
                let _ = parse(&bytes);
            }
            bytes[at] = value;
        }
    }
}

#[test]
fn the_name_helps_where_the_contents_do_not() {
    let mut junk = b"some page of a web server\r\n\r\n".to_vec();
    junk.extend(include_bytes!("compressed/mono.mp2"));
    assert!(Format::Wav.parse(&junk).is_err());
    let sound = Format::Compressed(Container::Mpeg).parse(&junk).unwrap();
    assert_eq!((sound.rate, sound.samples.len()), (16_000, 5760));
}

#[test]
fn tags_before_and_behind_are_no_sound() {
    let mp3 = include_bytes!("compressed/stereo.mp3");
    let mut picture = [0xff, 0xfb, 0x90, 0x64].repeat(500);
    picture.truncate(1900);
    let mut bytes = b"ID3\x04\0\0\0\0\x0e\x6c".to_vec();
    bytes.extend(&picture[..1900]);
    bytes.extend(b"ID3\x04\0\0\0\0\0\x04abcd");
    bytes.extend(mp3);
    let mut footer = b"APETAGEX\xd0\x07\0\0".to_vec();
    footer.extend(((picture.len() + 32) as u32).to_le_bytes());
    footer.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    footer.extend([0; 8]);
    bytes.extend(&picture);
    bytes.extend(footer);
    bytes.extend(b"TAG");
    bytes.extend([b' '; 125]);
    assert_eq!(parse(&bytes).unwrap(), parse(mp3).unwrap());
}

#[test]
fn files_that_follow_each_other_are_heard_one_after_the_other() {
    let twice = |bytes: &[u8]| parse(&[bytes, bytes].concat()).unwrap().samples;
    for bytes in [
        include_bytes!("compressed/mono.ogg").as_slice(),
        #[cfg(feature = "opus")]
        include_bytes!("compressed/mono.opus"),
        include_bytes!("compressed/mono.flac.ogg"),
    ] {
        let once = parse(bytes).unwrap().samples;
        assert_eq!(twice(bytes), [once.as_slice(), &once].concat());
    }
}

#[test]
fn a_rate_that_changes_on_the_way_does_not_change_the_speed() {
    let (first, second) =
        (include_bytes!("compressed/mono.ogg"), include_bytes!("compressed/stereo.ogg"));
    let sound = parse(&[first.as_slice(), second].concat()).unwrap();
    assert_eq!((sound.rate, sound.samples.len()), (16_000, 4801 + 4800));
    let first = include_bytes!("compressed/mono.mp2");
    let sound = parse(&[first.as_slice(), include_bytes!("compressed/bare.mp3")].concat()).unwrap();
    // 14,976 samples of 44.1 kHz are 5,433 of 16 kHz.
    assert_eq!((sound.rate, sound.samples.len()), (16_000, 5760 + 5433));
}

#[test]
fn what_is_not_decoded_is_named() {
    let mut speex = include_bytes!("compressed/mono.opus").to_vec();
    let at = speex.windows(8).position(|it| it == b"OpusHead").unwrap();
    speex[at..at + 8].copy_from_slice(b"Speex   ");
    assert!(parse(&speex).is_err());
    let mut family = include_bytes!("compressed/six.opus").to_vec();
    family[28 + 18] = 255;
    assert!(parse(&family).is_err());
}

#[test]
fn a_file_says_what_is_in_it() {
    for (name, coding, channels, precision) in [
        ("mono.flac", "FLAC", 1, 16),
        ("alac.m4a", "ALAC", 1, 16),
        ("alac.caf", "ALAC", 1, 16),
        ("pcm.caf", "PCM", 1, 16),
        ("flac.mka", "FLAC", 1, 16),
        ("stereo.mp3", "MP3", 2, 32),
        ("mono.mp2", "MPEG audio layer 2", 1, 32),
        ("stereo.ogg", "Vorbis", 2, 32),
        #[cfg(feature = "opus")]
        ("six.opus", "Opus", 6, 32),
        ("video.mp4", "AAC", 1, 32),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compressed").join(name);
        let mut reader = Reader::open(&path).unwrap();
        let spec = reader.spec();
        let told = (spec.coding, spec.channels, spec.precision);
        assert_eq!(told, (coding, channels, precision), "{name}");
        // Frames by turns are the same sound.
        let mean = reader
            .frames()
            .unwrap()
            .chunks_exact(channels.into())
            .map(|frame| frame.iter().sum::<f32>() / f32::from(channels));
        let mean: Vec<f32> = mean.collect();
        let mut mixed = [Vec::new()];
        Reader::open(&path).unwrap().read(Channels::Mean, &mut mixed).unwrap();
        assert_eq!(mean.len(), mixed[0].len(), "{name}");
        assert!(mean.iter().zip(&mixed[0]).all(|(a, b)| (a - b).abs() < 1e-6), "{name}");
    }
}
