//! How loud a frequency is to the ear: the K weighting of ITU-R BS.1770-4.
//!
//! The recommendation gives two filters of second order at 48 kHz. Above that rate they follow from
//! the analogue ones behind them; below it the bilinear transform would bend them (by 0.3 dB at
//! 8 kHz), so poles are taken over and the response is that at 48 kHz at three places: within
//! 0.04 dB everywhere from 8 kHz on.

use std::f64::consts::{PI, TAU};

/// The rate that the recommendation gives its coefficients for.
const REFERENCE: f64 = 48_000.0;

/// The lift of what is above 1.7 kHz: place, slope and height.
const SHELF: (f64, f64, f64) = (1681.974450955533, 0.7071752369554196, 3.999843853973347);
/// What is below is left out: place and slope.
const HIGH_PASS: (f64, f64) = (38.13547087602444, 0.5003270373238773);

/// Where the lift of a lower rate is made the same, in Hz, and as a part of the rate at most.
const RISE: f64 = 1850.0;
const MOST_RISE: f64 = 0.21;

/// Lowest rate that has room for the lift.
const LOWEST: f64 = 4000.0;

/// Both filters in a row, for one channel.
#[derive(Debug, Clone)]
pub(super) struct Weighting {
    shelf: Biquad,
    high_pass: Biquad,
}

impl Weighting {
    pub(super) fn new(rate: u32) -> Self {
        let rate = f64::from(rate);
        let shelf = match rate {
            _ if rate < LOWEST => Biquad::new([1.0, 0.0, 0.0], [0.0, 0.0]),
            _ if rate < REFERENCE => shelf(REFERENCE).brought_to(rate),
            _ => shelf(rate),
        };
        Self { shelf, high_pass: high_pass(rate) }
    }

    /// The sum of the squares of what is made of the samples.
    pub(super) fn energy(&mut self, samples: &[f32]) -> f64 {
        let Self { shelf, high_pass } = self;
        samples.iter().map(|&it| high_pass.pass(shelf.pass(f64::from(it))).powi(2)).sum()
    }

    /// The response at a frequency, squared.
    #[cfg(test)]
    fn power(&self, frequency: f64, rate: f64) -> f64 {
        let turn = TAU * frequency / rate;
        self.shelf.power(turn) * self.high_pass.power(turn)
    }
}

fn shelf(rate: f64) -> Biquad {
    let (place, slope, height) = SHELF;
    let k = (PI * place / rate).tan();
    let high = 10.0f64.powf(height / 20.0);
    let band = high.powf(0.4996667741545416);
    let unit = 1.0 + k / slope + k * k;
    let b =
        [high + band * k / slope + k * k, 2.0 * (k * k - high), high - band * k / slope + k * k];
    let a = [2.0 * (k * k - 1.0), 1.0 - k / slope + k * k];
    Biquad::new(b.map(|it| it / unit), a.map(|it| it / unit))
}

fn high_pass(rate: f64) -> Biquad {
    let (place, slope) = HIGH_PASS;
    let unit = |rate: f64| {
        let k = (PI * place / rate).tan();
        (k, 1.0 + k / slope + k * k)
    };
    let (k, whole) = unit(rate);
    // The coefficients given for 48 kHz pass a little more than all: as much at every rate.
    let gain = unit(REFERENCE).1 / whole;
    let a = [2.0 * (k * k - 1.0) / whole, (1.0 - k / slope + k * k) / whole];
    Biquad::new([gain, -2.0 * gain, gain], a)
}

/// A filter of second order, in the transposed direct form.
#[derive(Debug, Clone)]
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    kept: [f64; 2],
}

impl Biquad {
    const fn new(b: [f64; 3], a: [f64; 2]) -> Self {
        Self { b, a, kept: [0.0; 2] }
    }

    #[inline(always)]
    fn pass(&mut self, sample: f64) -> f64 {
        let Self { b, a, kept } = self;
        let made = b[0] * sample + kept[0];
        *kept = [b[1] * sample - a[0] * made + kept[1], b[2] * sample - a[1] * made];
        made
    }

