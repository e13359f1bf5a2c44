//! What really went over the loopback interface: dumpcap, and the packets of its file.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::Process;
use crate::scratch::Scratch;

/// A capture that runs.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    file: PathBuf,
    _scratch: Scratch,
}

/// One UDP packet as the kernel saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Since some fixed point in time.
    pub at: Duration,
    /// Who sent it.
    pub source: SocketAddrV4,
    /// To whom.
    pub destination: SocketAddrV4,
    /// The first bytes of what it carried, as many as were captured.
    pub payload: Vec<u8>,
}

impl Capture {
    /// Starts capturing the headers of UDP packets that satisfy a capture filter.
    ///
    /// # Panics
    /// When dumpcap does not start; it needs the right to capture.
    #[must_use]
    pub fn start(filter: &str) -> Self {
        Self::start_of(filter, "80")
    }

    /// The same with all that packets carry.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_whole(filter: &str) -> Self {
        Self::start_of(filter, "0")
    }

    fn start_of(filter: &str, bytes: &str) -> Self {
        let scratch = Scratch::new("capture");
        let file = scratch.join("lo.pcap");
        let mut command = Command::new("dumpcap");
        // Classic pcap, 64 MiB of kernel buffer.
        command.args(["-i", "lo", "-P", "-B", "64", "-s", bytes, "-f"]).arg(filter);
        command.arg("-w").arg(&file);
        let process = Process::spawn("dumpcap", &mut command);
        let started = process.wait_line(Duration::from_secs(10), |line| line.starts_with("File:"));
        assert!(started.is_some(), "dumpcap does not start:\n{}", process.output());
        Self { process, file, _scratch: scratch }
    }

    /// Ends it, once nothing has been captured for a second, and gives the packets.
    ///
    /// # Panics
    /// When the kernel dropped packets: then nothing can be said about loss.
    #[must_use]
    pub fn stop(mut self) -> Vec<Packet> {
        // The kernel hands packets over in blocks; what it still holds would be lost without a
        // word. dumpcap reports each block that it has written.
        let written = |line: &str| line.starts_with("Packets:");
        let quiet =
            (0..60).any(|_| self.process.wait_line(Duration::from_secs(1), written).is_none());
        assert!(quiet, "packets still arrive:\n{}", self.process.output());
        self.process.interrupt();
        let status = self.process.wait_exit(Duration::from_secs(20));
        let output = self.process.output();
        assert!(status.success(), "dumpcap ended with {status}:\n{output}");
        // Packets received/dropped on interface 'Loopback: lo': 4711/0 (pcap:0/...)
        let counts = output.lines().find(|line| line.starts_with("Packets received/dropped"));
        let lossless = counts.is_some_and(|line| line.contains("/0 ("));
        assert!(lossless, "the capture itself lost packets:\n{output}");
        parse(&fs::read(&self.file).expect("dumpcap wrote its file"))
    }
}

/// Reads a classic pcap file of Ethernet frames; frames that hold no IPv4 UDP are left out.
fn parse(file: &[u8]) -> Vec<Packet> {
    let u32_at = |bytes: &[u8], at: usize| {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    };
    let nanoseconds = match u32_at(file, 0) {
        0xa1b2_c3d4 => 1000,
        0xa1b2_3c4d => 1,
        other => panic!("not a little-endian pcap file: magic {other:#x}"),
    };
    assert_eq!(u32_at(file, 20), 1, "the loopback interface has Ethernet frames");
    let mut packets = Vec::new();
    let mut rest = &file[24..];
    while rest.len() >= 16 {
        let (seconds, fraction) = (u32_at(rest, 0), u32_at(rest, 4));
        let captured = u32_at(rest, 8) as usize;
        let Some(frame) = rest.get(16..16 + captured) else { break };
        let at = Duration::new(u64::from(seconds), fraction * nanoseconds);
        packets.extend(udp(frame, at));
        rest = &rest[16 + captured..];
    }
    packets
}

fn udp(frame: &[u8], at: Duration) -> Option<Packet> {
    let ip = frame.get(14..)?;
    let header = usize::from(ip.first()? & 0x0f) * 4;
    let udp = ip.get(header..)?;
    if frame[12..14] != [0x08, 0x00] || ip.get(9) != Some(&17) || udp.len() < 8 {
        return None;
    }
    let address = |at: usize, port: usize| {
        let ip = Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]);
        SocketAddrV4::new(ip, u16::from_be_bytes([udp[port], udp[port + 1]]))
    };
    let payload = udp[8..].to_vec();
    Some(Packet { at, source: address(12, 0), destination: address(16, 2), payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_out_of_its_frame() {
        let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0]);
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2]);
        frame.extend([0x27, 0x10, 0x9c, 0x40, 0, 11, 0, 0, 0x80, 0, 7]);
        file.extend([5, 0, 0, 0, 0x10, 0x27, 0, 0]);
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend(&frame);
        let packets = parse(&file);
        assert_eq!(
            packets,
            [Packet {
                at: Duration::from_millis(5010),
                source: "127.0.0.1:10000".parse().unwrap(),
                destination: "127.0.0.2:40000".parse().unwrap(),
                payload: vec![0x80, 0, 7],
            }]
        );
        assert_eq!(parse(&file[..file.len() - 1]), []);
    }
}
