//! Session descriptions (RFC 4566, RFC 8866) and the offer/answer model (RFC 3264).
//!
//! Knows nothing of SIP: a description comes in and goes out as bytes.

mod description;
mod negotiate;
mod parse;
mod rtcp;
mod write;

pub use description::{
    Attribute, Connection, ConnectionAddress, MediaDescription, MediaKind, Origin,
    SessionDescription,
};
pub use negotiate::{
    Capabilities, Kept, Negotiated, NegotiationError, OfferAnswer, Preference, TelephoneEvents,
};
pub use parse::SdpError;
