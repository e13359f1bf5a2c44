//! From bytes to samples, for every coding.

use super::{Coding, dialogic, ima, microsoft, samples};
use crate::gsm::{self, microsoft as pairs};
use crate::{g722, pcm};

/// Decodes what lies in units of bytes; keeps what the next ones build on.
#[derive(Debug)]
pub struct Decoder {
    coding: Coding,
    channels: u16,
    state: State,
    /// What a codec gave.
    linear: Vec<i16>,
}

#[derive(Debug)]
enum State {
    /// Every sample or block stands for itself.
    None,
    Gsm(Box<gsm::Decoder>),
    G722(Box<g722::Decoder>),
    Dialogic(dialogic::Channel),
    Ima(Vec<ima::Channel>),
}

impl Decoder {
    /// For the beginning of a sound; the coding [holds](Coding::holds) so many channels.
    #[must_use]
    pub fn new(coding: Coding, channels: u16) -> Self {
        let state = match coding {
            Coding::Gsm | Coding::GsmPairs => State::Gsm(Box::default()),
            Coding::G722 => State::G722(Box::default()),
            Coding::Dialogic => State::Dialogic(dialogic::Channel::default()),
            Coding::ImaPackets => State::Ima(vec![ima::Channel::default(); channels.into()]),
            _ => State::None,
        };
        Self { coding, channels, state, linear: Vec::new() }
    }

    /// Replaces `frames` by those of whole units of bytes, samples of all channels by turns, full
    /// scale as 1. What is not a number is silence, what is infinite is very loud.
    pub fn decode(&mut self, bytes: &[u8], frames: &mut Vec<f32>) {
        let (unit, count) = self.coding.unit(self.channels);
        let width = usize::from(self.channels);
        let samples = bytes.len() / unit.max(1) * count * width;
        frames.resize(samples, 0.0);
        if samples::decode(self.coding, bytes, frames) {
            return;
        }
        let linear = &mut self.linear;
        linear.resize(samples, 0);
        match (&mut self.state, self.coding) {
            (State::Gsm(gsm), Coding::GsmPairs) => {
                let pairs = bytes.as_chunks().0.iter().map(pairs::unpack);
                let octets: Vec<u8> = pairs.flatten().flatten().collect();
                gsm.decode_into(&octets, linear);
            }
            (State::Gsm(gsm), _) => {
                gsm.decode_into(bytes, linear);
            }
            (State::G722(g722), _) => {
                g722.decode_into(bytes, linear);
            }
            (State::Dialogic(channel), _) => channel.decode(bytes, linear),
            (State::Ima(states), _) => {
                let blocks = bytes.chunks_exact(unit).zip(linear.chunks_exact_mut(count * width));
                blocks.for_each(|(packets, out)| ima::decode_packets(packets, states, out));
            }
            (State::None, _) => {
                let blocks = bytes.chunks_exact(unit).zip(linear.chunks_exact_mut(count * width));
                blocks.for_each(|(block, out)| block_of(self.coding, block, width, out));
            }
        }
        as_floats(linear, frames);
    }

    /// Replaces `frames` by those of less than a unit of bytes, which the sound ends with.
    pub fn decode_rest(&mut self, bytes: &[u8], frames: &mut Vec<f32>) {
        let width = usize::from(self.channels);
        let count = self.coding.frames(bytes.len() as u64, self.channels) as usize * width;
        self.linear.resize(count, 0);
        block_of(self.coding, bytes, width, &mut self.linear);
        frames.resize(count, 0.0);
        as_floats(&self.linear, frames);
    }
}

fn block_of(coding: Coding, block: &[u8], channels: usize, out: &mut [i16]) {
    match coding {
        Coding::ImaBlocks(_) => ima::decode_block(block, channels, out),
        Coding::MicrosoftBlocks(_) => microsoft::decode_block(block, channels, out),
        _ => {}
    }
}

fn as_floats(linear: &[i16], frames: &mut [f32]) {
    for (out, &sample) in frames.iter_mut().zip(linear) {
        *out = pcm::to_f32(sample);
    }
}
