//! A value that most channels leave at its default: a pointer until somebody writes to it.

use std::ops::{Deref, DerefMut};

/// What hardly anybody has. Reading one that was never written reads the default that all share.
#[derive(Debug, Clone)]
pub struct Rare<T>(Option<Box<T>>);

/// The default of a [`Rare`] value, shared by all.
pub trait Absent: Default + 'static {
    /// The one and only.
    fn absent() -> &'static Self;
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self(Some(Box::new(value)))
    }
}

impl<T: Absent> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::absent(),
        }
    }
}

impl<T: Absent> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Absent + PartialEq> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Absent + Eq> Eq for Rare<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Redirecting;

    #[test]
    fn what_was_never_written_is_the_default_and_takes_no_memory() {
        let mut rare = Rare::<Redirecting>::default();
        assert_eq!(*rare, Redirecting::default());
        assert!(rare.0.is_none());
        rare.count = 2;
        assert_eq!((rare.count, rare.clone()), (2, rare.clone()));
        assert_ne!(rare, Rare::default());
        assert_eq!(Rare::from(Redirecting::default()), Rare::default());
    }
}
