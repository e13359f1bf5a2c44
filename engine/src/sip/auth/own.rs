//! Credentials that are kept, by a registration or a call.

use std::fmt;

use bstr::BString;

use super::{Credentials, Secret};

/// Credentials that are kept: what [`Credentials`] borrows.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnCredentials {
    /// The user name.
    pub username: BString,
    /// The one realm they are for; `None`: whatever the far end names.
    pub realm: Option<String>,
    /// The password or its hash.
    pub secret: OwnSecret,
}

/// The secret of [`OwnCredentials`].
#[derive(Clone, PartialEq, Eq)]
pub enum OwnSecret {
    /// The password.
    Password(BString),
    /// MD5 of `username:realm:password` in hexadecimal digits.
    Md5Hash(BString),
}

impl fmt::Debug for OwnCredentials {
    /// Shows no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnCredentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// The same, to be answered with.
pub(crate) fn borrowed(credentials: &[OwnCredentials]) -> Vec<Credentials<'_>> {
    credentials
        .iter()
        .map(|own| Credentials {
            username: &own.username,
            realm: own.realm.as_deref(),
            secret: match &own.secret {
                OwnSecret::Password(password) => Secret::Password(password),
                OwnSecret::Md5Hash(hash) => Secret::Md5Hash(hash),
            },
        })
        .collect()
}
