//! `diesis convert --into`: directories, patterns, what is left out and what goes wrong.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use diesis_sounds::format::wav;
use diesis_sounds::sound::Sound;

/// A directory of the test's own, and commands in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the test has a directory");
        Self(path)
    }

    /// A tenth of a second of 16 kHz.
    fn sound(&self, name: &str) {
        let samples: Vec<i16> = (0..1600).map(|n| ((n % 40) * 500 - 10_000) as i16).collect();
        self.with_directory(name);
        wav::write(&self.0.join(name), 16_000, &samples).expect("a sound is written");
    }

    fn file(&self, name: &str, contents: &[u8]) {
        self.with_directory(name);
        fs::write(self.0.join(name), contents).expect("a file is written");
    }

    fn with_directory(&self, name: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it is below the place")).expect("is made");
    }

    /// Runs `diesis convert` with these words.
    fn convert(&self, words: &str) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_diesis"));
        command.current_dir(&self.0).arg("convert").args(words.split_whitespace());
        Done(command.output().expect("the binary can be started"))
    }

    /// All files below a directory, drafts and the list of what was made left out.
    fn tree(&self, below: &str) -> Vec<String> {
        fn walk(path: &Path, base: &Path, names: &mut Vec<String>) {
            for entry in fs::read_dir(path).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    walk(&path, base, names);
                } else {
                    names.push(path.strip_prefix(base).unwrap().display().to_string());
                }
            }
        }
        let (base, mut names) = (self.0.join(below), vec![]);
        walk(&base, &base, &mut names);
        names.retain(|name| name != ".diesis-convert.json");
        names.sort();
        names
    }
}

struct Done(Output);

