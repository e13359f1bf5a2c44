//! Reads RTP streams out of a capture: is every packet there, and was it sent on time?

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use crate::capture::Packet;

/// All packets of one synchronisation source to one destination, in the order they were sent.
#[derive(Debug, Default, Clone)]
pub struct Stream {
    packets: Vec<RtpPacket>,
}

#[derive(Debug, Clone, Copy)]
struct RtpPacket {
    at: Duration,
    sequence: u16,
    rtp_time: u32,
}

/// How late packets were sent, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pacing {
    /// Half of the packets are no further off.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1000.
    pub p999: f64,
    /// The worst.
    pub max: f64,
}

/// The streams of a capture by destination and SSRC; packets that are no RTP are left out.
#[must_use]
pub fn streams(packets: &[Packet]) -> BTreeMap<(SocketAddrV4, u32), Stream> {
    let mut streams: BTreeMap<_, Stream> = BTreeMap::new();
    for packet in packets {
        let Some(header) = packet.payload.first_chunk::<12>() else { continue };
        // RFC 5761 §4: payload types 64 to 95 with the marker are RTCP.
        let is_rtcp = (192..=223).contains(&header[1]);
        if header[0] >> 6 != 2 || is_rtcp {
            continue;
        }
        let [_, _, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *header;
        let key = (packet.destination, u32::from_be_bytes([c0, c1, c2, c3]));
        streams.entry(key).or_default().packets.push(RtpPacket {
            at: packet.at,
            sequence: u16::from_be_bytes([s0, s1]),
            rtp_time: u32::from_be_bytes([t0, t1, t2, t3]),
        });
    }
    streams
}

impl Stream {
    /// Number of packets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// When the first packet was sent, in the capture's time.
    #[must_use]
    pub fn start(&self) -> Duration {
        self.packets.first().map_or(Duration::ZERO, |packet| packet.at)
    }

    /// From the first packet to the last.
    #[must_use]
    pub fn duration(&self) -> Duration {
        match (self.packets.first(), self.packets.last()) {
            (Some(first), Some(last)) => last.at.saturating_sub(first.at),
            _ => Duration::ZERO,
        }
    }

    /// How many packets of 20 ms lie between the first and the last by their RTP time.
    #[must_use]
    pub fn due(&self) -> usize {
        let [Some(first), Some(last)] = [self.packets.first(), self.packets.last()] else {
            return 0;
        };
        (last.rtp_time.wrapping_sub(first.rtp_time) / 160) as usize + 1
    }

    /// The longest time between two packets.
    #[must_use]
    pub fn longest_pause(&self) -> Duration {
        let pairs = self.packets.windows(2);
        pairs.map(|pair| pair[1].at.saturating_sub(pair[0].at)).max().unwrap_or_default()
    }

    /// Places where the next packet does not carry the next sequence number.
    #[must_use]
    pub fn breaks(&self) -> usize {
        let pairs = self.packets.windows(2);
        pairs.filter(|pair| pair[1].sequence != pair[0].sequence.wrapping_add(1)).count()
    }

    /// How far each packet was sent from where its RTP time puts it on the stream's own 20 ms
    /// grid. The grid lies at the median, so that one late first packet does not shift it.
    fn deviations(&self) -> Vec<f64> {
        let Some(first) = self.packets.first() else { return Vec::new() };
        let offset = |packet: &RtpPacket| {
            let media = f64::from(packet.rtp_time.wrapping_sub(first.rtp_time)) / 8.0;
            packet.at.saturating_sub(first.at).as_secs_f64() * 1000.0 - media
        };
        let mut offsets: Vec<f64> = self.packets.iter().map(offset).collect();
        offsets.sort_by(f64::total_cmp);
        let median = offsets[offsets.len() / 2];
        offsets.iter().map(|offset| (offset - median).abs()).collect()
    }
}

/// Pacing over all packets of some streams.
///
/// # Panics
/// When there is no packet at all.
pub fn pacing<'a>(streams: impl Iterator<Item = &'a Stream>) -> Pacing {
    let mut deviations: Vec<f64> = streams.flat_map(Stream::deviations).collect();
    assert!(!deviations.is_empty(), "no packets");
    deviations.sort_by(f64::total_cmp);
    let at = |part: f64| deviations[((deviations.len() - 1) as f64 * part) as usize];
    Pacing { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ms: f64, sequence: u16, rtp_time: u32) -> Packet {
        let mut payload = vec![0x80, 0];
        payload.extend(sequence.to_be_bytes());
        payload.extend(rtp_time.to_be_bytes());
        payload.extend([0, 0, 0, 9, 0xff]);
        Packet {
            at: Duration::from_secs_f64(ms / 1000.0),
            source: "127.0.0.1:10000".parse().unwrap(),
            destination: "127.0.0.2:40000".parse().unwrap(),
            payload,
        }
    }

    #[test]
    fn a_whole_stream_on_its_grid_has_no_breaks_and_no_deviation() {
        let packets: Vec<Packet> = (0..100_u16)
            .map(|n| packet(f64::from(n) * 20.0, n.wrapping_add(65_500), u32::from(n) * 160))
            .collect();
        let streams = streams(&packets);
        let stream = &streams[&(packets[0].destination, 9)];
        assert_eq!((stream.len(), stream.breaks()), (100, 0));
        assert_eq!(stream.duration(), Duration::from_millis(1980));
        assert!(pacing(streams.values()).max < 0.001);
    }

    #[test]
    fn a_lost_a_doubled_and_a_late_packet_are_seen() {
        let packets = [
            packet(0.0, 1, 0),
            packet(20.0, 2, 160),
            packet(45.0, 3, 320),
            packet(80.0, 5, 640),
            packet(80.1, 5, 640),
        ];
        let streams = streams(&packets);
        let stream = streams.values().next().unwrap();
        assert_eq!((stream.breaks(), stream.due()), (2, 5));
        assert!((pacing(streams.values()).max - 5.0).abs() < 0.001);
    }

    #[test]
    fn what_is_no_rtp_is_left_out() {
        let mut rtcp = packet(0.0, 1, 0);
        rtcp.payload[1] = 200;
        let mut stun = packet(0.0, 1, 0);
        stun.payload[0] = 0;
        let mut short = packet(0.0, 1, 0);
        short.payload.truncate(11);
        assert!(streams(&[rtcp, stun, short]).is_empty());
    }
}
