//! `diesis sox`, as scripts written for `sox` call it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use diesis_sounds::format::wav;
use diesis_sounds::sound::Sound;

fn place(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("the test has a directory");
    path
}

fn sox(place: &Path, words: &str) -> Output {
    piped(place, words, &[])
}

fn piped(place: &Path, words: &str, input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
    command.current_dir(place).arg("sox").args(words.split_whitespace()).env_remove("SOX_OPTS");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be started");
    // One that refuses the command does not read.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn samples(place: &Path, name: &str) -> Vec<i16> {
    Sound::read(&place.join(name)).expect("it is a sound").samples
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_documented_command_makes_the_file_that_asterisk_plays() {
    let place = place("sox-documented");
    let mut file = fs::File::create(place.join("in.wav")).unwrap();
    // Stereo, 44.1 kHz.
    let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0data\xff\xff\xff\xff".to_vec();
    for n in 0..44_100_i32 {
        let sample = ((n % 100) * 300 - 15_000) as i16;
        bytes.extend(sample.to_le_bytes());
        bytes.extend((sample / 2).to_le_bytes());
    }
    file.write_all(&bytes).unwrap();
    let done = sox(&place, "in.wav -b 16 -c 1 -t wav out.wav rate -I 8000");
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    let file = fs::read(place.join("out.wav")).unwrap();
    assert_eq!(
        (file.len(), &file[20..24], &file[36..40]),
        (16_044, &b"\x01\0\x01\0"[..], &b"data"[..])
    );
    // What `diesis convert` makes of it, to the last bit.
    let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
    command.current_dir(&place).args(["convert", "in.wav", "same.wav", "--phase", "intermediate"]);
    assert!(command.output().unwrap().status.success());
    assert_eq!(file, fs::read(place.join("same.wav")).unwrap());
}

#[test]
fn without_options_an_output_is_what_the_input_is() {
    let place = place("sox-defaults");
    wav::write(&place.join("in.wav"), 16_000, &[1, -2, 3, i16::MAX]).unwrap();
    for (words, out) in [
        ("in.wav out.wav", "out.wav"),
        ("-q in.wav -t wav other", "other"),
        ("-S -V1 in.wav --rate 16k deep.wav", "deep.wav"),
    ] {
        assert!(sox(&place, words).status.success(), "{words}");
        assert_eq!(fs::read(place.join("in.wav")).unwrap(), fs::read(place.join(out)).unwrap());
    }
    assert!(sox(&place, "in.wav -b 24 deep.wav").status.success());
    assert_eq!(samples(&place, "deep.wav"), [1, -2, 3, i16::MAX]);
    wav::write(&place.join("in.wav"), 16_000, &[1000, -2000, 3000]).unwrap();
    assert!(sox(&place, "in.wav -e mu-law law.wav").status.success());
    assert!(sox(&place, "law.wav again.wav").status.success());
    assert_eq!(
        fs::read(place.join("law.wav")).unwrap(),
        fs::read(place.join("again.wav")).unwrap()
    );
}

#[test]
fn effects_are_done_in_their_order() {
    let place = place("sox-effects");
    let ramp: Vec<i16> = (0..8000).collect();
    wav::write(&place.join("in.wav"), 8000, &ramp).unwrap();
    let made = |effects: &str| {
        let done = sox(&place, &format!("-D in.wav out.wav {effects}"));
        assert!(done.status.success(), "{effects}: {}", told(&done));
        samples(&place, "out.wav")
    };
    assert_eq!(made("trim 0.25 =4000s"), ramp[2000..4000]);
    assert_eq!(made("trim -1000s"), ramp[7000..]);
    assert_eq!(made("trim 0 10s 10s 10s"), [&ramp[..10], &ramp[20..30]].concat());
    assert_eq!(made("pad 2s 3s trim 0 5s"), [0, 0, 0, 1, 2]);
    assert_eq!(made("trim 0 2s pad 1s@1s 2s"), [0, 0, 1, 0, 0]);
    assert_eq!(made("trim 100s 2s vol 2"), [200, 202]);
    assert_eq!(made("trim 100s 1s gain -n").first(), Some(&i16::MAX));
    assert_eq!(made("trim 100s 1s norm -6.0206"), [16_384]);
    // What is too loud in between is not cut.
    assert_eq!(made("trim 4000s 1s gain 40 gain -40"), [4000]);
    assert_eq!(made("remix 1 0").len(), 8000);
    assert_eq!(made("trim 1000s fade t 4s trim 0 5s"), [0, 250, 501, 752, 1004]);
    assert_eq!(made("rate 16000 trim 0 100s").len(), 100);
    assert_eq!(made("silence 1 1s 1% -1 5t 1%").len(), 7595);
}

#[test]
fn inputs_follow_each_other_each_at_its_volume() {
    let place = place("sox-inputs");
    wav::write(&place.join("a.wav"), 8000, &[100, 200]).unwrap();
    wav::write(&place.join("b.wav"), 8000, &[10, 20]).unwrap();
    assert!(sox(&place, "-D a.wav -v 3 b.wav a.wav out.wav").status.success());
    assert_eq!(samples(&place, "out.wav"), [100, 200, 30, 60, 100, 200]);
    wav::write(&place.join("fast.wav"), 16_000, &[1, 2]).unwrap();
    let refused = sox(&place, "a.wav fast.wav other.wav");
    assert_eq!(refused.status.code(), Some(2));
    assert!(told(&refused).contains("8000 Hz and 1 channels, 16000 Hz"), "{}", told(&refused));
    let refused = sox(&place, "a.wav b.wav a.wav");
    assert!(told(&refused).contains("a.wav is the input"), "{}", told(&refused));
    assert_eq!(samples(&place, "a.wav"), [100, 200]);
}

#[test]
fn sound_without_a_header_goes_through_pipes() {
    let place = place("sox-pipes");
    let bytes: Vec<u8> = [1_i16, -2, 300].iter().flat_map(|it| it.to_be_bytes()).collect();
    let done = piped(&place, "-t raw -r 8k -e signed -b 16 -B - -t wav -", &bytes);
    assert!(done.status.success(), "{}", told(&done));
    fs::write(place.join("made.wav"), &done.stdout).unwrap();
    assert_eq!(samples(&place, "made.wav"), [1, -2, 300]);
    let done = piped(&place, "- -t s16 -", &done.stdout);
    assert_eq!(done.stdout, [1, 0, 254, 255, 44, 1]);
    for (words, cause) in [
        ("-t raw -r 8000 - out.wav", "-e and -b"),
        ("-t raw -r 8000 -e signed - out.wav", "-b"),
        ("-t s16 - out.wav", "-r"),
    ] {
        let refused = piped(&place, words, &bytes);
        assert!(refused.status.code() == Some(2) && told(&refused).contains(cause), "{words}");
    }
}

#[test]
fn what_is_not_here_is_refused_by_name_and_place() {
    let place = place("sox-refused");
    wav::write(&place.join("in.wav"), 8000, &[1, 2]).unwrap();
    for (words, cause) in [
        ("in.wav out.wav highpass 300", "word 3: the effect `highpass` is not here"),
        ("in.wav out.wav rate 8000 reverse", "word 5: the effect `reverse`"),
        ("in.wav -n stat", "word 2: `-n`"),
        ("-m in.wav in.wav out.wav", "word 1: `-m`"),
        ("in.wav out.mp3", "out.mp3: the type `mp3` is not written"),
        ("in.wav out.wav rate -s 16000", "word 4: `rate -s`"),
        ("in.wav out.wav gain -l 3", "`gain -l`, a limiter"),
        ("in.wav out.wav trim x", "word 4: `trim x`"),
        ("in.wav out.wav trim 1 =0", "place 2 lies before"),
        ("in.wav out.wav norm -3 5", "word 5: `norm`: `5` is too much"),
        ("in.wav out.wav remix 2", "channel 2 is asked for, there are 1"),
        ("in.wav -r 8000", "none follows"),
        ("in.wav", "an input and an output"),
        ("in.wav -e s -b 12 out.wav", "word 5: `-b 12`"),
        ("in.wav -e ms-adpcm out.wav", "`-e ms-adpcm`"),
        ("-c 2 in.wav out.wav", "it has 1 channels"),
        ("--no-clobber in.wav in.wav", "--no-clobber"),
        ("in.wav --frobnicate out.wav", "`--frobnicate`"),
        ("missing.wav out.wav", "No such file"),
        ("in.wav out.wav fade 5 0 5", "it falls before it has risen"),
    ] {
        let refused = sox(&place, words);
        assert_eq!(refused.status.code(), Some(2), "{words}");
        assert!(told(&refused).contains(cause), "{words}: {}", told(&refused));
        assert!(!place.join("out.wav").exists(), "{words}");
    }
    for (words, expected) in [("--help", "EFFECT"), ("--version", "SoX v14.4.2")] {
        let done = sox(&place, words);
        assert!(done.status.success());
        assert!(String::from_utf8_lossy(&done.stdout).contains(expected), "{done:?}");
    }
}

#[test]
fn what_is_cut_is_counted_and_guarding_cuts_nothing() {
    let place = place("sox-loud");
    wav::write(&place.join("in.wav"), 8000, &[20_000, 1000]).unwrap();
    let done = sox(&place, "in.wav out.wav gain 6");
    assert!(done.status.success() && told(&done).contains("clipped 1 samples"), "{done:?}");
    let quiet = sox(&place, "-V1 in.wav out.wav gain 6");
    assert!(quiet.stderr.is_empty());
    let done = sox(&place, "-G in.wav out.wav gain 6");
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    let made = samples(&place, "out.wav");
    assert!(made[0] > 32_700 && (1630..1650).contains(&made[1]), "{made:?}");
}
