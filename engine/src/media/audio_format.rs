//! How samples are octets for programs, whether those hear, speak or make music.

use super::Law;

/// A codec by its name in Asterisk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioFormat {
    /// `ulaw` or `alaw`: an octet a sample, 8 kHz.
    Law(Law),
    /// `slin` and its kin: two octets a sample, the low one first; so many a second.
    Linear(u32),
}

impl AudioFormat {
    /// The format of a name.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let known = ALL.iter().find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()));
        known.map(|(format, _)| *format)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(format, _)| *format == self).map_or("slin", |(_, name)| name)
    }

    /// Samples a second.
    pub fn rate(self) -> u32 {
        match self {
            Self::Law(_) => 8000,
            Self::Linear(rate) => rate,
        }
    }

    /// Octets of 20 ms of one channel.
    pub fn frame(self) -> usize {
        let samples = self.rate() as usize / 50;
        match self {
            Self::Law(_) => samples,
            Self::Linear(_) => 2 * samples,
        }
    }

    /// Samples as octets.
    pub fn encode(self, samples: &[i16]) -> Vec<u8> {
        match self {
            Self::Law(law) => {
                let mut octets = vec![0; samples.len()];
                law.encode_into(samples, &mut octets);
                octets
            }
            Self::Linear(_) => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
        }
    }

    /// Octets as samples; half a sample at the end is nothing.
    pub fn decode(self, octets: &[u8]) -> Vec<i16> {
        match self {
            Self::Law(law) => {
                let mut samples = vec![0; octets.len()];
                law.decode_into(octets, &mut samples);
                samples
            }
            Self::Linear(_) => {
                let pairs = octets.chunks_exact(2);
                pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
            }
        }
    }
}

const ALL: [(AudioFormat, &str); 11] = [
    (AudioFormat::Law(Law::Mu), "ulaw"),
    (AudioFormat::Law(Law::A), "alaw"),
    (AudioFormat::Linear(8_000), "slin"),
    (AudioFormat::Linear(12_000), "slin12"),
    (AudioFormat::Linear(16_000), "slin16"),
    (AudioFormat::Linear(24_000), "slin24"),
    (AudioFormat::Linear(32_000), "slin32"),
    (AudioFormat::Linear(44_100), "slin44"),
    (AudioFormat::Linear(48_000), "slin48"),
    (AudioFormat::Linear(96_000), "slin96"),
    (AudioFormat::Linear(192_000), "slin192"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_formats() {
        for (format, name) in ALL {
            assert_eq!(AudioFormat::parse(name.as_bytes()), Some(format));
            assert_eq!(format.name(), name);
            let octets = format.encode(&[1000; 30]);
            let back = format.decode(&octets);
            assert!(back.iter().all(|sample| (950..1050).contains(sample)), "{name}");
        }
        assert_eq!(AudioFormat::parse(b"opus"), None);
        assert_eq!(AudioFormat::parse(b"slin44").map(AudioFormat::frame), Some(1764));
    }
}
