use std::fs;
use std::path::Path;

use super::target::Container;
use super::*;
use crate::coding::{Coding, Order};
use crate::format::wav;
use crate::sound::Sound;

/// A directory of one test, removed with it.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("diesis-convert-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A WAV file of 32-bit float, which holds what no other does.
    pub(super) fn float(&self, name: &str, rate: u32, channels: u16, frames: &[f32]) -> PathBuf {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x03\0".to_vec();
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend((rate * u32::from(channels) * 4).to_le_bytes());
        bytes.extend((channels * 4).to_le_bytes());
        bytes.extend(b"\x20\0data");
        bytes.extend((frames.len() as u32 * 4).to_le_bytes());
        bytes.extend(frames.iter().flat_map(|it| it.to_le_bytes()));
        fs::write(self.at(name), bytes).unwrap();
        self.at(name)
    }

    /// What lies in it, hidden files too.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|it| name(it).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn sine(rate: u32, seconds: f64, level: f64) -> impl Iterator<Item = f32> {
    let step = std::f64::consts::TAU * 997.0 / f64::from(rate);
    (0..(f64::from(rate) * seconds) as u32)
        .map(move |n| (level * (step * f64::from(n)).sin()) as f32)
}

pub(super) fn to_wav(place: &Path) -> Vec<(PathBuf, Target)> {
    vec![(place.to_owned(), Target::default())]
}

#[test]
fn by_default_it_is_the_plain_file_that_asterisk_plays() {
    let place = Place::new("default");
    let frames: Vec<f32> = sine(44_100, 1.0, 0.5).flat_map(|it| [it, it]).collect();
    let input = place.float("in.wav", 44_100, 2, &frames);
    let out = place.at("out.wav");
    let report = convert(&input, &to_wav(&out), &Conversion::default()).unwrap();
    assert_eq!((report.frames, report.clipped), (44_100, 0));
    assert!((report.peak - 0.5).abs() < 0.01, "{}", report.peak);
    let bytes = fs::read(&out).unwrap();
    assert_eq!(bytes.len(), 44 + 16_000);
    let head = b"RIFF\xa4\x3e\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x80\x3e\0\0";
    assert_eq!(&bytes[..44], head);
    let heard = Sound::read(&out).unwrap().samples;
    let wanted: Vec<f32> = sine(8000, 1.0, 0.5).collect();
    for n in 200..7800 {
        let difference = f32::from(heard[n]) - wanted[n] * 32_768.0;
        // Dither and rounding together are below one and a half steps.
        assert!(difference.abs() < 1.6, "{n}: {difference}");
    }
    assert_eq!(place.names(), ["in.wav", "out.wav"]);
}

#[test]
fn what_needs_no_change_is_the_same_to_the_last_bit() {
    let place = Place::new("same");
    let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let (input, out) = (place.at("in.wav"), place.at("out.wav"));
    wav::write(&input, 8000, &samples).unwrap();
    convert(&input, &to_wav(&out), &Conversion::default()).unwrap();
    assert!(fs::read(&input).unwrap() == fs::read(&out).unwrap());
}

#[test]
fn silence_stays_silence_and_two_runs_are_the_same() {
    let place = Place::new("silence");
    let mut frames = vec![0.0; 44_100];
    let input = place.float("in.wav", 44_100, 1, &frames);
    let (one, two) = (place.at("one.wav"), place.at("two.wav"));
    let report = convert(&input, &to_wav(&one), &Conversion::default()).unwrap();
    assert_eq!(report.peak, 0.0);
    assert!(Sound::read(&one).unwrap().samples.iter().all(|&it| it == 0));
    frames.extend(sine(44_100, 1.0, 0.3));
    let input = place.float("in.wav", 44_100, 1, &frames);
    for out in [&one, &two] {
        convert(&input, &to_wav(out), &Conversion::default()).unwrap();
    }
    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());
    // Far before the sound begins nothing is heard of it, dither neither.
    let heard = Sound::read(&one).unwrap().samples;
    assert!(heard[..7000].iter().all(|&it| it == 0) && heard[8500] != heard[8501]);
}

