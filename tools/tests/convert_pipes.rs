//! `diesis convert` in pipelines, on full disks and on files of telephones.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use diesis_sounds::format::wav;
use diesis_sounds::sound::Sound;

/// Runs `diesis convert` with what it reads from a pipe.
fn piped(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
    command.arg("convert").args(arguments);
    let stdio = Stdio::piped;
    let mut child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // One that refuses its arguments does not read.
        scope.spawn(move || drop(pipe.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

fn place(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn told(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

fn wav_of(rate: u32, samples: &[i16]) -> Vec<u8> {
    let mut file = vec![];
    wav::write_to(std::io::Cursor::new(&mut file), rate, samples).unwrap();
    file
}

#[test]
fn a_sound_comes_and_goes_by_pipes() {
    let samples: Vec<i16> = (0..8000).map(|n| (n % 40) * 500 - 10_000).collect();
    let done = piped(&["-", "-"], &wav_of(8000, &samples));
    assert!(done.status.success(), "{done:?}");
    assert_eq!(wav::parse(&done.stdout).unwrap().samples, samples);
    // What was done is told where it does not disturb the sound.
    assert!(told(&done.stderr).contains("1.00 s"), "{done:?}");
    let refused = piped(&["-", "-"], b"no sound");
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
    assert!(told(&refused.stderr).contains("standard input"), "{refused:?}");
}

#[test]
fn what_has_no_header_is_told_by_options() {
    let samples: Vec<i16> = (0..1600).map(|n| (n % 100) * 100).collect();
    let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_be_bytes()).collect();
    let input = [b"head".as_slice(), &bytes].concat();
    let asked =
        ["-", "-", "--input-format", "s16be", "--input-rate", "8000", "--input-skip", "4", "-q"];
    let done = piped(&asked, &input);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(wav::parse(&done.stdout).unwrap().samples, samples);
    for (arguments, words) in [
        (&["-", "-", "--input-format", "s16le"][..], "--input-rate"),
        (&["-", "-", "--input-format", "mp3"], "sln12 to sln192"),
        (&["-", "-", "--input-rate", "8000"], "--input-format"),
        (&["-", "-", "--input-format", "gsm", "--input-channels", "2"], "2 channels"),
        (&["-", "-", "-"], "twice"),
    ] {
        let refused = piped(arguments, b"");
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(told(&refused.stderr).contains(words), "{refused:?}");
    }
}

#[test]
fn a_cut_off_file_is_read_and_told() {
    let mut file = wav_of(8000, &[1000; 8000]);
    file.truncate(44 + 8000);
    let done = piped(&["-", "-"], &file);
    assert!(told(&done.stderr).contains("truncated: 0.5 of 1.0 s are there"), "{done:?}");
    assert_eq!(wav::parse(&done.stdout).unwrap().samples.len(), 4000);
}

#[test]
fn telephone_files_are_written_under_their_names() {
    let place = place("convert-telephone");
    let input = place.join("in.wav");
    let samples: Vec<i16> =
        (0..16_000).map(|n| (8000.0 * (f64::from(n) * 0.2).sin()) as i16).collect();
    wav::write(&input, 16_000, &samples).unwrap();
    let convert = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
        command.current_dir(&place).args(["convert", "-q", "in.wav"]).args(arguments);
        command.output().unwrap()
    };
    let done = convert(&["x.gsm", "x.WAV", "x.g722", "x.vox", "x.sln16", "x.al"]);
    assert!(done.status.success(), "{done:?}");
    for (name, bytes, rate) in [
        ("x.gsm", 33 * 50, 8000),
        ("x.WAV", 60 + 65 * 25 + 1, 8000),
        ("x.g722", 8000, 16_000),
        ("x.vox", 4000, 8000),
        ("x.sln16", 32_000, 16_000),
        ("x.al", 8000, 8000),
    ] {
        assert_eq!(fs::metadata(place.join(name)).unwrap().len(), bytes, "{name}");
        let sound = Sound::read(&place.join(name)).unwrap();
        assert_eq!((sound.rate, sound.samples.len()), (rate, rate as usize), "{name}");
    }
    let done = convert(&["law.wav", "--encoding", "ulaw"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(fs::metadata(place.join("law.wav")).unwrap().len(), 58 + 8000);
    for (arguments, words) in [
        (&["y.WAV", "--bits", "16"][..], "GSM"),
        (&["y.wav49", "--rate", "16000"], "8000 Hz"),
        (&["y.WAV", "--channels", "stereo"], "one channel"),
        (&["y.wav16", "--rate", "8000"], "16000 Hz"),
        (&["y.sln", "--encoding", "ulaw"], "16-bit PCM"),
        (&["y.WAV", "--encoding", "alaw"], "GSM"),
        (&["y.g722", "--rate", "8000"], "16000 Hz"),
        (&["y.aiff"], "read and not written"),
    ] {
        let refused = convert(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(told(&refused.stderr).contains(words), "{refused:?}");
        assert!(!place.join(arguments[0]).exists());
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_and_the_input_by_another_name_leave_what_was_there() {
    let place = place("convert-full");
    let input = place.join("in.wav");
    wav::write(&input, 16_000, &[1000; 160_000]).unwrap();
    std::os::unix::fs::symlink("in.wav", place.join("soft.wav")).unwrap();
    fs::hard_link(&input, place.join("hard.wav")).unwrap();
    fs::write(place.join("out.wav"), b"precious").unwrap();
    let before = fs::read(&input).unwrap();
    // No file may grow beyond 8 KiB: as with a full disk, writing fails at some point.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" convert in.wav out.wav";
    let mut full = Command::new("sh");
    full.args(["-c", script, env!("CARGO_BIN_EXE_diesis")]).current_dir(&place);
    let full = full.output().unwrap();
    assert_eq!(full.status.code(), Some(1), "{full:?}");
    assert!(told(&full.stderr).contains("out.wav: File too large"), "{full:?}");
    assert_eq!(fs::read(place.join("out.wav")).unwrap(), b"precious");
    for name in ["soft.wav", "hard.wav", "./in.wav"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
        let refused =
            command.current_dir(&place).args(["convert", "in.wav", name]).output().unwrap();
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(told(&refused.stderr).contains("is the input"), "{refused:?}");
    }
    assert_eq!(fs::read(&input).unwrap(), before);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 4);
}
