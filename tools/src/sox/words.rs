//! The words of a command, one after the other, and what is wrong with which of them.

use std::fmt;

/// Why a command is not carried out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Number of the word, from 1; 0 for the command as a whole.
    place: usize,
    reason: String,
}

impl Refusal {
    pub(super) fn of_all(reason: impl Into<String>) -> Self {
        Self { place: 0, reason: reason.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            0 => write!(f, "{}", self.reason),
            place => write!(f, "word {place}: {}", self.reason),
        }
    }
}

/// The words that are still to be read.
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    all: &'a [String],
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) const fn new(all: &'a [String]) -> Self {
        Self { all, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.all.get(self.at).map(String::as_str)
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    /// All up to the first that ends them.
    pub(super) fn until(&mut self, is_end: impl Fn(&str) -> bool) -> Self {
        let from = self.at;
        while self.peek().is_some_and(|word| !is_end(word)) {
            self.at += 1;
        }
        Words { all: &self.all[..self.at], at: from }
    }

    /// How many there still are.
    pub(super) const fn left(&self) -> usize {
        self.all.len() - self.at
    }

    /// What is wrong with the word read last.
    pub(super) fn refuse<T>(&self, reason: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal { place: self.at, reason: reason.into() })
    }
}
