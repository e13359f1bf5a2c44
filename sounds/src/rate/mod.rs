//! Between any two sample rates: band-limited, without delay, of the right length.
//!
//! Two filters in a row. A steep one of fixed shape works at twice the lower of the two rates: all
//! below 0.457 of the lower rate passes (3,660 Hz of 8 kHz), nothing from its half on (4 kHz). A
//! short one brings the other rate to that double rate or away from it; its edge is as wide as
//! the lower rate, so it costs little. Everything is done in `f32`, in an order that does not
//! depend on the processor.

mod decimator;
pub(crate) mod design;
pub(crate) mod kernel;
mod phases;
mod places;
mod polyphase;
mod sharp;

use std::sync::{Mutex, PoisonError};

use polyphase::Short;
use sharp::{Doubler, Halver};

use crate::error::SoundError;
use crate::sound::{MAX_RATE, MIN_RATE};

/// Of the lower rate: up to here the steep filter passes all.
const PASS: f64 = 0.456;
/// Stop band of the short filter, in dB.
const ATTENUATION: f64 = 127.0;

/// How a steep edge rings: before and after a click alike, or less before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// All frequencies are delayed alike: it rings before a sound as it does after it.
    #[default]
    Linear,
    /// Low frequencies are up to 0.6 ms ahead of those near the edge: 53 dB less loud before a
    /// click than the click, longer after it. A third more work for the steep filter.
    Intermediate,
    /// Up to 1.2 ms: nothing before a click.
    Minimum,
}

/// Converts a stream of samples from one rate to another.
///
/// ```
/// use diesis_sounds::rate::{Phase, RateConverter};
///
/// let mut converter = RateConverter::new(44_100, 8000, Phase::Linear)?;
/// let mut converted = Vec::new();
/// converter.convert(&[0.0; 44_100], &mut converted);
/// converter.finish(&mut converted);
/// assert_eq!(converted.len(), 8000);
/// # Ok::<(), diesis_sounds::error::SoundError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RateConverter {
    stages: Stages,
    from: u32,
    to: u32,
    phase: Phase,
    /// What the first stage made of the present piece.
    between: Vec<f32>,
    taken: u64,
    given: u64,
}

#[derive(Debug, Clone)]
enum Stages {
    Same,
    Down(Option<Short>, Box<Halver>),
    Up(Doubler, Option<Short>),
}

/// Converters as they are before their first sample, of the rates that came last.
static KEPT: Mutex<Vec<RateConverter>> = Mutex::new(Vec::new());
/// Of some 30 KB each for usual rates, 1 MB at most.
const MOST_KEPT: usize = 8;

/// Samples that go through both stages at once: they stay in the processor's nearest cache.
const PIECE: usize = 8192;

impl RateConverter {
    /// A converter between two rates, each within [`MIN_RATE`]..=[`MAX_RATE`].
    pub fn new(from: u32, to: u32, phase: Phase) -> Result<Self, SoundError> {
        for rate in [from, to] {
            if !(MIN_RATE..=MAX_RATE).contains(&rate) {
                return Err(SoundError::UnsupportedRate { rate });
            }
        }
        // The filters of a prompt of 3 s cost more to compute than the prompt: they are kept.
        let wanted = |it: &&Self| (it.from, it.to, it.phase) == (from, to, phase);
        let known = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = known().iter().find(wanted) {
            return Ok(kept.clone());
        }
        let new = Self::compute(from, to, phase);
        let mut known = known();
        if known.len() == MOST_KEPT {
            known.remove(0);
        }
        known.push(new.clone());
        Ok(new)
    }

    fn compute(from: u32, to: u32, phase: Phase) -> Self {
        let narrow = from.min(to);
        let short =
            |from: u32, to: u32| (from != to).then(|| Short::new(from, to, narrow, ATTENUATION));
        let stages = match from.cmp(&to) {
            std::cmp::Ordering::Equal => Stages::Same,
            std::cmp::Ordering::Greater => {
                Stages::Down(short(from, 2 * to), Box::new(Halver::new(phase)))
            }
            std::cmp::Ordering::Less => Stages::Up(Doubler::new(phase), short(2 * from, to)),
        };
        Self { stages, from, to, phase, between: Vec::new(), taken: 0, given: 0 }
    }

    /// Takes samples and appends those that can be made of them and of those before; some wait
    /// for more.
    pub fn convert(&mut self, input: &[f32], out: &mut Vec<f32>) {
        let begin = out.len();
        for piece in input.chunks(PIECE) {
            self.process(piece, false, out);
        }
        self.taken += input.len() as u64;
        self.given += (out.len() - begin) as u64;
    }

