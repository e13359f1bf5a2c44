//! Turns a stream's sound into payloads, for codecs that keep state or are not G.711.

use diesis_sounds::{g722, gsm};

use super::{Codec, Law, OpusSettings, Rate, opus};
use crate::media::sound::{Samples, Space, Widener};

/// The encoder of one stream, or of all who hear the same in a room.
#[derive(Debug)]
pub(crate) struct Encoder {
    codec: Codec,
    opus: OpusSettings,
    rate: Rate,
    state: State,
    widener: Widener,
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
    /// `opus` is what the peer wants, if that is the codec; then as much is encoded as `rate` holds and
    /// the peer hears.
    pub(crate) fn new(codec: Codec, opus: OpusSettings, rate: Rate) -> Self {
        let rate = rate_of(codec, opus, rate);
        let state = match codec {
            Codec::Pcmu => State::Law(Law::Mu),
            Codec::Pcma => State::Law(Law::A),
            Codec::G722 => State::G722(Box::default()),
            Codec::Gsm => State::Gsm(Box::default()),
            Codec::L16 | Codec::L16Wide | Codec::L16Full => State::L16,
            Codec::Opus => State::Opus(opus::Encoder::new(opus, rate)),
        };
        let payload = Vec::with_capacity(codec.frame_octets());
        Self { codec, opus, rate, state, widener: Widener::default(), payload }
    }

    /// Of what it encodes.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether it encodes what [`Encoder::new`] would be asked to.
    pub(crate) fn is_for(&self, codec: Codec, opus: OpusSettings, rate: Rate) -> bool {
        self.fits(codec, opus) && self.rate == rate_of(codec, opus, rate)
    }

    /// Whether it encodes what a peer of such settings takes.
    pub(crate) fn fits(&self, codec: Codec, opus: OpusSettings) -> bool {
        self.codec == codec && (codec != Codec::Opus || self.opus == opus)
    }

    /// The payload made last.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Encodes the next 20 ms. What is of a lower rate than its own is brought there; none is of a
    /// higher one: that is left to who has it in both. Nothing comes of silence that is not to be sent.
    pub(crate) fn encode(&mut self, samples: Samples<'_>) -> &[u8] {
        let Self { widener, rate, .. } = self;
        let mut space;
        let samples: &[i16] = match (samples, *rate) {
            (Samples::Narrow(narrow), Rate::Wide) => {
                space = Space::new();
                widener.widen(narrow, &mut space.wide);
                &space.wide
            }
            (Samples::Narrow(narrow), Rate::Full) => {
                space = Space::new();
                widener.widen(narrow, &mut space.wide);
                widener.widen_fully(&space.wide, &mut space.full);
                &space.full
            }
            (Samples::Wide(wide), Rate::Full) => {
                space = Space::new();
                widener.widen_fully(wide, &mut space.full);
                &space.full
            }
            (samples, rate) => {
                debug_assert!(samples.as_slice().len() == rate.frame(), "{:?}", self.codec);
                samples.as_slice()
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

/// Opus is encoded at the rate that is wanted, all others at their own.
fn rate_of(codec: Codec, opus: OpusSettings, rate: Rate) -> Rate {
    match codec {
        Codec::Opus => rate.max(Rate::Wide).min(opus.heard()),
        _ => codec.rate(),
    }
}
