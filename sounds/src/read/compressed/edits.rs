//! What MP4 and Matroska files say is not to be heard of a track: `symphonia` passes it over.
//!
//! MP4: the edit list, ISO/IEC 14496-12 §8.6.6. Matroska: CodecDelay and DiscardPadding, RFC 9559
//! §5.1.4.1.28 and §5.1.3.5.7. Nothing is allocated by what a file says, and no more than
//! [`MOST_ELEMENTS`] are looked at: a file that has more is heard as it is.

use std::io::{self, BufReader, Read, Seek};
use std::ops::Range;

/// Where the first sound track of an MP4 file begins by its edit list, in units of the track.
pub(super) fn mp4_start(input: impl Read + Seek, part: Range<u64>) -> io::Result<u64> {
    let mut atoms = Atoms { input: BufReader::new(input), left: MOST_ELEMENTS };
    let Some(mut tracks) = atoms.find(part, &[b"moov"])? else { return Ok(0) };
    while let Some(track) = atoms.find(tracks.clone(), &[b"trak"])? {
        tracks.start = track.end;
        let handler = atoms.find(track.clone(), &[b"mdia", b"hdlr"])?;
        let kind = match handler {
            Some(handler) => atoms.bytes(handler.start + 8, handler.end)?,
            None => None,
        };
        if kind == Some(*b"soun") {
            return match atoms.find(track, &[b"edts", b"elst"])? {
                Some(list) => atoms.first_edit(list),
                None => Ok(0),
            };
        }
    }
    Ok(0)
}

/// The atoms of an MP4 file.
struct Atoms<R> {
    input: BufReader<R>,
    left: usize,
}

impl<R: Read + Seek> Atoms<R> {
    /// The body of the first atom of this name, found in the first of the name before, and so on.
    fn find(&mut self, place: Range<u64>, names: &[&[u8; 4]]) -> io::Result<Option<Range<u64>>> {
        let mut place = Some(place);
        for name in names {
            let Some(outer) = place else { return Ok(None) };
            place = self.find_one(outer, name)?;
        }
        Ok(place)
    }

    fn find_one(&mut self, place: Range<u64>, name: &[u8; 4]) -> io::Result<Option<Range<u64>>> {
        let mut at = place.start;
        while let (Some(header), true) = (self.bytes::<8>(at, place.end)?, self.left > 0) {
            self.left -= 1;
            let [a, b, c, d, kind @ ..] = header;
            let (size, body) = match u32::from_be_bytes([a, b, c, d]) {
                // To the end.
                0 => (place.end - at, 8),
                1 => match self.bytes::<8>(at + 8, place.end)? {
                    Some(size) => (u64::from_be_bytes(size), 16),
                    None => return Ok(None),
                },
                size => (size.into(), 8),
            };
            if size < body {
                return Ok(None);
            }
            let end = at.saturating_add(size).min(place.end);
            if &kind == name {
                return Ok(Some((at + body).min(end)..end));
            }
            at = end;
        }
        Ok(None)
    }

    /// The time of the first edit that is not empty.
    fn first_edit(&mut self, list: Range<u64>) -> io::Result<u64> {
        let Some([version, _, _, _, count @ ..]) = self.bytes::<8>(list.start, list.end)? else {
            return Ok(0);
        };
        let long = version == 1;
        let mut at = list.start + 8;
        for _ in 0..u32::from_be_bytes(count).min(MOST_EDITS) {
            let time = if long {
                self.bytes(at + 8, list.end)?.map(i64::from_be_bytes)
            } else {
                self.bytes(at + 4, list.end)?.map(|it| i32::from_be_bytes(it).into())
            };
            match time {
                None => break,
                // Nothing is to be heard at first: that is left out.
                Some(-1) => at += if long { 20 } else { 12 },
                Some(time) => return Ok(time.try_into().unwrap_or(0)),
            }
        }
        Ok(0)
    }

    fn bytes<const N: usize>(&mut self, at: u64, end: u64) -> io::Result<Option<[u8; N]>> {
        bytes(&mut self.input, at, end)
    }
}

/// What is not to be heard of a Matroska track, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Discarded {
    /// At its beginning.
    pub(super) begin: u64,
    /// Of its last packet.
    pub(super) end: u64,
}

