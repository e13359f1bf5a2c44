//! What a WAV file begins with: the plainest header that players take.

use crate::gsm::{self, microsoft};

/// How the samples of a WAV file are stored, among those that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WavEncoding {
    /// Two's complement of so many bits: 16 or 24.
    Signed(u16),
    /// IEEE 754 single precision.
    Float32,
    /// G.711 A-law.
    Alaw,
    /// G.711 µ-law.
    Ulaw,
    /// Pairs of frames of GSM 06.10, one channel of 8 kHz.
    GsmPairs,
}

/// The header of a WAV file, but for its sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavHeader {
    /// How the samples are stored.
    pub encoding: WavEncoding,
    /// Samples a frame.
    pub channels: u16,
    /// Frames a second.
    pub rate: u32,
}

impl WavHeader {
    /// Bytes of the header: 44 for PCM; others tell the number of their frames, too.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes(0, 0).len()
    }

    /// The header before so many bytes of samples, and of padding behind them.
    #[must_use]
    pub fn bytes(&self, data: u32, padding: u32) -> Vec<u8> {
        let Self { encoding, channels, rate } = *self;
        let pairs = (2 * gsm::SAMPLES) as u32;
        // Format tag, bits of a sample, bytes and frames of a block, and what the format chunk says
        // beyond them.
        let (tag, bits, extension): (u16, u16, Option<&[u8]>) = match encoding {
            WavEncoding::Signed(bits) => (1, bits, None),
            WavEncoding::Float32 => (3, 32, Some(&[])),
            WavEncoding::Alaw => (6, 8, Some(&[])),
            WavEncoding::Ulaw => (7, 8, Some(&[])),
            WavEncoding::GsmPairs => (0x31, 0, Some(&[(pairs & 0xff) as u8, (pairs >> 8) as u8])),
        };
        let (block, frames) = match encoding {
            WavEncoding::GsmPairs => (microsoft::PAIR_OCTETS as u16, pairs),
            _ => (bits / 8 * channels, 1),
        };
        let mut format = Vec::with_capacity(20);
        format.extend(tag.to_le_bytes());
        format.extend(channels.to_le_bytes());
        format.extend(rate.to_le_bytes());
        format.extend((rate * u32::from(block) / frames).to_le_bytes());
        format.extend(block.to_le_bytes());
        format.extend(bits.to_le_bytes());
        let mut chunks = Vec::with_capacity(LONGEST);
        chunks.extend(b"WAVEfmt ");
        if let Some(extension) = extension {
            format.extend((extension.len() as u16).to_le_bytes());
            format.extend(extension);
        }
        chunks.extend((format.len() as u32).to_le_bytes());
        chunks.extend(format);
        if extension.is_some() {
            chunks.extend(b"fact\x04\0\0\0");
            chunks.extend((data / u32::from(block)).saturating_mul(frames).to_le_bytes());
        }
        chunks.extend(b"data");
        chunks.extend(data.to_le_bytes());
        let mut header = b"RIFF".to_vec();
        header.extend((chunks.len() as u32 + padding).saturating_add(data).to_le_bytes());
        header.extend(chunks);
        header
    }
}

/// Bytes of the longest header.
const LONGEST: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_that_of_hound() {
        for channels in [1, 2] {
            let mut theirs = std::io::Cursor::new(Vec::new());
            let spec = hound::WavSpec {
                channels,
                sample_rate: 8000,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let mut writer = hound::WavWriter::new(&mut theirs, spec).unwrap();
            (0..320).for_each(|_| writer.write_sample(0_i16).unwrap());
            writer.finalize().unwrap();
            let header = WavHeader { encoding: WavEncoding::Signed(16), channels, rate: 8000 };
            assert_eq!(header.bytes(640, 0), theirs.get_ref()[..header.length()]);
        }
    }

    #[test]
    fn lengths_are_those_of_the_formats() {
        let length = |encoding| WavHeader { encoding, channels: 1, rate: 8000 }.length();
        assert_eq!(length(WavEncoding::Signed(24)), 44);
        assert_eq!(length(WavEncoding::Float32), 58);
        assert_eq!(length(WavEncoding::Ulaw), 58);
        assert_eq!(length(WavEncoding::GsmPairs), LONGEST);
    }
}