#[test]
fn several_files_are_made_in_one_pass() {
    let place = Place::new("several");
    let frames: Vec<f32> = sine(48_000, 1.0, 0.5).collect();
    let input = place.float("in.wav", 48_000, 1, &frames);
    let names = ["a.wav", "b.ulaw", "c.alaw", "d.sln16", "e.sln"];
    let target = |name: &&str| {
        let extension = name.split('.').nth(1).unwrap();
        (place.at(name), Target::from_extension(extension).unwrap())
    };
    let mut outputs: Vec<_> = names.iter().map(target).collect();
    for (name, coding) in
        [("f.wav", Coding::Signed24(Order::Little)), ("g.wav", Coding::Float32(Order::Little))]
    {
        let target = Target { coding, rate: 44_100, channels: 2, container: Container::Wav };
        outputs.push((place.at(name), target));
    }
    convert(&input, &outputs, &Conversion::default()).unwrap();
    for (path, target) in &outputs {
        let sound = Sound::read(path).unwrap();
        assert_eq!(sound.rate, target.rate, "{}", path.display());
        assert_eq!(sound.samples.len(), target.rate as usize);
        let wanted: Vec<f32> = sine(target.rate, 1.0, 0.5).collect();
        let coarse = matches!(target.coding, Coding::Ulaw | Coding::Alaw);
        for n in (400..wanted.len() - 400).step_by(7) {
            let difference = (f32::from(sound.samples[n]) - wanted[n] * 32_768.0).abs();
            assert!(difference < if coarse { 520.0 } else { 1.6 }, "{}: {n}", path.display());
        }
    }
    let wide = Reader::open(&place.at("g.wav")).unwrap().spec();
    assert_eq!((wide.channels, wide.coding), (2, "32-bit float"));
}

#[test]
fn what_is_too_loud_is_counted_or_made_quieter() {
    let place = Place::new("loud");
    let frames: Vec<f32> = sine(44_100, 1.0, 2.0).collect();
    let input = place.float("in.wav", 44_100, 1, &frames);
    let out = place.at("out.wav");
    let report = convert(&input, &to_wav(&out), &Conversion::default()).unwrap();
    assert!(report.clipped > 4000, "{report:?}");
    let guarded = Conversion { guard: true, ..Conversion::default() };
    let report = convert(&input, &to_wav(&out), &guarded).unwrap();
    assert_eq!(report.clipped, 0);
    assert!((report.gain - 0.5).abs() < 0.01, "{report:?}");
    let peak = crate::pcm::peak(&Sound::read(&out).unwrap().samples);
    assert!((32_700..=32_767).contains(&peak), "{peak}");
}

#[test]
fn what_fails_leaves_what_was_there() {
    let place = Place::new("fails");
    let input = place.float("in.wav", 44_100, 1, &[0.5; 100]);
    let error = convert(&input, &to_wav(&input), &Conversion::default()).unwrap_err();
    assert!(matches!(error, SoundError::OverInput { .. }), "{error}");
    fs::write(place.at("bad.wav"), b"RIFF\0\0\0\0WAVE").unwrap();
    fs::write(place.at("out.wav"), b"precious").unwrap();
    let out = to_wav(&place.at("out.wav"));
    convert(&place.at("bad.wav"), &out, &Conversion::default()).unwrap_err();
    assert_eq!(fs::read(place.at("out.wav")).unwrap(), b"precious");
    let nowhere = to_wav(&place.at("no/such/out.wav"));
    let both = [out, nowhere].concat();
    let error = convert(&input, &both, &Conversion::default()).unwrap_err();
    assert!(matches!(error, SoundError::Io { .. }), "{error}");
    assert_eq!(fs::read(place.at("out.wav")).unwrap(), b"precious");
    assert_eq!(place.names(), ["bad.wav", "in.wav", "out.wav"]);
}

#[test]
fn no_sound_becomes_no_sound() {
    let place = Place::new("empty");
    let input = place.float("in.wav", 44_100, 2, &[]);
    let out = place.at("out.wav");
    convert(&input, &to_wav(&out), &Conversion::default()).unwrap();
    assert_eq!(fs::read(&out).unwrap().len(), 44);
}
