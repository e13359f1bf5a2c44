//! Opus (RFC 6716) at 16 kHz or 48 kHz and in mono, by `audiopus`. Without the feature `opus` nothing is
//! encoded and nothing decoded: then no configuration and no offer leads here.

mod activity;

pub(super) use self::activity::is_silent;

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

/// Whether a packet is made of speech alone or in part (SILK), not of sound as such (CELT).
fn is_speech(payload: &[u8]) -> bool {
    payload.first().is_some_and(|head| head >> 3 < 16)
}

/// Whether one of its frames says no more than that there is silence (RFC 6716 §3.2.1).
#[cfg(any(feature = "opus", test))]
fn has_empty_frame(payload: &[u8]) -> bool {
    let Some((&head, rest)) = payload.split_first() else { return true };
    match head & 3 {
        0 => rest.len() < 2,
        1 => rest.len() < 4,
        2 => match length(rest) {
            Some((first, rest)) => first < 2 || rest.len() < first + 2,
            None => true,
        },
        _ => has_empty_of_many(rest).unwrap_or(true),
    }
}

/// The same of a packet that counts its frames; `None` if it is cut off.
#[cfg(any(feature = "opus", test))]
fn has_empty_of_many(rest: &[u8]) -> Option<bool> {
    let (&counts, mut rest) = rest.split_first()?;
    let count = usize::from(counts & 0x3f);
    let mut padding = 0;
    let mut is_padded = counts & 0x40 != 0;
    while is_padded {
        let (&more, after) = rest.split_first()?;
        rest = after;
        padding += usize::from(more.min(254));
        is_padded = more == 255;
    }
    let mut left = rest.len().checked_sub(padding)?;
    if counts & 0x80 == 0 {
        return Some(left < 2 * count);
    }
    let before = rest.len();
    let mut sum = 0;
    for _ in 1..count {
        let (frame, after) = length(rest)?;
        rest = after;
        sum += frame;
        if frame < 2 {
            return Some(true);
        }
    }
    left = left.checked_sub(before - rest.len() + sum)?;
    Some(left < 2)
}

/// The length of a frame (RFC 6716 §3.2.1), and what follows it.
#[cfg(any(feature = "opus", test))]
fn length(octets: &[u8]) -> Option<(usize, &[u8])> {
    match octets {
        [short @ 0..252, rest @ ..] => Some((usize::from(*short), rest)),
        [low, high, rest @ ..] => Some((4 * usize::from(*high) + usize::from(*low), rest)),
        _ => None,
    }
}

