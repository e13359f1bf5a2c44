//! The audio encodings of a stream: what they are called, how they are clocked, what they cost.
//!
//! G.711 keeps no state: frames are shared between calls and looked up ([`Law`]). All others are
//! an [`Encoder`](encoder::Encoder) and a [`Decoder`](decoder::Decoder) for each stream that needs
//! one. Algorithms and tables are those of `diesis_sounds`.

pub(crate) mod decoder;
pub(crate) mod encoder;
mod opus;

use diesis_sounds::{g711, g722, gsm};

use super::{FRAME, FULL_FRAME, PayloadType, WIDE_FRAME};

/// An audio encoding of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s: sound up to 7 kHz.
    G722,
    /// Plain samples of 8 kHz, big-endian (RFC 3551 §4.5.11).
    L16,
    /// Plain samples of 16 kHz, big-endian.
    L16Wide,
    /// GSM 06.10 full rate: 13 kbit/s.
    Gsm,
    /// Plain samples of 48 kHz, big-endian.
    L16Full,
    /// Opus (RFC 6716, RFC 7587), here in mono.
    Opus,
}

/// What a peer says of the Opus it wants and sends (RFC 7587 §6.1). What it says of stereo
/// (`stereo`, `sprop-stereo`) does not matter: we send mono, which every decoder can play on two
/// sides, and what comes in stereo is decoded to mono.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OpusSettings {
    /// It can use redundancy in the packet after a lost one. Default: it can not.
    pub forward_correction: ForwardCorrection,
    /// It wants silence not to be sent. Default: it is sent.
    pub silence: OpusSilence,
    /// Bits a second that it takes at most.
    pub most_bits: Option<u32>,
    /// The highest rate that it can make heard (`maxplaybackrate`).
    pub most_rate: Option<u32>,
    /// The highest rate of what it says (`sprop-maxcapturerate`).
    pub most_said: Option<u32>,
}

/// Whether packets hold what was said in the one before once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ForwardCorrection {
    /// They do not.
    #[default]
    Off,
    /// They do.
    On,
}

/// What becomes of silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OpusSilence {
    /// It is sent like anything else.
    #[default]
    Sent,
    /// It is left out.
    LeftOut,
}

/// How many samples a second a sound has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Rate {
    /// 8 kHz: up to 4 kHz can be heard.
    #[default]
    Narrow,
    /// 16 kHz: up to 8 kHz can be heard.
    Wide,
    /// 48 kHz: all that people hear.
    Full,
}

