//! Compressed sound told by its first bytes.

use std::io::{self, Read, Seek, SeekFrom};

use super::compressed::mpeg;
use super::riff;
use crate::format::Container;

/// The compressed sound that an input is, or the container that may hold it, and where that begins.
pub(super) fn compressed<R: Read + Seek>(input: &mut R) -> io::Result<Option<(Container, u64)>> {
    let mut start = 0;
    let mut tags = 0;
    let bytes = loop {
        input.seek(SeekFrom::Start(start))?;
        let bytes = riff::up_to(input, mpeg::ENOUGH)?;
        match mpeg::id3(&bytes) {
            Some(len) if tags < MOST_TAGS => start += len,
            _ => break bytes,
        }
        tags += 1;
    };
    let container = match bytes.get(..8).unwrap_or(&bytes) {
        [b'O', b'g', b'g', b'S', ..] => Container::Ogg,
        [b'f', b'L', b'a', b'C', ..] => Container::Flac,
        [b'c', b'a', b'f', b'f', ..] => Container::Caf,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Container::Mp4,
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Container::Matroska,
        _ if mpeg::begins_mpeg(&bytes) => Container::Mpeg,
        _ if mpeg::begins_adts(&bytes) => Container::Adts,
        // What has a tag is what the tag is written to.
        _ if start > 0 => Container::Mpeg,
        _ => return Ok(None),
    };
    Ok(Some((container, start)))
}

/// Some programs put a new tag before the old one.
const MOST_TAGS: usize = 4;
