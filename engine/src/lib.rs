//! The embeddable engine: SIP, SDP, RTP, calls, conferences and the dialplan on them.

pub mod clock;
pub mod config;
pub mod entropy;
pub mod media;
pub mod sip;
