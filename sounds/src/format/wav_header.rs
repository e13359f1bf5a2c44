//! What a WAV file begins with: the plainest header that players take.

use crate::coding::{Coding, Order};

/// The header of a WAV file, but for its sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavHeader {
    coding: Coding,
    channels: u16,
    rate: u32,
    frames: Option<u32>,
}

impl WavHeader {
    /// `None` for a coding that no WAV file is written with here: there are linear samples of 16
    /// and 24 bits, floats of 32, both laws, and pairs of GSM frames.
    #[must_use]
    pub fn new(coding: Coding, channels: u16, rate: u32) -> Option<Self> {
        Self::tag(coding)?;
        coding.holds(channels).then_some(Self { coding, channels, rate, frames: None })
    }

    /// Tells how many frames there are, where the bytes hold more: the last of a packet mean
    /// nothing then.
    #[must_use]
    pub const fn frames(self, frames: u32) -> Self {
        Self { frames: Some(frames), ..self }
    }

    /// Bytes of the header: 44 for PCM; others tell the number of their frames, too.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes(0, 0).len()
    }

    /// Format tag and bits of a sample.
    const fn tag(coding: Coding) -> Option<(u16, u16)> {
        match coding {
            Coding::Unsigned8 => Some((1, 8)),
            Coding::Signed16(Order::Little) => Some((1, 16)),
            Coding::Signed24(Order::Little) => Some((1, 24)),
            Coding::Signed32(Order::Little) => Some((1, 32)),
            Coding::Float32(Order::Little) => Some((3, 32)),
            Coding::Float64(Order::Little) => Some((3, 64)),
            Coding::Alaw => Some((6, 8)),
            Coding::Ulaw => Some((7, 8)),
            Coding::GsmPairs => Some((0x31, 0)),
            _ => None,
        }
    }

    /// The header before so many bytes of samples, and of padding behind them.
    #[must_use]
    pub fn bytes(&self, data: u32, padding: u32) -> Vec<u8> {
        let Self { coding, channels, rate, frames } = *self;
        let (tag, bits) = Self::tag(coding).unwrap_or((1, 16));
        let (block, unit) = coding.unit(channels);
        // What the format chunk says beyond its usual fields.
        let extension = match coding {
            Coding::GsmPairs => Some((unit as u16).to_le_bytes().to_vec()),
            _ => (tag != 1).then(Vec::new),
        };
        let mut format = Vec::with_capacity(20);
        format.extend(tag.to_le_bytes());
        format.extend(channels.to_le_bytes());
        format.extend(rate.to_le_bytes());
        let byte_rate = u64::from(rate) * block as u64 / unit as u64;
        format.extend(u32::try_from(byte_rate).unwrap_or(u32::MAX).to_le_bytes());
        format.extend((block as u16).to_le_bytes());
        format.extend(bits.to_le_bytes());
        let mut chunks = Vec::with_capacity(LONGEST);
        chunks.extend(b"WAVEfmt ");
        if let Some(extension) = &extension {
            format.extend((extension.len() as u16).to_le_bytes());
            format.extend(extension);
        }
        chunks.extend((format.len() as u32).to_le_bytes());
        chunks.extend(format);
        if extension.is_some() {
            chunks.extend(b"fact\x04\0\0\0");
            let all = coding.frames(data.into(), channels);
            let frames = frames.unwrap_or_else(|| u32::try_from(all).unwrap_or(u32::MAX));
            chunks.extend(frames.to_le_bytes());
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
            let header = WavHeader::new(Coding::LINEAR, channels, 8000).unwrap();
            assert_eq!(header.bytes(640, 0), theirs.get_ref()[..header.length()]);
        }
    }

    #[test]
    fn lengths_are_those_of_the_formats() {
        let length = |coding| WavHeader::new(coding, 1, 8000).unwrap().length();
        assert_eq!(length(Coding::Signed24(Order::Little)), 44);
        assert_eq!(length(Coding::Float32(Order::Little)), 58);
        assert_eq!(length(Coding::Ulaw), 58);
        assert_eq!(length(Coding::GsmPairs), LONGEST);
        assert_eq!(WavHeader::new(Coding::GsmPairs, 2, 8000), None);
        assert_eq!(WavHeader::new(Coding::Signed16(Order::Big), 1, 8000), None);
    }
}
