//! Plays speech a little faster or slower without changing its pitch: leaves out a pitch period or
//! plays one twice, blended over 10 ms where the two resemble each other most.

use std::ops::RangeInclusive;

/// How alike two pieces must be, from 1 (the same) down to -1 (whatever they are).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness(pub f32);

/// At 8 kHz (`scale` 1), 16 kHz (2) or 48 kHz (6): how much is left out or added at the most, 15 ms.
pub const fn longest(scale: usize) -> usize {
    LONGEST * scale
}

/// Makes 20 ms of what is longer; `samples` are 20 ms and [`longest`] more. Gives how many samples
/// were left out, an even number; `None` if there is no place for it.
pub fn shorten(samples: &[i16], scale: usize, least: Likeness, out: &mut [i16]) -> Option<usize> {
    let (window, frame) = (WINDOW * scale, FRAME * scale);
    if samples.len() < frame + longest(scale) || out.len() != frame {
        return None;
    }
    let lag = best_lag(scale, least, |lag| (&samples[..window], &samples[lag..lag + window]))?;
    blend(&samples[..window], &samples[lag..], out);
    Some(lag)
}

/// Makes 20 ms of what is shorter; `samples` are 20 ms, `past` what was played before them, at
/// least [`longest`]. Gives how many of the samples are to be played again after these, an even
/// number.
pub fn lengthen(
    past: &[i16],
    samples: &[i16],
    scale: usize,
    least: Likeness,
    out: &mut [i16],
) -> Option<usize> {
    let (window, frame, most) = (WINDOW * scale, FRAME * scale, longest(scale));
    if samples.len() < frame || past.len() < most || out.len() != frame {
        return None;
    }
    let mut line = [0; (LONGEST + FRAME) * MOST_SCALE];
    let line = &mut line[..most + frame];
    line[..most].copy_from_slice(&past[past.len() - most..]);
    line[most..].copy_from_slice(&samples[..frame]);
    let lag = best_lag(scale, least, |lag| {
        (&line[most..most + window], &line[most - lag..most - lag + window])
    })?;
    blend(&line[most..most + window], &line[most - lag..], out);
    Some(lag)
}

/// The lag at which two pieces are most alike, if they are alike enough.
fn best_lag<'a>(
    scale: usize,
    least: Likeness,
    pieces: impl Fn(usize) -> (&'a [i16], &'a [i16]),
) -> Option<usize> {
    let (shortest, longest) = (SHORTEST * scale, LONGEST * scale);
    let best_of = |lags: RangeInclusive<usize>, stride: usize, least: f32| {
        let mut best = (0, least);
        for lag in lags.step_by(2 * stride) {
            let (one, other) = pieces(lag);
            let likeness = likeness(one, other, stride);
            if likeness >= best.1 {
                best = (lag, likeness);
            }
        }
        best.0
    };
    // At 48 kHz one sample of three finds the place, and all of them what is best around it.
    let stride = scale.div_ceil(2);
    let near = best_of(shortest..=longest, stride, least.0);
    if near == 0 || stride == 1 {
        return (near > 0).then_some(near);
    }
    let around = 2 * stride - 2;
    let nearest = near.saturating_sub(around).max(shortest)..=(near + around).min(longest);
    Some(best_of(nearest, 1, least.0)).filter(|&lag| lag > 0)
}

/// The correlation of two pieces, of every `stride`th sample; of silence with silence it is whole.
fn likeness(one: &[i16], other: &[i16], stride: usize) -> f32 {
    let (mut product, mut first, mut second) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (&one, &other) in one.iter().step_by(stride).zip(other.iter().step_by(stride)) {
        let (one, other) = (f32::from(one), f32::from(other));
        product += one * other;
        first += one * one;
        second += other * other;
    }
    let quiet = QUIET * one.len().div_ceil(stride) as f32;
    if first < quiet && second < quiet {
        return 1.0;
    }
    product / (first * second).sqrt().max(quiet)
}

/// From one piece into the other, and on in that.
fn blend(from: &[i16], into: &[i16], out: &mut [i16]) {
    let window = from.len();
    for (n, (sample, &into)) in out.iter_mut().zip(into).enumerate() {
        *sample = match from.get(n) {
            Some(&from) => {
                let (from, into) = (f32::from(from), f32::from(into));
                (from + (into - from) * (n + 1) as f32 / (window + 1) as f32) as i16
            }
            None => into,
        };
    }
}

/// Samples of 20 ms at 8 kHz, as the following.
const FRAME: usize = 160;

/// 48 kHz.
const MOST_SCALE: usize = 6;

/// What is blended: 10 ms.
const WINDOW: usize = 80;

/// 2.5 ms: less is not worth it.
const SHORTEST: usize = 20;

/// 15 ms.
const LONGEST: usize = 120;

/// The mean square below which a piece is silence: -60 dBov.
const QUIET: f32 = 1000.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(scale: usize, hertz: f64, count: usize) -> Vec<i16> {
        let sample = |n| {
            let angle = std::f64::consts::TAU * hertz * f64::from(n as u32) / (8000 * scale) as f64;
            (8000.0 * angle.sin()) as i16
        };
        (0..count).map(sample).collect()
    }

    /// How far samples are from a tone that goes on without a seam.
    fn roughness(samples: &[i16], scale: usize, hertz: f64) -> f64 {
        let turn = 2.0 * (std::f64::consts::TAU * hertz / (8000 * scale) as f64).cos();
        let off = |w: &[i16]| (f64::from(w[2]) + f64::from(w[0]) - turn * f64::from(w[1])).abs();
        samples.windows(3).map(off).fold(0.0, f64::max)
    }

    #[test]
    fn a_tone_goes_on_without_a_seam_faster_or_slower() {
        for scale in [1, 2, 6] {
            for hertz in [250.0, 1000.0, 410.0] {
                let sound = tone(scale, hertz, 4000 * scale);
                let frame = FRAME * scale;
                for faster in [true, false] {
                    let (mut played, mut at) = (sound[..frame].to_vec(), frame);
                    for _ in 0..8 {
                        let mut out = vec![0; frame];
                        let least = Likeness(0.9);
                        if faster {
                            let lag = shorten(&sound[at..], scale, least, &mut out).unwrap();
                            at += frame + lag;
                        } else {
                            let lag = lengthen(&played, &sound[at..], scale, least, &mut out);
                            at += frame - lag.unwrap();
                        }
                        played.extend(out);
                    }
                    let expected = 9 * frame;
                    assert!(if faster { at > expected + 8 * 20 } else { at < expected - 8 * 20 });
                    let rough = roughness(&played, scale, hertz);
                    assert!(rough < 400.0, "{scale} {hertz} {faster}: {rough}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_resemble_itself_is_left_alone_until_it_must() {
        let mut seed = 1_u32;
        let noise: Vec<i16> = (0..FRAME + LONGEST)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 18) as i16
            })
            .collect();
        let noise: Vec<i16> = noise.iter().map(|sample| sample - 8192).collect();
        let mut out = [0; FRAME];
        assert_eq!(shorten(&noise, 1, Likeness(0.9), &mut out), None);
        assert!(shorten(&noise, 1, Likeness(-1.0), &mut out).is_some());
        assert_eq!(lengthen(&noise, &noise, 1, Likeness(0.9), &mut out), None);
        // Silence is left out as far as it goes.
        assert_eq!(shorten(&[3; FRAME + LONGEST], 1, Likeness(0.9), &mut out), Some(LONGEST));
        assert_eq!(shorten(&[3; FRAME], 1, Likeness(0.9), &mut out), None);
    }
}
