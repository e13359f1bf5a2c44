//! Opus (RFC 6716) at 16 kHz and in mono, by `audiopus`. Without the feature `opus` nothing is
//! encoded and nothing decoded: then no configuration and no offer leads here.

/// Octets of one frame at most: far more than the bits a second chosen here need.
pub(super) const MOST_OCTETS: usize = 400;

/// How long a packet sounds, in samples of 48 kHz (RFC 6716 §3.1); 0 if it is none.
pub(super) fn duration(payload: &[u8]) -> usize {
    let Some(&head) = payload.first() else { return 0 };
    let config = usize::from(head >> 3);
    let frame = match config {
        // SILK: 10, 20, 40, 60 ms.
        0..12 => [480, 960, 1920, 2880][config % 4],
        // Both: 10, 20 ms.
        12..16 => [480, 960][config % 2],
        // CELT: 2.5, 5, 10, 20 ms.
        _ => [120, 240, 480, 960][config % 4],
    };
    let frames = match head & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => payload.get(1).map_or(0, |count| usize::from(count & 0x3f)),
    };
    if frame * frames > LONGEST { 0 } else { frame * frames }
}

/// 120 ms (RFC 6716 §3.2.5).
const LONGEST: usize = 5760;

#[cfg(feature = "opus")]
pub(super) use self::present::{Decoder, Encoder};

#[cfg(not(feature = "opus"))]
pub(super) use self::absent::{Decoder, Encoder};

#[cfg(feature = "opus")]
mod present {
    use audiopus::{
        Application, Bandwidth, Bitrate, Channels, MutSignals, SampleRate,
        coder::{self, GenericCtl},
        packet::Packet,
    };

    use super::super::{ForwardCorrection, OpusSettings, OpusSilence};

    /// `None` if there was no memory for it.
    #[derive(Debug)]
    pub(in super::super) struct Encoder(Option<coder::Encoder>);

    /// `None` if there was no memory for it.
    #[derive(Debug)]
    pub(in super::super) struct Decoder(Option<coder::Decoder>);

    impl Encoder {
        pub(in super::super) fn new(settings: OpusSettings) -> Self {
            Self(build(settings).ok())
        }

        /// Encodes a frame of 20 ms; gives the number of octets, 0 if there is nothing to send.
        pub(in super::super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
            let encoder = self.0.as_mut();
            let octets = encoder.and_then(|encoder| encoder.encode(samples, out).ok());
            // Frames of one or two octets need not be sent (RFC 7587 §3.1.3).
            octets.filter(|&octets| octets > 2).unwrap_or(0)
        }
    }

    fn build(settings: OpusSettings) -> audiopus::Result<coder::Encoder> {
        let mut encoder =
            coder::Encoder::new(SampleRate::Hz16000, Channels::Mono, Application::Voip)?;
        encoder.set_complexity(COMPLEXITY)?;
        let bits = settings.most_bits.unwrap_or(BITS).clamp(6000, BITS);
        encoder.set_bitrate(Bitrate::BitsPerSecond(bits as i32))?;
        if settings.forward_correction == ForwardCorrection::On {
            encoder.enable_inband_fec()?;
            encoder.set_packet_loss_perc(LOSS)?;
        }
        if settings.silence == OpusSilence::LeftOut {
            encoder.enable_dtx()?;
        }
        let bandwidth = match settings.most_rate.unwrap_or(u32::MAX) {
            0..12_000 => Bandwidth::Narrowband,
            12_000..16_000 => Bandwidth::Mediumband,
            _ => Bandwidth::Wideband,
        };
        encoder.set_max_bandwidth(bandwidth)?;
        Ok(encoder)
    }

    impl Decoder {
        pub(in super::super) fn new() -> Self {
            Self(coder::Decoder::new(SampleRate::Hz16000, Channels::Mono).ok())
        }

        pub(in super::super) fn reset(&mut self) {
            if let Some(decoder) = &mut self.0 {
                let _none = decoder.reset_state();
            }
        }

        pub(in super::super) fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
            self.run(Some(payload), out, false)
        }

        /// Fills `out` for a lost packet, from what the next one repeats of it if that is there.
        pub(in super::super) fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) -> bool {
            let wanted = out.len();
            self.run(next, out, next.is_some()) == wanted
        }

        fn run(&mut self, payload: Option<&[u8]>, out: &mut [i16], repeated: bool) -> usize {
            let Some(decoder) = &mut self.0 else { return 0 };
            let packet = match payload.map(Packet::try_from) {
                None => None,
                Some(Ok(packet)) => Some(packet),
                Some(Err(_)) => return 0,
            };
            let Ok(out) = MutSignals::try_from(out) else { return 0 };
            decoder.decode(packet, out, repeated).unwrap_or(0)
        }
    }

    /// Bits a second: speech up to 8 kHz is as good as it gets in Opus.
    const BITS: u32 = 24_000;

    /// Half of what there is: a third of the work for speech that nobody tells from the best.
    const COMPLEXITY: u8 = 5;

    /// Per cent of loss that the repetition is made for.
    const LOSS: u8 = 10;
}

#[cfg(not(feature = "opus"))]
#[allow(clippy::needless_pass_by_ref_mut, reason = "as it is with the feature")]
mod absent {
    use super::super::OpusSettings;

    #[derive(Debug)]
    pub(in super::super) struct Encoder;

    #[derive(Debug)]
    pub(in super::super) struct Decoder;

    impl Encoder {
        pub(in super::super) fn new(_: OpusSettings) -> Self {
            Self
        }

        pub(in super::super) fn encode(&mut self, _: &[i16], _: &mut [u8]) -> usize {
            0
        }
    }

    impl Decoder {
        pub(in super::super) fn new() -> Self {
            Self
        }

        pub(in super::super) fn reset(&mut self) {}

        pub(in super::super) fn decode(&mut self, _: &[u8], _: &mut [i16]) -> usize {
            0
        }

        pub(in super::super) fn conceal(&mut self, _: Option<&[u8]>, _: &mut [i16]) -> bool {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_octets_tell_how_long_a_packet_sounds() {
        for (octets, expected) in [
            (&[][..], 0),
            (&[0x08][..], 960),
            (&[0x18, 1], 2880),
            (&[0x19, 1], 5760),
            (&[0x1b, 3], 0),
            (&[0x0b, 2], 1920),
            (&[0x0b], 0),
            (&[0xfc, 9], 960),
            (&[0xe0], 120),
            (&[0x7c], 960),
        ] {
            assert_eq!(duration(octets), expected, "{octets:x?}");
        }
    }
}
