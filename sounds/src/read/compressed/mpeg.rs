//! Headers of MPEG audio and ADTS frames, and the tags around them: enough to know such a file by
//! its contents and to know where its sound begins and ends.
//!
//! ISO/IEC 11172-3 §2.4.1.3, 13818-3 §2.4.2.3 and 13818-7 §6.2.

use std::io::{self, Read, Seek, SeekFrom};

use crate::read::riff;

/// Bytes that hold three frames of any rate.
pub(in crate::read) const ENOUGH: usize = 8 << 10;

/// The length of an ID3v2 tag that the bytes begin with, its footer included.
pub(in crate::read) fn id3(bytes: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', _, _, flags, size @ ..] = bytes else { return None };
    let size: [u8; 4] = *size.first_chunk()?;
    // Seven bits each, so that no byte looks like the beginning of a frame.
    let len = size.iter().fold(0, |len, byte| len << 7 | u64::from(byte & 0x7f));
    let footer = if flags & 0x10 != 0 { 10 } else { 0 };
    Some(10 + len + footer)
}

/// Where the sound ends and tags of ID3v1 and APE begin: cover pictures in them look like frames.
pub(super) fn end<R: Read + Seek>(input: &mut R, start: u64, mut end: u64) -> io::Result<u64> {
    let mut back = |end: u64, len: u64| {
        let at = end.checked_sub(len).filter(|&at| at >= start);
        at.map(|at| input.seek(SeekFrom::Start(at)).and_then(|_| riff::up_to(input, 32)))
            .transpose()
            .map(Option::unwrap_or_default)
    };
    if back(end, 128)?.starts_with(b"TAG") {
        end -= 128;
    }
    let footer = back(end, 32)?;
    if footer.starts_with(b"APETAGEX") {
        let size = u32::from_le_bytes(*footer[12..].first_chunk().expect("32 bytes are there"));
        let header = if footer[23] & 0x80 != 0 { 32 } else { 0 };
        let len = u64::from(size) + header;
        end = end.checked_sub(len).filter(|&at| at >= start).unwrap_or(end);
    }
    Ok(end)
}

/// Of a frame's header, what stays the same from frame to frame: version, layer, rate, and whether
/// it is one channel.
pub(super) fn kind(header: [u8; 4]) -> u32 {
    let [_, version_layer, rate, mode] = header;
    u32::from(version_layer & 0x1e) << 16
        | u32::from(rate & 0x0c) << 8
        | u32::from(mode & 0xc0 == 0xc0)
}

/// The layer of a frame, 1 to 3.
pub(super) fn layer(header: [u8; 4]) -> u8 {
    4 - (header[1] >> 1 & 3)
}

/// Whether frames of MPEG audio begin here.
pub(in crate::read) fn begins_mpeg(bytes: &[u8]) -> bool {
    frames_follow(bytes, |header| {
        let len = mpeg_frame(header)?;
        Some((len, kind(header)))
    })
}

/// Whether frames of AAC with ADTS headers begin here.
pub(in crate::read) fn begins_adts(bytes: &[u8]) -> bool {
    let mut at = 0;
    for _ in 0..FRAMES {
        let Some(&[0xff, second, third, fourth, fifth, sixth]) =
            bytes.get(at..).and_then(|it| it.first_chunk())
        else {
            // The end of what there is: all frames so far are good.
            return at > 0 && at >= bytes.len();
        };
        let len = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
        if second & 0xf6 != 0xf0 || third >> 2 & 0xf > 12 || len < 7 {
            return false;
        }
        at += len;
    }
    true
}

/// Whether three frames of one kind follow each other, or all that there are. One frame alone is
/// too little: four bytes of other sound look like a header often enough.
fn frames_follow(bytes: &[u8], frame: impl Fn([u8; 4]) -> Option<(usize, u32)>) -> bool {
    let (mut at, mut first) = (0, None);
    for _ in 0..FRAMES {
        let Some(&header) = bytes.get(at..).and_then(|it| it.first_chunk()) else {
            return at > 0 && at == bytes.len();
        };
        let Some((len, kind)) = frame(header) else { return false };
        if *first.get_or_insert(kind) != kind {
            return false;
        }
        at += len;
    }
    true
}

/// Frames in a row that are not there by chance.
const FRAMES: usize = 3;

/// The length of the frame with this header, if it is one.
fn mpeg_frame(header: [u8; 4]) -> Option<usize> {
    let [0xff, second, third, _] = header else { return None };
    let (version, layer) = (second >> 3 & 3, layer(header));
    if second & 0xe0 != 0xe0 || version == 1 || layer == 4 {
        return None;
    }
    // Versions are 2.5, reserved, 2 and 1.
    let one = version == 3;
    let table = match (one, layer) {
        (true, 1) => &RATES_1_1,
        (true, 2) => &RATES_1_2,
        (true, _) => &RATES_1_3,
        (false, 1) => &RATES_2_1,
        (false, _) => &RATES_2_2,
    };
    // Free format has no length in its header: 0.
    let kilobits = *table.get(usize::from(third >> 4)).filter(|&&it| it > 0)?;
    let rate = *[44_100, 48_000, 32_000].get(usize::from(third >> 2 & 3))?;
    let rate = rate >> [2, 0, 1, 0][usize::from(version)];
    let padding = usize::from(third >> 1 & 1);
    let bits = usize::from(kilobits) * 1000;
    Some(match (layer, one) {
        (1, _) => (12 * bits / rate + padding) * 4,
        (3, false) => 72 * bits / rate + padding,
        _ => 144 * bits / rate + padding,
    })
}

/// Thousands of bits a second, by version and layer.
const RATES_1_1: [u16; 15] = [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
const RATES_1_2: [u16; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const RATES_1_3: [u16; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const RATES_2_1: [u16; 15] = [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
const RATES_2_2: [u16; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
