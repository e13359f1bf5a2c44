//! Fuzz targets of the readers: ordinary functions, run here over seeds, mutations and noise.

use diesis_sounds::format::{EXTENSIONS, Format, wav};
use proptest::prelude::*;

/// Reads the bytes as every format. Nothing may panic, and no reader may give more samples than
/// the densest coding packs into bytes (GSM 160 into 33, FLAC 65,535 into some 12): what is allocated
/// is bounded by what was handed in.
fn read_anything(bytes: &[u8]) {
    for (extension, format) in EXTENSIONS {
        if let Ok(sound) = format.parse(bytes) {
            let most = if matches!(format, Format::Raw { .. }) { 5 } else { 6000 };
            assert!(sound.samples.len() <= bytes.len() * most, "{extension}");
            assert!(sound.rate >= 1000, "{extension}");
        }
    }
}

/// A well-formed file with some extra chunks, the start of every mutation.
fn seed(tag: u16, channels: u16, bits: u16) -> Vec<u8> {
    let block = channels * bits.div_ceil(8);
    let mut bytes = b"RIFF\x90\0\0\0WAVELIST\x05\0\0\0INFO?\0fmt \x28\0\0\0".to_vec();
    bytes.extend(tag.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(8000_u32.to_le_bytes());
    bytes.extend((8000 * u32::from(block)).to_le_bytes());
    bytes.extend(block.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend([22, 0, 16, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa]);
    bytes.extend([0, 0x38, 0x9b, 0x71]);
    bytes.extend(b"data\x30\0\0\0");
    bytes.extend(0..0x30_u8);
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let forms = [(1, 1, 8), (1, 1, 16), (1, 2, 24), (1, 6, 32), (3, 1, 32), (3, 2, 64), (7, 1, 8)];
    let more = [(6, 2, 8), (0xfffe, 2, 16), (1, 1, 12), (0x55, 2, 0), (2, 9, 4), (0x11, 8, 4)];
    forms.into_iter().chain(more).map(|(tag, channels, bits)| seed(tag, channels, bits)).collect()
}

#[test]
fn every_truncation_of_every_seed_is_survived() {
    for file in seeds() {
        (0..=file.len()).for_each(|len| read_anything(&file[..len]));
    }
}

#[test]
fn every_single_byte_change_of_the_header_is_survived() {
    for mut file in seeds() {
        for at in 0..80 {
            let original = file[at];
            for value in [0, 1, 2, 3, 7, 0x7f, 0x80, 0xfe, 0xff] {
                file[at] = value;
                read_anything(&file);
            }
            file[at] = original;
        }
    }
}

proptest! {
    #[test]
    fn noise_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_anything(&bytes);
        let file = [b"RIFF\0\0\0\0WAVE".as_slice(), &bytes].concat();
        read_anything(&file);
    }

    #[test]
    fn several_changes_at_once_are_survived(
        which in 0..13_usize,
        changes in proptest::collection::vec((0..128_usize, any::<u8>()), 1..12),
    ) {
        let mut file = seeds().swap_remove(which);
        for (at, value) in changes {
            let at = at % file.len();
            file[at] = value;
        }
        read_anything(&file);
    }

    #[test]
    fn what_is_written_is_read_back(
        samples in proptest::collection::vec(any::<i16>(), 0..500),
        rate in 1000..768_000_u32,
    ) {
        let mut file = Vec::new();
        wav::write_to(std::io::Cursor::new(&mut file), rate, &samples).unwrap();
        let sound = wav::parse(&file).unwrap();
        prop_assert_eq!((sound.rate, sound.samples), (rate, samples));
    }
}
