//! Compound RTCP packets: read with all the checks of RFC 3550 appendix A.2, and written.
//!
//! Reading borrows; nothing is copied, nothing is believed beyond the form. Packets of types that are
//! not known here (feedback of RFC 4585, extended reports of RFC 3611) are passed over by their length.

use crate::media::rtp::{RtpTime, Ssrc};

/// A datagram that has the form of a compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound<'a> {
    octets: &'a [u8],
}

/// Why a datagram is no compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Another version than 2, in one of its packets.
    #[error("not of version 2")]
    Version,
    /// The first packet is no report.
    #[error("does not begin with a report")]
    FirstPacket,
    /// Padding in another packet than the last, or more of it than there is room.
    #[error("padded where it may not be")]
    Padding,
    /// The lengths do not add up to that of the datagram, or one is too short for what it counts.
    #[error("lengths do not add up")]
    Length,
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// What a sender sent and received.
    Sender(SenderReport, Blocks<'a>),
    /// What one who sends nothing received; the SSRC is the reporter's.
    Receiver(Ssrc, Blocks<'a>),
    /// Who sources are.
    Description(Chunks<'a>),
    /// Sources that leave.
    Goodbye(Sources<'a>),
    /// Something else, by its packet type.
    Other(u8),
}

/// The sender information of an SR, with the SSRC before it (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// Who reports.
    pub ssrc: Ssrc,
    /// When, in seconds since 1900 and fractions of 2^-32 s.
    pub ntp: u64,
    /// The same moment on the media clock.
    pub time: RtpTime,
    /// Packets sent since it began.
    pub packets: u32,
    /// Payload octets of them.
    pub octets: u32,
}

/// What a reporter received of one source (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: Ssrc,
    /// Lost since the last report, in 256ths of the expected.
    pub fraction_lost: u8,
    /// Lost in all: 24 bits, less than nothing when packets came twice.
    pub lost: i32,
    /// The highest sequence number, with how often it wrapped above it.
    pub highest: u32,
    /// Interarrival jitter on the media clock.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the last SR of the source; 0: none came.
    pub last_report: u32,
    /// How long ago that came, in 65536ths of a second.
    pub delay: u32,
}

impl<'a> Compound<'a> {
    /// Checks the form of a datagram.
    ///
    /// # Errors
    /// What is wrong with it first.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = datagram;
        let mut is_first = true;
        while !rest.is_empty() {
            let (head, packet, next) = split(rest)?;
            if head.is_padded && !next.is_empty() {
                return Err(Malformed::Padding);
            }
            if is_first && !matches!(head.packet_type, SENDER_REPORT | RECEIVER_REPORT) {
                return Err(Malformed::FirstPacket);
            }
            head.check(packet)?;
            is_first = false;
            rest = next;
        }
        if is_first { Err(Malformed::Length) } else { Ok(Self { octets: datagram }) }
    }

    /// Its packets, in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'a>> + use<'a> {
        let mut rest = self.octets;
        std::iter::from_fn(move || {
            let (head, packet, next) = split(rest).ok()?;
            rest = next;
            head.read(packet)
        })
    }

    /// Who sent it: the SSRC of the report it begins with.
    pub fn sender(&self) -> Ssrc {
        Ssrc(word(self.octets, 4))
    }
}

/// Whether a datagram at a port of both is RTCP: its second octet is a packet type of 192 to 223,
/// which no payload type that is in use looks like (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|octet| (192..=223).contains(octet))
}

#[derive(Debug, Clone, Copy)]
struct Head {
    count: u8,
    packet_type: u8,
    is_padded: bool,
}

/// Cuts off the first packet: its head, its content with the padding, and what follows.
fn split(octets: &[u8]) -> Result<(Head, &[u8], &[u8]), Malformed> {
    let &[first, packet_type, high, low, ref rest @ ..] = octets else {
        return Err(Malformed::Length);
    };
    if first >> 6 != VERSION {
        return Err(Malformed::Version);
    }
    let length = usize::from(u16::from_be_bytes([high, low])) * 4;
    let (packet, next) = rest.split_at_checked(length).ok_or(Malformed::Length)?;
    let head = Head { count: first & 0x1f, packet_type, is_padded: first & 0x20 != 0 };
    Ok((head, packet, next))
}

