//! Finds a known sound in a recording: which prompt a caller heard, when, and how much of it.
//!
//! Normalised cross-correlation, computed by FFT. It does not care about level, and survives
//! G.711, a lost packet and other voices; it does not survive another speed or another voice.
//!
//! ```
//! use diesis_sounds::locate::Recording;
//!
//! let tune: Vec<i16> = (0..8000i32).map(|n| ((n * n / 37 % 199 - 99) * 100) as i16).collect();
//! let mut heard = vec![0; 4000];
//! heard.extend(&tune);
//! let found = Recording::new(&heard, 8000).find(&tune, 0).expect("it is in there");
//! assert_eq!((found.start, found.length), (4000, 8000));
//! ```

use realfft::{RealFftPlanner, num_complex::Complex};

/// Something to search in: samples, and their spectrum computed once for all searches.
pub struct Recording<'a> {
    samples: &'a [i16],
    rate: usize,
    spectrum: Vec<Complex<f32>>,
    fft_length: usize,
    /// Sum of squares of all samples before each position.
    energy_before: Vec<f64>,
}

/// Where a sound was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Located {
    /// The sample at which the sound's first sample would lie.
    pub start: usize,
    /// How many samples of it were heard before it stopped; all of them when it was not cut.
    pub length: usize,
    /// Likeness of the part that was searched for, 1 for the same.
    pub score: f32,
}

impl<'a> Recording<'a> {
    /// Prepares a recording of `rate` samples a second.
    #[must_use]
    pub fn new(samples: &'a [i16], rate: u32) -> Self {
        let rate = rate.max(1) as usize;
        let fft_length = (samples.len() + rate).next_power_of_two().max(2);
        let mut energy_before = Vec::with_capacity(samples.len() + 1);
        let mut sum = 0.0;
        energy_before.push(sum);
        for &sample in samples {
            sum += f64::from(sample) * f64::from(sample);
            energy_before.push(sum);
        }
        let spectrum = spectrum(samples, fft_length);
        Self { samples, rate, spectrum, fft_length, energy_before }
    }

    /// The first place at or after the sample `from` where `sound` begins to be heard.
    ///
    /// The first second of it that is not silent is searched for, so a sound that was cut short
    /// after that is found too, and so is one whose last moments the recording misses.
    #[must_use]
    pub fn find(&self, sound: &[i16], from: usize) -> Option<Located> {
        let lead = first_sound(sound, self.rate)?;
        let needle = &sound[lead..sound.len().min(lead + self.rate)];
        let correlation = self.correlate(needle);
        let needle_energy = energy(needle);
        let end = self.samples.len();
        let score = |at: usize| {
            // Beyond the end of the recording lies silence.
            let here = self.energy_before[(at + needle.len()).min(end)] - self.energy_before[at];
            // Much fainter than the sound itself is noise, whatever its shape.
            if here < needle_energy * FAINTEST {
                return 0.0;
            }
            f64::from(correlation[at]) / (needle_energy * here).sqrt()
        };
        let first = (from + lead..end).find(|&at| score(at) >= FOUND)?;
        // The first place over the threshold may lie a period of the voice before the best one.
        let mut best = first;
        while let Some(better) = (best + 1..end.min(best + 1 + self.rate / LONGEST_PERIOD))
            .filter(|&at| score(at) > score(best))
            .max_by(|&a, &b| score(a).total_cmp(&score(b)))
        {
            best = better;
        }
        let start = best - lead;
        let length = self.heard_length(sound, start);
        Some(Located { start, length, score: score(best) as f32 })
    }

    /// How much of `sound`, laid at `start`, agrees with the recording without a break.
    fn heard_length(&self, sound: &[i16], start: usize) -> usize {
        let block = self.rate / 8;
        let mut heard = 0;
        for (index, part) in sound.chunks(block).enumerate() {
            let at = start + index * block;
            let Some(here) = self.samples.get(at..(at + part.len()).min(self.samples.len())) else {
                break;
            };
            let part = &part[..here.len()];
            let loud = energy(part);
            // A pause says nothing; the parts around it do.
            if loud / part.len().max(1) as f64 > SILENCE {
                let likeness = dot(part, here) / (loud * energy(here)).sqrt().max(1.0);
                if likeness < STILL_HEARD {
                    break;
                }
            }
            heard = index * block + part.len();
        }
        heard
    }

    /// The correlation of `needle` with the recording at every position.
    fn correlate(&self, needle: &[i16]) -> Vec<f32> {
        let mut product = spectrum(needle, self.fft_length);
        for (bin, &of_recording) in product.iter_mut().zip(&self.spectrum) {
            *bin = of_recording * bin.conj();
        }
        // The two bins that must be real are so but for rounding.
        if let [first, .., last] = product.as_mut_slice() {
            first.im = 0.0;
            last.im = 0.0;
        }
        let inverse = RealFftPlanner::new().plan_fft_inverse(self.fft_length);
        let mut correlation = vec![0.0; self.fft_length];
        inverse.process(&mut product, &mut correlation).expect("the lengths are the plan's own");
        let scale = SCALE * SCALE / self.fft_length as f32;
        correlation.iter_mut().for_each(|value| *value *= scale);
        correlation
    }
}

