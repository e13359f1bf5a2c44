//! Things with a name, kept in their order and found by name at once.

use std::collections::HashMap;
use std::fmt;
use std::ops::Index;

use bstr::{BStr, BString};

/// A thing that a section of a file defines.
pub trait Name {
    /// The section's name.
    fn name(&self) -> &BStr;
}

/// Things in the order of the file, found by name. A name belongs to the first thing that has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Named<T> {
    items: Vec<T>,
    by_name: HashMap<BString, usize>,
}

impl<T: Name> Named<T> {
    /// Adds `item`. When its name is taken nothing changes and it is handed back.
    pub fn insert(&mut self, item: T) -> Result<usize, T> {
        if self.by_name.contains_key(item.name()) {
            return Err(item);
        }
        let index = self.items.len();
        self.by_name.insert(item.name().to_owned(), index);
        self.items.push(item);
        Ok(index)
    }

    /// The thing of this name.
    pub fn get(&self, name: &BStr) -> Option<&T> {
        self.items.get(self.position(name)?)
    }

    /// The place of the thing of this name in the order.
    pub fn position(&self, name: &BStr) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }
}

impl<T: Name> FromIterator<T> for Named<T> {
    /// Of things with the same name the first stays.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut named = Self::default();
        for item in items {
            let _ = named.insert(item);
        }
        named
    }
}

impl<'a, T: Name> IntoIterator for &'a Named<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> Index<usize> for Named<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.items[index]
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { items: vec![], by_name: HashMap::new() }
    }
}

impl<T: fmt::Debug> fmt::Debug for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.items).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Thing(&'static str, u8);

    impl Name for Thing {
        fn name(&self) -> &BStr {
            self.0.into()
        }
    }

    #[test]
    fn the_first_of_a_name_stays() {
        let mut named = Named::default();
        assert_eq!(named.insert(Thing("b", 1)), Ok(0));
        assert_eq!(named.insert(Thing("a", 2)), Ok(1));
        assert_eq!(named.insert(Thing("b", 3)), Err(Thing("b", 3)));
        assert_eq!(named.get("b".into()), Some(&Thing("b", 1)));
        assert_eq!(named.iter().map(|thing| thing.0).collect::<Vec<_>>(), ["b", "a"]);
    }
}
