//! Digest authentication, both sides (RFC 3261 §22, RFC 7616, RFC 8760).
//!
//! [`Authenticator`] challenges and checks requests; [`Responder`] answers challenges to requests of
//! ours. Basic authentication does not exist here (RFC 3261 §22.1).

mod digest;
mod nonce;
mod own;
mod responder;
mod server;

pub use digest::{Algorithm, Secret};
pub(crate) use own::borrowed;
pub use own::{OwnCredentials, OwnSecret};
pub use responder::{ChallengeError, Credentials, Responder};
pub use server::{AuthSettings, Authenticator, Md5Alone, Verdict};
