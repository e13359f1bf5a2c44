//! SIP: messages, transactions, dialogs and their uses, without sockets or clocks.

pub(crate) mod deadlines;
pub mod flow;
pub(crate) mod table;
pub mod transaction;

pub use flow::{ConnectionId, Flow, Transmit, Transport};
