//! Headerless samples: `.ulaw`, `.alaw`, and signed linear `.sln` at the rate its name tells.

use crate::g711;
use crate::read::coded::{Coding, Order};

/// How a sample is stored in a headerless file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// G.711 μ-law, a byte a sample.
    Ulaw,
    /// G.711 A-law, a byte a sample.
    Alaw,
    /// Signed 16-bit, little-endian.
    Linear,
}

impl Encoding {
    /// The same for readers of anything.
    pub(crate) const fn coding(self) -> Coding {
        match self {
            Self::Ulaw => Coding::Ulaw,
            Self::Alaw => Coding::Alaw,
            Self::Linear => Coding::Signed16(Order::Little),
        }
    }
}

/// The bytes of a headerless file with these samples.
#[must_use]
pub fn write(samples: &[i16], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Ulaw => samples.iter().map(|&sample| g711::encode_ulaw(sample)).collect(),
        Encoding::Alaw => samples.iter().map(|&sample| g711::encode_alaw(sample)).collect(),
        Encoding::Linear => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::sound::Sound;

    fn parse(bytes: &[u8], encoding: Encoding, rate: u32) -> Sound {
        Format::Raw { encoding, rate }.parse(bytes).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let samples: Vec<i16> = (-2000..2000).map(|n| n * 16).collect();
        let sound = parse(&write(&samples, Encoding::Linear), Encoding::Linear, 12_000);
        assert_eq!((sound.rate, sound.samples), (12_000, samples.clone()));
        for encoding in [Encoding::Ulaw, Encoding::Alaw] {
            let once = parse(&write(&samples, encoding), encoding, 8000).samples;
            let twice = parse(&write(&once, encoding), encoding, 8000).samples;
            assert_eq!(once, twice);
            assert!(once.iter().zip(&samples).all(|(a, b)| a.abs_diff(*b) <= 512));
        }
    }

    #[test]
    fn half_a_sample_at_the_end_is_dropped() {
        assert_eq!(parse(&[1, 0, 2], Encoding::Linear, 8000).samples, [1]);
        assert_eq!(parse(&[], Encoding::Ulaw, 8000).samples, []);
    }
}