    /// Appends what is held back, as if silence followed: all that was appended is now as long as
    /// what was taken, rounded to the nearest sample. Nothing is converted after that.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let wanted = converted_len(self.taken, self.from, self.to);
        let silence = [0.0; 256];
        while self.given < wanted {
            let begin = out.len();
            self.process(&silence, true, out);
            self.given += (out.len() - begin) as u64;
        }
        let excess = usize::try_from(self.given - wanted).unwrap_or(usize::MAX);
        out.truncate(out.len().saturating_sub(excess));
    }

    fn process(&mut self, piece: &[f32], is_end: bool, out: &mut Vec<f32>) {
        self.between.clear();
        match &mut self.stages {
            Stages::Same => out.extend_from_slice(piece),
            Stages::Down(None, halver) => halver.process(piece, out),
            Stages::Down(Some(short), halver) => {
                short.process(piece, is_end, &mut self.between);
                halver.process(&self.between, out);
            }
            Stages::Up(doubler, None) => doubler.process(piece, out),
            Stages::Up(doubler, Some(short)) => {
                doubler.process(piece, &mut self.between);
                short.process(&self.between, is_end, out);
            }
        }
    }
}

/// How many samples `len` samples become, to the nearest.
#[must_use]
pub fn converted_len(len: u64, from: u32, to: u32) -> u64 {
    let (len, from, to) = (u128::from(len), u128::from(from), u128::from(to));
    u64::try_from((len * to + from / 2) / from.max(1)).unwrap_or(u64::MAX)
}

