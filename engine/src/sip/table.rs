//! Tables whose handles cannot be mistaken for one another: a slab with generations.
//!
//! A handle is a slot and the generation that was put there. A handle kept after its entry ended
//! finds nothing, even when the slot has a new tenant.

use slab::Slab;

/// A slot and its tenant's generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Handle {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// A bounded slab of `T`, each in a box: what a busy minute took is given back when it is over.
#[derive(Debug)]
pub(crate) struct Table<T> {
    slab: Slab<(u32, Box<T>)>,
    capacity: usize,
    next_generation: u32,
}

impl<T> Table<T> {
    /// An empty table for at most `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            slab: Slab::new(),
            capacity: capacity.min(u32::MAX as usize - 1),
            next_generation: 1,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.slab.len() >= self.capacity
    }

    /// Puts an entry in, or gives it back when the table is full.
    pub(crate) fn insert(&mut self, value: T) -> Result<Handle, T> {
        if self.is_full() {
            return Err(value);
        }
        let generation = self.next_generation;
        self.next_generation = self.next_generation.wrapping_add(1);
        let slot = self.slab.insert((generation, Box::new(value))) as u32;
        Ok(Handle { slot, generation })
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&T> {
        let (generation, value) = self.slab.get(handle.slot as usize)?;
        (*generation == handle.generation).then_some(&**value)
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let (generation, value) = self.slab.get_mut(handle.slot as usize)?;
        (*generation == handle.generation).then_some(&mut **value)
    }

    pub(crate) fn remove(&mut self, handle: Handle) -> Option<T> {
        self.get(handle)?;
        self.slab.try_remove(handle.slot as usize).map(|(_, value)| *value)
    }

    /// The handle of whoever lives in a slot now.
    pub(crate) fn handle_of(&self, slot: u32) -> Option<Handle> {
        let (generation, _) = self.slab.get(slot as usize)?;
        Some(Handle { slot, generation: *generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handle_of_a_removed_entry_does_not_reach_the_next_tenant() {
        let mut table = Table::new(1);
        let first = table.insert("first").expect("empty");
        assert_eq!(table.insert("too many"), Err("too many"));
        assert_eq!(table.remove(first), Some("first"));
        let second = table.insert("second").expect("room again");
        assert_eq!(second.slot, first.slot);
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&"second"));
    }
}
