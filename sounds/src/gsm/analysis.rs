//! From samples to frames (§5.2).

use super::{
    Frame, OCTETS, SAMPLES, Subframe,
    arithmetic::{abs, add, div, l_mult, mult, mult_r, norm, sub},
    prediction::{LEAST, OFFSET, PAST, Past, decode_ratios, reflections, residue, scale},
};

/// Encodes one stream.
#[derive(Debug, Clone)]
pub struct Encoder {
    /// Of the offset compensation: the sample before, and 32 bits.
    before: i16,
    offset: i32,
    /// Of the pre-emphasis.
    sample: i16,
    ratios: [i16; 8],
    /// Of the short-term filter.
    memory: [i16; 8],
    past: Past,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self { before: 0, offset: 0, sample: 0, ratios: [0; 8], memory: [0; 8], past: Past::new() }
    }

    /// Encodes as many whole frames as both slices hold; gives the number of octets.
    pub fn encode_into(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        let frames = samples.as_chunks::<SAMPLES>().0.iter().zip(out.as_chunks_mut::<OCTETS>().0);
        frames.map(|(samples, octets)| *octets = self.encode(samples)).count() * OCTETS
    }

    fn encode(&mut self, samples: &[i16; SAMPLES]) -> [u8; OCTETS] {
        let mut signal = samples.map(|sample| self.preprocess(sample));
        let coded = code_ratios(&reflect(&correlate(&mut signal)));
        let ratios = decode_ratios(&coded);
        for (part, reflections) in reflections(&self.ratios, &ratios) {
            for sample in &mut signal[part] {
                *sample = self.filter(*sample, &reflections);
            }
        }
        self.ratios = ratios;
        let mut frame = Frame { ratios: coded, ..Frame::default() };
        for (subframe, signal) in frame.subframes.iter_mut().zip(signal.as_chunks::<40>().0) {
            *subframe = self.encode_subframe(signal);
        }
        frame.write()
    }

    /// Scaling, offset compensation and pre-emphasis (§5.2.1 to §5.2.3).
    fn preprocess(&mut self, sample: i16) -> i16 {
        // Thirteen bits are used.
        let sample = (sample >> 3) << 2;
        let difference = sample - self.before;
        self.before = sample;
        let high = (self.offset >> 15) as i16;
        let low = (self.offset - (i32::from(high) << 15)) as i16;
        let sum = (i32::from(difference) << 15) + i32::from(mult_r(low, 32_735));
        self.offset = (i32::from(high) * 32_735).saturating_add(sum);
        let emphasis = mult_r(self.sample, -28_180);
        self.sample = (self.offset.saturating_add(16_384) >> 15) as i16;
        add(self.sample, emphasis)
    }

    /// The short-term analysis filter (§5.2.10).
    fn filter(&mut self, sample: i16, reflections: &[i16; 8]) -> i16 {
        let (mut residue, mut saved) = (sample, sample);
        for (&reflection, memory) in reflections.iter().zip(&mut self.memory) {
            let next = add(*memory, mult_r(reflection, residue));
            residue = add(residue, mult_r(reflection, *memory));
            *memory = saved;
            saved = next;
        }
        residue
    }

    fn encode_subframe(&mut self, signal: &[i16; 40]) -> Subframe {
        let (lag, gain) = self.find_lag(signal);
        let expected = self.past.predict(lag, gain);
        let error = std::array::from_fn(|k| sub(signal[k], expected[k]));
        let subframe = Subframe { lag, gain, ..pulses(&error) };
        self.past.reconstruct(&residue(&subframe), &expected);
        self.past.advance();
        subframe
    }

    /// Where in the past the subframe is most alike, and how much (§5.2.11).
    fn find_lag(&self, signal: &[i16; 40]) -> (i16, i16) {
        let past = &self.past.0;
        let peak = signal.iter().map(|&sample| abs(sample)).max().unwrap_or(0);
        let headroom = if peak == 0 { 6 } else { norm(i32::from(peak) << 16).min(6) };
        let scale = 6 - headroom;
        let weighed = signal.map(|sample| sample >> scale);
        let (mut best, mut lag) = (0, 40);
        for candidate in 40..=PAST {
            let before = &past[PAST - candidate..];
            let likeness: i32 = weighed.iter().zip(before).map(|(&a, &b)| l_mult(a, b)).sum();
            if likeness > best {
                (best, lag) = (likeness, candidate);
            }
        }
        let best = best >> (6 - scale);
        let before = &past[PAST - lag..PAST - lag + 40];
        let power: i32 = before.iter().map(|&sample| l_mult(sample >> 3, sample >> 3)).sum();
        let gain = if best <= 0 {
            0
        } else if best >= power {
            3
        } else {
            let shift = norm(power);
            let (likeness, power) = ((best << shift >> 16) as i16, (power << shift >> 16) as i16);
            let steps = GAIN_STEPS.iter();
            steps.take_while(|&&step| likeness > mult(power, step)).count() as i16
        };
        (lag as i16, gain)
    }
}

