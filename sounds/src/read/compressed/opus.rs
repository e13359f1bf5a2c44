//! Opus in files: one stream of one or two channels, or several for up to eight.
//!
//! RFC 7845 §5.1 for the header, RFC 6716 Appendix B for packets that hold several streams.

#[cfg(feature = "opus")]
pub(super) use with_libopus::Opus;
#[cfg(not(feature = "opus"))]
pub(super) use without::Opus;

/// What the header of an Opus stream says.
#[cfg(feature = "opus")]
#[derive(Debug, PartialEq, Eq)]
struct Head {
    channels: u8,
    /// Samples at 48 kHz that are decoded and not played.
    pre_skip: u16,
    /// In 1/256 dB.
    gain: i16,
    streams: u8,
    /// How many of the streams have two channels; they come first.
    coupled: u8,
    /// Which of the decoded channels each channel is; 255 is silent.
    mapping: Vec<u8>,
}

#[cfg(feature = "opus")]
impl Head {
    /// Reads it; an error says what is wrong.
    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let (Some(b"OpusHead"), Some(&fields)) =
            (bytes.first_chunk(), bytes.get(8..).and_then(|it| it.first_chunk::<11>()))
        else {
            return Err("its header is not one of Opus");
        };
        let [_, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family] = fields;
        let pre_skip = u16::from_le_bytes([skip_low, skip_high]);
        let gain = i16::from_le_bytes([gain_low, gain_high]);
        let (streams, coupled, mapping) = match family {
            0 => (1, channels.saturating_sub(1), (0..channels).collect()),
            1 => {
                let Some((&[streams, coupled], mapping)) =
                    bytes.get(19..).and_then(|it| it.split_first_chunk())
                else {
                    return Err("its header ends early");
                };
                let mapping = mapping.get(..channels.into()).ok_or("its header ends early")?;
                (streams, coupled, mapping.to_vec())
            }
            _ => return Err("its channels are mapped in a way that is not known (family over 1)"),
        };
        let decoded = u16::from(streams) + u16::from(coupled);
        let mapped = mapping.iter().all(|&it| it == 255 || u16::from(it) < decoded);
        let most = if family == 0 { 2 } else { 8 };
        if !(1..=most).contains(&channels) || streams == 0 || coupled > streams || !mapped {
            return Err("its header contradicts itself");
        }
        Ok(Self { channels, pre_skip, gain, streams, coupled, mapping })
    }

    /// What samples are multiplied with.
    fn factor(&self) -> f32 {
        10_f32.powf(f32::from(self.gain) / (20.0 * 256.0))
    }
}

/// Splits the first of several streams off a packet, in the form that a decoder takes alone.
#[cfg(feature = "opus")]
fn split<'a>(packet: &'a [u8], alone: &mut Vec<u8>) -> Option<&'a [u8]> {
    alone.clear();
    let (&toc, mut rest) = packet.split_first()?;
    alone.push(toc);
    let length = |rest: &mut &'a [u8]| -> Option<(usize, &'a [u8])> {
        let all = *rest;
        let (&first, after) = all.split_first()?;
        let (len, used) = if first < 252 {
            (usize::from(first), 1)
        } else {
            (usize::from(first) + 4 * usize::from(*after.first()?), 2)
        };
        *rest = &all[used..];
        Some((len, &all[..used]))
    };
    // All lengths but that of the last frame, which the end of a packet tells otherwise.
    let data = match toc & 3 {
        0 => length(&mut rest)?.0,
        1 => 2 * length(&mut rest)?.0,
        2 => {
            let (first, bytes) = length(&mut rest)?;
            alone.extend(bytes);
            first + length(&mut rest)?.0
        }
        _ => {
            let (&count, after) = rest.split_first()?;
            rest = after;
            alone.push(count);
            let mut padding = 0;
            if count & 0x40 != 0 {
                loop {
                    let (&byte, after) = rest.split_first()?;
                    rest = after;
                    alone.push(byte);
                    padding += if byte == 255 { 254 } else { usize::from(byte) };
                    if byte != 255 {
                        break;
                    }
                }
            }
            let frames = usize::from(count & 0x3f);
            let mut data = padding;
            if count & 0x80 == 0 {
                data += frames * length(&mut rest)?.0;
            } else {
                for frame in 0..frames {
                    let (len, bytes) = length(&mut rest)?;
                    data += len;
                    if frame + 1 < frames {
                        alone.extend(bytes);
                    }
                }
            }
            data
        }
    };
    let (data, rest) = rest.split_at_checked(data)?;
    alone.extend(data);
    Some(rest)
}

#[cfg(feature = "opus")]
mod with_libopus {
    use audiopus::coder::Decoder;
    use audiopus::{Channels, SampleRate};
    use symphonia::core::codecs::audio::AudioCodecParameters;
    use symphonia::core::errors::{Error, Result, decode_error};

    use super::super::decoder::Planes;
    use super::{Head, split};
    use crate::error::SoundError;