pub(crate) const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    const RATES: [u32; 12] = [
        11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 44_101, 48_000, 88_200, 96_000,
        192_000,
    ];

    fn tone(frequency: f64, rate: u32, len: usize) -> Vec<f32> {
        let step = TAU * frequency / f64::from(rate);
        (0..len).map(|n| (step * n as f64).cos() as f32).collect()
    }

    fn converted(input: &[f32], from: u32, to: u32) -> Vec<f32> {
        with_phase(Phase::Linear, input, from, to)
    }

    fn with_phase(phase: Phase, input: &[f32], from: u32, to: u32) -> Vec<f32> {
        let mut converter = RateConverter::new(from, to, phase).unwrap();
        let mut out = Vec::new();
        for piece in input.chunks(997) {
            converter.convert(piece, &mut out);
        }
        converter.finish(&mut out);
        out
    }

    /// Level in dB of a tone in the middle half of what came out, its delay in samples, and the
    /// level of all else relative to full scale.
    fn fitted(samples: &[f32], frequency: f64, rate: u32) -> (f64, f64, f64) {
        let middle = samples.len() / 4..samples.len() * 3 / 4;
        let step = TAU * frequency / f64::from(rate);
        // Least squares of a cosine and a sine: a small system, solved in closed form.
        let (mut cc, mut cs, mut ss, mut xc, mut xs) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for n in middle.clone() {
            let (sin, cos) = (step * n as f64).sin_cos();
            let x = f64::from(samples[n]);
            cc += cos * cos;
            cs += cos * sin;
            ss += sin * sin;
            xc += x * cos;
            xs += x * sin;
        }
        let determinant = cc * ss - cs * cs;
        let (a, b) = ((xc * ss - xs * cs) / determinant, (xs * cc - xc * cs) / determinant);
        let rest: f64 = middle
            .clone()
            .map(|n| {
                let (sin, cos) = (step * n as f64).sin_cos();
                (f64::from(samples[n]) - a * cos - b * sin).powi(2)
            })
            .sum();
        let rest = (2.0 * rest / middle.len() as f64).sqrt();
        (db(a.hypot(b)), b.atan2(a) / step, db(rest))
    }

    fn db(value: f64) -> f64 {
        20.0 * value.max(1e-12).log10()
    }

    #[test]
    fn what_fits_passes_unchanged_at_its_time() {
        for from in RATES {
            for frequency in [100.0, 997.0, 2500.0, 3400.0, 3650.0] {
                let out = converted(&tone(frequency, from, from as usize / 2), from, 8000);
                assert_eq!(out.len() as u64, converted_len(u64::from(from / 2), from, 8000));
                let (level, delay, rest) = fitted(&out, frequency, 8000);
                assert!(level.abs() < 0.002, "{from} at {frequency}: {level} dB");
                assert!(delay.abs() < 0.0005, "{from} at {frequency}: {delay} samples late");
                assert!(rest < -122.0, "{from} at {frequency}: {rest} dB of other things");
            }
        }
    }

    #[test]
    fn what_does_not_fit_leaves_nothing() {
        for from in RATES {
            for frequency in [
                4000.0, 4010.0, 4100.0, 4500.0, 5003.0, 7990.0, 11_999.0, 15_803.0, 20_011.0,
                60_000.0,
            ] {
                if frequency > f64::from(from) / 2.0 {
                    continue;
                }
                let out = converted(&tone(frequency, from, from as usize / 2), from, 8000);
                let rest = &out[400..out.len() - 400];
                let power: f64 = rest.iter().map(|&it| f64::from(it).powi(2)).sum();
                let level = db((2.0 * power / rest.len() as f64).sqrt());
                assert!(level < -126.0, "{from} at {frequency}: {level} dB");
            }
        }
    }

    #[test]
    fn its_edge_is_where_it_is_said_to_be() {
        for from in [16_000, 44_100, 48_000] {
            let level = |frequency| {
                fitted(
                    &converted(&tone(frequency, from, from as usize), from, 8000),
                    frequency,
                    8000,
                )
                .0
            };
            assert!(level(3700.0) > -0.1, "{from}: {} dB at 3,700 Hz", level(3700.0));
            assert!(level(3790.0) > -3.0, "{from}: {} dB at 3,790 Hz", level(3790.0));
            assert!(level(3810.0) < -3.0, "{from}: {} dB at 3,810 Hz", level(3810.0));
        }
    }

    #[test]
    fn upwards_nothing_is_added() {
        for to in RATES {
            for frequency in [100.0, 997.0, 3400.0, 3650.0] {
                let out = converted(&tone(frequency, 8000, 8000), 8000, to);
                assert_eq!(out.len(), to as usize);
                let (level, delay, rest) = fitted(&out, frequency, to);
                assert!(level.abs() < 0.002, "{to} at {frequency}: {level} dB");
                assert!(delay.abs() < 0.0005, "{to} at {frequency}: {delay} samples late");
                assert!(rest < -120.0, "{to} at {frequency}: {rest} dB of other things");
            }
        }
    }

    #[test]
    fn every_phase_passes_and_stops_the_same() {
        for phase in [Phase::Intermediate, Phase::Minimum] {
            for (from, to) in [(16_000, 8000), (44_100, 8000), (48_000, 8000), (8000, 44_100)] {
                let level = |frequency: f64| {
                    let out = with_phase(phase, &tone(frequency, from, from as usize), from, to);
                    assert_eq!(out.len(), to as usize);
                    let (level, _, rest) = fitted(&out, frequency, to);
                    (level, rest)
                };
                for frequency in [100.0, 997.0, 2500.0, 3400.0, 3650.0] {
                    let (level, rest) = level(frequency);
                    assert!(level.abs() < 0.002, "{phase:?}, {from}: {level} dB at {frequency}");
                    assert!(rest < -119.0, "{phase:?}, {from}: {rest} dB beside {frequency}");
                }
                if from < to {
                    continue;
                }
                assert!(level(3790.0).0 > -3.0 && level(3810.0).0 < -3.0, "{phase:?}, {from}");
                for frequency in [4000.0, 4100.0, 5003.0, 7990.0, 20_011.0] {
                    if frequency > f64::from(from) / 2.0 {
                        continue;
                    }
                    let out = with_phase(phase, &tone(frequency, from, from as usize), from, to);
                    let rest = &out[400..out.len() - 400];
                    let power: f64 = rest.iter().map(|&it| f64::from(it).powi(2)).sum();
                    let level = db((2.0 * power / rest.len() as f64).sqrt());
                    assert!(level < -123.0, "{phase:?}, {from} at {frequency}: {level} dB");
                }
            }
        }
    }

    #[test]
    fn a_click_stays_where_it_is_and_rings_as_its_phase_says() {
        for from in [16_000, 44_100, 48_000] {
            let mut click = vec![0.0; from as usize];
            click[from as usize / 2] = 1.0;
            for (phase, before) in
                [(Phase::Linear, -27.0), (Phase::Intermediate, -52.0), (Phase::Minimum, -120.0)]
            {
                let out = with_phase(phase, &click, from, 8000);
                let peak = out.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
                assert_eq!(out[4000].abs(), peak, "{phase:?}, {from}");
                let ring = out[3992..=3996].iter().fold(0.0_f32, |most, it| most.max(it.abs()));
                let ring = db(f64::from(ring / peak));
                assert!(ring < before, "{phase:?}, {from}: {ring} dB");
            }
        }
    }

    #[test]
    fn pieces_do_not_matter_and_lengths_are_exact() {
        for (from, to) in
            [(44_100, 8000), (48_000, 8000), (8000, 44_100), (11_025, 8000), (44_101, 8000)]
        {
            for len in [0, 1, 2, 3, 100, 441, 12_345, 132_301] {
                let input: Vec<f32> =
                    (0..len).map(|n| ((n * 7919 % 1000) as f32 - 500.0) / 500.0).collect();
                let mut whole = Vec::new();
                let mut converter = RateConverter::new(from, to, Phase::Linear).unwrap();
                converter.convert(&input, &mut whole);
                converter.finish(&mut whole);
                assert_eq!(whole.len() as u64, converted_len(len as u64, from, to));
                assert!(whole == converted(&input, from, to), "{from} to {to}: {len}");
            }
        }
    }

    #[test]
    fn silence_stays_silence_and_a_constant_is_one() {
        assert!(converted(&[0.0; 44_100], 44_100, 8000).iter().all(|&it| it == 0.0));
        let out = converted(&[0.5; 44_100], 44_100, 8000);
        assert!(out[400..7600].iter().all(|it| (it - 0.5).abs() < 1e-6));
    }
}
