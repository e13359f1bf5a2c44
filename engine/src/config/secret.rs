//! Passwords and what stands for them, kept out of logs.

use std::fmt;

use bstr::BString;

/// A secret. Printing it, with `{:?}` or as part of a larger value, shows no part of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(BString);

impl Secret {
    /// Takes `text` into keeping.
    pub fn new(text: impl Into<BString>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for computing a digest. Do not log it.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_a_secret_shows_nothing_of_it() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(..) Some(Secret(..))");
        assert_eq!(secret.reveal(), b"hunter2");
    }
}
