//! Passwords and what stands for them, kept out of logs.

use std::fmt;

use bstr::{BStr, BString, ByteSlice};

use super::value::nearest;

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

/// Whether a line of a file holds a secret, to judge by the name it begins with. Misspelt names and
/// a missing `=` count.
pub(super) fn is_secret_line(line: &BStr) -> bool {
    let line = line.trim_ascii_start();
    if line.starts_with(b"[") {
        return false;
    }
    let name = line.split(|byte| b"= \t".contains(byte)).next();
    let name = name.unwrap_or_default().to_ascii_lowercase();
    // Of a conference: a part without a name may be a PIN whose name was forgotten.
    let is_person = nearest(name.as_bstr(), ["master", "participant"]).is_some();
    let mut parts = line.split_str(",").skip(1);
    if is_person && parts.any(|part| part.contains_str("pin") || !part.contains(&b'=')) {
        return true;
    }
    ["pass", "pwd", "secret", "cred", "digest", "token"].iter().any(|part| name.contains_str(part))
        || nearest(name.as_bstr(), ["password", "pin"]).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_secrets_are_recognised_however_misspelt() {
        for line in [
            "password=x",
            " PASSWORD x",
            "pasword = x",
            "md5_cred=x",
            "pin=1",
            "secret=x",
            "master=1, pin=2",
            "master=1, 2",
        ] {
            assert!(is_secret_line(line.into()), "{line}");
        }
        for line in ["", "context=x", "same => n,Set(password=x)", "[password]", "max_contacts=1"] {
            assert!(!is_secret_line(line.into()), "{line}");
        }
    }

    #[test]
    fn printing_a_secret_shows_nothing_of_it() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(..) Some(Secret(..))");
        assert_eq!(secret.reveal(), b"hunter2");
    }
}