/// Whether a packet of one frame repeats the one before, which sounds so many steps of 48 kHz
/// (RFC 6716 §4.2.4): the bits of speech and repetition come first, of each channel.
#[cfg(any(feature = "opus", test))]
fn repeats(payload: &[u8], steps: usize) -> bool {
    let Some(&[head, bits]) = payload.first_chunk() else { return false };
    let of_all = if head & 0x04 == 0 { 0x40 } else { 0x50 };
    head & 3 == 0 && duration(payload) == steps && bits & of_all == of_all
}

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

    use super::{
        super::{ForwardCorrection, OpusSettings, OpusSilence, Rate},
        duration, has_empty_frame, is_speech, repeats,
    };

    /// `None` if there was no memory for it.
    #[derive(Debug)]
    pub(in super::super) struct Encoder(Option<coder::Encoder>);

    /// What `unsafe-libopus` 0.2.0 invents for speech that is missing is a full-scale burst, in all
    /// 20 ms of it: it compares with 0x8000 where C has -0x8000 (`silk/PLC.rs`, `silk/CNG.rs`). So it
    /// is not asked to: neither for a lost packet of speech that the next one does not repeat nor for
    /// an empty frame.
    #[derive(Debug)]
    pub(in super::super) struct Decoder {
        /// `None` if there was no memory for it.
        decoder: Option<coder::Decoder>,
        /// Steps of 48 kHz in a sample.
        steps: usize,
        /// What was decoded last was speech.
        speech: bool,
    }

    impl Encoder {
        pub(in super::super) fn new(settings: OpusSettings, rate: Rate) -> Self {
            Self(build(settings, rate).ok())
        }

        /// Encodes a frame of 20 ms; gives the number of octets, 0 if there is nothing to send.
        pub(in super::super) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
            let encoder = self.0.as_mut();
            let octets = encoder.and_then(|encoder| encoder.encode(samples, out).ok());
            // Frames of one or two octets need not be sent (RFC 7587 §3.1.3).
            octets.filter(|&octets| octets > 2).unwrap_or(0)
        }
    }

    fn build(settings: OpusSettings, rate: Rate) -> audiopus::Result<coder::Encoder> {
        let mut encoder =
            coder::Encoder::new(sample_rate(rate), Channels::Mono, Application::Voip)?;
        encoder.set_complexity(COMPLEXITY)?;
        let best = if rate == Rate::Full { FULL_BITS } else { BITS };
        let bits = settings.most_bits.unwrap_or(best).clamp(6000, best);
        encoder.set_bitrate(Bitrate::BitsPerSecond(bits as i32))?;
        if settings.forward_correction == ForwardCorrection::On {
            encoder.enable_inband_fec()?;
            encoder.set_packet_loss_perc(LOSS)?;
        }
        if settings.silence == OpusSilence::LeftOut {
            encoder.enable_dtx()?;
        }
        let bandwidth = match (settings.most_rate.unwrap_or(u32::MAX), rate) {
            (0..12_000, _) => Bandwidth::Narrowband,
            (12_000..16_000, _) => Bandwidth::Mediumband,
            (_, Rate::Narrow | Rate::Wide) => Bandwidth::Wideband,
            (0..48_000, Rate::Full) => Bandwidth::Superwideband,
            _ => Bandwidth::Fullband,
        };
        encoder.set_max_bandwidth(bandwidth)?;
        Ok(encoder)
    }

    impl Decoder {
        pub(in super::super) fn new(rate: Rate) -> Self {
            let decoder = coder::Decoder::new(sample_rate(rate), Channels::Mono).ok();
            Self { decoder, steps: 48_000 / rate.hertz() as usize, speech: false }
        }

        pub(in super::super) fn reset(&mut self) {
            self.speech = false;
            if let Some(decoder) = &mut self.decoder {
                let _none = decoder.reset_state();
            }
        }

        pub(in super::super) fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
            if (self.speech || is_speech(payload)) && has_empty_frame(payload) {
                let silence = out.len().min(duration(payload) / self.steps);
                out[..silence].fill(0);
                return silence;
            }
            self.speech = is_speech(payload);
            self.run(Some(payload), out, false)
        }

        /// Fills `out` for a lost packet, from what the next one repeats of it if that is there.
        pub(in super::super) fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) -> bool {
            let wanted = out.len();
            if !self.speech {
                return self.run(None, out, false) == wanted;
            }
            let repeated =
                next.filter(|next| is_speech(next) && repeats(next, wanted * self.steps));
            repeated.is_some() && self.run(repeated, out, true) == wanted
        }

        fn run(&mut self, payload: Option<&[u8]>, out: &mut [i16], repeated: bool) -> usize {
            let Some(decoder) = &mut self.decoder else { return 0 };
            let packet = match payload.map(Packet::try_from) {
                None => None,
                Some(Ok(packet)) => Some(packet),
                Some(Err(_)) => return 0,
            };
            let Ok(out) = MutSignals::try_from(out) else { return 0 };
            decoder.decode(packet, out, repeated).unwrap_or(0)
        }
    }

    fn sample_rate(rate: Rate) -> SampleRate {
        match rate {
            Rate::Narrow => SampleRate::Hz8000,
            Rate::Wide => SampleRate::Hz16000,
            Rate::Full => SampleRate::Hz48000,
        }
    }

    /// Bits a second: speech up to 8 kHz is as good as it gets in Opus.
    const BITS: u32 = 24_000;

    /// The same up to 20 kHz (RFC 7587 §3.1.1 has 28 to 40 kbit/s for speech, 48 to 64 for music).
    const FULL_BITS: u32 = 48_000;

    /// Half of what there is: a third of the work for speech that nobody tells from the best.
    const COMPLEXITY: u8 = 5;

    /// Per cent of loss that the repetition is made for.
    const LOSS: u8 = 10;
}

