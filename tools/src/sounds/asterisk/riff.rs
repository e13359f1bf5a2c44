//! The players of WAV files: what they look at, in their order.

use std::io::{self, Read, Seek, SeekFrom};

use super::Finding;

/// `.wav` and `.wav16`: PCM in 16 bits, mono, of exactly this rate.
///
/// Chunks are passed over by their length, without the byte that pads an odd one; the first `data`
/// chunk ends the search, whether or not a `fmt ` chunk came before it.
pub(super) fn pcm(
    input: &mut (impl Read + Seek),
    expected: u32,
) -> io::Result<Result<(), Finding>> {
    let refused = |says: String| Ok(Err(Finding::Refusal(says)));
    let end = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(0))?;
    let mut start = [0; 12];
    if !filled(input, &mut start)? {
        return refused("read failed: shorter than a header".to_owned());
    }
    if &start[..4] != b"RIFF" {
        return refused("does not begin with RIFF".to_owned());
    }
    if &start[8..] != b"WAVE" {
        return refused("does not contain WAVE".to_owned());
    }
    let (mut at, mut odd, mut format) = (12_u64, false, false);
    let mut chunks = 0;
    let (begin, len) = loop {
        let mut header = [0; 8];
        input.seek(SeekFrom::Start(at))?;
        chunks += 1;
        if !filled(input, &mut header)? || chunks > MOST_CHUNKS {
            let why = if odd { ": it takes the byte after an odd chunk for a name" } else { "" };
            return refused(format!("read failed: no data chunk is found{why}"));
        }
        let (name, len) = header.split_at(4);
        let len = u32::from_le_bytes(len.try_into().expect("four bytes"));
        at += 8;
        match name {
            b"data" => break (at, len),
            b"fmt " => {
                let mut body = [0; 16];
                if len < 16 || !filled(input, &mut body)? {
                    return refused(format!("unexpected header size {len}"));
                }
                if let Some(refusal) = wrong_format(&body, expected) {
                    return Ok(Err(Finding::Refusal(refusal)));
                }
                format = true;
            }
            _ => {}
        }
        odd |= len % 2 == 1;
        at += u64::from(len);
        if at > end {
            return refused(format!(
                "read failed: a chunk \"{}\" of {len} bytes ends behind the file",
                name.escape_ascii()
            ));
        }
    };
    if len > i32::MAX.cast_unsigned() {
        return refused(format!(
            "the data chunk says {len} bytes, which is taken for less than none"
        ));
    }
    if !format {
        return Ok(Err(Finding::Wrong("noise: no fmt chunk says what it is".to_owned())));
    }
    // The length that the header tells is counted from the file's first byte.
    let heard = u64::from(len).min(end).saturating_sub(begin);
    let lost = (end - begin).min(len.into()).saturating_sub(heard);
    if heard == 0 {
        return refused(format!("nothing is played: the data chunk says {len} bytes"));
    }
    let milliseconds = lost * 1000 / (2 * u64::from(expected));
    if milliseconds >= NOTABLE {
        return Ok(Err(Finding::Remark(format!(
            "the last {milliseconds} ms may stay unheard: {begin} bytes of header count as sound"
        ))));
    }
    Ok(Ok(()))
}

/// More chunks than this are those of no sound, and would take long to look at.
const MOST_CHUNKS: u32 = 10_000;
/// The 44 bytes of a plain header are 3 ms; who writes more should hear of it.
const NOTABLE: u64 = 20;

/// What is said of the first 16 bytes of a `fmt ` chunk.
fn wrong_format(body: &[u8; 16], expected: u32) -> Option<String> {
    let u16_at = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
    let (tag, channels, frame) = (u16_at(0), u16_at(2), u16_at(12));
    let rate = u32::from_le_bytes(body[4..8].try_into().expect("four bytes"));
    match () {
        () if tag != 1 => Some(format!("Not a wav file {tag}{}", tag_name(tag))),
        () if channels != 1 => Some(format!("Not in mono {channels}")),
        () if rate != expected => {
            Some(format!("Unexpected frequency mismatch {rate} (expecting {expected})"))
        }
        () if frame != 2 => Some(format!("Can only handle 16bits per sample: {}", frame * 8)),
        () => None,
    }
}

fn tag_name(tag: u16) -> &'static str {
    match tag {
        2 => " (Microsoft ADPCM)",
        3 => " (float)",
        6 => " (A-law)",
        7 => " (\u{b5}-law)",
        0x11 => " (IMA ADPCM)",
        0x31 => " (GSM)",
        0x55 => " (MP3)",
        0xfffe => " (extensible)",
        _ => "",
    }
}

/// `.WAV` and `.wav49`: GSM in the form of Microsoft, its `fmt ` chunk first and of 20 bytes.
pub(super) fn gsm(head: &[u8]) -> Option<Finding> {
    let refused = |says: String| Some(Finding::Refusal(says));
    let u16_at = |at: usize| head.get(at..at + 2).map(|it| u16::from_le_bytes([it[0], it[1]]));
    let u32_at = |at: usize| {
        head.get(at..at + 4).map(|it| u32::from_le_bytes(it.try_into().expect("four bytes")))
    };
    let told = |value: Option<u32>| value.map_or_else(|| "nothing".to_owned(), |it| it.to_string());
    if !head.starts_with(b"RIFF") {
        return refused("does not begin with RIFF".to_owned());
    }
    if head.get(8..12) != Some(b"WAVE") {
        return refused("does not contain WAVE".to_owned());
    }
    if head.get(12..16) != Some(b"fmt ") {
        return refused("does not say fmt".to_owned());
    }
    let (size, tag, channels, rate) = (u32_at(16), u16_at(20), u16_at(22), u32_at(24));
    if tag == Some(1) {
        return refused(
            "Not a GSM file 1 (PCM: its extension would be .wav in small letters)".to_owned(),
        );
    }
    match () {
        () if size != Some(20) => refused(format!("unexpected header size {}", told(size))),
        () if tag != Some(49) => refused(format!("Not a GSM file {}", told(tag.map(u32::from)))),
        () if channels != Some(1) => {
            refused(format!("Not in mono {}", told(channels.map(u32::from))))
        }
        () if rate != Some(8000) => refused(format!("unexpected frequency {}", told(rate))),
        () if head.get(40..44) != Some(b"fact") => refused("does not say fact".to_owned()),
        () => None,
    }
}

/// Whether there were as many bytes.
fn filled(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
