//! The deadlines of a table of machines, earliest first: a binary heap that can be corrected.
//!
//! Each machine has at most one deadline. Setting, moving and clearing it cost O(log n); asking for
//! the earliest costs nothing, so that a table of thousands is never walked for its timers. There
//! are no stale entries: a machine that ends takes its deadline with it.

use std::time::Instant;

/// Deadlines keyed by small dense numbers (the slots of a [`super::table::Table`]).
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: Vec<(Instant, u32)>,
    /// For each key its index in `heap`, or `ABSENT`.
    positions: Vec<u32>,
}

impl Deadlines {
    /// Gives `key` the deadline `at`, or takes it away.
    pub(crate) fn set(&mut self, key: u32, at: Option<Instant>) {
        let slot = key as usize;
        if slot >= self.positions.len() {
            if at.is_none() {
                return;
            }
            self.positions.resize(slot + 1, ABSENT);
        }
        let position = self.positions[slot];
        match (position, at) {
            (ABSENT, None) => {}
            (ABSENT, Some(at)) => {
                let end = self.heap.len();
                self.heap.push((at, key));
                self.positions[slot] = end as u32;
                self.sift_up(end);
            }
            (position, Some(at)) => {
                let position = position as usize;
                let before = self.heap[position].0;
                self.heap[position].0 = at;
                if at < before {
                    self.sift_up(position);
                } else if at > before {
                    self.sift_down(position);
                }
            }
            (position, None) => {
                let position = position as usize;
                self.positions[slot] = ABSENT;
                self.heap.swap_remove(position);
                if let Some(&(_, moved)) = self.heap.get(position) {
                    self.positions[moved as usize] = position as u32;
                    self.sift_up(position);
                    self.sift_down(position);
                }
            }
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|&(at, _)| at)
    }

    /// Takes one key whose deadline is not after `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let &(at, key) = self.heap.first()?;
        if at > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }

    fn sift_up(&mut self, mut index: usize) {
        while index > 0 {
            let parent = (index - 1) / 2;
            if self.heap[parent].0 <= self.heap[index].0 {
                return;
            }
            self.swap(parent, index);
            index = parent;
        }
    }

    fn sift_down(&mut self, mut index: usize) {
        loop {
            let mut least = index;
            for child in [2 * index + 1, 2 * index + 2] {
                if child < self.heap.len() && self.heap[child].0 < self.heap[least].0 {
                    least = child;
                }
            }
            if least == index {
                return;
            }
            self.swap(least, index);
            index = least;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.positions[self.heap[a].1 as usize] = a as u32;
        self.positions[self.heap[b].1 as usize] = b as u32;
    }
}

const ABSENT: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::clock;

    #[test]
    fn due_keys_come_in_order_and_a_moved_deadline_moves_its_key() {
        let start = clock();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::default();
        deadlines.set(3, Some(at(30)));
        deadlines.set(1, Some(at(10)));
        deadlines.set(2, Some(at(20)));
        deadlines.set(1, Some(at(40)));
        assert_eq!(deadlines.next(), Some(at(20)));
        assert_eq!(deadlines.pop_due(at(30)), Some(2));
        assert_eq!(deadlines.pop_due(at(30)), Some(3));
        assert_eq!(deadlines.pop_due(at(30)), None);
        deadlines.set(1, None);
        assert_eq!(deadlines.next(), None);
    }

    proptest! {
        #[test]
        fn heap_agrees_with_a_sorted_map(steps in prop::collection::vec((0u32..40, prop::option::of(0u64..100)), 1..200)) {
            let start = clock();
            let mut deadlines = Deadlines::default();
            let mut model = BTreeMap::new();
            for (key, at) in steps {
                let at = at.map(|ms| start + Duration::from_millis(ms));
                deadlines.set(key, at);
                match at {
                    Some(at) => model.insert(key, at),
                    None => model.remove(&key),
                };
                prop_assert_eq!(deadlines.next(), model.values().min().copied());
            }
            while let Some(next) = deadlines.next() {
                let key = deadlines.pop_due(next).expect("the earliest is due at its own time");
                prop_assert_eq!(model.remove(&key), Some(next));
            }
            prop_assert!(model.is_empty());
        }
    }
}