/// The autocorrelation (§5.2.4). What is too loud for it loses bits.
fn correlate(signal: &mut [i16; SAMPLES]) -> [i32; 9] {
    let peak = signal.iter().map(|&sample| abs(sample)).max().unwrap_or(0);
    let scale = match peak {
        0 => 0,
        peak => 4_u32.saturating_sub(norm(i32::from(peak) << 16)),
    };
    if scale > 0 {
        let factor = 16_384 >> (scale - 1);
        *signal = signal.map(|sample| mult_r(sample, factor));
    }
    let correlation = std::array::from_fn(|lag| {
        signal[lag..].iter().zip(&*signal).map(|(&a, &b)| l_mult(a, b)).sum()
    });
    if scale > 0 {
        *signal = signal.map(|sample| sample << scale);
    }
    correlation
}

/// The reflection coefficients, by Schur's recursion (§5.2.5).
fn reflect(correlation: &[i32; 9]) -> [i16; 8] {
    let mut reflections = [0; 8];
    if correlation[0] == 0 {
        return reflections;
    }
    let shift = norm(correlation[0]);
    let mut forward = correlation.map(|value| (value << shift >> 16) as i16);
    let mut backward = forward;
    for n in 0..8 {
        let size = abs(forward[1]);
        if forward[0] < size {
            return reflections;
        }
        let quotient = div(size, forward[0]);
        let reflection = if forward[1] > 0 { -quotient } else { quotient };
        reflections[n] = reflection;
        if n == 7 {
            break;
        }
        forward[0] = add(forward[0], mult_r(forward[1], reflection));
        for m in 1..8 - n {
            let next = forward[m + 1];
            forward[m] = add(next, mult_r(backward[m], reflection));
            backward[m] = add(backward[m], mult_r(next, reflection));
        }
    }
    reflections
}

/// Log area ratios, quantised (§5.2.6, §5.2.7).
fn code_ratios(reflections: &[i16; 8]) -> [i16; 8] {
    std::array::from_fn(|i| {
        let size = match abs(reflections[i]) {
            size @ 0..22_118 => size >> 1,
            size @ 22_118..31_130 => size - 11_059,
            size => (size - 26_112) << 2,
        };
        let ratio = if reflections[i] < 0 { -size } else { size };
        let coded = add(add(mult(SLOPE[i], ratio), OFFSET[i]), 256) >> 9;
        coded.clamp(LEAST[i], -LEAST[i] - 1) - LEAST[i]
    })
}

/// The residue as a grid of thirteen pulses (§5.2.13 to §5.2.15).
fn pulses(error: &[i16; 40]) -> Subframe {
    let weighed: [i16; 40] = std::array::from_fn(|k| {
        let terms = WEIGHTS.iter().enumerate().filter_map(|(i, &weight)| {
            let &sample = error.get((k + i).checked_sub(5)?)?;
            Some(i32::from(sample) * i32::from(weight))
        });
        let sum = (4096 + terms.sum::<i32>()) >> 13;
        sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16
    });
    let (mut grid, mut most) = (0, 0);
    for candidate in 0..4 {
        let samples = weighed[candidate..].iter().step_by(3).take(13);
        let energy: i32 = samples.map(|&sample| l_mult(sample >> 2, sample >> 2)).sum();
        if energy > most {
            (grid, most) = (candidate, energy);
        }
    }
    let chosen: [i16; 13] = std::array::from_fn(|i| weighed[grid + 3 * i]);
    let peak = chosen.iter().map(|&sample| abs(sample)).max().unwrap_or(0);
    // The number of bits of what is above nine, six at the most.
    let exponent = (16 - (peak >> 9).leading_zeros() as i16).min(6);
    let peak = add(peak >> (exponent + 5), exponent << 3);
    let (exponent, mantissa) = scale(peak);
    let pulses = chosen.map(|sample| (mult(sample << (6 - exponent), INVERSE[mantissa]) >> 12) + 4);
    Subframe { grid: grid as i16, peak, pulses, ..Subframe::default() }
}

/// Table 5.1: A.
const SLOPE: [i16; 8] = [20_480, 20_480, 20_480, 20_480, 13_964, 15_360, 8534, 9036];

/// Table 5.3: DLB; beyond the last there is no more.
const GAIN_STEPS: [i16; 3] = [6554, 16_384, 26_214];

/// Table 5.4: H.
const WEIGHTS: [i16; 11] = [-134, -374, 0, 2054, 5741, 8192, 5741, 2054, 0, -374, -134];

/// Table 5.5: NRFAC.
const INVERSE: [i16; 8] = [29_128, 26_215, 23_832, 21_846, 20_165, 18_725, 17_476, 16_384];
