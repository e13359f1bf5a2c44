//! Token buckets by key in a bounded table: what one source may cost us.
//!
//! Used for password guesses per (source, account) and for log lines per source. A bucket that has
//! filled up again is forgotten, so the table holds only those who spent something lately.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// How fast a key may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// What can be spent at once.
    pub(crate) burst: u32,
    /// How long it takes to earn one back.
    pub(crate) refill: Duration,
}

/// The buckets of many keys. When the table is full and nobody's bucket is full again, the key that
/// spent longest ago is forgotten: it has earned the most back.
#[derive(Debug)]
pub(crate) struct Budgets<K> {
    rate: Rate,
    capacity: usize,
    /// When each key's bucket will be full again.
    full_at: HashMap<K, Instant>,
}

impl<K: Eq + Hash + Clone> Budgets<K> {
    /// No bucket spent from yet.
    pub(crate) fn new(rate: Rate, capacity: usize) -> Self {
        Self { rate, capacity, full_at: HashMap::new() }
    }

    /// Whether `key` could spend one now.
    pub(crate) fn has(&self, key: &K, now: Instant) -> bool {
        let Some(full_at) = self.full_at.get(key) else { return true };
        let owed = full_at.saturating_duration_since(now);
        owed + self.rate.refill <= self.rate.refill * self.rate.burst
    }

    /// Spends one of `key`'s; `false` when there is none left.
    pub(crate) fn spend(&mut self, key: K, now: Instant) -> bool {
        if !self.has(&key, now) {
            return false;
        }
        if self.full_at.len() >= self.capacity && !self.full_at.contains_key(&key) {
            self.make_room(now);
        }
        let full_at = self.full_at.entry(key).or_insert(now);
        *full_at = (*full_at).max(now) + self.rate.refill;
        true
    }

    /// Gives `key` a full bucket.
    pub(crate) fn forgive(&mut self, key: &K) {
        self.full_at.remove(key);
    }

    fn make_room(&mut self, now: Instant) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() < self.capacity {
            return;
        }
        let oldest = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::clock;

    const RATE: Rate = Rate { burst: 5, refill: Duration::from_secs(12) };

    #[test]
    fn ten_at_most_in_any_minute() {
        let (mut budgets, start) = (Budgets::new(RATE, 10), clock());
        let spent =
            (0..600).filter(|n| budgets.spend("a", start + Duration::from_millis(n * 100))).count();
        assert_eq!(spent, 9, "five at once, then one each 12 s");
    }

    #[test]
    fn keys_do_not_share_a_bucket() {
        let (mut budgets, now) = (Budgets::new(RATE, 10), clock());
        while budgets.spend("a", now) {}
        assert!(budgets.has(&"b", now));
        budgets.forgive(&"a");
        assert!(budgets.has(&"a", now));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_latest_spenders() {
        let (mut budgets, start) = (Budgets::new(RATE, 3), clock());
        while budgets.spend(0, start) {}
        for key in 1..50 {
            budgets.spend(key, start + Duration::from_secs(1));
            assert!(budgets.full_at.len() <= 3);
        }
        assert!(!budgets.has(&0, start + Duration::from_secs(1)), "the worst spender stays known");
    }
}