/// What a Matroska file says of its first sound track.
pub(super) fn matroska(input: impl Read + Seek, part: Range<u64>) -> io::Result<Discarded> {
    let mut input = BufReader::new(input);
    let (mut entry, mut chosen): (Entry, Option<Entry>) = Default::default();
    let (mut at, mut last_cluster, mut inside_last) = (part.start, None, false);
    let (mut block, mut end_of_last) = (0, 0);
    for _ in 0..MOST_ELEMENTS {
        let Some((id, body, size)) = element(&mut input, at, part.end)? else {
            // All clusters but the last are passed over at first.
            let Some(cluster) = last_cluster.take() else { break };
            (at, inside_last) = (cluster, true);
            continue;
        };
        let end = size.and_then(|size| body.checked_add(size)).filter(|&it| it <= part.end);
        at = match (id, end) {
            (SEGMENT | TRACKS | BLOCK_GROUP, _) | (CLUSTER, None) => body,
            (TRACK_ENTRY, _) => {
                entry.choose(&mut chosen);
                entry = Entry::default();
                body
            }
            (CLUSTER, Some(end)) => {
                last_cluster = (!inside_last).then_some(body);
                end
            }
            (_, None) => part.end,
            (_, Some(end)) => {
                let mut value = || number(&mut input, body, end);
                match id {
                    TRACK_NUMBER => entry.number = value()?,
                    TRACK_TYPE => entry.sound = value()? == SOUND,
                    CODEC_DELAY => entry.delay = value()?,
                    // It begins with the number of its track, in one byte with its highest bit set.
                    BLOCK => block = value()? & 0x7f,
                    DISCARD_PADDING => {
                        entry.choose(&mut chosen);
                        if chosen.as_ref().is_some_and(|it| it.number == block) {
                            end_of_last = value()?;
                        }
                    }
                    _ => {}
                }
                end
            }
        };
    }
    entry.choose(&mut chosen);
    // As much as a second is no padding; negative ones mean the beginning.
    let sane = |it: u64| if it < 1_000_000_000 { it } else { 0 };
    let begin = sane(chosen.map_or(0, |it| it.delay));
    Ok(Discarded { begin, end: sane(end_of_last) })
}

/// What is known of a track.
#[derive(Debug, Clone, Default)]
struct Entry {
    number: u64,
    sound: bool,
    delay: u64,
}

impl Entry {
    /// The first that is sound is it.
    fn choose(&self, chosen: &mut Option<Self>) {
        if self.sound && chosen.is_none() {
            *chosen = Some(self.clone());
        }
    }
}

/// The identifier of the element at this place, where its body is and, if it says so, how long.
type Element = (u64, u64, Option<u64>);

fn element(input: &mut (impl Read + Seek), at: u64, end: u64) -> io::Result<Option<Element>> {
    let Some((id, id_len)) = variable(input, at, end)? else { return Ok(None) };
    let Some((size, size_len)) = variable(input, at + id_len, end)? else { return Ok(None) };
    let value_bits = 7 * size_len;
    let size = size & ((1 << value_bits) - 1);
    let size = (size != (1 << value_bits) - 1).then_some(size);
    Ok(Some((id, at + id_len + size_len, size)))
}

/// A number whose leading zeros say how long it is, these included, and its length.
fn variable(input: &mut (impl Read + Seek), at: u64, end: u64) -> io::Result<Option<(u64, u64)>> {
    let Some([first]) = bytes::<1>(input, at, end)? else { return Ok(None) };
    let len = first.leading_zeros() + 1;
    if len > 8 {
        return Ok(None);
    }
    let mut value = u64::from(first);
    for n in 1..u64::from(len) {
        let Some([byte]) = bytes::<1>(input, at + n, end)? else { return Ok(None) };
        value = value << 8 | u64::from(byte);
    }
    Ok(Some((value, len.into())))
}

/// An unsigned number of up to eight bytes; of longer contents the first byte.
fn number(input: &mut (impl Read + Seek), at: u64, end: u64) -> io::Result<u64> {
    let len = end.saturating_sub(at);
    let mut value = 0;
    for n in 0..if len <= 8 { len } else { 1 } {
        let Some([byte]) = bytes::<1>(input, at + n, end)? else { break };
        value = value << 8 | u64::from(byte);
    }
    Ok(value)
}

/// The bytes at a place that ends there, if they are in it.
fn bytes<const N: usize>(
    input: &mut (impl Read + Seek),
    at: u64,
    end: u64,
) -> io::Result<Option<[u8; N]>> {
    if at.checked_add(N as u64).is_none_or(|it| it > end) {
        return Ok(None);
    }
    let mut bytes = [0; N];
    // Relative, so that what was read ahead is kept.
    let here = input.stream_position()?;
    input.seek_relative(at as i64 - here as i64)?;
    match input.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

const SEGMENT: u64 = 0x1853_8067;
const TRACKS: u64 = 0x1654_ae6b;
const TRACK_ENTRY: u64 = 0xae;
const TRACK_NUMBER: u64 = 0xd7;
const TRACK_TYPE: u64 = 0x83;
/// As the type of a track.
const SOUND: u64 = 2;
const CODEC_DELAY: u64 = 0x56aa;
const CLUSTER: u64 = 0x1f43_b675;
const BLOCK_GROUP: u64 = 0xa0;
const BLOCK: u64 = 0xa1;
const DISCARD_PADDING: u64 = 0x75a2;

/// An hour has some thousand clusters.
const MOST_ELEMENTS: usize = 100_000;
const MOST_EDITS: u32 = 16;
