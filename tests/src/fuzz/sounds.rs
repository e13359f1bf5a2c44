//! Sound files, prompt names, and words for numbers and times.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use diesis_sounds::coding::{Coding, Encoder};
use diesis_sounds::format::{Container, Format, wav};
use diesis_sounds::prompts::{Library, PromptError, Source};
use diesis_sounds::say::{
    self, Gender, Language, Moment, ToldCase, characters, characters_telling_case, digits, phonetic,
};

use super::{SEPARATOR, SLOW, Shape, Target, owned, parts};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "wav",
        about: "format::wav: reading, resampling to 8 kHz, writing and reading again",
        run: wav_file,
        seeds: wav_seeds,
        tokens: WAV_TOKENS,
        longest: 2048,
        memory: 16 << 20,
        // Resampling makes its filters for each file anew; files are read off the signalling thread.
        slow: super::SLOW_OFF_THREAD,
    },
    Target {
        name: "sounds-compressed",
        about: "read::compressed: FLAC, MP3, Ogg, Opus, AAC, ALAC, CAF, MP4, Matroska, by their contents",
        run: compressed_file,
        seeds: || super::files("sounds/tests/compressed"),
        tokens: COMPRESSED_TOKENS,
        longest: 8192,
        memory: 64 << 20,
        slow: super::SLOW_OFF_THREAD,
    },
    Target {
        name: "raw",
        about: "format::raw: every encoding, reading what was written",
        run: raw_file,
        seeds: || owned(&[b"\x00\x01\x7f\x80\xff", b"RIFF"]),
        tokens: &[],
        longest: 4096,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "prompt-name",
        about: "prompts::Library::find: a name, a language; nothing leads out of the root",
        run: prompt_name,
        seeds: || {
            owned(&[
                b"digits/1\x1efr_CA",
                b"../../etc/passwd\x1een",
                b"/etc/hostname\x1e..",
                b"silence/10\x1e",
                b"a/./b//c\x1efr",
            ])
        },
        tokens: &[
            b"..",
            b"/",
            b"./",
            b"../",
            b"\0",
            b".wav",
            b"digits/",
            b"silence/",
            b"\x1e",
            b"fr_CA",
            b"en",
            b"\xff",
            b"tests",
        ],
        longest: 700,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "say",
        about: "say: numbers, characters, phonetic, dates by format",
        run: words,
        seeds: || {
            owned(&[b"\x00123ABdY 'digits/at' IMp", b"\x01-999999999RTQqkSHml", b"\x02*#-aZ '' x"])
        },
        tokens: &[
            b"'",
            b"'digits/at'",
            b"A",
            b"B",
            b"d",
            b"Y",
            b"I",
            b"M",
            b"p",
            b"Q",
            b"q",
            b"R",
            b"T",
            b"S",
            b"H",
            b"k",
            b"m",
            b"999999999",
        ],
        longest: 300,
        memory: 16 << 20,
        slow: SLOW,
    },
];

fn wav_file(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    match wav::parse(input) {
        Ok(sound) => {
            // GSM has 320 of them in 65 bytes; what begins like compressed sound is that.
            let most = if is_compressed(input) { MOST_COMPRESSED } else { 5 };
            assert!(sound.samples.len() <= input.len() * most, "more samples than bytes hold");
            let _ = sound.duration();
            shape.count(sound.samples.len());
            shape.count(sound.rate as usize / 1000);
            let mut file = Cursor::new(Vec::new());
            wav::write_to(&mut file, sound.rate, &sound.samples).expect("memory can be written");
            let again = wav::parse(file.get_ref()).expect("what is written can be read");
            assert_eq!(again, sound);
            let length = sound.samples.len() as u64 * 8000 / u64::from(sound.rate);
            match sound.into_rate(8000) {
                Ok(sound) => assert!((sound.samples.len() as u64).abs_diff(length) <= 1),
                Err(error) => shape.kind(&error),
            }
        }
        Err(error) => {
            shape.kind(&error);
            assert!(!error.to_string().is_empty());
        }
    }
    shape
}

