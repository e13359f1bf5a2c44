//! Recordings in GSM: what is written is not a sample but a frame of them, or a pair of frames.

use std::io;

use diesis_sounds::gsm::{self, microsoft};

use crate::recording::FileFormat;

/// Samples that do not fill a frame, or a pair of frames, yet.
#[derive(Debug)]
pub(super) struct Frames {
    encoder: gsm::Encoder,
    in_pairs: bool,
    rest: Vec<i16>,
}

impl Frames {
    /// `None` if the format is written sample by sample.
    pub(super) fn of(format: FileFormat, rate: u32, channels: u16) -> io::Result<Option<Self>> {
        let in_pairs = match format {
            FileFormat::Wav | FileFormat::Raw(_) => return Ok(None),
            FileFormat::Gsm => false,
            FileFormat::WavGsm => true,
        };
        if rate != 8000 || channels != 1 {
            let what = "GSM holds one channel of 8000 samples a second";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(Some(Self { encoder: gsm::Encoder::new(), in_pairs, rest: Vec::new() }))
    }

    /// Takes samples; the octets of those that are whole.
    pub(super) fn push(&mut self, samples: &[i16]) -> Vec<u8> {
        self.rest.extend_from_slice(samples);
        let whole = self.rest.len() - self.rest.len() % self.unit();
        let mut octets = vec![0; whole / gsm::SAMPLES * gsm::OCTETS];
        self.encoder.encode_into(&self.rest[..whole], &mut octets);
        self.rest.drain(..whole);
        if !self.in_pairs {
            return octets;
        }
        let frames = octets.as_chunks::<{ gsm::OCTETS }>().0;
        frames.as_chunks().0.iter().flat_map(|[a, b]| microsoft::pack([a, b])).collect()
    }

    /// The octets of what is left, filled up with silence.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let missing = self.rest.len().next_multiple_of(self.unit()) - self.rest.len();
        self.push(&vec![0; missing])
    }

    fn unit(&self) -> usize {
        if self.in_pairs { 2 * gsm::SAMPLES } else { gsm::SAMPLES }
    }
}
