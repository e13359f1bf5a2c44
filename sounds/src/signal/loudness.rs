//! Programme loudness and loudness range: blocks, gates and percentiles (ITU-R BS.1770-4, EBU Tech
//! 3342).

/// Sums of a tenth of a second that a short-term value is made of: 3 s.
const SHORT: usize = 30;
/// The same of a gating block: 400 ms, three quarters of which it shares with the next.
const GATING: usize = 4;

/// Blocks quieter than this, in LUFS, do not count.
pub(super) const ABSOLUTE_GATE: f64 = -70.0;
/// Nor do those so much quieter than the mean of the others, in LU: for loudness and for range.
const RELATIVE_GATES: (f64, f64) = (-10.0, -20.0);
/// The share of short-term values below and above which the range is not looked for.
const PERCENTILES: (f64, f64) = (0.10, 0.95);

/// What a mean square of 1 is, in LUFS: a tone of 997 Hz is as loud as it is strong.
const OFFSET: f64 = -0.691;

/// Loudness of a mean square after weighting, in LUFS.
pub(super) fn lufs(power: f64) -> f64 {
    OFFSET + 10.0 * power.log10()
}

/// Takes the mean squares of tenths of a second; keeps as much for an hour as for a minute.
#[derive(Debug, Clone)]
pub(super) struct Loudness {
    /// The last ones, in a ring.
    tenths: [f64; SHORT],
    count: u64,
    blocks: Histogram,
    short: Histogram,
    /// The greatest mean squares of 400 ms and of 3 s.
    loudest: [Option<f64>; 2],
}

impl Loudness {
    pub(super) fn new() -> Self {
        Self {
            tenths: [0.0; SHORT],
            count: 0,
            blocks: Histogram::new(),
            short: Histogram::new(),
            loudest: [None; 2],
        }
    }

    pub(super) fn take(&mut self, power: f64) {
        self.tenths[(self.count % SHORT as u64) as usize] = power;
        self.count += 1;
        let histograms = [&mut self.blocks, &mut self.short];
        for ((histogram, len), loudest) in
            histograms.into_iter().zip([GATING, SHORT]).zip(&mut self.loudest)
        {
            if self.count < len as u64 {
                continue;
            }
            let last = (0..len as u64).map(|back| (self.count - 1 - back) % SHORT as u64);
            let power = last.map(|at| self.tenths[at as usize]).sum::<f64>() / len as f64;
            *loudest = Some(loudest.map_or(power, |loudest| loudest.max(power)));
            histogram.take(power);
        }
    }

    /// Of all of it, in LUFS; `None` when nothing is above the gate.
    pub(super) fn integrated(&self) -> Option<f64> {
        let mean = self.blocks.mean_from(ABSOLUTE_GATE)?;
        self.blocks.mean_from(lufs(mean) + RELATIVE_GATES.0).map(lufs)
    }

    /// The sum of the mean squares so far while they make no block.
    pub(super) fn short(&self) -> Option<f64> {
        (self.count < GATING as u64).then(|| self.tenths[..GATING].iter().sum())
    }

    /// Between the quiet and the loud parts, in LU; 0 when nothing is above the gate.
    pub(super) fn range(&self) -> f64 {
        let Some(mean) = self.short.mean_from(ABSOLUTE_GATE) else { return 0.0 };
        self.short.between(lufs(mean) + RELATIVE_GATES.1, PERCENTILES)
    }

    /// The loudest 400 ms, in LUFS, if there are as many and they are not silent.
    pub(super) fn momentary(&self) -> Option<f64> {
        self.loudest[0].filter(|&power| power > 0.0).map(lufs)
    }

    /// The loudest 3 s.
    pub(super) fn short_term(&self) -> Option<f64> {
        self.loudest[1].filter(|&power| power > 0.0).map(lufs)
    }
}

/// Mean squares by their loudness, in steps that are finer than what is told of them.
#[derive(Debug, Clone)]
struct Histogram {
    /// How many, and their sum.
    bins: Vec<(u32, f64)>,
}

/// Steps of a LU.
const STEPS: f64 = 100.0;
/// From the absolute gate to 30 LUFS: what is louder counts as that.
const BINS: usize = 10_000;

impl Histogram {
    fn new() -> Self {
        Self { bins: vec![(0, 0.0); BINS] }
    }

    fn take(&mut self, power: f64) {
        let loudness = lufs(power);
        if loudness >= ABSOLUTE_GATE {
            let (count, sum) = &mut self.bins[bin(loudness)];
            *count = count.saturating_add(1);
            *sum += power;
        }
    }

    /// The mean of those as loud as this or louder.
    fn mean_from(&self, gate: f64) -> Option<f64> {
        let bins = &self.bins[bin(gate)..];
        let count: u64 = bins.iter().map(|(count, _)| u64::from(*count)).sum();
        (count > 0).then(|| bins.iter().map(|(_, sum)| sum).sum::<f64>() / count as f64)
    }

    /// How far two percentiles of those as loud as this or louder are apart, in LU.
    fn between(&self, gate: f64, (low, high): (f64, f64)) -> f64 {
        let bins = &self.bins[bin(gate)..];
        let count: u64 = bins.iter().map(|(count, _)| u64::from(*count)).sum();
        let place = |share: f64| {
            let wanted = (count.saturating_sub(1) as f64 * share).round() as u64;
            let mut seen = 0;
            bins.iter().position(|(count, _)| {
                seen += u64::from(*count);
                seen > wanted
            })
        };
        match (place(low), place(high)) {
            (Some(low), Some(high)) => high.saturating_sub(low) as f64 / STEPS,
            _ => 0.0,
        }
    }
}

/// Where a loudness counts.
fn bin(loudness: f64) -> usize {
    // `as` takes what is below the first for the first.
    (((loudness - ABSOLUTE_GATE) * STEPS) as usize).min(BINS - 1)
}