    /// The decoders of a stream's packets.
    pub(in super::super) struct Opus {
        head: Head,
        decoders: Vec<Decoder>,
        factor: f32,
        /// A stream of its own.
        alone: Vec<u8>,
        interleaved: Vec<f32>,
        /// What was decoded, in the order of streams; the last one is silence.
        decoded: Vec<Vec<f32>>,
    }

    impl Opus {
        /// Opus is decoded at the greatest rate, whatever was encoded.
        pub(in super::super) const RATE: u32 = 48_000;

        pub(in super::super) fn new(
            parameters: &AudioCodecParameters,
        ) -> std::result::Result<Self, SoundError> {
            let damaged =
                |reason: &str| SoundError::Damaged { what: "Opus", reason: reason.to_owned() };
            let head = Head::parse(parameters.extra_data.as_deref().unwrap_or_default());
            let head = head.map_err(damaged)?;
            let decoder = |stream: u8| {
                let channels =
                    if stream < head.coupled { Channels::Stereo } else { Channels::Mono };
                Decoder::new(SampleRate::Hz48000, channels)
                    .map_err(|error| damaged(&error.to_string()))
            };
            let decoders = (0..head.streams).map(decoder).collect::<std::result::Result<_, _>>()?;
            let factor = head.factor();
            let decoded = vec![Vec::new(); usize::from(head.streams + head.coupled) + 1];
            let (alone, interleaved) = (Vec::new(), vec![0.0; 2 * LONGEST]);
            Ok(Self { head, decoders, factor, alone, interleaved, decoded })
        }

        /// Samples that are decoded and not played.
        pub(in super::super) fn pre_skip(&self) -> u64 {
            self.head.pre_skip.into()
        }

        pub(in super::super) fn decode(&mut self, packet: &[u8]) -> Result<()> {
            self.decoded.iter_mut().for_each(Vec::clear);
            let done = self.streams(packet);
            if done.is_err() {
                self.decoded.iter_mut().for_each(Vec::clear);
            }
            done
        }

        fn streams(&mut self, mut packet: &[u8]) -> Result<()> {
            let last = self.decoders.len() - 1;
            let mut planes = self.decoded.iter_mut();
            let mut frames = None;
            for (number, decoder) in self.decoders.iter_mut().enumerate() {
                let stream = if number == last {
                    packet
                } else {
                    packet = split(packet, &mut self.alone)
                        .ok_or(Error::DecodeError("a stream of the packet is cut off"))?;
                    &self.alone
                };
                // An empty packet would be one that was lost; those of files are not.
                let stream =
                    stream.try_into().map_err(|_| Error::DecodeError("an empty packet"))?;
                let two = number < usize::from(self.head.coupled);
                let space = &mut self.interleaved[..if two { 2 * LONGEST } else { LONGEST }];
                let space = space.try_into().expect("it is not empty");
                let count = decoder
                    .decode_float(Some(stream), space, false)
                    .map_err(|_| Error::DecodeError("no packet of Opus"))?;
                if *frames.get_or_insert(count) != count {
                    return decode_error("streams of different length in a packet");
                }
                let plane = planes.next().expect("there is one for each channel");
                if two {
                    let (pairs, _) = self.interleaved[..2 * count].as_chunks::<2>();
                    plane.extend(pairs.iter().map(|[left, _]| left * self.factor));
                    let plane = planes.next().expect("there is one for each channel");
                    plane.extend(pairs.iter().map(|[_, right]| right * self.factor));
                } else {
                    plane.extend(self.interleaved[..count].iter().map(|it| it * self.factor));
                }
            }
            planes.next().expect("silence is the last").resize(frames.unwrap_or(0), 0.0);
            Ok(())
        }

        pub(in super::super) fn planes(&self) -> Planes<'_> {
            let silence = self.decoded.len() - 1;
            let plane = |&it: &u8| self.decoded[usize::from(it).min(silence)].as_slice();
            Planes::Float(self.head.mapping.iter().map(plane).collect())
        }
    }

    /// Samples of the longest packet, 120 ms.
    const LONGEST: usize = 5760;
}

#[cfg(not(feature = "opus"))]
mod without {
    use symphonia::core::codecs::audio::AudioCodecParameters;
    use symphonia::core::errors::Result;

    use super::super::decoder::Planes;
    use crate::error::SoundError;

    /// Never made: the library was built without Opus.
    pub(in super::super) enum Opus {}

    impl Opus {
        pub(in super::super) const RATE: u32 = 48_000;

        pub(in super::super) fn new(
            _: &AudioCodecParameters,
        ) -> std::result::Result<Self, SoundError> {
            Err(SoundError::UnsupportedCodec { container: "the file", codec: "Opus" })
        }

        pub(in super::super) fn pre_skip(&self) -> u64 {
            match *self {}
        }

        pub(in super::super) fn decode(&self, _: &[u8]) -> Result<()> {
            match *self {}
        }

        pub(in super::super) fn planes(&self) -> Planes<'_> {
            match *self {}
        }
    }
}