fn compressed_file(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    for format in [Format::Wav, Format::Compressed(Container::Mpeg)] {
        match format.parse(input) {
            Ok(sound) => {
                let most = input.len() * MOST_COMPRESSED;
                assert!(sound.samples.len() <= most, "more samples than packets hold");
                shape.count(sound.samples.len());
                shape.count(sound.rate as usize / 1000);
            }
            Err(error) => {
                shape.kind(&error);
                assert!(!error.to_string().is_empty());
            }
        }
    }
    shape
}

/// A frame of FLAC has 65,535 samples in some 12 bytes.
const MOST_COMPRESSED: usize = 6000;

/// Whether it may be taken for compressed sound, whatever its name says.
fn is_compressed(input: &[u8]) -> bool {
    let magics =
        [b"OggS".as_slice(), b"fLaC", b"caff", b"ID3", b"\x1a\x45\xdf\xa3", b"RIFF", b"RIFX"];
    magics.iter().any(|magic| input.starts_with(magic))
        || input.get(4..8) == Some(b"ftyp")
        || matches!(input, [0xff, second, ..] if second & 0xe0 == 0xe0)
}

fn raw_file(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    for coding in [Coding::Ulaw, Coding::Alaw, Coding::LINEAR] {
        if wav::is_wav(input) || is_compressed(input) {
            // Read as what it is.
            continue;
        }
        let format = Format::Raw { coding, rate: 8000 };
        let sound = format.parse(input).expect("every input is a sound");
        let mut written = Vec::new();
        let mut encoder = Encoder::new(coding).expect("it is written");
        encoder.encode(&sound.samples, &mut written);
        if is_compressed(&written) {
            // Both zeros of µ-law are written as one, which can spell a header.
            continue;
        }
        assert_eq!(format.parse(&written).ok().as_ref(), Some(&sound));
        shape.count(sound.samples.len());
    }
    shape
}

fn prompt_name(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let mut parts = parts(input);
    let name = parts.next().unwrap_or_default();
    let language = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sounds");
    let library = Library::new().root(&root);
    match library.find(name, &language) {
        Ok(Source::File(path)) => {
            let is_absolute = name.starts_with(b"/");
            assert!(is_absolute || path.starts_with(&root), "{}", path.display());
            assert!(!path.components().any(|part| part.as_os_str() == "..") || !is_absolute);
            let below = path.strip_prefix(&root).unwrap_or_else(|_| Path::new(""));
            assert!(!below.components().any(|part| part.as_os_str() == ".."), "{}", path.display());
            shape.add("file");
        }
        Ok(Source::Embedded(bytes)) => {
            assert!(wav::is_wav(bytes));
            shape.add("embedded");
        }
        Ok(other) => shape.kind(&other),
        Err(error) => {
            shape.kind(&error);
            assert!(!error.to_string().is_empty());
            if let PromptError::InvalidName { reason, .. } = error {
                shape.add(reason);
            }
        }
    }
    shape
}

fn words(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    let Some((&options, rest)) = input.split_first() else { return shape };
    let language = if options & 1 == 0 { Language::English } else { Language::French };
    let gender = Gender::from_option(&rest[..rest.len().min(1)]);
    let end = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    let (number, text) = rest.split_at(end);
    let value: i64 = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok()).unwrap_or(-1);
    match say::number(value, gender, language) {
        Ok(names) => shape.count(names.len()),
        Err(error) => shape.kind(&error),
    }
    for names in [
        digits(text),
        characters(text),
        phonetic(text),
        characters_telling_case(text, ToldCase::All),
    ] {
        assert!(names.len() <= text.len() * 2);
        shape.count(names.len());
    }
    let size = value.unsigned_abs();
    let moment = Moment {
        year: (size % 10_000) as u16,
        month: 1 + (size % 12) as u8,
        day: 1 + (size % 31) as u8,
        weekday: (size % 7) as u8,
        hour: (size % 24) as u8,
        minute: (size % 60) as u8,
        second: (size % 61) as u8,
        days_ago: value,
    };
    match say::moment(&moment, text, language) {
        Ok(names) => shape.count(names.len()),
        Err(error) => shape.kind(&error),
    }
    shape
}

