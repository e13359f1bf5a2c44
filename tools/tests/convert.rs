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
        (&["out.mp3"], "read and not written"),
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

#[test]
fn treatments_are_told_and_those_that_contradict_are_refused_by_name() {
    let place = place("convert-treated");
    let (input, out) = (place.join("in.wav"), place.join("out.wav"));
    let mut samples = vec![0; 4000];
    samples.extend((0..16_000).map(|n| if n % 20 < 10 { 1000 } else { -1000 }));
    samples.extend([0; 8000]);
    wav::write(&input, 8000, &samples).unwrap();
    let run = |options: &[&str]| {
        let options = options.iter().map(Path::new);
        let arguments: Vec<&Path> = [&*input, &*out].into_iter().chain(options).collect();
        let done = diesis(&arguments);
        let told = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        (done.status.code(), told)
    };
    let (code, told) = run(&["--loudness", "-23", "--trim", "--fade", "0.01", "--pad", "0:0.5"]);
    assert!(code == Some(0) && told.contains("-23.0 LUFS"), "{told}");
    assert!(told.contains("0.48 s and 0.98 s of silence left out"), "{told}");
    assert_eq!(Sound::read(&out).unwrap().samples.len(), 320 + 16_000 + 4000);
    let (_, told) = run(&["--loudness", "-5"]);
    assert!(told.contains("the true peak stops at -3 dBFS"), "{told}");
    let (code, told) = run(&["--from", "0:01", "--until", "1.5", "--trim=-60", "--peak", "-6"]);
    assert!(code == Some(0) && told.contains("peak -6.0 dBFS"), "{told}");
    assert_eq!(Sound::read(&out).unwrap().samples.len(), 4000);
    for options in [
        ["--loudness=-23", "--gain=3"],
        ["--loudness=-23", "--peak=-1"],
        ["--peak=-1", "--guard"],
        ["--peak=-1", "--gain=1"],
        ["--ceiling=-1", "--dc"],
        ["--from=2", "--until=1"],
        ["--loudness=5", "--dc"],
        ["--gate=x", "--dc"],
        ["--fade=1:2:3", "--dc"],
    ] {
        let (code, told) = run(&options);
        let name = options[0].split('=').next().unwrap();
        assert!(code == Some(2) && (told.contains(name) || told.contains("--loudness")), "{told}");
    }
}
