//! `diesis convert`, as a script calls it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use diesis_sounds::format::wav;
use diesis_sounds::sound::Sound;

fn diesis(arguments: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
    command.arg("convert").args(arguments).output().expect("the binary can be started")
}

fn place(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("the test has a directory");
    path
}

#[test]
fn a_file_becomes_what_its_name_says_and_a_line_tells_of_it() {
    let place = place("convert-one");
    let (input, out, law) = (place.join("in.wav"), place.join("out.wav"), place.join("out.ulaw"));
    let samples: Vec<i16> = (0..16_000).map(|n| ((n % 40) * 500 - 10_000) as i16).collect();
    wav::write(&input, 16_000, &samples).unwrap();
    let done = diesis(&[&input, &out, &law]);
    assert!(done.status.success(), "{done:?}");
    let told = String::from_utf8(done.stdout).unwrap();
    assert!(told.contains("16-bit PCM, 16000 Hz, mono, 1.00 s ->"), "{told}");
    assert_eq!(
        (Sound::read(&out).unwrap().samples.len(), fs::read(&law).unwrap().len()),
        (8000, 8000)
    );
}

#[test]
fn failures_name_file_and_cause_and_the_exit_code_tells() {
    let place = place("convert-fails");
    let (input, out) = (place.join("in.wav"), place.join("out.wav"));
    let failed = diesis(&[&input, &out]);
    assert_eq!(failed.status.code(), Some(1));
    let told = String::from_utf8(failed.stderr).unwrap();
    assert!(told.contains("in.wav") && told.contains("No such file"), "{told}");
    wav::write(&input, 8000, &[0; 80]).unwrap();
    let refusals: [(&[&str], &str); 4] = [
        (&["out.mp3"], "unknown sound format"),
        (&["out.sln", "--rate", "16000"], "takes it for 8000 Hz"),
        (&["out.ulaw", "--bits", "24"], "--bits is for WAV"),
        (&["out.sln", "--channels", "stereo"], "one channel"),
    ];
    for (arguments, words) in refusals {
        let out = place.join(arguments[0]);
        let rest = arguments[1..].iter().map(Path::new);
        let arguments: Vec<&Path> = [input.as_path(), &out].into_iter().chain(rest).collect();
        let refused = diesis(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(told.contains(words), "{told}");
        assert!(!out.exists());
    }
}
