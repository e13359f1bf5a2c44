//! SIP: messages, transactions, dialogs and their uses, without sockets or clocks.
//!
//! A body is bytes with a content type: this room does not know SDP.

pub mod auth;
mod core;
pub(crate) mod deadlines;
pub mod dialog;
mod endpoint;
mod event;
pub mod flow;
mod framing;
pub(crate) mod grammar;
mod header;
mod headers;
mod id;
mod invite;
mod kept_headers;
mod large;
pub mod locate;
mod message;
mod method;
#[cfg(test)]
mod pair;
mod parse;
mod provisional;
pub mod refer;
pub mod registrar;
pub mod registration;
mod rsip_conversion;
mod session_timer;
mod status;
mod subscribe;
pub(crate) mod table;
pub mod transaction;
mod uri;

pub use endpoint::{
    Counters, Endpoint, EndpointConfig, OtherMethods, PathPolicy, PublicAddress, ResponsePort,
};
pub use event::{
    Body, CallHandle, EarlyOffer, End, Event, Failure, MAX_FORWARDS, OutgoingCall, OutgoingRequest,
    ReferHandle, RequestHandle, SubscriptionHandle, Terms, TransactionHandle, VerbError,
    is_reserved,
};
pub use flow::{ConnectionId, Flow, Transmit, Transport};
pub use framing::{Frame, Framing, PONG, StreamTimeouts};
pub use header::{HeaderName, MediaType, NameAddr, NameAddrRef, Param, Params, Via};
pub use headers::{Contacts, FieldRef, HeaderValue, Headers, InvalidHeaderName};
pub use id::{Branch, CSeq, CallId, Tag};
pub(crate) use kept_headers::KeptHeaders;
pub use large::LargeRequests;
pub use message::{Message, Request, Response};
pub use method::{Extension, Method};
pub use parse::{Limits, ParseError, ParseErrorKind};
pub use provisional::ReliableProvisional;
pub use rsip_conversion::ConversionError;
pub use session_timer::{SessionTimers, TimerPolicy};
pub use status::StatusCode;
pub use subscribe::{
    Expiration as SubscriptionExpiration, Subscribe, SubscriptionEnd, SubscriptionTerms,
    Termination,
};
pub(crate) use uri::decode as unescape_uri;
pub use uri::{Host, Scheme, Uri, UriError, UriRef};
