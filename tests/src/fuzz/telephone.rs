//! Sound files of old and of telephones: AIFF, AU, ADPCM, and what has no header.

use diesis_sounds::coding::{Coding, Encoder};
use diesis_sounds::format::{EXTENSIONS, Format, raw};

use super::{SLOW, Shape, Target, owned};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "aiff",
        about: "read::aiff: every compression, rates of 80 bits",
        run: |input| read(Format::Aiff, input),
        seeds: aiff_seeds,
        tokens: &[
            b"FORM",
            b"AIFF",
            b"AIFC",
            b"COMM",
            b"SSND",
            b"NONE",
            b"sowt",
            b"twos",
            b"fl32",
            b"fl64",
            b"ulaw",
            b"ima4",
            b"raw ",
            b"in24",
            b"\x40\x0e\xac\x44",
            b"\xff\xff\xff\xff",
            b"\0\0\0\0",
        ],
        longest: 1024,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "au",
        about: "read::au: both orders, every encoding",
        run: |input| read(Format::Au, input),
        seeds: au_seeds,
        tokens: &[
            b".snd",
            b"dns.",
            b"\0\0\0\x18",
            b"\xff\xff\xff\xff",
            b"\0\0\0\x01",
            b"\0\0\x1f\x40",
        ],
        longest: 1024,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "adpcm",
        about: "coding: IMA, Microsoft and Dialogic ADPCM, GSM and G.722 in WAV",
        run: |input| read(Format::Wav, input),
        seeds: adpcm_seeds,
        tokens: &[
            b"RIFF",
            b"WAVE",
            b"fmt ",
            b"fact",
            b"data",
            b"\x02\0",
            b"\x11\0",
            b"\x31\0",
            b"\x8f\x02",
        ],
        longest: 2048,
        memory: 16 << 20,
        slow: SLOW,
    },
    Target {
        name: "headerless",
        about: "coding: every headerless file, encoded again and decoded again",
        run: headerless,
        seeds: || owned(&[b"\x00\xd5\xff\x7f\x80", &[0xd2; 66], &[0x5a; 40]]),
        tokens: &[],
        longest: 2048,
        memory: 16 << 20,
        slow: SLOW,
    },
];

fn read(format: Format, input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    match format.parse(input) {
        Ok(sound) => {
            // GSM has 320 samples in 65 bytes; all others have fewer.
            assert!(sound.samples.len() <= input.len() * 5, "more samples than bytes hold");
            shape.count(sound.samples.len());
            shape.count(sound.rate as usize / 1000);
        }
        Err(error) => {
            shape.kind(&error);
            assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
        }
    }
    shape
}

fn headerless(input: &[u8]) -> Shape {
    let mut shape = Shape::new();
    for (extension, format) in EXTENSIONS {
        let Format::Raw { coding, rate } = *format else { continue };
        assert_eq!(raw::coding_named(extension), Some((coding, Some(rate))));
        // What tells what it is is read as that.
        let Ok(sound) = format.parse(input) else { continue };
        if sound.samples.len() as u64 != coding.frames(input.len() as u64, 1) {
            continue;
        }
        let mut encoder = Encoder::new(coding).expect("what is read is written");
        let mut written = Vec::new();
        let (first, second) = sound.samples.split_at(sound.samples.len() / 3);
        encoder.encode(first, &mut written);
        encoder.encode(second, &mut written);
        encoder.finish(&mut written);
        let (_, unit) = coding.unit(1);
        let frames = coding.frames(written.len() as u64, 1) as usize;
        assert!((sound.samples.len()..sound.samples.len() + unit).contains(&frames), "{coding:?}");
        if matches!(coding, Coding::Ulaw | Coding::Alaw | Coding::Signed16(_)) {
            let again = format.parse(&written);
            assert!(again.is_err() || again.is_ok_and(|again| again == sound), "{coding:?}");
        }
        shape.count(frames);
    }
    shape
}

fn aiff_seeds() -> Vec<Vec<u8>> {
    let kinds: [(&[u8; 4], &[u8], u16); 8] = [
        (b"AIFF", b"", 8),
        (b"AIFF", b"", 16),
        (b"AIFF", b"", 24),
        (b"AIFC", b"sowt\0\0", 16),
        (b"AIFC", b"fl32\0\0", 32),
        (b"AIFC", b"ulaw\0\0", 16),
        (b"AIFC", b"ima4\0\0", 16),
        (b"AIFC", b"fl64\0\0", 64),
    ];
    let seed = |(form, kind, bits): (&[u8; 4], &[u8], u16)| {
        let mut common = b"\0\x01\0\0\0\x04".to_vec();
        common.extend(bits.to_be_bytes());
        common.extend(b"\x40\x0e\xac\x44\0\0\0\0\0\0");
        common.extend(kind);
        let mut file = [b"FORM\0\0\0\0", form.as_slice(), b"COMM"].concat();
        file.extend((common.len() as u32).to_be_bytes());
        file.extend(common);
        file.extend(b"SSND\0\0\0\x8c\0\0\0\0\0\0\0\0");
        file.extend((0..=136).map(|n: u8| n.wrapping_mul(37)));
        file
    };
    kinds.into_iter().map(seed).collect()
}

fn au_seeds() -> Vec<Vec<u8>> {
    let seed = |kind: u32| {
        let mut file = b".snd".to_vec();
        file.extend([24, 80, kind, 8000, 1].iter().flat_map(|it: &u32| it.to_be_bytes()));
        file.extend((0..80_u8).map(|n| n.wrapping_mul(37)));
        file
    };
    [1, 2, 3, 4, 5, 6, 7, 24, 27].into_iter().map(seed).collect()
}

/// Tag, channels, bytes of a block, bits.
fn adpcm_seeds() -> Vec<Vec<u8>> {
    let forms: [(u16, u16, u16, u16); 8] = [
        (0x02, 1, 32, 4),
        (0x02, 2, 64, 4),
        (0x11, 1, 36, 4),
        (0x11, 2, 72, 4),
        (0x11, 5, 60, 4),
        (0x31, 1, 65, 0),
        (0x10, 1, 1, 4),
        (0x28f, 1, 1, 4),
    ];
    let seed = |(tag, channels, block, bits): (u16, u16, u16, u16)| {
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x14\0\0\0".to_vec();
        file.extend([tag, channels].iter().flat_map(|it| it.to_le_bytes()));
        file.extend([8000_u32, 4000].iter().flat_map(|it| it.to_le_bytes()));
        file.extend([block, bits, 2, 64].iter().flat_map(|it| it.to_le_bytes()));
        file.extend(b"fact\x04\0\0\0\x40\0\0\0data\xc3\0\0\0");
        file.extend((0..195_u8).map(|n| n.wrapping_mul(37)));
        file
    };
    forms.into_iter().map(seed).collect()
}
