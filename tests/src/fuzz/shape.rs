//! What a target came across, as one number: the cheap stand-in for coverage.
//!
//! Two inputs of the same shape are taken to have done the same. Add what tells cases apart (kinds
//! of errors, how many parts) and leave out what merely differs (texts): every shape that is new
//! costs a place in the corpus.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A running sum of what happened.
#[derive(Debug, Clone, Default)]
pub struct Shape(DefaultHasher);

impl Shape {
    /// Nothing happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Something happened that matters as it is.
    pub fn add(&mut self, what: impl Hash) {
        what.hash(&mut self.0);
    }

    /// There were so many of something; above four only the magnitude matters.
    pub fn count(&mut self, how_many: usize) {
        let class = if how_many <= 4 { how_many } else { 3 + how_many.ilog2() as usize };
        class.hash(&mut self.0);
    }

    /// A kind of value by its `Debug` name, without what is in it.
    pub fn kind(&mut self, value: &impl std::fmt::Debug) {
        let text = format!("{value:?}");
        let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        text[..end].hash(&mut self.0);
    }

    /// The number.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.finish()
    }
}
