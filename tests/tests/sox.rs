//! `diesis sox` against `sox` itself: the same words, and what comes out compared.
//!
//!     cargo build --release -p diesis
//!     cargo test -p diesis-tests --features interop --test sox
//!
//! Needs Debian's sox. Without dither and filters samples are the same to the last bit; filters
//! differ in their edges and dither in its noise, so there it is the level of the difference.

use std::path::Path;
use std::process::{Command, Output};

use diesis_sounds::read::Reader;
use diesis_sounds::read::channels::Channels;
use diesis_tests::engine::binary;
use diesis_tests::scratch::Scratch;

/// Words with the output as OUT, and how far below the sound the difference must be, in dB.
const SAME: f64 = f64::INFINITY;
const COMMANDS: &[(&str, f64)] = &[
    ("s.wav -b 16 -c 1 -t wav OUT.wav rate 8000", 50.0),
    ("s.wav -r 8000 -c 1 OUT.wav", 50.0),
    ("s.wav -r 16k OUT.wav", 50.0),
    ("s.wav -r 48000 OUT.wav rate", 50.0),
    ("s.wav OUT.wav rate 8000 rate 16000", 45.0),
    ("s.wav -e u-law -r 8000 -c 1 OUT.wav", 35.0),
    ("s.wav -e float OUT.wav", SAME),
    ("s.wav -b 32 OUT.wav", SAME),
    ("s.wav -b 24 OUT.wav", SAME),
    ("s.wav OUT.wav", SAME),
    ("-v 0.5 s.wav -v 0.25 s.wav OUT.wav", 55.0),
    ("s.wav -c 1 OUT.wav", 55.0),
    ("m.wav -c 2 OUT.wav", 55.0),
    ("s.wav OUT.wav remix 2", SAME),
    ("s.wav OUT.wav remix -", 55.0),
    ("s.wav OUT.wav remix -m 1,2v0.3 2i", 55.0),
    ("s.wav OUT.wav remix -p 1,2 2v0.5", 55.0),
    ("s.wav OUT.wav norm -3", 55.0),
    ("s.wav OUT.wav gain -n", 55.0),
    ("s.wav OUT.wav vol 0.25 power", 55.0),
    ("s.wav OUT.wav vol -3dB", 55.0),
    ("--norm=-3 s.wav -r 8000 -c 1 OUT.wav", 50.0),
    ("s.wav OUT.wav trim 0.5 =1.0", SAME),
    ("s.wav OUT.wav trim 0.1 -0.25", SAME),
    ("s.wav OUT.wav trim 0 0.1 0.1 0.1", SAME),
    ("s.wav OUT.wav trim 0:00.5 0:01-100s", SAME),
    ("s.wav OUT.wav pad 0.5@0.2 0.25@0.7 1", SAME),
    ("s.wav OUT.wav pad 0 1", SAME),
    ("s.wav OUT.wav fade 0.5", 55.0),
    ("s.wav OUT.wav fade h 0.3 0 0.25", 55.0),
    ("s.wav OUT.wav fade q 0 -0 0.5", 55.0),
    ("s.wav OUT.wav fade p 0.2 0.8", 55.0),
    ("s.wav OUT.wav fade t 0.2 3 0.3", 55.0),
    ("m.wav OUT.wav silence 1 0.1 1%", SAME),
    ("m.wav OUT.wav silence 1 0.1 1% 1 0.2 -40d", SAME),
    ("m.wav OUT.wav silence 1 0.05 2% -1 0.1 2%", SAME),
    ("m.wav OUT.wav silence -l 1 0.05 2% -1 0.1 2%", SAME),
    ("m.wav OUT.wav silence 0 -1 0.3 1%", SAME),
    ("m.wav OUT.wav silence 2 0.1 1% -2 0.1 1%", SAME),
];

/// What both refuse.
const REFUSED: &[&str] = &[
    "missing.wav OUT.wav",
    "s.wav m.wav OUT.wav",
    "s.wav OUT.wav remix 3",
    "s.wav OUT.wav trim 1 =0.5",
    "s.wav OUT.wav pad 1@5",
    "s.wav OUT.wav fade t 0.9 0 0.9",
    "s.wav -b 16 OUT.nosuch",
];

fn run(program: &mut Command, place: &Path, words: &str, out: &str) -> Output {
    let words = words.replace("OUT", out);
    program.current_dir(place).args(words.split_whitespace()).output().expect("it can be started")
}

fn pair(place: &Path, words: &str) -> (Output, Output) {
    let theirs = run(&mut Command::new("sox"), place, words, "theirs");
    (theirs, run(Command::new(binary()).arg("sox"), place, words, "ours"))
}

/// Rate, and samples of two channels.
fn sound(path: &Path) -> (u32, u16, [Vec<f32>; 2]) {
    let mut reader = Reader::open(path).expect("it is a sound");
    let mut channels = [vec![], vec![]];
    while reader.read(Channels::Stereo, &mut channels).expect("it can be read") > 0 {}
    (reader.spec().rate, reader.spec().channels, channels)
}

/// A second of each: noise in stereo; and in mono bursts with pauses.
fn place() -> Scratch {
    let place = Scratch::new("sox");
    let made = [
        "-R -n -r 44100 -b 16 -c 2 s.wav synth 1 pinknoise pinknoise gain -9",
        "-R -n -r 16000 -b 16 -c 1 burst.wav synth 0.4 pinknoise gain -6 pad 0.3 0.35",
        "burst.wav m.wav repeat 2",
    ];
    for words in made {
        let made = run(&mut Command::new("sox"), place.path(), words, "");
        assert!(made.status.success(), "{made:?}");
    }
    place
}

#[test]
fn what_comes_out_is_what_sox_makes() {
    let place = place();
    for (words, least) in COMMANDS {
        let (theirs, ours) = pair(place.path(), words);
        assert!(theirs.status.success() && ours.status.success(), "{words}: {theirs:?} {ours:?}");
        let files = ["theirs.wav", "ours.wav"].map(|name| place.path().join(name));
        // Channels, rate and bits; not the tag: 24 bits are plain PCM here.
        let header = |at: usize| {
            let file = std::fs::read(&files[at]).expect("it is made");
            [&file[22..28], &file[34..36]].concat()
        };
        assert_eq!(header(0), header(1), "{words}");
        let [(_, _, theirs), (_, _, ours)] = [sound(&files[0]), sound(&files[1])];
        let (mut power, mut difference) = (0.0, 0.0);
        for (theirs, ours) in theirs.iter().zip(&ours) {
            assert_eq!(theirs.len(), ours.len(), "{words}");
            for (&one, &other) in theirs.iter().zip(ours) {
                power += f64::from(one).powi(2);
                difference += f64::from(one - other).powi(2);
            }
        }
        let below = 10.0 * (power / difference).log10();
        println!("{words}: {below:.1} dB");
        assert!(power > 0.0 && below >= *least, "{words}: {below} dB");
    }
}

#[test]
fn what_sox_refuses_is_refused() {
    let place = place();
    for words in REFUSED {
        let (theirs, ours) = pair(place.path(), words);
        assert!(!theirs.status.success(), "{words}");
        assert_eq!(ours.status.code(), Some(2), "{words}");
    }
}
