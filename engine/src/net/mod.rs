//! Sockets, clock and threads: the only room that does I/O.
//!
//! `transport` carries SIP bytes, `media` runs the shards, `prompts` reads sound files, and
//! `signalling` drives the pure switch with them. `engine` and `call` are what an embedder holds.

mod call;
mod clock;
pub mod control;
mod engine;
mod local_address;
mod log_control;
mod marking;
pub mod media;
mod meetings;
mod music;
mod outgoing;
mod program;
mod prompts;
mod recording;
mod records;
mod reload;
mod resolver;
mod security_log;
mod signalling;
mod spool;
mod store;
mod tcp;
mod tls;
mod trace;
mod transport;
mod udp;
mod waited_thread;
mod whole_lines;

pub use call::{Call, CallError, CallState, Ended};
pub use engine::{Engine, EngineBuilder, Events, PlaceError, StartError};
pub use log_control::LogControl;
pub use outgoing::OutgoingCall;
#[doc(hidden)]
pub use program::converse;
pub use recording::Recording;
pub use reload::{ReloadError, Reloaded};
pub use spool::{CallFileError, check_call_file};
pub use store::kept_database;
pub use tls::{TlsSetupError, presented_chain};
