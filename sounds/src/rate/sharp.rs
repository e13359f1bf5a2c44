//! The one steep filter: from the double rate of the narrower side to it, or back.

use super::Phase;
use super::design::{self, Kaiser, LowPass};
use super::kernel::{TAPS, TILE, filter};
use super::phases;
use super::places::Places;

/// The stop band begins exactly at half of the narrower rate, 4 kHz of 8 kHz.
const STOP: f64 = 0.25;
/// Samples of the double rate at each side of the middle.
const HALF: usize = 190;
/// Between what passes and what does not, in cycles a sample: 350 Hz of 16 kHz. It makes a stop
/// band of 127 dB.
const EDGE: f64 = 0.0219;

/// The filter's coefficients of even and of odd places, first that which meets the oldest sample.
#[derive(Debug, Clone)]
struct Taps {
    even: Vec<f32>,
    odd: Vec<f32>,
    /// How many samples at the single rate come before the one that an output belongs to.
    before: usize,
}

impl Taps {
    fn new(phase: Phase, gain: f64) -> Self {
        let table = |taps: &[f32]| taps.iter().map(|&tap| f64::from(tap)).collect();
        let (taps, before): (Vec<f64>, usize) = match phase {
            Phase::Linear => (linear(), HALF),
            Phase::Intermediate => (table(&phases::INTERMEDIATE), phases::INTERMEDIATE_BEFORE),
            Phase::Minimum => (table(&phases::MINIMUM), phases::MINIMUM_BEFORE),
        };
        let every_second = |first: usize| {
            let taps = taps.iter().skip(first).step_by(2);
            padded(taps.map(|&tap| (tap * gain) as f32), 0)
        };
        Self { even: every_second(0), odd: every_second(1), before: before / 2 }
    }
}

/// The filter that delays all alike.
pub(super) fn linear() -> Vec<f64> {
    let window = Kaiser::new(design::attenuation(HALF as f64, EDGE));
    let filter = LowPass { cutoff: STOP - EDGE / 2.0, half: HALF as f64 + 1.0, window };
    let mut taps = vec![0.0; 2 * HALF + 1];
    filter.respond(-(HALF as f64), &mut taps);
    design::normalize(&mut taps);
    taps
}

/// Every second sample of what is left below a quarter of the rate.
///
/// A fast FIR algorithm: even and odd outputs share products. With `a` and `b` the taps and
/// samples of even and of odd places, an even output is `aa + bb`, and an odd one, which is made
/// of `ab` and `ba`, is `(a + b)(a + b) - aa - bb`: three filters instead of four.
#[derive(Debug, Clone)]
pub(super) struct Halver {
    /// For samples of even and of odd places: `a`, `b` and their sum.
    filters: [[Vec<f32>; 3]; 2],
    /// The samples, by their place in four.
    places: Places,
    /// What is left of the last odd output until the next product is there.
    pending: Option<f32>,
    /// Sums of samples that meet sums of taps, then the three products.
    sums: Vec<f32>,
    products: [Vec<f32>; 3],
}

impl Halver {
    pub(super) fn new(phase: Phase) -> Self {
        let taps = Taps::new(phase, 1.0);
        let len = taps.even.len().max(taps.odd.len()).div_ceil(2);
        let filters = [&taps.even, &taps.odd].map(|taps| {
            let half = |first: usize| padded(taps.iter().copied().skip(first).step_by(2), len);
            let (a, b) = (half(0), half(1));
            let sum = a.iter().zip(&b).map(|(a, b)| a + b).collect();
            [a, b, sum]
        });
        // `before` are of the single rate.
        let places = Places::new(4, 2 * taps.before);
        Self { filters, places, pending: None, sums: vec![], products: Default::default() }
    }

    /// Takes samples and appends what can be made of them.
    pub(super) fn process(&mut self, input: &[f32], out: &mut Vec<f32>) {
        self.places.take(input);
        let taps = self.filters[0][0].len();
        let count = self.places.shortest().saturating_sub(taps) / TILE * TILE;
        if count == 0 {
            return;
        }
        for product in &mut self.products {
            product.clear();
            product.resize(count, 0.0);
        }
        let [aa, bb, both] = &mut self.products;
        let (even, odd) = self.places.lines().split_at_mut(2);
        for ((filters, a), b) in self.filters.iter().zip(even).zip(odd) {
            let len = count + taps - 1;
            filter(&filters[0], &a[..len], aa);
            filter(&filters[1], &b[..len], bb);
            self.sums.clear();
            self.sums.extend(b[..len].iter().zip(&a[1..=len]).map(|(b, a)| b + a));
            filter(&filters[2], &self.sums, both);
            a.drain(..count);
            b.drain(..count);
        }
        out.extend(self.pending.map(|pending| pending - aa[0]));
        for (both, bb) in both.iter_mut().zip(&*bb) {
            *both -= bb;
        }
        let pairs = aa.windows(2).zip(bb.iter().zip(&*both));
        out.extend(pairs.flat_map(|(aa, (bb, ab))| [aa[0] + bb, ab - aa[1]]));
        out.push(aa[count - 1] + bb[count - 1]);
        self.pending = Some(both[count - 1]);
    }
}

/// As many taps as [`filter`] takes, and at least `len`.
fn padded(taps: impl Iterator<Item = f32>, len: usize) -> Vec<f32> {
    let mut taps: Vec<f32> = taps.collect();
    taps.resize(len.max(taps.len()).next_multiple_of(TAPS), 0.0);
    taps
}

/// Twice as many samples, with nothing above what there was.
#[derive(Debug, Clone)]
pub(super) struct Doubler {
    taps: Taps,
    line: Vec<f32>,
    even: Vec<f32>,
    odd: Vec<f32>,
}

impl Doubler {
    pub(super) fn new(phase: Phase) -> Self {
        let taps = Taps::new(phase, 2.0);
        let line = vec![0.0; taps.before];
        Self { taps, line, even: Vec::new(), odd: Vec::new() }
    }

    /// Takes samples and appends what can be made of them.
    pub(super) fn process(&mut self, input: &[f32], out: &mut Vec<f32>) {
        self.line.extend_from_slice(input);
        let longest = self.taps.even.len().max(self.taps.odd.len() + 1);
        let count = (self.line.len() + 1).saturating_sub(longest);
        let count = count / TILE * TILE;
        if count == 0 {
            return;
        }
        for (taps, from, made) in
            [(&self.taps.even, 0, &mut self.even), (&self.taps.odd, 1, &mut self.odd)]
        {
            made.clear();
            made.resize(count, 0.0);
            filter(taps, &self.line[from..][..count + taps.len() - 1], made);
        }
        out.extend(self.even.iter().zip(&self.odd).flat_map(|(&even, &odd)| [even, odd]));
        self.line.drain(..count);
    }
}
