//! The option letters of an application.

use bstr::BString;

/// Parsed option string: each letter once, the last one counts, with its argument in parentheses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    entries: Vec<(u8, Option<BString>)>,
}

impl Options {
    /// Whether the letter was given.
    #[must_use]
    pub fn has(&self, letter: u8) -> bool {
        self.entries.iter().any(|(l, _)| *l == letter)
    }

    /// The letter's argument, when it had parentheses.
    #[must_use]
    pub fn argument(&self, letter: u8) -> Option<&[u8]> {
        self.entries
            .iter()
            .find(|(l, _)| *l == letter)
            .and_then(|(_, a)| a.as_ref().map(|a| a.as_slice()))
    }

    /// All letters in the order written.
    pub fn letters(&self) -> impl Iterator<Item = u8> + '_ {
        self.entries.iter().map(|(letter, _)| *letter)
    }

    /// Those of these letters alone.
    #[must_use]
    pub fn only(mut self, letters: &[u8]) -> Self {
        self.entries.retain(|(letter, _)| letters.contains(letter));
        self
    }

    /// One letter more, without an argument.
    #[must_use]
    pub fn with(mut self, letter: u8) -> Self {
        self.insert(letter, None);
        self
    }

    /// Takes a letter out, with its argument; one without parentheses has an empty one.
    pub(crate) fn take(&mut self, letter: u8) -> Option<BString> {
        let at = self.entries.iter().position(|(other, _)| *other == letter)?;
        Some(self.entries.remove(at).1.unwrap_or_default())
    }

    pub(crate) fn insert(&mut self, letter: u8, argument: Option<BString>) {
        match self.entries.iter_mut().find(|(l, _)| *l == letter) {
            Some(entry) => entry.1 = argument,
            None => self.entries.push((letter, argument)),
        }
    }
}
