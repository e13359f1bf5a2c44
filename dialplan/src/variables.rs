//! Named values: those of a channel with their inheritance marks and subroutine layers, and globals.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use bstr::{BStr, BString};

/// Whether a channel variable is copied to channels that this one creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inheritance {
    /// Not copied.
    #[default]
    None,
    /// `_name`: copied once, to the next channel only.
    Once,
    /// `__name`: copied to all channels down the line.
    Always,
}

/// Variables by name. Names are case-sensitive bytes; a name can have hidden older values below the present
/// one (a subroutine's arguments and local variables).
#[derive(Debug, Clone, Default)]
pub struct Variables {
    entries: HashMap<Vec<u8>, Entry, BuildHasherDefault<NameHasher>>,
    clock: u64,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    value: Vec<u8>,
    inheritance: Inheritance,
    /// Grows with every assignment: lists show the newest first.
    order: u64,
    below: Vec<(Vec<u8>, Inheritance, u64)>,
}

impl Variables {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The present value.
    #[must_use]
    pub fn value(&self, name: &[u8]) -> Option<&BStr> {
        self.entries.get(name).map(|entry| entry.value.as_slice().into())
    }

    /// Sets the present value; a name without a value gets one. Allocates nothing when the old value's room
    /// suffices.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.set_inherited(name, value, Inheritance::None);
    }

    /// As [`set`](Self::set), with the inheritance mark.
    pub fn set_inherited(&mut self, name: &[u8], value: &[u8], inheritance: Inheritance) {
        self.clock += 1;
        let order = self.clock;
        if let Some(entry) = self.entries.get_mut(name) {
            entry.value.clear();
            entry.value.extend_from_slice(value);
            entry.inheritance = inheritance;
            entry.order = order;
            return;
        }
        let entry = Entry { value: value.to_vec(), inheritance, order, below: Vec::new() };
        self.entries.insert(name.to_vec(), entry);
    }

    /// Hides the present value under a new one until [`pop`](Self::pop).
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.clock += 1;
        let order = self.clock;
        match self.entries.get_mut(name) {
            Some(entry) => {
                let old = std::mem::replace(&mut entry.value, value.to_vec());
                entry.below.push((old, entry.inheritance, entry.order));
                entry.inheritance = Inheritance::None;
                entry.order = order;
            }
            None => self.set(name, value),
        }
    }

    /// Removes the present value; the one hidden below it, if any, is seen again.
    pub fn pop(&mut self, name: &[u8]) -> Option<BString> {
        let entry = self.entries.get_mut(name)?;
        if let Some((value, inheritance, order)) = entry.below.pop() {
            let old = std::mem::replace(&mut entry.value, value);
            entry.inheritance = inheritance;
            entry.order = order;
            return Some(old.into());
        }
        self.entries.remove(name).map(|entry| entry.value.into())
    }

    /// The value that lies `depth` below the present one; depth 0 is the present one.
    #[must_use]
    pub fn hidden(&self, name: &[u8], depth: usize) -> Option<&BStr> {
        let entry = self.entries.get(name)?;
        if depth == 0 {
            return Some(entry.value.as_slice().into());
        }
        let at = entry.below.len().checked_sub(depth)?;
        entry.below.get(at).map(|(value, ..)| value.as_slice().into())
    }

    /// Whether the name has a value, even an empty one.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.entries.contains_key(name)
    }

    /// All names and values, the one assigned last first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<(&BStr, &BStr)> {
        let mut all: Vec<_> = self.entries.iter().collect();
        all.sort_unstable_by_key(|(_, entry)| std::cmp::Reverse(entry.order));
        all.into_iter().map(|(name, entry)| (BStr::new(name), BStr::new(&entry.value))).collect()
    }

    /// What a channel created from this one starts with.
    #[must_use]
    pub fn inherited(&self) -> Self {
        let mut heir = Self::new();
        let mut all: Vec<_> = self.entries.iter().collect();
        all.sort_unstable_by_key(|(_, entry)| entry.order);
        for (name, entry) in all {
            match entry.inheritance {
                Inheritance::None => {}
                Inheritance::Once => heir.set(name, &entry.value),
                Inheritance::Always => heir.set_inherited(name, &entry.value, Inheritance::Always),
            }
        }
        heir
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// A multiplicative hash of short names. The number of names a caller can choose is bounded by the dialplan,
/// so no keyed hash is needed; SipHash alone would cost a fifth of a step.
#[derive(Default)]
pub(crate) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word =
                u64::from_le_bytes(chunk.try_into().expect("chunks_exact gives eight bytes"));
            self.add(word);
        }
        let mut word = [0u8; 8];
        let rest = chunks.remainder();
        word[..rest.len()].copy_from_slice(rest);
        self.add(u64::from_le_bytes(word) ^ ((rest.len() as u64) << 56));
    }

    fn write_u8(&mut self, _: u8) {}

    fn write_usize(&mut self, length: usize) {
        self.0 ^= length as u64;
    }
}

impl NameHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushed_value_hides_the_older_one_until_popped() {
        let mut variables = Variables::new();
        variables.set(b"ARG1", b"outer");
        variables.push(b"ARG1", b"inner");
        variables.set(b"ARG1", b"changed");
        assert_eq!(variables.value(b"ARG1"), Some(BStr::new("changed")));
        assert_eq!(variables.pop(b"ARG1"), Some("changed".into()));
        assert_eq!(variables.value(b"ARG1"), Some(BStr::new("outer")));
        assert_eq!(variables.pop(b"ARG1"), Some("outer".into()));
        assert_eq!(variables.value(b"ARG1"), None);
    }

    #[test]
    fn single_underscore_inherits_once_and_double_for_ever() {
        let mut variables = Variables::new();
        variables.set_inherited(b"once", b"1", Inheritance::Once);
        variables.set_inherited(b"always", b"2", Inheritance::Always);
        variables.set(b"never", b"3");
        let child = variables.inherited();
        assert_eq!(child.len(), 2);
        let grandchild = child.inherited();
        assert_eq!(grandchild.newest_first(), [(BStr::new("always"), BStr::new("2"))]);
    }
}
