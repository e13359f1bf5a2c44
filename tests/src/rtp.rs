//! RTP packets as these suites write and read them, with nothing taken from the engine.

/// One packet: the fixed header, without extension and contributing sources, and its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpPacket {
    /// First of a talkspurt, or of an event.
    pub marker: bool,
    /// What the payload is.
    pub payload_type: u8,
    /// Counts packets.
    pub sequence: u16,
    /// Counts steps of the media clock.
    pub time: u32,
    /// Whose packet it is.
    pub ssrc: u32,
    /// All that follows the header.
    pub payload: Vec<u8>,
}

impl RtpPacket {
    /// Reads one (RFC 3550 §5.1); `None` for RTCP and for anything that is not plain: nobody but us
    /// sends extensions, contributing sources or padding here.
    #[must_use]
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let (&[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3], payload) =
            datagram.split_first_chunk()?;
        // RFC 5761 §4: payload types 64 to 95 with the marker are RTCP.
        if first != 0x80 || (192..=223).contains(&second) {
            return None;
        }
        Some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            time: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            payload: payload.to_vec(),
        })
    }

    /// The datagram.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut octets = vec![0x80, self.payload_type | if self.marker { 0x80 } else { 0 }];
        octets.extend(self.sequence.to_be_bytes());
        octets.extend(self.time.to_be_bytes());
        octets.extend(self.ssrc.to_be_bytes());
        octets.extend(&self.payload);
        octets
    }
}

/// What a telephone event says (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// 0 to 15 for keys.
    pub event: u8,
    /// The key is let go.
    pub end: bool,
    /// How long it has been held, in steps of the clock.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads a payload.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low] = payload.first_chunk()?;
        Some(Self { event, end: flags & 0x80 != 0, duration: u16::from_be_bytes([high, low]) })
    }

    /// The payload, at -10 dBm0.
    #[must_use]
    pub fn write(self) -> Vec<u8> {
        let [high, low] = self.duration.to_be_bytes();
        vec![self.event, if self.end { 0x8a } else { 0x0a }, high, low]
    }

    /// The event of a key; `None` if there is no such key.
    #[must_use]
    pub fn of_key(key: char) -> Option<u8> {
        KEYS.find(key.to_ascii_uppercase()).and_then(|at| u8::try_from(at).ok())
    }

    /// The key, if it is one.
    #[must_use]
    pub fn key(self) -> Option<char> {
        KEYS.chars().nth(self.event.into())
    }
}

/// By number of the event.
const KEYS: &str = "0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let payload = TelephoneEvent { event: 11, end: true, duration: 0x0320 }.write();
        let packet = RtpPacket {
            marker: true,
            payload_type: 101,
            sequence: 0xfffe,
            time: 0x8000_0001,
            ssrc: 7,
            payload,
        };
        let read = RtpPacket::parse(&packet.write());
        assert_eq!(read.as_ref(), Some(&packet));
        let event = TelephoneEvent::parse(&packet.payload).expect("four octets");
        assert_eq!((event.key(), event.end, event.duration), (Some('#'), true, 800));
        assert_eq!(TelephoneEvent::of_key('d'), Some(15));
    }

    #[test]
    fn rtcp_and_other_versions_are_none() {
        let mut octets = vec![0; 20];
        for first in [[0x80, 200], [0x00, 0x01], [0x40, 0]] {
            octets[..2].copy_from_slice(&first);
            assert_eq!(RtpPacket::parse(&octets), None);
        }
        assert_eq!(RtpPacket::parse(&[0x80; 11]), None);
    }
}