#[cfg(not(feature = "opus"))]
#[allow(clippy::needless_pass_by_ref_mut, reason = "as it is with the feature")]
mod absent {
    use super::super::{OpusSettings, Rate};

    #[derive(Debug)]
    pub(in super::super) struct Encoder;

    #[derive(Debug)]
    pub(in super::super) struct Decoder;

    impl Encoder {
        pub(in super::super) fn new(_: OpusSettings, _: Rate) -> Self {
            Self
        }

        pub(in super::super) fn encode(&mut self, _: &[i16], _: &mut [u8]) -> usize {
            0
        }
    }

    impl Decoder {
        pub(in super::super) fn new(_: Rate) -> Self {
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
    #[test]
    fn empty_frames_are_found_in_packets_of_every_form() {
        for (octets, expected) in [
            (&[0x48][..], true),
            (&[0x48, 1], true),
            (&[0x48, 1, 2], false),
            (&[0x49, 1, 2], true),
            (&[0x49, 1, 2, 3, 4], false),
            (&[0x4a, 1, 2, 3, 4], true),
            (&[0x4a, 2, 2, 3, 4], true),
            (&[0x4a, 2, 2, 3, 4, 5], false),
            (&[0x4b], true),
            (&[0x4b, 2, 1, 2, 3], true),
            (&[0x4b, 2, 1, 2, 3, 4], false),
            (&[0x4b, 0x42, 2, 1, 2, 3, 4, 0, 0], false),
            (&[0x4b, 0x42, 9, 1, 2, 3, 4, 0, 0], true),
            (&[0x4b, 0x82, 2, 1, 2, 3, 4], false),
            (&[0x4b, 0x82, 0, 1, 2, 3, 4], true),
            (&[0x4b, 0x82, 4, 1, 2, 3, 4], true),
        ] {
            assert_eq!(has_empty_frame(octets), expected, "{octets:x?}");
        }
    }

    /// Silence and a tone of which packets are lost, with repetition and without, and told to be
    /// silent: nothing is ever louder than what was said.
    #[cfg(feature = "opus")]
    #[test]
    fn what_is_missing_is_never_louder_than_what_was_said() {
        use super::super::{ForwardCorrection, OpusSettings, Rate};

        let sample = |n: usize, level: f64| (level * (n as f64 * 0.1).sin()) as i16;
        for (forward_correction, level) in [
            (ForwardCorrection::Off, 0.0),
            (ForwardCorrection::On, 0.0),
            (ForwardCorrection::Off, 4000.0),
            (ForwardCorrection::On, 4000.0),
        ] {
            let mut encoder = Encoder::new(
                OpusSettings { forward_correction, ..OpusSettings::default() },
                Rate::Wide,
            );
            let packets = (0..80).map(|frame| {
                let samples: Vec<i16> = (0..320).map(|n| sample(320 * frame + n, level)).collect();
                let mut octets = vec![0; MOST_OCTETS];
                let count = encoder.encode(&samples, &mut octets);
                octets.truncate(count);
                octets
            });
            let packets: Vec<_> = packets.collect();
            let mut decoder = Decoder::new(Rate::Wide);
            let mut repeated = 0;
            for n in 0..79 {
                let mut out = [0; 320];
                match n % 8 {
                    5 => repeated += usize::from(decoder.conceal(Some(&packets[n + 1]), &mut out)),
                    7 => _ = decoder.conceal(None, &mut out),
                    3 => _ = decoder.decode(&packets[n][..1], &mut out),
                    _ => assert_eq!(decoder.decode(&packets[n], &mut out), 320),
                }
                let loudest = out.iter().map(|it| f64::from(it.unsigned_abs())).fold(0.0, f64::max);
                assert!(loudest <= level * 1.5 + 50.0, "{forward_correction:?} {n}: {loudest}");
            }
            assert_eq!(repeated > 0, forward_correction == ForwardCorrection::On && level > 0.0);
        }
    }
}
