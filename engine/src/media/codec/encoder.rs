//! Turns a stream's sound into payloads, for codecs that keep state or are not G.711.

use diesis_sounds::{g722, gsm, halfband::Upsampler};

use super::{Codec, Law, OpusSettings, Rate, Samples, opus};
use crate::media::{FRAME, WIDE_FRAME};

/// The encoder of one stream, or of all who hear the same in a room.
#[derive(Debug)]
pub(crate) struct Encoder {
    codec: Codec,
    opus: OpusSettings,
    state: State,
    upsampler: Upsampler,
    /// The payload made last; its memory is kept.
    payload: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Law(Law),
    G722(Box<g722::Encoder>),
    Gsm(Box<gsm::Encoder>),
    L16,
    Opus(opus::Encoder),
}

impl Encoder {
    /// `opus` is what the peer wants, if that is the codec.
    pub(crate) fn new(codec: Codec, opus: OpusSettings) -> Self {
        let state = match codec {
            Codec::Pcmu => State::Law(Law::Mu),
            Codec::Pcma => State::Law(Law::A),
            Codec::G722 => State::G722(Box::default()),
            Codec::Gsm => State::Gsm(Box::default()),
            Codec::L16 | Codec::L16Wide => State::L16,
            Codec::Opus => State::Opus(opus::Encoder::new(opus)),
        };
        let payload = Vec::with_capacity(codec.frame_octets());
        Self { codec, opus, state, upsampler: Upsampler::new(), payload }
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Whether it encodes what a peer of such settings takes.
    pub(crate) fn fits(&self, codec: Codec, opus: OpusSettings) -> bool {
        self.codec == codec && (codec != Codec::Opus || self.opus == opus)
    }

    /// The payload made last.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Encodes the next 20 ms. A wide codec takes both; a narrow one is given narrow sound: what
    /// it may be of a wide one is left to who has it in both. Nothing comes of silence that is not to
    /// be sent.
    pub(crate) fn encode(&mut self, samples: Samples<'_>) -> &[u8] {
        let mut wide = [0; WIDE_FRAME];
        let samples: &[i16] = match (samples, self.codec.rate()) {
            (Samples::Narrow(narrow), Rate::Narrow) => narrow,
            (Samples::Narrow(narrow), Rate::Wide) => {
                self.upsampler.process(narrow, &mut wide);
                &wide
            }
            (Samples::Wide(wide), Rate::Wide) => wide,
            (Samples::Wide(_), Rate::Narrow) => {
                debug_assert!(false, "{:?} is given wide sound", self.codec);
                &wide[..FRAME]
            }
        };
        self.payload.clear();
        self.payload.resize(self.codec.frame_octets(), 0);
        match &mut self.state {
            State::Law(law) => {
                law.encode_into(samples, &mut self.payload);
            }
            State::G722(encoder) => {
                encoder.encode_into(samples, &mut self.payload);
            }
            State::Gsm(encoder) => {
                encoder.encode_into(samples, &mut self.payload);
            }
            State::L16 => {
                for (pair, sample) in self.payload.as_chunks_mut().0.iter_mut().zip(samples) {
                    *pair = sample.to_be_bytes();
                }
            }
            State::Opus(encoder) => {
                let octets = encoder.encode(samples, &mut self.payload);
                self.payload.truncate(octets);
            }
        }
        &self.payload
    }
}