impl Done {
    fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    fn told(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    fn complained(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

#[test]
fn a_directory_is_converted_with_its_tree_into_several_formats() {
    let place = Place::new("batch-tree");
    place.sound("in/menu.wav");
    place.sound("in/en/digits/1.wav");
    place.file("in/en/readme.txt", b"no sound");
    place.file("in/.hidden.wav", b"junk");
    let done = place.convert("in --into out --to wav,ulaw,.sln16");
    assert_eq!((done.code(), done.complained().as_str()), (Some(0), ""), "{}", done.told());
    let digits = ["en/digits/1.sln16", "en/digits/1.ulaw", "en/digits/1.wav"];
    assert_eq!(place.tree("out")[..3], digits);
    assert_eq!(place.tree("out")[3..], ["menu.sln16", "menu.ulaw", "menu.wav"]);
    assert_eq!(Sound::read(&place.0.join("out/en/digits/1.wav")).unwrap().samples.len(), 800);
    assert!(done.told().contains("2 converted, 1 skipped as no sound, 0 failed"));
    // The short form of the same.
    let done = place.convert("in short");
    assert_eq!(
        (done.code(), place.tree("short")),
        (Some(0), vec![digits[2].into(), "menu.wav".into()])
    );
}

#[test]
fn patterns_keep_the_tree_from_their_first_wildcard_on() {
    let place = Place::new("batch-pattern");
    for name in ["in/a.wav", "in/x/b.wav", "in/x/y/c.wav", "in/x/y/c.sln"] {
        place.sound(name);
    }
    assert_eq!(place.convert("in/**/*.wav --into all").code(), Some(0));
    assert_eq!(place.tree("all"), ["a.wav", "x/b.wav", "x/y/c.wav"]);
    assert_eq!(place.convert("in/x/*/[a-c].{wav,WAV} -o some").code(), Some(0));
    assert_eq!(place.tree("some"), ["y/c.wav"]);
    let nothing = place.convert("in/*.mp3 --into none");
    assert_eq!(nothing.code(), Some(2));
    assert!(nothing.complained().contains("no file matches"), "{}", nothing.complained());
    assert!(!place.0.join("none").exists());
}

#[test]
fn what_is_as_it_should_be_is_not_made_again() {
    let place = Place::new("batch-current");
    place.sound("in/a.wav");
    place.sound("in/b.wav");
    let told = |words: &str| place.convert(words).told();
    assert!(told("in --into out").contains("2 converted, 0 failed"));
    assert!(told("in --into out").contains("0 converted, 2 up to date"));
    // Other options, another format, another input, a lost or changed output.
    assert!(told("in --into out --gain -3").contains("2 converted"));
    assert!(told("in --into out --to ulaw").contains("2 converted"));
    assert!(told("in --into out --gain -3").contains("2 up to date"));
    wav::write(&place.0.join("in/a.wav"), 8000, &[1; 99]).unwrap();
    assert!(told("in --into out --gain -3").contains("1 converted, 1 up to date"));
    fs::remove_file(place.0.join("out/b.wav")).unwrap();
    place.file("out/a.wav", b"something else");
    assert!(told("in --into out --gain -3").contains("2 converted"));
    assert!(told("in --into out --gain -3 --force").contains("2 converted"));
    // A list that is damaged is none.
    place.file("out/.diesis-convert.json", b"{\"version\":1,\"recipes\":7");
    assert!(told("in --into out --gain -3").contains("2 converted"));
}

#[test]
fn a_dry_run_says_what_would_be_done_and_writes_nothing() {
    let place = Place::new("batch-dry");
    place.sound("in/a.wav");
    place.file("in/b.wav", b"RIFF");
    let done = place.convert("in --into out --dry-run --to wav,alaw");
    assert_eq!(done.code(), Some(1));
    assert!(done.told().contains("in/a.wav -> out/a.wav out/a.alaw\n"), "{}", done.told());
    assert!(done.told().contains("1 would be converted, 1 failed"), "{}", done.told());
    assert!(!place.0.join("out").exists());
}

#[test]
fn two_inputs_for_one_output_are_refused_by_name_before_anything_is_done() {
    let place = Place::new("batch-clash");
    place.sound("in/a.wav");
    place.sound("in/a.sln");
    place.sound("in/b.wav");
    // No sound, no output: it is in nobody's way.
    place.file("in/b.txt", b"what is said in b");
    let refused = place.convert("in --into out");
    assert_eq!(refused.code(), Some(2));
    let told = refused.complained();
    assert!(told.contains("in/a.sln and in/a.wav would both become a.wav"), "{told}");
    assert!(!told.contains("b.txt") && !place.0.join("out").exists());
    fs::remove_file(place.0.join("in/a.sln")).unwrap();
    assert_eq!(place.convert("in --into out").code(), Some(0));
}

#[test]
fn outputs_are_no_inputs_and_never_take_their_place() {
    let place = Place::new("batch-within");
    place.sound("in/a.wav");
    place.sound("in/x/b.wav");
    // Into a directory below the input, twice: what is in it is not taken.
    assert_eq!(place.convert("in --into in/out").code(), Some(0));
    assert!(place.convert("in --into in/out").told().contains("2 up to date"));
    assert_eq!(place.tree("in/out"), ["a.wav", "x/b.wav"]);
    fs::remove_dir_all(place.0.join("in/out")).unwrap();
    // Into the input itself.
    let refused = place.convert("in --into in");
    assert_eq!(refused.code(), Some(2));
    let told = refused.complained();
    assert!(told.contains("in/a.wav would be written over the input in/a.wav"), "{told}");
    assert_eq!(place.convert("in --into in --to ulaw").code(), Some(0));
    assert!(place.convert("in --into in --to ulaw").told().contains("2 up to date"));
    assert_eq!(place.tree("in"), ["a.ulaw", "a.wav", "x/b.ulaw", "x/b.wav"]);
}

#[test]
fn links_are_followed_and_loops_end() {
    let place = Place::new("batch-links");
    place.sound("in/a.wav");
    place.sound("elsewhere/b.wav");
    symlink("../elsewhere", place.0.join("in/linked")).unwrap();
    symlink(".", place.0.join("in/loop")).unwrap();
    symlink("../in", place.0.join("elsewhere/back")).unwrap();
    assert_eq!(place.convert("in --into out").code(), Some(0));
    assert_eq!(place.tree("out"), ["a.wav", "linked/b.wav"]);
}

#[test]
fn one_failure_stops_nothing_and_is_told_with_what_to_do() {
    let place = Place::new("batch-fails");
    place.sound("in/a.wav");
    place.sound("in/z.wav");
    place.file("in/broken.wav", b"RIFF\x04\0\0\0WAVE");
    place.file("notes.txt", b"no sound");
    let done = place.convert("in notes.txt missing.wav --into out -q");
    assert_eq!((done.code(), done.told().as_str()), (Some(1), ""));
    let told = done.complained();
    for words in [
        "in/broken.wav: sound file without a \"fmt \" chunk\n  what to do: the file is damaged",
        "notes.txt: unknown sound format \"txt\"",
        "missing.wav: cannot access sound file missing.wav: No such file",
    ] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(place.tree("out"), ["a.wav", "z.wav"]);
    let done = place.convert("in missing.wav --into out");
    assert!(done.told().contains("2 up to date, 2 failed"), "{}", done.told());
    assert!(done.told().contains("failed: in/broken.wav: "), "{}", done.told());
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let place = Place::new("batch-refused");
    place.sound("a.wav");
    place.sound("in/b.wav");
    for (words, told) in [
        ("a.wav", "what is to be made is missing"),
        ("in x.wav y.wav", "the first is a directory"),
        ("a.wav b.wav --to ulaw", "are for many files"),
        ("a.wav --into in/b.wav", "is no directory"),
        ("a.wav --into out --to xyz", "unknown sound format"),
        ("a.wav --into out --to ulaw --rate 16000", "takes it for 8000 Hz"),
        ("a.wav --into out --threads 0", "from 1 to"),
        ("a.wav --into out -q -v", "cannot be used with"),
    ] {
        let refused = place.convert(words);
        assert_eq!(refused.code(), Some(2), "{words}");
        assert!(refused.complained().contains(told), "{words}: {}", refused.complained());
    }
    assert!(!place.0.join("out").exists());
}

#[test]
fn programs_are_told_in_json_what_was_done() {
    let place = Place::new("batch-json");
    let (input, out) = (place.0.join("in"), place.0.join("out"));
    place.sound("in/a.wav");
    wav::write(&input.join("b.wav"), 8000, &[0; 80]).unwrap();
    place.file("in/c.wav", b"RIFF\0\0\0\0WAVE");
    let arguments =
        [input.as_os_str(), "--into".as_ref(), out.as_os_str(), "--json".as_ref(), "-".as_ref()];
    let done = Command::new(env!("CARGO_BIN_EXE_diesis"))
        .arg("convert")
        .args(arguments)
        .output()
        .expect("the binary can be started");
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let account: serde_json::Value =
        serde_json::from_slice(&done.stdout).expect("nothing but JSON");
    assert_eq!(account["summary"]["converted"], 2);
    assert_eq!(account["summary"]["failed"], 1);
    let files = account["files"].as_array().unwrap();
    assert_eq!(files[0]["sound"]["rate"], 16_000);
    assert_eq!(files[0]["outputs"][0]["frames"], 800);
    let loudness = files[0]["outputs"][0]["measured"]["loudness_lufs"].as_f64().unwrap();
    assert!((-40.0..0.0).contains(&loudness), "{loudness}");
    assert!(files[1]["outputs"][0]["peak_dbfs"].is_null(), "silence has no level");
    assert_eq!(files[2]["state"], "failed");
    assert!(files[2]["remedy"].as_str().is_some_and(|it| !it.is_empty()));
}
