//! Turns the payloads of one source into sound, in the order in which they were made.

use diesis_sounds::{g722, gsm};

use super::{Codec, Law, Rate, opus};

/// The decoder of one received stream.
#[derive(Debug)]
pub(crate) struct Decoder {
    codec: Codec,
    rate: Rate,
    state: State,
}

#[derive(Debug)]
enum State {
    Law(Law),
    G722(Box<g722::Decoder>),
    Gsm(Box<gsm::Decoder>),
    L16,
    Opus(opus::Decoder),
}

impl Decoder {
    /// Of Opus as much is decoded as `rate` holds.
    pub(crate) fn new(codec: Codec, rate: Rate) -> Self {
        let rate = Self::rate_of(codec, rate);
        let state = match codec {
            Codec::Pcmu => State::Law(Law::Mu),
            Codec::Pcma => State::Law(Law::A),
            Codec::G722 => State::G722(Box::default()),
            Codec::Gsm => State::Gsm(Box::default()),
            Codec::L16 | Codec::L16Wide | Codec::L16Full => State::L16,
            Codec::Opus => State::Opus(opus::Decoder::new(rate)),
        };
        Self { codec, rate, state }
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Of what one would make.
    pub(crate) fn rate_of(codec: Codec, rate: Rate) -> Rate {
        if codec == Codec::Opus { rate.max(Rate::Wide) } else { codec.rate() }
    }

    /// Of what it makes.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Another source begins.
    pub(crate) fn reset(&mut self) {
        match &mut self.state {
            State::Law(_) | State::L16 => {}
            State::G722(decoder) => **decoder = g722::Decoder::new(),
            State::Gsm(decoder) => **decoder = gsm::Decoder::new(),
            State::Opus(decoder) => decoder.reset(),
        }
    }

    /// Decodes one payload at its rate, as much as there is room for; gives the number of
    /// samples.
    pub(crate) fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match &mut self.state {
            State::Law(law) => law.decode_into(payload, out),
            State::G722(decoder) => decoder.decode_into(payload, out),
            State::Gsm(decoder) => decoder.decode_into(payload, out),
            State::Opus(decoder) => decoder.decode(payload, out),
            State::L16 => {
                let pairs = payload.as_chunks().0;
                for (sample, &pair) in out.iter_mut().zip(pairs) {
                    *sample = i16::from_be_bytes(pair);
                }
                pairs.len().min(out.len())
            }
        }
    }

    /// Fills `out` for what was lost, if the codec knows how; `next` is the packet after it.
    pub(crate) fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) -> bool {
        match &mut self.state {
            State::Opus(decoder) => decoder.conceal(next, out),
            State::Law(_) | State::G722(_) | State::Gsm(_) | State::L16 => false,
        }
    }
}
