//! RTCP (RFC 3550 §6): how two ends tell each other what arrives, for one stream of one call.
//!
//! `packet` reads and writes compound packets, `interval` says when one is due, and `Reports` keeps
//! what goes into them and what the peer's say. Sockets, addresses and whom to believe are the
//! stream's: see `latch`.

pub mod interval;
pub mod packet;
mod reports;

pub use packet::{Compound, Malformed, Packet, ReportBlock, SenderReport};
pub(crate) use reports::{NtpTime, Report, Reports, Sender};
