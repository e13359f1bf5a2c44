//! From any rate to any other near it: a short filter of its own for each place between two
//! samples where one of the output falls.

use super::decimator::Decimator;
use super::design::{self, Kaiser, LowPass};
use super::kernel::{LANES, products, total};
use crate::vector::vectorized;

/// Tables of filters have about as many coefficients as this at most: 1 MB.
const MOST_COEFFICIENTS: usize = 1 << 18;

/// Of the lower rate: what is mirrored into what the steep filter passes.
const STOP: f64 = 1.5;

/// More is below what `f32` resolves.
const MOST_ATTENUATION: f64 = 140.0;

/// Passes a band and keeps what would be mirrored into it out, without delay.
#[derive(Debug, Clone)]
pub(super) enum Short {
    /// Several outputs between two samples, or between some.
    Polyphase(Polyphase),
    /// An output every so many samples.
    Decimator(Decimator),
}

#[derive(Debug, Clone)]
pub(super) struct Polyphase {
    table: Table,
    /// Inputs, from the first that an output still needs.
    line: Vec<f32>,
    /// Where in it the next output's filter begins.
    at: usize,
    /// The next output's place after that input's middle, in `rates.1` parts of a sample.
    phase: usize,
    /// Input and output rate, without their common divisor.
    rates: (usize, usize),
}

#[derive(Debug, Clone)]
struct Table {
    /// Filters of `taps` each; one more than `rows` when it is interpolated.
    filters: Vec<f32>,
    taps: usize,
    rows: usize,
    /// Whether places lie between rows.
    interpolated: bool,
}

impl Short {
    /// `narrow` is the lower of the two rates of the whole conversion: nearly up to half of it all
    /// passes, from one and a half of it on nothing does.
    pub(super) fn new(from: u32, to: u32, narrow: u32, attenuation: f64) -> Self {
        let divisor = super::gcd(from, to);
        let rates = ((from / divisor) as usize, (to / divisor) as usize);
        let unit = f64::from(narrow) / f64::from(from);
        let (pass, stop) = (super::PASS * unit, STOP * unit);
        let taps = 2 * design::half_length(attenuation, stop - pass).ceil() as usize;
        let taps = taps.next_multiple_of(LANES);
        let half = taps as f64 / 2.0;
        // What the added coefficients give.
        let attenuation = design::attenuation(half, stop - pass).min(MOST_ATTENUATION);
        let cutoff = f64::midpoint(pass, stop);
        let filter = LowPass { cutoff, half, window: Kaiser::new(attenuation) };
        let table = Table::new(&filter, taps, rates.1);
        if rates.1 == 1 {
            return Self::Decimator(Decimator::new(&table.filters, taps / 2 - 1, rates.0));
        }
        let line = vec![0.0; table.taps / 2 - 1];
        Self::Polyphase(Polyphase { table, line, at: 0, phase: 0, rates })
    }

    /// Takes samples and appends what can be made of them.
    pub(super) fn process(&mut self, input: &[f32], out: &mut Vec<f32>) {
        match self {
            Self::Polyphase(polyphase) => polyphase.process(input, out),
            Self::Decimator(decimator) => decimator.process(input, out),
        }
    }
}

impl Polyphase {
    fn process(&mut self, input: &[f32], out: &mut Vec<f32>) {
        self.line.extend_from_slice(input);
        let taps = self.table.taps;
        let Some(last) = self.line.len().checked_sub(taps) else { return };
        // The outputs whose filter begins at `last` at the latest.
        let (from, to) = self.rates;
        let ahead = ((last + 1).saturating_sub(self.at) * to).saturating_sub(self.phase);
        let count = ahead.div_ceil(from);
        let begin = out.len();
        out.resize(begin + count, 0.0);
        let place = Place { at: self.at, phase: self.phase, whole: from / to, part: from % to, to };
        let out = &mut out[begin..];
        let end = if self.table.interpolated {
            interpolate(&self.table, &self.line, place, out)
        } else {
            // Places in the table instead of numbers of filters.
            let rows = place.scaled(taps);
            let end = select(&self.table.filters, taps, &self.line, rows, out);
            Place { phase: end.phase / taps, ..end }
        };
        (self.at, self.phase) = (end.at, end.phase);
        let used = self.at.min(self.line.len());
        self.line.drain(..used);
        self.at -= used;
    }
}

/// Where the next output falls.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: usize,
    phase: usize,
    /// From one output to the next: samples, and parts of one.
    whole: usize,
    part: usize,
    /// Parts of a sample.
    to: usize,
}

impl Place {
    /// The same where a part of a sample counts as `scale`.
    const fn scaled(self, scale: usize) -> Self {
        let Self { at, phase, whole, part, to } = self;
        Self { at, phase: phase * scale, whole, part: part * scale, to: to * scale }
    }

    #[inline(always)]
    fn advance(&mut self) {
        self.at += self.whole;
        self.phase += self.part;
        if self.phase >= self.to {
            self.phase -= self.to;
            self.at += 1;
        }
    }
}

/// Outputs whose sums wait side by side.
const BATCH: usize = 128;

vectorized! {
    /// Each output by the filter of its place.
    fn select(filters: &[f32], taps: usize, line: &[f32], place: Place, out: &mut [f32]) -> Place {
        let mut place = place;
        let mut sums = [[0.0; LANES]; BATCH];
        for out in out.chunks_mut(BATCH) {
            for (_, sums) in out.iter().zip(&mut sums) {
                let filter = &filters[place.phase..][..taps];
                products(filter, &line[place.at..][..taps], sums);
                place.advance();
            }
            for (out, sums) in out.iter_mut().zip(&sums) {
                *out = total(*sums);
            }
        }
        place
    }
}

vectorized! {
    /// Each output by the two filters around its place.
    fn interpolate(table: &Table, line: &[f32], place: Place, out: &mut [f32]) -> Place {
        let mut place = place;
        let (mut sums, mut next) = ([0.0; LANES], [0.0; LANES]);
        for out in out {
            let scaled = place.phase * table.rows;
            let (row, part) = (scaled / place.to, (scaled % place.to) as f32 / place.to as f32);
            let filters = &table.filters[row * table.taps..][..2 * table.taps];
            let (before, after) = filters.split_at(table.taps);
            let samples = &line[place.at..][..table.taps];
            products(before, samples, &mut sums);
            products(after, samples, &mut next);
            let (before, after) = (total(sums), total(next));
            *out = before + (after - before) * part;
            place.advance();
        }
        place
    }
}

impl Table {
    /// Filters for `places` places between two samples, or as many as suffice.
    fn new(filter: &LowPass, taps: usize, places: usize) -> Self {
        let most = (MOST_COEFFICIENTS / taps).max(1);
        let interpolated = places > most;
        let rows = places.min(most);
        let count = rows + usize::from(interpolated);
        let middle = (taps / 2 - 1) as f64;
        let mut filters = vec![0.0; count * taps];
        for (n, row) in filters.chunks_exact_mut(taps).enumerate() {
            filter.respond(-middle - n as f64 / rows as f64, row);
        }
        // All of them together: what one alone does not pass evenly, the steep filter keeps out.
        let gain = rows as f64 / filters[..rows * taps].iter().sum::<f64>();
        let filters = filters.iter().map(|tap| (tap * gain) as f32).collect();
        Self { filters, taps, rows, interpolated }
    }
}