impl Head {
    fn padding(self, packet: &[u8]) -> Result<usize, Malformed> {
        let padding = packet.last().map_or(0, |&last| usize::from(last));
        // At least itself, and whole words.
        let fits = padding > 0 && padding.is_multiple_of(4) && padding <= packet.len();
        if fits { Ok(padding) } else { Err(Malformed::Padding) }
    }

    /// What there must be at least for what the head counts.
    fn check(self, packet: &[u8]) -> Result<(), Malformed> {
        let content = self.content(packet)?;
        let count = usize::from(self.count);
        let least = match self.packet_type {
            SENDER_REPORT => SENDER_INFORMATION + count * BLOCK,
            RECEIVER_REPORT => 4 + count * BLOCK,
            GOODBYE => count * 4,
            SOURCE_DESCRIPTION => return Chunks { octets: content, left: self.count }.check(),
            _ => 0,
        };
        if content.len() < least { Err(Malformed::Length) } else { Ok(()) }
    }

    /// The packet without its padding.
    fn content(self, packet: &[u8]) -> Result<&[u8], Malformed> {
        let padding = if self.is_padded { self.padding(packet)? } else { 0 };
        packet.get(..packet.len() - padding).ok_or(Malformed::Padding)
    }

    fn read(self, packet: &[u8]) -> Option<Packet<'_>> {
        let content = self.content(packet).ok()?;
        let count = usize::from(self.count);
        let blocks = |at: usize| Some(Blocks { octets: content.get(at..at + count * BLOCK)? });
        Some(match self.packet_type {
            SENDER_REPORT => {
                let report = SenderReport {
                    ssrc: Ssrc(word(content, 0)),
                    ntp: u64::from(word(content, 4)) << 32 | u64::from(word(content, 8)),
                    time: RtpTime(word(content, 12)),
                    packets: word(content, 16),
                    octets: word(content, 20),
                };
                Packet::Sender(report, blocks(SENDER_INFORMATION)?)
            }
            RECEIVER_REPORT => Packet::Receiver(Ssrc(word(content, 0)), blocks(4)?),
            SOURCE_DESCRIPTION => Packet::Description(Chunks { octets: content, left: self.count }),
            GOODBYE => Packet::Goodbye(Sources { octets: content.get(..count * 4)? }),
            other => Packet::Other(other),
        })
    }
}

/// The report blocks of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks<'a> {
    octets: &'a [u8],
}

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.octets.split_at_checked(BLOCK)?;
        self.octets = rest;
        Some(ReportBlock {
            ssrc: Ssrc(word(block, 0)),
            fraction_lost: block[4],
            // Its sign is that of 24 bits.
            lost: (word(block, 4) << 8).cast_signed() >> 8,
            highest: word(block, 8),
            jitter: word(block, 12),
            last_report: word(block, 16),
            delay: word(block, 20),
        })
    }
}

/// The sources of a BYE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources<'a> {
    octets: &'a [u8],
}

impl Iterator for Sources<'_> {
    type Item = Ssrc;

    fn next(&mut self) -> Option<Ssrc> {
        let (source, rest) = self.octets.split_first_chunk::<4>()?;
        self.octets = rest;
        Some(Ssrc(u32::from_be_bytes(*source)))
    }
}

/// The chunks of an SDES packet: a source and its canonical name, if it says one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunks<'a> {
    octets: &'a [u8],
    left: u8,
}

