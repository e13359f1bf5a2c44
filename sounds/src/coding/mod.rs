//! How samples are stored, one by one or in packets: what readers, writers, the names of files and
//! the recorder have in common.

mod decoder;
mod dialogic;
mod encoder;
mod ima;
mod microsoft;
pub(crate) mod samples;

pub use self::decoder::Decoder;
pub use self::encoder::Encoder;
pub(crate) use self::microsoft::COEFFICIENTS as STANDARD_COEFFICIENTS;
use crate::gsm::{self, microsoft as pairs};

/// Which byte of a sample comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The least significant: RIFF.
    Little,
    /// The most significant: AIFF, AU.
    Big,
}

impl Order {
    /// A number of 16 bits.
    #[must_use]
    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// A number of 32 bits.
    #[must_use]
    pub fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// A number of 64 bits.
    #[must_use]
    pub fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }
}

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Offset binary in one byte.
    Unsigned8,
    /// Two's complement in one byte.
    Signed8,
    /// Two's complement of 16 bits.
    Signed16(Order),
    /// Two's complement of 24 bits in three bytes.
    Signed24(Order),
    /// Two's complement of 32 bits, or fewer bits at its upper end.
    Signed32(Order),
    /// IEEE 754 single precision, full scale is 1.
    Float32(Order),
    /// IEEE 754 double precision, full scale is 1.
    Float64(Order),
    /// G.711 µ-law.
    Ulaw,
    /// G.711 A-law.
    Alaw,
    /// Frames of GSM 06.10, one after the other; one channel.
    Gsm,
    /// Pairs of them, as they lie in WAV files; one channel.
    GsmPairs,
    /// G.722 at 64 kbit/s, two samples in a byte; one channel.
    G722,
    /// Dialogic ADPCM, two samples in a byte; one channel.
    Dialogic,
    /// IMA ADPCM in blocks of so many bytes, as they lie in WAV files.
    ImaBlocks(u16),
    /// IMA ADPCM in packets of 64 samples, as they lie in AIFF-C files.
    ImaPackets,
    /// Microsoft ADPCM in blocks of so many bytes; at most two channels.
    MicrosoftBlocks(u16),
}

impl Coding {
    /// What most files have: 16 bits, the least significant byte first.
    pub const LINEAR: Self = Self::Signed16(Order::Little);

    /// Bytes that are decoded together, and the frames in them.
    #[must_use]
    pub fn unit(self, channels: u16) -> (usize, usize) {
        let width = usize::from(channels);
        match self {
            Self::Unsigned8 | Self::Signed8 | Self::Ulaw | Self::Alaw => (width, 1),
            Self::Signed16(_) => (2 * width, 1),
            Self::Signed24(_) => (3 * width, 1),
            Self::Signed32(_) | Self::Float32(_) => (4 * width, 1),
            Self::Float64(_) => (8 * width, 1),
            Self::Gsm => (gsm::OCTETS, gsm::SAMPLES),
            Self::GsmPairs => (pairs::PAIR_OCTETS, 2 * gsm::SAMPLES),
            Self::G722 | Self::Dialogic => (1, 2),
            Self::ImaBlocks(bytes) => (bytes.into(), ima::block_frames(bytes.into(), width)),
            Self::ImaPackets => (ima::PACKET * width, ima::PACKET_SAMPLES),
            Self::MicrosoftBlocks(bytes) => {
                (bytes.into(), microsoft::block_frames(bytes.into(), width))
            }
        }
    }

    /// The frames in so many bytes: a block that is cut off holds some, too.
    #[must_use]
    pub fn frames(self, bytes: u64, channels: u16) -> u64 {
        let (unit, frames) = self.unit(channels);
        let (unit, frames) = (unit.max(1) as u64, frames as u64);
        let rest = (bytes % unit) as usize;
        let partial = match self {
            Self::ImaBlocks(_) => ima::block_frames(rest, channels.into()),
            Self::MicrosoftBlocks(_) => microsoft::block_frames(rest, channels.into()),
            _ => 0,
        };
        (bytes / unit).saturating_mul(frames).saturating_add(partial as u64)
    }

    /// Whether so many channels can be stored so; more than 1024 are those of a damaged header.
    #[must_use]
    pub fn holds(self, channels: u16) -> bool {
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return false;
        }
        match self {
            Self::Gsm | Self::GsmPairs | Self::G722 | Self::Dialogic => channels == 1,
            Self::ImaBlocks(_) => self.unit(channels).1 > 0,
            Self::MicrosoftBlocks(_) => channels <= 2 && self.unit(channels).1 > 0,
            _ => true,
        }
    }

    /// Samples a second, where there is but one rate.
    #[must_use]
    pub const fn rate(self) -> Option<u32> {
        match self {
            Self::Gsm | Self::GsmPairs => Some(8000),
            Self::G722 => Some(16_000),
            _ => None,
        }
    }

    /// How many bits a linear sample needs to be the same again; more than 24 do not come through.
    #[must_use]
    pub const fn precision(self) -> u32 {
        match self {
            Self::Unsigned8 | Self::Signed8 => 8,
            // The tables of G.711 have 14 and 13 bits, left-justified in 16; all that predicts
            // gives 16.
            Self::Signed16(_)
            | Self::Ulaw
            | Self::Alaw
            | Self::Gsm
            | Self::GsmPairs
            | Self::G722
            | Self::Dialogic
            | Self::ImaBlocks(_)
            | Self::ImaPackets
            | Self::MicrosoftBlocks(_) => 16,
            Self::Signed24(_) => 24,
            Self::Signed32(_) | Self::Float32(_) | Self::Float64(_) => 32,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsigned8 => "8-bit unsigned PCM",
            Self::Signed8 => "8-bit signed PCM",
            Self::Signed16(_) => "16-bit PCM",
            Self::Signed24(_) => "24-bit PCM",
            Self::Signed32(_) => "32-bit PCM",
            Self::Float32(_) => "32-bit float",
            Self::Float64(_) => "64-bit float",
            Self::Ulaw => "G.711 \u{3bc}-law",
            Self::Alaw => "G.711 A-law",
            Self::Gsm | Self::GsmPairs => "GSM 06.10",
            Self::G722 => "G.722",
            Self::Dialogic => "Dialogic ADPCM",
            Self::ImaBlocks(_) | Self::ImaPackets => "IMA ADPCM",
            Self::MicrosoftBlocks(_) => "Microsoft ADPCM",
        }
    }
}

/// More than any sound has.
const MAX_CHANNELS: u16 = 1024;
