//! Session descriptions (RFC 4566, RFC 8866) and the offer/answer model (RFC 3264).
//!
//! Knows nothing of SIP: a description comes in and goes out as bytes.

mod capabilities;
mod choice;
mod description;
mod direction;
mod format;
mod negotiate;
mod parse;
mod rtcp;
mod write;

pub use capabilities::{Capabilities, Kept, Preference, TelephoneEvents};
pub use description::{
    Attribute, Connection, ConnectionAddress, MediaDescription, MediaKind, Origin,
    SessionDescription,
};
pub use negotiate::{Negotiated, NegotiationError, OfferAnswer};
pub use parse::SdpError;
