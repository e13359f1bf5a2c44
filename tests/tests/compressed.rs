//! Compressed sound as other programs make it, converted here and by ffmpeg: the same samples, at the
//! same place, as many.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test compressed
//!
//! Needs Debian's ffmpeg, lame, flac, vorbis-tools and opus-tools.

use std::path::Path;
use std::process::Command;

use diesis_sounds::format::wav;
use diesis_sounds::sound::Sound;
use diesis_tests::engine;
use diesis_tests::scratch::Scratch;

/// How a file is made: its name, a command with `{in}` and `{out}`, the rate at which it is decoded,
/// and whether it is as long as what was encoded.
const FILES: &[(&str, &str, u32, Length)] = &[
    ("cbr.mp3", "lame --quiet -b 128 {in} {out}", 44_100, Length::Same),
    ("vbr.mp3", "lame --quiet -V 2 {in} {out}", 44_100, Length::Same),
    ("low.mp3", "lame --quiet -b 64 --resample 24 {in} {out}", 24_000, Length::AsFfmpeg),
    ("untold.mp3", "lame --quiet -t -b 128 {in} {out}", 44_100, Length::AsFfmpeg),
    ("named.wav", "ffmpeg -i {in} -f mp3 {out}", 44_100, Length::Same),
    ("within.wav", "ffmpeg -i {in} -c:a libmp3lame {out}", 44_100, Length::Untold),
    ("best.flac", "flac -s -8 -o {out} {in}", 44_100, Length::Same),
    ("in.ogg", "flac -s --ogg -o {out} {in}", 44_100, Length::Same),
    ("vorbis.ogg", "oggenc -Q -q 5 -o {out} {in}", 44_100, Length::Same),
    ("opus.opus", "opusenc --quiet --bitrate 64 {in} {out}", 48_000, Length::Same),
    ("opus.webm", "ffmpeg -i {in} -c:a libopus {out}", 48_000, Length::Same),
    ("opus.mka", "ffmpeg -i {in} -c:a libopus {out}", 48_000, Length::Same),
    ("vorbis.mka", "ffmpeg -i {in} -c:a libvorbis {out}", 44_100, Length::Untold),
    // Noise that the decoder makes up is another in each.
    ("aac.m4a", "ffmpeg -i {in} -c:a aac -aac_pns 0 {out}", 44_100, Length::Same),
    ("aac.aac", "ffmpeg -i {in} -c:a aac -aac_pns 0 {out}", 44_100, Length::AsFfmpeg),
    ("alac.m4a", "ffmpeg -i {in} -c:a alac {out}", 44_100, Length::Same),
    ("alac.caf", "ffmpeg -i {in} -c:a alac {out}", 44_100, Length::Same),
    ("pcm.caf", "ffmpeg -i {in} -c:a pcm_s24be {out}", 44_100, Length::Same),
    ("flac.mkv", "ffmpeg -i {in} -c:a flac {out}", 44_100, Length::Same),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// As that which was encoded.
    Same,
    /// The file does not tell: then as long as ffmpeg hears it.
    AsFfmpeg,
    /// The file does not tell, and ffmpeg guesses.
    Untold,
}

#[test]
fn what_others_compressed_is_heard_as_ffmpeg_hears_it() {
    let scratch = Scratch::new("sounds");
    let original = scratch.join("original.wav");
    let samples = music();
    wav::write(&original, 44_100, &samples).expect("the scratch directory can be written");
    let mut wrong = Vec::new();
    for &(name, command, rate, length) in FILES {
        let file = scratch.join(name);
        run(&command.replace("ffmpeg", FFMPEG), &original, &file);
        let (ours, theirs) = (scratch.join("ours.wav"), scratch.join("theirs.wav"));
        let made = Command::new(engine::binary())
            .arg("convert")
            .args([&file, &ours])
            .args(["--rate", &rate.to_string()])
            .status();
        assert!(made.expect("diesis runs").success(), "{name}");
        run(&format!("{FFMPEG} -i {{in}} -c:a pcm_s16le {{out}}"), &file, &theirs);
        let [ours, theirs] =
            [ours, theirs].map(|path| Sound::read(&path).expect("it is a WAV file"));
        assert_eq!((ours.rate, theirs.rate), (rate, rate), "{name}");
        let wanted = match length {
            Length::Same => (samples.len() * rate as usize).div_ceil(44_100),
            Length::AsFfmpeg => theirs.samples.len(),
            Length::Untold => ours.samples.len(),
        };
        let (delay, ratio) = best_fit(&ours.samples, &theirs.samples);
        println!("{name}: {} samples, {delay} later, {ratio:.1} dB", ours.samples.len());
        // Dither of one bit is 75 dB below this music, and where ffmpeg does not know the delay of
        // AAC in MP4 or MP3 in WAV, it may be off.
        let off = if length == Length::Untold { 3000 } else { 1 };
        if ours.samples.len().abs_diff(wanted) > 1 || delay.abs() > off || ratio < 50.0 {
            wrong.push(format!(
                "{name}: {} samples instead of {wanted}, {delay} later, {ratio:.1} dB",
                ours.samples.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const FFMPEG: &str = "ffmpeg -v error -y";

fn run(command: &str, input: &Path, output: &Path) {
    let mut words = command.split(' ').map(|word| match word {
        "{in}" => input.as_os_str().to_owned(),
        "{out}" => output.as_os_str().to_owned(),
        word => word.into(),
    });
    let program = words.next().expect("a command has a program");
    let status = Command::new(program).args(words).status();
    assert!(status.expect("the program is installed").success(), "{command}");
}

/// Three seconds and a bit of tones that come and go: nothing in it repeats.
fn music() -> Vec<i16> {
    let at = |n: usize| {
        let t = n as f64 / 44_100.0;
        let tones = [(220.0, 31.0, 0.7), (523.3, 97.0, 1.3), (1318.5, 211.0, 2.9)];
        let sum: f64 = tones
            .iter()
            .map(|(frequency, glide, tremolo)| {
                let phase = std::f64::consts::TAU * (frequency * t + glide * t * t);
                phase.sin() * (0.6 + 0.4 * (tremolo * t * 5.0).sin())
            })
            .sum();
        (6000.0 * sum) as i16
    };
    (0..150_001).map(at).collect()
}

/// How much later one begins than the other, and how much they are the same, in dB.
fn best_fit(one: &[i16], other: &[i16]) -> (i64, f64) {
    let ratio = |delay: i64, step: usize| {
        let (mut power, mut noise) = (0.0, 1e-9);
        for n in (20_000..120_000).step_by(step) {
            let at = usize::try_from(n as i64 - delay).unwrap_or(usize::MAX);
            let (Some(&a), Some(&b)) = (one.get(n), other.get(at)) else { continue };
            power += f64::from(b).powi(2);
            noise += (f64::from(a) - f64::from(b)).powi(2);
        }
        10.0 * (power / noise).log10()
    };
    let coarse = |&a: &i64, &b: &i64| ratio(a, 37).total_cmp(&ratio(b, 37));
    let delay = (-3000..=3000).max_by(coarse).expect("there are some");
    (delay, ratio(delay, 1))
}