/// One of the two encodings of G.711.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// µ-law.
    Mu,
    /// A-law.
    A,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 8] = [
        Self::Pcmu,
        Self::Pcma,
        Self::G722,
        Self::L16,
        Self::L16Wide,
        Self::L16Full,
        Self::Gsm,
        Self::Opus,
    ];

    /// Which of G.711's two it is, if it is one.
    #[inline]
    pub const fn law(self) -> Option<Law> {
        match self {
            Self::Pcmu => Some(Law::Mu),
            Self::Pcma => Some(Law::A),
            _ => None,
        }
    }

    /// The rate of the sound it carries, at most.
    #[inline]
    pub const fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma | Self::L16 | Self::Gsm => Rate::Narrow,
            Self::G722 | Self::L16Wide => Rate::Wide,
            Self::L16Full | Self::Opus => Rate::Full,
        }
    }

    /// The encoding name of an `rtpmap` (RFC 3551 §6).
    pub const fn encoding(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::L16 | Self::L16Wide | Self::L16Full => "L16",
            Self::Gsm => "GSM",
            Self::Opus => "opus",
        }
    }

    /// What Asterisk's settings and `CHANNEL()` call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "ulaw",
            Self::Pcma => "alaw",
            Self::G722 => "g722",
            Self::L16 => "slin",
            Self::L16Wide => "slin16",
            Self::L16Full => "slin48",
            Self::Gsm => "gsm",
            Self::Opus => "opus",
        }
    }

    /// Steps of the RTP clock in a second.
    pub const fn clock(self) -> u32 {
        match self {
            // RFC 3551 §4.5.2: G.722's is 8000 by an error that was kept.
            Self::Pcmu | Self::Pcma | Self::G722 | Self::L16 | Self::Gsm => 8000,
            Self::L16Wide => 16_000,
            Self::L16Full | Self::Opus => 48_000,
        }
    }

    /// The channels of an `rtpmap`.
    pub const fn channels(self) -> u32 {
        // RFC 7587 §7: always 2, however many are sent.
        if matches!(self, Self::Opus) { 2 } else { 1 }
    }

    /// The payload type that needs no `rtpmap` (RFC 3551 §6).
    pub const fn static_payload_type(self) -> Option<PayloadType> {
        match self {
            Self::Pcmu => Some(PayloadType::PCMU),
            Self::Pcma => Some(PayloadType::PCMA),
            Self::G722 => Some(PayloadType::G722),
            Self::Gsm => Some(PayloadType::GSM),
            Self::L16 | Self::L16Wide | Self::L16Full | Self::Opus => None,
        }
    }

    /// Steps of the RTP clock in 8 kHz samples' time.
    #[inline]
    pub(crate) const fn scale(self) -> u32 {
        self.clock() / 8000
    }

    /// Steps of the RTP clock in a frame of 20 ms.
    #[inline]
    pub(crate) const fn frame_time(self) -> u32 {
        self.clock() / 50
    }

    /// Octets of a frame of 20 ms, at most.
    pub(crate) const fn frame_octets(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma => FRAME,
            Self::G722 => WIDE_FRAME / g722::SAMPLES_PER_OCTET,
            Self::L16 => 2 * FRAME,
            Self::L16Wide => 2 * WIDE_FRAME,
            Self::L16Full => 2 * FULL_FRAME,
            Self::Gsm => gsm::OCTETS,
            Self::Opus => opus::MOST_OCTETS,
        }
    }

    /// How long a payload sounds, in steps of the RTP clock.
    #[inline]
    pub(crate) fn duration(self, payload: &[u8]) -> usize {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => payload.len(),
            Self::L16 | Self::L16Wide | Self::L16Full => payload.len() / 2,
            Self::Gsm => payload.len() / gsm::OCTETS * gsm::SAMPLES,
            Self::Opus => opus::duration(payload),
        }
    }

    /// Whether a payload says of itself, before it is decoded, that nobody speaks in it.
    pub(crate) fn is_silent(self, payload: &[u8]) -> bool {
        self == Self::Opus && opus::is_silent(payload)
    }
}

impl OpusSettings {
    /// The rate of what its peer can make heard.
    pub(crate) fn heard(self) -> Rate {
        opus_rate(self.most_rate)
    }

    /// The rate of what its peer says.
    pub(crate) fn said(self) -> Rate {
        opus_rate(self.most_said)
    }
}

/// Opus is handled at 16 kHz at least: less would not be cheaper.
fn opus_rate(most: Option<u32>) -> Rate {
    if most.is_some_and(|most| most <= 16_000) { Rate::Wide } else { Rate::Full }
}

impl Rate {
    /// Samples of a frame of 20 ms.
    #[inline]
    pub const fn frame(self) -> usize {
        match self {
            Self::Narrow => FRAME,
            Self::Wide => WIDE_FRAME,
            Self::Full => FULL_FRAME,
        }
    }

    /// Samples a second.
    pub const fn hertz(self) -> u32 {
        self.frame() as u32 * 50
    }

    /// How many times 8 kHz it is.
    #[inline]
    pub(crate) const fn scale(self) -> usize {
        self.frame() / FRAME
    }
}

impl Law {
    /// The byte both ends hear as silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => g711::ULAW_SILENCE,
            Self::A => g711::ALAW_SILENCE,
        }
    }

    /// Encodes as many samples as both slices hold; returns that number.
    #[inline]
    pub fn encode_into(self, samples: &[i16], out: &mut [u8]) -> usize {
        match self {
            Self::Mu => g711::encode_ulaw_into(samples, out),
            Self::A => g711::encode_alaw_into(samples, out),
        }
    }

    /// Decodes as many bytes as both slices hold; returns that number.
    #[inline]
    pub fn decode_into(self, bytes: &[u8], out: &mut [i16]) -> usize {
        match self {
            Self::Mu => g711::decode_ulaw_into(bytes, out),
            Self::A => g711::decode_alaw_into(bytes, out),
        }
    }
}
