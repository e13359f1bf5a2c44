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

/// Rows of pixels: red, green, blue.
fn pixels(path: &Path) -> (usize, usize, Vec<u8>) {
    let decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    (info.width as usize, info.height as usize, bytes)
}

/// How bright the rows of the spectrogram are in the middle of the picture, from its upper edge to
/// its lower one, the lower half of all.
fn brightness(path: &Path) -> Vec<u32> {
    let (width, height, bytes) = pixels(path);
    let bright = |row: usize| {
        let at = (row * width + width / 2) * 3;
        bytes[at..at + 3].iter().map(|&it| u32::from(it)).sum()
    };
    (height / 2..height - 34).map(bright).collect()
}

#[test]
fn a_tone_is_a_bright_row_at_its_frequency_and_silence_is_dark() {
    let place = place("sounds-picture");
    let tone: Vec<i16> = (0..16_000)
        .map(|n| ((f64::from(n) / 8.0 * std::f64::consts::TAU).sin() * 16_000.0) as i16)
        .collect();
    wav::write(&place.join("tone.wav"), 8000, &tone).unwrap();
    wav::write(&place.join("silence.wav"), 8000, &[0; 16_000]).unwrap();
    for name in ["tone", "silence"] {
        let (sound, picture) = (format!("{name}.wav"), format!("{name}.png"));
        let drawn = diesis(&place, &["show", &sound, "--png", &picture]);
        assert!(drawn.status.success(), "{drawn:?}");
        let (width, height, _) = pixels(&place.join(picture));
        assert_eq!((width, height), (1200, 700));
    }
    // 1 kHz of 4 is a quarter from below.
    let rows = brightness(&place.join("tone.png"));
    let brightest = (0..rows.len()).max_by_key(|&row| rows[row]).unwrap();
    let from_below = rows.len() - brightest;
    assert!((80..96).contains(&from_below), "{from_below} of {}", rows.len());
    assert!(rows[brightest] > 500 && rows[rows.len() - 150] < 100, "{rows:?}");
    let silent = brightness(&place.join("silence.png"));
    assert!(silent.iter().all(|&it| it < 60), "{silent:?}");
}

#[test]
fn clipped_places_are_red_and_two_channels_are_two_outlines() {
    let place = place("sounds-clipped");
    // Half a second of it is cut.
    let loud: Vec<i16> = (0..8000)
        .map(|n| {
            let level = if n < 4000 { 9000.0 } else { 90_000.0 };
            ((f64::from(n) / 20.0).sin() * level).clamp(-32_767.0, 32_767.0) as i16
        })
        .collect();
    wav::write(&place.join("loud.wav"), 8000, &loud).unwrap();
    let small = ["show", "loud.wav", "--png", "loud.png", "--size", "600x400"];
    assert!(diesis(&place, &small).status.success());
    let (width, height, bytes) = pixels(&place.join("loud.png"));
    assert_eq!((width, height), (600, 400));
    let red = |columns: std::ops::Range<usize>| {
        let rows = 0..height / 2;
        let pixel = |row: usize, column: usize| &bytes[(row * width + column) * 3..][..3];
        rows.flat_map(|row| columns.clone().map(move |column| (row, column)))
            .filter(|&(row, column)| pixel(row, column) == [0xd2, 0x1f, 0x2f])
            .count()
    };
    assert!(red(64..280) == 0 && red(300..500) > 1000, "{} {}", red(64..280), red(300..500));
    let stereo = ["loud.wav", "stereo.wav", "--channels", "stereo", "-q"];
    let mut convert = Command::new(env!("CARGO_BIN_EXE_diesis"));
    assert!(convert.arg("convert").args(stereo).current_dir(&place).status().unwrap().success());
    let both = ["show", "stereo.wav", "--svg", "s.svg", "--png", "s.png"];
    assert!(diesis(&place, &both).status.success());
    let svg = fs::read_to_string(place.join("s.svg")).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    for part in [">left<", ">right<", ">stereo.wav<", "data:image/png;base64,iVBOR", "#d21f2f"] {
        assert!(svg.contains(part), "{part}");
    }
}

#[test]
fn pictures_that_can_not_be_are_refused() {
    let place = place("sounds-refused");
    wav::write(&place.join("a.wav"), 8000, &[0; 80]).unwrap();
    wav::write(&place.join("b.wav"), 8000, &[]).unwrap();
    let refusals: [(&[&str], i32, &str); 4] = [
        (&["a.wav", "b.wav", "--png", "c.png"], 2, "one file"),
        (&["a.wav", "--png", "a.wav"], 2, "is the sound"),
        (&["a.wav", "--png", "c.png", "--size", "10x10"], 2, "480x320"),
        (&["a.wav", "--png", "no/such/c.png"], 1, "can't be written"),
    ];
    for (arguments, code, words) in refusals {
        let refused = diesis(&place, &[&["show"], arguments].concat());
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}");
        assert!(text(refused.stderr).contains(words), "{arguments:?}");
        assert!(!place.join("c.png").exists());
    }
    // Of nothing there is an empty picture.
    assert!(diesis(&place, &["show", "b.wav", "--png", "c.png"]).status.success());
    assert_eq!(fs::read_dir(&place).unwrap().count(), 3);
}

