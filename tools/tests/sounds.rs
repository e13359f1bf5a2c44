//! `diesis sounds`, as a script calls it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use diesis_sounds::format::wav;
use serde_json::Value;

fn diesis(place: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
    let command = command.arg("sounds").args(arguments).current_dir(place);
    command.output().expect("the binary can be started")
}

fn place(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("the test has a directory");
    path
}

/// A tone of 440 Hz between silences of 0.2 and 0.3 s, 1.5 s in all.
fn tone(rate: u32, peak: f64) -> Vec<i16> {
    let sample = |n: u32| {
        let time = f64::from(n) / f64::from(rate);
        let on = (0.2..1.2).contains(&time);
        if on { ((time * 440.0 * std::f64::consts::TAU).sin() * peak) as i16 } else { 0 }
    };
    (0..rate * 3 / 2).map(sample).collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("it is text")
}

#[test]
fn one_file_is_told_of_in_full() {
    let place = place("sounds-show");
    wav::write(&place.join("my menu.wav"), 44_100, &tone(44_100, 16_384.0)).unwrap();
    let shown = diesis(&place, &["show", "my menu.wav"]);
    assert!(shown.status.success(), "{shown:?}");
    let told = text(shown.stdout);
    let lines: Vec<(&str, &str)> =
        told.lines().skip(1).map(|line| line[2..].split_at(12)).collect();
    let line = |name: &str| {
        lines.iter().find(|(found, _)| found.trim() == name).map_or("", |found| found.1)
    };
    assert!(told.starts_with("my menu.wav\n"), "{told}");
    assert_eq!(line("coding"), "WAV, 16-bit PCM");
    assert_eq!(line("rate"), "44100 Hz, mono");
    assert_eq!(line("length"), "1.500 s (66150 samples)");
    assert_eq!(line("size"), "132.34 kB");
    assert_eq!(line("peak"), "-6.0 dBFS, true peak -6.0 dBTP");
    assert!(line("loudness").contains(" LUFS, RMS -10.8 dBFS"), "{told}");
    assert_eq!(line("clipped"), "nothing");
    assert_eq!(line("DC offset"), "none");
    assert_eq!(line("silence"), "0.200 s at the beginning, 0.300 s at the end");
    assert_eq!(line("noise floor"), "none: pauses are zeros");
    assert!(line("bandwidth").contains("no more than a telephone carries"), "{told}");
    assert_eq!(
        line("Asterisk"),
        "refuses it: Unexpected frequency mismatch 44100 (expecting 8000)"
    );
    assert_eq!(
        line("remedy"),
        "diesis convert 'my menu.wav' 'my menu.new.wav' && mv 'my menu.new.wav' 'my menu.wav'"
    );
}

#[test]
fn the_remedy_can_be_pasted_and_helps() {
    let place = place("sounds-remedy");
    wav::write(&place.join("it's.wav"), 44_100, &tone(44_100, 16_384.0)).unwrap();
    let shown = diesis(&place, &["show", "--json", "it's.wav"]);
    let found: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let remedy = found[0]["asterisk"]["remedy"].as_str().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_diesis")).parent().unwrap();
    let paths = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    let pasted = shell.args(["-c", remedy]).current_dir(&place).env("PATH", paths).status();
    assert!(pasted.unwrap().success());
    let again = text(diesis(&place, &["show", "it's.wav"]).stdout);
    assert!(again.contains("plays it\n"), "{again}");
}

#[test]
fn several_files_have_a_line_each_and_a_bad_one_has_a_word_and_an_exit_code() {
    let place = place("sounds-several");
    wav::write(&place.join("a.wav"), 8000, &tone(8000, 9000.0)).unwrap();
    let mut loud = tone(8000, 60_000.0);
    loud.iter_mut().for_each(|it| *it = (*it).clamp(-32_767, 32_767));
    wav::write(&place.join("loud.wav"), 8000, &loud).unwrap();
    fs::write(place.join("b.wav"), "no sound").unwrap();
    let shown = diesis(&place, &["show", "a.wav", "b.wav", "loud.wav"]);
    assert_eq!(shown.status.code(), Some(1));
    let (told, errors) = (text(shown.stdout), text(shown.stderr));
    assert!(errors.contains("b.wav: not a WAV file"), "{errors}");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert!(lines[1].starts_with("a.wav ") && lines[1].ends_with("plays it"), "{told}");
    let programs = diesis(&place, &["show", "--json", "a.wav", "b.wav", "loud.wav"]);
    let found: Value = serde_json::from_slice(&programs.stdout).unwrap();
    assert_eq!(found[0]["seconds"], 1.5);
    assert!(found[1]["error"].as_str().unwrap().contains("not a WAV file"));
    assert!(found[2]["clipped"]["samples"].as_u64().unwrap() > 1000);
    let detailed = text(diesis(&place, &["show", "-v", "a.wav", "loud.wav"]).stdout);
    assert!(detailed.contains("\nloud.wav\n  coding"), "{detailed}");
}

#[test]
fn silence_and_nothing_have_no_levels() {
    let place = place("sounds-silence");
    wav::write(&place.join("quiet.wav"), 8000, &[0; 8000]).unwrap();
    wav::write(&place.join("none.wav"), 8000, &[]).unwrap();
    for name in ["quiet.wav", "none.wav"] {
        let told = text(diesis(&place, &["show", name]).stdout);
        assert!(told.contains("none: all samples are 0"), "{told}");
        assert!(told.contains("throughout"), "{told}");
    }
}
