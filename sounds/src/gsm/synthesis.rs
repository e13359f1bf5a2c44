//! From frames to samples (§5.3).

use super::{
    Frame, OCTETS, SAMPLES,
    arithmetic::{add, mult_r, sub},
    prediction::{Past, decode_ratios, reflections, residue},
};

/// Decodes one stream.
#[derive(Debug, Clone)]
pub struct Decoder {
    past: Past,
    /// The lag used last, for lags that there are not.
    lag: i16,
    ratios: [i16; 8],
    /// Of the short-term filter.
    memory: [i16; 9],
    /// Of the de-emphasis.
    sample: i16,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self { past: Past::new(), lag: 40, ratios: [0; 8], memory: [0; 9], sample: 0 }
    }

    /// Decodes as many whole frames as both slices hold; gives the number of samples.
    pub fn decode_into(&mut self, octets: &[u8], out: &mut [i16]) -> usize {
        let frames = octets.as_chunks::<OCTETS>().0.iter().zip(out.as_chunks_mut::<SAMPLES>().0);
        frames.map(|(octets, samples)| self.decode(octets, samples)).count() * SAMPLES
    }

    fn decode(&mut self, octets: &[u8; OCTETS], samples: &mut [i16; SAMPLES]) {
        let frame = Frame::parse(octets);
        for (subframe, part) in frame.subframes.iter().zip(samples.as_chunks_mut::<40>().0) {
            if (40..=120).contains(&subframe.lag) {
                self.lag = subframe.lag;
            }
            let expected = self.past.predict(self.lag, subframe.gain);
            part.copy_from_slice(self.past.reconstruct(&residue(subframe), &expected));
            self.past.advance();
        }
        let ratios = decode_ratios(&frame.ratios);
        for (part, reflections) in reflections(&self.ratios, &ratios) {
            for sample in &mut samples[part] {
                *sample = self.filter(*sample, &reflections);
            }
        }
        self.ratios = ratios;
        for sample in samples {
            self.sample = add(*sample, mult_r(self.sample, 28_180));
            // Thirteen bits are meant.
            *sample = add(self.sample, self.sample) & !7;
        }
    }

    /// The short-term synthesis filter (§5.3.4).
    fn filter(&mut self, residue: i16, reflections: &[i16; 8]) -> i16 {
        let mut sample = residue;
        for i in (0..8).rev() {
            sample = sub(sample, mult_r(reflections[i], self.memory[i]));
            self.memory[i + 1] = add(self.memory[i], mult_r(reflections[i], sample));
        }
        self.memory[0] = sample;
        sample
    }
}
