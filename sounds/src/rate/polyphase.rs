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
    /// Input and output rate, without their common divisor: after so many inputs and outputs the
    /// same filters come again.
    rates: (usize, usize),
    /// Outputs that are made at once.
    block: usize,
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
        let block = if table.interpolated { 1 } else { block(rates) };
        Self::Polyphase(Polyphase { table, line, at: 0, phase: 0, rates, block })
    }

    /// Takes samples and appends what can be made of them. Some is held back until there is more
    /// to do at once, or until the end.
    pub(super) fn process(&mut self, input: &[f32], is_end: bool, out: &mut Vec<f32>) {
        match self {
            Self::Polyphase(polyphase) => polyphase.process(input, is_end, out),
            Self::Decimator(decimator) => decimator.process(input, out),
        }
    }
}

/// How many outputs are worth waiting for: [`BESIDE`] of each filter, or one where that is long.
fn block((from, to): (usize, usize)) -> usize {
    let group = BESIDE * from;
    if group > LONGEST_BLOCK { 1 } else { (SHORTEST_BLOCK.div_ceil(group)) * BESIDE * to }
}

/// Inputs of a block: it stays in the processor's nearest cache, and its overhead does not count.
const SHORTEST_BLOCK: usize = 2048;
const LONGEST_BLOCK: usize = 16_384;

impl Polyphase {
    fn process(&mut self, input: &[f32], is_end: bool, out: &mut Vec<f32>) {
        // Once for all pieces.
        self.line.reserve(input.len() + LONGEST_BLOCK);
        self.line.extend_from_slice(input);
        let taps = self.table.taps;
        let Some(last) = self.line.len().checked_sub(taps) else { return };
        // The outputs whose filter begins at `last` at the latest.
        let (from, to) = self.rates;
        let ahead = ((last + 1).saturating_sub(self.at) * to).saturating_sub(self.phase);
        let mut count = ahead.div_ceil(from);
        if !is_end {
            count -= count % self.block;
        }
        let begin = out.len();
        out.resize(begin + count, 0.0);
        if self.table.interpolated {
            interpolate(&self.table, &self.line, self.place(), &mut out[begin..]);
            self.advance(count);
        } else {
            for block in out[begin..].chunks_mut(self.block.max(to)) {
                select(&self.table.filters, taps, &self.line, self.place(), block);
                self.advance(block.len());
            }
        }
        let used = self.at.min(self.line.len());
        self.line.drain(..used);
        self.at -= used;
    }

    const fn place(&self) -> Place {
        let (from, to) = self.rates;
        Place { at: self.at, phase: self.phase, whole: from / to, part: from % to, to }
    }

    /// By so many outputs.
    const fn advance(&mut self, count: usize) {
        let (from, to) = self.rates;
        let parts = self.phase + count * from;
        (self.at, self.phase) = (self.at + parts / to, parts % to);
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
    /// Samples until the same phase comes again.
    #[inline(always)]
    const fn period(self) -> usize {
        self.whole * self.to + self.part
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

/// Outputs of one filter that are made side by side.
const BESIDE: usize = 16;

vectorized! {
    /// Each output by the filter of its place: one filter after the other, each for all outputs
    /// that it makes.
    fn select(
        filters: &[f32],
        taps: usize,
        line: &[f32],
        place: Place,
        out: &mut [f32],
    ) {
        let (filters, _) = filters.as_chunks();
        match taps / LANES {
            2 => each::<2>(filters, line, place, out),
            3 => each::<3>(filters, line, place, out),
            4 => each::<4>(filters, line, place, out),
            5 => each::<5>(filters, line, place, out),
            6 => each::<6>(filters, line, place, out),
            11 => each::<11>(filters, line, place, out),
            12 => each::<12>(filters, line, place, out),
            vectors => each_of_any(filters, vectors, line, place, out),
        }
    }
}

/// With filters of so many vectors, known to the compiler: the most common ones.
#[inline(always)]
fn each<const VECTORS: usize>(
    filters: &[[f32; LANES]],
    line: &[f32],
    mut place: Place,
    out: &mut [f32],
) {
    let (filters, _) = filters.as_chunks::<VECTORS>();
    let (mut sums, mut totals) = ([[0.0; LANES]; BESIDE], [0.0; BESIDE]);
    let (period, to) = (place.period(), place.to);
    for first in 0..to.min(out.len()) {
        let filter = filters[place.phase];
        let mut at = place.at;
        for group in out[first..].chunks_mut(BESIDE * to) {
            let count = group.len().div_ceil(to);
            for sums in &mut sums[..count] {
                let samples: &[[f32; LANES]; VECTORS] = vectors(&line[at..]);
                products(filter.as_flattened(), samples.as_flattened(), sums);
                at += period;
            }
            for (total_of, sums) in totals[..count].iter_mut().zip(&sums[..count]) {
                *total_of = total(*sums);
            }
            for (out, total) in group.iter_mut().step_by(to).zip(&totals) {
                *out = *total;
            }
        }
        place.advance();
    }
}

/// The first vectors of a line, which has as many.
#[inline(always)]
fn vectors<const VECTORS: usize>(line: &[f32]) -> &[[f32; LANES]; VECTORS] {
    line.as_chunks().0.first_chunk().expect("a filter's length is left behind every place")
}

/// With filters of any length.
#[inline(always)]
fn each_of_any(
    filters: &[[f32; LANES]],
    vectors: usize,
    line: &[f32],
    mut place: Place,
    out: &mut [f32],
) {
    for out in out {
        let filter = filters[place.phase * vectors..][..vectors].as_flattened();
        let mut sums = [0.0; LANES];
        products(filter, &line[place.at..][..filter.len()], &mut sums);
        *out = total(sums);
        place.advance();
    }
}

vectorized! {
    /// Each output by the two filters around its place.
    fn interpolate(table: &Table, line: &[f32], place: Place, out: &mut [f32]) {
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
        for n in 0..count {
            // As far before a sample as another place is behind the one before: the same, mirrored.
            let (known, row) = filters.split_at_mut(n * taps);
            let row = &mut row[..taps];
            match known.chunks_exact(taps).nth(rows - n) {
                Some(mirrored) => {
                    row.iter_mut().zip(mirrored.iter().rev()).for_each(|(to, &from)| *to = from);
                }
                None => filter.respond(-middle - n as f64 / rows as f64, row),
            }
        }
        // All of them together: what one alone does not pass evenly, the steep filter keeps out.
        let gain = rows as f64 / filters[..rows * taps].iter().sum::<f64>();
        let filters = filters.iter().map(|tap| (tap * gain) as f32).collect();
        Self { filters, taps, rows, interpolated }
    }
}
