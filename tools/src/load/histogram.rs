//! Times in bins: 10 µs wide up to 100 ms, 1 ms wide up to a minute. Adding one allocates nothing.

use std::time::Duration;

use serde::Serialize;

/// How often which time was seen.
#[derive(Clone)]
pub(super) struct Histogram {
    bins: Box<[u32]>,
    count: u64,
    greatest: Duration,
    sum: Duration,
}

/// What is told of a histogram, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) count: u64,
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            bins: vec![0; FINE + COARSE + 1].into(),
            count: 0,
            greatest: Duration::ZERO,
            sum: Duration::ZERO,
        }
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.percentiles().fmt(f)
    }
}

impl Histogram {
    pub(super) fn add(&mut self, time: Duration) {
        let fine = (time.as_micros() / FINE_WIDTH) as usize;
        let bin = match fine {
            ..FINE => fine,
            _ => (FINE + time.as_millis() as usize - FINE_MS).min(FINE + COARSE),
        };
        self.bins[bin] = self.bins[bin].saturating_add(1);
        self.count += 1;
        self.sum += time;
        self.greatest = self.greatest.max(time);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The time that the share `q` of all does not exceed; nought of none.
    pub(super) fn quantile(&self, q: f64) -> Duration {
        let wanted = ((self.count as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (bin, &count) in self.bins.iter().enumerate() {
            seen += u64::from(count);
            if seen >= wanted {
                // The end of the bin, and never more than there was.
                let end = match bin {
                    ..FINE => Duration::from_micros((bin as u64 + 1) * FINE_WIDTH as u64),
                    _ => Duration::from_millis((bin + 1 - FINE + FINE_MS) as u64),
                };
                return if bin == FINE + COARSE { self.greatest } else { end.min(self.greatest) };
            }
        }
        self.greatest
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        Percentiles {
            count: self.count,
            mean: if self.count == 0 { 0.0 } else { ms(self.sum) / self.count as f64 },
            p50: ms(self.quantile(0.5)),
            p90: ms(self.quantile(0.9)),
            p99: ms(self.quantile(0.99)),
            p99_9: ms(self.quantile(0.999)),
            max: ms(self.greatest),
        }
    }
}

/// Microseconds of a fine bin.
const FINE_WIDTH: u128 = 10;
/// Fine bins, and the milliseconds that they reach to.
const FINE: usize = 10_000;
const FINE_MS: usize = 100;
/// Bins of a millisecond; beyond is one more.
const COARSE: usize = 60_000 - FINE_MS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_ends_of_their_bins() {
        let mut times = Histogram::default();
        assert_eq!(times.percentiles().p99, 0.0);
        for n in 1..=1000 {
            times.add(Duration::from_micros(n * 100 - 5));
        }
        let told = times.percentiles();
        assert_eq!((told.count, told.p50, told.p90, told.p99), (1000, 50.0, 90.0, 99.0));
        assert_eq!((told.p99_9, told.max), (99.9, 99.995));
    }

    #[test]
    fn long_times_are_told_by_the_millisecond_and_the_longest_exactly() {
        let mut times = Histogram::default();
        times.add(Duration::from_millis(100));
        times.add(Duration::from_micros(2_500_300));
        assert_eq!(times.quantile(0.5), Duration::from_millis(101));
        assert_eq!(times.quantile(1.0), Duration::from_micros(2_500_300));
        times.add(Duration::from_secs(3600));
        assert_eq!(times.quantile(1.0), Duration::from_secs(3600));
    }
}
