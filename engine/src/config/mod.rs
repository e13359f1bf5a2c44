//! The operator's files as typed settings: `pjsip.conf`, `rtp.conf`, `confbridge.conf`,
//! `asterisk.conf` and the dialplan.
//!
//! A setting that is not understood, or not here yet, is named once with file and line and what
//! happens instead; none is silently taken as done. The syntax shared by all files is
//! `diesis_dialplan::conf`.

mod network;
mod secret;
mod settings;

pub use network::{IdentifyTable, IpNetwork, NetworkError};
pub use secret::Secret;
pub use settings::*;
