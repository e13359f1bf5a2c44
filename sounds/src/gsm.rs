//! GSM 06.10 full rate (ETS 300 961): 13 kbit/s, frames of 160 samples of 8 kHz in 33 octets.
//!
//! Bit-exact with the recommendation, which defines every operation on 16 and 32 bits: see
//! `arithmetic`. Octets are packed as in RTP (RFC 3551 §4.5.8) and in `.gsm` files.

mod analysis;
mod arithmetic;
pub mod microsoft;
mod prediction;
mod synthesis;

pub use self::{analysis::Encoder, synthesis::Decoder};

/// Samples of a frame: 20 ms.
pub const SAMPLES: usize = 160;

/// Octets of a frame.
pub const OCTETS: usize = 33;

/// What a frame tells: table 1.1 of the recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Frame {
    /// Log area ratios, coded.
    ratios: [i16; 8],
    subframes: [Subframe; 4],
}

/// 5 ms of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Subframe {
    /// How far back it resembles itself.
    lag: i16,
    /// How much it does, coded.
    gain: i16,
    /// Which of each three samples of the residue are sent.
    grid: i16,
    /// The greatest of them, coded.
    peak: i16,
    pulses: [i16; 13],
}

impl Frame {
    fn write(&self) -> [u8; OCTETS] {
        let mut octets = [0; OCTETS];
        let mut at = 0;
        let mut put = |value: i16, bits: usize| {
            for bit in (0..bits).rev() {
                octets[at / 8] |= ((value >> bit & 1) as u8) << (7 - at % 8);
                at += 1;
            }
        };
        put(SIGNATURE, 4);
        for (&ratio, bits) in self.ratios.iter().zip(RATIO_BITS) {
            put(ratio, bits);
        }
        for subframe in &self.subframes {
            put(subframe.lag, 7);
            put(subframe.gain, 2);
            put(subframe.grid, 2);
            put(subframe.peak, 6);
            for &pulse in &subframe.pulses {
                put(pulse, 3);
            }
        }
        octets
    }

    /// The signature is not looked at: some send another.
    fn parse(octets: &[u8; OCTETS]) -> Self {
        let mut at = 4;
        let mut take = |bits: usize| {
            (0..bits).fold(0_i16, |value, _| {
                let bit = octets[at / 8] >> (7 - at % 8) & 1;
                at += 1;
                value << 1 | i16::from(bit)
            })
        };
        let ratios = RATIO_BITS.map(&mut take);
        let subframes = std::array::from_fn(|_| Subframe {
            lag: take(7),
            gain: take(2),
            grid: take(2),
            peak: take(6),
            pulses: std::array::from_fn(|_| take(3)),
        });
        Self { ratios, subframes }
    }
}

/// What a frame begins with.
const SIGNATURE: i16 = 0xd;

/// Bits of the log area ratios.
const RATIO_BITS: [usize; 8] = [6, 6, 5, 5, 4, 4, 3, 3];

#[cfg(test)]
mod tests {
    use super::*;

    /// Something like speech, from loud to silent, without a random number that others could not
    /// make.
    fn speech(frames: usize) -> Vec<i16> {
        let mut seed = 1_u32;
        (0..frames * SAMPLES)
            .map(|n| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (seed >> 16) as i16;
                let pulse = if n % (53 + n / 4000) < 6 { 24_000 } else { -2400 };
                let loudness = [0, 4, 1, 7, 3][n / 1600 % 5];
                (pulse >> loudness) + (noise >> (4 + loudness))
            })
            .collect()
    }

    fn encode(samples: &[i16]) -> Vec<u8> {
        let mut octets = vec![0; samples.len() / SAMPLES * OCTETS];
        assert_eq!(Encoder::new().encode_into(samples, &mut octets), octets.len());
        octets
    }

    fn decode(octets: &[u8]) -> Vec<i16> {
        let mut samples = vec![0; octets.len() / OCTETS * SAMPLES];
        assert_eq!(Decoder::new().decode_into(octets, &mut samples), samples.len());
        samples
    }

    /// FNV-1a.
    fn digest(octets: impl IntoIterator<Item = u8>) -> u64 {
        octets.into_iter().fold(0xcbf2_9ce4_8422_2325, |digest, octet| {
            (digest ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    #[test]
    fn every_bit_is_that_of_the_reference() {
        // What libgsm makes of it, by `sox -r 8000 -e signed -b 16 -c 1 in.raw out.gsm` and back.
        let octets = encode(&speech(250));
        assert_eq!(digest(octets.iter().copied()), 0x5dbe_95e6_c3ee_682a);
        let samples = decode(&octets);
        assert_eq!(
            digest(samples.iter().flat_map(|sample| sample.to_le_bytes())),
            0x0934_4291_7e72_c644
        );
    }

    #[test]
    #[ignore = "runs sox and ffmpeg"]
    fn sox_and_ffmpeg_agree_where_they_are_at_hand() {
        let directory = std::env::temp_dir().join(format!("diesis-gsm-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
        let samples = speech(250);
        let raw: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(path("in.raw"), raw).unwrap();
        let ours = encode(&samples);
        std::fs::write(path("ours.gsm"), &ours).unwrap();
        let run = |program: &str, words: &str| {
            let words = words.split(' ').map(|word| match word.strip_prefix('@') {
                Some(name) => path(name),
                None => word.to_owned(),
            });
            let ran = std::process::Command::new(program).args(words).output();
            ran.is_ok_and(|ran| ran.status.success())
        };
        let heard: Vec<u8> = decode(&ours).iter().flat_map(|s| s.to_le_bytes()).collect();
        let raw = "-t raw -r 8000 -e signed -b 16 -c 1";
        if run("sox", &format!("{raw} @in.raw @theirs.gsm")) {
            assert!(std::fs::read(path("theirs.gsm")).unwrap() == ours, "sox encodes otherwise");
        }
        if run("sox", &format!("@ours.gsm {raw} @theirs.raw")) {
            assert!(std::fs::read(path("theirs.raw")).unwrap() == heard, "sox decodes otherwise");
        }
        if run("ffmpeg", "-y -f gsm -i @ours.gsm -f s16le @other.raw") {
            assert!(std::fs::read(path("other.raw")).unwrap() == heard, "ffmpeg decodes otherwise");
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn nothing_that_arrives_or_is_said_overflows() {
        let mut decoder = Decoder::new();
        let mut seed = 1_u32;
        let mut out = [0; SAMPLES];
        for round in 0..3000_u32 {
            let mut octets = [0; OCTETS];
            for octet in &mut octets {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *octet = if round % 3 == 0 { (round / 3) as u8 } else { (seed >> 24) as u8 };
            }
            assert_eq!(decoder.decode_into(&octets, &mut out), SAMPLES);
        }
        let mut encoder = Encoder::new();
        let mut octets = [0; OCTETS];
        for width in [1, 3, 20, 40, 150, 1000] {
            let square: [i16; 50 * SAMPLES] =
                std::array::from_fn(|n| if n / width % 2 == 0 { i16::MIN } else { i16::MAX });
            for samples in square.chunks(SAMPLES) {
                assert_eq!(encoder.encode_into(samples, &mut octets), OCTETS);
            }
        }
        assert_eq!(encoder.encode_into(&[0; 159], &mut octets), 0);
        assert_eq!(decoder.decode_into(&[0; 32], &mut out), 0);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let octets: Vec<u8> = encode(&speech(20));
        for octets in octets.as_chunks::<OCTETS>().0 {
            assert_eq!(Frame::parse(octets).write(), *octets);
        }
    }
}
