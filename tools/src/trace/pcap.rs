//! The classic capture file (draft-ietf-opsawg-pcap), as tshark and sngrep read it.
//!
//! Every message is one UDP datagram between the addresses that it really went between, also what
//! came over TCP or within TLS: so it can be read in clear and without putting streams together.

use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
};

use diesis_engine::net::control::protocol::{Direction, SipMessage};

/// A capture that is being written.
#[derive(Debug)]
pub(super) struct Pcap<W> {
    out: W,
}

impl<W: Write> Pcap<W> {
    /// Writes the file's header.
    pub(super) fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC.to_le_bytes())?;
        // Version 2.4, then two fields that nobody uses.
        out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        out.write_all(&MOST_OCTETS.to_le_bytes())?;
        out.write_all(&LINKTYPE_RAW.to_le_bytes())?;
        out.flush()?;
        Ok(Self { out })
    }

    /// Appends a message, so that a reader sees it at once.
    pub(super) fn write(&mut self, message: &SipMessage) -> io::Result<()> {
        let (from, to) = match message.direction {
            Direction::In => (message.peer, message.local),
            Direction::Out => (message.local, message.peer),
        };
        let packet = datagram(from, to, message.content.as_bytes());
        let at = message.at.max(0);
        let seconds = u32::try_from(at / 1_000_000).unwrap_or(u32::MAX);
        let micros = (at % 1_000_000) as u32;
        let length = packet.len() as u32;
        for field in [seconds, micros, length, length] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        self.out.write_all(&packet)?;
        self.out.flush()
    }
}

/// An IP packet that carries `payload` over UDP. What is longer than a datagram can be is cut.
fn datagram(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(LONGEST_PAYLOAD)];
    let udp_length = (8 + payload.len()) as u16;
    let mut udp = Vec::with_capacity(usize::from(udp_length));
    udp.extend(from.port().to_be_bytes());
    udp.extend(to.port().to_be_bytes());
    udp.extend(udp_length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(payload);
    let mut packet = Vec::with_capacity(40 + udp.len());
    let pseudo = match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([0x45, 0]);
            packet.extend((20 + udp_length).to_be_bytes());
            // Not a fragment, 64 hops, UDP.
            packet.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let sum = checksum(&[&packet]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            [&from.octets()[..], &to.octets()].concat()
        }
        (from, to) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(udp_length.to_be_bytes());
            packet.extend([UDP, 64]);
            let (from, to) = (v6(from), v6(to));
            packet.extend(from);
            packet.extend(to);
            [from, to].concat()
        }
    };
    let sum = checksum(&[&pseudo, &[0, UDP], &udp_length.to_be_bytes(), &udp]);
    // Nought would mean that there is no checksum (RFC 768).
    let sum = if sum == 0 { u16::MAX } else { sum };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    packet.extend(udp);
    packet
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The Internet checksum (RFC 1071). All parts but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    let mut sum: u32 = words.map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Little-endian, with microseconds.
const MAGIC: u32 = 0xa1b2_c3d4;
/// Packets begin with their IP header.
const LINKTYPE_RAW: u32 = 101;
const MOST_OCTETS: u32 = 65_535;
const UDP: u8 = 17;
/// What IPv4 leaves of 65,535 octets.
const LONGEST_PAYLOAD: usize = 65_535 - 20 - 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_right_for_both_families() {
        let v4 =
            datagram("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5061".parse().unwrap(), b"abc");
        assert_eq!(v4.len(), 20 + 8 + 3);
        assert_eq!(checksum(&[&v4[..20]]), 0, "with its checksum a header sums up to nothing");
        assert_eq!(v4[20..26], [0x13, 0xc4, 0x13, 0xc5, 0, 11]);
        let pseudo = [&v4[12..20], &[0, UDP, 0, 11]].concat();
        assert_eq!(checksum(&[&pseudo, &v4[20..]]), 0);
        let v6 = datagram("[::1]:1".parse().unwrap(), "[::2]:2".parse().unwrap(), b"ab");
        assert_eq!((v6.len(), v6[0] >> 4, v6[6]), (40 + 8 + 2, 6, UDP));
        let pseudo = [&v6[8..40], &[0, UDP, 0, 10]].concat();
        assert_eq!(checksum(&[&pseudo, &v6[40..]]), 0);
    }

    #[test]
    fn what_is_too_long_for_a_datagram_is_cut() {
        let one = "127.0.0.1:1".parse().unwrap();
        assert_eq!(datagram(one, one, &[b'x'; 70_000]).len(), 65_535);
    }
}
