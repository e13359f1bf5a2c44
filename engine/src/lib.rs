//! The embeddable engine: SIP, SDP, RTP, calls, conferences and the dialplan on them.

pub(crate) mod bridge;
pub mod campaign;
pub mod cdr;
#[cfg(feature = "net")]
pub mod certificate;
pub mod channel;
pub mod clock;
pub mod config;
pub mod entropy;
pub(crate) mod ip_network;
pub mod media;
#[cfg(feature = "net")]
pub mod net;
pub(crate) mod pbx;
pub mod presence;
pub(crate) mod printable;
pub mod program;
pub mod recording;
pub mod sdp;
pub mod sip;
pub mod switch;

#[cfg(feature = "net")]
pub use net::{
    Call, CallError, CallState, Ended, Engine, EngineBuilder, Events, OutgoingCall, PlaceError,
    Recording, StartError,
};
pub use switch::ForkAudio;