pub(super) fn wav_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for rate in [8000, 44_100] {
        let mut file = Cursor::new(Vec::new());
        let samples: Vec<i16> = (0..100).map(|n| n * 300).collect();
        wav::write_to(&mut file, rate, &samples).expect("memory can be written");
        seeds.push(file.into_inner());
    }
    // Each coding and width, by format tag and bits.
    for (tag, bits, channels) in [
        (1, 8, 1),
        (1, 24, 2),
        (1, 32, 1),
        (3, 32, 1),
        (3, 64, 2),
        (6, 8, 1),
        (7, 8, 2),
        (0xfffe, 16, 1),
    ] {
        seeds.push(header(tag, bits, channels));
    }
    seeds.push([b"RIFX", &seeds[0][4..]].concat());
    seeds
        .push([&b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0"[..], &[0; 28], &seeds[0][12..]].concat());
    seeds.retain(|seed| !seed.is_empty() || seed.contains(&SEPARATOR));
    seeds
}

fn header(tag: u16, bits: u16, channels: u16) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut format = Vec::new();
    format.extend(tag.to_le_bytes());
    format.extend(channels.to_le_bytes());
    format.extend(16_000_u32.to_le_bytes());
    format.extend((16_000 * u32::from(frame)).to_le_bytes());
    format.extend(frame.to_le_bytes());
    format.extend(bits.to_le_bytes());
    if tag == 0xfffe {
        format.extend(b"\x16\0\x10\0\x04\0\0\0\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    }
    let data: Vec<u8> = (0..120).collect();
    let mut file = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
    file.extend((format.len() as u32).to_le_bytes());
    file.extend(format);
    file.extend(b"LIST\x03\0\0\0abc\0data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

const COMPRESSED_TOKENS: &[&[u8]] = &[
    b"OggS",
    b"OpusHead",
    b"OpusTags",
    b"\x01vorbis",
    b"\x7fFLAC",
    b"fLaC",
    b"caff",
    b"pakt",
    b"kuki",
    b"desc",
    b"ftyp",
    b"moov",
    b"trak",
    b"mdia",
    b"stbl",
    b"stsz",
    b"stts",
    b"stsc",
    b"stco",
    b"edts",
    b"elst",
    b"mdat",
    b"moof",
    b"ID3\x04\0\0\0\0\0\0",
    b"APETAGEX",
    b"TAG",
    b"Xing",
    b"Info",
    b"LAME",
    b"\x1a\x45\xdf\xa3",
    b"\x18\x53\x80\x67",
    b"\x1f\x43\xb6\x75",
    b"\x75\xa2",
    b"\xff\xfb\x90\x64",
    b"\xff\xf1",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
];

const WAV_TOKENS: &[&[u8]] = &[
    b"RIFF",
    b"RIFX",
    b"RF64",
    b"BW64",
    b"WAVE",
    b"fmt ",
    b"data",
    b"ds64",
    b"LIST",
    b"fact",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x10\0\0\0",
    b"\x12\0\0\0",
    b"\x28\0\0\0",
    b"\x01\0",
    b"\x03\0",
    b"\x06\0",
    b"\x07\0",
    b"\xfe\xff",
    b"\x40\x1f\0\0",
    b"\x44\xac\0\0",
    b"\x80\xbb\0\0",
    b"\xe8\x03\0\0",
    b"\0\xb8\x0b\0",
    b"\x08\0",
    b"\x18\0",
    b"\x20\0",
    b"\x40\0",
];