    /// The response at an angle a sample, squared.
    fn power(&self, turn: f64) -> f64 {
        let (sin, cos) = turn.sin_cos();
        let (sin2, cos2) = (2.0 * turn).sin_cos();
        let size = |[zero, one, two]: [f64; 3]| {
            let real = zero + one * cos + two * cos2;
            let imaginary = one * sin + two * sin2;
            real * real + imaginary * imaginary
        };
        size(self.b) / size([1.0, self.a[0], self.a[1]])
    }

    /// One of the reference rate with the same response at a lower rate: its poles, and zeros by
    /// which it is the same at 0, where it rises and at half of that rate (Vicanek's matching).
    fn brought_to(&self, rate: f64) -> Self {
        let ratio = REFERENCE / rate;
        // A pair of conjugate poles: their size and angle.
        let size = self.a[1].sqrt();
        let angle = (-self.a[0] / 2.0 / size).acos();
        let (size, angle) = (size.powf(ratio), angle * ratio);
        let a = [-2.0 * size * angle.cos(), size * size];
        let at = |turn: f64| self.power(turn / ratio);
        let rise = TAU * (RISE / rate).min(MOST_RISE);
        // Squares of the response are sums of three terms; two are alone at either end.
        let below = [(1.0 + a[0] + a[1]).powi(2), (1.0 - a[0] + a[1]).powi(2), -4.0 * a[1]];
        let (first, second) = (below[0] * at(0.0), below[1] * at(PI));
        let high = (rise / 2.0).sin().powi(2);
        let (low, both) = (1.0 - high, 4.0 * high * (1.0 - high));
        let all = at(rise) * (below[0] * low + below[1] * high + below[2] * both);
        let third = (all - first * low - second * high) / both;
        let (one, other) = (first.sqrt(), second.sqrt());
        let middle = f64::midpoint(one, other);
        let b0 = f64::midpoint(middle, (middle * middle + third).max(0.0).sqrt());
        Self::new([b0, (one - other) / 2.0, -third / (4.0 * b0)], a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn db(power: f64) -> f64 {
        10.0 * power.log10()
    }

    #[test]
    fn coefficients_at_48_khz_are_those_of_the_recommendation() {
        // ITU-R BS.1770-4, tables 1 and 2.
        let weighting = Weighting::new(48_000);
        let wanted = [
            (weighting.shelf.b, [1.53512485958697, -2.69169618940638, 1.19839281085285]),
            (weighting.high_pass.b, [1.0, -2.0, 1.0]),
        ];
        for (is, should) in wanted {
            for (is, should) in is.iter().zip(should) {
                assert!((is - should).abs() < 1e-9, "{is} {should}");
            }
        }
        for (is, should) in [
            (weighting.shelf.a, [-1.69065929318241, 0.73248077421585]),
            (weighting.high_pass.a, [-1.99004745483398, 0.99007225036621]),
        ] {
            assert!((is[0] - should[0]).abs() < 1e-9 && (is[1] - should[1]).abs() < 1e-9, "{is:?}");
        }
    }

    #[test]
    fn every_rate_hears_what_48_khz_hears() {
        let reference = Weighting::new(48_000);
        for rate in [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 96_000, 192_000] {
            let weighting = Weighting::new(rate);
            let rate = f64::from(rate);
            for step in 1..=90 {
                let frequency = (rate / 2.0).min(16_000.0) * f64::from(step) / 90.0;
                let is = db(weighting.power(frequency, rate));
                let should = db(reference.power(frequency, 48_000.0));
                assert!((is - should).abs() < 0.045, "{rate}, {frequency}: {is} {should}");
            }
        }
        // Below it there is nothing to lift, and nothing breaks.
        assert!(db(Weighting::new(1000).power(300.0, 1000.0)).abs() < 0.1);
    }
}