impl<'a> Chunks<'a> {
    fn check(self) -> Result<(), Malformed> {
        let wanted = usize::from(self.left);
        if self.count() == wanted { Ok(()) } else { Err(Malformed::Length) }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (Ssrc, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (source, mut items) = self.octets.split_first_chunk::<4>()?;
        let whole = items.len();
        let mut name = None;
        loop {
            match *items {
                // A null ends the list, and more of them fill up to a word.
                [0, ..] => break,
                [item, length, ref rest @ ..] => {
                    let (text, rest) = rest.split_at_checked(length.into())?;
                    if item == CANONICAL_NAME {
                        name = name.or(Some(text));
                    }
                    items = rest;
                }
                _ => return None,
            }
        }
        let used = whole - items.len();
        self.octets = self.octets.get(4 + (used + 1).next_multiple_of(4)..)?;
        Some((Ssrc(u32::from_be_bytes(*source)), name))
    }
}

/// A compound packet being written.
#[derive(Debug)]
pub struct Writer {
    octets: [u8; LONGEST],
    length: usize,
}

/// What the next packet of a compound is.
#[derive(Debug, Clone, Copy)]
pub enum Out<'a> {
    /// An SR, with at most one report block.
    Sender(SenderReport, Option<ReportBlock>),
    /// An RR.
    Receiver(Ssrc, Option<ReportBlock>),
    /// An SDES packet with one CNAME of up to 32 octets.
    Name(Ssrc, &'a [u8]),
    /// A BYE.
    Goodbye(Ssrc),
}

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self { octets: [0; LONGEST], length: 0 }
    }

    /// Appends a packet.
    #[must_use]
    pub fn with(mut self, packet: Out<'_>) -> Self {
        let start = self.length;
        self.put(&[0; 4]);
        let (packet_type, count) = match packet {
            Out::Sender(report, block) => {
                self.put_word(report.ssrc.0);
                self.put(&report.ntp.to_be_bytes());
                self.put_word(report.time.0);
                self.put_word(report.packets);
                self.put_word(report.octets);
                self.put_block(block);
                (SENDER_REPORT, u8::from(block.is_some()))
            }
            Out::Receiver(ssrc, block) => {
                self.put_word(ssrc.0);
                self.put_block(block);
                (RECEIVER_REPORT, u8::from(block.is_some()))
            }
            Out::Name(ssrc, name) => {
                let name = &name[..name.len().min(LONGEST_NAME)];
                self.put_word(ssrc.0);
                self.put(&[CANONICAL_NAME, name.len() as u8]);
                self.put(name);
                // At least one null.
                let filled = (self.length - start + 1).next_multiple_of(4);
                self.length = start + filled;
                (SOURCE_DESCRIPTION, 1)
            }
            Out::Goodbye(ssrc) => {
                self.put_word(ssrc.0);
                (GOODBYE, 1)
            }
        };
        let words = ((self.length - start) / 4 - 1) as u16;
        let [high, low] = words.to_be_bytes();
        self.octets[start..start + 4].copy_from_slice(&[
            VERSION << 6 | count,
            packet_type,
            high,
            low,
        ]);
        self
    }

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.length]
    }

    fn put(&mut self, octets: &[u8]) {
        self.octets[self.length..self.length + octets.len()].copy_from_slice(octets);
        self.length += octets.len();
    }

    fn put_word(&mut self, word: u32) {
        self.put(&word.to_be_bytes());
    }

    fn put_block(&mut self, block: Option<ReportBlock>) {
        let Some(block) = block else { return };
        self.put_word(block.ssrc.0);
        let lost = block.lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        self.put_word(u32::from(block.fraction_lost) << 24 | lost);
        for word in [block.highest, block.jitter, block.last_report, block.delay] {
            self.put_word(word);
        }
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// A word of a packet whose length was checked.
fn word(octets: &[u8], at: usize) -> u32 {
    let word = octets.get(at..).and_then(|octets| octets.first_chunk::<4>());
    word.map_or(0, |word| u32::from_be_bytes(*word))
}

const VERSION: u8 = 2;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const CANONICAL_NAME: u8 = 1;

/// Octets of an SR before its blocks, without the head.
const SENDER_INFORMATION: usize = 24;

/// Octets of a report block.
const BLOCK: usize = 24;

/// A CNAME of ours has 16 (RFC 7022 §4.2).
const LONGEST_NAME: usize = 32;

/// SR with a block, SDES and BYE: 52 + 44 + 8.
const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: Ssrc(0x0506_0708),
            fraction_lost: 64,
            lost: -3,
            highest: 0x0001_fffe,
            jitter: 80,
            last_report: 0xb705_2000,
            delay: 0x0005_4000,
        }
    }

    fn report() -> SenderReport {
        SenderReport {
            ssrc: Ssrc(0x0102_0304),
            ntp: 0xb44d_b705_2000_0000,
            time: RtpTime(u32::MAX),
            packets: 7,
            octets: 1120,
        }
    }

    fn compound() -> Vec<u8> {
        let name = b"0123456789abcdef";
        let writer = Writer::new().with(Out::Sender(report(), Some(block())));
        let writer = writer.with(Out::Name(report().ssrc, name));
        writer.with(Out::Goodbye(report().ssrc)).as_bytes().to_vec()
    }

    #[test]
    fn what_is_written_reads_back() {
        let octets = compound();
        assert_eq!(octets.len(), 52 + 28 + 8);
        let compound = Compound::parse(&octets).unwrap();
        assert_eq!(compound.sender(), report().ssrc);
        let packets: Vec<Packet<'_>> = compound.packets().collect();
        let [Packet::Sender(sender, blocks), Packet::Description(chunks), Packet::Goodbye(gone)] =
            packets[..]
        else {
            panic!("{packets:?}")
        };
        assert_eq!(sender, report());
        assert_eq!(blocks.collect::<Vec<_>>(), [block()]);
        let name: &[u8] = b"0123456789abcdef";
        assert_eq!(chunks.collect::<Vec<_>>(), [(report().ssrc, Some(name))]);
        assert_eq!(gone.collect::<Vec<_>>(), [report().ssrc]);
    }

    #[test]
    fn octets_are_those_of_the_rfc() {
        let octets = Writer::new().with(Out::Receiver(Ssrc(1), Some(block())));
        assert_eq!(
            octets.as_bytes(),
            [
                0x81, 201, 0, 7, 0, 0, 0, 1, 5, 6, 7, 8, 64, 0xff, 0xff, 0xfd, 0, 1, 0xff, 0xfe, 0,
                0, 0, 80, 0xb7, 5, 0x20, 0, 0, 5, 0x40, 0
            ]
        );
        assert_eq!(
            Writer::new().with(Out::Receiver(Ssrc(1), None)).as_bytes()[..4],
            [0x80, 201, 0, 1]
        );
    }

    #[test]
    fn a_cut_compound_is_refused_wherever_it_is_cut() {
        let octets = compound();
        for length in 0..octets.len() {
            let whole = matches!(length, 52 | 80);
            assert_eq!(Compound::parse(&octets[..length]).is_ok(), whole, "{length}");
        }
    }

    #[test]
    fn the_checks_of_appendix_a_2_hold() {
        let receiver = [0x80, 201, 0, 1, 0, 0, 0, 1];
        let goodbye = [0x81, 203, 0, 1, 0, 0, 0, 1];
        let join = |parts: &[&[u8]]| parts.concat();
        for (octets, expected) in [
            (vec![], Err(Malformed::Length)),
            (join(&[&receiver]), Ok(())),
            (join(&[&goodbye]), Err(Malformed::FirstPacket)),
            (join(&[&receiver, &goodbye]), Ok(())),
            (join(&[&receiver, &[0x41, 203, 0, 1, 0, 0, 0, 1]]), Err(Malformed::Version)),
            (join(&[&receiver, &[0x81, 203, 0, 2, 0, 0, 0, 1]]), Err(Malformed::Length)),
            // Counts more than there is: reports, a description, sources.
            (vec![0x81, 201, 0, 1, 0, 0, 0, 1], Err(Malformed::Length)),
            (vec![0x80, 200, 0, 1, 0, 0, 0, 1], Err(Malformed::Length)),
            (join(&[&receiver, &[0x82, 203, 0, 1, 0, 0, 0, 1]]), Err(Malformed::Length)),
            (join(&[&receiver, &[0x81, 202, 0, 1, 0, 0, 0, 1]]), Err(Malformed::Length)),
            (
                join(&[&receiver, &[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, b'x', 0]]),
                Err(Malformed::Length),
            ),
            (join(&[&receiver, &[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 1, b'x', 0]]), Ok(())),
            // Padding in the last packet alone.
            (join(&[&receiver, &[0xa1, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4]]), Ok(())),
            (
                join(&[&receiver, &[0xa1, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3]]),
                Err(Malformed::Padding),
            ),
            (
                join(&[&receiver, &[0xa1, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8]]),
                Err(Malformed::Length),
            ),
            (join(&[&receiver, &[0xa0, 203, 0, 0]]), Err(Malformed::Padding)),
            (
                join(&[&[0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4], &goodbye]),
                Err(Malformed::Padding),
            ),
            // A BYE whose reason says it is longer than it is: the reason is not looked at.
            (join(&[&receiver, &[0x81, 203, 0, 2, 0, 0, 0, 1, 200, b'x', 0, 0]]), Ok(())),
            // Feedback and extended reports are passed over.
            (join(&[&receiver, &[0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]]), Ok(())),
            (join(&[&receiver, &[0x80, 207, 0, 1, 0, 0, 0, 1]]), Ok(())),
        ] {
            assert_eq!(Compound::parse(&octets).map(|_| ()), expected, "{octets:?}");
        }
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_the_second_octet() {
        for (octet, expected) in
            [(0, false), (0x80, false), (191, false), (200, true), (224, false)]
        {
            assert_eq!(is_rtcp(&[0x80, octet]), expected);
        }
        assert!(!is_rtcp(&[0x80]));
    }
}