fn spectrum(samples: &[i16], length: usize) -> Vec<Complex<f32>> {
    let forward = RealFftPlanner::new().plan_fft_forward(length);
    let mut padded: Vec<f32> = samples.iter().map(|&sample| f32::from(sample) / SCALE).collect();
    padded.resize(length, 0.0);
    let mut bins = forward.make_output_vec();
    forward.process(&mut padded, &mut bins).expect("the lengths are the plan's own");
    bins
}

/// Where the first 10 ms that are not silent begin.
fn first_sound(sound: &[i16], rate: usize) -> Option<usize> {
    let block = (rate / 100).max(1);
    let loud = |part: &[i16]| energy(part) / part.len() as f64 > SILENCE;
    Some(sound.chunks(block).position(loud)? * block)
}

fn energy(samples: &[i16]) -> f64 {
    dot(samples, samples)
}

fn dot(a: &[i16], b: &[i16]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// Likeness of the first second for it to count as found. Speech against other speech of the same
/// voice stays below 0.4; through G.711 and with another talker at equal level it is 0.7.
const FOUND: f64 = 0.6;
/// Likeness of an eighth of a second for it to count as still heard.
const STILL_HEARD: f64 = 0.5;
/// Mean square below which a part counts as silent: -60 dBFS.
const SILENCE: f64 = 32.8 * 32.8;
/// A hundredth of the energy: 20 dB fainter than what is searched for.
const FAINTEST: f64 = 0.01;
/// A voice's period is at most this part of a second.
const LONGEST_PERIOD: usize = 50;
const SCALE: f32 = 32_768.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of a seed: unlike any other seed's, as one prompt is unlike another.
    fn noise(mut seed: u32, length: usize) -> Vec<i16> {
        (0..length)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 18) as i16 - 8192
            })
            .collect()
    }

    #[test]
    fn a_sound_is_found_where_it_lies_whatever_its_level() {
        let (one, two) = (noise(1, 12_000), noise(2, 9_000));
        let mut heard = vec![0; 3_000];
        heard.extend(one.iter().map(|sample| sample / 4));
        heard.extend(&two);
        let recording = Recording::new(&heard, 8000);
        let found = recording.find(&one, 0).unwrap();
        assert_eq!((found.start, found.length), (3_000, 12_000));
        assert!(found.score > 0.99);
        let found = recording.find(&two, 0).unwrap();
        assert_eq!((found.start, found.length), (15_000, 9_000));
    }

    #[test]
    fn a_sound_that_was_cut_tells_how_much_of_it_was_heard() {
        let (one, two) = (noise(1, 24_000), noise(2, 16_000));
        let mut heard = one[..12_000].to_vec();
        heard.extend(&two);
        let found = Recording::new(&heard, 8000).find(&one, 0).unwrap();
        assert_eq!((found.start, found.length), (0, 12_000));
    }

    #[test]
    fn the_second_occurrence_is_found_after_the_first() {
        let one = noise(1, 8_000);
        let heard = [one.as_slice(), &one].concat();
        let recording = Recording::new(&heard, 8000);
        assert_eq!(recording.find(&one, 0).unwrap().start, 0);
        assert_eq!(recording.find(&one, 1).unwrap().start, 8_000);
        assert_eq!(recording.find(&one, 8_001), None);
    }

    #[test]
    fn what_was_not_played_is_not_found() {
        let heard = noise(1, 80_000);
        let recording = Recording::new(&heard, 8000);
        assert_eq!(recording.find(&noise(2, 8_000), 0), None);
        assert_eq!(recording.find(&[0; 8_000], 0), None);
        assert_eq!(recording.find(&[], 0), None);
        assert_eq!(Recording::new(&[], 8000).find(&heard, 0), None);
        assert_eq!(Recording::new(&[0; 100], 8000).find(&heard, 0), None);
    }

    #[test]
    fn the_best_place_is_found_though_a_period_earlier_is_alike() {
        // A voice: a pulse 100 times a second that grows slowly.
        let voice: Vec<i16> =
            (0..8_000).map(|n| ((80 - n % 80) * (n / 80 + 20) / 2) as i16).collect();
        let heard = [vec![0; 2_000], voice.clone(), vec![0; 1_000]].concat();
        let found = Recording::new(&heard, 8000).find(&voice, 0).unwrap();
        assert_eq!((found.start, found.length), (2_000, 8_000));
        assert!(found.score > 0.999);
    }

    #[test]
    fn leading_silence_of_the_sound_counts_to_its_length() {
        let mut sound = vec![0; 4_000];
        sound.extend(noise(1, 8_000));
        let heard = [vec![0; 1_000], sound.clone()].concat();
        let found = Recording::new(&heard, 8000).find(&sound, 0).unwrap();
        assert_eq!((found.start, found.length), (1_000, 12_000));
    }
}
