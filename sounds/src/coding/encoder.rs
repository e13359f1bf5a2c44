//! From 16-bit samples to bytes, for every coding that recordings and telephone files are written in.

use super::{Coding, Order, dialogic};
use crate::gsm::{self, microsoft as pairs};
use crate::{g711, g722};

/// Encodes samples in pieces of any length; keeps what does not fill a unit yet.
#[derive(Debug)]
pub struct Encoder {
    state: State,
    /// Samples that do not fill a unit yet.
    rest: Vec<i16>,
}

#[derive(Debug)]
enum State {
    Linear(Order),
    Ulaw,
    Alaw,
    Gsm(Box<gsm::Encoder>),
    GsmPairs(Box<gsm::Encoder>),
    G722(Box<g722::Encoder>),
    Dialogic(dialogic::Channel),
}

impl Encoder {
    /// `None` for a coding that is not made of 16-bit samples here.
    #[must_use]
    pub fn new(coding: Coding) -> Option<Self> {
        let state = match coding {
            Coding::Signed16(order) => State::Linear(order),
            Coding::Ulaw => State::Ulaw,
            Coding::Alaw => State::Alaw,
            Coding::Gsm => State::Gsm(Box::default()),
            Coding::GsmPairs => State::GsmPairs(Box::default()),
            Coding::G722 => State::G722(Box::default()),
            Coding::Dialogic => State::Dialogic(dialogic::Channel::default()),
            _ => return None,
        };
        Some(Self { state, rest: Vec::new() })
    }

    /// Appends the bytes of what is whole. Samples of several channels come by turns, where the
    /// coding [holds](Coding::holds) several.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let unit = self.unit();
        if unit == 1 {
            return self.encode_whole(samples, out);
        }
        self.rest.extend_from_slice(samples);
        let mut rest = std::mem::take(&mut self.rest);
        let whole = rest.len() - rest.len() % unit;
        self.encode_whole(&rest[..whole], out);
        rest.drain(..whole);
        self.rest = rest;
    }

    /// Appends the bytes of what is left, filled up with silence.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let missing = self.rest.len().next_multiple_of(self.unit()) - self.rest.len();
        self.encode(&vec![0; missing], out);
    }

    /// Samples that are encoded together.
    fn unit(&self) -> usize {
        match self.state {
            State::Linear(_) | State::Ulaw | State::Alaw => 1,
            State::Gsm(_) => gsm::SAMPLES,
            State::GsmPairs(_) => 2 * gsm::SAMPLES,
            State::G722(_) | State::Dialogic(_) => 2,
        }
    }

    fn encode_whole(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let begin = out.len();
        match &mut self.state {
            State::Linear(Order::Little) => {
                out.extend(samples.iter().flat_map(|it| it.to_le_bytes()))
            }
            State::Linear(Order::Big) => out.extend(samples.iter().flat_map(|it| it.to_be_bytes())),
            State::Ulaw => {
                out.resize(begin + samples.len(), 0);
                g711::encode_ulaw_into(samples, &mut out[begin..]);
            }
            State::Alaw => {
                out.resize(begin + samples.len(), 0);
                g711::encode_alaw_into(samples, &mut out[begin..]);
            }
            State::Gsm(gsm) => {
                out.resize(begin + samples.len() / gsm::SAMPLES * gsm::OCTETS, 0);
                gsm.encode_into(samples, &mut out[begin..]);
            }
            State::GsmPairs(gsm) => {
                let mut octets = vec![0; samples.len() / gsm::SAMPLES * gsm::OCTETS];
                gsm.encode_into(samples, &mut octets);
                let frames = octets.as_chunks::<{ gsm::OCTETS }>().0.as_chunks().0;
                out.extend(frames.iter().flat_map(|[one, two]| pairs::pack([one, two])));
            }
            State::G722(g722) => {
                out.resize(begin + samples.len() / g722::SAMPLES_PER_OCTET, 0);
                g722.encode_into(samples, &mut out[begin..]);
            }
            State::Dialogic(channel) => channel.encode(samples, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::Decoder;

    const TELEPHONE: [Coding; 8] = [
        Coding::LINEAR,
        Coding::Signed16(Order::Big),
        Coding::Ulaw,
        Coding::Alaw,
        Coding::Gsm,
        Coding::GsmPairs,
        Coding::G722,
        Coding::Dialogic,
    ];

    #[test]
    fn pieces_of_any_length_are_the_same_bytes() {
        let samples: Vec<i16> =
            (0..3201).map(|n| (9000.0 * (f64::from(n) * 0.1).sin()) as i16).collect();
        for coding in TELEPHONE {
            let (mut whole, mut pieces) = (vec![], vec![]);
            let mut encoder = Encoder::new(coding).unwrap();
            encoder.encode(&samples, &mut whole);
            encoder.finish(&mut whole);
            let mut encoder = Encoder::new(coding).unwrap();
            samples.chunks(77).for_each(|piece| encoder.encode(piece, &mut pieces));
            encoder.finish(&mut pieces);
            assert_eq!(whole, pieces, "{coding:?}");
            // Nothing of it is lost, and less than a unit is added.
            let frames = coding.frames(whole.len() as u64, 1) as usize;
            assert!((3201..3201 + coding.unit(1).1).contains(&frames), "{coding:?}: {frames}");
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        let samples: Vec<i16> =
            (0..3200).map(|n| (9000.0 * (f64::from(n) * 0.1).sin()) as i16).collect();
        for coding in TELEPHONE {
            let mut bytes = vec![];
            Encoder::new(coding).unwrap().encode(&samples, &mut bytes);
            let mut frames = vec![];
            Decoder::new(coding, 1).decode(&bytes, &mut frames);
            assert_eq!(frames.len(), 3200, "{coding:?}");
            // The filters of G.722 hold 22 samples back.
            let delay = if coding == Coding::G722 { 22 } else { 0 };
            let noise: f64 = samples[400..3000]
                .iter()
                .zip(&frames[400 + delay..])
                .fold(0.0, |sum, (a, b)| sum + (f64::from(*a) / 32_768.0 - f64::from(*b)).powi(2));
            let ratio = 2600.0 * (9000.0_f64 / 32_768.0).powi(2) / 2.0 / noise.max(1e-9);
            let least = if matches!(coding, Coding::Gsm | Coding::GsmPairs) { 10.0 } else { 100.0 };
            assert!(ratio > least, "{coding:?}: {ratio}");
        }
    }
}