/// Prompts in two languages with one of each fault.
fn prompts(name: &str) -> PathBuf {
    let place = place(name);
    let write = |name: &str, rate: u32, samples: &[i16]| {
        let path = place.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        wav::write(&path, rate, samples).unwrap();
    };
    for name in ["hello", "digits/1", "digits/2", "digits/3", "digits/4", "digits/5"] {
        write(&format!("en/{name}.wav"), 8000, &tone(8000, 9000.0));
    }
    fs::write(place.join("en/README.txt"), "not a prompt").unwrap();
    write("fr/hello.wav", 44_100, &tone(44_100, 9000.0));
    write("fr/digits/1.wav", 8000, &[0; 8000]);
    write("fr/digits/2.wav", 8000, &tone(8000, 900.0));
    write("fr/digits/3.wav", 8000, &tone(8000, 9000.0));
    fs::write(place.join("fr/digits/3.sln"), [0; 4000]).unwrap();
    let clipped = tone(8000, 9000.0).into_iter().enumerate();
    let clipped: Vec<i16> =
        clipped.map(|(n, it)| if (5000..5010).contains(&n) { 32_767 } else { it }).collect();
    write("fr/digits/4.wav", 8000, &clipped);
    write("fr/digits/6.wav", 8000, &tone(8000, 9000.0));
    write("fr/digits/7.wav", 8000, &tone(8000, 9000.0));
    fs::write(place.join("fr/digits/8.wav"), "no sound").unwrap();
    place
}

#[test]
fn what_is_wrong_with_a_language_is_told_line_by_line() {
    let place = prompts("sounds-check");
    let checked = diesis(&place, &["check", "."]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let told = text(checked.stdout);
    let line = |front: &str, words: &str| {
        let found = told.lines().any(|line| line.starts_with(front) && line.contains(words));
        assert!(found, "{front} {words}\n{told}");
    };
    line("./fr/digits/1.wav: ", "silent from end to end; remedy: record it anew");
    line("./fr/digits/2.wav: ", "LU quieter than the others");
    line(
        "./fr/digits/2.wav: ",
        "remedy: diesis convert ./fr/digits/2.wav ./fr/digits/2.new.wav --gain 20.0",
    );
    line("./fr/digits/3.wav: ", "it lasts 1.50 s, and 3.sln 0.25 s");
    line("./fr/digits/4.wav: ", "10 samples are cut at full scale");
    line("./fr/digits/5: ", "missing; remedy: record it as ./fr/digits/5.wav");
    line("./fr/digits/6.wav: ", "not among those it is compared with");
    line("./fr/digits/8.wav: ", "not a WAV file");
    line(
        "./fr/hello.wav: ",
        "Unexpected frequency mismatch 44100 (expecting 8000); remedy: diesis convert",
    );
    line("en (./en): 6 prompts: nothing wrong", "");
    line("fr (./fr): ", "compared with ./en: 1 missing, 1 unreadable, 1 of a wrong rate, 2 silent");
    let again = text(diesis(&place, &["check", "."]).stdout);
    assert_eq!(again, told);
}

#[test]
fn sets_are_compared_with_what_is_named() {
    let place = prompts("sounds-against");
    // A language beside it, one inside the binary, a directory, and nothing of that name.
    let beside = diesis(&place, &["check", "en", "--against", "fr", "--json"]);
    assert_eq!(beside.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&beside.stdout).unwrap();
    assert_eq!((&found[0]["language"], &found[0]["prompts"]), (&"en".into(), &6.into()));
    let kinds: Vec<&str> = found[0]["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["superfluous", "missing", "missing", "missing"]);
    let itself = diesis(&place, &["check", "en", "--against", "./en"]);
    assert!(itself.status.success(), "{itself:?}");
    fs::create_dir(place.join("lone")).unwrap();
    fs::copy(place.join("en/hello.wav"), place.join("lone/hello.wav")).unwrap();
    let lone = place.join("lone");
    let embedded = text(diesis(&lone, &["check", ".", "--against", "fr"]).stdout);
    assert!(embedded.contains("./digits/1: it is missing"), "{embedded}");
    assert!(embedded.contains("compared with fr in the binary"), "{embedded}");
    let alone = diesis(&place, &["check", "lone"]);
    assert!(alone.status.success(), "{alone:?}");
    let unknown = diesis(&place, &["check", "en", "--against", "tlh"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(unknown.stderr).contains("no language"), "");
    fs::create_dir(place.join("none")).unwrap();
    assert_eq!(diesis(&place, &["check", "none"]).status.code(), Some(2));
    assert_eq!(diesis(&place, &["check", "nowhere"]).status.code(), Some(2));
}
