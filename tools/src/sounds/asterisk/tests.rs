use std::io::Cursor;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use diesis_sounds::format::wav;

use super::*;

/// A WAV file of these chunks.
fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    for (name, bytes) in chunks {
        body.extend(*name);
        body.extend((bytes.len() as u32).to_le_bytes());
        body.extend(*bytes);
        body.extend(&[0][..bytes.len() % 2]);
    }
    let len = (body.len() as u32).to_le_bytes();
    [b"RIFF", &len[..], &body].concat()
}

/// A format chunk.
fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut chunk = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
    chunk.extend(rate.to_le_bytes());
    chunk.extend((rate * u32::from(frame)).to_le_bytes());
    chunk.extend([frame.to_le_bytes(), bits.to_le_bytes()].concat());
    chunk
}

/// What is said of these bytes as a file of this name.
fn said(name: &str, bytes: &[u8]) -> Opinion {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory =
        std::env::temp_dir().join(format!("diesis-asterisk-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path: PathBuf = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    let mut opinion = opinion(&path).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let place = format!("{}/", directory.display());
    opinion.remedy = opinion.remedy.map(|it| it.replace(&place, ""));
    opinion
}

fn speech(len: usize) -> Vec<i16> {
    let sample = |n: usize| {
        let time = n as f64 / 8000.0;
        let voice = (time * 900.0).sin() * 6000.0 + (time * 5013.0).sin() * 2500.0;
        (voice * (0.6 + 0.4 * (time * 11.0).sin())) as i16
    };
    (0..len).map(sample).collect()
}

#[test]
fn a_plain_wav_of_8_khz_plays_and_others_are_refused_in_the_words_of_the_log() {
    let data = (b"data", &[0; 3200][..]);
    let refusals: [(&str, [u16; 3], u32, &str); 6] = [
        ("a.wav", [1, 2, 16], 8000, "Not in mono 2"),
        ("a.wav", [1, 1, 16], 44_100, "Unexpected frequency mismatch 44100 (expecting 8000)"),
        ("a.wav", [3, 1, 32], 8000, "Not a wav file 3 (float)"),
        ("a.wav", [1, 1, 24], 8000, "Can only handle 16bits per sample: 24"),
        ("a.wav16", [1, 1, 16], 8000, "Unexpected frequency mismatch 8000 (expecting 16000)"),
        ("a.wav", [0xfffe, 1, 16], 8000, "Not a wav file 65534 (extensible)"),
    ];
    for (name, [tag, channels, bits], rate, words) in refusals {
        let opinion = said(name, &riff(&[(b"fmt ", &format(tag, channels, rate, bits)), data]));
        assert_eq!(opinion.verdict, Verdict::Refuses, "{opinion:?}");
        assert_eq!(opinion.says.as_deref(), Some(words));
        let extension = name.trim_start_matches("a.");
        let remedy =
            format!("diesis convert {name} a.new.{extension} && mv a.new.{extension} {name}");
        assert_eq!(opinion.remedy, Some(remedy));
    }
    for (name, rate) in [("a.wav", 8000), ("a.wav16", 16_000)] {
        let opinion = said(name, &riff(&[(b"fmt ", &format(1, 1, rate, 16)), data]));
        assert_eq!(opinion, Opinion { verdict: Verdict::Plays, says: None, remedy: None });
    }
}

#[test]
fn chunks_before_the_sound_are_passed_over_unless_they_are_odd() {
    let fmt = format(1, 1, 8000, 16);
    let data = (b"data", &[0; 3200][..]);
    let even = said("a.wav", &riff(&[(b"LIST", &[0; 26]), (b"fmt ", &fmt), data]));
    assert_eq!(even.verdict, Verdict::Plays);
    let odd = said("a.wav", &riff(&[(b"fmt ", &fmt), (b"LIST", &[0; 27]), data]));
    assert_eq!(odd.verdict, Verdict::Refuses, "{odd:?}");
    let long = said("a.wav", &riff(&[(b"fmt ", &fmt), (b"bext", &[0; 602]), data]));
    assert_eq!(long.verdict, Verdict::Plays);
    assert!(long.says.unwrap().contains("the last 40 ms"));
    let nothing = said("a.wav", &riff(&[(b"fmt ", &fmt)]));
    assert!(nothing.says.unwrap().contains("no data chunk"));
    let stream = [riff(&[(b"fmt ", &fmt), (b"data", &[])]), vec![0; 3200]].concat();
    assert!(said("a.wav", &stream).says.unwrap().contains("nothing is played"));
}

#[test]
fn what_is_called_otherwise_is_taken_by_another_player() {
    let pcm = riff(&[(b"fmt ", &format(1, 1, 8000, 16)), (b"data", &[0; 320])]);
    let capital = said("a.WAV", &pcm);
    assert!(capital.says.unwrap().starts_with("Not a GSM file 1"));
    assert_eq!(capital.remedy.unwrap(), "diesis convert a.WAV a.wav");
    let mixed = said("a.Wav", &pcm);
    assert!(mixed.says.unwrap().contains("letter case counts (.wav)"));
    let raw = said("a.sln", &pcm);
    assert_eq!(raw.verdict, Verdict::PlaysWrong);
    assert!(raw.says.unwrap().contains("a thump"));
    assert_eq!(raw.remedy.unwrap(), "diesis convert a.sln a.new.sln && mv a.new.sln a.sln");
    assert!(said("a.flac", b"fLaC").says.unwrap().contains("no player for .flac"));
    assert!(said("a.mp3", b"ID3\x04").says.unwrap().contains("format_mp3"));
    assert_eq!(said("a.wav", b"").remedy, None);
    let page = [b"OggS".as_slice(), &[0; 22], &[1, 30], b"\x01vorbis", &[0; 4], &[2]].concat();
    let mut stereo = [page, 44_100_u32.to_le_bytes().to_vec()].concat();
    stereo.extend([0; 40]);
    assert!(said("a.ogg", &stereo).says.unwrap().contains("monophonic"));
}

#[test]
fn a_wav_of_gsm_is_what_capital_letters_mean() {
    let mut fmt = format(49, 1, 8000, 0);
    fmt[12..16].copy_from_slice(&[65, 0, 0, 0]);
    fmt.extend([2, 0, 0x40, 1]);
    let good = riff(&[(b"fmt ", &fmt), (b"fact", &[0; 4]), (b"data", &[0; 65])]);
    for name in ["a.WAV", "a.wav49"] {
        assert_eq!(said(name, &good).verdict, Verdict::Plays);
    }
    assert!(said("a.wav", &good).says.unwrap().contains("Not a wav file 49 (GSM)"));
}

#[test]
fn headerless_files_that_are_something_else_are_found_out() {
    let samples = speech(8000);
    let linear: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
    let ulaw: Vec<u8> = samples.iter().map(|&it| diesis_sounds::g711::encode_ulaw(it)).collect();
    let alaw: Vec<u8> = samples.iter().map(|&it| diesis_sounds::g711::encode_alaw(it)).collect();
    for (name, bytes) in [("a.sln", &linear), ("a.ulaw", &ulaw), ("a.alaw", &alaw)] {
        assert_eq!(said(name, bytes).verdict, Verdict::Plays, "{name}");
    }
    let wrong = said("a.ulaw", &linear);
    assert!(wrong.says.unwrap().contains("linear samples of 16 bits"));
    assert_eq!(wrong.remedy.unwrap(), "mv a.ulaw a.sln && diesis convert a.sln a.ulaw");
    assert!(said("a.sln", &ulaw).says.unwrap().contains("\u{b5}-law"));
    let swapped: Vec<u8> = samples.iter().flat_map(|it| it.to_be_bytes()).collect();
    assert!(said("a.sln", &swapped).says.unwrap().contains("bytes swapped"));
    assert!(said("a.gsm", &ulaw).says.unwrap().contains("no frames of GSM"));
    // Silence is as good in one as in another.
    for name in ["a.sln", "a.ulaw", "a.alaw"] {
        assert_eq!(said(name, &[0xd5; 8000]).verdict, Verdict::Plays);
    }
}

#[test]
fn what_convert_writes_plays() {
    let mut file = vec![];
    wav::write_to(&mut Cursor::new(&mut file), 8000, &speech(800)).unwrap();
    let opinion = said("a.wav", &file);
    assert_eq!(opinion, Opinion { verdict: Verdict::Plays, says: None, remedy: None });
}
