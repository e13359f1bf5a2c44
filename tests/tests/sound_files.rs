//! Sound files of sox and ffmpeg are read here to the last bit, and what is written here they read.
//!
//!     cargo test -p diesis-tests --features interop --test sound_files
//!
//! Needs Debian's sox, libsox-fmt-all and ffmpeg.

use std::fs;
use std::path::Path;
use std::process::Command;

use diesis_sounds::convert::target::Target;
use diesis_sounds::convert::{Conversion, convert};
use diesis_sounds::format::wav;
use diesis_sounds::sound::Sound;
use diesis_tests::scratch::Scratch;

/// What a program of these arguments writes to its standard output.
fn run(directory: &Path, command: &str) -> Vec<u8> {
    let mut words = command.split_whitespace();
    let mut command_of = Command::new(words.next().expect("a program is named"));
    let done = command_of.args(words).current_dir(directory).output().expect("it is installed");
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// As 16-bit samples.
fn decoded(directory: &Path, command: &str) -> Vec<i16> {
    let bytes = run(directory, command);
    bytes.as_chunks().0.iter().map(|it| i16::from_le_bytes(*it)).collect()
}

/// A sweep with the whole range of levels.
fn source(directory: &Path, name: &str, rate: u32) {
    let samples: Vec<i16> = (0..rate * 2)
        .map(|n| {
            let time = f64::from(n) / f64::from(rate);
            (30_000.0 * time / 2.0 * (time * (2000.0 + 4000.0 * time)).sin()) as i16
        })
        .collect();
    wav::write(&directory.join(name), rate, &samples).expect("there is room");
}

#[test]
fn what_others_write_is_read_as_they_read_it() {
    let scratch = Scratch::new("sound-files-read");
    let directory = scratch.path();
    source(directory, "src.wav", 8000);
    source(directory, "wide.wav", 16_000);
    let sox = |format: &str| format!("sox -D src.wav {format}");
    let ffmpeg = |format: &str| format!("ffmpeg -v error -y -i src.wav {format}");
    let wide = |format: &str| format!("ffmpeg -v error -y -i wide.wav {format}");
    // The command, the file it makes, and who reads it for comparison.
    let cases = [
        (sox("-b 8 -e unsigned u8.wav"), "u8.wav", "sox"),
        (sox("-b 24 s24.wav"), "s24.wav", "sox"),
        (sox("-b 32 s32.wav"), "s32.wav", "sox"),
        (sox("-e floating-point -b 32 f32.wav"), "f32.wav", "sox"),
        (sox("-e floating-point -b 64 f64.wav"), "f64.wav", "sox"),
        (sox("-e u-law law.wav"), "law.wav", "sox"),
        (sox("-e a-law alaw.wav"), "alaw.wav", "sox"),
        (sox("-e gsm-full-rate gsm.wav"), "gsm.wav", "sox"),
        (sox("-e ms-adpcm ms.wav"), "ms.wav", "ffmpeg"),
        (sox("-e ima-adpcm ima.wav"), "ima.wav", "sox"),
        (sox("a.aiff"), "a.aiff", "sox"),
        (sox("-b 8 a8.aiff"), "a8.aiff", "sox"),
        (sox("-b 24 a24.aiff"), "a24.aiff", "sox"),
        (sox("-e floating-point -b 32 a.aifc"), "a.aifc", "sox"),
        (sox("a.au"), "a.au", "sox"),
        (sox("-b 24 a24.au"), "a24.au", "sox"),
        (sox("-e floating-point -b 32 f.au"), "f.au", "sox"),
        (sox("-e u-law u.au"), "u.au", "sox"),
        (sox("-e a-law al.au"), "al.au", "sox"),
        (sox("a.w64"), "a.w64", "sox"),
        (sox("a.gsm"), "a.gsm", "sox"),
        (sox("a.vox"), "a.vox", "sox -r 8000"),
        (sox("a.sln"), "a.sln", "sox"),
        (sox("a.ul"), "a.ul", "sox"),
        (sox("a.al"), "a.al", "sox"),
        (ffmpeg("-rf64 always rf.wav"), "rf.wav", "ffmpeg"),
        (ffmpeg("-c:a pcm_s16le sowt.aiff"), "sowt.aiff", "ffmpeg"),
        (ffmpeg("-c:a pcm_f64be f64.aiff"), "f64.aiff", "ffmpeg"),
        (ffmpeg("-c:a pcm_mulaw law.aiff"), "law.aiff", "ffmpeg"),
        (ffmpeg("-c:a adpcm_ima_qt qt.aiff"), "qt.aiff", "ffmpeg"),
        (ffmpeg("-c:a adpcm_ms ffms.wav"), "ffms.wav", "ffmpeg"),
        (ffmpeg("-c:a adpcm_ima_wav ffima.wav"), "ffima.wav", "sox"),
        (wide("a.g722"), "a.g722", "ffmpeg"),
        (wide("-c:a g722 g722.wav"), "g722.wav", "ffmpeg"),
    ];
    for (command, file, reader) in cases {
        run(directory, &command);
        let theirs =
            match reader {
                "ffmpeg" => format!("ffmpeg -v error -i {file} -f s16le -"),
                sox => format!("{} -D {file} -t s16 -", sox.replacen("sox", "sox -V1", 1))
                    .replacen("-r 8000 -D", "-D -r 8000", 1),
            };
        let theirs = decoded(directory, &theirs);
        let ours = Sound::read(&directory.join(file)).expect(file).samples;
        // What fills the last block is left out here, where the file tells.
        assert!(theirs.len() >= ours.len() && theirs.len() - ours.len() < 2048, "{file}");
        assert!(ours.len() >= 16_000, "{file}: {}", ours.len());
        let worst = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max();
        assert_eq!(worst, Some(0), "{file}");
    }
}

#[test]
fn what_is_written_here_others_read() {
    let scratch = Scratch::new("sound-files-write");
    let directory = scratch.path();
    source(directory, "src.wav", 16_000);
    let cases = [
        ("o.gsm", "sox -D o.gsm -t s16 -"),
        ("o.WAV", "sox -D -t wav o.WAV -t s16 -"),
        ("o.g722", "ffmpeg -v error -i o.g722 -f s16le -"),
        ("o.vox", "sox -D -r 8000 o.vox -t s16 -"),
        ("o.ulaw", "sox -D -r 8000 -t ul o.ulaw -t s16 -"),
        ("o.alaw", "sox -D -r 8000 -t al o.alaw -t s16 -"),
        ("o.sln16", "sox -D -r 16000 -t sln o.sln16 -t s16 -"),
        ("o.wav", "sox -D o.wav -t s16 -"),
        ("o.wav16", "sox -D -t wav o.wav16 -t s16 -"),
    ];
    let target = |(file, _): &(&str, &str)| {
        let extension = file.rsplit('.').next().expect("it has one");
        (directory.join(file), Target::from_extension(extension).expect("it is written"))
    };
    let outputs: Vec<_> = cases.iter().map(target).collect();
    convert(&directory.join("src.wav"), &outputs, &Conversion::default()).expect("it is a sound");
    for ((file, command), (path, target)) in cases.iter().zip(&outputs) {
        let ours = Sound::read(path).expect(file);
        assert_eq!(
            (ours.rate, ours.samples.len()),
            (target.rate, 2 * target.rate as usize),
            "{file}"
        );
        assert!(decoded(directory, command) == ours.samples, "{file}");
    }
    for rate in [8000, 16_000, 32_000, 44_100, 48_000, 96_000, 192_000] {
        for channels in [1, 2] {
            let path = directory.join("rate.wav");
            let target = Target { rate, channels, ..Target::default() };
            convert(&directory.join("src.wav"), &[(path.clone(), target)], &Conversion::default())
                .expect("it is a sound");
            assert_eq!(fs::metadata(&path).expect("it is made").len() % 4, 0);
            let theirs = run(directory, "soxi -r rate.wav");
            assert_eq!(String::from_utf8_lossy(&theirs).trim(), rate.to_string());
            let theirs = decoded(directory, "sox -D rate.wav -t s16 -").len();
            assert_eq!(theirs, 2 * rate as usize * usize::from(channels));
        }
    }
}
